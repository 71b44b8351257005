"""Open deadlines of each partnership, so that a scheduler finds what is due after a stop."""

from collections.abc import Container, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from domain import figures_due
from domain.adoption import AdoptionProposed, PartnershipAdopted
from domain.deadlines import fold as time
from domain.deadlines.deadline import Deadline, DeadlineKind, Deadlines
from domain.execution import ActivityPaused, ReviewScheduled
from domain.exit import terms_after
from domain.exploration import ExplorationBegun, PartnerChosen
from domain.figures_due import FiguresDue
from domain.health import ContributionPromised
from domain.kernel import Act, Event
from domain.partnership import parties_after
from domain.recorded import Recorded
from domain.terms_by_day import TermsByDay
from projections.fold import NOTHING, Change, Projection, Rows

OPEN, OVERDUE, TERMS, FIGURES, PARTIES = "open", "overdue", "terms", "figures", "parties"
PLANNED = "planned"
"""The keys of the rows: what is open, what passed and is still to be done, the terms that deadlines
follow, the figures that are due, the parties, and what both planned for these days."""


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


@dataclass(frozen=True, slots=True)
class Planned:
    """What both agreed of each day that is open or overdue, beside the day.

    There is no row without any.
    """

    of: Mapping[str, Mapping[str, str]]
    """By the identifier of the deadline: the fields of `PLANS`."""


PLANS: Final[Mapping[type[Event], tuple[DeadlineKind, str, tuple[str, ...]]]] = {
    ActivityPaused: (DeadlineKind.PAUSE, "pause", ("activity",)),
    ContributionPromised: (DeadlineKind.CONTRIBUTION, "contribution", ("period", "kind", "what")),
    ReviewScheduled: (DeadlineKind.REVIEW, "review", ("kind",)),
}
"""Of each plan: the kind of its day, the field that names it, and the fields that doing it or
moving it states again."""

_PARTIES: Final = frozenset({ExplorationBegun, PartnerChosen, AdoptionProposed, PartnershipAdopted})
"""The events that say who the parties are."""


def keys(_: Recorded) -> tuple[str, ...]:
    """Return all rows."""
    return (OPEN, OVERDUE, TERMS, FIGURES, PARTIES, PLANNED)


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
    planned: Planned | None = rows.get(PLANNED)
    plans_before = planned.of if planned else {}
    plans_after = _plans(plans_before, recorded.event, {*after, *late_after})
    changed: dict[str, Any] = {}
    if plans_after != plans_before:
        changed[PLANNED] = Planned(plans_after) if plans_after else None
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


def _plans(
    before: Mapping[str, Mapping[str, str]], event: Event, days: Container[str]
) -> Mapping[str, Mapping[str, str]]:
    """Return what both planned after an event, of the days that are still open or overdue."""
    kept = {key: each for key, each in before.items() if key in days}
    if plan := PLANS.get(type(event)):
        kind, name, fields = plan
        key = f"{kind.value}/{getattr(event, name)}"
        return {**kept, key: {each: str(getattr(event, each)) for each in fields}}
    return kept


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
    PLANNED: Planned,
}

DEADLINES = Projection(
    "deadlines",
    keys,
    apply,
    time.CONCERNED | figures_due.CONCERNED | _PARTIES,
    version=32,
    row_type=lambda key: _ROWS[key],
)
