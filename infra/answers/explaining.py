"""Why: the rule in force, the inputs, the events, found again by replay of the log alone."""

import re
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from pydantic import TypeAdapter

from domain.agreement import CommercialTermsAgreed
from domain.calendar import PERIOD_PATTERN, bounds, months_of, preceding, quarters_of
from domain.formation import DecisionRuleAgreed
from domain.kernel import Event
from domain.metric_catalogue import CATALOGUE, Adds, Metric
from domain.recorded import Recorded
from domain.reported_figure import MetricCorrected, MetricReported
from domain.rules import DecisionRule
from domain.standing_alerts import BY_RULE, REFERRAL_MINIMUM, is_about
from domain.values import MINOR_UNITS, instant, plain
from infra.answers.logs import NOW, AsOf, NotFound, Row, entry, log, perhaps, sight_of, size_of
from infra.bootstrap import Accord
from projections import ALERTS, KPIS, figures, kpis
from projections.alerts import AlertState
from projections.breaches import LEADS
from projections.fold import Rows, replay
from projections.visibility import Sight

HOW_TO_ASK = (
    "Write an alert's id as accord alerts gives it, or a KPI as PARTNERSHIP/METRIC/PERIOD, "
    "such as growthos-consulting/leads/2026-Q1; a segment may follow."
)


def explain(accord: Accord, reference: str, when: AsOf = NOW) -> Row:
    """Give why an alert opened and ended, or what a figure is made of, as of a time.

    An alert is named by its id, a figure as ``partnership/metric/period``, a segment behind it
    if need be. Raises `NotFound`.
    """
    of = _alert if "@" in reference else _kpi
    return {**of(accord, reference, when), "as_of": when.as_json()}


# --- figures -----------------------------------------------------------------------------------


def _kpi(accord: Accord, reference: str, when: AsOf) -> Row:
    partnership, metric, period, segment = _parts(accord, reference)
    log_ = _Log(accord, partnership, when)
    rows = replay(KPIS, log_.events()).rows
    return {
        "kpi": reference,
        "id": partnership,
        "metric": _described(metric),
        "period": period,
        **({"segment": segment} if segment else {}),
        "figures": _made_of(log_, rows, metric, period, segment),
        "rules": [agreed_rule(each) for each in _resting_on(log_, rows, metric, period, segment)],
        "objectives": [
            _PROGRESS.dump_python(each, mode="json")
            for each in figures.objectives(rows)
            if each.objective.metric == metric.name and not segment
        ],
    }


def _parts(accord: Accord, reference: str) -> tuple[str, Metric, str, str]:
    partnership, _, rest = reference.partition("/")
    name, _, rest = rest.partition("/")
    period, _, segment = rest.partition("/")
    if not period:
        raise NotFound(f"{reference} names neither an alert nor a KPI.", HOW_TO_ASK)
    size_of(accord.history, partnership)
    if name not in CATALOGUE:
        otherwise = "See the metrics: accord schema --metrics."
        raise NotFound(f"There is no metric {name}.", perhaps(name, CATALOGUE, otherwise))
    if not re.fullmatch(PERIOD_PATTERN, period):
        raise NotFound(f"{period} is no period.", "Write 2026-03, 2026-Q1 or 2026.")
    return partnership, CATALOGUE[name], period, segment


def _described(metric: Metric) -> Row:
    made = {"numerator": metric.numerator, "denominator": metric.denominator}
    return {
        "name": metric.name,
        "unit": metric.unit.value,
        "direction": metric.direction.value,
        "adds": metric.adds.value,
        **{name: of for name, of in made.items() if of},
    }


def _made_of(log_: "_Log", rows: Rows, metric: Metric, period: str, segment: str) -> list[Row]:
    """Give the figure in each of its units, with the events that made it."""
    lines = [
        line
        for line in figures.with_posteriors(rows, figures.report(rows, period, {metric.name}))
        if (line.segment or "") == segment
    ]
    return [
        {**figures.dump(line), "events": log_.behind(rows, metric, period, segment, line.unit)}
        # What is too small to be shown is not told by its events either (C14).
        if (seen := log_.sight().line(line)) is line
        else {**figures.dump(seen), "events": []}
        for line in lines
    ]


def _resting_on(
    log_: "_Log", rows: Rows, metric: Metric, period: str, segment: str
) -> list[Recorded]:
    """Give the events that agreed the rules which look at this figure, each in force then."""
    minimum = None
    if metric.name == LEADS and "Q" in period and not segment:
        minimum = kpis.minimum_for(period, kpis.agreed_row(rows))
    found: dict[str, Recorded] = {}
    for recorded in log_.rules():
        event = recorded.event
        if isinstance(event, DecisionRuleAgreed):
            if _looks_at(event.rule, recorded, metric, period, segment):
                # A later version takes the former's place.
                found[event.rule.rule] = recorded
        elif minimum and minimum.index == recorded.index:
            found[REFERRAL_MINIMUM] = recorded
    return list(found.values())


def _looks_at(
    rule: DecisionRule, agreed: Recorded, metric: Metric, period: str, segment: str
) -> bool:
    return (
        rule.metric == metric.name
        and (rule.window == "quarter") is ("Q" in period)
        and rule.each_campaign is bool(segment)
        and agreed.act.recorded_at <= bounds(period)[0]
    )


# --- alerts ------------------------------------------------------------------------------------


def _alert(accord: Accord, reference: str, when: AsOf) -> Row:
    _, partnership, window = (*reference.split("/", 2), "", "")[:3]
    if not window:
        raise NotFound(f"{reference} names neither an alert nor a KPI.", HOW_TO_ASK)
    log_ = _Log(accord, partnership, when)
    changes = [output.body for output, _ in replay(ALERTS, log_.events()).outputs]
    transitions = [body for body in changes if body.id == reference]
    if not transitions:
        known = list(dict.fromkeys(body.id for body in changes))
        otherwise = f"See its alerts: accord alerts {partnership}."
        raise NotFound(f"There is no alert {reference}.", perhaps(reference, known, otherwise))
    last = transitions[-1]
    rule, version = last.rule, last.version
    agreed = next((each for each in log_.rules() if _is_version(each, rule, version)), None)
    evidence = log_.entries({*last.evidence, *(body.cause for body in transitions)})
    return {
        "alert": reference,
        "id": partnership,
        "state": last.state,
        "rule": agreed_rule(agreed) if agreed else {"rule": rule, "text": BY_RULE[rule].sentence},
        "window": window,
        "transitions": [
            {
                "state": body.state,
                "text": body.text if body.state is AlertState.OPEN else body.ended,
                "facts": ALERTS.dump(body.id, body).get("facts", {}),
                "because_of": evidence[body.cause],
            }
            for body in transitions
        ],
        "inputs": _inputs(log_, agreed, window) if agreed else [],
        "about": [] if agreed else log_.about(rule, window),
        "evidence": [evidence[index] for index in last.evidence],
    }


def _is_version(recorded: Recorded, rule: str, version: int) -> bool:
    event = recorded.event
    if isinstance(event, CommercialTermsAgreed):
        return rule == REFERRAL_MINIMUM and event.terms_version == version
    return (
        isinstance(event, DecisionRuleAgreed)
        and event.rule.rule == rule
        and event.rule_version == version
    )


def agreed_rule(recorded: Recorded) -> Row:
    """Give an agreed rule: its text, its version, and the event that agreed it."""
    event = recorded.event
    if isinstance(event, CommercialTermsAgreed):
        minimum = event.terms.minimum_referrals_per_quarter
        return {
            "rule": REFERRAL_MINIMUM,
            "version": event.terms_version,
            "text": f"at least {minimum} referrals in each quarter that begins on "
            f"{event.effective_from} or later, until other terms hold (C10)",
            "agreed": entry(recorded),
        }
    if not isinstance(event, DecisionRuleAgreed):
        raise TypeError(type(event))
    return {
        "rule": event.rule.rule,
        "version": event.rule_version,
        "text": rule_in_words(event.rule),
        "binds_from": instant(recorded.act.recorded_at),
        "agreed": entry(recorded),
    }


def rule_in_words(rule: DecisionRule) -> str:
    """Give a decision rule as people would say it."""
    windows = (
        f"a {rule.window}"
        if rule.consecutive == 1
        else (f"{rule.consecutive} {rule.window}s on end")
    )
    unit = CATALOGUE[rule.metric].unit
    of = " of any one campaign" if rule.each_campaign else ""
    limit = f"{rule.comparison} {plain(rule.threshold)} ({unit})"
    return f"{rule.metric}{of} {limit} in {windows}{_evidence_asked(rule)}: {rule.action}"


def _evidence_asked(rule: DecisionRule) -> str:
    """Give what a rule asks of its evidence (C21)."""
    asked = []
    if rule.minimum_sample is not None:
        asked.append(f"{rule.minimum_sample} or more {CATALOGUE[rule.metric].denominator}")
    if rule.credibility is not None:
        asked.append(f"{plain(rule.credibility)} % credibility")
    return f", given {' and '.join(asked)}" if asked else ""


def _inputs(log_: "_Log", agreed: Recorded, window: str) -> list[Row]:
    """Give the figures of the windows that the rule looked at, as they are known now."""
    period, _, segment = window.partition("/")
    event = agreed.event
    metric, back = CATALOGUE[LEADS], 1
    if isinstance(event, DecisionRuleAgreed):
        metric, back = CATALOGUE[event.rule.metric], event.rule.consecutive
    rows = replay(KPIS, log_.events()).rows
    windows = [period]
    while len(windows) < back:
        windows.insert(0, preceding(windows[0]))
    return [
        {"period": each, "figures": _made_of(log_, rows, metric, each, segment)} for each in windows
    ]


# --- events ------------------------------------------------------------------------------------


_PROGRESS: TypeAdapter[figures.ObjectiveProgress] = TypeAdapter(figures.ObjectiveProgress)


@dataclass(frozen=True, slots=True)
class _Log:
    """A partnership's log, read again for each question rather than held in memory."""

    accord: Accord
    partnership: str
    when: AsOf

    def events(self) -> Iterator[Recorded]:
        """Give the events as of the time that is asked about. Raises `NotFound`."""
        return log(self.accord.history, self.partnership, self.when)

    def sight(self) -> Sight:
        """Give what the viewer sees of the partnership."""
        return sight_of(self.accord.history, self.partnership, self.when)

    def entries(self, indexes: AbstractSet[int]) -> dict[int, Row]:
        """Give these events as the timeline has them."""
        return {each.index: entry(each) for each in self.events() if each.index in indexes}

    def rules(self) -> list[Recorded]:
        """Give the events that agreed rules on figures: decision rules, and minimums in terms."""
        return [each for each in self.events() if _agrees_a_rule(each.event)]

    def about(self, rule: str, ref: str) -> list[Row]:
        """Give the events that explain a standing alert about one thing."""
        standing = BY_RULE[rule]
        return [entry(each) for each in self.events() if is_about(standing, ref, each.event)]

    def behind(self, rows: Rows, metric: Metric, period: str, segment: str, unit: str) -> list[Row]:
        """Give the events that a figure is made of, and what each adds or says."""
        known = figures.figure(rows, metric.name, period, segment, unit)
        if known is None:
            return []
        if not known.reports:
            months = frozenset(months_of(period))
            return list(self._counted(metric, months, segment, unit))
        sources = known.source.split("+")
        if len(sources) > 1 and "counted" in sources:
            # Some of its parts were reported and some counted.
            quarters = quarters_of(period)
            parts = quarters if len(quarters) > 1 else months_of(period)
            behind = [self.behind(rows, metric, part, segment, unit) for part in parts]
            return [each for some in behind for each in some]
        return list(self._reported(frozenset(known.reports)))

    def _counted(
        self, metric: Metric, months: AbstractSet[str], segment: str, unit: str
    ) -> Iterator[Row]:
        parts = {metric.name: "sum"}
        if metric.adds is Adds.RATIO:
            parts = {metric.numerator: "numerator", metric.denominator: "denominator"}
        for recorded in self.events():
            adds = [
                {"to": parts[count.metric], "metric": count.metric, "amount": str(count.amount)}
                for count in kpis.counts(recorded)
                if count.metric in parts
                and count.period in months
                and segment in ("", count.segment)
                and (count.unit == unit if unit in MINOR_UNITS else count.unit not in MINOR_UNITS)
            ]
            if adds:
                yield {**entry(recorded), "adds": adds}

    def _reported(self, reports: AbstractSet[int]) -> Iterator[Row]:
        # A figure's stream holds the report and its corrections; the last of them stands.
        streams = {each.stream for each in self.events() if each.index in reports}
        for recorded in self.events():
            event = recorded.event
            if recorded.stream in streams and isinstance(event, MetricReported | MetricCorrected):
                yield {
                    **entry(recorded),
                    "figure": str(event.figure),
                    "stands": recorded.index in reports,
                }


def _agrees_a_rule(event: Event) -> bool:
    if isinstance(event, CommercialTermsAgreed):
        return event.terms.minimum_referrals_per_quarter is not None
    return isinstance(event, DecisionRuleAgreed)
