"""The context of a partnership: what the decisions of every stage need to know about it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from domain.bilateral import BilateralAgreements
from domain.declarations import Declarations
from domain.kernel import Stage
from domain.terms_by_day import TermsByDay


@dataclass(frozen=True, slots=True)
class PartnershipContext:
    """What the decisions of every stage need to know about a partnership."""

    stage: Stage | None = None
    parties: tuple[str, ...] = ()
    """The initiator, then its partner once chosen."""
    declarations: Declarations = field(default_factory=Declarations)
    agreements: BilateralAgreements = field(default_factory=BilateralAgreements)
    terms: TermsByDay = field(default_factory=TermsByDay)
    """What both parties agreed, by day: from terms, renewals and the exit."""
    given_up: Mapping[str, datetime] = field(default_factory=dict)
    """What both parties gave up, by its word and identifier (`campaign/launch`), and when."""

    @property
    def initiator(self) -> str:
        """The party that began the exploration."""
        return self.parties[0]

    def other(self, party: str) -> str:
        """Return the other party than `party`."""
        return next(each for each in self.parties if each != party)
