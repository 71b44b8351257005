"""The forms in which CloudEvents 1.0 travel: structured, binary, batches, streams of objects."""

import re
from base64 import b64decode
from codecs import BOM_UTF8
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from typing import Any, Final
from urllib.parse import unquote_to_bytes

import orjson

from infra.tlog import codec

STRUCTURED: Final = "application/cloudevents+json"
"""The media type of an event in structured mode."""

PREFIX: Final = "accord."
"""The prefix of the type of a CloudEvent for Accord."""

SCHEMAS: Final = "urn:accord:schema:"
"""The prefix of the names of schemas (`dataschema`)."""

NOT_UTF8: Final = "not UTF-8"
"""The member that replaces the text of a header that is not UTF-8."""


def dataschema(type: str, version: int = 1) -> str:
    """Return the name of the schema of what is published under a type, without its prefix."""
    return f"{SCHEMAS}{type}:{version}"


# --- URI references ----------------------------------------------------------------------------


def _uri_reference() -> str:
    """Return the grammar of a URI reference (RFC 3986, appendix A) as a pattern."""
    plain, encoded = "-A-Za-z0-9._~!$&'()*+,;=", "%[0-9A-Fa-f]{2}"
    name, user, segment, first = (f"(?:[{plain}{more}]|{encoded})" for more in ("", ":", ":@", "@"))
    address = rf"\[(?:[0-9A-Fa-f:.]+|v[0-9A-Fa-f]+\.[{plain}:]+)\]"
    authority = f"(?:{user}*@)?(?:{address}|{name}*)(?::[0-9]*)?"
    absolute = f"//{authority}(?:/{segment}*)*|/(?:{segment}+(?:/{segment}*)*)?"
    # Without a scheme, a colon in the first segment would make it one.
    path = (
        f"[A-Za-z][A-Za-z0-9+.-]*:(?:{absolute}|{segment}+(?:/{segment}*)*)?"
        f"|(?:{absolute}|{first}+(?:/{segment}*)*)?"
    )
    rest = f"(?:{segment}|[/?])*"
    return rf"(?:{path})(?:\?{rest})?(?:#{rest})?"


URI_REFERENCE: Final = f"^(?:{_uri_reference()})$"
"""The pattern of a URI reference (RFC 3986, section 4.1); the empty one is one, too."""

_URI = re.compile(URI_REFERENCE)

_URIS: Final = frozenset({"source", "dataschema"})
"""The attributes that are URI references (CloudEvents 1.0, section 3)."""


# --- one body, many messages -------------------------------------------------------------------

_TOKEN = re.compile(rb'"(?:[^"\\\r\n]|\\[^\r\n])*"|[][{},]')
"""A string, which may contain braces, or a character of structure."""


def split(body: bytes) -> Iterator[bytes]:
    """Return the messages of a body: one object, a batch (an array), or a stream of objects."""
    return stream(body.splitlines(keepends=True))


def is_array(body: bytes) -> bool:
    """Return whether a body is one JSON array."""
    text = body.removeprefix(BOM_UTF8).strip()
    return text.startswith(b"[") and _is_json(text)


def stream(lines: Iterable[bytes]) -> Iterator[bytes]:
    """Return the messages of a feed, given line by line: objects one after another, or an array.

    Objects may be one a line, or written over several lines. An object ends where its braces
    close. One whose braces do not close ends before the next line that begins with a brace, so
    that it does not take the objects after it with it. Text between objects is a message of its
    own, by line.
    """
    rest = (line.removeprefix(BOM_UTF8) for line in lines)
    first = next((line for line in rest if line.strip()), b"")
    if first.lstrip().startswith(b"["):
        return _members(b"".join([first, *rest]).strip())
    return _objects(chain([first], rest))


def _objects(lines: Iterable[bytes]) -> Iterator[bytes]:
    begun: list[bytes] = []
    depth = 0
    for line in lines:
        if line.startswith(b"{"):
            yield from _text(begun)
            begun, depth = [], 0
            if _is_one_value(line):
                yield line.strip()
                continue
        start = 0
        for token in _TOKEN.finditer(line):
            depth += _DEEPER.get(token[0], 0)
            if depth <= 0 and token[0] in _CLOSING:
                yield from _text([*begun, line[start : token.end()]])
                begun, start, depth = [], token.end(), 0
        begun.append(line[start:])
        if depth == 0:
            yield from _text(begun)
            begun = []
    yield from _text(begun)


def _text(parts: list[bytes]) -> Iterator[bytes]:
    text = b"".join(parts).strip()
    if text:
        yield text


_CLOSING = frozenset({b"}", b"]"})
_DEEPER = {b"{": 1, b"[": 1} | dict.fromkeys(_CLOSING, -1)


def _members(array: bytes) -> Iterator[bytes]:
    """Yield the members of an array as they are written; the array itself, if it is not JSON.

    A member is cut out and not parsed. So one that cannot be read, such as an object that names a
    key twice, is refused alone, and memory is needed only for the members that are taken.
    """
    if not _is_json(array):
        yield array
        return
    depth, start = 0, 1
    for token in _STRUCTURE.finditer(array):
        depth += _DEEPER.get(token[1], 0)
        if depth == 0 or (depth == 1 and token[1] == b","):
            if member := array[start : token.end() - 1].strip():
                yield member
            start = token.end()


_STRUCTURE = re.compile(rb'(?:[^][{},"]|"[^"\\]*+(?:\\.[^"\\]*+)*+")*+([][{},])')
"""A character of structure in JSON, with the strings and the rest before it."""

_STRING = re.compile(
    rb'"[^"\\\x00-\x1f]*+(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\\x00-\x1f]*+)*+"'
)
_NUMBER = re.compile(rb"-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?(?:[eE][-+]?[0-9]++)?")


def _is_json(body: bytes) -> bool:
    """Return whether a body is JSON by its grammar (RFC 8259).

    Parsers refuse some of it: a lone surrogate, `1e400`, a number of thousands of digits. So
    strings and numbers are checked by their own patterns first, and replaced by what no neighbour
    can make part of another number. They also refuse values that are nested deeply, which are read
    token by token.
    """
    if _is_one_value(body):
        return True
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    reduced = _NUMBER.sub(b"{}", _STRING.sub(b'""', body))
    try:
        orjson.loads(reduced)
    except orjson.JSONDecodeError as error:
        return error.msg == _TOO_DEEP and _is_nested_json(reduced)
    return True


_TOO_DEEP = "depth limit exceeded"
"""What orjson says of more than 1,024 levels."""

_MOST_TOKENS = 500_000
"""The most tokens that are read one by one, which takes a second."""

_FLAT_PASSES = 8
"""As deep as events are nested. These are checked by patterns, which is quicker."""

_SCALAR = rb'(?:""|\{\}|true|false|null)'
_FLAT = re.compile(
    rb'\[\s*(?:V(?:\s*,\s*V)*+)?\s*\]|\{\s*""\s*:\s*V(?:\s*,\s*""\s*:\s*V)*+\s*\}'.replace(
        b"V", _SCALAR
    ).replace(rb"\s", rb"[ \t\r\n]")
)
_RUN = re.compile(
    rb"([\[,][ \t\r\n]*)\{\}(?:[ \t\r\n]*,[ \t\r\n]*\{\})++"  # Members of an array.
)
_TOKENS = re.compile(
    rb'[ \t\r\n]*+(?:(?P<text>"")|(?P<other>\{\}|true|false|null)|(?P<structure>[][{},:]))'
    rb"[ \t\r\n]*+"
)
_NEXT = {
    "value": {"text": "end", "other": "end", "[": "item", "{": "member"},
    "item": {"text": "end", "other": "end", "[": "item", "{": "member", "]": "end"},
    "member": {"text": "colon", "}": "end"},
    "key": {"text": "colon"},
    "colon": {":": "value"},
    "end": {",": "value", "]": "end", "}": "end"},
}
"""What may follow at each place of a document, and the place after it."""


def _is_nested_json(reduced: bytes) -> bool:
    """Return whether a body is one JSON value at any depth, of at most `_MOST_TOKENS` deep tokens.

    Its strings are replaced by empty ones, its numbers by empty objects.
    """
    for _ in range(_FLAT_PASSES):
        reduced = _FLAT.sub(b"{}", reduced)
    reduced = _RUN.sub(rb"\1{}", reduced)
    place, end = "value", 0
    containers: list[str] = []
    for token in islice(_TOKENS.finditer(reduced), _MOST_TOKENS):
        kind = str(token.lastgroup)
        if kind == "structure":
            kind = token[kind].decode()
        following = _NEXT[place].get(kind)
        if token.start() != end or following is None or (place == "end" and not containers):
            return False
        place, end = following, token.end()
        if kind in "[{":
            containers.append(kind)
        elif kind in "]}":
            if containers.pop() != _OPENED_BY[kind]:
                return False
        elif kind == "," and containers[-1] == "{":
            place = "key"
    return place == "end" and end == len(reduced) and not containers


_OPENED_BY = {"]": "[", "}": "{"}


def _is_one_value(body: bytes) -> bool:
    try:
        orjson.loads(body)
    except orjson.JSONDecodeError:
        return False
    return True


# --- binary mode -------------------------------------------------------------------------------

_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')
_ESCAPED = re.compile(r"\\(.)")


def from_binary(headers: Iterable[tuple[str, str]], body: bytes) -> bytes:
    """Return the structured form of a message in binary mode (CloudEvents HTTP binding, 3.1).

    Attributes are the ``ce-`` headers; the body is the data, and ``Content-Type`` its type. Header
    values are decoded as Latin-1, as HTTP servers give them.
    """
    named = [(name.lower(), value) for name, value in headers]
    attributes = [
        (attribute, _decoded(attribute, value))
        for attribute, value in (
            (name.removeprefix("ce-"), value) for name, value in named if name.startswith("ce-")
        )
        if attribute != "datacontenttype"
    ]
    kinds = [value.encode("latin-1") for name, value in named if name == "content-type"]
    return spliced([*attributes, *(("datacontenttype", kind) for kind in kinds)], body)


def _decoded(attribute: str, value: str) -> bytes:
    """Return a header's value: unquoted, then percent-decoded (HTTP binding, 3.1.3.2).

    Only a value that is quoted as a whole is unquoted. SDKs that do not encode at all send quotes
    within a value as they are, and a URI with its own percent-encoding. Such a URI is kept.
    """
    quoted = _QUOTED.fullmatch(value)
    plain = _ESCAPED.sub(r"\1", quoted[1]) if quoted else value
    decoded = unquote_to_bytes(plain.encode("latin-1"))
    was_not_encoded = attribute in _URIS and not _URI.fullmatch(decoded.decode("latin-1"))
    return plain.encode() if was_not_encoded and _URI.fullmatch(plain) else decoded


def spliced(attributes: Iterable[tuple[str, bytes]], body: bytes) -> bytes:
    """Return the structured form of a message in binary mode: attributes and a body.

    An attribute that is given twice is written twice, so that it is refused as a duplicate key. A
    value that is not UTF-8 becomes an object with the member `NOT_UTF8`.
    """
    members = [orjson.dumps(name) + b":" + _written(value) for name, value in attributes]
    if data := body.removeprefix(BOM_UTF8).strip():
        if not _is_one_value(data):
            # Other bytes could add attributes; as a string they are refused, under the event's id.
            data = orjson.dumps(data.decode(errors="replace"))
        # The data's own bytes are used, so that a duplicate key in them is still found.
        members.append(b'"data":' + data)
    return b"{" + b",".join(members) + b"}"


def _written(value: bytes) -> bytes:
    try:
        return orjson.dumps(value.decode())
    except UnicodeDecodeError:
        return orjson.dumps({NOT_UTF8: value.decode("latin-1")})


# --- the data and its type ---------------------------------------------------------------------


def media_type(content_type: str) -> tuple[str, str]:
    """Return the media type of a content type and its charset, in lower case; empty if absent."""
    kind, _, parameters = content_type.lower().partition(";")
    charset = parameters.replace('"', "").partition("charset=")[2].partition(";")[0]
    return kind.strip(), charset.strip()


def is_json(content_type: str) -> bool:
    """Return whether a content type is that of JSON in UTF-8 (JSON event format, 3.1)."""
    kind, charset = media_type(content_type)
    return charset in UTF8 and (kind in _JSON or kind.endswith("+json"))


_JSON = frozenset({"application/json", "text/json"})
UTF8 = frozenset({"", "utf-8", "utf8", "us-ascii"})
"""Charsets of JSON that can be read; ASCII is a part of UTF-8."""


BASE64: Final = "data_base64"
"""The member of an event that has its data in Base64."""


class Unclear(ValueError):
    """An event whose data cannot be told from its member `BASE64`."""


def without_nulls(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    """Return a JSON value without the members that are null, which are unset (JSON format, 2.2)."""
    if isinstance(value, dict):
        return {name: without_nulls(each) for name, each in value.items() if each is not None}
    return [without_nulls(each) for each in value] if isinstance(value, list) else value


def with_data(event: dict[str, Any]) -> dict[str, Any]:
    """Return an event with its ``data_base64`` read as its ``data`` (JSON event format, 3.1.1).

    Raises `Unclear` if it has both, or if they are not JSON in Base64.
    """
    if BASE64 not in event:
        return event
    if "data" in event:
        raise Unclear("The event has both data and data_base64.")
    rest = {name: each for name, each in event.items() if name != BASE64}
    try:
        body = b64decode(event[BASE64], validate=True)
        data = codec.parse(body.removeprefix(BOM_UTF8))
    except (TypeError, ValueError) as error:
        why = error.detail if isinstance(error, codec.OutsideProfile) else "not Base64"
        raise Unclear(f"The data cannot be read: {why}.") from None
    return rest | {"data": without_nulls(data)}


# --- traces ------------------------------------------------------------------------------------

_TRACEPARENT = re.compile(
    r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}"
)
_TRACESTATE = re.compile(r"[\x20-\x7e]{1,512}")

TRACE: Final = ("traceparent", "tracestate")
"""The attributes of the extension for distributed tracing."""

Trace = dict[str, str]
"""The trace of an event: `TRACE`, as far as it has them."""


def trace_of(raw: bytes) -> Trace:
    """Return the trace of an event in structured JSON; nothing if the bytes are not JSON."""
    try:
        return trace(orjson.loads(raw.removeprefix(BOM_UTF8)))
    except orjson.JSONDecodeError:
        return {}


def trace(attributes: Any) -> Trace:  # noqa: ANN401 - any JSON value
    """Return the trace in an event's attributes, in the form of W3C Trace Context; else nothing.

    A malformed trace is left out, as that standard says (section 3.2.2.5). It is never a reason to
    refuse an event.
    """
    if not isinstance(attributes, dict):
        return {}
    forms = zip(TRACE, (_TRACEPARENT, _TRACESTATE), strict=True)
    found = {
        name: given
        for name, form in forms
        if isinstance(given := attributes.get(name), str) and form.fullmatch(given)
    }
    return found if TRACE[0] in found else {}
