"""`GET /v1/alerts/stream`: the changes of alerts as server-sent events."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from time import monotonic
from typing import Annotated, Any, Final, NamedTuple

import orjson
from fastapi import APIRouter, Depends, Header, Query, Response
from fastapi.sse import EventSourceResponse, ServerSentEvent
from starlette.concurrency import run_in_threadpool

from domain.values import Slug
from infra.access.roles import Need
from infra.answers import changes
from infra.answers.changes import Batch, Heartbeat, Message, Since
from infra.answers.logs import AsOf, NotFound, sight_of, size_of
from infra.http import access, openapi
from infra.http.access import Caller, GuardedRoute, needs
from infra.http.dependencies import Served, ServedHere
from infra.http.problems import not_found
from infra.running.periodic_task import POLL
from infra.store.views import OtherFold
from projections.visibility import Viewer

RECONNECT: Final = 1000
"""Milliseconds after which a client that lost the stream asks for it again."""

HEARTBEAT: Final = 10.0
"""Seconds without a message after which a heartbeat is sent. Proxies close connections that are
idle for a minute; a client can take three missing heartbeats as a lost connection."""

STREAM: Final = "/v1/alerts/stream"

router = APIRouter(route_class=GuardedRoute, tags=["Alerts"])


class _Asked(NamedTuple):
    """What a client asks of a stream."""

    viewer: Viewer
    partnership: str | None


def _asked(
    served: ServedHere,
    who: Caller,
    partnership: Annotated[Slug | None, Query(description="Only of this partnership.")] = None,
) -> _Asked:
    """Return what is asked for. A problem is answered before the stream begins."""
    viewer = access.viewer(served, who, [partnership] if partnership else [], None)
    try:
        if partnership is not None:
            size_of(served.accord.history, partnership)
            sight_of(served.accord.history, partnership, AsOf(viewer=viewer), figures=False)
    except NotFound as error:
        raise not_found(error) from error
    return _Asked(viewer, partnership)


@router.head(STREAM, include_in_schema=False)
@needs(Need.FIGURES)
async def stream_head(
    asked: Annotated[_Asked, Depends(_asked)],  # noqa: ARG001 - a problem is answered as for GET
    since: Annotated[Since, Query()] = Since.STATE,  # noqa: ARG001 - as above
) -> Response:
    """Answer with the headers of the stream."""
    return Response(media_type="text/event-stream")


@router.get(
    STREAM,
    response_class=EventSourceResponse,
    responses={
        404: openapi.problem("There is no such partnership."),
        422: openapi.problem("A parameter is wrong."),
    },
    openapi_extra=openapi.STREAM,
)
@needs(Need.FIGURES)
async def stream_alerts(
    served: ServedHere,
    who: Caller,
    asked: Annotated[_Asked, Depends(_asked)],
    since: Annotated[
        Since,
        Query(
            description="Where the stream begins for a reader without `Last-Event-ID`: `now` sends "
            "only later changes, `state` the open alerts and then later changes, `begin` every "
            "change that was ever recorded."
        ),
    ] = Since.STATE,
    last_event_id: Annotated[
        str | None, Header(description="The id of the last event that the reader has seen.")
    ] = None,
) -> AsyncIterator[ServerSentEvent]:
    """Stream the changes of alerts, in the order in which they were recorded.

    Server-Sent Events. The event `alert` has an alert in its new state. `ready` says that the start
    is complete and that later changes follow. `heartbeat` is sent every ten seconds if nothing
    changes. Ids are opaque.

    The stream continues after `Last-Event-ID`, whatever `since` says. An id of another store, or
    of a change that this store does not have, is answered by the event `reset` with the reason;
    then the stream begins as `since` says, but never at `now`. Each change is sent at least once.
    """
    mark = " of a simulated store" if served.accord.simulated else ""
    yield ServerSentEvent(comment=f"alerts{mark}", retry=RECONNECT)
    batches = changes.feed(served.accord, since, last_event_id, asked.partnership, asked.viewer)
    sent_at = monotonic()
    with _woken(served) as woken:
        while not served.closing.begun:
            woken.clear()
            if not await run_in_threadpool(access.is_still_valid, served, who):
                return
            try:
                batch = await run_in_threadpool(next, batches)
            except OtherFold:
                # The views are being rebuilt. The client comes again after `RECONNECT`.
                return
            found = batch.messages
            if not found and monotonic() - sent_at >= HEARTBEAT:
                found = [await run_in_threadpool(_heartbeat, served, batch)]
            for each in found:
                yield _event(each, served.mark)
                sent_at = monotonic()
            if not batch.messages:
                # Changes by this process wake the stream; those by others are polled for.
                with suppress(TimeoutError):
                    async with asyncio.timeout(POLL):
                        await woken.wait()


def _heartbeat(served: Served, batch: Batch) -> Message:
    body = Heartbeat(unfolded=served.workers.lag())
    return Message("heartbeat", body.model_dump(), batch.after)


def _event(message: Message, mark: dict[str, Any]) -> ServerSentEvent:
    body = orjson.dumps(message.body | mark).decode()
    return ServerSentEvent(raw_data=body, event=message.event, id=message.id)


@contextmanager
def _woken(served: Served) -> Iterator[asyncio.Event]:
    """Yield an event that is set when there may be changes to send, and when the server closes."""
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
