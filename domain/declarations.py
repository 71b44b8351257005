"""Declarations: events that one party records and that have no other effect.

This is the one mechanism for all of them. A declaration has an identity: some of its fields, and
its party where each party makes its own. Recorded again it decides nothing; recorded with other
content it is refused, unless its kind may be restated. Its command is made from its fields.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeVar

from pydantic import create_model

from domain.kernel import NOT_ENDED, Act, Command, Event, Stage, Unknown, recorded_once

F = TypeVar("F", bound="Declaration")


class DeclarationCommand(Command):
    """A command that records a declaration."""

    declaration: ClassVar[type["Declaration"]]


class Declaration(Event, abstract=True):
    """An event that one party records. Its command is made from its fields.

    A subclass is declared with these keywords:

    - `command`: the name of the command.
    - `stages`: the stages in which the command is allowed.
    - `identity`: the fields that tell one declaration of the kind from another.
    - `by_party`: whether each party makes its own.
    - `restated`: whether it may be recorded again with other content; the latest counts.
    - `follows`: another kind, of which there must be a declaration with the same identity.
    """

    context_only = True
    asks: ClassVar[Any]
    """The command. Type checkers do not know the fields of a class that is made."""
    identity: ClassVar[tuple[str, ...]]
    by_party: ClassVar[bool]
    restated: ClassVar[bool]
    follows: ClassVar[type["Declaration"] | None]

    def __init_subclass__(cls, *, wire: str | None = None, version: int = 1, **_: object) -> None:
        """Enter the event in the registry; the other keywords are for its command."""
        super().__init_subclass__(wire=wire, version=version)

    @classmethod
    def __pydantic_init_subclass__(  # type: ignore[override] # noqa: PLR0913 - keywords, see above
        cls,
        *,
        command: str,
        stages: frozenset[Stage] = NOT_ENDED,
        identity: tuple[str, ...] = (),
        by_party: bool = False,
        restated: bool = False,
        follows: type["Declaration"] | None = None,
        **_: object,
    ) -> None:
        """Make the command, once the fields are known."""
        cls.identity, cls.by_party = identity, by_party
        cls.restated, cls.follows = restated, follows
        fields: dict[str, Any] = {
            name: (info.annotation, info) for name, info in cls.model_fields.items()
        }
        doc = (cls.__doc__ or "").strip()
        cls.asks = create_model(
            command,
            __base__=DeclarationCommand,
            __module__=cls.__module__,
            __doc__=f"Record: {doc[:1].lower()}{doc[1:]}",
            __cls_kwargs__={"use_attribute_docstrings": False},
            **fields,
        )
        cls.asks.stages = stages
        cls.asks.declaration = cls

    def key(self, act: Act, kind: type["Declaration"] | None = None) -> str:
        """Return the identity as text, or that of a declaration of another `kind` that it names."""
        kind = kind or type(self)
        parts = [str(getattr(self, name)) for name in kind.identity]
        return "/".join([kind.wire, *([act.party] if kind.by_party else []), *parts])

    def check(self, parties: tuple[str, ...]) -> None:
        """Raise `Refused` if the content is not allowed."""

    def check_preceding(self, known: "Declarations") -> None:
        """Raise `Refused` if a declaration that it needs is missing."""


@dataclass(frozen=True, slots=True)
class Declarations:
    """The declarations so far, by identity; the latest where one was restated."""

    stated: Mapping[str, Declaration] = field(default_factory=dict)

    def of(self, kind: type[F], party: str | None = None) -> list[F]:
        """Return the declarations of one kind in order; with `party`, only those of that party."""
        named = f"{kind.wire}/{party}" if party else kind.wire
        return [
            fact
            for key, fact in self.stated.items()
            if isinstance(fact, kind) and (key == named or key.startswith(named + "/"))
        ]

    def decide(
        self, command: DeclarationCommand, parties: tuple[str, ...], act: Act
    ) -> list[Event]:
        """Decide a declaration: nothing if it is recorded already. Raises `Refused`."""
        fact = command.declaration.of(command)
        fact.check(parties)
        fact.check_preceding(self)
        known = self.stated.get(key := fact.key(act))
        if fact.restated:
            return [] if known == fact else [fact]
        if known is None and fact.follows:
            self._follow(fact, fact.follows, act)
        return recorded_once(fact, known, key)

    def _follow(self, fact: Declaration, first: type[Declaration], act: Act) -> None:
        if (key := fact.key(act, first)) not in self.stated:
            raise Unknown(
                "nothing-planned",
                f"There is nothing that this could follow: no {key} is recorded.",
                f"Record that first, under the same identifier ({first.asks.__name__}).",
                named="/".join(getattr(fact, each) for each in first.identity),
                known=[
                    "/".join(getattr(one, each) for each in first.identity)
                    for one in self.of(first, act.party if first.by_party else None)
                ],
            )

    def with_declaration(self, fact: Declaration, act: Act) -> "Declarations":
        """Return these declarations and one more."""
        return Declarations({**self.stated, fact.key(act): fact})
