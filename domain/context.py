"""Where a partnership stands: what every decision about it needs to know."""

from dataclasses import dataclass, field

from domain.bilateral import BilateralAgreements
from domain.declarations import Declarations
from domain.kernel import Stage


@dataclass(frozen=True, slots=True)
class Waiver:
    """An attributed, reasoned permission to pass one rule of a gate (C6)."""

    rule: str
    party: str
    actor: str
    reason: str


@dataclass(frozen=True, slots=True)
class PartnershipContext:
    """What every stage needs to know: whose partnership it is, where it stands, what was stated."""

    stage: Stage | None = None
    parties: tuple[str, ...] = ()
    waivers: dict[str, Waiver] = field(default_factory=dict)
    declarations: Declarations = field(default_factory=Declarations)
    agreements: BilateralAgreements = field(default_factory=BilateralAgreements)

    @property
    def initiator(self) -> str:
        """The party that began the exploration."""
        return self.parties[0]

    def other(self, party: str) -> str:
        """Give the counterparty of `party`."""
        return next(each for each in self.parties if each != party)
