"""Tokens of OpenID Connect: who sends a request, by the word of a company's own issuer.

A token is a signed JWT (RFC 7519) that an issuer made for this server, its audience. The operator
lists the issuers that count in a file, and what each may speak for: its own party, or roles. A
claim names the person, who is then the actor of each event that is sent with the token.
"""

import logging
import tomllib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock
from time import monotonic
from typing import Any, Final, Self
from urllib.parse import urlsplit

import jwt
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from domain.described import Described
from domain.kernel import Refused
from domain.values import Slug
from infra.access.credentials import Grant, Unauthenticated, checked
from infra.access.roles import Identity, Role
from infra.settings import WrongSetting
from infra.tlog.codec import parse

log = logging.getLogger(__name__)

ALGORITHMS: Final = ("ES256", "ES384", "EdDSA", "PS256", "RS256")
"""The signatures that are accepted, all with public keys. A token cannot choose another one."""

TYPES: Final = frozenset({"at+jwt", "application/at+jwt", "jwt"})
"""The types of tokens (``typ``) that are accepted (RFC 9068, section 4); one can also have none.
Another type of the same issuer, such as that of a logout, gives no access."""

LEEWAY: Final = 60
"""Seconds by which the clocks of an issuer and of this machine may differ."""

FRESH: Final = 300.0
"""Seconds for which an issuer's keys are used before they are fetched again."""

STALE: Final = 3600.0
"""Seconds for which they are used while the issuer does not answer. A key that the issuer withdrew
is trusted for as long."""

AGAIN: Final = 10.0
"""Seconds between two fetches at least, so that a token with an unknown key costs no fetch each."""

TIMEOUT: Final = 5.0
"""Seconds that an issuer has to answer."""

SCOPE: Final = "accord:"
"""The beginning of those OAuth scopes that limit what a token may do, such as ``accord:read``."""

DISCOVERY: Final = "/.well-known/openid-configuration"

_REQUIRED: Final = ["aud", "exp", "iat", "iss"]
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})

_INVALID: Final = (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError)
"""What the library raises for a token that is wrong; the last ones for numbers without measure and
for JSON that is nested without end."""

Fetch = Callable[[str], Mapping[str, jwt.PyJWK]]
"""Returns the keys of an issuer by their ``kid``. Raises `IssuerUnreachable`."""


class IssuerUnreachable(Exception):
    """An issuer does not answer, or not as an issuer does: its address, and the reason."""


def is_private(url: str) -> bool:
    """Return whether nobody on the network can read what is sent to an address."""
    where = urlsplit(url)
    return where.scheme == "https" or (where.scheme == "http" and where.hostname in _LOOPBACK)


# --- issuers -----------------------------------------------------------------------------------


class Issuer(Described):
    """An issuer of tokens, and for whom it may speak."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: str
    """Its address, exactly as its tokens have it in ``iss``."""
    audience: str = Field(min_length=1)
    """What its tokens have in ``aud`` if they are meant for this server."""
    role: Role | None = None
    """The role of all of its tokens; `party` unless it or `role_claim` is given."""
    role_claim: str | None = None
    """The claim that names the role."""
    party: Slug | None = None
    """The only party for which it may speak."""
    party_claim: str | None = None
    """The claim that names the party. Such an issuer can speak for every party."""
    partnerships_claim: str | None = None
    """The claim that lists the partnerships to which a token is limited."""
    person_claim: str = "sub"
    """The claim that names the person or the service that acts."""
    client_id: str | None = None
    """As what the issuer knows this server, if people sign in to its pages there."""
    client_secret: str | None = None
    """The secret of the client; None for a public one."""
    redirect_uri: str | None = None
    """The address of `/sign-in/callback` on this server, as the issuer has it registered."""
    client_scope: str = "openid"
    """The OAuth scopes that signing in asks for."""

    @model_validator(mode="after")
    def _says_one_thing(self) -> Self:
        if not is_private(self.url):
            raise ValueError(f"{self.url} is not an https:// address")
        for name in ("role", "party"):
            if getattr(self, name) and getattr(self, f"{name}_claim"):
                raise ValueError(f"{name} and {name}_claim exclude each other")
        if (self.client_id is None) is not (self.redirect_uri is None):
            raise ValueError("client_id and redirect_uri need each other")
        if self.redirect_uri and not is_private(self.redirect_uri):
            raise ValueError(f"{self.redirect_uri} is not an https:// address")
        return self


def read_issuers(file: Path | None) -> tuple[Issuer, ...]:
    """Return the issuers in a TOML file; none without one.

    Raises `WrongSetting`, which says what is wrong with the file.
    """
    if file is None:
        return ()
    try:
        given = tomllib.loads(file.read_text(encoding="utf-8"))
        found = _Listed.model_validate(given).issuer
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise _wrong(file, f"{place}: {first['msg']}") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise _wrong(file, str(error)) from None
    if twice := [url for url, times in Counter(each.url for each in found).items() if times > 1]:
        raise _wrong(file, f"{twice[0]} is there twice")
    return found


class _Listed(BaseModel):
    """The file of issuers."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    issuer: tuple[Issuer, ...] = ()


def _wrong(file: Path, why: str) -> WrongSetting:
    return WrongSetting(
        f"ACCORD_ISSUERS: {file} cannot be used: {why}. docs/production.md has an example."
    )


# --- their keys --------------------------------------------------------------------------------


def discovered(url: str) -> Mapping[str, Any]:
    """Return the discovery document of an issuer (OpenID Discovery 1.0).

    Raises `IssuerUnreachable`.
    """
    try:
        # It reads any JSON object, follows no redirection and waits for so long at most.
        document: Mapping[str, Any] = jwt.PyJWKClient(
            url.rstrip("/") + DISCOVERY, cache_jwk_set=False, timeout=TIMEOUT
        ).fetch_data()
    except (OSError, ValueError, jwt.PyJWTError) as error:
        raise IssuerUnreachable(f"{url} did not give its keys: {error}.") from error
    if document.get("issuer") != url:
        raise IssuerUnreachable(f"{url} says that it is the issuer {document.get('issuer')}.")
    return document


def place_of(document: Mapping[str, Any], name: str) -> str:
    """Return an address that a discovery document names.

    Raises `IssuerUnreachable` for one where others can read what is sent.
    """
    place = str(document.get(name))
    if not is_private(place):
        raise IssuerUnreachable(
            f"{document['issuer']} has its {name} at {place}, which is not encrypted."
        )
    return place


def fetch_keys(url: str) -> dict[str, jwt.PyJWK]:
    """Return the keys of an issuer, as its discovery document names them.

    Raises `IssuerUnreachable`.
    """
    place = place_of(discovered(url), "jwks_uri")
    try:
        client = jwt.PyJWKClient(place, cache_jwk_set=False, timeout=TIMEOUT)
        return {str(each.key_id): each for each in client.get_signing_keys()}
    except (OSError, ValueError, jwt.PyJWTError) as error:
        raise IssuerUnreachable(f"{url} did not give its keys: {error}.") from error


class Keys:
    """The keys of an issuer. They are kept while they are fresh, or while it does not answer."""

    def __init__(
        self, url: str, fetch: Fetch = fetch_keys, clock: Callable[[], float] = monotonic
    ) -> None:
        self._url = url
        self._fetch = fetch
        self._clock = clock
        self._lock = Lock()
        self._found: Mapping[str, jwt.PyJWK] | None = None
        self._fetched = self._tried = float("-inf")

    def get(self, kid: str) -> jwt.PyJWK | None:
        """Return a key by its ``kid``; None if the issuer has none.

        Raises `IssuerUnreachable` if the issuer has not answered for `STALE` seconds.
        """
        if self._found is None or self._is_old(FRESH) or kid not in self._found:
            self._refresh()
        if self._found is None or self._is_old(STALE):
            raise IssuerUnreachable(f"The issuer {self._url} does not answer.")
        return self._found.get(kid)

    def _is_old(self, seconds: float) -> bool:
        return self._clock() - self._fetched >= seconds

    def _refresh(self) -> None:
        """Fetch the keys, unless that was tried a moment ago or another thread does it now."""
        # Without any keys there is nothing to go on with.
        if not self._lock.acquire(blocking=self._found is None):
            return
        try:
            if self._clock() - self._tried < AGAIN:
                return
            self._tried = self._clock()
            self._found, self._fetched = self._fetch(self._url), self._tried
        except IssuerUnreachable as error:
            log.warning("keys of an issuer could not be fetched: %s", error)
        finally:
            self._lock.release()


# --- tokens ------------------------------------------------------------------------------------


class Tokens:
    """Reads the tokens of some issuers."""

    def __init__(self, issuers: Iterable[Issuer] = (), fetch: Fetch = fetch_keys) -> None:
        self._issuers = {each.url: each for each in issuers}
        self._keys = {url: Keys(url, fetch) for url in self._issuers}

    def __bool__(self) -> bool:
        return bool(self._issuers)

    @property
    def issuers(self) -> Mapping[str, Issuer]:
        """The issuers that count, by their address."""
        return self._issuers

    def identity(self, token: str) -> Identity:
        """Return who sends a token, and what that one may do.

        Raises `Unauthenticated` for one that is not valid, in the same words whatever is wrong with
        it; `Refused` for a valid one that gives no role here; and `IssuerUnreachable`.
        """
        try:
            issuer, claims = self._verified(token)
            ends = datetime.fromtimestamp(claims["exp"], UTC)
        except _INVALID as error:
            log.warning("a token was refused: %s: %s", type(error).__name__, error)
            raise _invalid() from error
        return replace(_granted(issuer, claims), expires_at=ends, is_person=True)

    def signed_in(self, issuer: Issuer, token: str, nonce: str, scope: object) -> Identity:
        """Return who signed in, by the ID token that an issuer made for this server's client.

        `nonce` is what was sent to the issuer, and `scope` what it granted. Raises as `identity`
        does.
        """
        try:
            found, claims = self._verified(token, issuer.client_id)
            # OpenID Connect Core 1.0, section 3.1.3.7.
            if found.url != issuer.url or claims.get("nonce") != nonce:
                raise jwt.InvalidTokenError("it is not of this sign-in")
            several = isinstance(claims["aud"], list) and len(claims["aud"]) > 1
            if claims.get("azp", None if several else issuer.client_id) != issuer.client_id:
                raise jwt.InvalidTokenError("it was made for another client")
        except _INVALID as error:
            log.warning("an ID token was refused: %s: %s", type(error).__name__, error)
            raise _invalid() from error
        return replace(_granted(issuer, {**claims, "scope": scope}), is_person=True)

    def _verified(
        self, token: str, audience: str | None = None
    ) -> tuple[Issuer, Mapping[str, Any]]:
        """Return the issuer and the claims of a valid token; `audience` is its issuer's usually."""
        _check_read_alike(token)
        # Read without verification, to know with whose keys to verify.
        unverified = jwt.decode(token, options={"verify_signature": False})
        issuer = self._issuers.get(str(unverified.get("iss")))
        if issuer is None:
            raise jwt.InvalidIssuerError("it is of an unknown issuer")
        header = jwt.get_unverified_header(token)
        if (
            str(header.get("typ", "jwt")).lower() not in TYPES
            or header.get("alg") not in ALGORITHMS
        ):
            raise jwt.InvalidTokenError(f"it is {header.get('typ')} with {header.get('alg')}")
        key = self._keys[issuer.url].get(str(header.get("kid")))
        if key is None:
            raise jwt.InvalidKeyError("its key is unknown")
        claims: Mapping[str, Any] = jwt.decode(
            token,
            key,
            algorithms=ALGORITHMS,
            audience=audience or issuer.audience,
            issuer=issuer.url,
            leeway=LEEWAY,
            options={"require": _REQUIRED, "enforce_minimum_key_length": True},
        )
        if "cnf" in claims:
            # RFC 7800: it is valid only together with another proof, which is not checked here.
            raise jwt.InvalidTokenError("it is bound to a key of its sender")
        return issuer, claims


def is_token(text: str) -> bool:
    """Return whether a text has the form of a signed JWT: three parts."""
    return text.count(".") == 2  # noqa: PLR2004 - the header, the claims, the signature


def _check_read_alike(token: str) -> None:
    """Raise `ValueError` for a token that others can read otherwise.

    Such a token names a member twice (RFC 7519, section 4), is not in UTF-8, or is not encoded as
    RFC 7515, section 2, says.
    """
    for place, part in enumerate(token.split(".")):
        value = jwt.utils.base64url_decode(part)
        if jwt.utils.base64url_encode(value).decode() != part:
            raise ValueError("it is not encoded as a token is")
        if place < 2:  # noqa: PLR2004 - the header and the claims; the last part is the signature
            parse(value)


def _granted(issuer: Issuer, claims: Mapping[str, Any]) -> Identity:
    """Return the identity that the claims of a valid token give. Raises `Refused`."""
    asked = {
        "role": claims.get(issuer.role_claim) if issuer.role_claim else issuer.role or Role.PARTY,
        "party": claims.get(issuer.party_claim) if issuer.party_claim else issuer.party,
        "actor": claims.get(issuer.person_claim),
        "scopes": [name for claim in _SCOPES for name in _scopes(claim, claims.get(claim))],
    }
    if issuer.person_claim == "email" and claims.get("email_verified", True) is not True:
        # Whoever may choose an address there would act as its owner.
        raise _no_grant("the claim email_verified is not true")
    if issuer.partnerships_claim:
        asked["partnerships"] = claims.get(issuer.partnerships_claim)
    try:
        grant = Grant.model_validate(asked)
    except ValidationError as error:
        field = str(error.errors(include_url=False)[0]["loc"][0])
        claim = " or ".join(_SCOPES) if field == "scopes" else getattr(issuer, _CLAIMS[field])
        raise _no_grant(f"the claim {claim} {_WRONG[field]}") from None
    if issuer.partnerships_claim and not grant.partnerships:
        # No partnerships would mean all of them.
        raise _no_grant(f"the claim {issuer.partnerships_claim} names no partnership")
    return Identity(**dict(checked(grant)))


_SCOPES: Final = ("scope", "scp")
"""The claims that have the OAuth scopes: that of RFC 9068, and that of Entra ID and Okta."""

_CLAIMS: Final = {
    "role": "role_claim",
    "party": "party_claim",
    "actor": "person_claim",
    "partnerships": "partnerships_claim",
}
"""Which claim of an issuer gives each part of a grant."""

_WRONG: Final = {
    "role": "has no role that Accord knows",
    "party": "has no name of a party",
    "actor": "has no name of a person: 1 to 200 visible characters",
    "partnerships": "has no list of names of partnerships",
    "scopes": "has a scope that Accord does not know",
}
"""What is wrong with each."""


def _no_grant(why: str) -> Refused:
    log.warning("a valid token gives nothing here: %s", why)
    return Refused(
        "token-grant",
        f"The token is valid, but its claims give nothing here: {why}.",
        "Ask the operator which claims your issuer has to give.",
    )


def _scopes(claim: str, given: object) -> list[str]:
    """Return the names of those OAuth scopes of a claim that are Accord's, known or not.

    Raises `Refused` for a claim that cannot be read: without scopes a token would not be limited.
    """
    listed = [given] if isinstance(given, str) else [] if given is None else given
    if not isinstance(listed, list) or not all(isinstance(each, str) for each in listed):
        raise _no_grant(f"the claim {claim} is neither a text nor a list of texts")
    # One that is written otherwise is meant to limit, too: it is refused as unknown.
    words = [word for each in listed for word in each.split()]
    return [each.removeprefix(SCOPE) for each in words if SCOPE in each.lower()]


def _invalid() -> Unauthenticated:
    return Unauthenticated(
        "The token is not valid here.",
        "Get a new one from your issuer, for the audience of this server.",
    )
