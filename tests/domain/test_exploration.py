"""Exploration: candidates, and the requirements of the gate to formation (C1, C2, C4, C6)."""

import pytest

from domain.bilateral import DeclineProposal, WithdrawProposal
from domain.execution import HoldKickoff
from domain.exploration import (
    QUESTIONS,
    AgreeBridgingPlan,
    AlignmentAssessed,
    ApproachCandidate,
    AssessAlignment,
    AudienceOverlapMeasured,
    BeginExploration,
    BridgingPlanAgreed,
    CandidateApproached,
    CandidateDeclined,
    CandidateIdentified,
    CandidateScored,
    ChoosePartner,
    CloseExploration,
    CommitIntegrationSpend,
    CompleteDecisionChecklist,
    DeclineCandidate,
    DefineIdealPartnerProfile,
    Dimension,
    ExplorationBegun,
    ExplorationClosed,
    IdealPartnerProfileDefined,
    IdentifyCandidate,
    IntegrationSpendCommitted,
    MeasureAudienceOverlap,
    PartnerChosen,
    ScoreCandidate,
)
from domain.gates import WAIVABLE, AgreeWaiver, ProposeWaiver, WaiverGranted, WaiverProposed
from domain.kernel import CLOCK_PARTY, Stage
from domain.referral import SubmitReferral
from tests.life import OURS, THEIRS, after, at, before, example
from tests.stories import Story

ALL_THREES = example(
    AssessAlignment,
    strategic_fit=3,
    operational_capacity=3,
    cultural_compatibility=3,
    shared_vision=3,
)


def test_who_begins_is_the_initiator() -> None:
    story = at(None)

    begun = story.when(OURS, example(BeginExploration))

    assert begun == [ExplorationBegun.of(example(BeginExploration))]
    assert story.partnership.parties == (OURS,)
    assert story.partnership.stage is Stage.EXPLORATION


def test_a_partnership_is_begun_once() -> None:
    story = after(BeginExploration)

    assert story.when(OURS, example(BeginExploration)) == []
    assert story.refuses(THEIRS, example(BeginExploration)).rule == "partnership-exists"


def test_a_partnership_cannot_begin_again_with_another_purpose() -> None:
    story = after(BeginExploration)

    refusal = story.refuses(OURS, example(BeginExploration, purpose="Something else"))

    assert refusal.rule == "partnership-exists"


def test_a_party_cannot_have_the_name_of_the_clock() -> None:
    listed = example(IdentifyCandidate, candidate=CLOCK_PARTY)

    assert at(None).refuses(CLOCK_PARTY, example(BeginExploration)).rule == "reserved-party"
    assert at(Stage.EXPLORATION).refuses(OURS, listed).rule == "reserved-party"


def test_another_profile_is_the_next_version_and_the_same_one_is_none() -> None:
    story = after(DefineIdealPartnerProfile)

    assert story.when(OURS, example(DefineIdealPartnerProfile)) == []
    larger = story.when(OURS, example(DefineIdealPartnerProfile, staff_to=500))

    assert [each.profile_version for each in story.facts(IdealPartnerProfileDefined)] == [1, 2]
    assert larger == story.facts(IdealPartnerProfileDefined)[1:]


def test_a_staff_range_runs_upwards() -> None:
    upside_down = example(DefineIdealPartnerProfile, staff_from=200, staff_to=50)

    assert at(Stage.EXPLORATION).refuses(OURS, upside_down).rule == "staff-range"


def test_a_candidate_is_put_on_the_list_once() -> None:
    story = after(IdentifyCandidate)

    assert story.when(OURS, example(IdentifyCandidate)) == []
    assert story.refuses(OURS, example(IdentifyCandidate, staff=90)).rule == "candidate-exists"
    assert len(story.facts(CandidateIdentified)) == 1


def test_a_score_names_the_version_of_the_profile_it_was_given_under() -> None:
    story = before(ScoreCandidate)

    refusal = story.refuses(OURS, example(ScoreCandidate, profile_version=2))
    story.when(OURS, example(ScoreCandidate))

    assert refusal.rule == "no-such-profile"
    assert [each.profile_version for each in story.facts(CandidateScored)] == [1]


@pytest.mark.parametrize(
    "command",
    [
        ScoreCandidate,
        MeasureAudienceOverlap,
        ApproachCandidate,
        DeclineCandidate,
        CommitIntegrationSpend,
        AssessAlignment,
        AgreeBridgingPlan,
        CompleteDecisionChecklist,
        ChoosePartner,
    ],
)
def test_only_a_candidate_on_the_list_is_spoken_of(command: type[ChoosePartner]) -> None:
    story = after(DefineIdealPartnerProfile)

    assert story.refuses(OURS, example(command, candidate="nobody")).rule == "no-such-candidate"


def test_the_shared_customers_are_within_the_own_list() -> None:
    story = before(MeasureAudienceOverlap)

    too_many = example(MeasureAudienceOverlap, own_customers=40, shared_customers=41)
    story.when(OURS, example(MeasureAudienceOverlap, own_customers=40, shared_customers=40))

    assert story.refuses(OURS, too_many).rule == "overlap-exceeds-list"


def test_nothing_is_spent_on_integration_before_the_overlap_is_known() -> None:
    story = before(CommitIntegrationSpend, without=MeasureAudienceOverlap)

    refusal = story.refuses(OURS, example(CommitIntegrationSpend))
    story.when(OURS, example(MeasureAudienceOverlap))
    story.when(OURS, example(CommitIntegrationSpend))

    assert refusal.rule == "overlap-known"
    assert len(story.facts(IntegrationSpendCommitted)) == 1


@pytest.mark.parametrize(
    ("command", "fact"),
    [
        (ScoreCandidate, CandidateScored),
        (MeasureAudienceOverlap, AudienceOverlapMeasured),
        (ApproachCandidate, CandidateApproached),
        (CommitIntegrationSpend, IntegrationSpendCommitted),
        (AssessAlignment, AlignmentAssessed),
        (AgreeBridgingPlan, BridgingPlanAgreed),
    ],
)
def test_the_same_event_about_a_candidate_is_recorded_once(
    command: type[ScoreCandidate], fact: type[CandidateScored]
) -> None:
    story = after(command)

    assert story.when(OURS, example(command)) == []
    assert len(story.facts(fact)) == 1


def test_a_candidate_is_declined_with_a_reason_that_can_be_restated() -> None:
    story = before(ChoosePartner)
    decline = example(DeclineCandidate)

    assert story.when(OURS, decline) == [CandidateDeclined.of(decline)]
    assert story.when(OURS, decline) == []
    assert story.when(OURS, example(DeclineCandidate, reason="It was sold to a rival."))


def test_a_declined_candidate_is_chosen_only_after_it_is_approached_again() -> None:
    story = before(ChoosePartner)
    story.when(OURS, example(DeclineCandidate))

    refusal = story.refuses(OURS, example(ChoosePartner))
    story.when(OURS, example(ApproachCandidate))

    assert refusal.rule == "candidate-not-declined"
    assert refusal.facts["waivable"] == []
    assert story.when(OURS, example(ChoosePartner))


def test_those_not_chosen_can_be_declined_afterwards_and_the_chosen_one_cannot() -> None:
    story = before(ChoosePartner)
    story.when(OURS, example(IdentifyCandidate, candidate="rival", name="Rival"))
    story.when(OURS, example(ChoosePartner))

    assert story.when(OURS, example(DeclineCandidate, candidate="rival"))
    assert story.refuses(OURS, example(DeclineCandidate)).rule == "candidate-is-chosen"


def test_a_candidate_can_be_found_anywhere() -> None:
    story = at(Stage.EXPLORATION)

    assert story.when(OURS, example(IdentifyCandidate, found_through="social-listening"))


def test_three_passes_on_every_dimension() -> None:
    story = before(ChoosePartner, without=(AssessAlignment, AgreeBridgingPlan))

    story.when(OURS, ALL_THREES)

    assert story.when(OURS, example(ChoosePartner)) == [
        PartnerChosen(candidate=THEIRS, name="Brightpath")
    ]


@pytest.mark.parametrize("dimension", Dimension)
@pytest.mark.parametrize("rating", [1, 2])
def test_below_three_on_any_dimension_needs_a_bridging_plan(
    dimension: Dimension, rating: int
) -> None:
    story = before(ChoosePartner, without=(AssessAlignment, AgreeBridgingPlan))
    story.when(OURS, example(AssessAlignment, **{**dict(ALL_THREES), dimension: rating}))

    refusal = story.refuses(OURS, example(ChoosePartner))
    story.when(OURS, example(AgreeBridgingPlan, dimension=dimension))

    assert refusal.rule == f"alignment:{dimension}"
    assert refusal.facts["unmet"] == [f"alignment:{dimension}"]
    assert story.when(OURS, example(ChoosePartner))
    assert story.partnership.stage is Stage.FORMATION


def test_a_plan_bridges_its_own_dimension_only() -> None:
    story = before(ChoosePartner, without=AgreeBridgingPlan)

    story.when(OURS, example(AgreeBridgingPlan, dimension=Dimension.SHARED_VISION))
    refusal = story.refuses(OURS, example(ChoosePartner))

    assert refusal.rule == "alignment:cultural_compatibility"


@pytest.mark.parametrize("question", QUESTIONS)
def test_any_no_of_the_eight_questions_blocks(question: str) -> None:
    story = before(ChoosePartner)

    story.when(OURS, example(CompleteDecisionChecklist, **{question: False}))
    refusal = story.refuses(OURS, example(ChoosePartner))

    assert refusal.rule == f"checklist:{question}"
    assert refusal.facts["unmet"] == refusal.facts["waivable"] == [f"checklist:{question}"]


def test_the_checklist_has_eight_questions_and_unanswered_they_all_block() -> None:
    story = before(ChoosePartner, without=CompleteDecisionChecklist)

    refusal = story.refuses(OURS, example(ChoosePartner))

    assert len(QUESTIONS) == 8
    assert refusal.facts["unmet"] == [f"checklist:{question}" for question in QUESTIONS]


def test_a_waiver_passes_a_no_and_shows_who_and_why_and_which_rule() -> None:
    story = before(ChoosePartner)
    story.when(OURS, example(CompleteDecisionChecklist, exit_clause=False))
    rule, reason = "checklist:exit_clause", "The lawyers write it this week."

    story.when(OURS, ProposeWaiver(proposal="waiver-9", rule=rule, reason=reason))
    [chosen] = story.when(OURS, example(ChoosePartner))

    assert isinstance(chosen, PartnerChosen)
    assert chosen.waived == [rule]
    granted = WaiverGranted(proposal="waiver-9", rule=rule, reason=reason)
    assert story.facts(WaiverGranted) == [granted]


def test_the_partner_learns_of_no_waiver_of_the_search_and_may_use_its_identifier() -> None:
    def chosen(*, waived: bool) -> Story:
        story = before(ChoosePartner)
        if waived:
            rule = "checklist:exit_clause"
            story.when(OURS, ProposeWaiver(proposal="waiver-9", rule=rule, reason="In a hurry."))
        story.when(OURS, example(ChoosePartner))
        return story

    waiver = ProposeWaiver(proposal="waiver-9", rule="charter-agreed", reason="It is drafted.")
    answers = [
        AgreeWaiver(proposal="waiver-9"),
        DeclineProposal(proposal="waiver-9", reason="No."),
        WithdrawProposal(proposal="waiver-9", reason="No."),
    ]
    with_waiver, without = chosen(waived=True), chosen(waived=False)

    for each in answers:
        refused, plain = with_waiver.refuses(THEIRS, each), without.refuses(THEIRS, each)
        assert (refused.rule, refused.detail, refused.hint) == (
            plain.rule,
            plain.detail,
            plain.hint,
        )
    assert [type(each) for each in with_waiver.when(THEIRS, waiver)] == [WaiverProposed]
    with_waiver.when(OURS, AgreeWaiver(proposal="waiver-9"))
    [granted] = with_waiver.partnership.context.agreements.of(WaiverGranted)
    assert granted.rule == "charter-agreed"


@pytest.mark.parametrize(
    "rule",
    [rule for rule, stages in WAIVABLE.items() if stages - {Stage.EXPLORATION}],
)
def test_the_initiator_alone_waives_nothing_of_a_gate_that_both_pass(rule: str) -> None:
    each = {"alignment": "alignment:shared_vision"}.get(rule, rule)
    each = f"{each}:{OURS}" if rule in {"manager", "sponsor", "resources"} else each
    waiver = ProposeWaiver(proposal="waiver-9", rule=each, reason="We trust them.")
    story = before(ChoosePartner)
    if Stage.EXPLORATION in WAIVABLE[rule] or rule == "checklist:risks_mitigated":
        story.when(OURS, waiver)
    else:
        assert story.refuses(OURS, waiver).rule == "cannot-be-waived"

    story.when(OURS, example(ChoosePartner))

    assert story.partnership.context.agreements.of(WaiverGranted) == []
    if Stage.FORMATION in WAIVABLE[rule]:
        again = ProposeWaiver(proposal="waiver-10", rule=each, reason="We trust them.")
        assert [type(fact) for fact in story.when(OURS, again)] == [WaiverProposed]
        story.when(THEIRS, AgreeWaiver(proposal="waiver-10"))
        assert [one.rule for one in story.partnership.context.agreements.of(WaiverGranted)] == [
            each
        ]


def test_a_low_rating_that_the_search_waived_keeps_the_gate_to_execution_closed() -> None:
    story = before(ChoosePartner, without=(AssessAlignment, AgreeBridgingPlan))
    story.when(OURS, example(AssessAlignment, **{**dict(ALL_THREES), "shared_vision": 2}))
    rule = "alignment:shared_vision"
    story.when(OURS, ProposeWaiver(proposal="waiver-9", rule=rule, reason="It will grow."))
    [chosen] = story.when(OURS, example(ChoosePartner))
    assert isinstance(chosen, PartnerChosen)
    assert chosen.waived == [rule]

    refusal = story.refuses(OURS, HoldKickoff(attendees=["Ana", "Ben"]))

    assert rule in refusal.facts["unmet"]


def test_a_waiver_passes_no_rule_but_its_own() -> None:
    story = before(ChoosePartner)
    story.when(OURS, example(CompleteDecisionChecklist, exit_clause=False, economics_fair=False))

    story.when(
        OURS,
        ProposeWaiver(
            proposal="waiver-9", rule="checklist:exit_clause", reason="It is written this week."
        ),
    )

    assert story.refuses(OURS, example(ChoosePartner)).facts["unmet"] == [
        "checklist:economics_fair"
    ]


def test_the_same_waiver_again_says_nothing_new() -> None:
    story = at(Stage.EXPLORATION)
    waiver = ProposeWaiver(
        proposal="waiver-9", rule="checklist:exit_clause", reason="It is written this week."
    )

    story.when(OURS, waiver)

    assert story.when(OURS, waiver) == []
    assert (
        story.when(
            OURS, ProposeWaiver(proposal="waiver-8", rule=waiver.rule, reason="It is signed apart.")
        )
        != []
    )


@pytest.mark.parametrize(
    ("missing", "rule"),
    [
        (ScoreCandidate, "candidate-scored"),
        (MeasureAudienceOverlap, "overlap-known"),
        (AssessAlignment, "alignment-assessed"),
    ],
)
def test_the_data_must_speak_for_a_partner(missing: type[ScoreCandidate], rule: str) -> None:
    story = before(ChoosePartner, without=(missing, CommitIntegrationSpend))

    assert story.refuses(OURS, example(ChoosePartner)).rule == rule


def test_a_party_cannot_be_its_own_partner() -> None:
    story = before(ChoosePartner)
    itself = example(IdentifyCandidate, candidate=OURS)

    assert story.refuses(OURS, itself).rule == "two-parties"
    assert story.refuses(OURS, ChoosePartner(candidate=OURS)).rule == "two-parties"


def test_the_chosen_candidate_becomes_the_counterparty() -> None:
    story = after(ChoosePartner)

    assert story.partnership.parties == (OURS, THEIRS)
    assert story.partnership.context.other(OURS) == THEIRS
    assert story.partnership.context.other(THEIRS) == OURS


def test_an_exploration_may_end_without_a_partner() -> None:
    story = before(ChoosePartner)

    closed = story.when(OURS, example(CloseExploration))

    assert closed == [ExplorationClosed(reason="The market is too small.")]
    assert story.partnership.stage is Stage.ENDED


def test_an_exploration_that_ended_without_a_partner_takes_no_deal() -> None:
    story = before(ChoosePartner)
    story.when(OURS, example(CloseExploration))

    refusal = story.refuses(OURS, example(SubmitReferral))

    assert refusal.rule == "wrong-stage"
    assert "ended without one" in refusal.detail
