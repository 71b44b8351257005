"""Apache Kafka as a single node on this machine, from the jars that `dev/local/pom.xml` pins."""

import base64
import fcntl
import os
import re
import shutil
import socket
import subprocess
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from hashlib import sha256
from pathlib import Path
from types import MappingProxyType
from typing import Any

from kafka import KafkaAdminClient
from kafka.errors import KafkaError

from dev.local import REPOSITORY, Missing
from dev.local.processes import LOOPBACK, STARTS_WITHIN, DidNotStart, Server, free_port, until

POM = REPOSITORY / "dev" / "local" / "pom.xml"
JARS = REPOSITORY / "var" / "kafka"

_ANSWERS_WITHIN = 10
"""Seconds from listening to the first answer; on two idle cores it takes 0.1 s."""

_JAVA = ("-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",)
# Half of the time to the first answer is compilation, so a broker that runs only for minutes uses
# only the first level of the compiler.
_BRIEF_JAVA = ("-XX:TieredStopAtLevel=1",)
_BROKER_JAVA = ("-Xms256m", "-Xmx512m", "-XX:+UseG1GC")
_TOOL_JAVA = ("-XX:+UseSerialGC", *_BRIEF_JAVA)

_CLIENTS_IN_CONTAINER, _QUORUM_IN_CONTAINER = 9092, 9093


CLIENTS = "CLIENTS"
"""The name of the listener that clients use."""

_CLIENTS = CLIENTS.lower()

ADMIN = "admin"
"""The user of a secured broker who may do everything."""

_LOGIN_MODULE = "org.apache.kafka.common.security"


def secured(password: str, **users: str) -> dict[str, str]:
    """Return the settings by which a single node lets nobody in without a password.

    The administrator logs in by PLAIN with this `password`, and so do further `users`. Others log
    in by SCRAM, when the administrator has made them, and do only what they are granted.
    """
    known = {ADMIN: password} | users
    entries = "".join(f' user_{name}="{word}"' for name, word in known.items())
    plain = f"{_LOGIN_MODULE}.plain.PlainLoginModule required"
    admin = f'{plain} username="{ADMIN}" password="{password}"{entries};'
    return {
        "listener.security.protocol.map": f"{CLIENTS}:SASL_PLAINTEXT,CONTROLLER:SASL_PLAINTEXT",
        f"listener.name.{_CLIENTS}.sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-512",
        f"listener.name.{_CLIENTS}.plain.sasl.jaas.config": admin,
        f"listener.name.{_CLIENTS}.scram-sha-512.sasl.jaas.config": (
            f"{_LOGIN_MODULE}.scram.ScramLoginModule required;"
        ),
        "sasl.mechanism.inter.broker.protocol": "PLAIN",
        "listener.name.controller.sasl.enabled.mechanisms": "PLAIN",
        "listener.name.controller.plain.sasl.jaas.config": admin,
        "sasl.mechanism.controller.protocol": "PLAIN",
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": f"User:{ADMIN}",
    }


def settings(host: str, port: int, quorum: int, address: str, folder: str) -> dict[str, str]:
    """Return the settings of a single node that listens there and is reached at the address."""
    return {
        "process.roles": "broker,controller",
        "node.id": "1",
        "controller.quorum.voters": f"1@{LOOPBACK}:{quorum}",
        "listeners": f"{CLIENTS}://{host}:{port},CONTROLLER://{LOOPBACK}:{quorum}",
        "advertised.listeners": f"{CLIENTS}://{address}",
        "controller.listener.names": "CONTROLLER",
        "inter.broker.listener.name": CLIENTS,
        "listener.security.protocol.map": f"{CLIENTS}:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "log.dirs": f"{folder}/log",
        # A missing topic is a fault that must be seen, so only the migration makes topics.
        "auto.create.topics.enable": "false",
        "message.max.bytes": str(9 * 2**20),
        # After a kill it can start only when its old session has ended: 9 s by default.
        "broker.heartbeat.interval.ms": "500",
        "broker.session.timeout.ms": "3000",
        # By default a new group waits 3 s for more members.
        "group.initial.rebalance.delay.ms": "0",
        # A single node has one replica; a few partitions of its own topics are enough.
        "min.insync.replicas": "1",
        "offsets.topic.num.partitions": "4",
        "offsets.topic.replication.factor": "1",
        "transaction.state.log.num.partitions": "4",
        "transaction.state.log.replication.factor": "1",
        "transaction.state.log.min.isr": "1",
        "share.coordinator.state.topic.num.partitions": "4",
        "share.coordinator.state.topic.replication.factor": "1",
        "share.coordinator.state.topic.min.isr": "1",
    }


def version() -> str:
    """Return the version of Kafka that the tests use."""
    (found,) = re.findall(r"<kafka\.version>(.+)</kafka\.version>", POM.read_text("utf-8"))
    return str(found)


class Broker(Server):
    """A broker: the first start takes about 4 s on two idle cores, a start after a kill 5 s.

    Raises `Missing` if there is no Java or the jars cannot be fetched.
    """

    def __init__(
        self,
        folder: Path | None = None,
        *,
        lasting: bool = False,
        more: Mapping[str, str] = MappingProxyType({}),
        client: Mapping[str, Any] = MappingProxyType({}),
    ) -> None:
        """Prepare a broker; a `lasting` one starts more slowly and then works faster.

        `more` are further settings, as of `secured`, and `client` those by which a client logs in.
        """
        self._more, self._client = more, client
        self._java, self._libraries = _java(), _libraries()
        self._options = _BROKER_JAVA if lasting else (*_BROKER_JAVA, *_BRIEF_JAVA)
        super().__init__("kafka", folder, ports=2)

    def tool(self, name: str, *arguments: str) -> list[str]:
        """Return the command that runs one of Kafka's own tools by its class.

        Such as ``org.apache.kafka.tools.consumer.ConsoleConsumer``, from the same jars.
        """
        return self._command(_TOOL_JAVA, name, *arguments)

    def prepare(self) -> None:
        """Format its storage."""
        if self._meta.exists():
            return
        self._configure()
        # A cluster id is sixteen bytes; Kafka's own tool for it would start another JVM. The tool
        # reads an id that begins with a hyphen as an option, so the first bytes are fixed.
        cluster = base64.urlsafe_b64encode(b"accord" + uuid.uuid4().bytes[:10]).decode().rstrip("=")
        asked = ("format", "--cluster-id", cluster, "--config", str(self._properties))
        done = _run(*self.tool("kafka.tools.StorageTool", *asked))
        if done.returncode:
            raise DidNotStart(f"Kafka's storage could not be made:\n{done.stdout}{done.stderr}")

    def launch(self) -> None:
        """Start its process on the current ports."""
        self._configure()
        command = self._command(self._options, "kafka.Kafka", str(self._properties))
        self.process.start(command, dict(os.environ))

    def answers(self) -> bool:
        """Whether a client gets an answer from this cluster."""
        found = cluster_at(self.address, **self._client)
        return found is not None and f"cluster.id={found}\n" in self._meta.read_text("utf-8")

    @property
    def _meta(self) -> Path:
        return self.folder / "log" / "meta.properties"

    @property
    def _properties(self) -> Path:
        return self.folder / "server.properties"

    def _configure(self) -> None:
        port, quorum = self._ports.get()
        chosen = settings(LOOPBACK, port, quorum, self.address, str(self.folder))
        lines = [f"{name}={value}\n" for name, value in (chosen | {**self._more}).items()]
        self._properties.touch(mode=0o600)
        self._properties.write_text("".join(lines), "utf-8")

    def _command(self, options: Sequence[str], name: str, *arguments: str) -> list[str]:
        return [self._java, *_JAVA, *options, "-cp", f"{self._libraries}/*", name, *arguments]


def cluster_at(address: str, **login: Any) -> str | None:  # noqa: ANN401 - of kafka-python
    """Return the id of the cluster that answers at the address; None without an answer."""
    host, _, port = address.rpartition(":")
    try:
        # The client does not close refused sockets, so it is called only if a server listens.
        socket.create_connection((host, int(port)), timeout=_ANSWERS_WITHIN).close()
        client = KafkaAdminClient(
            bootstrap_servers=address,
            **login,
            bootstrap_timeout_ms=_ANSWERS_WITHIN * 1000,
            request_timeout_ms=_ANSWERS_WITHIN * 1000,
        )
        with closing(client):
            return str(client.describe_cluster()["cluster_id"])
    except (KafkaError, OSError):
        return None


def engine() -> str | None:
    """Return the command of Docker, if its engine runs."""
    docker = shutil.which("docker")
    return docker if docker and _run(docker, "info").returncode == 0 else None


@contextmanager
def container(docker: str) -> Iterator[str]:
    """Run the same broker in a container and return its address, for a machine with Docker only.

    Raises `Missing` if the image cannot be fetched.
    """
    port = free_port()
    address = f"{LOOPBACK}:{port}"
    chosen = settings(
        "0.0.0.0",  # noqa: S104 - inside the container; on the machine it is the loopback
        _CLIENTS_IN_CONTAINER,
        _QUORUM_IN_CONTAINER,
        address,
        "/tmp/kafka",  # noqa: S108 - inside the container
    )
    given = [f"--env=KAFKA_{k.upper().replace('.', '_')}={v}" for k, v in chosen.items()]
    published = f"--publish={address}:{_CLIENTS_IN_CONTAINER}"
    image = f"apache/kafka:{version()}"
    started = _run(docker, "run", "--detach", "--rm", published, *given, image)
    if started.returncode:
        raise Missing("Kafka", f"its container did not start: {started.stderr.strip()}", _HINT)
    name = started.stdout.strip()
    try:
        if not until(lambda: cluster_at(address) is not None, STARTS_WITHIN):
            raise DidNotStart(f"the container did not answer:\n{_run(docker, 'logs', name).stdout}")
        yield address
    finally:
        _run(docker, "rm", "--force", name)


def _run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603


def _java() -> str:
    java = shutil.which("java")
    if java is None:
        raise Missing(
            "Kafka",
            "Java is not on the PATH",
            "Install a Java runtime of version 17 or newer.",
        )
    return java


def _libraries() -> Path:
    """Return the folder of Kafka's jars, fetched once for each version of the pom."""
    folder = JARS / sha256(POM.read_bytes()).hexdigest()[:12]
    if not folder.exists():
        with _one_at_a_time():
            if not folder.exists():
                _fetch(folder)
    return folder


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    JARS.mkdir(parents=True, exist_ok=True)
    with (JARS / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _fetch(folder: Path) -> None:
    """Let Maven copy the jars; the folder gets its name only when all of them are in it."""
    maven = shutil.which("mvn")
    if maven is None:
        raise Missing("Kafka", "Maven, which downloads its jars, is not on the PATH", _HINT)
    unfinished = folder.with_suffix(".unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    goal = ("dependency:copy-dependencies", f"-DoutputDirectory={unfinished}")
    done = _run(maven, "-q", "-B", "-Dstyle.color=never", "-f", str(POM), *goal)
    if done.returncode:
        printed = (done.stdout + done.stderr).strip().splitlines() or ["it printed nothing"]
        raise Missing("Kafka", f"Maven could not fetch its jars: {printed[0]}", _HINT)
    unfinished.rename(folder)


_HINT = (
    "Install Maven and let it reach a repository, or name a broker that is running: "
    "ACCORD_TEST_KAFKA=host:port."
)
