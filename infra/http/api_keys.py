"""API keys over HTTP: the operator lists, makes, rotates and revokes them."""

from datetime import timedelta
from typing import Annotated, Final

from fastapi import APIRouter, Path, Response
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from domain.kernel import Refused
from domain.values import Instant
from infra.access import credentials
from infra.access.credentials import Grant, NoCredential
from infra.access.roles import Need, Role
from infra.answers import api_keys
from infra.answers.api_keys import ApiKeys, MadeKey, RevokedKey
from infra.http.access import Caller, GuardedRoute, needs
from infra.http.dependencies import ServedHere, json
from infra.http.openapi import Schema, problem
from infra.http.problems import Problem
from infra.store.credentials import Credentials

router = APIRouter(route_class=GuardedRoute, tags=["Run"])

OVERLAP: Final = timedelta(hours=24)
"""How long a rotated key stays valid unless the request says until when."""

KeyId = Annotated[
    str,
    StringConstraints(pattern=r"^[0-9a-f]{12}$"),
    Path(description="The id of the API key, as the list has it."),
]

_PROBLEMS: Final[dict[int | str, Schema]] = {
    404: problem("There is no such API key, or it cannot be rotated any more."),
    422: problem("A parameter or the body is wrong, or the role cannot have this grant."),
}


class AskedKey(Grant):
    """The grant of a new API key, and when it expires."""

    expires_at: Instant | None = None
    """When it expires; never unless given."""


class Rotation(BaseModel):
    """How an API key is rotated."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    until: Instant | None = Field(default=None)
    """Until when the old key stays valid; 24 hours from now unless given."""


@router.get("/v1/keys", response_model=ApiKeys)
@needs(Need.OPERATE)
def list_keys(served: ServedHere) -> Response:
    """List the API keys, without their secrets."""
    found = map(api_keys.shown, credentials.listed(served.accord.history.credentials))
    return json(ApiKeys(simulated=served.accord.simulated, items=tuple(found)))


@router.post(
    "/v1/keys",
    response_model=MadeKey,
    responses={403: problem("An open server makes no keys."), 422: _PROBLEMS[422]},
)
@needs(Need.OPERATE)
def create_key(served: ServedHere, who: Caller, asked: AskedKey) -> Response:
    """Make an API key. This answer alone has it; only its hash is stored."""
    if who.role is Role.ANYONE:
        raise Problem(
            403,
            "On an open server anyone could make keys, so it makes none.",
            "Make the first key on the command line: accord keys create.",
        )
    grant = Grant(**{name: getattr(asked, name) for name in Grant.model_fields})
    try:
        new = credentials.create(_keys(served), grant, served.accord.clock(), asked.expires_at)
    except Refused as refused:
        raise Problem(422, refused.detail, refused.hint, rule=refused.rule) from refused
    return _secret(api_keys.made(served.accord, new))


@router.post("/v1/keys/{key}/rotate", response_model=MadeKey, responses=_PROBLEMS)
@needs(Need.OPERATE)
def rotate_key(served: ServedHere, key: KeyId, rotation: Rotation) -> Response:
    """Make an API key with the same grant, which replaces another one."""
    now = served.accord.clock()
    try:
        new = credentials.rotate(_keys(served), key, now, rotation.until or now + OVERLAP)
        old = credentials.known(_keys(served), key)
    except NoCredential as error:
        raise Problem(404, error.detail, error.hint) from error
    return _secret(api_keys.made(served.accord, new, old))


@router.delete("/v1/keys/{key}", response_model=RevokedKey, responses=_PROBLEMS)
@needs(Need.OPERATE)
def revoke_key(served: ServedHere, key: KeyId) -> Response:
    """Revoke an API key at once, in every process."""
    try:
        revoked = credentials.revoke(_keys(served), key, served.accord.clock())
    except NoCredential as error:
        raise Problem(404, error.detail, error.hint) from error
    found = RevokedKey(simulated=served.accord.simulated, about=api_keys.shown(revoked))
    return json(found)


def _keys(served: ServedHere) -> Credentials:
    return served.accord.history.credentials


def _secret(body: MadeKey) -> Response:
    found = json(body)
    found.headers["Cache-Control"] = "no-store"
    return found
