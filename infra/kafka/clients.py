"""The clients: one producer and one consumer for all processes, with the settings that matter."""

import socket
from collections.abc import Iterable
from contextlib import suppress
from functools import lru_cache
from types import TracebackType
from typing import Any, Self

from kafka import KafkaConsumer, KafkaProducer
from kafka.errors import KafkaError
from kafka.partitioner.default import DefaultPartitioner, murmur2

from infra.kafka.messages import Message

LARGEST = 8 * 2**20
"""Bytes of the largest message that is written."""

SESSION_SECONDS = 6
"""A process that is silent for so long has its partitions taken over: decision 7."""

HEARTBEAT_SECONDS = 1
"""Seconds between two signs of life; members hear with the next one that partitions move."""

ACKNOWLEDGED_WITHIN = 15
"""Seconds in which the broker has to acknowledge what is sent."""


class _Placed(DefaultPartitioner):  # type: ignore[misc] # it comes without types
    """The client's own choice of partitions, which takes longest of all that it does, at hand."""

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

    It is idempotent and waits for all replicas in sync (kafka-python's defaults). Keys are placed
    by murmur2, as Java's clients and Faust's do, so that whoever writes, a partnership's messages
    stand in one partition.
    """

    def __init__(self, address: str) -> None:
        self._address = address
        self._producer: KafkaProducer | None = None

    def send(self, messages: Iterable[Message]) -> int:
        """Send these and wait for the acknowledgement of all; give how many.

        Raises kafka's `KafkaError` if any was not acknowledged; then all may be sent again.
        """
        try:
            return self._sent(messages)
        except KafkaError:
            # What it still holds would be sent behind what is sent again, so it is let go.
            self.close()
            raise

    def _sent(self, messages: Iterable[Message]) -> int:
        if self._producer is None:
            self._producer = KafkaProducer(
                bootstrap_servers=self._address,
                bootstrap_timeout_ms=ACKNOWLEDGED_WITHIN * 1000,
                max_request_size=LARGEST,
                batch_size=256 * 1024,
                linger_ms=1,
                partitioner=_Placed(),
                delivery_timeout_ms=ACKNOWLEDGED_WITHIN * 1000,
                request_timeout_ms=ACKNOWLEDGED_WITHIN * 500,
                allow_auto_create_topics=False,
            )
        sent = [
            self._producer.send(
                each.topic,
                key=None if each.key is None else each.key.encode(),
                value=each.value,
                headers=each.headers,
            )
            for each in messages
        ]
        if sent:
            self._producer.flush(ACKNOWLEDGED_WITHIN)
        for each in sent:
            each.get(ACKNOWLEDGED_WITHIN)
        return len(sent)

    def close(self) -> None:
        """Let go of what was not sent, and of the connections."""
        if self._producer is not None:
            self._producer.close(0)
            self._producer = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # Nothing waits: each send ends with the acknowledgement of all.
        self.close()


def unready_reasons(address: str) -> list[str]:
    """Give in words that no broker answers; nothing if one does."""
    for each in address.split(","):
        host, _, port = each.rpartition(":")
        with suppress(OSError), socket.create_connection((host, int(port)), timeout=1):
            return []
    return [f"no broker answers at {address}"]


def consumer(address: str, topic: str, group: str) -> KafkaConsumer:
    """Give a member of a group that reads a topic from its beginning and commits only when told."""
    return KafkaConsumer(
        topic,
        bootstrap_servers=address,
        group_id=group,
        bootstrap_timeout_ms=ACKNOWLEDGED_WITHIN * 1000,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        session_timeout_ms=SESSION_SECONDS * 1000,
        heartbeat_interval_ms=HEARTBEAT_SECONDS * 1000,
        fetch_min_bytes=32 * 1024,
        fetch_max_wait_ms=25,
        max_partition_fetch_bytes=LARGEST,
        allow_auto_create_topics=False,
    )
