"""Signed commands: what a party asks for, of which log, until when, in a DSSE envelope.

Envelope and payload are those of the bundle's format (section 8), read strictly: there is one form
for every command, so that whoever has its digest has its bytes.
"""

import secrets
from base64 import b64encode
from datetime import datetime
from hashlib import sha256
from typing import Annotated, Any, Literal, NamedTuple, NoReturn

from pydantic import AfterValidator, Field, StringConstraints, ValidationError

from domain.kernel import Refused, Value
from domain.keyring import KeyId, key_id
from domain.values import Count, instant
from infra.tlog import codec, keys
from infra.tlog.keys import Signer

TYPE = "application/vnd.accord.command+json"
"""The ``payloadType`` of a signed command."""

MARK = "payloadType"
"""The member by which an envelope is told from a CloudEvent, which has none of that name."""

_HASH = 32


def _moment(text: str) -> str:
    if instant(codec.moment(text)) != text:
        msg = "must be a moment of UTC, such as 2026-01-31T09:00:00Z"
        raise ValueError(msg)
    return text


def _hash(text: str) -> str:
    if len(keys.decoded(text)) != _HASH:
        msg = "must be a SHA-256 hash in base64"
        raise ValueError(msg)
    return text


class Seen(Value):
    """The log as the signer was shown it: its size, and the root over so many leaves."""

    root: Annotated[str, AfterValidator(_hash)]
    size: Count


class Payload(Value):
    """What is signed: an event, and where, until when and after what it may be taken."""

    accord: Literal["command/v1"]
    origin: str
    """The log: the operator's name and the partnership."""
    partnership: str
    party: str
    type: str
    expected: Count | None
    """The version of the stream before it, if it is to follow that very one."""
    nonce: Annotated[str, StringConstraints(pattern=r"^[!-~]{8,128}$")]
    """Chosen by chance, so that nothing is taken twice."""
    expires: Annotated[str, StringConstraints(pattern=r"^[0-9T:.-]+Z$"), AfterValidator(_moment)]
    seen: Seen | None
    """The last checkpoint that its signer saw: a log without it is another log."""
    event: dict[str, Any]
    """The CloudEvent."""


class Signed(NamedTuple):
    """A signed command as it was read; whether its signature is right is yet to be asked."""

    payload: Payload
    keyid: str
    signature: bytes
    message: bytes
    """What the signature is over."""
    body: bytes
    """The canonical bytes of the envelope."""

    @property
    def digest(self) -> str:
        """How an event names it: the SHA-256 of its canonical bytes, in hex."""
        return sha256(self.body).hexdigest()

    def by(self, public: bytes) -> bool:
        """Whether this key signed it."""
        return keys.verified(public, self.message, self.signature)


def asked(event: dict[str, Any], operator: str, expires: datetime) -> Payload:
    """Give the payload that asks an operator for an event, after nothing in particular.

    Raises `KeyError` where the event does not say whose it is.
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
    """Give the envelope of a payload, as canonical bytes."""
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
    """Read an envelope. Raises `Refused` for one that is not in its one form."""
    try:
        envelope = _Envelope.model_validate(value, strict=True)
    except ValidationError as error:
        _malformed("envelope", error)
    (signature,) = envelope.signatures
    signed, body = keys.decoded(signature.sig), keys.decoded(envelope.payload)
    if len(signed) != keys.SIGNATURE:
        _malformed("envelope", "its signature is no 64 bytes in base64")
    return Signed(_payload(body), signature.keyid, signed, _encoded(body), codec.canonical(value))


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
        f"The {part} of the signed command is not in its form: {why}.",
        "Sign the event with accord sign, or as section 8 of the bundle's format has it.",
        pointer="",
    ) from None
