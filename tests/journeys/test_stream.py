"""A pager follows the alerts of a served store with a client that is not ours (`sseclient-py`)."""

import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import httpx2
import orjson
import pytest
from fastapi.testclient import TestClient
from pydantic import TypeAdapter
from sseclient import SSEClient

from infra.answers import changes
from infra.bootstrap import bootstrap, init
from infra.http import alerts, create_app
from infra.http.server import Server
from infra.running.listening import listening
from infra.settings import Settings
from tests.documents import REPOSITORY

FEED = (REPOSITORY / "examples" / "1-growthos.jsonl").read_bytes().splitlines()
LINES = {"content-type": "application/x-ndjson"}
STREAM = "/v1/alerts/stream"
WITHIN = 60.0
STEP = 250
"""Lines after which the server is stopped."""

SERVE = """
import sys
from infra.http import serve
from infra.settings import Settings
serve(Settings(store=sys.argv[1]), "127.0.0.1", int(sys.argv[2]), is_open=True)
"""


class Received(NamedTuple):
    """An event as the client gives it."""

    event: str
    id: str | None
    body: dict[str, Any]


@contextmanager
def events(
    client: httpx2.Client, path: str = STREAM, seen: str = ""
) -> Iterator[Iterator[Received]]:
    headers = {"last-event-id": seen} if seen else {}
    with client.stream("GET", path, headers=headers, timeout=WITHIN) as answer:
        assert answer.status_code == 200, answer.read()
        yield (
            Received(each.event, each.id, orjson.loads(each.data))
            for each in SSEClient(answer.iter_bytes()).events()
        )


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    settings = Settings(store=f"sqlite:///{tmp_path}/accord.db")
    init(settings, simulated=True)
    return settings


class Process:
    """A server in a process of its own, always at the same port."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        with listening("127.0.0.1", 0) as sock:
            self._port = sock.getsockname()[1]
        self.client = httpx2.Client(base_url=f"http://127.0.0.1:{self._port}", timeout=WITHIN)
        self.start()

    def start(self) -> None:
        command = [sys.executable, "-c", SERVE, self._settings.store, str(self._port)]
        self._process = subprocess.Popen(command, cwd=REPOSITORY, stderr=subprocess.PIPE, text=True)
        assert self._process.stderr is not None
        line = self._process.stderr.readline()
        assert re.search("listens at", line), line

    def stop(self, by: signal.Signals) -> None:
        self._process.send_signal(by)
        self._process.communicate(timeout=WITHIN)


@pytest.fixture
def process(settings: Settings) -> Iterator[Process]:
    with running(settings) as process:
        yield process


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    """A server of an empty store, for tests that only ask."""
    settings = Settings(store=f"sqlite:///{tmp_path_factory.mktemp('empty')}/accord.db")
    init(settings, simulated=True)
    with running(settings) as process:
        yield process


@contextmanager
def running(settings: Settings) -> Iterator[Process]:
    process = Process(settings)
    try:
        yield process
    finally:
        process.client.close()
        process.stop(signal.SIGKILL)


def pager(process: Process, known: list[Received], until: Callable[[], bool]) -> None:
    """Follow the stream as a browser does: come again with the last id until it is enough."""
    seen = ""
    while not until():
        with (
            suppress(httpx2.TransportError),
            httpx2.Client(base_url=process.client.base_url) as client,
            events(client, seen=seen) as received,
        ):
            for each in received:
                known.append(each)
                seen = seen if each.id is None else each.id
                if until():
                    return
        time.sleep(0.05)


def test_a_pager_misses_no_change_and_gets_none_twice_while_the_server_is_killed(
    process: Process, settings: Settings
) -> None:
    known: list[Received] = []
    ended = threading.Event()
    thread = threading.Thread(target=pager, args=(process, known, ended.is_set))
    thread.start()
    try:
        for start in range(0, len(FEED), STEP):
            process.client.post(
                "/v1/events", content=b"\n".join(FEED[start : start + STEP]), headers=LINES
            )
            process.stop(signal.SIGKILL if start % (2 * STEP) else signal.SIGTERM)
            process.start()
        with bootstrap(settings) as accord:
            recorded = [
                each.body
                for batch in _until_empty(changes.feed(accord, changes.Since.BEGIN))
                for each in batch.messages
                if each.event == "alert"
            ]
        deadline = time.monotonic() + WITHIN
        while sum(each.event == "alert" for each in known) < len(recorded):
            assert time.monotonic() < deadline, "the pager missed changes"
            time.sleep(0.05)
    finally:
        ended.set()
        process.stop(signal.SIGTERM)
        thread.join(WITHIN)

    assert len(recorded) > 10
    assert [each.body for each in known if each.event == "alert"] == [
        each | {"simulated": True} for each in recorded
    ]
    assert "reset" not in {each.event for each in known}


def test_a_signal_right_after_the_start_ends_the_server(process: Process) -> None:
    for _ in range(3):
        process.stop(signal.SIGTERM)
        process.start()


def _until_empty(feed: Iterator[changes.Batch]) -> Iterator[changes.Batch]:
    for batch in feed:
        if not batch.messages:
            return
        yield batch


def test_each_event_has_the_documented_body(process: Process) -> None:
    process.client.post("/v1/events", content=b"\n".join(FEED), headers=LINES)
    with events(process.client, f"{STREAM}?since=begin", seen="of another stream") as received:
        found = [next(received) for _ in range(10)]
    document = process.client.get("/openapi.json").json()
    described = document["paths"][STREAM]["get"]["responses"]["200"]["content"]
    forms = {
        each["properties"]["event"]["const"]: each
        for each in described["text/event-stream"]["schema"]["oneOf"]
    }

    models = {str(name): model for name, model in changes.BODIES.items()}
    assert [each.event for each in found[:3]] == ["reset", "ready", "alert"]
    assert forms.keys() == changes.BODIES.keys()
    for each in found:
        body = {name: value for name, value in each.body.items() if name != "simulated"}
        TypeAdapter(models[each.event]).validate_json(orjson.dumps(body))
    for form in forms.values():
        name = form["properties"]["data"]["contentSchema"]["$ref"].rpartition("/")[2]
        assert name in document["components"]["schemas"]


@pytest.mark.parametrize(
    "seen",
    ["12", "WyJhbGVydHMiLCAxXQ", "x" * 8000, "\u00e9\u00ff".encode("latin-1"), '"; DROP', "{}"],
)
def test_any_last_event_id_is_answered_by_a_reset_that_a_browser_forgets(
    empty: Process, seen: str
) -> None:
    with events(empty.client, f"{STREAM}?since=now", seen=seen) as received:
        reset, ready = next(received), next(received)

    assert (reset.event, reset.body["reason"], reset.id) == ("reset", "not-an-id", "")
    assert ready.event == "ready"
    assert ready.id
    with events(empty.client, seen=ready.id) as received:
        assert next(received).event == "ready"


@pytest.mark.parametrize("wrong", ["since=yesterday", "since=", "partnership=NO%20NAME"])
def test_a_wrong_parameter_is_refused_with_a_hint(empty: Process, wrong: str) -> None:
    answer = empty.client.get(f"{STREAM}?{wrong}")

    assert answer.status_code == 422
    assert answer.json()["hint"]
    assert answer.json()["errors"][0]["parameter"] == wrong.partition("=")[0]


def test_a_stream_of_an_unknown_partnership_is_answered_404(empty: Process) -> None:
    answer = empty.client.get(f"{STREAM}?partnership=nobody")

    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")
    assert answer.json()["hint"]


def test_a_stream_without_changes_has_heartbeats_with_an_id(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alerts, "HEARTBEAT", 0.2)
    monkeypatch.setattr(alerts, "POLL", 0.05)
    with serving(settings) as client, events(client) as received:
        ready, first, second = (next(received) for _ in range(3))

    assert [each.event for each in (ready, first, second)] == ["ready", "heartbeat", "heartbeat"]
    assert first.body == {"unfolded": 0, "simulated": True}
    assert first.id == second.id == ready.id


def test_while_views_are_rebuilt_the_stream_ends_and_the_client_comes_again(
    settings: Settings,
) -> None:
    with bootstrap(settings) as accord, accord.workers() as workers:
        accord.service.handle(FEED)
        accord.catch_up()
        accord.views.datastore.run("UPDATE folds SET version = version + 1")  # type: ignore[attr-defined]
        client = TestClient(create_app(accord, workers, is_open=True))
        answer = client.get(STREAM)

    assert answer.status_code == 200
    assert answer.text.startswith(": alerts of a simulated store\nretry: 1000")
    assert "event:" not in answer.text


@contextmanager
def serving(settings: Settings) -> Iterator[httpx2.Client]:
    with (
        bootstrap(settings) as accord,
        accord.workers() as workers,
        listening("127.0.0.1", 0) as sock,
        httpx2.Client(base_url=f"http://127.0.0.1:{sock.getsockname()[1]}") as client,
    ):
        server = Server(create_app(accord, workers, is_open=True))
        thread = threading.Thread(target=server.run, args=([sock],))
        thread.start()
        try:
            yield client
        finally:
            server.should_exit = True
            thread.join(WITHIN)
