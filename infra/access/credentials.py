"""API keys: each is bound to a party or a role, and can be limited, rotated and revoked.

A key is written ``accord_<id>_<secret>``. The id is public. The secret has 256 random bits, is
shown once, and is stored as its SHA-256. A slow hash is for passwords, which can be guessed; nobody
can try 2^256 secrets.
"""

import re
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from hashlib import sha256
from hmac import compare_digest
from typing import Final, NamedTuple

from pydantic import ConfigDict

from domain.described import Described
from domain.kernel import CLOCK_PARTY, Refused
from domain.people import as_read, check_actor
from domain.values import PersonName, Slug, instant
from infra.access.roles import SCOPES, SENDING, USUAL, Identity, Role, Scope, families
from infra.store.alert_acts import ERASED
from infra.store.credentials import Credentials, StoredCredential

ID_BYTES: Final = 6
SECRET_BYTES: Final = 32

LAST_USE: Final = timedelta(minutes=1)
"""How exactly the last use is known, so that not every request writes."""

_KEY = re.compile(r"accord_([0-9a-f]{12})_([A-Za-z0-9_-]{43})")
_NO_HASH: Final = bytes(32)
"""Compared with the secret where there is no such id, so that both take the same time."""


class AskedGrant(Described):
    """To whom a credential is to be bound, and what it may do."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    role: Role
    """For whom it acts."""
    actor: PersonName
    """The person or the service that uses it."""
    party: Slug | None = None
    """The party of the roles `party` and `service`; null for others."""
    scopes: frozenset[Scope] = frozenset()
    """What it may do; the usual scopes of its role unless given."""
    events: frozenset[str] = frozenset()
    """The types and families of events that it may send; all unless given."""
    partnerships: frozenset[Slug] = frozenset()
    """The partnerships to which it is limited; all of its party or role unless given."""
    candidates: bool = False
    """Whether an auditor's mandate includes what was recorded about candidates that were not
    chosen."""


class Grant(AskedGrant):
    """To whom a credential is bound, and what it may do.

    It changes only when its person is erased.
    """

    invitation: str | None = None
    """The id of the invitation with which the party made its first key; None if the operator made
    it, or could have."""


@dataclass(frozen=True, slots=True)
class Credential:
    """An API key, as the store knows it."""

    id: str
    grant: Grant
    made_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    used_at: datetime | None = None
    """When it was last used, to the minute."""
    replaced_by: str | None = None
    """The id of the key that a rotation or an enrolment made in its place."""

    @property
    def prefix(self) -> str:
        """The public beginning of the key."""
        return f"accord_{self.id}_"

    @property
    def employer(self) -> str:
        """The party of the person in whose name it is.

        An invitation is in the name of the operator's person who made it.
        """
        invited = self.grant.role is Role.INVITED
        return CLOCK_PARTY if invited else self.grant.party or CLOCK_PARTY

    @property
    def is_erased(self) -> bool:
        """Whether the person in whose name it was made is erased."""
        return self.grant.actor == ERASED

    def is_valid(self, now: datetime) -> bool:
        """Whether it is neither revoked nor expired."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)

    @property
    def identity(self) -> Identity:
        """Who uses it, and what that one may do."""
        return Identity(**dict(self.grant), credential=self.id)


class NewKey(NamedTuple):
    """A key that was made. The secret is nowhere else."""

    key: str
    credential: Credential


class NoCredential(LookupError):
    """There is no such credential, or it cannot be changed: what is wrong, and a hint."""

    def __init__(self, detail: str, hint: str) -> None:
        super().__init__(f"{detail} {hint}")
        self.detail = detail
        self.hint = hint


class Unauthenticated(Exception):
    """A request has no valid key.

    `error` is the code of RFC 6750, section 3.1; None if the request has no key at all.
    """

    def __init__(self, detail: str, hint: str, *, error: str | None = "invalid_token") -> None:
        super().__init__(f"{detail} {hint}")
        self.detail = detail
        self.hint = hint
        self.error = error


# --- making and changing -----------------------------------------------------------------------


Announce = Callable[[Credential], None]
"""Records that a credential is made, before it is saved."""


def silently(_: Credential) -> None:
    """Record nothing, for a credential that its holder makes itself."""


def create(
    store: Credentials,
    grant: Grant,
    now: datetime,
    expires_at: datetime | None = None,
    announce: Announce = silently,
) -> NewKey:
    """Make a key and save its hash.

    Raises `Refused` for a grant that its role cannot have, and for an end that is over.
    """
    if expires_at is not None and expires_at <= now:
        raise Refused(
            "key-end",
            f"A key that is made now cannot have expired at {instant(expires_at)}.",
            "Give an end that is to come, such as 90d.",
        )
    made, stored = new_key(checked(grant), now, expires_at)
    announce(made.credential)
    store.add(stored)
    return made


def rotate(
    store: Credentials, id: str, now: datetime, until: datetime, announce: Announce = silently
) -> NewKey:
    """Make a key with the same grant; the old one stays valid until a moment.

    The new one expires as long after its making as the old one did. Raises `NoCredential` for a key
    that is unknown, revoked, expired or replaced.
    """
    old = known(store, id)
    if not old.is_valid(now):
        raise NoCredential(f"The API key {id} is not valid any more.", "Create another one.")
    if old.grant.role is Role.INVITED:
        raise NoCredential(f"{id} is an invitation.", "Revoke it, and invite the party again.")
    # The operator sees the new key, so the party did not make it.
    grant = old.grant.model_copy(update={"invitation": None})
    made, stored = new_key(grant, now, rotated_end(old, now))
    ends = min(filter(None, (until, old.expires_at)))
    announce(made.credential)
    if not store.replace(id, stored, ends):
        raise NoCredential(
            f"The API key {id} was replaced or revoked before.", "List the keys: accord keys list."
        )
    return made


def rotated_end(old: Credential, now: datetime) -> datetime | None:
    """Return when the key that replaces another one now expires. Both last as long."""
    return now + (old.expires_at - old.made_at) if old.expires_at else None


def revoke(store: Credentials, id: str, now: datetime) -> Credential:
    """Revoke a key at once; return it. Raises `NoCredential` for an unknown one."""
    known(store, id)
    store.revoke(id, now)
    return known(store, id)


def listed(store: Credentials) -> list[Credential]:
    """Return every key, in the order in which they were made."""
    return list(map(_credential, store.all()))


def in_name(store: Credentials, name: str) -> list[Credential]:
    """Return the keys and invitations in the name of a person, in the order of their making.

    Names that differ only in capitals, blanks or their Unicode form are one person's.
    """
    return [each for each in listed(store) if as_read(each.grant.actor) == as_read(name)]


def forget(store: Credentials, party: str, name: str, now: datetime) -> None:
    """Delete the name of a party's person from its keys and invitations, and revoke them.

    A key acts in the name of its person, so without the name it acts no more.
    """
    for each in in_name(store, name):
        if each.employer == party:
            store.forget(each.id, now)


def new_key(
    grant: Grant, now: datetime, expires_at: datetime | None
) -> tuple[NewKey, StoredCredential]:
    """Return a key that was made just now, and what the store keeps of it."""
    name, secret = secrets.token_hex(ID_BYTES), secrets.token_urlsafe(SECRET_BYTES)
    stored = StoredCredential(name, _hash(secret), grant.model_dump_json(), now, expires_at)
    found = _credential(stored)
    return NewKey(found.prefix + secret, found), stored


def manages(who: Identity, grant: Grant) -> bool:
    """Whether one who may manage keys manages those of a grant.

    An operator that is limited to partnerships manages those that are limited to them, too.
    """
    if not who.partnerships:
        return True
    return bool(grant.partnerships) and grant.partnerships <= who.partnerships


def managed(store: Credentials, id: str, who: Identity) -> Credential:
    """Return a key that somebody manages, or the own one of who asks.

    Raises `NoCredential` for an unknown one, and in the same words for another.
    """
    found = store.get(id)
    key = _credential(found) if found else None
    if key is None or not (id == who.credential or manages(who, key.grant)):
        raise _unknown(id)
    return key


def known(store: Credentials, id: str) -> Credential:
    """Return a key by its id. Raises `NoCredential` for an unknown one."""
    found = store.get(id)
    if found is None:
        raise _unknown(id)
    return _credential(found)


def _unknown(id: str) -> NoCredential:
    return NoCredential(f"There is no API key {id}.", "List the keys: accord keys list.")


def _credential(stored: StoredCredential) -> Credential:
    grant = Grant.model_validate_json(stored.grant)
    return Credential(
        stored.id,
        grant,
        stored.made_at,
        stored.expires_at,
        stored.revoked_at,
        stored.used_at,
        stored.replaced_by,
    )


def _hash(secret: str) -> bytes:
    return sha256(secret.encode()).digest()


def check_maker(
    maker: Identity, maker_ends: datetime | None, grant: Grant, ends: datetime | None
) -> None:
    """Raise `Refused` for a key that would grant more than its maker has.

    The maker is an operator. Its partnerships and its end bind each key that it makes, and of the
    scopes that an operator can have it gives only its own. No key sees more than its maker, but for
    those of a party: the record says that the operator made such a key, and one that is limited to
    partnerships makes none. `maker_ends` and `ends` are when the two expire, None for never.
    """
    named = ", ".join(sorted(maker.partnerships))
    if maker.partnerships and grant.party:
        raise _beyond(
            f"is limited to the partnerships {named}, and acts for no party",
            "Ask an operator who is not limited to make it, or to invite the party.",
        )
    if grant.candidates and not maker.candidates:
        raise _beyond(
            "does not see the candidates that were not chosen",
            "Leave the candidates out, or make the key where the store is: accord keys create.",
        )
    if maker.partnerships and not grant.partnerships:
        raise _beyond(f"is limited to the partnerships {named}", "Name partnerships among those.")
    if maker.partnerships and (more := grant.partnerships - maker.partnerships):
        raise _beyond(
            f"is limited to other partnerships than {', '.join(sorted(more))}",
            f"Name partnerships among {named}.",
        )
    if more_scopes := (grant.scopes or USUAL[grant.role]) & SCOPES[Role.OPERATOR] - maker.scopes:
        raise _beyond(
            f"does not have the scope {', '.join(sorted(more_scopes))}",
            "Name the scopes of the key without it, or use a credential that has it.",
        )
    if maker_ends is not None and (ends is None or ends > maker_ends):
        raise _beyond(
            f"expires at {instant(maker_ends)}",
            "Give an end until then, or use a credential that lasts longer.",
        )


def _beyond(why: str, hint: str) -> Refused:
    return Refused(
        "beyond-maker", f"A key grants no more than its maker has. The maker {why}.", hint
    )


def checked(grant: Grant) -> Grant:
    """Return a grant with its scopes. Raises `Refused` for one that its role cannot have."""
    check_actor(grant.actor)
    role = grant.role
    if role is Role.INVITED:
        raise Refused(
            "key-invitation",
            "An invitation is no key.",
            "Invite the party: accord keys invite, or POST /v1/invitations.",
        )
    if role is Role.ANYONE:
        raise Refused(
            "key-of-anyone",
            "No key is needed where anyone may do everything.",
            "Serve with accord up --open, or give another role.",
        )
    if (role in {Role.PARTY, Role.SERVICE}) is not (grant.party is not None):
        raise Refused(
            "key-party",
            f"A key of the role {role} {'is of no' if grant.party else 'needs a'} party.",
            "Leave the party out." if grant.party else "Give the party that it acts for.",
        )
    if grant.party == CLOCK_PARTY:
        raise Refused(
            "key-party",
            f"{CLOCK_PARTY} is the party of the operator's own events, and no key sends those.",
            f"Make a key of the role {Role.OPERATOR}, without a party.",
        )
    if role is Role.AUDITOR and not grant.partnerships:
        raise Refused(
            "key-mandate",
            "An auditor's key names the partnerships of its mandate.",
            "Give each partnership.",
        )
    if grant.candidates and role is not Role.AUDITOR:
        raise Refused(
            "key-mandate",
            f"A key of the role {role} has no mandate that could include the candidates.",
            f"Leave the candidates out, or give the role {Role.AUDITOR}.",
        )
    scopes = grant.scopes or USUAL[role]
    if more := scopes - SCOPES[role]:
        raise Refused(
            "key-scope",
            f"The role {role} cannot have the scope {', '.join(sorted(more))}.",
            f"Its scopes are {', '.join(sorted(SCOPES[role]))}.",
        )
    _check_events(grant.events, scopes)
    return grant.model_copy(update={"scopes": scopes})


def _check_events(events: Iterable[str], scopes: frozenset[Scope]) -> None:
    known = families()
    unknown = sorted(set(events) - {*known, *known.values()})
    if unknown:
        raise Refused(
            "key-events",
            f"There is no type or family of events {', '.join(unknown)}.",
            f"List the types: accord schema. The families: {', '.join(sorted({*known.values()}))}.",
        )
    if events and not scopes & SENDING:
        raise Refused(
            "key-events",
            "A key that sends no events is limited to none.",
            "Leave the events out, or give a scope that sends.",
        )


# --- authenticating ----------------------------------------------------------------------------


def authenticate(store: Credentials, key: str, now: datetime) -> Credential:
    """Return the credential of a key, which is valid now. Raises `Unauthenticated` otherwise.

    The store is read each time, so a revoked key is refused at once in every process.
    """
    found = _KEY.fullmatch(key)
    if found is None:
        raise Unauthenticated("This is not an API key.", _SEND_ONE)
    stored = store.get(found[1])
    # Compared even if there is none: how long it takes does not tell whether an id exists.
    matches = compare_digest(_hash(found[2]), stored.secret_hash if stored else _NO_HASH)
    if stored is None or not matches:
        raise Unauthenticated("There is no such API key.", _SEND_ONE)
    credential = _credential(stored)
    check_valid(credential, now)
    return credential


def check_valid(credential: Credential, now: datetime) -> None:
    """Raise `Unauthenticated` for a credential that is revoked or expired."""
    what = "invitation" if credential.grant.role is Role.INVITED else "API key"
    if credential.revoked_at is not None:
        raise Unauthenticated(f"The {what} is revoked.", _ASK)
    if credential.expires_at is None or now < credential.expires_at:
        return
    if credential.grant.role is Role.INVITED and credential.replaced_by is not None:
        raise used_up()
    raise Unauthenticated(f"The {what} expired at {instant(credential.expires_at)}.", _ASK)


def used_up() -> Unauthenticated:
    """Return the refusal of an invitation with which a party is enrolled already."""
    return Unauthenticated("The invitation has been used.", _ASK)


_ASK = "Ask the operator for another one."
_SEND_ONE = "Send one that the operator made: Authorization: Bearer accord_<id>_<secret>."


def note_use(store: Credentials, credential: Credential, now: datetime) -> Credential:
    """Save that a credential is used now, at most once a minute; return it."""
    if credential.used_at is not None and now - credential.used_at < LAST_USE:
        return credential
    store.use(credential.id, now)
    return replace(credential, used_at=now)
