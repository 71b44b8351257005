"""Days, months and windows of the calendar (section 2): every span is half-open."""

from calendar import monthrange
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from tests.model.facts import Duration, Length

MONTHS: dict[Length, int] = {"month": 1, "quarter": 3, "year": 12}


def add_months(day: date, months: int) -> date:
    """The same day some months later, or the last day of a shorter month."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def add(day: date, span: Duration) -> date:
    """Months first, then days, both counted from the first day, so that no end drifts."""
    return add_months(day, span.months) + timedelta(days=span.days)


def local_day(instant: datetime, zone: str) -> date:
    return instant.astimezone(ZoneInfo(zone)).date()


def window_of(day: date, length: Length | None) -> date:
    """The first day of the calendar period that holds the day; without a length there is one."""
    if length is None:
        return date.min
    months = MONTHS[length]
    return date(day.year, (day.month - 1) // months * months + 1, 1)


def window_end(first: date, length: Length) -> date:
    """The first day after the period."""
    return add_months(first, MONTHS[length])


def period_span(period: str) -> tuple[date, date]:
    """The first day of `2026-02` or `2026-Q1`, and the first day after it."""
    year, part = period.split("-")
    if part.startswith("Q"):
        first = date(int(year), int(part[1:]) * 3 - 2, 1)
        return first, window_end(first, "quarter")
    first = date(int(year), int(part), 1)
    return first, window_end(first, "month")


def month_name(day: date) -> str:
    return f"{day:%Y-%m}"
