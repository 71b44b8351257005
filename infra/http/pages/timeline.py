"""The history: what happened when, and when was it known?

Two rails show every event twice: above when it happened, below when it was recorded. A fact that
was reported late is a slanted line, so that lateness is seen before anything is read.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Query, Response
from pydantic import BeforeValidator, JsonValue

from domain.values import Slug
from infra.access.roles import Need
from infra.answers import alerts
from infra.answers.compare import COMPARE, Comparison, Section
from infra.answers.history import HISTORY, HistoryItem, PartnershipHistory, late_facts
from infra.answers.logs import NotFound, not_begun
from infra.answers.parameters import Flag, Name, When, Whole
from infra.answers.question import PartnershipId
from infra.answers.statement import LedgerLine, lines_by
from infra.http.access import needs
from infra.http.pages.downloads import as_csv, as_json
from infra.http.pages.shown import named
from infra.http.pages.site import (
    PageRoute,
    Visit,
    Visited,
    blank_as_none,
    moment_as_typed,
    names_of,
    page,
    zone_of,
)
from infra.http.problems import Problem
from projections.alerts import Alert

router = APIRouter(route_class=PageRoute, include_in_schema=False)

WIDTH: Final = 1000
"""The width of the rails, in pixels."""

MOST_LISTED: Final = 100
"""Events of a page."""

MOST_MARKS: Final = 14
"""How many names of months have room below the rails."""


@dataclass(frozen=True, slots=True)
class Stroke:
    """An event on the rails: where it happened above, where it was recorded below."""

    happened: int
    recorded: int
    late_days: int
    """By how many days a party stated it late; 0 if it did so within a day."""
    corrects: bool
    """Whether it corrects an earlier event."""
    has_label: bool = False
    """Whether there is room for its days on the rails."""


@dataclass(frozen=True, slots=True)
class HistoryRow:
    """An event as a row of a table; what a hidden event says is empty."""

    index: int
    happened: datetime | None
    recorded: datetime | None
    late_days: int
    party: str
    who: str
    type: str
    about: str
    """Its stream: the partnership, or a thing in it."""
    text: str
    withheld: bool
    source: str
    source_id: str

    @classmethod
    def of(cls, item: HistoryItem) -> "HistoryRow":
        """Return the row of an event."""
        if (event := item.event) is None:
            nothing = dict.fromkeys(("party", "who", "type", "about", "source", "source_id"), "")
            return cls(item.index, None, None, 0, text=item.text, withheld=True, **nothing)
        return cls(
            item.index,
            event.occurred_at,
            event.recorded_at,
            item.late_days,
            event.party,
            item.people.get(event.actor, event.actor),
            event.type,
            event.stream,
            item.text,
            item.withheld,
            event.source,
            event.source_id,
        )


@dataclass(frozen=True, slots=True)
class Mark:
    """The beginning of a month on the rails."""

    at: int
    name: str


Against = Annotated[
    When | None,
    BeforeValidator(moment_as_typed),
    Query(description="Compare with what was known by this day or moment."),
]


Everything = Annotated[Flag, Query(description="Also the fields that are the same.")]


@router.get("/partnerships/{id}/compare.json")
@needs(Need.FACTS)
def compare_json(
    visit: Visited,
    id: PartnershipId,
    against: Against = None,
    all: Everything = False,  # noqa: FBT002 - passed by name
) -> Response:
    """Return what differs from what was known by a day as JSON."""
    return as_json(_compared(visit, id, against, all=all))


@dataclass(frozen=True, slots=True)
class Field:
    """A field by two moments; one that is the same has no event."""

    section: Section
    field: str
    before: JsonValue
    after: JsonValue
    event: int | None


def _of_section(compared: Comparison, section: Section) -> list[Field]:
    """Return the fields of an answer: those that differ, then the others."""
    differ = (
        Field(section, each.field, each.before, each.after, each.event)
        for each in compared.differences
        if each.section is section
    )
    same = (
        Field(section, each.field, each.value, each.value, None)
        for each in compared.unchanged
        if each.section is section
    )
    return [*differ, *same]


@router.get("/partnerships/{id}/compare.csv")
@needs(Need.FACTS)
def compare_csv(
    visit: Visited,
    id: PartnershipId,
    against: Against = None,
    all: Everything = False,  # noqa: FBT002 - passed by name
) -> Response:
    """Return what differs from what was known by a day as a table."""
    compared = _compared(visit, id, against, all=all)
    rows = (each for section in Section for each in _of_section(compared, section))
    return as_csv(f"{id}-compared", Field, rows)


def _compared(visit: Visit, id: str, against: datetime | None, *, all: bool) -> Comparison:
    when = visit.when(id)
    if against is None:
        raise Problem(422, "A comparison needs a day to compare with.", "Give it as against=DAY.")
    answer: Comparison = COMPARE.reply(visit.accord, id=id, against=against, all=all, when=when)
    return answer


_SECTIONS: Final = {
    Section.STATEMENTS: "Statements",
    Section.FIGURES: "Figures",
    Section.STATE: "Terms, plans and people",
}
"""The groups of a comparison, in the order of the page."""


def _by_section(compared: Comparison) -> Iterator[tuple[str, list[Field]]]:
    for section, name in _SECTIONS.items():
        if found := _of_section(compared, section):
            yield name, found


def _earned(visit: Visit, id: str, events: list[int]) -> Mapping[int, tuple[LedgerLine, ...]]:
    """Return what these events earned, by their index; nothing for who sees no money."""
    if not events:
        return {}
    try:
        return lines_by(visit.accord.history, id, visit.when(id), events)
    except NotFound:
        return {}


At = Annotated[
    Whole | None, Query(description="An event: the page begins with it, or a little later.")
]
Words = Annotated[
    Name | None,
    BeforeValidator(blank_as_none),
    Query(description="Only the events that say all of these words."),
]


AlertId = Annotated[
    Name | None,
    BeforeValidator(blank_as_none),
    Query(description="Only the events that are the evidence of this alert."),
]


class Which(StrEnum):
    """Kinds of events of which the list can have those alone."""

    LATE = "late"
    CORRECTIONS = "corrections"


By = Annotated[
    Slug | None,
    BeforeValidator(blank_as_none),
    Query(description="Only the events of this party; `accord` for what no party did."),
]
Kind = Annotated[
    Which | None,
    BeforeValidator(blank_as_none),
    Query(description="Only what was recorded late, or only corrections."),
]


@dataclass(frozen=True, slots=True)
class Filter:
    """Which events are listed; each field that is None lets all pass."""

    words: str | None
    by: str | None
    which: Which | None
    alert: str | None

    @property
    def query(self) -> dict[str, str | None]:
        """The parameters of a link that keeps it."""
        return {"words": self.words, "by": self.by, "which": self.which, "alert": self.alert}


@dataclass(frozen=True, slots=True)
class Filtered:
    """The history of a partnership, and the events of it that pass a filter."""

    answer: PartnershipHistory
    only: Filter
    names: Mapping[str, str]
    """The names of the parties."""
    late: list[HistoryItem]
    of_kind: Mapping[Which, set[int]]
    """The indexes of the events of each kind."""
    evidence: Alert | None
    """The alert to whose evidence it is limited."""

    @classmethod
    def of(cls, visit: Visit, id: str, only: Filter) -> "Filtered":
        """Ask for a history as a viewer sees it."""
        when = visit.when(id)
        evidence = None if only.alert is None else alerts.one(visit.accord, only.alert, when)
        answer: PartnershipHistory = HISTORY.whole(visit.accord, id=id, when=when)
        late = late_facts(answer.items)
        of_kind = {
            Which.LATE: {each.index for each in late},
            Which.CORRECTIONS: {each.index for each in answer.items if _corrects(each)},
        }
        names = names_of(visit.accord, id, when)
        return cls(answer, only, names, late, of_kind, evidence)

    @property
    def passing(self) -> tuple[HistoryItem, ...]:
        """The events that pass, in their order."""
        wanted, evidence = (self.only.words or "").lower().split(), self.evidence
        return tuple(
            each
            for each in self.answer.items
            if (evidence is None or each.index in evidence.evidence)
            and (self.only.which is None or each.index in self.of_kind[self.only.which])
            and (self.only.by is None or (each.event and each.event.party == self.only.by))
            and (not wanted or _says(each, self.names, wanted))
        )


def _only(words: Words = None, by: By = None, which: Kind = None, alert: AlertId = None) -> Filter:
    return Filter(words, by, which, alert)


Only = Annotated[Filter, Depends(_only)]
"""A page's parameter for the events that it lists."""


@router.get("/partnerships/{id}/history.json")
@needs(Need.FACTS)
def timeline_json(visit: Visited, id: PartnershipId, only: Only) -> Response:
    """Return the events of a partnership that pass the filter of the page as JSON."""
    found = Filtered.of(visit, id, only)
    return as_json(found.answer.model_copy(update={"items": found.passing}))


@router.get("/partnerships/{id}/history.csv")
@needs(Need.FACTS)
def timeline_csv(visit: Visited, id: PartnershipId, only: Only) -> Response:
    """Return the events of a partnership that pass the filter of the page as a table."""
    found = Filtered.of(visit, id, only)
    return as_csv(f"{id}-history", HistoryRow, map(HistoryRow.of, found.passing))


@router.get("/partnerships/{id}/history")
@needs(Need.FACTS)
def timeline_page(  # noqa: PLR0913, PLR0917 - each is a parameter of the page
    visit: Visited,
    id: PartnershipId,
    only: Only,
    against: Against = None,
    event: At = None,
    all: Everything = False,  # noqa: FBT002 - passed by name
) -> Response:
    """Show the events of a partnership, the latest first, and which were reported late.

    With `against`, show also what differs from what was known by that day, and with `all` what is
    the same. With `alert`, list only the events that are its evidence.
    """
    when, filtered = visit.when(id), Filtered.of(visit, id, only)
    items, names, late = filtered.answer.items, filtered.names, filtered.late
    if not names and visit.is_past:
        raise not_begun(visit.accord.history, id, when)
    scale, of_kind, passing = _Scale.of(items), filtered.of_kind, filtered.passing
    found = _listed(passing[::-1], event)
    compared = _compared(visit, id, against, all=all) if against else None
    return page(
        "timeline.html",
        visit,
        section="portfolio",
        answer=filtered.answer,
        names=names,
        zone=zone_of(visit.accord, id, when),
        count=len(items),
        most=MOST_LISTED,
        items=found.items,
        later=found.is_later,
        earlier=found.earlier,
        only=only,
        passing=len(passing),
        actors={each.event.party for each in items if each.event},
        kinds={kind: words for kind, words in _KINDS.items() if of_kind[kind]},
        evidence=filtered.evidence,
        late=late,
        corrections=of_kind[Which.CORRECTIONS],
        is_late=of_kind[Which.LATE],
        strokes=_labelled(scale.strokes(items, of_kind)) if scale else [],
        marks=[*scale.marks()] if scale else [],
        width=WIDTH,
        against=against,
        compared=compared,
        shows_all=all,
        by_section=[*_by_section(compared)] if compared else [],
        earned=_earned(visit, id, [each.index for each in late[-MOST_LISTED:]]),
    )


_KINDS: Final = {Which.LATE: "recorded late", Which.CORRECTIONS: "corrections"}
"""The kinds of events, in words."""


def _corrects(item: HistoryItem) -> bool:
    """Whether an event corrects an earlier one, which stays as it was recorded."""
    return item.event is not None and item.event.type.endswith("Corrected")


@dataclass(frozen=True, slots=True)
class Listed:
    """The events of a page, the latest first."""

    items: list[HistoryItem]
    is_later: bool
    """Whether events come before these."""
    earlier: int | None
    """The event with which the next page begins."""


def _listed(found: Sequence[HistoryItem], event: int | None) -> Listed:
    """Return the events of a page: the first of these, or those around an event."""
    start = 0
    if event is not None:
        place = next((at for at, each in enumerate(found) if each.index <= event), len(found))
        # A page begins at the same events however it is reached, so that links of a page agree.
        start = place // MOST_LISTED * MOST_LISTED
    rest = found[start + MOST_LISTED :]
    return Listed([*found[start : start + MOST_LISTED]], start > 0, rest[0].index if rest else None)


def _says(item: HistoryItem, names: Mapping[str, str], words: list[str]) -> bool:
    party = item.event.party if item.event else ""
    said = (item.text, named(item.text, names), names.get(party, party), *item.people.values())
    text = " ".join(said)
    return all(each in text.lower() for each in words)


ROOM: Final = 90
"""The width of a label on the rails, in pixels."""


def _labelled(strokes: Iterable[Stroke]) -> list[Stroke]:
    """Return strokes in order, with a label at each late one that has room; the latest have it."""
    found = sorted(strokes, key=lambda each: -each.happened)
    free = float("inf")
    for place, each in enumerate(found):
        if each.late_days and each.happened <= free:
            found[place] = replace(each, has_label=True)
            free = each.happened - ROOM
    return found[::-1]


@dataclass(frozen=True, slots=True)
class _Scale:
    """Where a moment is on the rails."""

    first: datetime
    last: datetime

    @classmethod
    def of(cls, items: Iterable[HistoryItem]) -> "_Scale | None":
        """Return the scale of the events that are shown; None if none is."""
        seen = [each.event for each in items if each.event]
        moments = [at for each in seen for at in (each.occurred_at, each.recorded_at)]
        return cls(min(moments), max(moments)) if moments else None

    def place(self, moment: datetime) -> int:
        whole = (self.last - self.first).total_seconds() or 1
        return round(WIDTH * (moment - self.first).total_seconds() / whole)

    def strokes(
        self, items: Iterable[HistoryItem], of_kind: Mapping[Which, set[int]]
    ) -> Iterator[Stroke]:
        """Yield the events that the viewer sees; of those without a mark, one for each pixel."""
        taken: set[int] = set()
        for item in items:
            if item.event is None:
                continue
            happened = self.place(item.event.occurred_at)
            late = item.late_days if item.index in of_kind[Which.LATE] else 0
            corrects = item.index in of_kind[Which.CORRECTIONS]
            if late or corrects or happened not in taken:
                taken.add(happened)
                yield Stroke(happened, self.place(item.event.recorded_at), late, corrects)

    def marks(self) -> Iterator[Mark]:
        """Yield the months that have room for their names."""
        count = 12 * (self.last.year - self.first.year) + self.last.month - self.first.month
        step = next((each for each in (1, 3, 12) if count / each <= MOST_MARKS), 12)
        for number in range(1, count + 1):
            years, month = divmod(self.first.month - 1 + number, 12)
            if month % step == 0:
                day = datetime(self.first.year + years, month + 1, 1, tzinfo=UTC)
                yield Mark(self.place(day), f"{day:%b %Y}" if month == 0 else f"{day:%b}")
