"""The one writer of a process: what many senders submit meanwhile shares a transaction."""

import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from infra.deciding.batch import Outcome
from infra.deciding.service import Service

log = logging.getLogger(__name__)

T = TypeVar("T")

GATHERED = 1000
"""Inputs decided in one transaction; a single submission of more is not taken apart."""

ROOM = 64 * 2**20
"""Bytes of messages that may wait for the writer before senders are told to come again later."""


class Busy(Exception):
    """So much waits for the writer that no more is taken; nothing of it was decided."""


@dataclass(eq=False, slots=True)
class _Messages:
    """Messages of one submitter, who waits for their outcomes."""

    raws: Sequence[bytes]
    future: Future[list[Outcome]] = field(default_factory=Future)

    @property
    def size(self) -> int:
        return sum(map(len, self.raws))


@dataclass(eq=False, slots=True)
class _Call(Generic[T]):
    """Something else to be done in the writer's thread."""

    work: Callable[[], T]
    future: Future[T] = field(default_factory=Future)

    def do(self) -> None:
        """Do it, and hand what came of it to whoever waits."""
        try:
            result = self.work()
        except Exception as error:  # noqa: BLE001 - it is the waiting one's to handle
            self.future.set_exception(error)
        else:
            self.future.set_result(result)


class GroupCommit:
    """The one thread that uses a `Service`; what is submitted meanwhile shares a transaction.

    While one transaction is being made durable the next one gathers, so that many small senders
    together come near the speed of one large feed, and a lone one waits for nobody.
    """

    def __init__(self, service: Service, *, room: int = ROOM) -> None:
        self._service = service
        self._room = room
        self._waiting: deque[_Messages | _Call[Any]] = deque()
        self._waiting_bytes = 0
        self._changed = threading.Condition()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="accord-writer", daemon=True)

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def stop(self) -> None:
        """Write all that waits, take no more, and end."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        self._thread.join()

    @property
    def alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive()

    def submit(self, raws: Sequence[bytes]) -> Future[list[Outcome]]:
        """Have messages decided, each a CloudEvent in structured JSON; outcomes come in order.

        Raises `Busy` if too much waits already. The future raises what the store raised; then
        nothing was recorded and the same may be sent again.
        """
        messages = _Messages(raws)
        with self._changed:
            self._check_open()
            # One that is larger than the room is taken when nobody else waits.
            if self._waiting_bytes and self._waiting_bytes + messages.size > self._room:
                raise Busy("Too many events wait to be recorded.")
            self._waiting_bytes += messages.size
            self._waiting.append(messages)
            self._changed.notify()
        return messages.future

    def call(self, work: Callable[[], T]) -> Future[T]:
        """Have something else done in the writer's thread, in its turn."""
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
            # A submitter that went away meanwhile wants nothing decided.
            group = [each for each in group if each.future.set_running_or_notify_cancel()]
            for call in group:
                if isinstance(call, _Call):
                    call.do()
            self._decide([each for each in group if isinstance(each, _Messages)])

    def _next(self) -> list[_Messages | _Call[Any]]:
        """Give what is done next: one call, or messages for one transaction; at the end, none."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._stopping)
            group: list[_Messages | _Call[Any]] = []
            count = 0
            while self._waiting:
                first = self._waiting[0]
                if isinstance(first, _Call):
                    return group or [self._waiting.popleft()]
                count += len(first.raws)
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
            outcomes = iter(self._service.handle([raw for each in group for raw in each.raws]))
        except Exception as error:
            if len(group) == 1:
                log.exception("recording failed")
                group[0].future.set_exception(error)
                return
            # It may be the fault of one among them, and the others have nothing to do with it.
            for each in group:
                self._decide([each])
            return
        for each in group:
            each.future.set_result([next(outcomes) for _ in each.raws])
