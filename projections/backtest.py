"""Tries a rule on the past: what it would have raised, had it been agreed before (C15).

The fold is that of the alerts, with this rule in place of all that were agreed. Windows in which
the rule raises nothing are given too, with the reason, so that one sees how near a breach was.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from domain.calendar import bounds
from domain.formation import DecisionRuleAgreed
from domain.proportions import rounded
from domain.recorded import Recorded
from domain.rules import DecisionRule
from domain.values import Exact
from projections import breaches
from projections.alerts import ALERTS, STATE, Alert, AlertsState
from projections.breaches import BindingRule, Judged, Look
from projections.fold import Folded, fold

TRIED = 0
"""The version of a rule that is only tried: nobody agreed it."""


class Finding(StrEnum):
    """What a rule finds in one window."""

    BEYOND = "beyond-threshold"
    WITHIN = "within-threshold"
    INSUFFICIENT = "insufficient-evidence"
    NO_FIGURE = "no-figure"


@dataclass(frozen=True, slots=True)
class TriedWindow:
    """What a rule sees in one closed window, as is known now."""

    window: str
    """The period; then a slash and the campaign, where the rule looks at each campaign."""
    value: Exact | None
    sample: Exact | None
    """The denominator of the figure."""
    probability: Exact | None
    """The probability, from 0 to 1, that the rate is beyond the threshold, if the rule asks."""
    finding: Finding


@dataclass(frozen=True, slots=True)
class Tried:
    """The alerts that a rule would have raised, as they would be now, and what it sees."""

    alerts: tuple[Alert, ...]
    windows: tuple[TriedWindow, ...]


def tried(rule: DecisionRule, since: str, events: Iterable[Recorded]) -> Tried:
    """Give what a rule would have raised on a log, had it bound since a period began."""
    binding = BindingRule(rule, TRIED, None, bounds(since)[0])
    seeded = AlertsState(breaches.with_rule(AlertsState().judged, binding))
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
