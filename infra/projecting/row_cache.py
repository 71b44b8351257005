"""Rows of the partnerships that were folded last, in memory; others are read from the views."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from infra.projecting.backlog import Backlog, failure_of
from infra.store.history import NOTHING
from infra.store.views import Fold, UnreadableRow, Views, read_row, typed_row
from projections.fold import Dispatch, FoldFailed, RowsOnDemand

CACHED_ROWS = 50_000
"""Rows in memory after a batch, of all partnerships; those of the partnerships folded longest ago
are evicted."""

CACHED_ROWS_EACH = 256
"""Rows in memory of one partnership after a batch."""


class FoldState:
    """A partnership as it is folded so far: its position, and the rows that were touched last."""

    __slots__ = ("position", "rows", "size")

    def __init__(self, position: int, rows: Sequence[RowsOnDemand]) -> None:
        self.position = position
        self.rows = rows
        """The rows of each projection by its place."""
        self.size = 0
        """How many rows were known when it was put into the cache."""

    def trim(self) -> None:
        """Evict the oldest rows of the projections that have most, down to `CACHED_ROWS_EACH`."""
        self.size = sum([len(each.known) for each in self.rows])
        while self.size > CACHED_ROWS_EACH:
            largest = max(self.rows, key=lambda each: len(each.known))
            self.size -= largest.evict(self.size - CACHED_ROWS_EACH)


class RowCache:
    """The states of partnerships in one track, with at most `CACHED_ROWS` rows in all."""

    def __init__(
        self, views: Views, track: str, dispatch: Dispatch, folds: Callable[[], Sequence[Fold]]
    ) -> None:
        self._views = views
        self._track = track
        self._dispatch = dispatch
        self._folds = folds
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
                states[name] = self.empty(name, found.get(name, NOTHING))
        return states  # type: ignore[return-value]

    def put(self, states: Mapping[str, FoldState]) -> None:
        """Add these, and evict those that were put in first."""
        for name, state in states.items():
            state.trim()
            self._states[name] = state
            self._rows += state.size + 1
        while self._rows > CACHED_ROWS:
            self._remove(next(iter(self._states)))

    def evict(self, name: str) -> None:
        """Evict a partnership."""
        self._remove(name)

    def empty(self, name: str, position: int) -> FoldState:
        """Return the state of a partnership at a position, without rows in memory."""
        state = FoldState(position, ())
        places = range(len(self._dispatch.projections))
        state.rows = [RowsOnDemand(partial(self._read, state, name, place)) for place in places]
        return state

    def _remove(self, name: str) -> FoldState | None:
        found = self._states.pop(name, None)
        if found:
            self._rows -= found.size + 1
        return found

    # --- reading rows ---

    def load(self, states: Mapping[str, FoldState], backlogs: Mapping[str, Backlog]) -> None:
        """Read the rows that `keys` names and that are not in memory, with one statement.

        A backlog ends before an event whose keys cannot be told, and notes a row that is damaged.
        """
        folds = self._folds()
        missing = [
            (folds[place].id, name, key)
            for name, backlog in backlogs.items()
            for place, key in self._touched(states[name], backlog)
        ]
        if not missing:
            return
        places = {fold.id: place for place, fold in enumerate(folds)}
        for (fold, name, key), stored in self._views.load(missing).items():
            try:
                row = self._typed(name, places[fold], key, stored)
            except UnreadableRow as error:
                backlogs[name].damage = error.detail
            else:
                states[name].rows[places[fold]][key] = row

    def _touched(self, state: FoldState, backlog: Backlog) -> list[tuple[int, str]]:
        """Return the places and keys of the rows to read."""
        dispatch, known = self._dispatch, [each.known for each in state.rows]
        touched, place = [], 0
        for recorded in backlog.events:
            try:
                for place, _, keys in dispatch[type(recorded.event)]:
                    for key in keys(recorded):
                        if key not in known[place]:
                            known[place][key] = None
                            touched.append((place, key))
            except Exception as error:  # noqa: BLE001 - the error of any projection
                backlog.stop(failure_of(FoldFailed(dispatch.projections[place], recorded, error)))
                break
        return touched if state.position != NOTHING else []

    def _read(
        self, state: FoldState, name: str, place: int, keys: Collection[str]
    ) -> dict[str, Any]:
        """Read rows while their partnership is folded. Raises `UnreadableRow`.

        A partnership without a position has no rows: what damage left of it is not read.
        """
        if state.position == NOTHING:
            return {}
        fold = self._folds()[place].id
        found = self._views.load((fold, name, key) for key in keys)
        return {key: self._typed(name, place, key, stored) for (_, _, key), stored in found.items()}

    def _typed(self, name: str, place: int, key: str, stored: bytes) -> Any:  # noqa: ANN401
        """Return a stored row as its projection's type. Raises `UnreadableRow`."""
        projection = self._dispatch.projections[place]
        return typed_row(projection, name, key, read_row(name, projection.name, key, stored))
