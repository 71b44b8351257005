"""The real parts on this machine do what tests rely on: they answer and keep what they had."""

import os
import shutil
import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg
import pytest
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition

from dev.local import REPOSITORY, Missing, kafka, postgres
from dev.local.kafka import Broker
from dev.local.postgres import Postgres
from dev.local.processes import DidNotStart, Process, until
from tests.parts import PATIENT, Reachable, Server

TOPIC = "local"


def make_topic(address: str, name: str) -> None:
    with closing(KafkaAdminClient(bootstrap_servers=address, **PATIENT)) as admin:
        admin.create_topics({name: {"num_partitions": 1, "replication_factor": 1}})
        admin.wait_for_topics([name])


def send(address: str, topic: str, value: bytes) -> None:
    with closing(KafkaProducer(bootstrap_servers=address, **PATIENT)) as producer:
        producer.send(topic, value).get(30)


def received(address: str, topic: str) -> list[bytes]:
    partition = TopicPartition(topic, 0)
    with closing(KafkaConsumer(bootstrap_servers=address, **PATIENT, group_id=None)) as consumer:
        consumer.assign([partition])
        consumer.seek_to_beginning(partition)
        end = consumer.end_offsets([partition])[partition]
        values: list[bytes] = []
        while consumer.position(partition) < end:
            for messages in consumer.poll(timeout_ms=1000).values():
                values += [message.value for message in messages]
        return values


# --- Kafka -------------------------------------------------------------------------------------


def test_kafkas_own_consumer_reads_what_was_sent(own_broker: Broker) -> None:
    make_topic(own_broker.address, TOPIC)
    send(own_broker.address, TOPIC, b"first")
    consumer = own_broker.tool(
        "org.apache.kafka.tools.consumer.ConsoleConsumer",
        *("--bootstrap-server", own_broker.address, "--topic", TOPIC),
        *("--from-beginning", "--max-messages", "1", "--timeout-ms", "30000"),
    )
    read = subprocess.run(consumer, capture_output=True, text=True, check=True)
    assert read.stdout == "first\n"


def test_a_broker_keeps_its_messages_and_its_address(own_broker: Broker) -> None:
    address = own_broker.address
    make_topic(address, TOPIC)
    send(address, TOPIC, b"before the stop")
    own_broker.stop()
    assert kafka.cluster_at(address) is None
    own_broker.start()
    send(address, TOPIC, b"before the kill")
    own_broker.kill()
    own_broker.start()
    assert own_broker.address == address
    assert received(address, TOPIC) == [b"before the stop", b"before the kill"]


def test_the_shared_broker_answers(broker: Reachable) -> None:
    assert kafka.cluster_at(broker.address)


def test_kafka_without_java_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(Missing, match=r"Java.*Install a Java runtime of version 17"):
        Broker()


def test_kafka_without_its_jars_and_maven_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "java").touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(kafka, "JARS", tmp_path)
    with pytest.raises(Missing, match=r"Maven.*ACCORD_TEST_KAFKA"):
        Broker()


# --- Postgres ----------------------------------------------------------------------------------


def kept(address: str) -> list[int]:
    with psycopg.connect(address) as client:
        return [number for (number,) in client.execute("SELECT number FROM kept ORDER BY number")]


def keep(address: str, number: int) -> None:
    with psycopg.connect(address) as client:
        client.execute("CREATE TABLE IF NOT EXISTS kept (number int)")
        client.execute("INSERT INTO kept VALUES (%s)", [number])


def test_postgres_keeps_what_was_committed_and_its_address(own_postgres: Postgres) -> None:
    address = own_postgres.create("local")
    keep(address, 1)
    own_postgres.restart()
    keep(address, 2)
    with closing(psycopg.connect(address)) as unfinished:
        unfinished.execute("INSERT INTO kept VALUES (3)")
        own_postgres.kill()
        own_postgres.start()
    assert own_postgres.url("local") == address
    assert kept(address) == [1, 2]


def test_a_server_whose_port_is_taken_before_its_first_start_takes_another(
    own_postgres: Postgres,
) -> None:
    second = Postgres()
    (second.folder / "ports").write_text(own_postgres.address.rpartition(":")[2])
    with second:
        assert second.address != own_postgres.address
        assert (second.answers(), own_postgres.answers()) == (True, True)


def test_a_server_keeps_its_port_after_its_first_start_and_says_why_it_cannot(
    own_postgres: Postgres,
) -> None:
    own_postgres.stop()
    second = Postgres()
    (second.folder / "ports").write_text(own_postgres.address.rpartition(":")[2])
    with second, pytest.raises(DidNotStart, match="Address already in use"):
        own_postgres.start()


def test_a_folder_that_was_given_is_kept_with_all_that_is_in_it() -> None:
    # Not pytest's own folder: as root, the user that the server runs as may not enter that.
    with TemporaryDirectory() as above:
        Path(above).chmod(0o755)
        folder = Path(above) / "kept"
        with Postgres(folder) as server:
            address = server.create("local")
            keep(address, 1)
        with Postgres(folder) as server:
            assert server.url("local") == address
            assert kept(address) == [1]


def test_what_runs_is_known_by_its_pid_file_alone_and_not_what_has_its_number_now(
    own_postgres: Postgres,
) -> None:
    process = own_postgres.process
    assert Process(process.name, process.folder, process.log).pid == process.pid
    with pytest.raises(DidNotStart, match="running already"):
        Postgres(own_postgres.folder).start()
    own_postgres.stop()
    (process.folder / "postgres.pid").write_text(str(os.getpid()))
    assert process.pid is None


def test_a_server_in_a_temporary_folder_dies_with_who_started_it() -> None:
    starter = (
        "import os, signal\n"
        "from dev.local.postgres import Postgres\n"
        "server = Postgres()\n"
        "server.start()\n"
        "print(server.folder, flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    started = subprocess.run(
        [sys.executable, "-c", starter], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    folder = Path(started.stdout.strip())
    process = Process("postgres", folder, folder / "postgres.log")
    assert started.returncode == -signal.SIGKILL
    assert until(lambda: not process.running, 10)
    shutil.rmtree(folder)


def test_each_test_has_an_empty_database_of_its_own(database: str, postgres_server: Server) -> None:
    keep(database, 1)
    assert kept(database) == [1]
    with psycopg.connect(postgres_server.admin) as client:
        (encoding,) = client.execute("SHOW server_encoding").fetchone() or ()
    assert encoding == "UTF8"


def test_postgres_without_a_server_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(postgres, "INSTALLED", tmp_path)
    monkeypatch.setattr(postgres, "find_spec", lambda _: None)
    with pytest.raises(Missing, match=r"no server is installed.*ACCORD_TEST_POSTGRES"):
        Postgres()
