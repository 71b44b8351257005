"""Waiting events and refusals at the doors: the command line and HTTP."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from infra.bootstrap import bootstrap, init
from infra.http import create_app
from infra.settings import Settings
from tests.infra.messages import beginning, candidate
from tests.infra.test_waiting import DEAL, EARLY, FORMED, NAME, PAYMENT, STEPS, sent
from tests.infra.told import Told
from tests.journeys.typed import Accord

BATCH = {"Content-Type": "application/cloudevents-batch+json"}
ONE = {"Content-Type": "application/cloudevents+json"}


@pytest.fixture
def client(tmp_path: Path) -> Iterator[TestClient]:
    settings = Settings(store=f"sqlite:///{tmp_path}/accord.db")
    init(settings)
    clock = Told()
    clock.now = datetime(2026, 3, 1, 9, tzinfo=UTC)
    with (
        bootstrap(settings, clock) as accord,
        accord.workers() as workers,
        TestClient(create_app(accord, workers, is_open=True)) as client,
    ):
        accord.service.handle(FORMED)
        yield client


def post(client: TestClient, *raws: bytes) -> tuple[int, dict[str, Any]]:
    if len(raws) == 1:
        answer = client.post("/v1/events", content=raws[0], headers=ONE)
    else:
        body = b"[" + b",".join(raws) + b"]"
        answer = client.post("/v1/events", content=body, headers=BATCH)
    return answer.status_code, answer.json()


def test_an_event_that_waits_is_answered_with_202_and_what_it_waits_for(
    client: TestClient,
) -> None:
    assert "accord_waiting_events 0.0" in client.get("/metrics").text
    status, told = post(client, EARLY)
    assert "accord_waiting_events 1.0" in client.get("/metrics").text
    of_one = client.get(f"/v1/partnerships/{NAME}/waiting").json()

    assert (status, told["status"]) == (202, "waiting")
    assert told["waiting_for"] == {
        "kind": "referral",
        "id": DEAL,
        "detail": "the referral of deal D1",
    }
    assert client.get("/v1/waiting").json() == of_one
    assert [each["waiting_for"] for each in of_one["items"]] == [told["waiting_for"]]
    assert client.get("/v1/refusals").json()["items"] == []


def test_nothing_can_wait_for_an_unknown_partnership(client: TestClient) -> None:
    status, refused = post(client, sent(PAYMENT, subject="another"))

    of_another = client.get("/v1/partnerships/another/waiting")

    assert (status, refused["rule"]) == (422, "no-such-partnership")
    assert of_another.status_code == 404
    assert of_another.json()["detail"] == "There is no partnership another."
    assert of_another.json()["hint"] == client.get("/v1/partnerships/another").json()["hint"]
    assert client.get(f"/v1/partnerships/{NAME}/waiting").json()["items"] == []


def test_a_batch_in_which_all_wait_is_202_and_one_with_what_they_wait_for_is_200(
    client: TestClient,
) -> None:
    payments = [EARLY, sent(STEPS[-1])]

    status, told = post(client, *payments)
    assert (status, told["accepted"], told["waiting"]) == (202, 0, 2)
    status, told = post(client, *payments, *map(sent, STEPS[:-1]))
    assert (status, told["accepted"], told["waiting"]) == (200, 5, 0)


def test_refusals_are_retried_and_dismissed_over_http(client: TestClient) -> None:
    early = [candidate(name, subject="acme") for name in ("north", "south", "west")]
    post(client, *early)
    numbers = [each["number"] for each in client.get("/v1/refusals").json()["items"]]

    dismissed = client.post(f"/v1/refusals/{numbers[0]}/dismiss", json={"by": "mara"})
    in_vain = client.post(f"/v1/refusals/{numbers[1]}/retry").json()
    post(client, beginning("acme"))
    retried = client.post("/v1/refusals/retry", params={"rule": "no-such-partnership"}).json()

    assert dismissed.json()["numbers"] == numbers[:1]
    assert (in_vain["accepted"], len(in_vain["refused"])) == (0, 1)
    assert (retried["accepted"], retried["refused"]) == (2, [])
    assert client.get("/v1/refusals").json()["items"] == []
    every = client.get("/v1/refusals", params={"all": True}).json()["items"]
    assert [(each["state"], each["dismissed_by"]) for each in every] == [
        ("dismissed", "mara"),
        ("resolved", None),
        ("resolved", None),
    ]
    missing = client.post("/v1/refusals/99/retry")
    assert (missing.status_code, missing.json()["detail"]) == (404, "There is no refusal 99.")
    gone = client.post(f"/v1/refusals/{numbers[1]}/retry")
    assert gone.json()["detail"] == f"Refusal {numbers[1]} is resolved."
    assert client.post("/v1/refusals/dismiss", json={}).status_code == 422
    assert client.post("/v1/refusals/dismiss", json={"by": "mara"}).json()["numbers"] == []


@pytest.mark.parametrize("what", ["retry", "dismiss"])
def test_an_unknown_rule_is_refused_with_the_nearest_ones(client: TestClient, what: str) -> None:
    path, body = f"/v1/refusals/{what}", {"by": "mara"} if what == "dismiss" else None

    answer = client.post(path, params={"rule": "no-such-partnershp"}, json=body)
    of_a_gate = client.post(path, params={"rule": "sponsor:north"}, json=body)

    assert answer.status_code == 422
    (error,) = answer.json()["errors"]
    assert error["parameter"] == "rule"
    assert error["hint"].startswith("Perhaps no-such-partnership")
    assert of_a_gate.status_code == 200


def test_the_command_line_counts_lists_retries_and_dismisses(accord: Accord) -> None:
    accord("init")
    feed = [*FORMED, EARLY, *map(sent, STEPS)]
    Path("early.jsonl").write_bytes(b"\n".join(feed[:-1]))
    first = accord("ingest", "early.jsonl")
    listed = accord("waiting", "--json").json["items"]
    last = accord("ingest", "-", stdin=feed[-1])

    assert first.code == 0
    assert "0 refused, 1 waiting." in first.out
    assert f"{NAME}-27 (//case.example): the win of deal D1" in first.out
    assert [each["waiting_for"]["kind"] for each in listed] == ["win"]
    assert last.code == 0
    assert accord("waiting", NAME, "--json").json["items"] == []
    unknown = accord("waiting", "another")
    assert unknown.code == accord("show", "another").code != 0
    assert "There is no partnership another." in unknown.err

    for name in ("north", "south"):
        accord("ingest", "-", stdin=candidate(name, subject="nobody"))
    assert accord("retry", "--rule", "no-such-partnership").code == 3
    assert accord("dismiss", "1").out == "1 dismissed.\n"
    assert accord("dismiss", "--all").out == "1 dismissed.\n"
    every = accord("refusals", "--all", "--json").json["items"]
    assert [each["state"] for each in every] == ["dismissed", "dismissed"]
    assert every[0]["dismissed_by"].startswith("account ")
    assert [(each["id"], each["message"]) for each in every] == [
        ("identify-north", None),
        ("identify-south", None),
    ]
    assert accord("retry").code == 2
    assert accord("retry", "1", "--all").code == 2
    assert accord("retry", "--rule", "no-such-partnershp").code == 2


@pytest.mark.parametrize("body", [b"", b"[]", b"5", b"null", b'"mara"', b"{", b"\xff"])
def test_a_dismissal_without_an_object_is_refused(client: TestClient, body: bytes) -> None:
    answer = client.post(
        "/v1/refusals/dismiss", content=body, headers={"content-type": "application/json"}
    )

    assert answer.status_code in {400, 422}
    assert answer.json()["detail"]


@pytest.mark.parametrize("name", ["", "a\x00", "a\x85", "n" * 201])
def test_who_dismisses_has_a_name_of_one_line(client: TestClient, name: str) -> None:
    answer = client.post("/v1/refusals/dismiss", json={"by": name})

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["parameter"] == "by"
