"""Answers as text: blocks that a terminal prints, and how values are written in them.

A block says what to print, not how: the command line fits it to the width of the terminal.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Final

from domain.reported_figure import Respondents
from domain.terms_by_day import local_day
from domain.values import MINOR_UNITS, counted, plain
from projections.figures import Figure

_TENTH: Final = Decimal("0.1")


@dataclass(frozen=True, slots=True)
class Styled:
    """Text in a style of the `rich` library, such as "bold red"."""

    text: str
    style: str


@dataclass(frozen=True, slots=True)
class Line:
    """One line, wrapped between words where the terminal ends."""

    text: str = ""
    style: str = ""
    indent: int = 0


@dataclass(frozen=True, slots=True)
class Hanging:
    """A line that begins with `head`; when its text wraps, it stays to the right of the head."""

    head: str
    text: str


@dataclass(frozen=True, slots=True)
class Table:
    """A table, below its title if it has one; it prints nothing without rows.

    A column named ``>...`` is set to the right.
    """

    columns: Sequence[str]
    rows: Iterable[Sequence[object]]
    """Cells: `Styled`, or anything that has a text."""
    title: str = ""
    indent: int = 0


@dataclass(frozen=True, slots=True)
class Remark:
    """A remark about the data, printed on stderr."""

    text: str


@dataclass(frozen=True, slots=True)
class Json:
    """A JSON document, indented for people to read."""

    value: object


@dataclass(frozen=True, slots=True)
class Verbatim:
    """Text that is printed exactly, never wrapped, because people copy it or compare its bytes."""

    text: str


Block = Line | Hanging | Table | Remark | Json | Verbatim


# --- values ------------------------------------------------------------------------------------


def minute(moment: datetime) -> str:
    """Return a moment to the minute, UTC: ``2026-03-31 12:00``."""
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M")


def asked_at(moment: datetime | None) -> str:
    """Return the moment of an answer: ``2026-03-31 12:00 UTC``; empty without one."""
    return "" if moment is None else f"{minute(moment)} UTC"


def day(moment: datetime, zone: str) -> str:
    """Return the day of a moment in a time zone: ``2026-03-31``."""
    return f"{local_day(moment, zone)}"


def number(value: Decimal | None, none: str = "") -> str:
    """Return a decimal without trailing zeros: ``12.5``, ``1000``; `none` without a value."""
    if value is None:
        return none
    return plain(value.quantize(Decimal(1)) if value == value.to_integral() else value.normalize())


def amount(value: Decimal | None, unit: str) -> str:
    """Return a figure with its unit: ``12.50 USD``, ``15 %``, ``3``; ``none`` without a value."""
    if value is None:
        return "none"
    if unit in MINOR_UNITS:
        return f"{plain(value)} {unit}"
    if unit == "percent":
        return f"{number(value)} %"
    return number(value) if unit == "count" else f"{number(value)} {unit}"


def late(days: int) -> str:
    """Return by how much an event was reported late: ``reported 4 days late``; "" for no days."""
    return f"reported {counted(days, 'day')} late" if days else ""


_CODES: Final = re.compile(r" ?\(C[0-9]+[^)]*\)")


def without_codes(text: str) -> str:
    """Return a description without the codes of its source in the catalogue: ``(C18)``."""
    return _CODES.sub("", text)


def signed(value: Decimal) -> str:
    """Return a decimal with its sign: ``+12.5``, ``-3``, ``0``."""
    return number(value) if value <= 0 else f"+{number(value)}"


def tenth(percent: Decimal) -> str:
    """Return a percentage to a tenth, rounded half to even: ``12.3 %``."""
    return f"{number(percent.quantize(_TENTH, ROUND_HALF_EVEN))} %"


def interval(low: Decimal, high: Decimal) -> str:
    """Return the bounds of a rate in percent, to a tenth: ``4.7–13.5 %``."""
    return f"{tenth(low).removesuffix(' %')}–{tenth(high)}"


def figure(known: Figure) -> str:
    """Return a figure, with its numerator and denominator if it is a ratio: ``8 % (12/150)``."""
    value = amount(known.value, known.unit)
    if known.respondents is not None:
        return f"{value} ({respondents(known.respondents)})"
    if known.numerator is None or known.denominator is None or known.unit in MINOR_UNITS:
        return value
    return f"{value} ({number(known.numerator)}/{number(known.denominator)})"


def respondents(of: Respondents) -> str:
    """Return the respondents of a survey: ``9 promoters, 3 passives, 1 detractors``."""
    return f"{of.promoters} promoters, {of.passives} passives, {of.detractors} detractors"
