"""Backtests a rule: which alerts it would have raised if it had been agreed earlier (C15).

It folds the alerts with this rule instead of the agreed ones. Windows without an alert are listed
with the reason, to show how near a breach was.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from domain.calendar import bounds
from domain.described import described
from domain.formation import DecisionRuleAgreed
from domain.own_metric import own_metrics_in
from domain.proportions import rounded
from domain.recorded import Recorded
from domain.rules import DecisionRule
from domain.values import Exact
from projections import breaches
from projections.alerts import ALERTS, STATE, Alert, AlertsState
from projections.breaches import BindingRule, Judged, Look
from projections.fold import Folded, fold
from projections.kpis import AgreedRow

TRIED = 0
"""The version of a rule that is only backtested, never agreed."""


class Finding(StrEnum):
    """The result of a rule in one window."""

    BEYOND = "beyond-threshold"
    WITHIN = "within-threshold"
    INSUFFICIENT = "insufficient-evidence"
    NO_FIGURE = "no-figure"


@described
@dataclass(frozen=True, slots=True)
class TriedWindow:
    """The evidence of a rule in one closed window, as known now."""

    window: str
    """The period; then a slash and the campaign, if the rule judges each campaign."""
    value: Exact | None
    """The figure of the window."""
    sample: Exact | None
    """The denominator of the figure."""
    probability: Exact | None
    """The probability, from 0 to 1, that the rate is beyond the threshold, if the rule asks."""
    finding: Finding
    """What the rule found, in words."""


@dataclass(frozen=True, slots=True)
class Tried:
    """The result of a backtest: the alerts that the rule would have raised, and its windows."""

    alerts: tuple[Alert, ...]
    windows: tuple[TriedWindow, ...]


def tried(rule: DecisionRule, since: str, events: Sequence[Recorded]) -> Tried:
    """Backtest a rule on a log, as if it had been in force since a period began."""
    binding = BindingRule(rule, TRIED, None, bounds(since)[0])
    own = own_metrics_in(each.event for each in events)
    begun = Judged(agreed=AgreedRow(metrics=tuple(own.values())))
    seeded = AlertsState(breaches.with_rule(begun, binding))
    others = (each for each in events if not isinstance(each.event, DecisionRuleAgreed))
    rows = fold(ALERTS, Folded(rows={STATE: seeded}), others).rows
    raised = [row for row in rows.values() if isinstance(row, Alert) and row.rule == rule.rule]
    raised.sort(key=lambda each: (each.since, each.id))
    return Tried(tuple(raised), tuple(_windows(rows[STATE].judged, binding)))


def _windows(judged: Judged, rule: BindingRule) -> Iterator[TriedWindow]:
    closed = [each for each in judged.closed if rule.is_on(each) and rule.binds_in(each)]
    for window in sorted(closed, key=bounds):
        for segment in breaches.segments_of(judged, rule, window):
            look = breaches.look_at(judged, rule, window, segment)
            likely = look.probability
            yield TriedWindow(
                f"{window}/{segment}" if segment else window,
                look.value,
                look.trials,
                None if likely is None else rounded(likely),
                _finding(look),
            )


def _finding(look: Look) -> Finding:
    if look.value is None:
        return Finding.NO_FIGURE
    if look.breaks:
        return Finding.BEYOND
    return Finding.WITHIN if look.keeps else Finding.INSUFFICIENT
