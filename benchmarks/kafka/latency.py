"""From a command produced to its alert consumed, while all processes are kept at a steady rate."""

import gc
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from itertools import islice
from statistics import quantiles
from threading import Event, Thread
from time import perf_counter, sleep
from types import TracebackType
from typing import Any, Self

import orjson
from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from benchmarks.feed import FORMING, feed
from benchmarks.kafka import probes
from benchmarks.kafka.site import Servers, Site, Work, Worker, partnership, site
from dev.local.processes import STARTS_WITHIN, DidNotStart, until
from infra.running.leader import Lease
from infra.store.postgres_datastore import Datastore
from infra.store.postgres_views import CHANNEL, PostgresViews
from infra.tlog.codec import canonical

ROLES = ("intake", "relay", "projector", "publisher")

BARE = "kafka-python alone: message produced → consumed"
RELAYED = "command produced → its first event consumed"
SAVED = "command produced → its alert saved by the projector"
ALERTED = "command produced → its alert consumed"

EVERY = 50
"""One command in so many makes an alert."""

LINGER_MS = 5
"""Milliseconds in which commands gather at their sender; they count as waiting, too."""

_WAIT = 0.2
"""Seconds to wait for something before looking whether to stop."""

_SETTLES_WITHIN = 300
"""Seconds in which the processes catch up with what is prepared."""

_ARRIVES_WITHIN = 120
"""Seconds after the last command in which what comes is late and not lost."""


@dataclass(frozen=True)
class Flow:
    """How many commands a second and for how many seconds, of how many partnerships."""

    rate: int
    seconds: int
    bare_seconds: int
    """For how long the bare loop is measured at the same rate."""
    partnerships: int


Moments = dict[Hashable, float]
"""When something was sent, or arrived, by what tells it from all else."""


def measure(servers: Servers, name: str, flow: Flow) -> dict[str, Any]:
    """Return the latencies at this flow, the rate that there really was, and what then waited."""
    before, commands = _commands(flow)
    with site(servers, name) as here, ExitStack() as stack:
        bare = _bare(here, commands[: flow.rate * flow.bare_seconds], flow.rate)
        workers = stack.enter_context(here.running(*ROLES))
        _settle(here, workers, before)
        events, alerts = (
            stack.enter_context(_consumed(here.settings.broker, topic))
            for topic in (here.topics.events, here.topics.alerts)
        )
        saved = stack.enter_context(_saved(here.settings.store))
        before_it = [each.work() for each in workers]
        sent = _send(here.settings.broker, here.topics.commands, commands, flow.rate)
        batches = {
            each.role: _batches(earlier, each.work())
            for each, earlier in zip(workers, before_it, strict=True)
        }
        waiting = {each.role: each.lag() for each in workers}
        expected: Moments = {
            probes.alert(number): at for number, at in enumerate(sent[EVERY - 1 :: EVERY])
        }
        until(lambda: expected.keys() <= alerts.first(_alert).keys(), _ARRIVES_WITHIN)
        here.check()
    return {
        "asked": flow.rate,
        "achieved": round((len(sent) - 1) / (sent[-1] - sent[0])),
        "seconds": flow.seconds,
        "waiting": waiting,
        "batches": batches,
        "milliseconds": {
            BARE: bare,
            RELAYED: _summary(_named(commands, sent), events.first(_cause)),
            SAVED: _summary(expected, saved.first(_alert)),
            ALERTED: _summary(expected, alerts.first(_alert)),
        },
    }


_WITHHELD = {
    "accord.AssessAlignment",
    "accord.CompleteDecisionChecklist",
    "accord.CorrectMetric",
    "accord.DefineIdealPartnerProfile",
    "accord.IdentifyCandidate",
    "accord.MeasureAudienceOverlap",
    "accord.ReportMetric",
    "accord.ScoreCandidate",
}
"""The commands of the feed whose events a party may keep to itself."""


def _named(commands: Sequence[bytes], sent: Sequence[float]) -> Moments:
    """Return when each command was sent, without those whose events the relay withholds.

    Such an event arrives as a hash, which names no command.
    """
    withheld = {_command(raw) for raw in commands if orjson.loads(raw)["type"] in _WITHHELD}
    found = _by(_command, commands, sent)
    return {name: at for name, at in found.items() if name not in withheld}


def _commands(flow: Flow) -> tuple[list[bytes], list[bytes]]:
    """Return what is decided before, and the commands that are measured."""
    count = flow.rate * flow.seconds
    formed = FORMING * flow.partnerships
    lines = feed(formed + count, flow.partnerships)
    before = [*islice(lines, formed), *probes.prepared(count // EVERY)]
    commands = [
        next(lines) if place % EVERY else probes.probe(place // EVERY - 1)
        for place in range(1, count + 1)
    ]
    return before, commands


def _bare(here: Site, commands: Sequence[bytes], rate: int) -> dict[str, float]:
    topic = here.create(f"{here.topics.prefix}.bare")
    with _consumed(here.settings.broker, topic) as consumed:
        sent = _by(_command, commands, _send(here.settings.broker, topic, commands, rate))
        until(lambda: sent.keys() <= consumed.first(_command).keys(), _ARRIVES_WITHIN)
    return _summary(sent, consumed.first(_command))


def _settle(here: Site, workers: Sequence[Worker], before: Sequence[bytes]) -> None:
    """Have the processes take in what is to be there before, and wait until all of it is told."""
    intake, relay, _, publisher = workers
    count = here.produce(before)
    with here.history() as history, here.folded() as folded:

        def settled() -> bool:
            return (
                intake.handled() >= count
                and relay.handled() >= history.size() == folded()
                and not publisher.lag()
            )

        if not until(settled, _SETTLES_WITHIN):
            raise DidNotStart("the processes do not catch up")


def _send(broker: str, topic: str, raws: Sequence[bytes], rate: int) -> list[float]:
    """Send at a steady rate, each message when its time has come; give when each was sent."""
    keyed = [(partnership(raw), raw) for raw in raws]
    sent = []
    # What is sent within some milliseconds shares a request, as it does by default in librdkafka;
    # else writing and answering a thousand requests a second would take the better half of a core.
    with closing(KafkaProducer(bootstrap_servers=broker, linger_ms=LINGER_MS)) as producer:
        producer.partitions_for(topic)
        # What is to be sent lives on, so no pause is taken to look through it.
        gc.collect()
        gc.freeze()
        start = perf_counter()
        for number, (key, raw) in enumerate(keyed):
            sleep(max(0.0, start + number / rate - perf_counter()))
            sent.append(perf_counter())
            producer.send(topic, key=key, value=raw)
        producer.flush()
        gc.unfreeze()
    return sent


class Arrivals:
    """Notes when each thing that `take` waits for and gives is in hand, in a thread of its own."""

    def __init__(self, take: Callable[[], list[bytes]]) -> None:
        self._take = take
        self._arrived: list[tuple[float, bytes]] = []
        self._stopping = Event()
        self._thread = Thread(target=self._listen, daemon=True)

    def first(self, name: Callable[[bytes], Hashable]) -> Moments:
        """Return when the first of each name arrived."""
        arrived: Moments = {}
        for at, value in self._arrived.copy():
            arrived.setdefault(name(value), at)
        return arrived

    def _listen(self) -> None:
        while not self._stopping.is_set():
            taken = self._take()
            now = perf_counter()
            self._arrived += [(now, each) for each in taken]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stopping.set()
        self._thread.join()


@contextmanager
def _consumed(broker: str, topic: str) -> Iterator[Arrivals]:
    """Return what arrives on a topic from now on."""
    with closing(KafkaConsumer(bootstrap_servers=broker, enable_auto_commit=False)) as consumer:
        parts = [TopicPartition(topic, each) for each in consumer.partitions_for_topic(topic)]
        consumer.assign(parts)
        consumer.seek_to_end()
        # Only when its place is known does it miss nothing of what is sent from now on.
        for each in parts:
            consumer.position(each, timeout_ms=1000 * STARTS_WITHIN)

        def take() -> list[bytes]:
            found = consumer.poll(timeout_ms=1000 * _WAIT)
            return [each.value for part in found.values() for each in part]

        with Arrivals(take) as arrivals:
            yield arrivals


@contextmanager
def _saved(store: str) -> Iterator[Arrivals]:
    """Return what a projector saves from now on for a publisher to tell."""
    with (
        closing(PostgresViews(Datastore(store))) as views,
        Lease(store, "benchmark", CHANNEL) as lead,
    ):
        lead.take()
        last = views.last_output()

        def take() -> list[bytes]:
            nonlocal last
            lead.wait(_WAIT)
            found = views.outputs(last)
            last = found[-1].number if found else last
            return [canonical(each.body) for each in found]

        with Arrivals(take) as arrivals:
            yield arrivals


def _batches(earlier: Work, later: Work) -> dict[str, float]:
    """Return how large the batches were between two looks, and how long one took."""
    handled, count, seconds = (b - a for a, b in zip(earlier, later, strict=True))
    if not count:
        return {"batches": 0, "size": 0.0, "milliseconds": 0.0}
    mean = {"size": handled / count, "milliseconds": 1000 * seconds / count}
    return {"batches": int(count)} | {name: round(each, 1) for name, each in mean.items()}


# --- what a message is about ---------------------------------------------------------------------


def _command(raw: bytes) -> Hashable:
    command = orjson.loads(raw)
    return command["source"], command["id"]


def _cause(body: bytes) -> Hashable:
    # An event that a party may keep to itself names no source. None of those is measured.
    event = orjson.loads(body)
    return event.get("source"), event.get("source_id")


def _alert(body: bytes) -> Hashable:
    return str(orjson.loads(body)["id"])


def _by(name: Callable[[bytes], Hashable], raws: Iterable[bytes], sent: Iterable[float]) -> Moments:
    return {name(raw): at for raw, at in zip(raws, sent, strict=True)}


def _summary(sent: Mapping[Hashable, float], arrived: Mapping[Hashable, float]) -> dict[str, float]:
    """Return how many were sent and arrived, and the quantiles of milliseconds between."""
    took = [1000 * (arrived[name] - at) for name, at in sent.items() if name in arrived]
    if len(took) < 2:  # noqa: PLR2004 - less has no quantiles
        raise DidNotStart(f"{len(took)} of {len(sent)} messages arrived")
    cuts = quantiles(took, n=100, method="inclusive")
    named = {"p50": cuts[49], "p90": cuts[89], "p99": cuts[98], "max": max(took)}
    return {"sent": len(sent), "arrived": len(took)} | {
        name: round(each, 1) for name, each in named.items()
    }
