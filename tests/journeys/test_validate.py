"""`accord validate` and its route: what would be decided, with nothing recorded."""

from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest
from fastapi.testclient import TestClient

from domain.examples import LIFE
from infra.answers.example_events import events
from infra.bootstrap import Accord, bootstrap, init
from infra.http import create_app
from infra.settings import Settings
from tests.infra.messages import beginning, candidate
from tests.journeys import typed

BEGIN = beginning(subject="acme-search")
IDENTIFY = candidate("north", subject="acme-search")
TOO_EARLY = orjson.dumps(
    orjson.loads(IDENTIFY)
    | {"id": "score", "type": "accord.ChoosePartner", "data": {"candidate": "north"}}
)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Accord]:
    settings = Settings(store=f"sqlite:///{tmp_path}/accord.db")
    init(settings, simulated=True)
    with bootstrap(settings) as accord:
        yield accord


def statuses(accord: Accord, *raws: bytes) -> list[str]:
    return [each.status for each in accord.service.validate(raws)]


def test_events_build_on_each_other_and_nothing_is_recorded(store: Accord) -> None:
    assert statuses(store, BEGIN, IDENTIFY, BEGIN) == ["accepted", "accepted", "duplicate"]
    assert statuses(store, IDENTIFY) == ["refused"]
    assert store.history.heads(["acme-search"]) == {}
    assert list(store.history.refusals()) == []


def test_a_whole_life_has_the_outcomes_that_it_has_when_it_is_sent(store: Accord) -> None:
    raws = [orjson.dumps(each) for each in events(LIFE)]

    foretold = store.service.validate(raws)
    sent = store.service.handle(raws)

    assert [(each.id, each.status, each.count) for each in foretold] == [
        (each.id, each.status, each.count) for each in sent
    ]


def test_what_was_validated_leaves_no_trace_in_what_is_decided_next(store: Accord) -> None:
    store.service.handle([BEGIN])

    assert statuses(store, IDENTIFY) == ["accepted"]

    (outcome,) = store.service.handle([TOO_EARLY])
    assert outcome.rule == "no-such-candidate"


def test_the_command_prints_each_outcome_and_ends_as_ingest_does(
    accord: typed.Accord, tmp_path: Path
) -> None:
    feed = tmp_path / "feed.jsonl"
    feed.write_bytes(b"\n".join([BEGIN, IDENTIFY, TOO_EARLY]))
    accord("init")

    ran = accord("validate", str(feed))
    assert ran.code == 3
    assert "candidate-scored: The gate to formation is closed." in ran.out
    assert ran.out.endswith("2 accepted, 1 refused. Nothing was recorded.\n")
    found = accord("validate", str(feed), "--json").json
    assert (found["valid"], [x["status"] for x in found["items"]]) == (
        False,
        ["accepted", "accepted", "refused"],
    )
    feed.write_bytes(b"\n".join([BEGIN, IDENTIFY]))
    assert accord("validate", str(feed)).code == 0
    assert accord("show", "acme-search").code == 1


def test_the_route_takes_what_events_takes(store: Accord) -> None:
    with store.workers() as workers, TestClient(create_app(store, workers, is_open=True)) as client:
        one = client.post("/v1/validate", json=orjson.loads(BEGIN))
        many = client.post(
            "/v1/validate",
            content=b"\n".join([BEGIN, IDENTIFY, TOO_EARLY]),
            headers={"content-type": "application/x-ndjson"},
        )
        unreadable = client.post("/v1/validate", json={})

        assert [each["status"] for each in one.json()["items"]] == ["accepted"]
        assert [each["status"] for each in many.json()["items"]] == [
            "accepted",
            "accepted",
            "refused",
        ]
        assert many.json()["items"][2]["rule"] == "candidate-scored"
        assert (unreadable.status_code, unreadable.json()["valid"]) == (200, False)
        assert client.get("/v1/partnerships/acme-search").status_code == 404
