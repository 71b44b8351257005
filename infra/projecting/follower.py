"""The thread that keeps the views of an embedded process up with its history."""

from infra.projecting.runner import CURSOR, Runner
from infra.running.repeated import Repeated
from infra.store.records import History, Views


class Follower(Repeated):
    """Keeps the views up with the history: this process's commits at once, others' by polling."""

    def __init__(self, history: History, views: Views, runner: Runner) -> None:
        super().__init__("accord-follower", runner.catch_up)
        self._history = history
        self._views = views

    def start(self) -> None:
        """Begin to fold what is recorded."""
        self._unsubscribe = self._history.subscribe(self.wake)
        super().start()

    def stop(self) -> None:
        """Fold what was recorded last, and end."""
        self._unsubscribe()
        super().stop()

    def lag(self) -> int:
        """Give how many recorded events the views do not show yet."""
        return self._history.size() - 1 - self._views.cursor(CURSOR)
