"""Declarations: events that one party records and that have no other effect.

This is the one mechanism for all of them. A declaration has an identity: some of its fields, and
its party where each party makes its own. Recorded again it decides nothing. Recorded with other
content it is refused, unless its kind may be restated, or unless it is `Changeable` and its author
gives the reason. What was stated last counts, in any order of arrival: nothing replaces what was
stated after it. Its command is made from its fields.
"""

from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Annotated, Any, ClassVar, Final, TypeVar

from pydantic import create_model

from domain.bilateral import BilateralAgreements
from domain.facts import already_recorded, check_stated_last
from domain.kernel import NOT_ENDED, Act, Command, Event, NotNow, Stage, Value
from domain.values import Text

F = TypeVar("F", bound="Declaration")


class DeclarationCommand(Command):
    """A command that records a declaration."""

    declaration: ClassVar[type["Declaration"]]


CHANGE_REASON: Final = "change_reason"
"""The field that only a change of what is on record has."""


class Changeable(Value):
    """The fields of a declaration that can be corrected, or changed, with the reason."""

    change_reason: Text | None = None
    """Why it replaces what was recorded under this identifier; null the first time."""


class Declaration(Event, abstract=True):
    """An event that one party records. Its command is made from its fields.

    A subclass is declared with these keywords:

    - `command`: the name of the command.
    - `stages`: the stages in which the command is allowed.
    - `identity`: the fields that tell one declaration of the kind from another.
    - `by_party`: whether each party makes its own.
    - `joint`: whether either party may change it, although the other recorded it (`Changeable`).
    - `restated`: whether it may be recorded again with other content; the latest counts.
    - `filled`: the fields that the command may leave out (see `fill`).
    - `corrected_by`: what to do where it is recorded with other content; a hint.
    - `covers`: the field of the period that it is about. That has begun when it is stated.
    """

    context_only = True
    asks: ClassVar[Any]
    """The command. Type checkers do not know the fields of a class that is made."""
    identity: ClassVar[tuple[str, ...]]
    by_party: ClassVar[bool]
    restated: ClassVar[bool]
    joint: ClassVar[bool]
    filled: ClassVar[tuple[str, ...]]
    corrected_by: ClassVar[str]
    covers: ClassVar[str]

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
        joint: bool = False,
        filled: tuple[str, ...] = (),
        corrected_by: str = "",
        covers: str = "",
        **_: object,
    ) -> None:
        """Make the command, once the fields are known."""
        cls.identity, cls.by_party = identity, by_party
        cls.restated, cls.joint = restated, joint
        cls.filled, cls.covers = filled, covers
        cls.corrected_by = corrected_by or (
            "Give the reason for the change (change_reason), or use a new identifier."
            if Changeable in cls.__mro__
            else "Use a new identifier to record something new."
        )
        fields: dict[str, Any] = {
            name: (info.annotation, info) for name, info in cls.model_fields.items()
        }
        for name in filled:
            info = copy(cls.model_fields[name])
            given: Any = info.annotation
            if info.metadata:
                given = Annotated[given, *info.metadata]
            info.default, info.metadata = None, []
            fields[name] = (given | None, info)
        doc = (cls.__doc__ or "").strip()
        cls.asks = create_model(
            command,
            __base__=DeclarationCommand,
            __module__=cls.__module__,
            __doc__=f"Record: {doc[:1].lower()}{doc[1:]}",
            **fields,
        )
        cls.asks.stages = stages
        cls.asks.declaration = cls
        cls.asks.described_by = cls

    def key(self, act: Act) -> str:
        """Return the identity as text."""
        return "/".join([self.wire, *([act.party] if self.by_party else []), *self.names()])

    def names(self) -> list[str]:
        """Return the identity, without the party."""
        return [str(getattr(self, each)) for each in self.identity]

    @classmethod
    def fill(cls, command: Any, today: date) -> Mapping[str, object]:  # noqa: ANN401, ARG003 - made
        """Return the `filled` fields that a command left out."""
        return {}

    def check(self, parties: tuple[str, ...]) -> None:
        """Raise `Refused` if the content is not allowed."""

    def check_new(self, today: date) -> None:
        """Raise `Refused` if it cannot be recorded on this day."""

    def check_change(
        self, known: "Declaration | None", stated: "Declarations", act: Act, today: date
    ) -> None:
        """Raise `Refused` if it cannot be recorded by this party, or cannot replace `known`.

        `today` is the day of the recording in the agreement's time zone.
        """

    def check_again(self, known: "Declarations", agreements: BilateralAgreements, act: Act) -> None:
        """Raise `Refused` if it cannot be recorded again, although nothing would change.

        What it stated may have ended since, or may bind the other party, which recorded it.
        """

    def takes_over(self, known: "Declaration") -> bool:  # noqa: ARG002 - for subclasses
        """Whether the party that states it in place of `known` is its author from then on."""
        return False

    def check_preceding(self, known: "Declarations") -> None:
        """Raise `Refused` if a declaration that it needs is missing."""

    def check_agreed(self, agreements: BilateralAgreements, act: Act) -> None:
        """Raise `Refused` if an agreement that it needs is missing, or does not allow it."""


@dataclass(frozen=True, slots=True)
class Declarations:
    """The declarations so far, by identity; the latest where one was restated or changed."""

    stated: Mapping[str, Declaration] = field(default_factory=dict)
    authors: Mapping[str, str] = field(default_factory=dict)
    """The party that recorded each of them first or took it over since, by the same keys."""
    first: Mapping[str, str] = field(default_factory=dict)
    """The party that recorded each of them first, by the same keys."""
    times: Mapping[str, datetime] = field(default_factory=dict)
    """When the latest of each was stated, by the same keys."""

    def of(self, kind: type[F], party: str | None = None) -> list[F]:
        """Return the declarations of one kind in order; with `party`, only those of that party."""
        named = f"{kind.wire}/{party}" if party else kind.wire
        return [
            fact
            for key, fact in self.stated.items()
            if isinstance(fact, kind) and (key == named or key.startswith(named + "/"))
        ]

    def decide(
        self,
        command: DeclarationCommand,
        parties: tuple[str, ...],
        agreements: BilateralAgreements,
        act: Act,
        today: date,
    ) -> list[Event]:
        """Decide a declaration: nothing if it is recorded already. Raises `Refused`.

        `today` is the day of the recording in the agreement's time zone.
        """
        fact, filled = self._fact(command, today)
        known = self.stated.get(key := fact.key(act))
        changes = isinstance(fact, Changeable) and fact.change_reason is not None
        if changes and known is not None:
            # What a change leaves out stays.
            fact = fact.model_copy(update={each: getattr(known, each) for each in filled})
        fact.check(parties)
        fact.check_preceding(self)
        if fact.restated:
            return [] if known == fact else self._replacing(fact, key, act)
        if changes:
            fact.check_agreed(agreements, act)
            return self._change(fact, known, key, act, today)
        if known is None:
            fact.check_new(today)
            fact.check_change(None, self, act, today)
            fact.check_agreed(agreements, act)
            return [fact]
        # What was filled when it was first recorded stays.
        if fact == known.model_copy(update={name: getattr(fact, name) for name in filled}):
            fact.check_again(self, agreements, act)
            return []
        is_changeable = CHANGE_REASON in type(fact).model_fields
        missing = {"field": CHANGE_REASON} if is_changeable else {}
        raise already_recorded(known, key, fact.corrected_by, **missing)

    def _change(
        self, fact: Declaration, known: Declaration | None, key: str, act: Act, today: date
    ) -> list[Event]:
        """Return what corrects or changes a declaration."""
        if known is None:
            raise nothing_to_change(key)
        author = self.authors.get(key)
        if not fact.joint and author != act.party:
            raise not_the_author(key, author)
        fact.check_change(known, self, act, today)
        return [] if fact == known else self._replacing(fact, key, act)

    def _replacing(self, fact: Declaration, key: str, act: Act) -> list[Event]:
        """Return what replaces a declaration, unless that was stated after it."""
        check_stated_last(key, self.times.get(key), act)
        return [fact]

    def author(self, kind: type[Declaration], name: str) -> str | None:
        """Return the author of a declaration of a kind (`authors`); None if there is none."""
        return self._by(self.authors, kind, name)

    def first_author(self, kind: type[Declaration], name: str) -> str | None:
        """Return who recorded a declaration of a kind first; None if there is none."""
        return self._by(self.first, kind, name)

    def _by(self, parties: Mapping[str, str], kind: type[Declaration], name: str) -> str | None:
        return next(
            (
                parties.get(key)
                for key, fact in self.stated.items()
                if isinstance(fact, kind) and "/".join(fact.names()) == name
            ),
            None,
        )

    @staticmethod
    def _fact(command: DeclarationCommand, today: date) -> tuple[Declaration, list[str]]:
        """Return the declaration that a command asks for, and the fields that it left out."""
        kind = command.declaration
        left_out = [name for name in kind.filled if getattr(command, name) is None]
        given = {name: value for name, value in command if name not in left_out}
        return kind(**given, **(kind.fill(command, today) if left_out else {})), left_out

    def with_declaration(self, fact: Declaration, act: Act) -> "Declarations":
        """Return these declarations and one more."""
        key = fact.key(act)
        known = self.stated.get(key)
        is_author = known is None or fact.takes_over(known)
        authors = {**self.authors, key: act.party} if is_author else self.authors
        times = {**self.times, key: act.occurred_at}
        first = self.first if known else {**self.first, key: act.party}
        return Declarations({**self.stated, key: fact}, authors, first, times)

    def without(self, kind: type[Declaration], name: str) -> "Declarations":
        """Return these declarations without those of one kind that have this identity."""
        left = {
            key: fact
            for key, fact in self.stated.items()
            if not (isinstance(fact, kind) and "/".join(fact.names()) == name)
        }
        if len(left) == len(self.stated):
            return self
        authors, first = (
            {key: each for key, each in parties.items() if key in left}
            for parties in (self.authors, self.first)
        )
        times = {key: each for key, each in self.times.items() if key in left}
        return Declarations(left, authors, first, times)


def nothing_to_change(what: str) -> NotNow:
    """Return the refusal of a correction of what is not on record."""
    return NotNow(
        "nothing-to-change",
        f"Only what is on record can be changed. There is no {what}.",
        "Record it first, without a reason for a change.",
        field=CHANGE_REASON,
    )


def not_the_author(what: str, author: str | None) -> NotNow:
    """Return the refusal of a correction by another party than the one that recorded it."""
    return NotNow(
        "not-the-author",
        f"Only the party that recorded it can change it. {author} recorded {what}.",
        "Ask that party to change it.",
        party=author,
    )
