"""Opaque cursors: how a reader names the place where the next page begins.

What is inside may change between releases, so readers keep a cursor as it is and send it back.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode

import orjson

from infra.answers.logs import NotFound


def written(question: str, *place: str | int) -> str:
    """Give the cursor of a place in the answer to a question."""
    return urlsafe_b64encode(orjson.dumps([question, *place])).decode().rstrip("=")


def read(question: str, cursor: str) -> list[str | int]:
    """Give the place that a cursor names. Raises `NotFound` for a cursor of another question."""
    try:
        found = orjson.loads(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except ValueError:
        found = None
    if not isinstance(found, list) or found[:1] != [question]:
        raise NotFound(
            f"The cursor {cursor!r} is not one of {question}.",
            "Send the cursor that the page before gave as its next, or none for the first page.",
        )
    return found[1:]
