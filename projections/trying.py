"""Trying a rule on the past: what it would have said, had it been agreed before (C15).

The fold is that of the alerts, with this rule in place of all that were agreed. A window in which
it says nothing is told too, with the reason, so that one sees how near a breach was.
"""

from collections.abc import Iterable, Iterator

from domain.calendar import bounds
from domain.formation import DecisionRuleAgreed
from domain.recorded import Recorded
from domain.rules import DecisionRule
from projections import beliefs, breaches
from projections.alerts import ALERTS, STATE, Alert, AlertsState
from projections.breaches import BindingRule, Judged, Look
from projections.fold import Folded, Row, fold

NOBODYS = 0
"""The version of a rule that is only tried: nobody agreed it."""


def tried(rule: DecisionRule, since: str, events: Iterable[Recorded]) -> Row:
    """Give what a rule would have said of a log's events, binding from the beginning of a period.

    ``alerts`` are those it would have raised, as they would stand now, and ``windows`` what it
    would have seen in each period that closed, as is known now.
    """
    tried_rule = BindingRule(rule, NOBODYS, None, bounds(since)[0])
    seeded = AlertsState(breaches.with_rule(AlertsState().judged, tried_rule))
    others = (each for each in events if not isinstance(each.event, DecisionRuleAgreed))
    rows = fold(ALERTS, Folded(rows={STATE: seeded}), others).rows
    raised = [row for row in rows.values() if isinstance(row, Alert) and row.rule == rule.rule]
    return {
        "alerts": [
            ALERTS.dump(each.id, each)
            for each in sorted(raised, key=lambda each: (each.since, each.id))
        ],
        "windows": list(_windows(rows[STATE].judged, tried_rule)),
    }


def _windows(judged: Judged, rule: BindingRule) -> Iterator[Row]:
    closed = [each for each in judged.closed if rule.is_on(each) and rule.binds_in(each)]
    for window in sorted(closed, key=bounds):
        for segment in breaches.segments_of(judged, rule, window):
            look = breaches.look_at(judged, rule, window, segment)
            yield {
                "window": f"{window}/{segment}" if segment else window,
                "value": look.shown,
                **_evidence(look),
                "verdict": _verdict(look),
            }


def _evidence(look: Look) -> Row:
    trials, likely = look.trials, look.probability
    return ({} if trials is None else {"sample": str(trials)}) | (
        {} if likely is None else {"probability": beliefs.probability(likely)}
    )


def _verdict(look: Look) -> str:
    if look.value is None:
        return "no figure"
    if look.breaks:
        return "beyond the threshold"
    return "keeps to it" if look.keeps else "insufficient evidence"
