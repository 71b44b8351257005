"""A damaged store: rows are folded anew, events are named with what to do, and others go on."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from infra.bootstrap import bootstrap
from infra.http.app import create_app
from infra.settings import Settings
from tests.feeds import played
from tests.journeys.typed import Accord

ID = "growthos-consulting"
ROWS = f"UPDATE rows SET body = x'ff00' WHERE partnership = '{ID}'"
SHAPES = f"UPDATE rows SET body = CAST('[]' AS BLOB) WHERE partnership = '{ID}'"
EVENT = f"UPDATE events SET body = x'ff00' WHERE partnership = '{ID}' AND idx = 5"
GAP = f"DELETE FROM events WHERE partnership = '{ID}' AND idx = 5"
OF_ROWS = ["/v1/partnerships", f"/v1/partnerships/{ID}/kpis", "/v1/alerts", "/v1/portfolio"]
OF_EVENTS = [f"/v1/partnerships/{ID}/history"]


@pytest.fixture
def store(tmp_path: Path) -> str:
    with played(tmp_path) as accord:
        accord.runner.catch_up()
    return f"sqlite:///{tmp_path}/accord.db"


@pytest.fixture
def client(store: str) -> Iterator[TestClient]:
    with (
        bootstrap(Settings(store=store)) as accord,
        accord.workers() as workers,
        TestClient(create_app(accord, workers, is_open=True)) as client,
    ):
        yield client


def damage(store: str, statement: str) -> None:
    with closing(sqlite3.connect(store.removeprefix("sqlite:///"))) as file, file:
        file.execute(statement)


@pytest.mark.parametrize("statement", [ROWS, SHAPES], ids=["bytes", "shape"])
def test_a_question_gets_its_answer_though_rows_are_damaged(
    accord: Accord,
    client: TestClient,
    store: str,
    statement: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    sound = {path: client.get(path).json() for path in OF_ROWS}
    for path in OF_ROWS:
        damage(store, statement)
        assert client.get(path).json() == sound[path]

    damage(store, statement)
    caplog.clear()
    ran = accord("list", "--store", store)
    assert ran.code == 0
    assert ID in ran.out
    assert f"{ID} is folded from its first event, because of damage" in caplog.text
    assert accord("audit", "verify", "--store", store).code == 0


def test_an_event_that_cannot_be_read_is_named_and_stops_nobody(accord: Accord, store: str) -> None:
    damage(store, EVENT)
    damage(store, ROWS)

    listed = accord("list", "--store", store)
    assert listed.code == 0
    assert f"{ID} is quarantined" in listed.out
    assert f"{ID}#5 cannot be read" in listed.out
    assert "aurora-series" in listed.out
    verified = accord("audit", "verify", "--store", store)
    assert verified.code == 1
    assert f"Difference in {ID}: history, {ID}#5." in verified.out
    assert "\\xff" in verified.out
    assert "accord audit verify" not in verified.out


@pytest.mark.parametrize(
    ("statement", "what"), [(EVENT, "cannot be read"), (GAP, "is missing")], ids=["bytes", "gap"]
)
def test_the_history_names_the_event_that_it_cannot_read(
    accord: Accord, client: TestClient, store: str, statement: str, what: str
) -> None:
    damage(store, statement)

    for path in OF_EVENTS:
        problem = client.get(path).json()
        assert f"{ID}#5 {what}" in problem["detail"]
        assert "accord audit verify" in problem["hint"]
    ran = accord("history", ID, "--store", store)
    assert ran.code == 1
    assert f"{ID}#5 {what}" in ran.err


@pytest.mark.parametrize(
    ("statement", "what"),
    [
        ("UPDATE events SET body = x'7b' WHERE partnership = '{ID}' AND idx = {last}", "cannot be"),
        ("DELETE FROM events WHERE partnership = '{ID}' AND idx = {last}", "is missing"),
        ("DELETE FROM events WHERE partnership = '{ID}'", "is missing"),
    ],
    ids=["bytes", "last missing", "all missing"],
)
def test_show_names_the_last_event_that_it_cannot_read(
    accord: Accord, client: TestClient, store: str, statement: str, what: str
) -> None:
    last = client.get(f"/v1/partnerships/{ID}").json()["log_size"] - 1
    damage(store, statement.format(ID=ID, last=last))

    ran = accord("show", ID, "--store", store)
    assert ran.code == 1
    assert f"accord: {ID}#{last} {what}" in ran.err
    assert "accord audit verify" in ran.err
    assert accord("show", "aurora-series", "--store", store).code == 0


@pytest.mark.parametrize(
    "statement",
    ["DELETE FROM rows", "UPDATE rows SET body = CAST('{}' AS BLOB)"],
    ids=["missing", "empty"],
)
def test_settle_asks_as_the_operator_though_the_overview_is_lost(
    accord: Accord, store: str, statement: str
) -> None:
    damage(store, f"{statement} WHERE partnership = '{ID}' AND key = 'overview'")

    ran = accord("settle", ID, "--period", "2026-Q1", "--store", store)
    assert ran.code == 0, ran.err
    assert "growthos paid northbridge 1500.00 USD" in ran.out
