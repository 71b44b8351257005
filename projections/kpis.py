"""Figures of each period: counted from deals, reported by tools, set against what was agreed (C19).

A row holds one period of one partnership. Deals count in the month in which they happened; a
report belongs to the period it names. Months are those of UTC. How rows are read: see `figures`.
"""

from collections.abc import Callable
from decimal import Decimal
from typing import Any, NamedTuple

from domain.agreement import CommercialTermsAgreed
from domain.calendar import bounds, month_of
from domain.deal import (
    ChargebackReversed,
    DealLost,
    DealWon,
    DemoHeld,
    LeadQualified,
    OpportunityCreated,
    PaymentReceived,
    ReferralAttributed,
    ReferralSubmitted,
    RefundIssued,
)
from domain.formation import CharterAgreed
from domain.health import TargetAdjusted
from domain.kernel import Event
from domain.priors import PriorAgreed
from domain.recorded import Recorded
from domain.reported_figure import MetricCorrected, MetricReported
from domain.values import Money, plain
from projections.fold import NOTHING, Change, Projection, Row, Rows

AGREED = "agreed"
"""The key of the row that holds objectives, minimums and priors."""


class Count(NamedTuple):
    """What one event adds to a counted metric in a month."""

    period: str
    metric: str
    amount: Decimal | int
    unit: str = "count"
    segment: str = ""

    @property
    def key(self) -> str:
        """Where the row keeps the sum."""
        return f"{self.metric}|{self.segment}|{self.unit}"


# --- what events count -------------------------------------------------------------------------


def _month(recorded: Recorded) -> str:
    return month_of(recorded.act.occurred_at)


def _money(recorded: Recorded, metric: str, money: Money) -> Count:
    return Count(_month(recorded), metric, money.amount, money.currency)


def _one(metric: str) -> Callable[[Recorded, Any], list[Count]]:
    return lambda recorded, _: [Count(_month(recorded), metric, 1)]


def _submitted(recorded: Recorded, event: ReferralSubmitted) -> list[Count]:
    return [Count(_month(recorded), "leads", 1, segment=event.campaign or "")]


def _attributed(_: Recorded, event: ReferralAttributed) -> list[Count]:
    # A lead that another claims too is one tagged lead all the same.
    return [] if event.contests else [Count(month_of(event.referred_at), "attributed_leads", 1)]


def _won(recorded: Recorded, event: DealWon) -> list[Count]:
    month = _month(recorded)
    value = event.annual_contract_value
    return [
        Count(month, "deals_won", 1),
        # Counted once more by currency, because a mean must not divide by deals in another one.
        Count(month, "deals_won", 1, value.currency),
        _money(recorded, "won_value", value),
        Count(month, "days_to_close", event.days_to_close, "days"),
    ]


def _paid(recorded: Recorded, event: PaymentReceived) -> list[Count]:
    paid = [Count(_month(recorded), "deals_paid", 1)] if event.first else []
    return [_money(recorded, "payments", event.amount), *paid]


def _refunded(recorded: Recorded, event: RefundIssued) -> list[Count]:
    return [_money(recorded, "refunds", event.amount)]


def _won_back(recorded: Recorded, event: ChargebackReversed) -> list[Count]:
    lost = _money(recorded, "refunds", event.amount)
    return [lost._replace(amount=-event.amount.amount)]


_COUNTS: dict[type[Event], Callable[[Recorded, Any], list[Count]]] = {
    ReferralSubmitted: _submitted,
    ReferralAttributed: _attributed,
    LeadQualified: _one("qualified_leads"),
    OpportunityCreated: _one("opportunities"),
    DemoHeld: _one("demos"),
    DealWon: _won,
    DealLost: _one("deals_lost"),
    PaymentReceived: _paid,
    RefundIssued: _refunded,
    ChargebackReversed: _won_back,
}


REPORTS = (MetricReported, MetricCorrected)
"""The events that bring a figure from outside."""

MEASURED: frozenset[type[Event]] = frozenset({*_COUNTS, *REPORTS})
"""The events that change a figure."""

_AGREEMENTS: frozenset[type[Event]] = frozenset(
    {CharterAgreed, CommercialTermsAgreed, PriorAgreed, TargetAdjusted}
)


def counts(recorded: Recorded) -> list[Count]:
    """Give what an event adds to counted metrics; a late fact adds to the month it happened in."""
    count = _COUNTS.get(type(recorded.event))
    return count(recorded, recorded.event) if count else []


_COUNTED_BY: dict[type[Event], tuple[str, ...]] = {
    ReferralSubmitted: ("leads",),
    ReferralAttributed: ("attributed_leads",),
    LeadQualified: ("qualified_leads",),
    OpportunityCreated: ("opportunities",),
    DemoHeld: ("demos",),
    DealWon: ("deals_won", "won_value", "days_to_close"),
    DealLost: ("deals_lost",),
    PaymentReceived: ("payments", "deals_paid"),
    RefundIssued: ("refunds",),
    ChargebackReversed: ("refunds",),
}


def measures(recorded: Recorded) -> tuple[str, ...]:
    """Give the metrics whose figures an event counts or reports; none if it measures nothing."""
    event = recorded.event
    if isinstance(event, REPORTS):
        return (event.metric,)
    return _COUNTED_BY.get(type(event), ())


# --- fold --------------------------------------------------------------------------------------


def _period(recorded: Recorded) -> str:
    event = recorded.event
    if isinstance(event, REPORTS):
        return event.period
    if isinstance(event, ReferralAttributed):
        return month_of(event.referred_at)
    return month_of(recorded.act.occurred_at)


def keys(recorded: Recorded) -> tuple[str, ...]:
    """Give the row that an event touches: its period's, or that of what was agreed."""
    kind = type(recorded.event)
    if kind in MEASURED:
        return (_period(recorded),)
    return (AGREED,) if kind in _AGREEMENTS else ()


def apply(rows: Rows, recorded: Recorded) -> Change:
    """Take an event into the row of its period."""
    kind = type(recorded.event)
    if kind in MEASURED:
        period = _period(recorded)
        return Change({period: period_with(rows.get(period, {}), recorded)}, [])
    if kind in _AGREEMENTS:
        return Change({AGREED: agreed_with(rows.get(AGREED, {}), recorded)}, [])
    return NOTHING


def period_with(row: Row, recorded: Recorded) -> Row:
    """Give a period's row with what an event counts or reports."""
    event = recorded.event
    if isinstance(event, REPORTS):
        return {**row, "figures": _with_figure(row.get("figures", {}), event, recorded.index)}
    sums = dict(row.get("sums", {}))
    for count in counts(recorded):
        key = count.key
        before = sums.get(key, 0)
        if isinstance(count.amount, int):
            sums[key] = before + count.amount
        else:
            sums[key] = plain(Decimal(before) + count.amount)
    return {**row, "sums": sums}


def _with_figure(figures: Row, event: MetricReported | MetricCorrected, index: int) -> Row:
    key = f"{event.metric}|{event.segment or ''}|{event.figure.unit}"
    figure = event.figure.model_dump(mode="json", exclude_none=True)
    return {**figures, key: {**figures.get(key, {}), event.tool: {**figure, "index": index}}}


def agreed_with(row: Row, recorded: Recorded) -> Row:
    """Give the row of what was agreed, with new objectives, a new minimum or a new prior."""
    event = recorded.event
    if isinstance(event, CharterAgreed):
        since = recorded.act.occurred_at.date().isoformat()
        objectives = [each.model_dump(mode="json") for each in event.charter.objectives]
        return {**row, "objectives": objectives, "since": since}
    if isinstance(event, TargetAdjusted):
        target = {"target": plain(event.target), "deadline": event.deadline.isoformat()}
        adjusted = [
            each | target if each["objective"] == event.objective else each
            for each in row.get("objectives", [])
        ]
        return {**row, "objectives": adjusted}
    if isinstance(event, CommercialTermsAgreed):
        minimum = {
            "from": event.effective_from.isoformat(),
            "minimum": event.terms.minimum_referrals_per_quarter,
            "version": event.terms_version,
            "index": recorded.index,
        }
        return {**row, "minimums": [*row.get("minimums", []), minimum]}
    if isinstance(event, PriorAgreed):
        prior = {
            # Not from when its authors say that they agreed: it never reaches backwards (C21).
            "from": recorded.act.recorded_at.isoformat(),
            "version": event.prior_version,
            "index": recorded.index,
            **event.prior.model_dump(mode="json"),
        }
        return {**row, "priors": [*row.get("priors", []), prior]}
    return row


def minimum_for(window: str, row: Row) -> Row | None:
    """Give the minimum of referrals in force when a quarter began, if one was agreed (C10)."""
    start = bounds(window)[0].date().isoformat()
    holding = [each for each in row.get("minimums", []) if each["from"] <= start]
    latest = max(holding, key=lambda each: (each["from"], each["version"]), default=None)
    return latest if latest and latest["minimum"] is not None else None


KPIS = Projection("kpis", keys, apply, MEASURED | _AGREEMENTS)
