"""Connections to one Postgres database, and its migrations."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import resources
from types import MappingProxyType
from typing import Any, Final

import psycopg
from eventsourcing.persistence import OperationalError
from eventsourcing.postgres import PostgresDatastore
from psycopg.rows import DictRow, TupleRow, tuple_row
from psycopg.sql import SQL, Identifier, Literal

from infra.running.sessions import IDLE_IN_TRANSACTION, parameters
from infra.settings import WrongSetting
from infra.store.errors import StoreFull, UnknownSchema

CONNECTIONS = 10
"""The most connections of one process; further threads wait for one."""

CONNECT_TIMEOUT = 30
"""Seconds to wait for a connection: long enough for a restart of the database."""

REACHED_WITHIN = 5
"""Seconds to wait for the server when a store is opened."""

WRITER, VIEWS, READER, AUDITOR = ROLES = (
    "accord_writer",
    "accord_views",
    "accord_reader",
    "accord_auditor",
)
"""The roles that a migration creates, for those who decide, who fold, who read, and who also read
the names of people and what was refused."""

LOGINS: Final = {
    **dict.fromkeys(("api", "keys", "intake", "notary"), WRITER),
    **dict.fromkeys(("relay", "courier", "projector", "publisher", "sinks"), VIEWS),
    "reader": READER,
    "auditor": AUDITOR,
}
"""The role of each service; it logs in as `login_of` says, with a password of its own."""

# The key of partnership and index finds each next name, so the events between are not read.
NAMES = """WITH RECURSIVE names AS (
    (SELECT partnership FROM history.events WHERE partnership > %s ORDER BY partnership LIMIT 1)
    UNION ALL
    SELECT (SELECT e.partnership FROM history.events e
            WHERE e.partnership > names.partnership ORDER BY e.partnership LIMIT 1)
    FROM names WHERE names.partnership IS NOT NULL)"""
"""The head of a statement with the table ``names``: the partnerships after a name, in order. The
last row is null."""

_MIGRATING = 0xACC0
"""The advisory lock under which one migration runs at a time."""

_MIGRATIONS = resources.files("infra.store") / "migrations"


class Datastore(PostgresDatastore):
    """The library's pool of connections, with rows as tuples and times in UTC.

    Its sessions end when the other host is gone (`infra.running.sessions`).
    """

    def __init__(self, url: str) -> None:
        self.url = url
        _reach(url)
        known = parameters(url)
        super().__init__(
            dbname=str(known.pop("dbname", "")),
            host=str(known.pop("host", "")),
            port=str(known.pop("port", "")),
            user=str(known.pop("user", "")),
            password=str(known.pop("password", "")),
            pool_size=1,
            max_overflow=CONNECTIONS - 1,
            connect_timeout=CONNECT_TIMEOUT,
            # The library sets it after the session has begun.
            idle_in_transaction_session_timeout=IDLE_IN_TRANSACTION,
            # A connection that broke while it was idle is replaced before it is used.
            pre_ping=True,
            schema="history",
            originator_id_type="text",
        )
        # The pool takes no others by itself.
        if isinstance(self.pool.kwargs, dict):
            self.pool.kwargs.update({key: value for key, value in known.items() if value})

    @contextmanager
    def get_connection(self) -> Iterator[psycopg.Connection[DictRow]]:
        """Return a connection. Raises the library's errors, and `StoreFull` for a full disk."""
        try:
            with super().get_connection() as connection:
                yield connection
        except OperationalError as error:
            if isinstance(error.__cause__, psycopg.errors.DiskFull):
                raise StoreFull from error
            raise

    @contextmanager
    def tuples(self) -> Iterator[psycopg.Cursor[TupleRow]]:
        """Return a cursor with rows as tuples; each statement is a transaction of its own.

        Raises the library's errors: `IntegrityError`, `OperationalError` and their like.
        """
        with self.get_connection() as connection, connection.cursor(row_factory=tuple_row) as c:
            yield c

    def all(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """Return all rows of one statement."""
        with self.tuples() as c:
            return c.execute(statement, values, prepare=True, binary=True).fetchall()

    def one(self, statement: str, *values: object) -> tuple[Any, ...] | None:
        """Return the first row of one statement, if there is any."""
        with self.tuples() as c:
            return c.execute(statement, values, prepare=True, binary=True).fetchone()

    def run(self, statement: str, *values: object) -> None:
        """Run a statement without a result."""
        with self.tuples() as c:
            c.execute(statement, values, prepare=True)


def _reach(url: str) -> None:
    # The pool retries for a long time and then does not report the cause.
    try:
        psycopg.connect(url, connect_timeout=REACHED_WITHIN).close()
    except psycopg.OperationalError as error:
        raise OperationalError(str(error)) from error


def columns(rows: Iterable[Sequence[Any]], width: int) -> list[list[Any] | None]:
    """Return rows as arrays, one for each of `width` columns; None for each without rows."""
    turned: list[list[Any] | None] = [list(column) for column in zip(*rows, strict=True)]
    return turned or [None] * width


def arrays(*types: str) -> str:
    """Return the placeholders of a statement that takes an array of each of these types."""
    # Binary form costs half of what text does, and a twentieth for bytes and times.
    return ", ".join(f"%b::{each}[]" for each in types)


# --- migrations ----------------------------------------------------------------------------------


def newest() -> int:
    """Return the number of the newest migration of this release."""
    return max(map(_number, _files()))


def _files() -> list[str]:
    return sorted(each.name for each in _MIGRATIONS.iterdir() if each.name.endswith(".sql"))


def _number(name: str) -> int:
    return int(name.partition("_")[0])


def login_of(service: str) -> str:
    """Return the user as which a service logs in to the database."""
    return f"accord_{service}"


def migrate(url: str, passwords: Mapping[str, str] = MappingProxyType({})) -> list[str]:
    """Upgrade a database to this release; return the migrations that were applied.

    Each service gets a login, and its password if there is one in `passwords`. Migrations at the
    same time wait for each other. Raises `UnknownSchema` for a database of a newer release,
    `WrongSetting` for the password of an unknown service, and psycopg's errors.
    """
    for service in passwords:
        if service not in LOGINS:
            raise WrongSetting(
                f"ACCORD_PASSWORD_{service.upper()} names no service. "
                f"Name one of these: {', '.join(LOGINS)}."
            )
    with psycopg.connect(url) as connection:
        connection.execute("SELECT pg_advisory_xact_lock(%s, 0)", (_MIGRATING,))
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
        for service, role in LOGINS.items():
            _let_log_in(connection, login_of(service), role, passwords.get(service))
    return wanted


def _let_log_in(
    connection: psycopg.Connection[Any], login: str, role: str, password: str | None
) -> None:
    names = {"login": Identifier(login), "role": Identifier(role)}
    if not connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (login,)).fetchone():
        connection.execute(SQL("CREATE ROLE {login}").format(**names))
    connection.execute(SQL("ALTER ROLE {login} LOGIN").format(**names))
    if login != role:
        connection.execute(SQL("GRANT {role} TO {login}").format(**names))
    if password:
        # The server may log statements, so it gets the verifier of the password alone.
        verifier = connection.pgconn.encrypt_password(
            password.encode(), login.encode(), b"scram-sha-256"
        )
        connection.execute(
            SQL("ALTER ROLE {login} PASSWORD {word}").format(
                **names, word=Literal(verifier.decode())
            )
        )


def _applied(connection: psycopg.Connection[Any]) -> int:
    found = connection.execute("SELECT max(number) FROM public.accord_migrations").fetchone()
    return (found[0] if found else 0) or 0


def check_schema(applied: int, *, or_older: bool = False) -> None:
    """Raise `UnknownSchema` unless a database has the schema of this release."""
    if applied > newest() or (applied < newest() and not or_older):
        hint = "Run accord migrate" if applied < newest() else "Use a newer release"
        raise UnknownSchema(
            f"The database is at migration {applied}; this release needs {newest()}. {hint}"
        )


def applied_migration(datastore: Datastore) -> int:
    """Return the number of a database's newest migration; 0 if it was never migrated."""
    if datastore.one("SELECT to_regclass('public.accord_migrations') IS NULL") == (True,):
        return 0
    found = datastore.one("SELECT max(number) FROM public.accord_migrations")
    return (found[0] if found else 0) or 0
