"""All of production on this machine: the real processes, beside a real broker and database."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote, urlsplit

import orjson
from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from infra.bootstrap import Accord, bootstrap, migrate
from infra.kafka.messages import event
from infra.kafka.topics import KEPT, Topics
from infra.settings import Settings
from infra.store.history import partnerships
from infra.store.mapper import PlacedEvent
from infra.store.postgres_datastore import LOGINS, WRITER, login_of
from infra.store.postgres_views import PostgresViews
from infra.store.views import Views
from infra.tlog.codec import canonical
from projections import KPIS, PROJECTIONS
from tests.feeds import event_of
from tests.parts import PATIENT

ACCORD = Path(sys.executable).parent / "accord"
ROLES = ("intake", "relay", "projector", "publisher", "courier")
PASSWORDS = {service: f"{service} of a test" for service in LOGINS}
"""The password of each service in a database that lives for one test."""
PARTITIONS = 4
READY_SECONDS = 60
SETTLED_SECONDS = 120
STOP_SECONDS = 30


@dataclass
class Running:
    """One process on a stream, with its log and the address of its health page."""

    role: str
    process: subprocess.Popen[bytes]
    log: Path

    def health(self) -> str | None:
        """The address that its log tells, once it does."""
        for line in self.log.read_text(encoding="utf-8").splitlines():
            with suppress(json.JSONDecodeError, AttributeError):
                if found := json.loads(line).get("health"):
                    return str(found)
        return None

    def ask(self, page: str) -> tuple[int, str]:
        """The status and the body of one of its pages."""
        if (address := self.health()) is None:
            return 0, "no health page yet"
        try:
            with urllib.request.urlopen(f"{address}{page}", timeout=5) as answer:  # noqa: S310 - ours
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()
        except OSError as error:
            return 0, str(error)

    def ready(self) -> bool:
        return self.process.poll() is None and self.ask("/readyz")[0] == 200

    def told(self) -> str:
        return f"{self.role}: {self.ask('/readyz')}\n{self.log.read_text()[-3000:]}"

    def end(self, by: signal.Signals = signal.SIGTERM) -> int:
        """End it, and give how it ended."""
        self.process.send_signal(by)
        return self.process.wait(STOP_SECONDS)


@dataclass
class Production:
    """A database and the topics of one test, and the processes on them."""

    settings: Settings
    folder: Path
    running: dict[str, Running] = field(default_factory=dict)

    @property
    def topics(self) -> Topics:
        return Topics(self.settings.topics)

    def start(
        self, role: str, name: str | None = None, command: Sequence[str | Path] = (ACCORD,)
    ) -> Running:
        """Start a process; several of one role have names of their own."""
        name = name or role
        log = self.folder / f"{name}-{uuid.uuid4().hex[:6]}.log"
        environment = os.environ | {
            "ACCORD_STORE": as_service(self.settings.store, role),
            "ACCORD_KAFKA": self.settings.broker,
            "ACCORD_TOPICS": self.settings.topics,
            "ACCORD_HEALTH": "127.0.0.1:0",
        }
        if LOGINS[role] == WRITER:
            environment["ACCORD_KEY"] = str(self.settings.key)
        with log.open("wb") as output:
            process = subprocess.Popen(
                [*command, "run", role],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        self.running[name] = Running(role, process, log)
        return self.running[name]

    def start_all(self) -> None:
        for role in ROLES:
            self.start(role)
        for name in self.running:
            self.wait_until_ready(name)

    def wait_until_ready(self, name: str) -> None:
        wait_for(self.running[name].ready, READY_SECONDS, self.running[name].told)

    def stop_all(self) -> None:
        for each in self.running.values():
            if each.process.poll() is None:
                each.process.send_signal(signal.SIGTERM)
        for each in self.running.values():
            try:
                each.process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                each.process.kill()
                each.process.wait()

    def reads(self, role: str) -> tuple[str, str]:
        """The group and the topic that a role reads."""
        topics = self.topics
        if role == "intake":
            return topics.intake, topics.commands
        return topics.projector, topics.events

    # --- what goes in and comes out ---

    def produce(self, raws: Iterable[bytes]) -> int:
        """Produce commands under the key of their partnership, as services do; give how many."""
        with closing(KafkaProducer(bootstrap_servers=self.settings.broker, **PATIENT)) as producer:
            sent = [
                producer.send(self.topics.commands, value=raw, key=subject(raw)) for raw in raws
            ]
            producer.flush()
            for each in sent:
                each.get(30)
        return len(sent)

    def settle(self, events: int, seconds: float = SETTLED_SECONDS) -> None:
        """Wait until so many events are recorded, folded and told."""
        with self.accord() as accord:

            def settled() -> bool:
                return accord.history.size() >= events and not self.behind(accord)

            def told() -> str:
                size = accord.history.size()
                return f"{size} of {events} events; {self.behind(accord)}; {self.logs()}"

            wait_for(settled, seconds, told)

    def behind(self, accord: Accord) -> str:
        """What is not folded or told yet, in words; nothing if all is."""
        sizes = {n: h.size for n, h in accord.history.heads(partnerships(accord.history)).items()}
        for projection in (each.name for each in PROJECTIONS):
            positions = accord.views.positions(projection, sizes)
            for name, size in sizes.items():
                if positions.get(name, -1) != size - 1:
                    return f"{projection} of {name} is at {positions.get(name, -1)} of {size - 1}"
        views = cast("PostgresViews", accord.views)
        said = views.outputs(max(0, views.cursor("publisher/outputs")))
        figures = views.moves(max(0, views.cursor(cursor_of_figures(views))), 1)
        trail = accord.history.size() - 1 - views.cursor("publisher/trail")
        return (
            f"{len(said)} outputs, {trail} items and figures of {figures} are not published"
            if said or trail or figures
            else ""
        )

    def logs(self) -> str:
        return "\n".join(each.told() for each in self.running.values())

    @contextmanager
    def accord(self) -> Iterator[Accord]:
        with bootstrap(self.settings) as accord:
            yield accord

    def consumed(self, *topics: str, isolation: str = "read_committed") -> list[Any]:
        """All messages that are in these topics; without any, in all of them."""
        names = topics or [f"{self.settings.topics}.{name}" for name in KEPT]
        return list(self.read(names, isolation=isolation))

    def read(
        self,
        topics: Sequence[str],
        starts: Mapping[TopicPartition, int] | None = None,
        isolation: str = "read_committed",
    ) -> Iterator[Any]:
        """Yield the messages of topics, from these offsets on."""
        consumer = KafkaConsumer(
            bootstrap_servers=self.settings.broker,
            **PATIENT,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            isolation_level=isolation,
        )
        with closing(consumer):
            yield from read_to_end(consumer, topics, starts or {})

    def ends(self, topic: str) -> dict[TopicPartition, int]:
        """How many messages are in each partition of a topic."""
        with closing(KafkaConsumer(bootstrap_servers=self.settings.broker, **PATIENT)) as consumer:
            parts = [TopicPartition(topic, p) for p in consumer.partitions_for_topic(topic) or ()]
            return dict(consumer.end_offsets(parts))


def as_service(database: str, service: str) -> str:
    """The address of a database for a service, with its password."""
    where = urlsplit(database)
    host = where.netloc.rpartition("@")[2]
    login = f"{login_of(service)}:{quote(PASSWORDS[service])}"
    return where._replace(netloc=f"{login}@{host}").geturl()


def read_to_end(
    consumer: KafkaConsumer,
    topics: Sequence[str],
    starts: Mapping[TopicPartition, int] | None = None,
) -> Iterator[Any]:
    """Yield what is in topics now, from their start or from these offsets on."""
    parts = [TopicPartition(t, p) for t in topics for p in consumer.partitions_for_topic(t) or ()]
    consumer.assign(parts)
    for part, offset in (starts or {}).items():
        consumer.seek(part, offset)
    ends = consumer.end_offsets(parts)
    while any(consumer.position(part) < ends[part] for part in parts):
        for messages in consumer.poll(1000).values():
            yield from messages


def subject(raw: bytes) -> bytes:
    """The partnership that a message is for; none where it cannot be read."""
    with suppress(orjson.JSONDecodeError, AttributeError, TypeError):
        return str(event_of(raw).get("subject", "")).encode()
    return b""


def wait_for(done: Callable[[], bool], seconds: float, told: Callable[[], str]) -> None:
    """Wait until it is done. To look takes time of what is waited for, so it is done less often."""
    limit, pause = time.monotonic() + seconds, 0.05
    while not done():
        if time.monotonic() > limit:
            raise AssertionError(f"not within {seconds} s: {told()}")
        time.sleep(pause)
        pause = min(pause * 1.5, 0.5)


@contextmanager
def production(
    database: str, broker: str, folder: Path, *, simulated: bool = True
) -> Iterator[Production]:
    """Return an empty installation with its topics; at the end its processes are stopped."""
    settings = Settings(
        store=database,
        kafka=broker,
        topics=f"t{uuid.uuid4().hex[:8]}",
        key=folder / f"operator-{uuid.uuid4().hex[:8]}.key",
        passwords=PASSWORDS,
    )
    migrate(settings, simulated=simulated, partitions=PARTITIONS)
    made = Production(settings, folder)
    try:
        yield made
    finally:
        made.stop_all()


# --- answers -----------------------------------------------------------------------------------

Answers = dict[str, dict[Any, bytes]]


def answers(accord: Accord) -> Answers:
    """Every event, every row of every view and everything that was said, as bytes."""
    names = list(partnerships(accord.history))
    said: dict[str, bytes] = {}
    number = 0
    while page := accord.views.outputs(number):
        said |= {each.id: canonical(each.body) for each in page}
        number = page[-1].number
    return {
        "events": {
            (name, index): body
            for name in names
            for index, body in enumerate(accord.history.bodies(name))
        },
        "rows": {
            (projection.name, name, key): canonical(row)
            for projection in PROJECTIONS
            for name in names
            for key, row in accord.views.select(projection.name, name)
        },
        "said": said,
    }


def relayed(events: Mapping[tuple[str, int], bytes]) -> dict[tuple[str, int], bytes | None]:
    """Return what is on the topic of events for these events, by partnership and index."""
    return {
        (name, index): event("", PlacedEvent(body, 1, index)).value
        for (name, index), body in events.items()
    }


def cursor_of_figures(views: Views) -> str:
    """Return the name of the cursor of the figures that were published."""
    return f"publisher/figures/{views.folds()[KPIS.name].id}"
