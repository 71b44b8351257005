"""What one transaction writes, and the outcome of each input that it decides."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Final, Literal, assert_never

from domain.kernel import Awaited
from domain.recorded import Recorded
from infra.deciding.intake import Input, Unreadable
from infra.deciding.refusals import RefusalQuota
from infra.deciding.waiting import WaitingInputs
from infra.store.history import CommandResult, InputId, Kept, OpenRefusal, Refusal, Writes

QUARANTINED = "partnership-quarantined"
"""The rule of an input that is not decided, because the events that this needs cannot be folded."""


NOT_KEPT: Final = (
    "This event is not kept for a retry, because too many refused events are kept already. Keep it "
    "until it is corrected."
)
"""The end of the hint of a refused input that is not kept."""


@dataclass(slots=True)
class Outcome:
    """The answer to one input.

    `first` is the index of its first event and `count` the number of its events. One that waits has
    what it waits for.
    """

    status: Literal["accepted", "duplicate", "waiting", "refused"]
    party: str
    source: str
    id: str
    partnership: str = ""
    first: int | None = None
    count: int = 0
    rule: str | None = None
    detail: str | None = None
    hint: str | None = None
    pointer: str | None = None
    waiting_for: Awaited | None = None
    waits_because: str | None = None
    """What would refuse an input that waits, if nothing were to come."""
    settled: list["Outcome"] = field(default_factory=list)
    """The outcomes of inputs that had waited and were decided because of this one."""
    lookalikes: tuple[str, ...] = ()
    """Names of the partnership that are so close to a new one that people can confuse them."""

    @property
    def input(self) -> InputId:
        """The identity of the input."""
        return InputId(self.party, self.source, self.id)

    def refusal(self) -> dict[str, str | None]:
        """Return the refusal: input, rule, reason, place and hint."""
        return {
            "source": self.source,
            "id": self.id,
            "rule": self.rule,
            "detail": self.detail,
            "hint": self.hint,
            "pointer": self.pointer,
        }

    @property
    def retryable(self) -> bool:
        """Whether the same input can be sent again, because it was never decided."""
        return self.rule in {"conflict", QUARANTINED}


def _repeated(before: CommandResult) -> Outcome:
    """Return the outcome of an input that was accepted before."""
    return Outcome(
        "duplicate",
        *before.input,
        before.partnership,
        before.first,
        before.count,
    )


def unsettled(message: Input | Unreadable) -> Outcome:
    """Return the outcome of an input that was not decided: other writers were always first."""
    return Outcome(
        "refused",
        *message.identity,
        rule="conflict",
        detail="Others kept writing to the same partnership at the same time.",
        hint="Send the same again. It was not decided, and nothing was recorded.",
    )


@dataclass(slots=True)
class _Answer:
    """The outcome of one input of the batch, and the place of its first event in the batch."""

    outcome: Outcome
    start: int | None = None


class Batch:
    """The writes of one transaction: events, results, refusals, waiting inputs, and kept data.

    `accepted` are the results that the store has of these inputs. `refused` gives the open refusals
    that it has of them; most batches need none.
    """

    def __init__(
        self,
        accepted: Mapping[InputId, CommandResult],
        waiting: WaitingInputs | None = None,
        quota: RefusalQuota | None = None,
        refused: Callable[[], Mapping[InputId, OpenRefusal]] = dict,
    ) -> None:
        self.events: list[Recorded] = []
        self.kept: list[Kept] = []
        self.waiting = waiting or WaitingInputs()
        self._quota = quota or RefusalQuota()
        self._accepted = dict(accepted)
        self._refused = cache(refused)
        self._results: dict[InputId, CommandResult] = {}
        self._refusals: dict[InputId, Refusal] = {}
        self._starts: dict[InputId, int] = {}
        self._answers: list[_Answer] = []
        # The answers of inputs of this batch that are not final yet.
        self._pending: dict[InputId, list[_Answer]] = {}
        # The answers to inputs that had waited in the store.
        self._settled: list[_Answer] = []

    def writes(self) -> Writes:
        """Return what is written besides events."""
        return Writes(
            list(self._results.values()),
            list(self._refusals.values()),
            self.kept,
            self.waiting.changed,
            self.waiting.settled,
        )

    def result_of(self, message: Input | Unreadable) -> CommandResult | None:
        """Return the result of an input that was accepted, in the store or in this batch."""
        return self._accepted.get(message.identity)

    def refused_by(self, message: Input | Unreadable) -> str | None:
        """Return the rule that refused an input before, None unless its refusal is open."""
        found = self._refusals.get(message.identity) or self._refused().get(message.identity)
        return found.rule if found else None

    def open(self, message: Input | Unreadable) -> None:
        """Begin the answer to the next input of the batch."""
        answer = _Answer(Outcome("waiting", *message.identity, message.subject))
        self._answers.append(answer)
        self._pending.setdefault(message.identity, []).append(answer)

    def repeat(self, before: CommandResult) -> None:
        """Answer an input as it was answered when it was accepted."""
        key = before.input
        self._answer(key, _repeated(before), self._starts.get(key))

    def accept(
        self, message: Input, start: int, count: int, lookalikes: tuple[str, ...] = ()
    ) -> None:
        """Answer that an input was accepted; its events begin at place `start` of the batch."""
        key = message.identity
        name = message.envelope.subject
        result = CommandResult(*key, message.fingerprint, name, None, count)
        self._results[key] = self._accepted[key] = result
        self._starts[key] = start
        self._refusals.pop(key, None)
        self.waiting.remove(key)
        accepted = Outcome("accepted", *key, name, None, count, lookalikes=lookalikes)
        self._answer(key, accepted, start)

    def wait(self, message: Input, awaits: Awaited, because: str) -> None:
        """Answer that an input waits; it is among the waiting inputs."""
        key = message.identity
        self._refusals.pop(key, None)
        for each in self._pending.get(key, ()):
            each.outcome.waiting_for = awaits
            each.outcome.waits_because = because

    def refuse(self, refusal: Refusal) -> None:
        """Answer that an input was refused, and keep the refusal, so that it can be retried.

        It is not kept if its sender has too many. That of an input that had waited always is,
        because its sender still has to learn of it.
        """
        key = refusal.input
        # The sender of an input of this batch gets its refusal as the answer.
        unsent = self.waiting.remove(key) and key not in self._pending
        hint = refusal.hint
        if unsent or self._quota.admits(refusal, self._kept_size(key)):
            self._refusals[key] = replace(refusal, unsent=unsent)
        else:
            hint = f"{hint} {NOT_KEPT}"
        why = refusal.rule, refusal.detail, hint, refusal.pointer
        self._answer(key, Outcome("refused", *key, refusal.subject or "", None, 0, *why), None)

    def _kept_size(self, key: InputId) -> int | None:
        """Return the bytes of the refused input that a refusal replaces, None if it replaces none.

        Its last one is kept: in this batch, or else in the store.
        """
        if found := self._refusals.get(key):
            return len(found.raw)
        stored = self._refused().get(key)
        return stored.size if stored else None

    def _answer(self, key: InputId, outcome: Outcome, start: int | None) -> None:
        pending = self._pending.pop(key, None)
        if pending is None:
            self._settle(_Answer(outcome, start))
            return
        first, *others = pending
        first.outcome, first.start = outcome, start
        for each in others:
            each.outcome, each.start = _again(outcome), start

    def _settle(self, answer: _Answer) -> None:
        self._settled.append(answer)
        if self._answers:
            self._answers[-1].outcome.settled.append(answer.outcome)

    def outcomes(self, placed: list[Recorded]) -> list[Outcome]:
        """Return the outcomes in the order of the inputs; `placed` are the events as appended."""
        for each in (*self._answers, *self._settled):
            if each.outcome.count and each.start is not None:
                each.outcome.first = placed[each.start].index
        return [each.outcome for each in self._answers]


def _again(first: Outcome) -> Outcome:
    """Return the outcome of an input that was sent twice, given that of the first."""
    match first.status:
        case "accepted":
            status: Literal["accepted", "duplicate", "waiting", "refused"] = "duplicate"
        case "duplicate" | "waiting" | "refused":
            status = first.status
        case _:
            assert_never(first.status)
    why = first.rule, first.detail, first.hint, first.pointer
    return Outcome(status, *first.input, first.partnership, first.first, first.count, *why)
