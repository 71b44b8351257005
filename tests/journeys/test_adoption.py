"""A first own partnership that already runs: `accord adopt`, its route, and README alone (C28)."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from fastapi.testclient import TestClient

from domain.examples import ADOPTED, ADOPTION
from infra.answers.example_events import example
from infra.bootstrap import Accord, bootstrap, init
from infra.http import create_app
from infra.projecting.replay import replay_all
from infra.settings import Settings
from projections import PROJECTIONS
from tests.documents import REPOSITORY
from tests.feeds import simulated
from tests.infra.messages import from_steps
from tests.journeys import typed

NAME = "growthos-brightpath"
SECTION = "## A partnership that already runs\n"
FEWER_THAN = 12
"""A first partnership states money with fewer events than this."""


def readme() -> tuple[bytes, bytes]:
    """Return the file of the adoption and the facts, as README has them."""
    part = (REPOSITORY / "README.md").read_text(encoding="utf-8").partition(SECTION)[2]
    adoption, facts = re.findall(r"(?s)<<'END'\n(.*?)END\n", part)[:2]
    return adoption.encode(), facts.encode()


def file(**changes: Any) -> bytes:  # noqa: ANN401 - attributes of an event
    """Return a file of an adoption: the attributes that it needs."""
    asked = ADOPTION.model_dump(mode="json", exclude_none=True)
    attributes = {"subject": NAME, "party": "growthos", "actor": "ada", "data": asked}
    attributes["time"] = "2025-08-28T09:00:00Z"  # Its term is over by now.
    return orjson.dumps(attributes | changes)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Accord]:
    settings = Settings(store=f"sqlite:///{tmp_path}/accord.db")
    init(settings)
    with bootstrap(settings) as accord:
        yield accord


def test_a_first_partnership_states_money_by_readme_alone(accord: typed.Accord) -> None:
    adoption, facts = readme()
    Path("adoption.json").write_bytes(adoption)
    Path("facts.jsonl").write_bytes(facts)
    assert accord("init").code == 0

    proposed = accord("adopt", "adoption.json", "--json").json
    ran = accord("ingest", "facts.jsonl", "--json").json
    settled = accord("settle", "acme-north", "--period", "2026-01", "--json").json

    assert (proposed["accepted"], ran["refused"], ran["waiting"]) == (1, [], [])
    assert 1 + ran["accepted"] < FEWER_THAN
    (statement,) = settled["statements"]
    balance = statement["balance"]
    assert (balance["payer"], balance["payee"], balance["amount"]) == ("acme", "north", "960.00")


def test_a_dry_run_records_nothing(accord: typed.Accord) -> None:
    Path("adoption.json").write_bytes(readme()[0])
    accord("init")

    assert "Nothing was recorded." in accord("adopt", "adoption.json", "--dry-run").out
    assert accord("show", "acme-north").code == 1


def test_a_bad_file_is_refused_with_the_field_the_rule_and_a_hint(accord: typed.Accord) -> None:
    adoption = orjson.loads(readme()[0])
    adoption["data"]["terms"][1]["effective_from"] = "2025-05-01"
    Path("adoption.json").write_bytes(orjson.dumps(adoption))
    accord("init")

    ran = accord("adopt", "adoption.json")

    assert ran.code == 3
    assert "terms-never-backwards at /data/terms/1" in ran.out
    assert "Hint: " in ran.out


@pytest.mark.parametrize("raw", [b"", b"[1", b'"adoption"'])
def test_what_is_no_object_is_refused_as_any_event_is(store: Accord, raw: bytes) -> None:
    with store.workers() as workers, TestClient(create_app(store, workers, is_open=True)) as client:
        answer = client.post(
            "/v1/adoptions", content=raw, headers={"content-type": "application/json"}
        )

    assert answer.status_code == 400


def test_the_route_proposes_what_the_command_does(store: Accord) -> None:
    headers = {"content-type": "application/json"}
    twice = file().replace(b'"proposal":', b'"proposal":"x","proposal":', 1)
    with store.workers() as workers, TestClient(create_app(store, workers, is_open=True)) as client:
        strict = client.post("/v1/adoptions", content=twice, headers=headers).json()
        answer = client.post("/v1/adoptions", content=file(), headers=headers)
        shown = client.get(f"/v1/partnerships/{NAME}").json()

    assert strict["status"] == 400  # A key that is given twice is found, as in any event.
    assert answer.json()["status"] == "accepted"
    assert (shown["stage"], shown["adoption"]["agreed_at"]) == ("adoption", None)


def test_people_of_an_adoption_are_stored_as_commitments(tmp_path: Path) -> None:
    with simulated(tmp_path) as accord:
        accord.service.handle(from_steps(ADOPTED))
        bodies = b"".join(accord.history.bodies(NAME))

    for name in (b"Ada", b"Boris", b"Carla", b"Olga"):
        assert name not in bodies


def test_a_rebuild_of_an_adopted_partnership_gives_the_live_rows(tmp_path: Path) -> None:
    with simulated(tmp_path) as accord:
        accord.service.handle(from_steps(ADOPTED))
        accord.catch_up()
        log = list(accord.history.of(NAME))
        for projection, folded in replay_all(PROJECTIONS, log).folded:
            saved = accord.views.rows(projection.name, [(NAME, key) for key in folded.rows])
            expected = {key: projection.dump(key, row) for key, row in folded.rows.items()}
            assert {key: row for (_, key), row in saved.items()} == expected


def test_the_example_of_an_adoption_is_its_file(store: Accord) -> None:
    shown = example(type(ADOPTION))

    (outcome,) = store.service.handle([orjson.dumps(shown)])

    assert outcome.status == "accepted"
