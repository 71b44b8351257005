"""Time as a test tells it."""

from datetime import UTC, datetime


class Told:
    """A clock that shows what it is told."""

    def __init__(self) -> None:
        self.now = datetime(2026, 1, 12, 9, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now
