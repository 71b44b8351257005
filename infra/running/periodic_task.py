"""A thread that does one thing repeatedly and survives its errors."""

import logging
import threading
from collections.abc import Callable

from infra.running.backoff import until_done

log = logging.getLogger(__name__)

POLL = 1.0
"""Seconds between two turns: another process may have written, or a deadline may have passed."""

LONGEST_PAUSE = 30.0
"""Seconds between two attempts that fail, at most; the first pause is a `POLL`."""


class PeriodicTask:
    """A thread that works when it is woken and at every `POLL`, and survives its errors."""

    def __init__(self, name: str, work: Callable[[], object]) -> None:
        self.failing: str | None = None
        """The error of the last attempt, or None if it succeeded."""
        self._work = work
        self._woken = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def wake(self) -> None:
        """Start the next turn now."""
        self._woken.set()

    def stop(self) -> None:
        """Work a last time, then end the thread."""
        self._stopping.set()
        self.wake()
        self._thread.join()

    @property
    def alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive()

    def _run(self) -> None:
        last = False
        while not last:
            self._woken.clear()
            last = self._stopping.is_set()
            # After a failure `wake` does not shorten the pause; otherwise load would cause retries.
            until_done(self._turn, self._stopping, self._failed, pauses=(POLL, LONGEST_PAUSE))
            if not last:
                self._woken.wait(POLL)

    def _turn(self) -> None:
        self._work()
        self.failing = None

    def _failed(self, error: Exception) -> None:
        log.error("%s failed and is tried again.", self._thread.name, exc_info=error)
        self.failing = f"{self._thread.name}: {error}"
