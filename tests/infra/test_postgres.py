"""What only Postgres has: migrations, roles, and one leader among several processes."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import psycopg
import pytest
from eventsourcing.persistence import OperationalError

from infra.bootstrap import bootstrap, init
from infra.running.leader import LeaderLock
from infra.settings import NoSuchStore, Settings
from infra.store.postgres import PostgresStore
from infra.store.postgres_datastore import migrate
from infra.store.postgres_recorder import CHANNEL
from infra.store.records import NOTHING, UnknownSchema
from tests.documents import REPOSITORY
from tests.infra.noted import noted

MIGRATIONS = sorted(
    each.name for each in (REPOSITORY / "infra" / "store" / "migrations").glob("*.sql")
)


def ask(address: str, statement: str) -> list[tuple[object, ...]]:
    with psycopg.connect(address, autocommit=True) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else []


# --- migrations --------------------------------------------------------------------------------


def test_a_database_is_migrated_once(database: str) -> None:
    assert migrate(database) == MIGRATIONS
    assert migrate(database) == []


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


# --- one leader --------------------------------------------------------------------------------


@pytest.fixture
def leads(migrated: str) -> Iterator[tuple[LeaderLock, LeaderLock]]:
    with (
        LeaderLock(migrated, "relay", CHANNEL) as one,
        LeaderLock(migrated, "relay", CHANNEL) as other,
    ):
        yield one, other


def test_one_leads_and_the_other_takes_over_when_it_lets_go(
    leads: tuple[LeaderLock, LeaderLock],
) -> None:
    one, other = leads
    assert one.take()
    assert not other.take()
    one.close()
    assert other.take()
    assert not one.take()


def test_another_name_and_another_database_have_leaders_of_their_own(
    migrated: str, leads: tuple[LeaderLock, LeaderLock]
) -> None:
    one, _ = leads
    assert one.take()
    with LeaderLock(migrated, "publisher", CHANNEL) as publisher:
        assert publisher.take()


def test_who_lost_its_connection_hears_so_and_no_longer_leads(
    migrated: str, leads: tuple[LeaderLock, LeaderLock]
) -> None:
    one, other = leads
    assert one.take()
    cut = "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'"
    ask(migrated, cut)

    with pytest.raises(OperationalError):
        one.wait(5)
    assert not one.held
    assert other.take()
    assert not one.take()


@pytest.mark.usefixtures("known")
def test_what_is_appended_wakes_the_leader_at_once(migrated: str) -> None:
    with (
        LeaderLock(migrated, "relay", CHANNEL) as lead,
        closing(PostgresStore.open(migrated)) as store,
    ):
        assert lead.take()
        store.append([noted()])
        began = time.monotonic()
        lead.wait(30)
        assert time.monotonic() - began < 10


def test_silence_ends_a_wait(migrated: str) -> None:
    with LeaderLock(migrated, "relay", CHANNEL) as lead:
        assert lead.take()
        lead.wait(0.05)
        assert lead.held


def test_a_lead_without_a_database_is_an_outage() -> None:
    with (
        LeaderLock("postgresql://127.0.0.1:1/none", "relay", CHANNEL) as lead,
        pytest.raises(OperationalError),
    ):
        lead.take()
