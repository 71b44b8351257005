"""The history in one SQLite file, on the eventsourcing library's recorder and pool."""

import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Self

from domain.values import instant
from infra.store.alert_acts import AlertActs
from infra.store.credentials import Credentials
from infra.store.errors import UnknownSchema
from infra.store.event_log import EventLog
from infra.store.history import (
    CommandResult,
    Head,
    InputId,
    Kept,
    OpenRefusal,
    Refusal,
    RefusalState,
    Waiting,
    Writes,
)
from infra.store.mapper import NewEvent
from infra.store.sessions import Sessions
from infra.store.sqlite_alert_acts import SqliteAlertActs
from infra.store.sqlite_credentials import SqliteCredentials
from infra.store.sqlite_datastore import Datastore, as_json, is_new, wanted
from infra.store.sqlite_recorder import (
    SCHEMA,
    SqliteRecorder,
    disproved_heads,
    head_of_events,
    heads_of,
    write_heads,
)
from infra.store.sqlite_sessions import SqliteSessions
from infra.tlog.codec import stored_moment, utc

_COPY_REFUSAL: Final = (
    "INSERT INTO refusals VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_COPY_WAITING: Final = "INSERT INTO waiting VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"

_INPUT: Final = "of_party, of_source, id"
"""The columns of a table of the inputs that are looked for."""


@dataclass(frozen=True, slots=True)
class Copied:
    """What was in another store: a log from its first event on, and what was stored with it."""

    events: Sequence[NewEvent]
    kept: Sequence[Kept]
    refusals: Sequence[Refusal]
    waiting: Sequence[Waiting]


class SqliteStore(EventLog):
    """The `History` in one SQLite file, for any number of threads and processes."""

    def __init__(self, datastore: Datastore) -> None:
        self.datastore = datastore
        self.recorder = SqliteRecorder(datastore)
        super().__init__(self.recorder)
        datastore.ensure("meta", self.recorder.create_table_statements)
        schema = self.meta("schema")
        if schema != SCHEMA:
            self.close()
            raise UnknownSchema(
                f"The file has schema {schema}; this release needs {SCHEMA}. "
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
        return self.datastore.read_only

    @property
    def credentials(self) -> Credentials:
        return SqliteCredentials(self.datastore)

    @property
    def sessions(self) -> Sessions:
        return SqliteSessions(self.datastore)

    @property
    def alert_acts(self) -> AlertActs:
        return SqliteAlertActs(self.datastore)

    def close(self) -> None:
        self.datastore.close()

    # --- writing ---

    def copy(self, copied: Copied) -> None:
        """Write what was copied from another store, in one transaction, byte by byte as it was."""
        self.recorder.insert_events(copied.events, writes=Writes(kept=copied.kept))
        with self.datastore.writing() as c:
            c.executemany(_COPY_REFUSAL, map(_refusal_row, copied.refusals))
            c.executemany(_COPY_WAITING, map(_waiting_row, copied.waiting))

    def freeze(self, why: str) -> None:
        """Let nobody write from now on (see `Datastore.freeze`)."""
        self.datastore.freeze(why)

    def dismiss(self, numbers: Sequence[int], by: str, at: datetime) -> list[int]:
        with self.datastore.writing() as c:
            found = c.execute(
                """UPDATE refusals
                SET state = 'dismissed', unsent = 0, raw = x'', dismissed_by = ?, dismissed_at = ?
                WHERE state = 'open' AND number IN (SELECT value FROM json_each(?))
                RETURNING number""",
                (by, instant(utc(at)), as_json(numbers)),
            ).fetchall()
        return sorted(number for (number,) in found)

    def expire(self, before: datetime, detail: str, hint: str) -> int:
        with self.datastore.writing() as c:
            c.execute(
                """UPDATE refusals SET state = 'expired', type = NULL, detail = ?, hint = ?,
                pointer = NULL, raw = x''
                WHERE state NOT IN ('expired', 'erased')
                AND rtrim(received_at, 'Z') < rtrim(?, 'Z')""",
                (detail, hint, instant(utc(before))),
            )
            expired = c.rowcount
        if expired:
            # While others keep reading, the write-ahead log is emptied later.
            with suppress(sqlite3.OperationalError):
                self.datastore.settle()
        return expired

    def mark_sent(self, numbers: Sequence[int]) -> None:
        self.datastore.run(
            "UPDATE refusals SET unsent = 0 WHERE number IN (SELECT value FROM json_each(?))",
            as_json(numbers),
        )

    def forget(self, kind: str, partnership: str, keys: Iterable[str]) -> None:
        """Delete the items kept under these keys, and their bytes from the file."""
        self.datastore.run(
            """DELETE FROM kept WHERE kind = ? AND partnership = ?
            AND key IN (SELECT value FROM json_each(?))""",
            kind,
            partnership,
            as_json(keys),
        )
        self.datastore.settle()

    def redact(self, refusals: Iterable[Refusal]) -> None:
        found = list(refusals)
        with self.datastore.writing() as c:
            c.executemany(
                """UPDATE refusals
                SET type = ?, detail = ?, hint = ?, pointer = ?, raw = ?, state = ?
                WHERE number = ?""",
                [(r.type, r.detail, r.hint, r.pointer, r.raw, r.state, r.number) for r in found],
            )
        self.datastore.settle()

    def set_meta(self, key: str, value: str) -> None:
        self.datastore.run("INSERT OR REPLACE INTO meta VALUES (?, ?)", key, value)

    # --- reading events ---

    def partnerships(self, after: str = "", limit: int = 1000) -> list[str]:
        found = self.datastore.all(
            "SELECT partnership FROM heads WHERE partnership > ? ORDER BY partnership LIMIT ?",
            after,
            limit,
        )
        return [partnership for (partnership,) in found]

    def last_recorded_at(self) -> datetime | None:
        with self.datastore.reading() as c:
            # Without its Z, a moment on the second sorts before the fractions that follow it.
            latest = c.execute(
                "SELECT partnership, recorded_at FROM heads ORDER BY rtrim(recorded_at, 'Z') DESC"
            ).fetchall()
            for name, recorded_at in latest:
                head = head_of_events(c, name)
                # A head that its last event does not confirm is damaged.
                if head and instant(head[1]) == recorded_at:
                    return head[1]
        return None

    # --- reading what is stored with the events ---

    def damaged_heads(self) -> list[tuple[str, str, str]]:
        with self.datastore.reading() as c:
            return [
                (name, repr(stored), repr((size, instant(utc(at)))))
                for name, stored, (size, at) in disproved_heads(c)
            ]

    def renew_heads(self) -> None:
        with self.datastore.writing() as c:
            write_heads(c, {name: head for name, _, head in disproved_heads(c)})

    def heads(self, partnerships: Iterable[str]) -> dict[str, Head]:
        with self.datastore.reading() as c:
            return {name: Head(*head) for name, head in heads_of(c, partnerships).items()}

    def results(self, inputs: Iterable[InputId]) -> dict[InputId, CommandResult]:
        results: dict[InputId, CommandResult] = {}
        with self.datastore.reading() as c:
            for table, values in wanted(inputs, _INPUT):
                found = c.execute(
                    f"""{table} SELECT results.* FROM wanted CROSS JOIN results
                    ON party = of_party AND source = of_source AND source_id = id""",  # noqa: S608 - only marks
                    values,
                )
                results.update({InputId(*row[:3]): CommandResult(*row) for row in found})
        return results

    def refusals(
        self,
        state: RefusalState | None = "open",
        after: int = 0,
        limit: int = 100,
        rule: str | None = None,
    ) -> list[Refusal]:
        found = self.datastore.all(
            """SELECT * FROM refusals WHERE number > ?1 AND (?2 IS NULL OR state = ?2)
            AND (?4 IS NULL OR rule = ?4) ORDER BY number LIMIT ?3""",
            after,
            state,
            limit,
            rule,
        )
        return [_refusal(row) for row in found]

    def refused(self, inputs: Iterable[InputId]) -> dict[InputId, OpenRefusal]:
        refused: dict[InputId, OpenRefusal] = {}
        with self.datastore.reading() as c:
            for table, values in wanted(inputs, _INPUT):
                found = c.execute(
                    f"""{table} SELECT party, source, source_id, rule, length(raw), number
                    FROM wanted CROSS JOIN refusals
                    ON party = of_party AND source = of_source AND source_id = id
                    WHERE state = 'open'""",  # noqa: S608 - only marks
                    values,
                )
                refused.update({InputId(*row[:3]): OpenRefusal(*row[3:]) for row in found})
        return refused

    def unsent(self, limit: int) -> list[Refusal]:
        found = self.datastore.all(
            "SELECT * FROM refusals WHERE unsent ORDER BY number LIMIT ?", limit
        )
        return [_refusal(row) for row in found]

    def waiting(self, partnerships: Iterable[str]) -> list[Waiting]:
        found = self.datastore.all(
            """SELECT * FROM waiting
            WHERE partnership IN (SELECT value FROM json_each(?)) ORDER BY number""",
            as_json(partnerships),
        )
        return [_waiting(row) for row in found]

    def all_waiting(
        self, after: int = 0, limit: int = 100, partnership: str | None = None
    ) -> list[Waiting]:
        found = self.datastore.all(
            """SELECT * FROM waiting WHERE number > ?1
            AND (?2 IS NULL OR partnership = ?2) ORDER BY number LIMIT ?3""",
            after,
            partnership,
            limit,
        )
        return [_waiting(row) for row in found]

    def refused_of(self, party: str | None = None, source: str | None = None) -> tuple[int, int]:
        found = self.datastore.one(
            """SELECT count(*), coalesce(sum(length(raw)), 0) FROM refusals
            WHERE state = 'open' AND (?1 IS NULL OR party = ?1) AND (?2 IS NULL OR source = ?2)""",
            party,
            source,
        )
        return (int(found[0]), int(found[1])) if found else (0, 0)

    def waiting_of(self, party: str | None = None, source: str | None = None) -> int:
        found = self.datastore.one(
            """SELECT count(*) FROM waiting
            WHERE (?1 IS NULL OR party = ?1) AND (?2 IS NULL OR source = ?2)""",
            party,
            source,
        )
        return int(found[0]) if found else 0

    def overdue(self, now: datetime) -> list[str]:
        found = self.datastore.all(
            """SELECT DISTINCT partnership FROM waiting WHERE rtrim(until, 'Z') < rtrim(?, 'Z')
            ORDER BY partnership""",
            instant(utc(now)),
        )
        return [partnership for (partnership,) in found]

    def naming(self, types: Sequence[str], after: int) -> list[str]:
        found = self.datastore.all(
            """SELECT partnership FROM events WHERE position > ?
            AND topic IN (SELECT value FROM json_each(?)) ORDER BY position""",
            after,
            as_json(types),
        )
        return [partnership for (partnership,) in found]

    def kept(
        self, kind: str, partnership: str, keys: Iterable[str] | None = None
    ) -> dict[str, bytes]:
        named = "" if keys is None else "AND key IN (SELECT value FROM json_each(?))"
        found = self.datastore.all(
            f"""SELECT key, body FROM kept WHERE kind = ? AND partnership = ? {named}
            ORDER BY key""",  # noqa: S608 - one of two texts above
            kind,
            partnership,
            *([] if keys is None else [as_json(keys)]),
        )
        return dict(found)

    def meta(self, key: str) -> str | None:
        found = self.datastore.one("SELECT value FROM meta WHERE key = ?", key)
        return found[0] if found else None


def _refusal_row(r: Refusal) -> tuple[object, ...]:
    return (
        *r.input, r.subject, r.type, r.rule, r.detail, r.hint, r.pointer,
        instant(utc(r.received_at)), r.raw, r.unsent, r.number, r.state, r.dismissed_by,
        r.dismissed_at and instant(utc(r.dismissed_at)),
    )  # fmt: skip


def _waiting_row(w: Waiting) -> tuple[object, ...]:
    return (
        *w.input, w.partnership, w.stream, w.version, w.type, w.awaited_kind, w.awaited_id,
        w.awaited, instant(utc(w.since)), instant(utc(w.until)), w.raw, w.number,
    )  # fmt: skip


def _refusal(row: Sequence[Any]) -> Refusal:
    *before, received_at, raw, unsent, number, state, by, at = row
    dismissed_at = at and stored_moment(at)
    values = [
        *before,
        stored_moment(received_at),
        raw,
        bool(unsent),
        number,
        state,
        by,
        dismissed_at,
    ]
    return Refusal(*values)


def _waiting(row: Sequence[Any]) -> Waiting:
    *before, since, until, raw, number = row
    values = [*before, stored_moment(since), stored_moment(until), raw, number]
    return Waiting(*values)
