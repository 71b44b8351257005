"""What all facts of a deal share: its commands, its state, and how a fact is corrected."""

from dataclasses import dataclass, field
from typing import Final

from domain.bilateral import BilateralAgreements
from domain.claims import Answered
from domain.facts import Facts
from domain.kernel import AFTER_KICKOFF, Command, Value
from domain.values import Ref, Text

ITS_REASON_STAYS: Final = "Send it with the reason that is recorded; the reason stays."


class DealCommand(Command):
    """A command on one deal of a partnership."""

    stages = AFTER_KICKOFF
    deal: Ref
    """The identifier of the deal, given by the party that referred it."""

    def substream(self) -> str:
        """Return the name of its stream below the partnership's."""
        return f"deal/{self.deal}"


class DealCorrection(Value):
    """What each correction of a fact of a deal says."""

    void: bool = False
    """Whether it never happened. Nothing else is corrected then."""
    reason: Text
    """The reason, in words."""


@dataclass(frozen=True, slots=True)
class Deal:
    """The state of one deal."""

    facts: Facts = field(default_factory=dict)
    """All that was stated, by name: `win`, `payment/P-1`, `correction/payment/P-1`."""
    agreements: BilateralAgreements = field(default_factory=BilateralAgreements)
    answers: tuple[Answered, ...] = ()
    """Confirmations and objections."""
