"""Reading figures: of any period and segment, what they come to, beside what was agreed (C8, C19).

Rows hold single periods (see `kpis`). Quarters and years are made from their parts when they are
read, each metric in its own way: counts add up, ratios add their numerators and denominators,
levels keep the last.
"""

from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

from domain.calendar import (
    bounds,
    following,
    month_of,
    months_of,
    preceding,
    quarter_of,
    quarters_of,
)
from domain.metric_catalogue import CATALOGUE, Adds, Metric, Unit
from domain.reported_figure import OTHER_CHANNELS
from domain.values import MINOR_UNITS, plain
from projections.fold import Row, Rows
from projections.kpis import AGREED, minimum_for

_DIGITS = Decimal("0.0001")


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure of a metric: a value, and what it was divided from where it is a ratio.

    `source` is ``counted`` or the reporting tool. A ratio over nothing has no value: no leads at
    all is not 0 % (C20).
    """

    value: Decimal | None
    unit: str
    source: str
    numerator: Decimal | None = None
    denominator: Decimal | None = None
    note: str = ""
    reports: tuple[int, ...] = field(default=(), compare=False)
    """The indexes of the events that reported it, where it was not counted."""


class Read(dict[str, Row]):
    """Rows that are read for several reports: what a period comes to is put together once."""

    def __init__(self, rows: Rows) -> None:
        super().__init__(rows)
        self.known = _with_wholes(key for key in rows if key != AGREED)
        """The periods in which there is any figure."""
        self.wholes: dict[tuple[str, str, str, str], Figure | None] = {}


def ratio(
    metric: Metric, numerator: Decimal, denominator: Decimal, unit: str, source: str
) -> Figure:
    """Give numerator over denominator in the metric's unit, rounded half to even.

    Money keeps its currency's digits, all else four.
    """
    if denominator == 0:
        return Figure(None, unit, source, numerator, denominator, "nothing to divide by")
    digits = Decimal(1).scaleb(-MINOR_UNITS[unit]) if unit in MINOR_UNITS else _DIGITS
    value = (numerator * metric.scale / denominator).quantize(digits, ROUND_HALF_EVEN)
    return Figure(value, unit, source, numerator, denominator)


def figure(
    rows: Rows, name: str, period: str, segment: str = "", unit: str | None = None
) -> Figure | None:
    """Give a metric's figure of a period, or nothing where nobody knows any.

    A reported figure goes before one counted from deals, in each part of the period. Where neither
    is known of the whole, it is what its segments come to, unless deals would have counted it.
    """
    metric = CATALOGUE[name]
    unit = unit or _only_unit(rows, metric, period)
    known = _whole(rows, metric, period, segment, unit)
    # What is counted is the whole already: a campaign's own figure is no part of it.
    if known or segment or metric.counted:
        return known
    return _of_segments(rows, metric, period, unit)


def ever(rows: Rows, name: str, unit: str) -> Figure | None:
    """Give a metric's figure over all the time of which there are figures, or nothing."""
    years = sorted({each[:4] for each in rows if each != AGREED})
    known = [figure(rows, name, year, unit=unit) for year in years]
    return _together(CATALOGUE[name], [each for each in known if each], unit)


def units(rows: Rows, name: str) -> list[str]:
    """Give the units that a metric has figures in: one, or the currencies of money."""
    years = sorted({each[:4] for each in rows if each != AGREED})
    return sorted({unit for year in years for unit in _units(rows, CATALOGUE[name], year)})


def _parts(period: str) -> tuple[str, ...]:
    quarters = quarters_of(period)
    if len(quarters) > 1:
        return quarters
    return months_of(period) if quarters else ()


def _whole(rows: Rows, metric: Metric, period: str, segment: str, unit: str) -> Figure | None:
    """Give what was reported for a period, else what its parts come to, else what was counted."""
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
    by_tool = rows.get(period, {}).get("figures", {}).get(f"{metric.name}|{segment}|{unit}")
    if by_tool:
        tool, latest = max(by_tool.items(), key=lambda each: each[1]["index"])
        return _as_figure(metric, latest, tool)
    parts = _parts(period)
    if not parts:
        return _counted(rows, metric, period, segment, unit)
    found = [_whole(rows, metric, part, segment, unit) for part in parts]
    return _together(metric, [part for part in found if part], unit)


def _as_figure(metric: Metric, reported: Row, tool: str) -> Figure:
    unit, reports = reported["unit"], (reported["index"],)
    if "denominator" in reported:
        numerator, denominator = Decimal(reported["numerator"]), Decimal(reported["denominator"])
        return replace(ratio(metric, numerator, denominator, unit, tool), reports=reports)
    note = "no denominator: insufficient evidence" if metric.adds is Adds.RATIO else ""
    return Figure(Decimal(reported["value"]), unit, tool, note=note, reports=reports)


def _together(metric: Metric, parts: list[Figure], unit: str) -> Figure | None:
    """Add up the figures of parts (of a period, or of the whole) as the metric does."""
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


def _sum(rows: Rows, name: str, month: str, segment: str | None, unit: str) -> Decimal | None:
    """Give a counted sum of a month, of all segments if none is named; or nothing."""
    found = None
    for key, amount in rows.get(month, {}).get("sums", {}).items():
        counted, part, of = key.split("|")
        if counted == name and of == unit and (segment is None or part == segment):
            found = (found or Decimal(0)) + Decimal(amount)
    return found


def _counted(rows: Rows, metric: Metric, month: str, segment: str, unit: str) -> Figure | None:
    if not metric.counted:
        return None
    if metric.adds is Adds.SUM:
        total = _sum(rows, metric.name, month, segment or None, unit)
        return None if total is None else Figure(total, unit, "counted")
    if segment:
        return None
    of, by = CATALOGUE[metric.numerator], CATALOGUE[metric.denominator]
    money = of.unit is Unit.MONEY
    numerator = _sum(rows, of.name, month, None, unit if money else of.unit.value)
    denominator = _sum(rows, by.name, month, None, unit if money else by.unit.value)
    if denominator is None and numerator is None:
        return None
    return ratio(metric, numerator or Decimal(0), denominator or Decimal(0), unit, "counted")


def _of_segments(rows: Rows, metric: Metric, period: str, unit: str) -> Figure | None:
    found = [
        _whole(rows, metric, period, segment, unit)
        for segment in segments(rows, metric.name, period)
        if segment != OTHER_CHANNELS
    ]
    # The levels of several segments add up; only over time does the last one stand.
    adding = replace(metric, adds=Adds.SUM) if metric.adds is Adds.LAST else metric
    return _together(adding, [part for part in found if part], unit)


def _within(rows: Rows, period: str) -> Iterator[Row]:
    for each in dict.fromkeys((period, *quarters_of(period), *months_of(period))):
        if each in rows:
            yield rows[each]


def segments(rows: Rows, name: str, period: str) -> list[str]:
    """Give the segments that a metric has figures for in a period, in order."""
    found = {
        key.split("|")[1]
        for row in _within(rows, period)
        for part in ("figures", "sums")
        for key in row.get(part, {})
        if key.startswith(f"{name}|")
    }
    return sorted(found - {""})


def _units(rows: Rows, metric: Metric, period: str) -> list[str]:
    if metric.unit is not Unit.MONEY:
        return [metric.unit.value]
    names = (f"{metric.name}|", f"{metric.numerator or metric.name}|")
    found = {
        key.split("|")[2]
        for row in _within(rows, period)
        for part in ("figures", "sums")
        for key in row.get(part, {})
        if key.startswith(names)
    }
    return sorted(found & MINOR_UNITS.keys())


def _only_unit(rows: Rows, metric: Metric, period: str) -> str:
    return next(iter(_units(rows, metric, period)), metric.unit.value)


def report(rows: Rows, period: str, metrics: Container[str] = CATALOGUE) -> list[Row]:
    """Give every figure of a period, each with its target and its change where there are any.

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
                    line = _line(metric, period, segment, known)
                    line |= _changed(rows, metric, period, segment, known)
                    if not segment:
                        line |= _compared(rows, metric, period, known, other)
                    found.append(line)
    return found


def _line(metric: Metric, period: str, segment: str, known: Figure) -> Row:
    line: Row = {
        "metric": metric.name,
        "period": period,
        "unit": known.unit,
        "value": None if known.value is None else plain(known.value),
        "source": known.source,
        "direction": metric.direction.value,
    }
    if segment:
        line["segment"] = segment
    if known.numerator is not None and known.denominator is not None:
        line |= {"numerator": plain(known.numerator), "denominator": plain(known.denominator)}
    if known.note:
        line["note"] = known.note
    return line


def _a_year(period: str) -> range:
    """Count the periods of this length that make a year."""
    return range(12 // len(months_of(period)))


def _changed(rows: Rows, metric: Metric, period: str, segment: str, known: Figure) -> Row:
    """Set a figure against the latest earlier one, of a period as long, no more than a year ago."""
    earlier = preceding(period)
    for _ in _a_year(period):
        before = figure(rows, metric.name, earlier, segment, known.unit)
        if before and before.value is not None:
            break
        earlier = preceding(earlier)
    else:
        return {}
    if not before.value or known.value is None:
        return {}
    more: Row = {"change": {"since": earlier, **_against(known.value, before.value)}}
    if earlier == preceding(period):
        more["change_percent"] = _percent(known.value - before.value, before.value)
    return more


def _against(value: Decimal, other: Decimal) -> Row:
    return {
        "difference": plain(value - other),
        "factor": plain((value / other).quantize(_DIGITS, ROUND_HALF_EVEN)),
    }


def _compared(rows: Rows, metric: Metric, period: str, known: Figure, other: Figure | None) -> Row:
    more: Row = {}
    if other and other.value and known.value is not None:
        more["against_other_channels"] = _against(known.value, other.value)
    minimum = minimum_for(period, rows.get(AGREED, {})) if "Q" in period else None
    if metric.name == "leads" and minimum and known.value is not None:
        more["target"] = _against_minimum(known.value, minimum)
    return more


def _against_minimum(value: Decimal, minimum: Mapping[str, Any]) -> Row:
    target = Decimal(minimum["minimum"])
    return {
        "minimum": plain(target),
        "terms_version": minimum["version"],
        "attainment_percent": _percent(value, target) if target else "100",
        "shortfall": plain(max(Decimal(0), target - value)),
    }


def _percent(part: Decimal, whole: Decimal) -> str:
    rounded = (part * 100 / whole).quantize(Decimal("0.01"), ROUND_HALF_EVEN)
    return plain(rounded.normalize()) if rounded else "0"


def periods(rows: Rows, *, closed: Iterable[str] = ()) -> list[str]:
    """Give the quarters in which there is any figure, and periods reported by name, in order."""
    named = {key for key in rows if key != AGREED} | set(closed)
    quarters = {quarter_of(each) if "-" in each else each for each in named}
    return sorted(quarters, key=bounds)


def concerned(rows: Rows, changed: Iterable[str]) -> list[str]:
    """Give the periods whose report may be another once these of the rows have changed.

    They are the periods of the rows, those that they are part of, and later ones with any figure
    that are set against them.
    """
    touched = _with_wholes(key for key in changed if key != AGREED)
    known = Read(rows).known
    found = set(touched)
    for period in touched:
        later = period
        for _ in _a_year(period):
            later = following(later)
            found |= {later} & known
    # Another minimum is another target of every quarter.
    return sorted(found.union(periods(rows) if AGREED in changed else ()))


def differing(before: Row, after: Row) -> set[str]:
    """Give the metrics whose figures may differ between two states of a period's row."""
    named = {
        key.partition("|")[0]
        for part in ("figures", "sums")
        for key, value in after.get(part, {}).items()
        if before.get(part, {}).get(key) != value
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


def objectives(rows: Rows) -> list[Row]:
    """Give each agreed objective with what came of it so far: target against actual (C8).

    The actual figure is that of the time from the month of the charter to that of the deadline,
    put together from years, quarters and months as the metric adds up.
    """
    agreed = rows.get(AGREED, {})
    return [_objective(rows, each, agreed["since"]) for each in agreed.get("objectives", [])]


def _objective(rows: Rows, objective: Row, since: str) -> Row:
    metric, unit = CATALOGUE[objective["metric"]], objective["unit"]
    known = [
        figure(rows, metric.name, each, unit=unit)
        for each in _spans(since[:7], objective["deadline"][:7])
    ]
    actual = _together(metric, [each for each in known if each is not None], unit)
    value = actual.value if actual else None
    line = {
        **objective,
        "actual": None if value is None else plain(value),
        "met": value is not None and _reaches(metric, value, Decimal(objective["target"])),
    }
    return line | ({"note": actual.note} if actual and actual.note else {})


def _spans(first: str, last: str) -> Iterator[str]:
    """Give the longest periods that together make the months from `first` to `last`."""
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
    return value >= target if metric.direction.value == "up" else value <= target
