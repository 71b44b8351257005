"""What can be known about the money of one partnership: facts, and the terms that price them.

Names follow money.md and the catalogue (C10, C11, C18, C23, C26, C27). A fact that needs both
parties (terms, a renewal, a settled attribution, an agreed rate, an adjustment, the end of a
dispute) is one fact; it happens when the second party agrees.
"""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Literal, NamedTuple

Party = str

Length = Literal["month", "quarter", "year"]
Policy = Literal["none", "first-touch", "last-touch", "linear", "code-wins", "split"]


class Money(NamedTuple):
    """An amount of one currency."""

    amount: Decimal
    currency: str


class Part(NamedTuple):
    """The part of one party, in percent."""

    party: Party
    percent: Decimal


class Duration(NamedTuple):
    """A span of the calendar: months first, then days."""

    months: int = 0
    days: int = 0


class Attribution(NamedTuple):
    """How a deal is credited that both parties touched: one field of the frame."""

    policy: Policy = "none"
    window: int = 0  # days before the conversion; 0 means no window
    weights: tuple[Part, ...] = ()  # of a split


# The frame of an agreement (section 2). `None` means: this amendment does not speak of the field.


@dataclass(frozen=True)
class Frame:
    """The fields of a frame that money depends on; an amendment may repeat or leave out any."""

    start: date | None = None
    duration: Duration | None = None
    zone: str | None = None
    settles_in: str | None = None  # empty: the currency of each line
    attribution: Attribution | None = None
    tail: int | None = None  # months
    confirm_within: int | None = None  # days; 0 means that the other side must confirm
    on_word: tuple[str, ...] | None = None  # kinds of fact that count when the gaining side states
    rate_source: str | None = None
    rates_by: Literal["month", "day"] | None = None
    due_days: int | None = None  # from the issue of a statement to the day on which it is due


# The items (section 3).


class Tier(NamedTuple):
    """The share, in percent, on what lies above an amount counted in its window."""

    above: Decimal
    share: Decimal


@dataclass(frozen=True)
class RevenueShare:
    """A share of a credited client's payments or annual value."""

    to: Party
    share: Decimal
    basis: Literal["first-year", "months", "all"] = "all"
    months: int = 0
    trigger: Literal["sale", "payment"] = "payment"
    tiers: tuple[Tier, ...] = ()
    cap: Decimal | None = None
    window: Length | None = None
    name: str = ""
    kind: Literal["revenue-share"] = "revenue-share"


@dataclass(frozen=True)
class RevenueSplit:
    """Each party's part of joint revenue, from the party that collected it."""

    parts: tuple[Part, ...]
    trigger: Literal["sale", "payment", "joint-revenue"] = "joint-revenue"
    name: str = ""
    kind: Literal["revenue-split"] = "revenue-split"


@dataclass(frozen=True)
class ReferralFee:
    """A fee for each credited referral, or for each reported click or post."""

    to: Party
    fee: Money
    trigger: Literal["sale", "first-payment", "click", "post"] = "sale"
    source: str | None = None
    name: str = ""
    kind: Literal["referral-fee"] = "referral-fee"


@dataclass(frozen=True)
class PeriodicFee:
    """A retainer or a licence fee: a fee on each date of the frame."""

    to: Party
    fee: Money
    every: Length = "month"
    name: str = ""
    kind: Literal["retainer", "licence-fee"] = "retainer"


@dataclass(frozen=True)
class Hybrid:
    """A base like a retainer, and a bonus for a window in which a metric reached its threshold."""

    to: Party
    base: Money
    bonus: Money
    metric: str
    threshold: Decimal
    every: Length = "month"
    window: Length = "quarter"
    currency: str | None = None  # of a metric that is money
    source: str | None = None
    measured: Literal["count", "report"] = "count"
    name: str = ""
    kind: Literal["hybrid"] = "hybrid"


@dataclass(frozen=True)
class Minimum:
    """A fee for a window in which the owing party brought too little, or for each unit missing."""

    by: Party
    to: Party
    metric: str
    at_least: Decimal
    fee: Money
    each_missing: bool = False
    window: Length = "quarter"
    currency: str | None = None  # of a metric that is money
    source: str | None = None
    measured: Literal["count", "report"] = "count"
    name: str = ""
    kind: Literal["minimum"] = "minimum"


@dataclass(frozen=True)
class CostShare:
    """Each party's part of a shared cost, owed to the party that paid it."""

    parts: tuple[Part, ...]
    name: str = ""
    kind: Literal["cost-share"] = "cost-share"


@dataclass(frozen=True)
class Penalty:
    """A fee that is owed once the owing party accepted it."""

    by: Party
    to: Party
    fee: Money
    name: str = ""
    kind: Literal["penalty"] = "penalty"


@dataclass(frozen=True)
class Incentive:
    """A fixed amount for each referral of the other party, from the party that offers it (C23)."""

    by: Party
    amount: Money
    name: str = ""
    kind: Literal["incentive"] = "incentive"


@dataclass(frozen=True)
class JointInvestment:
    """Parts of what is invested together, and of the reward (C26)."""

    investment: tuple[Part, ...]
    reward: tuple[Part, ...]
    name: str = ""
    kind: Literal["joint-investment"] = "joint-investment"


Item = (
    RevenueShare
    | RevenueSplit
    | ReferralFee
    | PeriodicFee
    | Hybrid
    | Minimum
    | CostShare
    | Penalty
    | Incentive
    | JointInvestment
)


# The facts.


@dataclass(frozen=True)
class Fact:
    """What each fact carries: when it happened, when it was recorded, and who stated it."""

    id: str
    occurred_at: datetime
    recorded_at: datetime
    stated_by: Party


@dataclass(frozen=True)
class TimePassed(Fact):
    """The clock reached this time, with nothing else to say."""


@dataclass(frozen=True)
class TermsAgreed(Fact):
    """Both agreed terms or an amendment. With `until` (exclusive) the items are temporary."""

    effective_from: date
    frame: Frame | None = None
    items: tuple[Item, ...] | None = None
    until: date | None = None


@dataclass(frozen=True)
class RenewalAgreed(Fact):
    """Both agreed to go on for this duration after the end (C27)."""

    duration: Duration


@dataclass(frozen=True)
class ExitSet(Fact):
    """A notice was given or an exit was agreed: nothing accrues from 00:00 of this day on."""

    effective_on: date


@dataclass(frozen=True)
class ExitWithdrawn(Fact):
    """Both took an exit back."""

    exit: str


@dataclass(frozen=True)
class ReferralSubmitted(Fact):
    """The stating party brought this lead."""

    deal: str


@dataclass(frozen=True)
class TouchClaimed(Fact):
    """A touch of the deal's client by a party, claimed by either."""

    deal: str
    to: Party
    touched_at: datetime
    by_code: bool = False  # the customer entered the party's code


@dataclass(frozen=True)
class OpportunityCreated(Fact):
    """The stating party works on the lead."""

    deal: str


@dataclass(frozen=True)
class AttributionSettled(Fact):
    """Both settled who is credited for a deal."""

    deal: str
    credit: tuple[Part, ...]


@dataclass(frozen=True)
class DealsMerged(Fact):
    """Both agreed that a deal is a duplicate: the same client as another deal."""

    deal: str
    into: str


@dataclass(frozen=True)
class DealWon(Fact):
    """The conversion of a deal, with its annual value."""

    deal: str
    value: Money
    collected_by: Party | None = None


@dataclass(frozen=True)
class DealCancelled(Fact):
    """The sale came to nothing. A win that is corrected as cancelled is this fact."""

    deal: str


@dataclass(frozen=True)
class DealLost(Fact):
    """The deal was lost before it was won."""

    deal: str


@dataclass(frozen=True)
class DealReopened(Fact):
    """A lost deal is open again."""

    deal: str


@dataclass(frozen=True)
class PaymentReceived(Fact):
    """A client paid."""

    deal: str
    amount: Money
    collected_by: Party | None = None


@dataclass(frozen=True)
class PaymentReturned(Fact):
    """A refund or a lost chargeback of a payment, under the provider's id."""

    payment: str
    provider_id: str
    amount: Money
    kind: Literal["refund", "chargeback"] = "refund"


@dataclass(frozen=True)
class ReturnReversed(Fact):
    """A chargeback was won back, or a refund failed (`RefundReversed`)."""

    payment: str
    provider_id: str


@dataclass(frozen=True)
class JointEntry(Fact):
    """An entry of joint revenue, a shared cost, or a joint investment or its reward.

    `holder` collected the money, or paid it.
    """

    kind: Literal["joint-revenue", "shared-cost", "investment", "reward"]
    amount: Money
    holder: Party
    item: str | None = None


@dataclass(frozen=True)
class EntryReversed(Fact):
    """An amount of an entry was taken back; `None` means all of it."""

    entry: str
    amount: Money | None = None


@dataclass(frozen=True)
class PenaltyRaised(Fact):
    """The penalty of this name applies; it is owed once the owing party accepts."""

    item: str


@dataclass(frozen=True)
class IncentiveOffered(Fact):
    """The stating party pays for each referral of the other from one day until another (C23)."""

    name: str
    amount: Money
    from_day: date
    until: date | None = None


@dataclass(frozen=True)
class MetricReported(Fact):
    """A figure of a month (`2026-02`) or quarter (`2026-Q1`), whole or of one segment."""

    metric: str
    period: str
    value: Decimal
    source: str
    segment: str | None = None
    currency: str | None = None


@dataclass(frozen=True)
class RateAgreed(Fact):
    """Both agreed what one unit of a currency is worth in another, for a month or a day."""

    base: str
    quote: str
    period: str
    value: Decimal


@dataclass(frozen=True)
class RatePublished(Fact):
    """A source published a rate; it counts where the terms name the source."""

    base: str
    quote: str
    period: str
    value: Decimal
    source: str


@dataclass(frozen=True)
class Corrected(Fact):
    """A fact was mistyped (section 5). `replacement` is its right content; `None`: it never was.

    `corrects` names the first fact, also where a correction is corrected.
    """

    corrects: str
    replacement: Fact | None
    reason: str = "mistyped"


@dataclass(frozen=True)
class StatedAlso(Fact):
    """The other party stated a fact too, from its own records, alike or with other content.

    `states` names the fact; both statements are of one fact, whichever came first.
    """

    states: str
    content: Fact


@dataclass(frozen=True)
class AdjustmentAgreed(Fact):
    """What both agreed without a fact."""

    by: Party
    to: Party
    amount: Money


@dataclass(frozen=True)
class Confirmed(Fact):
    """A party confirmed the other's claim or proposal, or accepted a penalty."""

    claim: str


@dataclass(frozen=True)
class Objected(Fact):
    """A party objected to the other's claim, or to a published rate."""

    claim: str


class Subject(NamedTuple):
    """What a line or a dispute is about.

    A deal (its id), an entry (its id), a due date of an item (`retainer-1@2026-02-01`), a window
    (`minimum-1@2026-01-01`), a reported period, a referral, a penalty or an adjustment.
    """

    kind: Literal["deal", "entry", "due", "window", "report", "referral", "penalty", "adjustment"]
    id: str


@dataclass(frozen=True)
class DisputeOpened(Fact):
    """The stating party disputes what the other would get for a subject."""

    subject: Subject
    amount: Money
    line: tuple[str, str] | None = None
    """The priced fact and the item that are disputed; None: all of the subject."""


@dataclass(frozen=True)
class DisputeResolved(Fact):
    """A dispute is decided; `settled` removes the agreed amount."""

    dispute: str
    outcome: Literal["upheld", "settled", "rejected"]
    amount: Money | None = None


class FrozenLine(NamedTuple):
    """A line as a statement shows it, for good: what the item added for a priced fact."""

    subject: Subject
    base_fact: str
    item: str
    to: Party
    amount: Decimal
    currency: str


@dataclass(frozen=True)
class StatementIssued(Fact):
    """A statement or the final settlement, with its lines in its currency."""

    name: str
    currency: str
    lines: tuple[FrozenLine, ...]
    final: bool = False


@dataclass(frozen=True)
class PayoutMade(Fact):
    """A party was paid what a statement asked for, as it or the payer states."""

    statement: str
    to: Party
    amount: Money


@dataclass(frozen=True)
class PayoutReturned(Fact):
    """The bank returned a payout, as either party states."""

    payout: str
