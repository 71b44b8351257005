"""How long an open issue waits and to whom it then goes, as both agreed it (C24)."""

from datetime import date
from typing import Literal

import pytest

from domain.escalation import Escalation, EscalationStep
from domain.execution import IssueEscalated, RaiseIssue
from domain.governance import AssignContact, Function
from domain.response import Office
from domain.terms_by_day import TermsByDay
from projections import ALERTS
from projections.alerts import answered
from projections.fold import replay
from tests.life import OURS, THEIRS, example
from tests.projections.folds import alerts, running
from tests.projections.money import amend
from tests.stories import Story, moment

Count = Literal["all-hours", "working-days"]
LONG_AGO = date(2026, 1, 6)


def agreed(*steps: EscalationStep, count: Count = "all-hours") -> Story:
    story = running()
    escalation = Escalation(steps=[*steps], count=count)
    amend(story, since=LONG_AGO, escalation=escalation)
    return story


def escalated(story: Story) -> list[tuple[str, int, str]]:
    """Return when the issue was escalated, by which step and to whom."""
    return [
        (f"{each.act.occurred_at:%Y-%m-%dT%H:%M}", each.event.step, each.event.to.value)
        for each in story.history
        if isinstance(each.event, IssueEscalated)
    ]


def who(story: Story) -> list[tuple[str, str | None]]:
    """Return who acts on the alert now: the office and the person of each party."""
    rows = replay(ALERTS, story.history).rows
    alert = answered(rows, alerts(story)["issue-escalated I-1"], story.now)
    return [(each.office.value, each.person) for each in alert.who_acts]


def test_both_can_agree_other_hours_and_another_office() -> None:
    story = agreed(EscalationStep(hours=8, to=Office.MANAGER))
    story.on("2026-01-13T09:00")
    story.when(OURS, example(RaiseIssue))

    story.on("2026-01-13T16:59")
    assert escalated(story) == []
    story.on("2026-01-13T17:00")

    assert escalated(story) == [("2026-01-13T17:00", 1, "partnership-manager")]
    assert who(story) == [("partnership-manager", "Ada"), ("partnership-manager", "Boris")]


def test_on_working_days_a_weekend_does_not_count() -> None:
    story = agreed(EscalationStep(hours=48), count="working-days")
    # A Friday: 15 of the 48 hours are left of it.
    story.on("2026-01-16T09:00")
    story.when(OURS, example(RaiseIssue))
    story.on("2026-02-01")

    assert escalated(story) == [("2026-01-20T09:00", 1, "executive-sponsor")]


def test_an_issue_that_is_raised_on_a_sunday_waits_for_monday() -> None:
    escalation = Escalation(steps=[EscalationStep(hours=24)], count="working-days")

    # In Auckland it is Monday, 01:00, already.
    sunday = moment("2026-01-18T12:00")
    assert escalation.passes(0, sunday, "UTC") == moment("2026-01-20T00:00")
    assert escalation.passes(0, sunday, "Pacific/Auckland") == moment("2026-01-19T12:00")


def test_an_issue_goes_on_from_step_to_step_and_each_names_who_acts() -> None:
    story = agreed(
        EscalationStep(hours=24, to=Office.SPONSOR), EscalationStep(hours=72, to=Office.LEGAL)
    )
    story.on("2026-01-13")
    story.when(OURS, example(RaiseIssue))
    story.on("2026-01-14")

    assert who(story) == [
        ("executive-sponsor", "Ada senior"),
        ("executive-sponsor", "Boris senior"),
    ]

    story.on("2026-02-01")
    assert escalated(story) == [
        ("2026-01-14T09:00", 1, "executive-sponsor"),
        ("2026-01-17T09:00", 2, "legal"),
    ]
    assert alerts(story)["issue-escalated I-1"].since == moment("2026-01-14T09:00")
    # Nobody is named for legal, so the managers act; then the one who is named does.
    assert who(story) == [("partnership-manager", "Ada"), ("partnership-manager", "Boris")]
    story.when(THEIRS, AssignContact(function=Function.LEGAL, name="Leonie"))
    assert who(story) == [("partnership-manager", "Ada"), ("legal", "Leonie")]


def test_an_issue_follows_the_terms_of_the_day_on_which_it_was_raised() -> None:
    story = running()
    story.on("2026-01-13")
    story.when(OURS, example(RaiseIssue))
    amend(story, since=date(2026, 1, 14), escalation=Escalation(steps=[EscalationStep(hours=4)]))
    story.on("2026-01-14T12:00")
    story.when(OURS, example(RaiseIssue, issue="I-2"))
    story.on("2026-02-01")

    assert escalated(story) == [
        ("2026-01-14T16:00", 1, "executive-sponsor"),
        ("2026-01-15T09:00", 1, "executive-sponsor"),
    ]


def test_without_terms_the_rule_of_the_documents_holds() -> None:
    assert TermsByDay().escalation(LONG_AGO) == Escalation(
        steps=[EscalationStep(hours=48, to=Office.SPONSOR)], count="all-hours"
    )


@pytest.mark.parametrize("steps", [[], [EscalationStep()] * 10])
def test_an_escalation_has_one_to_nine_steps(steps: list[EscalationStep]) -> None:
    with pytest.raises(ValueError, match="steps"):
        Escalation(steps=steps)
