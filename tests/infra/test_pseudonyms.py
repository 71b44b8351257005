"""People are in the history by commitment, and once erased their names are nowhere."""

# The statements that look through a store are this file's own.

import json
import sqlite3
from base64 import b64encode
from collections.abc import Iterable
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any
from unicodedata import normalize

import orjson
import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.aggregates import command_types
from domain.execution import HoldKickoff
from domain.governance import ContactAssigned
from domain.kernel import Event, Refused, Value
from domain.markets import AssignRole
from domain.people import COMMITMENT, ErasePerson, Person, PersonErased
from domain.recorded import Recorded
from domain.reported_figure import CorrectMetric, ReportMetric
from domain.values import personal
from domain.viewing import FullViewTaken
from infra.access import credentials
from infra.access.credentials import Grant, Unauthenticated
from infra.access.invitations import invite
from infra.access.roles import Role
from infra.answers import history, show
from infra.answers.logs import NotFound
from infra.answers.personal_data import of_person
from infra.answers.refusals import chosen
from infra.bootstrap import Accord, bootstrap, init
from infra.cli.erase import people
from infra.deciding.batch import Outcome
from infra.deciding.pseudonyms import (
    COMMAND,
    ERASING,
    by_chance,
    commit,
    derived,
    names,
)
from infra.deciding.service import Service
from infra.projecting.rebuild import rebuild
from infra.settings import Settings
from infra.store.alert_acts import ERASED
from infra.store.history import Kept, Refusal, Writes
from infra.tlog.codec import canonical
from projections import PROJECTIONS
from projections.alert_acts import AlertAct, AlertActKind
from tests.feeds import played, simulated
from tests.infra.messages import attributes, beginning, from_steps, message
from tests.infra.told import Told
from tests.journeys.production import answers as answers_of
from tests.life import LIFE, OURS, THEIRS, example

NAME = "growthos-brightpath"
CARMEN = "Carmen Fuentes-Ñíguez"
DORA = "Dorothea Quist"
WORDS = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), min_size=1)


@pytest.fixture
def settings(address: str) -> Settings:
    """An ordinary store, in each of the engines."""
    settings = Settings(store=address)
    init(settings)
    return settings


def one(accord: Accord, raw: bytes) -> Outcome:
    (outcome,) = accord.service.handle([raw])
    return outcome


def role(name: str, id: str, **more: Any) -> bytes:  # noqa: ANN401 - any attribute
    return message(id, example(AssignRole, name=name), **more)


def actors(accord: Accord, partnership: str = NAME) -> list[str]:
    return [each.act.actor for each in accord.history.of(partnership)]


def last(accord: Accord, partnership: str = NAME) -> dict[str, Any]:
    *_, body = accord.history.bodies(partnership)
    found: dict[str, Any] = orjson.loads(body)
    return found


# --- which fields name people ------------------------------------------------------------------

PERSONAL = {
    "AssignContact": ("name",),
    "AssignRole": ("name",),
    "AssignSponsor": ("name",),
    "ComplianceAudited": ("auditor",),
    "ContactAssigned": ("name",),
    "ErasePerson": ("person",),
    "HoldKickoff": ("attendees",),
    "KickoffHeld": ("attendees",),
    "LocalFeedbackRecorded": ("given_by",),
    "ManagerRotated": ("former", "successor"),
    "MediationStarted": ("mediator",),
    "MetricOwnerAssigned": ("owner",),
    "MetricOwnerProposed": ("owner",),
    "PersonErased": ("person",),
    "ProposeMetricOwner": ("owner",),
    "RecordAudit": ("auditor",),
    "RecordLocalFeedback": ("given_by",),
    "RoleAssigned": ("name",),
    "RotateManager": ("former", "successor"),
    "SponsorAssigned": ("name",),
    "StartMediation": ("mediator",),
}


def test_the_fields_that_name_people_are_these() -> None:
    known: dict[str, type[Value]] = {**Event.registry, **command_types()}
    found = {name: personal(model) for name, model in sorted(known.items())}
    assert {name: fields for name, fields in found.items() if fields} == PERSONAL


def test_a_whole_life_names_nobody_outside_of_the_fields_that_say_so(tmp_path: Path) -> None:
    with simulated(tmp_path) as accord:
        accord.service.handle(from_steps(LIFE))
        known = names(accord.history, NAME)
        for recorded, body in zip(
            accord.history.of(NAME), accord.history.bodies(NAME), strict=True
        ):
            told = orjson.loads(body)
            fields = personal(type(recorded.event))
            rest = {key: each for key, each in told["data"].items() if key not in fields}
            assert not COMMITMENT.search(orjson.dumps(rest).decode())
            assert told["actor"] in known or told["party"] == "accord"

    assert {"growthos-manager", "Ada", "Boris", "Bella", "The chamber"} <= set(known.values())


def test_an_alert_names_people_only_as_those_who_act(tmp_path: Path) -> None:
    with played(tmp_path) as accord:
        accord.service.handle(from_steps(LIFE))
        accord.runner.catch_up()
        said = [orjson.loads(each) for each in answers_of(accord)["said"].values()]

    people = {
        each["person"] for alert in said for each in alert.pop("who_acts", ()) if each.get("person")
    }
    assert people
    assert all(COMMITMENT.fullmatch(each) for each in people)
    assert not COMMITMENT.search(orjson.dumps(said).decode())


# --- commitments -------------------------------------------------------------------------------


@given(WORDS, st.binary(min_size=32, max_size=32))
def test_a_commitment_is_the_hash_that_the_format_says(name: str, salt: bytes) -> None:
    kept = commit("acme-north", Person("acme", name), salt)
    encoded = b64encode(salt).decode()
    said = f"accord/person@v1\nacme-north\nacme\n{encoded}\n{name}".encode()

    assert kept.key == "person:" + sha256(said).hexdigest()
    assert orjson.loads(kept.body) == {"name": name, "party": "acme", "salt": encoded}
    assert len(kept.key) == len("person:") + 64
    assert set(name) <= set("person:0123456789abcdef") or name not in kept.key


@given(WORDS, WORDS, st.binary(min_size=32, max_size=32), st.binary(min_size=32, max_size=32))
def test_only_its_own_salt_party_and_name_give_a_commitment(
    name: str, other: str, salt: bytes, another: bytes
) -> None:
    person = Person("acme", name)
    kept = commit("acme-north", person, salt)
    renamed = commit("acme-north", Person("acme", other), salt)
    assert (renamed.key == kept.key) is (other == name)
    assert (commit("acme-north", person, another).key == kept.key) is (another == salt)
    assert commit("acme-north", Person("north", name), salt).key != kept.key
    assert commit("globex", person, salt).key != kept.key


def test_salts_are_of_chance_but_in_a_simulated_store_follow_from_the_name() -> None:
    ada = Person("acme", "Ada")
    assert by_chance("acme-north", ada, 0) != by_chance("acme-north", ada, 0)
    assert derived("acme-north", ada, 0) == derived("acme-north", ada, 0)
    others = ("acme-north", ada, 1), ("b", ada, 0), ("acme-north", Person("north", "Ada"), 0)
    assert len({derived(*each) for each in (("acme-north", ada, 0), *others)}) == 4


# --- at the door -------------------------------------------------------------------------------


def test_a_name_has_one_commitment_in_a_partnership_and_another_elsewhere(
    accord: Accord, settings: Settings, clock: Told
) -> None:
    raws = [beginning(actor="Ada"), role("Ada", "1"), beginning("another", actor="Ada")]
    accord.service.handle(raws)
    with bootstrap(settings, clock) as later:
        one(later, role("Bo", "2", actor="Ada"))

    (begun, _, assigned) = actors(accord)
    (elsewhere,) = actors(accord, "another")
    assert begun == assigned != elsewhere
    assert names(accord.history, NAME)[begun] == "Ada"
    assert sorted(names(accord.history, NAME).values()) == ["Ada", "Bo", "growthos-manager"]


def test_what_is_refused_or_decides_nothing_keeps_no_name(accord: Accord) -> None:
    one(accord, beginning())
    kickoff = HoldKickoff(attendees=["Ada"])
    outcomes = [
        one(accord, message("too-early", kickoff, actor="Zoe")),
        one(accord, beginning(id="again", actor="Zoe")),
    ]

    assert [(each.status, each.count) for each in outcomes] == [("refused", 0), ("accepted", 0)]
    assert list(names(accord.history, NAME).values()) == ["growthos-manager"]


def test_nobody_is_named_by_a_commitment(accord: Accord) -> None:
    """Both parties read the commitments of all people, also of those who are erased."""
    accord.service.handle([beginning(actor="Ada"), role("Bo", "1", actor="Ada")])
    (ada, _) = actors(accord)
    erased = last(accord)["data"]["name"]
    erase(accord, "Bo")

    for number, commitment in enumerate((ada, erased)):
        as_actor = role("Cy", f"actor-{number}", actor=commitment)
        as_name = role(commitment, f"name-{number}", actor="Ada")
        assert one(accord, as_actor).rule == "reserved-actor"
        assert one(accord, as_name).rule == "commitment-for-name"
    with pytest.raises(Refused, match="Only Accord acts"):
        credentials.checked(Grant(role=Role.PARTY, party=OURS, actor=ada))


def test_a_name_that_two_parties_send_is_of_two_people(told: Accord) -> None:
    of_ours, of_theirs = (people(told, NAME, CARMEN, party) for party in (OURS, THEIRS))

    assert len(of_ours) == len(of_theirs) == 1
    assert of_ours != of_theirs
    assert {*of_ours, *of_theirs} == {*people(told, NAME, CARMEN)}


def test_a_name_that_the_other_party_uses_erases_nothing_of_its_owner(told: Accord) -> None:
    """The attacker sends the names of the other side, and of what its messages say."""
    names_sent = (CARMEN, "waits", "2025-12")
    told.service.handle(
        [
            message("theirs", example(CorrectMetric, period="2025-12"), actor=CARMEN, party=THEIRS),
            *(role(each, f"grab-{each}") for each in names_sent),
        ]
    )
    key = Grant(role=Role.PARTY, party=THEIRS, actor=CARMEN)
    theirs = credentials.create(told.history.credentials, key, datetime(2026, 2, 1, tzinfo=UTC))
    waiting = [each for each in told.history.waiting([NAME]) if each.party == THEIRS]
    (refused, *_) = refusals_of(told, THEIRS)

    for name in names_sent:
        (person,) = people(told, NAME, name, OURS)
        asked = ErasePerson(person=person, reason="They asked for it.")
        assert one(told, message(f"erase-{name}", asked)).status == "accepted"

    assert OF_CARMEN in told.history.kept(COMMAND, NAME)
    assert names(told.history, NAME)[people(told, NAME, CARMEN, THEIRS)[0]] == CARMEN
    assert credentials.known(told.history.credentials, theirs.credential.id).revoked_at is None
    assert waiting
    assert [each for each in told.history.waiting([NAME]) if each.party == THEIRS] == waiting
    assert refusals_of(told, THEIRS)[0] == refused


def test_each_party_erases_the_names_that_an_adoption_gives_it(tmp_path: Path) -> None:
    """The proposal names Jonah of the other party, which hands over from him later."""
    name, feed = "growthos-harbourlight", Path("examples/5-adopted-partner.jsonl")
    with simulated(tmp_path) as accord:
        sent = [each for each in feed.read_bytes().splitlines() if name.encode() in each]
        accord.service.handle(sent[:6])
        contacts = [
            (each.act.party, each.event.name)
            for each in accord.history.of(name)
            if isinstance(each.event, ContactAssigned)
        ]
        jonah = {
            party: people(accord, name, "Jonah Reed", party)
            for party in ("growthos", "harbourlight")
        }
        assert jonah["growthos"] != jonah["harbourlight"]
        (own,) = jonah["harbourlight"]
        assert [party for party, person in contacts if person == own] == ["harbourlight"]

        asked = ErasePerson(person=jonah["growthos"][0], reason="He asked for it.")
        raw = message(
            "erase", asked, subject=name, party="growthos", at="2026-07-09", actor="maya.ortiz"
        )
        assert one(accord, raw).status == "accepted"

        assert jonah["growthos"][0] not in names(accord.history, name)
        assert own in names(accord.history, name)


def refusals_of(accord: Accord, party: str) -> list[Refusal]:
    return [each for each in accord.history.refusals(state=None) if each.party == party]


def test_two_writers_who_meet_a_person_at_once_give_one_commitment(
    accord: Accord, clock: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock.now = datetime(2026, 2, 1, tzinfo=UTC)
    accord.service.handle(from_steps(step for step in LIFE if step.at < "2026-01-08"))
    history, sound = accord.history, accord.history.append
    other = Service(history, clock, simulated=False, salts=by_chance)
    # Each writes to a stream of its own, so that nothing else keeps them apart.
    here, there = (
        message(period, example(ReportMetric, period=period), actor="Ada", at="2026-01-31")
        for period in ("2025-11", "2025-12")
    )

    def raced(*args: Any) -> list[Recorded]:  # noqa: ANN401 - as `append`
        monkeypatch.setattr(history, "append", sound)
        assert other.handle([there])[0].status == "accepted"
        return sound(*args)

    monkeypatch.setattr(history, "append", raced)
    assert one(accord, here).status == "accepted"

    assert list(names(history, NAME).values()).count("Ada") == 1
    assert len(set(actors(accord)[-2:])) == 1


# --- erasure -----------------------------------------------------------------------------------

SECRETS = ("Carmen Fuentes", "Dorothea Quist")
"""What names two people that nobody else is named by."""


def rows(settings: Settings) -> dict[str, bytes]:
    """Return all that each table of a store has."""
    if settings.in_postgres:
        with psycopg.connect(settings.store) as client:
            tables = client.execute(
                """SELECT format('%I.%I', schemaname, tablename) FROM pg_tables
                WHERE schemaname IN ('history', 'views', 'public', 'access')"""
            ).fetchall()
            return {table: dumped(client.execute(f"SELECT * FROM {table}")) for (table,) in tables}
    with closing(sqlite3.connect(settings.path)) as client:
        tables = client.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        return {table: dumped(client.execute(f"SELECT * FROM {table}")) for (table,) in tables}


def dumped(found: Iterable[Iterable[object]]) -> bytes:
    return b"\n".join(
        bytes(value) if isinstance(value, bytes) else str(value).encode()
        for row in found
        for value in row
    )


def holding(settings: Settings) -> set[str]:
    """Return the tables that have one of the secrets, in plain or as a signed command wraps it."""
    wrapped = [
        b64encode(b"xx"[:shift] + each.encode())[4:-4] for each in SECRETS for shift in range(3)
    ]
    plain = [each.encode() for each in SECRETS]
    return {
        table for table, body in rows(settings).items() if any(x in body for x in plain + wrapped)
    }


def files(settings: Settings) -> bytes:
    """Return the bytes of a SQLite store's files."""
    return b"".join(path.read_bytes() for path in settings.path.parent.glob("*.db*"))


OF_CARMEN, OF_BO = "c" * 64, "b" * 64
"""The digests of what Carmen and Bo signed."""


def signed(name: str) -> bytes:
    """Return what is kept of a signed command by this actor."""
    payload = canonical({"event": {"actor": name, "data": {}}, "nonce": "12345678"})
    return canonical({"payload": b64encode(payload).decode(), "payloadType": "x", "signatures": []})


@pytest.fixture
def told(accord: Accord, clock: Told) -> Accord:
    """A store in which two people act, are named, are refused and have signed."""
    clock.now = datetime(2026, 2, 1, tzinfo=UTC)
    steps = (step for step in LIFE if step.at < "2026-01-08")
    assert {each.status for each in accord.service.handle(from_steps(steps))} == {"accepted"}
    accord.service.handle(
        [
            role(CARMEN, "carmen-1", actor=DORA),
            role(DORA, "dora-1", actor=CARMEN, at="2026-01-13", party=THEIRS),
            # Refused: by its rules, by its form, as no JSON at all, and in JSON's own letters.
            message("r-1", example(HoldKickoff, attendees=["Ada", CARMEN]), actor=DORA),
            message("r-2", example(AssignRole, name=CARMEN), actor=DORA, type=f"accord.{CARMEN}"),
            role(CARMEN, "r-3")[:-2],
            json.dumps(attributes("r-4", example(AssignRole, name=CARMEN)) | {"time": 1}).encode(),
            json.dumps(attributes("r-5", example(AssignRole, name=CARMEN))).encode()[:-2],
            message("kept", HoldKickoff(attendees=["Carmenia Fuentesson"])),
            message("of-theirs", HoldKickoff(attendees=[CARMEN]), party=THEIRS),
            message("waits", example(CorrectMetric, period="2025-12"), actor=CARMEN),
        ]
    )
    keys = {CARMEN: OF_CARMEN, "Bo Lund": OF_BO}
    commands = [Kept(COMMAND, NAME, key, signed(name)) for name, key in keys.items()]
    *_, last = accord.history.of(NAME)
    again = replace(last, event_id="c" * 32, version=last.version + 1, index=last.index + 1)
    again = replace(again, source_id="c", signed=OF_CARMEN)
    accord.history.append([again], Writes(kept=commands))
    accord.runner.catch_up()
    return accord


def erase(accord: Accord, *secrets: str, party: str | None = None) -> list[str]:
    found = [each for name in secrets for each in people(accord, NAME, name, party)]
    for person in found:
        erased = PersonErased(person=person, reason="They asked for it.", commands=[])
        accord.service.record_own(NAME, "operator", erased)
    return found


def test_a_name_is_found_however_it_was_written(told: Accord) -> None:
    other = f"{normalize('NFD', CARMEN.upper())}  "
    told.service.handle([role(other, "carmen-2", actor="Ada")])
    found = [of_person(told, name).partnerships for name in (CARMEN, other)]

    assert found[0] == found[1]
    assert sorted(erase(told, CARMEN.replace(" ", "  "))) == sorted(
        each.commitment for each in found[0]
    )
    assert len(found[0]) == 3
    with pytest.raises(NotFound):
        of_person(told, CARMEN)


def test_an_export_has_what_an_erasure_removes_and_nothing_of_others(told: Accord) -> None:
    found = of_person(told, CARMEN)

    theirs, ours = sorted(found.partnerships, key=lambda each: each.party)
    assert (ours.id, ours.party, len(ours.commands)) == (NAME, OURS, 0)
    assert (theirs.id, theirs.party, len(theirs.commands)) == (NAME, THEIRS, 1)
    for named, count in ((ours, 1), (theirs, 2)):
        assert [each["type"] for each in named.events] == ["RoleAssigned"] * count
        assert all(named.commitment in json.dumps(each) for each in named.events)
        assert DORA not in json.dumps(named.events)
    assert [CARMEN in each.message or "\\u" in each.message for each in found.refused] == [True] * 6
    assert [each.id for each in found.waiting] == ["waits"]

    erase(told, CARMEN)

    with pytest.raises(NotFound, match="nobody of the name"):
        of_person(told, CARMEN)


def test_an_export_has_the_keys_that_were_made_in_a_persons_name(told: Accord) -> None:
    grant = Grant(role=Role.PARTY, party="growthos", actor="Carmen  ORTIZ ")
    now = datetime(2026, 1, 12, 9, tzinfo=UTC)
    made = credentials.create(told.history.credentials, grant, now).credential
    credentials.create(told.history.credentials, grant.model_copy(update={"actor": "crm"}), now)

    (key,) = of_person(told, "carmen ortiz").keys

    assert (key.id, key.party, key.made_at, key.used_at) == (made.id, "growthos", now, None)


def test_an_erasure_revokes_the_keys_in_the_name_and_deletes_it_there(
    told: Accord, settings: Settings
) -> None:
    """Who has the same name at the other party goes on."""
    store, now = told.history.credentials, datetime(2026, 1, 12, 9, tzinfo=UTC)
    theirs = Grant(role=Role.PARTY, party=THEIRS, actor=CARMEN)
    hers = credentials.create(store, theirs, now)
    others = [
        credentials.create(store, grant, now).credential
        for grant in (
            theirs.model_copy(update={"actor": "crm"}),
            theirs.model_copy(update={"party": OURS, "actor": CARMEN.lower()}),
            Grant(role=Role.OPERATOR, actor="ops"),
        )
    ]

    erase(told, CARMEN, party=THEIRS)

    erased, *left = credentials.listed(store)
    assert (erased.id, erased.grant.actor, erased.is_valid(now)) == (
        hers.credential.id,
        "an erased person",
        False,
    )
    assert left == others
    with pytest.raises(Unauthenticated, match="revoked"):
        credentials.authenticate(store, hers.key, now)

    erase(told, CARMEN)
    assert CARMEN not in b"".join(rows(settings).values()).decode(errors="ignore")


def test_an_erased_person_of_the_operator_is_in_no_key_and_no_invitation(told: Accord) -> None:
    store, now = told.history.credentials, datetime(2026, 1, 12, 9, tzinfo=UTC)
    told.service.record_own(NAME, "Olga", FullViewTaken(question="show", reason="A test."))
    credentials.create(store, Grant(role=Role.OPERATOR, actor="Olga"), now)
    invite(store, "southwind", "Olga", now)

    erase(told, "Olga")

    left = [(each.grant.actor, each.is_valid(now)) for each in credentials.listed(store)]
    assert left == [("an erased person", False)] * 2


def test_a_name_is_kept_apart_and_where_inputs_were_refused_until_it_is_erased(
    told: Accord, settings: Settings
) -> None:
    schema = "history." if settings.in_postgres else ""
    assert holding(settings) == {f"{schema}{name}" for name in ("kept", "refusals", "waiting")}
    before = list(told.history.bodies(NAME)), list(told.history.leaves(NAME))
    (carmen,) = people(told, NAME, CARMEN, THEIRS)

    erased = erase(told, CARMEN, DORA)
    told.runner.catch_up()

    assert holding(settings) == set()
    if not settings.in_postgres:
        assert not any(each.encode() in files(settings) for each in SECRETS)
    size = len(before[0])
    assert list(told.history.bodies(NAME, 0, size)) == before[0]
    assert list(told.history.leaves(NAME, 0, size)) == before[1]
    gone = {person: [OF_CARMEN] if person == carmen else [] for person in erased}
    assert [each.event for each in told.history.of(NAME, size)] == [
        PersonErased(person=person, reason="They asked for it.", commands=gone[person])
        for person in erased
    ]
    rebuild(told.history, told.views, PROJECTIONS)
    assert holding(settings) == set()


@pytest.mark.parametrize("cut", [None, -2])
@pytest.mark.parametrize(
    "written", ["{} waits", "for {}'s team", "({})", "one\n{}\ttwo", "\u00ab{}\u00bb"]
)
def test_an_erasure_finds_the_name_however_an_input_writes_it(
    told: Accord, written: str, cut: int | None
) -> None:
    """The name would stay in capitals, with other blanks, in another Unicode form, or hidden."""
    before = {each.number for each in told.history.refusals(state=None)}
    first, last = CARMEN.split()
    spelled = {
        CARMEN.upper(),
        f"{first.lower()}\u00a0 {last}",
        normalize("NFD", CARMEN),
        f"{first[:3]}\u200b{first[3:]} {last}\u00ad",
        "".join(chr(ord(each) + 0xFEE0) if "!" < each < "~" else each for each in CARMEN),
    }
    raws = [
        json.dumps(
            attributes(f"w-{number}", example(AssignRole)) | {"time": written.format(name)}
        ).encode()[:cut]
        for number, name in enumerate(sorted(spelled))
    ]
    assert {each.status for each in told.service.handle(raws)} == {"refused"}

    erase(told, CARMEN)

    after = [each for each in told.history.refusals(state=None) if each.number not in before]
    of_these = [each for each in after if each.source_id.startswith("w-") or cut]
    assert len(of_these) >= len(spelled)
    assert {each.raw for each in of_these} == {b""}


def test_an_erasure_deletes_the_name_from_acts_about_alerts_however_it_is_written(
    told: Accord,
) -> None:
    log, now = told.history.alert_acts, datetime(2026, 4, 1, tzinfo=UTC)
    name = f"{CARMEN.lower()} "
    log.add(
        AlertAct(f"a@1/{NAME}/2026-Q1", now, OURS, AlertActKind.ASSIGN, "Bo", now, to=name.strip())
    )
    assert of_person(told, CARMEN).alert_acts

    erase(told, CARMEN, party=OURS)

    assert log.people() == {"Bo", ERASED}


def test_data_that_names_only_other_people_is_kept(told: Accord) -> None:
    erase(told, CARMEN)

    refusals = told.history.refusals(state=None)
    assert [each.state for each in refusals] == ["erased"] * 5 + ["open", "erased", "erased"]
    assert {each.raw for each in refusals if each.state == "erased"} == {b""}
    assert told.history.waiting([NAME]) == []
    with pytest.raises(NotFound, match="erased"):
        list(chosen(told, refusals[0].number))
    assert told.history.kept(COMMAND, NAME).keys() == {OF_BO}
    assert DORA in names(told.history, NAME).values()


def test_a_party_erases_its_own_people_alone(told: Accord) -> None:
    (carmen,) = people(told, NAME, CARMEN, THEIRS)
    asked = ErasePerson(person=carmen, reason="They asked for it.")
    refused = one(told, message("of-the-other", asked))

    assert refused.rule == "person-of-another-party"
    assert OF_CARMEN in told.history.kept(COMMAND, NAME)
    assert one(told, message("own", asked, party=THEIRS)).status == "accepted"
    assert OF_CARMEN not in told.history.kept(COMMAND, NAME)


def test_an_erasure_lists_the_commands_that_it_deletes_and_no_others(told: Accord) -> None:
    (carmen,) = people(told, NAME, CARMEN, THEIRS)
    asked = ErasePerson(person=carmen, reason="They asked for it.", commands=[OF_BO])

    assert one(told, message("bo", asked, party=THEIRS)).rule == "erases-other-commands"
    right = asked.model_copy(update={"commands": [OF_CARMEN]})
    assert one(told, message("own", right, party=THEIRS)).status == "accepted"
    assert last(told)["data"]["commands"] == [OF_CARMEN]


@pytest.mark.parametrize(
    "reason", ["{} asked for it.", "Left the firm ({}).", "\u200b{}\u00ad\u2060 asked."]
)
def test_a_reason_that_says_the_name_is_refused_and_tells_no_other_party_whose_it_is(
    told: Accord, reason: str
) -> None:
    """The name was erased, and could still be read in the reason."""
    (carmen,) = people(told, NAME, CARMEN, THEIRS)
    spelled = reason.format("  ".join(CARMEN.upper().split(" ")))
    asked = ErasePerson(person=carmen, reason=spelled)

    assert one(told, message("own", asked, party=THEIRS)).rule == "reason-names-person"
    assert CARMEN in names(told.history, NAME).values()
    assert one(told, message("of-the-other", asked)).rule == "person-of-another-party"
    longer = asked.model_copy(update={"reason": f"{CARMEN}s asked."})
    assert one(told, message("longer", longer, party=THEIRS)).status == "accepted"


def test_an_erased_name_sent_again_is_a_new_person(told: Accord) -> None:
    before = erase(told, CARMEN)
    assert one(told, role(CARMEN, "carmen-2")).status == "accepted"

    (after,) = people(told, NAME, CARMEN)
    assert last(told)["data"]["name"] == after
    assert after not in before


def test_an_erased_name_sent_again_in_the_same_batch_is_a_new_person(told: Accord) -> None:
    (before,) = people(told, NAME, CARMEN, OURS)
    asked = message("erase", ErasePerson(person=before, reason="She asked."))
    outcomes = told.service.handle([asked, role(CARMEN, "carmen-2"), asked])

    assert [each.status for each in outcomes] == ["accepted", "accepted", "duplicate"]
    assert people(told, NAME, CARMEN, OURS) == [last(told)["data"]["name"]] != [before]


def test_the_same_erasure_again_decides_nothing(told: Accord) -> None:
    (person,) = erase(told, CARMEN, party=THEIRS)
    again = ErasePerson(person=person, reason="They asked for it.")
    assert one(told, message("again", again, party=THEIRS)).count == 0
    stranger = one(told, message("stranger", again, party="passer-by"))
    assert stranger.rule == "unknown-party"


@pytest.mark.parametrize("step", ["redact", "forget"])
def test_an_erasure_that_was_interrupted_is_finished_by_the_next_run(
    told: Accord, settings: Settings, clock: Told, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def broken(*_: object) -> None:
        raise OSError

    monkeypatch.setattr(told.history, step, broken)
    with pytest.raises(OSError):  # noqa: PT011 - it says nothing
        erase(told, CARMEN, party=OURS)
    assert last(told)["type"] == "PersonErased"
    assert CARMEN in names(told.history, NAME).values()

    with bootstrap(settings, clock) as later:
        # What was erased is nobody's any more, even while the name is still there.
        assert one(later, role(CARMEN, "carmen-2")).status == "accepted"
        with later.workers():
            assert [*people(later, NAME, CARMEN, OURS)] == [last(later)["data"]["name"]]
            assert later.history.kept(ERASING, "") == {}
    assert "erased" in {each.state for each in told.history.refusals(state=None)}


def test_a_simulated_store_gives_the_same_commitments_each_time(tmp_path: Path) -> None:
    def bodies(folder: Path) -> list[bytes]:
        folder.mkdir()
        with simulated(folder) as accord:
            accord.service.handle([beginning(), role("Ada", "1")])
            (ada,) = people(accord, NAME, "Ada")
            erasure = ErasePerson(person=ada, reason="She asked.")
            accord.service.handle([message("2", erasure), role("Ada", "3")])
            assert people(accord, NAME, "Ada") != [ada]
            return list(accord.history.bodies(NAME))

    assert bodies(tmp_path / "one") == bodies(tmp_path / "other")


# --- answers -----------------------------------------------------------------------------------


def test_answers_name_people_until_they_are_erased(told: Accord) -> None:
    def everything() -> str:
        found = show.ask(told, NAME), history.ask(told, NAME)
        return "".join(each.model_dump_json() for each in found)

    assert all(each in everything() for each in (CARMEN, DORA, "Ada"))
    erased = erase(told, CARMEN)
    shown = everything()
    assert CARMEN not in shown
    assert all(f"(erased person {person[7:15]})" in shown for person in erased)
    assert DORA in shown


def test_the_history_shows_the_stored_event_and_separately_the_names(told: Accord) -> None:
    found = history.ask(told, NAME).items
    (item,) = (each for each in found if each.event and each.event.source_id == "carmen-1")

    assert item.event
    assert item.people == {item.event.actor: DORA, item.event.data["name"]: CARMEN}
    assert item.text.startswith(f"named {CARMEN} as")
