"""Signed receipts: the operator's promise that an accepted command will be in its checkpoints.

The text has the form of the bundle's format (section 11). It is derived from the store, so the same
bytes can be made again at any time. Its holder can prove that a command was dropped.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Self

from domain import times
from domain.values import instant
from infra.deciding.batch import Outcome
from infra.store.history import CommandResult, History, InputId
from infra.tlog.keys import Signer
from infra.tlog.notes import Malformed, Note, read_proof, written_proof

DEADLINE = timedelta(hours=24)
"""The time after recording by which an event must be in a checkpoint. One checkpoint a day is
possible even by hand."""

_TITLE = "accord/receipt@v1"
_GAP = 64
"""The largest gap between two receipts that are still read together."""


@dataclass(frozen=True, slots=True)
class Promise:
    """The content of a receipt: the command, the log, the indexes of its events, the deadline."""

    origin: str
    command: bytes
    """The fingerprint of the CloudEvent: the SHA-256 of its canonical form (see `intake`)."""
    first: int
    leaves: tuple[bytes, ...]
    deadline: datetime

    @property
    def text(self) -> str:
        """The text that is signed."""
        lines = [
            _TITLE,
            self.origin,
            f"command {self.command.hex()}",
            f"events {self.first} {len(self.leaves)}",
            *(f"leaf {each}" for each in written_proof(self.leaves)),
            f"deadline {instant(self.deadline)}",
        ]
        return "".join(f"{line}\n" for line in lines)

    @classmethod
    def read(cls, text: str) -> Self:
        """Read the text of a receipt. Raises `Malformed` for any other text."""
        try:
            title, origin, command, events, *leaves, deadline = text.removesuffix("\n").split("\n")
            found = cls(
                origin,
                bytes.fromhex(command.removeprefix("command ")),
                int(events.split(" ")[1]),
                tuple(read_proof(each.removeprefix("leaf ") for each in leaves)),
                times.moment(deadline.removeprefix("deadline ")),
            )
        except (ValueError, IndexError) as error:
            raise Malformed(f"This is not a receipt: {error}.") from None
        # A receipt has one form; any other text is refused.
        if title != _TITLE or found.text != text or len(found.command) != sha256().digest_size:
            raise Malformed("This is not a receipt: the text is not in canonical form.")
        return found


@dataclass(frozen=True, slots=True)
class SignedReceipts:
    """Signs the receipts of one store."""

    history: History
    operator: str
    signer: Signer

    def of(self, outcomes: Sequence[Outcome]) -> dict[InputId, Note]:
        """Return the receipts of the accepted commands.

        A command without events has none, because nothing could be dropped.
        """
        return self.again([each.input for each in outcomes if each.count])

    def rows(self, outcomes: Sequence[Outcome]) -> list[dict[str, str]]:
        """Return the same as JSON objects."""
        return [
            {"source": each.source, "id": each.source_id, "receipt": str(note)}
            for each, note in self.of(outcomes).items()
        ]

    def again(self, inputs: Sequence[InputId]) -> dict[InputId, Note]:
        """Return the receipts of commands that were accepted at some time."""
        found = self.history.results(inputs) if inputs else {}
        given = [each for each in found.values() if each.count]
        return {each.input: note for run in _runs(given) for each, note in self._signed(run)}

    def _signed(self, run: list[CommandResult]) -> Iterator[tuple[CommandResult, Note]]:
        partnership, start = run[0].partnership, _first(run[0])
        stop = max(map(_end, run))
        leaves = list(self.history.leaves(partnership, start, stop))
        events = list(self.history.of(partnership, start, stop))
        origin = f"{self.operator}/{partnership}"
        for each in run:
            at = _first(each) - start
            promise = Promise(
                origin,
                each.fingerprint,
                _first(each),
                tuple(leaves[at : at + each.count]),
                events[at].act.recorded_at + DEADLINE,
            )
            yield each, Note(promise.text).signed(origin, self.signer)


def _runs(receipts: list[CommandResult]) -> Iterator[list[CommandResult]]:
    """Group receipts whose events are close together in one log, so that each part is read once."""
    run: list[CommandResult] = []
    for each in sorted(receipts, key=lambda each: (each.partnership, _first(each))):
        near = run and run[-1].partnership == each.partnership
        if run and not (near and _first(each) - _end(run[-1]) <= _GAP):
            yield run
            run = []
        run.append(each)
    if run:
        yield run


def _first(receipt: CommandResult) -> int:
    return receipt.first or 0


def _end(receipt: CommandResult) -> int:
    return _first(receipt) + receipt.count
