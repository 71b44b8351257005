"""Those who act are reminded 48 hours before a day (C22): of objectives, issues and campaigns."""

from datetime import date

import pytest

from domain.deadlines.deadline import DeadlineKind, DeadlinePassed, ReminderGiven
from domain.escalation import Escalation, EscalationStep
from domain.examples import CHARTER, CO_BRANDED_REVENUE
from domain.execution import (
    AgreeCampaign,
    AgreeIssueResolution,
    CloseCampaign,
    IssueEscalated,
    ProposeCampaign,
    ProposeCancellation,
    ProposeIssueResolution,
    RaiseIssue,
)
from domain.formation import ProposeCharter
from domain.kernel import Event, Stage
from domain.response import Office
from domain.terms import DayRules
from projections.alerts import Alert, AlertState
from tests.life import OURS, THEIRS, at, changed, example
from tests.projections.folds import alerts
from tests.projections.money import amend
from tests.stories import Story

LAUNCH = example(
    ProposeCampaign, first_day=date(2026, 1, 26), last_day=date(2026, 2, 27), owner=THEIRS
)


def reminded(events: list[Event]) -> list[tuple[str, str, date]]:
    """Return what was reminded of: its kind, its name and its day."""
    return [
        (each.kind.value, each.ref, each.due) for each in events if isinstance(each, ReminderGiven)
    ]


def opened(story: Story) -> dict[str, Alert]:
    """Return the open alerts by rule and window."""
    return {key: each for key, each in alerts(story).items() if each.state is AlertState.OPEN}


def offices(story: Story, alert: str) -> set[tuple[str, Office]]:
    return {(each.party, each.office) for each in opened(story)[alert].who_acts}


# --- objectives --------------------------------------------------------------------------------


def test_both_are_reminded_of_the_deadline_of_an_objective_until_it_has_passed() -> None:
    story = at(Stage.EXECUTION)
    objective = changed(CO_BRANDED_REVENUE, deadline=date(2026, 1, 31))
    charter = changed(CHARTER, objectives=[objective])
    story.agree(OURS, ProposeCharter(proposal="charter-9", charter=charter))
    name = objective.objective

    assert reminded(story.on("2026-01-29T23:59")) == []
    assert reminded(story.on("2026-01-30")) == [("objective", name, date(2026, 1, 31))]
    alert = opened(story)[f"due-soon objective/{name}"]
    assert {each.party for each in alert.who_acts} == {OURS, THEIRS}
    words = f"{name} ({objective.words})"
    assert alert.text == f"The deadline of objective {words} is 2026-01-31."

    story.on("2026-02-01")

    assert f"due-soon objective/{name}" not in opened(story)


# --- issues ------------------------------------------------------------------------------------


def raised(hours: int) -> Story:
    """An issue that goes to the executive sponsors after some hours, raised on 8 January."""
    story = at(Stage.EXECUTION)
    steps = [EscalationStep(hours=hours)]
    amend(story, since=date(2026, 1, 6), escalation=Escalation(steps=steps))
    story.on("2026-01-08T09:00")
    story.when(THEIRS, example(RaiseIssue, issue="I-1"))
    return story


def test_who_has_an_issue_is_reminded_before_it_goes_up() -> None:
    story = raised(hours=96)

    assert reminded(story.on("2026-01-10T08:59")) == []
    assert reminded(story.on("2026-01-10T09:00")) == [("issue", "I-1", date(2026, 1, 12))]
    alert = opened(story)["due-soon issue/I-1"]
    assert alert.text == ("Issue I-1 goes to the next office unless it is resolved by 2026-01-12.")
    assert {each.office for each in alert.who_acts} == {Office.MANAGER}

    story.on("2026-01-12T09:00")

    assert "due-soon issue/I-1" not in opened(story)
    assert "issue-escalated I-1" in opened(story)


@pytest.mark.parametrize("hours", [4, 48])
def test_nobody_is_reminded_of_an_issue_that_goes_up_within_two_days(hours: int) -> None:
    events = raised(hours).wait(hours=hours)

    assert reminded(events) == []
    assert any(isinstance(each, IssueEscalated) for each in events)


def test_the_resolution_of_an_issue_ends_its_reminder() -> None:
    story = raised(hours=96)
    story.on("2026-01-10T09:00")

    story.when(OURS, ProposeIssueResolution(proposal="r-1", issue="I-1", resolution="Two calls."))
    assert offices(story, "due-soon issue/I-1") == {(THEIRS, Office.MANAGER)}
    story.when(THEIRS, AgreeIssueResolution(proposal="r-1"))

    assert "due-soon issue/I-1" not in opened(story)


# --- campaigns ---------------------------------------------------------------------------------


def launch() -> Story:
    """A campaign that begins on 26 January, agreed on 7 January."""
    story = at(Stage.EXECUTION)
    story.on("2026-01-07")
    story.agree(OURS, LAUNCH)
    return story


BEFORE = "due-soon campaign-start/launch"


def test_who_runs_a_campaign_is_reminded_before_its_first_day() -> None:
    story = launch()

    assert reminded(story.on("2026-01-23T23:59")) == []
    assert reminded(story.on("2026-01-24")) == [("campaign-start", "launch", date(2026, 1, 26))]
    assert opened(story)[BEFORE].text == "The first day of campaign launch is 2026-01-26."
    assert {each.party for each in opened(story)[BEFORE].who_acts} == {THEIRS}

    passed = story.on("2026-01-27")

    assert DeadlinePassed(kind=DeadlineKind.CAMPAIGN_START, ref="launch", party=THEIRS) in passed
    assert BEFORE not in opened(story)


def test_a_campaign_that_was_moved_is_reminded_of_on_its_new_day() -> None:
    story = launch()
    story.on("2026-01-24")

    later = {"first_day": date(2026, 2, 9), "reason": "The speaker is ill.", "proposal": "run-2"}
    story.agree(OURS, changed(LAUNCH, **later))

    assert BEFORE not in opened(story)
    assert reminded(story.on("2026-02-06T23:59")) == []
    assert reminded(story.on("2026-02-07")) == [("campaign-start", "launch", date(2026, 2, 9))]


def test_a_campaign_that_is_closed_before_it_begins_is_not_reminded_of() -> None:
    story = launch()
    story.when(THEIRS, CloseCampaign(campaign="launch", outcome="Not held."))

    assert reminded(story.on("2026-02-24")) == []


def test_a_campaign_that_both_gave_up_is_not_reminded_of() -> None:
    story = launch()
    ends = ProposeCancellation(
        proposal="c-1", kind="campaign", ref="launch", reason="There is no speaker."
    )
    story.agree(OURS, ends)

    assert reminded(story.on("2026-02-24")) == []


def test_nobody_is_reminded_of_the_first_day_of_a_campaign_that_runs() -> None:
    story = at(Stage.EXECUTION)
    story.on("2026-01-27")
    story.when(OURS, LAUNCH)
    story.when(THEIRS, AgreeCampaign(proposal=LAUNCH.proposal))

    assert [each for each in reminded(story.on("2026-02-20")) if each[0] == "campaign-start"] == []


def test_an_issue_goes_up_on_the_day_of_the_agreed_time_zone() -> None:
    story = at(Stage.EXECUTION)
    days = DayRules(remind_hours=24)
    amend(story, since=story.now.date(), time_zone="America/New_York", days=days)
    story.on("2026-03-02T03:00")
    story.when(OURS, example(RaiseIssue, issue="late"))

    assert story.partnership.deadlines["issue/late"].last_day == date(2026, 3, 3)
    story.on("2026-03-03T03:00")
    [reminder] = [each for each in story.facts(ReminderGiven) if each.ref == "late"]
    assert reminder.due == date(2026, 3, 3)
