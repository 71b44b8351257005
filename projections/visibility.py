"""What each viewer sees of a partnership (C7, C14): the one place that decides it.

A party's declarations of its own position are private to it. What the initiator recorded about
its candidates, their pilots included, is shown to the one that it chose only as far as it is about
that one. Figures that
the other party reports are shown as far as the agreed data-sharing protocol allows; without a
protocol all are shown.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from domain import reported_figure
from domain.exploration import (
    AlignmentAssessed,
    AudienceOverlapMeasured,
    BridgingPlanAgreed,
    CandidateApproached,
    CandidateDeclined,
    CandidateIdentified,
    CandidateScored,
    DecisionChecklistCompleted,
    ExplorationBegun,
    IntegrationSpendCommitted,
    PartnerChosen,
)
from domain.formation import BestAlternativeDeclared, NonNegotiableDeclared
from domain.metric_catalogue import Unit
from domain.recorded import Recorded
from domain.reported_figure import MetricCorrected, MetricReported
from domain.sharing import SMALLEST_CELL, DataSharingAgreed, Form
from projections.figures import COUNTED, Figure, FigureLine
from projections.objectives import ObjectiveProgress

PRIVATE = (BestAlternativeDeclared, NonNegotiableDeclared)
"""Events that only their own party sees (C7)."""

ABOUT_A_CANDIDATE = (
    CandidateIdentified,
    CandidateScored,
    AudienceOverlapMeasured,
    CandidateApproached,
    CandidateDeclined,
    IntegrationSpendCommitted,
    AlignmentAssessed,
    BridgingPlanAgreed,
    DecisionChecklistCompleted,
)
"""Events about one candidate, whether it was chosen or not (C1 to C6)."""


@dataclass(frozen=True, slots=True)
class Viewer:
    """One of the parties, or the operator, who sees private facts only in a `full` view."""

    party: str | None = None
    full: bool = False


OPERATOR = Viewer()
"""The operator's usual view: both parties' figures, and no private facts."""


@dataclass(frozen=True, slots=True)
class Sight:
    """What a viewer sees of a partnership, by the data-sharing protocol in force."""

    viewer: Viewer
    protocol: DataSharingAgreed | None = None
    own: frozenset[str] = frozenset()
    """The metrics that the viewer reported itself."""
    parties: tuple[str, ...] = ()
    candidates: frozenset[str] = frozenset()
    """The candidates. A figure of a candidate's pilot has its identifier as the segment."""

    @classmethod
    def of(cls, viewer: Viewer, events: Iterable[Recorded]) -> "Sight":
        """Return what `viewer` sees, by the last protocol among `events`."""
        protocol, own, parties, candidates = None, set(), [], set()
        for recorded in events:
            event = recorded.event
            if isinstance(event, ExplorationBegun):
                parties.append(recorded.act.party)
            elif isinstance(event, PartnerChosen):
                parties.append(event.candidate)
            elif isinstance(event, CandidateIdentified):
                candidates.add(event.candidate)
            elif isinstance(event, DataSharingAgreed):
                protocol = event
            elif isinstance(event, MetricReported) and recorded.act.party == viewer.party:
                own.add(event.metric)
        return cls(viewer, protocol, frozenset(own), tuple(parties), frozenset(candidates))

    def shows(self, recorded: Recorded) -> bool:
        """Whether the viewer sees an event at all.

        Of any other event the viewer learns only that the log has one, and whose it is: neither
        its type, nor its stream, nor its people.
        """
        event, party, viewer = recorded.event, recorded.act.party, self.viewer
        if viewer.full:
            return True
        if isinstance(event, PRIVATE):
            return party == viewer.party
        if viewer.party is None or party == viewer.party:
            return True
        if isinstance(event, ABOUT_A_CANDIDATE):
            return event.candidate == viewer.party
        if isinstance(event, MetricReported | MetricCorrected):
            of_another = event.segment in self.candidates - {viewer.party}
            return not of_another and self.shares(event.metric)
        return True

    def shares(self, metric: str) -> bool:
        """Whether the protocol shares the other party's figures of a metric (C14)."""
        if self.protocol is None:
            return True
        return metric in self.protocol.metrics and self.protocol.form is not Form.OWN_TRACKING

    @property
    def smallest(self) -> int:
        """The smallest count that is shown; 0 where every count is shown."""
        if self.viewer.party is None:
            return 0
        if self.protocol is None or self.protocol.form is Form.FULL:
            return 0
        return self.protocol.smallest_cell

    def withholds(self, metric: str, figure: Figure) -> bool:
        """Whether a figure is, or includes, a count that the viewer may not see (C14)."""
        if figure.source == COUNTED or metric in self.own:
            return False
        return _has_fewer(figure, self.smallest)

    def withholds_overlap(self, by: str, overlap: AudienceOverlapMeasured) -> bool:
        """Whether an overlap that a party measured is too small to be shown to the viewer."""
        if self.viewer.full or self.viewer.party in (None, by):
            return False
        return overlap.shared_customers < self._smallest_overlap

    @property
    def _smallest_overlap(self) -> int:
        return self.protocol.smallest_cell if self.protocol else SMALLEST_CELL

    def hidden(self, metric: str, figure: Figure) -> str | None:
        """Return the note that replaces a withheld figure; None if the figure is shown."""
        withheld = self.withholds(metric, figure)
        return f"fewer than {self.smallest}: not shown" if withheld else None

    def line(self, line: FigureLine) -> FigureLine:
        """Return a line of a report; without its figures where they are withheld (C14)."""
        note = self.hidden(line.metric, line)
        beside = line.reported
        if note is None and beside is not None and (small := self.hidden(line.metric, beside)):
            return replace(line, reported=Figure(None, beside.unit, beside.source, note=small))
        if note is None:
            return line
        return FigureLine(
            None,
            line.unit,
            line.source,
            note=note,
            metric=line.metric,
            period=line.period,
            segment=line.segment,
            direction=line.direction,
        )

    def progress(self, progress: ObjectiveProgress) -> ObjectiveProgress:
        """Return an objective's progress; without its figure where that is hidden (C14)."""
        actual = progress.actual
        note = self.hidden(progress.objective.metric, actual) if actual else None
        if actual is None or note is None:
            return progress
        hidden = Figure(None, actual.unit, actual.source, note=note)
        return replace(progress, actual=hidden, reached_percent=None, elapsed_percent=None)

    def fewer_than(self, recorded: Recorded) -> int | None:
        """Return the smallest count that is shown if the event's count is smaller; else None.

        A handful of customers could be named one by one (C14).
        """
        event = recorded.event
        if self.viewer.full or self.viewer.party in (None, recorded.act.party):
            return None
        if isinstance(event, AudienceOverlapMeasured):
            smallest = self._smallest_overlap
            return smallest if event.shared_customers < smallest else None
        if isinstance(event, MetricReported | MetricCorrected):
            return self.smallest if _has_fewer(event.figure, self.smallest) else None
        return None


def _has_fewer(figure: Figure | reported_figure.ReportedFigure, smallest: int) -> bool:
    """Whether a figure is, or includes, a count above zero and below the smallest cell."""
    counts = [figure.numerator, figure.denominator]
    if figure.unit == Unit.COUNT:
        counts.append(figure.value)
    return any(each is not None and 0 < each < smallest for each in counts)
