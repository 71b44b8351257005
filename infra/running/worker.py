"""A process on a stream: its health page, metrics, structured logs and clean end."""

import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, MutableMapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
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

from infra.running.backoff import until_done
from infra.running.leader import LeaseLost
from infra.running.unavailable import Unavailable

log = logging.getLogger(__name__)


OUTAGES: Final = (OperationalError, InterfaceError, KafkaError, OSError, Unavailable)
"""Temporary errors: the database or the broker cannot be reached, or the clock is in doubt."""

SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)
"""The signals that stop a process."""

QUARANTINED: Final = "accord_quarantined_partnerships"
"""The gauge of partnerships whose events cannot be folded."""

QUARANTINED_HELP: Final = "Partnerships whose events cannot be folded."

CLOCK: Final = "accord_clock_in_doubt"
"""The gauge of a clock that is not trusted."""

CLOCK_HELP: Final = "1 while the clock is in doubt, so that nothing is recorded, else 0."

WAITING: Final = "accord_waiting_events"
"""The gauge of events that wait."""

WAITING_HELP: Final = "Events that wait for what they name."

LEADS: Final = "accord_leads"
"""The gauge of the process that leads its role."""

LEADS_HELP: Final = "1 in the process that leads, 0 in those that stand by."

NAMED: Final = 100
"""Quarantined partnerships that a health page names, at most."""

STOP_WITHIN: Final = 20.0
"""Seconds in which a process that is told to stop has to end in order.

After a lost connection a client of Kafka waits longer than that for a broker, and what starts the
processes kills them after 30 seconds (docker-compose.yml). Ending at any moment loses nothing.
"""

_LOOK = 0.1
"""Seconds between two checks of the health page whether it has to end."""


@dataclass(frozen=True, order=True, slots=True)
class Lag:
    """How far behind a process is: in events, and in seconds since the oldest of them arrived."""

    events: int = 0
    seconds: float = 0.0


class WorkerProcess:
    """A named process that repeats a step until SIGTERM or SIGINT.

    A context manager. Inside it the health page answers at `health` (``host:port``): ``/healthz``
    while the process lives, ``/readyz`` with the reasons if it is not ready, and ``/metrics`` for
    Prometheus.
    """

    def __init__(self, name: str, health: str) -> None:
        self.name = name
        self.stopping = threading.Event()
        self.failing: str | None = None
        """The error of the last attempt, or None if it succeeded."""
        self.lag: Callable[[], Lag] = Lag
        """Returns how far behind it is."""
        self.unready_reasons: Callable[[], Iterable[str]] = _starting
        """Returns other reasons why it is not ready."""
        self.quarantined: Callable[[], Collection[str]] = tuple
        """Returns the partnerships whose events cannot be folded."""
        self.gauges: dict[str, tuple[str, Callable[[], float]]] = {}
        """Further metrics by name: what each means, and what returns its value."""
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
        registry.register(_Gauges(self))
        registry.register(_Quarantined(self))
        self._health = _Health(self, health, registry)
        self._stack = ExitStack()
        self._at_last = threading.Timer(STOP_WITHIN, _end_at_once)
        self._at_last.daemon = True

    @property
    def address(self) -> str:
        """The address of the health page."""
        return self._health.address

    # --- working ---

    def keep(self, work: Callable[[], None]) -> None:
        """Run `work` until the process stops; start it again after an outage."""
        if not self.stopping.is_set():
            until_done(partial(self._begin, work), self.stopping, self._ended, errors=OUTAGES)

    def _begin(self, work: Callable[[], None]) -> None:
        # Set again each time, because an event loop replaces the handlers.
        self._listen()
        self.failing = None
        work()

    def _ended(self, error: Exception) -> None:
        self.failed(error)
        self.unready_reasons = _starting
        self._listen()

    def repeat(self, step: Callable[[], int]) -> None:
        """Repeat `step` until the process stops. A step waits for work and returns how much it did.

        Never exits on an error: no other process would do this work.
        """
        while not self.stopping.is_set():
            done = until_done(partial(self.timed, step), self.stopping, self.failed)
            if done is not None:
                self.handled(done)
                self.failing = None

    def timed(self, step: Callable[[], int]) -> int:
        """Do a step, and record how long it took if it did something."""
        start = monotonic()
        done = step()
        if done:
            self._seconds.observe(monotonic() - start)
        return done

    def handled(self, count: int) -> None:
        """Count messages or events that were handled."""
        self._handled.inc(count)

    def failed(self, error: Exception) -> None:
        """Count a failed attempt and log it: an outage in one line, any other error in full."""
        self._failures.inc()
        self.failing = f"{type(error).__name__}: {error}"
        if isinstance(error, LeaseLost):
            log.warning("no longer the leader, standing by", extra={"error": self.failing})
        elif isinstance(error, OUTAGES):
            log.warning("unreachable, tried again", extra={"error": self.failing})
        else:
            log.error("failed, tried again", exc_info=error)

    def unready(self) -> list[str]:
        """Return the reasons why it is not ready; none if it is."""
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
        self.stop()

    def stop(self) -> None:
        """Begin to stop; what has not stopped after `STOP_WITHIN` seconds is ended as it is."""
        if not self.stopping.is_set():
            self.stopping.set()
            self._at_last.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        log.info("stopped")
        self._at_last.cancel()
        self._stack.close()


def _end_at_once() -> None:
    log.warning("did not stop in order in time, ended at once", extra={"seconds": STOP_WITHIN})
    os._exit(0)


def _starting() -> list[str]:
    return ["it is starting"]


class _Gauges:
    """Asks a process for its lag and its other gauges at each scrape."""

    def __init__(self, process: WorkerProcess) -> None:
        self._process = process

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """Return the lag as two gauges, and the others; none that is unknown now."""
        try:
            lag = self._process.lag()
            yield self._gauge(
                "accord_lag_events", "How far behind it is, in events.", float(lag.events)
            )
            yield self._gauge(
                "accord_lag_seconds", "How far behind it is, in seconds.", lag.seconds
            )
            for name, (about, read) in self._process.gauges.items():
                yield self._gauge(name, about, read())
        except Exception as error:  # noqa: BLE001 - the other metrics are scraped
            log.warning("the lag is unknown", extra={"error": str(error)})

    def _gauge(self, name: str, about: str, value: float) -> GaugeMetricFamily:
        gauge = GaugeMetricFamily(name, about, labels=["process"])
        gauge.add_metric([self._process.name], value)
        return gauge


class _Quarantined:
    """Asks a process for its quarantined partnerships at each scrape."""

    def __init__(self, process: WorkerProcess) -> None:
        self._process = process

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """Return the number of quarantined partnerships as a gauge; nothing if it is unknown."""
        try:
            count = len(self._process.quarantined())
        except Exception as error:  # noqa: BLE001 - the other metrics are scraped
            log.warning("the quarantine is unknown", extra={"error": str(error)})
            return
        gauge = GaugeMetricFamily(QUARANTINED, QUARANTINED_HELP, labels=["process"])
        gauge.add_metric([self._process.name], count)
        yield gauge


class _Quiet(WSGIRequestHandler):
    def log_message(self, *_: object) -> None:
        """Do not log requests."""


class _Health:
    """The health page, in its own thread."""

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
            return self._ready(start)
        return _json(start, "404 Not Found", {"pages": ["/healthz", "/readyz", "/metrics"]})

    def _ready(self, start: Any) -> list[bytes]:  # noqa: ANN401 - WSGI's
        body: dict[str, Any] = {"process": self._process.name, "status": "ready"}
        if reasons := self._process.unready():
            body |= {"status": "unready", "reasons": reasons}
            return _json(start, "503 Service Unavailable", body)
        if quarantined := list(self._process.quarantined()):
            named = quarantined[:NAMED]
            count = len(quarantined)
            body |= {"status": "degraded", "quarantined": named, "quarantined_count": count}
        return _json(start, "200 OK", body)


def _json(start: Any, status: str, body: dict[str, Any]) -> list[bytes]:  # noqa: ANN401 - WSGI's
    start(status, [("Content-Type", "application/json")])
    return [orjson.dumps(body)]


@contextmanager
def logged_as_json(process: str) -> Iterator[None]:
    """Write everything that is logged to stderr as lines of JSON, from all libraries."""

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
    # One logs each connection that it makes; the other, ten times a second, each that it cannot
    # make, which the health page shows.
    logging.getLogger("kafka").setLevel(logging.WARNING)
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        root.handlers[:] = before
        root.setLevel(level)
