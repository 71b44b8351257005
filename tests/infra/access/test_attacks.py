"""Attacks on who acts and who sees, each on the real application: none of them gets anything."""

import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Thread
from typing import Any

import orjson
import pytest
from fastapi import APIRouter, FastAPI
from httpx2 import Response
from starlette.testclient import TestClient
from typer.testing import CliRunner

from benchmarks.audit.signing import covering
from domain.adoption import ProposeAdoption
from domain.claims import FigureRef
from domain.examples import EXAMPLES
from domain.exploration import BeginExploration, ChoosePartner
from domain.kernel import Command
from domain.keyring import (
    AgreeKeyRecovery,
    KeyRecoveryProposed,
    KeySentByOperator,
    ProposeKeyRecovery,
)
from domain.partnership import PassTime
from domain.program import DefinePortfolio
from domain.reported_figure import CorrectMetric, MetricCorrected, ReportMetric
from domain.values import instant
from domain.viewing import PartyKeyMade
from infra.access import credentials, invitations
from infra.access.attempts import MOST, WINDOW
from infra.access.credentials import Grant, NewKey
from infra.access.roles import Need, Role, Scope
from infra.bootstrap import Accord, bootstrap, init
from infra.cli.options import REFUSED
from infra.cli.options import app as command_line
from infra.deciding.intake import Sent
from infra.http import create_app
from infra.http.access import GuardedRoute, needs, needs_of
from infra.http.alerts import STREAM
from infra.http.server import check_open
from infra.settings import Settings, WrongSetting
from infra.tlog import dsse
from infra.tlog.keys import Signer
from tests.documents import REPOSITORY
from tests.infra.messages import beginning, candidate, from_steps, message
from tests.infra.signing import Signatory
from tests.journeys.typed import PROGRAM
from tests.life import LIFE, example
from tests.stories import moment

BEGINNINGS = (BeginExploration, ProposeAdoption, DefinePortfolio)
EVENT = "application/cloudevents+json"
LINES = "application/x-ndjson"
OURS, THEIRS = "growthos-brightpath", "initech-hooli"
ENDS = datetime.now(UTC).replace(microsecond=0) + timedelta(days=1)
"""When a key that is limited in time ends."""


@dataclass(frozen=True)
class World:
    """A served store with a partnership of growthos and one of initech."""

    accord: Accord
    client: TestClient
    store: str

    def key(self, role: Role = Role.PARTY, **more: Any) -> NewKey:  # noqa: ANN401 - a grant's fields
        given = {"party": "growthos"} if role in {Role.PARTY, Role.SERVICE} else {}
        expires = more.pop("expires_at", None)
        grant = Grant(role=role, actor="maya", **given | more)
        now = expires - timedelta(hours=1) if expires else datetime.now(UTC)
        return credentials.create(self.accord.history.credentials, grant, now, expires)

    def get(self, key: str | None, path: str, **query: str) -> Response:
        found: Response = self.client.get(path, params=query, headers=bearer(key))
        return found

    def post(
        self, key: str | None, body: bytes, path: str = "/v1/events", media_type: str = EVENT
    ) -> Response:
        headers = {"Content-Type": media_type, **bearer(key)}
        found: Response = self.client.post(path, content=body, headers=headers)
        return found


def bearer(key: str | None) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"} if key is not None else {}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    settings = Settings(store=f"sqlite:///{tmp_path}/accord.db")
    init(settings)
    with bootstrap(settings) as accord, accord.workers() as workers:
        accord.service.handle([beginning(OURS), beginning(THEIRS, party="initech")])
        accord.catch_up()
        with TestClient(create_app(accord, workers)) as client:
            yield World(accord, client, settings.store)


@pytest.fixture
def anyones(tmp_path: Path) -> Iterator[World]:
    """An open server of an empty store."""
    settings = Settings(store=f"sqlite:///{tmp_path}/open.db")
    init(settings)
    with (
        bootstrap(settings) as accord,
        accord.workers() as workers,
        TestClient(create_app(accord, workers, is_open=True)) as client,
    ):
        yield World(accord, client, settings.store)


def refused(found: Response, status: int, rule: str) -> dict[str, Any]:
    told: dict[str, Any] = found.json()
    assert (found.status_code, told.get("rule")) == (status, rule)
    assert found.headers["content-type"] == "application/problem+json"
    assert told["detail"]
    assert told["hint"]
    return told


def size(world: World) -> int:
    return world.accord.history.size()


# --- acting as another -------------------------------------------------------------------------


def test_nobody_acts_as_another_party(world: World) -> None:
    before, key = size(world), world.key().key

    told = refused(world.post(key, beginning("a-b", party="initech")), 403, "not-your-party")

    assert told["type"] == "/problems/not-your-party"
    assert told["pointer"] == "/party"
    assert size(world) == before
    operator = world.key(Role.OPERATOR).key
    # It is not kept: a retry would decide it without its sender.
    assert world.get(operator, "/v1/refusals").json()["items"] == []


RESERVED = [
    *("clock", "rules", "operator", "notary", "adoption", "Clock", "clock ", "cl ock"),
    *("\uff43\uff4c\uff4f\uff43\uff4b", "account root", "Account\u00a0root", "account\u3000root"),
    *("PERSON:" + "0" * 64, "person:ana", "(erased person 1a2b3c4d)", "(Unreadable name"),
]
"""Names of Accord's own actors, of accounts, of commitments, and of what answers show
in the place of a name, as they can be written."""

INVISIBLE = [
    "cl\u200bock",
    "ana\u00ad",
    "ana\u202egnp",
    "ana\u2060",
    "\u3164",
    "ana\u2800",
    "ana\ue000",
    "ana\U000f0000",
    "ana\ufffd",
    " ",
    " ana",
    "a\U000e0041",
]


@pytest.mark.parametrize("actor", RESERVED)
def test_nobody_acts_in_the_name_of_accord_itself(world: World, actor: str) -> None:
    before = size(world)

    refused(world.post(world.key().key, candidate("x", actor=actor)), 403, "reserved-actor")

    assert size(world) == before


@pytest.mark.parametrize("actor", RESERVED)
def test_nor_does_anybody_who_needs_no_key(anyones: World, tmp_path: Path, actor: str) -> None:
    """An open server, the command line with `accord adopt`, the broker and signed commands."""
    assert anyones.post(None, beginning(OURS)).status_code == 200
    before, cli = size(anyones), CliRunner()
    sent = candidate("x", subject=OURS, actor=actor)
    (tmp_path / "sent.jsonl").write_bytes(sent)
    feed = (REPOSITORY / "examples/5-adopted-partner.jsonl").read_bytes()
    adoption = orjson.loads(feed.splitlines()[0])
    (tmp_path / "adopted.json").write_bytes(orjson.dumps(adoption | {"actor": actor}))
    ours = Signatory("growthos", Signer.new())
    asked = ours.event(ours.register(OURS), subject=OURS) | {"actor": actor}
    signed = dsse.sign(ours.signer, ours.payload(asked))

    refused(anyones.post(None, sent), 403, "reserved-actor")
    for line in (["ingest", f"{tmp_path}/sent.jsonl"], ["adopt", f"{tmp_path}/adopted.json"]):
        ran = cli.invoke(command_line, [*line, "--store", anyones.store])
        assert (ran.exit_code, "reserved-actor" in ran.output) == (REFUSED, True), ran.output
    on_the_broker: list[bytes | Sent] = [Sent(signed, "growthos"), sent]
    outcomes = anyones.accord.service.handle(on_the_broker)
    assert {each.rule for each in outcomes} == {"reserved-actor"}
    retried = anyones.accord.service.retry(anyones.accord.history.refusals("open", 0, 10))
    assert {each.rule for each in retried} == {"reserved-actor"}

    assert size(anyones) == before


@pytest.mark.parametrize("actor", INVISIBLE)
def test_a_name_has_no_character_that_nobody_sees(world: World, actor: str) -> None:
    sent = candidate("x", actor=actor)

    told = refused(world.post(world.key().key, sent), 400, "wrong-value")
    [outcome] = world.accord.service.handle([sent])

    assert told["pointer"] == "/actor"
    assert (outcome.rule, outcome.pointer) == ("wrong-value", "/actor")


@pytest.mark.parametrize("actor", [*RESERVED, *INVISIBLE, "person:" + "0" * 64])
def test_no_credential_is_made_in_a_name_of_accord_or_of_another(world: World, actor: str) -> None:
    operator = world.key(Role.OPERATOR).key
    invited = invitations.invite(
        world.accord.history.credentials, "northwind", "olga", datetime.now(UTC)
    ).key
    asked = [
        (operator, "/v1/keys", {"role": "party", "party": "growthos", "actor": actor}),
        (operator, "/v1/keys", {"role": "operator", "actor": actor}),
        (invited, "/v1/enrolments", {"actor": actor}),
    ]
    before = len(credentials.listed(world.accord.history.credentials))

    for key, path, body in asked:
        found = world.post(key, orjson.dumps(body), path, "application/json")
        assert found.status_code == 422, path

    assert len(credentials.listed(world.accord.history.credentials)) == before


@pytest.mark.parametrize("actor", [*RESERVED, *INVISIBLE])
def test_on_an_open_server_nobody_handles_an_alert_or_a_refusal_in_a_name_of_accord(
    anyones: World, actor: str
) -> None:
    for path in ("/v1/alerts/acknowledge", "/v1/refusals/dismiss"):
        body = {"by": actor} | ({"alert": "x@1/a/b"} if "alerts" in path else {})
        found = anyones.post(None, orjson.dumps(body), path, "application/json")
        assert found.status_code == 422
        assert "by" in found.json()["detail"]


def test_each_event_of_a_batch_is_of_the_keys_own_party(world: World) -> None:
    lines = [candidate("brightpath"), candidate("hooli", party="initech", subject=THEIRS)]

    found = world.post(world.key().key, b"\n".join(lines), media_type=LINES).json()

    assert [each["status"] for each in found["results"]] == ["accepted", "refused"]
    assert found["results"][1]["rule"] == "not-your-party"
    assert [each["index"] for each in found["results"]] == [0, 1]


def test_nobody_acts_as_another_in_binary_mode(world: World) -> None:
    event = orjson.loads(beginning("a-b", party="initech"))
    headers = {f"ce-{name}": str(each) for name, each in event.items() if name != "data"}

    found = world.client.post(
        "/v1/events",
        content=orjson.dumps(event["data"]),
        headers={"Content-Type": "application/json", **headers, **bearer(world.key().key)},
    )

    refused(found, 403, "not-your-party")


def test_a_signed_command_of_another_party_needs_that_partys_key_too(world: World) -> None:
    initech = Signatory("initech", Signer.new())
    signed = initech.signs(initech.register(THEIRS), subject=THEIRS)

    refused(world.post(world.key().key, signed), 403, "not-your-party")
    assert world.post(world.key(party="initech").key, signed).status_code == 200


def _structured(world: World, raw: bytes) -> None:
    world.post(world.key().key, raw)


def _batch(world: World, raw: bytes) -> None:
    media_type = "application/cloudevents-batch+json"
    world.post(world.key().key, b"[%b]" % raw, media_type=media_type)


def _lines(world: World, raw: bytes) -> None:
    world.post(world.key().key, raw + b"\n", media_type=LINES)


def _binary(world: World, raw: bytes) -> None:
    event = orjson.loads(raw)
    headers = {f"ce-{name}": str(each) for name, each in event.items() if name != "data"}
    world.client.post(
        "/v1/events",
        content=orjson.dumps(event["data"]),
        headers={"Content-Type": "application/json", **headers, **bearer(world.key().key)},
    )


def _machine(world: World, raw: bytes) -> None:
    scopes = {Scope.READ, Scope.EMIT, Scope.SIGN}
    world.post(world.key(Role.SERVICE, scopes=scopes).key, raw)


def _topic_of_the_party(world: World, raw: bytes) -> None:
    # The operator made the password of the broker's user, as intake gets its messages.
    world.accord.service.handle([Sent(raw, "growthos")])


def _command_line(world: World, raw: bytes) -> None:
    world.accord.service.handle([raw])


DOORS = (_structured, _batch, _lines, _binary, _machine, _topic_of_the_party, _command_line)


@pytest.mark.parametrize("door", DOORS, ids=lambda door: door.__name__)
def test_a_first_key_that_the_operator_sends_for_a_party_is_told_to_the_party(
    world: World, door: Callable[[World, bytes], None]
) -> None:
    """The operator has the store, and makes API keys of the party: none sends a key unseen."""
    forged = Signatory("growthos", Signer.new())
    door(world, forged.unsigned(forged.register(OURS), subject=OURS))
    world.accord.catch_up()

    sent = KeySentByOperator(party="growthos", keyid=forged.keyid)
    assert [each.event for each in world.accord.history.of(OURS)][-1] == sent
    assert _shown_keys(world) == [(forged.keyid, "operator")]


@pytest.mark.parametrize("door", DOORS, ids=lambda door: door.__name__)
def test_a_recovered_key_that_the_operator_sends_for_a_party_is_told_to_both(
    world: World, door: Callable[[World, bytes], None]
) -> None:
    """The operator says for a party that its key is lost, and the partner consents."""
    own, partner, forged = _signatories()
    _enrols(world, own)
    consenting = _enrols(world, partner)
    door(world, forged.unsigned(_lost(forged), subject=OURS))
    consent = covering(AgreeKeyRecovery(proposal="new"), [KeyRecoveryProposed.of(_lost(forged))])
    assert world.post(consenting, partner.signs(consent, subject=OURS)).status_code == 200

    assert _shown_keys(world) == [
        (own.keyid, "party"),
        (partner.keyid, "party"),
        (forged.keyid, "operator"),
    ]


@pytest.mark.parametrize("door", DOORS, ids=lambda door: door.__name__)
def test_the_operator_recovers_no_key_with_a_key_of_the_partner_that_it_sent_itself(
    world: World, door: Callable[[World, bytes], None]
) -> None:
    """The partner has no key. So the operator makes one, and consents with it to the other."""
    own, partner, forged = _signatories()
    _enrols(world, own)
    _command_line(world, partner.unsigned(partner.register(OURS), subject=OURS))
    before = size(world)

    door(world, forged.unsigned(_lost(forged), subject=OURS))

    assert size(world) == before
    assert _shown_keys(world) == [(own.keyid, "party"), (partner.keyid, "operator")]


def test_the_operator_recovers_no_key_with_a_party_that_it_enrolled_anew_itself(
    world: World,
) -> None:
    """The partner has no signing key. The operator revokes its API key and takes its place."""
    own, partner, forged = _signatories()
    _enrols(world, own)
    keys, now = world.accord.history.credentials, datetime.now(UTC)
    _invited(world, partner.party)
    for each in credentials.listed(keys):
        if each.grant.party == partner.party:
            credentials.revoke(keys, each.id, now)
    taken = _invited(world, partner.party)
    registered = world.post(taken, partner.unsigned(partner.register(OURS), subject=OURS))
    assert registered.status_code == 200
    before = size(world)

    _command_line(world, forged.unsigned(_lost(forged), subject=OURS))

    assert size(world) == before
    assert _shown_keys(world) == [(own.keyid, "party"), (partner.keyid, "operator")]


def test_a_party_makes_a_key_that_the_operator_sent_its_own_by_replacing_it(world: World) -> None:
    own, partner, new = _signatories()
    _enrols(world, own)
    _command_line(world, partner.unsigned(partner.register(OURS), subject=OURS))
    later = Signatory("brightpath", Signer.new())
    rotation = partner.signs(later.rotate(partner.keyid, OURS), subject=OURS)
    assert world.post(_invited(world, "brightpath"), rotation).status_code == 200

    _command_line(world, new.unsigned(_lost(new), subject=OURS))
    consent = covering(AgreeKeyRecovery(proposal="new"), [KeyRecoveryProposed.of(_lost(new))])
    _command_line(world, later.signs(consent, subject=OURS))

    assert _shown_keys(world)[-2:] == [(later.keyid, "party"), (new.keyid, "operator")]


def _signatories() -> tuple[Signatory, Signatory, Signatory]:
    """Return who has growthos' key, who has brightpath's, and who makes a new one of growthos."""
    return (
        Signatory("growthos", Signer.new()),
        Signatory("brightpath", Signer.new()),
        Signatory("growthos", Signer.new()),
    )


def _lost(new: Signatory) -> ProposeKeyRecovery:
    found: ProposeKeyRecovery = ProposeKeyRecovery(
        proposal="new", party=new.party, lost_since=moment("2026-01-20"), **new.shown(OURS)
    )
    return found


def _invited(world: World, party: str) -> str:
    """Return the API key that a party makes itself, with an invitation."""
    keys, now = world.accord.history.credentials, datetime.now(UTC)
    invitation = invitations.invite(keys, party, "ops", now)
    return invitations.enrol(
        keys, invitation.credential, invitations.Enrolment(actor="maya"), now
    ).key


def _enrols(world: World, who: Signatory) -> str:
    """Let a party register a signing key with an API key that it made itself, and return that."""
    if who.party == "growthos":
        steps = LIFE[: [type(each.command) for each in LIFE].index(ChoosePartner) + 1]
        world.accord.service.handle(from_steps(steps))
        world.accord.catch_up()
    made = _invited(world, who.party)
    found = world.post(made, who.unsigned(who.register(OURS), subject=OURS))
    assert found.status_code == 200
    return made


def _shown_keys(world: World) -> list[tuple[str, str]]:
    told = world.get(world.key().key, f"/v1/partnerships/{OURS}/signatures").json()
    return [(each["key"], each["sent_by"]) for each in told["keys"]]


def test_a_first_key_that_a_party_sends_with_its_credential_is_its_own(world: World) -> None:
    own = Signatory("growthos", Signer.new())
    _enrols(world, own)

    assert _shown_keys(world) == [(own.keyid, "party")]


def test_nobody_asks_what_would_come_of_acting_as_another(world: World) -> None:
    found = world.post(
        world.key().key, candidate("hooli", party="initech", subject=THEIRS), "/v1/validate"
    )

    assert found.json()["items"][0]["rule"] == "not-your-party"


def test_nobody_proposes_an_adoption_as_another(world: World) -> None:
    body = orjson.dumps({"subject": "a-b", "party": "initech", "actor": "x", "data": {}})

    refused(world.post(world.key().key, body, "/v1/adoptions"), 403, "not-your-party")


def test_an_unreadable_event_of_another_party_is_not_kept_as_its_own(world: World) -> None:
    event = orjson.loads(candidate("hooli", party="initech", subject=THEIRS)) | {"time": "today"}

    refused(world.post(world.key().key, orjson.dumps(event)), 403, "not-your-party")
    assert world.get(world.key(party="initech").key, "/v1/refusals").json()["items"] == []


@pytest.mark.parametrize("role", [Role.OPERATOR, Role.OPERATIONS])
def test_who_is_no_party_sends_no_event(world: World, role: Role) -> None:
    refused(world.post(world.key(role).key, candidate("x")), 403, "not-in-scope")


@pytest.mark.parametrize("path", ["/v1/keys", "/v1/invitations", "/v1/keys/{key}/rotate"])
def test_the_operator_makes_no_key_of_a_party_unseen(world: World, path: str) -> None:
    """With it the operator can act as that party, and read what it keeps to itself."""
    key, operator = world.key().key, world.key(Role.OPERATOR).key
    party = "growthos"
    if path == "/v1/invitations":
        # A party with a key is not invited, so this one has none.
        party = "initech"
    first = world.key(party="growthos").credential.id
    body = {
        "/v1/keys": {"role": "service", "party": party, "actor": "crm"},
        "/v1/invitations": {"party": party},
    }
    sent = orjson.dumps(body.get(path, {}))

    made = world.post(operator, sent, path.format(key=first), "application/json").json()["about"]

    name = OURS if party == "growthos" else THEIRS
    last = [*world.accord.history.of(name)][-1]
    assert last.event == PartyKeyMade(
        party=party, credential=made["id"], invites=path == "/v1/invitations"
    )
    assert (last.act.party, last.source) == ("accord", "accord:view")
    listed = world.get(key, "/v1/keys").json()["items"]
    assert {each["party"] for each in listed} == {"growthos"}
    assert (made["id"] in {each["id"] for each in listed}) is (party == "growthos")


def test_a_key_of_a_party_whose_name_is_close_to_a_known_one_is_warned_of(world: World) -> None:
    operator = world.key(Role.OPERATOR).key

    def made(party: str) -> dict[str, Any]:
        sent = orjson.dumps({"role": "party", "party": party, "actor": "x"})
        found: dict[str, Any] = world.post(operator, sent, "/v1/keys", "application/json").json()
        return found

    assert made("gr0wthos")["lookalikes"] == ["growthos"]
    assert made("acme")["lookalikes"] == []


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"expires": "2030-01-01T00:00:00Z"}, "Perhaps expires_at?"),
        ({"actor": "x\u001b[31m\nroot"}, "leave control and invisible characters out"),
        ({"expires_at": "2020-01-01T00:00:00Z"}, "Give an end that is to come"),
    ],
)
def test_a_wrong_body_of_a_key_is_refused_with_what_is_right(
    world: World, changes: dict[str, str], told: str
) -> None:
    body = {"role": "operations", "actor": "pager"} | changes

    found = world.post(
        world.key(Role.OPERATOR).key, orjson.dumps(body), "/v1/keys", "application/json"
    )

    assert found.status_code == 422
    assert told in found.json()["hint"]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/keys", b'{"role":"operations","actor":"x","role":"operator"}'),
        ("/v1/keys", b'{"role":"party","party":"growthos","actor":"x","scopes":[]}'),
        ("/v1/keys", b'{"role":"party","party":"growthos","actor":"x","events":[]}'),
        ("/v1/keys", b'{"role":"operator","actor":"x","partnerships":[]}'),
        ("/v1/invitations", b'{"party":"northwind","party":"southwind"}'),
    ],
)
def test_a_body_that_can_be_read_in_two_ways_makes_no_key(
    world: World, path: str, body: bytes
) -> None:
    """A member twice; or an empty list, which gives all here and nothing elsewhere."""
    operator = world.key(Role.OPERATOR).key
    before = world.get(operator, "/v1/keys").json()["items"]

    found = world.post(operator, body, path, "application/json")

    assert found.status_code == 422
    assert len(world.get(operator, "/v1/keys").json()["items"]) == len(before)


def test_what_is_wrong_with_such_a_body_is_told(world: World) -> None:
    operator = world.key(Role.OPERATOR).key

    def told(body: bytes) -> list[str]:
        found = world.post(operator, body, "/v1/keys", "application/json").json()
        return [found["detail"], found["hint"]]

    assert told(b'{"role":"operations","actor":"x","role":"operator"}') == [
        "The body cannot be read: the key 'role' appears twice in one object.",
        "Send one JSON object, with each member once.",
    ]
    (detail, _) = told(b'{"role":"party","party":"growthos","actor":"x","scopes":[]}')
    assert detail == "scopes has fewer items than 1."


def test_a_head_of_the_stream_takes_what_a_get_takes(world: World) -> None:
    for name, status in ((OURS, 200), (THEIRS, 403)):
        found = world.client.head(
            STREAM, params={"partnership": name}, headers=bearer(world.key().key)
        )
        assert found.status_code == status


def test_a_key_of_no_party_is_on_nobodys_record(world: World) -> None:
    before, operator = size(world), world.key(Role.OPERATOR).key

    world.post(operator, b'{"role":"operations","actor":"x"}', "/v1/keys", "application/json")

    assert size(world) == before


# --- using another's source and id -------------------------------------------------------------


def test_a_refusal_that_is_kept_stays_its_partys_whatever_another_sends(world: World) -> None:
    mine, theirs = world.key().key, world.key(party="initech").key
    wrong = orjson.loads(candidate("x")) | {"time": "today"}
    world.post(mine, orjson.dumps(wrong))

    for change in ({"party": "initech"}, {"party": "initech", "data": {}}, {"party": None}):
        world.post(theirs, orjson.dumps(wrong | change))

    (kept,) = world.get(mine, "/v1/refusals").json()["items"]
    assert orjson.loads(kept["message"]) == wrong
    (other,) = world.get(theirs, "/v1/refusals").json()["items"]
    assert other["id"] == wrong["id"]


def test_an_event_without_a_party_is_of_who_sent_it_also_when_it_is_retried(world: World) -> None:
    theirs, operator = world.key(party="initech").key, world.key(Role.OPERATOR).key
    world.post(theirs, b"{}")
    world.post(theirs, b"not JSON")

    world.post(operator, b"", "/v1/refusals/retry")

    assert len(world.get(theirs, "/v1/refusals").json()["items"]) == 2
    assert len(world.accord.history.refusals(None)) == 2


def test_who_uses_a_source_and_id_first_neither_locks_another_out_nor_learns_of_it(
    world: World,
) -> None:
    first = candidate("hooli-partner", party="initech", subject=THEIRS, id="1")
    second = candidate("bright", id="1")

    answers = [
        world.post(world.key(party=party).key, event)
        for party, event in (("initech", first), ("growthos", second))
    ]

    assert [each.json()["status"] for each in answers] == ["accepted", "accepted"]
    ids = [each.event_id for name in (OURS, THEIRS) for each in world.accord.history.of(name)]
    assert len(set(ids)) == len(ids)


# --- beyond the grant --------------------------------------------------------------------------


def test_a_key_that_reads_does_not_emit(world: World) -> None:
    key = world.key(scopes=frozenset({Scope.READ})).key

    found = world.post(key, candidate("x"))

    refused(found, 403, "not-in-scope")
    assert 'error="insufficient_scope"' in found.headers["www-authenticate"]
    assert world.get(key, f"/v1/partnerships/{OURS}").status_code == 200


def test_a_key_that_emits_does_not_read(world: World) -> None:
    key = world.key(scopes=frozenset({Scope.EMIT})).key

    refused(world.get(key, f"/v1/partnerships/{OURS}"), 403, "not-in-scope")
    assert world.post(key, candidate("x")).status_code == 200


def test_a_key_for_one_family_sends_no_other(world: World) -> None:
    key = world.key(events=frozenset({"payment"})).key

    refused(world.post(key, candidate("x")), 403, "not-in-scope")


def test_a_key_for_one_partnership_neither_writes_nor_reads_another(world: World) -> None:
    world.accord.service.handle([beginning("growthos-hooli")])
    key = world.key(partnerships=frozenset({OURS})).key

    refused(world.post(key, candidate("x", subject="growthos-hooli")), 403, "not-your-partnership")
    refused(world.get(key, "/v1/partnerships/growthos-hooli"), 403, "not-your-partnership")
    assert [each["id"] for each in world.get(key, "/v1/partnerships").json()["items"]] == [OURS]


def test_a_key_of_operations_for_one_partnership_gets_no_counts_of_all(world: World) -> None:
    limited = world.key(Role.OPERATIONS, partnerships=frozenset({OURS})).key

    refused(world.get(limited, "/metrics"), 403, "not-your-partnership")
    assert world.get(world.key(Role.OPERATIONS).key, "/metrics").status_code == 200


# --- seeing another's --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("/v1/partnerships/{id}", {}),
        ("/v1/partnerships/{id}/history", {}),
        ("/v1/partnerships/{id}/checkpoint", {}),
        ("/v1/explain", {"reference": "{id}/leads/2026-Q1"}),
        ("/v1/explain", {"reference": "referral-minimum@1/{id}/2026-Q1"}),
        ("/v1/explain", {"reference": "{id}/deal/D-1"}),
        ("/v1/markets", {"partnership": "{id}"}),
        (STREAM, {"partnership": "{id}"}),
    ],
)
def test_a_foreign_partnership_is_refused_in_the_words_of_one_that_is_not_there(
    world: World, path: str, query: dict[str, str]
) -> None:
    def told(name: str) -> str:
        given = {key: each.format(id=name) for key, each in query.items()}
        found = world.get(world.key().key, path.format(id=name), **given)
        refused(found, 403, "not-your-partnership")
        return str(found.text).replace(name, "")

    assert told(THEIRS) == told("nowhere-nobody")


def test_nobody_asks_as_another_party(world: World) -> None:
    path = f"/v1/partnerships/{OURS}"

    refused(world.get(world.key().key, path, party="brightpath"), 403, "not-your-party")
    assert world.get(world.key().key, path).json()["as_of"]["party"] == "growthos"
    assert world.get(world.key().key, path, party="growthos").status_code == 200
    # Not even the operator: it would see what the party keeps to itself.
    operator = world.key(Role.OPERATOR).key
    refused(world.get(operator, path, party="growthos"), 403, "not-your-party")


def test_a_cursor_of_another_viewer_opens_nothing(world: World) -> None:
    theirs = [beginning(f"initech-{number}", party="initech") for number in "ab"]
    world.accord.service.handle(theirs)
    world.accord.catch_up()
    page = world.get(world.key(Role.OPERATOR).key, "/v1/partnerships", limit="1").json()

    assert page["next"]
    assert world.get(world.key().key, "/v1/partnerships", after=page["next"]).status_code == 404


def test_the_operators_key_shows_what_was_refused_and_not_what_it_says(world: World) -> None:
    private = "We sell to nobody else."
    event = orjson.loads(candidate("x")) | {"type": "accord.DeclareBestAlternative"}
    sent = event | {"data": {"statement": private, private: private}}
    world.post(world.key().key, orjson.dumps(sent))

    found = world.get(world.key(Role.OPERATOR).key, "/v1/refusals")

    (shown,) = found.json()["items"]
    assert (shown["rule"], shown["type"]) == ("unknown-field", "accord.DeclareBestAlternative")
    assert (shown["message"], shown["hint"], shown["pointer"]) == (None, None, None)
    assert private not in found.text
    assert private in world.get(world.key().key, "/v1/refusals").text


def test_a_party_sees_its_own_refused_inputs_alone(world: World) -> None:
    unreadable = {"time": "today"}
    world.accord.service.handle(
        [
            orjson.dumps(orjson.loads(each) | unreadable)
            for each in (candidate("x"), candidate("y", subject=THEIRS, party="initech"))
        ]
    )

    mine = world.get(world.key().key, "/v1/refusals").json()["items"]
    all_ = world.get(world.key(Role.OPERATOR).key, "/v1/refusals").json()["items"]

    assert [each["subject"] for each in mine] == [OURS]
    assert [each["subject"] for each in all_] == [OURS, THEIRS]


@pytest.mark.parametrize("path", ["/v1/events", "/v1/validate"])
def test_an_outsider_learns_of_no_event_whether_a_partnership_exists(
    world: World, path: str
) -> None:
    key = world.key().key

    def told(command: Command, subject: str) -> str:
        sent = message("try", command, subject=subject, at="2026-01-12")
        return str(world.post(key, sent, path).text).replace(subject, "")

    for kind, step in EXAMPLES.items():
        if issubclass(kind, BEGINNINGS):
            assert "initech" not in told(step.command, THEIRS)
            assert 'name-taken"' in told(step.command, THEIRS)
        elif kind is not PassTime:
            assert told(step.command, THEIRS) == told(step.command, "nowhere-nobody")
            assert 'not-your-partnership"' in told(step.command, THEIRS)


def test_an_outsider_is_not_told_that_a_partnership_is_damaged(world: World) -> None:
    damage = "UPDATE events SET body = x'7b' WHERE partnership = ? AND idx = 0"
    with closing(sqlite3.connect(world.store.removeprefix("sqlite:///"))) as file, file:
        assert file.execute(damage, [THEIRS]).rowcount == 1

    found = world.post(world.key().key, candidate("x", subject=THEIRS), "/v1/validate")

    (told,) = found.json()["items"]
    assert told["rule"] == "not-your-partnership"
    assert "read" not in told["detail"]


def test_nobody_learns_whose_a_program_is(world: World) -> None:
    command = EXAMPLES[DefinePortfolio].command
    world.accord.service.handle([message("theirs", command, party="initech", subject="limits")])

    told = refused(
        world.post(world.key().key, message("ours", command, subject="limits")), 422, "name-taken"
    )

    assert "initech" not in f"{told['detail']} {told['hint']}"


def test_an_outsider_learns_nothing_from_a_retry_of_the_operator(world: World) -> None:
    key, operator = world.key().key, world.key(Role.OPERATOR).key
    for subject in (THEIRS, "nowhere-nobody"):
        world.post(key, candidate("x", subject=subject, id=subject))

    world.post(operator, b"", "/v1/refusals/retry")

    rules = [each["rule"] for each in world.get(key, "/v1/refusals").json()["items"]]
    assert rules == ["not-your-partnership"] * 2


def test_a_party_of_the_partnership_is_told_that_it_began_already(world: World) -> None:
    again = beginning(OURS, id="again", data={"party_name": "Acme", "purpose": "Another."})

    refused(world.post(world.key().key, again), 422, "partnership-exists")


# --- keys that are none ------------------------------------------------------------------------


def challenge(found: Response) -> str:
    assert found.status_code == 401
    assert found.headers["content-type"] == "application/problem+json"
    return str(found.headers["www-authenticate"])


def test_a_guesser_has_to_wait_and_a_valid_key_from_the_same_address_does_not(
    world: World,
) -> None:
    made = world.key()
    assert world.get(made.key, "/v1/partnerships").status_code == 200
    guess = made.credential.prefix + "A" * 43

    statuses = [world.get(guess, "/v1/partnerships").status_code for _ in range(MOST + 2)]

    assert statuses == [401] * MOST + [429] * 2
    found = world.get(guess, "/v1/partnerships")
    assert 0 < int(found.headers["retry-after"]) <= WINDOW
    assert world.get(made.key, "/v1/partnerships").status_code == 200


def test_without_a_key_the_challenge_names_the_scheme_alone(world: World) -> None:
    assert challenge(world.get(None, "/v1/partnerships")) == 'Bearer realm="accord"'


@pytest.mark.parametrize("given", ["Basic YWRtaW46YWRtaW4=", "accord_1_2", ""])
def test_another_scheme_is_no_key(world: World, given: str) -> None:
    found = world.client.get("/v1/partnerships", headers={"Authorization": given})

    assert challenge(found) == 'Bearer realm="accord"'


@pytest.mark.parametrize("guess", ["", "x", "accord_000000000000_" + "A" * 43])
def test_a_guessed_key_is_an_invalid_token(world: World, guess: str) -> None:
    assert 'error="invalid_token"' in challenge(world.get(guess, "/v1/partnerships"))


def test_the_secret_of_another_key_is_an_invalid_token(world: World) -> None:
    mine, other = world.key(), world.key(party="initech")
    mixed = mine.credential.prefix + other.key.removeprefix(other.credential.prefix)

    assert 'error="invalid_token"' in challenge(world.get(mixed, "/v1/partnerships"))


def test_two_keys_are_a_wrong_request(world: World) -> None:
    twice = [("Authorization", f"Bearer {world.key().key}") for _ in range(2)]

    found = world.client.get("/v1/partnerships", headers=twice)

    assert found.status_code == 400
    assert 'error="invalid_request"' in found.headers["www-authenticate"]


def test_an_expired_key_is_an_invalid_token(world: World) -> None:
    key = world.key(expires_at=datetime.now(UTC) - timedelta(seconds=1)).key

    assert "expired at" in challenge(world.get(key, "/v1/partnerships"))


def test_a_key_that_another_process_revokes_is_refused_within_a_second(world: World) -> None:
    made = world.key()
    assert world.get(made.key, "/v1/partnerships").status_code == 200

    revoke = ["keys", "revoke", made.credential.id, "--store", world.store]
    subprocess.run([*PROGRAM, *revoke], check=True, capture_output=True)

    assert "is revoked" in challenge(world.get(made.key, "/v1/partnerships"))


def test_a_stream_ends_when_its_key_is_revoked(world: World) -> None:
    made, ended = world.key(), []

    def follow() -> None:
        found = world.get(made.key, STREAM)
        ended.append(found.status_code)

    reader = Thread(target=follow)
    reader.start()
    reader.join(0.5)
    assert reader.is_alive()

    credentials.revoke(world.accord.history.credentials, made.credential.id, datetime.now(UTC))
    reader.join(5)

    assert ended == [200]


def test_a_stream_of_an_open_server_ends_with_the_first_key(anyones: World) -> None:
    reader = Thread(target=lambda: anyones.client.get(STREAM))
    reader.start()
    reader.join(0.5)
    assert reader.is_alive()

    anyones.key()
    reader.join(5)

    assert not reader.is_alive()


def test_an_auditor_of_a_partnership_that_does_not_exist_learns_of_no_other(world: World) -> None:
    made = world.key(Role.AUDITOR, partnerships={"growthos-brightpaht"})

    found = world.get(made.key, "/v1/partnerships/growthos-brightpaht")

    assert found.status_code == 403
    assert OURS not in found.text


def test_a_refusal_is_dismissed_in_the_name_of_the_key(world: World) -> None:
    world.accord.service.handle([b"{}"])
    made = world.key(Role.OPERATOR)

    answer = world.post(
        made.key, b'{"by":"petra"}', "/v1/refusals/dismiss", media_type="application/json"
    )

    assert answer.status_code == 200
    (refusal,) = world.accord.history.refusals(None)
    assert refusal.dismissed_by == "maya"


def test_the_body_is_not_read_before_the_key(world: World) -> None:
    found = world.client.post("/v1/refusals/dismiss", content=b"{no json")

    assert found.status_code == 401


# --- the operator's keys -----------------------------------------------------------------------


def test_the_operator_makes_lists_rotates_and_revokes_keys(world: World) -> None:
    operator = bearer(world.key(Role.OPERATOR).key)
    grant = {"role": "party", "party": "growthos", "actor": "maya", "partnerships": [OURS]}

    made = world.client.post("/v1/keys", json=grant, headers=operator)
    name, key = made.json()["about"]["id"], made.json()["key"]
    rotated = world.client.post(f"/v1/keys/{name}/rotate", json={}, headers=operator).json()

    assert (made.status_code, made.headers["cache-control"]) == (200, "private, no-store")
    assert rotated["replaces"]["replaced_by"] == rotated["about"]["id"]
    for each in (key, rotated["key"]):
        assert world.get(each, f"/v1/partnerships/{OURS}").status_code == 200
    world.client.delete(f"/v1/keys/{name}", headers=operator)
    assert world.get(key, f"/v1/partnerships/{OURS}").status_code == 401
    listed = world.client.get("/v1/keys", headers=operator)
    assert [each["id"] for each in listed.json()["items"]][1:] == [name, rotated["about"]["id"]]
    assert key.rpartition("_")[2] not in listed.text


@pytest.mark.parametrize(
    ("grant", "rule"),
    [
        ({"role": "party", "actor": "maya"}, "key-party"),
        ({"role": "party", "actor": "maya", "party": "accord"}, "key-party"),
        ({"role": "anyone", "actor": "maya"}, "key-of-anyone"),
        ({"role": "operator", "actor": "maya", "scopes": ["emit"]}, "key-scope"),
    ],
)
def test_a_key_beyond_its_role_is_not_made(world: World, grant: object, rule: str) -> None:
    operator = bearer(world.key(Role.OPERATOR).key)

    refused(world.client.post("/v1/keys", json=grant, headers=operator), 422, rule)


AUDIT = {"role": "auditor", "actor": "x"}
PARTY = {"role": "party", "party": "growthos", "actor": "x"}


@pytest.mark.parametrize(
    ("limits", "path", "body"),
    [
        ({"partnerships": {OURS}}, "/v1/keys", {"role": "operator", "actor": "x"}),
        ({"partnerships": {OURS}}, "/v1/keys", PARTY),
        ({"partnerships": {OURS}}, "/v1/keys", AUDIT | {"partnerships": [OURS, THEIRS]}),
        ({"partnerships": {OURS}}, "/v1/keys", PARTY | {"partnerships": [OURS]}),
        ({"partnerships": {OURS}}, "/v1/invitations", {"party": "northwind"}),
        ({}, "/v1/keys", AUDIT | {"partnerships": [OURS], "candidates": True}),
        ({"scopes": {Scope.OPERATE}}, "/v1/keys", {"role": "operator", "actor": "x"}),
        ({"scopes": {Scope.OPERATE}}, "/v1/keys", AUDIT | {"partnerships": [OURS]}),
        ({"scopes": {Scope.OPERATE}}, "/v1/keys", PARTY),
        ({"scopes": {Scope.OPERATE}}, "/v1/invitations", {"party": "northwind"}),
        ({"expires_at": ENDS}, "/v1/keys", {"role": "operator", "actor": "x"}),
        (
            {"expires_at": ENDS},
            "/v1/invitations",
            {"party": "northwind", "expires_at": instant(ENDS + timedelta(seconds=1))},
        ),
        (
            {"expires_at": ENDS},
            "/v1/keys",
            AUDIT | {"partnerships": [OURS], "expires_at": instant(ENDS + timedelta(seconds=1))},
        ),
    ],
)
def test_a_key_grants_no_more_than_its_maker_has(
    world: World, limits: dict[str, Any], path: str, body: object
) -> None:
    operator = bearer(world.key(Role.OPERATOR, **limits).key)
    before = len(credentials.listed(world.accord.history.credentials))

    refused(world.client.post(path, json=body, headers=operator), 422, "beyond-maker")

    assert len(credentials.listed(world.accord.history.credentials)) == before


@pytest.mark.parametrize("asked", [{}, {"expires_at": instant(ENDS)}], ids=["usual", "own end"])
def test_an_operator_whose_key_ends_invites_until_then(world: World, asked: dict[str, str]) -> None:
    operator = world.key(Role.OPERATOR, expires_at=ENDS).key
    body = {"party": "northwind"} | asked

    made = world.client.post("/v1/invitations", json=body, headers=bearer(operator))

    assert made.status_code == 200
    assert made.json()["about"]["expires_at"] == instant(ENDS)


def test_a_limited_operator_makes_a_key_within_its_limits(world: World) -> None:
    operator = world.key(Role.OPERATOR, partnerships={OURS}, expires_at=ENDS).key
    asked = AUDIT | {"partnerships": [OURS], "expires_at": instant(ENDS)}

    key = world.client.post("/v1/keys", json=asked, headers=bearer(operator)).json()["key"]

    assert world.get(key, f"/v1/partnerships/{OURS}").status_code == 200
    assert world.get(key, f"/v1/partnerships/{THEIRS}").status_code == 403


def test_a_rotated_key_lasts_as_long_as_the_old_one_and_never_longer_than_who_rotates_it(
    world: World,
) -> None:
    now, keys = datetime.now(UTC), world.accord.history.credentials
    grant = Grant(role=Role.OPERATIONS, actor="pager")
    made, ends = now - timedelta(minutes=50), now + timedelta(minutes=40)
    old = credentials.create(keys, grant, made, ends).credential
    brief = credentials.create(
        keys, Grant(role=Role.OPERATOR, actor="olga"), now, now + timedelta(hours=1)
    ).key

    def rotated(key: str) -> Response:
        found: Response = world.client.post(
            f"/v1/keys/{old.id}/rotate", json={}, headers=bearer(key)
        )
        return found

    refused(rotated(brief), 422, "beyond-maker")
    lasting = rotated(world.key(Role.OPERATOR).key).json()["about"]

    lasts = datetime.fromisoformat(lasting["expires_at"]) - now
    assert timedelta(minutes=90) <= lasts < timedelta(minutes=92)


def test_a_limited_operator_gets_no_secret_of_a_greater_key_by_rotating_it(world: World) -> None:
    operator = bearer(world.key(Role.OPERATOR, partnerships={OURS}).key)
    greater = world.key(Role.OPERATOR).credential.id

    rotated = world.client.post(f"/v1/keys/{greater}/rotate", json={}, headers=operator)

    assert rotated.status_code == 404


def test_a_limited_operator_neither_lists_nor_revokes_keys_beyond_its_partnerships(
    world: World,
) -> None:
    limited = world.key(Role.OPERATOR, partnerships={OURS})
    within = world.key(Role.AUDITOR, partnerships={OURS}).credential.id
    beyond = [
        world.key(Role.OPERATOR).credential.id,
        world.key().credential.id,
        world.key(Role.AUDITOR, partnerships={OURS, THEIRS}).credential.id,
    ]

    listed = world.get(limited.key, "/v1/keys").json()["items"]
    revoked = [
        world.client.delete(f"/v1/keys/{each}", headers=bearer(limited.key))
        for each in ("000000000000", *beyond)
    ]

    assert [each["id"] for each in listed] == [limited.credential.id, within]
    assert {each.status_code for each in revoked} == {404}
    assert {
        each.json()["detail"].replace(name, "")
        for each, name in zip(revoked, ("000000000000", *beyond), strict=True)
    } == {"There is no API key ."}
    keys = world.accord.history.credentials
    assert all(credentials.known(keys, each).revoked_at is None for each in beyond)
    mine = world.client.delete(f"/v1/keys/{within}", headers=bearer(limited.key))
    assert mine.status_code == 200


@pytest.mark.parametrize("role", [Role.PARTY, Role.SERVICE, Role.AUDITOR, Role.OPERATIONS])
def test_whoever_has_a_key_can_revoke_it_and_no_other(world: World, role: Role) -> None:
    limits = {"partnerships": {OURS}} if role is Role.AUDITOR else {}
    stolen, other = world.key(role, **limits), world.key(role, **limits)

    foreign = world.client.delete(f"/v1/keys/{other.credential.id}", headers=bearer(stolen.key))
    own = world.client.delete(f"/v1/keys/{stolen.credential.id}", headers=bearer(stolen.key))

    refused(foreign, 403, "not-in-scope")
    assert own.status_code == 200
    assert "is revoked" in challenge(world.get(stolen.key, "/v1/metrics"))
    assert world.get(other.key, "/v1/metrics").status_code == 200


def test_an_unknown_key_is_neither_rotated_nor_revoked(world: World) -> None:
    operator = bearer(world.key(Role.OPERATOR).key)

    rotated = world.client.post("/v1/keys/000000000000/rotate", json={}, headers=operator)
    revoked = world.client.delete("/v1/keys/000000000000", headers=operator)

    assert (rotated.status_code, revoked.status_code) == (404, 404)


def test_no_other_role_makes_a_key(world: World) -> None:
    for role in (Role.PARTY, Role.SERVICE, Role.OPERATIONS):
        found = world.client.post(
            "/v1/keys", json={"role": "operator", "actor": "x"}, headers=bearer(world.key(role).key)
        )
        refused(found, 403, "not-in-scope")


def test_an_open_server_makes_no_key(anyones: World) -> None:
    found = anyones.client.post("/v1/keys", json={"role": "operator", "actor": "x"})

    assert found.status_code == 403
    assert not anyones.accord.history.credentials.exist()


# --- routes and servers ------------------------------------------------------------------------


def test_an_application_with_an_unguarded_route_does_not_start() -> None:
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    router = APIRouter()
    router.get("/all")(lambda: "")
    app.include_router(router)

    with pytest.raises(TypeError, match="does not say what it needs"):
        needs_of(app)


def test_a_route_that_does_not_say_what_it_needs_is_not_made() -> None:
    router = APIRouter(route_class=GuardedRoute)

    with pytest.raises(AttributeError):
        router.get("/all")(lambda: "")
    router.get("/all")(needs(Need.OPERATE)(lambda: ""))


@pytest.mark.parametrize(
    ("host", "is_open", "has_keys", "hint"),
    [
        ("0.0.0.0", True, False, "Leave --host out"),  # noqa: S104 - refused
        ("accord.example", True, False, "Leave --host out"),
        ("127.0.0.1", True, True, "Leave --open out"),
        ("127.0.0.1", False, False, "accord keys create"),
    ],
)
def test_a_store_is_open_only_to_this_machine_and_only_without_keys(
    host: str,
    is_open: bool,  # noqa: FBT001 - a case's
    has_keys: bool,  # noqa: FBT001 - as above
    hint: str,
) -> None:
    with pytest.raises(WrongSetting, match=hint):
        check_open(host, is_open=is_open, has_keys=has_keys)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1"])
def test_an_open_store_is_served_on_every_name_of_this_machine(host: str) -> None:
    check_open(host, is_open=True, has_keys=False)
    check_open("0.0.0.0", is_open=False, has_keys=True)  # noqa: S104 - with keys


def test_the_first_key_closes_an_open_server(anyones: World) -> None:
    assert anyones.client.get("/v1/partnerships").status_code == 200
    anyones.key()

    found = anyones.client.get("/v1/partnerships")
    assert found.status_code == 401
    assert "accord-open" not in found.headers
    assert "accord-open" not in anyones.client.get("/healthz").headers


def test_the_document_says_which_routes_need_a_key(world: World) -> None:
    paths = world.client.get("/openapi.json").json()["paths"]

    needing = {path for path, of in paths.items() if all("security" in x for x in of.values())}
    assert needing == set(paths) - {"/healthz", "/readyz"}
    for path in needing:
        assert all({"401", "403"} <= each["responses"].keys() for each in paths[path].values())


def test_an_open_server_says_so_in_every_answer_and_on_every_page(world: World) -> None:
    served: Any = world.client.app
    app = create_app(world.accord, served.state.served.workers, is_open=True)
    with TestClient(app) as client:
        found = [client.get(path) for path in ("/healthz", "/v1/partnerships", "/nowhere")]
        pages = [client.get(path) for path in ("/portfolio", "/alerts", f"/partnerships/{OURS}")]
        document = client.get("/openapi.json").json()

    assert [each.headers["accord-open"] for each in found + pages] == ["true"] * 6
    assert ["This server is open" in each.text for each in pages] == [True] * 3
    assert "This server is open" in document["info"]["description"]
    assert "accord-open" not in world.get(world.key().key, "/v1/partnerships").headers


def correction(**more: str) -> bytes:
    """Return a message that waits until the figure that it corrects is reported."""
    return message("correction", example(CorrectMetric), subject=more.pop("subject", OURS), **more)


def report(**more: str) -> bytes:
    """Return a message that reports that figure."""
    corrected = example(CorrectMetric)
    named = {name: getattr(corrected, name) for name in FigureRef.model_fields}
    figure = ReportMetric(**named, figure=corrected.figure)
    return message("report", figure, subject=more.pop("subject", OURS), **more)


def test_what_waits_of_a_party_is_refused_once_a_key_of_it_is_revoked(world: World) -> None:
    stolen, own, other = world.key(), world.key(), world.key(party="initech").key
    of_other = {"party": "initech", "subject": THEIRS}
    sent = [world.post(stolen.key, correction()), world.post(other, correction(**of_other))]
    assert [each.status_code for each in sent] == [202, 202]

    operator = bearer(world.key(Role.OPERATOR).key)
    told = world.client.delete(f"/v1/keys/{stolen.credential.id}", headers=operator)
    world.post(own.key, report())
    world.post(other, report(**of_other))

    assert told.json()["refused"] == 1
    (kept,) = world.get(own.key, "/v1/refusals").json()["items"]
    assert kept["rule"] == "key-revoked"
    assert corrected_in(world) == {THEIRS}
    assert world.post(own.key, correction()).json()["status"] == "accepted"
    assert world.get(own.key, "/v1/refusals").json()["items"] == []


def test_so_it_is_at_the_command_line_unless_the_key_did_not_send_there(world: World) -> None:
    invited = invitations.invite(
        world.accord.history.credentials, "hooli", "olga", datetime.now(UTC)
    )
    limited, whole = world.key(partnerships=frozenset({"another"})), world.key()
    world.post(whole.key, correction())

    def revoke(id: str) -> int:
        line = ["keys", "revoke", id, "--store", world.store, "--json"]
        ran = CliRunner().invoke(command_line, line)
        assert ran.exit_code == 0, ran.output
        found: int = orjson.loads(ran.stdout)["refused"]
        return found

    assert [revoke(each.credential.id) for each in (invited, limited, whole)] == [0, 0, 1]
    (kept,) = world.accord.history.refusals("open", 0, 10)
    assert kept.rule == "key-revoked"
    [again] = world.accord.service.retry([kept])
    assert again.status == "waiting"


def corrected_in(world: World) -> set[str]:
    """Return the partnerships in which a figure was corrected."""
    events = world.accord.history.after(-1, 100)
    return {each.partnership for each in events if isinstance(each.event, MetricCorrected)}
