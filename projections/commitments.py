"""What each party commits alone, and whether it committed more before (C12).

A party states its commitment by itself, so the other party is told of a smaller one. That ends once
the party commits as much again, once both hold a review, or at the end of the month after it.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal

from domain.adoption import PartnershipAdopted
from domain.calendar import month_of
from domain.deadlines.deadline import PeriodClosed, other_of
from domain.execution import ReviewHeld
from domain.governance import ResourcesCommitted
from domain.kernel import Event
from domain.recorded import Recorded
from domain.standing_alerts import COMMITMENT_LOWERED
from domain.values import Exact, plain
from projections.ledger.claims import Point


@dataclass(frozen=True, slots=True)
class Committed:
    """What a party commits."""

    attention: Exact
    """The share of one person's time, in percent."""
    costs: Mapping[str, Exact]
    """The money set aside, by currency."""

    def is_less_than(self, other: "Committed") -> bool:
        """Whether it is less time than another, or less money in any currency."""
        less = (self.costs.get(each, Decimal(0)) < amount for each, amount in other.costs.items())
        return self.attention < other.attention or any(less)

    def __str__(self) -> str:
        """Write it: ``20 % of one person's time and 500.00 USD``."""
        money = (f"{amount} {currency}" for currency, amount in self.costs.items() if amount)
        return " and ".join([f"{plain(self.attention)} % of one person's time", *money])


@dataclass(frozen=True, slots=True)
class Commitment:
    """What a party commits now, and what it was lowered from."""

    now: Committed
    was: Committed | None = None
    """What it committed before it lowered that last, or null if it never did."""
    lowered_at: datetime | None = None
    """When it was lowered."""
    ended: str = ""
    """What ended the alert on it, in words; empty while it is open."""

    @property
    def is_open(self) -> bool:
        """Whether the other party is told of it."""
        return self.was is not None and not self.ended

    def restated(self, now: Committed, at: datetime) -> "Commitment":
        """Return it after the party stated it again."""
        before = self.was if self.was is not None and self.is_open else self.now
        if now.is_less_than(before):
            return Commitment(now, before, at)
        ended = "It commits as much again." if self.is_open else self.ended
        return replace(self, now=now, ended=ended)


Commitments = Mapping[str, Commitment]
"""By party."""

CONCERNED: frozenset[type[Event]] = frozenset(
    {ResourcesCommitted, PartnershipAdopted, ReviewHeld, PeriodClosed}
)
"""The events that change a commitment, or end the alert on it."""


def with_event(
    known: Commitments, recorded: Recorded, day: Callable[[datetime], date]
) -> Commitments:
    """Return the commitments after an event; `day` gives the day of a moment."""
    event, act = recorded.event, recorded.act
    match event:
        case ResourcesCommitted():
            now = _of(event)
            before = known.get(act.party, Commitment(now))
            return {**known, act.party: before.restated(now, act.occurred_at)}
        case PartnershipAdopted():
            stated = ((each.party, each.resources) for each in event.parties)
            return {**known, **{name: Commitment(_of(of)) for name, of in stated if of}}
        case ReviewHeld():
            return {
                name: replace(each, ended=f"Review {event.review} was held.")
                if each.is_open and each.lowered_at and each.lowered_at <= event.held_at
                else each
                for name, each in known.items()
            }
        case PeriodClosed() if "Q" not in event.period:
            return {
                name: replace(each, ended=f"{event.period} is over.")
                if each.is_open
                and each.lowered_at
                and month_of(day(each.lowered_at)) < event.period
                else each
                for name, each in known.items()
            }
        case _:
            return known


def _of(event: ResourcesCommitted) -> Committed:
    costs: dict[str, Decimal] = {}
    for each in event.costs:
        costs[each.currency] = costs.get(each.currency, Decimal(0)) + each.amount
    return Committed(event.attention, costs)


def findings(known: Commitments, parties: Iterable[str]) -> Iterator[Point]:
    """Yield that a party commits less than before, for the other party, or what ended that."""
    both = tuple(parties)
    for party, each in sorted(known.items()):
        if each.ended:
            yield Point(COMMITMENT_LOWERED, party, each.ended, ends=True)
        elif each.was is not None:
            text = f"{party} lowered what it commits from {each.was} to {each.now}."
            acting = (other_of(both, party),)
            yield Point(COMMITMENT_LOWERED, party, text, acting, since=each.lowered_at)
