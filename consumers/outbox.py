"""The history as an outbox: one leader sends what follows from its events, from its cursor on.

Events that were sent, but whose cursor was not saved before a stop, are sent again.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from functools import partial
from typing import ClassVar

from consumers.sender import Sender
from infra.kafka import clients
from infra.kafka.clients import FencedProducer
from infra.kafka.cluster import Cluster
from infra.kafka.messages import Message
from infra.kafka.topics import Topics
from infra.running.leader import Leader, Lease
from infra.running.worker import LEADS, LEADS_HELP, Lag, WorkerProcess
from infra.settings import Settings
from infra.store.mapper import PlacedEvent
from infra.store.postgres import PostgresStore
from infra.store.postgres_recorder import CHANNEL
from infra.store.postgres_views import PostgresViews

POLL = 1.0
"""Seconds between two checks for new events if no notification arrives."""


class Outbox(ABC):
    """Sends messages about each event, in the order of the history."""

    name: ClassVar[str]
    """The role of the leader, and the name of the cursor in the history."""
    batch: ClassVar[int]
    """Events whose messages are sent before the cursor is saved."""

    def __init__(self, store: PostgresStore, sender: Sender) -> None:
        self._store = store
        self._views = PostgresViews(store.datastore)
        self._sender = sender
        self._position = 0

    @abstractmethod
    def messages_of(self, events: Sequence[PlacedEvent]) -> list[Message]:
        """Return the messages about events that follow each other in the history."""

    def forget(self) -> None:  # noqa: B027 - an outbox without a cache forgets nothing
        """Drop what is cached: the next events may not be those after the last ones."""

    def take_over(self) -> None:
        """Continue from the saved cursor."""
        self._sender.take_over()
        self._position = self._views.cursor(self.name)
        self.forget()

    def step(self) -> int:
        """Send the messages about the next events; return of how many events."""
        events = self._store.stored_after(self._position, self.batch)
        if not events:
            return 0
        try:
            self._sender.send(self.messages_of(events))
            self._sender.move_cursor(self._views, self.name, events[-1].position)
        except Exception:
            self.forget()
            raise
        self._position = events[-1].position
        return len(events)

    def pause(self) -> float:
        """Return the seconds until the next check."""
        return POLL

    def lag(self) -> Lag:
        """Return of how many events nothing is sent yet, and how long the first one waits."""
        position = self._views.cursor(self.name)
        waiting = self._store.after(position, 1)
        if not waiting:
            return Lag()
        since = datetime.now(UTC) - waiting[0].act.recorded_at
        return Lag(self._store.size() - 1 - position, max(0.0, since.total_seconds()))


Made = Callable[[PostgresStore, Sender, Cluster, Topics], Outbox]
"""Makes an outbox of a store, which sends to a cluster."""


def run(settings: Settings, process: WorkerProcess, name: str, make: Made) -> None:
    """Send until the process stops, whenever it leads in the role `name`."""
    with ExitStack() as stack:
        store = stack.enter_context(closing(PostgresStore.open(settings.store)))
        topics, cluster = Topics(settings.topics), Cluster.of(settings)
        lease = stack.enter_context(Lease(settings.store, name, CHANNEL))
        producer = FencedProducer(cluster, topics.transactional_id(name))
        sender = Sender(lease, stack.enter_context(producer))
        outbox = make(store, sender, cluster, topics)
        process.lag = outbox.lag
        process.unready_reasons = partial(clients.unready_reasons, cluster)
        process.gauges[LEADS] = LEADS_HELP, lambda: float(lease.held)
        process.repeat(Leader(lease, outbox, process.stopping).step)
