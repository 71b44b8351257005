"""Rows of the partnerships that were folded last, in memory; others are read from the views."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from infra.projecting.backlog import Backlog, failure_of
from infra.store.history import NOTHING
from infra.store.views import Fold, UnreadableRow, Views, read_row, typed_row
from projections.fold import Dispatch, FoldFailed

CACHED_ROWS = 50_000
"""Rows in memory after a batch, of all partnerships; those of the partnerships folded longest ago
are evicted."""

CACHED_ROWS_EACH = 256
"""Rows in memory of one partnership."""


class FoldState:
    """A partnership as it is folded so far: its position, and the rows that were touched last."""

    __slots__ = ("known", "position", "rows")

    def __init__(self, position: int, projections: int) -> None:
        self.position = position
        self.rows: list[dict[str, Any]] = [{} for _ in range(projections)]
        """The rows that exist, of each projection by its place."""
        self.known: dict[tuple[int, str], None] = {}
        """The places and keys of rows that need not be read, whether they exist or not."""

    def trim(self) -> None:
        """Evict the rows that became known first, down to `CACHED_ROWS_EACH`."""
        if len(self.known) > CACHED_ROWS_EACH:
            self.known = dict.fromkeys(list(self.known)[-CACHED_ROWS_EACH:])
            self.rows = [
                {key: row for key, row in rows.items() if (place, key) in self.known}
                for place, rows in enumerate(self.rows)
            ]


class RowCache:
    """The states of partnerships in one track, with at most `CACHED_ROWS` rows in all."""

    def __init__(self, views: Views, track: str, dispatch: Dispatch) -> None:
        self._views = views
        self._track = track
        self._dispatch = dispatch
        self._states: dict[str, FoldState] = {}
        self._rows = 0

    def clear(self) -> None:
        """Evict everything, because another process saved further rows."""
        self._states.clear()
        self._rows = 0

    def positions(self, partnerships: Iterable[str]) -> dict[str, int]:
        """Return the position of each of these; of one in memory without asking the store."""
        found, unknown = {}, []
        for name in partnerships:
            if state := self._states.get(name):
                found[name] = state.position
            else:
                unknown.append(name)
        if unknown:
            found |= dict.fromkeys(unknown, NOTHING)
            found |= self._views.track_positions(self._track, unknown)
        return found

    def take(self, names: Iterable[str]) -> dict[str, FoldState]:
        """Remove the states of these and return them; of one not in memory, without rows.

        They are put back only when what is folded on them is saved.
        """
        states = {name: self._remove(name) for name in names}
        if unknown := [name for name, state in states.items() if state is None]:
            found = self._views.track_positions(self._track, unknown)
            for name in unknown:
                states[name] = self.empty(found.get(name, NOTHING))
        return states  # type: ignore[return-value]

    def put(self, states: Mapping[str, FoldState]) -> None:
        """Add these, and evict those that were put in first."""
        for name, state in states.items():
            state.trim()
            self._states[name] = state
            self._rows += len(state.known) + 1
        while self._rows > CACHED_ROWS:
            self._remove(next(iter(self._states)))

    def evict(self, name: str) -> None:
        """Evict a partnership."""
        self._remove(name)

    def empty(self, position: int) -> FoldState:
        """Return the state of a partnership at a position, without rows."""
        return FoldState(position, len(self._dispatch.projections))

    def _remove(self, name: str) -> FoldState | None:
        found = self._states.pop(name, None)
        if found:
            self._rows -= len(found.known) + 1
        return found

    # --- reading rows ---

    def load(
        self,
        folds: Sequence[Fold],
        states: Mapping[str, FoldState],
        backlogs: Mapping[str, Backlog],
    ) -> None:
        """Read the rows that the events touch and that are not in memory, with one statement.

        A backlog ends before an event whose keys cannot be told, and notes a row that is damaged.
        """
        missing = [
            (folds[place].id, name, key)
            for name, backlog in backlogs.items()
            for place, key in self._touched(states[name], backlog)
        ]
        if not missing:
            return
        places = {fold.id: place for place, fold in enumerate(folds)}
        for (fold, name, key), stored in self._views.load(missing).items():
            projection = self._dispatch.projections[places[fold]]
            try:
                row = read_row(name, projection.name, key, stored)
                states[name].rows[places[fold]][key] = typed_row(projection, name, key, row)
            except UnreadableRow as error:
                backlogs[name].damage = error.detail

    def _touched(self, state: FoldState, backlog: Backlog) -> list[tuple[int, str]]:
        """Return the places and keys of the rows to read."""
        dispatch, known = self._dispatch, state.known
        touched, place = [], 0
        for recorded in backlog.events:
            try:
                for place, _, keys in dispatch[type(recorded.event)]:
                    for key in keys(recorded):
                        if (place, key) not in known:
                            known[place, key] = None
                            touched.append((place, key))
            except Exception as error:  # noqa: BLE001 - the error of any projection
                backlog.stop(failure_of(FoldFailed(dispatch.projections[place], recorded, error)))
                break
        # A partnership that was never folded has no rows.
        return touched if state.position != NOTHING else []
