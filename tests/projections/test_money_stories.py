"""Stories of money, in the order of the kinds of mistakes that they end.

Each heading names a kind. A kind that is told elsewhere as well says where. `in_any_order` lets
facts arrive in every order: what is owed is a function of the set of facts (money.md, section 1).
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import date
from decimal import Decimal
from itertools import permutations
from typing import NamedTuple

import pytest
from pydantic import ValidationError

from domain.agreement import AcceptTerms, ProposeTerms
from domain.attribution import AttributionPolicy, Method, PolicyKind
from domain.claims import ConfirmClaim, ObjectToClaim
from domain.deal import (
    AttributeReferral,
    CancelDeal,
    CorrectPayment,
    CorrectRefund,
    CorrectWin,
    CreateOpportunity,
    IssueRefund,
    LoseDeal,
    ReceivePayment,
    ReopenDeal,
    ReverseRefund,
    SubmitReferral,
    WinDeal,
)
from domain.deadlines import DeadlineKind
from domain.kernel import Command, Refused
from domain.renewal import (
    AcceptRenewal,
    ExitReason,
    GiveExitNotice,
    HoldRenewalReview,
    ProposeRenewal,
)
from domain.reported_figure import CorrectMetric, ReportMetric
from domain.settlement import (
    AgreeRate,
    CorrectPayout,
    ProposeRate,
    PublishRate,
    RecordPayout,
    ReturnPayout,
)
from domain.terms import FrameChange, Item, RateRule, ReferralFee, Tier, Trigger
from domain.values import Money
from tests.life import OURS, THEIRS, usd
from tests.projections.folds import count
from tests.projections.money import lines, money, share, state, total, under
from tests.stories import Story, moment

# --- how the stories are told ------------------------------------------------------------------


class Said(NamedTuple):
    """A message: when what it says happened, the party that sent it, and what it says."""

    happened: str
    party: str
    command: Command


Fact = tuple[Said, ...]
"""A fact by its messages: one, or a proposal and its acceptance."""


def ours(happened: str, command: Command) -> Fact:
    return (Said(happened, OURS, command),)


def theirs(happened: str, command: Command) -> Fact:
    return (Said(happened, THEIRS, command),)


def agreed(
    happened: str,
    *items: Item,
    since: date,
    until: date | None = None,
    **frame: object,
) -> Fact:
    """Both agree other items, another frame or both, at one moment."""
    proposal = ProposeTerms(
        proposal=f"terms-{happened}".replace("T", "-").replace(":", ""),
        effective_from=since,
        until=until,
        frame=FrameChange(**frame) if frame else None,
        items=list(items) or None,
    )
    accepted = AcceptTerms(proposal=proposal.proposal)
    return Said(happened, OURS, proposal), Said(happened, THEIRS, accepted)


def arrive(story: Story, facts: Iterable[Fact]) -> Story:
    """Let facts arrive in this order, an hour apart. One that waits for another is taken later.

    A fact arrives when it has happened, or later.
    """
    waiting: list[Fact] = []
    for fact in facts:
        story.wait(hours=1)
        happened = max(moment(each.happened) for each in fact)
        story.on(f"{max(story.now, happened):%Y-%m-%dT%H:%M}")
        waiting = _waiting(story, [*waiting, fact])
    assert not waiting
    return story


def _waiting(story: Story, facts: list[Fact]) -> list[Fact]:
    left = [fact for fact in facts if not _taken(story, fact)]
    return left if len(left) in {0, len(facts)} else _waiting(story, left)


def _taken(story: Story, fact: Fact) -> bool:
    try:
        for said in fact:
            story.when(said.party, said.command, happened=said.happened)
    except Refused as refused:
        if not refused.awaits:
            raise
        return False
    return True


Owed = dict[tuple[str, str, str], str]
"""What lines add up to, by day, party and currency."""


def owed(story: Story) -> Owed:
    """Return what each party earned on each day."""
    sums: dict[tuple[str, str, str], Decimal] = defaultdict(Decimal)
    for each in lines(story.history):
        sums[each["day"], each["to"], each["currency"]] += Decimal(each["amount"])
    return {key: str(amount) for key, amount in sorted(sums.items()) if amount}


def in_any_order(story: Story, facts: Sequence[Fact], at: str = "2026-06-01") -> Owed:
    """Return what is owed once all facts have arrived; it is the same in every order."""
    story.on(at)
    first = owed(arrive(story.copy(), facts))
    for order in permutations(facts):
        assert owed(arrive(story.copy(), order)) == first, order
    return first


def to_them(amounts: dict[str, str], currency: str = "USD") -> Owed:
    """Return what the partner alone earned, by day."""
    return {(day, THEIRS, currency): amount for day, amount in amounts.items()}


def referred(happened: str, deal: str = "D-1") -> list[Fact]:
    """They refer a lead, we tie it to them and make it an opportunity."""
    touch = AttributeReferral(deal=deal, method=Method.REFERRAL_CODE, evidence="B15", to=THEIRS)
    return [
        theirs(happened, SubmitReferral(deal=deal, lead=f"lead {deal}")),
        ours(happened, touch),
        ours(happened, CreateOpportunity(deal=deal)),
    ]


def won(happened: str, value: Money, deal: str = "D-1") -> Fact:
    return ours(happened, WinDeal(deal=deal, annual_contract_value=value))


def paid(happened: str, payment: str, amount: Money, deal: str = "D-1") -> Fact:
    return ours(happened, ReceivePayment(deal=deal, payment=payment, amount=amount))


def returned(happened: str, payment: str, amount: Money, refund: str = "R-1") -> Fact:
    command = IssueRefund(deal="D-1", refund=refund, payment=payment, amount=amount)
    return ours(happened, command)


# --- the order of arrival ----------------------------------------------------------------------


def test_an_amendment_of_the_day_of_a_payment_prices_it_in_every_order() -> None:
    story = arrive(under(share("15")), referred("2026-01-07"))
    facts = [
        won("2026-03-10T09:00", usd("1000.00")),
        paid("2026-03-10T10:00", "P-1", usd("1000.00")),
        agreed("2026-03-10T18:00", share("20"), since=date(2026, 3, 10)),
        returned("2026-03-10T19:00", "P-1", usd("1.00")),
    ]

    # The amendment applies from 00:00 of its day; a refund of 1.00 takes back 0.20.
    assert in_any_order(story, facts) == to_them({"2026-03-10": "199.80"})


def test_a_claim_of_the_day_of_the_win_counts_in_every_order() -> None:
    """The first touch, the win and the payment are of one day; any of them may arrive first."""
    story = arrive(under(share("15")), referred("2026-01-07")[:1])
    touch = AttributeReferral(
        deal="D-1",
        method=Method.REFERRAL_CODE,
        evidence="B15",
        to=THEIRS,
        touched_at=moment("2026-03-10T08:00"),
    )
    facts = [
        ours("2026-03-10T08:00", touch),
        ours("2026-03-10T08:30", CreateOpportunity(deal="D-1")),
        won("2026-03-10T09:00", usd("1000.00")),
        paid("2026-03-10T10:00", "P-1", usd("1000.00")),
    ]

    assert in_any_order(story, facts) == to_them({"2026-03-10": "150.00"})


def test_a_payment_of_the_day_of_the_exit_earns_nothing_in_every_order() -> None:
    story = under(share("15"), notice="P0D")
    arrive(story, [*referred("2026-01-07"), won("2026-01-07", usd("1000.00"))])
    notice = GiveExitNotice(
        reason=ExitReason.NO_LONGER_RELEVANT,
        explanation="We part.",
        effective_on=date(2026, 3, 10),
    )
    story.on("2026-03-08")
    facts = [
        theirs("2026-03-08", notice),
        paid("2026-03-07", "before", usd("1000.00")),
        paid("2026-03-08", "with the notice".replace(" ", "-"), usd("10.00")),
    ]
    known = in_any_order(story, facts, at="2026-03-08T12:00")
    assert known == to_them({"2026-03-07": "150.00", "2026-03-08": "1.50"})

    arrive(story, facts)
    story.on("2026-04-01")
    late = [
        paid("2026-03-09T23:59", "last-minute", usd("100.00")),
        paid("2026-03-10T00:00", "first-minute", usd("1000.00")),
    ]

    assert in_any_order(story, late) == {**known, ("2026-03-09", THEIRS, "USD"): "15.00"}


def test_clicks_that_were_reported_before_their_terms_arrived_are_paid() -> None:
    story = under(share("15"))
    figures = {"metric": "clicks", "tool": "ads"}
    facts = [
        ours("2026-04-01", ReportMetric(period="2026-03", figure=count(1000), **figures)),
        ours(
            "2026-04-03",
            CorrectMetric(period="2026-03", figure=count(990), reason="Robots.", **figures),
        ),
        agreed("2026-02-27", clicks("0.05"), since=date(2026, 3, 1)),
    ]

    # 990 clicks at 0.05, on the last day of the month.
    assert in_any_order(story, facts) == to_them({"2026-03-31": "49.50"})


def clicks(fee: str) -> ReferralFee:
    return ReferralFee(to=THEIRS, fee=usd(fee), trigger=Trigger.CLICK)


# --- terms for a time --------------------------------------------------------------------------


def test_terms_for_a_time_change_the_share_and_nothing_of_the_frame() -> None:
    """The case m15 and `tests/domain/test_terms_by_day.py` tell of amendments and renewals."""
    story = under(share("15"), duration="P1Y", minimum_referrals_per_quarter=10)
    days = [date(2026, 3, 31), date(2026, 4, 1), date(2026, 6, 30), date(2026, 7, 1)]
    frames = [story.partnership.context.terms.frame(day) for day in days]
    term = [each for each in story.partnership.deadlines.values() if each.kind in TERM]
    arrive(story, [*referred("2026-01-07"), won("2026-01-07", usd("1000.00"))])
    facts = [
        agreed("2026-01-08", share("5"), since=date(2026, 4, 1), until=date(2026, 7, 1)),
        paid("2026-03-31", "P-1", usd("1000.00")),
        paid("2026-04-01", "P-2", usd("1000.00")),
        paid("2026-07-01", "P-3", usd("1000.00")),
    ]

    found = in_any_order(story, facts, at="2026-07-02")
    arrive(story, facts)

    assert found == to_them(
        {"2026-03-31": "150.00", "2026-04-01": "50.00", "2026-07-01": "150.00"}
    )
    assert [story.partnership.context.terms.frame(day) for day in days] == frames
    assert [each for each in story.partnership.deadlines.values() if each.kind in TERM] == term
    assert {each["settles_in"] for each in lines(story.history)} == {"USD"}


TERM = (DeadlineKind.NOTICE, DeadlineKind.TERM_END)


def test_a_currency_agreed_for_july_leaves_the_statements_until_june_in_theirs() -> None:
    story = under(share("15"))
    arrive(story, [*referred("2026-01-07"), won("2026-01-07", usd("1000.00"))])
    arrive(story, [paid("2026-01-09", "P-1", usd("1000.00"))])
    rates = RateRule(source="Central bank")
    ahead = agreed("2026-01-10", since=date(2026, 7, 1), settles_in="EUR", rates=rates)
    story.on("2026-04-01")

    arrive(story, [ahead])
    (first,) = state(story, "2026-Q1")

    assert (first.statement, first.balance.amount) == ("2026-Q1:USD", Decimal("150.00"))


def test_an_amendment_of_the_share_leaves_the_renewal_in_every_order() -> None:
    story = renewed(under(share("15"), duration="P1Y", notice="P30D"))
    story.on("2027-03-01")
    facts = [
        agreed("2027-02-10", share("12"), since=date(2027, 3, 1), duration="P1Y"),
        paid("2027-03-01", "P-1", usd("1000.00")),
        paid("2027-12-31", "P-2", usd("1000.00")),
        paid("2028-01-01", "P-3", usd("1000.00")),
    ]

    found = in_any_order(story, facts, at="2028-02-01")

    assert found == to_them({"2027-03-01": "120.00", "2027-12-31": "120.00"})


def renewed(story: Story) -> Story:
    """The term of a year is renewed for another; a deal is won."""
    arrive(story, [*referred("2026-01-07"), won("2026-01-07", usd("1000.00"))])
    story.on("2026-10-01")
    review = HoldRenewalReview(
        review="r-1", outcomes="Good", relevance="High", recommendation="renew"
    )
    story.when(OURS, review)
    story.when(OURS, ProposeRenewal(proposal="renewal-1", duration="P1Y"))
    story.when(THEIRS, AcceptRenewal(proposal="renewal-1"))
    return story


# --- another currency of statements ------------------------------------------------------------


def test_another_currency_of_statements_does_not_pay_the_past_again() -> None:
    rates = RateRule(source="Central bank")
    story = under(share("9"), rates=rates)
    arrive(story, [*referred("2026-01-07"), won("2026-01-07", usd("100.00"))])
    arrive(story, [paid("2026-01-09", "P-1", usd("100.00"))])
    story.on("2026-02-01")
    (january,) = state(story, "2026-01")

    arrive(story, [agreed("2026-02-02", since=date(2026, 3, 1), settles_in="EUR")])
    for month in ("2026-01", "2026-02", "2026-03"):
        story.when(OURS, rate(month, "0.50"))
    arrive(story, [paid("2026-02-03", "P-2", usd("100.00"))])
    story.on("2026-03-31")
    arrive(story, [paid("2026-03-31", "P-3", usd("100.00"))])
    story.on("2026-04-01")

    stated = [january, *state(story, "2026-03")]

    # Each payment is stated once, in the currency of its day: 9.00 USD twice and 4.50 EUR.
    assert [(each.statement, str(each.balance.amount)) for each in stated] == [
        ("2026-01:USD", "9.00"),
        ("2026-03:EUR", "4.50"),
        ("2026-03:USD", "9.00"),
    ]


def rate(month: str, value: str, base: str = "USD", quote: str = "EUR") -> PublishRate:
    return PublishRate(
        base=base, quote=quote, period=month, rate=Decimal(value), source="Central bank"
    )


# --- tiers and caps ----------------------------------------------------------------------------


def test_one_year_is_one_count_however_often_the_notice_is_amended() -> None:
    """The cases m5 and m6 tell the same of tiers and of a cap."""
    tiers = [Tier(above=Decimal(1000), share=Decimal(20))]
    item = share("10", tiers=tiers, cap=Decimal(250))
    story = under(item)
    arrive(story, [*referred("2026-01-07"), won("2026-01-07", usd("1000.00"))])
    facts = [
        paid("2026-02-01", "P-1", usd("900.00")),
        agreed("2026-02-02", item, since=date(2026, 3, 1), notice="P90D"),
        agreed("2026-03-02", item, since=date(2026, 4, 1), notice="P30D"),
        paid("2026-04-01", "P-2", usd("1000.00")),
    ]

    # 10 % of 900; then 10 % of 100 and 20 % of 900, but 250.00 at most in the year.
    assert in_any_order(story, facts) == to_them({"2026-02-01": "90.00", "2026-04-01": "160.00"})


def test_tiers_count_each_currency_by_itself_before_any_conversion() -> None:
    tiers = [Tier(above=Decimal(1000), share=Decimal(20))]
    rates = RateRule(source="Central bank")
    story = under(share("10", tiers=tiers), settles_in="EUR", rates=rates)
    arrive(story, [*referred("2026-01-07"), won("2026-01-07", usd("1000.00"))])
    facts = [
        paid("2026-02-01", "P-1", usd("800.00")),
        paid("2026-02-02", "P-2", money("800.00", "EUR")),
        paid("2026-02-03", "P-3", usd("800.00")),
        ours("2026-03-01", rate("2026-02", "0.9")),
    ]

    assert in_any_order(story, facts) == {
        ("2026-02-01", THEIRS, "USD"): "80.00",
        ("2026-02-02", THEIRS, "EUR"): "80.00",
        ("2026-02-03", THEIRS, "USD"): "140.00",
    }
    arrive(story, facts)
    (quarter,) = state(story, "2026-02")
    assert quarter.balance.amount == Decimal("72.00") + Decimal("80.00") + Decimal("126.00")


def test_a_line_of_a_tier_carries_what_stood_before_it() -> None:
    tiers = [Tier(above=Decimal(1000), share=Decimal(20))]
    story = under(share("10", tiers=tiers))
    arrive(story, [*referred("2026-01-07"), won("2026-01-07", usd("1000.00"))])

    arrive(story, [paid("2026-01-08", "P-1", usd("900.00"))])
    arrive(story, [paid("2026-01-09", "P-2", usd("200.00"))])

    second = lines(story.history)[-1]
    assert (second["counted_before"], second["earned_before"]) == ("900", "90")
    assert (second["basis"], second["amount"], second["earned"]) == ("200", "30.00", "120")


# --- taking back -------------------------------------------------------------------------------


def test_a_refund_of_a_payment_that_earned_nothing_gives_nothing_back() -> None:
    """The case m1 tells the same of a share of the sale."""
    story = under(share("15", basis="first-year"))
    arrive(story, [*referred("2026-01-07"), won("2026-01-07", usd("1000.00"))])
    facts = [
        paid("2026-01-08", "P-1", usd("1000.00")),
        paid("2027-01-07", "P-2", usd("1000.00")),  # A first year ends before its anniversary.
        returned("2027-01-08", "P-2", usd("1000.00")),
    ]

    assert in_any_order(story, facts, at="2027-02-01") == to_them({"2026-01-08": "150.00"})


def test_a_sale_is_reduced_by_refunds_of_its_first_year_alone_and_not_below_zero() -> None:
    story = under(share("10", basis="first-year", trigger=Trigger.SALE))
    arrive(story, referred("2026-01-07"))
    facts = [
        won("2026-01-08", usd("100.00")),
        paid("2026-01-09", "P-1", usd("300.00")),
        returned("2026-01-10", "P-1", usd("300.00")),
    ]

    # 10 % of the annual value of 100.00; the client paid and got back more than that.
    assert in_any_order(story, facts) == to_them({"2026-01-08": "10.00", "2026-01-10": "-10.00"})


def test_a_flat_fee_is_taken_back_when_the_sale_came_to_nothing() -> None:
    """The case m2 tells the same. A partial refund leaves the fee."""
    story = under(ReferralFee(to=THEIRS, fee=usd("100.00"), trigger=Trigger.SALE))
    arrive(story, [*referred("2026-01-07"), won("2026-01-08", usd("1000.00"))])
    part = [
        paid("2026-01-09", "P-1", usd("1000.00")),
        returned("2026-01-10", "P-1", usd("400.00"), "R-1"),
    ]
    assert in_any_order(story, part) == to_them({"2026-01-08": "100.00"})

    rest = [*part, returned("2026-01-11", "P-1", usd("600.00"), "R-2")]

    assert in_any_order(story, rest) == to_them({"2026-01-08": "100.00", "2026-01-11": "-100.00"})


def test_a_chargeback_is_lost_won_back_and_lost_again_under_one_id() -> None:
    """The case m10 tells the same in the order of time."""
    story = under(share("15"))
    arrive(story, [*referred("2026-01-07"), won("2026-01-07", usd("1000.00"))])
    facts = [
        paid("2026-02-01", "P-1", usd("1000.00")),
        returned("2026-02-10", "P-1", usd("1000.00"), "dp_1"),
        ours("2026-03-01", ReverseRefund(deal="D-1", refund="dp_1")),
        returned("2026-03-20", "P-1", usd("1000.00"), "dp_1"),
    ]

    assert in_any_order(story, facts) == to_them(
        {
            "2026-02-01": "150.00",
            "2026-02-10": "-150.00",
            "2026-03-01": "150.00",
            "2026-03-20": "-150.00",
        }
    )


# --- what was mistyped can be put right --------------------------------------------------------


def test_a_mistyped_win_is_corrected_in_its_value_and_its_day() -> None:
    story = under(share("10", basis="first-year", trigger=Trigger.SALE))
    arrive(story, referred("2026-01-07"))
    right = CorrectWin(
        deal="D-1",
        annual_contract_value=usd("1200.00"),
        happened_at=moment("2026-01-31"),
        reason="A zero too many, and it was signed in January.",
    )
    facts = [
        won("2026-02-01", usd("12000.00")),
        paid("2026-02-02", "P-1", usd("1200.00")),
        ours("2026-02-03", right),
    ]

    assert in_any_order(story, facts) == to_them({"2026-01-31": "120.00"})


def test_a_mistyped_payment_is_corrected_and_one_that_never_was_is_withdrawn() -> None:
    story = under(share("10"))
    arrive(story, [*referred("2026-01-07"), won("2026-01-07", usd("1000.00"))])
    right = CorrectPayment(
        deal="D-1", payment="P-1", amount=usd("100.00"), reason="A zero too many."
    )
    never = CorrectPayment(deal="D-1", payment="P-2", void=True, reason="It was another client's.")
    facts = [
        paid("2026-02-01", "P-1", usd("1000.00")),
        ours("2026-02-02", right),
        paid("2026-02-03", "P-2", usd("500.00")),
        ours("2026-02-04", never),
    ]

    assert in_any_order(story, facts) == to_them({"2026-02-01": "10.00"})


def test_a_mistyped_refund_is_corrected_and_one_that_failed_is_reversed() -> None:
    story = under(share("10"))
    arrive(story, [*referred("2026-01-07"), won("2026-01-07", usd("1000.00"))])
    arrive(story, [paid("2026-01-08", "P-1", usd("1000.00"))])
    right = CorrectRefund(deal="D-1", refund="R-1", amount=usd("10.00"), reason="Ten, not 100.")
    failed = ReverseRefund(deal="D-1", refund="R-2", reason="The account is closed.")
    facts = [
        returned("2026-01-09", "P-1", usd("100.00"), "R-1"),
        ours("2026-01-10", right),
        returned("2026-01-11", "P-1", usd("200.00"), "R-2"),
        ours("2026-01-12", failed),
    ]

    assert in_any_order(story, facts) == to_them(
        {
            "2026-01-08": "100.00",
            "2026-01-09": "-1.00",
            "2026-01-11": "-20.00",
            "2026-01-12": "20.00",
        }
    )


def test_a_cancelled_win_can_be_won_again_and_a_lost_deal_reopened() -> None:
    story = under(share("10", basis="first-year", trigger=Trigger.SALE))
    arrive(story, referred("2026-01-07"))
    facts = [
        ours("2026-01-08", LoseDeal(deal="D-1", reason="No budget.")),
        ours("2026-01-09", ReopenDeal(deal="D-1", reason="A budget after all.")),
        won("2026-01-10", usd("1000.00")),
        ours("2026-01-11", CancelDeal(deal="D-1", reason="They withdrew.")),
        won("2026-01-12", usd("2000.00")),
    ]

    assert in_any_order(story, facts) == to_them(
        {"2026-01-10": "100.00", "2026-01-11": "-100.00", "2026-01-12": "200.00"}
    )


def test_a_rate_is_put_right_by_both() -> None:
    rates = RateRule(source="Central bank")
    story = under(share("10"), settles_in="EUR", rates=rates)
    arrive(story, [*referred("2026-01-07"), won("2026-01-07", usd("1000.00"))])
    arrive(story, [paid("2026-01-08", "P-1", usd("1000.00"))])
    story.on("2026-02-01")
    arrive(story, [ours("2026-02-01", rate("2026-01", "9.0"))])
    (january,) = state(story, "2026-01")
    assert january.balance.amount == 900

    right = ProposeRate(
        proposal="rate-1", base="USD", quote="EUR", period="2026-01", rate=Decimal("0.9")
    )
    accepted = AgreeRate(proposal="rate-1")
    arrive(story, [(Said("2026-02-02", OURS, right), Said("2026-02-02", THEIRS, accepted))])
    story.on("2026-03-01")
    (february,) = state(story, "2026-02")

    # What was stated stands; the next statement has the difference.
    assert (february.balance.payer, february.balance.amount) == (THEIRS, 810)


def test_a_mistyped_payout_is_corrected_and_a_returned_one_leaves_the_statement_open() -> None:
    story = under(share("15"))
    arrive(story, [*referred("2026-01-07"), won("2026-01-07", usd("1000.00"))])
    arrive(story, [paid("2026-01-08", "P-1", usd("1000.00"))])
    story.on("2026-02-01")
    state(story, "2026-01")

    def left() -> Decimal:
        return story.partnership.settlement.left("2026-01:USD")

    story.when(OURS, RecordPayout(payout="O-1", statement="2026-01:USD", amount=usd("150.00")))
    assert left() == 0
    story.when(OURS, CorrectPayout(payout="O-1", amount=usd("15.00"), reason="A digit."))
    assert left() == 135
    story.when(OURS, ReturnPayout(payout="O-1", reason="The account is closed."))
    assert left() == 150
    story.when(OURS, RecordPayout(payout="O-2", statement="2026-01:USD", amount=usd("150.00")))
    assert left() == 0
