"""What Accord is measured beside: the plain limit, and what one would take instead.

All of them store the events that Accord made of the feed, with the very bytes that it stored.
"""

import sqlite3
import warnings
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple
from uuid import NAMESPACE_URL, uuid5

import orjson
from eventsourcing.application import Application
from eventsourcing.domain import DomainEvent

from infra.store.sqlite_datastore import CACHE, LOG

BATCH = 1000
"""Events, or lines of the feed, in one transaction."""


class Stored(NamedTuple):
    """One event as Accord's store holds it."""

    position: int
    partnership: str
    idx: int
    stream: str
    version: int
    topic: str
    body: bytes
    leaf: bytes


def stored(path: Path) -> list[Stored]:
    """Return all events of one of Accord's stores."""
    with closing(sqlite3.connect(path)) as connection:
        found = connection.execute("SELECT * FROM events ORDER BY position")
        return [Stored(*row) for row in found]


# --- plain SQLite --------------------------------------------------------------------------------

PLAIN = """CREATE TABLE events (position INTEGER PRIMARY KEY, stream TEXT NOT NULL,
    version INTEGER NOT NULL, body BLOB NOT NULL, UNIQUE (stream, version))"""
"""The least that an event store needs: an order, and the key of optimistic concurrency."""

KEYED = """CREATE TABLE events (position INTEGER PRIMARY KEY, partnership TEXT NOT NULL,
    idx INTEGER NOT NULL, stream TEXT NOT NULL, version INTEGER NOT NULL, topic TEXT NOT NULL,
    body BLOB NOT NULL, leaf BLOB NOT NULL, UNIQUE (partnership, idx), UNIQUE (stream, version))"""
"""The columns and keys that Accord's own table of events has."""


def plain(events: Sequence[Stored]) -> list[tuple[Any, ...]]:
    """Return the events as rows of the `PLAIN` table."""
    return [(each.position, each.stream, each.version, each.body) for each in events]


def insert(path: Path, table: str, rows: Sequence[tuple[Any, ...]]) -> None:
    """Insert rows with nothing around it: `executemany`, durable, a batch a transaction."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        # As Accord sets it, too.
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute(f"PRAGMA cache_size=-{CACHE}")
        connection.execute(f"PRAGMA wal_autocheckpoint={LOG}")
        connection.execute(table)
        marks = ",".join("?" * len(rows[0]))
        for batch in _batches(rows):
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany(f"INSERT INTO events VALUES ({marks})", batch)  # noqa: S608 - marks
            connection.execute("COMMIT")


def read(path: Path) -> int:
    """Read the bodies of all events of one of Accord's stores, in order; give their size."""
    with closing(sqlite3.connect(path)) as connection:
        found = connection.execute("SELECT body FROM events ORDER BY position")
        return sum(len(body) for (body,) in found)


# --- the eventsourcing library, as it comes ------------------------------------------------------


@dataclass(frozen=True)
class Parted(DomainEvent):
    """An event whose content is what the body's JSON says, as its users write events."""

    content: dict[str, Any]


@dataclass(frozen=True)
class Packed(DomainEvent):
    """An event whose content is the body itself, so that the library has one text to write."""

    content: str


def parted(events: Sequence[Stored]) -> list[Parted]:
    """Return the events as the library's own, their content in parts."""
    return [Parted(**_head(each), content=orjson.loads(each.body)) for each in events]


def packed(events: Sequence[Stored]) -> list[Packed]:
    """Return the events as the library's own, their content one text."""
    return [Packed(**_head(each), content=each.body.decode()) for each in events]


def _head(event: Stored) -> dict[str, Any]:
    recorded_at = orjson.loads(event.body)["recorded_at"]
    return {
        "originator_id": uuid5(NAMESPACE_URL, event.stream),
        "originator_version": event.version,
        "timestamp": datetime.fromisoformat(recorded_at),
    }


def save(path: Path, events: Sequence[DomainEvent], size: int = BATCH) -> None:
    """Save the events by the library's `Application.save`, so many at a time."""
    with _application(path) as application:
        for batch in _batches(events, size):
            application.save(*batch)


@contextmanager
def _application(path: Path) -> Iterator[Application[Any]]:
    # With its defaults: its SQLite recorder, its mapper, its transcoder of JSON.
    settings = {"PERSISTENCE_MODULE": "eventsourcing.sqlite", "SQLITE_DBNAME": str(path)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        application: Application[Any] = Application(env=settings)
        try:
            yield application
        finally:
            application.close()


def _batches(events: Sequence[Any], size: int = BATCH) -> Iterator[Sequence[Any]]:
    return (events[start : start + size] for start in range(0, len(events), size))
