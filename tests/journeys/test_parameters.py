"""Parameters are read strictly, and a mistake reads the same over HTTP and on the command line."""

from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from infra.answers import cursors
from infra.answers.logs import AsOf
from infra.answers.table import QUESTIONS
from infra.bootstrap import bootstrap, init
from infra.http import create_app
from infra.http.problems import MEDIA_TYPE
from infra.settings import Settings
from projections.visibility import Viewer
from tests.infra.messages import beginning, candidate
from tests.journeys.asked import Asked
from tests.journeys.typed import Accord

OURS = "growthos"
FIRST, SECOND = "growthos-brightpath", "growthos-other"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A store with two partnerships of one party."""
    settings = Settings(store=f"sqlite:///{tmp_path_factory.mktemp('parameters')}/accord.db")
    init(settings)
    with bootstrap(settings) as accord:
        for name in (FIRST, SECOND):
            found = [candidate(each, subject=name, id=f"{name}-{each}") for each in ("one", "two")]
            outcomes = accord.service.handle([beginning(name), *found])
            assert [each.status for each in outcomes] == ["accepted"] * 3, outcomes
    return settings.store


@pytest.fixture(scope="module")
def client(store: str) -> Iterator[TestClient]:
    with (
        bootstrap(Settings(store=store)) as accord,
        accord.workers() as workers,
        TestClient(create_app(accord, workers, is_open=True)) as client,
    ):
        yield client


def _words(text: str) -> str:
    # The command line breaks long lines and draws a frame around them.
    return " ".join(text.translate({ord("│"): None}).split())


# --- the same words ----------------------------------------------------------------------------

WRONG = [
    (f"/v1/partnerships/{FIRST}", ["show", FIRST], "party", "A B", "party is not an identifier"),
    (f"/v1/partnerships/{FIRST}", ["show", FIRST], "party", "", "party is not an identifier: ''"),
    (f"/v1/partnerships/{FIRST}", ["show", FIRST], "version", "0", "version is below 1: 0"),
    (f"/v1/partnerships/{FIRST}", ["show", FIRST], "version", "1_0", "is not a whole number"),
    (f"/v1/partnerships/{FIRST}", ["show", FIRST], "version", "1.0", "is not a whole number"),
    (
        f"/v1/partnerships/{FIRST}/kpis",
        ["kpis", FIRST],
        "period",
        "2026-Q5",
        "period is not a period: '2026-Q5'",
    ),
    (f"/v1/partnerships/{FIRST}/kpis", ["kpis", FIRST], "period", "2026\n", "'2026\\n'"),
    ("/v1/partnerships", ["list"], "limit", "0", "limit is below 1: 0"),
    ("/v1/partnerships", ["list"], "limit", "-1", "limit is below 1: -1"),
    ("/v1/refusals", ["refusals"], "rule", "no-such-deals", "rule is not a rule that can refuse"),
    ("/v1/partnerships", ["list"], "limit", "1001", "limit is above 1000: 1001"),
    ("/v1/partnerships", ["list"], "limit", "ten", "limit is not a whole number: 'ten'"),
    ("/v1/partnerships", ["list"], "after", "a\tb", "'a\\tb'"),
    ("/v1/alerts", ["alerts"], "state", "opened", "state is not one of"),
]


@pytest.mark.parametrize(("path", "typed", "name", "value", "words"), WRONG)
def test_a_wrong_parameter_is_told_in_the_same_words(
    client: TestClient,
    accord: Accord,
    store: str,
    path: str,
    typed: list[str],
    name: str,
    value: str,
    words: str,
) -> None:
    answer = client.get(path, params={name: value})
    ran = accord(*typed, f"--{name}={value}", "--store", store, columns=200)

    problem = answer.json()
    assert (answer.status_code, answer.headers["content-type"]) == (422, MEDIA_TYPE)
    assert words in problem["detail"]
    assert [each["parameter"] for each in problem["errors"]] == [name]
    assert problem["hint"]
    assert ran.code == 2
    assert _words(f"{problem['detail']} {problem['hint']}") in _words(ran.err)


@pytest.mark.parametrize("id", ["", "A B", "a\nb", "a\x7f", "x" * 65])
def test_a_wrong_id_is_told_in_the_same_words(
    client: TestClient, accord: Accord, store: str, id: str
) -> None:
    ran = accord("show", id, "--store", store, columns=200)

    assert ran.code == 2
    assert "id is not an identifier" in _words(ran.err)
    if id:  # An empty id is another route.
        answer = client.get("/v1/partnerships/" + id.replace("\n", "%0A").replace("\x7f", "%7F"))
        problem = answer.json()
        assert answer.status_code == 422
        assert _words(f"{problem['detail']} {problem['hint']}") in _words(ran.err)


def test_what_is_no_period_and_no_statement_is_said_to_be_neither(
    client: TestClient, accord: Accord, store: str
) -> None:
    answer = client.get(f"/v1/partnerships/{FIRST}/statement", params={"period": "zzz"})
    ran = accord("statement", FIRST, "--period", "zzz", "--store", store)

    assert answer.status_code == 404
    assert answer.json()["detail"] == "zzz is neither a period nor the name of a statement."
    assert answer.json()["detail"] in ran.err


# --- unknown and repeated ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "query", "hint"),
    [
        (f"/v1/partnerships/{FIRST}/kpis", "perod=2026-Q1", "Perhaps period?"),
        ("/v1/partnerships", "knwon=2026-01-01", "Perhaps known?"),
        ("/v1/portfolio", "verbose=1", "The parameters of this route: period, at, known, party."),
        ("/healthz", "x=1", "The parameters of this route: none."),
        (f"/v1/partnerships/{FIRST}/checkpoint", "size=1", "none"),
        ("/v1/alerts/stream", "partnershp=x", "Perhaps partnership?"),
    ],
)
def test_an_unknown_parameter_is_refused(
    client: TestClient, path: str, query: str, hint: str
) -> None:
    answer = client.get(f"{path}?{query}")

    assert answer.status_code == 422
    assert "There is no parameter" in answer.json()["detail"]
    assert hint in answer.json()["hint"]


def test_a_parameter_is_given_once_unless_several_are_meant(client: TestClient) -> None:
    once = client.get(f"/v1/partnerships/{FIRST}/kpis?period=2026&period=2026")
    several = client.get(f"/v1/markets?partnership={FIRST}&partnership={SECOND}")

    assert once.status_code == 422
    assert once.json()["detail"] == "period is given more than once."
    assert several.status_code == 200


# --- HEAD --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    ["/healthz", "/docs", "/v1/partnerships", f"/v1/partnerships/{FIRST}/history", "/v1/portfolio"],
)
def test_head_answers_as_get_without_the_body(client: TestClient, path: str) -> None:
    got, head = client.get(path), client.head(path)

    assert (head.status_code, head.content) == (got.status_code, b"")
    assert head.headers == got.headers


def test_head_of_a_route_that_is_posted_to_is_not_allowed(client: TestClient) -> None:
    assert client.head("/v1/events").status_code == 405
    assert client.delete("/v1/partnerships").headers["allow"] == "GET, HEAD"


def test_head_of_the_stream_of_alerts_ends(client: TestClient) -> None:
    head = client.head("/v1/alerts/stream")

    assert (head.status_code, head.content) == (200, b"")


# --- answers about now -------------------------------------------------------------------------


def test_the_portfolio_of_now_is_the_same_until_something_changes(client: TestClient) -> None:
    first = client.get("/v1/portfolio")
    again = client.get("/v1/portfolio", headers={"If-None-Match": first.headers["etag"]})

    assert first.json()["moment"]
    assert again.status_code == 304


def test_a_party_without_partnerships_has_an_empty_portfolio_on_both(
    client: TestClient, accord: Accord, store: str
) -> None:
    answer = client.get("/v1/portfolio", params={"party": "nobody"})
    ran = accord("portfolio", "--party", "nobody", "--json", "--store", store)

    assert ran.out == f"{answer.text}\n"
    assert (answer.json()["moment"], answer.json()["portfolios"]) == (None, [])


# --- cursors -----------------------------------------------------------------------------------


def _next(client: TestClient, path: str, **query: str) -> str:
    found: str = client.get(path, params={"limit": "1", **query}).json()["next"]
    return found


def test_a_cursor_is_of_one_question_one_partnership_and_one_viewer(client: TestClient) -> None:
    history, other = (f"/v1/partnerships/{name}/history" for name in (FIRST, SECOND))
    cursor = _next(client, history)

    assert client.get(history, params={"after": cursor}).status_code == 200
    for path, query in [
        (other, {}),
        (history, {"party": OURS}),
        (history, {"at": "2026-02-01"}),
        ("/v1/partnerships", {}),
        ("/v1/alerts", {}),
    ]:
        answer = client.get(path, params={"after": cursor, **query})
        assert answer.status_code == 404, (path, query)
        assert "is not a cursor of this" in answer.json()["detail"]


def test_a_cursor_that_was_made_by_hand_is_refused_and_not_repeated_whole(
    client: TestClient,
) -> None:
    path = f"/v1/partnerships/{FIRST}/history"
    question = cursors.asked("history", FIRST, when=AsOf(viewer=Viewer(None)))
    backwards = cursors.written(question, -1)

    assert client.get(path, params={"after": cursors.written(question, 1)}).status_code == 200
    assert client.get(path, params={"after": backwards}).status_code == 404
    for long in ("x" * 250, "x" * 50_000):
        answer = client.get(path, params={"after": long})
        assert answer.status_code in {404, 422}
        assert len(answer.text) < 1000


def test_every_question_with_pages_refuses_a_cursor_of_another(client: TestClient) -> None:
    cursor = cursors.written(cursors.asked("elsewhere"), 1)
    paged = [Asked(each, {}) for each in QUESTIONS if each.is_paged]

    for each in paged:
        path = each.question.path
        given = {name: value for name, value in each.required.items() if f"{{{name}}}" not in path}
        answer = client.get(path.format(id=FIRST), params={**given, "after": cursor})
        assert answer.status_code == 404, path
