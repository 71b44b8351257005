"""Sends recorded events to `accord.events`; the store is the outbox.

One relay is active at a time, and others stand by. Events that were sent, but whose cursor was not
saved before a stop, are sent again. The order of each partnership stays, and readers recognise an
event by its index. What a party may keep to itself is sent as a hash alone.
"""

from contextlib import ExitStack, closing
from datetime import UTC, datetime
from functools import partial

from consumers.sender import Sender
from infra.kafka import clients, messages
from infra.kafka.clients import FencedProducer
from infra.kafka.cluster import Cluster
from infra.kafka.topics import Topics
from infra.running.leader import Leader, Lease
from infra.running.worker import LEADS, LEADS_HELP, Lag, WorkerProcess
from infra.settings import Settings
from infra.store.postgres import PostgresStore
from infra.store.postgres_recorder import CHANNEL
from infra.store.postgres_views import PostgresViews

NAME = "relay"
"""The role of the leader, and the name of the cursor in the history."""

BATCH = 2000
"""Events sent before the cursor is saved."""

POLL = 1.0
"""Seconds between two checks for new events if no notification arrives."""


def run(settings: Settings, process: WorkerProcess) -> None:
    """Relay events until the process stops."""
    with ExitStack() as stack:
        store = stack.enter_context(closing(PostgresStore.open(settings.store)))
        topics, cluster = Topics(settings.topics), Cluster.of(settings)
        lease = stack.enter_context(Lease(settings.store, NAME, CHANNEL))
        producer = FencedProducer(cluster, topics.transactional_id(NAME))
        sender = Sender(lease, stack.enter_context(producer))
        relay = Relay(store, sender, topics.events)
        process.lag = relay.lag
        process.unready_reasons = partial(clients.unready_reasons, cluster)
        process.gauges[LEADS] = LEADS_HELP, lambda: float(lease.held)
        process.repeat(Leader(lease, relay, process.stopping).step)


class Relay:
    """Sends the history to the topic of events."""

    def __init__(self, store: PostgresStore, sender: Sender, topic: str) -> None:
        self._store = store
        self._views = PostgresViews(store.datastore)
        self._sender = sender
        self._topic = topic
        self._position = 0

    def take_over(self) -> None:
        """Go on where the last relay saved its cursor."""
        self._sender.take_over()
        self._position = self._views.cursor(NAME)

    def step(self) -> int:
        """Send the next events; return how many."""
        batch = self._store.stored_after(self._position, BATCH)
        if not batch:
            return 0
        traces = self._store.traces(batch[0].position, batch[-1].position)
        self._sender.send(
            [messages.event(self._topic, each, traces.get(each.position)) for each in batch]
        )
        self._sender.move_cursor(self._views, NAME, batch[-1].position)
        self._position = batch[-1].position
        return len(batch)

    def pause(self) -> float:
        """Return the seconds until the next check."""
        return POLL

    def lag(self) -> Lag:
        """Return how many events are not relayed, and for how long the first of them waits."""
        position = self._views.cursor(NAME)
        waiting = self._store.after(position, 1)
        if not waiting:
            return Lag()
        since = datetime.now(UTC) - waiting[0].act.recorded_at
        return Lag(self._store.size() - 1 - position, max(0.0, since.total_seconds()))
