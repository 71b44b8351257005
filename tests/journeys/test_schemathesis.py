"""Requests drawn from the API's own document: never a fault of the program, never an odd answer.

`make test` draws one for each operation. `make test-api` draws many.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from infra.bootstrap import bootstrap
from infra.http import create_app
from infra.settings import Settings
from tests.feeds import played

EXAMPLES = int(os.environ.get("ACCORD_API_EXAMPLES", "1"))
"""How many requests are drawn for each operation."""

STREAM = "/v1/alerts/stream"
"""An answer without an end; its tests are those of the stream."""

CONFORM = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[schemathesis.BaseSchema]:
    folder: Path = tmp_path_factory.mktemp("api")
    with played(folder) as accord:
        accord.catch_up()
    with (
        bootstrap(Settings(store=f"sqlite:///{folder}/accord.db")) as accord,
        accord.workers() as workers,
    ):
        yield schemathesis.openapi.from_asgi(
            "/openapi.json", create_app(accord, workers, is_open=True)
        )


def test_every_answer_is_one_that_the_document_describes(api: schemathesis.BaseSchema) -> None:
    drawn: set[str] = set()
    for result in api.exclude(path=STREAM).get_all_operations():
        assert isinstance(result, Ok)
        operation = result.ok()

        @settings(
            max_examples=EXAMPLES,
            deadline=None,
            derandomize=True,
            database=None,
            phases=[Phase.explicit, Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy())
        def conforms(case: schemathesis.Case[Any]) -> None:
            case.call_and_validate(checks=CONFORM)
            drawn.add(case.operation.label)

        conforms()
    assert len(drawn) > 30
