"""What a key can reach, over every surface, has nothing that another party keeps to itself.

Random lives have private facts of both parties with markers in them (`tests.planted`). Each key
asks every route of the application with every parameter, and each question of the command line is
asked as a party. Routes and parameters are those that the application itself names: a new one is
asked, too, and a parameter without a value in `VALUES` fails. `make test` plays one life, and asks
optional parameters with the first of their values; `make sweeps` plays two, with all values.
Bundles have their test in `tests/audit/test_bundle_views.py`, the parties' topics in
`tests/infra/test_courier.py`.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import product
from random import Random
from typing import Any, Final

import orjson
import pytest
from starlette.testclient import TestClient
from typer.testing import CliRunner

from domain.claims import ConfirmClaim, FigureRef, ObjectToClaim
from domain.examples import EXAMPLES, changed
from domain.formation import DeclareBestAlternative
from domain.kernel import Command
from domain.payment import ReceivePayment
from domain.reported_figure import CorrectMetric, ReportMetric
from infra.access import credentials
from infra.access.credentials import Grant
from infra.access.roles import Role
from infra.answers.table import QUESTIONS
from infra.cli.options import app as command_line
from infra.http import create_app
from infra.http.access import GuardedRoute, guarded_routes
from infra.http.alerts import STREAM
from tests import planted
from tests.feeds import simulated
from tests.infra.access.worlds import Served, streamed
from tests.infra.messages import message
from tests.life import OURS, THEIRS, example
from tests.planted import PARTIES, PARTNERSHIP, POSITIONS, WORDS
from tests.sweeps import sweep

OUTSIDER = "passer-by"

KEYS: Final = {
    OURS: Grant(role=Role.PARTY, party=OURS, actor="maya"),
    THEIRS: Grant(role=Role.PARTY, party=THEIRS, actor="boris"),
    f"service of {THEIRS}": Grant(role=Role.SERVICE, party=THEIRS, actor="crm"),
    OUTSIDER: Grant(role=Role.PARTY, party=OUTSIDER, actor="pat"),
    "auditor of another": Grant(
        role=Role.AUDITOR, actor="ada", partnerships=frozenset({"aurora-series"})
    ),
    "auditor": Grant(role=Role.AUDITOR, actor="ada", partnerships=frozenset({PARTNERSHIP})),
    "auditor of candidates": Grant(
        role=Role.AUDITOR, actor="ada", partnerships=frozenset({PARTNERSHIP}), candidates=True
    ),
    "operations": Grant(role=Role.OPERATIONS, actor="pager"),
    "operator": Grant(role=Role.OPERATOR, actor="ops"),
    "no key": None,
}

VALUES: Final[dict[str, list[str]]] = {
    "id": [PARTNERSHIP],
    "partnership": [PARTNERSHIP],
    "party": [OURS, THEIRS],
    "metric": ["followers", "demo_to_paid", "leads"],
    "period": ["2026-01", "2025-Q3"],
    "reference": [
        *(f"{PARTNERSHIP}/{each}" for each in ("followers/2026-01", "demo_to_paid/2026-Q1")),
        f"{PARTNERSHIP}/deal/lead-1",
        f"referral-minimum@1/{PARTNERSHIP}/2026-Q1",
    ],
    "rule": ["conversion-floor"],
    "review": ["review-1"],
    "since": ["2026-01", "begin"],
    "against": ["2026-02-01"],
    "at": ["2026-02-01", "2025-11-18"],
    "known": ["2026-02-01"],
    "version": ["60"],
    "limit": ["1000"],
    "after": ["none"],
    "old": ["0", "40"],
    "index": ["14"],
    "number": ["1", "99"],
    "key": ["000000000000"],
    "policy": ["first-touch"],
    "state": ["open", "resolved"],
    "all": ["true"],
    "type": ["DeclareBestAlternative"],
    "words": ["declared", "lead", "e", PARTNERSHIP],
}
"""Values for each parameter, by its name."""

ALWAYS: Final = {"limit": "1000"}
"""What is asked wherever a route takes it, so that no page hides what the next one has."""


@dataclass(frozen=True)
class World(Served):
    """A served store with a life of two parties, and a key for each role."""

    store: str
    paths: dict[str, Any]
    """The operations of each path, as the application's document describes them."""

    def routes(self) -> list[GuardedRoute]:
        served: Any = self.client.app
        return [*guarded_routes(served.routes)]


@pytest.fixture(scope="module", params=sweep([1, 2], [1]), ids=lambda seed: f"life {seed}")
def world(tmp_path_factory: pytest.TempPathFactory, request: Any) -> Iterator[World]:  # noqa: ANN401
    folder = tmp_path_factory.mktemp("markers")
    with simulated(folder) as accord:
        outcomes = accord.service.handle(planted.life(Random(request.param)))  # noqa: S311
        assert {each.status for each in outcomes} == {"accepted"}
        sent = [each for party in PARTIES for each in inputs(party)]
        statuses = {each.status for each in accord.service.handle(sent)}
        assert statuses == {"refused", "waiting"}
        accord.catch_up()
        now = datetime.now(UTC)
        keys = {
            name: credentials.create(accord.history.credentials, grant, now).key if grant else None
            for name, grant in KEYS.items()
        }
        for party, word in WORDS.items():
            # The list of keys has names, too.
            named = Grant(role=Role.SERVICE, party=party, actor=word)
            credentials.create(accord.history.credentials, named, now)
        with accord.workers() as workers, TestClient(app := create_app(accord, workers)) as client:
            paths = app.openapi()["paths"]
            yield World(accord, workers, client, keys, f"sqlite:///{folder}/accord.db", paths)


def inputs(party: str) -> list[bytes]:
    """An input of a party that is refused, and one that waits, both with its markers."""
    late = planted.marked(example(DeclareBestAlternative), POSITIONS[party])
    payment = example(ReceivePayment, deal=POSITIONS[party], payment=WORDS[party])
    given = {"party": party, "at": "2026-12-05", "source": f"//{WORDS[party]}.example"}
    return [
        message(f"{WORDS[party]}-late", late, **given | {"type": "accord.DeclareNonNegotiable"}),
        message(f"{WORDS[party]}-waits", payment, **given),
    ]


# --- what a key may not find --------------------------------------------------------------------


def hidden(name: str) -> list[bytes]:
    """Return the markers that must not be in what a key gets."""
    grant = KEYS[name]
    positions = [each.encode() for each in POSITIONS.values()]
    if grant and (
        grant.role in {Role.OPERATOR, Role.OPERATIONS} or PARTNERSHIP in grant.partnerships
    ):
        # They see both parties' figures, but not small counts, and not what either says of its own
        # position. Only a mandate that says so includes the candidates that were not chosen.
        positions += [each for party in PARTIES for each in planted.counts(party)]
        return positions if grant.candidates else [*positions, planted.RIVAL.encode()]
    return [
        each
        for party in PARTIES
        for each in {*planted.markers(party), *planted.counts(party)}
        if party != party_of(name)
    ]


def party_of(name: str) -> str | None:
    grant = KEYS[name]
    return grant.party if grant else None


def leaks(name: str, text: bytes) -> list[bytes]:
    lower = text.lower()
    return [each for each in hidden(name) if each in lower]


# --- every route --------------------------------------------------------------------------------


def parameters(world: World, route: GuardedRoute) -> dict[str, bool]:
    """Return the names of a route's parameters in its path and query: whether each is required."""
    (method,) = (each.lower() for each in route.methods or ())
    described = world.paths.get(route.path, {}).get(method, {})
    found = {
        each["name"]: each.get("required", False)
        for each in described.get("parameters", [])
        if each["in"] in {"path", "query"}
    }
    return found | dict.fromkeys(route.param_convertors, True)


def asked(world: World, route: GuardedRoute) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield each way to ask a route: the path and the query."""
    named = parameters(world, route)
    required = [name for name, is_required in named.items() if is_required]
    always = {name: value for name, value in ALWAYS.items() if name in named}
    for values in product(*(VALUES[name] for name in required)):
        given = dict(zip(required, values, strict=True)) | always
        yield _request(route, given)
    first = {name: VALUES[name][0] for name in required} | always
    for name in sorted(named.keys() - set(required)):
        # A view of another party is asked for by each key, so by each party for the other's.
        some = VALUES[name] if name == "party" else VALUES[name][:1]
        for value in sweep(VALUES[name], some):
            yield _request(route, first | {name: value})


def _request(route: GuardedRoute, given: dict[str, str]) -> tuple[str, dict[str, str]]:
    in_path = set(route.param_convertors)
    path = route.path.format(**{name: given[name] for name in in_path})
    return path, {name: value for name, value in given.items() if name not in in_path}


@pytest.mark.parametrize("name", KEYS)
def test_no_route_gives_a_key_what_another_party_keeps_to_itself(
    world: World, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    answered = 0
    for route in world.routes():
        (method,) = route.methods or {""}
        if route.path == STREAM and method == "GET":
            continue
        for path, query in asked(world, route):
            found = world.client.request(
                method, path, params=query, headers=world.headers(name), follow_redirects=False
            )
            answered += found.status_code == 200
            text = found.content + repr(found.headers).encode()
            assert not leaks(name, text), (method, path, query)
    assert answered > (5 if name == "no key" else 10)
    logged = "\n".join(each.getMessage() for each in caplog.records).lower().encode()
    assert [each for party in PARTIES for each in planted.markers(party) if each in logged] == []


@pytest.mark.parametrize("party", PARTIES)
def test_a_party_finds_its_own_private_facts(world: World, party: str) -> None:
    found = world.client.get(
        f"/v1/partnerships/{PARTNERSHIP}/history",
        params={"limit": 1000},
        headers=world.headers(party),
    )
    assert planted.found(party, found.content) == [*planted.markers(party)]


@pytest.mark.parametrize("name", [name for name, grant in KEYS.items() if grant])
def test_the_stream_of_alerts_gives_a_key_nothing_of_another_party(world: World, name: str) -> None:
    found = streamed(create_app(world.accord, world.workers), world.headers(name))
    assert found.status_code == 200
    assert not leaks(name, found.content)


@pytest.mark.parametrize("name", [OURS, THEIRS, OUTSIDER])
def test_no_refusal_tells_a_party_a_name_that_the_other_keeps_to_itself(
    world: World, name: str
) -> None:
    """Each command is tried with names that are nearly the other party's.

    In `make test` the commands take the names in turns.
    """
    refused = 0
    names = [each.decode()[:-1] for each in hidden(name) if each.isalpha()]
    for number, kind in enumerate(EXAMPLES):
        for near in sweep(names, [names[number % len(names)]]):
            tried = planted.marked(example(kind), near)
            sent = message(f"near-{near}", tried, party=name, subject=PARTNERSHIP, at="2026-12-06")
            found = world.client.post(
                "/v1/validate",
                content=sent,
                headers=world.headers(name) | {"Content-Type": "application/cloudevents+json"},
            )
            refused += b'"refused"' in found.content
            assert not leaks(name, found.content), (kind, near)
    assert refused > len(EXAMPLES) / 2


@pytest.mark.parametrize("party", PARTIES)
def test_nobody_learns_that_there_is_a_figure_that_it_does_not_see(
    world: World, party: str
) -> None:
    """It could correct the figure of a candidate that was not chosen, and so find who they are."""
    other = next(each for each in PARTIES if each != party)
    hidden = [planted.unshared(other)]
    hidden += [each for each in planted.rival() if isinstance(each, ReportMetric)][: other == OURS]

    def told(figure: ReportMetric, word: str) -> list[bytes]:
        tool = word if figure.tool == figure.segment else figure.tool
        figure = changed(figure, segment=word, tool=tool)
        named = {name: getattr(figure, name) for name in FigureRef.model_fields}
        of = FigureRef(**named)
        commands: list[Command] = [
            CorrectMetric(**named, figure=figure.figure, reason="It was wrong."),
            ConfirmClaim(figure=of, fact="figure"),
            ObjectToClaim(figure=of, fact="figure", reason="Not so."),
        ]
        headers = world.headers(party) | {"Content-Type": "application/cloudevents+json"}
        return [
            world.client.post(
                "/v1/validate",
                content=message(f"tried-{number}", each, party=party, at="2026-12-06"),
                headers=headers,
            ).content.replace(word.encode(), b"WORD")
            for number, each in enumerate(commands)
        ]

    for figure in hidden:
        assert told(figure, str(figure.segment)) == told(figure, "nobody")


def test_a_mandate_that_names_the_candidates_shows_them(world: World) -> None:
    path = f"/v1/partnerships/{PARTNERSHIP}/candidates"
    found = world.client.get(path, headers=world.headers("auditor of candidates"))

    assert planted.RIVAL.encode() in found.content


# --- without a key ------------------------------------------------------------------------------


SMALL = [each for party in PARTIES for each in planted.counts(party)]
"""The counts below the smallest cell, which nobody sees without saying whose view it asks for."""


def seen_as(party: str | None, text: bytes) -> list[bytes]:
    """Return what is in a text and not in the view of a party, or of nobody in particular."""
    if party is not None:
        return leaks(party, text)
    # Both parties' figures and all candidates are shown, and inputs as they were sent.
    return [each for each in SMALL if each in text]


@pytest.fixture(scope="module")
def unlocked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """An open server: its store has no key."""
    folder = tmp_path_factory.mktemp("open")
    with simulated(folder) as accord:
        accord.service.handle(planted.life())
        accord.service.handle([each for party in PARTIES for each in inputs(party)])
        accord.catch_up()
        app = create_app(accord, (workers := accord.workers()), is_open=True)
        with workers, TestClient(app) as client:
            store, paths = f"sqlite:///{folder}/accord.db", app.openapi()["paths"]
            yield World(accord, workers, client, {"no key": None}, store, paths)


def test_no_route_of_an_open_server_shows_a_small_count_unless_its_party_asks(
    unlocked: World,
) -> None:
    answered, own = 0, set[bytes]()
    for route in unlocked.routes():
        (method,) = route.methods or {""}
        if route.path == STREAM and method == "GET":
            continue
        for path, query in asked(unlocked, route):
            found = unlocked.client.request(method, path, params=query, follow_redirects=False)
            answered += found.status_code == 200
            party = query.get("party") if found.status_code == 200 else None
            text = found.content + repr(found.headers).encode()
            assert not seen_as(party, text), (method, path, query)
            own |= {each for each in SMALL if each in text}
    assert answered > 60
    assert own >= {each.encode() for party in PARTIES for each in planted.COUNTS[party]}


def test_no_alert_of_an_open_server_has_a_small_count(unlocked: World) -> None:
    found = streamed(create_app(unlocked.accord, unlocked.workers, is_open=True))
    assert found.status_code == 200
    assert planted.FLOOR.proposal.encode() in found.content
    assert not seen_as(None, found.content)


def test_who_opens_the_store_sees_a_small_count_only_in_a_full_view(world: World) -> None:
    line = ["history", PARTNERSHIP, "--store", world.store, "--json"]

    def shown(*more: str) -> list[bytes]:
        ran = CliRunner().invoke(command_line, [*line, *more])
        assert ran.exit_code == 0, ran.output
        return [each for each in SMALL if each in ran.stdout.encode()]

    assert not shown()
    assert shown("--full", "A dispute about demos.")


# --- the command line ---------------------------------------------------------------------------


@pytest.mark.parametrize("party", [*PARTIES, None])
def test_no_question_of_the_command_line_shows_anybody_what_a_party_keeps_to_itself(
    world: World, party: str | None
) -> None:
    answered, as_party = 0, ["--party", party] if party else []
    for question in QUESTIONS:
        if not question.asks_when:
            continue
        required = [name for name, each in question.parameters.items() if each.is_required]
        for values in product(*(VALUES[name] for name in required)):
            for form in ((), ("--json",)):
                line = [*question.name.split(), *_typed(question, required, values)]
                ran = CliRunner().invoke(
                    command_line, [*line, *as_party, "--store", world.store, *form]
                )
                answered += ran.exit_code == 0
                assert not seen_as(party, ran.output.encode()), line
    assert answered > 20


def _typed(question: Any, required: list[str], values: tuple[str, ...]) -> list[str]:  # noqa: ANN401
    given = dict(zip(required, values, strict=True))
    if question.is_paged:
        return [*given.values(), "--limit", "1000"]
    return [*given.values()]


def test_the_search_finds_a_marker_that_is_there() -> None:
    text = orjson.dumps({"text": f"We have {POSITIONS[OURS].title()} elsewhere."})

    assert leaks(THEIRS, text)
    assert leaks("operator", text)
    assert not leaks(OURS, text)
