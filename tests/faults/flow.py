"""A flow of commands, and what befalls the processes and servers meanwhile."""

import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass, field
from random import Random
from signal import SIGKILL, SIGTERM, Signals
from statistics import median
from typing import Any, NamedTuple

import orjson
import psycopg
from kafka import KafkaAdminClient, KafkaProducer, TopicPartition
from kafka.errors import CoordinatorNotAvailableError, NotCoordinatorError

from benchmarks.feed import feed
from dev.local.processes import Server
from infra.store.postgres_views import PostgresViews
from tests.journeys.production import (
    READY_SECONDS,
    ROLES,
    Production,
    cursor_of_figures,
    subject,
    wait_for,
)
from tests.parts import PATIENT

REPEATED = 0.03
"""The share of messages after which an earlier one comes once more, as by a producer's retry."""

REACH = 200
"""How far back the one that comes once more may stand."""

WORKS_WITHIN = 120
"""Seconds in which a stage is to go on after a fault."""


class Size(NamedTuple):
    """How much flows, and how much befalls it."""

    lines: int
    partnerships: int
    seconds: float
    """For how long commands come in, at a steady pace."""
    rounds: int
    """How often each role is killed; every other time by SIGTERM."""
    restarts: int
    """How often broker and database are restarted; every other time after a kill."""


def commands(lines: int, partnerships: int, seed: int = 1) -> list[bytes]:
    """A feed, with something now and then that is refused or cannot even be read."""
    found = []
    for number, line in enumerate(feed(lines, partnerships, seed)):
        found.append(line)
        if number % 100 == 50:
            told = orjson.loads(line)
            lost = {"deal": "nobody", "reason": "It never was."}
            # Of a partnership that is there, it would wait for its deal.
            told |= {"subject": "nobody", "id": f"{told['id']}-refused"}
            told |= {"type": "accord.LoseDeal", "data": lost}
            found += [orjson.dumps(told), b"no JSON, like \xff: %d" % number]
    return found


class Flow:
    """Commands that are produced at a steady pace, some of them twice."""

    def __init__(self, made: Production, raws: Sequence[bytes], seconds: float, seed: int) -> None:
        self._made = made
        self._raws = raws
        self._pace = seconds / len(raws)
        self._random = Random(seed)  # noqa: S311 - seeded to be repeatable
        self.sent = 0
        self.over = threading.Event()

    @property
    def share(self) -> float:
        return self.sent / len(self._raws)

    def produce(self) -> None:
        start = time.monotonic()
        try:
            with closing(
                KafkaProducer(bootstrap_servers=self._made.settings.broker, **PATIENT)
            ) as producer:
                sent = []
                for raw in self._with_repeated():
                    time.sleep(max(0.0, start + self.sent * self._pace - time.monotonic()))
                    topic = self._made.topics.commands
                    sent.append(producer.send(topic, value=raw, key=subject(raw)))
                producer.flush()
                for each in sent:
                    each.get(30)
        finally:
            self.over.set()

    def _with_repeated(self) -> Iterator[bytes]:
        for raw in self._raws:
            yield raw
            self.sent += 1
            if self._random.random() < REPEATED:
                yield self._raws[self._random.randrange(max(0, self.sent - REACH), self.sent)]


# --- faults --------------------------------------------------------------------------------------


class Kill(NamedTuple):
    """One end of a process: after how long, by which signal."""

    pause: float
    by: Signals
    awaited: bool
    """Whether what comes next waits until the process works again, or may hit it as it starts."""


def kills(count: int, random: Random) -> list[Kill]:
    signals = [SIGKILL, SIGTERM] * (count // 2) + [SIGKILL] * (count % 2)
    random.shuffle(signals)
    return [Kill(random.uniform(0, 2), by, random.random() < 0.7) for by in signals]


@dataclass
class Faults:
    """What is done to processes and servers while a flow comes in, and how they bore it."""

    made: Production
    flow: Flow
    counts: Counter[str] = field(default_factory=Counter)
    """How often each kind of fault was done."""
    seconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    """By the kind of fault: after how long its stage went on, where that was awaited."""
    astray: list[str] = field(default_factory=list)
    """Processes that did not end as they should."""

    def kill_each(self, role: str, rounds: Sequence[Kill]) -> None:
        """End a process as often as is asked for, and start it again at once."""
        for each in rounds:
            self.flow.over.wait(each.pause)
            self.end(role, each.by)
            before = reached(self.made)
            self.made.start(role)
            self.counts[f"{role} {each.by.name}"] += 1
            if each.awaited:
                self._note(f"{role} {each.by.name}", [role], before)

    def end(self, name: str, by: Signals) -> None:
        running = self.made.running[name]
        early = running.process.poll()
        ended = running.end(by) if early is None else early
        # Before it says that it has started, it cannot hear that it is told to stop.
        right = -by if by is SIGKILL or running.health() is None else 0
        if early is not None or ended != right:
            self.astray.append(f"{name} ended with {ended} at {by.name}: {running.told()}")

    def end_all(self) -> None:
        """End in order all that still run."""
        for name, each in self.made.running.items():
            # The second projector left before.
            if each.process.returncode != 0:
                self.end(name, SIGTERM)

    def share(self, rounds: Sequence[Kill]) -> None:
        """Let a second projector join, kill the first as often as is asked for, let it leave."""
        self.made.start("projector", "projector-2")
        self.made.wait_until_ready("projector-2")
        self.kill_each("projector", rounds)
        self.made.wait_until_ready("projector")
        self.end("projector-2", SIGTERM)
        self.counts["projector leaves"] += 1
        self._note("projector leaves", ["projector"], reached(self.made))

    def restart(self, name: str, server: Server, *, killed: bool) -> None:
        """Restart a server in order, or after it was killed."""
        kind = f"{name} {'killed' if killed else 'restarted'}"
        before = reached(self.made)
        server.kill() if killed else server.stop()
        server.start()
        self.counts[kind] += 1
        self._note(kind, ROLES, before)

    def _note(self, kind: str, stages: Sequence[str], before: dict[str, int]) -> None:
        """Note after how long these stages went on, unless nothing more comes in."""
        start = time.monotonic()

        def goes_on() -> bool:
            now = reached(self.made)
            return self.flow.over.is_set() or all(now[each] > before[each] for each in stages)

        wait_for(goes_on, WORKS_WITHIN, lambda: f"{kind}: {before} {self.made.logs()}")
        self.seconds[kind].append(time.monotonic() - start)

    def told(self) -> Iterator[str]:
        for kind, count in sorted(self.counts.items()):
            line = f"{kind:20} {count:3} times"
            if seconds := self.seconds[kind]:
                line += f"; the work went on after {median(seconds):.1f} s (median)"
                line += f" and {max(seconds):.1f} s (at most), {len(seconds)} times awaited"
            yield line


def reached(made: Production) -> dict[str, int]:
    """How far each stage is, in numbers of its own that only rise."""
    while True:
        with suppress(psycopg.OperationalError), psycopg.connect(made.settings.store) as client:
            found = client.execute("""
                SELECT (SELECT coalesce(max(position), -1) FROM history.events),
                    (SELECT coalesce(max(position), -1) FROM views.cursors WHERE name = 'relay'),
                    (SELECT coalesce(max(move), -1) FROM views.positions WHERE track = 'live'),
                    (SELECT coalesce(max(position), -1) FROM views.cursors
                        WHERE name = 'publisher/trail'),
                    (SELECT coalesce(max(position), -1) FROM views.cursors WHERE name = 'courier')
            """).fetchone()
            return dict(zip(ROLES, found or (), strict=True))
        time.sleep(0.1)


def befall(faults: Faults, size: Size, servers: dict[str, Server], seed: int) -> None:
    """Let a flow come in, with everything that is to befall it."""
    flow = faults.flow
    with ThreadPoolExecutor(len(ROLES) + 2) as pool:
        threads = [pool.submit(flow.produce)]
        for role in ROLES:
            rounds = kills(size.rounds, Random(f"{seed}/{role}"))  # noqa: S311 - repeatable
            if role == "projector":
                half = len(rounds) // 2
                threads.append(pool.submit(_projectors, faults, rounds[:half], rounds[half:]))
            else:
                threads.append(pool.submit(faults.kill_each, role, rounds))
        threads.append(pool.submit(_restarts, faults, size.restarts, servers))
        for each in threads:
            each.result()


def _projectors(faults: Faults, alone: Sequence[Kill], shared: Sequence[Kill]) -> None:
    faults.kill_each("projector", alone)
    faults.share(shared)


def _restarts(faults: Faults, count: int, servers: dict[str, Server]) -> None:
    steps = count * len(servers) + 1
    for number in range(count):
        for place, (name, server) in enumerate(servers.items(), 1):
            share = (number * len(servers) + place) / steps
            while faults.flow.share < share and not faults.flow.over.wait(0.1):
                pass
            faults.restart(name, server, killed=number % 2 == 1)


# --- the end of a flow ---------------------------------------------------------------------------


def settle(made: Production, events: int, seconds: float = 120) -> float:
    """Wait until all is recorded, folded and told; give the seconds that it took."""
    start = time.monotonic()
    _until_read(made, "intake", seconds)
    made.settle(events, seconds)
    _until_read(made, "projector", seconds)
    with made.accord() as accord:
        views = accord.views
        assert isinstance(views, PostgresViews)

        def told() -> bool:
            figures = max(0, views.cursor(cursor_of_figures(views)))
            relayed = views.cursor("relay") == accord.history.size() - 1
            return relayed and not views.moves(figures, 1)

        wait_for(told, seconds, made.logs)
    return time.monotonic() - start


def _until_read(made: Production, role: str, seconds: float) -> None:
    wait_for(lambda: not behind(made, *made.reads(role)), seconds, made.logs)


def behind(made: Production, group: str, topic: str) -> int:
    """How many messages of a topic a group has not acknowledged.

    They are read and counted, because offsets count the marks of transactions, too.
    """
    committed: dict[TopicPartition, Any] = {}
    with (
        closing(KafkaAdminClient(bootstrap_servers=made.settings.broker, **PATIENT)) as admin,
        # The first group of a broker waits until its topic of offsets is made.
        suppress(CoordinatorNotAvailableError, NotCoordinatorError),
    ):
        committed = admin.list_group_offsets([group])[group]
    starts = {
        part: max(0, committed[part].offset) if part in committed else 0
        for part, end in made.ends(topic).items()
        if end
    }
    return sum(1 for _ in made.read([topic], starts))


def from_the_beginning(made: Production, group: str, topic: str) -> None:
    """Set a group without members back, so that everything comes to it once more."""
    with closing(KafkaAdminClient(bootstrap_servers=made.settings.broker, **PATIENT)) as admin:

        def reset() -> bool:
            done = admin.reset_group_offsets(group, dict.fromkeys(made.ends(topic), 0))
            return all(not each["error"].errno for each in done.values())

        wait_for(reset, READY_SECONDS, lambda: f"{group} has members")
