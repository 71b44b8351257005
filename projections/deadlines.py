"""Open deadlines of each partnership, so that a scheduler finds what is due after a stop."""

from dataclasses import dataclass
from datetime import datetime

from domain import deadlines as time
from domain.deadlines import Deadline
from domain.recorded import Recorded
from projections.fold import NOTHING, Change, Projection, Rows

OPEN = "open"
"""The key of the one row."""


@dataclass(frozen=True, slots=True)
class OpenDeadlines:
    """The open deadlines of one partnership; there is no row without any."""

    wake: datetime
    """When the first of them passes."""
    open: tuple[Deadline, ...]
    """In the order in which they pass."""


def keys(recorded: Recorded) -> tuple[str, ...]:
    """Return the one row, for events of the partnership's own stream."""
    return (OPEN,) if recorded.stream == recorded.partnership else ()


def apply(rows: Rows, recorded: Recorded) -> Change:
    """Open and close deadlines as the domain does."""
    if recorded.stream != recorded.partnership:
        return NOTHING
    row: OpenDeadlines | None = rows.get(OPEN)
    before = {each.id: each for each in row.open} if row else {}
    after = time.evolve(before, recorded.event, recorded.act)
    if after is before or after == before:
        return NOTHING
    still_open = tuple(sorted(after.values()))
    return Change({OPEN: OpenDeadlines(still_open[0].due, still_open) if still_open else None}, [])


DEADLINES = Projection("deadlines", keys, apply, time.CONCERNED, row_type=lambda _: OpenDeadlines)
