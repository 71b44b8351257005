"""A decision rule in words: which figure, which limit, and what both do about a breach (C15)."""

from typing import assert_never

from domain.metric_catalogue import (
    CATALOGUE,
    NO_METRICS,
    Catalogue,
    Metric,
    Unit,
    in_unit,
    metric_words,
)
from domain.rules import Action, DecisionRule
from domain.values import plain


def rule_in_words(rule: DecisionRule, own: Catalogue = NO_METRICS) -> str:
    """Return a decision rule as a sentence (C20, C21); `own` are the metrics that both defined.

    Without the definition of its metric, the threshold has no unit.
    """
    windows = (
        f"a {rule.window}"
        if rule.consecutive == 1
        else (f"{rule.consecutive} {rule.window}s in a row")
    )
    metric = CATALOGUE.get(rule.metric) or own.get(rule.metric)
    unit = rule.currency or (metric.unit if metric else Unit.COUNT)
    of = " of any one campaign" if rule.each_campaign else ""
    of += f" in {rule.segment}" if rule.segment else ""
    of += " as reported" if metric and metric.counted and rule.measured == "report" else ""
    of += f" by {rule.tool}" if rule.tool else ""
    limit = f"{rule.comparison} {in_unit(rule.threshold, unit)}"
    asked = _evidence_asked(rule, metric)
    return f"{metric_words(rule.metric)}{of} {limit} in {windows}{asked}: {_action_asked(rule)}"


def _action_asked(rule: DecisionRule) -> str:
    """Return what a rule asks for when it is breached: of which budget by how much (C20)."""
    match rule.action:
        case Action.ESCALATE_TO_REVIEW:
            return "escalate to a review"
        case Action.REDUCE_INVESTMENT:
            of = f"budget {rule.budget}" if rule.budget else "the investment in the campaign"
            return f"reduce {of} by {plain(rule.reduce_by)} %"
        case Action.NOTIFY:
            return "alert both parties"
        case _:
            assert_never(rule.action)


def _evidence_asked(rule: DecisionRule, metric: Metric | None) -> str:
    """Return what a rule asks of its evidence (C21)."""
    asked = []
    if rule.minimum_sample is not None:
        asked.append(f"{rule.minimum_sample} or more {metric.denominator if metric else 'trials'}")
    if rule.credibility is not None:
        asked.append(f"{plain(rule.credibility)} % credibility")
    return f", given {' and '.join(asked)}" if asked else ""
