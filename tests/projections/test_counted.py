"""What figures count of deals and entries, with corrections and objections, in any order."""

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.attribution import Method
from domain.claims import ConfirmClaim, FigureRef, ObjectToClaim
from domain.entry import RecordJointRevenue, RecordSharedCost, ReverseEntry
from domain.kernel import Command, Event
from domain.metric_catalogue import CATALOGUE
from domain.payment import CorrectPayment, CorrectRefund, IssueRefund, ReceivePayment, ReverseRefund
from domain.referral import AttributeReferral, CreateOpportunity
from domain.reported_figure import CorrectMetric, ReportedFigure, ReportMetric
from domain.rules import Action, DecisionRule, RuleComparison, Window
from domain.sale import CancelDeal, CorrectWin, LoseDeal, ReopenDeal, WinDeal
from domain.sharing import ProposeDataSharing, SharingLine
from projections import KPIS
from projections import figures as reading
from projections.counted import COUNTED, FACTS, METRICS_OF, facts_of
from projections.fold import Rows, fold, replay
from projections.kpis import PeriodRow
from tests.life import OURS, THEIRS, usd
from tests.projections.folds import agree, figures, refer, report, running, sell, states
from tests.stories import Story, moment
from tests.sweeps import sweep

DEAL = "D-1"


def sold() -> Story:
    """A deal that our side won in January for 1,000.00, and its first payment of 100.00."""
    story = running("2026-01-10")
    sell(story, DEAL, "1000.00")
    pay(story, "P-1", "100.00")
    story.on("2026-02-10")
    return story


def pay(story: Story, name: str, amount: str, happened: str | None = None) -> None:
    """Let the customer pay."""
    command = ReceivePayment(deal=DEAL, payment=name, amount=usd(amount))
    story.when(OURS, command, happened=happened)


def value(story: Story, metric: str, period: str, unit: str | None = None) -> Decimal | None:
    """Return a counted figure."""
    found = reading.figure(figures(story), metric, period, unit=unit)
    return found.value if found else None


# --- each deal counts once ---------------------------------------------------------------------


def test_a_deal_that_pays_three_times_is_one_paid_deal_in_the_month_of_the_first() -> None:
    story = sold()
    pay(story, "P-2", "100.00")
    pay(story, "P-3", "100.00")

    assert value(story, "deals_paid", "2026-01") == 1
    assert value(story, "deals_paid", "2026-02") is None
    assert value(story, "payments", "2026-Q1", "USD") == 300


def test_a_payment_that_arrives_late_takes_the_paid_deal_to_its_own_month() -> None:
    story = running("2026-01-10")
    sell(story, DEAL, "1000.00")
    story.on("2026-03-01")
    pay(story, "P-2", "100.00")
    assert value(story, "deals_paid", "2026-03") == 1
    pay(story, "P-1", "100.00", happened="2026-02-01")

    assert value(story, "deals_paid", "2026-02") == 1
    assert value(story, "deals_paid", "2026-03") is None


def test_a_lead_with_two_touches_is_one_attributed_lead() -> None:
    story = sold()
    again = AttributeReferral(deal=DEAL, touch="T-2", method=Method.UTM, evidence="utm_source=c")
    story.when(OURS, again)

    assert value(story, "attributed_leads", "2026-01") == 1
    assert value(story, "tagged_share", "2026-Q1") == 100


def test_demo_to_paid_counts_what_is_paid_and_demo_to_won_what_is_won() -> None:
    story = sold()
    sell(story, "D-2", "500.00")
    sell(story, "D-3", None)
    sell(story, "D-4", None)

    assert value(story, "demo_to_won", "2026-Q1") == 50
    assert value(story, "demo_to_paid", "2026-Q1") == 25


# --- what is put right -------------------------------------------------------------------------


def test_a_corrected_win_counts_with_its_right_value_in_its_right_month() -> None:
    story = sold()
    right = CorrectWin(
        deal=DEAL,
        annual_contract_value=usd("800.00"),
        happened_at=moment("2026-02-01"),
        reason="Mistyped.",
    )
    story.when(OURS, right)

    assert value(story, "won_value", "2026-01", "USD") is None
    assert value(story, "won_value", "2026-02", "USD") == 800
    assert value(story, "days_to_close", "2026-02") == 22


def test_a_cancelled_deal_is_neither_won_nor_paid() -> None:
    story = sold()
    story.when(OURS, CancelDeal(deal=DEAL, reason="The customer withdrew."))

    for metric in ("deals_won", "deals_paid", "days_to_close"):
        assert value(story, metric, "2026-Q1") is None
    assert value(story, "demos", "2026-Q1") == 1


def test_a_deal_that_is_won_again_counts_in_the_month_of_the_second_win() -> None:
    story = sold()
    story.when(OURS, CancelDeal(deal=DEAL, reason="The customer withdrew."))
    story.on("2026-03-10")
    story.when(OURS, WinDeal(deal=DEAL, annual_contract_value=usd("700.00")))

    assert value(story, "deals_won", "2026-01") is None
    assert value(story, "won_value", "2026-03", "USD") == 700
    assert value(story, "deals_paid", "2026-01") == 1


def test_a_win_that_never_happened_is_not_counted() -> None:
    story = sold()
    story.when(OURS, CorrectWin(deal=DEAL, void=True, reason="Another deal was meant."))

    assert value(story, "deals_won", "2026-Q1") is None


def test_a_lost_deal_that_is_reopened_is_not_lost() -> None:
    story = running("2026-01-10")
    refer(story, DEAL)
    story.when(OURS, LoseDeal(deal=DEAL, reason="No budget."))
    story.on("2026-02-10")
    assert value(story, "deals_lost", "2026-01") == 1
    story.when(OURS, ReopenDeal(deal=DEAL, reason="They called back."))
    assert value(story, "deals_lost", "2026-Q1") is None

    story.on("2026-03-10")
    story.when(OURS, LoseDeal(deal=DEAL, reason="No budget again."))

    assert value(story, "deals_lost", "2026-03") == 1
    assert value(story, "deals_lost", "2026-Q1") == 1


def test_a_corrected_payment_counts_as_it_is_right() -> None:
    story = sold()
    right = CorrectPayment(deal=DEAL, payment="P-1", amount=usd("10.00"), reason="Mistyped.")
    story.when(OURS, right)

    assert value(story, "payments", "2026-01", "USD") == 10


def test_a_refund_that_fails_or_never_happened_is_no_refund() -> None:
    story = sold()
    refund = IssueRefund(deal=DEAL, refund="R-1", payment="P-1", amount=usd("100.00"))
    story.when(OURS, refund)
    assert value(story, "refunds", "2026-02", "USD") == 100
    assert value(story, "deals_paid", "2026-01") is None

    story.wait(hours=1)
    story.when(OURS, ReverseRefund(deal=DEAL, refund="R-1"))
    assert value(story, "refunds", "2026-02", "USD") == 0
    assert value(story, "deals_paid", "2026-01") == 1

    story.when(OURS, CorrectRefund(deal=DEAL, refund="R-1", void=True, reason="Never sent."))
    assert value(story, "refunds", "2026-02", "USD") is None


# --- claims ------------------------------------------------------------------------------------


def test_a_referral_counts_until_the_other_party_objects_and_again_once_it_confirms() -> None:
    story = running("2026-01-10")
    refer(story, DEAL)
    assert value(story, "leads", "2026-01") == 1
    story.when(OURS, ObjectToClaim(deal=DEAL, fact="referral", reason="We know this client."))
    assert value(story, "leads", "2026-01") is None
    story.wait(hours=1)
    story.when(OURS, ConfirmClaim(deal=DEAL, fact="referral"))

    assert value(story, "leads", "2026-01") == 1


def test_a_correction_by_the_other_party_counts_once_it_is_confirmed() -> None:
    story = sold()
    more = CorrectPayment(deal=DEAL, payment="P-1", amount=usd("900.00"), reason="It was more.")
    story.when(THEIRS, more)
    assert value(story, "payments", "2026-01", "USD") == 100
    story.wait(hours=1)
    story.when(OURS, ConfirmClaim(deal=DEAL, fact="correction/payment/P-1"))

    assert value(story, "payments", "2026-01", "USD") == 900


def test_a_figure_corrected_in_another_currency_replaces_the_wrong_one() -> None:
    story = running("2026-02-10")
    dollars = ReportedFigure(unit="USD", value=Decimal(500))
    report(story, "co_branded_revenue", "2026-01", dollars)
    right = CorrectMetric(
        metric="co_branded_revenue",
        period="2026-01",
        tool="crm",
        figure=ReportedFigure(unit="EUR", value=Decimal(450)),
        reason="It was in euros.",
    )
    story.when(OURS, right)

    found = {
        (each.unit, each.value)
        for each in reading.report(figures(story), "2026-01")
        if each.metric == "co_branded_revenue"
    }
    assert found == {("EUR", Decimal(450))}


def test_a_report_that_the_other_party_objects_to_is_no_figure() -> None:
    story = running("2026-02-10")
    line = SharingLine(metrics=["impressions"], by=THEIRS, to=OURS, frequency="monthly", tool="ads")
    story.agree(THEIRS, ProposeDataSharing(proposal="views", lines=[line]))
    command = ReportMetric(
        metric="impressions",
        period="2026-01",
        tool="ads",
        figure=ReportedFigure(unit="count", value=Decimal(5)),
    )
    story.when(THEIRS, command)
    figure = FigureRef(metric="impressions", period="2026-01", tool="ads")
    story.when(OURS, ObjectToClaim(figure=figure, fact="figure", reason="We counted less."))

    assert value(story, "impressions", "2026-01") is None


# --- joint revenue and shared costs ------------------------------------------------------------


def entered() -> Story:
    """Return one with joint revenue of January and February, and a cost."""
    story = running("2026-01-10")
    story.when(OURS, RecordJointRevenue(entry="E-1", amount=usd("800.00")))
    story.when(THEIRS, RecordSharedCost(entry="E-3", cost="booth", amount=usd("70.00")))
    story.on("2026-02-10")
    story.when(THEIRS, RecordJointRevenue(entry="E-2", amount=usd("200.00")))
    return story


def test_joint_revenue_and_shared_costs_are_figures_of_the_months_in_which_they_came() -> None:
    story = entered()

    assert value(story, "joint_revenue", "2026-01", "USD") == 800
    assert value(story, "joint_revenue", "2026-Q1", "USD") == 1000
    assert value(story, "shared_costs", "2026-Q1", "USD") == 70


def test_a_reversal_is_taken_off_in_its_own_month() -> None:
    story = entered()
    story.on("2026-03-01")
    reversal = ReverseEntry(
        entry="E-1", reversal="V-1", amount=usd("300.00"), reason="One order came back."
    )
    story.when(OURS, reversal)

    assert value(story, "joint_revenue", "2026-01", "USD") == 800
    assert value(story, "joint_revenue", "2026-03", "USD") == -300
    assert value(story, "joint_revenue", "2026", "USD") == 700


def test_joint_revenue_to_which_the_other_party_objects_does_not_count_until_it_confirms() -> None:
    story = entered()
    story.when(OURS, ObjectToClaim(entry="E-2", fact="entry", reason="Not ours."))
    assert value(story, "joint_revenue", "2026-Q1", "USD") == 800

    story.wait(days=1)
    story.when(OURS, ConfirmClaim(entry="E-2", fact="entry"))

    assert value(story, "joint_revenue", "2026-Q1", "USD") == 1000


def test_what_both_parties_enter_is_counted_once() -> None:
    story = entered()
    story.when(THEIRS, RecordJointRevenue(entry="E-1", amount=usd("800.00"), collected_by=OURS))

    assert value(story, "joint_revenue", "2026", "USD") == 1000


def test_a_rule_can_look_at_joint_revenue() -> None:
    story = running("2026-01-10")
    floor = DecisionRule(
        rule="revenue-floor",
        metric="joint_revenue",
        window=Window.MONTH,
        comparison=RuleComparison.BELOW,
        threshold=Decimal(500),
        currency="USD",
        action=Action.NOTIFY,
    )
    agree(story, floor)
    story.on("2026-02-10")
    story.when(THEIRS, RecordJointRevenue(entry="E-1", amount=usd("200.00")))
    story.on("2026-03-01")
    assert states(story)["revenue-floor 2026-02"] == "open"

    late = RecordJointRevenue(entry="E-2", amount=usd("300.00"))
    story.when(OURS, late, happened="2026-02-20")

    assert states(story)["revenue-floor 2026-02"] == "withdrawn"


# --- in any order ------------------------------------------------------------------------------


ACTS: tuple[tuple[str, str, Command], ...] = (
    (OURS, "2026-02-01", ReceivePayment(deal=DEAL, payment="P-2", amount=usd("30.00"))),
    (OURS, "2026-02-20", ReceivePayment(deal=DEAL, payment="P-3", amount=usd("40.00"))),
    (THEIRS, "2026-01-15", ReceivePayment(deal=DEAL, payment="P-4", amount=usd("50.00"))),
    (
        OURS,
        "2026-02-03",
        IssueRefund(deal=DEAL, refund="R-1", payment="P-1", amount=usd("100.00")),
    ),
    (OURS, "2026-02-04", ReverseRefund(deal=DEAL, refund="R-1")),
    (OURS, "2026-03-03", CorrectPayment(deal=DEAL, payment="P-2", void=True, reason="Twice.")),
    (
        THEIRS,
        "2026-03-04",
        CorrectPayment(deal=DEAL, payment="P-1", amount=usd("500.00"), reason="More."),
    ),
    (OURS, "2026-03-05", ConfirmClaim(deal=DEAL, fact="correction/payment/P-1")),
    (OURS, "2026-03-06", ObjectToClaim(deal=DEAL, fact="payment/P-4", reason="Not seen.")),
    (OURS, "2026-03-07", CancelDeal(deal=DEAL, reason="Withdrawn.")),
    (OURS, "2026-03-08", WinDeal(deal=DEAL, annual_contract_value=usd("900.00"))),
    (
        OURS,
        "2026-03-09",
        CorrectWin(deal=DEAL, annual_contract_value=usd("950.00"), reason="Mistyped."),
    ),
    (OURS, "2026-03-10", CreateOpportunity(deal="D-2")),
    (THEIRS, "2026-03-02", CreateOpportunity(deal="D-2")),
    (OURS, "2026-03-11", LoseDeal(deal="D-2", reason="No budget.")),
    (OURS, "2026-03-12", ReopenDeal(deal="D-2", reason="They called.")),
    (OURS, "2026-03-13", AttributeReferral(deal="D-2", method=Method.UTM, evidence="utm_source=b")),
    (OURS, "2026-02-05", RecordJointRevenue(entry="E-1", amount=usd("800.00"))),
    (THEIRS, "2026-02-06", RecordJointRevenue(entry="E-1", amount=usd("900.00"))),
    (
        OURS,
        "2026-03-14",
        ReverseEntry(entry="E-1", reversal="V-1", amount=usd("90.00"), reason="Back."),
    ),
    (THEIRS, "2026-03-15", ObjectToClaim(entry="E-1", fact="entry", reason="Less.")),
    (OURS, "2026-02-07", RecordSharedCost(entry="E-2", cost="booth", amount=usd("70.00"))),
)
"""What happens to a deal that is sold, to one that is only referred, and to two entries."""


def lived() -> Story:
    story = sold()
    refer(story, "D-2")
    for party, day, command in ACTS:
        story.on(max(day, f"{story.now:%Y-%m-%d}") + "T12:00")
        story.when(party, command, happened=f"{day}T12:00")
    return story


LIVED = lived()


def months(rows: Rows) -> dict[str, PeriodRow]:
    return {key: row for key, row in rows.items() if isinstance(row, PeriodRow)}


@settings(max_examples=sweep(200, 60), deadline=None)
@given(order=st.permutations(range(len(LIVED.history))))
def test_any_order_of_arrival_gives_the_same_figures(order: list[int]) -> None:
    found = replay(KPIS, [LIVED.history[place] for place in order])

    assert months(found.rows) == months(replay(KPIS, LIVED.history).rows)


@settings(max_examples=30, deadline=None)
@given(cut=st.integers(0, len(LIVED.history)))
def test_rows_that_were_stored_in_between_are_folded_on_to_the_same_rows(cut: int) -> None:
    first = replay(KPIS, LIVED.history[:cut])
    first.rows = {key: KPIS.load(key, KPIS.dump(key, row)) for key, row in first.rows.items()}

    assert fold(KPIS, first, LIVED.history[cut:]).rows == replay(KPIS, LIVED.history).rows


def test_the_facts_of_a_deal_and_of_an_entry_are_those_of_its_state() -> None:
    rows = replay(KPIS, LIVED.history).rows
    for name in (f"deal/{DEAL}", "deal/D-2", "entry/E-1", "entry/E-2"):
        known, read = rows[f"{FACTS}{name}"], facts_of(LIVED.states[f"{LIVED.id}/{name}"])

        # The state does not keep when a fact was recorded, and figures do not use it.
        for of in ("facts", "corrections", "replies"):
            kept = {key: each._replace(told=each.at) for key, each in getattr(known, of).items()}
            assert kept == getattr(read, of)


@pytest.mark.parametrize("event", sorted(COUNTED, key=str), ids=str)
def test_each_fact_measures_a_metric_that_is_counted(event: type[Event]) -> None:
    assert METRICS_OF[event]
    metrics = [CATALOGUE[name] for name in METRICS_OF[event]]
    assert all(each.of_deals or each.of_entries for each in metrics)
