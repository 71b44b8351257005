"""What awaits each party over all partnerships, with the event that does it, by day.

Proposals and drafts await a consent, agreed things fall due, claims of money await a confirmation,
and disputes await a proposal how they end. All of it is read from rows that are kept live.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import StrEnum
from functools import partial
from operator import itemgetter
from typing import Annotated, Any, Final, NamedTuple

from domain.adoption import AgreeAdoptionPart
from domain.aggregates import command_types
from domain.agreement import AcceptTerms, CommercialTermsAgreed, ProposeTerms
from domain.bilateral import DeclineProposal, WithdrawProposal, kind_named
from domain.calendar import bounds
from domain.charter import Objective
from domain.claims import ClaimKind, ConfirmClaim, ObjectToClaim
from domain.content import digest
from domain.deadlines.answers import act_words, answer_ref
from domain.deadlines.deadline import DAY, Deadline, DeadlineKind, of_party, other_of
from domain.deadlines.figures import figure_words
from domain.deadlines.fold import expected
from domain.deadlines.reviews import cadence_of_kind, cadence_words
from domain.dispute import ProposeResolution
from domain.entry import ENTRY, ReverseEntry
from domain.execution import (
    CloseCampaign,
    CompleteAction,
    CompleteOnboardingStep,
    ProposeCancellation,
    ProposeImprovementPlanOutcome,
    ProposeIssueResolution,
    ProposeMilestoneReached,
    ProposePause,
    ProposeReview,
    ProposeReviewHeld,
    ReachMilestone,
    ReviewHeld,
)
from domain.exit import (
    AssetsDispositioned,
    GiveExitNotice,
    PartnershipExited,
    ProposeCompletion,
    ProposeCure,
    ProposeDisposition,
)
from domain.experiment import HYPOTHESIS, StartPilot
from domain.figures_due import Figure
from domain.formation import DRAFT, SignAgreement
from domain.health import (
    ProposeRiskMitigated,
    RecordAudit,
    RecordContribution,
    RecordHealthCheck,
)
from domain.kernel import Command, Stage
from domain.metric_catalogue import Unit
from domain.payment import CorrectPayment
from domain.payouts import RETURN, Payout, RecordPayout
from domain.program import DefinePortfolio
from domain.recorded import Recorded
from domain.referral import ProposeAttribution
from domain.renewal import (
    HoldRenewalReview,
    ProposeAnnualReview,
    ProposeRenewal,
)
from domain.reported_figure import FIGURE, CorrectMetric, ReportMetric
from domain.sale import CancelDeal, LoseDeal
from domain.second_person import ConfirmAct, WithdrawAct
from domain.settlement import (
    Accrued,
    Balance,
    IssueFinalSettlement,
    IssueStatement,
    Ledger,
    ProposeAdjustment,
    ProposeRate,
    PublishRate,
    RateAgreed,
    contents_of,
    final_balances,
    issuers,
    next_statements,
)
from domain.standing_alerts import (
    ATTRIBUTION_CONTESTED,
    AUDIT_FAILED,
    COMMITMENT_LOWERED,
    COMPUTED,
    DEPENDENCY_HIGH,
    DISPUTE_OPENED,
    DUE_SOON,
    ENTRY_WITHOUT_TERMS,
    FIGURES_DIFFER,
    LEAD_AWAITS,
    LEAD_REJECTED,
    LEAD_UNANSWERED,
    RENEWAL_OPEN,
    RISK_OPEN,
    STATEMENT_OVERDUE,
)
from domain.terms_by_day import TermsByDay, local_day
from domain.values import Money, Slug, instant
from infra.answers import (
    alert_acts,
    claimed,
    computed,
    cursors,
    dependency_alerts,
    duplicate_credits,
)
from infra.answers.logs import (
    NOW,
    AsOf,
    log,
    moments_of,
    of_each,
    row_of_each,
    sight_of,
    size_of,
    stored_log,
)
from infra.answers.members import PAGE, names_seen
from infra.answers.question import Item, Page, Paging, Parameter, Question
from infra.answers.statement import StatementDispute, replay
from infra.answers.text import Block, Line, Remark
from infra.answers.zones import zones_of
from infra.bootstrap import Accord
from infra.projecting.replay import replay_all
from infra.store.views import typed_row
from infra.tlog import cloudevents
from infra.tlog.codec import canonical
from projections import ALERTS, DEADLINES, OVERVIEW, PROPOSALS, SETTLEMENT
from projections.alerts import START, STATE, Alert, AlertsState, Asked
from projections.breaches import DisputedFigure, StatedBy, disputed_figures
from projections.counted import FACTS
from projections.deadlines import OPEN as OPEN_DEADLINES
from projections.deadlines import OVERDUE, PLANNED, OpenDeadlines, OverdueDeadlines, Planned
from projections.duplicate_credit import Credited
from projections.fold import Folded, Projection
from projections.ledger.book import terms_of
from projections.ledger.claims import NO_DAYS, asks_of_lead
from projections.ledger.rows import (
    AGREED,
    TOTALS,
    AgreedRow,
    Correction,
    Fact,
    StatementRow,
    SubjectRow,
    TotalsRow,
    WaitsRow,
)
from projections.overview import OVERVIEW_ROW, Overview
from projections.proposals import OPEN as OPEN_PROPOSALS
from projections.proposals import (
    OpenAct,
    OpenProposal,
    OpenProposals,
    Unsigned,
    names_people,
    with_names,
)
from projections.settlement import ledger, stated_periods
from projections.visibility import OPERATOR
from projections.waits import Get, leads_of

STATED: Final = "statement/"
"""The beginning of the keys of statements among the rows of the settlement."""

SIGNED: Final = frozenset({"content", "contents", "signing_keys"})
"""The fields of an event that only a signed one needs."""

FOLDS: Final = (OVERVIEW, PROPOSALS, DEADLINES, ALERTS, SETTLEMENT)
"""The projections whose rows the answer reads."""


class Awaiting(StrEnum):
    """What awaits a party."""

    CONSENT = "consent"
    """Its answer to a proposal of the other party, or its signature."""
    SECOND_PERSON = "second-person"
    """The confirmation of an act by a second person of the party, due on the day."""
    DUE = "due"
    """Something that was agreed and falls due on the day."""
    OVERDUE = "overdue"
    """Something whose day has passed."""
    CLAIM = "claim"
    """Its answer to a claim of the other party, such as money or a lead."""
    DISPUTE = "dispute"
    """Its proposal how an open dispute ends, while none awaits an answer."""


class EventToSend(Item):
    """An event that does what is asked, over every transport."""

    type: str
    """The event's `type`."""
    subject: str
    """The partnership."""
    party: str
    """The party that sends it."""
    data: dict[str, Any]
    """The data that is known."""
    missing: tuple[str, ...]
    """The fields of the data that the sender adds."""


class _TimedEvent(EventToSend):
    """An event that is offered while it is accepted."""

    opens: datetime | None = None
    """The moment before which it is refused."""
    closes: datetime | None = None
    """The moment from which on it is refused."""

    def is_accepted(self, now: datetime) -> bool:
        """Return whether it is accepted at a moment."""
        return (self.opens is None or self.opens <= now) and (
            self.closes is None or now < self.closes
        )


class InboxItem(Item):
    """Something that awaits a party."""

    day: date
    """The last day in time of what is due, overdue or to be answered or confirmed; else the day
    since which it waits (`is_last`)."""
    awaiting: Awaiting
    """What awaits the party."""
    partnership: str
    """The partnership."""
    party: str
    """The party that acts."""
    ref: str
    """What it is about: the proposal, the claim, the milestone and so on."""
    text: str
    """What it is, in words."""
    events: tuple[EventToSend, ...]
    """The events that do it, the usual one first."""
    is_last: bool = True
    """Whether the day is the last one in time."""


class Inbox(Page[InboxItem]):
    """What awaits the parties, by day."""

    count: int
    """The number of items on all pages."""


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of one partnership."""

    id: str
    overview: Overview
    proposals: OpenProposals
    due: tuple[Deadline, ...]
    overdue: tuple[Deadline, ...]
    alerts: tuple[Alert, ...]
    subjects: Mapping[str, SubjectRow | Payout | None]
    """The facts of what the alerts are about, by subject."""
    unpaid: tuple[StatementRow, ...]
    """The statements on which something is due."""
    terms: TermsByDay
    ledger: Ledger
    """What has accrued and is not stated yet."""
    stated: Mapping[str, str]
    """The last period that was stated, by currency."""
    objected: tuple[str, ...]
    """The published rates that a party objected to, with their source."""
    objectives: tuple[Objective, ...]
    """The objectives in force, which say where their figures come from."""
    disputed: tuple[DisputedFigure, ...]
    """The figures that the parties dispute."""
    asked: Mapping[str, Asked]
    """The open proposals whose acceptance ends an alert."""
    planned: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """What both agreed of the days beside the day, by deadline."""
    disputed_lines: Mapping[str, tuple[StatementDispute, ...]] = field(default_factory=dict)
    """The open disputes about lines of statements on which something is due, by statement."""


def ask(
    accord: Accord,
    partnership: Annotated[
        Slug | None, Parameter("One partnership; all unless given.", "ID", positional=True)
    ] = None,
    when: AsOf = NOW,
    page: Paging = Paging(),  # noqa: B008 - frozen
) -> Inbox:
    """Return what awaits the party that asks. For the operator, return what awaits each party.

    For a neutral third party it is the figures that it is to report, and nothing else.

    Raises `NotFound` for an unknown partnership or a cursor of another question.
    """
    question = cursors.asked("inbox", partnership, when=when)
    after: list[str] = []
    if page.after is not None:
        after = cursors.read(question, page.after, str, str, str)
    has_program = True
    if partnership is not None:
        size_of(accord.history, partnership)
        has_program = dependency_alerts.is_own_program(accord, partnership, when.viewer)
        if not has_program:
            sight_of(accord.history, partnership, when, figures=False, third_party=True)
    awaited = [
        (place, each)
        for place, each in _items(accord, partnership, when)
        if when.viewer.party in {None, each.party}
    ]
    awaited = _judged(accord, _opened(accord, awaited, when), when)
    awaited += (
        (_place(each), each)
        for each in _of_one_party(accord, when, has_program=has_program)
        if partnership in {None, each.partnership}
    )
    later = ((place, each) for place, each in awaited if [*place] > after)
    found = sorted(later, key=itemgetter(0))
    shown = found[: page.limit]
    times = _times(accord, {each.partnership for _, each in shown}, when)
    items = (offered(each, times[each.partnership]) for _, each in shown)
    return Inbox(
        simulated=accord.simulated,
        as_of=when.asked,
        items=tuple(_covering(accord, each, times[each.partnership], when) for each in items),
        next=cursors.written(question, *shown[-1][0]) if found[page.limit :] else None,
        count=len(awaited),
    )


def _times(accord: Accord, names: Iterable[str], when: AsOf) -> dict[str, datetime]:
    """Return the moment of each partnership as of which it is asked."""
    moment = when.at or when.known or (None if accord.simulated else accord.clock())
    if moment is not None:
        return dict.fromkeys(names, moment)
    return {name: head.recorded_at for name, head in accord.history.heads(names).items()}


def offered(item: InboxItem, now: datetime) -> InboxItem:
    """Return an item with the events alone that are accepted by now."""
    events = (x for x in item.events if not isinstance(x, _TimedEvent) or x.is_accepted(now))
    return item.model_copy(update={"events": tuple(events)})


def _covering(accord: Accord, item: InboxItem, now: datetime, when: AsOf) -> InboxItem:
    """Return an item whose answers to a claim name its content and its time, for a signature."""
    events = tuple(_with_content(accord, each, now, when) for each in item.events)
    return item.model_copy(update={"events": events})


def _with_content(accord: Accord, event: EventToSend, now: datetime, when: AsOf) -> EventToSend:
    if event.type not in _ANSWERS:
        return event
    # An objection names a fact as a confirmation does; its reason is not known yet.
    command = ConfirmClaim.model_validate_json(canonical(event.data))
    found = accord.history.streams(claimed.streams(event.subject, command))
    recorded = (each for of in found.values() for each in when.of(of))
    stated = claimed.fact(command, recorded, event.party, now)
    if stated is None:
        return event
    covers = {"fact_at": instant(stated.at), "content": digest(stated.event)}
    return event.model_copy(update={"data": {**event.data, **covers}})


_ANSWERS: Final = frozenset(
    cloudevents.PREFIX + each.__name__ for each in (ConfirmClaim, ObjectToClaim)
)

_Place = tuple[str, str, str]
"""Where an item comes in the inbox: its day, its partnership, and what it is about."""


def _place(item: InboxItem) -> _Place:
    first = item.events[0].type if item.events else ""
    about = f"{item.party} {item.awaiting} {item.ref} {first}"
    return item.day.isoformat(), item.partnership, about


def is_open(item: InboxItem, now: datetime) -> bool:
    """Whether some of the events of an item are accepted by now, or none is offered."""
    opening = [each.opens for each in item.events if isinstance(each, _TimedEvent) and each.opens]
    return len(opening) < len(item.events) or not opening or min(opening) <= now


def _opened(
    accord: Accord, awaited: list[tuple[_Place, InboxItem]], when: AsOf
) -> list[tuple[_Place, InboxItem]]:
    """Return items without those that can be done only later."""
    ahead = (each for _, each in awaited if not is_open(each, datetime.min.replace(tzinfo=UTC)))
    times = _times(accord, {each.partnership for each in ahead}, when)
    return [
        (place, each)
        for place, each in awaited
        if each.partnership not in times or is_open(each, times[each.partnership])
    ]


def _judged(
    accord: Accord, awaited: list[tuple[_Place, InboxItem]], when: AsOf
) -> list[tuple[_Place, InboxItem]]:
    """Return items with those as overdue whose day is over, also before the clock records it."""
    due = [each for _, each in awaited if each.awaiting is Awaiting.DUE and each.is_last]
    moments = moments_of(accord, {each.partnership for each in due}, when)
    over = {each.partnership for each in due if each.day <= moments[each.partnership].date()}
    zones = zones_of(accord, over)
    today = {name: local_day(moments[name], zones.get(name, "UTC")) for name in over}

    def judged(each: InboxItem) -> InboxItem:
        is_due = each.awaiting is Awaiting.DUE and each.is_last
        is_over = is_due and each.day < today.get(each.partnership, each.day)
        return each.model_copy(update={"awaiting": Awaiting.OVERDUE}) if is_over else each

    return [(place, judged(each)) for place, each in awaited]


# --- rows --------------------------------------------------------------------------------------


def _items(
    accord: Accord, partnership: str | None, when: AsOf
) -> Iterator[tuple[_Place, InboxItem]]:
    """Yield what awaits each party of one partnership, or of all that the viewer sees."""
    seen = partial(names_seen, accord, when.viewer, third_party=True)
    names = seen() if partnership is None else [partnership]
    for _, each in _found(accord, names, when):
        yield from each.items


class _Found(NamedTuple):
    """What the inbox has of one partnership."""

    items: tuple[tuple[_Place, InboxItem], ...]
    ahead: tuple[Deadline, ...]
    """The deadlines of both parties about which nobody has to do anything yet."""


def days_ahead(accord: Accord, names: Iterable[str], when: AsOf) -> dict[str, tuple[Deadline, ...]]:
    """Return the days ahead of these partnerships on which nobody has to act yet, by partnership.

    They are the last day for notice, the end of the term, an exit, and what comes round by itself.
    The viewer must see the partnerships.
    """
    return {name: each.ahead for name, each in _found(accord, names, when)}


_AHEAD: Final = frozenset({DeadlineKind.NOTICE, DeadlineKind.EXIT})
"""The kinds that ask nobody for anything."""


def _found(accord: Accord, names: Iterable[str], when: AsOf) -> Iterator[tuple[str, _Found]]:
    asked = ("inbox", replace(when, viewer=OPERATOR))
    return computed.of_each(accord, names, asked, partial(_of_each, accord, when))


def _of_each(accord: Accord, when: AsOf, names: list[str]) -> Iterator[tuple[str, _Found]]:
    while page := names[:PAGE]:
        del names[:PAGE]
        for found in _live(accord, page) if when.is_now else _replayed(accord, page, when):
            rows = _with_people(accord, when, _with_disputes(accord, when, found))
            asked = tuple((_place(each), each) for each in items(rows))
            yield rows.id, _Found(asked, tuple(filter(_asks_nobody, rows.due)))


def _with_disputes(accord: Accord, when: AsOf, rows: Rows) -> Rows:
    """Return the rows with the disputes about what is due; only the log says of which lines."""
    if not rows.unpaid or not any(each.rule == DISPUTE_OPENED for each in rows.alerts):
        return rows
    events = log(accord.history, rows.id, replace(when, viewer=OPERATOR))
    return replace(rows, disputed_lines=replay(events).disputes_of_issued())


def _with_people(accord: Accord, when: AsOf, rows: Rows) -> Rows:
    """Return the rows with the people whom a proposal names; only the log has their names."""
    if not any(map(names_people, rows.proposals.open)):
        return rows
    events = log(accord.history, rows.id, replace(when, viewer=OPERATOR))
    return replace(rows, proposals=with_names(rows.proposals, events))


def _live(accord: Accord, names: list[str]) -> Iterator[Rows]:
    """Yield partnerships from saved rows: one statement for each row."""
    rows = {
        (fold.name, key): row_of_each(accord, fold, key, names)
        for fold, key in (
            (OVERVIEW, OVERVIEW_ROW),
            (PROPOSALS, OPEN_PROPOSALS),
            (DEADLINES, OPEN_DEADLINES),
            (DEADLINES, OVERDUE),
            (DEADLINES, PLANNED),
            (ALERTS, STATE),
            (SETTLEMENT, AGREED),
            (SETTLEMENT, TOTALS),
        )
    }
    for name in names:
        kept = {place: found.get(name) for place, found in rows.items()}
        asking = _asking(kept[ALERTS.name, STATE] or START)
        alerts = tuple(_each_lead(asking, partial(_waits, accord, name)))
        subjects = _facts(accord, name, {_subject(each) for each in alerts})
        late = [each.window for each in alerts if each.rule == STATEMENT_OVERDUE]
        agreed: AgreedRow | None = kept[SETTLEMENT.name, AGREED]
        due = [*agreed.due] if agreed else []
        stated = _saved(accord, SETTLEMENT, name, {f"{STATED}{each}" for each in (*due, *late)})
        yield from _read(name, kept, alerts, subjects, stated.values())


def _replayed(accord: Accord, names: list[str], when: AsOf) -> Iterator[Rows]:
    def replayed(name: str) -> Rows | None:
        return next(of_events(name, stored_log(accord.history, name, when)), None)

    return of_each(names, replayed)


def of_events(name: str, events: Iterable[Recorded]) -> Iterator[Rows]:
    """Yield the rows of a partnership that its events come to, if it had begun."""
    yield from of_folded(name, replay_all(FOLDS, events).folded)


def of_folded(name: str, folded: Iterable[tuple[Projection, Folded]]) -> Iterator[Rows]:
    """Yield the rows of a partnership that its `FOLDS` come to, if it had begun."""
    kept = {(each.name, key): row for each, of in folded for key, row in of.rows.items()}
    asking = _asking(kept.get((ALERTS.name, STATE)) or START)
    alerts = tuple(_each_lead(asking, lambda key: kept.get((ALERTS.name, key)) or WaitsRow()))
    subjects = {each: kept.get((ALERTS.name, FACTS + each)) for each in map(_subject, alerts)}
    stated = [
        row
        for (fold, key), row in kept.items()
        if fold == SETTLEMENT.name and key.startswith(STATED)
    ]
    yield from _read(name, kept, alerts, subjects, stated)


def _asking(state: AlertsState) -> tuple[Alert, ...]:
    """Return the open alerts that have inbox items of their own, beside those of deadlines."""
    return tuple(
        each for each in state.open.values() if each.rule in COMPUTED or each.rule in _OF_ALERT
    )


def _each_lead(alerts: Iterable[Alert], get: Get) -> Iterator[Alert]:
    """Yield the alerts; one on the leads of a month is replaced by one for each of them."""
    for alert in alerts:
        if alert.rule != LEAD_UNANSWERED:
            yield alert
            continue
        month, party = alert.window.split("/")
        for each in leads_of(get, month, party):
            about = f"deal/{each.deal}/{ClaimKind.REFERRAL}"
            yield replace(alert, window=about, since=each.since)


def _waits(accord: Accord, name: str, key: str) -> WaitsRow:
    found: WaitsRow = _saved(accord, ALERTS, name, [key]).get(key) or WaitsRow()
    return found


def _facts(accord: Accord, name: str, subjects: Iterable[str]) -> dict[str, SubjectRow | Payout]:
    found = _saved(accord, ALERTS, name, {FACTS + each for each in subjects})
    return {key.removeprefix(FACTS): row for key, row in found.items()}


def _saved(accord: Accord, fold: Projection, name: str, keys: Iterable[str]) -> dict[str, Any]:
    """Return saved rows of a partnership, by key, each as its type."""
    wanted = [(name, key) for key in sorted(keys)]
    if not wanted:
        return {}
    return {
        key: typed_row(fold, name, key, row)
        for (_, key), row in accord.views.rows(fold.name, wanted).items()
    }


def _read(
    name: str,
    kept: Mapping[tuple[str, str], Any],
    alerts: tuple[Alert, ...],
    subjects: Mapping[str, SubjectRow | Payout | None],
    stated: Iterable[StatementRow],
) -> Iterator[Rows]:
    """Yield the rows of a partnership that had begun by then."""
    overview: Overview | None = kept.get((OVERVIEW.name, OVERVIEW_ROW))
    state: AlertsState = kept.get((ALERTS.name, STATE)) or START
    due: OpenDeadlines | None = kept.get((DEADLINES.name, OPEN_DEADLINES))
    overdue: OverdueDeadlines | None = kept.get((DEADLINES.name, OVERDUE))
    planned: Planned | None = kept.get((DEADLINES.name, PLANNED))
    agreed: AgreedRow | None = kept.get((SETTLEMENT.name, AGREED))
    if overview is not None and overview.stages:
        totals: TotalsRow | None = kept.get((SETTLEMENT.name, TOTALS))
        known = {TOTALS: totals} if totals else {}
        yield Rows(
            name,
            overview,
            kept.get((PROPOSALS.name, OPEN_PROPOSALS)) or OpenProposals(),
            tuple(expected(due.open)) if due else (),
            overdue.passed if overdue else (),
            alerts,
            subjects,
            tuple(each for each in stated if each.left > 0),
            terms_of(agreed) if agreed else TermsByDay(),
            ledger(known),
            stated_periods(known),
            agreed.objected if agreed else (),
            state.figures.objectives,
            tuple(_disputed(state)),
            state.asked,
            planned.of if planned else {},
        )


def _disputed(state: AlertsState) -> Iterator[DisputedFigure]:
    periods = {each.window.split("/")[2] for each in _differing(state)}
    return disputed_figures(state.judged, sorted(periods))


def _differing(state: AlertsState) -> list[Alert]:
    return [each for each in state.open.values() if each.rule == FIGURES_DIFFER]


# --- items -------------------------------------------------------------------------------------


def items(rows: Rows) -> Iterator[InboxItem]:
    """Yield what awaits each party of a partnership.

    What one person of a party did is not asked of the party again while a second person is to
    confirm it; its confirmation is.
    """
    for item in _asked(rows):
        open_ = tuple(each for each in item.events if not _awaits_second(rows, each))
        if open_[:1] == item.events[:1]:
            yield item.model_copy(update={"events": open_})


def _awaits_second(rows: Rows, event: EventToSend) -> bool:
    """Whether a person of the party did what an event asks for, and a second one is to confirm."""
    acts = [each for each in rows.proposals.acts if each.party == event.party]
    if not acts:
        return False
    command = command_types()[event.type.removeprefix(cloudevents.PREFIX)]
    return any(act.does(command, event.data) for act in acts)


def _asked(rows: Rows) -> Iterator[InboxItem]:
    for proposal in rows.proposals.open:
        yield from _of_proposal(rows, proposal)
    for act in rows.proposals.acts:
        yield _of_act(rows, act)
    if rows.proposals.unsigned:
        yield from _of_draft(rows, rows.proposals.unsigned)
    # What is overdue is done by the same act as its next time.
    overdue = {each.id for each in rows.overdue}
    due = [each for each in rows.due if each.id not in overdue]
    for awaiting, deadlines in ((Awaiting.DUE, due), (Awaiting.OVERDUE, rows.overdue)):
        for deadline in deadlines:
            yield from _of_deadline(rows, deadline, awaiting)
    yield from _of_unstated(rows)
    yield from _without_rate(rows)
    for row in rows.unpaid:
        yield _of_statement(rows, row)
    for alert in rows.alerts:
        of_alert = _OF_ALERT.get(alert.rule, _of_claim)
        yield from of_alert(rows, alert)


def _of_dispute(rows: Rows, alert: Alert) -> Iterator[InboxItem]:
    """Yield that a party corrects its figure, or confirms what it objected to."""
    for each in rows.disputed:
        if each.ref != alert.window:
            continue
        reporters = {stated.party: stated for stated in each.told}
        for party in rows.overview.parties:
            if stated := reporters.get(party):
                yield _asked_by(rows, alert, party, Awaiting.CLAIM, [_settles(rows, stated, each)])


def _of_opened(rows: Rows, alert: Alert) -> Iterator[InboxItem]:
    """Yield that either party proposes how a dispute ends, unless a proposal awaits an answer."""
    if any(each.substream == f"dispute/{alert.window}" for each in rows.proposals.open):
        return
    for party in rows.overview.parties:
        ends = _event(rows, party, ProposeResolution, {"dispute": alert.window})
        yield _asked_by(rows, alert, party, Awaiting.DISPUTE, [ends], "Propose how it ends.")


def _settles(rows: Rows, stated: StatedBy, disputed: DisputedFigure) -> EventToSend:
    figure = {
        "metric": disputed.metric,
        # One that stated months of a quarter says which of them was wrong.
        **({"period": stated.period} if stated.period == disputed.period else {}),
        "tool": stated.tool,
        **({"segment": disputed.segment} if disputed.segment else {}),
    }
    if stated.party in disputed.objectors:
        return _event(rows, stated.party, ConfirmClaim, {"figure": figure, "fact": FIGURE})
    return _event(rows, stated.party, CorrectMetric, figure)


def _event(
    rows: Rows,
    party: str,
    command: type[Command],
    data: Mapping[str, Any],
    needed: tuple[str, ...] = (),
) -> EventToSend:
    """Return an event; `needed` are the fields that it needs here, though not always."""
    return _event_of(rows.id, party, command, data, needed)


def _event_of(
    subject: str,
    party: str,
    command: type[Command],
    data: Mapping[str, Any],
    needed: tuple[str, ...] = (),
) -> EventToSend:
    return EventToSend(
        type=cloudevents.PREFIX + command.__name__,
        subject=subject,
        party=party,
        data={key: each for key, each in data.items() if each is not None},
        missing=tuple(
            name
            for name, field in command.model_fields.items()
            if (field.is_required() or name in needed) and name not in data
        ),
    )


def _of_proposal(rows: Rows, proposal: OpenProposal) -> Iterator[InboxItem]:
    for party in rows.overview.parties:
        if party == proposal.party:
            continue
        ref = answer_ref(proposal.agreement, proposal.proposal, proposal.substream or None)
        answer = _answer_by(rows, f"{DeadlineKind.ANSWER.value}/{ref}", proposal.made_at)
        asked = rows.asked.get(ref)
        ends = (x for x in rows.due if asked and asked.concerns(DUE_SOON, x.id))
        near = (_AnswerBy(x.last_day) for x in ends if not x.waits and not _is_far(x))
        first = min((answer, *near), key=lambda each: each.day)
        yield InboxItem(
            day=first.day,
            is_last=first.is_last,
            awaiting=Awaiting.CONSENT,
            partnership=rows.id,
            party=party,
            ref=proposal.proposal,
            text=_proposed(proposal) + answer.late,
            events=tuple(_answers(rows, party, proposal)),
        )


class _AnswerBy(NamedTuple):
    """The day of an answer: the last one, or without a deadline that since which it waits."""

    day: date
    is_last: bool = True
    late: str = ""
    """A sentence that says so if that day is over."""


def _answer_by(rows: Rows, asked: str, since: datetime) -> _AnswerBy:
    """Return the day of an answer; `asked` is its deadline."""
    for each in rows.overdue:
        if each.id == asked:
            return _AnswerBy(each.last_day, late=f" The answer was due by {each.last_day}.")
    for each in rows.due:
        if each.id == asked:
            return _AnswerBy(each.last_day)
    return _AnswerBy(rows.terms.day(since), is_last=False)


def _proposed(proposal: OpenProposal) -> str:
    where = f" of {proposal.substream.replace('/', ' ')}" if proposal.substream else ""
    what = proposal.text.removesuffix(".")
    return f"{proposal.party} {what} (proposal {proposal.proposal}{where})."


def _answers(rows: Rows, party: str, proposal: OpenProposal) -> Iterator[EventToSend]:
    declined = {
        "within": proposal.substream or None,
        "agreement": proposal.agreement,
        "proposal": proposal.proposal,
    }
    if proposal.agreement == HYPOTHESIS:
        started = {"experiment": proposal.proposal, "content": proposal.content}
        yield _event(rows, party, StartPilot, started)
        yield _event(rows, party, DeclineProposal, declined)
        return
    agreement = kind_named(proposal.agreement)
    kind, _, name = proposal.substream.partition("/")
    where = {kind: name} if kind else {}
    for command in agreement.answers():
        needed: tuple[str, ...] = ()
        if command is DeclineProposal:
            data = declined
        elif command is agreement.counters:
            data, needed = {"counters": proposal.proposal}, _TERMS
        else:
            data = {**where, agreement.called: proposal.proposal, "content": proposal.content}
            if command is AgreeAdoptionPart and len(proposal.parts) == 1:
                data["part"] = proposal.parts[0].value
        event = _event(rows, party, command, data, needed)
        if command is AcceptTerms and proposal.first_day and rows.terms.is_agreed:
            closes = rows.terms.midnight(proposal.first_day + DAY)
            event = _TimedEvent(**dict(event), closes=closes)
        yield event


_TERMS: Final = ("frame", "items")
"""What terms are made of. Later ones can have one of them alone."""


def _of_act(rows: Rows, act: OpenAct) -> InboxItem:
    data = {"within": act.within or None, "act": act.act}
    return InboxItem(
        day=act.confirm_by,
        awaiting=Awaiting.SECOND_PERSON,
        partnership=rows.id,
        party=act.party,
        ref=act.act,
        text=f"{act.party} {act.text}.",
        events=(
            _event(rows, act.party, ConfirmAct, {**data, "content": act.content}),
            _event(rows, act.party, WithdrawAct, data),
        ),
    )


def _of_draft(rows: Rows, draft: Unsigned) -> Iterator[InboxItem]:
    keys: dict[str, list[str]] | None = {
        party: [name for of, name in rows.proposals.keys if of == party]
        for party in sorted({party for party, _ in rows.proposals.keys})
    } or None
    for party in rows.overview.parties:
        ends = WithdrawProposal if party == draft.drafted_by else DeclineProposal
        if party not in draft.signed_by:
            data = {
                "agreement_version": draft.version,
                "content": draft.content,
                "signing_keys": keys,
            }
            asked = f"{DeadlineKind.SIGNATURE.value}/{of_party(f'{draft.version}', party)}"
            answer = _answer_by(rows, asked, draft.drafted_at)
            what = f"{draft.drafted_by} drafted version {draft.version} of the agreement."
            yield InboxItem(
                day=answer.day,
                is_last=answer.is_last,
                awaiting=Awaiting.CONSENT,
                partnership=rows.id,
                party=party,
                ref=f"agreement {draft.version}",
                text=what + answer.late,
                events=(
                    _event(rows, party, SignAgreement, data),
                    _event(rows, party, ends, {"agreement": DRAFT, "proposal": f"{draft.version}"}),
                ),
            )


# --- what is due -------------------------------------------------------------------------------

_ONCE_REMINDED: Final = frozenset({DeadlineKind.CADENCE, DeadlineKind.TERM_END})
"""The kinds that come round by themselves. Nothing is asked of them before their reminder.

What both planned is listed with its day from then on.
"""

_ASKS: Final[Mapping[DeadlineKind, tuple[str, type[Command], str]]] = {
    DeadlineKind.MILESTONE: ("Reach milestone {}.", ReachMilestone, "milestone"),
    DeadlineKind.REVIEW: ("Hold review {}.", ProposeReviewHeld, "review"),
    DeadlineKind.ACTION: ("Do action {}.", CompleteAction, "action"),
    DeadlineKind.ONBOARDING: ("Complete onboarding step {}.", CompleteOnboardingStep, "step"),
    DeadlineKind.CONTRIBUTION: (
        "Give contribution {}, and record it.",
        RecordContribution,
        "contribution",
    ),
    DeadlineKind.CAMPAIGN: ("Close campaign {}, with what it brought.", CloseCampaign, "campaign"),
    DeadlineKind.ISSUE: ("Resolve issue {}.", ProposeIssueResolution, "issue"),
    DeadlineKind.IMPROVEMENT: (
        "Close improvement plan {}, with its outcome.",
        ProposeImprovementPlanOutcome,
        "plan",
    ),
    DeadlineKind.PAUSE: (
        "Resume what pause {} stopped and end the pause, or agree a later last day.",
        ProposeCancellation,
        "ref",
    ),
    DeadlineKind.CURE: ("Cure breach {}, and say how.", ProposeCure, "breach"),
    DeadlineKind.CADENCE: ("Hold the next {}.", ProposeReview, "kind"),
    DeadlineKind.NOTICE_WARNING: (
        "Decide on the renewal; the last day for notice is {}.",
        ProposeRenewal,
        "",
    ),
    DeadlineKind.TERM_END: ("Renew or leave; the term is over on {}.", ProposeRenewal, ""),
}
"""What a deadline asks for: in words, the command, and its field that names what is due."""

_ASKS_BOTH: Final[Mapping[DeadlineKind, tuple[str, type[Command], str]]] = {
    DeadlineKind.MILESTONE: ("Reach milestone {}.", ProposeMilestoneReached, "milestone"),
}
"""What a deadline asks for instead, where both own what is due."""


_HELD_BY: Final[Mapping[str, tuple[str, type[Command], str]]] = {
    "annual_review": ("Hold the next {}.", ProposeAnnualReview, ""),
    "audit": ("Do the next {}.", RecordAudit, ""),
    "health_check": ("Fill in the next {}.", RecordHealthCheck, ""),
}
"""What a cadence asks for that is not one of reviews; it names no kind."""


_OF_THE_TERM: Final = frozenset({DeadlineKind.NOTICE_WARNING, DeadlineKind.TERM_END})
"""The kinds that ask both to renew, or one to leave, until one of them happened."""


def _is_far(deadline: Deadline) -> bool:
    """Whether nothing is asked yet about a deadline that is ahead."""
    if deadline.kind in _ONCE_REMINDED:
        return deadline.remind_at is not None
    return deadline.kind is DeadlineKind.NOTICE_WARNING


def _asks_nobody(deadline: Deadline) -> bool:
    """Whether a deadline is a day ahead on which nobody has to act, or not yet.

    The reminder of a notice is before its last day, which is such a day by itself.
    """
    is_reminder = deadline.kind is DeadlineKind.NOTICE_WARNING
    return deadline.kind in _AHEAD or (_is_far(deadline) and not is_reminder)


def _of_deadline(rows: Rows, deadline: Deadline, awaiting: Awaiting) -> Iterator[InboxItem]:
    is_over = awaiting is Awaiting.OVERDUE
    match deadline.kind:
        case DeadlineKind.FIGURE:
            yield from _of_figure(rows, deadline, awaiting)
        case DeadlineKind.CONFIRMATION if is_over:
            yield _of_lapsed_act(rows, deadline)
        case DeadlineKind.EXIT if is_over:
            if not _is_proposed(rows, deadline):
                yield from _of_exit(rows, deadline, awaiting)
        case _:
            if (is_over or not _is_far(deadline)) and not _is_proposed(rows, deadline):
                yield from _of_task(rows, deadline, awaiting)


def _of_task(rows: Rows, deadline: Deadline, awaiting: Awaiting) -> Iterator[InboxItem]:
    """Yield what a deadline asks of those who act, if it asks for anything."""
    asked = _ASKS_BOTH.get(deadline.kind) if not deadline.party else None
    asked = asked or _ASKS.get(deadline.kind)
    if asked is None:
        return
    text, command, field = asked
    day = deadline.last_day
    if deadline.kind is DeadlineKind.NOTICE_WARNING:
        # What passed is the day of the reminder; the notice is in time until its own last day.
        awaiting, day = Awaiting.DUE, date.fromisoformat(deadline.ref)
    if command is ProposeRenewal and rows.overview.stage is not Stage.RENEWAL:
        command = HoldRenewalReview
    words = f"{deadline.ref}, on {day}" if deadline.on_its_day else deadline.ref
    if deadline.kind is DeadlineKind.CADENCE:
        if _is_scheduled(rows, deadline):
            return
        kind = words.partition("/")[0]
        words = cadence_words(kind)
        text, command, field = _HELD_BY.get(kind, asked)
    for party in _acting(rows, deadline):
        yield InboxItem(
            day=day,
            awaiting=awaiting,
            partnership=rows.id,
            party=party,
            ref=deadline.ref,
            text=text.format(words),
            events=tuple(_does(rows, party, deadline, command, {field: deadline.ref})),
        )


def _is_scheduled(rows: Rows, deadline: Deadline) -> bool:
    """Whether the review that a cadence asks for is scheduled in time, or proposed.

    The next one of a cadence that was missed is in time until the next day of that cadence.
    """
    if any(_cadence_of(rows, each) == deadline.ref for each in rows.proposals.open):
        return True
    last = max(each.last_day for each in (deadline, *rows.due) if each.id == deadline.id)
    return any(
        cadence_of_kind(rows.planned.get(each.id, {}).get("kind")) == deadline.ref
        and each.last_day <= last
        for each in rows.due
        if each.kind is DeadlineKind.REVIEW
    )


def _cadence_of(rows: Rows, proposal: OpenProposal) -> str:
    """Return the cadence for which a proposed review counts; empty for another proposal."""
    scheduled = rows.planned.get(proposal.closes, {}).get("kind")
    return proposal.counts_for or (
        cadence_of_kind(scheduled) if proposal.agreement == ReviewHeld.name else ""
    )


def _acting(rows: Rows, deadline: Deadline) -> Iterator[str]:
    """Yield the parties that act on a deadline."""
    waiting = _waiting(rows, DUE_SOON, deadline.id)
    for party in (deadline.party,) if deadline.party else rows.overview.parties:
        if party not in waiting:
            yield party


def _waiting(rows: Rows, rule: str, about: str) -> list[str]:
    """Return the parties that wait for the answer to a proposal that would end an alert."""
    answering = [each.answers for each in rows.asked.values() if each.concerns(rule, about)]
    return [other_of(rows.overview.parties, each) for each in answering]


def _is_exit(deadline: Deadline) -> bool:
    return deadline.kind is DeadlineKind.EXIT


def _of_exit(rows: Rows, deadline: Deadline, awaiting: Awaiting) -> Iterator[InboxItem]:
    """Yield what an exit that took effect still needs, until its completion is proposed (C27).

    The settlement and the assets come first, in any order. A party that can do neither waits.
    """
    proposed = {each.agreement for each in rows.proposals.open}
    commands: list[type[Command]] = []
    if not rows.overview.settled:
        commands.append(IssueFinalSettlement)
    if not rows.overview.assets_settled and AssetsDispositioned.name not in proposed:
        commands.append(ProposeDisposition)
    if rows.overview.settled and rows.overview.assets_settled:
        commands.append(ProposeCompletion)
    balances = final_balances(rows.ledger, rows.overview.parties)
    paying = issuers(balances, rows.overview.parties)
    for party in rows.overview.parties:
        mine = [x for x in commands if x is not IssueFinalSettlement or party in paying]
        if not mine:
            continue
        yield InboxItem(
            day=date.fromisoformat(deadline.ref),
            awaiting=awaiting,
            partnership=rows.id,
            party=party,
            ref=deadline.ref,
            text=f"Complete the exit, which took effect on {deadline.ref}.",
            events=tuple(_completes(rows, party, each, balances) for each in mine),
        )


def _completes(
    rows: Rows, party: str, command: type[Command], balances: Iterable[Balance]
) -> EventToSend:
    issues = command is IssueFinalSettlement
    return _event(rows, party, command, {"contents": contents_of(balances)} if issues else {})


def _of_lapsed_act(rows: Rows, deadline: Deadline) -> InboxItem:
    """Return that nobody confirmed an act in time, so that it is done again or taken back."""
    name, _, within = deadline.ref.partition("/")
    data = {"within": within or None, "act": name}
    return InboxItem(
        day=deadline.last_day,
        awaiting=Awaiting.OVERDUE,
        partnership=rows.id,
        party=deadline.party,
        ref=name,
        text=f"Do act {act_words(deadline.ref)} again, or take it back: it lapsed without a second "
        "person.",
        events=(_event(rows, deadline.party, WithdrawAct, data),),
    )


def _unit(unit: str) -> str:
    return "" if unit == Unit.COUNT else f", in {unit}"


def _of_figure(rows: Rows, deadline: Deadline, awaiting: Awaiting) -> Iterator[InboxItem]:
    """Yield that a figure is to be reported, by its party or by either."""
    metric, segment, period, *_ = Figure.of(deadline.ref)
    part = segment or None
    # A neutral third party is not shown the charter.
    shown = rows.objectives if deadline.party in {"", *rows.overview.parties} else ()
    measured = [each for each in shown if (each.metric, each.segment) == (metric, part)]
    data = {"metric": metric, "period": period, "segment": part}
    data |= {"tool": measured[0].tool} if measured else {}
    source = f" from {measured[0].tool}{_unit(measured[0].unit)}" if measured else ""
    for party in (deadline.party,) if deadline.party else rows.overview.parties:
        yield InboxItem(
            day=deadline.last_day,
            awaiting=awaiting,
            partnership=rows.id,
            party=party,
            ref=deadline.ref,
            text=f"Report the {figure_words(deadline.ref)}{source}.",
            events=(_event(rows, party, ReportMetric, data),),
        )


def _does(
    rows: Rows, party: str, deadline: Deadline, command: type[Command], data: Mapping[str, str]
) -> Iterator[EventToSend]:
    """Yield the events that do what is due.

    A pause ends, or goes on for longer. A meeting is scheduled, or was held without that; at the
    end of a term one renews, or leaves. Until the day of a review both can move it, and from then
    on it can be held.
    """
    data = {name: each for name, each in data.items() if name}
    planned = rows.planned.get(deadline.id, {})
    if deadline.kind is DeadlineKind.PAUSE:
        data["kind"] = "pause"
    if deadline.kind is DeadlineKind.CONTRIBUTION:
        data = {**data, **planned}
    if rows.overview.stage in command.stages:
        event = _event(rows, party, command, data)
        if deadline.on_its_day:
            opens = rows.terms.midnight(rows.terms.day(deadline.since))
            event = _TimedEvent(**dict(event), opens=opens)
        yield event
    if deadline.kind is DeadlineKind.CADENCE and command is ProposeReview:
        yield _event(rows, party, ProposeReviewHeld, data)
    if deadline.on_its_day:
        yield _event(rows, party, ProposeReview, {**data, **planned}, ("reason",))
    if deadline.kind in _OF_THE_TERM:
        yield _event(rows, party, GiveExitNotice, {})
    if deadline.kind is DeadlineKind.PAUSE:
        again = {"pause": deadline.ref, **planned}
        yield _event(rows, party, ProposePause, again, ("last_day",))


def _is_proposed(rows: Rows, deadline: Deadline) -> bool:
    """Whether a party proposed what is due, so that it awaits the consent of the other."""
    if deadline.kind is DeadlineKind.EXIT:
        return any(each.agreement == PartnershipExited.name for each in rows.proposals.open)
    return any(each.closes == deadline.id for each in rows.proposals.open)


def _of_unstated(rows: Rows) -> Iterator[InboxItem]:
    """Yield the next statement of each currency, to a side that issues it once its period is over.

    What is open when an exit has taken effect is for the final settlement.
    """
    is_final = any(map(_is_exit, rows.overdue)) and not rows.overview.settled
    if is_final or rows.overview.stage not in IssueStatement.stages:
        return
    for period, balance in next_statements(rows.ledger, rows.stated, rows.overview.parties):
        first, name = bounds(period)[1].date(), f"{period}:{balance.currency}"
        amount = f"{Money(amount=balance.amount, currency=balance.currency)}"
        pays = f"{balance.payer} pays {balance.payee} {amount}" if balance.payer else "nobody pays"
        contents = contents_of([balance])
        data = {"period": period, "currency": balance.currency, "contents": contents}
        for party in issuers([balance], rows.overview.parties):
            event = _event(rows, party, IssueStatement, data)
            yield InboxItem(
                day=first,
                is_last=False,
                awaiting=Awaiting.DUE,
                partnership=rows.id,
                party=party,
                ref=name,
                text=f"Issue statement {name}, possible since {first}: {pays}.",
                events=(_TimedEvent(**dict(event), opens=rows.terms.midnight(first)),),
            )


def _without_rate(rows: Rows) -> Iterator[InboxItem]:
    """Yield the rates for which amounts of months that are over wait, until one is proposed."""
    if any(each.agreement == RateAgreed.name for each in rows.proposals.open):
        return
    for each in rows.ledger.accrued:
        if each.rate is None and any(each.earned.values()):
            yield from _of_rate(rows, each)


def _of_rate(rows: Rows, waiting: Accrued) -> Iterator[InboxItem]:
    month, base, quote = waiting.month, waiting.currency, waiting.settles_in
    first = bounds(month)[1].date()
    rules = rows.terms.frame(first - DAY).rates
    data = {"base": base, "quote": quote} | ({} if rules.by == "day" else {"period": month})
    ways: list[tuple[type[Command], dict[str, str]]] = [(ProposeRate, data)]
    if rules.source and f"{base}|{quote}|{month}|{rules.source}" not in rows.objected:
        ways.append((PublishRate, {**data, "source": rules.source}))
    amounts = (f"{Money(amount=x, currency=base)}" for x in waiting.earned.values() if x)
    for party in rows.overview.parties if rows.overview.stage in ProposeRate.stages else ():
        events = (_event(rows, party, *way) for way in ways)
        yield InboxItem(
            day=first,
            is_last=False,
            awaiting=Awaiting.DUE,
            partnership=rows.id,
            party=party,
            ref=f"{base}/{quote}/{month}",
            text=f"Agree the rate from {base} to {quote} for {month}: "
            f"{' and '.join(amounts)} cannot be stated without it.",
            events=tuple(_TimedEvent(**dict(x), opens=rows.terms.midnight(first)) for x in events),
        )


def _of_statement(rows: Rows, row: StatementRow) -> InboxItem:
    balance = Balance.model_validate(row.balance)
    left = Money(amount=row.left, currency=balance.currency)
    payer = balance.payer or ""
    data = {"statement": row.statement, "amount": left.model_dump(mode="json")}
    note = _in_dispute(left, rows.disputed_lines.get(row.statement, ()))
    return InboxItem(
        day=row.due_on,
        awaiting=Awaiting.OVERDUE if row.overdue else Awaiting.DUE,
        partnership=rows.id,
        party=payer,
        ref=row.statement,
        text=f"Pay {left} of statement {row.statement}.{note}",
        events=(_event(rows, payer, RecordPayout, data),),
    )


def _in_dispute(left: Money, disputes: tuple[StatementDispute, ...]) -> str:
    """Return how much of what is left to pay is in dispute, as a sentence; empty if nothing is."""
    if not disputes:
        return ""
    about = min(sum((each.amount.amount for each in disputes), Decimal(0)), left.amount)
    much = "All" if about == left.amount else f"{left.model_copy(update={'amount': about})}"
    names = " and ".join(each.dispute for each in disputes)
    return f" {much} of it is in dispute ({names})."


def _of_renewal(rows: Rows, alert: Alert) -> Iterator[InboxItem]:
    """Yield that a renewal was begun, and that neither renewed nor left since."""
    near = [*rows.overdue, *(each for each in rows.due if not _is_far(each))]
    if any(each.kind in _OF_THE_TERM for each in near):
        return  # The term asks for the same, with its day.
    waiting = _waiting(rows, RENEWAL_OPEN, alert.window)
    for party in (each for each in rows.overview.parties if each not in waiting):
        ways = [_event(rows, party, each, {}) for each in (ProposeRenewal, GiveExitNotice)]
        yield _asked_by(rows, alert, party, Awaiting.DUE, ways, "Renew or leave.")


def _of_unpriced(rows: Rows, alert: Alert) -> Iterator[InboxItem]:
    """Yield that no terms price an entry: both agree such terms on its day.

    Terms never begin on a day that is over. From then on its author reverses it, and both agree an
    amount in its place.
    """
    row, name = rows.subjects.get(_subject(alert)), alert.window.split("/")[1]
    if not isinstance(row, SubjectRow):
        return
    stated = [each[ENTRY] for each in (row.facts, row.others) if ENTRY in each]
    authors = {each.by for each in stated}
    day = rows.terms.day(stated[0].at)
    closes, terms = rows.terms.midnight(day + DAY), {"effective_from": day.isoformat()}
    is_proposed = any(each.agreement == CommercialTermsAgreed.name for each in rows.proposals.open)
    for party in rows.overview.parties:
        events: list[EventToSend] = []
        if not is_proposed and rows.overview.stage in ProposeTerms.stages:
            proposes = _event(rows, party, ProposeTerms, terms, _TERMS)
            events.append(_TimedEvent(**dict(proposes), closes=closes))
        if party in authors:
            events.append(_event(rows, party, ReverseEntry, {"entry": name}))
        if rows.overview.stage in ProposeAdjustment.stages:
            events.append(_event(rows, party, ProposeAdjustment, {}))
        if events:
            found = _asked_by(rows, alert, party, Awaiting.DUE, events)
            yield found.model_copy(update={"text": f"{found.text} {_AFTER_ITS_DAY}"})


_AFTER_ITS_DAY: Final = (
    "Terms that begin on that day can be agreed until it is over. After it, its author reverses "
    "it, and both agree what is owed for it as an adjustment."
)


def _of_risk(rows: Rows, alert: Alert) -> Iterator[InboxItem]:
    """Yield that a risk is open, unless a proposal that would end it awaits an answer."""
    if any(each.concerns(alert.rule, alert.window) for each in rows.asked.values()):
        return
    given_up = {"kind": "risk", "ref": alert.window}
    ways = ((ProposeRiskMitigated, {"risk": alert.window}), (ProposeCancellation, given_up))
    yield from _of_who_acts(rows, alert, ways, "Mitigate it, and say how.")


def _of_audit(rows: Rows, alert: Alert) -> Iterator[InboxItem]:
    """Yield that a party that failed an audit does it again."""
    again = {"subject": alert.window.partition("/")[0]}
    yield from _of_who_acts(rows, alert, [(RecordAudit, again)], "Audit it again.")


def _of_lowered(rows: Rows, alert: Alert) -> Iterator[InboxItem]:
    """Yield that the other party lowered what it commits, which both can talk about in a review."""
    yield from _of_who_acts(rows, alert, [(ProposeReview, {})], "Propose a review of it.")


def _of_who_acts(
    rows: Rows,
    alert: Alert,
    ways: Iterable[tuple[type[Command], Mapping[str, str]]],
    asks: str,
) -> Iterator[InboxItem]:
    ways = [(command, data) for command, data in ways if rows.overview.stage in command.stages]
    for each in alert.who_acts if ways else ():
        events = [_event(rows, each.party, command, data) for command, data in ways]
        yield _asked_by(rows, alert, each.party, Awaiting.DUE, events, asks)


# --- alerts of one party -----------------------------------------------------------------------


def _of_one_party(accord: Accord, when: AsOf, *, has_program: bool) -> Iterator[InboxItem]:
    """Yield what the alerts ask that the viewer's party alone gets, unless it silenced them.

    Those of its program need its whole portfolio, so `has_program` says whether they are asked for.
    """
    ways = dict(_ways_of_one_party(accord, when, has_program=has_program))
    if not ways:
        return
    done = alert_acts.handled(accord, (each for each, _ in ways.values()), when)
    zones = zones_of(accord, {each.partnership for each, _ in ways.values()})
    asked: dict[tuple[str, str], list[tuple[Alert, _Ways]]] = {}
    for name, (alert, commands) in ways.items():
        if name not in done or done[name].silenced_until is None:
            # A limit is set for all metrics and currencies of a partner at once.
            partner = alert.rule == DEPENDENCY_HIGH
            about = alert.window.partition("/")[0] if partner else alert.window
            asked.setdefault((alert.partnership, about), []).append((alert, commands))
    for (of, about), found in asked.items():
        alert, commands = found[0]
        party = alert.who_acts[0].party
        others = "".join(each.text.removesuffix(dependency_alerts.WAYS) for each, _ in found[:-1])
        yield InboxItem(
            day=local_day(min(each.since for each, _ in found), zones.get(of, "UTC")),
            is_last=False,
            awaiting=Awaiting.DUE,
            partnership=of,
            party=party,
            ref=about,
            text=others + found[-1][0].text,
            events=tuple(_event_of(of, party, command, data) for command, data in commands),
        )


_Ways = tuple[tuple[type[Command], Mapping[str, Any]], ...]
"""Commands, each with the data that is known."""


def _ways_of_one_party(
    accord: Accord, when: AsOf, *, has_program: bool
) -> Iterator[tuple[str, tuple[Alert, _Ways]]]:
    """Yield these alerts by id, each with the commands that end it."""
    for alert, credit in duplicate_credits.credited_twice(accord, when):
        yield alert.id, (alert, _of_twice(alert, credit))
    found = dependency_alerts.beyond(accord, when) if has_program else None
    if found:
        # The share is what is set anew.
        limits = found.defined.event.model_dump(mode="json", exclude={"largest_share"})
        for alert in found.alerts:
            yield alert.id, (alert, ((DefinePortfolio, limits),))


def _of_twice(alert: Alert, credit: Credited) -> _Ways:
    """Return the ways in which a deal or payment is credited in one partnership less."""
    kind, _, name = alert.window.partition("/")
    deal = {"deal": credit.deal}
    shared = (ProposeAttribution, deal)
    if kind == ClaimKind.PAYMENT:
        return (CorrectPayment, {**deal, "payment": name}), shared
    return (CancelDeal if credit.is_won else LoseDeal, deal), shared


# --- claims ------------------------------------------------------------------------------------


def _subject(alert: Alert) -> str:
    """Return what an alert is about: `deal/D-1`, `entry/E-1`, `figure/clicks/2026-03`."""
    if alert.rule == ATTRIBUTION_CONTESTED:
        return f"deal/{alert.window}"
    kind, *names = alert.window.split("/")
    return "/".join([kind, *names[: 2 if kind == "figure" else 1]])


def _of_lead(rows: Rows, alert: Alert) -> Iterator[InboxItem]:
    """Yield that a lead awaits its answer by the last agreed day, or that it was rejected."""
    row, deal = rows.subjects.get(_subject(alert)), alert.window.split("/")[1]
    if not isinstance(row, SubjectRow):
        return
    lead = row.facts[ClaimKind.REFERRAL]
    named = {"deal": deal, "fact": ClaimKind.REFERRAL.value, "fact_at": instant(lead.at)}
    if alert.rule == LEAD_UNANSWERED:
        asks = asks_of_lead(deal, lead.by, other_of(rows.overview.parties, lead.by))
        alert = replace(alert, text=f"{asks}. {NO_DAYS}")
    answers = _confirms(rows, lead.by, named)
    if alert.rule == LEAD_REJECTED:
        answers = iter([(lead.by, (_event(rows, lead.by, LoseDeal, {"deal": deal}),))])
    for party, events in answers:
        yield _asked_by(rows, alert, party, Awaiting.CLAIM, events)


def _of_claim(rows: Rows, alert: Alert) -> Iterator[InboxItem]:
    if alert.rule in {LEAD_AWAITS, LEAD_UNANSWERED, LEAD_REJECTED}:
        yield from _of_lead(rows, alert)
        return
    for party, events in _replies(rows, alert, _subject(alert)):
        yield _asked_by(rows, alert, party, Awaiting.CLAIM, events)


def _asked_by(  # noqa: PLR0913, PLR0917 - what an item is made of
    rows: Rows,
    alert: Alert,
    party: str,
    awaiting: Awaiting,
    events: Iterable[EventToSend],
    asks: str = "",
) -> InboxItem:
    """Return what an alert asks of a party: by the day on which it says, or since it opened."""
    return InboxItem(
        day=alert.answer_by or rows.terms.day(alert.since),
        is_last=alert.answer_by is not None,
        awaiting=awaiting,
        partnership=rows.id,
        party=party,
        ref=alert.window,
        text=f"{alert.text} {asks}".rstrip(),
        events=tuple(events),
    )


def _replies(
    rows: Rows, alert: Alert, subject: str
) -> Iterator[tuple[str, tuple[EventToSend, ...]]]:
    """Yield who answers a claim, and the events that do."""
    kind, *names = subject.split("/")
    if alert.rule == ATTRIBUTION_CONTESTED:
        if any(each.substream == subject for each in rows.proposals.open):
            return
        for party in rows.overview.parties:
            yield party, (_event(rows, party, ProposeAttribution, {"deal": names[0]}),)
        return
    row = rows.subjects.get(subject)
    key = alert.window.removeprefix(f"{subject}/")
    if row is None:
        return
    if isinstance(row, Payout):
        by, fact = _said_of_payout(row, key)
        yield from _confirms(rows, by, {"payout": names[0], "fact": fact})
        return
    stated: Correction | Fact
    if key.startswith("correction/"):
        stated = correction = row.corrections[key.removeprefix("correction/")]
        of = correction.of
    else:
        # The key of what can happen several times ends in its time.
        stated, of = row.facts[key], key.partition("@")[0]
        if stated.by in {each.party for each in alert.who_acts}:
            stated = row.others.get(key, stated)
    where: dict[str, Any] = {kind: names[0]}
    if kind == "figure":
        tool, _, segment = of.partition("/")
        metric, period = names
        figure = {"metric": metric, "period": period, "tool": tool}
        where, of = (
            {"figure": figure | ({} if segment in {"", "-"} else {"segment": segment})},
            "figure",
        )
    fact = f"correction/{of}" if key.startswith("correction/") else of
    yield from _confirms(rows, stated.by, {**where, "fact": fact, "fact_at": instant(stated.at)})


def _said_of_payout(payout: Payout, key: str) -> tuple[str, str]:
    """Return who stated a fact of a payout, and the name of the fact in an answer."""
    if key.startswith("correction/"):
        return key.removeprefix("correction/"), "correction/payout"
    said = payout.returns[-1][1] if key == RETURN or not payout.recorded else payout.recorded[1]
    return said.party, key


def _confirms(
    rows: Rows, by: str, answer: dict[str, Any]
) -> Iterator[tuple[str, tuple[EventToSend, ...]]]:
    """Yield the party that did not state a fact, and the events with which it answers."""
    for party in rows.overview.parties:
        if party != by:
            commands = (ConfirmClaim, ObjectToClaim)
            yield party, tuple(_event(rows, party, each, answer) for each in commands)


_OF_ALERT: Final = {
    RENEWAL_OPEN: _of_renewal,
    ENTRY_WITHOUT_TERMS: _of_unpriced,
    FIGURES_DIFFER: _of_dispute,
    DISPUTE_OPENED: _of_opened,
    RISK_OPEN: _of_risk,
    AUDIT_FAILED: _of_audit,
    COMMITMENT_LOWERED: _of_lowered,
}
"""What asks for something because of an alert; all others are claims."""

# --- text --------------------------------------------------------------------------------------

_STYLES = {
    Awaiting.OVERDUE: "bold red",
    Awaiting.DUE: "",
    Awaiting.CONSENT: "bold",
    Awaiting.SECOND_PERSON: "bold",
    Awaiting.CLAIM: "",
    Awaiting.DISPUTE: "bold",
}


def text(found: Inbox) -> Iterator[Block]:
    """Yield each item with its day, and the event that does it."""
    if not found.items:
        yield Remark("Nothing awaits you." if found.as_of.party else "Nothing awaits either party.")
        return
    for each in found.items:
        head = f"{each.day}  {each.awaiting:8}  {each.partnership}  {each.party}: {each.text}"
        yield Line(head, _STYLES.get(each.awaiting, ""))
        for event in each.events:
            data = {name: each for name, each in event.data.items() if name not in SIGNED}
            more = f"  and {', '.join(event.missing)}" if event.missing else ""
            yield Line(f"{event.type} {canonical(data).decode()}{more}", indent=12)
            for name in sorted(event.data.keys() & SIGNED):
                value = canonical(event.data[name]).decode()
                yield Line(f'signed, with "{name}":{value}', indent=14)
    yield Remark("The fields of an event, and an example: accord schema TYPE.")


INBOX = Question(
    "inbox",
    ask,
    text,
    path="/v1/inbox",
    within="/v1/partnerships/{partnership}/inbox",
    help="List what awaits each party by day: consents, what is due and overdue, claims.",
)
