"""The in-memory caches: their capacity, and how they evict."""

from collections.abc import Hashable
from itertools import islice
from threading import Lock
from typing import Any

CAPACITY = 10_000
"""Entries of a cache."""


def evict(cache: dict[str, Any]) -> None:
    """Remove the entries that were added first, down to `CAPACITY`."""
    for name in list(islice(cache, max(0, len(cache) - CAPACITY))):
        del cache[name]


class Stamped:
    """Values by key, each with the stamp of what it was computed from. For any number of threads.

    Beyond its capacity it evicts the values that were added first.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._values: dict[Hashable, tuple[Hashable, Any]] = {}
        self._lock = Lock()

    def get(self, key: Hashable, stamp: Hashable) -> Any:  # noqa: ANN401 - what was added
        """Return the value under a key; None if there is none with this stamp."""
        kept = self._values.get(key)
        return kept[1] if kept is not None and kept[0] == stamp else None

    def add(self, key: Hashable, stamp: Hashable, value: object) -> None:
        """Keep a value, in place of one with another stamp."""
        with self._lock:
            self._values[key] = (stamp, value)
            for oldest in list(islice(self._values, max(0, len(self._values) - self._capacity))):
                del self._values[oldest]
