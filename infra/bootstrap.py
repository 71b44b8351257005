"""The composition root: the one place where parts are put together."""

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from infra.live import Follower, GroupCommit, Live, Scheduler
from infra.runner import Runner
from infra.service import Service, wall_clock
from infra.settings import NoSuchStore, Settings
from infra.store.records import History, Views
from infra.store.sqlite import SqliteStore
from infra.store.sqlite_views import SqliteViews
from projections import PROJECTIONS

_COLLECT = (100_000, 50, 1000)
"""How many new objects, and rounds, Python looks for garbage after (see `gc.set_threshold`).

A batch makes tens of thousands of objects that live until its end, and hardly a cycle. At the usual
700 a fifth of the time goes into looking through them.
"""

SIMULATED = "simulated"
"""Under this name the store keeps whether its time is told by feeds."""


@dataclass(frozen=True, slots=True)
class Accord:
    """One store with everything on it."""

    history: History
    views: Views
    service: Service
    runner: Runner
    simulated: bool
    clock: Callable[[], datetime]

    def live(self) -> Live:
        """Give what is to run beside it, while events come in and are read (see `Live`)."""
        writer = GroupCommit(self.service)
        scheduler = Scheduler(self.views, self.service, writer, self.clock)
        return Live(
            self.history,
            writer,
            Follower(self.history, self.views, self.runner),
            None if self.simulated else scheduler,
        )


def init(settings: Settings, *, simulated: bool = False) -> bool:
    """Make a store; whether it was made (one that is there stays as it is).

    Raises `NoSuchStore` if one is there that keeps time the other way.
    """
    path = settings.path
    path.parent.mkdir(parents=True, exist_ok=True)
    store = SqliteStore.open(path)
    try:
        kept = store.meta(SIMULATED)
        if kept is None:
            store.set_meta(SIMULATED, str(simulated).lower())
            return True
        if kept != str(simulated).lower():
            other = "a simulated" if kept == "true" else "an ordinary"
            raise NoSuchStore(f"{settings.store} is {other} store; make another one elsewhere.")
        return False
    finally:
        store.close()


@contextmanager
def bootstrap(settings: Settings, clock: Callable[[], datetime] = wall_clock) -> Iterator[Accord]:
    """Give everything on an existing store, and close it at the end.

    Raises `NoSuchStore` if there is none.
    """
    gc.set_threshold(*_COLLECT)
    path = settings.path
    if not path.exists():
        raise NoSuchStore(f"There is no store at {settings.store}; make it with accord init.")
    history = SqliteStore.open(path)
    # One pool for both, so that the writers of this process queue for the file in turn.
    views = SqliteViews(history.datastore)
    try:
        simulated = history.meta(SIMULATED) == "true"
        service = Service(history, clock, simulated=simulated)
        runner = Runner(history, views, PROJECTIONS)
        yield Accord(history, views, service, runner, simulated, clock)
    finally:
        history.close()
