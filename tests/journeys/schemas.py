"""The schemas of what is published, and the check of a message against the one that it names."""

from typing import Any, Protocol

import orjson
from jsonschema import Draft202012Validator, FormatChecker

from infra.exchange import published

SCHEMAS = published.json_schemas()
BY_NAME = {each["$id"]: each for each in SCHEMAS.values()}


class Carries(Protocol):
    """A message, sent or received."""

    @property
    def value(self) -> bytes | None: ...

    @property
    def headers(self) -> Any: ...  # noqa: ANN401 - pairs, as the client library has them


def keeps_to(message: Carries) -> str:
    """Check the value of a message against the schema that it names; return that name."""
    name: str = dict(message.headers)["ce_dataschema"].decode()
    validator = Draft202012Validator(BY_NAME[name], format_checker=FormatChecker())
    validator.validate(orjson.loads(message.value or b"null"))
    return name
