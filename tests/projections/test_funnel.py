"""The funnel: how many go on at each step, where most stop, and how other channels do (C19)."""

from decimal import Decimal

import pytest

from domain.kernel import Stage
from domain.payment import ReceivePayment
from domain.referral import QualifyLead
from domain.reported_figure import OTHER_CHANNELS
from projections.caveats import Caveat, CaveatCode, fewer_than
from projections.figures import Figure
from projections.funnel import Cohort, Cohorts, FunnelStep, Passed
from projections.funnel import report as funnel_of
from tests.life import OURS, at, usd
from tests.projections.folds import (
    bare_percent,
    figures,
    line,
    percent,
    refer,
    refer_many,
    report,
    running,
    sell,
)
from tests.stories import Story


def steps(story: Story, period: str | None = None) -> dict[str, Passed]:
    return {each.step: each for each in funnel_of(figures(story), period).steps}


def sold() -> Story:
    """Ten leads of which eight are qualified, three see a demo, two buy and one pays."""
    story = running()
    for number in range(3):
        sell(story, f"D-{number}", "1000.00" if number < 2 else None)
    refer_many(story, range(3, 10))
    for number in range(8):
        story.when(OURS, QualifyLead(deal=f"D-{number}"))
    for payment in ("P-1", "P-2"):
        story.when(OURS, ReceivePayment(deal="D-0", payment=payment, amount=usd("10.00")))
    return story


def test_each_step_says_how_many_go_on_and_how_many_drop_off() -> None:
    found = steps(sold())

    assert [each.count for each in found.values()] == [10, 8, 2, 3, 2, 1]
    assert found["qualified"] == Passed(
        FunnelStep.QUALIFIED,
        Decimal(8),
        goes_on=Decimal(80),
        low=Decimal("48.2244"),
        high=Decimal("93.9782"),
        drop_off=Decimal(20),
    )
    assert found["leads"].goes_on is None


def test_the_step_that_fewest_reach_is_the_worst() -> None:
    assert funnel_of(figures(sold())).worst is FunnelStep.OPPORTUNITY


def test_where_every_deal_takes_each_step_none_is_the_worst() -> None:
    story = running()
    sell(story, "D-1", "1000.00")
    story.when(OURS, ReceivePayment(deal="D-1", payment="P-1", amount=usd("10.00")))

    found = funnel_of(figures(story))

    assert {each.goes_on for each in found.steps if each.goes_on is not None} == {100}
    assert found.worst is None


def test_a_step_that_more_take_than_the_one_before_has_no_share() -> None:
    assert steps(sold())["demo"].goes_on is None


def test_a_step_that_nobody_records_is_no_sign_that_deals_stop_there() -> None:
    story = running()
    for number in range(4):
        sell(story, f"D-{number}", "1000.00" if number < 1 else None)

    found = steps(story)

    nobody = Caveat(CaveatCode.NOT_RECORDED, "not recorded")
    assert found["qualified"] == Passed(FunnelStep.QUALIFIED, Decimal(0), caveat=nobody)
    assert found["opportunity"].goes_on == 25  # of the four leads


def test_a_deal_that_pays_twice_is_one_paid_deal() -> None:
    assert line(sold(), "deals_paid", "2026-01").value == 1


def test_a_period_has_the_steps_that_were_taken_in_it() -> None:
    story = sold()
    story.on("2026-04-10")
    refer(story, "D-20")

    assert steps(story, "2026-Q2")["leads"].count == 1
    assert steps(story, "2026-Q1")["leads"].count == 10
    assert steps(story)["leads"].count == 11


def test_where_nothing_was_counted_the_funnel_is_empty() -> None:
    found = funnel_of(figures(at(Stage.FORMATION)))

    assert {each.count for each in found.steps} == {0}
    assert found.worst is None
    assert found.cohorts == ()


def test_the_partners_customers_are_compared_to_those_of_other_channels() -> None:
    story = running("2026-09-30")
    for quarter in ("2026-Q2", "2026-Q3"):
        report(story, "demo_to_paid", quarter, percent(20, 100))
        report(story, "demo_to_paid", quarter, percent(15, 100), OTHER_CHANNELS)

    (cohorts,) = funnel_of(figures(story)).cohorts

    assert cohorts == Cohorts(
        "demo_to_paid",
        partner=Cohort(Decimal(40), Decimal(200), Decimal(20)),
        other_channels=Cohort(Decimal(30), Decimal(200), Decimal(15)),
        partner_higher=Decimal("0.9047"),
    )


@pytest.mark.parametrize("segment", [None, OTHER_CHANNELS])
def test_without_denominators_on_both_sides_there_is_no_comparison(segment: str | None) -> None:
    story = running("2026-09-30")
    report(story, "demo_to_paid", "2026-Q3", percent(20, 100), segment)
    other = None if segment else OTHER_CHANNELS
    report(story, "demo_to_paid", "2026-Q3", bare_percent("15"), other)

    assert funnel_of(figures(story)).cohorts == ()


def test_a_step_that_is_hidden_has_a_caveat_and_no_share_rests_on_it() -> None:
    def hidden(metric: str, _: Figure | None) -> Caveat | None:
        return fewer_than(5) if metric == "opportunities" else None

    found = funnel_of(figures(sold()), hidden=hidden)
    by_step = {each.step: each for each in found.steps}

    hidden_step = Passed(FunnelStep.OPPORTUNITY, None, caveat=fewer_than(5))
    assert by_step[FunnelStep.OPPORTUNITY] == hidden_step
    assert by_step[FunnelStep.DEMO] == Passed(FunnelStep.DEMO, Decimal(3))
    assert by_step[FunnelStep.WON].goes_on is not None


def test_cohorts_of_which_one_is_hidden_are_not_compared() -> None:
    story = running("2026-09-30")
    report(story, "demo_to_paid", "2026-Q3", percent(20, 100))
    report(story, "demo_to_paid", "2026-Q3", percent(2, 100), OTHER_CHANNELS)

    def hidden(_: str, figure: Figure | None) -> Caveat | None:
        return fewer_than(5) if figure and figure.numerator == 2 else None

    assert funnel_of(figures(story)).cohorts
    assert funnel_of(figures(story), hidden=hidden).cohorts == ()
