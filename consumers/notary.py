"""Signs the checkpoints of all logs, and tells them on `accord.audit`.

One notary is active at a time; others stand by. A checkpoint is kept before it is told, so what was
not told before a stop is told after it: the latest of each log goes out again, and says the same.
"""

from contextlib import ExitStack
from functools import partial
from threading import Event
from time import monotonic

from domain.values import instant
from infra.audit.notary import INTERVAL, Notary
from infra.bootstrap import bootstrap
from infra.kafka import clients, messages
from infra.kafka.clients import Producer
from infra.kafka.messages import Message
from infra.kafka.topics import Topics
from infra.running.worker import WorkerProcess
from infra.settings import Settings
from infra.store.postgres_datastore import LeaderLock
from infra.store.postgres_recorder import CHANNEL
from infra.tlog.notes import Checkpoint, Note

NAME = "notary"

POLL = 1.0
"""Seconds between two looks for statements, should no notice of them come."""


def run(settings: Settings, process: WorkerProcess) -> None:
    """Sign and tell until the process is told to stop. Raises `NoKey` where there is no key."""
    with ExitStack() as stack:
        accord = stack.enter_context(bootstrap(settings))
        lead = stack.enter_context(LeaderLock(settings.store, NAME, CHANNEL))
        producer = stack.enter_context(Producer(settings.broker))
        sealing = Sealing(accord.signing(), lead, producer, Topics(settings.topics).audit)
        process.unready_reasons = partial(clients.unready_reasons, settings.broker)
        process.repeat(partial(sealing.step, process.stopping))


class Sealing:
    """The notary's work, step by step."""

    def __init__(self, notary: Notary, lead: LeaderLock, producer: Producer, topic: str) -> None:
        self._notary = notary
        self._lead = lead
        self._producer = producer
        self._topic = topic
        self._waiting: dict[str, Note] = {}
        self._due = 0.0
        notary.subscribe(self._waiting.__setitem__)

    def step(self, stopping: Event) -> int:
        """Sign what is due and tell it, or wait; give how many were told."""
        if not self._lead.held and not self._take_over():
            stopping.wait(POLL)
            return 0
        try:
            self._sign()
            told = self._tell()
        except Exception:
            self._lead.close()
            raise
        if not told:
            self._lead.wait(min(POLL, max(0.0, self._due - monotonic())))
        return told

    def _take_over(self) -> bool:
        if not self._lead.take():
            return False
        # Who was the one before may have signed what it could not tell any more.
        self._waiting |= dict(self._notary.signed())
        self._due = 0.0
        return True

    def _sign(self) -> None:
        self._notary.at_once()
        if monotonic() >= self._due:
            self._notary.round()
            self._due = monotonic() + INTERVAL

    def _tell(self) -> int:
        told = dict(self._waiting)
        self._producer.send([_message(self._topic, *each) for each in told.items()])
        for name, note in told.items():
            if self._waiting.get(name) == note:
                del self._waiting[name]
        return len(told)


def _message(topic: str, partnership: str, note: Note) -> Message:
    checkpoint = Checkpoint.read(note.text)
    return messages.told(
        topic,
        partnership,
        {"partnership": partnership, "size": checkpoint.size, "note": str(note)},
        id=f"{partnership}@{checkpoint.size}",
        type="Checkpoint",
        subject=partnership,
        **({"time": instant(checkpoint.time)} if checkpoint.time else {}),
    )
