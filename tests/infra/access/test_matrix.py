"""Who gets what: every route, topic and command, for everybody.

Each cell is the answer of the real application: two partnerships without a common party are in one
store, and each role asks with an API key of its own. The table is the page `docs/access.md`. After
a change that is meant, write it anew: `python -m tests.infra.access.test_matrix`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import orjson
import pytest
import typer
from fastapi.routing import APIRoute
from httpx2 import Response
from kafka.admin import ACL, ACLOperation, ACLResourcePatternType, ResourceType
from starlette.testclient import TestClient

from consumers.command import ProcessRole
from domain.examples import EXAMPLES
from domain.exploration import ChoosePartner, DefineIdealPartnerProfile, IdentifyCandidate
from domain.kernel import Command
from domain.recorded import Recorded
from domain.reported_figure import ReportMetric
from domain.sharing import AgreeDataSharing
from infra.access.roles import SENDING, Identity, Need, Role, families, scope_of, viewer
from infra.answers.table import QUESTIONS
from infra.cli.options import app as command_line
from infra.http import create_app
from infra.http.access import GuardedRoute, guarded_routes
from infra.http.alerts import STREAM
from infra.http.safety import CHECKED
from infra.kafka import grants
from infra.kafka.topics import KEPT, Topics
from projections.visibility import FIGURES, Sight, Viewer
from tests import planted
from tests.documents import REPOSITORY
from tests.infra.access import test_makers as makers
from tests.infra.access.worlds import (
    FOREIGN,
    FOREIGN_WORDS,
    OWN,
    ROLES,
    World,
    sent,
    streamed,
    world,
)
from tests.life import LIFE, OFFER_TRIAL, OURS, THEIRS, example
from tests.stories import Story

PAGE = REPOSITORY / "docs/access.md"

IN_PATH: Final = {
    "period": "2026-Q1",
    "rule": "conversion-floor",
    "review": "review-1",
    "index": "0",
    "number": "99999",
    "key": "000000000000",
    "type": "RaiseIssue",
}
GIVEN: Final = {
    "explain": {"reference": "{id}/leads/2026-Q1"},
    "attributes": {"metric": "subscription_conversion"},
    "compare": {"against": "2026-01-15"},
    "consistency": {"old": "0"},
    "inbox": {"at": "2026-03-01"},
    "search": {"words": "helio"},
    "search_csv": {"words": "helio"},
    "search_json": {"words": "helio"},
    "search_page": {"words": "helio"},
    "sent_page": {"event": "nothing"},
    "statement": {"period": "2026-Q1"},
    "try-rule": {"since": "2026-01"},
}
"""The query of the routes that need one, by the route's name."""


# --- asking ------------------------------------------------------------------------------------


def routes(client: TestClient) -> list[GuardedRoute]:
    app: Any = client.app
    return list(guarded_routes(app.routes))


def method_of(route: APIRoute) -> str:
    (method,) = route.methods or {""}
    return method


def ask(
    world: World, role: str, route: GuardedRoute, partnership: str, method: str | None = None
) -> tuple[int, bytes]:
    """Return the status and the body of a route's answer, by its own method unless given."""
    found = answer(world, role, route, partnership, method)
    return found.status_code, found.content


def answer(
    world: World, role: str, route: GuardedRoute, partnership: str, method: str | None = None
) -> Response:
    """Return a route's answer, by its own method unless given."""
    if route.path == STREAM and method_of(route) == "GET":
        app = create_app(world.accord, world.workers, tokens=world.tokens)
        return streamed(app, world.headers(role))
    names = IN_PATH | {"id": partnership, "partnership": partnership}
    path = route.path.format(**names)
    query = {key: each.format(**names) for key, each in GIVEN.get(route.name, {}).items()}
    body, media_type = None, "application/json"
    if route.need is Need.EMIT:
        body, media_type = sent(partnership), "application/cloudevents+json"
    elif route.path.endswith("dismiss"):
        body = b'{"by":"ops"}'
    elif route.path.endswith("rotate"):
        body = b"{}"
    elif method_of(route) == "POST" and route.path == "/v1/keys":
        body = b'{"role":"operations","actor":"pager"}'
    elif route.path == "/v1/invitations":
        body = b'{"party":"southwind"}'
    elif route.need is Need.ENROL:
        # No party can have this scope, so the invitation is not used up.
        body = b'{"actor":"nora","scopes":["operate"]}'
    headers = {"Content-Type": media_type, **world.headers(role)}
    return world.client.request(
        method or method_of(route),
        path,
        params=query,
        content=body,
        headers=headers,
        follow_redirects=False,
    )


def is_refused(route: GuardedRoute, status: int, body: bytes) -> bool:
    if route.path == "/v1/validate":
        return status in {401, 403} or orjson.loads(body)["items"][0]["status"] == "refused"
    return status in {401, 403}


@dataclass(frozen=True)
class Got:
    """What a role got of a route about a partnership."""

    refused: bool
    mentions_foreign: bool
    """Whether the answer has a word that only the foreign partnership has."""


def get(world: World, role: str, route: GuardedRoute, partnership: str) -> Got:
    status, body = ask(world, role, route, partnership)
    return Got(is_refused(route, status, body), any(word in body for word in FOREIGN_WORDS))


def cell(got: Got, by_operator: Got, route: GuardedRoute, partnership: str) -> str:
    """What a role gets of a route about a partnership: allowed, filtered or refused."""
    if got.refused:
        return "refused"
    if partnership == OWN or "{id}" in route.path or "{partnership}" in route.path:
        return "allowed"
    is_filtered = by_operator.mentions_foreign and not got.mentions_foreign
    return "filtered" if is_filtered else "allowed"


@dataclass(frozen=True)
class Row:
    """One route: how it is asked, what it needs, and what each role gets of it."""

    route: GuardedRoute
    cells: dict[str, str]
    own: dict[str, Got]
    """What each role got of the route about its own partnership."""

    @property
    def name(self) -> str:
        return f"{method_of(self.route)} {self.route.path}"


# --- facts -------------------------------------------------------------------------------------


def facts() -> tuple[dict[str, Recorded], list[Recorded]]:
    """Return a fact of each kind that a party may keep to itself by name, and the history."""
    story, chosen = Story(), LIFE.index(EXAMPLES[ChoosePartner])
    end = LIFE.index(EXAMPLES[AgreeDataSharing]) + 1
    story.given(LIFE[:chosen])
    found: dict[str, Recorded] = {}

    def tell(name: str, command: Command) -> None:
        story.when(OURS, command)
        found[name] = story.history[-1]

    about = [each for each in planted.rival() if isinstance(each, IdentifyCandidate | ReportMetric)]
    names = ("a candidate that is not chosen", "a figure of a candidate that is not chosen")
    for name, command in zip(names, about, strict=True):
        tell(name, command)
    tell("a pilot of its search", OFFER_TRIAL)
    tell("a profile or a waiver of its search", example(DefineIdealPartnerProfile, staff_to=900))
    story.given(LIFE[chosen : chosen + 1])
    tell("its walk-away point and its must-haves", planted.private(OURS)[0])
    story.given(LIFE[chosen + 1 : end]).on("2026-02-02")
    tell("a figure that the protocol does not share", planted.unshared(OURS))
    tell("a figure with a count below the smallest cell", planted.SMALL)
    tell("a figure that the protocol shares", planted.SHARED)
    return found, story.history


def viewers() -> dict[str, Viewer]:
    """Return the viewer of each key and option, by its name in the table."""
    roles = {
        "its party": Identity(Role.PARTY, "maya", OURS),
        "the other party": Identity(Role.PARTY, "boris", THEIRS),
        "operator": Identity(Role.OPERATOR, "ops"),
        "auditor": Identity(Role.AUDITOR, "ada"),
        "auditor, `--candidates`": Identity(Role.AUDITOR, "ada", candidates=True),
        "operations": Identity(Role.OPERATIONS, "pager"),
    }
    options = {"command line": Viewer(), "`--full`": Viewer(full=True)}
    return {name: viewer(each) for name, each in roles.items()} | options


def fact_cell(name: str, seen: Viewer, fact: Recorded, history: list[Recorded]) -> str:
    """What a viewer is shown of a fact."""
    if name == "operations" and not isinstance(fact.event, FIGURES):
        return "hidden"
    sight = Sight.of(seen, history)
    if not sight.shows(fact):
        return "hidden"
    return "without the count" if sight.fewer_than(fact) else "shown"


def fact_rows() -> Iterator[str]:
    found, history = facts()
    yield f"| fact of a party | {' | '.join(viewers())} |"
    yield f"|{'---|' * (len(viewers()) + 1)}"
    for name, fact in found.items():
        cells = (fact_cell(each, seen, fact, history) for each, seen in viewers().items())
        yield f"| {name} | {' | '.join(cells)} |"


# --- scopes ------------------------------------------------------------------------------------


def scope_rows() -> Iterator[str]:
    yield "| scope | types of event |"
    yield "|---|---|"
    for scope in sorted(SENDING):
        types = (f"`{each}`" for each in sorted(families()) if scope_of(each) is scope)
        yield f"| `{scope}` | {', '.join(types)} |"


# --- topics ------------------------------------------------------------------------------------


def topic_names() -> dict[str, str]:
    """Return every topic, by its name in the table: the shared ones, and those of two parties."""
    names = Topics()
    shared = {f"{names.prefix}.{each}": f"{names.prefix}.{each}" for each in KEPT}
    return shared | {
        "accord.commands.<party>, its own": names.commands_of("acme"),
        "accord.commands.<party>, of another": names.commands_of("north"),
        "accord.party.<party>, its own": names.party("acme"),
        "accord.party.<party>, of another": names.party("north"),
    }


def users() -> dict[str, str]:
    """Return every user of the broker, by the name in the table; one has no grants."""
    names = Topics()
    services = {each: names.user(each) for each in grants.SERVICES}
    return services | {"a party": names.user_of("acme"), "anybody else": "stranger"}


def topic_cell(acls: list[ACL], user: str, topic: str) -> str:
    """What a user may do with the messages of a topic."""
    may = [
        word
        for word, operation in (("reads", ACLOperation.READ), ("writes", ACLOperation.WRITE))
        if any(_lets(each, user, operation, topic) for each in acls)
    ]
    return ", ".join(may) or "refused"


def _lets(acl: ACL, user: str, operation: ACLOperation, topic: str) -> bool:
    pattern = acl.resource_pattern
    if (acl.principal, acl.operation) != (f"User:{user}", operation):
        return False
    if pattern.resource_type is not ResourceType.TOPIC:
        return False
    below = pattern.pattern_type is ACLResourcePatternType.PREFIXED
    name: str = pattern.resource_name
    return topic.startswith(name) if below else topic == name


def topic_rows() -> Iterator[str]:
    acls = [*grants.of_services(Topics()), *grants.of_party(Topics(), "acme")]
    yield f"| topic | {' | '.join(users())} |"
    yield f"|{'---|' * (len(users()) + 1)}"
    for name, topic in topic_names().items():
        cells = (topic_cell(acls, user, topic) for user in users().values())
        yield f"| `{name}` | {' | '.join(cells)} |"


# --- commands ----------------------------------------------------------------------------------


def commands() -> dict[str, set[str]]:
    """Return the options of every command of the command line, by its name."""
    return dict(_commands(typer.main.get_command(command_line), ()))


def _commands(found: Any, name: tuple[str, ...]) -> Iterator[tuple[str, set[str]]]:  # noqa: ANN401
    below = getattr(found, "commands", None)
    if below is None:
        yield " ".join(name), {option for each in found.params for option in each.opts}
        return
    for word, each in below.items():
        yield from _commands(each, (*name, word))


FILTERED: Final = {each.name for each in QUESTIONS if each.asks_when}
"""The commands that answer a question as a party sees it. `test_markers` asks all of them."""


def command_rows() -> Iterator[str]:
    yield "| command | without the store | with the store | with `--party` |"
    yield "|---|---|---|---|"
    for name, options in sorted(commands().items()):
        outside = "refused" if "--store" in options else "allowed"
        as_party = "filtered" if name in FILTERED else "acts" if "--party" in options else "refused"
        yield f"| `accord {name}` | {outside} | allowed | {as_party} |"


@cache
def matrix() -> list[Row]:
    with TemporaryDirectory() as folder, world(Path(folder)) as found:
        return [
            asked_by_all(found, route)
            for route in sorted(routes(found.client), key=lambda each: each.path)
        ]


def asked_by_all(found: World, route: GuardedRoute) -> Row:
    got = {name: {role: get(found, role, route, name) for role in ROLES} for name in (OWN, FOREIGN)}

    def together(role: str) -> str:
        own, foreign = (cell(of[role], of["operator"], route, name) for name, of in got.items())
        return own if own == foreign else f"{own}, foreign {foreign}"

    return Row(route, {role: together(role) for role in ROLES}, got[OWN])


def page() -> str:
    lines = [
        "# Who gets what",
        "",
        "## Routes",
        "",
        "Every route, for every role. A cell with one word is the same for a partnership of the",
        "caller and for a foreign one. *Filtered* is a list without what is foreign. The token is",
        "of a person of the party, and the limited key of operations is for the caller's own",
        "partnership. A test asks the real application as each of them, and writes this page",
        "(`python -m tests.infra.access.test_matrix`). The auditor's mandate names the first",
        "partnership alone. HEAD is answered as GET, without the body; only the stream of",
        "alerts has a route of its own for it. An id of the stream that another viewer saw shows",
        "no more than any other. [API keys](production.md#api-keys) tells how keys are made.",
        "",
        f"| route | needs | {' | '.join(ROLES)} |",
        f"|{'---|' * (len(ROLES) + 2)}",
        *(
            f"| `{row.name}` | {row.route.need} | {' | '.join(row.cells.values())} |"
            for row in matrix()
        ),
        "",
        "## Scopes",
        "",
        "The types of event that each scope covers. A key of a service has `emit` and `read`",
        "unless it is given more, so it does not bind its party.",
        "",
        *scope_rows(),
        "",
        "## Making keys",
        "",
        "Who makes which key over HTTP. A key grants no more than its maker has, and lasts no",
        "longer. Only a key of a party sees more, and each partnership of the party has it *on",
        "record*; so it has an invitation, if the party has a partnership. The limited operator",
        "has the partnership alone. Each key is asked for until the day on which the key of the",
        "*operator, until a day* ends. Who has the store makes every key: `accord keys create`.",
        "No key is made whose end is past. A key or an invitation is written to a new file",
        "(`--out`) of mode 0600, and nothing is made if the file exists.",
        "",
        *makers.rows(),
        "",
        "## Private facts",
        "",
        "What each one is shown of a fact that one of the two parties recorded. Where it is",
        "hidden, the history keeps its place and says whose it is, and no answer is made from it.",
        "An auditor sees the candidates that were not chosen only with a mandate for them",
        "(`accord keys create --candidates`). Operations get figures and alerts, and no other",
        "facts. Who can open the store has the view of the command line; a look at all of it",
        "(`--full`) is recorded.",
        "",
        *fact_rows(),
        "",
        "## Topics",
        "",
        "What each user of the broker may do with the messages of each topic, by the grants that",
        "`accord migrate` and `accord keys broker-user` make.",
        "[Production](production.md#topics) tells what is in each topic.",
        "",
        "What Accord records and computes names people by commitment on every topic, because a",
        "topic cannot delete a name. So `accord.alerts` has the commitments of those who act, and",
        "says of an escalation to which office it went, and not to whom. Whoever may know the",
        "names reads the alert with a key (`GET /v1/alerts`, the stream).",
        "",
        *topic_rows(),
        "",
        "## Commands",
        "",
        "The command line opens the store itself, so who can open the store may do everything.",
        "In Postgres [the role](production.md#who-may-do-what) of the user limits it. *Filtered*",
        "is an answer with what the party sees. A command that *acts* does so for the party;",
        f"*refused* is one without that option. `accord run` runs {', '.join(ProcessRole)}.",
        "",
        *command_rows(),
        "",
    ]
    return "\n".join(lines)


# --- tests -------------------------------------------------------------------------------------


def test_the_page_has_every_route_and_what_each_role_gets_of_it() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "see the docstring of this module"


def test_every_question_as_a_party_is_a_command_with_that_option() -> None:
    assert {name for name in FILTERED if "--party" not in commands()[name]} == set()


def test_nobody_else_reads_or_writes_a_topic_and_no_party_those_of_another() -> None:
    acls = [*grants.of_services(Topics()), *grants.of_party(Topics(), "acme")]
    strangers = {topic_cell(acls, "stranger", topic) for topic in topic_names().values()}
    party = {
        name: found
        for name, topic in topic_names().items()
        if (found := topic_cell(acls, Topics().user_of("acme"), topic)) != "refused"
    }

    assert strangers == {"refused"}
    assert party == {
        "accord.commands.<party>, its own": "writes",
        "accord.party.<party>, its own": "reads",
    }


def test_without_a_key_only_public_routes_answer() -> None:
    answering = {row.name for row in matrix() if row.cells["no key"] != "refused"}

    assert answering == {row.name for row in matrix() if row.route.need is Need.NOTHING}
    assert not [name for name in answering if "/v1/" in name and not name.startswith("OPTIONS")]


def test_head_of_every_route_is_answered_as_get_without_the_body(tmp_path: Path) -> None:
    with world(tmp_path) as found:
        got = [
            each
            for each in routes(found.client)
            if method_of(each) == "GET" and each.path != STREAM
        ]
        answers = {
            (route.path, role): [ask(found, role, route, FOREIGN, each) for each in ("GET", "HEAD")]
            for route in got
            for role in ("no key", "party")
        }

    assert len(got) > 50
    assert [asked for asked, (get, head) in answers.items() if head != (get[0], b"")] == []


def test_no_cache_shares_what_depends_on_who_asks(tmp_path: Path) -> None:
    with world(tmp_path) as found:
        answers = {
            (method_of(route), route.path, role): answer(found, role, route, OWN).headers
            for route in routes(found.client)
            if route.need is not Need.NOTHING
            for role in ("no key", "party", "operator")
        }
        missing = found.client.get("/v1/nothing").headers
        public = found.client.get("/assets/pages/accord.css").headers

    assert {name for name, headers in answers.items() if not is_private(headers)} == set()
    kept = {path for (_, path, _), each in answers.items() if "no-store" not in each[CACHED]}
    kept.remove(STREAM)
    assert kept == {path for each in QUESTIONS for path in (each.path, each.within) if path}
    assert is_private(missing)
    assert public[CACHED] == CHECKED


CACHED: Final = "cache-control"


def is_private(headers: Mapping[str, str]) -> bool:
    varies = set(headers["vary"].split(", "))
    return headers[CACHED].startswith("private, no-") and varies >= {"Authorization", "Cookie"}


@pytest.mark.parametrize("role", ["party", "service", "auditor"])
def test_a_foreign_partnership_is_refused_on_every_route_that_names_one(role: str) -> None:
    named = [row for row in matrix() if "{id}" in row.name or "{partnership}" in row.name]

    assert len(named) > 20
    assert not [
        row.name for row in named if row.cells[role] not in {"refused", "allowed, foreign refused"}
    ]


@pytest.mark.parametrize("role", ["party", "service", "auditor"])
def test_no_answer_has_a_word_of_a_foreign_partnership(role: str) -> None:
    assert [row.name for row in matrix() if row.own[role].mentions_foreign] == []


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
