"""Group commit: one writer thread, and messages that wait for it share a transaction."""

import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from infra.deciding.batch import Outcome
from infra.deciding.clock import ClockInDoubt
from infra.deciding.intake import Sent, raw_of
from infra.deciding.service import Service
from infra.store.errors import StoreFull

log = logging.getLogger(__name__)

T = TypeVar("T")

GATHERED = 1000
"""The most inputs decided in one transaction. A larger submission is not split."""

ROOM = 64 * 2**20
"""The most bytes of messages that wait for the writer; beyond that, senders get `Busy`."""


class Busy(Exception):
    """The writer's queue is full, or it is stopping. No part of the submission was decided."""


@dataclass(eq=False, slots=True)
class _Messages:
    """The messages of one submission, whose sender waits for the outcomes."""

    sent: Sequence[bytes | Sent]
    future: Future[list[Outcome]] = field(default_factory=Future)

    @property
    def size(self) -> int:
        return sum(len(raw_of(each)) for each in self.sent)


@dataclass(eq=False, slots=True)
class _Call(Generic[T]):
    """A function to be called in the writer's thread."""

    work: Callable[[], T]
    future: Future[T] = field(default_factory=Future)

    def do(self) -> None:
        """Call the function, and resolve the future with its result."""
        try:
            result = self.work()
        except Exception as error:  # noqa: BLE001 - the caller handles it
            self.future.set_exception(error)
        else:
            self.future.set_result(result)


class GroupCommit:
    """The one thread that uses a `Service`.

    While one transaction commits, messages gather for the next one. Many small senders together
    are nearly as fast as one large feed, and a single sender does not wait for others.
    """

    def __init__(self, service: Service, *, room: int = ROOM) -> None:
        self._service = service
        self._room = room
        self._waiting: deque[_Messages | _Call[Any]] = deque()
        self._waiting_bytes = 0
        self._changed = threading.Condition()
        self._stopping = False
        self.full: StoreFull | None = None
        """The error of the last events, if there was no space for them."""
        self._thread = threading.Thread(target=self._run, name="accord-writer", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Accept no more submissions, write the waiting ones, and end the thread."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        self._thread.join()

    @property
    def alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive()

    def submit(self, sent: Sequence[bytes | Sent]) -> Future[list[Outcome]]:
        """Decide messages, each a CloudEvent in structured JSON; the outcomes come in order.

        Raises `Busy` if too much waits already. If the store fails, the future raises its error;
        then nothing was recorded, and the same messages can be sent again.
        """
        messages = _Messages(sent)
        with self._changed:
            self._check_open()
            # A submission above the limit is accepted only if the queue is empty.
            if self._waiting_bytes and self._waiting_bytes + messages.size > self._room:
                raise Busy("Too many events wait to be recorded.")
            self._waiting_bytes += messages.size
            self._waiting.append(messages)
            self._changed.notify()
        return messages.future

    def call(self, work: Callable[[], T]) -> Future[T]:
        """Call a function in the writer's thread, after the submissions before it."""
        call = _Call(work)
        with self._changed:
            self._check_open()
            self._waiting.append(call)
            self._changed.notify()
        return call.future

    def _check_open(self) -> None:
        if self._stopping:
            raise Busy("Accord is stopping.")

    def _run(self) -> None:
        while group := self._next():
            # Skip submissions whose sender cancelled the future.
            group = [each for each in group if each.future.set_running_or_notify_cancel()]
            for call in group:
                if isinstance(call, _Call):
                    call.do()
            self._decide([each for each in group if isinstance(each, _Messages)])

    def _next(self) -> list[_Messages | _Call[Any]]:
        """Return the next call, or the messages of the next transaction; nothing at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._stopping)
            group: list[_Messages | _Call[Any]] = []
            count = 0
            while self._waiting:
                first = self._waiting[0]
                if isinstance(first, _Call):
                    return group or [self._waiting.popleft()]
                count += len(first.sent)
                if group and count > GATHERED:
                    break
                self._waiting_bytes -= first.size
                group.append(first)
                self._waiting.popleft()
            return group

    def _decide(self, group: list[_Messages]) -> None:
        if not group:
            return
        try:
            outcomes = iter(self._service.handle([one for each in group for one in each.sent]))
        except ClockInDoubt as doubt:
            # It concerns all of them, and the clock has logged it.
            for each in group:
                each.future.set_exception(doubt)
            return
        except StoreFull as full:
            # A part of them may have room, but senders could not tell which.
            log.error("events cannot be recorded: %s", full)  # noqa: TRY400 - this says all
            self.full = full
            for each in group:
                each.future.set_exception(full)
            return
        except Exception as error:
            if len(group) == 1:
                log.exception("recording failed")
                group[0].future.set_exception(error)
                return
            # One bad submission can fail the batch, so try each separately.
            for each in group:
                self._decide([each])
            return
        self.full = None
        for each in group:
            each.future.set_result([next(outcomes) for _ in each.sent])
