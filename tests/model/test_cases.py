"""The cases of `tests/cases/` that are about money, as facts of the model."""

from dataclasses import replace
from datetime import date
from decimal import Decimal

from tests.model.facts import (
    Duration,
    Fact,
    FrozenLine,
    ReferralFee,
    RenewalAgreed,
    ReturnReversed,
    RevenueShare,
    StatementIssued,
    Subject,
    Tier,
    TouchClaimed,
)
from tests.model.statements import differences
from tests.model.telling import (
    PARTIES,
    amended,
    at,
    earned,
    money,
    paid,
    returned,
    said,
    settled,
    sold,
    terms,
    told,
)
from tests.model.terms import terms_of

SHARE = RevenueShare(to="north", share=Decimal(15))


def statement(name: str, when: str, base_fact: str, amount: str) -> StatementIssued:
    """A statement of one line of the deal D1."""
    subject = Subject("deal", "D1")
    line = FrozenLine(subject, base_fact, "revenue-share-1", "north", Decimal(amount), "USD")
    return said(StatementIssued, name, when, name=name, currency="USD", lines=(line,))


def test_m1_refunds_of_later_renewals_take_nothing_from_the_sale() -> None:
    share = replace(SHARE, share=Decimal(20), basis="first-year", trigger="sale")
    facts: list[Fact] = [terms(share), *sold(), paid("P1", "2026-02-01", "1200.00 USD")]
    facts.append(statement("2026-Q1", "2026-04-02", "win D1", "240.00"))
    for year in (2027, 2028):
        facts.append(paid(f"P{year}", f"{year}-02-01", "1200.00 USD"))
        facts.append(returned(f"P{year}", f"{year}-02-05", "1200.00 USD", provider_id=f"R{year}"))
    # 20 % of 1,200.00, and nothing owed back.
    assert told(facts) == ["2026-02-01 240.00"]
    assert differences(facts, PARTIES, date(2028, 4, 1)) == {}


def test_m2_a_full_refund_takes_the_flat_fee_back() -> None:
    fee = ReferralFee("north", money("100.00 USD"))
    facts = [terms(fee), *sold(), paid("P1", "2026-02-01", "1200.00 USD")]
    facts.append(returned("P1", "2026-02-03", "1200.00 USD"))
    assert told(facts) == ["2026-02-01 100.00", "2026-02-03 -100.00"]


def test_m4_a_touch_after_the_conversion_moves_no_credit() -> None:
    facts: list[Fact] = [
        terms(SHARE, attribution="last-touch"),
        *sold(),
        paid("P1", "2026-02-01", "1200.00 USD"),
        statement("2026-02", "2026-03-02", "P1", "180.00"),
    ]
    late = said(
        TouchClaimed, "t2", "2026-03-20", deal="D1", to="acme", touched_at=at("2026-03-15T10:00:00")
    )
    # 15 % of 1,200.00
    assert earned([*facts, late]) == Decimal("180.00")
    assert differences([*facts, late], PARTIES, date(2026, 4, 1)) == {}


def test_m5_an_amendment_of_the_notice_leaves_one_count_of_the_year() -> None:
    share = replace(
        SHARE,
        share=Decimal(10),
        tiers=(Tier(Decimal(10000), Decimal(20)),),
        window="year",
    )
    facts = [
        terms(share),
        *sold("20000.00 USD"),
        paid("P1", "2026-02-01", "10000.00 USD"),
        amended(share, when="2026-06-01", first_day="2026-07-01"),
        paid("P2", "2026-08-01", "10000.00 USD"),
    ]
    # 10 % of the first 10,000, 20 % of the second.
    assert told(facts) == ["2026-02-01 1000.00", "2026-08-01 2000.00"]


def test_m6_an_amendment_of_the_notice_leaves_one_cap_of_the_year() -> None:
    share = replace(SHARE, share=Decimal(10), cap=Decimal(1000), window="year")
    facts = [
        terms(share),
        *sold("20000.00 USD"),
        paid("P1", "2026-02-01", "20000.00 USD"),
        amended(share, when="2026-06-01", first_day="2026-07-01"),
        paid("P2", "2026-08-01", "20000.00 USD"),
    ]
    # 10 % of 20,000 is 2,000, capped at 1,000; nothing is left for August.
    assert told(facts) == ["2026-02-01 1000.00"]


def test_m7_a_currency_agreed_for_later_leaves_statements_of_now() -> None:
    facts = [
        terms(SHARE),
        *sold("1000.00 USD"),
        paid("P1", "2026-02-01", "1000.00 USD"),
        amended(SHARE, when="2026-03-20", first_day="2026-07-01", settles_in="EUR"),
    ]
    assert settled(facts) == ["2026-02 150.00 USD"]


def test_m10_a_second_loss_of_a_chargeback_under_one_id_is_on_record() -> None:
    facts = [
        terms(SHARE),
        *sold("1000.00 USD"),
        paid("P1", "2026-02-01", "1000.00 USD"),
        returned("P1", "2026-02-10", "1000.00 USD"),
        said(ReturnReversed, "won back", "2026-03-01", payment="P1", provider_id="dp_1"),
        returned("P1", "2026-03-20", "1000.00 USD"),
    ]
    assert told(facts)[-1] == "2026-03-20 -150.00"
    assert earned(facts) == 0


def test_m15_an_amendment_of_the_share_leaves_a_renewal() -> None:
    year = Duration(12)
    facts: list[Fact] = [
        terms(SHARE, duration=year),
        said(RenewalAgreed, "renewal", "2026-10-06", duration=year),
        *sold("1000.00 USD", when="2026-11-01"),
        amended(
            replace(SHARE, share=Decimal(12)),
            when="2027-02-10",
            first_day="2027-03-01",
            duration=year,
        ),
        paid("P2", "2027-03-10", "1000.00 USD"),
    ]
    assert terms_of(facts).end == date(2028, 1, 1)
    # 12 % of 1,000.00
    assert earned(facts) == Decimal("120.00")


def test_l1_renewals_from_the_31st_do_not_drift() -> None:
    month = Duration(1)
    facts: list[Fact] = [terms(SHARE, start="2026-01-31", first_day="2026-01-31", duration=month)]
    ends = [terms_of(facts).end]
    for day in ("2026-02-11", "2026-03-11", "2026-04-11"):
        facts.append(said(RenewalAgreed, f"renewal {day}", day, duration=month))
        ends.append(terms_of(facts).end)
    assert ends == [date(2026, 2, 28), date(2026, 3, 31), date(2026, 4, 30), date(2026, 5, 31)]


def test_o2_a_payment_earns_once_its_deal_is_referred_and_won() -> None:
    waiting = [terms(SHARE), paid("P1", "2026-02-03", "1000.00 USD")]
    assert told(waiting) == []
    # 15 % of 1,000.00, on the payment's day, though the deal was won later.
    assert told([*waiting, *sold(when="2026-02-10")]) == ["2026-02-03 150.00"]
