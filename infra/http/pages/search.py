"""Search: one box on each page, for all that the viewer may see."""

from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import BeforeValidator

from infra.access.roles import Need
from infra.answers.parameters import LONGEST_PAGE, Name
from infra.answers.question import Paging
from infra.answers.search import SEARCH, SearchResult, SearchResults
from infra.http.access import needs
from infra.http.pages.downloads import as_csv, as_json
from infra.http.pages.site import (
    PageRoute,
    Visit,
    Visited,
    blank_as_none,
    names_of_each,
    page,
)

router = APIRouter(route_class=PageRoute, include_in_schema=False)


def _blank_as_none(value: object) -> object:
    return blank_as_none(value.strip() if isinstance(value, str) else value)


Words = Annotated[Name | None, BeforeValidator(_blank_as_none), Query(description="What to find.")]


def _answer(visit: Visit, words: str) -> SearchResults:
    answer: SearchResults = SEARCH.reply(
        visit.accord, words=words, when=visit.when(), page=Paging(limit=LONGEST_PAGE)
    )
    return answer


@router.get("/search.json")
@needs(Need.FACTS)
def search_json(visit: Visited, words: Name) -> Response:
    """Return what was found as JSON."""
    return as_json(_answer(visit, words))


@router.get("/search.csv")
@needs(Need.FACTS)
def search_csv(visit: Visited, words: Name) -> Response:
    """Return what was found as a table."""
    return as_csv("search", SearchResult, _answer(visit, words).items)


@router.get("/search")
@needs(Need.FACTS)
def search_page(visit: Visited, words: Words = None) -> Response:
    """Show what was found; without words, the box alone."""
    answer = None if words is None else _answer(visit, words)
    about = [] if answer is None else [each.partnership for each in answer.items]
    return page(
        "search.html",
        visit,
        section="search",
        found=answer,
        searched=words or "",
        names=names_of_each(visit, about),
    )
