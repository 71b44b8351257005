"""What a partnership brings each party in money: revenue, fees, costs and what is left (C19)."""

from decimal import Decimal
from itertools import count
from typing import NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from domain.attribution import Method
from domain.entry import RecordJointRevenue, RecordSharedCost, ReverseEntry
from domain.health import ContributionKind, RecordContribution
from domain.payment import IssueRefund
from domain.referral import AttributeReferral
from domain.terms import CostShare, Hybrid, Incentive, Retainer, RevenueSplit, Trigger
from domain.values import Money
from projections.contribution import Contribution, Hours, Sourced, SourcedRevenue
from projections.portfolio import FEES, PartnershipLine, line, portfolio
from projections.results import Span
from projections.visibility import Viewer
from tests.life import OURS, THEIRS, usd
from tests.projections.folds import member
from tests.projections.money import money, pay, refer, sell, share, state, under, win
from tests.stories import Story

SPLIT = RevenueSplit(shares={OURS: Decimal(60), THEIRS: Decimal(40)}, trigger=Trigger.JOINT_REVENUE)
HOSTING = CostShare(cost="hosting", shares={OURS: Decimal(25), THEIRS: Decimal(75)})


def shown(story: Story, period: str | None = None) -> PartnershipLine:
    """Return the line of the initiator's sheet, with the results of a period if one is named."""
    return line(member(story), story.now, Span.of(period, story.now) if period else None)


def of_party(
    story: Story, party: str, currency: str = "USD", period: str | None = None
) -> Contribution:
    """Return what a party is left with in a currency."""
    (found,) = [
        each
        for each in shown(story, period).contributions
        if (each.party, each.currency) == (party, currency)
    ]
    return found


def give(story: Story, party: str, name: str, **content: object) -> None:
    """Let a party record a contribution."""
    content = {"period": "2026-01", **content}
    command = RecordContribution(
        contribution=name, kind=ContributionKind.TIME, what="Work", **content
    )
    story.when(party, command)


def fees(found: Contribution) -> dict[str, list[Decimal]]:
    """Return what was earned and what is owed, by kind of item."""
    return {each.kind: [each.earned, each.owed] for each in found.fees}


# --- what each party is left with --------------------------------------------------------------


def test_a_commission_is_a_fee_of_the_party_that_collects_and_income_of_the_other() -> None:
    story = under(share("15"))
    sell(story, "D-1", usd("1000.00"))

    ours, theirs = of_party(story, OURS), of_party(story, THEIRS)

    assert [ours.revenue, ours.owed, ours.net] == [1000, 150, 850]
    assert [theirs.revenue, theirs.earned, theirs.net] == [0, 150, 150]
    # 850 of 150 spent.
    assert ours.roi_percent == Decimal("566.67")
    assert theirs.roi_percent is None


def test_a_refund_takes_back_revenue_and_the_commission_on_it() -> None:
    story = under(share("15"))
    sell(story, "D-1", usd("1000.00"))
    refund = IssueRefund(deal="D-1", refund="R-1", payment="D-1-P", amount=usd("400.00"))
    story.when(OURS, refund)

    assert of_party(story, OURS).net == 510
    assert of_party(story, THEIRS).net == 90


def test_joint_revenue_is_what_is_left_after_the_split_and_no_fee() -> None:
    story = under(SPLIT)
    story.when(OURS, RecordJointRevenue(entry="E-1", amount=usd("100.00")))

    ours, theirs = of_party(story, OURS), of_party(story, THEIRS)

    assert [ours.revenue, ours.net] == [60, 60]
    assert ours.fees == ()
    assert [theirs.revenue, theirs.net] == [40, 40]


def test_shared_costs_and_what_each_gave_are_spent() -> None:
    story = under(HOSTING)
    cost = RecordSharedCost(entry="C-1", cost="hosting", amount=usd("80.00"), paid_by=OURS)
    story.when(THEIRS, cost)
    give(story, THEIRS, "G-1", value=usd("15.00"))

    ours, theirs = of_party(story, OURS), of_party(story, THEIRS)

    assert [ours.costs, ours.given, ours.net, ours.roi_percent] == [20, 0, -20, -100]
    assert [theirs.costs, theirs.given, theirs.net] == [60, 15, -75]


def test_retainers_bonuses_and_incentives_are_told_apart() -> None:
    retainer = Retainer(to=THEIRS, fee=usd("50.00"), every="P1M")
    base = Hybrid(
        to=THEIRS,
        base=usd("30.00"),
        every="P1M",
        bonus=usd("5.00"),
        bonus_metric="leads",
        bonus_threshold=1,
        window="month",
    )
    incentive = Incentive(by=OURS, amount=usd("10.00"))
    story = under(retainer, base, incentive)
    refer(story, "D-1")
    story.on("2026-03-01")

    found = fees(of_party(story, OURS))

    # The terms begin on 6 January; fees fall due on the first of each month of the frame.
    assert found["retainer"] == [0, 100]
    assert found["hybrid"] == [0, 60]
    assert found["incentive"] == [0, 10]


def test_currencies_stand_apart() -> None:
    story = under(share("10"))
    sell(story, "D-1", usd("1000.00"))
    sell(story, "D-2", money("200.00", "EUR"))

    assert of_party(story, THEIRS, "USD").net == 100
    assert of_party(story, THEIRS, "EUR").net == 20


def test_a_period_has_its_own_cash_lines_and_contributions() -> None:
    story = under(share("10"))
    sell(story, "D-1", usd("1000.00"))
    story.on("2026-04-10")
    pay(story, "D-1", "P-2", usd("500.00"))
    give(story, OURS, "G-1", period="2026-Q1", hours=Decimal(8))
    give(story, OURS, "G-2", period="2026-04", hours=Decimal(3), value=usd("7.00"))

    first, second = (of_party(story, OURS, period=f"2026-Q{each}") for each in (1, 2))

    assert [first.revenue, first.owed, first.given, first.net] == [1000, 100, 0, 900]
    assert [second.revenue, second.owed, second.given, second.net] == [500, 50, 7, 443]
    assert shown(story, "2026-Q1").hours == (Hours(OURS, Decimal(8)),)
    assert shown(story, "2026-Q2").hours == (Hours(OURS, Decimal(3)),)
    assert shown(story).hours == (Hours(OURS, Decimal(11)),)


def test_a_month_has_what_fell_in_it_and_not_what_its_quarter_brought() -> None:
    story = under(share("10"))
    sell(story, "D-1", usd("1000.00"))
    give(story, OURS, "G-1", period="2026-01", hours=Decimal(8))
    story.on("2026-02-10")
    pay(story, "D-1", "P-2", usd("500.00"))
    give(story, OURS, "G-2", period="2026-02", hours=Decimal(3), value=usd("7.00"))

    january, february = (of_party(story, OURS, period=f"2026-0{each}") for each in (1, 2))

    assert [january.revenue, january.owed, january.given, january.net] == [1000, 100, 0, 900]
    assert [february.revenue, february.owed, february.given, february.net] == [500, 50, 7, 443]
    assert shown(story, "2026-01").hours == (Hours(OURS, Decimal(8)),)
    assert shown(story, "2026-02").hours == (Hours(OURS, Decimal(3)),)
    assert [each.sourced for each in shown(story, "2026-01").sourced] == [1]
    assert [each.revenue for each in shown(story, "2026-02").sourced] == [
        (SourcedRevenue("USD", Decimal(500), Decimal(0)),)
    ]
    assert {each.sourced for each in shown(story, "2026-02").sourced} == {0}


def test_what_a_statement_took_still_counts() -> None:
    story = under(share("10"))
    sell(story, "D-1", usd("1000.00"))
    before = of_party(story, THEIRS)
    story.on("2026-03-01")

    assert state(story, "2026-01")
    assert of_party(story, THEIRS) == before


def test_the_fees_that_a_party_earned_are_revenue_that_it_can_depend_on() -> None:
    story = under(share("10"))
    sell(story, "D-1", usd("1000.00"))
    theirs = line(member(story, viewer=Viewer(THEIRS)), story.now)

    assert (FEES, Decimal(100)) in [(each.metric, each.amount) for each in theirs.revenue]
    found = portfolio(THEIRS, THEIRS, [theirs]).dependency
    assert FEES in {each.metric for each in found}


# --- what was sourced, and what was touched ----------------------------------------------------


def touch(story: Story, deal: str, party: str, at: str | None = None) -> None:
    story.when(
        THEIRS if party == OURS else OURS,
        AttributeReferral(
            deal=deal, method=Method.UTM, evidence="tag", to=party, touch=f"t-{party}"
        ),
        happened=at,
    )


def test_the_party_that_submitted_the_referral_sourced_the_deal() -> None:
    story = under(share("10"))
    sell(story, "D-1", usd("1000.00"))
    refer(story, "D-2")

    found = shown(story).sourced

    paid = SourcedRevenue("USD", Decimal(1000), Decimal(0))
    assert found == (Sourced(THEIRS, Decimal(1), Decimal(0), (paid,)),)


def test_a_party_that_touched_a_deal_of_the_other_influenced_it() -> None:
    story = under(share("10"))
    refer(story, "D-1", by=OURS)
    touch(story, "D-1", THEIRS)
    win(story, "D-1", usd("1000.00"))
    pay(story, "D-1", "P-1", usd("300.00"))

    ours, theirs = shown(story).sourced

    assert ours.party == OURS
    assert [ours.sourced, ours.influenced] == [1, 0]
    assert ours.revenue == (SourcedRevenue("USD", Decimal(300), Decimal(0)),)
    assert [theirs.sourced, theirs.influenced] == [0, 1]
    assert theirs.revenue == (SourcedRevenue("USD", Decimal(0), Decimal(300)),)


def test_deals_paid_in_two_currencies_are_counted_once() -> None:
    story = under(share("10"))
    sell(story, "D-1", usd("1000.00"))
    sell(story, "D-2", Money(amount=Decimal("200.00"), currency="EUR"))

    (theirs,) = shown(story).sourced

    assert theirs.sourced == 2
    assert theirs.revenue == (
        SourcedRevenue("EUR", Decimal(200), Decimal(0)),
        SourcedRevenue("USD", Decimal(1000), Decimal(0)),
    )


def test_a_touch_after_the_win_influenced_nothing() -> None:
    story = under(share("10"))
    refer(story, "D-1", by=OURS)
    win(story, "D-1", usd("1000.00"))
    story.on("2026-02-01")
    late = AttributeReferral(
        deal="D-1", method=Method.UTM, evidence="tag", to=THEIRS, touched_at=story.now
    )
    story.when(OURS, late)

    assert {each.party for each in shown(story).sourced} == {OURS}


# --- against a model ---------------------------------------------------------------------------


class Move(NamedTuple):
    """Money that came in, went out or was given by a party, in steps of five cents."""

    what: str
    by: str
    steps: int
    reversed_by: int


MOVES = st.lists(
    st.builds(
        Move,
        st.sampled_from(["revenue", "cost", "given"]),
        st.sampled_from([OURS, THEIRS]),
        st.integers(1, 20_000),
        st.integers(0, 3),
    ),
    max_size=8,
)


def cents(steps: int) -> Money:
    # Of 5 cents, 60 and 40 percent are whole cents; of 20 cents, 25 and 75 percent.
    return usd(str(Decimal(steps * 20).scaleb(-2)))


def played(moves: list[Move]) -> Story:
    story = under(SPLIT, HOSTING)
    for number, (what, by, steps, back) in zip(count(1), moves, strict=False):
        name = f"M-{number}"
        match what:
            case "revenue":
                revenue = RecordJointRevenue(entry=name, amount=cents(steps), collected_by=by)
                story.when(by, revenue)
            case "cost":
                cost = RecordSharedCost(entry=name, cost="hosting", amount=cents(steps), paid_by=by)
                # The party that bears a part states it, so it counts at once.
                story.when(THEIRS if by == OURS else OURS, cost)
            case _:
                give(story, by, name, value=cents(steps))
                continue
        if back and back < steps:
            reversal = ReverseEntry(
                entry=name, reversal=f"{name}-R", amount=cents(back), reason="Too much."
            )
            # A reversal counts at once from the party that loses by it.
            loses = by if what == "cost" else (THEIRS if by == OURS else OURS)
            story.when(loses, reversal)
    return story


def modelled(moves: list[Move]) -> dict[str, Decimal]:
    """Return each party's net contribution: its shares of all revenue and costs, less its gifts."""
    shares = {OURS: (Decimal("0.6"), Decimal("0.25")), THEIRS: (Decimal("0.4"), Decimal("0.75"))}
    left = {"revenue": Decimal(0), "cost": Decimal(0)}
    gifts = {OURS: Decimal(0), THEIRS: Decimal(0)}
    for what, by, steps, back in moves:
        amount = Decimal(steps) / 5
        if what == "given":
            gifts[by] += amount
        else:
            left[what] += amount - (Decimal(back) / 5 if back < steps else 0)
    return {
        party: of_revenue * left["revenue"] - of_cost * left["cost"] - gifts[party]
        for party, (of_revenue, of_cost) in shares.items()
    }


@settings(max_examples=20, deadline=None)
@given(MOVES)
def test_each_party_is_left_with_its_share_whoever_collected_and_paid(moves: list[Move]) -> None:
    found = shown(played(moves)).contributions

    expected = {party: net for party, net in modelled(moves).items() if net}
    assert {each.party: each.net for each in found if each.net} == expected


AMOUNTS = st.lists(st.tuples(st.integers(1, 10**6), st.sampled_from(["USD", "EUR"])), max_size=5)


@settings(max_examples=15, deadline=None)
@given(AMOUNTS, st.integers(0, 100))
def test_the_net_contributions_of_both_add_up_to_what_customers_paid(
    sales: list[tuple[int, str]], percent: int
) -> None:
    story = under(share(str(percent)))
    for number, (cents_, currency) in enumerate(sales):
        sell(story, f"D-{number}", money(str(Decimal(cents_).scaleb(-2)), currency))
    paid = {
        currency: sum(
            (Decimal(each).scaleb(-2) for each, of in sales if of == currency), Decimal(0)
        )
        for currency in {of for _, of in sales}
    }

    nets: dict[str, Decimal] = {}
    for each in shown(story).contributions:
        nets[each.currency] = nets.get(each.currency, Decimal(0)) + each.net

    assert nets == paid
