"""What went wrong, as problem details for HTTP (RFC 9457)."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from infra.deciding.service import Outcome
from infra.http.served import served

MEDIA_TYPE = "application/problem+json"

REFUSED = "urn:accord:refused:"
"""What the ``type`` of a refusal begins with; the name of the rule follows."""

AGAIN_SOON = {"Retry-After": "1"}
"""The same request may do better in a second."""

UNREADABLE = frozenset(
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
"""Rules of reading: what breaks one was never asked of the partnership."""

_STATUS = {"conflict": 409, "id-conflict": 409, "internal-error": 500}


class Problem(Exception):
    """Raised where a request cannot be done; what is given by name stands in the document too."""

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        headers: Mapping[str, str] | None = None,
        **more: object,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.headers = headers
        self.document = {
            "type": "about:blank",
            "title": HTTPStatus(status).phrase,
            "status": status,
            "detail": detail,
            **more,
        }


def refusal(outcome: Outcome) -> Problem:
    """Give the problem that a refused event is.

    Its status is 400 if the event is unreadable, 409 if it meets another one, 500 if the fault
    is ours, else 422.
    """
    rule = outcome.rule or ""
    return Problem(
        400 if rule in UNREADABLE else _STATUS.get(rule, 422),
        outcome.detail or "",
        headers=AGAIN_SOON if outcome.retryable else None,
        type=REFUSED + quote(rule, safe=":"),
        title=f"Refused by the rule {rule}",
        **{key: each for key, each in outcome.refusal().items() if key != "detail"},
    )


def handle_problems(app: FastAPI) -> None:
    """Have everything that goes wrong in `app` answered with a problem's document."""
    app.exception_handler(Problem)(_answer)
    app.exception_handler(HTTPException)(_of_http)
    app.exception_handler(RequestValidationError)(_of_parameters)
    app.exception_handler(Exception)(_of_fault)


def _answer(request: Request, problem: Problem) -> Response:
    return served(request).answer(
        problem.document, problem.status, media_type=MEDIA_TYPE, headers=problem.headers
    )


def _of_http(request: Request, error: HTTPException) -> Response:
    return _answer(request, Problem(error.status_code, error.detail, headers=error.headers))


def _of_parameters(request: Request, error: RequestValidationError) -> Response:
    wrong: list[dict[str, Any]] = [
        {"parameter": each["loc"][-1], "detail": each["msg"]} for each in error.errors()
    ]
    detail = "; ".join(f"{each['parameter']}: {each['detail']}" for each in wrong)
    return _answer(request, Problem(422, f"{detail}.", errors=wrong))


def _of_fault(request: Request, _: Exception) -> Response:
    # The server's log has the rest, which is nobody else's.
    return _answer(request, Problem(500, "This failed by a fault of the program."))
