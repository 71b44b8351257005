"""Forks: a proof that an operator signed two different histories of one log.

An account is a bundle or a single checkpoint. The proof is complete in itself: two checkpoints
that the operator signed and, if their sizes differ, the leaf at the first index at which they
differ, with its proof of inclusion in each.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal
from zipfile import BadZipFile, ZipFile, is_zipfile

import orjson

from infra.answers.question import Item
from infra.tlog import codec, merkle
from infra.tlog.merkle import Tree
from infra.tlog.notes import (
    Checkpoint,
    Kind,
    Malformed,
    Note,
    Verifier,
    read_proof,
    written_proof,
)

FORMAT: Final = "accord-fork/1"

_EVENTS, _NOTES = "data/events.jsonl", "data/checkpoints.jsonl"
_LARGEST = 2**30
"""The most bytes of one of these files."""


class NoAccount(ValueError):
    """A file that is neither a bundle nor a checkpoint of this log."""


@dataclass(frozen=True, slots=True)
class Account:
    """One account of a log: a checkpoint, and the leaf hashes if they are known."""

    note: Note
    checkpoint: Checkpoint
    leaves: tuple[bytes, ...] | None = None

    @classmethod
    def read(cls, path: Path) -> "Account":
        """Read a bundle or a note. Raises `NoAccount`, `OSError`."""
        try:
            return cls._of_bundle(path) if is_zipfile(path) else cls._of_note(path.read_text())
        except (Malformed, BadZipFile, KeyError, IndexError, ValueError, EOFError) as error:
            raise NoAccount(f"{path} is neither a bundle nor a checkpoint: {error}") from error

    @classmethod
    def _of_note(cls, text: str) -> "Account":
        note = Note.read(text)
        return cls(note, Checkpoint.read(note.text))

    @classmethod
    def _of_bundle(cls, path: Path) -> "Account":
        with ZipFile(path) as archive:
            if any(archive.getinfo(name).file_size > _LARGEST for name in (_EVENTS, _NOTES)):
                raise NoAccount(f"{path} is too large when unpacked.")
            events, notes = archive.read(_EVENTS), archive.read(_NOTES)
        leaves = tuple(map(_leaf, events.splitlines()))
        last = cls._of_note(orjson.loads(notes.splitlines()[-1])["note"])
        leaves = leaves[: last.checkpoint.size]
        if len(leaves) != last.checkpoint.size or Tree.over(leaves).root() != last.checkpoint.root:
            raise NoAccount(f"{path} has events that do not match its checkpoint.")
        return cls(last.note, last.checkpoint, leaves)


def _leaf(line: bytes) -> bytes:
    """Return the leaf hash of a line: of the event, or as it is given of a withheld one."""
    if line.startswith(b'{"why":'):
        return bytes.fromhex(orjson.loads(line)["withheld"])
    return merkle.leaf_hash(line)


Verdict = Literal["same", "grown", "fork", "unknown"]


class Compared(Item):
    """The result of comparing two accounts of one log."""

    verdict: Verdict
    text: str
    """The verdict as a sentence."""
    index: int | None = None
    """The index of the first event that differs."""
    proof: dict[str, Any] | None = None
    """The proof that the operator signed both, if they contradict each other."""


def compare(one: Account, other: Account, operator: Verifier) -> Compared:
    """Compare two accounts of one log. Raises `NoAccount` if `operator` did not sign one."""
    for each in (one, other):
        if each.note.by(operator) is None:
            raise NoAccount(
                f"The checkpoint of {each.checkpoint.size} events is not signed by "
                f"{operator.name}; it shows nothing. Ask for the log's key (accord audit log-key)."
            )
    small, large = sorted((one, other), key=lambda each: each.checkpoint.size)
    if small.checkpoint.size == large.checkpoint.size:
        return _of_one_size(small, large)
    if large.leaves is None:
        text = (
            "One is larger, and without its bundle nobody can tell whether it grew from the other."
        )
        return Compared(verdict="unknown", text=text)
    size = small.checkpoint.size
    if Tree.over(large.leaves[:size]).root() == small.checkpoint.root:
        text = f"The one of {large.checkpoint.size} events has grown from the one of {size}."
        return Compared(verdict="grown", text=text)
    return _fork(small, large)


def _of_one_size(one: Account, other: Account) -> Compared:
    if one.checkpoint.root == other.checkpoint.root:
        text = f"Both are of the same {one.checkpoint.size} events."
        return Compared(verdict="same", text=text)
    return _fork(one, other)


def _fork(one: Account, other: Account) -> Compared:
    index = None
    if one.leaves is not None and other.leaves is not None:
        index = _first(one.leaves, other.leaves)
    return _proved(index, _proof(one, other, index))


def _proved(index: int | None, proof: dict[str, Any]) -> Compared:
    where = "" if index is None else f" They part at index {index}."
    text = f"The operator signed two histories of one log.{where}"
    return Compared(verdict="fork", text=text, index=index, proof=proof)


def _first(one: tuple[bytes, ...], other: tuple[bytes, ...]) -> int:
    pairs = zip(one, other, strict=False)
    return next(index for index, (left, right) in enumerate(pairs) if left != right)


def _proof(one: Account, other: Account, index: int | None) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "origin": one.checkpoint.origin,
        "index": index,
        "accounts": [_side(each, one, index) for each in (one, other)],
    }


def _side(account: Account, small: Account, index: int | None) -> dict[str, Any]:
    side: dict[str, Any] = {"note": str(account.note)}
    if account.leaves is None:
        return side
    leaves = account.leaves
    if index is not None:
        parts = merkle.inclusion_parts(index, len(leaves))
        path = merkle.proof(parts, lambda node: _node(leaves, node))
        return side | {"leaf": leaves[index].hex(), "inclusion": written_proof(path)}
    # The root of the larger one at the smaller size, and the proof that it grew from that.
    size = small.checkpoint.size
    if size == len(leaves):
        return side
    path = merkle.proof(
        merkle.consistency_parts(size, len(leaves)), lambda node: _node(leaves, node)
    )
    return side | {
        "root": Tree.over(leaves[:size]).root().hex(),
        "consistency": written_proof(path),
    }


def _node(leaves: tuple[bytes, ...], node: merkle.Node) -> bytes:
    level, number = node
    return Tree.over(leaves[number << level : (number + 1) << level]).root()


def check(raw: bytes, operator: Verifier) -> Compared:
    """Check a proof that `compare` made. Raises `NoAccount` if it proves nothing."""
    try:
        proof = codec.parse(raw)
        index, sides = proof["index"], proof["accounts"]
        one, other = (Account._of_note(each["note"]) for each in sides)  # noqa: SLF001 - same file
        shown = _shows(sides, one.checkpoint, other.checkpoint, index)
    except (Malformed, KeyError, ValueError, TypeError) as error:
        raise NoAccount(f"This is not a proof of a fork: {error}") from error
    signed = all(each.note.by(operator) for each in (one, other))
    if not (signed and shown and one.checkpoint.origin == other.checkpoint.origin == operator.name):
        raise NoAccount(f"This does not prove that {operator.name} signed two histories.")
    return _proved(index, proof)


def _shows(sides: list[dict[str, Any]], one: Checkpoint, other: Checkpoint, index: Any) -> bool:  # noqa: ANN401 - whatever stands there
    if index is not None:
        leaves = [bytes.fromhex(each["leaf"]) for each in sides]
        return leaves[0] != leaves[1] and all(
            merkle.included(index, at.size, leaf, read_proof(side["inclusion"]), at.root)
            for side, at, leaf in zip(sides, (one, other), leaves, strict=True)
        )
    if one.size == other.size:
        return one.root != other.root
    then = bytes.fromhex(sides[1]["root"])
    path = read_proof(sides[1]["consistency"])
    return then != one.root and merkle.consistent(one.size, other.size, then, other.root, path)


def key_of(text: str) -> Verifier:
    """Read the key of a log. Raises `Malformed`."""
    found = Verifier.read(text)
    if found.kind is not Kind.NOTE:
        raise Malformed(f"{text!r} is the key of a witness. Give the log's own key.")
    return found
