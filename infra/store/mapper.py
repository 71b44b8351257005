"""Recorded events as the eventsourcing library's stored events, in the project's own bytes."""

from collections.abc import Sequence
from typing import Any, cast

import orjson
from eventsourcing.persistence import Mapper, Notification, StoredEvent

from domain.recorded import Recorded
from infra.tlog.codec import decode, encode
from infra.tlog.merkle import leaf_hash

# The library's classes are frozen dataclasses; their constructors take three times as long as these
# do, and a replay makes one for each event.


class NewEvent(StoredEvent):
    """A stored event that is to be appended: the recorded event, and its canonical bytes.

    `index` is the index in its partnership's log that it must get, or `NOTHING` for the next one;
    a recorder fills it in. A copy has the bytes and the leaf hash of what it copies.
    """

    recorded: Recorded
    index: int
    leaf: bytes

    def __init__(
        self, recorded: Recorded, state: bytes | None = None, leaf: bytes | None = None
    ) -> None:
        fields = self.__dict__
        state = encode(recorded) if state is None else state
        fields["originator_id"] = recorded.stream
        fields["originator_version"] = recorded.version
        fields["topic"] = recorded.event.wire
        fields["state"] = state
        fields["leaf"] = leaf_hash(state) if leaf is None else leaf
        fields["recorded"] = recorded
        fields["index"] = recorded.index

    def place(self, index: int) -> None:
        """Note the index at which it is appended."""
        self.__dict__["index"] = index


class PlacedEvent(Notification):
    """A stored event with its place: `id` is its position plus one, `index` that in its log.

    The library numbers notifications from 1. A replay needs only the bytes and the place, so
    stream, version and topic are read from the bytes when a tool of the library asks for them.
    """

    index: int

    def __init__(self, state: bytes, id: int, index: int) -> None:
        fields = self.__dict__
        fields["state"] = state
        fields["id"] = id
        fields["index"] = index

    @property
    def originator_id(self) -> str:
        """The stream."""
        return str(self._envelope["stream"])

    @property
    def originator_version(self) -> int:
        """The version in the stream."""
        return int(self._envelope["stream_version"])

    @property
    def topic(self) -> str:
        """The wire name of the event's type."""
        return str(self._envelope["type"])

    @property
    def position(self) -> int:
        """The position among all events, from 0."""
        return self.id - 1

    @property
    def _envelope(self) -> dict[str, Any]:
        envelope: dict[str, Any] = orjson.loads(self.state)
        return envelope


class EventMapper(Mapper[str]):
    """Maps recorded events to stored events and back.

    The topic is the event's wire name. The library's own mapper imports whatever module a stored
    topic names; this one looks the name up in the closed registry.
    """

    def __init__(self) -> None:
        """Take no transcoder, because the codec writes the bytes."""

    # The recorder needs more than the library's protocol of an event has.
    def to_stored_event(  # type: ignore[override]
        self, domain_event: Recorded
    ) -> NewEvent:
        """Return the stored form of a recorded event."""
        return NewEvent(domain_event)

    def to_domain_event(self, stored_event: StoredEvent) -> Recorded:
        """Return the recorded event, with its index and position where they are known.

        Raises `UnknownEvent` for a type or version that this release does not know.
        """
        if isinstance(stored_event, PlacedEvent):
            return decode(
                stored_event.state, index=stored_event.index, position=stored_event.id - 1
            )
        return decode(stored_event.state)


def new_events(stored_events: Sequence[StoredEvent]) -> list[NewEvent]:
    """Return stored events as an `EventMapper` made them.

    Raises `TypeError` for others, which have no place in a history.
    """
    if not all(isinstance(each, NewEvent) for each in stored_events):
        raise TypeError("a history takes only events that its EventMapper made")
    return cast("list[NewEvent]", stored_events)
