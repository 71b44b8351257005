"""Deadlines of what both plan: milestones, actions, onboarding, issues, plans and objectives."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date, datetime
from operator import attrgetter
from typing import Final

from domain.deadlines.deadline import Deadline, DeadlineKind, end_of_day
from domain.deadlines.rule import (
    EXIT_TAKES_EFFECT,
    Around,
    Closing,
    DeadlineAlert,
    DeadlineRule,
    Passing,
    cancels,
    closes,
    opens,
    opens_several,
    passes,
    records,
    replaces,
    until_exit,
)
from domain.execution import (
    ActionAgreed,
    ActionCompleted,
    ActivityPaused,
    CampaignAgreed,
    CampaignClosed,
    ImprovementPlanAgreed,
    ImprovementPlanCompleted,
    IssueEscalated,
    IssueRaised,
    IssueResolved,
    MilestoneMissed,
    MilestonePlanned,
    MilestoneReached,
    OnboardingStepAgreed,
    OnboardingStepCompleted,
)
from domain.formation import CharterAgreed
from domain.health import ContributionPromised, ContributionRecorded, TargetAdjusted
from domain.kernel import Act, Event
from domain.response import Office, Response, Severity
from domain.terms_by_day import TermsByDay
from domain.values import full_stop

ISSUE_ESCALATED: Final = "issue-escalated"
"""The alert of an issue that went to the next office (C24)."""


def _escalation(event: IssueRaised, act: Act, terms: TermsByDay, _: Around) -> Iterator[Deadline]:
    """Yield the first step of an escalation; words that are corrected change nothing of it."""
    if event.change_reason is None:
        yield from _step(0, event.issue, act.occurred_at, act.occurred_at, terms)


def _next_step(
    event: IssueEscalated, act: Act, terms: TermsByDay, around: Around
) -> Iterator[Deadline]:
    """Yield the step after one that came, if the terms have another."""
    for step in _step(event.step, event.issue, event.raised_at, act.occurred_at, terms):
        passed = around.open.get(step.id)
        yield step._replace(said=passed.said, party=passed.party) if passed else step


def _step(
    step: int, issue: str, raised: datetime, since: datetime, terms: TermsByDay
) -> Iterator[Deadline]:
    """Yield a step under the terms of the day on which the issue was raised."""
    agreed = terms.escalation(terms.day(raised))
    if step < len(agreed.steps):
        due = agreed.passes(step, since, terms.zone(raised))
        to = agreed.steps[step].to
        day = terms.day(due)
        yield Deadline(due, DeadlineKind.ISSUE, issue, raised, step=step, to=to, local_day=day)


def _escalated(deadline: Deadline) -> list[Event]:
    to = deadline.to or Office.SPONSOR
    return [
        IssueEscalated(issue=deadline.ref, raised_at=deadline.since, step=deadline.step + 1, to=to)
    ]


def _objectives(event: CharterAgreed, act: Act, terms: TermsByDay, _: Around) -> Iterator[Deadline]:
    """Yield the deadline of each objective of a new charter, if it is still to come (C8)."""
    for each in event.charter.objectives:
        deadline = end_of_day(DeadlineKind.OBJECTIVE, each.objective, each.deadline, terms)
        if deadline.due > act.occurred_at:
            yield deadline


def _campaign_start(
    event: CampaignAgreed, act: Act, terms: TermsByDay, _: Around
) -> Iterator[Deadline]:
    """Yield the first day of a campaign, if it is still to come (C17)."""
    first = end_of_day(DeadlineKind.CAMPAIGN_START, event.campaign, event.first_day, terms)
    if first.since > act.occurred_at:
        yield first._replace(party=event.owner)


def _pause_over(event: ActivityPaused, _: Act, terms: TermsByDay, __: Around) -> Iterator[Deadline]:
    """Yield the last day of a pause (C23). Older records have pauses without one."""
    if event.last_day is not None:
        yield end_of_day(DeadlineKind.PAUSE, event.pause, event.last_day, terms)


_Task = MilestonePlanned | ActionAgreed | OnboardingStepAgreed | ContributionPromised


def _task(
    kind: DeadlineKind,
    events: tuple[type[_Task], type[Event]],
    words: tuple[str, str, str],
    alert: DeadlineAlert,
    passing: Passing | None = None,
) -> DeadlineRule:
    """Return the rule of something that both agree with a day and an owner, and that is then done.

    `events` are its agreement and its completion; `words` are the field that names it, what it is,
    and how its completion is said.
    """
    agreed, done = events
    name, what, ended = words
    named = attrgetter(name)
    return DeadlineRule(
        kind,
        opened_by=(
            opens(
                agreed,
                lambda e, _, terms: end_of_day(kind, named(e), e.due, terms)._replace(
                    party=e.owner or ""
                ),
            ),
        ),
        passing=passing or passes(kind),
        closed_by=(
            closes(done, named, lambda e: f"{what} {named(e)} was {ended}."),
            closes(agreed, named, lambda e: f"{what} {named(e)} was moved to {e.due}."),
            cancels(name),
        ),
        alert=alert,
        reminds_of=f"{what} {{ref}} is due by {{day}}.",
    )


def _campaign_ends(day_of: Callable[[CampaignAgreed], date]) -> tuple[Closing, ...]:
    """Return what ends a day of a campaign: it is closed, moved or given up, or the exit comes."""
    return (
        closes(
            CampaignClosed,
            lambda e: e.campaign,
            lambda e: f"Campaign {e.campaign} was closed: {full_stop(e.outcome)}",
        ),
        closes(
            CampaignAgreed,
            lambda e: e.campaign,
            lambda e: f"Campaign {e.campaign} was moved to {day_of(e)}.",
        ),
        cancels("campaign"),
        EXIT_TAKES_EFFECT,
    )


RULES = (
    until_exit(
        replace(
            _task(
                DeadlineKind.MILESTONE,
                (MilestonePlanned, MilestoneReached),
                ("milestone", "Milestone", "reached"),
                DeadlineAlert(
                    "milestone-missed",
                    "a milestone is reached by the end of its day (C17)",
                    Response(Severity.WARNING, "The plan of both parties slips."),
                    lambda e: f"Milestone {e.milestone} was due on {e.due}.",
                    about="milestone",
                ),
                passing=records(
                    MilestoneMissed,
                    lambda e: e.milestone,
                    lambda each: [
                        MilestoneMissed(
                            milestone=each.ref, due=each.last_day, party=each.party or None
                        )
                    ],
                ),
            ),
            both=MilestoneReached,
        )
    ),
    _task(
        DeadlineKind.ACTION,
        (ActionAgreed, ActionCompleted),
        ("action", "Action", "done"),
        DeadlineAlert(
            "action-overdue",
            "an action is done by its day (C22)",
            Response(Severity.WARNING, "Something that a party promised is not done."),
            lambda e: f"Action {e.ref} was not done by its day.",
            about="action",
        ),
    ),
    until_exit(
        _task(
            DeadlineKind.ONBOARDING,
            (OnboardingStepAgreed, OnboardingStepCompleted),
            ("step", "Onboarding step", "completed"),
            DeadlineAlert(
                "onboarding-overdue",
                "a step of the onboarding plan is completed by its day (C16)",
                Response(Severity.WARNING, "People cannot yet work as both planned."),
                lambda e: f"Onboarding step {e.ref} was not completed by its day.",
                about="step",
            ),
        )
    ),
    until_exit(
        _task(
            DeadlineKind.CONTRIBUTION,
            (ContributionPromised, ContributionRecorded),
            ("contribution", "Contribution", "given"),
            DeadlineAlert(
                "contribution-overdue",
                "a promised contribution is given by the end of its period (C9)",
                Response(Severity.WARNING, "A party gives less than it promised."),
                lambda e: f"Contribution {e.ref} was not given in its period.",
                about="contribution",
            ),
        )
    ),
    # Whether it begins, nobody has to say.
    DeadlineRule(
        DeadlineKind.CAMPAIGN_START,
        opened_by=(opens_several(CampaignAgreed, _campaign_start),),
        passing=passes(DeadlineKind.CAMPAIGN_START),
        closed_by=_campaign_ends(lambda e: e.first_day),
        reminds_of="The first day of campaign {ref} is {day}.",
        at_its_moment=True,
    ),
    DeadlineRule(
        DeadlineKind.CAMPAIGN,
        opened_by=(
            opens(
                CampaignAgreed,
                lambda e, _, terms: end_of_day(
                    DeadlineKind.CAMPAIGN, e.campaign, e.last_day, terms
                )._replace(party=e.owner),
            ),
        ),
        passing=passes(DeadlineKind.CAMPAIGN),
        closed_by=_campaign_ends(lambda e: e.last_day),
        alert=DeadlineAlert(
            "campaign-over",
            "a campaign is closed once its last day has passed (C17)",
            Response(Severity.WARNING, "Nobody has said what it brought.", Office.MARKETING),
            lambda e: f"Campaign {e.ref} is over, and it is not closed.",
            about="campaign",
        ),
        reminds_of="The last day of campaign {ref} is {day}.",
    ),
    DeadlineRule(
        DeadlineKind.ISSUE,
        opened_by=(
            opens_several(IssueRaised, _escalation),
            opens_several(IssueEscalated, _next_step),
        ),
        passing=Passing(IssueEscalated, lambda e: e.issue, _escalated),
        closed_by=(
            closes(IssueResolved, lambda e: e.issue, lambda e: f"Issue {e.issue} was resolved."),
        ),
        reminds_of="Issue {ref} goes to the next office unless it is resolved by {day}.",
        if_far=True,
        alert=DeadlineAlert(
            ISSUE_ESCALATED,
            "an issue is resolved in the agreed hours, or goes to the next office (C24)",
            Response(
                Severity.CRITICAL, "Those who had it did not resolve it in time.", Office.SPONSOR
            ),
            lambda e: f"Issue {e.issue} was not resolved in time and is escalated to {e.goes_to}.",
            about="issue",
            to=lambda e: e.to,
        ),
        both=IssueResolved,
    ),
    DeadlineRule(
        DeadlineKind.IMPROVEMENT,
        opened_by=(
            opens(
                ImprovementPlanAgreed,
                lambda e, _, terms: end_of_day(DeadlineKind.IMPROVEMENT, e.plan, e.deadline, terms),
            ),
        ),
        passing=passes(DeadlineKind.IMPROVEMENT),
        closed_by=(
            closes(
                ImprovementPlanCompleted,
                lambda e: e.plan,
                lambda e: f"Improvement plan {e.plan} was completed: {full_stop(e.outcome)}",
            ),
            closes(
                ImprovementPlanAgreed,
                lambda e: e.plan,
                lambda e: f"Improvement plan {e.plan} was moved to {e.deadline}.",
            ),
            EXIT_TAKES_EFFECT,
        ),
        alert=DeadlineAlert(
            "improvement-due",
            "an improvement plan is reviewed once its time is over (C23)",
            Response(
                Severity.WARNING,
                "Only its outcome says whether the partnership goes on as it is.",
            ),
            lambda e: f"The time of improvement plan {e.ref} is over.",
            about="plan",
            reminder=True,
        ),
        reminds_of="The last day of improvement plan {ref} is {day}.",
        both=ImprovementPlanCompleted,
    ),
    DeadlineRule(
        DeadlineKind.PAUSE,
        opened_by=(opens_several(ActivityPaused, _pause_over),),
        passing=passes(DeadlineKind.PAUSE),
        closed_by=(
            closes(
                ActivityPaused,
                lambda e: e.pause,
                lambda e: f"The last day of pause {e.pause} was moved to {e.last_day}.",
            ),
            cancels("pause"),
            EXIT_TAKES_EFFECT,
        ),
        alert=DeadlineAlert(
            "pause-over",
            "an activity is resumed, or paused for longer, once its pause is over (C23)",
            Response(Severity.WARNING, "A pause that nobody ends is a silent exit."),
            lambda e: f"Pause {e.ref} is over, and the activity was not resumed.",
            about="pause",
            reminder=True,
        ),
        reminds_of="The last day of pause {ref} is {day}.",
    ),
    # Whether an objective is missed, its figures say (`projections.alerts`).
    DeadlineRule(
        DeadlineKind.OBJECTIVE,
        opened_by=(
            opens_several(CharterAgreed, _objectives),
            opens(
                TargetAdjusted,
                lambda e, _, terms: end_of_day(
                    DeadlineKind.OBJECTIVE, e.objective, e.deadline, terms
                ),
            ),
        ),
        passing=passes(DeadlineKind.OBJECTIVE),
        reminds_of="The deadline of objective {ref} is {day}.",
        closed_by=(
            replaces(CharterAgreed, "Both parties signed a new charter."),
            closes(
                TargetAdjusted,
                lambda e: e.objective,
                lambda e: f"Both parties agreed another target for {e.objective}.",
            ),
            EXIT_TAKES_EFFECT,
        ),
    ),
)
