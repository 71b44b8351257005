"""What is kept at hand so that it need not be read again, and how much of it."""

from itertools import islice
from typing import Any

CAPACITY = 10_000
"""Partnerships and streams kept at hand; what was not used for longest is read again if needed."""


def evict(at_hand: dict[str, Any]) -> None:
    """Let go of what was put in first, down to `CAPACITY`."""
    for name in list(islice(at_hand, max(0, len(at_hand) - CAPACITY))):
        del at_hand[name]
