"""A key that one process revokes is refused by another at its next request; its streams end.

The story: two servers answer for one store. Somebody has a stolen key, and reads the alerts of one
of them. The operator revokes the key at the other one.
"""

import json
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from http.client import HTTPResponse
from threading import Event, Thread
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from infra.access import credentials
from infra.access.credentials import Grant, NewKey
from infra.access.roles import Role
from infra.bootstrap import bootstrap, init
from infra.http.alerts import STREAM
from infra.settings import Settings
from tests.documents import REPOSITORY
from tests.infra.messages import beginning
from tests.journeys.typed import PROGRAM

ENDS = 10.0
"""Seconds that a stream has to end. It is told within one; the rest is for a busy machine."""
STARTS = 60.0


@dataclass(frozen=True)
class Server:
    """A process that serves a store."""

    address: str

    def ask(self, key: str, path: str, method: str = "GET") -> tuple[int, str]:
        """Return the status and the body; the body of a stream when it ends."""
        try:
            with self.open(key, path, method) as found:
                return found.status, found.read().decode()
        except HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def open(self, key: str, path: str, method: str = "GET") -> HTTPResponse:
        """Return the answer once it begins. Raises `HTTPError` for a refusal."""
        asked = Request(  # noqa: S310 - the loopback
            self.address + path, method=method, headers={"Authorization": f"Bearer {key}"}
        )
        found: HTTPResponse = urlopen(asked, timeout=STARTS)  # noqa: S310 - as above
        return found


@contextmanager
def serving(address: str) -> Iterator[Server]:
    command = [*PROGRAM, "up", "--store", address, "--port", "0"]
    with subprocess.Popen(command, cwd=REPOSITORY, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        try:
            line = ""
            while "listens at" not in line:
                line = process.stderr.readline()
                assert line, "it ended"
            yield Server(line.split("listens at ")[1].split()[0])
        finally:
            process.terminate()
            process.wait(STARTS)


@pytest.fixture
def keys(address: str) -> dict[Role, NewKey]:
    settings = Settings(store=address)
    init(settings)
    with bootstrap(settings) as accord:
        accord.service.handle([beginning("growthos-brightpath")])
        store, now = accord.history.credentials, datetime.now(UTC)
        grants = {
            Role.PARTY: Grant(role=Role.PARTY, party="growthos", actor="maya"),
            Role.OPERATOR: Grant(role=Role.OPERATOR, actor="olga"),
        }
        return {role: credentials.create(store, grant, now) for role, grant in grants.items()}


def test_a_revoked_key_is_refused_at_its_next_request_by_another_process_and_its_stream_ends(
    address: str, keys: dict[Role, NewKey]
) -> None:
    stolen, operator = keys[Role.PARTY], keys[Role.OPERATOR].key

    with ExitStack() as running:
        one, other = (running.enter_context(serving(address)) for _ in range(2))
        assert one.ask(stolen.key, "/v1/partnerships")[0] == 200

        begun = Event()

        def follow() -> None:
            with one.open(stolen.key, STREAM) as stream:
                while stream.readline() != b"event: ready\n":
                    pass
                begun.set()
                stream.read()

        reader = Thread(target=follow, daemon=True)
        reader.start()
        assert begun.wait(STARTS)
        assert reader.is_alive()

        status, body = other.ask(operator, f"/v1/keys/{stolen.credential.id}", "DELETE")
        assert status == 200, body
        status, told = one.ask(stolen.key, "/v1/partnerships")
        reader.join(ENDS)

        assert status == 401
        assert "is revoked" in json.loads(told)["detail"]
        assert not reader.is_alive()
