"""What a rule would have raised, had it been agreed before (C15)."""

import re
from collections.abc import Iterator
from typing import Annotated

from pydantic import ValidationError

from domain import rules
from domain.calendar import Period
from domain.formation import DecisionRuleAgreed
from domain.kernel import Refused
from domain.own_metric import own_metrics_in
from domain.rules import DecisionRule
from domain.terms import UTC
from domain.values import name_words
from infra.answers import alerts
from infra.answers.logs import NOW, AsOf, NotFound, log, own_log, perhaps
from infra.answers.parameters import NotEmpty
from infra.answers.question import Answer, Parameter, PartnershipId, Question
from infra.answers.text import Block, Hanging, Line, Remark, Table, number
from infra.answers.zones import zones_of
from infra.bootstrap import Accord
from projections import backtest
from projections.alerts import Alert
from projections.backtest import TriedWindow
from projections.rule_words import rule_in_words


class TriedRule(Answer):
    """The result of a rule in each window, and the alerts that it would have raised."""

    id: str
    """The partnership."""
    rule: DecisionRule
    """The rule that was tried."""
    text: str
    """The rule in words."""
    since: str
    """The period from which the rule was tried."""
    windows: tuple[TriedWindow, ...]
    """Each period that was tried."""
    alerts: tuple[Alert, ...]
    """The alerts that it would have raised, as they would be now."""
    zone: str
    """The time zone of the days of the partnership."""


def ask(
    accord: Accord,
    id: PartnershipId,
    rule: Annotated[
        NotEmpty,
        Parameter(
            "An agreed rule's name, or a rule as JSON, as ProposeDecisionRule has it.",
            "RULE|FILE",
            is_file=True,
        ),
    ],
    since: Annotated[
        Period,
        Parameter(
            "As if it had been agreed when this month, quarter or year began.",
            "PERIOD",
            positional=False,
        ),
    ],
    when: AsOf = NOW,
) -> TriedRule:
    """Backtest a rule, as if it had been in force since a period began.

    Nothing is recorded. For a party, figures that are too small to be shown to it are missing.
    Raises `NotFound`, or `Refused` for a rule that cannot be agreed.
    """
    is_name = re.fullmatch(r"[\w.-]{1,64}", rule)
    asked = _agreed(accord, id, rule) if is_name else _parsed(rule)
    seen = list(log(accord.history, id, when))
    own = own_metrics_in(each.event for each in seen)
    rules.check(asked, own)
    tried = backtest.tried(asked, since, seen)
    return TriedRule(
        simulated=accord.simulated,
        as_of=when.asked,
        id=id,
        rule=asked,
        text=rule_in_words(asked, own),
        since=since,
        windows=tried.windows,
        alerts=tried.alerts,
        zone=zones_of(accord, [id]).get(id, UTC),
    )


def _parsed(text: str) -> DecisionRule:
    """Return the rule that is written as JSON. An error never repeats what was written."""
    try:
        return DecisionRule.model_validate_json(text, strict=True)
    except ValidationError as error:
        wrong = (": ".join(filter(None, ("/".join(map(str, each["loc"])), each["msg"])))
                 for each in error.errors(include_input=False, include_url=False))  # fmt: skip
        raise Refused(
            "not-a-rule",
            f"This is neither the name of an agreed rule nor a decision rule: {'; '.join(wrong)}.",
            "Name an agreed rule, or write one as JSON by the schema of ProposeDecisionRule.",
            field="rule",
        ) from None


def _agreed(accord: Accord, partnership: str, name: str) -> DecisionRule:
    """Return the latest version of an agreed rule."""
    agreed = {
        each.event.rule.rule: each.event.rule
        for each in own_log(accord.history, partnership)
        if isinstance(each.event, DecisionRuleAgreed)
    }
    if name not in agreed:
        otherwise = "Name an agreed rule, or give a rule as JSON."
        raise NotFound(
            f"{partnership} has no agreed rule {name}.", perhaps(name, agreed, otherwise)
        )
    return agreed[name]


def text(found: TriedRule) -> Iterator[Block]:
    """Yield what the rule finds in each window, then the alerts."""
    yield Line(f"{found.rule.rule}, tried on {found.id} since {found.since}", "bold")
    yield Line(found.text, indent=2)
    if not found.windows:
        yield Remark(f"No {found.rule.window} has closed since then.")
    yield Table(
        ["WINDOW", ">VALUE", ">SAMPLE", ">PROBABILITY", "FINDING"],
        [
            (
                each.window,
                number(each.value, "none"),
                number(each.sample),
                number(each.probability),
                name_words(each.finding),
            )
            for each in found.windows
        ],
        indent=2,
    )
    yield Line()
    if not found.alerts:
        yield Line("It would have raised no alert.", indent=2)
        return
    yield Line("It would have raised:", "bold", 2)
    for alert in found.alerts:
        yield alerts.heading(alert, alert.window, found.zone, indent=4)
        yield Hanging(" " * 15, alerts.outcome(alert, found.zone))


TRY_RULE = Question(
    "try-rule",
    ask,
    text,
    path="/v1/partnerships/{id}/rules/{rule}/try",
    help="Show what a rule would have raised on the past. Nothing is recorded.",
)
