"""One leader among several processes: its lease, and its term."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, closing

import psycopg
import pytest
from eventsourcing.persistence import OperationalError

from infra.running import leader
from infra.running.leader import LEASE, Lease, LeaseLost
from infra.store.history import NOTHING
from infra.store.postgres import PostgresStore
from infra.store.postgres_datastore import Datastore
from infra.store.postgres_recorder import CHANNEL
from infra.store.postgres_views import PostgresViews
from tests.infra.noted import noted
from tests.infra.test_workers import eventually


def ask(address: str, statement: str) -> None:
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute(statement)


def run_out(address: str) -> None:
    """Make all leases as old as those of leaders that stopped renewing them."""
    ask(address, "UPDATE views.leaders SET renewed = renewed - interval '1 hour'")


@pytest.fixture
def leases(migrated: str) -> Iterator[tuple[Lease, Lease]]:
    with Lease(migrated, "relay", CHANNEL) as one, Lease(migrated, "relay", CHANNEL) as other:
        yield one, other


@pytest.fixture
def paused(monkeypatch: pytest.MonkeyPatch) -> None:
    """No lease is renewed, as if its process were paused."""
    monkeypatch.setattr(leader, "RENEWED_EVERY", 3600)


@pytest.fixture
def brief(monkeypatch: pytest.MonkeyPatch) -> None:
    """A lease ends after two seconds, so that a test waits for no longer."""
    monkeypatch.setattr(leader, "LEASE", BRIEF)


BRIEF = 2.0


# --- who leads ---------------------------------------------------------------------------------


def test_one_leads_and_the_other_takes_over_when_it_lets_go(leases: tuple[Lease, Lease]) -> None:
    one, other = leases
    assert one.take()
    assert not other.take()
    first = one.term
    one.close()
    assert not one.held
    assert other.take()
    assert not one.take()
    assert other.term.number > first.number


def test_another_role_has_a_leader_of_its_own(migrated: str, leases: tuple[Lease, Lease]) -> None:
    one, _ = leases
    assert one.take()
    with Lease(migrated, "publisher", CHANNEL) as publisher:
        assert publisher.take()


def test_a_leader_keeps_its_lease_through_a_long_step(leases: tuple[Lease, Lease]) -> None:
    one, other = leases
    assert one.take()
    time.sleep(LEASE + 1)
    assert one.held
    assert not other.take()


@pytest.mark.usefixtures("paused", "brief")
def test_a_leader_that_stops_renewing_is_replaced_within_seconds(
    leases: tuple[Lease, Lease],
) -> None:
    one, other = leases
    assert one.take()
    began = time.monotonic()
    eventually(other.take, BRIEF + 2)
    assert BRIEF - 1 < time.monotonic() - began < BRIEF + 1
    assert not one.held
    with pytest.raises(LeaseLost):
        _ = one.term


def test_a_lease_from_the_future_is_free(migrated: str, leases: tuple[Lease, Lease]) -> None:
    one, other = leases
    assert one.take()
    # The clock of the server was set back.
    ask(migrated, "UPDATE views.leaders SET renewed = renewed + interval '1 hour'")
    assert other.take()


def test_a_leader_that_was_replaced_hears_so_at_its_next_renewal(
    migrated: str, leases: tuple[Lease, Lease]
) -> None:
    one, other = leases
    assert one.take()
    run_out(migrated)
    assert other.take()
    eventually(lambda: not one.held, 3)
    with pytest.raises(LeaseLost):
        one.wait(0.01)
    assert other.held


@pytest.mark.usefixtures("paused")
def test_a_leader_that_asks_hears_that_it_was_replaced(
    migrated: str, leases: tuple[Lease, Lease]
) -> None:
    one, other = leases
    assert one.take()
    one.check()
    run_out(migrated)
    assert other.take()
    assert one.held
    with pytest.raises(LeaseLost):
        one.check()
    other.check()


def test_a_late_release_takes_nothing_from_the_next_leader(
    migrated: str, leases: tuple[Lease, Lease]
) -> None:
    one, other = leases
    assert one.take()
    run_out(migrated)
    assert other.take()
    one.close()
    other.check()
    assert not one.take()


@pytest.mark.usefixtures("brief")
def test_a_leader_whose_connection_broke_hears_so_and_stops(
    migrated: str, leases: tuple[Lease, Lease]
) -> None:
    one, other = leases
    assert one.take()
    ask(
        migrated,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()",
    )
    with pytest.raises(OperationalError):
        one.wait(5)
    assert not one.held
    eventually(other.take, BRIEF + 2)


@pytest.mark.usefixtures("known")
def test_what_is_appended_wakes_the_leader_at_once(migrated: str) -> None:
    with Lease(migrated, "relay", CHANNEL) as lease, closing(PostgresStore.open(migrated)) as store:
        assert lease.take()
        store.append([noted()])
        began = time.monotonic()
        lease.wait(30)
        assert time.monotonic() - began < 10


def test_silence_ends_a_wait(leases: tuple[Lease, Lease]) -> None:
    one, _ = leases
    assert one.take()
    one.wait(0.05)
    assert one.held


def test_a_lease_without_a_database_is_an_outage() -> None:
    with (
        Lease("postgresql://127.0.0.1:1/none", "relay", CHANNEL) as lease,
        pytest.raises(OperationalError),
    ):
        lease.take()


# --- what a term guards ------------------------------------------------------------------------


@pytest.mark.usefixtures("paused")
def test_a_leader_that_was_replaced_moves_no_cursor(
    migrated: str, leases: tuple[Lease, Lease]
) -> None:
    one, other = leases
    with closing(PostgresViews(Datastore(migrated))) as views:
        assert one.take()
        views.move_led_cursor(one.term, "relay", 7)
        views.move_led_cursor(one.term, "relay", 5)
        assert views.cursor("relay") == 7
        run_out(migrated)
        assert other.take()
        with pytest.raises(LeaseLost):
            views.move_led_cursor(one.term, "relay", 9)
        with pytest.raises(LeaseLost):
            views.move_led_cursor(one.term, "never moved", 9)
        assert views.cursor("relay") == 7
        assert views.cursor("never moved") == NOTHING
        views.move_led_cursor(other.term, "relay", 8)
        assert views.cursor("relay") == 8


def test_a_new_leader_waits_for_a_cursor_that_is_being_moved(
    migrated: str, leases: tuple[Lease, Lease]
) -> None:
    one, other = leases
    assert one.take()
    term = one.term
    run_out(migrated)
    with ExitStack() as stack:
        moving = stack.enter_context(psycopg.connect(migrated))
        moving.execute(
            "SELECT FROM views.leaders WHERE role = %s AND term = %s FOR SHARE",
            (term.role, term.number),
        )
        ask_soon = "SET lock_timeout = '200ms'"
        impatient = stack.enter_context(psycopg.connect(migrated, autocommit=True))
        impatient.execute(ask_soon)
        with pytest.raises(psycopg.errors.LockNotAvailable):
            impatient.execute(leader._TAKE, {"role": "relay", "lease": LEASE})
    assert other.take()
