"""Requests are read strictly: each parameter is known, and given once where one is meant."""

import re
from collections.abc import Callable, Container, Iterator, Mapping
from difflib import get_close_matches
from json import JSONDecodeError
from typing import Any, Final, TypeVar, get_args, get_origin
from urllib.parse import unquote

from fastapi import Request
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from domain.wording import shown
from infra.http.problems import ParameterError, wrong_parameters
from infra.tlog.codec import OutsideProfile, parse


class StrictRequest(Request):
    """A request whose JSON is read as strictly as an event: no object names a member twice."""

    async def json(self) -> Any:  # noqa: ANN401 - a JSON document can be any value
        """Return the body. Raises `JSONDecodeError`, which FastAPI answers with 422."""
        try:
            return parse(await self.body())
        except OutsideProfile as error:
            raise JSONDecodeError(error.detail, "", 0) from error


F = TypeVar("F", bound=Callable[..., Any])

_TAKES_ANY: Final = "__accord_takes_any_parameter__"


def takes_any_parameter(endpoint: F) -> F:
    """Let a route take query parameters that it does not know, because a protocol says so."""
    setattr(endpoint, _TAKES_ANY, True)
    return endpoint


def known_parameters(request: Request) -> None:
    """Raise a problem for a query parameter that the route does not have, or has twice."""
    route = request.scope.get("route")
    if not isinstance(route, APIRoute) or hasattr(route.endpoint, _TAKES_ANY):
        return
    known, wrong = _parameters(route), []
    for name in dict.fromkeys(request.query_params):
        if name not in known:
            wrong.append(_unknown(name, known))
        elif len(request.query_params.getlist(name)) > 1 and not known[name]:
            detail = f"{name} is given more than once"
            wrong.append(ParameterError(parameter=name, detail=detail, hint="Give it once."))
    if wrong:
        raise wrong_parameters(wrong)


def _unknown(name: str, known: Mapping[str, bool]) -> ParameterError:
    near = get_close_matches(name, known, 1, 0.5)
    names = ", ".join(known) or "none"
    return ParameterError(
        parameter=name[:100],
        detail=f"There is no parameter {shown(name)}",
        hint=f"Perhaps {near[0]}?" if near else f"The parameters of this route: {names}.",
    )


def _parameters(route: APIRoute) -> Mapping[str, bool]:
    """Return the query parameters of a route, and whether each can be given more than once."""
    return dict(_named(route.dependant))


def _named(dependant: Dependant) -> Iterator[tuple[str, bool]]:
    for each in dependant.query_params:
        yield each.alias, _is_many(each.field_info.annotation)
    for below in dependant.dependencies:
        yield from _named(below)


def _is_many(annotation: object) -> bool:
    kinds = {get_origin(each) for each in (annotation, *get_args(annotation))}
    return bool(kinds & {tuple, list})


class HeadAsGet:
    """Answers HEAD as GET, without the body (RFC 9110, section 9.3.2).

    A path in `but` has a route of its own for HEAD: GET of a stream would not end.
    """

    def __init__(self, app: ASGIApp, but: Container[str]) -> None:
        self._app = app
        self._but = but

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
        elif scope["method"] == "HEAD" and scope["path"] not in self._but:
            await self._app({**scope, "method": "GET"}, receive, _without_body(send))
        else:
            await self._app(scope, receive, _with_head_allowed(send))


def _without_body(send: Send) -> Send:
    async def send_head(message: Message) -> None:
        if message["type"] == "http.response.body":
            message = {**message, "body": b""}
        await send(message)

    return send_head


def _with_head_allowed(send: Send) -> Send:
    async def send_allowed(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            if headers.get("allow") == "GET":
                headers["allow"] = "GET, HEAD"
        await send(message)

    return send_allowed


class AbsoluteForm:
    """Takes a request whose target is a whole address, as clients of a proxy send it.

    The host of the address counts, not that of the header (RFC 9112, section 3.2.2).
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] == "http" and (found := _ADDRESS.match(scope.get("raw_path") or b"")):
            host, path = found.groups()
            others = [each for each in scope["headers"] if each[0] != b"host"]
            scope = {
                **scope,
                "headers": [(b"host", host), *others],
                "raw_path": path or b"/",
                "path": unquote((path or b"/").decode("ascii")),
            }
        await self._app(scope, receive, send)


_ADDRESS = re.compile(rb"(?i)https?://([^/?#]*)(/.*)?")
