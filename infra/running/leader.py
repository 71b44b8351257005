"""Of several processes with the same role one acts, and the others stand by.

The leader has a lease: a row in Postgres that it renews every second. A leader that does not renew
it is replaced after `LEASE` seconds, whether its process was killed or paused, or its host is gone.

A lease alone cannot stop a paused leader that wakes: it does not know yet that it lost the lead. So
each leader has a term, a number that rises with each new leader. What a leader writes is checked
against its term where it is written (docs/decisions/0022-senders-are-fenced.md).
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from threading import Event, Thread
from time import monotonic
from types import TracebackType
from typing import Any, Final, Protocol, Self

import psycopg
from eventsourcing.persistence import OperationalError
from psycopg.rows import TupleRow
from psycopg.sql import SQL, Identifier

from infra.running.sessions import parameters

LEASE: Final = 5.0
"""Seconds after its last renewal at which another process may take a lease."""

RENEWED_EVERY: Final = 1.0
"""Seconds between two renewals."""

STANDBY: Final = 1.0
"""Seconds between two attempts of a standby process to become the leader."""

_CONNECT_SECONDS: Final = 5

# A lease that was renewed in the future is free, too: the server's clock was set back.
_TAKE = """
INSERT INTO views.leaders AS l (role, term, renewed) VALUES (%(role)s, 1, clock_timestamp())
ON CONFLICT (role) DO UPDATE SET term = l.term + 1, renewed = clock_timestamp()
WHERE l.renewed IS NULL OR l.renewed > clock_timestamp()
    OR l.renewed < clock_timestamp() - make_interval(secs => %(lease)s)
RETURNING term"""
_RENEW = """
UPDATE views.leaders SET renewed = clock_timestamp() WHERE role = %(role)s AND term = %(term)s"""
# The term rises, so that a renewal that is on its way does not take the lease back.
_RELEASE = """
UPDATE views.leaders SET renewed = NULL, term = term + 1
WHERE role = %(role)s AND term = %(term)s"""


class LeaseLost(OperationalError):
    """Another process leads, or may lead, because this one did not renew its lease in time."""


@dataclass(frozen=True, slots=True)
class Term:
    """One time as the leader of a role; a later leader has a higher number."""

    role: str
    number: int


class Duty(Protocol):
    """The work of a leader, in steps."""

    def take_over(self) -> None:
        """Reload all state: another process may have acted since this one did."""

    def step(self) -> int:
        """Do the work that is due; return how much was done."""

    def pause(self) -> float:
        """Return how many seconds to wait after nothing was due; a write ends the wait."""


class Leader:
    """Runs a duty while this process has the lease; otherwise waits for the lease."""

    def __init__(self, lease: "Lease", duty: Duty, stopping: Event) -> None:
        self._lease = lease
        self._duty = duty
        self._stopping = stopping

    def step(self) -> int:
        """Do one step, or wait; return how much was done.

        An error lets another process lead, because what this one has done is not certain then.
        """
        leading = self._lease.held
        if not leading and not self._lease.take():
            self._stopping.wait(STANDBY)
            return 0
        try:
            if not leading:
                self._duty.take_over()
            done = self._duty.step()
        except Exception:
            self._lease.close()
            raise
        if not done:
            self._lease.wait(self._duty.pause())
        return done


class Lease:
    """The lease of a role in Postgres, and the notifications of a channel.

    A thread renews it, so that a long step does not lose it.
    """

    def __init__(self, url: str, role: str, channel: str) -> None:
        self._url = url
        self._role = role
        self._channel = channel
        self._connection: psycopg.Connection[TupleRow] | None = None
        self._tenure: _Tenure | None = None

    @property
    def held(self) -> bool:
        """Whether no other process can have it, as far as this process knows."""
        return self._tenure is not None and self._tenure.lasts()

    @property
    def term(self) -> Term:
        """The term of this process. Raises `LeaseLost` if it does not lead."""
        if self._tenure is None or not self._tenure.lasts():
            raise LeaseLost(f"this process no longer leads the {self._role}")
        return self._tenure.term

    def take(self) -> bool:
        """Try to take the lease; return whether that worked. Raises `OperationalError`."""
        self._end_tenure()
        asked = monotonic()
        try:
            if self._connection is None:
                self._connection = _connect(self._url)
                self._connection.execute(SQL("LISTEN {}").format(Identifier(self._channel)))
            found = self._connection.execute(_TAKE, {"role": self._role, "lease": LEASE}).fetchone()
        except psycopg.Error as error:
            self.close()
            raise OperationalError(str(error)) from error
        if found is None:
            return False
        self._tenure = _Tenure(self._url, Term(self._role, found[0]), asked)
        self._tenure.start()
        return True

    def check(self) -> None:
        """Ask the database whether this process still leads. Raises `LeaseLost` if not."""
        term = self.term
        if not self._execute(lambda c: c.execute(_RENEW, _values(term)).rowcount):
            raise LeaseLost(f"another process leads the {self._role}")

    def wait(self, seconds: float) -> None:
        """Wait until something is written, at most so long.

        Raises `LeaseLost` if the lease was lost, and `OperationalError` without a database.
        """
        self._execute(lambda c: list(c.notifies(timeout=seconds, stop_after=1)))
        # A dead connection is silent, too.
        self._execute(lambda c: c.execute("SELECT"))
        if not self.held:
            self.close()
            raise LeaseLost(f"this process no longer leads the {self._role}")

    def _execute(self, work: Callable[[psycopg.Connection[TupleRow]], Any]) -> Any:  # noqa: ANN401 - of the work
        if self._connection is None:
            raise OperationalError("not connected")
        try:
            return work(self._connection)
        except psycopg.Error as error:
            self.close()
            raise OperationalError(str(error)) from error

    def close(self) -> None:
        """Let another process take the lease at once."""
        term = self._end_tenure()
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(psycopg.Error):
                if term:
                    connection.execute(_RELEASE, _values(term))
            connection.close()

    def _end_tenure(self) -> Term | None:
        tenure, self._tenure = self._tenure, None
        if tenure is None:
            return None
        tenure.end()
        return tenure.term

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class _Tenure:
    """A term that a thread keeps renewing until it ends."""

    def __init__(self, url: str, term: Term, since: float) -> None:
        self.term = term
        self._url = url
        # Counted from before the server was asked, so that it ends here before it does there.
        self._until = since + LEASE
        self._ended = Event()
        self._connection: psycopg.Connection[TupleRow] | None = None

    def start(self) -> None:
        Thread(target=self._renew, name=f"lease-{self.term.role}", daemon=True).start()

    def lasts(self) -> bool:
        return not self._ended.is_set() and monotonic() < self._until

    def end(self) -> None:
        self._ended.set()

    def _renew(self) -> None:
        while not self._ended.wait(RENEWED_EVERY):
            asked = monotonic()
            try:
                if self._connection is None:
                    self._connection = _connect(self._url)
                renewed = self._connection.execute(_RENEW, _values(self.term)).rowcount
            except psycopg.Error:
                # It is tried again; if that does not help, the lease ends by itself.
                self._disconnect()
                continue
            if not renewed:
                self.end()
            self._until = asked + LEASE
        self._disconnect()

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _connect(url: str) -> psycopg.Connection[TupleRow]:
    given = {"connect_timeout": _CONNECT_SECONDS} | parameters(url)
    return psycopg.connect(**given, autocommit=True)


def _values(term: Term) -> dict[str, object]:
    return {"role": term.role, "term": term.number}
