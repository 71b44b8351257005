"""What the documents ask for is all accounted for: docs/coverage.md names what carries each row."""

import re
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pkgutil import walk_packages
from typing import NamedTuple

import domain
from domain.aggregates import command_types
from domain.kernel import Event
from domain.standing_alerts import RESERVED, STANDING_ALERTS
from infra.cli.options import app
from tests.documents import REPOSITORY

PAGE = REPOSITORY / "docs" / "coverage.md"
ROWS = 30

NAMED = re.compile(r"^(?:[A-Z][a-z]+){2,}$")
"""How a command or an event is written."""

for module in walk_packages(domain.__path__, "domain."):
    import_module(module.name)


class Row(NamedTuple):
    """A row of the page: the number, and its cells."""

    number: str
    asked: str
    recorded: str
    alerts: str
    seen: str


def rows() -> Iterator[Row]:
    for line in PAGE.read_text(encoding="utf-8").partition("## Rules")[0].splitlines():
        if line.startswith("| C"):
            yield Row(*(cell.strip() for cell in line.strip("|").split("|")))


def code(*cells: str) -> set[str]:
    """What stands between backquotes."""
    return {found for cell in cells for found in re.findall(r"`([^`]+)`", cell)}


def test_every_row_is_there_once_and_in_order() -> None:
    assert [row.number for row in rows()] == [f"C{number}" for number in range(1, ROWS + 1)]


def test_every_row_says_what_carries_it_or_why_nothing_does() -> None:
    assert [row.number for row in rows() if not row.recorded] == []


def test_every_command_and_event_that_is_named_exists() -> None:
    known = Event.registry.keys() | command_types().keys()
    for row in rows():
        named = {name for name in code(*row) if NAMED.fullmatch(name)}
        assert named <= known, f"{row.number} names {sorted(named - known)}, which do not exist"


def test_every_event_carries_some_row() -> None:
    named = {name for row in rows() for name in code(row.recorded)}
    missing = sorted(Event.registry.keys() - named)
    assert not missing, (
        f"docs/coverage.md does not say what these are for: {', '.join(missing)}. "
        "Add each, in backquotes, to the row that asked for it, under what is recorded."
    )


def test_the_alerts_are_those_that_there_can_be() -> None:
    named = {name for row in rows() for name in code(row.alerts)}
    assert named == RESERVED, (
        f"not in docs/coverage.md: {sorted(RESERVED - named)}; "
        f"not in domain/standing_alerts.py: {sorted(named - RESERVED)}"
    )


def test_every_command_line_and_file_that_is_named_exists() -> None:
    known = {
        each.name or getattr(each.callback, "__name__", "") for each in app.registered_commands
    } | {each.name for each in app.registered_groups}
    for row in rows():
        for name in code(row.seen):
            if "/" in name:
                assert (REPOSITORY / name).exists(), f"{row.number}: there is no {name}"
            elif name.startswith("accord "):
                assert name.split()[1] in known, f"{row.number}: there is no {name}"


def test_the_domain_handles_every_event_and_command_that_it_defines() -> None:
    # Facts are known once their module is imported, so the one entrance must import them all.
    ask = (
        "from domain.aggregates import command_types\n"
        "from domain.kernel import Event\n"
        "print(*Event.registry, *command_types())"
    )
    told = subprocess.run(
        [sys.executable, "-c", ask], cwd=REPOSITORY, check=True, capture_output=True, text=True
    )
    assert set(told.stdout.split()) == Event.registry.keys() | command_types().keys()


def test_an_alert_is_in_the_row_that_its_rule_names() -> None:
    in_row = {row.number: code(row.alerts) for row in rows()}
    named = {
        (number, each.rule)
        for each in STANDING_ALERTS
        for number in re.findall(r"\((C\d+)\)", each.sentence)
    }

    assert len(named) > len(in_row)
    assert sorted((row, rule) for row, rule in named if rule not in in_row[row]) == []


def test_each_row_has_a_rule_with_its_tests() -> None:
    page = PAGE.read_text(encoding="utf-8")
    rules = page.partition("## Rules")[2].partition("\n## ")[0]
    with_rules = re.findall(r"^\| (C\d+) \|.*`tests/.*`.* \|$", rules, re.MULTILINE)

    # The last row says why nothing carries it.
    assert with_rules == [row.number for row in rows()][:-1]


def test_every_test_that_is_named_exists() -> None:
    named = re.findall(r"`(tests/[^`]+)`", PAGE.read_text(encoding="utf-8"))

    assert named
    assert [name for name in named if not _exists(*name.split("::"))] == []


def _exists(file: str, test: str = "") -> bool:
    path = REPOSITORY / file
    return path.exists() and (not test or f"\ndef {test}(" in path.read_text(encoding="utf-8"))
