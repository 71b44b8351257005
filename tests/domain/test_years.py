"""The years of days and moments: the JSON Schema has the range that the reader accepts."""

import re
from datetime import date, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from domain.times import day, moment
from domain.values import Day, Instant

ZONES = st.integers(-23 * 60 - 59, 23 * 60 + 59).map(lambda each: timezone(timedelta(minutes=each)))
EDGES = st.sampled_from([1, 1899, 1900, 2999, 3000, 9999])
YEARS = EDGES | st.integers(1, 9999)


def matches(kind: Any, text: str) -> bool:  # noqa: ANN401 - any type
    pattern = TypeAdapter(kind).json_schema()["pattern"]
    return re.search(pattern, text) is not None


def accepts_day(text: str) -> bool:
    try:
        day(text)
    except ValueError:
        return False
    return True


def accepts_moment(text: str) -> bool:
    try:
        moment(text)
    except ValueError:
        return False
    return True


@given(YEARS, st.sampled_from([(1, 1), (6, 15), (12, 31)]))
def test_the_schema_of_a_day_has_exactly_the_years_that_are_accepted(
    year: int, rest: tuple[int, int]
) -> None:
    text = date(year, *rest).isoformat()

    assert matches(Day, text) == accepts_day(text)


@given(YEARS, st.sampled_from([(1, 1), (1, 2), (6, 15), (12, 30), (12, 31)]), ZONES)
@example(1899, (12, 31), timezone(timedelta(hours=-1)))
@example(3000, (1, 1), timezone(timedelta(hours=23)))
def test_the_schema_of_a_moment_refuses_none_that_is_accepted(
    year: int, rest: tuple[int, int], zone: timezone
) -> None:
    for hour in (0, 12, 23):
        text = datetime(year, *rest, hour, 59, 59, tzinfo=zone).isoformat()

        assert matches(Instant, text) or not accepts_moment(text)


@pytest.mark.parametrize(
    ("text", "allowed"),
    [
        ("1899-12-30T23:59:59Z", False),
        ("1899-12-31T23:30:00-01:00", True),
        ("1900-01-01T00:00:00Z", True),
        ("2999-12-31T23:59:59Z", True),
        ("3000-01-01T00:30:00+01:00", True),
        ("3000-01-02T00:00:00Z", False),
        ("0001-01-01T00:00:00Z", False),
    ],
)
def test_a_moment_off_the_years_is_refused_by_the_schema_and_by_the_reader(
    text: str, *, allowed: bool
) -> None:
    assert (matches(Instant, text), accepts_moment(text)) == (allowed, allowed)


def test_what_is_sent_has_no_bound_of_years_because_durations_are_added() -> None:
    for kind in (Day, Instant):
        assert "pattern" not in TypeAdapter(kind).json_schema(mode="serialization")
