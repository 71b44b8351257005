"""Alerts: what the agreed rules say of the figures, and what was missed (C10, C11, C17, C20, C24).

An alert is known by its rule and version, its partnership and its window, so a replay repeats
none. It is ``firing``, then ``resolved`` (things got better) or ``retracted`` (a late fact or a
correction showed that it should not have fired). Each change is said once, and names the events
that witness it.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal

from domain.agreement import CommercialTermsAgreed
from domain.calendar import bounds, following, midnight, preceding, quarter_of
from domain.deadlines import ESCALATE_AFTER, DeadlinePassed, Kind, PeriodClosed
from domain.deal import AttributionSettled, ReferralAttributed
from domain.execution import (
    ActionCompleted,
    ImprovementPlanCompleted,
    IssueEscalated,
    IssueResolved,
    MilestoneMissed,
    MilestoneReached,
    ReviewHeld,
    ReviewMissed,
)
from domain.formation import DecisionRuleAgreed
from domain.kernel import Event
from domain.metric_catalogue import CATALOGUE, Adds
from domain.priors import PriorAgreed
from domain.recorded import Recorded
from domain.renewal import ExitNoticeGiven, PartnershipExited, PartnershipRenewed
from domain.reported_figure import OTHER_CHANNELS
from domain.rules import DecisionRule
from domain.values import instant, plain
from projections import beliefs, figures, kpis
from projections.beliefs import Belief
from projections.fold import NOTHING, Change, Output, Projection, Row, Rows

STATE = "state"
"""The key of the row that rules are judged from; each alert has a row of its own besides."""

FIRING, RESOLVED, RETRACTED = "firing", "resolved", "retracted"

REFERRAL_MINIMUM = "referral-minimum"
MILESTONE_MISSED = "milestone-missed"
REVIEW_MISSED = "review-missed"
ISSUE_ESCALATED = "issue-escalated"
NOTICE_DUE = "notice-due"
TERM_ENDED = "term-ended"
ATTRIBUTION_CONTESTED = "attribution-contested"
REVIEW_DUE = "review-due"
CADENCE_MISSED = "cadence-missed"
ACTION_OVERDUE = "action-overdue"
IMPROVEMENT_DUE = "improvement-due"
LEADS = "leads"
"""The metric of the referral minimum, which needs no agreed rule (C10)."""

_ONE_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule as it is judged: when it binds from, and what it asks of a window's figures."""

    name: str
    version: int
    index: int | None
    """The event that agreed it; none where it is only tried."""
    binds_from: str
    metric: str
    below: bool
    threshold: str
    consecutive: int
    by_segment: bool
    quarterly: bool
    action: str
    minimum_sample: int | None
    credibility: str | None

    def binds_in(self, window: str) -> bool:
        """Whether a window began after the rule was agreed (C15)."""
        return bounds(window)[0].isoformat() >= self.binds_from

    def passed_by(self, figure: figures.Figure | None) -> bool:
        """Whether a figure is beyond the threshold; none is not, nor is one equal to it (C20)."""
        if figure is None or figure.value is None:
            return False
        threshold = Decimal(self.threshold)
        return figure.value < threshold if self.below else figure.value > threshold

    def has_sample(self, figure: figures.Figure | None) -> bool:
        """Whether a figure rests on as many trials as the rule asks for (C21)."""
        if self.minimum_sample is None:
            return True
        trials = figure.denominator if figure else None
        return trials is not None and trials >= self.minimum_sample

    def likelihood(self, known: Belief | None) -> Decimal | None:
        """Give how likely the rate itself is beyond the threshold, from 0 to 1 (C21)."""
        if known is None:
            return None
        below = known.posterior.probability_below(Decimal(self.threshold) / 100)
        return below if self.below else 1 - below


@dataclass(frozen=True, slots=True)
class Look:
    """What a rule sees in one window: the figure, and what that says of its rate (C20, C21)."""

    rule: Rule
    figure: figures.Figure | None
    known: Belief | None
    """What is believed of the rate, where the rule asks for a credibility."""

    @property
    def value(self) -> Decimal | None:
        """Give the figure's value, if anybody knows one."""
        return self.figure.value if self.figure else None

    @property
    def shown(self) -> str:
        """Give the figure's value as text."""
        return "none" if self.value is None else plain(self.value)

    @property
    def probability(self) -> Decimal | None:
        """Give how likely the rate is beyond the threshold, where the rule asks for it."""
        return self.rule.likelihood(self.known)

    @property
    def suffices(self) -> bool:
        """Whether the evidence is what the rule asks for."""
        if not self.rule.has_sample(self.figure):
            return False
        if self.rule.credibility is None:
            return True
        likely = self.probability
        return likely is not None and likely * 100 >= Decimal(self.rule.credibility)

    @property
    def breaks(self) -> bool:
        """Whether the figure is beyond the threshold, on evidence that suffices."""
        return self.rule.passed_by(self.figure) and self.suffices

    @property
    def keeps(self) -> bool:
        """Whether the figure is not beyond the threshold, on a sample that suffices."""
        passed = self.value is None or self.rule.passed_by(self.figure)
        return not passed and self.rule.has_sample(self.figure)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a rule says of a window: a breach, soundness, or, where figures are missing, neither."""

    rule: str
    version: int
    window: str
    breached: bool
    sound: bool
    text: str
    facts: Row
    witnesses: list[int]


def alert_id(rule: str, version: int, partnership: str, window: str) -> str:
    """Give an alert's identity: rule and version, partnership, window."""
    return f"{rule}@{version}/{partnership}/{window}"


# --- fold --------------------------------------------------------------------------------------


def keys(_: Recorded) -> tuple[str, ...]:
    """Give the rows that an event touches."""
    return (STATE,)


def apply(rows: Rows, recorded: Recorded) -> Change:
    """Take an event in: judge the windows it touches, fire or end the alerts it is about."""
    state = rows.get(STATE, {})
    measured = type(recorded.event) in kpis.MEASURED
    rests = measured and _rests_on(recorded, state)
    if measured and not rests and not _is_contested(recorded.event):
        return NOTHING
    judging = _Judging(state, recorded)
    if rests:
        judging.count()
    _take(judging, recorded)
    if judging.state is state:
        return NOTHING
    return Change({STATE: judging.state, **judging.alerts}, judging.outputs)


def _is_contested(event: Event) -> bool:
    return isinstance(event, ReferralAttributed) and event.undecided


def _rests_on(recorded: Recorded, state: Row) -> bool:
    """Whether some rule rests on what an event measures; other figures are not kept here."""
    needed = state.get("needed", ())
    return any(metric == LEADS or metric in needed for metric in kpis.measures(recorded))


def _take(judging: "_Judging", recorded: Recorded) -> None:
    event = recorded.event
    match event:
        case PeriodClosed(period=period):
            judging.close(period)
        case DeadlinePassed():
            _let_pass(judging, event)
        case CommercialTermsAgreed():
            judging.state = _agree(judging.state, recorded)
            judging.end_all("New terms were agreed.", NOTICE_DUE, TERM_ENDED)
        case PriorAgreed():
            judging.state = _agree(judging.state, recorded)
        case DecisionRuleAgreed():
            judging.state = _agree_rule(judging.state, event, recorded)
        case PartnershipRenewed():
            judging.end_all("The partnership was renewed.", NOTICE_DUE, TERM_ENDED)
        case ExitNoticeGiven():
            judging.end_all("Notice was given.", NOTICE_DUE, TERM_ENDED)
        case PartnershipExited():
            judging.end_all("The partnership has ended.")
        case _:
            _watch(judging, event)


def _let_pass(judging: "_Judging", passed: DeadlinePassed) -> None:
    """Say what it means that a deadline went by."""
    ref = passed.ref
    match passed.kind:
        case Kind.NOTICE_WARNING:
            judging.fire(NOTICE_DUE, ref, f"The last day to give notice is {ref}.", last_day=ref)
        case Kind.NOTICE:
            judging.end(NOTICE_DUE, ref, RESOLVED, f"The last day for notice, {ref}, went by.")
        case Kind.TERM_END:
            judging.fire(TERM_ENDED, ref, f"The term ended on {ref} without renewal or notice.")
        case Kind.REMINDER:
            judging.fire(REVIEW_DUE, ref, f"Review {ref} is within 48 hours.")
        case Kind.CADENCE:
            text = f"No {ref} review was held in the time that both agreed."
            judging.fire(CADENCE_MISSED, ref, text)
        case Kind.ACTION:
            judging.fire(ACTION_OVERDUE, ref, f"Action {ref} was not done by its day.")
        case Kind.IMPROVEMENT:
            judging.fire(IMPROVEMENT_DUE, ref, f"The time of improvement plan {ref} is over.")
        case _:
            return


def _watch(judging: "_Judging", event: Event) -> None:
    """Fire and end alerts about one thing: a milestone, a review, an issue, an action, a lead."""
    match event:
        case MilestoneMissed(milestone=ref, due=due):
            judging.fire(MILESTONE_MISSED, ref, f"Milestone {ref} was due on {due}.", due=str(due))
        case MilestoneReached(milestone=ref):
            judging.done(MILESTONE_MISSED, ref, f"Milestone {ref} was reached.")
        case ReviewMissed(review=ref, at=at):
            text = f"Review {ref} of {at:%Y-%m-%d} was not held."
            judging.fire(REVIEW_MISSED, ref, text, due=f"{at:%Y-%m-%d}")
            judging.end(REVIEW_DUE, ref, RESOLVED, text)
        case ReviewHeld(review=ref, kind=kind):
            text = f"Review {ref} was held."
            judging.done(REVIEW_MISSED, ref, text)
            judging.end(REVIEW_DUE, ref, RESOLVED, text)
            judging.end(CADENCE_MISSED, _meeting(kind), RESOLVED, text)
        case IssueEscalated(issue=ref, raised_at=raised):
            text = f"Issue {ref} is open for 48 hours and goes to the executive sponsors."
            judging.fire(ISSUE_ESCALATED, ref, text, until=(raised + ESCALATE_AFTER).isoformat())
        case IssueResolved(issue=ref):
            judging.done(ISSUE_ESCALATED, ref, f"Issue {ref} was resolved.")
        case ActionCompleted(action=ref):
            judging.end(ACTION_OVERDUE, ref, RESOLVED, f"Action {ref} was done.")
        case ImprovementPlanCompleted(plan=ref, outcome=outcome):
            judging.end(IMPROVEMENT_DUE, ref, RESOLVED, f"Plan {ref}: {outcome}")
        case ReferralAttributed(deal=ref, undecided=True):
            parties = " and ".join([*event.contests, event.to])
            text = f"{parties} claim {ref}, and no policy in force tells between them."
            judging.fire(ATTRIBUTION_CONTESTED, ref, text)
        case AttributionSettled(deal=ref):
            judging.done(ATTRIBUTION_CONTESTED, ref, f"Both settled who is credited with {ref}.")
        case _:
            return


def _meeting(kind: str) -> str:
    """Give the kind of review whose cadence a review counts for (C13)."""
    return "strategic" if kind == "quarterly-business-review" else kind


def _agree(state: Row, recorded: Recorded) -> Row:
    return {**state, "agreed": kpis.agreed_with(state.get("agreed", {}), recorded)}


def _agree_rule(state: Row, event: DecisionRuleAgreed, recorded: Recorded) -> Row:
    # Not from when its authors say that they agreed: a rule never reaches backwards (C15).
    since = recorded.act.recorded_at
    return with_rule(state, event.rule, event.rule_version, recorded.index, since)


def with_rule(
    state: Row, rule: DecisionRule, version: int, index: int | None, since: datetime
) -> Row:
    """Give the state with a rule that binds `since` a moment; `index` is of what agreed it."""
    agreed = {
        "name": rule.rule,
        "version": version,
        "index": index,
        "binds_from": since.isoformat(),
        "metric": rule.metric,
        "below": rule.comparison == "below",
        "threshold": plain(rule.threshold),
        "consecutive": rule.consecutive,
        "by_segment": rule.each_campaign,
        "quarterly": rule.window == "quarter",
        "action": rule.action.value,
        "minimum_sample": rule.minimum_sample,
        "credibility": None if rule.credibility is None else plain(rule.credibility),
    }
    metric = CATALOGUE[rule.metric]
    needed = {*state.get("needed", ()), metric.name}
    if metric.counted and metric.adds is Adds.RATIO:
        needed |= {metric.numerator, metric.denominator}
    return {
        **state,
        "rules": {**state.get("rules", {}), f"{rule.rule}@{version}": agreed},
        "needed": sorted(needed),
    }


def looked_at(state: Row, rule: Rule, window: str, segment: str) -> Look:
    """Give what a rule sees in a window."""
    found = figures.figure(state.get("periods", {}), rule.metric, window, segment)
    known = None
    # What is believed takes long to find, and a figure within the threshold breaks nothing.
    if rule.credibility is not None and found and rule.passed_by(found):
        agreed, metric = state.get("agreed", {}), CATALOGUE[rule.metric]
        known = beliefs.belief(metric, window, found.numerator, found.denominator, agreed)
    return Look(rule, found, known)


def segments_of(state: Row, rule: Rule, window: str) -> list[str]:
    """Give the segments of a window that a rule looks at by themselves; or the whole."""
    if not rule.by_segment:
        return [""]
    found = figures.segments(state.get("periods", {}), rule.metric, window)
    return [each for each in found if each != OTHER_CHANNELS]


class _Judging:
    """One event's judgement: the state as it becomes, the alerts it changes, what is said."""

    def __init__(self, state: Row, recorded: Recorded) -> None:
        self.state = state
        self.recorded = recorded
        self.alerts: dict[str, Row] = {}
        self.outputs: list[Output] = []

    # The figures that rules rest on.

    def count(self) -> None:
        """Take a measured fact into its period; if that has closed, judge it afresh."""
        (period,) = kpis.keys(self.recorded)
        periods = self.state.get("periods", {})
        row = kpis.period_with(periods.get(period, {}), self.recorded)
        self.state = {**self.state, "periods": {**periods, period: row}}
        for window in dict.fromkeys((period, quarter_of(period)) if "-" in period else ()):
            self._judge_from(window)

    def close(self, window: str) -> None:
        """Close a period, and judge the rules that look at periods of its length."""
        self.state = {**self.state, "closed": {**self.state.get("closed", {}), window: self._index}}
        self._judge(window)

    def _judge_from(self, window: str) -> None:
        # What changes one window changes those after it that look back on it; and where anything
        # is said of an old window, those after it say whether it is better since.
        closed = self.state.get("closed", {})
        if window not in closed:
            return
        reach = max((rule.consecutive for rule in self._rules(window)), default=1)
        while window in closed and (reach > 0 or self.outputs):
            self._judge(window)
            window, reach = following(window), reach - 1

    def _judge(self, window: str) -> None:
        self._judge_minimum(window)
        for rule in self._rules(window):
            for segment in segments_of(self.state, rule, window):
                self._judge_rule(rule, window, segment)

    def _judge_minimum(self, window: str) -> None:
        """Fewer referrals than the minimum in force when the quarter began (C10)."""
        minimum = kpis.minimum_for(window, self.state.get("agreed", {})) if "Q" in window else None
        if minimum is None:
            return
        known = figures.figure(self.state.get("periods", {}), LEADS, window)
        leads = known.value if known and known.value is not None else Decimal(0)
        asked = Decimal(minimum["minimum"])
        self._settle(
            Verdict(
                REFERRAL_MINIMUM,
                minimum["version"],
                window,
                breached=leads < asked,
                sound=leads >= asked,
                text=f"{plain(leads)} of {plain(asked)} referrals in {window}.",
                facts={
                    "value": plain(leads),
                    "threshold": plain(asked),
                    "shortfall": plain(max(Decimal(0), asked - leads)),
                },
                witnesses=[minimum["index"], self.state["closed"][window]],
            )
        )

    def _rules(self, window: str) -> list[Rule]:
        """Give the rules on windows of this length, in the versions in force when it began."""
        in_force: dict[str, Rule] = {}
        for each in self.state.get("rules", {}).values():
            if each["quarterly"] is not ("Q" in window):
                continue
            rule = Rule(**each)
            latest = in_force.get(rule.name, rule)
            if rule.binds_in(window) and rule.version >= latest.version:
                in_force[rule.name] = rule
        return list(in_force.values())

    def _judge_rule(self, rule: Rule, window: str, segment: str) -> None:
        windows = [window]
        while len(windows) < rule.consecutive:
            windows.append(preceding(windows[-1]))
        closed = self.state["closed"]
        looks = [looked_at(self.state, rule, each, segment) for each in reversed(windows)]
        breached = all(rule.binds_in(each) and each in closed for each in windows) and all(
            each.breaks for each in looks
        )
        self._settle(
            Verdict(
                rule.name,
                rule.version,
                f"{window}/{segment}" if segment else window,
                breached=breached,
                sound=looks[-1].keeps,
                text=_text(rule, looks),
                facts=_facts(rule, looks),
                witnesses=[
                    *_agreed_by(rule, looks),
                    *(closed[each] for each in reversed(windows) if each in closed),
                ],
            )
        )

    def _settle(self, verdict: Verdict) -> None:
        alert = alert_id(verdict.rule, verdict.version, self.recorded.partnership, verdict.window)
        status = self._statuses.get(alert)
        more: Row = {"facts": verdict.facts, "witnesses": verdict.witnesses}
        if verdict.breached and status in (None, RETRACTED):
            self._say(alert, FIRING, verdict.text, more)
        elif not verdict.breached and status in (FIRING, RESOLVED):
            self._say(alert, RETRACTED, f"No breach after all: {verdict.text}", more)
        # That nobody knows a figure is no sign that things got better.
        if verdict.sound:
            self._better_since(verdict.rule, verdict.window)

    def _better_since(self, rule: str, window: str) -> None:
        period, _, segment = window.partition("/")
        for alert, status in list(self._statuses.items()):
            name, _, earlier = _parts_of(alert)
            began, _, part = earlier.partition("/")
            if (
                status == FIRING
                and name == rule
                and part == segment
                and bounds(began) < bounds(period)
            ):
                self._say(alert, RESOLVED, f"{period} is no longer in breach.", {})

    # What was missed.

    def fire(self, rule: str, window: str, text: str, **facts: str) -> None:
        """Fire an alert about one thing, unless it is firing."""
        alert = alert_id(rule, 1, self.recorded.partnership, window)
        if self._statuses.get(alert) != FIRING:
            self._say(alert, FIRING, text, {"facts": facts})

    def done(self, rule: str, window: str, text: str) -> None:
        """End an alert about what was done after all: retracted if in time, else resolved."""
        alert = alert_id(rule, 1, self.recorded.partnership, window)
        facts = self.state.get("open", {}).get(alert, {}).get("facts", {})
        at = self.recorded.act.occurred_at
        in_time = ("until" in facts and at.isoformat() < facts["until"]) or (
            "due" in facts and at < midnight(date.fromisoformat(facts["due"])) + _ONE_DAY
        )
        if in_time:
            text = f"{text} It was in time; word of it came late."
        self.end(rule, window, RETRACTED if in_time else RESOLVED, text)

    def end(self, rule: str, window: str, status: str, text: str) -> None:
        """End an alert that is firing."""
        alert = alert_id(rule, 1, self.recorded.partnership, window)
        if self._statuses.get(alert) == FIRING:
            self._say(alert, status, text, {})

    def end_all(self, text: str, *rules: str) -> None:
        """Resolve every firing alert of these rules, or of every rule if none is named."""
        for alert, status in list(self._statuses.items()):
            name, _, _ = _parts_of(alert)
            if status == FIRING and (not rules or name in rules):
                self._say(alert, RESOLVED, text, {})

    # Saying it.

    @property
    def _index(self) -> int:
        return self.recorded.index

    @property
    def _statuses(self) -> dict[str, str]:
        statuses: dict[str, str] = self.state.get("alerts", {})
        return statuses

    def _say(self, alert: str, status: str, text: str, more: Row) -> None:
        recorded = self.recorded
        rule, version, window = _parts_of(alert)
        was_open, was_resolved = (self.state.get(part, {}) for part in ("open", "resolved"))
        # What things getting better ended may be retracted yet, and still tells since when it was.
        before = was_open.get(alert) or was_resolved.get(alert, {})
        moment = instant(recorded.act.occurred_at)
        said = (
            {"text": text, "since": moment}
            if status == FIRING
            else {"ended": text, "until": moment}
        )
        body: Row = {
            **before,
            "id": alert,
            "rule": rule,
            "version": version,
            "partnership": recorded.partnership,
            "window": window,
            **more,
            **said,
            "state": status,
            "recorded_at": instant(recorded.act.recorded_at),
            "cause": recorded.index,
            "witnesses": _witnesses(before, more, recorded),
        }
        still_open, resolved = (
            {key: each for key, each in kept.items() if key != alert}
            for kept in (was_open, was_resolved)
        )
        self.state = {
            **self.state,
            "alerts": {**self._statuses, alert: status},
            "open": still_open | ({alert: body} if status == FIRING else {}),
            "resolved": resolved | ({alert: body} if status == RESOLVED else {}),
        }
        self.alerts[alert] = body
        self.outputs.append(Output(f"{alert}/{status}/{recorded.index}", "alert", body))


def _text(rule: Rule, looks: list[Look]) -> str:
    shown = ", ".join(each.shown for each in looks)
    limit = "not below" if rule.below else "not above"
    unit = CATALOGUE[rule.metric].unit
    lacking = any(rule.passed_by(each.figure) and not each.suffices for each in looks)
    return (
        f"{rule.metric} {shown} ({unit}); agreed: {limit} {rule.threshold}"
        + (f" with {rule.credibility} % credibility" if rule.credibility is not None else "")
        + (f" of {rule.minimum_sample} or more" if rule.minimum_sample is not None else "")
        + ("; insufficient evidence." if lacking else ".")
    )


def _facts(rule: Rule, looks: list[Look]) -> Row:
    facts: Row = {
        "values": [each.shown for each in looks],
        "threshold": rule.threshold,
        "action": rule.action,
    }
    if rule.minimum_sample is not None:
        trials = [each.figure.denominator if each.figure else None for each in looks]
        facts["minimum_sample"] = str(rule.minimum_sample)
        facts["samples"] = ["none" if each is None else plain(each) for each in trials]
    if rule.credibility is not None:
        facts["credibility"] = rule.credibility
        likely = [each.probability for each in looks]
        facts["probabilities"] = [
            "none" if each is None else beliefs.probability(each) for each in likely
        ]
    return facts


def _agreed_by(rule: Rule, looks: list[Look]) -> list[int]:
    """Give the events that agreed what was judged by: the rule, and the priors it used."""
    priors = [each.known.prior for each in looks if each.known]
    agreed = [rule.index, *(each.get("index") for each in priors)]
    return [index for index in agreed if index is not None]


def _parts_of(alert: str) -> tuple[str, int, str]:
    name, _, window = alert.split("/", 2)
    rule, version = name.split("@")
    return rule, int(version), window


def _witnesses(before: Row, more: Row, recorded: Recorded) -> list[int]:
    known = {*before.get("witnesses", ()), *more.get("witnesses", ())}
    return sorted(known | {recorded.index})


ALERTS = Projection(
    "alerts",
    keys,
    apply,
    frozenset(
        {
            *kpis.MEASURED,
            PeriodClosed,
            CommercialTermsAgreed,
            DecisionRuleAgreed,
            PriorAgreed,
            MilestoneMissed,
            MilestoneReached,
            ReviewMissed,
            ReviewHeld,
            IssueEscalated,
            IssueResolved,
            DeadlinePassed,
            PartnershipRenewed,
            ExitNoticeGiven,
            PartnershipExited,
            AttributionSettled,
            ActionCompleted,
            ImprovementPlanCompleted,
        }
    ),
)
