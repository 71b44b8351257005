"""What ends an open alert: a code, the words of it, the events that do it."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from domain.bilateral import BilateralAgreement
from domain.deadlines.deadline import DeadlineKind
from domain.deadlines.reviews import cadence_words
from domain.deadlines.table import RULES
from domain.described import described
from domain.exit import PartnershipExited
from domain.kernel import Event
from domain.standing_alerts import (
    ANSWER_OVERDUE,
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
from domain.values import type_words
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
    words = ", ".join(map(type_words, events))
    text = _WORDS.get(alert.rule, f"It ends with one of these events: {words}.")
    return Ending("event", text.format(cadence_words(alert.window.partition("/")[0])), events)


def _closed_by(alert: Alert, standing: StandingAlert) -> Iterator[type[Event]]:
    """Yield the events that end an alert.

    The row of reminders has those of every kind of day, that of answers those of every proposal.
    """
    kind, _, ref = alert.window.partition("/")
    if alert.rule == ANSWER_OVERDUE:
        yield from _answers(alert.window, (each.event for each in standing.closed_by))
    elif alert.rule == DUE_SOON:
        of_kind = _of_days(kind)
        yield from _answers(ref, of_kind) if kind == DeadlineKind.ANSWER else of_kind
    else:
        yield from (each.event for each in standing.closed_by)


def _answers(proposal: str, events: Iterable[type[Event]]) -> Iterator[type[Event]]:
    """Yield those of the events that can answer a proposal: of the agreements, that of its kind."""
    kind = proposal.partition("/")[0]
    for each in events:
        if not issubclass(each, BilateralAgreement) or each.name == kind:
            yield each


def _of_days(kind: str) -> Iterator[type[Event]]:
    for rule in RULES:
        if rule.kind == kind:
            yield from (each.event for each in rule.closed_by)
            yield rule.passing.event


_RENEWED_OR_LEFT: Final = (
    "It ends when both renew, or when notice of an exit is given or an exit is agreed."
)

_WORDS: Final[Mapping[str, str]] = {
    "milestone-missed": "It ends when the milestone is reached, moved or given up.",
    "action-overdue": "It ends when the action is done, moved or given up.",
    "onboarding-overdue": "It ends when the step is completed, moved or given up.",
    "contribution-overdue": "It ends when the contribution is given, promised anew or given up.",
    "campaign-over": "It ends when the campaign is closed, planned for longer or given up.",
    "issue-escalated": "It ends when both agree how the issue is resolved.",
    "improvement-due": "It ends when both agree the outcome of the plan, or another deadline.",
    "pause-over": "It ends when both end the pause, or agree a later last day.",
    "review-missed": "It ends when both agree that the review was held, move it or give it up.",
    "cadence-missed": "It ends when the next {} is recorded, or another cadence is agreed.",
    "notice-due": "It ends when both renew, when both agree other terms or an exit, when one gives "
    "notice, or when the last day for notice has passed.",
    "term-ended": "It ends when both renew or agree a longer term, or when they leave.",
    "breach-not-cured": "It ends when both agree that the breach is cured, or an exit takes "
    "effect.",
    ANSWER_OVERDUE: "It ends when the proposal is answered, withdrawn or lapses.",
    "signature-overdue": "It ends when each party has signed, or when the draft is replaced, "
    "declined, withdrawn or lapses.",
    "confirmation-missed": "It ends when the act is confirmed, done again or taken back.",
    DUE_SOON: "It ends when this is done, moved or given up, or when its day has passed.",
    "dispute-opened": "It ends when the dispute is resolved or withdrawn.",
    "risk-highest": "It ends when the risk is rated lower, mitigated or given up.",
    "exit-ahead": "It ends when the exit takes effect, or both withdraw it.",
    "renewal-declined": _RENEWED_OR_LEFT,
    "breach-notice": "It ends when both agree that the breach is cured, or when the last day of "
    "the cure period has passed.",
    "risk-open": "It ends when the risk is mitigated or given up.",
    "investment-reduced": "It ends when the reduction is given up, the campaign is closed, or an "
    "exit takes effect.",
    "renewal-open": _RENEWED_OR_LEFT,
}
"""What ends the alerts that events end, by rule, in words; `{}` is the kind of review."""

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
    "exit-incomplete": Ending(
        "exit-completed",
        "It ends when both agree that the exit is complete.",
        (PartnershipExited.__name__,),
    ),
    FIGURE_OVERDUE: Ending("figure-reported", "It ends when the figure is reported."),
    FIGURES_DIFFER: Ending("figures-agree", "It ends when both state the same figure."),
    HEALTH_DIVERGES: Ending("ratings-closer", "It ends when later ratings are closer."),
    HEALTH_LOW: Ending("rated-higher", "It ends when the party rates it higher."),
    LEAD_AWAITS: Ending(
        _LEAD_ANSWERED, "It ends when the lead is accepted or rejected, or counts as accepted."
    ),
    LEAD_UNANSWERED: Ending(
        _LEAD_ANSWERED, "It ends when each of its leads is accepted or rejected."
    ),
    LEAD_REJECTED: Ending(
        "lead-accepted-after-all",
        "It ends when the lead is accepted after all, or its deal is lost or merged.",
    ),
    OBJECTIVE_MISSED: Ending(
        "objective-reached",
        "It ends when a late figure or another target shows that it is reached.",
    ),
    STATEMENT_OVERDUE: Ending("statement-paid", "It ends when the statement is paid."),
}
"""What ends an alert that no single kind of event ends."""
