"""Values: what is not an exact value of its type is refused."""

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from domain.values import (
    MINOR_UNITS,
    Count,
    Day,
    Instant,
    Money,
    Number,
    Percent,
    PositiveMoney,
    PositiveNumber,
    Quantity,
    Rating,
    Ref,
    Slug,
    Sureness,
    Text,
    plain,
)

NUMBERS = st.from_regex(r"\A-?(0|[1-9][0-9]{0,14})(\.[0-9]{1,9})?\Z")


def reads(kind: Any, value: object) -> bool:  # noqa: ANN401 - an annotation is any form
    try:
        TypeAdapter(kind).validate_json(json.dumps(value))
    except ValidationError:
        return False
    return True


@pytest.mark.parametrize("text", ["0", "10.50", "-3.75", "999999999999999.999999999"])
def test_a_number_is_a_decimal_in_a_string(text: str) -> None:
    assert reads(Number, text)


@pytest.mark.parametrize(
    "value",
    [
        10.5,
        10,
        True,
        None,
        "1e3",
        "1,000",
        "01",
        ".5",
        "5.",
        "+1",
        "NaN",
        "Infinity",
        "",
        " 1",
        "1\n",
    ],
)
def test_a_float_or_a_loose_spelling_is_no_number(value: object) -> None:
    assert not reads(Number, value)


@given(NUMBERS)
def test_a_number_comes_back_as_it_was_written(text: str) -> None:
    numbers = TypeAdapter(Number)
    # Minus zero is zero.
    written = text if Decimal(text) else text.removeprefix("-")

    assert numbers.dump_json(numbers.validate_python(text)) == f'"{written}"'.encode()


@given(st.decimals(-(10**14), 10**14, places=9))
def test_a_decimal_is_written_in_plain_digits(value: Decimal) -> None:
    text = plain(value)

    assert "E" not in text
    assert TypeAdapter(Number).validate_python(text) == value


def test_a_tiny_decimal_has_no_exponent() -> None:
    assert plain(Decimal("1E-9")) == "0.000000001"


@pytest.mark.parametrize(
    ("text", "is_share"), [("0", True), ("100", True), ("100.1", False), ("-1", False)]
)
def test_a_percentage_is_a_share_of_a_hundred(text: str, is_share: bool) -> None:  # noqa: FBT001 - a column
    assert reads(Percent, text) is is_share


@pytest.mark.parametrize(
    ("amount", "currency", "exact"),
    [
        ("10.50", "USD", True),
        ("10.505", "USD", False),
        ("10", "JPY", True),
        ("10.5", "JPY", False),
        ("10.505", "KWD", True),
        ("10.5055", "KWD", False),
        ("10.50", "XXX", False),
        ("10.50", "usd", False),
        ("-0.01", "USD", False),
        ("999999999999999.99", "USD", True),
        ("1000000000000000", "USD", False),
    ],
)
def test_money_has_the_digits_of_its_currency(amount: str, currency: str, exact: bool) -> None:  # noqa: FBT001 - a column
    assert reads(Money, {"amount": amount, "currency": currency}) is exact


@pytest.mark.parametrize("amount", ["0", "0.00", "-0.00"])
def test_an_amount_above_zero_is_not_zero(amount: str) -> None:
    assert reads(Money, {"amount": amount, "currency": "USD"})
    assert not reads(PositiveMoney, {"amount": amount, "currency": "USD"})


@pytest.mark.parametrize(
    ("kind", "fits", "does_not"),
    [
        (Quantity, ["0", "0.5"], ["-0.000000001"]),
        (PositiveNumber, ["0.000000001"], ["0", "0.000", "-1"]),
        (Sureness, ["50", "99.999999999"], ["49.9", "100"]),
    ],
)
def test_a_bounded_number_is_within_its_bounds(
    kind: object, fits: list[str], does_not: list[str]
) -> None:
    assert all(reads(kind, each) for each in fits)
    assert not any(reads(kind, each) for each in does_not)


def test_money_reads_as_people_write_it() -> None:
    assert str(Money(amount=Decimal("1500.00"), currency="USD")) == "1500.00 USD"


@given(st.sampled_from(sorted(MINOR_UNITS)), st.integers(0, 10**15 - 1))
def test_money_comes_back_as_it_was_written(currency: str, minor: int) -> None:
    money = Money(amount=Decimal(minor).scaleb(-MINOR_UNITS[currency]), currency=currency)

    assert Money.model_validate_json(money.model_dump_json()) == money


def test_a_moment_has_a_zone_and_is_stored_in_utc() -> None:
    instants = TypeAdapter(Instant)

    assert instants.validate_json('"2026-06-30T23:30:00+02:00"') == datetime(
        2026, 6, 30, 21, 30, tzinfo=UTC
    )
    assert instants.validate_json('"2026-06-30T23:30:00+02:00"').tzinfo is UTC
    assert not reads(Instant, "2026-06-30T23:30:00")


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00"])
def test_a_moment_off_the_calendar_is_refused_and_not_stumbled_over(text: str) -> None:
    assert not reads(Instant, text)


@pytest.mark.parametrize(
    "day", ["0001-01-01", "1899-12-31", "3000-01-01", "9999-12-31", "2026-02-29"]
)
def test_a_day_off_the_calendar_is_refused(day: str) -> None:
    assert not reads(Day, day)
    assert reads(Day, date(2026, 2, 28).isoformat())


@pytest.mark.parametrize(
    ("value", "whole"), [(1, True), (5, True), (0, False), (6, False), (2.5, False)]
)
def test_a_rating_is_a_whole_number_from_1_to_5(value: float, whole: bool) -> None:  # noqa: FBT001 - a column
    assert reads(Rating, value) is whole


@pytest.mark.parametrize(
    ("value", "exact"), [(0, True), (2**53 - 1, True), (2**53, False), (-1, False), (1.5, False)]
)
def test_a_count_is_what_every_json_reader_keeps_exact(value: float, exact: bool) -> None:  # noqa: FBT001 - a column
    assert reads(Count, value) is exact


@pytest.mark.parametrize("name", ["growthos", "a", "a.b-c_d", "0", "x" * 64])
def test_an_identifier_is_lower_case_ascii(name: str) -> None:
    assert reads(Slug, name)


@pytest.mark.parametrize("name", ["", "-a", "A", "a b", "a/b", "ä", "x" * 65, "a\n", "a\x00"])
def test_what_could_be_mistaken_for_another_name_is_no_identifier(name: str) -> None:
    assert not reads(Slug, name)


def test_a_senders_own_identifier_may_have_capitals_and_colons_but_no_slash() -> None:
    assert reads(Ref, "CRM:D-1")
    assert not reads(Ref, "CRM/D-1")


@pytest.mark.parametrize(
    ("text", "plain_words"), [("A\tline\nmore", True), ("", False), ("\x07", False)]
)
def test_text_has_no_control_characters(text: str, plain_words: bool) -> None:  # noqa: FBT001 - a column
    assert reads(Text, text) is plain_words
