"""The document of the API says what every route takes and gives."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from fastapi.testclient import TestClient
from openapi_spec_validator import validate

from infra.answers.table import QUESTIONS
from infra.bootstrap import bootstrap, init
from infra.deciding import intake
from infra.http import create_app
from infra.http.events import Decided, Decisions
from infra.http.openapi import EXAMPLE
from infra.http.problems import MEDIA_TYPE, ProblemDetails
from infra.settings import Settings

Json = dict[str, Any]


class Operation(NamedTuple):
    """One method of a path, as the document describes it."""

    path: str
    method: str
    described: Json


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    folder = tmp_path_factory.mktemp("openapi")
    settings = Settings(store=f"sqlite:///{folder}/accord.db")
    init(settings)
    with (
        bootstrap(settings) as accord,
        accord.workers() as workers,
        TestClient(create_app(accord, workers, is_open=True)) as client,
    ):
        yield client


@pytest.fixture(scope="module")
def document(client: TestClient) -> Json:
    found: Json = client.get("/openapi.json").json()
    return found


def operations(document: Json) -> list[Operation]:
    return [
        Operation(path, method, described)
        for path, methods in document["paths"].items()
        for method, described in methods.items()
    ]


def test_the_document_is_valid_openapi(document: Json) -> None:
    validate(document)


def test_every_question_has_its_route(document: Json) -> None:
    for question in QUESTIONS:
        described = document["paths"][question.path]["get"]
        content = described["responses"]["200"]["content"]["application/json"]
        assert described["operationId"] == question.name
        assert content["schema"]["$ref"].endswith(f"/{question.answer.__name__}")


def test_every_route_says_what_it_does_and_what_it_answers(document: Json) -> None:
    for path, method, described in operations(document):
        route = f"{method} {path}"
        assert described["operationId"], route
        assert described["summary"], route
        assert described["description"], route
        assert described["tags"], route
        for content in described["responses"]["200"]["content"].values():
            assert content["schema"], route
        for parameter in described.get("parameters", ()):
            assert parameter.get("description"), (route, parameter["name"])


def test_every_property_of_every_schema_is_described(document: Json) -> None:
    schemas = document["components"]["schemas"]
    bare = [
        f"{name}.{key}"
        for name, schema in schemas.items()
        for key, described in schema.get("properties", {}).items()
        if not described.get("description")
    ]

    assert len(schemas) > 300
    assert bare == []


def test_every_operation_has_a_unique_name(document: Json) -> None:
    names = [described["operationId"] for *_, described in operations(document)]

    assert len(names) == len(set(names))


def test_every_problem_is_described_by_one_schema(document: Json) -> None:
    for path, method, described in operations(document):
        for status, response in described["responses"].items():
            if status >= "400":
                schema = response["content"][MEDIA_TYPE]["schema"]
                assert schema["$ref"].endswith("/ProblemDetails"), (method, path, status)


def test_the_answers_to_events_are_those_of_the_document(
    client: TestClient, document: Json
) -> None:
    schema = document["paths"]["/v1/events"]["post"]["responses"]["200"]["content"]
    one = client.post("/v1/events", json=EXAMPLE)
    many = client.post("/v1/events", json=[EXAMPLE])
    wrong = client.post("/v1/events", json={})

    named = {
        each["$ref"].rpartition("/")[2] for each in schema["application/json"]["schema"]["anyOf"]
    }
    assert named == {"Decided", "Decisions"}
    assert Decided.model_validate_json(one.content).model_dump_json() == one.text
    assert Decisions.model_validate_json(many.content).model_dump_json() == many.text
    assert ProblemDetails.model_validate_json(wrong.content).hint


def test_the_schema_of_a_type_is_the_one_of_the_document(
    client: TestClient, document: Json
) -> None:
    for name in intake.envelope_types():
        (one,) = client.get("/v1/schema", params={"type": name}).json()["items"]
        assert one["json_schema"]["properties"]["type"]["const"] == name
        assert name in document["components"]["schemas"]["Event"]["discriminator"]["mapping"]


def test_the_hint_of_every_problem_says_what_to_do(client: TestClient) -> None:
    for method, path in (
        ("GET", "/v1/nothing"),
        ("GET", "/v1/events"),
        ("GET", "/v1/partnerships?limit=none"),
        ("GET", "/v1/partnerships/nobody/statements"),
        ("GET", "/v1/partnerships/nobody/checkpoint"),
        ("GET", "/v1/schema?type=Nothing"),
    ):
        problem = ProblemDetails.model_validate_json(client.request(method, path).content)
        assert problem.status >= 400, path
        assert len(problem.hint) > 10, path
