"""The thread that keeps the views of an embedded process up to date with its history."""

from infra.projecting.runner import Runner
from infra.running.periodic_task import PeriodicTask
from infra.store.history import History
from infra.store.views import CURSOR, Views


class Follower(PeriodicTask):
    """Folds the commits of this process at once, and those of others by polling."""

    def __init__(self, history: History, views: Views, runner: Runner) -> None:
        super().__init__("accord-follower", runner.catch_up)
        self._history = history
        self._views = views

    def start(self) -> None:
        """Start the thread."""
        self._unsubscribe = self._history.subscribe(self.wake)
        super().start()

    def stop(self) -> None:
        """Fold the last events, then end the thread."""
        self._unsubscribe()
        super().stop()

    def lag(self) -> int:
        """Return how many recorded events are not folded yet."""
        return self._history.size() - 1 - self._views.cursor(CURSOR)
