"""The threads of an open store: a writer, a follower that folds, a scheduler, a sealer.

Other processes may write to the same store meanwhile. The follower sees their events within a
second, and a command that lost a race with them is decided again.
"""

import logging
from concurrent.futures import TimeoutError as TookTooLong
from secrets import token_hex
from types import TracebackType
from typing import Self

from infra.audit.sealer import Sealer
from infra.deciding.clock import RecordingClock
from infra.deciding.group_commit import Busy, GroupCommit
from infra.deciding.scheduler import Scheduler
from infra.projecting import rebuild
from infra.projecting.follower import Follower
from infra.running.periodic_task import PeriodicTask
from infra.store.errors import StoreFull
from infra.store.history import History
from infra.store.views import OtherFold, Views
from projections import PROJECTIONS

log = logging.getLogger(__name__)

READY_LAG = 10_000
"""Unfolded events beyond which readers are not served; folding them takes about a second."""

SPACE = "space"
"""The name under which the store keeps what is written to see whether there is space."""

NEEDED = 2**16
"""Bytes that are written for that: more than most events need."""

PROBE = 2.0
"""Seconds in which a working writer answers, even a busy one."""


class Workers:
    """The writer of a store, and the threads that this process needs besides.

    The follower runs if this process folds, the scheduler unless feeds tell the time, and the
    sealer if this process signs. A context manager: they run inside it. At its end, all that was
    submitted is recorded and folded.
    """

    def __init__(  # noqa: PLR0913 - its parts by name
        self,
        *,
        history: History,
        views: Views,
        writer: GroupCommit,
        clock: RecordingClock | None,
        follower: Follower | None,
        scheduler: Scheduler | None,
        sealer: Sealer | None = None,
    ) -> None:
        self._history = history
        self._views = views
        self.writer = writer
        self.clock = clock
        self.follower = follower
        self._scheduler = scheduler
        self._sealer = sealer
        self._tasks: list[PeriodicTask] = [each for each in (follower, scheduler, sealer) if each]

    def __enter__(self) -> Self:
        self.writer.start()
        for each in self._tasks:
            each.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # The scheduler submits to the writer, and the follower folds what that wrote.
        if self._scheduler:
            self._scheduler.stop()
        self.writer.stop()
        if self.follower:
            self.follower.stop()
        if self._sealer:
            self._sealer.stop()

    def lag(self) -> int:
        """Return how many recorded events are not folded yet; 0 if another process folds."""
        return self.follower.lag() if self.follower else 0

    def unready_reasons(self) -> list[str]:
        """Return the reasons why this process cannot serve; none if it can.

        Waits for the writer up to `PROBE` seconds.
        """
        found = [each.failing for each in self._tasks if each.failing]
        if not (self.writer.alive and all(each.alive for each in self._tasks)):
            found.append("a thread has ended")
        found += self._unwritable()
        try:
            if self.clock and (doubt := self.clock.doubt):
                found.append(doubt.detail.rstrip("."))
            rebuild.check(self._views, PROJECTIONS)
            lag = self.lag()
        except OtherFold as error:
            return [*found, str(error)]
        except Exception as error:
            log.exception("reading the store failed")
            return [*found, f"the store cannot be read: {error}"]
        if lag > READY_LAG:
            found.append(f"the views are {lag} events behind the history")
        return found

    def quarantined(self) -> list[str]:
        """Return the partnerships whose events cannot be folded or judged, by name."""
        blocked = self._scheduler.blocked if self._scheduler else ()
        return sorted({*self._views.quarantined(), *blocked})

    def _unwritable(self) -> list[str]:
        if self._history.read_only:
            return []
        try:
            # Even an empty append takes the store's write lock.
            self.writer.call(self._write).result(PROBE)
        except StoreFull as full:
            return [str(full)]
        except (Busy, TookTooLong) as error:
            return [f"the writer is busy: {error}".removesuffix(": ")]
        except Exception as error:
            log.exception("writing to the store failed")
            return [f"the store cannot be written: {error}"]
        return []

    def _write(self) -> None:
        self._history.append([])
        if self.writer.full:
            # Nobody else may send what would show that there is space again.
            self._history.set_meta(SPACE, token_hex(NEEDED // 2))
            self._history.set_meta(SPACE, "")
            self.writer.full = None
