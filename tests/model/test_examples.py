"""Examples of money.md, section by section, each computed by hand in its comment."""

from dataclasses import replace
from datetime import date
from decimal import Decimal
from fractions import Fraction

import pytest

from tests.model.credit import contested, credit
from tests.model.facts import (
    AdjustmentAgreed,
    Attribution,
    AttributionSettled,
    CostShare,
    DealCancelled,
    DealWon,
    DisputeOpened,
    DisputeResolved,
    Duration,
    EntryReversed,
    ExitSet,
    ExitWithdrawn,
    Fact,
    FrozenLine,
    Hybrid,
    Incentive,
    IncentiveOffered,
    Item,
    JointEntry,
    JointInvestment,
    MetricReported,
    Minimum,
    Money,
    Objected,
    OpportunityCreated,
    Part,
    PaymentReceived,
    PayoutMade,
    PayoutReturned,
    Penalty,
    PenaltyRaised,
    PeriodicFee,
    Policy,
    RateAgreed,
    RatePublished,
    ReferralFee,
    ReferralSubmitted,
    RenewalAgreed,
    ReturnReversed,
    RevenueShare,
    RevenueSplit,
    StatedAlso,
    StatementIssued,
    Subject,
    TermsAgreed,
    Tier,
    TouchClaimed,
)
from tests.model.known import known_of
from tests.model.owed import on_hold, owed
from tests.model.statements import accounts, differences
from tests.model.telling import (
    PARTIES,
    amended,
    at,
    confirmed,
    corrected,
    earned,
    lines,
    money,
    paid,
    referred,
    returned,
    said,
    settled,
    sold,
    terms,
    told,
    until,
)
from tests.model.terms import terms_of

D = Decimal


def share(percent: str = "15", **more: object) -> RevenueShare:
    return replace(RevenueShare(to="north", share=D(percent)), **more)  # type: ignore[arg-type]


def fee(amount: str = "100.00 USD", **more: object) -> ReferralFee:
    return replace(ReferralFee(to="north", fee=money(amount)), **more)  # type: ignore[arg-type]


def end(facts: list[Fact]) -> date:
    return terms_of(facts).end


# 1 The law


def test_what_was_known_at_a_time_is_answered_from_what_was_recorded_by_then() -> None:
    late = replace(paid("P2", "2026-02-10", "100.00 USD"), recorded_at=at("2026-03-05"))
    facts = [terms(share()), *sold(), paid("P1", "2026-02-02", "100.00 USD"), late]
    # 15 % of 100.00 was known on 1 March; 15 % of the second 100.00 came on 5 March.
    before = owed(facts, PARTIES, at("2026-03-01"))
    assert sum(each.amount for each in before) == D("15.00")
    assert earned(facts) == D("30.00")


def test_terms_that_arrive_after_clicks_price_them() -> None:
    clicks = report("M1", "2026-02", "100")
    late = replace(terms(fee("0.50 USD", trigger="click")), recorded_at=at("2026-05-01"))
    # 100 × 0.50
    assert earned([clicks, late]) == D("50.00")


# 2 Which terms apply


def test_an_amendment_applies_from_the_first_instant_of_its_first_day() -> None:
    facts = [
        terms(share("15")),
        amended(share("10"), first_day="2026-07-01"),  # agreed at 09:00
        *sold(),
        paid("P1", "2026-06-30T23:59:59", "100.00 USD"),
        paid("P2", "2026-07-01T00:00:00", "100.00 USD"),
    ]
    # 15 % of 100.00, then 10 % of 100.00.
    assert told(facts) == ["2026-06-30 15.00", "2026-07-01 10.00"]


def test_a_fact_belongs_to_its_day_in_the_agreements_zone() -> None:
    facts = [
        terms(share("15"), zone="America/New_York"),
        amended(share("10"), first_day="2026-07-01"),
        *sold(),
        paid("P1", "2026-07-01T03:59:00", "100.00 USD"),  # 23:59 of 30 June in New York
        paid("P2", "2026-07-01T04:00:00", "100.00 USD"),  # 00:00 of 1 July
    ]
    assert told(facts) == ["2026-06-30 15.00", "2026-07-01 10.00"]


def test_summer_time_moves_midnight() -> None:
    facts = [
        terms(PeriodicFee("north", money("10.00 USD")), zone="America/New_York"),
        until("2026-04-01T04:00:00"),
    ]
    # 00:00 of 1 April is 04:00 UTC in summer time, so four months are due.
    assert earned(facts) == D("40.00")
    assert earned([*facts[:1], until("2026-04-01T03:59:00")]) == D("30.00")


def test_a_repeated_duration_leaves_a_renewal_alone() -> None:
    facts: list[Fact] = [
        terms(share("15"), duration=Duration(12)),
        said(RenewalAgreed, "renewal", "2026-10-06", duration=Duration(12)),
        amended(share("12"), first_day="2027-03-01", duration=Duration(12)),
        *sold(),
        paid("P1", "2027-03-10", "1000.00 USD"),
    ]
    assert end(facts) == date(2028, 1, 1)
    # 12 % of 1,000.00
    assert earned(facts) == D("120.00")


def test_an_amendment_of_the_frame_leaves_the_items() -> None:
    facts = [terms(share()), amended(first_day="2026-06-01", tail=3), *sold()]
    # 15 % of 200.00
    assert earned([*facts, paid("P1", "2026-08-01", "200.00 USD")]) == D("30.00")


def test_of_two_amendments_of_one_day_the_one_agreed_later_applies() -> None:
    facts = [
        terms(share("15")),
        amended(share("12"), when="2026-06-01T10:00:00", first_day="2026-06-01"),
        amended(share("11"), when="2026-06-01T08:00:00", first_day="2026-06-01"),
        *sold(),
        paid("P1", "2026-06-01T07:00:00", "100.00 USD"),
    ]
    # 12 % of 100.00, also for a payment of before both hours.
    assert earned(facts) == D("12.00")


def test_what_is_agreed_for_later_does_not_apply_before_and_is_not_undone_by_repeating() -> None:
    facts: list[Fact] = [
        terms(share("15")),
        amended(first_day="2026-07-01", when="2026-03-20", settles_in="EUR"),
        # Agreed last, with an earlier first day; it repeats the currency that was agreed last.
        amended(share("10"), first_day="2026-05-01", when="2026-04-01", settles_in="EUR"),
        *sold(),
        paid("P1", "2026-06-01", "100.00 USD"),
        paid("P2", "2026-07-01", "100.00 USD"),
        rate("2026-07", "0.90"),
    ]
    # 10.00 USD; 10.00 USD × 0.90
    assert settled(facts) == ["2026-06 10.00 USD", "2026-07 9.00 EUR"]


def test_temporary_terms_replace_the_items_on_their_days_and_leave_the_frame() -> None:
    facts = [
        terms(share("15"), tail=0),
        amended(share("25"), first_day="2026-06-01", until="2026-07-01", settles_in="EUR", tail=9),
        *sold(),
        paid("P1", "2026-05-31", "100.00 USD"),
        paid("P2", "2026-06-30", "100.00 USD"),
        paid("P3", "2026-07-01", "100.00 USD"),
    ]
    # 15 %, 25 % until before 1 July, 15 %; all of it in USD.
    assert settled(facts) == ["2026-05 15.00 USD", "2026-06 25.00 USD", "2026-07 15.00 USD"]


def test_nothing_accrues_from_the_effective_day_of_an_exit_on() -> None:
    facts = [
        terms(share()),
        *sold(),
        said(ExitSet, "exit", "2026-05-01", effective_on=date(2026, 7, 1)),
        paid("P1", "2026-06-30T23:59:59", "100.00 USD"),
        paid("P2", "2026-07-01T00:00:00", "100.00 USD"),
    ]
    assert told(facts) == ["2026-06-30 15.00"]
    # Both took the exit back: 2 × 15.00.
    withdrawn = said(ExitWithdrawn, "back", "2026-06-01", exit="exit")
    assert earned([*facts, withdrawn]) == D("30.00")


def test_in_a_tail_only_clients_won_before_still_earn() -> None:
    facts = [
        terms(share(), fee(), PeriodicFee("north", money("10.00 USD"), "year"), tail=3),
        *sold(),
        said(ExitSet, "exit", "2026-05-01", effective_on=date(2026, 7, 1)),
        paid("P1", "2026-09-30", "100.00 USD"),
        paid("P2", "2026-10-01", "100.00 USD"),
        *sold(deal="D2", when="2026-07-01"),
        paid("P3", "2026-07-02", "100.00 USD", "D2"),
    ]
    # The year's retainer of 10.00, the fee of D1, and 15 % of P1; the tail ends before 1 October.
    assert told(facts) == ["2026-01-01 10.00", "2026-02-01 100.00", "2026-09-30 15.00"]


def test_nothing_accrues_after_the_end_without_a_renewal() -> None:
    facts = [
        terms(share(), duration=Duration(12)),
        *sold(),
        paid("P1", "2026-12-31", "100.00 USD"),
        paid("P2", "2027-01-01", "100.00 USD"),
    ]
    assert told(facts) == ["2026-12-31 15.00"]


def test_renewals_are_counted_from_the_first_day() -> None:
    facts: list[Fact] = [
        terms(share(), start="2026-01-31", first_day="2026-01-31", duration=Duration(1))
    ]
    ends = [end(facts)]
    for month in ("02", "03", "04"):
        day = f"2026-{month}-11"
        facts.append(said(RenewalAgreed, f"renewal {month}", day, duration=Duration(1)))
        ends.append(end(facts))
    assert [str(each) for each in ends] == ["2026-02-28", "2026-03-31", "2026-04-30", "2026-05-31"]


def test_a_renewal_of_an_agreement_without_an_end_gives_it_none() -> None:
    facts: list[Fact] = [terms(share())]
    facts.append(said(RenewalAgreed, "renewal", "2026-10-06", duration=Duration(12)))
    assert end(facts) == date.max


def touch(by: str, to: str, day: str, when: str | None = None) -> TouchClaimed:
    identity = f"touch of {to} {day} by {by}"
    return said(TouchClaimed, identity, when or day, by, deal="D1", to=to, touched_at=at(day))


@pytest.mark.parametrize(
    ("policy", "part"),
    [
        ("none", 0),  # two parties, and nothing decides
        ("first-touch", 1),  # north on 10 January
        ("last-touch", 0),  # acme on 25 January
        ("linear", Fraction(1, 3)),  # one of three touches
        ("code-wins", 1),  # north's touch is by a code
        ("split", Fraction(3, 4)),  # as agreed
    ],
)
def test_credit_is_weighed_by_the_policy_of_the_day_of_the_conversion(
    policy: Policy, part: Fraction
) -> None:
    facts: list[Fact] = [
        weighed(Attribution(policy, weights=parts("25", "75"))),
        *sold()[:1],
        replace(touch("north", "north", "2026-01-10"), by_code=True),
        touch("north", "acme", "2026-01-20"),
        touch("north", "acme", "2026-01-25"),
        *sold()[2:],
        paid("P1", "2026-02-02", "100.00 USD"),
    ]
    known = known_of(frozenset(facts), PARTIES, None)
    assert credit(known, "D1", "north") == part
    assert contested(known, "D1", "north") == (policy == "none")
    # 10 % of 100.00 by the credit: 0, 10.00, 0, 3.33, 10.00, 7.50
    assert earned(facts) == round(D(10) * part.numerator / part.denominator, 2)


def weighed(attribution: Attribution) -> TermsAgreed:
    agreed = terms(share("10"))
    assert agreed.frame
    return replace(agreed, frame=replace(agreed.frame, attribution=attribution))


@pytest.mark.parametrize("coders", [(), ("north", "acme")])
def test_codes_of_both_parties_or_of_none_contest_a_deal(coders: tuple[str, ...]) -> None:
    facts: list[Fact] = [
        weighed(Attribution("code-wins")),
        *sold()[:1],
        replace(touch("north", "north", "2026-01-10"), by_code="north" in coders),
        replace(touch("north", "acme", "2026-01-20"), by_code="acme" in coders),
        *sold()[2:],
    ]
    known = known_of(frozenset(facts), PARTIES, None)
    assert contested(known, "D1", "north")
    assert credit(known, "D1", "north") == 0


def test_a_policy_that_comes_or_goes_on_the_day_of_the_conversion_is_weighed_again() -> None:
    facts: list[Fact] = [
        terms(share("10")),
        *sold(),
        touch("north", "acme", "2026-01-20"),
        paid("P1", "2026-02-02", "100.00 USD"),
    ]
    assert earned(facts) == 0
    # Agreed after the sale, on its day: the last touch, of 1 February, is north's.
    comes = amended(first_day="2026-02-01", when="2026-02-01T20:00:00", attribution="last-touch")
    assert earned([*facts, comes]) == D("10.00")
    goes = amended(first_day="2026-02-01", when="2026-02-01T21:00:00", attribution="none")
    assert earned([*facts, comes, goes]) == 0


def test_a_touch_counts_inside_the_attribution_window_only() -> None:
    def of(day: str) -> Decimal:
        window = terms(share("10"), attribution="last-touch", attribution_window=30)
        story = [sold()[0], touch("north", "north", day), *sold()[2:]]
        return earned([window, *story, paid("P1", "2026-02-02", "100.00 USD")])

    # Thirty days from 3 January end before 2 February; from 2 January before 1 February.
    assert of("2026-01-03") == D("10.00")
    assert of("2026-01-02") == 0


# 3 Items


def test_a_share_of_the_first_year_ends_before_its_anniversary() -> None:
    facts = [
        terms(share("15", basis="first-year")),
        *sold(),
        paid("P1", "2027-01-31", "10000.00 USD"),
        paid("P2", "2027-02-01", "10000.00 USD"),
    ]
    # C10: 15 % of 10,000 is 1,500; the second year earns nothing.
    assert told(facts) == ["2027-01-31 1500.00"]


def test_a_share_of_a_number_of_months_ends_with_them() -> None:
    facts = [
        terms(share("10", basis="months", months=3)),
        *sold(when="2026-01-31"),
        paid("P1", "2026-04-29", "100.00 USD"),
        paid("P2", "2026-04-30", "100.00 USD"),
    ]
    # Three months from 31 January end before 30 April: 10 % of 100.00 once.
    assert earned(facts) == D("10.00")


def test_a_share_of_the_sale_is_of_its_annual_value_or_of_the_agreed_months() -> None:
    # 20 % of 1,200.00; 20 % of 6/12 of it.
    assert earned([terms(share("20", trigger="sale")), *sold()]) == D("240.00")
    half = share("20", trigger="sale", basis="months", months=6)
    assert earned([terms(half), *sold()]) == D("120.00")


def test_tiers_are_marginal_and_count_each_currency_by_itself() -> None:
    tiered = share("10", tiers=(Tier(D(1000), D(20)), Tier(D(2000), D(30))), window="year")
    facts = [
        terms(tiered),
        *sold(),
        paid("P1", "2026-02-02", "800.00 USD"),
        paid("P2", "2026-03-02", "800.00 EUR"),
        paid("P3", "2026-04-02", "1400.00 USD"),
        paid("P4", "2027-01-02", "100.00 USD"),
    ]
    # USD: 10 % of 800 = 80; 10 % of 200 + 20 % of 1,000 + 30 % of 200 = 20 + 200 + 60 = 280;
    # 10 % of 100 in the next year. EUR: 10 % of 800.
    assert [each.amount for each in lines(facts)] == [D(80), D(80), D(280), D(10)]


def test_a_window_belongs_to_the_name_and_counts_through_amendments() -> None:
    tiered = share("10", tiers=(Tier(D(1000), D(20)),), window="year")
    facts = [
        terms(tiered),
        *sold(),
        amended(replace(tiered, share=D(5)), first_day="2026-07-01"),
        paid("P1", "2026-02-02", "900.00 USD"),
        paid("P2", "2026-08-02", "200.00 USD"),
    ]
    # 10 % of 900 = 90; 900 stand before: 5 % of 100 + 20 % of 100 = 25.
    assert told(facts) == ["2026-02-02 90.00", "2026-08-02 25.00"]


def test_another_window_length_starts_a_new_count() -> None:
    capped = share("10", cap=D(100), window="year")
    facts = [
        terms(capped),
        *sold(),
        amended(replace(capped, window="quarter"), first_day="2026-07-01"),
        paid("P1", "2026-02-02", "2000.00 USD"),
        paid("P2", "2026-08-02", "2000.00 USD"),
    ]
    # 200 capped at 100 in the year; 200 capped at 100 in the third quarter.
    assert earned(facts) == D("200.00")


def test_lines_of_a_window_add_up_to_the_rounded_whole() -> None:
    capped = share("10", cap=D(1000), window="year")
    each = [paid(f"P{n}", f"2026-02-0{n}", "0.05 USD") for n in (2, 3, 4)]
    facts = [terms(capped), *sold(), *each]
    # Totals 0.005, 0.010, 0.015 round half to even to 0.00, 0.01, 0.02.
    assert told(facts) == ["2026-02-03 0.01", "2026-02-04 0.01"]


def test_rounding_is_half_to_even_to_the_minor_unit_of_the_currency() -> None:
    def of(amount: str) -> Decimal:
        return earned([terms(share("50")), *sold(), paid("P1", "2026-02-02", amount)])

    # Halves of 0.05, 0.07, 5, 7 and 0.005: 0.025, 0.035, 2.5, 3.5 and 0.0025.
    assert [of(each) for each in ("0.05 USD", "0.07 USD")] == [D("0.02"), D("0.04")]
    assert [of(each) for each in ("5 JPY", "7 JPY")] == [D(2), D(4)]
    assert of("0.005 KWD") == D("0.002")


def parts(*percents: str) -> tuple[Part, ...]:
    return tuple(Part(*pair) for pair in zip(PARTIES, map(D, percents), strict=True))


def joint(amount: str, holder: str, by: str | None = None, kind: str = "joint-revenue") -> Fact:
    return said(
        JointEntry,
        "J1",
        "2026-02-02",
        by or holder,
        kind=kind,
        amount=money(amount),
        holder=holder,
    )


def test_a_split_is_owed_by_the_party_that_collected() -> None:
    agreed = terms(RevenueSplit(parts("70", "30")))
    # C10: 100 at 70/30.
    assert earned([agreed, joint("100.00 USD", "acme")]) == D("30.00")
    assert earned([agreed, joint("100.00 USD", "north")], "acme") == D("70.00")
    assert earned([terms(RevenueSplit(parts("60", "40"))), joint("100.00 USD", "acme")]) == D(40)


def test_units_left_by_rounding_go_to_the_largest_fraction_then_to_the_first() -> None:
    # 0.05 at 50/50 is 2.5 cents each: the unit left goes to acme, first in the alphabet.
    even = terms(RevenueSplit(parts("50", "50")))
    assert earned([even, joint("0.05 USD", "acme")]) == D("0.02")
    assert earned([even, joint("0.05 USD", "north")], "acme") == D("0.03")
    # 0.01 at 40/60 is 0.4 and 0.6 cents: it goes to north.
    assert earned([terms(RevenueSplit(parts("40", "60"))), joint("0.01 USD", "acme")]) == D("0.01")


def test_a_split_of_a_payment_or_sale_needs_an_attributed_deal() -> None:
    agreed = terms(
        RevenueSplit(parts("70", "30"), "payment"), RevenueSplit(parts("90", "10"), "sale")
    )
    facts = [agreed, *sold(), paid("P1", "2026-02-02", "100.00 USD")]
    # 10 % of 1,200.00 for the sale, 30 % of 100.00 for the payment.
    assert told(facts) == ["2026-02-01 120.00", "2026-02-02 30.00"]
    assert earned([each for each in facts if not isinstance(each, TouchClaimed)]) == 0


def test_a_referral_fee_is_earned_by_a_sale_or_a_first_payment() -> None:
    both = terms(fee(), fee("50.00 USD", trigger="first-payment"))
    facts = [both, *sold(), paid("P1", "2026-03-02", "9.00 USD"), paid("P2", "2026-04-02", "9 USD")]
    assert told(facts) == ["2026-02-01 100.00", "2026-03-02 50.00"]


def test_fees_are_reciprocal_where_both_earn_them() -> None:
    both = terms(fee(), replace(fee("80.00 USD"), to="acme"))
    facts = [both, *sold(), *sold(deal="D2", by="acme")]
    assert (earned(facts), earned(facts, "acme")) == (D("100.00"), D("80.00"))


def report(
    identity: str,
    period: str,
    value: str,
    by: str = "acme",
    metric: str = "clicks",
    segment: str | None = None,
    currency: str | None = None,
    source: str = "site",
) -> MetricReported:
    return said(
        MetricReported,
        identity,
        "2026-05-01",
        by,
        metric=metric,
        period=period,
        value=D(value),
        source=source,
        segment=segment,
        currency=currency,
    )


def test_clicks_of_a_quarter_are_earned_by_the_items_of_its_first_day() -> None:
    facts = [
        terms(fee("0.005 USD", trigger="click")),
        amended(fee("0.01 USD", trigger="click"), first_day="2026-02-01"),
        report("M1", "2026-Q1", "3001"),
    ]
    # 3,001 × 0.005 = 15.005, half to even: 15.00. The line is of the quarter's last day.
    assert told(facts) == ["2026-03-31 15.00"]


def test_a_month_by_segments_adds_up_and_a_whole_figure_stands_before_its_segments() -> None:
    facts = [
        terms(fee("1.00 USD", trigger="post")),
        report("M1", "2026-01", "7", metric="posts"),
        report("M2", "2026-02", "2", metric="posts", segment="web"),
        report("M3", "2026-02", "3", metric="posts", segment="app"),
        report("M4", "2026-03", "9", metric="posts"),
        report("M5", "2026-03", "4", metric="posts", segment="web"),
    ]
    # 7, 2 + 3, and 9.
    assert [each.amount for each in lines(facts)] == [D(7), D(5), D(9)]


def test_a_retainer_is_due_on_the_frames_dates_from_its_first_day_on() -> None:
    retainer = PeriodicFee("north", money("10.00 USD"))
    facts = [
        terms(share(), start="2026-01-31", first_day="2026-01-31"),
        amended(share(), retainer, first_day="2026-02-10"),
        until("2026-05-01"),
    ]
    # Each month's day of 31 January, without drift; the first is after 10 February.
    assert told(facts) == ["2026-02-28 10.00", "2026-03-31 10.00", "2026-04-30 10.00"]


def test_a_retainer_is_not_prorated_at_an_exit() -> None:
    facts = [
        terms(PeriodicFee("north", money("10.00 USD"), "quarter", kind="licence-fee")),
        said(ExitSet, "exit", "2026-05-01", effective_on=date(2026, 7, 1)),
        until("2026-12-01"),
    ]
    # 1 January and 1 April; 1 July is the effective day.
    assert told(facts) == ["2026-01-01 10.00", "2026-04-01 10.00"]


def hybrid(**more: object) -> Hybrid:
    found = Hybrid("north", money("50.00 USD"), money("300.00 USD"), "leads", D(100), "quarter")
    return replace(found, **more)  # type: ignore[arg-type]


def test_a_hybrid_owes_a_base_and_a_bonus_where_its_threshold_is_reached() -> None:
    facts = [
        terms(hybrid()),
        report("M1", "2026-01", "40", metric="leads"),
        report("M2", "2026-03", "60", metric="leads"),
        until("2026-04-01"),
    ]
    # 40 + 60 equals the threshold of 100: base, bonus at the end of March, base.
    assert told(facts) == ["2026-01-01 50.00", "2026-03-31 300.00", "2026-04-01 50.00"]
    assert earned([*facts[:1], report("M1", "2026-01", "99", metric="leads"), facts[-1]]) == D(100)


def test_a_money_threshold_counts_its_own_currency_only() -> None:
    by_money = hybrid(metric="co_branded_revenue", threshold=D(1000), currency="EUR")
    dollars = report("M1", "2026-01", "5000", metric="co_branded_revenue", currency="USD")
    euros = report("M2", "2026-02", "1000", metric="co_branded_revenue", currency="EUR")
    facts: list[Fact] = [terms(by_money), dollars, euros, until("2026-03-31")]
    assert earned([*facts, until("2026-04-01")]) == D("400.00")
    # A correction in another currency replaces the figure: only the two bases stay.
    wrong = corrected(euros, replace(euros, currency="JPY"), "2026-05-02")
    assert earned([*facts, wrong]) == D("100.00")


def test_without_a_named_source_the_one_that_covers_most_months_counts_then_the_lowest() -> None:
    two = [
        report("M1", "2026-01", "100", metric="leads", source="a"),
        report("M2", "2026-01", "90", metric="leads", source="b"),
    ]
    # The lower of two sources is below 100; the named one reached it: base + bonus + base.
    assert earned([terms(hybrid()), *two]) == D("100.00")
    assert earned([terms(hybrid(source="a")), *two]) == D("400.00")


def minimum(**more: object) -> Minimum:
    found = Minimum("north", "acme", "referrals", D(10), money("25.00 USD"))
    return replace(found, **more)  # type: ignore[arg-type]


def test_a_minimum_is_counted_over_what_that_party_brought() -> None:
    agreed = terms(minimum(each_missing=True))
    brought = [each for n in range(8) for each in referred(f"D{n}")]
    own = [each for n in range(8, 12) for each in referred(f"D{n}", by="acme")]
    facts = [agreed, *brought, *own, until("2026-04-01")]
    # C10: 8 of 10 a quarter, 2 missing at 25.00; acme's own four leads do not count.
    assert told(facts, "acme") == ["2026-03-31 50.00"]
    assert earned([terms(minimum()), *facts[1:]], "acme") == D("25.00")


def test_a_referral_that_nobody_acted_on_does_not_meet_a_minimum() -> None:
    agreed = terms(minimum(at_least=D(1)))
    alone = said(ReferralSubmitted, "r1", "2026-02-01", "north", deal="D1")
    facts = [agreed, alone, until("2026-04-01")]
    assert earned(facts, "acme") == D("25.00")
    assert earned([*facts, confirmed(alone, "2026-02-03")], "acme") == 0
    on_word = terms(minimum(at_least=D(1)), on_word=("referral",))
    assert earned([on_word, *facts[1:]], "acme") == 0


def test_a_window_is_judged_by_the_items_of_its_first_day_once_it_is_over() -> None:
    facts = [
        terms(minimum(), start="2026-01-15", first_day="2026-01-15"),
        amended(share(), first_day="2026-05-01"),
        until("2026-10-01"),
    ]
    # The first quarter began before the terms, the third after the minimum was dropped.
    assert told(facts, "acme") == ["2026-06-30 25.00"]


def test_a_window_that_an_exit_cuts_owes_nothing() -> None:
    leaves = said(ExitSet, "exit", "2026-03-01", effective_on=date(2026, 3, 31))
    assert earned([terms(minimum()), leaves, until("2026-06-01")], "acme") == 0
    after = replace(leaves, effective_on=date(2026, 4, 1))
    assert earned([terms(minimum()), after, until("2026-06-01")], "acme") == D("25.00")


def test_a_minimum_of_money_is_of_what_remained_of_credited_payments() -> None:
    agreed = terms(
        minimum(
            metric="revenue",
            at_least=D(500),
            currency="USD",
            each_missing=True,
            fee=money("0.10 USD"),
        )
    )
    facts = [
        agreed,
        *sold(),
        paid("P1", "2026-02-02", "400.00 USD"),
        returned("P1", "2026-05-02", "100.00 USD"),
        until("2026-06-01"),
    ]
    # 500 − (400 − 100) = 200 missing at 0.10.
    assert earned(facts, "acme") == D("20.00")


def test_deals_paid_are_counted_by_their_first_payment() -> None:
    agreed = terms(minimum(metric="deals_paid", at_least=D(1)))
    first = paid("P1", "2026-03-31", "10.00 USD")
    late = replace(first, recorded_at=at("2026-05-01"))
    facts = [agreed, *sold(), paid("P2", "2026-04-02", "10.00 USD"), until("2026-05-02")]
    assert earned(facts, "acme") == D("25.00")
    assert earned([*facts, late], "acme") == 0


def test_a_count_decides_over_a_report_unless_both_agreed_otherwise() -> None:
    said_ten = [report(f"M{n}", f"2026-0{n}", "10", "north", "referrals") for n in (1, 2, 3)]
    facts: list[Fact] = [*said_ten, *(confirmed(each, "2026-05-02") for each in said_ten)]
    assert earned([terms(minimum()), *facts, until("2026-05-03")], "acme") == D("25.00")
    by_report = minimum(measured="report")
    assert earned([terms(by_report), *facts, until("2026-05-03")], "acme") == 0


def test_a_reported_minimum_is_judged_once_every_month_is_reported() -> None:
    agreed = terms(minimum(metric="leads"))
    facts = [report(f"M{n}", f"2026-0{n}", "3", "north", "leads") for n in (1, 2, 3)]
    # Two months of three are no figure of the quarter; 9 of 10 fall short.
    assert earned([agreed, *facts[:2]], "acme") == 0
    assert earned([agreed, *facts], "acme") == D("25.00")


def test_a_shared_cost_is_owed_to_the_party_that_paid_once_the_other_confirms() -> None:
    agreed = terms(CostShare(parts("50", "50")))
    cost = joint("300.01 USD", "north", kind="shared-cost")
    assert earned([agreed, cost]) == 0
    # 300.01 / 2 = 150.005: 15,000.5 units each, the unit left goes to acme, first in the alphabet.
    assert earned([agreed, cost, confirmed(cost, "2026-02-03")]) == D("150.01")
    by_acme = joint("300.00 USD", "north", by="acme", kind="shared-cost")
    assert earned([agreed, by_acme]) == D("150.00")


def test_a_reversed_entry_gives_back_its_part() -> None:
    agreed = terms(RevenueSplit(parts("70", "30")))
    entry = joint("100.00 USD", "acme")
    part = said(EntryReversed, "V1", "2026-03-01", entry="J1", amount=money("40.00 USD"))
    whole = said(EntryReversed, "V2", "2026-03-02", entry="J1")
    # 30 % of 100, of 60, of nothing.
    assert told([agreed, entry, part, whole]) == [
        "2026-02-02 30.00",
        "2026-03-01 -12.00",
        "2026-03-02 -18.00",
    ]


def test_a_penalty_is_owed_once_the_owing_party_accepts_it() -> None:
    agreed = terms(Penalty("acme", "north", money("75.00 USD"), "late"), confirm_within=5)
    raised = said(PenaltyRaised, "X1", "2026-02-02", "north", item="late")
    # Silence accepts no penalty.
    assert earned([agreed, raised, until("2026-06-01")]) == 0
    facts = [agreed, raised, confirmed(raised, "2026-03-02")]
    assert told(facts) == ["2026-02-02 75.00"]


def test_a_penalty_that_is_reversed_takes_back_at_most_its_fee() -> None:
    agreed = terms(Penalty("acme", "north", money("75.00 USD"), "late"))
    raised = said(PenaltyRaised, "X1", "2026-02-02", "acme", item="late")
    part = said(EntryReversed, "V1", "2026-03-01", "north", entry="X1", amount=money("50.00 USD"))
    rest = said(EntryReversed, "V2", "2026-03-02", "north", entry="X1", amount=money("50.00 USD"))
    assert told([agreed, raised, part, rest]) == [
        "2026-02-02 75.00",
        "2026-03-01 -50.00",
        "2026-03-02 -25.00",
    ]


def test_an_incentive_is_paid_for_each_referral_with_credit() -> None:
    agreed = terms(Incentive("acme", money("100.00 USD")))
    facts = [each for n in range(14) for each in referred(f"D{n}")]
    # C23: 14 × 100.00
    assert earned([agreed, *facts]) == D("1400.00")
    # Both settled D0 for acme: 0 % earns nothing.
    none = said(AttributionSettled, "S", "2026-03-01", deal="D0", credit=(Part("acme", D(100)),))
    assert earned([agreed, *facts, none]) == D("1300.00")


def test_an_incentive_counts_on_the_touch_of_the_party_that_submits() -> None:
    agreed = terms(Incentive("acme", money("100.00 USD")), attribution="last-touch")
    facts = [agreed, *referred("D1", "2026-02-01")[:2]]
    # Nobody acted yet. What acme states for itself takes nothing until north confirms it.
    assert earned(facts) == D("100.00")
    own = touch("acme", "acme", "2026-02-02")
    assert earned([*facts, own]) == D("100.00")
    assert earned([*facts, own, confirmed(own, "2026-02-03", "north")]) == 0


def test_an_offered_incentive_counts_on_its_days() -> None:
    offer = said(
        IncentiveOffered,
        "I1",
        "2026-02-01",
        name="gift-card",
        amount=money("100.00 USD"),
        from_day=date(2026, 2, 1),
        until=date(2026, 3, 1),
    )
    facts = [terms(share()), offer, *referred("D1", "2026-02-28"), *referred("D2", "2026-03-01")]
    assert told(facts) == ["2026-02-28 100.00"]


def test_a_joint_investment_shares_what_is_put_in_and_what_comes_back() -> None:
    agreed = terms(JointInvestment(parts("60", "40"), parts("50", "50")))
    paid_in = joint("1000.00 USD", "north", by="acme", kind="investment")
    reward = replace(joint("500.00 USD", "acme", kind="reward"), id="J2")
    # acme's 60 % of 1,000 to north, who paid it; north's half of 500 from acme.
    assert earned([agreed, paid_in, reward]) == D("850.00")


def test_items_without_a_name_are_named_by_kind_and_place() -> None:
    facts = [terms(share(), fee(), share("5", trigger="sale")), *sold()]
    assert [each.item for each in lines(facts)] == ["referral-fee-1", "revenue-share-2"]


# 4 Taking back


def test_a_refund_reduces_its_own_payment_in_proportion() -> None:
    facts = [
        terms(share("15")),
        *sold(),
        paid("P1", "2026-02-02", "33.33 USD"),
        returned("P1", "2026-03-02", "11.11 USD"),
        returned("P1", "2026-03-03", "22.22 USD", provider_id="re_2"),
    ]
    # 4.9995 → 5.00; 15 % of 22.22 = 3.333 → 3.33; then nothing remains.
    assert told(facts) == ["2026-02-02 5.00", "2026-03-02 -1.67", "2026-03-03 -3.33"]


def test_a_refund_of_a_payment_under_old_terms_takes_back_at_its_own_rate() -> None:
    facts = [
        terms(share("50")),
        amended(share("10"), first_day="2026-03-01"),
        *sold(),
        paid("P1", "2026-02-02", "100.00 USD"),
        returned("P1", "2026-03-02", "1.00 USD"),
    ]
    # 50.00, less 50 % of 1.00.
    assert told(facts) == ["2026-02-02 50.00", "2026-03-02 -0.50"]


def test_a_refund_in_a_window_computes_the_window_again() -> None:
    tiered = share("10", tiers=(Tier(D(1000), D(20)),), window="year")
    facts = [
        terms(tiered),
        *sold(),
        paid("P1", "2026-02-02", "1000.00 USD"),
        paid("P2", "2026-03-02", "1000.00 USD"),
        returned("P1", "2026-04-02", "400.00 USD"),
    ]
    # 100, 200; then P1 is 600 → 60 and P2 is 400 at 10 % and 600 at 20 % → 160.
    assert told(facts) == [
        "2026-02-02 100.00",
        "2026-03-02 200.00",
        "2026-04-02 -40.00",
        "2026-04-02 -40.00",
    ]


def test_room_under_a_cap_that_a_refund_frees_goes_to_later_facts() -> None:
    capped = share("10", cap=D(100), window="year")
    facts = [
        terms(capped),
        *sold(),
        paid("P1", "2026-02-02", "1000.00 USD"),
        paid("P2", "2026-03-02", "500.00 USD"),
        returned("P1", "2026-04-02", "1000.00 USD"),
    ]
    # P1 took all 100; once it is gone, P2's 50 fit.
    assert told(facts) == ["2026-02-02 100.00", "2026-04-02 -100.00", "2026-04-02 50.00"]


@pytest.mark.parametrize(
    "item",
    [
        share("10"),
        share("10", cap=D(500), window="year"),
        ReferralFee(to="north", fee=money("10.00 USD"), trigger="first-payment"),
    ],
    ids=["share", "cap", "fee"],
)
def test_returns_of_a_payment_that_is_dated_later_keep_their_order(item: Item) -> None:
    first = paid("P1", "2026-02-02", "100.00 USD")
    facts = [
        terms(item),
        *sold(),
        first,
        returned("P1", "2026-02-03", "100.00 USD"),
        said(ReturnReversed, "won back", "2026-02-04", payment="P1", provider_id="dp_1"),
        returned("P1", "2026-02-05", "100.00 USD"),
        corrected(first, paid("P1", "2026-02-06", "100.00 USD"), "2026-02-07"),
    ]
    # Lost, won back, lost again: nothing is left. The payment comes first, whatever its day.
    assert told(facts) == [
        "2026-02-06 10.00",
        "2026-02-03 -10.00",
        "2026-02-05 -10.00",
        "2026-02-04 10.00",
    ]


def test_a_payment_that_earned_nothing_gives_nothing_back() -> None:
    facts = [
        terms(share("20", basis="first-year", trigger="sale")),
        *sold(),
        paid("P1", "2026-02-02", "1200.00 USD"),
        paid("P2", "2027-02-01", "1200.00 USD"),
        returned("P2", "2027-02-05", "1200.00 USD"),
    ]
    # 20 % of 1,200; P2 is outside the first year.
    assert told(facts) == ["2026-02-01 240.00"]


def test_a_sale_is_reduced_by_refunds_of_what_it_paid_for_and_not_below_zero() -> None:
    facts = [
        terms(share("20", trigger="sale")),
        *sold(),
        paid("P1", "2026-02-02", "1000.00 USD"),
        paid("P2", "2026-08-02", "1000.00 USD"),
        returned("P1", "2026-09-01", "300.00 USD"),
        returned("P2", "2026-09-02", "1000.00 USD", provider_id="re_2"),
    ]
    # 20 % of 1,200, of 900, of max(0, 1,200 − 1,300).
    assert told(facts) == ["2026-02-01 240.00", "2026-09-01 -60.00", "2026-09-02 -180.00"]


def test_a_flat_fee_stays_until_the_sale_came_to_nothing() -> None:
    facts: list[Fact] = [terms(fee()), *sold(), paid("P1", "2026-02-02", "100.00 USD")]
    partial = returned("P1", "2026-03-01", "99.99 USD")
    rest = returned("P1", "2026-03-02", "0.01 USD", provider_id="re_2")
    assert earned([*facts, partial]) == D("100.00")
    assert told([*facts, partial, rest]) == ["2026-02-01 100.00", "2026-03-02 -100.00"]
    cancelled = said(DealCancelled, "C1", "2026-04-01", deal="D1")
    assert told([*facts, cancelled]) == ["2026-02-01 100.00", "2026-04-01 -100.00"]


def test_a_cancelled_sale_takes_back_its_share_and_leaves_what_payments_earned() -> None:
    both = terms(share("20", trigger="sale"), share("1"))
    cancelled = said(DealCancelled, "C1", "2026-04-01", deal="D1")
    facts = [both, *sold(), paid("P1", "2026-02-02", "100.00 USD"), cancelled]
    # 240.00 given back, 1 % of 100.00 left: the payment was not returned.
    assert earned(facts) == D("1.00")


def test_a_payment_is_for_the_sale_that_was_won_by_then() -> None:
    sale = share("20", trigger="sale")
    facts: list[Fact] = [
        *sold(),
        paid("P1", "2026-02-02", "600.00 USD"),
        said(DealCancelled, "C1", "2026-04-01", deal="D1"),
        returned("P1", "2026-04-02", "600.00 USD"),
        said(DealWon, "W2", "2026-05-01", deal="D1", value=money("1200.00 USD")),
    ]
    # The second sale is whole, although a payment of the first was returned.
    assert earned([terms(sale), *facts]) == D("240.00")
    assert earned([terms(fee()), *facts]) == D("100.00")
    late = paid("P2", "2026-05-02", "100.00 USD")
    assert earned([terms(fee(trigger="first-payment")), *facts]) == D("0")
    assert earned([terms(fee(trigger="first-payment")), *facts, late]) == D("100.00")


def test_lost_won_back_and_lost_again_are_three_facts_under_one_id() -> None:
    facts: list[Fact] = [terms(share("15")), *sold(), paid("P1", "2026-02-01", "1000.00 USD")]
    facts.append(returned("P1", "2026-02-10", "1000.00 USD"))
    facts.append(said(ReturnReversed, "back", "2026-03-01", payment="P1", provider_id="dp_1"))
    assert earned(facts) == D("150.00")
    facts.append(returned("P1", "2026-03-20", "1000.00 USD"))
    assert told(facts) == [
        "2026-02-01 150.00",
        "2026-02-10 -150.00",
        "2026-03-01 150.00",
        "2026-03-20 -150.00",
    ]


# 5 Corrections


def test_a_mistyped_payment_is_priced_as_corrected() -> None:
    wrong = paid("P1", "2026-07-02", "1000.00 USD")
    right = replace(wrong, occurred_at=at("2026-06-30"), amount=money("100.00 USD"))
    facts: list[Fact] = [
        terms(share("15")),
        amended(share("10"), first_day="2026-07-01"),
        *sold(),
        wrong,
    ]
    assert told(facts) == ["2026-07-02 100.00"]
    # 15 % of 100.00, on the right day.
    assert told([*facts, corrected(wrong, right, "2026-08-01")]) == ["2026-06-30 15.00"]


def test_a_mistyped_win_moves_its_value_and_its_day() -> None:
    facts: list[Fact] = [terms(share("20", trigger="sale")), *sold()]
    win = facts[-1]
    assert isinstance(win, DealWon)
    right = replace(win, value=money("500.00 USD"), occurred_at=at("2026-02-03"))
    # 20 % of 500.00
    assert told([*facts, corrected(win, right, "2026-03-01")]) == ["2026-02-03 100.00"]


def test_a_payment_of_the_wrong_deal_is_moved_by_its_correction() -> None:
    wrong = paid("P1", "2026-02-02", "100.00 USD", "D2")
    facts: list[Fact] = [terms(share()), *sold(), *sold(deal="D2", by="acme"), wrong]
    # D2 is acme's own; 15 % of 100.00 once the payment is of D1.
    assert earned(facts) == 0
    assert earned([*facts, corrected(wrong, replace(wrong, deal="D1"), "2026-03-01")]) == D("15.00")


def test_a_correction_of_a_correction_names_the_first_fact() -> None:
    wrong = paid("P1", "2026-02-02", "1.00 USD")
    first = corrected(wrong, replace(wrong, amount=money("10.00 USD")), "2026-03-01")
    second = replace(
        corrected(wrong, replace(wrong, amount=money("100.00 USD")), "2026-04-01"), id="again"
    )
    # 15 % of 100.00
    assert earned([terms(share()), *sold(), wrong, second, first]) == D("15.00")


def test_a_correction_of_the_other_sides_fact_is_a_proposal() -> None:
    wrong = paid("P1", "2026-02-02", "100.00 USD")
    proposal = corrected(wrong, replace(wrong, amount=money("200.00 USD")), "2026-03-01", "north")
    facts: list[Fact] = [terms(share()), *sold(), wrong, proposal]
    assert earned(facts) == D("15.00")
    # 15 % of 200.00 once acme agrees.
    assert earned([*facts, confirmed(proposal, "2026-03-02")]) == D("30.00")


def test_the_gaining_side_lowers_its_own_fact_alone_and_raises_it_with_the_other() -> None:
    claim = paid("P1", "2026-02-02", "100.00 USD", by="north")
    facts: list[Fact] = [terms(share()), *sold(), claim, confirmed(claim, "2026-02-03")]
    lower = corrected(claim, replace(claim, amount=money("80.00 USD")), "2026-03-01", "north")
    higher = corrected(claim, replace(claim, amount=money("900.00 USD")), "2026-03-01", "north")
    # 15 % of 80.00; 15 % of the confirmed 100.00; 15 % of 900.00 once acme agrees.
    assert earned([*facts, lower]) == D("12.00")
    assert earned([*facts, higher]) == D("15.00")
    assert earned([*facts, higher, confirmed(higher, "2026-03-02")]) == D("135.00")


def test_a_mistyped_refund_and_one_that_never_was_are_corrected() -> None:
    wrong = returned("P1", "2026-03-01", "1000.00 USD")
    facts: list[Fact] = [terms(share()), *sold(), paid("P1", "2026-02-02", "1000.00 USD"), wrong]
    right = corrected(wrong, replace(wrong, amount=money("100.00 USD")), "2026-04-01")
    # 15 % of 1,000 less 15 % of 100.
    assert told([*facts, right]) == ["2026-02-02 150.00", "2026-03-01 -15.00"]
    assert told([*facts, corrected(wrong, None, "2026-04-01")]) == ["2026-02-02 150.00"]


def rate(period: str, value: str, base: str = "USD", quote: str = "EUR") -> RateAgreed:
    return said(
        RateAgreed,
        f"rate {base} {quote} {period}",
        "2026-03-01",
        base=base,
        quote=quote,
        period=period,
        value=D(value),
    )


def test_a_mistyped_rate_is_corrected_by_both() -> None:
    wrong = rate("2026-02", "9.00")
    right = corrected(wrong, replace(wrong, value=D("0.90")), "2026-03-02")
    facts: list[Fact] = [
        terms(share(), settles_in="EUR"),
        *sold(),
        paid("P1", "2026-02-02", "100.00 USD"),
        wrong,
        right,
    ]
    # 15.00 × 9.00 until north agrees that it is 15.00 × 0.90.
    assert settled(facts) == ["2026-02 135.00 EUR"]
    assert settled([*facts, confirmed(right, "2026-03-03", "north")]) == ["2026-02 13.50 EUR"]


def test_an_adjustment_is_a_line_of_its_own() -> None:
    adjusted = said(
        AdjustmentAgreed, "A1", "2026-05-01", by="acme", to="north", amount=money("7.77 USD")
    )
    (line,) = lines([terms(share()), adjusted])
    assert (line.subject.kind, line.amount) == ("adjustment", D("7.77"))


# 6 Who may state what


def test_a_payment_stated_by_the_side_that_gains_is_a_claim() -> None:
    claim = paid("P1", "2026-02-02", "100.00 USD", by="north")
    facts: list[Fact] = [terms(share()), *sold(), claim]
    assert earned(facts) == 0
    assert earned([*facts, confirmed(claim, "2026-02-03", "north")]) == 0
    assert earned([*facts, confirmed(claim, "2026-02-03")]) == D("15.00")
    on_word = terms(share(), on_word=("payment",))
    assert earned([on_word, *facts[1:]]) == D("15.00")


def test_silence_within_the_agreed_days_confirms_and_an_objection_does_not() -> None:
    claim = paid("P1", "2026-02-02", "100.00 USD", by="north")
    facts: list[Fact] = [terms(share(), confirm_within=10), *sold(), claim]
    # Recorded on 2 February: ten days end before 12 February.
    assert earned([*facts, until("2026-02-11T23:59:00")]) == 0
    assert earned([*facts, until("2026-02-12T00:00:00")]) == D("15.00")
    objected = said(Objected, "O1", "2026-02-11T23:00:00", claim="P1")
    assert earned([*facts, objected, until("2026-03-01")]) == 0
    too_late = said(Objected, "O1", "2026-02-12T00:00:00", claim="P1")
    assert earned([*facts, too_late, until("2026-03-01")]) == D("15.00")


def test_a_win_stated_by_the_side_that_gains_earns_nothing_before_it_is_confirmed() -> None:
    claim = said(DealWon, "W1", "2026-02-01", "north", deal="D1", value=money("1200.00 USD"))
    facts: list[Fact] = [terms(share("20", trigger="sale")), *referred(), claim]
    assert earned(facts) == 0
    assert earned([*facts, confirmed(claim, "2026-02-02")]) == D("240.00")


def test_the_payee_cannot_say_that_the_other_collected() -> None:
    agreed = terms(RevenueSplit(parts("70", "30"), "payment"))
    claim = said(
        PaymentReceived,
        "P1",
        "2026-02-02",
        "north",
        deal="D1",
        amount=money("100.00 USD"),
        collected_by="acme",
    )
    assert earned([agreed, *sold(), claim]) == 0


def test_the_payee_cannot_correct_the_others_clicks() -> None:
    clicks = report("M1", "2026-02", "100")
    more = corrected(clicks, replace(clicks, value=D(900)), "2026-05-02", "north")
    facts = [terms(fee("1.00 USD", trigger="click")), clicks, more]
    # 100 × 1.00; a report of its own is another source, and a claim.
    assert earned(facts) == D("100.00")
    own = report("M2", "2026-02", "900", "north", source="north")
    assert earned([*facts, own]) == D("100.00")


def test_a_refund_by_the_side_that_owes_of_a_payment_it_did_not_state_is_a_claim() -> None:
    claim = paid("P1", "2026-02-02", "100.00 USD", by="north")
    facts: list[Fact] = [terms(share()), *sold(), claim, confirmed(claim, "2026-02-03")]
    refund = returned("P1", "2026-03-01", "100.00 USD")
    assert earned([*facts, refund]) == D("15.00")
    assert earned([*facts, refund, confirmed(refund, "2026-03-02", "north")]) == 0
    # Stated by north, which loses by it, it counts at once.
    assert earned([*facts, returned("P1", "2026-03-01", "100.00 USD", "north")]) == 0


def test_a_refund_of_a_payment_that_both_state_is_a_claim_while_the_other_statement_counts() -> (
    None
):
    theirs = paid("P1", "2026-02-02", "100.00 USD", by="north")
    ours = said(
        StatedAlso,
        "also P1",
        "2026-02-20",
        states="P1",
        content=paid("P1", "2026-02-02", "100.00 USD"),
    )
    refund = returned("P1", "2026-03-01", "100.00 USD")
    facts: list[Fact] = [*sold(), theirs, ours, refund, until("2026-04-01")]
    # acme's own statement counts, so its refund does at once.
    assert earned([terms(share()), *facts]) == 0
    # Silence made north's statement count before acme's: the refund is a claim, for a week.
    silent = [terms(share(), confirm_within=7), *facts]
    assert earned(owed_by(silent, "2026-03-07")) == D("15.00")
    assert earned(owed_by(silent, "2026-03-08")) == 0
    objection = said(Objected, "O1", "2026-03-02", "north", claim=refund.id)
    assert earned([*silent, objection]) == D("15.00")


def owed_by(facts: list[Fact], day: str) -> list[Fact]:
    """The facts that were known on a day."""
    return [each for each in facts if each.recorded_at < at(day)] + [until(day)]


def test_a_rate_of_a_source_counts_where_the_terms_name_it_and_nobody_objected() -> None:
    published = said(
        RatePublished,
        "R1",
        "2026-03-01",
        "north",
        base="USD",
        quote="EUR",
        period="2026-02",
        value=D("0.90"),
        source="ecb",
    )
    facts: list[Fact] = [*sold(), paid("P1", "2026-02-02", "100.00 USD"), published]
    named = terms(share(), settles_in="EUR", rate_source="ecb")
    # 15.00 × 0.90
    assert settled([named, *facts]) == ["2026-02 13.50 EUR"]
    assert settled([terms(share(), settles_in="EUR"), *facts]) == ["2026-02 None EUR"]
    objected = said(Objected, "O1", "2026-03-02", claim="R1")
    assert settled([named, *facts, objected]) == ["2026-02 None EUR"]


def test_a_touch_after_the_conversion_or_dated_after_its_message_moves_nothing() -> None:
    facts: list[Fact] = [
        terms(share("10"), attribution="last-touch"),
        *sold(),
        touch("acme", "acme", "2026-02-02", "2026-02-03"),
        touch("acme", "acme", "2999-01-01", "2026-01-30"),
        paid("P1", "2026-02-05", "100.00 USD"),
    ]
    assert earned(facts) == D("10.00")


def test_a_touch_claimed_before_a_win_of_the_same_side_is_a_claim() -> None:
    own = touch("acme", "acme", "2026-01-31")
    facts: list[Fact] = [
        terms(share("10"), attribution="last-touch"),
        *referred(when="2026-01-20"),
        own,
        *sold(when="2026-02-01")[-1:],
        paid("P1", "2026-02-05", "100.00 USD"),
    ]
    # Acme states the touch and wins the deal; north's touch was before acme's opportunity.
    assert earned(facts) == D("10.00")
    assert earned([*facts, confirmed(own, "2026-02-21", "north")]) == 0
    # North works on the lead after the touch, or states the win as well.
    opened = said(OpportunityCreated, "O", "2026-01-31T10:00:00", "north", deal="D1")
    assert earned([*facts, opened]) == 0
    assert earned([*facts, confirmed(facts[-2], "2026-02-03", "north")]) == 0
    earlier = said(OpportunityCreated, "O", "2026-01-30", "north", deal="D1")
    assert earned([*facts, earlier]) == D("10.00")


def test_the_side_that_gains_earns_nothing_by_a_touch_that_it_acts_on_alone() -> None:
    facts: list[Fact] = [
        terms(share("10"), on_word=("win",)),
        said(ReferralSubmitted, "R", "2026-02-01", "north", deal="D1"),
        touch("north", "north", "2026-02-01"),
        said(OpportunityCreated, "O", "2026-02-01", "north", deal="D1"),
        said(DealWon, "W", "2026-02-01", "north", deal="D1", value=money("1200.00 USD")),
        paid("P1", "2026-02-05", "100.00 USD"),
    ]
    assert earned(facts) == 0
    assert earned([*facts, confirmed(facts[2], "2026-02-21")]) == D("10.00")
    # Acme says that it was won on 1 February, which is on the touch.
    assert earned([*facts, confirmed(facts[4], "2026-02-21")]) == D("10.00")
    on_word = terms(share("10"), on_word=("win", "touch"))
    assert earned([on_word, *facts[1:]]) == D("10.00")


def test_a_touch_claimed_after_the_conversion_by_the_party_it_credits_is_a_claim() -> None:
    late = touch("acme", "acme", "2026-02-01T09:00:00", "2026-02-20")
    facts: list[Fact] = [
        terms(share("10"), attribution="last-touch"),
        *sold(when="2026-02-01"),
        late,
        paid("P1", "2026-02-05", "100.00 USD"),
    ]
    assert earned(facts) == D("10.00")
    # North agrees. Both touches are of one instant; the id decides: "touch of …" is last.
    assert earned([*facts, confirmed(late, "2026-02-21", "north")]) == 0


def test_credit_that_was_stated_moves_only_when_both_settle_it() -> None:
    before = touch("north", "acme", "2026-01-31")
    late = replace(before, recorded_at=at("2026-03-10"))
    frozen = FrozenLine(Subject("deal", "D1"), "P1", "share", "north", D("10.00"), "USD")
    statement = said(StatementIssued, "S", "2026-03-01", name="S", currency="USD", lines=(frozen,))
    facts: list[Fact] = [
        terms(share("10"), attribution="linear"),
        *sold(),
        paid("P1", "2026-02-05", "100.00 USD"),
    ]
    # Half of 10 % while nothing is stated; what came after the statement moves nothing.
    assert earned([*facts, late]) == D("5.00")
    assert earned([*facts, statement, late]) == D("10.00")
    both = said(
        AttributionSettled,
        "B",
        "2026-03-20",
        deal="D1",
        credit=(Part("north", D(25)), Part("acme", D(75))),
    )
    # Both settled 25 %: 2.50.
    assert earned([*facts, statement, late, both]) == D("2.50")


# 7 From accrual to payout: disputes, currency, differences


def test_the_currency_of_a_statement_is_that_of_the_facts_day_for_good() -> None:
    facts: list[Fact] = [
        terms(share("15")),
        amended(first_day="2026-07-01", settles_in="EUR"),
        *sold(),
        paid("P1", "2026-06-30", "100.00 USD"),
        paid("P2", "2026-07-01", "100.00 USD"),
        rate("2026-07", "0.905"),
        returned("P1", "2026-08-01", "40.00 USD"),
        returned("P2", "2026-08-02", "40.00 USD"),
    ]
    # 15.00 USD; 15.00 × 0.905 = 13.575 → 13.58 (8 is even).
    # What is taken back settles like what it takes back, at its rate:
    # −6.00 USD; 9.00 × 0.905 = 8.145 → 8.14 (4 is even), so 8.14 − 13.58.
    assert settled(facts) == [
        "2026-06 15.00 USD",
        "2026-07 13.58 EUR",
        "2026-08 -6.00 USD",
        "2026-08 -5.44 EUR",
    ]


def test_a_missing_rate_leaves_out_only_the_lines_that_need_it() -> None:
    facts: list[Fact] = [
        terms(share("15"), settles_in="EUR"),
        *sold(),
        paid("P1", "2026-02-02", "100.00 USD"),
        paid("P2", "2026-02-03", "100.00 EUR"),
    ]
    found = differences(facts, PARTIES, date(2026, 3, 1))
    assert [(key.base_fact, amount) for key, amount in found.items()] == [("P2", D("15.00"))]


def test_rates_by_day_are_read_where_the_terms_say_so() -> None:
    facts = [
        terms(share("10"), settles_in="JPY", rates_by="day"),
        *sold(),
        paid("P1", "2026-02-02", "1.23 KWD"),
        rate("2026-02-02", "500.5", "KWD", "JPY"),
        rate("2026-02", "1", "KWD", "JPY"),
    ]
    # 10 % of 1.23 is 0.123 KWD; 0.123 × 500.5 = 61.5615 → 62 JPY.
    assert settled(facts) == ["2026-02 62 JPY"]


def dispute(amount: str, when: str = "2026-02-10", by: str = "acme", **more: object) -> Fact:
    subject = more.get("subject", Subject("deal", "D1"))
    return said(DisputeOpened, "X", when, by, subject=subject, amount=money(amount))


def decided(outcome: str, when: str = "2026-03-10", amount: Money | None = None) -> Fact:
    return said(DisputeResolved, "Y", when, dispute="X", outcome=outcome, amount=amount)


def disputed() -> list[Fact]:
    """A deal that earned north 15.00 and later 30.00."""
    return [
        terms(share("15")),
        *sold(),
        paid("P1", "2026-02-02", "100.00 USD"),
        paid("P2", "2026-03-02", "200.00 USD"),
    ]


def test_a_dispute_holds_what_the_other_party_would_get_up_to_its_day() -> None:
    (held,) = on_hold([*disputed(), dispute("15.00 USD")], PARTIES)
    assert (held.to, held.amount) == ("north", D("15.00"))
    # It cannot hold what came later, another currency, another deal, or the disputing party's own.
    (held,) = on_hold([*disputed(), dispute("45.00 USD")], PARTIES)
    assert held.amount == D("15.00")
    for wrong in (
        dispute("15.00 EUR"),
        dispute("15.00 USD", subject=Subject("deal", "D9")),
        dispute("15.00 USD", by="north"),
    ):
        assert on_hold([*disputed(), wrong], PARTIES) == []


@pytest.mark.parametrize(
    ("decision", "left"),
    [
        (decided("upheld"), "35.00"),  # 15 + 30 − 10
        (decided("settled", amount=money("4.00 USD")), "41.00"),  # 15 + 30 − 4
        (decided("rejected"), "45.00"),
    ],
)
def test_a_decision_removes_its_amount_and_never_later_earnings(decision: Fact, left: str) -> None:
    facts = [*disputed(), dispute("10.00 USD"), decision]
    assert earned(facts) == D(left)
    assert on_hold(facts, PARTIES) == []


def test_what_refunds_took_is_not_removed_again() -> None:
    facts = [*disputed(), returned("P1", "2026-02-20", "60.00 USD"), dispute("10.00 USD")]
    # P1 keeps 15 % of 40.00 = 6.00; of the disputed 10.00 only those can go. P2's 30.00 stay.
    assert earned([*facts, decided("upheld")]) == D("30.00")


def test_a_dispute_over_several_earners_takes_the_oldest_first() -> None:
    facts = [
        terms(fee("10.00 USD"), share("10", tiers=(Tier(D(50), D(20)),), window="year")),
        *sold(),
        paid("P1", "2026-02-02", "100.00 USD"),
        dispute("12.00 USD"),
        decided("upheld"),
    ]
    # The fee of 10.00 goes, then 2.00 of P1's 5 + 10 = 15.00.
    assert told(facts) == [
        "2026-02-01 10.00",
        "2026-02-02 15.00",
        "2026-03-10 -2.00",
        "2026-03-10 -10.00",
    ]


@pytest.mark.parametrize(
    ("subject", "to"),
    [
        (Subject("due", "retainer-1@2026-02-01"), "north"),
        (Subject("window", "minimum-1@2026-01-01"), "acme"),
        (Subject("report", "referral-fee-1@2026-01"), "north"),
    ],
)
def test_retainers_windows_and_clicks_can_be_disputed(subject: Subject, to: str) -> None:
    agreed = terms(
        PeriodicFee("north", money("50.00 USD")),
        minimum(fee=money("50.00 USD")),
        fee("0.50 USD", trigger="click"),
    )
    by = "acme" if to == "north" else "north"
    facts = [agreed, report("M1", "2026-01", "100"), until("2026-04-02")]
    opened = dispute("50.00 USD", "2026-04-02", by, subject=subject)
    # Each is 50.00, and all of it is removed.
    before = earned(facts, to)
    assert earned([*facts, opened, decided("upheld", "2026-04-02")], to) == before - 50


def issued(facts: list[Fact], name: str, when: str, day: date) -> StatementIssued:
    found = differences(facts, PARTIES, day)
    frozen = tuple(
        FrozenLine(key.subject, key.base_fact, key.item, key.to, amount, key.currency)
        for key, amount in found.items()
    )
    return said(StatementIssued, name, when, name=name, currency="USD", lines=frozen)


def test_a_statement_takes_differences_of_earlier_periods() -> None:
    facts: list[Fact] = [terms(share("15")), *sold(), paid("P1", "2026-02-02", "100.00 USD")]
    facts.append(issued(facts, "2026-02", "2026-03-01", date(2026, 3, 1)))
    facts += [paid("P2", "2026-03-02", "100.00 USD"), returned("P1", "2026-03-03", "20.00 USD")]
    late = replace(paid("P3", "2026-02-20", "10.00 USD"), recorded_at=at("2026-03-20"))
    found = differences([*facts, late], PARTIES, date(2026, 4, 1))
    # P1: 12.00 − 15.00 stated; P2: 15.00; P3, of February and late: 1.50.
    assert {key.base_fact: amount for key, amount in found.items()} == {
        "P1": D("-3.00"),
        "P2": D("15.00"),
        "P3": D("1.50"),
    }


def test_what_was_stated_is_not_claimed_back_before_the_decision() -> None:
    facts: list[Fact] = [terms(share("15")), *sold(), paid("P1", "2026-02-02", "100.00 USD")]
    facts.append(issued(facts, "2026-02", "2026-03-01", date(2026, 3, 1)))
    facts.append(dispute("15.00 USD", "2026-03-02"))
    assert differences(facts, PARTIES, date(2026, 4, 1)) == {}
    facts.append(decided("upheld", "2026-03-10"))
    assert list(differences(facts, PARTIES, date(2026, 4, 1)).values()) == [D("-15.00")]


def test_an_open_dispute_keeps_its_amount_out_of_a_statement() -> None:
    facts: list[Fact] = [*disputed(), dispute("10.00 USD")]
    # 15.00 − 10.00 held, and 30.00.
    found = differences(facts, PARTIES, date(2026, 4, 1))
    assert list(found.values()) == [D("5.00"), D("30.00")]


def test_a_returned_payout_was_not_paid_and_a_mistyped_one_is_corrected() -> None:
    facts: list[Fact] = [terms(share("15")), *sold(), paid("P1", "2026-02-02", "100.00 USD")]
    facts.append(issued(facts, "S", "2026-03-01", date(2026, 3, 1)))
    payout = said(
        PayoutMade, "O", "2026-03-05", statement="S", to="north", amount=money("51.00 USD")
    )
    right = corrected(payout, replace(payout, amount=money("15.00 USD")), "2026-03-06")
    back = said(PayoutReturned, "B", "2026-03-07", payout="O")
    key = ("north", "USD")
    assert accounts([*facts, payout], PARTIES)[key].due == D("-36.00")
    assert accounts([*facts, payout, right], PARTIES)[key].due == 0
    assert accounts([*facts, payout, right, back], PARTIES)[key].due == D("15.00")


# 8 Arithmetic


def test_a_third_is_exact_until_it_is_rounded() -> None:
    facts: list[Fact] = [
        terms(share("4.5"), attribution="linear"),
        *sold(),
        touch("north", "acme", "2026-01-20"),
        touch("north", "acme", "2026-01-25"),
        paid("P1", "2026-02-02", "1.00 USD"),
    ]
    # 4.5 % of 1.00 by a third is exactly 0.015, half to even: 0.02.
    assert earned(facts) == D("0.02")


def test_the_largest_inputs_are_exact() -> None:
    facts = [terms(share("33.333333333")), *sold()]
    facts.append(paid("P1", "2026-02-02", "999999.123456789 USD"))
    # 999999.123456789 × 0.33333333333 = 333333.0411489296… → 333333.04
    assert earned(facts) == D("333333.04")


def test_a_line_names_each_step_that_made_it() -> None:
    tiered = share("10", tiers=(Tier(D(1000), D(20)),), window="year")
    facts = [terms(tiered), *sold(), paid("P1", "2026-02-02", "900.00 USD")]
    facts.append(paid("P2", "2026-03-02", "200.00 USD"))
    steps = dict(lines(facts)[1].steps)
    assert steps["remaining base"] == 200
    assert steps["counted before"] == 900
    assert steps["total before"] == 90
    # 10 % of 1,000 + 20 % of 100
    assert steps["total with it"] == 120
    assert steps["exchange rate"] == 1


def test_the_terms_of_a_day_are_asked_for_a_day() -> None:
    facts: list[TermsAgreed] = [terms(share("15")), amended(share("10"), first_day="2026-07-01")]
    found = terms_of(facts)
    shares = [
        item.share
        for day in (date(2026, 6, 30), date(2026, 7, 1))
        for item in found.items(day)
        if isinstance(item, RevenueShare)
    ]
    assert shares == [D(15), D(10)]
