"""What was stated last counts, in any order of arrival: of every kind that can be restated.

A contact, a risk and a contribution stand for all declarations, because one rule decides them all.
"""

from collections.abc import Callable, Iterable
from decimal import Decimal
from itertools import permutations

import pytest

from domain.governance import AssignContact, ContactAssigned, Function
from domain.health import IdentifyRisk, RecordContribution, RiskIdentified
from domain.kernel import Command, Refused, Stage
from projections.contribution import contributions
from tests.life import OURS, THEIRS, at, example, usd
from tests.projections.folds import figures
from tests.stories import Story

DAYS = ("2026-02-01", "2026-02-02", "2026-02-03")


def stated(of_day: Callable[[str], Command], days: Iterable[str]) -> Story:
    """Return a story in which a party states something of three days, in this order of arrival."""
    story = at(Stage.EXECUTION)
    story.on("2026-02-10")
    for day in days:
        try:
            story.when(OURS, of_day(day), happened=day)
        except Refused as refusal:
            assert refusal.rule == "stated-since"  # noqa: PT017 - any other rule fails
    return story


def contact(day: str) -> Command:
    command: Command = AssignContact(function=Function.FINANCE, name=f"Finance of {day}")
    return command


def risk(day: str) -> Command:
    change = None if day == DAYS[0] else "Looked at again"
    command: Command = example(
        IdentifyRisk, risk="late", likelihood=int(day[-1]), change_reason=change
    )
    return command


def contribution(day: str) -> Command:
    change = None if day == DAYS[0] else "Counted again"
    value = usd(f"{day[-1]}00.00")
    command: Command = example(
        RecordContribution,
        contribution="late",
        period="2026-01",
        value=value,
        hours=None,
        change_reason=change,
    )
    return command


@pytest.mark.parametrize("order", [*permutations(DAYS)])
def test_the_contact_in_office_is_the_one_that_was_named_last(order: tuple[str, ...]) -> None:
    story = stated(contact, order)

    held = story.partnership.context.declarations.of(ContactAssigned, OURS)

    assert [each.name for each in held if each.function is Function.FINANCE] == [
        f"Finance of {DAYS[-1]}"
    ]


@pytest.mark.parametrize("order", [*permutations(DAYS[1:])])
def test_a_risk_is_as_high_as_it_was_rated_last(order: tuple[str, ...]) -> None:
    story = stated(risk, (DAYS[0], *order))

    (late,) = (
        each
        for each in story.partnership.context.declarations.of(RiskIdentified)
        if each.risk == "late"
    )

    assert late.likelihood == 3


@pytest.mark.parametrize("order", [*permutations(DAYS[1:])])
def test_a_contribution_costs_what_was_stated_of_it_last(order: tuple[str, ...]) -> None:
    before = given(at(Stage.EXECUTION))

    assert given(stated(contribution, (DAYS[0], *order))) - before == 300


def given(story: Story) -> Decimal:
    """Return what our side contributed in money."""
    found = contributions(story.id, figures(story), {}, (OURS, THEIRS))
    return sum((each.given for each in found if each.party == OURS), Decimal(0))


def test_what_is_stated_again_replaces_it_at_the_same_moment_or_later() -> None:
    story = stated(contact, DAYS[1:])

    refusal = story.refuses(OURS, contact(DAYS[0]), happened=DAYS[0])

    assert refusal.rule == "stated-since"
    assert "was stated at 2026-02-03" in refusal.detail
    again = AssignContact(function=Function.FINANCE, name="Another")
    assert story.when(OURS, again, happened=DAYS[2])
