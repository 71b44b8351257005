"""Recorded events, appended and read through the eventsourcing library's recorder and mapper."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Protocol

from eventsourcing.persistence import IntegrityError, StoredEvent

from domain.recorded import Recorded
from infra.store.errors import Conflict
from infra.store.history import NO_WRITES, NOTHING, History, Page, Refusal, Writes, placed_at
from infra.store.mapper import EventMapper, PlacedEvent
from infra.store.paging import by_index
from infra.store.signal import Signal
from infra.tlog.codec import UnreadableEvent, decode


class EventRecorder(Protocol):
    """What an `EventLog` needs of a recorder."""

    def insert_events(
        self, stored_events: Sequence[StoredEvent], *, writes: Writes
    ) -> Sequence[int] | None:
        """Append events and everything that `History.append` writes with them; return their ids."""

    def select_streams(self, names: Iterable[str]) -> Sequence[PlacedEvent]:
        """Return the events of all these streams, by stream and version."""

    def select_below(self, stream: str) -> Sequence[PlacedEvent]:
        """Return the events of all streams whose names begin with `stream` and a slash."""

    def select_log(self, partnership: str, start: int, stop: int) -> list[PlacedEvent]:
        """Return a partnership's events from index `start` to before `stop`."""

    def select_following(self, reached: Mapping[str, int], limit: int) -> Sequence[PlacedEvent]:
        """Return the next events of these partnerships, each after an index, at most `limit`."""

    def select_entries(
        self, partnership: str, start: int, stop: int
    ) -> list[tuple[int, bytes, bytes]]:
        """Return the index, the bytes and the leaf hash of the same events."""

    def select_leaves(self, partnership: str, start: int, stop: int) -> list[bytes]:
        """Return the leaf hashes of the same events."""

    def select_notifications(self, start: int | None, limit: int) -> Sequence[PlacedEvent]:
        """Return the next events by their ids, from id `start` on."""

    def select_place(self, position: int) -> tuple[str, int]:
        """Return the partnership and the index of the event at a position."""

    def max_notification_id(self) -> int | None:
        """Return the largest id, which is the number of all events."""


class EventLog(History):
    """The part of a `History` that needs only a recorder."""

    def __init__(self, recorder: EventRecorder) -> None:
        self._recorder = recorder
        self._mapper = EventMapper()
        self._appended = Signal()

    def subscribe(self, callback: Callable[[], None]) -> Callable[[], None]:
        return self._appended.subscribe(callback)

    def append(self, events: Sequence[Recorded], writes: Writes = NO_WRITES) -> list[Recorded]:
        # The bytes are made before the lock is taken, so that others wait less.
        stored = list(map(self._mapper.to_stored_event, events))
        try:
            ids = self._recorder.insert_events(stored, writes=writes)
        except IntegrityError as error:
            raise Conflict(f"another writer was first: {error}") from error
        self._appended.notify()
        return [
            placed_at(event, each.index, notification - 1)
            for event, each, notification in zip(events, stored, ids or (), strict=True)
        ]

    def streams(self, names: Iterable[str]) -> dict[str, list[Recorded]]:
        streams: dict[str, list[Recorded]] = {name: [] for name in names}
        of = {each.partition("/")[0] for each in streams}
        read = partial(_decoded, of.pop() if len(of) == 1 else "")
        for event in map(read, self._recorder.select_streams(streams)):
            streams[event.stream].append(event)
        return streams

    def below(self, stream: str) -> list[Recorded]:
        return list(map(self._mapper.to_domain_event, self._recorder.select_below(stream)))

    def stored_after(self, position: int, limit: int) -> Sequence[PlacedEvent]:
        """Return the next events after `position` as they are stored, at most `limit`."""
        return self._recorder.select_notifications(position + 2, limit)

    def after(self, position: int, limit: int) -> list[Recorded]:
        return list(map(self._mapper.to_domain_event, self.stored_after(position, limit)))

    def readable_after(self, position: int, limit: int) -> Page:
        return self._readable(self.stored_after(position, limit), position)

    def _readable(self, stored: Sequence[PlacedEvent], position: int) -> Page:
        last = stored[-1].position if stored else position
        try:
            return Page(list(map(self._mapper.to_domain_event, stored)), (), last)
        except UnreadableEvent:
            return self._page(stored, last)

    def _page(self, stored: Sequence[PlacedEvent], last: int) -> Page:
        events, unreadable = [], []
        for each in stored:
            try:
                events.append(self._mapper.to_domain_event(each))
            except UnreadableEvent:
                unreadable.append(self._recorder.select_place(each.position))
        return Page(events, unreadable, last)

    def of(self, partnership: str, start: int = 0, stop: int | None = None) -> Iterator[Recorded]:
        read = partial(self._recorder.select_log, partnership)
        return map(partial(_decoded, partnership), by_index(read, start, stop))

    def following(self, reached: Mapping[str, int], limit: int) -> Page:
        return self._readable(self._recorder.select_following(reached, limit), NOTHING)

    def entries(
        self, partnership: str, start: int = 0, stop: int | None = None
    ) -> Iterator[tuple[int, bytes, bytes]]:
        return by_index(partial(self._recorder.select_entries, partnership), start, stop)

    def bodies(self, partnership: str, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
        return (body for _, body, _ in self.entries(partnership, start, stop))

    def leaves(self, partnership: str, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
        return by_index(partial(self._recorder.select_leaves, partnership), start, stop)

    def refusal(self, number: int) -> Refusal | None:
        found = self.refusals(state=None, after=number - 1, limit=1)
        return found[0] if found and found[0].number == number else None

    def size(self) -> int:
        return self._recorder.max_notification_id() or 0


def _decoded(of: str, placed: PlacedEvent) -> Recorded:
    """Return an event of a partnership. Raises `UnreadableEvent`, which names the partnership."""
    return decode(placed.state, index=placed.index, position=placed.position, of=of)
