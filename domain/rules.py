"""Decision rules as agreed data: what both said beforehand that numbers would mean (C15, C20)."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from domain.kernel import Refused, Value
from domain.metric_catalogue import CATALOGUE, proportion
from domain.values import Number, Percent, Slug


class Window(StrEnum):
    """The length of the periods that a rule looks at."""

    MONTH = "month"
    QUARTER = "quarter"


class Comparison(StrEnum):
    """How a figure breaks a rule; equal to the threshold is no breach (C20)."""

    BELOW = "below"
    ABOVE = "above"


class Action(StrEnum):
    """What the parties agreed to do about a breach (C20)."""

    ESCALATE_TO_REVIEW = "escalate-to-review"
    REDUCE_INVESTMENT = "reduce-investment-50"
    NOTIFY = "notify"


class DecisionRule(Value):
    """A rule on one metric (C15): a figure beyond the threshold in so many windows on end.

    Of a proportion it can ask for a minimum sample and for a credibility (C21); where either is
    wanting in a window, the evidence is insufficient, and that is no breach.
    """

    rule: Slug
    metric: Slug
    window: Window
    comparison: Comparison
    threshold: Number
    consecutive: Annotated[int, Field(ge=1, le=4)] = 1
    each_campaign: bool = False
    """Whether the rule looks at each campaign by itself."""
    minimum_sample: Annotated[int, Field(ge=1, le=2**53 - 1)] | None = None
    """How many trials (the denominator) a window needs to be judged at all (C21)."""
    credibility: Annotated[Percent, Field(ge=50, lt=100)] | None = None
    """How likely the rate must be beyond the threshold, given the prior and the trials (C21)."""
    action: Action


def check(rule: DecisionRule) -> None:
    """Raise `Refused` if a rule takes the name of a standing alert or rests on no known metric."""
    # The table names events of every stage, and those stages import this module.
    from domain.standing_alerts import BY_RULE  # noqa: PLC0415

    if rule.rule in BY_RULE:
        raise Refused(
            "rule-name-taken",
            f"{rule.rule} is a rule that every partnership has.",
            "Give the agreed rule a name of its own.",
        )
    if rule.metric not in CATALOGUE:
        raise Refused(
            "unknown-metric",
            f"A rule cannot rest on {rule.metric}: the catalogue of metrics does not have it.",
            "Name a metric of the catalogue (accord schema ReportMetric lists them).",
        )
    if rule.minimum_sample is not None or rule.credibility is not None:
        proportion(rule.metric)
