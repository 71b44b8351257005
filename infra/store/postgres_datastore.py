"""Connections to one Postgres database, and its migrations."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from importlib import resources
from typing import Any

import psycopg
from eventsourcing.persistence import OperationalError
from eventsourcing.postgres import PostgresDatastore
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import TupleRow, tuple_row
from psycopg.sql import SQL, Identifier, Literal

from infra.running.leader import ADVISORY
from infra.store.records import UnknownSchema

CONNECTIONS = 10
"""Connections that one process has at most; further threads wait for their turn."""

CONNECT_TIMEOUT = 30
"""Seconds to wait for a connection, so that a restart of the database is waited out."""

REACHED_WITHIN = 5
"""Seconds in which a server has to answer when a store is opened."""

ROLES = ("accord_writer", "accord_views", "accord_reader")
"""The roles that a migration makes: to decide and append, to fold and publish, to read."""

_MIGRATIONS = resources.files("infra.store") / "migrations"


class Datastore(PostgresDatastore):
    """The library's pool of connections, with rows as tuples and times in UTC."""

    def __init__(self, url: str) -> None:
        self.url = url
        _reach(url)
        known = conninfo_to_dict(url, options="-c timezone=UTC")
        super().__init__(
            dbname=str(known.pop("dbname", "")),
            host=str(known.pop("host", "")),
            port=str(known.pop("port", "")),
            user=str(known.pop("user", "")),
            password=str(known.pop("password", "")),
            pool_size=1,
            max_overflow=CONNECTIONS - 1,
            connect_timeout=CONNECT_TIMEOUT,
            # A connection that broke while nobody used it is made anew before it is used.
            pre_ping=True,
            schema="history",
            originator_id_type="text",
        )
        # What else the address says (sslmode, and what the like) counts too.
        if isinstance(self.pool.kwargs, dict):
            self.pool.kwargs.update({key: value for key, value in known.items() if value})

    @contextmanager
    def tuples(self) -> Iterator[psycopg.Cursor[TupleRow]]:
        """Give a cursor with rows as tuples; each statement is a transaction of its own.

        Raises the library's errors: `IntegrityError`, `OperationalError` and their like.
        """
        with self.get_connection() as connection, connection.cursor(row_factory=tuple_row) as c:
            yield c

    def all(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """Give all rows of one statement."""
        with self.tuples() as c:
            return c.execute(statement, values, prepare=True, binary=True).fetchall()

    def one(self, statement: str, *values: object) -> tuple[Any, ...] | None:
        """Give the first row of one statement, if there is any."""
        with self.tuples() as c:
            return c.execute(statement, values, prepare=True, binary=True).fetchone()

    def run(self, statement: str, *values: object) -> None:
        """Run a statement that gives nothing back."""
        with self.tuples() as c:
            c.execute(statement, values, prepare=True)


def _reach(url: str) -> None:
    # The pool tries for long, and in the end does not say what was wrong.
    try:
        psycopg.connect(url, connect_timeout=REACHED_WITHIN).close()
    except psycopg.OperationalError as error:
        raise OperationalError(str(error)) from error


def columns(rows: Iterable[Sequence[Any]], width: int) -> list[list[Any] | None]:
    """Give rows as arrays, one for each of `width` columns; no rows are no arrays."""
    turned: list[list[Any] | None] = [list(column) for column in zip(*rows, strict=True)]
    return turned or [None] * width


def arrays(*types: str) -> str:
    """Give the marks of a statement that takes an array of each of these types."""
    # In binary form, which costs half of what text does, and for bytes and times a twentieth.
    return ", ".join(f"%b::{each}[]" for each in types)


# --- migrations ----------------------------------------------------------------------------------


def newest() -> int:
    """Give the number of the newest migration of this release."""
    return max(map(_number, _files()))


def _files() -> list[str]:
    return sorted(each.name for each in _MIGRATIONS.iterdir() if each.name.endswith(".sql"))


def _number(name: str) -> int:
    return int(name.partition("_")[0])


def migrate(url: str, password: str | None = None) -> list[str]:
    """Bring a database to the form of this release; give the migrations that were applied.

    With a `password` the roles can log in by it. Several at once wait for each other. Raises
    `UnknownSchema` for a database of a newer release, psycopg's errors for one that cannot be had.
    """
    with psycopg.connect(url) as connection:
        connection.execute("SELECT pg_advisory_xact_lock(%s, 0)", (ADVISORY,))
        connection.execute(
            "CREATE TABLE IF NOT EXISTS public.accord_migrations (number integer PRIMARY KEY, "
            "applied_at timestamptz NOT NULL DEFAULT now())"
        )
        applied = _applied(connection)
        check_schema(applied, or_older=True)
        wanted = [name for name in _files() if _number(name) > applied]
        for name in wanted:
            connection.execute((_MIGRATIONS / name).read_bytes())
            connection.execute("INSERT INTO public.accord_migrations VALUES (%s)", (_number(name),))
        connection.execute(
            SQL("GRANT SELECT ON public.accord_migrations TO {}").format(
                SQL(", ").join(map(Identifier, ROLES))
            )
        )
        if password:
            for role in ROLES:
                connection.execute(
                    SQL("ALTER ROLE {} PASSWORD {}").format(Identifier(role), Literal(password))
                )
    return wanted


def _applied(connection: psycopg.Connection[Any]) -> int:
    found = connection.execute("SELECT max(number) FROM public.accord_migrations").fetchone()
    return (found[0] if found else 0) or 0


def check_schema(applied: int, *, or_older: bool = False) -> None:
    """Raise `UnknownSchema` unless a database has the form of this release."""
    if applied > newest() or (applied < newest() and not or_older):
        hint = "Run accord migrate" if applied < newest() else "Use a newer release"
        raise UnknownSchema(
            f"The database is at migration {applied}, and this release works at {newest()}. {hint}"
        )


def applied_migration(datastore: Datastore) -> int:
    """Give the number of the newest migration of a database; 0 for one that was never migrated."""
    if datastore.one("SELECT to_regclass('public.accord_migrations') IS NULL") == (True,):
        return 0
    found = datastore.one("SELECT max(number) FROM public.accord_migrations")
    return (found[0] if found else 0) or 0
