"""Logging in to a broker that checks rights: every client, by every mechanism, over TLS."""

import asyncio
import json
import logging
import time
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import aiokafka
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from faust.transport.drivers.aiokafka import credentials_to_aiokafka_auth
from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition
from kafka.admin import (
    ACL,
    ACLFilter,
    ACLOperation,
    ACLPermissionType,
    ACLResourcePatternType,
    ResourcePatternFilter,
    ResourceType,
    UserScramCredentialUpsertion,
)
from kafka.errors import KafkaError

from consumers.faust_app import application
from dev.local.kafka import ADMIN, CLIENTS, Broker, secured
from infra.kafka import grants, topics
from infra.kafka.clients import FencedProducer, Producer, consumer
from infra.kafka.cluster import Cluster
from infra.kafka.messages import Message
from infra.kafka.topics import Topics, admin_of
from infra.settings import BrokerLogin, WrongSetting, read
from tests.parts import or_missing, sockets_collected

# kafka-python leaves sockets open that a broker refused.
pytestmark = [
    pytest.mark.xdist_group("kafka"),
    pytest.mark.filterwarnings("ignore:unclosed <s:ResourceWarning"),
]

WORD = "a word of this test"
OAUTH_MODULE = "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule"


@dataclass(frozen=True)
class Encrypted:
    """A broker that takes every mechanism over TLS, and the files that its clients have."""

    broker: Broker
    authority: Path
    token: Path

    def cluster(self, mechanism: str, user: str = ADMIN, password: str = WORD) -> Cluster:
        """The cluster for a user who logs in by this mechanism."""
        given = {"user": user, "password": password}
        if mechanism == "OAUTHBEARER":
            given = {"token": str(self.token)}
        login = BrokerLogin.model_validate({"mechanism": mechanism, "tls": self.authority, **given})
        return Cluster(self.broker.address, login)

    @property
    def admin(self) -> Cluster:
        return self.cluster("PLAIN")

    def add_user(self, name: str, mechanism: str = "SCRAM-SHA-512") -> None:
        """Make a user who can log in, and may do nothing."""
        with closing(admin_of(self.admin)) as admin:
            made = admin.alter_user_scram_credentials(
                [UserScramCredentialUpsertion(name, mechanism, WORD)]
            )
        assert made == {name: None}


@pytest.fixture(scope="module")
def encrypted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Encrypted]:
    folder = tmp_path_factory.mktemp("tls")
    authority, server = certificates(folder)
    token = folder / "token"
    token.write_text(unsigned_token(ADMIN))
    here = f"listener.name.{CLIENTS.lower()}"
    more = secured(WORD) | {
        "listener.security.protocol.map": f"{CLIENTS}:SASL_SSL,CONTROLLER:SASL_PLAINTEXT",
        f"{here}.sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER",
        f"{here}.scram-sha-256.sasl.jaas.config": (
            "org.apache.kafka.common.security.scram.ScramLoginModule required;"
        ),
        # Kafka's own validator for tests: it reads the claims of a token that nobody signed.
        f"{here}.oauthbearer.sasl.jaas.config": (
            f'{OAUTH_MODULE} required unsecuredLoginStringClaim_sub="{ADMIN}";'
        ),
        f"{here}.ssl.keystore.type": "PEM",
        f"{here}.ssl.keystore.location": str(server),
        f"{here}.ssl.truststore.type": "PEM",
        f"{here}.ssl.truststore.location": str(authority),
    }
    login = BrokerLogin(mechanism="PLAIN", user=ADMIN, password=WORD, tls=authority)
    client = Cluster("127.0.0.1:1", login).client()
    del client["bootstrap_servers"]
    with or_missing(), sockets_collected(), Broker(more=more, client=client) as broker:
        made = Encrypted(broker, authority, token)
        for mechanism in ("SCRAM-SHA-256", "SCRAM-SHA-512"):
            made.add_user(ADMIN, mechanism)
        yield made


def certificates(folder: Path) -> tuple[Path, Path]:
    """Make an authority, and a server's key with its certificate; return both files."""
    own, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    root = _certificate("authority", own).add_extension(
        x509.BasicConstraints(ca=True, path_length=0), critical=True
    )
    host = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    leaf = _certificate("server", key).add_extension(host, critical=True)
    authority, server = folder / "authority.pem", folder / "server.pem"
    authority.write_bytes(root.sign(own, hashes.SHA256()).public_bytes(Encoding.PEM))
    plain = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    server.write_bytes(plain + leaf.sign(own, hashes.SHA256()).public_bytes(Encoding.PEM))
    return authority, server


def _certificate(subject: str, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(_name(subject))
        .issuer_name(_name("authority"))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
    )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def unsigned_token(subject: str) -> str:
    """A token (RFC 7519, section 6) that names its subject and that nobody signed."""
    claims = {"sub": subject, "iat": int(time.time()) - 60, "exp": int(time.time()) + 3600}
    parts = ({"alg": "none"}, claims)
    encoded = (urlsafe_b64encode(json.dumps(each).encode()).decode().rstrip("=") for each in parts)
    return ".".join([*encoded, ""])


@pytest.fixture(autouse=True)
def refused_connections() -> Iterator[None]:
    with sockets_collected():
        yield


MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER")


@pytest.fixture
def names(encrypted: Encrypted) -> Topics:
    """The topics of an installation of this test's own."""
    names = Topics(f"t{uuid.uuid4().hex[:8]}")
    topics.create(encrypted.admin, names.prefix, 1)
    return names


# --- logging in --------------------------------------------------------------------------------


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_a_client_that_logs_in_over_tls_sends_and_reads(
    encrypted: Encrypted, names: Topics, mechanism: str
) -> None:
    cluster = encrypted.cluster(mechanism)
    with Producer(cluster) as producer:
        producer.send([Message(names.commands, "acme", b"{}", [])])
    with FencedProducer(cluster, names.transactional_id("relay")) as fenced:
        fenced.take_over()
        fenced.send([Message(names.commands, "acme", b"[]", [])])
    with closing(consumer(cluster, names.commands, names.intake)) as inbox:
        assert read_values(inbox, 2) == [b"{}", b"[]"]


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_the_worker_of_faust_logs_in_as_the_other_clients_do(
    encrypted: Encrypted, names: Topics, mechanism: str
) -> None:
    cluster = encrypted.cluster(mechanism)
    with Producer(cluster) as producer:
        producer.send([Message(names.events, "acme", b"{}", [])])

    assert asyncio.run(read_as_faust(cluster, names.events)) == b"{}"


async def read_as_faust(cluster: Cluster, topic: str) -> bytes:
    """Read one message with the credentials that Faust gives to its own consumer."""
    conf = application(cluster, "some-group").conf
    reader = aiokafka.AIOKafkaConsumer(
        topic,
        bootstrap_servers=cluster.address,
        auto_offset_reset="earliest",
        **credentials_to_aiokafka_auth(conf.broker_credentials, conf.ssl_context),
    )
    await reader.start()
    try:
        found = await asyncio.wait_for(reader.getone(), 30)
    finally:
        await reader.stop()
    return bytes(found.value)


def read_values(inbox: object, count: int, seconds: float = 30) -> list[bytes]:
    values: list[bytes] = []
    limit = time.monotonic() + seconds
    while len(values) < count and time.monotonic() < limit:
        for part in inbox.poll(timeout_ms=500).values():  # type: ignore[attr-defined]
            values += [each.value for each in part]
    return values


def test_nobody_gets_in_with_a_wrong_password_or_without_one(encrypted: Encrypted) -> None:
    wrong = encrypted.cluster("SCRAM-SHA-512", ADMIN, "another word")
    nobody = Cluster(encrypted.broker.address, BrokerLogin(tls=encrypted.authority))
    in_the_clear = Cluster(encrypted.broker.address)
    for cluster in (wrong, nobody, in_the_clear):
        assert not gets_in(cluster)


def gets_in(cluster: Cluster) -> bool:
    """Whether the broker answers a client."""
    try:
        KafkaAdminClient(**cluster.client(), bootstrap_timeout_ms=3000).close()
    except KafkaError:
        return False
    return True


def test_a_broker_that_another_authority_vouches_for_is_not_trusted(
    encrypted: Encrypted, tmp_path: Path
) -> None:
    other, _ = certificates(tmp_path)
    login = encrypted.admin.login.model_copy(update={"tls": other})

    assert not gets_in(Cluster(encrypted.broker.address, login))


@pytest.mark.parametrize(
    ("given", "missing"),
    [
        ({"ACCORD_KAFKA_SASL": "PLAIN"}, "needs ACCORD_KAFKA_USER and ACCORD_KAFKA_PASSWORD"),
        (
            {"ACCORD_KAFKA_SASL": "SCRAM-SHA-512", "ACCORD_KAFKA_USER": "ana"},
            "set is ACCORD_KAFKA_USER",
        ),
        ({"ACCORD_KAFKA_SASL": "OAUTHBEARER"}, "needs ACCORD_KAFKA_TOKEN"),
        ({"ACCORD_KAFKA_USER": "ana"}, "ACCORD_KAFKA_SASL is not"),
        ({"ACCORD_KAFKA_CERTIFICATE": "a.pem"}, "needs ACCORD_KAFKA_TLS"),
    ],
)
def test_a_login_of_which_a_part_is_missing_says_which(given: dict[str, str], missing: str) -> None:
    settings = read(given, store="postgresql://h/a", kafka="broker:9092")

    with pytest.raises(WrongSetting, match=missing):
        Cluster.of(settings)


def test_no_password_is_printed(encrypted: Encrypted, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    admin_of(encrypted.admin).close()

    assert not logging.getLogger("kafka.net").isEnabledFor(logging.DEBUG)
    assert WORD not in caplog.text
    assert WORD not in repr(encrypted.admin)


# --- who may do what ---------------------------------------------------------------------------


@pytest.fixture
def granted(encrypted: Encrypted, names: Topics) -> Topics:
    """Topics whose services have users and grants."""
    words = {service: f"{service} {WORD}" for service in grants.SERVICES}
    made = grants.grant(encrypted.admin, names, words)
    assert made == sorted(map(names.user, words))
    return names


def as_service(encrypted: Encrypted, names: Topics, service: str) -> Cluster:
    return encrypted.cluster("SCRAM-SHA-512", names.user(service), f"{service} {WORD}")


def test_each_service_writes_and_reads_what_is_its_own(
    encrypted: Encrypted, granted: Topics
) -> None:
    relay, projector = (as_service(encrypted, granted, each) for each in ("relay", "projector"))
    with FencedProducer(relay, granted.transactional_id("relay")) as fenced:
        fenced.take_over()
        fenced.send([Message(granted.events, "acme", b"{}", [])])
    with closing(consumer(projector, granted.events, granted.projector)) as inbox:
        assert read_values(inbox, 1) == [b"{}"]


@pytest.mark.parametrize(
    ("service", "topic"),
    [
        ("intake", "events"),
        ("intake", "commands"),
        ("projector", "events"),
        ("projector", "alerts"),
        ("relay", "commands"),
        ("relay", "audit"),
    ],
)
def test_no_service_writes_what_is_not_its_own(
    encrypted: Encrypted, granted: Topics, service: str, topic: str
) -> None:
    cluster = as_service(encrypted, granted, service)

    with Producer(cluster) as producer, pytest.raises(KafkaError):
        producer.send([Message(getattr(granted, topic), "acme", b"{}", [])])
    assert ends(encrypted, getattr(granted, topic)) == 0


def test_the_courier_makes_the_topics_of_the_parties_and_no_other(
    encrypted: Encrypted, granted: Topics
) -> None:
    courier = as_service(encrypted, granted, "courier")

    assert topics.create_view_of(courier, granted, "acme") == [granted.party("acme")]
    with FencedProducer(courier, granted.transactional_id("courier")) as fenced:
        fenced.take_over()
        fenced.send([Message(granted.party("acme"), "acme-north", b"{}", [])])
        for topic in (granted.events, granted.commands):
            fenced.take_over()
            with pytest.raises(KafkaError):
                fenced.send([Message(topic, "acme-north", b"{}", [])])
    with pytest.raises(KafkaError):
        topics.create_commands_of(courier, granted, "acme")
    # Behind the message is the mark of the end of its transaction.
    assert ends(encrypted, granted.party("acme")) == 2
    assert ends(encrypted, granted.events) == 0


def test_no_service_takes_the_place_of_the_leader_of_another(
    encrypted: Encrypted, granted: Topics
) -> None:
    projector = as_service(encrypted, granted, "projector")
    fenced = FencedProducer(projector, granted.transactional_id("relay"))

    with fenced, pytest.raises(KafkaError):
        fenced.take_over()


def test_a_user_that_has_no_grants_reads_and_writes_nothing(
    encrypted: Encrypted, granted: Topics
) -> None:
    encrypted.add_user("stranger")
    stranger = encrypted.cluster("SCRAM-SHA-512", "stranger")

    for topic in (granted.commands, granted.events, granted.alerts):
        with Producer(stranger) as producer, pytest.raises(KafkaError):
            producer.send([Message(topic, "acme", b"{}", [])])
        inbox = consumer(stranger, topic, granted.intake)
        with closing(inbox), pytest.raises(KafkaError):
            read_values(inbox, 1)


def test_a_party_sends_commands_and_reads_its_view_on_topics_of_its_own(
    encrypted: Encrypted, granted: Topics
) -> None:
    assert topics.create_commands_of(encrypted.admin, granted, "acme") == [
        granted.commands_of("acme")
    ]
    assert topics.create_commands_of(encrypted.admin, granted, "acme") == []
    topics.create_commands_of(encrypted.admin, granted, "north")
    user = grants.grant_party(encrypted.admin, granted, "acme", WORD)
    acme = encrypted.cluster("SCRAM-SHA-512", user)

    with Producer(acme) as producer:
        producer.send([Message(granted.commands_of("acme"), "acme-north", b"{}", [])])
    for topic in (granted.commands, granted.commands_of("north"), granted.events):
        with Producer(acme) as producer, pytest.raises(KafkaError):
            producer.send([Message(topic, "acme-north", b"{}", [])])
    for party in ("acme", "north"):
        assert topics.create_view_of(encrypted.admin, granted, party) == [granted.party(party)]
        with Producer(encrypted.admin) as producer:
            producer.send([Message(granted.party(party), "acme-north", party.encode(), [])])
    with closing(consumer(acme, granted.party("acme"), user)) as inbox:
        assert read_values(inbox, 1) == [b"acme"]
    with Producer(encrypted.admin) as producer:
        producer.send([Message(granted.events, "acme-north", b"{}", [])])
    for topic in (granted.party("north"), granted.commands_of("acme"), granted.events):
        assert ends(encrypted, topic) == 1
        assert read_from_start(acme, topic, user) == []
    assert read_from_start(acme, granted.party("acme"), user) == [b"acme"]
    assert read_from_start(acme, granted.party("acme"), granted.user_of("north")) == []
    intake = as_service(encrypted, granted, "intake")
    with closing(consumer(intake, granted.commands, granted.intake)) as inbox:
        assert read_values(inbox, 1) == [b"{}"]


def read_from_start(cluster: Cluster, topic: str, group: str) -> list[bytes]:
    """What a client gets of a topic with messages; nothing if the broker refuses it."""
    made = KafkaConsumer(
        **cluster.client(), group_id=group, auto_offset_reset="earliest", enable_auto_commit=False
    )
    with closing(made) as inbox:
        try:
            inbox.assign([TopicPartition(topic, 0)])
            return read_values(inbox, 1, seconds=10)
        except KafkaError:
            return []


def test_the_broker_has_the_grants_of_the_table_and_no_other(
    encrypted: Encrypted, granted: Topics
) -> None:
    grants.grant_party(encrypted.admin, granted, "acme", WORD)
    every = ACLFilter(
        None,
        None,
        ACLOperation.ANY,
        ACLPermissionType.ANY,
        ResourcePatternFilter(ResourceType.ANY, None, ACLResourcePatternType.ANY),
    )
    with closing(admin_of(encrypted.admin)) as admin:
        found = admin.describe_acls(every)
    there = {each for each in _acls(found) if f"User:{granted.prefix}-" in each.principal}

    assert there == {*grants.of_services(granted), *grants.of_party(granted, "acme")}


def _acls(found: Any) -> list[ACL]:  # noqa: ANN401 - as the client has them
    return list(found[0] if isinstance(found, tuple) else found)


def test_grants_that_exist_stay_and_a_password_is_replaced(
    encrypted: Encrypted, granted: Topics
) -> None:
    grants.grant(encrypted.admin, granted, {"intake": "another word"})

    old = as_service(encrypted, granted, "intake")
    assert not gets_in(old)
    new = encrypted.cluster("SCRAM-SHA-512", granted.user("intake"), "another word")
    with Producer(new) as producer:
        producer.send([Message(granted.rejected, "acme", b"{}", [])])


def ends(encrypted: Encrypted, topic: str) -> int:
    """How many messages are in a topic."""
    with closing(KafkaConsumer(**encrypted.admin.client())) as inbox:
        part = TopicPartition(topic, 0)
        found: int = inbox.end_offsets([part])[part]
        return found
