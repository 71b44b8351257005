"""Keys: which party signs with which key.

A party registers a key, with a proof that it has the private key. From then on its binding
commands, changes of keys included, are accepted only with its signature (`domain.signing`). Keys,
proofs and signatures themselves are verified by the code that reads them; this module decides who
has which key. Keys can change after the end, too, because what is still owed is paid then.
"""

from base64 import b64decode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from hashlib import sha256
from typing import Annotated, Any, assert_never

from pydantic import Field, StringConstraints

from domain.bilateral import BilateralAgreement
from domain.kernel import ALWAYS, Act, Command, Event, NotNow, Refused, Stage, Unknown, Value
from domain.values import Instant, Ref, Slug, Text, instant

PublicKey = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=$", strict=True)
]
"""A public key of 32 bytes, in canonical base64."""

Proof = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9+/]{85}[AQgw]==$", strict=True)]
"""A signature of 64 bytes, in canonical base64."""

KeyId = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{16}$")]

SigningKeys = dict[Slug, list[KeyId]]
"""The active keys of parties, by party, in the order of their names."""


class Facts(StrEnum):
    """The kinds of facts that move money. A party can let a key of a service sign some of them."""

    DEALS = "deals"
    PAYMENTS = "payments"
    REFUNDS = "refunds"
    COSTS = "costs"
    FIGURES = "figures"
    RATES = "rates"
    CLAIMS = "claims"


class SignedKind(StrEnum):
    """The kinds of events of which a party can require that they are signed.

    What binds it and what erases a person is signed anyway.
    """

    DEALS = Facts.DEALS
    PAYMENTS = Facts.PAYMENTS
    REFUNDS = Facts.REFUNDS
    COSTS = Facts.COSTS
    FIGURES = Facts.FIGURES
    RATES = Facts.RATES
    CLAIMS = Facts.CLAIMS
    OTHER = "other"
    """All that needs no signature otherwise, but a proposal to recover a lost key."""


def key_id(public: bytes) -> str:
    """Return the identifier of a party's key: the first 16 hex digits of its SHA-256."""
    return sha256(public).hexdigest()[:16]


class Key(Value):
    """A public key, and the proof that the party has its private key."""

    key: PublicKey
    """The public key: 32 bytes of Ed25519, in Base64."""
    proof: Proof
    """The key's signature over the partnership, the party and the key."""

    @property
    def public(self) -> bytes:
        """The key's 32 bytes."""
        return b64decode(self.key)

    @property
    def name(self) -> str:
        """The identifier of the key, by which signatures name it."""
        return key_id(self.public)


class _Registration(Key):
    delegated: Annotated[list[Facts], Field(min_length=1)] | None = None
    """The kinds of facts that the key signs, for a key of a service; null for a key that signs
    everything."""


class RegisterKey(_Registration, Command):
    """Register a key of the party. From then on its binding commands need a signature."""

    stages = ALWAYS


class KeyRegistered(_Registration, Event):
    """A party registered a key with which it signs."""


class RotateKey(Key, Command):
    """Replace an active key of the party with a new one, which signs the same."""

    stages = ALWAYS
    replaces: KeyId
    """The identifier of the key that is replaced."""


class KeyRotated(Key, Event):
    """A party replaced one of its keys with a new one, which signs the same."""

    replaces: KeyId
    """The identifier of the key that was replaced."""


class _Revocation(Value):
    keyid: KeyId
    """The identifier of the key: the first 16 hexadecimal digits of its SHA-256 hash."""
    reason: Text
    """The reason, in words."""
    lost_since: Instant | None = None
    """Since when somebody else may have had the key; null if it was not lost."""


class RevokeKey(_Revocation, Command):
    """Revoke a key of the party: it can no longer sign."""

    stages = ALWAYS


class KeyRevoked(_Revocation, Event):
    """A party revoked one of its keys, which can no longer sign."""


class _Requirement(Value):
    kinds: list[SignedKind]
    """The kinds of events that must be signed as well, in place of those that were required before;
    empty for none."""


class RequireSignatures(_Requirement, Command):
    """Require the party's signature on more kinds of its events than the rules demand."""

    stages = ALWAYS - {Stage.ADOPTION}  # An adoption states facts for both, which one party signs.


class SignaturesRequired(_Requirement, Event):
    """A party required its signature on more kinds of its events than the rules demand."""


class KeySentByOperator(Event):
    """The operator sent a party's key that no key of the party's own signed.

    It counts as sent by the operator, too, if the operator made the API key that sent it.
    """

    party: Slug
    """The party whose key it is."""
    keyid: KeyId
    """The identifier of the key: the first 16 hexadecimal digits of its SHA-256 hash."""


KeyCommand = RegisterKey | RotateKey | RevokeKey | RequireSignatures


class KeyRecovered(
    BilateralAgreement,
    name="KeyRecovery",
    subject="a new key for a party that lost its own",
    stages=ALWAYS,
    counted=None,
):
    """Both parties agreed a new key of the party that proposed it. Its other keys ended."""

    proposal: Ref
    """The identifier of the proposal."""
    party: Slug
    """The party that lost its keys. It proposes the new one."""
    key: PublicKey
    """The new public key: 32 bytes of Ed25519, in Base64. It signs everything."""
    proof: Proof
    """The new key's signature over the partnership, the party and the key."""
    lost_since: Instant
    """Since when somebody else may have had a key of the party."""

    @classmethod
    def check_new(cls, proposed: Any, context: object, act: Act) -> None:  # noqa: ANN401, ARG003 - made
        """Raise `Refused` unless a party proposes a key of its own, and lost one before now."""
        if proposed.party != act.party:
            raise Refused(
                "not-ones-own-key",
                "A party proposes a new key for itself. The proposal of "
                f"{act.party} is for {proposed.party}.",
                f"Let {proposed.party} propose it.",
                field="party",
            )
        if proposed.lost_since > act.recorded_at:
            raise Refused(
                "lost-in-the-future",
                "A key is lost before its party says so. This one would be lost at "
                f"{instant(proposed.lost_since)}.",
                "Give the time since which somebody else may have had it.",
                field="lost_since",
            )


ProposeKeyRecovery = KeyRecovered.proposes
KeyRecoveryProposed = KeyRecovered.proposed
AgreeKeyRecovery = KeyRecovered.accepts

Added = KeyRegistered | KeyRotated | KeyRecovered
"""The events that add a key."""


def public_of(added: Any) -> bytes:  # noqa: ANN401 - `Added`, or a proposal
    """Return the 32 bytes of the key that an event adds or a proposal would add."""
    return b64decode(added.key)


def added_by(command: Command) -> KeyId | None:
    """Return the identifier of the key that a command adds or proposes; None if it does neither."""
    if isinstance(command, Key | ProposeKeyRecovery):
        return key_id(public_of(command))
    return None


# --- state -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class PartyKey:
    """A key of a party: the event that added it, and the event that ended it."""

    party: str
    added: Added
    delegated: frozenset[Facts] | None = None
    """The kinds of facts that it signs; None if it signs everything."""
    ended: KeyRotated | KeyRevoked | KeyRecovered | None = None

    @property
    def active(self) -> bool:
        """Whether the key can sign."""
        return self.ended is None

    @property
    def binds(self) -> bool:
        """Whether the key can sign what binds its party."""
        return self.active and self.delegated is None

    def signs(self, kind: str) -> bool:
        """Whether the key can sign a kind of events (`domain.signing.kind_of`)."""
        return self.active and (self.delegated is None or kind in self.delegated)


@dataclass(frozen=True, slots=True)
class Keyring:
    """Every key that was ever registered in a partnership, by identifier."""

    keys: Mapping[str, PartyKey] = field(default_factory=dict)
    by_operator: frozenset[str] = frozenset()
    """The keys that the operator sent (see `KeySentByOperator`)."""
    required: Mapping[str, frozenset[SignedKind]] = field(default_factory=dict)
    """The kinds of events of which a party requires that they are signed, by party."""

    def active(self) -> SigningKeys:
        """Return the identifiers of the keys that can bind, of each party that has one."""
        found: SigningKeys = {}
        for name in sorted(self.keys):
            if self.keys[name].binds:
                found.setdefault(self.keys[name].party, []).append(name)
        return dict(sorted(found.items()))

    def consenting(self) -> set[str]:
        """Return the parties whose consent replaces a lost key: each with a binding key of its own.

        A key that the operator sent may be in its hands, and it could replace a party's key alone.
        """
        return {
            each.party
            for name, each in self.keys.items()
            if each.binds and name not in self.by_operator
        }

    def of(self, party: str) -> dict[str, PartyKey]:
        """Return the keys that a party has or had."""
        return {name: key for name, key in self.keys.items() if key.party == party}


# --- decisions ---------------------------------------------------------------------------------


def decide(command: KeyCommand, state: Keyring, act: Act) -> list[Event]:
    """Decide a change of keys: nothing if it is recorded already. Raises `Refused`."""
    match command:
        case RegisterKey():
            return register(command, state, act)
        case RotateKey():
            return rotate(command, state, act)
        case RevokeKey():
            return revoke(command, state, act)
        case RequireSignatures():
            return require(command, state, act)
        case _:
            assert_never(command)


def register(command: RegisterKey, state: Keyring, act: Act) -> list[Event]:
    """Register a key of the acting party. The first one signs everything."""
    decided = _add(KeyRegistered.of(command), state, act)
    if decided and command.delegated and not state.of(act.party):
        raise Refused(
            "first-key-signs-all",
            "The first key of a party signs everything, because it signs the registration of every "
            f"other key. This key signs only {' and '.join(command.delegated)}.",
            "Register a key without `delegated` first. Then sign the registration of this one.",
            field="delegated",
        )
    return decided


def rotate(command: RotateKey, state: Keyring, act: Act) -> list[Event]:
    """Replace an active key of the acting party."""
    rotated = KeyRotated.of(command)
    decided = _add(rotated, state, act)
    if decided:
        _check_active(command.replaces, state, act)
    return decided


def revoke(command: RevokeKey, state: Keyring, act: Act) -> list[Event]:
    """Revoke an active key of the acting party."""
    revoked = KeyRevoked.of(command)
    existing = state.of(act.party).get(command.keyid)
    if existing and existing.ended == revoked:
        return []
    _check_active(command.keyid, state, act)
    return [revoked]


def require(command: RequireSignatures, state: Keyring, act: Act) -> list[Event]:
    """Require signatures on these kinds of events of the acting party."""
    if not any(each.binds for each in state.of(act.party).values()):
        raise NotNow(
            "nothing-signs",
            "Only a party with an active key that signs everything can require signatures. "
            f"{act.party} has none.",
            "Register a key first (RegisterKey).",
        )
    required = state.required.get(act.party, frozenset())
    return [] if required == frozenset(command.kinds) else [SignaturesRequired.of(command)]


def _add(event: KeyRegistered | KeyRotated, state: Keyring, act: Act) -> list[Event]:
    existing = state.keys.get(event.name)
    if existing is None:
        return [event]
    if existing.active and (existing.party, existing.added) == (act.party, event):
        return []
    raise _used_before(event.name, state)


def _used_before(name: str, state: Keyring) -> Refused:
    return Refused(
        "key-used-before",
        "A key can be registered only once, by one party. "
        f"{state.keys[name].party} registered the key {name} before.",
        "Generate a new key, and register that.",
        keyid=name,
    )


def _check_active(keyid: str, state: Keyring, act: Act) -> None:
    keys = state.of(act.party)
    if keyid not in keys or not keys[keyid].active:
        active = [name for name, each in keys.items() if each.active]
        raise Unknown(
            "key-unknown",
            f"Only an active key can be replaced or revoked. {act.party} has no active key "
            f"{keyid}.",
            f"Use one of these: {', '.join(active)}." if active else "Register a key first.",
            active=active,
            named=keyid,
            known=[name for name, each in keys.items() if each.active],
        )


def check_recoverable(party: str, state: Keyring, act: Act) -> None:
    """Raise `Refused` if a party lost no key, or if the other party cannot sign its consent.

    The party that lost its keys can sign nothing. So the other one must sign its consent, with a
    key that the operator did not send, or the operator alone could replace a party's key.
    """
    if not state.of(party):
        raise NotNow(
            "nothing-lost",
            f"Only a party that has registered a key can recover one. {party} has none.",
            "Register a key (RegisterKey).",
        )
    others = state.consenting() - {party}
    if not others or (act.party != party and act.party not in others):
        raise NotNow(
            "recovery-not-signed",
            "The other party signs its consent to a recovered key. It has no key that signs "
            "everything and that the operator did not send.",
            "Let the other party register a key first (RegisterKey), or replace the one that the "
            "operator sent (RotateKey). It sends it with a credential that it made itself, "
            "such as the API key from its first invitation.",
        )


def check_recovered(event: Any, state: Keyring, act: Act) -> None:  # noqa: ANN401 - made
    """Raise `Refused` if a key that is proposed or agreed is not new, or as `check_recoverable`."""
    check_recoverable(event.party, state, act)
    name = key_id(public_of(event))
    if name in state.keys:
        raise _used_before(name, state)


def check_signer(decided: Iterable[Event], name: str, state: Keyring) -> None:
    """Raise `Refused` if a key that the operator sent signed the consent to a recovered key."""
    if name in state.by_operator and any(isinstance(each, KeyRecovered) for each in decided):
        raise Refused(
            "recovery-by-operator",
            "The consent to a recovered key is signed with a key that the operator did not send. "
            f"The operator sent the key {name}.",
            "Sign it with a key that the party sent itself.",
            keyid=name,
        )


def enrolment(
    keyid: str, state: Keyring, *, party: str, sender: str, signer: str | None
) -> list[Event]:
    """Return the event that the operator sent a key; none if the party itself sent or signed it.

    `sender` is the party that sent the command with a credential which it made itself; empty for
    the operator, and for a credential that the operator made. `signer` is the key that signed it,
    None if none did. `state` is the one before the command.
    """
    is_signed = signer in state.of(party) and signer not in state.by_operator
    if sender == party or is_signed:
        return []
    return [KeySentByOperator(party=party, keyid=keyid)]


# --- fold --------------------------------------------------------------------------------------


def evolve(state: Keyring, event: Event, act: Act) -> Keyring:
    """Fold a change of keys into the state."""
    match event:
        case KeyRegistered():
            delegated = frozenset(event.delegated) if event.delegated else None
            return _with(state, event, delegated, act)
        case KeyRotated():
            replaced = state.keys.get(event.replaces)
            delegated = replaced.delegated if replaced else None
            return _with(_without(state, event.replaces, event), event, delegated, act)
        case KeyRevoked():
            return _without(state, event.keyid, event)
        case SignaturesRequired():
            required = {**state.required, act.party: frozenset(event.kinds)}
            return replace(state, required=required)
        case KeySentByOperator():
            return replace(state, by_operator=state.by_operator | {event.keyid})
        case KeyRecovered():
            for name, each in state.of(event.party).items():
                if each.active:
                    state = _without(state, name, event)
            return _with(state, event, None, act._replace(party=event.party))
        case _:
            return state


def _with(state: Keyring, event: Added, delegated: frozenset[Facts] | None, act: Act) -> Keyring:
    name = key_id(public_of(event))
    return replace(state, keys={**state.keys, name: PartyKey(act.party, event, delegated)})


def _without(state: Keyring, keyid: str, event: KeyRotated | KeyRevoked | KeyRecovered) -> Keyring:
    key = state.keys.get(keyid)
    if key is None:  # A replay as of a moment may have the end alone.
        return state
    return replace(state, keys={**state.keys, keyid: replace(key, ended=event)})
