"""Calendar arithmetic: months differ in length, periods follow each other without a gap."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from domain.calendar import (
    Duration,
    Span,
    add,
    add_months,
    bounds,
    following,
    in_words,
    midnight,
    month_of,
    months_of,
    preceding,
    quarter_of,
    quarters_of,
    subtract,
)

YEARS = st.integers(1900, 2999)
PERIODS = st.one_of(
    YEARS.map(str),
    st.builds("{}-Q{}".format, YEARS, st.integers(1, 4)),
    st.builds("{}-{:02}".format, YEARS, st.integers(1, 12)),
)
DAYS = st.dates(date(1900, 1, 1), date(2999, 12, 31))


@pytest.mark.parametrize(
    ("day", "duration", "later"),
    [
        (date(2026, 1, 1), "P3Y", date(2029, 1, 1)),
        (date(2026, 1, 31), "P1M", date(2026, 2, 28)),
        (date(2024, 1, 31), "P1M", date(2024, 2, 29)),
        (date(2024, 2, 29), "P1Y", date(2025, 2, 28)),
        (date(2026, 1, 31), "P3M", date(2026, 4, 30)),
        (date(2026, 1, 31), "P90D", date(2026, 5, 1)),
        (date(2026, 1, 1), "P1Y2M1W3D", date(2027, 3, 11)),
    ],
)
def test_months_come_before_days_and_end_with_their_month(
    day: date, duration: str, later: date
) -> None:
    assert add(day, duration) == later


def test_60_days_before_2029_01_01_is_2028_11_02() -> None:
    assert subtract(date(2029, 1, 1), "P60D") == date(2028, 11, 2)


@pytest.mark.parametrize(
    "text", ["P", "3Y", "P3", "P1D2M", "PT1H", "P-1D", "P1.5Y", "p1y", "P1Y\n"]
)
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Duration).validate_python(text)


def test_a_span_is_a_day_or_longer_and_a_notice_may_be_none() -> None:
    assert TypeAdapter(Duration).validate_python("P0D") == "P0D"
    assert TypeAdapter(Span).validate_python("P1D") == "P1D"
    with pytest.raises(ValidationError):
        TypeAdapter(Span).validate_python("P0Y0M")


@pytest.mark.parametrize(
    ("duration", "words"),
    [
        ("P1M", "1 month"),
        ("P3Y", "3 years"),
        ("P1Y6M", "1 year 6 months"),
        ("P2W", "2 weeks"),
        ("P60D", "60 days"),
        ("P0D", "no time"),
    ],
)
def test_a_duration_is_written_in_words(duration: str, words: str) -> None:
    assert in_words(duration) == words


def test_a_misspelt_duration_is_named() -> None:
    with pytest.raises(ValueError, match="'3 years' is not a duration"):
        add(date(2026, 1, 1), "3 years")


@pytest.mark.parametrize(
    ("period", "begins", "ended"),
    [
        ("2026-02", date(2026, 2, 1), date(2026, 3, 1)),
        ("2026-12", date(2026, 12, 1), date(2027, 1, 1)),
        ("2026-Q1", date(2026, 1, 1), date(2026, 4, 1)),
        ("2026-Q4", date(2026, 10, 1), date(2027, 1, 1)),
        ("2026", date(2026, 1, 1), date(2027, 1, 1)),
    ],
)
def test_a_period_ends_as_the_next_begins(period: str, begins: date, ended: date) -> None:
    assert bounds(period) == (midnight(begins), midnight(ended))


def test_a_quarter_has_three_months_and_a_year_four_quarters() -> None:
    assert months_of("2026-Q2") == ("2026-04", "2026-05", "2026-06")
    assert months_of("2026-04") == ("2026-04",)
    assert quarters_of("2026") == ("2026-Q1", "2026-Q2", "2026-Q3", "2026-Q4")
    assert quarters_of("2026-Q3") == ("2026-Q3",)
    assert quarters_of("2026-07") == ()


# --- laws --------------------------------------------------------------------------------------


@given(PERIODS)
def test_following_and_preceding_are_inverse(period: str) -> None:
    assert preceding(following(period)) == period
    assert following(preceding(period)) == period


@given(PERIODS)
def test_a_period_is_followed_without_a_gap(period: str) -> None:
    assert bounds(following(period))[0] == bounds(period)[1]


@given(PERIODS)
def test_the_months_of_a_period_cover_it(period: str) -> None:
    months = [bounds(month) for month in months_of(period)]

    assert months[0][0] == bounds(period)[0]
    assert months[-1][1] == bounds(period)[1]
    assert all(one[1] == next_[0] for one, next_ in pairwise(months))


@given(PERIODS)
def test_the_quarters_of_a_longer_period_have_its_months(period: str) -> None:
    quarters = quarters_of(period)

    months = tuple(month for quarter in quarters for month in months_of(quarter))
    assert months == (months_of(period) if quarters else ())


@given(st.datetimes(datetime(1900, 1, 1), datetime(2999, 12, 31), timezones=st.just(UTC)))  # noqa: DTZ001 - the strategy takes bounds without a zone
def test_every_moment_lies_in_its_month_and_its_quarter(moment: datetime) -> None:
    month = month_of(moment)

    for period in (month, quarter_of(month)):
        begins, ended = bounds(period)
        assert begins <= moment < ended
    assert month in months_of(quarter_of(month))


@given(DAYS, st.integers(-600, 600))
def test_a_month_later_is_the_same_day_or_the_months_last(day: date, months: int) -> None:
    later = add_months(day, months)

    assert (later.year - day.year) * 12 + later.month - day.month == months
    assert later.day <= day.day
    assert later.day == day.day or (later + timedelta(days=1)).day == 1


@given(DAYS, st.integers(0, 9999))
def test_days_added_and_subtracted_give_the_day_again(day: date, days: int) -> None:
    assert subtract(add(day, f"P{days}D"), f"P{days}D") == day


@given(DAYS, st.integers(0, 48), st.integers(0, 400))
def test_a_longer_duration_never_ends_earlier(day: date, months: int, days: int) -> None:
    assert add(day, f"P{months}M{days}D") <= add(day, f"P{months}M{days + 1}D")
    assert add(day, f"P{months}M") <= add(day, f"P{months + 1}M")
