"""Signed commands: what a party asks for, of which log, until when, in a DSSE envelope.

Envelope and payload have the form of the bundle's format (section 7) and are read strictly: a
command has exactly one form, so its digest identifies its bytes.
"""

import secrets
from base64 import b64decode, b64encode
from datetime import datetime
from hashlib import sha256
from typing import Annotated, Any, Literal, NamedTuple, NoReturn

import orjson
from pydantic import AfterValidator, Field, StringConstraints, ValidationError

from domain import times
from domain.kernel import Refused, Value
from domain.keyring import KeyId, key_id
from domain.values import Count, instant
from infra.tlog import codec, keys
from infra.tlog.keys import Signer

TYPE = "application/vnd.accord.command+json"
"""The ``payloadType`` of a signed command."""

MARK = "payloadType"
"""The member that distinguishes an envelope from a CloudEvent."""

_HASH = 32


def _moment(text: str) -> str:
    if instant(times.moment(text)) != text:
        msg = "must be a moment of UTC, such as 2026-01-31T09:00:00Z"
        raise ValueError(msg)
    return text


def _hash(text: str) -> str:
    if len(keys.decoded(text)) != _HASH:
        msg = "must be a SHA-256 hash in base64"
        raise ValueError(msg)
    return text


class SeenLog(Value):
    """The log as the signer saw it: its size, and its root at that size."""

    root: Annotated[str, AfterValidator(_hash)]
    size: Count


class Payload(Value):
    """What is signed: an event, and the log, the time and the version it is valid for."""

    accord: Literal["command/v1"]
    origin: str
    """The log: the operator's name and the partnership."""
    partnership: str
    party: str
    type: str
    expected: Count | None
    """The version of the stream before the event, if it must follow that one."""
    nonce: Annotated[str, StringConstraints(pattern=r"^[!-~]{8,128}$")]
    """A random text, so that a command cannot be replayed."""
    expires: Annotated[str, StringConstraints(pattern=r"^[0-9T:.-]+Z$"), AfterValidator(_moment)]
    seen: SeenLog | None
    """The last checkpoint that the signer saw; a log that does not continue it is refused."""
    event: dict[str, Any]
    """The CloudEvent."""


class Signed(NamedTuple):
    """A signed command as it was read. Its signature is not checked yet: see `by`."""

    payload: Payload
    keyid: str
    signature: bytes
    message: bytes
    """The signed bytes."""
    body: bytes
    """The canonical bytes of the envelope."""

    @property
    def digest(self) -> str:
        """The SHA-256 of the canonical bytes, in hex, by which an event names it."""
        return sha256(self.body).hexdigest()

    def by(self, public: bytes) -> bool:
        """Whether this key signed it."""
        return keys.verified(public, self.message, self.signature)


def asked(event: dict[str, Any], operator: str, expires: datetime) -> Payload:
    """Return the payload that asks an operator for an event, at any version of its stream.

    Raises `KeyError` if the event lacks a subject, a party or a type.
    """
    return Payload(
        accord="command/v1",
        origin=f"{operator}/{event['subject']}",
        partnership=event["subject"],
        party=event["party"],
        type=event["type"],
        expected=None,
        nonce=secrets.token_hex(16),
        expires=instant(expires),
        seen=None,
        event=event,
    )


def sign(signer: Signer, payload: Payload) -> bytes:
    """Return the envelope of a payload, as canonical bytes."""
    body = codec.canonical(payload.model_dump(mode="json"))
    signature = signer.sign(_encoded(body))
    return codec.canonical(
        {
            "payload": b64encode(body).decode(),
            MARK: TYPE,
            "signatures": [{"keyid": key_id(signer.public), "sig": b64encode(signature).decode()}],
        }
    )


def _encoded(payload: bytes) -> bytes:
    # DSSE's pre-authentication encoding: the lengths keep type and payload apart.
    return b"DSSEv1 %d %b %d %b" % (len(TYPE), TYPE.encode(), len(payload), payload)


# --- reading -----------------------------------------------------------------------------------


class _Signature(Value):
    keyid: KeyId
    sig: str


class _Envelope(Value):
    payload: str
    payloadType: Literal["application/vnd.accord.command+json"]  # noqa: N815 - as DSSE has it
    signatures: Annotated[list[_Signature], Field(min_length=1, max_length=1)]


def read(value: dict[str, Any]) -> Signed:
    """Read an envelope. Raises `Refused` for one in any other form."""
    try:
        envelope = _Envelope.model_validate(value, strict=True)
    except ValidationError as error:
        _malformed("envelope", error)
    (signature,) = envelope.signatures
    signed, body = keys.decoded(signature.sig), keys.decoded(envelope.payload)
    if len(signed) != keys.SIGNATURE:
        _malformed("envelope", "its signature is not 64 bytes in base64")
    return Signed(_payload(body), signature.keyid, signed, _encoded(body), codec.canonical(value))


def opened(body: bytes) -> tuple[str, dict[str, Any]]:
    """Return the key's identifier and the event of an envelope whose form was checked before."""
    envelope = orjson.loads(body)
    (signature,) = envelope["signatures"]
    return signature["keyid"], orjson.loads(b64decode(envelope["payload"]))["event"]


def _payload(body: bytes) -> Payload:
    try:
        value = codec.parse(body)
        codec.check(value)
        if codec.canonical(value) != body:
            _malformed("payload", "it is not canonical JSON (RFC 8785)")
        return Payload.model_validate(value, strict=True)
    except (codec.OutsideProfile, ValidationError) as error:
        _malformed("payload", error)


def _malformed(part: str, why: object) -> NoReturn:
    if isinstance(why, ValidationError):
        why = "; ".join(
            f"/{'/'.join(map(str, each['loc']))}: {each['msg']}" for each in why.errors()
        )
    raise Refused(
        "command-malformed",
        f"The {part} of the signed command is malformed: {why}.",
        "Write it in the form of section 7 of the bundle's format.",
        pointer="",
    ) from None
