"""Of several processes with the same role one acts, and the others stand by."""

from contextlib import suppress
from threading import Event
from types import TracebackType
from typing import Final, Protocol, Self
from zlib import crc32

import psycopg
from eventsourcing.persistence import OperationalError
from psycopg.rows import TupleRow
from psycopg.sql import SQL, Identifier

ADVISORY: Final = 0xACC0
"""The first half of the keys of Accord's advisory locks in Postgres."""

STANDBY: Final = 1.0
"""Seconds between two attempts of a process that stands by to become the leader."""


class Lock(Protocol):
    """A lock for one process at a time, with notifications of writes."""

    held: bool
    """Whether this process has it."""

    def take(self) -> bool:
        """Try to take it; return whether that worked."""

    def wait(self, seconds: float) -> None:
        """Wait until something is written, at most so long. Raises if the lock was lost."""

    def close(self) -> None:
        """Let another process take it."""


class Duty(Protocol):
    """The work of a leader, in steps."""

    def take_over(self) -> None:
        """Reload all state: another process may have acted since this one did."""

    def step(self) -> int:
        """Do the work that is due; return how much was done."""

    def pause(self) -> float:
        """Return how many seconds to wait when there was nothing, unless something is written."""


class Leader:
    """Runs a duty while this process has the lock; otherwise waits for the lock."""

    def __init__(self, lock: Lock, duty: Duty, stopping: Event) -> None:
        self._lock = lock
        self._duty = duty
        self._stopping = stopping

    def step(self) -> int:
        """Do one step, or wait; return how much was done.

        An error lets another process lead, because what this one has done is not certain then.
        """
        leading = self._lock.held
        if not leading and not self._lock.take():
            self._stopping.wait(STANDBY)
            return 0
        try:
            if not leading:
                self._duty.take_over()
            done = self._duty.step()
        except Exception:
            self._lock.close()
            raise
        if not done:
            self._lock.wait(self._duty.pause())
        return done


class LeaderLock:
    """A lock in Postgres, under a name, and the notifications of a channel.

    The advisory lock and LISTEN share one connection, so a process that loses the connection knows
    that it lost the lock: each wait raises `OperationalError` then.
    """

    def __init__(self, url: str, name: str, channel: str) -> None:
        self._url = url
        self._key = crc32(name.encode()) & 0x7FFFFFFF
        self._channel = channel
        self._connection: psycopg.Connection[TupleRow] | None = None
        self.held = False

    def take(self) -> bool:
        """Try to take the lock; return whether that worked. Raises `OperationalError`."""
        try:
            if self._connection is None:
                self._connection = psycopg.connect(self._url, autocommit=True)
                self._connection.execute(SQL("LISTEN {}").format(Identifier(self._channel)))
            found = self._connection.execute(
                "SELECT pg_try_advisory_lock(%s, %s)", (ADVISORY, self._key)
            ).fetchone()
        except psycopg.OperationalError as error:
            self.close()
            raise OperationalError(str(error)) from error
        self.held = found == (True,)
        return self.held

    def wait(self, seconds: float) -> None:
        """Wait for a notification, at most so long. Raises `OperationalError`."""
        if self._connection is None:
            raise OperationalError("not connected")
        try:
            for _ in self._connection.notifies(timeout=seconds, stop_after=1):
                pass
            # A dead connection is silent, too.
            self._connection.execute("SELECT")
        except psycopg.OperationalError as error:
            self.close()
            raise OperationalError(str(error)) from error

    def close(self) -> None:
        """Let another process take the lock."""
        self.held = False
        if self._connection is not None:
            with suppress(psycopg.Error):
                # The server notices a closed connection a little later, and others are waiting.
                self._connection.execute("SELECT pg_advisory_unlock_all()")
            self._connection.close()
            self._connection = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
