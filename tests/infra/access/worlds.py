"""A served store with two partnerships, and a key for each role."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import orjson
from fastapi import FastAPI
from httpx2 import Response
from starlette.testclient import TestClient
from starlette.types import Message, Receive, Scope, Send

from domain.payment import ReceivePayment
from infra.access import credentials
from infra.access.credentials import Grant
from infra.access.invitations import invite
from infra.access.roles import Role
from infra.access.tokens import Tokens
from infra.answers.example_events import example
from infra.bootstrap import Accord
from infra.http import create_app
from infra.http.alerts import STREAM
from infra.workers import Workers
from tests.documents import REPOSITORY
from tests.feeds import messages, simulated
from tests.infra.access.test_tokens import GROWTHOS, Made, claims

OWN, FOREIGN = "aurora-series", "spring-spain"
FEEDS: Final = {OWN: "3-producer-renewal.jsonl", FOREIGN: "2-spring-launch.jsonl"}
ACTS_IN: Final = {OWN: "helio-plus", FOREIGN: "lumastream"}
FOREIGN_WORDS: Final = (b"lumastream", b"Lumastream", b"spring-", b"pasarela", b"podium")
"""Words that only the foreign partnership has."""

ROLES: Final = {
    "no key": None,
    "party": Grant(role=Role.PARTY, party="helio-plus", actor="maya"),
    "service": Grant(role=Role.SERVICE, party="helio-plus", actor="crm"),
    "operator": Grant(role=Role.OPERATOR, actor="ops"),
    "auditor": Grant(role=Role.AUDITOR, actor="ada", partnerships=frozenset({OWN})),
    "operations": Grant(role=Role.OPERATIONS, actor="pager"),
    "operations, limited": Grant(
        role=Role.OPERATIONS, actor="pager", partnerships=frozenset({OWN})
    ),
    "token": None,
    "invited": None,
}


@dataclass(frozen=True)
class Served:
    """A served store, and a key for each name."""

    accord: Accord
    workers: Workers
    client: TestClient
    keys: dict[str, str | None]

    def headers(self, name: str) -> dict[str, str]:
        key = self.keys[name]
        return {"Authorization": f"Bearer {key}"} if key else {}


@dataclass(frozen=True)
class World(Served):
    """One store with two partnerships, and a key for each role."""

    tokens: Tokens


@contextmanager
def world(folder: Path) -> Iterator[World]:
    with simulated(folder) as accord:
        for feed in FEEDS.values():
            accord.service.handle(messages(REPOSITORY / "examples" / feed))
        accord.service.handle([each for name in FEEDS for each in inputs(name)])
        accord.catch_up()
        now = datetime.now(UTC)
        keys = {
            name: credentials.create(accord.history.credentials, grant, now).key if grant else None
            for name, grant in ROLES.items()
        }
        keys["invited"] = invite(accord.history.credentials, "northwind", "ops", now).key
        issuer = Made()
        keys["token"] = issuer.sign(claims())
        tokens = Tokens([GROWTHOS.model_copy(update={"party": "helio-plus"})], issuer.fetch)
        with (
            accord.workers() as workers,
            TestClient(create_app(accord, workers, tokens=tokens)) as client,
        ):
            yield World(accord, workers, client, keys, tokens)


def inputs(partnership: str) -> list[bytes]:
    """An input of the partnership that is refused, and one that waits or is refused."""
    first = orjson.loads(messages(REPOSITORY / "examples" / FEEDS[partnership])[0])
    payment = example(ReceivePayment) | {
        "id": f"{partnership}-payment",
        "subject": partnership,
        "party": ACTS_IN[partnership],
        "time": first["time"],
    }
    return [orjson.dumps(first | {"id": f"{partnership}-again"}), orjson.dumps(payment)]


def sent(partnership: str) -> bytes:
    """An event that the partnership's first party sent before, so that it changes nothing."""
    return messages(REPOSITORY / "examples" / FEEDS[partnership])[0]


def streamed(app: FastAPI, headers: dict[str, str] | None = None) -> Response:
    """Return what the stream of alerts sends from the first change until it is ready.

    The application then closes, so the stream ends.
    """

    async def until_ready(scope: Scope, receive: Receive, send: Send) -> None:
        async def sent(message: Message) -> None:
            await send(message)
            if b"event: ready" in message.get("body", b""):
                app.state.served.closing.begin()

        await app(scope, receive, sent)

    with TestClient(until_ready) as client:
        return client.get(STREAM, params={"since": "begin"}, headers=headers)
