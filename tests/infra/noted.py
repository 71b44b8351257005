"""An event of these tests' own, so that they tell of the store and not of the domain."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum

from pydantic import Field

from domain.kernel import Act, Event, Value
from domain.recorded import Recorded
from domain.values import Count, Instant, Money, Number, Text

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Mood(StrEnum):
    CALM = "calm"
    CROSS = "cross"


class Line(Value):
    label: Text
    amount: Money


class Noted(Event, wire="TestNoted", version=3):
    """Has a field of each kind that events have."""

    text: str
    count: Count = 0
    share: Number | None = None
    amount: Money | None = None
    at: Instant | None = None
    day: date | None = None
    mood: Mood = Mood.CALM
    lines: list[Line] = Field(default_factory=list)
    by_name: Mapping[str, Number] = Field(default_factory=dict)


# Tests that go through all events must not meet this one.
del Event.registry[Noted.wire]


@contextmanager
def noted_is_known() -> Iterator[None]:
    """Have the event in the registry for a while."""
    Event.registry[Noted.wire] = Noted
    try:
        yield
    finally:
        del Event.registry[Noted.wire]


def noted(
    stream: str = "acme",
    version: int = 1,
    *,
    text: str = "hello",
    seconds: float = 0,
    cause: str | None = None,
) -> Recorded:
    """Return an event that can be appended: `seconds` after noon, caused by input `cause`."""
    at = NOON + timedelta(seconds=seconds)
    return Recorded(
        partnership=stream.partition("/")[0],
        stream=stream,
        version=version,
        event_id=f"{stream}-{version}",
        act=Act("acme", "jo", NOON, at),
        source="crm",
        source_id=cause or f"{stream}-{version}",
        event=Noted(text=text),
    )
