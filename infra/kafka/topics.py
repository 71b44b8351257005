"""The topics: their names, their retention, and how they are created."""

from collections.abc import Mapping
from contextlib import closing
from typing import Final

from kafka import KafkaAdminClient
from kafka.admin import ConfigResource
from kafka.errors import for_code

from infra.kafka.cluster import Cluster
from infra.settings import PARTITIONS

_DAY = 24 * 60 * 60 * 1000
_FOREVER = "-1"
_PATIENCE = 30_000
"""Milliseconds in which a broker has to answer, even one on a busy machine."""


class TopicsDiffer(Exception):
    """A topic exists with other settings than it needs: which, and what to do."""


_DELETED = {"cleanup.policy": "delete"}

COMPRESSION: Final = "compression.type"

KEPT: Final[dict[str, dict[str, str]]] = {
    # Services choose how they compress. The broker unpacks it, so that intake needs no codec, and
    # refuses what is too large unpacked.
    "commands": {
        **_DELETED,
        "retention.ms": str(7 * _DAY),
        COMPRESSION: "uncompressed",
    },
    "rejected": {**_DELETED, "retention.ms": str(365 * _DAY)},
    # A history is never compacted: all events of a partnership have one key.
    "events": {**_DELETED, "retention.ms": _FOREVER},
    "kpis": {"cleanup.policy": "compact"},
    "alerts": {"cleanup.policy": "compact,delete", "retention.ms": str(365 * _DAY)},
    "audit": {**_DELETED, "retention.ms": _FOREVER},
    "receipts": {**_DELETED, "retention.ms": str(365 * _DAY)},
    "dead": {**_DELETED, "retention.ms": str(365 * _DAY)},
}
"""The settings of each topic."""

VIEWS: Final = {**_DELETED, "retention.ms": _FOREVER}
"""The settings of the topics on which the parties get their views."""


class Topics:
    """The names of one installation: its topics, the groups that read them, and who writes."""

    def __init__(self, prefix: str = "accord") -> None:
        self.prefix = prefix
        (
            self.commands,
            self.rejected,
            self.events,
            self.kpis,
            self.alerts,
            self.audit,
            self.receipts,
            self.dead,
        ) = (f"{prefix}.{name}" for name in KEPT)
        self.intake, self.projector = f"{prefix}-intake", f"{prefix}-projector"

    def commands_of(self, party: str) -> str:
        """Return the topic on which a party sends its own commands, and nobody else does."""
        return f"{self.commands}.{party}"

    def party_of(self, topic: str) -> str | None:
        """Return the party whose topic of commands it is; None for a topic of the operator."""
        own = topic.removeprefix(f"{self.commands}.")
        return None if own == topic else own

    @property
    def parties(self) -> str:
        """The beginning of the names of the topics on which the parties get their views."""
        return f"{self.prefix}.party."

    def party(self, party: str) -> str:
        """Return the topic on which a party gets its view of each event."""
        return f"{self.parties}{party}"

    def user_of(self, party: str) -> str:
        """Return the user of a party, which is also the group in which it reads its topic."""
        return self.user(f"party-{party}")

    def user(self, service: str) -> str:
        """Return the user as which a service logs in to a broker that checks rights."""
        return f"{self.prefix}-{service}"

    def transactional_id(self, role: str) -> str:
        """Return the transactional id that the producers of a role share; one leader uses it."""
        return f"{self.prefix}-{role}"


def create(
    cluster: Cluster, prefix: str, partitions: int = PARTITIONS, replicas: int = 1
) -> list[str]:
    """Create the missing topics; return their names.

    The number of partitions of an existing topic is never changed, because the messages of a
    partnership would move to another partition and lose their order. Raises `TopicsDiffer` if
    another number is asked for, or if the topic of commands keeps them compressed, and kafka's
    `KafkaError` if the broker cannot be reached.
    """
    wanted = {f"{prefix}.{name}": kept for name, kept in KEPT.items()}
    return _created(cluster, wanted, partitions, replicas)


def create_commands_of(cluster: Cluster, topics: Topics, party: str) -> list[str]:
    """Create a party's topic of commands, as the shared one is; return its name if it was missing.

    Raises as `create` does.
    """
    return _create_as(cluster, topics.commands, {topics.commands_of(party): KEPT["commands"]})


def create_view_of(cluster: Cluster, topics: Topics, party: str) -> list[str]:
    """Create the topic of a party's view, as that of events is; return its name if it was missing.

    Raises as `create` does.
    """
    return _create_as(cluster, topics.events, {topics.party(party): VIEWS})


def _create_as(cluster: Cluster, shared: str, wanted: Mapping[str, Mapping[str, str]]) -> list[str]:
    """Create a topic with as many partitions and replicas as another one."""
    with closing(admin_of(cluster)) as admin:
        (found,) = admin.describe_topics([shared])
    if found["error_code"]:
        raise for_code(found["error_code"])(shared)
    partitions = found["partitions"]
    return _created(cluster, wanted, len(partitions), len(partitions[0]["replica_nodes"]))


def _created(
    cluster: Cluster,
    wanted: Mapping[str, Mapping[str, str]],
    partitions: int,
    replicas: int,
) -> list[str]:
    admin = admin_of(cluster)
    try:
        existing = wanted.keys() & set(admin.list_topics())
        missing = [name for name in wanted if name not in existing]
        _check(admin, existing, partitions)
        for commands in sorted(existing):
            if wanted[commands] is KEPT["commands"] and (wrong := _packed(admin, commands)):
                raise TopicsDiffer(wrong)
        if missing:
            # An acknowledged message is on all replicas but one, if there are several.
            synced = {"min.insync.replicas": str(max(1, replicas - 1))}
            admin.create_topics(
                {
                    name: {
                        "num_partitions": partitions,
                        "replication_factor": replicas,
                        "configs": {**wanted[name], **synced},
                    }
                    for name in missing
                },
                wait_for_metadata=True,
            )
        return missing
    finally:
        admin.close()


def _check(admin: KafkaAdminClient, names: set[str], partitions: int) -> None:
    if not names:
        return
    for topic in admin.describe_topics(sorted(names)):
        found = len(topic["partitions"])
        if found != partitions:
            raise TopicsDiffer(
                f"{topic['name']} has {found} partitions, not {partitions}. "
                f"Run accord migrate --partitions {found}, or use another ACCORD_TOPICS."
            )


def admin_of(cluster: Cluster) -> KafkaAdminClient:
    """Return a client that makes topics and grants. Raises kafka's `KafkaError`."""
    return KafkaAdminClient(**cluster.client(), bootstrap_timeout_ms=_PATIENCE)


def packed(cluster: Cluster, topic: str) -> str | None:
    """Return what is wrong with the compression of the topic of commands; None if nothing is.

    Raises kafka's `KafkaError` if the broker does not say.
    """
    admin = admin_of(cluster)
    try:
        return _packed(admin, topic)
    finally:
        admin.close()


def _packed(admin: KafkaAdminClient, topic: str) -> str | None:
    resource = ConfigResource("topic", topic)
    (found,) = admin.describe_configs([resource], config_filter="all")["topic"].values()
    value = found[COMPRESSION]["value"]
    wanted = KEPT["commands"][COMPRESSION]
    if value == wanted:
        return None
    return (
        f"{topic} has {COMPRESSION}={value}, so intake may get commands in a codec that it cannot "
        f"read. Set it with kafka-configs.sh: --alter --topic {topic} "
        f"--add-config {COMPRESSION}={wanted}"
    )
