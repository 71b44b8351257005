"""The cookies of the pages: the secret of a session, and that of forms without a session.

A third one says what was just done, until the next page has shown it. No cookie can be read by a
script, none goes along with a form of another site, and behind TLS none goes unencrypted.
"""

import hmac
import secrets
from datetime import datetime
from typing import Final

from fastapi import Request, Response

from infra.access.credentials import SECRET_BYTES
from infra.access.sign_in import derived
from infra.http.dependencies import Served, served

SESSION: Final = "accord_session"
FORM: Final = "accord_form"
DONE: Final = "accord_done"

_TLS_ONLY: Final = "__Host-"
"""A cookie with this prefix is set only with TLS, and by this host alone (RFC 6265bis)."""


def is_encrypted(here: Served, request: Request) -> bool:
    """Return whether a browser asks with TLS, by the word of a proxy that is believed."""
    peer = request.client.host if request.client else ""
    if peer in here.limits.proxies.split(","):
        return request.headers.get("x-forwarded-proto", "").lower() == "https"
    return request.url.scheme == "https"


def read(request: Request, name: str) -> str | None:
    """Return the secret that a browser sends in a cookie."""
    return request.cookies.get(_named(request, name)) or None


def save(
    request: Request, response: Response, name: str, secret: str, until: datetime | None = None
) -> None:
    """Let a browser send a secret, until a moment or until it is closed."""
    response.set_cookie(
        _named(request, name),
        secret,
        expires=until,
        httponly=True,
        samesite="lax",
        secure=is_encrypted(served(request), request),
    )


def forget(request: Request, response: Response, name: str) -> None:
    """Let a browser forget a cookie."""
    secure = is_encrypted(served(request), request)
    response.delete_cookie(_named(request, name), httponly=True, samesite="lax", secure=secure)


def _named(request: Request, name: str) -> str:
    return f"{_TLS_ONLY}{name}" if is_encrypted(served(request), request) else name


# --- forms -------------------------------------------------------------------------------------


def form_secret(request: Request) -> str:
    """Return the secret behind the forms of a page: the session's, or one for forms alone.

    A new one is saved with the answer (see `keep_form_secret`).
    """
    found = read(request, SESSION) or read(request, FORM)
    if found is None:
        found = getattr(request.state, FORM, None) or secrets.token_urlsafe(SECRET_BYTES)
        setattr(request.state, FORM, found)
    return found


def keep_form_secret(request: Request, response: Response) -> None:
    """Save the secret that `form_secret` made for this request, if it made one."""
    if made := getattr(request.state, FORM, None):
        save(request, response, FORM, made)


def form_token(request: Request) -> str:
    """Return what each form of a page sends back, so that no other site can send the form."""
    return derived(form_secret(request), "form")


def is_own_form(request: Request, token: str) -> bool:
    """Return whether a form comes from a page that this browser got here."""
    return hmac.compare_digest(token.encode(), form_token(request).encode())
