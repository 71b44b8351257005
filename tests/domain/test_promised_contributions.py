"""What a party contributes is promised with its period, and compared with what it gave (C9)."""

from datetime import date
from decimal import Decimal

from domain.execution import ProposeCancellation
from domain.health import (
    AgreeContribution,
    ContributionKind,
    ProposeContribution,
    RecordContribution,
)
from domain.kernel import Stage
from infra.answers import inbox
from tests.life import OURS, THEIRS, at, example
from tests.projections.folds import alerts, states
from tests.stories import Story

PROMISE = ProposeContribution(
    proposal="give-9",
    contribution="experts",
    owner=THEIRS,
    period="2026-02",
    kind=ContributionKind.TIME,
    what="Two experts for our clients",
    hours=Decimal(20),
)
GIVEN = RecordContribution(
    contribution="experts",
    period="2026-02",
    kind=ContributionKind.TIME,
    what="One expert for our clients",
    hours=Decimal(12),
)
OVERDUE = "contribution-overdue experts"


def promised() -> Story:
    story = at(Stage.EXECUTION)
    story.agree(OURS, PROMISE)
    return story


def test_a_contribution_is_promised_by_both() -> None:
    story = at(Stage.EXECUTION)
    story.when(OURS, PROMISE)

    assert story.refuses(OURS, AgreeContribution(proposal="give-9")).rule == "own-proposal"
    assert "contribution/experts" not in story.partnership.deadlines
    story.when(THEIRS, AgreeContribution(proposal="give-9"))
    assert story.partnership.deadlines["contribution/experts"].party == THEIRS


def test_it_is_due_at_the_end_of_its_period_and_overdue_until_it_is_given() -> None:
    story = promised()
    story.on("2026-02-27T01:00")
    assert states(story)["due-soon contribution/experts"] == "open"
    assert OVERDUE not in states(story)
    story.on("2026-03-01T00:00")
    alert = alerts(story)[OVERDUE]
    assert (alert.state, [each.party for each in alert.who_acts]) == ("open", [THEIRS])

    story.when(THEIRS, GIVEN)

    assert states(story)[OVERDUE] == "resolved"


def test_only_its_owner_gives_what_was_promised() -> None:
    story = promised()
    story.on("2026-02-10")
    assert story.refuses(OURS, GIVEN).rule == "not-the-owner"


def test_both_move_it_with_the_reason() -> None:
    story = promised()
    later = PROMISE.model_copy(update={"proposal": "later", "period": "2026-03"})
    assert story.refuses(OURS, later).rule == "change-needs-reason"
    story.agree(OURS, later.model_copy(update={"reason": "The experts are ill."}))

    story.on("2026-03-31T23:00")
    assert OVERDUE not in states(story)
    story.on("2026-04-01T00:00")
    assert states(story)[OVERDUE] == "open"


def test_what_both_gave_up_is_not_due() -> None:
    story = promised()
    story.agree(
        OURS,
        ProposeCancellation(proposal="no", kind="contribution", ref="experts", reason="No need."),
    )
    story.on("2026-03-05")
    assert OVERDUE not in states(story)


def test_what_is_on_record_is_not_promised_any_more() -> None:
    story = at(Stage.EXECUTION)
    story.on("2026-02-10")
    story.when(THEIRS, GIVEN)
    assert story.refuses(OURS, PROMISE).rule == "contribution-recorded"


def test_it_awaits_its_owner_in_the_inbox() -> None:
    story = promised()
    (item,) = (
        each
        for rows in inbox.of_events(story.id, story.history)
        for each in inbox.items(rows)
        if each.ref == "experts"
    )
    assert (item.party, item.day, item.text) == (
        THEIRS,
        date(2026, 2, 28),
        "Give contribution experts, and record it.",
    )


def test_nothing_is_given_in_a_period_that_has_not_begun() -> None:
    story = at(Stage.EXECUTION)
    early = example(RecordContribution).model_copy(update={"period": "2027-03"})
    assert story.refuses(THEIRS, early).rule == "period-not-begun"
