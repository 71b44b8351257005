"""Deadlines of the term, its notice, an exit and the cure of a breach.

They follow the terms by day, so terms, a renewal or a notice of exit set them again.
"""

from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta

from domain.agreement import CommercialTermsAgreed
from domain.deadlines.deadline import DAY, Deadline, DeadlineKind, DeadlinePassed, end_of_day, on
from domain.deadlines.rule import (
    EXIT_TAKES_EFFECT,
    Around,
    DeadlineAlert,
    DeadlineRule,
    Opening,
    amends,
    closes,
    opens,
    opens_several,
    passes,
    replaces,
    speaks_of,
)
from domain.exit import BreachCured, BreachNoticeGiven, ExitAgreed, ExitNoticeGiven, ExitWithdrawn
from domain.kernel import Act, Event
from domain.renewal import PartnershipRenewed
from domain.response import Office, Response, Severity
from domain.terms_by_day import TermsByDay

WARN_OF_NOTICE = timedelta(days=30)
"""How long before the last day for notice the parties are reminded (C11)."""


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
        opens_several(
            CommercialTermsAgreed,
            lambda e, act, terms, __: (
                each
                for each in (of(terms) if speaks_of(e, _TERM) else ())
                if not _is_over(each, act.occurred_at, terms)
            ),
        ),
        opens_several(PartnershipRenewed, lambda _, __, terms, ___: of(terms)),
        opens_several(
            ExitWithdrawn,
            lambda _, act, terms, __: (
                each._replace(due=max(each.due, act.occurred_at))
                for each in of(terms)
                if not _is_over(each, act.now, terms)
            ),
        ),
    )


def _is_over(deadline: Deadline, now: datetime, terms: TermsByDay) -> bool:
    """Whether a deadline of the term went by during an exit, so that nothing can be done of it.

    The reminder of the notice is of use until the last day for it. A term that is over can still be
    renewed.
    """
    if deadline.kind is DeadlineKind.TERM_END:
        return False
    if deadline.kind is DeadlineKind.NOTICE_WARNING:
        return terms.midnight(date.fromisoformat(deadline.ref) + DAY) <= now
    return deadline.due <= now


_TERM_REPLACED = (
    amends(*_TERM),
    replaces(PartnershipRenewed, "The partnership was renewed."),
    replaces(ExitNoticeGiven, "Notice was given."),
    replaces(ExitAgreed, "Both parties agreed to end the partnership."),
)


def _notice_warning(_: date, last: date, terms: TermsByDay) -> Deadline:
    found = on(last - WARN_OF_NOTICE, DeadlineKind.NOTICE_WARNING, last.isoformat(), terms)
    return found._replace(since=terms.midnight(last), span=terms.frame(last).notice)


def _notice(_: date, last: date, terms: TermsByDay) -> Deadline:
    found = end_of_day(DeadlineKind.NOTICE, last.isoformat(), last, terms)
    return found._replace(span=terms.frame(last).notice)


def _term_end(end: date, last: date, terms: TermsByDay) -> Deadline:
    found = on(end, DeadlineKind.TERM_END, end.isoformat(), terms)
    return found._replace(span=terms.frame(last).notice)


def _exit(_: Event, act: Act, terms: TermsByDay, __: Around) -> Iterator[Deadline]:
    if day := terms.exit:
        found = on(day, DeadlineKind.EXIT, day.isoformat(), terms)
        yield found._replace(since=act.occurred_at)


def _cure(event: BreachNoticeGiven, _: Act, terms: TermsByDay) -> Deadline:
    found = end_of_day(DeadlineKind.CURE, event.breach, event.cure_by, terms)
    return found._replace(party=event.by, owner=event.by)


RULES = (
    DeadlineRule(
        DeadlineKind.NOTICE_WARNING,
        opened_by=_of_the_term(_notice_warning),
        passing=passes(DeadlineKind.NOTICE_WARNING),
        closed_by=(
            *_TERM_REPLACED,
            closes(
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
        passing=passes(DeadlineKind.NOTICE),
        closed_by=_TERM_REPLACED,
        reminds_of="The last day to give notice is {day}.",
    ),
    DeadlineRule(
        DeadlineKind.TERM_END,
        opened_by=_of_the_term(_term_end),
        passing=passes(DeadlineKind.TERM_END),
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
            opens_several(ExitNoticeGiven, _exit),
            opens_several(ExitAgreed, _exit),
            opens_several(ExitWithdrawn, _exit),
        ),
        passing=passes(DeadlineKind.EXIT),
        closed_by=(
            replaces(ExitNoticeGiven, "Notice was given to leave sooner."),
            replaces(ExitAgreed, "Both parties agreed to end the partnership."),
            replaces(ExitWithdrawn, "Both parties withdrew the exit."),
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
        opened_by=(opens(BreachNoticeGiven, _cure),),
        passing=passes(DeadlineKind.CURE),
        closed_by=(
            closes(BreachCured, lambda e: e.breach, lambda e: f"Breach {e.breach} was cured."),
            EXIT_TAKES_EFFECT,
        ),
        alert=DeadlineAlert(
            "breach-not-cured",
            "a breach is cured in the agreed time (C27)",
            Response(Severity.CRITICAL, "The other party can leave because of it.", Office.SPONSOR),
            lambda e: f"Breach {e.ref} was not cured in its cure period.",
            about="breach",
        ),
        reminds_of="The cure period of breach {ref} ends on {day}.",
        both=BreachCured,
    ),
)
