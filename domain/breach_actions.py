"""Breach actions: the process manager that carries out what a breached rule asks for (C15, C20).

A breach is judged from figures (`projections.breaches`) and recorded in the partnership's own log.
`next_action` then gives the next event that is still to be recorded about it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from domain.context import PartnershipContext
from domain.execution import CommitmentCancelled, InvestmentReduced, ReviewScheduled
from domain.formation import DecisionRuleAgreed
from domain.kernel import RUNNING, Event, Value
from domain.rules import HALF, Action, DecisionRule
from domain.values import Count, Slug, Text

REVIEW_WITHIN = timedelta(days=14)
"""How long after a breach its review takes place."""

_LONGEST = 64


class _Breach(Value):
    rule: Slug
    """The decision rule."""
    rule_version: Count
    """The version of the decision rule, counted from 1."""
    window: Text
    """The period; with a slash and the campaign, if the rule judges each campaign separately."""
    finding: Text
    """The figures and the threshold, in words."""

    @property
    def breach(self) -> str:
        """The identifier of the breach: its rule, version and window."""
        return f"{self.rule}@{self.rule_version}/{self.window}"


class RuleBreached(_Breach, Event):
    """Figures breached an agreed rule (C20)."""

    action: Action
    """What the parties agreed to do about it."""


class RuleBreachWithdrawn(_Breach, Event):
    """A late event or a correction showed that there was no breach (C20)."""


@dataclass(frozen=True, slots=True)
class Breaches:
    """The recorded breaches by identifier, each with the time of its recording."""

    open: Mapping[str, tuple[RuleBreached, datetime]] = field(default_factory=dict)

    def evolve(self, event: Event, at: datetime) -> "Breaches":
        """Fold a breach, or its withdrawal, into the state."""
        match event:
            case RuleBreached():
                return replace(self, open={**self.open, event.breach: (event, at)})
            case RuleBreachWithdrawn():
                left = {key: each for key, each in self.open.items() if key != event.breach}
                return replace(self, open=left)
            case _:
                return self


def next_action(breaches: Breaches, context: PartnershipContext) -> Event | None:
    """Return the next event that a breached rule asks for, None if all are recorded.

    Both parties agreed the rule, so what it asks for needs no other consent.
    """
    if context.stage not in RUNNING:
        return None
    reviews = {each.review for each in context.agreements.versions(ReviewScheduled)}
    reductions = {each.reduction for each in context.agreements.versions(InvestmentReduced)}
    given_up = {each.ref for each in context.agreements.versions(CommitmentCancelled)}
    for breach, recorded_at in breaches.open.values():
        if _name_of(breach) not in reviews | reductions | given_up:
            event = _asked_by(breach, recorded_at, context)
            if event is not None:
                return event
    return None


def _asked_by(
    breach: RuleBreached, recorded_at: datetime, context: PartnershipContext
) -> Event | None:
    reason = f"Rule {breach.rule}, version {breach.rule_version}: {breach.finding}"
    match breach.action:
        case Action.ESCALATE_TO_REVIEW:
            return ReviewScheduled(
                agreed_version=1,
                review=_name_of(breach),
                kind="quarterly-business-review",
                at=recorded_at + REVIEW_WITHIN,
                reason=reason,
            )
        case Action.REDUCE_INVESTMENT:
            _, _, campaign = breach.window.partition("/")
            rule = _rule_of(breach, context)
            campaign, budget = campaign or breach.rule, rule.budget if rule else None
            if not context.given_up.keys().isdisjoint(
                (f"campaign/{campaign}", f"investment/{budget}")
            ):
                return None  # Nothing is left to reduce.
            return InvestmentReduced(
                agreed_version=1,
                reduction=_name_of(breach),
                campaign=campaign,
                budget=budget,
                by=rule.reduce_by if rule else HALF,
                reason=reason,
            )
        case Action.NOTIFY:
            return None


def _rule_of(breach: RuleBreached, context: PartnershipContext) -> DecisionRule | None:
    """Return the rule that was breached, in its version."""
    agreed = context.agreements.versions(DecisionRuleAgreed)
    versions = [each for each in agreed if each.rule.rule == breach.rule]
    found = (each.rule for each in versions if each.rule_version == breach.rule_version)
    return next(found, None)


def _name_of(breach: RuleBreached) -> str:
    window = breach.window.replace("/", ":")
    rest = f":{breach.rule_version}:{window}"[:_LONGEST]
    return breach.rule[: _LONGEST - len(rest)] + rest
