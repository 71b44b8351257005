"""Breach actions: the process manager that carries out what a breached rule asks for (C15, C20).

A breach is judged from figures (`projections.breaches`) and recorded in the partnership's own log.
`next_action` then gives what is still to be done about it; each action is an ordinary command.
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
"""How long after a breach its review takes place."""

HALF = Decimal(50)
"""The reduction, in percent, of the investment in a campaign that breaches its rule (C20)."""

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


def next_action(
    breaches: Breaches, execution: Execution, context: PartnershipContext
) -> Command | None:
    """Return the next command that a breached rule asks for, None if all are done."""
    for breach, recorded_at in breaches.open.values():
        command = _asked_by(breach, recorded_at)
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


def _asked_by(breach: RuleBreached, recorded_at: datetime) -> Command | None:
    reason = f"Rule {breach.rule}, version {breach.rule_version}: {breach.finding}"
    match breach.action:
        case Action.ESCALATE_TO_REVIEW:
            return ScheduleReview(
                review=_name_of(breach),
                kind="quarterly-business-review",
                at=recorded_at + REVIEW_WITHIN,
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
