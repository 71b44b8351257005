"""A leader that was paused and replaced sends nothing more, wherever it was paused."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from functools import partial
from itertools import product
from pathlib import Path
from threading import Event
from typing import Any
from uuid import uuid4

import orjson
import pytest
from eventsourcing.persistence import OperationalError
from kafka import KafkaConsumer
from kafka.errors import IllegalStateError, KafkaError

from benchmarks.feed import feed
from consumers import notary, outbox, publisher
from consumers.courier import Courier
from consumers.notary import Sealing
from consumers.publisher import Publisher
from consumers.relay import Relay
from consumers.sender import Sender
from infra.bootstrap import Accord, bootstrap, migrate
from infra.kafka import clients, messages
from infra.kafka.clients import FencedProducer
from infra.kafka.cluster import Cluster
from infra.kafka.messages import Message
from infra.kafka.topics import Topics
from infra.running import leader
from infra.running.leader import Duty, Leader, Lease, LeaseLost
from infra.settings import Settings
from infra.store.history import History
from infra.store.postgres import PostgresStore
from infra.store.postgres_recorder import CHANNEL
from infra.store.postgres_views import PostgresViews
from projections.visibility import OPERATOR, PERHAPS_HIDDEN, Sight
from tests.faults.check import reported
from tests.infra.test_leader import run_out
from tests.journeys.production import read_to_end
from tests.parts import PATIENT, Reachable, sockets_collected

pytestmark = pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")

LINES = list(feed(400, 3))
HALF, REST = 250, 50


class Pausing(Sender):
    """A sender that pauses once, before it sends or before it saves its cursor."""

    def __init__(self, lease: Lease, producer: FencedProducer) -> None:
        super().__init__(lease, producer)
        self.before: dict[str, Callable[[], None]] = {}

    def take_over(self) -> None:
        super().take_over()
        self._pause("reading")

    def send(self, given: Any) -> int:  # noqa: ANN401 - messages
        if given:
            self._pause("sending")
        return super().send(given)

    def move_cursor(self, views: PostgresViews, name: str, position: int) -> None:
        self._pause("saving")
        super().move_cursor(views, name, position)

    def _pause(self, where: str) -> None:
        self.before.pop(where, lambda: None)()


@dataclass
class Site:
    """An installation on a real broker and database, without processes."""

    settings: Settings
    accord: Accord
    stack: ExitStack
    recorded: int = 0
    made: list[Accord] = field(default_factory=list)

    def record(self, upto: int) -> None:
        """Record lines of the feed up to this one, and fold them."""
        self.accord.service.handle(LINES[self.recorded : upto])
        self.accord.runner.catch_up()
        self.recorded = upto

    def leader(self, role: str) -> tuple[Leader, Pausing]:
        """Return a leader of a role, as its process puts it together."""
        names = Topics(self.settings.topics)
        lease = self.stack.enter_context(Lease(self.settings.store, role, CHANNEL))
        producer = FencedProducer(Cluster(self.settings.broker), names.transactional_id(role))
        sender = Pausing(lease, self.stack.enter_context(producer))
        return Leader(lease, self._duty(role, sender, names), Event()), sender

    def _duty(self, role: str, sender: Sender, names: Topics) -> Duty:
        if role == "notary":
            accord = self.stack.enter_context(bootstrap(self.settings))
            return Sealing(accord.signing(), sender, names.audit)
        store = self.stack.enter_context(closing(PostgresStore.open(self.settings.store)))
        if role == "relay":
            return Relay(store, sender, names.events)
        if role == "courier":
            return Courier(store, sender, Cluster(self.settings.broker), names)
        return Publisher(store, sender, names)

    def messages(self, isolation: str = "read_committed") -> list[Any]:
        """Return all messages that are in the topics."""
        consumer = KafkaConsumer(
            bootstrap_servers=self.settings.broker,
            **PATIENT,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            isolation_level=isolation,
        )
        with closing(consumer):
            prefix = f"{self.settings.topics}."
            names = sorted(each for each in consumer.topics() if each.startswith(prefix))
            return list(read_to_end(consumer, names))

    def last(self) -> dict[tuple[str, str, str], dict[str, Any]]:
        """Return the last message of each topic, key and type."""
        return {
            (each.topic, each.key.decode(), messages.attributes(each)["type"]): {
                "index": int(messages.attributes(each).get("index", 0))
            }
            | orjson.loads(each.value or b"{}")
            for each in self.messages()
        }


@pytest.fixture(autouse=True)
def dropped_connections() -> Iterator[None]:
    """Sockets that kafka-python leaves open are let go before others look for them.

    It does so where a producer is closed at once, with messages that must not be sent.
    """
    with sockets_collected():
        yield


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Duties look for work often."""
    for module, name in (
        (notary, "POLL"),
        (notary, "INTERVAL"),
        (outbox, "POLL"),
        (publisher, "PACE"),
    ):
        monkeypatch.setattr(module, name, 0.05)


@pytest.fixture
def site(
    database: str, broker: Reachable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Site]:
    # A broker on a busy machine answers later, and here nobody tries again.
    monkeypatch.setattr(clients, "ACKNOWLEDGED_WITHIN", 60)
    settings = Settings(
        store=database, kafka=broker.address, topics=f"t{uuid4().hex[:8]}", key=tmp_path / "key"
    )
    migrate(settings, simulated=True, partitions=2)
    with ExitStack() as stack, bootstrap(settings) as accord:
        yield Site(settings, accord, stack)


def drain(leader: Leader) -> int:
    """Let a leader do what is due until there is nothing; return how much that was."""
    done, idle = 0, 0
    while idle < 3:
        found = leader.step()
        done, idle = done + found, 0 if found else idle + 1
    return done


def expected(site: Site, role: str) -> dict[tuple[str, str, str], dict[str, Any]]:
    """Return what the last messages of a role should say, from the store and the views."""
    names, accord = Topics(site.settings.topics), site.accord
    heads = accord.history.heads(accord.history.partnerships())
    if role == "notary":
        return {
            (names.audit, name, "accord.Checkpoint"): {"size": head.size}
            for name, head in heads.items()
        }
    if role == "relay":
        found = {}
        for name, head in heads.items():
            (event,) = accord.history.of(name, head.size - 1)
            wire = event.event.wire
            shown = "EventWithheld" if wire in PERHAPS_HIDDEN else wire
            found[names.events, name, f"accord.{shown}"] = {"index": head.size - 1}
        return found
    if role == "courier":
        return {
            (names.party(party), name, "accord.PartyView"): {"index": head.size - 1}
            for name, head in heads.items()
            for party in sight_of(accord.history, name).parties
        }
    wanted: dict[tuple[str, str, str], dict[str, Any]] = {
        (names.kpis, key, "accord.FigureChanged"): line for key, line in reported(accord)
    }
    for name, head in heads.items():
        wanted[names.audit, name, "accord.TimelineItem"] = {"index": head.size - 1}
    return wanted


def sight_of(history: History, name: str) -> Sight:
    return Sight.of(OPERATOR, history.of(name))


@pytest.mark.parametrize(
    ("role", "where"),
    [
        *product(["relay", "publisher", "courier"], ["reading", "sending", "saving"]),
        # A notary saves a checkpoint before it sends it.
        *product(["notary"], ["reading", "sending"]),
    ],
)
def test_a_leader_that_was_paused_and_replaced_leaves_no_older_message_last(
    site: Site, role: str, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Nobody renews a lease, as while a process is paused, and nobody notices by himself.
    monkeypatch.setattr(leader, "RENEWED_EVERY", 3600)
    monkeypatch.setattr(leader, "LEASE", 300)
    (old, paused), (new, _) = site.leader(role), site.leader(role)
    counts: list[int] = []

    def replaced() -> None:
        site.record(len(LINES) - REST)
        run_out(site.settings.store)
        assert drain(new)
        counts.append(len(site.messages("read_uncommitted")))
        site.record(len(LINES))

    site.record(HALF)
    paused.before[where] = replaced
    # It knows that it was replaced, though the broker names other errors.
    with pytest.raises(LeaseLost):
        drain(old)

    # The broker refused what the old leader still sent, and the new one goes on.
    assert len(site.messages("read_uncommitted")) == counts[0]
    assert drain(new)
    last = site.last()
    for key, said in expected(site, role).items():
        assert {name: last[key][name] for name in said} == said, key
    assert not drain(new)


def test_who_takes_the_broker_over_after_it_lost_its_term_sends_nothing(site: Site) -> None:
    (_, paused), (new, _) = site.leader("relay"), site.leader("relay")
    site.record(HALF)
    lease = paused._lease
    assert lease.take()
    run_out(site.settings.store)
    assert drain(new) == site.accord.history.size()
    # It wakes between its two steps, and shuts the rightful leader out for a moment.
    with pytest.raises(OperationalError):
        paused.take_over()
    site.record(len(LINES))
    with pytest.raises(KafkaError):
        drain(new)
    assert drain(new)
    assert not drain(new)
    indexes = [int(messages.attributes(each)["index"]) for each in site.messages()]
    assert len(indexes) == site.accord.history.size()


# --- the producer ------------------------------------------------------------------------------


def one(topic: str, number: int) -> Message:
    return messages.emitted(topic, "acme", {"n": number}, id=str(number), type="X")


def numbers(site: Site, isolation: str = "read_committed") -> list[int]:
    return [orjson.loads(each.value)["n"] for each in site.messages(isolation)]


def test_a_batch_is_sent_as_one_transaction_and_an_earlier_producer_is_refused(site: Site) -> None:
    topic = Topics(site.settings.topics).audit
    make = partial(FencedProducer, Cluster(site.settings.broker), "some-role")
    with make() as old, make() as new:
        with pytest.raises(IllegalStateError):
            old.send([one(topic, 0)])
        old.take_over()
        assert old.send([one(topic, number) for number in (1, 2)]) == 2
        assert old.send([]) == 0
        new.take_over()
        assert new.send([one(topic, 3)]) == 1
        for _ in range(2):
            with pytest.raises(KafkaError):
                old.send([one(topic, 4)])
        assert new.send([one(topic, 5)]) == 1
    assert numbers(site) == [1, 2, 3, 5]


def test_what_was_not_committed_is_aborted_by_the_next_producer(site: Site) -> None:
    topic = Topics(site.settings.topics).audit
    make = partial(FencedProducer, Cluster(site.settings.broker), "some-role")
    with make() as old, make() as new:
        old.take_over()
        producer = old._producer
        assert producer is not None
        producer.begin_transaction()
        old._acknowledged(producer, [one(topic, 1)])
        new.take_over()
        new.send([one(topic, 2)])
        with pytest.raises(KafkaError):
            producer.commit_transaction()
    assert numbers(site) == [2]
    assert numbers(site, "read_uncommitted") == [1, 2]
