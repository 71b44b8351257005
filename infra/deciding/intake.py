"""The way in: CloudEvents 1.0 become commands, or a refusal that says where, with a hint.

``type`` is ``accord.<Command>``, ``subject`` the partnership, ``time`` when it happened;
``party`` and ``actor`` say who acts. Reading is strict, because what is misread once stays wrong
for ever: types and fields must be known, numbers of money are strings, times have a zone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from hashlib import sha256
from typing import Annotated, Any, Literal, NamedTuple

import orjson
from pydantic import StringConstraints, ValidationError, create_model
from pydantic_core import ErrorDetails

from domain.aggregates import command_types, stream_of
from domain.kernel import Command, Refused, Value
from domain.values import Instant, Slug
from infra.tlog import codec, dsse
from infra.tlog.cloudevents import PREFIX
from infra.tlog.dsse import Signed

LARGEST = 2**20
"""Bytes of a message at most: what comes of it has to pass every broker (1 MiB)."""

Name = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f]{1,200}$")]


class Envelope(Value):
    """The attributes of a CloudEvent that Accord knows (CloudEvents 1.0, section 3)."""

    specversion: Literal["1.0"]
    id: Name
    source: Name
    type: str
    subject: Slug
    """The partnership."""
    time: Instant
    """When it happened."""
    party: Slug
    """The party that acts."""
    actor: Name
    """The person or service that acts for it."""
    datacontenttype: Literal["application/json"] = "application/json"
    dataschema: Name | None = None
    correlationid: Name | None = None
    causationid: Name | None = None
    recordedtime: Instant | None = None
    """When it was recorded: told by feeds of the past, to simulated stores alone."""
    traceparent: Name | None = None
    tracestate: Name | None = None
    data: Command


# What only tells how a message travelled does not make it another message.
_OF_TRANSPORT = ("specversion", "datacontenttype", "dataschema", "traceparent", "tracestate")


class Input(NamedTuple):
    """What one message asks for, the stream that it is for, and how to tell it from every other."""

    envelope: Envelope
    stream: str
    fingerprint: bytes
    raw: bytes
    signed: Signed | None = None
    """The signed command that the event came in, if it was signed."""

    @property
    def attempt(self) -> bytes:
        """What tells this way of asking from others: signed anew, what was refused may be taken."""
        if self.signed is None:
            return self.fingerprint
        return sha256(self.fingerprint + self.signed.body).digest()


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A message that cannot be decided upon, and why; its identity as far as it could be read."""

    refused: Refused
    source: str
    source_id: str
    subject: str
    type: str
    fingerprint: bytes
    raw: bytes

    @property
    def attempt(self) -> bytes:
        """As that of an input; it is the only attempt."""
        return self.fingerprint


@cache
def envelope_types() -> dict[str, type[Envelope]]:
    """Give the model of each wire type's CloudEvent, by its ``type``."""
    return {
        PREFIX + name: create_model(
            f"{name}Event",
            __base__=Envelope,
            __doc__=command.__doc__,
            # Its fields are described already; to look for their words again takes half the time.
            __cls_kwargs__={"use_attribute_docstrings": False},
            type=(Literal[PREFIX + name], ...),  # type: ignore[arg-type] # made while running
            data=(command, ...),
        )
        for name, command in command_types().items()
    }


def schema(name: str) -> dict[str, Any]:
    """Give the JSON Schema of a wire type, named with or without its prefix.

    Raises `Refused` for a type that is not known.
    """
    wire = name if name.startswith(PREFIX) else PREFIX + name
    model = envelope_types().get(wire)
    if model is None:
        raise _unknown_type(wire)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema"} | model.model_json_schema()


# --- reading -----------------------------------------------------------------------------------


def read(raw: bytes) -> Input | Unreadable:
    """Read one CloudEvent in structured JSON, or one in a signed command."""
    if len(raw) > LARGEST:
        refused = Refused(
            "too-large",
            f"The message has {len(raw)} bytes; {LARGEST} are the most.",
            "Attach what is long as evidence, by its address.",
            pointer="",
        )
        return _unreadable(refused, {}, raw)
    try:
        value = codec.parse(raw)
    except codec.OutsideProfile as error:
        twice = "stands twice" in error.detail
        refused = Refused(
            "duplicate-key" if twice else "not-json",
            f"The message is unreadable: {error.detail}.",
            "Give each key once." if twice else "Send one CloudEvent as a JSON object.",
            pointer=error.pointer,
        )
        return _unreadable(refused, {}, raw)
    if not isinstance(value, dict):
        refused = Refused(
            "not-an-event",
            "The message is no JSON object.",
            "Send one CloudEvent as a JSON object.",
            pointer="",
        )
        return _unreadable(refused, {}, raw)
    return _read_signed(value, raw) if dsse.MARK in value else _read_object(value, raw)


def _read_signed(value: dict[str, Any], raw: bytes) -> Input | Unreadable:
    try:
        signed = dsse.read(value)
    except Refused as refused:
        return _unreadable(refused, {}, raw)
    event = signed.payload.event
    found = _read_object(event, codec.canonical(event))
    if isinstance(found, Unreadable):
        return _unreadable(found.refused, event, raw)
    return found._replace(raw=raw, signed=signed)


def _read_object(value: dict[str, Any], raw: bytes) -> Input | Unreadable:
    wire = value.get("type")
    model = envelope_types().get(wire) if isinstance(wire, str) else None
    if model is None:
        return _unreadable(_unknown_type(wire), value, raw)
    try:
        envelope: Envelope = model.__pydantic_validator__.validate_json(raw, strict=True)
    except ValidationError as error:
        return _unreadable(_refusal(error, value, model), value, raw)
    stream = stream_of(envelope.subject, envelope.data)
    return Input(envelope, stream, _fingerprint(value), raw)


def _fingerprint(value: dict[str, Any]) -> bytes:
    told = value.copy()
    for name in _OF_TRANSPORT:
        told.pop(name, None)
    return sha256(orjson.dumps(told, option=orjson.OPT_SORT_KEYS)).digest()


def _unreadable(refused: Refused, value: dict[str, Any], raw: bytes) -> Unreadable:
    def text(name: str) -> str:
        found = value.get(name)
        # A zero byte is no character to a database, so no name can have one.
        return found[:200] if isinstance(found, str) and "\0" not in found else ""

    digest = sha256(raw).digest()
    # A message without an identity is known by its bytes, so that it too is kept only once.
    known = text("source") and text("id")
    return Unreadable(
        refused,
        text("source") if known else "",
        text("id") if known else digest.hex(),
        text("subject"),
        text("type"),
        digest,
        raw,
    )


ILLEGIBLE = frozenset({"not-json", "not-an-event"})
"""The rules that refuse what is no message at all."""


def _unknown_type(wire: object) -> Refused:
    near = get_close_matches(str(wire), envelope_types(), 3, 0.6)
    return Refused(
        "unknown-type",
        f"There is no type {wire}." if wire is not None else "The event has no type.",
        f"Perhaps {' or '.join(near)}?" if near else "See the types: accord schema.",
        pointer="/type",
    )


# --- saying what is wrong ----------------------------------------------------------------------

_RULES = {
    "extra_forbidden": "unknown-field",
    "missing": "missing-field",
    "timezone_aware": "time-without-zone",
    "literal_error": "wrong-value",
    "enum": "wrong-value",
}


def _refusal(error: ValidationError, value: dict[str, Any], model: type[Envelope]) -> Refused:
    errors = error.errors(include_url=False, include_context=False)
    described = [
        f"{pointer(each['loc'], value) or '/'}: {each['msg'].removeprefix('Value error, ')}"
        for each in errors
    ]
    first = errors[0]
    at = pointer(first["loc"], value)
    return Refused(
        _rule(first),
        f"{'; '.join(described)}.",
        _mend(first, at, value, model),
        pointer=at,
    )


def _rule(error: ErrorDetails) -> str:
    if "decimal written as a string" in error["msg"]:
        return "decimal-as-string"
    return _RULES.get(error["type"], "wrong-value")


def _mend(error: ErrorDetails, at: str, value: dict[str, Any], model: type[Envelope]) -> str:
    name = value["type"].removeprefix(PREFIX)
    match error["type"]:
        case "extra_forbidden":
            data = model.model_fields["data"].annotation
            known: list[str] = list(model.model_fields)
            if at.startswith("/data/") and isinstance(data, type) and issubclass(data, Command):
                known = list(data.model_fields)
            near = get_close_matches(str(error["loc"][-1]), known, 1, 0.6)
            guess = f" Perhaps {near[0]}?" if near else ""
            return f"Leave it out, or see the fields: accord schema {name}.{guess}"
        case "missing":
            return f"Add it; see accord schema {name}."
        case "timezone_aware":
            return "Write the zone, as in 2026-01-01T09:00:00Z."
        case _ if "decimal written as a string" in error["msg"]:
            return 'Write it in quotes, as in "10.50": a float has lost its digits already.'
        case _:
            return f"See accord schema {name}."


def pointer(loc: Sequence[int | str], value: Any) -> str:  # noqa: ANN401 - any JSON document
    """Give the JSON pointer (RFC 6901) of a validator's location in the document `value`.

    A validator also names the branch of a union that it took; that is no part of the document.
    """
    steps = []
    for place, step in enumerate(loc):
        last = place == len(loc) - 1
        if isinstance(value, dict) and isinstance(step, str) and (step in value or last):
            value = value.get(step)
        elif isinstance(value, list) and isinstance(step, int) and step < len(value):
            value = value[step]
        else:
            continue
        steps.append(str(step).replace("~", "~0").replace("/", "~1"))
    return "".join(f"/{step}" for step in steps)
