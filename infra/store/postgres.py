"""The history in Postgres, on the eventsourcing library's recorder and pool."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Self

import orjson

from infra.store.alert_acts import AlertActs
from infra.store.credentials import Credentials
from infra.store.errors import UnknownSchema
from infra.store.event_log import EventLog
from infra.store.history import (
    CommandResult,
    Head,
    InputId,
    OpenRefusal,
    Refusal,
    RefusalState,
    Waiting,
)
from infra.store.postgres_alert_acts import PostgresAlertActs
from infra.store.postgres_credentials import PostgresCredentials
from infra.store.postgres_datastore import (
    NAMES,
    Datastore,
    applied_migration,
    check_schema,
    columns,
)
from infra.store.postgres_recorder import PostgresRecorder
from infra.store.postgres_sessions import PostgresSessions
from infra.store.sessions import Sessions
from infra.tlog.cloudevents import Trace
from infra.tlog.codec import utc

_REFUSALS = """SELECT party, source, source_id, subject, type, rule, detail, hint, pointer,
    received_at, raw, unsent, number, state, dismissed_by, dismissed_at FROM history.refusals"""

_WANTED = "unnest(%s::text[], %s::text[], %s::text[]) AS wanted (party, source, source_id)"
_OF = "(%s::text IS NULL OR party = %s) AND (%s::text IS NULL OR source = %s)"
_WAITING = """SELECT party, source, source_id, partnership, stream, version, type, awaited_kind,
    awaited_id, awaited, since, until, raw, number FROM history.waiting"""


class PostgresStore(EventLog):
    """The `History` in one Postgres database, for any number of threads and processes."""

    def __init__(self, datastore: Datastore) -> None:
        self.datastore = datastore
        self.recorder = PostgresRecorder(datastore)
        super().__init__(self.recorder)
        try:
            check_schema(applied_migration(datastore))
        except UnknownSchema:
            self.close()
            raise

    @classmethod
    def open(cls, url: str) -> Self:
        """Return the store at `url`. Raises `UnknownSchema` if it was not migrated to this form."""
        return cls(Datastore(url))

    @property
    def read_only(self) -> bool:
        """Always False: a database reports missing rights only on a write."""
        return False

    @property
    def credentials(self) -> Credentials:
        """The API keys; only the role that serves can read them."""
        return PostgresCredentials(self.datastore)

    @property
    def sessions(self) -> Sessions:
        """The sessions; only the role that serves can use them."""
        return PostgresSessions(self.datastore)

    @property
    def alert_acts(self) -> AlertActs:
        """What people did about alerts; who reads answers can read it."""
        return PostgresAlertActs(self.datastore)

    def close(self) -> None:
        self.datastore.close()

    # --- writing ---

    def dismiss(self, numbers: Sequence[int], by: str, at: datetime) -> list[int]:
        found = self.datastore.all(
            """UPDATE history.refusals
            SET state = 'dismissed', unsent = false, dismissed_by = %s, dismissed_at = %s
            WHERE state = 'open' AND number = ANY(%s) RETURNING number""",
            by,
            utc(at),
            list(numbers),
        )
        return sorted(number for (number,) in found)

    def expire(self, before: datetime, detail: str, hint: str) -> int:
        with self.datastore.tuples() as c:
            c.execute(
                """UPDATE history.refusals
                SET state = 'expired', type = NULL, detail = %s, hint = %s, pointer = NULL
                WHERE state NOT IN ('expired', 'erased') AND received_at < %s""",
                (detail, hint, utc(before)),
            )
            return c.rowcount

    def mark_sent(self, numbers: Sequence[int]) -> None:
        self.datastore.run(
            "UPDATE history.refusals SET unsent = false WHERE number = ANY(%s)", list(numbers)
        )

    def forget(self, kind: str, partnership: str, keys: Iterable[str]) -> None:
        self.datastore.run(
            "DELETE FROM history.kept WHERE kind = %s AND partnership = %s AND key = ANY(%s)",
            kind,
            partnership,
            list(keys),
        )

    def redact(self, refusals: Iterable[Refusal]) -> None:
        for r in refusals:
            self.datastore.run(
                """UPDATE history.refusals
                SET type = %s, detail = %s, hint = %s, pointer = %s, raw = %s, state = %s
                WHERE number = %s""",
                *(r.type, r.detail, r.hint, r.pointer, r.raw, r.state, r.number),
            )

    def set_meta(self, key: str, value: str) -> None:
        self.datastore.run(
            """INSERT INTO history.meta VALUES (%s, %s)
            ON CONFLICT (key) DO UPDATE SET value = excluded.value""",
            key,
            value,
        )

    # --- reading events ---

    def newest(self, start: int, end: int) -> dict[str, int]:
        """Return the largest index of each partnership among positions behind `start`, to `end`."""
        found = self.datastore.all(
            """SELECT partnership, max(idx) FROM history.events
            WHERE position > %s AND position <= %s GROUP BY partnership""",
            start,
            end,
        )
        return dict(found)

    def partnerships(self, after: str = "", limit: int = 1000) -> list[str]:
        found = self.datastore.all(
            f"{NAMES} SELECT partnership FROM names WHERE partnership IS NOT NULL LIMIT %s",  # noqa: S608 - written above
            after,
            limit,
        )
        return [partnership for (partnership,) in found]

    def last_recorded_at(self) -> datetime | None:
        # The last event of each partnership is its latest, and the key finds it.
        found = self.datastore.one(
            f"""{NAMES} SELECT max((SELECT e.recorded_at FROM history.events e
                WHERE e.partnership = names.partnership ORDER BY e.idx DESC LIMIT 1)) FROM names""",  # noqa: S608 - as above
            "",
        )
        return utc(found[0]) if found and found[0] else None

    # --- reading what is stored with the events ---

    def damaged_heads(self) -> list[tuple[str, str, str]]:
        """Return none, because heads are not stored: the last event of each partnership is read."""
        return []

    def renew_heads(self) -> None:
        """Do nothing, as above."""

    def heads(self, partnerships: Iterable[str]) -> dict[str, Head]:
        found = self.datastore.all(
            """SELECT name, head.idx + 1, head.recorded_at FROM unnest(%s::text[]) AS name
            CROSS JOIN LATERAL (SELECT idx, recorded_at FROM history.events
                WHERE partnership = name ORDER BY idx DESC LIMIT 1) head""",
            list(partnerships),
        )
        return {name: Head(size, utc(recorded_at)) for name, size, recorded_at in found}

    def results(self, inputs: Iterable[InputId]) -> dict[InputId, CommandResult]:
        found = self.datastore.all(
            f"""SELECT party, source, source_id, fingerprint, partnership, first, count
            FROM {_WANTED} JOIN history.results USING (party, source, source_id)""",  # noqa: S608 - written above
            *columns(set(inputs), 3),
        )
        return {InputId(*row[:3]): CommandResult(*row) for row in found}

    def refusals(
        self,
        state: RefusalState | None = "open",
        after: int = 0,
        limit: int = 100,
        rule: str | None = None,
    ) -> list[Refusal]:
        found = self.datastore.all(
            f"""{_REFUSALS} WHERE number > %s AND (%s::text IS NULL OR state = %s)
            AND (%s::text IS NULL OR rule = %s) ORDER BY number LIMIT %s""",
            after,
            state,
            state,
            rule,
            rule,
            limit,
        )
        return [_refusal(row) for row in found]

    def refused(self, inputs: Iterable[InputId]) -> dict[InputId, OpenRefusal]:
        found = self.datastore.all(
            f"""SELECT party, source, source_id, rule, octet_length(raw), number
            FROM {_WANTED} JOIN history.refusals USING (party, source, source_id)
            WHERE state = 'open'""",  # noqa: S608 - written above
            *columns(set(inputs), 3),
        )
        return {InputId(*row[:3]): OpenRefusal(*row[3:]) for row in found}

    def unsent(self, limit: int) -> list[Refusal]:
        found = self.datastore.all(f"{_REFUSALS} WHERE unsent ORDER BY number LIMIT %s", limit)
        return [_refusal(row) for row in found]

    def waiting(self, partnerships: Iterable[str]) -> list[Waiting]:
        found = self.datastore.all(
            f"{_WAITING} WHERE partnership = ANY(%s) ORDER BY number",
            list(partnerships),
        )
        return [_waiting(row) for row in found]

    def all_waiting(
        self, after: int = 0, limit: int = 100, partnership: str | None = None
    ) -> list[Waiting]:
        found = self.datastore.all(
            f"""{_WAITING} WHERE number > %s
            AND (%s::text IS NULL OR partnership = %s) ORDER BY number LIMIT %s""",
            after,
            partnership,
            partnership,
            limit,
        )
        return [_waiting(row) for row in found]

    def refused_of(self, party: str | None = None, source: str | None = None) -> tuple[int, int]:
        found = self.datastore.one(
            f"""SELECT count(*), coalesce(sum(octet_length(raw)), 0) FROM history.refusals
            WHERE state = 'open' AND {_OF}""",  # noqa: S608 - written above
            *(party, party, source, source),
        )
        return (int(found[0]), int(found[1])) if found else (0, 0)

    def waiting_of(self, party: str | None = None, source: str | None = None) -> int:
        found = self.datastore.one(
            f"SELECT count(*) FROM history.waiting WHERE {_OF}",  # noqa: S608 - written above
            *(party, party, source, source),
        )
        return int(found[0]) if found else 0

    def overdue(self, now: datetime) -> list[str]:
        found = self.datastore.all(
            """SELECT DISTINCT partnership FROM history.waiting WHERE until < %s
            ORDER BY partnership""",
            utc(now),
        )
        return [partnership for (partnership,) in found]

    def naming(self, types: Sequence[str], after: int) -> list[str]:
        found = self.datastore.all(
            """SELECT partnership FROM history.events
            WHERE position > %s AND topic = ANY(%s) ORDER BY position""",
            after,
            list(types),
        )
        return [partnership for (partnership,) in found]

    def traces(self, first: int, last: int) -> dict[int, Trace]:
        """Return the traces of the events from position `first` to `last` that have one."""
        found = self.datastore.all(
            "SELECT position, trace FROM history.traces WHERE position BETWEEN %s AND %s",
            first,
            last,
        )
        return {position: orjson.loads(trace) for position, trace in found}

    def kept(
        self, kind: str, partnership: str, keys: Iterable[str] | None = None
    ) -> dict[str, bytes]:
        wanted = None if keys is None else list(keys)
        found = self.datastore.all(
            """SELECT key, body FROM history.kept WHERE kind = %s AND partnership = %s
            AND (%s::text[] IS NULL OR key = ANY(%s::text[])) ORDER BY key""",
            kind,
            partnership,
            wanted,
            wanted,
        )
        return dict(found)

    def meta(self, key: str) -> str | None:
        found = self.datastore.one("SELECT value FROM history.meta WHERE key = %s", key)
        return found[0] if found else None


def _refusal(row: Sequence[Any]) -> Refusal:
    *before, received_at, raw, unsent, number, state, by, at = row
    dismissed_at = at and utc(at)
    values = [*before, utc(received_at), raw, unsent, number, state, by, dismissed_at]
    return Refusal(*values)


def _waiting(row: Sequence[Any]) -> Waiting:
    *before, since, until, raw, number = row
    values = [*before, utc(since), utc(until), raw, number]
    return Waiting(*values)
