"""What was recorded and never came as a message is found, and folded from the store.

A gap shows when the next event of a partnership comes; the last one of a partnership has none
after it. So now and then a projector that is up to date compares positions with the history.
"""

from typing import Final

from infra.projecting.runner import Runner
from infra.store.postgres import PostgresStore
from infra.store.postgres_views import PostgresViews
from infra.store.records import NOTHING

CURSOR: Final = "swept"
"""The name of the cursor in the history."""

EVERY: Final = 60.0
"""Seconds between two sweeps. What is younger than one may still be on its way."""


class Sweep:
    """Goes through the history once, behind those who fold it, and folds what they left out."""

    def __init__(self, store: PostgresStore, runner: Runner) -> None:
        self._store = store
        self._views = PostgresViews(store.datastore)
        self._runner = runner
        self._end = NOTHING
        """Where the history ended at the last sweep: all up to there had time to come."""

    def __call__(self) -> int:
        """Fold what was left out since the sweep before the last; give how many partnerships."""
        end, self._end = self._end, self._store.size() - 1
        start = self._views.cursor(CURSOR)
        if end <= start:
            return 0
        behind = self._runner.behind(self._store.newest(start, end))
        for partnership in sorted(behind):
            self._runner.fold(self._runner.unfolded(partnership))
        self._views.move_cursor(CURSOR, end)
        return len(behind)
