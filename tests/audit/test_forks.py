"""Two accounts of one log: the same, one grown from the other, or proof of two histories."""

from collections.abc import Callable
from pathlib import Path
from zipfile import ZipFile

import orjson
import pytest

from infra.evidence import forks
from infra.evidence.forks import Account, NoAccount, compare
from infra.tlog.keys import Signer
from infra.tlog.merkle import Tree, leaf_hash
from infra.tlog.notes import Checkpoint, Kind, Malformed, Note, Verifier

SIGNER = Signer(b"1" * 32)
ORIGIN = "accord.example/acme"
OPERATOR = Verifier(ORIGIN, Kind.NOTE, SIGNER.public)
WHOLE = "abcdefghij"


def note_of(entries: str, signer: Signer = SIGNER) -> str:
    tree = Tree()
    for each in entries:
        tree.add(leaf_hash(each.encode()))
    checkpoint = Checkpoint(ORIGIN, tree.size, tree.root())
    return str(Note(checkpoint.text).signed(ORIGIN, signer))


def bundle(path: Path, entries: str, note: str | None = None) -> Account:
    events = "".join(f"{each}\n" for each in entries)
    line = orjson.dumps({"consistency": [], "note": note or note_of(entries)})
    with ZipFile(path, "w") as archive:
        archive.writestr("data/events.jsonl", events)
        archive.writestr("data/checkpoints.jsonl", line + b"\n")
    return Account.read(path)


def checkpoint(path: Path, entries: str, signer: Signer = SIGNER) -> Account:
    path.write_text(note_of(entries, signer))
    return Account.read(path)


def test_accounts_of_the_same_events_are_the_same(tmp_path: Path) -> None:
    one, other = bundle(tmp_path / "1", WHOLE), checkpoint(tmp_path / "2", WHOLE)
    assert compare(one, other, OPERATOR).verdict == "same"


def test_one_that_grew_from_the_other_is_no_fork(tmp_path: Path) -> None:
    large = bundle(tmp_path / "1", WHOLE)
    for small in (bundle(tmp_path / "2", "abc"), checkpoint(tmp_path / "3", "abcdef")):
        assert compare(small, large, OPERATOR).verdict == "grown"
        assert compare(large, small, OPERATOR).verdict == "grown"


def test_of_two_checkpoints_alone_nobody_can_tell(tmp_path: Path) -> None:
    one, other = checkpoint(tmp_path / "1", WHOLE), checkpoint(tmp_path / "2", "abc")
    assert compare(one, other, OPERATOR).verdict == "unknown"


@pytest.mark.parametrize(
    ("left", "right", "index"),
    [
        ("bundle", "bundle", 4),
        ("bundle", "checkpoint", None),
        ("checkpoint", "bundle", None),
    ],
)
@pytest.mark.parametrize("told", ["abcdXfghij", "abcdXfg", "abcdX"])
def test_a_fork_is_proved_and_the_proof_can_be_checked_alone(
    tmp_path: Path, left: str, right: str, index: int | None, told: str
) -> None:
    makers: dict[str, Callable[[Path, str], Account]]
    makers = {"bundle": bundle, "checkpoint": checkpoint}
    one = makers[left](tmp_path / "1", WHOLE)
    other = makers[right](tmp_path / "2", told)
    found = compare(one, other, OPERATOR)
    if found.verdict == "unknown":
        assert one.leaves is None
        assert len(told) < len(WHOLE)
        return
    assert (found.verdict, found.index) == ("fork", index)
    raw = orjson.dumps(found.proof)
    assert forks.check(raw, OPERATOR).verdict == "fork"
    stranger = Verifier(ORIGIN, Kind.NOTE, Signer(b"2" * 32).public)
    with pytest.raises(NoAccount, match="does not prove"):
        forks.check(raw, stranger)


def test_what_proves_no_fork_is_not_taken_for_one(tmp_path: Path) -> None:
    found = compare(bundle(tmp_path / "1", WHOLE), bundle(tmp_path / "2", "abcdX"), OPERATOR)
    assert found.proof
    one, other = found.proof["accounts"]
    for accounts in ([one, one], [other, other], [one | {"leaf": other["leaf"]}, other], [one], []):
        with pytest.raises(NoAccount):
            forks.check(orjson.dumps(found.proof | {"accounts": accounts}), OPERATOR)
    for raw in (b"", b"{}", b"[]", b'{"index":0,"accounts":[{},{}]}'):
        with pytest.raises(NoAccount, match="not a proof of a fork"):
            forks.check(raw, OPERATOR)


def test_another_signer_s_checkpoint_proves_nothing_about_the_operator(tmp_path: Path) -> None:
    one = bundle(tmp_path / "1", WHOLE)
    other = checkpoint(tmp_path / "2", "abcdX", Signer(b"2" * 32))
    with pytest.raises(NoAccount, match="not signed by"):
        compare(one, other, OPERATOR)


def test_a_bundle_with_other_events_than_were_signed_is_no_account(tmp_path: Path) -> None:
    with pytest.raises(NoAccount, match="do not match its checkpoint"):
        bundle(tmp_path / "1", WHOLE, note_of("abX"))
    for raw in (b"", b"PK\x03\x04", b"text"):
        (tmp_path / "2").write_bytes(raw)
        with pytest.raises(NoAccount):
            Account.read(tmp_path / "2")


def test_the_key_of_a_witness_is_not_that_of_the_log() -> None:
    assert forks.key_of(str(OPERATOR)) == OPERATOR
    with pytest.raises(Malformed, match="the log's own key"):
        forks.key_of(str(Verifier("w", Kind.COSIGNATURE, SIGNER.public)))
