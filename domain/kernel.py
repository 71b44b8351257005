"""What every aggregate of the domain is made of: acts, commands, events and refusals."""

from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar, NamedTuple, Self

from pydantic import BaseModel, ConfigDict

CLOCK_PARTY = "accord"
"""The party of facts that no partner states: a deadline that passed, a period that closed."""


class Stage(StrEnum):
    """The stages of a partnership's life [002]; `ENDED` is the rest after an exit."""

    EXPLORATION = "exploration"
    FORMATION = "formation"
    EXECUTION = "execution"
    SCALING = "scaling"
    RENEWAL = "renewal"
    EXIT = "exit"
    ENDED = "ended"


BEFORE_BEGINNING: frozenset[Stage] = frozenset()
NEGOTIATING = frozenset({Stage.FORMATION})
RUNNING = frozenset({Stage.EXECUTION, Stage.SCALING, Stage.RENEWAL})
IN_FORCE = RUNNING | {Stage.EXIT}
UNTIL_EXIT = NEGOTIATING | RUNNING
SIGNED_OR_SIGNING = NEGOTIATING | IN_FORCE
NOT_ENDED = frozenset(Stage) - {Stage.ENDED}
ALWAYS = frozenset(Stage)
AFTER_KICKOFF = IN_FORCE | {Stage.ENDED}


class Act(NamedTuple):
    """Who did something, when it happened (their claim) and was recorded (the operator's)."""

    party: str
    actor: str
    occurred_at: datetime
    recorded_at: datetime


class Refused(Exception):
    """A command that the rules do not allow: the rule's name, the facts that broke it, the hint."""

    def __init__(self, rule: str, detail: str, hint: str, **facts: Any) -> None:  # noqa: ANN401
        super().__init__(f"{rule}: {detail} {hint}")
        self.rule = rule
        self.detail = detail
        self.hint = hint
        self.facts = facts


class Value(BaseModel):
    """An immutable value that knows all its fields: one it does not know is refused."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", use_enum_values=False, use_attribute_docstrings=True
    )


class Command(Value):
    """What a party asks for. `stages` names where in its life a partnership can be asked."""

    stages: ClassVar[frozenset[Stage]] = NOT_ENDED

    def substream(self) -> str:
        """Give the name of its stream below the partnership's; none for that one itself."""
        return ""


class Event(Value):
    """A fact. Its wire name and version are promises: stored bytes carry them for ever.

    The registry is closed by what `domain` defines; a stored name is looked up there and is
    never imported. A class that moves or is renamed keeps its name with `wire=`.
    """

    wire: ClassVar[str]
    version: ClassVar[int]
    context_only: ClassVar[bool] = False
    """Whether it changes only the partnership's context (`Declaration`, `BilateralAgreement`)."""
    registry: ClassVar[dict[str, type["Event"]]] = {}

    def __init_subclass__(
        cls, *, wire: str | None = None, version: int = 1, abstract: bool = False
    ) -> None:
        """Enter the class in the registry under its wire name, unless it is only a base."""
        super().__init_subclass__()
        if abstract:
            return
        cls.wire = wire or cls.__name__
        cls.version = version
        if cls.wire in Event.registry:
            msg = f"two events are called {cls.wire}"
            raise TypeError(msg)
        Event.registry[cls.wire] = cls

    @classmethod
    def of(cls, command: Command, **more: object) -> Self:
        """Give the fact that `command` asked for: its fields, and `more`."""
        return cls(**command.__dict__, **more)


def once(event: Event, existing: Event | None, rule: str, detail: str, hint: str) -> list[Event]:
    """Decide a fact that is stated once: nothing if it stands already.

    Raises `Refused` under `rule` if it stands with other content, because history is not edited.
    """
    if existing is None:
        return [event]
    if existing == event:
        return []
    raise Refused(rule, detail, hint, existing=existing.model_dump(mode="json"))


def recorded_once(event: Event, existing: Event | None, what: str) -> list[Event]:
    """Decide a fact that is stated once under its identifier; `what` names it in the refusal."""
    return once(
        event,
        existing,
        "already-recorded",
        f"{what} was recorded with other content.",
        "History is not edited: state a new fact under an identifier of its own.",
    )
