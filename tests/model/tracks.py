"""What one subject earned by one item, and how later facts changed it."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple

from tests.model.facts import Party, Subject


class Step(NamedTuple):
    """One input or step of an amount (section 8)."""

    name: str
    value: Decimal | Fraction | str


class Total(NamedTuple):
    """What a subject earned in all once this fact had happened."""

    fact: str
    at: datetime
    day: date
    amount: Decimal
    steps: tuple[Step, ...] = ()


@dataclass(frozen=True)
class Track:
    """A fact priced by an item, for one party: its totals, each after one fact.

    A line is the difference of two totals, so lines add up to the last one.
    """

    subject: Subject
    fact: str
    item: str
    to: Party
    by: Party
    currency: str
    at: datetime
    day: date
    totals: tuple[Total, ...]

    @property
    def amount(self) -> Decimal:
        return self.totals[-1].amount if self.totals else Decimal(0)

    def amount_on(self, day: date) -> Decimal:
        """What it earned from facts up to the end of a day."""
        return next((t.amount for t in reversed(self.totals) if t.day <= day), Decimal(0))


class Remains(NamedTuple):
    """What remained of a base once this fact had happened."""

    fact: str
    at: datetime
    day: date
    amount: Fraction


def running(start: Remains, changes: Iterable[tuple[Remains, str]]) -> tuple[Remains, ...]:
    """What remained of a sum of parts: each change names the part that it sets.

    Nothing goes below zero.
    """
    parts: dict[str, Fraction] = {"": start.amount}
    found = [start]
    for change, part in sorted(changes, key=lambda each: (each[0].at, each[0].fact)):
        parts[part] = change.amount
        total = max(Fraction(0), sum(parts.values(), Fraction(0)))
        if total != found[-1].amount:
            found.append(change._replace(amount=total))
    return tuple(found)


def in_order(remains: Sequence[Remains]) -> Iterator[tuple[tuple[object, ...], Remains]]:
    """Each with its place in the order of time, of what remained of one base.

    A base can be dated later than its returns, by a correction or by the other side's statement.
    The returns come after it, in the order in which they happened.
    """
    begun = remains[0].at
    for place, each in enumerate(remains):
        yield (max(each.at, begun), place > 0, each.at, each.fact), each


def deduplicated(totals: Sequence[Total]) -> tuple[Total, ...]:
    """Totals that differ from the one before; the first is compared with nothing."""
    found: list[Total] = []
    for each in totals:
        if each.amount != (found[-1].amount if found else 0):
            found.append(each)
    return tuple(found)
