"""Names that people can take for one another."""

import pytest

from domain.lookalikes import lookalikes

KNOWN = ["growthos", "brightpath", "acme-north", "northwind", "north", "acme", "bmw"]


@pytest.mark.parametrize(
    ("name", "close"),
    [
        ("growth0s", ["growthos"]),
        ("growhtos", ["growthos"]),
        ("growth-os", ["growthos"]),
        ("br1ghtpath", ["brightpath"]),
        ("brightpaths", ["brightpath"]),
        ("acrne-north", ["acme-north"]),
        ("acne", ["acme"]),
        ("acmee", ["acme"]),
        ("acme-inc", ["acme"]),
        ("nortn", ["north"]),
        ("nroth", ["north"]),
        ("5outhwlnd", []),
        ("n0rthwind", ["northwind"]),
        ("south", []),
        ("bmv", []),
        ("growthos", []),
        ("initech", []),
        ("southwind", []),
    ],
)
def test_a_name_that_reads_like_a_known_one_is_close_to_it(name: str, close: list[str]) -> None:
    assert lookalikes(name, KNOWN) == close
