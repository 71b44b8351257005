"""The worked examples of the documents, to the digit, from the feeds by the ordinary parts."""

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from domain.governance import ResourcesCommitted
from domain.proportions import Beta, rounded
from infra.answers import explain, history, kpis, show, statement
from infra.answers.explain import AlertExplained
from infra.answers.partnership_state import TaskState
from infra.answers.statement import LedgerLine
from infra.bootstrap import Accord
from infra.store.history import partnerships
from projections.breaches import RuleFacts
from projections.figures import Against, FigureChange, FigureLine, Target
from projections.portfolio import load
from tests.feeds import played
from tests.projections.folds import parts

Row = dict[str, Any]

CONSULTING, AURORA, COBALT, SPAIN = (
    "growthos-consulting",
    "aurora-series",
    "cobalt-docs",
    "spring-spain",
)


@pytest.fixture(scope="module")
def accord(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Accord]:
    with played(tmp_path_factory.mktemp("catalogue")) as accord:
        accord.runner.catch_up()
        yield accord


def figure(
    accord: Accord, name: str, period: str, metric: str, segment: str | None = None
) -> FigureLine:
    """The one line of a metric, period and segment."""
    found = kpis.ask(accord, name, period).figures
    (line,) = (each for each in found if (each.metric, each.segment) == (metric, segment))
    return line


def lines(accord: Accord, name: str, period: str) -> list[LedgerLine]:
    found = statement.ask(accord, name, period).statements
    return [line for each in found for line in each.lines]


def amount(found: list[LedgerLine], text: str) -> Decimal:
    """The sum of the lines whose text contains this one."""
    return sum((line.amount for line in found if text in line.text), Decimal(0))


# --- small samples -----------------------------------------------------------------------------

WEBINARS = {
    "northbridge": (12, 150, "8.0000", "8.55", "0.040"),
    "calder-lane": (3, 80, "3.7500", "4.88", "0.581"),
    "ostra-partners": (0, 40, "0.0000", "2.38", "0.878"),
}


def test_three_webinars_together_make_5_56_percent(accord: Accord) -> None:
    whole = figure(accord, CONSULTING, "2025-10", "demo_request_rate")

    assert parts(whole) == (Decimal("5.5556"), 15, 270)


@pytest.mark.parametrize("firm", WEBINARS)
def test_a_webinar_and_what_it_says_under_a_uniform_prior(accord: Accord, firm: str) -> None:
    successes, trials, rate, mean, below = WEBINARS[firm]
    line = figure(accord, CONSULTING, "2025-10", "demo_request_rate", firm)
    known = Beta(1, 1).after(successes, trials)

    assert parts(line) == (Decimal(rate), successes, trials)
    assert line.posterior is not None
    assert line.posterior.mean.quantize(Decimal("0.01")) == Decimal(mean)
    sure = known.probability_below(Decimal("0.05"))
    assert rounded(sure).quantize(Decimal("0.001")) == Decimal(below)
    assert sure < Decimal("0.95"), "even 0 of 40 does not establish below 5 percent"


def test_influencers_in_spain_gain_nine_points_and_no_interval(accord: Accord) -> None:
    line = figure(accord, SPAIN, "2026-05", "subscription_conversion", "influencer-campaign")

    assert line.value == 11
    assert line.change == FigureChange(Decimal(9), Decimal("5.5"), since="2026-02")
    assert line.posterior is None
    assert "insufficient evidence" in (line.note or "")


# --- after six months --------------------------------------------------------------------------


@pytest.mark.parametrize("quarter", ["2026-Q1", "2026-Q2"])
def test_the_partners_demos_bring_two_thirds_more_revenue(accord: Accord, quarter: str) -> None:
    paid = figure(accord, CONSULTING, quarter, "demo_to_won")
    value = figure(accord, CONSULTING, quarter, "average_contract_value")
    better, dearer = paid.against_other_channels, value.against_other_channels

    assert paid.value == 20
    assert better == Against(Decimal(5), Decimal("1.3333"))
    assert dearer is not None
    assert dearer.factor == Decimal("1.25")
    revenue_per_demo = better.factor * dearer.factor
    assert revenue_per_demo.quantize(Decimal("0.001")) == Decimal("1.667")


def test_eight_of_ten_referrals_then_fourteen_and_their_gift_cards(accord: Accord) -> None:
    second, third = (
        figure(accord, CONSULTING, quarter, "leads") for quarter in ("2026-Q2", "2026-Q3")
    )

    assert second.target == Target(
        "northbridge", Decimal(8), Decimal(10), 1, Decimal(80), Decimal(2)
    )
    assert third.target is not None
    assert third.change is not None
    assert [third.target.attainment_percent, third.change.percent] == [140, 75]
    assert amount(lines(accord, CONSULTING, "2026-Q3"), "gift-card") == 1400


# --- money -------------------------------------------------------------------------------------


def test_the_first_years_10000_dollars_earn_1500_and_the_second_years_nothing(
    accord: Accord,
) -> None:
    assert amount(lines(accord, CONSULTING, "2026-Q1"), "payment pay-0001") == 1500
    assert amount(lines(accord, CONSULTING, "2026-Q3"), "payment pay-0006") == 0


@pytest.mark.parametrize(
    ("name", "period", "payment", "part"),
    [(AURORA, "2026", "aur-pay-0001", 70), (COBALT, "cob-final", "cob-pay-0001", 60)],
)
def test_100_dollars_are_split_as_agreed(
    accord: Accord, name: str, period: str, payment: str, part: int
) -> None:
    assert amount(lines(accord, name, period), f"payment {payment}") == part


def test_a_sale_of_30_june_that_arrives_on_5_july_earns_15_percent(accord: Accord) -> None:
    (late,) = (line for line in lines(accord, CONSULTING, "2026-Q2") if "pay-0003" in line.text)

    assert late.occurred_at.date() == date(2026, 6, 30)
    assert (late.late_days, late.share) == (4, Decimal(15))
    assert late.amount == Decimal(12500) * 15 / 100


# --- rules and time ----------------------------------------------------------------------------


def test_two_quarters_at_4_9_are_a_breach_until_one_is_corrected_to_5_0(accord: Accord) -> None:
    explained = explain.ask(accord, "conversion-floor@1/aurora-series/2026-Q2").explained

    assert isinstance(explained, AlertExplained)
    changes = [each.alert for each in explained.transitions]
    assert [
        (each.state, each.facts.values) for each in changes if isinstance(each.facts, RuleFacts)
    ] == [
        ("open", (Decimal("4.9"), Decimal("4.9"))),
        ("withdrawn", (Decimal(5), Decimal("4.9"))),
    ]
    breaches = [
        each.event.type
        for each in history.items(accord, AURORA)
        if each.event and each.event.type.startswith("RuleBreach")
    ]
    assert breaches == ["RuleBreached", "RuleBreachWithdrawn"]


def test_an_issue_of_47_59_hours_is_not_escalated_and_one_of_48_is(accord: Accord) -> None:
    issues = {each.planned.issue: each for each in show.ask(accord, CONSULTING).issues}
    escalated = [
        each.event.data["issue"]
        for each in history.items(accord, CONSULTING)
        if each.event and each.event.type == "IssueEscalated"
    ]

    assert (issues["issue-1"].state, issues["issue-1"].overdue_at) == (TaskState.DONE, None)
    assert escalated == ["issue-2"]


def test_three_years_from_2026_with_60_days_notice(accord: Accord) -> None:
    renewal = show.ask(accord, CONSULTING).renewal

    assert renewal.term_ends_on == date(2029, 1, 1)
    assert renewal.last_day_for_notice == date(2028, 11, 2)


def test_ten_partnerships_take_one_to_two_full_time_people(accord: Accord) -> None:
    committed = {
        each.event.attention
        for name in partnerships(accord.history)
        for each in accord.history.of(name)
        if isinstance(each.event, ResourcesCommitted)
    }

    assert {Decimal(10), Decimal(20)} <= committed
    for percent, people in [(Decimal(10), 1), (Decimal(20), 2)]:
        assert load([percent] * 10).people_committed == people
