"""What ends an open alert: a code, the words of it, the events that do it."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from domain.deadlines.table import RULES
from domain.described import described
from domain.kernel import Event
from domain.standing_alerts import (
    ATTRIBUTION_CONTESTED,
    AUDIT_FAILED,
    BY_RULE,
    CLAIM_AWAITS,
    COMMITMENT_LOWERED,
    CORRECTION_TAKES,
    CREDITED_TWICE,
    DEPENDENCY_HIGH,
    DUE_SOON,
    ENTRY_WITHOUT_TERMS,
    FIGURE_OVERDUE,
    FIGURES_DIFFER,
    HEALTH_DIVERGES,
    HEALTH_LOW,
    LEAD_AWAITS,
    LEAD_REJECTED,
    LEAD_UNANSWERED,
    OBJECTIVE_MISSED,
    STATEMENT_OVERDUE,
    AlertKind,
    StandingAlert,
)
from projections.alerts import Alert


@described
@dataclass(frozen=True, slots=True)
class Ending:
    """What ends an open alert."""

    code: str
    """A code, such as `statement-paid`; `event` for one of `events`."""
    text: str
    """The same in words."""
    events: tuple[str, ...] = ()
    """The types of the events of which each ends it."""


def ending(alert: Alert) -> Ending:
    """Return what ends an open alert."""
    if said := _ENDS.get(alert.rule):
        return said
    if alert.kind is AlertKind.OPERATOR:
        return _READABLE
    standing = BY_RULE.get(alert.rule)
    if standing is None or alert.facts is not None:
        return _RULE_KEPT
    events = tuple(dict.fromkeys(each.__name__ for each in _closed_by(alert, standing)))
    words = ", ".join(map(_words, events))
    return Ending("event", f"It ends with one of these events: {words}.", events)


def _closed_by(alert: Alert, standing: StandingAlert) -> Iterator[type[Event]]:
    """Yield the events that end an alert; the row of reminders has those of every kind of day."""
    if alert.rule != DUE_SOON:
        yield from (each.event for each in standing.closed_by)
        return
    kind = alert.window.partition("/")[0]
    for rule in RULES:
        if rule.kind == kind:
            yield from (each.event for each in rule.closed_by)
            yield rule.passing.event


def _words(type: str) -> str:
    return re.sub(r"(?<!^)([A-Z])", r" \1", type).lower()


_RULE_KEPT: Final = Ending(
    "rule-kept",
    "It ends when a later figure keeps to the rule, or a correction shows that it did.",
)
_READABLE: Final = Ending(
    "readable", "It ends when Accord can read every event of the partnership again."
)
_LEAD_ANSWERED: Final = "lead-answered"

_ENDS: Final[Mapping[str, Ending]] = {
    ATTRIBUTION_CONTESTED: Ending("credit-agreed", "It ends when both agree who is credited."),
    AUDIT_FAILED: Ending("audit-passed", "It ends when the same party passes a later audit of it."),
    CLAIM_AWAITS: Ending(
        "claim-answered", "It ends with an answer to the claim, or when the claim is taken back."
    ),
    COMMITMENT_LOWERED: Ending(
        "committed-again",
        "It ends when the party commits as much again, with the next review, or at the end of the "
        "next month.",
    ),
    CORRECTION_TAKES: Ending("correction-answered", "It ends with an answer to the correction."),
    CREDITED_TWICE: Ending(
        "credited-once", "It ends when one of the partnerships credits it no longer."
    ),
    DEPENDENCY_HIGH: Ending(
        "share-smaller", "It ends when the share is smaller, or the party sets another limit."
    ),
    ENTRY_WITHOUT_TERMS: Ending(
        "entry-priced", "It ends when terms price the entry, or the entry is reversed."
    ),
    FIGURE_OVERDUE: Ending("figure-reported", "It ends when the figure is reported."),
    FIGURES_DIFFER: Ending("figures-agree", "It ends when both state the same figure."),
    HEALTH_DIVERGES: Ending("ratings-closer", "It ends when later ratings are closer."),
    HEALTH_LOW: Ending("rated-higher", "It ends when the party rates it higher."),
    LEAD_AWAITS: Ending(
        _LEAD_ANSWERED, "It ends when the lead is accepted or rejected, or counts as accepted."
    ),
    LEAD_UNANSWERED: Ending(_LEAD_ANSWERED, "It ends when the lead is accepted or rejected."),
    LEAD_REJECTED: Ending(
        "objection-withdrawn", "It ends when the objection to the lead is taken back."
    ),
    OBJECTIVE_MISSED: Ending(
        "objective-reached",
        "It ends when a late figure or another target shows that it is reached.",
    ),
    STATEMENT_OVERDUE: Ending("statement-paid", "It ends when the statement is paid."),
}
"""What ends an alert that no single kind of event ends."""
