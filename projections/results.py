"""What each partnership brought in a period, and what is owed between its parties (C28).

A result stands beside its target and beside the period before. Money is what the ledger says of
the party of the portfolio: what it owes, what it is owed, and what is on hold.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Final

from domain.arithmetic import exact
from domain.calendar import bounds, months_of, preceding, quarter_of
from domain.charter import Objective
from domain.described import described
from domain.metric_catalogue import Adds, Direction, Unit
from domain.settlement import Balance
from domain.values import MINOR_UNITS, Exact
from projections import figures
from projections.figures import LEADS
from projections.fold import Rows
from projections.kpis import agreed_row, catalogue, minimum_for
from projections.ledger.rows import TOTALS, StatementRow, Sum, TotalsRow

REVENUE: Final = ("payments", "joint_revenue", "attributable_revenue", "co_branded_revenue")
"""The metrics of revenue, never added: they may count the same money. Refunds reduce payments."""

BROUGHT: Final = (LEADS, "deals_won", *REVENUE)
"""What is shown of each partnership, besides the metrics of its objectives."""

_CENT = Decimal("0.01")
_ZERO = Decimal(0)


# --- what was brought --------------------------------------------------------------------------


@described
@dataclass(frozen=True, slots=True)
class Span:
    """A period that is asked about, with the month and the longer period of its results."""

    asked: str
    """The period that is asked about: a month, a quarter or a year."""
    month: str
    """A month (`2026-09`): the last one of the period that has begun."""
    period: str
    """A quarter (`2026-Q3`) or a year (`2026`): what is asked about, or the quarter of a month."""
    before: str
    """The period before, as long as `period`."""
    month_before: str
    """The month before `month`."""
    is_over: bool
    """Whether the period is over; if not, its figures are those to date."""
    month_is_over: bool
    """Whether the month is over."""
    has_begun: bool = True
    """Whether the period has begun."""

    @property
    def periods(self) -> tuple[str, ...]:
        """The month and the month before, then the period and the period before."""
        return self.month, self.month_before, self.period, self.before

    @classmethod
    def of(cls, asked: str, moment: datetime) -> "Span":
        """Return the span of a period at a moment; a month is shown with its quarter."""
        period = quarter_of(asked) if "-" in asked else asked
        begun = [each for each in months_of(asked) if bounds(each)[0] <= moment]
        month = begun[-1] if begun else months_of(asked)[0]
        is_over, month_is_over = (bounds(each)[1] <= moment for each in (period, month))
        return cls(
            asked,
            month,
            period,
            before=preceding(period),
            month_before=preceding(month),
            is_over=is_over,
            month_is_over=month_is_over,
            has_begun=bounds(period)[0] <= moment,
        )


@described
@dataclass(frozen=True, slots=True)
class Result:
    """What a partnership brought of one metric in a month and in a longer period."""

    id: str
    """The partnership."""
    metric: str
    """The name of a metric of the catalogue."""
    segment: str | None
    """The part of the whole that an objective is about; null for the whole."""
    unit: str
    """The unit: a currency, or one of the catalogue, such as `percent`."""
    direction: Direction
    """Whether more is better, or less. If less is, a target is the most that it should be."""
    in_month: Exact | None
    """The figure of the month; null if there is none, or if the viewer is not shown it."""
    month_before: Exact | None
    """The figure of the month before."""
    month_target: Exact | None
    """The target of the month, as of the period; null for an agreed minimum, which is a quarter's.
    """
    month_reached_percent: Exact | None
    """The figure of the month in percent of its target."""
    in_period: Exact | None
    """The figure of the period, so far."""
    before: Exact | None
    """The figure of the whole period before."""
    target: Exact | None
    """The target of the whole period: the agreed minimum of referrals, or the share of an
    objective that falls to the period's days; of a rate or a level the objective's target."""
    reached_percent: Exact | None
    """The figure in percent of the target."""
    month_sample: Exact | None = None
    """What the month's ratio divides by, such as the demos of `demo_to_won`: a rate of one demo
    says little (C21). Null for what is no ratio."""
    period_sample: Exact | None = None
    """What the period's ratio divides by."""
    before_sample: Exact | None = None
    """What the ratio of the period before divides by."""
    month_before_sample: Exact | None = None
    """What the ratio of the month before divides by."""
    adopted: bool = False
    """Whether one of its figures came in, wholly or in part, by the adoption."""
    less_refunds: bool = False
    """Whether refunds are taken off it: off payments, unless an objective is about them."""


@exact
def results(id: str, rows: Rows, span: Span) -> Iterator[Result]:
    """Yield what a partnership brought in a span of time, by metric and unit."""
    # Of two objectives on one figure the first one is the target.
    agreed = agreed_row(rows).objectives
    objectives = {(each.metric, each.segment): each for each in reversed(agreed)}
    whole = ((each, None) for each in BROUGHT)
    for metric, segment in dict.fromkeys((*whole, *objectives)):
        for unit in _units(rows, metric):
            objective = objectives.get((metric, segment))
            # What is beside a target is the figure that the objective is judged by.
            less_refunds = metric == "payments" and objective is None
            found = [
                amount(rows, metric, unit, each, segment)
                if objective is None
                else _shown(rows, metric, unit, each, segment or "")
                for each in span.periods
            ]
            target = _target(rows, metric, unit, span.period, objective)
            of_the_month = _target(rows, metric, unit, span.month, objective)
            if any(each is not None for each in (*found, target, of_the_month)):
                in_month, month_before, in_period, before = found
                if span.has_begun and _is_counted(rows, metric, objective):
                    in_month, in_period = in_month or _ZERO, in_period or _ZERO
                known = [
                    figures.shown(rows, metric, each, segment or "", unit) for each in span.periods
                ]
                samples = [each.denominator if each else None for each in known]
                yield Result(
                    id=id,
                    metric=metric,
                    segment=segment,
                    unit=unit,
                    direction=catalogue(rows)[metric].direction,
                    in_month=in_month,
                    month_before=month_before,
                    month_target=of_the_month,
                    month_reached_percent=_percent(in_month, of_the_month),
                    in_period=in_period,
                    before=before,
                    target=target,
                    reached_percent=_percent(in_period, target),
                    month_sample=samples[0],
                    month_before_sample=samples[1],
                    period_sample=samples[2],
                    before_sample=samples[3],
                    adopted=any(each.adopted for each in known if each),
                    less_refunds=less_refunds,
                )


def _is_counted(rows: Rows, metric: str, objective: Objective | None) -> bool:
    """Whether deals show all of a figure, so that none is zero: no lead is zero leads."""
    known = catalogue(rows)[metric]
    is_reported = objective is not None and objective.measured != "count"
    return known.counted and known.adds is Adds.SUM and not is_reported


def _units(rows: Rows, metric: str) -> list[str]:
    unit = catalogue(rows)[metric].unit
    return figures.units(rows, metric) if unit is Unit.MONEY else [unit.value]


def amount(
    rows: Rows, metric: str, unit: str, period: str | None, segment: str | None = None
) -> Decimal | None:
    """Return a figure of a period, or of all time; None if the viewer knows none.

    Of payments it is what is left after refunds. A segment is of a period.
    """
    value = _shown(rows, metric, unit, period, segment or "")
    if metric != "payments":
        return value
    refunds = _shown(rows, "refunds", unit, period)
    return value if value is None and refunds is None else (value or _ZERO) - (refunds or _ZERO)


def _shown(
    rows: Rows, metric: str, unit: str, period: str | None, segment: str = ""
) -> Decimal | None:
    known = (
        figures.ever(rows, metric, unit)
        if period is None
        else figures.shown(rows, metric, period, segment, unit)
    )
    return known.value if known else None


def _target(
    rows: Rows, metric: str, unit: str, period: str, objective: Objective | None
) -> Decimal | None:
    is_whole = objective is None or objective.segment is None
    if metric == LEADS and is_whole and (minimum := _minimum(rows, period)) is not None:
        return minimum
    if objective is None or objective.unit != unit:
        return None
    agreed = agreed_row(rows)
    since = max(each for each in (agreed.since, agreed.kickoff) if each is not None)
    start, end = (each.date() for each in bounds(period))
    last = objective.deadline + timedelta(days=1)
    days = (min(end, last, agreed.ended_on or last) - max(start, since)).days
    if days <= 0 or agreed.kickoff is None:
        return None
    if catalogue(rows)[metric].adds is not Adds.SUM:
        return objective.target
    digits = Decimal(1).scaleb(-MINOR_UNITS[unit]) if unit in MINOR_UNITS else _CENT
    share = objective.target * days / (last - since).days
    return share.quantize(digits, ROUND_HALF_EVEN)


def _minimum(rows: Rows, period: str) -> Decimal | None:
    """Return the referrals that both parties together bring at least in a quarter, if agreed."""
    agreed = minimum_for(period, agreed_row(rows)) if "Q" in period else None
    return None if agreed is None else Decimal(sum(agreed.by_party.values()))


def _percent(value: Decimal | None, target: Decimal | None) -> Decimal | None:
    if value is None or target is None or target <= 0:
        return None
    return (value * 100 / target).quantize(_CENT, ROUND_HALF_EVEN)


# --- what is owed ------------------------------------------------------------------------------


@described
@dataclass(frozen=True, slots=True)
class Money:
    """What is owed between the party of a portfolio and one partner or all, in one currency."""

    id: str | None
    """The partnership; null for the sum of all."""
    currency: str
    """The currency, as a code of ISO 4217."""
    owe: Exact = _ZERO
    """What the party is to pay on issued statements."""
    owe_overdue: Exact = _ZERO
    """The part of that whose due day has passed."""
    owe_unstated: Exact = _ZERO
    """What the partner earned that no statement has yet; below zero if more was taken back."""
    unstated_since: str | None = None
    """The first month in which something was earned that no statement has yet."""
    owed: Exact = _ZERO
    """What is to be paid to the party on issued statements."""
    owed_overdue: Exact = _ZERO
    """The part of that whose due day has passed."""
    owed_unstated: Exact = _ZERO
    """What the party earned that no statement has yet; below zero if more was taken back."""
    disputed: Exact = _ZERO
    """What open disputes hold of what no statement has yet, for either party."""


@exact
def money(id: str, rows: Rows, us: str) -> list[Money]:
    """Return what is owed in a partnership, by currency, as one of its parties sees it."""
    totals: TotalsRow = rows.get(TOTALS, TotalsRow())
    parts = [*_accrued(id, totals.open, us), *_held(id, totals.held), *_stated(id, rows, us)]
    return _summed(id, parts)


def total(parts: Iterable[Money]) -> list[Money]:
    """Return the sums of all partnerships, by currency."""
    return _summed(None, list(parts))


_NAMED: Final = {"id", "currency", "unstated_since"}

_AMOUNTS: Final = tuple(each.name for each in fields(Money) if each.name not in _NAMED)


def _summed(id: str | None, parts: list[Money]) -> list[Money]:
    found = []
    for currency in sorted({each.currency for each in parts}):
        own = [each for each in parts if each.currency == currency]
        sums = {name: sum((getattr(of, name) for of in own), _ZERO) for name in _AMOUNTS}
        since = min((of.unstated_since for of in own if of.unstated_since), default=None)
        is_unstated = sums["owe_unstated"] or sums["owed_unstated"]
        if any(sums.values()):
            found.append(Money(id, currency, unstated_since=since if is_unstated else None, **sums))
    return found


def _amounts(sums: Mapping[str, Sum]) -> Iterator[tuple[str, str, Mapping[str, Decimal]]]:
    """Yield the month, the currency and the amounts by party.

    They are in the currency of the statement, if its rate is known.
    """
    for key, each in sums.items():
        month, currency, settles_in, rate = key.split("|")
        yield (month, settles_in, each.settled) if rate else (month, currency, each.own)


def _accrued(id: str, sums: Mapping[str, Sum], us: str) -> Iterator[Money]:
    for month, currency, by_party in _amounts(sums):
        ours = by_party.get(us, _ZERO)
        theirs = sum(by_party.values(), _ZERO) - ours
        since = month if ours or theirs else None
        yield Money(id, currency, owe_unstated=theirs, owed_unstated=ours, unstated_since=since)


def _held(id: str, sums: Mapping[str, Sum]) -> Iterator[Money]:
    for _, currency, by_party in _amounts(sums):
        yield Money(id, currency, disputed=sum(by_party.values(), _ZERO))


def _stated(id: str, rows: Rows, us: str) -> Iterator[Money]:
    for row in rows.values():
        if not isinstance(row, StatementRow) or row.left <= 0:
            continue
        balance = Balance.model_validate(row.balance)
        late = row.left if row.overdue else _ZERO
        if balance.payer == us:
            yield Money(id, balance.currency, owe=row.left, owe_overdue=late)
        elif balance.payer is not None:
            yield Money(id, balance.currency, owed=row.left, owed_overdue=late)
