"""Delivers changes of alerts to the configured sinks. One process is active; others stand by."""

from collections.abc import Mapping
from contextlib import ExitStack, closing
from threading import Event
from time import monotonic

from infra.exchange.sink import Sink, cursor_of, delivering
from infra.exchange.table import sinks
from infra.running.leader import Leader, Lease
from infra.running.worker import LEADS, LEADS_HELP, Lag, WorkerProcess
from infra.settings import Settings
from infra.store.postgres_datastore import Datastore
from infra.store.postgres_views import CHANNEL, PostgresViews

NAME = "sinks"

POLL = 1.0
"""Seconds between two checks for outputs if no notification arrives."""


def run(settings: Settings, process: WorkerProcess) -> None:
    """Deliver until the process stops. Raises `NoSuchSink`."""
    with ExitStack() as stack:
        views = PostgresViews(stack.enter_context(closing(Datastore(settings.store))))
        lease = stack.enter_context(Lease(settings.store, NAME, CHANNEL))
        duty = Sinks(views, lease, sinks(settings.sinks), process)
        process.gauges[LEADS] = LEADS_HELP, lambda: float(lease.held)
        process.repeat(Leader(lease, duty, process.stopping).step)


class Sinks:
    """Delivers while this process has the lease."""

    def __init__(
        self,
        views: PostgresViews,
        lease: Lease,
        sinks: Mapping[str, Sink],
        process: WorkerProcess,
    ) -> None:
        self._views = views
        self._lease = lease
        self._sinks = sinks
        self._stopping: Event = process.stopping
        self._handled = process.handled
        self._caught_up = monotonic()
        process.lag = self.lag
        process.unready_reasons = list

    def take_over(self) -> None:
        """Do nothing: each sink continues at its cursor."""

    def step(self) -> int:
        """Deliver until the process stops. Raises if it loses the lease."""
        with delivering(self._views, self._sinks, self._handled) as threads:
            while not self._stopping.is_set():
                self._lease.wait(POLL)
                for each in threads:
                    each.wake()
        return 0

    def pause(self) -> float:
        """Return no seconds: a step ends with the process."""
        return 0.0

    def lag(self) -> Lag:
        """Return how many outputs the slowest sink has not received yet."""
        last = self._views.last_output()
        behind = (last - self._views.cursor(cursor_of(name)) for name in self._sinks)
        waiting = max(behind, default=0)
        if not waiting:
            self._caught_up = monotonic()
        return Lag(waiting, monotonic() - self._caught_up)
