"""Alerts: what rules say of the figures, and what was missed (C10, C11, C17, C20, C24).

An alert is identified by its rule and version, its partnership and its window, so a replay
repeats none. It is open, then resolved (things got better) or withdrawn (a late fact or a
correction showed that it should not have opened). Each change is emitted once, and names the
events that are its evidence. It says how severe it is, who acts and what money hangs on it. The
alerts that need no agreed rule: `domain.standing_alerts`.
"""

from collections import ChainMap
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from functools import partial
from typing import Annotated, Any, Final, NamedTuple
from zoneinfo import ZoneInfo

from pydantic import Field

from domain import figures_due
from domain.agreement import CommercialTermsAgreed
from domain.arithmetic import exact
from domain.bilateral import (
    BilateralAgreement,
    BilateralCountered,
    BilateralProposed,
    ProposalEnded,
)
from domain.calendar import bounds, following, month_of, months_of, quarter_of
from domain.charter import ObjectiveStatus
from domain.claims import ClaimObjected
from domain.deadlines.answers import answer_ref, outlives, proposal_of
from domain.deadlines.deadline import (
    ALL,
    DAY,
    DeadlineKind,
    DeadlinePassed,
    PeriodClosed,
    ReminderGiven,
    other_of,
)
from domain.deadlines.figures import figure_words
from domain.deadlines.reviews import cadence_words, changed_cadences, done_at
from domain.deadlines.table import RULES
from domain.declarations import Changeable
from domain.described import described
from domain.dispute import DisputeResolved
from domain.execution import CampaignAgreed, CampaignClosed, InvestmentReduced
from domain.exit import ENDINGS
from domain.figures_due import FiguresDue
from domain.formation import CharterAgreed, DecisionRuleAgreed
from domain.health import (
    ComplianceAudited,
    ContributionRecorded,
    HealthCheckRecorded,
    TargetAdjusted,
)
from domain.kernel import Event
from domain.merge import DealsMerged
from domain.metric_catalogue import metric_words
from domain.offices import NAMING, Assignee, People, people_after
from domain.own_metric import MetricAgreed
from domain.payouts import Payout
from domain.recorded import Recorded
from domain.reported_figure import MetricCorrected, MetricReported
from domain.response import Office, Severity
from domain.sharing import DataSharingAgreed
from domain.standing_alerts import (
    ATTRIBUTION_CONTESTED,
    AUDIT_FAILED,
    BREACH_NOTICE,
    BY_RULE,
    CADENCE_MISSED,
    CAN_END_ALERTS,
    COMMITMENT_LOWERED,
    COMPUTED,
    DISPUTE_OPENED,
    DUE_SOON,
    FIGURE_OVERDUE,
    FIGURES_DIFFER,
    HEALTH_DIVERGES,
    HEALTH_LOW,
    INVESTMENT_REDUCED,
    LEAD_AWAITS,
    LEAD_REJECTED,
    LEAD_UNANSWERED,
    OBJECTIVE_MISSED,
    REFERRAL_MINIMUM,
    STANDING_ALERTS,
    STATEMENT_OVERDUE,
    WHILE_UNPAID,
    AlertKind,
    On,
    StandingAlert,
    campaign_closed,
    ends_if_agreed,
    kind_of,
    office_of,
    response_of,
)
from domain.values import Exact, full_stop
from projections import audits, awaited, breaches, commitments, scorecards
from projections.audits import Audits, with_audit
from projections.awaited import NOTHING_AGREED, Taken
from projections.breaches import (
    Brought,
    DisputedFigure,
    FactChange,
    Judged,
    RuleFacts,
    Shortfall,
    Verdict,
)
from projections.commitments import Commitments
from projections.counted import FACTS
from projections.figures import LEADS
from projections.fold import NOTHING, STRICT, Change, Output, Projection, Rows
from projections.kpis import (
    GIVEN,
    GivenRow,
    given_change,
    given_key,
    reported_in,
)
from projections.ledger.book import terms_of
from projections.ledger.claims import Point
from projections.ledger.periods import end_of, fee_of, first_day, is_judged, minimums
from projections.ledger.rows import (
    AgreedRow,
    CountsRow,
    Debt,
)
from projections.ledger.rows import row_type as row_of_facts
from projections.ledger.tracks import rounded_ratio
from projections.objectives import ObjectiveProgress
from projections.scorecards import Scorecards, with_scorecard
from projections.timeline import words

STATE: Final = "state"
"""The key of the row from which rules are judged. Each alert also has its own row; deals, entries
and what was agreed have rows of facts (`projections.awaited`)."""


class AlertState(StrEnum):
    """The states of an alert."""

    OPEN = "open"
    RESOLVED = "resolved"
    """Things got better."""
    WITHDRAWN = "withdrawn"
    """A late fact or a correction showed that it should not have opened."""


class AlertEnd(StrEnum):
    """What ended an alert, as a code beside its words."""

    DONE = "done"
    """What it asked for was done, or is asked for no longer."""
    LATER_PERIOD = "later-period"
    """A later period is no longer in breach."""
    AGREED_ANEW = "agreed-anew"
    """Both parties agreed something else."""
    PARTNERSHIP_ENDED = "partnership-ended"
    """The partnership ended."""
    FIGURES_CHANGED = "figures-changed"
    """A late or corrected figure showed that there was no breach."""
    DONE_IN_TIME = "done-in-time"
    """What it asked for was done in time, and reported late."""
    RECORD_CORRECTED = "record-corrected"
    """The record that it rested on was corrected."""
    OTHER_TERMS = "other-terms"
    """The terms that it rested on do not apply to its period."""


_WITHDRAWS: Final = {
    AlertEnd.FIGURES_CHANGED,
    AlertEnd.DONE_IN_TIME,
    AlertEnd.RECORD_CORRECTED,
    AlertEnd.OTHER_TERMS,
}
"""What shows that an alert should not have opened."""


@described
@dataclass(frozen=True, slots=True)
class Occurrence:
    """A time at which an alert was open, and what resolved it."""

    __pydantic_config__ = STRICT
    text: str
    """What it said, in words."""
    since: datetime
    """When it opened."""
    until: datetime
    """When it was resolved."""
    ended: str
    """What resolved it, in words."""
    ended_code: AlertEnd
    """What resolved it, as a code."""


@described
@dataclass(frozen=True, slots=True)
class Alert:
    """One alert as it is now; each change of it is emitted in the same form."""

    __pydantic_config__ = STRICT
    id: str
    """Rule and version, partnership, window."""
    rule: str
    """The name of the alert's rule."""
    version: int
    """The version of the rule."""
    kind: AlertKind
    """Whether an agreement was broken, or a task is only due."""
    severity: Severity
    """How severe it is."""
    partnership: str
    """The partnership."""
    window: str
    """Its subject: a period with or without a segment, a milestone, a review, or a day."""
    state: AlertState
    """Whether the alert is open, resolved or withdrawn."""
    text: str
    """What it says, in words."""
    who_acts: tuple[Assignee, ...]
    """Each party that acts, with the person in office on the day of its last change. An answer
    names for an open alert the person in office on the day that is asked about."""
    at_stake: Mapping[str, Exact]
    """The money that hangs on it, by currency. Empty if no money does, or if other facts decide
    how much."""
    since: datetime
    """When it opened: when what it says became so."""
    recorded_at: datetime
    """When its last change was recorded."""
    cause: int
    """The index of the event that changed it last."""
    evidence: tuple[int, ...]
    """The indexes of the events that show it."""
    facts: Annotated[RuleFacts | Shortfall | None, Field(union_mode="left_to_right")] = None
    """The figures that it is about, if any; as they are after what withdrew it."""
    facts_before: Annotated[RuleFacts | Shortfall | None, Field(union_mode="left_to_right")] = None
    """The figures before a late fact or a correction withdrew it; null otherwise."""
    ended: str | None = None
    """What resolved or withdrew it, in words."""
    ended_code: AlertEnd | None = None
    """What resolved or withdrew it, as a code."""
    until: datetime | None = None
    """When it was resolved, or when what withdrew it was recorded; never before `since`. The second
    can be later than the moment that an answer is about."""
    better_in: str | None = None
    """The period that was in breach no longer, for an alert on figures that was resolved."""
    answer_by: date | None = None
    """The last day for an answer, where silence decides after it."""
    earlier: Occurrence | None = None
    """The last time before at which it was open, if it opened again: what was missed and then moved
    was missed."""


class Asked(NamedTuple):
    """A proposal that awaits an answer."""

    ends: tuple[tuple[str, str], ...]
    """The alerts that its acceptance ends (`ends_if_agreed`)."""
    answers: str
    """The party that answers it."""

    def concerns(self, rule: str, window: str) -> bool:
        """Return whether its acceptance ends an alert of a rule about something."""
        return any(
            rule == of and (window == ref or (ALL in ref and _is_named(window, ref)))
            for of, ref in self.ends
        )


@dataclass(frozen=True, slots=True)
class AlertsState:
    """The row that rules are judged from, with the alerts that can still change."""

    judged: Judged = field(default_factory=lambda: Judged(needed=(LEADS,)))
    open: Mapping[str, Alert] = field(default_factory=dict)
    """Open alerts by id, in the order in which they opened."""
    people: People = field(default_factory=People)
    """The parties and their people."""
    scorecards: Scorecards = field(default_factory=dict)
    """The newest scorecard of each party."""
    committed: Commitments = field(default_factory=dict)
    """What each party commits alone."""
    audits: Audits = field(default_factory=dict)
    """The newest audits of each subject."""
    figures: FiguresDue = field(default_factory=FiguresDue)
    """The figures that are due."""
    over: tuple[str, ...] = ()
    """The objectives of the charter whose deadline has passed."""
    resolved: Mapping[str, Alert] = field(default_factory=dict)
    """Resolved alerts on figures: a correction can still withdraw them."""
    watched: Mapping[str, str] = field(default_factory=dict)
    """The keys of subjects of which something can await a party, each with the next day on which
    silence confirms some of it; empty if there is none."""
    ended: bool = False
    """Whether the partnership has ended: nothing is judged any more, and what the end resolved
    stays resolved."""
    offices: Mapping[str, Office] = field(default_factory=dict)
    """The offices that act on open alerts, by id, where they are others than those of the rules."""
    at_end: tuple[str, ...] = ()
    """The alerts on what awaited a party when the partnership ended."""
    asked: Mapping[str, Asked] = field(default_factory=dict)
    """The open proposals whose acceptance ends alerts."""
    handed: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """The open alerts that await the answer to a proposal, by id, each with the parties that act
    without it."""
    unpaid: Mapping[str, tuple[str, Exact]] = field(default_factory=dict)
    """The statements on which something is open: its currency and its amount."""
    terms: Mapping[str, int] = field(default_factory=dict)
    """The versions of the terms, each with the index of its event."""
    closed_campaigns: Mapping[str, str] = field(default_factory=dict)
    """The campaigns that were closed, each with the sentence that says so."""


START: Final = AlertsState()


def alert_id(rule: str, version: int, partnership: str, window: str) -> str:
    """Return an alert's identity: rule and version, partnership, window."""
    return f"{rule}@{version}/{partnership}/{window}"


class Finding(NamedTuple):
    """What an alert on one subject says."""

    ref: str
    text: str
    acting: tuple[str, ...]
    """The parties that act."""
    at_stake: Mapping[str, Decimal] = {}
    """The money that hangs on it, by currency."""
    to: Office | None = None
    """The office that acts; None for that of the rule."""
    answer_by: date | None = None
    """The last day for an answer, where silence decides after it."""
    since: datetime | None = None
    """When it became so; None for the time of the event that shows it."""


def opened(
    rule: str, kind: AlertKind, severity: Severity, recorded: Recorded, found: Finding
) -> Alert:
    """Return an alert that an event opens, under a rule that nobody agreed.

    It names the parties that act, and no people.
    """
    act = recorded.act
    return Alert(
        id=alert_id(rule, 1, recorded.partnership, found.ref),
        rule=rule,
        version=1,
        kind=kind,
        severity=severity,
        partnership=recorded.partnership,
        window=found.ref,
        state=AlertState.OPEN,
        text=found.text,
        who_acts=assigned(found.acting),
        at_stake=found.at_stake,
        since=found.since or act.occurred_at,
        recorded_at=act.recorded_at,
        cause=recorded.index,
        evidence=(recorded.index,),
        answer_by=found.answer_by,
    )


def assigned(parties: Iterable[str], office: Office = Office.MANAGER) -> tuple[Assignee, ...]:
    """Return an office of some parties, without the people who hold it."""
    return tuple(Assignee(party=each, office=office) for each in parties)


def in_office(alert: Alert, people: People, day: date, to: Office | None) -> Alert:
    """Return an alert with the people who act on it on a day, in an office or that of its rule."""
    office, about = office_of(alert.rule, alert.window)
    office = to or office
    if office is Office.METRIC_OWNER:
        metric, market, *_ = about.split("/")
        who = people.owner(metric, market, (each.party for each in alert.who_acts))
        if who:
            return alert if who == alert.who_acts else replace(alert, who_acts=who)
    who = tuple(people.in_office(each.party, office, day) for each in alert.who_acts)
    return alert if who == alert.who_acts else replace(alert, who_acts=who)


# --- fold --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Turn:
    """An entry of the table that an event matches: it opens or closes an alert of this rule."""

    standing: StandingAlert
    on: On
    opens: bool


def _by_event() -> dict[type[Event], tuple[_Turn, ...]]:
    found: dict[type[Event], tuple[_Turn, ...]] = {}
    for standing in STANDING_ALERTS:
        for opens, entries in ((True, standing.opened_by), (False, standing.closed_by)):
            for on in entries:
                found[on.event] = (*found.get(on.event, ()), _Turn(standing, on, opens))
    return found


_TURNS: Final = _by_event()


def answered(rows: Rows, alert: Alert, moment: datetime) -> Alert:
    """Return an alert as an answer gives it: an open one names the people in office at a moment.

    `rows` are those of the fold.
    """
    state: AlertsState = rows.get(STATE, START)
    if alert.state is not AlertState.OPEN:
        return alert
    return in_office(alert, state.people, _day(state, moment), state.offices.get(alert.id))


def acts(alert: Alert) -> str:
    """Return who acts on an alert, as a sentence."""
    return f"Acts: {', '.join(each.words for each in alert.who_acts)}."


def for_viewer(alerts: Iterable[Alert], shown: Iterable[Alert]) -> list[Alert]:
    """Return the alerts of a partnership as a viewer has them.

    `shown` are those that follow from the events that the viewer sees. A missed objective is among
    the alerts only if the figures show it that the viewer sees (C14).
    """
    own = [each for each in shown if each.rule == OBJECTIVE_MISSED]
    return [*(each for each in alerts if each.rule != OBJECTIVE_MISSED), *own]


def day_of(rows: Rows, moment: datetime) -> date:
    """Return the day of a moment by which an answer names the people in office."""
    return _day(rows.get(STATE, START), moment)


def _day(state: AlertsState, moment: datetime) -> date:
    """Return the day of a moment in the time zone of the agreement."""
    return moment.astimezone(ZoneInfo(state.judged.agreed.zone)).date()


def keys(recorded: Recorded) -> tuple[str, ...]:
    """Return the rows that an event touches."""
    subject = _subject_of(recorded)
    done = (
        alert_id(turn.standing.rule, 1, recorded.partnership, ref)
        for turn, ref in _turns(recorded)
        if turn.standing.once or turn.standing.recurs
    )
    return (STATE, awaited.AGREED, *(() if subject is None else (subject,)), *done)


def _subject_of(recorded: Recorded) -> str | None:
    """Return the key of the row of what an event is about; None for another event."""
    event = recorded.event
    if isinstance(event, ContributionRecorded):
        return given_key(event, recorded.act.party)
    return awaited.key_of(event)


def _turns(recorded: Recorded) -> list[tuple[_Turn, str]]:
    """Return the entries of the table that an event matches, each with what it is about."""
    event, party = recorded.event, recorded.act.party
    possible = _TURNS.get(type(event), ())
    return [(turn, ref) for turn in possible if (ref := turn.on.of(event, party)) is not None]


@exact
def apply(rows: Rows, recorded: Recorded) -> Change:
    """Judge the windows that an event touches, and open or close the alerts it is about."""
    state: AlertsState = rows.get(STATE, START)
    known = awaited.take(rows, recorded, state.watched)
    if known.rows is None:
        return NOTHING
    given = given_change(rows, recorded)
    changed, outputs = _apply(rows, state, recorded, known, given or known.change)
    kept = {given.key: given.after} if given else {}
    return Change({**known.rows, **kept, **changed}, outputs)


def _apply(
    rows: Rows, state: AlertsState, recorded: Recorded, known: Taken, change: FactChange
) -> Change:
    event = recorded.event
    judged, windows = breaches.take(state.judged, recorded, change)
    quarters = _quarters(rows, known, judged, windows)
    turns = _turns(recorded)
    ends = isinstance(event, ENDINGS)
    after = _taken(state, judged, recorded, known)
    rated, audited = isinstance(event, HealthCheckRecorded), isinstance(event, ComplianceAudited)
    measured = after.over != state.over or (bool(after.over) and judged is not state.judged)
    handed, settled = after.asked != state.asked, after.unpaid != state.unpaid
    missing = {each.ref for each in after.figures.missing}
    given = [each.ref for each in state.figures.missing if each.ref not in missing and not ends]
    cadences = [*_changed_cadences(rows, known, event)]
    reported = _reported_periods(after, event) if judged is not state.judged else ()
    quiet = not (given or known.paid or windows or turns or ends or known.points or cadences)
    lowered = after.committed != state.committed
    quiet = quiet and not (
        quarters or lowered or rated or audited or measured or reported or handed or settled
    )
    if quiet:
        return NOTHING if after is state else Change({STATE: after}, [])
    now = ChainMap({**(known.rows or {})}, rows)  # type: ignore[arg-type] # read only
    changes = _Changes(now, state, after, recorded, _agreed(rows, known))
    for subject, points in known.points.items():
        alone = tuple(each for each in points if each.rule != LEAD_UNANSWERED)
        changes.settle_points(subject.removeprefix(FACTS), alone)
    changes.settle_leads(known.leads)
    for quarter in quarters:
        changes.judge_minimum(quarter)
    for window in windows:
        changes.judge_from(window)
    for turn, ref in turns:
        if turn.opens and not changes.is_too_late(turn.standing):
            changes.open_standing(turn.standing, changes.finding(turn.on, ref))
        elif not turn.opens:
            changes.close_standing(turn.standing, ref, turn.on.text(event))
    if isinstance(event, InvestmentReduced) and event.campaign in after.closed_campaigns:
        # It arrived after its campaign was closed, which ends what it says.
        about = f"{event.campaign}/{event.reduction}"
        closed = after.closed_campaigns[event.campaign]
        changes.close_standing(BY_RULE[INVESTMENT_REDUCED], about, closed)
    if known.points:
        changes.end_reminders_of_silence()
    if handed:
        changes.hand_over()
    if settled:
        changes.say_what_is_unpaid()
    for kind in cadences:
        changes.end_cadence(kind)
    why = _WHY_GIVEN if isinstance(event, MetricReported) else "Both parties agreed other figures."
    for ref in given:
        changes.close_standing(BY_RULE[FIGURE_OVERDUE], ref, why)
        changes.close_standing(BY_RULE[DUE_SOON], f"{DeadlineKind.FIGURE}/{ref}", why)
    for name in known.paid:
        about = f"{DeadlineKind.STATEMENT}/{name}"
        changes.close_standing(BY_RULE[DUE_SOON], about, "It was paid.")
    changes.settle_stated(rated=rated, audited=audited, lowered=lowered)
    if measured:
        changes.judge_objectives()
    changes.settle_disputes(reported)
    if ends:
        changes.end("The partnership has ended.")
    return changes.result()


def _taken(state: AlertsState, judged: Judged, recorded: Recorded, known: Taken) -> AlertsState:
    """Return what rules are judged from, after an event."""
    event, after = recorded.event, state
    if judged is not state.judged or known.watched is not state.watched:
        after = replace(state, judged=judged, watched=known.watched)
    if type(event) in NAMING:
        after = replace(after, people=people_after(state.people, event, recorded.act))
    if isinstance(event, HealthCheckRecorded):
        cards = with_scorecard(state.scorecards, recorded.act.party, event)
        after = replace(after, scorecards=cards)
    if isinstance(event, ComplianceAudited):
        after = replace(after, audits=with_audit(state.audits, recorded, event))
    if type(event) in commitments.CONCERNED:
        zone = partial(_day, after)
        after = replace(after, committed=commitments.with_event(state.committed, recorded, zone))
    if isinstance(event, CommercialTermsAgreed):
        after = replace(after, terms={**state.terms, f"{event.terms_version}": recorded.index})
    if type(event) in figures_due.CONCERNED:
        after = replace(after, figures=figures_due.evolve(state.figures, event, recorded.act))
    match event:
        case CampaignClosed():
            closed = {**after.closed_campaigns, event.campaign: campaign_closed(event)}
            after = replace(after, closed_campaigns=closed)
        case CampaignAgreed() if event.campaign in after.closed_campaigns:
            left = {k: v for k, v in after.closed_campaigns.items() if k != event.campaign}
            after = replace(after, closed_campaigns=left)
        case _:
            pass
    over, asked = _over_after(state.over, event), _asked_after(after, recorded)
    unpaid = _unpaid_after(state.unpaid, known.rows or {})
    if (over, asked, unpaid) != (state.over, state.asked, state.unpaid):
        after = replace(after, over=over, asked=asked, unpaid=unpaid)
    return after


def _unpaid_after(
    unpaid: Mapping[str, tuple[str, Decimal]], changed: Mapping[str, Any]
) -> Mapping[str, tuple[str, Decimal]]:
    """Return what is open on each statement, after the rows of some changed."""
    debts = {key: each for key, each in changed.items() if isinstance(each, Debt)}
    left = {
        key.removeprefix(f"{FACTS}statement/"): (each.owed.currency, each.left)
        for key, each in debts.items()
    }
    return {name: each for name, each in {**unpaid, **left}.items() if each[1] > 0}


def _agreed(rows: Rows, known: Taken) -> AgreedRow:
    """Return what both parties agreed, after an event."""
    before = rows.get(awaited.AGREED, NOTHING_AGREED)
    after: AgreedRow = (known.rows or {}).get(awaited.AGREED, before)
    return after


def _quarters(rows: Rows, known: Taken, judged: Judged, windows: Iterable[str]) -> list[str]:
    """Return the quarters that are over whose minimum of referrals an event can change.

    Other terms can change it in all of them. A later quarter shows whether things have got better.
    """
    touched = {*windows, *(quarter_of(each) for each in known.accepted)}
    before, agreed = rows.get(awaited.AGREED, NOTHING_AGREED), _agreed(rows, known)
    moved = agreed is not before and terms_of(agreed) != terms_of(before)
    if not moved and not touched:
        return []
    over = {*(each for each in judged.closed if "Q" in each), *_over_by_adoption(agreed)}
    touched &= over
    first = min(over if moved else touched, default="")
    return sorted(each for each in over if first and each >= first)


def _over_by_adoption(agreed: AgreedRow) -> Iterator[str]:
    """Yield the quarters of the books that were over when an adopted partnership came in."""
    if agreed.settles_from is None or agreed.today is None or not agreed.terms:
        return
    quarter = quarter_of(month_of(max(agreed.settles_from, terms_of(agreed).start or date.max)))
    while end_of(quarter) <= agreed.today:
        yield quarter
        quarter = following(quarter)


def _asked_after(state: AlertsState, recorded: Recorded) -> Mapping[str, Asked]:
    """Return the open proposals whose acceptance ends alerts, after an event."""
    event, asked = recorded.event, state.asked
    ended = _ended_proposals(event, asked)
    if any(each in asked for each in ended):
        asked = {name: each for name, each in asked.items() if name not in ended}
    if isinstance(event, BilateralProposed) and (ends := ends_if_agreed(event)):
        other = other_of(state.people.parties, recorded.act.party)
        return {**asked, proposal_of(event): Asked(ends, other)}
    return asked


def _ended_proposals(event: Event, asked: Iterable[str]) -> Collection[str]:
    """Return the proposals that an event answers, takes back or makes void."""
    match event:
        case BilateralCountered():
            agreement = event.agreement
            return {answer_ref(agreement.name, event.counters, agreement.within(event))}
        case ProposalEnded():
            return {answer_ref(event.agreement, event.proposal, event.within)}
        case DisputeResolved():
            return {each for each in asked if each.endswith(f"/dispute/{event.dispute}")}
        case BilateralAgreement() if event.proposal_ref is not None:
            return {answer_ref(event.name, event.proposal_ref, event.within(event))}
        case _:
            return ()


_OF_DEADLINE: Final = {rule.alert.rule: rule.kind for rule in RULES if rule.alert} | {
    BREACH_NOTICE: DeadlineKind.CURE
}
"""The kind of the deadline that each alert is on."""


def _deadline_of(rule: str, window: str) -> str:
    """Return the id of the deadline that an alert is on: `milestone/M-1`; empty for others."""
    if rule == DUE_SOON:
        return window
    return f"{_OF_DEADLINE[rule].value}/{window}" if rule in _OF_DEADLINE else ""


_OF_BOTH: Final = {rule.kind for rule in RULES if rule.both}
"""The kinds of deadline of what takes the word of both."""


def _changed_cadences(rows: Rows, known: Taken, event: Event) -> Iterator[str]:
    """Yield the kinds of reviews, health checks and audits whose cadence new terms change."""
    if isinstance(event, CommercialTermsAgreed):
        before = terms_of(rows.get(awaited.AGREED, NOTHING_AGREED))
        after = terms_of(_agreed(rows, known))
        yield from changed_cadences(before, after, event.effective_from)


_WHY_GIVEN: Final = "It was reported."
"""What ends the alert on a figure that is reported."""


def _reported_periods(state: AlertsState, event: Event) -> tuple[str, ...]:
    """Return the periods whose reports an event changes, or all if it agrees which ones count."""
    if type(event) in _AGREE_FIGURES:
        return tuple(state.judged.periods)
    period = reported_in(event)
    if period is None:
        return ()
    # What is said of a month says something of its quarter and of its year.
    around = (period, quarter_of(period) if "-" in period else period, period[:4])
    return tuple(each for each in dict.fromkeys(around) if each in state.judged.periods)


_AGREE_FIGURES: Final = {CharterAgreed, DataSharingAgreed, DecisionRuleAgreed, MetricAgreed}
"""The events that agree whose figures count, and by which tool."""


def _over_after(over: tuple[str, ...], event: Event) -> tuple[str, ...]:
    """Return the objectives whose deadline has passed, after an event."""
    match event:
        case DeadlinePassed(kind=DeadlineKind.OBJECTIVE, ref=name):
            return (*over, name)
        case TargetAdjusted(objective=name):
            return tuple(each for each in over if each != name)
        case CharterAgreed():
            return ()
        case _:
            return over


class _Changes:
    """The changes that one event makes: alerts and outputs."""

    def __init__(
        self,
        rows: Rows,
        state: AlertsState,
        after: AlertsState,
        recorded: Recorded,
        agreed: AgreedRow,
    ) -> None:
        self._rows = rows
        self._agreed = agreed
        self._before = state
        self._after = after
        self._judged = after.judged
        self._recorded = recorded
        self._open = state.open
        self._resolved = state.resolved
        self._ended, self._at_end = state.ended, state.at_end
        self._offices = state.offices
        self._handed = state.handed
        self._changed: dict[str, Alert] = {}
        self._outputs: list[Output] = []

    def result(self) -> Change:
        """Return the rows that changed, and the outputs in order."""
        if not self._changed and self._ended is self._before.ended:
            return NOTHING if self._after is self._before else Change({STATE: self._after}, [])
        state = replace(
            self._after,
            open=self._open,
            resolved=self._resolved,
            ended=self._ended,
            at_end=self._at_end,
            offices=self._offices,
            handed=self._handed,
        )
        return Change({STATE: state, **self._changed}, self._outputs)

    # --- agreed rules, and the referral minimum ---

    def judge_minimum(self, quarter: str) -> None:
        """Judge a quarter by the minimum of referrals, and withdraw alerts of other terms."""
        terms, found = terms_of(self._agreed), None
        paying: dict[str, Brought] = {}
        fees: dict[str, Decimal] = {}
        if is_judged(quarter, terms, self._agreed.settles_from):
            version = terms.version(first_day(quarter))
            for party, items in minimums(LEADS, quarter, terms).items():
                leads, at_least = (
                    self._brought(party, quarter),
                    max(each.at_least for each in items),
                )
                paying[party] = Brought(leads, at_least, version, self._after.terms[f"{version}"])
                for item in items:
                    currency = item.fee.currency
                    fee = rounded_ratio(fee_of(item, Fraction(leads)), currency)
                    fees[currency] = fees.get(currency, Decimal(0)) + fee
            found = breaches.minimum_verdict(self._judged, REFERRAL_MINIMUM, quarter, paying)
        for alert in [*self._open.values(), *self._resolved.values()]:
            if (alert.rule, alert.window) != (REFERRAL_MINIMUM, quarter):
                continue
            if found is None or alert.version != found.version:
                text = f"Its terms do not apply to {quarter}."
                self._close(alert, AlertEnd.OTHER_TERMS, text)
        if found is not None:
            self._settle(found, {currency: fee for currency, fee in fees.items() if fee})

    def _brought(self, party: str, quarter: str) -> int:
        """Return the accepted leads of a party in a quarter."""
        rows = (
            self._rows.get(awaited.counts_key(month), CountsRow()) for month in months_of(quarter)
        )
        return sum(int(each.counts.get(party, "0")) for each in rows)

    def judge_from(self, window: str) -> None:
        """Judge a window again, and those after it that it can change.

        Where an alert of an old window changes, the windows after it show whether things have got
        better since, so judging continues.
        """
        reach = breaches.reach(self._judged, window)
        for place, each in enumerate(breaches.windows_from(self._judged, window)):
            if place >= reach and not self._outputs:
                return
            for verdict in breaches.verdicts(self._judged, each):
                self._settle(verdict, {})

    def _settle(self, verdict: Verdict, at_stake: Mapping[str, Decimal]) -> None:
        recorded = self._recorded
        name = alert_id(verdict.rule, verdict.version, recorded.partnership, verdict.window)
        known = self._open.get(name) or self._resolved.get(name)
        if verdict.breached and known is None:
            if self._ended:
                return
            closed_at = bounds(verdict.window.partition("/")[0])[1]
            short = isinstance(verdict.facts, Shortfall) and verdict.facts.party
            self._put(
                Alert(
                    id=name,
                    rule=verdict.rule,
                    version=verdict.version,
                    kind=kind_of(verdict.rule),
                    severity=response_of(verdict.rule).severity,
                    partnership=recorded.partnership,
                    window=verdict.window,
                    state=AlertState.OPEN,
                    text=verdict.text,
                    who_acts=assigned((short,) if short else self._after.people.parties),
                    at_stake=at_stake,
                    # A late fact can show a breach, with a time before the window closed.
                    since=max(recorded.act.occurred_at, closed_at),
                    recorded_at=recorded.act.recorded_at,
                    cause=recorded.index,
                    evidence=_with({recorded.index}, verdict.evidence),
                    facts=verdict.facts,
                )
            )
        elif known is not None and verdict.breached:
            changed = (known.text, known.at_stake) != (verdict.text, at_stake)
            if known.state is AlertState.OPEN and changed:
                self._judge_anew(replace(known, at_stake=at_stake), verdict)
        elif known is not None:
            known = replace(
                known,
                facts=verdict.facts,
                facts_before=known.facts,
                evidence=_with(known.evidence, verdict.evidence),
            )
            self._close(known, AlertEnd.FIGURES_CHANGED, breaches.withdrawn(verdict))
        # An unknown figure does not show that things got better.
        if verdict.sound:
            self._resolve_earlier(verdict)
        elif not self._ended:
            self._open_again(verdict)

    def _judge_anew(self, alert: Alert, verdict: Verdict) -> None:
        """Let an open alert say what its figures have become, and whether they are disputed."""
        self._put(
            replace(
                alert,
                text=verdict.text,
                facts=verdict.facts,
                recorded_at=self._recorded.act.recorded_at,
                cause=self._recorded.index,
                evidence=_with(alert.evidence, (self._recorded.index, *verdict.evidence)),
            )
        )

    def _resolve_earlier(self, verdict: Verdict) -> None:
        period, _, segment = verdict.window.partition("/")
        for alert in list(self._open.values()):
            if alert.rule != verdict.rule:
                continue
            began, _, part = alert.window.partition("/")
            if part == segment and bounds(began) < bounds(period):
                better = replace(alert, better_in=period)
                self._close(better, AlertEnd.LATER_PERIOD, f"{period} is no longer in breach.")

    def _open_again(self, verdict: Verdict) -> None:
        """Open the alerts that this window had resolved by a figure that was wrong.

        A later window that is no longer in breach resolves them again, when it is judged.
        """
        period, _, segment = verdict.window.partition("/")
        act, index = self._recorded.act, self._recorded.index
        for alert in list(self._resolved.values()):
            named = (alert.rule, alert.window.partition("/")[2], alert.better_in)
            if named == (verdict.rule, segment, period):
                self._put(
                    replace(
                        alert,
                        state=AlertState.OPEN,
                        ended=None,
                        ended_code=None,
                        until=None,
                        better_in=None,
                        recorded_at=act.recorded_at,
                        cause=index,
                        evidence=_with(alert.evidence, (index,)),
                    )
                )

    def judge_objectives(self) -> None:
        """Open the alerts on objectives that are missed, and close those on the others.

        One that both parties agreed anew resolves its alert. A figure that was late or wrong
        withdraws it. A figure that the parties dispute does not: the objective is missed as long
        as it is by the word of one of them. One that was taken back changes nothing. The text has
        the target and no figure, because both parties see it.
        """
        over = {name: breaches.outcome(self._judged, name) for name in self._after.over}
        missed = {name: text for name, of in over.items() if of and (text := self._missed(of))}
        for alert in list(self._open.values()):
            if alert.rule != OBJECTIVE_MISSED or alert.window in missed:
                continue
            found = over.get(alert.window)
            if found is not None:
                if found.is_disputed or found.status is not ObjectiveStatus.INSUFFICIENT_EVIDENCE:
                    text = "The figures on record show that it is not missed."
                    self._close(alert, AlertEnd.FIGURES_CHANGED, text)
            else:
                text = "Both parties agreed its target anew."
                self._close(alert, AlertEnd.AGREED_ANEW, text)
        if self._ended:
            return
        parties = self._after.people.parties
        for name, text in missed.items():
            says = Finding(name, f"Objective {name} is missed. {text}", parties)
            self.open_standing(BY_RULE[OBJECTIVE_MISSED], says)

    def _missed(self, found: ObjectiveProgress) -> str:
        """Return what the alert on a missed objective says; empty if it is not missed."""
        if not found.is_disputed:
            return found.target_text if found.status is ObjectiveStatus.MISSED else ""
        said = (
            breaches.outcome(self._judged, found.objective.objective, each)
            for each in found.disputed
        )
        if not any(each and each.status is ObjectiveStatus.MISSED for each in said):
            return ""
        return f"{found.target_text} The parties dispute a figure of it."

    # --- standing alerts ---

    def settle_points(self, subject: str, points: tuple[Point, ...]) -> None:
        """Open the alerts on what of a subject awaits a party, and close those on what does not."""
        # Many leads can be open, and an identifier that lacks the name is not of the subject.
        name = subject.partition("/")[2]
        near = [each for key, each in self._open.items() if name in key]
        self._match(points, [each for each in near if _concerns(each, subject)])

    def settle_leads(self, points: tuple[Point, ...]) -> None:
        """Settle the alerts on the leads of some months that await an answer."""
        refs = {each.ref for each in points}
        about = [each for each in self._open.values() if each.rule == LEAD_UNANSWERED]
        self._match(points, [each for each in about if each.window in refs])

    def settle(self, points: Iterable[Point], rules: Collection[str]) -> None:
        """Open the alerts of these rules on what is so now, and close those on what is not."""
        self._match(tuple(points), [each for each in self._open.values() if each.rule in rules])

    def settle_stated(self, *, rated: bool, audited: bool, lowered: bool) -> None:
        """Settle the alerts on what the parties stated last: ratings, audits and commitments."""
        after = self._after
        if rated:
            self.settle(scorecards.findings(after.scorecards), {HEALTH_LOW, HEALTH_DIVERGES})
        if audited:
            self.settle(audits.findings(after.audits), {AUDIT_FAILED})
        if lowered:
            found = commitments.findings(after.committed, after.people.parties)
            self.settle(found, {COMMITMENT_LOWERED})

    def settle_disputes(self, periods: Collection[str]) -> None:
        """Open the alerts on the figures of these periods that the parties dispute.

        The text has no figure, because each party sees the alert.
        """
        if not periods:
            return
        found = () if self._ended else breaches.disputed_figures(self._judged, periods)
        points = [
            Point(
                FIGURES_DIFFER,
                each.ref,
                f"{' and '.join(said.party for said in each.told)} dispute "
                f"the {figure_words(each.ref)}, reported by {_tools(each)}.",
                tuple(said.party for said in each.told),
            )
            for each in found
        ]
        self._match(
            tuple(points),
            [
                each
                for each in self._open.values()
                if each.rule == FIGURES_DIFFER and each.window.split("/")[2] in periods
            ],
        )

    def _match(self, points: tuple[Point, ...], concerned: Iterable[Alert]) -> None:
        """Open an alert for each point, and close those that a point ends or that have none.

        `concerned` are the open alerts that can be about one of them.
        """
        wanted = {(each.rule, each.ref) for each in points if not each.ends}
        ended = {(each.rule, each.ref): each.text for each in points if each.ends}
        for alert in concerned:
            about = (alert.rule, alert.window)
            if about not in wanted:
                self._end(alert, ended.get(about) or self._how(alert))
        for each in points:
            if each.ends:
                continue
            name = alert_id(each.rule, 1, self._recorded.partnership, each.ref)
            if name in self._open or name not in self._at_end:
                acting = each.acting or self._after.people.parties
                at_stake = dict(each.at_stake)
                found = Finding(
                    each.ref,
                    each.text,
                    acting,
                    at_stake,
                    answer_by=each.answer_by,
                    since=each.since,
                )
                self.open_standing(BY_RULE[each.rule], found)

    def _how(self, alert: Alert) -> str:
        """Return how the event ends an alert on facts, as a sentence. It names no figure (C14)."""
        event, by = self._recorded.event, self._recorded.act.party
        if alert.rule in _ENDED and not isinstance(event, DealsMerged):
            return _ENDED[alert.rule]
        match event:
            # Several days can have passed when the clock records the first of them.
            case DeadlinePassed() | ReminderGiven() | PeriodClosed() if alert.answer_by:
                silent = " and ".join(each.party for each in alert.who_acts)
                return f"{silent} did not object by {alert.answer_by}, so it counts."
            case ClaimObjected() if event.figure:
                return f"{by} objected to {event.named}."
            case MetricReported() | MetricCorrected():
                verb = "reported" if isinstance(event, MetricReported) else "corrected"
                return f"{by} {verb} {metric_words(event.metric)} for {event.period}."
            case _:
                return full_stop(f"{by} {words(event)}")

    def _say(self, alert: Alert, found: Alert) -> None:
        """Let an open alert say what has become of its facts."""
        evidence = _with(alert.evidence, (self._recorded.index,))
        if alert.rule == LEAD_UNANSWERED:
            alert = replace(alert, since=found.since)
            evidence = evidence[-_NEWEST:]
        self._put(
            replace(
                alert,
                text=found.text,
                who_acts=found.who_acts,
                at_stake=found.at_stake,
                answer_by=found.answer_by,
                recorded_at=self._recorded.act.recorded_at,
                cause=self._recorded.index,
                evidence=evidence,
            )
        )

    def finding(self, on: On, ref: str) -> Finding:
        """Return what an alert says that the event opens."""
        event, act = self._recorded.event, self._recorded.act
        money = on.at_stake(event)
        day = _day(self._after, act.occurred_at)
        when = f" {on.when.format(party=act.party, day=day)}" if on.when else ""
        return Finding(
            ref,
            f"{on.text(self._named(event))}{when}",
            on.acts(event, act.party, self._after.people.parties),
            {money.currency: money.amount} if money else {},
            on.to(event),
        )

    def _named(self, event: Event) -> Event:
        """Return the reminder of an objective with its metric; any other event as it is."""
        if not isinstance(event, ReminderGiven) or event.kind is not DeadlineKind.OBJECTIVE:
            return event
        words = (x.words for x in self._after.figures.objectives if x.objective == event.ref)
        return event.model_copy(update={"ref": f"{event.ref} ({next(words)})"})

    def hand_over(self) -> None:
        """Let the alerts that a proposal can end name who answers it, until it is answered."""
        for alert in list(self._open.values()):
            now = tuple(each.party for each in alert.who_acts)
            otherwise = self._handed.get(alert.id, now)
            acting = self._acting(alert.id, alert.rule, alert.window, otherwise)
            if acting != now:
                self._say(alert, replace(alert, who_acts=assigned(acting)))

    def _acting(
        self, name: str, rule: str, window: str, otherwise: tuple[str, ...]
    ) -> tuple[str, ...]:
        """Return who acts on an alert: who answers the proposals that can end it, if there are any.

        `otherwise` are the parties that act without a proposal, and again once it is declined.
        """
        asked = {each.answers for each in self._after.asked.values() if each.concerns(rule, window)}
        answering = tuple(each for each in self._after.people.parties if each in asked)
        if otherwise == answering:
            otherwise = self._owners(rule, window, answering)
        others = {key: each for key, each in self._handed.items() if key != name}
        self._handed = {**others, name: otherwise} if answering else others
        return answering or otherwise

    def _owners(self, rule: str, window: str, answering: tuple[str, ...]) -> tuple[str, ...]:
        """Return who acts on what takes the word of both, where its event names who answers."""
        kind = _deadline_of(rule, window).partition("/")[0]
        if kind not in _OF_BOTH:
            return answering
        parties = self._after.people.parties
        is_cure = kind == DeadlineKind.CURE
        return tuple(each for each in parties if not is_cure or each not in answering)

    def is_too_late(self, standing: StandingAlert) -> bool:
        """Whether an alert would be about nothing any more: the exit that ends it took effect."""
        is_over = standing.ends_with_exit and self._judged.agreed.ended_on is not None
        return is_over or self._reminds_of_nothing()

    def _reminds_of_nothing(self) -> bool:
        """Whether the event reminds of a day of silence on which nothing of the party is decided.

        Some claims move no money, so no alert is open on them.
        """
        match self._recorded.event:
            case ReminderGiven(kind=DeadlineKind.SILENCE, due=last, party=party):
                return not self._awaits_answer(last, party or "")
            case _:
                return False

    def _awaits_answer(self, last: date, party: str) -> bool:
        return any(
            each.answer_by == last and party in {who.party for who in each.who_acts}
            for each in self._open.values()
        )

    def end_reminders_of_silence(self) -> None:
        """Close the reminders of days of silence on which nothing is left to answer."""
        of_silence = f"{DeadlineKind.SILENCE.value}/"
        for alert in list(self._open.values()):
            if alert.rule == DUE_SOON and alert.window.startswith(of_silence):
                _, day, party = alert.window.split("/")
                if not self._awaits_answer(date.fromisoformat(day) - DAY, party):
                    is_over = isinstance(self._recorded.event, DeadlinePassed)
                    text = "The day has passed." if is_over else "It was answered."
                    self._end(alert, text)

    def say_what_is_unpaid(self) -> None:
        """Let the alerts on an end of the partnership have at stake what is open on statements."""
        for alert in list(self._open.values()):
            if alert.rule in WHILE_UNPAID and alert.at_stake != self._unpaid:
                self._say(alert, replace(alert, at_stake=self._unpaid))

    @property
    def _unpaid(self) -> Mapping[str, Decimal]:
        """What is open on all statements, by currency, whoever owes it."""
        found: dict[str, Decimal] = {}
        for currency, left in self._after.unpaid.values():
            found[currency] = found.get(currency, Decimal(0)) + left
        return found

    def open_standing(self, standing: StandingAlert, found: Finding) -> None:
        """Open an alert about one subject; one that is open says what has become of it."""
        name = alert_id(standing.rule, 1, self._recorded.partnership, found.ref)
        acting = self._acting(name, standing.rule, found.ref, found.acting)
        found = found._replace(acting=acting)
        if standing.rule in WHILE_UNPAID:
            found = found._replace(at_stake=self._unpaid)
        severity = standing.response.severity
        alert = opened(standing.rule, standing.kind, severity, self._recorded, found)
        known = self._open.get(alert.id)
        if found.to is not None:
            self._offices = {**self._offices, alert.id: found.to}
        if known is None:
            has_past = standing.once or standing.recurs
            past: Alert | None = self._rows.get(alert.id) if has_past else None
            self._put(replace(alert, earlier=_occurrence(past) if past else None))
        elif _says(known) != _says(alert):
            self._say(known, alert)

    def close_standing(self, standing: StandingAlert, ref: str, text: str) -> None:
        """Close an alert, or those that `ALL` names: withdrawn if it was done in time."""
        if ref.startswith(ALL) or ref.endswith(ALL):
            for each in [*self._open.values()]:
                if each.rule == standing.rule and _is_named(each.window, ref):
                    self._end(each, text)
            return
        name = alert_id(standing.rule, 1, self._recorded.partnership, ref)
        alert = self._open.get(name)
        if alert is not None:
            self._end(alert, text)
        elif standing.once and not self._ended:
            resolved: Alert | None = self._rows.get(name)
            if resolved is not None and resolved.state is AlertState.RESOLVED:
                self._withdraw_late(resolved, text)

    def end_cadence(self, kind: str) -> None:
        """Close the alerts on a kind of review, health check or audit that got another cadence."""
        text = f"Another cadence was agreed for the {cadence_words(kind)}."
        self.close_standing(BY_RULE[CADENCE_MISSED], f"{kind}{ALL}", text)
        self.close_standing(BY_RULE[DUE_SOON], f"{DeadlineKind.CADENCE}/{kind}{ALL}", text)

    def _end(self, alert: Alert, text: str) -> None:
        if self._corrects and alert.rule in _OF_THE_NEWEST:
            self._close(alert, AlertEnd.RECORD_CORRECTED, f"{text} The record was corrected.")
        elif not self._withdraw_late(alert, text):
            self._close(alert, AlertEnd.DONE, text)

    def _withdraw_late(self, alert: Alert, text: str) -> bool:
        """Withdraw an alert on what was done before it opened. Return whether it was.

        A day that passes does nothing: an exit can be agreed on the day on which it takes effect.
        """
        done, earlier = self._done_at, alert.earlier
        if done >= alert.since or isinstance(self._recorded.event, DeadlinePassed):
            return False
        if earlier is not None and done >= earlier.since:
            self._take_back(alert, earlier)
        else:
            late = f"{text} It was in time and was reported late."
            self._close(replace(alert, earlier=None), AlertEnd.DONE_IN_TIME, late)
        return True

    def _take_back(self, alert: Alert, earlier: Occurrence) -> None:
        """Withdraw only the last time at which an alert was open: the time before was right."""
        self._put(
            replace(
                alert,
                state=AlertState.RESOLVED,
                text=earlier.text,
                since=earlier.since,
                until=earlier.until,
                ended=earlier.ended,
                ended_code=earlier.ended_code,
                earlier=None,
                recorded_at=self._recorded.act.recorded_at,
                cause=self._recorded.index,
                evidence=_with(alert.evidence, (self._recorded.index,)),
            )
        )

    @property
    def _done_at(self) -> datetime:
        return done_at(self._recorded.event, self._recorded.act)

    @property
    def _corrects(self) -> bool:
        event = self._recorded.event
        return isinstance(event, Changeable) and event.change_reason is not None

    def end(self, text: str) -> None:
        """Resolve every open alert but those on what is owed, disputed or still to be answered."""
        self._ended = True
        computed = {*COMPUTED} - {STATEMENT_OVERDUE}
        self._at_end = tuple(name for name, each in self._open.items() if each.rule in computed)
        for alert in list(self._open.values()):
            lasts = alert.rule in _AFTER_THE_END
            if not (lasts or outlives(_deadline_of(alert.rule, alert.window))):
                self._close(alert, AlertEnd.PARTNERSHIP_ENDED, text)

    # --- both ---

    def _close(self, alert: Alert, by: AlertEnd, text: str) -> None:
        act = self._recorded.act
        state = AlertState.WITHDRAWN if by in _WITHDRAWS else AlertState.RESOLVED
        # Resolved at the time of the improvement; withdrawn at the recording of the correction.
        moment = self._done_at if state is AlertState.RESOLVED else act.recorded_at
        self._put(
            replace(
                alert,
                state=state,
                ended=text,
                ended_code=by,
                until=max(moment, alert.since),
                recorded_at=act.recorded_at,
                cause=self._recorded.index,
                evidence=_with(alert.evidence, (self._recorded.index,)),
            )
        )

    def _put(self, alert: Alert) -> None:
        day = _day(self._after, self._recorded.act.occurred_at)
        alert = in_office(alert, self._after.people, day, self._offices.get(alert.id))
        is_open = alert.state is AlertState.OPEN
        if not is_open:
            self._offices = {key: to for key, to in self._offices.items() if key != alert.id}
            self._handed = {key: to for key, to in self._handed.items() if key != alert.id}
        on_figures = alert.facts is not None and alert.state is AlertState.RESOLVED
        self._open = _moved(self._open, alert, stays=is_open)
        self._resolved = _moved(self._resolved, alert, stays=on_figures)
        self._changed[alert.id] = alert
        name = f"{alert.id}/{alert.state.value}/{alert.cause}"
        self._outputs.append(Output(name, "alert", alert))


_NEWEST: Final = 5
"""How many of the newest events are the evidence of leads that wait: any number can."""

_AFTER_THE_END: Final = {STATEMENT_OVERDUE, DISPUTE_OPENED}
"""The rules of the alerts that the end of the partnership leaves open."""

_OF_THE_NEWEST: Final = {AUDIT_FAILED, HEALTH_LOW, HEALTH_DIVERGES}
"""The rules of the alerts on what a party recorded last: its correction withdraws them."""

_ENDED: Final = {
    AUDIT_FAILED: "No audit of it is on record any longer.",
    LEAD_AWAITS: "The terms give no days for the answer any longer.",
    LEAD_UNANSWERED: "The terms agree days for the answer now.",
    LEAD_REJECTED: "The lead is no longer rejected.",
    HEALTH_LOW: "The newest scorecards no longer show it.",
    HEALTH_DIVERGES: "The newest scorecards no longer show it.",
    STATEMENT_OVERDUE: "It is paid.",
}
"""What ends the alerts that are made from facts, in words, where the event does not say it."""


def _tools(disputed: DisputedFigure) -> str:
    return " and ".join(sorted({each.tool for each in disputed.told}))


def _occurrence(alert: Alert) -> Occurrence | None:
    """Return the time at which an alert was open that was resolved; None for another alert."""
    if alert.state is not AlertState.RESOLVED or not (alert.until and alert.ended_code):
        return None
    return Occurrence(alert.text, alert.since, alert.until, alert.ended or "", alert.ended_code)


def _says(alert: Alert) -> tuple[str, date | None, list[str], Mapping[str, Decimal]]:
    """Return what an alert says, whoever is in office."""
    acting = [each.party for each in alert.who_acts]
    return alert.text, alert.answer_by, acting, alert.at_stake


def _is_named(window: str, ref: str) -> bool:
    """Return whether a `ref` that begins or ends with `ALL` names a window."""
    if ref.endswith(ALL):
        return window.startswith(ref.removesuffix(ALL))
    return window.endswith(ref.removeprefix(ALL))


def _concerns(alert: Alert, subject: str) -> bool:
    """Return whether an alert that is computed from facts is about a subject."""
    kind, _, name = subject.partition("/")
    whole = {"deal": ATTRIBUTION_CONTESTED, "statement": STATEMENT_OVERDUE}.get(kind)
    if alert.rule == whole:
        return alert.window == name
    return alert.rule in COMPUTED and f"{alert.window}/".startswith(f"{subject}/")


def _moved(alerts: Mapping[str, Alert], alert: Alert, *, stays: bool) -> Mapping[str, Alert]:
    """Return these alerts with one alert replaced by its new state, or removed if there is none."""
    if not stays and alert.id not in alerts:
        return alerts
    others = {name: each for name, each in alerts.items() if name != alert.id}
    return others | {alert.id: alert} if stays else others


def _with(known: set[int] | tuple[int, ...], more: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(sorted({*known, *more}))


def _row_type(key: str) -> Any:  # noqa: ANN401 - a dataclass
    if key.startswith(GIVEN):
        return GivenRow
    if key.startswith(FACTS):
        match key.removeprefix(FACTS).partition("/")[0]:
            case "payout":
                return Payout
            case "statement":
                return Debt
            case _:
                return row_of_facts(key.removeprefix(FACTS))
    return AlertsState if key == STATE else Alert


ALERTS = Projection(
    "alerts",
    keys,
    apply,
    breaches.CONCERNED
    | _TURNS.keys()
    | awaited.CONCERNED
    | NAMING
    | figures_due.CONCERNED
    | CAN_END_ALERTS
    | commitments.CONCERNED
    | {ComplianceAudited, HealthCheckRecorded, *ENDINGS},
    version=97,
    row_type=_row_type,
    facts_from=FACTS,
)
