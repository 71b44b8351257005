"""What was stated last counts, in any order of arrival: of every kind that can be stated again."""

from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import timedelta
from decimal import Decimal
from functools import partial
from itertools import permutations
from typing import Any

import pytest
from pydantic import ValidationError

from domain.declarations import Changeable, Declaration
from domain.experiment import CorrectObservation
from domain.exploration import (
    AgreeBridgingPlan,
    ApproachCandidate,
    AssessAlignment,
    CommitIntegrationSpend,
    CompleteDecisionChecklist,
    DeclineCandidate,
    IdentifyCandidate,
    MeasureAudienceOverlap,
    ScoreCandidate,
)
from domain.governance import AssignContact, ContactAssigned, Function
from domain.health import IdentifyRisk, RecordContribution, RiskIdentified
from domain.kernel import Command, Refused, Stage
from domain.renewal import AcceptRenewal, HoldRenewalReview
from projections.contribution import contributions
from tests.life import EXAMPLES, OURS, THEIRS, after, at, changed, example, usd
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


# --- the law -----------------------------------------------------------------------------------

Statement = Callable[[int], Command]
"""Gives what is stated on the first, the second or the third day."""


def declared(kind: type[Declaration], day: int) -> Command:
    """Return the example of a declaration, with other content on each day."""
    command: Command = example(kind.asks)
    if issubclass(kind, Changeable):
        return changed(command, change_reason=f"Looked at again, {day}.")
    for name, value in command:
        with suppress(ValidationError):
            if name not in kind.identity and type(value) is str:
                return type(command)(**{**dict(command), name: f"{value} {day}"})
            if name not in kind.identity and isinstance(value, int | Decimal):
                other = day if isinstance(value, int) else Decimal(day) / 10
                return type(command)(**{**dict(command), name: other})
    msg = f"{kind.wire} has no field to change"
    raise AssertionError(msg)


def with_field(kind: type[Command], field: str, of_day: Callable[[int], object]) -> Statement:
    return lambda day: example(kind, **{field: of_day(day)})


def said(day: int) -> str:
    return f"As of day {day}."


def answered(day: int) -> Command:
    """Return a checklist with one no, each day another one."""
    questions = ("objectives_defined", "economics_fair", "exit_clause")
    return example(CompleteDecisionChecklist, **{questions[day - 1]: False})


STATEMENTS: dict[type[Command], Statement] = {
    kind.asks: partial(declared, kind)
    for kind in Declaration.__subclasses__()
    if kind.restated or issubclass(kind, Changeable)
} | {
    AgreeBridgingPlan: with_field(AgreeBridgingPlan, "plan", said),
    AssessAlignment: with_field(AssessAlignment, "strategic_fit", lambda day: day),
    CommitIntegrationSpend: with_field(CommitIntegrationSpend, "purpose", said),
    CompleteDecisionChecklist: answered,
    CorrectObservation: with_field(CorrectObservation, "reason", said),
    IdentifyCandidate: with_field(IdentifyCandidate, "change_reason", said),
    MeasureAudienceOverlap: with_field(MeasureAudienceOverlap, "shared_customers", lambda day: day),
    ScoreCandidate: with_field(ScoreCandidate, "market_reach", lambda day: day),
}
"""Everything that can be stated again with other content, and what is stated on each day."""


def in_order(kind: type[Command], order: Iterable[int]) -> tuple[Any, ...]:
    """Return what counts after three statements that arrive in an order."""
    story, step = after(kind), EXAMPLES[kind]
    begun = story.now
    story.wait(days=5)
    for day in order:
        happened = f"{begun + timedelta(days=day):%Y-%m-%dT%H:%M}"
        try:
            assert story.when(step.party, STATEMENTS[kind](day), happened=happened)
        except Refused as refusal:
            assert refusal.rule == "stated-since"  # noqa: PT017 - any other rule fails
    candidates = story.partnership.exploration.candidates.values()
    return (
        story.partnership.context.declarations.stated,
        [(each.identified, each.latest, each.bridged) for each in candidates],
        {name: each.done for name, each in story.partnership.execution.reviews.items()},
        {name: state for name, state in story.states.items() if "/experiment/" in name},
    )


@pytest.mark.parametrize("kind", STATEMENTS, ids=lambda kind: kind.__name__)
def test_what_was_stated_last_counts_in_any_order_of_arrival(kind: type[Command]) -> None:
    in_time = in_order(kind, (1, 2, 3))

    for order in ((3, 1, 2), (2, 3, 1), (1, 3, 2)):
        assert in_order(kind, order) == in_time


def declines(day: int) -> Command:
    return example(DeclineCandidate, candidate=THEIRS, reason=said(day))


def test_a_candidate_that_was_declined_last_is_declined_in_any_order() -> None:
    for order in permutations((1, 2)):
        story = after(MeasureAudienceOverlap)
        begun = story.now
        story.wait(days=5)
        commands = {1: example(ApproachCandidate), 2: declines(2)}
        story.when(OURS, declines(0), happened=f"{begun:%Y-%m-%dT%H:%M}")
        for day in order:
            happened = f"{begun + timedelta(days=day):%Y-%m-%dT%H:%M}"
            with suppress(Refused):
                story.when(OURS, commands[day], happened=happened)
        assert story.partnership.exploration.candidates[THEIRS].is_declined


def test_a_renewal_review_of_before_the_renewal_begins_no_other_one() -> None:
    story = after(AcceptRenewal)
    stage, day = story.partnership.stage, f"{story.now - timedelta(days=1):%Y-%m-%d}"

    refusal = story.refuses(OURS, example(HoldRenewalReview, review="late"), happened=day)

    assert refusal.rule == "stated-since"
    assert story.partnership.stage == stage
    assert story.when(OURS, example(HoldRenewalReview, review="next"))
