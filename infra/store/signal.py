"""Tells other threads of this process that something was written."""

from collections.abc import Callable


class Signal:
    """Calls subscribers in this process after something was written."""

    def __init__(self) -> None:
        self._callbacks: list[Callable[[], None]] = []

    def subscribe(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call `callback` at each `notify`; the returned function ends that.

        It runs in the writer's thread after the commit, so it must be quick and not raise.
        """
        self._callbacks.append(callback)
        return lambda: self._callbacks.remove(callback)

    def notify(self) -> None:
        """Call all subscribers."""
        for callback in tuple(self._callbacks):
            callback()
