"""Reported figures: once for each period and tool, then corrections (C19)."""

from decimal import Decimal
from itertools import permutations
from typing import Any

import pytest
from pydantic import ValidationError

from domain.claims import ConfirmClaim, FigureRef
from domain.examples import EXAMPLES
from domain.exploration import ChoosePartner, IdentifyCandidate
from domain.metric_catalogue import CATALOGUE, Adds, Direction, Unit
from domain.reported_figure import (
    CorrectMetric,
    MetricCorrected,
    MetricReported,
    ReportedFigure,
    ReportMetric,
    Respondents,
)
from tests.life import LIFE, OURS, THEIRS, after, before, changed, example
from tests.projections.money import share, under


def figure(unit: str, value: str) -> ReportedFigure:
    return ReportedFigure(unit=unit, value=Decimal(value))


def ratio(numerator: str, denominator: str, unit: str = "percent") -> ReportedFigure:
    return ReportedFigure(unit=unit, numerator=Decimal(numerator), denominator=Decimal(denominator))


def test_a_figure_is_reported_once() -> None:
    story = after(ReportMetric)

    assert story.when(OURS, example(ReportMetric)) == []
    other = example(ReportMetric, figure=ratio("12", "150"))
    assert story.refuses(OURS, other).rule == "already-reported"
    assert len(story.facts(MetricReported)) == 1


def test_another_figure_for_the_same_period_is_a_correction_and_both_stay_on_record() -> None:
    story = after(ReportMetric)

    corrected = story.when(OURS, example(CorrectMetric))

    assert corrected == [MetricCorrected.of(example(CorrectMetric))]
    assert story.when(OURS, example(CorrectMetric)) == []
    assert [str(each.figure) for each in story.facts(MetricReported)] == ["11 of 150"]
    assert [str(each.figure) for each in story.facts(MetricCorrected)] == ["12 of 150"]


def test_only_what_was_reported_can_be_corrected() -> None:
    story = before(ReportMetric)

    assert story.refuses(OURS, example(CorrectMetric)).rule == "nothing-to-correct"


@pytest.mark.parametrize(
    "elsewhere",
    [{"tool": "survey"}, {"segment": "other-firm"}, {"segment": None}, {"period": "2025-08"}],
)
def test_each_tool_segment_and_period_has_a_figure_of_its_own(elsewhere: dict[str, str]) -> None:
    story = after(ReportMetric)

    assert story.when(OURS, example(ReportMetric, figure=ratio("3", "80"), **elsewhere))


def test_a_period_begins_in_the_time_zone_of_the_agreement() -> None:
    story = under(share(), time_zone="America/New_York")
    figure = example(ReportMetric, tool="survey", period="2026-04")
    story.on("2026-04-01T03:59")
    assert story.refuses(OURS, figure).rule == "period-not-begun"
    story.on("2026-04-01T04:00")
    assert story.when(OURS, figure)


def test_a_period_is_reported_once_it_has_begun() -> None:
    story = before(ReportMetric)

    assert story.refuses(OURS, example(ReportMetric, period="2025-11")).rule == "period-not-begun"
    assert story.when(OURS, example(ReportMetric, period="2025-10"))


def test_a_metric_outside_the_catalogue_is_refused_with_those_it_resembles() -> None:
    story = before(ReportMetric)

    near = story.refuses(OURS, example(ReportMetric, metric="click_rat"))
    far = story.refuses(OURS, example(ReportMetric, metric="zzz"))

    assert near.rule == far.rule == "unknown-metric"
    assert "click_rate" in near.hint


@pytest.mark.parametrize(
    ("metric", "unit"),
    [
        ("demo_request_rate", "count"),
        ("new_users", "percent"),
        ("co_branded_revenue", "count"),
        ("co_branded_revenue", "money"),
        ("watch_time", "minutes"),
    ],
)
def test_a_figure_comes_in_the_metrics_unit(metric: str, unit: str) -> None:
    story = before(ReportMetric)

    refusal = story.refuses(OURS, example(ReportMetric, metric=metric, figure=figure(unit, "5")))

    assert refusal.rule == "wrong-unit"


def test_money_is_reported_in_a_currency() -> None:
    story = before(ReportMetric)
    revenue = example(ReportMetric, metric="co_branded_revenue", figure=figure("EUR", "5.50"))

    assert story.when(OURS, revenue)


@pytest.mark.parametrize(
    "shapeless",
    [
        ReportedFigure(unit="percent"),
        ReportedFigure(unit="percent", numerator=Decimal(1)),
        ReportedFigure(unit="percent", denominator=Decimal(1)),
        ReportedFigure(unit="percent", value=Decimal(8), denominator=Decimal(150)),
        ReportedFigure(
            unit="percent", value=Decimal(8), numerator=Decimal(12), denominator=Decimal(150)
        ),
    ],
)
def test_a_figure_is_a_value_or_a_numerator_with_its_denominator(shapeless: ReportedFigure) -> None:
    refusal = before(ReportMetric).refuses(OURS, example(ReportMetric, figure=shapeless))

    assert refusal.rule == "figure-shape"


def test_a_count_has_no_denominator() -> None:
    refusal = before(ReportMetric).refuses(
        OURS, example(ReportMetric, metric="new_users", figure=ratio("5", "10", "count"))
    )

    assert refusal.rule == "figure-shape"


@pytest.mark.parametrize(("numerator", "denominator"), [("151", "150"), ("1", "0")])
def test_successes_never_exceed_trials(numerator: str, denominator: str) -> None:
    command = example(ReportMetric, figure=ratio(numerator, denominator))

    assert before(ReportMetric).refuses(OURS, command).rule == "successes-exceed-trials"


@pytest.mark.parametrize(
    ("metric", "figure"),
    [
        ("demo_request_rate", ratio("-1", "150")),
        ("new_users", ReportedFigure(unit="count", value=Decimal(-1))),
        ("payments", ReportedFigure(unit="USD", value=Decimal("-0.01"))),
    ],
)
def test_a_figure_is_below_zero_only_if_its_metric_can_be(
    metric: str, figure: ReportedFigure
) -> None:
    command = example(ReportMetric, metric=metric, figure=figure)

    assert before(ReportMetric).refuses(OURS, command).rule == "figure-negative"


@pytest.mark.parametrize("name", sorted(each.name for each in CATALOGUE.values() if each.signed))
def test_a_margin_a_score_and_money_after_refunds_can_be_below_zero(name: str) -> None:
    metric = CATALOGUE[name]
    unit = "USD" if metric.unit is Unit.MONEY else metric.unit.value
    command = example(
        ReportMetric, metric=name, figure=ReportedFigure(unit=unit, value=Decimal(-1))
    )

    assert before(ReportMetric).when(OURS, command)


@pytest.mark.parametrize(
    ("numerator", "denominator"),
    [("12", "150"), ("3", "80"), ("0", "40"), ("40", "40"), ("0", "0")],
)
def test_the_webinars_of_the_documents_are_taken(numerator: str, denominator: str) -> None:
    command = example(ReportMetric, figure=ratio(numerator, denominator))

    assert before(ReportMetric).when(OURS, command)


def test_a_return_may_exceed_what_was_spent_and_may_be_a_loss() -> None:
    story = before(ReportMetric)
    returned = example(ReportMetric, metric="return_on_investment", figure=ratio("300", "100"))
    lost = example(
        ReportMetric, metric="return_on_investment", figure=ratio("-50", "100"), tool="other"
    )

    assert story.when(OURS, returned)
    assert story.when(OURS, lost)


def test_a_claim_without_denominators_stays_without() -> None:
    claim = example(ReportMetric, metric="click_rate", figure=figure("percent", "11"))

    [reported] = before(ReportMetric).when(OURS, claim)

    assert isinstance(reported, MetricReported)
    assert str(reported.figure) == "11 %"
    assert reported.figure.denominator is None


@pytest.mark.parametrize("period", ["2026-13", "2026-Q5", "26-01", "2026-1", "2026-01-01", ""])
def test_a_period_is_a_month_a_quarter_or_a_year(period: str) -> None:
    with pytest.raises(ValidationError):
        example(ReportMetric, period=period)


# --- a net promoter score ----------------------------------------------------------------------


PEOPLE = Respondents(promoters=6, passives=3, detractors=1)


@pytest.mark.parametrize(
    ("metric", "content", "rule"),
    [
        ("net_promoter_score", {"unit": "score", "respondents": PEOPLE}, None),
        ("net_promoter_score", {"unit": "score", "value": Decimal(-100)}, None),
        ("net_promoter_score", {"unit": "score", "value": Decimal(101)}, "score-beyond-100"),
        (
            "net_promoter_score",
            {"unit": "score", "numerator": Decimal(500), "denominator": Decimal(10)},
            "figure-shape",
        ),
        (
            "net_promoter_score",
            {"unit": "score", "respondents": PEOPLE, "value": Decimal(50)},
            "figure-shape",
        ),
        ("new_users", {"unit": "count", "respondents": PEOPLE}, "figure-shape"),
    ],
)
def test_a_net_promoter_score_is_made_of_respondents_and_no_other_metric_is(
    metric: str, content: dict[str, Any], rule: str | None
) -> None:
    story = before(ReportMetric)
    command = example(ReportMetric, metric=metric, figure=ReportedFigure(**content))

    if rule is None:
        assert story.when(OURS, command)
    else:
        assert story.refuses(OURS, command).rule == rule


# --- the catalogue -----------------------------------------------------------------------------


def test_every_ratio_says_of_what_it_is_made() -> None:
    for metric in CATALOGUE.values():
        made = bool(metric.numerator) and bool(metric.denominator)
        assert made is (metric.adds is Adds.RATIO), metric.name


def test_a_ratio_counted_from_deals_is_made_of_counts_of_the_catalogue() -> None:
    for metric in CATALOGUE.values():
        if metric.counted and metric.adds is Adds.RATIO:
            assert CATALOGUE[metric.numerator].adds is Adds.SUM, metric.name
            assert CATALOGUE[metric.denominator].adds is Adds.SUM, metric.name


def test_only_percentages_are_of_a_hundred() -> None:
    for metric in CATALOGUE.values():
        assert metric.scale == (100 if metric.unit is Unit.PERCENT else 1)


def test_costs_losses_and_delays_are_better_when_fewer() -> None:
    down = {metric.name for metric in CATALOGUE.values() if metric.direction is Direction.DOWN}

    assert {"customer_acquisition_cost", "churn_rate", "bounce_rate", "time_to_close"} <= down
    assert {"leads", "retention_rate", "co_branded_revenue"}.isdisjoint(down)


def test_cost_savings_are_money_that_adds_up_and_can_be_below_zero() -> None:
    savings = CATALOGUE["cost_savings"]

    assert (savings.unit, savings.adds, savings.direction) == (Unit.MONEY, Adds.SUM, Direction.UP)
    assert savings.signed


def test_every_correction_is_recorded_in_whatever_order_they_arrive() -> None:
    made = [("12", "2026-06-02"), ("10", "2026-06-03"), ("12", "2026-06-04")]
    found = set()
    for order in permutations(made):
        story = after(ReportMetric)
        story.on("2026-07-01")
        for numerator, day in order:
            command = example(CorrectMetric, figure=ratio(numerator, "150"))
            assert story.when(OURS, command, happened=day)
            assert story.when(OURS, command, happened=day) == []
        corrections = [each for each in story.history if isinstance(each.event, MetricCorrected)]
        found.add(frozenset((each.act.occurred_at, str(each.event)) for each in corrections))

    assert len(found) == 1


@pytest.mark.parametrize("value", ["10.5", "0.001"])
def test_a_count_is_a_whole_number(value: str) -> None:
    clicks = example(ReportMetric, metric="clicks", figure=figure("count", value))

    assert before(ReportMetric).refuses(OURS, clicks).rule == "figure-not-whole"


def test_clicks_are_not_negative() -> None:
    clicks = example(ReportMetric, metric="clicks", figure=figure("count", "-1"))

    assert before(ReportMetric).refuses(OURS, clicks).rule == "figure-negative"


def test_a_denominator_is_nothing_or_at_least_a_thousandth() -> None:
    story = before(ReportMetric)
    tiny = example(ReportMetric, figure=ratio("0", "0.000999999"))

    assert story.refuses(OURS, tiny).rule == "denominator-too-small"
    assert story.when(OURS, example(ReportMetric, figure=ratio("0", "0.001")))


# --- what a party does not see -----------------------------------------------------------------


def test_a_party_neither_corrects_nor_confirms_a_figure_of_another_candidate() -> None:
    """It would learn who the other candidates were (C7)."""
    story = before(ChoosePartner)
    of = {"metric": "leads", "period": "2025-08", "tool": "crm", "segment": "globex"}
    figure = ReportedFigure(unit="count", value=Decimal(7))
    story.when(OURS, changed(example(IdentifyCandidate), candidate="globex"))
    story.when(OURS, ReportMetric(figure=figure, **of))
    story.given(LIFE[LIFE.index(EXAMPLES[ChoosePartner]) :][:40])

    def asked(segment: str) -> list[tuple[str, str]]:
        named = of | {"segment": segment}
        refusals = [
            story.refuses(THEIRS, CorrectMetric(figure=figure, reason="Counted anew.", **named)),
            story.refuses(THEIRS, ConfirmClaim(figure=FigureRef(**named), fact="figure")),
        ]
        return [(each.rule, each.detail.replace(segment, "")) for each in refusals]

    assert asked("globex") == asked("initrode")
    assert story.when(OURS, CorrectMetric(figure=figure, reason="Counted anew.", **of))
