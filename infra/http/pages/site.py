"""How a page is made: who asks, as of which moment, and the template that shows the answer.

A page shows the answers that the command line and the API give. Each page works without JavaScript,
and keeps the moment that is asked about (`at`, `known`) and the viewer in every link.
"""

import logging
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import cached_property
from http import HTTPStatus
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, Final, NamedTuple
from urllib.parse import parse_qsl, urlencode, urlsplit
from zoneinfo import ZoneInfo

import orjson
from fastapi import Depends, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, RedirectResponse
from pydantic import BeforeValidator

from domain.kernel import Refused
from domain.terms_by_day import TermsByDay
from infra.access import roles
from infra.access.credentials import Unauthenticated
from infra.access.roles import Identity, Need, Role
from infra.access.sessions import OF_KEY
from infra.access.tokens import Issuer
from infra.answers.logs import AsOf, NotFound, moment_of, not_begun, row_of_each, rows_of
from infra.answers.members import names_seen, seen_among
from infra.answers.parameters import When
from infra.bootstrap import Accord
from infra.http import access, cookies
from infra.http.access import Caller, GuardedRoute
from infra.http.dependencies import Served, served
from infra.http.pages import forms, shown
from infra.http.pages.any_script import with_any_script
from infra.http.problems import Problem, invalid, not_found
from infra.http.questions import Party
from infra.templates import environment
from infra.tlog import cloudevents
from projections import DEADLINES, OVERVIEW
from projections.deadlines import TERMS
from projections.overview import OVERVIEW_ROW, Overview
from projections.visibility import Viewer

log = logging.getLogger(__name__)

TEMPLATES: Final = Path(__file__).parent / "templates"


class Section(NamedTuple):
    """A page over all partnerships: its name, and what it needs of who asks."""

    name: str
    need: Need


SECTIONS: Final = {
    "portfolio": Section("Portfolio", Need.FACTS),
    "alerts": Section("Alerts", Need.FIGURES),
    "money": Section("Money", Need.FACTS),
    "inbox": Section("Inbox", Need.FACTS),
    "inputs": Section("Inputs", Need.INPUTS),
}
"""The main navigation, by path."""


def sections_of(identity: Identity) -> Mapping[str, Section]:
    """Return the sections that somebody may see, the first page first."""
    return {path: each for path, each in SECTIONS.items() if _may(identity, each.need)}


def _may(identity: Identity, need: Need) -> bool:
    try:
        roles.access(identity, need)
    except Refused:
        return False
    return True


LARGEST_FORM: Final = 256 * 1024
"""The most bytes of a form."""


def blank_as_none(value: object) -> object:
    """Return None for a field of a form that is not filled in."""
    return None if value == "" else value


_TYPED: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]+)?)?")
"""A moment as a field of a browser has it: without a time zone, and perhaps without seconds."""


def moment_as_typed(value: object) -> object:
    """Return None for a field that is not filled in; a moment that a browser wrote is in UTC."""
    if isinstance(value, str) and (found := _TYPED.fullmatch(value)):
        return f"{value}Z" if found[1] else f"{value}:00Z"
    return blank_as_none(value)


Chosen = Annotated[
    When | None,
    BeforeValidator(moment_as_typed),
    Query(description="A day or a moment. A form sends a field that is not filled in, too."),
]
"""One of the two moments."""


FILTERS: Final = ("partnership", "company", "order", "rule", "acts", "words", "by", "which")
"""The parameters that say which rows of a list are shown, and in which order."""


@dataclass(frozen=True)
class Visit:
    """A request of a page: the store, who asks, and the moment that is asked about."""

    served: Served
    identity: Identity
    path: str
    at: datetime | None
    known: datetime | None
    party: str | None
    filters: Mapping[str, str]
    """What a list is limited to and its order, as each form of this page keeps them."""
    form_token: str | None
    """What each form sends back; None for who asks without a browser, and gets no forms."""

    @property
    def accord(self) -> Accord:
        """The store."""
        return self.served.accord

    @property
    def partnership(self) -> str | None:
        """The partnership to which a list is limited."""
        return self.filters.get("partnership")

    @property
    def is_past(self) -> bool:
        """Whether a moment is asked about, so that nothing on the page can act."""
        return (self.at, self.known) != (None, None)

    @property
    def is_ahead(self) -> bool:
        """Whether the moment that is asked about is still to come."""
        return self.is_to_come(self.at or self.known)

    @property
    def is_cut_off(self) -> bool:
        """Whether what is asked about goes on after the moment by which it is known."""
        return self.at is not None and self.known is not None and self.known < self.at

    def is_to_come(self, moment: datetime | None) -> bool:
        """Return whether a moment is after now; the end of today is not.

        In a simulated store and in a bundle, now is when the last event was recorded.
        """
        now = self._now
        return moment is not None and moment > datetime.combine(now.date(), time.max, now.tzinfo)

    @cached_property
    def _now(self) -> datetime:
        accord = self.accord
        stops = accord.simulated or accord.is_bundle
        return (accord.history.last_recorded_at() if stops else None) or accord.clock()

    def today(self, zone: tzinfo = UTC) -> date | None:
        """Return the day of the page in a time zone; None where a moment is asked about."""
        return None if self.is_past else self._now.astimezone(zone).date()

    def when(self, *partnerships: str) -> AsOf:
        """Return the moment and the viewer for answers about these partnerships.

        Raises a problem for one that the viewer does not see.
        """
        seen = access.viewer(self.served, self.identity, partnerships, self.party)
        return AsOf(self.at, self.known, viewer=seen)

    @property
    def sees(self) -> Viewer:
        """What the page shows: the view of a party, or one without either's private facts."""
        return access.viewer(self.served, self.identity, (), self.party)

    @property
    def viewer(self) -> str | None:
        """The party whose view the page is; None for a view without either's private facts."""
        return self.sees.party

    @property
    def viewer_name(self) -> str | None:
        """The name of that party; its identifier, if it is in no partnership yet."""
        viewer, accord = self.sees, self.accord
        if viewer.party is None:
            return None
        # The first may be a program, which has no parties.
        some = islice(names_seen(accord, viewer), 5)
        rows = row_of_each(accord, OVERVIEW, OVERVIEW_ROW, [*some]).values()
        return next(
            (row.names[viewer.party] for row in rows if viewer.party in row.names), viewer.party
        )

    @property
    def is_open(self) -> bool:
        """Whether the server lets in anyone, which each page says."""
        return self.identity.role is Role.ANYONE

    @property
    def role(self) -> str:
        """The role of who asks, in words; that of the operator on an open server."""
        return Role.OPERATOR if self.is_open else self.identity.role

    @property
    def owner(self) -> str:
        """Who the forms of the page are shown to, as they say it (`OWNER`)."""
        return f"{self.identity.party or self.identity.role}/{self.identity.actor}"

    @property
    def has_session(self) -> bool:
        """Whether who asks can sign out."""
        return self.form_token is not None and not self.is_open

    @property
    def sections(self) -> Mapping[str, Section]:
        """The main navigation of who asks."""
        return sections_of(self.identity)

    @property
    def home(self) -> str:
        """A link to the first page of who asks."""
        return self.link(f"/{next(iter(self.sections), '')}")

    @property
    def latest(self) -> str:
        """A link to this page as of now."""
        return self.link(self.path, at=None, known=None, **self.filters)

    def beside(self, kind: str, **query: str | None) -> str:
        """Return a link to the same answer in another form (`json`, `csv`), limited as here."""
        return self.link(f"{self.path}.{kind}", **{**self.filters, **query})

    def to_event(self, partnership: str, index: int) -> str:
        """Return a link to an event in the history, on the page of it that has the event."""
        return (
            f"{self.link(f'/partnerships/{partnership}/history', event=f'{index}')}#event-{index}"
        )

    def may_send(self, partnership: str, type: str, party: str) -> bool:
        """Return whether an event of this type can be sent for a party from this page."""
        if self.is_past or self.form_token is None:
            return False
        if self.is_open:
            return party == (self.party or party)
        try:
            name = type.removeprefix(cloudevents.PREFIX)
            roles.check_emits(self.identity, party, name, partnership)
        except Refused:
            return False
        return True

    def to_send(
        self, partnership: str, type: str, party: str, given: Mapping[str, Any] | None = None
    ) -> str:
        """Return a link to the form of a type of event, with the data that is known."""
        return self.link(
            f"/partnerships/{partnership}/send/{type.removeprefix(cloudevents.PREFIX)}",
            party=party if self.is_open else None,
            given=orjson.dumps(given).decode() if given else None,
        )

    @property
    def kept(self) -> dict[str, str]:
        """The moment and the viewer, as each link and each form of this page keeps them."""
        asked = {
            "at": None if self.at is None else shown.asked(self.at),
            "known": None if self.known is None else shown.asked(self.known),
            "party": self.party,
        }
        return {name: value for name, value in asked.items() if value}

    @property
    def reads_facts(self) -> bool:
        """Whether who asks may search, and open a partnership and its history."""
        return _may(self.identity, Need.FACTS)

    def link(self, path: str, **query: str | None) -> str:
        """Return a link to a page of the same moment and the same viewer."""
        given = {name: value for name, value in {**self.kept, **query}.items() if value}
        return f"{path}?{urlencode(given)}" if given else path


def _visit(
    request: Request,
    who: Caller,
    at: Chosen = None,
    known: Chosen = None,
    party: Party = None,
) -> Visit:
    visit = _visited(request, who, at, known, party)
    request.state.visit = visit
    return visit


def _visited(
    request: Request,
    who: Identity,
    at: datetime | None = None,
    known: datetime | None = None,
    party: str | None = None,
) -> Visit:
    here, asked = served(request), request.query_params
    filters = {name: asked[name] for name in FILTERS if asked.get(name)}
    # Nobody acts on a bundle, or from a page that was asked for with a key.
    acts = "authorization" not in request.headers and not here.accord.is_bundle
    token = cookies.form_token(request) if acts else None
    return Visit(here, who, request.url.path, at, known, party, filters, token)


Visited = Annotated[Visit, Depends(_visit)]
"""A page's parameter for who asks, and as of which moment."""


def to_page(request: Request, to: str, done: str) -> Response:
    """Lead to a page that says what was just done; a reload does not say it again."""
    answer = RedirectResponse(to, HTTPStatus.SEE_OTHER)
    cookies.save(request, answer, cookies.DONE, done)
    return answer


def just_done(request: Request) -> str:
    """Return what `to_page` says was done; empty if nothing was, or if it was shown already."""
    found = cookies.read(request, cookies.DONE) or ""
    request.state.shows_done = bool(found)
    return found


class PageRoute(GuardedRoute):
    """A route that takes the session of a browser, and answers problems with a page, too."""

    takes_sessions = True

    def get_route_handler(self) -> Callable[[Request], Any]:
        """Return the handler, which shows what went wrong to people."""
        handle = super().get_route_handler()

        async def answered(request: Request) -> Response:
            try:
                answer: Response = await handle(request)
            except NotFound as error:
                return _problem_page(request, not_found(error))
            except Problem as problem:
                if problem.status != HTTPStatus.UNAUTHORIZED or not is_browser(request):
                    return _problem_page(request, problem)
                answer = await to_sign_in(request)
            except RequestValidationError as error:
                return _problem_page(request, invalid(error))
            cookies.keep_form_secret(request, answer)
            if getattr(request.state, "shows_done", False):
                cookies.forget(request, answer, cookies.DONE)
            return answer

        return answered


def is_browser(request: Request) -> bool:
    """Return whether a person asks for a page."""
    return "text/html" in request.headers.get("accept", "")


LONGEST_ADDRESS: Final = 8_000
"""Characters of an address that every proxy takes."""


async def to_sign_in(request: Request) -> Response:
    """Lead a browser to where its person signs in, and back to the page that was asked for.

    A form that was sent after its session had ended is shown beside the sign-in, to be copied. It
    goes into no address and no later form, because somebody else may sign in.
    """
    path, query = request.url.path, request.url.query
    if request.method == "GET":
        asked = f"{path}?{query}" if query else path
        return RedirectResponse(f"/sign-in?{urlencode({'to': asked})}", HTTPStatus.SEE_OTHER)
    # A browser says so of a form of another site, whose text is not shown.
    is_own = request.headers.get("sec-fetch-site", "same-origin") == "same-origin"
    fields = dict(parse_qsl((await _body(request)).decode(errors="replace"))) if is_own else {}
    return sign_in_page(request, _form_again(request, fields), unsent=_unsent(fields))


def _form_again(request: Request, fields: Mapping[str, str]) -> str:
    """Return the address of a form that was sent, as its link had it; the root for any other."""
    path, party = request.url.path, request.query_params.get("party")
    if "/send/" not in path:
        return ROOT
    asked = {"party": party, "given": fields.get("known")}
    to = f"{path}?{urlencode({name: each for name, each in asked.items() if each})}"
    return to if len(to) <= LONGEST_ADDRESS else path


OWNER: Final = "owner"
"""The field of a form that says who it was shown to."""

_OF_THE_PAGE: Final = frozenset(
    {"form_token", OWNER, "id", "known", "moment", "alert", "partnership", "add", "remove", "wait"}
)
"""The fields that a page fills in, and no person."""


def _unsent(fields: Mapping[str, str]) -> dict[str, str]:
    """Return what a person filled in, by the label of its field."""
    return {
        forms.label_of(name.removeprefix(forms.PREFIX)): each
        for name, each in fields.items()
        if name not in _OF_THE_PAGE and not name.endswith(("]", "+kind"))
    }


ROOT: Final = "/"
"""Leads to the first page of who is signed in."""


def sign_in_page(
    request: Request,
    to: str,
    refused: Problem | None = None,
    unsent: Mapping[str, str] | None = None,
) -> Response:
    """Return the page on which a person signs in, on the way to another page.

    `unsent` is what was filled in of a form that came after its session had ended.
    """
    ended = HTTPStatus.OK if unsent is None else HTTPStatus.UNAUTHORIZED
    answer = plain_page(
        "sign_in.html",
        refused.status if refused else ended,
        refused=refused.document if refused else None,
        issuers=[(number, urlsplit(each.url).netloc) for number, each in issuers(served(request))],
        to=to,
        unsent=unsent,
        hours=OF_KEY // _HOUR,
        form_token=cookies.form_token(request),
    )
    return showing(answer, refused)


_HOUR: Final = timedelta(hours=1)


def issuers(here: Served) -> Iterator[tuple[int, Issuer]]:
    """Yield the issuers at which people sign in, each with its number among all."""
    for number, each in enumerate(here.tokens.issuers.values()):
        if each.client_id is not None:
            yield number, each


Form = Mapping[str, str]
"""The fields of a form that a browser sent, without those that are not filled in."""


class Sent(NamedTuple):
    """A form that came, perhaps from a tab whose session was replaced by another one."""

    fields: Form
    is_stale: bool
    """Whether its session was replaced. Then nothing is sent, and its text is for `OWNER` alone."""


async def _sent(request: Request) -> Sent:
    """Return a form. Raises a problem for one that this server did not give out."""
    fields = dict(parse_qsl((await _body(request)).decode(errors="replace")))
    token = fields.pop("form_token", "")
    # A browser does not send this header by itself.
    if "authorization" in request.headers or cookies.is_own_form(request, token):
        return Sent(fields, is_stale=False)
    # A browser says so of a form of this site.
    if OWNER in fields and request.headers.get("sec-fetch-site") == "same-origin":
        return Sent(fields, is_stale=True)
    raise foreign_form()


def foreign_form() -> Problem:
    """Return the problem of a form that this session did not get."""
    return Problem(
        400,
        "The form is of an older session, or of another site.",
        "Open the page again, and send the form from there.",
    )


PostedPerhapsStale = Annotated[Sent, Depends(_sent)]
"""A page's parameter for a form that is shown again if its session was replaced."""


async def _form(sent: PostedPerhapsStale) -> Form:
    """Return the fields of a form. Raises a problem for one that this session did not get."""
    if sent.is_stale:
        raise foreign_form()
    return sent.fields


async def _body(request: Request) -> bytes:
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > LARGEST_FORM:
            raise Problem(413, "The form is too large.", "Write less into it.")
    return body


Posted = Annotated[Form, Depends(_form)]
"""A page's parameter for the form that was sent."""


# --- what went wrong ---------------------------------------------------------------------------


def _problem_page(request: Request, problem: Problem) -> Response:
    return _rendered_problem(request, problem, _visit_of(request))


def _rendered_problem(request: Request, problem: Problem, visit: Visit | None) -> Response:
    body = _rendered(
        "problem.html",
        visit=visit,
        section="",
        title=_TITLES.get(problem.status, problem.document.title),
        detail=said(problem, _LABELS),
        hint=_for_people(problem),
        reference=problem.document.reference,
        is_of_field=bool(problem.document.errors),
        back=_back(request),
    )
    return HTMLResponse(body, problem.status, headers=dict(problem.headers or {}))


_LABELS: Final = {
    "at": "Happened by",
    "known": "Known by",
    "against": "The day to compare with",
    "words": "What is searched for",
}
"""The fields of the pages that are parameters, as the pages call them."""


def said(problem: Problem, labels: Mapping[str, str]) -> str:
    """Return what is wrong, with the parameters as the page calls them."""
    errors = problem.document.errors
    if not errors:
        return problem.document.detail
    found = (
        each.detail.replace(each.parameter, labels.get(each.parameter, each.parameter), 1)
        if each.detail.startswith(f"{each.parameter} ")
        else each.detail
        for each in errors
    )
    return f"{'; '.join(found)}."


def _back(request: Request) -> str | None:
    """Return the page of this server from which somebody came; None for none."""
    came = urlsplit(request.headers.get("referer", ""))
    is_here = came.netloc == request.url.netloc and came.path.startswith("/")
    if not is_here or came.path.startswith("//") or came.path == request.url.path:
        return None
    return f"{came.path}?{came.query}" if came.query else came.path


_TITLES: Final[Mapping[int, str]] = {
    HTTPStatus.BAD_REQUEST: "This cannot be done",
    HTTPStatus.FORBIDDEN: "This is not open to you",
    HTTPStatus.NOT_FOUND: "There is nothing here",
    HTTPStatus.METHOD_NOT_ALLOWED: "There is no page here",
    HTTPStatus.UNPROCESSABLE_ENTITY: "This cannot be read",
    HTTPStatus.INTERNAL_SERVER_ERROR: "Something failed",
    HTTPStatus.SERVICE_UNAVAILABLE: "This cannot be done now",
}

_HINTS: Final[Mapping[int, str]] = {
    HTTPStatus.FORBIDDEN: "If you need it, ask the operator of this server.",
    HTTPStatus.NOT_FOUND: "Check the address, or begin at the first page.",
    HTTPStatus.METHOD_NOT_ALLOWED: "Nothing was changed. Begin at the first page.",
    HTTPStatus.UNPROCESSABLE_ENTITY: "Correct the address, or begin at the first page.",
}
"""What a person can do, where the hint of a problem is for programs."""

_OF_PROGRAMS: Final = ("/v1/", "/docs", "docs/", "Authorization", "parameters of this route")


def _for_people(problem: Problem) -> str:
    hint = problem.document.hint
    if any(each in hint for each in _OF_PROGRAMS):
        return _HINTS.get(problem.status, "Begin at the first page.")
    return hint


def _visit_of(request: Request) -> Visit | None:
    """Return the visit of a request that failed, for the shell of a page; None for a stranger."""
    here, found = served(request), getattr(request.state, "visit", None)
    who: Identity | None = getattr(request.state, "identity", None) or signed_in(request, here)
    if who is None or (who.role is Role.ANYONE and not is_open_now(here)):
        return None
    if isinstance(found, Visit):
        with suppress(Problem):
            access.viewer(here, who, (), found.party)
            return found
    return _visited(request, who)


def is_open_now(here: Served) -> bool:
    """Return whether a server lets in anyone: the first key closes it."""
    return here.is_open and not here.accord.history.credentials.exist()


def signed_in(request: Request, here: Served) -> Identity | None:
    """Return who is signed in with a browser; on an open server, anyone."""
    if is_open_now(here):
        return here.anyone
    secret = cookies.read(request, cookies.SESSION)
    try:
        return access.of_session(here, secret) if secret else None
    except Unauthenticated:
        return None


def no_page(request: Request, problem: Problem) -> Response | None:
    """Return the page of a problem for a person where no page answers; None for a program."""
    path = request.url.path
    if not is_browser(request) or path.startswith(("/v1/", "/assets/")):
        return None
    try:
        return _problem_page(request, problem)
    except Exception:
        # The navigation and the viewer are read from the store, which may be what failed.
        log.exception("the page of a problem could not be made")
        return _rendered_problem(request, problem, None)


def names_of(accord: Accord, id: str, when: AsOf) -> Mapping[str, str]:
    """Return the names of the parties of a partnership, the initiator first."""
    overview = rows_of(OVERVIEW, accord, id, when).get(OVERVIEW_ROW, Overview())
    return {party: overview.names.get(party, party) for party in overview.parties}


def names_then(visit: Visit, id: str) -> Mapping[str, str]:
    """Return the names of the parties at the moment asked about. Raises `NotFound` before it."""
    when = visit.when(id)
    names = names_of(visit.accord, id, when)
    if not names:
        raise not_begun(visit.accord.history, id, when)
    return names


def names_of_each(visit: Visit, ids: Iterable[str]) -> Mapping[str, Mapping[str, str]]:
    """Return the names of the parties of partnerships, the initiator first, by partnership.

    A neutral third party is not shown them.
    """
    seen = seen_among(visit.accord, sorted({*ids}), visit.sees)
    rows = row_of_each(visit.accord, OVERVIEW, OVERVIEW_ROW, seen)
    return {
        name: {each: row.names.get(each, each) for each in row.parties}
        for name, row in rows.items()
    }


def zone_of(accord: Accord, id: str, when: AsOf) -> ZoneInfo:
    """Return the time zone of the days of a partnership: UTC until one is agreed."""
    terms: TermsByDay = rows_of(DEADLINES, accord, id, when).get(TERMS) or TermsByDay()
    return ZoneInfo(terms.zone(moment_of(accord, id, when)))


def page(template: str, visit: Visit, status: int = HTTPStatus.OK, /, **shown: object) -> Response:
    """Return the page that a template makes of answers."""
    return HTMLResponse(_rendered(template, visit=visit, **shown), status)


def plain_page(template: str, status: int, **shown: object) -> Response:
    """Return a page that shows no answer, so that it has no moment and no viewer."""
    headers = {"Cache-Control": "no-store"}
    return HTMLResponse(_rendered(template, **shown), status, headers=headers)


def _rendered(template: str, **shown: object) -> str:
    return with_any_script(_ENVIRONMENT.get_template(template).render(**shown))


def showing(answer: Response, refused: Problem | None) -> Response:
    """Return a page with the headers of the problem that it shows, such as when to try again."""
    if refused and refused.headers:
        answer.headers.update(refused.headers)
    return answer


_ENVIRONMENT: Final = environment(TEMPLATES, shown.FILTERS)
