"""What only Postgres has: migrations, roles, and sessions."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import psycopg
import pytest

from infra.bootstrap import bootstrap, init
from infra.running.sessions import GONE_AFTER
from infra.settings import NoSuchStore, Settings
from infra.store.errors import UnknownSchema
from infra.store.history import NOTHING
from infra.store.postgres import PostgresStore
from infra.store.postgres_datastore import Datastore, migrate
from tests.documents import REPOSITORY

MIGRATIONS = sorted(each.name for each in (REPOSITORY / "infra/store/migrations").glob("*.sql"))


def ask(address: str, statement: str) -> list[tuple[object, ...]]:
    with psycopg.connect(address, autocommit=True) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else []


# --- migrations --------------------------------------------------------------------------------


def test_each_migration_has_the_number_after_the_one_before_it() -> None:
    assert [int(name[:4]) for name in MIGRATIONS] == list(range(1, len(MIGRATIONS) + 1))


def test_a_database_is_migrated_once(database: str) -> None:
    assert migrate(database) == MIGRATIONS
    assert migrate(database) == []


def test_each_migration_has_a_number_of_its_own() -> None:
    numbers = [int(name.partition("_")[0]) for name in MIGRATIONS]
    assert numbers == list(range(1, len(numbers) + 1))


def test_migrations_at_once_wait_for_each_other(database: str) -> None:
    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(migrate, [database] * 4))
    assert sorted(done) == [[], [], [], MIGRATIONS]


def test_a_database_that_was_not_migrated_says_what_to_do(database: str) -> None:
    with pytest.raises(UnknownSchema, match=r"at migration 0.*Run accord migrate"):
        PostgresStore.open(database)


def test_a_database_of_a_newer_release_is_left_alone(migrated: str) -> None:
    ask(migrated, "INSERT INTO public.accord_migrations VALUES (999)")
    with pytest.raises(UnknownSchema, match=r"at migration 999.*newer release"):
        PostgresStore.open(migrated)
    with pytest.raises(UnknownSchema):
        migrate(migrated)


def test_a_migration_that_fails_leaves_nothing(database: str) -> None:
    ask(database, "CREATE SCHEMA views")
    with pytest.raises(psycopg.errors.DuplicateSchema):
        migrate(database)
    ask(database, "DROP SCHEMA views")
    assert migrate(database) == MIGRATIONS


def test_a_store_that_keeps_time_the_other_way_is_refused_without_its_password(
    migrated: str,
) -> None:
    secret = migrated.replace("postgres@", "postgres:secret@")
    assert init(Settings(store=secret), simulated=True)
    with pytest.raises(NoSuchStore, match="is a simulated store") as raised:
        init(Settings(store=secret))
    assert "secret" not in str(raised.value)
    assert "secret" not in repr(Settings(store=secret))


def test_with_a_broker_only_projectors_fold(migrated: str) -> None:
    settings = Settings(store=migrated, kafka="127.0.0.1:1")
    with bootstrap(settings) as accord:
        assert not accord.folds_views
        assert accord.workers().lag() == 0
        accord.catch_up()
        assert accord.views.cursor("runner") == NOTHING


# --- what is refused may hold anything ---------------------------------------------------------


def test_a_refused_message_may_hold_what_no_text_can(migrated: str) -> None:
    raws = [b'{"type":"a\\u0000b","id":"x\\u0000","source":"s"}', b"\x00\xff", b'"\\u0000"']
    with bootstrap(Settings(store=migrated)) as accord:
        outcomes = accord.service.handle(raws)
        assert [each.status for each in outcomes] == ["refused"] * 3
        assert [each.raw for each in accord.history.refusals()] == raws
        assert [each.status for each in accord.service.handle(raws)] == ["refused"] * 3
        assert len(accord.history.refusals()) == 3


# --- sessions ----------------------------------------------------------------------------------


def test_neither_side_of_a_session_waits_for_a_host_that_is_gone(migrated: str) -> None:
    with closing(Datastore(migrated)) as datastore:
        settings = datastore.all(
            """SELECT name, setting FROM pg_settings
            WHERE name IN ('tcp_user_timeout', 'tcp_keepalives_idle', 'tcp_keepalives_interval',
                'tcp_keepalives_count', 'idle_in_transaction_session_timeout', 'TimeZone')"""
        )
        with datastore.get_connection() as connection, connection.cursor() as c:
            ours = c.connection.info.get_parameters()
    found = dict(settings)
    assert int(found["tcp_user_timeout"]) == GONE_AFTER * 1000
    after = int(found["tcp_keepalives_idle"])
    after += int(found["tcp_keepalives_interval"]) * int(found["tcp_keepalives_count"])
    assert after <= GONE_AFTER
    assert found["idle_in_transaction_session_timeout"] == "60000"
    assert found["TimeZone"] == "UTC"
    assert ours["tcp_user_timeout"] == str(GONE_AFTER * 1000)
    assert ours["keepalives_idle"] == found["tcp_keepalives_idle"]


def test_an_address_with_timeouts_of_its_own_keeps_them(migrated: str) -> None:
    address = f"{migrated}?tcp_user_timeout=2000&options=-c%20tcp_user_timeout%3D3000"
    with closing(Datastore(address)) as datastore:
        assert datastore.one("SHOW tcp_user_timeout") == ("3000",)
        with datastore.get_connection() as connection, connection.cursor() as c:
            assert c.connection.info.get_parameters()["tcp_user_timeout"] == "2000"
