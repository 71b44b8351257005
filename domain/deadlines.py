"""Deadlines: what a partnership waits for, and what its log records when a deadline passes.

`RULES` is the table: for each kind of deadline the events that open it and close it, the event
that its passing records, and the alert that opens then. A passed deadline is an event of the
partnership's own log, so the log alone gives every alert again, on the same day.

Days begin at 00:00 in the agreement's time zone. The term, its notice and the reviews follow the
terms by day, so terms, a renewal or a notice of exit set them again.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from enum import StrEnum
from operator import attrgetter
from typing import Any, Final, NamedTuple, TypeVar

from domain import (  # noqa: F401 - agreements
    dispute,
    health,
    markets,
    merge,
    priors,
    referral,
    scaling,
    settlement,
    sharing,
)
from domain.adoption import PartnershipAdopted
from domain.agreement import CommercialTermsAgreed
from domain.bilateral import (
    BilateralAgreement,
    ProposalDeclined,
    ProposalEnded,
    ProposalLapsed,
    ProposalWithdrawn,
)
from domain.calendar import add, bounds, following, month_of, months_of, quarter_of
from domain.declarations import Changeable
from domain.execution import (
    ActionAgreed,
    ActionCompleted,
    CommitmentCancelled,
    ImprovementPlanAgreed,
    ImprovementPlanCompleted,
    IssueEscalated,
    IssueRaised,
    IssueResolved,
    KickoffHeld,
    MilestoneMissed,
    MilestonePlanned,
    MilestoneReached,
    OnboardingStepAgreed,
    OnboardingStepCompleted,
    ReviewHeld,
    ReviewMissed,
    ReviewScheduled,
)
from domain.exit import (
    BreachCured,
    BreachNoticeGiven,
    ExitAgreed,
    ExitNoticeGiven,
    ExitWithdrawn,
    PartnershipExited,
)
from domain.experiment import HYPOTHESIS, HypothesisRegistered, PilotStarted
from domain.exploration import ExplorationClosed
from domain.formation import DRAFT, AgreementDrafted, AgreementSigned, CharterAgreed
from domain.health import ComplianceAudited, HealthCheckRecorded, TargetAdjusted
from domain.kernel import Act, Event
from domain.metric_catalogue import metric_words
from domain.payouts import Payouts
from domain.renewal import AnnualReviewHeld, PartnershipRenewed
from domain.response import Office, Response, Severity
from domain.second_person import ActConfirmed, ActWithdrawn, SecondPersonAsked
from domain.terms import Cadence
from domain.terms_by_day import TermsByDay
from domain.values import Day, Slug

E = TypeVar("E", bound=Event)

ESCALATE_AFTER = timedelta(hours=48)
"""How long an issue may stay open before it goes to the executive sponsors (C24)."""

WARN_OF_NOTICE = timedelta(days=30)
"""How long before the last day for notice the parties are reminded (C11)."""

ALL: Final = "*"
"""The `ref` of an event that concerns every deadline or alert of its kind."""

_DAY = timedelta(days=1)


class DeadlineKind(StrEnum):
    """The kinds of deadlines."""

    PERIOD = "period"
    MILESTONE = "milestone"
    REVIEW = "review"
    ISSUE = "issue"
    NOTICE_WARNING = "notice-warning"
    NOTICE = "notice"
    TERM_END = "term-end"
    EXIT = "exit"
    CURE = "cure"
    IMPROVEMENT = "improvement"
    REMINDER = "reminder"
    CADENCE = "cadence"
    ACTION = "action"
    ONBOARDING = "onboarding"
    SILENCE = "silence"
    STATEMENT = "statement"
    ANSWER = "answer"
    LAPSE = "lapse"
    SIGNATURE = "signature"
    CONFIRMATION = "confirmation"
    FIGURE = "figure"
    OBJECTIVE = "objective"


class Deadline(NamedTuple):
    """An open deadline. It has passed at the moment `due` and at every later one."""

    due: datetime
    kind: DeadlineKind
    ref: str
    """What the deadline is for: a review's identifier, a period, a date."""
    since: datetime
    """The moment that the deadline is counted from, or the last moment that was in time."""
    span: str = ""
    """The agreed duration that the deadline follows from: a notice, or the time between reviews."""
    day: date | None = None
    """The day at whose beginning it is due; None for a deadline that is due at a moment."""
    party: str = ""
    """The party that acts; empty if both do. An answer names who asked instead (`asked_by`)."""
    asked_by: str = ""
    """The party that asked for an answer, which the other gives; empty if nobody asked."""
    remind_at: datetime | None = None
    """When those who act are reminded; None if they were, or never are."""
    on_its_day: bool = False
    """Whether it cannot be done before its last day."""

    @property
    def last_day(self) -> date:
        """The last day that is in time, or the day of a deadline that is due at a moment."""
        return self.day - _DAY if self.day else self.due.date()

    @property
    def id(self) -> str:
        """The identifier of the deadline, unique in its partnership."""
        return f"{self.kind.value}/{self.ref}"


Deadlines = Mapping[str, Deadline]
"""Open deadlines by identifier."""


class PeriodClosed(Event):
    """A month or a quarter ended, and the agreed rules are judged on its figures (C20)."""

    period: str
    """The period: `2026-03` or `2026-Q1`."""


class ReminderGiven(Event):
    """Those who act were reminded of a day that is near (C22)."""

    kind: DeadlineKind
    """What is due."""
    ref: str
    """The identifier of what is due."""
    due: Day
    """The last day that is in time."""
    party: Slug | None = None
    """The party that acts; null for both."""
    asked_by: Slug | None = None
    """The party that asked for an answer, which the other gives; null if nobody asked."""


class DeadlinePassed(Event):
    """A date passed that has no specific event (C11, C27), or silence confirmed claims."""

    kind: DeadlineKind
    """What was due."""
    ref: str
    """The date itself, or the identifier of what was due."""
    party: Slug | None = None
    """The party that acts; null for both."""
    asked_by: Slug | None = None
    """The party that asked for an answer, which the other gives; null if nobody asked."""


# --- the shape of the table --------------------------------------------------------------------


class Around(NamedTuple):
    """What deadlines of several parties or of several events depend on."""

    open: Deadlines
    """The deadlines that were open before the event."""
    parties: tuple[str, ...]
    """The parties of the partnership."""


class Opening(NamedTuple):
    """An event that opens deadlines of a kind."""

    event: type[Event]
    deadlines: Callable[[Any, Act, TermsByDay, Around], Iterable[Deadline]]
    """Takes the event, its act, the terms after it, and what is around it."""


class Closing(NamedTuple):
    """An event that closes deadlines of a kind, and the alerts of those that had passed."""

    event: type[Event]
    ref: Callable[[Any], str | None]
    """Takes the event and gives the `ref` of the deadline it closes, if any; `ALL` closes all of
    the kind."""
    text: Callable[[Any], str]
    """Takes the event and says what happened: the text with which an alert ends."""
    by_author: bool = False
    """Whether each party has a deadline of its own, which only its own act closes: its `ref` ends
    with the party (`of_party`)."""


class Passing(NamedTuple):
    """The event that records that a deadline passed."""

    event: type[Event]
    ref: Callable[[Any], str | None]
    """Takes the event and gives the `ref` of the deadline, None for one of another kind."""
    events: Callable[[Deadline], list[Event]]
    """Takes the deadline and gives the events to record."""


class DeadlineAlert(NamedTuple):
    """The alert that opens when a deadline passes; what closes the deadline resolves the alert."""

    rule: str
    """The name of the alert's rule."""
    sentence: str
    """What the rule expects, as a sentence."""
    response: Response
    """How severe it is, and which office acts."""
    text: Callable[[Any], str]
    """Takes the event that records the passing and gives the text of the alert."""
    about: str = ""
    """The field by which events name what the alert is about; empty for a date of the agreement."""
    reminder: bool = False
    """Whether the alert only asks for something to be done or decided. A breach counts against a
    partnership, a reminder does not."""


@dataclass(frozen=True, slots=True)
class DeadlineRule:
    """One kind of deadline: what opens it, what closes it, and what its passing means."""

    kind: DeadlineKind
    opened_by: tuple[Opening, ...]
    passing: Passing
    closed_by: tuple[Closing, ...] = ()
    alert: DeadlineAlert | None = None
    reminds_of: str = ""
    """What those who act are reminded of: a sentence with its `{ref}` and its last `{day}`. Empty
    if nobody is reminded."""
    at_its_moment: bool = False
    """Whether a reminder is counted from `since`, the moment of a meeting, and not from `due`."""


def _opens(event: type[E], deadline: Callable[[E, Act, TermsByDay], Deadline]) -> Opening:
    return Opening(event, lambda fact, act, terms, _: (deadline(fact, act, terms),))


def _opens_several(
    event: type[E], deadlines: Callable[[E, Act, TermsByDay, Around], Iterable[Deadline]]
) -> Opening:
    return Opening(event, deadlines)


def _closes(
    event: type[E],
    ref: Callable[[E], str | None],
    text: Callable[[E], str],
    *,
    by_author: bool = False,
) -> Closing:
    return Closing(event, ref, text, by_author)


def of_party(ref: str, party: str) -> str:
    """Return the `ref` of what each party does by itself: `health_check/acme`."""
    return f"{ref}/{party}"


def _replaces(event: type[Event], text: str) -> Closing:
    return Closing(event, lambda _: ALL, lambda _: text)


def exit_of(event: DeadlinePassed) -> str | None:
    """Return the day on which an exit took effect; None for another deadline."""
    return event.ref if event.kind is DeadlineKind.EXIT else None


_EXIT_TAKES_EFFECT: Final = Closing(
    DeadlinePassed,
    lambda e: ALL if exit_of(e) else None,
    lambda e: f"The exit took effect on {e.ref}.",
)
"""The closing of what only a partnership that runs still owes (C27)."""


def _cancels(kind: str) -> Closing:
    return Closing(
        CommitmentCancelled,
        lambda e: e.ref if e.kind == kind else None,
        lambda e: f"Both parties gave up the {e.kind} {e.ref}: {e.reason}",
    )


def _amends(*fields: str) -> Closing:
    """Return the closing by terms that say something of one of these fields of the frame."""
    return Closing(
        CommercialTermsAgreed,
        lambda e: ALL if _speaks_of(e, fields) else None,
        lambda _: "New terms were agreed.",
    )


def _speaks_of(event: CommercialTermsAgreed, fields: Iterable[str]) -> bool:
    given = event.frame.given() if event.frame is not None else {}
    return any(each in given for each in fields)


def _records(
    event: type[E], ref: Callable[[E], str], events: Callable[[Deadline], list[Event]]
) -> Passing:
    return Passing(event, ref, events)


def _passes(kind: DeadlineKind) -> Passing:
    return Passing(
        DeadlinePassed,
        lambda event: event.ref if event.kind is kind else None,
        lambda each: [
            DeadlinePassed(
                kind=kind,
                ref=each.ref,
                party=each.party or None,
                asked_by=each.asked_by or None,
            )
        ],
    )


# --- when each kind is due ---------------------------------------------------------------------


def _on(day: date, kind: DeadlineKind, ref: str, terms: TermsByDay) -> Deadline:
    """Return a deadline that is due when `day` begins."""
    due = terms.midnight(day)
    return Deadline(due, kind, ref, due, day=day)


def _end_of_day(kind: DeadlineKind, ref: str, day: date, terms: TermsByDay) -> Deadline:
    """Return a deadline that is in time until the end of `day`."""
    return _on(day + _DAY, kind, ref, terms)._replace(since=terms.midnight(day))


def _period(period: str, terms: TermsByDay) -> Deadline:
    start, end = (each.date() for each in bounds(period))
    return _on(end, DeadlineKind.PERIOD, period, terms)._replace(since=terms.midnight(start))


def _next_period(event: PeriodClosed, _: Act, terms: TermsByDay, __: Around) -> Iterator[Deadline]:
    if "Q" not in event.period:
        yield _period(following(event.period), terms)


def _close_period(deadline: Deadline) -> list[Event]:
    quarter = quarter_of(deadline.ref)
    ends_quarter = months_of(quarter)[-1] == deadline.ref
    closed = [deadline.ref, quarter] if ends_quarter else [deadline.ref]
    return [PeriodClosed(period=period) for period in closed]


def _review(event: ReviewScheduled, _: Act, terms: TermsByDay) -> Deadline:
    day = terms.day(event.at)
    found = _end_of_day(DeadlineKind.REVIEW, event.review, day, terms)
    # One that an agreed rule asked for has a last day, and can be held sooner.
    return found._replace(since=event.at, on_its_day=event.proposal is not None)


def _escalation(event: IssueRaised, act: Act, _: TermsByDay, __: Around) -> Iterator[Deadline]:
    """Yield when an issue is escalated; words that are corrected change nothing of it."""
    if event.change_reason is None:
        due = act.occurred_at + ESCALATE_AFTER
        yield Deadline(due, DeadlineKind.ISSUE, event.issue, act.occurred_at)


def _objectives(event: CharterAgreed, act: Act, terms: TermsByDay, _: Around) -> Iterator[Deadline]:
    """Yield the deadline of each objective of a new charter, if it is still to come (C8)."""
    for each in event.charter.objectives:
        deadline = _end_of_day(DeadlineKind.OBJECTIVE, each.objective, each.deadline, terms)
        if deadline.due > act.occurred_at:
            yield deadline


def _answer(event: Any, act: Act, terms: TermsByDay) -> Deadline:  # noqa: ANN401 - made
    """Return by when a proposal is answered. Nobody can answer it before it is recorded."""
    kind = event.agreement
    last = terms.answer_until(terms.day(act.recorded_at))
    ref = answer_ref(kind.name, getattr(event, kind.called), kind.within(event))
    deadline = _end_of_day(DeadlineKind.ANSWER, ref, last, terms)
    return deadline._replace(since=act.recorded_at, asked_by=act.party)


def _signatures(
    event: AgreementDrafted, act: Act, terms: TermsByDay, around: Around
) -> Iterator[Deadline]:
    """Yield by when each party signs a draft, or ends it."""
    last = terms.answer_until(terms.day(act.recorded_at))
    for party in around.parties:
        ref = of_party(str(event.agreement_version), party)
        deadline = _end_of_day(DeadlineKind.SIGNATURE, ref, last, terms)
        yield deadline._replace(since=act.recorded_at, party=party)


def _confirmation(event: SecondPersonAsked, act: Act, terms: TermsByDay) -> Deadline:
    """Return by when a second person of the party confirms an act."""
    ref = act_ref(event)
    deadline = _end_of_day(DeadlineKind.CONFIRMATION, ref, event.confirm_by, terms)
    return deadline._replace(since=act.recorded_at, party=act.party)


def act_ref(event: SecondPersonAsked | ActConfirmed | ActWithdrawn) -> str:
    """Return the `ref` of the confirmation of an act: `ACT`, or `ACT/dispute/Q-1`."""
    return f"{event.act}/{event.within}" if event.within else event.act


def act_words(ref: str) -> str:
    """Return the act that a confirmation is of, as words: `ACT on dispute Q-1`."""
    name, _, within = ref.partition("/")
    return f"{name} on {within.replace('/', ' ')}" if within else name


def _version(ref: str) -> str:
    """Return the version of the agreement that a signature is of."""
    return ref.partition("/")[0]


def _lapse(event: Any, act: Act, terms: TermsByDay, _: Around) -> Iterator[Deadline]:  # noqa: ANN401 - made
    """Yield until when a proposal can be accepted, if that depends on the day."""
    kind: type[BilateralAgreement] = event.agreement
    last = kind.acceptable_until(event, terms.exit)
    if last is not None:
        ref = answer_ref(kind.name, getattr(event, kind.called))
        deadline = _end_of_day(DeadlineKind.LAPSE, ref, last, terms)
        yield deadline._replace(since=act.recorded_at, asked_by=act.party)


def _sooner(_: ExitNoticeGiven, __: Act, terms: TermsByDay, around: Around) -> Iterator[Deadline]:
    """Yield until when the withdrawal of an exit can be accepted, once a sooner exit is ahead."""
    for each in around.open.values():
        if each.kind is DeadlineKind.LAPSE and each.ref.startswith(f"{ExitWithdrawn.name}/"):
            last = ExitWithdrawn.acceptable_until(None, terms.exit)
            if last is not None:
                moved = _end_of_day(DeadlineKind.LAPSE, each.ref, last, terms)
                yield moved._replace(since=each.since, asked_by=each.asked_by)


def _lapsed(deadline: Deadline) -> list[Event]:
    agreement, _, proposal = deadline.ref.partition("/")
    last = deadline.last_day
    reason = f"It could be accepted until {last}."
    return [ProposalLapsed(agreement=agreement, proposal=proposal, reason=reason, last_day=last)]


def _start(
    event: HypothesisRegistered, act: Act, terms: TermsByDay, _: Around
) -> Iterator[Deadline]:
    """Yield by when a pilot is started, once two parties have agreed terms."""
    if terms.is_agreed:
        last = terms.answer_until(terms.day(act.recorded_at))
        deadline = _end_of_day(DeadlineKind.ANSWER, _pilot(event.experiment), last, terms)
        yield deadline._replace(since=act.recorded_at, asked_by=act.party)


def _pilot(experiment: str) -> str:
    return answer_ref(HYPOTHESIS, experiment, f"experiment/{experiment}")


def answer_ref(agreement: str, proposal: str, within: str | None = None) -> str:
    """Return the `ref` of the answer to a proposal: `Charter/charter-1`, `Merge/m-1/deal/D-1`."""
    return "/".join([agreement, proposal, *([within] if within else [])])


def is_of_another_stream(deadline: Deadline) -> bool:
    """Whether it is a figure, or of something on a deal, a dispute, an entry or an experiment.

    The partnership's own stream does not show whether it is open.
    """
    if deadline.kind is DeadlineKind.FIGURE:
        return True
    if deadline.kind is DeadlineKind.CONFIRMATION:
        return "/" in deadline.ref
    return deadline.kind is DeadlineKind.ANSWER and deadline.ref.count("/") > 1


def proposal_words(ref: str) -> str:
    """Return the proposal that an answer is to, as words: `m-1 of deal D-1`."""
    _, proposal, *within = ref.split("/")
    return f"{proposal} of {' '.join(within)}" if within else proposal


def cadence_of(event: Event) -> str:
    """Return the agreed cadence that a review, a health check or an audit counts for (C13)."""
    match event:
        case ReviewHeld(kind="quarterly-business-review"):
            return "strategic"
        case ReviewHeld(kind=kind):
            return kind
        case AnnualReviewHeld():
            return "annual_review"
        case HealthCheckRecorded():
            return _HEALTH_CHECK
        case _:
            return "audit"


_HELD: Final = (ReviewHeld, AnnualReviewHeld, ComplianceAudited, HealthCheckRecorded)
"""What counts for a cadence."""


_HEALTH_CHECK: Final = "health_check"
"""The cadence that each party keeps by itself: both fill in a scorecard (C25)."""


def _next_review(ref: str, since: datetime, terms: TermsByDay) -> Iterator[Deadline]:
    """Yield by when the next review of a kind is due, if the frames ask for one (C13).

    The kind comes first in the `ref`, then the party that does it, if each does its own. It is
    counted by the cadence of the last review's day; a cadence that changes before it is due
    is counted from its own first day.
    """
    kind, _, party = ref.partition("/")
    day = terms.day(since)
    for changed in (*(each for each in terms.frame_days if each > day), None):
        span = _span(kind, day, terms)
        due = add(day, span) if span else None
        if span and due and (changed is None or due <= changed):
            found = _on(due + _DAY, DeadlineKind.CADENCE, ref, terms)
            yield found._replace(since=since, span=span, party=party)
            return
        if changed is not None and _span(kind, changed, terms) != span:
            day = changed


def _span(kind: str, day: date, terms: TermsByDay) -> str | None:
    return terms.frame(day).cadence.spans().get(kind) if terms.is_agreed else None


def _each_kind(parties: tuple[str, ...]) -> Iterator[str]:
    """Yield the `ref` of each kind of review. A health check has one for each party."""
    for kind in Cadence.model_fields:
        if kind == _HEALTH_CHECK:
            yield from (of_party(kind, each) for each in parties)
        else:
            yield kind


def _first_reviews(
    _: KickoffHeld, act: Act, terms: TermsByDay, around: Around
) -> Iterator[Deadline]:
    """Yield by when a review of each agreed kind is due (C13)."""
    for ref in _each_kind(around.parties):
        yield from _next_review(ref, act.occurred_at, terms)


def _amended_cadence(
    event: CommercialTermsAgreed, act: Act, terms: TermsByDay, around: Around
) -> Iterator[Deadline]:
    """Yield the next review of each kind whose cadence changes, counted from the last one."""
    is_running = any(each.kind is DeadlineKind.PERIOD for each in around.open.values())
    if not is_running or not _speaks_of(event, ["cadence"]):
        return
    for ref in _each_kind(around.parties):
        existing = around.open.get(f"{DeadlineKind.CADENCE}/{ref}")
        if existing is None or _has_other_cadence(event, existing):
            yield from _next_review(ref, existing.since if existing else act.occurred_at, terms)


def _has_other_cadence(event: CommercialTermsAgreed, deadline: Deadline) -> bool:
    """Whether new terms change the cadence that a deadline follows from."""
    cadence = event.frame.given().get("cadence") if event.frame is not None else None
    kind = deadline.ref.partition("/")[0]
    if deadline.kind is not DeadlineKind.CADENCE or getattr(cadence, kind, None) is None:
        return False
    assert isinstance(cadence, Cadence)  # noqa: S101 - the field of the frame
    return cadence.spans().get(kind) != deadline.span


def changed_cadences(before: TermsByDay, after: TermsByDay, day: date) -> Iterator[str]:
    """Yield the kinds of reviews, health checks and audits whose cadence differs from a day on."""
    for kind in Cadence.model_fields:
        if _span(kind, day, before) != _span(kind, day, after):
            yield kind


def _review_after(event: Event, act: Act, terms: TermsByDay, _: Around) -> Iterator[Deadline]:
    """Yield the next review of a kind, counted from one that was held or did not happen."""
    if not isinstance(event, DeadlinePassed):
        ref = _counted(event)
        if ref == _HEALTH_CHECK:
            ref = of_party(ref, act.party)
        yield from _next_review(ref, act.occurred_at, terms) if ref else ()
    elif event.kind is DeadlineKind.CADENCE:
        yield from _next_review(event.ref, act.occurred_at, terms)


def cadence_words(ref: str) -> str:
    """Return what an agreed cadence is of, in words: ``operational review``, ``audit``.

    What each party does by itself names it: ``health check of acme``.
    """
    kind, _, party = ref.partition("/")
    words = f"{kind} review" if kind in {"operational", "strategic"} else kind.replace("_", " ")
    return f"{words} of {party}" if party else words


def _counted(event: Event) -> str | None:
    """Return the cadence that an event counts for; None for the correction of one that counted."""
    is_correction = isinstance(event, Changeable) and event.change_reason is not None
    return None if is_correction else cadence_of(event)


def _held(event: Any) -> str:  # noqa: ANN401 - one of `_HELD`
    """Return in words what was held."""
    match event:
        case ReviewHeld():
            return f"Review {event.review} was held."
        case AnnualReviewHeld():
            return f"The annual review of {event.year} was held."
        case HealthCheckRecorded():
            return f"A scorecard of {event.period} was filled in."
        case _:
            return f"Audit {event.audit} was done."


_TERM = ("starts_on", "duration", "notice")
"""The fields of the frame that set the end of the term and its notice."""


def _of_the_term(
    deadline: Callable[[date, date, TermsByDay], Deadline],
) -> tuple[Opening, ...]:
    """Return the events that set a deadline at the end of the term or at its notice.

    `deadline` takes the end, the last day for notice and the terms.
    """

    def of(terms: TermsByDay) -> Iterator[Deadline]:
        end, notice = terms.term_ends_on, terms.last_notice_day
        if terms.exit is None and end is not None and notice is not None:
            yield deadline(end, notice, terms)

    return (
        _opens_several(
            CommercialTermsAgreed,
            lambda e, _, terms, __: of(terms) if _speaks_of(e, _TERM) else (),
        ),
        _opens_several(PartnershipRenewed, lambda _, __, terms, ___: of(terms)),
        _opens_several(
            ExitWithdrawn,
            lambda _, act, terms, __: (
                each._replace(due=max(each.due, act.occurred_at))
                for each in of(terms)
                if not _is_over(each, act.recorded_at, terms)
            ),
        ),
    )


def _is_over(deadline: Deadline, now: datetime, terms: TermsByDay) -> bool:
    """Whether a deadline of the term went by during an exit, so that nothing can be done of it.

    The reminder of the notice is of use until the last day for it.
    """
    if deadline.kind is DeadlineKind.NOTICE_WARNING:
        return terms.midnight(date.fromisoformat(deadline.ref) + _DAY) <= now
    return deadline.due <= now


_TERM_REPLACED = (
    _amends(*_TERM),
    _replaces(PartnershipRenewed, "The partnership was renewed."),
    _replaces(ExitNoticeGiven, "Notice was given."),
    _replaces(ExitAgreed, "Both parties agreed to end the partnership."),
)


def _notice_warning(_: date, last: date, terms: TermsByDay) -> Deadline:
    found = _on(last - WARN_OF_NOTICE, DeadlineKind.NOTICE_WARNING, last.isoformat(), terms)
    return found._replace(since=terms.midnight(last), span=terms.frame(last).notice)


def _notice(_: date, last: date, terms: TermsByDay) -> Deadline:
    found = _end_of_day(DeadlineKind.NOTICE, last.isoformat(), last, terms)
    return found._replace(span=terms.frame(last).notice)


def _term_end(end: date, last: date, terms: TermsByDay) -> Deadline:
    found = _on(end, DeadlineKind.TERM_END, end.isoformat(), terms)
    return found._replace(span=terms.frame(last).notice)


def _exit(_: Event, act: Act, terms: TermsByDay, __: Around) -> Iterator[Deadline]:
    if day := terms.exit:
        found = _on(day, DeadlineKind.EXIT, day.isoformat(), terms)
        yield found._replace(since=act.occurred_at)


def _cure(event: BreachNoticeGiven, _: Act, terms: TermsByDay) -> Deadline:
    found = _end_of_day(DeadlineKind.CURE, event.breach, event.cure_by, terms)
    return found._replace(party=event.by)


_REVIEW_REPLACED = (
    _closes(
        ReviewScheduled,
        lambda e: e.review,
        lambda e: f"Review {e.review} was moved to {e.at:%Y-%m-%d}.",
    ),
    _cancels("review"),
)


_Task = MilestonePlanned | ActionAgreed | OnboardingStepAgreed


def _task(
    kind: DeadlineKind,
    events: tuple[type[_Task], type[Event]],
    words: tuple[str, str, str],
    alert: DeadlineAlert,
    passing: Passing | None = None,
) -> DeadlineRule:
    """Return the rule of something that both agree with a day and an owner, and that is then done.

    `events` are its agreement and its completion; `words` are the field that names it, what it is,
    and how its completion is said.
    """
    agreed, done = events
    name, what, ended = words
    named = attrgetter(name)
    return DeadlineRule(
        kind,
        opened_by=(
            _opens(
                agreed,
                lambda e, _, terms: _end_of_day(kind, named(e), e.due, terms)._replace(
                    party=e.owner or ""
                ),
            ),
        ),
        passing=passing or _passes(kind),
        closed_by=(
            _closes(done, named, lambda e: f"{what} {named(e)} was {ended}."),
            _closes(agreed, named, lambda e: f"{what} {named(e)} was moved to {e.due}."),
            _cancels(name),
        ),
        alert=alert,
        reminds_of=f"{what} {{ref}} is due by {{day}}.",
    )


def _until_exit(rule: DeadlineRule) -> DeadlineRule:
    """Return a rule of what ends with an exit.

    Both may have agreed an action for the time after it, such as a handover, so that one stays.
    """
    return replace(rule, closed_by=(*rule.closed_by, _EXIT_TAKES_EFFECT))


# --- answers -----------------------------------------------------------------------------------

_AGREEMENTS: Final = tuple(BilateralAgreement.__subclasses__())
"""The kinds of agreement; the modules above define them all."""

_OF_A_DAY: Final = tuple(
    each
    for each in _AGREEMENTS
    if each.acceptable_until.__func__ is not BilateralAgreement.acceptable_until.__func__  # type: ignore[attr-defined] # a class method
)
"""The kinds of which a proposal can be accepted until a day."""

_COUNTERED: Final = tuple(each.countered for each in _AGREEMENTS if each.countered is not None)
_PROPOSED: Final = (*(each.proposed for each in _AGREEMENTS), *_COUNTERED)

ASKED_ELSEWHERE: Final[frozenset[type[Event]]] = frozenset(
    {HypothesisRegistered, *(each.proposed for each in _AGREEMENTS if each.where)}
)
"""The events of deals, disputes and experiments that ask for an answer."""


def _agreed(event: BilateralAgreement) -> str | None:
    ref = event.proposal_ref
    return None if ref is None else answer_ref(event.name, ref, event.within(event))


def _agreed_text(event: BilateralAgreement) -> str:
    return f"Proposal {event.proposal_ref} was accepted."


def _countered(event: Any) -> str:  # noqa: ANN401 - made
    return answer_ref(event.agreement.name, event.counters, event.agreement.within(event))


def _countered_text(event: Any) -> str:  # noqa: ANN401 - made
    return f"Proposal {event.counters} was answered with another."


def _ended(event: ProposalEnded) -> str:
    return event.wire.removeprefix("Proposal").lower()


_ANSWERED: Final = (
    *(_closes(each, _agreed, _agreed_text) for each in _AGREEMENTS),
    *(_closes(each, _countered, _countered_text) for each in _COUNTERED),
    *(
        _closes(
            each,
            lambda e: answer_ref(e.agreement, e.proposal, e.within),
            lambda e: f"Proposal {e.proposal} was {_ended(e)}: {e.reason}",
        )
        for each in (ProposalDeclined, ProposalWithdrawn, ProposalLapsed)
    ),
)
"""What ends the wait for an answer."""


# --- the table ---------------------------------------------------------------------------------

RULES = (
    DeadlineRule(
        DeadlineKind.PERIOD,
        opened_by=(
            _opens(
                KickoffHeld,
                lambda _, act, terms: _period(month_of(terms.day(act.occurred_at)), terms),
            ),
            _opens(
                PartnershipAdopted,
                lambda _, act, terms: _period(month_of(terms.day(act.occurred_at)), terms),
            ),
            _opens_several(PeriodClosed, _next_period),
        ),
        passing=_records(PeriodClosed, lambda e: e.period, _close_period),
    ),
    _until_exit(
        _task(
            DeadlineKind.MILESTONE,
            (MilestonePlanned, MilestoneReached),
            ("milestone", "Milestone", "reached"),
            DeadlineAlert(
                "milestone-missed",
                "a milestone is reached by the end of its day (C17)",
                Response(Severity.WARNING, "The plan of both parties slips."),
                lambda e: f"Milestone {e.milestone} was due on {e.due}.",
                about="milestone",
            ),
            passing=_records(
                MilestoneMissed,
                lambda e: e.milestone,
                lambda each: [
                    MilestoneMissed(milestone=each.ref, due=each.last_day, party=each.party or None)
                ],
            ),
        )
    ),
    DeadlineRule(
        DeadlineKind.REVIEW,
        opened_by=(_opens(ReviewScheduled, _review),),
        passing=_records(
            ReviewMissed,
            lambda e: e.review,
            lambda each: [ReviewMissed(review=each.ref, at=each.since)],
        ),
        closed_by=(
            _closes(ReviewHeld, lambda e: e.review, lambda e: f"Review {e.review} was held."),
            *_REVIEW_REPLACED,
        ),
        alert=DeadlineAlert(
            "review-missed",
            "a review is held on its day (C22)",
            Response(Severity.WARNING, "What the review was to decide is not decided."),
            lambda e: f"Review {e.review} of {e.at:%Y-%m-%d} was not held.",
            about="review",
        ),
        reminds_of="Review {ref} is on {day}.",
        at_its_moment=True,
    ),
    DeadlineRule(
        DeadlineKind.CADENCE,
        opened_by=(
            _opens_several(KickoffHeld, _first_reviews),
            _opens_several(CommercialTermsAgreed, _amended_cadence),
            *(_opens_several(each, _review_after) for each in (*_HELD, DeadlinePassed)),
        ),
        passing=_passes(DeadlineKind.CADENCE),
        closed_by=(
            *(
                _closes(each, _counted, _held, by_author=each is HealthCheckRecorded)
                for each in _HELD
            ),
            _EXIT_TAKES_EFFECT,
        ),
        alert=DeadlineAlert(
            "cadence-missed",
            "each agreed kind of review, health check and audit is done in the agreed time (C13)",
            Response(
                Severity.WARNING,
                "The partnership runs without the look at it that was agreed.",
            ),
            lambda e: f"No {cadence_words(e.ref)} was done in the agreed time.",
        ),
        reminds_of="The next {ref} is due by {day}.",
    ),
    _task(
        DeadlineKind.ACTION,
        (ActionAgreed, ActionCompleted),
        ("action", "Action", "done"),
        DeadlineAlert(
            "action-overdue",
            "an action is done by its day (C22)",
            Response(Severity.WARNING, "Something that a party promised is not done."),
            lambda e: f"Action {e.ref} was not done by its day.",
            about="action",
        ),
    ),
    _until_exit(
        _task(
            DeadlineKind.ONBOARDING,
            (OnboardingStepAgreed, OnboardingStepCompleted),
            ("step", "Onboarding step", "completed"),
            DeadlineAlert(
                "onboarding-overdue",
                "a step of the onboarding plan is completed by its day (C16)",
                Response(Severity.WARNING, "People cannot yet work as both planned."),
                lambda e: f"Onboarding step {e.ref} was not completed by its day.",
                about="step",
            ),
        )
    ),
    DeadlineRule(
        DeadlineKind.ISSUE,
        opened_by=(_opens_several(IssueRaised, _escalation),),
        passing=_records(
            IssueEscalated,
            lambda e: e.issue,
            lambda each: [IssueEscalated(issue=each.ref, raised_at=each.since)],
        ),
        closed_by=(
            _closes(IssueResolved, lambda e: e.issue, lambda e: f"Issue {e.issue} was resolved."),
        ),
        alert=DeadlineAlert(
            "issue-escalated",
            "an issue open for 48 hours goes to the executive sponsors (C24)",
            Response(
                Severity.CRITICAL,
                "The managers did not solve it in 48 hours.",
                Office.SPONSOR,
            ),
            lambda e: f"Issue {e.issue} was open for 48 hours and goes to the executive sponsors.",
            about="issue",
        ),
    ),
    DeadlineRule(
        DeadlineKind.IMPROVEMENT,
        opened_by=(
            _opens(
                ImprovementPlanAgreed,
                lambda e, _, terms: _end_of_day(
                    DeadlineKind.IMPROVEMENT, e.plan, e.deadline, terms
                ),
            ),
        ),
        passing=_passes(DeadlineKind.IMPROVEMENT),
        closed_by=(
            _closes(
                ImprovementPlanCompleted,
                lambda e: e.plan,
                lambda e: f"Improvement plan {e.plan} was completed: {e.outcome}",
            ),
            _closes(
                ImprovementPlanAgreed,
                lambda e: e.plan,
                lambda e: f"Improvement plan {e.plan} was moved to {e.deadline}.",
            ),
            _EXIT_TAKES_EFFECT,
        ),
        alert=DeadlineAlert(
            "improvement-due",
            "an improvement plan is reviewed once its time is over (C23)",
            Response(
                Severity.WARNING,
                "Only its outcome says whether the partnership goes on as it is.",
            ),
            lambda e: f"The time of improvement plan {e.ref} is over.",
            about="plan",
            reminder=True,
        ),
        reminds_of="The last day of improvement plan {ref} is {day}.",
    ),
    DeadlineRule(
        DeadlineKind.NOTICE_WARNING,
        opened_by=_of_the_term(_notice_warning),
        passing=_passes(DeadlineKind.NOTICE_WARNING),
        closed_by=(
            *_TERM_REPLACED,
            _closes(
                DeadlinePassed,
                lambda e: e.ref if e.kind is DeadlineKind.NOTICE else None,
                lambda e: f"The last day for notice was {e.ref}.",
            ),
        ),
        alert=DeadlineAlert(
            "notice-due",
            "the parties are reminded thirty days before the last day for notice (C11)",
            Response(
                Severity.WARNING,
                "After that day the term runs to its end.",
            ),
            lambda e: f"The last day to give notice is {e.ref}.",
            reminder=True,
        ),
    ),
    DeadlineRule(
        DeadlineKind.NOTICE,
        opened_by=_of_the_term(_notice),
        passing=_passes(DeadlineKind.NOTICE),
        closed_by=_TERM_REPLACED,
        reminds_of="The last day to give notice is {day}.",
    ),
    DeadlineRule(
        DeadlineKind.TERM_END,
        opened_by=_of_the_term(_term_end),
        passing=_passes(DeadlineKind.TERM_END),
        closed_by=_TERM_REPLACED,
        alert=DeadlineAlert(
            "term-ended",
            "a term ends in a renewal or after notice (C27)",
            Response(Severity.CRITICAL, "Nothing accrues after the term.", Office.SPONSOR),
            lambda e: f"The term ended on {e.ref} without renewal or notice.",
            reminder=True,
        ),
        reminds_of="The last day of the term is {day}.",
    ),
    DeadlineRule(
        DeadlineKind.EXIT,
        opened_by=(
            _opens_several(ExitNoticeGiven, _exit),
            _opens_several(ExitAgreed, _exit),
            _opens_several(ExitWithdrawn, _exit),
        ),
        passing=_passes(DeadlineKind.EXIT),
        closed_by=(
            _replaces(ExitNoticeGiven, "Notice was given to leave sooner."),
            _replaces(ExitAgreed, "Both parties agreed to end the partnership."),
            _replaces(ExitWithdrawn, "Both parties withdrew the exit."),
        ),
        alert=DeadlineAlert(
            "exit-incomplete",
            "an exit is completed once it has taken effect (C27)",
            Response(Severity.WARNING, "Assets and the final settlement are still open."),
            lambda e: f"The exit took effect on {e.ref}, and it is not completed.",
            reminder=True,
        ),
        reminds_of="The last day of the partnership is {day}.",
    ),
    DeadlineRule(
        DeadlineKind.CURE,
        opened_by=(_opens(BreachNoticeGiven, _cure),),
        passing=_passes(DeadlineKind.CURE),
        closed_by=(
            _closes(BreachCured, lambda e: e.breach, lambda e: f"Breach {e.breach} was cured."),
        ),
        alert=DeadlineAlert(
            "breach-not-cured",
            "a breach is cured in the agreed time (C27)",
            Response(Severity.CRITICAL, "The other party can leave because of it.", Office.SPONSOR),
            lambda e: f"Breach {e.ref} was not cured in its cure period.",
            about="breach",
        ),
        reminds_of="The cure period of breach {ref} ends on {day}.",
    ),
    DeadlineRule(
        DeadlineKind.ANSWER,
        opened_by=(
            *(_opens(each, _answer) for each in _PROPOSED),
            _opens_several(HypothesisRegistered, _start),
        ),
        passing=_passes(DeadlineKind.ANSWER),
        closed_by=(
            *_ANSWERED,
            _closes(
                PilotStarted,
                lambda e: _pilot(e.experiment),
                lambda e: f"The pilot of experiment {e.experiment} was started.",
            ),
        ),
        alert=DeadlineAlert(
            "answer-overdue",
            "a proposal is answered in the agreed time",
            Response(Severity.WARNING, "The party that proposed it cannot go on."),
            lambda e: f"Proposal {proposal_words(e.ref)} was not answered in time.",
        ),
        reminds_of="The answer to proposal {ref} is due by {day}.",
    ),
    DeadlineRule(
        DeadlineKind.SIGNATURE,
        opened_by=(_opens_several(AgreementDrafted, _signatures),),
        passing=_passes(DeadlineKind.SIGNATURE),
        closed_by=(
            _closes(
                AgreementSigned,
                lambda e: str(e.agreement_version),
                lambda e: f"Version {e.agreement_version} was signed.",
                by_author=True,
            ),
            _closes(
                AgreementDrafted,
                lambda _: ALL,
                lambda e: f"Version {e.agreement_version} was drafted.",
            ),
            *(
                _closes(
                    each,
                    lambda e: ALL if e.agreement == DRAFT else None,
                    lambda e: f"Version {e.proposal} was {_ended(e)}: {e.reason}",
                )
                for each in (ProposalDeclined, ProposalWithdrawn, ProposalLapsed)
            ),
        ),
        alert=DeadlineAlert(
            "signature-overdue",
            "each party signs a draft of the agreement, or ends it, in the agreed time (C9)",
            Response(Severity.WARNING, "What it says is not in force."),
            lambda e: f"{e.party} did not sign version {_version(e.ref)} of the agreement in time.",
        ),
        reminds_of="Version {ref} of the agreement is to be signed by {day}.",
    ),
    DeadlineRule(
        DeadlineKind.CONFIRMATION,
        opened_by=(_opens(SecondPersonAsked, _confirmation),),
        passing=_passes(DeadlineKind.CONFIRMATION),
        closed_by=(
            _closes(ActConfirmed, act_ref, lambda e: f"Act {e.act} was confirmed."),
            _closes(ActWithdrawn, act_ref, lambda e: f"Act {e.act} was taken back: {e.reason}"),
            _closes(SecondPersonAsked, act_ref, lambda e: f"Act {e.act} was done again."),
        ),
        alert=DeadlineAlert(
            "confirmation-missed",
            "a second person of the party confirms in the agreed time what exceeds the agreed "
            "amount",
            Response(Severity.WARNING, "The act has lapsed, so it binds nobody."),
            lambda e: f"Nobody of {e.party} confirmed act {act_words(e.ref)} in time.",
            about="act",
        ),
        reminds_of="Act {ref} is to be confirmed by a second person by {day}.",
    ),
    DeadlineRule(
        DeadlineKind.LAPSE,
        opened_by=(
            *(_opens_several(each.proposed, _lapse) for each in _OF_A_DAY),
            _opens_several(ExitNoticeGiven, _sooner),
        ),
        passing=Passing(
            ProposalLapsed,
            lambda e: answer_ref(e.agreement, e.proposal) if e.last_day else None,
            _lapsed,
        ),
        closed_by=_ANSWERED,
        reminds_of="Proposal {ref} can be accepted until {day}.",
    ),
    # Figures are reported in other streams, so a fold of all streams opens and closes their
    # deadlines (`domain.figures_due`).
    DeadlineRule(
        DeadlineKind.FIGURE,
        opened_by=(),
        passing=_passes(DeadlineKind.FIGURE),
        alert=DeadlineAlert(
            "figure-overdue",
            "a figure is reported within the agreed days after its period (C19)",
            Response(
                Severity.WARNING,
                "Without it nobody can say whether its objective is reached.",
                Office.METRIC_OWNER,
            ),
            lambda e: f"{figure_words(e.ref)} was not reported in time.",
        ),
        reminds_of="{ref} is to be reported by {day}.",
    ),
    # Whether an objective is missed, its figures say (`projections.alerts`).
    DeadlineRule(
        DeadlineKind.OBJECTIVE,
        opened_by=(
            _opens_several(CharterAgreed, _objectives),
            _opens(
                TargetAdjusted,
                lambda e, _, terms: _end_of_day(
                    DeadlineKind.OBJECTIVE, e.objective, e.deadline, terms
                ),
            ),
        ),
        passing=_passes(DeadlineKind.OBJECTIVE),
        closed_by=(
            _replaces(CharterAgreed, "Both parties signed a new charter."),
            _closes(
                TargetAdjusted,
                lambda e: e.objective,
                lambda e: f"Both parties agreed another target for {e.objective}.",
            ),
            _EXIT_TAKES_EFFECT,
        ),
    ),
    # What is paid of a statement says whether it has a deadline (`with_statements`).
    DeadlineRule(
        DeadlineKind.STATEMENT,
        opened_by=(),
        passing=_passes(DeadlineKind.STATEMENT),
        reminds_of="Statement {ref} is to be paid by {day}.",
    ),
    # Claims are facts of other streams, so the ledger opens and closes their deadlines.
    DeadlineRule(DeadlineKind.SILENCE, opened_by=(), passing=_passes(DeadlineKind.SILENCE)),
)
"""Every kind of deadline but the reminders of others. `PartnershipExited` closes all of them but
those of silence and of statements: what was claimed before the end can count after it, and what is
owed stays owed."""


# --- what is open, and what passed -------------------------------------------------------------


_Closer = tuple[DeadlineKind, Callable[[Any], str | None], bool]


def _by_event() -> tuple[dict[type[Event], list[Opening]], dict[type[Event], list[_Closer]]]:
    """Return what each event opens and closes, so that folding looks at no other rule."""
    opens: dict[type[Event], list[Opening]] = {}
    closes: dict[type[Event], list[_Closer]] = {}
    for rule in RULES:
        for opening in rule.opened_by:
            opens.setdefault(opening.event, []).append(opening)
        closes.setdefault(rule.passing.event, []).append((rule.kind, rule.passing.ref, False))
        for closing in rule.closed_by:
            closer = (rule.kind, closing.ref, closing.by_author)
            closes.setdefault(closing.event, []).append(closer)
    return opens, closes


_OPENS, _CLOSES = _by_event()
_RULES = {rule.kind: rule for rule in RULES}
_PASSING = {rule.kind: rule.passing for rule in RULES}
OF_THE_PLAN = {rule.kind for rule in RULES if _EXIT_TAKES_EFFECT in rule.closed_by}
"""The kinds that only a partnership that runs still owes."""

_TO_DO = {rule.kind for rule in RULES if rule.alert}
"""The kinds of which something is still to be done once they passed."""

_ENDS: Final = (PartnershipExited, ExplorationClosed)
"""The events that end everything."""

CONCERNED: frozenset[type[Event]] = frozenset({*_OPENS, *_CLOSES, *_ENDS, ReminderGiven})
"""The events that open or close a deadline, or remind of it."""


def due(deadlines: Deadlines, now: datetime) -> Deadline | None:
    """Return the first open deadline that has passed at `now`, if there is one.

    A reminder is a deadline of its own kind, with the id of what it is of as its `ref`.
    """
    first = min(map(_next, deadlines.values()), default=None)
    return first if first is not None and first.due <= now else None


def wake(deadlines: Iterable[Deadline]) -> datetime:
    """Return when the first of some deadlines passes, or its reminder is due."""
    return min(_next(each).due for each in deadlines)


def _next(deadline: Deadline) -> Deadline:
    at = deadline.remind_at
    if at is None or at >= deadline.due:
        return deadline
    return deadline._replace(due=at, kind=DeadlineKind.REMINDER, ref=deadline.id, remind_at=None)


def silence(day: date, terms: TermsByDay) -> Deadline:
    """Return the deadline of the claims that silence confirms when a day begins."""
    return _on(day, DeadlineKind.SILENCE, day.isoformat(), terms)


def figure(ref: str, party: str, period: str, act: Act, terms: TermsByDay) -> Deadline:
    """Return by when a figure of a period is reported by a party, or by either if it is empty.

    That is within the agreed days or, if none are agreed, before the period after it ends.
    """
    ended = bounds(period)[1].date()
    days = terms.day_rules(ended).figure_days
    after = bounds(following(period))[1].date() if days is None else ended + timedelta(days=days)
    last = after - _DAY
    deadline = _end_of_day(DeadlineKind.FIGURE, ref, last, terms)._replace(party=party)
    return _with_reminder(deadline._replace(since=terms.midnight(ended)), act, terms)


def figure_words(ref: str) -> str:
    """Return a figure in words: ``new users in spain of 2026-03 (acme)``."""
    metric, segment, period, *by = ref.split("/")
    part = "" if segment == "-" else f" in {segment}"
    return f"{metric_words(metric)}{part} of {period}{''.join(f' ({each})' for each in by)}"


def with_statements(
    deadlines: Deadlines, before: Deadlines, payouts: Payouts, act: Act, terms: TermsByDay
) -> Deadlines:
    """Return deadlines with those of the statements on which something is due.

    `before` are the deadlines before the event: a reminder that was given is not given again.
    """
    found = {
        key: each for key, each in deadlines.items() if each.kind is not DeadlineKind.STATEMENT
    }
    for name, since in payouts.unpaid.items():
        if name in payouts.overdue:
            continue
        owed = payouts.owed[name]
        deadline = statement(name, owed.payer, owed.due_on, act, terms)
        if deadline.due < since:
            # It was paid in time, and came back later.
            deadline = deadline._replace(due=since, day=None)
        known = deadlines.get(deadline.id) or before.get(deadline.id)
        is_known = known is not None and known.due == deadline.due
        found[deadline.id] = known if known is not None and is_known else deadline
    return found


def statement(name: str, payer: str, due_on: date, act: Act, terms: TermsByDay) -> Deadline:
    """Return by when a statement is paid, with its reminder, as of the event that made it due."""
    deadline = _end_of_day(DeadlineKind.STATEMENT, name, due_on, terms)
    return _with_reminder(deadline._replace(party=payer), act, terms)


def passed(deadline: Deadline) -> list[Event]:
    """Return the events that record the passing of a deadline."""
    if deadline.kind is DeadlineKind.REMINDER:
        kind, _, ref = deadline.ref.partition("/")
        return [
            ReminderGiven(
                kind=DeadlineKind(kind),
                ref=ref,
                due=deadline.last_day,
                party=deadline.party or None,
                asked_by=deadline.asked_by or None,
            )
        ]
    return _PASSING[deadline.kind].events(deadline)


def reminder_text(event: ReminderGiven) -> str:
    """Return what those who act are reminded of, as a sentence."""
    ref = event.ref
    if event.kind is DeadlineKind.CADENCE:
        ref = cadence_words(ref)
    elif event.kind in {DeadlineKind.ANSWER, DeadlineKind.LAPSE}:
        ref = proposal_words(ref)
    elif event.kind is DeadlineKind.SIGNATURE:
        ref = _version(ref)
    elif event.kind is DeadlineKind.CONFIRMATION:
        ref = act_words(ref)
    elif event.kind is DeadlineKind.FIGURE:
        ref = figure_words(ref)
    return (_RULES[event.kind].reminds_of or "{ref} is due on {day}.").format(
        ref=ref, day=event.due
    )


def evolve(
    deadlines: Deadlines, event: Event, act: Act, terms: TermsByDay, parties: tuple[str, ...]
) -> Deadlines:
    """Open and close deadlines by one event; `terms` and `parties` are those after it."""
    if type(event) not in CONCERNED:
        return deadlines
    if isinstance(event, _ENDS):
        return {}
    if isinstance(event, ReminderGiven):
        return _reminded(deadlines, f"{event.kind.value}/{event.ref}")
    closed, around = set(_closed_by(event, act, deadlines)), Around(deadlines, parties)
    opened = {
        each.id: _with_reminder(each, act, terms)
        for opening in _OPENS.get(type(event), ())
        for each in opening.deadlines(event, act, terms, around)
        if not _is_after_exit(each, act, terms)
    }
    if isinstance(event, CommercialTermsAgreed) and _speaks_of(event, ["time_zone"]):
        deadlines = {key: _in_zone(each, terms) for key, each in deadlines.items()}
    elif not closed and not opened:
        return deadlines
    return {key: each for key, each in deadlines.items() if key not in closed} | opened


def _is_after_exit(deadline: Deadline, act: Act, terms: TermsByDay) -> bool:
    """Whether nobody owes it any more: an exit took effect, and its day is later."""
    if terms.exit is None or deadline.kind not in OF_THE_PLAN:
        return False
    effect = terms.midnight(terms.exit)
    return effect <= act.recorded_at and effect < deadline.due


def _with_reminder(deadline: Deadline, act: Act, terms: TermsByDay) -> Deadline:
    """Return a deadline with the moment of its reminder: at once if it is nearer than that."""
    rule = _RULES[deadline.kind]
    if not rule.reminds_of:
        return deadline
    moment = deadline.since if rule.at_its_moment else deadline.due
    before = timedelta(hours=terms.day_rules(terms.day(act.occurred_at)).remind_hours)
    at = max(moment - before, act.occurred_at)
    return deadline._replace(remind_at=at if at < moment else None)


def _reminded(deadlines: Deadlines, id: str) -> Deadlines:
    known = deadlines.get(id)
    return {**deadlines, id: known._replace(remind_at=None)} if known else deadlines


def after_passing(deadlines: Deadlines, passing: Deadline) -> Deadlines:
    """Return the deadlines after one of them passed, or after its reminder."""
    if passing.kind is DeadlineKind.REMINDER:
        return _reminded(deadlines, passing.ref)
    return {key: each for key, each in deadlines.items() if key != passing.id}


def overdue(passed_before: Deadlines, open_before: Deadlines, event: Event, act: Act) -> Deadlines:
    """Return the passed deadlines of which what was due is still to be done, after an event.

    `passed_before` are those before it, and `open_before` the deadlines that it can let pass.
    """
    if isinstance(event, _ENDS):
        return {}
    done = set(_closed_by(event, act, passed_before))
    # What passes again, such as the next review of a kind, is overdue since the first time.
    still = {
        key: each
        for key, each in passed_before.items()
        if key not in done or _is_passing(event, each)
    }
    passing = {
        key: each
        for key, each in open_before.items()
        if each.kind in _TO_DO and _is_passing(event, each)
    }
    return {**passing, **still}


def _is_passing(event: Event, deadline: Deadline) -> bool:
    """Whether an event records that this deadline passed."""
    passing = _PASSING[deadline.kind]
    return type(event) is passing.event and passing.ref(event) == deadline.ref


def _in_zone(deadline: Deadline, terms: TermsByDay) -> Deadline:
    if deadline.day is None:
        return deadline
    due = terms.midnight(deadline.day)
    at = deadline.remind_at and deadline.remind_at + (due - deadline.due)
    return deadline._replace(due=due, remind_at=at)


def _closed_by(event: Event, act: Act, deadlines: Deadlines) -> Iterator[str]:
    if isinstance(event, CommercialTermsAgreed):
        yield from (key for key, each in deadlines.items() if _has_other_cadence(event, each))
    for kind, ref, by_author in _CLOSES.get(type(event), ()):
        name = ref(event)
        if by_author and name is not None:
            name = of_party(name, act.party)
        if name == ALL:
            yield from (key for key, each in deadlines.items() if each.kind is kind)
        elif name is not None and (key := f"{kind.value}/{name}") in deadlines:
            yield key
