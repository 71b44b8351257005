"""The history in Postgres, on the eventsourcing library's recorder and pool."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, Self

from eventsourcing.persistence import IntegrityError, StoredEvent
from eventsourcing.postgres import PostgresApplicationRecorder

from domain.recorded import Recorded
from infra.store.mapper import EventMapper
from infra.store.paging import LAST, by_index
from infra.store.postgres_datastore import (
    Datastore,
    applied_migration,
    arrays,
    check_schema,
    columns,
)
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
from infra.tlog.codec import decode, encode, utc
from infra.tlog.merkle import leaf_hash

CHANNEL = "history"
"""Where Postgres tells that events were appended."""

_EVENT = ("text", "text", "int", "text", "timestamptz", "bytea", "bytea", "int")
_RESULT = ("text", "text", "bytea", "text", "text", "int", "int")
_REFUSAL = (*["text"] * 8, "timestamptz", "bytea")
_KEPT = ("text", "text", "text", "bytea")
_ALL = arrays(*_EVENT, *_RESULT, *_REFUSAL, *_KEPT)
_APPEND = f"SELECT start, indexes FROM history.append({_ALL})"  # noqa: S608 - marks

_SIZE = "SELECT coalesce(max(position), -1) + 1 FROM history.events"


@dataclass(frozen=True, slots=True)
class Stored:
    """An event as it is stored: its place and its canonical bytes."""

    position: int
    partnership: str
    index: int
    body: bytes


class PostgresRecorder(PostgresApplicationRecorder):
    """The library's recorder over the tables of the history.

    Through it the library's own parts (`EventStore`, `Repository`, the notification log) read
    and append with an `EventMapper`; what is appended keeps every rule of the history.
    """

    def __init__(self, datastore: Datastore) -> None:
        super().__init__(datastore)
        self._history = datastore
        self._mapper = EventMapper()

    def insert_events(
        self,
        stored_events: Sequence[StoredEvent],
        **_: Any,  # noqa: ANN401 - the library's signature
    ) -> Sequence[int]:
        """Append events; give their positions."""
        events = [self._mapper.to_domain_event(each) for each in stored_events]
        return [each.position for each in _append(self._history, events, [], [], [])]


class PostgresStore:
    """The `History` in one Postgres database, for any number of threads and processes."""

    def __init__(self, datastore: Datastore) -> None:
        self.datastore = datastore
        self._appended = Signal()
        try:
            check_schema(applied_migration(datastore))
        except UnknownSchema:
            self.close()
            raise

    @classmethod
    def open(cls, url: str) -> Self:
        """Give the store at `url`. Raises `UnknownSchema` if it was not migrated to this form."""
        return cls(Datastore(url))

    @cached_property
    def recorder(self) -> PostgresRecorder:
        """The library's recorder over this history."""
        return PostgresRecorder(self.datastore)

    @property
    def read_only(self) -> bool:
        """A database says what a role may write only when it writes."""
        return False

    def close(self) -> None:
        """Close all connections to the database."""
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
        try:
            placed = _append(self.datastore, events, results, refusals, kept)
        except IntegrityError as error:
            raise Conflict(f"another writer was first: {error}") from error
        self._appended.notify()
        return placed

    def mark_retried(self, number: int) -> None:
        """Record that a refused input was sent again."""
        self.datastore.run(
            "UPDATE history.refusals SET state = 'retried' WHERE number = %s", number
        )

    def forget(self, kind: str, partnership: str, keys: Iterable[str]) -> None:
        """Forget what is kept under these keys."""
        self.datastore.run(
            "DELETE FROM history.kept WHERE kind = %s AND partnership = %s AND key = ANY(%s)",
            kind,
            partnership,
            list(keys),
        )

    def redact(self, refusals: Iterable[Refusal]) -> None:
        """Put these in the place of the refused inputs of their numbers, and in their results."""
        for r in refusals:
            self.datastore.run(
                """WITH redacted AS (
                    UPDATE history.refusals
                    SET type = %s, detail = %s, hint = %s, pointer = %s, raw = %s, state = %s
                    WHERE number = %s
                )
                UPDATE history.results SET refused = %s
                WHERE source = %s AND source_id = %s AND refused IS NOT NULL""",
                *(r.type, r.detail, r.hint, r.pointer, r.raw, r.state, r.number),
                *(r.words, r.source, r.source_id),
            )

    def set_meta(self, key: str, value: str) -> None:
        """Note something about this store as a whole."""
        self.datastore.run(
            """INSERT INTO history.meta VALUES (%s, %s)
            ON CONFLICT (key) DO UPDATE SET value = excluded.value""",
            key,
            value,
        )

    # --- reading events ---

    def streams(self, names: Iterable[str]) -> dict[str, list[Recorded]]:
        """Give all events of each of these streams, by version; an unknown stream has none."""
        streams: dict[str, list[Recorded]] = {name: [] for name in names}
        for body, index, position in self.datastore.all(
            """SELECT body, idx, position FROM history.events
            WHERE stream = ANY(%s) ORDER BY stream, version""",
            list(streams),
        ):
            event = decode(body, index=index, position=position)
            streams[event.stream].append(event)
        return streams

    def below(self, stream: str) -> list[Recorded]:
        """Return the events of all streams whose names begin with `stream` and a slash."""
        found = self.datastore.all(
            """SELECT body, idx, position FROM history.events
            WHERE stream > %s AND stream < %s ORDER BY idx""",
            f"{stream}/",
            f"{stream}/{LAST}",
        )
        return [decode(body, index=index, position=position) for body, index, position in found]

    def after(self, position: int, limit: int) -> list[Recorded]:
        """Give the next events after `position`, at most `limit`."""
        return [
            decode(each.body, index=each.index, position=each.position)
            for each in self.stored_after(position, limit)
        ]

    def stored_after(self, position: int, limit: int) -> list[Stored]:
        """Give the same events as they are stored."""
        found = self.datastore.all(
            """SELECT position, partnership, idx, body FROM history.events
            WHERE position > %s ORDER BY position LIMIT %s""",
            position,
            limit,
        )
        return [Stored(*row) for row in found]

    def newest(self, start: int, end: int) -> dict[str, int]:
        """Give the largest index of each partnership among positions behind `start`, to `end`."""
        found = self.datastore.all(
            """SELECT partnership, max(idx) FROM history.events
            WHERE position > %s AND position <= %s GROUP BY partnership""",
            start,
            end,
        )
        return dict(found)

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
            found = self.datastore.all(
                """SELECT leaf FROM history.events
                WHERE partnership = %s AND idx >= %s AND idx < %s ORDER BY idx""",
                partnership,
                first,
                end,
            )
            return [leaf for (leaf,) in found]

        return by_index(read, start, stop)

    def _of(self, partnership: str, start: int, stop: int | None) -> Iterator[tuple[Any, ...]]:
        def read(first: int, end: int) -> list[tuple[Any, ...]]:
            return self.datastore.all(
                """SELECT body, idx, position, leaf FROM history.events
                WHERE partnership = %s AND idx >= %s AND idx < %s ORDER BY idx""",
                partnership,
                first,
                end,
            )

        return by_index(read, start, stop)

    def partnerships(self, after: str = "", limit: int = 1000) -> list[str]:
        """Give the names of partnerships that have events, sorted, beginning after `after`."""
        # Each has one event of index 0, and the key of partnership and index finds it.
        found = self.datastore.all(
            """WITH RECURSIVE names AS (
                (SELECT partnership FROM history.events WHERE partnership > %s
                 ORDER BY partnership LIMIT 1)
                UNION ALL
                SELECT (SELECT e.partnership FROM history.events e
                        WHERE e.partnership > names.partnership ORDER BY e.partnership LIMIT 1)
                FROM names WHERE names.partnership IS NOT NULL
            ) SELECT partnership FROM names WHERE partnership IS NOT NULL LIMIT %s""",
            after,
            limit,
        )
        return [partnership for (partnership,) in found]

    def size(self) -> int:
        """Give the number of all events."""
        found = self.datastore.one(_SIZE)
        return int(found[0]) if found else 0

    def last_recorded_at(self) -> datetime | None:
        """Give the latest moment at which an event was recorded; None if there is no event."""
        # The last event of each partnership is its latest, and the key finds it.
        found = self.datastore.one(
            """WITH RECURSIVE names AS (
                (SELECT partnership FROM history.events ORDER BY partnership LIMIT 1)
                UNION ALL
                SELECT (SELECT e.partnership FROM history.events e
                        WHERE e.partnership > names.partnership ORDER BY e.partnership LIMIT 1)
                FROM names WHERE names.partnership IS NOT NULL
            ) SELECT max((SELECT e.recorded_at FROM history.events e
                WHERE e.partnership = names.partnership ORDER BY e.idx DESC LIMIT 1)) FROM names"""
        )
        return utc(found[0]) if found and found[0] else None

    # --- reading what stands beside them ---

    def heads(self, partnerships: Iterable[str]) -> dict[str, Head]:
        """Give the head of each of these partnerships that has events."""
        found = self.datastore.all(
            """SELECT name, head.idx + 1, head.recorded_at FROM unnest(%s::text[]) AS name
            CROSS JOIN LATERAL (SELECT idx, recorded_at FROM history.events
                WHERE partnership = name ORDER BY idx DESC LIMIT 1) head""",
            list(partnerships),
        )
        return {name: Head(size, utc(recorded_at)) for name, size, recorded_at in found}

    def results(self, keys: Iterable[Key]) -> dict[Key, CommandResult]:
        """Give the results that stand under these pairs of source and source id."""
        found = self.datastore.all(
            """SELECT r.* FROM unnest(%s::text[], %s::text[]) AS wanted (source, source_id)
            JOIN history.results r USING (source, source_id)""",
            *columns(set(keys), 2),
        )
        return {(row[0], row[1]): CommandResult(*row) for row in found}

    def refusals(
        self, state: RefusalState | None = "open", after: int = 0, limit: int = 100
    ) -> list[Refusal]:
        """Give refused inputs in this state (None: in any) whose number is beyond `after`."""
        found = self.datastore.all(
            """SELECT * FROM history.refusals
            WHERE number > %s AND (%s::text IS NULL OR state = %s) ORDER BY number LIMIT %s""",
            after,
            state,
            state,
            limit,
        )
        return [_refusal(row) for row in found]

    def refusal(self, number: int) -> Refusal | None:
        """Give one refused input, or None if there is none of that number."""
        found = self.refusals(state=None, after=number - 1, limit=1)
        return found[0] if found and found[0].number == number else None

    def naming(self, types: Sequence[str], after: int) -> list[str]:
        """Give the partnerships with events of these types behind position `after`, in order."""
        found = self.datastore.all(
            """SELECT partnership FROM history.events
            WHERE position > %s AND topic = ANY(%s) ORDER BY position""",
            after,
            list(types),
        )
        return [partnership for (partnership,) in found]

    def kept(
        self, kind: str, partnership: str, keys: Iterable[str] | None = None
    ) -> dict[str, bytes]:
        """Give what of a kind is kept of a partnership, by its key: all, or what these name."""
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
        """Give what is noted about this store as a whole under `key`."""
        found = self.datastore.one("SELECT value FROM history.meta WHERE key = %s", key)
        return found[0] if found else None


# --- the one statement that writes ---------------------------------------------------------------


def _append(
    datastore: Datastore,
    events: Sequence[Recorded],
    results: Sequence[CommandResult],
    refusals: Sequence[Refusal],
    kept: Sequence[Kept],
) -> list[Recorded]:
    found = datastore.one(
        _APPEND,
        *columns(map(_event_values, events), len(_EVENT)),
        *columns(_result_values(results, events), len(_RESULT)),
        *columns(map(_refusal_values, refusals), len(_REFUSAL)),
        *columns([(k.kind, k.partnership, k.key, k.body) for k in kept], len(_KEPT)),
    )
    start, indexes = found or (0, None)
    return [
        placed_at(event, index, start + place)
        for place, (event, index) in enumerate(zip(events, indexes or (), strict=True))
    ]


def _event_values(e: Recorded) -> tuple[object, ...]:
    wanted = None if e.index == NOTHING else e.index
    recorded_at = utc(e.act.recorded_at)
    body = encode(e)
    at = e.partnership, e.stream, e.version, e.event.wire, recorded_at
    return *at, body, leaf_hash(body), wanted


def _result_values(
    results: Sequence[CommandResult], events: Sequence[Recorded]
) -> Iterator[tuple[object, ...]]:
    # Arrays begin at 1 there.
    first: dict[Key, int] = {}
    for place, event in enumerate(events, 1):
        first.setdefault((event.source, event.source_id), place)
    # An input that was refused and then mended in one batch has two; the later one stands.
    latest = {(r.source, r.source_id): r for r in results}
    for key, r in latest.items():
        yield (*key, r.fingerprint, r.refused, r.partnership, first.get(key), r.count)


def _refusal_values(r: Refusal) -> tuple[object, ...]:
    said = (r.source, r.source_id, r.subject, r.type, r.rule, r.detail, r.hint, r.pointer)
    # What was refused may hold what no text here can; the message itself is kept as it came.
    legible = (each and each.replace("\0", "\N{REPLACEMENT CHARACTER}") for each in said)
    return (*legible, utc(r.received_at), r.raw)


def _refusal(row: Sequence[Any]) -> Refusal:
    *before, received_at, raw, number, state = row
    return Refusal(*[*before, utc(received_at), raw, number, state])
