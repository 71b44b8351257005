"""The worked examples of docs/settlement.md come to what the page says, to the last digit.

Each section's facts are recorded in a store of its own. `tests/worked_examples.py` reads the page.
"""

import re
from collections import defaultdict
from decimal import Decimal
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest

from domain.arithmetic import DIGITS
from tests.journeys.typed import Accord
from tests.worked_examples import (
    FACTS,
    LINES,
    REASONS,
    STATEMENTS,
    SUMS,
    Fact,
    Section,
    fact,
    feed,
    sections,
)

SECTIONS = {each.title: each for each in sections()}
EXAMPLES = {title: each for title, each in SECTIONS.items() if each.table(FACTS)}
NAME = "acme-north"

TITLES = [
    "The law",
    "Which terms apply",
    "Items",
    "Taking back",
    "Corrections",
    "Who may state what",
    "Deal registration",
    "From accrual to payout",
    "Another currency",
    "Adopted partnerships",
    "Arithmetic and faults",
]

INPUT = 15 + 9
"""The digits of an input, before and after the point."""

LIMITS = {"15", "9", "0.001", str(DIGITS), "60", str(INPUT), str(3 * INPUT)}
"""Numbers of the prose that no example shows: the limits of inputs, which other tests check, and
the digits that the specification asks for."""


def play(accord: Accord, facts: list[Fact]) -> list[str]:
    """Record the facts in a new store; return the rules by which events were refused."""
    for old in Path().glob("accord.db*"):
        old.unlink()
    assert accord("init", "--simulated").code == 0
    Path("facts.jsonl").write_bytes(b"\n".join(feed(NAME, facts)))
    ran = accord("ingest", "facts.jsonl", "--json").json
    assert ran["waiting"] == []
    return [each["rule"] for each in ran["refused"]]


def posted(accord: Accord) -> list[dict[str, Any]]:
    """Return every line that the ledger posted, in order."""
    statements = accord("statement", NAME, "--period", "2026", "--json").json["statements"]
    names = [each["statement"] for each in accord("statements", NAME, "--json").json["items"]]
    for name in names:
        statements += accord("statement", NAME, "--period", name, "--json").json["statements"]
    lines = [line for each in statements for line in each["lines"]]
    # No statement has a line that waited for its rate, once the rate arrived.
    for deal in {each["about"] for each in lines if each["about"].startswith("deal/")}:
        lines += accord("explain", f"{NAME}/{deal}", "--json").json["explained"]["lines"]
    found = {(int(each["index"]), place_of(each)): each for each in lines}
    return [found[each] for each in sorted(found)]


def place_of(line: dict[str, Any]) -> int:
    """Return the place of a line among those of its event."""
    return int(line["line"].partition(".")[2])


def shown(line: dict[str, Any]) -> tuple[str, ...]:
    amount = f"{line['amount']} {line['currency']}"
    return line["day"], line["to"], amount, line["text"]


def sums(lines: list[dict[str, Any]]) -> set[tuple[str, str, str]]:
    found: dict[tuple[str, str, str], Decimal] = defaultdict(Decimal)
    for each in lines:
        fact = each["fact"].partition("@")[0]
        found[fact, each["to"], each["currency"]] += Decimal(each["amount"])
    return {(fact, to, f"{amount} {currency}") for (fact, to, currency), amount in found.items()}


def test_the_page_has_an_example_for_each_section() -> None:
    assert list(EXAMPLES) == TITLES


@pytest.mark.parametrize("section", EXAMPLES.values(), ids=EXAMPLES.keys())
def test_an_example_comes_to_what_the_page_says(section: Section, accord: Accord) -> None:
    facts = section.facts

    refused = play(accord, facts)

    assert refused == [each.refused for each in facts if each.refused]
    lines = posted(accord)
    assert [shown(each) for each in lines] == list(section.table(LINES))
    if table := section.table(SUMS):
        assert sums(lines) == set(table)
    if table := section.table(STATEMENTS):
        assert statements(accord) == list(table)
    if table := section.table(REASONS):
        assert set(table) <= reasons(accord)


def statements(accord: Accord) -> list[tuple[str, ...]]:
    """Return the issued statements, as `accord statements` prints them, without the days."""
    rows = accord("statements", NAME, columns=200).out.splitlines()[1:]
    cells = [re.split(r" {2,}", row.strip()) for row in rows]
    return [(name, balance, state) for name, *_, balance, state in cells]


def reasons(accord: Accord) -> set[tuple[str, ...]]:
    """Return what each fact of deal D-1 earns north and why, as `accord explain` gives it."""
    found = accord("explain", f"{NAME}/deal/D-1", "--json").json["explained"]["priced"]
    return {
        (
            each["fact"].partition("@")[0],
            each["item"],
            f"{each['amount']} {each['currency']}",
            each["because"],
        )
        for each in found
        if each["to"] == "north"
    }


def test_the_facts_of_the_law_come_to_the_same_sums_in_every_order(accord: Accord) -> None:
    section = EXAMPLES["The law"]
    facts = section.facts
    late = [each for each in facts if each.recorded != each.happened]
    times = sorted(each.recorded for each in late)
    assert len(late) == 3

    for order in permutations(late):
        moved = [each._replace(recorded=time) for each, time in zip(order, times, strict=True)]
        play(accord, [each for each in facts if each not in late] + moved)

        assert sums(posted(accord)) == set(section.table(SUMS))


def test_a_claim_that_silence_confirms_after_the_last_event_is_in_the_statement(
    accord: Accord,
) -> None:
    rows = [
        ("2026-03-01", "acme", "payment P-1 of deal D-1: 1000.00 USD"),
        ("2026-03-25", "north", "payment P-2 of deal D-1: 300.00 USD"),
        ("2026-04-01 00:00", "acme", "time passes"),
        ("2026-04-05", "acme", "issues the statements of 2026-03"),
    ]
    opening = EXAMPLES["Who may state what"].facts[:3]

    play(accord, opening + [fact(*row) for row in rows])

    assert statements(accord) == [
        ("2026-03:USD", "acme owes north 195.00 USD", "to be paid"),
    ]
    (found,) = accord("statement", NAME, "--period", "2026-03", "--json").json["statements"]
    assert [each["amount"] for each in found["lines"]] == ["150.00", "45.00"]


def test_a_proposal_says_that_another_length_of_a_window_starts_a_new_count(
    accord: Accord,
) -> None:
    share = "north earns 10 % of all revenue from each referred client, at most 100"
    by_month = fact(
        "2026-02-01", "both", f"agree from 2026-03-01: {share} a month, on each payment"
    )
    same = fact("2026-01-20", "both", f"agree from 2026-02-01: {share} a year, on each payment")
    first = fact("2025-11-10", "both", f"agree from 2026-01-01: {share} a year, on each payment")

    play(accord, [first, same, by_month._replace(said=by_month.said[:1])])

    shown = accord("show", NAME, "--json").json["proposals"]
    told = {each["proposal"]: each["contents"] for each in shown}
    anew = "the count of revenue-share-1 starts anew, by month and no longer by year"
    assert told["terms-2026-03-01-on"][-1] == anew
    assert anew not in told["terms-2026-02-01-on"]


@pytest.mark.parametrize("section", SECTIONS.values(), ids=SECTIONS.keys())
def test_no_number_of_the_prose_is_left_unchecked(section: Section) -> None:
    checked = re.findall(r"\d[\d.,]*\d|\d", str(section.tables))
    prose = re.sub(r"00:00|`[^`]*`|\]\([^)]*\)|\b[A-Z]+-\d+\b|decision \d+", "", section.prose)

    assert set(re.findall(r"\d[\d.,]*\d|\d", prose)) - set(checked) - LIMITS == set()
