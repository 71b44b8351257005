"""Every question has one answer: `--json` prints the bytes of the HTTP body.

The tests run over the table of questions, so a new question is tested without a line here.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from httpx2 import Response

from domain.execution import MilestonePlanned
from domain.payment import ReceivePayment
from infra.answers.table import QUESTIONS
from infra.bootstrap import bootstrap
from infra.http import create_app
from infra.http.problems import MEDIA_TYPE
from infra.settings import Settings
from tests.feeds import played
from tests.infra.answers.helpers import AURORA, changed_event
from tests.infra.messages import message
from tests.journeys.asked import CONSULTING, WAYS, Asked
from tests.journeys.typed import Accord
from tests.life import example
from tests.sweeps import sweep

STRANGER = "passer-by"

PAGED = [Asked(each, {}) for each in QUESTIONS if each.is_paged]
OF_PARTIES = [Asked(each, {}) for each in QUESTIONS if each.asks_when and "{id}" in each.path]

WHEN = {"at", "known", "party"}
PRESENT = [each for each in WAYS if not WHEN & each.options.keys()]
PAST = [each for each in WAYS if WHEN & each.options.keys() and each.question.name == "checklist"]

Answered = Callable[[Asked], Response]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A store into which all examples were played."""
    folder = tmp_path_factory.mktemp("demo")
    with played(folder) as store:
        payments = [example(ReceivePayment, deal=f"D-{number}") for number in range(4)]
        early = [message(each.deal, each, subject=CONSULTING) for each in payments]
        assert {each.status for each in store.service.handle(early)} == {"waiting"}
        proposal = example(MilestonePlanned.proposes, proposal="M-1", milestone="second-launch")
        asked = message("M-1", proposal, subject=CONSULTING)
        assert [each.status for each in store.service.handle([asked])] == ["accepted"]
        store.runner.catch_up()
    return f"sqlite:///{folder}/accord.db"


@pytest.fixture(scope="module")
def client(demo: str) -> Iterator[TestClient]:
    with (
        bootstrap(Settings(store=demo)) as accord,
        accord.workers() as workers,
        TestClient(create_app(accord, workers, is_open=True)) as client,
    ):
        yield client


@pytest.fixture(scope="module")
def answered(client: TestClient) -> Answered:
    """Ask a question over HTTP once; the store does not change."""
    known: dict[str, Response] = {}

    def answer(asked: Asked) -> Response:
        if str(asked) not in known:
            known[str(asked)] = client.get(asked.url(), params=asked.query())
        return known[str(asked)]

    return answer


@pytest.mark.parametrize("asked", WAYS, ids=str)
def test_the_command_prints_what_http_answers(
    accord: Accord, demo: str, answered: Answered, asked: Asked
) -> None:
    answer = answered(asked)
    ran = accord(*asked.typed, "--json", *asked.of_store(demo))

    assert (ran.code, answer.status_code) == (0, 200), ran.err or answer.text
    assert ran.out == f"{answer.text}\n"
    assert answer.json().get("simulated", False) is asked.question.reads_store
    assert asked.question.answer.model_validate_json(answer.content).model_dump_json() == (
        answer.text
    )


@pytest.mark.parametrize("asked", WAYS, ids=str)
def test_the_command_prints_an_answer_for_people(accord: Accord, demo: str, asked: Asked) -> None:
    ran = accord(*asked.typed, *asked.of_store(demo))

    assert ran.code == 0, ran.err
    assert ran.out or "There are no" in ran.err


@pytest.mark.parametrize("asked", sweep(WAYS, PRESENT + PAST), ids=str)
def test_an_answer_that_is_still_the_same_is_not_sent_again(
    client: TestClient, answered: Answered, asked: Asked
) -> None:
    """Of a past moment, and for a party, only one question is asked: all make their tag alike."""
    etag = answered(asked).headers["etag"]

    again = client.get(asked.url(), params=asked.query(), headers={"If-None-Match": etag})
    other = client.get(asked.url(), params=asked.query(), headers={"If-None-Match": '"other"'})

    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", etag)
    assert (other.status_code, other.headers["etag"]) == (200, etag)


@pytest.mark.parametrize("tags", [["*"], ["W/{etag}"], ['W/"x" , W/{etag}'], ['"x"', "{etag}"]])
def test_a_tag_is_compared_as_http_has_it(client: TestClient, tags: list[str]) -> None:
    etag = client.get("/v1/metrics").headers["etag"]
    headers = [("If-None-Match", each.replace("{etag}", etag)) for each in tags]

    assert client.get("/v1/metrics", headers=headers).status_code == 304


@pytest.mark.parametrize("asked", PAGED, ids=str)
def test_pages_hold_every_item_once(
    accord: Accord, demo: str, client: TestClient, asked: Asked
) -> None:
    whole = accord(*asked.typed, "--json", *asked.of_store(demo)).json["items"]
    size = len(whole) // 3 + 1
    items, after, pages = [], None, 0
    while pages == 0 or after:
        query = asked.query() | {"limit": str(size)} | ({"after": after} if after else {})
        page = client.get(asked.url(), params=query).json()
        items += page["items"]
        after = page["next"]
        pages += 1

    assert items == whole
    assert pages == -(-len(whole) // size)


@pytest.mark.parametrize("asked", PAGED, ids=str)
@pytest.mark.parametrize("cursor", ["nonsense", "!", "WyJvdGhlciIsIDFd"])
def test_a_cursor_of_another_question_is_not_found(
    accord: Accord, demo: str, client: TestClient, asked: Asked, cursor: str
) -> None:
    answer = client.get(asked.url(), params=asked.query() | {"after": cursor})

    assert (answer.status_code, answer.headers["content-type"]) == (404, MEDIA_TYPE)
    assert answer.json()["hint"]
    assert accord(*asked.typed, "--after", cursor, "--store", demo).code == 1


@pytest.mark.parametrize("asked", OF_PARTIES, ids=str)
def test_a_stranger_is_shown_no_partnership(
    accord: Accord, demo: str, client: TestClient, asked: Asked
) -> None:
    answer = client.get(asked.url(), params=asked.query() | {"party": STRANGER})
    ran = accord(*asked.typed, "--party", STRANGER, "--store", demo)

    assert (answer.status_code, answer.headers["content-type"]) == (404, MEDIA_TYPE)
    assert ran.code == 1
    assert answer.json()["detail"] in ran.err


def test_an_event_that_cannot_be_read_is_a_problem_and_not_a_traceback(
    accord: Accord, tmp_path: Path
) -> None:
    with played(tmp_path) as store:
        changed_event(tmp_path, 0, '"schema_version":1', '"schema_version":7')
        with (
            store.workers() as workers,
            TestClient(create_app(store, workers, is_open=True)) as client,
        ):
            state = client.get(f"/v1/partnerships/{AURORA}")
            log = client.get(f"/v1/partnerships/{AURORA}/history", params={"limit": 1})
    ran = accord("show", AURORA, "--store", f"sqlite:///{tmp_path}/accord.db")

    assert (state.status_code, state.headers["content-type"]) == (503, MEDIA_TYPE)
    assert state.json()["detail"].startswith(f"{AURORA}#0 is ExplorationBegun, version 7, ")
    assert state.json()["hint"].startswith("Upgrade Accord")
    assert log.json()["items"][0]["event"]["schema_version"] == 7
    assert ran.code == 1
    assert ran.err.splitlines()[-1] == f"accord: {state.json()['detail']} {state.json()['hint']}"


@pytest.mark.parametrize("asked", OF_PARTIES, ids=str)
def test_an_unknown_partnership_is_not_found(client: TestClient, asked: Asked) -> None:
    url = asked.question.path.format_map(asked.required | {"id": "growth-consulting"})
    query = {key: each for key, each in asked.query().items() if key != "id"}

    answer = client.get(url, params=query)

    assert answer.status_code == 404
    assert CONSULTING in answer.json()["hint"]
