"""Deadlines: what passes is recorded in the partnership's own log (C11, C17, C20, C24)."""

from datetime import UTC, date, datetime, timedelta

import pytest

from domain.aggregates import clock_act
from domain.bilateral import DeclineProposal
from domain.calendar import midnight
from domain.deadlines.deadline import (
    Deadline,
    DeadlineKind,
    DeadlinePassed,
    PeriodClosed,
    ReminderGiven,
)
from domain.deadlines.fold import evolve
from domain.deadlines.rule import DeadlineRule
from domain.deadlines.table import RULES
from domain.deadlines.term import WARN_OF_NOTICE
from domain.execution import (
    AgreeImprovementPlan,
    AgreeIssueResolution,
    AgreeMilestone,
    AgreeMilestoneReached,
    AgreeReview,
    AgreeReviewHeld,
    IssueEscalated,
    MilestoneMissed,
    ProposeImprovementPlan,
    ProposeIssueResolution,
    ProposeMilestone,
    ProposeReviewHeld,
    RaiseIssue,
    ReviewMissed,
)
from domain.exit import AgreeCompletion, GiveExitNotice
from domain.kernel import CLOCK_PARTY, Event, Stage
from domain.partnership import PassTime
from domain.renewal import AcceptRenewal, HoldRenewalReview, ProposeRenewal
from domain.response import Office
from domain.terms import Cadence
from domain.terms_by_day import TermsByDay
from projections.timeline import words
from tests.life import OURS, THEIRS, after, at, before, example
from tests.projections.money import amend, share
from tests.stories import Story, moment


def of(kind: type[Event], events: list[Event]) -> list[Event]:
    return [each for each in events if isinstance(each, kind)]


def passed(kind: DeadlineKind, events: list[Event]) -> list[str]:
    return [each.ref for each in events if isinstance(each, DeadlinePassed) and each.kind is kind]


# --- answers -----------------------------------------------------------------------------------


def test_a_proposal_that_is_recorded_late_is_answered_within_the_days_after_that() -> None:
    story = at(Stage.EXECUTION)
    story.wait(days=30)
    claimed = f"{story.now - timedelta(days=25):%Y-%m-%dT%H:%M}"
    plan = example(ProposeMilestone, due=(story.now + timedelta(days=90)).date())
    story.when(OURS, plan, happened=claimed)
    recorded = story.now
    answer = f"Milestone/{plan.proposal}"

    assert passed(DeadlineKind.ANSWER, story.wait(days=14)) == []
    assert passed(DeadlineKind.ANSWER, story.wait(days=1)) == [answer]
    assert story.history[-1].act.occurred_at.date() == recorded.date() + timedelta(days=15)


# --- issues ------------------------------------------------------------------------------------


def test_an_issue_open_for_47_hours_59_is_not_escalated_and_at_48_hours_it_is() -> None:
    story = after(RaiseIssue)
    raised = story.now

    early = story.wait(hours=47, minutes=59)
    on_time = story.wait(minutes=1)

    assert of(IssueEscalated, early) == []
    assert of(IssueEscalated, on_time) == [
        IssueEscalated(issue="I-1", raised_at=raised, step=1, to=Office.SPONSOR)
    ]
    assert story.history[-1].act.party == CLOCK_PARTY
    assert story.history[-1].act.occurred_at == raised + timedelta(hours=48)


def test_an_issue_resolved_in_time_is_not_escalated() -> None:
    story = after(AgreeIssueResolution)

    assert of(IssueEscalated, story.wait(days=10)) == []


def test_an_issue_is_escalated_once_and_may_still_be_resolved() -> None:
    story = after(RaiseIssue)

    assert len(of(IssueEscalated, story.wait(days=10))) == 1
    assert story.agree(OURS, example(ProposeIssueResolution))
    assert of(IssueEscalated, story.wait(days=10)) == []


def test_an_issue_raised_late_counts_from_when_it_arose() -> None:
    story = at(Stage.EXECUTION)
    story.on("2026-03-10")

    story.when(OURS, example(RaiseIssue), happened="2026-03-01")

    assert len(of(IssueEscalated, story.wait())) == 1


# --- milestones and reviews --------------------------------------------------------------------


def test_a_milestone_is_missed_once_its_last_day_is_over() -> None:
    story = after(AgreeMilestone)

    in_time = story.on("2026-01-19T23:59")
    late = story.on("2026-01-20T00:00")

    assert of(MilestoneMissed, in_time) == []
    assert of(MilestoneMissed, late) == [
        MilestoneMissed(milestone="creative-final", due=date(2026, 1, 19), party=OURS)
    ]


def test_a_milestone_reached_in_time_is_not_missed() -> None:
    story = after(AgreeMilestoneReached)

    assert of(MilestoneMissed, story.on("2026-03-01")) == []


def test_a_review_is_missed_once_its_day_is_over() -> None:
    story = after(AgreeReview)

    in_time = story.on("2026-01-30T23:59")
    late = story.on("2026-01-31T00:00")

    at_ten = datetime(2026, 1, 30, 10, tzinfo=UTC)
    assert of(ReviewMissed, in_time) == []
    assert of(ReviewMissed, late) == [ReviewMissed(review="operations-1", at=at_ten)]


def test_a_review_that_was_held_is_not_missed() -> None:
    story = after(AgreeReviewHeld)

    assert of(ReviewMissed, story.on("2026-03-01")) == []


def test_a_review_that_one_party_says_was_held_is_missed_once_the_other_says_no() -> None:
    story = before(ProposeReviewHeld)
    story.when(OURS, example(ProposeReviewHeld))

    assert of(ReviewMissed, story.on("2026-02-05")) == []
    no = DeclineProposal(proposal="held-1", reason="Nobody came.")
    story.when(THEIRS, no)
    story.wait()

    assert [each.review for each in story.facts(ReviewMissed)] == ["operations-1"]


# --- periods -----------------------------------------------------------------------------------


def test_months_and_quarters_close_from_the_kickoff_on_until_the_exit() -> None:
    story = at(Stage.EXECUTION)

    closed = [
        each.period for each in story.on("2026-07-01T00:00") if isinstance(each, PeriodClosed)
    ]

    first_quarter = ["2026-01", "2026-02", "2026-03", "2026-Q1"]
    assert closed == [*first_quarter, "2026-04", "2026-05", "2026-06", "2026-Q2"]
    ended = after(AgreeCompletion)
    # What the final settlement states stays due; nothing else does.
    passed = DeadlinePassed(kind=DeadlineKind.STATEMENT, ref="S-1:USD", party=OURS)
    assert [each for each in ended.wait(days=400) if each != passed] == [
        ReminderGiven(
            kind=DeadlineKind.STATEMENT, ref="S-1:USD", due=date(2026, 12, 31), party=OURS
        )
    ]


def test_what_passed_during_a_stop_is_recorded_in_its_order_and_at_its_own_time() -> None:
    story = after(RaiseIssue)
    begun = len(story.history)

    story.on("2027-01-01")
    occurred = [each.act.occurred_at for each in story.history[begun:]]

    assert occurred == sorted(occurred)
    assert {each.act.recorded_at for each in story.history[begun:]} == {moment("2027-01-01")}


def test_letting_time_pass_records_only_the_deadlines_that_passed() -> None:
    story = after(RaiseIssue)
    story.now += timedelta(days=3)

    assert story.when(OURS, PassTime()) == []
    assert len(story.facts(IssueEscalated)) == 1


def test_new_terms_change_the_cadence_that_they_name_and_leave_the_others() -> None:
    story = at(Stage.EXECUTION)
    both = Cadence(operational="monthly", strategic="quarterly")
    amend(story, share(), since=date(2026, 1, 6), cadence=both)

    amend(story, since=date(2026, 1, 7), cadence=Cadence(operational="weekly"))

    def spans() -> dict[str, str]:
        open_ = story.partnership.deadlines.values()
        return {each.ref: each.span for each in open_ if each.kind is DeadlineKind.CADENCE}

    assert spans() == {"operational": "P1W", "strategic": "P3M"}
    amend(story, since=date(2026, 1, 8), cadence=Cadence(strategic="none"))
    assert spans() == {"operational": "P1W"}


# --- the term ----------------------------------------------------------------------------------


def test_the_last_day_of_60_days_notice_before_2029_01_01_is_2028_11_02() -> None:
    story = at(Stage.EXECUTION)
    story.on("2028-10-01")

    warned = story.on("2028-10-03T00:00")
    last_day = story.on("2028-11-02T23:59")
    over = story.on("2028-11-03T00:00")

    assert timedelta(days=30) == WARN_OF_NOTICE
    assert passed(DeadlineKind.NOTICE_WARNING, warned) == ["2028-11-02"]
    assert passed(DeadlineKind.NOTICE, last_day) == []
    assert passed(DeadlineKind.NOTICE, over) == ["2028-11-02"]


def test_a_term_of_three_years_from_2026_01_01_ends_as_2029_01_01_begins() -> None:
    story = at(Stage.EXECUTION)

    assert passed(DeadlineKind.TERM_END, story.on("2028-12-31T23:59")) == []
    assert passed(DeadlineKind.TERM_END, story.on("2029-01-01T00:00")) == ["2029-01-01"]


def renew(story: Story, duration: str) -> None:
    story.when(OURS, example(HoldRenewalReview))
    story.when(OURS, ProposeRenewal(proposal="renewal", duration=duration))
    story.when(THEIRS, AcceptRenewal(proposal="renewal"))


@pytest.mark.parametrize("day", ["2028-06-01", "2028-12-01", "2029-03-01"])
def test_a_renewal_moves_the_end_and_the_notice_even_if_it_comes_late(day: str) -> None:
    story = at(Stage.EXECUTION)
    story.on(day)

    renew(story, "P1Y")
    before_the_end = story.on("2029-12-31T23:59")

    assert passed(DeadlineKind.TERM_END, before_the_end) == []
    assert passed(DeadlineKind.NOTICE_WARNING, before_the_end) == ["2029-11-02"]
    assert passed(DeadlineKind.NOTICE, before_the_end) == ["2029-11-02"]
    assert passed(DeadlineKind.TERM_END, story.on("2030-01-01T00:00")) == ["2030-01-01"]


def test_amended_terms_move_the_end_and_the_notice() -> None:
    story = at(Stage.EXECUTION)
    amend(story, since=date(2026, 2, 1), duration="P1Y", notice="P30D")
    events = story.on("2029-06-01")

    assert passed(DeadlineKind.NOTICE, events) == ["2026-12-02"]
    assert passed(DeadlineKind.TERM_END, events) == ["2027-01-01"]


def test_after_notice_only_the_exit_is_waited_for() -> None:
    story = after(GiveExitNotice)

    events = story.on("2031-01-01")

    assert passed(DeadlineKind.EXIT, events) == ["2026-12-01"]
    assert passed(DeadlineKind.NOTICE, events) == passed(DeadlineKind.TERM_END, events) == []


def test_an_improvement_plans_deadline_goes_by_after_its_last_day() -> None:
    story = after(AgreeImprovementPlan)

    assert passed(DeadlineKind.IMPROVEMENT, story.on("2026-03-31T23:59")) == []
    assert passed(DeadlineKind.IMPROVEMENT, story.on("2026-04-01T00:00")) == ["plan-1"]


def test_an_improvement_plan_that_both_moved_does_not_go_by_on_its_old_day() -> None:
    story = after(AgreeImprovementPlan)
    later = example(
        ProposeImprovementPlan,
        proposal="plan-1b",
        deadline=date(2026, 4, 30),
        reason="The new colleague starts in April.",
    )
    unsaid = later.model_copy(update={"reason": None})
    assert story.refuses(THEIRS, unsaid).rule == "change-needs-reason"

    story.when(THEIRS, later)
    alone = story.copy()
    story.when(OURS, AgreeImprovementPlan(proposal="plan-1b"))

    assert passed(DeadlineKind.IMPROVEMENT, alone.on("2026-04-01T00:00")) == ["plan-1"]
    assert passed(DeadlineKind.IMPROVEMENT, story.on("2026-04-30T23:59")) == []
    assert passed(DeadlineKind.IMPROVEMENT, story.on("2026-05-01T00:00")) == ["plan-1"]


def test_a_deadline_is_due_at_the_first_moment_at_which_it_has_passed() -> None:
    story = at(Stage.EXECUTION)

    due = {each.id: each.due for each in story.partnership.deadlines.values()}

    assert due == {
        "period/2026-01": midnight(date(2026, 2, 1)),
        "objective/co-branded-revenue": midnight(date(2027, 1, 1)),
        "objective/new-users": midnight(date(2027, 1, 1)),
        "objective/subscribers": midnight(date(2027, 1, 1)),
        "notice-warning/2028-11-02": midnight(date(2028, 10, 3)),
        "notice/2028-11-02": midnight(date(2028, 11, 3)),
        "term-end/2029-01-01": midnight(date(2029, 1, 1)),
    }


# --- the table ---------------------------------------------------------------------------------


def test_the_table_has_one_rule_for_each_kind_of_deadline() -> None:
    others = {DeadlineKind.REMINDER}  # They are of another deadline, and have its rule.

    assert sorted(rule.kind for rule in RULES) == sorted(set(DeadlineKind) - others)


REFS = {
    DeadlineKind.PERIOD: "2026-02",
    DeadlineKind.EXIT: "2026-12-01",
    DeadlineKind.ANSWER: "Charter/charter-1",
    DeadlineKind.LAPSE: "Charter/charter-1",
    DeadlineKind.SIGNATURE: "2/acme",
    DeadlineKind.FIGURE: "new_users/-/2026-01",
}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.kind)
def test_what_records_a_passed_deadline_names_that_deadline(rule: DeadlineRule) -> None:
    ref = REFS.get(rule.kind, "some-ref")
    day = datetime(2026, 3, 1, tzinfo=UTC)
    deadline = Deadline(day, rule.kind, ref, day, "P1M", day.date())

    (event,) = rule.passing.events(deadline)

    assert isinstance(event, rule.passing.event)
    assert rule.passing.ref(event) == ref
    assert words(event)
    assert (
        deadline
        not in evolve(
            {deadline.id: deadline}, event, clock_act(day, day), TermsByDay(), ()
        ).values()
    )
    if rule.alert:
        assert rule.alert.text(event)
