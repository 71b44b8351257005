"""Faust as the projector needs it: a worker without tables, pages or topics of its own."""

import asyncio
from signal import Signals
from typing import Final

import faust
from aiokafka.abc import AbstractTokenProvider
from faust.auth import OAuthCredentials, SASLCredentials, SSLCredentials
from faust.transport.drivers import aiokafka
from faust.types import TP, TransportT
from faust.types.auth import CredentialsT
from faust.worker import Worker

from infra.kafka.clients import HEARTBEAT_SECONDS, LARGEST, SESSION_SECONDS
from infra.kafka.cluster import OAUTH, Cluster, token
from infra.running.worker import WorkerProcess
from infra.settings import BrokerLogin

POLLED: Final = 1000
"""Messages fetched at a time."""

BUFFER: Final = 32 * POLLED
"""Messages fetched ahead. When the buffer is full, Faust looks again after a second, so the buffer
has to last that long."""

METADATA_SECONDS: Final = 2
"""Seconds between two checks of the topics. A broker that has just restarted may not list a topic
yet, and until the next look nobody is assigned its partitions."""


class _Worker(Worker):
    """Faust's worker. It also stops for a signal that came before it could listen itself."""

    def __init__(self, app: faust.App, process: WorkerProcess) -> None:
        loop = asyncio.new_event_loop()
        super().__init__(app, loop=loop, quiet=True, override_logging=False, redirect_stdouts=False)
        self._process = process
        # It writes codes of terminals to the log, where there is no terminal, too.
        self.spinner = None

    def install_signal_handlers(self) -> None:
        super().install_signal_handlers()
        if self._process.stopping.is_set():
            self._on_sigterm()

    def _schedule_shutdown(self, signal: Signals) -> None:
        self._process.stop()
        super()._schedule_shutdown(signal)


def work(app: faust.App, process: WorkerProcess) -> None:
    """Run the worker until a signal stops it. Raises `ConnectionError` if it ends on its own."""
    worker = _Worker(app, process)
    try:
        worker.execute_from_commandline()
    except SystemExit as ended:
        if ended.code:
            raise ConnectionError(f"the worker ended: {ended.__context__!r}") from ended


def unready_reasons(app: faust.App, topic: str) -> list[str]:
    """Return why the worker folds nothing from a topic yet; none if it does."""
    if not app.started:
        return ["the worker is starting"]
    if app.rebalancing:
        return ["partitions are being assigned"]
    # The worker that assigns partitions counts those that it saw; the others count none.
    if app.consumer.topic_partitions(topic) == 0:
        return [f"the broker does not list {topic} yet"]
    return []


class _Consumer(aiokafka.Consumer):
    """Faust's consumer. It commits the offset behind the last acknowledged message.

    The agent acknowledges the messages of a partition in order. Faust looks for gaps all the same,
    finds one at the end of each transaction, and advances by one of them each second, while under
    load many transactions end in that time.
    """

    def _new_offset(self, tp: TP) -> int | None:
        acked = self._acked[tp]
        if not acked:
            return None
        behind_last = max(acked) + 1
        self._acked_index[tp].difference_update(acked)
        acked.clear()
        return behind_last

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        """Remember none."""


class _Transport(aiokafka.Transport):
    """Faust's transport with that consumer."""

    Consumer = _Consumer


class _App(faust.App):
    """A Faust app without tables, so that it needs no folder for them."""

    def _create_directories(self) -> None:
        """Create none."""

    def _new_transport(self) -> TransportT:
        return _Transport(self.conf.broker_consumer, self)


def _credentials(cluster: Cluster) -> CredentialsT | None:
    login = cluster.login
    if login.mechanism == OAUTH:
        return OAuthCredentials(oauth_cb=_Token(login), ssl_context=cluster.tls)
    if login.mechanism:
        return SASLCredentials(
            mechanism=login.mechanism,
            username=login.user,
            password=login.password,
            ssl_context=cluster.tls,
        )
    return SSLCredentials(context=cluster.tls) if cluster.tls else None


class _Token(AbstractTokenProvider):  # type: ignore[misc] # it comes without types
    """Reads the token anew for each connection, because another program renews it."""

    def __init__(self, login: BrokerLogin) -> None:
        super().__init__()
        self._login = login

    async def token(self) -> str:
        return token(self._login)


def application(cluster: Cluster, group: str) -> faust.App:
    """Return the Faust app: it creates no topics, serves no pages, and has no tables."""
    return _App(
        group,
        broker=[f"kafka://{each}" for each in cluster.address.split(",")],
        broker_credentials=_credentials(cluster),
        web_enabled=False,
        topic_allow_declare=False,
        topic_disable_leader=True,
        agent_supervisor="mode.supervisors.CrashingSupervisor",
        broker_session_timeout=SESSION_SECONDS,
        broker_heartbeat_interval=HEARTBEAT_SECONDS,
        broker_commit_interval=1.0,
        broker_max_poll_records=POLLED,
        consumer_metadata_max_age_ms=METADATA_SECONDS * 1000,
        consumer_auto_offset_reset="earliest",
        consumer_max_fetch_size=LARGEST,
        stream_buffer_maxsize=BUFFER,
        stream_wait_empty=False,
    )
