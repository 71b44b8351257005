"""The one loop that tries again what failed, with longer and longer pauses."""

from collections.abc import Callable
from threading import Event
from typing import Final, TypeVar

T = TypeVar("T")

PAUSES: Final = (0.2, 10.0)
"""Seconds between a failure and the next attempt: the first pause, and the longest. Each pause is
twice as long as the one before."""


def until_done(
    work: Callable[[], T],
    stopping: Event,
    failed: Callable[[Exception], None],
    *,
    errors: tuple[type[Exception], ...] = (Exception,),
    pauses: tuple[float, float] = PAUSES,
) -> T | None:
    """Call `work` until it succeeds, and return its result; at least once.

    `failed` is called with each error. Returns None if `stopping` is set before it succeeds.
    Errors that are not among `errors` are raised.
    """
    pause, longest_pause = pauses
    while True:
        try:
            return work()
        except errors as error:
            failed(error)
        if stopping.wait(pause):
            return None
        pause = min(2 * pause, longest_pause)
