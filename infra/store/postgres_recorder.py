"""The eventsourcing library's recorder over the tables of a history in Postgres."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any
from uuid import UUID

from eventsourcing.persistence import StoredEvent
from eventsourcing.postgres import PostgresApplicationRecorder

from infra.store.history import (
    NO_WRITES,
    NOTHING,
    CommandResult,
    InputId,
    Refusal,
    Waiting,
    Writes,
    input_of,
)
from infra.store.log_reads import LogReads
from infra.store.mapper import NewEvent, PlacedEvent, new_events
from infra.store.postgres_datastore import Datastore, arrays, columns
from infra.tlog.codec import utc

CHANNEL = "history"
"""The channel on which Postgres notifies that events were appended."""

_EVENT = ("text", "text", "int", "text", "timestamptz", "bytea", "bytea", "int")
_RESULT = ("text", "text", "text", "bytea", "text", "int", "int")
_REFUSAL = (*["text"] * 9, "timestamptz", "bytea", "bool")
_KEPT = ("text", "text", "text", "bytea")
_WAITING = (*["text"] * 5, "int", *["text"] * 4, "timestamptz", "timestamptz", "bytea")
_SETTLED = ("text", "text", "text")
_ALL = arrays(*_EVENT, *_RESULT, *_REFUSAL, *_KEPT, *_WAITING, *_SETTLED)
_APPEND = f"SELECT start, indexes FROM history.append({_ALL})"  # noqa: S608 - marks

_SIZE = "SELECT coalesce(max(position), -1) + 1 FROM history.events"


class PostgresRecorder(LogReads, PostgresApplicationRecorder):
    """The `EventRecorder` of a history, which is a recorder of the library, too.

    Through it the library's own parts (`Application`, `Repository`, the notification log,
    subscriptions) work on a store with an `EventMapper`; what they append obeys every rule of the
    history.
    """

    table = "history.events"
    mark = "%s"

    def __init__(self, datastore: Datastore) -> None:
        super().__init__(datastore)
        self.channel_name = CHANNEL
        self._history = datastore

    # --- appending ---

    def insert_events(
        self,
        stored_events: Sequence[StoredEvent],
        *,
        writes: Writes = NO_WRITES,
        **_: Any,  # noqa: ANN401 - the library's signature
    ) -> Sequence[int]:
        """Append events and everything that `History.append` writes with them; return their ids.

        Each event is given its index. Raises `IntegrityError`, with nothing written, where
        `History.append` raises `Conflict`. One statement does it all, so it is not repeated after
        an outage: the caller decides whether it was recorded.
        """
        events = new_events(stored_events)
        found = self._history.one(
            _APPEND,
            *columns(map(_event_values, events), len(_EVENT)),
            *columns(_result_values(writes.results, events), len(_RESULT)),
            *columns(map(_refusal_values, writes.refusals), len(_REFUSAL)),
            *columns([(k.kind, k.partnership, k.key, k.body) for k in writes.kept], len(_KEPT)),
            *columns(map(_waiting_values, writes.waiting), len(_WAITING)),
            *columns(writes.settled, len(_SETTLED)),
        )
        start, indexes = found or (0, None)
        for event, index in zip(events, indexes or (), strict=True):
            event.place(index)
        return range(start + 1, start + 1 + len(events))

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
            f"""stream = %s AND version > %s
            AND (%s::bigint IS NULL OR version <= %s) ORDER BY version {order} LIMIT %s""",
            str(originator_id),
            0 if gt is None else gt,
            lte,
            lte,
            limit,
        )

    def select_streams(self, names: Iterable[str]) -> Sequence[PlacedEvent]:
        return self.placed("stream = ANY(%s) ORDER BY stream, version", list(names))

    def select_following(self, reached: Mapping[str, int], limit: int) -> list[PlacedEvent]:
        found = self._history.all(
            """SELECT e.* FROM unnest(%s::text[], %s::int[]) AS reached (name, index)
            CROSS JOIN LATERAL (SELECT body, position + 1, idx FROM history.events
                WHERE partnership = name AND idx > index ORDER BY idx LIMIT %s) e LIMIT %s""",
            *columns(reached.items(), 2),
            limit,
            limit,
        )
        return [PlacedEvent(*row) for row in found]

    def select_notifications(
        self,
        start: int | None,
        limit: int,
        stop: int | None = None,
        topics: Sequence[str] = (),
        *,
        inclusive_of_start: bool = True,
    ) -> Sequence[PlacedEvent]:
        return self.placed(
            """position >= %s AND (%s::bigint IS NULL OR position < %s)
            AND (%s::text[] IS NULL OR topic = ANY(%s)) ORDER BY position LIMIT %s""",
            0 if start is None else start - 1 if inclusive_of_start else start,
            stop,
            stop,
            list(topics) or None,
            list(topics) or None,
            limit,
        )

    def max_notification_id(self) -> int:
        found = self._history.one(_SIZE)
        return int(found[0]) if found else 0

    def all_rows(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        return self._history.all(statement, *values)


# --- the values of the one statement that appends ------------------------------------------------


def _event_values(e: NewEvent) -> tuple[object, ...]:
    expected = None if e.index == NOTHING else e.index
    at = e.recorded.partnership, e.originator_id, e.originator_version, e.topic
    return *at, utc(e.recorded.act.recorded_at), e.state, e.leaf, expected


def _result_values(
    results: Sequence[CommandResult], events: Sequence[NewEvent]
) -> Iterator[tuple[object, ...]]:
    # Arrays begin at 1 there.
    first: dict[InputId, int] = {}
    for place, event in enumerate(events, 1):
        first.setdefault(input_of(event.recorded), place)
    for r in results:
        yield (*r.input, r.fingerprint, r.partnership, first.get(r.input), r.count)


def _refusal_values(r: Refusal) -> tuple[object, ...]:
    texts = (*r.input, r.subject, r.type, r.rule, r.detail, r.hint, r.pointer)
    # A refused message can contain zero bytes, which text columns cannot; its raw bytes are stored.
    legible = (each and each.replace("\0", "\N{REPLACEMENT CHARACTER}") for each in texts)
    return (*legible, utc(r.received_at), r.raw, r.unsent)


def _waiting_values(w: Waiting) -> tuple[object, ...]:
    of = *w.input, w.partnership, w.stream, w.version, w.type
    return (*of, w.awaited_kind, w.awaited_id, w.awaited, utc(w.since), utc(w.until), w.raw)
