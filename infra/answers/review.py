"""The page for a review: one page of figures (C22).

For a scheduled review it is as of the moment at which the review begins, and for one that was held
without that as of its holding, so it is the same whenever it is asked for. Otherwise it is as of
now, or as of the moment that is asked about.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from itertools import islice
from typing import Annotated, NamedTuple, TypeVar

from domain import aggregates
from domain.adoption import PartnershipAdopted
from domain.budgets import Budget, budgets
from domain.calendar import last_day_of, month_of, preceding, quarter_of
from domain.charter import ObjectiveStatus
from domain.deadlines.deadline import DeadlineKind
from domain.dispute import DisputeOpened, DisputeResolved
from domain.execution import (
    ActionAgreed,
    ActionCompleted,
    IssueRaised,
    KickoffHeld,
    MilestonePlanned,
    ReviewHeld,
    ReviewKind,
    ReviewScheduled,
)
from domain.exit import took_effect
from domain.formation import CharterAgreed, DecisionRuleAgreed
from domain.health import (
    ContributionPromised,
    ContributionRecorded,
    RiskIdentified,
    RiskMitigated,
)
from domain.kernel import Stage
from domain.metric_catalogue import metric_words
from domain.partnership import Partnership
from domain.recorded import Recorded
from domain.settlement import Balance
from domain.terms import item_words
from domain.terms_by_day import local_day
from domain.values import Exact, plain
from infra.answers import duplicate_credits, kpis
from infra.answers.escalated import with_people
from infra.answers.logs import (
    NOW,
    AsOf,
    moment_of,
    not_begun,
    own_log,
    perhaps,
    sight_of,
    whole_log,
)
from infra.answers.parameters import Name
from infra.answers.partnership_state import OpenDeadline, Party, Scorecard
from infra.answers.question import Answer, Item, Parameter, PartnershipId, PeriodName, Question
from infra.answers.show import open_deadlines, parties_of, scorecards_of
from infra.answers.show_text import deadline_words, hours_words, people_of, scorecard_words, worth
from infra.answers.text import Block, Line, Remark, Table, amount, day, figure, minute, number
from infra.bootstrap import Accord
from infra.projecting.replay import replay_all
from projections import ALERTS, KPIS, SETTLEMENT, figures
from projections.alerts import Alert, AlertState, answered, for_viewer
from projections.contribution import Contribution, Sourced, contributions, sourced
from projections.fold import Dispatch, Folded, Rows, fold_all
from projections.kpis import agreed_row
from projections.objectives import ObjectiveProgress, objectives
from projections.settlement import ledger
from projections.visibility import Sight

E = TypeVar("E", MilestonePlanned, IssueRaised)

NEXT_DEADLINES = 5
"""How many of the next deadlines are named: it is one page."""

_WIDEST = max(len(each.words) for each in ObjectiveStatus)


class Since(Item):
    """The last review, kickoff or adoption, from which on alerts and contributions are shown."""

    at: datetime
    """The moment of the review before."""
    review: str | None
    """Null for the kickoff or the adoption."""
    adopted: bool = False
    """Whether it is the adoption of a partnership that ran already."""


class ReviewAction(Item):
    """An action that a review assigned to a party."""

    agreed: ActionAgreed
    """The action as it was agreed."""
    done: bool
    """Whether the action was done."""
    overdue: bool
    """Whether its day is over and it was not done."""


class Promise(Item):
    """A promised contribution, and what was given of it (C9)."""

    promised: ContributionPromised
    """What both agreed."""
    given: ContributionRecorded | None
    """What the party recorded under its identifier; null until then."""


class Contributions(Item):
    """A party's contributions since the last review (C24)."""

    party: str
    """The party."""
    hours: Exact
    """The hours that the party gave."""
    given: tuple[ContributionRecorded, ...]
    """What the party gave."""
    promised: tuple[Promise, ...]
    """What both agreed that the party contributes, each with what it gave of it (C9)."""


class Risk(Item):
    """A risk that is not dealt with."""

    risk: RiskIdentified
    """The risk as it was identified."""
    weight: int
    """Likelihood times impact: 1 to 25."""


class Accrual(Item):
    """What accrued in a currency and is on no statement yet."""

    currency: str
    """The currency, as a code of ISO 4217."""
    earned: dict[str, Exact]
    """By party."""


class Debt(Item):
    """What is still to be paid on a statement."""

    statement: str
    """The identifier of the statement: its period and its currency."""
    payer: str
    """The party that pays."""
    amount: Exact
    """The amount, as a decimal string."""
    currency: str
    """The currency, as a code of ISO 4217."""


class Review(Answer):
    """One page for a review."""

    id: str
    """The partnership."""
    review: str | None
    """The identifier of the review; null for a page without one."""
    note: str | None
    """What to know of a review that was neither scheduled nor held; null for any other."""
    kind: ReviewKind | None
    """The kind of the review."""
    at: datetime
    """The moment of the page: when the review begins, or an earlier one that is asked about."""
    zone: str
    """The time zone of the days of the page."""
    reason: str | None
    """Why the review is held, if it is not a regular one."""
    since: Since | None
    """The review before; null if there is none."""
    stage: Stage | None
    """The stage."""
    parties: tuple[str, ...]
    """The two parties, the initiator first."""
    people: tuple[Party, ...]
    """The same parties, each with its contacts and its executive sponsor."""
    period: str
    """The period of the figures. Unless it is asked for, it is the last one that was over: a
    quarter for a strategic review, else a month."""
    is_over: bool
    """Whether that period is over; if not, its figures are to date. Months are counted in the time
    zone that was agreed first."""
    figures: tuple[figures.FigureLine, ...]
    """The metrics of objectives, rules and the minimum, for the whole or the segment agreed."""
    objectives: tuple[ObjectiveProgress, ...]
    """The objectives, each with its figure so far."""
    alerts: tuple[Alert, ...]
    """Those that are open, then those that ended since the last review."""
    actions: tuple[ReviewAction, ...]
    """The actions that reviews agreed."""
    milestones: tuple[MilestonePlanned, ...]
    """Those that are not reached; none once an exit took effect."""
    issues: tuple[IssueRaised, ...]
    """Those that are not resolved."""
    disputes: tuple[DisputeOpened, ...]
    """Those that are not resolved."""
    contributions: tuple[Contributions, ...]
    """What each party contributed."""
    health: tuple[Scorecard, ...]
    """The latest health check of each party."""
    risks: tuple[Risk, ...]
    """The heaviest first."""
    accrued: tuple[Accrual, ...]
    """What each party accrued in the months since the last review, by currency."""
    to_be_paid: tuple[Debt, ...]
    """What is still to be paid by issued statements."""
    budgets: tuple[Budget, ...]
    """The joint investments, and what their reductions leave of them."""
    net: tuple[Contribution, ...]
    """What the period brought each party in money, and what is left, by currency."""
    sourced: tuple[Sourced, ...]
    """The deals won in the period which each party sourced, and those that it influenced."""
    deadlines: tuple[OpenDeadline, ...]
    """The next ones, without what an exit that is ahead gives up."""


def ask(
    accord: Accord,
    id: PartnershipId,
    review: Annotated[
        Name | None,
        Parameter(
            "A review. Unless it is scheduled or was held: a page as of now.",
            "REVIEW",
            positional=True,
        ),
    ] = None,
    period: PeriodName = None,
    when: AsOf = NOW,
) -> Review:
    """Return the page for a review as of its beginning, or as of an earlier moment.

    Without a review that was scheduled or held it is as of now, or of the moment that is asked
    about. Raises `NotFound` if there is no such partnership, or it had not begun by then.
    """
    meetings = _meetings(accord, id, when)
    asked = None if review is None else meetings.get(review)
    now = moment_of(accord, id, when)
    moment = when
    if asked is not None:
        at, known = (min(each or asked.at, asked.at) for each in (when.at, when.known))
        moment, now = AsOf(at, known, viewer=when.viewer), min(now, asked.at)
    sight = sight_of(accord.history, id, moment)
    seen = _Seen(review, sight)
    shown = seen.of(whole_log(accord.history, id, moment))
    rows, settlement = (each for _, each in replay_all((KPIS, SETTLEMENT), shown).folded)
    state, shown_period = seen.state, period or _period(asked, now)
    if state.stage is None:
        raise not_begun(accord.history, id, moment)
    agreed, today = _agreed_figures(state), state.context.terms.day(now)
    lines = figures.report(rows.rows, shown_period, {metric for metric, _ in agreed})
    return Review(
        simulated=accord.simulated,
        as_of=when.asked,
        id=id,
        review=review,
        note=_unplanned(review, meetings) if review is not None and asked is None else None,
        kind=asked.kind if asked else None,
        at=asked.at if asked else now,
        zone=state.context.terms.zone(now),
        reason=asked.reason if asked else None,
        since=seen.since,
        stage=state.stage,
        parties=state.parties,
        people=tuple(parties_of(state, today)),
        period=shown_period,
        is_over=last_day_of(shown_period) < local_day(now, agreed_row(rows.rows).zone),
        figures=tuple(
            line
            for line in sight.lines(lines, shown_period)
            if line.segment is None or (line.metric, line.segment) in agreed
        ),
        objectives=tuple(map(sight.progress, objectives(rows.rows, today))),
        alerts=(
            *(with_people(accord.history, each) for each in _alerts(seen, now)),
            *duplicate_credits.alerts_of(accord, moment).get(id, ()),
        ),
        actions=tuple(_actions(state, today)),
        milestones=() if took_effect(state.context.terms, now) else _open(state, MilestonePlanned),
        issues=_open(state, IssueRaised),
        disputes=tuple(seen.disputes.values()),
        contributions=tuple(_contributions(seen)),
        health=tuple(scorecards_of(state)),
        risks=tuple(_risks(state)),
        accrued=tuple(_accrued(settlement.rows)),
        to_be_paid=tuple(_debts(settlement.rows)),
        budgets=tuple(budgets(state.context.agreements)),
        net=tuple(contributions(id, rows.rows, settlement.rows, state.parties, shown_period)),
        sourced=tuple(sourced(rows.rows, state.parties, shown_period)),
        deadlines=_next(state, review),
    )


class _Meeting(NamedTuple):
    """A review that was scheduled, or that was held without that."""

    kind: ReviewKind
    at: datetime
    reason: str | None = None


def _meetings(accord: Accord, id: str, when: AsOf) -> dict[str, _Meeting]:
    """Return the reviews on record by identifier; of one that was moved, its latest schedule."""
    found: dict[str, _Meeting] = {}
    for each in own_log(accord.history, id, when):
        match each.event:
            case ReviewScheduled() as planned:
                found[planned.review] = _Meeting(planned.kind, planned.at, planned.reason)
            case ReviewHeld(review=review, kind=str(kind), held_at=at) if review not in found:
                found[review] = _Meeting(kind, at)
            case _:
                pass
    return found


def _unplanned(review: str, meetings: Iterable[str]) -> str:
    """Return what to know of a review that was neither scheduled nor held."""
    otherwise = "Both schedule a review with ProposeReview."
    return f"There is no review {review} on record. {perhaps(review, meetings, otherwise)}"


@dataclass(slots=True)
class _Seen:
    """The facts that the page needs, collected while the log is folded."""

    review: str | None
    sight: Sight
    state: Partnership = field(default_factory=Partnership)
    alerts: Folded = field(default_factory=Folded)
    """Folded from every event: both parties see the alerts of a rule that both agreed."""
    shown: Folded = field(default_factory=Folded)
    """The alerts that follow from the events that the viewer sees."""
    since: Since | None = None
    disputes: dict[str, DisputeOpened] = field(default_factory=dict)
    """Those that are not resolved."""
    given: dict[tuple[str, str], tuple[datetime, ContributionRecorded]] = field(
        default_factory=dict
    )
    """What each party gave, and when it was first recorded, by the party and the identifier."""

    def of(self, events: Iterable[Recorded]) -> Iterator[Recorded]:
        """Yield the events that the viewer sees, and collect from each."""
        alerts = Dispatch([ALERTS])
        for recorded in events:
            fold_all(alerts, [self.alerts], (recorded,))
            if self.sight.reads(recorded):
                if not self.sight.sees_every_figure:
                    fold_all(alerts, [self.shown], (recorded,))
                self.state = aggregates.fold((recorded,), self.state)
                self._collect(recorded)
                yield recorded

    def _collect(self, recorded: Recorded) -> None:
        match recorded.event:
            case KickoffHeld() | PartnershipAdopted() as began:
                adopted = isinstance(began, PartnershipAdopted)
                self._begin(Since(at=recorded.act.occurred_at, review=None, adopted=adopted))
            case ReviewHeld(review=review, reason=None) as held if review != self.review:
                self._begin(Since(at=held.held_at, review=review, adopted=False))
            case DisputeOpened() as opened:
                self.disputes[opened.dispute] = opened
            case DisputeResolved(dispute=dispute):
                self.disputes.pop(dispute, None)
            case ContributionRecorded() as given:
                named = (recorded.act.party, given.contribution)
                # A corrected contribution keeps the time of its first record.
                first, _ = self.given.get(named, (recorded.act.occurred_at, given))
                self.given[named] = first, given
            case _:
                pass

    def _begin(self, since: Since) -> None:
        if self.since is None or self.since.at < since.at:
            self.since = since


def _period(review: _Meeting | None, now: datetime) -> str:
    """Return the last period that was over: a month, or a quarter for a strategic review."""
    if review is None or review.kind == "operational":
        return preceding(month_of(review.at if review else now))
    return preceding(quarter_of(month_of(review.at)))


def _agreed_figures(state: Partnership) -> set[tuple[str, str | None]]:
    """Return the metrics that both agreed to look at, each with its segment if it has one."""
    agreements = state.context.agreements
    charter = agreements.latest(CharterAgreed)
    objectives = charter.charter.objectives if charter else []
    return {
        ("leads", None),
        *(
            (each.rule.metric, each.rule.segment)
            for each in agreements.versions(DecisionRuleAgreed)
        ),
        *((each.metric, each.segment) for each in objectives),
    }


def _alerts(seen: _Seen, now: datetime) -> Iterator[Alert]:
    rows, since = _alerts_in(seen.alerts), seen.since
    if not seen.sight.sees_every_figure:
        rows = for_viewer(rows, _alerts_in(seen.shown))
    of_the_review = {seen.review, f"{DeadlineKind.REVIEW}/{seen.review}"}
    for each in sorted(rows, key=lambda x: (x.state is not AlertState.OPEN, x.since, x.id)):
        ended_before = since is not None and each.until is not None and each.until < since.at
        if each.window not in of_the_review and not ended_before:
            yield answered(seen.alerts.rows, each, now)


def _alerts_in(folded: Folded) -> list[Alert]:
    return [row for row in folded.rows.values() if isinstance(row, Alert)]


def _actions(state: Partnership, today: date) -> Iterator[ReviewAction]:
    agreements = state.context.agreements
    done = {each.action for each in state.context.declarations.of(ActionCompleted)}
    for each in agreements.of(ActionAgreed):
        is_done = each.action in done
        yield ReviewAction(agreed=each, done=is_done, overdue=not is_done and each.due < today)


def _open(state: Partnership, kind: type[E]) -> tuple[E, ...]:
    tasks = (*state.execution.milestones.values(), *state.execution.issues.values())
    open_ = (each.planned for each in tasks if not each.done)
    return tuple(each for each in open_ if isinstance(each, kind))


def _contributions(seen: _Seen) -> Iterator[Contributions]:
    by_party: dict[str, list[ContributionRecorded]] = {each: [] for each in seen.state.parties}
    in_time = sorted(seen.given.items(), key=lambda each: (each[1][0], each[0]))
    for (party, _), (at, given) in in_time:
        if seen.since is None or at >= seen.since.at:
            by_party.setdefault(party, []).append(given)
    for party, each in by_party.items():
        hours = sum((given.hours or Decimal(0) for given in each), Decimal(0))
        yield Contributions(
            party=party,
            hours=hours,
            given=tuple(each),
            promised=tuple(
                Promise(
                    promised=one,
                    given=seen.given[party, one.contribution][1]
                    if (party, one.contribution) in seen.given
                    else None,
                )
                for one in seen.state.context.agreements.of(ContributionPromised)
                if one.owner == party
            ),
        )


def _risks(state: Partnership) -> list[Risk]:
    context = state.context
    dealt_with = {each.risk for each in context.agreements.of(RiskMitigated)}
    risks = [
        Risk(risk=each, weight=each.score)
        for each in context.declarations.of(RiskIdentified)
        if each.risk not in dealt_with
    ]
    return sorted(risks, key=lambda each: (-each.weight, each.risk.risk))


def _accrued(rows: Rows) -> Iterator[Accrual]:
    sums: dict[str, dict[str, Decimal]] = {}
    for each in ledger(rows).accrued:
        earned = sums.setdefault(each.currency, {})
        for party, share in each.earned.items():
            earned[party] = earned.get(party, Decimal(0)) + share
    for currency, earned in sorted(sums.items()):
        if any(earned.values()):
            yield Accrual(currency=currency, earned=earned)


def _debts(rows: Rows) -> Iterator[Debt]:
    for key, row in rows.items():
        if not key.startswith("statement/"):
            continue
        balance = Balance.model_validate(row.balance)
        left = balance.amount - row.paid
        if balance.payer and left > 0:
            yield Debt(
                statement=row.statement,
                payer=balance.payer,
                amount=left,
                currency=balance.currency,
            )


def _next(state: Partnership, review: str | None) -> tuple[OpenDeadline, ...]:
    others = (
        each
        for each in open_deadlines(state)
        if each.kind is not DeadlineKind.PERIOD and each.ref != review
    )
    return tuple(islice(others, NEXT_DEADLINES))


# --- text --------------------------------------------------------------------------------------


def text(page: Review) -> Iterator[Block]:
    """Yield the page, section by section; a section without lines is left out."""
    title = " ".join(each for each in (page.kind, "review", page.review) if each)
    yield Line(f"{title}, {minute(page.at)}", "bold")
    if page.note:
        yield Remark(page.note)
    since = page.since
    after = f"; since {_begun(since)} of {day(since.at, page.zone)}" if since else ""
    yield Line(f"{page.id}: {' and '.join(page.parties)}, {_stage(page)}{after}")
    if page.reason:
        yield Line(page.reason)
    yield Table(
        [page.period if page.is_over else f"{page.period} to date", ">FIGURE", "COMPARED"],
        [
            (
                metric_words(line.metric, line.segment),
                figure(line),
                kpis.compared(line),
            )
            for line in page.figures
        ],
        indent=2,
    )
    for title, lines in _sections(page):
        if lines:
            yield Line(title, "bold", 2)
        yield from (Line(line, indent=4) for line in lines)


def _stage(page: Review) -> str:
    return "ended" if page.stage is Stage.ENDED else f"in {page.stage}"


def _milestone(planned: MilestonePlanned) -> str:
    owner = f" ({planned.owner})" if planned.owner else ""
    return f"{planned.milestone}: {planned.title}, due {planned.due}{owner}"


def _sections(page: Review) -> Iterator[tuple[str, list[str]]]:
    yield "people", [f"{each.party}: {who}" for each in page.people if (who := _people(each))]
    yield "objectives", [_objective(each) for each in page.objectives]
    yield (
        "alerts",
        [f"{each.state:9}  {day(each.since, page.zone)}  {each.text}" for each in page.alerts],
    )
    yield "actions agreed", [_action(each) for each in page.actions]
    yield "open milestones", [_milestone(each) for each in page.milestones]
    yield "open issues", [f"{each.issue}: {each.description}" for each in page.issues]
    yield "open disputes", [_dispute(each) for each in page.disputes]
    yield "contributions of both sides", [_contribution(each) for each in page.contributions]
    yield "health", [f"{each.party}, {scorecard_words(each)}" for each in page.health]
    yield (
        "risks",
        [
            f"{each.weight:>2} of 25  {each.risk.description} "
            f"({f'{each.risk.kind}, ' if each.risk.kind else ''}{each.risk.owner or 'no owner'})"
            for each in page.risks
        ],
    )
    yield "money", [*map(_accrual, page.accrued), *map(_debt, page.to_be_paid)]
    yield "budgets", [_budget(each) for each in page.budgets]
    yield f"net contribution of {page.period}", [_net(each) for each in page.net]
    yield f"deals won in {page.period}", [_sourced(each) for each in page.sourced]
    yield (
        "next",
        [
            f"{each.last_day or day(each.due, page.zone)}  {deadline_words(each)}"
            for each in page.deadlines
        ],
    )


def _people(party: Party) -> str:
    return "; ".join(people_of(party))


def _objective(each: ObjectiveProgress) -> str:
    return f"{each.status.words:<{_WIDEST}}  {each.text.removesuffix('.')}"


def _action(each: ReviewAction) -> str:
    agreed = each.agreed
    state = "done" if each.done else "overdue" if each.overdue else "open"
    return f"{state:7}  {agreed.due}  {agreed.owner}: {agreed.text}"


def _begun(since: Since) -> str:
    return since.review or ("the adoption" if since.adopted else "the kickoff")


def _dispute(each: DisputeOpened) -> str:
    about = each.subject or each.cause
    disputed = f", {each.amount}" if each.amount else ""
    return f"{each.dispute} ({about}{disputed}): {each.description}"


def _contribution(each: Contributions) -> str:
    given = "; ".join(one.what + (f" ({one.value})" if one.value else "") for one in each.given)
    hours = f"{hours_words(each.hours)}; " if each.hours else ""
    promised = "".join(f"; {_promise(one)}" for one in each.promised)
    return f"{each.party}: {hours}{given or 'nothing recorded'}{promised}"


def _promise(each: Promise) -> str:
    said, given = each.promised, each.given
    gave = f"gave {given.what}{worth(given)}" if given else "nothing given yet"
    return f"promised for {said.period}: {said.what}{worth(said)}, {gave}"


def _accrual(each: Accrual) -> str:
    earned = ", ".join(f"{plain(share)} to {party}" for party, share in each.earned.items())
    return f"accrued, not stated yet, {each.currency}: {earned}"


def _budget(each: Budget) -> str:
    reduced = ", ".join(f"by {number(of.by)} % ({of.campaign})" for of in each.reductions)
    left = f"{each.left} left of {each.agreed}" if reduced else f"{each.agreed}"
    return f"{each.budget}: {left}{f', reduced {reduced}' if reduced else ''} ({each.purpose})"


def _net(each: Contribution) -> str:
    parts = {
        "revenue": each.revenue,
        **{f"{item_words(fee.kind)} earned": fee.earned for fee in each.fees},
        **{f"{item_words(fee.kind)} owed": fee.owed for fee in each.fees},
        "costs": each.costs,
        "given": each.given,
    }
    shown = ", ".join(f"{name} {plain(of)}" for name, of in parts.items() if of)
    roi = "" if each.roi_percent is None else f"; ROI {plain(each.roi_percent)} %"
    return f"{each.party}: {plain(each.net)} {each.currency} ({shown}{roi})"


def _sourced(each: Sourced) -> str:
    sourced = [amount(of.sourced, of.currency) for of in each.revenue if of.sourced]
    influenced = [amount(of.influenced, of.currency) for of in each.revenue if of.influenced]
    return (
        f"{each.party}: {_with_revenue('sourced', each.sourced, sourced)}, "
        f"{_with_revenue('influenced', each.influenced, influenced)}"
    )


def _with_revenue(how: str, deals: Decimal, paid: list[str]) -> str:
    return f"{how} {number(deals)}" + (f" ({', '.join(paid)})" if paid else "")


def _debt(each: Debt) -> str:
    return f"{each.payer} owes {plain(each.amount)} {each.currency} on {each.statement}"


REVIEW = Question(
    "review",
    ask,
    text,
    path="/v1/partnerships/{id}/review",
    within="/v1/partnerships/{id}/review/{review}",
    help="Show the page for a review: as of its beginning, or as of now without one.",
)
