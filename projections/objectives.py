"""The objectives of the charter: how far each has come, and whether that is enough by now (C8).

A status rests on what was agreed, on the figures and on a day. The share of the way that is
reached is compared with the share of the time that has passed. The time runs from the charter, or
from the kickoff if that is later. For a metric that is reported it runs to the end of the last
period with a figure, so that a month without its figure yet puts nothing off track. If a figure is
late by a whole period, there is not enough evidence (docs/decisions/0031-on-track.md).
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Final

from domain.arithmetic import exact
from domain.calendar import bounds, following, month_of, months_of, preceding, quarter_of
from domain.charter import Objective, ObjectiveStatus
from domain.described import described
from domain.metric_catalogue import Adds, Direction, Metric, Unit, in_unit
from domain.values import MINOR_UNITS, Exact, plain
from projections import figures
from projections.caveats import Caveat, CaveatCode
from projections.figures import COUNTED, Figure
from projections.fold import Rows
from projections.kpis import AgreedRow, agreed_row, is_period
from projections.standing import periods_within

AT_RISK_FROM: Final = Decimal("0.8")
"""An objective below this share of where it should be is off track; from it on, at risk."""

_CENT = Decimal("0.01")
_WHOLE = Decimal(1)
_ZERO = Decimal(0)


@described
@dataclass(frozen=True, slots=True)
class ObjectiveProgress:
    """An agreed objective, its figure so far, and its status (C8)."""

    objective: Objective
    """The objective as it was agreed."""
    actual: Figure | None
    """From the month of the charter to that of the deadline; null if there are no figures."""
    status: ObjectiveStatus
    """Whether the target was reached or missed or, before its day, whether it is on track."""
    reached_percent: Exact | None = None
    """The share of the way that is reached: of the target, if the metric adds up over time, else
    of the way from the baseline to the target. Null before there is anything to compare."""
    elapsed_percent: Exact | None = None
    """The share of the time that had passed at the end of the last figure."""
    adds: Adds = Adds.SUM
    """How the figures of shorter periods make that of a longer one."""
    direction: Direction = Direction.UP
    """Whether more is better, or less. If less is, the target is the most that it should be."""

    @property
    def value(self) -> Decimal | None:
        """Return the value of the figure, if there is one."""
        return self.actual.value if self.actual else None

    @property
    def disputed(self) -> tuple[str, ...]:
        """The parties that dispute its figure; empty if nobody does."""
        return (self.actual.disputed if self.actual else None) or ()

    @property
    def is_disputed(self) -> bool:
        """Whether the parties dispute its figure, so that there is not enough evidence."""
        return bool(self.disputed)

    @property
    def limit(self) -> str:
        """Return ``at most `` before a target that is a limit (`Direction.limit`)."""
        return self.direction.limit

    @property
    def _target(self) -> str:
        agreed = self.objective
        return f"{self.limit}{in_unit(agreed.target, agreed.unit)} by {agreed.deadline}"

    @property
    def target_text(self) -> str:
        """Return the target in words, without the figure."""
        return f"The target for {self.objective.words} was {self._target}."

    @property
    def text(self) -> str:
        """Return the figure against its target, and the pace before the deadline, in words."""
        agreed, target = self.objective, self._target
        name = agreed.words
        if self.value is None:
            note = self.actual.note if self.actual else None
            return f"{name}: {note or 'no figure'}; the target is {target}."
        value = plain(self.value) if agreed.unit in MINOR_UNITS else in_unit(self.value, Unit.COUNT)
        text = (
            f"{name}: {value} of {target}"
            if self.adds is Adds.SUM
            else f"{name}: {in_unit(self.value, agreed.unit)}, target {target}"
        )
        if self.reached_percent is None or self.elapsed_percent is None:
            is_over = self.actual is not None and self.actual.caveats == (_OVER,)
            return f"{text}; {_OVER.text}." if is_over else f"{text}."
        way = "target" if self.adds is Adds.SUM else "way from the baseline"
        reached, elapsed = plain(self.reached_percent), plain(self.elapsed_percent)
        return f"{text}, {reached} % of the {way} in {elapsed} % of the time."


def objectives(rows: Rows, today: date) -> list[ObjectiveProgress]:
    """Return each agreed objective with its figure so far and its status on a day (C8).

    The figure is of the time from the month of the charter to that of the deadline, put together
    from years, quarters and months as the metric adds up. Where it is reported, it is that of the
    tool that both agreed: another tool, which one party chose, decides nothing.
    """
    agreed = agreed_row(rows)
    if agreed.since is None:
        return []
    return [_progress(rows, each, agreed, agreed.since, today) for each in agreed.objectives]


def outcome(rows: Rows, name: str, by: str | None = None) -> ObjectiveProgress | None:
    """Return an objective as it is once its deadline has passed; None if there is none (C8).

    Where a figure is disputed, it is the outcome by what a party (`by`) says of it.
    """
    agreed = agreed_row(rows)
    found = next((each for each in agreed.objectives if each.objective == name), None)
    if found is None or agreed.since is None:
        return None
    day_after = found.deadline + timedelta(days=1)
    return _progress(rows, found, agreed, agreed.since, day_after, by)


@exact
def _progress(  # noqa: PLR0913, PLR0917 - what a status rests on
    rows: Rows,
    objective: Objective,
    agreed: AgreedRow,
    since: date,
    today: date,
    by: str | None = None,
) -> ObjectiveProgress:
    kickoff, metric = agreed.kickoff, agreed.catalogue[objective.metric]
    known = ObjectiveProgress(
        objective, None, ObjectiveStatus.OPEN, adds=metric.adds, direction=metric.direction
    )
    if objective.deadline < (agreed.charter_known_from or since):
        # Of the time before an adoption Accord has only what came in with it, so it judges nothing.
        first = month_of(since) if since <= objective.deadline else _first_month(rows)
        came = tuple(_months(first, month_of(objective.deadline)))
        figure = _actual(rows, objective, metric, came, by, has_begun=False) if came else None
        figure = figure or Figure(None, objective.unit, objective.tool)
        actual = replace(figure, caveats=figure.caveats or (_OVER,))
        return replace(known, actual=actual, status=ObjectiveStatus.INSUFFICIENT_EVIDENCE)
    months = tuple(_months(month_of(since), month_of(objective.deadline)))
    ended_on = agreed.ended_on
    evidence = _Evidence(
        objective,
        metric,
        _actual(rows, objective, metric, months, by, has_begun=kickoff is not None),
        today,
        begins=max(since, kickoff) if kickoff is not None else None,
        until=today if _is_counted(objective, metric) else _last_day(rows, objective, months),
        is_over=objective.deadline < today,
        is_given_up=ended_on is not None and ended_on <= objective.deadline,
    )
    status = evidence.status()
    known = replace(known, actual=evidence.actual, status=status)
    if status not in _PACED:
        return known
    reached, elapsed = evidence.reached, evidence.elapsed
    return replace(
        known,
        reached_percent=None if reached is None else _percent(reached),
        elapsed_percent=None if elapsed is None else _percent(elapsed),
    )


_OVER: Final = Caveat(CaveatCode.OVER_WHEN_AGREED, "its deadline had passed when it was agreed")
"""Why an objective is not judged, whatever its figure."""


def _first_month(rows: Rows) -> str:
    """Return the first month with a figure of anything; a late one if there is none."""
    return min((months_of(each)[0] for each in rows if is_period(each)), default="9999-12")


_PACED: Final = {ObjectiveStatus.ON_TRACK, ObjectiveStatus.AT_RISK, ObjectiveStatus.OFF_TRACK}


def _is_counted(objective: Objective, metric: Metric) -> bool:
    return metric.counted and objective.measured == "count"


def _months(first: str, last: str) -> Iterator[str]:
    month = first
    while month <= last:
        yield month
        month = following(month)


def _actual(  # noqa: PLR0913 - as above
    rows: Rows,
    objective: Objective,
    metric: Metric,
    months: tuple[str, ...],
    by: str | None,
    *,
    has_begun: bool,
) -> Figure | None:
    """Return the figure of an objective. What deals show is complete: no lead is zero leads."""
    name, segment = objective.metric, objective.segment or ""
    unit, measured = objective.unit, objective.measured
    known = figures.over(rows, name, months, segment, unit, measured, objective.tool, by)
    if known is None and has_begun and _is_counted(objective, metric):
        return Figure(_ZERO, objective.unit, COUNTED) if metric.adds is Adds.SUM else None
    return known


def _last_day(rows: Rows, objective: Objective, months: tuple[str, ...]) -> date | None:
    """Return the day on which the last period with a reported figure ends, exclusive.

    A quarter has one if it was reported as a whole. A figure of one of its months is none.
    """
    name, segment, unit = objective.metric, objective.segment or "", objective.unit
    ends = (
        bounds(period)[1].date()
        for period in periods_within(months)
        if objective.tool in figures.tools_of(rows, name, period, segment, unit)
    )
    return max(ends, default=None)


@dataclass(frozen=True, slots=True)
class _Evidence:
    """What the status of an objective rests on."""

    objective: Objective
    metric: Metric
    actual: Figure | None
    today: date
    begins: date | None
    """The day from which its time runs; None before the kickoff."""
    until: date | None
    """The day up to which there are figures, exclusive; None if there are none."""
    is_over: bool
    """Whether its day has passed."""
    is_given_up: bool
    """Whether the partnership ended before its day was over."""

    @property
    def value(self) -> Decimal | None:
        return self.actual.value if self.actual else None

    @property
    def is_to_grow(self) -> bool:
        return self.metric.direction is Direction.UP

    @property
    def adds_up(self) -> bool:
        return self.metric.adds is Adds.SUM

    @property
    def is_reached(self) -> bool:
        """Whether the figure is at the target or beyond it."""
        if self.value is None:
            return False
        target = self.objective.target
        return self.value >= target if self.is_to_grow else self.value <= target

    def status(self) -> ObjectiveStatus:
        """Return the status on the day."""
        if self.is_reached and self.is_to_grow and self.adds_up:
            return ObjectiveStatus.MET
        if self.is_given_up:
            return ObjectiveStatus.GIVEN_UP
        if self.is_over:
            if self.value is not None and self._has_grown_too_far:
                return ObjectiveStatus.MISSED
            if self.value is None or self._lacks_the_end():
                return ObjectiveStatus.INSUFFICIENT_EVIDENCE
            return ObjectiveStatus.MET if self.is_reached else ObjectiveStatus.MISSED
        if self.begins is None or self.begins > self.today:
            return ObjectiveStatus.OPEN
        if self._is_late(self.begins):
            return ObjectiveStatus.INSUFFICIENT_EVIDENCE
        if self.value is None:
            # A figure without a value has a note that says why it is no evidence.
            unknown = ObjectiveStatus.INSUFFICIENT_EVIDENCE
            return unknown if self.actual else ObjectiveStatus.OPEN
        return self._pace()

    @property
    def _has_grown_too_far(self) -> bool:
        """Whether a sum that was to stay small is beyond its target: no later figure mends that."""
        return self.adds_up and not self.is_to_grow and not self.is_reached

    def _lacks_the_end(self) -> bool:
        """Whether the figure of the last whole period before the deadline is missing."""
        day_after = self.objective.deadline + timedelta(days=1)
        last = self._period(day_after)
        if self.begins is None or self.begins >= bounds(last)[0].date():
            return False
        return self.until is None or self.until < bounds(last)[0].date()

    def _is_late(self, begins: date) -> bool:
        """Whether the figure of a whole period is missing, and the next one is over, too."""
        if self.until is None:
            last = preceding(self._period(begins))
        else:
            last = self._period(self.until - timedelta(days=1))
        return self.today >= bounds(following(following(last)))[1].date()

    def _period(self, day: date) -> str:
        """Return the period of a day in which figures are agreed to come, a month at least."""
        month = month_of(day)
        return quarter_of(month) if self.objective.frequency == "quarterly" else month

    def _pace(self) -> ObjectiveStatus:
        reached, elapsed = self.reached, self.elapsed
        limits = self.adds_up and not self.is_to_grow
        if self.is_reached and not limits:
            return ObjectiveStatus.ON_TRACK
        if reached is None or elapsed is None:
            return ObjectiveStatus.OFF_TRACK
        if elapsed <= 0:
            return ObjectiveStatus.OPEN
        if limits:
            # The target is the most that may come together, so less than the time's share is good.
            reached, elapsed = elapsed, reached
        if reached >= elapsed:
            return ObjectiveStatus.ON_TRACK
        at_risk = reached >= elapsed * AT_RISK_FROM
        return ObjectiveStatus.AT_RISK if at_risk else ObjectiveStatus.OFF_TRACK

    @property
    def reached(self) -> Decimal | None:
        """The share of the way that is reached; None if the way has no length."""
        target, value = self.objective.target, self.value
        start = _ZERO if self.adds_up else self.objective.baseline
        if value is None or target == start or (self.adds_up and target < 0):
            return None
        return (value - start) / (target - start)

    @property
    def elapsed(self) -> Decimal | None:
        """The share of its time that had passed at the end of the last figure."""
        if self.begins is None or self.until is None:
            return None
        whole = (self.objective.deadline - self.begins).days
        past = (min(self.today, self.until) - self.begins).days
        return min(_WHOLE, Decimal(past) / whole) if whole > 0 else _WHOLE


def _percent(share: Decimal) -> Decimal:
    return (share * 100).quantize(_CENT, ROUND_HALF_EVEN)
