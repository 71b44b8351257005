"""Every number of a command has bounds, and `numbers.txt` lists them all.

A new field with a number fails here until it has a bounded type and a line in the list.
"""

import re
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from domain.aggregates import command_types
from domain.kernel import Event
from domain.values import (
    Bounds,
    Number,
    Percent,
    PositiveMoney,
    PositiveNumber,
    Quantity,
    Sureness,
)

LISTED = Path(__file__).parent / "numbers.txt"
COMMANDS = [command for _, command in sorted(command_types().items())]


def numbers(model: type[BaseModel]) -> Iterator[tuple[str, str]]:
    """Give each number of a model by its path, with its bounds."""
    for name, field in model.model_fields.items():
        yield from _numbers(name, field.annotation, _notes(field))


def _notes(field: FieldInfo) -> tuple[Any, ...]:
    return tuple(field.metadata)


def _numbers(
    path: str,
    kind: Any,  # noqa: ANN401 - an annotation
    notes: tuple[Any, ...],
) -> Iterator[tuple[str, str]]:
    if get_origin(kind) is Annotated:
        inner, *more = get_args(kind)
        yield from _numbers(path, inner, (*more, *notes))
    elif isinstance(kind, type) and issubclass(kind, BaseModel):
        above_zero = any(getattr(each, "func", None) is _ABOVE_ZERO for each in notes)
        for name, bounds in numbers(kind):
            yield f"{path}/{name}", bounds.replace("0 to", "above 0 to") if above_zero else bounds
    elif kind is Decimal:
        yield path, _decimal_bounds(notes)
    elif kind is int:
        yield path, _whole_bounds(notes)
    elif kind is float:
        yield path, "a float"
    else:
        for each in get_args(kind):
            yield from _numbers(path, each, ())


_ABOVE_ZERO = next(each.func for each in get_args(PositiveMoney)[1:])


def _decimal_bounds(notes: tuple[Any, ...]) -> str:
    reads_text = any(each in get_args(Number) for each in notes)
    if not reads_text:
        return "unbounded"
    bounds = next((each for each in notes if isinstance(each, Bounds)), Bounds())
    least = "-D" if bounds.least is bounds.above is None else f"{bounds.least}"
    low = f"above {bounds.above}" if bounds.above is not None else least
    most = "D" if bounds.most is None else f"{bounds.most}"
    return f"{low} to {f'below {bounds.below}' if bounds.below is not None else most}"


def _whole_bounds(notes: tuple[Any, ...]) -> str:
    given = {
        name: value
        for each in (inner for note in notes for inner in (note, *getattr(note, "metadata", ())))
        for name in ("ge", "le")
        if (value := getattr(each, name, None)) is not None
    }
    return f"{given['ge']} to {given['le']}" if len(given) == 2 else "unbounded"


def listed() -> list[str]:
    return [
        f"{command.__name__}/{path}  {bounds}"
        for command in COMMANDS
        # Kinds of a union can have fields of one name.
        for path, bounds in dict.fromkeys(numbers(command))
    ]


def test_every_number_of_a_command_has_bounds() -> None:
    assert not [each for each in listed() if each.endswith(("unbounded", "a float"))]


def test_every_number_of_a_command_is_listed() -> None:
    lines = LISTED.read_text(encoding="utf-8").splitlines()

    assert [each for each in lines if each and not each.startswith("#")] == listed()


@pytest.mark.parametrize("event", Event.registry.values(), ids=lambda each: each.wire)
def test_a_number_of_an_event_is_bounded_or_was_computed(event: type[Event]) -> None:
    for path, bounds in numbers(event):
        assert bounds != "unbounded" or path in COMPUTED.get(event.wire, ()), path


_PARTS = {f"{part}/{name}" for part in ("parts", "held") for name in ("earned", "converted")}

COMPUTED = {
    "StatementIssued": {"balance/amount", *(f"balance/{each}" for each in _PARTS)},
    "FinalSettlementIssued": {"balances/amount", *(f"balances/{each}" for each in _PARTS)},
}
"""Sums and products, which no sender gives and which can have more digits (`Exact`), by event."""


@pytest.mark.parametrize(
    "kind",
    [Number, Quantity, PositiveNumber, Percent, Sureness],
    ids=["number", "quantity", "positive", "percent", "sureness"],
)
@given(
    text=st.from_regex(r"-?[0-9]{1,17}(\.[0-9]{1,11})?", fullmatch=True)
    | st.sampled_from(["0", "0.0", "-0", "0.000000001", "49.9", "50", "99.9", "100", "100.0"])
    | st.sampled_from(["100.000000001", "00", "05", "1e5", "", "+1"])
)
def test_the_pattern_of_a_decimal_admits_exactly_what_is_accepted(kind: Any, text: str) -> None:  # noqa: ANN401 - an annotation
    adapter = TypeAdapter(kind)
    try:
        adapter.validate_python(text)
        accepted = True
    except ValidationError:
        accepted = False
    # Minus zero is read as zero; the schemas of numbers that are not negative leave it out.
    assume(not text.startswith("-") or kind is Number)
    assert bool(re.fullmatch(adapter.json_schema()["pattern"], text)) is accepted
