"""Cosignatures for a checkpoint, from the witnesses of a policy (C2SP `tlog-witness`, as a log)."""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus

from infra.audit import witness
from infra.audit.asking import NotReached, post
from infra.tlog import notes
from infra.tlog.notes import Checkpoint, Malformed, Note, Signature
from infra.tlog.policy import Policy, Witness

PATIENCE = 5.0
"""Seconds to wait for each answer of a witness."""

_ATTEMPTS = 3
"""How often one is asked: from nothing, from the size that it tells, and once more if another
process of ours moved it on meanwhile."""

_MOST_AT_ONCE = 16

Proof = Callable[[int], list[bytes]]
"""Gives the proof that the log grew from a size to the checkpoint's."""


class _Unsigned(Exception):
    """A witness did not cosign: why."""


@dataclass(frozen=True, slots=True)
class Collected:
    """A note with the cosignatures that came, and why those of others did not, by their words."""

    note: Note
    lacking: Mapping[str, str]
    away: frozenset[str] = frozenset()
    """Those among the lacking that could not be reached at all."""


def collect(note: Note, policy: Policy, proof_from: Proof, timeout: float = PATIENCE) -> Collected:
    """Ask each witness with an address, all at once, whose right cosignature is not there yet.

    `proof_from` is called from several threads. A witness that is down, or says what nobody
    understands, is told among those that are lacking, and raises nothing.
    """
    signed = policy.signed(note)
    asked = [each for each in policy.witnesses if each.url and each.word not in signed]
    ask = partial(_ask, note=note, proof_from=proof_from, timeout=timeout)
    with ThreadPoolExecutor(_MOST_AT_ONCE) as threads:
        answers = dict(zip(asked, threads.map(ask, asked), strict=True))
    return Collected(
        note.joined(each for each in answers.values() if isinstance(each, Signature)),
        {each.word: str(why) for each, why in answers.items() if isinstance(why, Exception)},
        frozenset(each.word for each, why in answers.items() if isinstance(why, NotReached)),
    )


def _ask(asked: Witness, note: Note, proof_from: Proof, timeout: float) -> Signature | Exception:
    """Give a witness's cosignature, or why it gave none."""
    try:
        return _cosignature(asked, note, proof_from, timeout)
    except (_Unsigned, NotReached) as error:
        return error


def _cosignature(asked: Witness, note: Note, proof_from: Proof, timeout: float) -> Signature:
    size, old, proof = Checkpoint.read(note.text).size, 0, list[bytes]()
    url = f"{asked.url}".rstrip("/") + "/add-checkpoint"
    for _ in range(_ATTEMPTS):
        status, answer = post(url, witness.written(old, proof, note), "text/plain", timeout)
        body = answer.decode(errors="replace")
        if status == HTTPStatus.OK:
            return _right(asked, note, body)
        if status != HTTPStatus.CONFLICT:
            raise _Unsigned(f"It answered {status}: {body.strip()[:200]}")
        told = _size(body)
        if told > size:
            raise _Unsigned(f"It has seen {told} events of this log, and this says {size}.")
        if told == old == size:
            raise _Unsigned(f"It has seen another root of {told} events: this log was forked.")
        old, proof = told, proof_from(told) if told else []
    raise _Unsigned("It refused each size that it had named itself, the last one too.")


def _right(asked: Witness, note: Note, lines: str) -> Signature:
    """Give the witness's own cosignature among the lines of its answer, which may hold others."""
    try:
        found = Note(note.text, tuple(notes.signatures(lines))).by(asked.verifier)
    except Malformed as error:
        raise _Unsigned(f"It answered with no signature line: {error}") from None
    if found is None:
        raise _Unsigned(f"It answered without a right cosignature of {asked.verifier.name}.")
    return found


def _size(body: str) -> int:
    try:
        return notes.read_size(body.removesuffix("\n"))
    except Malformed as error:
        raise _Unsigned(f"It answered with a conflict and no size: {error}") from None
