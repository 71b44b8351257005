"""Ways out: an exit that both agree, one that both withdraw, a breach and its cure (C27)."""

from datetime import date, timedelta

import pytest

from domain.agreement import ProposeTerms, Section, Sections
from domain.bilateral import DeclineProposal, ProposalLapsed, WithdrawProposal
from domain.deadlines.deadline import DeadlineKind
from domain.execution import (
    AgreeImprovementPlan,
    AgreeReview,
    CompleteAction,
    DiagnoseRootCause,
    HoldKickoff,
    ProposeAction,
    ProposeImprovementPlan,
    ProposeImprovementPlanOutcome,
    ProposeMilestone,
    ProposeReview,
    ReachMilestone,
)
from domain.exit import (
    AgreeCure,
    AgreeExit,
    AgreeExitWithdrawal,
    BreachCured,
    BreachNoticeGiven,
    ExitAgreed,
    ExitNoticeGiven,
    ExitReason,
    ExitWithdrawn,
    GiveBreachNotice,
    GiveExitNotice,
    PartnershipExited,
    ProposeCompletion,
    ProposeCure,
    ProposeExit,
    ProposeExitWithdrawal,
)
from domain.experiment import RegisterHypothesis
from domain.formation import AgreementDrafted, DraftAgreement, SignAgreement
from domain.gates import WAIVABLE, AgreeWaiver, ProposeWaiver, Requirement
from domain.governance import (
    AgreeGovernance,
    CommitResources,
    ContactAssigned,
    Function,
    ProposeGovernance,
)
from domain.health import ManagerRotated, RotateManager
from domain.kernel import Command, Stage
from domain.renewal import ProposeRenewal
from domain.scaling import ProposeJointInvestment, ProposeScope
from domain.settlement import IssueFinalSettlement
from domain.terms import FrameChange
from tests.life import EXAMPLES, OURS, THEIRS, after, at, before, example
from tests.projections.folds import alerts, states
from tests.projections.money import amend
from tests.stories import Story, moment

# --- both end it -------------------------------------------------------------------------------


def end(name: str, day: date) -> ProposeExit:
    return ProposeExit(exit=name, explanation="Both plan other things.", effective_on=day)


def stay(name: str, exit_: str) -> ProposeExitWithdrawal:
    return ProposeExitWithdrawal(proposal=name, exit=exit_, explanation="We go on.")


def ended(story: Story, name: str, day: date) -> None:
    story.when(OURS, end(name, day))
    assert [type(each) for each in story.when(THEIRS, AgreeExit(exit=name))] == [ExitAgreed]


def test_both_can_end_a_partnership_without_notice() -> None:
    story = at(Stage.EXECUTION)
    story.on("2026-05-05")

    ended(story, "exit-1", date(2026, 5, 20))

    assert story.partnership.stage is Stage.EXIT
    assert story.partnership.context.terms.end == date(2026, 5, 20)


def test_one_party_alone_ends_nothing() -> None:
    story = at(Stage.EXECUTION)
    story.when(OURS, end("exit-1", date(2027, 1, 1)))

    assert story.refuses(OURS, AgreeExit(exit="exit-1")).rule == "own-proposal"
    assert story.partnership.stage is Stage.EXECUTION


def test_an_exit_that_was_declined_is_not_agreed() -> None:
    story = at(Stage.EXECUTION)
    story.when(OURS, end("exit-1", date(2027, 1, 1)))
    story.when(THEIRS, DeclineProposal(proposal="exit-1", reason="The series is planned."))

    assert story.refuses(THEIRS, AgreeExit(exit="exit-1")).rule == "proposal-declined"


def test_both_cannot_end_it_on_a_day_that_is_over() -> None:
    story = at(Stage.EXECUTION)
    story.on("2026-05-05")
    over = end("exit-1", date(2026, 5, 4))
    assert story.refuses(OURS, over).rule == "exit-never-backwards"

    story.when(OURS, end("exit-2", date(2026, 5, 5)))
    story.on("2026-05-06")

    assert story.refuses(THEIRS, AgreeExit(exit="exit-2")).rule == "proposal-lapsed"


def test_both_can_end_it_earlier_than_the_notice_says() -> None:
    story = after(GiveExitNotice)

    ended(story, "sooner", date(2026, 11, 1))

    exits = [each for each in story.partnership.deadlines if each.startswith("exit/")]
    assert story.partnership.context.terms.exit == date(2026, 11, 1)
    assert exits == ["exit/2026-11-01"]


def test_each_party_can_give_notice_to_leave_sooner_than_the_other() -> None:
    story = after(GiveExitNotice)
    first = story.partnership.context.terms.exit
    assert first is not None
    theirs = example(GiveExitNotice, exit="theirs", effective_on=first - timedelta(days=1))

    story.when(THEIRS, theirs)

    exits = [each for each in story.partnership.deadlines if each.startswith("exit/")]
    assert exits == [f"exit/{theirs.effective_on}"]
    later = example(GiveExitNotice, exit="later", effective_on=first)
    assert story.refuses(OURS, later).rule == "exit-not-sooner"
    story.agree(OURS, stay("stay-2", "theirs"))
    assert story.partnership.context.terms.exit == first


def test_an_exit_that_would_not_come_sooner_is_refused() -> None:
    story = after(GiveExitNotice)

    assert story.refuses(OURS, end("later", date(2026, 12, 1))).rule == "exit-not-sooner"


def test_an_agreed_exit_is_settled_and_completed_as_any_other() -> None:
    story = after(AgreeExit)
    story.on("2026-12-31T00:00")
    story.when(OURS, example(IssueFinalSettlement))
    story.agree(
        OURS,
        ProposeWaiver(proposal="waiver-9", rule="assets-dispositioned", reason="There are none."),
    )

    assert story.agree(OURS, example(ProposeCompletion))


def test_each_exit_has_an_identifier_of_its_own() -> None:
    story = after(AgreeExitWithdrawal)

    story.when(OURS, end("exit-2", date(2027, 3, 1)))
    story.when(THEIRS, example(GiveExitNotice, exit="exit-2"))

    assert story.refuses(THEIRS, AgreeExit(exit="exit-2")).rule == "proposal-lapsed"
    assert story.refuses(OURS, example(GiveExitNotice, exit="exit-2")).rule == "exit-exists"
    assert story.refuses(THEIRS, end("exit-2", date(2027, 3, 1))).rule == "proposal-exists"


# --- both withdraw it --------------------------------------------------------------------------


@pytest.mark.parametrize("stage", [Stage.EXECUTION, Stage.SCALING])
def test_both_can_withdraw_a_notice_before_it_takes_effect(stage: Stage) -> None:
    story = at(stage)
    before_ = story.partnership.context.terms.end
    story.when(OURS, example(GiveExitNotice))

    story.when(OURS, stay("stay-1", "exit-2"))
    [withdrawn] = story.when(THEIRS, AgreeExitWithdrawal(proposal="stay-1"))

    assert isinstance(withdrawn, ExitWithdrawn)
    assert withdrawn.still_ends_on is None
    assert story.partnership.stage is stage
    assert story.partnership.context.terms.end == before_
    assert not [each for each in story.partnership.deadlines if each.startswith("exit/")]


def test_a_withdrawn_exit_leaves_the_other_one() -> None:
    story = after(GiveExitNotice)
    ended(story, "sooner", date(2026, 11, 1))

    story.when(OURS, stay("stay-3", "sooner"))
    [withdrawn] = story.when(THEIRS, AgreeExitWithdrawal(proposal="stay-3"))

    assert isinstance(withdrawn, ExitWithdrawn)
    assert withdrawn.still_ends_on == date(2026, 12, 1)
    assert story.partnership.stage is Stage.EXIT
    assert "exit/2026-12-01" in story.partnership.deadlines


def test_who_gave_notice_cannot_withdraw_it_alone() -> None:
    story = after(GiveExitNotice)
    story.when(THEIRS, stay("stay-3", "exit-2"))

    assert story.refuses(THEIRS, AgreeExitWithdrawal(proposal="stay-3")).rule == "own-proposal"


def test_a_notice_of_one_party_stops_no_review_and_no_handover_of_the_other() -> None:
    story = before(GiveExitNotice)
    story.when(OURS, example(ProposeReview, proposal="asked", review="asked"))
    story.when(THEIRS, example(GiveExitNotice))

    assert story.when(THEIRS, AgreeReview(proposal="asked"))
    assert story.agree(OURS, example(ProposeReview, proposal="later", review="later"))
    manager = next(
        each.name
        for each in story.partnership.context.declarations.of(ContactAssigned, OURS)
        if each.function is Function.PARTNERSHIP_MANAGER
    )
    day = story.now.date()
    handovers = story.partnership.context.declarations.of(ManagerRotated, OURS)
    former = handovers[-1].successor if handovers else manager
    handover = RotateManager(effective_on=day, former=former, successor="Mia")
    assert story.when(OURS, handover)


# --- until it takes effect ---------------------------------------------------------------------


def winding_down() -> tuple[Story, date]:
    """Return a story in which a party gave notice, and the effective day."""
    story = after(GiveExitNotice)
    ends_on = story.partnership.context.terms.exit
    assert ends_on is not None
    return story, ends_on


def test_until_an_exit_takes_effect_both_plan_what_is_left_to_do() -> None:
    story, ends_on = winding_down()
    last = ends_on - timedelta(days=1)

    handover = example(
        ProposeMilestone, proposal="m-9", milestone="handover", due=last, reason=None
    )
    assert story.agree(OURS, handover)
    action = ProposeAction(
        proposal="a-9", action="return-lists", owner=OURS, text="Return the lists.", due=last
    )
    assert story.agree(THEIRS, action)
    assert story.agree(OURS, example(ProposeGovernance, proposal="g-9"))
    assert story.when(OURS, ReachMilestone(milestone="handover"))
    assert story.when(OURS, CompleteAction(action="return-lists"))

    story.on(f"{ends_on}")
    assert "milestone-missed handover" not in states(story)


def test_both_agree_terms_of_the_wind_down_after_a_notice() -> None:
    story, ends_on = winding_down()
    terms = ProposeTerms(
        proposal="wind-down",
        effective_from=story.now.date() + timedelta(days=5),
        frame=FrameChange(tail_months=9),
    )

    assert story.agree(THEIRS, terms)

    agreed = story.partnership.context.terms
    assert agreed.end == ends_on
    assert agreed.frame(ends_on).tail_months == 9
    assert story.partnership.stage is Stage.EXIT


def test_both_can_sign_a_last_version_of_the_agreement() -> None:
    story, _ = winding_down()
    sections = story.partnership.formation.agreement.sections
    ending = sections.model_copy(update={"duration_and_exit": "Ends on 30 November."})
    [drafted] = story.when(OURS, DraftAgreement(sections=ending))
    version = story.partnership.formation.agreement.version
    assert isinstance(drafted, AgreementDrafted)

    story.when(OURS, SignAgreement(agreement_version=version))
    story.when(THEIRS, SignAgreement(agreement_version=version))

    assert story.partnership.formation.in_force.sections == ending


def test_nothing_new_begins_after_a_notice() -> None:
    story, _ = winding_down()

    for command in (ProposeScope, ProposeJointInvestment, RegisterHypothesis, ProposeRenewal):
        assert story.refuses(OURS, example(command)).rule == "wrong-stage"


ENDING = [each for each in EXAMPLES if each.ends_with_exit]


@pytest.mark.parametrize("command", ENDING, ids=lambda each: each.__name__)
def test_once_an_exit_took_effect_only_what_is_left_is_settled(command: type[Command]) -> None:
    story, ends_on = winding_down()
    party = EXAMPLES[command].party
    story.on(f"{ends_on}T00:00")

    assert story.refuses(party, example(command)).rule == "exit-took-effect"


def test_what_both_agreed_before_the_exit_counts_though_word_of_it_comes_later() -> None:
    story, ends_on = winding_down()
    before_ = f"{ends_on - timedelta(days=1)}T23:59"
    own = ProposeAction(
        proposal="a-9", action="keys", owner=OURS, text="Return the keys.", due=ends_on
    )
    story.on(f"{ends_on}T00:01")

    assert story.when(OURS, own, happened=before_)


def test_a_proposal_that_nobody_accepted_by_then_lapses_when_the_exit_takes_effect() -> None:
    story, ends_on = winding_down()
    story.when(OURS, example(ProposeGovernance, proposal="g-9"))
    story.when(OURS, DraftAgreement(sections=Sections(roles="One manager each.")))
    review = example(ProposeReview, proposal="r-9", review="last-review")
    story.when(OURS, review)
    version = str(story.partnership.formation.drafted)

    story.on(f"{ends_on - timedelta(days=1)}T23:59")
    assert story.facts(ProposalLapsed) == []
    story.on(f"{ends_on}T00:00")

    reason = f"The exit took effect on {ends_on}."
    assert {(each.proposal, each.reason) for each in story.facts(ProposalLapsed)} == {
        ("g-9", reason),
        (version, reason),
    }
    refusal = story.refuses(THEIRS, AgreeGovernance(proposal="g-9"))
    assert refusal.rule == "exit-took-effect"


def test_a_withdrawn_exit_lets_no_proposal_lapse() -> None:
    story, ends_on = winding_down()
    story.when(OURS, example(ProposeGovernance, proposal="g-9"))
    story.agree(OURS, stay("stay-3", "exit-2"))

    story.on(f"{ends_on + timedelta(days=1)}")

    assert story.when(THEIRS, AgreeGovernance(proposal="g-9"))


def test_an_exit_that_took_effect_is_not_withdrawn() -> None:
    story = after(GiveExitNotice)
    story.when(OURS, stay("stay-3", "exit-2"))
    story.on("2026-12-01T00:00")

    refusal = story.refuses(THEIRS, AgreeExitWithdrawal(proposal="stay-3"))

    assert refusal.rule == "proposal-lapsed"
    sooner = example(GiveExitNotice, exit="exit-3")
    assert story.refuses(OURS, sooner).rule == "exit-took-effect"
    assert story.refuses(OURS, stay("stay-4", "exit-2")).rule == "exit-took-effect"


def test_only_an_exit_that_is_ahead_is_withdrawn() -> None:
    story = after(GiveExitNotice)

    refusal = story.refuses(OURS, stay("stay-3", "exit-1"))

    assert refusal.rule == "no-such-exit"
    assert refusal.facts["known"] == ["exit-2"]


def test_after_a_withdrawn_exit_the_days_of_the_term_are_ahead_again() -> None:
    story = after(AgreeExitWithdrawal)

    kinds = {each.kind for each in story.partnership.deadlines.values()}

    assert {DeadlineKind.NOTICE, DeadlineKind.NOTICE_WARNING, DeadlineKind.TERM_END} <= kinds


def test_a_day_for_notice_that_went_by_while_an_exit_was_ahead_is_not_recorded_late() -> None:
    story = at(Stage.EXECUTION)
    story.on("2028-10-20")
    story.when(OURS, example(GiveExitNotice, effective_on=date(2029, 1, 1)))
    story.on("2028-12-01")

    story.when(OURS, stay("stay-1", "exit-2"))
    story.when(THEIRS, AgreeExitWithdrawal(proposal="stay-1"))

    kinds = {each.kind for each in story.partnership.deadlines.values()}
    assert DeadlineKind.TERM_END in kinds
    assert DeadlineKind.NOTICE not in kinds


def test_a_term_that_ended_while_an_exit_was_ahead_is_renewed_or_left_once_both_stay() -> None:
    story = at(Stage.EXECUTION)
    story.on("2028-12-15")
    story.when(OURS, example(GiveExitNotice, exit="exit-2", effective_on=date(2029, 3, 1)))
    story.on("2029-01-10")
    assert "term-ended 2029-01-01" not in states(story)

    story.when(OURS, stay("stay-1", "exit-2"))
    story.when(THEIRS, AgreeExitWithdrawal(proposal="stay-1"))
    story.wait()

    assert states(story)["term-ended 2029-01-01"] == "open"


def test_the_reminder_of_a_notice_that_is_taken_back_in_time_is_given_again() -> None:
    story = at(Stage.EXECUTION)
    story.on("2028-10-10")
    assert states(story)["notice-due 2028-11-02"] == "open"
    story.when(OURS, example(GiveExitNotice, effective_on=date(2029, 1, 1)))
    assert states(story)["notice-due 2028-11-02"] == "resolved"
    story.on("2028-10-13")

    story.when(OURS, stay("stay-1", "exit-2"))
    story.when(THEIRS, AgreeExitWithdrawal(proposal="stay-1"))
    story.wait()

    alert = alerts(story)["notice-due 2028-11-02"]
    assert (alert.state, alert.since) == ("open", moment("2028-10-13"))
    story.on("2028-11-03")
    assert states(story)["notice-due 2028-11-02"] == "resolved"


def test_a_notice_that_is_taken_back_after_its_last_day_is_reminded_of_no_more() -> None:
    story = at(Stage.EXECUTION)
    story.on("2028-10-10")
    story.when(OURS, example(GiveExitNotice, effective_on=date(2029, 1, 1)))
    story.on("2028-11-03")

    story.when(OURS, stay("stay-1", "exit-2"))
    story.when(THEIRS, AgreeExitWithdrawal(proposal="stay-1"))
    story.wait()

    assert states(story)["notice-due 2028-11-02"] == "resolved"


# --- breach ------------------------------------------------------------------------------------


def leave_for(breach: str | None, day: date) -> GiveExitNotice:
    return example(
        GiveExitNotice, exit="leave", reason=ExitReason.BREACH, breach=breach, effective_on=day
    )


def noticed(day: str = "2026-05-05") -> Story:
    story = at(Stage.EXECUTION)
    story.on(day)
    story.when(OURS, example(GiveBreachNotice))
    return story


def test_a_breach_names_what_was_broken_and_has_a_cure_period() -> None:
    story = noticed()

    [notice] = story.facts(BreachNoticeGiven)

    assert notice.section is Section.CONFIDENTIALITY
    assert notice.cure_by == date(2026, 6, 4)


def test_the_cure_period_is_a_term() -> None:
    story = at(Stage.EXECUTION)
    amend(story, since=date(2026, 5, 1), cure_period="P10D")
    story.on("2026-05-05")
    story.when(OURS, example(GiveBreachNotice))

    assert story.facts(BreachNoticeGiven)[0].cure_by == date(2026, 5, 15)


def test_leaving_for_a_breach_needs_its_notice_and_the_cure_period() -> None:
    story = noticed()

    assert story.refuses(OURS, leave_for(None, date(2026, 7, 1))).rule == "breach-notice-first"
    assert story.refuses(OURS, leave_for("other", date(2026, 7, 1))).rule == "breach-notice-first"
    assert story.refuses(THEIRS, leave_for("breach-1", date(2026, 7, 1))).rule == (
        "breach-notice-first"
    )
    story.on("2026-06-04T23:59")
    assert story.refuses(OURS, leave_for("breach-1", date(2026, 7, 1))).rule == "cure-period"


def test_after_the_cure_period_a_breach_ends_it_at_once_but_never_backwards() -> None:
    story = noticed()
    story.on("2026-06-05T00:00")

    refusal = story.refuses(OURS, leave_for("breach-1", date(2026, 6, 4)))
    given = story.when(OURS, leave_for("breach-1", date(2026, 6, 5)))

    assert refusal.rule == "notice-period"
    assert isinstance(given[0], ExitNoticeGiven)


def cured(name: str = "cure-1") -> ProposeCure:
    return ProposeCure(proposal=name, breach="breach-1", how="The page is taken off.")


def test_nobody_leaves_for_a_breach_that_was_cured() -> None:
    story = noticed()
    story.on("2026-05-20")
    story.agree(THEIRS, cured())
    story.on("2026-07-01")

    assert story.refuses(OURS, leave_for("breach-1", date(2026, 8, 1))).rule == "breach-not-cured"


def test_the_party_that_gave_notice_can_say_alone_that_the_breach_is_cured() -> None:
    story = noticed()

    story.when(OURS, cured())

    [found] = story.facts(BreachCured)
    assert found.breach == "breach-1"
    assert story.when(OURS, cured()) == []
    assert story.refuses(OURS, cured("cure-2")).rule == "no-such-breach"


def test_a_cure_that_both_propose_is_settled_by_who_gave_notice() -> None:
    story = noticed()
    story.when(THEIRS, cured())
    story.when(OURS, cured("cure-2"))

    assert len(story.facts(BreachCured)) == 1
    assert story.refuses(OURS, AgreeCure(proposal="cure-1")).rule == "proposal-lapsed"


def test_who_broke_it_proposes_the_cure_and_the_other_answers() -> None:
    story = noticed()
    story.when(THEIRS, cured())

    assert story.refuses(THEIRS, AgreeCure(proposal="cure-1")).rule == "own-proposal"
    assert story.facts(BreachCured) == []
    story.when(OURS, DeclineProposal(proposal="cure-1", reason="The cache still shows it."))
    story.agree(THEIRS, cured("cure-2"))

    assert len(story.facts(BreachCured)) == 1


def test_nobody_leaves_for_a_breach_without_an_answer_to_its_cure() -> None:
    story = noticed()
    story.when(THEIRS, cured())
    story.on("2026-06-05T00:00")
    leaving = leave_for("breach-1", date(2026, 6, 5))

    assert story.refuses(OURS, leaving).rule == "cure-answered"
    story.when(OURS, DeclineProposal(proposal="cure-1", reason="The cache still shows it."))

    assert isinstance(story.when(OURS, leaving)[0], ExitNoticeGiven)


def test_a_cure_is_proposed_of_a_breach_that_is_on_record() -> None:
    story = at(Stage.EXECUTION)

    assert story.refuses(THEIRS, cured()).rule == "no-such-breach"


def test_a_waiver_takes_both_once_there_is_a_partner() -> None:
    story = before(HoldKickoff, without=CommitResources, of=THEIRS)
    waiver = ProposeWaiver(
        proposal="later", rule=f"resources:{THEIRS}", reason="The budget comes in May."
    )
    story.when(THEIRS, waiver)

    assert story.refuses(THEIRS, AgreeWaiver(proposal="later")).rule == "own-proposal"
    assert story.refuses(OURS, example(HoldKickoff)).rule == f"resources:{THEIRS}"
    story.when(OURS, AgreeWaiver(proposal="later"))

    assert story.when(OURS, example(HoldKickoff))


def test_a_waiver_is_not_agreed_once_its_gate_was_passed() -> None:
    story = before(HoldKickoff)
    waiver = ProposeWaiver(
        proposal="later", rule=f"resources:{THEIRS}", reason="The budget comes in May."
    )
    story.when(THEIRS, waiver)
    story.when(OURS, example(HoldKickoff))

    assert story.refuses(OURS, AgreeWaiver(proposal="later")).rule == "proposal-lapsed"


def test_notice_of_a_breach_is_given_once() -> None:
    story = noticed()
    story.on("2026-05-09")

    again = story.when(OURS, example(GiveBreachNotice))
    other = example(GiveBreachNotice, description="Something else.")

    assert again == []
    assert story.refuses(OURS, other).rule == "already-recorded"
    assert story.refuses(THEIRS, example(GiveBreachNotice)).rule == "breach-exists"


def test_what_is_broken_again_after_it_was_cured_is_another_breach() -> None:
    story = noticed()
    story.when(OURS, cured())

    refusal = story.refuses(OURS, example(GiveBreachNotice))
    again = story.when(OURS, example(GiveBreachNotice, breach="breach-2"))

    assert refusal.rule == "breach-exists"
    assert "It was cured." in refusal.detail
    assert [type(each) for each in again] == [BreachNoticeGiven]


def test_the_sections_that_can_be_broken_are_those_of_the_agreement() -> None:
    assert [each.value for each in Section] == [*Sections.model_fields]


# --- underperformance --------------------------------------------------------------------------


def weak() -> GiveExitNotice:
    return example(
        GiveExitNotice, reason=ExitReason.UNDERPERFORMANCE, effective_on=date(2027, 1, 1)
    )


def proposed() -> Story:
    story = at(Stage.EXECUTION)
    story.when(OURS, example(DiagnoseRootCause))
    story.when(OURS, example(ProposeImprovementPlan))
    return story


def test_a_plan_that_the_other_party_declined_opens_the_way() -> None:
    story = proposed()
    story.when(THEIRS, DeclineProposal(proposal="plan-1", reason="We see no need."))

    assert story.refuses(THEIRS, weak()).rule == "improvement-plan-first"
    assert story.when(OURS, weak())


def test_a_plan_that_was_met_opens_no_way() -> None:
    story = proposed()
    story.when(THEIRS, AgreeImprovementPlan(proposal="plan-1"))
    story.agree(OURS, example(ProposeImprovementPlanOutcome, met=True))
    story.on("2026-04-01")

    refused = story.refuses(OURS, weak())

    assert refused.rule == "improvement-plan-first"
    assert "Both parties met" in refused.detail


def test_a_plan_left_unanswered_until_its_deadline_opens_the_way() -> None:
    story = proposed()
    story.on("2026-03-31T23:59")
    assert story.refuses(OURS, weak()).rule == "improvement-plan-first"
    story.on("2026-04-01T00:00")

    assert story.refuses(THEIRS, weak()).rule == "improvement-plan-first"
    assert story.when(OURS, weak())


def test_the_other_party_has_its_days_for_an_answer_to_a_plan_of_a_day() -> None:
    story = at(Stage.EXECUTION)
    story.when(OURS, example(DiagnoseRootCause))
    today = story.now.date()
    story.when(OURS, example(ProposeImprovementPlan, deadline=today))
    story.on(f"{today + timedelta(days=14)}")
    assert story.refuses(OURS, weak()).rule == "improvement-plan-first"
    story.on(f"{today + timedelta(days=15)}")

    assert story.when(OURS, weak())


def test_a_plan_that_its_author_took_back_opens_no_way() -> None:
    story = proposed()
    story.when(OURS, WithdrawProposal(proposal="plan-1", reason="We propose another one."))
    story.on("2026-04-01")

    assert story.refuses(OURS, weak()).rule == "improvement-plan-first"


def test_a_plan_whose_deadline_was_over_when_it_was_proposed_opens_no_way() -> None:
    story = at(Stage.EXECUTION)
    story.when(OURS, example(DiagnoseRootCause))
    story.on("2026-05-05")
    over = example(ProposeImprovementPlan, deadline=date(2026, 5, 4))
    assert story.refuses(OURS, over).rule == "deadline-has-passed"

    assert story.refuses(OURS, weak()).rule == "improvement-plan-first"


# --- waivers -----------------------------------------------------------------------------------


def test_a_waived_rule_is_passed_and_named() -> None:
    story = after(GiveExitNotice)
    story.on("2026-12-01T00:00")
    story.when(OURS, example(IssueFinalSettlement))
    assert story.refuses(OURS, example(ProposeCompletion)).rule == "assets-dispositioned"

    story.agree(
        OURS,
        ProposeWaiver(proposal="waiver-9", rule="assets-dispositioned", reason="There are none."),
    )
    story.agree(OURS, example(ProposeCompletion))

    assert story.facts(PartnershipExited)[-1].waived == ["assets-dispositioned"]


@pytest.mark.parametrize(
    ("stage", "rule"),
    [
        (Stage.EXPLORATION, "terms-not-signed"),
        (Stage.EXPLORATION, "alignment:luck"),
        (Stage.EXPLORATION, "no such rule"),
        (Stage.FORMATION, "sponsor:nobody"),
        (Stage.FORMATION, "candidate-scored"),
        (Stage.EXECUTION, "charter-agreed"),
        (Stage.EXIT, "evidence-first"),
    ],
)
def test_a_rule_that_no_waiver_can_pass_is_not_waived(stage: Stage, rule: str) -> None:
    story = at(stage)

    refusal = story.refuses(
        OURS, ProposeWaiver(proposal="waiver-9", rule=rule, reason="There is no time.")
    )

    assert refusal.rule == "cannot-be-waived"


@pytest.mark.parametrize("stage", [each for each in Stage if each is not Stage.ADOPTION])
def test_a_rule_can_be_waived_only_in_the_stages_of_its_row(stage: Stage) -> None:
    waiver = ProposeWaiver(proposal="waiver-9", rule="none", reason="Why not.")

    refusal = at(stage).refuses(OURS, waiver)

    offered = {each.partition(":")[0] for each in refusal.facts.get("known", [])}
    assert offered == {each.partition(":")[0] for each in WAIVABLE if stage in WAIVABLE[each]}


def test_a_requirement_says_whether_it_can_be_waived() -> None:
    assert Requirement("sponsor:acme", met=False, detail="", hint="").waivable
    assert not Requirement("notice-period", met=False, detail="", hint="").waivable


def test_the_same_notice_again_decides_nothing() -> None:
    story = after(GiveExitNotice)
    by = story.history[-1].act.party

    assert story.when(by, example(GiveExitNotice)) == []
