"""Loads the state that a batch is decided on, and caches it while nobody else writes."""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

from domain import aggregates
from domain.aggregates import State
from domain.partnership import parties_after
from domain.recorded import Recorded
from infra.deciding.pseudonyms import Pseudonyms, SaltSource
from infra.deciding.recording import Cached, Recorder
from infra.deciding.states import LogEnd, States, partnership_of
from infra.running.cache import evict
from infra.store.history import Head, History
from infra.tlog.codec import UnreadableEvent, decode
from projections.breaches import Judged

T = TypeVar("T")


@dataclass(slots=True)
class _Known:
    """The last end of a partnership's log that this process has seen."""

    size: int = 0
    recorded_at: datetime | None = None


class _Cache(Generic[T]):
    """Values that are valid while the `_Known` of their partnership is the same object."""

    def __init__(self) -> None:
        self._values: dict[str, tuple[_Known, T]] = {}

    def get(self, name: str, known: _Known | None) -> T | None:
        found = self._values.get(name)
        return found[1] if found and found[0] is known else None

    def put(self, name: str, known: _Known, value: T) -> None:
        # Move used entries to the end, so that the least recently used is evicted first.
        self._values.pop(name, None)
        self._values[name] = known, value

    def evict(self) -> None:
        evict(self._values)


class Loader:
    """Reads states and people from the history, and caches them from one batch to the next."""

    def __init__(self, history: History, salts: SaltSource) -> None:
        self._history = history
        self._salts = salts
        self._known: dict[str, _Known] = {}
        self._streams: _Cache[tuple[int, State]] = _Cache()
        self._judged: _Cache[Judged] = _Cache()
        self._quiet: _Cache[datetime] = _Cache()
        self._unasked: _Cache[datetime] = _Cache()
        self._people: _Cache[Pseudonyms] = _Cache()

    def states(self, partnerships: Iterable[str], streams: Iterable[str]) -> States:
        """Return the states of these streams, and of the partnerships' own ones."""
        partnerships = list(partnerships)
        heads = self._history.heads(partnerships)
        for name in partnerships:
            self._check(name, heads.get(name))
        ends = {}
        for name in partnerships:
            known = self._known[name]
            ends[name] = LogEnd(known.size, known.size, known.recorded_at)
        unreadable: dict[str, UnreadableEvent] = {}
        loaded = self._loaded(dict.fromkeys([*partnerships, *streams]), unreadable)
        damaged = [each for each in partnerships if each in unreadable]
        parties = {each: self._readable_parties(each) for each in damaged}
        return States(loaded, ends, unreadable, parties)

    def _readable_parties(self, name: str) -> tuple[str, ...]:
        """Return the parties that the events of a partnership name, without the unreadable ones."""
        parties: tuple[str, ...] = ()
        for index, body, _ in self._history.entries(name, 0, self._known[name].size):
            with suppress(UnreadableEvent):
                recorded = decode(body, index=index)
                parties = parties_after(recorded.event, recorded.act, parties)
            if len(parties) > 1:
                break
        return parties

    def _check(self, name: str, head: Head | None) -> None:
        """Evict a partnership from the cache if another writer appended to it."""
        known = self._known.pop(name, None)
        if known is None or known.size != (head.size if head else 0):
            known = _Known(head.size, head.recorded_at) if head else _Known()
        self._known[name] = known

    def _loaded(
        self, streams: Iterable[str], unreadable: dict[str, UnreadableEvent]
    ) -> dict[str, tuple[int, State]]:
        states: dict[str, tuple[int, State]] = {}
        missing = []
        for stream in streams:
            cached = self._streams.get(stream, self._known[partnership_of(stream)])
            if cached:
                states[stream] = cached
            else:
                missing.append(stream)
        # A partnership without events has no streams to read.
        stored = [each for each in missing if self._known[partnership_of(each)].size]
        found = self._stored(stored, unreadable) if stored else {}
        for stream in missing:
            version, state = 0, aggregates.initial(stream)
            for recorded in found.get(stream, ()):
                state = aggregates.evolve(state, recorded.event, recorded.act)
                version = recorded.version
            states[stream] = version, state
        return states

    def _stored(
        self, streams: list[str], unreadable: dict[str, UnreadableEvent]
    ) -> dict[str, list[Recorded]]:
        try:
            return self._history.streams(streams)
        except UnreadableEvent as error:
            if len(streams) == 1:
                unreadable[streams[0]] = error
                return {}
        # One stream that cannot be read must not stop what is decided on the others.
        return {
            name: events
            for each in streams
            for name, events in self._stored([each], unreadable).items()
        }

    def cached(self, states: States) -> Cached:
        """Return what is cached of the partnerships of these states, and the people of each."""
        people = {name: self._people_of(name, states) for name in states.ends}
        caches = self._of(states, self._judged), self._of(states, self._quiet)
        return Cached(people, *caches, self._of(states, self._unasked))

    def _of(self, states: States, cache: _Cache[T]) -> dict[str, T]:
        found = {name: cache.get(name, self._known[name]) for name in states.ends}
        return {name: value for name, value in found.items() if value is not None}

    def _people_of(self, name: str, states: States) -> Pseudonyms:
        known = self._known[name]
        cached = self._people.get(name, known)
        if cached is not None:
            return cached
        if not known.size or name in states.unreadable:
            return Pseudonyms(name, self._salts)
        return Pseudonyms.of(self._history, name, self._salts, states.erased(name))

    def forget(self, partnerships: Iterable[str]) -> None:
        """Evict these partnerships from the cache: another writer was first."""
        for name in partnerships:
            self._known.pop(name, None)

    def remember(self, recorder: Recorder, placed: Iterable[Recorded]) -> None:
        """Cache what a recorder has after the events of its batch were appended."""
        states = recorder.states
        expected = {name: end.stored for name, end in states.ends.items()}
        interleaved = set()
        for event in placed:
            name = event.partnership
            if event.index != expected[name]:
                interleaved.add(name)
            expected[name] = event.index + 1
        for name in states.ends:
            known = self._known[name]
            known.size, known.recorded_at = expected[name], states.ends[name].recorded_at
        for stream, state in states.streams.items():
            self._streams.put(stream, self._known[partnership_of(stream)], state)
        for name, each in recorder.people.items():
            self._people.put(name, self._known[name], each)
        for name, rows in recorder.judged.items():
            self._judged.put(name, self._known[name], rows)
        for name, moment in recorder.quiet.items():
            self._quiet.put(name, self._known[name], moment)
        for name, moment in recorder.unasked.items():
            self._unasked.put(name, self._known[name], moment)
        # Another writer appended events in between.
        self.forget(interleaved)
        self.forget(map(partnership_of, states.unreadable))
        for cache in (self._streams, self._people, self._judged, self._quiet, self._unasked):
            cache.evict()
        evict(self._known)
