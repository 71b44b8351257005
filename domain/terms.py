"""Commercial terms: what is paid for what, for how long, and how one leaves (C10, C11)."""

from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Literal, assert_never

from pydantic import Field

from domain.attribution import AttributionPolicy, PolicyKind
from domain.calendar import Duration, Span, add, in_words, subtract
from domain.kernel import Refused, Value
from domain.metric_catalogue import CATALOGUE
from domain.rules import Window
from domain.values import Count, Currency, Day, Money, Number, Percent, Slug, Text, plain

HUNDRED = Decimal(100)

WINDOWS = {"P1M": "month", "P3M": "quarter", "P1Y": "year"}
"""Durations that are periods of the calendar, which close."""


class EconomicsKind(StrEnum):
    """The kinds of economics (C10). `describe` has the words of each."""

    REVENUE_SHARE = "revenue-share"
    REVENUE_SPLIT = "revenue-split"
    REFERRAL_FEE = "referral-fee"
    RETAINER = "retainer"
    LICENCE_FEE = "licence-fee"
    HYBRID = "hybrid"
    COST_SHARE = "cost-share"
    MINIMUM = "minimum"
    PENALTY = "penalty"


class Trigger(StrEnum):
    """What makes a payment due (C10)."""

    CLICK = "click"
    SALE = "sale"
    POST = "post"
    PAYMENT = "payment"


PaidOn = Literal[Trigger.SALE, Trigger.PAYMENT]
"""What brings an amount to share: a sale its annual value, a payment what was paid."""


class Tier(Value):
    """Another share of all that is beyond an amount, so that tiers have neither gap nor overlap."""

    above: Annotated[Number, Field(gt=0)]
    """In the currency of the payments, each currency by itself."""
    share: Percent


class RevenueShare(Value):
    """A share of what a referred client pays (C10): 15 % of first-year subscription revenue."""

    kind: Literal[EconomicsKind.REVENUE_SHARE] = EconomicsKind.REVENUE_SHARE
    to: Slug
    """The party that earns the share."""
    share: Percent
    basis: Literal["first-year", "all-payments"]
    trigger: PaidOn
    tiers: list[Tier] = []
    """Shares beyond the first amount, in rising order; `share` holds below."""
    cap: Annotated[Number, Field(gt=0)] | None = None
    """The most that is earned within a window, in the currency of the payments."""
    window: Literal["month", "quarter", "year"] = "year"
    """The time over which payments are added up for tiers and cap."""

    def earned(self, total: Decimal) -> Decimal:
        """Give what a total of payments within a window earns, exactly, before rounding."""
        limits = [Decimal(0), *(each.above for each in self.tiers)]
        shares = [self.share, *(each.share for each in self.tiers)]
        ends = [*limits[1:], max(total, limits[-1])]
        earned = sum(
            (
                (min(total, end) - start) * share
                for start, end, share in zip(limits, ends, shares, strict=True)
                if total > start or start == 0
            ),
            Decimal(0),
        )
        return min(earned / HUNDRED, self.cap) if self.cap is not None else earned / HUNDRED


class RevenueSplit(Value):
    """Joint revenue split between the parties (C10): 70/30, 60/40. Shares add up to 100."""

    kind: Literal[EconomicsKind.REVENUE_SPLIT] = EconomicsKind.REVENUE_SPLIT
    shares: dict[Slug, Percent]
    trigger: PaidOn


class ReferralFee(Value):
    """A fixed fee for each referral that signs or pays, or for each click or post (C10)."""

    kind: Literal[EconomicsKind.REFERRAL_FEE] = EconomicsKind.REFERRAL_FEE
    to: Slug
    fee: Money
    trigger: Trigger


class Retainer(Value):
    """A fixed fee for each period (C10)."""

    kind: Literal[EconomicsKind.RETAINER] = EconomicsKind.RETAINER
    to: Slug
    fee: Money
    every: Span


class LicenceFee(Value):
    """A fee for the use of technology (C10)."""

    kind: Literal[EconomicsKind.LICENCE_FEE] = EconomicsKind.LICENCE_FEE
    to: Slug
    fee: Money
    every: Span


class Hybrid(Value):
    """A base fee and a bonus on performance (C10)."""

    kind: Literal[EconomicsKind.HYBRID] = EconomicsKind.HYBRID
    to: Slug
    base: Money
    every: Span
    bonus: Money
    bonus_metric: Slug
    bonus_threshold: Count


class CostShare(Value):
    """Costs borne by both (C10). Shares add up to 100."""

    kind: Literal[EconomicsKind.COST_SHARE] = EconomicsKind.COST_SHARE
    cost: Text
    shares: dict[Slug, Percent]


class Minimum(Value):
    """What a party brings at least in each window, and what falling short costs it (C10)."""

    kind: Literal[EconomicsKind.MINIMUM] = EconomicsKind.MINIMUM
    on: Slug
    """The party that pays."""
    metric: Slug
    window: Window
    at_least: Count
    fee: Money
    per: Literal["window", "missing"]
    """Whether the fee is due once for a window, or for each that is missing."""


class Penalty(Value):
    """What non-performance costs, once its party concedes it (C10, `ConcedePenalty`)."""

    kind: Literal[EconomicsKind.PENALTY] = EconomicsKind.PENALTY
    on: Slug
    """The party that pays it."""
    condition: Text
    fee: Money


Economics = Annotated[
    RevenueShare
    | RevenueSplit
    | ReferralFee
    | Retainer
    | LicenceFee
    | Hybrid
    | CostShare
    | Minimum
    | Penalty,
    Field(discriminator="kind"),
]


def describe(item: Economics) -> str:
    """Give one item of the terms as a sentence: who earns, shares or owes what, and when (C10)."""
    match item:
        case RevenueShare():
            return _describe_share(item)
        case RevenueSplit():
            return f"joint revenue is split {_shares(item.shares)}, on each {item.trigger}"
        case ReferralFee():
            return f"{item.to} earns {item.fee} for each {_EARNS_A_FEE[item.trigger]}"
        case Retainer():
            return f"{item.to} earns a retainer of {item.fee} every {_each(item.every)}"
        case LicenceFee():
            return f"{item.to} earns a licence fee of {item.fee} every {_each(item.every)}"
        case Hybrid():
            return (
                f"{item.to} earns {item.base} every {_each(item.every)}, and {item.bonus} more "
                f"when {item.bonus_metric} reaches {item.bonus_threshold} in that time"
            )
        case CostShare():
            return f"costs of {item.cost} are shared {_shares(item.shares)}"
        case Minimum():
            each = " for each one missing" if item.per == "missing" else ""
            return (
                f"{item.on} brings at least {item.at_least} {item.metric} every {item.window}, "
                f"or pays {item.fee}{each}"
            )
        case Penalty():
            return f"{item.on} pays a penalty of {item.fee} on this condition: {item.condition}"
        case _:
            assert_never(item)


_EARNS_A_FEE = {
    Trigger.CLICK: "click",
    Trigger.SALE: "referral that signs",
    Trigger.POST: "post",
    Trigger.PAYMENT: "referral that pays",
}


def _each(span: str) -> str:
    return in_words(span).removeprefix("1 ")


def _describe_share(item: RevenueShare) -> str:
    revenue = "the first-year" if item.basis == "first-year" else "all"
    tiers = "".join(f", {plain(each.share)} % above {plain(each.above)}" for each in item.tiers)
    cap = f", at most {plain(item.cap)}" if item.cap is not None else ""
    window = f" a {item.window}" if item.tiers or item.cap is not None else ""
    return (
        f"{item.to} earns {plain(item.share)} % of {revenue} revenue from each referred client"
        f"{tiers}{cap}{window}, on each {item.trigger}"
    )


def _shares(shares: dict[str, Decimal]) -> str:
    return ", ".join(f"{party} {plain(share)} %" for party, share in shares.items())


class Payment(StrEnum):
    """How terms pay: a fixed amount in any case, or by result (C28)."""

    FIXED = "fixed"
    BY_RESULT = "by-result"
    BOTH = "both"
    NEITHER = "neither"
    """Nobody earns: costs are shared, or a shortfall is paid for."""


def payment_of(kind: EconomicsKind) -> Payment:
    """Give how one kind of economics pays."""
    match kind:
        case EconomicsKind.RETAINER | EconomicsKind.LICENCE_FEE:
            return Payment.FIXED
        case EconomicsKind.REVENUE_SHARE | EconomicsKind.REVENUE_SPLIT | EconomicsKind.REFERRAL_FEE:
            return Payment.BY_RESULT
        case EconomicsKind.HYBRID:
            return Payment.BOTH
        case EconomicsKind.COST_SHARE | EconomicsKind.MINIMUM | EconomicsKind.PENALTY:
            return Payment.NEITHER
        case _:
            assert_never(kind)


def payment(kinds: Iterable[EconomicsKind]) -> Payment:
    """Give how terms of these kinds pay together; terms of no kind pay neither way."""
    ways = {payment_of(kind) for kind in kinds} - {Payment.NEITHER}
    if len(ways) > 1:
        return Payment.BOTH
    return next(iter(ways), Payment.NEITHER)


class Cadence(Value):
    """How often both meet, by the kind of review (C13)."""

    operational: Literal["weekly", "biweekly", "monthly"] | None = None
    strategic: Literal["monthly", "quarterly"] | None = None

    def spans(self) -> dict[str, Duration]:
        """Give the duration within which each agreed kind of review is held."""
        return {kind: SPANS[every] for kind, every in self if every is not None}


SPANS = {"weekly": "P1W", "biweekly": "P2W", "monthly": "P1M", "quarterly": "P3M"}
"""Each cadence as a duration."""


class Assets(StrEnum):
    """What becomes of shared assets at exit (C11)."""

    TRANSFER = "transfer"
    RETAIN = "retain"


class Terms(Value):
    """What both parties commit to (C10, C11)."""

    economics: Annotated[list[Economics], Field(min_length=1)]
    minimum_referrals_per_quarter: Count | None = None
    starts_on: Day
    duration: Span
    notice: Duration
    renewal: Literal["mutual-consent"] = "mutual-consent"
    assets_at_exit: Assets
    if_sales_double: Text | None = None
    cadence: Cadence | None = None
    """How often reviews are held; without it none is expected (C13)."""
    attribution: AttributionPolicy | None = None
    """How competing claims on a referral are weighed; without it they are a conflict (C18)."""
    settles_in: Currency | None = None
    """The currency of the statements, at each month's captured rate; else each by itself."""

    def ends_on(self) -> date:
        """Give the first day on which these terms no longer hold (C11)."""
        return add(self.starts_on, self.duration)

    def last_notice_day(self) -> date:
        """Give the last day on which notice still ends them on time (C11)."""
        return subtract(self.ends_on(), self.notice)


def check(terms: Terms, parties: tuple[str, ...]) -> None:
    """Raise `Refused` where terms name strangers, do not add up, or leave no time for notice."""
    for item in terms.economics:
        _check_item(item, parties)
    if terms.attribution is not None:
        _check_attribution(terms.attribution, parties)
    if terms.last_notice_day() < terms.starts_on:
        raise Refused(
            "notice-exceeds-duration",
            f"A notice of {terms.notice} does not fit into a duration of {terms.duration}.",
            "Agree a longer duration or a shorter notice.",
        )


def _check_item(item: Economics, parties: tuple[str, ...]) -> None:
    match item:
        case RevenueSplit() | CostShare():
            check_shares(item.shares, parties)
        case Penalty():
            check_parties([item.on], parties)
        case Minimum():
            check_parties([item.on], parties)
            _check_metric(item.metric)
        case Hybrid():
            check_parties([item.to], parties)
            _check_metric(item.bonus_metric)
            if item.every not in WINDOWS:
                raise Refused(
                    "bonus-window",
                    f"A bonus each {item.every} looks at no period that closes.",
                    f"Pay it every {', '.join(WINDOWS)}.",
                )
        case RevenueShare():
            check_parties([item.to], parties)
            _check_tiers(item)
        case ReferralFee() | Retainer() | LicenceFee():
            check_parties([item.to], parties)
        case _:
            assert_never(item)


def _check_metric(metric: str) -> None:
    if metric not in CATALOGUE:
        raise Refused(
            "unknown-metric",
            f"Terms cannot rest on {metric}: the catalogue of metrics does not have it.",
            "Name a metric of the catalogue (accord schema --metrics lists them).",
        )


def _check_tiers(item: RevenueShare) -> None:
    limits = [each.above for each in item.tiers]
    if limits != sorted(set(limits)):
        raise Refused(
            "tiers-in-order",
            f"The tiers begin above {', '.join(map(plain, limits))}.",
            "Give each tier a higher beginning than the one before it.",
        )


def _check_attribution(policy: AttributionPolicy, parties: tuple[str, ...]) -> None:
    split = policy.kind is PolicyKind.SPLIT
    if split is not (policy.weights is not None):
        raise Refused(
            "weights-of-a-split",
            f"A policy of {policy.kind} comes {'without' if split else 'with'} weights.",
            "Give weights to a split, and to no other policy.",
        )
    if policy.weights is not None:
        check_shares(policy.weights, parties)


def check_shares(shares: dict[str, Decimal], parties: tuple[str, ...]) -> None:
    """Raise `Refused` unless the shares name the parties and add up to 100 (C10, C26)."""
    check_parties(shares, parties)
    if sum(shares.values()) != HUNDRED:
        total = "+".join(plain(share) for share in shares.values())
        raise Refused(
            "splits-add-up",
            f"The shares {total} do not add up to 100.",
            "Give shares that add up to 100 %.",
            shares={party: plain(share) for party, share in shares.items()},
        )


def check_parties(named: list[str] | dict[str, Decimal], parties: tuple[str, ...]) -> None:
    """Raise `Refused` where somebody outside the partnership is named."""
    strangers = [party for party in named if party not in parties]
    if strangers:
        raise Refused(
            "unknown-party",
            f"{', '.join(strangers)} is no party of this partnership.",
            f"Name {' or '.join(parties)}.",
        )
