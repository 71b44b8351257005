"""Messages on Kafka: CloudEvents 1.0 in binary mode (the Kafka protocol binding, section 3.2)."""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final, Protocol

import orjson

from domain.kernel import Event
from domain.recorded import EventWithheld
from infra.store.history import InputId
from infra.store.mapper import PlacedEvent
from infra.store.views import Row
from infra.tlog import cloudevents
from infra.tlog.cloudevents import Trace
from infra.tlog.codec import EVENT_ID_DIGITS, canonical
from infra.tlog.merkle import leaf_hash
from infra.tlog.notes import Note
from projections.visibility import PERHAPS_HIDDEN

Headers = list[tuple[str, bytes]]

SOURCE: Final = "//accord"
"""The source of every message that Accord itself writes."""

SENT_BACK: Final = 2**17
"""The most characters of a received text that are sent back: in JSON each may take six bytes, and a
message has several texts. The store keeps the whole refused input."""

LONGEST_NAME: Final = 255
"""Bytes of a partnership's name at most. No name is so long, and no longer one is looked up."""

LETTER: Final = 2**22
"""Bytes of a dead letter at most."""

WITHHELD: Final = EventWithheld.wire
"""The type of a message that has the hash of an event, and not the event."""

_PREFIX = "ce_"
_JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Message:
    """A message to send: its topic, its key, its value and its headers."""

    topic: str
    key: str | None
    value: bytes | None
    """None removes the messages of the key from a compacted topic."""
    headers: Headers


class Received(Protocol):
    """A received message, in the form of the client library."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Any
    """Pairs of a name and bytes, or nothing."""
    timestamp: float


def headers(content_type: str = _JSON, **attributes: str | int | None) -> Headers:
    """Return the headers of a CloudEvent with these attributes, without those that are None."""
    given = {"specversion": "1.0", "source": SOURCE, **attributes}
    return [
        *(
            (f"{_PREFIX}{name}", str(each).encode())
            for name, each in given.items()
            if each is not None
        ),
        ("content-type", content_type.encode()),
    ]


def attributes(message: Received) -> dict[str, str]:
    """Return a message's attributes and its content type, by their names without the prefix."""
    return {name: value.decode(errors="replace") for name, value in _attributes(message)}


def _attributes(message: Received) -> list[tuple[str, bytes]]:
    """Return the attributes in a message's headers; a header without a value is no attribute."""
    return [
        (name.lower().removeprefix(_PREFIX), value)
        for name, value in message.headers or ()
        if value is not None
        and (name.lower().startswith(_PREFIX) or name.lower() == "content-type")
    ]


def command(message: Received) -> bytes:
    """Return a command as a CloudEvent in structured JSON, from either mode.

    One without attributes has them inside; so it is with a signed command.
    """
    found, value = _attributes(message), message.value or b""
    kinds = [each for name, each in found if name == "content-type"]
    named = [(name, each) for name, each in found if name not in _KINDS]
    if not named or any(each.lower().startswith(_STRUCTURED) for each in kinds):
        return value
    return cloudevents.spliced([*named, *(("datacontenttype", each) for each in kinds)], value)


_KINDS = frozenset({"content-type", "datacontenttype"})
"""Names for the data's type. The standard one is the header without a prefix (3.2.1)."""

_STRUCTURED = b"application/cloudevents"


class Illegible(ValueError):
    """A message that is not a recorded event: the reason."""


def partnership(message: Received) -> str | None:
    """Return the partnership that a message's key names; None if the key can be no name."""
    key = message.key
    if not key or len(key) > LONGEST_NAME or b"\0" in key:
        return None
    try:
        return key.decode()
    except UnicodeDecodeError:
        return None


def check_event(message: Received) -> None:
    """Raise `Illegible` unless a message looks like a recorded event of the partnership in its key.

    That says nothing about its content, which anyone may have written.
    """
    name = partnership(message)
    if name is None:
        raise Illegible("The key is not the name of a partnership.")
    try:
        body = orjson.loads(message.value or b"")
    except orjson.JSONDecodeError as error:
        raise Illegible(f"The value is not JSON: {error}") from error
    if not isinstance(body, dict) or body.get("partnership") != name:
        raise Illegible("The value is not an event of the partnership in the key.")


def event(topic: str, stored: PlacedEvent, trace: Trace | None = None) -> Message:
    """Return a recorded event as a message: its canonical bytes, with its place in the headers.

    Of an event that a party may keep to itself, or that a newer release wrote, the message has its
    place and its leaf hash alone. `trace` is that of the command that caused it.
    """
    envelope = orjson.loads(stored.state)
    wire, version = envelope["type"], envelope["schema_version"]
    value, times = stored.state, {"time": envelope["occurred_at"]}
    if wire in PERHAPS_HIDDEN or wire not in Event.registry:
        value, times = _withheld(envelope["partnership"], stored), {}
        wire, version = WITHHELD, 1
    return Message(
        topic,
        envelope["partnership"],
        value,
        headers(
            id=envelope["event_id"],
            type=f"{cloudevents.PREFIX}{wire}",
            dataschema=cloudevents.dataschema(wire, version),
            subject=envelope["partnership"],
            **times,
            recordedtime=envelope["recorded_at"],
            index=stored.index,
            position=stored.position,
            **(trace or {}),
        ),
    )


def _withheld(partnership: str, stored: PlacedEvent) -> bytes:
    hashed = leaf_hash(stored.state).hex()
    return canonical({"partnership": partnership, "index": stored.index, "withheld": hashed})


def emitted(topic: str, key: str, body: Row, *, type: str, **attributes: str) -> Message:
    """Return a message that Accord emits, as canonical JSON."""
    named = {"type": cloudevents.PREFIX + type, "dataschema": cloudevents.dataschema(type)}
    return Message(topic, key, canonical(body), headers(**named, **attributes))


def removed(topic: str, key: str, *, type: str, **attributes: str) -> Message:
    """Return a message without a value, which removes a key from a compacted topic."""
    named = {"type": cloudevents.PREFIX + type, "dataschema": cloudevents.dataschema(type)}
    return Message(topic, key, None, headers(**named, **attributes))


def refused(topic: str, raw: bytes, subject: str, why: Row) -> Message:
    """Return the refusal of an input with its trace; its identifier is a hash of the input.

    If the input is deleted (`raw` is empty), the identifier is a hash of the refusal. The input
    itself is kept only in the store, where the names in it can be erased.
    """
    body = canonical({name: each and each[:SENT_BACK] for name, each in why.items()})
    return Message(
        topic,
        subject or None,
        body,
        headers(
            id=sha256(raw or body).hexdigest()[:EVENT_ID_DIGITS],
            type=f"{cloudevents.PREFIX}InputRefused",
            dataschema=cloudevents.dataschema("InputRefused"),
            subject=subject or None,
            **cloudevents.trace_of(raw),
        ),
    )


def receipt(
    topic: str, partnership: str, of: InputId, note: Note, lookalikes: Sequence[str] = ()
) -> Message:
    """Return the operator's receipt of a command; its identifier is a hash of the receipt.

    `lookalikes` are the names of the partnership that are close to one that the command brought.
    """
    text = str(note).encode()
    return Message(
        topic,
        partnership,
        text,
        headers(
            "text/plain; charset=utf-8",
            id=sha256(text).hexdigest()[:EVENT_ID_DIGITS],
            type=f"{cloudevents.PREFIX}CommandReceipt",
            subject=partnership,
            commandparty=of.party,
            commandsource=of.source,
            commandid=of.source_id,
            lookalikes=",".join(lookalikes) or None,
        ),
    )


def place(message: Received) -> str:
    """Return the place of a message, which identifies its dead letter."""
    return f"{message.topic}/{message.partition}/{message.offset}"


def dead(topic: str, where: str, value: bytes, reason: str) -> Message:
    """Return a dead letter: unreadable bytes (at most `LETTER`) with the reason."""
    return Message(
        topic,
        None,
        value[:LETTER],
        headers(
            "application/octet-stream",
            id=where,
            type=f"{cloudevents.PREFIX}DeadLetter",
            reason=reason.replace("\n", " ")[:SENT_BACK],
        ),
    )
