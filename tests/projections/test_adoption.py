"""What an adopted partnership owes: its books begin on a day; nothing is settled twice (C28)."""

from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from domain.adoption import AgreeAdoption, OpeningBalance
from domain.dispute import AcceptResolution, DisputeOutcome, OpenDispute, ProposeResolution
from domain.execution import IssueCause
from domain.payment import IssueRefund
from domain.reported_figure import MetricReported, ReportedFigure
from domain.terms import Item, Retainer, Tier
from projections.fold import replay
from projections.kpis import KPIS, agreed_row
from projections.overview import OVERVIEW
from tests.life import ADOPTION, CHARTER, OURS, THEIRS, changed, usd
from tests.projections.arrivals import (
    Fact,
    arrive,
    ours,
    owed,
    paid,
    referred,
    returned,
    won,
)
from tests.projections.money import BEGINS, adopted, lines, share, state, under
from tests.stories import Story, moment

DEAL = [*referred("2026-01-07"), won("2026-01-10", usd("1000.00"))]


def test_a_past_fact_is_stated_later_and_earns_from_the_day_on_which_the_books_begin() -> None:
    story = adopted(share("15"), settles_from=date(2026, 3, 1))

    arrive(
        story,
        [*DEAL, paid("2026-02-10", "P-1", usd("100.00")), paid("2026-03-10", "P-2", usd("100.00"))],
    )

    assert owed(story) == {("2026-03-10", THEIRS, "USD"): "15.00"}


def test_a_refund_of_a_payment_that_was_settled_elsewhere_takes_back_its_share() -> None:
    story = adopted(share("15"), settles_from=date(2026, 3, 1))

    arrive(
        story,
        [
            *DEAL,
            paid("2026-02-10", "P-1", usd("100.00")),
            returned("2026-03-20", "P-1", usd("40.00")),
        ],
    )

    assert owed(story) == {("2026-03-20", THEIRS, "USD"): "-6.00"}


def test_a_tier_counts_what_was_settled_elsewhere() -> None:
    tiered = share("10", tiers=[Tier(above=Decimal(1000), share=Decimal(20))])
    story = adopted(tiered, settles_from=date(2026, 3, 1))

    arrive(
        story,
        [
            *DEAL,
            paid("2026-02-10", "P-1", usd("1000.00")),
            paid("2026-03-10", "P-2", usd("100.00")),
        ],
    )

    assert owed(story) == {("2026-03-10", THEIRS, "USD"): "20.00"}


def test_a_fee_falls_due_here_from_the_day_on_which_the_books_begin() -> None:
    retainer = Retainer(to=THEIRS, fee=usd("500.00"), every="P1M")
    story = adopted(retainer, settles_from=date(2026, 3, 1))

    assert owed(story) == {
        ("2026-03-01", THEIRS, "USD"): "500.00",
        ("2026-04-01", THEIRS, "USD"): "500.00",
    }


def test_an_opening_balance_is_in_the_first_statement() -> None:
    balance = OpeningBalance(by=OURS, to=THEIRS, amount=usd("840.00"), reason="Invoice 2026-02")
    story = adopted(share("15"), settles_from=date(2026, 5, 1), balances=[balance])
    story.on("2026-05-02")

    (statement,) = state(story, "2026-04")

    assert (statement.balance.payer, statement.balance.amount) == (OURS, Decimal("840.00"))


def test_a_dispute_takes_only_what_was_earned_here() -> None:
    story = adopted(share("15"), settles_from=date(2026, 3, 1))
    arrive(
        story,
        [
            *DEAL,
            paid("2026-02-10", "P-1", usd("100.00")),
            paid("2026-03-10", "P-2", usd("100.00")),
        ],
    )
    dispute = OpenDispute(
        dispute="Q-1",
        cause=IssueCause.MONEY,
        description="The client was ours.",
        subject="deal/D-1",
        amount=usd("30.00"),
    )
    refusal = story.refuses(OURS, dispute)
    story.when(OURS, changed(dispute, amount=usd("15.00")))
    resolution = ProposeResolution(
        dispute="Q-1", proposal="r-1", outcome=DisputeOutcome.UPHELD, resolution="It was."
    )
    held = sum(Decimal(each["amount"]) for each in lines(story.history))
    story.when(OURS, resolution)
    story.when(THEIRS, AcceptResolution(dispute="Q-1", proposal="r-1"))

    assert refusal.rule == "dispute-exceeds-earnings"
    assert held == 0
    assert sum(Decimal(each["amount"]) for each in lines(story.history)) == 0


def test_the_objectives_of_an_adopted_charter_run_and_the_partner_joined_when_it_began() -> None:
    story = Story(now=moment("2025-08-28"))
    story.when(OURS, ADOPTION)
    story.when(THEIRS, AgreeAdoption(proposal="adoption-1"))

    agreed = agreed_row(replay(KPIS, story.history).rows)
    (overview,) = replay(OVERVIEW, story.history).rows.values()

    assert len(agreed.objectives) == len(CHARTER.objectives)
    assert agreed.kickoff == ADOPTION.since
    assert overview.ran_since == ADOPTION.since
    assert overview.adopted == moment("2025-08-28")


# --- laws --------------------------------------------------------------------------------------


@st.composite
def payments(draw: st.DrawFn) -> list[Fact]:
    """Payments of one deal in the first quarter, and refunds of some of them."""
    days = st.integers(11, 89)
    facts: list[Fact] = []
    for number in range(draw(st.integers(1, 4))):
        name = f"P-{number}"
        day = draw(days)
        amount = usd(f"{draw(st.integers(1, 2000))}.{draw(st.integers(0, 99)):02}")
        facts.append(paid(str(date(2026, 1, 1) + timedelta(day)), name, amount))
        if draw(st.booleans()):
            later = str(date(2026, 1, 1) + timedelta(draw(st.integers(day, 89))))
            facts.append(ours(later, _refund(name, amount.amount)))
    return facts


def _refund(payment: str, amount: Decimal) -> IssueRefund:
    half = (amount / 2).quantize(Decimal("0.01")) or amount
    return IssueRefund(deal="D-1", refund=f"R-{payment}", payment=payment, amount=usd(str(half)))


ITEMS = st.sampled_from(
    [
        (share("15"),),
        (share("10", tiers=[Tier(above=Decimal(1000), share=Decimal(20))]),),
        (share("12.5", cap=Decimal(200)), Retainer(to=THEIRS, fee=usd("50.00"), every="P1M")),
    ]
)


@settings(max_examples=25, deadline=None)
@given(ITEMS, payments(), st.dates(BEGINS, date(2026, 4, 1)), st.randoms(use_true_random=False))
def test_the_books_have_what_an_ordinary_partnership_owes_from_their_first_day_on(
    items: tuple[Item, ...], facts: list[Fact], settles_from: date, random: Random
) -> None:
    ordinary = under(*items)
    ordinary.on("2026-04-01")
    arrive(ordinary, [*DEAL, *facts])
    story = adopted(*items, settles_from=settles_from)
    random.shuffle(facts)
    arrive(story, [*DEAL, *facts])

    expected = {
        key: amount for key, amount in owed(ordinary).items() if key[0] >= settles_from.isoformat()
    }
    assert owed(story) == expected


FIGURES = [
    MetricReported(
        metric="co_branded_revenue",
        period=f"2025-{month:02}",
        tool=tool,
        figure=ReportedFigure(unit="USD", value=Decimal(1000 * month)),
    )
    for month in (1, 2, 3)
    for tool in ("billing", "crm")
]


@settings(max_examples=10, deadline=None)
@given(st.permutations(FIGURES))
def test_past_figures_give_the_same_rows_in_any_order(figures: list[MetricReported]) -> None:
    assert kpi_rows(figures) == kpi_rows(FIGURES)


def kpi_rows(figures: Sequence[MetricReported]) -> Any:  # noqa: ANN401 - JSON
    story = Story(now=moment("2025-08-28"))
    story.when(OURS, changed(ADOPTION, figures=list(figures)))
    story.when(THEIRS, AgreeAdoption(proposal="adoption-1"))
    rows = replay(KPIS, story.history).rows
    return without_index({key: KPIS.dump(key, row) for key, row in rows.items()})


def without_index(value: Any) -> Any:  # noqa: ANN401 - JSON
    """Return a document without the places of events in the log, which follow the file's order."""
    match value:
        case dict():
            return {key: without_index(each) for key, each in value.items() if key != "index"}
        case list():
            return [without_index(each) for each in value]
        case _:
            return value
