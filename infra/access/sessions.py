"""Sessions: a person signs in with a browser once, and is known for some hours.

The browser has a secret of 256 random bits, and the store its hash, as for an API key. A session of
an API key has the key's own grant, which is read again for each request: it ends when the key is
revoked. The issuer of a token is not asked again, so such a session is shorter.
"""

import secrets
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Final, NamedTuple

from pydantic import ConfigDict

from domain.described import Described
from infra.access import credentials
from infra.access.credentials import SECRET_BYTES, Credential, Grant, Unauthenticated
from infra.access.roles import Identity
from infra.access.tokens import Tokens
from infra.store.credentials import Credentials
from infra.store.sessions import Sessions, StoredSession

OF_KEY: Final = timedelta(hours=12)
"""How long a session of an API key lasts at most: a working day."""

OF_TOKEN: Final = timedelta(hours=1)
"""How long a session of an issuer's person lasts. The issuer may have dismissed them meanwhile."""


class SignedIn(Described):
    """With what a person signed in: an API key, or what an issuer said of them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    credential: str | None = None
    """The id of the API key."""
    issuer: str | None = None
    """The address of the issuer."""
    grant: Grant | None = None
    """What the issuer's claims gave."""


class Session(NamedTuple):
    """A session that was begun. Its secret is nowhere else."""

    secret: str
    expires_at: datetime


def of_key(store: Sessions, credential: Credential, now: datetime) -> Session:
    """Begin a session of a valid API key."""
    ends = min(filter(None, (now + OF_KEY, credential.expires_at)))
    return _begun(store, SignedIn(credential=credential.id), ends, now)


def of_token(store: Sessions, issuer: str, identity: Identity, now: datetime) -> Session:
    """Begin a session of a person whom an issuer names."""
    grant = Grant(**{name: getattr(identity, name) for name in Grant.model_fields})
    return _begun(store, SignedIn(issuer=issuer, grant=grant), now + OF_TOKEN, now)


def _begun(store: Sessions, signed_in: SignedIn, ends: datetime, now: datetime) -> Session:
    secret = secrets.token_urlsafe(SECRET_BYTES)
    store.add(StoredSession(_hash(secret), signed_in.model_dump_json(), ends), now)
    return Session(secret, ends)


def end(store: Sessions, secret: str) -> None:
    """End a session at once, in every process. Does nothing for an unknown one."""
    store.end(_hash(secret))


def identity(
    store: Sessions, keys: Credentials, tokens: Tokens, secret: str, now: datetime
) -> Identity:
    """Return who has a session.

    Raises `Unauthenticated` for one that is unknown or expired, whose API key is not valid any
    more, or whose issuer does not count any more.
    """
    stored = store.get(_hash(secret))
    if stored is None or now >= stored.expires_at:
        raise Unauthenticated("The session has ended.", "Sign in again.", error=None)
    found = SignedIn.model_validate_json(stored.signed_in)
    if found.credential is not None:
        credential = credentials.known(keys, found.credential)
        credentials.check_valid(credential, now)
        return credential.identity
    if found.grant is None or found.issuer not in tokens.issuers:
        raise Unauthenticated("The issuer does not count any more.", "Sign in again.", error=None)
    return Identity(**dict(found.grant), is_person=True, expires_at=stored.expires_at)


def _hash(secret: str) -> bytes:
    return sha256(secret.encode()).digest()
