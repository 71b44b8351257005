"""Deadlines of periods, figures, statements and silence.

Facts of other streams open and close those of figures, statements and silence.
"""

from collections.abc import Iterator

from domain.adoption import PartnershipAdopted
from domain.calendar import bounds, following, month_of, months_of, quarter_of
from domain.deadlines.deadline import Deadline, DeadlineKind, PeriodClosed, on
from domain.deadlines.rule import (
    Around,
    DeadlineAlert,
    DeadlineRule,
    opens,
    opens_several,
    passes,
    records,
)
from domain.execution import KickoffHeld
from domain.kernel import Act, Event
from domain.metric_catalogue import metric_words
from domain.response import Office, Response, Severity
from domain.terms_by_day import TermsByDay


def _period(period: str, terms: TermsByDay) -> Deadline:
    start, end = (each.date() for each in bounds(period))
    return on(end, DeadlineKind.PERIOD, period, terms)._replace(since=terms.midnight(start))


def _next_period(event: PeriodClosed, _: Act, terms: TermsByDay, __: Around) -> Iterator[Deadline]:
    if "Q" not in event.period:
        yield _period(following(event.period), terms)


def _close_period(deadline: Deadline) -> list[Event]:
    quarter = quarter_of(deadline.ref)
    ends_quarter = months_of(quarter)[-1] == deadline.ref
    closed = [deadline.ref, quarter] if ends_quarter else [deadline.ref]
    return [PeriodClosed(period=period) for period in closed]


def figure_words(ref: str) -> str:
    """Return a figure in words: ``figure for new users in spain in 2026-03 (acme)``."""
    metric, segment, period, *by = ref.split("/")
    words = metric_words(metric, None if segment == "-" else segment)
    return f"figure for {words} in {period}{''.join(f' ({each})' for each in by)}"


RULES = (
    DeadlineRule(
        DeadlineKind.PERIOD,
        opened_by=(
            opens(
                KickoffHeld,
                lambda _, act, terms: _period(month_of(terms.day(act.occurred_at)), terms),
            ),
            opens(
                PartnershipAdopted,
                lambda _, act, terms: _period(month_of(terms.day(act.occurred_at)), terms),
            ),
            opens_several(PeriodClosed, _next_period),
        ),
        passing=records(PeriodClosed, lambda e: e.period, _close_period),
    ),
    # Figures are reported in other streams, so a fold of all streams opens and closes their
    # deadlines (`domain.figures_due`).
    DeadlineRule(
        DeadlineKind.FIGURE,
        opened_by=(),
        passing=passes(DeadlineKind.FIGURE),
        alert=DeadlineAlert(
            "figure-overdue",
            "a figure is reported within the agreed days after its period (C19)",
            Response(
                Severity.WARNING,
                "Without it nobody can say whether its objective is reached.",
                Office.METRIC_OWNER,
            ),
            lambda e: f"The {figure_words(e.ref)} was not reported in time.",
        ),
        reminds_of="The {ref} is to be reported by {day}.",
    ),
    # What is paid of a statement says whether it has a deadline (`with_statements`).
    DeadlineRule(
        DeadlineKind.STATEMENT,
        opened_by=(),
        passing=passes(DeadlineKind.STATEMENT),
        reminds_of="Statement {ref} is to be paid by {day}.",
    ),
    # Claims are facts of other streams, so the ledger opens and closes their deadlines.
    DeadlineRule(
        DeadlineKind.SILENCE,
        opened_by=(),
        passing=passes(DeadlineKind.SILENCE),
        reminds_of=(
            "{ref} has leads or claims to answer by {day}. Without an answer by then, each counts "
            "as accepted."
        ),
    ),
)
