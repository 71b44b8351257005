"""The capacity of the in-memory caches, and how they evict."""

from itertools import islice
from typing import Any

CAPACITY = 10_000
"""Entries of a cache."""


def evict(cache: dict[str, Any]) -> None:
    """Remove the entries that were added first, down to `CAPACITY`."""
    for name in list(islice(cache, max(0, len(cache) - CAPACITY))):
        del cache[name]
