"""What projections have folded, in the same Postgres database as the history they fold."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Self

import orjson
import psycopg
from eventsourcing.persistence import IntegrityError
from psycopg.rows import TupleRow, tuple_row

from infra.store.paging import LAST, by_name
from infra.store.postgres_datastore import Datastore, arrays, columns
from infra.store.records import (
    LIVE,
    NOTHING,
    REBUILD,
    Behind,
    Fold,
    Key,
    OtherFold,
    Output,
    Row,
    Saved,
    Signal,
    Stale,
    StoredOutput,
    read_rows,
    sortable,
)
from infra.tlog.codec import canonical
from projections import VERSIONS

CHANNEL = "views"
"""The channel on which Postgres notifies that views were saved."""

_POSITION = ("text", "int", "int")
_ROW = ("int", "text", "text", "bytea", "text")
_OUTPUT = ("text", "text", "text", "text", "bytea", "int", "int")
_SAVE = f"SELECT views.save(%t, {arrays('int', *_POSITION, *_ROW, *_OUTPUT)}, %t, %t)"

_LIVE = "(SELECT fold FROM views.folds WHERE track = 'live' AND projection = %s AND version = %s)"
"""The id of the live fold of a projection and of this release's version, if that is live."""

_BEHIND = f"""FROM views.positions AS live LEFT JOIN views.positions AS rebuilt
    ON rebuilt.track = '{REBUILD}' AND rebuilt.partnership = live.partnership
    WHERE live.track = '{LIVE}'"""

_SWEPT = 10_000
"""Rows deleted in one transaction, so that other writers need not wait long."""


@dataclass(frozen=True, slots=True)
class Move:
    """That a partnership was folded further: in which save, and up to which index."""

    number: int
    partnership: str
    index: int


class PostgresViews:
    """The `Views` in one Postgres database, for any number of threads and processes."""

    def __init__(self, datastore: Datastore, versions: Mapping[str, int] = VERSIONS) -> None:
        self.datastore = datastore
        self._versions = versions
        self._outputs_saved = Signal()

    @classmethod
    def open(cls, url: str, versions: Mapping[str, int] = VERSIONS) -> Self:
        """Return the views at `url`."""
        return cls(Datastore(url), versions)

    def close(self) -> None:
        """Close all connections to the database."""
        self.datastore.close()

    def subscribe(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Have `callback` called after each save with outputs (see `Signal.subscribe`)."""
        return self._outputs_saved.subscribe(callback)

    # --- what readers ask ---

    def positions(self, projection: str, partnerships: Iterable[str]) -> dict[str, int]:
        """Return the index of the last folded event of each of these partnerships that has one."""
        found = self.track_positions(LIVE, partnerships)
        self._check(projection)
        return found

    def rows(self, projection: str, keys: Iterable[Key]) -> dict[Key, Row]:
        """Return the rows that exist under these pairs of partnership and key."""
        found = self.datastore.all(
            f"""SELECT r.partnership, r.key, r.body
            FROM unnest(%s::text[], %s::text[]) AS wanted (partnership, key)
            JOIN views.rows r USING (partnership, key) WHERE r.fold = {_LIVE}""",  # noqa: S608 - as above
            *columns(keys, 2),
            *self._of(projection),
        )
        if not found:
            self._check(projection)
        return {(partnership, key): orjson.loads(body) for partnership, key, body in found}

    def select(
        self,
        projection: str,
        partnership: str,
        prefix: str = "",
        after: str = "",
        limit: int | None = None,
    ) -> Iterator[tuple[str, Row]]:
        """Return a partnership's rows by key: those that start with `prefix` and follow `after`."""
        return read_rows(self._select(projection, partnership, prefix, after, limit))

    def stored_rows(self, projection: str, partnership: str) -> Iterator[tuple[str, bytes]]:
        """Return the bytes of a partnership's rows by key, which may be damaged."""
        return self._select(projection, partnership, "", "", None)

    def _select(
        self, projection: str, partnership: str, prefix: str, after: str, limit: int | None
    ) -> Iterator[tuple[str, bytes]]:
        return self._pages(
            f"""SELECT key, body FROM views.rows WHERE fold = {_LIVE} AND partnership = %s
            AND key >= %s AND key < %s AND key > %s ORDER BY key LIMIT %s""",  # noqa: S608 - as above
            projection,
            (*self._of(projection), partnership, prefix, prefix + LAST),
            after,
            limit,
        )

    def rows_of(self, projection: str, partnerships: Iterable[str]) -> dict[str, dict[str, Row]]:
        """Return all rows of each of these partnerships, by partnership and key."""
        found = self.datastore.all(
            f"""SELECT partnership, key, body FROM views.rows
            WHERE fold = {_LIVE} AND partnership = ANY(%s) ORDER BY partnership, key""",  # noqa: S608 - as above
            *self._of(projection),
            list(partnerships),
        )
        if not found:
            self._check(projection)
        rows: dict[str, dict[str, Row]] = {}
        for partnership, key, body in found:
            rows.setdefault(partnership, {})[key] = orjson.loads(body)
        return rows

    def _pages(
        self,
        statement: str,
        projection: str,
        given: tuple[object, ...],
        after: str = "",
        limit: int | None = None,
    ) -> Iterator[tuple[str, bytes]]:
        """Return what `statement` finds; its last parameters are where to go on and how far."""

        def read(after: str, size: int) -> list[tuple[Any, ...]]:
            found = self.datastore.all(statement, *given, after, size)
            if not found:
                self._check(projection)
            return found

        found: Iterator[tuple[str, bytes]] = by_name(read, after, limit)
        return found

    def due(self, projection: str, until: str) -> list[str]:
        """Return partnerships with a row whose `wake` is `until` or earlier, the earliest first."""
        found = self.datastore.all(
            f"""SELECT partnership FROM views.rows WHERE fold = {_LIVE} AND wake <= %s
            ORDER BY wake, partnership""",  # noqa: S608 - as above
            *self._of(projection),
            sortable(until),
        )
        if not found:
            self._check(projection)
        return list(dict.fromkeys(partnership for (partnership,) in found))

    def outputs(
        self, after: int = 0, limit: int = 500, partnership: str | None = None
    ) -> list[Output]:
        """Return the next outputs after number `after`, of one partnership or of all."""
        return [each.read() for each in self.stored_outputs(after, limit, partnership)]

    def stored_outputs(
        self, after: int = 0, limit: int = 500, partnership: str | None = None
    ) -> list[StoredOutput]:
        """Return the same outputs as they are stored."""
        found = self.datastore.all(
            f"""SELECT id, projection, partnership, kind, body, cause_index, number, version
            FROM views.outputs WHERE number > %s {"AND partnership = %s" if partnership else ""}
            ORDER BY number LIMIT %s""",  # noqa: S608 - written just here
            *(after, *([partnership] if partnership else []), limit),
        )
        return [StoredOutput(*row) for row in found]

    def _of(self, projection: str) -> tuple[str, int]:
        return projection, self._versions.get(projection, 1)

    def _check(self, projection: str) -> None:
        """Raise `OtherFold` unless the live fold is of this release's version, or none is begun."""
        _, ours = self._of(projection)
        fold = self.folds().get(projection)
        if fold is None and self._is_folded():
            raise OtherFold(projection, None, ours)
        if fold is not None and fold.version != ours:
            raise OtherFold(projection, fold, ours)

    # --- what a runner needs ---

    def folds(self, track: str = LIVE) -> dict[str, Fold]:
        """Return the folds of a track, by projection."""
        return _by_projection(self.datastore.all(_FOLDS, track))

    def begin(self, versions: Mapping[str, int]) -> dict[str, Fold]:
        """Return the live folds. In a store where nothing is folded yet, begin missing ones."""
        found = self.folds()
        if versions.keys() <= found.keys():
            return found
        with self._turn() as c:
            if not self._is_folded():
                _begin(c, LIVE, versions)
        return self.folds()

    def _is_folded(self) -> bool:
        """Return whether any partnership was folded."""
        found = self.datastore.one("SELECT 1 FROM views.positions WHERE track = %s LIMIT 1", LIVE)
        return found is not None

    def track_positions(self, track: str, partnerships: Iterable[str]) -> dict[str, int]:
        """Return the position of each of these partnerships that has one in a track."""
        found = self.datastore.all(
            """SELECT partnership, idx FROM views.positions
            WHERE track = %s AND partnership = ANY(%s)""",
            track,
            list(partnerships),
        )
        return dict(found)

    def load(self, keys: Iterable[tuple[int, str, str]]) -> dict[tuple[int, str, str], Row]:
        """Return the rows that exist under these ids of folds, partnerships and keys."""
        found = self.datastore.all(
            """SELECT fold, partnership, key, body
            FROM unnest(%s::int[], %s::text[], %s::text[]) AS wanted (fold, partnership, key)
            JOIN views.rows USING (fold, partnership, key)""",
            *columns(keys, 3),
        )
        return {(fold, of, key): orjson.loads(body) for fold, of, key, body in found}

    def save(self, saved: Saved, cursor: tuple[str, int] | None = None) -> None:
        """Save this, and how far a cursor was read; or, with `Stale`, nothing."""
        try:
            self.datastore.run(_SAVE, *_values(saved, cursor))
        except IntegrityError as error:
            raise Stale(str(error)) from error
        if saved.outputs:
            self._outputs_saved.notify()

    def cursor(self, name: str) -> int:
        """Return how far this cursor was read, `NOTHING` at first."""
        found = self.datastore.one("SELECT position FROM views.cursors WHERE name = %s", name)
        return found[0] if found else NOTHING

    def move_cursor(self, name: str, position: int) -> None:
        """Save how far a cursor was read; a cursor never moves back."""
        self.datastore.run(
            """INSERT INTO views.cursors AS t VALUES (%s, %s)
            ON CONFLICT (name) DO UPDATE SET position = greatest(t.position, excluded.position)""",
            name,
            position,
        )

    # --- what a rebuild needs ---

    @contextmanager
    def _turn(self) -> Iterator[psycopg.Cursor[TupleRow]]:
        """Return a cursor in a transaction beside which nothing else is saved."""
        with (
            self.datastore.get_connection() as connection,
            connection.transaction(),
            connection.cursor(row_factory=tuple_row) as c,
        ):
            c.execute("LOCK TABLE views.turn IN EXCLUSIVE MODE")
            yield c

    def queue(self, versions: Mapping[str, int]) -> dict[str, Fold]:
        """Return the folds of the track `REBUILD`; begin them unless they are these already."""
        with self._turn() as c:
            found = _by_projection(c.execute(_FOLDS, (REBUILD,)).fetchall())
            if {name: each.version for name, each in found.items()} != versions:
                c.execute("UPDATE views.folds SET track = NULL WHERE track = %s", (REBUILD,))
                c.execute("DELETE FROM views.positions WHERE track = %s", (REBUILD,))
                _begin(c, REBUILD, versions)
        return self.folds(REBUILD)

    def behind(self, after: str = "", limit: int | None = 500) -> list[Behind]:
        """Return the next partnerships, by name, whose rebuild is behind their live position."""
        return [Behind(*each) for each in self.datastore.all(_NEXT_BEHIND, after, limit)]

    def remaining(self) -> tuple[int, int]:
        """Return how many events the rebuild has still to fold, and how many in all."""
        found = self.datastore.one(
            f"""SELECT coalesce(sum(live.idx - coalesce(rebuilt.idx, {NOTHING})), 0)::bigint,
            coalesce(sum(live.idx + 1), 0)::bigint {_BEHIND}"""
        )
        return found or (0, 0)

    def swap(self, rest: Callable[[list[Behind]], Saved]) -> bool:
        """Replace the live folds of the rebuilt projections, in one transaction."""
        with self._turn() as c:
            rebuilt = _by_projection(c.execute(_FOLDS, (REBUILD,)).fetchall())
            if not rebuilt:
                return False
            behind = c.execute(_NEXT_BEHIND, ("", None)).fetchall()
            c.execute(_SAVE, _values(rest([Behind(*each) for each in behind]), None))
            c.execute(_DROP, (LIVE, list(rebuilt)))
            c.execute("UPDATE views.folds SET track = %s WHERE track = %s", (LIVE, REBUILD))
            c.execute("DELETE FROM views.positions WHERE track = %s", (REBUILD,))
        self._outputs_saved.notify()
        return True

    def drop(self, projections: Iterable[str]) -> None:
        """Take these projections out of the live track; their rows are no longer read."""
        with self._turn() as c:
            c.execute(_DROP, (LIVE, list(projections)))

    def sweep(self) -> None:
        """Delete the rows of folds that are in no track any more, some at a time."""
        for (fold,) in self.datastore.all("SELECT fold FROM views.folds WHERE track IS NULL"):
            deleted = _SWEPT
            while deleted == _SWEPT:
                with self.datastore.tuples() as c:
                    c.execute(
                        """DELETE FROM views.rows WHERE ctid = ANY (ARRAY(
                            SELECT ctid FROM views.rows WHERE fold = %s LIMIT %s))""",
                        (fold, _SWEPT),
                    )
                    deleted = c.rowcount
            self.datastore.run("DELETE FROM views.folds WHERE fold = %s", fold)

    # --- what a publisher asks ---

    def moves(self, after: int, limit: int = 500) -> list[Move]:
        """Return which partnerships were folded further since save `after`, in order.

        Each has its position as it is now. All of one save are returned together: at least `limit`,
        if there are so many.
        """
        found = self.datastore.all(
            """SELECT move, partnership, idx FROM views.positions
            WHERE track = %s AND move > %s AND move <= (
                SELECT max(move) FROM (
                    SELECT move FROM views.positions WHERE track = %s AND move > %s
                    ORDER BY move LIMIT %s) AS page)
            ORDER BY move, partnership""",
            *(LIVE, after, LIVE, after, limit),
        )
        return [Move(*row) for row in found]

    def changed(
        self, projection: str, partnerships: Iterable[str], after: int
    ) -> dict[str, list[str]]:
        """Return the keys of these partnerships' rows that changed since save `after`."""
        found = self.datastore.all(
            f"""SELECT partnership, array_agg(key ORDER BY key) FROM views.rows
            WHERE fold = {_LIVE} AND partnership = ANY(%s) AND move > %s GROUP BY partnership""",  # noqa: S608 - as above
            *(*self._of(projection), list(partnerships), after),
        )
        if not found:
            self._check(projection)
        return dict(found)

    def last_output(self) -> int:
        """Return the number of the last output; 0 if there is none."""
        found = self.datastore.one("SELECT coalesce(max(number), 0) FROM views.outputs")
        return int(found[0]) if found else 0


# --- statements of one transaction ---------------------------------------------------------------

_FOLDS = "SELECT projection, fold, version FROM views.folds WHERE track = %s"
_DROP = "UPDATE views.folds SET track = NULL WHERE track = %s AND projection = ANY(%s)"
_NEXT_BEHIND = f"""SELECT live.partnership, coalesce(rebuilt.idx, {NOTHING}), live.idx {_BEHIND}
    AND live.partnership > %s AND live.idx > coalesce(rebuilt.idx, {NOTHING})
    ORDER BY live.partnership LIMIT %s"""


def _by_projection(found: Iterable[tuple[Any, ...]]) -> dict[str, Fold]:
    return {projection: Fold(fold, projection, version) for projection, fold, version in found}


def _begin(c: psycopg.Cursor[TupleRow], track: str, versions: Mapping[str, int]) -> None:
    c.executemany(
        """INSERT INTO views.folds (projection, version, track) VALUES (%s, %s, %s)
        ON CONFLICT DO NOTHING""",
        [(projection, version, track) for projection, version in versions.items()],
    )


def _values(saved: Saved, cursor: tuple[str, int] | None) -> list[object]:
    """Return the parameters of `_SAVE`."""
    positions = ((name, old, new) for name, (old, new) in saved.positions.items())
    rows = ((*key, *_row_values(body)) for *key, body in saved.rows)
    outputs = {each.id: each for each in saved.outputs}
    return [
        saved.track,
        list(saved.folds),
        *columns(positions, len(_POSITION)),
        *columns(rows, len(_ROW)),
        *columns(map(_output_values, outputs.values()), len(_OUTPUT)),
        *(cursor or (None, None)),
    ]


def _row_values(body: Row | None) -> tuple[bytes | None, str | None]:
    return (None, None) if body is None else (canonical(body), sortable(body.get("wake")))


def _output_values(o: Output) -> tuple[object, ...]:
    body = canonical(o.body)
    return o.id, o.projection, o.partnership, o.kind, body, o.cause_index, o.version
