"""Facts that are simply kept: one small mechanism for all that are stated and bind nothing else.

A fact has an identity (some of its fields, and its party where each side states its own). Stated
again it decides nothing; stated otherwise it is refused, because history is not edited, unless
its kind may be restated. The command that asks for a fact is made from it: the same fields, and
the stages in which it has its place.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeVar

from pydantic import create_model

from domain.kernel import NOT_ENDED, Act, Command, Event, Refused, Stage, recorded_once

F = TypeVar("F", bound="Declaration")


class DeclarationCommand(Command):
    """What asks for a fact to be kept."""

    fact: ClassVar[type["Declaration"]]


class Declaration(Event, abstract=True):
    """A fact that is simply kept, and the command of the same fields that asks for it.

    `command` is the command's name, `identity` the fields that tell one fact of its kind from
    another, `by_party` whether each side states its own. One that is `restated` may change. One
    that `follows` another needs a fact of that kind under the same identity first.
    """

    context_only = True
    asks: ClassVar[Any]
    """The command's class. What takes its fields is made, so no checker knows them."""
    identity: ClassVar[tuple[str, ...]]
    by_party: ClassVar[bool]
    restated: ClassVar[bool]
    follows: ClassVar[type["Declaration"] | None]

    def __init_subclass__(cls, *, wire: str | None = None, version: int = 1, **_: object) -> None:
        """Enter the fact in the registry; what else it is made with is for its command."""
        super().__init_subclass__(wire=wire, version=version)

    @classmethod
    def __pydantic_init_subclass__(  # type: ignore[override] # noqa: PLR0913 - told by name
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
        said = (cls.__doc__ or "").strip()
        cls.asks = create_model(
            command,
            __base__=DeclarationCommand,
            __module__=cls.__module__,
            __doc__=f"Record: {said[:1].lower()}{said[1:]}",
            __cls_kwargs__={"use_attribute_docstrings": False},
            **fields,
        )
        cls.asks.stages = stages
        cls.asks.fact = cls

    def key(self, act: Act, kind: type["Declaration"] | None = None) -> str:
        """Give the fact's identity, as text; or that of a fact of another `kind` that it names."""
        kind = kind or type(self)
        parts = [str(getattr(self, name)) for name in kind.identity]
        return "/".join([kind.wire, *([act.party] if kind.by_party else []), *parts])

    def check(self, parties: tuple[str, ...]) -> None:
        """Raise `Refused` where what the fact says cannot be."""

    def rest_on(self, facts: "Declarations") -> None:
        """Raise `Refused` where what it rests on was not stated before."""


@dataclass(frozen=True, slots=True)
class Declarations:
    """What has been stated so far, by identity; the latest where it was restated."""

    stated: Mapping[str, Declaration] = field(default_factory=dict)

    def of(self, kind: type[F], party: str | None = None) -> list[F]:
        """Give the facts of one kind, in the order they were stated; `party` narrows to its own."""
        named = f"{kind.wire}/{party}" if party else kind.wire
        return [
            fact
            for key, fact in self.stated.items()
            if isinstance(fact, kind) and (key == named or key.startswith(named + "/"))
        ]

    def decide(
        self, command: DeclarationCommand, parties: tuple[str, ...], act: Act
    ) -> list[Event]:
        """Decide to keep a fact: nothing if it stands already. Raises `Refused`."""
        fact = command.fact.of(command)
        fact.check(parties)
        fact.rest_on(self)
        known = self.stated.get(key := fact.key(act))
        if fact.restated:
            return [] if known == fact else [fact]
        if known is None and fact.follows:
            self._follow(fact, fact.follows, act)
        return recorded_once(fact, known, key)

    def _follow(self, fact: Declaration, first: type[Declaration], act: Act) -> None:
        if (key := fact.key(act, first)) not in self.stated:
            raise Refused(
                "nothing-planned",
                f"There is no {key} that this could follow.",
                f"Record its beginning first ({first.asks.__name__}), under this identifier.",
                known=sorted(each for each in self.stated if each.startswith(f"{first.wire}/")),
            )

    def with_declaration(self, fact: Declaration, act: Act) -> "Declarations":
        """Give these facts and one more."""
        return Declarations({**self.stated, fact.key(act): fact})
