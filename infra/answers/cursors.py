"""Opaque cursors: how a reader names the place where the next page begins.

What is inside may change between releases, so readers keep a cursor as it is and send it back.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any

import orjson

from infra.answers.logs import NotFound


def written(question: str, *place: str | int) -> str:
    """Return the cursor of a place in the answer to a question."""
    return urlsafe_b64encode(orjson.dumps([question, *place])).decode().rstrip("=")


def read(question: str, cursor: str, *parts: type[str] | type[int]) -> list[Any]:
    """Return the place that a cursor names: its parts, which are of these types.

    Raises `NotFound` for a cursor of another question.
    """
    try:
        found = orjson.loads(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except ValueError:
        found = None
    named = isinstance(found, list) and found[:1] == [question]
    if not named or [type(each) for each in found[1:]] != list(parts):
        raise NotFound(
            f"The cursor {cursor!r} is not a cursor of {question}.",
            "Send the `next` of the previous page, or no cursor for the first page.",
        )
    return list(found[1:])
