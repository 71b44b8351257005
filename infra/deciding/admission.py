"""Admission of signed commands: every check that a verifier makes later is made before recording.

The rules have the names and the order of the verifiers' faults (the bundle's format, section 7), so
that nothing is recorded that a verifier would reject. Pure: all that is checked is an argument.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

from domain import times
from domain.kernel import Event, Refused
from domain.keyring import Key, Keyring, ProposeKeyRecovery, RegisterKey, public_of
from domain.second_person import SecondPersonAsked
from domain.values import instant
from infra.deciding.intake import Envelope
from infra.deciding.pseudonyms import COMMAND
from infra.store.history import Kept
from infra.tlog import keys
from infra.tlog.dsse import Payload, SeenLog, Signed

NONCE = "nonce"
"""The kind of a nonce that a party used."""

_COMMITMENT = "person:"
"""The prefix of a commitment, which the log has in the place of a person's name."""

SIGN_ANEW = "Sign it again."


@dataclass(frozen=True, slots=True)
class Place:
    """The place in a log where a command is to be recorded, and what is known there."""

    origin: str
    keyring: Keyring
    recorded_at: datetime
    version: int
    """The version of its stream before the command."""
    size: int
    """The size of the log before the command."""
    root_at: Callable[[int], bytes | None]
    used: Collection[str]
    """The used nonces (see `nonce_key`)."""


def check_key(event: Envelope) -> None:
    """Raise `Refused` for a weak key, or for one without a proof that its party holds it."""
    command = event.data
    if not isinstance(command, Key | ProposeKeyRecovery):
        return
    public = public_of(command)
    if not keys.admitted(public):
        raise Refused(
            "key-weak",
            "The key is not a point of the curve's main group, so anybody could sign for it.",
            "Generate a new Ed25519 key.",
            field="key",
        )
    message = keys.possession(event.subject, event.party, public)
    if not keys.verified(public, message, keys.decoded(command.proof)):
        raise Refused(
            "key-proof",
            f"The proof does not show that {event.party} holds the key.",
            "Sign the proof with this key, for this partnership and party.",
            field="proof",
        )


def admit(signed: Signed, event: Envelope, place: Place) -> None:
    """Raise `Refused` unless a signed command can be recorded at its place."""
    payload = signed.payload
    _check_aim(payload, event, place.origin)
    if not signed.by(_key(signed, event, place.keyring)):
        raise Refused(
            "command-signature",
            f"The signature is not by the key {signed.keyid} over this payload.",
            SIGN_ANEW,
        )
    if nonce_key(payload) in place.used:
        raise Refused(
            "command-replayed",
            f"{event.party} used the nonce {payload.nonce} for another command.",
            "Sign it again with a new nonce.",
        )
    if place.recorded_at > times.moment(payload.expires):
        raise Refused(
            "command-expired",
            f"It expired at {payload.expires}; it is {instant(place.recorded_at)}.",
            SIGN_ANEW,
        )
    if payload.expected not in {None, place.version}:
        raise Refused(
            "command-version",
            f"It expects version {payload.expected} of its stream, which is at {place.version}.",
            "Check what was recorded since, then sign it for the present version.",
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
    for name, (signed_for, found) in meant.items():
        if signed_for != found:
            raise Refused(
                "command-elsewhere",
                f"It was signed for the {name} {signed_for}; this is {found}.",
                "Sign it for this log, partnership and party.",
            )


def _key(signed: Signed, event: Envelope, keyring: Keyring) -> bytes:
    registered = keyring.of(event.party)
    command = event.data
    if not registered and isinstance(command, RegisterKey) and command.name == signed.keyid:
        return command.public
    found = registered.get(signed.keyid)
    if found is None or not found.active:
        active = [name for name, each in registered.items() if each.active]
        raise Refused(
            "command-key",
            f"{signed.keyid} is not an active key of {event.party}.",
            f"Sign it with {' or '.join(active)}."
            if active
            else "Register a key first (RegisterKey)."
            if not registered
            else f"{event.party} has no active key left, so it cannot sign.",
            active=active,
        )
    return public_of(found.added)


def _check_seen(seen: SeenLog, place: Place) -> None:
    found = place.root_at(seen.size) if seen.size <= place.size else None
    if found is None or found != keys.decoded(seen.root):
        raise Refused(
            "command-seen",
            f"Its signer saw a log of {seen.size} events, and this log of {place.size} events "
            "is not a continuation of it.",
            "Keep the checkpoint that the signer saw. If the operator signed it, it proves a fork.",
            size=place.size,
        )


def check_same(signed: Signed, event: Envelope, decided: Sequence[Event]) -> None:
    """Raise `Refused` if the first recorded event differs from what was signed."""
    asked = signed.payload.event
    if not decided:
        return
    recorded = decided[0].model_dump(mode="json", exclude_none=True)
    data = asked["data"]
    if isinstance(decided[0], SecondPersonAsked):
        data = {"data": data}
    for name, each in data.items():
        if name in recorded and not _same(each, recorded[name]):
            raise Refused(
                "command-differs",
                f"The field {name} would be recorded in a different form than the signed one.",
                "Sign the event as it is recorded, with all default values written out.",
                field=name,
                recorded=recorded[name],
            )
    time = instant(event.time)
    if asked["time"] != time:
        raise Refused(
            "command-differs",
            f"The time is signed as {asked['time']} and would be recorded as {time}.",
            "Write the time in UTC, with no fraction of a second or with six digits.",
            pointer="/time",
        )


def _same(signed: Any, recorded: Any) -> bool:  # noqa: ANN401 - any JSON values
    match signed, recorded:
        case dict(), dict():
            return signed.keys() == recorded.keys() and all(
                _same(each, recorded[name]) for name, each in signed.items()
            )
        case list(), list():
            return len(signed) == len(recorded) and all(map(_same, signed, recorded))
        case str(), str():
            return signed == recorded or recorded.startswith(_COMMITMENT)
        case _:
            return type(signed) is type(recorded) and bool(signed == recorded)


def nonce_key(payload: Payload) -> str:
    """Return the key under which a party's used nonce is stored."""
    used = f"{payload.partnership}\n{payload.party}\n{payload.nonce}"
    return sha256(used.encode()).hexdigest()


def kept(signed: Signed) -> list[Kept]:
    """Return the items to store for an accepted command: the command itself, and its nonce."""
    partnership, digest = signed.payload.partnership, signed.digest
    return [
        Kept(COMMAND, partnership, digest, signed.body),
        Kept(NONCE, partnership, nonce_key(signed.payload), digest.encode()),
    ]
