"""What a leader sends to Kafka, so that a leader that was replaced can send nothing more.

An earlier leader that was paused may wake at any moment, with messages in its hands that are old by
now. Three steps, in this order, keep them from the topics:

1. The new leader has its term (`infra.running.leader`).
2. It takes over the role's transactional id: from then on the broker refuses the earlier leader.
3. It asks once more whether its term lasts. Only then does it read its cursors and send.

So all that the earlier leader sent is in the topics before the new one reads what to send, and the
cursor behind it can no longer move. Why both: docs/decisions/0022-senders-are-fenced.md.
"""

from collections.abc import Sequence

from kafka.errors import KafkaError

from infra.kafka.clients import FencedProducer
from infra.kafka.messages import Message
from infra.running.leader import Lease
from infra.store.postgres_views import PostgresViews


class Sender:
    """Sends batches in the term of a leader."""

    def __init__(self, lease: Lease, producer: FencedProducer) -> None:
        self._lease = lease
        self._producer = producer

    def take_over(self) -> None:
        """Shut out all earlier leaders. Raises `LeaseLost` if there is a later one."""
        self._producer.take_over()
        self._lease.check()

    def send(self, messages: Sequence[Message]) -> int:
        """Send these, all or none; return how many. Raises `LeaseLost` and `KafkaError`."""
        # Without this a leader that knows that it lost the lead would still ask the broker.
        _ = self._lease.term
        try:
            return self._producer.send(messages)
        except KafkaError:
            # The broker refuses the producer of a leader that was replaced, with various errors.
            self._lease.check()
            raise

    def move_cursor(self, views: PostgresViews, name: str, position: int) -> None:
        """Save how far was sent. Raises `LeaseLost`, with nothing saved, if the term is over."""
        views.move_led_cursor(self._lease.term, name, position)
