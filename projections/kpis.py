"""The rows of KPIs: what events count and tools report in each period, and what was agreed (C19).

A row has one period of one partnership. Events count in a month; a report belongs to the period
that it names. Months are months of UTC. Which events count is written in the catalogue of metrics
alone. For quarters, years, ratios and comparisons, see `figures`.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, NamedTuple

from pydantic import BeforeValidator, PlainSerializer

from domain.aggregates import event_types
from domain.agreement import CommercialTermsAgreed
from domain.arithmetic import exact
from domain.calendar import bounds, month_of
from domain.charter import Objective
from domain.formation import CharterAgreed
from domain.health import TargetAdjusted
from domain.kernel import Event
from domain.metric_catalogue import CATALOGUE, COUNTED_AT, Counting
from domain.priors import Prior, PriorAgreed
from domain.recorded import Recorded
from domain.reported_figure import MetricCorrected, MetricReported, ReportedFigure, supersedes
from projections.fold import NOTHING, Change, Projection, Row, Rows

AGREED = "agreed"
"""The key of the row of objectives, minimums and priors; all other keys are periods."""

REPORTS = (MetricReported, MetricCorrected)
"""The events that report a figure from outside."""


# --- rows --------------------------------------------------------------------------------------


def _series(key: object) -> object:
    return tuple(key.split("|")) if isinstance(key, str) else key


Series = Annotated[
    tuple[str, str, str], BeforeValidator(_series), PlainSerializer("|".join, return_type=str)
]
"""The key of a figure: metric, segment ("" for the whole) and unit; stored as one string."""


@dataclass(frozen=True, slots=True)
class ToolReport:
    """The figure from one tool after corrections, and the index of the event that reported it."""

    figure: ReportedFigure
    index: int
    corrected_at: datetime | None = None
    """When the correction that counts was made; None if there is none."""


@dataclass(frozen=True, slots=True)
class PeriodRow:
    """The figures of one period, by source."""

    sums: Mapping[Series, Decimal] = field(default_factory=dict)
    """What events count."""
    reports: Mapping[Series, Mapping[str, ToolReport]] = field(default_factory=dict)
    """What tools reported, by tool."""


@dataclass(frozen=True, slots=True)
class AgreedMinimum:
    """The minimum of referrals a quarter that one version of the terms gives; 0 for none (C10)."""

    agreed_at: datetime
    proposal: str
    effective_from: date
    terms_version: int
    index: int
    minimum: int = 0


@dataclass(frozen=True, slots=True)
class AgreedPrior:
    """A prior that both parties agreed, and when it was recorded (C21)."""

    prior: Prior
    version: int
    index: int
    binds_from: datetime


@dataclass(frozen=True, slots=True)
class AgreedRow:
    """The agreed values that figures are compared to."""

    since: date | None = None
    """The day of the charter."""
    objectives: tuple[Objective, ...] = ()
    minimums: tuple[AgreedMinimum, ...] = ()
    priors: tuple[AgreedPrior, ...] = ()


NO_FIGURES = PeriodRow()
NOTHING_AGREED = AgreedRow()


def period_row(rows: Rows, period: str) -> PeriodRow:
    """Return the row of a period; an empty one if nothing is known of it."""
    row: PeriodRow = rows.get(period, NO_FIGURES)
    return row


def agreed_row(rows: Rows) -> AgreedRow:
    """Return the row of agreed values; an empty one if there is none."""
    row: AgreedRow = rows.get(AGREED, NOTHING_AGREED)
    return row


# --- what events count -------------------------------------------------------------------------


class Counted(NamedTuple):
    """What one event adds to a counted metric in a month."""

    period: str
    metric: str
    amount: Decimal | int
    unit: str
    segment: str


def _counting() -> dict[type[Event], tuple[tuple[str, Counting], ...]]:
    found: dict[type[Event], tuple[tuple[str, Counting], ...]] = {}
    for metric in CATALOGUE.values():
        for wire, counting in metric.counts.items():
            event = event_types()[wire]
            found[event] = (*found.get(event, ()), (metric.name, counting))
    return found


_COUNTING = _counting()
_COUNTED_BY = {event: tuple(name for name, _ in each) for event, each in _COUNTING.items()}
_COUNTED_AT = {event_types()[wire]: moment for wire, moment in COUNTED_AT.items()}

MEASURED: frozenset[type[Event]] = frozenset({*_COUNTING, *REPORTS})
"""The events that change a figure."""


def counts(recorded: Recorded) -> list[Counted]:
    """Return what an event adds to counted metrics, in the month it occurred in."""
    event = recorded.event
    return [
        Counted(period_of(recorded), metric, *count)
        for metric, counting in _COUNTING.get(type(event), ())
        for count in counting(event)
    ]


def measures(recorded: Recorded) -> tuple[str, ...]:
    """Return the metrics whose figures an event counts or reports; none if it measures nothing."""
    event = recorded.event
    counted = _COUNTED_BY.get(type(event))
    if counted is None and isinstance(event, REPORTS):
        return (event.metric,)
    return counted or ()


def period_of(recorded: Recorded) -> str:
    """Return the period whose figures a measured event changes."""
    event = recorded.event
    # Looked up by type first: `isinstance` of a model costs as much as the rest of this function.
    if type(event) not in _COUNTING and isinstance(event, REPORTS):
        return event.period
    moment = _COUNTED_AT.get(type(event))
    return month_of(moment(event) if moment else recorded.act.occurred_at)


# --- fold --------------------------------------------------------------------------------------


def keys(recorded: Recorded) -> tuple[str, ...]:
    """Return the row that an event changes: its period's, or that of what was agreed."""
    kind = type(recorded.event)
    if kind in MEASURED:
        return (period_of(recorded),)
    return (AGREED,) if kind in _AGREEMENTS else ()


def apply(rows: Rows, recorded: Recorded) -> Change:
    """Add an event to the row that it changes."""
    kind = type(recorded.event)
    if kind in MEASURED:
        period = period_of(recorded)
        return Change({period: period_with(period_row(rows, period), recorded)}, [])
    if kind in _AGREEMENTS:
        return Change({AGREED: agreed_with(agreed_row(rows), recorded)}, [])
    return NOTHING


@exact
def period_with(row: PeriodRow, recorded: Recorded) -> PeriodRow:
    """Return a period's row after an event that counts or reports a figure."""
    event = recorded.event
    counting = _COUNTING.get(type(event))
    if counting is None:
        return _with_report(row, recorded)
    sums = dict(row.sums)
    for metric, counts_of in counting:
        for amount, unit, segment in counts_of(event):
            series = (metric, segment, unit)
            sums[series] = sums.get(series, _ZERO) + amount
    return PeriodRow(sums, row.reports)


_ZERO = Decimal(0)


def _with_report(row: PeriodRow, recorded: Recorded) -> PeriodRow:
    event = recorded.event
    if not isinstance(event, REPORTS):
        return row
    series = (event.metric, event.segment or "", event.figure.unit)
    made_at = recorded.act.occurred_at if isinstance(event, MetricCorrected) else None
    before = row.reports.get(series, {}).get(event.tool)
    if before and made_at and not supersedes(made_at, before.corrected_at):
        return row
    report = ToolReport(event.figure, recorded.index, made_at)
    by_tool = {**row.reports.get(series, {}), event.tool: report}
    return PeriodRow(row.sums, {**row.reports, series: by_tool})


def agreed_with(row: AgreedRow, recorded: Recorded) -> AgreedRow:
    """Return the row of agreed values after an event; unchanged if the event agrees none."""
    event, act, index = recorded.event, recorded.act, recorded.index
    match event:
        case CharterAgreed():
            objectives = tuple(event.charter.objectives)
            return replace(row, objectives=objectives, since=act.occurred_at.date())
        case TargetAdjusted():
            target = {"target": event.target, "deadline": event.deadline}
            adjusted = tuple(
                each.model_copy(update=target) if each.objective == event.objective else each
                for each in row.objectives
            )
            return replace(row, objectives=adjusted)
        case CommercialTermsAgreed():
            given = event.frame.given() if event.frame is not None else {}
            least = given.get("minimum_referrals_per_quarter")
            if least is None:
                return row
            since, version = event.effective_from, event.terms_version
            minimum = AgreedMinimum(event.agreed_at, event.proposal, since, version, index, least)
            return replace(row, minimums=tuple(sorted((*row.minimums, minimum), key=_agreed)))
        case PriorAgreed():
            # It binds from its recording, not from its claimed time, so never retroactively (C21).
            prior = AgreedPrior(event.prior, event.prior_version, index, act.recorded_at)
            return replace(row, priors=(*row.priors, prior))
        case _:
            return row


def minimum_for(window: str, agreed: AgreedRow) -> AgreedMinimum | None:
    """Return the minimum of referrals in force when a quarter began, if one was agreed (C10)."""
    start = bounds(window)[0].date()
    changes = [each for each in _changes(agreed.minimums) if each.effective_from <= start]
    latest = max(changes, key=lambda each: (each.effective_from, *_agreed(each)), default=None)
    return latest if latest and latest.minimum else None


def _agreed(minimum: AgreedMinimum) -> tuple[datetime, str]:
    return minimum.agreed_at, minimum.proposal


def _changes(minimums: Iterable[AgreedMinimum]) -> Iterator[AgreedMinimum]:
    """Yield each minimum that differs from the one agreed before it (see `TermsByDay`)."""
    last = 0
    for each in minimums:
        if each.minimum != last:
            yield each
        last = each.minimum


_AGREEMENTS: frozenset[type[Event]] = frozenset(
    {CharterAgreed, CommercialTermsAgreed, PriorAgreed, TargetAdjusted}
)

KPIS = Projection(
    "kpis",
    keys,
    apply,
    MEASURED | _AGREEMENTS,
    version=4,
    row_type=lambda key: AgreedRow if key == AGREED else PeriodRow,
)


# --- rows inside rows of other projections -----------------------------------------------------


def stored_with(stored: Row, recorded: Recorded) -> Row:
    """Return a period's stored row after an event that counts or reports a figure."""
    key = period_of(recorded)
    return KPIS.dump(key, period_with(KPIS.load(key, stored), recorded))


class StoredPeriods(Mapping[str, PeriodRow]):
    """The rows of periods inside a row of JSON; each is loaded when it is read."""

    def __init__(self, stored: Mapping[str, Row]) -> None:
        self._stored = stored

    def __getitem__(self, period: str) -> PeriodRow:
        row: PeriodRow = KPIS.load(period, self._stored[period])
        return row

    def __iter__(self) -> Iterator[str]:
        return iter(self._stored)

    def __len__(self) -> int:
        return len(self._stored)
