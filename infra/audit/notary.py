"""Checkpoints: the size and root of a log, signed by its operator and cosigned by witnesses.

A checkpoint is signed at each statement, at an interval if there are new events, and on request.
Before it is signed, the events since the last one are hashed again, and the last one must still be
a prefix of the log.
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from time import monotonic
from typing import Final

from domain.kernel import Event
from domain.settlement import FinalSettlementIssued, StatementIssued
from domain.viewing import CosignatureRefused, CosignatureResumed
from infra.audit import cosigning
from infra.audit.cosigning import Collected
from infra.audit.log import Altered, Log
from infra.store.history import History, Kept, Writes, partnerships
from infra.store.trees import Trees
from infra.tlog.keys import Signer
from infra.tlog.notes import Checkpoint, Kind, Note, Verifier
from infra.tlog.policy import Policy

log = logging.getLogger(__name__)

INTERVAL: Final = 60
"""Seconds between two rounds over all logs with new events; the bound of an event's time."""

AT_ONCE: Final = (StatementIssued.wire, FinalSettlementIssued.wire)
"""Events that are signed at once, because a statement depends on all events before it."""

REST: Final = 30.0
"""Seconds before an unreachable witness is asked again, so that other logs do not wait."""

REFUSING: Final = "refusing-witness"
"""The kind under which it is kept, in a partnership, that a witness refuses, by its name."""

_LONGEST: Final = 400
"""The most characters of a witness's reason that are recorded."""

MANY: Final = 1000
"""Partnerships read together."""


@dataclass(frozen=True, slots=True)
class Seal:
    """The operator's name, its key, and its clock."""

    operator: str
    signer: Signer
    clock: Callable[[], datetime] | None
    """Returns the time; None in a simulated store, where it is the time of the last event."""

    def origin(self, partnership: str) -> str:
        """Return the name of a partnership's log."""
        return f"{self.operator}/{partnership}"

    def verifier(self, partnership: str) -> Verifier:
        """Return the key by which a partnership's checkpoints are checked."""
        return Verifier(self.origin(partnership), Kind.NOTE, self.signer.public)

    def sign(self, checkpoint: Checkpoint, at: datetime) -> Note:
        """Return a signed checkpoint, with its time (in whole seconds) in a cosignature."""
        note = Note(checkpoint.text).signed(checkpoint.origin, self.signer)
        return note.cosigned(checkpoint.origin, self.signer, int(at.timestamp()))

    def time(self, note: Note) -> datetime | None:
        """Return when the log signed a checkpoint, if it says so."""
        origin = Checkpoint.read(note.text).origin
        return note.time_by(Verifier(origin, Kind.COSIGNATURE, self.signer.public))


ALONE = Policy()
"""Policy without witnesses."""


class Notary:
    """Signs the checkpoints of all partnerships' logs."""

    def __init__(
        self,
        history: History,
        trees: Trees,
        seal: Seal,
        policy: Policy = ALONE,
        record: Callable[[str, Event], None] | None = None,
    ) -> None:
        """Make one that records the refusals of witnesses by `record`, if it is given."""
        self._record = record
        self._history = history
        self._trees = trees
        self.seal = seal
        self._policy = policy
        self._away: dict[str, float] = {}
        """Unreachable witnesses, and until when they are not asked again."""
        # Earlier events are signed by the first round.
        self._read = history.size() - 1
        self._subscribers: list[Callable[[str, Note], None]] = []
        self.answers: dict[str, Collected] = {}
        """What the witnesses of each log answered when they were asked last."""

    def subscribe(self, callback: Callable[[str, Note], None]) -> None:
        """Call `callback` with the partnership and the note of each new checkpoint."""
        self._subscribers.append(callback)

    def policy_of(self, partnership: str) -> str:
        """Return the operator's policy for a partnership's log."""
        return str(self._policy.bundled(self.seal.verifier(partnership)))

    def log(self, partnership: str) -> Log:
        """Return a partnership's log."""
        return Log(self._history, self._trees, partnership)

    def latest(self, partnership: str) -> Note | None:
        """Return the latest checkpoint of a partnership, if one was signed."""
        notes = self._trees.checkpoints(partnership)
        return Note.read(notes[-1]) if notes else None

    def signed(self, known: Mapping[str, int]) -> Iterator[tuple[str, Note]]:
        """Yield the latest checkpoint of each partnership, unless it is of the known size."""
        names = partnerships(self._history)
        while some := list(islice(names, MANY)):
            for name, size in self._trees.sizes(some).items():
                if size != known.get(name) and (latest := self.latest(name)):
                    yield name, latest

    def checkpoint(self, partnership: str) -> Note:
        """Return the checkpoint of all recorded events; sign it if it is not signed yet.

        Raises `Altered`, and `LookupError` if there are no events.
        """
        grown = self.log(partnership)
        tree = grown.grow()
        if not tree.size:
            raise LookupError(f"{partnership} has no events.")
        last = self.latest(partnership)
        existing = Checkpoint.read(last.text) if last else None
        if existing and grown.root(existing.size) != existing.root:
            raise Altered(
                partnership, existing.size - 1, "or an earlier event differs from what was signed"
            )
        if last and existing and existing.size == tree.size:
            # A witness that was unreachable when it was signed may answer now.
            return last if self._policy.met(last) else self._keep(partnership, tree.size, last)
        checkpoint = Checkpoint(
            self.seal.origin(partnership),
            tree.size,
            tree.root(),
        )
        note = self.seal.sign(checkpoint, self._now(partnership, last))
        return self._keep(partnership, tree.size, note)

    def _keep(self, partnership: str, size: int, note: Note) -> Note:
        # It is saved before anybody else sees it, so that no other one of its size is ever signed.
        self._trees.keep(partnership, size, str(note))
        grown = self.log(partnership)
        away = {word for word, until in self._away.items() if until > monotonic()}
        asked = self._policy.without(away)
        found = cosigning.collect(note, asked, lambda old: grown.consistency(old, size))
        self._away |= dict.fromkeys(found.away, monotonic() + REST)
        for word, reason in found.lacking.items():
            log.warning("not cosigned", extra={"witness": word, "error": reason})
        self.answers[partnership] = found
        self._record_refusals(partnership, size, found)
        if (cosigned := found.note) != note:
            self._trees.keep(partnership, size, str(cosigned))
        for callback in self._subscribers:
            callback(partnership, cosigned)
        return cosigned

    def _record_refusals(self, partnership: str, size: int, found: Collected) -> None:
        """Record which witnesses begin to refuse, and which cosign again; each once."""
        if self._record is None or not self._policy.witnesses:
            return
        refusing = self._history.kept(REFUSING, partnership)
        for word in found.refused.keys() - refusing.keys():
            reason = "".join(filter(str.isprintable, found.refused[word]))[:_LONGEST]
            self._record(partnership, CosignatureRefused(witness=word, size=size, reason=reason))
            kept = Kept(REFUSING, partnership, word, reason.encode())
            self._history.append([], Writes(kept=[kept]))
        for word in refusing.keys() & {*self._policy.signed(found.note)}:
            self._record(partnership, CosignatureResumed(witness=word, size=size))
            self._history.forget(REFUSING, partnership, [word])

    def _now(self, partnership: str, last: Note | None) -> datetime:
        head = self._history.heads([partnership])[partnership]
        # The clocks of machines differ, and a checkpoint is never older than its last event.
        now = max(self.seal.clock(), head.recorded_at) if self.seal.clock else head.recorded_at
        return max(now, (last and self.seal.time(last)) or now)

    # --- when to sign ---

    def at_once(self) -> int:
        """Sign the logs in which a statement was issued since the last call; return how many."""
        size = self._history.size()
        found = self._history.naming(AT_ONCE, self._read)
        count = self._sign(dict.fromkeys(found))
        self._read = size - 1
        return count

    def round(self) -> int:
        """Sign all logs with new events; return how many."""
        count = 0
        names = partnerships(self._history)
        while some := list(islice(names, MANY)):
            heads, signed = self._history.heads(some), self._trees.sizes(some)
            news = [name for name in some if heads[name].size != signed.get(name, 0)]
            count += self._sign(news)
        return count

    def _sign(self, names: Iterable[str]) -> int:
        count = 0
        for name in names:
            try:
                self.checkpoint(name)
            except Altered as error:
                # The other logs are intact and are signed.
                log.error("%s", error)  # noqa: TRY400 - it says all, and where it was seen nothing
            else:
                count += 1
        return count
