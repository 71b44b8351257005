"""What projections have folded, in the same Postgres database as the history they fold."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from typing import Any

import psycopg
from eventsourcing.persistence import IntegrityError
from psycopg.rows import TupleRow, tuple_row

from infra.running.leader import LeaseLost, Term
from infra.store.errors import Stale
from infra.store.history import NOTHING, Key
from infra.store.paging import LAST
from infra.store.postgres_datastore import NAMES, Datastore, arrays, columns
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
    SavedOutput,
    StoredOutput,
    StoredRow,
    read_row,
    sortable,
)
from infra.tlog.codec import canonical
from projections import VERSIONS

CHANNEL = "views"
"""The channel on which Postgres notifies that views were saved."""

_POSITION = ("text", "int", "int")
_ROW = ("int", "text", "text", "bytea", "text")
_OUTPUT = ("text", "text", "text", "text", "bytea", "int", "int")
_SAVE = f"SELECT views.save(%t, {arrays('int', *_POSITION, *_ROW, *_OUTPUT)}, %t, %t, %t)"

_LIVE = "(SELECT fold FROM views.folds WHERE track = 'live' AND projection = %s AND version = %s)"
"""The id of the live fold of a projection and of this release's version, if that is live."""

_BEHIND = f"""FROM views.positions AS live LEFT JOIN views.positions AS rebuilt
    ON rebuilt.track = '{REBUILD}' AND rebuilt.partnership = live.partnership
    WHERE live.track = '{LIVE}' AND live.idx >= 0
    AND NOT EXISTS (SELECT FROM views.quarantine AS failed
        WHERE failed.track = '{REBUILD}' AND failed.partnership = live.partnership)"""
# A partnership that the rebuild cannot fold is not behind: it is folded again after the swap.


@dataclass(frozen=True, slots=True)
class Move:
    """A partnership that was folded further: in which save, and up to which index."""

    number: int
    partnership: str
    index: int


class PostgresViews(StoredViews):
    """The `Views` in one Postgres database, for any number of threads and processes."""

    def __init__(self, datastore: Datastore, versions: Mapping[str, int] = VERSIONS) -> None:
        self.datastore = datastore
        super().__init__(versions)

    def close(self) -> None:
        self.datastore.close()

    # --- what readers ask ---

    def positions(self, projection: str, partnerships: Iterable[str]) -> dict[str, int]:
        found = self.track_positions(LIVE, partnerships)
        self._check(projection)
        return found

    def rows(self, projection: str, keys: Iterable[Key]) -> dict[Key, Row]:
        found = self.datastore.all(
            f"""SELECT r.partnership, r.key, r.body
            FROM unnest(%s::text[], %s::text[]) AS wanted (partnership, key)
            JOIN views.rows r USING (partnership, key) WHERE r.fold = {_LIVE}""",  # noqa: S608 - as above
            *columns(keys, 2),
            *self._of(projection),
        )
        if not found:
            self._check(projection)
        return {
            (partnership, key): read_row(partnership, projection, key, body)
            for partnership, key, body in found
        }

    def page(
        self, projection: str, partnership: str, keys: KeyRange, limit: int
    ) -> list[StoredRow]:
        found = self.datastore.all(
            f"""SELECT key, body, wake FROM views.rows WHERE fold = {_LIVE} AND partnership = %s
            AND key >= %s AND key < %s AND key > %s ORDER BY key LIMIT %s""",  # noqa: S608 - as above
            *(*self._of(projection), partnership, *keys, limit),
        )
        if not found:
            self._check(projection)
        return [StoredRow(*row) for row in found]

    def rows_of(
        self, projection: str, partnerships: Iterable[str], before: str | None = None
    ) -> dict[str, dict[str, Row]]:
        found = self.datastore.all(
            f"""SELECT partnership, key, body FROM views.rows
            WHERE fold = {_LIVE} AND partnership = ANY(%s) AND key < %s
            ORDER BY partnership, key""",  # noqa: S608 - as above
            *self._of(projection),
            list(partnerships),
            before or LAST,
        )
        if not found:
            self._check(projection)
        rows: dict[str, dict[str, Row]] = {}
        for partnership, key, body in found:
            rows.setdefault(partnership, {})[key] = read_row(partnership, projection, key, body)
        return rows

    def due(self, projection: str, until: str) -> list[str]:
        found = self.datastore.all(
            f"""SELECT partnership FROM views.rows WHERE fold = {_LIVE} AND wake <= %s
            ORDER BY wake, partnership""",  # noqa: S608 - as above
            *self._of(projection),
            sortable(until),
        )
        if not found:
            self._check(projection)
        return list(dict.fromkeys(partnership for (partnership,) in found))

    def stored_outputs(
        self, after: int = 0, limit: int = 500, partnership: str | None = None
    ) -> list[StoredOutput]:
        found = self.datastore.all(
            f"""SELECT o.id, o.projection, o.partnership, o.kind, o.body, o.cause_index, o.number,
                o.version, t.trace
            FROM views.outputs o LEFT JOIN history.traces t
                ON t.partnership = o.partnership AND t.idx = o.cause_index
            WHERE o.number > %s {"AND o.partnership = %s" if partnership else ""}
            ORDER BY o.number LIMIT %s""",  # noqa: S608 - written just here
            *(after, *([partnership] if partnership else []), limit),
        )
        return [StoredOutput(*row) for row in found]

    def _of(self, projection: str) -> tuple[str, int]:
        return projection, self._version(projection)

    def _check(self, projection: str) -> None:
        self._check_fold(projection, self.folds().get(projection), self._is_folded)

    # --- what a runner needs ---

    def folds(self, track: str = LIVE) -> dict[str, Fold]:
        return by_projection(self.datastore.all(_FOLDS, track))

    def begin(self, versions: Mapping[str, int]) -> dict[str, Fold]:
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
        found = self.datastore.all(
            """SELECT partnership, idx FROM views.positions
            WHERE track = %s AND partnership = ANY(%s)""",
            track,
            list(partnerships),
        )
        return {name: index for name, index in found if position_of(index) != NOTHING}

    def load(self, keys: Iterable[tuple[int, str, str]]) -> dict[tuple[int, str, str], bytes]:
        found = self.datastore.all(
            """SELECT fold, partnership, key, body
            FROM unnest(%s::int[], %s::text[], %s::text[]) AS wanted (fold, partnership, key)
            JOIN views.rows USING (fold, partnership, key)""",
            *columns(keys, 3),
        )
        return {(fold, of, key): body for fold, of, key, body in found}

    def save(self, saved: Saved, cursor: tuple[str, int] | None = None) -> None:
        try:
            if saved.reset or saved.quarantined or saved.lifted or saved.skipped:
                with self._turn() as c:
                    _save(c, saved, cursor)
            else:
                self.datastore.run(_SAVE, *_values(saved, cursor), [])
        except IntegrityError as error:
            raise Stale(str(error)) from error
        if saved.outputs:
            self._outputs_saved.notify()

    def cursor(self, name: str) -> int:
        found = self.datastore.one("SELECT position FROM views.cursors WHERE name = %s", name)
        return found[0] if found else NOTHING

    def move_cursor(self, name: str, position: int) -> None:
        self.datastore.run(
            """INSERT INTO views.cursors AS t VALUES (%s, %s)
            ON CONFLICT (name) DO UPDATE SET position = greatest(t.position, excluded.position)""",
            name,
            position,
        )

    def move_led_cursor(self, term: Term, name: str, position: int) -> None:
        """Save the position of a cursor that only a leader moves. It never moves back.

        Raises `LeaseLost`, with nothing written, if the term is over. The lock on its row makes
        that certain: the next leader reads the cursor either after this move, or before it was
        refused.
        """
        moved = self.datastore.one(
            """WITH led AS (SELECT FROM views.leaders WHERE role = %s AND term = %s FOR SHARE)
            INSERT INTO views.cursors AS t SELECT %s::text, %s::bigint FROM led
            ON CONFLICT (name) DO UPDATE SET position = greatest(t.position, excluded.position)
            RETURNING true""",
            *(term.role, term.number, name, position),
        )
        if moved is None:
            raise LeaseLost(f"another process leads the {term.role}")

    # --- quarantine ---

    def quarantined(
        self, partnerships: Iterable[str] | None = None, track: str = LIVE
    ) -> dict[str, Quarantined]:
        names = None if partnerships is None else list(partnerships)
        return _quarantine_of(self.datastore.all(_QUARANTINED, track, names, names))

    def report(self, damaged: Quarantined) -> bool:
        with (
            self.datastore.get_connection() as connection,
            connection.transaction(),
            connection.cursor(row_factory=tuple_row) as c,
        ):
            # The role of this process may not lock the turn.
            name = [damaged.partnership]
            found = c.execute(f"{_QUARANTINED} FOR UPDATE", (LIVE, name, name)).fetchall()
            known = _quarantine_of(found).get(damaged.partnership)
            if known and known.anew:
                return False
            _quarantine(c, LIVE, [reported(damaged, known)])
        return True

    # --- damage ---

    def damage(self) -> list[Damage]:
        return [
            *(
                Damage(name, "positions", repr(stored), None if last is None else str(last))
                for name, stored, last in self.datastore.all(_DAMAGED_POSITIONS, LIVE, CURSOR)
            ),
            *(
                Damage(name, "positions", "none, beside rows", "the index of the last event")
                for (name,) in self.datastore.all(_LOST_POSITIONS, "", LIVE, LIVE)
            ),
            *(
                each.damage
                for each in map(record_of, self.datastore.all(_QUARANTINED, LIVE, None, None))
                if each.damage
            ),
        ]

    def unfolded(self) -> list[str]:
        found = self.datastore.all(
            f"""{NAMES} SELECT names.partnership FROM names CROSS JOIN LATERAL (
                SELECT e.idx FROM history.events e WHERE e.partnership = names.partnership
                ORDER BY e.idx DESC LIMIT 1) head
            LEFT JOIN views.positions p ON p.track = %s AND p.partnership = names.partnership
            WHERE coalesce(p.idx, -1) < head.idx AND NOT EXISTS (SELECT FROM views.quarantine q
                WHERE q.track = %s AND q.partnership = names.partnership)
            ORDER BY names.partnership""",  # noqa: S608 - its names
            *("", LIVE, LIVE),
        )
        return [name for (name,) in found]

    def strays(self) -> list[Damage]:
        return [
            Damage(name, table, f"{count} of a partnership without events", None)
            for table in ("rows", "outputs")
            for name, count in self.datastore.all(
                f"""SELECT partnership, count(*) FROM views.{table}
                WHERE {_IS_STRAY.format(table=table)} GROUP BY partnership ORDER BY partnership"""  # noqa: S608 - its names
            )
        ]

    def delete_strays(self) -> None:
        with self._turn() as c:
            for table in ("positions", "quarantine", "rows", "outputs"):
                c.execute(f"DELETE FROM views.{table} WHERE {_IS_STRAY.format(table=table)}")  # noqa: S608 - its names

    # --- what a rebuild needs ---

    @contextmanager
    def _turn(self) -> Iterator[psycopg.Cursor[TupleRow]]:
        """Return a cursor in a transaction that excludes all other saves."""
        with (
            self.datastore.get_connection() as connection,
            connection.transaction(),
            connection.cursor(row_factory=tuple_row) as c,
        ):
            c.execute("LOCK TABLE views.turn IN EXCLUSIVE MODE")
            yield c

    def queue(self, versions: Mapping[str, int]) -> dict[str, Fold]:
        with self._turn() as c:
            found = by_projection(c.execute(_FOLDS, (REBUILD,)).fetchall())
            if {name: each.version for name, each in found.items()} != versions:
                c.execute("UPDATE views.folds SET track = NULL WHERE track = %s", (REBUILD,))
                c.execute("DELETE FROM views.positions WHERE track = %s", (REBUILD,))
                c.execute("DELETE FROM views.quarantine WHERE track = %s", (REBUILD,))
                _begin(c, REBUILD, versions)
        return self.folds(REBUILD)

    def behind(self, after: str = "", limit: int | None = 500) -> list[Behind]:
        return [Behind(*each) for each in self.datastore.all(_NEXT_BEHIND, after, limit)]

    def remaining(self) -> tuple[int, int]:
        found = self.datastore.one(
            f"""SELECT coalesce(sum(live.idx - coalesce(rebuilt.idx, {NOTHING})), 0)::bigint,
            coalesce(sum(live.idx + 1), 0)::bigint {_BEHIND}"""
        )
        return found or (0, 0)

    def swap(self, rest: Callable[[list[Behind]], Saved]) -> bool:
        with self._turn() as c:
            rebuilt = by_projection(c.execute(_FOLDS, (REBUILD,)).fetchall())
            if not rebuilt:
                return False
            behind = c.execute(_NEXT_BEHIND, ("", None)).fetchall()
            _save(c, rest([Behind(*each) for each in behind]), None)
            c.execute(_DROP, (LIVE, list(rebuilt)))
            c.execute("UPDATE views.folds SET track = %s WHERE track = %s", (LIVE, REBUILD))
            c.execute("DELETE FROM views.positions WHERE track = %s", (REBUILD,))
            c.execute(_RELEASE_AFTER_REBUILD)
        self._outputs_saved.notify()
        return True

    def drop(self, projections: Iterable[str]) -> None:
        with self._turn() as c:
            c.execute(_DROP, (LIVE, list(projections)))

    def sweep(self) -> None:
        for (fold,) in self.datastore.all("SELECT fold FROM views.folds WHERE track IS NULL"):
            deleted = SWEPT
            while deleted == SWEPT:
                with self.datastore.tuples() as c:
                    c.execute(
                        """DELETE FROM views.rows WHERE ctid = ANY (ARRAY(
                            SELECT ctid FROM views.rows WHERE fold = %s LIMIT %s))""",
                        (fold, SWEPT),
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

    def published_figures(self, partnership: str, periods: Iterable[str]) -> dict[str, set[str]]:
        """Return the keys of the figures that were ever published, by period."""
        found = self.datastore.all(
            """SELECT period, array_agg(key) FROM views.published_figures
            WHERE partnership = %s AND period = ANY(%s) GROUP BY period""",
            *(partnership, list(periods)),
        )
        return {period: set(keys) for period, keys in found}

    def note_published(self, partnership: str, keys: Iterable[tuple[str, str]]) -> None:
        """Save the keys of figures that are about to be published, each with its period."""
        self.datastore.run(
            """INSERT INTO views.published_figures
            SELECT %s, * FROM unnest(%s::text[], %s::text[]) ON CONFLICT DO NOTHING""",
            *(partnership, *columns(list(keys), 2)),
        )

    def last_output(self) -> int:
        found = self.datastore.one("SELECT coalesce(max(number), 0) FROM views.outputs")
        return int(found[0]) if found else 0


# --- statements of one transaction ---------------------------------------------------------------

_FOLDS = "SELECT projection, fold, version FROM views.folds WHERE track = %s"
_DROP = "UPDATE views.folds SET track = NULL WHERE track = %s AND projection = ANY(%s)"
_NEXT_BEHIND = f"""SELECT live.partnership, coalesce(rebuilt.idx, {NOTHING}), live.idx {_BEHIND}
    AND live.partnership > %s AND live.idx > coalesce(rebuilt.idx, {NOTHING})
    ORDER BY live.partnership LIMIT %s"""


def _begin(c: psycopg.Cursor[TupleRow], track: str, versions: Mapping[str, int]) -> None:
    c.executemany(
        """INSERT INTO views.folds (projection, version, track) VALUES (%s, %s, %s)
        ON CONFLICT DO NOTHING""",
        [(projection, version, track) for projection, version in versions.items()],
    )


_OF_QUARANTINE = """partnership, projection, idx, error, since, release, tries, retry_at, newest,
    anew"""
_QUARANTINED = f"""SELECT {_OF_QUARANTINE}, (SELECT max(e.idx) FROM history.events e
        WHERE e.partnership = q.partnership) FROM views.quarantine q
    WHERE track = %s AND (%s::text[] IS NULL OR partnership = ANY(%s)) ORDER BY partnership"""  # noqa: S608 - its columns
# The cursor moves with the positions, so an event up to the cursor whose partnership has a position
# before it is in the rows already. To fold it again would count it twice.
_DAMAGED_POSITIONS = """SELECT p.partnership, p.idx, head.idx FROM views.positions p
    LEFT JOIN LATERAL (SELECT e.idx FROM history.events e WHERE e.partnership = p.partnership
        ORDER BY e.idx DESC LIMIT 1) head ON true
    WHERE p.track = %s AND (p.idx < 0 OR head.idx IS NULL OR p.idx > head.idx
        OR p.idx < head.idx AND EXISTS (SELECT FROM history.events e
            WHERE e.partnership = p.partnership AND e.idx = p.idx + 1
            AND e.position <= (SELECT position FROM views.cursors WHERE name = %s))
        AND NOT EXISTS (SELECT FROM views.quarantine q
            WHERE q.track = p.track AND q.partnership = p.partnership))
    ORDER BY p.partnership"""
_LOST_POSITIONS = f"""{NAMES} SELECT names.partnership FROM names
    WHERE NOT EXISTS (SELECT FROM views.positions p
        WHERE p.track = %s AND p.partnership = names.partnership)
    AND EXISTS (SELECT FROM views.folds f JOIN views.rows r ON r.fold = f.fold
        WHERE f.track = %s AND r.partnership = names.partnership)
    ORDER BY names.partnership"""  # noqa: S608 - its names
_IS_STRAY = "NOT EXISTS (SELECT FROM history.events e WHERE e.partnership = {table}.partnership)"
_RESET_POSITION = "DELETE FROM views.positions WHERE track = %s AND partnership = %s AND idx = %s"
_RESET_ROWS = """DELETE FROM views.rows WHERE partnership = %s
    AND fold IN (SELECT fold FROM views.folds WHERE track = %s)"""
_RELEASE_AFTER_REBUILD = "SELECT views.release_after_rebuild()"


def _quarantine_of(found: Iterable[tuple[Any, ...]]) -> dict[str, Quarantined]:
    return {row[0]: record_of(row).record for row in found}


def _quarantine(c: psycopg.Cursor[TupleRow], track: str, records: Iterable[Quarantined]) -> None:
    c.executemany(
        f"""INSERT INTO views.quarantine (track, {_OF_QUARANTINE})
        VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
        ON CONFLICT (track, partnership) DO UPDATE SET projection = excluded.projection,
            idx = excluded.idx, error = excluded.error, since = excluded.since,
            release = excluded.release, tries = excluded.tries, retry_at = excluded.retry_at,
            newest = excluded.newest, anew = excluded.anew""",  # noqa: S608 - its columns
        [(track, *astuple(each)) for each in records],
    )


def _save(c: psycopg.Cursor[TupleRow], saved: Saved, cursor: tuple[str, int] | None) -> None:
    """Save in a transaction that excludes all other saves, with what is quarantined."""
    track = saved.track
    for name, position in saved.reset.items():
        found = c.execute(
            "SELECT idx FROM views.positions WHERE track = %s AND partnership = %s", (track, name)
        ).fetchone()
        if (position_of(found[0]) if found else NOTHING) != position:
            raise Stale("another runner folded this partnership further")
        c.execute(_RESET_POSITION, (track, name, found[0] if found else position))
        c.execute(_RESET_ROWS, (name, track))
    known = _quarantine_of(c.execute(_QUARANTINED, (track, None, None)).fetchall())
    names = [*(each.partnership for each in saved.quarantined), *saved.lifted]
    c.execute(_SAVE, [*_values(saved, cursor), list(known)])
    positions = c.execute(
        """SELECT partnership, idx FROM views.positions
        WHERE track = %s AND partnership = ANY(%s)""",
        (track, names),
    ).fetchall()
    check_quarantine(saved, known, dict(positions))
    _quarantine(c, track, merged(saved, known))
    c.executemany(
        """UPDATE views.quarantine SET newest = greatest(newest, %s)
        WHERE track = %s AND partnership = %s""",
        [(newest, track, name) for name, newest in saved.skipped.items()],
    )
    c.execute(
        "DELETE FROM views.quarantine WHERE track = %s AND partnership = ANY(%s)",
        (track, list(saved.lifted)),
    )


def _values(saved: Saved, cursor: tuple[str, int] | None) -> list[object]:
    """Return the parameters of `_SAVE`."""
    positions = ((name, old, new) for name, (old, new) in saved.positions.items())
    rows = ((*key, *_row_values(body)) for *key, body in saved.rows)
    # Of several with one identifier the first is saved, as if each were saved alone.
    outputs: dict[str, SavedOutput] = {}
    for each in saved.outputs:
        outputs.setdefault(each.id, each)
    return [
        saved.track,
        list(saved.folds),
        *columns(positions, len(_POSITION)),
        *columns(rows, len(_ROW)),
        *columns(map(output_values, outputs.values()), len(_OUTPUT)),
        *(cursor or (None, None)),
    ]


def _row_values(body: Row | None) -> tuple[bytes | None, str | None]:
    return (None, None) if body is None else (canonical(body), sortable(body.get("wake")))
