"""Bare loops, each in a process of its own: the clients alone, on the same broker and topics.

``python -m benchmarks.kafka.bare LOOP BROKER STORE TOPIC EVENTS RESULT`` writes to the file RESULT
how many events it took in how many seconds. Both count from the end of its first batch, as they do
for the processes of Accord.
"""

import json
import os
import sys
from contextlib import closing
from pathlib import Path
from time import perf_counter
from typing import Any, Final, cast

import faust
from faust.types import StreamT
from faust.worker import Worker
from kafka import KafkaProducer

from consumers import faust_app, relay
from consumers.faust_app import application
from infra.deciding.group_commit import GATHERED
from infra.kafka import clients, messages
from infra.kafka.cluster import Cluster
from infra.settings import PARTITIONS
from infra.store.postgres import PostgresStore

TICK: Final = 0.02
"""Seconds after which Faust hands over the batch that has gathered."""

TABLE: Final = "counts"
"""The name of the Faust table; its changelog is the topic `changelog` of its group."""


class Clock:
    """Counts what was taken, from the end of the first batch to the last of all."""

    def __init__(self, total: int, result: Path) -> None:
        self._left = total
        self._result = result
        self._counted = 0
        self._since = 0.0

    def took(self, count: int) -> bool:
        """Note that so many were taken; whether that was the last of them, and is written down."""
        self._left -= count
        if not self._since:
            self._since = perf_counter()
        else:
            self._counted += count
        if self._left > 0:
            return False
        self._result.write_text(json.dumps([self._counted, perf_counter() - self._since]))
        return True


def changelog(group: str) -> str:
    """Return the topic that Faust keeps a group's table in."""
    return f"{group}-{TABLE}-changelog"


def group(loop: str, topic: str) -> str:
    """Return the group that a loop reads a topic in."""
    return f"{topic}-{loop}"


# --- kafka-python --------------------------------------------------------------------------------


def poll(broker: str, topic: str, clock: Clock) -> None:
    """Poll as many at a time as the intake, with its settings, and commit."""
    with closing(clients.consumer(Cluster(broker), topic, group("poll", topic))) as inbox:
        done = False
        while not done:
            found = inbox.poll(timeout_ms=500, max_records=GATHERED)
            if count := sum(map(len, found.values())):
                inbox.commit()
                done = clock.took(count)


def send(broker: str, topic: str, clock: Clock, store: str) -> None:
    """Send what the relay would, as many at a time and with its settings, and flush."""
    with closing(PostgresStore.open(store)) as history:
        events = history.stored_after(-1, history.size())
    ready = [messages.event(topic, each) for each in events]
    settings = {"batch_size": 256 * 1024, "linger_ms": 1, "max_request_size": clients.LARGEST}
    with closing(KafkaProducer(bootstrap_servers=broker, **settings)) as producer:
        for start in range(0, len(ready), relay.BATCH):
            batch = ready[start : start + relay.BATCH]
            for each in batch:
                key = (each.key or "").encode()
                producer.send(topic, key=key, value=each.value, headers=each.headers)
            producer.flush()
            clock.took(len(batch))


# --- Faust ---------------------------------------------------------------------------------------


def acknowledge(broker: str, topic: str, clock: Clock) -> None:
    """Take each event and do nothing; Faust acknowledges it."""

    async def agent(stream: StreamT[bytes]) -> None:
        async for _ in stream:
            if clock.took(1):
                _end()

    _run(_app("acknowledge", broker, topic), topic, agent)


def gather(broker: str, topic: str, clock: Clock) -> None:
    """Take batches as Faust gives them, and do nothing but acknowledge them."""

    async def agent(stream: StreamT[bytes]) -> None:
        batches = cast("faust.Stream[Any]", stream).noack_take(faust_app.POLLED, TICK)
        async for events in batches:
            for event in events:
                event.ack()
            if clock.took(len(events)):
                _end()

    _run(_app("gather", broker, topic), topic, agent)


def count(broker: str, topic: str, clock: Clock) -> None:
    """Count the events of each key in a Faust table, which is kept in memory and in a changelog."""
    app = _app("count", broker, topic)
    counts = app.Table(TABLE, default=int, partitions=PARTITIONS)

    async def agent(stream: StreamT[bytes]) -> None:
        async for event in stream.events():
            counts[cast("bytes", event.key).decode()] += 1
            if clock.took(1):
                _end()

    _run(app, topic, agent)


def _app(loop: str, broker: str, topic: str) -> faust.App:
    return application(Cluster(broker), group(loop, topic))


def _run(app: faust.App, topic: str, agent: Any) -> None:  # noqa: ANN401 - Faust calls it
    events = app.topic(
        topic, key_type=bytes, value_type=bytes, key_serializer="raw", value_serializer="raw"
    )
    app.agent(events)(agent)
    worker = Worker(app, quiet=True, override_logging=False, redirect_stdouts=False)
    worker.execute_from_commandline()


def _end() -> None:
    # All is counted. To leave in order would take seconds in which nothing is measured.
    os._exit(0)


LOOPS = {"poll": poll, "acknowledge": acknowledge, "gather": gather, "count": count}


def _main(loop: str, broker: str, store: str, topic: str, *clocked: str) -> None:
    events, result = clocked
    clock = Clock(int(events), Path(result))
    if loop == "send":
        send(broker, topic, clock, store)
    else:
        LOOPS[loop](broker, topic, clock)


if __name__ == "__main__":
    _main(*sys.argv[1:])
