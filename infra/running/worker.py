"""What every process on a stream has: a health page, metrics, structured logs, a clean end."""

import logging
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from time import monotonic
from types import FrameType, TracebackType
from typing import Any, Final, Self
from wsgiref.simple_server import WSGIRequestHandler, make_server

import orjson
import structlog
from eventsourcing.persistence import InterfaceError, OperationalError
from kafka.errors import KafkaError
from prometheus_client import CollectorRegistry, Counter, Histogram, make_wsgi_app
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import ThreadingWSGIServer

log = logging.getLogger(__name__)

OUTAGES: Final = (OperationalError, InterfaceError, KafkaError, OSError)
"""What is raised while the database or the broker cannot be reached; it passes."""

SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)
"""What tells a process to stop."""

FIRST_PAUSE: Final = 0.2
"""Seconds before what failed is tried again; each further pause is twice as long."""

LONGEST_PAUSE: Final = 10.0
"""Seconds between two attempts at most."""


_LOOK = 0.1
"""Seconds between two looks of the health page at whether it is to end."""


@dataclass(frozen=True, order=True, slots=True)
class Lag:
    """How far behind a process is: in events, and in seconds since the oldest of them came."""

    events: int = 0
    seconds: float = 0.0


class WorkerProcess:
    """One process on a stream, by its name: it repeats a step until SIGTERM or SIGINT.

    A context manager. Inside it the health page at `health` (``host:port``) answers: ``/healthz``
    that the process lives, ``/readyz`` what keeps it from working, ``/metrics`` for Prometheus.
    """

    def __init__(self, name: str, health: str) -> None:
        self.name = name
        self.stopping = threading.Event()
        self.failing: str | None = None
        """What went wrong the last time, or None if it went well."""
        self.lag: Callable[[], Lag] = Lag
        """Tells how far behind it is, when somebody asks."""
        self.unready_reasons: Callable[[], Iterable[str]] = _starting
        """Tells what else keeps it from working."""
        registry = CollectorRegistry()
        self._handled = Counter(
            "accord_handled", "Messages or events handled.", ["process"], registry=registry
        ).labels(name)
        self._failures = Counter(
            "accord_failures", "Attempts that failed and were repeated.", ["process"],
            registry=registry,
        ).labels(name)  # fmt: skip
        self._seconds = Histogram(
            "accord_batch_seconds", "Seconds that a batch took.", ["process"], registry=registry
        ).labels(name)
        registry.register(_Lags(self))
        self._health = _Health(self, health, registry)
        self._stack = ExitStack()

    @property
    def address(self) -> str:
        """Where the health page is."""
        return self._health.address

    # --- working ---

    def keep(self, work: Callable[[], None]) -> None:
        """Do `work`, which goes on until told to stop; what an outage ends is begun anew."""
        pause = FIRST_PAUSE
        while not self.stopping.is_set():
            # Again each time, because an event loop that was closed meanwhile has taken them.
            self._listen()
            self.failing = None
            try:
                work()
            except OUTAGES as error:
                self.failed(error)
                self.unready_reasons = _starting
                self._listen()
                self.stopping.wait(pause)
                pause = min(2 * pause, LONGEST_PAUSE)
            else:
                return

    def repeat(self, step: Callable[[], int]) -> None:
        """Do `step` until told to stop; it waits for its work itself and gives how much it did.

        What fails is repeated after a pause, whatever it was: nothing may end a process whose
        work nobody else would do, and what cannot be done now is not to be left out.
        """
        pause = FIRST_PAUSE
        while not self.stopping.is_set():
            try:
                self.handled(self.timed(step))
            except Exception as error:  # noqa: BLE001 - told by `failed`
                self.failed(error)
                self.stopping.wait(pause)
                pause = min(2 * pause, LONGEST_PAUSE)
            else:
                pause = FIRST_PAUSE
                self.failing = None

    def timed(self, step: Callable[[], int]) -> int:
        """Do a step; where it did something, note how long it took."""
        start = monotonic()
        done = step()
        if done:
            self._seconds.observe(monotonic() - start)
        return done

    def handled(self, count: int) -> None:
        """Note that so many messages or events were handled."""
        self._handled.inc(count)

    def failed(self, error: Exception) -> None:
        """Note that an attempt failed; an outage is told in a line, a fault of ours in full."""
        self._failures.inc()
        self.failing = f"{type(error).__name__}: {error}"
        if isinstance(error, OUTAGES):
            log.warning("not reached, tried again", extra={"error": self.failing})
        else:
            log.error("failed, tried again", exc_info=error)

    def unready(self) -> list[str]:
        """Give in words what keeps it from working; nothing if all is well."""
        return [*([self.failing] if self.failing else []), *self.unready_reasons()]

    # --- beginning and ending ---

    def __enter__(self) -> Self:
        self._stack.enter_context(logged_as_json(self.name))
        for each in SIGNALS:
            self._stack.callback(signal.signal, each, signal.getsignal(each))
        self._listen()
        self._health.start()
        self._stack.callback(self._health.stop)
        log.info("started", extra={"health": self.address})
        return self

    def _listen(self) -> None:
        for each in SIGNALS:
            signal.signal(each, self._stop)

    def _stop(self, number: int, _: FrameType | None) -> None:
        log.info("stopping", extra={"signal": signal.Signals(number).name})
        self.stopping.set()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        log.info("stopped")
        self._stack.close()


def _starting() -> list[str]:
    return ["it is starting"]


class _Lags:
    """Asks a process for its lag once for each scrape."""

    def __init__(self, process: WorkerProcess) -> None:
        self._process = process

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """Give the lag as two gauges; nothing while it cannot be known."""
        try:
            lag = self._process.lag()
        except Exception as error:  # noqa: BLE001 - a scrape tells what it can
            log.warning("the lag cannot be told", extra={"error": str(error)})
            return
        for unit, value in (("events", float(lag.events)), ("seconds", lag.seconds)):
            gauge = GaugeMetricFamily(
                f"accord_lag_{unit}", f"How far behind it is, in {unit}.", labels=["process"]
            )
            gauge.add_metric([self._process.name], value)
            yield gauge


class _Quiet(WSGIRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing of each request."""


class _Health:
    """The health page, in a thread of its own."""

    def __init__(self, process: WorkerProcess, address: str, registry: CollectorRegistry) -> None:
        self._process = process
        self._metrics = make_wsgi_app(registry)
        host, _, port = address.rpartition(":")
        self._server = make_server(
            host or "127.0.0.1", int(port), self._answer, ThreadingWSGIServer, _Quiet
        )
        self.address = f"http://{host}:{self._server.server_port}"
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(_LOOK,), daemon=True
        )

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _answer(self, environ: dict[str, Any], start: Any) -> Iterable[bytes]:  # noqa: ANN401
        if environ["PATH_INFO"] == "/metrics":
            metrics: Iterable[bytes] = self._metrics(environ, start)
            return metrics
        if environ["PATH_INFO"] == "/healthz":
            return _json(start, "200 OK", {"process": self._process.name, "status": "alive"})
        if environ["PATH_INFO"] == "/readyz":
            reasons = self._process.unready()
            status = "503 Service Unavailable" if reasons else "200 OK"
            body = {"process": self._process.name, "status": "unready" if reasons else "ready"}
            return _json(start, status, body | ({"reasons": reasons} if reasons else {}))
        return _json(start, "404 Not Found", {"pages": ["/healthz", "/readyz", "/metrics"]})


def _json(start: Any, status: str, body: dict[str, Any]) -> list[bytes]:  # noqa: ANN401 - WSGI's
    start(status, [("Content-Type", "application/json")])
    return [orjson.dumps(body)]


@contextmanager
def logged_as_json(process: str) -> Iterator[None]:
    """Have everything that is logged, by whichever library, written to stderr as lines of JSON."""

    def named(_: object, __: str, event: MutableMapping[str, Any]) -> Mapping[str, Any]:
        return {**event, "process": process}

    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[
                structlog.stdlib.add_log_level,
                structlog.stdlib.add_logger_name,
                structlog.stdlib.ExtraAdder(),
                structlog.processors.TimeStamper(fmt="iso", utc=True),
                structlog.processors.format_exc_info,
                named,
            ],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    # One tells of every connection that it makes; the other, ten times a second, of each that it
    # cannot make, which the health page says once.
    logging.getLogger("kafka").setLevel(logging.WARNING)
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        root.handlers[:] = before
        root.setLevel(level)
