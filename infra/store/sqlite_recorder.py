"""The eventsourcing library's recorder over the tables of a history in one SQLite file."""

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from threading import Thread
from time import sleep
from typing import Any, Final
from uuid import UUID

import orjson
from eventsourcing.persistence import ListenNotifySubscription, StoredEvent
from eventsourcing.sqlite import SQLiteApplicationRecorder, SQLiteCursor

from domain.values import instant
from infra.store.errors import Conflict
from infra.store.history import (
    EPOCH,
    NO_WRITES,
    NOTHING,
    CommandResult,
    Refusal,
    Waiting,
    Writes,
    input_of,
)
from infra.store.log_reads import LogReads
from infra.store.mapper import NewEvent, PlacedEvent, new_events
from infra.store.sqlite_alert_acts import ALERT_ACTS, ALERT_ACTS_OF
from infra.store.sqlite_credentials import CREDENTIALS
from infra.store.sqlite_datastore import Datastore, as_json, plain
from infra.store.sqlite_sessions import SESSIONS
from infra.store.sqlite_trees import TREES
from infra.tlog.codec import stored_moment, utc

SCHEMA = "7"
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
        party TEXT, source TEXT, source_id TEXT, fingerprint BLOB NOT NULL,
        partnership TEXT NOT NULL, first INTEGER, count INTEGER NOT NULL,
        PRIMARY KEY (party, source, source_id)) WITHOUT ROWID""",
    """CREATE TABLE IF NOT EXISTS refusals (
        party TEXT NOT NULL, source TEXT NOT NULL, source_id TEXT NOT NULL,
        subject TEXT, type TEXT,
        rule TEXT NOT NULL, detail TEXT NOT NULL, hint TEXT NOT NULL, pointer TEXT,
        received_at TEXT NOT NULL, raw BLOB NOT NULL, unsent INTEGER NOT NULL,
        number INTEGER PRIMARY KEY AUTOINCREMENT, state TEXT NOT NULL,
        dismissed_by TEXT, dismissed_at TEXT)""",
    """CREATE UNIQUE INDEX IF NOT EXISTS open_refusals ON refusals (party, source, source_id)
        WHERE state = 'open'""",
    "CREATE INDEX IF NOT EXISTS unsent_refusals ON refusals (number) WHERE unsent",
    """CREATE TABLE IF NOT EXISTS waiting (
        party TEXT NOT NULL, source TEXT NOT NULL, source_id TEXT NOT NULL,
        partnership TEXT NOT NULL,
        stream TEXT NOT NULL, version INTEGER NOT NULL, type TEXT NOT NULL,
        awaited_kind TEXT NOT NULL, awaited_id TEXT NOT NULL, awaited TEXT NOT NULL,
        since TEXT NOT NULL, until TEXT NOT NULL, raw BLOB NOT NULL,
        number INTEGER PRIMARY KEY AUTOINCREMENT, UNIQUE (party, source, source_id))""",
    "CREATE INDEX IF NOT EXISTS waiting_inputs ON waiting (partnership, number)",
    "CREATE INDEX IF NOT EXISTS waiting_streams ON waiting (stream)",
    "CREATE INDEX IF NOT EXISTS waiting_until ON waiting (rtrim(until, 'Z'))",
    """CREATE TABLE IF NOT EXISTS kept (
        kind TEXT, partnership TEXT, key TEXT, body BLOB NOT NULL,
        PRIMARY KEY (kind, partnership, key)) WITHOUT ROWID""",
    *TREES,
    CREDENTIALS,
    SESSIONS,
    ALERT_ACTS,
    ALERT_ACTS_OF,
    "CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
    f"INSERT OR IGNORE INTO meta VALUES ('schema', '{SCHEMA}')",  # noqa: S608 - written above
    f"INSERT OR IGNORE INTO meta VALUES ('{EPOCH}', lower(hex(randomblob(8))))",  # noqa: S608 - as above
]

_NEXT_POSITION = "SELECT COALESCE(MAX(position), -1) + 1 FROM events"
_INSERT_EVENT = "INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
_UPSERT_HEAD = """INSERT INTO heads VALUES (?, ?, ?)
    ON CONFLICT DO UPDATE SET size = excluded.size, recorded_at = excluded.recorded_at"""
_INSERT_RESULT = "INSERT OR IGNORE INTO results VALUES (?, ?, ?, ?, ?, ?, ?)"
_INSERT_KEPT = "INSERT OR IGNORE INTO kept VALUES (?, ?, ?, ?)"
_UPSERT_REFUSAL = """INSERT INTO refusals
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, NULL, ?, NULL, NULL)
    ON CONFLICT (party, source, source_id) WHERE state = 'open' DO UPDATE
    SET subject = excluded.subject, type = excluded.type, rule = excluded.rule,
    detail = excluded.detail, hint = excluded.hint, pointer = excluded.pointer,
    received_at = excluded.received_at, raw = excluded.raw, unsent = excluded.unsent"""
_RESOLVE = """UPDATE refusals SET state = 'resolved', unsent = 0, raw = x''
    WHERE party = ? AND source = ? AND source_id = ? AND state = 'open'"""
_SETTLE = "DELETE FROM waiting WHERE party = ? AND source = ? AND source_id = ?"
_UPSERT_WAITING = """INSERT INTO waiting VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, NULL)
    ON CONFLICT (party, source, source_id) DO UPDATE SET partnership = excluded.partnership,
    stream = excluded.stream, version = excluded.version, type = excluded.type,
    awaited_kind = excluded.awaited_kind, awaited_id = excluded.awaited_id,
    awaited = excluded.awaited, raw = excluded.raw"""
_DECIDED_BEFORE = """SELECT 1 FROM waiting
    WHERE stream IN (SELECT value FROM json_each(?)) AND version <>
    (SELECT COALESCE(MAX(events.version), 0) FROM events WHERE events.stream = waiting.stream)"""


POLL = 0.1
"""Seconds between two checks for new events of a subscription."""


class SqliteRecorder(LogReads, SQLiteApplicationRecorder):
    """The `EventRecorder` of a history, which is a recorder of the library, too.

    Through it the library's own parts (`Application`, `Repository`, the notification log) work on
    a store with an `EventMapper`; what they append obeys every rule of the history.
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
        writes: Writes = NO_WRITES,
        **_: Any,  # noqa: ANN401 - the library's signature
    ) -> Sequence[int]:
        """Append events and everything that `History.append` writes with them; return their ids.

        Each event is given its index. Raises `Conflict` as `History.append` does.
        """
        cursor, events = plain(c), new_events(stored_events)
        ids = _write_events(cursor, events)
        _write_results(cursor, writes.results, events)
        _write_waiting(cursor, writes, events)
        cursor.executemany(_UPSERT_REFUSAL, map(_refusal_values, writes.refusals))
        kept = [(k.kind, k.partnership, k.key, k.body) for k in writes.kept]
        cursor.executemany(_INSERT_KEPT, kept)
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

    def select_following(self, reached: Mapping[str, int], limit: int) -> list[PlacedEvent]:
        found: list[PlacedEvent] = []
        for name, index in reached.items():
            found += self.placed(
                "partnership = ? AND idx > ? ORDER BY idx LIMIT ?",
                *(name, index, limit - len(found)),
            )
        return found

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
    """Return the heads of these partnerships; one without events has none.

    A damaged head is made again from the events. One that is too large is left, because events may
    be missing.
    """
    stored = c.execute(
        """SELECT partnership, size, recorded_at, (SELECT max(idx) + 1 FROM events
            WHERE events.partnership = heads.partnership) FROM heads
        WHERE partnership IN (SELECT value FROM json_each(?))""",
        (as_json(partnerships),),
    ).fetchall()
    heads: Heads = {}
    for name, size, recorded_at, events in stored:
        moment = _moment(recorded_at)
        if moment and type(size) is int and size >= (events or 1):
            heads[name] = size, moment
        elif found := head_of_events(c, name):
            heads[name] = found
    return heads


def head_of_events(c: sqlite3.Cursor, partnership: str) -> tuple[int, datetime] | None:
    """Return the head that the last readable event of a partnership gives; None without one."""
    found = c.execute(
        """SELECT body, (SELECT max(idx) + 1 FROM events WHERE partnership = ?1) FROM events
        WHERE partnership = ?1 ORDER BY idx DESC""",
        (partnership,),
    )
    for body, size in found:
        with suppress(ValueError, TypeError, LookupError):
            return size, stored_moment(orjson.loads(body)["recorded_at"])
    return None


def disproved_heads(
    c: sqlite3.Cursor,
) -> list[tuple[str, tuple[Any, Any] | None, tuple[int, datetime]]]:
    """Return the heads that the events disprove: the partnership, what is stored, what is right."""
    stored = {
        name: (size, recorded_at)
        for name, size, recorded_at in c.execute("SELECT partnership, size, recorded_at FROM heads")
    }
    names = c.execute("SELECT DISTINCT partnership FROM events ORDER BY partnership").fetchall()
    found = []
    for (name,) in names:
        head, right = stored.get(name), head_of_events(c, name)
        if right and head != (right[0], instant(utc(right[1]))) and not _is_longer(head, right):
            found.append((name, head, right))
    return found


def _is_longer(head: tuple[Any, Any] | None, right: tuple[int, datetime]) -> bool:
    """Whether a head can be that of a log whose last events are missing."""
    if head is None or type(head[0]) is not int or head[0] <= right[0]:
        return False
    moment = _moment(head[1])
    return moment is not None and moment >= right[1]


def write_heads(c: sqlite3.Cursor, heads: Mapping[str, tuple[int, datetime]]) -> None:
    """Store these heads."""
    c.executemany(
        _UPSERT_HEAD, [(name, size, instant(utc(at))) for name, (size, at) in heads.items()]
    )


def _moment(stored: object) -> datetime | None:
    try:
        return stored_moment(stored)  # type: ignore[arg-type] # which is to be found out
    except (ValueError, TypeError, AttributeError):
        return None


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
                e.leaf,
            )
            for position, e in enumerate(events, first)
        ],
    )
    write_heads(c, heads)
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
    first = {input_of(e.recorded): e.index for e in reversed(events)}
    c.executemany(
        _INSERT_RESULT,
        [(*r.input, r.fingerprint, r.partnership, first.get(r.input), r.count) for r in results],
    )
    if results and c.rowcount < len(results):
        raise Conflict("an input of this batch has a result already")
    c.executemany(_RESOLVE, [each.input for each in results])


def _write_waiting(c: sqlite3.Cursor, writes: Writes, events: Sequence[NewEvent]) -> None:
    c.executemany(_SETTLE, writes.settled)
    if writes.settled and c.rowcount < len(writes.settled):
        raise Conflict("an input of this batch waits no longer")
    c.executemany(_UPSERT_WAITING, map(_waiting_values, writes.waiting))
    c.executemany(_RESOLVE, [each.input for each in writes.waiting])
    streams = {e.recorded.stream for e in events} | {each.stream for each in writes.waiting}
    if streams and c.execute(_DECIDED_BEFORE, (as_json(streams),)).fetchone():
        raise Conflict("an input waits that was decided before the last event of its stream")


def _waiting_values(w: Waiting) -> tuple[object, ...]:
    return (
        *w.input, w.partnership, w.stream, w.version, w.type, w.awaited_kind, w.awaited_id,
        w.awaited, instant(utc(w.since)), instant(utc(w.until)), w.raw,
    )  # fmt: skip


def _refusal_values(refusal: Refusal) -> tuple[object, ...]:
    r = refusal
    return (
        *r.input, r.subject, r.type, r.rule, r.detail, r.hint, r.pointer,
        instant(utc(r.received_at)), r.raw, r.unsent, r.state,
    )  # fmt: skip
