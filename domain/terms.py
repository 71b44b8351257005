"""Commercial terms: what is paid for what, for how long, and how a party leaves (C10, C11)."""

from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Literal, assert_never

from pydantic import Field

from domain.arithmetic import exact
from domain.attribution import AttributionPolicy, PolicyKind
from domain.calendar import Duration, Span, add, in_words, subtract
from domain.kernel import Refused, Value
from domain.metric_catalogue import known
from domain.rules import Window
from domain.times import LAST_YEAR
from domain.values import (
    Count,
    Currency,
    Day,
    Money,
    Percent,
    PositiveNumber,
    Slug,
    Text,
    plain,
)

HUNDRED = Decimal(100)

WINDOWS = {"P1M": "month", "P3M": "quarter", "P1Y": "year"}
"""The durations that are calendar periods, with the name of the period."""


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
    """What an item is paid on (C10)."""

    CLICK = "click"
    SALE = "sale"
    POST = "post"
    PAYMENT = "payment"


PaidOn = Literal[Trigger.SALE, Trigger.PAYMENT]
"""What a share is taken of: the annual value of a sale, or the amount of a payment."""


class Tier(Value):
    """A share of everything above an amount, up to the next tier."""

    above: PositiveNumber
    """The amount, in the currency of the payments; each currency is counted separately."""
    share: Percent
    """The share above the limit, in percent."""


class RevenueShare(Value):
    """A share of what a referred client pays (C10), such as 15 % of first-year revenue."""

    kind: Literal[EconomicsKind.REVENUE_SHARE] = EconomicsKind.REVENUE_SHARE
    """The kind of the item: a share of what a customer pays."""
    to: Slug
    """The party that earns the share."""
    share: Percent
    """The share up to the first tier, in percent."""
    basis: Literal["first-year", "all-payments"]
    """Whether only the client's first year counts, or every payment."""
    trigger: PaidOn
    """Whether a share is due on a sale or on each payment."""
    tiers: list[Tier] = []
    """The shares above certain amounts, in rising order."""
    cap: PositiveNumber | None = None
    """The most that is earned in a window, in the currency of the payments."""
    window: Literal["month", "quarter", "year"] = "year"
    """The window over which payments are added up for tiers and the cap."""

    @exact
    def earned(self, total: Decimal) -> Decimal:
        """Return what a total of payments in a window earns, before rounding."""
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
    """Joint revenue that is split between the parties (C10), such as 70/30."""

    kind: Literal[EconomicsKind.REVENUE_SPLIT] = EconomicsKind.REVENUE_SPLIT
    """The kind of the item: a split of joint revenue."""
    shares: dict[Slug, Percent]
    """Each party's share; they add up to 100."""
    trigger: PaidOn
    """Whether a share is due on a sale or on each payment."""


class ReferralFee(Value):
    """A fixed fee for each referral that signs or pays, or for each click or post (C10)."""

    kind: Literal[EconomicsKind.REFERRAL_FEE] = EconomicsKind.REFERRAL_FEE
    """The kind of the item: an amount for each referral."""
    to: Slug
    """The party that earns the fee."""
    fee: Money
    """What is paid for each referral."""
    trigger: Trigger
    """What the fee is paid for."""


class Retainer(Value):
    """A fixed fee for each period (C10)."""

    kind: Literal[EconomicsKind.RETAINER] = EconomicsKind.RETAINER
    """The kind of the item: an amount for each period."""
    to: Slug
    """The party that earns the fee."""
    fee: Money
    """What is paid for each period."""
    every: Span
    """The time from one fee to the next."""


class LicenceFee(Value):
    """A fee for the use of technology (C10)."""

    kind: Literal[EconomicsKind.LICENCE_FEE] = EconomicsKind.LICENCE_FEE
    """The kind of the item: an amount for the licence."""
    to: Slug
    """The party that earns the fee."""
    fee: Money
    """What is paid for each period."""
    every: Span
    """The time from one fee to the next."""


class Hybrid(Value):
    """A base fee and a performance bonus (C10)."""

    kind: Literal[EconomicsKind.HYBRID] = EconomicsKind.HYBRID
    """The kind of the item: a fee, with a bonus above a figure."""
    to: Slug
    """The party that earns both."""
    base: Money
    """What is paid for each period in any case."""
    every: Span
    """The time from one base fee to the next, and the window of the bonus."""
    bonus: Money
    """What is paid in addition to the base when the metric reaches the threshold in a window."""
    bonus_metric: Slug
    """The metric that decides the bonus."""
    bonus_threshold: Count
    """The figure at which the bonus is paid."""


class CostShare(Value):
    """Costs that both parties bear (C10)."""

    kind: Literal[EconomicsKind.COST_SHARE] = EconomicsKind.COST_SHARE
    """The kind of the item: a split of a cost."""
    cost: Text
    """What the costs are for. A shared cost names it in these words."""
    shares: dict[Slug, Percent]
    """Each party's share; they add up to 100."""


class Minimum(Value):
    """The least that a party brings in each window, and the fee for falling short (C10)."""

    kind: Literal[EconomicsKind.MINIMUM] = EconomicsKind.MINIMUM
    """The kind of the item: a minimum, and what is owed below it."""
    on: Slug
    """The party that pays."""
    metric: Slug
    """The metric that has the minimum."""
    window: Window
    """The period that is judged."""
    at_least: Count
    """The smallest number that is enough."""
    fee: Money
    """What is paid for a missed minimum, or for each one that is missing (`per`)."""
    per: Literal["window", "missing"]
    """Whether the fee is due once for a window, or for each unit that is missing."""


class Penalty(Value):
    """A fee for non-performance, due when the party concedes it (C10, `ConcedePenalty`)."""

    kind: Literal[EconomicsKind.PENALTY] = EconomicsKind.PENALTY
    """The kind of the item: an amount for a breach that a party concedes."""
    on: Slug
    """The party that pays."""
    condition: Text
    """When the penalty is due. A concession names it in these words."""
    fee: Money
    """What is paid when the condition is met."""


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
    """Return one item of the terms as a sentence: who earns, shares or owes what, when (C10)."""
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
    """Return how one kind of economics pays."""
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
    """Return how terms of these kinds pay together; terms of no kind pay neither way."""
    ways = {payment_of(kind) for kind in kinds} - {Payment.NEITHER}
    if len(ways) > 1:
        return Payment.BOTH
    return next(iter(ways), Payment.NEITHER)


class Cadence(Value):
    """How often reviews are held, by the kind of review (C13)."""

    operational: Literal["weekly", "biweekly", "monthly"] | None = None
    """How often operational reviews are held."""
    strategic: Literal["monthly", "quarterly"] | None = None
    """How often strategic reviews are held."""

    def spans(self) -> dict[str, Duration]:
        """Return the time between two reviews of each agreed kind."""
        return {kind: SPANS[every] for kind, every in self if every is not None}


SPANS = {"weekly": "P1W", "biweekly": "P2W", "monthly": "P1M", "quarterly": "P3M"}
"""Each cadence as a duration."""


class Assets(StrEnum):
    """What happens to shared assets at exit (C11)."""

    TRANSFER = "transfer"
    RETAIN = "retain"


class Terms(Value):
    """The commercial terms of a partnership (C10, C11)."""

    economics: Annotated[list[Economics], Field(min_length=1)]
    """What is paid for what."""
    minimum_referrals_per_quarter: Count | None = None
    """The number of referrals below which a quarter raises an alert."""
    starts_on: Day
    """The first day of the term."""
    duration: Span
    """The length of the term."""
    notice: Duration
    """How long before the end of the term a party must give notice."""
    renewal: Literal["mutual-consent"] = "mutual-consent"
    """How the term is renewed."""
    assets_at_exit: Assets
    """What happens to shared assets at the exit, unless the parties decide otherwise."""
    if_sales_double: Text | None = None
    """What the parties agree for the case that sales double."""
    cadence: Cadence | None = None
    """How often reviews are held. Without it no review is expected (C13)."""
    attribution: AttributionPolicy | None = None
    """How competing claims on a referral are decided. Without it both parties settle them (C18)."""
    settles_in: Currency | None = None
    """The currency of the statements, at each month's captured rate. Without it, each currency has
    statements of its own."""

    def ends_on(self) -> date:
        """Return the first day after the term (C11)."""
        return add(self.starts_on, self.duration)

    def last_notice_day(self) -> date:
        """Return the last day on which a party can give notice for the end of the term (C11)."""
        return subtract(self.ends_on(), self.notice)


def check(terms: Terms, parties: tuple[str, ...]) -> None:
    """Raise `Refused` if terms name others than the parties, or are inconsistent."""
    for item in terms.economics:
        _check_item(item, parties)
    if terms.attribution is not None:
        _check_attribution(terms.attribution, parties)
    check_end(terms.ends_on())
    if terms.last_notice_day() < terms.starts_on:
        raise Refused(
            "notice-exceeds-duration",
            "The notice cannot be longer than the term. The notice is "
            f"{in_words(terms.notice)}, the term {in_words(terms.duration)}.",
            "Propose a longer duration or a shorter notice.",
        )


def check_end(ends_on: date) -> None:
    """Raise `Refused` if a term ends after the last year of days."""
    if ends_on.year > LAST_YEAR:
        raise Refused(
            "term-too-long",
            f"A term must end by the year {LAST_YEAR}. This one would end on {ends_on}.",
            "Propose a shorter duration.",
        )


def _check_item(item: Economics, parties: tuple[str, ...]) -> None:
    match item:
        case RevenueSplit() | CostShare():
            check_shares(item.shares, parties)
        case Penalty():
            check_parties([item.on], parties)
        case Minimum():
            check_parties([item.on], parties)
            known(item.metric)
        case Hybrid():
            check_parties([item.to], parties)
            known(item.bonus_metric)
            if item.every not in WINDOWS:
                raise Refused(
                    "bonus-window",
                    "A bonus needs a calendar period to be judged on. This one is paid every "
                    f"{item.every}.",
                    f"Use one of these: {', '.join(WINDOWS)}.",
                )
        case RevenueShare():
            check_parties([item.to], parties)
            _check_tiers(item)
        case ReferralFee() | Retainer() | LicenceFee():
            check_parties([item.to], parties)
        case _:
            assert_never(item)


def _check_tiers(item: RevenueShare) -> None:
    limits = [each.above for each in item.tiers]
    if limits != sorted(set(limits)):
        raise Refused(
            "tiers-in-order",
            f"Tiers must be in rising order. These begin above {', '.join(map(plain, limits))}.",
            "Give each tier a higher amount than the one before it.",
        )


def _check_attribution(policy: AttributionPolicy, parties: tuple[str, ...]) -> None:
    split = policy.kind is PolicyKind.SPLIT
    if split is not (policy.weights is not None):
        raise Refused(
            "weights-of-a-split",
            f"Only the policy split has weights, and it needs them. The policy {policy.kind} was "
            f"given {'without' if split else 'with'} weights.",
            "Give weights with the policy split only.",
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
            f"Shares must add up to 100. These are {total}.",
            "Give shares that add up to 100.",
            shares={party: plain(share) for party, share in shares.items()},
        )


def check_parties(named: list[str] | dict[str, Decimal], parties: tuple[str, ...]) -> None:
    """Raise `Refused` if one of the names is not a party of the partnership."""
    strangers = [party for party in named if party not in parties]
    if strangers:
        raise Refused(
            "unknown-party",
            f"Only the parties of the partnership can be named, not {', '.join(strangers)}.",
            f"Use {' or '.join(parties)}.",
        )
