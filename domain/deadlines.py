"""Time as events: what a partnership waits for, and what its log says once the moment has come.

A deadline opens with one fact and closes with another. When it passes first, the passing is itself
recorded in the partnership's log, so that the log alone gives every alert again on the same day.
"""

from collections.abc import Iterator, Mapping
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from domain.agreement import CommercialTermsAgreed
from domain.calendar import add, bounds, following, midnight, month_of, quarter_of, subtract
from domain.execution import (
    ActionAgreed,
    ActionCompleted,
    ImprovementPlanAgreed,
    ImprovementPlanCompleted,
    IssueEscalated,
    IssueRaised,
    IssueResolved,
    KickoffHeld,
    MilestoneMissed,
    MilestonePlanned,
    MilestoneReached,
    ReviewHeld,
    ReviewMissed,
    ReviewScheduled,
)
from domain.kernel import Act, Event
from domain.renewal import ExitNoticeGiven, PartnershipExited, PartnershipRenewed
from domain.terms import Cadence

ESCALATE_AFTER = timedelta(hours=48)  # C24
WARN_OF_NOTICE = timedelta(days=30)
"""How long before the last day for notice the parties are reminded (C11)."""

REMIND_BEFORE = timedelta(hours=48)
"""How long before a review both are reminded: 24 to 48 hours (C22)."""

_DAY = timedelta(days=1)

_OF_THE_TERM = frozenset({"notice-warning", "notice", "term-end"})
"""The kinds of deadlines that other terms, a renewal or a notice replace."""


class Kind(StrEnum):
    """What is waited for."""

    PERIOD = "period"
    MILESTONE = "milestone"
    REVIEW = "review"
    ISSUE = "issue"
    NOTICE_WARNING = "notice-warning"
    NOTICE = "notice"
    TERM_END = "term-end"
    EXIT = "exit"
    IMPROVEMENT = "improvement"
    REMINDER = "review-reminder"
    CADENCE = "cadence"
    ACTION = "action"


class Deadline(NamedTuple):
    """A moment that matters: `due` is the first at which it has passed."""

    due: datetime
    kind: Kind
    ref: str
    since: datetime
    """The moment that it counts from, or the one that was missed."""
    notice: str = ""
    """The agreed notice, or the agreed time between two reviews, where it follows from one."""

    @property
    def id(self) -> str:
        """How the deadline is told from the partnership's others."""
        return f"{self.kind.value}/{self.ref}"


Deadlines = Mapping[str, Deadline]
"""Open deadlines by identifier."""


class PeriodClosed(Event):
    """A month or a quarter came to its end; agreed rules look at it now (C20)."""

    period: str


class DeadlinePassed(Event):
    """A date that the agreement sets went by (C11, C27)."""

    kind: Kind
    ref: str
    """The date itself, or what it belongs to."""


CONCERNED: frozenset[type[Event]] = frozenset(
    {
        KickoffHeld,
        PeriodClosed,
        MilestonePlanned,
        MilestoneReached,
        MilestoneMissed,
        ReviewScheduled,
        ReviewHeld,
        ReviewMissed,
        IssueRaised,
        IssueResolved,
        IssueEscalated,
        ImprovementPlanAgreed,
        CommercialTermsAgreed,
        PartnershipRenewed,
        ExitNoticeGiven,
        PartnershipExited,
        DeadlinePassed,
        ActionAgreed,
        ActionCompleted,
        ImprovementPlanCompleted,
    }
)
"""The events that open or close a deadline."""


def due(deadlines: Deadlines, now: datetime) -> Deadline | None:
    """Give the first open deadline that has passed at `now`, if there is one."""
    first = min(deadlines.values(), default=None)
    return first if first is not None and first.due <= now else None


def passed(deadline: Deadline) -> list[Event]:
    """Give what the log says when a deadline passes, each in the partners' words."""
    match deadline.kind:
        case Kind.PERIOD:
            quarter = quarter_of(deadline.ref)
            ends_quarter = bounds(quarter)[1] == deadline.due
            closed = [deadline.ref, quarter] if ends_quarter else [deadline.ref]
            return [PeriodClosed(period=period) for period in closed]
        case Kind.MILESTONE:
            return [MilestoneMissed(milestone=deadline.ref, due=deadline.since.date())]
        case Kind.REVIEW:
            return [ReviewMissed(review=deadline.ref, at=deadline.since)]
        case Kind.ISSUE:
            return [IssueEscalated(issue=deadline.ref, raised_at=deadline.since)]
        case _:
            return [DeadlinePassed(kind=deadline.kind, ref=deadline.ref)]


def evolve(deadlines: Deadlines, event: Event, act: Act) -> Deadlines:
    """Open and close deadlines as facts come."""
    if type(event) not in CONCERNED:
        return deadlines
    if isinstance(event, PartnershipExited):
        return {}
    closed = deadlines.keys() & _closed_by(event, deadlines)
    opened = {each.id: each for each in (*_opened_by(event, act), *_again(event, deadlines, act))}
    if not closed and not opened:
        return deadlines
    return {key: each for key, each in deadlines.items() if key not in closed} | opened


def _opened_by(event: Event, act: Act) -> Iterator[Deadline]:
    match event:
        case KickoffHeld():
            yield _period(month_of(act.occurred_at))
            yield from _reviews_due(event.cadence, act)
        case PeriodClosed(period=period) if "Q" not in period:
            yield _period(following(period))
        case MilestonePlanned():
            due_day = midnight(event.due)
            yield Deadline(due_day + _DAY, Kind.MILESTONE, event.milestone, due_day)
        case ReviewScheduled():
            end_of_day = midnight(event.at.date()) + _DAY
            yield Deadline(end_of_day, Kind.REVIEW, event.review, event.at)
            reminder = max(event.at - REMIND_BEFORE, act.occurred_at)
            if reminder < event.at:
                yield Deadline(reminder, Kind.REMINDER, event.review, event.at)
        case ActionAgreed():
            last = midnight(event.due)
            yield Deadline(last + _DAY, Kind.ACTION, event.action, last)
        case IssueRaised():
            raised = act.occurred_at
            yield Deadline(raised + ESCALATE_AFTER, Kind.ISSUE, event.issue, raised)
        case ImprovementPlanAgreed():
            until = midnight(event.deadline)
            yield Deadline(until + _DAY, Kind.IMPROVEMENT, event.plan, until)
        case CommercialTermsAgreed():
            yield from _term(event.terms.ends_on(), event.terms.notice)
        case PartnershipRenewed():
            yield from _term(event.ends_on, event.notice)
        case ExitNoticeGiven():
            effective = midnight(event.effective_on)
            yield Deadline(effective, Kind.EXIT, event.effective_on.isoformat(), act.occurred_at)
        case _:
            return


def _reviews_due(cadence: Cadence | None, act: Act) -> Iterator[Deadline]:
    """Give by when the next review of each agreed kind is to be held (C13)."""
    spans = cadence.spans() if cadence else {}
    for kind, span in spans.items():
        yield _next_review(kind, span, act.occurred_at)


def _next_review(kind: str, span: str, since: datetime) -> Deadline:
    due = midnight(add(since.date(), span)) + _DAY
    return Deadline(due, Kind.CADENCE, kind, since, span)


def _again(event: Event, deadlines: Deadlines, act: Act) -> Iterator[Deadline]:
    """Count anew to the next review once one was held, or the agreed time went by without."""
    match event:
        case ReviewHeld(kind=kind) | DeadlinePassed(kind=Kind.CADENCE, ref=kind):
            name = "strategic" if kind == "quarterly-business-review" else kind
            existing = deadlines.get(f"{Kind.CADENCE}/{name}")
            if existing is not None:
                yield _next_review(name, existing.notice, act.occurred_at)
        case CommercialTermsAgreed(terms=terms) if _running(deadlines):
            yield from _reviews_due(terms.cadence, act)
        case _:
            return


def _running(deadlines: Deadlines) -> bool:
    return any(each.kind is Kind.PERIOD for each in deadlines.values())


def _closed_by(event: Event, deadlines: Deadlines) -> set[str]:
    match event:
        case PeriodClosed(period=period):
            return {f"{Kind.PERIOD}/{period}"}
        case MilestoneReached(milestone=ref) | MilestoneMissed(milestone=ref):
            return {f"{Kind.MILESTONE}/{ref}"}
        case ReviewHeld(review=ref) | ReviewMissed(review=ref):
            return {f"{Kind.REVIEW}/{ref}", f"{Kind.REMINDER}/{ref}"}
        case ActionCompleted(action=ref):
            return {f"{Kind.ACTION}/{ref}"}
        case ImprovementPlanCompleted(plan=ref):
            return {f"{Kind.IMPROVEMENT}/{ref}"}
        case IssueResolved(issue=ref) | IssueEscalated(issue=ref):
            return {f"{Kind.ISSUE}/{ref}"}
        case DeadlinePassed(kind=kind, ref=ref):
            return {f"{kind}/{ref}"}
        case CommercialTermsAgreed() if _running(deadlines):
            replaced = {*_OF_THE_TERM, Kind.CADENCE}
            return {key for key, each in deadlines.items() if each.kind in replaced}
        case CommercialTermsAgreed() | PartnershipRenewed() | ExitNoticeGiven():
            return {key for key, each in deadlines.items() if each.kind in _OF_THE_TERM}
        case _:
            return set()


def _period(period: str) -> Deadline:
    start, end = bounds(period)
    return Deadline(end, Kind.PERIOD, period, start)


def _term(ends_on: date, notice: str) -> Iterator[Deadline]:
    ends = midnight(ends_on)
    last_day = midnight(subtract(ends_on, notice))
    ref = last_day.date().isoformat()
    yield Deadline(last_day - WARN_OF_NOTICE, Kind.NOTICE_WARNING, ref, last_day, notice)
    yield Deadline(last_day + _DAY, Kind.NOTICE, ref, last_day, notice)
    yield Deadline(ends, Kind.TERM_END, ends_on.isoformat(), ends, notice)
