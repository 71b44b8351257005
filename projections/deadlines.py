"""Open deadlines of each partnership, so that a scheduler finds what is due after a stop."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from domain import figures_due
from domain.adoption import AdoptionProposed, PartnershipAdopted
from domain.deadlines import fold as time
from domain.deadlines.deadline import Deadline, DeadlineKind, Deadlines
from domain.exit import terms_after
from domain.exploration import ExplorationBegun, PartnerChosen
from domain.figures_due import FiguresDue
from domain.kernel import Act
from domain.partnership import parties_after
from domain.recorded import Recorded
from domain.terms_by_day import TermsByDay
from projections.fold import NOTHING, Change, Projection, Rows

OPEN, OVERDUE, TERMS, FIGURES, PARTIES = "open", "overdue", "terms", "figures", "parties"
"""The keys of the rows: what is open, what passed and is still to be done, the terms that deadlines
follow, the figures that are due, and the parties."""


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


@dataclass(frozen=True, slots=True)
class Parties:
    """The parties of one partnership, the initiator first."""

    names: tuple[str, ...] = ()


_PARTIES: Final = frozenset({ExplorationBegun, PartnerChosen, AdoptionProposed, PartnershipAdopted})
"""The events that say who the parties are."""


def keys(_: Recorded) -> tuple[str, ...]:
    """Return all rows."""
    return (OPEN, OVERDUE, TERMS, FIGURES, PARTIES)


def of_other_streams(rows: Rows) -> Deadlines:
    """Return the open deadlines that the partnership's own stream does not open, by identifier.

    They are the answers to proposals on deals, disputes and experiments, and the figures.
    """
    row: OpenDeadlines | None = rows.get(OPEN)
    found = filter(time.is_of_another_stream, row.open if row else ())
    return {each.id: each for each in found}


def apply(rows: Rows, recorded: Recorded) -> Change:
    """Open and close deadlines as the domain does, and those of figures."""
    row: OpenDeadlines | None = rows.get(OPEN)
    agreed: TermsByDay = rows.get(TERMS) or TermsByDay()
    due: FiguresDue = rows.get(FIGURES) or FiguresDue()
    known: Parties = rows.get(PARTIES) or Parties()
    parties = Parties(parties_after(recorded.event, recorded.act, known.names))
    terms = terms_after(agreed, recorded.event)
    before = {each.id: each for each in row.open} if row else {}
    after = time.evolve(before, recorded.event, recorded.act, terms, parties.names)
    late: OverdueDeadlines | None = rows.get(OVERDUE)
    late_before = {each.id: each for each in late.passed} if late else {}
    late_after = time.overdue(late_before, before, recorded.event, recorded.act, parties.names)
    due_after = figures_due.evolve(due, recorded.event, recorded.act)
    if due_after.missing != due.missing:
        after = with_figures(after, due, due_after, recorded.act, terms)
        late_after = _still_missing(late_after, due_after)
    changed: dict[str, Any] = {}
    if parties != known:
        changed[PARTIES] = parties
    if terms is not agreed:
        changed[TERMS] = terms
    if due_after is not due:
        changed[FIGURES] = due_after
    if after != before:
        still_open = tuple(sorted(after.values()))
        changed[OPEN] = OpenDeadlines(time.wake(still_open), still_open) if still_open else None
    if late_after != late_before:
        passed = tuple(sorted(late_after.values()))
        changed[OVERDUE] = OverdueDeadlines(passed) if passed else None
    return Change(changed, []) if changed else NOTHING


def with_figures(
    open_: Deadlines, before: FiguresDue, after: FiguresDue, act: Act, terms: TermsByDay
) -> Deadlines:
    """Return the deadlines with those of figures that are missing now, without the others."""
    known = {each.ref for each in before.missing}
    new = [each for each in after.missing if each.ref not in known]
    added = (time.figure(each.ref, each.party, each.period, act, terms) for each in new)
    return {**_still_missing(open_, after), **{each.id: each for each in added}}


def _still_missing(deadlines: Deadlines, due: FiguresDue) -> Deadlines:
    missing = {each.ref for each in due.missing}
    return {
        key: each
        for key, each in deadlines.items()
        if each.kind is not DeadlineKind.FIGURE or each.ref in missing
    }


_ROWS = {
    OPEN: OpenDeadlines,
    OVERDUE: OverdueDeadlines,
    TERMS: TermsByDay,
    FIGURES: FiguresDue,
    PARTIES: Parties,
}

DEADLINES = Projection(
    "deadlines",
    keys,
    apply,
    time.CONCERNED | figures_due.CONCERNED | _PARTIES,
    version=31,
    row_type=lambda key: _ROWS[key],
)
