"""Open deadlines of each partnership, so that a scheduler finds what is due after a stop."""

from dataclasses import dataclass
from datetime import datetime

from domain import deadlines as time
from domain.deadlines import Deadline, Deadlines
from domain.exit import terms_after
from domain.recorded import Recorded
from domain.terms_by_day import TermsByDay
from projections.fold import NOTHING, Change, Projection, Rows

OPEN, OVERDUE, TERMS = "open", "overdue", "terms"
"""The keys of the rows: what is open, what passed and is still to be done, and the terms that
deadlines follow."""


@dataclass(frozen=True, slots=True)
class OpenDeadlines:
    """The open deadlines of one partnership; there is no row without any."""

    wake: datetime
    """When the first of them passes, or its reminder is due."""
    open: tuple[Deadline, ...]
    """In the order in which they pass."""


@dataclass(frozen=True, slots=True)
class OverdueDeadlines:
    """The deadlines of one partnership that passed, and of which nothing was done since.

    There is no row without any.
    """

    passed: tuple[Deadline, ...]
    """In the order in which they passed."""


def keys(_: Recorded) -> tuple[str, ...]:
    """Return all rows."""
    return (OPEN, OVERDUE, TERMS)


def of_other_streams(rows: Rows) -> Deadlines:
    """Return the open deadlines that the partnership's own stream does not open, by identifier.

    They are the answers to proposals on deals, disputes and experiments.
    """
    row: OpenDeadlines | None = rows.get(OPEN)
    found = filter(time.is_of_another_stream, row.open if row else ())
    return {each.id: each for each in found}


def apply(rows: Rows, recorded: Recorded) -> Change:
    """Open and close deadlines as the domain does."""
    row: OpenDeadlines | None = rows.get(OPEN)
    agreed: TermsByDay = rows.get(TERMS) or TermsByDay()
    terms = terms_after(agreed, recorded.event)
    before = {each.id: each for each in row.open} if row else {}
    after = time.evolve(before, recorded.event, recorded.act, terms)
    late: OverdueDeadlines | None = rows.get(OVERDUE)
    late_before = {each.id: each for each in late.passed} if late else {}
    late_after = time.overdue(late_before, before, recorded.event)
    changed: dict[str, OpenDeadlines | OverdueDeadlines | TermsByDay | None] = {}
    if terms is not agreed:
        changed[TERMS] = terms
    if after != before:
        still_open = tuple(sorted(after.values()))
        changed[OPEN] = OpenDeadlines(time.wake(still_open), still_open) if still_open else None
    if late_after != late_before:
        passed = tuple(sorted(late_after.values()))
        changed[OVERDUE] = OverdueDeadlines(passed) if passed else None
    return Change(changed, []) if changed else NOTHING


_ROWS = {OPEN: OpenDeadlines, OVERDUE: OverdueDeadlines, TERMS: TermsByDay}

DEADLINES = Projection(
    "deadlines",
    keys,
    apply,
    time.CONCERNED,
    version=9,
    row_type=lambda key: _ROWS[key],
)
