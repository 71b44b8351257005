"""Opaque cursors: how a reader names the place where the next page begins.

What is inside may change between releases, so readers keep a cursor as it is and send it back.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from hashlib import sha256
from typing import Any

import orjson

from domain.wording import shown
from infra.answers.logs import NOW, AsOf, NotFound


def asked(name: str, *given: str | bool | None, when: AsOf = NOW) -> str:
    """Return the name of a question as it was asked: of what, as of when, by which viewer.

    A cursor of one is refused by another, because its place would be another one there.
    """
    content = orjson.dumps([given, when.asked.model_dump(mode="json")])
    return f"{name}#{sha256(content).hexdigest()[:12]}"


def written(question: str, *place: str | int) -> str:
    """Return the cursor of a place in the answer to a question (see `asked`)."""
    return urlsafe_b64encode(orjson.dumps([question, *place])).decode().rstrip("=")


def read(question: str, cursor: str, *parts: type[str] | type[int]) -> list[Any]:
    """Return the place that a cursor names: its parts, of these types; no number is negative.

    Raises `NotFound` for a cursor of another question.
    """
    try:
        found = orjson.loads(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except ValueError:
        found = None
    if not isinstance(found, list) or not _fits(found, question, parts):
        raise NotFound(
            f"{shown(cursor)} is not a cursor of this {question.partition('#')[0]}.",
            "Send the `next` of the previous page of the same question, or no cursor for the "
            "first page.",
        )
    return list(found[1:])


def _fits(found: list[Any], question: str, parts: tuple[type, ...]) -> bool:
    name, *place = found or [None]
    if name != question or [type(each) for each in place] != list(parts):
        return False
    return not any(isinstance(each, int) and each < 0 for each in place)
