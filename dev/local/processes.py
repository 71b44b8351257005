"""Background programs, each with a pid file by which a later command can stop it."""

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

# Below the ports that Linux and macOS use for outgoing connections. Among those, a client that
# retries while the server is down can get the server's port and connect to itself.
_PORTS = range(20_000, 30_000)

_ENDS_WITHIN = 30
"""Seconds after which a program that was told to stop is killed."""

STARTS_WITHIN = 60
"""Seconds that a server has to answer."""

_POLL = 0.05
"""Seconds between two checks while waiting."""


class DidNotStart(Exception):
    """A program ended or did not answer in time; the end of its log says why."""


def free_port() -> int:
    """Return a port of the loopback that is free at this moment."""
    while True:
        port = random.choice(_PORTS)  # noqa: S311 - a guess, not a secret
        if is_free(port):
            return port


def is_free(port: int) -> bool:
    """Whether a server can listen on this port of the loopback at this moment."""
    with socket.socket() as probe:
        # As servers do, so that old connections of a stopped server do not block the port.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
        return True


@dataclass(frozen=True)
class Account:
    """The user of a program; only root chooses another."""

    user: int
    group: int


@dataclass(frozen=True)
class Process:
    """One background program with its pid file NAME.pid and its log.

    The program, or any child of it, has a lock on the pid file as long as it lives. So an old pid
    file is never mistaken for a later process with the same number.
    """

    name: str
    folder: Path
    log: Path
    guarded: bool = False
    """Whether it is killed when the process that started it ends, even if that was killed."""

    @property
    def running(self) -> bool:
        """Whether the program, or any child of it, is alive."""
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
        """Its process id while it is running."""
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
                # Ctrl-C at the terminal goes to the process that started it, which then stops it.
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
        """Stop it if it is running, and wait until it has ended; kill it after a time."""
        self._send(signal_)
        if not until(lambda: not self.running, _ENDS_WITHIN):
            self.kill()
        self._reap()

    def kill(self) -> None:
        """Kill it, as a failing machine would, and wait until its children have ended, too."""
        self._send(signal.SIGKILL)
        if not until(lambda: not self.running, _ENDS_WITHIN):
            raise TimeoutError(f"children of {self.name} outlive it; their log is {self.log}")
        self._reap()

    def tail(self, lines: int = 20) -> str:
        """Return the end of its log."""
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


# This process must wait for its children, so that they leave no zombies.
_CHILDREN: dict[int, list[subprocess.Popen[bytes]]] = {}


def _guard(pid: int) -> subprocess.Popen[bytes]:
    """Kill a process when this one ends, which closes the other end of the pipe."""
    return subprocess.Popen(  # noqa: S603 - a number is all that is put in
        ["/bin/sh", "-c", 'read -r _; kill -KILL "$0"', str(pid)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


@dataclass(frozen=True)
class _Ports:
    """The ports of a server, kept in a file so that a restart has the same address."""

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
    """A server on the loopback; its data and address stay the same after `stop` and `kill`.

    Without a folder it uses a temporary one, removed at the end of the context, and ends with the
    process that started it.
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
        """Its address: ``127.0.0.1:PORT``."""
        return f"{LOOPBACK}:{self._ports.get()[0]}"

    @abstractmethod
    def prepare(self) -> None:
        """Make its data folder; does nothing if it exists."""

    @abstractmethod
    def launch(self) -> None:
        """Start its process, which may fail later."""

    @abstractmethod
    def answers(self) -> bool:
        """Whether this server answers, and not another one that got the port first."""

    def start(self) -> None:
        """Start it and wait until it answers.

        If its ports are in use, the first start chooses others; later its clients know the address.
        Raises `DidNotStart`.
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
        """Stop it cleanly."""
        self.process.stop()

    def kill(self) -> None:
        """Kill it, as a failing machine would."""
        self.process.kill()

    def restart(self) -> None:
        """Stop it cleanly and start it with the same data and address."""
        self.stop()
        self.start()

    def remove(self) -> None:
        """Remove the temporary folder of a stopped server."""
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
    """Wait until something is done, at most so many seconds; return whether it is."""
    limit = time.monotonic() + seconds
    while not done():
        if time.monotonic() > limit:
            return False
        time.sleep(_POLL)
    return True
