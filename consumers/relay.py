"""Sends recorded events to `accord.events`; the store is the outbox.

One relay is active at a time, and others stand by. Events that were sent, but whose cursor was not
saved before a stop, are sent again. The order of each partnership stays, and readers recognise an
event by its index. What a party may keep to itself is sent as a hash alone.
"""

from collections.abc import Sequence

from consumers import outbox
from consumers.outbox import Outbox
from consumers.sender import Sender
from infra.kafka import messages
from infra.kafka.messages import Message
from infra.running.worker import WorkerProcess
from infra.settings import Settings
from infra.store.mapper import PlacedEvent
from infra.store.postgres import PostgresStore

NAME = "relay"
"""The role of the leader, and the name of the cursor in the history."""

BATCH = 2000
"""Events sent before the cursor is saved."""


def run(settings: Settings, process: WorkerProcess) -> None:
    """Relay events until the process stops."""
    outbox.run(
        settings,
        process,
        NAME,
        lambda store, sender, _, topics: Relay(store, sender, topics.events),
    )


class Relay(Outbox):
    """Sends the history to the topic of events."""

    name = NAME
    batch = BATCH

    def __init__(self, store: PostgresStore, sender: Sender, topic: str) -> None:
        super().__init__(store, sender)
        self._topic = topic

    def messages_of(self, events: Sequence[PlacedEvent]) -> list[Message]:
        """Return a message for each event, with its trace."""
        traces = self._store.traces(events[0].position, events[-1].position)
        return [messages.event(self._topic, each, traces.get(each.position)) for each in events]
