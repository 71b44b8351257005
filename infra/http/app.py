"""The application: its routes, its document, and the headers of every answer."""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final, Literal

from fastapi import APIRouter, Depends, FastAPI, Response
from fastapi.responses import FileResponse, PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Gauge, generate_latest
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.routing import BaseRoute
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from domain.wording import shown
from infra.access.roles import Need
from infra.access.tokens import Tokens
from infra.answers.question import Result
from infra.answers.table import QUESTIONS
from infra.bootstrap import Accord
from infra.http import (
    alerts,
    api_keys,
    events,
    handle_alerts,
    log,
    pages,
    problem_pages,
    questions,
    refusals,
)
from infra.http.access import GuardedRoute, needs, needs_of
from infra.http.dependencies import Served, ServedHere, json
from infra.http.openapi import DescribedApp, problem
from infra.http.pages.site import no_page
from infra.http.problems import Problem, handle_problems, response
from infra.http.safety import CHECKED, NOT_KEPT, SAFETY
from infra.http.strict import AbsoluteForm, HeadAsGet, known_parameters
from infra.running.worker import (
    CLOCK,
    CLOCK_HELP,
    NAMED,
    QUARANTINED,
    QUARANTINED_HELP,
    WAITING,
    WAITING_HELP,
)
from infra.settings import RELEASE, HttpLimits
from infra.workers import Workers

ASSETS = Path(__file__).parent / "assets"

IS_SIMULATED: Final = {"Accord-Simulated": "true"}
"""The header of every answer of a simulated store."""

IS_OPEN: Final = {"Accord-Open": "true"}
"""The header of every answer of an open server."""

_ABOUT = "Business partnerships as a verifiable history of events."
_SIMULATED = " **This store is simulated:** its feeds say when things were recorded."
_OPEN = (
    " **This server is open:** whoever reaches it may act as any party, and read everything. It "
    "asks for no API key."
)


_OF_ROUTES: Final[dict[str, Any]] = {
    "generate_unique_id_function": lambda route: route.name,
    "dependencies": [Depends(known_parameters)],
}
"""What all routes share."""


class Health(Result):
    """That the process is alive."""

    status: Literal["alive"] = "alive"
    """Always `alive`."""
    release: str
    """The release of Accord that runs."""


class Readiness(Result):
    """That the process can serve."""

    status: Literal["ready", "degraded"] = "ready"
    """`degraded` if the views of some partnerships are stale; all others are served as usual."""
    quarantined: tuple[str, ...] = ()
    """The partnerships whose events cannot be folded: at most the first 100 by name. Only an open
    server names them here."""
    quarantined_count: int = 0
    """How many partnerships that are."""


def create_app(  # noqa: PLR0913 - what is served, to whom, and within which limits
    accord: Accord,
    workers: Workers,
    hosts: Sequence[str] = ("*",),
    limits: HttpLimits = HttpLimits(),  # noqa: B008 - frozen
    *,
    is_open: bool = False,
    tokens: Tokens = Tokens(),  # noqa: B008 - without issuers it has no state
) -> FastAPI:
    """Return the application of one store; it answers only requests to these `hosts`.

    `workers` must run as long as the application does. Unless it `is_open`, each request needs an
    API key of the store or one of the `tokens`. Raises `TypeError` if a route does not say what it
    needs.
    """
    marks = (_SIMULATED if accord.simulated else "") + (_OPEN if is_open else "")
    app = DescribedApp(
        title="Accord",
        version="1",
        description=_ABOUT + marks,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        # Behind a proxy a redirection would lead to the name by which the proxy knows this server.
        redirect_slashes=False,
        **_OF_ROUTES,
    )
    app.router.route_class = GuardedRoute
    app.state.served = Served(accord, workers, limits, is_open, tokens=tokens)
    handle_problems(app, no_page)
    app.add_middleware(_KnownHosts, hosts=hosts, simulated=accord.simulated)
    headers = SAFETY | (IS_SIMULATED if accord.simulated else {})
    app.around = [
        AbsoluteForm,
        partial(HeadAsGet, but={alerts.STREAM}),
        *([partial(_WhileOpen, has_keys=accord.history.credentials.exist)] if is_open else []),
        partial(_WithHeaders, headers=headers),
    ]
    app.router.routes += _routes()
    _add_health(app)
    _add_docs(app)
    needed = needs_of(app)
    app.needs = {} if is_open else needed
    return app


@cache
def _routes() -> list[BaseRoute]:
    """Return the routes of the API and of the pages.

    FastAPI reads their parameters once, however many applications a process makes.
    """
    made = APIRouter(**_OF_ROUTES)
    for each in (
        events.router,
        refusals.router,
        alerts.router,
        handle_alerts.router,
        log.router,
        api_keys.router,
        problem_pages.router,
        questions.router(QUESTIONS),
        pages.router(),
    ):
        made.include_router(each)
    return made.routes


def _add_health(app: FastAPI) -> None:
    @app.get("/healthz", tags=["Run"], response_model=Health)
    @needs(Need.NOTHING)
    async def healthz(served: ServedHere) -> Response:
        """Answer 200 while the process is alive."""
        return json(Health(simulated=served.accord.simulated, release=RELEASE))

    @app.get(
        "/readyz",
        tags=["Run"],
        response_model=Readiness,
        responses={503: problem("What keeps it from serving is in `reasons`.")},
    )
    @needs(Need.NOTHING)
    def readyz(served: ServedHere) -> Response:
        """Answer 200 while events can be recorded and the views are up to date.

        If only some partnerships are quarantined, the status is `degraded`. An open server names
        them; of any other, the operator finds their names among the alerts.
        """
        reasons = served.workers.unready_reasons()
        if reasons:
            doubted = served.workers.clock and served.workers.clock.doubt
            hint = (
                doubted.hint if doubted else "Wait and ask again; the server's log has the causes."
            )
            raise Problem(503, f"{'; '.join(reasons)}.", hint, reasons=reasons)
        quarantined = served.workers.quarantined()
        return json(
            Readiness(
                simulated=served.accord.simulated,
                status="degraded" if quarantined else "ready",
                quarantined=tuple(quarantined[:NAMED]) if served.is_open else (),
                quarantined_count=len(quarantined),
            )
        )

    @app.get("/metrics", tags=["Run"], response_class=PlainTextResponse)
    @needs(Need.PROCESS)
    def process_metrics(served: ServedHere) -> Response:
        """Return the metrics of this process for Prometheus."""
        return Response(_metrics(served), media_type=CONTENT_TYPE_LATEST)


def _metrics(served: Served) -> bytes:
    workers, registry = served.workers, CollectorRegistry()
    lag = Gauge("accord_lag_events", "Events that are not folded yet.", registry=registry)
    lag.set(workers.lag())
    quarantined = Gauge(QUARANTINED, QUARANTINED_HELP, registry=registry)
    quarantined.set(len(workers.quarantined()))
    waiting = Gauge(WAITING, WAITING_HELP, registry=registry)
    waiting.set(served.accord.history.waiting_of())
    if workers.clock:
        Gauge(CLOCK, CLOCK_HELP, registry=registry).set(workers.clock.doubt is not None)
    return generate_latest(registry)


def _add_docs(app: DescribedApp) -> None:
    app.mount("/assets", StaticFiles(directory=ASSETS))

    # In a thread, because the document is long in the making.
    @app.get("/openapi.json", include_in_schema=False)
    @needs(Need.NOTHING)
    def openapi() -> Response:
        return Response(app.document(), media_type="application/json")

    @app.get("/docs", include_in_schema=False)
    @needs(Need.NOTHING)
    async def docs() -> Response:
        return FileResponse(ASSETS / "docs.html")


class _KnownHosts:
    """Answers only requests to the hosts that it knows; `*` is any."""

    def __init__(self, app: ASGIApp, hosts: Sequence[str], *, simulated: bool) -> None:
        self._app = app
        self._hosts = hosts
        self._simulated = simulated

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        app = self._app
        if scope["type"] == "http" and "*" not in self._hosts:
            host = Headers(scope=scope).get("host", "").lower()
            name = re.sub(r":[0-9]*$", "", host)
            if name not in self._hosts:
                app = response(_other_host(name, self._hosts), simulated=self._simulated)
        await app(scope, receive, send)


def _other_host(name: str, hosts: Sequence[str]) -> Problem:
    return Problem(
        400,
        f"This server does not answer to the host {shown(name)}.",
        f"Use one of these as the host: {', '.join(dict.fromkeys(hosts))}.",
    )


class _WithHeaders:
    """Sets headers on every answer, and on one that depends on who asks, that no cache shares it.

    A route says how long its own reader may keep an answer, with `Cache-Control`. Unless it does,
    nothing keeps it, nor anything that went wrong.
    """

    def __init__(self, app: ASGIApp, headers: Mapping[str, str]) -> None:
        self._app = app
        self._headers = headers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(self._headers)
                if message["status"] < HTTPStatus.BAD_REQUEST and _is_public(scope):
                    headers.setdefault("Cache-Control", CHECKED)
                else:
                    kept = headers.get("Cache-Control")
                    headers["Cache-Control"] = f"private, {kept}" if kept else NOT_KEPT
                    headers.add_vary_header("Authorization, Cookie")
            await send(message)

        await self._app(scope, receive, send_with_headers)


def _is_public(scope: Scope) -> bool:
    """Whether a request is for what is the same for everyone."""
    route = scope.get("route")
    is_open_to_all = isinstance(route, GuardedRoute) and route.need is Need.NOTHING
    return is_open_to_all or scope["path"].startswith("/assets/")


class _WhileOpen:
    """Says on every answer that the server is open, until the first key closes it."""

    def __init__(self, app: ASGIApp, has_keys: Callable[[], bool]) -> None:
        self._app = app
        self._has_keys = has_keys

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_header(message: Message) -> None:
            is_start = message["type"] == "http.response.start"
            if is_start and not await run_in_threadpool(self._has_keys):
                MutableHeaders(scope=message).update(IS_OPEN)
            await send(message)

        await self._app(scope, receive, send_with_header)
