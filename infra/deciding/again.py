"""Signed commands, decided again: each must give the events that the log has of it.

A verifier checks that an event can follow from what its party signed. Here the command is decided
by the rules on the states that the events before it give, so all that the decision adds is checked,
too. The clock and agreed rules sign nothing and are not decided again.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import groupby
from typing import Final, NamedTuple

from domain import aggregates
from domain.aggregates import State
from domain.kernel import Event, Refused
from domain.partnership import Partnership
from domain.recorded import Recorded
from domain.settlement import Ledger
from infra.deciding import intake, pseudonyms
from infra.deciding.intake import Input
from projections import SETTLEMENT
from projections.fold import Folded, fold
from projections.settlement import ledger


class Outcome(StrEnum):
    """What deciding a command again gives."""

    SAME = "same"
    DIFFERS = "differs"
    NOT_DECIDED = "not decided"


@dataclass(frozen=True, slots=True)
class Decided:
    """A signed command, and what deciding it again gives."""

    index: int
    """The index of its first event."""
    command: str
    outcome: Outcome
    why: str | None = None
    """What the rules give instead, or why it was not decided."""


class UnknownPerson(LookupError):
    """A name in a command that is not told."""


class Hidden(NamedTuple):
    """The first withheld events of a bundle: of those not asked for, and of private ones."""

    not_asked: int | None = None
    private: int | None = None


NOTHING_HIDDEN: Final = Hidden()


def decided_again(
    events: Sequence[Recorded],
    commands: Mapping[str, bytes],
    names: Mapping[str, str],
    hidden: Hidden = NOTHING_HIDDEN,
) -> Iterator[Decided]:
    """Yield each signed command of a log, decided again.

    `commands` are the signed commands by digest, and `names` the people's names by commitment. A
    command behind an event that was not asked for is not decided. Of one behind a private event, a
    difference says so; a party's own bundle settles it.
    """
    again = _Again(events, {name: commitment for commitment, name in names.items()})
    for digest, group in groupby(events, lambda each: each.signed):
        found = list(group)
        first = found[0].index
        if digest and hidden.not_asked is not None and hidden.not_asked < first:
            why = "Events before it were not asked for."
            yield Decided(first, found[0].event.wire, Outcome.NOT_DECIDED, why)
        elif digest:
            private = hidden.private is not None and hidden.private < first
            yield again.decide(found, commands.get(digest), private=private)
        again.move(found)


class _Again:
    def __init__(self, events: Sequence[Recorded], commitments: Mapping[str, str]) -> None:
        self._events = events
        self._commitments = commitments
        self._states: dict[str, State] = {}
        self._settled, self._folded, self._seen = Folded(), 0, 0

    def move(self, events: Sequence[Recorded]) -> None:
        """Go behind these events."""
        for each in events:
            self._states[each.stream] = aggregates.evolve(
                self._state(each.stream), each.event, each.act
            )
        self._seen += len(events)

    def decide(self, events: Sequence[Recorded], body: bytes | None, *, private: bool) -> Decided:
        """Decide the command of these events, which come next."""
        first = events[0]
        message = None if body is None else intake.read(body)
        if message is None:
            return Decided(first.index, "erased", Outcome.NOT_DECIDED, "The command was erased.")
        if not isinstance(message, Input):
            return Decided(first.index, "unreadable", Outcome.DIFFERS, message.refused.detail)
        outcome, why = Outcome.DIFFERS, None
        try:
            if message.stream != first.stream:
                raise _elsewhere(message.stream)
            decided = self._decided(message, first)
            if decided == [each.event for each in events]:
                outcome = Outcome.SAME
            else:
                why = f"The rules give {_text(decided)}."
        except UnknownPerson as person:
            outcome, why = Outcome.NOT_DECIDED, f"It names {person}, whose name is not told."
        except Refused as refused:
            why = f"It is refused ({refused.rule}): {refused.detail}"
        if private and outcome is Outcome.DIFFERS:
            why = f"{why} Or it rests on a private event before it."
        return Decided(first.index, type(message.envelope.data).__name__, outcome, why)

    def _decided(self, message: Input, first: Recorded) -> list[Event]:
        name, envelope = first.partnership, message.envelope
        command = pseudonyms.renamed(envelope.data, self._commitment)
        partnership = self._state(name)
        if not isinstance(partnership, Partnership):
            raise TypeError(name)
        cited = aggregates.rests_on(name, envelope.data)
        return aggregates.decide(
            command,
            self._state(first.stream),
            first.act,
            partnership,
            self._ledger,
            self._state(cited) if cited else None,
        )

    def _commitment(self, name: str) -> str:
        if pseudonyms.COMMITMENT.fullmatch(name):
            return name
        if name not in self._commitments:
            raise UnknownPerson(name)
        return self._commitments[name]

    def _state(self, stream: str) -> State:
        return self._states.get(stream) or aggregates.initial(stream)

    def _ledger(self) -> Ledger:
        fold(SETTLEMENT, self._settled, self._events[self._folded : self._seen])
        self._folded = self._seen
        return ledger(self._settled.rows)


def _elsewhere(stream: str) -> Refused:
    return Refused(
        "another-stream",
        f"The command belongs to the stream {stream}.",
        "Ask the operator why the event is in another one.",
    )


def _text(events: Sequence[Event]) -> str:
    texts = (f"{each.wire} {each.model_dump_json(exclude_none=True)}" for each in events)
    return ", ".join(texts) or "no event"
