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
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.consumer.fetcher import ConsumerRecord

from consumers import intake
from consumers.intake import UNDECIDABLE, Intake
from dev.local.kafka import Broker
from domain.formation import DeclareBestAlternative
from infra.bootstrap import Accord, bootstrap, init
from infra.deciding.batch import Outcome
from infra.kafka import topics
from infra.kafka.clients import Producer, consumer
from infra.kafka.cluster import Cluster
from infra.kafka.messages import SENT_BACK
from infra.kafka.topics import Topics, admin_of
from infra.settings import Settings
from tests import planted
from tests.infra.messages import beginning, message
from tests.infra.test_kafka import all_of
from tests.life import example
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

    def steps(self, number: int) -> None:
        """Let the intake decide so many messages."""
        taken, deadline = 0, monotonic() + SECONDS
        while taken < number and monotonic() < deadline:
            taken += self.intake.step()
        assert taken == number

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
    door.steps(2)

    (told,) = all_of(door.broker.address, door.names.rejected, 1)
    assert dict(told.headers)["ce_subject"] == b"foreign"
    assert orjson.loads(told.value)["rule"] == "not-your-party"
    assert [*door.accord.history.partnerships()] == ["own"]
    assert [*door.accord.history.refusals(None)] == []


# --- what is sent back ---------------------------------------------------------------------------


def test_a_refusal_with_long_texts_is_sent_back_shortened_and_the_next_command_decided(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = "\x01" * 10**6
    outcomes: Iterator[Outcome] = iter(
        [
            Outcome("refused", "", "//crm", long, "acme", rule="too-long", detail=long, hint=long),
            Outcome("refused", "", "", "", rule=UNDECIDABLE, detail=long, hint=""),
        ]
    )
    with monkeypatch.context() as patched:
        patched.setattr(intake, "decide", lambda _, sent: [next(outcomes) for _ in sent])
        for name in ("first", "second"):
            door.put(beginning(name))
        door.steps(2)
    door.put(beginning("after"))

    assert door.begun("after")
    (told,) = all_of(door.broker.address, door.names.rejected, 1)
    body = orjson.loads(told.value)
    assert {name: len(each) for name, each in body.items() if each} == {
        **dict.fromkeys(("id", "detail", "hint"), SENT_BACK),
        "source": 5,
        "rule": 8,
    }
    (dead,) = all_of(door.broker.address, door.names.dead, 1)
    assert len(dict(dead.headers)["ce_reason"]) == SENT_BACK


def test_what_a_party_sent_and_had_refused_is_on_no_topic_that_another_reads(door: Door) -> None:
    cluster, sent = Cluster(door.broker.address), {"growthos": "quillback", "north": "razorbill"}
    for party, word in sent.items():
        topics.create_commands_of(cluster, door.names, party)
        topics.create_view_of(cluster, door.names, party)
        raws = [
            beginning(f"of-{party}", party=party),
            message(
                f"late-{party}",
                planted.marked(example(DeclareBestAlternative), word),
                party=party,
                subject=f"of-{party}",
            ),
        ]
        for raw in raws:
            door.service.send(door.names.commands_of(party), key=b"x", value=raw)
    door.service.flush(10)
    door.steps(4)

    told = all_of(door.broker.address, door.names.rejected, 2)
    assert {orjson.loads(each.value)["id"] for each in told} == {"late-growthos", "late-north"}
    with closing(admin_of(cluster)) as admin:
        written = [each for each in admin.list_topics() if each.startswith(f"{door.names.prefix}.")]
    found = {
        (topic, word)
        for topic in written
        for each in everything(door.broker.address, topic)
        for word in sent.values()
        if word in repr((each.key, each.value, each.headers))
    }
    assert found == {(door.names.commands_of(party), word) for party, word in sent.items()}
    kept = door.accord.history.refusals()
    assert {(each.party, sent[each.party].encode() in each.raw) for each in kept} == {
        (party, True) for party in sent
    }


def everything(address: str, topic: str) -> list[ConsumerRecord]:
    """Return all messages of a topic."""
    with closing(KafkaConsumer(bootstrap_servers=address, **PATIENT)) as reader:
        parts = [TopicPartition(topic, each) for each in reader.partitions_for_topic(topic)]
        reader.assign(parts)
        reader.seek_to_beginning()
        count = sum(reader.end_offsets(parts).values())
    return all_of(address, topic, count) if count else []
