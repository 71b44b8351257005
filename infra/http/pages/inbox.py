"""The inbox: what awaits each party, by day."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from infra.access.roles import Need
from infra.answers.inbox import INBOX
from infra.answers.parameters import Name
from infra.answers.question import Paging
from infra.http.access import needs
from infra.http.pages.downloads import as_csv, as_json
from infra.http.pages.site import PageRoute, Visited, names_of_each, page

router = APIRouter(route_class=PageRoute, include_in_schema=False)

SHOWN = 100
"""Items on one page."""


@router.get("/inbox.json")
@needs(Need.FACTS)
def inbox_json(visit: Visited) -> Response:
    """Return the inbox as JSON."""
    return as_json(INBOX.whole(visit.accord, when=visit.when()))


@router.get("/inbox.csv")
@needs(Need.FACTS)
def inbox_csv(visit: Visited) -> Response:
    """Return the inbox as a table."""
    return as_csv("inbox", INBOX.whole(visit.accord, when=visit.when()).items)


@router.get("/inbox")
@needs(Need.FACTS)
def inbox_page(
    visit: Visited,
    after: Annotated[Name | None, Query(description="The `next` of the page before.")] = None,
) -> Response:
    """Show what awaits the viewer; to the operator, what awaits each party."""
    answer = INBOX.reply(visit.accord, when=visit.when(), page=Paging(after, SHOWN))
    names = names_of_each(visit, {each.partnership for each in answer.items})
    return page(
        "inbox.html",
        visit,
        section="inbox",
        answer=answer,
        is_first=after is None,
        names=names,
        parties={party: name for of in names.values() for party, name in of.items()},
    )
