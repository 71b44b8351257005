"""The onboarding plan: its steps have an owner and a day, and both can move them (C16)."""

from datetime import date

import pytest

from domain.execution import (
    AgreeOnboardingStep,
    CompleteOnboardingStep,
    ProposeCancellation,
    ProposeOnboardingStep,
)
from domain.formation import AttachEvidence, EvidenceAttached
from domain.kernel import Stage
from infra.answers import inbox
from projections.timeline import words
from tests.life import OURS, THEIRS, at
from tests.projections.folds import alerts, states
from tests.stories import Story

TRAIN = ProposeOnboardingStep(
    proposal="step-9",
    step="train-sales",
    owner=THEIRS,
    text="Their salespeople know the offer",
    due=date(2026, 2, 4),
)
DONE = CompleteOnboardingStep(step="train-sales", plan_day=30)
OVERDUE = "onboarding-overdue train-sales"


def planned() -> Story:
    story = at(Stage.EXECUTION)
    story.agree(OURS, TRAIN)
    return story


def moved(story: Story, day: date, reason: str | None = "The trainer is ill.") -> None:
    story.agree(OURS, TRAIN.model_copy(update={"proposal": "later", "due": day, "reason": reason}))


def test_a_step_is_agreed_by_both() -> None:
    story = at(Stage.EXECUTION)
    story.when(OURS, TRAIN)

    assert story.refuses(OURS, AgreeOnboardingStep(proposal="step-9")).rule == "own-proposal"
    assert "onboarding/train-sales" not in story.partnership.deadlines
    story.when(THEIRS, AgreeOnboardingStep(proposal="step-9"))
    assert story.partnership.deadlines["onboarding/train-sales"].party == THEIRS


def test_its_owner_is_reminded_then_it_is_overdue_until_it_is_completed() -> None:
    story = planned()
    story.on("2026-02-03T01:00")
    assert states(story)["due-soon onboarding/train-sales"] == "open"
    story.on("2026-02-05T00:00")
    alert = alerts(story)[OVERDUE]
    assert (alert.state, [each.party for each in alert.who_acts]) == ("open", [THEIRS])

    story.when(THEIRS, DONE)

    assert states(story)[OVERDUE] == "resolved"


def test_only_its_owner_completes_a_step_that_was_agreed() -> None:
    assert planned().refuses(OURS, DONE).rule == "not-the-owner"


def test_a_step_that_both_moved_is_due_on_its_new_day() -> None:
    story = planned()
    assert story.refuses(OURS, TRAIN.model_copy(update={"proposal": "x"})).rule == (
        "change-needs-reason"
    )
    moved(story, date(2026, 3, 4))

    story.on("2026-03-04T23:00")
    assert OVERDUE not in states(story)
    story.on("2026-03-05T00:00")
    assert states(story)[OVERDUE] == "open"


def test_a_step_that_was_completed_and_is_agreed_again_is_to_be_completed_again() -> None:
    story = planned()
    story.when(THEIRS, DONE)
    moved(story, date(2026, 3, 4), "Two people are new.")

    story.on("2026-03-05")
    assert states(story)[OVERDUE] == "open"
    assert story.when(THEIRS, DONE) != []
    assert states(story)[OVERDUE] == "resolved"


def test_a_step_that_both_gave_up_is_not_due() -> None:
    story = planned()
    story.agree(
        OURS, ProposeCancellation(proposal="no", kind="step", ref="train-sales", reason="No sales.")
    )

    story.on("2026-03-05")

    assert OVERDUE not in states(story)


def test_a_step_awaits_its_owner_in_the_inbox() -> None:
    story = planned()

    (item,) = (
        each
        for rows in inbox.of_events(story.id, story.history)
        for each in inbox.items(rows)
        if each.ref == "train-sales"
    )

    assert (item.party, item.day, item.text) == (
        THEIRS,
        date(2026, 2, 4),
        "Complete onboarding step train-sales.",
    )


def test_a_step_that_its_owner_completed_is_not_planned_after_that() -> None:
    """It was overdue for good: its completion was recorded already, and changed nothing."""
    story = at(Stage.EXECUTION)
    story.when(THEIRS, DONE)

    refusal = story.refuses(OURS, TRAIN)

    assert refusal.rule == "step-completed"
    assert refusal.detail == (
        f"A step is planned before it is completed. {THEIRS} completed step train-sales."
    )
    mine = TRAIN.model_copy(update={"owner": OURS})
    assert story.when(OURS, mine)  # What the other party completed is not done by this one.


@pytest.mark.parametrize("kind", ["sop", "brand-guidelines", "specification", "script"])
def test_a_document_that_both_work_by_is_on_the_register_with_its_kind(kind: str) -> None:
    story = at(Stage.EXECUTION)
    document = AttachEvidence(evidence="D-9", kind=kind, title="How we demo", reference="doc-9")
    story.when(THEIRS, document)

    (attached,) = (each for each in story.facts(EvidenceAttached) if each.evidence == "D-9")
    assert words(attached) == f"attached evidence D-9 ({kind}): How we demo (doc-9)"
