"""What a priced fact earned over time, and the arithmetic for it.

The rules are in docs/settlement.md, Taking back and Arithmetic and faults.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from typing import Any, NamedTuple

from domain.settlement import rounded
from domain.values import MINOR_UNITS
from projections.ledger.rows import Remains, Total

Credit = tuple[int, int]
"""A party's credit for a deal, as a numerator and a denominator."""

NO_CREDIT: Credit = (0, 1)
ALL: Credit = (1, 1)


class Track(NamedTuple):
    """A fact as an item prices it for a party: its totals, each after one fact.

    A line is the difference of two totals, so lines add up to the last one.
    """

    subject: str
    fact: str
    item: str
    to: str
    currency: str
    at: datetime
    day: date
    totals: tuple[Total, ...]

    @property
    def amount(self) -> Decimal:
        """What it earned in all."""
        return self.totals[-1].amount if self.totals else Decimal(0)

    def amount_on(self, day: date) -> Decimal:
        """Return what it earned from facts up to the end of a day."""
        return next((each.amount for each in reversed(self.totals) if each.day <= day), Decimal(0))


def changing(totals: Iterable[Total]) -> tuple[Total, ...]:
    """Return the totals that differ from the one before."""
    found: list[Total] = []
    for each in totals:
        if each.amount != (found[-1].amount if found else 0):
            found.append(each)
    return tuple(found)


def running(start: Remains, changes: Sequence[tuple[Remains, str]]) -> tuple[Remains, ...]:
    """Return what remained of an amount after each change, never below zero.

    A change sets one part of the whole: lost, won back and lost again, one refund has one amount.
    """
    if not changes:
        return (start,)
    parts = {"": start.amount}
    found = [start]
    for change, part in sorted(changes, key=lambda each: (each[0].at, each[0].cause)):
        parts[part] = change.amount
        left = max(Decimal(0), sum(parts.values(), Decimal(0)))
        if left != found[-1].amount:
            found.append(change._replace(amount=left))
    return tuple(found)


Order = tuple[datetime, bool, datetime]
"""When something counts, whether it takes back, and when it happened."""


def ordered(remains: Sequence[Remains]) -> Iterator[tuple[Order, Remains]]:
    """Yield what remained of an amount after each fact, with its place in the order of time.

    What takes back counts after the fact that it takes back, also if it happened before it: a
    payment can be of a later day than its refund, in the words of one side or by a correction.
    """
    begins = remains[0].at
    for place, each in enumerate(remains):
        yield (max(each.at, begins), place > 0, each.at), each


@lru_cache(maxsize=65536)
def part_of(
    amount: Decimal, percent: Decimal, credit: Credit, divisor: int, currency: str
) -> Decimal:
    """Return a share of an amount, weighed by credit and rounded once.

    All factors are multiplied before the one division, so the result is that of exact ratios.
    """
    numerator, denominator = credit
    return rounded(amount * percent * numerator / (100 * denominator * divisor), currency)


def rounded_ratio(amount: Fraction, currency: str) -> Decimal:
    """Round an exact ratio to the minor unit of its currency, half to even."""
    digits = MINOR_UNITS[currency]
    return Decimal(round(amount * 10**digits)).scaleb(-digits)


def single(  # noqa: PLR0913, PLR0917 - what a track is
    subject: str,
    fact: str,
    item: str,
    to: str,
    currency: str,
    remains: Remains,
    **details: Any,  # noqa: ANN401 - JSON
) -> Track:
    """Return a track of one total: `remains` has its amount."""
    amount = rounded(remains.amount, currency)
    total = Total(fact, remains.at, remains.day, amount, details)
    return Track(subject, fact, item, to, currency, remains.at, remains.day, changing([total]))


Details = Mapping[str, Any]
