"""The pages of the application, by the path of their route: a new page cannot be forgotten."""

import re
from collections.abc import Iterator
from html import unescape
from typing import Final

from fastapi import FastAPI

from infra.http.access import guarded_routes
from infra.http.pages.site import PageRoute

ONE: Final = "growthos-consulting"

PAST: Final = "at=2026-09-21&known=2026-09-21"
"""One day before a review, with a dispute open."""

ANSWERS: Final = {
    "/portfolio": "/portfolio",
    "/partnerships/{id}": f"/partnerships/{ONE}",
    "/partnerships/{id}/history": f"/partnerships/{ONE}/history",
    "/partnerships/{id}/statements/{period}": f"/partnerships/{ONE}/statements/2026-Q3",
    "/partnerships/{id}/evidence": f"/partnerships/{ONE}/evidence",
    "/partnerships/{id}/next": f"/partnerships/{ONE}/next",
    "/alerts": "/alerts",
    "/money": "/money",
    "/inbox": "/inbox",
    "/inputs": "/inputs",
    "/search": "/search?words=consulting",
}
"""An address of each page that shows an answer."""

OTHERS: Final = {
    "/": "/",
    "/sign-in": "/sign-in",
    "/partnerships/{id}/sent": f"/partnerships/{ONE}/sent?event=nothing",
    "/partnerships/{id}/send/{type}": f"/partnerships/{ONE}/send/OpenDispute?party=growthos",
}
"""An address of each page that shows none."""

ELSEWHERE: Final = {
    "/sign-in/with/{number}",
    "/sign-in/callback",
    "/partnerships/{id}/evidence/checkpoint",
}
"""What only leads to another page, or is a file."""

VARIANTS: Final = (
    *(f"{path}?{PAST}" for path in ("/portfolio", f"/partnerships/{ONE}", "/alerts", "/inbox")),
    f"/partnerships/{ONE}/history?against=2026-07-01&known=2026-07-06",
    f"/partnerships/{ONE}/statements/2026-Q3?party=northbridge",
    f"/partnerships/{ONE}/send/ProposeTerms?party=growthos",
    "/search",
    "/partnerships/nobody",
    "/nowhere",
)
"""Pages that differ with what is asked: of a past day, compared, of a party, a form, refused."""


def addresses() -> list[str]:
    """Return every address that a test of all pages opens."""
    return [*ANSWERS.values(), *OTHERS.values(), *VARIANTS]


def paths(app: FastAPI) -> Iterator[str]:
    """Yield the path of each page of an application, and of what is beside it."""
    for route in guarded_routes(app.routes):
        if isinstance(route, PageRoute) and "GET" in (route.methods or ()):
            yield route.path


def text(page: str) -> str:
    """Return the words of a page, with one space where it has any."""
    return " ".join(unescape(re.sub("<[^>]+>", "", page)).split())
