"""The SDKs of CloudEvents send to a real Accord, in each mode, over HTTP and Kafka.

They take long to install and to build, so `make test-foreign` runs them, and `make test` does not.
"""

import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, get_args

import orjson
import pytest
from cloudevents.core.bindings.kafka import KafkaMessage, from_kafka_event

from infra.bootstrap import Accord, bootstrap, init
from infra.settings import Settings
from tests.feeds import simulated
from tests.infra.messages import beginning, candidate
from tests.journeys.foreign.clients import Client, Event, Go, JavaScript, Mode, OnKafka, Python
from tests.journeys.production import Production, production, wait_for
from tests.journeys.typed import PROGRAM
from tests.parts import Reachable

pytestmark = pytest.mark.foreign

MODES: tuple[Mode, ...] = get_args(Mode)
LANGUAGES = [
    "python",
    pytest.param("javascript", marks=pytest.mark.needs("node", "npm")),
    pytest.param("go", marks=pytest.mark.needs("go")),
]
PARENT = "00-113ad9c4e42b27583ae98ba698d54255-e3743e35ff56f219-01"
TRACE = {"traceparent": PARENT, "tracestate": "vendor=1"}


ACTOR = 'Zoë "Z" Ortiz 100%'


def life(subject: str, actor: str = ACTOR) -> list[Event]:
    """Return events as an application has them, which try what SDKs encode differently."""
    began = beginning(subject, actor=actor, correlationid="c-1")
    north = candidate("north", id=f"north-{subject}", subject=subject)
    # An extension of the sender's own, and a moment that is not on the second.
    south = candidate("south", id=f"south-{subject}", subject=subject, tenantid="eu-7")
    later = {"time": "2026-01-12T09:00:00.250Z"}
    return [orjson.loads(began), orjson.loads(north) | TRACE, orjson.loads(south) | later]


def bodies(accord: Accord, subject: str) -> list[bytes]:
    return list(accord.history.bodies(subject))


def expected(folder: Path, subject: str, actor: str = ACTOR) -> list[bytes]:
    """Return what is recorded of these events if they are read from a file."""
    with simulated(folder / "expected") as accord:
        outcomes = accord.service.handle([orjson.dumps(each) for each in life(subject, actor)])
        assert [each.status for each in outcomes] == ["accepted"] * 3
        return bodies(accord, subject)


# --- clients -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def javascript(tmp_path_factory: pytest.TempPathFactory) -> JavaScript:
    return JavaScript.installed(tmp_path_factory.mktemp("javascript"))


@pytest.fixture(scope="module")
def go(tmp_path_factory: pytest.TempPathFactory) -> Go:
    return Go.built(tmp_path_factory.mktemp("go"))


@pytest.fixture(scope="module")
def python() -> Python:
    return Python()


@pytest.fixture
def client(language: str, request: pytest.FixtureRequest) -> Any:  # noqa: ANN401 - one of three
    return request.getfixturevalue(language)


# --- HTTP --------------------------------------------------------------------------------------


@contextmanager
def served(store: str) -> Iterator[str]:
    """Run `accord up`; return the address to which events are posted."""
    command = [*PROGRAM, "up", "--open", "--port", "0", "--store", store]
    with subprocess.Popen(command, stderr=subprocess.PIPE) as process:
        assert process.stderr
        try:
            where, *_ = re.findall(r"http://[\d.:]+", process.stderr.readline().decode())
            yield f"{where}/v1/events"
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(20) == 0


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_sdk_sends_over_http_in_each_mode_and_the_same_event_in_another_is_a_duplicate(
    language: str, client: Client, tmp_path: Path
) -> None:
    settings = Settings(store=f"sqlite:///{tmp_path}/served.db")
    init(settings, simulated=True)
    actor = "Zoe Ortiz" if language == "javascript" else ACTOR

    with served(settings.store) as url, bootstrap(settings) as accord:
        for mode in MODES:
            subject = f"{language}-{mode}"
            client.post(url, mode, life(subject, actor))
            assert bodies(accord, subject) == expected(tmp_path, subject, actor), mode

        size = accord.history.size()
        for first in MODES:
            for again in MODES:
                client.post(url, again, life(f"{language}-{first}", actor))
        assert accord.history.size() == size


@pytest.mark.needs("node", "npm")
def test_a_name_that_the_sdk_of_javascript_does_not_encode_is_refused_and_not_misread(
    javascript: JavaScript, tmp_path: Path
) -> None:
    settings = Settings(store=f"sqlite:///{tmp_path}/served.db")
    init(settings, simulated=True)

    with served(settings.store) as url, bootstrap(settings) as accord:
        with pytest.raises(AssertionError, match=r"not text in UTF-8.*percent-encoded"):
            javascript.post(url, "binary", life("acme")[:1])
        javascript.post(url, "structured", life("acme")[:1])
        assert bodies(accord, "acme") == expected(tmp_path, "acme")[:1]


# --- Kafka -------------------------------------------------------------------------------------


@pytest.fixture
def installation(database: str, broker: Reachable, tmp_path: Path) -> Iterator[Production]:
    with production(database, broker.address, tmp_path) as made:
        for role in ("intake", "relay"):
            made.start(role)
        for role in ("intake", "relay"):
            made.wait_until_ready(role)
        yield made


ON_KAFKA = [each for each in LANGUAGES if getattr(each, "values", None) != ("javascript",)]


@pytest.mark.parametrize("language", ON_KAFKA)
def test_an_sdk_sends_over_kafka_in_each_mode_and_reads_what_is_recorded(
    language: str, client: OnKafka, installation: Production, tmp_path: Path
) -> None:
    topics, broker = installation.topics, installation.settings.broker
    modes = [mode for mode in MODES if mode != "batch"]

    with installation.accord() as accord:
        for count, mode in enumerate(modes, 1):
            subject = f"{language}-{mode}"
            client.produce(broker, topics.commands, mode, life(subject))
            size = 3 * count
            wait_for(lambda: accord.history.size() >= size, 30, installation.logs)  # noqa: B023
            assert bodies(accord, subject) == expected(tmp_path, subject), mode

        for mode in reversed(modes):
            client.produce(broker, topics.commands, mode, life(f"{language}-structured"))
        refusal = life(f"{language}-refused")[1]
        client.produce(broker, topics.commands, "binary", [refusal])
        wait_for(lambda: bool(installation.consumed(topics.rejected)), 30, installation.logs)
        assert accord.history.size() == 3 * len(modes)

    found = installation.consumed(topics.events)
    # A relay may send an event twice.
    recorded = {each.get_id(): each for each in map(parsed, found)}
    assert len(recorded) == 3 * len(modes)
    traced = [each for each in recorded.values() if each.get_extension("traceparent")]
    assert {each.get_subject() for each in traced} == {f"{language}-{mode}" for mode in modes}
    for each in traced:
        # A candidate is its party's own, so the topic has the hash of the event alone.
        assert each.get_type() == "accord.EventWithheld"
        assert {name: each.get_extension(name) for name in TRACE} == TRACE

    (refused,) = {
        each.value: parsed(each) for each in installation.consumed(topics.rejected)
    }.items()
    assert refused[1].get_extension("traceparent") == TRACE["traceparent"]


def parsed(message: Any) -> Any:  # noqa: ANN401 - a client's message, the SDK's event
    """Read a message with the SDK for Python, which checks that it is a CloudEvent."""
    return from_kafka_event(KafkaMessage(dict(message.headers), message.key, message.value))
