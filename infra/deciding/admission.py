"""Whether a signed command is taken: every check that a verifier makes of it, made beforehand.

The rules bear the names of the verifiers' faults, and their order (the bundle's format, section 8),
so that nothing is recorded which would not hold in a dispute. Pure: what it may look at comes in.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

from domain.kernel import Event, Refused
from domain.keyring import Key, Keyring, RegisterKey
from domain.values import instant
from infra.deciding.intake import Envelope
from infra.deciding.pseudonyms import COMMAND
from infra.store.records import Kept
from infra.tlog import codec, keys
from infra.tlog.dsse import Payload, Seen, Signed

NONCE = "nonce"
"""The kind under which it is kept that a party used a nonce."""

_COMMITMENT = "person:"
"""What stands where the log does not tell a person's name begins with this."""

SIGN_ANEW = "Sign it anew (accord sign)."


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a log a command is to be recorded, and what is known there."""

    origin: str
    keyring: Keyring
    recorded_at: datetime
    version: int
    """The version of its stream before it."""
    size: int
    """The size of the log before it."""
    root_at: Callable[[int], bytes | None]
    used: Collection[str]
    """The nonces that were used, as `nonce_key` names them."""


def check_key(event: Envelope) -> None:
    """Raise `Refused` where a key is weak, or whoever registers it has not shown to hold it."""
    command = event.data
    if not isinstance(command, Key):
        return
    public = command.public
    if not keys.admitted(public):
        raise Refused(
            "key-weak",
            "The key is no point of the curve's main group: it would sign for anybody.",
            "Make a key by accord keygen.",
            field="key",
        )
    message = keys.possession(event.subject, event.party, public)
    if not keys.verified(public, message, keys.decoded(command.proof)):
        raise Refused(
            "key-proof",
            f"The proof does not show that {event.party} holds the key.",
            "Make it by accord register-key, for this partnership and party.",
            field="proof",
        )


def admit(signed: Signed, event: Envelope, place: Place) -> None:
    """Raise `Refused` unless a signed command may be taken at its place."""
    payload = signed.payload
    _check_aim(payload, event, place.origin)
    if not signed.by(_key(signed, event, place.keyring)):
        raise Refused(
            "command-signature",
            f"The signature is not that of the key {signed.keyid} over this payload.",
            SIGN_ANEW,
        )
    if nonce_key(payload) in place.used:
        raise Refused(
            "command-replayed",
            f"{event.party} used the nonce {payload.nonce} for another command.",
            f"{SIGN_ANEW[:-1]}: each command has a nonce of its own.",
        )
    if place.recorded_at > codec.moment(payload.expires):
        raise Refused(
            "command-expired",
            f"It was to be recorded by {payload.expires}, and it is {instant(place.recorded_at)}.",
            SIGN_ANEW,
        )
    if payload.expected not in {None, place.version}:
        raise Refused(
            "command-version",
            f"It expects version {payload.expected} of its stream, which has {place.version}.",
            "Look at what was recorded meanwhile; if it still stands, sign it for that version.",
            expected=payload.expected,
            version=place.version,
        )
    if payload.seen is not None:
        _check_seen(payload.seen, place)


def _check_aim(payload: Payload, event: Envelope, origin: str) -> None:
    meant = {
        "origin": (payload.origin, origin),
        "partnership": (payload.partnership, event.subject),
        "party": (payload.party, event.party),
        "type": (payload.type, event.type),
    }
    for name, (said, found) in meant.items():
        if said != found:
            raise Refused(
                "command-elsewhere",
                f"It was signed for the {name} {said}, and this is {found}.",
                "Sign it for the log, the partnership and the party that it is for.",
            )


def _key(signed: Signed, event: Envelope, keyring: Keyring) -> bytes:
    held = keyring.of(event.party)
    command = event.data
    if not held and isinstance(command, RegisterKey) and command.name == signed.keyid:
        return command.public
    found = held.get(signed.keyid)
    if found is None or not found.active:
        active = [name for name, each in held.items() if each.active]
        raise Refused(
            "command-key",
            f"{signed.keyid} is no key of {event.party} that is active.",
            f"Sign it with {' or '.join(active)}."
            if active
            else "Register a key first (RegisterKey)."
            if not held
            else f"{event.party} has no active key any more, and can sign nothing.",
            active=active,
        )
    return found.added.public


def _check_seen(seen: Seen, place: Place) -> None:
    found = place.root_at(seen.size) if seen.size <= place.size else None
    if found is None or found != keys.decoded(seen.root):
        raise Refused(
            "command-seen",
            f"Its signer saw a log of {seen.size} events that this one, "
            f"of {place.size}, does not come from.",
            "Keep the checkpoint that was seen: if the operator signed it, it proves a fork.",
            size=place.size,
        )


def check_same(signed: Signed, event: Envelope, decided: Sequence[Event]) -> None:
    """Raise `Refused` where what is recorded first would not be, word for word, what was signed."""
    said = signed.payload.event
    if not decided:
        return
    recorded = decided[0].model_dump(mode="json", exclude_none=True)
    for name, each in said["data"].items():
        if name in recorded and not _same(each, recorded[name]):
            raise Refused(
                "command-differs",
                f"What is recorded as {name} is written otherwise than what was signed.",
                "Sign what is recorded, with all its defaults: accord sign writes it so.",
                field=name,
                recorded=recorded[name],
            )
    if said["time"] != instant(event.time):
        raise Refused(
            "command-differs",
            f"The time is signed as {said['time']}, and recorded as {instant(event.time)}.",
            "Sign it in UTC, with six digits of a second or none: accord sign writes it so.",
            pointer="/time",
        )


def _same(said: Any, recorded: Any) -> bool:  # noqa: ANN401 - any JSON values
    match said, recorded:
        case dict(), dict():
            return said.keys() == recorded.keys() and all(
                _same(each, recorded[name]) for name, each in said.items()
            )
        case list(), list():
            return len(said) == len(recorded) and all(map(_same, said, recorded))
        case str(), str():
            return said == recorded or recorded.startswith(_COMMITMENT)
        case _:
            return type(said) is type(recorded) and bool(said == recorded)


def nonce_key(payload: Payload) -> str:
    """Give the name under which it is kept that a party used a nonce."""
    used = f"{payload.partnership}\n{payload.party}\n{payload.nonce}"
    return sha256(used.encode()).hexdigest()


def kept(signed: Signed) -> list[Kept]:
    """Give what is kept of a command that was taken: itself, and that its nonce was used."""
    partnership, digest = signed.payload.partnership, signed.digest
    return [
        Kept(COMMAND, partnership, digest, signed.body),
        Kept(NONCE, partnership, nonce_key(signed.payload), digest.encode()),
    ]
