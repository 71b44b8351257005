"""Notes, checkpoints and cosignatures: what C2SP writes down, read and written by this code."""

import json
from base64 import b64encode
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.tlog import keys
from infra.tlog.keys import NoKey, Signer
from infra.tlog.notes import Checkpoint, Kind, Malformed, Note, Verifier, signatures

SIGNER = Signer(b"1" * 32)
OTHER = Signer(b"2" * 32)
ORIGIN = "accord.example/acme"
LOG = Verifier(ORIGIN, Kind.NOTE, SIGNER.public)
WITNESS = Verifier("witness.example/w1", Kind.COSIGNATURE, OTHER.public)
CHECKPOINT = Checkpoint(ORIGIN, 3, b"r" * 32)

IDENTITY = bytes([1]) + bytes(31)
"""The point that takes one signature for every message."""

WYCHEPROOF = (
    Path(__file__).parents[3] / "shared" / "vectors" / "ed25519" / "wycheproof_ed25519_test.json"
)


def test_a_signature_verifies_only_with_the_key_that_made_it() -> None:
    note = Note(CHECKPOINT.text).signed(ORIGIN, SIGNER).cosigned(WITNESS.name, OTHER, 1_700_000_000)
    read = Note.read(str(note))
    assert read == note
    assert Checkpoint.read(read.text) == CHECKPOINT
    assert read.by(LOG)
    cosigned = read.by(WITNESS)
    assert cosigned
    assert cosigned.blob.startswith((1_700_000_000).to_bytes(8))
    for stranger in (
        Verifier(ORIGIN, Kind.NOTE, OTHER.public),
        Verifier("another.example", Kind.NOTE, SIGNER.public),
        Verifier(WITNESS.name, Kind.NOTE, OTHER.public),
        Verifier(ORIGIN, Kind.COSIGNATURE, SIGNER.public),
    ):
        assert read.by(stranger) is None


def test_another_text_or_another_time_is_not_what_was_signed() -> None:
    note = Note(CHECKPOINT.text).signed(ORIGIN, SIGNER).cosigned(WITNESS.name, OTHER, 1_700_000_000)
    more = Note(note.text.replace("\n3\n", "\n4\n"), note.signatures)
    assert more.by(LOG) is None
    assert more.by(WITNESS) is None
    (_, cosignature) = note.signatures
    later = cosignature.blob[:7] + bytes([cosignature.blob[7] ^ 1]) + cosignature.blob[8:]
    moved = type(cosignature)(cosignature.name, cosignature.key_id, later)
    assert Note(note.text, (moved,)).by(WITNESS) is None


def test_a_cosignature_has_a_time_and_without_one_is_not_valid() -> None:
    def at(time: int) -> datetime | None:
        return Note(CHECKPOINT.text).cosigned(WITNESS.name, OTHER, time).time_by(WITNESS)

    assert at(1_700_000_000) == datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)
    assert at(253_402_300_799) == datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
    assert at(0) is at(253_402_300_800) is None
    assert Note(CHECKPOINT.text).signed(ORIGIN, SIGNER).time_by(WITNESS) is None


def test_a_checkpoint_has_three_lines_and_those_of_others_may_have_more() -> None:
    assert CHECKPOINT.text.count("\n") == 3
    assert Checkpoint.read(f"{CHECKPOINT.text}an extension\n") == CHECKPOINT


def test_the_published_verifier_key_and_note_of_the_standard_are_read() -> None:
    # The example of the Go module for notes, which the standard follows.
    verifier = Verifier.read("PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW")
    note = Note.read(
        "If you think cryptography is the answer to your problem,\n"
        "then you don't know what your problem is.\n\n"
        "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngo"
        "tpRZb6KE6RyyBwJnAM=\n"
    )
    assert note.by(verifier)


@pytest.mark.parametrize(
    "raw",
    [
        "",
        "no signature\n",
        "text\n\n— name not-base64\n",
        "text\n\n- name AAAAAAAA\n",
        "text\n\n— na+me AAAAAAAA\n",
        "te\txt\n\n— name AAAAAAAA\n",
        "text\n\n— name AAAAAAAA",
        "text\n\n" + "— name AAAAAAAA\n" * 65,
    ],
)
def test_a_malformed_note_is_refused(raw: str) -> None:
    with pytest.raises(Malformed):
        Note.read(raw)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "origin\n3\n",
        "origin\n03\nAAAA\n",
        f"origin\n-1\n{b64encode(b'r' * 32).decode()}\n",
        f"origin\n{2**53}\n{b64encode(b'r' * 32).decode()}\n",
        f"origin\n{'9' * 5000}\n{b64encode(b'r' * 32).decode()}\n",
        f"\n3\n{b64encode(b'r' * 32).decode()}\n",
        f"origin\n3\n{b64encode(b'r' * 31).decode()}\n",
        f"origin\n3\n{b64encode(b'r' * 32).decode()}\n\n",
    ],
)
def test_a_malformed_checkpoint_is_refused(text: str) -> None:
    with pytest.raises(Malformed):
        Checkpoint.read(text)


@given(st.text(max_size=200))
def test_any_text_is_either_a_note_or_malformed(raw: str) -> None:
    try:
        note = Note.read(raw)
    except Malformed:
        return
    assert str(note) == raw


def test_an_existing_signature_is_not_added_again() -> None:
    note = Note(CHECKPOINT.text).signed(ORIGIN, SIGNER)
    cosigned = note.cosigned(WITNESS.name, OTHER, 1)
    lines = "".join(map(str, cosigned.signatures))
    assert note.joined(signatures(lines)) == cosigned
    assert cosigned.joined(signatures(lines)) == cosigned


# --- keys ----------------------------------------------------------------------------------------


def test_a_weak_key_is_refused_by_name() -> None:
    for weak in (IDENTITY, bytes(32), b"\xec" + b"\xff" * 30 + b"\x7f", b"\xff" * 32):
        assert not keys.admitted(weak)
        with pytest.raises(NoKey, match="weak"):
            keys.read_public(b64encode(weak).decode())
    with pytest.raises(NoKey, match="not an Ed25519 key"):
        keys.read_public("short")
    assert keys.read_public(b64encode(SIGNER.public).decode()) == SIGNER.public


def test_a_verifier_key_is_read_as_it_was_written_and_a_changed_one_is_not() -> None:
    assert Verifier.read(str(WITNESS)) == WITNESS
    for text in (
        "",
        "a+b",
        str(LOG).replace("acme", "acmf"),
        str(Verifier("name", Kind.NOTE, IDENTITY)),
        str(LOG) + "A",
    ):
        with pytest.raises(Malformed):
            Verifier.read(text)


def test_a_key_is_kept_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "key"
    SIGNER.save(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert Signer.load(path).public == SIGNER.public
    with pytest.raises(FileExistsError):
        OTHER.save(path)
    with pytest.raises(NoKey, match="accord keygen"):
        Signer.load(tmp_path / "none")
    for other in (b"secret", b"PK\x03\x04\x9f"):
        (tmp_path / "other").write_bytes(other)
        with pytest.raises(NoKey, match="contains no key"):
            Signer.load(tmp_path / "other")


@pytest.mark.skipif(not WYCHEPROOF.is_file(), reason=f"the published cases are not at {WYCHEPROOF}")
def test_the_published_cases_of_signatures_agree() -> None:
    tried = 0
    for group in json.loads(WYCHEPROOF.read_text())["testGroups"]:
        public = bytes.fromhex(group["publicKey"]["pk"])
        for case in group["tests"]:
            message, signature = bytes.fromhex(case["msg"]), bytes.fromhex(case["sig"])
            found = keys.verified(public, message, signature)
            assert found is (case["result"] == "valid"), case["comment"]
            tried += 1
    assert tried == 151
