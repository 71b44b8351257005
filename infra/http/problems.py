"""What went wrong, as problem details for HTTP (RFC 9457)."""

import logging
import secrets
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from functools import partial
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import quote

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import ConfigDict
from starlette.exceptions import HTTPException
from starlette.routing import Match

from domain.described import Described
from domain.wording import shown
from infra.access.roles import Identity
from infra.answers.logs import NotFound
from infra.answers.outcomes import MemberResult
from infra.answers.parameters import error_of
from infra.deciding.batch import QUARANTINED, Outcome
from infra.deciding.clock import ClockInDoubt
from infra.http.dependencies import served
from infra.store.errors import StoreFull
from infra.store.views import OtherFold, UnreadableRow
from infra.tlog.codec import UnreadableEvent
from projections.fold import FoldFailed

log = logging.getLogger(__name__)

MEDIA_TYPE: Final = "application/problem+json"

REFUSED: Final = "/problems/"
"""The beginning of the ``type`` of a refusal; the name of the rule follows. It is a page."""

NoPage = Callable[[Request, "Problem"], Response | None]
"""Makes the page of a problem for a person, where no page answers; None for a program."""

AGAIN_SOON: Final = {"Retry-After": "1"}
"""The same request may succeed in a second."""

AGAIN_LATER: Final = {"Retry-After": "60"}
"""The same request may succeed after the operator has acted."""

UNREADABLE: Final = frozenset(
    {
        "command-malformed",
        "decimal-as-string",
        "duplicate-key",
        "missing-field",
        "not-an-event",
        "not-json",
        "time-without-zone",
        "too-large",
        "unknown-field",
        "unknown-type",
        "wrong-value",
    }
)
"""Rules of reading: an event that breaks one is not decided."""

_STATUS = {
    "conflict": 409,
    "id-conflict": 409,
    "internal-error": 500,
    "not-in-scope": 403,
    "not-your-name": 403,
    "reserved-actor": 403,
    "not-your-party": 403,
    "not-your-partnership": 403,
    QUARANTINED: 503,
}

_HINTS = {
    400: "Correct the request; the document of the API is at /docs.",
    404: "The routes are listed at /docs.",
    405: "Use one of the methods in the header Allow.",
    422: "The parameters of each route are listed at /docs.",
}
_ANY_HINT = "The document of the API is at /docs."


class ParameterError(Described):
    """A parameter of a request that is wrong."""

    parameter: str
    """The name of the parameter."""
    detail: str
    """What is wrong, with the facts of this case."""
    hint: str
    """What to do about it."""


class ProblemDetails(Described):
    """What went wrong (RFC 9457). Members that do not apply are left out."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    type: str = "about:blank"
    """The page of the rule that refused an event, `/problems/RULE`; else `about:blank`."""
    title: str
    """The title."""
    status: int
    """The status of the response."""
    detail: str
    """What is wrong, with the facts of this case."""
    hint: str
    """What to do about it."""
    source: str | None = None
    """The source of a refused event."""
    id: str | None = None
    """The id of a refused event."""
    rule: str | None = None
    """The rule that refused an event."""
    pointer: str | None = None
    """Where in the event the trouble is (RFC 6901), if it is at one place."""
    errors: tuple[ParameterError, ...] | None = None
    """The wrong parameters of a request."""
    reasons: tuple[str, ...] | None = None
    """What keeps the process from serving."""
    index: int | None = None
    """The index of the event at which the log differs from what was recorded."""
    results: tuple[MemberResult, ...] | None = None
    """The result of each event of a batch of which none was recorded."""
    reference: str | None = None
    """What to search the server's log for, after an unexpected failure."""
    simulated: bool | None = None
    """True on a simulated store, whose feeds say when things were recorded."""


class Problem(Exception):
    """Raised where a request cannot be done; `more` are further members of its document."""

    def __init__(
        self,
        status: int,
        detail: str,
        hint: str = "",
        *,
        headers: Mapping[str, str] | None = None,
        **more: Any,  # noqa: ANN401 - members of the document, which checks them
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.headers = headers
        self.document = ProblemDetails.model_validate(
            {
                "title": HTTPStatus(status).phrase,
                "status": status,
                "detail": detail,
                "hint": hint or _HINTS.get(status, _ANY_HINT),
                **more,
            }
        )


def refusal(outcome: Outcome) -> Problem:
    """Return the problem of a refused event.

    Its status is 400 if the event is unreadable, 403 if its sender may not send it, 409 if it
    conflicts with another one, 500 for a fault of the program, else 422.
    """
    rule = outcome.rule or ""
    return Problem(
        400 if rule in UNREADABLE else _STATUS.get(rule, 422),
        outcome.detail or "",
        outcome.hint or "",
        headers=AGAIN_SOON if outcome.retryable else None,
        type=REFUSED + quote(rule, safe=":"),
        title=f"Refused by the rule {rule}",
        source=outcome.source,
        id=outcome.id,
        rule=rule,
        pointer=outcome.pointer,
    )


def too_large(limit: int) -> Problem:
    """Return the problem of a body with more bytes than the limit."""
    return Problem(
        413, f"A body has at most {limit} bytes.", "Send the events in several requests."
    )


def not_found(error: NotFound) -> Problem:
    """Return the problem of something that does not exist."""
    return Problem(404, error.detail, error.hint)


def handle_problems(app: FastAPI, no_page: NoPage) -> None:
    """Have every error of `app` answered with problem details, to a person with a page."""
    app.exception_handler(Problem)(_answer)
    app.exception_handler(HTTPException)(partial(_of_http, no_page))
    app.exception_handler(RequestValidationError)(_of_parameters)
    for kind, problem_of in _FAILURES.items():
        app.exception_handler(kind)(partial(_of_failure, no_page, problem_of))


def _answer(request: Request, problem: Problem) -> Response:
    return response(problem, simulated=served(request).accord.simulated)


def response(problem: Problem, *, simulated: bool) -> Response:
    """Return the response with a problem's document."""
    document = problem.document.model_copy(update={"simulated": simulated or None})
    body = document.model_dump_json(exclude_none=True)
    return Response(body, problem.status, problem.headers, MEDIA_TYPE)


def _of_http(no_page: NoPage, request: Request, error: HTTPException) -> Response:
    headers = dict(error.headers or {})
    if "Allow" in headers:
        headers["Allow"] = ", ".join(_methods(request))
    problem = Problem(error.status_code, f"{error.detail}.", headers=headers)
    return no_page(request, problem) or _answer(request, problem)


_METHODS: Final = {
    "DELETE": "DELETE",
    "GET": "GET",
    "HEAD": "GET",
    "OPTIONS": "OPTIONS",
    "POST": "POST",
}
"""The methods that any path has, each with the method of the route that answers it."""


def _methods(request: Request) -> list[str]:
    """Return the methods of a path; the router names those of its first route alone."""
    return [method for method, of_route in _METHODS.items() if _is_routed(request, of_route)]


def _is_routed(request: Request, method: str) -> bool:
    asked = {**request.scope, "method": method}
    return any(route.matches(asked)[0] is Match.FULL for route in request.app.routes)


def _of_parameters(request: Request, error: RequestValidationError) -> Response:
    return _answer(request, invalid(error, _members(request)))


def _members(request: Request) -> list[str]:
    """Return the names of the members of the body that a route takes, if it takes a JSON object."""
    body = getattr(request.scope.get("route"), "body_field", None)
    model = body.field_info.annotation if body else None
    return [*getattr(model, "model_fields", ())]


def invalid(error: RequestValidationError, members: Sequence[str] = ()) -> Problem:
    """Return the problem of parameters that FastAPI could not read.

    `members` are the names that the body can have.
    """
    return wrong_parameters([_parameter_error(each, members) for each in error.errors()])


def _parameter_error(
    error: Any,  # noqa: ANN401 - as pydantic gives it
    members: Sequence[str],
) -> ParameterError:
    # The first step says where it is (in the path, the query), the second names it. A body that is
    # missing, or not an object, has no name.
    where, *names = error["loc"]
    if error["type"] == "json_invalid":
        detail = f"The body cannot be read: {error['ctx']['error']}"
        return ParameterError(parameter=where, detail=detail, hint=_UNREAD)
    name = str(names[0] if names else where)
    found = error_of(name, error)
    hint = found.hint or _HINTS[422]
    if error["type"] == "extra_forbidden" and members:
        near = get_close_matches(name, members, 1)
        hint = f"Perhaps {near[0]}?" if near else f"The members are {', '.join(members)}."
    return ParameterError(parameter=name, detail=found.detail, hint=hint)


_UNREAD: Final = "Send one JSON object, with each member once."


def wrong_parameters(wrong: Sequence[ParameterError]) -> Problem:
    """Give the problem of wrong parameters."""
    detail = "; ".join(each.detail for each in wrong)
    hints = dict.fromkeys(each.hint for each in wrong)
    return Problem(422, f"{detail}.", " ".join(hints), errors=tuple(wrong))


def _of_failure(
    no_page: NoPage,
    problem_of: Callable[[Request, Exception], Problem],
    request: Request,
    error: Exception,
) -> Response:
    problem = problem_of(request, error)
    return no_page(request, problem) or _answer(request, problem)


def _other_fold(_: Request, error: OtherFold) -> Problem:
    return Problem(503, error.detail, hint=error.hint)


def _later(_: Request, error: ClockInDoubt | StoreFull) -> Problem:
    return Problem(503, error.detail, hint=error.hint, headers=AGAIN_LATER)


def _damaged_row(request: Request, error: UnreadableRow) -> Problem:
    return _damaged(request, error, AGAIN_SOON)


def _damaged(
    request: Request,
    error: FoldFailed | UnreadableEvent | UnreadableRow,
    again: Mapping[str, str] = AGAIN_LATER,
) -> Problem:
    """Say that something in the store cannot be read; only the operator reads what it is."""
    who: Identity = request.state.identity
    if who.party is None:
        return Problem(503, error.detail, hint=error.hint, headers=again)
    detail = "The answer needs what cannot be read of the partnership."
    hint = "Ask again when the operator has upgraded or restored Accord."
    return Problem(503, detail, hint, headers=again)


def _fault(request: Request, error: Exception) -> Problem:
    """Log an unexpected failure by a reference, and return the problem with the same.

    The details are only in the server's log, because a client may not be allowed to see them.
    """
    reference = f"{secrets.token_hex(2)}-{secrets.token_hex(2)}"
    # The server logs the traceback, with its notes.
    error.add_note(f"Reference {reference}")
    what = f"{request.method} {shown(request.url.path)}"
    log.error("reference %s: %s failed with %s", reference, what, type(error).__name__)
    return Problem(
        500,
        "The request failed because of a bug in Accord.",
        f"Search the server's log for {reference}, or give this reference to the operator: the log "
        "says by it what failed.",
        reference=reference,
    )


_FAILURES: Final[Mapping[type[Exception], Callable[[Request, Any], Problem]]] = {
    ClockInDoubt: _later,
    FoldFailed: _damaged,
    OtherFold: _other_fold,
    StoreFull: _later,
    UnreadableEvent: _damaged,
    UnreadableRow: _damaged_row,
    Exception: _fault,
}
"""What each kind of failure is for who asked."""
