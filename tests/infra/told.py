"""Time as a test tells it."""

from datetime import UTC, datetime, timedelta


class Told:
    """The clocks of a machine, which show what they are told.

    Time passes when `now` is set. `jump` sets the time of day alone.
    """

    def __init__(self) -> None:
        self._now = datetime(2026, 1, 12, 9, tzinfo=UTC)
        self._elapsed = 0.0

    @property
    def now(self) -> datetime:
        return self._now

    @now.setter
    def now(self, now: datetime) -> None:
        self._elapsed += (now - self._now).total_seconds()
        self._now = now

    def jump(self, by: timedelta) -> None:
        """Set the time of day, while no time passes."""
        self._now += by

    def __call__(self) -> datetime:
        return self._now

    def elapsed(self) -> float:
        return self._elapsed
