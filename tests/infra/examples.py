"""Examples of events, drawn from what their types say of themselves (their JSON schema)."""

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from random import Random
from typing import Any

from hypothesis import Phase, find, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from domain.kernel import Event
from domain.values import Number, instant

Schema = Mapping[str, Any]

# What people write; the first that fits a field's pattern is the likeliest to be taken.
_READABLE = [
    "Grow together – wachsen wir",
    "webinar-2",
    "globex",
    "acme",
    "2026-Q1",
    "2026-03",
    "P60D",
    "P3Y",
]

_DECIMAL = TypeAdapter(Number).json_schema()["pattern"]
_BY_FORMAT: dict[str, st.SearchStrategy[str]] = {
    "date": st.dates(date(2026, 1, 1), date(2030, 1, 1)).map(date.isoformat),
    "date-time": st.datetimes(
        datetime(2026, 1, 1),  # noqa: DTZ001 - hypothesis adds the zone
        datetime(2030, 1, 1),  # noqa: DTZ001
        timezones=st.just(UTC),
    ).map(instant),
    # Two digits after the point in both, as the decimals below have at most.
    "ISO 4217": st.sampled_from(["EUR", "USD"]),
    "ISO 4217, or each": st.sampled_from(["EUR", "each"]),
    "IANA time zone": st.sampled_from(["UTC", "Europe/Berlin"]),
}


def example(event: type[Event]) -> dict[str, Any]:
    """Return the data of an example of an event, with all its optional fields.

    Raises hypothesis's `NoSuchExample` where the rules of the type leave none that is found.
    """
    return find(
        payloads(event),
        lambda data: _fits(event, data),
        settings=settings(max_examples=20_000, database=None, phases=[Phase.generate]),
        random=Random(0),  # noqa: S311 - repeatable, not secret
    )


def payloads(event: type[Event]) -> st.SearchStrategy[dict[str, Any]]:
    """Return a strategy for data shaped like `event`; rules across its fields may refuse some."""
    schema = event.model_json_schema()
    return _of(schema, schema.get("$defs", {}))


def _fits(event: type[Event], data: dict[str, Any]) -> bool:
    try:
        event.model_validate(data)
    except ValidationError:
        return False
    return True


def _of(  # noqa: PLR0911 - a line for each kind of schema
    schema: Schema, named: Schema
) -> st.SearchStrategy[Any]:
    match schema:
        case {"$ref": str(ref)}:
            return _of(named[ref.rpartition("/")[2]], named)
        case {"const": value}:
            return st.just(value)
        case {"enum": values}:
            return st.sampled_from(values)
        case {"anyOf": choices} | {"oneOf": choices}:
            some = [choice for choice in choices if choice.get("type") != "null"]
            return st.one_of([_of(choice, named) for choice in some])
        case {"type": "boolean"}:
            return st.booleans()
        case {"type": "integer"}:
            return st.integers(schema.get("minimum", 0), min(schema.get("maximum", 100), 10**6))
        case {"type": "string"}:
            return _text(schema)
        case {"type": "array"}:
            size = max(1, schema.get("minItems", 0))
            return st.lists(_of(schema["items"], named), min_size=size, max_size=size + 2)
        case {"type": "object"}:
            return _object(schema, named)
        case _:
            raise NotImplementedError(schema)


def _object(schema: Schema, named: Schema) -> st.SearchStrategy[dict[str, Any]]:
    if "properties" in schema:
        fields = {name: _of(each, named) for name, each in schema["properties"].items()}
        return st.fixed_dictionaries(fields)
    patterns = schema.get("patternProperties")
    if patterns:
        ((pattern, values),) = patterns.items()
        names = _text({"pattern": pattern})
    else:
        names, values = _text({}), schema.get("additionalProperties")
    if not isinstance(values, Mapping):
        return st.just({})
    return st.dictionaries(names, _of(values, named), min_size=1, max_size=2)


def _text(schema: Schema) -> st.SearchStrategy[str]:
    if "format" in schema:
        return _BY_FORMAT[schema["format"]]
    pattern: str | None = schema.get("pattern")
    if pattern == _DECIMAL:
        return st.sampled_from(["10.50", "100", "50", "1200.00", "1", "0"])
    if pattern is None:
        return st.sampled_from(_READABLE)
    readable = [text for text in _READABLE if re.fullmatch(pattern, text)]
    return st.sampled_from(readable) if readable else st.from_regex(pattern, fullmatch=True)
