"""Reading messages: a CloudEvent 1.0 becomes a command, or a refusal that says where and why.

``type`` is ``accord.<Command>``, ``subject`` the partnership, ``time`` the moment it happened;
``party`` and ``actor`` name who acts. Reading is strict, because a misread fact stays in the
history: types and fields must be known, decimals are strings, times have a zone. What Accord does
not read cannot be misread, so extensions of other systems are ignored.
"""

from codecs import BOM_UTF8
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from difflib import get_close_matches
from functools import cache, lru_cache
from hashlib import sha256
from typing import Annotated, Any, Literal, NamedTuple

import orjson
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    WithJsonSchema,
    create_model,
)
from pydantic_core import CoreSchema, ErrorDetails, SchemaValidator

from domain import times
from domain.aggregates import command_types, stream_of
from domain.kernel import Command, Refused, Value
from domain.values import Instant, PersonName, Slug, plain
from domain.wording import WRONG_VALUE, Worded, detail_of, hint_of
from infra.store.history import InputId
from infra.tlog import cloudevents, codec, dsse
from infra.tlog.cloudevents import PREFIX, Trace
from infra.tlog.dsse import Signed

LARGEST = 2**20
"""The most bytes of a message (1 MiB): its events must pass every broker."""

MOST_ATTRIBUTES = 100
"""The most attributes of an event, extensions of other systems included. Events have a dozen."""

LONGEST_NAME = 200
"""The most characters of a name that a refusal repeats, or that can be a misspelt attribute."""

MOST_ERRORS = 10
"""The most wrong fields that a refusal describes."""

# Characters beyond the first plane that are none are not looked for: JSON Schema has no escape for
# them that every program reads.
Name = Annotated[
    str,
    StringConstraints(pattern=r"^[^\x00-\x1f\x7f-\x9f\ufdd0-\ufdef\ufffe\uffff]{1,200}$"),
    Worded(
        "is not 1 to 200 characters without control characters",
        "Write a shorter name, and leave control characters out.",
    ),
]
"""A text of a CloudEvent (CloudEvents 1.0, section 3.1)."""

UriReference = Annotated[
    str,
    StringConstraints(pattern=cloudevents.URI_REFERENCE, min_length=1, max_length=200),
    WithJsonSchema({"type": "string", "format": "uri-reference", "minLength": 1, "maxLength": 200}),
    Worded(
        "is not a URI reference of 1 to 200 characters",
        "Write it as in //crm.example/sales, and percent-encode other characters: a space is %20.",
    ),
]
"""A URI reference (RFC 3986, section 4.1), which is in ASCII."""


class Envelope(Value):
    """The attributes of a CloudEvent that Accord knows (CloudEvents 1.0, section 3)."""

    # Extensions of other systems are ignored: see `_check_attributes`.
    model_config = ConfigDict(extra="ignore")

    specversion: Literal["1.0"]
    """The version of CloudEvents."""
    id: Name
    """The identifier of the event, unique within its source. It is accepted once."""
    source: UriReference
    """The service that sends the event, as a URI reference."""
    type: str
    """`accord.` and the command, which says what `data` is."""
    subject: Slug
    """The partnership."""
    time: Instant
    """When it happened."""
    party: Slug
    """The party that acts."""
    actor: PersonName
    """The person or service that acts for it."""
    datacontenttype: Name = "application/json"
    """The media type of the data: JSON, in UTF-8."""
    dataschema: UriReference | None = None
    """The address of the schema of `data`, as a URI or a reference. It is not read."""
    correlationid: Name | None = None
    """The process that the event belongs to; stored with it."""
    causationid: Name | None = None
    """What caused the event; stored with it."""
    recordedtime: Instant | None = None
    """When it was recorded; only simulated stores take it."""
    traceparent: Name | None = None
    """The trace that the event belongs to (W3C Trace Context); a malformed one is ignored."""
    tracestate: str | None = None
    """The state of the trace (W3C Trace Context)."""
    data: Command
    """The fields of the command."""

    @property
    def trace(self) -> Trace | None:
        """The trace that the event belongs to, if it belongs to one."""
        if self.traceparent is None:
            return None
        state = {} if self.tracestate is None else {"tracestate": self.tracestate}
        return {"traceparent": self.traceparent, **state}


_ATTRIBUTES = frozenset(Envelope.model_fields)

# The same content sent another way is the same message.
_TRANSPORT_ATTRIBUTES = frozenset(
    {"specversion", "datacontenttype", "dataschema", *cloudevents.TRACE}
)


class Input(NamedTuple):
    """A readable message: its command, the stream it is for, and a fingerprint of its meaning."""

    envelope: Envelope
    stream: str
    fingerprint: bytes
    raw: bytes
    signed: Signed | None = None
    """The signed command that carried the event, if it was signed."""
    sender: str = ""
    """The party whose credential sent it, which is told the outcome; empty for a service of the
    operator."""
    is_own: bool = False
    """Whether that party made the credential itself, so that the operator does not have it."""

    @property
    def identity(self) -> InputId:
        """The party, the source and the id there: the same identity is decided once."""
        return InputId(self.envelope.party, self.envelope.source, self.envelope.id)

    @property
    def subject(self) -> str:
        """The partnership."""
        return self.envelope.subject

    @property
    def type(self) -> str:
        """The wire type."""
        return self.envelope.type

    @property
    def party(self) -> str:
        """The party that acts."""
        return self.envelope.party

    @property
    def attempt(self) -> bytes:
        """The fingerprint of this attempt: a refused input may be accepted with a new signature."""
        if self.signed is None:
            return self.fingerprint
        return sha256(self.fingerprint + self.signed.body).digest()


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A message that cannot be decided: the reason, and those identifiers that could be read."""

    refused: Refused
    source: str
    source_id: str
    subject: str
    type: str
    party: str
    """The party that it names; if it names none, the party that sent it."""
    time: datetime | None
    """When it was recorded or happened, if it says so."""
    fingerprint: bytes
    raw: bytes

    @property
    def identity(self) -> InputId:
        """The party, the source and the id there, as for an `Input`."""
        return InputId(self.party, self.source, self.source_id)

    @property
    def attempt(self) -> bytes:
        """The fingerprint, as for an `Input`."""
        return self.fingerprint


def envelope_types() -> dict[str, type[Envelope]]:
    """Return the model of each wire type's CloudEvent, by its ``type``."""
    return {wire: _model(wire) for wire in _wires()}


@cache
def _wires() -> dict[str, type[Command]]:
    return {PREFIX + name: command for name, command in command_types().items()}


@cache
def _model(wire: str) -> type[Envelope]:
    command = _wires()[wire]
    return create_model(
        f"{command.__name__}Event",
        __base__=Envelope,
        __doc__=command.__doc__,
        type=(Literal[wire], Field(description="The type of the event.")),  # type: ignore[arg-type] # known only at run time
        data=(command, Field(description="The fields of the command.")),
    )


@cache
def _validator(wire: str) -> SchemaValidator:
    """Return a validator of parsed JSON that accepts what strict JSON validation accepts.

    Pydantic is strict about JSON only while it parses the bytes itself: on Python values its strict
    mode refuses every date and enum written as text. This way a message is parsed once.
    """
    # A prebuilt validator would be that of the model's own schema, which is not strict.
    return SchemaValidator(_strict(_model(wire).__pydantic_core_schema__), _use_prebuilt=False)


_TEXT: CoreSchema = {"type": "str", "strict": True}
_NESTED = frozenset(
    {
        *("schema", "items_schema", "keys_schema", "values_schema"),
        *("fields", "choices", "steps", "definitions"),
    }
)
"""The members of a core schema that hold other schemas."""


def _strict(schema: Any) -> Any:  # noqa: ANN401 - a core schema is nested dictionaries and lists
    match schema["type"]:
        case "enum":
            return {"type": "chain", "steps": [_TEXT, schema]}
        case "int" | "bool" | "str" | "list" | "dict":
            schema = {**schema, "strict": True}
        case _:
            pass
    return {key: _strict_within(each) if key in _NESTED else each for key, each in schema.items()}


def _strict_within(nested: Any) -> Any:  # noqa: ANN401 - one schema, a list or a table of them
    if isinstance(nested, list):
        return [_strict(each) for each in nested]
    if isinstance(nested.get("type"), str):
        return _strict(nested)
    return {name: _strict(each) for name, each in nested.items()}


def schema(name: str) -> dict[str, Any]:
    """Return the JSON Schema of a wire type, named with or without its prefix.

    Raises `Refused` for an unknown type.
    """
    wire = name if name.startswith(PREFIX) else PREFIX + name
    if wire not in _wires():
        raise _unknown_type(wire)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema"} | _model(
        wire
    ).model_json_schema()


# --- reading -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Sent:
    """A message as it came, with the party that sent it; empty for a service of the operator."""

    raw: bytes
    party: str
    is_own: bool = False
    """Whether the party made its credential itself, so that the operator does not have it."""


def raw_of(message: bytes | Sent) -> bytes:
    """Return the bytes of a message."""
    return message if isinstance(message, bytes) else message.raw


def read(message: bytes | Sent) -> Input | Unreadable:
    """Read one CloudEvent in structured JSON, or one in a signed command.

    A message that cannot be read and names no party is of the party that sent it.
    """
    found = _read(raw_of(message))
    if isinstance(message, bytes):
        return found
    if isinstance(found, Input):
        return found._replace(sender=message.party, is_own=message.is_own)
    return found if found.party else replace(found, party=message.party)


def actor_of(raw: bytes) -> str | None:
    """Return the person or the service that acts, by what a message says; None if it names none."""
    try:
        value = _object(raw)
        event = dsse.read(value).payload.event if dsse.MARK in value else value
    except Refused:
        return None
    actor = event.get("actor")
    return actor if isinstance(actor, str) and len(actor) <= LONGEST_NAME else None


def _read(raw: bytes) -> Input | Unreadable:
    try:
        value = _object(raw)
    except Refused as refused:
        return _unreadable(refused, {}, raw)
    return _read_signed(value, raw) if dsse.MARK in value else _read_object(value, raw)


def _object(raw: bytes) -> dict[str, Any]:
    if len(raw) > LARGEST:
        raise Refused(
            "too-large",
            f"The message has {len(raw)} bytes; the limit is {LARGEST}.",
            "Attach long content as evidence, by URL.",
            pointer="",
        )
    try:
        value = codec.parse(raw.removeprefix(BOM_UTF8))
    except codec.DuplicateKey as error:
        raise Refused(
            "duplicate-key",
            f"The message is unreadable: {error.detail}.",
            "Give each key once.",
            pointer=error.pointer,
        ) from None
    except codec.OutsideProfile as error:
        raise Refused(
            "not-json",
            f"The message is unreadable: {error.detail}.",
            _SEND_AN_OBJECT,
            pointer=error.pointer,
        ) from None
    if not isinstance(value, dict):
        raise Refused(
            "not-an-event", "The message is not a JSON object.", _SEND_AN_OBJECT, pointer=""
        )
    return value


_SEND_AN_OBJECT = "Send one CloudEvent as a JSON object."


def _read_signed(value: dict[str, Any], raw: bytes) -> Input | Unreadable:
    try:
        signed = dsse.read(value)
    except Refused as refused:
        return _unreadable(refused, {}, raw)
    event = signed.payload.event
    found = _read_event(event, raw, foreign=False)
    if isinstance(found, Unreadable):
        return _unreadable(found.refused, event, raw)
    return found._replace(signed=signed)


def _read_object(value: dict[str, Any], raw: bytes) -> Input | Unreadable:
    plain = cloudevents.without_nulls(value) if b"null" in raw else value
    return _read_event(plain, raw, foreign=True)


def _read_event(value: dict[str, Any], raw: bytes, *, foreign: bool) -> Input | Unreadable:
    try:
        envelope = envelope_of(value, foreign=foreign)
    except Refused as refused:
        return _unreadable(refused, value, raw)
    stream = stream_of(envelope.subject, envelope.data)
    return Input(envelope, stream, _fingerprint(envelope), raw)


def envelope_of(value: dict[str, Any], *, foreign: bool = False) -> Envelope:
    """Return the attributes and the command of an event without nulls.

    `foreign` allows what Accord does not know or write itself. Raises `Refused`.
    """
    wire = value.get("type")
    if not isinstance(wire, str) or wire not in _wires():
        raise _unknown_type(wire)
    _check_attributes(value, foreign=foreign)
    found = _traced(_with_data(value))
    try:
        envelope: Envelope = _validator(wire).validate_python(found)
    except ValidationError as error:
        raise _refusal(error, found) from None
    return envelope


def _traced(value: dict[str, Any]) -> dict[str, Any]:
    """Return an event without a malformed trace."""
    if value.keys().isdisjoint(cloudevents.TRACE):
        return value
    rest = {name: each for name, each in value.items() if name not in cloudevents.TRACE}
    return rest | cloudevents.trace(value)


def _fingerprint(envelope: Envelope) -> bytes:
    """Return the SHA-256 of what an event says, however it is written.

    The same moment, the same decimal, another order of members and other attributes of transport
    make no difference. A member that the sender left out is not the same as its default.
    """
    given = _given(envelope, envelope.model_fields_set - _TRANSPORT_ATTRIBUTES)
    return sha256(orjson.dumps(given, default=_plain_value, option=_SORTED)).digest()


def _given(value: BaseModel, names: Collection[str]) -> dict[str, object]:
    fields = value.__dict__
    return {name: fields[name] for name in names if fields[name] is not None}


_SORTED = orjson.OPT_SORT_KEYS | orjson.OPT_UTC_Z


def _plain_value(value: object) -> object:
    if isinstance(value, BaseModel):
        return _given(value, value.model_fields_set)
    if isinstance(value, Decimal):
        return plain(value.normalize())
    raise TypeError(type(value).__name__)


def _unreadable(refused: Refused, value: dict[str, Any], raw: bytes) -> Unreadable:
    def text(name: str) -> str:
        found = value.get(name)
        # A database cannot store a zero byte, so no name has one.
        return found[:200] if isinstance(found, str) and "\0" not in found else ""

    digest = sha256(raw).digest()
    # A message without an identity gets its hash as its identity, so that it is stored once.
    identified = text("source") and text("id")
    return Unreadable(
        refused,
        text("source") if identified else "",
        text("id") if identified else digest.hex(),
        text("subject"),
        text("type"),
        text("party"),
        _moment(text("recordedtime") or text("time")),
        digest,
        raw,
    )


def _moment(text: str) -> datetime | None:
    try:
        return times.moment(text)
    except ValueError:
        return None


ILLEGIBLE = frozenset({"not-json", "not-an-event"})
"""The rules that refuse input that is not a message."""


def _unknown_type(wire: object) -> Refused:
    if not isinstance(wire, str):
        detail = "The event has no type." if wire is None else "The type is not a string."
        return Refused("unknown-type", detail, "Give one of the known types.", pointer="/type")
    near = get_close_matches(wire[:LONGEST_NAME], _wires(), 3, 0.6)
    return Refused(
        "unknown-type",
        f"There is no type {_short(wire)}.",
        f"Perhaps {' or '.join(near)}?" if near else "Give one of the known types.",
        pointer="/type",
    )


# --- attributes that are not as they should be -------------------------------------------------

_NEAR = 0.88
"""How alike two names are (`difflib`, from 0 to 1) if one is the other, misspelt. So `partyy` is
`party`, and `subjectid`, `resource` and `dataref` are extensions of their own."""


def _check_attributes(value: dict[str, Any], *, foreign: bool) -> None:
    """Raise `Refused` for too many attributes, a misspelt one, or one that cannot be read."""
    if len(value) > MOST_ATTRIBUTES:
        raise Refused(
            "too-large",
            f"The event has {len(value)} attributes; the limit is {MOST_ATTRIBUTES}.",
            "Leave out the attributes that Accord does not know.",
            pointer="",
        )
    for name in value.keys() - _ATTRIBUTES:
        if not foreign or (_misspelt(name) and name != cloudevents.BASE64):
            raise _unknown_attribute(name)
    for name, each in value.items():
        if isinstance(each, dict) and name != "data" and cloudevents.NOT_UTF8 in each:
            raise Refused(
                "wrong-value",
                f"/{name}: The header is not text in UTF-8.",
                "Write it in UTF-8; over HTTP also percent-encoded.",
                pointer=pointer([name], value),
            )
    kind = value.get("datacontenttype")
    if isinstance(kind, str) and not cloudevents.is_json(kind):
        raise Refused(
            "wrong-value",
            f"/datacontenttype: The data is {kind[:100]}, and Accord reads only JSON in UTF-8.",
            "Send the data as JSON, with the type application/json.",
            pointer="/datacontenttype",
        )


def _misspelt(name: str) -> str | None:
    """Return the attribute that a name nearly spells, if it nearly spells one."""
    # No attribute is so long, and the cache would keep the name.
    return None if len(name) > LONGEST_NAME else _near(name)


@lru_cache(1000)
def _near(name: str) -> str | None:
    letters = "".join(filter(str.isalnum, name.lower()))
    near = get_close_matches(letters, _ATTRIBUTES, 1, _NEAR)
    return near[0] if near else None


def _unknown_attribute(name: str) -> Refused:
    near = _misspelt(name)
    return Refused(
        "unknown-field",
        f"/{_short(name)}: There is no such attribute.",
        f"Leave it out, or correct its name. Perhaps {near}?" if near else "Leave it out.",
        pointer=pointer([name], {}),
    )


def _with_data(value: dict[str, Any]) -> dict[str, Any]:
    try:
        return cloudevents.with_data(value)
    except cloudevents.Unclear as error:
        raise Refused(
            "wrong-value",
            f"/{cloudevents.BASE64}: {error}",
            "Send the data as JSON, in data or in data_base64.",
            pointer=f"/{cloudevents.BASE64}",
        ) from None


# --- explaining a refusal ----------------------------------------------------------------------


def _short(text: str) -> str:
    """Return a text that came with an event, not longer than a refusal repeats it."""
    return text if len(text) <= LONGEST_NAME else f"{text[:LONGEST_NAME]}…"


_RULES = {"extra_forbidden": "unknown-field", "missing": "missing-field"}


def _refusal(error: ValidationError, value: dict[str, Any]) -> Refused:
    model = _model(value["type"])
    errors = error.errors(include_url=False)
    described = [
        detail_of(each, _short(pointer(each["loc"], value)) or "/") for each in errors[:MOST_ERRORS]
    ]
    if more := errors[MOST_ERRORS:]:
        described.append(f"and {len(more)} more")
    first = errors[0]
    at = pointer(first["loc"], value)
    hint = hint_of(first) or _hint(first, at, value, model)
    return Refused(_rule(first), f"{'; '.join(described)}.", hint, pointer=at)


def _rule(error: ErrorDetails) -> str:
    if hint_of(error):
        return error["type"]
    return _RULES.get(error["type"], WRONG_VALUE)


def _hint(error: ErrorDetails, at: str, value: dict[str, Any], model: type[Envelope]) -> str:
    see = f"the schema of {value['type'].removeprefix(PREFIX)}."
    match error["type"]:
        case "extra_forbidden":
            data = model.model_fields["data"].annotation
            known: list[str] = list(model.model_fields)
            if at.startswith("/data/") and isinstance(data, type) and issubclass(data, Command):
                known = list(data.model_fields)
            near = get_close_matches(str(error["loc"][-1]), known, 1, 0.6)
            guess = f" Perhaps {near[0]}?" if near else ""
            return f"Leave it out, or see {see}{guess}"
        case "missing":
            return f"Add {at} to the event. Its type and an example are in {see}"
        case _:
            return f"See {see}"


def pointer(loc: Sequence[int | str], value: Any) -> str:  # noqa: ANN401 - any JSON document
    """Return the JSON pointer (RFC 6901) of a validator's location in the document `value`.

    A validator's location also names the branches of unions, which are left out.
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
        if len(str(step)) > LONGEST_NAME:
            break  # The place of a name that long is that of its object.
        steps.append(str(step).replace("~", "~0").replace("/", "~1"))
    return "".join(f"/{step}" for step in steps)
