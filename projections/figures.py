"""Figures of any period and segment, and what they are compared to (C8, C19).

Rows have single periods (see `kpis`). Quarters and years are put together when they are read, each
metric in its own way: counts are added, ratios add numerators and denominators, levels keep the
last.
"""

from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Annotated, Any

from pydantic import Field, TypeAdapter

from domain import reported_figure
from domain.arithmetic import exact
from domain.calendar import (
    bounds,
    following,
    month_of,
    months_of,
    preceding,
    quarter_of,
    quarters_of,
)
from domain.charter import Objective
from domain.metric_catalogue import CATALOGUE, Adds, Direction, Metric, Unit
from domain.proportions import Beta, rounded
from domain.reported_figure import OTHER_CHANNELS
from domain.values import MINOR_UNITS, Exact
from projections.beliefs import Belief, Posterior, belief, posterior
from projections.fold import Row, Rows
from projections.kpis import (
    AGREED,
    AgreedMinimum,
    PeriodRow,
    Series,
    agreed_row,
    minimum_for,
    period_row,
)

COUNTED = "counted"
"""The source of a figure that is counted from events."""

_DIGITS = Decimal("0.0001")
_CENT = Decimal("0.01")

_NO_TRIALS = "successes exceed trials: insufficient evidence"
"""The note where a month has more deals than leads, because leads came in earlier months."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure of a metric: a value, and for a ratio the numerator and denominator."""

    value: Annotated[
        Exact | None,
        Field(description="Null for a ratio over nothing: no leads at all is not 0 % (C20)."),
    ]
    unit: Annotated[
        str,
        Field(description="The unit: a currency, or one of the catalogue, such as `percent`."),
    ]
    source: Annotated[
        str,
        Field(description="`counted`, or the tool that reported it; several are joined by `+`."),
    ]
    numerator: Annotated[
        Exact | None,
        Field(description="The numerator, where the figure is a ratio."),
    ] = None
    denominator: Annotated[
        Exact | None,
        Field(description="The denominator, where the figure is a ratio."),
    ] = None
    note: Annotated[
        str | None,
        Field(description="Why there is no value, or why it is no evidence."),
    ] = None
    reports: Annotated[
        tuple[int, ...],
        Field(description="The indexes of the events that reported it; empty if it was counted."),
    ] = ()


@dataclass(frozen=True, slots=True)
class Against:
    """The absolute and the relative difference of two figures."""

    difference: Annotated[
        Exact,
        Field(description="The difference, in points of percent or in the unit of the metric."),
    ]
    factor: Annotated[
        Exact,
        Field(description="The figure as a multiple of the other one."),
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class FigureChange(Against):
    """A figure against an earlier one of the same length of time."""

    since: str
    """The earlier period: the latest one with a figure, at most a year before."""
    percent: Exact | None = None
    """The difference in percent, if the earlier period is the one before."""


@dataclass(frozen=True, slots=True)
class Target:
    """A quarter's referrals against the agreed minimum (C10)."""

    minimum: Exact
    """The agreed minimum."""
    terms_version: int
    """The version of the terms, counted from 1."""
    attainment_percent: Exact
    """The figure in percent of the minimum."""
    shortfall: Exact
    """What is missing to the minimum."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FigureLine(Figure):
    """A metric's figure of one period and segment, with what it is compared to."""

    metric: str
    """The name of a metric of the catalogue."""
    period: str
    """A month (`2026-03`), a quarter (`2026-Q1`) or a year (`2026`)."""
    segment: str | None = None
    """A part of the whole, such as a campaign; null for the whole."""
    direction: Direction
    """Whether more is better, or less."""
    change: FigureChange | None = None
    """The change against the period before."""
    against_other_channels: Against | None = None
    """The figure against that of other channels, where both are known."""
    target: Target | None = None
    """The referrals of a quarter against the agreed minimum, if there is one."""
    posterior: Posterior | None = None
    """The posterior of the rate, if the figure counts successes of trials."""
    above_other_channels: Exact | None = None
    """The probability, from 0 to 1, that the partner's rate is above that of other channels."""


_LINE: TypeAdapter[FigureLine] = TypeAdapter(FigureLine)


def dump(line: FigureLine) -> Row:
    """Return a line as a JSON object; all but the value is absent where there is none."""
    return {"value": None, **_LINE.dump_python(line, mode="json", exclude_none=True)}


def load(dumped: Row) -> FigureLine:
    """Return the line of a JSON object. Raises `pydantic.ValidationError` for another shape."""
    return _LINE.validate_python(dumped)


@dataclass(frozen=True, slots=True)
class ObjectiveProgress:
    """An agreed objective and its figure so far (C8)."""

    objective: Objective
    """The objective as it was agreed."""
    actual: Figure | None
    """From the month of the charter to that of the deadline; null if there are no figures."""
    met: bool
    """Whether the target is reached."""

    @property
    def value(self) -> Decimal | None:
        """Return the value of the figure, if there is one."""
        return self.actual.value if self.actual else None


class Read(dict[str, Any]):
    """A reader of rows for several reports, which computes each period only once."""

    def __init__(self, rows: Rows) -> None:
        super().__init__(rows)
        self.known = _with_wholes(key for key in rows if key != AGREED)
        """The periods in which there is any figure."""
        self.wholes: dict[tuple[str, str, str, str], Figure | None] = {}


@exact
def ratio(
    metric: Metric, numerator: Decimal, denominator: Decimal, unit: str, source: str
) -> Figure:
    """Return numerator over denominator in the metric's unit, rounded half to even.

    Money has the digits of its currency, all else four.
    """
    if denominator == 0:
        return Figure(None, unit, source, numerator, denominator, "nothing to divide by")
    digits = Decimal(1).scaleb(-MINOR_UNITS[unit]) if unit in MINOR_UNITS else _DIGITS
    value = (numerator * metric.scale / denominator).quantize(digits, ROUND_HALF_EVEN)
    return Figure(value, unit, source, numerator, denominator)


def figure(
    rows: Rows, name: str, period: str, segment: str = "", unit: str | None = None
) -> Figure | None:
    """Return a metric's figure of a period; None if there is none.

    A reported figure takes precedence over a counted one, in each part of the period. If the whole
    has neither, its segments are combined, unless events count the metric.
    """
    metric = CATALOGUE[name]
    unit = unit or _only_unit(rows, metric, period)
    known = _whole(rows, metric, period, segment, unit)
    # A counted figure is already the whole: a campaign's figure is not added.
    if known or segment or metric.counted:
        return known
    return _of_segments(rows, metric, period, unit)


def ever(rows: Rows, name: str, unit: str) -> Figure | None:
    """Return a metric's figure over all years with figures; None if there is none."""
    years = sorted({each[:4] for each in rows if each != AGREED})
    known = [figure(rows, name, year, unit=unit) for year in years]
    return _together(CATALOGUE[name], [each for each in known if each], unit)


def units(rows: Rows, name: str) -> list[str]:
    """Return the units that a metric has figures in: one, or the currencies of money."""
    years = sorted({each[:4] for each in rows if each != AGREED})
    return sorted({unit for year in years for unit in _units(rows, CATALOGUE[name], year)})


def _parts(period: str) -> tuple[str, ...]:
    quarters = quarters_of(period)
    if len(quarters) > 1:
        return quarters
    return months_of(period) if quarters else ()


def _whole(rows: Rows, metric: Metric, period: str, segment: str, unit: str) -> Figure | None:
    """Return a period's reported figure, else the sum of its parts, else the counted figure."""
    if not isinstance(rows, Read):
        return _put_together(rows, metric, period, segment, unit)
    if period not in rows.known:
        return None
    asked = (metric.name, period, segment, unit)
    if asked not in rows.wholes:
        rows.wholes[asked] = _put_together(rows, metric, period, segment, unit)
    return rows.wholes[asked]


def _put_together(
    rows: Rows, metric: Metric, period: str, segment: str, unit: str
) -> Figure | None:
    by_tool = period_row(rows, period).reports.get((metric.name, segment, unit))
    if by_tool:
        tool, latest = max(by_tool.items(), key=lambda each: each[1].index)
        return _as_figure(metric, latest.figure, tool, latest.index)
    parts = _parts(period)
    if not parts:
        return _counted(rows, metric, period, segment, unit)
    found = [_whole(rows, metric, part, segment, unit) for part in parts]
    return _together(metric, [part for part in found if part], unit)


def _as_figure(
    metric: Metric, reported: reported_figure.ReportedFigure, tool: str, index: int
) -> Figure:
    unit, reports = reported.unit, (index,)
    if reported.numerator is not None and reported.denominator is not None:
        made = ratio(metric, reported.numerator, reported.denominator, unit, tool)
        return replace(made, reports=reports)
    note = "no denominator: insufficient evidence" if metric.adds is Adds.RATIO else None
    return Figure(reported.value, unit, tool, note=note, reports=reports)


@exact
def _together(metric: Metric, parts: list[Figure], unit: str) -> Figure | None:
    """Combine the figures of the parts of a period, or of all time, by the metric's rule."""
    if not parts:
        return None
    source = "+".join(dict.fromkeys(part.source for part in parts))
    reports = tuple(index for part in parts for index in part.reports)
    if metric.adds is Adds.LAST:
        return parts[-1]
    if metric.adds is Adds.SUM:
        total = sum((part.value or Decimal(0) for part in parts), Decimal(0))
        return Figure(total, unit, source, reports=reports)
    if any(part.denominator is None for part in parts):
        note = "rates without denominators cannot be added: insufficient evidence"
        return Figure(None, unit, source, note=note, reports=reports)
    numerator = sum((part.numerator or Decimal(0) for part in parts), Decimal(0))
    denominator = sum((part.denominator or Decimal(0) for part in parts), Decimal(0))
    return replace(ratio(metric, numerator, denominator, unit, source), reports=reports)


@exact
def _sum(row: PeriodRow, name: str, segment: str | None, unit: str) -> Decimal | None:
    """Return a counted sum of a month, of all segments if none is named, or None."""
    found = [
        amount
        for (counted, part, of), amount in row.sums.items()
        if counted == name and of == unit and (segment is None or part == segment)
    ]
    return sum(found, Decimal(0)) if found else None


def _counted(rows: Rows, metric: Metric, month: str, segment: str, unit: str) -> Figure | None:
    if not metric.counted:
        return None
    row = period_row(rows, month)
    if metric.adds is Adds.SUM:
        total = _sum(row, metric.name, segment or None, unit)
        return None if total is None else Figure(total, unit, COUNTED)
    if segment:
        return None
    of, by = CATALOGUE[metric.numerator], CATALOGUE[metric.denominator]
    money = of.unit is Unit.MONEY
    numerator = _sum(row, of.name, None, unit if money else of.unit.value)
    denominator = _sum(row, by.name, None, unit if money else by.unit.value)
    if denominator is None and numerator is None:
        return None
    return ratio(metric, numerator or Decimal(0), denominator or Decimal(0), unit, COUNTED)


def _of_segments(rows: Rows, metric: Metric, period: str, unit: str) -> Figure | None:
    found = [
        _whole(rows, metric, period, segment, unit)
        for segment in segments(rows, metric.name, period)
        if segment != OTHER_CHANNELS
    ]
    # Over time the last level counts; across segments, levels are added.
    adding = replace(metric, adds=Adds.SUM) if metric.adds is Adds.LAST else metric
    return _together(adding, [part for part in found if part], unit)


def _series(rows: Rows, period: str) -> Iterator[Series]:
    """Yield all keys with a figure in a period and its parts, possibly more than once."""
    for each in dict.fromkeys((period, *quarters_of(period), *months_of(period))):
        row = period_row(rows, each)
        yield from row.reports
        yield from row.sums


def segments(rows: Rows, name: str, period: str) -> list[str]:
    """Return the segments that a metric has figures for in a period, in order."""
    found = {segment for metric, segment, _ in _series(rows, period) if metric == name}
    return sorted(found - {""})


def _units(rows: Rows, metric: Metric, period: str) -> list[str]:
    if metric.unit is not Unit.MONEY:
        return [metric.unit.value]
    names = (metric.name, metric.numerator)
    found = {unit for name, _, unit in _series(rows, period) if name in names}
    return sorted(found & MINOR_UNITS.keys())


def _only_unit(rows: Rows, metric: Metric, period: str) -> str:
    return next(iter(_units(rows, metric, period)), metric.unit.value)


# --- reports -----------------------------------------------------------------------------------


def report(rows: Rows, period: str, metrics: Container[str] = CATALOGUE) -> list[FigureLine]:
    """Return every figure of a period, each with what it is compared to.

    `metrics` names those that are asked for; all, unless it is given.
    """
    found = []
    for metric in CATALOGUE.values():
        if metric.name not in metrics:
            continue
        for unit in _units(rows, metric, period):
            other = figure(rows, metric.name, period, OTHER_CHANNELS, unit)
            for segment in ("", *segments(rows, metric.name, period)):
                known = figure(rows, metric.name, period, segment, unit)
                if known:
                    line = _line(rows, metric, period, segment, known)
                    found.append(line if segment else _compared(rows, line, other))
    return found


def _line(rows: Rows, metric: Metric, period: str, segment: str, known: Figure) -> FigureLine:
    return FigureLine(
        known.value,
        known.unit,
        known.source,
        known.numerator,
        known.denominator,
        known.note,
        known.reports,
        metric=metric.name,
        period=period,
        segment=segment or None,
        direction=metric.direction,
        change=_changed(rows, metric, period, segment, known),
    )


def _a_year(period: str) -> range:
    """Count the periods of this length that make a year."""
    return range(12 // len(months_of(period)))


def _changed(
    rows: Rows, metric: Metric, period: str, segment: str, known: Figure
) -> FigureChange | None:
    """Compare to the latest earlier figure of a period as long, at most a year before."""
    earlier = preceding(period)
    for _ in _a_year(period):
        before = figure(rows, metric.name, earlier, segment, known.unit)
        if before and before.value is not None:
            break
        earlier = preceding(earlier)
    else:
        return None
    if not before.value or known.value is None:
        return None
    against = _against(known.value, before.value)
    is_next = earlier == preceding(period)
    percent = _percent(against.difference, before.value) if is_next else None
    return FigureChange(against.difference, against.factor, since=earlier, percent=percent)


@exact
def _against(value: Decimal, other: Decimal) -> Against:
    return Against(value - other, (value / other).quantize(_DIGITS, ROUND_HALF_EVEN))


@exact
def _compared(rows: Rows, line: FigureLine, other: Figure | None) -> FigureLine:
    if line.value is None:
        return line
    against = _against(line.value, other.value) if other and other.value else None
    minimum = minimum_for(line.period, agreed_row(rows)) if "Q" in line.period else None
    target = _target(line.value, minimum) if minimum and line.metric == "leads" else None
    return replace(line, against_other_channels=against, target=target)


def _target(value: Decimal, agreed: AgreedMinimum) -> Target:
    minimum = Decimal(agreed.minimum)
    attained = _percent(value, minimum) if minimum else Decimal(100)
    return Target(minimum, agreed.terms_version, attained, max(Decimal(0), minimum - value))


@exact
def _percent(part: Decimal, whole: Decimal) -> Decimal:
    return (part * 100 / whole).quantize(_CENT, ROUND_HALF_EVEN)


def with_posteriors(rows: Rows, lines: Iterable[FigureLine]) -> list[FigureLine]:
    """Return a report's lines, each proportion with its posterior (C21).

    The partner's line also gets the probability that its rate is above that of other channels,
    where both have denominators (C19).
    """
    agreed, lines = agreed_row(rows), list(lines)
    known = [
        belief(CATALOGUE[line.metric], line.period, line.numerator, line.denominator, agreed)
        for line in lines
    ]
    others = {
        (line.metric, line.period): each.posterior
        for line, each in zip(lines, known, strict=True)
        if each and line.segment == OTHER_CHANNELS
    }
    return [
        _believed(line, each, others.get((line.metric, line.period)))
        for line, each in zip(lines, known, strict=True)
    ]


def _believed(line: FigureLine, known: Belief | None, other: Beta | None) -> FigureLine:
    if known is None:
        if CATALOGUE[line.metric].of_trials and line.value is not None:
            return replace(line, note=line.note or _NO_TRIALS)
        return line
    above = None
    if other and line.segment is None:
        above = rounded(known.posterior.probability_above(other))
    return replace(line, posterior=posterior(known), above_other_channels=above)


# --- periods -----------------------------------------------------------------------------------


def periods(rows: Rows, *, closed: Iterable[str] = ()) -> list[str]:
    """Return the quarters in which there is any figure, and periods reported by name, in order."""
    named = {key for key in rows if key != AGREED} | set(closed)
    quarters = {quarter_of(each) if "-" in each else each for each in named}
    return sorted(quarters, key=bounds)


def concerned(rows: Rows, changed: Iterable[str]) -> list[str]:
    """Return the periods whose report may change when these rows change.

    They are the periods of the rows, the longer periods that contain them, and the later periods
    with figures that are compared to them.
    """
    touched = _with_wholes(key for key in changed if key != AGREED)
    known = Read(rows).known
    found = set(touched)
    for period in touched:
        later = period
        for _ in _a_year(period):
            later = following(later)
            found |= {later} & known
    # A new minimum is a new target of every quarter.
    return sorted(found.union(periods(rows) if AGREED in changed else ()))


def differing(before: PeriodRow, after: PeriodRow) -> set[str]:
    """Return the metrics whose figures may differ between two states of a period's row."""
    named = {
        name
        for old, new in ((before.reports, after.reports), (before.sums, after.sums))
        for (name, segment, unit), value in new.items()
        if old.get((name, segment, unit)) != value
    }
    return {
        each.name
        for each in CATALOGUE.values()
        if not named.isdisjoint((each.name, each.numerator, each.denominator))
    }


def _with_wholes(named: Iterable[str]) -> set[str]:
    return {
        whole
        for period in named
        for whole in (period, period[:4], *([quarter_of(period)] if "-" in period else []))
    }


# --- objectives --------------------------------------------------------------------------------


def objectives(rows: Rows) -> list[ObjectiveProgress]:
    """Return each agreed objective with its figure so far: target against actual (C8).

    The figure is of the time from the month of the charter to that of the deadline, put together
    from years, quarters and months as the metric adds up.
    """
    agreed = agreed_row(rows)
    if agreed.since is None:
        return []
    return [_progress(rows, each, agreed.since) for each in agreed.objectives]


def _progress(rows: Rows, objective: Objective, since: date) -> ObjectiveProgress:
    metric, unit = CATALOGUE[objective.metric], objective.unit
    spans = _spans(month_of(since), month_of(objective.deadline))
    known = [figure(rows, metric.name, each, unit=unit) for each in spans]
    actual = _together(metric, [each for each in known if each is not None], unit)
    value = actual.value if actual else None
    met = value is not None and _reaches(metric, value, objective.target)
    return ObjectiveProgress(objective, actual, met)


def _spans(first: str, last: str) -> Iterator[str]:
    """Yield the longest periods that together make the months from `first` to `last`."""
    end = bounds(last)[1]
    month = first
    while month <= last:
        start = bounds(month)[0]
        span = next(
            each
            for each in (month[:4], quarter_of(month), month)
            if bounds(each)[0] == start and bounds(each)[1] <= end
        )
        yield span
        month = month_of(bounds(span)[1])


def _reaches(metric: Metric, value: Decimal, target: Decimal) -> bool:
    return value >= target if metric.direction is Direction.UP else value <= target
