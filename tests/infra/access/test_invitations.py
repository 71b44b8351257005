"""A new party enrols itself: it makes its first key with an invitation, once, and in time.

The story: the operator invites northwind. Nora of northwind makes the party's first key with the
invitation, and the operator never sees that key.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from httpx2 import Response
from starlette.testclient import TestClient

from domain.kernel import Refused
from infra.access import credentials, invitations
from infra.access.attempts import MOST
from infra.access.credentials import Grant, NewKey, NoCredential, Unauthenticated
from infra.access.invitations import LASTS, LONGEST, Enrolment
from infra.access.roles import Role, Scope
from infra.bootstrap import Accord, bootstrap, init, open_store
from infra.http import create_app
from infra.settings import Settings
from infra.store.credentials import Credentials
from infra.store.history import History
from tests.infra.messages import beginning

NOW = datetime(2026, 11, 28, 9, tzinfo=UTC)
DAY = timedelta(days=1)
NORA = Enrolment(actor="nora")


@pytest.fixture
def keys(store: History) -> Credentials:
    return store.credentials


def northwind(keys: Credentials, **more: Any) -> NewKey:  # noqa: ANN401 - the end
    return invitations.invite(keys, "northwind", "ops", NOW, **more)


def refusal(keys: Credentials, invitation: NewKey, now: datetime = NOW) -> str:
    with pytest.raises(Unauthenticated) as refused:
        credentials.authenticate(keys, invitation.key, now)
    return refused.value.detail


# --- the rules ---------------------------------------------------------------------------------


def test_an_invitation_makes_the_first_key_of_its_party(keys: Credentials) -> None:
    invitation = northwind(keys)

    found = credentials.authenticate(keys, invitation.key, NOW + DAY)
    made = invitations.enrol(keys, found, NORA, NOW + DAY)

    nora = credentials.authenticate(keys, made.key, NOW + 400 * DAY).identity
    assert (nora.role, nora.party, nora.actor) == (Role.PARTY, "northwind", "nora")
    assert nora.scopes == {Scope.READ, Scope.EMIT, Scope.SETTLE, Scope.SIGN}
    assert nora.invitation == invitation.credential.id


def test_an_invitation_is_used_once(keys: Credentials) -> None:
    invitation = northwind(keys)
    invitations.enrol(keys, invitation.credential, NORA, NOW)

    assert refusal(keys, invitation) == "The invitation has been used."
    with pytest.raises(Unauthenticated, match="has been used"):
        invitations.enrol(keys, invitation.credential, Enrolment(actor="mallory"), NOW)
    assert [each.grant.actor for each in credentials.listed(keys)] == ["ops", "nora"]


def test_of_two_who_enrol_at_once_one_wins(address: str, keys: Credentials) -> None:
    invitation = northwind(keys).credential

    def enrol(person: str) -> bool:
        history, *_ = open_store(Settings(store=address))
        with closing(history):
            try:
                invitations.enrol(history.credentials, invitation, Enrolment(actor=person), NOW)
            except Unauthenticated:
                return False
            return True

    with ThreadPoolExecutor(4) as pool:
        won = list(pool.map(enrol, ["nora", "mallory", "max", "mia"]))

    assert sorted(won) == [False, False, False, True]
    assert len(credentials.listed(keys)) == 2


def test_an_invitation_expires(keys: Credentials) -> None:
    invitation = northwind(keys)

    credentials.authenticate(keys, invitation.key, NOW + LASTS - timedelta(microseconds=1))
    assert refusal(keys, invitation, NOW + LASTS).startswith("The invitation expired at")


@pytest.mark.parametrize("lasts", [timedelta(0), -DAY, LONGEST + timedelta(microseconds=1)])
def test_an_invitation_ends_within_a_season(keys: Credentials, lasts: timedelta) -> None:
    with pytest.raises(Refused, match="invitation-end"):
        northwind(keys, expires_at=NOW + lasts)
    assert not keys.exist()


def test_a_revoked_invitation_enrols_nobody(keys: Credentials) -> None:
    invitation = northwind(keys)

    credentials.revoke(keys, invitation.credential.id, NOW)

    assert refusal(keys, invitation) == "The invitation is revoked."
    with pytest.raises(Unauthenticated):
        invitations.enrol(keys, invitation.credential, NORA, NOW)


def test_the_store_has_no_invitation(tmp_path: Path) -> None:
    file = tmp_path / "accord.db"
    history, *_ = open_store(Settings(store=f"sqlite:///{file}"))
    with closing(history):
        invitation = northwind(history.credentials)
    dumped = b"".join(each.read_bytes() for each in tmp_path.iterdir())

    assert invitation.credential.id.encode() in dumped
    assert invitation.key.removeprefix(invitation.credential.prefix).encode() not in dumped


def test_a_party_with_a_key_or_an_invitation_is_not_invited(keys: Credentials) -> None:
    first = northwind(keys)
    with pytest.raises(Refused, match="party-enrolled"):
        northwind(keys)

    made = invitations.enrol(keys, first.credential, NORA, NOW)
    with pytest.raises(Refused, match="party-enrolled"):
        northwind(keys)

    credentials.revoke(keys, made.credential.id, NOW)
    northwind(keys)


def test_the_party_of_the_operators_events_is_not_invited(keys: Credentials) -> None:
    with pytest.raises(Refused, match="party-reserved"):
        invitations.invite(keys, "accord", "ops", NOW)


def test_an_invitation_is_neither_rotated_nor_made_as_a_key(keys: Credentials) -> None:
    invitation = northwind(keys)

    with pytest.raises(NoCredential):
        credentials.rotate(keys, invitation.credential.id, NOW, NOW + DAY)
    with pytest.raises(Refused, match="key-invitation"):
        credentials.create(keys, Grant(role=Role.INVITED, party="northwind", actor="ops"), NOW)


def test_a_key_that_the_operator_rotates_is_no_longer_the_partys_own(keys: Credentials) -> None:
    made = invitations.enrol(keys, northwind(keys).credential, NORA, NOW)

    rotated = credentials.rotate(keys, made.credential.id, NOW, NOW + DAY)

    assert made.credential.identity.invitation
    assert rotated.credential.identity.invitation is None


def test_no_party_enrols_as_the_operator(keys: Credentials) -> None:
    invitation = northwind(keys)
    asked = Enrolment(actor="nora", scopes=frozenset({Scope.OPERATE}))

    with pytest.raises(Refused, match="key-scope"):
        invitations.enrol(keys, invitation.credential, asked, NOW)
    credentials.authenticate(keys, invitation.key, NOW)


# --- over HTTP ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class World:
    """A served store with a partnership of growthos, and the operator's key."""

    accord: Accord
    client: TestClient
    operator: str

    def post(self, key: str, path: str, body: object) -> Response:
        headers = {"Authorization": f"Bearer {key}"}
        found: Response = self.client.post(path, json=body, headers=headers)
        return found

    def invite(self, party: str = "northwind", **more: object) -> dict[str, Any]:
        found = self.post(self.operator, "/v1/invitations", {"party": party, **more})
        assert (found.status_code, found.headers["cache-control"]) == (200, "private, no-store")
        told: dict[str, Any] = found.json()
        return told


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    settings = Settings(store=f"sqlite:///{tmp_path}/accord.db")
    init(settings)
    with bootstrap(settings) as accord, accord.workers() as workers:
        accord.service.handle([beginning("growthos-brightpath")])
        accord.catch_up()
        operator = Grant(role=Role.OPERATOR, actor="olga")
        key = credentials.create(accord.history.credentials, operator, datetime.now(UTC)).key
        with TestClient(create_app(accord, workers)) as client:
            yield World(accord, client, key)


def test_the_operator_invites_and_the_party_enrols_itself(world: World) -> None:
    told = world.invite()

    enrolled = world.post(told["invitation"], "/v1/enrolments", {"actor": "nora"})

    assert (enrolled.status_code, enrolled.headers["cache-control"]) == (200, "private, no-store")
    about, key = enrolled.json()["about"], enrolled.json()["key"]
    assert (about["party"], about["actor"]) == ("northwind", "nora")
    assert about["invitation"] == told["about"]["id"]
    assert about["scopes"] == ["emit", "read", "settle", "sign"]
    begun = orjson.loads(beginning("northwind-search", party="northwind"))
    assert world.post(key, "/v1/events", begun).status_code == 200
    listed = world.client.get("/v1/keys", headers={"Authorization": f"Bearer {world.operator}"})
    invitation = listed.json()["items"][1]
    assert (invitation["role"], invitation["actor"]) == ("invited", "olga")
    assert invitation["replaced_by"] == about["id"]
    assert key.rpartition("_")[2] not in listed.text


def test_an_invitation_opens_nothing_else(world: World) -> None:
    headers = {"Authorization": f"Bearer {world.invite()['invitation']}"}

    for path in ("/v1/partnerships", "/v1/schema", "/v1/keys", "/metrics"):
        assert world.client.get(path, headers=headers).status_code == 403
    assert world.client.post("/v1/events", content=b"{}", headers=headers).status_code == 403


@pytest.mark.parametrize("role", [Role.PARTY, Role.OPERATOR, Role.OPERATIONS])
def test_a_key_enrols_nobody(world: World, role: Role) -> None:
    party = "growthos" if role is Role.PARTY else None
    grant = Grant(role=role, party=party, actor="maya")
    made = credentials.create(world.accord.history.credentials, grant, datetime.now(UTC))

    found = world.post(made.key, "/v1/enrolments", {"actor": "maya"})

    assert (found.status_code, found.json()["rule"]) == (403, "not-your-role")


def test_a_used_invitation_is_refused_as_an_invalid_token(world: World) -> None:
    invitation = world.invite()["invitation"]
    world.post(invitation, "/v1/enrolments", {"actor": "nora"})

    again = world.post(invitation, "/v1/enrolments", {"actor": "mallory"})

    assert again.status_code == 401
    assert 'error="invalid_token"' in again.headers["www-authenticate"]


def test_an_enrolment_with_an_empty_list_of_scopes_makes_no_key_with_all(world: World) -> None:
    invitation = world.invite()["invitation"]

    found = world.post(invitation, "/v1/enrolments", {"actor": "nora", "scopes": []})

    assert found.status_code == 422
    assert found.json()["detail"] == "scopes has fewer items than 1."


def test_a_wrong_enrolment_does_not_use_the_invitation_up(world: World) -> None:
    invitation = world.invite()["invitation"]

    for body in ({"actor": ""}, {}, {"actor": "nora", "party": "growthos"}):
        assert world.post(invitation, "/v1/enrolments", body).status_code == 422
    assert world.post(invitation, "/v1/enrolments", {"actor": "nora"}).status_code == 200


def test_who_guesses_invitations_has_to_wait(world: World) -> None:
    guess = world.invite()["about"]["prefix"] + "A" * 43

    statuses = [
        world.post(guess, "/v1/enrolments", {"actor": "x"}).status_code for _ in range(MOST + 1)
    ]

    assert statuses == [401] * MOST + [429]


def test_no_other_role_invites(world: World) -> None:
    grant = Grant(role=Role.PARTY, party="growthos", actor="maya")
    key = credentials.create(world.accord.history.credentials, grant, datetime.now(UTC)).key

    found = world.post(key, "/v1/invitations", {"party": "initech"})

    assert (found.status_code, found.json()["rule"]) == (403, "not-in-scope")


@pytest.mark.parametrize("name", ["Growthos", "gr\u03bfwthos", "growthos ", "a" * 65])
def test_the_name_of_a_party_is_an_ascii_slug(world: World, name: str) -> None:
    found = world.post(world.operator, "/v1/invitations", {"party": name})

    assert found.status_code == 422


def test_a_name_close_to_a_known_one_is_warned_of(world: World) -> None:
    assert world.invite("growth0s")["lookalikes"] == ["growthos"]
    assert world.invite("initech")["lookalikes"] == []


def test_an_open_server_neither_invites_nor_enrols(tmp_path: Path) -> None:
    settings = Settings(store=f"sqlite:///{tmp_path}/open.db")
    init(settings)
    with (
        bootstrap(settings) as accord,
        accord.workers() as workers,
        TestClient(create_app(accord, workers, is_open=True)) as client,
    ):
        invited = client.post("/v1/invitations", json={"party": "northwind"})
        enrolled = client.post("/v1/enrolments", json={"actor": "nora"})

        assert (invited.status_code, enrolled.status_code) == (403, 403)
        assert not accord.history.credentials.exist()
