"""Execution: milestones, reviews, issues and improvement (C16, C17, C20 to C24)."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest

from domain.bilateral import DeclineProposal, ProposalLapsed, WithdrawProposal
from domain.execution import (
    AgreeImprovementPlan,
    AgreeMilestone,
    AgreeMilestoneReached,
    AgreeReviewHeld,
    CompleteOnboardingStep,
    CompleteTraining,
    DiagnoseRootCause,
    ImprovementPlanAgreed,
    IncentiveIntroduced,
    IntroduceIncentive,
    IssueRaised,
    LessonRecorded,
    MilestoneMissed,
    MilestoneReached,
    OnboardingStepCompleted,
    ProposeImprovementPlan,
    ProposeIssueResolution,
    ProposeMilestone,
    ProposeMilestoneReached,
    ProposeReview,
    ProposeReviewHeld,
    RaiseIssue,
    ReachMilestone,
    RecordLesson,
    ReviewHeld,
    RootCauseDiagnosed,
    TrainingCompleted,
    plan_deadline,
)
from domain.kernel import Command, Event, Stage
from domain.terms import Cadence
from tests.life import EXAMPLES, OURS, THEIRS, after, at, before, changed, example
from tests.projections.folds import alerts, states
from tests.projections.money import amend, share
from tests.stories import Story, moment

LAUNCH = example(ProposeMilestone, proposal="plan-launch", milestone="launch", owner=None)
LAUNCHED = example(ProposeMilestoneReached)
MET = ProposeReviewHeld(
    proposal="met", review="by-chance", kind="operational", minutes="We met at a fair."
)

ONCE = [
    (RecordLesson, LessonRecorded, {"text": "Something else"}),
    (IntroduceIncentive, IncentiveIntroduced, {"description": "Something else"}),
    (DiagnoseRootCause, RootCauseDiagnosed, {"finding": "Something else"}),
    (CompleteOnboardingStep, OnboardingStepCompleted, {"plan_day": 60}),
    (CompleteTraining, TrainingCompleted, {"attendees": 9}),
    (RaiseIssue, IssueRaised, {"description": "Something else"}),
]


@pytest.mark.parametrize(("command", "fact", "otherwise"), ONCE)
def test_a_declaration_is_recorded_once_and_cannot_change(
    command: type[Command], fact: type[Event], otherwise: dict[str, object]
) -> None:
    story = after(command)
    party = EXAMPLES[command].party

    assert story.when(party, example(command)) == []
    assert story.refuses(party, example(command, **otherwise)).rule == "already-recorded"
    assert len(story.facts(fact)) == 1


def test_each_side_completes_its_own_onboarding() -> None:
    story = before(CompleteOnboardingStep)
    brand = example(CompleteOnboardingStep, step="brand-guidelines")
    story.when(THEIRS, brand)

    assert story.when(OURS, changed(brand, plan_day=60)) != []


@pytest.mark.parametrize(
    ("command", "field"),
    [
        (ReachMilestone, "milestone"),
        (ProposeReviewHeld, "review"),
        (ProposeIssueResolution, "issue"),
    ],
)
def test_only_what_was_begun_can_be_done(command: type[Command], field: str) -> None:
    story = after(AgreeMilestone)

    refusal = story.refuses(OURS, example(command, **{field: "unknown"}))

    assert refusal.rule == "nothing-planned"


def test_a_review_is_held_without_having_been_scheduled_and_counts_for_its_cadence() -> None:
    story = at(Stage.EXECUTION)
    amend(story, share(), since=date(2026, 1, 6), cadence=Cadence(operational="monthly"))
    story.on("2026-02-01")
    story.when(OURS, MET)
    met = story.now
    assert story.facts(ReviewHeld) == []
    story.wait(days=3)

    [held] = story.when(THEIRS, AgreeReviewHeld(proposal="met"))

    assert isinstance(held, ReviewHeld)
    assert (held.kind, held.held_at) == ("operational", met)
    assert story.partnership.deadlines["cadence/operational"].since == met
    story.on("2026-02-20")
    assert "cadence-missed operational" not in states(story)
    story.on("2026-03-05")
    assert states(story)["cadence-missed operational"] == "open"


def test_a_cadence_that_is_missed_again_and_again_keeps_its_day_of_the_week() -> None:
    story = at(Stage.EXECUTION)
    amend(story, share(), since=date(2026, 1, 6), cadence=Cadence(operational="weekly"))
    days = []
    for _ in range(3):
        days.append(story.partnership.deadlines["cadence/operational"].last_day)
        story.on(f"{days[-1] + timedelta(days=1)}")

    assert [(after_ - before_).days for before_, after_ in pairwise(days)] == [7, 7]


def test_a_cadence_that_is_missed_twice_is_listed_twice() -> None:
    story = at(Stage.EXECUTION)
    amend(story, share(), since=date(2026, 1, 6), cadence=Cadence(operational="monthly"))
    story.on("2026-02-20")
    first = alerts(story)["cadence-missed operational"]
    assert (first.state, first.earlier) == ("open", None)
    story.agree(OURS, changed(MET, review="late"))
    story.on("2026-04-10")

    second = alerts(story)["cadence-missed operational"]

    assert second.state == "open"
    assert second.since > first.since
    assert second.earlier is not None
    assert (second.earlier.since, second.earlier.until) == (first.since, moment("2026-02-20"))
    assert second.earlier.ended == "Review late was held."
    late = changed(MET, proposal="late-word", review="late-word")
    story.agree(OURS, late, happened="2026-03-10")
    # The second miss was none, and the first one was.
    taken_back = alerts(story)["cadence-missed operational"]
    assert (taken_back.state, taken_back.since) == ("resolved", first.since)


def test_a_scheduled_review_has_its_kind_already() -> None:
    story = before(ProposeReviewHeld)

    refusal = story.refuses(OURS, example(ProposeReviewHeld, kind="strategic"))

    assert refusal.rule == "review-of-another-kind"
    [held] = story.agree(OURS, example(ProposeReviewHeld, kind=None))
    assert isinstance(held, ReviewHeld)
    assert held.kind == "operational"


def test_one_side_cannot_record_a_review_as_held_before_the_day_that_both_agreed() -> None:
    story = at(Stage.EXECUTION)
    agreed = example(ProposeReview, at=datetime(2026, 3, 30, 10, tzinfo=UTC))
    story.agree(OURS, agreed)
    held = example(ProposeReviewHeld, review=agreed.review)

    for side in (OURS, THEIRS):
        assert story.refuses(side, held).rule == "before-its-day"
    sooner = changed(held, proposal="sooner", review="sooner", kind=agreed.kind)
    assert story.when(OURS, sooner)
    story.on("2026-03-30T00:00")
    assert story.when(OURS, held)


def test_a_review_that_both_moved_is_held_on_its_new_day() -> None:
    story = at(Stage.EXECUTION)
    agreed = example(ProposeReview, at=datetime(2026, 3, 30, 10, tzinfo=UTC))
    story.agree(OURS, agreed)
    day = datetime(2026, 3, 20, 10, tzinfo=UTC)
    story.agree(THEIRS, changed(agreed, proposal="moved", at=day, reason="Easter."))
    held = example(ProposeReviewHeld, review=agreed.review)
    story.on("2026-03-19T12:00")
    assert story.refuses(OURS, held).facts["agreed_for"] == "2026-03-20"

    story.on("2026-03-20T00:00")

    assert story.when(OURS, held)


def test_a_milestone_is_reached_by_its_owner_alone_as_both_agreed_it() -> None:
    story = at(Stage.EXECUTION)
    planned = example(ProposeMilestone, owner=THEIRS)
    story.agree(OURS, planned)
    reach = ReachMilestone(milestone=planned.milestone)

    refusal = story.refuses(OURS, reach)

    assert (refusal.rule, refusal.facts["owner"]) == ("not-the-owner", THEIRS)
    moved = changed(planned, proposal="to-us", owner=OURS, reason="We do it now.")
    story.agree(THEIRS, moved)
    assert story.refuses(THEIRS, reach).rule == "not-the-owner"
    assert story.when(OURS, reach)
    assert story.refuses(THEIRS, reach).rule == "not-the-owner"


def with_milestone_of_both() -> Story:
    story = at(Stage.EXECUTION)
    story.agree(OURS, LAUNCH)
    return story


def awaits(story: Story) -> str:
    """Return the party that a deadline of both awaits; empty if it awaits both."""
    return story.partnership.deadlines["milestone/launch"].party


def test_a_milestone_of_both_is_reached_once_both_say_so() -> None:
    for one, other in ((OURS, THEIRS), (THEIRS, OURS)):
        story = with_milestone_of_both()
        assert story.refuses(one, ReachMilestone(milestone="launch")).rule == "milestone-of-both"

        story.when(one, LAUNCHED)

        assert story.facts(MilestoneReached) == []
        assert story.refuses(one, AgreeMilestoneReached(proposal="launched")).rule == "own-proposal"
        assert awaits(story) == other
        assert story.when(other, AgreeMilestoneReached(proposal="launched")) == [
            MilestoneReached(proposal="launched", milestone="launch")
        ]
        assert story.partnership.execution.milestones["launch"].done is not None
        assert story.on("2026-03-01") != []
        assert story.facts(MilestoneMissed) == []


def test_the_other_party_can_say_that_a_milestone_of_both_is_not_reached() -> None:
    story = with_milestone_of_both()
    story.when(OURS, LAUNCHED)

    story.when(THEIRS, DeclineProposal(proposal="launched", reason="The page is not live."))

    assert awaits(story) == ""
    story.when(THEIRS, changed(LAUNCHED, proposal="live"))
    assert awaits(story) == OURS
    story.when(THEIRS, WithdrawProposal(proposal="live", reason="Not yet."))
    assert awaits(story) == ""


def test_a_milestone_of_both_awaits_both_while_each_awaits_the_answer_of_the_other() -> None:
    story = with_milestone_of_both()
    story.when(OURS, LAUNCHED)
    story.when(THEIRS, changed(LAUNCHED, proposal="live"))
    assert awaits(story) == ""

    story.when(OURS, AgreeMilestoneReached(proposal="live"))

    assert [each.proposal for each in story.facts(ProposalLapsed)] == ["launched"]
    again = changed(LAUNCHED, proposal="again")
    assert story.refuses(OURS, again).rule == "milestone-reached"


def test_a_milestone_that_is_planned_again_is_to_be_said_again() -> None:
    story = with_milestone_of_both()
    story.when(OURS, LAUNCHED)
    ours = changed(LAUNCH, proposal="ours", owner=OURS, reason="We do it alone.")

    story.agree(OURS, ours)

    assert [each.proposal for each in story.facts(ProposalLapsed)] == ["launched"]
    assert awaits(story) == OURS
    refusal = story.refuses(OURS, changed(LAUNCHED, proposal="live"))
    assert (refusal.rule, refusal.facts["owner"]) == ("not-of-both", OURS)
    story.when(OURS, ReachMilestone(milestone="launch"))
    both = changed(LAUNCH, proposal="both", due=date(2026, 6, 1), reason="A second launch.")
    story.agree(OURS, both)
    assert story.when(OURS, changed(LAUNCHED, proposal="second"))


def test_other_minutes_of_a_review_ask_for_the_reason_of_the_change() -> None:
    story = after(AgreeReviewHeld)
    late = example(ProposeReviewHeld, proposal="late", minutes="All is late.")

    assert story.refuses(OURS, late).rule == "change-needs-reason"
    no_review = changed(late, review="none", kind="operational", reason="It is late.")
    assert story.refuses(OURS, no_review).rule == "nothing-to-change"


def test_both_correct_the_minutes_of_a_review_and_nothing_falls_due_anew() -> None:
    story = at(Stage.EXECUTION)
    amend(story, share(), since=date(2026, 1, 6), cadence=Cadence(operational="monthly"))
    story.agree(OURS, MET)
    due, met = story.partnership.deadlines, story.now
    story.wait(days=2)
    right = {"proposal": "right", "minutes": "We met in Lyon.", "reason": "The place."}

    corrected = story.agree(THEIRS, changed(MET, kind=None, **right))[0]

    assert isinstance(corrected, ReviewHeld)
    assert (corrected.kind, corrected.minutes) == ("operational", "We met in Lyon.")
    assert (corrected.held_at, corrected.agreed_version) == (met, 2)
    assert story.partnership.deadlines == due


def test_a_review_that_is_agreed_late_leaves_a_later_one_the_last() -> None:
    story = at(Stage.EXECUTION)
    amend(story, share(), since=date(2026, 1, 6), cadence=Cadence(operational="monthly"))
    story.when(OURS, MET)
    story.wait(days=5)
    story.agree(OURS, changed(MET, proposal="again", review="again"))
    again = story.now
    story.wait(days=1)

    story.when(THEIRS, AgreeReviewHeld(proposal="met"))

    assert story.partnership.deadlines["cadence/operational"].since == again


def test_a_milestone_may_still_be_reached_after_its_day() -> None:
    story = after(AgreeMilestone)
    story.on("2026-02-01")

    reached = story.when(OURS, example(ReachMilestone))

    assert reached == [MilestoneReached(milestone="creative-final")]


def test_an_improvement_plan_answers_a_diagnosis() -> None:
    story = before(ProposeImprovementPlan, without=DiagnoseRootCause)

    refusal = story.refuses(OURS, example(ProposeImprovementPlan))
    story.when(THEIRS, example(DiagnoseRootCause))
    story.when(OURS, example(ProposeImprovementPlan))

    assert refusal.rule == "diagnose-first"


def test_an_improvement_plan_binds_once_the_other_party_agrees() -> None:
    story = after(ProposeImprovementPlan)

    assert story.refuses(OURS, example(AgreeImprovementPlan)).rule == "own-proposal"
    agreed = story.when(THEIRS, example(AgreeImprovementPlan))

    proposed = example(ProposeImprovementPlan)
    assert agreed == [ImprovementPlanAgreed.of(proposed, agreed_version=1)]
    assert plan_deadline(story.partnership.context.agreements) == proposed.deadline
    assert story.when(THEIRS, example(AgreeImprovementPlan)) == []


def test_an_improvement_plan_has_a_last_day_that_is_still_to_come() -> None:
    story = before(ProposeImprovementPlan)
    today = story.now.date()
    over = example(ProposeImprovementPlan, deadline=today - timedelta(days=1))
    assert story.refuses(OURS, over).rule == "deadline-has-passed"
    soon = example(ProposeImprovementPlan, deadline=today + timedelta(days=1))
    story.when(OURS, soon)
    story.wait(days=2)

    refusal = story.refuses(THEIRS, AgreeImprovementPlan(proposal=soon.proposal))

    assert refusal.rule == "proposal-lapsed"


@pytest.mark.parametrize("stage", [Stage.SCALING, Stage.RENEWAL])
def test_work_goes_on_while_the_partnership_scales_or_renews(stage: Stage) -> None:
    story = at(stage)

    later = {"proposal": "later", "milestone": "later", "due": date(2027, 1, 1)}
    story.when(OURS, example(ProposeMilestone, **later))
    assert story.when(THEIRS, AgreeMilestone(proposal="later"))
    assert story.partnership.stage is stage
