"""Decision rules: what both parties agree, before they know the figures, to do about them (C15)."""

from collections.abc import Collection
from decimal import Decimal
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from domain.kernel import Refused, Unknown, Value
from domain.metric_catalogue import (
    NO_METRICS,
    Catalogue,
    MeasuredBy,
    check_currency,
    check_segment,
    proportion,
)
from domain.values import Currency, Number, Percent, Ref, Slug, Sureness

HALF = Decimal(50)
"""The reduction, in percent, of the investment in a campaign that breaches its rule (C20)."""


class Window(StrEnum):
    """The length of the periods that a rule judges."""

    MONTH = "month"
    QUARTER = "quarter"


class RuleComparison(StrEnum):
    """How a figure breaches a rule. A figure equal to the threshold does not (C20)."""

    BELOW = "below"
    ABOVE = "above"


class Action(StrEnum):
    """What the parties agree to do about a breach (C20)."""

    ESCALATE_TO_REVIEW = "escalate-to-review"
    REDUCE_INVESTMENT = "reduce-investment"
    NOTIFY = "notify"


class DecisionRule(Value):
    """A rule on one metric (C15). Figures beyond the threshold in consecutive windows breach it.

    For a proportion it can require a minimum sample and a credibility (C21). A window without them
    has insufficient evidence, which is not a breach.
    """

    rule: Slug
    """The name of the rule. A rule agreed under the name of another replaces it."""
    metric: Slug
    """The metric that the rule judges."""
    window: Window
    """The length of the periods that are judged."""
    comparison: RuleComparison
    """On which side of the threshold a figure breaches the rule."""
    threshold: Number
    """The threshold, in the metric's unit."""
    currency: Currency | None = None
    """The currency of the threshold, where the metric is money."""
    measured: MeasuredBy = "count"
    """What decides a metric that deals show: the count of deals, or the reported figure."""
    tool: Slug | None = None
    """The tool whose reported figures the rule judges. Default: that of the objective on the same
    metric. Without one, figures of the parties that differ are no evidence (C15)."""
    consecutive: Annotated[int, Field(ge=1, le=4)] = 1
    """The number of consecutive windows beyond the threshold that make a breach."""
    each_campaign: bool = False
    """Whether the rule judges each campaign separately."""
    segment: Slug | None = None
    """The segment that the rule judges, such as a market or a product; null for the whole."""
    minimum_sample: Annotated[int, Field(ge=1, le=2**53 - 1)] | None = None
    """The number of trials (the denominator) that a window needs to be judged (C21)."""
    credibility: Sureness | None = None
    """The probability, in percent, with which the rate must be beyond the threshold (C21)."""
    action: Action
    """What the parties do about a breach."""
    budget: Ref | None = None
    """The joint investment that a breach reduces, if the action is to reduce one. Default: what is
    spent on the campaign, which no budget keeps."""
    reduce_by: Percent = HALF
    """By how much a breach reduces the investment, in percent of what is left of it (C20)."""


def check(rule: DecisionRule, own: Catalogue = NO_METRICS) -> None:
    """Raise `Refused` if a rule takes a reserved name or rests on no known metric.

    A rule on a metric of money names the currency of its threshold. `own` are the metrics that
    both parties agreed beyond the catalogue.
    """
    # The table names events of every stage, and those stages import this module.
    from domain.standing_alerts import RESERVED  # noqa: PLC0415

    if rule.rule in RESERVED:
        raise Refused(
            "rule-name-taken",
            "An agreed rule cannot have the name of an alert that needs no rule. "
            f"{rule.rule} is one.",
            "Use another name for the rule.",
        )
    if rule.each_campaign and rule.segment is not None:
        raise Refused(
            "one-segment-or-each",
            "A rule judges one segment or each campaign. "
            f"{rule.rule} names {rule.segment} and each campaign.",
            "Name the segment, or each campaign.",
        )
    check_currency(rule.metric, rule.currency, own)
    check_segment(rule.metric, rule.segment, rule.measured, own)
    if rule.minimum_sample is not None or rule.credibility is not None:
        proportion(rule.metric, own)


def check_budget(rule: DecisionRule, budgets: Collection[str]) -> None:
    """Raise `Refused` unless a budget that a rule names is agreed, and the rule reduces it."""
    if rule.budget is None:
        return
    if rule.action is not Action.REDUCE_INVESTMENT:
        raise Refused(
            "budget-without-reduction",
            f"Only a rule that reduces an investment has a budget. {rule.rule} is to "
            f"{rule.action}.",
            "Leave the budget out, or agree the action reduce-investment.",
        )
    check_agreed_budget(rule.budget, budgets)


def check_agreed_budget(budget: str, budgets: Collection[str]) -> None:
    """Raise `Refused` unless a joint investment with this identifier is agreed."""
    if budget not in budgets:
        raise Unknown(
            "no-such-budget",
            f"Only an agreed joint investment can be reduced. There is no {budget}.",
            f"Name one of these: {', '.join(budgets)}."
            if budgets
            else "Agree one first (ProposeJointInvestment).",
            field="budget",
            named=budget,
            known=[*budgets],
        )
