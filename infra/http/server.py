"""The server of the application: its socket, its start, its end."""

import ipaddress
import signal
import socket
import sys
from asyncio import Protocol, Semaphore
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Final, cast

import uvicorn
from fastapi import FastAPI
from starlette.applications import Starlette

from infra.access.tokens import Tokens, read_issuers
from infra.deciding.clock import Clock, wall_clock
from infra.evidence import opening
from infra.exchange.sink import delivering
from infra.exchange.table import sinks
from infra.http.app import create_app
from infra.http.connections import AT_A_TIME, Connection
from infra.http.dependencies import Served
from infra.running.listening import listening
from infra.settings import HttpLimits, Settings, WrongSetting

PATIENCE: Final = 10
"""Seconds that running requests have to finish when the server stops."""

_LOOPBACK_NAMES: Final = ("localhost", "127.0.0.1", "[::1]", "::1")


def configured(app: Starlette, limits: HttpLimits = HttpLimits()) -> uvicorn.Config:  # noqa: B008 - frozen
    """Return the configuration of uvicorn for an application."""
    return uvicorn.Config(
        app,
        access_log=False,
        h11_max_incomplete_event_size=limits.header_bytes,
        http=cast("type[Protocol]", partial(Connection, limits, Semaphore(AT_A_TIME))),
        lifespan="off",
        log_config=None,
        log_level="warning",
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=PATIENCE,
        ws="none",
    )


class Server(uvicorn.Server):
    """uvicorn, which ends open streams when it stops."""

    def __init__(self, app: FastAPI, limits: HttpLimits = HttpLimits()) -> None:  # noqa: B008
        super().__init__(configured(app, limits))
        self._served: Served = app.state.served

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End open streams, accept no more connections, and wait for running requests."""
        self._served.closing.begin()
        await super().shutdown(sockets)


def serve(
    settings: Settings,
    host: str,
    port: int,
    clock: Clock = wall_clock,
    *,
    is_open: bool = False,
) -> None:
    """Serve an existing store until SIGINT or SIGTERM; accepted requests are finished first.

    Port 0 means any free one; a line on stderr has the address. Requests need an API key or a
    token, unless the server `is_open`. Raises `NoSuchStore` if there is no store, `CannotListen` if
    the address cannot be used, and `WrongSetting` as `check_open` and `read_issuers` do.
    """
    with listening(host, port) as sock, opening.opened(settings, clock) as accord:
        tokens = Tokens(read_issuers(settings.issuers))
        has_keys = accord.history.credentials.exist()
        # A bundle has no keys, and nobody acts on it.
        is_open = is_open or accord.is_bundle
        check_open(host, is_open=is_open, has_keys=has_keys, has_issuers=bool(tokens))
        workers = accord.workers()
        # Before threads run: FastAPI hides warnings while it builds schemas, and what hides them
        # is not safe for threads.
        app = create_app(
            accord, workers, names(host), settings.http, is_open=is_open, tokens=tokens
        )
        server = Server(app, settings.http)
        # With a broker, `accord run sinks` delivers.
        sending = delivering(accord.views, sinks(settings.sinks) if accord.folds_views else {})
        with workers, sending, signals_end(server):
            sys.stderr.write(_announcement(sock, simulated=accord.simulated, is_open=is_open))
            server.run([sock])


def names(host: str) -> Sequence[str]:
    """Return the host names to which a server that listens at `host` answers.

    A website can let its own name point to this machine, and its pages could then read answers
    meant for this machine only (DNS rebinding). So a server on loopback answers only to the names
    of loopback.
    """
    return (host, *_LOOPBACK_NAMES) if is_loopback(host) else ("*",)


def is_loopback(host: str) -> bool:
    """Return whether a server that listens at `host` can be reached from this machine alone."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def check_open(host: str, *, is_open: bool, has_keys: bool, has_issuers: bool = False) -> None:
    """Raise `WrongSetting` unless a store can be served so.

    A store with API keys is never open, whether they are still valid or not, and neither is a
    server with issuers of tokens. Otherwise it is served only to this machine, and only if it is
    open.
    """
    if is_open and has_issuers:
        raise WrongSetting(
            "ACCORD_ISSUERS names whose tokens are accepted, so this server is not open to anyone. "
            "Unset it, or leave --open out."
        )
    if is_open and has_keys:
        raise WrongSetting(
            "This store has API keys, so it is not served to anyone without one. Leave --open out."
        )
    if is_open and not is_loopback(host):
        raise WrongSetting(
            f"With --open anyone may act as any party, and {host} can be reached from other "
            "machines. Leave --host out, or make API keys (accord keys create) and leave --open "
            "out."
        )
    if not is_open and not has_keys and not has_issuers:
        raise WrongSetting(
            "This store has no API key, so nobody could use it. Make one with accord keys create, "
            "or serve this machine alone, without keys: accord up --open."
        )


def address(sock: socket.socket) -> str:
    """Return the URL of a listening socket."""
    host, port = sock.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _announcement(sock: socket.socket, *, simulated: bool, is_open: bool) -> str:
    where = address(sock)
    more = " This store is simulated: its feeds say when things were recorded." if simulated else ""
    if is_open:
        more += " It is open: whoever reaches it may act as any party, and read everything."
    return f"Accord listens at {where} (API: {where}/docs).{more}\n"


@contextmanager
def signals_end(server: uvicorn.Server) -> Iterator[None]:
    """Let SIGINT and SIGTERM stop this server, but not the process, even before it runs."""

    # uvicorn raises the signal again after it has stopped. By default that would end the process
    # before its resources are released.
    def end(*_: object) -> None:
        server.should_exit = True

    before = {each: signal.signal(each, end) for each in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
