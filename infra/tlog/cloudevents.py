"""The forms in which CloudEvents 1.0 travel: structured, binary, batches, JSON lines."""

from collections.abc import Iterator, Mapping
from urllib.parse import unquote

import orjson

from infra.tlog import codec

STRUCTURED = "application/cloudevents+json"
"""The media type of an event in structured mode."""

PREFIX = "accord."
"""The prefix of the type of a CloudEvent for Accord."""


def split(body: bytes) -> Iterator[bytes]:
    """Split a body into its messages: one object, a batch (an array), or JSON lines.

    The members of a batch are written anew. A batch that is not JSON, or cannot be written anew,
    is returned whole, so that it is refused as such.
    """
    stripped = body.strip()
    if stripped.startswith(b"["):
        try:
            yield from [orjson.dumps(member) for member in codec.parse(stripped)]
        except (codec.OutsideProfile, TypeError):
            yield stripped
        return
    lines = [line for line in stripped.splitlines() if line.strip()]
    if len(lines) > 1 and not _is_one_value(stripped):
        yield from lines
    else:
        yield stripped


def _is_one_value(body: bytes) -> bool:
    try:
        orjson.loads(body)
    except orjson.JSONDecodeError:
        return False
    return True


def from_binary(headers: Mapping[str, str], body: bytes) -> bytes:
    """Return the structured form of a message in binary mode (CloudEvents HTTP binding, 3.1).

    Attributes are the ``ce-`` headers, percent-encoded; the body is the data.
    """
    attributes = {
        name.lower().removeprefix("ce-"): unquote(value)
        for name, value in headers.items()
        if name.lower().startswith("ce-")
    }
    attributes["datacontenttype"] = headers.get("content-type", "application/json").split(";")[0]
    return spliced(attributes, body)


def spliced(attributes: Mapping[str, str], body: bytes) -> bytes:
    """Return the structured form of a message in binary mode: attributes and a body."""
    data = body.strip()
    if not _is_one_value(data):
        # Other bytes could add attributes; as a string they are refused, under the event's id.
        data = orjson.dumps(data.decode(errors="replace"))
    # The data's own bytes are used, so that a duplicate key in them is still found.
    return orjson.dumps(attributes)[:-1] + b',"data":' + data + b"}"
