"""No accepted figure can break a fold: whatever is accepted can be stored, read back and folded."""

from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any, Literal

from hypothesis import example as shown
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.dispute import OpenDispute
from domain.entry import RecordJointRevenue, RecordSharedCost, ReverseEntry
from domain.kernel import Command, Refused, Stage
from domain.metric_catalogue import CATALOGUE, Adds, Unit
from domain.payment import IssueRefund, ReceivePayment
from domain.recorded import Recorded
from domain.reported_figure import LEAST_DENOMINATOR, ReportedFigure, ReportMetric
from domain.rules import Action, DecisionRule, RuleComparison, Window
from domain.settlement import IssueStatement, PublishRate
from domain.terms import (
    CostShare,
    Hybrid,
    Item,
    Minimum,
    ReferralFee,
    Retainer,
    RevenueShare,
    RevenueSplit,
    Tier,
    Trigger,
)
from domain.values import MINOR_UNITS, Money
from infra.answers import statement
from infra.tlog.codec import decode, encode
from projections import PROJECTIONS, figures, funnel
from projections.fold import replay
from projections.kpis import KPIS
from projections.objectives import objectives
from projections.portfolio import line, portfolio
from tests.life import OURS, THEIRS, at
from tests.projections.folds import agree, member
from tests.projections.money import amend, refer, win
from tests.stories import Story
from tests.sweeps import sweep

LARGEST = Decimal("999999999999999.999999999")
SMALLEST = Decimal("0.000000001")

RATIO = "average_order_value"
"""A ratio of money that tools report."""

decimals = st.one_of(
    st.sampled_from([LARGEST, SMALLEST, Decimal(0), Decimal(1), Decimal(999999999999999)]),
    st.decimals(0, LARGEST, places=9),
)
positive = decimals.filter(bool)
shares = st.sampled_from([Decimal(0), SMALLEST, Decimal("33.333333333"), Decimal(100)])


@st.composite
def money(draw: st.DrawFn, currency: str | None = None, least: int = 0) -> Money:
    """An amount of a currency, as large or as small as it can be."""
    of = currency or draw(st.sampled_from(["USD", "JPY", "BHD"]))
    digits = MINOR_UNITS[of]
    largest = 10 ** (15 + digits) - 1
    units = draw(st.sampled_from([least, 1, largest]) | st.integers(least, largest))
    return Money(amount=Decimal(units).scaleb(-digits), currency=of)


FEES: list[Literal[Trigger.SALE, Trigger.PAYMENT, Trigger.CLICK, Trigger.POST]] = [
    Trigger.SALE,
    Trigger.PAYMENT,
    Trigger.CLICK,
    Trigger.POST,
]


@st.composite
def economics(draw: st.DrawFn) -> Item:
    """An item of terms."""
    share = draw(shares)
    both = {OURS: share, THEIRS: 100 - share}
    fee = draw(money())
    tiers = [Tier(above=draw(positive), share=draw(shares))]
    cap = draw(st.none() | positive)
    metric = draw(st.sampled_from(["leads", RATIO, "watch_time"]))
    items: list[Item] = [
        RevenueShare(
            to=THEIRS,
            share=share,
            basis="all-payments",
            trigger=Trigger.PAYMENT,
            tiers=draw(st.sampled_from([[], tiers])),
            cap=cap,
        ),
        RevenueSplit(
            shares=both, trigger=draw(st.sampled_from([Trigger.PAYMENT, Trigger.JOINT_REVENUE]))
        ),
        CostShare(cost="travel", shares=both),
        ReferralFee(to=THEIRS, fee=fee, trigger=draw(st.sampled_from(FEES))),
        Retainer(to=THEIRS, fee=fee, every="P1M"),
        Hybrid(
            to=THEIRS,
            base=fee,
            every="P1M",
            bonus=fee,
            window="month",
            bonus_metric=RATIO,
            currency="USD",
            bonus_threshold=draw(st.sampled_from([0, 1, 2**53 - 1])),
        ),
        Minimum(
            on=THEIRS,
            metric=metric,
            currency="USD" if metric == RATIO else None,
            window="month",
            at_least=draw(st.sampled_from([0, 1, 2**53 - 1])),
            fee=fee,
            per=draw(st.sampled_from(["window", "missing"])),
        ),
    ]
    return draw(st.sampled_from(items))


@st.composite
def reports(draw: st.DrawFn) -> Command:
    """A figure of some metric, with values as large or as small as they can be."""
    metric = draw(st.sampled_from([*CATALOGUE.values(), CATALOGUE[RATIO]]))
    unit = "USD" if metric.unit is Unit.MONEY else metric.unit.value
    signs = st.sampled_from([1, -1]) if metric.signed else st.just(1)
    value: dict[str, Any] = {"value": draw(decimals) * draw(signs)}
    if metric.adds is Adds.RATIO and draw(st.booleans()):
        denominator = draw(decimals.filter(lambda each: not 0 < each < LEAST_DENOMINATOR))
        value = {"numerator": draw(decimals) * draw(signs), "denominator": denominator}
    return ReportMetric(
        metric=metric.name,
        period=draw(st.sampled_from(["2026-01", "2026-02", "2026-Q1"])),
        tool=draw(st.sampled_from(["crm", "ads"])),
        segment=draw(st.sampled_from([None, "other-channels", "spring"])),
        figure=ReportedFigure(unit=unit, **value),
    )


names = st.sampled_from(["one", "two"])
payments = st.builds(ReceivePayment, deal=names, payment=names, amount=money("USD", 1))
refunds = st.builds(
    IssueRefund,
    deal=names,
    payment=names,
    refund=names,
    amount=money("USD", 1),
    kind=st.sampled_from(["refund", "chargeback"]),
)
entries = st.one_of(
    st.builds(RecordJointRevenue, entry=names, amount=money(least=1)),
    st.builds(RecordSharedCost, entry=names, cost=st.just("travel"), amount=money(least=1)),
    st.builds(
        ReverseEntry, entry=names, reversal=names, amount=money(least=1), reason=st.just("Wrong.")
    ),
)
disputes = st.builds(
    OpenDispute,
    dispute=names,
    cause=st.just("money"),
    description=st.just("Not paid."),
    subject=st.sampled_from(["deal/one", "deal/two", "entry/one", "due/retainer-1@2026-02-01"]),
    amount=st.none() | money("USD", 1),
)
rates = st.builds(
    PublishRate,
    base=st.sampled_from(["USD", "JPY", "BHD"]),
    quote=st.just("USD"),
    period=st.sampled_from(["2026-01", "2026-02", "2026-03"]),
    rate=positive,
    source=st.just("A bank."),
)
facts = st.one_of(reports(), payments, refunds, entries, disputes, rates)


@st.composite
def rules(draw: st.DrawFn) -> DecisionRule:
    """A rule on a metric that is reported, counted, or of money."""
    metric = draw(st.sampled_from([RATIO, "leads", "churn_rate", "won_value"]))
    return DecisionRule(
        rule="floor",
        metric=metric,
        currency="USD" if CATALOGUE[metric].unit is Unit.MONEY else None,
        measured=draw(st.sampled_from(["count", "report"])),
        window=Window.MONTH,
        comparison=draw(st.sampled_from(RuleComparison)),
        threshold=draw(decimals),
        action=Action.NOTIFY,
    )


def _begun() -> Story:
    """A running partnership with two won deals, before the terms of a test."""
    story = at(Stage.EXECUTION)
    for name in ("one", "two"):
        refer(story, name)
        win(story, name, Money(amount=Decimal("999999999999999.99"), currency="USD"))
    return story


BEGUN = _begun()


def tried(story: Story, command: Command) -> None:
    """Let our side do something, which may be refused."""
    try:
        story.when(OURS, command)
    except Refused:
        return


def ratio_of(numerator: str, denominator: str) -> ReportMetric:
    return ReportMetric(
        metric=RATIO,
        period="2026-01",
        tool="crm",
        figure=ReportedFigure(
            unit="USD", numerator=Decimal(numerator), denominator=Decimal(denominator)
        ),
    )


A_BONUS = Hybrid(
    to=THEIRS,
    base=Money(amount=Decimal(1), currency="USD"),
    every="P1M",
    bonus=Money(amount=Decimal(1), currency="USD"),
    window="month",
    bonus_metric=RATIO,
    bonus_threshold=1,
    currency="USD",
)


@settings(max_examples=sweep(60, 25), deadline=None)
@given(
    terms=st.lists(economics(), min_size=1, max_size=3),
    rule=st.none() | rules(),
    happened=st.lists(facts, max_size=8),
    settles_in=st.sampled_from(["each", "USD"]),
)
@shown(
    terms=[A_BONUS],
    rule=None,
    happened=[ratio_of("999999999999999", "0.001")],
    settles_in="each",
)
def test_no_accepted_figure_breaks_a_fold(
    terms: list[Item],
    rule: DecisionRule | None,
    happened: list[Command],
    settles_in: str,
) -> None:
    story = BEGUN.copy()
    amend(story, *terms, since=date(2026, 1, 6), settles_in=settles_in)
    if rule is not None:
        agree(story, rule)
    story.on("2026-03-02")
    for command in happened:
        tried(story, command)
    story.on("2026-04-02")
    tried(story, IssueStatement(period="2026-03"))

    stored = [encode(each) for each in story.history]
    read = [decode(body, index=index, position=index) for index, body in enumerate(stored)]
    assert read == story.history
    fold_and_report(read)
    whole = line(member(story), story.now)
    portfolio(OURS, "Ours", [whole, replace(whole, id="other")], None)
    assert all(each.statement is None for each in statement.replay(read).drafts("2026-Q1"))


def fold_and_report(events: list[Recorded]) -> None:
    """Fold a log with each projection, read the rows as they are stored, and make the reports."""
    for projection in PROJECTIONS:
        rows = replay(projection, events).rows
        for key, row in rows.items():
            projection.load(key, projection.dump(key, row))
        if projection is KPIS:
            for period in ("2026-01", "2026-Q1", "2026"):
                figures.with_posteriors(rows, figures.report(figures.Read(rows), period))
            objectives(rows, events[-1].act.recorded_at.date())
            funnel.report(rows)
