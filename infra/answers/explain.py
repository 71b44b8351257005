"""Why an alert opened, what a figure is made of, why an amount is what it is."""

import re
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field

from domain.agreement import CommercialTermsAgreed
from domain.calendar import PERIOD_PATTERN, bounds, months_of, preceding
from domain.deadlines.deadline import PeriodClosed
from domain.formation import DecisionRuleAgreed
from domain.metric_catalogue import CATALOGUE, Adds, Metric
from domain.own_metric import own_metrics_in
from domain.priors import PriorAgreed
from domain.recorded import Recorded
from domain.reported_figure import MetricCorrected, MetricReported
from domain.rules import Window
from domain.standing_alerts import (
    BY_RULE,
    DEPENDENCY_HIGH,
    OBJECTIVE_MISSED,
    OF_ONE_PARTY,
    REFERRAL_MINIMUM,
    is_about,
    response_of,
)
from domain.terms import Minimum, describe
from domain.values import MINOR_UNITS, Exact, name_words
from infra.answers import dependency_alerts, duplicate_credits, explain_money, metrics
from infra.answers import kpis as kpi_answers
from infra.answers.alerts import response
from infra.answers.escalated import with_people
from infra.answers.logs import (
    NOW,
    AsOf,
    NotFound,
    moment_of,
    own_stream,
    perhaps,
    sight_of,
    size_of,
    whole_log,
)
from infra.answers.parameters import Name
from infra.answers.question import Answer, Item, Parameter, Question
from infra.answers.text import Block, Line, Styled, Table, late, minute, number
from infra.bootstrap import Accord
from projections import ALERTS, KPIS, counted, figures, kpis, timeline
from projections.alerts import Alert, AlertState, answered
from projections.counted import NO_FACTS
from projections.figures import LEADS
from projections.fold import Folded, Rows, fold
from projections.objectives import ObjectiveProgress
from projections.rule_words import rule_in_words
from projections.standing import periods_within
from projections.timeline import TimelineItem
from projections.visibility import Sight

HOW_TO_ASK = (
    "Write an alert's id (the answer of alerts has them), a figure as PARTNERSHIP/METRIC/PERIOD, "
    "such as growthos-consulting/leads/2026-Q1 (a segment may follow), or money as "
    "PARTNERSHIP/deal/DEAL, PARTNERSHIP/line/LINE or PARTNERSHIP/statement/STATEMENT."
)


# --- the answer --------------------------------------------------------------------------------


class ExplainedRule(Item):
    """The rule by which an alert opened, or that looks at a figure."""

    rule: str
    """The name of the rule."""
    version: int | None = None
    """The version of the rule or, for the referral minimum, of the terms; null if never agreed."""
    text: str
    """The rule in words."""
    binds_from: datetime | None = None
    """When the agreement on a decision rule was recorded."""
    agreed: TimelineItem | None = None
    """The event that agreed it; null for a rule that every partnership has."""


class Addition(Item):
    """What an event adds to a counted figure."""

    to: Literal["sum", "numerator", "denominator"]
    """The part of the figure that it adds to."""
    metric: str
    """The name of a metric of the catalogue."""
    amount: Exact
    """The amount, as a decimal string."""


class CountedEvent(Item):
    """An event that a counted figure is made of."""

    event: TimelineItem
    """The event."""
    adds: tuple[Addition, ...]
    """What the event adds to the figure."""


class ReportedEvent(Item):
    """A report of a figure, or a correction of it."""

    event: TimelineItem
    """The event."""
    figure: str | None
    """The reported figure; null where it is too small to be shown."""
    in_force: bool
    """Whether it is the last one of its source, which the figure is made of."""
    is_own: bool
    """Whether its party reported the figure. A correction of the other party's figure counts once
    that party confirms it."""


class ExplainedFigure(Item):
    """A figure with its events; without them if it is too small to be shown."""

    line: figures.FigureLine
    """The line of the scorecard."""
    counted: tuple[CountedEvent, ...] = ()
    """The events that were counted."""
    reported: tuple[ReportedEvent, ...] = ()
    """The reports of the figure."""


class RuleInput(Item):
    """The figures of one window that a rule looked at."""

    period: str
    """The period: a month, a quarter or a year."""
    figures: tuple[ExplainedFigure, ...]
    """The figures of the period."""


class Transition(Item):
    """A change of an alert, and the event that caused it."""

    alert: Alert
    """The alert as this change left it."""
    text: str
    """What opened, resolved or withdrew it."""
    because_of: TimelineItem | None
    """Null if the viewer may not see the event."""


class AlertExplained(Item):
    """Why an alert opened and, if it has, why it ended."""

    of: Literal["alert"] = "alert"
    """What was explained: an alert."""
    alert: Alert
    """The alert."""
    severity_because: str
    """The reason for its severity."""
    rule: ExplainedRule
    """The alert's rule."""
    transitions: tuple[Transition, ...]
    """The changes of the alert's state."""
    inputs: tuple[RuleInput, ...]
    """The figures that the rule looked at, as they are known at the moment asked about."""
    about: tuple[TimelineItem, ...]
    """The events about the thing that the alert is about; empty for a rule on figures and for the
    leads of a month, of which the evidence has the latest."""
    evidence: tuple[TimelineItem, ...]
    """The events on which the alert rests, as far as the viewer sees them."""


class FigureExplained(Item):
    """The events and rules behind a figure."""

    of: Literal["figure"] = "figure"
    """What was explained: a figure."""
    metric: metrics.MetricDescription
    """The metric."""
    period: str
    """The period of the figure."""
    segment: str | None
    """The market or the campaign; null for the whole partnership."""
    figures: tuple[ExplainedFigure, ...]
    """The figures of the period."""
    rules: tuple[ExplainedRule, ...]
    """The rules that look at the figure, each in the version in force when the period began."""
    objectives: tuple[ObjectiveProgress, ...]
    """The objectives on the metric."""


Explained = AlertExplained | FigureExplained | explain_money.MoneyExplained


class Explanation(Answer):
    """Why an alert opened and ended, what a figure is made of, or why an amount is what it is."""

    reference: str
    """What was asked about."""
    partnership: str
    """The partnership."""
    explained: Annotated[
        AlertExplained
        | FigureExplained
        | explain_money.DealExplained
        | explain_money.LineExplained
        | explain_money.StatementExplained,
        Field(discriminator="of"),
    ]
    """What was explained, with the events behind it."""


Reference = Annotated[
    Name,
    Parameter(
        "An alert's id; a figure: ID/METRIC/PERIOD, then a segment; or money: ID/deal/DEAL, "
        "ID/line/LINE, ID/statement/STATEMENT.",
        "ALERT|KPI|MONEY",
    ),
]


def ask(accord: Accord, reference: Reference, when: AsOf = NOW) -> Explanation:
    """Explain an alert or a figure from the events alone: the rule, the inputs, the events.

    An alert is named by its id, a figure as partnership/metric/period, then a segment. Raises
    `NotFound`.
    """
    partnership, explained = _explained(accord, reference, when)
    return Explanation(
        simulated=accord.simulated,
        as_of=when.asked,
        reference=reference,
        partnership=partnership,
        explained=explained,
    )


def _explained(accord: Accord, reference: str, when: AsOf) -> tuple[str, Explained]:
    partnership, _, rest = reference.partition("/")
    kind, _, name = rest.partition("/")
    if kind in explain_money.KINDS:
        return partnership, explain_money.explained(accord, partnership, kind, name, when)
    return (_alert if "@" in reference else _figure)(accord, reference, when)


def _partnership(given: Mapping[str, Any]) -> list[str]:
    """Return the partnership that a reference names, as `_explained` reads it."""
    reference: str = given["reference"]
    first, _, rest = reference.partition("/")
    second = rest.partition("/")[0]
    is_alert = "@" in reference and second not in explain_money.KINDS
    return [second if is_alert else first]


# --- figures -----------------------------------------------------------------------------------


def _figure(accord: Accord, reference: str, when: AsOf) -> tuple[str, FigureExplained]:
    partnership, metric, period, segment = _parts(accord, reference, when)
    sight = sight_of(accord.history, partnership, when)
    asked = _Figures(sight, metric, period)
    rules: list[Recorded] = []
    for recorded in filter(sight.reads, whole_log(accord.history, partnership, when)):
        asked.take(recorded)
        if _agrees_a_rule(recorded):
            rules.append(recorded)
    rows = asked.rows
    progress = kpi_answers.progress(accord, partnership, when, rows)
    return partnership, FigureExplained(
        metric=metrics.described(metric),
        period=period,
        segment=segment or None,
        figures=asked.explained(period, segment),
        rules=tuple(
            _rule(each, metric) for each in _looking_at(rules, rows, metric, period, segment)
        ),
        objectives=tuple(
            sight.progress(each)
            for each in progress
            if (each.objective.metric, each.objective.segment or "") == (metric.name, segment)
        ),
    )


def _parts(accord: Accord, reference: str, when: AsOf) -> tuple[str, Metric, str, str]:
    partnership, _, rest = reference.partition("/")
    name, _, rest = rest.partition("/")
    period, _, segment = rest.partition("/")
    if not period:
        raise NotFound(f"{reference} names no alert, no figure and no money.", HOW_TO_ASK)
    size_of(accord.history, partnership)
    known = CATALOGUE | own_metrics_in(
        each.event for each in own_stream(accord.history, partnership, when)
    )
    if name not in known and not re.fullmatch(PERIOD_PATTERN, period):
        what = name_words(name)
        raise NotFound(f"Nothing of the kind {what} can be explained by itself.", HOW_TO_ASK)
    if name not in known:
        otherwise = "See the metrics: the answer metrics lists them."
        raise NotFound(f"There is no metric {name}.", perhaps(name, known, otherwise))
    if not re.fullmatch(PERIOD_PATTERN, period):
        raise NotFound(f"{period} is not a period.", "Write 2026-03, 2026-Q1 or 2026.")
    return partnership, known[name], period, segment


@dataclass(slots=True)
class _Figures:
    """The figures of a metric in some periods, and the events that can be behind them."""

    sight: Sight
    metric: Metric
    period: str
    back: int = 1
    """How many periods are asked about; the last is `period`."""
    _folded: Folded = field(default_factory=Folded)
    _reports: list[Recorded] = field(default_factory=list)
    _counts: list[tuple[Recorded, Mapping[counted.Series, counted.Sum]]] = field(
        default_factory=list
    )
    """The events of deals, entries and contributions, with what each added to counts."""

    @property
    def rows(self) -> Rows:
        """The rows of the KPIs."""
        return self._folded.rows

    @property
    def windows(self) -> list[str]:
        """The periods that are asked about, in order."""
        windows = [self.period]
        while len(windows) < self.back:
            windows.insert(0, preceding(windows[0]))
        return windows

    def take(self, recorded: Recorded) -> None:
        """Fold an event, and keep it if a figure can be made of it."""
        names = {self.metric.name, self.metric.numerator, self.metric.denominator}
        if not names.isdisjoint(kpis.measures(recorded.event)):
            self._measure(recorded)
        fold(KPIS, self._folded, (recorded,))

    def _measure(self, recorded: Recorded) -> None:
        if given := kpis.given_change(self.rows, recorded):
            self._counts.append((recorded, given.added()))
            return
        deal = counted.key_of(recorded.event)
        if deal is None:
            self._reports.append(recorded)
            return
        change = counted.DealChange.by(self.rows.get(deal, NO_FACTS), recorded)
        if added := change.added(recorded.event, kpis.agreed_row(self.rows).zone):
            self._counts.append((recorded, added))

    def explained(self, period: str, segment: str) -> tuple[ExplainedFigure, ...]:
        """Return the figure of a period in each of its units, with the events that made it."""
        report = figures.report(self.rows, period, {self.metric.name})
        lines = self.sight.lines(figures.with_posteriors(self.rows, report), period)
        return tuple(
            self._explained(line, period, segment)
            for line in lines
            if (line.metric, line.segment or "") == (self.metric.name, segment)
        )

    def _explained(self, line: figures.FigureLine, period: str, segment: str) -> ExplainedFigure:
        reports = {*line.reports, *(index for each in line.reported for index in each.reports)}
        return ExplainedFigure(
            line=line,
            counted=() if line.reports else tuple(self._counted(period, segment, line.unit)),
            reported=tuple(self._reported(reports)) if reports else (),
        )

    def _counted(self, period: str, segment: str, unit: str) -> Iterator[CountedEvent]:
        periods = periods_within(months_of(period))
        for recorded, added in self._counts:
            adds = tuple(self._adds(added, periods, segment, unit))
            if adds:
                yield CountedEvent(event=_item(self.sight, recorded), adds=adds)

    def _adds(
        self,
        added: Mapping[counted.Series, counted.Sum],
        periods: Container[str],
        segment: str,
        unit: str,
    ) -> Iterator[Addition]:
        parts: dict[str, Literal["sum", "numerator", "denominator"]] = {self.metric.name: "sum"}
        if self.metric.adds is Adds.RATIO:
            parts = {self.metric.numerator: "numerator", self.metric.denominator: "denominator"}
        for to, (amount, _) in added.items():
            of_unit = to.unit == (unit if unit in MINOR_UNITS else CATALOGUE[to.metric].unit.value)
            of_segment = segment in {"", to.segment}
            if to.metric in parts and to.month in periods and of_unit and of_segment:
                yield Addition(to=parts[to.metric], metric=to.metric, amount=amount)

    def _reported(self, reports: Container[int]) -> Iterator[ReportedEvent]:
        # A figure's stream has the report and its corrections; the latest counts.
        streams = {each.stream for each in self._reports if each.index in reports}
        authors = {
            (each.stream, each.act.party)
            for each in self._reports
            if isinstance(each.event, MetricReported)
        }
        for recorded in self._reports:
            event = recorded.event
            if recorded.stream in streams and isinstance(event, MetricReported | MetricCorrected):
                yield ReportedEvent(
                    event=_item(self.sight, recorded),
                    figure=None if self.sight.fewer_than(recorded) else str(event.figure),
                    in_force=recorded.index in reports,
                    is_own=(recorded.stream, recorded.act.party) in authors,
                )


def _item(sight: Sight, recorded: Recorded) -> TimelineItem:
    """Return the timeline's item of an event, without a figure that is too small to be shown."""
    item = timeline.item(recorded)
    fewer = sight.fewer_than(recorded)
    return item if fewer is None else replace(item, text=f"(fewer than {fewer}: not shown)")


# --- rules -------------------------------------------------------------------------------------


def _agrees_a_rule(recorded: Recorded) -> bool:
    event = recorded.event
    if isinstance(event, CommercialTermsAgreed):
        return any(_minimums(event))
    return isinstance(event, DecisionRuleAgreed)


def _minimums(event: CommercialTermsAgreed) -> Iterator[str]:
    """Yield the minimums of referrals in words: those of the frame, and those with a fee."""
    frame = event.frame.minimum_referrals_per_quarter if event.frame is not None else None
    for party, least in (frame or {}).items():
        if least:
            yield f"{party} brings at least {least} referrals every quarter"
    for item in event.items or ():
        if isinstance(item, Minimum) and (item.metric, item.window) == (LEADS, "quarter"):
            yield describe(item)


def _looking_at(
    rules: Iterable[Recorded], rows: Rows, metric: Metric, period: str, segment: str
) -> list[Recorded]:
    """Return the events that agreed the rules which look at a figure, each in force then."""
    minimum = None
    if metric.name == LEADS and "Q" in period and not segment:
        minimum = kpis.minimum_for(period, kpis.agreed_row(rows))
    found: dict[str, Recorded] = {}
    for recorded in rules:
        event = recorded.event
        if isinstance(event, DecisionRuleAgreed):
            rule = event.rule
            if (
                rule.metric == metric.name
                and (rule.window is Window.QUARTER) is ("Q" in period)
                and (bool(segment) if rule.each_campaign else (rule.segment or "") == segment)
                and recorded.act.recorded_at <= bounds(period)[0]
            ):
                # A later version takes the place of the one before.
                found[rule.rule] = recorded
        elif minimum and minimum.index == recorded.index:
            found[REFERRAL_MINIMUM] = recorded
    return list(found.values())


def _rule(recorded: Recorded, metric: Metric) -> ExplainedRule:
    event = recorded.event
    if isinstance(event, DecisionRuleAgreed):
        return ExplainedRule(
            rule=event.rule.rule,
            version=event.rule_version,
            text=rule_in_words(event.rule, {metric.name: metric}),
            binds_from=recorded.act.recorded_at,
            agreed=timeline.item(recorded),
        )
    assert isinstance(event, CommercialTermsAgreed)  # noqa: S101 - see `_agrees_a_rule`
    return ExplainedRule(
        rule=REFERRAL_MINIMUM,
        version=event.terms_version,
        text=f"{'; '.join(_minimums(event))}: in each quarter that begins on "
        f"{event.effective_from} or later, until other terms take effect (C10)",
        agreed=timeline.item(recorded),
    )


# --- alerts ------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Reading:
    """The result of one pass over a log for an alert."""

    reference: str
    rule: str
    version: int
    window: str
    sight: Sight
    agreed: Recorded | None = None
    """The event that agreed the rule."""
    inputs: _Figures | None = None
    about: list[Recorded] = field(default_factory=list)
    _alerts: Folded = field(default_factory=Folded)
    _kpis: Folded = field(default_factory=Folded)
    _kept: dict[int, Recorded] = field(default_factory=dict)

    def take(self, recorded: Recorded) -> None:
        """Fold an event, and keep it if it can explain the alert.

        Both parties see the alerts of a rule that both agreed, even if its figures are withheld;
        so alerts are folded from every event, and all else from those that the viewer sees. Only
        the alert on a missed objective is a status that is hidden with its figures.
        """
        if self.sight.shows(recorded):
            self._look_for_rule(recorded)
            # A rule looks at windows that begin after it was agreed. Of deals, it may need facts
            # from before that.
            if self.inputs:
                self.inputs.take(recorded)
            else:
                fold(KPIS, self._kpis, (recorded,))
            standing = BY_RULE.get(self.rule)
            if standing and is_about(standing, self.window, recorded.event):
                self.about.append(recorded)
        if self.rule == OBJECTIVE_MISSED and not self.sight.reads(recorded):
            return
        before = len(self._alerts.outputs)
        fold(ALERTS, self._alerts, (recorded,))
        changed = self._alerts.outputs[before:]
        if isinstance(
            recorded.event,
            PeriodClosed | DecisionRuleAgreed | PriorAgreed | CommercialTermsAgreed,
        ) or any(output.body.id == self.reference for output, _ in changed):
            self._kept[recorded.index] = recorded

    def _look_for_rule(self, recorded: Recorded) -> None:
        event, period = recorded.event, self.window.partition("/")[0]
        if not re.fullmatch(PERIOD_PATTERN, period):
            return
        if self.rule == REFERRAL_MINIMUM:
            self.inputs = self.inputs or _Figures(self.sight, CATALOGUE[LEADS], period)
            if isinstance(event, CommercialTermsAgreed) and event.terms_version == self.version:
                self.agreed = recorded
        elif isinstance(event, DecisionRuleAgreed):
            rule = event.rule
            if (rule.rule, event.rule_version) == (self.rule, self.version):
                metric = kpis.catalogue(self._kpis.rows)[rule.metric]
                self.agreed = recorded
                self.inputs = _Figures(
                    self.sight, metric, period, rule.consecutive, _folded=self._kpis
                )

    @property
    def known(self) -> list[str]:
        """The ids of all alerts."""
        ids = dict.fromkeys(output.body.id for output, _ in self._alerts.outputs)
        return [each for each in ids if not each.startswith(f"{OBJECTIVE_MISSED}@")]

    @property
    def changes(self) -> list[Alert]:
        """The alert as each of its changes left it."""
        bodies = [output.body for output, _ in self._alerts.outputs]
        return [each for each in bodies if each.id == self.reference]

    def now(self, moment: datetime) -> Alert:
        """Return the alert as an answer gives it at a moment."""
        return answered(self._alerts.rows, self.changes[-1], moment)

    def item(self, index: int) -> TimelineItem | None:
        """Return an event that changed the alert or is evidence; None if it is hidden."""
        recorded = self._kept[index]
        return _item(self.sight, recorded) if self.sight.shows(recorded) else None


def _alert(accord: Accord, reference: str, when: AsOf) -> tuple[str, AlertExplained]:
    name, partnership, window = (*reference.split("/", 2), "", "")[:3]
    rule, _, version = name.partition("@")
    if not window or not version.isdecimal():
        raise NotFound(f"{reference} names no alert, no figure and no money.", HOW_TO_ASK)
    if rule in OF_ONE_PARTY:
        return partnership, _of_one_party(accord, reference, partnership, when)
    sight = sight_of(accord.history, partnership, when)
    read = _Reading(reference, rule, int(version), window, sight)
    for recorded in whole_log(accord.history, partnership, when):
        read.take(recorded)
    changes = [with_people(accord.history, each) for each in read.changes]
    if not changes:
        otherwise = f"Ask for the alerts of {partnership}."
        raise NotFound(f"There is no alert {reference}.", perhaps(reference, read.known, otherwise))
    last = with_people(accord.history, read.now(moment_of(accord, partnership, when)))
    segment = window.partition("/")[2]
    return partnership, AlertExplained(
        alert=last,
        severity_because=response_of(last.rule).because,
        rule=_rule(read.agreed, read.inputs.metric)
        if read.agreed and read.inputs
        else ExplainedRule(rule=rule, text=BY_RULE[rule].sentence),
        transitions=tuple(
            Transition(
                alert=each,
                text=each.text if each.ended is None else each.ended,
                because_of=read.item(each.cause),
            )
            for each in changes
        ),
        inputs=tuple(
            RuleInput(period=each, figures=read.inputs.explained(each, segment))
            for each in read.inputs.windows
        )
        if read.inputs
        else (),
        about=tuple(_item(sight, each) for each in read.about),
        evidence=tuple(filter(None, map(read.item, last.evidence))),
    )


def _of_one_party(accord: Accord, reference: str, partnership: str, when: AsOf) -> AlertExplained:
    """Explain an alert that the viewer alone gets.

    It rests on the limit that the party set, or on the deal or payment in this partnership.
    """
    alone = dependency_alerts if reference.startswith(f"{DEPENDENCY_HIGH}@") else duplicate_credits
    alerts = alone.alerts_of(accord, when).get(partnership, [])
    alert = next((each for each in alerts if each.id == reference), None)
    if alert is None:
        otherwise = f"Ask for the alerts of {partnership}."
        known = [each.id for each in alerts]
        raise NotFound(f"There is no alert {reference}.", perhaps(reference, known, otherwise))
    log = whole_log(accord.history, partnership, when)
    (caused,) = (timeline.item(each) for each in log if each.index == alert.cause)
    standing = OF_ONE_PARTY[alert.rule]
    return AlertExplained(
        alert=alert,
        severity_because=standing.response.because,
        rule=ExplainedRule(rule=alert.rule, text=standing.sentence),
        transitions=(Transition(alert=alert, text=alert.text, because_of=caused),),
        inputs=(),
        about=(caused,),
        evidence=(caused,),
    )


# --- text --------------------------------------------------------------------------------------


def text(found: Explanation) -> Iterator[Block]:
    """Yield the explanation: what it is, the rule, the figures, the events."""
    explained = found.explained
    match explained:
        case AlertExplained():
            yield Line(f"{found.reference}: {explained.alert.state}", "bold")
            yield from _alert_blocks(explained, was=found.as_of.known or found.as_of.at)
        case FigureExplained():
            yield Line(found.reference, "bold")
            yield from _figure_blocks(explained)
        case _:
            yield Line(found.reference, "bold")
            yield from explain_money.text(explained)


def _figure_blocks(found: FigureExplained) -> Iterator[Block]:
    metric = found.metric
    made = (
        f"{metric.numerator} / {metric.denominator}, each summed, then divided"
        if metric.numerator
        else f"over several periods: the {metric.adds}"
    )
    yield Line(f"{metric.unit}; better {metric.better}; {made}", indent=2)
    if not found.figures:
        yield Line("No figure: no event counts or reports it for this period.", indent=2)
    yield from _explained_figures(found.figures, 2)
    for rule in found.rules:
        yield from _rule_blocks(rule)
    yield kpi_answers.objectives_table(found.objectives, indent=2)


def _explained_figures(found: Iterable[ExplainedFigure], indent: int) -> Iterator[Block]:
    for each in found:
        line = each.line
        yield Line()
        by = "counted from events" if line.source == figures.COUNTED else f"from {line.source}"
        yield Line(f"{kpi_answers.named(line)}, {by}", "bold", indent)
        for more in filter(None, (kpi_answers.compared(line), kpi_answers.believed(line))):
            yield Line(more, indent=indent)
        rows = [(*_event(one.event), _added(one)) for one in each.counted]
        rows += [(*_event(one.event), standing(one)) for one in each.reported]
        yield Table([">#", "HAPPENED", "WHO", "WHAT", ">COUNTS"], rows, indent=indent)


def standing(reported: ReportedEvent) -> str:
    """Return in words whether a report, or a correction, makes the figure."""
    if reported.in_force:
        return "in force"
    return "restated since" if reported.is_own else "counts once it is confirmed"


def _added(counted: CountedEvent) -> str:
    return ", ".join(
        f"{number(each.amount)}" + ("" if each.to == "sum" else f" in the {each.to}")
        for each in counted.adds
    )


def _rule_blocks(rule: ExplainedRule) -> Iterator[Block]:
    yield Line()
    version = "" if rule.version is None else f", version {rule.version}"
    yield Line(f"rule {rule.rule}{version}", "bold", 2)
    yield Line(rule.text, indent=4)
    if agreed := rule.agreed:
        index, happened, _, what = _event(agreed)
        yield Line(f"agreed by #{index}, {happened}: {agreed.party} {what}", indent=4)


def _alert_blocks(found: AlertExplained, *, was: datetime | None) -> Iterator[Block]:
    yield from _rule_blocks(found.rule)
    yield Line(f"{response(found.alert)} {found.severity_because}", indent=4)
    yield Line()
    yield Table(
        [">#", "RECORDED", "STATE", "WHAT", "BECAUSE"],
        [
            (
                each.alert.cause,
                minute(each.because_of.recorded_at) if each.because_of else "",
                Styled(each.alert.state, "bold red" if each.alert.state is AlertState.OPEN else ""),
                each.text,
                _cause(each.because_of),
            )
            for each in found.transitions
        ],
        title="changes",
        indent=2,
    )
    if found.inputs:
        known = "were known then" if was else "are known now"
        yield Line(f"the figures that the rule looked at, as they {known}", "bold", 2)
    for window in found.inputs:
        if not window.figures:
            yield Line(f"{window.period}: no figure", indent=4)
        yield from _explained_figures(window.figures, 4)
    for title, events in (("the events it is about", found.about), ("evidence", found.evidence)):
        yield Line()
        yield Table(
            [">#", "HAPPENED", "WHO", "WHAT"], list(map(_event, events)), title=title, indent=2
        )


_CLOCK = "clock"


def _cause(event: TimelineItem | None) -> str:
    if event is None:
        return "(hidden)"
    return event.text if event.actor == _CLOCK else f"{event.party} {event.text}"


def _event(event: TimelineItem) -> tuple[str, str, str, str]:
    who = "(clock)" if event.actor == _CLOCK else f"{event.party} ({event.actor})"
    mark = f" [{late(event.late_days)}]" if event.late_days else ""
    return str(event.index), minute(event.occurred_at), who, event.text + mark


EXPLAIN = Question(
    "explain",
    ask,
    text,
    path="/v1/explain",
    help="Explain an alert or a figure: the rule in force, the inputs, the events behind them.",
    about=_partnership,
)
