"""Events out: the store is the outbox, and what is appended to it goes to `accord.events`.

One relay is active at a time; others stand by. What was sent but not noted as sent before a stop
goes out once more; the order for each partnership stays, and readers know an event by its index.
"""

from contextlib import ExitStack, closing
from datetime import UTC, datetime
from functools import partial
from threading import Event

from infra.kafka import clients, messages
from infra.kafka.clients import Producer
from infra.kafka.topics import Topics
from infra.running.worker import Lag, WorkerProcess
from infra.settings import Settings
from infra.store.postgres import PostgresStore
from infra.store.postgres_datastore import LeaderLock
from infra.store.postgres_recorder import CHANNEL
from infra.store.postgres_views import PostgresViews

NAME = "relay"
"""Under this name the views keep how far the history was relayed."""

BATCH = 2000
"""Events sent before it is noted how far."""

POLL = 1.0
"""Seconds between two looks for new events, should no notice of them come."""


def run(settings: Settings, process: WorkerProcess) -> None:
    """Relay events until the process is told to stop."""
    with ExitStack() as stack:
        store = stack.enter_context(closing(PostgresStore.open(settings.store)))
        lead = stack.enter_context(LeaderLock(settings.store, NAME, CHANNEL))
        producer = stack.enter_context(Producer(settings.broker))
        topic = Topics(settings.topics).events
        relay = Relay(store, lead, producer, topic, process.stopping)
        process.lag = relay.lag
        process.unready_reasons = partial(clients.unready_reasons, settings.broker)
        process.repeat(relay.step)


class Relay:
    """Tails the history into the topic of events."""

    def __init__(
        self,
        store: PostgresStore,
        lead: LeaderLock,
        producer: Producer,
        topic: str,
        stopping: Event,
    ) -> None:
        self._store = store
        self._views = PostgresViews(store.datastore)
        self._lead = lead
        self._producer = producer
        self._topic = topic
        self._stopping = stopping
        self._position = 0

    def step(self) -> int:
        """Send the next events, or wait for some; give how many were sent."""
        if not self._lead.held:
            if not self._lead.take():
                self._stopping.wait(POLL)
                return 0
            self._position = self._views.cursor(NAME)
        batch = self._store.stored_after(self._position, BATCH)
        if not batch:
            self._lead.wait(POLL)
            return 0
        self._producer.send(messages.event(self._topic, each) for each in batch)
        self._views.move_cursor(NAME, batch[-1].position)
        self._position = batch[-1].position
        return len(batch)

    def lag(self) -> Lag:
        """Give how many events were recorded and not relayed, and for how long the first waits."""
        position = self._views.cursor(NAME)
        waiting = self._store.after(position, 1)
        if not waiting:
            return Lag()
        since = datetime.now(UTC) - waiting[0].act.recorded_at
        return Lag(self._store.size() - 1 - position, max(0.0, since.total_seconds()))
