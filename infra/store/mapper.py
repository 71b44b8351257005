"""The eventsourcing library's mapper over the project's own bytes and its closed registry."""

from eventsourcing.persistence import Mapper, Notification, StoredEvent

from domain.recorded import Recorded
from infra.tlog.codec import decode, encode


class EventMapper(Mapper[str]):
    """Maps recorded events to the library's stored events and back.

    The topic is the event's wire name. The library's own mapper imports whatever module a stored
    topic names; this one looks the name up in the registry and never imports it.
    """

    def __init__(self) -> None:
        """Need no transcoder: the codec writes the bytes."""

    # The library knows an event's stream and version as `originator_id` and
    # `originator_version`; the domain keeps its own words for them.
    def to_stored_event(  # type: ignore[override]
        self, domain_event: Recorded
    ) -> StoredEvent:
        """Give the stored form of a recorded event."""
        return StoredEvent(
            originator_id=domain_event.stream,
            originator_version=domain_event.version,
            topic=domain_event.event.wire,
            state=encode(domain_event),
        )

    def to_domain_event(  # type: ignore[override]
        self, stored_event: StoredEvent
    ) -> Recorded:
        """Give the recorded event; it knows its position if it comes as a notification."""
        position = stored_event.id if isinstance(stored_event, Notification) else -1
        return decode(stored_event.state, position=position)
