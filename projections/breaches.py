"""What agreed rules say of each fact, for the log itself: breaches, and those taken back (C20)."""

from collections.abc import Mapping

from domain.breach_actions import RuleBreached, RuleBreachRetracted
from domain.kernel import Event
from domain.recorded import Recorded
from domain.rules import OWN_RULES, Action
from projections.alerts import ALERTS, FIRING, RETRACTED, STATE
from projections.fold import Output, Row, Rows


def judge(rows: Rows, recorded: Recorded) -> tuple[Mapping[str, Row], list[Event]]:
    """Give the one row that judging needs, with `recorded` in it, and what the log is to say."""
    if not ALERTS.concerns(recorded):
        return rows, []
    change = ALERTS.apply(rows, recorded)
    state = change.rows.get(STATE)
    return (
        rows if state is None else {STATE: state},
        [event for output in change.outputs if (event := _said(output)) is not None],
    )


def _said(output: Output) -> Event | None:
    body = output.body
    if body["rule"] in OWN_RULES:
        return None
    breach = {"rule": body["rule"], "rule_version": body["version"], "window": body["window"]}
    if body["state"] == FIRING:
        action = Action(body["facts"]["action"])
        return RuleBreached(**breach, finding=body["text"], action=action)
    if body["state"] == RETRACTED:
        return RuleBreachRetracted(**breach, finding=body["ended"])
    return None
