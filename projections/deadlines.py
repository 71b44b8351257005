"""Open deadlines of each partnership, so that a scheduler can find what is due after a stop."""

from datetime import datetime
from functools import lru_cache

from domain import deadlines as time
from domain.deadlines import Deadline, Kind
from domain.recorded import Recorded
from domain.values import instant
from projections.fold import NOTHING, Change, Projection, Rows

OPEN = "open"
"""The key of the one row; its ``wake`` is when the first deadline passes."""


def keys(recorded: Recorded) -> tuple[str, ...]:
    """Give the row of open deadlines, for the facts of the partnership's own stream."""
    return (OPEN,) if recorded.stream == recorded.partnership else ()


def apply(rows: Rows, recorded: Recorded) -> Change:
    """Open and close deadlines as the domain does."""
    if recorded.stream != recorded.partnership:
        return NOTHING
    # Of all that are open an event moves one or two; the others keep the line they have.
    lines = {_read(*line): line for line in rows.get(OPEN, {}).get("open", ())}
    before = {each.id: each for each in lines}
    after = time.evolve(before, recorded.event, recorded.act)
    if after is before or after == before:
        return NOTHING
    still_open = [lines.get(each) or _write(each) for each in sorted(after.values())]
    row = {"wake": still_open[0][0], "open": still_open} if still_open else None
    return Change({OPEN: row}, [])


@lru_cache(maxsize=4096)
def _read(due: str, kind: str, ref: str, since: str, span: str) -> Deadline:
    moment = datetime.fromisoformat
    return Deadline(moment(due), Kind(kind), ref, moment(since), span)


def _write(deadline: Deadline) -> list[str]:
    due, kind, ref, since, span = deadline
    return [instant(due), kind.value, ref, instant(since), span]


DEADLINES = Projection("deadlines", keys, apply, time.CONCERNED)
