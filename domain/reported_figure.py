"""A metric's figure: what one tool reports for one period, restated by corrections (C19)."""

from dataclasses import dataclass
from difflib import get_close_matches
from typing import Annotated, assert_never

from pydantic import Field

from domain.calendar import Period, bounds
from domain.kernel import AFTER_KICKOFF, Act, Command, Event, Refused, Stage, Value
from domain.metric_catalogue import CATALOGUE, Adds, Metric
from domain.values import Number, Slug, Text, plain

OTHER_CHANNELS = "other-channels"
"""The segment of customers who came another way: compared with the partner's, never added."""


class Figure(Value):
    """A figure: a value, or a numerator and its denominator, in a unit.

    A rate that comes without its denominator stays a value: it can be shown, but neither added to
    others nor given an interval (C21).
    """

    unit: Text
    value: Number | None = None
    numerator: Number | None = None
    denominator: Number | None = None

    def __str__(self) -> str:
        """Give the figure in words."""
        if self.numerator is not None and self.denominator is not None:
            return f"{plain(self.numerator)}/{plain(self.denominator)} ({self.unit})"
        return f"{plain(self.value) if self.value is not None else '?'} {self.unit}"


class MetricCommand(Command):
    """What is asked of the figure of one metric, segment, period and tool."""

    stages = AFTER_KICKOFF | {Stage.EXPLORATION, Stage.FORMATION}
    metric: Annotated[Slug, Field(json_schema_extra={"enum": [*CATALOGUE]})]
    period: Period
    tool: Slug
    """The system that the figure comes from."""
    segment: Slug | None = None
    """A part of the whole: a candidate, a market, an offer, a campaign."""
    figure: Figure

    def substream(self) -> str:
        """Give the name of its stream below the partnership's."""
        return f"metric/{self.metric}/{self.segment or '-'}/{self.period}/{self.tool}"


class ReportMetric(MetricCommand):
    """Report the figure of a period (C19). The metrics: see the catalogue."""


class CorrectMetric(MetricCommand):
    """Restate a figure that was reported, with the reason (C19)."""

    reason: Text


class _Reported(Value):
    metric: Slug
    period: Period
    tool: Slug
    segment: Slug | None = None
    figure: Figure


class MetricReported(_Reported, Event):
    """A tool's figure of a period came in (C19)."""


class MetricCorrected(_Reported, Event):
    """A reported figure was restated (C19)."""

    reason: Text


@dataclass(frozen=True, slots=True)
class Reported:
    """The figure as it stands, if one was reported."""

    figure: Figure | None = None


def decide(command: MetricCommand, state: Reported, act: Act) -> list[Event]:
    """Decide a report or a correction. Raises `Refused`."""
    check(command.figure, _known(command.metric))
    if bounds(command.period)[0] > act.occurred_at:
        raise Refused(
            "period-not-begun",
            f"{command.period} had not begun on {act.occurred_at:%Y-%m-%d}.",
            "Report a period that has begun.",
        )
    match command:
        case ReportMetric():
            return report(command, state)
        case CorrectMetric():
            return correct(command, state)
        case _:
            assert_never(command)  # type: ignore[arg-type] # MetricCommand is closed by this module


def report(command: ReportMetric, state: Reported) -> list[Event]:
    """Take a figure once; another figure for the same period is a correction."""
    if state.figure == command.figure:
        return []
    if state.figure is not None:
        raise Refused(
            "already-reported",
            f"{command.tool} reported {state.figure} of {command.metric} for {command.period}.",
            "Restate it with a reason (CorrectMetric).",
        )
    return [MetricReported.of(command)]


def correct(command: CorrectMetric, state: Reported) -> list[Event]:
    """Restate a figure that stands."""
    if state.figure is None:
        raise Refused(
            "nothing-to-correct",
            f"{command.tool} reported no {command.metric} for {command.period}.",
            "Report it (ReportMetric).",
        )
    return [] if state.figure == command.figure else [MetricCorrected.of(command)]


def evolve(state: Reported, event: Event) -> Reported:
    """Take a fact into the figure's state."""
    match event:
        case MetricReported() | MetricCorrected():
            return Reported(event.figure)
        case _:
            return state


def _known(name: str) -> Metric:
    metric = CATALOGUE.get(name)
    if metric is None:
        near = get_close_matches(name, CATALOGUE, 3, 0.5)
        raise Refused(
            "unknown-metric",
            f"The catalogue has no metric {name}.",
            f"Perhaps {' or '.join(near)}?"
            if near
            else "See the catalogue: accord schema ReportMetric.",
            field="metric",
        )
    return metric


def check(figure: Figure, metric: Metric) -> None:
    """Raise `Refused` where a figure has not the unit or the shape that its metric has (C19)."""
    if not metric.unit.takes(figure.unit):
        raise Refused(
            "wrong-unit",
            f"{metric.name} is measured in {metric.unit}, not in {figure.unit}.",
            f"Give the figure with the unit {metric.unit.example}.",
            field="figure/unit",
        )
    parts = (figure.numerator is not None, figure.denominator is not None)
    whole = figure.value is not None
    if any(parts) == whole or any(parts) != all(parts):
        raise Refused(
            "figure-shape",
            "A figure is either a value, or a numerator with its denominator.",
            "Give one of the two.",
            field="figure",
        )
    if all(parts) and metric.adds is not Adds.RATIO:
        raise Refused(
            "figure-shape",
            f"{metric.name} is no ratio.",
            "Give its value, without numerator and denominator.",
            field="figure",
        )
    if figure.denominator is not None and figure.numerator is not None:
        _check_ratio(figure.numerator, figure.denominator, metric)


def _check_ratio(numerator: Number, denominator: Number, metric: Metric) -> None:
    if denominator < 0 or (metric.proportion and not 0 <= numerator <= denominator):
        raise Refused(
            "successes-exceed-trials",
            f"{plain(numerator)} of {plain(denominator)} is no share ({metric.name} is "
            f"{metric.numerator} of {metric.denominator}).",
            "Check which is the numerator; a part is never more than its whole.",
        )
