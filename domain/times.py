"""Moments and days as they are written: the one reader of every time that comes from outside.

A moment is written as RFC 3339, section 5.6, has it: date, ``T``, time with seconds, zone. A day is
the date alone. Nothing else is read: no digits alone, no week dates, no other separators.

- ``T`` and ``Z`` may be lower case, as the grammar of the RFC allows.
- A fraction of a second has any number of digits. Those after the sixth are cut, never rounded, so
  that a moment stays within its second.
- Second 60 is a leap second: the last second of a month in UTC (RFC 3339, section 5.7). It is read
  as the last microsecond of second 59, so that it stays within its month.
- ``-00:00`` is an unknown offset from a known UTC (RFC 3339, section 4.3). It is read as ``Z``.
"""

import re
from datetime import UTC, date, datetime, time, timedelta
from typing import Final, TypeVar

from domain.wording import wrong

V = TypeVar("V", bound=date)

FIRST_YEAR, LAST_YEAR = 1900, 2999
"""The years of moments (in UTC) and days. Durations are added to them and subtracted from them; the
result must be a valid date."""

YEARS_OF_DAYS: Final = "^(19|2[0-9])[0-9]{2}-"
"""How a day begins, for a JSON Schema: a year from 1900 to 2999."""

YEARS_OF_MOMENTS: Final = rf"{YEARS_OF_DAYS}|^1899-12-31|^3000-01-01"
"""How a moment begins, for a JSON Schema. Its zone can move it into the years from the day before
or after them."""

A_DAY: Final = "2026-01-31"
A_MOMENT: Final = "2026-01-31T09:00:00Z"

_DATE = r"[0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])"
_CLOCK = r"(?:[01][0-9]|2[0-3]):[0-5][0-9]"
_DAY = re.compile(_DATE)
_MOMENT = re.compile(rf"({_DATE}[Tt]{_CLOCK}:)([0-5][0-9]|60)(\.[0-9]+)?([Zz]|[+-]{_CLOCK})")
_NO_ZONE = re.compile(rf"{_DATE}[Tt ]{_CLOCK}(:[0-5][0-9](\.[0-9]+)?)?")
_LOST_PLUS = re.compile(rf"{_DATE}[Tt]{_CLOCK}:[0-5][0-9](\.[0-9]+)? {_CLOCK}")

_WRITE_A_DAY = f"Write the date alone, as in {A_DAY}."
_WRITE_A_MOMENT = f"Write the date, T, the time with seconds and the zone, as in {A_MOMENT}."
_WRITE_EITHER = f"Write a date, as in {A_DAY}, or a moment, as in {A_MOMENT}."
_MICROSECOND = timedelta(microseconds=1)


def moment(text: object, hint: str = _WRITE_A_MOMENT, *, any_year: bool = False) -> datetime:
    """Return the moment that `text` is, in UTC; `any_year` is for what was recorded.

    Raises a worded `ValueError` with the rule `time-without-zone` or `wrong-value`.
    """
    match = _MOMENT.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise _no_moment(text, hint)
    before, second, fraction, zone = match.groups("")
    is_leap = second == "60"
    written = f"{before}{'59' if is_leap else second}{fraction[:7]}{zone}".upper()
    try:
        found = datetime.fromisoformat(written).astimezone(UTC)
    except OverflowError:
        raise _off_the_years() from None
    except ValueError:
        raise _off_the_calendar(before) from None
    if is_leap:
        found = found.replace(microsecond=999_999)
        if (found + _MICROSECOND).day != 1 or found.time() != time.max:
            raise wrong(
                "is not a leap second, which ends a month in UTC", "Write a second from 00 to 59."
            )
    return found if any_year else _of_our_time(found)


def day(text: object, *, any_year: bool = False) -> date:
    """Return the day that `text` is: ``YYYY-MM-DD`` alone. Raises a worded `ValueError`.

    `any_year` is for what was recorded.
    """
    if not isinstance(text, str) or not _DAY.fullmatch(text):
        raise wrong("is not a date", _WRITE_A_DAY)
    try:
        found = date.fromisoformat(text)
    except ValueError:
        raise _off_the_calendar(text) from None
    return found if any_year else _of_our_time(found)


def end_or_moment(text: object) -> datetime:
    """Return the last microsecond of a day (UTC), or the moment that `text` is.

    Raises a worded `ValueError`.
    """
    if isinstance(text, str) and _DAY.fullmatch(text):
        return datetime.combine(day(text), time.max, UTC)
    return moment(text, _WRITE_EITHER)


def start_or_moment(text: object) -> datetime:
    """Return the moment at which a day begins (UTC), or the moment that `text` is.

    Raises a worded `ValueError`.
    """
    if isinstance(text, str) and _DAY.fullmatch(text):
        return datetime.combine(day(text), time.min, UTC)
    return moment(text, _WRITE_EITHER)


def _of_our_time(value: V) -> V:
    if not FIRST_YEAR <= value.year <= LAST_YEAR:
        raise _off_the_years()
    return value


def _no_moment(text: object, hint: str) -> ValueError:
    if isinstance(text, str) and _LOST_PLUS.fullmatch(text):
        return wrong("has a space in place of +", "Write + as %2B in a URL.")
    if isinstance(text, str) and _NO_ZONE.fullmatch(text):
        return wrong("has no time zone", f"Write the zone, as in {A_MOMENT}.", "time-without-zone")
    if hint == _WRITE_EITHER:
        return wrong("is not a date or a moment", hint)
    return wrong("is not a moment of RFC 3339", hint)


def _off_the_calendar(written: str) -> ValueError:
    if written.startswith("0000"):
        return _off_the_years()
    return wrong("is not on the calendar", "Correct the day of the month.")


def _off_the_years() -> ValueError:
    return wrong(
        f"is not in the years {FIRST_YEAR} to {LAST_YEAR}", "Check the year and the time zone."
    )
