"""The rows of the ledger: what is known of each subject, and what was posted for it.

A row stores facts. Every posted amount can be computed again from them and from the terms of their
days (docs/settlement.md, The law).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final, NamedTuple, Protocol, Self, TypeVar
from zlib import crc32

from domain.calendar import month_of
from domain.deadlines.deadline import Silence
from domain.payouts import Owed, Payout, Standing
from domain.terms_by_day import Exit, Renewal

R = TypeVar("R")

AGREED, TOTALS, MONTHS = "agreed", "totals", "months"
"""The keys of the rows that a partnership has once."""

EARNED: Final = "earned/"
"""How the keys of what the lines of a year come to begin."""


def replace(row: R, **changes: Any) -> R:  # noqa: ANN401 - fields of the row
    """Return a row with other values of some fields.

    It does what `dataclasses.replace` does for a row, in a fraction of the time: every event
    replaces several.
    """
    found = object.__new__(type(row))
    vars(found).update(vars(row), **changes)
    return found


class Fact(NamedTuple):
    """A fact of a deal, an entry or a figure, as one party stated it first."""

    kind: str
    at: datetime
    """When it happened."""
    by: str
    """The party that stated it."""
    told: datetime
    """When it was recorded. Only days of silence and statements depend on it."""
    amount: Decimal = Decimal(0)
    unit: str = ""
    """The currency of the amount, or the unit of a figure."""
    about: str = ""
    """The key of the fact that it takes back, or the party that a touch is of."""
    holder: str = ""
    """The party that collected or paid the money."""
    since: str = ""
    """The first day that a payment covers, or the moment of a touch."""
    note: str = ""
    """The method of a touch, what a cost was for, the campaign of a referral."""
    divisor: Decimal | None = None
    """The denominator, where a figure is a ratio and `amount` its numerator."""


class Correction(NamedTuple):
    """A correction of a fact. A field that is None is as first stated."""

    of: str
    """The name of the fact: its key, without a time."""
    at: datetime
    by: str
    told: datetime
    void: bool = False
    """Whether the fact never happened."""
    amount: Decimal | None = None
    unit: str | None = None
    happened_at: datetime | None = None
    since: str | None = None
    holder: str | None = None
    divisor: Decimal | None = None
    fact_at: datetime | None = None
    """When the fact happened, as first stated, where several have its name; None: the last."""
    content: str = ""
    """The digest of the correction."""


class Reply(NamedTuple):
    """A party confirmed a claim of the other, or objected to it."""

    claim: str
    """The name of the fact; for a correction of it, after `correction/`."""
    at: datetime
    by: str
    told: datetime
    confirms: bool
    fact_at: datetime | None = None
    """When the fact happened, as first stated, where several have its name; None: the last."""
    reason: str = ""
    """Why a lead was rejected, in words."""
    content: str | None = None
    """The digest of what it answers; None if it does not name that."""


class Dispute(NamedTuple):
    """A dispute about what a subject earns the other party, and its decision."""

    subject: str
    by: str
    at: datetime
    amount: Decimal
    currency: str
    cause: int
    """The index of the event that opened it."""
    line: tuple[str, str] | None = None
    """The fact and the item that earned it; None: all of the subject."""
    decided_at: datetime | None = None
    removed: Decimal | None = None
    """What the decision removes; None while the dispute is open."""


class SettledCredit(NamedTuple):
    """Who is credited with a deal, as both settled it."""

    at: datetime
    proposal: str
    shares: Mapping[str, Decimal]


class Amount(NamedTuple):
    """An amount in its own currency, and in that of its statement (None: there is no rate yet)."""

    own: Decimal
    settled: Decimal | None


class Remains(NamedTuple):
    """What is left of an amount after a fact."""

    cause: str
    at: datetime
    day: date
    amount: Decimal


class Total(NamedTuple):
    """What a priced fact earned in all, after one of the facts that change it."""

    cause: str
    at: datetime
    day: date
    amount: Decimal
    details: Mapping[str, Any] = {}


class Base(NamedTuple):
    """A sale or payment that a window counts."""

    subject: str
    fact: str
    at: datetime
    day: date
    version: int
    """The version of the terms that prices it."""
    credit: tuple[int, int]
    """The credit, as a numerator and a denominator."""
    remains: tuple[Remains, ...]
    divisor: int = 1
    """What the amounts of `remains` are divided by."""


class Entry(NamedTuple):
    """A base in a window, and what it earned there in all after each fact."""

    base: Base
    totals: tuple[Total, ...] = ()


@dataclass(frozen=True)
class FactsRow:
    """The facts of one subject, and what was said of them since."""

    facts: Mapping[str, Fact] = field(default_factory=dict)
    """By key: `payment/P-1`. Of two statements of a fact it is the one that happened first."""
    corrections: Mapping[str, Correction] = field(default_factory=dict)
    replies: Mapping[str, Reply] = field(default_factory=dict)
    others: Mapping[str, Fact] = field(default_factory=dict)
    """The other statement of each fact that both parties stated."""
    merged_into: str = ""
    """The deal that a duplicate was merged into. The row then has no facts, because none counts."""

    def with_facts(self, facts: Mapping[str, Fact]) -> Self:
        """Return the row with these facts."""
        # `replace` takes as long as all else that a fact costs.
        return type(self)(facts, self.corrections, self.replies, self.others)


@dataclass(frozen=True)
class SubjectRow(FactsRow):
    """The facts of one subject, and the lines that were posted for it."""

    credit: SettledCredit | None = None
    """Who is credited with a deal, as both settled it last."""
    duplicates: tuple[str, ...] = ()
    """The deals that were merged into a deal, by name."""
    disputes: Mapping[str, Dispute] = field(default_factory=dict)
    months: tuple[str, ...] = ()
    """The months whose index names the subject."""
    windows: Mapping[str, Mapping[str, Entry]] = field(default_factory=dict)
    """What the windows of tiers and caps count of the subject: by window, then by base."""
    counted: Mapping[str, str] = field(default_factory=dict)
    """What the subject adds to the counts that terms depend on."""
    lines: Mapping[str, Amount] = field(default_factory=dict)
    """What was posted, by the key of the line."""
    held: Mapping[str, Mapping[str, Amount]] = field(default_factory=dict)
    """What each dispute holds, by the key of the line."""
    stated: Mapping[str, Amount] = field(default_factory=dict)
    """What statements have, by the key of the line; as of the first `statements` of them."""
    statements: int = 0
    stated_at: datetime | None = None
    """When a statement first had a line of the subject."""

    def with_facts(self, facts: Mapping[str, Fact]) -> Self:
        """Return the row with these facts."""
        return replace(self, facts=facts)


@dataclass(frozen=True)
class Offer:
    """An incentive that a party offers for each referral of the other (C23)."""

    by: str
    amount: Decimal
    currency: str
    from_day: date
    until: date | None = None


@dataclass(frozen=True)
class Investment:
    """The parts of a joint investment, and of its reward (C26)."""

    cost: Mapping[str, Decimal]
    reward: Mapping[str, Decimal]


class Rate(NamedTuple):
    """A rate that both agreed or that a source published."""

    at: datetime
    rate: Decimal
    source: str = ""
    """The source; empty if both parties agreed the rate."""
    proposal: str = ""
    """The proposal that both agreed; of two agreed at one time the greater counts."""


@dataclass(frozen=True)
class AgreedRow:
    """The parties, and what both agreed."""

    parties: tuple[str, ...] = ()
    terms: tuple[str, ...] = ()
    """Each version of the terms, as the JSON of its event."""
    renewals: tuple[Renewal, ...] = ()
    exits: tuple[Exit, ...] = ()
    withdrawn: tuple[str, ...] = ()
    """The identifiers of the exits that both parties withdrew, in order."""
    offers: Mapping[str, Offer] = field(default_factory=dict)
    investments: Mapping[str, Investment] = field(default_factory=dict)
    rates: Mapping[str, tuple[Rate, ...]] = field(default_factory=dict)
    """By base, quote and period: `EUR|USD|2026-03`."""
    objected: tuple[str, ...] = ()
    """The published rates that a party objected to, with their source."""
    settles_from: date | None = None
    """The first day whose lines are posted, if the partnership was adopted."""
    today: date | None = None
    """The end of the last period that has closed."""
    awaited: Mapping[str, tuple[Silence, ...]] = field(default_factory=dict)
    """The subjects with claims that silence confirms, and the days on which it does."""
    reminded: tuple[str, ...] = ()
    """The reminders of these days that were given (`Silence.ref`)."""
    due: Mapping[str, date] = field(default_factory=dict)
    """The statements on which something is due, and the first day on which each is overdue."""
    remind: Mapping[str, datetime] = field(default_factory=dict)
    """Those of them whose payer is not reminded yet, and when that is due."""
    wake: datetime | None = None
    """The first of these moments, and of those at which these days begin; the scheduler looks for
    it."""

    @property
    def is_between_two(self) -> bool:
        """Whether both parties are known: an adopted partnership has facts from before."""
        return len(self.parties) > 1


@dataclass(frozen=True)
class MonthsRow:
    """The months in which facts happened."""

    months: tuple[str, ...] = ()


@dataclass(frozen=True)
class MonthRow:
    """Some of the subjects with a fact in a month, so that a new one changes a small row."""

    subjects: tuple[str, ...] = ()
    """In the order of their keys."""


def in_words(key: str) -> str:
    """Return `refund R-1` for `refund/R-1@2026-05-18T09:00:00Z`, and the day of a due."""
    name, _, when = key.partition("@")
    dated = f"{name} of {when}" if when and "T" not in when else name
    return dated.replace("/", " ")


MONTH_PARTS: Final = 32
"""The number of rows that name the subjects of a month."""


def part_of(month: str, subject: str) -> str:
    """Return the key of the row that names a subject among those of a month."""
    return f"month/{month}/{crc32(subject.encode()) % MONTH_PARTS}"


def parts_of(month: str) -> list[str]:
    """Return the keys of all rows that name subjects of a month."""
    return [f"month/{month}/{part}" for part in range(MONTH_PARTS)]


class Get(Protocol):
    """Reads the row of a key; a new row of its type if there is none."""

    def __call__(self, key: str, kind: type[R], /) -> R:
        """Return the row."""


def in_months(get: Get, key: str, months: Iterable[str], prefix: str = "") -> Mapping[str, Any]:
    """Return the rows that name a subject among those of months, in an index with a prefix.

    There are none if it is named already.
    """
    row = get(key, SubjectRow)
    new = {*months}.difference(row.months)
    if not new:
        return {}
    changed: dict[str, Any] = {key: replace(row, months=tuple(sorted({*row.months, *new})))}
    for month in new:
        part = f"{prefix}{part_of(month, key)}"
        changed[part] = MonthRow(tuple(sorted({*get(part, MonthRow).subjects, key})))
    known = get(f"{prefix}{MONTHS}", MonthsRow).months
    if not new <= {*known}:
        changed[f"{prefix}{MONTHS}"] = MonthsRow(tuple(sorted({*known, *new})))
    return changed


def months_since(get: Get, day: date, prefix: str = "") -> list[str]:
    """Return the months of an index that can have a fact of a day or later.

    An index names the month in UTC, or in the time zone that the terms had when the fact arrived.
    The day in the agreement's time zone can be the next one.
    """
    first = month_of(max(day, date(1, 1, 2)) - timedelta(days=1))
    return [each for each in get(f"{prefix}{MONTHS}", MonthsRow).months if each >= first]


@dataclass(frozen=True)
class CountsRow:
    """What deals add to the counts of a month: by metric, party and unit."""

    counts: Mapping[str, str] = field(default_factory=dict)
    """As exact ratios."""


@dataclass(frozen=True)
class WaitsRow:
    """The leads of a day that await an answer, or how many of each day of a month do."""

    waits: Mapping[str, str] = field(default_factory=dict)
    """Of a day: by deal, who answers and since when it waits. Of a month: by who answers and
    by day, how many."""


@dataclass(frozen=True)
class WindowRow:
    """How far a window of tiers or a cap is counted. What it counts is in the subjects' rows."""

    counted: str = "0"
    """What was counted in all, as an exact ratio."""
    earned: str = "0"
    """What that earns, before rounding."""
    last: datetime | None = None
    """When the last of its changes happened."""


@dataclass(frozen=True)
class Sum:
    """The sum of open lines of a month."""

    own: Mapping[str, Decimal]
    """By party, in the currency of the lines."""
    settled: Mapping[str, Decimal]
    """By party, in the currency of the statement."""
    lines: int = 0


class Stated(NamedTuple):
    """A statement: it took every open line of its currency up to a day."""

    name: str
    currency: str
    until: date
    at: datetime


@dataclass(frozen=True)
class TotalsRow:
    """What is open and what is on hold, and the statements so far.

    The key of a sum is `month|currency|currency of the statement|rate`; the rate is empty where
    there is none yet.
    """

    open: Mapping[str, Sum] = field(default_factory=dict)
    held: Mapping[str, Sum] = field(default_factory=dict)
    statements: tuple[Stated, ...] = ()
    years: tuple[str, ...] = ()
    """The years whose lines come to something: each has a row of what they come to."""


@dataclass(frozen=True)
class EarnedRow:
    """What the lines of a year come to, whether stated or not.

    The key of an amount is `month|item|what|currency|party`; `what` is that of an entry, and empty
    for other lines. The amounts are in the currency of the lines.
    """

    amounts: Mapping[str, Decimal] = field(default_factory=dict)


def comes_back_late(left_before: Decimal, left: Decimal, due_on: date, today: date) -> bool:
    """Return whether a statement that was paid is due again after its due day, as of today."""
    return left_before <= 0 < left and today > due_on


@dataclass(frozen=True)
class Debt:
    """What a statement asks for, and what was paid on it."""

    owed: Owed
    overdue: bool = False
    """Whether its due day has passed, and it was not paid since."""
    payouts: Mapping[str, Decimal] = field(default_factory=dict)
    """What counts of each payout, by its identifier."""

    @property
    def left(self) -> Decimal:
        """What is due; negative if more was paid."""
        return self.owed.amount - sum(self.payouts.values(), Decimal(0))

    def with_payout(self, name: str, paid: Decimal, today: date) -> "Debt":
        """Return the debt with what counts of a payout now.

        What comes back after the due day is overdue at once.
        """
        after = replace(self, payouts={**self.payouts, name: paid})
        if after.left <= 0:
            return replace(after, overdue=False)
        came_back = comes_back_late(self.left, after.left, self.owed.due_on, today)
        return replace(after, overdue=True) if came_back else after


@dataclass(frozen=True)
class StatementRow:
    """A statement as it was issued, and what was paid on it."""

    statement: str
    period: str
    """Empty for a final settlement."""
    index: int
    issued_at: datetime
    due_on: date
    """The last day on which it is paid in time."""
    balance: Mapping[str, Any]
    overdue: bool = False
    """Whether its due day has passed, and it was not paid since."""
    payouts: Mapping[str, Standing] = field(default_factory=dict)
    """What counts of each payout, by its identifier."""

    @property
    def left(self) -> Decimal:
        """What is due, in its currency; negative if more was paid."""
        return Decimal(self.balance["amount"]) - self.paid

    @property
    def paid(self) -> Decimal:
        """What was paid on it, in its currency."""
        return sum((each.paid for each in self.payouts.values()), Decimal(0))

    @property
    def confirmed(self) -> Decimal:
        """How much of that the payee acknowledges."""
        return sum((each.confirmed for each in self.payouts.values()), Decimal(0))


def row_type(key: str) -> Any:  # noqa: ANN401 - a dataclass
    """Return the type of the row under a key."""
    return _TYPES.get(key.partition("/")[0], SubjectRow)


_TYPES = {
    AGREED: AgreedRow,
    TOTALS: TotalsRow,
    MONTHS: MonthsRow,
    "month": MonthRow,
    "counts": CountsRow,
    "waits": WaitsRow,
    "earned": EarnedRow,
    "share": WindowRow,
    "statement": StatementRow,
    "payout": Payout,
}
