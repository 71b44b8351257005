"""What projections have folded, in the same SQLite file as the history they fold."""

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Self

import orjson

from infra.store.paging import LAST, by_name
from infra.store.records import NOTHING, Key, Output, Row, Saved, Signal, Stale, sortable
from infra.store.sqlite_datastore import Datastore, as_json, wanted
from infra.tlog.codec import canonical

_TABLES = [
    """CREATE TABLE IF NOT EXISTS rows (
        projection TEXT, partnership TEXT, key TEXT, body BLOB NOT NULL, wake TEXT,
        PRIMARY KEY (projection, partnership, key)) WITHOUT ROWID""",
    """CREATE INDEX IF NOT EXISTS rows_by_wake ON rows (projection, wake, partnership)
        WHERE wake IS NOT NULL""",
    """CREATE TABLE IF NOT EXISTS positions (
        projection TEXT, partnership TEXT, idx INTEGER NOT NULL,
        PRIMARY KEY (projection, partnership)) WITHOUT ROWID""",
    """CREATE TABLE IF NOT EXISTS outputs (
        number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE,
        projection TEXT NOT NULL, partnership TEXT NOT NULL, kind TEXT NOT NULL,
        body BLOB NOT NULL, cause_index INTEGER NOT NULL)""",
    "CREATE INDEX IF NOT EXISTS outputs_by_partnership ON outputs (partnership)",
    "CREATE TABLE IF NOT EXISTS cursors (name TEXT PRIMARY KEY, position INTEGER) WITHOUT ROWID",
]

_UPSERT_ROW = """INSERT INTO rows VALUES (?, ?, ?, ?, ?)
    ON CONFLICT DO UPDATE SET body = excluded.body, wake = excluded.wake"""
_DELETE_ROW = "DELETE FROM rows WHERE projection = ? AND partnership = ? AND key = ?"
_BEGIN_POSITION = "INSERT OR IGNORE INTO positions VALUES (?, ?, ?)"
_MOVE_POSITION = """UPDATE positions SET idx = ?
    WHERE projection = ? AND partnership = ? AND idx = ?"""
_INSERT_OUTPUT = """INSERT OR IGNORE INTO outputs (id, projection, partnership, kind, body,
    cause_index) VALUES (?, ?, ?, ?, ?, ?)"""
# Of two readers of one cursor the slower must not set the other back.
_UPSERT_CURSOR = """INSERT INTO cursors VALUES (?, ?)
    ON CONFLICT DO UPDATE SET position = max(position, excluded.position)"""


class SqliteViews:
    """The `Views` in one SQLite file, for any number of threads and processes."""

    def __init__(self, datastore: Datastore) -> None:
        self.datastore = datastore
        self._said = Signal()
        datastore.ensure("cursors", _TABLES)

    @classmethod
    def open(cls, path: str | Path) -> Self:
        """Give the views in the file at `path`, which is made if it is missing."""
        return cls(Datastore(path))

    def close(self) -> None:
        """Close all connections to the file."""
        self.datastore.close()

    def subscribe(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Have `callback` called after each save that had outputs (see `Signal.subscribe`)."""
        return self._said.subscribe(callback)

    # --- what a runner needs ---

    def positions(self, projection: str, partnerships: Iterable[str]) -> dict[str, int]:
        """Give the last folded index of each of these partnerships that was folded at all."""
        with self.datastore.reading() as c:
            return dict(
                c.execute(
                    """SELECT partnership, idx FROM positions WHERE projection = ?
                    AND partnership IN (SELECT value FROM json_each(?))""",
                    (projection, as_json(partnerships)),
                )
            )

    def rows(self, projection: str, keys: Iterable[Key]) -> dict[Key, Row]:
        """Give the rows that stand under these pairs of partnership and key."""
        rows: dict[Key, Row] = {}
        with self.datastore.reading() as c:
            for table, pairs in wanted(keys):
                found = c.execute(
                    f"""{table} SELECT partnership, key, body FROM wanted CROSS JOIN rows
                    ON projection = ? AND partnership = wanted.one AND key = wanted.other""",  # noqa: S608 - only marks
                    [*pairs, projection],
                )
                rows.update({(one, other): orjson.loads(body) for one, other, body in found})
        return rows

    def save(self, change: Saved) -> None:
        """Save one change; see `save_all`."""
        self.save_all([change])

    def save_all(self, changes: Sequence[Saved], cursor: tuple[str, int] | None = None) -> None:
        """Save all of these and how far a cursor was read or, with `Stale`, nothing."""
        with self.datastore.writing() as c:
            for change in changes:
                _move(c, change.projection, change.positions)
                _write_rows(c, change.projection, change.rows)
                c.executemany(_INSERT_OUTPUT, map(_output_values, change.outputs))
            if cursor is not None:
                c.execute(_UPSERT_CURSOR, cursor)
        if any(change.outputs for change in changes):
            self._said.notify()

    def cursor(self, name: str) -> int:
        """Give how far this cursor was read, `NOTHING` if it was not."""
        with self.datastore.reading() as c:
            found = c.execute("SELECT position FROM cursors WHERE name = ?", (name,)).fetchone()
        return found[0] if found else NOTHING

    def due(self, projection: str, until: str) -> list[str]:
        """Give partnerships with a row whose `wake` is `until` or before, the earliest first."""
        with self.datastore.reading() as c:
            found = c.execute(
                """SELECT partnership FROM rows WHERE projection = ? AND wake <= ?
                ORDER BY wake, partnership""",
                (projection, sortable(until)),
            ).fetchall()
        return list(dict.fromkeys(partnership for (partnership,) in found))

    def clear(self, projection: str, partnership: str | None = None) -> None:
        """Forget rows and positions, so that they are folded anew; outputs were said and stay."""
        with self.datastore.writing() as c:
            for table in ("rows", "positions"):
                c.execute(
                    f"DELETE FROM {table} WHERE projection = ?1"  # noqa: S608 - named just above
                    + ("" if partnership is None else " AND partnership = ?2"),
                    (projection,) if partnership is None else (projection, partnership),
                )

    # --- what readers ask ---

    def select(
        self,
        projection: str,
        partnership: str,
        prefix: str = "",
        after: str = "",
        limit: int | None = None,
    ) -> Iterator[tuple[str, Row]]:
        """Give a partnership's rows by key: those that begin with `prefix` and follow `after`."""
        statement = """SELECT key, body FROM rows WHERE projection = ? AND partnership = ?
            AND key >= ? AND key < ? AND key > ? ORDER BY key LIMIT ?"""
        return self._pages(
            statement, (projection, partnership, prefix, prefix + LAST), after, limit
        )

    def rows_of(self, projection: str, partnerships: Iterable[str]) -> dict[str, dict[str, Row]]:
        """Give all rows of each of these partnerships, by partnership and key."""
        rows: dict[str, dict[str, Row]] = {}
        with self.datastore.reading() as c:
            found = c.execute(
                """SELECT r.partnership, r.key, r.body FROM json_each(?) wanted CROSS JOIN rows r
                ON r.projection = ? AND r.partnership = wanted.value
                ORDER BY r.partnership, r.key""",
                (as_json(partnerships), projection),
            )
            for partnership, key, body in found:
                rows.setdefault(partnership, {})[key] = orjson.loads(body)
        return rows

    def everywhere(self, projection: str, key: str) -> Iterator[tuple[str, Row]]:
        """Give the row of one key from each partnership that has it, by partnership."""
        # Partnerships are found by their positions: rows are sorted by partnership before key,
        # so a search among them for one key would read them all.
        statement = """SELECT p.partnership, r.body FROM positions p CROSS JOIN rows r
            ON r.projection = p.projection AND r.partnership = p.partnership AND r.key = ?
            WHERE p.projection = ? AND p.partnership > ? ORDER BY p.partnership LIMIT ?"""
        return self._pages(statement, (key, projection), "", None)

    def _pages(
        self, statement: str, given: tuple[str, ...], after: str, limit: int | None
    ) -> Iterator[tuple[str, Row]]:
        """Give what `statement` finds; it ends in where to go on and how far."""

        def read(after: str, size: int) -> list[tuple[str, bytes]]:
            with self.datastore.reading() as c:
                return c.execute(statement, (*given, after, size)).fetchall()

        return ((name, orjson.loads(body)) for name, body in by_name(read, after, limit))

    def outputs(
        self, after: int = 0, limit: int = 500, partnership: str | None = None
    ) -> list[Output]:
        """Give the next outputs after the one of number `after`, of one partnership or of all."""
        only = "" if partnership is None else "AND partnership = ?3"
        with self.datastore.reading() as c:
            found = c.execute(
                f"""SELECT id, projection, partnership, kind, body, cause_index, number
                FROM outputs WHERE number > ?1 {only} ORDER BY number LIMIT ?2""",  # noqa: S608
                (after, limit) if partnership is None else (after, limit, partnership),
            ).fetchall()
        return [
            Output(name, projection, of, kind, orjson.loads(body), cause, place)
            for name, projection, of, kind, body, cause, place in found
        ]

    def last_output(self) -> int:
        """Give the number of the last output; 0 if there is none."""
        with self.datastore.reading() as c:
            return int(c.execute("SELECT coalesce(max(number), 0) FROM outputs").fetchone()[0])


# --- statements of one transaction ---------------------------------------------------------------


def _move(c: sqlite3.Cursor, projection: str, positions: Mapping[str, tuple[int, int]]) -> None:
    """Move positions on from where they are expected, or raise `Stale`."""
    begun = [(projection, name, new) for name, (old, new) in positions.items() if old == NOTHING]
    moved = [
        (new, projection, name, old) for name, (old, new) in positions.items() if old != NOTHING
    ]
    for statement, values in ((_BEGIN_POSITION, begun), (_MOVE_POSITION, moved)):
        c.executemany(statement, values)
        if values and c.rowcount < len(values):
            raise Stale(f"{projection} was folded further by another runner")


def _write_rows(c: sqlite3.Cursor, projection: str, rows: Mapping[Key, Row | None]) -> None:
    c.executemany(
        _UPSERT_ROW,
        [
            (projection, *key, canonical(body), sortable(body.get("wake")))
            for key, body in rows.items()
            if body is not None
        ],
    )
    gone = [(projection, *key) for key, body in rows.items() if body is None]
    c.executemany(_DELETE_ROW, gone)


def _output_values(output: Output) -> tuple[str, str, str, str, bytes, int]:
    o = output
    return o.id, o.projection, o.partnership, o.kind, canonical(o.body), o.cause_index
