"""docs/security.md: each threat has a defence, and each defence names tests that exist."""

import ast
import re
from functools import cache

import pytest

from tests.documents import REPOSITORY

PAGE = (REPOSITORY / "docs/security.md").read_text(encoding="utf-8")
_, _REST = PAGE.split("## Threats and defences")
THREATS, LIMITS = _REST.split("## What is not defended")

NAMED = re.compile(r"`([a-z_/0-9]+\.py)::(test_[a-z_0-9]+)`")
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in THREATS.splitlines()
    if line.startswith("|") and not line.startswith(("| threat", "|---"))
]


@cache
def defined_in(file: str) -> frozenset[str]:
    """The tests that a file below `tests/` defines."""
    tree = ast.parse((REPOSITORY / "tests" / file).read_text(encoding="utf-8"))
    return frozenset(each.name for each in tree.body if isinstance(each, ast.FunctionDef))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_each_threat_has_a_defence_and_tests_that_exist(row: list[str]) -> None:
    threat, defence, shown = row
    named = NAMED.findall(shown)

    assert threat
    assert defence
    assert named
    assert [each for each in named if each[1] not in defined_in(each[0])] == []
    assert NAMED.sub("", shown).strip(", ") == ""


def test_the_page_has_threats_and_says_what_is_not_defended() -> None:
    assert len(ROWS) > 30
    assert LIMITS.count("\n- **") > 5


def test_no_test_is_named_beside_the_table() -> None:
    assert len(NAMED.findall(PAGE)) == sum(len(NAMED.findall(row[2])) for row in ROWS)
