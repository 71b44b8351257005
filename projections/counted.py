"""What deals, entries and contributions add to metrics (C18, C19, C24).

Figures count what deals show. A fact counts as the party that stated it says, whichever side gains
by it: what a claim earns is decided by the ledger alone. A claim that the other party objects to
does not count until that party confirms it. A correction counts at once from the party that stated
the fact; one from the other party counts once it is confirmed. Of a fact that both parties stated,
the statement that happened first counts, of one time that of the party whose name comes first. If
it does not count, the other does.

A row keeps the facts of one deal or one entry, never an amount. What it adds is computed again when
a fact arrives, and months take the difference. So any order of arrival gives the same figures.
"""

from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import cached_property
from typing import Final, NamedTuple

from domain.calendar import month_of
from domain.claims import Answered, ClaimConfirmed, ClaimKind, ClaimObjected
from domain.deal_record import Deal
from domain.entry import Entry, EntryReversed, JointRevenueReceived, SharedCostIncurred
from domain.facts import Stated
from domain.kernel import Act, Event
from domain.merge import DealsMerged
from domain.metric_catalogue import CATALOGUE, Unit
from domain.payment import (
    PaymentCorrected,
    PaymentReceived,
    RefundCorrected,
    RefundIssued,
    RefundReversed,
)
from domain.recorded import Recorded
from domain.referral import (
    DemoHeld,
    LeadQualified,
    OpportunityCreated,
    ReferralAttributed,
    ReferralSubmitted,
)
from domain.sale import DealCancelled, DealLost, DealReopened, DealWon, WinCorrected
from domain.terms_by_day import local_day
from projections.ledger.counting import DEMO, OPPORTUNITY, QUALIFIED, Facts
from projections.ledger.deals import losses
from projections.ledger.entries import COST, REVENUE
from projections.ledger.facts import row_of, with_fact
from projections.ledger.rows import Fact, FactsRow

FACTS: Final = "~"
"""The first character of the keys of rows that keep facts.

It sorts after all other keys, so that readers of figures leave these rows out: there is one for
each deal and each entry.
"""


class Series(NamedTuple):
    """The place of a count: a month, a metric, a segment ("" for none) and a unit."""

    month: str
    metric: str
    segment: str
    unit: str


class Addition(NamedTuple):
    """What a deal or an entry adds to a count."""

    to: Series
    amount: Decimal


class Sum(NamedTuple):
    """A sum of additions, and how many they are: a sum of zero is not the sum of nothing."""

    amount: Decimal
    additions: int

    def plus(self, amount: Decimal, additions: int) -> "Sum":
        """Return the sum with more additions, or with fewer."""
        return Sum(self.amount + amount, self.additions + additions)


NO_FACTS: Final = FactsRow()
NO_SUM: Final = Sum(Decimal(0), 0)


class DealChange(NamedTuple):
    """The facts of a deal or an entry before an event and after it."""

    before: FactsRow
    after: FactsRow

    @classmethod
    def by(cls, before: FactsRow, recorded: Recorded) -> "DealChange":
        """Return what an event changes of the facts of its deal."""
        return cls(before, with_fact(before, recorded.event, recorded.act))

    def added(
        self, event: Event, zone: str, needed: Container[str] = CATALOGUE
    ) -> dict[Series, Sum]:
        """Return what the event adds to the needed metrics, in months of a time zone.

        That can be below zero, and in other months than that of the event.
        """
        kind, answered = type(event), bool(self.after.replies)
        counters = [
            each
            for each in _BY_EVENT[kind]
            if (answered or kind in each.events)
            and any(metric in needed for metric in each.metrics)
        ]
        changes: dict[Series, Sum] = {}
        for row, sign in ((self.after, 1), (self.before, -1)):
            if row.facts:
                deal = _Deal(row, zone)
                for each in counters:
                    for to, amount in each.adds(deal):
                        changes[to] = changes.get(to, NO_SUM).plus(amount * sign, sign)
        return {
            to: change for to, change in changes.items() if change != NO_SUM and to.metric in needed
        }


NO_CHANGE: Final = DealChange(NO_FACTS, NO_FACTS)


def key_of(event: Event) -> str | None:
    """Return the key of the row that an event is a fact of; None for another event."""
    if type(event) not in COUNTED:
        return None
    row = row_of(event)
    return None if row is None or row.startswith(_OTHER) else f"{FACTS}{row}"


_OTHER = ("figure/", "payout/")
"""The subjects of replies that no deal and no entry has."""


def facts_of(state: object) -> FactsRow:
    """Return the facts of a deal or an entry from its state; none of another state."""
    if not isinstance(state, Deal | Entry):
        return NO_FACTS
    row = NO_FACTS
    stated = [each for found in state.facts.values() for each in found]
    said: list[Stated | Answered] = [*stated, *state.answers]
    for each in said:
        row = with_fact(row, each.event, Act(each.party, each.party, each.at, each.at))
    return row


# --- which facts count -------------------------------------------------------------------------


_OBJECTIONABLE = frozenset(
    {
        ClaimKind.REFERRAL,
        ClaimKind.TOUCH,
        ClaimKind.WIN,
        ClaimKind.PAYMENT,
        ClaimKind.ENTRY,
        ClaimKind.ENTRY_REVERSAL,
    }
)
"""The facts by which a party can gain, so that an objection suspends them."""


@dataclass(frozen=True)
class _Deal(Facts):
    """The facts of a deal or an entry, as figures count them."""

    zone: str
    """The time zone of months."""

    def counted(self, kind: str) -> list[tuple[str, Fact]]:
        """Return what counts of the facts of a kind, in the order of time."""
        facts = self.of(kind)
        if not (self.row.corrections or self.row.replies):
            return facts
        found = [
            (key, counted)
            for key, _ in facts
            if (counted := next(filter(None, self._statements(key)), None))
        ]
        return sorted(found, key=lambda each: (each[1].at, each[0]))

    def _statements(self, key: str) -> Iterator[Fact | None]:
        """Yield each statement of a fact as it counts; None for one that does not."""
        for each in self.statements(key):
            yield self._counts(key, each)

    def _counts(self, key: str, fact: Fact) -> Fact | None:
        if fact.kind in _OBJECTIONABLE:
            replies = [each.confirms for each in self.replies(key, fact.by)]
            if replies and not any(replies) and not self.acted_on(fact):
                return None
        counted: Fact | None = fact
        for each in self.corrections(key):
            if each.by == fact.by or any(reply.confirms for reply in self.replies_to(each)):
                counted = self.corrected(key, fact, each)
        return counted

    def _won_by_other(self, party: str) -> Iterator[datetime]:
        for key, _ in self.of(ClaimKind.WIN):
            for each in self.statements(key):
                counted = self._counts(key, each)
                if counted and (each.by != party or self.confirmed_by_hand(key, party)):
                    yield counted.at

    @cached_property
    def is_rejected(self) -> bool:
        """Whether the deal is a rejected lead. It then takes no step of the funnel."""
        return bool(self.of(ClaimKind.REFERRAL)) and not self.counted(ClaimKind.REFERRAL)

    def sale(self) -> Fact | None:
        """Return the win that is not cancelled; None if there is none.

        A deal that is won is not won again unless it was cancelled in between.
        """
        cancelled = [fact.at for _, fact in self.counted(ClaimKind.CANCELLATION)]
        sale, until = None, None
        for _, win in self.counted(ClaimKind.WIN):
            if sale is None or (until is not None and until <= win.at):
                sale, until = win, next((at for at in cancelled if at >= win.at), None)
        return sale if until is None else None

    def returns(self) -> Iterator[tuple[str, Fact]]:
        """Yield what was given back of payments, by the key of the payment.

        The reversal of a refund gives back less than nothing.
        """
        payments = dict(self.counted(ClaimKind.PAYMENT))
        refunds: dict[str, list[Fact]] = {}
        for _, fact in self.counted(ClaimKind.REFUND):
            if fact.about in payments and payments[fact.about].unit == fact.unit:
                refunds.setdefault(fact.note, []).append(fact)
                yield fact.about, fact
        for _, fact in self.counted(ClaimKind.REVERSAL):
            of = [each for each in refunds.get(fact.note, ()) if each.at <= fact.at]
            if of:
                yield fact.about, of[-1]._replace(at=fact.at, amount=-of[-1].amount)


# --- what each metric counts -------------------------------------------------------------------


_NOTHING, _ONE = Decimal(0), Decimal(1)
_COUNT = Unit.COUNT.value


def _add(  # noqa: PLR0913, PLR0917 - what an addition is
    deal: _Deal,
    metric: str,
    fact: Fact,
    amount: Decimal = _ONE,
    unit: str = _COUNT,
    segment: str = "",
) -> Addition:
    month = month_of(local_day(fact.at, deal.zone))
    return Addition(Series(month, metric, segment, unit), amount)


def _leads(deal: _Deal) -> Iterator[Addition]:
    for _, fact in deal.counted(ClaimKind.REFERRAL):
        yield _add(deal, "leads", fact, segment=fact.note)
        # By party too: a minimum counts what that party brought.
        yield _add(deal, "leads", fact, segment=fact.note, unit=fact.by)


def _attributed(deal: _Deal) -> Iterator[Addition]:
    # A touch says something about its lead, so it counts in the month of the lead.
    if deal.counted(ClaimKind.TOUCH):
        for _, fact in deal.counted(ClaimKind.REFERRAL):
            yield _add(deal, "attributed_leads", fact)


def _step(kind: str, metric: str) -> "Count":
    def count(deal: _Deal) -> Iterator[Addition]:
        if not deal.is_rejected:
            for _, fact in deal.of(kind)[:1]:  # Each party can state the step; the first counts.
                yield _add(deal, metric, fact)

    return count


def _lost(deal: _Deal) -> Iterator[Addition]:
    if not deal.is_rejected:
        for _, fact in losses(deal):
            yield _add(deal, "deals_lost", fact)


def _won(deal: _Deal) -> Iterator[Addition]:
    win = deal.sale()
    if win is None:
        return
    yield _add(deal, "deals_won", win)
    # By currency too: a mean in one currency must not divide by deals in another.
    yield _add(deal, "deals_won", win, unit=win.unit)
    yield _add(deal, "won_value", win, win.amount, win.unit)
    for _, referral in deal.of(ClaimKind.REFERRAL):
        days = Decimal(max(0, (win.at - referral.at).days))
        yield _add(deal, "days_to_close", win, days, Unit.DAYS.value)


def _paid(deal: _Deal) -> Iterator[Addition]:
    """Count a deal once, in the month of its first payment, unless it came to nothing."""
    payments = deal.counted(ClaimKind.PAYMENT)
    if not payments or deal.sale() is None:
        return
    left = sum((fact.amount for _, fact in payments), _NOTHING)
    back = deal.returns() if deal.of(ClaimKind.REFUND) else ()
    if left > sum((fact.amount for _, fact in back), _NOTHING):
        yield _add(deal, "deals_paid", payments[0][1])


def _payments(deal: _Deal) -> Iterator[Addition]:
    for _, fact in deal.counted(ClaimKind.PAYMENT):
        yield _add(deal, "payments", fact, fact.amount, fact.unit)


def _refunds(deal: _Deal) -> Iterator[Addition]:
    if deal.of(ClaimKind.REFUND):
        for _, fact in deal.returns():
            yield _add(deal, "refunds", fact, fact.amount, fact.unit)


def _sourced(deal: _Deal) -> Iterator[Addition]:
    """Count a deal that was won, and what is left of its payments, for who sourced or touched it.

    The party that submitted the referral sourced the deal. A party influenced it if it touched the
    lead before the win and did not source it (C18).
    """
    win = deal.sale()
    if win is None:
        return
    source = next((fact.by for _, fact in deal.counted(ClaimKind.REFERRAL)), None)
    touched = {
        fact.about for _, fact in deal.counted(ClaimKind.TOUCH) if _touched_at(fact) <= win.at
    }
    shares = [("sourced", source)] if source else []
    shares += [("influenced", party) for party in sorted(touched - {source})]
    for how, party in shares:
        yield _add(deal, f"deals_{how}", win, segment=party or "")
        for fact, amount in _left(deal):
            yield _add(deal, f"revenue_{how}", fact, amount, fact.unit, party or "")


def _touched_at(touch: Fact) -> datetime:
    return datetime.fromisoformat(touch.since) if touch.since else touch.at


def _left(deal: _Deal) -> Iterator[tuple[Fact, Decimal]]:
    """Yield each payment of a deal with its amount, and what was given back of it, below zero."""
    for _, fact in deal.counted(ClaimKind.PAYMENT):
        yield fact, fact.amount
    if deal.of(ClaimKind.REFUND):
        for _, fact in deal.returns():
            yield fact, -fact.amount


def _collected(deal: _Deal) -> Iterator[Addition]:
    """Count money for the party that received it: payments less refunds, and joint revenue."""
    metric, holders = "revenue_collected", {}
    for key, fact in deal.counted(ClaimKind.PAYMENT):
        holders[key] = fact.holder
        yield _add(deal, metric, fact, fact.amount, fact.unit, fact.holder)
    if deal.of(ClaimKind.REFUND):
        for key, fact in deal.returns():
            yield _add(deal, metric, fact, -fact.amount, fact.unit, holders[key])
    for entry, fact, amount in _of_entries(deal, REVENUE):
        yield _add(deal, metric, fact, amount, fact.unit, entry.holder)


def _costs_paid(deal: _Deal) -> Iterator[Addition]:
    for entry, fact, amount in _of_entries(deal, COST):
        yield _add(deal, "costs_paid", fact, amount, fact.unit, entry.holder)


def _entries(what: str, metric: str) -> "Count":
    def count(deal: _Deal) -> Iterator[Addition]:
        for _, fact, amount in _of_entries(deal, what):
            yield _add(deal, metric, fact, amount, fact.unit)

    return count


def _of_entries(deal: _Deal, what: str) -> Iterator[tuple[Fact, Fact, Decimal]]:
    """Yield entries in their month, and below zero what was reversed, in the month of that.

    Each comes with the entry that it is of.
    """
    for _, entry in deal.counted(ClaimKind.ENTRY):
        if not entry.note.startswith(what):
            continue
        yield entry, entry, entry.amount
        for _, fact in deal.counted(ClaimKind.ENTRY_REVERSAL):
            if fact.unit == entry.unit:
                yield entry, fact, -fact.amount


Count = Callable[[_Deal], Iterator[Addition]]


class _Counter(NamedTuple):
    """What deals or entries add to some metrics, and the events that can change it."""

    metrics: frozenset[str]
    adds: Count
    events: frozenset[type[Event]]
    if_answered: frozenset[type[Event]] = frozenset()
    """The events that can change it only if the lead was answered: acts that accept it."""


_Events = frozenset[type[Event]]
_REFERRED: _Events = frozenset({ReferralSubmitted})
_ACTS: _Events = frozenset({OpportunityCreated, DealWon, WinCorrected})
"""The acts by which a party accepts a lead that it had rejected."""
_SALES: _Events = frozenset({DealWon, DealCancelled, WinCorrected})
_PAYMENTS: _Events = frozenset({PaymentReceived, PaymentCorrected})
_RETURNS: _Events = frozenset({RefundIssued, RefundReversed, RefundCorrected})
_REVENUE: _Events = frozenset({JointRevenueReceived, EntryReversed})
_COSTS: _Events = frozenset({SharedCostIncurred, EntryReversed})
_REPLIES: _Events = frozenset({ClaimConfirmed, ClaimObjected})


def _counter(count: Count, events: Iterable[type[Event]], *metrics: str) -> _Counter:
    return _Counter(frozenset(metrics), count, frozenset(events) | _REPLIES | {DealsMerged})


def _of_lead(count: Count, events: Iterable[type[Event]], *metrics: str) -> _Counter:
    """Return a counter that a rejected lead adds nothing to."""
    known = _counter(count, _REFERRED | frozenset(events), *metrics)
    return known._replace(if_answered=_ACTS - known.events)


_COUNTERS = (
    _of_lead(_leads, (), "leads"),
    _of_lead(_attributed, {ReferralAttributed}, "attributed_leads"),
    _of_lead(_step(QUALIFIED, "qualified_leads"), {LeadQualified}, "qualified_leads"),
    _of_lead(_step(OPPORTUNITY, "opportunities"), {OpportunityCreated}, "opportunities"),
    _of_lead(_step(DEMO, "demos"), {DemoHeld}, "demos"),
    _of_lead(_lost, {DealLost, DealReopened}, "deals_lost"),
    _counter(_won, _SALES | _REFERRED, "deals_won", "won_value", "days_to_close"),
    _counter(_paid, _SALES | _PAYMENTS | _RETURNS, "deals_paid"),
    _counter(_payments, _PAYMENTS, "payments"),
    _counter(_refunds, _PAYMENTS | _RETURNS, "refunds"),
    _of_lead(
        _sourced,
        _SALES | _PAYMENTS | _RETURNS | {ReferralAttributed},
        "deals_sourced",
        "deals_influenced",
        "revenue_sourced",
        "revenue_influenced",
    ),
    _counter(_collected, _PAYMENTS | _RETURNS | _REVENUE, "revenue_collected"),
    _counter(_costs_paid, _COSTS, "costs_paid"),
    _counter(_entries(REVENUE, "joint_revenue"), _REVENUE, "joint_revenue"),
    _counter(_entries(COST, "shared_costs"), _COSTS, "shared_costs"),
)

COUNTED: Final[frozenset[type[Event]]] = frozenset(
    event for each in _COUNTERS for event in each.events | each.if_answered
)
"""The events that are facts of deals and entries and can change a count."""

_BY_EVENT: Final[Mapping[type[Event], tuple[_Counter, ...]]] = {
    event: tuple(each for each in _COUNTERS if event in each.events | each.if_answered)
    for event in COUNTED
}

METRICS_OF: Final[Mapping[type[Event], frozenset[str]]] = {
    event: frozenset(name for each in counters for name in each.metrics)
    for event, counters in _BY_EVENT.items()
}
"""The metrics whose counts an event can change."""
