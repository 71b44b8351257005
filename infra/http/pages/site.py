"""How a page is made: who asks, as of which moment, and the template that shows the answer.

A page shows the answers that the command line and the API give. Each page works without JavaScript,
and keeps the moment that is asked about (`at`, `known`) and the viewer in every link.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Final
from urllib.parse import urlencode

from fastapi import Depends, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from pydantic import BeforeValidator

from domain.values import instant
from infra.access.roles import Identity
from infra.answers.logs import AsOf, NotFound, rows_of
from infra.answers.parameters import When
from infra.bootstrap import Accord
from infra.http import access
from infra.http.access import Caller, GuardedRoute
from infra.http.dependencies import Served, ServedHere, served
from infra.http.pages import shown
from infra.http.problems import Problem, invalid, not_found
from infra.http.questions import Party
from projections import OVERVIEW
from projections.overview import OVERVIEW_ROW, Overview

TEMPLATES: Final = Path(__file__).parent / "templates"

SECTIONS: Final = {
    "portfolio": "Portfolio",
    "alerts": "Alerts",
    "inbox": "Inbox",
}
"""The pages over all partnerships, by path: the main navigation."""


def _blank_as_none(value: object) -> object:
    return None if value == "" else value


Chosen = Annotated[
    When | None,
    BeforeValidator(_blank_as_none),
    Query(description="A day or a moment. A form sends a field that is not filled in, too."),
]
"""One of the two moments."""


@dataclass(frozen=True, slots=True)
class Visit:
    """A request of a page: the store, who asks, and the moment that is asked about."""

    served: Served
    identity: Identity
    path: str
    at: datetime | None
    known: datetime | None
    party: str | None
    partnership: str | None = None
    """The partnership to which a list is limited."""

    @property
    def accord(self) -> Accord:
        """The store."""
        return self.served.accord

    @property
    def is_past(self) -> bool:
        """Whether a moment is asked about, so that nothing on the page can act."""
        return (self.at, self.known) != (None, None)

    def when(self, *partnerships: str) -> AsOf:
        """Return the moment and the viewer for answers about these partnerships.

        Raises a problem for one that the viewer does not see.
        """
        seen = access.viewer(self.served, self.identity, partnerships, self.party)
        return AsOf(self.at, self.known, viewer=seen)

    @property
    def viewer(self) -> str | None:
        """The party whose view the page is; None for a view without either's private facts."""
        return access.viewer(self.served, self.identity, (), self.party).party

    @property
    def is_open(self) -> bool:
        """Whether the server lets in anyone, which each page says."""
        return self.served.is_open

    @property
    def latest(self) -> str:
        """A link to this page as of now."""
        return self.link(self.path, at=None, known=None, partnership=self.partnership)

    def beside(self, kind: str) -> str:
        """Return a link to the same answer in another form: `json` or `csv`."""
        return self.link(f"{self.path}.{kind}", partnership=self.partnership)

    def link(self, path: str, **query: str | None) -> str:
        """Return a link to a page of the same moment and the same viewer."""
        kept = {
            "at": None if self.at is None else instant(self.at),
            "known": None if self.known is None else instant(self.known),
            "party": self.party,
        }
        given = {name: value for name, value in {**kept, **query}.items() if value}
        return f"{path}?{urlencode(given)}" if given else path


def _visit(  # noqa: PLR0913, PLR0917 - each is a parameter of every page
    request: Request,
    served: ServedHere,
    who: Caller,
    at: Chosen = None,
    known: Chosen = None,
    party: Party = None,
) -> Visit:
    limited = request.query_params.get("partnership")
    return Visit(served, who, request.url.path, at, known, party, limited)


Visited = Annotated[Visit, Depends(_visit)]
"""A page's parameter for who asks, and as of which moment."""


class PageRoute(GuardedRoute):
    """A route that answers problems with a page, too."""

    def get_route_handler(self) -> Callable[[Request], Any]:
        """Return the handler, which shows what went wrong to people."""
        handle = super().get_route_handler()

        async def answered(request: Request) -> Response:
            try:
                answer: Response = await handle(request)
            except NotFound as error:
                return _problem_page(request, not_found(error))
            except Problem as problem:
                return _problem_page(request, problem)
            except RequestValidationError as error:
                return _problem_page(request, invalid(error))
            return answer

        return answered


def _problem_page(request: Request, problem: Problem) -> Response:
    page = _ENVIRONMENT.get_template("problem.html")
    body = page.render(problem=problem.document, simulated=served(request).accord.simulated)
    return HTMLResponse(body, problem.status, headers=dict(problem.headers or {}))


def names_of(accord: Accord, id: str, when: AsOf) -> Mapping[str, str]:
    """Return the names of the parties of a partnership, the initiator first."""
    overview = rows_of(OVERVIEW, accord, id, when).get(OVERVIEW_ROW, Overview())
    return {party: overview.names.get(party, party) for party in overview.parties}


def page(template: str, visit: Visit, **shown: object) -> Response:
    """Return the page that a template makes of answers."""
    body = _ENVIRONMENT.get_template(template).render(visit=visit, sections=SECTIONS, **shown)
    return HTMLResponse(body, headers={"Cache-Control": "no-cache"})


def _environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= shown.FILTERS
    return made


_ENVIRONMENT: Final = _environment()
