"""Messages and topics: CloudEvents on Kafka, keys that every client places alike."""

import re
import subprocess
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from time import monotonic, sleep
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import orjson
import pytest
from aiokafka.partitioner import DefaultPartitioner as Faust
from hypothesis import given
from hypothesis import strategies as st
from kafka import KafkaAdminClient, KafkaConsumer
from kafka.admin import ConfigResource

from consumers.faust_app import _Worker, application
from consumers.intake import Intake, run
from dev.local.kafka import Broker
from domain.exploration import IdentifyCandidate
from domain.partnership import PassTime
from infra.bootstrap import bootstrap, init, migrate
from infra.deciding import intake
from infra.deciding.intake import Input, Unreadable
from infra.kafka import messages, topics
from infra.kafka.clients import Producer, _Placed, consumer
from infra.kafka.cluster import Cluster
from infra.kafka.messages import Illegible, Message
from infra.kafka.topics import KEPT, Topics, TopicsDiffer
from infra.running.worker import WorkerProcess
from infra.settings import Settings
from infra.store.history import InputId
from infra.store.mapper import PlacedEvent
from infra.tlog.codec import encode
from tests.infra.messages import SOURCE, attributes, beginning, message
from tests.infra.noted import noted
from tests.infra.test_waiting import EARLY, FORMED, NAME
from tests.infra.test_worker import page
from tests.infra.told import Told
from tests.life import example
from tests.parts import PATIENT, Reachable, missing_part

Read = Input | Unreadable


@dataclass
class Got:
    """A message as a client gives it."""

    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]] = field(default_factory=list)
    key: bytes | None = b"acme"
    topic: str = "accord.events"
    partition: int = 3
    offset: int = 41
    timestamp: float = 0.0


def received(sent: Message) -> Got:
    return Got(sent.value, sent.headers, sent.key.encode() if sent.key else None)


def an_event(**other: Any) -> Got:  # noqa: ANN401 - any part of a message
    """Return an event as a client gives it, with some parts replaced."""
    got = received(messages.event("accord.events", PlacedEvent(encode(noted()), 8, 2)))
    return replace(got, **other)


def len_of(key: bytes | None) -> str:
    return "none" if key is None else f"{len(key)}-bytes"


# --- commands in -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "headers", [[], [("content-type", b"application/json")], [("trace", b"1")]], ids=str
)
def test_a_command_without_attributes_is_a_cloud_event_in_structured_mode_or_a_signed_one(
    headers: list[tuple[str, bytes]],
) -> None:
    raw = message("some-id", PassTime())
    assert messages.command(Got(raw, headers)) == raw


@pytest.mark.parametrize(
    "kind", ["application/cloudevents+json", "application/cloudevents+json; x"]
)
def test_a_content_type_names_the_structured_mode(kind: str) -> None:
    raw = message("some-id", PassTime())
    assert messages.command(Got(raw, [("content-type", kind.encode())])) == raw


def test_a_command_in_binary_mode_is_the_same_input_as_in_structured_mode() -> None:
    binary, structured = in_binary(), intake.read(message("some-id", PassTime()))

    assert isinstance(binary, Input)
    assert isinstance(structured, Input)
    assert binary.fingerprint == structured.fingerprint


def in_binary(*more: tuple[str, bytes | None], kind: bytes = b"application/json") -> Read:
    """Read a command in binary mode, with more headers."""
    told = attributes("some-id", PassTime())
    data = orjson.dumps(told.pop("data"))
    headers = [(f"ce_{name}", str(value).encode()) for name, value in told.items()]
    return intake.read(messages.command(Got(data, [*headers, ("content-type", kind), *more])))


def test_a_header_without_a_value_is_no_attribute() -> None:
    found = in_binary(("ce_correlationid", None), ("ce_partition", None), ("trace", None))

    assert isinstance(found, Input)
    assert found.envelope.correlationid is None


@pytest.mark.parametrize(
    ("more", "rule", "pointer"),
    [
        (("ce_actor", b"another"), "duplicate-key", "/actor"),
        (("CE_Actor", b"another"), "duplicate-key", "/actor"),
        (("ce_data", b"{}"), "duplicate-key", "/data"),
        (("content-type", b"application/json"), "duplicate-key", "/datacontenttype"),
        (("ce_correlationid", b"caf\xe9"), "wrong-value", "/correlationid"),
        (("ce_anything", b"\xc0\xa0"), "wrong-value", "/anything"),
        (("ce_recorded_time", b"2026-01-01T00:00:00Z"), "unknown-field", "/recorded_time"),
    ],
    ids=str,
)
def test_a_header_that_is_doubtful_is_refused_at_its_attribute(
    more: tuple[str, bytes], rule: str, pointer: str
) -> None:
    found = in_binary(more)

    assert isinstance(found, Unreadable)
    assert (found.refused.rule, found.refused.facts["pointer"]) == (rule, pointer)
    assert found.refused.hint


@pytest.mark.parametrize(
    "kind", [b"application/json; charset=UTF-8", b"application/vnd.accord+json", b"text/json"]
)
def test_the_data_of_a_command_may_have_any_type_of_json(kind: bytes) -> None:
    assert isinstance(in_binary(kind=kind), Input)
    # The content type says it, so the attribute of that name in a header is not read.
    assert isinstance(in_binary(("ce_datacontenttype", b"text/xml"), kind=kind), Input)


def test_the_data_of_a_command_in_another_type_is_refused() -> None:
    found = in_binary(kind=b"application/avro")

    assert isinstance(found, Unreadable)
    assert found.refused.facts["pointer"] == "/datacontenttype"
    assert "application/avro" in found.refused.detail


@given(
    st.binary(max_size=40),
    st.lists(
        st.tuples(
            st.text(max_size=8) | st.sampled_from(["ce_id", "ce_type", "content-type"]),
            st.none() | st.binary(max_size=8),
        )
    ),
)
def test_any_message_is_read_or_refused(
    value: bytes, headers: list[tuple[str, bytes | None]]
) -> None:
    assert intake.read(messages.command(Got(value, headers)))


def test_a_message_without_a_value_is_refused_as_no_json() -> None:
    read = intake.read(messages.command(Got(None)))
    assert not isinstance(read, Input)
    assert read.refused.rule in intake.ILLEGIBLE


# --- events ------------------------------------------------------------------------------------


@pytest.mark.usefixtures("known")
def test_an_event_is_relayed_as_it_is_stored_and_read_back_at_its_place() -> None:
    body = encode(noted("acme/deal/1"))
    sent = messages.event("accord.events", PlacedEvent(body, 8, 2))

    assert (sent.topic, sent.key, sent.value) == ("accord.events", "acme", body)
    attributes = messages.attributes(received(sent))
    assert attributes["specversion"] == "1.0"
    assert attributes["id"] == "acme/deal/1-1"
    assert attributes["type"] == "accord.TestNoted"
    assert attributes["subject"] == "acme"
    assert attributes["time"] == attributes["recordedtime"] == "2026-03-01T12:00:00Z"
    assert (attributes["index"], attributes["position"]) == ("2", "7")
    assert messages.partnership(received(sent)) == "acme"
    messages.check_event(received(sent))


@pytest.mark.usefixtures("known")
@pytest.mark.parametrize(
    "broken",
    [
        pytest.param({"value": b"{"}, id="no-json"),
        pytest.param({"value": b"[" * 100_000}, id="too-deep"),
        pytest.param({"value": b"[]"}, id="no-object"),
        pytest.param({"value": b"{}"}, id="no-event"),
        pytest.param({"value": b'{"partnership":["acme"]}'}, id="no-name"),
        pytest.param({"value": b'{"partnership":"other"}'}, id="of-another"),
        pytest.param({"value": None}, id="a-tombstone"),
    ],
)
def test_what_is_no_event_is_illegible_and_its_key_names_a_partnership_all_the_same(
    broken: dict[str, Any],
) -> None:
    got = an_event(**broken)
    with pytest.raises(Illegible):
        messages.check_event(got)
    assert messages.partnership(got) == "acme"


@pytest.mark.usefixtures("known")
@pytest.mark.parametrize("key", [None, b"", b"\xff", b"a\0b", b"k" * 2**20], ids=len_of)
def test_a_key_that_can_be_no_name_names_nobody(key: bytes | None) -> None:
    got = an_event(key=key)
    assert messages.partnership(got) is None
    with pytest.raises(Illegible, match="key"):
        messages.check_event(got)


@given(st.none() | st.binary(max_size=80), st.none() | st.binary(max_size=80))
def test_any_message_is_an_event_or_illegible(key: bytes | None, value: bytes | None) -> None:
    got = Got(value, [], key)
    name = messages.partnership(got)
    try:
        messages.check_event(got)
    except Illegible as error:
        # The reason goes into a header.
        str(error).encode()
    else:
        assert name == orjson.loads(value or b"")["partnership"]


# --- what is refused ---------------------------------------------------------------------------


def test_a_refusal_always_has_the_same_identifier() -> None:
    once, again = (messages.refused("t", b"raw", "acme", {"rule": "some"}) for _ in range(2))
    assert once == again
    assert messages.refused("t", b"other", "acme", {"rule": "some"}).headers != once.headers
    assert orjson.loads(once.value or b"") == {"rule": "some"}
    assert messages.refused("t", b"raw", "", {}).key is None


def test_a_dead_letter_keeps_the_bytes_and_says_where_they_stood_and_why() -> None:
    letter = messages.dead("t", messages.place(Got(b"\xff")), b"\xff", "no JSON:\nline 2")
    told = messages.attributes(received(letter))
    assert (letter.key, letter.value) == (None, b"\xff")
    assert (told["id"], told["reason"]) == ("accord.events/3/41", "no JSON: line 2")


# --- keys --------------------------------------------------------------------------------------


@given(st.from_regex(r"[a-z0-9][a-z0-9._-]{0,60}", fullmatch=True), st.integers(1, 64))
def test_a_partnership_has_one_partition_whichever_client_writes(name: str, count: int) -> None:
    parts = list(range(count))
    assert placed(name, count) == Faust()(name.encode(), parts, parts)


def placed(name: str, count: int) -> int:
    """The partition in which our producer places a partnership, of so many."""
    cluster = SimpleNamespace(
        topics=lambda: {"t"},
        partitions_for_topic=lambda _: set(range(count)),
        available_partitions_for_topic=lambda _: set(range(count)),
    )
    return _Placed().partition("t", name, name.encode(), None, b"", cluster)


# --- a real broker -----------------------------------------------------------------------------


def test_topics_are_made_once_with_the_settings_of_the_design(broker: Reachable) -> None:
    prefix = f"t{uuid4().hex[:8]}"
    names = [f"{prefix}.{name}" for name in KEPT]
    assert topics.create(Cluster(broker.address), prefix, 3) == names
    assert topics.create(Cluster(broker.address), prefix, 3) == []
    with pytest.raises(TopicsDiffer, match=r"has 3 partitions, not 4.*--partitions 3"):
        topics.create(Cluster(broker.address), prefix, 4)

    found = kept(broker.address, names)
    made = Topics(prefix)
    assert found[made.events] == ("delete", "-1")
    assert found[made.audit] == ("delete", "-1")
    assert found[made.kpis][0] == "compact"
    assert found[made.alerts][0] == "compact,delete"
    assert found[made.receipts] == ("delete", str(365 * 24 * 3600 * 1000))
    assert found[made.commands] == ("delete", str(7 * 24 * 3600 * 1000))


def test_commands_that_a_topic_keeps_compressed_are_told_with_what_to_do(broker: Reachable) -> None:
    prefix = f"t{uuid4().hex[:8]}"
    name = Topics(prefix).commands
    with closing(KafkaAdminClient(bootstrap_servers=broker.address, **PATIENT)) as admin:
        admin.create_topics(
            {name: {"num_partitions": 1, "replication_factor": 1}}, wait_for_metadata=True
        )
    told = rf"{name} has compression.type=producer.*--add-config compression.type=uncompressed"

    assert re.match(told, topics.packed(Cluster(broker.address), name) or "")
    with pytest.raises(TopicsDiffer, match=told):
        topics.create(Cluster(broker.address), prefix, 1)
    topics.create(Cluster(broker.address), f"{prefix}new", 1)
    assert topics.packed(Cluster(broker.address), Topics(f"{prefix}new").commands) is None


def test_the_worker_of_faust_writes_no_codes_of_a_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with WorkerProcess("projector", "127.0.0.1:0") as process:
        worker = _Worker(application(Cluster("127.0.0.1:1"), "some-group"), process)
        worker._on_startup_end_spinner()
        worker.loop.close()

    assert worker.spinner is None
    assert "\x1b" not in capsys.readouterr().out


def kept(address: str, names: list[str]) -> dict[str, tuple[str, str]]:
    with closing(KafkaAdminClient(bootstrap_servers=address, **PATIENT)) as admin:
        resources = [ConfigResource("topic", name) for name in names]
        told = admin.describe_configs(resources, config_filter="all")["topic"]
    return {
        name: (settings["cleanup.policy"]["value"], settings["retention.ms"]["value"])
        for name, settings in told.items()
    }


def test_intake_publishes_receipts_of_accepted_commands(broker: Reachable, tmp_path: Path) -> None:
    prefix = f"t{uuid4().hex[:8]}"
    topics.create(Cluster(broker.address), prefix, 1)
    names = Topics(prefix)
    raws = [beginning("acme"), b"no command", beginning("acme")]
    sent = [Message(names.commands, "acme", each, []) for each in raws]
    settings = Settings(store=f"sqlite:///{tmp_path}/accord.db")
    init(settings)
    with (
        Producer(Cluster(broker.address)) as producer,
        bootstrap(settings) as accord,
        accord.workers() as workers,
        closing(consumer(Cluster(broker.address), names.commands, names.intake)) as inbox,
    ):
        producer.send(sent)
        intake = Intake(inbox, producer, workers.writer, names, accord.history, accord.receipts)
        taken = 0
        while taken < len(sent):
            taken += intake.step()
        intake.commit()
        assert accord.receipts
        ((key, note),) = accord.receipts.again([InputId("growthos", SOURCE, "begin-acme")]).items()

    (told,) = all_of(broker.address, names.receipts, 1)
    assert (told.key, told.value) == (b"acme", str(note).encode())
    headers = dict(messages.receipt(names.receipts, "acme", key, note).headers)
    assert (headers["ce_commandsource"], headers["ce_commandid"]) == (
        SOURCE.encode(),
        b"begin-acme",
    )


def test_a_receipt_has_the_names_that_are_close_to_a_new_one(
    broker: Reachable, tmp_path: Path
) -> None:
    prefix = f"t{uuid4().hex[:8]}"
    topics.create(Cluster(broker.address), prefix, 1)
    names = Topics(prefix)
    candidates = [
        message(each, example(IdentifyCandidate, candidate=each), subject="acme")
        for each in ("brightpath", "br1ghtpath")
    ]
    settings = Settings(store=f"sqlite:///{tmp_path}/accord.db")
    init(settings)
    with (
        Producer(Cluster(broker.address)) as producer,
        bootstrap(settings) as accord,
        accord.workers() as workers,
        closing(consumer(Cluster(broker.address), names.commands, names.intake)) as inbox,
    ):
        producer.send(
            [Message(names.commands, "acme", each, []) for each in (beginning("acme"), *candidates)]
        )
        intake = Intake(inbox, producer, workers.writer, names, accord.history, accord.receipts)
        taken = 0
        while taken < 3:
            taken += intake.step()
        intake.commit()

    found = [dict(each.headers) for each in all_of(broker.address, names.receipts, 3)]
    close = {each["ce_commandid"]: each.get("ce_lookalikes") for each in found}
    assert close == {b"begin-acme": None, b"brightpath": None, b"br1ghtpath": b"brightpath"}


def test_a_command_that_waits_is_rejected_only_when_it_is_refused(
    broker: Reachable, tmp_path: Path
) -> None:
    prefix = f"t{uuid4().hex[:8]}"
    topics.create(Cluster(broker.address), prefix, 1)
    names = Topics(prefix)
    settings = Settings(store=f"sqlite:///{tmp_path}/accord.db")
    init(settings)
    clock = Told()
    clock.now = datetime(2026, 3, 1, tzinfo=UTC)
    with (
        Producer(Cluster(broker.address)) as producer,
        bootstrap(settings, clock) as accord,
        accord.workers() as workers,
        closing(consumer(Cluster(broker.address), names.commands, names.intake)) as inbox,
    ):
        accord.service.handle(FORMED)
        intake = Intake(inbox, producer, workers.writer, names, accord.history)

        def send(*raws: bytes) -> None:
            producer.send([Message(names.commands, NAME, each, []) for each in raws])
            taken = 0
            while taken < len(raws):
                taken += intake.step()

        send(EARLY, b"{}", EARLY)
        assert [each.source_id for each in accord.history.waiting([NAME])] == [f"{NAME}-27"]
        # Another process lets its days pass.
        clock.now += timedelta(days=31)
        accord.service.pass_time(NAME)
        assert accord.history.waiting([NAME]) == []
        send(b"[]")
        assert accord.history.unsent(9) == []
        intake.commit()

    told = [orjson.loads(each.value)["rule"] for each in all_of(broker.address, names.rejected, 2)]
    assert told == ["unknown-type", "waited-too-long"]


def test_the_intake_process_exports_how_many_commands_wait(
    broker: Reachable, database: str
) -> None:
    prefix = f"t{uuid4().hex[:8]}"
    settings = Settings(store=database, kafka=broker.address, topics=prefix)
    migrate(settings, partitions=1)
    clock = Told()
    clock.now = datetime(2026, 3, 1, tzinfo=UTC)
    with bootstrap(settings, clock) as accord:
        accord.service.handle(FORMED)
    with (
        Producer(Cluster(broker.address)) as producer,
        WorkerProcess("intake", "127.0.0.1:0") as process,
        ThreadPoolExecutor(1) as pool,
    ):
        ended = pool.submit(run, settings, process)
        try:
            assert exported(process, 'accord_waiting_events{process="intake"} 0.0', ended)
            producer.send([Message(Topics(prefix).commands, NAME, EARLY, [])])
            assert exported(process, 'accord_waiting_events{process="intake"} 1.0', ended)
        finally:
            process.stopping.set()
        ended.result(60)


def exported(process: WorkerProcess, line: str, ended: Future[None]) -> bool:
    """Return whether the metrics of a process have a line within two minutes, while it runs."""
    end = monotonic() + 120
    while line not in page(process, "/metrics")[1].splitlines():
        if ended.done() or monotonic() > end:
            return False
        sleep(0.1)
    return True


def test_what_is_sent_is_acknowledged_in_the_order_of_each_key(broker: Reachable) -> None:
    prefix = f"t{uuid4().hex[:8]}"
    topics.create(Cluster(broker.address), prefix, 3)
    topic = Topics(prefix).audit
    sent = [messages.emitted(topic, f"p{n % 5}", {"n": n}, id=str(n), type="X") for n in range(500)]
    with Producer(Cluster(broker.address)) as producer:
        assert producer.send(sent) == 500
        assert producer.send([]) == 0
    found = defaultdict(list)
    for each in all_of(broker.address, topic, 500):
        found[each.key].append(orjson.loads(each.value)["n"])
    assert {key: sorted(values) for key, values in found.items()} == found
    assert sum(map(len, found.values())) == 500


def test_javas_producer_places_a_partnership_where_ours_does(broker: Reachable) -> None:
    if not isinstance(broker, Broker):
        missing_part("Kafka's own tools", "the broker was not started from its jars")
    prefix = f"t{uuid4().hex[:8]}"
    topics.create(Cluster(broker.address), prefix, 5)
    topic = Topics(prefix).commands
    names = [f"partner-{number}" for number in range(20)]
    command = broker.tool(
        "org.apache.kafka.tools.ConsoleProducer",
        *("--bootstrap-server", broker.address, "--topic", topic),
        *("--reader-property", "parse.key=true", "--reader-property", "key.separator=="),
        # By default it waits 1.5 s for a busy broker, and asks again three times, 0.1 s apart.
        # Then it logs an error, and ends with code 0.
        *("--request-timeout-ms", "60000", "--message-send-max-retries", "1000"),
    )
    lines = "".join(f"{name}={{}}\n" for name in names)
    ran = subprocess.run(
        command, input=lines.encode(), check=True, timeout=300, capture_output=True
    )
    assert b"Error when sending" not in ran.stderr, ran.stderr.decode()

    found = {each.key.decode(): each.partition for each in all_of(broker.address, topic, 20)}
    assert found == {name: placed(name, 5) for name in names}


def all_of(address: str, topic: str, count: int) -> list[Any]:
    """The first `count` messages of a topic; fewer if no more come."""
    consumer = KafkaConsumer(
        topic,
        bootstrap_servers=address,
        **PATIENT,
        auto_offset_reset="earliest",
        # It waits only where a message is missing, or the broker is busy.
        consumer_timeout_ms=60_000,
        enable_auto_commit=False,
    )
    with closing(consumer):
        return list(islice(consumer, count))
