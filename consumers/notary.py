"""Signs the checkpoints of all logs, and publishes them on `accord.audit`.

One notary is active at a time, and others stand by. A checkpoint is saved before it is published.
After a stop the latest one of each log is published again, with the same content.
"""

from contextlib import ExitStack
from functools import partial
from time import monotonic

from consumers.sender import Sender
from domain.values import instant
from infra.audit.notary import INTERVAL, Notary
from infra.bootstrap import bootstrap
from infra.kafka import clients, messages
from infra.kafka.clients import FencedProducer
from infra.kafka.cluster import Cluster
from infra.kafka.messages import Message
from infra.kafka.topics import Topics
from infra.running.leader import Leader, Lease
from infra.running.worker import LEADS, LEADS_HELP, WorkerProcess
from infra.settings import Settings
from infra.store.postgres_recorder import CHANNEL
from infra.tlog.notes import Checkpoint, Note

NAME = "notary"

POLL = 1.0
"""Seconds between two checks for statements if no notification arrives."""


def run(settings: Settings, process: WorkerProcess) -> None:
    """Sign and publish until the process stops. Raises `NoKey` without a key."""
    with ExitStack() as stack:
        accord = stack.enter_context(bootstrap(settings))
        topics, cluster = Topics(settings.topics), Cluster.of(settings)
        lease = stack.enter_context(Lease(settings.store, NAME, CHANNEL))
        producer = FencedProducer(cluster, topics.transactional_id(NAME))
        sender = Sender(lease, stack.enter_context(producer))
        sealing = Sealing(accord.signing(), sender, topics.audit)
        process.unready_reasons = partial(clients.unready_reasons, cluster)
        process.gauges[LEADS] = LEADS_HELP, lambda: float(lease.held)
        process.repeat(Leader(lease, sealing, process.stopping).step)


class Sealing:
    """The notary's work, step by step."""

    def __init__(self, notary: Notary, sender: Sender, topic: str) -> None:
        self._notary = notary
        self._sender = sender
        self._topic = topic
        self._waiting: dict[str, Note] = {}
        self._published: dict[str, int] = {}
        """The size of the checkpoint of each log that was published last."""
        self._due = 0.0
        notary.subscribe(self._waiting.__setitem__)

    def take_over(self) -> None:
        """Publish the latest checkpoints again: the last notary may not have published them."""
        self._sender.take_over()
        self._published.clear()
        self._gather()
        self._due = 0.0

    def step(self) -> int:
        """Sign what is due and publish it; return how many checkpoints."""
        self._sign()
        return self._publish()

    def pause(self) -> float:
        """Return the seconds until something may be due."""
        return min(POLL, max(0.0, self._due - monotonic()))

    def _sign(self) -> None:
        self._notary.at_once()
        if monotonic() >= self._due:
            self._notary.round()
            self._gather()
            self._due = monotonic() + INTERVAL

    def _gather(self) -> None:
        """Take what is signed and not published.

        An earlier notary that was paused may still sign a checkpoint, which it cannot publish.
        """
        self._waiting |= dict(self._notary.signed(self._published))

    def _publish(self) -> int:
        sent = dict(self._waiting)
        self._sender.send([self._message(*each) for each in sent.items()])
        for name, note in sent.items():
            self._published[name] = Checkpoint.read(note.text).size
            if self._waiting.get(name) == note:
                del self._waiting[name]
        return len(sent)

    def _message(self, partnership: str, note: Note) -> Message:
        size = Checkpoint.read(note.text).size
        at = self._notary.seal.time(note)
        return messages.emitted(
            self._topic,
            partnership,
            {"partnership": partnership, "size": size, "note": str(note)},
            id=f"{partnership}@{size}",
            type="Checkpoint",
            subject=partnership,
            **({"time": instant(at)} if at else {}),
        )
