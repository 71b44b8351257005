"""Cosignatures for a checkpoint from the witnesses of a policy (C2SP `tlog-witness`)."""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus

from infra.audit import witness
from infra.audit.http_client import NotReached, post
from infra.tlog import notes
from infra.tlog.notes import Checkpoint, Malformed, Note, Signature
from infra.tlog.policy import Policy, PolicyWitness

PATIENCE = 5.0
"""Seconds to wait for each answer of a witness."""

_ATTEMPTS = 3
"""How often a witness is asked: from size 0, from the size that it answers, and again if another
process moved it on."""

_MOST_AT_ONCE = 16

_FORKED = (HTTPStatus.UNPROCESSABLE_ENTITY, HTTPStatus.CONFLICT)
"""Answers to another root at the cosigned size: C2SP says 422, an earlier draft said 409."""

Proof = Callable[[int], list[bytes]]
"""Returns the proof that the checkpoint extends a log of this size."""


class _Unsigned(Exception):
    """A witness did not cosign; the message says why."""


@dataclass(frozen=True, slots=True)
class Collected:
    """A note with the received cosignatures, and the reason for each missing one, by witness."""

    note: Note
    lacking: Mapping[str, str]
    away: frozenset[str] = frozenset()
    """The missing witnesses that could not be reached."""

    @property
    def refused(self) -> dict[str, str]:
        """The reason of each witness that answered and did not cosign."""
        return {word: why for word, why in self.lacking.items() if word not in self.away}


def collect(note: Note, policy: Policy, proof_from: Proof, timeout: float = PATIENCE) -> Collected:
    """Ask all witnesses that have an address and no valid cosignature yet, at the same time.

    `proof_from` is called from several threads. A witness that does not answer, or answers
    nonsense, is listed as missing; it raises nothing.
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


def _ask(
    asked: PolicyWitness, note: Note, proof_from: Proof, timeout: float
) -> Signature | Exception:
    """Return a witness's cosignature, or why there is none."""
    try:
        return _cosignature(asked, note, proof_from, timeout)
    except (_Unsigned, NotReached) as error:
        return error


def _cosignature(asked: PolicyWitness, note: Note, proof_from: Proof, timeout: float) -> Signature:
    size, old, proof = Checkpoint.read(note.text).size, 0, list[bytes]()
    url = f"{asked.url}".rstrip("/") + "/add-checkpoint"
    for _ in range(_ATTEMPTS):
        status, answer = post(url, witness.written(old, proof, note), "text/plain", timeout)
        body = answer.decode(errors="replace")
        if status == HTTPStatus.OK:
            return _right(asked, note, body)
        if old == size and status in _FORKED:
            raise _Unsigned(f"It cosigned another root for {size} events: this log was forked.")
        if old and status == HTTPStatus.UNPROCESSABLE_ENTITY:
            raise _Unsigned(
                f"It cosigned {old} events with which this log does not begin: this log was "
                f"forked. It answered {status}: {body.strip()[:200]}"
            )
        if status != HTTPStatus.CONFLICT:
            raise _Unsigned(f"It answered {status}: {body.strip()[:200]}")
        cosigned = _size(body)
        if cosigned > size:
            raise _Unsigned(
                f"It cosigned {cosigned} events of this log, but this checkpoint has only {size}."
            )
        old, proof = cosigned, proof_from(cosigned) if cosigned else []
    raise _Unsigned("It kept refusing proofs from the size that it asked for.")


def _right(asked: PolicyWitness, note: Note, lines: str) -> Signature:
    """Return the witness's own cosignature from its answer, which may have others too."""
    try:
        found = Note(note.text, tuple(notes.signatures(lines))).by(asked.verifier)
    except Malformed as error:
        raise _Unsigned(f"Its answer has no signature line: {error}") from None
    if found is None:
        raise _Unsigned(f"Its answer has no valid cosignature by {asked.verifier.name}.")
    return found


def _size(body: str) -> int:
    try:
        return notes.read_size(body.removesuffix("\n"))
    except Malformed as error:
        raise _Unsigned(f"It answered 409 Conflict without a size: {error}") from None
