"""What binds both parties is proposed by one and accepted by the other, whoever proposes (C12)."""

from datetime import (
    UTC,
    date,
    datetime,
    timedelta,
)

import pytest

from domain.bilateral import (
    DeclineProposal,
    ProposalDeclined,
    ProposalLapsed,
    ProposeBilateral,
    WithdrawProposal,
)
from domain.dispute import AcceptResolution, OpenDispute, ProposeResolution, WithdrawDispute
from domain.execution import (
    ActionAgreed,
    ActionCompleted,
    ActivityPaused,
    AgreeAction,
    AgreeCancellation,
    AgreeCommunicationPolicy,
    AgreeImprovementPlan,
    AgreeImprovementPlanOutcome,
    AgreeIssueResolution,
    AgreeMilestone,
    AgreePause,
    AgreeReview,
    CommitmentCancelled,
    CommunicationPolicyAgreed,
    CompleteAction,
    ImprovementPlanCompleted,
    MilestoneMissed,
    ProposeAction,
    ProposeCancellation,
    ProposeCommunicationPolicy,
    ProposeImprovementPlanOutcome,
    ProposeIssueResolution,
    ProposeMilestone,
    ProposePause,
    ProposeReview,
    RaiseIssue,
    ReviewMissed,
)
from domain.exit import (
    AgreeExit,
    AgreeExitWithdrawal,
    GiveExitNotice,
    ProposeExit,
    ProposeExitWithdrawal,
)
from domain.formation import AgreeCharter, ProposeCharter, ProposeDecisionRule
from domain.governance import AgreeGovernance, GovernanceEstablished, ProposeGovernance
from domain.health import AgreeRiskMitigated, IdentifyRisk, ProposeRiskMitigated
from domain.kernel import (
    Command,
    Stage,
)
from domain.markets import AgreeMetricOwner, MetricOwnerAssigned, ProposeMetricOwner
from domain.priors import ProposePrior
from domain.referral import AgreeAttribution, ProposeAttribution
from domain.scaling import AgreeJointInvestment, ProposeJointInvestment
from domain.settlement import ProposeRate
from projections.timeline import words
from tests.life import EXAMPLES, OURS, THEIRS, after, at, before, example
from tests.projections.folds import states
from tests.stories import Story


def about(story: Story, ref: str) -> dict[str, str]:
    """Return the state of each alert about one thing, by rule."""
    found = ([*name.split(" ", 1), state] for name, state in states(story).items())
    return {rule: state for rule, window, state in found if window.rpartition("/")[2] == ref}


RUNNING = [Stage.EXECUTION, Stage.SCALING, Stage.RENEWAL]

# --- governance and channels -------------------------------------------------------------------


@pytest.mark.parametrize("stage", RUNNING)
@pytest.mark.parametrize("author", [OURS, THEIRS])
def test_neither_party_rewrites_the_governance_alone(stage: Stage, author: str) -> None:
    story = at(stage)
    agreed = story.facts(GovernanceEstablished)
    other = THEIRS if author == OURS else OURS

    change = example(ProposeGovernance, proposal="governance-2", decision_rights="Sponsors decide.")
    story.when(author, change)
    assert story.facts(GovernanceEstablished) == agreed
    assert story.refuses(author, AgreeGovernance(proposal="governance-2")).rule == "own-proposal"
    story.when(other, AgreeGovernance(proposal="governance-2"))

    latest = story.partnership.context.agreements.latest(GovernanceEstablished)
    assert latest is not None
    assert (latest.agreed_version, latest.decision_rights) == (2, "Sponsors decide.")


def test_the_channels_are_agreed_and_agreed_again() -> None:
    story = after(AgreeCommunicationPolicy)

    story.when(
        THEIRS, ProposeCommunicationPolicy(proposal="channels-2", channels={"urgent": "pager"})
    )
    story.when(OURS, AgreeCommunicationPolicy(proposal="channels-2"))

    assert [each.agreed_version for each in story.facts(CommunicationPolicyAgreed)] == [1, 2]


def test_how_often_in_which_tone_and_who_leads_is_agreed_with_the_channels() -> None:
    """All that was agreed of it was the channel."""
    story = at(Stage.EXECUTION)
    policy = ProposeCommunicationPolicy(
        proposal="channels-9",
        channels={"report": "e-mail"},
        frequencies={"report": "every Monday"},
        tone="Friendly and brief",
        leads={OURS: "marketing", THEIRS: "partnership-manager"},
    )
    odd = policy.model_copy(update={"frequencies": {"urgent": "at once"}})
    assert story.refuses(OURS, odd).rule == "message-without-channel"
    stranger = policy.model_copy(update={"leads": {"stranger": "marketing"}})
    assert story.refuses(OURS, stranger).rule == "unknown-party"

    story.agree(OURS, policy)

    assert words(story.facts(CommunicationPolicyAgreed)[-1]) == (
        "and its partner agreed the channels for messages: report by e-mail (every Monday); "
        f"tone: Friendly and brief; led by the marketing contact of {OURS}; "
        f"led by the partnership manager contact of {THEIRS}"
    )


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


@pytest.mark.parametrize(
    ("accepts", "kind", "ref"),
    [
        (AgreeMilestone, "milestone", "creative-final"),
        (AgreeReview, "review", "operations-1"),
        (AgreeAction, "action", "A-1"),
    ],
)
def test_what_both_gave_up_never_falls_due(accepts: type[Command], kind: str, ref: str) -> None:
    story = after(accepts)
    story.when(OURS, example(ProposeCancellation, kind=kind, ref=ref))
    assert f"{kind}/{ref}" in story.partnership.deadlines
    story.when(THEIRS, example(AgreeCancellation))
    story.on("2026-03-01")

    assert f"{kind}/{ref}" not in story.partnership.deadlines
    assert about(story, ref) == {}


def test_an_action_that_was_done_is_to_be_done_again_once_both_agree_it_again() -> None:
    story = after(CompleteAction)
    again = example(
        ProposeAction, proposal="again", due=date(2026, 3, 1), reason="It was done badly."
    )

    story.agree(OURS, again)
    story.when(THEIRS, CompleteAction(action="A-1"))

    assert len(story.facts(ActionCompleted)) == 2
    assert "action/A-1" not in story.partnership.deadlines


# --- reviews, pauses, issues -------------------------------------------------------------------


def test_a_review_is_on_the_calendar_once_both_agree() -> None:
    story = before(ProposeReview)

    story.when(OURS, example(ProposeReview))
    assert "review/operations-1" not in story.partnership.deadlines
    assert story.refuses(OURS, example(AgreeReview)).rule == "own-proposal"
    story.when(THEIRS, example(AgreeReview))

    assert "review/operations-1" in story.partnership.deadlines


def test_a_review_that_both_moved_is_reminded_of_and_missed_on_its_new_day_alone() -> None:
    story = after(AgreeReview)
    story.on("2026-01-29")
    assert about(story, "operations-1") == {"due-soon": "open"}
    moved = {"proposal": "moved", "at": datetime(2026, 2, 10, 10, tzinfo=UTC)}

    assert story.refuses(OURS, example(ProposeReview, **moved)).rule == "change-needs-reason"
    story.agree(OURS, example(ProposeReview, **moved, reason="Two of us are ill."))

    assert about(story, "operations-1") == {"due-soon": "resolved"}
    story.on("2026-02-08T09:59")
    assert about(story, "operations-1") == {"due-soon": "resolved"}
    story.on("2026-02-08T10:00")
    assert about(story, "operations-1") == {"due-soon": "open"}
    story.on("2026-02-11")
    assert about(story, "operations-1") == {"due-soon": "resolved", "review-missed": "open"}
    assert [each.at.day for each in story.facts(ReviewMissed)] == [10]


def test_a_missed_review_that_both_moved_is_no_longer_missed() -> None:
    story = after(AgreeReview)
    story.on("2026-02-02")
    assert about(story, "operations-1")["review-missed"] == "open"

    moved = {"proposal": "moved", "at": datetime(2026, 2, 10, 10, tzinfo=UTC)}
    story.agree(THEIRS, example(ProposeReview, **moved, reason="Two of us were ill."))

    assert about(story, "operations-1")["review-missed"] == "resolved"


def test_a_pause_begins_and_ends_by_both() -> None:
    story = before(ProposePause)

    story.when(OURS, example(ProposePause))
    assert story.facts(ActivityPaused) == []
    story.when(THEIRS, example(AgreePause))
    story.agree(THEIRS, example(ProposeCancellation, proposal="resume", kind="pause", ref="Z-1"))

    assert [each.pause for each in story.facts(ActivityPaused)] == ["Z-1"]
    assert story.facts(CommitmentCancelled)[-1].ref == "Z-1"


def test_a_pause_needs_a_last_day_that_is_still_to_come() -> None:
    story = before(ProposePause)

    endless = story.refuses(OURS, example(ProposePause, last_day=None))
    over = story.refuses(OURS, example(ProposePause, last_day=date(2026, 2, 1)))

    assert (endless.rule, over.rule) == ("pause-without-end", "pause-is-over")


def test_a_pause_that_nobody_ends_is_alerted_after_its_last_day() -> None:
    story = after(AgreePause)
    story.on("2026-04-29T01:00")
    assert about(story, "Z-1") == {"due-soon": "open"}
    story.on("2026-05-01T01:00")
    assert about(story, "Z-1")["pause-over"] == "open"

    story.agree(THEIRS, example(ProposeCancellation, proposal="resume", kind="pause", ref="Z-1"))

    assert about(story, "Z-1")["pause-over"] == "resolved"


def test_a_pause_that_both_moved_is_over_on_its_new_day() -> None:
    story = after(AgreePause)
    story.agree(OURS, example(ProposePause, proposal="longer", last_day=date(2026, 5, 31)))

    story.on("2026-05-31T23:00")
    assert "pause-over" not in about(story, "Z-1")
    story.on("2026-06-01T01:00")

    assert about(story, "Z-1")["pause-over"] == "open"


def test_a_pause_ends_with_the_exit() -> None:
    story = after(AgreePause)
    story.agree(OURS, example(ProposePause, proposal="longer", last_day=date(2027, 5, 31)))
    story.when(OURS, example(GiveExitNotice))

    story.on("2027-12-31")

    assert "pause-over" not in about(story, "Z-1")


def test_an_issue_goes_to_the_sponsors_until_both_say_that_it_is_resolved() -> None:
    story = after(RaiseIssue)

    story.when(OURS, example(ProposeIssueResolution))
    story.wait(hours=48)
    assert about(story, "I-1") == {"issue-escalated": "open"}
    story.when(THEIRS, example(AgreeIssueResolution))

    assert about(story, "I-1") == {"issue-escalated": "resolved"}


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


def test_nothing_is_accepted_before_it_was_proposed() -> None:
    story = after(AgreeMilestone)
    story.wait(days=3)
    story.when(OURS, move("later", "2026-06-01"))

    early = f"{story.now - timedelta(days=2):%Y-%m-%d}"
    refusal = story.refuses(THEIRS, AgreeMilestone(proposal="later"), happened=early)

    assert refusal.rule == "accepted-before-proposed"
    assert story.when(THEIRS, AgreeMilestone(proposal="later"))


# --- proposals that lapse ----------------------------------------------------------------------


def move(proposal: str, due: str) -> Command:
    """Propose to move the life's milestone."""
    moved: Command = example(
        ProposeMilestone, proposal=proposal, due=due, reason="The plan changed."
    )
    return moved


def give_up(kind: str, ref: str) -> Command:
    given_up: Command = example(ProposeCancellation, proposal="give-up", kind=kind, ref=ref)
    return given_up


def lapses(story: Story, party: str, command: Command, *proposals: str) -> None:
    """Assert which proposals lapse by a command, and that nobody can accept them any more."""
    found = [each for each in story.when(party, command) if isinstance(each, ProposalLapsed)]
    assert sorted(each.proposal for each in found) == sorted(proposals)


def test_an_older_proposal_lapses_when_a_later_one_is_agreed() -> None:
    story = after(AgreeMilestone)
    milestone = example(ProposeMilestone).milestone
    story.when(OURS, move("older", "2026-05-01"))
    story.when(OURS, move("later", "2026-06-01"))
    story.when(OURS, example(ProposeMilestone, proposal="other", milestone="of-another"))

    lapses(story, THEIRS, AgreeMilestone(proposal="later"), "older")

    refusal = story.refuses(THEIRS, AgreeMilestone(proposal="older"))
    assert refusal.rule == "proposal-lapsed"
    assert "A later proposal, later, was agreed." in refusal.detail
    assert story.when(THEIRS, AgreeMilestone(proposal="other"))
    assert about(story, milestone).get("answer-overdue") is None


def test_a_later_proposal_stays_open_when_an_older_one_is_agreed() -> None:
    story = after(AgreeMilestone)
    story.when(OURS, move("older", "2026-05-01"))
    story.when(OURS, move("later", "2026-06-01"))

    lapses(story, THEIRS, AgreeMilestone(proposal="older"))

    assert story.when(THEIRS, AgreeMilestone(proposal="later"))


def test_what_is_given_up_is_moved_no_more() -> None:
    story = after(AgreeMilestone)
    story.when(OURS, give_up("milestone", example(ProposeMilestone).milestone))
    story.when(OURS, move("later", "2026-06-01"))

    lapses(story, THEIRS, AgreeCancellation(proposal="give-up"), "later")


def test_what_is_done_is_given_up_no_more() -> None:
    story = after(AgreeAction)
    action = example(ProposeAction)
    story.when(EXAMPLES[ProposeAction].party, give_up("action", action.action))

    lapses(story, action.owner, CompleteAction(action=action.action), "give-up")


def test_a_risk_that_is_mitigated_is_given_up_no_more() -> None:
    story = after(IdentifyRisk)
    risk = example(IdentifyRisk).risk
    story.when(OURS, example(ProposeCancellation, proposal="drop", kind="risk", ref=risk))

    story.when(THEIRS, example(ProposeRiskMitigated, risk=risk))

    lapses(story, OURS, example(AgreeRiskMitigated), "drop")


def test_what_no_stage_takes_any_more_lapses() -> None:
    story = after(AgreeMilestone)
    story.when(OURS, example(ProposeJointInvestment, proposal="later"))
    story.when(OURS, example(ProposeExit, exit="early", effective_on="2026-12-01"))

    lapses(story, THEIRS, AgreeExit(exit="early"), "later")
    assert story.refuses(THEIRS, AgreeJointInvestment(proposal="later")).rule == "wrong-stage"


def test_a_proposal_to_end_lapses_with_the_exit_that_is_withdrawn() -> None:
    story = after(AgreeExit)
    story.when(OURS, example(ProposeExit, exit="sooner", effective_on="2026-12-30"))
    story.when(OURS, example(ProposeExitWithdrawal, exit=example(ProposeExit).exit))

    lapses(story, THEIRS, example(AgreeExitWithdrawal), "sooner")


# --- proposals on deals and disputes -----------------------------------------------------------


@pytest.mark.parametrize(
    ("proposes", "accepts", "within", "proposal"),
    [
        (ProposeAttribution, AgreeAttribution, "deal/D-1", "credit-1"),
        (ProposeResolution, AcceptResolution, "dispute/Q-1", "end-1"),
    ],
)
def test_a_proposal_on_a_deal_or_a_dispute_can_be_declined_or_withdrawn(
    proposes: type[Command], accepts: type[Command], within: str, proposal: str
) -> None:
    author = EXAMPLES[proposes].party
    other = THEIRS if author == OURS else OURS
    decline = DeclineProposal(proposal=proposal, within=within, reason="No.")
    withdraw = WithdrawProposal(proposal=proposal, within=within, reason="No.")

    early = before(proposes).refuses(other, decline)
    assert early.rule == "no-such-proposal"
    assert early.awaits is not None

    story = after(proposes)
    assert story.refuses(author, decline).rule == "own-proposal"
    assert story.refuses(other, withdraw).rule == "not-your-proposal"
    assert len(story.when(other, decline)) == 1
    assert story.when(other, decline) == []
    assert story.refuses(other, example(accepts)).rule == "proposal-declined"

    story = after(proposes)
    story.when(author, withdraw)
    assert story.refuses(other, example(accepts)).rule == "proposal-withdrawn"


@pytest.mark.parametrize("kind", [ProposeRate, ProposeDecisionRule, ProposePrior])
def test_an_older_proposal_of_what_was_agreed_since_is_not_agreed(
    kind: type[ProposeBilateral],
) -> None:
    story = at(Stage.EXECUTION)
    story.when(OURS, example(kind, proposal="older"))
    story.agree(OURS, example(kind, proposal="newer"))

    refused = story.refuses(THEIRS, kind.agreement.accepts(proposal="older"))

    assert refused.rule == "proposal-lapsed"


def test_a_proposal_on_a_dispute_that_has_ended_is_declined_no_more() -> None:
    story = after(ProposeResolution)
    story.when(EXAMPLES[OpenDispute].party, example(WithdrawDispute, dispute="Q-1"))

    decline = DeclineProposal(proposal="end-1", within="dispute/Q-1", reason="No.")
    assert story.refuses(OURS, decline).rule == "proposal-lapsed"


def test_what_is_proposed_after_the_end_can_be_declined() -> None:
    story = at(Stage.ENDED)
    story.when(OURS, example(ProposeRate, proposal="late"))

    assert story.when(THEIRS, DeclineProposal(proposal="late", reason="It is another rate."))
