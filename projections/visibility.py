"""Who sees what: each party its own, the other's as far as the protocol lets it (C7, C14).

What stands in an event may be withheld, never that it happened: places and counts of events stay
what they are, so that a view can still be checked against the log.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal

from domain.arrangements import SMALLEST_CELL, DataSharing, DataSharingAgreed, Form
from domain.exploration import AudienceOverlapMeasured, ExplorationBegun, PartnerChosen
from domain.formation import BestAlternativeDeclared, NonNegotiableDeclared
from domain.metric import MetricCorrected, MetricReported
from domain.metrics import CATALOGUE, Unit
from domain.recorded import Recorded
from projections import KPIS, figures
from projections.fold import Row, Rows, replay

PRIVATE = (BestAlternativeDeclared, NonNegotiableDeclared)
"""What a party declares for itself alone (C7)."""


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who asks: a party, or the operator, who sees what is private only in a `full` view."""

    party: str | None = None
    full: bool = False


OPERATOR = Viewer()
"""Who runs it, and has no business with what is private to a party."""


@dataclass(frozen=True, slots=True)
class View:
    """What a viewer sees of a partnership under the protocols that hold now."""

    viewer: Viewer = OPERATOR
    parties: tuple[str, ...] = ()
    protocols: Mapping[str, DataSharing] = MappingProxyType({})
    """The protocol for the figures of each party that agreed one."""

    @classmethod
    def of(cls, viewer: Viewer, log: Iterable[Recorded]) -> "View":
        """Give the view of a viewer on a whole log.

        The protocols are the latest ones, whatever time is asked about: who could ask about the
        time before a protocol would go around it.
        """
        parties: tuple[str, ...] = ()
        protocols: dict[str, DataSharing] = {}
        for recorded in log:
            match recorded.event:
                case ExplorationBegun():
                    parties = (recorded.act.party,)
                case PartnerChosen(candidate=partner):
                    parties = (*parties, partner)
                case DataSharingAgreed(sharing=sharing):
                    protocols[sharing.of] = sharing
                case _:
                    pass
        return cls(viewer, parties, protocols)

    @property
    def limited(self) -> bool:
        """Whether figures of the other party may be withheld from this viewer."""
        return self.viewer.party is not None and bool(self.protocols.keys() - {self.viewer.party})

    def withheld(self, recorded: Recorded) -> str | None:
        """Give why the content of an event is withheld; nothing where it is shown."""
        event, party = recorded.event, recorded.act.party
        if self.viewer.full or party == self.viewer.party:
            return None
        if isinstance(event, PRIVATE):
            return f"private to {party}"
        if isinstance(event, AudienceOverlapMeasured):
            cell = self._cell(party)
            return f"fewer than {cell} shared" if event.shared_customers < cell else None
        if isinstance(event, MetricReported | MetricCorrected):
            return self._not_shared(event, party)
        return None

    def seen(self, log: Iterable[Recorded]) -> Iterator[Recorded]:
        """Give the events of a log whose content is shown."""
        return (recorded for recorded in log if self.withheld(recorded) is None)

    def overlap(self, measured: Row, by: str) -> Row:
        """Give a measured overlap, a small count of it as "fewer than" to all but who counted."""
        cell = self._cell(by)
        if self.viewer.full or by == self.viewer.party or measured["shared_customers"] >= cell:
            return measured
        return {**measured, "shared_customers": f"fewer than {cell}"}

    def _cell(self, party: str) -> int:
        protocol = self.protocols.get(party)
        return protocol.minimum_cell if protocol else SMALLEST_CELL

    def _protocol(self, party: str) -> DataSharing | None:
        """Give the protocol that limits what this viewer sees of a party's figures."""
        return self.protocols.get(party) if self.viewer.party not in {None, party} else None

    def _not_shared(self, event: MetricReported | MetricCorrected, party: str) -> str | None:
        protocol = self._protocol(party)
        if protocol is None:
            return None
        if not _lets(protocol, event):
            return f"not shared by {party}"
        if protocol.form is not Form.AGGREGATED:
            return None
        if event.segment:
            return f"shared by {party} as a whole alone"
        figure = event.figure
        cell = protocol.minimum_cell
        small = _small(figure.unit, figure.value, figure.numerator, figure.denominator, cell)
        return f"fewer than {cell}" if small else None

    # --- figures -------------------------------------------------------------------------------

    def figures(self, log: Iterable[Recorded], periods: Iterable[str] | None) -> tuple[list[Row], list[Row]]:
        """Give the figures and the objectives as this viewer sees them."""
        raise NotImplementedError


def _lets(protocol: DataSharing, event: MetricReported | MetricCorrected) -> bool:
    """Whether a protocol lets the other party see anything of a figure."""
    return (
        protocol.form is not Form.OWN_TRACKING
        and event.metric in protocol.metrics
        and (protocol.form is not Form.THIRD_PARTY or event.tool == protocol.tool)
    )


def _small(
    unit: str,
    value: Decimal | None,
    numerator: Decimal | None,
    denominator: Decimal | None,
    cell: int,
) -> bool:
    """Whether a figure tells of so few that somebody might be known by it."""
    counted = [denominator, numerator if unit == Unit.PERCENT else None]
    if unit == Unit.COUNT:
        counted.append(value)
    return any(each is not None and each < cell for each in counted)
