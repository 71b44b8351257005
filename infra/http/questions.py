"""A route for each question: ``GET`` with the parameters of its command, and the same JSON."""

import inspect
from collections.abc import Iterator, Sequence
from hashlib import sha256
from types import NoneType
from typing import Annotated, Any, Final, Union, get_args
from urllib.parse import quote

from fastapi import APIRouter, Header, Path, Query, Response

from domain.kernel import Refused
from domain.values import Slug
from infra.answers.logs import AsOf, NotFound
from infra.answers.parameters import Name, PageSize, When
from infra.answers.question import PAGE, Asks, Paging, Question, keyword
from infra.http import access, openapi
from infra.http.access import Caller, GuardedRoute, needs
from infra.http.dependencies import ServedHere
from infra.http.problems import REFUSED, Problem, not_found

JSON: Final = "application/json"

At = Annotated[
    When | None,
    Query(
        description="What had happened by then: a date means the whole of that day (UTC), "
        "2026-03-31T12:00:00Z that moment."
    ),
]
Known = Annotated[
    When | None,
    Query(description="What had been recorded by then: a date or a moment, as for `at`."),
]
Party = Annotated[
    Slug | None,
    Query(
        description="The view of this party. An API key has the view of its own party or role, so "
        "only an open server takes another one."
    ),
]
Limit = Annotated[PageSize, Query(description="Items of the page at most.")]
After = Annotated[Name | None, Query(description="The `next` of the page before.")]
IfNoneMatch = Annotated[
    list[str] | None,
    Header(description="The ETag of an answer that the reader has; 304 if it is the same."),
]


def router(questions: tuple[Question, ...]) -> APIRouter:
    """Return the routes of these questions."""
    made = APIRouter(route_class=GuardedRoute)
    named = [(each, each.path, each.name) for each in questions]
    named += [(each, each.within, f"{each.name}-of-one") for each in questions if each.within]
    for question, path, name in named:
        made.add_api_route(
            path,
            _route(question, path),
            methods=["GET"],
            name=name,
            operation_id=name,
            summary=question.help,
            description=inspect.getdoc(question.ask),
            # The document takes the schemas of all answers in one pass (see `openapi`).
            response_model=None,
            tags=[question.panel.value],
            responses={
                200: openapi.answer(question.answer),
                304: {"description": "The answer is still the one with this ETag."},
                404: openapi.problem("What is asked about does not exist."),
                422: openapi.problem("A parameter is wrong."),
            },
        )
    return made


def _route(question: Question, path: str) -> Any:  # noqa: ANN401 - FastAPI reads its signature
    def route(**given: Any) -> Response:  # noqa: ANN401 - as FastAPI parsed them
        served, who = given.pop("served"), given.pop("who")
        etag, party = given.pop("if_none_match"), given.pop("party", None)
        seen = access.viewer(served, who, question.about(given), party)
        if question.asks_when:
            given["when"] = AsOf(given.pop("at"), given.pop("known"), viewer=seen)
        if question.asks_viewer:
            given["viewer"] = seen
        if question.is_paged:
            given["page"] = Paging(given.pop("after"), given.pop("limit"))
        try:
            if question.reads_store:
                answer = question.reply(served.accord, **given)
            else:
                answer = question.ask(**given)
        except NotFound as error:
            raise not_found(error) from error
        except Refused as error:
            raise Problem(
                422, error.detail, type=REFUSED + quote(error.rule, safe=":"), hint=error.hint
            ) from error
        return _response(answer.model_dump_json().encode(), etag)

    route.__signature__ = inspect.Signature(list(_parameters(question, path)))  # type: ignore[attr-defined]
    return needs(question.need)(route)


def _response(body: bytes, known: Sequence[str] | None) -> Response:
    etag = f'"{sha256(body).hexdigest()[:32]}"'
    headers = {"ETag": etag, "Cache-Control": "no-cache"}
    # Tags are compared weakly (RFC 9110, section 13.1.2): proxies that compress make them weak.
    tags = {tag.strip().removeprefix("W/") for line in known or () for tag in line.split(",")}
    if tags & {etag, "*"}:
        return Response(status_code=304, headers=headers)
    return Response(body, headers=headers, media_type=JSON)


def _parameters(question: Question, path: str) -> Iterator[inspect.Parameter]:
    yield keyword("served", ServedHere, inspect.Parameter.empty)
    yield keyword("who", Caller, inspect.Parameter.empty)
    yield keyword("if_none_match", IfNoneMatch, None)
    for name, asks in question.parameters.items():
        in_path = f"{{{name}}}" in path
        default = inspect.Parameter.empty if in_path else asks.default
        yield keyword(name, _described(asks, in_path=in_path), default)
    if question.asks_when:
        yield keyword("at", At, None)
        yield keyword("known", Known, None)
        yield keyword("party", Party, None)
    if question.is_paged:
        yield keyword("limit", Limit, PAGE)
        yield keyword("after", After, None)


def _described(asks: Asks, *, in_path: bool) -> Any:  # noqa: ANN401 - an annotation
    kind = Path if in_path else Query
    type_ = _without_none(asks.type) if in_path else asks.type
    return Annotated[type_, kind(description=asks.described.help)]


def _without_none(kind: Any) -> Any:  # noqa: ANN401 - an annotation
    """Return the type of a parameter that may be left out elsewhere, and not in a path."""
    if NoneType not in get_args(kind):
        return kind
    return Union[tuple(each for each in get_args(kind) if each is not NoneType)]  # noqa: UP007
