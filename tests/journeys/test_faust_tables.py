"""Why the projector keeps its rows in Postgres: docs/decisions/0006-no-faust-tables.md."""

import os
import sys
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import orjson
import pytest
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition

from dev.local import REPOSITORY
from dev.local.processes import Process, until
from tests.journeys import faust_tables
from tests.journeys.faust_tables import PARTITIONS
from tests.parts import Reachable

TRUTH = {f"partnership-{number}": 50 for number in range(4)}
EVENTS = sum(TRUTH.values())
NEVER, SOON = 3600.0, 0.5
"""Seconds between two commits of offsets."""
WITHIN = 60
"""Seconds in which a worker has done its part; it takes ten."""


@dataclass(frozen=True)
class Count:
    """One way to count, with the group that it reads in."""

    kind: str
    broker: str
    topic: str
    folder: Path

    @property
    def group(self) -> str:
        return f"{self.topic}-{self.kind}"

    @property
    def ledger(self) -> Path:
        return self.folder / "ledger"

    @contextmanager
    def worker(self, commit_seconds: float) -> Iterator[Process]:
        """A worker, killed at the end, as by the loss of its machine."""
        process = Process(self.kind, self.folder, self.folder / f"{self.kind}.log", guarded=True)
        arguments = (self.kind, self.broker, self.topic, self.group, commit_seconds, self.ledger)
        process.start(
            [sys.executable, "-m", "tests.journeys.faust_tables", *map(str, arguments)],
            {**os.environ, "PYTHONPATH": str(REPOSITORY)},
        )
        try:
            yield process
        finally:
            process.kill()

    def tabled(self) -> dict[str, int]:
        """What the table holds: the last value of each key in its changelog."""
        records = read(self.broker, faust_tables.changelog(self.group))
        return {str(orjson.loads(key)): int(orjson.loads(value)) for key, value in records}

    def committed(self) -> int:
        with closing(KafkaAdminClient(bootstrap_servers=self.broker)) as admin:
            offsets = admin.list_group_offsets({self.group: None})[self.group]
        return sum(each.offset for each in offsets.values())


@pytest.fixture
def topic(broker: Reachable) -> str:
    """A topic with the events, and the changelog of the table that counts them."""
    topic = f"counted-{uuid.uuid4().hex}"
    log = faust_tables.changelog(f"{topic}-table")
    with closing(KafkaAdminClient(bootstrap_servers=broker.address)) as admin:
        made = {"num_partitions": PARTITIONS, "replication_factor": 1}
        admin.create_topics({topic: made, log: {**made, "configs": {"cleanup.policy": "compact"}}})
    with closing(KafkaProducer(bootstrap_servers=broker.address)) as producer:
        for index in range(max(TRUTH.values())):
            for key in TRUTH:
                producer.send(topic, key=key.encode(), value=b"%d" % index)
        producer.flush()
    return topic


def read(broker: str, topic: str) -> list[tuple[bytes, bytes]]:
    """Everything that stands in a topic, in the order of each partition."""
    with closing(KafkaConsumer(bootstrap_servers=broker, enable_auto_commit=False)) as consumer:
        partitions = [TopicPartition(topic, number) for number in range(PARTITIONS)]
        consumer.assign(partitions)
        consumer.seek_to_beginning(*partitions)
        ends = consumer.end_offsets(partitions)
        found: list[tuple[bytes, bytes]] = []
        while any(consumer.position(each) < ends[each] for each in partitions):
            for records in consumer.poll(timeout_ms=500).values():
                found += [(each.key, each.value) for each in records]
        return found


def goes_on(table: Count) -> None:
    """Let another worker read what was not committed.

    One that has restored its table now and then says that it is ready and reads nothing, which is
    one reason more to do without tables; the next one reads.
    """
    told = []
    for _ in range(3):
        with table.worker(SOON) as worker:
            if until(lambda: table.committed() == EVENTS, WITHIN / 2):
                return
            told.append(worker.tail())
    raise AssertionError("\n".join(told))


def test_a_faust_table_counts_twice_what_it_had_not_committed_when_its_worker_was_killed(
    broker: Reachable, topic: str, tmp_path: Path
) -> None:
    table, rows = (Count(kind, broker.address, topic, tmp_path) for kind in ("table", "rows"))
    faust_tables.prepare(rows.ledger, TRUTH)

    with table.worker(NEVER) as first, rows.worker(NEVER) as other:
        assert until(lambda: table.tabled() == TRUTH, WITHIN), first.tail()
        assert until(lambda: faust_tables.counted(rows.ledger) == (TRUTH, EVENTS), WITHIN), (
            other.tail()
        )
    assert table.committed() == rows.committed() == 0

    with rows.worker(SOON) as other:
        assert until(lambda: rows.committed() == EVENTS, WITHIN), other.tail()
    goes_on(table)

    tabled = table.tabled()
    assert all(tabled[key] > count for key, count in TRUTH.items())
    assert faust_tables.counted(rows.ledger) == (TRUTH, 2 * EVENTS)
