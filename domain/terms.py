"""Commercial terms: the items (what is paid for what) and the frame of an agreement (C10, C11).

An amendment changes the frame, the items or both. `terms_by_day` says which apply on a day.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal
from enum import StrEnum
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, assert_never
from zoneinfo import available_timezones

from pydantic import AfterValidator, Field, WithJsonSchema, create_model

from domain.attribution import AttributionPolicy, PolicyKind
from domain.calendar import Duration, Span, add, in_words, subtract
from domain.claims import ClaimKind
from domain.escalation import DOCUMENTED, Escalation
from domain.kernel import Refused, Value
from domain.metric_catalogue import MeasuredBy, check_threshold, metric_words
from domain.times import LAST_YEAR
from domain.values import (
    MINOR_UNITS,
    Count,
    Currency,
    Day,
    Money,
    Percent,
    PositiveMoney,
    PositiveNumber,
    Slug,
    Text,
    name_words,
    plain,
)
from domain.wording import wrong

HUNDRED = Decimal(100)

Months = Annotated[int, Field(ge=0, le=999)]
"""A number of months, as many as a duration can have."""

WindowLength = Literal["month", "quarter", "year"]
"""The calendar periods over which an item adds up or counts."""


class ItemKind(StrEnum):
    """The kinds of items (C10). `describe` has the words of each."""

    REVENUE_SHARE = "revenue-share"
    REVENUE_SPLIT = "revenue-split"
    REFERRAL_FEE = "referral-fee"
    RETAINER = "retainer"
    LICENCE_FEE = "licence-fee"
    HYBRID = "hybrid"
    COST_SHARE = "cost-share"
    MINIMUM = "minimum"
    PENALTY = "penalty"
    INCENTIVE = "incentive"


class Trigger(StrEnum):
    """What an item is paid on (C10)."""

    CLICK = "click"
    SALE = "sale"
    POST = "post"
    PAYMENT = "payment"
    JOINT_REVENUE = "joint-revenue"


class _Item(Value):
    """What all items have."""

    name: Slug | None = None
    """The name of the item. Default: its kind and its place among the items of its kind, as in
    revenue-share-1. Tiers, caps, minimums and bonuses are counted for a name."""


PaidOn = Literal[Trigger.SALE, Trigger.PAYMENT]
"""What a share is taken of: the annual value of a sale, or the amount of a payment."""


class Tier(Value):
    """A share of everything above an amount, up to the next tier."""

    above: PositiveNumber
    """The amount, in the currency of the payments; each currency is counted separately."""
    share: Percent
    """The share above the limit, in percent."""


class RevenueShare(_Item):
    """A share of what a referred client pays (C10), such as 15 % of first-year revenue."""

    kind: Literal[ItemKind.REVENUE_SHARE] = ItemKind.REVENUE_SHARE
    """The kind of the item: a share of what a customer pays."""
    to: Slug
    """The party that earns the share."""
    share: Percent
    """The share up to the first tier, in percent."""
    basis: Literal["first-year", "months", "all-payments"]
    """Which payments count: those of the client's first year, of a number of months, or all."""
    months: Months = 0
    """How many months from the win count, if the basis is months."""
    trigger: PaidOn
    """Whether a share is due on a sale or on each payment."""
    tiers: list[Tier] = []
    """The shares above certain amounts, in rising order."""
    cap: PositiveNumber | None = None
    """The most that is earned in a window, in the currency of the payments."""
    window: WindowLength = "year"
    """The window over which payments are added up for tiers and the cap."""


class RevenueSplit(_Item):
    """Joint revenue that is split between the parties (C10), such as 70/30."""

    kind: Literal[ItemKind.REVENUE_SPLIT] = ItemKind.REVENUE_SPLIT
    """The kind of the item: a split of joint revenue."""
    shares: dict[Slug, Percent]
    """Each party's share; they add up to 100."""
    trigger: Literal[Trigger.SALE, Trigger.PAYMENT, Trigger.JOINT_REVENUE]
    """What is split: the annual value of a sale, each payment, or what an entry records as joint
    revenue."""


class ReferralFee(_Item):
    """A fixed fee for each referral that signs or pays, or for each click or post (C10)."""

    kind: Literal[ItemKind.REFERRAL_FEE] = ItemKind.REFERRAL_FEE
    """The kind of the item: an amount for each referral."""
    to: Slug
    """The party that earns the fee."""
    fee: Money
    """What is paid for each referral."""
    trigger: Literal[Trigger.SALE, Trigger.PAYMENT, Trigger.CLICK, Trigger.POST]
    """What the fee is paid for."""
    source: Slug | None = None
    """For clicks and posts: the tool whose figures count."""


class Retainer(_Item):
    """A fixed fee for each period (C10)."""

    kind: Literal[ItemKind.RETAINER] = ItemKind.RETAINER
    """The kind of the item: an amount for each period."""
    to: Slug
    """The party that earns the fee."""
    fee: Money
    """What is paid for each period."""
    every: Span
    """The time from one fee to the next."""


class LicenceFee(_Item):
    """A fee for the use of technology (C10)."""

    kind: Literal[ItemKind.LICENCE_FEE] = ItemKind.LICENCE_FEE
    """The kind of the item: an amount for the licence."""
    to: Slug
    """The party that earns the fee."""
    fee: Money
    """What is paid for each period."""
    every: Span
    """The time from one fee to the next."""


class Hybrid(_Item):
    """A base fee and a performance bonus (C10)."""

    kind: Literal[ItemKind.HYBRID] = ItemKind.HYBRID
    """The kind of the item: a fee, with a bonus above a figure."""
    to: Slug
    """The party that earns both."""
    base: Money
    """What is paid for each period in any case."""
    every: Span
    """The time from one base fee to the next."""
    bonus: Money
    """What is paid in addition to the base when the metric reaches the threshold in a window."""
    window: WindowLength
    """The window of the bonus."""
    bonus_metric: Slug
    """The metric that decides the bonus: one of which more is better."""
    bonus_threshold: Count
    """The figure at which the bonus is paid."""
    currency: Currency | None = None
    """The currency of the threshold, where the metric is money."""
    source: Slug | None = None
    """The tool whose figures count, where they are reported."""
    measured: MeasuredBy = "count"
    """Whether what the deals show is counted, or the reported figure decides."""


class CostShare(_Item):
    """Costs that both parties bear (C10)."""

    kind: Literal[ItemKind.COST_SHARE] = ItemKind.COST_SHARE
    """The kind of the item: a split of a cost."""
    cost: Text
    """What the costs are for. A shared cost names it in these words."""
    shares: dict[Slug, Percent]
    """Each party's share; they add up to 100."""


class Minimum(_Item):
    """The least that a party brings in each window, and the fee for falling short (C10)."""

    kind: Literal[ItemKind.MINIMUM] = ItemKind.MINIMUM
    """The kind of the item: a minimum, and what is owed below it."""
    on: Slug
    """The party that pays."""
    metric: Slug
    """The metric that has the minimum: one of which more is better."""
    window: WindowLength
    """The period that is judged."""
    at_least: Count
    """The smallest number that is enough."""
    currency: Currency | None = None
    """The currency of that number, where the metric is money."""
    source: Slug | None = None
    """The tool whose figures count, where they are reported."""
    measured: MeasuredBy = "count"
    """Whether what the deals show is counted, or the reported figure decides."""
    fee: Money
    """What is paid for a missed minimum, or for each one that is missing (`per`)."""
    per: Literal["window", "missing"]
    """Whether the fee is due once for a window, or for each unit that is missing."""


class Penalty(_Item):
    """A fee for non-performance, due when the party concedes it (C10, `ConcedePenalty`)."""

    kind: Literal[ItemKind.PENALTY] = ItemKind.PENALTY
    """The kind of the item: an amount for a breach that a party concedes."""
    on: Slug
    """The party that pays."""
    condition: Text
    """When the penalty is due. A concession names it in these words."""
    fee: Money
    """What is paid when the condition is met."""


class Incentive(_Item):
    """A fixed amount for each referral of the other party (C23)."""

    kind: Literal[ItemKind.INCENTIVE] = ItemKind.INCENTIVE
    """The kind of the item: an amount for each referral of the other party."""
    by: Slug
    """The party that offers the incentive and pays."""
    amount: Money
    """What is paid for each referral."""


Item = Annotated[
    RevenueShare
    | RevenueSplit
    | ReferralFee
    | Retainer
    | LicenceFee
    | Hybrid
    | CostShare
    | Minimum
    | Penalty
    | Incentive,
    Field(discriminator="kind"),
]


def named(items: Iterable[Item]) -> tuple[Item, ...]:
    """Return items with their names: one without is named by its kind and its place in it.

    Places are counted for each kind, so an item of another kind in front renames nothing.
    """
    places: Counter[ItemKind] = Counter()
    found = []
    for item in items:
        places[item.kind] += 1
        made = f"{item.kind}-{places[item.kind]}"
        found.append(item if item.name else item.model_copy(update={"name": made}))
    return tuple(found)


def restarted(before: Iterable[Item], after: Iterable[Item]) -> list[str]:
    """Return, in words, the counts that start anew under other items.

    A count belongs to the name of an item and the length of its window, so another length starts a
    new one (docs/settlement.md, Items).
    """
    lengths = {item.name: length for item in named(before) if (length := _counted_by(item))}
    return [
        f"the count of {item.name} starts anew, by {length} and no longer by {lengths[item.name]}"
        for item in named(after)
        if (length := _counted_by(item)) and lengths.get(item.name, length) != length
    ]


def _counted_by(item: Item) -> str | None:
    """Return the length of the window that an item counts by; None if it counts nothing."""
    match item:
        case RevenueShare():
            return item.window if item.tiers or item.cap is not None else None
        case Hybrid() | Minimum():
            return item.window
        case _:
            return None


def describe(item: Item) -> str:
    """Return one item of the terms as a sentence: who earns, shares or owes what, when (C10)."""
    match item:
        case RevenueShare():
            return _describe_share(item)
        case RevenueSplit():
            return (
                f"joint revenue is split {shares_words(item.shares)}, on each {_on(item.trigger)}"
            )
        case ReferralFee():
            return f"{item.to} earns {item.fee} for each {_EARNS_A_FEE[item.trigger]}"
        case Retainer():
            return f"{item.to} earns a retainer of {item.fee} every {_each(item.every)}"
        case LicenceFee():
            return f"{item.to} earns a licence fee of {item.fee} every {_each(item.every)}"
        case Hybrid():
            return (
                f"{item.to} earns {item.base} every {_each(item.every)}, and {item.bonus} more "
                f"for each {item.window} with at least "
                f"{_amount(item.bonus_threshold, item.currency)} {metric_words(item.bonus_metric)}"
            )
        case CostShare():
            return f"costs of {item.cost} are shared {shares_words(item.shares)}"
        case Minimum():
            each = " for each one missing" if item.per == "missing" else ""
            return (
                f"{item.on} brings at least {_amount(item.at_least, item.currency)} "
                f"{metric_words(item.metric)} every {item.window}, or pays {item.fee}{each}"
            )
        case Penalty():
            return f"{item.on} pays a penalty of {item.fee} on this condition: {item.condition}"
        case Incentive():
            return f"{item.by} pays {item.amount} for each referral of the other party"
        case _:
            assert_never(item)


_EARNS_A_FEE = {
    Trigger.CLICK: "click",
    Trigger.SALE: "referral that signs",
    Trigger.POST: "post",
    Trigger.PAYMENT: "referral that pays",
}


def _on(trigger: Trigger) -> str:
    return "receipt of joint revenue" if trigger is Trigger.JOINT_REVENUE else trigger


def _amount(number: int, currency: str | None) -> str:
    return f"{number} {currency}" if currency else str(number)


def _each(span: str) -> str:
    return in_words(span).removeprefix("1 ")


def _describe_share(item: RevenueShare) -> str:
    match item.basis:
        case "first-year":
            revenue = "the first-year revenue"
        case "months":
            revenue = f"the revenue of the first {in_words(f'P{item.months}M')}"
        case "all-payments":
            revenue = "all revenue"
        case _:
            assert_never(item.basis)
    tiers = "".join(f", {plain(each.share)} % above {plain(each.above)}" for each in item.tiers)
    cap = f", at most {plain(item.cap)}" if item.cap is not None else ""
    window = f" a {item.window}" if item.tiers or item.cap is not None else ""
    return (
        f"{item.to} earns {plain(item.share)} % of {revenue} from each referred client"
        f"{tiers}{cap}{window}, on each {_on(item.trigger)}"
    )


def shares_words(shares: Mapping[str, Decimal]) -> str:
    """Return the share of each party: ``acme 60 %, north 40 %``."""
    return ", ".join(f"{party} {plain(share)} %" for party, share in shares.items())


_OF_THE_FRAME: Final = {
    "starts_on": "start",
    "due_days": "days until a statement is due",
    "settles_in": "currency of statements",
    "cadence": "time between reviews",
    "days": "days for answers and reminders",
    "tail_months": "months that clients earn after the end",
    "second_person_above": "amounts that a second person confirms",
    "minimum_referrals_per_quarter": "minimum of referrals every quarter",
    "items": "what is paid for what",
}
"""The fields of a frame whose names do not say what they are."""


def frame_words(name: str) -> str:
    """Return a field of a frame as a noun: ``start`` for ``starts_on``."""
    return _OF_THE_FRAME.get(name) or name_words(name)


def item_words(kind: str) -> str:
    """Return the trade's words for a kind of item, or for what is earned beside the items."""
    return "base fee with bonus" if kind == ItemKind.HYBRID else name_words(kind)


class Payment(StrEnum):
    """How terms pay: a fixed amount in any case, or by result (C28)."""

    FIXED = "fixed"
    BY_RESULT = "by-result"
    BOTH = "both"
    NEITHER = "neither"
    """Nobody earns: costs are shared, or a shortfall is paid for."""


def payment_of(kind: ItemKind) -> Payment:
    """Return how one kind of item pays."""
    match kind:
        case ItemKind.RETAINER | ItemKind.LICENCE_FEE:
            return Payment.FIXED
        case ItemKind.REVENUE_SHARE | ItemKind.REVENUE_SPLIT | ItemKind.REFERRAL_FEE:
            return Payment.BY_RESULT
        case ItemKind.INCENTIVE:
            return Payment.BY_RESULT
        case ItemKind.HYBRID:
            return Payment.BOTH
        case ItemKind.COST_SHARE | ItemKind.MINIMUM | ItemKind.PENALTY:
            return Payment.NEITHER
        case _:
            assert_never(kind)


def payment(kinds: Iterable[ItemKind]) -> Payment:
    """Return how terms of these kinds pay together; terms of no kind pay neither way."""
    ways = {payment_of(kind) for kind in kinds} - {Payment.NEITHER}
    if len(ways) > 1:
        return Payment.BOTH
    return next(iter(ways), Payment.NEITHER)


class Cadence(Value):
    """How often reviews are held, by the kind of review (C13).

    A kind that new terms leave out keeps its cadence. `none` ends it.
    """

    operational: Literal["weekly", "biweekly", "monthly", "none"] | None = None
    """How often operational reviews are held."""
    strategic: Literal["monthly", "quarterly", "none"] | None = None
    """How often strategic reviews are held."""
    annual_review: Literal["yearly", "none"] | None = None
    """How often the relevance of the partnership is reviewed (C26, C27)."""
    audit: Literal["quarterly", "yearly", "none"] | None = None
    """How often compliance is audited (C25)."""
    health_check: Literal["quarterly", "none"] | None = None
    """How often a party fills in the scorecard of the partnership's health (C25)."""

    def spans(self) -> dict[str, Duration]:
        """Return the time between two reviews of each agreed kind."""
        return {kind: SPANS[every] for kind, every in self if every not in {None, "none"}}

    def amended(self, later: "Cadence") -> "Cadence":
        """Return the cadence with what later terms say of it."""
        return self.model_copy(update={kind: each for kind, each in later if each is not None})


SPANS = {
    "weekly": "P1W",
    "biweekly": "P2W",
    "monthly": "P1M",
    "quarterly": "P3M",
    "yearly": "P1Y",
}
"""Each cadence as a duration."""


class DayRules(Value):
    """When people are reminded, and how long an answer may take."""

    remind_hours: Annotated[int, Field(ge=24, le=48)] = 48
    """How many hours before a day those who act are reminded of it (C22)."""
    answer_days: Annotated[int, Field(ge=1, le=9999)] = 14
    """Within how many days a proposal is answered."""
    figure_days: Annotated[int, Field(ge=1, le=9999)] | None = None
    """Within how many days after the end of its period a figure is reported. Null: before the next
    period of its frequency ends."""


class Assets(StrEnum):
    """What happens to shared assets at exit (C11)."""

    TRANSFER = "transfer"
    RETAIN = "retain"


class ClaimRules(Value):
    """The rules for claims. A claim is a fact that the party that gains by it states."""

    confirm_within_days: Annotated[int, Field(ge=0, le=9999)] = 0
    """After how many days a claim counts if the other party does not object. With 0, the other
    party must confirm it."""
    on_word: list[ClaimKind] = []
    """The kinds of fact that count on the word of the party that gains."""


class RateRule(Value):
    """Where the rates come from that convert amounts for statements."""

    source: Text | None = None
    """The source whose published rates count. Without it, both parties agree each rate."""
    by: Literal["month", "day"] = "month"
    """Whether a rate is for a month or for a day."""


UTC, EACH = "UTC", "each"
"""The default of a time zone, and of a currency of statements."""


_NOT_ZONES: Final = frozenset({"localtime", "Factory"})
"""Files among the zones of some machines that name no zone: each machine has its own `localtime`,
so the days of an agreement would depend on who computes them."""


@lru_cache(maxsize=1)
def _zones() -> frozenset[str]:
    return frozenset(available_timezones()) - _NOT_ZONES


def _time_zone(name: str) -> str:
    if name != UTC and name not in _zones():
        raise wrong("is not the name of a time zone", "Write an IANA name, as in Europe/Berlin.")
    return name


def _currency_or_each(currency: str) -> str:
    if currency != EACH and currency not in MINOR_UNITS:
        raise wrong(
            f"is not a currency code of ISO 4217, or {EACH}",
            f"Write three capital letters, as in USD, or {EACH}.",
        )
    return currency


TimeZone = Annotated[
    str,
    AfterValidator(_time_zone),
    WithJsonSchema({"type": "string", "format": "IANA time zone"}),
]
"""A time zone, by its IANA name."""

SettlesIn = Annotated[
    str,
    AfterValidator(_currency_or_each),
    WithJsonSchema({"type": "string", "format": "ISO 4217, or each"}),
]
"""The currency of statements, or `each`."""


class Frame(Value):
    """The frame of an agreement: its term, its calendar, and the rules of its statements (C11)."""

    starts_on: Day
    """The first day of the term. Nothing accrues before it."""
    duration: Span
    """The length of the term."""
    notice: Duration
    """How long before the end of the term a party must give notice."""
    renewal: Literal["mutual-consent"] = "mutual-consent"
    """How the term is renewed."""
    assets_at_exit: Assets
    """What happens to shared assets at the exit, unless the parties decide otherwise."""
    cure_period: Duration = "P30D"
    """How long a party has to cure a breach before the other can leave for it."""
    time_zone: TimeZone = UTC
    """The time zone of days, periods and deadlines, by its IANA name."""
    settles_in: SettlesIn = EACH
    """The currency of the statements. With `each`, each currency has statements of its own."""
    attribution: AttributionPolicy = AttributionPolicy(kind=PolicyKind.NONE)
    """How a deal is credited that both parties touched (C18)."""
    cadence: Cadence = Cadence()
    """How often reviews are held. Without a kind of review none is expected (C13)."""
    due_days: Annotated[int, Field(ge=0, le=9999)] = 0
    """How many days after its issue a statement is due; with 0 it is due on the day of issue."""
    tail_months: Months = 0
    """For how many months after the end clients who were won before it still earn."""
    claims: ClaimRules = ClaimRules()
    """When claims count."""
    rates: RateRule = RateRule()
    """Where the rates of statements come from."""
    days: DayRules = DayRules()
    """When people are reminded, and how long an answer may take (C22)."""
    escalation: Escalation = DOCUMENTED
    """After how long an issue that nobody resolves goes to whom (C24)."""
    second_person_above: list[PositiveMoney] = []
    """Above which amounts a second person of a party confirms what binds it, at most one for each
    currency. An amount in a currency without one always needs the second person. With an empty
    list nothing needs it."""
    minimum_referrals_per_quarter: dict[Slug, Count] = {}
    """By party, how many referrals it brings in each quarter at least. A quarter with fewer raises
    an alert."""
    if_sales_double: Text | None = None
    """What the parties agree for the case that sales double."""


NEEDED = tuple(name for name, field in Frame.model_fields.items() if field.is_required())
"""The fields that the first terms must give."""


def _optional_fields() -> dict[str, Any]:
    """Return the fields of a frame, each of which can be left out."""
    made: dict[str, Any] = {}
    for name, field in Frame.model_fields.items():
        kind: Any = field.annotation
        if field.metadata:
            kind = Annotated[(kind, *field.metadata)]
        made[name] = (kind | None, None)
    return made


_FrameChange: Any = create_model(
    "_FrameChange",
    __base__=Value,
    **_optional_fields(),
)
_FrameChange.described_by = Frame


class FrameChange(_FrameChange):
    """What an agreement says of the frame. A field that is not given is unchanged."""

    if TYPE_CHECKING:

        def __init__(self, **fields: Any) -> None: ...  # noqa: ANN401 - as Frame

        def __getattr__(self, name: str) -> Any: ...  # noqa: ANN401 - as Frame

    def given(self) -> dict[str, Any]:
        """Return the fields that are given, with their values."""
        return {name: value for name, value in self if value is not None}


def check_frame(frame: Frame, parties: tuple[str, ...]) -> None:
    """Raise `Refused` if a frame names others than the parties, or is inconsistent."""
    _check_attribution(frame.attribution, parties)
    check_parties([*frame.minimum_referrals_per_quarter], parties)
    _check_limits(frame.second_person_above)
    end = add(frame.starts_on, frame.duration)
    check_end(end)
    if subtract(end, frame.notice) < frame.starts_on:
        raise Refused(
            "notice-exceeds-duration",
            "The notice cannot be longer than the term. The notice is "
            f"{in_words(frame.notice)}, the term {in_words(frame.duration)}.",
            "Propose a longer duration or a shorter notice.",
        )


def _check_limits(limits: Iterable[Money]) -> None:
    """Raise `Refused` if two limits for the second person are in one currency."""
    twice = [name for name, times in Counter(each.currency for each in limits).items() if times > 1]
    if twice:
        raise Refused(
            "limits-of-one-currency",
            "Each currency has at most one amount above which a second person confirms. "
            f"Several are in {twice[0]}.",
            "Give one amount for each currency.",
            field="second_person_above",
        )


def check_items(items: Iterable[Item], parties: tuple[str, ...]) -> None:
    """Raise `Refused` if items name others than the parties, or are inconsistent."""
    found = named(items)
    for item in found:
        _check_item(item, parties)
    taken = [name for name, times in Counter(each.name for each in found).items() if times > 1]
    if taken:
        raise Refused(
            "item-name-taken",
            f"Items must have different names. Several are named {taken[0]}.",
            "Give each item a name of its own.",
        )


def check_end(ends_on: date | None) -> None:
    """Raise `Refused` if a term ends after the last year of days."""
    if ends_on is not None and ends_on.year > LAST_YEAR:
        raise Refused(
            "term-too-long",
            f"A term must end by the year {LAST_YEAR}. This one would end on {ends_on}.",
            "Propose a shorter duration.",
        )


def _check_item(item: Item, parties: tuple[str, ...]) -> None:
    match item:
        case RevenueSplit() | CostShare():
            check_shares(item.shares, parties)
        case Penalty():
            check_parties([item.on], parties)
        case Minimum():
            check_parties([item.on], parties)
            check_threshold(item.metric, item.currency, item.measured)
        case Hybrid():
            check_parties([item.to], parties)
            check_threshold(item.bonus_metric, item.currency, item.measured)
        case RevenueShare():
            check_parties([item.to], parties)
            _check_months(item)
            _check_tiers(item)
        case ReferralFee() | Retainer() | LicenceFee():
            check_parties([item.to], parties)
        case Incentive():
            check_parties([item.by], parties)
        case _:
            assert_never(item)


def _check_months(item: RevenueShare) -> None:
    if (item.basis == "months") is not (item.months > 0):
        raise Refused(
            "months-of-a-share",
            "Only a share with the basis months has a number of months, and it needs one. The "
            f"basis is {item.basis}, the number of months {item.months}.",
            "Use the basis months with 1 month or more, or leave the months out.",
        )


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


_REPORTED = {Trigger.CLICK: "clicks", Trigger.POST: "posts"}


def pays_by(item: Item, metric: str) -> bool:
    """Whether an item pays by the figure of a metric: clicks, posts, a bonus, a minimum."""
    if isinstance(item, ReferralFee):
        return _REPORTED.get(item.trigger) == metric
    return metric in {getattr(item, "bonus_metric", None), getattr(item, "metric", None)}
