"""Each change of an alert reaches every sink, in order, at least once."""

import json
import os
import re
import signal
import subprocess
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import httpx2
import pytest

from consumers import sinks as process_of_sinks
from infra.audit.http_client import NotReached
from infra.bootstrap import Accord, bootstrap, init
from infra.exchange.sink import Delivery, cursor_of, delivering
from infra.exchange.table import NoSuchSink, sinks
from infra.exchange.webhook import Webhook
from infra.running.worker import WorkerProcess
from infra.settings import Settings
from infra.store.views import SavedOutput
from tests import planted
from tests.feeds import FEEDS
from tests.journeys.typed import PROGRAM
from tests.planted import PARTIES


class Kept:
    """A sink that keeps what it is sent, or fails as often as it is told to."""

    def __init__(self, failures: int = 0) -> None:
        self.received: list[SavedOutput] = []
        self.failures = failures

    def deliver(self, change: SavedOutput) -> None:
        if self.failures:
            self.failures -= 1
            raise NotReached("down")
        self.received.append(change)


class Receiver:
    """An HTTP server that keeps the events that are posted to it."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.types: set[str | None] = set()
        self.status = 204

    @contextmanager
    def serving(self) -> Iterator[str]:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                receiver.events.append(json.loads(body))
                receiver.types.add(self.headers["content-type"])
                self.send_response(receiver.status)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Print nothing."""

        server = HTTPServer(("127.0.0.1", 0), Handler)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/alerts"
        finally:
            server.shutdown()
            thread.join()
            server.server_close()


@pytest.fixture
def accord(tmp_path: Path) -> Iterator[Accord]:
    settings = Settings(store=f"sqlite:///{tmp_path}/accord.db")
    init(settings, simulated=True)
    with bootstrap(settings) as accord:
        yield accord


def play(accord: Accord, part: slice = slice(None)) -> list[SavedOutput]:
    """Record a part of the first example; gives all changes of alerts by then."""
    accord.service.handle(FEEDS[0].read_bytes().splitlines()[part])
    accord.catch_up()
    return [each for each in accord.views.outputs() if each.kind == "alert"]


def eventually(true: Callable[[], object]) -> None:
    deadline = time.monotonic() + 10
    while not true():
        assert time.monotonic() < deadline, "it did not come true"
        time.sleep(0.01)


def test_a_sink_gets_each_change_once_and_in_order(accord: Accord) -> None:
    sink = Kept()
    delivery = Delivery(accord.views, "kept", sink)
    delivery.step()
    changes = play(accord)
    delivery.step()
    delivery.step()

    assert len(changes) > 10
    assert sink.received == changes


def test_a_new_sink_gets_what_changes_after_its_first_step(accord: Accord) -> None:
    before = play(accord, slice(250))
    sink = Kept()
    delivery = Delivery(accord.views, "kept", sink)
    delivery.step()
    after = play(accord, slice(250, None))
    delivery.step()

    assert before
    assert sink.received == after[len(before) :] != []


def test_a_change_that_was_not_received_is_delivered_again(accord: Accord) -> None:
    sink = Kept(failures=1)
    delivery = Delivery(accord.views, "kept", sink)
    delivery.step()
    changes = play(accord)
    with pytest.raises(NotReached):
        delivery.step()
    delivery.step()

    assert sink.received == changes


def test_after_a_restart_a_sink_goes_on_where_it_was(accord: Accord) -> None:
    first, second = Kept(), Kept()
    Delivery(accord.views, "kept", first).step()
    before = play(accord, slice(250))
    Delivery(accord.views, "kept", first).step()
    changes = play(accord, slice(250, None))
    Delivery(accord.views, "kept", second).step()

    assert first.received == before
    assert first.received + second.received == changes


def test_a_sink_that_is_down_delays_no_other(accord: Accord) -> None:
    down, up = Kept(failures=10**6), Kept()
    with delivering(accord.views, {"down": down, "up": up}):
        for name in ("down", "up"):
            eventually(lambda: accord.views.cursor(cursor_of(name)) >= 0)  # noqa: B023 - at once
        changes = play(accord)
        eventually(lambda: len(up.received) == len(changes))

    assert up.received == changes
    assert down.received == []


def test_a_webhook_is_posted_a_cloudevent_for_each_change(accord: Accord) -> None:
    receiver = Receiver()
    with receiver.serving() as url:
        delivery = Delivery(accord.views, "webhook", Webhook(url))
        delivery.step()
        changes = play(accord)
        delivery.step()

    assert receiver.types == {"application/cloudevents+json"}
    assert [each["id"] for each in receiver.events] == [each.id for each in changes]
    assert [each["data"] for each in receiver.events] == [each.body for each in changes]
    assert receiver.events[0]["type"] == "accord.AlertOpened"
    assert {each["subject"] for each in receiver.events} == {"growthos-consulting"}


def test_no_webhook_has_what_a_party_keeps_to_itself(accord: Accord) -> None:
    receiver = Receiver()
    with receiver.serving() as url:
        delivery = Delivery(accord.views, "webhook", Webhook(url))
        delivery.step()
        outcomes = accord.service.handle(planted.life())
        assert {each.status for each in outcomes} == {"accepted"}
        accord.catch_up()
        delivery.step()

    text = json.dumps(receiver.events).lower().encode()
    hidden = [planted.RIVAL.encode(), *(each for of in PARTIES for each in planted.counts(of))]
    hidden += [planted.POSITIONS[party].encode() for party in PARTIES]
    assert {each["subject"] for each in receiver.events} == {planted.PARTNERSHIP}
    assert [each for each in hidden if each in text] == []


@pytest.mark.parametrize("status", [302, 400, 500])
def test_another_answer_than_success_is_no_delivery(accord: Accord, status: int) -> None:
    receiver = Receiver()
    receiver.status = status
    with receiver.serving() as url:
        delivery = Delivery(accord.views, "webhook", Webhook(url))
        delivery.step()
        play(accord)
        for _ in range(2):
            with pytest.raises(NotReached, match=str(status)):
                delivery.step()

    assert receiver.events[0] == receiver.events[1]


def test_an_unknown_kind_of_sink_is_refused_by_name() -> None:
    assert isinstance(sinks({"webhook": "http://ops.example"})["webhook"], Webhook)
    with pytest.raises(NoSuchSink, match=r"no kind of sink pager\. Use one of webhook"):
        sinks({"pager": "http://ops.example"})


def test_a_served_store_delivers_by_itself(tmp_path: Path) -> None:
    store = f"sqlite:///{tmp_path}/served.db"
    init(Settings(store=store), simulated=True)
    receiver = Receiver()
    with receiver.serving() as url:
        command = [*PROGRAM, "up", "--open", "--port", "0", "--store", store]
        environment = os.environ | {"ACCORD_SINK_WEBHOOK": url}
        with subprocess.Popen(command, stderr=subprocess.PIPE, env=environment) as process:
            assert process.stderr
            line = process.stderr.readline().decode()
            where = re.findall(r"http://[\d.:]+", line)[0]
            with bootstrap(Settings(store=store)) as accord:
                eventually(lambda: accord.views.cursor(cursor_of("webhook")) >= 0)
                headers = {"content-type": "application/x-ndjson"}
                httpx2.post(f"{where}/v1/events", content=FEEDS[0].read_bytes(), headers=headers)
                changes = play(accord)
                eventually(lambda: len(receiver.events) == len(changes))
            process.send_signal(signal.SIGTERM)
            assert process.wait(20) == 0

    assert [each["id"] for each in receiver.events] == [each.id for each in changes]


def test_with_a_broker_one_process_delivers_and_another_takes_over(
    migrated: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process_of_sinks, "POLL", 0.05)
    settings = Settings(store=migrated)
    init(settings, simulated=True)
    receiver = Receiver()
    with receiver.serving() as url, bootstrap(settings) as accord:
        configured = settings.model_copy(update={"sinks": {"webhook": url}})
        with ExitStack() as stack:
            one, other = (stack.enter_context(running(configured)) for _ in range(2))
            eventually(lambda: accord.views.cursor(cursor_of("webhook")) >= 0)
            before = play(accord, slice(250))
            eventually(lambda: len(receiver.events) == len(before) > 0)
            assert sorted([leads(one), leads(other)]) == [0, 1]
            one.stopping.set()
            changes = play(accord, slice(250, None))
            eventually(lambda: len(receiver.events) == len(changes))
            eventually(lambda: other.lag().events == 0)
            assert leads(other) == 1

    assert [each["id"] for each in receiver.events] == [each.id for each in changes]


def leads(process: WorkerProcess) -> float:
    """Return what the metrics of a process say about the lead."""
    with urllib.request.urlopen(f"{process.address}/metrics", timeout=5) as answer:  # noqa: S310
        (found,) = re.findall(r"^accord_leads\{.*\} (.+)$", answer.read().decode(), re.MULTILINE)
    return float(found)


@contextmanager
def running(settings: Settings) -> Iterator[WorkerProcess]:
    """Run the process of the sinks in a thread."""
    with WorkerProcess("sinks", "127.0.0.1:0") as process:
        thread = threading.Thread(target=process_of_sinks.run, args=(settings, process))
        thread.start()
        try:
            yield process
        finally:
            process.stopping.set()
            thread.join(10)
            assert not thread.is_alive()
