"""Forms: the fields of a command's schema as fields that a browser shows, and back as data.

An object is a group of fields, and a list of texts one text in each line. A list of objects, a map
and a choice between kinds of objects are rows, which are added and removed without JavaScript: the
form is sent, and shown again with another row. In a form, data has this shape: each text as it was
typed, a row of a map with its `key` and its `value`, and a choice as a list of one.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, tzinfo
from enum import StrEnum
from typing import Any, Final, cast

import orjson
from pydantic import TypeAdapter, ValidationError

from domain.calendar import DURATION_PATTERN, PERIOD_PATTERN, RatePeriod
from domain.declarations import CHANGE_REASON
from domain.kernel import Command
from domain.values import Number, Percent, PositiveNumber, Quantity, Sureness, instant
from domain.wording import shown
from infra.answers.field_table import Schema, map_values, resolved
from infra.answers.inbox import SIGNED
from infra.answers.parameters import Wrong, error_of
from infra.http.pages.shown import sentence, unsourced, words

LONG: Final = 300
"""A text that may have more characters than this has several lines."""

MOST_STEPS: Final = 16
"""How deep the name of a field leads at most."""


class Kind(StrEnum):
    """How a field is shown."""

    TEXT = "text"
    LONG = "long"
    DATE = "date"
    MOMENT = "moment"
    """A day and a time, in the time zone of the agreement."""
    WHOLE = "whole"
    NUMBER = "number"
    """A decimal."""
    CHOICE = "choice"
    BOOLEAN = "boolean"
    LINES = "lines"
    FIXED = "fixed"
    """The kind of a row: it is settled when the row is added."""
    ROWS = "rows"


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a form."""

    path: str
    """Where it is in the data: `.` leads into an object, `[0]` into a row."""
    kind: Kind
    is_required: bool
    meaning: str
    choices: tuple[str, ...] = ()
    value: str = ""
    """What is filled in."""
    example: str = ""
    """How such a value is written."""
    called: str = ""
    """Its name in words, where its path does not say it."""
    names_party: bool = False
    """Whether it names a party, so that the parties are offered."""
    wrong: Wrong | None = None
    """What is wrong with what is filled in."""

    @property
    def name(self) -> str:
        """Its name in the form."""
        return f"{PREFIX}{self.path}"

    @property
    def label(self) -> str:
        """Its name in words, without that of the row that it is in."""
        return self.called or label_of(self.path.rpartition("].")[2])


@dataclass(frozen=True, slots=True)
class Row:
    """One of several of the same, with fields of its own."""

    path: str
    title: str
    """What kind it is, or which one."""
    entries: "tuple[Entry, ...]"

    @property
    def name(self) -> str:
        """Its name in the form."""
        return f"{PREFIX}{self.path}"


@dataclass(frozen=True, slots=True)
class Rows:
    """Several of the same, or one of several kinds."""

    path: str
    is_required: bool
    meaning: str
    rows: tuple[Row, ...]
    tag: str
    """The field that says of which kind a row is; empty if all are of one kind."""
    kinds: tuple[str, ...]
    """The kinds of row that can be added; empty if all are of one kind."""
    most: int | None
    """How many rows there can be."""
    wrong: Wrong | None = None
    """What is wrong with them as a whole."""

    kind = Kind.ROWS
    value = ""

    @property
    def name(self) -> str:
        """Its name in the form."""
        return f"{PREFIX}{self.path}"

    @property
    def label(self) -> str:
        """Its name in words, without that of the row that it is in."""
        return label_of(self.path.rpartition("].")[2])

    @property
    def can_add(self) -> bool:
        """Whether there can be one row more."""
        return self.most is None or len(self.rows) < self.most


Entry = Field | Rows

Json = Any
"""A JSON value."""

Shaped = Any
"""Data in the shape that a form has it."""

_STEP: Final = re.compile(r"([^.\[\]]+)|\[([0-9]{1,3})\]")
"""A step of a path: into an object, or into a row."""


def label_of(path: str) -> str:
    """Return a path in words; a group that is named like its field is named once."""
    said = re.sub(r"\[([0-9]+)\]", lambda found: f" {int(found[1]) + 1}", path)
    return ", ".join(dict.fromkeys(said.split("."))).replace("_", " ")


PREFIX: Final = "data."
"""The beginning of the name of each field of the data."""


class Unfinished(ValueError):
    """A form that cannot be sent: by the path of each field, what is wrong with it."""

    def __init__(self, wrong: Mapping[str, Wrong]) -> None:
        super().__init__("; ".join(each.detail for each in wrong.values()))
        self.wrong = wrong


def fields(command: type[Command], known: Mapping[str, Any]) -> list[Entry]:
    """Return the fields of a command, filled in with the data that is known.

    Fields that only a signed command needs are left out; they are filled in when it is prepared.
    """
    schema = command.model_json_schema()
    return _entries(schema, _shaped(schema, schema.get("$defs", {}), known))


def filled(command: type[Command], given: Mapping[str, str]) -> list[Entry]:
    """Return the fields of a command as a form was filled in, to be shown again."""
    return _entries(command.model_json_schema(), _typed(given))


def _entries(schema: Schema, shaped: Shaped) -> list[Entry]:
    found = _group(schema, schema.get("$defs", {}), "", shaped, is_needed=True)
    return [each for each in found if each.path not in SIGNED]


def flat(entries: Iterable[Entry]) -> Iterator[Entry]:
    """Yield fields and rows with those within them, in the order of the form."""
    for each in entries:
        yield each
        if isinstance(each, Rows):
            for row in each.rows:
                yield from flat(row.entries)


def asked(found: Iterable[Entry], wrong: Mapping[str, Wrong]) -> list[Entry]:
    """Return fields with what is wrong with each.

    The reason for a change is left out until an event changes what is on record.
    """
    marked = [_marked(each, wrong) for each in found]
    return [each for each in marked if each.path != CHANGE_REASON or each.wrong or each.value]


def _marked(entry: Entry, wrong: Mapping[str, Wrong]) -> Entry:
    if isinstance(entry, Rows):
        rows = tuple(
            replace(row, entries=tuple(_marked(each, wrong) for each in row.entries))
            for row in entry.rows
        )
        return replace(entry, rows=rows, wrong=wrong.get(entry.path))
    return replace(entry, wrong=wrong.get(entry.path))


# --- the shape of a field ----------------------------------------------------------------------


class _Shape(StrEnum):
    """What a field is, by its schema."""

    LEAF = "leaf"
    GROUP = "group"
    ROWS = "rows"
    MAP = "map"
    ONE_OF = "one of"
    """An object of one of several kinds, which a field tells apart."""
    EITHER = "either"
    """A list of texts or an object."""


def _shape(one: Schema, named: Schema) -> _Shape:
    match one:
        case {"properties": _}:
            return _Shape.GROUP
        case {"oneOf": _, "discriminator": _}:
            return _Shape.ONE_OF
        case {"anyOf": _}:
            return _Shape.EITHER
        case {"type": "array", "items": items} if resolved(items, named).get("type") != "string":
            return _Shape.ROWS
        case _ if map_values(one) is not None:
            return _Shape.MAP
        case _:
            return _Shape.LEAF


def _row_schemas(one: Schema, named: Schema) -> Mapping[str, Schema]:
    """Return the schemas of a row by kind; of one kind alone, by an empty name."""
    match _shape(one, named):
        case _Shape.MAP:
            key = {"type": "string", "maxLength": 1}
            return {"": {"properties": {KEY: key, VALUE: map_values(one)}}}
        case _Shape.ROWS:
            items = resolved(one["items"], named)
            return _row_schemas(items, named) if "oneOf" in items else {"": items}
        case _:
            kinds = one["discriminator"]["mapping"]
            return {kind: resolved({"$ref": ref}, named) for kind, ref in kinds.items()}


KEY, VALUE, LIST = "key", "value", "list"
"""The parts of a row of a map, and the list of a field that is a list or an object."""


def _choices(one: Schema, named: Schema) -> tuple[Schema, Schema]:
    """Return the list and the object of a field that is either."""
    found = [resolved(each, named) for each in one["anyOf"] if each.get("type") != "null"]
    (group,) = (each for each in found if "properties" in each)
    (listed,) = (each for each in found if "properties" not in each)
    return listed, group


def _kind_field(one: Schema) -> str:
    """Return the field that tells the kinds of rows apart; empty without kinds."""
    match one:
        case {"items": {"discriminator": {"propertyName": str(name)}}}:
            return name
        case {"discriminator": {"propertyName": str(name)}}:
            return name
        case _:
            return ""


# --- from data to fields -----------------------------------------------------------------------


def _shaped(schema: Schema, named: Schema, value: Json) -> Shaped:  # noqa: PLR0911 - a line for each shape
    """Return known data in the shape that a form has it; nothing for data of another kind."""
    one = resolved(schema, named)
    match _shape(one, named), value:
        case _Shape.GROUP, Mapping():
            properties = one["properties"]
            return {
                name: _shaped(properties[name], named, each)
                for name, each in value.items()
                if name in properties
            }
        case _Shape.ROWS, list() | tuple():
            return [_shaped_row(one, named, each) for each in value]
        case _Shape.ONE_OF, Mapping():
            return [_shaped_row(one, named, value)]
        case _Shape.MAP, Mapping():
            values = cast("Schema", map_values(one))
            return [{KEY: key, VALUE: _shaped(values, named, each)} for key, each in value.items()]
        case _Shape.EITHER, list() | tuple():
            return {LIST: _written(value)}
        case _Shape.EITHER, Mapping():
            return _shaped(_choices(one, named)[1], named, value)
        case _Shape.LEAF, _:
            return _written(value)
        case _:
            return None


def _shaped_row(one: Schema, named: Schema, value: Json) -> Json:
    kinds, kind = _row_schemas(one, named), _kind_field(one)
    row = kinds.get(value.get(kind, "") if kind and isinstance(value, Mapping) else "")
    return {} if row is None else _shaped(row, named, value)


def _written(value: Json) -> str:
    if value is None:
        return ""
    if isinstance(value, list | tuple):
        return "\n".join(map(str, value))
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def _group(
    schema: Schema,
    named: Schema,
    prefix: str,
    shaped: Shaped,
    *,
    is_needed: bool,
) -> Iterator[Entry]:
    known = shaped if isinstance(shaped, Mapping) else {}
    for name, described in schema.get("properties", {}).items():
        is_required = is_needed and name in schema.get("required", ())
        yield from _of(described, named, prefix + name, known.get(name), is_required=is_required)


def _of(
    described: Schema,
    named: Schema,
    path: str,
    shaped: Shaped,
    *,
    is_required: bool,
) -> Iterator[Entry]:
    one = resolved(described, named)
    meaning = unsourced(described.get("description") or one.get("description", ""))
    match _shape(one, named):
        case _Shape.GROUP:
            yield from _group(one, named, f"{path}.", shaped, is_needed=is_required)
        case _Shape.EITHER:
            listed, group = _choices(one, named)
            known = shaped if isinstance(shaped, Mapping) else {}
            yield _field(listed, named, f"{path}.{LIST}", known.get(LIST), meaning)
            yield from _group(group, named, f"{path}.", known, is_needed=False)
        case _Shape.LEAF:
            yield _field(one, named, path, shaped, meaning, is_required=is_required)
        case _:
            yield _rows(one, named, path, shaped, meaning, is_required=is_required)


def _field(  # noqa: PLR0913 - what a field is made from
    one: Schema,
    named: Schema,
    path: str,
    shaped: Shaped,
    meaning: str,
    *,
    is_required: bool = False,
) -> Field:
    kind = _kind(one)
    lines = resolved(one["items"], named) if kind is Kind.LINES else one
    choices = tuple(map(str, lines.get("enum", one.get("enum", ()))))
    return Field(
        path=path,
        kind=kind,
        is_required=is_required,
        meaning=meaning,
        choices=choices or ((str(one["const"]),) if "const" in one else ()),
        value=shaped if isinstance(shaped, str) else "",
        example=_EXAMPLES.get(one.get("pattern", ""), ""),
        names_party="party" in meaning and path.rpartition(".")[2] in _OF_PARTIES,
    )


_OF_PARTIES: Final = frozenset({"by", "collected_by", "owner", "paid_by", "party", "to"})
"""The fields that name a party, where their meaning says so."""


def _pattern(kind: Any) -> str:  # noqa: ANN401 - any type of a field
    found: str = TypeAdapter(kind).json_schema()["pattern"]
    return found


_EXAMPLES: Final = {
    DURATION_PATTERN: "P3Y is three years, P6M six months, P60D sixty days.",
    PERIOD_PATTERN: "2026 is a year, 2026-Q3 a quarter, 2026-09 a month.",
    _pattern(RatePeriod): "2026-09 is a month, 2026-09-14 a day.",
}
"""How a value is written, by the pattern of its field."""

_NUMBERS: Final = {_pattern(each) for each in (Number, Quantity, PositiveNumber, Percent, Sureness)}
"""The patterns of decimals."""


def _kind(schema: Schema) -> Kind:  # noqa: PLR0911 - a line for each kind
    match schema:
        case {"enum": _} | {"const": _}:
            return Kind.CHOICE
        case {"type": "boolean"}:
            return Kind.BOOLEAN
        case {"type": "integer"}:
            return Kind.WHOLE
        case {"type": "string", "format": "date"}:
            return Kind.DATE
        case {"type": "string", "format": "date-time"}:
            return Kind.MOMENT
        case {"pattern": pattern} if pattern in _NUMBERS:
            return Kind.NUMBER
        case {"type": "array"}:
            return Kind.LINES
        case _:
            return Kind.LONG if schema.get("maxLength", 0) > LONG else Kind.TEXT


def _rows(  # noqa: PLR0913 - as above
    one: Schema,
    named: Schema,
    path: str,
    shaped: Shaped,
    meaning: str,
    *,
    is_required: bool,
) -> Rows:
    shape, kinds, kind = _shape(one, named), _row_schemas(one, named), _kind_field(one)
    given = shaped if isinstance(shaped, list) else []
    if not given and is_required and not kind:
        given = [{}] * max(one.get("minItems", 1), 2 if shape is _Shape.MAP else 1)
    rows = []
    for place, each in enumerate(given):
        at = f"{path}[{place}]"
        known = each if isinstance(each, Mapping) else {}
        chosen = known.get(kind, "") if kind else ""
        if chosen not in kinds:
            continue
        entries = [*_group(kinds[chosen], named, f"{at}.", known, is_needed=True)]
        if kind:
            fixed = Field(f"{at}.{kind}", Kind.FIXED, is_required=True, meaning="", value=chosen)
            entries = [fixed, *(each for each in entries if each.path != fixed.path)]
        if shape is _Shape.MAP:
            entries = [*_of_map(entries, meaning)]
        title = sentence(words(chosen)) if chosen else f"{place + 1}"
        rows.append(Row(at, title, tuple(entries)))
    most = 1 if shape is _Shape.ONE_OF else one.get("maxItems")
    offered = tuple(kinds) if kind else ()
    return Rows(path, is_required, meaning, tuple(rows), kind, offered, most)


def _of_map(entries: Iterable[Entry], meaning: str) -> Iterator[Entry]:
    is_by_party = "party" in meaning
    for each in entries:
        if isinstance(each, Field):
            is_key = each.path.endswith(f".{KEY}")
            called = ("party" if is_by_party else "name") if is_key else "value"
            names_party = is_key and is_by_party
            yield replace(each, called=called, names_party=names_party, is_required=True)


# --- from what was typed to data ---------------------------------------------------------------


def _typed(given: Mapping[str, str]) -> Shaped:
    """Return what a form was filled in with, in the shape that the names of its fields give."""
    found: dict[str | int, Any] = {}
    for name, text in given.items():
        steps = _steps(name.removeprefix(PREFIX)) if name.startswith(PREFIX) else []
        place: Any = found
        for step in steps[:-1]:
            place = place.setdefault(step, {}) if isinstance(place, dict) else {}
        if steps and isinstance(place, dict):
            place.setdefault(steps[-1], {} if name.endswith("]") else text)
    return _listed(found)


def _steps(path: str) -> list[str | int]:
    found = [int(row) if row else name for name, row in _STEP.findall(path)]
    return found if len(found) <= MOST_STEPS else []


def _listed(typed: Shaped) -> Json:
    """Return what was typed with its rows as lists, in the order of their numbers."""
    if not isinstance(typed, dict):
        return typed
    rows = sorted(each for each in typed if isinstance(each, int))
    if rows:
        return [_listed(typed[each]) for each in rows]
    return {name: _listed(each) for name, each in typed.items()}


def with_row(
    command: type[Command], given: Mapping[str, str], path: str, kind: str = ""
) -> dict[str, str]:
    """Return what a form was filled in with, and one more row at a path, of a kind."""
    found = [each for each in flat(filled(command, given)) if each.path == path]
    if not found or not isinstance(rows := found[0], Rows) or not rows.can_add:
        return {**given}
    name = f"{rows.name}[{_next(given, rows.name)}]"
    return {**given, name: "row", **({f"{name}.{rows.tag}": kind} if rows.tag else {})}


def _next(given: Mapping[str, str], name: str) -> int:
    """Return the number of the next row: rows that were removed leave gaps."""
    row = re.compile(rf"{re.escape(name)}\[([0-9]+)\]")
    return max((int(found[1]) for each in given if (found := row.match(each))), default=-1) + 1


def without_row(given: Mapping[str, str], path: str) -> dict[str, str]:
    """Return what a form was filled in with, without the row at a path."""
    return {name: each for name, each in given.items() if not _is_in(name, PREFIX + path)}


def without_blank_rows(given: Mapping[str, str]) -> dict[str, str]:
    """Return what a form was filled in with, without the rows in which nothing is."""
    found = {**given}
    for row in sorted((each for each in given if _is_row(each)), key=len, reverse=True):
        if not any(name != row and _is_in(name, row) for name in found):
            del found[row]
    return found


def _is_row(name: str) -> bool:
    return name.startswith(PREFIX) and name.endswith("]")


def _is_in(name: str, row: str) -> bool:
    return name == row or name.startswith((f"{row}.", f"{row}["))


@dataclass(frozen=True, slots=True)
class _Reading:
    """What a form is read with, and what is found wrong with it."""

    zone: tzinfo
    """The time zone of a moment that names none."""
    before: Mapping[str, str]
    """What the form was filled in with before anybody changed it, by path."""
    wrong: dict[str, Wrong] = field(default_factory=dict)
    """What is wrong, by path."""


def data(
    command: type[Command],
    given: Mapping[str, str],
    zone: tzinfo = UTC,
    before: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Return the data that a form was filled in with; what is empty is left out.

    `before` is what the form was filled in with before anybody changed it, by path. Raises
    `Unfinished` for what the fields cannot have. Nothing of that is sent, so that a typo is no
    refused input.
    """
    schema, reading = command.model_json_schema(), _Reading(zone, before or {})
    found = _read(schema, schema.get("$defs", {}), "", _typed(given), reading) or {}
    wrong = _wrong(command, found, filled(command, given)) | reading.wrong
    if wrong:
        raise Unfinished(wrong)
    return cast("dict[str, Any]", found)


def _read(
    schema: Schema,
    named: Schema,
    path: str,
    shaped: Shaped,
    reading: _Reading,
) -> Json:
    """Return what was typed into a field as data; None for nothing."""
    one = resolved(schema, named)
    known: Mapping[str, Any] = shaped if isinstance(shaped, Mapping) else {}
    rows: list[Any] = shaped if isinstance(shaped, list) else []
    match _shape(one, named):
        case _Shape.GROUP:
            at = f"{path}." if path else ""
            read = {
                name: _read(each, named, at + name, known.get(name), reading)
                for name, each in one["properties"].items()
            }
            return _without_lone_currency(
                {name: each for name, each in read.items() if each is not None}, path, reading
            )
        case _Shape.ROWS | _Shape.ONE_OF as shape:
            kinds, tag = _row_schemas(one, named), _kind_field(one)
            found = [
                _read(kinds[kind], named, f"{path}[{place}]", each, reading) or {}
                for place, each in enumerate(rows)
                if isinstance(each, Mapping) and (kind := each.get(tag, "") if tag else "") in kinds
            ]
            return (found[0] if shape is _Shape.ONE_OF else found) if found else None
        case _Shape.MAP:
            return _read_map(one, named, path, rows, reading)
        case _Shape.EITHER:
            listed, group = _choices(one, named)
            lines = _read(listed, named, path, known.get(LIST), reading)
            other = _read(group, named, path, known, reading)
            if lines is not None and other is not None:
                reading.wrong[f"{path}.{LIST}"] = _ONE_OF_TWO
            return other if lines is None else lines
        case _:
            text = shaped.strip() if isinstance(shaped, str) else ""
            return _value(one, text, path, reading) if text else None


def _without_lone_currency(
    read: dict[str, Any], path: str, reading: _Reading
) -> dict[str, Any] | None:
    """Return what was read of a group; nothing of an amount that was cleared.

    Its currency was filled in by the page, and perhaps not shown.
    """
    currency = read.get("currency")
    if read.keys() == {"currency"} and currency == reading.before.get(f"{path}.currency"):
        return None
    return read or None


_ONE_OF_TWO: Final = Wrong("Both are filled in", "Fill in the list or what follows it, not both.")


def _read_map(
    one: Schema, named: Schema, path: str, rows: list[Any], reading: _Reading
) -> dict[str, Any] | None:
    found: dict[str, Any] = {}
    values = cast("Schema", map_values(one))
    for place, each in enumerate(rows):
        known = each if isinstance(each, Mapping) else {}
        key = str(known.get(KEY, "")).strip()
        at = f"{path}[{place}]"
        if key in found:
            reading.wrong[f"{at}.{KEY}"] = Wrong(
                f"Two rows are about {key}", "Write both in one row."
            )
        value = _read(values, named, f"{at}.{VALUE}", known.get(VALUE), reading)
        found[key] = "" if value is None else value
    return found or None


def _value(one: Schema, text: str, path: str, reading: _Reading) -> Json:  # noqa: PLR0911 - a line for each kind
    match _kind(one):
        case Kind.LINES:
            return [line.strip() for line in text.splitlines() if line.strip()]
        case Kind.BOOLEAN:
            return text == "true"
        case Kind.NUMBER:
            return _digits(text)
        case Kind.WHOLE:
            digits = _digits(text)
            return int(digits) if digits.lstrip("-").isdecimal() else text
        case Kind.MOMENT:
            try:
                return moment(text, reading.before.get(path), reading.zone)
            except ValueError:
                label = label_of(path.rpartition("].")[2])
                reading.wrong[path] = no_moment(label, text)
                return None
        case Kind.CHOICE:
            return next((each for each in one.get("enum", ()) if str(each) == text), text)
        case _:
            # A browser ends a line with both characters (HTML, "constructing the entry list").
            return text.replace("\r\n", "\n")


_WITH_THOUSANDS: Final = re.compile(r"-?[0-9]{1,3}(,[0-9]{3})+(\.[0-9]+)?")


def _digits(text: str) -> str:
    """Return a number without what a page prints it with: commas of thousands, a minus sign."""
    written = text.replace("\N{MINUS SIGN}", "-")
    return written.replace(",", "") if _WITH_THOUSANDS.fullmatch(written) else written


def moment(text: str, before: str | None, zone: tzinfo) -> str:
    """Return the moment that was typed, in UTC; the exact one if what is shown was not changed.

    Raises `ValueError`.
    """
    if before and text == in_zone(before, zone):
        return before
    found = datetime.fromisoformat(text)
    return instant((found if found.tzinfo else found.replace(tzinfo=zone)).astimezone(UTC))


def in_zone(moment: str, zone: tzinfo) -> str:
    """Return a moment as a browser's field for a day and a time has it; other text as it is."""
    try:
        found = datetime.fromisoformat(moment)
    except ValueError:
        return moment
    return f"{found.astimezone(zone):%Y-%m-%dT%H:%M:%S}" if found.tzinfo else moment


def no_moment(label: str, text: str) -> Wrong:
    """Return what is wrong with a text that is no day and time."""
    return Wrong(
        f"{label} is not a day and a time: {shown(text)}",
        "Choose both, or write them as in 2026-01-31 09:00.",
    )


# --- what is wrong -----------------------------------------------------------------------------


def _wrong(
    command: type[Command], given: Mapping[str, Any], asked: Iterable[Entry]
) -> dict[str, Wrong]:
    """Return what is wrong with data, by the path of its field."""
    try:
        command.model_validate_json(orjson.dumps(given))
    except ValidationError as error:
        entries = {each.path: each for each in flat(asked)}
        found: dict[str, Wrong] = {}
        for each in error.errors(include_url=False):
            path = path_of([str(step) for step in each["loc"]], [*entries.values()])
            label = entries[path].label if path in entries else "The form"
            found.setdefault(path, error_of(label, each))
        return found
    return {}


def path_of(steps: Iterable[str], asked: Sequence[Entry]) -> str:
    """Return the path of the field in which a place of the data is; the first one within it."""
    known = [each.path for each in asked]
    place = ""
    for step in steps:
        longer = (
            f"{place}.{step}" if place else step,
            f"{place}[{step}]",
            f"{place}[0].{step}",
            *(each.path.removesuffix(f".{KEY}") for each in asked if _is_key(each, place, step)),
        )
        place = next((each for each in longer if any(_within(one, each) for one in known)), place)
    return next((each for each in known if _within(each, place)), place)


def _within(path: str, place: str) -> bool:
    return path == place or path.startswith((f"{place}.", f"{place}["))


def _is_key(each: Entry, place: str, step: str) -> bool:
    """Return whether a field has the key of a row of a map."""
    is_key = each.path.startswith(f"{place}[") and each.path.endswith(f"].{KEY}")
    return is_key and each.value == step
