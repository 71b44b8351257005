"""The Faust app: at each batch of `accord.events` it folds what is recorded of its partnerships.

A message is only a hint: it names a partnership, and the events, their order and their number are
those of the store. So whatever a topic says, what is folded was recorded.

Faust spreads partitions over workers, and moves them when a worker joins or dies. It stores
nothing: rows and positions are saved in one Postgres transaction, and messages are acknowledged
after it. So a batch may be delivered again, or to two workers at once; positions are compared, and
each event has its effect once. Why there are no Faust tables:
docs/decisions/0006-no-faust-tables.md.
"""

import asyncio
import logging
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Event
from time import time
from typing import Any, Final, cast

import faust
from faust.types import TP, EventT, Message, StreamT, TopicT

from consumers import faust_app
from consumers.faust_app import application
from consumers.sweep import EVERY, Sweep
from infra.bootstrap import Accord, bootstrap
from infra.kafka import clients, messages
from infra.kafka.clients import Producer
from infra.kafka.cluster import Cluster
from infra.kafka.messages import Received
from infra.kafka.topics import Topics
from infra.projecting import rebuild
from infra.projecting.rebuild import RebuildProgress
from infra.projecting.runner import BATCH, Runner
from infra.running.backoff import until_done
from infra.running.leader import STANDBY, Lease
from infra.running.worker import Lag, WorkerProcess
from infra.settings import Settings
from infra.store.postgres import PostgresStore
from infra.store.postgres_views import CHANNEL
from projections import PROJECTIONS

log = logging.getLogger(__name__)

AGENT: Final = "views"
"""The name of the one agent, see docs/decisions/0009-one-agent-many-projections.md."""

LOOK: Final = 0.5
"""Seconds between two looks at how far the partitions are fetched."""


def run(settings: Settings, process: WorkerProcess) -> None:
    """Fold what arrives until the process stops.

    Raises `OtherFold` for views of a newer release.
    """
    cluster = Cluster.of(settings)
    with bootstrap(settings) as accord, Producer(cluster) as producer:
        if not _brought_up(accord, settings.store, process):
            return
        topics = Topics(settings.topics)
        app = application(cluster, topics.projector)
        events = app.topic(
            topics.events,
            key_type=bytes,
            value_type=bytes,
            key_serializer="raw",
            value_serializer="raw",
        )
        store = cast("PostgresStore", accord.history)
        runner = Runner(store, accord.views, PROJECTIONS)
        # This release may fold what the last one could not.
        runner.retry()
        folding = Folding(runner, producer.send, topics.dead)
        projector = Projector(events, folding, Sweep(store, runner), process)
        process.lag = projector.lag
        process.quarantined = accord.views.quarantined
        process.unready_reasons = lambda: [
            *faust_app.unready_reasons(app, topics.events),
            *clients.unready_reasons(cluster),
        ]
        faust_app.work(app, process)


class _Stopped(Exception):
    """The process stops during a rebuild; the next one continues it."""


def _brought_up(accord: Accord, url: str, process: WorkerProcess) -> bool:
    """Bring the views up to this release; return False if the process stops before that is done.

    One projector rebuilds, and the others wait for it.
    """
    process.unready_reasons = lambda: ["the views are being rebuilt for this release"]

    def report(progress: RebuildProgress) -> None:
        log.info("rebuilding", extra={"done": progress.done, "total": progress.total})
        if process.stopping.is_set():
            raise _Stopped

    with Lease(url, "rebuild", CHANNEL) as lease:
        while rebuild.outdated(accord.views, PROJECTIONS):
            if process.stopping.is_set():
                return False
            if not lease.take():
                process.stopping.wait(STANDBY)
                continue
            try:
                rebuild.bring_up(accord.history, accord.views, PROJECTIONS, report)
            except _Stopped:
                return False
    return True


class Folding:
    """Folds what messages hint at."""

    def __init__(
        self, runner: Runner, send: Callable[[list[messages.Message]], object], dead: str
    ) -> None:
        self._runner = runner
        self._send = send
        self._dead = dead

    def __call__(
        self, received: Sequence[Received], stopping: Callable[[], bool] = lambda: False
    ) -> int:
        """Fold the partnerships that these messages name up to the end of their records.

        Returns how many messages were handled: all, or none if `stopping` says so before the end.
        What is not an event becomes a dead letter first, and the partnership in its key is folded
        all the same.
        """
        self._send(list(self._letters(received)))
        names = dict.fromkeys(filter(None, map(messages.partnership, received)))
        for _ in self._runner.catching_up_on(names):
            if stopping():
                return 0
        return len(received)

    def _letters(self, received: Sequence[Received]) -> Iterator[messages.Message]:
        for each in received:
            try:
                messages.check_event(each)
            except messages.Illegible as error:
                place, value = messages.place(each), each.value or b""
                yield messages.dead(self._dead, place, value, str(error))


class Projector:
    """The agent. It folds in one thread while another fetches."""

    def __init__(
        self, events: TopicT, folding: Folding, sweep: Sweep, process: WorkerProcess
    ) -> None:
        self._app = events.app
        self._folding = folding
        self._process = process
        self._received: dict[TP, int] = {}
        """The offset of the last message of each partition that the agent has received."""
        self._folded: dict[TP, tuple[int, float]] = {}
        """The last folded message of each partition: its offset, and when it was sent."""
        self._fetched: dict[TP, int] = {}
        """Up to which offset each partition was fetched, lately. Behind the last message of a
        transaction is a mark that no agent receives."""
        # A runner is for one thread at a time.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=AGENT)
        self._app.agent(events, name=AGENT)(self._agent)
        self._sweep = sweep
        self._app.timer(EVERY)(self._sweep_up)
        self._app.timer(LOOK)(self._look)

    async def _agent(self, stream: StreamT[bytes]) -> None:
        """Gather events while others are folded, so that a batch has all that is waiting."""
        gathered: asyncio.Queue[EventT[bytes]] = asyncio.Queue(BATCH)
        stopping = Event()
        folding = asyncio.create_task(self._fold_gathered(gathered, stopping))
        try:
            # The type of streams lacks this method, and their class has it.
            async for event in cast("faust.Stream[Any]", stream).noack().events():
                self._received[event.message.tp] = event.message.offset
                await gathered.put(event)
        finally:
            stopping.set()
            folding.cancel()

    async def _fold_gathered(self, gathered: asyncio.Queue[EventT[bytes]], stopping: Event) -> None:
        while True:
            events = [await gathered.get()]
            while not gathered.empty():
                events.append(gathered.get_nowait())
            received = [each.message for each in events]
            for message in received:
                self._folded.setdefault(message.tp, (message.offset - 1, message.timestamp))
            await self._fold(received, stopping)
            for event in events:
                event.ack()
            self._folded |= {each.tp: (each.offset, each.timestamp) for each in received}
            self._process.handled(len(events))

    def lag(self) -> Lag:
        """Return how many messages of this worker's partitions are not folded, and since when."""
        consumer = self._app.consumer
        ours = [tp for tp in self._folded.copy() if tp in consumer.assignment()]
        behind = {tp: self._behind(tp, consumer.highwater(tp)) for tp in ours}
        since = min((self._folded[tp][1] for tp in ours if behind[tp] > 0), default=None)
        seconds = 0.0 if since is None else max(0.0, time() - since)
        return Lag(sum(behind.values()), seconds)

    def _behind(self, tp: TP, end: int) -> int:
        folded = self._folded[tp][0]
        if self._fetched.get(tp) == end and self._received.get(tp) == folded:
            return 0
        return max(0, end - 1 - folded)

    async def _look(self) -> None:
        """Note how far the partitions are fetched."""
        consumer = self._app.consumer
        for tp in consumer.assignment() & self._folded.keys():
            # A partition that is being assigned has no position yet.
            if (position := await consumer.position(tp)) is not None:
                self._fetched[tp] = position

    async def _sweep_up(self) -> None:
        """Fold events that never arrived as messages, unless there are messages to fold."""
        if self.lag().events:
            return
        try:
            found = await asyncio.get_running_loop().run_in_executor(self._thread, self._sweep)
        except Exception as error:  # noqa: BLE001 - logged by `failed`; the next sweep tries again
            self._process.failed(error)
        else:
            if found:
                log.warning("events never arrived as messages", extra={"partnerships": found})

    async def _fold(self, received: Sequence[Message], stopping: Event) -> None:
        """Fold a batch, again after each failure: it is acknowledged only when it is saved."""
        folding = partial(self._folding, received, stopping.is_set)
        work = partial(self._process.timed, folding)
        trying = partial(until_done, work, stopping, self._process.failed)
        # None, or no message: it stops before all of them are folded.
        if not await asyncio.get_running_loop().run_in_executor(self._thread, trying):
            raise asyncio.CancelledError
        self._process.failing = None
