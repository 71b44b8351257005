"""Finds recorded events that never arrived as messages, and folds them from the store.

A missing event shows when the next one of its partnership arrives, but the last one has none after
it. So a projector that is up to date compares positions with the history now and then.
"""

from typing import Final

from infra.projecting.runner import Runner
from infra.store.history import NOTHING
from infra.store.postgres import PostgresStore
from infra.store.postgres_views import PostgresViews

CURSOR: Final = "swept"
"""The name of the cursor in the history."""

EVERY: Final = 60.0
"""Seconds between two sweeps. Events that are younger than that may still arrive."""


class Sweep:
    """Goes through the history once, and folds events that are still missing."""

    def __init__(self, store: PostgresStore, runner: Runner) -> None:
        self._store = store
        self._views = PostgresViews(store.datastore)
        self._runner = runner
        self._end = NOTHING
        """The end of the history at the last sweep; all events up to there had time to arrive."""
        self._surveyed = False

    def __call__(self) -> int:
        """Fold the missing events up to the last sweep; return how many partnerships had some.

        Quarantined partnerships that are due are folded again.
        """
        self._runner.retry()
        end, self._end = self._end, self._store.size() - 1
        found = self._fold(end)
        if end != NOTHING and not self._surveyed:
            # The cursor may have passed the events of positions that were lost.
            self._surveyed = True
            self._runner.survey()
        return found

    def _fold(self, end: int) -> int:
        start = self._views.cursor(CURSOR)
        if end <= start:
            return 0
        behind = self._runner.behind(self._store.newest(start, end))
        for _ in self._runner.catching_up_on(sorted(behind)):
            pass
        self._views.move_cursor(CURSOR, end)
        return len(behind)
