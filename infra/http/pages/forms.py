"""Forms: the fields of a command's schema as fields that a browser shows, and back as data.

An object is a group of fields and a list of texts one text in each line. What is more nested than
that is written as JSON.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final

import orjson
from pydantic import ValidationError

from domain.calendar import DURATION_PATTERN, PERIOD_PATTERN
from domain.kernel import Command
from infra.answers.field_table import Schema, resolved
from infra.answers.inbox import SIGNED
from infra.answers.parameters import Wrong, error_of
from infra.http.pages.shown import unsourced

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
    example: str = ""
    """How such a value is written."""
    wrong: Wrong | None = None
    """What is wrong with what is filled in."""

    @property
    def name(self) -> str:
        """Its name in the form."""
        return f"{PREFIX}{self.path}"

    @property
    def label(self) -> str:
        """Its name in words."""
        return label_of(self.path)


def label_of(path: str) -> str:
    """Return a path in words; a group that is named like its field is named once."""
    return ", ".join(dict.fromkeys(path.split("."))).replace("_", " ")


PREFIX: Final = "data."
"""The beginning of the name of each field of the data."""

CHANGE_REASON: Final = "change_reason"
"""The field that only a change of what is on record has."""


class Unfinished(ValueError):
    """A form that cannot be sent: by the path of each field, what is wrong with it."""

    def __init__(self, wrong: Mapping[str, Wrong]) -> None:
        super().__init__("; ".join(each.detail for each in wrong.values()))
        self.wrong = wrong


def fields(command: type[Command], known: Mapping[str, Any]) -> list[Field]:
    """Return the fields of a command, filled in with the data that is known.

    Fields that only a signed command needs are left out; they are filled in when it is prepared.
    """
    schema = command.model_json_schema()
    found = _fields(schema, schema.get("$defs", {}), "", known, is_needed=True)
    return [each for each in found if each.path not in SIGNED]


def asked(found: Iterable[Field], wrong: Mapping[str, Wrong]) -> list[Field]:
    """Return fields with what is wrong with each.

    The reason for a change is left out until an event changes what is on record.
    """
    marked = [replace(each, wrong=wrong.get(each.path)) for each in found]
    return [each for each in marked if each.path != CHANGE_REASON or each.wrong or each.value]


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
            meaning=unsourced(described.get("description") or one.get("description", "")),
            choices=tuple(map(str, one.get("enum", ()))) if kind is Kind.CHOICE else (),
            value=_written(kind, one.get("const") if value is None else value),
            example=_EXAMPLES.get(one.get("pattern", ""), ""),
        )


_EXAMPLES: Final = {
    DURATION_PATTERN: "P3Y is three years, P6M six months, P60D sixty days.",
    PERIOD_PATTERN: "2026 is a year, 2026-Q3 a quarter, 2026-09 a month.",
}
"""How a value is written, by the pattern of its field."""


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

    Raises `Unfinished` for what the fields cannot have. Nothing of that is sent, so that a typo is
    no refused input.
    """
    found: dict[str, Any] = {}
    wrong: dict[str, Wrong] = {}
    asked = fields(command, {})
    for field in asked:
        text = given.get(field.name, "").strip()
        if text:
            try:
                _put(found, field.path.split("."), _read(field, text))
            except orjson.JSONDecodeError as error:
                wrong[field.path] = Wrong(f"{field.label} is not JSON: {error}", _AS_JSON)
    if not wrong:
        wrong = _wrong(command, found, {each.path: each for each in asked})
    if wrong:
        raise Unfinished(wrong)
    return found


_AS_JSON: Final = "Write it as JSON, or leave it empty."


def _wrong(
    command: type[Command], given: Mapping[str, Any], asked: Mapping[str, Field]
) -> dict[str, Wrong]:
    """Return what is wrong with data, by the path of its field."""
    try:
        command.model_validate_json(orjson.dumps(given))
    except ValidationError as error:
        found: dict[str, Wrong] = {}
        for each in error.errors(include_url=False):
            path = path_of([str(step) for step in each["loc"]], asked)
            label = asked[path].label if path in asked else "The form"
            found.setdefault(path, error_of(label, each))
        return found
    return {}


def path_of(steps: Iterable[str], asked: Iterable[str]) -> str:
    """Return the path of the field in which a place of the data is; the first one within it."""
    known = [*asked]
    path: list[str] = []
    for step in steps:
        longer = ".".join([*path, step])
        if any(each == longer or each.startswith(f"{longer}.") for each in known):
            path.append(step)
    place = ".".join(path)
    return next((each for each in known if each == place or each.startswith(f"{place}.")), place)


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
            return orjson.loads(text)
        case _:
            return text
