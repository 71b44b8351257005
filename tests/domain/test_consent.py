"""What binds both parties is proposed by one and accepted by the other, whoever proposes (C12)."""

from datetime import date

import pytest

from domain.bilateral import DeclineProposal, ProposalDeclined, WithdrawProposal
from domain.execution import (
    ActionAgreed,
    ActionCompleted,
    AgreeAction,
    AgreeCancellation,
    AgreeCommunicationPolicy,
    AgreeImprovementPlan,
    AgreeImprovementPlanOutcome,
    AgreeMilestone,
    CommunicationPolicyAgreed,
    CompleteAction,
    ImprovementPlanCompleted,
    MilestoneMissed,
    ProposeAction,
    ProposeCancellation,
    ProposeCommunicationPolicy,
    ProposeImprovementPlanOutcome,
    ProposeMilestone,
)
from domain.formation import AgreeCharter, ProposeCharter, ProposeDecisionRule
from domain.governance import AgreeGovernance, GovernanceEstablished, ProposeGovernance
from domain.kernel import Stage
from domain.markets import AgreeMetricOwner, MetricOwnerAssigned, ProposeMetricOwner
from tests.life import OURS, THEIRS, after, at, before, example

RUNNING = [Stage.EXECUTION, Stage.SCALING, Stage.RENEWAL]

# --- governance and channels -------------------------------------------------------------------


@pytest.mark.parametrize("stage", RUNNING)
@pytest.mark.parametrize("author", [OURS, THEIRS])
def test_neither_party_rewrites_the_governance_alone(stage: Stage, author: str) -> None:
    story = at(stage)
    agreed = story.facts(GovernanceEstablished)
    other = THEIRS if author == OURS else OURS

    change = example(ProposeGovernance, proposal="governance-2", operational_review="monthly")
    story.when(author, change)
    assert story.facts(GovernanceEstablished) == agreed
    assert story.refuses(author, AgreeGovernance(proposal="governance-2")).rule == "own-proposal"
    story.when(other, AgreeGovernance(proposal="governance-2"))

    latest = story.partnership.context.agreements.latest(GovernanceEstablished)
    assert latest is not None
    assert (latest.agreed_version, latest.operational_review) == (2, "monthly")


def test_the_channels_are_agreed_and_agreed_again() -> None:
    story = after(AgreeCommunicationPolicy)

    story.when(
        THEIRS, ProposeCommunicationPolicy(proposal="channels-2", channels={"urgent": "pager"})
    )
    story.when(OURS, AgreeCommunicationPolicy(proposal="channels-2"))

    assert [each.agreed_version for each in story.facts(CommunicationPolicyAgreed)] == [1, 2]


# --- actions -----------------------------------------------------------------------------------


def test_an_action_laid_on_the_other_party_binds_once_that_party_agrees() -> None:
    story = after(ProposeAction)
    assert story.facts(ActionAgreed) == []

    story.when(THEIRS, example(AgreeAction))

    assert [each.owner for each in story.facts(ActionAgreed)] == [THEIRS]


def test_a_party_lays_an_action_on_itself_alone() -> None:
    story = before(ProposeAction)
    mine = example(ProposeAction, proposal="mine", action="mine", owner=OURS)

    story.when(OURS, mine)

    assert [each.owner for each in story.facts(ActionAgreed)] == [OURS]
    assert story.when(OURS, mine) == []


def test_a_party_that_took_on_an_action_does_not_move_it_alone() -> None:
    story = before(ProposeAction)
    story.when(OURS, example(ProposeAction, proposal="mine", action="mine", owner=OURS))
    later = example(
        ProposeAction,
        proposal="later",
        action="mine",
        owner=OURS,
        due=date(2026, 3, 1),
        reason="The printer is late.",
    )

    story.when(OURS, later)
    assert [each.due for each in story.facts(ActionAgreed)] == [date(2026, 2, 10)]
    story.when(THEIRS, AgreeAction(proposal="later"))

    assert [each.due for each in story.facts(ActionAgreed)][1:] == [date(2026, 3, 1)]


def test_only_its_owner_says_that_an_action_is_done() -> None:
    story = after(AgreeAction)

    assert story.refuses(OURS, example(CompleteAction)).rule == "not-the-owner"
    assert story.when(THEIRS, example(CompleteAction)) == [ActionCompleted(action="A-1")]


# --- milestones --------------------------------------------------------------------------------


def test_a_milestone_can_be_planned_before_the_kickoff() -> None:
    story = at(Stage.FORMATION)

    story.when(OURS, example(ProposeMilestone))
    story.when(THEIRS, example(AgreeMilestone))

    assert "milestone/creative-final" in story.partnership.deadlines


def test_a_milestone_that_both_moved_is_not_missed_on_its_old_day() -> None:
    story = after(AgreeMilestone)
    moved = {"proposal": "moved", "due": date(2026, 2, 2)}

    refusal = story.refuses(OURS, example(ProposeMilestone, **moved))
    story.when(OURS, example(ProposeMilestone, **moved, reason="The printer is late."))
    story.when(THEIRS, AgreeMilestone(proposal="moved"))

    assert refusal.rule == "change-needs-reason"
    assert story.facts(MilestoneMissed) == []
    story.on("2026-02-02T23:59")
    assert story.facts(MilestoneMissed) == []
    story.on("2026-02-03T00:00")
    assert [each.due for each in story.facts(MilestoneMissed)] == [date(2026, 2, 2)]


def test_a_milestone_that_one_party_wants_moved_is_still_missed() -> None:
    story = after(AgreeMilestone)
    moved = {"proposal": "moved", "due": date(2026, 2, 2), "reason": "The printer is late."}
    story.when(OURS, example(ProposeMilestone, **moved))

    story.on("2026-01-20")

    assert [each.due for each in story.facts(MilestoneMissed)] == [date(2026, 1, 19)]


@pytest.mark.parametrize("kind", ["milestone", "action"])
def test_what_both_gave_up_never_falls_due(kind: str) -> None:
    story, ref = after(AgreeMilestone), "creative-final"
    if kind == "action":
        story, ref = after(AgreeAction), "A-1"
    give_up = example(ProposeCancellation, kind=kind, ref=ref)

    story.when(OURS, give_up)
    assert f"{kind}/{ref}" in story.partnership.deadlines
    story.when(THEIRS, example(AgreeCancellation))

    assert f"{kind}/{ref}" not in story.partnership.deadlines


def test_only_what_was_agreed_can_be_given_up() -> None:
    story = after(AgreeMilestone)

    for kind in ("milestone", "action"):
        unknown = example(ProposeCancellation, kind=kind, ref="unknown")
        assert story.refuses(OURS, unknown).rule == "nothing-planned"


# --- improvement plans and owners --------------------------------------------------------------


def test_an_improvement_plan_is_closed_by_both() -> None:
    story = after(AgreeImprovementPlan)

    story.when(OURS, example(ProposeImprovementPlanOutcome))
    assert story.facts(ImprovementPlanCompleted) == []
    assert "improvement/plan-1" in story.partnership.deadlines
    story.when(THEIRS, example(AgreeImprovementPlanOutcome))

    assert [each.met for each in story.facts(ImprovementPlanCompleted)] == [True]
    assert "improvement/plan-1" not in story.partnership.deadlines


def test_a_plan_that_was_never_agreed_is_not_closed() -> None:
    story = before(ProposeImprovementPlanOutcome)

    unknown = example(ProposeImprovementPlanOutcome, plan="unknown")

    assert story.refuses(OURS, unknown).rule == "nothing-planned"


def test_the_owner_of_a_metric_is_agreed_once_there_is_a_partner() -> None:
    story = after(ProposeMetricOwner)
    assert len(story.facts(MetricOwnerAssigned)) == 1

    story = at(Stage.EXECUTION)
    before_it = len(story.facts(MetricOwnerAssigned))
    story.when(OURS, example(ProposeMetricOwner, proposal="owner-9", owner="Inés"))
    assert len(story.facts(MetricOwnerAssigned)) == before_it
    story.when(THEIRS, AgreeMetricOwner(proposal="owner-9"))

    assert story.facts(MetricOwnerAssigned)[-1].owner == "Inés"


# --- without agreement -------------------------------------------------------------------------


def test_a_declined_proposal_says_why_and_cannot_be_accepted() -> None:
    story = after(ProposeCharter)
    no = DeclineProposal(proposal="charter-1", reason="Too early.")

    assert story.refuses(OURS, no).rule == "own-proposal"
    assert story.when(THEIRS, no) == [
        ProposalDeclined(proposal="charter-1", agreement="Charter", reason="Too early.")
    ]
    assert story.when(THEIRS, no) == []
    assert story.refuses(THEIRS, example(AgreeCharter)).rule == "proposal-declined"


def test_only_its_author_withdraws_a_proposal_and_only_while_it_is_open() -> None:
    story = after(ProposeCharter)
    back = WithdrawProposal(proposal="charter-1", reason="A figure is wrong.")

    assert story.refuses(THEIRS, back).rule == "not-your-proposal"
    assert story.when(OURS, back)
    assert story.when(OURS, back) == []
    assert story.refuses(THEIRS, example(AgreeCharter)).rule == "proposal-withdrawn"


def test_what_was_agreed_is_neither_declined_nor_withdrawn() -> None:
    story = after(AgreeCharter)

    for party, command in ((OURS, WithdrawProposal), (THEIRS, DeclineProposal)):
        answer = command(proposal="charter-1", reason="Too late.")
        assert story.refuses(party, answer).rule == "proposal-answered"


def test_an_answer_says_which_of_two_proposals_of_one_name_it_means() -> None:
    story = after(ProposeCharter)
    story.when(OURS, example(ProposeDecisionRule, proposal="charter-1"))

    unclear = DeclineProposal(proposal="charter-1", reason="Too early.")
    refusal = story.refuses(THEIRS, unclear)

    assert refusal.rule == "which-proposal"
    assert story.when(THEIRS, unclear.model_copy(update={"agreement": "DecisionRule"}))
    assert story.when(THEIRS, example(AgreeCharter))
