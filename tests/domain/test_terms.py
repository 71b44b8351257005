"""Commercial terms in words: every kind of economics has a sentence and a way of paying (C10)."""

from decimal import Decimal
from typing import get_args

import pytest

from domain.rules import Window
from domain.terms import (
    CostShare,
    Economics,
    EconomicsKind,
    Hybrid,
    LicenceFee,
    Minimum,
    Payment,
    Penalty,
    ReferralFee,
    Retainer,
    RevenueShare,
    RevenueSplit,
    Tier,
    Trigger,
    describe,
    payment,
    payment_of,
)
from tests.life import OURS, THEIRS, usd

HALF = Decimal(50)

SENTENCES: list[tuple[Economics, str]] = [
    (
        RevenueShare(to=THEIRS, share=Decimal(15), basis="first-year", trigger=Trigger.PAYMENT),
        f"{THEIRS} earns 15 % of the first-year revenue from each referred client, on each payment",
    ),
    (
        RevenueShare(
            to=THEIRS,
            share=Decimal(10),
            basis="all-payments",
            trigger=Trigger.SALE,
            tiers=[Tier(above=Decimal(10_000), share=Decimal(20))],
            cap=Decimal(5_000),
            window="quarter",
        ),
        (
            f"{THEIRS} earns 10 % of all revenue from each referred client, 20 % above 10000, at "
            "most 5000 a quarter, on each sale"
        ),
    ),
    (
        RevenueSplit(shares={OURS: Decimal(70), THEIRS: Decimal(30)}, trigger=Trigger.PAYMENT),
        f"joint revenue is split {OURS} 70 %, {THEIRS} 30 %, on each payment",
    ),
    (
        ReferralFee(to=THEIRS, fee=usd("100"), trigger=Trigger.SALE),
        f"{THEIRS} earns 100 USD for each referral that signs",
    ),
    (
        Retainer(to=THEIRS, fee=usd("1000"), every="P1M"),
        f"{THEIRS} earns a retainer of 1000 USD every month",
    ),
    (
        LicenceFee(to=OURS, fee=usd("500"), every="P3M"),
        f"{OURS} earns a licence fee of 500 USD every 3 months",
    ),
    (
        Hybrid(
            to=THEIRS,
            base=usd("1000"),
            every="P1M",
            bonus=usd("500"),
            bonus_metric="leads",
            bonus_threshold=20,
        ),
        f"{THEIRS} earns 1000 USD every month, and 500 USD more when leads reaches 20 in that time",
    ),
    (
        CostShare(cost="advertising", shares={OURS: HALF, THEIRS: HALF}),
        f"costs of advertising are shared {OURS} 50 %, {THEIRS} 50 %",
    ),
    (
        Minimum(
            on=THEIRS,
            metric="leads",
            window=Window.QUARTER,
            at_least=10,
            fee=usd("50"),
            per="missing",
        ),
        f"{THEIRS} brings at least 10 leads every quarter, or pays 50 USD for each one missing",
    ),
    (
        Penalty(on=THEIRS, condition="delivery more than 10 days late", fee=usd("500")),
        f"{THEIRS} pays a penalty of 500 USD on this condition: delivery more than 10 days late",
    ),
]


@pytest.mark.parametrize(("item", "sentence"), SENTENCES, ids=lambda each: str(each)[:40])
def test_an_item_is_described_in_a_sentence(item: Economics, sentence: str) -> None:
    assert describe(item) == sentence


def test_every_kind_of_economics_has_a_sentence() -> None:
    union, _ = get_args(Economics)

    assert {type(item) for item, _ in SENTENCES} == set(get_args(union))
    assert {item.kind for item, _ in SENTENCES} == set(EconomicsKind)


@pytest.mark.parametrize("kind", EconomicsKind)
def test_terms_of_one_kind_pay_as_that_kind_does(kind: EconomicsKind) -> None:
    assert payment([kind]) is payment_of(kind)


@pytest.mark.parametrize(
    ("kinds", "paid"),
    [
        ((EconomicsKind.RETAINER, EconomicsKind.REVENUE_SHARE), Payment.BOTH),
        ((EconomicsKind.RETAINER, EconomicsKind.MINIMUM), Payment.FIXED),
        ((EconomicsKind.COST_SHARE, EconomicsKind.PENALTY), Payment.NEITHER),
        ((), Payment.NEITHER),
    ],
)
def test_several_kinds_pay_together(kinds: tuple[EconomicsKind, ...], paid: Payment) -> None:
    assert payment(kinds) is paid
