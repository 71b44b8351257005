"""API keys over HTTP: the operator makes, rotates and revokes them, and invites parties.

A party lists those that act for it.
"""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import partial
from typing import Annotated, Final

from fastapi import APIRouter, Path, Response
from pydantic import ConfigDict, Field, StringConstraints

from domain.described import Described
from domain.kernel import Refused
from domain.values import Instant, Slug
from domain.viewing import PartyKeyMade
from domain.wording import Worded
from infra.access import credentials, invitations, roles
from infra.access.credentials import (
    Announce,
    AskedGrant,
    Grant,
    NoCredential,
    Unauthenticated,
)
from infra.access.invitations import Enrolment
from infra.access.roles import Identity, Need, Role, Scope
from infra.answers import api_keys
from infra.answers.api_keys import ApiKeys, MadeInvitation, MadeKey, RevokedKey
from infra.answers.parties import announcing
from infra.deciding.group_commit import Busy
from infra.http.access import Caller, GuardedRoute, needs, refused_as_problem, unauthenticated
from infra.http.dependencies import Served, ServedHere, json
from infra.http.openapi import Schema, problem
from infra.http.problems import AGAIN_SOON, Problem
from infra.store.credentials import Credentials

router = APIRouter(route_class=GuardedRoute, tags=["Run"])

OVERLAP: Final = timedelta(hours=24)
"""How long a rotated key stays valid unless the request says until when."""

KeyId = Annotated[
    str,
    StringConstraints(pattern=r"^[0-9a-f]{12}$"),
    Worded("is not the id of an API key", "Use one of the list: GET /v1/keys."),
    Path(description="The id of the API key, as the list has it."),
]

_OPEN: Final[Schema] = problem("An open server makes no keys, or the API key may not.")

_PROBLEMS: Final[dict[int | str, Schema]] = {
    404: problem("There is no such API key, or it cannot be rotated any more."),
    422: problem("A parameter or the body is wrong, or the role cannot have this grant."),
}


class AskedKey(AskedGrant):
    """The grant of a new API key, and when it expires.

    An empty list is refused: it reads like nothing, and would give all.
    """

    scopes: frozenset[Scope] = Field(default_factory=frozenset, min_length=1)
    events: frozenset[str] = Field(default_factory=frozenset, min_length=1)
    partnerships: frozenset[Slug] = Field(default_factory=frozenset, min_length=1)
    expires_at: Instant | None = None
    """When it expires; never unless given."""


class AskedInvitation(Described):
    """The party to invite, and until when."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    party: Slug
    """The new party."""
    expires_at: Instant | None = None
    """When the invitation expires; 7 days from now unless given."""


class Rotation(Described):
    """How an API key is rotated."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    until: Instant | None = Field(default=None)
    """Until when the old key stays valid; 24 hours from now unless given."""


@router.get("/v1/keys", response_model=ApiKeys)
@needs(Need.KEYS)
def list_keys(served: ServedHere, who: Caller) -> Response:
    """List the API keys, without their secrets: for the operator all, for a party its own.

    The keys of a party are those that act for it. `invitation` says whether the party made it. An
    operator that is limited to partnerships has those that are limited to them, too.
    """
    return json(api_keys.of(served.accord, who.party, who))


@router.post(
    "/v1/keys",
    response_model=MadeKey,
    responses={403: _OPEN, 422: _PROBLEMS[422]},
)
@needs(Need.OPERATE)
def create_key(served: ServedHere, who: Caller, asked: AskedKey) -> Response:
    """Make an API key. This answer alone has it; only its hash is stored."""
    _check_not_open(who)
    grant = Grant(**{name: getattr(asked, name) for name in AskedGrant.model_fields})
    with _wrong_as_problem():
        _check_maker(served, who, grant, asked.expires_at)
        now, announce = served.accord.clock(), _announce(served, who)
        new = credentials.create(_keys(served), grant, now, asked.expires_at, announce)
    return json(api_keys.made(served.accord, new))


@router.post(
    "/v1/invitations",
    response_model=MadeInvitation,
    responses={403: _OPEN, 422: problem("The party cannot be invited, or not until then.")},
)
@needs(Need.OPERATE)
def invite(served: ServedHere, who: Caller, asked: AskedInvitation) -> Response:
    """Invite a new party. This answer alone has the invitation; only its hash is stored.

    Whoever has it makes the first key of the party, once.
    """
    _check_not_open(who)
    now = served.accord.clock()
    with _wrong_as_problem():
        # The party makes a key of its own, without limits. So the end of a token, a few minutes
        # away, limits nothing, and that of a key limits the invitation.
        grant = Grant(role=Role.PARTY, party=asked.party, actor=who.actor)
        maker = credentials.known(_keys(served), who.credential) if who.credential else None
        last = maker.expires_at if maker else None
        ends = asked.expires_at or min(filter(None, (now + invitations.LASTS, last)))
        credentials.check_maker(who, last, grant, ends)
        new = invitations.invite(
            _keys(served), asked.party, who.actor, now, ends, _announce(served, who)
        )
    return json(api_keys.invited(served.accord, new))


@router.post(
    "/v1/enrolments",
    response_model=MadeKey,
    responses={403: _OPEN, 422: problem("The body is wrong, or no party has these scopes.")},
)
@needs(Need.ENROL)
def enrol(served: ServedHere, who: Caller, asked: Enrolment) -> Response:
    """Make the first API key of a party, with its invitation. This answer alone has the key.

    The invitation is sent as a key is: `Authorization: Bearer accord_<id>_<secret>`. It is used up
    in the same transaction.
    """
    _check_not_open(who)
    keys = _keys(served)
    try:
        with _wrong_as_problem():
            invitation = credentials.known(keys, who.credential or "")
            new = invitations.enrol(keys, invitation, asked, served.accord.clock())
    except Unauthenticated as error:
        raise unauthenticated(error) from error
    return json(api_keys.made(served.accord, new))


@router.post("/v1/keys/{key}/rotate", response_model=MadeKey, responses=_PROBLEMS)
@needs(Need.OPERATE)
def rotate_key(served: ServedHere, who: Caller, key: KeyId, rotation: Rotation) -> Response:
    """Make an API key with the same grant, which replaces another one."""
    now = served.accord.clock()
    try:
        until = rotation.until or now + OVERLAP
        old = credentials.managed(_keys(served), key, who)
        with _wrong_as_problem():
            _check_maker(served, who, old.grant, credentials.rotated_end(old, now))
        new = credentials.rotate(_keys(served), key, now, until, _announce(served, who))
        old = credentials.known(_keys(served), key)
    except NoCredential as error:
        raise Problem(404, error.detail, error.hint) from error
    return json(api_keys.made(served.accord, new, old))


@router.delete("/v1/keys/{key}", response_model=RevokedKey, responses=_PROBLEMS)
@needs(Need.OWN_KEY)
def revoke_key(served: ServedHere, who: Caller, key: KeyId) -> Response:
    """Revoke an API key at once, in every process: the operator any, and each key itself.

    So whoever finds a key that was lost can end it, and nothing else. Events of its party that wait
    are refused, because the key may have sent them; they can be retried.
    """
    if key != who.credential:
        with refused_as_problem():
            roles.access(who, Need.OPERATE)
    try:
        credentials.managed(_keys(served), key, who)
        return json(api_keys.revoke(served.accord, key, partial(_refuse_waiting, served)))
    except NoCredential as error:
        raise Problem(404, error.detail, error.hint) from error


def _refuse_waiting(served: Served, party: str, partnerships: Collection[str]) -> int:
    work = partial(served.accord.service.refuse_waiting, party, partnerships)
    try:
        found: int = served.workers.writer.call(work).result()
    except Busy as busy:
        again = "Send the same request again. The key is revoked; what waits is not refused yet."
        raise Problem(503, str(busy), again, headers=AGAIN_SOON) from busy
    return found


@contextmanager
def _wrong_as_problem() -> Iterator[None]:
    """Turn a refusal of what is asked for into a problem of its parameters."""
    try:
        yield
    except Refused as refused:
        raise Problem(422, refused.detail, refused.hint, rule=refused.rule) from refused


def _check_maker(served: Served, who: Identity, grant: Grant, ends: datetime | None) -> None:
    """Raise `Refused` for a key that would grant more than who makes it has."""
    maker = credentials.known(_keys(served), who.credential) if who.credential else who
    credentials.check_maker(who, maker.expires_at, grant, ends)


def _check_not_open(who: Identity) -> None:
    if who.role is Role.ANYONE:
        raise Problem(
            403,
            "On an open server anyone could make keys, so it makes none.",
            "Make the first key on the command line: accord keys create.",
        )


def _announce(served: Served, who: Identity) -> Announce:
    """Return what records that the operator makes a credential of a party."""

    def record(partnership: str, person: str, event: PartyKeyMade) -> None:
        work = partial(served.accord.service.record_own, partnership, person, event)
        try:
            served.workers.writer.call(work).result()
        except Busy as busy:
            again = "Send the same request again. No key was made."
            raise Problem(503, str(busy), again, headers=AGAIN_SOON) from busy

    return announcing(served.accord, who.actor, record)


def _keys(served: ServedHere) -> Credentials:
    return served.accord.history.credentials
