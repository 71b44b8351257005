"""Every answer has the headers that keep browsers and caches safe, whatever went wrong."""

from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import FastAPI
from httpx2 import Response
from starlette.testclient import TestClient

from infra.access.roles import Need
from infra.bootstrap import Accord
from infra.http import create_app
from infra.http.access import GuardedRoute, guarded_routes, needs
from infra.http.alerts import STREAM
from infra.http.app import IS_OPEN, IS_SIMULATED
from infra.http.safety import SAFETY
from infra.settings import HttpLimits
from tests.feeds import simulated
from tests.infra.access.worlds import streamed
from tests.infra.messages import beginning

BODY = 10_000
"""Bytes of a body at most."""


@pytest.fixture(scope="module")
def accord(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Accord]:
    with simulated(tmp_path_factory.mktemp("headers")) as accord:
        accord.service.handle([beginning()])
        accord.catch_up()
        yield accord


def application(accord: Accord, *, is_open: bool) -> FastAPI:
    """Return the application, with a route in which a bug raises."""
    limits = HttpLimits(body_bytes=BODY)
    app = create_app(accord, accord.workers(), limits=limits, is_open=is_open)

    @needs(Need.NOTHING)
    async def fails() -> None:
        raise RuntimeError("a bug")

    app.router.routes.append(GuardedRoute("/fails", fails, methods=["GET"]))
    return app


@pytest.fixture(scope="module", params=[True, False], ids=["open", "with keys"])
def client(accord: Accord, request: Any) -> Iterator[TestClient]:  # noqa: ANN401
    app = application(accord, is_open=request.param)
    with app.state.served.workers, TestClient(app, raise_server_exceptions=False) as client:
        yield client


def lacking(found: Response, client: TestClient) -> dict[str, str]:
    """Return the headers that an answer lacks or has otherwise."""
    served = client.app.state.served  # type: ignore[attr-defined]
    wanted = SAFETY | IS_SIMULATED | (IS_OPEN if served.is_open else {})
    has = found.headers
    lacks = {name: value for name, value in wanted.items() if has.get_list(name) != [value]}
    kept = has.get_list("Cache-Control")
    is_kept = found.status_code < 400 and kept == ["no-cache"]
    if len(kept) != 1 or not (is_kept or kept[0] == "no-store" or kept[0].startswith("private, ")):
        lacks["Cache-Control"] = str(kept)
    if found.status_code >= 400 and "no-store" not in kept[0]:
        lacks["Cache-Control"] = str(kept)
    return lacks


def test_every_answer_of_every_route_has_the_headers(client: TestClient) -> None:
    statuses = set()
    for route in guarded_routes(client.app.routes):  # type: ignore[attr-defined]
        path = route.path.format(**dict.fromkeys(route.param_convertors, "1"))
        for method in ("GET", "HEAD", "POST", "DELETE", "PUT"):
            if path == STREAM and method == "GET":
                continue
            found = client.request(method, path, follow_redirects=False)
            statuses.add(found.status_code)
            assert not lacking(found, client), (method, path, found.status_code)
    expected = {200, 405, 404, 422} if client.app.state.served.is_open else {200, 303, 401, 405}  # type: ignore[attr-defined]
    assert statuses >= expected


@pytest.mark.parametrize(
    ("method", "path", "status", "more"),
    [
        ("GET", "/fails", 500, {}),
        ("HEAD", "/fails", 500, {}),
        ("GET", "http://accord.example/fails", 500, {}),
        ("GET", "/nowhere", 404, {}),
        ("GET", "/nowhere", 404, {"headers": {"Accept": "text/html"}}),
        ("TRACE", "/nowhere", 404, {}),
        ("PUT", "/healthz", 405, {}),
        ("GET", "/healthz?x=1", 422, {}),
        ("GET", "/healthz", 200, {}),
        ("GET", "/readyz", 200, {}),
        ("GET", "/docs", 200, {}),
        ("GET", "/openapi.json", 200, {}),
        ("GET", "/assets/docs.html", 200, {}),
        ("GET", "/assets/nothing.js", 404, {}),
        ("GET", "/assets/", 404, {}),
        ("POST", "/assets/docs.html", 405, {}),
    ],
)
def test_so_has_an_error_and_what_is_the_same_for_everyone(
    client: TestClient, method: str, path: str, status: int, more: dict[str, Any]
) -> None:
    found = client.request(method, path, **more)

    assert found.status_code == status
    assert not lacking(found, client)


def test_so_has_an_asset_that_the_browser_has_already(client: TestClient) -> None:
    first = client.get("/assets/docs.html")
    found = client.get("/assets/docs.html", headers={"If-None-Match": first.headers["ETag"]})

    assert found.status_code == 304
    assert not lacking(found, client)


def test_so_has_a_body_that_is_too_large(client: TestClient) -> None:
    headers = {"Content-Type": "application/cloudevents+json", "Authorization": "Bearer x"}
    found = client.post("/v1/events", content=b" " * (BODY + 1), headers=headers)

    assert found.status_code == (413 if client.app.state.served.is_open else 401)  # type: ignore[attr-defined]
    assert not lacking(found, client)


def test_so_has_the_stream(accord: Accord) -> None:
    app = application(accord, is_open=True)
    with app.state.served.workers:
        found = streamed(app)
    assert found.status_code == 200
    assert found.headers["content-type"].startswith("text/event-stream")
    assert not lacking(found, TestClient(app))
