"""A witness cosigns a log that only grows; whatever else comes, its word and its file stay true."""

import sqlite3
import tempfile
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.audit import witness
from infra.audit.witness import Known, Witness, WitnessFile
from infra.tlog import merkle
from infra.tlog.keys import Signer
from infra.tlog.notes import Checkpoint, Kind, Note, Verifier, signatures
from tests.audit.logs import AT, LOG, NAME, OPERATOR, ORIGIN, Log

SIGNER = Signer(b"w" * 32)
WITNESS = Witness("witness.example", SIGNER, Known((LOG,)))
VERIFIER = Verifier(WITNESS.name, Kind.COSIGNATURE, SIGNER.public)
SIZE = "text/x.tlog.size"
STATUSES = {200, 400, 403, 404, 409, 422}


@pytest.fixture
def seen(tmp_path: Path) -> WitnessFile:
    return WitnessFile(tmp_path / "witness.db")


@pytest.fixture
def log() -> Log:
    return Log([b"one", b"two", b"three"])


def told(
    seen: WitnessFile, log: Log, old: int = 0, size: int | None = None
) -> witness.CosignAnswer:
    """Show a log, as it stands or as it stood, to the witness."""
    proof = log.proof(old, size)
    return seen.answer(WITNESS, witness.written(old, proof, log.checkpoint(size)), AT)


def size_of(seen: WitnessFile, origin: str = ORIGIN) -> int:
    note = seen.last(origin)
    return 0 if note is None else Checkpoint.read(note.text).size


def cosigned_at(note: Note) -> int:
    """Return when the witness cosigned a note (POSIX time)."""
    cosignature = note.by(VERIFIER)
    assert cosignature
    return int.from_bytes(cosignature.blob[:8])


# --- what it cosigns -----------------------------------------------------------------------------


def test_the_first_checkpoint_of_a_known_log_is_cosigned_and_kept(
    seen: WitnessFile, log: Log
) -> None:
    answer = told(seen, log)

    assert answer.status == 200
    note = log.checkpoint().joined(signatures(answer.body))
    assert cosigned_at(note) == AT
    assert seen.last(ORIGIN) == note


def test_a_log_that_grew_is_cosigned_and_the_same_again_is_too(seen: WitnessFile, log: Log) -> None:
    told(seen, log)
    log.grow(b"four", b"five")
    assert told(seen, log, old=3).status == 200
    assert told(seen, log, old=5).status == 200
    assert size_of(seen) == 5


def test_an_empty_log_is_cosigned_and_grows_without_a_proof(seen: WitnessFile) -> None:
    log = Log()
    assert told(seen, log).status == 200
    log.grow(b"one")
    assert told(seen, log).status == 200
    assert size_of(seen) == 1


def test_signatures_of_strangers_are_neither_looked_at_nor_kept(
    seen: WitnessFile, log: Log
) -> None:
    note = log.checkpoint().signed("stranger.example", SIGNER)
    answer = seen.answer(WITNESS, witness.written(0, [], note), AT)
    assert answer.status == 200
    kept = seen.last(ORIGIN)
    assert kept is not None
    assert [each.name for each in kept.signatures] == [ORIGIN, WITNESS.name]


def test_an_operators_key_signs_for_each_partnership_right_below_its_name() -> None:
    known = Known(operators=(Verifier(NAME, Kind.NOTE, OPERATOR.public),))
    assert known.verifiers(ORIGIN) == [LOG]
    for origin in (NAME, f"{NAME}/", f"{NAME}/acme/more", "other.example/acme", "acme"):
        assert known.verifiers(origin) == []


# --- what it refuses -----------------------------------------------------------------------------


def test_an_unknown_log_is_not_found(seen: WitnessFile) -> None:
    assert told(seen, Log([b"one"], "elsewhere.example/acme")).status == 404


def test_a_checkpoint_that_its_log_did_not_sign_is_forbidden(seen: WitnessFile) -> None:
    assert told(seen, Log([b"one"], signer=SIGNER)).status == 403
    assert size_of(seen) == 0


def test_a_checkpoint_with_a_wrong_signature_of_its_log_beside_a_right_one_is_forbidden(
    seen: WitnessFile, log: Log
) -> None:
    right = log.checkpoint()
    wrong = Log([b"1"]).checkpoint().signatures
    answer = seen.answer(WITNESS, witness.written(0, [], right.joined(wrong)), AT)
    assert (answer.status, answer.body) == (403, f"A signature by {ORIGIN} is not valid.\n")
    assert size_of(seen) == 0


def test_a_wrong_signature_of_an_unknown_key_is_ignored(seen: WitnessFile, log: Log) -> None:
    stranger = Log([b"1"], signer=SIGNER).checkpoint().signatures
    note = log.checkpoint().joined(stranger)
    assert seen.answer(WITNESS, witness.written(0, [], note), AT).status == 200


def test_an_empty_log_with_the_root_of_another_is_unprocessable(seen: WitnessFile) -> None:
    text = Checkpoint(ORIGIN, 0, b"r" * 32).text
    note = Note(text).signed(ORIGIN, OPERATOR)
    for _ in range(2):
        assert seen.answer(WITNESS, witness.written(0, [], note), AT).status == 422
        told(seen, Log())


def test_the_first_broken_rule_in_the_order_of_the_protocol_decides_the_status(
    seen: WitnessFile, log: Log
) -> None:
    told(seen, log)
    unknown = Log([b"one"], "elsewhere.example/acme", SIGNER)
    unsigned, other = Log([b"one"], signer=SIGNER), Log([b"one", b"two", b"3"])
    noise = [merkle.EMPTY]
    asked = [
        (404, 9, unknown),  # an unknown log, before the old size
        (403, 9, unsigned),  # a wrong signature, before the old size
        (400, 4, other),  # an old size above the new one, before the conflict
        (409, 1, other),  # the conflict, before the proof
        (422, 3, other),  # the root, and the proof
    ]
    for status, old, each in asked:
        body = witness.written(old, noise, each.checkpoint())
        assert seen.answer(WITNESS, body, AT).status == status


def test_another_old_size_than_the_last_is_answered_with_the_last(
    seen: WitnessFile, log: Log
) -> None:
    told(seen, log)
    log.grow(b"four", b"five")
    for old in (0, 1, 4):
        answer = told(seen, log, old=old)
        assert (answer.status, answer.body, answer.media_type) == (409, "3\n", SIZE)
    assert seen.forks() == []


def test_a_smaller_checkpoint_is_answered_with_the_last_size(seen: WitnessFile, log: Log) -> None:
    told(seen, log)
    assert told(seen, log, old=2, size=2).body == "3\n"
    assert told(seen, log, old=3, size=2).status == 400
    assert size_of(seen) == 3


def test_a_growth_that_is_not_proved_is_refused(seen: WitnessFile, log: Log) -> None:
    told(seen, log)
    other = Log([b"one", b"2", b"three", b"four"])
    assert told(seen, other, old=3).status == 422
    short = witness.written(3, [], log.grow(b"four"))
    assert seen.answer(WITNESS, short, AT).status == 422
    assert size_of(seen) == 3


def test_a_proof_from_nothing_is_refused(seen: WitnessFile, log: Log) -> None:
    proof = [merkle.EMPTY]
    assert seen.answer(WITNESS, witness.written(0, proof, log.checkpoint()), AT).status == 422


@pytest.mark.parametrize(("old", "status"), [(0, 409), (2, 409), (3, 422)])
def test_a_fork_is_refused_and_both_checkpoints_are_kept(
    seen: WitnessFile, log: Log, old: int, status: int
) -> None:
    told(seen, log)
    other = Log([b"one", b"two", b"3"])
    for _ in range(2):
        answer = told(seen, other, old=old)
        assert answer.status == status
        assert (answer.body == "3\n") == (answer.media_type == SIZE) == (status == 409)

    (fork,) = seen.forks()
    assert fork.note == other.checkpoint()
    assert fork.note.by(LOG)
    assert fork.seen.by(LOG)
    assert cosigned_at(fork.seen) == AT
    assert fork.at == AT
    assert seen.last(ORIGIN) == fork.seen


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff",
        b"old 0\n",
        b"old 00\n\n%s",
        b"old -1\n\n%s",
        b"old  0\n\n%s",
        b"old 0 \n\n%s",
        b"old 0\r\n\r\n%s",
        b"old 0\n%s",
        b"\nold 0\n\n%s",
        b"new 0\n\n%s",
        b"old 0\nAAAA\n\n%s",
        b"old 0\n" + b"A" * 43 + b"=\n" * 64 + b"\n%s",
        b"old 0\n" + (b"A" * 43 + b"=\n") * 64 + b"\n%s",
        b"old " + b"9" * 5000 + b"\n\n%s",
        b"old 0\n\nno checkpoint\n\n\xe2\x80\x94 name AAAAAAAA\n",
        b"old 0\n\n%s" + b" " * witness.LARGEST,
    ],
)
def test_a_malformed_request_is_refused(seen: WitnessFile, log: Log, body: bytes) -> None:
    filled = body.replace(b"%s", str(log.checkpoint()).encode())
    assert seen.answer(WITNESS, filled, AT).status == 400


# --- laws ----------------------------------------------------------------------------------------

TRUNK = [bytes([each]) for each in range(12)]
LOGS = (Log(TRUNK), Log([*TRUNK[:5], *TRUNK]), Log(TRUNK, "elsewhere.example/acme"))

ASKED = st.builds(
    lambda log, old, size, at, cut: witness.written(old, log.proof(at, size), log.checkpoint(size))[
        : -cut or None
    ],
    log=st.sampled_from(LOGS),
    old=st.integers(0, 13),
    size=st.integers(0, 12),
    at=st.integers(0, 12),
    cut=st.sampled_from([0, 0, 0, 0, 0, 1, 50]),
)
HONEST = st.builds(lambda size: ("honest", size), st.integers(0, 12))


@given(st.lists(st.binary(max_size=100) | ASKED | HONEST, max_size=30))
def test_every_request_gets_an_answer_and_the_cosigned_size_never_shrinks(
    asked: list[bytes | tuple[str, int]],
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        seen = WitnessFile(Path(folder) / "witness.db")
        cosigned: list[Checkpoint] = []
        for each in asked:
            before = size_of(seen)
            if isinstance(each, bytes):
                answer = seen.answer(WITNESS, each, AT)
            else:
                # One who knows where the witness stands gets on with it.
                answer = told(seen, LOGS[0], before, max(each[1], before))
            assert answer.status in STATUSES
            assert size_of(seen) >= before
            if answer.status == HTTPStatus.OK:
                last = seen.last(ORIGIN)
                assert last is not None
                assert last.by(VERIFIER)
                cosigned.append(Checkpoint.read(last.text))
            else:
                assert size_of(seen) == before
        # All that was ever cosigned is of one history.
        assert any(
            all(Checkpoint.read(log.checkpoint(each.size).text) == each for each in cosigned)
            for log in LOGS
        )


@given(st.binary(max_size=200))
def test_any_bytes_get_an_answer(body: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        seen = WitnessFile(Path(folder) / "witness.db")
        for each in (body, b"old 0\n\n" + body):
            assert seen.answer(WITNESS, each, AT).status == 400


def test_of_two_concurrent_requests_one_wins_and_the_other_gets_a_conflict(
    tmp_path: Path, log: Log
) -> None:
    path = tmp_path / "witness.db"
    told(WitnessFile(path), log)
    log.grow(b"four", b"five")

    def ask(size: int) -> HTTPStatus:
        return told(WitnessFile(path), log, old=3, size=size).status

    with ThreadPoolExecutor(8) as threads:
        statuses = list(threads.map(ask, [4, 5] * 8))
    assert statuses.count(HTTPStatus.OK) == 1
    assert statuses.count(HTTPStatus.CONFLICT) == 15


def test_what_was_seen_is_there_when_the_witness_comes_back(tmp_path: Path, log: Log) -> None:
    path = tmp_path / "witness.db"
    told(WitnessFile(path), log)
    assert told(WitnessFile(path), log).body == "3\n"


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    (tmp_path / "other").write_text("no database at all")
    with pytest.raises(sqlite3.DatabaseError):
        WitnessFile(tmp_path / "other")


def test_a_note_of_another_origin_does_not_count_for_this_one(seen: WitnessFile, log: Log) -> None:
    told(seen, log)
    assert seen.last("elsewhere.example/acme") is None
    assert isinstance(seen.last(ORIGIN), Note)
