"""The states that a batch decides on; they run ahead of the store until the batch is appended."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import NamedTuple

from domain import aggregates
from domain.aggregates import State
from domain.kernel import Act, Event
from domain.partnership import Partnership
from domain.people import PersonErased
from infra.tlog.codec import UnreadableEvent


def partnership_of(stream: str) -> str:
    """Return the partnership that a stream belongs to."""
    return stream.partition("/")[0]


@dataclass(slots=True)
class LogEnd:
    """The end of a partnership's log: its size in the store, and its size and last time here."""

    stored: int
    size: int
    recorded_at: datetime | None


class Mark(NamedTuple):
    """The state of a stream, its partnership's own one, and the end of that partnership's log."""

    stream: tuple[int, State]
    partnership: tuple[int, State]
    size: int
    recorded_at: datetime | None


class States:
    """The states of the streams that a batch changes, and the ends of their partnerships' logs.

    A stream with an event that cannot be read has an error instead of a state; `parties` has the
    parties of the partnerships with such a stream of their own.
    """

    def __init__(
        self,
        streams: dict[str, tuple[int, State]],
        ends: dict[str, LogEnd],
        unreadable: Mapping[str, UnreadableEvent] = MappingProxyType({}),
        parties: Mapping[str, tuple[str, ...]] = MappingProxyType({}),
    ) -> None:
        self.streams = streams
        self.ends = ends
        self.unreadable = unreadable
        self._parties = parties

    def state(self, stream: str) -> State:
        """Return the state of a stream. Raises `UnreadableEvent`."""
        self._check(stream)
        return self.streams[stream][1]

    def _check(self, stream: str) -> None:
        if stream in self.unreadable:
            raise self.unreadable[stream]

    def open(self, stream: str) -> None:
        """Add a stream that has no events, unless it is known."""
        self.streams.setdefault(stream, (0, aggregates.initial(stream)))

    def version(self, stream: str) -> int:
        """Return the version of a stream: the number of its events."""
        return self.streams[stream][0]

    def partnership(self, name: str) -> Partnership:
        """Return the state of a partnership's own stream. Raises `UnreadableEvent`."""
        self._check(name)
        state = self.streams[name][1]
        if not isinstance(state, Partnership):
            raise TypeError(name)
        return state

    def parties(self, name: str) -> tuple[str, ...]:
        """Return the parties of a partnership; as far as it can be read, if an event cannot."""
        if name in self.unreadable:
            return self._parties.get(name, ())
        return self.partnership(name).parties

    def erased(self, name: str) -> list[str]:
        """Return the commitments to people whose erasure a partnership has on record.

        Raises `UnreadableEvent`.
        """
        declarations = self.partnership(name).context.declarations
        return [each.person for each in declarations.of(PersonErased)]

    def not_before(self, name: str, moment: datetime) -> datetime:
        """Return a moment, or the time of a partnership's last event if that is later.

        The clocks of machines differ, and a partnership's record never runs backwards.
        """
        last = self.ends[name].recorded_at
        return moment if last is None or last < moment else last

    def evolved(self, stream: str, events: Iterable[Event], act: Act) -> tuple[int, State]:
        """Return the version and state of a stream after these events."""
        version, state = self.streams[stream]
        for event in events:
            version += 1
            state = aggregates.evolve(state, event, act)
        return version, state

    def move(self, stream: str, after: tuple[int, State], name: str, count: int, act: Act) -> None:
        """Set a stream's next state, and add `count` events to the log of partnership `name`."""
        self.streams[stream] = after
        end = self.ends[name]
        end.size += count
        end.recorded_at = act.recorded_at

    def mark(self, stream: str) -> Mark:
        """Return what recording in a stream can change, for `restore`."""
        name = partnership_of(stream)
        end = self.ends[name]
        return Mark(self.streams[stream], self.streams[name], end.size, end.recorded_at)

    def restore(self, stream: str, mark: Mark) -> None:
        """Go back to an earlier state of a stream and its partnership."""
        name = partnership_of(stream)
        self.streams[name] = mark.partnership
        self.streams[stream] = mark.stream
        self.ends[name].size, self.ends[name].recorded_at = mark.size, mark.recorded_at
