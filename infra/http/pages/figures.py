"""The figures of a partnership by period, as a table in groups and as charts.

A chart is for what the parties agreed something about: a target, a minimum or a rule; or for what
other channels have, too. Its limit is beside the figures that it concerns.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Final, NamedTuple

from domain.metric_catalogue import METRIC_GROUPS, Unit, metric_words
from infra.answers.kpis import Kpis, LimitedFigure, limit_in_words
from infra.answers.text import number, tenth
from infra.http.pages import shown
from projections.figures import FigureLine
from projections.objectives import ObjectiveProgress

WIDTH: Final = 400
HEIGHT: Final = 150
"""The size of a chart, in pixels."""

_LEFT, _RIGHT, _TOP, _FLOOR = 4, 290, 26, 128
BAR: Final = 32
"""The width of a bar, in pixels."""

OWN: Final = "Metrics of their own"
"""The group of the metrics that both parties defined beyond the catalogue."""

_GROUPS: Final = {
    metric.name: group for group, metrics in METRIC_GROUPS.items() for metric in metrics
}


class Agreed(NamedTuple):
    """What the parties agreed about a metric, in words, and the event that agreed it."""

    text: str
    event: int | None
    """None for what terms or the charter say, which the page has beside."""


@dataclass(frozen=True, slots=True)
class Row:
    """A metric by period."""

    metric: str
    segment: str | None
    unit: str
    figures: tuple[LimitedFigure | None, ...]
    agreed: tuple[Agreed, ...]

    @property
    def title(self) -> str:
        """The metric in words, with its segment."""
        return shown.sentence(metric_words(self.metric, self.segment))

    @property
    def known(self) -> list[LimitedFigure]:
        """The figures that there are."""
        return [each for each in self.figures if each and each.value is not None]


class Group(NamedTuple):
    """Rows about the same."""

    name: str
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Figures:
    """The figures of the last periods."""

    periods: tuple[str, ...]
    groups: tuple[Group, ...]

    @property
    def count(self) -> int:
        """The number of rows."""
        return sum(len(each.rows) for each in self.groups)

    @property
    def running(self) -> frozenset[str]:
        """The periods that are not over."""
        found = (each for group in self.groups for row in group.rows for each in row.figures)
        return frozenset(each.period for each in found if each and not each.is_over)

    @property
    def charts(self) -> list["Chart"]:
        """The charts of what has a limit, a target or something to be compared with."""
        rows = [row for group in self.groups for row in group.rows if _is_charted(row)]
        return [Chart.of(row, self.periods) for row in rows]


def figures_of(kpis: Kpis, periods: Sequence[str]) -> Figures:
    """Return the figures of these periods, by what they are about."""
    found = {(each.metric, each.segment, each.unit, each.period): each for each in kpis.figures}
    groups: dict[str, list[Row]] = {}
    for name, segment, unit in dict.fromkeys(key[:3] for key in found if key[3] in periods):
        figures = tuple(found.get((name, segment, unit, of)) for of in periods)
        agreed = tuple(_agreed(name, segment, figures, kpis.objectives))
        row = Row(name, segment, unit, figures, agreed)
        groups.setdefault(_GROUPS.get(name, OWN), []).append(row)
    order = [each for each in (*METRIC_GROUPS, OWN) if each in groups]
    return Figures(tuple(periods), tuple(Group(of, tuple(groups[of])) for of in order))


def _agreed(
    metric: str,
    segment: str | None,
    figures: Iterable[LimitedFigure | None],
    objectives: Iterable[ObjectiveProgress],
) -> Iterator[Agreed]:
    limits: dict[str, Agreed] = {}
    for each in filter(None, figures):
        for limit in each.limits:
            words = limit_in_words(limit, each.unit)
            limits[limit.rule] = Agreed(f"{words} ({limit.rule})", limit.event)
        if each.target:
            least = number(each.target.minimum)
            limits["minimum"] = Agreed(f"at least {least} each quarter by the terms", None)
    yield from limits.values()
    for progress in objectives:
        of = progress.objective
        if (of.metric, of.segment) == (metric, segment):
            target = shown.figure(of.target, of.unit)
            yield Agreed(f"target {progress.limit}{target} by {of.deadline.isoformat()}", None)


def is_beyond(figure: LimitedFigure) -> bool:
    """Return whether a figure of a period that is over is beyond a limit or short of a minimum."""
    if not figure.is_over:
        return False
    is_short = figure.target is not None and figure.target.shortfall > 0
    return is_short or any(each.passed for each in figure.limits)


# --- charts ------------------------------------------------------------------------------------


class Bar(NamedTuple):
    """A figure of a period, in pixels."""

    period: str
    value: str
    x: int
    y: int
    """The top of the bar, or where the ring of a rate is."""
    height: int
    is_running: bool
    is_beyond: bool
    likely: tuple[int, int, int] | None
    """Of a rate: the upper end, the mean and the lower end of its likely range."""


class Level(NamedTuple):
    """A line across a chart: a limit, or what the figures are compared with."""

    words: str
    y: int
    is_limit: bool


@dataclass(frozen=True, slots=True)
class Chart:
    """A metric by period, with its limits, as a picture."""

    row: Row
    text: str
    """What the picture shows, in words."""
    bars: tuple[Bar, ...]
    levels: tuple[Level, ...]

    @property
    def is_rate(self) -> bool:
        """Whether it has a likely range."""
        return any(each.likely for each in self.bars)

    @classmethod
    def of(cls, row: Row, periods: Sequence[str]) -> "Chart":
        """Return the chart of a row."""
        levels = dict(_levels(row))
        highest = [each.posterior.high for each in row.known if each.posterior]
        values = [each.value or Decimal(0) for each in row.known]
        most = max((*values, *highest, *(value for value, _ in levels.values()), Decimal(0)))

        def y(value: Decimal) -> int:
            height = (_FLOOR - _TOP) * max(value, Decimal(0)) / most if most else Decimal(0)
            return round(_FLOOR - height)

        bars = []
        for place, each in enumerate(row.figures):
            if each is None or each.value is None:
                continue
            known, top = each.posterior, y(each.value)
            bars.append(
                Bar(
                    each.period,
                    label(each, each.value),
                    _middle(place, len(periods)),
                    top,
                    _FLOOR - top,
                    not each.is_over,
                    is_beyond(each),
                    (y(known.high), y(known.mean), y(known.low)) if known else None,
                )
            )
        lines = tuple(Level(words, y(value), limit) for words, (value, limit) in levels.items())
        return cls(row, _in_words(row, bars, lines), tuple(bars), lines)

    @property
    def places(self) -> list[tuple[str, int]]:
        """Each period with the middle of its column."""
        found = self.row.figures
        return [
            (each.period, _middle(place, len(found))) for place, each in enumerate(found) if each
        ]


def label(line: FigureLine, value: Decimal) -> str:
    """Return what is written on a bar: of few cases the count, because the rate says little."""
    if (cases := shown.few(line)) is not None:
        return f"{shown.figure(line.numerator, 'count')} of {shown.figure(cases, 'count')}"
    return compact(value, line.unit)


def _middle(place: int, count: int) -> int:
    """Return where the middle of a column is."""
    step = (_RIGHT - _LEFT) // count
    return _LEFT + step * place + step // 2


def _levels(row: Row) -> Iterator[tuple[str, tuple[Decimal, bool]]]:
    """Yield the lines of a chart by their words: the value, and whether it is a limit."""
    for each in row.known:
        for limit in each.limits:
            if limit.passed is not None:
                least = compact(limit.threshold, row.unit)
                yield f"not {limit.comparison} {least}", (limit.threshold, True)
        if each.target:
            yield f"minimum {compact(each.target.minimum, row.unit)}", (each.target.minimum, True)
        if each.value is not None and (against := each.against_other_channels):
            others = each.value - against.difference
            yield f"others {compact(others, row.unit)}", (others, False)


def _is_charted(row: Row) -> bool:
    return bool(row.known) and (bool(row.agreed) or any(_levels(row)))


def _in_words(row: Row, bars: Iterable[Bar], levels: Iterable[Level]) -> str:
    figures = (
        f"{shown.period(each.period)} {each.value}"
        + (", still running" if each.is_running else "")
        + (", beyond the limit" if each.is_beyond else "")
        for each in bars
    )
    return "; ".join([f"{row.title}: {', '.join(figures)}", *(each.words for each in levels)])


_THOUSAND: Final = Decimal(1000)


def compact(value: Decimal, unit: str) -> str:
    """Return a figure in a few characters: ``62.5 %``, ``12.5k``, ``1.2M``."""
    if unit == Unit.PERCENT:
        return tenth(value)
    for size, sign in ((_THOUSAND**2, "M"), (_THOUSAND * 10, "k")):
        if abs(value) >= size:
            return f"{_short(value / (_THOUSAND if sign == 'k' else size))}{sign}"
    return _short(value)


def _short(value: Decimal) -> str:
    return f"{Decimal(number(value.quantize(Decimal('0.1'), ROUND_HALF_EVEN))):,f}"
