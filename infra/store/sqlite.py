"""The history in one SQLite file, on the eventsourcing library's recorder and pool."""

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Self

from eventsourcing.persistence import IntegrityError, StoredEvent
from eventsourcing.sqlite import SQLiteApplicationRecorder, SQLiteCursor

from domain.recorded import Recorded
from domain.values import instant
from infra.store.mapper import EventMapper
from infra.store.paging import LAST, by_index
from infra.store.records import (
    NOTHING,
    CommandResult,
    Conflict,
    Head,
    Kept,
    Key,
    Refusal,
    RefusalState,
    Signal,
    UnknownSchema,
    placed_at,
)
from infra.store.sqlite_datastore import Datastore, as_json, is_new, wanted
from infra.store.sqlite_trees import TREES
from infra.tlog.codec import decode, encode, moment, utc
from infra.tlog.merkle import leaf_hash

SCHEMA = "3"
"""The form of these tables; a file of another form is refused."""

_TABLES = [
    """CREATE TABLE IF NOT EXISTS events (
        position INTEGER PRIMARY KEY, partnership TEXT NOT NULL, idx INTEGER NOT NULL,
        stream TEXT NOT NULL, version INTEGER NOT NULL, topic TEXT NOT NULL, body BLOB NOT NULL,
        leaf BLOB NOT NULL, UNIQUE (partnership, idx), UNIQUE (stream, version))""",
    """CREATE TABLE IF NOT EXISTS heads (
        partnership TEXT PRIMARY KEY, size INTEGER NOT NULL, recorded_at TEXT NOT NULL)
        WITHOUT ROWID""",
    """CREATE TABLE IF NOT EXISTS results (
        source TEXT, source_id TEXT, fingerprint BLOB NOT NULL, refused TEXT,
        partnership TEXT NOT NULL, first INTEGER, count INTEGER NOT NULL,
        PRIMARY KEY (source, source_id)) WITHOUT ROWID""",
    """CREATE TABLE IF NOT EXISTS refusals (
        source TEXT NOT NULL, source_id TEXT NOT NULL, subject TEXT, type TEXT,
        rule TEXT NOT NULL, detail TEXT NOT NULL, hint TEXT NOT NULL, pointer TEXT,
        received_at TEXT NOT NULL, raw BLOB NOT NULL,
        number INTEGER PRIMARY KEY AUTOINCREMENT, state TEXT NOT NULL)""",
    """CREATE TABLE IF NOT EXISTS kept (
        kind TEXT, partnership TEXT, key TEXT, body BLOB NOT NULL,
        PRIMARY KEY (kind, partnership, key)) WITHOUT ROWID""",
    *TREES,
    "CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
    f"INSERT OR IGNORE INTO meta VALUES ('schema', '{SCHEMA}')",  # noqa: S608 - written above
    # The library's recorder reads events under its own names.
    """CREATE VIEW IF NOT EXISTS stored_events AS
        SELECT position AS rowid, stream AS originator_id, version AS originator_version,
        topic, body AS state FROM events""",
]

_NEXT_POSITION = "SELECT COALESCE(MAX(position), -1) + 1 FROM events"
_INSERT_EVENT = "INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
_UPSERT_HEAD = """INSERT INTO heads VALUES (?, ?, ?)
    ON CONFLICT DO UPDATE SET size = excluded.size, recorded_at = excluded.recorded_at"""
# Only an input that was refused may come again and fare better.
_UPSERT_RESULT = """INSERT INTO results VALUES (?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT DO UPDATE SET fingerprint = excluded.fingerprint, refused = excluded.refused,
    partnership = excluded.partnership, first = excluded.first, count = excluded.count
    WHERE refused IS NOT NULL"""
_INSERT_KEPT = "INSERT OR IGNORE INTO kept VALUES (?, ?, ?, ?)"
_INSERT_REFUSAL = "INSERT INTO refusals VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, NULL, ?)"


class SqliteRecorder(SQLiteApplicationRecorder):
    """The library's recorder over the tables of the history.

    Through it the library's own parts (`EventStore`, `Repository`, the notification log) read
    and append with an `EventMapper`; what is appended keeps every rule of the history.
    """

    def __init__(self, datastore: Datastore) -> None:
        super().__init__(datastore)
        self._mapper = EventMapper()

    def construct_create_table_statements(self) -> list[str]:
        """Give the statements that make the tables where they are missing."""
        return _TABLES

    def _insert_events(
        self,
        c: SQLiteCursor,
        stored_events: Sequence[StoredEvent],
        **_: Any,  # noqa: ANN401 - the library's signature
    ) -> Sequence[int]:
        events = [self._mapper.to_domain_event(each) for each in stored_events]
        placed = _write_events(c.sqlite_cursor, events, [each.state for each in stored_events])
        return [event.position for event in placed]


class SqliteStore:
    """The `History` in one SQLite file, for any number of threads and processes."""

    def __init__(self, datastore: Datastore) -> None:
        self.datastore = datastore
        self.recorder = SqliteRecorder(datastore)
        self._appended = Signal()
        datastore.ensure("meta", self.recorder.create_table_statements)
        schema = self.meta("schema")
        if schema != SCHEMA:
            self.close()
            raise UnknownSchema(
                f"The file has schema {schema}, and this release reads {SCHEMA}. "
                "Use the release that made it, or a newer one"
            )

    @classmethod
    def open(cls, path: str | Path) -> Self:
        """Return the store in the file at `path`; a missing or empty file becomes one.

        Raises `NoSuchStore`, with nothing written, for any other file.
        """
        is_new(Path(path))
        return cls(Datastore(path))

    @property
    def read_only(self) -> bool:
        """Whether this process may not write to the file."""
        return self.datastore.read_only

    def close(self) -> None:
        """Close all connections to the file."""
        self.datastore.close()

    def subscribe(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Have `callback` called after each commit of this object (see `Signal.subscribe`)."""
        return self._appended.subscribe(callback)

    # --- writing ---

    def append(
        self,
        events: Sequence[Recorded],
        results: Sequence[CommandResult] = (),
        refusals: Sequence[Refusal] = (),
        kept: Sequence[Kept] = (),
    ) -> list[Recorded]:
        """Write all of these or, with `Conflict`, nothing (see `History.append`)."""
        # The bytes are made before the lock is taken, so that others wait less.
        bodies = [encode(event) for event in events]
        try:
            with self.datastore.writing() as c:
                placed = _write_events(c, events, bodies)
                _write_results(c, results, placed)
                c.executemany(_INSERT_REFUSAL, map(_refusal_values, refusals))
                c.executemany(_INSERT_KEPT, [(k.kind, k.partnership, k.key, k.body) for k in kept])
        except IntegrityError as error:
            raise Conflict(f"another writer was first: {error}") from error
        self._appended.notify()
        return placed

    def mark_retried(self, number: int) -> None:
        """Record that a refused input was sent again."""
        with self.datastore.writing() as c:
            c.execute("UPDATE refusals SET state = 'retried' WHERE number = ?", (number,))

    def forget(self, kind: str, partnership: str, keys: Iterable[str]) -> None:
        """Forget what is kept under these keys; the file no longer holds its bytes."""
        with self.datastore.writing() as c:
            c.execute(
                """DELETE FROM kept WHERE kind = ? AND partnership = ?
                AND key IN (SELECT value FROM json_each(?))""",
                (kind, partnership, as_json(keys)),
            )
        self.datastore.settle()

    def redact(self, refusals: Iterable[Refusal]) -> None:
        """Put these in the place of the refused inputs of their numbers, and in their results."""
        found = list(refusals)
        with self.datastore.writing() as c:
            c.executemany(
                """UPDATE refusals
                SET type = ?, detail = ?, hint = ?, pointer = ?, raw = ?, state = ?
                WHERE number = ?""",
                [(r.type, r.detail, r.hint, r.pointer, r.raw, r.state, r.number) for r in found],
            )
            c.executemany(
                """UPDATE results SET refused = ?
                WHERE source = ? AND source_id = ? AND refused IS NOT NULL""",
                [(r.words, r.source, r.source_id) for r in found],
            )
        self.datastore.settle()

    def set_meta(self, key: str, value: str) -> None:
        """Note something about this store as a whole."""
        with self.datastore.writing() as c:
            c.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))

    # --- reading events ---

    def streams(self, names: Iterable[str]) -> dict[str, list[Recorded]]:
        """Give all events of each of these streams, by version; an unknown stream has none."""
        streams: dict[str, list[Recorded]] = {name: [] for name in names}
        with self.datastore.reading() as c:
            for body, index, position in c.execute(
                """SELECT body, idx, position FROM events
                WHERE stream IN (SELECT value FROM json_each(?)) ORDER BY stream, version""",
                (as_json(streams),),
            ):
                event = decode(body, index=index, position=position)
                streams[event.stream].append(event)
        return streams

    def below(self, stream: str) -> list[Recorded]:
        """Return the events of all streams whose names begin with `stream` and a slash."""
        with self.datastore.reading() as c:
            found = c.execute(
                """SELECT body, idx, position FROM events
                WHERE stream > ? AND stream < ? ORDER BY idx""",
                (f"{stream}/", f"{stream}/{LAST}"),
            ).fetchall()
        return [decode(body, index=index, position=position) for body, index, position in found]

    def after(self, position: int, limit: int) -> list[Recorded]:
        """Give the next events after `position`, at most `limit`."""
        with self.datastore.reading() as c:
            found = c.execute(
                """SELECT body, idx, position FROM events
                WHERE position > ? ORDER BY position LIMIT ?""",
                (position, limit),
            ).fetchall()
        return [decode(body, index=index, position=position) for body, index, position in found]

    def of(self, partnership: str, start: int = 0, stop: int | None = None) -> Iterator[Recorded]:
        """Give a partnership's events from index `start` up to, without, `stop`."""
        for body, index, position, _ in self._of(partnership, start, stop):
            yield decode(body, index=index, position=position)

    def bodies(self, partnership: str, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
        """Give the canonical bytes of the same events, as they are stored."""
        for body, _, _, _ in self._of(partnership, start, stop):
            yield body

    def entries(
        self, partnership: str, start: int = 0, stop: int | None = None
    ) -> Iterator[tuple[int, bytes, bytes]]:
        """Give the index, the bytes and the noted leaf hash of each, just as they stand there."""
        for body, index, _, leaf in self._of(partnership, start, stop):
            yield index, body, leaf

    def leaves(self, partnership: str, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
        """Give the leaf hashes of the same events, as they were noted when they were recorded."""

        def read(first: int, end: int) -> list[bytes]:
            with self.datastore.reading() as c:
                found = c.execute(
                    """SELECT leaf FROM events
                    WHERE partnership = ? AND idx >= ? AND idx < ? ORDER BY idx""",
                    (partnership, first, end),
                ).fetchall()
            return [leaf for (leaf,) in found]

        return by_index(read, start, stop)

    def _of(
        self, partnership: str, start: int, stop: int | None
    ) -> Iterator[tuple[bytes, int, int, bytes]]:
        def read(first: int, end: int) -> list[tuple[bytes, int, int, bytes]]:
            with self.datastore.reading() as c:
                return c.execute(
                    """SELECT body, idx, position, leaf FROM events
                    WHERE partnership = ? AND idx >= ? AND idx < ? ORDER BY idx""",
                    (partnership, first, end),
                ).fetchall()

        return by_index(read, start, stop)

    def partnerships(self, after: str = "", limit: int = 1000) -> list[str]:
        """Give the names of partnerships that have events, sorted, beginning after `after`."""
        with self.datastore.reading() as c:
            found = c.execute(
                "SELECT partnership FROM heads WHERE partnership > ? ORDER BY partnership LIMIT ?",
                (after, limit),
            ).fetchall()
        return [partnership for (partnership,) in found]

    def size(self) -> int:
        """Give the number of all events."""
        with self.datastore.reading() as c:
            size: int = c.execute(_NEXT_POSITION).fetchone()[0]
        return size

    def last_recorded_at(self) -> datetime | None:
        """Give the latest moment at which an event was recorded; None if there is no event."""
        with self.datastore.reading() as c:
            # Without its Z, a moment on the second sorts before the fractions that follow it.
            (found,) = c.execute("SELECT max(rtrim(recorded_at, 'Z')) FROM heads").fetchone()
        return None if found is None else moment(f"{found}Z")

    # --- reading what stands beside them ---

    def heads(self, partnerships: Iterable[str]) -> dict[str, Head]:
        """Give the head of each of these partnerships that has events."""
        with self.datastore.reading() as c:
            return {name: Head(*head) for name, head in _heads(c, partnerships).items()}

    def results(self, keys: Iterable[Key]) -> dict[Key, CommandResult]:
        """Give the results that stand under these pairs of source and source id."""
        results: dict[Key, CommandResult] = {}
        with self.datastore.reading() as c:
            for table, pairs in wanted(keys):
                found = c.execute(
                    f"""{table} SELECT results.* FROM wanted CROSS JOIN results
                    ON source = wanted.one AND source_id = wanted.other""",  # noqa: S608 - only marks
                    pairs,
                )
                results.update({(row[0], row[1]): CommandResult(*row) for row in found})
        return results

    def refusals(
        self, state: RefusalState | None = "open", after: int = 0, limit: int = 100
    ) -> list[Refusal]:
        """Give refused inputs in this state (None: in any) whose number is beyond `after`."""
        with self.datastore.reading() as c:
            found = c.execute(
                """SELECT * FROM refusals
                WHERE number > ?1 AND (?2 IS NULL OR state = ?2) ORDER BY number LIMIT ?3""",
                (after, state, limit),
            ).fetchall()
        return [_refusal(row) for row in found]

    def refusal(self, number: int) -> Refusal | None:
        """Give one refused input, or None if there is none of that number."""
        found = self.refusals(state=None, after=number - 1, limit=1)
        return found[0] if found and found[0].number == number else None

    def naming(self, types: Sequence[str], after: int) -> list[str]:
        """Give the partnerships with events of these types behind position `after`, in order."""
        with self.datastore.reading() as c:
            found = c.execute(
                """SELECT partnership FROM events WHERE position > ?
                AND topic IN (SELECT value FROM json_each(?)) ORDER BY position""",
                (after, as_json(types)),
            ).fetchall()
        return [partnership for (partnership,) in found]

    def kept(
        self, kind: str, partnership: str, keys: Iterable[str] | None = None
    ) -> dict[str, bytes]:
        """Give what of a kind is kept of a partnership, by its key: all, or what these name."""
        named = "" if keys is None else "AND key IN (SELECT value FROM json_each(?))"
        with self.datastore.reading() as c:
            found = c.execute(
                f"""SELECT key, body FROM kept WHERE kind = ? AND partnership = ? {named}
                ORDER BY key""",  # noqa: S608 - one of two texts above
                (kind, partnership, *([] if keys is None else [as_json(keys)])),
            ).fetchall()
        return dict(found)

    def meta(self, key: str) -> str | None:
        """Give what is noted about this store as a whole under `key`."""
        with self.datastore.reading() as c:
            found = c.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return found[0] if found else None


# --- statements of one transaction ---------------------------------------------------------------

_Heads = dict[str, tuple[int, datetime]]


def _heads(c: sqlite3.Cursor, partnerships: Iterable[str]) -> _Heads:
    found = c.execute(
        """SELECT partnership, size, recorded_at FROM heads
        WHERE partnership IN (SELECT value FROM json_each(?))""",
        (as_json(partnerships),),
    )
    return {name: (size, moment(recorded_at)) for name, size, recorded_at in found}


def _write_events(
    c: sqlite3.Cursor, events: Sequence[Recorded], bodies: Sequence[bytes]
) -> list[Recorded]:
    # The transaction holds the write lock, so the next position and the heads cannot change.
    heads = _heads(c, {event.partnership for event in events})
    placed = _place(events, heads, c.execute(_NEXT_POSITION).fetchone()[0])
    c.executemany(
        _INSERT_EVENT,
        [
            (
                e.position,
                e.partnership,
                e.index,
                e.stream,
                e.version,
                e.event.wire,
                body,
                leaf_hash(body),
            )
            for e, body in zip(placed, bodies, strict=True)
        ],
    )
    c.executemany(
        _UPSERT_HEAD, [(name, size, instant(utc(at))) for name, (size, at) in heads.items()]
    )
    return placed


def _place(events: Sequence[Recorded], heads: _Heads, position: int) -> list[Recorded]:
    """Give `events` at the next positions and indexes, and move `heads` on behind them."""
    placed = []
    for event in events:
        recorded_at = event.act.recorded_at
        index, last = heads.get(event.partnership, (0, recorded_at))
        if event.index not in (NOTHING, index):
            raise Conflict(f"{event.partnership} has other events than {event.event_id} rests on")
        if recorded_at < last:
            raise Conflict(f"{event.partnership} has an event recorded after {recorded_at}")
        heads[event.partnership] = index + 1, recorded_at
        placed.append(placed_at(event, index, position))
        position += 1
    return placed


def _write_results(
    c: sqlite3.Cursor, results: Sequence[CommandResult], placed: Sequence[Recorded]
) -> None:
    first = {(event.source, event.source_id): event.index for event in reversed(placed)}
    c.executemany(
        _UPSERT_RESULT,
        [
            (r.source, r.source_id, r.fingerprint, r.refused, r.partnership,
             first.get((r.source, r.source_id)), r.count)
            for r in results
        ],
    )  # fmt: skip
    if results and c.rowcount < len(results):
        raise Conflict("an input of this batch has a result already")


def _refusal_values(refusal: Refusal) -> tuple[object, ...]:
    r = refusal
    return (
        r.source, r.source_id, r.subject, r.type, r.rule, r.detail, r.hint, r.pointer,
        instant(utc(r.received_at)), r.raw, r.state,
    )  # fmt: skip


def _refusal(row: Sequence[Any]) -> Refusal:
    *before, received_at, raw, number, state = row
    return Refusal(*[*before, moment(received_at), raw, number, state])
