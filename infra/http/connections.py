"""One connection of the server, with limits: a slow or silent client cannot keep others out."""

import socket
import sys
from asyncio import Semaphore, TimerHandle, Transport
from collections.abc import Mapping
from functools import partial
from http import HTTPStatus
from typing import Any, Final, Literal, NamedTuple

import h11
from starlette.types import Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import STATUS_PHRASES, H11Protocol

from infra.http.problems import AGAIN_SOON, MEDIA_TYPE, Problem, too_large
from infra.http.safety import NOT_KEPT, SAFETY
from infra.settings import HttpLimits

Awaited = Literal["headers", "body", "reading"]
"""What a connection waits for: the rest of a request's headers or of its body, or that its client
reads what was answered."""

TOO_LONG: Final = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE

LINGER: Final = 2.0
"""Seconds in which a client can read the answer to a request that it did not complete."""

_LATE: Final = {
    "headers": "The headers of the request did not arrive within {} seconds.",
    "body": "The body of the request did not arrive within {} seconds.",
}


AT_A_TIME: Final = 4
"""Requests that run at a time of those that were sent before the client had its last answer."""

UNSENT: Final = 2**16
"""Bytes of an answer that the kernel takes before they can be sent. A client that reads nothing
would else have megabytes computed for it."""


class _Wait(NamedTuple):
    """A wait for the client: what for, since when, and what ends it."""

    awaited: Awaited
    since: float
    timer: TimerHandle


class Connection(H11Protocol):
    """uvicorn's connection, which does not wait for its client without end.

    If there are too many, the one that has waited longest for its client is closed, or else one
    whose client sent requests without waiting for answers. If all of them have one whole request,
    further requests are answered 503.
    """

    def __init__(
        self,
        limits: HttpLimits,
        turns: Semaphore,
        **given: Any,  # noqa: ANN401 - uvicorn's own
    ) -> None:
        super().__init__(**given)
        self._limits = limits
        self._turns = turns
        self._pipelined_since: float | None = None
        """The time of the loop since which a pipelined request waits for its turn."""
        self._whole_app, self.app = self.app, self._in_turn
        self._wait: _Wait | None = None
        self._answered = False
        self._ended = False
        """Whether the client has ended its half of the connection."""
        self._checked: object = None
        """The request whose headers were checked last."""

    @property
    def can_be_closed(self) -> tuple[int, float] | None:
        """What orders the connections that can be closed; None for one with a single request."""
        if self._wait:
            return 0, self._wait.since
        return None if self._pipelined_since is None else (1, self._pipelined_since)

    # --- what uvicorn and asyncio call ---

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        """Begin to wait for a request, and make room if there are too many connections."""
        super().connection_made(transport)
        opened = transport.get_extra_info("socket")
        if hasattr(socket, "TCP_NOTSENT_LOWAT") and opened.family != socket.AF_UNIX:
            opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT)
        if len(self.connections) > self._limits.connections and not self._make_room():
            self.app = _overloaded
        self._follow()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        super().connection_lost(exc)
        self._end_wait()

    def data_received(self, data: bytes) -> None:
        """Read a part of a request."""
        if self._answered:
            return
        super().data_received(data)
        self._follow()

    def handle_events(self) -> None:
        """Begin what has arrived, unless the headers of a request say that it cannot be done."""
        super().handle_events()
        if self.cycle is None or self.cycle is self._checked or self._answered:  # type: ignore[redundant-expr]
            return
        self._checked = self.cycle
        if problem := _wrong_length(dict(self.headers), self._limits.body_bytes):
            self._answer(problem)

    def eof_received(self) -> bool | None:  # type: ignore[override]
        """Answer a client that has ended its half of the connection after a request."""
        if self._answered:
            return True
        if self.cycle is None or self.cycle.response_started:  # type: ignore[redundant-expr]
            return None
        if self.cycle.more_body:
            self._answer(Problem(400, "The connection ended before the body did."))
        else:
            self._ended = True
        return True

    def pause_writing(self) -> None:
        """Begin to wait until the client has read what was answered."""
        super().pause_writing()
        self._follow()

    def resume_writing(self) -> None:
        """End that wait."""
        super().resume_writing()
        self._follow()

    def on_response_complete(self) -> None:
        """Begin to wait for the next request."""
        super().on_response_complete()
        if self._ended and (self.cycle is None or self.cycle.response_complete):  # type: ignore[redundant-expr]
            self.transport.close()
        self._follow()

    def send_400_response(self, msg: str) -> None:
        """Answer a request that is no HTTP, or whose headers are too long."""
        error = sys.exc_info()[1]
        if isinstance(error, h11.RemoteProtocolError) and error.error_status_hint == TOO_LONG:
            size = self.config.h11_max_incomplete_event_size
            self._answer(Problem(TOO_LONG, f"The headers of a request have at most {size} bytes."))
        else:
            self._answer(Problem(400, msg, "Send a request of HTTP/1.1."))

    # --- pipelined requests ---

    async def _in_turn(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request; one that others follow already waits for its turn.

        A client can send thousands of requests without reading an answer. A few of such requests
        run at a time, one of each connection in turn, so that they delay nobody else.
        """
        if not self.conn.trailing_data[0]:
            await self._whole_app(scope, receive, send)
            return
        turn = _Turn(self._turns)
        cycle = self.cycle
        self._pipelined_since = self.loop.time()
        try:
            await self.flow.drain()
            await turn.begin()
        finally:
            self._pipelined_since = None
        try:
            if not cycle.disconnected:
                await self._whole_app(scope, receive, partial(self._send_in_turn, turn, send))
        finally:
            turn.end()

    async def _send_in_turn(self, turn: "_Turn", send: Send, message: Message) -> None:
        if message.get("more_body"):
            # An answer without end would keep its turn.
            turn.end()
        if self.flow.write_paused and turn.runs:
            turn.end()
            await self.flow.drain()
            await turn.begin()
        await send(message)

    # --- waiting ---

    def _make_room(self) -> bool:
        """Close the connection that has waited longest for its client; False if none can be."""
        closable = [
            (each.can_be_closed, id(each), each)
            for each in self.connections
            if isinstance(each, Connection) and each.can_be_closed is not None
        ]
        if not closable:
            return False
        min(closable)[2].transport.abort()
        return True

    def _follow(self) -> None:
        """Begin or end the wait for the client, as the state of the connection is now."""
        awaited = self._awaited()
        if awaited == (self._wait.awaited if self._wait else None):
            return
        self._end_wait()
        if awaited is not None:
            seconds = self._seconds(awaited)
            timer = self.loop.call_later(seconds, self._give_up, awaited)
            self._wait = _Wait(awaited, self.loop.time(), timer)

    def _awaited(self) -> Awaited | None:
        if self._answered or self.transport.is_closing():
            return None
        if self.flow.write_paused:
            return "reading"
        if self._pipelined_since is not None:
            return None
        if self.cycle is None or self.cycle.response_complete:  # type: ignore[redundant-expr]
            return "headers"
        return "body" if self.cycle.more_body else None

    def _seconds(self, awaited: Awaited) -> int:
        return self._limits.header_seconds if awaited == "headers" else self._limits.body_seconds

    def _end_wait(self) -> None:
        if self._wait is not None:
            self._wait.timer.cancel()
            self._wait = None

    def _give_up(self, awaited: Awaited) -> None:
        if awaited == "reading":
            self.transport.abort()
            return
        self._answer(Problem(408, _LATE[awaited].format(self._seconds(awaited))))

    def _answer(self, problem: Problem) -> None:
        """Answer without the application, and close the connection.

        It is closed only when the client has had time to read the answer: a client that is sending
        when the connection is closed may lose what it has received.
        """
        self._answered = True
        self._end_wait()
        # What the client still sends is read and dropped, so that it comes to read the answer.
        self.flow.resume_reading()
        if self.cycle is not None:
            # The application, if it runs, is not to ask for the body.
            self.cycle.waiting_for_100_continue = False
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        if self.conn.our_state in {h11.IDLE, h11.SEND_RESPONSE}:
            status, headers, body = _written(problem)
            reason = STATUS_PHRASES[status]
            for event in (
                h11.Response(status_code=status, headers=headers, reason=reason),
                h11.Data(data=body),
                h11.EndOfMessage(),
            ):
                self.transport.write(self.conn.send(event))
        self.transport.write_eof()
        self.loop.call_later(LINGER, self.transport.abort)


def _wrong_length(headers: Mapping[bytes, bytes], limit: int) -> Problem | None:
    """Return what is wrong with the length of a body as its headers give it, if anything is."""
    length = headers.get(b"content-length")
    if length is None:
        return None
    if b"transfer-encoding" in headers:
        # A proxy may read the other one, and take a part of the body for a request (RFC 9112, 6.1).
        return Problem(
            400,
            "The request has both Content-Length and Transfer-Encoding.",
            "Send one of the two headers.",
        )
    return too_large(limit) if int(length) > limit else None


def _written(problem: Problem) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    body = problem.document.model_dump_json(exclude_none=True).encode()
    headers = {
        **SAFETY,
        "cache-control": NOT_KEPT,
        "content-type": MEDIA_TYPE,
        "content-length": str(len(body)),
        "connection": "close",
        **(problem.headers or {}),
    }
    return (
        problem.status,
        [(name.encode(), value.encode()) for name, value in headers.items()],
        body,
    )


class _Turn:
    """One of the few pipelined requests that run."""

    def __init__(self, turns: Semaphore) -> None:
        self._turns = turns
        self.runs = False

    async def begin(self) -> None:
        """Wait for the turn."""
        await self._turns.acquire()
        self.runs = True

    def end(self) -> None:
        """Let the next one run. Does nothing after the end."""
        if self.runs:
            self.runs = False
            self._turns.release()


async def _overloaded(_: Scope, __: Receive, send: Send) -> None:
    status, headers, body = _written(
        Problem(
            503,
            "The server has too many connections.",
            "Send the request again later, and close connections that are not needed.",
            headers=AGAIN_SOON,
        )
    )
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
