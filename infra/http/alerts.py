"""`GET /v1/alerts/stream`: each change of an alert, as a stream of server-sent events."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from typing import Annotated, Any, Final

import orjson
from fastapi import APIRouter, Depends, Header, Query
from fastapi.sse import EventSourceResponse, ServerSentEvent
from starlette.concurrency import run_in_threadpool

from domain.values import Slug
from infra.answers import alerts
from infra.answers.alerts import Change
from infra.answers.logs import NotFound
from infra.http import openapi
from infra.http.dependencies import Served, ServedHere
from infra.http.problems import not_found
from infra.running.periodic_task import POLL

RECONNECT: Final = 1000
"""Milliseconds after which a client that lost the stream asks for it again."""

router = APIRouter(tags=["Alerts"])


def _last_seen(
    last_event_id: Annotated[
        str | None, Header(description="The id of the last change that the reader has seen.")
    ] = None,
) -> str | None:
    """Return the cursor after which the stream goes on; checked before the stream begins."""
    try:
        alerts.number_of(last_event_id)
    except NotFound as error:
        raise not_found(error) from error
    return last_event_id


@router.get(
    "/v1/alerts/stream",
    response_class=EventSourceResponse,
    responses={
        404: openapi.problem("`Last-Event-ID` is not an id of this stream."),
        422: openapi.problem("A parameter is wrong."),
    },
)
async def stream_alerts(
    served: ServedHere,
    last_seen: Annotated[str | None, Depends(_last_seen)],
    partnership: Annotated[Slug | None, Query(description="Only of this partnership.")] = None,
) -> AsyncIterator[ServerSentEvent]:
    """Stream each change of an alert, in the order in which they were recorded.

    Server-Sent Events: the event is the new state, the data is the alert, the id is an opaque
    cursor. The stream goes on after `Last-Event-ID`; without one it begins with the first change
    of all.
    """
    mark = " of a simulated store" if served.accord.simulated else ""
    yield ServerSentEvent(comment=f"alerts{mark}", retry=RECONNECT)
    with _woken(served) as woken:
        while not served.closing.begun:
            woken.clear()
            changed, last_seen = await run_in_threadpool(
                alerts.changes, served.accord, last_seen, partnership
            )
            for each in changed:
                yield _event(each, served.mark)
            if not changed:
                # Changes by this process wake the stream; those by others are polled for.
                with suppress(TimeoutError):
                    async with asyncio.timeout(POLL):
                        await woken.wait()


def _event(change: Change, mark: dict[str, Any]) -> ServerSentEvent:
    body = change.output.body
    return ServerSentEvent(
        raw_data=orjson.dumps(body | mark).decode(), event=body["state"], id=change.cursor
    )


@contextmanager
def _woken(served: Served) -> Iterator[asyncio.Event]:
    """Return an event that is set when there may be changes to send, and when the server closes."""
    loop = asyncio.get_running_loop()
    woken = asyncio.Event()

    def wake() -> None:
        # A last notification can come after the loop has closed.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(woken.set)

    ends = [served.accord.views.subscribe(wake), served.closing.subscribe(wake)]
    try:
        yield woken
    finally:
        for end in ends:
            end()
