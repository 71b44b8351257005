"""Who may do what in the database: nobody who serves changes or removes an event."""

import os
from dataclasses import replace
from typing import Any

import psycopg
import pytest
from psycopg.errors import InsufficientPrivilege

from infra.bootstrap import open_store
from infra.settings import Settings, WrongSetting
from infra.store.history import TRACE, Kept, Key, Refusal, Writes, trace_key
from infra.store.postgres import PostgresStore
from infra.store.postgres_datastore import LOGINS, ROLES, migrate
from infra.store.views import Row, SavedOutput
from tests.documents import REPOSITORY
from tests.infra.noted import NOON, noted
from tests.infra.saving import saved
from tests.journeys.production import PASSWORDS, as_service

DENIED_TO_ALL = (
    "UPDATE history.events SET body = ''",
    "DELETE FROM history.events",
    "TRUNCATE history.events",
    "DROP TABLE history.events",
    "ALTER TABLE history.events DISABLE TRIGGER ALL",
    "DELETE FROM history.results",
    "UPDATE history.results SET partnership = ''",
    "DELETE FROM history.refusals",
    "UPDATE history.meta SET value = 'false'",
    "UPDATE public.accord_migrations SET number = 0",
    "CREATE TABLE history.another ()",
    "SET ROLE postgres",
)
OF_HISTORY = (
    "INSERT INTO history.events VALUES (9, 'acme', 9, 'acme', 9, 'x', now(), '', '')",
    "INSERT INTO history.results VALUES ('crm', '9', '', 'acme', NULL, 0, 'acme')",
    "UPDATE history.refusals SET state = 'dismissed', rule = '', raw = ''",
    "DELETE FROM history.waiting",
    "DELETE FROM history.kept",
    "LOCK TABLE history.turn IN EXCLUSIVE MODE",
)
OF_PEOPLE = (
    "SELECT body FROM history.kept",
    "SELECT raw FROM history.refusals",
    "SELECT detail FROM history.refusals",
    "SELECT raw FROM history.waiting",
    "SELECT by FROM history.alert_acts",
)
OF_KEYS = (
    "SELECT * FROM access.credentials",
    "SELECT secret_hash FROM access.credentials",
    "SELECT access.forget('1', 'an erased person', now())",
)
CHANGING_KEYS = (
    "DELETE FROM access.credentials",
    "UPDATE access.credentials SET granted = ''",
    "UPDATE access.credentials SET secret_hash = ''",
)
OF_VIEWS = (
    "INSERT INTO views.rows VALUES (1, 'acme', 'k', '', NULL, 1)",
    "UPDATE views.positions SET idx = 0",
    "DELETE FROM views.outputs",
    "SELECT nextval('views.moves')",
    "LOCK TABLE views.turn IN EXCLUSIVE MODE",
)


@pytest.fixture
def address(database: str) -> str:
    migrate(database, PASSWORDS)
    return database


def attempt(address: str, service: str, statement: str) -> None:
    with psycopg.connect(as_service(address, service)) as client:
        client.execute(statement)
        client.rollback()


DENIED = {
    "accord_writer": (*DENIED_TO_ALL, *CHANGING_KEYS, *OF_VIEWS),
    "accord_views": (*DENIED_TO_ALL, *OF_HISTORY, *OF_PEOPLE, *OF_KEYS),
    "accord_reader": (*DENIED_TO_ALL, *OF_HISTORY, *OF_VIEWS, *OF_PEOPLE, *OF_KEYS),
    "accord_auditor": (*DENIED_TO_ALL, *OF_HISTORY, *OF_VIEWS, *OF_KEYS),
}


@pytest.mark.parametrize("service", LOGINS)
def test_each_service_is_denied_what_is_not_its_own(address: str, service: str) -> None:
    for statement in DENIED[LOGINS[service]]:
        with pytest.raises(InsufficientPrivilege):
            attempt(address, service, statement)


def test_the_password_of_an_unknown_service_is_refused(database: str) -> None:
    with pytest.raises(WrongSetting, match="ACCORD_PASSWORD_INTAK names no service"):
        migrate(database, {"intak": "word"})


@pytest.mark.parametrize(
    ("service", "granted"),
    [("api", (*OF_HISTORY, *OF_KEYS)), ("projector", OF_VIEWS), ("auditor", OF_PEOPLE)],
)
def test_what_is_denied_to_the_others_is_granted_to_one(
    address: str, service: str, granted: tuple[str, ...]
) -> None:
    for statement in granted:
        attempt(address, service, statement)


@pytest.mark.usefixtures("known")
def test_the_writer_appends_the_folder_saves_and_the_reader_reads_both(address: str) -> None:
    said = SavedOutput("alert@0", "alerts", "acme", "alert", {"id": "alert"}, 0)
    writer, *_ = open_store(Settings(store=as_service(address, "api")))
    folder, views, _ = open_store(Settings(store=as_service(address, "projector")))
    history, seen, _ = open_store(Settings(store=as_service(address, "reader")))
    try:
        (appended,) = writer.append([noted("acme")])
        assert list(folder.of("acme")) == [appended]
        assert isinstance(folder, PostgresStore)
        writer.append(
            [], Writes(kept=[Kept(TRACE, "acme", trace_key(appended), b'{"traceparent":"x"}')])
        )
        assert folder.traces(0, 0) == {0: {"traceparent": "x"}}
        refused = Refusal("growthos", "crm", "9", None, None, "r", "d", "m", None, NOON, b"x")
        writer.append([], Writes((), [refused], [Kept("person", "acme", "k", b"x")]))
        writer.redact([replace(each, raw=b"", state="erased") for each in writer.refusals()])
        writer.forget("person", "acme", ["k"])
        assert [each.state for each in writer.refusals(None)] == ["erased"]
        assert writer.kept("person", "acme") == {}
        rows: dict[Key, Row | None] = {("acme", "row"): {"a": 1}}
        views.save(saved(views, "alerts", {"acme": (-1, 0)}, rows, [said]), ("runner", 0))
        assert list(history.of("acme")) == [appended]
        assert [each.id for each in seen.outputs()] == ["alert@0"]
        assert list(seen.select("alerts", "acme")) == [("row", {"a": 1})]
    finally:
        for each in (writer, folder, history):
            each.close()


# --- the matrix --------------------------------------------------------------------------------

PAGE = REPOSITORY / "docs" / "database-roles.md"
WRITE = os.environ.get("ACCORD_WRITE_ROLES") == "1"
HEAD = """# Roles of the database

What each role may do with each table, asked of a real Postgres after `accord migrate`.
[Production](production.md#who-may-do-what) says which service has which role. A dash is nothing.
Where a role may change single columns, they are named. A test asks again and compares this page
(`ACCORD_WRITE_ROLES=1 pytest tests/infra/test_roles.py` writes it).
"""

_TABLES = """SELECT c.oid, n.nspname || '.' || c.relname FROM pg_class c
    JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p') AND n.nspname IN ('history', 'views', 'access') ORDER BY 2"""
_RIGHTS = """SELECT has_table_privilege(%(role)s, %(table)s, 'SELECT'),
    has_table_privilege(%(role)s, %(table)s, 'INSERT'),
    has_table_privilege(%(role)s, %(table)s, 'UPDATE'),
    has_table_privilege(%(role)s, %(table)s, 'DELETE')"""
_COLUMNS = """SELECT attname FROM pg_attribute WHERE attrelid = %(table)s AND attnum > 0
    AND NOT attisdropped AND has_column_privilege(%(role)s, %(table)s, attnum, 'UPDATE')
    ORDER BY attname"""


def rights(client: psycopg.Connection[Any], role: str, table: int) -> str:
    """What a role may do with a table, in words."""
    asked = {"role": role, "table": table}
    (granted,) = client.execute(_RIGHTS, asked).fetchall()
    words = dict(zip(("reads", "adds", "changes", "deletes"), granted, strict=True))
    found = [word for word, is_granted in words.items() if is_granted]
    columns = [f"`{name}`" for (name,) in client.execute(_COLUMNS, asked)]
    if columns and not words["changes"]:
        found.append(f"changes {', '.join(columns)}")
    return ", ".join(found) or "-"


def test_the_page_has_what_each_role_may_do_with_each_table(address: str) -> None:
    with psycopg.connect(address) as client:
        tables = client.execute(_TABLES).fetchall()
        rows = [
            f"| `{name}` | {' | '.join(rights(client, role, table) for role in ROLES)} |"
            for table, name in tables
        ]
    lines = [f"| table | {' | '.join(f'`{each}`' for each in ROLES)} |", "|---|---|---|---|---|"]
    page = "\n".join([HEAD, *lines, *rows, ""])
    if WRITE:
        PAGE.write_text(page, "utf-8")

    assert PAGE.read_text("utf-8") == page
