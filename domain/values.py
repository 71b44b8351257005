"""The types of fields: decimals, percentages, days, moments, identifiers, text and money."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Annotated, TypeVar

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BeforeValidator,
    Field,
    PlainSerializer,
    StringConstraints,
    WithJsonSchema,
    model_validator,
)

from domain.kernel import Value

V = TypeVar("V", bound=date)

_FIRST_YEAR, _LAST_YEAR = 1900, 2999
_DECIMAL = re.compile(r"-?(0|[1-9][0-9]{0,14})(\.[0-9]{1,9})?")


def _decimal_from_text(value: object) -> Decimal:
    # A float has lost digits before it arrives, so a decimal is accepted only as text.
    if isinstance(value, Decimal):
        return value
    if not isinstance(value, str) or not _DECIMAL.fullmatch(value):
        msg = 'must be a decimal written as a string, such as "10.50"'
        raise ValueError(msg)
    return Decimal(value)


def _of_our_time(value: V) -> V:
    # Durations are added to days and subtracted from them; the result must be a valid date.
    if not _FIRST_YEAR <= value.year <= _LAST_YEAR:
        msg = f"must lie in the years {_FIRST_YEAR} to {_LAST_YEAR}"
        raise ValueError(msg)
    return value


def _utc(value: datetime) -> datetime:
    return value if value.tzinfo is UTC else value.astimezone(UTC)


def plain(value: Decimal) -> str:
    """Write a decimal without an exponent."""
    return format(value, "f")


def instant(moment: datetime) -> str:
    """Write a moment of UTC as RFC 3339 with ``Z``; six digits of a second, or none if zero."""
    return moment.isoformat()[:-6] + "Z"


Number = Annotated[
    Decimal,
    BeforeValidator(_decimal_from_text),
    PlainSerializer(plain, return_type=str),
    WithJsonSchema({"type": "string", "pattern": f"^{_DECIMAL.pattern}$"}),
]
"""An exact decimal, written as a string."""

Exact = Annotated[
    Decimal,
    PlainSerializer(plain, return_type=str),
    WithJsonSchema({"type": "string", "pattern": r"^-?[0-9]+(\.[0-9]+)?$"}),
]
"""A decimal that was computed, of any number of digits, written as a string."""

Percent = Annotated[Number, Field(ge=0, le=100)]
"""A share of a hundred, as a decimal string: "15" is 15 %."""

Day = Annotated[date, AfterValidator(_of_our_time)]
"""A day of the calendar."""

Instant = Annotated[AwareDatetime, AfterValidator(_of_our_time), AfterValidator(_utc)]
"""A moment with a time zone, converted to UTC."""

Slug = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]
"""An identifier: lower-case ASCII letters, digits, dots, dashes, underscores."""

Ref = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,63}$")]
"""An identifier given by a sender's own system."""

Text = Annotated[
    str, StringConstraints(min_length=1, max_length=2000, pattern=r"^[^\x00-\x08\x0b-\x1f\x7f]*$")
]
"""Text of 1 to 2000 characters, without control characters."""


@dataclass(frozen=True, slots=True)
class Personal:
    """Marks a field that names a person. The recorded event has a commitment to the name."""


PersonName = Annotated[Text, Personal()]
"""A person's name. A recorded event has a commitment instead of the name."""

Commitment = Annotated[str, StringConstraints(pattern=r"^person:[0-9a-f]{64}$")]
"""The commitment to a person's name: a salted hash. The salt is stored outside the history."""

Rating = Annotated[int, Field(ge=1, le=5)]
"""A whole number from 1 to 5 (C4)."""

Count = Annotated[int, Field(ge=0, le=2**53 - 1)]
"""A whole number from 0 to 2⁵³ - 1, which every JSON reader reads exactly."""

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
        msg = "must be a currency code of ISO 4217, such as USD"
        raise ValueError(msg)
    return currency


Currency = Annotated[str, AfterValidator(_known), Field(json_schema_extra={"format": "ISO 4217"})]


class Money(Value):
    """An exact amount in a currency of ISO 4217, with at most the digits of its minor unit."""

    amount: Number
    """The amount, as a decimal string, with at most the digits of the currency's minor unit."""
    currency: Currency
    """The currency, as a code of ISO 4217."""

    @model_validator(mode="after")
    def _whole_minor_units(self) -> "Money":
        digits = MINOR_UNITS[self.currency]
        exponent = self.amount.as_tuple().exponent
        if isinstance(exponent, int) and -exponent > digits:
            msg = f"{self.currency} has {digits} digits after the point"
            raise ValueError(msg)
        return self

    def __str__(self) -> str:
        """Write the amount and the currency: ``10.50 USD``."""
        return f"{plain(self.amount)} {self.currency}"
