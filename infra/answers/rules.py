"""The decision rules and priors that both parties agreed, each version (C15, C21)."""

from collections.abc import Iterator
from datetime import datetime

from domain.formation import DecisionRuleAgreed
from domain.metric_catalogue import Metric, metric_words
from domain.own_metric import MetricAgreed
from domain.priors import Prior, PriorAgreed
from domain.rules import DecisionRule
from infra.answers.logs import NOW, AsOf, own_log
from infra.answers.question import Answer, Item, PartnershipId, Question
from infra.answers.text import Block, Line, Remark, Table, minute
from infra.bootstrap import Accord
from projections import timeline
from projections.breaches import BindingRule
from projections.rule_words import rule_in_words
from projections.timeline import TimelineItem


class RuleVersion(Item):
    """One version of a decision rule."""

    rule: DecisionRule
    """The decision rule."""
    version: int
    """The version, counted from 1."""
    text: str
    """The rule in words."""
    binds_from: datetime
    """When the agreement was recorded; the rule applies to periods that begin later."""
    agreed: TimelineItem
    """Who agreed it, and when."""


class PriorVersion(Item):
    """One version of a prior."""

    prior: Prior
    """The prior."""
    version: int
    """The version, counted from 1."""
    binds_from: datetime
    """When the agreement was recorded; the prior applies to periods that begin later."""
    agreed: TimelineItem
    """Who agreed it, and when."""


class Rules(Answer):
    """The decision rules and priors of a partnership, in the order in which they were agreed."""

    id: str
    """The partnership."""
    rules: tuple[RuleVersion, ...]
    """The decision rules that both parties agreed."""
    priors: tuple[PriorVersion, ...]
    """The priors that both parties agreed."""


def ask(accord: Accord, id: PartnershipId, when: AsOf = NOW) -> Rules:
    """Return every version of the decision rules and priors. Raises `NotFound`."""
    rules: list[RuleVersion] = []
    priors: list[PriorVersion] = []
    own: dict[str, Metric] = {}
    for recorded in own_log(accord.history, id, when):
        since = recorded.act.recorded_at
        match recorded.event:
            case DecisionRuleAgreed(rule=rule, rule_version=version):
                agreed = timeline.item(recorded)
                rules.append(
                    RuleVersion(
                        rule=rule,
                        version=version,
                        text=rule_in_words(rule, own),
                        binds_from=since,
                        agreed=agreed,
                    )
                )
            case MetricAgreed(metric=name) as defined:
                own[name] = defined.definition
            case PriorAgreed(prior=prior, prior_version=version):
                agreed = timeline.item(recorded)
                priors.append(
                    PriorVersion(prior=prior, version=version, binds_from=since, agreed=agreed)
                )
            case _:
                pass
    return Rules(
        simulated=accord.simulated,
        as_of=when.asked,
        id=id,
        rules=tuple(rules),
        priors=tuple(priors),
    )


def binding_rules(accord: Accord, id: str, when: AsOf) -> Iterator[BindingRule]:
    """Yield every version of the decision rules, as figures are judged by them."""
    for each in ask(accord, id, when).rules:
        yield BindingRule(each.rule, each.version, each.agreed.index, each.binds_from)


def text(found: Rules) -> Iterator[Block]:
    """Yield a line for each version."""
    if not found.rules:
        yield Remark("No decision rule is agreed.")
    yield Table(
        ["RULE", ">VERSION", "BINDS FROM", "WHAT WAS AGREED"],
        [
            (each.rule.rule, each.version, minute(each.binds_from), each.text)
            for each in found.rules
        ],
    )
    if found.rules and found.priors:
        yield Line()
    yield Table(
        ["PRIOR OF", ">VERSION", "BINDS FROM", "BELIEF", "FROM"],
        [
            (
                metric_words(each.prior.metric),
                each.version,
                minute(each.binds_from),
                f"Beta({each.prior.successes}, {each.prior.failures})",
                each.prior.source,
            )
            for each in found.priors
        ],
    )


RULES = Question(
    "rules",
    ask,
    text,
    path="/v1/partnerships/{id}/rules",
    help="List every version of the decision rules and priors that were agreed.",
)
