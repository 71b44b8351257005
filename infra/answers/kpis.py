"""The KPIs of a partnership: figures by period, and objectives against their targets (C8, C19)."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from datetime import date
from decimal import Decimal
from itertools import groupby

import projections
from domain.calendar import last_day_of, months_of, preceding
from domain.charter import ObjectiveStatus
from domain.described import described
from domain.metric_catalogue import Unit, in_unit, metric_words
from domain.reported_figure import OTHER_CHANNELS
from domain.rules import RuleComparison, Window
from domain.terms_by_day import local_day
from domain.values import Exact
from infra.access.roles import Need
from infra.answers import rules
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
from projections.breaches import BindingRule, binding
from projections.figures import COUNTED, FigureLine
from projections.fold import Rows
from projections.given import given
from projections.kpis import agreed_row
from projections.objectives import ObjectiveProgress, objectives
from projections.standing import periods_within


@described
@dataclass(frozen=True, slots=True, kw_only=True)
class FigureLimit:
    """The limit of an agreed rule on a figure (C15)."""

    rule: str
    """The name of the rule."""
    version: int
    """The version of the rule that binds in the period, counted from 1."""
    event: int
    """The index of the event that agreed it."""
    window: Window
    """The length of the periods that the rule judges."""
    consecutive: int
    """The number of consecutive periods beyond the limit that make a breach."""
    comparison: RuleComparison
    """On which side of the limit a figure is beyond it."""
    threshold: Exact
    """The limit, in the unit of the figure."""
    passed: bool | None
    """Whether the figure is beyond the limit; null without a value, or if the rule judges another
    figure: that of shorter periods, or a report beside the count. The alerts say which breach the
    rule."""


@described
@dataclass(frozen=True, slots=True, kw_only=True)
class LimitedFigure(FigureLine):
    """A figure with the limits of the agreed rules on it."""

    is_over: bool
    """Whether its period is over; if not, it is the figure to date. Months are counted in the time
    zone that was agreed first."""
    limits: tuple[FigureLimit, ...]
    """The limits of the rules that bind in the period; empty for a neutral third party."""


class Kpis(Answer):
    """The figures and objectives of a partnership."""

    id: str
    """The partnership."""
    figures: tuple[LimitedFigure, ...]
    """By period, metric and segment. A quarter or a year is put together from its months."""
    objectives: tuple[ObjectiveProgress, ...]
    """The objectives of the charter, each with its figure so far and its status."""


def ask(accord: Accord, id: PartnershipId, period: PeriodName = None, when: AsOf = NOW) -> Kpis:
    """Return the figures of a period, or of every quarter, and each objective's progress.

    A share has a credible interval (C21). Raises `NotFound`.
    """
    rows = rows_of(projections.KPIS, accord, id, when, third_party=True)
    today = local_day(moment_of(accord, id, when), agreed_row(rows).zone)
    sight = sight_of(accord.history, id, when, third_party=True)
    withheld = [each.period for each in sight.withheld.values()]
    asked = [period] if period else figures.periods(rows, closed=withheld)
    lines = [line for each in asked for line in given(rows, sight, each)]
    agreed = [] if sight.is_third_party else [*rules.binding_rules(accord, id, when)]
    return Kpis(
        simulated=accord.simulated,
        as_of=when.asked,
        id=id,
        figures=tuple(
            _limited(each, agreed, today) for each in figures.with_posteriors(rows, lines)
        ),
        objectives=tuple(map(sight.progress, objectives(rows, today))),
    )


def progress(accord: Accord, id: str, when: AsOf, rows: Rows) -> list[ObjectiveProgress]:
    """Return the progress of each objective on the day asked about, in the agreement's zone."""
    return objectives(rows, local_day(moment_of(accord, id, when), agreed_row(rows).zone))


def _limited(line: FigureLine, agreed: list[BindingRule], today: date) -> LimitedFigure:
    known = {each.name: getattr(line, each.name) for each in fields(line)}
    is_over = last_day_of(line.period) < today
    return LimitedFigure(**known, is_over=is_over, limits=tuple(_limits(line, agreed)))


def _limits(line: FigureLine, agreed: list[BindingRule]) -> Iterator[FigureLimit]:
    """Yield the limits on a figure: of each rule, the version that binds last in the period."""
    concerned = [each for each in agreed if _concerns(each, line)]
    windows = [each for each in periods_within(months_of(line.period)) if "-" in each]
    found = {
        each.rule.rule: (each, window) for window in windows for each in binding(concerned, window)
    }
    for each, window in found.values():
        rule = each.rule
        assert each.index is not None  # noqa: S101 - a rule that is agreed, not one that is tried
        yield FigureLimit(
            rule=rule.rule,
            version=each.version,
            event=each.index,
            window=rule.window,
            consecutive=rule.consecutive,
            comparison=rule.comparison,
            threshold=rule.threshold,
            passed=each.passed_by(line) if window == line.period and _judges(each, line) else None,
        )


def _concerns(each: BindingRule, line: FigureLine) -> bool:
    """Return whether a rule is about the metric and the segment of a figure, in its currency."""
    rule = each.rule
    is_campaign = line.segment is not None and line.segment != OTHER_CHANNELS
    is_segment = is_campaign if rule.each_campaign else rule.segment == line.segment
    is_unit = rule.currency in {None, line.unit}
    return rule.metric == line.metric and is_segment and is_unit


def _judges(each: BindingRule, line: FigureLine) -> bool:
    """Return whether a rule judges the figure itself, and not a report beside it."""
    rule = each.rule
    is_measured = rule.measured == "count" or line.source != COUNTED
    return line.value is not None and is_measured and rule.tool in {None, line.source}


# --- text --------------------------------------------------------------------------------------


def text(found: Kpis) -> Iterator[Block]:
    """Yield the figures of each period and the limits on them, then the objectives."""
    if not found.figures:
        yield Remark("There are no figures.")
    for period, lines in groupby(found.figures, key=lambda line: line.period):
        within = list(lines)
        yield _figures_table(period if within[0].is_over else f"{period} to date", within)
        yield _limits_table(within)
        yield Line()
    yield objectives_table(found.objectives)


def _figures_table(title: str, lines: Iterable[LimitedFigure]) -> Table:
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


def _limits_table(lines: Iterable[LimitedFigure]) -> Table:
    return Table(
        ["METRIC", "LIMIT", "RULE", "FIGURE"],
        [
            (
                metric_words(line.metric, line.segment),
                limit_in_words(limit, line.unit),
                limit.rule,
                {True: "beyond it", False: "within it", None: "not judged"}[limit.passed],
            )
            for line in lines
            for limit in line.limits
        ],
        title="limits of the agreed rules",
        indent=2,
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
                each.limit + amount(each.objective.target, each.objective.unit),
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


def limit_in_words(limit: FigureLimit, unit: str) -> str:
    """Return what a rule asks of a figure: ``not below 5 %, 2 quarters in a row``."""
    many = limit.consecutive > 1
    during = f"{limit.consecutive} {limit.window}s in a row" if many else f"each {limit.window}"
    return f"not {limit.comparison} {in_unit(limit.threshold, unit)}, {during}"


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


def _points(difference: Decimal) -> str:
    return f"{signed(difference)} {'point' if abs(difference) == 1 else 'points'}"


def _change(line: figures.FigureLine) -> str:
    change = line.change
    if change is None:
        return ""
    since = "" if change.since == preceding(line.period) else f" since {change.since}"
    if line.unit == Unit.SCORE:
        return f"{_points(change.difference)}{since}"
    if line.unit != Unit.PERCENT and change.percent is not None:
        return f"{signed(change.percent)} %{since}"
    is_percent = line.unit == Unit.PERCENT
    difference = _points(change.difference) if is_percent else signed(change.difference)
    return f"{difference}, ×{number(change.factor)}{since}"


KPIS = Question(
    "kpis",
    ask,
    text,
    path="/v1/partnerships/{id}/kpis",
    help="Show the figures by period, and each objective's target against the actual.",
    gives=Need.FIGURES,
)
