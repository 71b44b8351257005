"""Renewal and exit: both parties renew, or one leaves (C11, C27)."""

from datetime import date

import pytest

from domain.agreement import (
    AcceptTerms,
    ProposeTerms,
)
from domain.bilateral import DeclineProposal, ProposalDeclined
from domain.deadlines.deadline import DeadlineKind
from domain.execution import (
    AgreeImprovementPlan,
    DiagnoseRootCause,
    HoldKickoff,
    ProposeImprovementPlan,
    ProposeIssueResolution,
    RaiseIssue,
)
from domain.exit import (
    AgreeCompletion,
    AgreeDisposition,
    AssetsDispositioned,
    ExitNoticeGiven,
    ExitReason,
    GiveExitNotice,
    PartnershipExited,
    ProposeCompletion,
    ProposeDisposition,
)
from domain.formation import ProposeCharter
from domain.gates import AgreeWaiver, ProposeWaiver
from domain.governance import AssignSponsor
from domain.kernel import Command, Stage
from domain.renewal import (
    AcceptRenewal,
    AgreeAnnualReview,
    AnnualReviewHeld,
    HoldRenewalReview,
    PartnershipRenewed,
    ProposeAnnualReview,
    ProposeRenewal,
    RenewalReviewHeld,
)
from domain.settlement import FinalSettlementIssued, IssueFinalSettlement
from domain.terms import Assets
from tests.life import (
    EXAMPLES,
    FRAME,
    LIFE,
    OURS,
    STRANGER,
    THEIRS,
    after,
    at,
    before,
    changed,
    example,
)
from tests.projections.money import amend, share
from tests.stories import Story

# --- annual reviews ----------------------------------------------------------------------------


@pytest.mark.parametrize("stage", [Stage.EXECUTION, Stage.SCALING, Stage.RENEWAL])
def test_an_annual_review_moves_no_stage(stage: Stage) -> None:
    story = at(stage)

    of_2025 = {"proposal": "year-0", "year": 2025, "recommendation": "exit"}
    story.when(OURS, example(ProposeAnnualReview, **of_2025))
    asked = story.now
    story.wait(days=1)

    [held] = story.when(THEIRS, AgreeAnnualReview(proposal="year-0"))

    assert isinstance(held, AnnualReviewHeld)
    assert (held.recommendation, held.held_at) == ("exit", asked)
    assert story.partnership.stage is stage


def test_an_annual_review_is_of_one_year_and_both_correct_it() -> None:
    story = after(AgreeAnnualReview)
    other = example(ProposeAnnualReview, proposal="other", recommendation="scale")

    assert story.refuses(THEIRS, other).rule == "change-needs-reason"
    ahead = changed(other, year=2027)
    assert story.refuses(THEIRS, ahead).rule == "period-not-begun"
    assert story.refuses(THEIRS, changed(other, year=2025, reason="No.")).rule == (
        "nothing-to-change"
    )
    story.agree(THEIRS, changed(other, reason="A joint offer is tried."))

    (latest,) = story.partnership.context.agreements.of(AnnualReviewHeld)
    assert latest.recommendation == "scale"


# --- renewal -----------------------------------------------------------------------------------


def test_a_review_of_outcomes_and_relevance_opens_renewal() -> None:
    story = after(HoldRenewalReview)

    assert story.partnership.stage is Stage.RENEWAL
    assert story.when(OURS, example(HoldRenewalReview)) == []
    assert len(story.facts(RenewalReviewHeld)) == 1


def test_a_renewal_review_is_not_edited() -> None:
    story = after(HoldRenewalReview)

    refusal = story.refuses(THEIRS, example(HoldRenewalReview, recommendation="exit"))

    assert refusal.rule == "already-recorded"


def renewed(story: Story, duration: str) -> PartnershipRenewed:
    story.when(OURS, example(HoldRenewalReview, review=f"outlook-{duration}"))
    story.when(OURS, ProposeRenewal(proposal=duration, duration=duration))
    [event] = story.when(THEIRS, AcceptRenewal(proposal=duration))
    assert isinstance(event, PartnershipRenewed)
    return event


def test_a_renewal_runs_from_where_the_present_term_ends() -> None:
    story = at(Stage.EXECUTION)

    assert renewed(story, "P1Y").ends_on == date(2030, 1, 1)
    assert renewed(story, "P6M").ends_on == date(2030, 7, 1)
    assert renewed(story, "P1M").notice == "P60D"


@pytest.mark.parametrize(
    ("frame", "ends_on"),
    [
        ({"duration": "P6Y"}, date(2032, 1, 1)),
        ({"duration": "P3Y", "notice": "P90D"}, date(2030, 1, 1)),
        ({"settles_in": "EUR"}, date(2030, 1, 1)),
        ({}, date(2030, 1, 1)),
    ],
)
def test_only_another_duration_takes_the_place_of_a_renewal(
    frame: dict[str, object], ends_on: date
) -> None:
    story = at(Stage.EXECUTION)
    renewed(story, "P1Y")
    story.wait(hours=1)

    amend(story, share("9"), since=date(2027, 1, 1), until=None, **frame)

    assert story.partnership.context.terms.end == ends_on


def test_a_renewal_after_another_duration_adds_to_it() -> None:
    story = at(Stage.EXECUTION)
    amend(story, since=date(2027, 1, 1), duration="P6Y")
    story.wait(hours=1)

    assert renewed(story, "P1Y").ends_on == date(2033, 1, 1)


def test_a_term_from_the_31st_ends_at_the_end_of_each_month_however_often_it_is_renewed() -> None:
    frame = changed(FRAME, starts_on=date(2026, 1, 31), duration="P1M", notice="P0D")
    story = before(ProposeTerms)
    story.when(OURS, example(ProposeTerms, frame=frame))
    story.when(THEIRS, AcceptTerms(proposal="terms-1"))
    start, kickoff = (LIFE.index(EXAMPLES[each]) for each in (ProposeCharter, HoldKickoff))
    story.given(LIFE[start : kickoff + 1])
    ends = [story.partnership.context.terms.end]

    for number, day in enumerate(["2026-02-10", "2026-03-10", "2026-04-10"]):
        story.on(day)
        story.when(OURS, example(HoldRenewalReview, review=f"review-{number}"))
        story.when(OURS, ProposeRenewal(proposal=f"more-{number}", duration="P1M"))
        story.when(THEIRS, AcceptRenewal(proposal=f"more-{number}"))
        ends.append(story.facts(PartnershipRenewed)[-1].ends_on)

    assert ends == [date(2026, 2, 28), date(2026, 3, 31), date(2026, 4, 30), date(2026, 5, 31)]


@pytest.mark.parametrize("stage", [Stage.EXECUTION, Stage.SCALING])
def test_a_renewed_partnership_goes_on_where_it_was(stage: Stage) -> None:
    story = at(stage)

    renewed(story, "P1Y")

    assert story.partnership.stage is stage


def test_no_renewal_runs_beyond_the_last_year_of_days() -> None:
    story = at(Stage.EXECUTION)
    renewed(story, "P900Y")
    story.when(OURS, example(HoldRenewalReview, review="outlook-on"))
    story.when(OURS, ProposeRenewal(proposal="on", duration="P100Y"))

    assert story.refuses(THEIRS, AcceptRenewal(proposal="on")).rule == "term-too-long"


def test_renewal_is_by_mutual_consent() -> None:
    story = after(ProposeRenewal)

    assert story.refuses(OURS, AcceptRenewal(proposal="renewal-1")).rule == "own-proposal"
    assert story.refuses(OURS, example(DeclineProposal)).rule == "own-proposal"
    assert story.refuses(THEIRS, AcceptRenewal(proposal="none")).rule == "no-such-proposal"


def test_an_unknown_proposal_names_only_those_that_the_party_can_accept() -> None:
    open_, declined = after(ProposeRenewal), after(DeclineProposal)
    unknown = AcceptRenewal(proposal="none")

    assert open_.refuses(THEIRS, unknown).hint == "Name one of these proposals: renewal-1."
    none = "Ask the other party to propose it first."
    assert declined.refuses(THEIRS, unknown).hint == none
    assert open_.refuses(OURS, unknown).hint == none


def test_a_renewal_once_declined_is_not_accepted() -> None:
    story = after(DeclineProposal)

    assert story.when(THEIRS, example(DeclineProposal)) == []
    assert story.refuses(THEIRS, AcceptRenewal(proposal="renewal-1")).rule == "proposal-declined"
    otherwise = example(DeclineProposal, reason="Something else")
    assert story.refuses(THEIRS, otherwise).rule == "proposal-declined"
    assert story.facts(ProposalDeclined) == [
        ProposalDeclined(proposal="renewal-1", agreement="Renewal", reason="Five years is long.")
    ]
    assert story.partnership.stage is Stage.RENEWAL


# --- notice ------------------------------------------------------------------------------------


def notice(reason: ExitReason, effective_on: date = date(2029, 1, 1)) -> GiveExitNotice:
    return example(GiveExitNotice, reason=reason, effective_on=effective_on)


@pytest.mark.parametrize("day", ["2028-11-01", "2028-11-02T23:59"])
def test_notice_until_2028_11_02_ends_three_years_from_2026_on_time(day: str) -> None:
    story = at(Stage.EXECUTION)
    story.on(day)

    given = story.when(THEIRS, notice(ExitReason.TERM_ENDS))

    assert isinstance(given[0], ExitNoticeGiven)
    assert story.partnership.stage is Stage.EXIT


def test_notice_on_2028_11_03_is_a_day_late_and_cannot_be_waived() -> None:
    story = at(Stage.EXECUTION)
    story.on("2028-11-03T00:00")

    refusal = story.refuses(THEIRS, notice(ExitReason.TERM_ENDS))
    waiver = ProposeWaiver(proposal="waiver-9", rule="notice-period", reason="It was a holiday.")

    assert refusal.rule == "notice-period"
    assert "2028-11-02" in refusal.detail
    assert story.refuses(THEIRS, waiver).rule == "cannot-be-waived"
    assert story.refuses(THEIRS, notice(ExitReason.TERM_ENDS)).rule == "notice-period"
    assert story.when(THEIRS, notice(ExitReason.TERM_ENDS, date(2029, 1, 2)))


def test_the_last_day_for_notice_is_one_and_the_same_where_months_differ_in_length() -> None:
    # Three months before 28 February 2029 is 28 November 2028, and not the 30th.
    story = at(Stage.EXECUTION)
    amend(story, since=date(2026, 2, 28), duration="P3Y58D", notice="P3M")
    terms = story.partnership.context.terms
    assert terms.end == date(2029, 2, 28)
    story.on("2028-11-29")

    refusal = story.refuses(OURS, notice(ExitReason.TERM_ENDS, terms.end))

    assert terms.last_notice_day == date(2028, 11, 28)
    assert refusal.rule == "notice-period"


def test_leaving_for_underperformance_needs_a_diagnosis_and_a_plan() -> None:
    story = at(Stage.EXECUTION)
    weak = notice(ExitReason.UNDERPERFORMANCE)

    assert story.refuses(OURS, weak).rule == "improvement-plan-first"
    assert story.refuses(OURS, example(ProposeImprovementPlan)).rule == "diagnose-first"
    story.when(OURS, example(DiagnoseRootCause))
    assert story.refuses(OURS, weak).rule == "improvement-plan-first"
    story.when(OURS, example(ProposeImprovementPlan))
    assert story.refuses(OURS, weak).rule == "improvement-plan-first"


@pytest.mark.parametrize("rule", ["improvement-plan-first", "improvement-deadline"])
def test_who_leaves_cannot_waive_the_other_sides_chance_to_improve(rule: str) -> None:
    story = at(Stage.EXECUTION) if rule == "improvement-plan-first" else after(AgreeImprovementPlan)

    waiver = ProposeWaiver(proposal="waiver-9", rule=rule, reason="We have seen enough.")

    assert story.refuses(OURS, waiver).rule == "cannot-be-waived"
    assert story.refuses(OURS, notice(ExitReason.UNDERPERFORMANCE)).rule == rule


def test_leaving_for_underperformance_waits_for_the_plans_deadline() -> None:
    story = after(AgreeImprovementPlan)
    weak = notice(ExitReason.UNDERPERFORMANCE)

    story.on("2026-03-31")
    refusal = story.refuses(OURS, weak)
    story.on("2026-04-01T00:00")

    assert refusal.rule == "improvement-deadline"
    assert story.when(OURS, weak)


def test_one_may_leave_with_good_numbers() -> None:
    story = at(Stage.SCALING)

    assert story.when(OURS, notice(ExitReason.NO_LONGER_RELEVANT))


# --- exit --------------------------------------------------------------------------------------


def test_an_exit_is_complete_once_its_day_has_come_and_all_is_settled() -> None:
    story = before(ProposeCompletion)

    exited = story.agree(OURS, example(ProposeCompletion))

    assert exited == [
        PartnershipExited(proposal="end-1", tail_obligations=["Confidentiality for two years"])
    ]
    assert story.partnership.stage is Stage.ENDED
    # What the final settlement states stays due.
    assert {each.kind for each in story.partnership.deadlines.values()} == {DeadlineKind.STATEMENT}


def test_an_exit_waits_for_its_effective_date() -> None:
    story = after(GiveExitNotice)
    story.agree(OURS, example(ProposeDisposition))
    story.on("2026-11-30T23:59")

    settling = story.refuses(OURS, example(IssueFinalSettlement))
    refusal = story.refuses(OURS, example(ProposeCompletion))
    story.on("2026-12-01T00:00")
    story.when(OURS, example(IssueFinalSettlement))

    assert settling.rule == refusal.rule == "effective-date"
    assert story.agree(OURS, example(ProposeCompletion))


@pytest.mark.parametrize(
    ("missing", "rule"),
    [
        ((IssueFinalSettlement,), "final-settlement"),
        ((ProposeDisposition, AgreeDisposition), "assets-dispositioned"),
    ],
)
def test_an_exit_waits_for_settlement_and_assets(
    missing: tuple[type[Command], ...], rule: str
) -> None:
    left_out = (*missing, ProposeWaiver, AgreeWaiver)
    story = before(ProposeCompletion, without=left_out)

    assert story.refuses(OURS, example(ProposeCompletion)).rule == rule


def test_an_exit_with_a_waiver_says_what_was_waived() -> None:
    story = before(ProposeCompletion, without=(ProposeDisposition, AgreeDisposition))

    story.agree(OURS, example(ProposeCompletion))

    assert story.facts(PartnershipExited)[0].waived == ["assets-dispositioned"]


def test_the_final_settlement_is_immutable() -> None:
    story = after(IssueFinalSettlement)

    assert story.when(OURS, example(IssueFinalSettlement)) == []
    refusal = story.refuses(THEIRS, example(IssueFinalSettlement, settlement="S-2"))
    assert refusal.rule == "settlement-issued"
    assert len(story.facts(FinalSettlementIssued)) == 1


def test_both_say_what_happens_to_an_asset_and_both_can_change_it() -> None:
    story = after(ProposeDisposition)
    assert story.facts(AssetsDispositioned) == []
    story.given([EXAMPLES[AgreeDisposition]])

    kept = example(ProposeDisposition, proposal="assets-2", disposition=Assets.RETAIN, to=OURS)
    story.agree(THEIRS, kept)

    [asset] = story.partnership.context.agreements.of(AssetsDispositioned)
    assert (asset.disposition, asset.to) == (Assets.RETAIN, OURS)


def test_one_side_alone_completes_no_exit() -> None:
    story = before(ProposeCompletion)
    story.when(OURS, example(ProposeCompletion))

    assert story.refuses(OURS, AgreeCompletion(proposal="end-1")).rule == "own-proposal"
    assert story.partnership.stage is Stage.EXIT
    story.when(
        THEIRS, DeclineProposal(proposal="end-1", reason="The archive obligation is missing.")
    )
    assert story.refuses(THEIRS, AgreeCompletion(proposal="end-1")).rule == "proposal-declined"


def test_what_is_left_goes_to_one_of_the_two() -> None:
    command = example(ProposeDisposition, to=STRANGER)

    assert after(GiveExitNotice).refuses(OURS, command).rule == "unknown-party"


def test_issues_survive_the_notice() -> None:
    story = after(GiveExitNotice)

    story.when(THEIRS, example(RaiseIssue, issue="late"))

    assert story.agree(OURS, example(ProposeIssueResolution, proposal="later", issue="late"))
    assert story.when(OURS, example(AssignSponsor, name="Grace"))
