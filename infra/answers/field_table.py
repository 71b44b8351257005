"""The fields of a JSON Schema as rows of a table: what an integrator needs to fill them in."""

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from pydantic import JsonValue, TypeAdapter

from domain.calendar import Duration, Period, RatePeriod
from domain.keyring import KeyId
from domain.values import (
    Commitment,
    Number,
    Percent,
    PositiveNumber,
    Quantity,
    Ref,
    Slug,
    Sureness,
)
from infra.answers.question import Item

Schema = Mapping[str, Any]

MOST_VALUES = 12
"""How many values of a closed set are written in a row."""


class EventField(Item):
    """A field of an event's data, at any depth."""

    field: str
    """The path of the field: `.` leads into an object, `[]` into a list, `.*` into a map."""
    type: str
    """The JSON type, such as `string` or `array of object`."""
    format: str | None
    """The format, the unit or the allowed values, if there is one."""
    required: bool
    """Whether it must be given, where the object that it is part of is given."""
    default: JsonValue = None
    """The value that counts if it is left out; null without one."""
    meaning: str
    """What the field says."""


def fields(schema: Schema) -> Iterator[EventField]:
    """Yield every field of an object's schema, each before those within it."""
    yield from _fields(schema, schema.get("$defs", {}), "")


def _fields(schema: Schema, named: Schema, prefix: str) -> Iterator[EventField]:
    for name, described in schema.get("properties", {}).items():
        one = resolved(described, named)
        yield EventField(
            field=prefix + name,
            type=_type(one, named),
            format=_format(one, named),
            required=name in schema.get("required", ()),
            default=None if "const" in one else described.get("default"),
            meaning=" ".join(described.get("description", "").split()),
        )
        yield from _within(one, named, prefix + name)


def _within(schema: Schema, named: Schema, path: str) -> Iterator[EventField]:
    """Yield the fields of the objects within a field."""
    match schema:
        case {"items": items}:
            yield from _within(resolved(items, named), named, f"{path}[]")
        case {"oneOf": choices, "discriminator": {"propertyName": kind}}:
            for each in choices:
                chosen = resolved(each, named)
                value = chosen["properties"][kind]["const"]
                tagged = {**chosen, "required": [*chosen.get("required", ()), kind]}
                yield from _fields(tagged, named, f"{path}({value}).")
        case {"properties": _}:
            yield from _fields(schema, named, f"{path}.")
        case _ if (values := map_values(schema)) is not None:
            yield from _within(resolved(values, named), named, f"{path}.*")
        case _:
            pass


def resolved(schema: Schema, named: Schema) -> Schema:
    """Return the schema that a reference names; for a field that may be null, its other type."""
    match schema:
        case {"$ref": str(ref)}:
            return _narrowed(resolved(named[ref.rpartition("/")[2]], named), schema)
        case {"anyOf": choices}:
            some = [each for each in choices if each.get("type") != "null"]
            return resolved(some[0], named) if len(some) == 1 else schema
        case {"allOf": [one]}:
            return resolved(one, named)
        case _:
            return schema


def _narrowed(schema: Schema, narrower: Schema) -> Schema:
    """Return a named schema with what the reference to it adds to its properties."""
    more = narrower.get("properties")
    if not more:
        return schema
    properties = {name: each | more.get(name, {}) for name, each in schema["properties"].items()}
    return {**schema, "properties": properties}


def map_values(schema: Schema) -> Schema | None:
    """Return the schema of a map's values, None for what is no map."""
    for each in schema.get("patternProperties", {}).values():
        found: Schema = each
        return found
    extra = schema.get("additionalProperties")
    return extra if isinstance(extra, Mapping) else None


def _type(schema: Schema, named: Schema) -> str:
    match schema:
        case {"items": items}:
            return f"array of {_type(resolved(items, named), named)}"
        case {"oneOf": _}:
            return "object"
        case {"anyOf": choices}:
            return " or ".join(_type(resolved(each, named), named) for each in choices)
        case _ if (values := map_values(schema)) is not None:
            return f"map of {_type(resolved(values, named), named)}"
        case _:
            kind: str = schema.get("type", "any")
            return kind


def _format(schema: Schema, named: Schema) -> str | None:  # noqa: PLR0911 - a line for each kind
    inner = schema.get("items") or map_values(schema)
    if inner is not None:
        return _format(resolved(inner, named), named)
    if "const" in schema:
        return f"always {schema['const']}"
    if values := schema.get("enum"):
        shown = ", ".join(map(str, values[:MOST_VALUES]))
        return shown if len(values) <= MOST_VALUES else f"one of {len(values)}: {shown}, ..."
    if "format" in schema:
        return str(schema["format"])
    if words := _patterns().get(schema.get("pattern", "")):
        return words
    low, high = schema.get("minimum"), schema.get("maximum")
    if low is not None and high is not None and high < 10**12:
        return f"{low} to {high}"
    if high := schema.get("maxLength"):
        return f"{schema.get('minLength', 0)} to {high} characters"
    return f"at least {low}" if low is not None else None


@cache
def _patterns() -> dict[str, str]:
    """Return what the patterns of the domain's types mean."""
    known: list[tuple[Any, str]] = [
        (Slug, "identifier in lower case"),
        (Ref, "identifier"),
        (Number, 'decimal in quotes, "10.50"'),
        (Quantity, 'decimal in quotes, not negative, "10.50"'),
        (PositiveNumber, 'decimal in quotes, above zero, "10.50"'),
        (Percent, 'decimal in quotes, 0 to 100, "12.5"'),
        (Sureness, 'decimal in quotes, at least 50 and below 100, "95"'),
        (Duration, "duration: P1Y, P90D"),
        (Period, "2026-03, 2026-Q1 or 2026"),
        (RatePeriod, "2026-03 or 2026-03-14"),
        (KeyId, "16 hexadecimal digits"),
        (Commitment, "person: and 64 hexadecimal digits"),
    ]
    return {TypeAdapter(kind).json_schema()["pattern"]: words for kind, words in known}
