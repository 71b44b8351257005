"""What both agree before the kickoff falls due before it, so it is done before it (C16, C17)."""

from datetime import date

import pytest

from domain.bilateral import BilateralAgreement
from domain.deadlines import tasks
from domain.deadlines.rule import EXIT_TAKES_EFFECT, DeadlineRule
from domain.declarations import Declaration
from domain.execution import (
    AgreeMilestoneReached,
    CommitmentCancelled,
    CompleteAction,
    CompleteOnboardingStep,
    ProposeAction,
    ProposeMilestone,
    ProposeMilestoneReached,
    ProposeOnboardingStep,
    ReachMilestone,
)
from domain.health import IdentifyRisk, ProposeRiskMitigated
from domain.kernel import Event, Stage
from tests.life import OURS, THEIRS, at, example
from tests.projections.folds import states

DUE = date(2025, 11, 20)

AGREED = {
    "milestone-missed contract": (
        ProposeMilestone(
            proposal="p", milestone="contract", workstream="legal", title="Text", owner=THEIRS,
            due=DUE,
        ),
        ReachMilestone(milestone="contract"),
    ),
    "action-overdue price-list": (
        ProposeAction(proposal="p", action="price-list", owner=THEIRS, text="Send it.", due=DUE),
        CompleteAction(action="price-list"),
    ),
    "onboarding-overdue access": (
        ProposeOnboardingStep(
            proposal="p", step="access", owner=THEIRS, text="Open the sandbox.", due=DUE
        ),
        CompleteOnboardingStep(step="access", plan_day=30),
    ),
}  # fmt: skip
"""What both agree in the formation, and how its owner says that it is done, by its alert."""


@pytest.mark.parametrize("alert", AGREED)
def test_what_is_agreed_before_the_kickoff_is_done_before_it(alert: str) -> None:
    agreed, done = AGREED[alert]
    story = at(Stage.FORMATION)
    story.agree(OURS, agreed)
    story.on("2025-11-21T00:00")
    assert states(story)[alert] == "open"

    story.when(THEIRS, done)

    assert story.partnership.stage is Stage.FORMATION
    assert states(story)[alert] == "resolved"


def test_a_milestone_of_both_is_reached_before_the_kickoff() -> None:
    planned, _ = AGREED["milestone-missed contract"]
    story = at(Stage.FORMATION)
    story.agree(OURS, planned.model_copy(update={"owner": None}))

    story.when(OURS, ProposeMilestoneReached(proposal="done", milestone="contract"))
    story.when(THEIRS, AgreeMilestoneReached(proposal="done"))

    assert "milestone/contract" not in story.partnership.deadlines


def test_a_risk_is_mitigated_before_the_kickoff() -> None:
    story = at(Stage.FORMATION)
    story.when(OURS, example(IdentifyRisk))

    assert story.agree(THEIRS, example(ProposeRiskMitigated))


@pytest.mark.parametrize("rule", tasks.RULES, ids=lambda each: each.kind)
def test_what_falls_due_can_be_done_in_every_stage_in_which_it_is_agreed(
    rule: DeadlineRule,
) -> None:
    agreed = {stage for each in rule.opened_by for stage in _stages(each.event)}
    opens = {each.event for each in rule.opened_by}
    ends = {each.event for each in rule.closed_by} - opens - {EXIT_TAKES_EFFECT.event}
    # A pause is never done: it is over for good once both give it up.
    done = {stage for each in ends - {CommitmentCancelled} or ends for stage in _stages(each)}

    assert rule.alert is None or agreed <= done


def _stages(event: type[Event]) -> frozenset[Stage]:
    """Return the stages in which a party can cause an event; none if no mechanism made it."""
    if issubclass(event, BilateralAgreement):
        return frozenset(event.accepts.stages)
    return frozenset(event.asks.stages) if issubclass(event, Declaration) else frozenset()
