"""A dispute about money or conduct (C24)."""

from typing import Literal

from domain.execution import IssueCause
from domain.kernel import Event
from domain.values import Money, Ref, Text


class DisputeOpened(Event):
    """A party disputes a deal's or an entry's money, or something else (C24)."""

    dispute: Ref
    cause: IssueCause
    description: Text
    issue: Ref | None = None
    deal: Ref | None = None
    entry: Ref | None = None
    amount: Money | None = None


class DisputeResolved(Event):
    """A dispute came to its end (C24)."""

    dispute: Ref
    deal: Ref | None = None
    entry: Ref | None = None
    outcome: Literal["upheld", "rejected", "settled", "withdrawn"]
    amount: Money | None = None
    award: Money | None = None
    resolution: Text
