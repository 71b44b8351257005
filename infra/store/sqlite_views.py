"""What projections have folded, in the same SQLite file as the history they fold."""

import sqlite3
from collections.abc import Callable, Iterable, Mapping
from dataclasses import astuple, replace

from infra.store.errors import Stale
from infra.store.history import NOTHING, TRACE, Key
from infra.store.paging import LAST
from infra.store.sqlite_datastore import Datastore, as_json, wanted
from infra.store.stored_views import (
    SWEPT,
    KeyRange,
    StoredViews,
    by_projection,
    check_quarantine,
    merged,
    output_values,
    position_of,
    record_of,
    reported,
)
from infra.store.views import (
    CURSOR,
    LIVE,
    REBUILD,
    Behind,
    Damage,
    Fold,
    Quarantined,
    Row,
    Saved,
    StoredOutput,
    StoredRow,
    read_row,
    sortable,
)
from infra.tlog.codec import canonical
from projections import VERSIONS

_TABLES = [
    # A fold without a track was dropped; its rows are deleted later.
    """CREATE TABLE IF NOT EXISTS folds (
        fold INTEGER PRIMARY KEY AUTOINCREMENT, projection TEXT NOT NULL,
        version INTEGER NOT NULL, track TEXT, UNIQUE (track, projection))""",
    """CREATE TABLE IF NOT EXISTS rows (
        fold INTEGER, partnership TEXT, key TEXT, body BLOB NOT NULL, wake TEXT,
        PRIMARY KEY (fold, partnership, key)) WITHOUT ROWID""",
    """CREATE INDEX IF NOT EXISTS rows_by_wake ON rows (fold, wake, partnership)
        WHERE wake IS NOT NULL""",
    """CREATE TABLE IF NOT EXISTS positions (
        track TEXT, partnership TEXT, idx INTEGER NOT NULL,
        PRIMARY KEY (track, partnership)) WITHOUT ROWID""",
    """CREATE TABLE IF NOT EXISTS outputs (
        number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE,
        projection TEXT NOT NULL, partnership TEXT NOT NULL, kind TEXT NOT NULL,
        body BLOB NOT NULL, cause_index INTEGER NOT NULL, version INTEGER NOT NULL)""",
    "CREATE INDEX IF NOT EXISTS outputs_by_partnership ON outputs (partnership)",
    "CREATE TABLE IF NOT EXISTS cursors (name TEXT PRIMARY KEY, position INTEGER) WITHOUT ROWID",
]
_QUARANTINE = [
    """CREATE TABLE IF NOT EXISTS quarantine (
        track TEXT, partnership TEXT, projection TEXT NOT NULL, idx INTEGER NOT NULL,
        error TEXT NOT NULL, since TEXT NOT NULL, release TEXT NOT NULL, tries INTEGER NOT NULL,
        retry_at TEXT NOT NULL, newest INTEGER NOT NULL, anew INTEGER NOT NULL,
        PRIMARY KEY (track, partnership)) WITHOUT ROWID""",
]

_LIVE = "(SELECT fold FROM folds WHERE track = 'live' AND projection = ?1 AND version = ?2)"
"""The id of the live fold of a projection and of this release's version, if that is live."""

_UPSERT_ROW = """INSERT INTO rows VALUES (?, ?, ?, ?, ?)
    ON CONFLICT DO UPDATE SET body = excluded.body, wake = excluded.wake"""
_DELETE_ROW = "DELETE FROM rows WHERE fold = ? AND partnership = ? AND key = ?"
_BEGIN_POSITION = "INSERT OR IGNORE INTO positions VALUES (?, ?, ?)"
_MOVE_POSITION = "UPDATE positions SET idx = ? WHERE track = ? AND partnership = ? AND idx = ?"
# A partnership that the rebuild cannot fold is not behind: it is folded again after the swap. So is
# one with a damaged position.
_BEHIND = f"""FROM positions AS live LEFT JOIN positions AS rebuilt
    ON rebuilt.track = '{REBUILD}' AND rebuilt.partnership = live.partnership
    WHERE live.track = '{LIVE}' AND typeof(live.idx) = 'integer' AND live.idx >= 0
    AND NOT EXISTS (SELECT 1 FROM quarantine AS failed
        WHERE failed.track = '{REBUILD}' AND failed.partnership = live.partnership)"""  # noqa: S608
_DAMAGED_POSITIONS = """SELECT * FROM (SELECT p.partnership, p.idx,
        (SELECT max(e.idx) FROM events e WHERE e.partnership = p.partnership) AS last
    FROM positions p LEFT JOIN heads h USING (partnership)
    WHERE p.track = ? AND NOT coalesce(typeof(p.idx) = 'integer' AND p.idx >= 0
        AND typeof(h.size) = 'integer' AND p.idx < h.size, FALSE))
    WHERE NOT coalesce(typeof(idx) = 'integer' AND idx BETWEEN 0 AND last, FALSE)
    ORDER BY partnership"""
# The cursor moves with the positions, so an event up to the cursor whose partnership has a position
# before it is in the rows already. To fold it again would count it twice.
_MOVED_BACK = """SELECT p.partnership, p.idx, h.size - 1 FROM positions p
    JOIN heads h ON h.partnership = p.partnership AND p.idx < h.size - 1
    JOIN events e ON e.partnership = p.partnership AND e.idx = p.idx + 1
    WHERE p.track = ?1 AND typeof(p.idx) = 'integer' AND p.idx >= 0
    AND e.position <= (SELECT position FROM cursors WHERE name = ?2)
    AND NOT EXISTS (SELECT 1 FROM quarantine q
        WHERE q.track = ?1 AND q.partnership = p.partnership)
    ORDER BY p.partnership"""
_IS_STRAY = """partnership NOT IN (SELECT partnership FROM heads)
    AND partnership NOT IN (SELECT partnership FROM events)"""
_HAS_QUARANTINE = "SELECT 1 FROM sqlite_master WHERE name = 'quarantine'"
_OF_QUARANTINE = """partnership, projection, idx, error, since, release, tries, retry_at, newest,
    anew"""
_INSERT_OUTPUT = """INSERT OR IGNORE INTO outputs (id, projection, partnership, kind, body,
    cause_index, version) VALUES (?, ?, ?, ?, ?, ?, ?)"""
# The slower of two readers must not move the cursor back.
_UPSERT_CURSOR = """INSERT INTO cursors VALUES (?, ?)
    ON CONFLICT DO UPDATE SET position = max(position, excluded.position)"""


class SqliteViews(StoredViews):
    """The `Views` in one SQLite file, for any number of threads and processes."""

    def __init__(self, datastore: Datastore, versions: Mapping[str, int] = VERSIONS) -> None:
        self.datastore = datastore
        super().__init__(versions)
        datastore.ensure("folds", _TABLES)
        if not datastore.read_only:
            datastore.ensure("quarantine", _QUARANTINE)

    def close(self) -> None:
        self.datastore.close()

    # --- what readers ask ---

    def positions(self, projection: str, partnerships: Iterable[str]) -> dict[str, int]:
        with self.datastore.reading() as c:
            self._check(c, projection)
            return _positions(c, LIVE, partnerships)

    def rows(self, projection: str, keys: Iterable[Key]) -> dict[Key, Row]:
        rows: dict[Key, Row] = {}
        with self.datastore.reading() as c:
            fold = self._check(c, projection)
            for table, values in wanted(keys):
                found = c.execute(
                    f"""{table} SELECT partnership, key, body FROM wanted CROSS JOIN rows
                    ON fold = ? AND partnership = wanted.one AND key = wanted.other""",  # noqa: S608 - only marks
                    [*values, fold],
                )
                rows.update(
                    {
                        (one, other): read_row(one, projection, other, body)
                        for one, other, body in found
                    }
                )
        return rows

    def page(
        self, projection: str, partnership: str, keys: KeyRange, limit: int
    ) -> list[StoredRow]:
        with self.datastore.reading() as c:
            found = c.execute(
                f"""SELECT key, body, wake FROM rows WHERE fold = {_LIVE} AND partnership = ?3
                AND key >= ?4 AND key < ?5 AND key > ?6 ORDER BY key LIMIT ?7""",  # noqa: S608 - as above
                (projection, self._version(projection), partnership, *keys, limit),
            ).fetchall()
            if not found:
                self._check(c, projection)
        return [StoredRow(*row) for row in found]

    def rows_of(
        self, projection: str, partnerships: Iterable[str], before: str | None = None
    ) -> dict[str, dict[str, Row]]:
        rows: dict[str, dict[str, Row]] = {}
        with self.datastore.reading() as c:
            found = c.execute(
                """SELECT r.partnership, r.key, r.body FROM json_each(?) wanted CROSS JOIN rows r
                ON r.fold = ? AND r.partnership = wanted.value AND r.key < ?
                ORDER BY r.partnership, r.key""",
                (as_json(partnerships), self._check(c, projection), before or LAST),
            )
            for partnership, key, body in found:
                rows.setdefault(partnership, {})[key] = read_row(partnership, projection, key, body)
        return rows

    def due(self, projection: str, until: str) -> list[str]:
        with self.datastore.reading() as c:
            found = c.execute(
                """SELECT partnership FROM rows WHERE fold = ? AND wake <= ?
                ORDER BY wake, partnership""",
                (self._check(c, projection), sortable(until)),
            ).fetchall()
        return list(dict.fromkeys(partnership for (partnership,) in found))

    def stored_outputs(
        self, after: int = 0, limit: int = 500, partnership: str | None = None
    ) -> list[StoredOutput]:
        only = "" if partnership is None else "AND o.partnership = ?3"
        found = self.datastore.all(
            f"""SELECT o.id, o.projection, o.partnership, o.kind, o.body, o.cause_index, o.number,
                o.version, k.body
            FROM outputs o
            LEFT JOIN events e ON e.partnership = o.partnership AND e.idx = o.cause_index
            LEFT JOIN kept k ON k.kind = '{TRACE}' AND k.partnership = e.partnership
                AND k.key = e.stream || '@' || e.version
            WHERE o.number > ?1 {only} ORDER BY o.number LIMIT ?2""",  # noqa: S608 - no values
            *(after, limit) if partnership is None else (after, limit, partnership),
        )
        return [StoredOutput(*row) for row in found]

    def last_output(self) -> int:
        found = self.datastore.one("SELECT coalesce(max(number), 0) FROM outputs")
        return int(found[0]) if found else 0

    def _check(self, c: sqlite3.Cursor, projection: str) -> int | None:
        """Return the id of the live fold, None before anything was folded. Raises `OtherFold`."""
        fold = _folds(c, LIVE).get(projection)
        self._check_fold(projection, fold, lambda: _is_folded(c))
        return fold.id if fold else None

    # --- what a runner needs ---

    def folds(self, track: str = LIVE) -> dict[str, Fold]:
        with self.datastore.reading() as c:
            return _folds(c, track)

    def begin(self, versions: Mapping[str, int]) -> dict[str, Fold]:
        found = self.folds()
        if versions.keys() <= found.keys():
            return found
        with self.datastore.writing() as c:
            if not _is_folded(c):
                _begin(c, LIVE, versions)
            return _folds(c, LIVE)

    def track_positions(self, track: str, partnerships: Iterable[str]) -> dict[str, int]:
        with self.datastore.reading() as c:
            return _positions(c, track, partnerships)

    def load(self, keys: Iterable[tuple[int, str, str]]) -> dict[tuple[int, str, str], bytes]:
        rows: dict[tuple[int, str, str], bytes] = {}
        with self.datastore.reading() as c:
            for table, values in wanted(keys, "fold, partnership, key"):
                found = c.execute(
                    f"""{table} SELECT fold, partnership, key, body FROM wanted
                    CROSS JOIN rows USING (fold, partnership, key)""",  # noqa: S608 - only marks
                    values,
                )
                rows.update({(fold, of, key): body for fold, of, key, body in found})
        return rows

    def save(self, saved: Saved, cursor: tuple[str, int] | None = None) -> None:
        with self.datastore.writing() as c:
            _write(c, saved)
            if cursor is not None:
                c.execute(_UPSERT_CURSOR, cursor)
        if saved.outputs:
            self._outputs_saved.notify()

    def cursor(self, name: str) -> int:
        found = self.datastore.one("SELECT position FROM cursors WHERE name = ?", name)
        return position_of(found[0]) if found else NOTHING

    def move_cursor(self, name: str, position: int) -> None:
        self.datastore.run(_UPSERT_CURSOR, name, position)

    # --- quarantine ---

    def quarantined(
        self, partnerships: Iterable[str] | None = None, track: str = LIVE
    ) -> dict[str, Quarantined]:
        with self.datastore.reading() as c:
            # A store on read-only media may be of a release that had no such table.
            if self.datastore.read_only and not c.execute(_HAS_QUARANTINE).fetchone():
                return {}
            return _quarantined(c, track, partnerships)

    def report(self, damaged: Quarantined) -> bool:
        with self.datastore.writing() as c:
            known = _quarantined(c, LIVE, [damaged.partnership]).get(damaged.partnership)
            if known and known.anew:
                return False
            _quarantine(c, LIVE, [reported(damaged, known)])
        return True

    # --- damage ---

    def damage(self) -> list[Damage]:
        with self.datastore.reading() as c:
            positions = c.execute(_DAMAGED_POSITIONS, (LIVE,)).fetchall()
            positions += c.execute(_MOVED_BACK, (LIVE, CURSOR)).fetchall()
            records = map(record_of, _records(c, LIVE))
            return [
                *(
                    Damage(name, "positions", repr(stored), None if last is None else str(last))
                    for name, stored, last in positions
                ),
                *(each.damage for each in records if each.damage),
            ]

    def unfolded(self) -> list[str]:
        found = self.datastore.all(
            """SELECT h.partnership FROM heads h LEFT JOIN positions p
                ON p.track = ?1 AND p.partnership = h.partnership
            WHERE coalesce(p.idx, ?2) < h.size - 1 AND NOT EXISTS (SELECT 1 FROM quarantine q
                WHERE q.track = ?1 AND q.partnership = h.partnership)
            ORDER BY h.partnership""",
            LIVE,
            NOTHING,
        )
        return [name for (name,) in found]

    def strays(self) -> list[Damage]:
        return [
            Damage(name, table, f"{count} of a partnership without events", None)
            for table in ("rows", "outputs")
            for name, count in self.datastore.all(
                f"SELECT partnership, count(*) FROM {table} WHERE {_IS_STRAY} GROUP BY partnership"  # noqa: S608 - its names
            )
        ]

    def delete_strays(self) -> None:
        with self.datastore.writing() as c:
            for table in ("positions", "quarantine", "rows", "outputs"):
                c.execute(f"DELETE FROM {table} WHERE {_IS_STRAY}")  # noqa: S608 - its names

    # --- what a rebuild needs ---

    def queue(self, versions: Mapping[str, int]) -> dict[str, Fold]:
        with self.datastore.writing() as c:
            if {n: each.version for n, each in _folds(c, REBUILD).items()} != versions:
                c.execute("UPDATE folds SET track = NULL WHERE track = ?", (REBUILD,))
                c.execute("DELETE FROM positions WHERE track = ?", (REBUILD,))
                c.execute("DELETE FROM quarantine WHERE track = ?", (REBUILD,))
                _begin(c, REBUILD, versions)
            return _folds(c, REBUILD)

    def behind(self, after: str = "", limit: int | None = 500) -> list[Behind]:
        with self.datastore.reading() as c:
            return _behind(c, after, limit)

    def remaining(self) -> tuple[int, int]:
        with self.datastore.reading() as c:
            statement = f"""SELECT coalesce(sum(live.idx - coalesce(rebuilt.idx, {NOTHING})), 0),
                coalesce(sum(live.idx + 1), 0) {_BEHIND}"""
            rest, total = c.execute(statement).fetchone()
        return rest, total

    def swap(self, rest: Callable[[list[Behind]], Saved]) -> bool:
        with self.datastore.writing() as c:
            rebuilt = _folds(c, REBUILD)
            if not rebuilt:
                return False
            saved = rest(_behind(c, "", None))
            _write(c, saved)
            _drop(c, rebuilt)
            c.execute("UPDATE folds SET track = ? WHERE track = ?", (LIVE, REBUILD))
            c.execute("DELETE FROM positions WHERE track = ?", (REBUILD,))
            _release_after_rebuild(c)
        self._outputs_saved.notify()
        return True

    def drop(self, projections: Iterable[str]) -> None:
        with self.datastore.writing() as c:
            _drop(c, projections)

    def sweep(self) -> None:
        with self.datastore.reading() as c:
            dropped = c.execute("SELECT fold FROM folds WHERE track IS NULL").fetchall()
        for (fold,) in dropped:
            deleted = SWEPT
            while deleted == SWEPT:
                with self.datastore.writing() as c:
                    c.execute(
                        """DELETE FROM rows WHERE fold = ?1 AND (partnership, key) IN
                        (SELECT partnership, key FROM rows WHERE fold = ?1 LIMIT ?2)""",
                        (fold, SWEPT),
                    )
                    deleted = c.rowcount
            self.datastore.run("DELETE FROM folds WHERE fold = ?", fold)


# --- statements of one transaction ---------------------------------------------------------------


def _folds(c: sqlite3.Cursor, track: str) -> dict[str, Fold]:
    found = c.execute("SELECT projection, fold, version FROM folds WHERE track = ?", (track,))
    return by_projection(found)


def _is_folded(c: sqlite3.Cursor) -> bool:
    """Whether any partnership was folded."""
    found = c.execute("SELECT 1 FROM positions WHERE track = ? LIMIT 1", (LIVE,)).fetchone()
    return found is not None


def _begin(c: sqlite3.Cursor, track: str, versions: Mapping[str, int]) -> None:
    c.executemany(
        "INSERT OR IGNORE INTO folds (projection, version, track) VALUES (?, ?, ?)",
        [(projection, version, track) for projection, version in versions.items()],
    )


def _drop(c: sqlite3.Cursor, projections: Iterable[str]) -> None:
    c.executemany(
        "UPDATE folds SET track = NULL WHERE track = ? AND projection = ?",
        [(LIVE, each) for each in projections],
    )


def _positions(c: sqlite3.Cursor, track: str, partnerships: Iterable[str]) -> dict[str, int]:
    stored = c.execute(
        """SELECT partnership, idx FROM positions WHERE track = ?
        AND partnership IN (SELECT value FROM json_each(?))""",
        (track, as_json(partnerships)),
    )
    found = {name: position_of(index) for name, index in stored}
    return {name: index for name, index in found.items() if index != NOTHING}


def _behind(c: sqlite3.Cursor, after: str, limit: int | None) -> list[Behind]:
    statement = f"""SELECT live.partnership, coalesce(rebuilt.idx, {NOTHING}), live.idx {_BEHIND}
        AND live.partnership > ? AND live.idx > coalesce(rebuilt.idx, {NOTHING})
        ORDER BY live.partnership LIMIT ?"""
    return [Behind(*each) for each in c.execute(statement, (after, -1 if limit is None else limit))]


def _quarantined(
    c: sqlite3.Cursor, track: str, partnerships: Iterable[str] | None = None
) -> dict[str, Quarantined]:
    found = (record_of(row).record for row in _records(c, track, partnerships))
    return {each.partnership: each for each in found}


def _records(
    c: sqlite3.Cursor, track: str, partnerships: Iterable[str] | None = None
) -> sqlite3.Cursor:
    """Return the columns that `record_of` reads."""
    statement = f"""SELECT {_OF_QUARANTINE}, (SELECT max(idx) FROM events
        WHERE events.partnership = quarantine.partnership) FROM quarantine WHERE track = ?"""  # noqa: S608 - its columns
    if partnerships is None:
        return c.execute(f"{statement} ORDER BY partnership", (track,))
    only = "partnership IN (SELECT value FROM json_each(?))"
    return c.execute(f"{statement} AND {only}", (track, as_json(partnerships)))


def _quarantine(c: sqlite3.Cursor, track: str, records: Iterable[Quarantined]) -> None:
    c.executemany(
        f"INSERT OR REPLACE INTO quarantine (track, {_OF_QUARANTINE}) "  # noqa: S608 - its columns
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [(track, *astuple(each)) for each in records],
    )


def _release_after_rebuild(c: sqlite3.Cursor) -> None:
    """Delete the rows of partnerships that a rebuild could not fold; make all due again."""
    before = _quarantined(c, LIVE)
    for name, each in _quarantined(c, REBUILD).items():
        position = _positions(c, LIVE, [name]).get(name, NOTHING)
        _reset(c, LIVE, {name: position})
        record = replace(each, index=0, newest=max(position, each.newest), anew=False)
        if known := before.get(name):
            newest = max(record.newest, known.newest)
            record = replace(record, since=known.since, newest=newest)
        _quarantine(c, LIVE, [record])
    c.execute("DELETE FROM quarantine WHERE track = ?", (REBUILD,))
    c.execute("UPDATE quarantine SET release = ''")


def _write(c: sqlite3.Cursor, saved: Saved) -> None:
    # A position counts for every fold of the track, so one that was not folded would lose events.
    if set(saved.folds) != {each.id for each in _folds(c, saved.track).values()}:
        raise Stale("the projections were rebuilt by another process")
    _reset(c, saved.track, saved.reset)
    _move(c, saved.track, saved.positions)
    _keep_quarantine(c, saved)
    c.executemany(
        _UPSERT_ROW,
        [
            (fold, partnership, key, canonical(body), sortable(body.get("wake")))
            for fold, partnership, key, body in saved.rows
            if body is not None
        ],
    )
    c.executemany(_DELETE_ROW, [each[:3] for each in saved.rows if each[3] is None])
    c.executemany(_INSERT_OUTPUT, map(output_values, saved.outputs))


def _reset(c: sqlite3.Cursor, track: str, positions: Mapping[str, int]) -> None:
    """Delete all rows and the position of partnerships, or raise `Stale`."""
    for name, position in positions.items():
        if _positions(c, track, [name]).get(name, NOTHING) != position:
            raise Stale("another runner folded this partnership further")
        c.execute("DELETE FROM positions WHERE track = ? AND partnership = ?", (track, name))
        c.execute(
            """DELETE FROM rows WHERE partnership = ?
            AND fold IN (SELECT fold FROM folds WHERE track = ?)""",
            (name, track),
        )


def _keep_quarantine(c: sqlite3.Cursor, saved: Saved) -> None:
    """Save which partnerships are quarantined and which are no longer, or raise `Stale`."""
    known = _quarantined(c, saved.track)
    if not (known or saved.quarantined or saved.lifted or saved.skipped):
        return
    names = [*(each.partnership for each in saved.quarantined), *saved.lifted]
    check_quarantine(saved, known, _positions(c, saved.track, names))
    _quarantine(c, saved.track, merged(saved, known))
    c.executemany(
        "UPDATE quarantine SET newest = max(newest, ?) WHERE track = ? AND partnership = ?",
        [(newest, saved.track, name) for name, newest in saved.skipped.items()],
    )
    c.executemany(
        "DELETE FROM quarantine WHERE track = ? AND partnership = ?",
        [(saved.track, name) for name in saved.lifted],
    )


def _move(c: sqlite3.Cursor, track: str, positions: Mapping[str, tuple[int, int]]) -> None:
    """Move positions on from where they are expected, or raise `Stale`."""
    begun = [(track, name, new) for name, (old, new) in positions.items() if old == NOTHING]
    moved = [(new, track, name, old) for name, (old, new) in positions.items() if old != NOTHING]
    # Rows without a position are what damage has left.
    c.executemany(
        """DELETE FROM rows WHERE partnership = ?
        AND fold IN (SELECT fold FROM folds WHERE track = ?)""",
        [(name, of) for of, name, _ in begun],
    )
    for statement, values in ((_BEGIN_POSITION, begun), (_MOVE_POSITION, moved)):
        c.executemany(statement, values)
        if values and c.rowcount < len(values):
            raise Stale("another runner folded these partnerships further")
