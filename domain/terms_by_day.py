"""The terms by day: which frame and which items apply on a day, and when nothing accrues.

The answers depend on the agreements, the renewals and the exits, and not on their order of arrival.

- Of the amendments that apply on a day, the one with the latest first day counts; of equal days the
  one agreed later; of equal times the one with the greater identifier.
- A field that repeats what was last agreed, in the order of agreement, is unchanged. All items are
  one field.
- A cadence of reviews that an amendment leaves out stays (C13).
- The frame agreed first applies to all days. Items apply from their first day.
- Temporary terms replace all items on their days, and nothing of the frame.
- The term is counted once from its start: all months, then all days. A changed duration replaces
  the renewals before it.
- A changed time zone applies from its own 00:00 of its first day.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property, reduce
from typing import Any, NamedTuple, TypeVar
from zoneinfo import ZoneInfo

from domain import terms
from domain.agreement import CommercialTermsAgreed
from domain.attribution import AttributionPolicy
from domain.calendar import add, add_months, is_as_long, subtract
from domain.escalation import DOCUMENTED, Escalation
from domain.kernel import Act, Refused
from domain.terms import NEEDED, Cadence, DayRules, Frame, Item, named
from domain.values import instant

T = TypeVar("T")
K = TypeVar("K")

_DAY = timedelta(days=1)
_PRICES = ("starts_on", "settles_in", "attribution", "rates")
"""The fields of the frame that price a fact of their day. The others have rules of their own."""


class Renewal(NamedTuple):
    """A renewal that both parties agreed (C27)."""

    agreed_at: datetime
    id: str
    """The identifier of its proposal."""
    duration: str


class Exit(NamedTuple):
    """An exit: notice was given of it, or both parties agreed it (C27)."""

    effective_on: date
    id: str


class _Change(NamedTuple):
    """A value of a field, from a day on. Changes are in the order of precedence."""

    first_day: date
    agreed_at: datetime
    id: str
    version: int
    value: Any


class _Items(NamedTuple):
    """The items in force, and the version of the terms that they are from."""

    version: int
    items: tuple[Item, ...]


_Spans = tuple[tuple[date, ...], tuple[T, ...]]
"""The first days of spans, in order, and what applies in each span."""


def local_day(moment: datetime, zone: str) -> date:
    """Return the day of a moment in a time zone."""
    if zone == terms.UTC and moment.tzinfo is UTC:
        return moment.date()
    return moment.astimezone(ZoneInfo(zone)).date()


def all_items(versions: Iterable[CommercialTermsAgreed]) -> list[Item]:
    """Return the items of all these versions of the terms, whenever they apply."""
    return [item for version in versions for item in version.items or ()]


@dataclass(frozen=True)
class TermsByDay:
    """The terms of a partnership, asked for a day. Make it with `of`.

    What is asked is computed once and kept.
    """

    agreed: tuple[CommercialTermsAgreed, ...] = ()
    """All terms that both parties agreed, in the order of agreement."""
    renewals: tuple[Renewal, ...] = ()
    """In the order of agreement."""
    exits: tuple[Exit, ...] = ()
    """In the order of their effective days, with those that were withdrawn."""
    withdrawn: frozenset[str] = frozenset()
    """The identifiers of the exits that both parties withdrew."""

    @classmethod
    def of(
        cls,
        agreed: Iterable[CommercialTermsAgreed],
        renewals: Iterable[Renewal] = (),
        exits: Iterable[Exit] = (),
        withdrawn: Iterable[str] = (),
    ) -> "TermsByDay":
        """Return the terms by day that follow from what was agreed, given in any order."""
        return cls(
            tuple(sorted(agreed, key=lambda each: (each.agreed_at, each.proposal))),
            tuple(sorted(renewals)),
            tuple(sorted(exits)),
            frozenset(withdrawn),
        )

    def with_agreement(self, agreed: CommercialTermsAgreed) -> "TermsByDay":
        """Return the terms with one more agreement."""
        return self.of((*self.agreed, agreed), self.renewals, self.exits, self.withdrawn)

    def with_renewal(self, renewal: Renewal) -> "TermsByDay":
        """Return the terms with one more renewal."""
        return self.of(self.agreed, (*self.renewals, renewal), self.exits, self.withdrawn)

    def with_exit(self, exit_: Exit) -> "TermsByDay":
        """Return the terms with an exit."""
        return replace(self, exits=tuple(sorted((*self.exits, exit_))))

    def without_exit(self, name: str) -> "TermsByDay":
        """Return the terms with an exit withdrawn, by its identifier."""
        return replace(self, withdrawn=self.withdrawn | {name})

    @cached_property
    def is_agreed(self) -> bool:
        """Whether terms are agreed: there is a frame."""
        return all(name in self._changes for name in NEEDED)

    @cached_property
    def silence(self) -> timedelta | None:
        """The shortest silence that confirms a claim on any day; None if silence confirms none."""
        found = [each.claims.confirm_within_days for each in self._frames[1]]
        days = [each for each in found if each] if self.is_agreed else []
        return timedelta(days=min(days)) if days else None

    # What applies on a day.

    def frame(self, day: date) -> Frame:
        """Return the frame on a day. Raises `LookupError` if no terms are agreed."""
        if not self.is_agreed:
            msg = "no terms are agreed"
            raise LookupError(msg)
        return _at(self._frames, day)

    def day_rules(self, day: date) -> DayRules:
        """Return how long before a day people are reminded, and how long an answer may take."""
        return self.frame(day).days if self.is_agreed else DayRules()

    def escalation(self, day: date) -> Escalation:
        """Return how an issue that is raised on a day is escalated (C24)."""
        return self.frame(day).escalation if self.is_agreed else DOCUMENTED

    def answer_until(self, day: date) -> date:
        """Return the last day on which a proposal made on `day` is answered in time."""
        return day + timedelta(days=self.day_rules(day).answer_days)

    def items(self, day: date) -> tuple[Item, ...]:
        """Return the items in force on a day, with their names, whether or not they accrue."""
        return _at(self._items, day).items

    def version(self, day: date) -> int:
        """Return the version of the terms whose items apply on a day; 0 if there are none."""
        return _at(self._items, day).version

    def policy(self, day: date) -> AttributionPolicy | None:
        """Return the attribution policy of a day; None if no terms are agreed."""
        return self.frame(day).attribution if self.is_agreed else None

    @property
    def frame_days(self) -> tuple[date, ...]:
        """The first days of the frames, in order."""
        return self._frames[0]

    # Days and moments.

    def zone(self, moment: datetime) -> str:
        """Return the IANA name of the time zone at a moment; `UTC` if no terms are agreed."""
        first, *later = self._zones
        for first_day, zone in reversed(later):
            if local_day(moment, zone) >= first_day:
                return zone
        return first[1]

    def day(self, moment: datetime) -> date:
        """Return the day of a moment in the agreement's time zone."""
        return local_day(moment, self.zone(moment))

    def midnight(self, day: date) -> datetime:
        """Return the moment, in UTC, at which a day begins in the agreement's time zone."""
        zone = self.frame(day).time_zone if self.is_agreed else terms.UTC
        return datetime.combine(day, time.min, ZoneInfo(zone)).astimezone(UTC)

    def reminds_of_silence_at(self, day: date) -> datetime:
        """Return when a party is reminded that silence confirms claims on a day."""
        return self.midnight(day) - timedelta(hours=self.day_rules(day).remind_hours)

    def silence_confirms_on(self, told: datetime, objected: Iterable[datetime]) -> date | None:
        """Return the day on which silence confirms a claim; None if it never does.

        `told` is when the claim was recorded, `objected` when the objections to it were.
        """
        if not self.is_agreed:
            return None
        told_on = self.day(told)
        days = self.frame(told_on).claims.confirm_within_days
        if not days:
            return None
        deadline = told_on + timedelta(days=days)
        return None if any(self.day(each) < deadline for each in objected) else deadline

    # The term.

    @cached_property
    def start(self) -> date | None:
        """The first day of the term; None if no terms are agreed."""
        return self.frame(date.min).starts_on if self.is_agreed else None

    @cached_property
    def began(self) -> date | None:
        """The day on which terms were first agreed, or the first day of the term if it is earlier.

        None if no terms are agreed.
        """
        if self.start is None:
            return None
        return min(self.start, self.day(self.agreed[0].agreed_at))

    @cached_property
    def term_ends_on(self) -> date | None:
        """The first day after the term, with its renewals; None if no terms are agreed."""
        if self.start is None:
            return None
        agreed = [(each.agreed_at, each.id, each.value, True) for each in self._changes["duration"]]
        renewed = [(each.agreed_at, each.id, each.duration, False) for each in self.renewals]
        spans: list[str] = []
        for _, _, span, is_agreed in sorted([*agreed, *renewed]):
            spans = [span] if is_agreed else [*spans, span]
        return add(self.start, *spans)

    @cached_property
    def exit(self) -> date | None:
        """The effective day of the first exit that was not withdrawn; None if there is none."""
        days = (each.effective_on for each in self.exits if each.id not in self.withdrawn)
        return next(days, None)

    @cached_property
    def end(self) -> date | None:
        """The first day on which nothing accrues: the end of the term, or an exit before it."""
        return min((day for day in (self.term_ends_on, self.exit) if day is not None), default=None)

    @cached_property
    def tail_ends_on(self) -> date | None:
        """The first day after the tail: in it, clients who were won before the end still earn."""
        if self.end is None or not self.is_agreed:
            return self.end
        return add_months(self.end, self.frame(self.end - _DAY).tail_months)

    @cached_property
    def last_notice_day(self) -> date | None:
        """The last day on which notice for the end of the term is in time (C11).

        On that day the notice of its own frame still reaches the end. None if no terms are agreed.
        """
        if self.term_ends_on is None:
            return None
        days, frames = self._frames
        ends = [*(day - _DAY for day in days[1:]), date.max]
        return max(
            last
            for first, end, frame in zip(days, ends, frames, strict=True)
            if (last := min(end, subtract(self.term_ends_on, frame.notice))) >= first
        )

    def accrues(self, day: date) -> bool:
        """Whether anything accrues on a day: it lies in the term, and before an exit."""
        return self.start is not None and self.end is not None and self.start <= day < self.end

    def accrues_for_client(self, day: date, won: date) -> bool:
        """Whether a client who was won on a day earns on another: as `accrues`, or in the tail."""
        if self.end is None or self.tail_ends_on is None:
            return False
        return self.accrues(day) or won < self.end <= day < self.tail_ends_on

    # What another agreement changes.

    def first_difference(self, other: "TermsByDay") -> date | None:
        """Return the first day on which a fact can be priced differently under other terms.

        A changed time zone moves moments to the day before its first day, so that day is returned.
        Rules for claims apply to facts of any day, so their change returns the first day of all, as
        do terms where none were agreed. None if there is no such day.
        """
        if self == other:
            return None
        if not (self.is_agreed and other.is_agreed):
            return None if self.is_agreed is other.is_agreed else date.min
        days = sorted({*self.edges, *other.edges})
        if any(self.frame(day).claims != other.frame(day).claims for day in days):
            return date.min
        return min(self._differing(other, days), default=None)

    def _differing(self, other: "TermsByDay", days: Sequence[date]) -> Iterator[date]:
        for day in days:
            if self.frame(day).time_zone != other.frame(day).time_zone:
                yield max(day, date.min + _DAY) - _DAY
            elif _priced(self, day) != _priced(other, day):
                yield day

    @cached_property
    def edges(self) -> tuple[date, ...]:
        """The days on which something begins or ends."""
        edges = (self.start, self.end, self.tail_ends_on)
        return (*self._frames[0], *self._items[0], *(day for day in edges if day is not None))

    # How it is computed.

    @cached_property
    def _changes(self) -> dict[str, list[_Change]]:
        """The changes of each field of the frame, and of the items, in the order of precedence."""
        last: dict[str, object] = {}
        changes: dict[str, list[_Change]] = {}
        lasting = [each for each in self.agreed if each.until is None]
        for each in lasting:
            for name, value in _given(each):
                if name in last and _repeats(name, value, last[name]):
                    continue
                last[name] = value
                # An amendment can move the start only before the term begins. What the first terms
                # must give applies to all days, also where a reader knows only later terms.
                always = name == "starts_on" or (each is lasting[0] and name != "items")
                always = always or (name in NEEDED and name not in changes)
                first_day = date.min if always else each.effective_from
                changes.setdefault(name, []).append(_change(each, first_day, value))
        return {name: sorted(each, key=_precedence) for name, each in changes.items()}

    @cached_property
    def _frames(self) -> _Spans[Frame]:
        fields = {name: each for name, each in self._changes.items() if name != "items"}
        days = sorted({change.first_day for each in fields.values() for change in each})
        return tuple(days), tuple(
            Frame.model_construct(**{**_DEFAULTS, **_values(fields, day)}) for day in days
        )

    @cached_property
    def _items(self) -> _Spans[_Items]:
        lasting = self._changes.get("items", [])
        for_a_time = [
            (_change(each, each.effective_from, named(each.items or ())), each.until)
            for each in self.agreed
            if each.until is not None
        ]
        days = {date.min, *(each.first_day for each in lasting)}
        days |= {day for each, until in for_a_time for day in (each.first_day, until)}
        spans = []
        for day in sorted(days):
            now = [each for each, until in for_a_time if each.first_day <= day < until]
            now = now or [each for each in lasting if each.first_day <= day]
            change = max(now, key=_precedence, default=None)
            spans.append(_Items(change.version, change.value) if change else _Items(0, ()))
        return tuple(sorted(days)), tuple(spans)

    @cached_property
    def _zones(self) -> list[tuple[date, str]]:
        """The time zones and their first days, in order."""
        if not self.is_agreed:
            return [(date.min, terms.UTC)]
        found: list[tuple[date, str]] = []
        for day, frame in zip(*self._frames, strict=True):
            if not found or found[-1][1] != frame.time_zone:
                found.append((day, frame.time_zone))
        return found


def _priced(terms: TermsByDay, day: date) -> tuple[object, ...]:
    """Return all that prices the facts of a day, but its time zone and the rules for claims."""
    frame, end = terms.frame(day), terms.end
    in_tail = end is not None and end <= day and terms.accrues_for_client(day, date.min)
    fields = (getattr(frame, name) for name in _PRICES)
    return (*fields, terms.items(day), terms.accrues(day), in_tail)


_DEFAULTS = {
    name: field.default for name, field in Frame.model_fields.items() if not field.is_required()
}


def _at(spans: _Spans[T], day: date) -> T:
    days, values = spans
    return values[bisect_right(days, day) - 1]


def _change(agreed: CommercialTermsAgreed, first_day: date, value: object) -> _Change:
    return _Change(first_day, agreed.agreed_at, agreed.proposal, agreed.terms_version, value)


def _precedence(change: _Change) -> tuple[date, datetime, str]:
    return change.first_day, change.agreed_at, change.id


def _values(fields: dict[str, list[_Change]], day: date) -> dict[str, object]:
    """Return the values of a frame on a day, without those that no agreement gives by then."""
    return {
        name: reduce(Cadence.amended, valid) if name == "cadence" else valid[-1]
        for name, changes in fields.items()
        if (valid := [each.value for each in changes if each.first_day <= day])
    }


def _repeats(name: str, value: object, last: object) -> bool:
    """Return whether a field repeats what was last agreed, maybe in other words."""
    if name in {"duration", "notice"}:
        return is_as_long(str(value), str(last))
    return value == last


def _given(agreed: CommercialTermsAgreed) -> Iterator[tuple[str, object]]:
    if agreed.frame is not None:
        yield from agreed.frame.given().items()
    if agreed.items is not None:
        yield "items", named(agreed.items)


@dataclass(frozen=True, slots=True)
class Agreed:
    """What events about money are decided on: the parties, and what they agreed, by day."""

    parties: tuple[str, ...] = ()
    terms: TermsByDay = field(default_factory=TermsByDay)
    given_up: Mapping[str, datetime] = field(default_factory=dict)
    """When both gave up what, by its word and identifier: `investment/studio`."""

    def check_not_given_up(self, kind: str, ref: str | None, what: str, act: Act) -> None:
        """Raise `Refused` if an act is on or after the moment at which both gave something up.

        What happened before it counts, however late it is recorded. `what` is the act in words.
        """
        moment = self.given_up.get(f"{kind}/{ref}")
        if moment is not None and act.occurred_at >= moment:
            raise Refused(
                "given-up",
                f"{what} after both parties gave up its {kind} does not count under it. They gave "
                f"up {kind} {ref} at {instant(moment)}, and this is dated "
                f"{instant(act.occurred_at)}.",
                f"Leave the {kind} out, or name one that was not given up.",
                moment=instant(moment),
            )

    def day(self, moment: datetime) -> date:
        """Return the day of a moment in the agreement's time zone."""
        return self.terms.day(moment)

    def items(self, kind: type[K], day: date) -> list[K]:
        """Return the items of one kind that are in force on a day."""
        return [each for each in self.terms.items(day) if isinstance(each, kind)]

    @property
    def ends_at(self) -> datetime | None:
        """The moment at which the exit takes effect, if notice was given (C27)."""
        return None if self.terms.exit is None else self.terms.midnight(self.terms.exit)
