"""Whatever stands on the topic of commands, the commands after it are decided."""

import subprocess
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from uuid import uuid4

import orjson
import pytest
from kafka import KafkaProducer

from consumers.intake import Intake
from dev.local.kafka import Broker
from infra.bootstrap import Accord, bootstrap, init
from infra.kafka import topics
from infra.kafka.clients import Producer, consumer
from infra.kafka.cluster import Cluster
from infra.kafka.topics import Topics
from infra.settings import Settings
from tests.infra.messages import beginning
from tests.infra.test_kafka import all_of
from tests.parts import PATIENT, Reachable, missing_part

SECONDS = 20
"""How long the intake may take to decide what is on the topic."""


@dataclass
class Door:
    """An intake on a topic of its own, with the producer of a service."""

    accord: Accord
    intake: Intake
    names: Topics
    broker: Reachable
    service: KafkaProducer

    def put(self, value: bytes | None, *headers: tuple[str, bytes | None]) -> None:
        """Send a message as a service would."""
        self.service.send(self.names.commands, key=b"acme", value=value, headers=list(headers))
        self.service.flush(10)

    def begun(self, name: str) -> bool:
        """Let the intake decide until a partnership has begun; whether it has."""
        deadline = monotonic() + SECONDS
        while name not in self.accord.history.partnerships() and monotonic() < deadline:
            self.intake.step()
        return name in self.accord.history.partnerships()


@pytest.fixture
def door(broker: Reachable, tmp_path: Path) -> Iterator[Door]:
    names = Topics(f"t{uuid4().hex[:8]}")
    topics.create(Cluster(broker.address), names.prefix, 1)
    settings = Settings(store=f"sqlite:///{tmp_path}/accord.db")
    init(settings)
    with (
        Producer(Cluster(broker.address)) as producer,
        bootstrap(settings) as accord,
        accord.workers() as workers,
        closing(consumer(Cluster(broker.address), names.commands, names.intake)) as inbox,
        closing(KafkaProducer(bootstrap_servers=broker.address, **PATIENT)) as service,
    ):
        intake = Intake(inbox, producer, workers.writer, names, accord.history)
        yield Door(accord, intake, names, broker, service)


class _Bytes(str):
    """The name of a header that is not UTF-8, as clients in C can send it."""

    __slots__ = ()

    def encode(self, *_: object) -> bytes:
        return b"ce_\xff\xfe"


@pytest.mark.parametrize(
    ("value", "headers"),
    [
        (b"{}", [(_Bytes("ce_id"), b"1")]),
        (None, []),
        (None, [("ce_id", b"1"), ("ce_id", b"2"), ("content-type", b"\xff")]),
        (b"\xff" * 1000, [("", b"")]),
        (b"[" * 100_000, []),
        (b'{"data":' * 5000 + b"1" + b"}" * 5000, []),
        (beginning("other"), [("content-type", b"application/cloudevents-batch+json")]),
        (b"{}", [(f"ce_a{n}", b"x") for n in range(5_000)]),
        (b"{}", [("ce_type", b"accord." + b"x" * 900_000)]),
    ],
    ids=["name", "tombstone", "twice", "bytes", "deep", "deep JSON", "batch", "many", "long"],
)
def test_a_hostile_message_stops_no_command_after_it(
    door: Door, value: bytes | None, headers: list[tuple[str, bytes | None]]
) -> None:
    door.put(beginning("before"))
    door.put(value, *headers)
    door.put(beginning("after"))

    assert door.begun("before")
    assert door.begun("after")


@pytest.mark.parametrize("codec", ["gzip", "snappy", "lz4", "zstd"])
def test_a_service_may_compress_its_commands(door: Door, codec: str) -> None:
    if not isinstance(door.broker, Broker):
        missing_part("Kafka's own tools", "the broker was not started from its jars")
    command = door.broker.tool(
        "org.apache.kafka.tools.ConsoleProducer",
        *("--bootstrap-server", door.broker.address, "--topic", door.names.commands),
        *("--compression-codec", codec),
    )
    subprocess.run(
        command, input=beginning("packed") + b"\n", check=True, timeout=60, capture_output=True
    )

    assert door.begun("packed")


def test_on_the_topic_of_a_party_only_its_own_commands_are_decided(door: Door) -> None:
    for topic, name in (("north", "foreign"), ("growthos", "own")):
        topics.create_commands_of(Cluster(door.broker.address), door.names, topic)
        # The key says nothing: it names the partnership of the other one.
        door.service.send(door.names.commands_of(topic), key=b"own", value=beginning(name))
    door.service.flush(10)
    taken, deadline = 0, monotonic() + SECONDS
    while taken < 2 and monotonic() < deadline:
        taken += door.intake.step()

    (told,) = all_of(door.broker.address, door.names.rejected, 1)
    assert dict(told.headers)["ce_subject"] == b"foreign"
    assert orjson.loads(told.value)["rule"] == "not-your-party"
    assert [*door.accord.history.partnerships()] == ["own"]
    assert [*door.accord.history.refusals(None)] == []
