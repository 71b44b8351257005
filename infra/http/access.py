"""Who asks: each route says what it needs, and nobody gets it without a valid API key or token.

Both come in the header ``Authorization: Bearer`` (RFC 6750). It is checked before the body is
read. A page also takes the session of a browser, which a route of the API never does: a browser
sends its cookies along with what other sites ask for. What an identity may do is decided in
`infra.access.roles`; what it may see of each answer, by the viewer that the identity gives.
"""

from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from math import ceil
from time import monotonic
from typing import Annotated, Any, ClassVar, Final, TypeVar
from urllib.parse import quote

from fastapi import Depends, FastAPI, Path, Request, Response
from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool
from starlette.routing import BaseRoute, Mount
from starlette.staticfiles import StaticFiles

from domain.kernel import Refused
from domain.values import Slug
from infra.access import credentials, roles, sessions
from infra.access.credentials import Unauthenticated
from infra.access.roles import Identity, Need, Role
from infra.access.tokens import IssuerUnreachable, is_token
from infra.answers.members import check_seen
from infra.http import cookies
from infra.http.dependencies import Served, ServedHere, served
from infra.http.problems import AGAIN_LATER, REFUSED, Problem
from infra.http.strict import StrictRequest
from infra.store.errors import ReadOnlyStore, StoreFull
from projections.visibility import Viewer

F = TypeVar("F", bound=Callable[..., Any])

SCHEME: Final = "Bearer"
_NEED: Final = "__accord_need__"
_ISSUER_DOWN: Final = "Wait and send the same request again, or use an API key."
_NO_KEY: Final = "Send an API key: Authorization: Bearer accord_<id>_<secret>."


def needs(need: Need) -> Callable[[F], F]:
    """Say what a route needs of who asks; without this, its application does not start."""

    def say(endpoint: F) -> F:
        setattr(endpoint, _NEED, need)
        return endpoint

    return say


class GuardedRoute(APIRoute):
    """A route that answers only an identity that gets what the route needs."""

    takes_sessions: ClassVar = False
    """Whether the session of a browser is enough."""

    @property
    def need(self) -> Need:
        """What it needs. Raises `AttributeError` if its function does not say so."""
        found: Need = getattr(self.endpoint, _NEED)
        return found

    def get_route_handler(self) -> Callable[[Request], Any]:
        """Return the handler, which lets nobody in whom the policy does not allow."""
        handle = super().get_route_handler()
        need, takes_sessions = self.need, self.takes_sessions

        async def guarded(request: Request) -> Response:
            here = served(request)
            if need is Need.NOTHING or (here.is_open and not await _has_keys(here)):
                request.state.identity = here.anyone
            else:
                await run_in_threadpool(_admit, here, request, need, takes_sessions=takes_sessions)
            answer: Response = await handle(StrictRequest(request.scope, request.receive))
            return answer

        return guarded


def guarded_routes(routes: Iterable[BaseRoute]) -> Iterator[GuardedRoute]:
    """Yield every route of an application. Raises `TypeError` for one that is not guarded.

    Static files are the only exception: they are the same for everyone.
    """
    for route in routes:
        included = getattr(route, "original_router", None)
        if isinstance(route, GuardedRoute):
            yield route
        elif included is not None:
            yield from guarded_routes(included.routes)
        elif not (isinstance(route, Mount) and isinstance(route.app, StaticFiles)):
            raise TypeError(f"A route does not say what it needs: {route}")


def needs_of(app: FastAPI) -> dict[tuple[str, str], Need]:
    """Return what each route of an application needs, by path and method.

    Raises `TypeError` for a route that is not guarded.
    """
    return {
        (route.path, method): route.need
        for route in guarded_routes(app.routes)
        for method in route.methods or ()
    }


def caller(request: Request) -> Identity:
    """Return who sends a request."""
    found: Identity = request.state.identity
    return found


Caller = Annotated[Identity, Depends(caller)]
"""A route's parameter for who asks."""


# --- authenticating ----------------------------------------------------------------------------


async def _has_keys(here: Served) -> bool:
    # The first key closes an open server.
    return await run_in_threadpool(here.accord.history.credentials.exist)


def _admit(here: Served, request: Request, need: Need, *, takes_sessions: bool) -> None:
    secret = cookies.read(request, cookies.SESSION) if takes_sessions else None
    if secret is None or "authorization" in request.headers:
        identity = _of_header(here, request)
    else:
        try:
            identity = of_session(here, secret)
        except Unauthenticated as error:
            raise unauthenticated(error) from error
    # A page says who asks, even if it refuses.
    request.state.identity = identity
    with refused_as_problem():
        roles.access(identity, need)


def of_session(here: Served, secret: str) -> Identity:
    """Return who has the session of a browser. Raises `Unauthenticated` if it has ended."""
    history, now = here.accord.history, here.accord.clock()
    return sessions.identity(history.sessions, history.credentials, here.tokens, secret, now)


def _of_header(here: Served, request: Request) -> Identity:
    try:
        return authenticated(here, request, _key(request))
    except Unauthenticated as error:
        raise unauthenticated(error) from error


def authenticated(here: Served, request: Request, key: str) -> Identity:
    """Return who has a key or a token, and count it against its address if it is not valid.

    Raises `Unauthenticated` for one that is not valid, and a problem for an address that tried too
    many, for a token that gives nothing here, and for an issuer that does not answer.
    """
    address = client_address(request, here.limits.proxies.split(","))
    try:
        _check_attempts(here, address, key)
        identity = _identity(here, key)
    except Unauthenticated:
        here.attempts.failed(address, monotonic())
        raise
    except IssuerUnreachable as error:
        raise Problem(503, str(error), _ISSUER_DOWN, headers=AGAIN_LATER) from error
    except Refused as refused:
        raise forbidden(refused) from refused
    here.attempts.succeeded(key)
    return identity


def client_address(request: Request, proxies: Collection[str]) -> str:
    """Return the address of the client that sends a request, through any of these proxies.

    A client can send `X-Forwarded-For` itself; a proxy adds to its end the address that it sees.
    """
    address = request.client.host if request.client else ""
    told = ",".join(request.headers.getlist("x-forwarded-for")).split(",")
    while address in proxies and told:
        address = told.pop().strip() or address
    return address


def _check_attempts(here: Served, address: str, key: str) -> None:
    wait = ceil(here.attempts.wait(address, key, monotonic()))
    if wait:
        raise Problem(
            429,
            "Too many requests from this address had an API key that is not valid.",
            f"Wait {wait} seconds, and send a valid key.",
            headers={"Retry-After": str(wait)},
        )


def _key(request: Request) -> str:
    given = request.headers.getlist("authorization")
    if len(given) > 1:
        raise Unauthenticated(
            "The request has several headers Authorization.", _NO_KEY, error="invalid_request"
        )
    scheme, _, key = given[0].partition(" ") if given else ("", "", "")
    if scheme.lower() != SCHEME.lower():
        raise Unauthenticated("This request needs an API key.", _NO_KEY, error=None)
    return key.strip()


def _identity(here: Served, key: str) -> Identity:
    if here.tokens and is_token(key):
        return here.tokens.identity(key)
    store, now = here.accord.history.credentials, here.accord.clock()
    credential = credentials.authenticate(store, key, now)
    # The last use is a hint for the operator. To refuse a request for it would help nobody.
    with suppress(ReadOnlyStore, StoreFull):
        credentials.note_use(store, credential, now)
    return credential.identity


def is_still_valid(here: Served, identity: Identity) -> bool:
    """Whether an identity is still let in, for an answer that goes on for long.

    A key can be revoked or expire, a token expires, and the first key closes an open server.
    """
    store = here.accord.history.credentials
    if identity.expires_at is not None:
        return here.accord.clock() < identity.expires_at
    if identity.credential is None:
        return not store.exist()
    return credentials.known(store, identity.credential).is_valid(here.accord.clock())


def unauthenticated(error: Unauthenticated) -> Problem:
    """Return the problem of a request without a valid key (RFC 6750, section 3)."""
    challenge = f'{SCHEME} realm="accord"'
    if error.error is not None:
        challenge += f', error="{error.error}", error_description="{error.detail}"'
    status = 400 if error.error == "invalid_request" else 401
    return Problem(status, error.detail, error.hint, headers={"WWW-Authenticate": challenge})


# --- what an identity may ----------------------------------------------------------------------


@contextmanager
def refused_as_problem() -> Iterator[None]:
    """Turn a refusal of the policy into a problem."""
    try:
        yield
    except Refused as refused:
        raise forbidden(refused) from refused


def viewer(here: Served, identity: Identity, names: Iterable[str], party: str | None) -> Viewer:
    """Return what an identity sees. `names` are the partnerships that it asks about.

    Raises a problem for another party than its own, and for a partnership that it does not see,
    whether there is one of this name or not.
    """
    with refused_as_problem():
        found = roles.viewer(identity, party)
        if identity.role is not Role.ANYONE:
            for name in names:
                check_seen(here.accord, found, name)
    return found


def _seen(
    here: ServedHere, who: Caller, id: Annotated[Slug, Path(description="The partnership.")]
) -> str:
    viewer(here, who, [id], None)
    return id


SeenId = Annotated[str, Depends(_seen)]
"""A route's parameter for a partnership in its path, which the caller sees."""


def forbidden(refused: Refused) -> Problem:
    """Return the problem of what an identity may not do."""
    headers = None
    if refused.rule == "not-in-scope":
        headers = {"WWW-Authenticate": f'{SCHEME} realm="accord", error="insufficient_scope"'}
    return Problem(
        403,
        refused.detail,
        refused.hint,
        headers=headers,
        type=REFUSED + quote(refused.rule, safe=":"),
        rule=refused.rule,
    )
