"""Stories of money, in the order of the kinds of mistakes that they end.

Each heading names a kind. A kind that is told elsewhere as well says where. `in_any_order` lets
facts arrive in every order: what is owed is a function of the set of facts (money.md, section 1).
"""

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from itertools import permutations

import pytest
from pydantic import ValidationError

from domain.agreement import AcceptTerms, CounterTerms, ProposeTerms
from domain.attribution import AttributionPolicy, Method, PolicyKind
from domain.claims import ClaimKind, ConfirmClaim, FigureRef, ObjectToClaim
from domain.deadlines.deadline import DeadlineKind, DeadlinePassed, ReminderGiven
from domain.dispute import AcceptResolution, DisputeOutcome, OpenDispute, ProposeResolution
from domain.execution import HoldKickoff, IssueCause
from domain.exit import ExitReason, GiveExitNotice
from domain.kernel import Command
from domain.metric_catalogue import CATALOGUE, Direction, Unit
from domain.payment import CorrectPayment, CorrectRefund, ReceivePayment, ReverseRefund
from domain.payouts import CorrectPayout, RecordPayout, ReturnPayout
from domain.referral import (
    AgreeAttribution,
    AttributeReferral,
    CreateOpportunity,
    HoldDemo,
    ProposeAttribution,
    QualifyLead,
    SubmitReferral,
)
from domain.renewal import AcceptRenewal, HoldRenewalReview, ProposeRenewal
from domain.reported_figure import CorrectMetric, ReportMetric
from domain.sale import CancelDeal, CorrectWin, LoseDeal, ReopenDeal, WinDeal
from domain.settlement import (
    AgreeRate,
    IssueFinalSettlement,
    IssueStatement,
    ObjectToRate,
    ProposeRate,
    PublishRate,
)
from domain.terms import (
    ClaimRules,
    FrameChange,
    Hybrid,
    Incentive,
    Item,
    Minimum,
    RateRule,
    ReferralFee,
    Retainer,
    Tier,
    Trigger,
)
from domain.values import Money
from tests.documents import REPOSITORY
from tests.life import EXAMPLES, LIFE, OURS, THEIRS, changed, example, split, usd
from tests.projections.arrivals import (
    Fact,
    Said,
    agreed,
    arrive,
    in_any_order,
    ours,
    owed,
    paid,
    referred,
    returned,
    theirs,
    to_them,
    won,
)
from tests.projections.folds import count
from tests.projections.money import lines, money, share, state, total, under
from tests.stories import Story, moment

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
        exit="exit-1",
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


def test_clicks_of_a_quarter_are_paid_until_each_of_its_months_is_reported() -> None:
    story = under(clicks("0.10"))

    def reported(period: str, number: int) -> Fact:
        said = ReportMetric(metric="clicks", tool="ads", period=period, figure=count(number))
        return ours("2026-07-01", said)

    facts = [reported("2026-Q2", 300), reported("2026-04", 120), reported("2026-05", 20)]
    # What is reported of April says nothing of June.
    assert in_any_order(story, facts, at="2026-07-02") == to_them({"2026-06-30": "30.00"})

    facts.append(reported("2026-06", 10))
    assert in_any_order(story, facts, at="2026-07-02") == to_them(
        {"2026-04-30": "12.00", "2026-05-31": "2.00", "2026-06-30": "1.00"}
    )


def clicks(fee: str) -> ReferralFee:
    return ReferralFee(to=THEIRS, fee=usd(fee), trigger=Trigger.CLICK)


def test_an_amendment_that_arrives_after_the_statement_is_a_difference_in_the_next_one() -> None:
    story = arrive(under(share("15")), referred("2026-01-07"))
    arrive(story, [won("2026-03-10", usd("1000.00")), paid("2026-03-10", "P-1", usd("1000.00"))])
    story.on("2026-04-01")
    (march,) = state(story, "2026-03")

    arrive(story, [agreed("2026-03-09", share("20"), since=date(2026, 3, 10))])
    story.on("2026-05-01")
    (april,) = state(story, "2026-04")

    assert [str(each.balance.amount) for each in (march, april)] == ["150.00", "50.00"]
    assert [part.month for part in april.balance.parts] == ["2026-03"]


# --- terms for a time --------------------------------------------------------------------------


def test_terms_for_a_time_change_the_share_and_nothing_of_the_frame() -> None:
    """The case m15 and `tests/domain/test_terms_by_day.py` tell of amendments and renewals."""
    story = under(share("15"), duration="P1Y", minimum_referrals_per_quarter={THEIRS: 10})
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

    assert found == to_them({"2026-03-31": "150.00", "2026-04-01": "50.00", "2026-07-01": "150.00"})
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


SOLD_AGAIN = [
    won("2026-01-08", usd("1000.00")),
    paid("2026-01-09", "P-1", usd("1000.00")),
    ours("2026-03-01", CancelDeal(deal="D-1", reason="They withdrew.")),
    returned("2026-03-02", "P-1", usd("1000.00")),
    won("2026-03-03", usd("2000.00")),
]
"""A sale that came to nothing, with its payment, and a second sale of the same client."""


@pytest.mark.parametrize(
    ("item", "owed_by_day"),
    [
        # The return of the first sale's payment takes nothing off the second sale.
        (
            share("10", basis="first-year", trigger=Trigger.SALE),
            {"2026-01-08": "100.00", "2026-03-01": "-100.00", "2026-03-03": "200.00"},
        ),
        (
            ReferralFee(to=THEIRS, fee=usd("50.00"), trigger=Trigger.SALE),
            {"2026-01-08": "50.00", "2026-03-01": "-50.00", "2026-03-03": "50.00"},
        ),
        # The second sale has no payment yet.
        (
            ReferralFee(to=THEIRS, fee=usd("50.00"), trigger=Trigger.PAYMENT),
            {"2026-01-09": "50.00", "2026-03-01": "-50.00"},
        ),
    ],
    ids=["share", "fee", "fee-on-the-first-payment"],
)
def test_a_payment_of_a_cancelled_sale_does_not_touch_the_next_sale(
    item: Item, owed_by_day: dict[str, str]
) -> None:
    story = under(item)
    arrive(story, referred("2026-01-07"))

    assert in_any_order(story, SOLD_AGAIN) == to_them(owed_by_day)


def test_a_payment_counts_by_the_time_of_its_own_sale() -> None:
    story = under(share("10", basis="months", months=1))
    arrive(story, referred("2026-01-07"))
    facts = [
        won("2026-01-08", usd("1000.00")),
        paid("2026-02-20", "P-1", usd("1000.00")),
        ours("2026-03-01", CancelDeal(deal="D-1", reason="They withdrew.")),
        won("2026-03-03", usd("2000.00")),
        paid("2026-03-04", "P-2", usd("200.00")),
    ]

    # P-1 is outside the month of the first sale, and the second sale does not bring it in.
    assert in_any_order(story, facts) == to_them({"2026-03-04": "20.00"})


def test_a_share_of_a_sale_is_reduced_by_what_the_sale_paid_for() -> None:
    story = under(share("10", basis="first-year", trigger=Trigger.SALE))
    arrive(story, [*referred("2026-01-07"), won("2026-01-08", usd("1000.00"))])
    # The second year, paid early and returned.
    early = ReceivePayment(
        deal="D-1", payment="P-1", amount=usd("1000.00"), covers_from=date(2027, 1, 8)
    )

    facts = [ours("2026-12-20", early), returned("2026-12-22", "P-1", usd("1000.00"))]

    assert in_any_order(story, facts) == to_them({"2026-01-08": "100.00"})


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
    assert (february.balance.payer, february.balance.amount) == (THEIRS, Decimal("810.00"))


def test_a_mistyped_payout_is_corrected_and_a_returned_one_leaves_the_statement_open() -> None:
    story = under(share("15"))
    arrive(story, [*referred("2026-01-07"), won("2026-01-07", usd("1000.00"))])
    arrive(story, [paid("2026-01-08", "P-1", usd("1000.00"))])
    story.on("2026-02-01")
    state(story, "2026-01")

    def left() -> Decimal:
        return story.left("2026-01:USD")

    story.when(OURS, RecordPayout(payout="O-1", statement="2026-01:USD", amount=usd("150.00")))
    assert left() == 0
    story.when(OURS, CorrectPayout(payout="O-1", amount=usd("15.00"), reason="A digit."))
    assert left() == 135
    story.when(OURS, ReturnPayout(payout="O-1", reason="The account is closed."))
    assert left() == 150
    story.when(OURS, RecordPayout(payout="O-2", statement="2026-01:USD", amount=usd("150.00")))
    assert left() == 0


# --- touches and credit ------------------------------------------------------------------------


def test_a_touch_dated_later_than_its_message_is_refused() -> None:
    story = arrive(under(share("15")), referred("2026-01-07"))
    command = AttributeReferral(
        deal="D-1", method=Method.UTM, evidence="a tag", to=OURS, touched_at=moment("2999-01-01")
    )

    assert story.refuses(OURS, command).rule == "touch-not-yet-happened"


def test_a_touch_after_the_conversion_takes_no_credit_stated_or_not() -> None:
    """The case m4 tells the same of credit that was stated and paid."""
    story = under(share("15"), attribution=AttributionPolicy(kind=PolicyKind.LAST_TOUCH))
    arrive(story, referred("2026-01-07"))
    facts = [
        won("2026-02-01", usd("1000.00")),
        paid("2026-02-01", "P-1", usd("1000.00")),
        touch("2026-02-10", OURS, by=THEIRS),
    ]

    assert in_any_order(story, facts) == to_them({"2026-02-01": "150.00"})


def touch(happened: str, to: str, *, by: str, method: Method = Method.UTM) -> Fact:
    """A party states a touch of a moment, at that moment."""
    at = moment(happened)
    command = AttributeReferral(
        deal="D-1", touch=f"T-{at:%m%d}", method=method, evidence="a tag", to=to, touched_at=at
    )
    return (Said(happened, by, command),)


def test_credit_that_was_stated_moves_only_when_both_settle_it() -> None:
    policy = AttributionPolicy(kind=PolicyKind.LAST_TOUCH)
    story = arrive(under(share("15"), attribution=policy), referred("2026-01-07"))
    arrive(story, [won("2026-01-20", usd("1000.00")), paid("2026-01-20", "P-1", usd("1000.00"))])
    story.on("2026-02-01")
    state(story, "2026-01")

    # It is dated before the conversion, and arrives after the statement.
    arrive(story, [touch("2026-01-19", OURS, by=THEIRS)])
    assert total(story.history) == 150
    shares = {OURS: Decimal(40), THEIRS: Decimal(60)}
    story.when(OURS, ProposeAttribution(deal="D-1", proposal="S-1", shares=shares))
    assert total(story.history) == 150
    story.when(THEIRS, AgreeAttribution(deal="D-1", proposal="S-1"))

    assert total(story.history) == 90


def test_a_lead_that_both_claim_is_weighed_again_when_a_policy_comes_and_when_it_goes() -> None:
    """That its alert opens and closes with it is told with the alerts."""
    story = under(share("15"))
    arrive(story, [*referred("2026-01-07"), touch("2026-01-08", OURS, by=THEIRS)])
    arrive(story, [won("2026-03-10", usd("1000.00")), paid("2026-03-10", "P-1", usd("1000.00"))])
    assert owed(story) == {}

    weights = {OURS: Decimal(30), THEIRS: Decimal(70)}
    splits = AttributionPolicy(kind=PolicyKind.SPLIT, weights=weights)
    arrive(story, [agreed("2026-03-01", since=date(2026, 3, 5), attribution=splits)])
    assert owed(story) == to_them({"2026-03-10": "105.00"})
    none = AttributionPolicy(kind=PolicyKind.NONE)
    arrive(story, [agreed("2026-03-02", since=date(2026, 3, 9), attribution=none)])

    assert owed(story) == {}


def test_the_policy_of_the_day_of_the_conversion_counts_in_every_order() -> None:
    story = arrive(under(share("15")), referred("2026-01-07"))
    first = AttributionPolicy(kind=PolicyKind.FIRST_TOUCH)
    last = AttributionPolicy(kind=PolicyKind.LAST_TOUCH)
    facts = [
        touch("2026-02-01", OURS, by=THEIRS),
        won("2026-03-10", usd("1000.00")),
        paid("2026-03-11", "P-1", usd("1000.00")),
        agreed("2026-03-10T18:00", since=date(2026, 3, 10), attribution=first),
        agreed("2026-03-11T18:00", since=date(2026, 3, 11), attribution=last),
    ]

    assert in_any_order(story, facts) == to_them({"2026-03-11": "150.00"})


# --- the touch of a party for itself -----------------------------------------------------------

LEAD = theirs("2026-01-07", SubmitReferral(deal="D-1", lead="lead D-1"))
OPENED = ours("2026-02-01", CreateOpportunity(deal="D-1"))
SOLD = (won("2026-02-10", usd("1000.00")), paid("2026-02-11", "P-1", usd("1000.00")))
EARNED = to_them({"2026-02-11": "150.00"})
LAST_TOUCH = AttributionPolicy(kind=PolicyKind.LAST_TOUCH)
POLICIES = [
    AttributionPolicy(kind=PolicyKind.NONE),
    AttributionPolicy(kind=PolicyKind.FIRST_TOUCH),
    LAST_TOUCH,
    AttributionPolicy(kind=PolicyKind.LINEAR),
    AttributionPolicy(kind=PolicyKind.CODE_WINS),
    AttributionPolicy(kind=PolicyKind.SPLIT, weights={OURS: Decimal(50), THEIRS: Decimal(50)}),
]


@pytest.mark.parametrize("policy", POLICIES, ids=lambda each: each.kind)
def test_the_payer_takes_no_credit_by_its_own_touch_and_its_own_win(
    policy: AttributionPolicy,
) -> None:
    """We touch the lead first and last, with a code, open the opportunity and win the deal."""
    story = under(share("15"), attribution=policy)
    facts = [
        LEAD,
        touch("2026-01-07", OURS, by=OURS, method=Method.REFERRAL_CODE),
        touch("2026-01-08", THEIRS, by=THEIRS),
        touch("2026-01-09", OURS, by=OURS),
        OPENED,
        *SOLD,
    ]

    assert owed(arrive(story, facts)) == EARNED


def test_a_party_takes_no_credit_by_its_own_touch_that_it_acts_on_itself() -> None:
    story = under(share("15"))
    facts = [
        LEAD,
        touch("2026-01-08", THEIRS, by=THEIRS),
        theirs("2026-02-01", CreateOpportunity(deal="D-1")),
        theirs("2026-02-10", WinDeal(deal="D-1", annual_contract_value=usd("1000.00"))),
        paid("2026-02-11", "P-1", usd("1000.00")),
    ]

    assert owed(arrive(story, facts)) == {}


def test_a_win_by_the_other_side_confirms_a_touch_stated_before_it_in_every_order() -> None:
    story = arrive(under(share("15")), [LEAD])
    facts = [OPENED, touch("2026-02-05", THEIRS, by=THEIRS), *SOLD]

    assert in_any_order(story, facts) == EARNED


def test_a_win_that_the_other_side_states_alike_confirms_a_touch_in_every_order() -> None:
    story = arrive(under(share("15")), [LEAD, OPENED])
    command = WinDeal(deal="D-1", annual_contract_value=usd("1000.00"))
    facts = [
        touch("2026-02-05", THEIRS, by=THEIRS),
        theirs("2026-02-10", command),
        ours("2026-02-10", command),
        SOLD[1],
    ]

    assert in_any_order(story, facts) == EARNED


def test_a_win_confirms_no_touch_stated_after_it_in_any_order() -> None:
    story = arrive(under(share("15")), [LEAD, OPENED])
    at = moment("2026-02-12")
    late = AttributeReferral(
        deal="D-1",
        touch="T-1",
        method=Method.UTM,
        evidence="a tag",
        to=THEIRS,
        touched_at=moment("2026-02-01"),
    )
    assert late.touched_at is not None
    assert late.touched_at < at

    assert in_any_order(story, [theirs("2026-02-12", late), *SOLD]) == {}


def test_an_opportunity_confirms_a_touch_stated_before_it_and_none_after_it() -> None:
    """The win is not ours, so nothing else confirms the touches."""
    story = arrive(under(share("15")), [LEAD])
    their_win = theirs("2026-02-10", WinDeal(deal="D-1", annual_contract_value=usd("1000.00")))
    silent = ClaimRules(on_word=[ClaimKind.WIN])
    on_word = agreed("2026-01-07T10:00", since=date(2026, 1, 8), claims=silent)
    rest = [on_word, OPENED, their_win, SOLD[1]]

    before = [touch("2026-01-31", THEIRS, by=THEIRS), *rest]
    assert owed(arrive(story.copy(), before)) == EARNED

    after = [touch("2026-02-02", THEIRS, by=THEIRS), *rest]
    assert owed(arrive(story.copy(), after)) == {}


def test_a_win_corrected_to_a_day_before_a_touch_confirms_it_no_more() -> None:
    story = arrive(under(share("15")), [LEAD])
    early = CorrectWin(
        deal="D-1", happened_at=moment("2026-02-04"), reason="The contract is of the 4th."
    )
    facts = [
        ours("2026-02-01", CreateOpportunity(deal="D-1")),
        touch("2026-02-05", THEIRS, by=THEIRS),
        *SOLD,
        ours("2026-02-20", early),
    ]

    assert in_any_order(story, facts, at="2026-03-01") == {}


def test_a_touch_of_a_party_for_itself_counts_once_the_other_side_confirms_it() -> None:
    story = under(share("15"), attribution=LAST_TOUCH)
    arrive(story, [*referred("2026-01-07"), touch("2026-01-20", OURS, by=OURS), *SOLD])
    assert owed(story) == EARNED

    story.when(THEIRS, ConfirmClaim(deal="D-1", fact="touch/T-0120"))

    assert owed(story) == {}


def test_a_touch_of_a_party_for_itself_counts_on_its_word_or_by_silence_where_terms_say_so() -> (
    None
):
    facts = [*referred("2026-01-07"), touch("2026-01-20", OURS, by=OURS), *SOLD]
    on_word = under(
        share("15"), attribution=LAST_TOUCH, claims=ClaimRules(on_word=[ClaimKind.TOUCH])
    )
    assert owed(arrive(on_word, facts)) == {}

    silence = under(share("15"), attribution=LAST_TOUCH, claims=ClaimRules(confirm_within_days=60))
    assert owed(arrive(silence, facts)) == EARNED
    silence.on("2026-05-01")

    assert owed(silence) == {}


def test_an_incentive_counts_on_the_touch_that_its_own_party_states() -> None:
    """Nobody acts on the lead; a share of the same deal would earn nothing."""
    story = under(Incentive(by=OURS, amount=usd("100.00")), attribution=LAST_TOUCH)
    facts = [LEAD, touch("2026-01-08", THEIRS, by=THEIRS)]

    assert in_any_order(story, facts) == to_them({"2026-01-07": "100.00"})


def test_the_party_that_owes_an_incentive_takes_it_by_no_touch_of_its_own() -> None:
    story = under(Incentive(by=OURS, amount=usd("100.00")), attribution=LAST_TOUCH)
    arrive(story, [LEAD, touch("2026-01-08", THEIRS, by=THEIRS)])
    arrive(story, [touch("2026-01-09", OURS, by=OURS), OPENED, SOLD[0]])
    assert owed(story) == to_them({"2026-01-07": "100.00"})

    story.when(THEIRS, ConfirmClaim(deal="D-1", fact="touch/T-0109"))

    assert owed(story) == {}


# --- the word of the side that gains -----------------------------------------------------------


def test_the_payee_cannot_correct_the_clicks_that_the_other_reported() -> None:
    story = under(clicks("0.05"))
    figures = {"metric": "clicks", "period": "2026-02", "tool": "ads"}
    story.on("2026-03-01")
    story.when(OURS, ReportMetric(figure=count(1000), **figures))
    story.wait(hours=1)
    story.when(THEIRS, CorrectMetric(figure=count(9000), reason="We saw more.", **figures))
    assert total(story.history) == 50

    named = FigureRef(**figures)
    story.when(OURS, ObjectToClaim(figure=named, fact="correction/figure", reason="Robots."))
    assert total(story.history) == 50
    story.when(OURS, ConfirmClaim(figure=named, fact="correction/figure"))

    assert total(story.history) == 450


def test_the_payee_cannot_report_the_figure_that_earns_it_a_bonus() -> None:
    bonus = Hybrid(
        to=THEIRS,
        base=usd("0.00"),
        every="P1M",
        bonus=usd("100.00"),
        window="month",
        bonus_metric="new_users",
        bonus_threshold=14,
    )
    story = under(bonus)
    figures = {"metric": "new_users", "period": "2026-02", "tool": "crm"}
    story.on("2026-03-01")
    story.when(THEIRS, ReportMetric(figure=count(14), **figures))
    assert total(story.history) == 0

    story.when(OURS, ConfirmClaim(figure=FigureRef(**figures), fact="figure"))

    assert total(story.history) == 100


def test_a_report_against_what_the_deals_show_meets_no_minimum() -> None:
    minimum = Minimum(
        on=THEIRS, metric="leads", window="quarter", at_least=10, fee=usd("50.00"), per="missing"
    )
    story = under(minimum)
    for number in range(8):
        arrive(story, referred("2026-04-01", f"D-{number}"))
    figures = {"metric": "leads", "period": "2026-Q2", "tool": "crm"}
    story.on("2026-07-01")
    story.when(THEIRS, ReportMetric(figure=count(12), **figures))
    story.when(OURS, ConfirmClaim(figure=FigureRef(**figures), fact="figure"))

    assert total(story.history, OURS) == 100


def test_neither_party_sets_a_rate_alone() -> None:
    story = under(share("10"), settles_in="EUR", rates=RateRule(source="Central bank"))
    arrive(story, [*referred("2026-01-07"), won("2026-01-07", usd("1000.00"))])
    arrive(story, [paid("2026-01-08", "P-1", usd("1000.00"))])
    story.on("2026-02-01")

    own = rate("2026-01", "2.0").model_copy(update={"source": "Our own desk"})
    story.when(THEIRS, own)
    assert story.refuses(OURS, IssueStatement(period="2026-01")).rule == "no-exchange-rate"
    story.when(THEIRS, rate("2026-01", "2.0"))
    objection = ObjectToRate(
        base="USD", quote="EUR", period="2026-01", source="Central bank", reason="Mistyped."
    )
    story.when(OURS, objection)
    (waits,) = [each for each in story.ledger().accrued if any(each.earned.values())]
    assert (waits.rate, dict(waits.earned)) == (None, {THEIRS: Decimal("100.00")})
    right = ProposeRate(
        proposal="rate-1", base="USD", quote="EUR", period="2026-01", rate=Decimal("0.9")
    )
    story.when(THEIRS, right)
    assert story.refuses(THEIRS, AgreeRate(proposal="rate-1")).rule == "own-proposal"
    story.when(OURS, AgreeRate(proposal="rate-1"))

    (january,) = state(story, "2026-01")
    assert january.balance.amount == 90


def test_a_line_that_another_rate_replaces_says_so_and_a_line_that_is_taken_back_does_not() -> None:
    story = under(share("10"), settles_in="EUR", rates=RateRule(source="Central bank"))
    arrive(story, [*referred("2026-01-07"), won("2026-01-07", usd("1000.00"))])
    arrive(story, [paid("2026-01-08", "P-1", usd("1000.00"))])
    story.on("2026-02-01")
    objection = ObjectToRate(
        base="USD", quote="EUR", period="2026-01", source="Central bank", reason="Mistyped."
    )
    right = ProposeRate(
        proposal="rate-1", base="USD", quote="EUR", period="2026-01", rate=Decimal("0.9")
    )
    for party, said in [
        (THEIRS, rate("2026-01", "2.0")),
        (OURS, objection),
        (THEIRS, right),
        (OURS, AgreeRate(proposal="rate-1")),
        (OURS, changed(right, proposal="rate-2", rate=Decimal("0.8"))),
        (THEIRS, AgreeRate(proposal="rate-2")),
        (OURS, CancelDeal(deal="D-1", reason="Withdrawn.")),
    ]:
        story.wait(hours=1)
        story.when(party, said)
    arrive(story, [returned("2026-02-02", "P-1", usd("1000.00"))])

    assert [each.get("replaced") for each in lines(story.history) if each["amount"] < "0"] == [
        "the rate of 2026-01 arrived",
        "no rate of 2026-01 counts any longer",
        "the rate of 2026-01 arrived",
        "another rate of 2026-01 counts",
        None,
    ]


def test_the_payee_cannot_say_that_the_other_collected() -> None:
    item = split("40", "60")
    story = under(changed(item, trigger=Trigger.PAYMENT))
    arrive(story, [*referred("2026-01-07"), won("2026-01-07", usd("1000.00"))])
    command = ReceivePayment(deal="D-1", payment="P-1", amount=usd("100.00"), collected_by=OURS)
    arrive(story, [theirs("2026-01-08", command)])
    assert owed(story) == {}

    arrive(story, [ours("2026-01-09", ConfirmClaim(deal="D-1", fact="payment/P-1"))])

    assert owed(story) == to_them({"2026-01-08": "60.00"})


def test_the_payees_own_win_and_payment_earn_nothing_before_the_other_confirms_them() -> None:
    story = arrive(under(share("15")), referred("2026-01-07"))
    win = WinDeal(deal="D-1", annual_contract_value=usd("1000.00"))
    payment = ReceivePayment(deal="D-1", payment="P-1", amount=usd("1000.00"))
    arrive(story, [theirs("2026-01-08", win), theirs("2026-01-09", payment)])
    assert owed(story) == {}

    facts = [
        ours("2026-01-10", ConfirmClaim(deal="D-1", fact="win")),
        ours("2026-01-11", ConfirmClaim(deal="D-1", fact="payment/P-1")),
    ]

    assert in_any_order(story, facts) == to_them({"2026-01-09": "150.00"})


def test_silence_confirms_a_claim_where_the_terms_say_so_and_an_objection_stops_it() -> None:
    rules = ClaimRules(confirm_within_days=10)
    story = arrive(under(share("15"), claims=rules), referred("2026-01-07"))
    arrive(story, [won("2026-01-07", usd("1000.00"))])
    first = ReceivePayment(deal="D-1", payment="P-1", amount=usd("1000.00"))
    second = ReceivePayment(deal="D-1", payment="P-2", amount=usd("1000.00"))
    arrive(story, [theirs("2026-02-01", first), theirs("2026-02-02", second)])
    objection = ObjectToClaim(deal="D-1", fact="payment/P-2", reason="It never came.")
    arrive(story, [ours("2026-02-05", objection)])
    assert owed(story) == {}

    story.on("2026-03-01")

    assert owed(story) == to_them({"2026-02-01": "150.00"})


CLAIM = ReceivePayment(deal="D-1", payment="P-1", amount=usd("1000.00"))


def silent(**frame: object) -> Story:
    """A deal is won; what is claimed counts after five days of silence."""
    story = under(share("15"), claims=ClaimRules(confirm_within_days=5), **frame)
    return arrive(story, [*referred("2026-01-07"), won("2026-01-07", usd("1000.00"))])


def silences(story: Story) -> list[DeadlinePassed]:
    return [each for each in story.facts(DeadlinePassed) if each.kind is DeadlineKind.SILENCE]


def test_a_statement_takes_a_claim_whose_days_ended_with_nothing_recorded_since() -> None:
    story = silent()
    # It is recorded after the end of its month, so no period closes after its days are over.
    story.on("2026-02-03")
    arrive(story, [theirs("2026-01-28", CLAIM)])
    assert owed(story) == {}

    story.on("2026-02-10")
    (statement,) = state(story, "2026-01")

    assert statement.balance.amount == Decimal("150.00")
    (passed,) = (each for each in story.history if each.event in silences(story))
    assert passed.act.occurred_at == moment("2026-02-08T00:00")


def test_silence_ends_with_a_day_in_the_time_zone_of_the_agreement() -> None:
    story = silent(time_zone="America/New_York")
    story.on("2026-02-03T02:00")
    arrive(story, [theirs("2026-02-03T03:00", CLAIM)])  # The day before, in New York.

    assert story.on("2026-02-05T05:00") == [
        ReminderGiven(
            kind=DeadlineKind.SILENCE,
            ref=f"2026-02-07/{OURS}",
            due=date(2026, 2, 6),
            party=OURS,
        )
    ]
    assert story.on("2026-02-07T04:59") == []
    assert story.on("2026-02-07T05:00") == [
        DeadlinePassed(kind=DeadlineKind.SILENCE, ref="2026-02-07")
    ]
    assert owed(story) == to_them({"2026-02-02": "150.00"})


@pytest.mark.parametrize(
    "said",
    [
        ConfirmClaim(deal="D-1", fact="payment/P-1"),
        ObjectToClaim(deal="D-1", fact="payment/P-1", reason="It never came."),
    ],
    ids=["confirmed", "objected to"],
)
def test_no_silence_ends_where_no_claim_is_unanswered(said: Command) -> None:
    story = silent()
    story.on("2026-02-03")
    arrive(story, [theirs("2026-02-03", CLAIM), paid("2026-02-03", "P-2", usd("1.00"))])
    arrive(story, [ours("2026-02-04", said)])

    story.on("2026-03-20")

    assert silences(story) == []


def test_claims_of_one_day_are_confirmed_together_in_every_order_of_arrival() -> None:
    facts = [
        theirs("2026-02-01", CLAIM),
        theirs("2026-02-02", changed(CLAIM, payment="P-2", amount=usd("300.00"))),
        theirs("2026-02-02", changed(CLAIM, payment="P-3", amount=usd("100.00"))),
    ]
    for order in permutations(facts):
        story = silent()
        story.on("2026-02-03")
        arrive(story, order)

        story.on("2026-02-20")

        assert [each.ref for each in silences(story)] == ["2026-02-08"]
        assert owed(story) == to_them({"2026-02-01": "150.00", "2026-02-02": "60.00"})


def test_what_was_claimed_before_an_exit_is_confirmed_by_silence_after_it() -> None:
    story = silent(notice="P0D")
    story.on("2026-02-03")
    arrive(story, [theirs("2026-02-03", CLAIM)])
    notice = GiveExitNotice(
        exit="exit-1",
        reason=ExitReason.NO_LONGER_RELEVANT,
        explanation="We part.",
        effective_on=date(2026, 2, 5),
    )
    arrive(story, [theirs("2026-02-04", notice)])

    story.on("2026-02-20")

    assert owed(story) == to_them({"2026-02-03": "150.00"})


@pytest.mark.parametrize(
    "make",
    [
        lambda: clicks("-0.01"),
        lambda: share("-1"),
        lambda: WinDeal(deal="D-1", annual_contract_value=usd("-1.00")),
        lambda: ReceivePayment(deal="D-1", payment="P-1", amount=usd("-1.00")),
        lambda: Retainer(to=THEIRS, fee=usd("-1.00"), every="P1M"),
    ],
    ids=["a fee", "a share", "a win", "a payment", "a retainer"],
)
def test_nothing_is_negative(make: Callable[[], object]) -> None:
    """A reduction is a reversal of something."""
    with pytest.raises(ValidationError):
        make()


def test_clicks_are_neither_negative_nor_parts_of_a_click() -> None:
    story = under(clicks("0.05"))
    story.on("2026-02-01")

    def reported(number: str) -> ReportMetric:
        figure = count(number)
        return ReportMetric(metric="clicks", period="2026-01", tool="ads", figure=figure)

    assert story.refuses(OURS, reported("-1")).rule == "figure-negative"
    assert story.refuses(OURS, reported("0.5")).rule == "figure-not-whole"


def test_a_kind_of_fact_counts_on_the_word_of_the_payee_where_the_terms_say_so() -> None:
    rules = ClaimRules(on_word=[ClaimKind.PAYMENT])
    story = arrive(under(share("15"), claims=rules), referred("2026-01-07"))
    arrive(story, [won("2026-01-07", usd("1000.00"))])
    payment = ReceivePayment(deal="D-1", payment="P-1", amount=usd("1000.00"))

    arrive(story, [theirs("2026-01-08", payment)])

    assert owed(story) == to_them({"2026-01-08": "150.00"})


def test_an_opportunity_of_the_other_side_confirms_a_referral() -> None:
    minimum = Minimum(
        on=THEIRS, metric="leads", window="quarter", at_least=3, fee=usd("50.00"), per="missing"
    )
    story = under(minimum)
    for deal in ("D-1", "D-2", "D-3"):
        arrive(story, [theirs("2026-04-01", SubmitReferral(deal=deal, lead=deal))])
    facts = [
        ours("2026-04-02", CreateOpportunity(deal="D-1")),
        theirs("2026-04-01T10:00", CreateOpportunity(deal="D-1")),
        theirs("2026-04-02", CreateOpportunity(deal="D-2")),
        ours("2026-04-03", ConfirmClaim(deal="D-3", fact="referral")),
    ]

    # Their own opportunity alone confirms nothing: one of three is missing.
    assert in_any_order(story, facts, at="2026-07-02") == {("2026-06-30", OURS, "USD"): "50.00"}


def test_what_both_sides_state_alike_counts_in_whichever_order_they_state_it() -> None:
    """The second statement confirms the first."""
    story = under(clicks("0.05"), share("15"))
    arrive(story, [*referred("2026-01-07"), won("2026-01-07", usd("1000.00"))])
    report = ReportMetric(metric="clicks", period="2026-02", tool="ads", figure=count(1000))
    payment = ReceivePayment(deal="D-1", payment="P-1", amount=usd("100.00"), collected_by=OURS)
    facts = [
        theirs("2026-03-01", report),
        ours("2026-03-02", report),
        theirs("2026-02-01", payment),
        ours("2026-02-01", payment),
    ]

    assert in_any_order(story, facts) == to_them({"2026-02-01": "15.00", "2026-02-28": "50.00"})


# --- disputes ----------------------------------------------------------------------------------


def dispute(subject: str, amount: Money | None = None, name: str = "Q-1") -> OpenDispute:
    return OpenDispute(
        dispute=name,
        cause=IssueCause.MONEY,
        description="We see it otherwise.",
        subject=subject,
        amount=amount,
    )


def uphold(story: Story, name: str = "Q-1") -> None:
    """Both agree that the disputed money is taken back."""
    resolution = ProposeResolution(
        dispute=name, proposal="E-1", outcome=DisputeOutcome.UPHELD, resolution="As found."
    )
    story.when(OURS, resolution)
    story.when(THEIRS, AcceptResolution(dispute=name, proposal="E-1"))


def test_a_dispute_holds_what_the_other_would_get_and_not_ones_own_money() -> None:
    ours_too = ReferralFee(to=OURS, fee=usd("10.00"), trigger=Trigger.PAYMENT)
    policy = AttributionPolicy(
        kind=PolicyKind.SPLIT, weights={OURS: Decimal(50), THEIRS: Decimal(50)}
    )
    story = under(share("20"), ours_too, attribution=policy)
    arrive(story, [*referred("2026-01-07"), touch("2026-01-08", OURS, by=THEIRS)])
    arrive(story, [won("2026-01-09", usd("100.00")), paid("2026-01-09", "P-1", usd("100.00"))])
    for fact in ("win", "payment/P-1"):
        story.when(THEIRS, ConfirmClaim(deal="D-1", fact=fact))
    assert owed(story) == {
        ("2026-01-09", THEIRS, "USD"): "10.00",
        ("2026-01-09", OURS, "USD"): "5.00",
    }

    story.when(OURS, dispute("deal/D-1"))

    (held,) = story.ledger().held
    assert dict(held.earned) == {THEIRS: Decimal("10.00")}


def test_a_hold_takes_from_what_is_open_and_its_release_gives_it_back_in_both_currencies() -> None:
    rates = RateRule(source="Central bank")
    story = under(share("15"), settles_in="EUR", rates=rates)
    story.when(OURS, rate("2026-01", "0.9"))
    arrive(story, [*referred("2026-01-07"), won("2026-01-07", usd("1000.00"))])
    arrive(story, [paid("2026-01-08", "P-1", usd("1000.00"))])

    story.when(OURS, dispute("deal/D-1", usd("100.00")))
    (left,) = story.ledger().accrued
    assert (left.earned, left.converted) == (
        {THEIRS: Decimal("50.00")},
        {THEIRS: Decimal("45.00")},
    )
    reject = ProposeResolution(
        dispute="Q-1", proposal="E-1", outcome=DisputeOutcome.REJECTED, resolution="As found."
    )
    story.when(OURS, reject)
    story.when(THEIRS, AcceptResolution(dispute="Q-1", proposal="E-1"))

    found = [(each["item"], each["amount"], each["settled"]) for each in lines(story.history)]
    assert found == [
        ("revenue-share-1", "150.00", "135.00"),
        ("hold", "-100.00", "-90.00"),
        ("release", "100.00", "90.00"),
    ]


def test_a_hold_that_a_refund_makes_smaller_gives_back_the_difference() -> None:
    story = under(share("15"))
    arrive(story, [*referred("2026-01-07"), won("2026-01-07", usd("1000.00"))])
    arrive(story, [paid("2026-01-08", "P-1", usd("1000.00"))])
    story.when(OURS, dispute("deal/D-1", usd("100.00")))

    arrive(story, [returned("2026-01-09", "P-1", usd("600.00"))])

    held = [each for each in lines(story.history) if each["item"] in {"hold", "release"}]
    assert [(each["item"], each["amount"]) for each in held] == [
        ("hold", "-100.00"),
        ("release", "40.00"),
    ]


def test_an_upheld_dispute_takes_its_amount_and_no_later_payment() -> None:
    story = under(share("15"))
    arrive(story, [*referred("2026-01-07"), won("2026-01-07", usd("1000.00"))])
    arrive(story, [paid("2026-01-08", "P-1", usd("1000.00"))])
    story.when(OURS, dispute("deal/D-1"))
    arrive(story, [paid("2026-01-10", "P-2", usd("1000.00"))])

    uphold(story)
    arrive(story, [paid("2026-01-12", "P-3", usd("1000.00"))])

    assert total(story.history) == 300


def test_a_refund_lowers_what_an_upheld_dispute_takes() -> None:
    story = under(share("15"))
    arrive(story, [*referred("2026-01-07"), won("2026-01-07", usd("1000.00"))])
    arrive(story, [paid("2026-01-08", "P-1", usd("1000.00"))])
    story.when(OURS, dispute("deal/D-1", usd("100.00")))
    arrive(story, [returned("2026-01-09", "P-1", usd("900.00"))])

    uphold(story)

    assert total(story.history) == 0


def test_what_happens_after_a_dispute_leaves_its_decision_alike_in_every_order() -> None:
    story = under(share("15"))
    arrive(story, [*referred("2026-01-07"), won("2026-01-07", usd("1000.00"))])
    arrive(story, [paid("2026-01-08", "P-1", usd("1000.00"))])
    resolution = ProposeResolution(
        dispute="Q-1", proposal="E-1", outcome=DisputeOutcome.UPHELD, resolution="As found."
    )
    accepted = AcceptResolution(dispute="Q-1", proposal="E-1")
    decision = (Said("2026-01-12", OURS, resolution), Said("2026-01-12", THEIRS, accepted))
    facts = [
        ours("2026-01-10", dispute("deal/D-1", usd("100.00"))),
        paid("2026-01-11", "P-2", usd("1000.00")),
        returned("2026-01-11T12:00", "P-1", usd("500.00")),
        decision,
    ]

    # The refund left 75.00 of the first payment, all of which was disputed; P-2 stays.
    assert in_any_order(story, facts) == to_them(
        {"2026-01-08": "150.00", "2026-01-11": "75.00", "2026-01-12": "-75.00"}
    )


def test_a_dispute_of_another_currency_or_of_no_such_deal_is_refused() -> None:
    story = under(share("15"))
    arrive(story, [*referred("2026-01-07"), won("2026-01-07", usd("1000.00"))])
    arrive(story, [paid("2026-01-08", "P-1", usd("1000.00"))])

    euros = story.refuses(OURS, dispute("deal/D-1", money("1.00", "EUR")))
    nowhere = story.refuses(OURS, dispute("deal/D-9"))

    assert (euros.rule, nowhere.rule) == ("dispute-exceeds-earnings", "nothing-earned")


def test_what_is_stated_and_paid_is_not_claimed_back_before_the_decision() -> None:
    story = under(share("15"))
    arrive(story, [*referred("2026-01-07"), won("2026-01-07", usd("1000.00"))])
    arrive(story, [paid("2026-01-08", "P-1", usd("1000.00"))])
    story.on("2026-02-01")
    state(story, "2026-01")
    story.when(OURS, RecordPayout(payout="O-1", statement="2026-01:USD", amount=usd("150.00")))

    story.when(OURS, dispute("deal/D-1"))
    story.on("2026-03-01")
    assert story.refuses(OURS, IssueStatement(period="2026-02")).rule == "nothing-to-state"
    uphold(story)
    story.on("2026-04-01")
    (march,) = state(story, "2026-03")

    assert (march.balance.payer, march.balance.amount) == (THEIRS, Decimal("150.00"))


def test_retainers_clicks_bonuses_and_minimums_can_be_disputed() -> None:
    minimum = Minimum(
        on=OURS, metric="leads", window="quarter", at_least=1, fee=usd("70.00"), per="window"
    )
    retainer = Retainer(to=THEIRS, fee=usd("100.00"), every="P1M")
    monthly = changed(minimum, name="monthly", window="month")
    story = under(retainer, clicks("0.05"), monthly, minimum)
    story.on("2026-04-01")
    march = ReportMetric(metric="clicks", period="2026-03", tool="ads", figure=count(1000))
    story.when(OURS, march)
    story.on("2026-07-01")
    before = total(story.history)

    for name, subject in enumerate(
        [
            "due/retainer-1@2026-02-01",
            "report/referral-fee-1@2026-03",
            "window/minimum-2@2026-04-01",
        ]
    ):
        story.when(OURS, dispute(subject, name=f"Q-{name}"))
        uphold(story, f"Q-{name}")

    assert before - total(story.history) == 100 + 50 + 70


# --- dates and windows -------------------------------------------------------------------------


def signed_for(starts_on: date, *items: Item, **frame: object) -> Story:
    """The life up to its kickoff on 5 January 2026, under terms that begin on another day."""
    counter = example(CounterTerms)
    begins = FrameChange(**{**counter.frame.given(), "starts_on": starts_on, **frame})
    other = changed(counter, effective_from=starts_on, frame=begins, items=list(items))
    steps = LIFE[: LIFE.index(EXAMPLES[HoldKickoff]) + 1]
    return Story().given(
        step._replace(command=other) if isinstance(step.command, CounterTerms) else step
        for step in steps
    )


def test_retainers_and_clicks_before_the_month_of_the_kickoff_are_owed() -> None:
    retainer = Retainer(to=THEIRS, fee=usd("100.00"), every="P1M")
    story = signed_for(date(2025, 12, 1), retainer, clicks("0.05"))
    december = ReportMetric(metric="clicks", period="2025-12", tool="ads", figure=count(1000))
    story.on("2026-02-01")
    story.when(OURS, december)

    assert owed(story) == to_them(
        {
            "2025-12-01": "100.00",
            "2025-12-31": "50.00",
            "2026-01-01": "100.00",
            "2026-02-01": "100.00",
        }
    )


def test_clicks_reported_for_a_quarter_are_paid_by_the_terms_of_its_first_day() -> None:
    story = under(clicks("0.05"))
    facts = [
        ours(
            "2026-07-01",
            ReportMetric(metric="clicks", period="2026-Q2", tool="ads", figure=count(3000)),
        ),
        agreed("2026-04-20", clicks("0.10"), since=date(2026, 5, 1)),
    ]

    assert in_any_order(story, facts, at="2026-07-02") == to_them({"2026-06-30": "150.00"})


def test_terms_do_not_go_on_after_their_end_but_in_an_agreed_tail() -> None:
    retainer = Retainer(to=THEIRS, fee=usd("100.00"), every="P3M")
    items: list[Item] = [share("15"), retainer]
    facts = [
        *referred("2026-01-07"),
        won("2026-01-07", usd("1000.00")),
        paid("2026-06-30", "P-1", usd("1000.00")),
        paid("2026-07-01", "P-2", usd("1000.00")),
        paid("2026-08-01", "P-3", usd("1000.00")),
    ]
    ending = arrive(under(*items, duration="P6M"), facts)
    tail = arrive(under(*items, duration="P6M", tail_months=1), facts)

    for story in (ending, tail):
        story.on("2027-02-01")

    until_the_end = to_them({"2026-04-01": "100.00", "2026-06-30": "150.00"})
    assert owed(ending) == until_the_end
    assert owed(tail) == {**until_the_end, ("2026-07-01", THEIRS, "USD"): "150.00"}


def test_a_partys_own_leads_do_not_meet_the_minimum_of_the_other() -> None:
    minimum = Minimum(
        on=THEIRS, metric="leads", window="quarter", at_least=10, fee=usd("50.00"), per="missing"
    )
    story = under(minimum)
    for number in range(6):
        deal = f"D-{number}"
        by_us = SubmitReferral(deal=deal, lead=deal)
        arrive(story, [ours("2026-04-01", by_us)])
        arrive(story, [theirs("2026-04-01", ConfirmClaim(deal=deal, fact="referral"))])
    arrive(story, referred("2026-04-02", "D-6"))

    story.on("2026-07-01")

    # They brought one of ten.
    assert total(story.history, OURS) == 450


def test_a_period_is_over_at_midnight_of_the_agreements_zone() -> None:
    story = under(share("15"), time_zone="America/New_York")
    arrive(story, [*referred("2026-01-07"), won("2026-01-07", usd("1000.00"))])
    # It is still January in New York until 05:00 UTC.
    arrive(story, [paid("2026-02-01T04:59", "P-1", usd("1000.00"))])
    story.on("2026-02-01T04:59")
    assert story.refuses(OURS, IssueStatement(period="2026-01")).rule == "period-not-over"
    arrive(story, [paid("2026-02-01T05:00", "P-2", usd("100.00"))])
    assert owed(story) == to_them({"2026-01-31": "150.00", "2026-02-01": "15.00"})

    (january,) = state(story, "2026-01")

    assert january.balance.amount == 150


# --- statements and incentives -----------------------------------------------------------------


def test_a_final_settlement_cannot_take_the_name_of_a_statement() -> None:
    story = under(share("15"), notice="P0D")
    arrive(story, [*referred("2026-01-07"), won("2026-01-07", usd("1000.00"))])
    arrive(story, [paid("2026-01-08", "P-1", usd("1000.00"))])
    story.on("2026-02-01")
    state(story, "2026-01")
    notice = GiveExitNotice(
        exit="exit-1",
        reason=ExitReason.NO_LONGER_RELEVANT,
        explanation="We part.",
        effective_on=date(2026, 2, 10),
    )
    story.when(THEIRS, notice)
    story.on("2026-02-11")

    assert story.refuses(OURS, IssueFinalSettlement(settlement="2026-01")).rule == "name-taken"
    assert story.refuses(OURS, IssueFinalSettlement(settlement="2026-02")).rule == "name-taken"
    assert story.when(OURS, IssueFinalSettlement(settlement="final"))


def test_an_incentive_is_paid_for_credit_above_zero_alone() -> None:
    policy = AttributionPolicy(kind=PolicyKind.LAST_TOUCH)
    story = under(Incentive(by=OURS, amount=usd("100.00")), attribution=policy)
    arrive(story, referred("2026-01-07", "D-1"))
    arrive(story, referred("2026-01-07", "D-2"))
    assert owed(story) == to_them({"2026-01-07": "200.00"})

    arrive(story, [touch("2026-01-08", OURS, by=THEIRS)])

    # The last touch of D-1 is ours, so they have 0 % of it.
    assert owed(story) == to_them({"2026-01-07": "100.00"})


def test_a_missing_rate_does_not_stop_a_statement_that_needs_none() -> None:
    """`test_settlement` tells what becomes of the lines that need the rate."""
    story = under(share("15"), settles_in="USD")
    arrive(story, [*referred("2026-01-07"), won("2026-01-07", usd("1000.00"))])
    arrive(story, [paid("2026-01-08", "P-1", usd("1000.00"))])
    arrive(story, [paid("2026-01-09", "P-2", money("1000.00", "EUR"))])
    story.on("2026-02-01")

    (january,) = state(story, "2026-01")

    assert january.balance.amount == 150
    (waits,) = january.balance.without_rate
    assert (waits.currency, dict(waits.earned)) == ("EUR", {THEIRS: Decimal("150.00")})


# --- told elsewhere ----------------------------------------------------------------------------

ELSEWHERE = {
    "a money metric is judged in the currency that the rule names": (
        "projections/test_alerts.py",
        "test_a_rule_on_money_judges_the_currency_that_it_names",
    ),
    "a month reported whole beside one by segments": (
        "projections/test_kpis.py",
        "test_a_month_reported_whole_and_one_reported_by_segments_both_count_in_the_quarter",
    ),
    "a correction in another currency": (
        "projections/test_counted.py",
        "test_a_figure_corrected_in_another_currency_replaces_the_wrong_one",
    ),
    "deals paid do not depend on arrival": (
        "projections/test_counted.py",
        "test_a_payment_that_arrives_late_takes_the_paid_deal_to_its_own_month",
    ),
    "demo_to_paid counts what is paid": (
        "projections/test_counted.py",
        "test_demo_to_paid_counts_what_is_paid_and_demo_to_won_what_is_won",
    ),
    "no party withdraws its own breach": (
        "projections/test_alerts.py",
        "test_a_party_cannot_withdraw_its_breach_by_reporting_against_the_count",
    ),
    "an alert that a wrong figure resolved": (
        "projections/test_alerts.py",
        "test_what_a_wrong_figure_resolved_is_open_again_once_that_is_corrected",
    ),
    "renewals from the 31st": (
        "journeys/test_cases.py",
        "test_l1_renewals_from_the_31st_are_counted_from_the_first_day",
    ),
    "a fixed sample of equal variants": (
        "domain/test_experiment.py",
        "test_of_two_equal_variants_one_wins_in_at_most_the_agreed_share_of_experiments",
    ),
    "a rate of 1 of 1": (
        "domain/test_proportions.py",
        "test_a_rate_lies_within_its_own_interval",
    ),
}
"""The kinds of mistakes that are ended in other parts, with the test of each."""


@pytest.mark.parametrize("kind", ELSEWHERE)
def test_each_kind_that_is_told_elsewhere_has_its_test(kind: str) -> None:
    file, test = ELSEWHERE[kind]

    assert f"def {test}(" in (REPOSITORY / "tests" / file).read_text(encoding="utf-8")


# --- what a party brought ----------------------------------------------------------------------

OF_DEALS = [
    "leads",
    "attributed_leads",
    "qualified_leads",
    "opportunities",
    "demos",
    "deals_won",
    "deals_paid",
    "won_value",
    "payments",
]
"""The metrics of which more is better that count what a party brought."""


def brought(by: str) -> list[Fact]:
    """A party refers a lead, and both take it to its payment."""
    touch = AttributeReferral(deal="D-1", method=Method.REFERRAL_CODE, evidence="B15", to=by)
    steps = (QualifyLead, CreateOpportunity, HoldDemo)
    return [
        (Said("2026-02-02", by, SubmitReferral(deal="D-1", lead="lead")),),
        ours("2026-02-03", touch),
        *(say("2026-02-04", step(deal="D-1")) for step in steps for say in (ours, theirs)),
        won("2026-02-05", usd("1000.00")),
        paid("2026-02-06", "P-1", usd("1000.00")),
    ]


def test_all_metrics_of_which_more_is_better_are_tried() -> None:
    assert [
        each.name
        for each in CATALOGUE.values()
        if each.of_deals and not each.by_party and each.direction is Direction.UP
    ] == OF_DEALS


@pytest.mark.parametrize("metric", OF_DEALS)
def test_a_minimum_and_a_bonus_count_only_what_that_party_brought(metric: str) -> None:
    currency = "USD" if CATALOGUE[metric].unit is Unit.MONEY else None
    least = Minimum(
        on=THEIRS,
        metric=metric,
        currency=currency,
        window="month",
        at_least=1,
        fee=usd("50.00"),
        per="window",
    )
    bonus = Hybrid(
        to=THEIRS,
        base=usd("0.00"),
        every="P1Y",
        bonus=usd("7.00"),
        window="month",
        bonus_metric=metric,
        bonus_threshold=1,
        currency=currency,
    )
    found = {}
    for by in (THEIRS, OURS):
        story = arrive(under(least, bonus), brought(by))
        story.on("2026-03-01")
        found[by] = {
            (each["item"], each["to"]): each["amount"]
            for each in lines(story.history)
            if each["day"] == "2026-02-28"
        }

    assert found == {
        THEIRS: {("hybrid-1", THEIRS): "7.00"},
        OURS: {("minimum-1", OURS): "50.00"},
    }


# --- facts of one instant ----------------------------------------------------------------------
# What happens at one time is ordered by its identifier, whichever arrives first.

INSTANT = "2026-03-10T09:00"


def amended(name: str, percent: str) -> Fact:
    proposal = ProposeTerms(proposal=name, effective_from=date(2026, 3, 10), items=[share(percent)])
    return Said(INSTANT, OURS, proposal), Said(INSTANT, THEIRS, AcceptTerms(proposal=name))


def test_of_two_amendments_of_one_instant_the_greater_identifier_counts() -> None:
    story = arrive(under(share("15")), [*referred("2026-01-07"), won("2026-01-07", usd("1.00"))])
    payment = paid("2026-03-10T12:00", "P-1", usd("1000.00"))

    assert in_any_order(story, [amended("A", "30"), amended("B", "20"), payment]) == to_them(
        {"2026-03-10": "200.00"}
    )


@pytest.mark.parametrize("kind", [PolicyKind.FIRST_TOUCH, PolicyKind.LAST_TOUCH])
@pytest.mark.parametrize("theirs_is", ["T-1", "T-3"])
def test_of_two_touches_of_one_instant_the_smaller_identifier_is_the_first(
    kind: PolicyKind, theirs_is: str
) -> None:
    story = under(share("15"), attribution=AttributionPolicy(kind=kind))
    arrive(story, referred("2026-01-07")[:1])
    touch = AttributeReferral(
        deal="D-1", method=Method.UTM, evidence="B15", touched_at=moment(INSTANT)
    )
    sale = [ours(INSTANT, CreateOpportunity(deal="D-1")), won(INSTANT, usd("1.00"))]
    arrive(story, [*sale, paid("2026-03-11", "P-1", usd("1000.00"))])
    facts = [
        ours(INSTANT, changed(touch, touch=theirs_is, to=THEIRS)),
        ours(INSTANT, changed(touch, touch="T-2", to=OURS)),
        theirs("2026-03-12", ConfirmClaim(deal="D-1", fact="touch/T-2")),
    ]

    is_first = (theirs_is == "T-1") is (kind is PolicyKind.FIRST_TOUCH)
    assert in_any_order(story, facts) == (to_them({"2026-03-11": "150.00"}) if is_first else {})


def test_payments_of_one_instant_fill_a_tier_by_their_identifiers() -> None:
    tiers = [Tier(above=Decimal(1000), share=Decimal(20))]
    story = arrive(under(share("10", tiers=tiers)), referred("2026-01-07"))
    arrive(story, [won("2026-01-07", usd("1.00"))])
    facts = [paid(INSTANT, name, usd("800.00")) for name in ("P-1", "P-2", "P-3")]

    for order in permutations(facts):
        known = story.copy()
        known.on("2026-03-11")
        arrive(known, order)
        found = dict.fromkeys(("P-1", "P-2", "P-3"), Decimal(0))
        for each in lines(known.history):
            found[each["fact"].removeprefix("payment/")] += Decimal(each["amount"])

        assert [*found.values()] == [Decimal("80.00"), Decimal("140.00"), Decimal("160.00")]


def test_of_two_rates_that_both_agreed_at_one_instant_the_greater_identifier_counts() -> None:
    story = under(share("10"), settles_in="EUR")
    arrive(story, [*referred("2026-01-07"), won("2026-01-07", usd("1.00"))])
    arrive(story, [paid("2026-03-10", "P-1", usd("1000.00"))])

    def rated(name: str, value: str) -> Fact:
        proposal = ProposeRate(
            proposal=name, base="USD", quote="EUR", period="2026-03", rate=Decimal(value)
        )
        return Said(INSTANT, OURS, proposal), Said(INSTANT, THEIRS, AgreeRate(proposal=name))

    for order in permutations([rated("R-1", "0.9"), rated("R-2", "0.8"), rated("R-3", "0.7")]):
        known = story.copy()
        known.on("2026-04-01")
        arrive(known, order)

        (waiting,) = [each for each in known.ledger().accrued if any(each.earned.values())]
        assert waiting.rate == Decimal("0.7")


def test_corrections_of_one_instant_by_both_parties_count_by_their_names() -> None:
    story = arrive(under(share("10")), [*referred("2026-01-07"), won("2026-01-07", usd("1.00"))])
    arrive(story, [paid("2026-03-01", "P-1", usd("1000.00"))])
    right = CorrectPayment(deal="D-1", payment="P-1", amount=usd("500.00"), reason="A slip.")
    other = changed(right, amount=usd("700.00"))
    at = moment(INSTANT)
    confirmed = ConfirmClaim(deal="D-1", fact="correction/payment/P-1", fact_at=at)
    facts = [
        ours(INSTANT, right),
        theirs(INSTANT, other),
        ours("2026-03-11", confirmed),
    ]

    # Their name comes before ours, so ours is the later one.
    assert THEIRS < OURS
    assert in_any_order(story, facts) == to_them({"2026-03-01": "50.00"})
