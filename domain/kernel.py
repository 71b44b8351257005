"""The base classes of the domain: stages, acts, commands, events and refusals."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, ClassVar, NamedTuple, Self

from pydantic import ConfigDict

from domain.described import Described

CLOCK_PARTY = "accord"
"""The party of events that no partner caused: of the clock, of agreed rules, and of the operator.
"""

OWN_ACTORS = frozenset({"adoption", "clock", "notary", "operator", "rules"})
"""The actors of events that Accord records itself. No person or service of a party is called so."""

ACCOUNT = "account "
"""How the actor begins that is an account of the operator's machine, at the command line."""

CLOCK_SKEW = timedelta(minutes=5)
"""How far the clocks of two systems may be apart."""

FARTHEST = timedelta(days=3653)
"""Ten years: how long after an event it can be recorded, and how long one input of a simulated feed
lets pass. No agreement of the documents runs longer, so a longer time is a mistake in a year. Each
month in between is closed by an event that nobody can take back."""


class Stage(StrEnum):
    """The stages of a partnership's life [002]; a partnership stays in `ENDED` after its exit."""

    EXPLORATION = "exploration"
    FORMATION = "formation"
    ADOPTION = "adoption"
    """A partnership that already runs, as one party proposed it and the other has not confirmed."""
    EXECUTION = "execution"
    SCALING = "scaling"
    RENEWAL = "renewal"
    EXIT = "exit"
    ENDED = "ended"


BEFORE_BEGINNING: frozenset[Stage] = frozenset()
NEGOTIATING = frozenset({Stage.FORMATION})
RUNNING = frozenset({Stage.EXECUTION, Stage.SCALING, Stage.RENEWAL})
IN_FORCE = RUNNING | {Stage.EXIT}
UNTIL_NOTICE = NEGOTIATING | RUNNING
SIGNED_OR_SIGNING = NEGOTIATING | IN_FORCE
ADOPTING = frozenset({Stage.ADOPTION})
NOT_ENDED = frozenset(Stage) - {Stage.ADOPTION, Stage.ENDED}
"""Nothing happens in a partnership before both confirmed that it comes in."""
ALWAYS = frozenset(Stage)
AFTER_KICKOFF = IN_FORCE | {Stage.ENDED}


class Act(NamedTuple):
    """Who did something, when it happened (as they claim) and when the operator recorded it."""

    party: str
    actor: str
    occurred_at: datetime
    recorded_at: datetime
    key: str = ""
    """The identifier of the key that signed the command; empty if none did, and for an event."""
    spellings: frozenset[str] = frozenset()
    """The actors whose names differ from this one's only in how they are written, while a command
    is decided; see `as_read`."""
    asked_at: datetime | None = None
    """The moment of a replay of what had happened by then; None if it has no such limit."""

    @property
    def now(self) -> datetime:
        """The moment by which silence and days are judged when the event is folded.

        It is when the event was recorded; for an event of the clock, when it was due, because the
        clock can record several days at once. In a replay as of a moment it is never later than
        that moment, however late the event was recorded.
        """
        now = self.occurred_at if self.party == CLOCK_PARTY else self.recorded_at
        return now if self.asked_at is None else min(now, self.asked_at)

    def is_by(self, actor: str) -> bool:
        """Whether an actor is the person of this act, however the name was written."""
        return actor == self.actor or actor in self.spellings


class AwaitedKind(StrEnum):
    """What an event can wait for: something that it names and that is not on record yet."""

    REFERRAL = "referral"
    OPPORTUNITY = "opportunity"
    WIN = "win"
    PAYMENT = "payment"
    TOUCH = "touch"
    CANCELLATION = "cancellation"
    LOSS = "loss"
    REOPENING = "reopening"
    REFUND = "refund"
    REVERSAL = "reversal"
    CORRECTION = "correction"
    DISPUTE = "dispute"
    ENTRY = "entry"
    FIGURE = "figure"
    OBSERVATION = "observation"
    PROPOSAL = "proposal"
    RATE = "rate"
    PAYOUT = "payout"
    ACT = "act"


class Awaited(NamedTuple):
    """What an event waits for: its kind, its id, and both in words (`the win of deal D-1`)."""

    kind: AwaitedKind
    id: str
    words: str
    stream: str = ""
    """The stream in which it is recorded, below the partnership's; empty for the stream that
    decides the command."""


class Refused(Exception):
    """A command was refused by a rule.

    `detail` says what is not allowed, then the facts of this case. `hint` says what to do. `facts`
    repeats the values for programs; ``field`` names the field of the command that is wrong.

    `awaits` is set if the only fault is that something which the command names is not on record
    yet. The command then waits for the next events of the stream in which that is recorded.
    """

    def __init__(
        self,
        rule: str,
        detail: str,
        hint: str,
        *,
        awaits: Awaited | None = None,
        **facts: Any,  # noqa: ANN401 - any values
    ) -> None:
        super().__init__(f"{rule}: {detail} {hint}")
        self.rule = rule
        self.detail = detail
        self.hint = hint
        self.awaits = awaits
        self.facts = facts


class NotNow(Refused):
    """A command was refused at this moment, whatever else it says.

    The stage, the turn or a gate does not allow it now, or what it names is missing.
    """


class Unknown(NotNow):
    """A command names something that is missing.

    `named` is what it names, and `known` are the names with which it could be decided.
    """

    def __init__(
        self,
        rule: str,
        detail: str,
        hint: str,
        named: str | int,
        known: Sequence[str | int],
        **facts: Any,  # noqa: ANN401 - as `Refused`
    ) -> None:
        super().__init__(rule, detail, hint, known=list(known), **facts)
        self.named = named
        self.known = known


class AlreadyRecorded(Refused):
    """A command asks to record something that is recorded with other content."""


class Value(Described):
    """An immutable value. Unknown fields are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_enum_values=False)


class Command(Value):
    """What a party asks for. `stages` are the stages in which the command is allowed."""

    stages: ClassVar[frozenset[Stage]] = NOT_ENDED
    by_operator: ClassVar[bool] = False
    """Whether the operator can ask for it, too, as the party `accord`."""
    ends_with_exit: ClassVar[bool] = False
    """Whether it is refused once an exit has taken effect: only what still runs is planned."""

    def substream(self) -> str:
        """Return the stream's name below the partnership; empty for its own stream."""
        return ""


class Event(Value):
    """Something that happened. Its wire name and version never change, because they are stored.

    The registry holds the events that `domain` defines. A stored name is looked up there; it is
    never imported. A class that is renamed keeps its wire name with `wire=`.
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
        """Return the event that `command` asks for: its fields, and `more`."""
        return cls(**command.__dict__, **more)


def once(
    event: Event,
    existing: Event | None,
    rule: str,
    detail: str,
    hint: str,
    **facts: Any,  # noqa: ANN401 - as `Refused`
) -> list[Event]:
    """Decide an event that is recorded once: nothing if it is recorded already.

    Raises `Refused` under `rule` if it is recorded with other content: history is not edited.
    """
    if existing is None:
        return [event]
    if existing == event:
        return []
    raise AlreadyRecorded(rule, detail, hint, existing=existing.model_dump(mode="json"), **facts)


def recorded_once(event: Event, existing: Event | None, what: str) -> list[Event]:
    """Decide an event that is recorded once under its identifier; `what` names it in a refusal."""
    return once(
        event,
        existing,
        "already-recorded",
        f"What is recorded cannot be changed. {what} is already recorded with other content.",
        "Use a new identifier to record something new.",
    )
