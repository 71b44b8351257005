"""What lives beside an open store: one writer, a follower that folds, a clock that lets time pass.

All three are threads of one process. Other processes may write to the same store meanwhile; the
follower sees their events within a second, and the writer's races with them are decided afresh.
"""

import logging
from concurrent.futures import TimeoutError as TookTooLong
from types import TracebackType
from typing import Self

from infra.audit.sealer import Sealer
from infra.deciding.group_commit import Busy, GroupCommit
from infra.deciding.scheduler import Scheduler
from infra.projecting.follower import Follower
from infra.running.repeated import Repeated
from infra.store.records import History

log = logging.getLogger(__name__)

READY_LAG = 10_000
"""Events that may be unfolded while readers are still served: about a second's folding."""

PROBE = 2.0
"""Seconds in which a writer that works answers, however busy it is."""


class Workers:
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
        self._repeated: list[Repeated] = [each for each in (follower, scheduler, sealer) if each]

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

    def unready_reasons(self) -> list[str]:
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
