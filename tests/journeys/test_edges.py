"""The edges of HTTP: lengths that lie, halves of connections, other hosts."""

import socket
import time
from pathlib import Path

import orjson
import pytest
from fastapi.testclient import TestClient

from infra.bootstrap import bootstrap, init
from infra.http import connections as http_connections
from infra.http import create_app
from infra.http.openapi import EXAMPLE
from infra.http.problems import MEDIA_TYPE
from infra.http.server import names
from infra.settings import Settings
from tests.journeys.test_limits import Served, answer, serving

EVENT = orjson.dumps(EXAMPLE)


@pytest.fixture(autouse=True)
def lingers_briefly(monkeypatch: pytest.MonkeyPatch) -> None:
    """All that these clients send has arrived when they are answered, so nothing is waited for."""
    monkeypatch.setattr(http_connections, "LINGER", 0.2)


def head(*more: str) -> bytes:
    lines = ["POST /v1/events HTTP/1.1", "Host: a", "Content-Type: application/json", *more]
    return "\r\n".join([*lines, "", ""]).encode()


def told(served: Served, sent: bytes, *, half: bool = False) -> tuple[int, dict[str, object]]:
    with socket.create_connection(served.address, 10) as one:
        one.sendall(sent)
        if half:
            one.shutdown(socket.SHUT_WR)
        return answer(one)


def test_a_declared_length_beyond_the_limit_is_answered_at_once_and_closed(tmp_path: Path) -> None:
    with serving(tmp_path, body_bytes=1000) as served:
        began = time.monotonic()
        status, problem = told(served, head("Content-Length: 1001"))

        assert (status, problem["detail"]) == (413, "A body has at most 1000 bytes.")
        assert time.monotonic() - began < 5


def test_a_client_that_waits_for_100_is_answered_and_nothing_fails(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with serving(tmp_path, body_bytes=1000) as served:
        status, _ = told(served, head("Content-Length: 1001", "Expect: 100-continue"))

        assert status == 413
        assert served.client.get("/readyz").status_code == 200
    assert [each for each in caplog.records if each.exc_info] == []


@pytest.mark.parametrize(
    ("target", "host", "status"),
    [
        ("http://127.0.0.1/readyz", "127.0.0.1", 200),
        ("HTTP://LOCALHOST:8000/readyz", "evil.example", 200),
        ("http://evil.example/readyz", "127.0.0.1", 400),
        ("http://127.0.0.1", "127.0.0.1", 303),
        ("http:/readyz", "127.0.0.1", 404),
    ],
)
def test_a_target_may_be_a_whole_address_whose_host_counts(
    tmp_path: Path, target: str, host: str, status: int
) -> None:
    sent = f"GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()
    with (
        serving(tmp_path, names("127.0.0.1")) as served,
        socket.create_connection(served.address, 10) as one,
    ):
        one.sendall(sent)
        assert int(one.recv(65536).split(b" ")[1]) == status


def test_a_request_with_two_lengths_is_refused_and_its_connection_closed(tmp_path: Path) -> None:
    chunked = b"%x\r\n%s\r\n0\r\n\r\n" % (len(EVENT), EVENT)
    both = head("Content-Length: 5", "Transfer-Encoding: chunked")
    with serving(tmp_path) as served:
        status, problem = told(served, both + chunked)

        assert status == 400
        assert "both Content-Length and Transfer-Encoding" in str(problem["detail"])
        assert served.accord.history.size() == 0


def test_a_client_that_has_ended_its_half_is_answered(tmp_path: Path) -> None:
    whole = head(f"Content-Length: {len(EVENT)}") + EVENT
    with serving(tmp_path) as served, socket.create_connection(served.address, 10) as one:
        one.sendall(whole)
        one.shutdown(socket.SHUT_WR)
        received = b""
        while part := one.recv(65536):
            received += part

        assert received.startswith(b"HTTP/1.1 200 ")
        assert b'"status":"accepted"' in received


def test_a_body_that_ends_early_is_answered_400(tmp_path: Path) -> None:
    with serving(tmp_path) as served:
        status, problem = told(served, head("Content-Length: 1000") + b"{", half=True)

        assert (status, problem["detail"]) == (400, "The connection ended before the body did.")
        assert served.client.get("/readyz").status_code == 200


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:8000", 200),
        ("LOCALHOST", 200),
        ("[::1]:8000", 200),
        ("evil.example", 400),
        ("127.0.0.1.evil.example", 400),
        ("", 400),
    ],
)
def test_another_host_is_answered_with_a_problem(tmp_path: Path, host: str, status: int) -> None:
    settings = Settings(store=f"sqlite:///{tmp_path}/accord.db")
    init(settings)
    with (
        bootstrap(settings) as accord,
        accord.workers() as workers,
        TestClient(create_app(accord, workers, names("127.0.0.1"), is_open=True)) as client,
    ):
        found = client.get("/healthz", headers={"host": host})

        assert found.status_code == status
        assert "nosniff" in found.headers["x-content-type-options"]
        if status == 400:
            assert found.headers["content-type"] == MEDIA_TYPE
            assert found.json()["hint"].startswith("Use one of these as the host: 127.0.0.1")
