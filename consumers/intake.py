"""Takes commands in: decides a batch of `accord.commands`, appends it, then commits its offsets.

A batch may be delivered twice: after a kill, or if its partitions moved to another process before
it was committed. Accepted commands then are duplicates; others are decided again, and refusals are
sent again. A command that waits is answered when it is decided: its refusal is sent from the store.
"""

import logging
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress
from time import time

from kafka import KafkaConsumer
from kafka.errors import KafkaError

from infra.access.roles import SCOPES, Identity, Role
from infra.audit.receipts import SignedReceipts
from infra.bootstrap import bootstrap
from infra.deciding import senders
from infra.deciding.batch import Outcome
from infra.deciding.group_commit import GATHERED, GroupCommit
from infra.deciding.intake import ILLEGIBLE, Sent
from infra.kafka import clients, messages
from infra.kafka.clients import Producer, consumer
from infra.kafka.cluster import Cluster
from infra.kafka.messages import Message, Received
from infra.kafka.topics import Topics, packed
from infra.running.worker import (
    CLOCK,
    CLOCK_HELP,
    OUTAGES,
    WAITING,
    WAITING_HELP,
    Lag,
    WorkerProcess,
)
from infra.settings import Settings
from infra.store.history import History, Refusal

log = logging.getLogger(__name__)

POLL_MS = 500
"""Milliseconds to wait for commands before checking whether to stop."""


def run(settings: Settings, process: WorkerProcess) -> None:
    """Decide commands until the process stops."""
    with ExitStack() as stack:
        accord = stack.enter_context(bootstrap(settings))
        workers = stack.enter_context(accord.workers())
        topics, cluster = Topics(settings.topics), Cluster.of(settings)
        _warn_of_codecs(cluster, topics.commands)
        producer = stack.enter_context(Producer(cluster))
        inbox = consumer(cluster, topics.commands, topics.intake)
        stack.callback(inbox.close, autocommit=False)
        history, receipts = accord.history, accord.receipts
        intake = Intake(inbox, producer, workers.writer, topics, history, receipts)
        stack.callback(intake.commit)
        process.unready_reasons = lambda: [
            *workers.unready_reasons(),
            *clients.unready_reasons(cluster),
        ]
        process.quarantined = workers.quarantined
        process.lag = lambda: intake.lag
        process.gauges[WAITING] = WAITING_HELP, lambda: float(history.waiting_of())
        process.gauges[CLOCK] = (
            CLOCK_HELP,
            lambda: float(bool(workers.clock and workers.clock.doubt)),
        )
        process.repeat(intake.step)


def _warn_of_codecs(cluster: Cluster, topic: str) -> None:
    # Without the right to read the settings of a topic, intake works all the same.
    with suppress(KafkaError):
        if wrong := packed(cluster, topic):
            log.warning(wrong)


class Intake:
    """Decides batches, each until its outcomes are sent."""

    def __init__(  # noqa: PLR0913, PLR0917 - its parts
        self,
        inbox: KafkaConsumer,
        producer: Producer,
        writer: GroupCommit,
        topics: Topics,
        history: History,
        receipts: SignedReceipts | None = None,
    ) -> None:
        self._receipts = receipts
        self._topics = topics
        self._inbox = inbox
        self._producer = producer
        self._writer = writer
        self._history = history
        self._waiting: list[Received] = []
        self._committing = False
        self.lag = Lag()

    def step(self) -> int:
        """Decide the next batch, or the one that failed again; return its size."""
        if not self._waiting:
            found = self._inbox.poll(timeout_ms=POLL_MS, max_records=GATHERED)
            self._waiting = [each for part in found.values() for each in part]
            self.lag = self._lag()
        if self._waiting:
            outcomes = self._outcomes()
            self._producer.send([*self._refusals(outcomes), *self._signed(outcomes)])
            # Do not wait: uncommitted commands are decided again, and accepted ones stay accepted.
            self._inbox.commit_async()
            self._committing = True
        else:
            self.commit()
        self._send_unsent()
        count, self._waiting = len(self._waiting), []
        return count

    def _outcomes(self) -> list[Outcome]:
        """Return the outcome of each command; on a party's own topic only its own are decided."""
        raws = [messages.command(each) for each in self._waiting]
        refused = {
            index: outcome
            for index, (each, raw) in enumerate(zip(self._waiting, raws, strict=True))
            if (party := self._topics.party_of(each.topic))
            and (outcome := senders.refusal(_sender(party), raw))
        }
        rest = [
            Sent(raw, self._topics.party_of(each.topic) or "")
            for index, (each, raw) in enumerate(zip(self._waiting, raws, strict=True))
            if index not in refused
        ]
        return senders.in_order(refused, decide(self._writer, rest) if rest else [])

    def _send_unsent(self) -> None:
        """Send the refusals of commands that had waited, whichever process refused them."""
        while refusals := self._history.unsent(GATHERED):
            self._producer.send([self._refused(each) for each in refusals])
            self._history.mark_sent([each.number for each in refusals])

    def _refused(self, refusal: Refusal) -> Message:
        words = refusal.words
        return messages.refused(self._topics.rejected, refusal.raw, refusal.subject or "", words)

    def commit(self) -> None:
        """Commit what was decided, unless the partitions have moved to another process."""
        if self._committing:
            with suppress(KafkaError):
                self._inbox.commit()
            self._committing = False

    def _refusals(self, outcomes: Sequence[Outcome]) -> Iterator[Message]:
        for each, outcome in zip(self._waiting, outcomes, strict=True):
            if outcome.rule in {UNDECIDABLE, *ILLEGIBLE}:
                reason = f"{outcome.rule}: {outcome.detail}"
                place, value = messages.place(each), each.value or b""
                yield messages.dead(self._topics.dead, place, value, reason)
            elif outcome.status == "refused":
                yield messages.refused(
                    self._topics.rejected,
                    messages.command(each),
                    outcome.partnership,
                    outcome.refusal(),
                )

    def _signed(self, outcomes: Sequence[Outcome]) -> Iterator[Message]:
        """Yield the receipts of accepted commands, and of duplicates: a batch may come twice.

        Those that had waited and were accepted with these are among them.
        """
        decided = [each for outcome in outcomes for each in (outcome, *outcome.settled)]
        notes = self._receipts.of(decided) if self._receipts else {}
        # A command that is repeated in a batch has its first outcome, which names the close names.
        about = {each.input: each for each in reversed(decided)}
        for each, note in notes.items():
            of = about[each]
            topic = self._topics.receipts
            yield messages.receipt(topic, of.partnership, each, note, of.lookalikes)

    def _lag(self) -> Lag:
        behind = sum(
            (self._inbox.highwater(each) or 0) - self._inbox.position(each)
            for each in self._inbox.assignment()
            if self._inbox.highwater(each) is not None
        )
        behind += len(self._waiting)
        oldest = min((each.timestamp for each in self._waiting), default=0) / 1000
        return Lag(behind, max(0.0, time() - oldest) if oldest else 0.0)


def _sender(party: str) -> Identity:
    return Identity(Role.SERVICE, party, party, SCOPES[Role.SERVICE])


def decide(writer: GroupCommit, sent: Sequence[bytes | Sent]) -> list[Outcome]:
    """Return the outcome of each message. One that causes an error does not affect the others.

    Raises the errors of an outage; then all may be decided again.
    """
    try:
        return writer.submit(sent).result()
    except OUTAGES:
        raise
    except Exception as error:  # noqa: BLE001 - it becomes a dead letter
        if len(sent) > 1:
            return [outcome for each in sent for outcome in decide(writer, [each])]
        return [Outcome("refused", "", "", "", rule=UNDECIDABLE, detail=str(error), hint="")]


UNDECIDABLE = "undecidable"
"""The rule of a message that caused an error; its bytes become a dead letter."""
