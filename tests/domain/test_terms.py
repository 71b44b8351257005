"""Commercial terms in words: every kind of economics has a sentence and a way of paying (C10)."""

from decimal import Decimal
from typing import get_args

import pytest
from pydantic import ValidationError

from domain.terms import (
    CostShare,
    Frame,
    FrameChange,
    Hybrid,
    Incentive,
    Item,
    ItemKind,
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
    named,
    payment,
    payment_of,
)
from tests.life import OURS, THEIRS, usd

HALF = Decimal(50)

SENTENCES: list[tuple[Item, str]] = [
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
            window="quarter",
            bonus_metric="leads",
            bonus_threshold=20,
        ),
        (
            f"{THEIRS} earns 1000 USD every month, and 500 USD more for each quarter with at "
            "least 20 leads"
        ),
    ),
    (
        CostShare(cost="advertising", shares={OURS: HALF, THEIRS: HALF}),
        f"costs of advertising are shared {OURS} 50 %, {THEIRS} 50 %",
    ),
    (
        Minimum(
            on=THEIRS,
            metric="leads",
            window="quarter",
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
    (
        Incentive(by=OURS, amount=usd("25")),
        f"{OURS} pays 25 USD for each referral of the other party",
    ),
]

OTHER_SENTENCES: list[tuple[Item, str]] = [
    (
        RevenueShare(
            to=THEIRS, share=Decimal(15), basis="months", months=18, trigger=Trigger.PAYMENT
        ),
        (
            f"{THEIRS} earns 15 % of the revenue of the first 18 months from each referred client, "
            "on each payment"
        ),
    ),
    (
        Minimum(
            on=THEIRS,
            metric="payments",
            currency="USD",
            window="year",
            at_least=5000,
            fee=usd("50"),
            per="window",
        ),
        f"{THEIRS} brings at least 5000 USD payments every year, or pays 50 USD",
    ),
]


@pytest.mark.parametrize(
    ("item", "sentence"), [*SENTENCES, *OTHER_SENTENCES], ids=lambda each: str(each)[:40]
)
def test_an_item_is_described_in_a_sentence(item: Item, sentence: str) -> None:
    assert describe(item) == sentence


def test_every_kind_of_economics_has_a_sentence() -> None:
    union, _ = get_args(Item)

    assert {type(item) for item, _ in SENTENCES} == set(get_args(union))
    assert {item.kind for item, _ in SENTENCES} == set(ItemKind)


@pytest.mark.parametrize("kind", ItemKind)
def test_terms_of_one_kind_pay_as_that_kind_does(kind: ItemKind) -> None:
    assert payment([kind]) is payment_of(kind)


@pytest.mark.parametrize(
    ("kinds", "paid"),
    [
        ((ItemKind.RETAINER, ItemKind.REVENUE_SHARE), Payment.BOTH),
        ((ItemKind.RETAINER, ItemKind.MINIMUM), Payment.FIXED),
        ((ItemKind.COST_SHARE, ItemKind.PENALTY), Payment.NEITHER),
        ((), Payment.NEITHER),
    ],
)
def test_several_kinds_pay_together(kinds: tuple[ItemKind, ...], paid: Payment) -> None:
    assert payment(kinds) is paid


def test_an_item_without_a_name_is_named_by_its_kind_and_its_place_among_its_kind() -> None:
    retainer = Retainer(to=THEIRS, fee=usd("1000"), every="P1M")
    share = RevenueShare(
        to=THEIRS, share=HALF, basis="all-payments", trigger=Trigger.PAYMENT, name="main"
    )
    other = share.model_copy(update={"name": None})

    names = [each.name for each in named([retainer, share, other, retainer])]

    assert names == ["retainer-1", "main", "revenue-share-2", "retainer-2"]


@pytest.mark.parametrize(
    ("field", "value", "detail"),
    [
        ("time_zone", "Berlin", "is not the name of a time zone"),
        ("time_zone", "localtime", "is not the name of a time zone"),
        ("time_zone", "Factory", "is not the name of a time zone"),
        ("settles_in", "eu", "is not a currency code of ISO 4217, or each"),
        ("tail_months", 1000, "less than or equal to 999"),
    ],
)
def test_a_frame_takes_known_time_zones_and_currencies(
    field: str, value: object, detail: str
) -> None:
    with pytest.raises(ValidationError, match=detail):
        FrameChange(**{field: value})


def test_a_change_of_the_frame_can_give_each_of_its_fields() -> None:
    assert list(FrameChange.model_fields) == list(Frame.model_fields)
    assert FrameChange().given() == {}
    assert FrameChange(notice="P1M", settles_in="EUR").given() == {
        "notice": "P1M",
        "settles_in": "EUR",
    }
