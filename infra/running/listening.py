"""A socket that listens for connections."""

import errno
import socket
from collections.abc import Iterator
from contextlib import contextmanager


class CannotListen(OSError):
    """An address that cannot be used for listening: what is wrong, and a hint."""


@contextmanager
def listening(host: str, port: int) -> Iterator[socket.socket]:
    """Return a listening socket, and close it at the end. Port 0 means any free port.

    Raises `CannotListen` if the port is in use, may not be used, or the host has no address here.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP
        )[0]
        # With its protocol named, asyncio sends small answers at once; without, each waits 40 ms.
        sock = socket.socket(family, kind, protocol)
    except OSError as error:
        raise _cannot(error, host, port) from error
    with sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind(address)
            sock.listen()
        except OSError as error:
            raise _cannot(error, host, port) from error
        yield sock


def _cannot(error: OSError, host: str, port: int) -> CannotListen:
    if error.errno == errno.EADDRINUSE:
        return CannotListen(
            f"Port {port} of {host} is in use by another process. "
            "Choose another with --port, or stop that process."
        )
    if error.errno == errno.EACCES:
        return CannotListen(
            f"This user may not listen on port {port}. Choose one above 1023 with --port."
        )
    return CannotListen(
        f"Cannot listen on {host}: {error.strerror or error}. Give an address of this machine."
    )
