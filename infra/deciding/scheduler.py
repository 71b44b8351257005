"""The thread that records deadlines as they pass."""

import logging
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from domain.values import instant
from infra.deciding.clock import ClockInDoubt, RecordingClock
from infra.deciding.group_commit import GroupCommit
from infra.deciding.service import Service
from infra.running.periodic_task import PeriodicTask
from infra.store.history import History
from infra.store.views import Views
from infra.tlog.codec import UnreadableEvent
from projections import DEADLINES, SETTLEMENT
from projections.fold import FoldFailed

log = logging.getLogger(__name__)

EXPIRES_EVERY: Final = timedelta(hours=1)
"""How often refused inputs whose days are over are looked for, because all of them are read."""


class Scheduler(PeriodicTask):
    """Records deadlines as they pass, and refuses inputs that have waited for too long.

    What refused inputs said is deleted when their days are over. The views list what is due, so
    after a restart it finds what passed in between.
    """

    def __init__(
        self,
        history: History,
        views: Views,
        service: Service,
        writer: GroupCommit,
        clock: RecordingClock,
    ) -> None:
        super().__init__("accord-scheduler", self.check)
        self._history = history
        self._views = views
        self._service = service
        self._writer = writer
        self._clock = clock
        self._expired_at: datetime | None = None
        self.blocked: set[str] = set()
        """Partnerships whose deadlines cannot be recorded, because their rules cannot be judged."""

    def check(self) -> int:
        """Record every deadline that has passed by now; return how many events that made.

        Nothing passes while the clock is in doubt.
        """
        try:
            now = self._clock()
        except ClockInDoubt:
            return 0
        self._expire(now)
        views = (DEADLINES.name, SETTLEMENT.name)  # The ledger knows when silence confirms.
        due = [name for each in views for name in self._views.due(each, instant(now))]
        due += self._history.overdue(now)
        # One partnership at a time, so that senders get their turns after a long stop.
        return sum(map(self._pass_time, dict.fromkeys(due)))

    def _expire(self, now: datetime) -> None:
        if self._expired_at is None or now - self._expired_at >= EXPIRES_EVERY:
            self._service.expire(now)
            self._expired_at = now

    def _pass_time(self, name: str) -> int:
        try:
            recorded = self._writer.call(partial(self._service.pass_time, name)).result()
        except (FoldFailed, UnreadableEvent) as failed:
            # The deadlines of the other partnerships pass all the same.
            if name not in self.blocked:
                log.error("The deadlines of %s cannot be recorded: %s", name, failed)  # noqa: TRY400 - this says all
            self.blocked.add(name)
            return 0
        self.blocked.discard(name)
        return recorded
