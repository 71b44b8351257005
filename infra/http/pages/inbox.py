"""The inbox: what awaits each party, by day."""

from fastapi import APIRouter, Response

from infra.access.roles import Need
from infra.answers.inbox import INBOX, Inbox
from infra.answers.parameters import LONGEST_PAGE
from infra.answers.question import Paging
from infra.http.access import needs
from infra.http.pages.downloads import as_csv, as_json
from infra.http.pages.site import PageRoute, Visit, Visited, names_of_each, page

router = APIRouter(route_class=PageRoute, include_in_schema=False)


def _answer(visit: Visit) -> Inbox:
    answer: Inbox = INBOX.reply(visit.accord, when=visit.when(), page=Paging(limit=LONGEST_PAGE))
    return answer


@router.get("/inbox.json")
@needs(Need.FACTS)
def inbox_json(visit: Visited) -> Response:
    """Return the inbox as JSON."""
    return as_json(_answer(visit))


@router.get("/inbox.csv")
@needs(Need.FACTS)
def inbox_csv(visit: Visited) -> Response:
    """Return the inbox as a table."""
    return as_csv("inbox", _answer(visit).items)


@router.get("/inbox")
@needs(Need.FACTS)
def inbox_page(visit: Visited) -> Response:
    """Show what awaits the viewer; to the operator, what awaits each party."""
    answer = _answer(visit)
    names = names_of_each(visit, {each.partnership for each in answer.items})
    return page(
        "inbox.html",
        visit,
        section="inbox",
        answer=answer,
        names=names,
        parties={party: name for of in names.values() for party, name in of.items()},
    )
