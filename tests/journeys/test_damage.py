"""A damaged store: every question names the damage and what to do, and none ends in a traceback."""

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
        TestClient(create_app(accord, workers)) as client,
    ):
        yield client


def damage(store: str, statement: str) -> None:
    with closing(sqlite3.connect(store.removeprefix("sqlite:///"))) as file, file:
        file.execute(statement)


@pytest.mark.parametrize("statement", [ROWS, SHAPES], ids=["bytes", "shape"])
def test_a_question_names_the_row_that_it_cannot_read(
    accord: Accord, client: TestClient, store: str, statement: str
) -> None:
    damage(store, statement)

    for path in OF_ROWS:
        problem = client.get(path).json()
        assert f"of {ID} cannot be read" in problem["detail"], path
        assert "accord rebuild" in problem["hint"]
    ran = accord("list", "--store", store)
    assert (ran.code, len(ran.err.splitlines()[1:])) == (1, 1)
    assert f"of {ID} cannot be read" in ran.err


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
        assert "accord verify" in problem["hint"]
    ran = accord("history", ID, "--store", store)
    assert ran.code == 1
    assert f"{ID}#5 {what}" in ran.err
