"""Metrics that both parties define for their partnership, beyond the catalogue (C8, C19)."""

from collections.abc import Iterable
from typing import Any, Literal

from domain.bilateral import BilateralAgreement, BilateralAgreements
from domain.context import PartnershipContext
from domain.kernel import SIGNED_OR_SIGNING, Event, Refused
from domain.metric_catalogue import CATALOGUE, Adds, Direction, Metric, Unit
from domain.terms import check_parties
from domain.values import Count, Ref, Slug, Text


class MetricAgreed(
    BilateralAgreement,
    name="Metric",
    subject="a metric of their own, beyond the catalogue (C8, C19)",
    stages=SIGNED_OR_SIGNING,
    ends_with_exit=True,
    identity=("metric",),
):
    """Both parties defined a metric of their own. It is used like one of the catalogue (C19)."""

    proposal: Ref
    """The identifier of the proposal."""
    agreed_version: Count
    """The version of the definition, counted from 1."""

    metric: Slug
    """The name of the metric; none of the catalogue."""
    description: Text
    """What it measures, in words."""
    unit: Unit
    """The unit of its figures. The figures of a metric of money name their currency."""
    better: Direction
    """The direction in which it gets better."""
    several: Literal["sum", "last"] = "sum"
    """How the figures of months make that of a quarter: their sum, or the last one. A ratio adds
    up its parts instead."""
    numerator: Text | None = None
    """What a ratio divides, in words; null unless it is a ratio."""
    denominator: Text | None = None
    """What a ratio is divided by, in words."""
    of_trials: bool = False
    """Whether the numerator is a part of the denominator, such as successes of trials."""
    negative: bool = False
    """Whether a figure can be below zero."""
    frequency: Literal["weekly", "monthly", "quarterly"]
    """How often it is reported."""
    owner: Slug
    """The party that reports it."""
    source: Text
    """From which facts or reports its figures come."""

    @property
    def definition(self) -> Metric:
        """The metric, as the catalogue would have it."""
        return _metric(self)

    @classmethod
    def check(cls, proposed: Any, context: PartnershipContext) -> None:  # noqa: ANN401 - made
        """Raise `Refused` for a name that is taken, a shape that is none, or another owner.

        A definition that is agreed keeps its unit and its parts, or figures would change meaning.
        """
        check_parties([proposed.owner], context.parties)
        _check_name(proposed.metric)
        _check_parts(proposed)
        before = own_metrics(context.agreements).get(proposed.metric)
        if before is not None and _shape(before) != _shape(_metric(proposed)):
            raise Refused(
                "metric-changes-meaning",
                "A metric keeps its unit, its direction and its parts, so that its figures keep "
                f"their meaning. {proposed.metric} is agreed with others.",
                "Agree a metric with another name.",
                metric=proposed.metric,
            )


def _metric(agreed: Any) -> Metric:  # noqa: ANN401 - the agreement, or a proposal of it
    adds = Adds.LAST if agreed.several == "last" else Adds.SUM
    return Metric(
        agreed.metric,
        agreed.unit,
        agreed.better,
        Adds.RATIO if agreed.numerator else adds,
        agreed.numerator or "",
        agreed.denominator or "",
        proportion=agreed.of_trials,
        signed=agreed.negative,
    )


def _check_name(name: str) -> None:
    if name in CATALOGUE:
        raise Refused(
            "metric-of-the-catalogue",
            f"A metric of your own needs a name that the catalogue does not have. It has {name}.",
            "Report the metric of the catalogue (ReportMetric), or use another name.",
            field="metric",
        )


def _check_parts(proposed: Any) -> None:  # noqa: ANN401 - made
    parts = (proposed.numerator is not None, proposed.denominator is not None)
    if any(parts) is not all(parts):
        raise Refused(
            "metric-parts",
            f"A ratio has a numerator and a denominator. {proposed.metric} has one of them.",
            "Name both, or neither.",
        )
    if proposed.of_trials and not (all(parts) and proposed.unit is Unit.PERCENT):
        raise Refused(
            "metric-parts",
            "Successes of trials are a ratio in percent. "
            f"{proposed.metric} is {'a ratio' if all(parts) else 'no ratio'} in {proposed.unit}.",
            "Name numerator and denominator, with the unit percent, or leave of_trials out.",
        )


def _shape(metric: Metric) -> tuple[object, ...]:
    return metric.unit, metric.direction, metric.adds, metric.proportion, metric.signed


def own_metrics(agreements: BilateralAgreements) -> dict[str, Metric]:
    """Return the metrics that both parties defined, by name."""
    return own_metrics_in(agreements.versions(MetricAgreed))


def own_metrics_in(events: Iterable[Event]) -> dict[str, Metric]:
    """Return the metrics that both parties defined in these events, by name."""
    return {each.metric: each.definition for each in events if isinstance(each, MetricAgreed)}


ProposeMetric = MetricAgreed.proposes
AgreeMetric = MetricAgreed.accepts
