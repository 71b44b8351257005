"""What a decision reads of a partnership's whole log, without replaying it from the start."""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any

from domain.recorded import Recorded
from infra.store.errors import Conflict
from infra.store.history import NOTHING, History
from infra.store.views import OtherFold, UnreadableRow, Views, typed_row
from infra.tlog import codec
from infra.tlog.merkle import Tree, leaf_hash
from projections.fold import Folded, FoldFailed, Projection, Rows, RowsOnDemand, fold, replay

RootAt = Callable[[str, int], bytes | None]
"""Returns the root of a partnership's log at a size, if a tree of it was saved."""

SHORT = 200
"""How many events can be replayed in the time that reading the saved rows takes."""

_ATTEMPTS = 5
"""How often rows are read again because a runner saved them in between."""


class _Moved(Conflict):
    """A runner saved further rows between two reads, so that these may be of a later time."""


@dataclass(frozen=True, slots=True)
class PendingLog:
    """A partnership's log as it will be: its first `stored` events, then those of a batch."""

    name: str
    stored: int
    pending: Sequence[Recorded]


class Logs:
    """Answers questions about a whole log from saved state and the events after it.

    All of a log is read without `views` or `root_at`, where nothing was saved, or if it is short.
    """

    def __init__(
        self, history: History, views: Views | None = None, root_at: RootAt | None = None
    ) -> None:
        self._history = history
        self._views = views
        self._root_at = root_at

    def bodies(self, log: PendingLog) -> Iterator[bytes]:
        """Return the canonical bytes of the events of a log."""
        yield from self._history.bodies(log.name, 0, log.stored)
        yield from map(codec.encode, log.pending)

    def kept(self, kind: str, name: str) -> dict[str, bytes]:
        """Return the stored items of one kind in a partnership, by key."""
        return self._history.kept(kind, name)

    def rows(
        self, projection: Projection, log: PendingLog, wanted: Collection[str]
    ) -> dict[str, Any]:
        """Return the rows of a projection after a log. Those under the keys `wanted` are read now.

        The others are read when they are asked for, and that raises `ReadFailed` from `Conflict` if
        rows were saved since. If a saved row is damaged or the events cannot be folded on the saved
        rows, all rows are those of a replay. Raises `Conflict` if the saved rows are of a longer
        log, because another writer was first, and `FoldFailed` or `UnreadableEvent` if the events
        cannot be folded.
        """
        if self._views is not None and log.stored > SHORT:
            # Rows of another version of the fold are being rebuilt, or wait for that.
            with suppress(OtherFold, UnreadableRow, FoldFailed):
                for _ in range(_ATTEMPTS):
                    with suppress(_Moved):
                        return self._from_saved(self._views, projection, log, wanted)
        return replay(
            projection, chain(self._history.of(log.name, 0, log.stored), log.pending)
        ).rows

    def _from_saved(
        self, views: Views, projection: Projection, log: PendingLog, wanted: Collection[str]
    ) -> RowsOnDemand:
        position = _position(views, projection, log.name)
        if position >= log.stored:
            raise Conflict(f"{log.name} has grown since it was read")
        later = [*self._history.of(log.name, position + 1, log.stored), *log.pending]
        touched = {
            key for each in later if projection.concerns(each) for key in projection.keys(each)
        }

        def load(keys: Iterable[str]) -> Rows:
            found = views.rows(projection.name, [(log.name, key) for key in keys])
            if _position(views, projection, log.name) != position:
                raise _Moved(f"rows of {log.name} were saved between two reads")
            return {
                key: typed_row(projection, log.name, key, row) for (_, key), row in found.items()
            }

        rows = RowsOnDemand(load)
        keys = sorted(touched | set(wanted))
        rows.learn(keys, load(keys))
        fold(projection, Folded(rows), later)
        return rows

    def root(self, log: PendingLog, size: int) -> bytes:
        """Return the root over the first `size` leaves of a log."""
        known = self._root_at(log.name, size) if self._root_at and size <= log.stored else None
        if known:
            return known
        leaves = chain(
            self._history.leaves(log.name, 0, log.stored),
            (leaf_hash(codec.encode(each)) for each in log.pending),
        )
        return Tree.over(islice(leaves, size)).root()

    def last(self) -> Recorded | None:
        """Return the last event of the whole store."""
        found = self._history.after(self._history.size() - 2, 1)
        return found[0] if found else None


class GrowingRows:
    """The rows of a projection after a log to which a batch adds events: each is folded once.

    The same rows go on with the log, so they are read before the next event is added.
    """

    def __init__(self, logs: Logs, projection: Projection) -> None:
        self._logs = logs
        self._projection = projection
        self._rows: dict[str, Any] | None = None
        self._folded = 0

    def after(self, log: PendingLog, wanted: Collection[str]) -> Rows:
        """Return the rows after a log that begins with the one before (see `Logs.rows`)."""
        rows, self._rows = self._rows, None
        if rows is not None:
            with suppress(Conflict, FoldFailed, UnreadableRow):
                fold(self._projection, Folded(rows), log.pending[self._folded :])
                self._rows = rows
        if self._rows is None:
            self._rows = self._logs.rows(self._projection, log, wanted)
        self._folded = len(log.pending)
        return self._rows


def _position(views: Views, projection: Projection, name: str) -> int:
    return views.positions(projection.name, [name]).get(name, NOTHING)
