"""A thread that does one thing over and over, and outlives its errors."""

import logging
import threading
from collections.abc import Callable

log = logging.getLogger(__name__)

POLL = 1.0
"""Seconds between two looks for what another process wrote, and for deadlines that passed."""

LONGEST_PAUSE = 30.0
"""Seconds between two attempts, at most, after one failed; the first pause is a `POLL`."""


class Repeated:
    """A thread that does one thing when woken and at every `POLL`, and outlives its errors."""

    def __init__(self, name: str, work: Callable[[], object]) -> None:
        self.failing: str | None = None
        """What went wrong the last time, or None if it went well."""
        self._work = work
        self._woken = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def wake(self) -> None:
        """Do it now, without waiting for the next turn."""
        self._woken.set()

    def stop(self) -> None:
        """Do it a last time, and end."""
        self._stopping.set()
        self.wake()
        self._thread.join()

    @property
    def alive(self) -> bool:
        """Whether the thread runs."""
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
