"""The figures of a period as a viewer sees them (C14).

A party sees the events that are counted, and the reports that lines of the protocol give it. A
neutral third party sees no events. What deals, entries and contributions show of a metric is
counted for it if a line gives it that metric.
"""

from collections.abc import Container, Iterator
from dataclasses import replace

from domain.calendar import bounds, months_of
from domain.metric_catalogue import CATALOGUE, Metric
from domain.sharing import Form, SharingLine
from domain.values import MINOR_UNITS
from projections.caveats import fewer_than
from projections.figures import COUNTED, FigureLine, report
from projections.fold import Rows
from projections.kpis import PeriodRow, catalogue, is_period, period_row
from projections.standing import periods_within
from projections.visibility import Sight


def given(
    rows: Rows, sight: Sight, period: str, metrics: Container[str] | None = None
) -> list[FigureLine]:
    """Return the figures of a period that the viewer sees, with a caveat for each withheld one.

    `rows` are those of the events that answers for the viewer are made from (`Sight.reads`).
    `metrics` names those that are computed; all, unless it is given.
    """
    if sight.is_third_party:
        return sight.lines(_of_third_party(rows, sight, period, metrics), period)
    return sight.lines(report(rows, period, metrics), period)


def _of_third_party(
    rows: Rows, sight: Sight, period: str, metrics: Container[str] | None
) -> Iterator[FigureLine]:
    lines = {name: line for line in sight.lines_to_viewer for name in line.metrics}
    reported = {
        key: PeriodRow(reports=row.reports) if is_period(key) else row for key, row in rows.items()
    }
    for name in catalogue(rows):
        if metrics is not None and name not in metrics:
            continue
        line = lines.get(name)
        if line is None or not _covers(line, period):
            yield from report(reported, period, {name})
            continue
        for each in report(rows, period, {name}):
            yield _counted(rows, each, line)


def _covers(line: SharingLine, period: str) -> bool:
    """Whether what is counted in a period is shared: all of it is before the line ends."""
    return line.until is None or bounds(period)[1].date() <= line.until


def _counted(rows: Rows, found: FigureLine, line: SharingLine) -> FigureLine:
    """Return a figure without the agreed minimum, which no line gives, and without small counts."""
    shown = replace(found, target=None)
    if line.form is Form.FULL or found.source != COUNTED:
        return shown
    metric, smallest = CATALOGUE[found.metric], line.smallest_cell
    if _has_fewer(rows, metric, found.period, smallest):
        return replace(
            shown,
            value=None,
            numerator=None,
            denominator=None,
            change=None,
            caveats=(fewer_than(smallest),),
            reported=(),
        )
    if shown.change and _has_fewer(rows, metric, shown.change.since, smallest):
        return replace(shown, change=None)
    return shown


def _has_fewer(rows: Rows, metric: Metric, period: str, smallest: int) -> bool:
    """Whether a count of the period, or of a month or a segment of it, is too small to be shown.

    A small count could be computed from a sum and what else is in it.
    """
    return any(
        0 < total.amount < smallest
        for each in periods_within(months_of(period))
        for (name, _, unit), total in period_row(rows, each).sums.items()
        if name in metric.counted_from and unit not in MINOR_UNITS
    )
