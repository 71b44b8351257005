"""The clock of a served store jumps while it runs, and the operator confirms it."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import httpx2
import orjson
import pytest

from infra.bootstrap import bootstrap, init
from infra.http.openapi import EXAMPLE
from infra.settings import Settings
from tests.documents import REPOSITORY
from tests.journeys.typed import PROGRAM, Accord

EVENT = {"content-type": "application/cloudevents+json"}
WITHIN = 60.0
FIVE_YEARS = 5 * 365 * 24 * 3600

SERVE = """
import sys
from datetime import timedelta
from pathlib import Path
from infra.deciding.clock import SystemClock
from infra.http import serve
from infra.settings import Settings

class Set(SystemClock):
    def __call__(self):
        return super().__call__() + timedelta(seconds=int(Path(sys.argv[2]).read_text()))

serve(Settings(store=sys.argv[1]), "127.0.0.1", 0, clock=Set(), is_open=True)
"""


class Machine:
    """A server whose clock can be set."""

    def __init__(self, folder: Path) -> None:
        self.settings = Settings(store=f"sqlite:///{folder}/accord.db")
        self._ahead = folder / "ahead"
        init(self.settings)
        self.set_ahead(0)
        self.start()

    def set_ahead(self, seconds: int) -> None:
        """Set the clock to the right time and some seconds."""
        self._ahead.write_text(str(seconds))

    def start(self) -> None:
        """Start the server."""
        command = [sys.executable, "-c", SERVE, self.settings.store, str(self._ahead)]
        self._process = subprocess.Popen(command, cwd=REPOSITORY, stderr=subprocess.PIPE, text=True)
        assert self._process.stderr is not None
        told = [self._process.stderr.readline()]
        while "listens at" not in told[-1]:
            assert told[-1], "".join(told)
            told.append(self._process.stderr.readline())
        self.client = httpx2.Client(base_url=told[-1].split()[3], timeout=WITHIN)

    def stop(self) -> str:
        """Kill the server; return what it has logged."""
        self.client.close()
        self._process.send_signal(signal.SIGKILL)
        return self._process.communicate(timeout=WITHIN)[1]

    def post(self, name: str) -> int:
        """Send an event of a partnership; return the status."""
        body = orjson.dumps(EXAMPLE | {"id": name, "subject": name})
        return self.client.post("/v1/events", content=body, headers=EVENT).status_code

    def ready(self) -> int:
        """Return the status of the readiness."""
        return self.client.get("/readyz").status_code


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    machine = Machine(tmp_path)
    try:
        yield machine
    finally:
        with suppress(ValueError):
            machine.stop()


def eventually(true: Callable[[], object]) -> None:
    deadline = time.monotonic() + WITHIN
    while not true():
        assert time.monotonic() < deadline, "it did not come true"
        time.sleep(0.05)


def test_years_of_deadlines_are_not_recorded_when_the_clock_jumps_and_a_restart_does_not_help(
    machine: Machine, accord: Accord
) -> None:
    assert machine.post("acme-north") == 200
    assert machine.ready() == 200
    with bootstrap(machine.settings) as store:
        size = store.history.size()

    machine.set_ahead(FIVE_YEARS)
    eventually(lambda: machine.ready() == 503)
    assert machine.post("acme-south") == 503
    assert machine.client.get("/v1/partnerships/acme-north/history").status_code == 200
    reasons = machine.client.get("/readyz").json()["reasons"]
    assert any("It jumped forward" in each for each in reasons)
    assert "accord confirm-clock" in machine.client.get("/readyz").json()["hint"]
    assert machine.stop().count("the clock is in doubt") == 1

    machine.start()
    assert machine.post("acme-south") == 503

    machine.set_ahead(0)
    assert machine.post("acme-south") == 503

    # The operator's own clock is right. That confirms the server's as soon as it agrees.
    machine.set_ahead(FIVE_YEARS)
    told = accord("confirm-clock", "--store", machine.settings.store)
    assert told.out.startswith("Confirmed that it is 2")
    assert "The last event was recorded at 2" in told.out
    assert machine.post("acme-south") == 503
    machine.set_ahead(0)
    eventually(lambda: machine.ready() == 200)
    with bootstrap(machine.settings) as store:
        assert store.history.size() == size
    assert machine.post("acme-south") == 200


def test_a_command_records_nothing_by_a_clock_in_doubt_and_says_what_to_do(
    accord: Accord, tmp_path: Path
) -> None:
    store = f"sqlite:///{tmp_path}/accord.db"
    event = tmp_path / "event.json"
    event.write_bytes(orjson.dumps(EXAMPLE))
    accord("init", "--store", store)
    assert accord("ingest", str(event), "--store", store).code == 0
    with bootstrap(Settings(store=store)) as opened:
        last = opened.history.last_recorded_at()
        assert last is not None
        opened.history.datastore.run(  # type: ignore[attr-defined]
            "UPDATE events SET body = CAST(replace(CAST(body AS TEXT), ?, ?) AS BLOB)",
            f'"recorded_at":"{last.year}',
            f'"recorded_at":"{last.year + 3}',
        )
    event.write_bytes(orjson.dumps(EXAMPLE | {"id": "later", "subject": "other"}))

    # In a process of its own, because a test has a handler of logs, which a command has not.
    refused = subprocess.run(
        [*PROGRAM, "ingest", str(event), "--store", store],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )

    assert refused.returncode == 1
    assert refused.stderr.count("\n") == 1
    assert "which is before the last record" in refused.stderr
    assert "accord confirm-clock" in refused.stderr
    assert accord("confirm-clock", "--store", store, "--json").json["last_record"]
    assert accord("ingest", str(event), "--store", store).code == 0
    assert accord("ingest", str(event), "--store", store).code == 0


def test_the_clock_of_a_simulated_store_cannot_be_confirmed(accord: Accord, tmp_path: Path) -> None:
    store = f"sqlite:///{tmp_path}/accord.db"
    accord("init", "--simulated", "--store", store)

    told = accord("confirm-clock", "--store", store)

    assert told.code == 2
    assert "A simulated store needs no clock" in told.err
