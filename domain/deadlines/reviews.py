"""Deadlines of reviews, health checks and audits: each on its day, or in its agreed cadence."""

from collections.abc import Iterator
from datetime import date, datetime
from typing import Any, Final

from domain.agreement import CommercialTermsAgreed
from domain.calendar import add
from domain.deadlines.deadline import (
    DAY,
    Deadline,
    DeadlineKind,
    DeadlinePassed,
    end_of_day,
    of_party,
    on,
)
from domain.deadlines.rule import (
    EXIT_TAKES_EFFECT,
    Around,
    DeadlineAlert,
    DeadlineRule,
    cancels,
    closes,
    opens,
    opens_several,
    passes,
    records,
    speaks_of,
)
from domain.declarations import Changeable
from domain.execution import KickoffHeld, ReviewHeld, ReviewMissed, ReviewScheduled
from domain.health import ComplianceAudited, HealthCheckRecorded
from domain.kernel import Act, Event
from domain.renewal import AnnualReviewHeld
from domain.response import Response, Severity
from domain.terms import Cadence
from domain.terms_by_day import TermsByDay
from domain.values import moment_words, name_words

_HELD: Final = (ReviewHeld, AnnualReviewHeld, ComplianceAudited, HealthCheckRecorded)
"""What counts for a cadence."""


_HEALTH_CHECK: Final = "health_check"
"""The cadence that each party keeps by itself: both fill in a scorecard (C25)."""


def cadence_of_kind(kind: str | None) -> str:
    """Return the cadence for which reviews of a kind count; empty for a kind that nobody gave."""
    return "strategic" if kind == "quarterly-business-review" else kind or ""


def cadence_of(event: Event) -> str:
    """Return the agreed cadence that a review, a health check or an audit counts for (C13).

    It is empty for a review that is said to have been held without its kind.
    """
    match event:
        case ReviewHeld(kind=kind):
            return cadence_of_kind(kind)
        case AnnualReviewHeld():
            return "annual_review"
        case HealthCheckRecorded():
            return _HEALTH_CHECK
        case _:
            return "audit"


def cadence_words(ref: str) -> str:
    """Return what an agreed cadence is of, in words: ``operational review``, ``audit``.

    What each party does by itself names it: ``health check of acme``.
    """
    kind, _, party = ref.partition("/")
    words = f"{kind} review" if kind in {"operational", "strategic"} else name_words(kind)
    return f"{words} of {party}" if party else words


def _review(event: ReviewScheduled, _: Act, terms: TermsByDay) -> Deadline:
    day = terms.day(event.at)
    found = end_of_day(DeadlineKind.REVIEW, event.review, day, terms)
    # One that an agreed rule asked for has a last day, and can be held sooner.
    return found._replace(since=event.at, on_its_day=event.proposal is not None)


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
            found = on(due + DAY, DeadlineKind.CADENCE, ref, terms)
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
    if not is_running or not speaks_of(event, ["cadence"]):
        return
    for ref in _each_kind(around.parties):
        existing = around.open.get(f"{DeadlineKind.CADENCE}/{ref}")
        if existing is None or has_other_cadence(event, existing):
            yield from _next_review(ref, existing.since if existing else act.occurred_at, terms)


def has_other_cadence(event: CommercialTermsAgreed, deadline: Deadline) -> bool:
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


def _review_after(event: Event, act: Act, terms: TermsByDay, around: Around) -> Iterator[Deadline]:
    """Yield the next review of a kind, counted from one that was held or did not happen."""
    if not isinstance(event, DeadlinePassed):
        ref = _counted(event)
        if ref == _HEALTH_CHECK:
            ref = of_party(ref, act.party)
        yield from _counted_on(ref, done_at(event, act), terms, around) if ref else ()
    elif event.kind is DeadlineKind.CADENCE:
        # It passed as the day after its last day began; the next one is counted from that last day.
        last = terms.day(act.occurred_at) - DAY
        yield from _next_review(event.ref, terms.midnight(last), terms)


def _counted_on(ref: str, held: datetime, terms: TermsByDay, around: Around) -> Iterator[Deadline]:
    """Yield the next review of a kind after one that was held; a later one stays the last."""
    existing = around.open.get(f"{DeadlineKind.CADENCE}/{ref}")
    if existing is not None and existing.since > held:
        yield existing
    else:
        yield from _next_review(ref, held, terms)


def _counted(event: Event) -> str | None:
    """Return the cadence that an event counts for; None for the correction of one that counted."""
    match event:
        case ReviewHeld() | AnnualReviewHeld():
            is_correction = event.is_correction
        case _:
            is_correction = isinstance(event, Changeable) and event.change_reason is not None
    return None if is_correction else cadence_of(event) or None


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


def done_at(event: Event, act: Act) -> datetime:
    """Return when what an event says was done: a review before both agreed that it was held."""
    return event.held_at if isinstance(event, ReviewHeld | AnnualReviewHeld) else act.occurred_at


_REVIEW_REPLACED = (
    closes(
        ReviewScheduled,
        lambda e: e.review,
        lambda e: f"Review {e.review} was moved to {moment_words(e.at)}.",
    ),
    cancels("review"),
)


RULES = (
    DeadlineRule(
        DeadlineKind.REVIEW,
        opened_by=(opens(ReviewScheduled, _review),),
        passing=records(
            ReviewMissed,
            lambda e: e.review,
            lambda each: [ReviewMissed(review=each.ref, at=each.since)],
        ),
        closed_by=(
            closes(ReviewHeld, lambda e: e.review, lambda e: f"Review {e.review} was held."),
            *_REVIEW_REPLACED,
        ),
        both=ReviewHeld,
        alert=DeadlineAlert(
            "review-missed",
            "a review is held on its day (C22)",
            Response(Severity.WARNING, "What the review was to decide is not decided."),
            lambda e: f"Review {e.review} of {moment_words(e.at)} was not held.",
            about="review",
        ),
        reminds_of="Review {ref} is on {day}.",
        at_its_moment=True,
    ),
    DeadlineRule(
        DeadlineKind.CADENCE,
        opened_by=(
            opens_several(KickoffHeld, _first_reviews),
            opens_several(CommercialTermsAgreed, _amended_cadence),
            *(opens_several(each, _review_after) for each in (*_HELD, DeadlinePassed)),
        ),
        passing=passes(DeadlineKind.CADENCE),
        closed_by=(
            *(
                closes(each, _counted, _held, by_author=each is HealthCheckRecorded)
                for each in _HELD
            ),
            EXIT_TAKES_EFFECT,
        ),
        alert=DeadlineAlert(
            "cadence-missed",
            "each agreed kind of review, health check and audit is done in the agreed time (C13)",
            Response(
                Severity.WARNING,
                "The partnership runs without the look at it that was agreed.",
            ),
            lambda e: f"No {cadence_words(e.ref)} was done in the agreed time.",
            recurs=True,
        ),
        reminds_of="The next {ref} is due by {day}.",
    ),
)
