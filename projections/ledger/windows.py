"""Windows of tiers and caps: what each fact adds to what its window earns.

The rules are in docs/settlement.md, Items.

In a window, facts are ordered by the time they happened, then by their key. A line is the rounded
total with a fact less the rounded total before it, so lines add up to the rounded whole. A window
belongs to the name of an item and the currency of the payments, not to a version of the terms; each
fact is priced by the item of its own day.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from typing import Final, NamedTuple

from domain.calendar import add_months, month_of
from domain.terms import RevenueShare
from domain.terms_by_day import TermsByDay
from domain.values import plain
from projections.ledger.rows import Base, Entry, Remains, Total, WindowRow
from projections.ledger.tracks import Order, ordered, rounded_ratio

Event = tuple[Order, str, str, Remains]
"""When something changed in a window, its cause with the subject, the base, what remained."""


Bases = Mapping[str, Mapping[str, Base]]
"""What a window counts of some subjects: by subject, then by `key_of`."""

Entries = Mapping[str, Mapping[str, Entry]]
"""The same, with what each base earned."""


def key_of(base: Base) -> str:
    """Return the key of a base in its window."""
    return f"{base.subject}/{base.fact}"


_MONTHS: Final = {"month": 1, "quarter": 3, "year": 12}


def window_start(length: str, day: date) -> date:
    """Return the first day of the calendar period that a day lies in."""
    months = _MONTHS[length]
    return date(day.year, (day.month - 1) // months * months + 1, 1)


def window_months(length: str, start: date) -> list[str]:
    """Return the months of the calendar period that begins on a day."""
    return [month_of(add_months(start, each)) for each in range(_MONTHS[length])]


class Counted(NamedTuple):
    """A window as it is counted, and all entries of each subject whose entries have changed."""

    row: WindowRow
    entries: Entries


class Window(NamedTuple):
    """A window as it was counted before, and the terms that price its facts."""

    name: str
    row: WindowRow
    terms: TermsByDay

    def counting(self, bases: Bases, known: Entries, others: Callable[[], Entries]) -> Counted:
        """Count the window with these bases as all those of some subjects.

        `known` has the entries that these subjects had before. What comes after all others is only
        added; else the window is counted from its beginning, with the entries of all `others`.
        """
        entries = {key: each for mine in known.values() for key, each in mine.items()}
        wanted = {key: each for mine in bases.values() for key, each in mine.items()}
        rest = {key: each for key, each in wanted.items() if key in entries}
        new = {key: each for key, each in wanted.items() if key not in entries}
        unmoved = rest == {key: each.base for key, each in entries.items()}
        if unmoved and not new:
            return Counted(self.row, {})
        events = sorted(_events(new))
        if unmoved and (self.row.last is None or events[0][0][0] > self.row.last):
            added = _Count(self, new)
            totals = {key: each.totals for key, each in entries.items()}
            return Counted(added.counting(events), _changed(known, wanted, totals | added.totals))
        before = {**others(), **known}
        everything = wanted | {
            key: each.base
            for subject, mine in before.items()
            if subject not in bases
            for key, each in mine.items()
        }
        again = _Count(self._replace(row=WindowRow()), everything)
        row = again.counting(sorted(_events(everything)))
        return Counted(row, _changed(before, everything, again.totals))


def _changed(
    before: Entries, bases: Mapping[str, Base], totals: Mapping[str, tuple[Total, ...]]
) -> Entries:
    after: dict[str, dict[str, Entry]] = {subject: {} for subject in before}
    for key, base in bases.items():
        after.setdefault(base.subject, {})[key] = Entry(base, totals.get(key, ()))
    return {subject: mine for subject, mine in after.items() if mine != before.get(subject, {})}


class _Count:
    """The count of a window, event by event, from what was counted before.

    Only the facts after a change are counted again, until the count is what it was before.
    """

    def __init__(self, window: Window, bases: Mapping[str, Base]) -> None:
        _, self._item, _, _, _, self._currency = window.name.split("/")
        self._terms = window.terms
        self._row = row = window.row
        self._bases = bases
        self.totals: dict[str, tuple[Total, ...]] = {}
        """What each base earned in all once each fact had happened."""
        self._order: list[tuple[datetime, str]] = []
        self._left: dict[str, Fraction] = {}
        self._after: list[tuple[Fraction, Fraction]] = []
        """What was counted and earned after each base of the order."""
        self._begun = (Fraction(row.counted), Fraction(row.earned))

    def counting(self, events: list[Event]) -> WindowRow:
        """Return the row once these events are counted as well."""
        for event in events:
            self._take(event)
        counted, earned = self._after[-1] if self._after else self._begun
        return WindowRow(str(counted), str(earned), events[-1][0][0] if events else self._row.last)

    def _take(self, event: Event) -> None:
        _, _, key, remains = event
        base = self._bases[key]
        place = (base.at, key)
        at = bisect_left(self._order, place)
        if key not in self._left:
            self._order.insert(at, place)
            self._after.insert(at, (Fraction(-1), Fraction(-1)))
        self._left[key] = _weighed(base, remains)
        before = self._after[at - 1] if at else self._begun
        for position in range(at, len(self._order)):
            after = self._add(self._order[position][1], before, event)
            if after == self._after[position]:
                break
            self._after[position] = before = after

    def _add(
        self, key: str, before: tuple[Fraction, Fraction], event: Event
    ) -> tuple[Fraction, Fraction]:
        counted, earned = before
        share = _item(self._terms, self._item, self._bases[key].day)
        with_it = counted + self._left[key]
        after = earned + marginal(share, counted, with_it)
        if share.cap is not None:
            after = max(earned, min(after, Fraction(share.cap)))
        amount = rounded_ratio(after, self._currency) - rounded_ratio(earned, self._currency)
        known = self.totals.get(key, ())
        if amount != (known[-1].amount if known else 0):
            (at, _, _), cause, changed, remains = event
            if self._bases[changed].subject == self._bases[key].subject:
                cause = remains.cause
            details = _details(share, self._left[key], counted, earned, after)
            self.totals[key] = (*known, Total(cause, at, remains.day, amount, details))
        return with_it, after


def _events(bases: Mapping[str, Base]) -> Iterator[Event]:
    for key, base in bases.items():
        for order, each in ordered(base.remains):
            yield order, f"{base.subject}/{each.cause}", key, each


def _weighed(base: Base, remains: Remains) -> Fraction:
    numerator, denominator = base.credit
    return Fraction(remains.amount) * numerator / (denominator * base.divisor)


def _item(terms: TermsByDay, name: str, day: date) -> RevenueShare:
    for item in terms.items(day):
        if item.name == name and isinstance(item, RevenueShare):
            return item
    msg = f"no share {name} on {day}"
    raise LookupError(msg)


Steps = tuple[tuple[Fraction, Fraction], ...]
"""Where each tier begins, and its share as a ratio."""


@lru_cache(maxsize=1024)
def _steps(tiers: tuple[tuple[Decimal, Decimal], ...]) -> Steps:
    return tuple((Fraction(above), Fraction(share) / 100) for above, share in tiers)


def marginal(share: RevenueShare, before: Fraction, after: Fraction) -> Fraction:
    """Return what lies between two counts earns, each tier's share on the part inside the tier."""
    above_0 = (Decimal(0), share.share)
    steps = _steps((above_0, *((each.above, each.share) for each in share.tiers)))
    earned = Fraction(0)
    for place, (above, rate) in enumerate(steps):
        end = steps[place + 1][0] if place + 1 < len(steps) else after
        inside = min(after, end) - max(before, above)
        if inside > 0:
            earned += inside * rate
    return earned


def _details(
    share: RevenueShare, base: Fraction, counted: Fraction, before: Fraction, after: Fraction
) -> dict[str, str]:
    return {
        "basis": shown(base),
        "share": plain(share.share),
        "counted_before": shown(counted),
        "earned_before": shown(before),
        "earned": shown(after),
    }


def shown(ratio: Fraction) -> str:
    """Write an exact ratio as a decimal where it is one, else as a fraction."""
    if ratio.denominator == 1:
        return str(ratio.numerator)
    number = Decimal(ratio.numerator) / Decimal(ratio.denominator)
    return plain(number) if Fraction(number) == ratio else str(ratio)
