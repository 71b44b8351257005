"""The eventsourcing library's recorder over the tables of a history in one SQLite file."""

import sqlite3
from collections.abc import Iterable, Sequence
from datetime import datetime
from threading import Thread
from time import sleep
from typing import Any, Final
from uuid import UUID

from eventsourcing.persistence import ListenNotifySubscription, StoredEvent
from eventsourcing.sqlite import SQLiteApplicationRecorder, SQLiteCursor

from domain.values import instant
from infra.store.log_reads import LogReads
from infra.store.mapper import NewEvent, PlacedEvent, new_events
from infra.store.records import EPOCH, NOTHING, CommandResult, Conflict, Kept, Refusal
from infra.store.sqlite_datastore import Datastore, as_json, plain
from infra.store.sqlite_trees import TREES
from infra.tlog.codec import moment, utc
from infra.tlog.merkle import leaf_hash

SCHEMA = "3"
"""The form of these tables; a file of another form is refused."""

TABLES: Final = [
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
    f"INSERT OR IGNORE INTO meta VALUES ('{EPOCH}', lower(hex(randomblob(8))))",  # noqa: S608 - as above
]

_NEXT_POSITION = "SELECT COALESCE(MAX(position), -1) + 1 FROM events"
_INSERT_EVENT = "INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
_UPSERT_HEAD = """INSERT INTO heads VALUES (?, ?, ?)
    ON CONFLICT DO UPDATE SET size = excluded.size, recorded_at = excluded.recorded_at"""
# Only a refused input can be decided again.
_UPSERT_RESULT = """INSERT INTO results VALUES (?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT DO UPDATE SET fingerprint = excluded.fingerprint, refused = excluded.refused,
    partnership = excluded.partnership, first = excluded.first, count = excluded.count
    WHERE refused IS NOT NULL"""
_INSERT_KEPT = "INSERT OR IGNORE INTO kept VALUES (?, ?, ?, ?)"
_INSERT_REFUSAL = "INSERT INTO refusals VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, NULL, ?)"


POLL = 0.1
"""Seconds between two checks for new events of a subscription."""


class SqliteRecorder(LogReads, SQLiteApplicationRecorder):
    """The `EventRecorder` of a history, which is a recorder of the library, too.

    Through it the library's own parts (`Application`, `Repository`, the notification log) work on
    a store with an `EventMapper`, and what they append keeps every rule of the history.
    """

    table = "events"
    mark = "?"

    def __init__(self, datastore: Datastore) -> None:
        super().__init__(datastore)
        self._datastore = datastore

    def construct_create_table_statements(self) -> list[str]:
        """Return the statements that make the tables."""
        return TABLES

    # --- appending ---

    def _insert_events(
        self,
        c: SQLiteCursor,
        stored_events: Sequence[StoredEvent],
        *,
        results: Sequence[CommandResult] = (),
        refusals: Sequence[Refusal] = (),
        kept: Sequence[Kept] = (),
        **_: Any,  # noqa: ANN401 - the library's signature
    ) -> Sequence[int]:
        """Append events and everything that `History.append` writes with them; return their ids.

        Each event is given its index. Raises `Conflict` as `History.append` does.
        """
        cursor, events = plain(c), new_events(stored_events)
        ids = _write_events(cursor, events)
        _write_results(cursor, results, events)
        cursor.executemany(_INSERT_REFUSAL, map(_refusal_values, refusals))
        cursor.executemany(_INSERT_KEPT, [(k.kind, k.partnership, k.key, k.body) for k in kept])
        return ids

    # --- reading ---

    def select_events(
        self,
        originator_id: UUID | str,
        *,
        gt: int | None = None,
        lte: int | None = None,
        desc: bool = False,
        limit: int | None = None,
    ) -> Sequence[PlacedEvent]:
        order = "DESC" if desc else "ASC"
        return self.placed(
            f"""stream = ? AND version > ? AND version <= ?
            ORDER BY version {order} LIMIT ?""",
            str(originator_id),
            0 if gt is None else gt,
            _ALL if lte is None else lte,
            _ALL if limit is None else limit,
        )

    def select_streams(self, names: Iterable[str]) -> Sequence[PlacedEvent]:
        return self.placed(
            """stream IN (SELECT value FROM json_each(?))
            ORDER BY stream, version""",
            as_json(names),
        )

    def select_notifications(
        self,
        start: int | None,
        limit: int,
        stop: int | None = None,
        topics: Sequence[str] = (),
        *,
        inclusive_of_start: bool = True,
    ) -> Sequence[PlacedEvent]:
        first = 0 if start is None else start - 1 if inclusive_of_start else start
        wanted = "AND topic IN (SELECT value FROM json_each(?))" if topics else ""
        return self.placed(
            f"position >= ? AND position < ? {wanted} ORDER BY position LIMIT ?",
            first,
            _ALL if stop is None else stop,
            *([as_json(topics)] if topics else []),
            limit,
        )

    def max_notification_id(self) -> int:
        with self._datastore.reading() as c:
            size: int = c.execute(_NEXT_POSITION).fetchone()[0]
        return size

    def subscribe(
        self, gt: int | None = None, topics: Sequence[str] = ()
    ) -> "ListenNotifySubscription[SqliteRecorder]":
        """Return an iterator over the events after id `gt`, which waits for new ones."""
        return _Subscription(self, gt, topics)

    def all_rows(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        return self._datastore.all(statement, *values)


_ALL: Final = 2**63 - 1
"""The largest integer of SQLite, for a range or a limit without an end."""


class _Subscription(ListenNotifySubscription[SqliteRecorder]):
    """Looks for new events at an interval, because SQLite does not notify other processes."""

    def __init__(self, recorder: SqliteRecorder, gt: int | None, topics: Sequence[str]) -> None:
        super().__init__(recorder, gt, topics)
        self._poll_thread = Thread(target=self._poll, daemon=True)
        self._poll_thread.start()

    def _poll(self) -> None:
        while not self._has_been_stopped:
            self._has_been_notified.set()
            sleep(POLL)

    def __exit__(self, *args: object, **kwargs: object) -> None:
        super().__exit__(*args, **kwargs)
        self._poll_thread.join()


# --- statements of one transaction ---------------------------------------------------------------

Heads = dict[str, tuple[int, datetime]]
"""By partnership: the size of its log, and when its last event was recorded."""


def heads_of(c: sqlite3.Cursor, partnerships: Iterable[str]) -> Heads:
    """Return the heads of those of these partnerships that have events."""
    found = c.execute(
        """SELECT partnership, size, recorded_at FROM heads
        WHERE partnership IN (SELECT value FROM json_each(?))""",
        (as_json(partnerships),),
    )
    return {name: (size, moment(recorded_at)) for name, size, recorded_at in found}


def _write_events(c: sqlite3.Cursor, events: Sequence[NewEvent]) -> list[int]:
    if not events:
        return []
    # The transaction holds the write lock, so the next position and the heads cannot change.
    heads = heads_of(c, {event.recorded.partnership for event in events})
    _place(events, heads)
    first: int = c.execute(_NEXT_POSITION).fetchone()[0]
    c.executemany(
        _INSERT_EVENT,
        [
            (
                position,
                e.recorded.partnership,
                e.index,
                e.originator_id,
                e.originator_version,
                e.topic,
                e.state,
                leaf_hash(e.state),
            )
            for position, e in enumerate(events, first)
        ],
    )
    c.executemany(
        _UPSERT_HEAD, [(name, size, instant(utc(at))) for name, (size, at) in heads.items()]
    )
    return list(range(first + 1, first + 1 + len(events)))


def _place(events: Sequence[NewEvent], heads: Heads) -> None:
    """Assign each event the next index of its partnership, and move `heads` past them."""
    for event in events:
        name, recorded_at = event.recorded.partnership, event.recorded.act.recorded_at
        index, last = heads.get(name, (0, recorded_at))
        if event.index not in (NOTHING, index):
            raise Conflict(f"{name} has changed since an event that depends on it was decided")
        if recorded_at < last:
            raise Conflict(f"{name} has an event recorded after {recorded_at}")
        heads[name] = index + 1, recorded_at
        event.place(index)


def _write_results(
    c: sqlite3.Cursor, results: Sequence[CommandResult], events: Sequence[NewEvent]
) -> None:
    first = {(e.recorded.source, e.recorded.source_id): e.index for e in reversed(events)}
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
