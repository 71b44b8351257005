"""What each viewer sees of a partnership (C7, C14): the one place that decides it.

A party's declarations of its own position are private to it. What the initiator recorded about
its candidates is shown to the one that it chose only as far as it is about that one, and what else
its search tried is not; nor is it to a key of the operator's, or to an auditor's whose mandate does
not name the candidates. Figures that the other side reports are shown as far as the lines of the
agreed data-sharing protocol give them; without a protocol all are shown. A count below the smallest
cell of a line is shown to its own party, and to nobody else but in a `full` view. A neutral third
party sees the protocol and what its lines give to it, and nothing else.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from domain.adoption import AdoptionProposed
from domain.agreement import CommercialTermsAgreed
from domain.bilateral import ProposalEnded
from domain.calendar import months_of
from domain.charter import ObjectiveStatus
from domain.experiment import (
    HypothesisRegistered,
    ObservationCorrected,
    PilotConcluded,
    PilotStarted,
    VariantObserved,
    VariantPromoted,
)
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
    IdealPartnerProfileDefined,
    IntegrationSpendCommitted,
    PartnerChosen,
)
from domain.formation import BestAlternativeDeclared, NonNegotiableDeclared
from domain.gates import WaiverGranted, WaiverProposed
from domain.health import ContributionRecorded
from domain.kernel import Event
from domain.metric_catalogue import CATALOGUE, Direction
from domain.own_metric import MetricAgreed
from domain.partnership import parties_after
from domain.recorded import EventWithheld, Recorded
from domain.reported_figure import MetricCorrected, MetricReported
from domain.sharing import SMALLEST_CELL, DataSharingAgreed, Form, SharingLine
from projections.caveats import Caveat, CaveatCode, fewer_than
from projections.figures import COUNTED, Figure, FigureLine
from projections.kpis import measures, reported_in
from projections.objectives import ObjectiveProgress
from projections.standing import periods_within

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

OF_A_SEARCH = (
    IdealPartnerProfileDefined,
    WaiverProposed,
    WaiverGranted,
    HypothesisRegistered,
    PilotStarted,
    VariantObserved,
    ObservationCorrected,
    PilotConcluded,
    VariantPromoted,
    ProposalEnded,
)
"""Events that are the initiator's own before it chooses a partner (C1, C5, C6)."""


@dataclass(frozen=True, slots=True)
class Viewer:
    """One of the parties, or the operator, who sees private facts only in a `full` view.

    `partnerships` are those to which it is limited; None is no limit.
    """

    party: str | None = None
    full: bool = False
    partnerships: frozenset[str] | None = None
    candidates: bool = True
    """Whether one who is no party sees what the initiator recorded about other candidates than the
    chosen one."""
    inputs: bool = True
    """Whether one who is no party sees what refused and waiting inputs say."""
    alert_acts: bool = True
    """Whether one who is no party sees what the operator's people did about alerts."""

    @property
    def of_all(self) -> bool:
        """Whether it is limited to no party and to no partnerships."""
        return self.party is None and self.partnerships is None


OPERATOR = Viewer()
"""The operator's usual view at the command line: both parties' figures and all candidates, and no
private facts and no counts below the smallest cell."""


OPERATIONS = Viewer(candidates=False, inputs=False)
"""Who watches figures and alerts, in the topics and with a key of that role."""


FIGURES = (MetricReported, MetricCorrected)
"""Events that say a figure."""

_PERHAPS_HIDDEN = (*PRIVATE, *ABOUT_A_CANDIDATE, *OF_A_SEARCH, *FIGURES)

PERHAPS_HIDDEN = frozenset(
    name for name, kind in Event.registry.items() if issubclass(kind, _PERHAPS_HIDDEN)
)
"""The wire names of events that a party may keep to itself, whatever was agreed."""

FOR_THE_THIRD_PARTY = (DataSharingAgreed.proposed, DataSharingAgreed)
"""Events that a neutral third party sees besides the figures that it is given: its mandate."""


class Withheld(NamedTuple):
    """A figure with a count that is too small to be shown to the viewer (C14)."""

    metric: str
    period: str
    segment: str | None
    unit: str
    tool: str
    smallest: int
    """The smallest count that is shown."""
    direction: Direction
    """Whether more is better, or less."""

    @property
    def caveat(self) -> Caveat:
        """The caveat that replaces the figure."""
        return fewer_than(self.smallest)


@dataclass(frozen=True, slots=True)
class Sight:
    """What a viewer sees of a partnership, by the data-sharing protocol in force."""

    viewer: Viewer
    protocol: DataSharingAgreed | None = None
    parties: tuple[str, ...] = ()
    chosen: int | None = None
    """The index of the choice of the partner, None before it; the search is all before."""
    candidates: frozenset[str] = frozenset()
    """The candidates. A figure of a candidate's pilot has its identifier as the segment."""
    metrics: Mapping[str, Direction] = field(default_factory=dict)
    """The direction of each metric that both defined."""
    withheld: Mapping[str, Withheld] = field(default_factory=dict)
    """The streams of figures with a count that is too small to be shown."""

    @classmethod
    def of(cls, viewer: Viewer, events: Iterable[Recorded]) -> "Sight":
        """Return what `viewer` sees, by the last protocol among `events`.

        A stream of figures is withheld only if its events are among them.
        """
        sight = cls(viewer)
        reports: list[Recorded] = []
        for recorded in events:
            if isinstance(recorded.event, FIGURES):
                reports.append(recorded)
            else:
                sight = sight.after(recorded)
        return sight.withholding(reports)

    def withholding(self, reports: Iterable[Recorded]) -> "Sight":
        """Return the sight with those of these figures withheld that are too small to be shown."""
        return replace(self, withheld=dict(self._withholds(reports)))

    def after(self, recorded: Recorded) -> "Sight":
        """Return what the viewer sees once the next event is recorded, but for `withheld`."""
        match recorded.event:
            case ExplorationBegun() | PartnerChosen() | AdoptionProposed() as event:
                parties = parties_after(event, recorded.act, self.parties)
                chosen = recorded.index if len(parties) > 1 else None
                return replace(self, parties=parties, chosen=chosen)
            case CandidateIdentified(candidate=candidate):
                return replace(self, candidates=self.candidates | {candidate})
            case DataSharingAgreed() as protocol:
                return replace(self, protocol=protocol)
            case MetricAgreed(metric=metric, better=better):
                return replace(self, metrics={**self.metrics, metric: better})
            case _:
                return self

    @property
    def sees_every_figure(self) -> bool:
        """Whether it is no party's and nothing of figures and candidates is hidden from it."""
        viewer = self.viewer
        of_nobody = viewer.party is None and viewer.candidates
        return viewer.full or (of_nobody and not self.withheld)

    @property
    def third_party(self) -> str | None:
        """The neutral third party of the protocol, if there is one."""
        third = self.protocol.third_party if self.protocol else None
        return third.party if third else None

    @property
    def is_third_party(self) -> bool:
        """Whether the viewer is the neutral third party."""
        return self.viewer.party is not None and self.viewer.party == self.third_party

    @property
    def lines_to_viewer(self) -> list[SharingLine]:
        """The lines of the protocol that give the viewer something."""
        lines = self.protocol.lines if self.protocol else []
        return [each for each in lines if each.to == self.viewer.party]

    def shows(self, recorded: Recorded) -> bool:
        """Whether the viewer sees an event at all.

        Of any other event the viewer learns only that the log has one, and whose it is: neither
        its type, nor its stream, nor its people.
        """
        event, party, viewer = recorded.event, recorded.act.party, self.viewer
        if isinstance(event, EventWithheld):
            return False
        if viewer.full:
            return True
        if isinstance(event, PRIVATE):
            return party == viewer.party
        if party == viewer.party:
            return True
        if viewer.party is None:
            return viewer.candidates or not self._is_of_search(recorded)
        if isinstance(event, FIGURES):
            of_another = event.segment in self.candidates - {viewer.party}
            return not of_another and self._given(recorded)
        if self.is_third_party:
            return isinstance(event, FOR_THE_THIRD_PARTY)
        if isinstance(event, ABOUT_A_CANDIDATE):
            return event.candidate == viewer.party
        return not self._is_of_search(recorded)

    def _is_of_search(self, recorded: Recorded) -> bool:
        """Whether an event is of the search, and not about the candidate that was chosen."""
        event = recorded.event
        if isinstance(event, FIGURES):
            return event.segment in self.candidates - {*self.parties}
        if isinstance(event, ProposalEnded) and event.within is None:
            return False  # The recovery of a key, which both may see.
        if isinstance(event, OF_A_SEARCH):
            return self.chosen is None or recorded.index < self.chosen
        return isinstance(event, ABOUT_A_CANDIDATE) and event.candidate not in self.parties

    def reads(self, recorded: Recorded) -> bool:
        """Whether answers for the viewer are made from an event.

        A figure with a count that is too small to be shown enters no sum, no difference and no
        status, so nothing that is computed reveals it. Nor does what else is in its stream. What a
        line gives of deals, entries and contributions to the neutral third party is counted for it
        (`given`), although it does not see them.
        """
        if recorded.act.party == self.viewer.party:
            return True
        if self.is_third_party and self._counts(recorded):
            return True
        if recorded.stream in self.withheld:
            return False
        small = isinstance(recorded.event, FIGURES) and self.fewer_than(recorded) is not None
        return self.shows(recorded) and not small

    def _counts(self, recorded: Recorded) -> bool:
        """Whether a line gives the viewer a figure to which the event adds."""
        event, by = recorded.event, recorded.act.party
        # The terms say in which time zone a month counts, and a definition what a figure is.
        if isinstance(event, CommercialTermsAgreed | MetricAgreed):
            return True
        adds_to = frozenset[str]() if reported_in(event) else measures(event)
        of_one = isinstance(event, ContributionRecorded)
        return any(
            name in CATALOGUE and not adds_to.isdisjoint(CATALOGUE[name].counted_from)
            for line in self.lines_to_viewer
            if line.by == by or not of_one
            for name in line.metrics
        )

    def _smallest(self, by: str, metric: str) -> int | None:
        """Return the smallest count of a side's metric that the viewer is shown; None for all.

        For one who is no party it is the largest of all lines that give the metric.
        """
        if self.protocol is None:
            return None
        to = self.viewer.party
        if to is None:
            return self.protocol.smallest_cell(by, metric)
        line = self.protocol.given(to, by, metric)
        return line.smallest_cell if line and line.form is Form.AGGREGATED else None

    def _given(self, recorded: Recorded) -> bool:
        """Whether the other side's figure is shared: all are, where there is no protocol (C14)."""
        event, to = recorded.event, self.viewer.party
        if self.protocol is None or to is None or not isinstance(event, FIGURES):
            return True
        reported_on = recorded.act.occurred_at.date()
        return self.protocol.shares(to, recorded.act.party, event.metric, reported_on)

    def _withholds(self, reports: Iterable[Recorded]) -> Iterator[tuple[str, Withheld]]:
        for recorded in reports:
            event = recorded.event
            smallest = self.fewer_than(recorded) if self.shows(recorded) else None
            if smallest is not None and isinstance(event, FIGURES):
                series = (event.metric, event.period, event.segment)
                known = CATALOGUE.get(event.metric)
                better = known.direction if known else self.metrics.get(event.metric, Direction.UP)
                found = Withheld(*series, event.figure.unit, event.tool, smallest, better)
                yield recorded.stream, found

    def withholds_overlap(self, by: str, overlap: AudienceOverlapMeasured) -> bool:
        """Whether an overlap that a party measured is too small to be shown to the viewer."""
        return not self._sees_counts_of(by) and overlap.shared_customers < SMALLEST_CELL

    def _sees_counts_of(self, party: str) -> bool:
        """Whether the viewer sees every count that a party records, however small."""
        viewer = self.viewer
        return viewer.full or viewer.party == party

    def fewer_than(self, recorded: Recorded) -> int | None:
        """Return the smallest count that is shown if the event's count is smaller; else None.

        A handful of customers could be named one by one (C14).
        """
        event, by = recorded.event, recorded.act.party
        if self._sees_counts_of(by):
            return None
        if isinstance(event, AudienceOverlapMeasured):
            return SMALLEST_CELL if event.shared_customers < SMALLEST_CELL else None
        if not isinstance(event, FIGURES):
            return None
        smallest = self._smallest(by, event.metric)
        return smallest if smallest and event.figure.has_fewer_than(smallest) else None

    # --- what stands for a withheld figure -----------------------------------------------------

    def lines(self, lines: Iterable[FigureLine], period: str) -> list[FigureLine]:
        """Return the lines of a period's report, with a caveat for each withheld figure (C14)."""
        found = list(lines)
        within = periods_within(months_of(period))
        for each in self.withheld.values():
            if each.period in within:
                found = [_noted(line, each) for line in found]
                if not any(_is_of(line, each) for line in found):
                    found.append(_instead(each, period))
        return found

    def hidden(self, metric: str, figure: Figure | None) -> Caveat | None:
        """Return the caveat that replaces a figure from which one is withheld; None if none is.

        What deals show is counted from events that both see.
        """
        found = self._withheld_of(metric, None, figure)
        return found.caveat if found else None

    def _withheld_of(
        self, metric: str, segment: str | None, figure: Figure | None
    ) -> Withheld | None:
        """Return what is withheld of a figure: of the whole, or of the segment that it is of."""
        if figure is not None and figure.source == COUNTED:
            return None
        for each in self.withheld.values():
            if each.metric == metric and segment in {None, each.segment}:
                return each
        return None

    def progress(self, progress: ObjectiveProgress) -> ObjectiveProgress:
        """Return an objective's progress; without its figure where one is withheld (C14)."""
        agreed = progress.objective
        each = self._withheld_of(agreed.metric, agreed.segment, progress.actual)
        if each is None:
            return progress
        return replace(
            progress,
            actual=Figure(None, each.unit, each.tool, caveats=(each.caveat,)),
            status=ObjectiveStatus.INSUFFICIENT_EVIDENCE,
            reached_percent=None,
            elapsed_percent=None,
        )


_UNKNOWN = Viewer("")
"""A party that is not known yet: the partner, while candidates are compared."""


@dataclass(frozen=True, slots=True)
class SharedSight:
    """What both parties of a partnership see: nothing that either keeps to itself.

    Until a partner is chosen, nothing that is recorded of a candidate is shared.
    """

    sights: tuple[Sight, ...]

    @classmethod
    def of(cls, events: Iterable[Recorded]) -> "SharedSight":
        """Return what both see, by the last protocol among `events`."""
        sight = Sight.of(_UNKNOWN, events)
        viewers = [Viewer(each) for each in sight.parties]
        if len(viewers) < 2:  # noqa: PLR2004 - a partnership has two parties
            viewers.append(_UNKNOWN)
        return cls(tuple(replace(sight, viewer=each) for each in viewers))

    def shows(self, recorded: Recorded) -> bool:
        """Whether both see an event at all."""
        return all(each.shows(recorded) for each in self.sights)

    def fewer_than(self, recorded: Recorded) -> int | None:
        """Return the smallest count that is shown if the event's count is smaller; else None."""
        found = (each.fewer_than(recorded) for each in self.sights)
        return max((each for each in found if each), default=None)


def _is_of(line: FigureLine, withheld: Withheld) -> bool:
    return (line.metric, line.segment) == (withheld.metric, withheld.segment)


def _noted(line: FigureLine, withheld: Withheld) -> FigureLine:
    """Return a line, with a caveat if a withheld figure is missing in its sum."""
    if line.metric != withheld.metric or line.segment not in {None, withheld.segment}:
        return line
    text = f"without counts below {withheld.smallest}"
    missing = Caveat(CaveatCode.WITHOUT_SMALL_COUNTS, text)
    return replace(line, caveats=tuple(dict.fromkeys((*line.caveats, missing))))


def _instead(withheld: Withheld, period: str) -> FigureLine:
    return FigureLine(
        None,
        withheld.unit,
        withheld.tool,
        caveats=(withheld.caveat,),
        metric=withheld.metric,
        period=period,
        segment=withheld.segment,
        direction=withheld.direction,
    )
