"""The types of fields: decimals, percentages, days, moments, identifiers, text and money.

Every number of a command has a type with bounds, so that no accepted figure can break a fold.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import cache
from typing import Annotated, Any, Final, get_args

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    PlainSerializer,
    StringConstraints,
    ValidationInfo,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import CoreSchema
from pydantic_core.core_schema import no_info_after_validator_function

from domain import times
from domain.kernel import Value
from domain.wording import Worded, wrong

_DECIMAL = re.compile(r"-?(0|[1-9][0-9]{0,14})(\.[0-9]{1,9})?")
_NOT_NEGATIVE = _DECIMAL.pattern.removeprefix("-?")
_ABOVE_ZERO = r"(?=.*[1-9])" + _NOT_NEGATIVE
_PERCENT = r"(100(\.0{1,9})?|[1-9]?[0-9](\.[0-9]{1,9})?)"
_SURENESS = r"[5-9][0-9](\.[0-9]{1,9})?"

DECIMAL_AS_STRING = "decimal-as-string"


def _decimal_from_text(value: object) -> Decimal:
    # A float has lost digits before it arrives, so a decimal is accepted only as text.
    if isinstance(value, Decimal):
        return value
    if not isinstance(value, str):
        raise wrong(
            "is not a decimal in a string",
            'Write it in quotes, as in "10.50", because a JSON number can lose digits.',
            DECIMAL_AS_STRING,
        )
    if not _DECIMAL.fullmatch(value):
        raise wrong(
            "is not a decimal of at most 15 digits before the point and 9 after it",
            "Write plain digits, as in 10.50: no comma, no exponent, no plus, no leading zeros, no "
            "spaces.",
            DECIMAL_AS_STRING,
        )
    found = Decimal(value)
    # Minus zero is zero.
    return found or found.copy_abs()


@dataclass(frozen=True, slots=True)
class Bounds:
    """The bounds of a decimal: it is at least, above, at most or below a number."""

    least: Decimal | None = None
    above: Decimal | None = None
    most: Decimal | None = None
    below: Decimal | None = None

    def check(self, value: Decimal) -> Decimal:
        """Return the value. Raises a worded `ValueError` if it is out of bounds."""
        if self.least is not None and value < self.least:
            raise wrong(f"is below {self.least}", f"Give {self.least} or more.")
        if self.above is not None and value <= self.above:
            raise wrong(f"is not above {self.above}", f"Give a number above {self.above}.")
        if self.most is not None and value > self.most:
            raise wrong(f"is above {self.most}", f"Give {self.most} or less.")
        if self.below is not None and value >= self.below:
            raise wrong(f"is not below {self.below}", f"Give a number below {self.below}.")
        return value

    def __get_pydantic_core_schema__(
        self,
        source: Any,  # noqa: ANN401 - any type
        handler: GetCoreSchemaHandler,
    ) -> CoreSchema:
        """Return the schema of the type with its values checked."""
        return no_info_after_validator_function(self.check, handler(source))


@dataclass(frozen=True, slots=True)
class _Years:
    """The years in which a written day or moment is accepted, as a pattern of the JSON Schema.

    What Accord sends can lie beyond them, because durations are added, so the schema of a
    serialization has no pattern.
    """

    pattern: str

    def __get_pydantic_json_schema__(
        self, core: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """Return the schema of the type, with the years where it is read."""
        schema = handler(core)
        return schema if handler.mode == "serialization" else schema | {"pattern": self.pattern}


RECORDED: Final = {"recorded": True}
"""The context in which what was recorded is read. Durations are added to the times of events, so
what came of them can be beyond the years in which events are accepted."""


def _instant(value: object, info: ValidationInfo) -> datetime:
    # Code passes moments, everything else is text.
    if isinstance(value, datetime) and value.utcoffset() is not None:
        return value if value.tzinfo is UTC else value.astimezone(UTC)
    return times.moment(value, any_year=info.context is RECORDED)


def _day(value: object, info: ValidationInfo) -> date:
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    return times.day(value, any_year=info.context is RECORDED)


def name_words(name: str) -> str:
    """Return an identifier of Accord as words: ``ip_ownership`` as ``ip ownership``."""
    return name.replace("_", " ").replace("-", " ")


def type_words(name: str) -> str:
    """Return the name of a type as words: ``ReviewHeld`` as ``review held``."""
    return re.sub(r"(?<!^)([A-Z])", r" \1", name).lower()


def name_order(name: str) -> tuple[str, str]:
    """Return the key by which names are listed: small and capital letters are alike."""
    return name.casefold(), name


_CONTROL: Final = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]"
)
"""What a terminal obeys, and what shows a text in another order than it has (Unicode UAX 9)."""


def clean(text: object) -> str:
    """Return text with control characters replaced by the codes that Python writes for them."""
    return _CONTROL.sub(lambda found: ascii(found[0])[1:-1], str(text))


def counted(count: int, noun: str, plural: str = "") -> str:
    """Return a number of things: ``1 day``, ``4 days``, ``2 people``."""
    return f"{count} {noun}" if count == 1 else f"{count} {plural or f'{noun}s'}"


def full_stop(text: str) -> str:
    """Return what a person wrote as the end of a sentence: with a full stop, unless it has a mark.

    What is written after it then begins a sentence of its own.
    """
    text = text.rstrip()
    return text if text.endswith((".", "!", "?", "…")) else f"{text}."


def unended(text: str) -> str:
    """Return a text without its full stop, for a sentence that goes on after it."""
    return text.rstrip().removesuffix(".")


def in_a_row(texts: Iterable[str]) -> str:
    """Return texts one after the other, with a semicolon between them; only the last has a stop."""
    *before, last = [*texts] or [""]
    return "; ".join([*map(unended, before), last])


def plain(value: Decimal) -> str:
    """Write a decimal without an exponent."""
    return format(value, "f")


def instant(moment: datetime) -> str:
    """Write a moment of UTC as RFC 3339 with ``Z``; six digits of a second, or none if zero."""
    return moment.isoformat()[:-6] + "Z"


def moment_words(moment: datetime) -> str:
    """Return a moment of UTC as people read it: ``2026-03-31 12:00 UTC``; seconds only if any."""
    seconds = ":%S" if moment.second else ""
    return f"{moment:%Y-%m-%d %H:%M{seconds}} UTC"


def _decimals(pattern: str) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "pattern": f"^{pattern}$"})


_ZERO = Decimal(0)

Number = Annotated[
    Decimal,
    BeforeValidator(_decimal_from_text),
    PlainSerializer(plain, return_type=str),
    _decimals(_DECIMAL.pattern),
]
"""An exact decimal, written as a string: at most 15 digits before the point and 9 after it."""

Quantity = Annotated[Number, Bounds(least=_ZERO), _decimals(_NOT_NEGATIVE)]
"""A decimal that is zero or more."""

PositiveNumber = Annotated[Number, Bounds(above=_ZERO), _decimals(_ABOVE_ZERO)]
"""A decimal above zero."""

Percent = Annotated[Number, Bounds(least=_ZERO, most=Decimal(100)), _decimals(_PERCENT)]
"""A share of a hundred, as a decimal string: "15" is 15 %."""

Sureness = Annotated[Number, Bounds(least=Decimal(50), below=Decimal(100)), _decimals(_SURENESS)]
"""A required probability, in percent: at least 50 and below 100."""

Exact = Annotated[
    Decimal,
    PlainSerializer(plain, return_type=str),
    WithJsonSchema({"type": "string", "pattern": r"^-?[0-9]+(\.[0-9]+)?$"}),
]
"""A decimal that was computed, of any number of digits, written as a string. No command has one."""

Day = Annotated[date, BeforeValidator(_day), _Years(times.YEARS_OF_DAYS)]
"""A day of the calendar (see `times`)."""

Instant = Annotated[datetime, BeforeValidator(_instant), _Years(times.YEARS_OF_MOMENTS)]
"""A moment with a time zone, converted to UTC (see `times`)."""

Slug = Annotated[
    str,
    StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$"),
    Worded(
        "is not an identifier",
        "Write 1 to 64 lower-case letters, digits, dots, dashes or underscores, as in acme-north.",
    ),
]
"""An identifier: lower-case ASCII letters, digits, dots, dashes, underscores."""

Ref = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,63}$"),
    Worded(
        "is not an identifier",
        "Write 1 to 64 letters, digits, dots, dashes, colons or underscores, as in D-1001.",
    ),
]
"""An identifier given by a sender's own system."""

Text = Annotated[
    str,
    StringConstraints(min_length=1, max_length=2000, pattern=r"^[^\x00-\x08\x0b-\x1f\x7f]*$"),
    Worded(
        "is not text of 1 to 2000 characters",
        "Write it as text, not longer. Of control characters, only tabs and line feeds are "
        "allowed.",
    ),
]
"""Text of 1 to 2000 characters; of control characters, it has tabs and line feeds alone."""


@dataclass(frozen=True, slots=True)
class Personal:
    """Marks a field that names a person. The recorded event has a commitment to the name."""


@cache
def personal(model: type[Value]) -> tuple[str, ...]:
    """Return the names of those fields of a command or an event that name people."""
    return tuple(
        name
        for name, field_ in model.model_fields.items()
        if any(
            isinstance(each, Personal)
            for marked in (field_, *get_args(field_.annotation))
            for each in getattr(marked, "metadata", getattr(marked, "__metadata__", ()))
        )
    )


_UNSEEN: Final = (
    r"\p{Cc}\p{Cf}\p{Co}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}"
    r"\u2800\ufdd0-\ufdef\ufffc-\uffff"
)
_UNSEEN_IN_JSON: Final = (
    r"\x00-\x1f\x7f-\x9f\xad\u034f\u0600-\u0605\u061c\u06dd\u070f\u0890-\u0891\u08e2\u115f-\u1160"
    r"\u17b4-\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f\u2800\u3164\ue000-\uf8ff\ufdd0-\ufdef\ufe00-\ufe0f\ufeff"
    r"\uffa0\ufff0-\uffff"
)
"""Characters that nobody sees, and those of the first plane as every reader of JSON Schema knows
them."""


def as_seen(text: str) -> str:
    """Return a text without the characters that nobody sees."""
    return re.sub(f"[{_UNSEEN_IN_JSON}]", "", text)


PersonName = Annotated[
    str,
    StringConstraints(pattern=rf"^[^\s{_UNSEEN}][^{_UNSEEN}]{{0,199}}$"),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": rf"^[^\s{_UNSEEN_IN_JSON}][^{_UNSEEN_IN_JSON}]{{0,199}}$",
            "minLength": 1,
            "maxLength": 200,
        }
    ),
    Worded(
        "is not a name of 1 to 200 visible characters",
        "Begin it with a letter or a digit, and leave control and invisible characters out.",
    ),
    Personal(),
]
"""The name of a person or a service. A recorded event has a commitment instead of the name.

Invisible characters would give the name of one person to two.
"""

COMMITMENT: Final = r"person:[0-9a-f]{64}"

Commitment = Annotated[str, StringConstraints(pattern=rf"^{COMMITMENT}$")]
"""The commitment to a person's name: a salted hash. The salt is stored outside the history."""

Rating = Annotated[int, Field(ge=1, le=5)]
"""A whole number from 1 to 5 (C4)."""

Count = Annotated[int, Field(ge=0, le=2**53 - 1)]
"""A whole number from 0 to 2⁵³ - 1, which every JSON reader reads exactly."""

Version = Annotated[int, Field(ge=1, le=2**53 - 1)]
"""A version, counted from 1."""

# ISO 4217, active codes by the number of digits of their minor unit.
_WHOLE = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"
_MILLS = "BHD IQD JOD KWD LYD OMR TND"
_CENTS = (
    "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF "
    "CHF CNY COP CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD "
    "HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA "
    "MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN "
    "QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP "
    "TRY TTD TWD TZS UAH USD UYU UZS VED VES WST XCD XCG YER ZAR ZMW ZWG"
)
MINOR_UNITS = (
    dict.fromkeys(_WHOLE.split(), 0)
    | dict.fromkeys(_CENTS.split(), 2)
    | dict.fromkeys(_MILLS.split(), 3)
)
"""Digits after the point for each currency of ISO 4217."""


def _known(currency: str) -> str:
    if currency not in MINOR_UNITS:
        raise wrong("is not a currency code of ISO 4217", "Write three capital letters, as in USD.")
    return currency


Currency = Annotated[str, AfterValidator(_known), Field(json_schema_extra={"format": "ISO 4217"})]


class Money(Value):
    """An exact amount in a currency of ISO 4217, with at most the digits of its minor unit.

    It is never below zero: what takes an amount back (a refund, a reversal) has its own event.
    """

    amount: Quantity
    """The amount, such as 1250.00, with no more decimals than the currency has."""
    currency: Currency
    """The currency, as a code of ISO 4217."""

    @model_validator(mode="after")
    def _whole_minor_units(self) -> "Money":
        digits = MINOR_UNITS[self.currency]
        exponent = self.amount.as_tuple().exponent
        if isinstance(exponent, int) and -exponent > digits:
            detail = f"has more than the {digits} digits of {self.currency} after the point"
            raise wrong(detail, "Round the amount to the minor unit of its currency.")
        return self

    def __str__(self) -> str:
        """Write the amount and the currency: ``10.50 USD``."""
        return f"{plain(self.amount)} {self.currency}"


def _above_zero(money: Money) -> Money:
    if not money.amount:
        raise wrong(
            "is not above zero",
            "Give an amount above zero. A refund or a reversal takes an amount back.",
            "amount-not-positive",
        )
    return money


PositiveMoney = Annotated[
    Money,
    AfterValidator(_above_zero),
    Field(json_schema_extra={"properties": {"amount": {"pattern": f"^{_ABOVE_ZERO}$"}}}),
]
"""An amount of money above zero."""
