"""The bytes of the history: canonical JSON that is hashed, stored, relayed and bundled as it is.

Canonical means RFC 8785, within a profile that makes it cheap: keys are ASCII, so that code
units sort as bytes do; there are no floats, so that no number needs rounding (decimals and money
are strings); integers are those that every JSON reader keeps exact. Within the profile, `orjson`
with sorted keys writes the bytes of RFC 8785, many times faster than a full encoder; a property
test checks that.
"""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

import jiter
import orjson
from pydantic import ValidationError

from domain.kernel import Act, Event
from domain.recorded import EventWithheld, Recorded
from domain.values import RECORDED

LARGEST_INTEGER = 2**53 - 1
"""The largest whole number that I-JSON, and so RFC 8785, keeps exact (RFC 7493, section 2.2)."""

EVENT_ID_DIGITS = 32
"""Hexadecimal digits of an event's identifier: 128 bits, so that no two causes share one."""

_STORED_LENGTHS = frozenset(map(len, ("2026-01-31T09:00:00Z", "2026-01-31T09:00:00.000001Z")))

Upcaster = Callable[[dict[str, Any]], dict[str, Any]]

UPCASTERS: dict[tuple[str, int], Upcaster] = {}
"""For a wire name and a version: the function that turns its data into the next version."""

_SORTED = orjson.OPT_SORT_KEYS | orjson.OPT_STRICT_INTEGER
# A time or a dataclass is not a JSON value: without a default, the encoder refuses it.
_CANONICAL = _SORTED | orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_DATACLASS
# In an envelope the times are ours, and the encoder writes them as `domain.values.instant` does.
_ENVELOPE = _SORTED | orjson.OPT_UTC_Z


class OutsideProfile(ValueError):
    """A JSON value without a canonical form here: what is wrong, and where (RFC 6901)."""

    def __init__(self, detail: str, pointer: str = "") -> None:
        super().__init__(f"{pointer or 'the document'}: {detail}")
        self.detail = detail
        self.pointer = pointer


class DuplicateKey(OutsideProfile):
    """A JSON object that names a key twice."""

    def __init__(self, name: str, pointer: str) -> None:
        super().__init__(f"the key {name!r} appears twice in one object", pointer)


class UnreadableEvent(ValueError):
    """Stored bytes that are not an event: which event it is, what is wrong, and what to do."""

    hint = "Run accord audit verify. If it finds a difference, restore the store from a backup."

    def __init__(self, event: str, detail: str) -> None:
        super().__init__(f"{event} {detail} {self.hint}")
        self.event = event
        """Its partnership and index, such as ``acme#7``; or what is known of its place."""
        self.detail = f"{event} {detail}"


class UnknownEvent(UnreadableEvent):
    """Stored bytes of an event type or version that this release does not know."""

    hint = "Upgrade Accord to the release that wrote the event, or to a newer one."

    def __init__(self, event: str, wire: str, version: int, detail: str) -> None:
        super().__init__(event, f"is {wire}, version {version}, {detail}")
        self.wire = wire
        self.version = version


# --- canonical JSON ----------------------------------------------------------------------------


def canonical(value: object) -> bytes:
    """Return the canonical bytes of a JSON value of the profile (RFC 8785).

    Raises `TypeError` for a value that is not JSON, a lone surrogate or an integer out of range.
    It does not check for floats and keys beyond ASCII, to be fast: see `check`.
    """
    return orjson.dumps(value, option=_CANONICAL)


def check(value: object) -> None:
    """Raise `OutsideProfile` if any part of `value` has no canonical form here."""
    if isinstance(value, str):
        _check_text(value)
    elif isinstance(value, dict):
        for key, each in value.items():
            _check_member(key, each)
    elif isinstance(value, list):
        for place, each in enumerate(value):
            _check_member(str(place), each)
    elif isinstance(value, int):
        if abs(value) > LARGEST_INTEGER:
            raise OutsideProfile("an integer beyond ±(2^53 - 1); write it as a string")
    elif isinstance(value, float):
        raise OutsideProfile("a number with a fraction; write it as a string")
    elif value is not None:
        raise OutsideProfile(f"{type(value).__name__} is not a JSON value")


def _check_member(key: object, value: object) -> None:
    if not isinstance(key, str) or not key.isascii():
        raise OutsideProfile(f"{key!r} is not an ASCII key")
    # Nearly every member is ASCII text, which needs no further check.
    if isinstance(value, str) and value.isascii():
        return
    try:
        check(value)
    except OutsideProfile as error:
        raise OutsideProfile(error.detail, f"/{_step(key)}{error.pointer}") from None


def _check_text(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise OutsideProfile("a lone surrogate, which is not a character") from None


def parse(body: bytes) -> Any:  # noqa: ANN401 - a JSON document can be any value
    """Return the JSON value in `body`, read once and strictly.

    Raises `DuplicateKey` if an object names a key twice, else `OutsideProfile` if `body` is not
    JSON (RFC 8259) or is nested too deeply. It does not check that the value has a canonical form:
    see `check`.
    """
    try:
        return jiter.from_json(
            body, allow_inf_nan=False, cache_mode="keys", catch_duplicate_keys=True
        )
    except ValueError as error:
        reason = str(error)
    if reason.startswith("Detected duplicate key"):
        _find_duplicate(body)
    if reason.startswith("recursion limit"):
        raise OutsideProfile("nested too deeply, beyond 200 levels")
    raise OutsideProfile(f"not JSON: {reason}")


def _find_duplicate(body: bytes) -> None:
    """Raise `DuplicateKey` with the pointer of the first duplicate key, if `body` is JSON."""
    # The fast parser gives the line and column of a duplicate key, not its pointer.
    try:
        value = json.loads(body, object_pairs_hook=_merged)
    except (ValueError, RecursionError):
        return
    _check_merged(value)


class _Duplicate(dict[str, Any]):
    """An object that named a key twice."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name


def _merged(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    once = dict(pairs)
    if len(once) == len(pairs):
        return once
    names = [name for name, _ in pairs]
    return _Duplicate(next(name for name in names if names.count(name) > 1))


def _check_merged(value: object, pointer: str = "") -> None:
    if isinstance(value, _Duplicate):
        raise DuplicateKey(value.name, f"{pointer}/{_step(value.name)}")
    if isinstance(value, dict):
        for key, each in value.items():
            _check_merged(each, f"{pointer}/{_step(key)}")
    elif isinstance(value, list):
        for place, each in enumerate(value):
            _check_merged(each, f"{pointer}/{place}")


def _step(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")


# --- times and identifiers ---------------------------------------------------------------------


def stored_moment(text: str) -> datetime:
    """Return a moment that `domain.values.instant` wrote. Raises `ValueError` for other text.

    Text from outside is read by `domain.times.moment`, which takes several times as long.
    """
    if len(text) not in _STORED_LENGTHS or text[-1] != "Z":
        raise ValueError(f"{text!r} is not a stored moment")
    return datetime.fromisoformat(text)


def utc(moment: datetime) -> datetime:
    """Return the same moment in UTC. Raises `ValueError` for a time without a zone."""
    if moment.tzinfo is UTC:
        return moment
    if moment.utcoffset() is None:
        raise ValueError(f"{moment.isoformat()} has no time zone")
    return moment.astimezone(UTC)


def event_id(party: str, source: str, source_id: str, ordinal: int) -> str:
    """Return the identifier of the event at place `ordinal` among those that one input caused.

    It is made from the cause alone, so the same feed gives the same identifiers everywhere.
    """
    # The lengths keep ("ab", "c") and ("a", "bc") apart.
    named = "".join(f"{len(each)}:{each}" for each in (party, source, source_id))
    cause = f"{named}{ordinal}"
    return sha256(cause.encode()).hexdigest()[:EVENT_ID_DIGITS]


# --- recorded events ---------------------------------------------------------------------------


def encode(recorded: Recorded) -> bytes:
    """Return the canonical bytes of a recorded event: all of it except its position and index."""
    event, act = recorded.event, recorded.act
    envelope = {
        "actor": act.actor,
        "data": event.__pydantic_serializer__.to_python(event, mode="json", exclude_none=True),
        "event_id": recorded.event_id,
        "occurred_at": utc(act.occurred_at),
        "partnership": recorded.partnership,
        "party": act.party,
        "recorded_at": utc(act.recorded_at),
        "salt": recorded.salt,
        "schema_version": event.version,
        "source": recorded.source,
        "source_id": recorded.source_id,
        "stream": recorded.stream,
        "stream_version": recorded.version,
        "type": event.wire,
    }
    if recorded.causation_id is not None:
        envelope["causation_id"] = recorded.causation_id
    if recorded.correlation_id is not None:
        envelope["correlation_id"] = recorded.correlation_id
    if recorded.signed is not None:
        envelope["signed"] = recorded.signed
    return orjson.dumps(envelope, option=_ENVELOPE)


def decode(body: bytes, *, index: int = -1, position: int = -1, of: str = "") -> Recorded:
    """Return the recorded event in `body`, at its place; -1 means that the place is unknown.

    An old version is turned into the newest one. An error names the partnership `of` if the bytes
    name none. Raises `UnknownEvent` for a type or version that this release does not know,
    `UnreadableEvent` for other bytes that are not an event.
    """
    envelope = None
    try:
        envelope = orjson.loads(body)
        return _decoded(envelope, index, position)
    except UnknownEvent:
        raise
    except (ValueError, LookupError, TypeError) as error:
        detail = f"cannot be read: {_reason(error)}."
        raise UnreadableEvent(_place(envelope, index, of), detail) from error


def _reason(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False)[0]
        return f"{'/'.join(['data', *map(str, first['loc'])])}: {first['msg']}"
    return f"it has no {error}" if isinstance(error, KeyError) else str(error)


def _place(envelope: object, index: int, of: str = "") -> str:
    partnership = envelope.get("partnership", of) if isinstance(envelope, dict) else of
    if index >= 0:
        return f"{partnership}#{index}" if partnership else f"The event at index {index}"
    return f"An event of {partnership}" if partnership else "An event"


def _decoded(envelope: dict[str, Any], index: int, position: int) -> Recorded:
    return Recorded(
        envelope["partnership"],
        envelope["stream"],
        envelope["stream_version"],
        envelope["event_id"],
        Act(
            envelope["party"],
            envelope["actor"],
            stored_moment(envelope["occurred_at"]),
            stored_moment(envelope["recorded_at"]),
        ),
        envelope["source"],
        envelope["source_id"],
        _event(envelope, index),
        envelope.get("causation_id"),
        envelope.get("correlation_id"),
        envelope.get("signed"),
        envelope["salt"],
        index,
        position,
    )


def _event(envelope: dict[str, Any], index: int) -> Event:
    wire, version, data = envelope["type"], envelope["schema_version"], envelope["data"]
    known = Event.registry.get(wire)
    if known is None or version != known.version:
        known, data = _upcast(known, envelope, index)
    event: Event = known.__pydantic_validator__.validate_python(data, context=RECORDED)
    return event


def _upcast(
    known: type[Event] | None, envelope: dict[str, Any], index: int
) -> tuple[type[Event], dict[str, Any]]:
    """Return the type of an event, and its data in the newest version. Raises `UnknownEvent`."""
    wire, version, data = envelope["type"], envelope["schema_version"], envelope["data"]
    event = _place(envelope, index)
    if wire == EventWithheld.wire:
        return EventWithheld, data
    if known is None:
        raise UnknownEvent(event, wire, version, "a type that this release does not know.")
    if version > known.version:
        newest = f"and this release knows version {known.version}."
        raise UnknownEvent(event, wire, version, newest)
    for step in range(version, known.version):
        upcast = UPCASTERS.get((wire, step))
        if upcast is None:
            raise UnknownEvent(
                event, wire, version, f"which cannot be converted to version {step + 1}."
            )
        data = upcast(data)
    return known, data
