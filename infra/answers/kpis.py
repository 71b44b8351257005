"""The KPIs of a partnership: figures by period, and objectives against their targets (C8, C19)."""

from collections.abc import Iterable, Iterator
from decimal import Decimal
from itertools import groupby

import projections
from domain.calendar import preceding
from domain.charter import ObjectiveStatus
from domain.metric_catalogue import Unit, metric_words
from infra.access.roles import Need
from infra.answers.logs import NOW, AsOf, moment_of, rows_of, sight_of
from infra.answers.question import Answer, PartnershipId, PeriodName, Question
from infra.answers.text import (
    Block,
    Line,
    Remark,
    Styled,
    Table,
    amount,
    figure,
    interval,
    number,
    signed,
    tenth,
)
from infra.bootstrap import Accord
from projections import figures
from projections.given import given
from projections.objectives import ObjectiveProgress, objectives


class Kpis(Answer):
    """The figures and objectives of a partnership."""

    id: str
    """The partnership."""
    figures: tuple[figures.FigureLine, ...]
    """By period, metric and segment. A quarter or a year is put together from its months."""
    objectives: tuple[ObjectiveProgress, ...]
    """The objectives of the charter, each with its figure so far and its status."""


def ask(accord: Accord, id: PartnershipId, period: PeriodName = None, when: AsOf = NOW) -> Kpis:
    """Return the figures of a period, or of every quarter, and each objective's progress.

    A share has a credible interval (C21). Raises `NotFound`.
    """
    rows = rows_of(projections.KPIS, accord, id, when, third_party=True)
    sight = sight_of(accord.history, id, when, third_party=True)
    withheld = [each.period for each in sight.withheld.values()]
    asked = [period] if period else figures.periods(rows, closed=withheld)
    lines = [line for each in asked for line in given(rows, sight, each)]
    today = moment_of(accord, id, when).date()
    return Kpis(
        simulated=accord.simulated,
        as_of=when.asked,
        id=id,
        figures=tuple(figures.with_posteriors(rows, lines)),
        objectives=tuple(map(sight.progress, objectives(rows, today))),
    )


# --- text --------------------------------------------------------------------------------------


def text(found: Kpis) -> Iterator[Block]:
    """Yield a table for each period, then the objectives."""
    if not found.figures:
        yield Remark("There are no figures.")
    for period, lines in groupby(found.figures, key=lambda line: line.period):
        yield _figures_table(period, lines)
        yield Line()
    yield objectives_table(found.objectives)


def _figures_table(title: str, lines: Iterable[figures.FigureLine]) -> Table:
    # The figures of segments follow that of the whole.
    return Table(
        ["METRIC", ">VALUE", "LIKELY", "FROM", "CHANGE", "COMPARED"],
        [
            (
                f"  in {line.segment}" if line.segment else metric_words(line.metric),
                amount(line.value, line.unit),
                _likely(line),
                _source(line),
                _change(line),
                "; ".join(filter(None, (compared(line), _above(line)))),
            )
            for line in lines
        ],
        title=title,
    )


def _likely(line: figures.FigureLine) -> str:
    if line.posterior:
        return interval(line.posterior.low, line.posterior.high)
    if line.score:
        return f"{_tenth(line.score.low)} to {_tenth(line.score.high)}"
    return ""


def _tenth(score: Decimal) -> str:
    return tenth(score).removesuffix(" %")


_STYLES = {
    ObjectiveStatus.MET: "green",
    ObjectiveStatus.ON_TRACK: "green",
    ObjectiveStatus.AT_RISK: "yellow",
    ObjectiveStatus.OFF_TRACK: "red",
    ObjectiveStatus.MISSED: "red",
}


def objectives_table(objectives: Iterable[ObjectiveProgress], indent: int = 0) -> Table:
    """Return a table of objectives: baseline, target, deadline, figure so far, and status."""
    return Table(
        ["METRIC", ">FROM", ">TARGET", "BY", ">ACTUAL", "STATUS"],
        [
            (
                each.objective.words,
                amount(each.objective.baseline, each.objective.unit),
                amount(each.objective.target, each.objective.unit),
                each.objective.deadline,
                "no figure" if each.value is None else amount(each.value, each.objective.unit),
                Styled(each.status.words, _STYLES.get(each.status, "")),
            )
            for each in objectives
        ],
        title="objectives",
        indent=indent,
    )


def compared(line: figures.FigureLine) -> str:
    """Return what a figure is compared to (a minimum, other channels), and its note."""
    parts = []
    if target := line.target:
        short = f", short by {number(target.shortfall)}" if target.shortfall else ""
        parts.append(
            f"minimum of {target.party} {number(target.minimum)} "
            f"(terms version {target.terms_version}): "
            f"{number(target.attainment_percent)} %{short}"
        )
    if other := line.against_other_channels:
        unit = "points" if line.unit == Unit.PERCENT else line.unit
        difference = f"{signed(other.difference)} {unit}"
        parts.append(f"against other channels: {difference}, ×{number(other.factor)}")
    for each in line.reported:
        known = each.note if each.value is None else amount(each.value, each.unit)
        which = f" ({each.note})" if each.note and each.value is not None else ""
        parts.append(f"reported by {each.source}: {known}{which}")
    if line.adopted:
        parts.append("adopted")
    if line.note:
        parts.append(line.note)
    return "; ".join(parts)


def believed(line: figures.FigureLine) -> str:
    """Return the posterior of a rate in words, and the prior that it started from (C21)."""
    posterior = line.posterior
    if line.score is not None:
        low, high = number(line.score.low), number(line.score.high)
        return f"{number(line.score.credibility)} % likely from {low} to {high}"
    if posterior is None:
        return ""
    prior, version = posterior.prior, posterior.prior_version
    of_version = "" if version is None else f" version {version}"
    low, high = number(posterior.low), number(posterior.high)
    parts = [
        f"the rate: {number(posterior.mean)} % expected",
        f"{number(posterior.credibility)} % likely from {low} to {high} %",
        _above(line),
        f"prior{of_version}: Beta({prior.successes}, {prior.failures}), {prior.source}",
    ]
    return "; ".join(filter(None, parts))


def named(line: figures.FigureLine) -> str:
    """Return a figure with its metric, period and segment: ``leads 2026-Q1: 8``."""
    segment = f" {line.segment}" if line.segment else ""
    return f"{metric_words(line.metric)} {line.period}{segment}: {figure(line)}"


def _above(line: figures.FigureLine) -> str:
    above = line.above_other_channels
    return "" if above is None else f"higher than theirs with probability {number(above)}"


def _source(line: figures.FigureLine) -> str:
    if line.respondents is not None:
        of = line.respondents
        return f"{of.promoters}/{of.passives}/{of.detractors} {line.source}"
    if line.numerator is None or line.denominator is None:
        return line.source
    return f"{number(line.numerator)}/{number(line.denominator)} {line.source}"


def _change(line: figures.FigureLine) -> str:
    change = line.change
    if change is None:
        return ""
    since = "" if change.since == preceding(line.period) else f" since {change.since}"
    if line.unit == Unit.SCORE:
        return f"{signed(change.difference)} points{since}"
    if line.unit != Unit.PERCENT and change.percent is not None:
        return f"{signed(change.percent)} %{since}"
    unit = " points" if line.unit == Unit.PERCENT else ""
    return f"{signed(change.difference)}{unit}, ×{number(change.factor)}{since}"


KPIS = Question(
    "kpis",
    ask,
    text,
    path="/v1/partnerships/{id}/kpis",
    help="Show the figures by period, and each objective's target against the actual.",
    gives=Need.FIGURES,
)
