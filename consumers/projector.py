"""The Faust app: batches of `accord.events` go to the runner, which folds and saves them.

Faust spreads partitions over workers and moves them when one joins or dies. It holds no truth:
rows and positions are saved in one Postgres transaction, and only then are messages acknowledged.
So a batch may come again, or to two workers at once; positions are compared, and it has its effect
once. Why there are no Faust tables: docs/decisions/0006-no-faust-tables.md.
"""

import asyncio
import logging
from base64 import b64encode
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Event
from time import time
from typing import Any, Final, cast

import faust
from faust.types import TP, EventT, Message, StreamT, TopicT
from faust.worker import Worker

from consumers.sweep import EVERY, Sweep
from domain.recorded import Recorded
from infra.bootstrap import bootstrap
from infra.kafka import clients, messages
from infra.kafka.clients import HEARTBEAT_SECONDS, LARGEST, SESSION_SECONDS
from infra.kafka.topics import Topics
from infra.projecting.runner import CURSOR, Runner
from infra.running.worker import FIRST_PAUSE, LONGEST_PAUSE, Lag, WorkerProcess
from infra.settings import Settings
from infra.store.postgres import PostgresStore
from infra.store.records import Output
from projections import PROJECTIONS

log = logging.getLogger(__name__)

AGENT: Final = "views"
"""The name of the one agent, see docs/decisions/0009-one-agent-many-projections.md."""

BATCH: Final = 1000
"""Events folded in one transaction at most."""

BUFFER: Final = 32 * BATCH
"""Messages fetched ahead. Once it is full, Faust looks again after a second, and what it holds is
to last for so long."""

METADATA_SECONDS: Final = 2
"""A broker that has just come back may not tell of a topic yet, and its partitions are then shared
out among nobody, until somebody looks again: so often."""


def run(settings: Settings, process: WorkerProcess) -> None:
    """Fold what comes until the process is told to stop."""
    with bootstrap(settings) as accord:
        topics = Topics(settings.topics)
        app = application(settings.broker, topics.projector)
        events = app.topic(
            topics.events,
            key_type=bytes,
            value_type=bytes,
            key_serializer="raw",
            value_serializer="raw",
        )
        store = cast("PostgresStore", accord.history)
        runner = Runner(store, accord.views, PROJECTIONS)
        projector = Projector(events, store, runner, process)
        process.lag = projector.lag
        process.unready_reasons = lambda: [
            *_ailments(app, topics.events),
            *clients.unready_reasons(settings.broker),
        ]
        _work(app, process.stopping)


class _Worker(Worker):
    """Faust's worker, which also hears of a signal that came before it could listen itself."""

    def __init__(self, app: faust.App, stopping: Event) -> None:
        loop = asyncio.new_event_loop()
        super().__init__(app, loop=loop, quiet=True, override_logging=False, redirect_stdouts=False)
        self._told_before = stopping

    def install_signal_handlers(self) -> None:
        super().install_signal_handlers()
        if self._told_before.is_set():
            self._on_sigterm()


def _work(app: faust.App, stopping: Event) -> None:
    """Run the worker until a signal stops it. Raises `ConnectionError` if it ends by itself."""
    worker = _Worker(app, stopping)
    try:
        worker.execute_from_commandline()
    except SystemExit as ended:
        if ended.code:
            raise ConnectionError(f"the worker ended: {ended.__context__!r}") from ended


def _ailments(app: faust.App, topic: str) -> list[str]:
    if not app.started:
        return ["the worker is starting"]
    if app.rebalancing:
        return ["partitions are being shared out anew"]
    # Who shares partitions out knows of those it saw; the others of the group know of none.
    if app.consumer.topic_partitions(topic) == 0:
        return [f"the broker does not tell of {topic} yet"]
    return []


class _App(faust.App):
    """A Faust app without tables, so that it needs no folder for them."""

    def _create_directories(self) -> None:
        """Make none."""


def application(broker: str, group: str) -> faust.App:
    """Give the Faust app: it makes no topic, serves nothing, and holds nothing."""
    return _App(
        group,
        broker=[f"kafka://{each}" for each in broker.split(",")],
        web_enabled=False,
        topic_allow_declare=False,
        topic_disable_leader=True,
        agent_supervisor="mode.supervisors.CrashingSupervisor",
        broker_session_timeout=SESSION_SECONDS,
        broker_heartbeat_interval=HEARTBEAT_SECONDS,
        broker_commit_interval=1.0,
        broker_max_poll_records=BATCH,
        consumer_metadata_max_age_ms=METADATA_SECONDS * 1000,
        consumer_auto_offset_reset="earliest",
        consumer_max_fetch_size=LARGEST,
        stream_buffer_maxsize=BUFFER,
        stream_wait_empty=False,
    )


class Projector:
    """The agent. It folds in a thread beside the one that fetches."""

    def __init__(
        self,
        events: TopicT,
        store: PostgresStore,
        runner: Runner,
        process: WorkerProcess,
    ) -> None:
        self._app = events.app
        self._runner = runner
        self._process = process
        self._folded: dict[TP, tuple[int, float]] = {}
        """The last message of each partition that was folded: its offset, and when it was sent."""
        # A runner is for one thread at a time, so what folds takes turns in this one.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=AGENT)
        self._app.agent(events, name=AGENT)(self._agent)
        self._sweep = Sweep(store, runner)
        self._app.timer(EVERY)(self._sweep_up)

    async def _agent(self, stream: StreamT[bytes]) -> None:
        """Gather events while others are folded, so that batches are as large as what waits."""
        gathered: asyncio.Queue[EventT[bytes]] = asyncio.Queue(BATCH)
        folding = asyncio.create_task(self._fold_gathered(gathered))
        try:
            # The type of streams does not tell of it, and their class has it.
            async for event in cast("faust.Stream[Any]", stream).noack().events():
                await gathered.put(event)
        finally:
            folding.cancel()

    async def _fold_gathered(self, gathered: asyncio.Queue[EventT[bytes]]) -> None:
        while True:
            events = [await gathered.get()]
            while not gathered.empty():
                events.append(gathered.get_nowait())
            received = [each.message for each in events]
            for message in received:
                self._folded.setdefault(message.tp, (message.offset - 1, message.timestamp))
            await self._fold(received)
            for event in events:
                event.ack()
            self._folded |= {each.tp: (each.offset, each.timestamp) for each in received}
            self._process.handled(len(events))

    def lag(self) -> Lag:
        """Give how many messages of this worker's partitions are not folded, and since when."""
        consumer = self._app.consumer
        ours = [tp for tp in self._folded.copy() if tp in consumer.assignment()]
        behind = {tp: consumer.highwater(tp) - 1 - self._folded[tp][0] for tp in ours}
        since = min((self._folded[tp][1] for tp in ours if behind[tp] > 0), default=None)
        seconds = 0.0 if since is None else max(0.0, time() - since)
        return Lag(sum(max(0, each) for each in behind.values()), seconds)

    async def _sweep_up(self) -> None:
        """Fold what never came as a message, unless there is enough to do as it is."""
        if self.lag().events:
            return
        try:
            found = await asyncio.get_running_loop().run_in_executor(self._thread, self._sweep)
        except Exception as error:  # noqa: BLE001 - told by `failed`; the next one tries again
            self._process.failed(error)
        else:
            if found:
                log.warning("events never came as messages", extra={"partnerships": found})

    async def _fold(self, received: Sequence[Message]) -> None:
        """Have a batch folded, again after each failure: what is not saved is not acknowledged."""
        work = partial(self._process.timed, partial(fold, self._runner, received))
        pause = FIRST_PAUSE
        while True:
            try:
                await asyncio.get_running_loop().run_in_executor(self._thread, work)
            except Exception as error:  # noqa: BLE001 - told by `failed`
                self._process.failed(error)
                await asyncio.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE)
            else:
                self._process.failing = None
                return


def fold(runner: Runner, received: Sequence[Message]) -> int:
    """Fold a batch of messages; give how many.

    Bytes that are no event are saved as dead letters in the same transaction, and the partnership
    that they seem to be of is brought up from the store, which has what they should have been.
    """
    batch: list[Recorded] = []
    letters: list[Output] = []
    for message in received:
        try:
            batch.append(messages.recorded(message))
        except messages.Illegible as error:
            letters.append(_letter(message, str(error)))
            batch += runner.unfolded(error.partnership)
    runner.fold(batch, letters=letters)
    return len(received)


def _letter(message: Message, reason: str) -> Output:
    value = b64encode(message.value or b"").decode()
    body = {"reason": reason, "value": value}
    return Output(messages.place(message), CURSOR, "", "dead", body, 0)
