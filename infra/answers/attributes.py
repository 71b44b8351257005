"""Compare what partners are like with their figures of a metric (C19, C21)."""

from collections.abc import Iterator
from typing import Annotated

from domain.metric_catalogue import CATALOGUE, metric_words
from domain.values import counted
from infra.answers.logs import NOW, AsOf, NotFound, perhaps
from infra.answers.members import members
from infra.answers.parameters import Name
from infra.answers.question import Answer, Panel, Parameter, PeriodName, Question
from infra.answers.text import Block, Line, Table, amount, number
from infra.bootstrap import Accord
from projections import attributes
from projections.attributes import ENOUGH, Attribute, AttributeComparison

MetricName = Annotated[Name, Parameter("A metric of the catalogue, such as demo_to_won.", "METRIC")]


class Attributes(Answer):
    """The attributes of partners against their figures of a metric, a line for each attribute."""

    metric: str
    """The name of a metric of the catalogue."""
    period: str | None
    """The period of the figures; null for all time."""
    comparison: AttributeComparison
    """How the attributes of the partnerships compare."""


def ask(
    accord: Accord, metric: MetricName, period: PeriodName = None, when: AsOf = NOW
) -> Attributes:
    """Compare staff, score, overlap and alignment of partners with their figures of a metric.

    Raises `NotFound` for a metric that the catalogue does not have.
    """
    if metric not in CATALOGUE:
        otherwise = "See the metrics: the answer metrics lists them."
        raise NotFound(f"There is no metric {metric}.", perhaps(metric, CATALOGUE, otherwise))
    observed = (
        figure
        for member in members(accord, when)
        for figure in attributes.observe(member, metric, period)
    )
    return Attributes(
        simulated=accord.simulated,
        as_of=when.asked,
        metric=metric,
        period=period,
        comparison=attributes.against(observed),
    )


def text(answer: Attributes) -> Iterator[Block]:
    """Yield the figures, and of partners enough a line for each attribute and what to beware of."""
    found = answer.comparison
    over = answer.period or "all time"
    yield Line(
        f"{metric_words(answer.metric)}, {over}: {len(found.partnerships)} with a figure", "bold"
    )
    for each in found.partnerships:
        yield Line(f"{each.id}: {amount(each.value, found.unit or '')}", indent=2)
    if len(found.partnerships) >= ENOUGH:
        yield Table(
            ["ATTRIBUTE", ">N", ">SLOPE", ">STANDARD ERROR", "95 % INTERVAL", ">R²", "READING"],
            [_row(each) for each in found.attributes],
            indent=2,
        )
    if found.in_other_units:
        yield Line(f"{counted(found.in_other_units, 'figure')} in other units left out.", indent=2)
    for warning in found.warnings:
        yield Line(warning, indent=2)


def _row(each: Attribute) -> tuple[object, ...]:
    line = each.line
    if line is None:
        return (each.attribute, each.n, "", "", "", "", each.reading)
    return (
        each.attribute,
        each.n,
        number(line.slope),
        number(line.standard_error),
        f"{number(line.interval_from)} to {number(line.interval_to)}",
        number(line.r_squared),
        each.reading,
    )


ATTRIBUTES = Question(
    "attributes",
    ask,
    text,
    path="/v1/attributes",
    help="Compare attributes of partners (staff, score, alignment) with a metric's figures.",
    panel=Panel.PARTNERSHIPS,
)
