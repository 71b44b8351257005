"""Validators of others accept the documents of the API and of the topics."""

from pathlib import Path

import orjson
import pytest

from infra.bootstrap import bootstrap, init
from infra.exchange.published import asyncapi
from infra.http import create_app
from infra.settings import Settings
from tests.journeys.foreign.clients import Specifications

pytestmark = [pytest.mark.foreign, pytest.mark.needs("node", "npm")]


@pytest.fixture(scope="module")
def validator(tmp_path_factory: pytest.TempPathFactory) -> Specifications:
    return Specifications.installed(tmp_path_factory.mktemp("specifications"))


@pytest.fixture
def openapi(tmp_path: Path) -> bytes:
    settings = Settings(store=f"sqlite:///{tmp_path}/accord.db")
    init(settings)
    with bootstrap(settings) as accord, accord.workers() as workers:
        return orjson.dumps(create_app(accord, workers, is_open=True).openapi())


def test_both_documents_are_valid(validator: Specifications, openapi: bytes) -> None:
    assert validator.faults(openapi, orjson.dumps(asyncapi())) == []


def test_a_fault_in_either_document_is_found(validator: Specifications, openapi: bytes) -> None:
    no_title = orjson.loads(openapi)
    del no_title["info"]["title"]
    no_channel = asyncapi()
    no_channel["operations"]["send-kpis"]["channel"] = {"$ref": "#/channels/nothing"}

    faults = validator.faults(orjson.dumps(no_title), orjson.dumps(no_channel))

    assert {each.partition(" ")[0] for each in faults} == {"openapi", "asyncapi"}
