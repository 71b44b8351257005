"""What fails unexpectedly has a reference, which the server's log has, too."""

import re
from collections.abc import Iterator

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from infra.access.roles import Need
from infra.bootstrap import Accord
from infra.http import cookies, create_app
from infra.http.access import GuardedRoute, needs
from infra.http.pages.site import PageRoute, Visited
from infra.http.problems import MEDIA_TYPE
from infra.store.errors import StoreFull
from infra.store.sqlite import SqliteStore
from tests.feeds import simulated
from tests.infra.messages import beginning
from tests.journeys.pages import text

PERSON = {"Accept": "text/html,application/xhtml+xml"}
REFERENCE = re.compile(r"\b[0-9a-f]{4}-[0-9a-f]{4}\b")


@pytest.fixture(scope="module")
def accord(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Accord]:
    with simulated(tmp_path_factory.mktemp("failures")) as accord:
        accord.service.handle([beginning()])
        accord.catch_up()
        yield accord


def failing(accord: Accord) -> FastAPI:
    """Return the application with a page and a route that fail because of a bug."""
    app = create_app(accord, accord.workers(), is_open=True)

    @needs(Need.FACTS)
    def fails(_: Visited) -> None:
        raise RuntimeError("a secret of another party")

    @needs(Need.FACTS)
    def is_full(_: Visited) -> None:
        raise StoreFull

    app.router.routes += [
        PageRoute("/fails", fails, methods=["GET"]),
        PageRoute("/full", is_full, methods=["GET"]),
        GuardedRoute("/v1/fails", fails, methods=["GET"]),
    ]
    return app


@pytest.fixture(scope="module")
def client(accord: Accord) -> Iterator[TestClient]:
    app = failing(accord)
    with app.state.served.workers, TestClient(app, raise_server_exceptions=False) as found:
        yield found


def test_a_person_gets_a_page_with_the_reference_that_the_log_has(
    client: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    answer = client.get("/fails", headers=PERSON)

    (reference,) = set(REFERENCE.findall(text(answer.text)))
    assert answer.status_code == 500
    assert answer.headers["content-type"].startswith("text/html")
    assert "server's log" in text(answer.text)
    assert "secret" not in answer.text
    (line,) = [each for each in caplog.records if reference in each.getMessage()]
    assert "GET '/fails'" in line.getMessage()
    assert "RuntimeError" in line.getMessage()
    assert "/portfolio" in answer.text


def test_a_client_gets_the_reference_in_its_problem_document(
    client: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    answer = client.get("/v1/fails")

    problem = answer.json()
    assert answer.headers["content-type"] == MEDIA_TYPE
    assert REFERENCE.fullmatch(problem["reference"])
    assert problem["reference"] in problem["hint"]
    assert problem["reference"] in caplog.text
    assert "secret" not in answer.text


def test_each_failure_has_a_reference_of_its_own(client: TestClient) -> None:
    found = {client.get("/v1/fails").json()["reference"] for _ in range(10)}

    assert len(found) == 10


def test_a_person_gets_a_page_of_a_failure_that_has_a_cause(client: TestClient) -> None:
    answer = client.get("/full", headers=PERSON)

    assert answer.status_code == 503
    assert answer.headers["content-type"].startswith("text/html")
    assert answer.headers["Retry-After"] == "60"
    assert "Free space" in text(answer.text)


def test_a_person_gets_a_page_where_the_store_cannot_be_read_at_all(
    accord: Accord, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def gone(_: SqliteStore) -> None:
        raise OSError("the disk is gone")

    app = create_app(accord, accord.workers())
    with app.state.served.workers, TestClient(app, raise_server_exceptions=False) as closed:
        monkeypatch.setattr(SqliteStore, "sessions", property(gone))
        closed.cookies.set(cookies.SESSION, "of a browser")
        answer = closed.get("/portfolio", headers=PERSON)

    (reference,) = set(REFERENCE.findall(text(answer.text)))
    assert answer.status_code == 500
    assert answer.headers["content-type"].startswith("text/html")
    assert reference in caplog.text
