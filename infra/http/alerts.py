"""Alerts out: how they stand, and each change of them as it is said."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from typing import Annotated, Any, Final, Literal

import orjson
from fastapi import APIRouter, Header, Query, Response
from fastapi.sse import EventSourceResponse, ServerSentEvent
from starlette.concurrency import run_in_threadpool

from domain.values import Instant, Slug
from infra import answers
from infra.http import openapi
from infra.http.problems import Problem
from infra.http.served import Served, ServedHere
from infra.running.repeated import POLL
from infra.store.records import Output

JSON: Final = "application/json"

RECONNECT: Final = 1000
"""Milliseconds after which a client that lost the stream asks for it again."""

router = APIRouter(tags=["Alerts"])


@router.get(
    "/v1/alerts",
    responses={
        200: {
            "description": "The alerts, by partnership; an array of objects.",
            "content": {
                "application/json": {
                    "schema": {"type": "array", "items": {"$ref": "#/components/schemas/Alert"}}
                }
            },
        },
        404: openapi.problem("There is no such partnership."),
        422: openapi.problem("A parameter is wrong."),
    },
)
def list_alerts(
    served: ServedHere,
    partnership: Slug | None = None,
    state: Literal["open", "resolved", "withdrawn"] | None = None,
    at: Instant | None = None,
    known: Instant | None = None,
) -> Response:
    """List alerts as they stand now: of one partnership or of all, in one state or in any.

    Or as they stood: `at` takes what had happened by a moment, `known` what had been recorded by
    one. Both are RFC 3339 with a zone, and may be given together.
    """
    try:
        rows = list(answers.alerts(served.accord, partnership, state, answers.AsOf(at, known)))
    except answers.NotFound as error:
        raise Problem(404, error.detail, error.hint) from error
    return Response(orjson.dumps([row | served.mark for row in rows]), media_type=JSON)


# --- the stream ----------------------------------------------------------------------------------


@router.get(
    "/v1/alerts/stream",
    response_class=EventSourceResponse,
    responses={422: openapi.problem("A parameter is wrong.")},
)
async def stream_alerts(
    served: ServedHere,
    partnership: Annotated[Slug | None, Query(description="Of this partnership.")] = None,
    last_event_id: Annotated[
        int, Header(ge=0, description="The number of the last change that was seen.")
    ] = 0,
) -> AsyncIterator[ServerSentEvent]:
    """Stream each change of an alert, in the order in which they were said (Server-Sent Events).

    The event is the new state, its data the alert, its id a number. The stream goes on after
    `Last-Event-ID`; without one it begins with the first change of all, so nothing is missed.
    """
    told = " of a simulated store" if served.accord.simulated else ""
    yield ServerSentEvent(comment=f"alerts{told}", retry=RECONNECT)
    with _woken(served) as woken:
        while not served.closing.begun:
            woken.clear()
            outputs = await run_in_threadpool(
                served.accord.views.outputs, last_event_id, partnership=partnership
            )
            for output in outputs:
                last_event_id = output.number
                if output.kind == "alert":
                    yield _event(output, served.mark)
            if not outputs:
                # What this process says wakes us at once; other processes' words are looked for.
                with suppress(TimeoutError):
                    async with asyncio.timeout(POLL):
                        await woken.wait()


def _event(output: Output, mark: dict[str, Any]) -> ServerSentEvent:
    return ServerSentEvent(
        raw_data=orjson.dumps(output.body | mark).decode(),
        event=output.body["state"],
        id=str(output.number),
    )


@contextmanager
def _woken(served: Served) -> Iterator[asyncio.Event]:
    """Give what is set when there may be something to stream, and when the server closes."""
    loop = asyncio.get_running_loop()
    woken = asyncio.Event()

    def wake() -> None:
        # The views may ring once more while the loop is already gone.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(woken.set)

    ends = [served.accord.views.subscribe(wake), served.closing.subscribe(wake)]
    try:
        yield woken
    finally:
        for end in ends:
            end()
