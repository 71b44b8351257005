"""What one transaction writes, and the outcome of each input that it decides."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import orjson

from domain.kernel import Refused
from domain.recorded import Recorded
from infra.deciding.intake import Input, Unreadable
from infra.store.records import CommandResult, Kept, Key, Refusal

QUARANTINED = "partnership-quarantined"
"""The rule of an input that is not decided, because the events that this needs cannot be folded."""


@dataclass(slots=True)
class Outcome:
    """The answer to one input. The store keeps it as a `CommandResult`.

    `first` is the index of its first event and `count` the number of its events.
    """

    status: Literal["accepted", "duplicate", "refused"]
    source: str
    id: str
    partnership: str = ""
    first: int | None = None
    count: int = 0
    rule: str | None = None
    detail: str | None = None
    hint: str | None = None
    pointer: str | None = None

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


def repeated(before: CommandResult) -> Outcome:
    """Return the outcome of an input that was decided before."""
    status: Literal["duplicate", "refused"] = "refused" if before.refused else "duplicate"
    outcome = Outcome(
        status, before.source, before.source_id, before.partnership, before.first, before.count
    )
    if before.refused:
        for name, text in orjson.loads(before.refused).items():
            setattr(outcome, name, text)
    return outcome


def unsettled(message: Input | Unreadable) -> Outcome:
    """Return the outcome of an input that lost every race and was not decided."""
    source, source_id = message.identity
    return Outcome(
        "refused",
        source,
        source_id,
        rule="conflict",
        detail="Others kept writing to the same partnership at the same time.",
        hint="Send the same again. It was not decided, and nothing was recorded.",
    )


_NO_EVENT = -1


class Batch:
    """The writes of one transaction: events, results, refusals, and data kept outside the log.

    `earlier` are the results that the store has of these inputs.
    """

    def __init__(self, earlier: Mapping[Key, CommandResult]) -> None:
        self.events: list[Recorded] = []
        self.results: list[CommandResult] = []
        self.refusals: list[Refusal] = []
        self.kept: list[Kept] = []
        self._results = dict(earlier)
        # The place among `events` of the first event of each input of this batch.
        self._starts: dict[Key, int] = {}
        self._outcomes: list[tuple[Outcome, int]] = []

    @property
    def empty(self) -> bool:
        """Whether there is nothing to write."""
        return not (self.events or self.results or self.refusals)

    def result_of(self, message: Input | Unreadable) -> CommandResult | None:
        """Return the result that an input of this identity has, in the store or in this batch."""
        return self._results.get(message.identity)

    def repeat(self, before: CommandResult) -> None:
        """Answer an input as it was answered before."""
        start = self._starts.get((before.source, before.source_id), _NO_EVENT)
        self._outcomes.append((repeated(before), start))

    def accept(self, message: Input, start: int, count: int) -> None:
        """Answer that an input was accepted; its events begin at place `start` of the batch."""
        source, source_id = message.identity
        name = message.envelope.subject
        outcome = Outcome("accepted", source, source_id, name, None, count)
        result = CommandResult(source, source_id, message.fingerprint, None, name, None, count)
        self._answer(outcome, result, start)

    def refuse(
        self,
        message: Input | Unreadable,
        refused: Refused,
        received_at: datetime,
        *,
        keep: bool,
        decided: bool,
    ) -> None:
        """Answer that an input was refused.

        `keep` stores the refusal, so that the input can be corrected and retried. `decided` is
        false where another input of this identity was accepted: its result stays.
        """
        refusal = _refusal(message, refused, received_at)
        outcome = Outcome(
            "refused",
            refusal.source,
            refusal.source_id,
            message.subject,
            rule=refusal.rule,
            detail=refusal.detail,
            hint=refusal.hint,
            pointer=refusal.pointer,
        )
        if keep:
            self.refusals.append(refusal)
        if not decided:
            self._outcomes.append((outcome, _NO_EVENT))
            return
        result = CommandResult(*message.identity, message.attempt, refusal.words, message.subject)
        self._answer(outcome, result, _NO_EVENT)

    def _answer(self, outcome: Outcome, result: CommandResult, start: int) -> None:
        key = result.source, result.source_id
        self.results.append(result)
        self._results[key] = result
        self._starts[key] = start
        self._outcomes.append((outcome, start))

    def outcomes(self, placed: list[Recorded]) -> list[Outcome]:
        """Return the outcomes in the order of the inputs; `placed` are the events as appended."""
        for outcome, start in self._outcomes:
            if outcome.count and start != _NO_EVENT:
                outcome.first = placed[start].index
        return [outcome for outcome, _ in self._outcomes]


def _refusal(message: Input | Unreadable, refused: Refused, received_at: datetime) -> Refusal:
    source, source_id = message.identity
    # The domain names a field of its command, which is the event's data.
    field = refused.facts.get("field")
    return Refusal(
        source,
        source_id,
        message.subject,
        message.type,
        refused.rule,
        refused.detail,
        refused.hint,
        f"/data/{field}" if field else refused.facts.get("pointer"),
        received_at,
        message.raw,
    )
