"""What is beside a page: the same answer as JSON, and its items as a table (CSV, RFC 4180)."""

import csv
from collections.abc import Iterable, Mapping
from io import StringIO
from typing import Any, Final

import orjson
from fastapi import Response
from pydantic import BaseModel, TypeAdapter

_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
"""How a cell begins that a spreadsheet would compute."""


def as_json(answer: BaseModel) -> Response:
    """Return an answer as the API gives it."""
    return Response(answer.model_dump_json(), media_type="application/json")


def as_csv(name: str, items: Iterable[object]) -> Response:
    """Return items as a table to download: a column for each field, nested values as JSON.

    Text of the parties that a spreadsheet would take for a formula has an apostrophe before it.
    """
    rows = [_row(each) for each in items]
    columns = list(dict.fromkeys(column for row in rows for column in row))
    written = StringIO(newline="")
    table = csv.DictWriter(written, columns)
    table.writeheader()
    table.writerows(rows)
    headers = {"Content-Disposition": f'attachment; filename="{name}.csv"'}
    return Response(written.getvalue(), headers=headers, media_type="text/csv")


def _row(item: object) -> dict[str, str]:
    dumped: Mapping[str, Any] = TypeAdapter(type(item)).dump_python(item, mode="json")
    return {name: _cell(value) for name, value in dumped.items()}


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return value if _is_number(value) or not value.startswith(_FORMULA) else f"'{value}"
    return orjson.dumps(value).decode()


def _is_number(text: str) -> bool:
    digits = text.removeprefix("-").replace(".", "", 1)
    return digits.isascii() and digits.isdigit()
