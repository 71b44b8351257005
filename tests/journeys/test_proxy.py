"""Accord behind a real nginx with TLS, in the configuration that docs/proxy.md gives."""

import os
import re
import ssl
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from socket import create_connection
from threading import Thread
from time import monotonic, sleep
from typing import Any

import httpx2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from starlette.requests import Request

from infra.access import credentials
from infra.access.attempts import MOST
from infra.access.credentials import Grant
from infra.access.roles import Role
from infra.bootstrap import Accord, bootstrap, init
from infra.http import create_app
from infra.http.access import client_address
from infra.http.server import Server, names
from infra.running.listening import listening
from infra.settings import HttpLimits, Settings
from tests.documents import FENCE, REPOSITORY
from tests.infra.messages import beginning, candidate
from tests.test_documents import free_port

# nginx is in a folder that is not on the path of every user.
os.environ["PATH"] += f"{os.pathsep}/usr/sbin"

OURS, SECONDS = "growthos-brightpath", 10


def configuration() -> str:
    """The configuration of the page."""
    page = (REPOSITORY / "docs/proxy.md").read_text(encoding="utf-8")
    (found,) = (each["body"] for each in FENCE.finditer(page) if each["info"] == "nginx")
    return found


def certificate(folder: Path) -> None:
    """Write a certificate of its own for accord.example, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "accord.example")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("accord.example")]), False)  # noqa: FBT003 - the library's own
        .sign(key, hashes.SHA256())
    )
    (folder / "accord.pem").write_bytes(made.public_bytes(Encoding.PEM))
    (folder / "accord.key").write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )


@contextmanager
def proxy(folder: Path, upstream: int) -> Iterator[tuple[int, int]]:
    """Run nginx with the page's configuration; yield its ports without and with TLS."""
    plain, encrypted = int(free_port()), int(free_port())
    certificate(folder)
    changed = configuration()
    for documented, here in {
        "listen 80": f"listen 127.0.0.1:{plain}",
        "listen 443": f"listen 127.0.0.1:{encrypted}",
        "127.0.0.1:8000": f"127.0.0.1:{upstream}",
        "/etc/ssl": str(folder),
    }.items():
        assert documented in changed
        changed = changed.replace(documented, here)
    temporary = "\n".join(
        f"{kind}_temp_path {folder}/{kind};"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    file = folder / "nginx.conf"
    file.write_text(
        f"daemon off; pid {folder}/pid; error_log stderr;\nevents {{}}\n"
        f"http {{\naccess_log {folder}/access.log;\n{temporary}\n{changed}\n}}\n"
    )
    log = (folder / "nginx.log").open("wb")
    with log, subprocess.Popen(["nginx", "-p", folder, "-c", file], stderr=log) as process:
        try:
            await_port(encrypted, process, folder)
            yield plain, encrypted
        finally:
            process.terminate()


def await_port(port: int, process: subprocess.Popen[bytes], folder: Path) -> None:
    ends = monotonic() + SECONDS
    while monotonic() < ends:
        assert process.poll() is None, (folder / "nginx.log").read_text()
        with suppress(OSError), create_connection(("127.0.0.1", port), 1):
            return
        sleep(0.05)
    pytest.fail((folder / "nginx.log").read_text())


@dataclass(frozen=True)
class World:
    """A served store behind nginx."""

    accord: Accord
    folder: Path
    plain: int
    port: int

    def client(self, source: str = "127.0.0.1") -> httpx2.Client:
        """A client at an address of this machine, which trusts the certificate of the test."""
        trusted = ssl.create_default_context(cafile=str(self.folder / "accord.pem"))
        transport = httpx2.HTTPTransport(verify=trusted, local_address=source)
        return httpx2.Client(transport=transport, timeout=SECONDS)

    def ask(
        self,
        path: str,
        key: str = "",
        source: str = "127.0.0.1",
        headers: Mapping[str, str] = {},
        **more: Any,  # noqa: ANN401 - what the client takes
    ) -> httpx2.Response:
        with self.client(source) as client:
            return client.request(
                more.pop("method", "GET"),
                f"https://127.0.0.1:{self.port}{path}",
                headers={
                    "Host": "accord.example",
                    **({"Authorization": f"Bearer {key}"} if key else {}),
                    **headers,
                },
                extensions={"sni_hostname": "accord.example"},
                **more,
            )

    def key(self, role: Role = Role.PARTY) -> str:
        party = "growthos" if role is Role.PARTY else None
        grant = Grant(role=role, party=party, actor="maya")
        return credentials.create(self.accord.history.credentials, grant, datetime.now(UTC)).key


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    limits = HttpLimits(proxies="127.0.0.1")
    settings = Settings(store=f"sqlite:///{tmp_path}/accord.db", http=limits)
    init(settings)
    with (
        bootstrap(settings) as accord,
        accord.workers() as workers,
        listening("127.0.0.1", 0) as sock,
    ):
        accord.service.handle([beginning(OURS)])
        accord.catch_up()
        server = Server(create_app(accord, workers, names("127.0.0.1"), limits), limits)
        thread = Thread(target=server.run, args=([sock],))
        thread.start()
        try:
            with proxy(tmp_path, sock.getsockname()[1]) as (plain, port):
                yield World(accord, tmp_path, plain, port)
        finally:
            server.should_exit = True
            thread.join(SECONDS)


needs_nginx = pytest.mark.needs("nginx")


@needs_nginx
def test_a_party_reads_and_sends_through_the_proxy(world: World) -> None:
    key = world.key()
    event = candidate("north")

    sent = world.ask(
        "/v1/events",
        key,
        method="POST",
        content=event,
        headers={"Content-Type": "application/cloudevents+json"},
    )
    found = world.ask(f"/v1/partnerships/{OURS}", key)

    assert sent.status_code == 200
    assert found.json()["as_of"]["party"] == "growthos"
    assert found.headers["strict-transport-security"]
    assert world.ask("/v1/partnerships").status_code == 401
    assert world.ask("/metrics", world.key(Role.OPERATOR)).status_code == 404


@needs_nginx
def test_what_is_not_encrypted_is_sent_to_where_it_is(world: World) -> None:
    found = httpx2.get(f"http://127.0.0.1:{world.plain}/docs", headers={"Host": "accord.example"})

    assert found.status_code == 301
    assert found.headers["location"] == "https://accord.example/docs"


@needs_nginx
def test_an_event_of_the_stream_comes_at_once(world: World) -> None:
    headers = {"Authorization": f"Bearer {world.key()}", "Host": "accord.example"}
    with (
        world.client() as client,
        client.stream(
            "GET",
            f"https://127.0.0.1:{world.port}/v1/alerts/stream",
            headers=headers,
            extensions={"sni_hostname": "accord.example"},
        ) as stream,
    ):
        began = monotonic()
        first = next(stream.iter_bytes())

        assert stream.headers["content-type"].startswith("text/event-stream")
        assert first
        assert monotonic() - began < SECONDS / 2


@needs_nginx
def test_a_body_beyond_the_limit_does_not_reach_the_server(world: World) -> None:
    body = b" " * (8 * 2**20 + 1)

    found = world.ask("/v1/events", world.key(), method="POST", content=body)

    assert found.status_code == 413
    assert "nginx" in found.text


@needs_nginx
def test_a_guesser_stops_no_other_client_of_the_proxy_and_cannot_pose_as_one(world: World) -> None:
    guess = "accord_000000000000_" + "A" * 43

    def tried(number: int) -> int:
        # The header of the client is not believed, so another address in it does not help.
        posing = {"X-Forwarded-For": f"10.0.0.{number}"}
        found = world.ask("/v1/partnerships", guess, "127.0.0.2", headers=posing)
        return int(found.status_code)

    assert [tried(number) for number in range(MOST + 1)] == [401] * MOST + [429]
    assert world.ask("/v1/partnerships", guess, "127.0.0.3").status_code == 401
    assert world.ask("/v1/partnerships", world.key(), "127.0.0.3").status_code == 200


@needs_nginx
def test_no_log_of_the_proxy_has_a_key(world: World) -> None:
    key = world.key()
    world.ask("/v1/partnerships", key)

    logs = [world.folder / name for name in ("access.log", "nginx.log")]
    ends = monotonic() + SECONDS
    while "/v1/partnerships" not in logs[0].read_text() and monotonic() < ends:
        sleep(0.05)
    assert "/v1/partnerships" in logs[0].read_text()
    assert not [log for log in logs if key in log.read_text()]
    assert not re.search(r"\$http_(authorization|cookie)", configuration())


# --- the address of a client -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("peer", "told", "address"),
    [
        ("10.0.0.1", ["203.0.113.9"], "203.0.113.9"),
        ("10.0.0.1", ["198.51.100.7, 203.0.113.9"], "203.0.113.9"),
        ("10.0.0.1", ["198.51.100.7", "203.0.113.9"], "203.0.113.9"),
        ("10.0.0.1", ["203.0.113.9, 10.0.0.2"], "203.0.113.9"),
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", [""], "10.0.0.1"),
        ("192.0.2.1", ["203.0.113.9"], "192.0.2.1"),
    ],
)
def test_a_client_is_where_the_last_trusted_proxy_saw_it(
    peer: str, told: list[str], address: str
) -> None:
    headers = [(b"x-forwarded-for", each.encode()) for each in told]
    request = Request({"type": "http", "client": (peer, 1), "headers": headers})

    assert client_address(request, ["10.0.0.1", "10.0.0.2"]) == address


def test_the_page_has_the_limit_of_a_body() -> None:
    default = HttpLimits.model_fields["body_bytes"].default
    (limit,) = re.findall(r"client_max_body_size (\d+)m;", configuration())

    assert int(limit) * 2**20 == default
