"""What was agreed last counts, in any order of arrival: of every kind that can be agreed again."""

from datetime import timedelta
from itertools import permutations
from typing import Any

import pytest

from domain.bilateral import BilateralAgreement
from domain.execution import (
    AgreeCancellation,
    MilestonePlanned,
    ProposeCancellation,
    ProposeMilestone,
    given_up,
)
from domain.kernel import Command, Refused
from tests.life import EXAMPLES, OURS, THEIRS, after, changed, example
from tests.stories import Story

REPLACED = sorted(
    (
        each
        for each in BilateralAgreement.__subclasses__()
        if each.replaces and each.name not in {"Reduction", "ReviewHeld"}
    ),
    key=lambda each: each.name,
)
"""The kinds of which an agreement takes the place of an earlier one.

A reduction and the minutes of a review are proposed again under no other name.
"""


def agreed(kind: type[BilateralAgreement], order: tuple[int, ...]) -> tuple[list[Any], list[str]]:
    """Return what is in force, and what was refused, after agreements that arrive in an order.

    Each is proposed and accepted on a day of its own; all of them arrive on the last day.
    """
    story, refused = planned(kind), []
    for day in order:
        try:
            agree(story, kind, day, on(story, day))
        except Refused as refusal:
            refused.append(refusal.rule)
    return [each.proposal_ref for each in story.partnership.context.agreements.of(kind)], refused


def agree(story: Story, kind: type[BilateralAgreement], day: int, happened: str) -> None:
    proposes: Command = EXAMPLES[kind.proposes].command
    author = EXAMPLES[kind.proposes].party
    other = THEIRS if author == OURS else OURS
    reason = {"reason": f"As of day {day}"} if "reason" in type(proposes).model_fields else {}
    name = {kind.called: f"n{day}"}
    events = story.when(author, changed(proposes, **name, **reason), happened=happened)
    if not any(isinstance(each, kind) for each in events):
        story.when(other, kind.accepts(**name), happened=happened)


@pytest.mark.parametrize("kind", REPLACED, ids=lambda kind: kind.name)
def test_what_was_agreed_last_counts_in_any_order_of_arrival(
    kind: type[BilateralAgreement],
) -> None:
    in_force, refused = agreed(kind, (1, 2, 3))

    assert "n3" in in_force
    assert refused == []
    for order in permutations((1, 2, 3)):
        late = sum(day < max(order[:place], default=0) for place, day in enumerate(order))
        assert agreed(kind, order) == (in_force, ["agreed-since"] * late)


def test_a_milestone_that_was_moved_keeps_its_day_when_the_first_plan_arrives_late() -> None:
    story = after(MilestonePlanned.accepts)
    day = story.now
    story.wait(days=3)
    plan = example(ProposeMilestone)
    moved = changed(plan, proposal="moved", due=plan.due + timedelta(days=30), reason="Later")
    first = changed(plan, proposal="first", reason="Before it")
    story.when(OURS, moved, happened=f"{day + timedelta(days=2):%Y-%m-%d}")
    story.when(THEIRS, MilestonePlanned.accepts(proposal="moved"))
    at = f"{day + timedelta(days=1):%Y-%m-%d}"
    story.when(OURS, first, happened=at)

    refusal = story.refuses(THEIRS, MilestonePlanned.accepts(proposal="first"), happened=at)

    assert refusal.rule == "agreed-since"
    assert refusal.detail.startswith("Nothing replaces what was agreed after it.")
    (planned,) = (
        each
        for each in story.partnership.context.agreements.of(MilestonePlanned)
        if each.milestone == plan.milestone
    )
    assert planned.due == moved.due


GIVEN_UP = [
    (name, kind)
    for name, kind in given_up().items()
    if issubclass(kind, BilateralAgreement) and kind.replaces and name != "reduction"
]


@pytest.mark.parametrize(("name", "kind"), GIVEN_UP, ids=str)
def test_what_was_given_up_last_stays_given_up_and_what_was_agreed_again_stays(
    name: str, kind: type[BilateralAgreement]
) -> None:
    begun, before = planned(kind), planned(kind)
    ref = str(getattr(EXAMPLES[kind.proposes].command, *kind.identity))

    def cancel(story: Story, day: int) -> None:
        happened = on(story, day)
        proposed = ProposeCancellation(proposal=f"c{day}", kind=name, ref=ref, reason="No need")
        story.when(OURS, proposed, happened=happened)
        story.when(THEIRS, AgreeCancellation(proposal=f"c{day}"), happened=happened)

    cancel(begun, 3)
    with pytest.raises(Refused) as late_plan:
        agree(begun, kind, 2, on(begun, 2))
    agree(before, kind, 3, on(before, 3))
    with pytest.raises(Refused) as late_cancellation:
        cancel(before, 2)

    assert (late_plan.value.rule, late_cancellation.value.rule) == ("agreed-since", "agreed-since")
    assert f"{name}/{ref}" in begun.partnership.context.given_up
    assert f"{name}/{ref}" not in before.partnership.context.given_up


def planned(kind: type[BilateralAgreement]) -> Story:
    story = after(kind.accepts) if kind.accepts in EXAMPLES else after(kind.proposes)
    story.wait(days=5)
    return story


def on(story: Story, day: int) -> str:
    """Return a day of the five that a story waited."""
    return f"{story.now - timedelta(days=5 - day):%Y-%m-%dT%H:%M}"
