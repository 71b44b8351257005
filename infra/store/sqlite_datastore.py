"""Connections to one SQLite file that several threads and processes share."""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from itertools import chain, islice
from pathlib import Path
from time import monotonic, sleep

import orjson
from eventsourcing.sqlite import (
    SQLiteConnection,
    SQLiteConnectionPool,
    SQLiteCursor,
    SQLiteDatastore,
    SQLiteTransaction,
)

LOCK_TIMEOUT = 30
"""Seconds that a writer waits for another one, in this process or another, before it gives up."""


CACHE = 16 * 1024
"""KiB of the file that each connection keeps in memory, so that it need not ask for it again."""

LOG = 8192
"""Pages that are written ahead before the file itself is: a page is then written less often."""

_PAUSE = 0.01
"""Seconds between two attempts at what SQLite does not wait for by itself."""


class Datastore(SQLiteDatastore):
    """The library's pool of connections, made safe for several writing processes."""

    def __init__(self, path: str | Path) -> None:
        super().__init__(str(path), originator_id_type="text")
        self.pool = _Pool(db_name=str(path), lock_timeout=LOCK_TIMEOUT, pool_timeout=LOCK_TIMEOUT)
        _use_write_ahead_log(path)

    @contextmanager
    def transaction(self, *, commit: bool) -> Iterator[SQLiteCursor]:
        """Give a cursor in a transaction, committed at the end unless it only reads."""
        with (
            self.get_connection(commit=commit) as connection,
            _Transaction(connection, commit=commit) as cursor,
            cursor,
        ):
            yield cursor

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Cursor]:
        """Give a cursor, with rows as tuples, that sees one state of the file."""
        with self.transaction(commit=False) as cursor:
            yield _tuples(cursor)

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Cursor]:
        """Give a cursor, with rows as tuples, whose changes are committed whole or not at all."""
        with self.transaction(commit=True) as cursor:
            yield _tuples(cursor)

    def settle(self) -> None:
        """Write what was changed to the file itself, so that nothing deleted is left beside it.

        Raises sqlite3's `OperationalError` where others read or write without a pause meanwhile.
        """
        with self.get_connection(commit=True) as connection:
            c = _tuples(connection.cursor())
            busy, *_ = c.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if busy:
            raise sqlite3.OperationalError("the file is locked, so what was deleted is still there")

    def ensure(self, table: str, statements: Sequence[str]) -> None:
        """Run `statements` in one transaction, unless `table` is there already."""
        with self.reading() as c:
            if c.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (table,)).fetchone():
                return
        with self.writing() as c:
            for statement in statements:
                c.execute(statement)


class _Transaction(SQLiteTransaction):
    def __enter__(self) -> SQLiteCursor:
        # A deferred transaction that reads before it writes fails at once where another process
        # has written meanwhile; one that takes the lock at its beginning waits for its turn.
        cursor = self.connection.cursor()
        cursor.execute("BEGIN IMMEDIATE" if self.commit else "BEGIN")
        return cursor


class _Pool(SQLiteConnectionPool):
    def _create_connection(self) -> SQLiteConnection:
        connection = super()._create_connection()
        cursor = connection.cursor()
        # What was acknowledged survives a power cut.
        cursor.execute("PRAGMA synchronous=FULL")
        cursor.execute(f"PRAGMA cache_size=-{CACHE}")
        cursor.execute(f"PRAGMA wal_autocheckpoint={LOG}")
        # What is forgotten is overwritten, and not only let go.
        cursor.execute("PRAGMA secure_delete=ON")
        return connection


def _use_write_ahead_log(path: str | Path) -> None:
    # Switching a new file is the one thing for which SQLite does not wait its turn, so of
    # several processes that open it at once all but the first have to try again.
    deadline = monotonic() + LOCK_TIMEOUT
    with closing(sqlite3.connect(path, timeout=LOCK_TIMEOUT)) as connection:
        while connection.execute("PRAGMA journal_mode").fetchone() != ("wal",):
            try:
                connection.execute("PRAGMA journal_mode=WAL")
            except sqlite3.OperationalError:
                if monotonic() > deadline:
                    raise
                sleep(_PAUSE)


def _tuples(cursor: SQLiteCursor) -> sqlite3.Cursor:
    plain = cursor.sqlite_cursor
    plain.row_factory = None
    return plain


# --- how to ask for many things at once ----------------------------------------------------------

_PAIRS = 500
"""Pairs in one statement: enough to be quick, few enough to be prepared quickly."""


def as_json(names: Iterable[str]) -> str:
    """Give names as the one parameter of a statement that reads them with ``json_each``."""
    return orjson.dumps(list(names)).decode()


def wanted(pairs: Iterable[tuple[str, str]]) -> Iterator[tuple[str, list[str]]]:
    """Give the head of a statement with the table ``wanted(one, other)``, and its parameters.

    There is one for each few hundred pairs; a statement then joins what it looks for.
    """
    rest = iter(pairs)
    while some := list(islice(rest, _PAIRS)):
        values = ",".join(["(?,?)"] * len(some))
        yield f"WITH wanted(one, other) AS (VALUES {values})", list(chain.from_iterable(some))
