"""What projections have folded, in the same Postgres database as the history they fold."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Self

import orjson
from eventsourcing.persistence import IntegrityError

from infra.store.paging import LAST, by_name
from infra.store.postgres_datastore import Datastore, arrays, columns
from infra.store.records import NOTHING, Key, Output, Row, Saved, Signal, Stale, sortable
from infra.tlog.codec import canonical

CHANNEL = "views"
"""Where Postgres tells that views were saved."""

_POSITION = ("text", "text", "int", "int")
_ROW = ("text", "text", "text", "bytea", "text")
_OUTPUT = ("text", "text", "text", "text", "bytea", "int")
_SAVE = f"SELECT views.save({arrays(*_POSITION, *_ROW, *_OUTPUT)}, %t, %t)"


@dataclass(frozen=True, slots=True)
class Move:
    """That a partnership was folded further: in which save, and up to which index."""

    number: int
    partnership: str
    index: int


class PostgresViews:
    """The `Views` in one Postgres database, for any number of threads and processes."""

    def __init__(self, datastore: Datastore) -> None:
        self.datastore = datastore
        self._said = Signal()

    @classmethod
    def open(cls, url: str) -> Self:
        """Give the views at `url`."""
        return cls(Datastore(url))

    def close(self) -> None:
        """Close all connections to the database."""
        self.datastore.close()

    def subscribe(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Have `callback` called after each save that had outputs (see `Signal.subscribe`)."""
        return self._said.subscribe(callback)

    # --- what a runner needs ---

    def positions(self, projection: str, partnerships: Iterable[str]) -> dict[str, int]:
        """Give the last folded index of each of these partnerships that was folded at all."""
        found = self.datastore.all(
            """SELECT partnership, idx FROM views.positions
            WHERE projection = %s AND partnership = ANY(%s)""",
            projection,
            list(partnerships),
        )
        return dict(found)

    def rows(self, projection: str, keys: Iterable[Key]) -> dict[Key, Row]:
        """Give the rows that stand under these pairs of partnership and key."""
        found = self.datastore.all(
            """SELECT r.partnership, r.key, r.body
            FROM unnest(%s::text[], %s::text[]) AS wanted (partnership, key)
            JOIN views.rows r USING (partnership, key) WHERE r.projection = %s""",
            *columns(keys, 2),
            projection,
        )
        return {(partnership, key): orjson.loads(body) for partnership, key, body in found}

    def save(self, change: Saved) -> None:
        """Save one change; see `save_all`."""
        self.save_all([change])

    def save_all(self, changes: Sequence[Saved], cursor: tuple[str, int] | None = None) -> None:
        """Save all of these and how far a cursor was read or, with `Stale`, nothing."""
        positions = (
            (change.projection, name, old, new)
            for change in changes
            for name, (old, new) in change.positions.items()
        )
        rows = (
            (change.projection, *key, *_row_values(body))
            for change in changes
            for key, body in change.rows.items()
        )
        outputs = {each.id: each for change in changes for each in change.outputs}
        try:
            self.datastore.run(
                _SAVE,
                *columns(positions, len(_POSITION)),
                *columns(rows, len(_ROW)),
                *columns(map(_output_values, outputs.values()), len(_OUTPUT)),
                *(cursor or (None, None)),
            )
        except IntegrityError as error:
            raise Stale(str(error)) from error
        if outputs:
            self._said.notify()

    def cursor(self, name: str) -> int:
        """Give how far this cursor was read, `NOTHING` if it was not."""
        found = self.datastore.one("SELECT position FROM views.cursors WHERE name = %s", name)
        return found[0] if found else NOTHING

    def due(self, projection: str, until: str) -> list[str]:
        """Give partnerships with a row whose `wake` is `until` or before, the earliest first."""
        found = self.datastore.all(
            """SELECT partnership FROM views.rows WHERE projection = %s AND wake <= %s
            ORDER BY wake, partnership""",
            projection,
            sortable(until),
        )
        return list(dict.fromkeys(partnership for (partnership,) in found))

    def clear(self, projection: str, partnership: str | None = None) -> None:
        """Forget rows and positions, so that they are folded anew; outputs were said and stay."""
        with self.datastore.transaction(commit=True) as c:
            for table in ("rows", "positions"):
                c.execute(
                    f"""DELETE FROM views.{table} WHERE projection = %s
                    AND (%s::text IS NULL OR partnership = %s)""",  # noqa: S608 - named just above
                    (projection, partnership, partnership),
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

        def read(after: str, size: int) -> list[tuple[Any, ...]]:
            return self.datastore.all(
                """SELECT key, body FROM views.rows WHERE projection = %s AND partnership = %s
                AND key >= %s AND key < %s AND key > %s ORDER BY key LIMIT %s""",
                *(projection, partnership, prefix, prefix + LAST, after, size),
            )

        return _rows(read, after, limit)

    def rows_of(self, projection: str, partnerships: Iterable[str]) -> dict[str, dict[str, Row]]:
        """Give all rows of each of these partnerships, by partnership and key."""
        found = self.datastore.all(
            """SELECT partnership, key, body FROM views.rows
            WHERE projection = %s AND partnership = ANY(%s) ORDER BY partnership, key""",
            projection,
            list(partnerships),
        )
        rows: dict[str, dict[str, Row]] = {}
        for partnership, key, body in found:
            rows.setdefault(partnership, {})[key] = orjson.loads(body)
        return rows

    def everywhere(self, projection: str, key: str) -> Iterator[tuple[str, Row]]:
        """Give the row of one key from each partnership that has it, by partnership."""

        # Partnerships are found by their positions: rows are sorted by partnership before key.
        def read(after: str, size: int) -> list[tuple[Any, ...]]:
            return self.datastore.all(
                """SELECT p.partnership, r.body FROM views.positions p
                JOIN views.rows r ON r.projection = p.projection
                    AND r.partnership = p.partnership AND r.key = %s
                WHERE p.projection = %s AND p.partnership > %s ORDER BY p.partnership LIMIT %s""",
                *(key, projection, after, size),
            )

        return _rows(read)

    def outputs(
        self, after: int = 0, limit: int = 500, partnership: str | None = None
    ) -> list[Output]:
        """Give the next outputs after the one of number `after`, of one partnership or of all."""
        found = self.datastore.all(
            f"""SELECT id, projection, partnership, kind, body, cause_index, number
            FROM views.outputs WHERE number > %s {"AND partnership = %s" if partnership else ""}
            ORDER BY number LIMIT %s""",  # noqa: S608 - written just here
            *(after, *([partnership] if partnership else []), limit),
        )
        return [
            Output(name, by, of, kind, orjson.loads(body), cause, number)
            for name, by, of, kind, body, cause, number in found
        ]

    # --- what a publisher asks ---

    def moves(self, projection: str, after: int, limit: int = 500) -> list[Move]:
        """Give which partnerships a projection has folded further since save `after`, in order.

        Each as it stands now, and of one save all: at least `limit`, if there are so many.
        """
        found = self.datastore.all(
            """SELECT move, partnership, idx FROM views.positions
            WHERE projection = %s AND move > %s AND move <= (
                SELECT max(move) FROM (
                    SELECT move FROM views.positions WHERE projection = %s AND move > %s
                    ORDER BY move LIMIT %s) AS page)
            ORDER BY move, partnership""",
            *(projection, after, projection, after, limit),
        )
        return [Move(*row) for row in found]

    def changed(
        self, projection: str, partnerships: Iterable[str], after: int
    ) -> dict[str, list[str]]:
        """Give the keys of these partnerships' rows that changed since save `after`."""
        found = self.datastore.all(
            """SELECT partnership, array_agg(key ORDER BY key) FROM views.rows
            WHERE projection = %s AND partnership = ANY(%s) AND move > %s GROUP BY partnership""",
            *(projection, list(partnerships), after),
        )
        return dict(found)

    def last_output(self) -> int:
        """Give the number of the last output; 0 if there is none."""
        found = self.datastore.one("SELECT coalesce(max(number), 0) FROM views.outputs")
        return int(found[0]) if found else 0


def _rows(
    read: Callable[[str, int], list[tuple[Any, ...]]], after: str = "", limit: int | None = None
) -> Iterator[tuple[str, Row]]:
    found: Iterator[tuple[str, bytes]] = by_name(read, after, limit)
    return ((name, orjson.loads(body)) for name, body in found)


def _row_values(body: Row | None) -> tuple[bytes | None, str | None]:
    return (None, None) if body is None else (canonical(body), sortable(body.get("wake")))


def _output_values(o: Output) -> tuple[object, ...]:
    return o.id, o.projection, o.partnership, o.kind, canonical(o.body), o.cause_index
