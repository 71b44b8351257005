"""Programs in the background, each known by its pid file, so that a later command can end them."""

import fcntl
import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

LOOPBACK = "127.0.0.1"

# Below the ports that Linux and macOS give to outgoing connections: among those, a client that
# retries while the server is down can take the server's port, and even connect to itself.
_PORTS = range(20_000, 30_000)

_ENDS_WITHIN = 30
"""Seconds after which a program that was asked to end is killed."""

STARTS_WITHIN = 60
"""Seconds after which a server that does not answer is given up."""

_POLL = 0.05
"""Seconds between two looks at something that is awaited."""


class DidNotStart(Exception):
    """A program ended, or was silent for too long; the end of its log says why."""


def free_port() -> int:
    """Give a port of the loopback that nobody listens on at this moment."""
    while True:
        port = random.choice(_PORTS)  # noqa: S311 - a guess, not a secret
        if is_free(port):
            return port


def is_free(port: int) -> bool:
    """Whether a server could listen on this port of the loopback at this moment."""
    with socket.socket() as probe:
        # As servers do: connections of one that ended a moment ago are no hindrance.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
        return True


@dataclass(frozen=True)
class Account:
    """Under whom a program runs: only root has to say so."""

    user: int
    group: int


@dataclass(frozen=True)
class Process:
    """One program in the background: NAME.pid says which it is, and its log is kept.

    The program holds a lock on its pid file as long as it, or any child of it, lives. So a pid file
    that was left behind is never taken for a process that got the same number later.
    """

    name: str
    folder: Path
    log: Path
    guarded: bool = False
    """Whether it is killed when who started it is gone, even if that was killed itself."""

    @property
    def running(self) -> bool:
        """Whether the program, or any child that it left behind, is alive."""
        try:
            with self._pid_file.open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except FileNotFoundError:
            return False
        except BlockingIOError:
            return True
        return False

    @property
    def pid(self) -> int | None:
        """Its number while it is running."""
        if not self.running:
            return None
        return int(self._pid_file.read_text(encoding="ascii") or 0) or None

    def start(
        self,
        command: Sequence[str | Path],
        environment: dict[str, str],
        account: Account | None = None,
    ) -> None:
        """Start it in its folder. Raises `DidNotStart` if it is running already."""
        with self._pid_file.open("a+b") as pid, self.log.open("ab") as log:
            try:
                fcntl.flock(pid, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise DidNotStart(f"{self.name} is running already") from None
            process = subprocess.Popen(  # noqa: S603 - the commands are this package's own
                command,
                cwd=self.folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # Ctrl-C at the terminal is for who started it, who then ends it in order.
                start_new_session=True,
                pass_fds=[pid.fileno()],
                user=account.user if account else None,
                group=account.group if account else None,
                extra_groups=[] if account else None,
            )
            pid.truncate(0)
            pid.write(str(process.pid).encode("ascii"))
        _CHILDREN[process.pid] = [process, *([_guard(process.pid)] if self.guarded else [])]

    def wait_until(self, ready: Callable[[], bool], seconds: float) -> None:
        """Wait until it is ready. Raises `DidNotStart` if it ends before, or is too slow."""
        if not until(lambda: not self.running or ready(), seconds):
            raise DidNotStart(f"{self.name} was not ready after {seconds} s:\n{self.tail()}")
        if not self.running:
            raise DidNotStart(f"{self.name} ended while it was starting:\n{self.tail()}")

    def stop(self, signal_: signal.Signals = signal.SIGTERM) -> None:
        """Ask it to end, if it is running, and wait for that; kill it after a time."""
        self._send(signal_)
        if not until(lambda: not self.running, _ENDS_WITHIN):
            self.kill()
        self._reap()

    def kill(self) -> None:
        """Kill it, as a machine that fails would, and wait until its children are gone as well."""
        self._send(signal.SIGKILL)
        if not until(lambda: not self.running, _ENDS_WITHIN):
            raise TimeoutError(f"children of {self.name} outlive it; their log is {self.log}")
        self._reap()

    def tail(self, lines: int = 20) -> str:
        """Give the end of its log."""
        if not self.log.exists():
            return "(nothing was logged)"
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    @property
    def _pid_file(self) -> Path:
        return self.folder / f"{self.name}.pid"

    def _send(self, signal_: signal.Signals) -> None:
        if pid := self.pid:
            with suppress(ProcessLookupError):
                os.kill(pid, signal_)

    def _reap(self) -> None:
        pid = self._pid_file.read_text(encoding="ascii") if self._pid_file.exists() else ""
        for child in reversed(_CHILDREN.pop(int(pid or 0), [])):
            with child:
                child.kill()


# What this very process started has to be waited for, so that it leaves no zombie.
_CHILDREN: dict[int, list[subprocess.Popen[bytes]]] = {}


def _guard(pid: int) -> subprocess.Popen[bytes]:
    """Kill a process once this one is gone: then nobody holds the other end of the pipe."""
    return subprocess.Popen(  # noqa: S603 - a number is all that is put in
        ["/bin/sh", "-c", 'read -r _; kill -KILL "$0"', str(pid)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


@dataclass(frozen=True)
class _Ports:
    """The ports of a server, kept in a file so that its address outlives it."""

    file: Path
    count: int

    def get(self) -> list[int]:
        if not self.file.exists():
            self.choose()
        return [int(port) for port in self.file.read_text("ascii").split()]

    def choose(self) -> None:
        self.file.write_text(" ".join(str(free_port()) for _ in range(self.count)), "ascii")

    def are_free(self) -> bool:
        return all(map(is_free, self.get()))


class Server(ABC):
    """A server on the loopback whose data and address outlive `stop` and `kill`.

    Its folder is a temporary one, removed at the end of the context, unless one is given to keep.
    Only with a folder of its own does it outlive who started it.
    """

    def __init__(self, name: str, folder: Path | None, ports: int) -> None:
        self._temporary = folder is None
        self.folder = (folder or Path(tempfile.mkdtemp(prefix=f"accord-{name}-"))).absolute()
        self.folder.mkdir(parents=True, exist_ok=True)
        log = self.folder / f"{name}.log"
        self.process = Process(name, self.folder, log, guarded=self._temporary)
        self._ports = _Ports(self.folder / "ports", ports)
        self._started = False

    @property
    def address(self) -> str:
        """Where it listens: ``127.0.0.1:PORT``."""
        return f"{LOOPBACK}:{self._ports.get()[0]}"

    @abstractmethod
    def prepare(self) -> None:
        """Make what it keeps its data in, unless that is there."""

    @abstractmethod
    def launch(self) -> None:
        """Start its process, which may fail later."""

    @abstractmethod
    def answers(self) -> bool:
        """Whether it answers, and not somebody else who got the port first."""

    def start(self) -> None:
        """Start it and wait until it answers.

        Ports that somebody else has taken are given up for others, but only before it was started
        once: later, its clients know the address. Raises `DidNotStart`.
        """
        if self.process.running:
            raise DidNotStart(f"{self.process.name} is running already in {self.folder}")
        self.prepare()
        for last in (False, False, False, True):
            if not self._started and not self._ports.are_free():
                self._ports.choose()
            try:
                self._start()
            except DidNotStart:
                if self._started or last or self._ports.are_free():
                    raise
            else:
                return

    def _start(self) -> None:
        self.launch()
        try:
            self.process.wait_until(self.answers, STARTS_WITHIN)
        except DidNotStart:
            self.kill()
            raise
        self._started = True

    def stop(self) -> None:
        """Stop it in order."""
        self.process.stop()

    def kill(self) -> None:
        """Kill it, as a machine that fails would."""
        self.process.kill()

    def restart(self) -> None:
        """Stop it in order and start it on the same data and address."""
        self.stop()
        self.start()

    def remove(self) -> None:
        """Remove what a stopped server leaves, unless its folder was given to keep."""
        if self._temporary:
            shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.remove()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
        self.remove()


def until(done: Callable[[], bool], seconds: float) -> bool:
    """Wait until something is done, at most so long; whether it was."""
    limit = time.monotonic() + seconds
    while not done():
        if time.monotonic() > limit:
            return False
        time.sleep(_POLL)
    return True
