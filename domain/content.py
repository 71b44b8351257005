"""The content of what is accepted or signed: its digest, by which a signature covers it.

An acceptance names a proposal. Its digest makes sure that the accepting party read the same content
as the record has, and whoever has both signed commands can show what both agreed. The digest is the
SHA-256 of the `data` of the event that proposed it, in the canonical form of the record (RFC 8785).
"""

import json
from hashlib import sha256
from typing import Annotated, Any

from pydantic import StringConstraints

from domain.kernel import Event, Refused, Value
from domain.wording import Worded

ContentDigest = Annotated[
    str,
    StringConstraints(pattern=r"^[0-9a-f]{64}$"),
    Worded(
        "is not a SHA-256 digest of 64 hexadecimal digits",
        "Copy it from the inbox, or leave it out of an unsigned event.",
    ),
]
"""A digest of content: 64 hexadecimal digits, in lower case."""

FileDigest = Annotated[
    str,
    StringConstraints(pattern=r"^[0-9a-f]{64}$"),
    Worded(
        "is not the SHA-256 of a file in 64 hexadecimal digits",
        "Compute the SHA-256 of the file, or leave it out.",
    ),
]
"""The SHA-256 of a file that is not in the record: 64 hexadecimal digits, in lower case."""


class Consent(Value):
    """The field of a command that accepts or signs something."""

    content: ContentDigest | None = None
    """The digest of what is accepted, as `accord inbox` prints it. A signed event must have it."""


def digest(value: Value) -> str:
    """Return the digest of what an event proposed or stated, or of a part of it."""
    return digest_of(value.model_dump(mode="json", exclude_none=True))


def digest_of(value: Any) -> str:  # noqa: ANN401 - any JSON
    """Return the digest of a value of JSON in its canonical form."""
    canonical = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return sha256(canonical.encode()).hexdigest()


def check(consent: Consent, proposed: Event) -> None:
    """Raise `Refused` if a command names other content than what was proposed."""
    if consent.content is None:
        return
    found = digest(proposed)
    if consent.content != found:
        raise Refused(
            "other-content",
            "Only what is on record can be accepted. The event accepts the content "
            f"{consent.content}; the content on record is {found}.",
            "Read what is on record. If you accept it, send the event with its digest.",
            field="content",
            content=found,
        )
