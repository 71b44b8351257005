"""Execution: milestones, reviews, issues and improvement (C16, C17, C20 to C24)."""

from datetime import date

import pytest

from domain.execution import (
    AgreeImprovementPlan,
    AgreeMilestone,
    CompleteOnboardingStep,
    CompleteTraining,
    DiagnoseRootCause,
    HoldReview,
    ImprovementPlanAgreed,
    IncentiveIntroduced,
    IntroduceIncentive,
    IssueRaised,
    LessonRecorded,
    MilestoneReached,
    OnboardingStepCompleted,
    ProposeImprovementPlan,
    ProposeIssueResolution,
    ProposeMilestone,
    RaiseIssue,
    ReachMilestone,
    RecordLesson,
    ReviewHeld,
    RootCauseDiagnosed,
    TrainingCompleted,
    plan_deadline,
)
from domain.kernel import Command, Event, Stage
from tests.life import EXAMPLES, OURS, THEIRS, after, at, before, example

ONCE = [
    (RecordLesson, LessonRecorded, {"text": "Something else"}),
    (IntroduceIncentive, IncentiveIntroduced, {"description": "Something else"}),
    (DiagnoseRootCause, RootCauseDiagnosed, {"finding": "Something else"}),
    (CompleteOnboardingStep, OnboardingStepCompleted, {"plan_day": 60}),
    (CompleteTraining, TrainingCompleted, {"attendees": 9}),
    (RaiseIssue, IssueRaised, {"description": "Something else"}),
    (HoldReview, ReviewHeld, {"minutes": "Something else"}),
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
    story = after(CompleteOnboardingStep)

    assert story.when(OURS, example(CompleteOnboardingStep, plan_day=60)) != []


@pytest.mark.parametrize(
    ("command", "field"),
    [(ReachMilestone, "milestone"), (HoldReview, "review"), (ProposeIssueResolution, "issue")],
)
def test_only_what_was_begun_can_be_done(command: type[Command], field: str) -> None:
    story = after(AgreeMilestone)

    refusal = story.refuses(OURS, example(command, **{field: "unknown"}))

    assert refusal.rule == "nothing-planned"


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


@pytest.mark.parametrize("stage", [Stage.SCALING, Stage.RENEWAL])
def test_work_goes_on_while_the_partnership_scales_or_renews(stage: Stage) -> None:
    story = at(stage)

    later = {"proposal": "later", "milestone": "later", "due": date(2027, 1, 1)}
    story.when(OURS, example(ProposeMilestone, **later))
    assert story.when(THEIRS, AgreeMilestone(proposal="later"))
    assert story.partnership.stage is stage
