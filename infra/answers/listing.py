"""Lists of what there is: partnerships, their events, their figures, their alerts."""

from infra.answers.logs import (
    NOW,
    AsOf,
    Row,
    log,
    sight_of,
    size_of,
)
from infra.bootstrap import Accord
from projections import KPIS, beliefs, figures
from projections.fold import Projection, replay


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
