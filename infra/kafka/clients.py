"""The clients: one producer and one consumer for all processes, with the settings that matter."""

from collections.abc import Iterable
from types import TracebackType
from typing import Self

from kafka import KafkaConsumer, KafkaProducer

from infra.kafka.messages import Message

LARGEST = 8 * 2**20
"""Bytes of the largest message that is written."""

SESSION_SECONDS = 10
"""A process that is silent for so long has its partitions taken over."""

ACKNOWLEDGED_WITHIN = 30
"""Seconds in which the broker has to acknowledge what is sent."""


class Producer:
    """Sends batches, in order for each key, and waits until the broker has all of them.

    It is idempotent and waits for all replicas in sync (kafka-python's defaults). Keys are placed
    by murmur2, as Java's clients and Faust's do, so that whoever writes, a partnership's messages
    stand in one partition.
    """

    def __init__(self, address: str) -> None:
        self._producer = KafkaProducer(
            bootstrap_servers=address,
            max_request_size=LARGEST,
            batch_size=256 * 1024,
            linger_ms=1,
            delivery_timeout_ms=ACKNOWLEDGED_WITHIN * 1000,
            request_timeout_ms=ACKNOWLEDGED_WITHIN * 500,
            allow_auto_create_topics=False,
        )

    def send(self, messages: Iterable[Message]) -> int:
        """Send these and wait for the acknowledgement of all; give how many.

        Raises kafka's `KafkaError` if any was not acknowledged; then all may be sent again.
        """
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

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._producer.close(ACKNOWLEDGED_WITHIN if kind is None else 0)


def consumer(address: str, topic: str, group: str) -> KafkaConsumer:
    """Give a member of a group that reads a topic from its beginning and commits only when told."""
    return KafkaConsumer(
        topic,
        bootstrap_servers=address,
        group_id=group,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        session_timeout_ms=SESSION_SECONDS * 1000,
        heartbeat_interval_ms=SESSION_SECONDS * 300,
        max_partition_fetch_bytes=LARGEST,
        allow_auto_create_topics=False,
    )
