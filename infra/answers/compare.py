"""Two moments of a partnership compared: what differs, and which event set it.

The state, the figures and the statements are asked for twice: as they were known by the earlier
moment, and by the later one, whichever of both was named first. What happened before the earlier
moment and was recorded after it is late; it is what changes an answer that somebody relied on.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from enum import StrEnum
from operator import itemgetter
from typing import Annotated, Any, Final, NamedTuple

from pydantic import JsonValue

from domain.metric_catalogue import metric_words
from domain.recorded import Recorded
from domain.terms import describe
from domain.values import counted
from infra.answers import history, show, statements
from infra.answers.logs import (
    NOW,
    AsOf,
    NotFound,
    extent,
    moment_of,
    rows_of,
    sight_of,
    whole_log,
)
from infra.answers.parameters import Flag, When
from infra.answers.partnership_state import PartnershipState, Task
from infra.answers.question import Answer, Item, Panel, Parameter, PartnershipId, Question
from infra.answers.statement_state import owed
from infra.answers.text import Block, Line, Remark, Table, amount, asked_at, late, minute
from infra.bootstrap import Accord
from projections import KPIS, figures
from projections.fold import Dispatch, Folded, Rows, fold_all
from projections.given import given
from projections.timeline import named_proposal
from projections.visibility import Sight


class Section(StrEnum):
    """Which answer has a field."""

    STATE = "state"
    FIGURES = "figures"
    STATEMENTS = "statements"


class Difference(Item):
    """A field that differs between the two moments."""

    section: Section
    """The answer that has it: of `show`, `kpis` or `statements`."""
    field: str
    """What it is about, in words."""
    before: JsonValue
    """Its value by the earlier moment; null if it had none."""
    after: JsonValue
    """Its value by the later moment; null if it has none."""
    event: int
    """The index of the event that set it to what it is."""


class Unchanged(Item):
    """A field that is the same by both moments."""

    section: Section
    """The answer that has it: of `show`, `kpis` or `statements`."""
    field: str
    """What it is about, in words."""
    value: JsonValue
    """Its value by both moments; null if it has none."""


class LateFact(Item):
    """A fact that happened before the earlier moment and was recorded after it."""

    event: int
    """The index of its event."""
    text: str
    """What the party did, as a sentence without its subject."""
    party: str
    """The party that acted."""
    occurred_at: datetime
    """When it happened."""
    recorded_at: datetime
    """When it was recorded."""
    late_days: int
    """How many whole days later that was."""


class Comparison(Answer):
    """What differs between two moments."""

    id: str
    """The partnership."""
    earlier: datetime
    """The earlier moment: what had been recorded by then."""
    later: datetime
    """The later moment; that of the latest record if none was asked for."""
    events: int
    """How many events were recorded between both moments."""
    late: tuple[LateFact, ...]
    """The facts that had happened by the earlier moment and were recorded later."""
    differences: tuple[Difference, ...]
    """The fields that differ, in the order of the answers."""
    unchanged: tuple[Unchanged, ...] = ()
    """The other fields, in the same order; empty unless they are asked for."""


def ask(
    accord: Accord,
    id: PartnershipId,
    against: Annotated[
        When,
        Parameter("The other moment: what had been recorded by then.", "WHEN", positional=False),
    ],
    when: AsOf = NOW,
    *,
    all: Annotated[Flag, Parameter("Also the fields that are the same.")] = False,
) -> Comparison:
    """Return what differs between two moments of recording, `against` and `known`.

    The earlier one is first, in whichever order they are given. For each field it names the event
    with which the field became what it is. If it became that more than once in between, it is one
    of those events. With `all`, it also gives the fields that are the same. Raises `NotFound`.
    """
    known = _Known(accord, id, when)
    asked = when.known or moment_of(accord, id, replace(when, at=None))
    earlier, later = sorted((against, asked))
    first, last = known.size(earlier), known.size(later)
    if not first:
        raise NotFound(
            f"Nothing of {id} had been recorded by {asked_at(earlier)}.",
            "Compare with a later moment.",
        )
    return Comparison(
        simulated=accord.simulated,
        as_of=when.asked,
        id=id,
        earlier=earlier,
        later=later,
        events=last - first,
        late=tuple(_late(accord, id, replace(when, known=None, version=last), first, earlier)),
        differences=tuple(known.differences(first, last)) if last > first else (),
        unchanged=tuple(known.unchanged(first, last)) if all else (),
    )


class Place(NamedTuple):
    """Where a field is: its name and, for a figure, what it is computed from."""

    name: str
    period: str = ""
    metric: str = ""


Fields = Mapping[Place, JsonValue]
"""The value of each field, by its place."""


class _Rows:
    """The rows of the figures at each size of a log from the first one on, folded once."""

    def __init__(self, events: Iterable[Recorded], first: int) -> None:
        self._versions = defaultdict[str, list[tuple[int, Any]]](list)
        dispatch, folded = Dispatch([KPIS]), Folded()
        for recorded in events:
            fold_all(dispatch, [folded], [recorded])
            size = max(first, recorded.index + 1)
            for key in folded.changed:
                versions = self._versions[key]
                if versions and versions[-1][0] == size:
                    versions.pop()
                versions.append((size, folded.rows.get(key)))
            folded.changed.clear()

    def at(self, size: int) -> dict[str, Any]:
        """Return the rows by the first events of the log."""
        found = {}
        for key, versions in self._versions.items():
            place = bisect_right(versions, size, key=itemgetter(0))
            if place and (row := versions[place - 1][1]) is not None:
                found[key] = row
        return found


@dataclass(frozen=True)
class _Known:
    """The answers about a partnership by the events that had been recorded."""

    accord: Accord
    id: str
    when: AsOf
    found: dict[tuple[Section, int], Fields] = field(default_factory=dict)
    seen: dict[int, tuple[dict[str, Any], Sight]] = field(default_factory=dict)
    """The rows of the figures by the first events of the log, and what the viewer sees then."""
    folded: list[tuple[Sight, _Rows]] = field(default_factory=list)
    """The rows of the figures for each sight, which says what events they are folded from."""

    def size(self, known: datetime | None) -> int:
        """Return how many events had been recorded by a moment."""
        when = replace(self.when, at=None, known=known)
        sight = sight_of(self.accord.history, self.id, when, figures=False)
        found = extent(self.accord.history, self.id, when, sight)
        return found.last + 1 if found else 0

    def differences(self, first: int, last: int) -> Iterator[Difference]:
        """Yield the fields that differ between two sizes of the log, each with its event."""
        for section in Section:
            before, after = self.fields(section, first), self.fields(section, last)
            for place in dict.fromkeys([*before, *after]):
                if before.get(place) != after.get(place):
                    yield Difference(
                        section=section,
                        field=place.name,
                        before=before.get(place),
                        after=after.get(place),
                        event=self._set_by(section, place, first, last),
                    )

    def unchanged(self, first: int, last: int) -> Iterator[Unchanged]:
        """Yield the fields that are the same at two sizes of the log."""
        for section in Section:
            before, after = self.fields(section, first), self.fields(section, last)
            for place, value in before.items():
                if place in after and after[place] == value:
                    yield Unchanged(section=section, field=place.name, value=value)

    def _set_by(self, section: Section, place: Place, first: int, last: int) -> int:
        """Return the index of the event between two sizes with which a field became what it is."""
        value, start = self.fields(section, last).get(place), first
        while last - first > 1:
            middle = (first + last) // 2
            if self._value(section, place, middle, start) == value:
                last = middle
            else:
                first = middle
        return last - 1

    def _value(self, section: Section, place: Place, size: int, start: int) -> JsonValue:
        """Return a field by the first events of the log, of which at least `start` are asked for.

        A figure is computed alone, because all of them take long.
        """
        if section is not Section.FIGURES:
            return self.fields(section, size).get(place)
        rows, sight = self._rows(size, start)
        lines = _lines(rows, sight, place.period, {place.metric})
        return next((value for each, value in lines if each == place), None)

    def _rows(self, size: int, start: int) -> tuple[dict[str, Any], Sight]:
        if size not in self.seen:
            history, of_size = self.accord.history, replace(self.when, known=None, version=size)
            sight = sight_of(history, self.id, of_size, third_party=True)
            folded = next((rows for known, rows in self.folded if known == sight), None)
            if folded is None:
                of_all = replace(of_size, version=None)
                seen = filter(sight.reads, whole_log(history, self.id, of_all))
                folded = _Rows(seen, start)
                self.folded.append((sight, folded))
            self.seen[size] = folded.at(size), sight
        return self.seen[size]

    def fields(self, section: Section, size: int) -> Fields:
        """Return every field of an answer by the first events of the log."""
        if (section, size) not in self.found:
            read = _READ[section]
            when = replace(self.when, known=None, version=size)
            self.found[section, size] = dict(read(self.accord, self.id, when))
        return self.found[section, size]


def _state(accord: Accord, id: str, when: AsOf) -> Iterator[tuple[Place, JsonValue]]:
    """Yield what `show` says, as far as somebody relies on it, each as a word or a sentence."""
    with suppress(NotFound):  # Nothing had happened by then.
        for name, value in _stated(show.ask(accord, id, when.version, when)):
            yield Place(name), value


def _stated(state: PartnershipState) -> Iterator[tuple[str, JsonValue]]:
    yield "stage", state.stage
    yield from _agreed(state)
    for party in state.parties:
        for contact in party.contacts:
            yield f"{party.party}, {contact.function}", contact.name
    for kind, tasks in _tasks(state):
        for task in tasks:
            yield f"{kind} {getattr(task.planned, kind)}", task.state
    for dispute in state.disputes:
        ended = dispute.resolved
        yield f"dispute {dispute.dispute}", ended.outcome if ended else "open"
    for proposal in state.proposals:
        where = f"{proposal.within}, " if proposal.within else ""
        kind = proposal.type.removesuffix("Proposed")
        yield f"{where}{named_proposal(kind, proposal.proposal)}", proposal.state
    yield "the term ends on", _day(state.renewal.term_ends_on)
    yield "last day for notice", _day(state.renewal.last_day_for_notice)
    yield "exit on", _day(state.renewal.exit_on)


def _agreed(state: PartnershipState) -> Iterator[tuple[str, JsonValue]]:
    """Yield what both agreed: the terms in force, the objectives, the rules, the agreement."""
    yield "terms, version in force", state.terms.version
    for term in state.terms.items:
        yield f"terms, {term.name}", describe(term)
    for objective in state.charter.objectives if state.charter else ():
        target = f"{amount(objective.target, objective.unit)} by {objective.deadline}"
        yield f"objective {objective.objective}", target
    for rule in state.rules:
        yield f"rule {rule.agreed.rule.rule}", rule.text
    if state.agreement:
        yield "agreement, version in force", state.agreement.in_force


def _tasks(state: PartnershipState) -> Iterator[tuple[str, Sequence[Task]]]:
    """Yield what is planned, by the field that names it."""
    yield "milestone", state.milestones
    yield "review", state.reviews
    yield "action", state.actions
    yield "step", state.onboarding
    yield "campaign", state.campaigns
    yield "issue", state.issues


def _day(day: date | None) -> str | None:
    return None if day is None else day.isoformat()


def _figures(accord: Accord, id: str, when: AsOf) -> Iterator[tuple[Place, JsonValue]]:
    rows = rows_of(KPIS, accord, id, when, third_party=True)
    sight = sight_of(accord.history, id, when, third_party=True)
    withheld = [each.period for each in sight.withheld.values()]
    for period in figures.periods(rows, closed=withheld):
        yield from _lines(rows, sight, period)


def _lines(
    rows: Rows, sight: Sight, period: str, metrics: Container[str] | None = None
) -> Iterator[tuple[Place, JsonValue]]:
    for line in given(rows, sight, period, metrics):
        if line.value is not None:
            name = f"{metric_words(line.metric, line.segment)}, {period}"
            yield Place(name, period, line.metric), amount(line.value, line.unit)


def _statements(accord: Accord, id: str, when: AsOf) -> Iterator[tuple[Place, JsonValue]]:
    for each in statements.ask(accord, id, when).items:
        yield Place(each.statement), f"{each.state}: {owed(each.balance, each.payouts)}"


_READ: Final[Mapping[Section, Callable[[Accord, str, AsOf], Iterator[tuple[Place, JsonValue]]]]] = {
    Section.STATE: _state,
    Section.FIGURES: _figures,
    Section.STATEMENTS: _statements,
}


def _late(accord: Accord, id: str, when: AsOf, start: int, against: datetime) -> Iterator[LateFact]:
    for item in history.late_facts(history.items(accord, id, when, start)):
        if item.event and item.event.occurred_at <= against:
            yield LateFact(
                event=item.index,
                text=item.text,
                party=item.event.party,
                occurred_at=item.event.occurred_at,
                recorded_at=item.event.recorded_at,
                late_days=item.late_days,
            )


# --- text --------------------------------------------------------------------------------------


def text(found: Comparison) -> Iterator[Block]:
    """Yield the late facts, then a table of the differences for each answer."""
    yield Line(
        f"{found.id}: {counted(found.events, 'event')} recorded between {minute(found.earlier)} "
        f"and {minute(found.later)}."
    )
    for each in found.late:
        yield Line(
            f"#{each.event}  {minute(each.occurred_at)}  {each.party}: {each.text} "
            f"[{late(each.late_days)}]",
            indent=2,
        )
    for section in Section:
        rows = [
            (each.field, _word(each.before), _word(each.after), f"#{each.event}")
            for each in found.differences
            if each.section is section
        ]
        if rows:
            yield Line()
            yield Table(["FIELD", "BEFORE", "AFTER", "SET BY"], rows, title=section.value)
    if not found.differences:
        yield Remark("Nothing else differs.")
    for section in Section:
        same = [
            (each.field, _word(each.value)) for each in found.unchanged if each.section is section
        ]
        if same:
            yield Line()
            yield Table(["FIELD", "BY BOTH"], same, title=f"{section.value}, the same")


def _word(value: JsonValue) -> str:
    return "none" if value is None else str(value)


COMPARE = Question(
    "compare",
    ask,
    text,
    path="/v1/partnerships/{id}/compare",
    help="Compare what was recorded of a partnership by two moments, the earlier one first.",
    panel=Panel.PARTNERSHIPS,
    reads_views=False,
)
