"""KPIs: the documents' own numbers, how periods add up, and what late facts and corrections do."""

from datetime import date
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.agreement import CounterTerms, ProposeTerms
from domain.calendar import months_of, quarters_of
from domain.exploration import BeginExploration
from domain.kernel import Command, Stage
from domain.metric_catalogue import CATALOGUE, Adds, Direction, Unit
from domain.payment import IssueRefund, ReceivePayment
from domain.referral import QualifyLead, SubmitReferral
from domain.reported_figure import OTHER_CHANNELS, ReportedFigure
from domain.sale import LoseDeal
from projections import figures as reading
from projections.caveats import CaveatCode
from projections.figures import Against, FigureChange, Target
from projections.objectives import objectives
from tests.life import (
    EXAMPLES,
    LIFE,
    OURS,
    THEIRS,
    after,
    at,
    changed,
    usd,
)
from tests.projections.folds import (
    agree_minimum,
    attribute,
    bare_percent,
    codes,
    correct,
    count,
    figures,
    line,
    lines,
    parts,
    percent,
    refer,
    refer_many,
    report,
    sell,
    win,
)
from tests.projections.money import amend
from tests.stories import Story

# --- the documents' own numbers ----------------------------------------------------------------


def test_three_webinars_give_each_its_rate_and_together_15_of_270() -> None:
    story = after(BeginExploration)
    story.on("2025-10-30")
    for firm, figure in {
        "northbridge": percent(12, 150),
        "calder-lane": percent(3, 80),
        "ostra": percent(0, 40),
    }.items():
        report(story, "demo_request_rate", "2025-10", figure, firm)

    for period in ("2025-10", "2025-Q4", "2025"):
        rates = lines(story, "demo_request_rate", period)
        assert {firm: each.value for (firm, _), each in rates.items()} == {
            "": Decimal("5.5556"),
            "northbridge": Decimal(8),
            "calder-lane": Decimal("3.75"),
            "ostra": Decimal(0),
        }
        whole = rates["", "percent"]
        assert parts(whole)[1:] == (15, 270)


def test_demo_to_won_and_contract_value_are_set_against_other_channels() -> None:
    story = at(Stage.EXECUTION)
    story.on("2026-03-10")
    for number in range(5):
        sell(story, f"D-{number}", "12500.00" if number == 0 else None)
    story.on("2026-04-02")
    report(story, "demo_to_won", "2026-Q1", percent(15, 100), OTHER_CHANNELS)
    dollars = ReportedFigure(unit="USD", numerator=Decimal(150_000), denominator=Decimal(15))
    report(story, "average_contract_value", "2026-Q1", dollars, OTHER_CHANNELS)

    conversion = line(story, "demo_to_won", "2026-Q1")
    assert conversion.value == 20
    assert conversion.against_other_channels == Against(Decimal(5), Decimal("1.3333"))
    value = line(story, "average_contract_value", "2026-Q1")
    assert value.value == 12_500
    assert value.against_other_channels == Against(Decimal(2500), Decimal("1.25"))


def test_eight_of_ten_referrals_are_80_percent_and_fourteen_are_140() -> None:
    story = at(Stage.EXECUTION)
    story.on("2026-03-10")
    refer_many(story, range(8))
    story.on("2026-05-10")
    refer_many(story, range(8, 22))

    first, second = (line(story, "leads", quarter) for quarter in ("2026-Q1", "2026-Q2"))
    assert first.target == Target(THEIRS, Decimal(8), Decimal(10), 1, Decimal(80), Decimal(2))
    assert [first.value, second.value] == [8, 14]
    assert second.target == Target(THEIRS, Decimal(14), Decimal(10), 1, Decimal(140), Decimal(0))
    assert second.change is not None
    assert second.change.percent == 75


def test_two_bare_rates_show_nine_points_and_a_factor_but_are_no_evidence() -> None:
    story = at(Stage.EXECUTION)
    for month, rate in {"2026-02": "2", "2026-05": "11"}.items():
        story.on("2026-03-02" if month == "2026-02" else "2026-06-02")
        report(story, "subscription_conversion", month, bare_percent(rate), "influencers")

    later = line(story, "subscription_conversion", "2026-05", "influencers")
    assert later.change == FigureChange(Decimal(9), Decimal("5.5"), since="2026-02")
    assert "insufficient evidence" in (later.note or "")
    assert later.denominator is None

    year = line(story, "subscription_conversion", "2026", "influencers")
    assert year.value is None
    assert "insufficient evidence" in (year.note or "")


def test_rates_add_up_through_their_numerators_never_as_rates() -> None:
    story = at(Stage.EXECUTION)
    story.on("2026-03-31")
    report(story, "click_rate", "2026-01", percent(1, 10))
    report(story, "click_rate", "2026-02", percent(90, 100))

    quarter = line(story, "click_rate", "2026-Q1")
    assert parts(quarter) == (Decimal("82.7273"), 91, 110)


# --- nothing is not zero -----------------------------------------------------------------------


def test_no_leads_at_all_are_no_rate_rather_than_zero_percent() -> None:
    story = at(Stage.EXECUTION)
    story.on("2026-03-31")

    assert lines(story, "lead_to_opportunity", "2026-Q1") == {}


def test_a_rate_over_nothing_has_no_value_and_says_why() -> None:
    story = at(Stage.EXECUTION)
    refer(story, "D-1")
    story.on("2026-02-02")
    story.when(OURS, QualifyLead(deal="D-1"))

    february = line(story, "lead_to_qualified", "2026-02")
    assert parts(february) == (None, 1, 0)
    assert february.note == "nothing to divide by"
    assert codes(february) == [CaveatCode.NOTHING_TO_DIVIDE_BY]
    assert line(story, "lead_to_qualified", "2026-Q1").value == 100


def test_nothing_is_compared_with_a_figure_of_zero() -> None:
    story = at(Stage.EXECUTION)
    story.on("2026-03-31")
    report(story, "click_rate", "2026-01", percent(0, 10))
    report(story, "click_rate", "2026-02", percent(5, 10))

    assert line(story, "click_rate", "2026-02").change is None


# --- how periods add up ------------------------------------------------------------------------


def of_kind(adds: Adds) -> list[str]:
    return [each.name for each in CATALOGUE.values() if each.adds is adds and not each.counted]


def units_of(name: str) -> str:
    unit = CATALOGUE[name].unit
    return "EUR" if unit is Unit.MONEY else unit.value


def year_of(name: str, figures_by_month: dict[str, ReportedFigure]) -> Story:
    story = after(BeginExploration)
    story.on("2027-01-01")
    for month, figure in figures_by_month.items():
        report(story, name, month, figure)
    return story


def value(story: Story, name: str, period: str) -> Decimal | None:
    found = reading.figure(figures(story), name, period, unit=units_of(name))
    return found.value if found else None


MONTHS = st.sampled_from(months_of("2026"))
AMOUNTS = st.integers(0, 10**6)


@given(st.sampled_from(of_kind(Adds.SUM)), st.dictionaries(MONTHS, AMOUNTS, min_size=1))
def test_counts_and_amounts_add_up_from_months_to_quarters_to_the_year(
    name: str, amounts: dict[str, int]
) -> None:
    story = year_of(
        name,
        {
            m: ReportedFigure(unit=units_of(name), value=Decimal(each))
            for m, each in amounts.items()
        },
    )

    assert value(story, name, "2026") == sum(amounts.values())
    for quarter in quarters_of("2026"):
        within = [amounts[month] for month in months_of(quarter) if month in amounts]
        assert value(story, name, quarter) == (sum(within) if within else None)


@given(st.dictionaries(MONTHS, st.tuples(st.integers(0, 500), st.integers(500, 900)), min_size=1))
def test_ratios_add_up_by_numerator_and_denominator(by_month: dict[str, tuple[int, int]]) -> None:
    story = year_of("click_rate", {month: percent(*part) for month, part in by_month.items()})

    for period in (*quarters_of("2026"), "2026"):
        within = [by_month[month] for month in months_of(period) if month in by_month]
        found = reading.figure(figures(story), "click_rate", period)
        if not within:
            assert found is None
            continue
        assert found is not None
        assert found.numerator == sum(numerator for numerator, _ in within)
        assert found.denominator == sum(denominator for _, denominator in within)
        exact = found.numerator * 100 / found.denominator
        assert found.value is not None
        assert abs(found.value - exact) <= Decimal("0.00005")


@given(st.dictionaries(MONTHS, AMOUNTS, min_size=1))
def test_the_last_value_of_a_level_counts(levels: dict[str, int]) -> None:
    story = year_of("followers", {month: count(level) for month, level in levels.items()})

    assert value(story, "followers", "2026") == levels[max(levels)]


def test_a_campaigns_own_leads_are_not_taken_for_the_partners_referrals() -> None:
    story = at(Stage.EXECUTION)
    story.on("2026-02-01")
    report(story, "leads", "2026-01", count(112), "webinars")
    story.on("2026-02-10")
    refer_many(story, range(3))

    assert [value(story, "leads", month) for month in months_of("2026-Q1")] == [None, 3, None]
    assert value(story, "leads", "2026-Q1") == 3
    assert line(story, "leads", "2026-Q1", "webinars").value == 112


# --- what deals show, and what is reported of it -----------------------------------------------


def test_a_report_of_what_deals_show_is_shown_beside_the_count() -> None:
    story = at(Stage.EXECUTION)
    refer(story, "D-1")
    story.on("2026-02-01")
    report(story, "leads", "2026-01", count(7), tool="their-crm")

    shown = line(story, "leads", "2026-01")
    assert (shown.value, shown.source) == (Decimal(1), "counted")
    assert [(each.value, each.source) for each in shown.reported] == [(Decimal(7), "their-crm")]


def test_a_month_that_is_reported_adds_nothing_to_a_quarter_that_is_counted() -> None:
    story = at(Stage.EXECUTION)
    story.on("2026-02-01")
    report(story, "leads", "2026-01", count(5))
    story.on("2026-02-10")
    refer_many(story, range(3))

    by_month = [value(story, "leads", month) for month in months_of("2026-Q1")]
    assert by_month == [None, 3, None]
    assert value(story, "leads", "2026-Q1") == 3
    assert line(story, "leads", "2026-01").source == "crm"


def test_where_both_agree_that_the_report_decides_it_does() -> None:
    story = at(Stage.EXECUTION)
    refer(story, "D-1")
    story.on("2026-02-01")
    report(story, "leads", "2026-01", count(7))

    found = reading.figure(figures(story), "leads", "2026-01", measured="report")
    assert found is not None
    assert (found.value, found.source) == (Decimal(7), "crm")


# --- what counts of several reports ------------------------------------------------------------


def test_months_count_before_a_figure_of_their_quarter() -> None:
    story = at(Stage.EXECUTION)
    story.on("2026-04-01")
    for month, figure in {"2026-01": 5, "2026-02": 6, "2026-03": 7}.items():
        report(story, "impressions", month, count(figure))
    report(story, "impressions", "2026-Q1", count(100))

    assert value(story, "impressions", "2026-Q1") == 18
    assert value(story, "impressions", "2026") == 18


def test_a_quarter_counts_until_all_of_its_months_are_reported() -> None:
    story = at(Stage.EXECUTION)
    story.on("2026-04-01")
    report(story, "impressions", "2026-Q1", count(100))
    report(story, "impressions", "2026-01", count(5))
    report(story, "impressions", "2026-02", count(6))

    assert value(story, "impressions", "2026-Q1") == 100
    assert value(story, "impressions", "2026") == 100
    assert value(story, "impressions", "2026-01") == 5

    report(story, "impressions", "2026-03", count(7))

    assert value(story, "impressions", "2026-Q1") == 18


@pytest.mark.parametrize(
    ("zone", "months"), [("Europe/Berlin", [None, 1]), ("America/New_York", [1, None])]
)
def test_months_begin_in_the_time_zone_that_was_agreed_first(
    zone: str, months: list[int | None]
) -> None:
    story = Story().given(
        step._replace(command=in_zone(step.command, zone))
        for step in LIFE[: LIFE.index(EXAMPLES[SubmitReferral])]
    )
    story.on("2026-04-02")
    refer(story, "D-9", happened="2026-03-31T23:00")
    amend(story, since=date(2026, 4, 2), time_zone="Asia/Tokyo")

    assert [value(story, "leads", month) for month in ("2026-03", "2026-04")] == months


def in_zone(command: Command, zone: str) -> Command:
    if not isinstance(command, ProposeTerms | CounterTerms) or not command.frame:
        return command
    zoned: Command = changed(command, frame=changed(command.frame, time_zone=zone))
    return zoned


def test_a_month_reported_whole_and_one_reported_by_segments_both_count_in_the_quarter() -> None:
    story = at(Stage.EXECUTION)
    story.on("2026-04-01")
    report(story, "impressions", "2026-01", count(100))
    report(story, "impressions", "2026-01", count(40), "spring")
    report(story, "impressions", "2026-02", count(30), "spring")
    report(story, "impressions", "2026-02", count(20), "summer")
    report(story, "impressions", "2026-02", count(900), OTHER_CHANNELS)

    assert value(story, "impressions", "2026-Q1") == 150


def test_what_one_tool_reports_is_never_added_to_what_another_reports() -> None:
    story = at(Stage.EXECUTION)
    story.on("2026-04-01")
    report(story, "impressions", "2026-01", count(100), tool="ours")
    report(story, "impressions", "2026-02", count(100), tool="ours")
    report(story, "impressions", "2026-03", count(7), tool="theirs")

    shown = line(story, "impressions", "2026-Q1")
    assert (shown.value, shown.source) == (Decimal(200), "ours")


# --- late facts and corrections ----------------------------------------------------------------


def test_a_late_fact_counts_in_the_month_in_which_it_happened() -> None:
    story = at(Stage.EXECUTION)
    story.on("2026-04-05")
    refer(story, "D-1", happened="2026-03-31T23:59")
    refer(story, "D-2", happened="2026-04-01T00:00")

    assert [value(story, "leads", month) for month in ("2026-03", "2026-04")] == [1, 1]
    assert [value(story, "leads", quarter) for quarter in ("2026-Q1", "2026-Q2")] == [1, 1]


def test_what_counts_of_a_tagged_lead_is_when_it_arrived() -> None:
    story = at(Stage.EXECUTION)
    story.on("2026-03-31")
    refer(story, "D-1")
    refer(story, "D-2")
    story.on("2026-04-02")
    sell(story, "D-3", None)
    attribute(story, "D-1")

    share = line(story, "tagged_share", "2026-03")
    assert parts(share) == (50, 1, 2)
    assert line(story, "tagged_share", "2026-04").value == 100


def test_a_correction_restates_the_figure_and_all_that_is_made_from_it() -> None:
    story = at(Stage.EXECUTION)
    story.on("2026-04-01")
    report(story, "click_rate", "2026-01", percent(49, 1000))
    report(story, "click_rate", "2026-02", percent(51, 1000))
    assert value(story, "click_rate", "2026-Q1") == 5
    correct(story, "click_rate", "2026-01", percent(149, 1000))

    assert value(story, "click_rate", "2026-01") == Decimal("14.9")
    assert value(story, "click_rate", "2026-Q1") == 10


# --- money -------------------------------------------------------------------------------------


def test_currencies_are_never_added() -> None:
    story = at(Stage.EXECUTION)
    sell(story, "D-1", "10000.00")
    sell(story, "D-2", "5000.00", "EUR")
    sell(story, "D-3", "7000.00", "EUR")

    won = lines(story, "won_value", "2026-01")
    assert {unit: each.value for (_, unit), each in won.items()} == {"USD": 10_000, "EUR": 12_000}
    mean = lines(story, "average_contract_value", "2026-Q1")
    assert {unit: each.value for (_, unit), each in mean.items()} == {"USD": 10_000, "EUR": 6000}
    assert value(story, "deals_won", "2026-Q1") == 3


def test_payments_and_refunds_are_counted_separately() -> None:
    story = at(Stage.EXECUTION)
    sell(story, "D-1", "10000.00")
    story.when(OURS, ReceivePayment(deal="D-1", payment="P-1", amount=usd("9000.00")))
    story.on("2026-02-01")
    story.when(OURS, IssueRefund(deal="D-1", refund="R-1", payment="P-1", amount=usd("400.00")))

    assert line(story, "payments", "2026-Q1").value == 9000
    assert line(story, "refunds", "2026-Q1").value == 400
    assert lines(story, "refunds", "2026-01") == {}


def test_days_to_close_are_divided_by_the_deals_won() -> None:
    story = at(Stage.EXECUTION)
    refer(story, "D-1")
    story.on("2026-01-15")
    refer(story, "D-2")
    story.on("2026-01-25")
    for name in ("D-1", "D-2"):
        win(story, name)
    refer(story, "D-3")
    story.when(OURS, LoseDeal(deal="D-3", reason="No budget."))

    assert line(story, "time_to_close", "2026-01").value == 15
    assert line(story, "deals_lost", "2026-01").direction is Direction.DOWN


# --- what was agreed ---------------------------------------------------------------------------


def objective(story: Story, name: str) -> Decimal | int | None:
    progress = objectives(figures(story), story.now.date())
    (found,) = [each for each in progress if each.objective.objective == name]
    return found.value


@pytest.mark.parametrize("periods", [("2026-03", "2026-06"), ("2026-Q1", "2026-Q2")])
def test_an_objective_adds_up_what_came_in_by_month_or_by_quarter(periods: list[str]) -> None:
    story = at(Stage.EXECUTION)
    story.on("2026-07-01")
    for period, amount in zip(periods, (58_000, 74_000), strict=True):
        dollars = ReportedFigure(unit="USD", value=Decimal(amount))
        report(story, "co_branded_revenue", period, dollars)

    assert objective(story, "co-branded-revenue") == 132_000


def test_what_came_before_the_charter_or_after_its_deadline_is_not_counted() -> None:
    story = at(Stage.EXECUTION)
    story.on("2027-02-01")
    for month, users in {"2025-10": 1, "2025-11": 20, "2026-12": 300, "2027-01": 4000}.items():
        report(story, "new_users", month, count(users))

    assert objective(story, "new-users") == 320


def test_the_minimum_of_the_terms_in_force_when_the_quarter_began_is_the_target() -> None:
    story = at(Stage.EXECUTION)
    story.on("2026-02-02")
    agree_minimum(story, 20, date(2026, 2, 10))
    refer_many(story, range(10))
    story.on("2026-04-02")
    refer_many(story, range(10, 20))

    targets = [line(story, "leads", quarter).target for quarter in ("2026-Q1", "2026-Q2")]
    assert targets == [
        Target(THEIRS, Decimal(10), Decimal(10), 1, Decimal(100), Decimal(0)),
        Target(THEIRS, Decimal(10), Decimal(20), 2, Decimal(50), Decimal(10)),
    ]


def test_every_quarter_with_a_figure_is_listed_in_order() -> None:
    story = at(Stage.EXECUTION)
    story.on("2026-08-01")
    for period in ("2026-07", "2025-11", "2026-Q2"):
        report(story, "impressions", period, count(1))

    listed = reading.periods(figures(story))
    assert [each for each in listed if "Q" in each] == ["2025-Q3", "2025-Q4", "2026-Q2", "2026-Q3"]
    assert all(one < other for one, other in pairwise(listed))


def test_the_catalogue_names_what_a_counted_ratio_is_made_of() -> None:
    for metric in CATALOGUE.values():
        if metric.counted and metric.adds is Adds.RATIO:
            assert CATALOGUE[metric.numerator].counted
            assert CATALOGUE[metric.denominator].counted


def test_of_the_reports_of_several_tools_the_latest_is_shown() -> None:
    story = at(Stage.EXECUTION)
    story.on("2026-02-01")
    report(story, "impressions", "2026-01", count(10), tool="ours")
    report(story, "impressions", "2026-01", count(12), tool="theirs")

    shown = line(story, "impressions", "2026-01")
    assert shown.value == 12
    assert shown.source == "theirs"


def beside(months: int) -> tuple[object, list[tuple[object, str | None]]]:
    """Return the figure of a quarter, and what is shown beside it, once months are reported, too.

    Each month has 10 visits, and the quarter 50.
    """
    story = at(Stage.EXECUTION)
    story.on("2026-04-10")
    report(story, "web_visits", "2026-Q1", count(50))
    for month in range(1, months + 1):
        report(story, "web_visits", f"2026-{month:02}", count(10))
    found = line(story, "web_visits", "2026-Q1")
    return found.value, [(each.value, each.note) for each in found.reported]


def test_a_quarter_is_shown_beside_the_sum_of_its_months_and_says_which_it_is() -> None:
    assert beside(0) == (50, [])
    assert beside(2) == (50, [(20, "the sum of 2026-01 and 2026-02")])
    assert beside(3) == (30, [(50, "for 2026-Q1 as a whole")])
