"""Lists of what there is: partnerships, their events, their figures, their alerts."""

from collections.abc import Iterator

import orjson

from domain.recorded import Recorded
from infra.answers.logs import (
    NOW,
    AsOf,
    Row,
    entry,
    log,
    sight_of,
    size_of,
    stored_log,
)
from infra.bootstrap import Accord
from infra.deciding.pseudonyms import Names
from infra.tlog.codec import encode
from projections import KPIS, beliefs, figures
from projections.fold import Projection, replay
from projections.visibility import HIDDEN, Sight


def history(accord: Accord, partnership: str, when: AsOf = NOW) -> Iterator[Row]:
    """Give a partnership's events in order, each with its envelope, its place and its words.

    Each is as it is stored, with the names of its people beside it. Raises `NotFound`.
    """
    sight = sight_of(accord.history, partnership, when)
    names = Names(accord.history, partnership)

    def told(recorded: Recorded) -> Row:
        row = _seen(envelope(recorded, names), recorded, sight)
        return row | {"people": names.told_apart(row)}

    return map(told, stored_log(accord.history, partnership, when))


def _seen(row: Row, recorded: Recorded, sight: Sight) -> Row:
    """Give an event's row without what the viewer is not to see; its place stays."""
    if not sight.shows(recorded):
        return row | {"data": {}, "text": f"({HIDDEN}: private to {recorded.act.party})"}
    if smallest := sight.fewer_than(recorded):
        return row | {"data": {}, "text": f"(fewer than {smallest}: not shown)"}
    return row


def envelope(recorded: Recorded, names: Names) -> Row:
    """Give an event as it is stored, with what stands beside the stored bytes."""
    stored: Row = orjson.loads(encode(recorded))
    return {
        "index": recorded.index,
        "position": recorded.position,
        **stored,
        "late_days": recorded.late_days,
        "text": entry(names.recorded(recorded))["text"],
    }


def kpis(accord: Accord, partnership: str, period: str | None = None, when: AsOf = NOW) -> Row:
    """Give the figures of a period, or of each there is, and each objective with its outcome (C19).

    A proportion has what it says of its rate beside it (C21).

    Raises `NotFound`.
    """
    rows = rows_of(KPIS, accord, partnership, when)
    asked = [period] if period else figures.periods(rows)
    lines = [line for each in asked for line in figures.report(rows, each)]
    sight = sight_of(accord.history, partnership, when)
    return {
        "id": partnership,
        "as_of": when.as_json(),
        "figures": [sight.line(line) for line in beliefs.with_posteriors(rows, lines)],
        "objectives": figures.objectives(rows),
    }


def rows_of(
    projection: Projection, accord: Accord, partnership: str, when: AsOf = NOW
) -> dict[str, Row]:
    """Give a partnership's rows: those of the view, or replayed as of a time. Raises `NotFound`."""
    size_of(accord.history, partnership)
    if when == NOW:
        return dict(accord.views.select(projection.name, partnership))
    return replay(projection, log(accord.history, partnership, when)).rows
