"""The server around the application: where it listens, and how it ends."""

import ipaddress
import signal
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Final

import uvicorn
from fastapi import FastAPI
from starlette.applications import Starlette

from infra.bootstrap import bootstrap
from infra.deciding.service import wall_clock
from infra.exchange.sink import delivering
from infra.exchange.table import sinks
from infra.http.app import create_app
from infra.http.served import Served
from infra.running.listening import listening
from infra.settings import Settings

DEFAULT_HOST: Final = "127.0.0.1"
DEFAULT_PORT: Final = 8000

PATIENCE: Final = 10
"""Seconds that a request in hand has to end once the server is told to."""

_LOOPBACK_NAMES: Final = ("localhost", "127.0.0.1", "[::1]", "::1")


def configured(app: Starlette) -> uvicorn.Config:
    """Give how uvicorn runs an application here."""
    return uvicorn.Config(
        app,
        access_log=False,
        lifespan="off",
        log_config=None,
        log_level="warning",
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=PATIENCE,
        ws="none",
    )


class Server(uvicorn.Server):
    """uvicorn, with an end that open streams hear of."""

    def __init__(self, app: FastAPI) -> None:
        super().__init__(configured(app))
        self._served: Served = app.state.served

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Let streams end, take no more connections, and wait for requests in hand."""
        self._served.closing.begin()
        await super().shutdown(sockets)


def serve(
    settings: Settings,
    host: str = DEFAULT_HOST,
    port: int = DEFAULT_PORT,
    clock: Callable[[], datetime] = wall_clock,
) -> None:
    """Serve an existing store until SIGINT or SIGTERM; all that was taken is recorded then.

    Port 0 is any free one; a line on stderr says which. Raises `NoSuchStore` if there is no
    store, `CannotListen` if the address cannot be used.
    """
    with (
        listening(host, port) as sock,
        bootstrap(settings, clock) as accord,
        accord.workers() as workers,
        # With a broker, `accord run sinks` delivers.
        delivering(accord.views, sinks(settings.sinks) if accord.folds_views else {}),
    ):
        server = Server(create_app(accord, workers, names(host)))
        sys.stderr.write(_announcement(sock, simulated=accord.simulated))
        with signals_only_end_the_server():
            server.run([sock])


def names(host: str) -> Sequence[str]:
    """Give the names under which a server that listens at `host` may be asked.

    A page of another site can have its own name point here, and would then read as one of ours
    what only this machine may ask; so a server on loopback answers to loopback's names alone.
    """
    try:
        loopback = ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = host == "localhost"
    return (host, *_LOOPBACK_NAMES) if loopback else ("*",)


def address(sock: socket.socket) -> str:
    """Give where a socket listens, as it is written in a browser."""
    host, port = sock.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _announcement(sock: socket.socket, *, simulated: bool) -> str:
    where = address(sock)
    told = " This store is simulated: its time is told by its feeds." if simulated else ""
    return f"Accord listens at {where} (API: {where}/docs).{told}\n"


@contextmanager
def signals_only_end_the_server() -> Iterator[None]:
    """Have SIGINT and SIGTERM end a server that runs in this, and nothing besides."""
    # uvicorn raises a signal again once it has ended, and by default that would end the process
    # before what it holds is given back.
    before = {
        each: signal.signal(each, lambda *_: None) for each in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
