"""An adopted partnership is asked about any moment: before its adoption, in it, and after (C28)."""

from collections.abc import Iterator
from http import HTTPStatus
from typing import Final

import pytest
from fastapi.testclient import TestClient

from infra.bootstrap import bootstrap, init
from infra.http import create_app
from infra.settings import Settings
from infra.tlog import cloudevents
from tests.journeys.test_adoption import readme

NAME: Final = "acme-north"
NEEDED: Final = {
    "id": NAME,
    "partnership": NAME,
    "period": "2026-01",
    "reference": f"{NAME}/deal/N-7",
    "metric": "leads",
    "against": "2098-12-31",
    "rule": "slow-sales",
    "review": "first",
    "since": "2025-12-01",
    "words": NAME,
}
"""What the answers that need more than a moment are asked with."""

WITHOUT_A_RULE: Final = "/v1/partnerships/{id}/rules/{rule}/try"
"""Refused, because nobody agreed a rule here."""

MOMENTS: Final = ("2020-01-01", "2025-12-31", "2026-01-16", "2026-01-31", "2099-01-01")
"""Before all events, before and in the month of its deals, and after all."""


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """Return a client of a store with one adopted partnership, which has deals."""
    settings = Settings(store=f"sqlite:///{tmp_path_factory.mktemp('adopted')}/accord.db")
    init(settings)
    adoption, facts = readme()
    with bootstrap(settings) as accord, accord.workers() as workers:
        app = create_app(accord, workers, is_open=True)
        with TestClient(app, raise_server_exceptions=False) as client:
            headers = {"Content-Type": "application/json"}
            answer = client.post("/v1/adoptions", content=adoption, headers=headers)
            assert answer.json()["status"] == "accepted"
            outcomes = accord.service.handle(list(cloudevents.split(facts)))
            assert {each.status for each in outcomes} == {"accepted"}
            accord.catch_up()
            yield client


def test_every_answer_about_any_moment_of_an_adopted_partnership_is_given(
    client: TestClient,
) -> None:
    document = client.get("/openapi.json").json()["paths"]
    answers = {}
    for path, methods in document.items():
        parameters = methods.get("get", {}).get("parameters", ())
        moments = {"at", "known"} & {each["name"] for each in parameters}
        needed = {each["name"] for each in parameters if each.get("required")}
        for name in moments:
            given = {each: NEEDED[each] for each in needed if f"{{{each}}}" not in path}
            for moment in MOMENTS:
                asked = {name: moment, **given}
                found = client.get(path.format(**NEEDED), params=asked)
                answers[path, *asked.items()] = found.status_code

    failed = [
        asked for asked, status in answers.items() if status >= HTTPStatus.INTERNAL_SERVER_ERROR
    ]
    answered = {path for (path, *_), status in answers.items() if status == HTTPStatus.OK}
    assert not failed
    assert {path for path, *_ in answers} - answered == {WITHOUT_A_RULE}
