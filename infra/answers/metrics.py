"""Which metrics can be reported and counted (C19)."""

from collections.abc import Iterator
from typing import assert_never

from domain import metric_catalogue
from domain.metric_catalogue import CATALOGUE, Adds, Direction, Unit
from infra.answers.question import Item, Panel, Question
from infra.answers.text import Block, Table


class MetricDescription(Item):
    """A metric of the catalogue."""

    metric: str
    """The name of a metric of the catalogue."""
    unit: Unit
    """The unit: a currency, `percent`, `count` or another one of the catalogue."""
    better: Direction
    """Whether a higher or a lower figure is better."""
    adds: Adds
    """How the figures of shorter periods make that of a longer one."""
    numerator: str | None
    """The metric that is the numerator of a ratio."""
    denominator: str | None
    """The metric that is the denominator of a ratio."""
    counted: bool
    """Whether events count it; else it has only reported figures."""


class Metrics(Item):
    """The catalogue of metrics."""

    items: tuple[MetricDescription, ...]
    """The items, in order."""


def ask() -> Metrics:
    """Return the catalogue of metrics: unit, direction, and how periods add up (C19)."""
    return Metrics(items=tuple(map(described, CATALOGUE.values())))


def described(metric: metric_catalogue.Metric) -> MetricDescription:
    """Return what the catalogue says of a metric."""
    return MetricDescription(
        metric=metric.name,
        unit=metric.unit,
        better=metric.direction,
        adds=metric.adds,
        numerator=metric.numerator or None,
        denominator=metric.denominator or None,
        counted=metric.counted,
    )


def text(found: Metrics) -> Iterator[Block]:
    """Yield a line for each metric."""
    yield Table(
        ["METRIC", "UNIT", "BETTER", "SEVERAL PERIODS", "FIGURES"],
        [
            (
                each.metric,
                each.unit.value,
                each.better.value,
                _several(each),
                "counted or reported" if each.counted else "reported",
            )
            for each in found.items
        ],
    )


def _several(each: MetricDescription) -> str:
    match each.adds:
        case Adds.SUM:
            return "the sum"
        case Adds.RATIO:
            return f"{each.numerator} / {each.denominator}, each summed"
        case Adds.LAST:
            return "the last"
        case _:
            assert_never(each.adds)


METRICS = Question(
    "metrics",
    ask,
    text,
    path="/v1/metrics",
    help="List the metrics that can be reported, with their units.",
    panel=Panel.EVENTS,
)
