"""What lives beside an open store: one writer, a follower that folds, a clock that lets time pass.

All three are threads of one process. Other processes may write to the same store meanwhile; the
follower sees their events within a second, and the writer's races with them are decided afresh.
"""

import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as TookTooLong
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from time import monotonic
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

from domain.values import instant
from infra.audit.notary import INTERVAL, Notary
from infra.runner import TAIL, Runner
from infra.service import Outcome, Service
from infra.store.records import History, Views
from projections import DEADLINES

log = logging.getLogger(__name__)

T = TypeVar("T")

GATHERED = 1000
"""Inputs decided in one transaction; a single submission of more is not taken apart."""

ROOM = 64 * 2**20
"""Bytes of messages that may wait for the writer before senders are told to come again later."""

POLL = 1.0
"""Seconds between two looks for what another process wrote, and for deadlines that passed."""

LONGEST_PAUSE = 30.0
"""Seconds between two attempts, at most, after one failed; the first pause is a `POLL`."""

READY_LAG = 10_000
"""Events that may be unfolded while readers are still served: about a second's folding."""

PROBE = 2.0
"""Seconds in which a writer that works answers, however busy it is."""


class Busy(Exception):
    """So much waits for the writer that no more is taken; nothing of it was decided."""


# --- writing -----------------------------------------------------------------------------------


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


# --- what is done over and over ------------------------------------------------------------------


class _Repeated:
    """A thread that does one thing when woken and at every `POLL`, and outlives its errors."""

    def __init__(self, name: str, work: Callable[[], object]) -> None:
        self.failing: str | None = None
        """What went wrong the last time, or None if it went well."""
        self._work = work
        self._woken = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def wake(self) -> None:
        self._woken.set()

    def stop(self) -> None:
        """Do it a last time, and end."""
        self._stopping.set()
        self.wake()
        self._thread.join()

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    def _run(self) -> None:
        pause = POLL
        while True:
            self._woken.clear()
            last = self._stopping.is_set()
            pause = POLL if self._try() else min(2 * pause, LONGEST_PAUSE)
            if last:
                return
            if self.failing is None:
                self._woken.wait(POLL)
            else:
                # What fails is not tried more often because more of it comes in.
                self._stopping.wait(pause)

    def _try(self) -> bool:
        try:
            self._work()
        except Exception as error:
            log.exception("%s failed; it is tried again", self._thread.name)
            self.failing = f"{self._thread.name}: {error}"
            return False
        self.failing = None
        return True


class Follower(_Repeated):
    """Keeps the views up with the history: this process's commits at once, others' by polling."""

    def __init__(self, history: History, views: Views, runner: Runner) -> None:
        super().__init__("accord-follower", runner.catch_up)
        self._history = history
        self._views = views

    def start(self) -> None:
        """Begin to fold what is recorded."""
        self._unsubscribe = self._history.subscribe(self.wake)
        super().start()

    def stop(self) -> None:
        """Fold what was recorded last, and end."""
        self._unsubscribe()
        super().stop()

    def lag(self) -> int:
        """Give how many recorded events the views do not show yet."""
        return self._history.size() - 1 - self._views.tail(TAIL)


class Scheduler(_Repeated):
    """Has deadlines recorded as they pass.

    What is due stands in the store, so after a stop it finds all that passed meanwhile.
    """

    def __init__(
        self,
        views: Views,
        service: Service,
        writer: GroupCommit,
        clock: Callable[[], datetime],
    ) -> None:
        super().__init__("accord-scheduler", self.check)
        self._views = views
        self._service = service
        self._writer = writer
        self._clock = clock

    def check(self) -> int:
        """Record every deadline that has passed by now; give how many events that made."""
        due = self._views.due(DEADLINES.name, instant(self._clock()))
        # One partnership at a time, so that after a long stop senders get their turns between.
        return sum(
            self._writer.call(partial(self._service.pass_time, [name])).result() for name in due
        )


class Sealer(_Repeated):
    """Has checkpoints signed: at once where a statement was issued, else at an interval."""

    def __init__(self, history: History, notary: Notary) -> None:
        super().__init__("accord-sealer", self.check)
        self._history = history
        self._notary = notary
        self._due = 0.0

    def start(self) -> None:
        """Begin to sign what is recorded."""
        self._unsubscribe = self._history.subscribe(self.wake)
        super().start()

    def stop(self) -> None:
        """Sign what was recorded last, and end."""
        self._unsubscribe()
        self._due = 0.0
        super().stop()

    def check(self) -> int:
        """Sign what is due; give how many checkpoints."""
        signed = self._notary.at_once()
        if monotonic() < self._due:
            return signed
        self._due = monotonic() + INTERVAL
        return signed + self._notary.round()


# --- all of it -----------------------------------------------------------------------------------


class Live:
    """The writer of one store, the follower where it folds, the scheduler where time passes.

    Where this process signs, the sealer does.

    A context manager: they run inside it. At its end all that was submitted is recorded and
    folded.
    """

    def __init__(
        self,
        history: History,
        writer: GroupCommit,
        follower: Follower | None,
        scheduler: Scheduler | None,
        sealer: Sealer | None = None,
    ) -> None:
        self._history = history
        self.writer = writer
        self.follower = follower
        self._scheduler = scheduler
        self._sealer = sealer
        self._repeated: list[_Repeated] = [each for each in (follower, scheduler, sealer) if each]

    def __enter__(self) -> Self:
        self.writer.start()
        for each in self._repeated:
            each.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # The scheduler writes and the follower folds what was written, so they end in this order.
        if self._scheduler:
            self._scheduler.stop()
        self.writer.stop()
        if self.follower:
            self.follower.stop()
        if self._sealer:
            self._sealer.stop()

    def lag(self) -> int:
        """Give how many recorded events the views do not show yet; 0 where others fold."""
        return self.follower.lag() if self.follower else 0

    def ailments(self) -> list[str]:
        """Give in words what keeps this from serving; nothing if all is well.

        It waits for the writer up to `PROBE` seconds.
        """
        found = [each.failing for each in self._repeated if each.failing]
        if not (self.writer.alive and all(each.alive for each in self._repeated)):
            found.append("a thread has ended")
        found += self._unwritable()
        try:
            lag = self.lag()
        except Exception as error:
            log.exception("reading the store failed")
            return [*found, f"the store cannot be read: {error}"]
        if lag > READY_LAG:
            found.append(f"the views are {lag} events behind the history")
        return found

    def _unwritable(self) -> list[str]:
        try:
            # To append nothing takes the store's lock for writing all the same.
            self.writer.call(lambda: self._history.append([])).result(PROBE)
        except (Busy, TookTooLong) as error:
            return [f"the writer is busy: {error}".removesuffix(": ")]
        except Exception as error:
            log.exception("writing to the store failed")
            return [f"the store cannot be written: {error}"]
        return []
