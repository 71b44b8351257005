"""The Kafka clients: one producer and one consumer, with their settings, for all processes."""

import re
import socket
from collections.abc import Iterable
from contextlib import suppress
from functools import lru_cache
from typing import Any, Self

from kafka import KafkaConsumer, KafkaProducer
from kafka.errors import IllegalStateError, KafkaError, KafkaTimeoutError
from kafka.partitioner.default import DefaultPartitioner, murmur2

from infra.kafka import lenient
from infra.kafka.cluster import Cluster
from infra.kafka.messages import Message

LARGEST = 8 * 2**20
"""The size of the largest message, in bytes."""

SESSION_SECONDS = 6
"""Seconds without a heartbeat after which the partitions of a process move: see decision 7."""

HEARTBEAT_SECONDS = 1
"""Seconds between two heartbeats; with the next one, members learn that partitions move."""

ACKNOWLEDGED_WITHIN = 15
"""Seconds in which the broker has to acknowledge a message."""

TRANSACTION_SECONDS = 30
"""Seconds after which the broker aborts a transaction that its producer left open. Readers of
committed messages wait until then, unless another leader takes over."""


class _Placed(DefaultPartitioner):  # type: ignore[misc] # it comes without types
    """The default partitioner with cached hashes; hashing dominated the time to send."""

    def partition(self, topic: str, key: Any, serialized_key: bytes | None, *more: Any) -> int:  # noqa: ANN401
        *_, cluster = more
        if serialized_key is None:
            found: int = super().partition(topic, key, serialized_key, *more)
            return found
        return _hash(serialized_key) % len(cluster.partitions_for_topic(topic))


@lru_cache(maxsize=100_000)
def _hash(key: bytes) -> int:
    hashed: int = murmur2(key)
    return hashed & 0x7FFFFFFF


class Producer:
    """Sends batches, in order for each key, and waits until the broker has all of them.

    It is idempotent and waits for all replicas in sync (kafka-python's defaults). It hashes keys
    by murmur2, as Java's clients and Faust do, so that all clients write the messages of a
    partnership to the same partition.
    """

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._producer: KafkaProducer | None = None

    def send(self, messages: Iterable[Message]) -> int:
        """Send these and wait until all are acknowledged; return how many.

        Raises kafka's `KafkaError` if any was not acknowledged; then all may be sent again.
        """
        try:
            return self._sent(messages)
        except Exception:
            # Drop the buffer; otherwise it would be sent after the retried messages.
            self.close()
            raise

    def _sent(self, messages: Iterable[Message]) -> int:
        if self._producer is None:
            self._producer = KafkaProducer(**self._settings())
        return self._acknowledged(self._producer, messages)

    def _settings(self) -> dict[str, Any]:
        return self._cluster.client() | {
            "bootstrap_timeout_ms": ACKNOWLEDGED_WITHIN * 1000,
            "max_request_size": LARGEST,
            "batch_size": 256 * 1024,
            "linger_ms": 1,
            "partitioner": _Placed(),
            "delivery_timeout_ms": ACKNOWLEDGED_WITHIN * 1000,
            "request_timeout_ms": ACKNOWLEDGED_WITHIN * 500,
            "allow_auto_create_topics": False,
        }

    def _acknowledged(self, producer: KafkaProducer, messages: Iterable[Message]) -> int:
        sent = [
            producer.send(
                each.topic,
                key=None if each.key is None else each.key.encode(),
                value=each.value,
                headers=each.headers,
            )
            for each in messages
        ]
        if sent:
            producer.flush(ACKNOWLEDGED_WITHIN)
        for each in sent:
            each.get(ACKNOWLEDGED_WITHIN)
        return len(sent)

    def close(self) -> None:
        """Drop messages that are not sent, and close the connections."""
        producer, self._producer = self._producer, None
        if producer is not None:
            # It waits for its thread, and without a broker not long enough.
            with suppress(KafkaError):
                producer.close(0)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        # Nothing is buffered: each send ends when all messages are acknowledged.
        self.close()


class _Transactional(KafkaProducer):  # type: ignore[misc] # it comes without types
    """kafka-python's producer, whose commit waits for ever if the broker is gone."""

    def commit_transaction(self) -> None:
        """Commit. Raises `KafkaTimeoutError` if that is not acknowledged in time."""
        result = self._transaction_manager.begin_commit()
        self._sender.wakeup()
        if not result.wait(ACKNOWLEDGED_WITHIN * 1000):
            raise KafkaTimeoutError(f"no commit within {ACKNOWLEDGED_WITHIN} s")


class FencedProducer(Producer):
    """Sends for the leader of a role: each batch is a transaction of the role's transactional id.

    `take_over` makes the broker refuse whatever an earlier producer of that id still sends, and
    abort what it did not commit. After an error, `take_over` comes before the next `send`.
    """

    def __init__(self, cluster: Cluster, transactional_id: str) -> None:
        super().__init__(cluster)
        self._id = transactional_id

    def take_over(self) -> None:
        """Shut out all earlier producers of this id. Raises kafka's `KafkaError`."""
        self.close()
        producer = _Transactional(**self._settings())
        try:
            producer.init_transactions()
        except Exception:
            with suppress(KafkaError):
                producer.close(0)
            raise
        self._producer = producer

    def _sent(self, messages: Iterable[Message]) -> int:
        waiting = list(messages)
        if not waiting:
            return 0
        if self._producer is None:
            # A new connection would shut out the present leader, without having asked who leads.
            raise IllegalStateError(f"{self._id} has not taken over")
        self._producer.begin_transaction()
        sent = self._acknowledged(self._producer, waiting)
        self._producer.commit_transaction()
        return sent

    def _settings(self) -> dict[str, Any]:
        return super()._settings() | {
            "transactional_id": self._id,
            "transaction_timeout_ms": TRANSACTION_SECONDS * 1000,
            "max_block_ms": ACKNOWLEDGED_WITHIN * 1000,
        }


def unready_reasons(cluster: Cluster) -> list[str]:
    """Return a reason if no broker answers; nothing if one does."""
    for each in cluster.address.split(","):
        host, _, port = each.rpartition(":")
        with suppress(OSError), socket.create_connection((host, int(port)), timeout=1):
            return []
    return [f"no broker answers at {cluster.address}"]


FOUND_WITHIN = 5
"""Seconds in which a consumer finds a topic that was made after it started."""


def consumer(cluster: Cluster, topic: str, group: str) -> KafkaConsumer:
    """Return a member of a group. It reads a topic and those below it, whose names follow a dot.

    It reads them from their start, and never commits by itself. It skips messages of aborted
    transactions: their sender has withdrawn them.
    """
    lenient.apply()
    made = KafkaConsumer(
        **cluster.client(),
        group_id=group,
        bootstrap_timeout_ms=ACKNOWLEDGED_WITHIN * 1000,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        isolation_level="read_committed",
        session_timeout_ms=SESSION_SECONDS * 1000,
        heartbeat_interval_ms=HEARTBEAT_SECONDS * 1000,
        fetch_min_bytes=32 * 1024,
        fetch_max_wait_ms=25,
        max_partition_fetch_bytes=LARGEST,
        allow_auto_create_topics=False,
        metadata_max_age_ms=FOUND_WITHIN * 1000,
    )
    made.subscribe(pattern=rf"^{re.escape(topic)}(\..+)?$")
    return made
