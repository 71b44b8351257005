"""Which terms apply (section 2): the frame and the items, asked for a day."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import date, datetime
from functools import cached_property
from typing import NamedTuple

from tests.model.days import add, add_months, local_day
from tests.model.facts import (
    Attribution,
    Duration,
    ExitSet,
    ExitWithdrawn,
    Fact,
    Frame,
    Item,
    RenewalAgreed,
    TermsAgreed,
)

# Unless agreed: UTC, no attribution policy, no tail, the other side must confirm, rates by month,
# statements are due on issue.
DEFAULTS = Frame(
    zone="UTC",
    attribution=Attribution(),
    tail=0,
    confirm_within=0,
    on_word=(),
    rates_by="month",
    due_days=0,
)


class Change(NamedTuple):
    """A value that both agreed, from a day on."""

    first_day: date
    agreed_at: datetime
    id: str
    value: object


def named(items: Sequence[Item]) -> tuple[Item, ...]:
    """Items with their names: one without is named by its kind and its place among its kind."""
    places: Counter[str] = Counter()
    found = []
    for item in items:
        places[item.kind] += 1
        found.append(item if item.name else replace(item, name=f"{item.kind}-{places[item.kind]}"))
    return tuple(found)


def in_order(facts: Sequence[Fact]) -> list[Fact]:
    return sorted(facts, key=lambda each: (each.occurred_at, each.id))


@dataclass(frozen=True)
class Terms:
    """The agreement of a partnership: its frame and its items on every day."""

    changes: dict[str, list[Change]]
    temporary: list[TermsAgreed]
    duration_changes: list[tuple[datetime, str, Duration]]
    exits: tuple[date, ...]
    _frames: dict[date, Frame] = field(default_factory=dict, compare=False)

    def frame(self, day: date) -> Frame:
        """The frame on a day. The frame agreed first has no first day: it dates all days."""
        if day not in self._frames:
            values = {each.name: self._value(each.name, day) for each in fields(Frame)}
            self._frames[day] = Frame(**values)  # type: ignore[arg-type]
        return self._frames[day]

    def _value(self, name: str, day: date) -> object:
        known = self.changes.get(name, [])
        valid = [each for each in known if each.first_day <= day]
        return valid[-1].value if valid else getattr(DEFAULTS, name)

    def items(self, day: date) -> tuple[Item, ...]:
        """The items in force on a day. Temporary terms replace all of them on their days."""
        for terms in reversed(self.temporary):
            if terms.effective_from <= day and terms.until and day < terms.until:
                return named(terms.items or ())
        valid = [each for each in self.changes.get("items", []) if each.first_day <= day]
        return valid[-1].value if valid else ()  # type: ignore[return-value]

    def zone(self, instant: datetime) -> str:
        """The time zone at an instant. Another zone applies from its own 00:00 of its first day."""
        for change in reversed(self.changes.get("zone", [])):
            if local_day(instant, str(change.value)) >= change.first_day:
                return str(change.value)
        return str(DEFAULTS.zone)

    def day(self, instant: datetime) -> date:
        return local_day(instant, self.zone(instant))

    @cached_property
    def start(self) -> date:
        return self.frame(date.min).start or date.min

    @cached_property
    def end(self) -> date:
        """The first day on which nothing accrues: the frame's end, or an exit before it."""
        total: Duration | None = None
        for _, kind, span in self.duration_changes:
            if kind == "agreed":
                total = span
            elif total:
                total = Duration(total.months + span.months, total.days + span.days)
        # Counted from the first day, so that the 31st does not drift to the 28th.
        return min([add(self.start, total) if total else date.max, *self.exits])

    def accrues(self, day: date) -> bool:
        return self.start <= day < self.end

    def accrues_for_client(self, day: date, won: date) -> bool:
        """As `accrues`, and in the tail for a client that was won before the end."""
        if self.end == date.max:
            return self.accrues(day)
        tail = self.frame(date.fromordinal(self.end.toordinal() - 1)).tail or 0
        return self.accrues(day) or (won < self.end <= day < add_months(self.end, tail))


def terms_of(facts: Sequence[Fact]) -> Terms:
    """Fold what was agreed. A field that repeats what was last agreed changes nothing."""
    ordered = in_order(facts)
    agreed = [each for each in ordered if isinstance(each, TermsAgreed)]
    first = next((each for each in agreed if not each.until), None)
    last: dict[str, object] = {}
    changes: dict[str, list[Change]] = {}
    durations: list[tuple[datetime, str, Duration]] = []
    for fact in ordered:
        if isinstance(fact, RenewalAgreed):
            durations.append((fact.occurred_at, "renewed", fact.duration))
        if not isinstance(fact, TermsAgreed) or fact.until:
            continue
        for name, value in _fields(fact):
            if value is None or last.get(name) == value:
                continue
            if name == "duration" and isinstance(value, Duration):
                durations.append((fact.occurred_at, "agreed", value))
            last[name] = value
            dates_all = name != "items" and fact is first
            first_day = date.min if dates_all else fact.effective_from
            change = Change(first_day, fact.occurred_at, fact.id, value)
            changes.setdefault(name, []).append(change)
    taken_back = {each.exit for each in facts if isinstance(each, ExitWithdrawn)}
    return Terms(
        changes={name: sorted(each, key=lambda c: c[:3]) for name, each in changes.items()},
        temporary=sorted(
            (each for each in agreed if each.until),
            key=lambda each: (each.effective_from, each.occurred_at, each.id),
        ),
        duration_changes=durations,
        exits=tuple(
            each.effective_on
            for each in facts
            if isinstance(each, ExitSet) and each.id not in taken_back
        ),
    )


def _fields(terms: TermsAgreed) -> Iterator[tuple[str, object]]:
    if terms.frame:
        for each in fields(Frame):
            yield each.name, getattr(terms.frame, each.name)
    if terms.items is not None:
        yield "items", named(terms.items)
