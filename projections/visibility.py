"""Who sees what: each party its own, and of the other what both agreed to share (C7, C14).

What a party declares of its own position is private to it. Figures that the other party reports
are seen as the protocol says that both agreed; without one nothing is hidden but what is private.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from domain.exploration import AudienceOverlapMeasured, ExplorationBegun, PartnerChosen
from domain.formation import BestAlternativeDeclared, NonNegotiableDeclared
from domain.recorded import Recorded
from domain.reported_figure import MetricCorrected, MetricReported
from domain.sharing import SMALLEST_CELL, DataSharingAgreed, Form
from projections.figures import Figure
from projections.fold import Row

PRIVATE = (BestAlternativeDeclared, NonNegotiableDeclared)
"""Facts that stay with the party that stated them (C7)."""

HIDDEN = "hidden"
"""What stands where something is not shown."""


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who looks: one of the parties, or the operator, who sees private facts only in `full`."""

    party: str | None = None
    full: bool = False

    def as_json(self) -> Row:
        """Give who looks, where it is not the operator as always."""
        if self.party is not None:
            return {"party": self.party}
        return {"full": True} if self.full else {}


OPERATOR = Viewer()
"""The operator as always: both sides' figures, neither side's private facts."""


@dataclass(frozen=True, slots=True)
class Sight:
    """What a viewer sees of a partnership, by the protocol that holds."""

    viewer: Viewer
    protocol: DataSharingAgreed | None = None
    own: frozenset[str] = frozenset()
    """The metrics that the viewer reported itself."""
    parties: tuple[str, ...] = ()

    @classmethod
    def of(cls, viewer: Viewer, events: Iterable[Recorded]) -> "Sight":
        """Give what `viewer` sees of a log, by the last protocol that it knows."""
        protocol, own, parties = None, set(), []
        for recorded in events:
            event = recorded.event
            if isinstance(event, ExplorationBegun):
                parties.append(recorded.act.party)
            elif isinstance(event, PartnerChosen):
                parties.append(event.candidate)
            elif isinstance(event, DataSharingAgreed):
                protocol = event
            elif isinstance(event, MetricReported) and recorded.act.party == viewer.party:
                own.add(event.metric)
        return cls(viewer, protocol, frozenset(own), tuple(parties))

    def shows(self, recorded: Recorded) -> bool:
        """Whether a fact is shown at all."""
        event, party = recorded.event, recorded.act.party
        if self.viewer.full:
            return True
        if isinstance(event, PRIVATE):
            return party == self.viewer.party
        if self.viewer.party is None or party == self.viewer.party:
            return True
        return not isinstance(event, MetricReported | MetricCorrected) or self.shares(event.metric)

    def shares(self, metric: str) -> bool:
        """Whether the protocol lets the other party's figures of a metric be seen (C14)."""
        if self.protocol is None:
            return True
        return metric in self.protocol.metrics and self.protocol.form is not Form.OWN_TRACKING

    @property
    def smallest(self) -> int:
        """Give the smallest count that is shown as it is; 0 where all are."""
        if self.viewer.party is None:
            return 0
        if self.protocol is None or self.protocol.form is Form.FULL:
            return 0
        return self.protocol.smallest_cell

    def withholds(self, metric: str, figure: Figure) -> bool:
        """Whether a figure is, or is made of, a count that the viewer is not shown (C14)."""
        if figure.source == "counted" or metric in self.own:
            return False
        counts = [figure.numerator, figure.denominator]
        counts += [figure.value] if figure.unit == "count" else []
        return any(0 < each < self.smallest for each in counts if each is not None)

    def withholds_overlap(self, by: str, overlap: AudienceOverlapMeasured) -> bool:
        """Whether an overlap that a party measured is too small to be shown to the viewer."""
        if self.viewer.full or self.viewer.party in (None, by):
            return False
        cell = self.protocol.smallest_cell if self.protocol else SMALLEST_CELL
        return overlap.shared_customers < cell

    def line(self, line: Row) -> Row:
        """Give a line of a report, with counts below the smallest cell left out (C14)."""
        if line["source"] == "counted" or line["metric"] in self.own or not self.smallest:
            return line
        if not _has_fewer(line, self.smallest):
            return line
        kept = ("metric", "period", "unit", "source", "direction", "segment")
        left = {name: line[name] for name in kept if name in line}
        return left | {"value": None, "note": f"fewer than {self.smallest}: not shown"}

    def fewer_than(self, recorded: Recorded) -> int | None:
        """Return the smallest count that is shown if the event's count is smaller; else None.

        A handful of customers could be named one by one (C14).
        """
        event = recorded.event
        if self.viewer.full or self.viewer.party in (None, recorded.act.party):
            return None
        if isinstance(event, AudienceOverlapMeasured):
            cell = self.protocol.smallest_cell if self.protocol else SMALLEST_CELL
            return cell if event.shared_customers < cell else None
        if isinstance(event, MetricReported | MetricCorrected):
            figure = event.figure.model_dump(mode="json", exclude_none=True)
            return self.smallest if _has_fewer(figure, self.smallest) else None
        return None


def _has_fewer(figure: Row, smallest: int) -> bool:
    """Whether a figure is, or is made of, a count above zero and below the smallest cell."""
    counts = [figure[name] for name in ("numerator", "denominator") if name in figure]
    if figure["unit"] == "count" and figure.get("value") is not None:
        counts.append(figure["value"])
    return any(0 < Decimal(each) < smallest for each in counts)
