"""Calendar arithmetic with periods and durations.

Periods are written ``2026-03``, ``2026-Q1``, ``2026``. They begin and end at midnight UTC; the end
is exclusive. Durations are written as in ISO 8601: ``P3Y``, ``P6M``, ``P60D``.
"""

import re
from calendar import month_name, monthrange
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, StringConstraints

from domain import times
from domain.wording import Worded, wrong

PERIOD_PATTERN = r"^(19|2[0-9])[0-9]{2}(-(0[1-9]|1[0-2])|-Q[1-4])?$"
DURATION_PATTERN = r"^P([0-9]{1,3}Y)?([0-9]{1,3}M)?([0-9]{1,3}W)?([0-9]{1,4}D)?$"

Period = Annotated[
    str,
    StringConstraints(pattern=PERIOD_PATTERN),
    Worded("is not a period", "Write a month, a quarter or a year: 2026-03, 2026-Q1 or 2026."),
]
"""A month (``2026-03``), a quarter (``2026-Q1``) or a year (``2026``), from 1900 to 2999."""


def _of_the_calendar(period: str) -> str:
    if period.count("-") > 1:
        times.day(period)
    return period


RatePeriod = Annotated[
    str,
    StringConstraints(pattern=r"^(19|2[0-9])[0-9]{2}-(0[1-9]|1[0-2])(-[0-3][0-9])?$"),
    Worded("is not a month or a day", "Write it as in 2026-03 or 2026-03-14."),
    AfterValidator(_of_the_calendar),
]
"""A month (``2026-03``) or a day (``2026-03-14``)."""

_A_DURATION = Worded(
    "is not a duration of years, months, weeks and days", "Write it as P3Y, P6M, P2W or P60D."
)


def _some_time(duration: str) -> str:
    if duration == "P":
        raise wrong(_A_DURATION.detail, _A_DURATION.hint)
    return duration


Duration = Annotated[
    str,
    StringConstraints(pattern=DURATION_PATTERN),
    AfterValidator(_some_time),
    _A_DURATION,
]
"""An ISO 8601 duration in years, months, weeks and days. ``P0D`` is allowed."""


def _at_least_a_day(duration: str) -> str:
    if not any(_parts(duration)):
        raise wrong("is not a day or longer", "Write at least P1D.")
    return duration


Span = Annotated[Duration, AfterValidator(_at_least_a_day)]
"""An ISO 8601 duration of a day or longer."""

_MONTHS_IN_QUARTER = 3
_MONTHS_IN_YEAR = 12
_SATURDAY = 5


def midnight(day: date) -> datetime:
    """Return the moment at which `day` begins, UTC."""
    return datetime.combine(day, time.min, UTC)


def add_months(day: date, months: int) -> date:
    """Return the same day `months` later, or the last day of that month if it is shorter."""
    year, month = divmod(day.year * _MONTHS_IN_YEAR + day.month - 1 + months, _MONTHS_IN_YEAR)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def _parts(duration: str) -> tuple[int, int]:
    match = re.fullmatch(DURATION_PATTERN, duration)
    if match is None:
        msg = f"{duration!r} is not a duration; write it as P3Y, P6M, P2W or P60D"
        raise ValueError(msg)
    years, months, weeks, days = (int(part[:-1]) if part else 0 for part in match.groups())
    return years * _MONTHS_IN_YEAR + months, weeks * 7 + days


def is_as_long(duration: str, other: str) -> bool:
    """Return whether two durations are the same length: ``P12M`` and ``P1Y`` are."""
    return _parts(duration) == _parts(other)


def in_words(duration: str) -> str:
    """Write a duration in words: ``P1M`` is "1 month", ``P1Y6M`` "1 year 6 months"."""
    match = re.fullmatch(DURATION_PATTERN, duration)
    parts = [part for part in match.groups() if part] if match else []
    counted = [(int(part[:-1]), _UNITS[part[-1]]) for part in parts]
    words = [f"{count} {unit}" + ("" if count == 1 else "s") for count, unit in counted if count]
    return " ".join(words) or "no time"


def period_in_words(period: str) -> str:
    """Write a month or a quarter in words: ``2026-03`` is "March 2026", ``2026-Q1`` "Q1 2026"."""
    year, _, part = period.partition("-")
    return f"{part if part.startswith('Q') else month_name[int(part)]} {year}"


def until_in_words(ends: date) -> str:
    """Return the last day of what no longer applies from a day on: ``until 2026-06-30``."""
    return f"until {ends - timedelta(days=1)}"


_UNITS = {"Y": "year", "M": "month", "W": "week", "D": "day"}


def add(day: date, *durations: str) -> date:
    """Return `day` plus durations: first all months, then all days, counted once from `day`."""
    parts = [_parts(each) for each in durations]
    months, days = sum(each[0] for each in parts), sum(each[1] for each in parts)
    return add_months(day, months) + timedelta(days=days)


def subtract(day: date, duration: str) -> date:
    """Return `day` minus `duration`: first the months, then the days."""
    months, days = _parts(duration)
    return add_months(day, -months) - timedelta(days=days)


def add_working_hours(moment: datetime, hours: int, zone: str) -> datetime:
    """Return the moment, in UTC, after so many hours of Mondays to Fridays in a time zone (C24)."""
    left, day = timedelta(hours=hours), moment.astimezone(ZoneInfo(zone)).date()
    while True:
        following = day + timedelta(days=1)
        ends = datetime.combine(following, time.min, ZoneInfo(zone)).astimezone(UTC)
        if day.weekday() < _SATURDAY:
            if left <= ends - moment:
                return moment + left
            left -= ends - moment
        moment, day = ends, following


def occurrences(first: date, every: str, start: date, end: date) -> Iterator[date]:
    """Yield those of the days `first`, `first` + `every`, ... from `start` to before `end`.

    Each is counted from the first, so that the 31st returns after a shorter month.
    """
    months, days = _parts(every)
    # No step is longer than this, so no day of the span is skipped.
    step = max(0, (start - first).days // (31 * months + days))
    while (day := add_months(first, step * months) + timedelta(days=step * days)) < end:
        if day >= start:
            yield day
        step += 1


@lru_cache(maxsize=4096)
def bounds(period: str) -> tuple[datetime, datetime]:
    """Return the moment at which `period` begins and the one at which it has ended."""
    year, _, rest = period.partition("-")
    if not rest:
        return midnight(date(int(year), 1, 1)), midnight(date(int(year) + 1, 1, 1))
    if rest[0] == "Q":
        first = date(int(year), _MONTHS_IN_QUARTER * int(rest[1]) - 2, 1)
        return midnight(first), midnight(add_months(first, _MONTHS_IN_QUARTER))
    first = date(int(year), int(rest), 1)
    return midnight(first), midnight(add_months(first, 1))


def last_day_of(period: str) -> date:
    """Return the last day of a period: 2026-03-31 for 2026-Q1."""
    return bounds(period)[1].date() - timedelta(days=1)


@lru_cache(maxsize=4096)
def _month(year: int, month: int) -> str:
    return f"{year:04}-{month:02}"


def month_of(moment: date) -> str:
    """Return the month that `moment` lies in, as a period (a moment's zone is UTC)."""
    return _month(moment.year, moment.month)


@lru_cache(maxsize=4096)
def quarter_of(period: str) -> str:
    """Return the quarter of a month; a quarter is its own."""
    if "Q" in period:
        return period
    year, month = period.split("-")
    return f"{year}-Q{(int(month) + 2) // _MONTHS_IN_QUARTER}"


@lru_cache(maxsize=4096)
def months_of(period: str) -> tuple[str, ...]:
    """Return the months of a quarter or a year, in order; a month is its own."""
    start, end = bounds(period)
    months = (end.year - start.year) * _MONTHS_IN_YEAR + end.month - start.month
    return tuple(month_of(add_months(start.date(), step)) for step in range(months))


@lru_cache(maxsize=4096)
def quarters_of(period: str) -> tuple[str, ...]:
    """Return the quarters of a period; a month has none."""
    months = months_of(period)
    return tuple(dict.fromkeys(map(quarter_of, months))) if len(months) > 1 else ()


@lru_cache(maxsize=4096)
def following(period: str) -> str:
    """Return the period of the same length that begins where `period` ends."""
    return _named_like(period, bounds(period)[1])


@lru_cache(maxsize=4096)
def preceding(period: str) -> str:
    """Return the period of the same length that ends where `period` begins."""
    return _named_like(period, bounds(period)[0] - timedelta(days=1))


def _named_like(period: str, moment: datetime) -> str:
    if "Q" in period:
        return quarter_of(month_of(moment))
    return month_of(moment) if "-" in period else f"{moment.year:04}"
