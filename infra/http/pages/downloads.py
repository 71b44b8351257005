"""What is beside a page: the same answer as JSON, and its items as a table (CSV, RFC 4180).

A cell of a table is one value: a text, a number, a day. A part of an item has columns of its own
(`rule.text`), and a list is one text, so that a spreadsheet can sort and sum. The JSON has it all.
"""

import csv
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from io import StringIO
from types import UnionType
from typing import Any, Final, get_args, get_origin, get_type_hints

from fastapi import Response
from pydantic import BaseModel, TypeAdapter

_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
"""How a cell begins that a spreadsheet would compute."""


def as_json(answer: BaseModel) -> Response:
    """Return an answer as the API gives it."""
    return Response(answer.model_dump_json(), media_type="application/json")


def as_csv(name: str, kind: type, items: Iterable[object], *, without: str = "") -> Response:
    """Return items of a kind as a table to download; without items, its header alone.

    `without` are fields, separated by blanks, that the table leaves to the JSON. Text of the
    parties that a spreadsheet would take for a formula has an apostrophe before it.
    """
    left_out = frozenset(without.split())
    adapter: TypeAdapter[Any] = TypeAdapter(kind)
    dumped = [_kept(adapter.dump_python(each, mode="json"), left_out) for each in items]
    known = [each for each in _columns(kind) if each.partition(".")[0] not in left_out]
    parts = {each[:place] for each in known for place, at in enumerate(each) if at == "."}
    rows = [dict(_cells(each, parts)) for each in dumped]
    columns = dict.fromkeys(each for each in known if not each.endswith(_ANY))
    columns |= dict.fromkeys(column for row in rows for column in row)
    written = StringIO(newline="")
    table = csv.writer(written)
    table.writerow(map(_cell, columns))
    table.writerows([_cell(row.get(each)) for each in columns] for row in rows)
    headers = {"Content-Disposition": f'attachment; filename="{name}.csv"'}
    return Response(written.getvalue(), headers=headers, media_type="text/csv")


def _kept(item: Mapping[str, Any], left_out: frozenset[str]) -> Mapping[str, Any]:
    return {name: value for name, value in item.items() if name not in left_out}


_ANY: Final = ".*"
"""The end of a field whose parts are named by the items themselves, such as currencies."""


def _columns(kind: type, before: str = "") -> Iterator[str]:
    """Yield the columns of a kind of items, with those of its parts."""
    for name, hint in _fields(kind).items():
        choices = get_args(hint) if isinstance(hint, UnionType) else (hint,)
        if part := next(filter(_fields, choices), None):
            yield from _columns(part, f"{before}{name}.")
        else:
            yield f"{before}{name}{_ANY if any(map(_is_map, choices)) else ''}"


def _fields(kind: Any) -> Mapping[str, Any]:  # noqa: ANN401 - any annotation
    """Return the fields of a kind of items, each with its type; none for any other type."""
    if not isinstance(kind, type):
        return {}
    if issubclass(kind, BaseModel):
        return {name: field.annotation for name, field in kind.model_fields.items()}
    if is_dataclass(kind):
        hints = get_type_hints(kind)
        return {each.name: hints[each.name] for each in fields(kind)}
    return {}


def _is_map(hint: Any) -> bool:  # noqa: ANN401 - any annotation
    origin = get_origin(hint)
    return isinstance(origin, type) and issubclass(origin, Mapping)


def _cells(
    item: Mapping[str, Any], parts: Container[str], before: str = ""
) -> Iterator[tuple[str, object]]:
    for name, value in item.items():
        column = before + name
        if column not in parts:
            yield column, value
        elif value is not None:  # Else the columns of its parts stay empty.
            yield from _cells(value, parts, f"{column}.")


def _cell(value: object) -> str:
    text = _text(value)
    return text if _is_number(text) or not text.startswith(_FORMULA) else f"'{text}"


def _text(value: object) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case list():
            return "; ".join(filter(None, map(_text, value)))
        case dict():
            return " ".join(filter(None, map(_text, value.values())))
        case _:
            return f"{value}"


def _is_number(text: str) -> bool:
    digits = text.removeprefix("-").replace(".", "", 1)
    return digits.isascii() and digits.isdigit()
