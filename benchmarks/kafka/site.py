"""An installation to measure: a database and topics of its own, and processes as they always run.

Whatever is measured runs in a process of its own, ours and what it is set beside alike.
"""

import json
import os
import re
import sys
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter, sleep
from typing import NamedTuple
from urllib.request import urlopen

import orjson
from kafka import KafkaAdminClient, KafkaProducer

from dev.local.kafka import Broker
from dev.local.postgres import Postgres
from dev.local.processes import STARTS_WITHIN, DidNotStart, Process, until
from infra.bootstrap import migrate
from infra.kafka.topics import Topics
from infra.settings import PARTITIONS, Settings
from infra.store.postgres import PostgresStore
from infra.store.postgres_datastore import Datastore
from infra.store.views import LIVE

ACCORD = Path(sys.executable).with_name("accord")

LOOK = 0.1
"""Seconds between two looks at how far a process is: rarely enough to cost it nothing."""

SILENCE = 60
"""Seconds without any progress after which a measurement is given up."""

_TO_BE_FOLDED_ANEW = "TRUNCATE views.rows, views.positions, views.outputs, views.cursors"


@dataclass(frozen=True)
class Servers:
    """The one broker and the one database server of a run, and a folder for logs."""

    broker: Broker
    postgres: Postgres
    folder: Path


@contextmanager
def servers(folder: Path) -> Iterator[Servers]:
    """Start both, with a disk that is waited for. Raises `Missing` where one cannot be had."""
    with Postgres(fsync=True) as postgres, Broker(lasting=True) as broker:
        yield Servers(broker, postgres, folder)


class Work(NamedTuple):
    """What a process has done so far: messages or events, the batches, the seconds in them."""

    handled: int
    batches: int
    seconds: float


@dataclass(frozen=True)
class Worker:
    """One process of Accord that runs."""

    role: str
    process: Process
    health: str

    def handled(self) -> int:
        """Return how many messages or events it has handled."""
        return int(self._metrics().get("accord_handled_total", 0))

    def lag(self) -> int:
        """Return how many wait for it."""
        return int(self._metrics().get("accord_lag_events", 0))

    def work(self) -> Work:
        """Return what it has done."""
        found = self._metrics()
        return Work(
            int(found["accord_handled_total"]),
            int(found["accord_batch_seconds_count"]),
            found["accord_batch_seconds_sum"],
        )

    def _metrics(self) -> dict[str, float]:
        with urlopen(f"{self.health}/metrics", timeout=5) as page:  # noqa: S310 - ours
            found = re.findall(r'^(\w+){process="\w+"} (.+)$', page.read().decode(), re.MULTILINE)
        return {name: float(value) for name, value in found}


@dataclass(frozen=True)
class Site:
    """A fresh simulated store and its topics."""

    settings: Settings
    folder: Path
    topics: Topics = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "topics", Topics(self.settings.topics))

    def produce(self, raws: Iterable[bytes]) -> int:
        """Produce commands, each under the key of its partnership; give how many."""
        # As a backlog they are gathered, which takes a third of the time.
        producer = KafkaProducer(
            bootstrap_servers=self.settings.broker, batch_size=2**18, linger_ms=5
        )
        with closing(producer):
            sent = [
                producer.send(self.topics.commands, value=raw, key=partnership(raw)) for raw in raws
            ]
            producer.flush()
            for each in sent:
                each.get(SILENCE)
        return len(sent)

    def create(self, topic: str, **configs: str) -> str:
        """Create one more topic, with as many partitions as the others; give its name."""
        with closing(KafkaAdminClient(bootstrap_servers=self.settings.broker)) as admin:
            made = {"num_partitions": PARTITIONS, "replication_factor": 1, "configs": configs}
            admin.create_topics({topic: made}, wait_for_metadata=True)
        return topic

    @contextmanager
    def running(self, *roles: str) -> Iterator[list[Worker]]:
        """Return processes of these roles once all of them are started; stop them at the end."""
        processes: list[Process] = []
        try:
            # One by one, so that those that started are stopped should the next one fail.
            processes.extend(self._launched(role, [ACCORD, "run", role]) for role in roles)
            yield [
                Worker(role, each, self._health(each))
                for role, each in zip(roles, processes, strict=True)
            ]
        finally:
            for each in processes:
                each.stop()

    def bare(self, loop: str, topic: str, events: int) -> tuple[int, float]:
        """Run a bare loop (see `benchmarks.kafka.bare`); give how many it took, and seconds."""
        told = self.folder / f"{loop}-{uuid.uuid4().hex[:8]}.json"
        command = [sys.executable, "-m", "benchmarks.kafka.bare", loop]
        given = [self.settings.broker, self.settings.store, topic, str(events), str(told)]
        process = self._launched(loop, [*command, *given])
        try:
            if not until(lambda: not process.running, 10 * SILENCE) or not told.exists():
                raise DidNotStart(f"{loop} came to no end:\n{process.tail()}")
        finally:
            process.stop()
        count, seconds = json.loads(told.read_bytes())
        return count, seconds

    def forget(self) -> None:
        """Forget what projectors folded and read, so that others begin afresh."""
        with closing(Datastore(self.settings.store)) as datastore:
            datastore.run(_TO_BE_FOLDED_ANEW)
        with closing(KafkaAdminClient(bootstrap_servers=self.settings.broker)) as admin:
            admin.delete_groups([self.topics.projector])

    @contextmanager
    def history(self) -> Iterator[PostgresStore]:
        """Return the history."""
        with closing(PostgresStore.open(self.settings.store)) as history:
            yield history

    def check(self) -> None:
        """Raise `ValueError` unless everything that came was accepted."""
        with self.history() as history:
            if refused := history.refusals(limit=1):
                raise ValueError(f"everything should be accepted: {refused[0].detail}")

    @contextmanager
    def folded(self) -> Iterator[Callable[[], int]]:
        """Return what tells how many events are folded and saved."""
        asked = "SELECT coalesce(sum(idx + 1), 0)::int FROM views.positions WHERE track = %s"
        with closing(Datastore(self.settings.store)) as datastore:
            yield lambda: (datastore.one(asked, LIVE) or (0,))[0]

    def _launched(self, name: str, command: Sequence[str | Path]) -> Process:
        unique = f"{name}-{uuid.uuid4().hex[:8]}"
        process = Process(unique, self.folder, self.folder / f"{unique}.log", guarded=True)
        environment = os.environ | {
            "ACCORD_STORE": self.settings.store,
            "ACCORD_KAFKA": self.settings.broker,
            "ACCORD_TOPICS": self.settings.topics,
            "ACCORD_HEALTH": "127.0.0.1:0",
            # The bare loops are run as modules, from a folder where they are not.
            "PYTHONPATH": str(Path(__file__).parents[2]),
        }
        process.start(command, environment)
        return process

    def _health(self, process: Process) -> str:
        process.wait_until(lambda: _told_health(process.log) is not None, STARTS_WITHIN)
        return str(_told_health(process.log))


@contextmanager
def site(of: Servers, name: str) -> Iterator[Site]:
    """Return a site on these servers under a name that none had before."""
    settings = Settings(store=of.postgres.create(name), kafka=of.broker.address, topics=name)
    migrate(settings, simulated=True)
    yield Site(settings, of.folder)


def partnership(raw: bytes) -> bytes:
    """Return the key of a command: its partnership."""
    return str(orjson.loads(raw)["subject"]).encode()


def timed(
    count: Callable[[], int], total: int, begun: Callable[[], bool] = lambda: True
) -> tuple[int, float]:
    """Watch a count until it is `total`; give how many of them came in how many seconds.

    Both count from the first look at which there are any and it has `begun`: what starting takes,
    and what the first batch has to load, is not counted. Raises `DidNotStart` if it stands still.
    """
    any_at: tuple[int, float] | None = None
    begun_at: tuple[int, float] | None = None
    last, moved = 0, perf_counter()
    while (now := count()) < total:
        at = perf_counter()
        if now:
            any_at = any_at or (now, at)
            begun_at = begun_at or ((now, at) if begun() else None)
        if now != last:
            last, moved = now, at
        elif at - moved > SILENCE:
            raise DidNotStart(f"nothing moves at {now} of {total}")
        sleep(LOOK)
    # A small run may be over before it has begun, or between two looks.
    before, start = begun_at or any_at or (0, perf_counter() - LOOK)
    return now - before, perf_counter() - start


def _told_health(log: Path) -> str | None:
    for line in log.read_text(encoding="utf-8").splitlines():
        with suppress(orjson.JSONDecodeError, AttributeError):
            if found := orjson.loads(line).get("health"):
                return str(found)
    return None
