"""Time from an authority: what `openssl ts` signs is believed of that text, and of no other."""

import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import load_pem_x509_certificate
from hypothesis import given
from hypothesis import strategies as st

from infra.audit import timestamps
from infra.audit.http_client import NotReached
from infra.audit.timestamps import NoTimestamp

NEW = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes"
TEXT = "accord.example/acme\n3\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n"

CONFIGURED = """\
[tsa]
default_tsa = told
[told]
serial = serial
signer_cert = tsa.pem
signer_key = tsa.key
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256
accuracy = secs:1
ess_cert_id_alg = sha256
[req]
distinguished_name = name
[name]
[chained]
serial = serial
signer_cert = chained.pem
signer_key = tsa.key
certs = between.pem
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256
ess_cert_id_alg = sha256
[root]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign
[stamps]
basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = critical,timeStamping
"""


class Authority:
    """A throw-away authority: a root, and a key under it that signs times."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        (folder / "openssl.cnf").write_text(CONFIGURED)
        self.run(
            f"req -x509 {NEW} -days 30 -subj /CN=Root -extensions root -config openssl.cnf"
            " -keyout root.key -out root.pem"
        )
        self.run(f"req {NEW} -subj /CN=Time -config openssl.cnf -keyout tsa.key -out tsa.csr")
        self.run(
            "x509 -req -in tsa.csr -CA root.pem -CAkey root.key -CAcreateserial -days 30"
            " -extfile openssl.cnf -extensions stamps -out tsa.pem"
        )
        (folder / "serial").write_text("01\n")

    def chain(self) -> None:
        """Issue the certificate of the key anew, from an authority between it and the root."""
        self.run(f"req {NEW} -subj /CN=Between -config openssl.cnf -keyout between.key -out b.csr")
        signed = "-days 30 -extfile openssl.cnf"
        self.run(
            f"x509 -req -in b.csr -CA root.pem -CAkey root.key -CAcreateserial {signed}"
            " -extensions root -out between.pem"
        )
        self.run(
            f"x509 -req -in tsa.csr -CA between.pem -CAkey between.key -CAcreateserial {signed}"
            " -extensions stamps -out chained.pem"
        )

    def answer(self, request: bytes, section: str = "told") -> bytes:
        (self.folder / "query").write_bytes(request)
        self.run(f"ts -reply -config openssl.cnf -section {section} -queryfile query -out reply")
        return (self.folder / "reply").read_bytes()

    def run(self, typed: str) -> None:
        ran = subprocess.run(
            ["openssl", *typed.split()],
            cwd=self.folder,
            check=False,
            capture_output=True,
            text=True,
        )
        assert ran.returncode == 0, ran.stderr

    @property
    def root(self) -> bytes:
        return (self.folder / "root.pem").read_bytes()


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("time") / "authority")


@pytest.fixture(scope="module")
def answer(authority: Authority) -> bytes:
    return authority.answer(timestamps.request(TEXT))


def verified(answer: bytes, authority: Authority, text: str = TEXT) -> datetime:
    return timestamps.verify(answer, text, timestamps.roots(authority.root))


@contextmanager
def serving(authority: Authority) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = self.rfile.read(int(self.headers["content-length"]))
            known = self.headers["content-type"] == "application/timestamp-query"
            self.send_response(200 if known and self.path == "/" else 404)
            self.send_header("Content-Type", "application/timestamp-reply")
            self.end_headers()
            self.wfile.write(authority.answer(asked))

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


pytestmark = pytest.mark.needs("openssl")


def test_an_authority_timestamps_a_text_over_http(authority: Authority) -> None:
    with serving(authority) as url:
        answer = timestamps.fetch(url, timestamps.request(TEXT))
        with pytest.raises(NotReached, match="answered 404"):
            timestamps.fetch(f"{url}elsewhere", timestamps.request(TEXT))
    told = verified(answer, authority)
    assert told.tzinfo is UTC
    assert abs(datetime.now(UTC) - told) < timedelta(minutes=1)
    with pytest.raises(NotReached, match="did not answer"):
        timestamps.fetch(url, timestamps.request(TEXT))


def test_openssl_believes_the_answer_to_our_request(authority: Authority, answer: bytes) -> None:
    (authority.folder / "text").write_text(TEXT)
    (authority.folder / "given").write_bytes(answer)
    authority.run("ts -verify -data text -in given -CAfile root.pem")


def test_an_answer_with_two_certificates_is_believed_under_the_root(authority: Authority) -> None:
    authority.chain()
    chained = authority.answer(timestamps.request(TEXT), "chained")
    (authority.folder / "text").write_text(TEXT)
    authority.run("ts -verify -data text -in reply -CAfile root.pem")
    names = re.findall(rb"\x0c[\x04\x07](Time|Between)", chained)
    assert {b"Time", b"Between"} <= set(names)

    one, other = (der(authority, name) for name in ("chained.pem", "between.pem"))
    either, or_other = one + other, other + one
    assert (either in chained) != (or_other in chained)
    swapped = (
        chained.replace(either, or_other)
        if either in chained
        else chained.replace(or_other, either)
    )
    assert verified(chained, authority) == verified(swapped, authority)
    for each in (chained, swapped):
        with pytest.raises(NoTimestamp, match="Mismatch between messages"):
            verified(each, authority, "another text")


def test_a_chain_under_another_root_is_not_believed(tmp_path: Path, authority: Authority) -> None:
    authority.chain()
    chained = authority.answer(timestamps.request(TEXT), "chained")
    with pytest.raises(NoTimestamp, match="is invalid"):
        verified(chained, Authority(tmp_path / "other"))


def der(authority: Authority, name: str) -> bytes:
    """Return a certificate as it is in an answer."""
    pem = (authority.folder / name).read_bytes()
    return load_pem_x509_certificate(pem).public_bytes(Encoding.DER)


def test_a_token_of_another_text_is_not_believed(authority: Authority, answer: bytes) -> None:
    with pytest.raises(NoTimestamp, match="Mismatch between messages"):
        verified(answer, authority, TEXT.replace("\n3\n", "\n4\n"))


def test_a_token_of_an_unknown_authority_is_not_believed(tmp_path: Path, answer: bytes) -> None:
    with pytest.raises(NoTimestamp, match="is invalid"):
        verified(answer, Authority(tmp_path / "other"))


def test_a_request_that_was_refused_shows_no_time(authority: Authority) -> None:
    with pytest.raises(NoTimestamp, match="is invalid"):
        verified(authority.answer(b"no request"), authority)


def test_roots_that_are_not_certificates_are_refused() -> None:
    with pytest.raises(NoTimestamp, match="not PEM certificates"):
        timestamps.roots(b"a root")


@given(st.binary(max_size=300), st.data())
def test_a_changed_answer_never_proves_another_time(
    authority: Authority, answer: bytes, junk: bytes, data: st.DataObject
) -> None:
    with pytest.raises(NoTimestamp):
        verified(junk, authority)
    place = data.draw(st.integers(0, len(answer) - 1))
    bit = 1 << data.draw(st.integers(0, 7))
    changed = answer[:place] + bytes([answer[place] ^ bit]) + answer[place + 1 :]
    try:
        told = verified(changed, authority)
    except NoTimestamp:
        return
    # Some bytes carry nothing that counts, such as the case of a name that nobody compares.
    assert told == verified(answer, authority)
