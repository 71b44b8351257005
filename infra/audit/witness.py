"""A witness: it cosigns checkpoints of the logs that it knows, as long as each only grows.

It implements C2SP `tlog-witness`. A party can run one with its own key. `Witness.answer` is a
function of the request and of the last note that it cosigned. `WitnessFile` stores that note,
with every checkpoint that contradicts it.
"""

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from hashlib import sha256
from http import HTTPStatus
from pathlib import Path
from typing import Self

from infra.tlog import merkle, notes
from infra.tlog.keys import Signer
from infra.tlog.notes import Checkpoint, Malformed, Note, Verifier, read_proof, read_size

LONGEST_PROOF = 63
"""The most hashes of a proof (C2SP `tlog-witness`)."""

LARGEST = notes.LARGEST + 4096
"""The most bytes of a request: a note, a size, and 63 lines of 45 bytes."""

_OLD = "old "
_LOCKED = 10.0
"""Seconds to wait for another process that writes to the file."""


def written(old: int, proof: Iterable[bytes], note: Note) -> bytes:
    """Return a request to cosign a checkpoint, with the proof that it extends size `old`."""
    return "\n".join([f"{_OLD}{old}", *notes.written_proof(proof), "", str(note)]).encode()


@dataclass(frozen=True, slots=True)
class Request:
    """A checkpoint to cosign, and the proof that its log grew into it from the `old` size."""

    old: int
    proof: tuple[bytes, ...]
    note: Note
    checkpoint: Checkpoint

    @classmethod
    def read(cls, body: bytes) -> Self:
        """Read a request. Raises `Malformed`."""
        if len(body) > LARGEST:
            raise Malformed(f"The request has more than {LARGEST} bytes.")
        try:
            head, _, raw = body.decode().partition("\n\n")
        except UnicodeDecodeError:
            raise Malformed("The request is not UTF-8.") from None
        first, *lines = head.split("\n")
        if not first.startswith(_OLD) or len(lines) > LONGEST_PROOF:
            raise Malformed(
                f"The request must begin with 'old', a size, and up to {LONGEST_PROOF} hashes."
            )
        note = Note.read(raw)
        old, proof = read_size(first.removeprefix(_OLD)), read_proof(lines)
        return cls(old, tuple(proof), note, Checkpoint.read(note.text))


@dataclass(frozen=True, slots=True)
class CosignAnswer:
    """The answer, and what is saved before it is sent: the cosigned note, or a fork."""

    status: HTTPStatus
    body: str
    cosigned: Note | None = None
    fork: Note | None = None

    @property
    def media_type(self) -> str:
        """The media type of the body."""
        is_size = self.status == HTTPStatus.CONFLICT
        return "text/x.tlog.size" if is_size else "text/plain; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Known:
    """The logs that a witness knows: single verifier keys, and operators with all their logs.

    Each partnership has its own log, ``<operator>/<partnership>``, with the same public key.
    """

    logs: tuple[Verifier, ...] = ()
    operators: tuple[Verifier, ...] = ()

    def verifiers(self, origin: str) -> list[Verifier]:
        """Return the keys that may sign for an origin; none if it is not known."""
        operator, _, partnership = origin.rpartition("/")
        theirs = [
            Verifier(origin, each.kind, each.public)
            for each in self.operators
            if each.name == operator and partnership
        ]
        return [*(each for each in self.logs if each.name == origin), *theirs]


@dataclass(frozen=True, slots=True)
class Witness:
    """A cosigner: its name, its key and the logs that it knows."""

    name: str
    signer: Signer
    known: Known

    def answer(self, request: Request, seen: Note | None, at: int) -> CosignAnswer:
        """Answer a request at a POSIX time, given the note last cosigned for its origin.

        The checks, their order and the statuses are those of C2SP `tlog-witness`.
        """
        verifiers = self.known.verifiers(request.checkpoint.origin)
        # Signatures by others are not checked, so they are left out.
        signed = [found for each in verifiers if (found := request.note.by(each))]
        note = Note(request.note.text, tuple(signed))
        last = Checkpoint.read(seen.text) if seen else Checkpoint("", 0, merkle.EMPTY)
        if refused := _not_signed(request, verifiers, note) or _not_grown(request, last):
            forks = signed and last.size == request.checkpoint.size and _differ(request, last)
            return replace(refused, fork=note if forks else None)
        cosigned = note.cosigned(self.name, self.signer, at)
        return CosignAnswer(HTTPStatus.OK, str(cosigned.signatures[-1]), cosigned)


def _not_signed(request: Request, verifiers: list[Verifier], note: Note) -> CosignAnswer | None:
    """Return the refusal of a checkpoint that no trusted key signed, or one of them wrongly."""
    origin = request.checkpoint.origin
    if not verifiers:
        return CosignAnswer(HTTPStatus.NOT_FOUND, f"The log {origin} is not known here.\n")
    if not note.signatures:
        return CosignAnswer(HTTPStatus.FORBIDDEN, f"No key known of {origin} signed it.\n")
    claimed = [each for each in request.note.signatures if any(map(each.of, verifiers))]
    if any(each not in note.signatures for each in claimed):
        return CosignAnswer(HTTPStatus.FORBIDDEN, f"A signature by {origin} is not valid.\n")
    return None


def _not_grown(request: Request, last: Checkpoint) -> CosignAnswer | None:
    """Return the refusal of a checkpoint that does not extend the last cosigned one."""
    old, new = request.old, request.checkpoint
    if old > new.size:
        return CosignAnswer(HTTPStatus.BAD_REQUEST, "The old size is greater than the new one.\n")
    if old != last.size:
        return CosignAnswer(HTTPStatus.CONFLICT, f"{last.size}\n")
    if not new.size and new.root != merkle.EMPTY:
        return _unprocessable("The root of an empty log is the hash of nothing.\n")
    if old == new.size and _differ(request, last):
        return _unprocessable(f"Another root was cosigned for {old} events: the log forked.\n")
    if not _proved(request, last):
        return _unprocessable("The proof does not lead to this root.\n")
    return None


def _unprocessable(why: str) -> CosignAnswer:
    return CosignAnswer(HTTPStatus.UNPROCESSABLE_ENTITY, why)


def _differ(request: Request, last: Checkpoint) -> bool:
    return request.checkpoint.root != last.root


def _proved(request: Request, last: Checkpoint) -> bool:
    # An empty log needs no proof.
    if not last.size:
        return not request.proof
    new = request.checkpoint
    return merkle.consistent(last.size, new.size, last.root, new.root, request.proof)


# --- the file of a witness -----------------------------------------------------------------------

_TABLES = (
    """CREATE TABLE IF NOT EXISTS seen (
        origin_hash TEXT PRIMARY KEY, note TEXT NOT NULL) WITHOUT ROWID""",
    """CREATE TABLE IF NOT EXISTS forks (
        origin TEXT, text TEXT, note TEXT NOT NULL, seen TEXT NOT NULL, at INTEGER NOT NULL,
        PRIMARY KEY (origin, text)) WITHOUT ROWID""",
)


@dataclass(frozen=True, slots=True)
class Fork:
    """Two checkpoints of one log that contradict each other, both signed by its operator.

    `seen` was cosigned first. `note` arrived later; `at` is the POSIX time of its first arrival.
    """

    origin: str
    note: Note
    seen: Note
    at: int


class WitnessFile:
    """The file of a witness: the last note that it cosigned of each log, and forks.

    Threads and processes can share it. Raises `sqlite3.Error` if it is another kind of file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        with self._writing() as c:
            for table in _TABLES:
                c.execute(table)

    def answer(self, witness: Witness, body: bytes, at: int) -> CosignAnswer:
        """Answer a request; the result is in the file before the answer is returned."""
        try:
            request = Request.read(body)
        except Malformed as error:
            return CosignAnswer(HTTPStatus.BAD_REQUEST, f"{error}\n")
        origin = request.checkpoint.origin
        # The lock is taken before the old size is compared, so that no other process moves it.
        with self._writing() as c:
            seen = _last(c, _hash(origin))
            answer = witness.answer(request, seen, at)
            if answer.cosigned:
                c.execute(
                    "INSERT OR REPLACE INTO seen VALUES (?, ?)",
                    (_hash(origin), str(answer.cosigned)),
                )
            if answer.fork and seen:
                c.execute(
                    "INSERT OR IGNORE INTO forks VALUES (?, ?, ?, ?, ?)",
                    (origin, answer.fork.text, str(answer.fork), str(seen), at),
                )
        return answer

    def last(self, origin: str) -> Note | None:
        """Return the last note of a log that was cosigned."""
        return self.last_by_hash(_hash(origin))

    def last_by_hash(self, origin_hash: str) -> Note | None:
        """Return the last cosigned note of the log whose origin has this SHA-256 (in hex)."""
        with self._writing() as c:
            return _last(c, origin_hash)

    def forks(self) -> list[Fork]:
        """Return all forks, by origin and time."""
        with self._writing() as c:
            found = c.execute("SELECT origin, note, seen, at FROM forks ORDER BY origin, at")
            return [
                Fork(origin, Note.read(note), Note.read(seen), at)
                for origin, note, seen, at in found
            ]

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(self._path, timeout=_LOCKED, isolation_level=None)) as c, c:
            c.execute("BEGIN IMMEDIATE")
            yield c


def _hash(origin: str) -> str:
    return sha256(origin.encode()).hexdigest()


def _last(c: sqlite3.Connection, origin_hash: str) -> Note | None:
    found = c.execute("SELECT note FROM seen WHERE origin_hash = ?", (origin_hash,)).fetchone()
    return Note.read(found[0]) if found else None
