"""Figures of any period and segment, and what they are compared to (C19).

Rows have single periods (see `kpis`). Quarters and years are put together when they are read, each
metric in its own way: counts are added, ratios add numerators and denominators, levels keep the
last. What deals show is counted. A report of it is shown beside the count, and decides only where
both parties agreed that (`measured`).
"""

from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import ROUND_HALF_EVEN, Decimal
from functools import reduce
from typing import Annotated, Any, NamedTuple, TypeVar

from pydantic import Field, TypeAdapter

from domain import reported_figure
from domain.arithmetic import exact
from domain.calendar import (
    bounds,
    following,
    months_of,
    preceding,
    quarter_of,
)
from domain.described import described
from domain.metric_catalogue import CATALOGUE, Adds, Direction, MeasuredBy, Metric, Unit
from domain.proportions import Beta, rounded
from domain.reported_figure import OTHER_CHANNELS, Respondents
from domain.values import MINOR_UNITS, RECORDED, Exact, plain
from projections.beliefs import Belief, Posterior, ScoreBounds, belief, posterior, score_bounds
from projections.caveats import Caveat, CaveatCode
from projections.counted import FACTS
from projections.fold import Row, Rows
from projections.kpis import (
    AGREED,
    AgreedMinimum,
    AgreedRow,
    PeriodRow,
    Series,
    ToolReport,
    agreed_row,
    catalogue,
    is_period,
    minimum_for,
    period_row,
)
from projections.standing import months_in, periods_within, standing

K = TypeVar("K")

LEADS = "leads"
"""The metric of the referral minimum, which needs no agreed rule (C10)."""

COUNTED = "counted"
"""The source of a figure that is counted from events."""

_ZERO = Decimal(0)
_DIGITS = Decimal("0.0001")
_CENT = Decimal("0.01")

_NO_RATIO = Caveat(CaveatCode.NOTHING_TO_DIVIDE_BY, "nothing to divide by")

_UNCLEAR = Caveat(
    CaveatCode.SCORE_UNCLEAR, "insufficient evidence: promoters may be as many as detractors"
)

_EXCEEDS = Caveat(CaveatCode.TRIALS_EXCEEDED, "successes exceed trials: insufficient evidence")

_NOT_WHOLE = Caveat(CaveatCode.TRIALS_NOT_WHOLE, "trials are whole numbers: insufficient evidence")

_NO_PARTS = Caveat(CaveatCode.NO_DENOMINATOR, "no denominator: insufficient evidence")

_CANNOT_BE_ADDED = Caveat(
    CaveatCode.NO_DENOMINATOR,
    "rates without denominators cannot be added: insufficient evidence",
)


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
        Field(description="`counted`, or the tool that reported it."),
    ]
    numerator: Annotated[
        Exact | None,
        Field(description="The numerator, where the figure is a ratio."),
    ] = None
    denominator: Annotated[
        Exact | None,
        Field(description="The denominator, where the figure is a ratio."),
    ] = None
    caveats: Annotated[
        tuple[Caveat, ...],
        Field(description="Why there is no value, or why it is no evidence; empty if neither."),
    ] = ()
    reports: Annotated[
        tuple[int, ...],
        Field(description="The indexes of the events that reported it; empty if it was counted."),
    ] = ()
    respondents: Annotated[
        Respondents | None,
        Field(description="The respondents of whom a net promoter score is made."),
    ] = None
    adopted: Annotated[
        bool | None,
        Field(description="True if it came in, wholly or in part, by the adoption; else null."),
    ] = None
    disputed: Annotated[
        tuple[str, ...] | None,
        Field(description="The parties that report it differently, so that none counts; or null."),
    ] = None

    @property
    def note(self) -> str | None:
        """The caveats in words, or None."""
        return "; ".join(each.text for each in self.caveats) or None


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


@described
@dataclass(frozen=True, slots=True, kw_only=True)
class FigureChange(Against):
    """A figure against an earlier one of the same length of time."""

    since: str
    """The earlier period: the latest one with a figure, at most a year before."""
    percent: Exact | None = None
    """The difference in percent, if the earlier period is the one before."""


@described
@dataclass(frozen=True, slots=True)
class Target:
    """A party's referrals of a quarter against the minimum that the frame has for it (C10).

    It counts leads as they are stated, as the figures do. A fee for missing leads is an item of the
    terms, and counts accepted leads alone (docs/settlement.md).
    """

    party: str
    """The party."""
    value: Exact
    """The leads that it stated and the other party did not reject."""
    minimum: Exact
    """The agreed minimum."""
    terms_version: int
    """The version of the terms, counted from 1."""
    attainment_percent: Exact
    """The referrals in percent of the minimum."""
    shortfall: Exact
    """What is missing to the minimum."""


@described
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
    reported: tuple[Figure, ...] = ()
    """What other tools report of the same: beside a count each, beside a report those that do not
    count. The one that would count next comes first."""
    target: Target | None = None
    """The referrals of a quarter against the agreed minimum, if there is one: those of the party
    that falls short most, where both have one."""
    posterior: Posterior | None = None
    """The posterior of the rate, if the figure counts successes of trials."""
    score: ScoreBounds | None = None
    """The bounds of a net promoter score, if its respondents are known."""
    above_other_channels: Exact | None = None
    """The probability, from 0 to 1, that the partner's rate is above that of other channels."""


_LINE: TypeAdapter[FigureLine] = TypeAdapter(FigureLine)


def dump(line: FigureLine) -> Row:
    """Return a line as a JSON object; all but the value is absent where there is none."""
    return {"value": None, **_LINE.dump_python(line, mode="json", exclude_none=True)}


def load(dumped: Row) -> FigureLine:
    """Return the line of a JSON object. Raises `pydantic.ValidationError` for another shape."""
    return _LINE.validate_python(dumped, context=RECORDED)


class Read(dict[str, Any]):
    """A reader of rows for several reports, which computes each period only once."""

    def __init__(self, rows: Rows) -> None:
        super().__init__({key: row for key, row in rows.items() if not key.startswith(FACTS)})
        self.known = _with_wholes(filter(is_period, rows))
        """The periods in which there is any figure."""
        self.cached: dict[tuple[object, ...], Figure | None] = {}


@exact
def ratio(
    metric: Metric, numerator: Decimal, denominator: Decimal, unit: str, source: str
) -> Figure:
    """Return numerator over denominator in the metric's unit, rounded half to even.

    Money has the digits of its currency, all else four.
    """
    if denominator == 0:
        return Figure(None, unit, source, numerator, denominator, (_NO_RATIO,))
    digits = Decimal(1).scaleb(-MINOR_UNITS[unit]) if unit in MINOR_UNITS else _DIGITS
    value = (numerator * metric.scale / denominator).quantize(digits, ROUND_HALF_EVEN)
    return Figure(value, unit, source, numerator, denominator)


def figure(  # noqa: PLR0913, PLR0917 - what a figure is
    rows: Rows,
    name: str,
    period: str,
    segment: str = "",
    unit: str | None = None,
    measured: MeasuredBy = "count",
    tool: str | None = None,
    by: str | None = None,
) -> Figure | None:
    """Return a metric's figure of a period; None if there is none. Money needs its `unit`.

    A metric that deals show is counted, unless `measured` says that the report decides. Customers
    from other channels are in no deal, so their figures are always reported. A reported figure is
    that of a `tool`, or else that of the tool that counts. Of a disputed one it is what a party
    (`by`) says of it.
    """
    if isinstance(rows, Read):
        if period not in rows.known:
            return None
        asked = (name, period, segment, unit, measured, tool, by)
        if asked not in rows.cached:
            rows.cached[asked] = over(rows, name, months_of(period), *asked[2:])
        return rows.cached[asked]
    return over(rows, name, months_of(period), segment, unit, measured, tool, by)


def nothing_counted(metric: Metric, unit: str | None) -> Figure:
    """Return the figure of a period in which deals or entries show nothing: zero in its unit."""
    return Figure(_ZERO, unit or metric.unit.value, COUNTED)


def over(  # noqa: PLR0913, PLR0917 - as above
    rows: Rows,
    name: str,
    months: tuple[str, ...],
    segment: str = "",
    unit: str | None = None,
    measured: MeasuredBy = "count",
    tool: str | None = None,
    by: str | None = None,
) -> Figure | None:
    """Return a metric's figure of consecutive months; None if there is none.

    Of a reported metric, it is that of a `tool`, or else that of the tool that counts. Of a
    disputed figure it is what a party (`by`) says of it.
    """
    metric = catalogue(rows)[name]
    unit = unit or metric.unit.value
    if metric.counted and measured == "count" and segment != OTHER_CHANNELS:
        return _counted(rows, metric, months, segment, unit)
    return _reported(rows, metric, months, segment, unit, tool, by)


def shown(
    rows: Rows, name: str, period: str, segment: str = "", unit: str | None = None
) -> Figure | None:
    """Return what is shown of a metric: its figure or, where deals show nothing, what is reported.

    No rule is judged by it, and no objective.
    """
    count = figure(rows, name, period, segment, unit)
    return count or figure(rows, name, period, segment, unit, "report")


def ever(rows: Rows, name: str, unit: str, segment: str = "") -> Figure | None:
    """Return what is shown of a metric over all years with figures; None if there is none."""
    months = tuple(month for year in _years(rows) for month in months_of(year))
    count = over(rows, name, months, segment, unit)
    return count or over(rows, name, months, segment, unit, "report")


def rates_of(rows: Rows, segment: str = "") -> list[tuple[Metric, Figure]]:
    """Return each reported rate of a segment, or of the whole, over all years with figures.

    Only rates with their denominators are returned, in the order of the catalogue.
    """
    years = _years(rows)
    months = tuple(month for year in years for month in months_of(year))
    named = {name for year in years for name, of, _ in _series(rows, year) if segment in {"", of}}
    rates = (
        (each, over(rows, each.name, months, segment, measured="report"))
        for each in CATALOGUE.values()
        if each.of_trials and each.name in named
    )
    return [(metric, rate) for metric, rate in rates if rate and rate.denominator]


_OF_TRIALS = {each.name for each in CATALOGUE.values() if each.of_trials}
"""The metrics that count successes of trials."""


def bare_rates_of(rows: Rows, segment: str) -> list[tuple[Metric, str, Decimal]]:
    """Return the metric, the period and the value of each rate of a segment without a denominator.

    Of each metric it is the one of the latest period, in the order of the catalogue.
    """
    found: dict[str, tuple[Metric, str, Decimal]] = {}
    for period in sorted(filter(is_period, rows), key=bounds):
        reported = {name for name, of in period_row(rows, period).reports if of == segment}
        for name in reported & _OF_TRIALS:
            rate = over(rows, name, months_of(period), segment, measured="report")
            if rate and rate.value is not None and rate.denominator is None:
                found[name] = (CATALOGUE[name], period, rate.value)
    return [found[name] for name in CATALOGUE if name in found]


def sums_of(rows: Rows, segment: str) -> list[tuple[Metric, Figure]]:
    """Return the sum of each reported count or amount of a segment, over all years with figures."""
    years = _years(rows)
    months = tuple(month for year in years for month in months_of(year))
    named = {
        (name, unit) for year in years for name, of, unit in _series(rows, year) if of == segment
    }
    sums = (
        (metric, over(rows, name, months, segment, unit, "report"))
        for name, unit in sorted(named)
        if (metric := catalogue(rows)[name]).adds is Adds.SUM
    )
    return [(metric, figure) for metric, figure in sums if figure and figure.value is not None]


def tools_of(
    rows: Rows, name: str, period: str, segment: str = "", unit: str | None = None
) -> Container[str]:
    """Return the tools that reported a metric's figure of a period as a whole."""
    metric = catalogue(rows)[name]
    return _by_tool(period_row(rows, period), metric, segment, unit or metric.unit.value)


def units(rows: Rows, name: str) -> list[str]:
    """Return the units that a metric has figures in: one, or the currencies of money."""
    metric = catalogue(rows)[name]
    return sorted({unit for year in _years(rows) for unit in _units(_series(rows, year), metric)})


def _years(rows: Rows) -> list[str]:
    return sorted({each[:4] for each in rows if is_period(each)})


# --- what tools report -------------------------------------------------------------------------


class _Told(NamedTuple):
    """A figure, when it was stated last, and the parties that state it."""

    figure: Figure
    at: datetime
    by: frozenset[str]


def _reported(  # noqa: PLR0913, PLR0917 - as above
    rows: Rows,
    metric: Metric,
    months: tuple[str, ...],
    segment: str,
    unit: str,
    tool: str | None = None,
    by: str | None = None,
) -> Figure | None:
    """Return the figure of a tool, or of the tool that counts."""
    found = _of_each_tool(rows, metric, months, segment, unit, by)
    if tool is not None:
        return next((each.figure for each in found if each.figure.source == tool), None)
    return _chosen(found, agreed_row(rows), metric.name, segment, by)


def _chosen(
    found: list[_Told], agreed: AgreedRow, metric: str, segment: str, by: str | None = None
) -> Figure | None:
    """Return the figure that counts of those of several tools (docs/decisions/0005).

    That of the agreed tool counts, then those of the agreed giver, then what both parties state.
    Without any of these, figures of several parties that differ are disputed.
    """
    tool, giver = agreed.tool_for(metric, segment), agreed.givers.get(metric)
    preferred = (
        [each for each in found if each.figure.source == tool],
        [each for each in found if giver in each.by],
        [each for each in found if len(each.by) > 1],
    )
    if first := next(filter(None, preferred), None):
        return first[0].figure
    own = [each for each in found if by in each.by] or found
    disputed = None if by is not None else _dispute(found)
    return disputed or next((each.figure for each in own), None)


def _dispute(found: list[_Told]) -> Figure | None:
    """Return the figure that several parties report differently, each by its own tool, or None."""
    by_party: dict[str, Figure] = {}
    for told in found:
        for party in told.by:
            by_party.setdefault(party, told.figure)
    said = {_parts(each) for each in by_party.values()}
    if len(said) < 2:  # noqa: PLR2004 - of one figure nothing differs
        return None
    return _disputed(by_party, "both agree whose tool counts")


def _no_evidence(said: str, until: str) -> tuple[Caveat]:
    text = f"{said}: insufficient evidence until {until}"
    return (Caveat(CaveatCode.DISPUTED, text),)


def _disputed(by_party: Mapping[str, Figure], until: str) -> Figure:
    """Return a figure without a value, because each party reports another one."""
    told_by = sorted(by_party.items())
    first = next(iter(by_party.values()))
    both = " and ".join(f"{party} reported {_in_words(each)}" for party, each in told_by)
    return Figure(
        None,
        first.unit,
        first.source,
        caveats=_no_evidence(both, until),
        reports=tuple(sorted({index for each in by_party.values() for index in each.reports})),
        disputed=tuple(sorted(by_party)),
    )


def _parts(of: Figure) -> tuple[object, ...]:
    return of.value, of.numerator, of.denominator, of.respondents


def _in_words(of: Figure) -> str:
    value = "no value" if of.value is None else f"{plain(of.value)} {of.unit}"
    return f"{value} by {of.source}"


def _of_each_tool(  # noqa: PLR0913, PLR0917 - as above
    rows: Rows,
    metric: Metric,
    months: tuple[str, ...],
    segment: str,
    unit: str,
    by: str | None = None,
) -> list[_Told]:
    """Return each tool's figure: first that of most of these months, of equals the latest."""
    by_tool: dict[str, dict[str, _Told]] = {}
    adopted = agreed_row(rows).adopted
    for period in periods_within(months):
        if period in rows:
            row = period_row(rows, period)
            for tool, told in _by_tool(row, metric, segment, unit, by).items():
                stream = f"metric/{metric.name}/{segment or '-'}/{period}/{tool}"
                came = replace(told.figure, adopted=True) if stream in adopted else told.figure
                by_tool.setdefault(tool, {})[period] = told._replace(figure=came)
    ranked: dict[tuple[int, datetime, str], _Told] = {}
    for tool, by_period in by_tool.items():
        periods = standing(by_period)
        last = max(by_period[each].at for each in periods)
        own = months_of(periods[0]) == months
        stated = [by_period[each] for each in periods]
        parts = [each.figure for each in stated]
        figure = parts[0] if own else _together(metric, parts, unit)
        told = _Told(figure, last, _authors(stated))
        if len(by_period) > len(periods):
            told = _beside_wholes(metric, by_period, told, by)
        ranked[months_in(periods), last, tool] = told
    return [ranked[rank] for rank in sorted(ranked, reverse=True)]


def _beside_wholes(
    metric: Metric, by_period: Mapping[str, _Told], told: _Told, by: str | None
) -> _Told:
    """Return what a tool says, unless one party's months differ from the other's quarter or year.

    One party's months do not replace what the other party alone said of their quarter. Of a party
    (`by`) that stated the quarter, that is what counts.
    """
    unit, periods = told.figure.unit, standing(by_period)
    for period in sorted(set(by_period).difference(periods), key=bounds):
        whole, months = by_period[period], frozenset(months_of(period))
        inside = [each for each in periods if months.issuperset(months_of(each))]
        authors = frozenset[str]().union(*(by_period[each].by for each in inside))
        if not inside or whole.by & authors:
            continue
        together = _together(metric, [by_period[each].figure for each in inside], unit)
        if _parts(together) == _parts(whole.figure):
            continue
        if by in whole.by:
            own = sorted({*periods, period}.difference(inside), key=bounds)
            parts = [by_period[each].figure for each in own]
            return _Told(_together(metric, parts, unit), told.at, whole.by)
        if by is None:
            said = {**dict.fromkeys(authors, together), **dict.fromkeys(whole.by, whole.figure)}
            return _Told(_disputed(said, "one corrects its own"), told.at, authors | whole.by)
    return told


def _by_tool(
    row: PeriodRow, metric: Metric, segment: str, unit: str, by: str | None = None
) -> dict[str, _Told]:
    """Return each tool's figure of a period, and when it was stated last.

    A whole that a tool does not report is the sum of its segments. Campaigns are only a part of
    what deals show, so this is not done for a metric that is counted.
    """
    whole = _said(row, metric, segment, unit, by)
    if segment or metric.counted:
        return whole
    parts: dict[str, list[_Told]] = {}
    for name, of in sorted(row.reports):
        if name == metric.name and of not in {"", OTHER_CHANNELS}:
            for tool, told in _said(row, metric, of, unit, by).items():
                parts.setdefault(tool, []).append(told)
    # Over time the last level counts; across segments, levels are added.
    adding = replace(metric, adds=Adds.SUM) if metric.adds is Adds.LAST else metric
    for tool, each in parts.items():
        added = _together(adding, [part.figure for part in each], unit)
        if tool not in whole and added is not None:
            whole[tool] = _Told(added, max(part.at for part in each), _authors(each))
    return whole


def _authors(parts: list[_Told]) -> frozenset[str]:
    """Return who states all parts of a figure or, if nobody does, who states the last one."""
    return frozenset.intersection(*(each.by for each in parts)) or parts[-1].by


def _said(
    row: PeriodRow, metric: Metric, segment: str, unit: str, by: str | None = None
) -> dict[str, _Told]:
    found = {}
    for tool, report in row.reports.get((metric.name, segment), {}).items():
        contested, authors = report.contested, report.authors
        said = next((each for each in contested if each.by == by), None) or report.standing
        if said is not None and said.figure.unit == unit:
            found[tool] = _Told(_as_figure(metric, said.figure, tool, said.index), said.at, authors)
        elif any(each.figure.unit == unit for each in contested):
            at = max(each.at for each in contested)
            found[tool] = _Told(_contested(report, tool, unit), at, authors)
    return found


def _contested(report: ToolReport, tool: str, unit: str) -> Figure:
    """Return a figure of which the parties say different things: all of them, and no value."""
    said, objectors = report.contested, sorted(report.objectors)
    words = [f"{each.by} reported {each.figure}" for each in said]
    words += [f"{each} objects" for each in objectors]
    until = "one corrects its own" if len(said) > 1 else "it is confirmed or corrected"
    return Figure(
        None,
        unit,
        tool,
        caveats=_no_evidence(" and ".join(words), until),
        reports=tuple(each.index for each in said),
        disputed=tuple(sorted({*(each.by for each in said), *objectors})),
    )


def _as_figure(
    metric: Metric, reported: reported_figure.ReportedFigure, tool: str, index: int
) -> Figure:
    unit, reports = reported.unit, (index,)
    if reported.ratio is not None:
        made = ratio(metric, *reported.ratio, unit, tool)
        return replace(made, reports=reports, respondents=reported.respondents)
    caveats = (_NO_PARTS,) if metric.adds is Adds.RATIO else ()
    return Figure(reported.value, unit, tool, caveats=caveats, reports=reports)


@exact
def _together(metric: Metric, parts: list[Figure], unit: str) -> Figure:
    """Combine one tool's figures of periods, or of segments, by the metric's rule."""
    if metric.adds is Adds.LAST:
        return parts[-1]
    adopted = any(part.adopted for part in parts) or None
    return replace(_combined(metric, parts, unit), adopted=adopted)


def _combined(metric: Metric, parts: list[Figure], unit: str) -> Figure:
    source = parts[-1].source
    reports = tuple(index for part in parts for index in part.reports)
    unclear = (part for part in parts if part.value is None and part.denominator is None)
    if contested := next(unclear, None):
        return replace(contested, source=source, reports=reports)
    if metric.adds is Adds.SUM:
        total = sum((part.value or _ZERO for part in parts), _ZERO)
        return Figure(total, unit, source, reports=reports)
    if any(part.denominator is None for part in parts):
        return Figure(None, unit, source, caveats=(_CANNOT_BE_ADDED,), reports=reports)
    numerator = sum((part.numerator or _ZERO for part in parts), _ZERO)
    denominator = sum((part.denominator or _ZERO for part in parts), _ZERO)
    together = ratio(metric, numerator, denominator, unit, source)
    return replace(together, reports=reports, respondents=_respondents(parts))


def _respondents(parts: list[Figure]) -> Respondents | None:
    known = [each.respondents for each in parts if each.respondents is not None]
    return reduce(Respondents.plus, known) if known and len(known) == len(parts) else None


# --- what deals show ---------------------------------------------------------------------------


@exact
def _counted(
    rows: Rows, metric: Metric, months: tuple[str, ...], segment: str, unit: str
) -> Figure | None:
    if metric.adds is Adds.SUM:
        total = _sum(rows, metric.name, months, segment or None, unit)
        return None if total is None else Figure(total, unit, COUNTED)
    if segment:
        return None
    of, by = CATALOGUE[metric.numerator], CATALOGUE[metric.denominator]
    money = of.unit is Unit.MONEY
    numerator = _sum(rows, of.name, months, None, unit if money else of.unit.value)
    denominator = _sum(rows, by.name, months, None, unit if money else by.unit.value)
    if denominator is None and numerator is None:
        return None
    return ratio(metric, numerator or _ZERO, denominator or _ZERO, unit, COUNTED)


def _sum(
    rows: Rows, name: str, months: tuple[str, ...], segment: str | None, unit: str
) -> Decimal | None:
    """Return a counted sum of months, of all segments if none is named, or None.

    What deals show is in months. A contribution is in the period that it names.
    """
    amounts = [
        found.amount
        for period in periods_within(months)
        if period in rows
        for (counted, part, of), found in period_row(rows, period).sums.items()
        if counted == name and of == unit and (segment is None or part == segment)
    ]
    return sum(amounts, _ZERO) if amounts else None


# --- segments and units ------------------------------------------------------------------------


def _series(rows: Rows, period: str) -> Iterator[Series]:
    """Yield all keys with a figure in a period and its parts, possibly more than once."""
    for each in periods_within(months_of(period)):
        row = period_row(rows, each)
        yield from row.sums
        for (metric, segment), by_tool in row.reports.items():
            for report in by_tool.values():
                for said in filter(None, (report.standing, *report.contested)):
                    yield metric, segment, said.figure.unit


def segments(rows: Rows, name: str, period: str) -> list[str]:
    """Return the segments that a metric has figures for in a period, in order."""
    return _segments(_series(rows, period), name)


def _segments(series: Iterable[Series], name: str) -> list[str]:
    found = {segment for metric, segment, _ in series if metric == name}
    return sorted(found - {""})


def _units(series: Iterable[Series], metric: Metric) -> list[str]:
    if metric.unit is not Unit.MONEY:
        return [metric.unit.value]
    names = (metric.name, metric.numerator)
    found = {unit for name, _, unit in series if name in names}
    return sorted(found & MINOR_UNITS.keys())


# --- reports -----------------------------------------------------------------------------------


def report(rows: Rows, period: str, metrics: Container[str] | None = None) -> list[FigureLine]:
    """Return every figure of a period, each with what it is compared to.

    `metrics` names those that are asked for; all, unless it is given.
    """
    found = []
    series = set(_series(rows, period))
    for metric in catalogue(rows).values():
        if metrics is not None and metric.name not in metrics:
            continue
        for unit in _units(series, metric):
            other = shown(rows, metric.name, period, OTHER_CHANNELS, unit)
            for segment in ("", *_segments(series, metric.name)):
                line = _line(rows, metric, period, segment, unit)
                if line:
                    found.append(line if segment else _compared(rows, line, other))
    return found


def _line(rows: Rows, metric: Metric, period: str, segment: str, unit: str) -> FigureLine | None:
    """Return a metric's line: the count, with what is reported beside it, or the report."""
    is_counted = metric.counted and segment != OTHER_CHANNELS
    count = figure(rows, metric.name, period, segment, unit) if is_counted else None
    report = figure(rows, metric.name, period, segment, unit, "report")
    measured: MeasuredBy = "report" if count is None else "count"
    known = count or report
    if known is None:
        return None
    told = _of_each_tool(rows, metric, months_of(period), segment, unit) if report else []
    tools = [each.figure for each in told if count or each.figure != report]
    if report and known.disputed is None:
        tools += _of_the_whole_and_its_parts(rows, metric, period, segment, unit)
    return FigureLine(
        known.value,
        known.unit,
        known.source,
        known.numerator,
        known.denominator,
        known.caveats,
        known.reports,
        known.respondents,
        known.adopted,
        known.disputed,
        metric=metric.name,
        period=period,
        segment=segment or None,
        direction=metric.direction,
        change=_changed(rows, metric, period, segment, known, measured),
        reported=tuple(tools),
    )


def _of_the_whole_and_its_parts(
    rows: Rows, metric: Metric, period: str, segment: str, unit: str
) -> Iterator[Figure]:
    """Yield what a tool reported of a quarter or year, or of its months, and does not count.

    A caveat says which it is.
    """
    within = [each for each in periods_within(months_of(period)) if each in rows]
    if period not in within or within == [period]:
        return
    by_period = {each: _by_tool(period_row(rows, each), metric, segment, unit) for each in within}
    for tool, told in by_period[period].items():
        parts = [each for each in within if each != period and tool in by_period[each]]
        if not parts:
            continue
        shorter = standing(parts)
        if period not in standing([*parts, period]):
            whole = Caveat(CaveatCode.WHOLE_PERIOD, f"for {period} as a whole")
            yield replace(told.figure, caveats=(whole,))
        elif metric.adds is not Adds.LAST:
            figures = [by_period[each][tool].figure for each in shorter]
            together = _together(metric, figures, unit)
            parts_of = Caveat(CaveatCode.SUM_OF_PARTS, f"the sum of {' and '.join(shorter)}")
            yield replace(together, caveats=(parts_of,))


def _a_year(period: str) -> range:
    """Count the periods of this length that make a year."""
    return range(12 // len(months_of(period)))


def _changed(  # noqa: PLR0913, PLR0917 - as above
    rows: Rows, metric: Metric, period: str, segment: str, known: Figure, measured: MeasuredBy
) -> FigureChange | None:
    """Compare to the latest earlier figure of a period as long, at most a year before."""
    earlier = preceding(period)
    for _ in _a_year(period):
        before = figure(rows, metric.name, earlier, segment, known.unit, measured)
        if before and before.value is not None:
            break
        earlier = preceding(earlier)
    else:
        return None
    if not before.value or known.value is None:
        return None
    against = _against(known.value, before.value)
    # A score can be below zero, so its change is in points.
    is_next = earlier == preceding(period) and metric.unit is not Unit.SCORE
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
    found = targets(rows, line.period, minimum) if minimum and line.metric == LEADS else []
    return replace(line, against_other_channels=against, target=found[0] if found else None)


def targets(rows: Rows, quarter: str, agreed: AgreedMinimum) -> list[Target]:
    """Return the referrals of each party that has a minimum; what falls short most comes first."""
    found = []
    for party, least in sorted(agreed.by_party.items()):
        if least:
            brought = figure(rows, LEADS, quarter, unit=party)
            value = brought.value if brought and brought.value is not None else _ZERO
            minimum, version = Decimal(least), agreed.terms_version
            attained, short = _percent(value, minimum), max(_ZERO, minimum - value)
            found.append(Target(party, value, minimum, version, attained, short))
    return sorted(found, key=lambda each: -each.shortfall)


@exact
def _percent(part: Decimal, whole: Decimal) -> Decimal:
    return (part * 100 / whole).quantize(_CENT, ROUND_HALF_EVEN)


def with_posteriors(rows: Rows, lines: Iterable[FigureLine]) -> list[FigureLine]:
    """Return a report's lines, each proportion with its posterior (C21).

    The partner's line also gets the probability that its rate is above that of other channels,
    where both have denominators (C19).
    """
    agreed, lines = agreed_row(rows), list(lines)
    metrics = agreed.catalogue
    known = [
        belief(metrics[line.metric], line.period, line.numerator, line.denominator, agreed)
        for line in lines
    ]
    others = {
        (line.metric, line.period): each.posterior
        for line, each in zip(lines, known, strict=True)
        if each and line.segment == OTHER_CHANNELS
    }
    return [
        _believed(line, metrics[line.metric], each, others.get((line.metric, line.period)))
        for line, each in zip(lines, known, strict=True)
    ]


def _believed(
    line: FigureLine, metric: Metric, known: Belief | None, other: Beta | None
) -> FigureLine:
    if known is None:
        if line.respondents is not None and line.respondents.total:
            return _scored(line, score_bounds(line.respondents))
        if metric.of_trials and line.value is not None:
            return replace(line, caveats=line.caveats or (_no_trials(line),))
        return line
    above = None
    if other and line.segment is None:
        above = rounded(known.posterior.probability_above(other))
    return replace(line, posterior=posterior(known), above_other_channels=above)


def _no_trials(line: FigureLine) -> Caveat:
    parts = filter(None, (line.numerator, line.denominator))
    return _NOT_WHOLE if any(each % 1 for each in parts) else _EXCEEDS


def _scored(line: FigureLine, score: ScoreBounds) -> FigureLine:
    unclear = score.low <= 0 <= score.high
    return replace(line, score=score, caveats=line.caveats or ((_UNCLEAR,) if unclear else ()))


# --- periods -----------------------------------------------------------------------------------


def periods(rows: Rows, *, closed: Iterable[str] = ()) -> list[str]:
    """Return the quarters in which there is any figure, and periods reported by name, in order."""
    named = set(filter(is_period, rows)) | set(closed)
    quarters = {quarter_of(each) if "-" in each else each for each in named}
    return sorted(quarters, key=bounds)


def concerned(rows: Rows, changed: Iterable[str]) -> list[str]:
    """Return the periods whose report may change when these rows change.

    They are the periods of the rows, the longer periods that contain them, and the later periods
    with figures that are compared to them. What is agreed concerns every period: it sets targets,
    and it says which figures are shown.
    """
    touched = _with_wholes(filter(is_period, changed))
    known = Read(rows).known
    found = set(touched)
    for period in touched:
        later = period
        for _ in _a_year(period):
            later = following(later)
            found |= {later} & known
    return sorted(found.union(known if AGREED in changed else ()))


def differing(before: PeriodRow, after: PeriodRow) -> set[str]:
    """Return the metrics whose figures may differ between two states of a period's row."""
    counts, reports = (before.sums, after.sums), (before.reports, after.reports)
    named = {
        *(key[0] for key in {**counts[0], **counts[1]} if _differs(*counts, key)),
        *(key[0] for key in {**reports[0], **reports[1]} if _differs(*reports, key)),
    }
    return named | {
        each.name
        for each in CATALOGUE.values()
        if not named.isdisjoint((each.name, each.numerator, each.denominator))
    }


def _differs(before: Mapping[K, object], after: Mapping[K, object], key: K) -> bool:
    return before.get(key) != after.get(key)


def _with_wholes(named: Iterable[str]) -> set[str]:
    return {
        whole
        for period in named
        for whole in (period, period[:4], *([quarter_of(period)] if "-" in period else []))
    }
