"""Errors of fields and parameters in our own words: what is wrong, and a hint.

Types of fields word their own errors (`wrong`, `Worded`), so that a mistake reads the same in an
event, over HTTP and on the command line. Errors of pydantic itself are worded by a table.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any, Final

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, ErrorDetails, PydanticCustomError
from pydantic_core.core_schema import custom_error_schema

WRONG_VALUE: Final = "wrong-value"

LONGEST_SHOWN: Final = 80
"""Characters of a wrong value that an error repeats."""


_MEMBER: Final = re.compile(r"<[\w.]+: ('[^']*')>")
"""A member of an enumeration as Python shows it; people read its value."""


def wrong(detail: str, hint: str, rule: str = WRONG_VALUE) -> ValueError:
    """Return the error of a value, for a validator to raise.

    `detail` goes on from the name of the field: "is not a date". `rule` is the rule that is broken.
    """
    return PydanticCustomError(rule, detail, {"hint": hint})


@dataclass(frozen=True, slots=True)
class Worded:
    """Replaces every error of the annotated type by one in our words (see `wrong`)."""

    detail: str
    hint: str
    rule: str = WRONG_VALUE

    def __get_pydantic_core_schema__(
        self,
        source: Any,  # noqa: ANN401 - any type
        handler: GetCoreSchemaHandler,
    ) -> CoreSchema:
        """Return the schema of the type with its errors replaced."""
        return custom_error_schema(
            handler(source),
            custom_error_type=self.rule,
            custom_error_message=self.detail,
            custom_error_context={"hint": self.hint},
        )


_DETAILS: Final[Mapping[str, str]] = {
    "missing": "is missing",
    "extra_forbidden": "is not known",
    "string_type": "is not text",
    "string_too_short": "has fewer than {min_length} characters",
    "string_too_long": "has more than {max_length} characters",
    "int_type": "is not a whole number",
    "int_from_float": "is not a whole number",
    "int_parsing": "is not a whole number",
    "int_parsing_size": "is too large",
    "bool_type": "is not true or false",
    "bool_parsing": "is not true or false",
    "list_type": "is not a list",
    "dict_type": "is not an object",
    "model_type": "is not an object",
    "model_attributes_type": "is not an object",
    "enum": "is not one of {expected}",
    "literal_error": "is not {expected}",
    "greater_than_equal": "is below {ge}",
    "greater_than": "is not above {gt}",
    "less_than_equal": "is above {le}",
    "less_than": "is not below {lt}",
    "too_short": "has fewer items than {min_length}",
    "too_long": "has more items than {max_length}",
    "union_tag_invalid": "is not of a known kind; the kinds are {expected_tags}",
    "union_tag_not_found": "does not say its kind ({discriminator})",
}


def detail_of(error: ErrorDetails, place: str) -> str:
    """Return what is wrong at a place, without a full stop: "period is not a period: '2026-Q5'"."""
    context, value = error.get("ctx", {}), error["input"]
    if "hint" in context:
        detail = error["msg"]
    elif words := _DETAILS.get(error["type"]):
        detail = _MEMBER.sub(r"\1", words.format(**context))
    else:
        return f"{place}: {error['msg'].removeprefix('Value error, ')}"
    is_shown = isinstance(value, str | int | float) and error["type"] != "extra_forbidden"
    return f"{place} {detail}: {shown(value)}" if is_shown else f"{place} {detail}"


def hint_of(error: ErrorDetails) -> str | None:
    """Return the hint that a type gave with its error, None for an error of pydantic itself."""
    found: str | None = error.get("ctx", {}).get("hint")
    return found


def shown(value: str | float) -> str:
    """Return a wrong value as an error repeats it: on one line, and not longer than a line.

    A number is written as in JSON, and one that no program can represent as such.
    """
    match value:
        case str():
            text = repr(value)
        case bool():
            text = "true" if value else "false"
        case _:
            text = str(value) if isfinite(value) else "a number that is too large"
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}…"
