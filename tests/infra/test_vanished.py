"""A host that vanishes: another process leads, and the locks of the sessions are freed.

The client is in a network namespace whose only link is cut, so that nothing of it answers any more:
no process, and no kernel.
"""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from typing import NamedTuple

import psycopg
import pytest

from dev.local import postgres
from dev.local.postgres import Postgres
from infra.running.leader import LEASE, Lease
from infra.running.sessions import GONE_AFTER
from infra.store.postgres_datastore import migrate
from infra.store.postgres_recorder import CHANNEL
from tests.documents import REPOSITORY
from tests.infra.test_workers import eventually

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("ip") is None,
    reason="a network namespace is made by root, with the program ip",
)

OURS, THEIRS = "10.77.1.1", "10.77.1.2"

CLIENT = """
import sys, time
from contextlib import closing
from infra.running.leader import Lease
from infra.store.postgres_datastore import Datastore
with Lease(sys.argv[1], "relay", "history") as lease, closing(Datastore(sys.argv[1])) as datastore:
    assert lease.take()
    with datastore.get_connection() as connection, connection.transaction():
        connection.cursor().execute("LOCK TABLE views.turn IN EXCLUSIVE MODE")
        print("leads", flush=True)
        time.sleep(600)
"""


class Host(NamedTuple):
    """A host of its own, as far as the network goes."""

    name: str

    def run(self, *command: str) -> list[str]:
        return ["ip", "netns", "exec", self.name, *command]

    def vanish(self) -> None:
        ip("-netns", self.name, "link", "set", "theirs", "down")


def ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True)


@pytest.fixture
def host() -> Iterator[Host]:
    name = f"accord-{os.getpid()}"
    link = f"ac{os.getpid()}"
    try:
        ip("netns", "add", name)
    except subprocess.CalledProcessError as error:
        pytest.skip(f"no network namespace can be made here: {error.stderr.decode()}")
    try:
        ip("link", "add", link, "type", "veth", "peer", "name", "theirs", "netns", name)
        ip("address", "add", f"{OURS}/24", "dev", link)
        ip("link", "set", link, "up")
        ip("-netns", name, "address", "add", f"{THEIRS}/24", "dev", "theirs")
        ip("-netns", name, "link", "set", "theirs", "up")
        yield Host(name)
    finally:
        # A namespace lives as long as a process is in it; the link goes at once.
        subprocess.run(["ip", "link", "delete", link], check=False, capture_output=True)
        ip("netns", "delete", name)


@pytest.fixture
def server(host: Host, monkeypatch: pytest.MonkeyPatch) -> Iterator[Postgres]:  # noqa: ARG001 - its address
    monkeypatch.setattr(postgres, "LOOPBACK", f"127.0.0.1,{OURS}")
    with Postgres() as native:
        with (native.folder / "data" / "pg_hba.conf").open("a", encoding="utf-8") as rules:
            rules.write(f"host all all {OURS}/24 trust\n")
        with psycopg.connect(native.url(postgres.OWNER), autocommit=True) as client:
            client.execute("SELECT pg_reload_conf()")
        yield native


def test_the_lead_and_the_locks_of_a_host_that_vanished_are_free_within_seconds(
    host: Host, server: Postgres
) -> None:
    here = server.create("accord")
    migrate(here)
    there = here.replace("127.0.0.1", OURS)
    with subprocess.Popen(
        host.run(sys.executable, "-c", CLIENT, there),
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        text=True,
    ) as client:
        try:
            assert client.stdout is not None
            assert client.stdout.readline() == "leads\n"
            host.vanish()
            gone = time.monotonic()
            with Lease(here, "relay", CHANNEL) as lease:
                eventually(lease.take, LEASE + 2)
            with closing(psycopg.connect(here, autocommit=True)) as admin:
                eventually(lambda: not sessions(admin), GONE_AFTER + 5)
                admin.execute("SET lock_timeout = '1s'")
                with admin.transaction():
                    admin.execute("LOCK TABLE views.turn IN EXCLUSIVE MODE")
            assert time.monotonic() - gone < GONE_AFTER + 5
        finally:
            client.kill()


def sessions(admin: psycopg.Connection[tuple[object, ...]]) -> int:
    """Return how many sessions of the other host the server still has."""
    (found,) = admin.execute(
        "SELECT count(*) FROM pg_stat_activity WHERE client_addr = %s", (THEIRS,)
    ).fetchone() or (0,)
    return int(str(found))
