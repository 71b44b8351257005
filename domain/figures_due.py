"""Figures that both agreed to report, and those of them that are missing (C8, C14, C19).

Objectives of the charter and lines of data sharing say how often a metric is reported. The figure
of a period is due within the agreed days after its end, or else before the next period of its
frequency ends: a figure that comes later is no news any more. Deals show some
metrics themselves; nobody reports those. No period is shorter than a month, so a weekly figure is
due each month.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from typing import Final, NamedTuple

from domain.bilateral import BilateralAgreements
from domain.calendar import bounds, months_of, quarter_of
from domain.charter import Objective
from domain.deadlines.deadline import DeadlinePassed, PeriodClosed, exit_of
from domain.exit import ENDINGS
from domain.formation import CharterAgreed
from domain.health import TargetAdjusted
from domain.kernel import Act, Event
from domain.metric_catalogue import CATALOGUE
from domain.reported_figure import MetricReported
from domain.sharing import DataSharingAgreed, SharingLine

CONCERNED: Final[frozenset[type[Event]]] = frozenset(
    {
        CharterAgreed,
        TargetAdjusted,
        DataSharingAgreed,
        MetricReported,
        PeriodClosed,
        DeadlinePassed,
        *ENDINGS,
    }
)
"""The events that change which figures are due, or missing."""


class Figure(NamedTuple):
    """The figure of a metric for a period, and who reports it."""

    metric: str
    segment: str
    """The part of the whole; empty for the whole."""
    period: str
    party: str = ""
    """The party that reports it; empty if either may."""
    tool: str = ""
    """The tool that an objective is measured by; empty if any will do."""

    @property
    def ref(self) -> str:
        """The identifier of what is due: ``new_users/-/2026-03``, then the party that gives it."""
        by = [self.party] if self.party else []
        return "/".join([self.metric, self.segment or "-", self.period, *by])

    @classmethod
    def of(cls, ref: str) -> "Figure":
        """Return the figure of an identifier (`ref`)."""
        metric, segment, period, *by = ref.split("/")
        return cls(metric, "" if segment == "-" else segment, period, *by)

    def is_given(self, reported: "Figure") -> bool:
        """Whether a report is this figure, or one of another period of it."""
        of = (reported.metric, reported.segment) == (self.metric, self.segment)
        of_all = self.party in {"", reported.party} and self.tool in {"", reported.tool}
        return of and of_all


def promises(agreements: BilateralAgreements) -> bool:
    """Whether both agreed anything that says which figures are reported."""
    charter, sharing = agreements.latest(CharterAgreed), agreements.latest(DataSharingAgreed)
    return charter is not None or sharing is not None


@dataclass(frozen=True, slots=True)
class FiguresDue:
    """What was agreed to be reported, what was, and what is missing."""

    objectives: tuple[Objective, ...] = ()
    agreed_on: date | None = None
    """The day of the charter. What was over by then is not reported for its objectives."""
    lines: tuple[SharingLine, ...] = ()
    reported: tuple[Figure, ...] = ()
    """The reports that can still fill a period: of this quarter, and of what is missing."""
    missing: tuple[Figure, ...] = ()
    """The figures of periods that are over which nobody has reported."""
    exited_on: date | None = None
    """The day on which an exit took effect; None while the partnership runs."""

    @property
    def metrics(self) -> frozenset[str]:
        """The metrics that a party or the third party reports."""
        shared = (metric for each in self.lines for metric in each.metrics)
        return frozenset({*(each.metric for each in self.objectives), *shared})

    def promised(self, period: str) -> Iterator[Figure]:
        """Yield the figures that were agreed for a period.

        A line says who gives one. Then the objective on it needs no other report. No figure is due
        of a period that was not over when an exit took effect (C27).
        """
        if self.exited_on is not None and bounds(period)[1].date() > self.exited_on:
            return
        lines = [each for each in self.lines if _is_of(each, period)]
        given = dict.fromkeys(
            Figure(metric, "", period, each.by)
            for each in lines
            for metric in each.metrics
            if not _deals_show(metric)
        )
        shared = {each.metric for each in given}
        for each in self.objectives:
            in_time = bounds(period)[0].date() <= each.deadline
            in_time &= self.agreed_on is None or self.agreed_on <= each.deadline
            by_a_line = each.segment is None and each.metric in shared
            if in_time and _falls(each.frequency, period) and not (_is_counted(each) or by_a_line):
                yield Figure(each.metric, each.segment or "", period, tool=each.tool)
        yield from given

    def agreed_again(self) -> "FiguresDue":
        """Return what is due after another agreement: what it no longer asks for is not missing.

        A figure whose tool was agreed anew is missing until that tool reports it.
        """
        asked = (found for each in self.missing for found in self._asked(each))
        return replace(
            self, missing=tuple(each for each in dict.fromkeys(asked) if not self.has(each))
        )

    def _asked(self, figure: Figure) -> Iterator[Figure]:
        """Yield a figure of a period that is over if it is still promised by the same party."""
        of = (figure.metric, figure.segment)
        for each in self.promised(figure.period):
            if (each.metric, each.segment) == of and each.party in {
                "",
                figure.party or each.party,
            }:
                yield figure._replace(tool=each.tool)

    def has(self, figure: Figure) -> bool:
        """Whether a figure was reported, or those of each of its months."""
        periods = {each.period for each in self.reported if figure.is_given(each)}
        months = months_of(figure.period) if "Q" in figure.period else (figure.period,)
        return figure.period in periods or periods.issuperset(months)


def _falls(frequency: str, period: str) -> bool:
    """Whether a figure of this frequency is reported for a period of this length."""
    return frequency == "quarterly" if "Q" in period else frequency in {"weekly", "monthly"}


def _is_of(line: SharingLine, period: str) -> bool:
    """Whether a line gives the figure of a period: reports of the day after it are still shared."""
    is_shared = line.until is None or bounds(period)[1].date() < line.until
    return is_shared and _falls(line.frequency, period)


def _is_counted(objective: Objective) -> bool:
    return objective.measured == "count" and _deals_show(objective.metric)


def _deals_show(metric: str) -> bool:
    """Whether deals, entries or contributions show a metric of the catalogue."""
    found = CATALOGUE.get(metric)
    return found is not None and found.counted


def evolve(due: FiguresDue, event: Event, act: Act) -> FiguresDue:
    """Fold an event of any stream of the partnership."""
    match event:
        case CharterAgreed():
            objectives = tuple(event.charter.objectives)
            return replace(
                due, objectives=objectives, agreed_on=act.occurred_at.date()
            ).agreed_again()
        case TargetAdjusted():
            return replace(due, objectives=event.adjusts(due.objectives)).agreed_again()
        case DataSharingAgreed():
            return replace(due, lines=tuple(event.lines)).agreed_again()
        case MetricReported():
            return _reported(due, event, act)
        case PeriodClosed(period=period):
            return _closed(due, period)
        case DeadlinePassed() if day := exit_of(event):
            return replace(due, exited_on=date.fromisoformat(day))
        case _ if isinstance(event, ENDINGS):
            return FiguresDue()
        case _:
            return due


def _reported(due: FiguresDue, event: MetricReported, act: Act) -> FiguresDue:
    found = Figure(event.metric, event.segment or "", event.period, act.party, event.tool)
    if found in due.reported or event.metric not in due.metrics:
        return due
    # Sorted, so that the order of arrival makes no other row.
    after = replace(due, reported=tuple(sorted((*due.reported, found))))
    return replace(after, missing=tuple(each for each in due.missing if not after.has(each)))


def _closed(due: FiguresDue, period: str) -> FiguresDue:
    """Add the figures of a period that is over, and forget the reports that fill none any more."""
    missing = [each for each in due.promised(period) if not due.has(each)]
    after = replace(due, missing=(*due.missing, *missing))
    if "Q" not in period or not due.reported:
        return after
    of_missing = {quarter_of(each.period) for each in after.missing if "Q" not in each.period}
    of_missing |= {each.period for each in after.missing if "Q" in each.period}
    ends = bounds(period)[1]
    kept = tuple(
        each
        for each in due.reported
        if bounds(each.period)[1] > ends or _quarter(each.period) in of_missing
    )
    return replace(after, reported=kept)


def _quarter(period: str) -> str:
    return period if "Q" in period or "-" not in period else quarter_of(period)
