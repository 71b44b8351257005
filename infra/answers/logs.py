"""A partnership's log as of a moment, and what a viewer sees of it."""

from bisect import bisect_left
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from difflib import get_close_matches
from itertools import chain
from typing import Any, NamedTuple, TypeVar

import orjson
from pydantic import ConfigDict

from domain.described import Described
from domain.program import STREAM as PROGRAM
from domain.program import PortfolioDefined
from domain.recorded import Recorded
from domain.values import counted
from infra.bootstrap import Accord
from infra.deciding.pseudonyms import Names
from infra.store.history import History, partnerships
from infra.store.views import Quarantined, typed_row
from infra.tlog.codec import UnknownEvent, UnreadableEvent, decode, stored_moment
from projections import KPIS
from projections.fold import FoldFailed, Projection, replay
from projections.kpis import AGREED, NOTHING_AGREED, AgreedRow
from projections.visibility import OPERATOR, PERHAPS_HIDDEN, Sight, Viewer

R = TypeVar("R")

Row = dict[str, Any]
"""A JSON object."""


class NotFound(LookupError):
    """Something that was asked about does not exist: what is missing, and a hint."""

    def __init__(self, detail: str, hint: str) -> None:
        super().__init__(f"{detail} {hint}")
        self.detail = detail
        self.hint = hint


@dataclass(frozen=True, slots=True)
class AsOf:
    """The moment that is asked about, and the viewer.

    An answer uses the events that had happened by `at` (`occurred_at`), that had been recorded by
    `known` (`recorded_at`), and that are among the first `version` events of the log. All three
    limits are inclusive; None sets no limit.
    """

    at: datetime | None = None
    known: datetime | None = None
    version: int | None = None
    viewer: Viewer = OPERATOR

    def of(self, events: Iterable[Recorded]) -> Iterator[Recorded]:
        """Return those of the events, which are in the order of their log, that are in range."""
        for recorded in events:
            act = recorded.act
            if self.is_after(recorded.index, act.recorded_at):
                return
            if self.at is None:
                yield recorded
            elif act.occurred_at <= self.at:
                yield replace(recorded, act=act._replace(asked_at=self.at))

    def is_after(self, index: int, recorded_at: datetime) -> bool:
        """Whether an event, and so each that follows it in the log, is out of range.

        `recorded_at` never runs backwards within a partnership.
        """
        if self.version is not None and index >= self.version:
            return True
        return self.known is not None and recorded_at > self.known

    @property
    def recorded(self) -> "AsOf":
        """The same without `at`: what was on record, whenever it happened."""
        return replace(self, at=None)

    @property
    def is_now(self) -> bool:
        """Whether no limit is set, so that every recorded event is in range."""
        return (self.at, self.known, self.version) == (None, None, None)

    @property
    def asked(self) -> "Asked":
        """The moment and the viewer, as an answer repeats them."""
        party, full = self.viewer.party, self.viewer.full
        return Asked(at=self.at, known=self.known, version=self.version, party=party, full=full)


class Asked(Described):
    """The moment and the viewer of an answer; null where they were not given."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    at: datetime | None = None
    """Only what had happened by then."""
    known: datetime | None = None
    """Only what had been recorded by then."""
    version: int | None = None
    """Only the first so many events of the log."""
    party: str | None = None
    """The party whose view it is; null for the operator's view."""
    full: bool = False
    """Whether both parties' private facts are shown."""


NOW = AsOf()
"""Everything that is recorded, as the operator sees it."""


# --- events ------------------------------------------------------------------------------------


def log(
    history: History,
    partnership: str,
    when: AsOf = NOW,
    within: range | None = None,
    *,
    third_party: bool = False,
) -> Iterator[Recorded]:
    """Return the events that answers for the viewer are made from, with people by name.

    `within` are the indexes of the only ones to read. `third_party` is for `sight_of`. Raises
    `NotFound`.
    """
    sight = sight_of(history, partnership, when, third_party=third_party)
    return filter(sight.reads, whole_log(history, partnership, when, within))


def whole_log(
    history: History, partnership: str, when: AsOf = NOW, within: range | None = None
) -> Iterator[Recorded]:
    """Return the events for every viewer, with people by name. Raises `NotFound`."""
    return map(Names(history, partnership).recorded, stored_log(history, partnership, when, within))


def stored_log(
    history: History, partnership: str, when: AsOf = NOW, within: range | None = None
) -> Iterator[Recorded]:
    """Return the events as they are stored, with people by commitment. Raises `NotFound`."""
    size = size_in(history, partnership, when)
    indexes = range(size) if within is None else range(within.start, min(within.stop, size))
    return when.of(history.of(partnership, indexes.start, indexes.stop))


def own_stream(history: History, partnership: str, when: AsOf = NOW) -> list[Recorded]:
    """Return the events of the partnership's own stream, with people by commitment.

    Measured facts (deals, metrics, entries) are in other streams, so it does not grow with them.
    """
    return list(when.of(history.streams([partnership])[partnership]))


def own_log(history: History, partnership: str, when: AsOf = NOW) -> Iterator[Recorded]:
    """Return the events of the own stream that answers for the viewer are made from, named.

    Raises `NotFound`.
    """
    size_in(history, partnership, when)
    sight = sight_of(history, partnership, when, figures=False)
    own = filter(sight.reads, own_stream(history, partnership, when))
    return map(Names(history, partnership).recorded, own)


# --- sizes -------------------------------------------------------------------------------------


def size_of(history: History, partnership: str) -> int:
    """Return how many events a partnership has. Raises `NotFound`, with similar names."""
    head = history.heads([partnership]).get(partnership)
    if head is None:
        raise NotFound(
            f"There is no partnership {partnership}.",
            _perhaps_partnership(history, partnership),
        )
    return head.size


def _perhaps_partnership(history: History, name: str) -> str:
    # A program has a subject of its own and is no partnership.
    near = nearest(name, partnerships(history), 6)
    programs = history.streams(f"{each}/{PROGRAM}" for each in near)
    begun = [each for each in near if not programs[f"{each}/{PROGRAM}"]]
    return perhaps(name, begun[:3], "See the list of partnerships.")


def size_in(history: History, partnership: str, when: AsOf) -> int:
    """Return the size of the log up to the asked version. Raises `NotFound` beyond its end."""
    size = size_of(history, partnership)
    if when.version is None:
        return size
    if not 1 <= when.version <= size:
        raise NotFound(
            f"{partnership} has {counted(size, 'event')}, so there is no version {when.version}.",
            f"Ask for version 1 to {size}.",
        )
    return when.version


class Extent(NamedTuple):
    """How much of a log is in range, and which event that the viewer sees was recorded last."""

    events: int
    """How many events are in range. Hidden ones count only up to the last one that is seen, and as
    of an `at` not at all."""
    last: int
    """The index of the last one that the viewer sees."""
    recorded_at: datetime
    """When that one was recorded."""


def extent(history: History, partnership: str, when: AsOf, sight: Sight) -> Extent | None:
    """Return the extent of a log as of a moment; None if no event that is seen is in range.

    Whoever asks again and again for other moments learns so of no hidden event when it happened or
    was recorded. Only `at` reads the whole log: for `known`, the end is found by bisection. Raises
    `NotFound`, and `UnreadableEvent` if an event that it looks at cannot be read.
    """
    size = size_in(history, partnership, when)
    if when.at is not None:
        return _extent_at(history, partnership, size, when, sight)
    known = size
    if when.known is not None:
        known = bisect_left(
            range(size),
            True,  # noqa: FBT003 - the first index that is after the moment
            key=lambda index: when.is_after(index, times_at(history, partnership, index)[1]),
        )
    last = last_shown(history, partnership, sight, known)
    if last is None:
        return None
    index, recorded_at = last
    return Extent(size if when.known is None else index + 1, index, recorded_at)


def _extent_at(
    history: History, partnership: str, size: int, when: AsOf, sight: Sight
) -> Extent | None:
    found, at = None, when.at
    for index, body, _ in history.entries(partnership, 0, size):
        occurred_at, recorded_at = _times(partnership, index, body)
        if when.is_after(index, recorded_at):
            break
        if (at is None or occurred_at <= at) and is_shown(sight, index, body):
            found = Extent(found.events + 1 if found else 1, index, recorded_at)
    return found


def last_shown(
    history: History, partnership: str, sight: Sight, size: int
) -> tuple[int, datetime] | None:
    """Return the last of the first `size` events that is seen: its index, when it was recorded."""
    for index in range(size - 1, -1, -1):
        body = _body(history, partnership, index)
        _, recorded_at = _times(partnership, index, body)
        if is_shown(sight, index, body):
            return index, recorded_at
    return None


def is_shown(sight: Sight, index: int, body: bytes) -> bool:
    """Return whether a viewer sees a stored event at all. Raises `UnreadableEvent`."""
    try:
        return sight.shows(decode(body, index=index))
    except UnknownEvent:
        # A newer release wrote it. It may be private, so no other party sees it.
        return sight.viewer.party in {None, orjson.loads(body)["party"]}


def times_at(history: History, partnership: str, index: int) -> tuple[datetime, datetime]:
    """Return when an event of any type happened and when it was recorded.

    Raises `UnreadableEvent`, also if the event is missing.
    """
    return _times(partnership, index, _body(history, partnership, index))


def recorded_at_of(
    history: History, partnership: str, indexes: Collection[int]
) -> dict[int, datetime]:
    """Return when some events were recorded, by their index; the log is read once.

    Raises `UnreadableEvent`.
    """
    if not indexes:
        return {}
    entries = history.entries(partnership, min(indexes), max(indexes) + 1)
    return {
        index: _times(partnership, index, body)[1] for index, body, _ in entries if index in indexes
    }


def _body(history: History, partnership: str, index: int) -> bytes:
    for body in history.bodies(partnership, index, index + 1):
        return body
    raise UnreadableEvent(f"{partnership}#{index}", "is missing.")


def _times(partnership: str, index: int, body: bytes) -> tuple[datetime, datetime]:
    try:
        envelope = orjson.loads(body)
        return stored_moment(envelope["occurred_at"]), stored_moment(envelope["recorded_at"])
    except (ValueError, LookupError, TypeError) as error:
        detail = f"cannot be read: {error}."
        raise UnreadableEvent(f"{partnership}#{index}", detail) from error


def moment_of(accord: Accord, partnership: str, when: AsOf) -> datetime:
    """Return the moment that deadlines are compared with. Raises `NotFound`.

    It is the moment that is asked about. For now it is the time of the latest record, so that an
    answer is the same until something is recorded. For a viewer that does not see all
    partnerships, it is the latest of the partnership itself.
    """
    return moments_of(accord, [partnership], when)[partnership]


def moments_of(accord: Accord, partnerships: Iterable[str], when: AsOf) -> dict[str, datetime]:
    """Return `moment_of` each of these partnerships; one that they share is read once."""
    shared = when.at or when.known
    if shared is None and when.viewer.of_all and when.is_now:
        shared = accord.history.last_recorded_at()
    return {each: shared or seen_until(accord.history, each, when) for each in partnerships}


def seen_until(history: History, partnership: str, when: AsOf) -> datetime:
    """Return when the last event that the viewer sees was recorded. Raises `NotFound`."""
    size, viewer = size_in(history, partnership, when), when.viewer
    for body in history.bodies(partnership, size - 1, size):
        if viewer.party is None or orjson.loads(body)["type"] in PERHAPS_HIDDEN:
            sight = Sight.of(viewer, own_stream(history, partnership, when.recorded))
            last = last_shown(history, partnership, sight, size)
            return last[1] if last else times_at(history, partnership, 0)[1]
    return times_at(history, partnership, size - 1)[1]


# --- viewers -----------------------------------------------------------------------------------


def sight_of(
    history: History,
    partnership: str,
    when: AsOf,
    *,
    figures: bool = True,
    third_party: bool = False,
) -> Sight:
    """Return what the viewer sees of a partnership. Raises `NotFound` for no party of it.

    An answer without `figures` does not need to know which of them are withheld, so the streams of
    metrics are not read for it. Only an answer with `third_party` can be given to the neutral third
    party of the data-sharing protocol, which sees figures and nothing of the partnership's life.
    """
    viewer = when.viewer
    if viewer.full:
        return Sight(viewer)
    size_in(history, partnership, when)
    known = when.recorded
    reported = history.below(f"{partnership}/metric") if figures else []
    sight = sight_among(chain(own_stream(history, partnership, known), known.of(reported)), when)
    if viewer.party is None:
        return sight
    if third_party and sight.is_third_party:
        return sight
    if viewer.party not in sight.parties:
        if sight.is_third_party:
            raise NotFound(
                f"{viewer.party} is the neutral third party of {partnership}. It sees the figures "
                "that it is given and those that it owes, and no other answer.",
                "Ask for the figures or the history (accord kpis, accord history), or the inbox.",
            )
        if not sight.parties and is_program_of(viewer.party, stored_log(history, partnership)):
            raise not_begun(history, partnership, when)
        latest = replace(when, at=None, known=None)
        if latest != when:
            # Raises for who is no party of it today either.
            sight_of(history, partnership, latest, figures=False)
            raise NotFound(
                f"{viewer.party} was not yet a party of {partnership} then.",
                "Ask about a later moment.",
            )
        hint = f"Ask as {' or '.join(sight.parties)}." if sight.parties else "Ask without a party."
        raise NotFound(f"{viewer.party} is not a party of {partnership}.", hint)
    return sight


def is_program_of(party: str, recorded: Iterable[Recorded]) -> bool:
    """Whether these are the events of a program that a party keeps."""
    return any(isinstance(x.event, PortfolioDefined) and x.act.party == party for x in recorded)


def sight_among(recorded: Iterable[Recorded], when: AsOf) -> Sight:
    """Return what the viewer sees, by all that was on record, whenever it happened (C14).

    A protocol is an agreement about who may look, so an earlier `at` opens nothing that the last
    protocol on record withholds. Only the parties are those of then, and a note stands only for
    figures that had been reported.
    """
    events = list(recorded)
    sight = Sight.of(when.viewer, events)
    if when.at is None:
        return sight
    happened = list(when.of(events))
    streams = {each.stream for each in happened}
    withheld = {name: each for name, each in sight.withheld.items() if name in streams}
    return replace(sight, parties=Sight.of(when.viewer, happened).parties, withheld=withheld)


def lacks_a_figure(accord: Accord, partnership: str, agreed: AgreedRow) -> bool:
    """Whether the operator's view lacks a figure of a partnership (C14).

    Then the saved rows do not answer it: they are folded from every figure.
    """
    return bool(agreed.cells) and not sight_of(accord.history, partnership, NOW).sees_every_figure


# --- views and hints ---------------------------------------------------------------------------


def view_rows(accord: Accord, projection: Projection, partnership: str) -> dict[str, Any]:
    """Return a partnership's saved rows of a projection, by key, each as its type.

    Rows that only the fold reads are left out.
    """
    stored = accord.views.select(projection.name, partnership, before=projection.facts_from)
    return {key: typed_row(projection, partnership, key, row) for key, row in stored}


def row_of_each(
    accord: Accord, projection: Projection, key: str, names: Iterable[str]
) -> dict[str, Any]:
    """Return one saved row of each partnership that has it, by partnership, as its type.

    Partnerships whose rows are being folded anew have none.
    """
    readable = undamaged(accord, names)
    stored = accord.views.rows(projection.name, [(name, key) for name in readable])
    return {name: typed_row(projection, name, key, row) for (name, _), row in stored.items()}


def undamaged(accord: Accord, names: Iterable[str]) -> list[str]:
    """Return the partnerships without those that have a damaged row, which are folded anew."""
    asked = list(names)
    quarantined = accord.views.quarantined(asked)
    return [name for name in asked if not (name in quarantined and quarantined[name].anew)]


def in_range(history: History, record: Quarantined, when: AsOf) -> bool:
    """Return whether an answer lacks the event from which on a partnership is quarantined."""
    index = record.index
    with suppress(UnreadableEvent):
        occurred_at, recorded_at = times_at(history, record.partnership, index)
        if when.is_after(index, recorded_at):
            return False
        return when.at is None or occurred_at <= when.at
    return True


def rows_of(
    projection: Projection,
    accord: Accord,
    partnership: str,
    when: AsOf = NOW,
    *,
    third_party: bool = False,
) -> dict[str, Any]:
    """Return a partnership's rows of a projection, by key, each as its type.

    They are the saved rows, or those of a replay if the viewer does not see all that they are
    folded from. `third_party` is for `sight_of`. Raises `NotFound`.
    """
    size_of(accord.history, partnership)
    if when == NOW:
        agreed = row_of_each(accord, KPIS, AGREED, [partnership]).get(partnership, NOTHING_AGREED)
        if not lacks_a_figure(accord, partnership, agreed):
            return view_rows(accord, projection, partnership)
    seen = log(accord.history, partnership, when, third_party=third_party)
    return replay(projection, seen).rows


def not_begun(history: History, name: str, when: AsOf) -> NotFound:
    """Return the error of a name under which no partnership had begun: a program, or too early."""
    if any(isinstance(each.event, PortfolioDefined) for each in stored_log(history, name, when)):
        return NotFound(
            f"{name} is no partnership. It has the limits of a portfolio.",
            "Ask for the portfolio, or name a partnership.",
        )
    return NotFound(f"{name} had not begun by then.", "Ask about a later moment.")


def nearest(name: str, known: Iterable[str], most: int = 3) -> list[str]:
    """Return the known names that are similar to a name, the most similar one first."""
    return get_close_matches(name, known if isinstance(known, list) else list(known), most, 0.5)


def perhaps(name: str, known: Iterable[str], otherwise: str) -> str:
    """Return the hint for an unknown name: the names similar to it, or else `otherwise`."""
    near = nearest(name, known)
    return f"Perhaps {' or '.join(near)}?" if near else otherwise


def of_each(names: Iterable[str], replayed: Callable[[str], R | None]) -> Iterator[R]:
    """Yield what the replay of each partnership comes to, if it comes to anything.

    Those that cannot be folded are left out. The answer names them (see `Question.reply`).
    """
    for name in names:
        with suppress(FoldFailed, UnreadableEvent):
            if (found := replayed(name)) is not None:
                yield found
