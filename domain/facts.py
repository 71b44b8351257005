"""Facts that are simply kept: one small mechanism for all that are stated once and bind nothing.

A fact has an identity (some of its fields, and its party where each side states its own). Stated
again it decides nothing; stated otherwise it is refused, because history is not edited.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from domain.kernel import Act, Command, Event, once


@dataclass(frozen=True, slots=True)
class Kind:
    """How facts of one kind are told apart."""

    event: type[Event]
    identity: tuple[str, ...]
    by_party: bool = False

    def key(self, fact: Command | Event, act: Act) -> str:
        """Give the identity of a fact of this kind, as text."""
        parts = [str(getattr(fact, name)) for name in self.identity]
        return "/".join([self.event.wire, *([act.party] if self.by_party else []), *parts])


@dataclass(frozen=True, slots=True)
class Facts:
    """What has been stated so far, by identity."""

    stated: Mapping[str, Event] = field(default_factory=dict)

    def of(self, event: type[Event], party: str | None = None) -> list[Event]:
        """Give the facts of one kind, in the order they were stated; `party` narrows to its own."""
        kind = f"{event.wire}/{party}" if party else event.wire
        return [
            fact for key, fact in self.stated.items() if key == kind or key.startswith(kind + "/")
        ]

    def state(self, kind: Kind, command: Command, act: Act) -> list[Event]:
        """Decide to keep a fact: nothing if it stands already, a refusal if it stands otherwise."""
        fact = kind.event.of(command)
        key = kind.key(fact, act)
        return once(
            fact,
            self.stated.get(key),
            "already-recorded",
            f"{key} was recorded with other content.",
            "History is not edited: state a new fact under an identity of its own.",
        )

    def restate(self, kind: Kind, command: Command, act: Act) -> list[Event]:
        """Decide to keep a fact that may change: nothing if the latest says the same."""
        fact = kind.event.of(command)
        return [] if self.stated.get(kind.key(fact, act)) == fact else [fact]

    def with_fact(self, kind: Kind, event: Event, act: Act) -> "Facts":
        """Give these facts and one more."""
        return Facts({**self.stated, kind.key(event, act): event})
