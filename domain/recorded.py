"""A recorded event: the event and its envelope."""

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Final

from domain.kernel import Act, Event
from domain.values import Text

UNSALTED: Final = "0" * 32
"""The salt of an event that protects nothing."""


class EventWithheld(Event, abstract=True):
    """The place of an event that an evidence bundle does not show.

    It is in a store that was opened from a bundle and in no record: it is not in the registry, so
    no log with it is verified. Nothing follows from it and nobody sees more of it than its place.
    """

    wire: ClassVar[str] = "EventWithheld"
    version: ClassVar[int] = 1

    why: Text
    """The reason why the bundle does not show the event, as the bundle has it."""


# Treat it as immutable. It is not declared frozen because a frozen dataclass takes five times as
# long to construct, and a replay constructs one for each event.
@dataclass(slots=True)
class Recorded:
    """One recorded event with its envelope.

    `position` counts all events of the store and `index` those of the partnership, both from 0
    without gaps. These two are stored beside the canonical bytes; everything else is in them.
    `stream` names the aggregate (the partnership's id, or ``id/deal/…``, ``id/metric/…``) and
    `version` is the place in it, from 1. `signed` is the digest of the signed command that caused
    the event, if the command was signed. `salt` is by chance, so that
    nobody can find what a hidden event says by trying what gives its leaf hash (docs/events.md).
    """

    partnership: str
    stream: str
    version: int
    event_id: str
    act: Act
    source: str
    source_id: str
    event: Event
    causation_id: str | None = None
    correlation_id: str | None = None
    signed: str | None = None
    salt: str = UNSALTED
    index: int = -1
    position: int = -1

    # The eventsourcing library knows stream and version by these names, so its tools take this.

    @property
    def originator_id(self) -> str:
        """The stream."""
        return self.stream

    @property
    def originator_version(self) -> int:
        """The version."""
        return self.version

    @property
    def ref(self) -> str:
        """How people name this event: the partnership and its index."""
        return f"{self.partnership}#{self.index}"

    @property
    def late_days(self) -> int:
        """The whole days between its happening and its recording; 0 on the first day."""
        return late_days(self.act.occurred_at, self.act.recorded_at)


def late_days(occurred_at: datetime, recorded_at: datetime) -> int:
    """Return the whole days between happening and recording; 0 on the first day."""
    return max(0, (recorded_at - occurred_at).days)
