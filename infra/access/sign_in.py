"""Signing in at an issuer of OpenID Connect: the authorization code flow, with PKCE (RFC 7636).

Everything that ties an answer of the issuer to the browser that asked (`state`, `nonce`, the
verifier) is derived from a secret that only this browser has. So nothing is stored before a person
has signed in.
"""

import hmac
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Mapping
from hashlib import sha256
from http.client import HTTPException
from typing import Any, Final
from urllib.parse import quote, urlencode
from urllib.request import HTTPRedirectHandler, Request, build_opener

import orjson

from infra.access.credentials import Unauthenticated
from infra.access.roles import Identity
from infra.access.tokens import (
    TIMEOUT,
    Issuer,
    IssuerUnreachable,
    Tokens,
    discovered,
    place_of,
)

LARGEST: Final = 256 * 1024
"""The most bytes of an issuer's answer that are read."""


def derived(secret: str, purpose: str) -> str:
    """Return a value that only who has a secret can make, another one for each purpose."""
    mac = hmac.digest(secret.encode(), purpose.encode(), "sha256")
    return urlsafe_b64encode(mac).rstrip(b"=").decode()


def state_of(secret: str, number: int, to: str) -> str:
    """Return the `state` of a sign-in at an issuer, by its number; `to` is the page after it."""
    return f"{number}~{to}~{derived(secret, f'state {number} {to}')}"


def read_state(secret: str, state: str) -> tuple[int, str]:
    """Return the number of the issuer and the page that follows.

    Raises `Unauthenticated` for a state that was made for another browser.
    """
    number, _, rest = state.partition("~")
    to, _, _ = rest.rpartition("~")
    if not number.isdecimal() or not hmac.compare_digest(
        state.encode(), state_of(secret, int(number), to).encode()
    ):
        raise Unauthenticated(
            "This sign-in was begun in another browser.", _AGAIN, error="invalid_request"
        )
    return int(number), to


def address(issuer: Issuer, secret: str, state: str) -> str:
    """Return where a person signs in at an issuer. Raises `IssuerUnreachable`."""
    verifier = derived(secret, f"verifier {state}")
    challenge = urlsafe_b64encode(sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    place = place_of(discovered(issuer.url), "authorization_endpoint")
    asked = {
        "response_type": "code",
        "client_id": issuer.client_id,
        "redirect_uri": issuer.redirect_uri,
        "scope": issuer.client_scope,
        "state": state,
        "nonce": derived(secret, f"nonce {state}"),
        "code_challenge": challenge,
        "code_challenge_method": "S256",
    }
    return f"{place}{'&' if '?' in place else '?'}{urlencode(asked)}"


def finished(tokens: Tokens, issuer: Issuer, secret: str, state: str, code: str) -> Identity:
    """Return who signed in, for the code that an issuer gave.

    Raises `IssuerUnreachable`, `Unauthenticated` for a code that the issuer does not take or an ID
    token that is not valid, and `Refused` for a person whose claims give nothing here.
    """
    answer = _exchanged(issuer, code, derived(secret, f"verifier {state}"))
    nonce = derived(secret, f"nonce {state}")
    return tokens.signed_in(issuer, str(answer.get("id_token")), nonce, answer.get("scope"))


def _exchanged(issuer: Issuer, code: str, verifier: str) -> Mapping[str, Any]:
    """Return the answer of an issuer's token endpoint to a code (RFC 6749, section 4.1.3)."""
    place = place_of(discovered(issuer.url), "token_endpoint")
    asked = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": issuer.redirect_uri or "",
        "client_id": issuer.client_id or "",
        "code_verifier": verifier,
    }
    headers = {"Accept": "application/json"}
    if issuer.client_secret is not None:
        login = f"{quote(asked.pop('client_id'), safe='')}:{quote(issuer.client_secret, safe='')}"
        headers["Authorization"] = f"Basic {b64encode(login.encode()).decode()}"
    request = Request(place, urlencode(asked).encode(), headers)  # noqa: S310 - checked by `place_of`
    try:
        with _OPENER.open(request, timeout=TIMEOUT) as answer:
            found = orjson.loads(answer.read(LARGEST))
    except (OSError, HTTPException, ValueError) as error:
        if getattr(error, "code", None) in {400, 401}:
            raise Unauthenticated(
                "The issuer did not take the sign-in.", _AGAIN, error=None
            ) from error
        raise IssuerUnreachable(f"{issuer.url} did not answer: {error}.") from error
    if not isinstance(found, dict):
        raise IssuerUnreachable(f"{issuer.url} did not answer with a JSON object.")
    return found


class _NoRedirection(HTTPRedirectHandler):
    """Follows none, so that a code and a secret go to no other place."""

    def redirect_request(self, *_: object) -> None:
        return None


_OPENER: Final = build_opener(_NoRedirection)
_AGAIN: Final = "Sign in again."
