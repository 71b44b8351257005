"""Breach actions: the process manager that carries out what a breached rule asks for (C15, C20).

A breach is judged from figures (`projections.alerts`) and recorded in the partnership's own log
when it is seen. From there on `next_action` says what is still to be done about it; each action
is an ordinary command, decided like any other (C15, C20).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal

from domain.context import PartnershipContext
from domain.execution import Execution, InvestmentReduced, ReduceInvestment, ScheduleReview
from domain.kernel import Command, Event, Value
from domain.rules import Action
from domain.values import Count, Slug, Text

REVIEW_WITHIN = timedelta(days=14)
"""How long after a breach the review that it leads to takes place."""

HALF = Decimal(50)
"""By how many percent the investment in a campaign below its line is reduced (C20)."""

_LONGEST = 64


class _Breach(Value):
    rule: Slug
    rule_version: Count
    window: Text
    """The period, and behind a slash the campaign, if the rule looks at each by itself."""
    finding: Text

    @property
    def breach(self) -> str:
        """Give what tells one breach from another."""
        return f"{self.rule}@{self.rule_version}/{self.window}"


class RuleBreached(_Breach, Event):
    """Figures broke a rule that both had agreed (C20)."""

    action: Action


class RuleBreachWithdrawn(_Breach, Event):
    """A late fact or a correction showed that there had been no breach (C20)."""


@dataclass(frozen=True, slots=True)
class Breaches:
    """The breaches on record, by what tells them apart, and when each was seen."""

    open: Mapping[str, tuple[RuleBreached, datetime]] = field(default_factory=dict)

    def evolve(self, event: Event, at: datetime) -> "Breaches":
        """Take a breach, or its withdrawal, into the record."""
        match event:
            case RuleBreached():
                return replace(self, open={**self.open, event.breach: (event, at)})
            case RuleBreachWithdrawn():
                left = {key: each for key, each in self.open.items() if key != event.breach}
                return replace(self, open=left)
            case _:
                return self


def next_action(
    breaches: Breaches, execution: Execution, context: PartnershipContext
) -> Command | None:
    """Give the next command that an agreed rule asks for, or nothing where all is done."""
    for breach, seen_at in breaches.open.values():
        command = _asked_by(breach, seen_at)
        if command is None or context.stage not in command.stages:
            continue
        if isinstance(command, ScheduleReview):
            if command.review not in execution.reviews:
                return command
        elif not any(
            each.reduction == _name_of(breach)
            for each in context.declarations.of(InvestmentReduced)
        ):
            return command
    return None


def _asked_by(breach: RuleBreached, seen_at: datetime) -> Command | None:
    reason = f"Rule {breach.rule}, version {breach.rule_version}: {breach.finding}"
    match breach.action:
        case Action.ESCALATE_TO_REVIEW:
            return ScheduleReview(
                review=_name_of(breach),
                kind="quarterly-business-review",
                at=seen_at + REVIEW_WITHIN,
                reason=reason,
            )
        case Action.REDUCE_INVESTMENT:
            _, _, campaign = breach.window.partition("/")
            reduction: Command = ReduceInvestment(
                reduction=_name_of(breach),
                campaign=campaign or breach.rule,
                by=HALF,
                reason=reason,
            )
            return reduction
        case Action.NOTIFY:
            return None


def _name_of(breach: RuleBreached) -> str:
    window = breach.window.replace("/", ":")
    rest = f":{breach.rule_version}:{window}"[:_LONGEST]
    return breach.rule[: _LONGEST - len(rest)] + rest
