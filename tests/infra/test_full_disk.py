"""A full disk: the sender, the operator and `/readyz` are told, and nothing is half done."""

import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import psycopg
import pytest
from eventsourcing.sqlite import SQLiteCursor
from fastapi.testclient import TestClient

from infra.answers import verify
from infra.bootstrap import Accord, bootstrap, init
from infra.cli.errors import message
from infra.http import create_app
from infra.http.openapi import EXAMPLE
from infra.settings import Settings
from infra.store import sqlite_datastore
from infra.store.errors import StoreFull
from infra.store.history import InputId
from tests.infra.messages import beginning

WITHIN = 40.0
"""Seconds until a task that failed is tried again at the latest, and some more."""

SENT = EXAMPLE["party"], EXAMPLE["source"]
FULL = "The disk of the store is full"
LONG = "a" * 2000
"""A purpose as long as may be, so that a few events need new pages."""


class Filled(NamedTuple):
    """A store on a disk that can be filled, and how space is made again."""

    address: str
    fill: Callable[[], None]
    free: Callable[[], None]


@pytest.fixture
def limited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Filled:
    """A store in a file that may not grow: SQLite itself raises what it raises on a full disk."""
    most = 2**30

    def enter(transaction: sqlite_datastore._Transaction) -> SQLiteCursor:
        transaction.connection.cursor().execute(f"PRAGMA max_page_count={most}")
        return own(transaction)

    def limit(pages: int) -> None:
        nonlocal most
        most = pages

    own = sqlite_datastore._Transaction.__enter__
    monkeypatch.setattr(sqlite_datastore._Transaction, "__enter__", enter)
    # SQLite takes no limit below the pages that there are.
    return Filled(f"sqlite:///{tmp_path}/accord.db", partial(limit, 1), partial(limit, 2**30))


MOUNTED = 4 * 2**20


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Filled]:
    """A store on a small file system of its own, filled by a file beside the store."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = shutil.which("mount")
    options = ["-t", "tmpfs", "-o", f"size={MOUNTED}", "tmpfs", str(folder)]
    if (
        mount is None
        or subprocess.run([mount, *options], check=False, capture_output=True).returncode
    ):
        pytest.skip("needs the right to mount a file system")
    ballast = folder / "ballast"

    def fill() -> None:
        with ballast.open("wb", buffering=0) as file, suppress(OSError):
            while file.write(b"0" * 4096):
                pass

    yield Filled(f"sqlite:///{folder}/accord.db", fill, ballast.unlink)
    subprocess.run(["umount", str(folder)], check=True)


@pytest.fixture
def in_postgres(migrated: str) -> Filled:
    """A database whose table of events raises what Postgres raises on a full disk."""

    def run(*statements: str) -> None:
        with psycopg.connect(migrated) as connection:
            for each in statements:
                connection.execute(each)

    raises = """CREATE OR REPLACE FUNCTION history.full_disk() RETURNS trigger AS $$ BEGIN
        RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = '53100';
        END $$ LANGUAGE plpgsql"""
    trigger = """CREATE TRIGGER full_disk BEFORE INSERT ON history.events
        FOR EACH ROW EXECUTE FUNCTION history.full_disk()"""
    return Filled(
        migrated,
        lambda: run(raises, trigger),
        lambda: run("DROP TRIGGER full_disk ON history.events"),
    )


@pytest.fixture(params=["limited", "small", "in_postgres"])
def disk(request: pytest.FixtureRequest) -> Filled:
    found: Filled = request.getfixturevalue(request.param)
    return found


@contextmanager
def served(disk: Filled) -> Iterator[tuple[Accord, TestClient]]:
    settings = Settings(store=disk.address)
    if not settings.in_postgres:
        init(settings)
    with ExitStack() as stack:
        accord = stack.enter_context(bootstrap(settings))
        workers = stack.enter_context(accord.workers())
        client = TestClient(
            create_app(accord, workers, is_open=True), raise_server_exceptions=False
        )
        yield accord, stack.enter_context(client)


def send(client: TestClient, name: str) -> tuple[int, dict[str, Any]]:
    data = {**EXAMPLE["data"], "purpose": LONG}
    event = EXAMPLE | {"id": name, "subject": name, "data": data}
    headers = {"content-type": "application/cloudevents+json"}
    answer = client.post("/v1/events", content=orjson.dumps(event), headers=headers)
    return answer.status_code, answer.json()


def beyond(client: TestClient) -> Iterator[str]:
    """Send events until there is no space, and yield those that were not recorded."""
    for number in range(1000):
        status, problem = send(client, f"event-{number}")
        if status != 200:
            assert status == 503, problem
            assert problem["detail"].startswith(FULL)
            assert "Free space" in problem["hint"]
            yield f"event-{number}"
    raise AssertionError("the disk was never full")


def test_a_full_disk_is_told_to_all_and_the_service_goes_on_when_there_is_space(
    disk: Filled, caplog: pytest.LogCaptureFixture
) -> None:
    with served(disk) as (accord, client):
        assert send(client, "before")[0] == 200
        disk.fill()
        refused = list(islice(beyond(client), 3))
        told = client.get("/readyz")
        if not disk.address.startswith("postgres"):  # There, a trigger stops events alone.
            assert told.status_code == 503
            assert any(each.startswith(FULL) for each in told.json()["reasons"]), told.text
        assert any(FULL in each.getMessage() for each in caplog.records)
        assert client.get("/v1/partnerships/before").status_code == 200
        before = accord.history.size()
        assert accord.history.heads(refused) == {}
        assert accord.history.results([InputId(*SENT, name) for name in refused]) == {}

        disk.free()
        deadline = time.monotonic() + WITHIN
        while client.get("/readyz").status_code != 200:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        again = [send(client, name) for name in refused]

        assert [status for status, _ in again] == [200] * 3
        assert [answer["status"] for _, answer in again] == ["accepted"] * 3
        assert accord.history.size() == before + sum(each["events"]["count"] for _, each in again)
    with bootstrap(Settings(store=disk.address)) as accord:
        accord.catch_up()
        assert [each for each in verify.check(accord) if each.difference or each.unfolded] == []


def fill(accord: Accord) -> None:
    for number in range(1000):
        accord.service.handle([beginning(f"one-{number}")])


def test_a_command_ends_in_one_line(disk: Filled) -> None:
    with served(disk) as (accord, _):
        disk.fill()
        with pytest.raises(StoreFull) as full:
            fill(accord)
        line = message(full.value)
        disk.free()

    assert line is not None
    assert line.startswith(FULL)
    assert "Free space" in line
