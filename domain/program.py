"""The operator's own program: what its portfolio of partnerships may come to (C28).

It is no partnership: its subject is one of its own, and only the party that keeps it may change
it. No partner's record carries what the operator sets itself as a limit.
"""

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from domain.exploration import not_the_clock
from domain.kernel import BEFORE_BEGINNING, Act, Command, Event, Refused, Stage, Value
from domain.values import Count, Number, Percent

STREAM = "program"
"""What the name of a program's stream has behind its subject."""


class _Limits(Value):
    fewest_active: Count
    most_active: Count
    """How many active partnerships are manageable: 5 to 10 for a small team (C28)."""
    largest_share: Percent
    """The largest share, in percent, that one partner may have in what all of them bring."""
    capacity: Annotated[Number, Field(ge=0)]
    """How many full-time people there are for partnerships (C12, C28)."""


class DefinePortfolio(_Limits, Command):
    """Set the limits of one's own portfolio (C28). Set anew, they take the former's place."""

    stages = BEFORE_BEGINNING

    def substream(self) -> str:
        """Give the name of its stream below the partnership's."""
        return STREAM


class PortfolioDefined(_Limits, Event):
    """A party set the limits of its portfolio (C28)."""


@dataclass(frozen=True, slots=True)
class Program:
    """A party's program: whose it is, and the limits that it set last."""

    party: str | None = None
    limits: PortfolioDefined | None = None


def decide(command: DefinePortfolio, state: Program, stage: Stage | None, act: Act) -> list[Event]:
    """Decide the limits; `stage` is that of the partnership under this subject, if it is one.

    Raises `Refused`.
    """
    not_the_clock(act.party)
    if stage is not None:
        raise Refused(
            "not-a-program",
            "This subject is a partnership, whose other party sees its record.",
            "Give the program a subject of its own, such as the party's name.",
        )
    if state.party not in {None, act.party}:
        raise Refused(
            "not-your-program",
            f"This is the program of {state.party}.",
            "Keep one's own program under another subject.",
        )
    if command.fewest_active > command.most_active:
        raise Refused(
            "active-range",
            f"The range runs from {command.fewest_active} to {command.most_active}.",
            "Give the smaller number first.",
        )
    event = PortfolioDefined.of(command)
    return [] if state.limits == event else [event]


def evolve(state: Program, event: Event, act: Act) -> Program:
    """Take a fact into the program."""
    return Program(act.party, event) if isinstance(event, PortfolioDefined) else state
