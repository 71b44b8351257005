"""The inbox: what awaits each party, by day."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Annotated

from fastapi import APIRouter, Query, Response

from infra.access.roles import Need
from infra.answers.inbox import INBOX, EventToSend, InboxItem
from infra.answers.parameters import Whole
from infra.http.access import needs
from infra.http.pages.downloads import as_csv, as_json
from infra.http.pages.site import PageRoute, Visited, names_of_each, page

router = APIRouter(route_class=PageRoute, include_in_schema=False)

SHOWN = 100
"""Items on one page."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What awaits one party, or either of both: it is shown once."""

    item: InboxItem
    parties: tuple[str, ...]
    """Who acts."""
    events: tuple[EventToSend, ...]
    """The events of each of these parties that do it."""


def by_thing(items: Iterable[InboxItem]) -> tuple[Asked, ...]:
    """Return items in order, with those that ask the same of both parties as one."""
    found: dict[object, list[InboxItem]] = {}
    for each in items:
        same = (each.partnership, each.day, each.is_last, each.awaiting, each.ref, each.text)
        found.setdefault(same, []).append(each)
    return tuple(
        Asked(
            of[0],
            tuple(dict.fromkeys(each.party for each in of)),
            tuple(event for each in of for event in each.events),
        )
        for of in found.values()
    )


@dataclass(frozen=True, slots=True)
class Row:
    """What awaits a party, as a row of a table."""

    day: date
    is_last: bool
    """Whether the day is the last one in time, and not that since which it waits."""
    awaiting: str
    partnership: str
    party: str
    ref: str
    text: str
    events: tuple[str, ...]
    """The types of the events that do it."""

    @classmethod
    def of(cls, item: InboxItem) -> "Row":
        """Return the row of an item."""
        types = tuple(each.type for each in item.events)
        about = (item.partnership, item.party, item.ref, item.text)
        return cls(item.day, item.is_last, item.awaiting, *about, types)


@router.get("/inbox.json")
@needs(Need.FACTS)
def inbox_json(visit: Visited) -> Response:
    """Return the inbox as JSON."""
    return as_json(INBOX.whole(visit.accord, when=visit.when()))


@router.get("/inbox.csv")
@needs(Need.FACTS)
def inbox_csv(visit: Visited) -> Response:
    """Return the inbox as a table."""
    items = INBOX.whole(visit.accord, when=visit.when()).items
    return as_csv("inbox", Row, map(Row.of, items))


@router.get("/inbox")
@needs(Need.FACTS)
def inbox_page(
    visit: Visited,
    after: Annotated[Whole, Query(description="How many items come before the page.")] = 0,
) -> Response:
    """Show what awaits the viewer; to the operator, what awaits each party."""
    answer = INBOX.whole(visit.accord, when=visit.when())
    asked = by_thing(answer.items)
    shown = asked[after : after + SHOWN]
    names = names_of_each(visit, {each.item.partnership for each in shown})
    return page(
        "inbox.html",
        visit,
        section="inbox",
        answer=answer,
        count=len(asked),
        shown=shown,
        is_first=after == 0,
        next=after + SHOWN if asked[after + SHOWN :] else None,
        names=names,
        parties={party: name for of in names.values() for party, name in of.items()},
    )
