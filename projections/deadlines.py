"""Open deadlines of each partnership, so that a scheduler finds what is due after a stop."""

from dataclasses import dataclass
from datetime import datetime

from domain import deadlines as time
from domain.deadlines import Deadline
from domain.exit import terms_after
from domain.recorded import Recorded
from domain.terms_by_day import TermsByDay
from projections.fold import NOTHING, Change, Projection, Rows

OPEN, TERMS = "open", "terms"
"""The keys of the two rows: what is open, and the terms that deadlines follow."""


@dataclass(frozen=True, slots=True)
class OpenDeadlines:
    """The open deadlines of one partnership; there is no row without any."""

    wake: datetime
    """When the first of them passes."""
    open: tuple[Deadline, ...]
    """In the order in which they pass."""


def keys(recorded: Recorded) -> tuple[str, ...]:
    """Return both rows, for events of the partnership's own stream."""
    return (OPEN, TERMS) if recorded.stream == recorded.partnership else ()


def apply(rows: Rows, recorded: Recorded) -> Change:
    """Open and close deadlines as the domain does."""
    if recorded.stream != recorded.partnership:
        return NOTHING
    row: OpenDeadlines | None = rows.get(OPEN)
    agreed: TermsByDay = rows.get(TERMS) or TermsByDay()
    terms = terms_after(agreed, recorded.event)
    before = {each.id: each for each in row.open} if row else {}
    after = time.evolve(before, recorded.event, recorded.act, terms)
    changed: dict[str, OpenDeadlines | TermsByDay | None] = {}
    if terms is not agreed:
        changed[TERMS] = terms
    if after != before:
        still_open = tuple(sorted(after.values()))
        changed[OPEN] = OpenDeadlines(still_open[0].due, still_open) if still_open else None
    return Change(changed, []) if changed else NOTHING


DEADLINES = Projection(
    "deadlines",
    keys,
    apply,
    time.CONCERNED,
    version=2,
    row_type=lambda key: TermsByDay if key == TERMS else OpenDeadlines,
)
