"""The time zones in which the days of partnerships are written."""

from collections.abc import Iterable, Mapping

from infra.answers.logs import row_of_each
from infra.bootstrap import Accord
from projections import DEADLINES
from projections.deadlines import TERMS


def zones_of(accord: Accord, partnerships: Iterable[str]) -> Mapping[str, str]:
    """Return the time zone of each of these partnerships that has agreed terms, by identifier.

    It is the one that its terms have by now, whatever moment an answer is as of.
    """
    found = row_of_each(accord, DEADLINES, TERMS, sorted({*partnerships}))
    now = accord.history.last_recorded_at()
    return {name: terms.zone(now) for name, terms in found.items()} if now else {}
