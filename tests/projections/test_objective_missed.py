"""An objective that is missed is alerted once its deadline has passed (C8)."""

from datetime import date
from decimal import Decimal

from domain.breach_actions import RuleBreached, RuleBreachWithdrawn
from domain.charter import Charter, Objective
from domain.examples import CHARTER, CO_BRANDED_REVENUE, CONVERSION_FLOOR
from domain.formation import ProposeCharter, ProposeDecisionRule
from domain.health import ContributionKind, ProposeTarget, RecordContribution
from domain.kernel import Stage
from domain.reported_figure import ReportMetric
from projections.caveats import CaveatCode
from tests.life import OURS, THEIRS, at, changed
from tests.projections.folds import (
    alerts,
    codes,
    correct,
    count,
    lines,
    refer_many,
    report,
    running,
    states,
)
from tests.stories import Story

MISSED = "objective-missed subscribers"

SUBSCRIBERS = changed(
    CO_BRANDED_REVENUE,
    objective="subscribers",
    metric="new_subscribers",
    unit="count",
    baseline=Decimal(0),
    target=Decimal(100),
    deadline=date(2026, 3, 31),
)
LEADS = changed(SUBSCRIBERS, objective="referrals", metric="leads", target=Decimal(3))


def charter(story: Story, *objectives: Objective) -> None:
    """Let both parties sign a charter with these objectives."""
    named = f"charter-{story.now:%m%d}"
    signed: Charter = changed(CHARTER, objectives=[*objectives])
    story.agree(OURS, ProposeCharter(proposal=named, charter=signed))


def measured(march: int) -> Story:
    """Return a story in which subscribers are reported, until the evening of the last day."""
    story = running()
    charter(story, SUBSCRIBERS)
    story.on("2026-03-31T22:00")
    for month, each in (("2026-01", 10), ("2026-02", 20), ("2026-03", march)):
        report(story, "new_subscribers", month, count(each))
    return story


def subscribers(march: int) -> Story:
    """Return the same story on the day after the objective's deadline."""
    story = measured(march)
    story.on("2026-04-01")
    return story


def test_an_objective_that_is_missed_is_alerted_when_its_day_has_passed() -> None:
    story = measured(march=30)
    story.on("2026-03-31T23:00")
    assert MISSED not in states(story)

    story.on("2026-04-01")

    alert = alerts(story)[MISSED]
    assert alert.state == "open"
    # Both parties see the alert, and a protocol can hide the figure from one of them.
    assert alert.text == (
        "Objective subscribers is missed. The target for new subscribers was 100 by 2026-03-31."
    )
    assert [each.office for each in alert.who_acts] == ["executive-sponsor"] * 2


def test_one_party_takes_back_no_missed_objective_with_a_tool_of_its_own() -> None:
    story = subscribers(march=30)

    for month in ("2026-01", "2026-02", "2026-03"):
        command = ReportMetric(
            metric="new_subscribers", period=month, tool="their-own", figure=count(500)
        )
        story.when(THEIRS, command)

    assert alerts(story)[MISSED].state == "open"


def test_one_party_takes_back_no_missed_objective_with_an_earlier_figure_of_the_same_tool() -> None:
    story = subscribers(march=30)
    given = {"metric": "new_subscribers", "period": "2026-03", "tool": "crm"}
    earlier = ReportMetric(figure=count(500), **given)

    story.when(THEIRS, earlier, happened="2026-03-31T20:00")

    assert alerts(story)[MISSED].state == "open"
    (line,) = lines(story, "new_subscribers", "2026-03").values()
    assert line.value is None
    assert line.note is not None
    assert codes(line) == [CaveatCode.DISPUTED]
    assert f"{OURS} reported 30" in line.note
    assert f"{THEIRS} reported 500" in line.note
    correct(story, "new_subscribers", "2026-03", count(500))
    assert alerts(story)[MISSED].state == "withdrawn"
    assert lines(story, "new_subscribers", "2026-03")["", "count"].value == 500


def test_an_objective_that_is_met_is_not_alerted() -> None:
    assert MISSED not in states(subscribers(march=70))


def test_an_objective_without_its_last_figure_is_alerted_once_the_figure_shows_it() -> None:
    story = running()
    charter(story, SUBSCRIBERS)
    story.on("2026-03-02")
    report(story, "new_subscribers", "2026-02", count(20))
    story.on("2026-04-01")
    assert MISSED not in states(story)

    story.on("2026-04-10")
    report(story, "new_subscribers", "2026-03", count(30))

    assert states(story)[MISSED] == "open"


def test_a_corrected_figure_withdraws_the_alert_and_another_opens_it_again() -> None:
    story = subscribers(march=30)
    story.on("2026-04-10")

    correct(story, "new_subscribers", "2026-03", count(75))
    assert states(story)[MISSED] == "withdrawn"

    story.on("2026-04-11")
    correct(story, "new_subscribers", "2026-03", count(65))
    assert states(story)[MISSED] == "open"


def test_what_deals_show_is_missed_without_a_report() -> None:
    story = running()
    charter(story, LEADS)
    refer_many(story, range(2))
    story.on("2026-04-01")
    assert states(story)["objective-missed referrals"] == "open"

    refer_many(story, range(2, 3), happened="2026-03-30")

    assert states(story)["objective-missed referrals"] == "withdrawn"


def test_another_target_moves_the_day_and_resolves_the_alert() -> None:
    story = subscribers(march=30)
    target = ProposeTarget(
        proposal="later",
        objective="subscribers",
        target=Decimal(150),
        deadline=date(2026, 6, 30),
        reason="The launch was late.",
    )

    story.agree(OURS, target)
    assert states(story)[MISSED] == "resolved"

    story.on("2026-07-01")
    report(story, "new_subscribers", "2026-06", count(10))
    assert states(story)[MISSED] == "open"


def test_a_new_charter_gives_up_the_objectives_of_the_one_before() -> None:
    story = measured(march=30)
    charter(story, LEADS)

    story.on("2026-04-01")

    assert MISSED not in states(story)
    assert states(story)["objective-missed referrals"] == "open"


def test_a_metric_that_is_new_in_a_running_partnership_is_judged_from_its_first_whole_month() -> (
    None
):
    """What was reported before the charter in its month is not looked at, so nothing is said."""
    orders = changed(SUBSCRIBERS, objective="visits", metric="web_visits")
    story = running()
    story.on("2026-02-10")
    report(story, "web_visits", "2026-02", count(95))
    charter(story, orders)
    story.on("2026-03-31")
    report(story, "web_visits", "2026-03", count(2))
    story.on("2026-04-01")
    assert "objective-missed visits" not in states(story)

    again = changed(orders, deadline=date(2026, 5, 31))
    charter(story, again)
    story.on("2026-06-01")
    report(story, "web_visits", "2026-05", count(2))

    assert states(story)["objective-missed visits"] == "open"


def test_no_objective_is_missed_after_the_end() -> None:
    story = at(Stage.ENDED)

    story.on("2028-01-01")

    assert not [each for each in states(story) if each.startswith("objective-missed")]


# --- of what the parties contribute ------------------------------------------------------------


HOURS = changed(
    SUBSCRIBERS,
    objective="our-hours",
    metric="contributed_hours",
    unit="hours",
    segment=OURS,
    target=Decimal(20),
)
"""Our side is to need at most twenty hours by the end of March."""


def contribute(story: Story, month: str, hours: int, reason: str | None = None) -> None:
    """Let our side record its hours of a month, or correct them with a reason."""
    command = RecordContribution(
        contribution=f"training-{month}",
        kind=ContributionKind.TIME,
        what="Training",
        period=month,
        hours=Decimal(hours),
        change_reason=reason,
    )
    story.when(OURS, command)


def test_hours_beyond_the_objective_are_alerted_until_they_are_corrected() -> None:
    story = running()
    charter(story, HOURS)
    story.on("2026-03-31T22:00")
    contribute(story, "2026-02", 12)
    contribute(story, "2026-03", 13)
    story.on("2026-04-01")
    assert states(story)["objective-missed our-hours"] == "open"

    contribute(story, "2026-03", 7, reason="Six of them were of another project.")

    assert states(story)["objective-missed our-hours"] == "withdrawn"


def test_a_rule_finds_that_a_party_contributes_less_than_both_agreed() -> None:
    least = changed(
        CONVERSION_FLOOR,
        rule="training",
        metric="contributed_hours",
        measured="count",
        segment=OURS,
        threshold=Decimal(10),
        consecutive=1,
    )
    story = running()
    story.agree(OURS, ProposeDecisionRule(proposal="training", rule=least))
    story.on("2026-06-30T22:00")
    contribute(story, "2026-05", 4)

    story.on("2026-07-01")
    assert states(story)[f"training 2026-Q2/{OURS}"] == "open"
    assert [each.rule for each in story.facts(RuleBreached)] == ["training"]

    contribute(story, "2026-05", 14, reason="A day of ten hours was left out.")
    assert states(story)[f"training 2026-Q2/{OURS}"] == "withdrawn"
    assert [each.rule for each in story.facts(RuleBreachWithdrawn)] == ["training"]
