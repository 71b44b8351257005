"""A log collects cosignatures from real witnesses over HTTP, and from all that may go wrong."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx2
import pytest

from infra.audit import cosigning, witness
from infra.audit.witness import Known, Witness
from infra.tlog.keys import Signer
from infra.tlog.notes import Kind, Note, Verifier
from infra.tlog.policy import Policy
from tests.audit import logs
from tests.audit.logs import LOG, ORIGIN, Log

NAMES = ("w1", "w2", "w3")
SIGNERS = {name: Signer(name.encode() * 16) for name in NAMES}
VERIFIERS = {
    name: Verifier(f"{name}.example", Kind.COSIGNATURE, signer.public)
    for name, signer in SIGNERS.items()
}


@contextmanager
def serving(path: Path, name: str = "w1") -> Iterator[str]:
    """Run a witness; give its address."""
    told = Witness(f"{name}.example", SIGNERS[name], Known((LOG,)))
    with logs.serving(told, path / f"{name}.db") as url:
        yield url


@contextmanager
def answering(status: int, answer: Callable[[bytes], bytes]) -> Iterator[str]:
    """Run a server that is no witness, but answers."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = answer(self.rfile.read(int(self.headers["content-length"])))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def policy(*urls: str) -> Policy:
    """Return a policy of witnesses at these addresses, all of whom must cosign."""
    lines = [
        f"witness {name} {VERIFIERS[name]} {url}" for name, url in zip(NAMES, urls, strict=False)
    ]
    group = f"group all-of-them all {' '.join(NAMES[: len(urls)])}"
    return Policy.read("\n".join([*lines, group, "quorum all-of-them"]))


def collected(log: Log, asked: Policy, note: Note | None = None) -> cosigning.Collected:
    return cosigning.collect(note or log.checkpoint(), asked, log.proof, timeout=2)


@pytest.fixture
def log() -> Log:
    return Log([b"one", b"two", b"three"])


@pytest.fixture
def served(tmp_path: Path) -> Iterator[str]:
    with serving(tmp_path) as url:
        yield url


def test_all_witnesses_cosign_a_log_as_it_grows(tmp_path: Path, log: Log) -> None:
    with (
        serving(tmp_path, "w1") as one,
        serving(tmp_path, "w2") as two,
        serving(tmp_path, "w3") as three,
    ):
        asked = policy(one, f"{two}/", three)
        for entries in ([], [b"four"], [b"five", b"six", b"seven", b"eight"]):
            log.grow(*entries)
            found = collected(log, asked)
            assert found.lacking == {}
            assert asked.met(found.note)
            assert Note.read(str(found.note)).by(LOG)


def test_a_witness_that_signed_already_is_not_asked_again(served: str, log: Log) -> None:
    asked = policy(served)
    first = collected(log, asked).note
    assert collected(log, asked, first) == cosigning.Collected(first, {})


def test_an_unreachable_witness_is_reported_and_does_not_stop_the_others(
    served: str, log: Log
) -> None:
    asked = policy("http://127.0.0.1:1", served.replace("127.0.0.1", "no-such-host.invalid"))
    found = collected(log, asked)
    assert set(found.lacking) == {"w1", "w2"}
    assert "did not answer" in found.lacking["w1"]

    half = collected(log, Policy.read(str(policy(served, "http://127.0.0.1:1"))))
    assert set(half.lacking) == {"w2"}
    assert half.note.by(VERIFIERS["w1"])


def test_a_fork_and_a_smaller_log_have_different_errors(served: str, log: Log) -> None:
    asked = policy(served)
    collected(log, asked)

    forked = collected(Log([b"one", b"two", b"3"]), asked)
    assert "another root for 3 events" in forked.lacking["w1"]
    grown = collected(Log([b"one", b"two", b"3", b"four"]), asked)
    assert "422" in grown.lacking["w1"]
    smaller = collected(log, asked, log.checkpoint(2))
    assert (
        "It cosigned 3 events of this log, but this checkpoint has only 2." in smaller.lacking["w1"]
    )
    for each in (forked, grown, smaller):
        assert each.note.by(VERIFIERS["w1"]) is None


@pytest.mark.parametrize(
    ("status", "body", "told"),
    [
        (200, b"", "no valid cosignature"),
        (200, b"thank you\n", "no signature line"),
        (200, b"\xff", "no signature line"),
        (409, b"many\n", "without a size"),
        (409, b"9" * 5000, "without a size"),
        (409, b"0\n", "kept refusing proofs"),
        (404, b"no such log\n", "It answered 404: no such log"),
        (500, b"", "It answered 500"),
    ],
)
def test_an_unusable_answer_is_reported(log: Log, status: int, body: bytes, told: str) -> None:
    with answering(status, lambda _: body) as url:
        found = collected(log, policy(url))
    assert told in found.lacking["w1"]
    assert found.note == log.checkpoint()


def test_only_the_right_cosignature_of_the_witness_itself_is_taken_over(log: Log) -> None:
    def lines(body: bytes) -> bytes:
        note = witness.Request.read(body).note
        for name in NAMES:
            note = note.cosigned(f"{name}.example", SIGNERS[name], 1)
        wrong = note.signed("w1.example", SIGNERS["w1"]).signatures
        return "".join(map(str, wrong[1:])).encode()

    with answering(200, lines) as url:
        found = collected(log, policy(url))
    assert found.lacking == {}
    assert [each.name for each in found.note.signatures] == [ORIGIN, "w1.example"]


def test_one_that_names_another_size_each_time_is_given_up(log: Log) -> None:
    sizes = iter(b"121")
    with answering(409, lambda _: bytes([next(sizes), 10])) as url:
        found = collected(log, policy(url))
    assert "kept refusing proofs" in found.lacking["w1"]


# --- the server ----------------------------------------------------------------------------------


def test_a_witness_serves_its_latest_cosigned_note(served: str, log: Log) -> None:
    with httpx2.Client(base_url=served) as client:
        assert client.get("/healthz").json() == {"status": "alive"}
        latest = f"/{sha256(ORIGIN.encode()).hexdigest()}/checkpoint"
        assert client.get(latest).status_code == 404
        note = collected(log, policy(served)).note
        answer = client.get(latest)
        assert (answer.status_code, Note.read(answer.text)) == (200, note)
        assert note.by(LOG)
        assert note.by(VERIFIERS["w1"])
        assert client.get("/add-checkpoint").status_code == 405


def test_a_conflict_is_answered_with_the_media_type_of_a_size(served: str, log: Log) -> None:
    body = witness.written(1, [], log.checkpoint())
    with httpx2.Client(base_url=served) as client:
        answer = client.post("/add-checkpoint", content=body)
    assert answer.status_code == 409
    assert answer.headers["content-type"] == "text/x.tlog.size"
    assert answer.text == "0\n"


def test_a_request_that_is_too_large_is_refused(served: str) -> None:
    with httpx2.Client(base_url=served) as client:
        answer = client.post("/add-checkpoint", content=b"a" * (witness.LARGEST + 1))
        assert answer.status_code == 400
        other = client.get("/healthz", headers={"host": "evil.example"})
        assert other.status_code == 400


def test_a_witness_of_an_earlier_draft_answers_a_fork_with_a_conflict(log: Log) -> None:
    with answering(409, lambda _: b"3\n") as url:
        found = collected(log, policy(url))
    assert found.lacking["w1"] == "It cosigned another root for 3 events: this log was forked."
