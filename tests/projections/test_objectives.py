"""Objectives and their statuses: before their day, on it and after it (C8)."""

from datetime import date
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.charter import Objective, ObjectiveStatus
from domain.exit import ProposeExit, ProposeExitWithdrawal
from domain.formation import AgreeCharter, ProposeCharter
from domain.kernel import Stage
from domain.reported_figure import ReportedFigure, ReportMetric
from projections.fold import Rows
from projections.kpis import AGREED, AgreedRow, PeriodRow, Said, ToolReport
from projections.objectives import ObjectiveProgress, objectives
from tests.life import CHARTER, CO_BRANDED_REVENUE, OURS, THEIRS, at, changed
from tests.projections.folds import (
    bare_percent,
    count,
    figures,
    percent,
    refer_many,
    report,
    states,
)
from tests.stories import Story, moment

OPEN, ON_TRACK = ObjectiveStatus.OPEN, ObjectiveStatus.ON_TRACK
AT_RISK, OFF_TRACK = ObjectiveStatus.AT_RISK, ObjectiveStatus.OFF_TRACK
MET, MISSED = ObjectiveStatus.MET, ObjectiveStatus.MISSED
UNKNOWN = ObjectiveStatus.INSUFFICIENT_EVIDENCE
GIVEN_UP = ObjectiveStatus.GIVEN_UP


def agreed(stage: Stage = Stage.EXECUTION, **objective: object) -> Story:
    """Return a partnership with one objective; at the kickoff, 2026-01-05, unless told."""
    story = at(stage)
    charter = changed(CHARTER, objectives=[changed(CO_BRANDED_REVENUE, **objective)])
    story.when(OURS, ProposeCharter(proposal="charter-2", charter=charter))
    story.when(THEIRS, AgreeCharter(proposal="charter-2"))
    return story


def users(stage: Stage = Stage.EXECUTION, **objective: object) -> Story:
    """Return one that is to bring 3600 new users in the 360 days after its kickoff."""
    wanted = {"metric": "new_users", "unit": "count", "baseline": Decimal(0)}
    return agreed(stage, **{**wanted, "target": Decimal(3600), **objective})


def churn(target: int = 5, **objective: object) -> Story:
    """Return one in which the churn rate is to sink from 8 % to a target."""
    wanted = {"metric": "churn_rate", "unit": "percent", "baseline": Decimal(8)}
    return agreed(Stage.EXECUTION, **wanted, target=Decimal(target), **objective)


def progress(story: Story, on: str | None = None) -> ObjectiveProgress:
    day = moment(on) if on else story.now
    (found,) = objectives(figures(story), day.date())
    return found


def status(story: Story, on: str | None = None) -> ObjectiveStatus:
    return progress(story, on).status


# --- by the tool that both agreed ----------------------------------------------------------------


@pytest.mark.parametrize("theirs", ["aaa", "zzz"])
def test_a_tool_that_nobody_agreed_meets_no_objective(theirs: str) -> None:
    story = users(deadline=date(2026, 3, 31))
    story.on("2026-04-02")
    for month in ("2026-01", "2026-02", "2026-03"):
        report(story, "new_users", month, count(90))
    assert status(story) is MISSED

    for month in ("2026-01", "2026-02", "2026-03"):
        command = ReportMetric(metric="new_users", period=month, tool=theirs, figure=count(5000))
        story.when(THEIRS, command)

    assert status(story) is MISSED
    assert progress(story).value == 270


def test_an_objective_whose_tool_reported_nothing_has_no_evidence() -> None:
    story = users(deadline=date(2026, 1, 31))
    story.on("2026-02-02")

    report(story, "new_users", "2026-01", count(5000), tool="guess")

    assert (progress(story).value, status(story)) == (None, UNKNOWN)


@pytest.mark.parametrize("whole", ["2026-Q1", "2026"])
def test_a_quarter_or_year_of_another_metric_does_not_date_the_figures_of_an_objective(
    whole: str,
) -> None:
    story = users()
    report(story, "new_users", "2026-01", count(400))
    expected = progress(story, "2026-02-20")
    assert expected.elapsed_percent == Decimal("7.50")

    story.on("2026-02-19")
    report(story, "web_visits", whole, count(9))

    assert progress(story, "2026-02-20") == expected
    assert status(story, "2026-04-01") is UNKNOWN


def test_a_quarter_of_another_metric_is_no_last_figure_of_an_objective() -> None:
    story = churn(deadline=date(2026, 3, 31))
    story.on("2026-03-31")
    report(story, "churn_rate", "2026-02", percent(5, 100))
    assert status(story, "2026-04-01") is UNKNOWN

    report(story, "web_visits", "2026-Q1", count(9))

    assert status(story, "2026-04-01") is UNKNOWN


# --- of a part of the whole --------------------------------------------------------------------


def test_an_objective_for_one_market_is_judged_by_the_figures_of_that_market_alone() -> None:
    story = users(segment="spain", target=Decimal(360))
    story.on("2026-04-05")
    report(story, "new_users", "2026-02", count(2000), "france")
    report(story, "new_users", "2026-03", count(45), "spain")

    found = progress(story)

    assert (found.value, found.status) == (Decimal(45), OFF_TRACK)
    assert found.text.startswith("new users in spain: 45 of 360 by 2026-12-31")


def test_figures_of_the_whole_are_no_evidence_about_a_segment() -> None:
    story = users(segment="spain")
    story.on("2026-05-01")
    report(story, "new_users", "2026-04", count(3600))

    assert status(story) is UNKNOWN


# --- without figures ---------------------------------------------------------------------------


def test_before_the_kickoff_an_objective_is_open() -> None:
    assert status(users(Stage.FORMATION)) is OPEN


def test_an_objective_is_open_until_its_first_figure_is_late_by_a_month() -> None:
    story = users()

    assert status(story, "2026-02-28") is OPEN
    assert status(story, "2026-03-01") is UNKNOWN


def test_a_quarterly_figure_is_late_a_quarter_after_its_own() -> None:
    story = users(frequency="quarterly")

    assert status(story, "2026-06-30") is OPEN
    assert status(story, "2026-07-01") is UNKNOWN


def test_an_objective_whose_figures_have_stopped_is_without_evidence() -> None:
    story = users()
    report(story, "new_users", "2026-01", count(400))

    assert status(story, "2026-03-31") is ON_TRACK
    assert status(story, "2026-04-01") is UNKNOWN


def test_a_rate_without_its_denominator_is_no_evidence() -> None:
    story = agreed(metric="click_rate", unit="percent", baseline=Decimal(1), target=Decimal(2))
    report(story, "click_rate", "2026-01", bare_percent("2"))
    story.on("2026-02-01")
    report(story, "click_rate", "2026-02", bare_percent("2"))

    assert status(story) is UNKNOWN


def test_an_objective_that_was_never_measured_is_without_evidence_after_its_day() -> None:
    assert status(users(), "2027-01-01") is UNKNOWN


def test_no_lead_at_all_is_zero_leads_and_not_a_missing_figure() -> None:
    story = agreed(metric="leads", unit="count", baseline=Decimal(0), target=Decimal(40))

    assert status(story, "2026-01-05") is OPEN
    assert status(story, "2026-02-05") is OFF_TRACK
    assert progress(story, "2026-02-05").value == 0


# --- before the day ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reported", "expected"),
    [(270, ON_TRACK), (269, AT_RISK), (216, AT_RISK), (215, OFF_TRACK), (0, OFF_TRACK)],
)
def test_a_sum_is_compared_with_the_time_up_to_the_end_of_its_last_figure(
    reported: int, expected: ObjectiveStatus
) -> None:
    story = users()
    # From the kickoff to the end of January 27 of 360 days pass.
    report(story, "new_users", "2026-01", count(reported))

    assert status(story, "2026-02-20") is expected


def test_what_deals_show_is_compared_with_the_time_up_to_today() -> None:
    story = agreed(metric="leads", unit="count", baseline=Decimal(0), target=Decimal(36))
    refer_many(story, range(4))

    assert status(story, "2026-02-14") is ON_TRACK
    assert status(story, "2026-02-15") is AT_RISK
    assert status(story, "2026-02-25") is OFF_TRACK


def test_a_sum_that_reaches_its_target_is_met_before_its_day() -> None:
    story = users()
    report(story, "new_users", "2026-01", count(3600))

    assert status(story) is MET
    assert progress(story).reached_percent is None


@pytest.mark.parametrize(
    ("lost", "expected"),
    [(50, ON_TRACK), (77, ON_TRACK), (78, AT_RISK), (79, OFF_TRACK), (90, OFF_TRACK)],
)
def test_a_rate_is_compared_with_the_way_from_its_baseline(
    lost: int, expected: ObjectiveStatus
) -> None:
    story = churn()
    report(story, "churn_rate", "2026-01", percent(lost, 1000))

    # 7.5 % of the time has passed: by now 8 % should have sunk to 7.775 %.
    assert status(story, "2026-02-01") is expected


def test_a_rate_at_its_target_is_on_track_and_met_only_after_its_day() -> None:
    story = churn()
    report(story, "churn_rate", "2026-01", percent(5, 100))

    assert status(story, "2026-02-01") is ON_TRACK
    story.on("2026-12-31")
    report(story, "churn_rate", "2026-12", percent(5, 100))
    assert status(story, "2027-01-01") is MET


def test_after_its_day_an_objective_without_its_last_figure_is_neither_met_nor_missed() -> None:
    for lost in (5, 20):
        story = churn()
        report(story, "churn_rate", "2026-01", percent(lost, 100))
        story.on("2026-12-31")
        report(story, "churn_rate", "2026-11", percent(lost, 100))
        assert status(story, "2027-01-01") is UNKNOWN

        report(story, "churn_rate", "2026-12", percent(lost, 100))
        assert status(story, "2027-01-01") is (MET if lost == 5 else MISSED)


def test_a_rate_that_is_to_stay_as_good_is_off_track_once_it_is_worse() -> None:
    story = churn(target=8)
    report(story, "churn_rate", "2026-01", percent(9, 100))

    assert status(story, "2026-02-01") is OFF_TRACK


def test_of_a_sum_that_is_to_stay_small_less_than_the_share_of_time_is_on_track() -> None:
    story = agreed(
        metric="support_tickets", unit="count", baseline=Decimal(400), target=Decimal(360)
    )
    report(story, "support_tickets", "2026-01", count(27))
    assert status(story, "2026-02-01") is ON_TRACK

    story.on("2026-03-01")
    report(story, "support_tickets", "2026-02", count(33))
    assert status(story) is AT_RISK
    report(story, "support_tickets", "2026-03", count(301))

    assert status(story) is OFF_TRACK
    assert status(story, "2027-01-01") is MISSED


def test_the_text_names_the_figure_the_target_and_the_pace() -> None:
    story = users()
    report(story, "new_users", "2026-01", count(135))

    assert progress(story, "2026-02-01").text == (
        "new users: 135 of 3600 by 2026-12-31, 3.75 % of the target in 7.50 % of the time."
    )
    assert progress(story, "2027-01-01").text == "new users: 135 of 3600 by 2026-12-31."
    assert progress(users()).text == "new users: no figure; the target is 3600 by 2026-12-31."


@pytest.mark.parametrize(
    ("metric", "unit", "value", "target", "text"),
    [
        ("support_tickets", "count", count(470), 360, "470 of at most 360"),
        ("churn_rate", "percent", percent(65, 1000), 5, "6.5 %, target at most 5 %"),
    ],
)
def test_the_target_of_what_should_be_small_is_called_the_most(
    metric: str, unit: str, value: ReportedFigure, target: int, text: str
) -> None:
    story = agreed(metric=metric, unit=unit, baseline=Decimal(400), target=Decimal(target))
    assert progress(story).text.endswith(f"the target is at most {text.partition('most ')[2]} by "
                                         "2026-12-31.")  # fmt: skip
    report(story, metric, "2026-01", value)

    found = progress(story, "2026-02-01")

    assert found.text.startswith(f"{found.objective.words}: {text} by 2026-12-31, ")
    assert found.target_text.endswith(f" was at most {text.partition('most ')[2]} by "
                                      "2026-12-31.")  # fmt: skip


# --- after the day -----------------------------------------------------------------------------


def test_on_its_day_an_objective_is_still_judged_by_its_pace() -> None:
    story = users()
    report(story, "new_users", "2026", count(3000))

    assert status(story, "2026-12-31") is AT_RISK
    assert status(story, "2027-01-01") is MISSED


def test_a_late_report_or_a_correction_changes_what_was_missed() -> None:
    story = users()
    story.on("2027-01-10")
    report(story, "new_users", "2026-Q4", count(3000))
    assert status(story) is MISSED

    report(story, "new_users", "2026-Q3", count(600))

    assert status(story) is MET


# --- after an exit -----------------------------------------------------------------------------


def test_with_the_partnership_its_objectives_end() -> None:
    story = at(Stage.ENDED)

    found = {each.status for each in objectives(figures(story), story.now.date())}

    assert found == {GIVEN_UP}


def leaving(effective: date, **objective: object) -> Story:
    """Return one with some figures that both end on a day."""
    story = users(Stage.EXECUTION, **objective)
    story.on("2026-03-02")
    for month in ("2026-01", "2026-02"):
        report(story, "new_users", month, count(90))
    exit_ = ProposeExit(exit="x-9", explanation="We part.", effective_on=effective)
    story.agree(OURS, exit_)
    return story


@pytest.mark.parametrize("deadline", [date(2026, 3, 5), date(2026, 3, 31), date(2026, 12, 31)])
def test_an_objective_that_is_due_after_the_exit_is_given_up_and_never_missed(
    deadline: date,
) -> None:
    story = leaving(date(2026, 3, 5), deadline=deadline)
    assert status(story, "2026-03-04") is OFF_TRACK

    story.on("2027-01-10")

    assert status(story, "2026-03-05") is GIVEN_UP
    assert status(story, "2027-01-10") is GIVEN_UP
    assert not [each for each in states(story) if each.startswith("objective-missed")]


def test_an_objective_whose_last_day_is_that_of_the_partnership_is_judged() -> None:
    story = leaving(date(2026, 4, 1), deadline=date(2026, 3, 31))
    story.on("2026-03-31T23:00")
    report(story, "new_users", "2026-03", count(90))

    story.on("2026-04-01")

    assert status(story) is MISSED
    assert states(story)["objective-missed co-branded-revenue"] == "open"


def test_a_target_that_was_reached_before_the_exit_is_met() -> None:
    story = leaving(date(2026, 3, 5), target=Decimal(180))
    story.on("2026-03-10")

    assert status(story) is MET


def test_a_withdrawn_exit_gives_up_no_objective() -> None:
    story = leaving(date(2026, 3, 5))
    story.agree(OURS, ProposeExitWithdrawal(proposal="w-9", exit="x-9", explanation="We go on."))

    story.on("2026-03-10")

    assert status(story) is OFF_TRACK


# --- laws --------------------------------------------------------------------------------------

SINCE = date(2026, 1, 5)
COUNTS = st.integers(min_value=0, max_value=5000)
DAYS = st.dates(date(2025, 12, 1), date(2027, 3, 1))
OWN = changed(
    CO_BRANDED_REVENUE,
    metric="new_users",
    unit="count",
    baseline=Decimal(0),
    target=Decimal(3600),
)


def rows(months: dict[str, int], objective: Objective = OWN) -> Rows:
    """Return the rows of one objective with what was reported in some months."""
    made = moment("2026-01-05")
    found: dict[str, object] = {
        AGREED: AgreedRow(since=SINCE, kickoff=SINCE, objectives=(objective,))
    }
    for at_, (month, value) in enumerate(months.items()):
        figure = ReportedFigure(unit="count", value=Decimal(value))
        told = ToolReport((Said(figure, made, OURS, at_),))
        found[month] = PeriodRow(reports={(objective.metric, ""): {"crm": told}})
    return found


MONTHS = st.dictionaries(st.sampled_from([f"2026-{each:02}" for each in range(1, 13)]), COUNTS)
GOOD = (OFF_TRACK, AT_RISK, ON_TRACK, MET)


@given(months=MONTHS, day=DAYS)
def test_before_its_day_nothing_is_missed_and_after_it_nothing_is_open(
    months: dict[str, int], day: date
) -> None:
    (found,) = objectives(rows(months), day)

    if day > OWN.deadline:
        assert found.status in {MET, MISSED, UNKNOWN}
    else:
        assert found.status is not MISSED
    if found.value is None:
        assert found.status in {OPEN, UNKNOWN}
    assert (found.status is MET) is (found.value is not None and found.value >= 3600)


@given(months=MONTHS.filter(bool), more=COUNTS, day=DAYS)
def test_more_of_what_is_to_grow_never_makes_a_status_worse(
    months: dict[str, int], more: int, day: date
) -> None:
    first = min(months)
    (less,) = objectives(rows(months), day)
    (greater,) = objectives(rows({**months, first: months[first] + more}), day)

    if less.status in GOOD:
        assert GOOD.index(greater.status) >= GOOD.index(less.status)


@given(months=MONTHS)
def test_without_another_figure_time_brings_an_objective_from_its_pace_to_its_end(
    months: dict[str, int],
) -> None:
    ranks = {OPEN: 0, ON_TRACK: 1, AT_RISK: 1, OFF_TRACK: 1, UNKNOWN: 2, MISSED: 3, MET: 3}
    days = [date(2026, month, 28) for month in range(1, 13)] + [date(2027, 1, 1)]
    known = [objectives(rows(months), day)[0].status for day in days]

    for before, after in pairwise(known):
        assert ranks[after] >= ranks[before] or (before, after) == (UNKNOWN, after)
