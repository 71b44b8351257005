"""What an alert is about: a metric in its unit, an objective, the event that agreed its rule."""

from dataclasses import dataclass

from domain.described import described
from domain.figures_due import Figure
from domain.metric_catalogue import Unit
from domain.reported_figure import OTHER_CHANNELS
from domain.standing_alerts import (
    FIGURE_OVERDUE,
    FIGURES_DIFFER,
    OBJECTIVE_MISSED,
    REFERRAL_MINIMUM,
)
from projections.alerts import Alert, AlertsState
from projections.breaches import BindingRule
from projections.figures import LEADS
from projections.kpis import AgreedRow


@described
@dataclass(frozen=True, slots=True)
class Subject:
    """What an alert is about, beside its words; all null for one that is about no figure."""

    metric: str | None = None
    """The name of the metric."""
    segment: str | None = None
    """The part of the whole, such as a campaign; null for the whole."""
    unit: str | None = None
    """The unit: a currency, or one of the catalogue, such as `percent`. Null for a metric of money
    in any currency."""
    objective: str | None = None
    """The identifier of the objective."""
    agreed_by: int | None = None
    """The index of the event that agreed this version of the rule; null for an alert that rests on
    no agreed rule."""


NOTHING = Subject()
"""The subject of an alert that is about no figure."""


def subject(state: AlertsState, alert: Alert) -> Subject:
    """Return what an alert is about. `state` is the row that it was judged from."""
    agreed = state.judged.agreed
    if alert.rule in {FIGURE_OVERDUE, FIGURES_DIFFER}:
        figure = Figure.of(alert.window)
        return _of_metric(agreed, figure.metric, figure.segment or None)
    if alert.rule == OBJECTIVE_MISSED:
        return _of_objective(agreed, alert.window)
    if alert.rule == REFERRAL_MINIMUM:
        return _of_metric(agreed, LEADS, None)
    version = (alert.rule, alert.version)
    found = (each for each in state.judged.rules if (each.rule.rule, each.version) == version)
    return next((_of_rule(agreed, each, alert.window) for each in found), NOTHING)


def _of_objective(agreed: AgreedRow, name: str) -> Subject:
    found = next((each for each in agreed.objectives if each.objective == name), None)
    if found is None:
        return Subject(objective=name)
    return Subject(found.metric, found.segment, found.unit, name)


def _of_rule(agreed: AgreedRow, binding: BindingRule, window: str) -> Subject:
    rule, campaign = binding.rule, window.partition("/")[2]
    segment = campaign if rule.each_campaign and campaign != OTHER_CHANNELS else rule.segment
    unit = rule.currency or _unit(agreed, rule.metric)
    return Subject(rule.metric, segment or None, unit, agreed_by=binding.index)


def _of_metric(agreed: AgreedRow, metric: str, segment: str | None) -> Subject:
    return Subject(metric, segment, _unit(agreed, metric))


def _unit(agreed: AgreedRow, metric: str) -> str | None:
    unit = agreed.catalogue[metric].unit
    return None if unit is Unit.MONEY else unit.value
