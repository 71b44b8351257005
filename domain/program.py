"""A party's program: the limits that it sets for its portfolio of partnerships (C28).

A program has its own subject and is not a partnership. Only its party can change it, and no
partner's record contains it.
"""

from dataclasses import dataclass

from domain.exploration import not_the_clock
from domain.kernel import BEFORE_BEGINNING, Act, Command, Event, NotNow, Refused, Stage, Value
from domain.values import Count, Percent, Quantity

STREAM = "program"
"""The name of a program's stream, after its subject."""


class _Limits(Value):
    fewest_active: Count
    """The smallest number of active partnerships; 5 for a small team (C28)."""
    most_active: Count
    """The largest number of active partnerships; 10 for a small team (C28)."""
    largest_share: Percent
    """The largest share, in percent, that one partner may have of what all partners bring."""
    capacity: Quantity
    """The number of full-time people available for partnerships (C12, C28)."""


class DefinePortfolio(_Limits, Command):
    """Set the limits of the party's own portfolio (C28). They replace the previous limits."""

    stages = BEFORE_BEGINNING

    def substream(self) -> str:
        """Return the name of its stream below the partnership's."""
        return STREAM


class PortfolioDefined(_Limits, Event):
    """A party set the limits of its portfolio (C28)."""


@dataclass(frozen=True, slots=True)
class Program:
    """A program: its party, and the limits that the party set last."""

    party: str | None = None
    limits: PortfolioDefined | None = None


def decide(command: DefinePortfolio, state: Program, stage: Stage | None, act: Act) -> list[Event]:
    """Decide the limits. `stage` is that of a partnership under the same subject, None if none is.

    Raises `Refused`.
    """
    not_the_clock(act.party)
    if stage is not None:
        raise NotNow(
            "not-a-program",
            "A program cannot be stored under a partnership. This subject is a partnership, and "
            "its other party sees the record.",
            "Use another subject for the program, such as the party's name.",
        )
    if state.party not in {None, act.party}:
        raise Refused(
            "not-your-program",
            f"Only its own party can change a program. This program belongs to {state.party}.",
            "Use another subject for the program of another party.",
        )
    if command.fewest_active > command.most_active:
        raise Refused(
            "active-range",
            "The smallest number cannot exceed the largest. The range is "
            f"{command.fewest_active} to {command.most_active}.",
            "Give the smaller number as fewest_active.",
        )
    event = PortfolioDefined.of(command)
    return [] if state.limits == event else [event]


def evolve(state: Program, event: Event, act: Act) -> Program:
    """Fold an event into the program."""
    return Program(act.party, event) if isinstance(event, PortfolioDefined) else state
