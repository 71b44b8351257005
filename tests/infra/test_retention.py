"""What was sent is kept while its refusal is open, and no longer than its days."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from zipfile import ZipFile

import orjson
import pytest
from starlette.testclient import TestClient
from typer.testing import CliRunner

from infra.access import credentials
from infra.access.credentials import Grant
from infra.access.roles import Role
from infra.answers import refusals
from infra.answers.logs import NotFound
from infra.bootstrap import Accord, bootstrap, init
from infra.cli.options import app
from infra.deciding.group_commit import GroupCommit
from infra.deciding.scheduler import EXPIRES_EVERY, Scheduler
from infra.evidence.bundle import BundleRequest, export
from infra.http import create_app
from infra.http.openapi import EXAMPLE
from infra.kafka import messages
from infra.settings import RefusalLimits, Settings
from infra.store.history import Writes
from infra.tlog.codec import EVENT_ID_DIGITS
from projections.visibility import Viewer
from tests.infra.test_waiting import EARLY, FORMED, NAME
from tests.infra.told import Told

ARRIVED = datetime(2026, 3, 1, 9, tzinfo=UTC)
PRIVATE = "what-acme-keeps-to-itself"
DAYS = 30


@pytest.fixture
def clock() -> Told:
    told = Told()
    told.now = ARRIVED
    return told


@pytest.fixture
def accord(address: str, clock: Told) -> Iterator[Accord]:
    settings = Settings(store=address, refused=RefusalLimits(days=DAYS))
    init(settings)
    with bootstrap(settings, clock) as accord:
        yield accord


@pytest.fixture
def scheduler(accord: Accord) -> Iterator[Scheduler]:
    with scheduled(accord) as found:
        yield found


@contextmanager
def scheduled(accord: Accord) -> Iterator[Scheduler]:
    """Return the scheduler of a store, which acts when it is called."""
    assert accord.recording_clock
    with ExitStack() as ending:
        writer = GroupCommit(accord.service)
        writer.start()
        ending.callback(writer.stop)
        yield Scheduler(
            accord.history, accord.views, accord.service, writer, accord.recording_clock
        )


def event(id: str, type: str = "accord.Begin") -> bytes:
    """An event that is refused for its type, unless it has that of the example."""
    return orjson.dumps(EXAMPLE | {"id": id, "type": type, "partnershipnote": PRIVATE})


def refuse(accord: Accord, *ids: str) -> None:
    outcomes = accord.service.handle([event(each) for each in ids])
    assert {each.status for each in outcomes} == {"refused"}


def stored(accord: Accord) -> dict[str, tuple[str, bool]]:
    """The state of each refused input, and whether what it said is there."""
    found = accord.history.refusals(None)
    return {each.source_id: (each.state, PRIVATE.encode() in each.raw) for each in found}


def test_an_open_refusal_has_what_was_sent(accord: Accord) -> None:
    refuse(accord, "1")

    assert stored(accord) == {"1": ("open", True)}


def test_what_is_accepted_at_last_is_kept_among_the_refused_no_more(accord: Accord) -> None:
    refuse(accord, "1", "2")

    (accepted,) = accord.service.handle([orjson.dumps(EXAMPLE | {"id": "1"})])

    assert accepted.status == "accepted"
    assert stored(accord) == {"1": ("resolved", False), "2": ("open", True)}


def test_what_is_dismissed_is_deleted_and_who_dismissed_it_is_not(accord: Accord) -> None:
    refuse(accord, "1", "2")

    dismissed = refusals.dismiss(accord, refusals.chosen(accord, 1), "olga")

    assert dismissed.numbers == (1,)
    assert stored(accord) == {"1": ("dismissed", False), "2": ("open", True)}
    assert [each.dismissed_by for each in accord.history.refusals("dismissed")] == ["olga"]
    with pytest.raises(NotFound, match="Refusal 1 is dismissed"):
        list(refusals.chosen(accord, 1))


def test_what_was_refused_is_deleted_when_its_days_are_over(
    accord: Accord, clock: Told, scheduler: Scheduler
) -> None:
    refuse(accord, "early")
    clock.now = ARRIVED + timedelta(days=1)
    refuse(accord, "late")

    clock.now = ARRIVED + timedelta(days=DAYS)
    scheduler.check()
    assert stored(accord) == {"early": ("open", True), "late": ("open", True)}
    clock.now += EXPIRES_EVERY
    scheduler.check()

    assert stored(accord) == {"early": ("expired", False), "late": ("open", True)}
    found = refusals.ask(accord, all=True, viewer=Viewer(EXAMPLE["party"], inputs=True)).items[0]
    assert (found.rule, found.received_at, found.message) == ("unknown-type", ARRIVED, None)
    assert f"more than {DAYS} days ago" in found.detail
    assert found.type is None
    with pytest.raises(NotFound, match="Refusal 1 is expired"):
        list(refusals.chosen(accord, 1))


def test_when_their_days_are_over_nothing_shows_what_was_refused_or_waited(
    address: str, clock: Told, tmp_path: Path
) -> None:
    """One event is refused at once. The other waits for a deal, and is refused after its days."""
    early = orjson.loads(EARLY)
    early["data"]["deal"] = PRIVATE
    wrong = early | {"id": "wrong", "type": "accord.Begin"}
    settings = Settings(
        store=address,
        key=tmp_path / "accord.key",
        refused=RefusalLimits(days=DAYS),
        waiting_days=DAYS - 1,
    )
    init(settings)
    with bootstrap(settings, clock) as accord, ExitStack() as ending:
        scheduler = ending.enter_context(scheduled(accord))
        accord.service.handle(FORMED)
        outcomes = accord.service.handle([orjson.dumps(early), orjson.dumps(wrong)])
        assert [each.status for each in outcomes] == ["waiting", "refused"]
        accord.catch_up()
        before = shown(accord, address, early["party"], tmp_path / "before")

        clock.now = ARRIVED + timedelta(days=DAYS)
        scheduler.check()  # What waited is refused.
        waited = shown(accord, address, early["party"], tmp_path / "waited")
        clock.now += EXPIRES_EVERY
        scheduler.check()
        after = shown(accord, address, early["party"], tmp_path / "after")

    assert having(before) == {*before}
    assert having(waited) == {name for name in before if "waiting" not in name}
    assert having(after) == set()


def having(texts: dict[str, str]) -> set[str]:
    """Return the names of the texts that have what was sent."""
    return {name for name, text in texts.items() if PRIVATE in text}


def shown(accord: Accord, address: str, party: str, folder: Path) -> dict[str, str]:
    """Return all that shows a party, or who has the store, what was refused and what waits."""
    found = dict[str, str]()
    grant = Grant(role=Role.PARTY, party=party, actor="maya")
    key = credentials.create(accord.history.credentials, grant, datetime.now(UTC)).key
    with accord.workers() as workers, TestClient(create_app(accord, workers)) as client:
        for path in ("/v1/refusals?all=true", "/v1/waiting", "/inputs.json"):
            answer = client.get(path, headers={"Authorization": f"Bearer {key}"})
            assert answer.status_code == 200
            found[f"GET {path}"] = answer.text
    for command in (["refusals", "--all"], ["waiting"]):
        ran = CliRunner().invoke(app, [*command, "--json", "--store", address])
        assert ran.exit_code == 0
        found[f"accord {command[0]}"] = ran.output
    folder.mkdir()
    request = BundleRequest("sam", "A look.", party)
    export(accord, accord.signing(), NAME, request, folder / "bundle.zip")
    with ZipFile(folder / "bundle.zip") as archive:
        for name in ("data/rejected.jsonl", "data/waiting.jsonl"):
            found[name] = archive.read(name).decode()
    return found


def test_an_expired_refusal_takes_no_room_and_its_sender_can_send_again(
    accord: Accord, clock: Told
) -> None:
    refuse(accord, "1")
    clock.now = ARRIVED + timedelta(days=DAYS, hours=1)

    assert accord.service.expire(clock.now) == 1
    assert accord.service.expire(clock.now) == 0

    assert accord.history.refused_of() == (0, 0)
    refuse(accord, "1")
    assert [each.state for each in accord.history.refusals(None)] == ["expired", "open"]


def test_a_sender_learns_of_an_expired_refusal_without_what_it_said(accord: Accord) -> None:
    """With a broker, the intake sends the refusals of events that had waited."""
    refuse(accord, "1")
    (refused,) = accord.history.refusals()
    untold = replace(refused, source_id="2", unsent=True)
    accord.history.append([], Writes(refusals=[untold]))

    assert accord.service.expire(ARRIVED + timedelta(days=DAYS, hours=1)) == 2

    assert stored(accord) == {"1": ("expired", False), "2": ("expired", False)}
    (left,) = accord.history.unsent(10)
    told = messages.refused("rejected", left.raw, left.subject or "", left.words)
    assert told.value is not None
    assert b"more than 30 days ago" in told.value
    of_nothing = sha256(b"").hexdigest()[:EVENT_ID_DIGITS].encode()
    assert dict(told.headers)["ce_id"] != of_nothing


def test_nothing_of_what_is_deleted_is_left_in_the_file(tmp_path: Path, clock: Told) -> None:
    file = tmp_path / "accord.db"
    settings = Settings(store=f"sqlite:///{file}", refused=RefusalLimits(days=DAYS))
    init(settings)
    with bootstrap(settings, clock) as accord:
        refuse(accord, "1")
        assert PRIVATE.encode() in b"".join(each.read_bytes() for each in tmp_path.iterdir())
        accord.service.expire(ARRIVED + timedelta(days=DAYS, hours=1))

        assert PRIVATE.encode() not in b"".join(each.read_bytes() for each in tmp_path.iterdir())
