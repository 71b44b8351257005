"""Keys: which party signs by which key, and what binds only if it is signed.

A party registers a key, with a proof that it holds it. From then on its acts that bind are taken
only signed, its own changes of keys among them; so nobody acts in its name, the operator included.
Whether a key is any good, and a proof or a signature right, is found out where bytes are handled;
here stands who holds which key, and what needs one.
"""

from base64 import b64decode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Annotated, assert_never

from pydantic import StringConstraints

from domain.agreement import TermsAccepted, TermsCountered, TermsProposed
from domain.deal import AttributionProposed, AttributionSettled
from domain.dispute import DisputeResolved, ResolutionProposed
from domain.entry import PenaltyConceded
from domain.formation import (
    AgreementDrafted,
    AgreementSigned,
    CharterAgreed,
    CharterProposed,
    DecisionRuleAgreed,
    DecisionRuleProposed,
)
from domain.gates import WaiverGranted
from domain.kernel import Act, Command, Event, Refused, Stage, Value
from domain.renewal import ExitNoticeGiven, PartnershipRenewed, RenewalDeclined, RenewalProposed
from domain.scaling import (
    JointInvestmentAgreed,
    JointInvestmentProposed,
    ScopeExpanded,
    ScopeProposed,
)
from domain.settlement import FinalSettlementIssued, PayoutRecorded, StatementIssued
from domain.sharing import DataSharingAgreed
from domain.values import Text

PublicKey = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=$", strict=True)
]
"""A key of 32 bytes in base64, in the one form that these bytes have."""

Proof = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9+/]{85}[AQgw]==$", strict=True)]
"""A signature of 64 bytes in base64, likewise."""

KeyId = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{16}$")]

_ALWAYS = frozenset(Stage)
"""Keys may change after the end, too: what is still owed then is paid and confirmed."""


def key_id(public: bytes) -> str:
    """Give how a party's key is named: the first 16 hex digits of its SHA-256."""
    return sha256(public).hexdigest()[:16]


class Key(Value):
    """A key, and the proof that whoever names it holds it."""

    key: PublicKey
    proof: Proof
    """The key's signature over the partnership, the party and the key (`accord register-key`)."""

    @property
    def public(self) -> bytes:
        """The key's 32 bytes."""
        return b64decode(self.key)

    @property
    def name(self) -> str:
        """How signatures name the key."""
        return key_id(self.public)


class RegisterKey(Key, Command):
    """Register a key of one's own; from then on acts that bind need a signature."""

    stages = _ALWAYS


class KeyRegistered(Key, Event):
    """A party registered a key by which it signs."""


class RotateKey(Key, Command):
    """Put a new key in the place of one that is active."""

    stages = _ALWAYS
    replaces: KeyId


class KeyRotated(Key, Event):
    """A party put a new key in the place of another."""

    replaces: KeyId


class _Revocation(Value):
    keyid: KeyId
    reason: Text


class RevokeKey(_Revocation, Command):
    """Let a key sign nothing more."""

    stages = _ALWAYS


class KeyRevoked(_Revocation, Event):
    """A party said that a key of its own signs nothing more."""


KeyCommand = RegisterKey | RotateKey | RevokeKey

BINDING: frozenset[type[Event]] = frozenset(
    {
        TermsProposed,
        TermsCountered,
        TermsAccepted,
        CharterProposed,
        CharterAgreed,
        DecisionRuleProposed,
        DecisionRuleAgreed,
        AgreementDrafted,
        AgreementSigned,
        DataSharingAgreed.proposed,
        DataSharingAgreed,
        StatementIssued,
        FinalSettlementIssued,
        PayoutRecorded,
        AttributionProposed,
        AttributionSettled,
        ResolutionProposed,
        DisputeResolved,
        ScopeProposed,
        ScopeExpanded,
        JointInvestmentProposed,
        JointInvestmentAgreed,
        RenewalProposed,
        PartnershipRenewed,
        RenewalDeclined,
        ExitNoticeGiven,
        PenaltyConceded,
        WaiverGranted,
        KeyRegistered,
        KeyRotated,
        KeyRevoked,
    }
)
"""What a party with a key states only with its signature (the bundle's format, section 8)."""


# --- state -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Held:
    """A key in a party's hands: the fact by which it came, and the one that ended it."""

    party: str
    came: KeyRegistered | KeyRotated
    ended: KeyRotated | KeyRevoked | None = None

    @property
    def active(self) -> bool:
        """Whether it signs."""
        return self.ended is None


@dataclass(frozen=True, slots=True)
class Keyring:
    """All keys that were ever registered in a partnership, by their names."""

    keys: Mapping[str, Held] = field(default_factory=dict)

    def of(self, party: str) -> dict[str, Held]:
        """Give the keys that a party has or had."""
        return {name: held for name, held in self.keys.items() if held.party == party}

    def check_signed(self, decided: Iterable[Event], party: str) -> None:
        """Raise `Refused` where something that binds needs a signature of its party."""
        binding = next((each.wire for each in decided if type(each) in BINDING), None)
        held = self.of(party)
        if binding is None or not held:
            return
        active = [name for name, each in held.items() if each.active]
        raise Refused(
            "signature-needed",
            f"{party} has registered a key, so {binding} needs its signature.",
            f"Sign it with {' or '.join(active)} (accord sign)."
            if active
            else f"Every key of {party} is revoked, so it can bind itself to nothing more here; "
            "whoever keeps a second key registered can revoke the first.",
            active=active,
        )


# --- decisions ---------------------------------------------------------------------------------


def decide(command: KeyCommand, state: Keyring, act: Act) -> list[Event]:
    """Decide a change of keys: nothing if it was made. Raises `Refused`."""
    match command:
        case RegisterKey():
            return _brought(KeyRegistered.of(command), state, act)
        case RotateKey():
            return rotate(command, state, act)
        case RevokeKey():
            return revoke(command, state, act)
        case _:
            assert_never(command)


def rotate(command: RotateKey, state: Keyring, act: Act) -> list[Event]:
    """Put a new key in the place of an active one of the same party."""
    rotated = KeyRotated.of(command)
    decided = _brought(rotated, state, act)
    if decided:
        _check_active(command.replaces, state, act)
    return decided


def revoke(command: RevokeKey, state: Keyring, act: Act) -> list[Event]:
    """End an active key of one's own."""
    revoked = KeyRevoked.of(command)
    held = state.of(act.party).get(command.keyid)
    if held and held.ended == revoked:
        return []
    _check_active(command.keyid, state, act)
    return [revoked]


def _brought(event: KeyRegistered | KeyRotated, state: Keyring, act: Act) -> list[Event]:
    held = state.keys.get(event.name)
    if held is None:
        return [event]
    if held.active and (held.party, held.came) == (act.party, event):
        return []
    raise Refused(
        "key-used-before",
        f"The key {event.name} was registered by {held.party} before.",
        "Make a new key (accord keygen): one key stands for one party, once.",
        keyid=event.name,
    )


def _check_active(keyid: str, state: Keyring, act: Act) -> None:
    held = state.of(act.party)
    if keyid not in held or not held[keyid].active:
        active = [name for name, each in held.items() if each.active]
        raise Refused(
            "key-unknown",
            f"{act.party} has no active key {keyid}.",
            f"Name an active one: {', '.join(active) or 'there is none'}.",
            active=active,
        )


# --- fold --------------------------------------------------------------------------------------


def evolve(state: Keyring, event: Event, act: Act) -> Keyring:
    """Take a change of keys into the state."""
    match event:
        case KeyRegistered():
            return _with(state, event, act)
        case KeyRotated():
            return _with(_without(state, event.replaces, event), event, act)
        case KeyRevoked():
            return _without(state, event.keyid, event)
        case _:
            return state


def _with(state: Keyring, event: KeyRegistered | KeyRotated, act: Act) -> Keyring:
    return Keyring({**state.keys, event.name: Held(act.party, event)})


def _without(state: Keyring, keyid: str, event: KeyRotated | KeyRevoked) -> Keyring:
    held = state.keys.get(keyid)
    if held is None:  # A replay as of a moment may know the end alone.
        return state
    return Keyring({**state.keys, keyid: Held(held.party, held.came, event)})
