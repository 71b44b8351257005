"""A sink: another system that is sent each change of an alert, at least once and in order."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Final, Protocol

from infra.running.periodic_task import PeriodicTask
from infra.store.history import NOTHING
from infra.store.views import SavedOutput, Views
from projections.alerts import AlertState

BATCH: Final = 100
"""Outputs that are read at once."""

ALERT_TYPES: Final = {
    AlertState.OPEN: "AlertOpened",
    AlertState.RESOLVED: "AlertResolved",
    AlertState.WITHDRAWN: "AlertWithdrawn",
}
"""The CloudEvents type of a change, without its prefix, by the new state of the alert."""


class Sink(Protocol):
    """Another system that receives alerts."""

    def deliver(self, change: SavedOutput) -> None:
        """Send one change of an alert; its `body` is the alert as it is now.

        Raises any exception if it was not received. The change is then delivered again, so the
        other system must recognise its `id`.
        """


@dataclass(frozen=True, slots=True)
class Delivery:
    """Delivers to one sink, from the last change that it received."""

    views: Views
    name: str
    """The name of the sink, under which the views keep a cursor."""
    sink: Sink
    delivered: Callable[[int], object] = int
    """Called after each delivered change."""

    def step(self) -> None:
        """Deliver the waiting changes. Raises what the sink raises.

        A new sink gets the changes that follow its first step.
        """
        cursor = cursor_of(self.name)
        last = self.views.cursor(cursor)
        if last == NOTHING:
            self.views.move_cursor(cursor, self.views.last_output())
            return
        while found := self.views.outputs(last, BATCH):
            for each in found:
                if each.kind == "alert":
                    self.sink.deliver(each)
                    self.delivered(1)
                last = each.number
                self.views.move_cursor(cursor, last)


def cursor_of(name: str) -> str:
    """Return the name of a sink's cursor: the last output that it has received."""
    return f"sink/{name}"


@contextmanager
def delivering(
    views: Views, sinks: Mapping[str, Sink], delivered: Callable[[int], object] = int
) -> Iterator[list[PeriodicTask]]:
    """Deliver to all of these sinks, each in its own thread, so that none delays another.

    Failures are retried. `delivered` is called after each delivered change.
    """
    threads = [
        PeriodicTask(cursor_of(name), Delivery(views, name, sink, delivered).step)
        for name, sink in sinks.items()
    ]
    with ExitStack() as stack:
        for each in threads:
            each.start()
            stack.callback(each.stop)
            stack.callback(views.subscribe(each.wake))
        yield threads
