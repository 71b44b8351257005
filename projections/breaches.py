"""Judges the agreed rules: which windows break them, and what the log records (C15, C20, C21).

`take` brings an event into the figures that rules look at and names the closed windows that it
may change; `verdicts` judges one window. Both are pure and read nothing but their arguments.

Two callers judge. The write path calls `judge` with each new event and appends the events that
it gives. The fold of alerts calls `take` and `verdicts`, because it also needs to know when a
figure is sound again. Their state is the same type, and the row of the alerts' state keeps it
(`projections.alerts.AlertsState.judged`): a write path without a state can start from that row
and its position, and `take` only the events after it, instead of reading the log from the start.
"""

from collections import ChainMap
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from itertools import islice
from typing import NamedTuple

from domain.adoption import PartnershipAdopted
from domain.agreement import CommercialTermsAgreed
from domain.breach_actions import RuleBreached, RuleBreachWithdrawn
from domain.calendar import (
    bounds,
    following,
    month_of,
    months_of,
    period_in_words,
    preceding,
    quarter_of,
)
from domain.charter import Objective
from domain.deadlines.deadline import DeadlinePassed, PeriodClosed, exit_of
from domain.declarations import Declarations
from domain.described import described
from domain.execution import KickoffHeld
from domain.formation import CharterAgreed, DecisionRuleAgreed
from domain.health import ContributionRecorded, TargetAdjusted
from domain.kernel import Event
from domain.metric_catalogue import Adds, Metric, in_unit
from domain.own_metric import MetricAgreed
from domain.partnership import Partnership
from domain.priors import PriorAgreed
from domain.proportions import rounded
from domain.recorded import Recorded
from domain.reported_figure import OTHER_CHANNELS
from domain.rules import Action, DecisionRule, RuleComparison, Window
from domain.sharing import DataSharingAgreed
from domain.values import Exact, plain
from projections import beliefs, figures, kpis, objectives
from projections.beliefs import Belief
from projections.counted import NO_CHANGE, DealChange, facts_of
from projections.fold import Rows
from projections.kpis import (
    AGREED,
    NO_FIGURES,
    NOTHING_AGREED,
    AgreedRow,
    GivenChange,
    PeriodRow,
    stated_change,
)
from projections.objectives import ObjectiveProgress
from projections.standing import periods_within

FactChange = DealChange | GivenChange
"""What an event changes of what is counted: of a deal or an entry, or of a contribution."""

CONCERNED: frozenset[type[Event]] = kpis.MEASURED | {
    PeriodClosed,
    DeadlinePassed,
    DecisionRuleAgreed,
    MetricAgreed,
    PriorAgreed,
    CommercialTermsAgreed,
    DataSharingAgreed,
    CharterAgreed.proposed,
    CharterAgreed,
    TargetAdjusted,
    KickoffHeld,
    PartnershipAdopted,
}
"""The events that `take` looks at."""


@dataclass(frozen=True, slots=True)
class BindingRule:
    """An agreed rule, and since when it binds."""

    rule: DecisionRule
    version: int
    index: int | None
    """The index of the event that agreed it; None for a rule that is only tried."""
    binds_from: datetime

    def is_on(self, window: str) -> bool:
        """Whether the rule looks at windows of this length."""
        return (self.rule.window is Window.QUARTER) is ("Q" in window)

    def binds_in(self, window: str) -> bool:
        """Whether a window began after the rule was agreed (C15)."""
        return bounds(window)[0] >= self.binds_from

    def counts_all(self, metric: Metric) -> bool:
        """Whether a window without any fact of its metric comes to zero, rather than to nothing.

        A campaign without any fact in a month may not run in it.
        """
        counted = self.rule.measured == "count" and self.rule.segment != OTHER_CHANNELS
        return metric.counts_all and counted and not self.rule.each_campaign

    def passed_by(self, figure: figures.Figure | None) -> bool:
        """Whether a figure is beyond the threshold; an equal or a missing figure is not (C20)."""
        if figure is None or figure.value is None:
            return False
        below = self.rule.comparison is RuleComparison.BELOW
        threshold = self.rule.threshold
        return figure.value < threshold if below else figure.value > threshold

    def has_sample(self, figure: figures.Figure | None) -> bool:
        """Whether a figure has as many trials as the rule requires (C21)."""
        if self.rule.minimum_sample is None:
            return True
        trials = figure.denominator if figure else None
        return trials is not None and trials >= self.rule.minimum_sample

    def likelihood(self, known: Belief | None) -> Decimal | None:
        """Return the probability (0 to 1) that the rate itself is beyond the threshold (C21)."""
        if known is None:
            return None
        below = known.posterior.probability_below(self.rule.threshold / 100)
        return below if self.rule.comparison is RuleComparison.BELOW else 1 - below


@dataclass(frozen=True, slots=True)
class Judged:
    """The state that rules are judged from: their figures, and the windows that have closed."""

    needed: tuple[str, ...] = ()
    """The metrics whose figures are kept here; events that measure only others change nothing."""
    rules: tuple[BindingRule, ...] = ()
    """Every version of every rule, in the order in which they were agreed."""
    closed: Mapping[str, int] = field(default_factory=dict)
    """Each closed window with the index of its `PeriodClosed`."""
    agreed: AgreedRow = NOTHING_AGREED
    periods: Mapping[str, PeriodRow] = field(default_factory=dict)
    whole_from: Mapping[str, str] = field(default_factory=dict)
    """The month from which the figures of a metric are whole here, if some may be missing."""

    @property
    def rows(self) -> Rows:
        """The figures with what was agreed, as `figures` reads them."""
        return ChainMap({AGREED: self.agreed}, self.periods)  # type: ignore[arg-type] # read only


@dataclass(frozen=True, slots=True)
class Look:
    """The evidence of a rule in one window: the figure and the posterior of its rate (C20, C21)."""

    rule: BindingRule
    figure: figures.Figure | None
    known: Belief | None
    """The posterior of the rate, if the rule asks for a credibility."""
    versions: tuple[tuple[str, "Look"], ...] = ()
    """What each party says of a figure that they dispute, by party."""
    smallest: int | None = None
    """The smallest count that all may see, if the figure has a smaller one (C14)."""

    @property
    def value(self) -> Decimal | None:
        """The figure's value; None if it is not known."""
        return self.figure.value if self.figure else None

    @property
    def trials(self) -> Decimal | None:
        """The figure's denominator; None without one."""
        return self.figure.denominator if self.figure else None

    @property
    def probability(self) -> Decimal | None:
        """The probability, from 0 to 1, that the rate is beyond the threshold, if the rule asks."""
        return self.rule.likelihood(self.known)

    @property
    def suffices(self) -> bool:
        """Whether there is as much evidence as the rule requires."""
        if not self.rule.has_sample(self.figure):
            return False
        asked = self.rule.rule.credibility
        if asked is None:
            return True
        likely = self.probability
        return likely is not None and likely * 100 >= asked

    @property
    def breaks(self) -> bool:
        """Whether the figure is beyond the threshold, with enough evidence.

        Of a disputed figure, whether it is by the word of any party: the other's word alone clears
        no breach, whichever came first.
        """
        if self.versions:
            return any(each.breaks for _, each in self.versions)
        return self.rule.passed_by(self.figure) and self.suffices

    @property
    def keeps(self) -> bool:
        """Whether the figure is not beyond the threshold, with a large enough sample."""
        passed = self.value is None or self.rule.passed_by(self.figure)
        return not passed and self.rule.has_sample(self.figure)


@described
@dataclass(frozen=True, slots=True)
class RuleFacts:
    """The figures by which an agreed rule was judged: a value for each window it looks at."""

    values: tuple[Exact | None, ...]
    """The figure of each period; null also for one with a count too small to be shown (C14)."""
    threshold: Exact
    """The figure that the rule compares with."""
    action: Action
    """The action that the rule asks for when it is breached."""
    minimum_sample: int | None = None
    """The smallest sample on which the rule is judged."""
    samples: tuple[Exact | None, ...] | None = None
    """The sample of each period, where the rule asks for one."""
    credibility: Exact | None = None
    """The probability with which the rule must be broken, in percent."""
    probabilities: tuple[Exact | None, ...] | None = None
    """The probability of a breach in each period, in percent."""


@described
@dataclass(frozen=True, slots=True)
class Shortfall:
    """A party's referrals of a quarter against the minimum that it agreed (C10)."""

    party: str
    """The party that falls short, most of all where both do."""
    value: Exact
    """The referrals that it brought."""
    threshold: Exact
    """The agreed minimum."""
    shortfall: Exact
    """What is missing to the minimum."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The verdict of a rule on a window: breached, met, or neither if a figure is missing."""

    rule: str
    version: int
    window: str
    """The period; then a slash and the segment, if the rule judges each segment."""
    breached: bool
    sound: bool
    text: str
    facts: RuleFacts | Shortfall
    evidence: tuple[int, ...]
    """The indexes of the events that agreed the rule and closed the windows."""
    disputed: bool = False
    """Whether the parties dispute a figure of it. Then no agreed action follows yet."""


class Counting:
    """What is counted of one stream, from the state before its first new event on."""

    def __init__(self, before: object) -> None:
        self._facts = facts_of(before)
        known = before.context.declarations if isinstance(before, Partnership) else Declarations()
        self._declarations = known

    def change(self, recorded: Recorded) -> FactChange:
        """Return what the next event changes of what is counted."""
        event = recorded.event
        if isinstance(event, ContributionRecorded):
            return stated_change(self._declarations, event, recorded.act)
        change = DealChange.by(self._facts, recorded)
        self._facts = change.after
        return change


# --- taking events in --------------------------------------------------------------------------


def concerns(judged: Judged, event: Event) -> bool:
    """Whether an event can change what the rules look at. Most events cannot."""
    kind = type(event)
    if kind in kpis.MEASURED:
        return not kpis.measures(event).isdisjoint(judged.needed)
    return kind in CONCERNED


def take(
    judged: Judged, recorded: Recorded, change: FactChange = NO_CHANGE
) -> tuple[Judged, tuple[str, ...]]:
    """Return the state with an event in it, and the closed windows to judge because of it.

    `change` is what the event changes of its deal, entry or contribution. A window after these can
    change, too: see `windows_from`.
    """
    event = recorded.event
    if not concerns(judged, event):
        return judged, ()
    if type(event) in kpis.MEASURED:
        periods = _measured(judged, recorded, change)
        if not periods:
            return judged, ()
        touched = [each for period in periods for each in _within(period)]
        periods = {**judged.periods, **periods}
        after = replace(judged, periods=periods)
        return after, tuple(each for each in dict.fromkeys(touched) if each in judged.closed)
    match event:
        case PeriodClosed(period=period):
            # No window that ends after an exit is judged (C27).
            ended_on = judged.agreed.ended_on
            if ended_on is not None and bounds(period)[1].date() > ended_on:
                return judged, ()
            closed = {**judged.closed, period: recorded.index}
            after = replace(judged, closed=closed)
            return after, (period,)
        case DecisionRuleAgreed(rule=rule, rule_version=version):
            # It binds from when it was recorded, whatever its authors say: a rule never reaches
            # backwards (C15).
            since = recorded.act.recorded_at
            judged = with_rule(judged, BindingRule(rule, version, recorded.index, since))
            return replace(judged, agreed=kpis.agreed_with(judged.agreed, recorded)), ()
        case CharterAgreed.proposed():
            return with_objectives(judged, recorded, event.charter.objectives), ()
        case CharterAgreed():
            judged = with_objectives(judged, recorded, event.charter.objectives)
            return replace(judged, agreed=kpis.agreed_with(judged.agreed, recorded)), ()
        case DeadlinePassed() if exit_of(event) is None:
            return judged, ()
        case (
            CommercialTermsAgreed()
            | DataSharingAgreed()
            | DeadlinePassed()
            | MetricAgreed()
            | PriorAgreed()
            | TargetAdjusted()
            | KickoffHeld()
            | PartnershipAdopted()
        ):
            return replace(judged, agreed=kpis.agreed_with(judged.agreed, recorded)), ()
        case _:
            return judged, ()


def _measured(judged: Judged, recorded: Recorded, change: FactChange) -> dict[str, PeriodRow]:
    """Return the rows of the periods whose needed figures an event changes."""
    period = kpis.reported_in(recorded.event)
    if period is not None:
        row = judged.periods.get(period, NO_FIGURES)
        return {period: kpis.with_report(row, recorded)}
    if isinstance(change, GivenChange):
        return kpis.periods_with(judged.periods, change.added(judged.needed))
    added = change.added(recorded.event, judged.agreed.zone, judged.needed)
    return kpis.periods_with(judged.periods, added)


def _within(period: str) -> tuple[str, ...]:
    """Return the windows that a period is in; a rule looks at no year."""
    return (period, quarter_of(period)) if "-" in period else ()


def with_rule(judged: Judged, rule: BindingRule) -> Judged:
    """Return the state with one more rule, and with the metrics that it needs."""
    needed = {*judged.needed, *_parts(judged, rule.rule.metric)}
    return replace(judged, rules=(*judged.rules, rule), needed=tuple(sorted(needed)))


def with_objectives(judged: Judged, recorded: Recorded, objectives: Iterable[Objective]) -> Judged:
    """Return the state with the metrics that objectives need.

    Of a metric that a running partnership has not needed before, the month of the event is not
    whole.
    """
    asked = {part for each in objectives for part in _parts(judged, each.metric)}
    new = asked.difference(judged.needed)
    if not new:
        return judged
    whole = judged.whole_from
    if judged.closed or judged.periods:
        month = following(month_of(recorded.act.recorded_at))
        whole = {**whole, **dict.fromkeys(sorted(new), month)}
    return replace(judged, needed=tuple(sorted({*judged.needed, *new})), whole_from=whole)


def _parts(judged: Judged, name: str) -> set[str]:
    """Return the metrics whose figures make that of a metric, itself included."""
    metric = judged.agreed.catalogue[name]
    parts = {metric.name}
    if metric.counted and metric.adds is Adds.RATIO:
        parts |= {metric.numerator, metric.denominator}
    return parts


def outcome(judged: Judged, name: str, by: str | None = None) -> ObjectiveProgress | None:
    """Return an objective as it is once its deadline has passed, or as a party (`by`) has it.

    None if there is none, or if the figures here are not whole from its first month on.
    """
    found = objectives.outcome(judged.rows, name, by)
    since = judged.agreed.since
    if found is None or since is None:
        return None
    parts = _parts(judged, found.objective.metric)
    is_whole = all(judged.whole_from.get(each, "") <= month_of(since) for each in parts)
    return found if is_whole else None


class StatedBy(NamedTuple):
    """What a party that disputes a figure stated of it."""

    party: str
    tool: str
    """The tool of its own figure or, if it only objects, of the other's."""
    period: str
    """The period of its last statement: that of the figure, or one inside it."""


class DisputedFigure(NamedTuple):
    """A figure of a period that the parties dispute."""

    metric: str
    segment: str
    """Empty for the whole."""
    period: str
    told: tuple[StatedBy, ...]
    """What each party that disputes it stated."""
    objectors: tuple[str, ...]
    """Those of them that reported no figure, and object to the other's."""

    @property
    def ref(self) -> str:
        """The identifier of the figure: ``new_users/-/2026-03``."""
        return f"{self.metric}/{self.segment or '-'}/{self.period}"


def disputed_figures(judged: Judged, periods: Iterable[str]) -> Iterator[DisputedFigure]:
    """Yield the figures of these periods that the parties dispute, of objectives and rules.

    What is counted from deals is disputed deal by deal, so a report beside it is not looked at.
    """
    for period in periods:
        row = judged.periods.get(period, NO_FIGURES)
        for metric, segment in sorted(row.reports):
            if not _decides(judged, metric):
                continue
            for unit in sorted(_units(row, metric, segment)):
                found = figures.figure(judged.rows, metric, period, segment, unit, "report")
                if found and found.disputed:
                    told = {
                        each: _stated(judged, metric, segment, period, each)
                        for each in found.disputed
                    }
                    named = tuple(
                        stated or StatedBy(each, found.source, period)
                        for each, stated in told.items()
                    )
                    objectors = tuple(each for each, stated in told.items() if stated is None)
                    yield DisputedFigure(metric, segment, period, named, objectors)
                    break


def _units(row: PeriodRow, metric: str, segment: str) -> set[str]:
    return {
        said.figure.unit
        for report in row.reports[metric, segment].values()
        for said in filter(None, (report.standing, *report.contested))
    }


def _stated(judged: Judged, metric: str, segment: str, period: str, party: str) -> StatedBy | None:
    """Return what a party stated of a figure, or of parts of it; None if it stated nothing."""
    for each in reversed(periods_within(months_of(period))):
        by_tool = judged.periods.get(each, NO_FIGURES).reports.get((metric, segment), {})
        for tool in sorted(by_tool):
            if party in {said.by for said in by_tool[tool].reports}:
                return StatedBy(party, tool, each)
    return None


def _decides(judged: Judged, metric: str) -> bool:
    """Whether an objective or a rule looks at the reported figures of a metric."""
    agreed = [(each.metric, each.measured) for each in judged.agreed.objectives]
    agreed += [(each.rule.metric, each.rule.measured) for each in judged.rules]
    counted = judged.agreed.catalogue[metric].counted
    return any(name == metric and (not counted or by == "report") for name, by in agreed)


def windows_from(judged: Judged, window: str) -> Iterator[str]:
    """Yield a closed window and those after it, as far as they have closed."""
    while window in judged.closed:
        yield window
        window = following(window)


def reach(judged: Judged, window: str) -> int:
    """Return how many windows, from this one on, can change with it: a rule can cover several."""
    if not judged.rules:
        return 1
    return max((each.rule.consecutive for each in binding(judged.rules, window)), default=1)


# --- judging -----------------------------------------------------------------------------------


def verdicts(judged: Judged, window: str) -> Iterator[Verdict]:
    """Judge a closed window by each agreed rule that binds in it."""
    for rule in binding(judged.rules, window):
        for segment in segments_of(judged, rule, window):
            yield _verdict(judged, rule, window, segment)


def judge(
    judged: Judged, recorded: Recorded, on_record: Container[str], change: FactChange = NO_CHANGE
) -> tuple[Judged, list[Event]]:
    """Return the state with an event in it, and the events that the log must record because of it.

    `on_record` are the breaches that are recorded and not withdrawn (`RuleBreached.breach`).
    `change` is what the event changes of its deal, entry or contribution.
    """
    judged, changed = take(judged, recorded, change)
    events: list[Event] = []
    for first in changed if judged.rules else ():
        for window in islice(windows_from(judged, first), reach(judged, first)):
            for verdict in verdicts(judged, window):
                events += _recorded(verdict, on_record)
    return judged, events


def _recorded(verdict: Verdict, on_record: Container[str]) -> Iterator[Event]:
    facts = verdict.facts
    assert isinstance(facts, RuleFacts)  # noqa: S101 - the verdict of an agreed rule
    known = f"{verdict.rule}@{verdict.version}/{verdict.window}" in on_record
    if verdict.breached and not known and not verdict.disputed:
        yield RuleBreached(
            rule=verdict.rule,
            rule_version=verdict.version,
            window=verdict.window,
            finding=verdict.text,
            action=facts.action,
        )
    elif known and not verdict.breached:
        yield RuleBreachWithdrawn(
            rule=verdict.rule,
            rule_version=verdict.version,
            window=verdict.window,
            finding=withdrawn(verdict),
        )


def withdrawn(verdict: Verdict) -> str:
    """Return the reason for which a breach is withdrawn."""
    return f"No breach after all: {verdict.text}"


def binding(rules: Iterable[BindingRule], window: str) -> list[BindingRule]:
    """Return the rules on windows of this length, in the versions in force when it began."""
    in_force: dict[str, BindingRule] = {}
    for each in rules:
        name = each.rule.rule
        latest = in_force.get(name, each)
        if each.is_on(window) and each.binds_in(window) and each.version >= latest.version:
            in_force[name] = each
    return list(in_force.values())


def segments_of(judged: Judged, rule: BindingRule, window: str) -> list[str]:
    """Return the segments of a window that a rule judges separately; else the whole."""
    if not rule.rule.each_campaign:
        return [rule.rule.segment or ""]
    found = figures.segments(judged.rows, rule.rule.metric, window)
    return [each for each in found if each != OTHER_CHANNELS]


def look_at(judged: Judged, rule: BindingRule, window: str, segment: str) -> Look:
    """Return the evidence of a rule in a window, and what each party says if they dispute it."""
    look = _look(judged, rule, window, segment)
    look = replace(look, smallest=_smallest_seen(judged, rule.rule.metric, window, look.figure))
    parties = (look.figure.disputed if look.figure else None) or ()
    versions = ((each, _look(judged, rule, window, segment, each)) for each in parties)
    return replace(look, versions=tuple(versions))


def _smallest_seen(
    judged: Judged, name: str, window: str, figure: figures.Figure | None
) -> int | None:
    """Return the smallest count that all may see, if a report of the window has a smaller one.

    What deals show is counted from events that both see.
    """
    smallest = judged.agreed.cells.get(name)
    if smallest is None or figure is None or figure.source == figures.COUNTED:
        return None
    said = (
        each.figure
        for period in periods_within(months_of(window))
        for (metric, _), by_tool in kpis.period_row(judged.rows, period).reports.items()
        for report in by_tool.values()
        for each in (*report.reports, *report.corrections)
        if metric == name
    )
    return smallest if any(each.has_fewer_than(smallest) for each in said) else None


def _look(
    judged: Judged, rule: BindingRule, window: str, segment: str, by: str | None = None
) -> Look:
    name = rule.rule.metric
    unit, measured = rule.rule.currency, rule.rule.measured
    tool = rule.rule.tool or judged.agreed.tool_of_objective(name, segment)
    found = figures.figure(judged.rows, name, window, segment, unit, measured, tool, by)
    if found is None and rule.counts_all(judged.agreed.catalogue[name]):
        found = figures.nothing_counted(judged.agreed.catalogue[name], unit)
    known = None
    # A belief is slow to compute, and only a figure beyond the threshold needs one.
    if rule.rule.credibility is not None and found and rule.passed_by(found):
        known = beliefs.belief(
            judged.agreed.catalogue[name], window, found.numerator, found.denominator, judged.agreed
        )
    return Look(rule, found, known)


def _verdict(judged: Judged, rule: BindingRule, window: str, segment: str) -> Verdict:
    windows = [window]
    while len(windows) < rule.rule.consecutive:
        windows.insert(0, preceding(windows[0]))
    closed = judged.closed
    looks = [look_at(judged, rule, each, segment) for each in windows]
    breached = all(rule.binds_in(each) and each in closed for each in windows) and all(
        each.breaks for each in looks
    )
    return Verdict(
        rule.rule.rule,
        rule.version,
        f"{window}/{segment}" if segment else window,
        breached=breached,
        sound=looks[-1].keeps,
        text=_text(
            rule,
            judged.agreed.catalogue[rule.rule.metric],
            dict(zip(windows, looks, strict=True)),
            segment,
        ),
        facts=_facts(rule.rule, looks),
        evidence=(
            *_agreed_by(rule, looks),
            *(closed[each] for each in windows if each in closed),
        ),
        disputed=any(each.versions for each in looks),
    )


def _text(rule: BindingRule, metric: Metric, looks: Mapping[str, Look], segment: str) -> str:
    """Return a finding as sentences: the figure of each period, and what both agreed."""
    agreed = rule.rule
    unit = agreed.currency or metric.unit
    name = metric.name.replace("_", " ").capitalize() + (f" in {segment}" if segment else "")
    text = f"{name} {_came_to(looks, unit)}. Both agreed: {_agreed_in_words(agreed, unit)}."
    lacking = any(rule.passed_by(each.figure) and not each.suffices for each in looks.values())
    if any(each.versions for each in looks.values()):
        return f"{text} The parties dispute it, so the evidence is insufficient."
    return text + (" The evidence is insufficient." if lacking else "")


def _agreed_in_words(agreed: DecisionRule, unit: str) -> str:
    text = f"not {agreed.comparison.value} {in_unit(agreed.threshold, unit)}"
    if agreed.consecutive > 1:
        text += f" in {agreed.consecutive} {agreed.window.value}s in a row"
    if agreed.minimum_sample is not None:
        text += f", with a sample of {agreed.minimum_sample} or more"
    if agreed.credibility is not None:
        text += f", with {plain(agreed.credibility)} % credibility"
    return text


def _came_to(looks: Mapping[str, Look], unit: str) -> str:
    known, hidden, missing = list[str](), list[str](), list[str]()
    for window, each in looks.items():
        said, period = _value_in_words(each, unit), period_in_words(window)
        if not said:
            missing.append(period)
        elif each.smallest is not None:
            hidden.append(f"{period} (it has counts below {each.smallest})")
        else:
            known.append(f"{said} in {period}")
    text = [f"came to {' and '.join(known)}"] if known else []
    text += [f"is not shown for {' and '.join(hidden)}"] if hidden else []
    text += [f"had no figure in {' and '.join(missing)}"] if missing else []
    return " and ".join(text)


def _value_in_words(look: Look, unit: str) -> str:
    """Return a figure in words, or what each party says of it; empty without a value."""
    if look.value is not None:
        return in_unit(look.value, unit)
    said = ((party, each.value) for party, each in look.versions)
    return " or ".join(
        f"{in_unit(value, unit)} ({party})" for party, value in said if value is not None
    )


def _facts(agreed: DecisionRule, looks: list[Look]) -> RuleFacts:
    samples = probabilities = None
    shown = [each if each.smallest is None else Look(each.rule, None, None) for each in looks]
    if agreed.minimum_sample is not None:
        samples = tuple(each.trials for each in shown)
    if agreed.credibility is not None:
        probabilities = tuple(
            None if (likely := each.probability) is None else rounded(likely) for each in shown
        )
    return RuleFacts(
        tuple(each.value for each in shown),
        agreed.threshold,
        agreed.action,
        agreed.minimum_sample,
        samples,
        agreed.credibility,
        probabilities,
    )


def _agreed_by(rule: BindingRule, looks: list[Look]) -> list[int]:
    """Return the events in which the rule, and the priors it used, were agreed."""
    priors = [each.known.agreed for each in looks if each.known]
    agreed = [rule.index, *(each.index for each in priors if each)]
    return [index for index in agreed if index is not None]


# --- the referral minimum (C10) ----------------------------------------------------------------


class Brought(NamedTuple):
    """The accepted leads of a party that pays a fee for missing ones, and the terms that say so."""

    leads: int
    at_least: int
    version: int
    agreed_in: int
    """The index of the event that agreed these terms."""


def minimum_verdict(
    judged: Judged, rule: str, quarter: str, paying: Mapping[str, Brought]
) -> Verdict | None:
    """Judge a quarter that is over by the minimum of referrals in force when it began (C10).

    Of a party that pays a fee for missing ones, the accepted leads count, as in the ledger. None
    where no minimum was in force.
    """
    found = [_shortfall(party, each.leads, each.at_least) for party, each in paying.items()]
    agreed = [(each.version, each.agreed_in) for each in paying.values()]
    minimum = kpis.minimum_for(quarter, judged.agreed)
    if minimum is not None:
        targets = figures.targets(judged.rows, quarter, minimum)
        for target in (each for each in targets if each.party not in paying):
            found.append(Shortfall(target.party, target.value, target.minimum, target.shortfall))
            agreed.append((minimum.terms_version, minimum.index))
    if not found:
        return None
    found.sort(key=lambda each: (-each.shortfall, each.party))
    brought = ", ".join(
        f"{each.party} brought {plain(each.value)} of {plain(each.threshold)}" for each in found
    )
    text = f"{brought} referrals in {quarter}."
    if paying:
        text += f" Of {' and '.join(sorted(paying))}, only accepted ones count."
    closed = [judged.closed[quarter]] if quarter in judged.closed else []
    return Verdict(
        rule,
        max(version for version, _ in agreed),
        quarter,
        breached=found[0].shortfall > 0,
        sound=found[0].shortfall == 0,
        text=text,
        facts=found[0],
        evidence=(*(index for _, index in agreed), *closed),
    )


def _shortfall(party: str, leads: int, at_least: int) -> Shortfall:
    missing = Decimal(max(0, at_least - leads))
    return Shortfall(party, Decimal(leads), Decimal(at_least), missing)
