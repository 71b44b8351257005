"""Signing in and out: with an API key, or at an issuer of OpenID Connect."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from typing import Annotated, Final

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import RedirectResponse

from domain.kernel import Refused
from infra.access import credentials, sessions, sign_in
from infra.access.credentials import Unauthenticated
from infra.access.roles import Need, Role
from infra.access.sessions import Session
from infra.access.tokens import Issuer, IssuerUnreachable, is_token
from infra.http import access, cookies
from infra.http.access import needs
from infra.http.dependencies import Served, ServedHere
from infra.http.pages.site import (
    ROOT,
    PageRoute,
    Posted,
    issuers,
    sections_of,
    sign_in_page,
    signed_in,
)
from infra.http.problems import AGAIN_LATER, Problem
from infra.http.strict import takes_any_parameter

router = APIRouter(route_class=PageRoute, include_in_schema=False)

_PASTE_A_KEY: Final = "Paste the whole key as you got it, or ask the operator for one."

To = Annotated[str, Query(description="The page to show after signing in.")]


@router.get(ROOT)
@needs(Need.NOTHING)
def root(request: Request, served: ServedHere) -> Response:
    """Lead a browser to the first page of its person, or to where the person signs in."""
    identity = signed_in(request, served)
    if identity is None:
        return _seen("/sign-in")
    return _seen(f"/{next(iter(sections_of(identity)), 'docs')}")


@router.get("/sign-in")
@needs(Need.NOTHING)
def show_sign_in(request: Request, to: To = ROOT) -> Response:
    """Show how to sign in."""
    return sign_in_page(request, to)


@router.post("/sign-in")
@needs(Need.NOTHING)
def sign_in_with_key(request: Request, served: ServedHere, form: Posted) -> Response:
    """Begin a session of an API key."""
    to = form.get("to", ROOT)
    try:
        session = _of_key(request, served, form.get("key", "").strip())
    except Problem as problem:
        return sign_in_page(request, to, problem)
    return _begun(request, served, session, to)


def _of_key(request: Request, here: Served, key: str) -> Session:
    if not key:
        raise Problem(400, "There is no key in the form.", "Paste an API key.")
    if is_token(key):
        raise Problem(400, "This is a token of an issuer.", "Sign in at the issuer, or send a key.")
    history = here.accord.history
    try:
        with _unauthenticated_as_problem():
            identity = access.authenticated(here, request, key)
    except Problem as problem:
        if problem.status != HTTPStatus.UNAUTHORIZED:
            raise
        raise Problem(401, problem.document.detail, _PASTE_A_KEY) from problem
    if identity.role is Role.INVITED:
        raise Problem(
            403,
            "This is an invitation, and no API key.",
            "Make the first key of your party with it: accord keys enrol.",
        )
    credential = credentials.known(history.credentials, identity.credential or "")
    return sessions.of_key(history.sessions, credential, here.accord.clock())


@router.post("/sign-out")
@needs(Need.NOTHING)
def sign_out(request: Request, served: ServedHere, form: Posted) -> Response:  # noqa: ARG001 - read for its token
    """End the session of this browser, at once and everywhere."""
    if secret := cookies.read(request, cookies.SESSION):
        sessions.end(served.accord.history.sessions, secret)
    answer = _seen("/sign-in")
    cookies.forget(request, answer, cookies.SESSION)
    return answer


# --- at an issuer ------------------------------------------------------------------------------


@router.get("/sign-in/with/{number}")
@needs(Need.NOTHING)
def sign_in_at_issuer(
    request: Request, served: ServedHere, number: Annotated[int, Path()], to: To = ROOT
) -> Response:
    """Lead a browser to an issuer, where its person signs in."""
    secret = cookies.form_secret(request)
    with _unauthenticated_as_problem():
        state = sign_in.state_of(secret, number, to)
        return _seen(sign_in.address(_issuer(served, number), secret, state))


@router.get("/sign-in/callback")
@needs(Need.NOTHING)
@takes_any_parameter
def signed_in_at_issuer(request: Request, served: ServedHere) -> Response:
    """Begin a session of the person whom an issuer names.

    What an issuer answers comes by way of the browser (RFC 6749, section 4.1.2, and RFC 9207). It
    may add parameters of its own.
    """
    secret, answer = cookies.form_secret(request), request.query_params
    state, code = answer.get("state", ""), answer.get("code", "")
    try:
        with _unauthenticated_as_problem():
            number, to = sign_in.read_state(secret, state)
            issuer = _issuer(served, number)
            _check_answer(answer, issuer)
            identity = sign_in.finished(served.tokens, issuer, secret, state, code)
    except Problem as problem:
        return sign_in_page(request, ROOT, problem)
    now = served.accord.clock()
    session = sessions.of_token(served.accord.history.sessions, issuer.url, identity, now)
    return _begun(request, served, session, to)


def _check_answer(answer: Mapping[str, str], issuer: Issuer) -> None:
    if answer.get("iss", issuer.url) != issuer.url:
        raise Unauthenticated("Another issuer answered.", "Sign in again.", error=None)
    if "code" not in answer:
        why = answer.get("error_description") or answer.get("error") or "no code"
        raise Unauthenticated(f"The issuer let nobody in: {why}.", "Sign in again.", error=None)


def _issuer(here: Served, number: int) -> Issuer:
    found = dict(issuers(here)).get(number)
    if found is None:
        raise Problem(404, "Nobody signs in at such an issuer.", "Go to the sign-in page.")
    return found


# --- what both do ------------------------------------------------------------------------------


@contextmanager
def _unauthenticated_as_problem() -> Iterator[None]:
    try:
        yield
    except Unauthenticated as error:
        raise access.unauthenticated(error) from error
    except IssuerUnreachable as error:
        raise Problem(
            503, str(error), "Wait and sign in again, or use an API key.", headers=AGAIN_LATER
        ) from error
    except Refused as refused:
        raise access.forbidden(refused) from refused


def _begun(request: Request, here: Served, session: Session, to: str) -> Response:
    """Lead to a page with a new session. One that the browser had before ends."""
    if before := cookies.read(request, cookies.SESSION):
        sessions.end(here.accord.history.sessions, before)
    answer = _seen(to if _is_here(to) else ROOT)
    cookies.save(request, answer, cookies.SESSION, session.secret, session.expires_at)
    return answer


def _is_here(to: str) -> bool:
    """Return whether a link leads to a page of this server, in every browser's reading."""
    return to.startswith("/") and not to.startswith(("//", "/\\")) and to.isprintable()


def _seen(to: str) -> RedirectResponse:
    return RedirectResponse(to, HTTPStatus.SEE_OTHER, {"Cache-Control": "no-store"})
