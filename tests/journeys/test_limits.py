"""Clients that are slow, silent or too many do not keep a good one out of a served store."""

import re
import resource
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import httpx2
import orjson
import pytest

from infra.bootstrap import Accord, bootstrap, init
from infra.http import create_app
from infra.http.openapi import EXAMPLE
from infra.http.safety import NOT_KEPT, SAFETY
from infra.http.server import Server
from infra.running.listening import listening
from infra.settings import HttpLimits, Settings

EVENT = {"content-type": "application/cloudevents+json"}
LINES = {"content-type": "application/x-ndjson"}
PROBLEM = "application/problem+json"
HEADERS = b"GET /readyz HTTP/1.1\r\nHost: a\r\nX-Slow: "
BODY = (
    b"POST /v1/events HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
    b"Content-Length: 1000\r\n\r\n"
)
"""The beginnings of two requests that do not end."""

WITHIN = 30.0
FILES = 4096
"""Files that the process of these tests may open: the clients' ends of connections, too."""


class Served(NamedTuple):
    """A served store, and where it listens."""

    accord: Accord
    address: tuple[str, int]
    client: httpx2.Client


@pytest.fixture(autouse=True)
def many_files() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < FILES:
        pytest.skip(f"needs {FILES} open files, and {hard} are allowed")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, FILES), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@contextmanager
def serving(folder: Path, hosts: Sequence[str] = ("*",), /, **limits: int) -> Iterator[Served]:
    settings = Settings(
        store=f"sqlite:///{folder}/accord.db", http=HttpLimits.model_validate(limits)
    )
    init(settings)
    with (
        bootstrap(settings) as accord,
        accord.workers() as workers,
        listening("127.0.0.1", 0) as sock,
        httpx2.Client(
            base_url=f"http://127.0.0.1:{sock.getsockname()[1]}", timeout=WITHIN
        ) as client,
    ):
        app = create_app(accord, workers, hosts, settings.http, is_open=True)
        server = Server(app, settings.http)
        thread = threading.Thread(target=server.run, args=([sock],))
        thread.start()
        try:
            yield Served(accord, sock.getsockname(), client)
        finally:
            client.close()
            server.should_exit = True
            thread.join(WITHIN)


@contextmanager
def connections(served: Served, count: int, first: bytes = b"") -> Iterator[list[socket.socket]]:
    with ExitStack() as stack:
        opened = []
        for _ in range(count):
            one = stack.enter_context(socket.create_connection(served.address, WITHIN))
            one.sendall(first)
            opened.append(one)
        yield opened


def answer(one: socket.socket) -> tuple[int, dict[str, object]]:
    """Return the status and the document of the answer, which ends with the connection."""
    received = b""
    with suppress(ConnectionResetError):
        while part := one.recv(65536):
            received += part
    head, _, body = received.partition(b"\r\n\r\n")
    assert PROBLEM.encode() in head
    assert b"connection: close" in head
    for name, value in (SAFETY | {"Cache-Control": NOT_KEPT}).items():
        assert f"{name}: {value}".lower().encode() in head.lower()
    return int(head.split()[1]), orjson.loads(body)


def good(served: Served, id: str = "good") -> httpx2.Response:
    """Send a good event by a connection of its own."""
    body = orjson.dumps(EXAMPLE | {"id": id, "subject": id})
    url = f"{served.client.base_url}/v1/events"
    return httpx2.post(url, content=body, headers=EVENT, timeout=WITHIN)


def took(work: Callable[[], object]) -> float:
    began = time.monotonic()
    work()
    return time.monotonic() - began


# --- connections ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "first",
    [b"", HEADERS, BODY + b"{"],
    ids=["silent", "half of the headers", "half of the body"],
)
def test_beside_1100_connections_that_do_nothing_a_good_request_is_answered(
    tmp_path: Path, first: bytes
) -> None:
    with serving(tmp_path) as served, connections(served, 1100, first):
        for number in range(3):
            assert good(served, f"good-{number}").status_code == 200
        assert served.client.get("/readyz").status_code == 200
    assert served.accord.simulated is False


def test_if_all_connections_are_in_use_a_further_request_is_answered_503(tmp_path: Path) -> None:
    with serving(tmp_path, connections=2) as served, ExitStack() as stack:
        streams = []
        for _ in range(2):
            client = stack.enter_context(httpx2.Client(base_url=served.client.base_url))
            stream = stack.enter_context(client.stream("GET", "/v1/alerts/stream"))
            streams.append(stream.iter_lines())
            next(streams[-1])

        told = good(served)

        assert told.status_code == 503
        assert told.headers["content-type"] == PROBLEM
        assert told.headers["retry-after"]
        assert told.headers["cache-control"] == NOT_KEPT
        assert "too many connections" in told.json()["detail"]
        stack.close()
        deadline = time.monotonic() + WITHIN
        while good(served).status_code != 200:
            assert time.monotonic() < deadline


# --- slow clients --------------------------------------------------------------------------------


def drip(one: socket.socket, ended: threading.Event) -> None:
    """Send a byte now and then, as slow-loris does."""
    while not ended.wait(0.2):
        try:
            one.sendall(b"a")
        except OSError:
            return


@pytest.mark.parametrize(
    ("first", "what"),
    [
        (HEADERS, "headers"),
        (BODY, "body"),
        (b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n", "headers"),
    ],
    ids=["headers", "body", "the next request"],
)
def test_a_request_that_arrives_byte_by_byte_is_answered_408_in_time(
    tmp_path: Path, first: bytes, what: str, caplog: pytest.LogCaptureFixture
) -> None:
    limits = {"header_seconds": 1, "body_seconds": 1}
    with serving(tmp_path, **limits) as served, connections(served, 1, first) as (one,):
        if b"healthz" in first:
            while b"alive" not in one.recv(65536):
                pass
            one.sendall(b"GET /readyz HTTP/1.1\r\nX: ")
        ended = threading.Event()
        thread = threading.Thread(target=drip, args=(one, ended))
        thread.start()
        try:
            began = time.monotonic()
            status, document = answer(one)
        finally:
            ended.set()
            thread.join()

        assert time.monotonic() - began < 5
        assert (status, document["status"]) == (408, 408)
        assert str(document["detail"]).startswith(f"The {what} of the request did not arrive")
        assert good(served).status_code == 200
    assert [each for each in caplog.records if each.exc_info] == []


def test_headers_that_are_too_long_are_answered_431(tmp_path: Path) -> None:
    with serving(tmp_path, header_bytes=4096) as served:
        for size, status in ((3000, 200), (1_000_000, 431)):
            head = b"GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX: " + b"x" * size
            with connections(served, 1) as (one,):
                one.sendall(head + b"\r\n\r\n")
                if status == 200:
                    assert b"200 OK" in one.recv(65536)
                else:
                    assert answer(one)[0] == status


def test_what_is_no_http_is_answered_400(tmp_path: Path) -> None:
    with (
        serving(tmp_path) as served,
        connections(served, 1, b"\x16\x03\x01 hello\r\n\r\n") as (one,),
    ):
        status, document = answer(one)

    assert status == 400
    assert document["hint"]


def test_a_client_that_leaves_in_the_middle_of_a_body_is_no_fault(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with serving(tmp_path) as served:
        with connections(served, 3, BODY + b"{"):
            time.sleep(0.2)
        assert good(served).status_code == 200
    assert [each for each in caplog.records if each.exc_info] == []


# --- bodies --------------------------------------------------------------------------------------


def test_a_million_short_lines_are_answered_briefly_and_nothing_is_kept(tmp_path: Path) -> None:
    with serving(tmp_path) as served:
        lines = b"1\n" * 1_000_000
        for path in ("/v1/events", "/v1/validate"):
            told = served.client.post(path, content=lines, headers=LINES)
            assert told.status_code == 413
            assert "at most 10000 events" in told.json()["detail"]
            assert len(told.content) < 1000
        assert served.accord.history.refusals() == []


def test_a_body_beyond_the_limit_is_answered_413(tmp_path: Path) -> None:
    with serving(tmp_path, body_bytes=1000, events=2) as served:
        event = orjson.dumps(EXAMPLE)
        long = event + b" " * 1000
        at_once = served.client.post("/v1/events", content=long, headers=EVENT)
        # Its headers do not say its length.
        in_parts = served.client.post("/v1/events", content=iter([long]), headers=EVENT)
        most = served.client.post("/v1/events", content=event + b"\n" + event, headers=LINES)

        assert (at_once.status_code, in_parts.status_code) == (413, 413)
        assert most.status_code == 200


@pytest.mark.parametrize("kind", ["application/cloudevents-batch+json", "application/json"])
@pytest.mark.parametrize("body", [b"[", b"[{}", b"[1] [2]", b"[NaN]", b'["\xff"]'])
def test_a_batch_that_is_no_array_is_answered_400_and_nothing_is_kept(
    tmp_path: Path, kind: str, body: bytes
) -> None:
    with serving(tmp_path) as served:
        told = served.client.post("/v1/events", content=body, headers={"content-type": kind})

        assert told.status_code == 400
        assert told.json()["hint"]
        assert served.accord.history.refusals() == []


@pytest.mark.parametrize("member", [b"0", b"{}", b"[]"])
def test_a_batch_of_a_million_members_is_answered_413_in_time(
    tmp_path: Path, member: bytes
) -> None:
    body = b"[" + b",".join([member] * 1_000_000) + b"]"
    with serving(tmp_path) as served:
        took_seconds = took(lambda: _is_too_long(served, body))

    assert took_seconds < 10


def _is_too_long(served: Served, body: bytes) -> None:
    kind = {"content-type": "application/cloudevents-batch+json"}
    assert served.client.post("/v1/events", content=body, headers=kind).status_code == 413


def test_a_member_that_no_parser_reads_is_refused_alone(tmp_path: Path) -> None:
    odd = orjson.dumps(EXAMPLE | {"id": "odd"})[:-1] + b',"weight":1e400}'
    body = b"[" + b",".join([orjson.dumps(EXAMPLE), odd, rb'"\ud800"']) + b"]"
    with serving(tmp_path) as served:
        kind = {"content-type": "application/cloudevents-batch+json"}
        told = served.client.post("/v1/events", content=body, headers=kind)

    assert told.status_code == 200
    assert [each["index"] for each in told.json()["results"]] == [0, 1, 2]
    assert told.json()["results"][0]["status"] == "accepted"
    assert told.json()["results"][2]["rule"] == "not-json"


@pytest.mark.parametrize(
    ("kind", "between"),
    [
        ("application/cloudevents-batch+json", b","),
        ("application/json", b",\n"),
        ("application/x-ndjson", b"\n"),
    ],
)
def test_a_member_that_is_nested_too_deeply_is_refused_alone(
    tmp_path: Path, kind: str, between: bytes
) -> None:
    good = [orjson.dumps(EXAMPLE | {"id": each, "subject": each}) for each in ("one", "two")]
    deep = orjson.dumps(EXAMPLE)[:-1] + b',"weight":' + b'{"a":' * 5000 + b"1" + b"}" * 5001
    body = between.join([good[0], deep, good[1]])
    if between != b"\n":
        body = b"[" + body + b"]"
    with serving(tmp_path) as served:
        told = served.client.post("/v1/events", content=body, headers={"content-type": kind})
        alone = served.client.post(
            "/v1/events", content=deep, headers={"content-type": "application/cloudevents+json"}
        )

    results = told.json()["results"]
    assert told.status_code == 200
    assert [each["status"] for each in results] == ["accepted", "refused", "accepted"]
    assert results[1]["rule"] == "not-json"
    assert "nested too deeply" in results[1]["detail"]
    assert alone.status_code == 400
    assert "nested too deeply" in alone.json()["detail"]


# --- clients that do not read --------------------------------------------------------------------

ASKS = b"GET /openapi.json HTTP/1.1\r\nHost: a\r\n\r\n" * 60


def test_a_client_that_does_not_read_its_answers_is_closed(tmp_path: Path) -> None:
    with serving(tmp_path, body_seconds=1) as served, connections(served, 1, ASKS) as (one,):
        time.sleep(4)
        received = 0
        with suppress(ConnectionResetError):
            while part := one.recv(2**20):
                received += part.count(b"HTTP/1.1 200 OK")

    assert received < 60


def test_beside_clients_that_do_not_read_a_good_request_is_answered(tmp_path: Path) -> None:
    with serving(tmp_path, connections=8) as served, connections(served, 8, ASKS):
        time.sleep(2)

        assert good(served).status_code == 200


FLOOD = 600
"""More connections than the server has by default."""


def pipelined(*paths: str) -> bytes:
    """Return some 40 kB of requests, sent without waiting for an answer."""
    requests = b"".join(f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode() for path in paths)
    return requests * (40_000 // len(requests))


@contextmanager
def flooding(served: Served, requests: bytes) -> Iterator[None]:
    """Keep connections open that send requests all the time and read nothing."""
    ended = threading.Event()
    with connections(served, FLOOD) as opened:
        for one in opened:
            one.settimeout(0)
        thread = threading.Thread(target=_flood, args=(opened, requests, ended))
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()


def _flood(opened: list[socket.socket], requests: bytes, ended: threading.Event) -> None:
    left = dict.fromkeys(opened, requests)
    while not ended.wait(0.02):
        for one, rest in [*left.items()]:
            try:
                left[one] = rest[one.send(rest) :] or requests
            except BlockingIOError:
                continue
            except OSError:
                del left[one]  # The server closed it.


@pytest.mark.parametrize(
    "paths",
    [["/readyz"], ["/v1/partnerships", "/v1/alerts"], ["/openapi.json"]],
    ids=",".join,
)
def test_beside_600_connections_that_ask_and_never_read_readyz_answers_within_a_second(
    tmp_path: Path, paths: list[str]
) -> None:
    with serving(tmp_path) as served:
        assert good(served).status_code == 200
        with flooding(served, pipelined(*paths)):
            time.sleep(1)
            waited = [took(lambda: ready(served)) for _ in range(10)]
        assert good(served, "after").status_code == 200

    # Tests that run beside this one can delay a single answer.
    assert sorted(waited)[-2] < 1, waited


def test_pipelined_requests_are_answered_all_and_in_order(tmp_path: Path) -> None:
    asked = b"".join(
        b"GET /v1/partnerships/%d HTTP/1.1\r\nHost: a\r\n%s\r\n"
        % (number, b"Connection: close\r\n" if number == 99 else b"")
        for number in range(100)
    )
    with serving(tmp_path) as served, connections(served, 6, asked) as opened:
        for one in opened:
            received = b""
            while part := one.recv(65536):
                received += part
            named = [int(each) for each in re.findall(rb"no partnership (\d+)", received)]
            assert named == [*range(100)]


def ready(served: Served) -> None:
    """Ask by a connection of its own, as a probe does."""
    answered = httpx2.get(f"{served.client.base_url}/readyz", timeout=WITHIN)
    assert answered.status_code == 200, answered.text
