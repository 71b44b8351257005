"""Connections to one SQLite file that several threads and processes share."""

import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from itertools import chain, islice
from pathlib import Path
from time import monotonic, sleep
from typing import Any
from urllib.parse import quote

import orjson
from eventsourcing.persistence import OperationalError
from eventsourcing.sqlite import (
    SQLiteConnection,
    SQLiteConnectionPool,
    SQLiteCursor,
    SQLiteDatastore,
    SQLiteTransaction,
)

from infra.files import OWNER_ALONE
from infra.settings import NoSuchStore
from infra.store.errors import ReadOnlyStore, StoreFull

LOCK_TIMEOUT = 30
"""Seconds that a writer waits for another writer, in this process or another."""

CACHE = 16 * 1024
"""KiB of the file that each connection caches."""

LOG = 8192
"""Pages in the write-ahead log before SQLite copies them to the file."""

_PAUSE = 0.01
"""Seconds between two attempts at what SQLite does not wait for by itself."""

_STORE_TABLES = frozenset({"meta", "events", "heads"})
"""Tables that every Accord store has, in every release."""


def is_new(path: Path) -> bool:
    """Return whether `path` is free for a new store: no file, or a database without tables.

    Never writes. Raises `NoSuchStore` for a file that is neither that nor an Accord store.
    """
    if not path.exists():
        return True
    if path.is_dir():
        raise NoSuchStore(f"{path} is a folder, and a store is a file. Name a file in it.")
    try:
        with closing(sqlite3.connect(_read_only_uri(path), uri=True)) as connection:
            found = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            tables = {name for (name,) in found}
    except sqlite3.DatabaseError as error:
        raise NoSuchStore(f"{path} is not an Accord store: {error}. Check its address.") from error
    if tables and not tables >= _STORE_TABLES:
        raise NoSuchStore(f"{path} is the SQLite database of another program. Choose another path.")
    return not tables


def _read_only_uri(path: Path) -> str:
    # `immutable` reads a file whose folder cannot take the files of a write-ahead log. SQLite then
    # ignores such a log, so a file that has one, or is in use, is read in the ordinary way.
    log, index = (path.with_name(f"{path.name}{end}") for end in ("-wal", "-shm"))
    has_log = index.exists() or (log.exists() and log.stat().st_size > 0)
    return f"file:{quote(str(path.absolute()))}?mode=ro{'' if has_log else '&immutable=1'}"


class Datastore(SQLiteDatastore):
    """The library's connection pool, made safe for several writing processes.

    A file that this process may not write is opened read-only. Check with `is_new` before that a
    file is a store, because opening it can change it.
    """

    def __init__(self, path: str | Path) -> None:
        path = Path(path)
        self.path = path
        self._why_read_only = (
            f"{self.path} cannot be written. Copy it to a folder that can be, or ask its owner "
            "for write access."
        )
        self.read_only = path.exists() and not (
            os.access(path, os.W_OK) and os.access(path.absolute().parent, os.W_OK)
        )
        name = _read_only_uri(path) if self.read_only else str(path)
        super().__init__(name, originator_id_type="text")
        self.pool = _Pool(db_name=name, lock_timeout=LOCK_TIMEOUT, pool_timeout=LOCK_TIMEOUT)
        if self.read_only:
            # Else the library would try to switch the file to the write-ahead log.
            self.pool.is_journal_mode_wal = True
        else:
            # Names of people are in it. SQLite gives the files of its log the same rights.
            path.touch(mode=OWNER_ALONE)
            _use_write_ahead_log(path)

    def freeze(self, why: str) -> None:
        """Let nobody write from now on; who tries gets a `ReadOnlyStore` with this reason."""
        self.read_only, self._why_read_only = True, why

    @contextmanager
    def transaction(self, *, commit: bool) -> Iterator[SQLiteCursor]:
        """Return a cursor in a transaction, committed at the end unless it only reads.

        Raises `ReadOnlyStore` for a transaction that writes to a file opened read-only, `StoreFull`
        if there is no space for what it writes.
        """
        if commit and self.read_only:
            raise ReadOnlyStore(self._why_read_only)
        try:
            with (
                self.get_connection(commit=commit) as connection,
                _Transaction(connection, commit=commit) as cursor,
                cursor,
            ):
                yield cursor
        except (sqlite3.OperationalError, OperationalError) as error:
            if _is_full(error):
                raise StoreFull from error
            raise

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Cursor]:
        """Return a cursor, with rows as tuples, that sees one state of the file."""
        with self.transaction(commit=False) as cursor:
            yield plain(cursor)

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Cursor]:
        """Return a cursor, with rows as tuples, whose changes are committed whole or not at all."""
        with self.transaction(commit=True) as cursor:
            yield plain(cursor)

    def all(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """Return all rows of one statement that reads."""
        with self.reading() as c:
            return c.execute(statement, values).fetchall()

    def one(self, statement: str, *values: object) -> tuple[Any, ...] | None:
        """Return the first row of one statement that reads, if there is any."""
        with self.reading() as c:
            found: tuple[Any, ...] | None = c.execute(statement, values).fetchone()
        return found

    def run(self, statement: str, *values: object) -> None:
        """Run one statement that writes."""
        with self.writing() as c:
            c.execute(statement, values)

    def settle(self) -> None:
        """Copy the write-ahead log to the file, so that deleted bytes are left in neither.

        Raises sqlite3's `OperationalError` if others keep reading or writing.
        """
        with self.get_connection(commit=True) as connection:
            c = plain(connection.cursor())
            busy, *_ = c.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if busy:
            raise sqlite3.OperationalError(
                "the file is locked, so deleted bytes are still in the write-ahead log"
            )

    def ensure(self, table: str, statements: Sequence[str]) -> None:
        """Run `statements` in one transaction, unless `table` is there already."""
        if self.one("SELECT 1 FROM sqlite_master WHERE name = ?", table):
            return
        with self.writing() as c:
            for statement in statements:
                c.execute(statement)


def _is_full(error: BaseException | None) -> bool:
    """Return whether SQLite had no space; the library's errors have SQLite's as their cause."""
    code = getattr(error, "sqlite_errorcode", None)
    return code == sqlite3.SQLITE_FULL or (error is not None and _is_full(error.__cause__))


class _Transaction(SQLiteTransaction):
    def __enter__(self) -> SQLiteCursor:
        # A deferred transaction that reads before it writes fails at once if another process wrote
        # in between. One that takes the lock when it begins waits for its turn.
        cursor = self.connection.cursor()
        cursor.execute("BEGIN IMMEDIATE" if self.commit else "BEGIN")
        return cursor


class _Pool(SQLiteConnectionPool):
    def _create_connection(self) -> SQLiteConnection:
        connection = super()._create_connection()
        cursor = connection.cursor()
        # Acknowledged commits survive a power cut.
        cursor.execute("PRAGMA synchronous=FULL")
        cursor.execute(f"PRAGMA cache_size=-{CACHE}")
        cursor.execute(f"PRAGMA wal_autocheckpoint={LOG}")
        # Deleted bytes are overwritten.
        cursor.execute("PRAGMA secure_delete=ON")
        return connection


def _use_write_ahead_log(path: str | Path) -> None:
    # SQLite does not wait for a lock to switch a new file to the write-ahead log, so processes that
    # open it at the same time must try again.
    deadline = monotonic() + LOCK_TIMEOUT
    with closing(sqlite3.connect(path, timeout=LOCK_TIMEOUT)) as connection:
        while connection.execute("PRAGMA journal_mode").fetchone() != ("wal",):
            try:
                connection.execute("PRAGMA journal_mode=WAL")
            except sqlite3.OperationalError:
                if monotonic() > deadline:
                    raise
                sleep(_PAUSE)


def plain(cursor: SQLiteCursor) -> sqlite3.Cursor:
    """Return the cursor of the database driver, with rows as tuples."""
    found = cursor.sqlite_cursor
    found.row_factory = None
    return found


# --- many values in one statement ----------------------------------------------------------

_WANTED = 500
"""Rows in one statement: few enough that SQLite prepares it quickly."""


def as_json(names: Iterable[str | int]) -> str:
    """Return names or numbers as one parameter, which a statement reads with ``json_each``."""
    return orjson.dumps(list(names)).decode()


def wanted(
    rows: Iterable[Sequence[object]], columns: str = "one, other"
) -> Iterator[tuple[str, list[object]]]:
    """Return the head of a statement with the table ``wanted (columns)``, and its parameters.

    There is one for each few hundred rows; a statement then joins what it looks for.
    """
    marks = f"({', '.join('?' for _ in columns.split(','))})"
    rest = iter(rows)
    while some := list(islice(rest, _WANTED)):
        values = ",".join([marks] * len(some))
        yield f"WITH wanted ({columns}) AS (VALUES {values})", list(chain.from_iterable(some))
