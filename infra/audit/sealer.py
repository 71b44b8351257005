"""The thread that signs checkpoints in an embedded process."""

from time import monotonic

from infra.audit.notary import INTERVAL, Notary
from infra.deciding.clock import ClockInDoubt
from infra.running.periodic_task import PeriodicTask
from infra.store.history import History


class Sealer(PeriodicTask):
    """Signs checkpoints: at once when a statement is issued, else at an interval."""

    def __init__(self, history: History, notary: Notary) -> None:
        super().__init__("accord-sealer", self.check)
        self._history = history
        self._notary = notary
        self._due = 0.0

    def start(self) -> None:
        """Start to sign."""
        self._unsubscribe = self._history.subscribe(self.wake)
        super().start()

    def stop(self) -> None:
        """Sign the last events, and end."""
        self._unsubscribe()
        self._due = 0.0
        super().stop()

    def check(self) -> int:
        """Sign what is due; return how many checkpoints.

        Nothing is signed while the clock is in doubt, because a checkpoint has a time.
        """
        try:
            return self._sign()
        except ClockInDoubt:
            self._due = 0.0
            return 0

    def _sign(self) -> int:
        signed = self._notary.at_once()
        if monotonic() < self._due:
            return signed
        self._due = monotonic() + INTERVAL
        return signed + self._notary.round()
