"""Forms: the fields of a command's schema as fields that a browser shows, and back as data.

An object is a group of fields and a list of texts one text in each line. What is more nested than
that is written as JSON.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final

import orjson

from domain.kernel import Command
from infra.answers.field_table import Schema, resolved
from infra.answers.inbox import SIGNED

LONG: Final = 300
"""A text that may have more characters than this has several lines."""


class Kind(StrEnum):
    """How a field is shown."""

    TEXT = "text"
    LONG = "long"
    DATE = "date"
    WHOLE = "whole"
    CHOICE = "choice"
    BOOLEAN = "boolean"
    LINES = "lines"
    JSON = "json"


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a form."""

    path: str
    """Where it is in the data: `.` leads into an object."""
    kind: Kind
    is_required: bool
    meaning: str
    choices: tuple[str, ...] = ()
    value: str = ""
    """What is filled in."""

    @property
    def name(self) -> str:
        """Its name in the form."""
        return f"data.{self.path}"

    @property
    def label(self) -> str:
        """Its name in words."""
        return self.path.replace(".", ", ").replace("_", " ")


class Unfinished(ValueError):
    """A form that cannot be read: the field, and what is wrong with it."""


def fields(command: type[Command], known: Mapping[str, Any]) -> list[Field]:
    """Return the fields of a command, filled in with the data that is known.

    Fields that only a signed command needs are left out; they are filled in when it is prepared.
    """
    schema = command.model_json_schema()
    found = _fields(schema, schema.get("$defs", {}), "", known, is_needed=True)
    return [each for each in found if each.path not in SIGNED]


def _fields(
    schema: Schema, named: Schema, prefix: str, known: Mapping[str, Any], *, is_needed: bool
) -> Iterator[Field]:
    for name, described in schema.get("properties", {}).items():
        one, path = resolved(described, named), prefix + name
        is_required = is_needed and name in schema.get("required", ())
        value = known.get(name)
        if "properties" in one and isinstance(value, Mapping | None):
            within = value or {}
            yield from _fields(one, named, f"{path}.", within, is_needed=is_required)
            continue
        kind = _kind(one, named)
        yield Field(
            path=path,
            kind=kind,
            is_required=is_required,
            meaning=" ".join((described.get("description") or one.get("description", "")).split()),
            choices=tuple(map(str, one.get("enum", ()))) if kind is Kind.CHOICE else (),
            value=_written(kind, one.get("const") if value is None else value),
        )


def _kind(schema: Schema, named: Schema) -> Kind:  # noqa: PLR0911 - a line for each kind
    match schema:
        case {"enum": _}:
            return Kind.CHOICE
        case {"type": "boolean"}:
            return Kind.BOOLEAN
        case {"type": "integer"}:
            return Kind.WHOLE
        case {"type": "string", "format": "date"}:
            return Kind.DATE
        case {"type": "string"}:
            return Kind.LONG if schema.get("maxLength", 0) > LONG else Kind.TEXT
        case {"type": "array", "items": items} if resolved(items, named).get("type") == "string":
            return Kind.LINES
        case _:
            return Kind.JSON


def _written(kind: Kind, value: Any) -> str:  # noqa: ANN401 - any JSON value
    if value is None:
        return ""
    if kind is Kind.LINES and isinstance(value, list | tuple):
        return "\n".join(map(str, value))
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def filled(command: type[Command], given: Mapping[str, str]) -> list[Field]:
    """Return the fields of a command as a form was filled in, to be shown again."""
    return [replace(each, value=given.get(each.name, "")) for each in fields(command, {})]


def data(command: type[Command], given: Mapping[str, str]) -> dict[str, Any]:
    """Return the data that a form was filled in with; what is empty is left out.

    Values that a field cannot have are left for the intake to refuse. Raises `Unfinished` for JSON
    that is none.
    """
    found: dict[str, Any] = {}
    for field in fields(command, {}):
        text = given.get(field.name, "").strip()
        if text:
            _put(found, field.path.split("."), _read(field, text))
    return found


def _put(found: dict[str, Any], path: list[str], value: Any) -> None:  # noqa: ANN401 - as above
    *groups, name = path
    for each in groups:
        found = found.setdefault(each, {})
    found[name] = value


def _read(field: Field, text: str) -> Any:  # noqa: ANN401 - as above
    match field.kind:
        case Kind.LINES:
            return [line.strip() for line in text.splitlines() if line.strip()]
        case Kind.BOOLEAN:
            return text == "true"
        case Kind.WHOLE:
            return int(text) if text.lstrip("-").isdecimal() else text
        case Kind.JSON:
            try:
                return orjson.loads(text)
            except orjson.JSONDecodeError as error:
                raise Unfinished(f"{field.label} is not JSON: {error}.") from error
        case _:
            return text
