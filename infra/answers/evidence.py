"""What numbers show: experiments, the funnel, agreed rules, and rules tried on the past."""

from domain import rules as decision_rules
from domain.formation import DecisionRuleAgreed
from domain.priors import PriorAgreed
from domain.rules import DecisionRule
from domain.values import instant
from infra.answers.explaining import agreed_rule, rule_in_words
from infra.answers.listing import rows_of
from infra.answers.logs import NOW, AsOf, NotFound, Row, entry, log, perhaps
from infra.bootstrap import Accord
from projections import EXPERIMENTS, KPIS, trying
from projections import experiments as side_by_side
from projections import funnel as steps


def experiments(accord: Accord, partnership: str, when: AsOf = NOW) -> Row:
    """Give each experiment: its variants side by side, its stop rule, its conclusion (C5, C26).

    Raises `NotFound`.
    """
    rows = rows_of(EXPERIMENTS, accord, partnership, when)
    return {**_asked(partnership, when), "experiments": side_by_side.report(rows)}


def funnel(accord: Accord, partnership: str, period: str | None = None, when: AsOf = NOW) -> Row:
    """Give how many deals go on at each step, of a period or of all time (C19).

    Raises `NotFound`.
    """
    rows = rows_of(KPIS, accord, partnership, when)
    return {**_asked(partnership, when), **steps.report(rows, period)}


def rules(accord: Accord, partnership: str, when: AsOf = NOW) -> Row:
    """Give every decision rule and prior that was agreed, each version (C15, C21).

    Raises `NotFound`.
    """
    rules_: list[Row] = []
    priors: list[Row] = []
    for recorded in log(accord.history, partnership, when):
        match recorded.event:
            case DecisionRuleAgreed(rule=rule):
                data = {"data": rule.model_dump(mode="json", exclude_none=True)}
                rules_.append(agreed_rule(recorded) | data)
            case PriorAgreed(prior=prior, prior_version=version):
                priors.append(
                    {
                        **prior.model_dump(mode="json"),
                        "version": version,
                        "binds_from": instant(recorded.act.recorded_at),
                        "agreed": entry(recorded),
                    }
                )
            case _:
                pass
    return {**_asked(partnership, when), "rules": rules_, "priors": priors}


def try_rule(
    accord: Accord, partnership: str, rule: DecisionRule | str, since: str, when: AsOf = NOW
) -> Row:
    """Give what a rule would have said, had it bound since a period began; nothing is recorded.

    A rule that both agreed is named. Raises `NotFound`, or `Refused` for a rule that cannot be.
    """
    if isinstance(rule, str):
        rule = _named(accord, partnership, rule)
    decision_rules.check(rule)
    return {
        **_asked(partnership, when),
        "rule": rule.model_dump(mode="json", exclude_none=True),
        "text": rule_in_words(rule),
        "since": since,
        **trying.tried(rule, since, log(accord.history, partnership, when)),
    }


def _named(accord: Accord, partnership: str, name: str) -> DecisionRule:
    """Give the latest version of an agreed rule."""
    agreed = {
        each.event.rule.rule: each.event.rule
        for each in log(accord.history, partnership)
        if isinstance(each.event, DecisionRuleAgreed)
    }
    if name not in agreed:
        raise NotFound(
            f"{partnership} has no agreed rule {name}, and there is no such file.",
            perhaps(name, agreed, f"See its rules: accord rules {partnership}."),
        )
    return agreed[name]


def _asked(partnership: str, when: AsOf) -> Row:
    return {"id": partnership, "as_of": when.as_json()}
