"""The types of parameters: what a question can be asked with, and the words for what it cannot.

The command line reads text with `read`, HTTP lets FastAPI read it by the same types. Both word an
error with `error_of`, so a mistake reads the same on both.
"""

import re
from datetime import datetime
from functools import cache
from typing import Annotated, Any, Final, NamedTuple

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    StringConstraints,
    TypeAdapter,
    ValidationError,
    WithJsonSchema,
)
from pydantic_core import ErrorDetails

from domain.people import is_reserved
from domain.times import YEARS_OF_DAYS, YEARS_OF_MOMENTS, end_or_moment, start_or_moment
from domain.values import PersonName
from domain.wording import Worded, detail_of, hint_of, wrong

LONGEST_PAGE: Final = 1000
"""Items of one page at most."""

LONGEST_NAME: Final = 300
"""Characters of a name or a cursor at most."""

_WHOLE = re.compile(r"0|-?[1-9][0-9]{0,15}")


def _whole(value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and _WHOLE.fullmatch(value):
        return int(value)
    raise wrong("is not a whole number", "Write digits alone, as in 20.")


def _flag(value: object) -> bool:
    if isinstance(value, bool):
        return value
    if value in {"true", "false"}:
        return value == "true"
    raise wrong("is neither true nor false", "Write true or false.")


Whole = Annotated[int, Field(ge=0), BeforeValidator(_whole)]
"""A whole number, written in digits."""

PositiveWhole = Annotated[int, Field(ge=1), BeforeValidator(_whole)]
"""A whole number from 1 on."""

PageSize = Annotated[int, Field(ge=1, le=LONGEST_PAGE), BeforeValidator(_whole)]
"""How many items a page has at most."""

Flag = Annotated[bool, BeforeValidator(_flag)]
"""Yes or no."""

_DATE_OR_MOMENT = WithJsonSchema(
    {
        "type": "string",
        "anyOf": [
            {"format": "date", "pattern": YEARS_OF_DAYS},
            {"format": "date-time", "pattern": YEARS_OF_MOMENTS},
        ],
    }
)

When = Annotated[datetime, BeforeValidator(end_or_moment), _DATE_OR_MOMENT]
"""A date, which means the whole of that day (UTC), or a moment (RFC 3339)."""

Since = Annotated[datetime, BeforeValidator(start_or_moment), _DATE_OR_MOMENT]
"""A date, which means the beginning of that day (UTC), or a moment (RFC 3339)."""

NotEmpty = Annotated[
    str,
    StringConstraints(min_length=1),
    Worded("is empty", "Write the text, or leave the parameter out."),
]
"""Text of any length."""

Name = Annotated[
    str,
    StringConstraints(pattern=rf"^[^\x00-\x1f\x7f-\x9f]{{1,{LONGEST_NAME}}}$"),
    Worded(
        f"is not a name of 1 to {LONGEST_NAME} characters without control characters",
        "Write the name as an answer shows it.",
    ),
]
"""The name of something: a review, a metric, an alert."""


def _own(name: str) -> str:
    if is_reserved(name):
        raise wrong("is a name in which only Accord acts", "Name the person or the service.")
    return name


Person = Annotated[PersonName, AfterValidator(_own)]
"""The name of a person or a service that acts."""


class WrongParameter(ValueError):
    """A parameter is wrong: which one, what is wrong with it, and what to do."""

    def __init__(self, name: str, detail: str, hint: str) -> None:
        super().__init__(f"{detail}. {hint}")
        self.name = name
        self.detail = detail
        self.hint = hint


_HINTS: Final = {
    "missing": "Add {name} to the request.",
    "greater_than_equal": "Write a number from {ge} on.",
    "less_than_equal": "Write a number up to {le}.",
    "enum": "Write {expected}.",
    "literal_error": "Write {expected}.",
}


class Wrong(NamedTuple):
    """What is wrong with a parameter, and what to do."""

    detail: str
    hint: str


def error_of(name: str, error: ErrorDetails) -> Wrong:
    """Return the detail and the hint of a validator's error; `hint` is empty if none is known."""
    hint = hint_of(error) or _HINTS.get(error["type"], "").format(name=name, **error.get("ctx", {}))
    return Wrong(detail_of(error, name), hint)


def read(name: str, kind: Any, value: object) -> Any:  # noqa: ANN401 - any type of a parameter
    """Return the value of a parameter. Raises `WrongParameter`."""
    try:
        return _adapter(kind).validate_python(value)
    except ValidationError as error:
        raise WrongParameter(name, *error_of(name, error.errors()[0])) from None


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:  # noqa: ANN401 - any type of a parameter
    return TypeAdapter(kind)
