"""Nothing is lost and nothing has its effect twice, whatever is killed, restarted or sent again.

`make faults` runs the large form of the flow, and this the small one, as a part of all tests.
"""

import logging
import os
import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import closing
from functools import partial
from operator import attrgetter
from pathlib import Path
from random import Random
from signal import SIGKILL, SIGTERM

import pytest
from kafka import KafkaProducer

from dev.local.kafka import Broker
from dev.local.postgres import Postgres
from infra.bootstrap import Accord
from infra.kafka import messages, topics
from infra.kafka.clients import LARGEST, FencedProducer
from infra.kafka.cluster import Cluster
from infra.kafka.messages import Message
from infra.kafka.topics import KEPT
from infra.projecting.rebuild import rebuild
from infra.store.history import partnerships
from projections import PROJECTIONS
from tests.faults import careless, hasty
from tests.faults.check import FORGED, Stated, Told, differences, embedded, stated
from tests.faults.flow import (
    Faults,
    Flow,
    Size,
    befall,
    behind,
    commands,
    from_the_beginning,
    settle,
)
from tests.feeds import simulated
from tests.infra.forged import Forged, forgeries
from tests.journeys.production import (
    ACCORD,
    READY_SECONDS,
    ROLES,
    STOP_SECONDS,
    Production,
    Running,
    production,
    wait_for,
)
from tests.parts import PATIENT, Reachable, Server, empty_database, sockets_collected

SIZE = (
    Size(lines=20_000, partnerships=100, seconds=420, rounds=20, restarts=4)
    if os.environ.get("ACCORD_FAULTS") == "full"
    else Size(lines=600, partnerships=6, seconds=15, rounds=1, restarts=1)
)
SEED = 20_261

RAWS = commands(lines=1_200, partnerships=4)
PIECE = 150
"""Of these commands a test produces so many, where it needs some that are new."""

# kafka-python leaves sockets open that a stopped broker refused.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")


@pytest.fixture(autouse=True)
def refused_connections(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Those sockets are let go before others look for what was left open; the log holds them."""
    caplog.set_level(logging.CRITICAL, "kafka")
    with sockets_collected():
        yield


class Story:
    """An installation in which everything runs, and what was produced into it so far.

    Each test leaves it settled and with the right answers, so that the next one need not start it
    anew.
    """

    def __init__(self, made: Production, beside: Accord) -> None:
        self.made = made
        self._beside = beside
        """The embedded default, which gets the same commands."""
        self._sent = 0

    def go_on(self) -> None:
        piece = RAWS[self._sent : self._sent + PIECE]
        assert len(piece) == PIECE
        self._sent += PIECE
        self.made.produce(piece)
        self._beside.service.handle(piece)

    def expected(self) -> Stated:
        """What the embedded default makes of the same commands."""
        self._beside.catch_up()
        return stated(self._beside)

    def wrong(self) -> list[str]:
        """What differs from the embedded default, once all is settled."""
        expected = self.expected()
        settle(self.made, len(expected.answers["events"]))
        return differences(self.made, expected)


@pytest.fixture(scope="module")
def story(
    postgres_server: Server, broker: Reachable, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Story]:
    folder = tmp_path_factory.mktemp("story")
    with (
        empty_database(postgres_server) as database,
        production(database, broker.address, folder) as made,
        simulated(folder / "beside") as beside,
    ):
        made.start_all()
        story = Story(made, beside)
        story.go_on()
        assert story.wrong() == []
        yield story


# --- the flow ------------------------------------------------------------------------------------


def test_killing_any_process_loses_no_event_and_counts_none_twice(
    own_broker: Broker, own_postgres: Postgres, tmp_path: Path
) -> None:
    raws = commands(SIZE.lines, SIZE.partnerships, SEED)
    expected = embedded(raws, tmp_path / "embedded")
    with production(own_postgres.create("accord"), own_broker.address, tmp_path) as made:
        made.start_all()
        faults = Faults(made, Flow(made, raws, SIZE.seconds, SEED))
        befall(faults, SIZE, {"broker": own_broker, "database": own_postgres}, SEED)
        settled = settle(made, len(expected.answers["events"]))
        assert expected.alerts
        assert differences(made, expected) == []
        # They stop in time whether a broker answers or not.
        own_broker.kill()
        faults.end_all()
        assert faults.astray == []
    for line in (*faults.told(), f"settled {settled:.1f} s after the last of {len(raws)} commands"):
        print(line)  # noqa: T201 - the figures are for who asked for them


def test_a_process_that_gets_sigterm_while_starting_stops(story: Story) -> None:
    made = story.made
    started = {role: made.start(role, f"early {role}") for role in ROLES}
    for each in started.values():
        wait_for(partial(listens, each), READY_SECONDS, made.logs)
        each.process.send_signal(SIGTERM)
    started["hasty projector"] = made.start(
        "projector", "early hasty projector", (sys.executable, hasty.__file__)
    )
    ended = {name: each.process.wait(STOP_SECONDS) for name, each in started.items()}
    for name in started:
        del made.running[f"early {name}"]
    assert ended == dict.fromkeys(started, 0)


def listens(running: Running) -> bool:
    """Whether a process has begun to hear signals."""
    return running.health() is not None


def test_a_projector_reads_a_topic_that_appears_after_its_start(
    story: Story,
) -> None:
    prefix = f"{story.made.settings.topics}-late"
    settings = story.made.settings.model_copy(update={"topics": prefix})
    late = Production(settings, story.made.folder)
    try:
        projector = late.start("projector", "late projector")
        wait_for(lambda: "does not list" in projector.ask("/readyz")[1], READY_SECONDS, late.logs)
        topics.create(Cluster(settings.broker), prefix)
        late.wait_until_ready("late projector")
        send(late, late.topics.events, [Forged(None, b"of nobody", [])])
        wait_for(lambda: not behind(late, *late.reads("projector")), READY_SECONDS, late.logs)
    finally:
        late.stop_all()


# --- what comes again ----------------------------------------------------------------------------


def test_what_was_handled_comes_again_from_the_beginning_and_changes_nothing(story: Story) -> None:
    again(story.made, "intake")
    again(story.made, "projector")
    assert story.wrong() == []


def test_events_come_again_in_another_order_of_partitions_and_change_nothing(story: Story) -> None:
    copy_by_partition(story.made)
    assert story.wrong() == []


def again(made: Production, role: str, *command: str) -> None:
    """Have everything come to a role once more, and wait until it has handled it."""
    group, topic = made.reads(role)
    assert made.running[role].end() == 0
    from_the_beginning(made, group, topic)
    assert behind(made, group, topic)
    made.start(role, command=command or (ACCORD,))
    wait_for(lambda: not behind(made, group, topic), READY_SECONDS, made.logs)


def copy_by_partition(made: Production) -> None:
    """Send all events once more, one partition after the other, the last one first."""
    events = sorted(made.consumed(made.topics.events), key=attrgetter("offset"))
    with closing(KafkaProducer(bootstrap_servers=made.settings.broker, **PATIENT)) as producer:
        for each in sorted(events, key=attrgetter("partition"), reverse=True):
            producer.send(
                each.topic,
                value=each.value,
                key=each.key,
                headers=each.headers,
                partition=each.partition,
            )
        producer.flush()


# --- what cannot be read -------------------------------------------------------------------------


def test_bytes_that_are_not_a_command_become_a_dead_letter_with_the_reason(story: Story) -> None:
    letters = Told(story.made).letters(story.made.topics.commands)
    assert letters[b"no JSON, like \xff: 50"].startswith("not-json: The message is unreadable")


def test_whatever_the_topics_say_the_views_are_those_of_the_store(story: Story) -> None:
    made = story.made
    # What comes from now on is recorded, and no relay tells the projector so.
    assert made.running["relay"].end() == 0
    story.go_on()
    wait_for(lambda: not behind(made, *made.reads("intake")), READY_SECONDS, made.logs)
    assert not folded(made)
    forged = list(forgeries_of(made))
    send(made, made.topics.events, forged)
    for topic in KEPT:
        if topic not in ("commands", "events"):
            send(made, f"{made.topics.prefix}.{topic}", forged[:5])
    # Each partnership is named by some of them, so its events are folded from the store.
    wait_for(lambda: folded(made), READY_SECONDS, made.logs)
    wait_for(lambda: not behind(made, *made.reads("projector")), READY_SECONDS, made.logs)
    assert made.running["projector"].ready()

    made.start("relay")
    story.go_on()
    send(made, made.topics.events, forged)
    assert story.wrong() == []
    letters = Told(made).letters(made.topics.events)
    assert b"no event of" in b"".join(letters)
    assert letters.keys() <= {each.value or b"" for each in forged}
    assert all(letters.values())
    # Neither marks of transactions nor forged messages count as waiting.
    wait_for(lambda: metric(made, "projector", "lag_events") == 0, READY_SECONDS, made.logs)
    assert metric(made, "projector", "lag_seconds") == 0


def test_a_projector_acknowledges_many_small_transactions(story: Story) -> None:
    made = story.made
    (name, *_) = made.consumed(made.topics.events)
    hint = Message(made.topics.events, name.key.decode(), name.value, [*name.headers, FORGED])
    with FencedProducer(Cluster(made.settings.broker), f"{made.topics.prefix}-hints") as producer:
        producer.take_over()
        for _ in range(MANY):
            producer.send([hint])
    # Faust alone would take a second for each.
    wait_for(lambda: not behind(made, *made.reads("projector")), MANY / 4, made.logs)


MANY = 120
"""Transactions of one message."""


def test_the_refusal_of_the_largest_message_fits_in_a_message() -> None:
    for raw in (b'"' * LARGEST, b"\x01" * LARGEST, b"\xff" * LARGEST):
        text = raw.decode(errors="replace")
        why = {"rule": "unknown-type", "detail": text, "id": text, "hint": None}
        for each in (
            messages.refused("rejected", raw, "acme", why),
            messages.dead("dead", "commands/0/1", raw, text),
        ):
            assert len(each.value or b"") + sum(len(value) for _, value in each.headers) < LARGEST


def forgeries_of(made: Production) -> Iterator[Forged]:
    """Forged messages about every partnership, in any order, each with a mark of the test's."""
    chance = Random(SEED)  # noqa: S311 - repeatable, not secret
    with made.accord() as accord:
        found = [
            each
            for name, head in accord.history.heads(partnerships(accord.history)).items()
            for each in forgeries(name, next(accord.history.bodies(name)), head.size, chance)
        ]
    chance.shuffle(found)
    yield from (each._replace(headers=[*each.headers, FORGED]) for each in found)


def send(made: Production, topic: str, given: Iterable[Forged]) -> None:
    with closing(
        KafkaProducer(bootstrap_servers=made.settings.broker, **PATIENT, max_request_size=LARGEST)
    ) as producer:
        sent = [
            producer.send(topic, key=key, value=value, headers=headers)
            for key, value, headers in given
        ]
        producer.flush()
        for each in sent:
            each.get(30)


def folded(made: Production) -> bool:
    """Whether all that is recorded is folded."""
    with made.accord() as accord:
        heads = accord.history.heads(partnerships(accord.history))
        last = {name: head.size - 1 for name, head in heads.items()}
        return all(accord.views.positions(each.name, heads) == last for each in PROJECTIONS)


# --- who stands by -------------------------------------------------------------------------------


@pytest.mark.parametrize("role", ["relay", "publisher"])
def test_a_standby_takes_over_when_the_leader_is_killed(story: Story, role: str) -> None:
    made = story.made
    made.start(role, "second")
    made.wait_until_ready("second")
    story.go_on()
    assert story.wrong() == []
    assert handled(made, role)
    assert not handled(made, "second")

    made.running[role].end(SIGKILL)
    story.go_on()
    assert story.wrong() == []
    assert handled(made, "second")
    made.running[role] = made.running.pop("second")


def handled(made: Production, name: str) -> float:
    """How much a process has done."""
    return metric(made, name, "handled_total")


def metric(made: Production, name: str, what: str) -> float:
    """What a process measures."""
    _, metrics = made.running[name].ask("/metrics")
    (found,) = re.findall(rf"^accord_{what}\{{.*\}} (.+)$", metrics, re.MULTILINE)
    return float(found)


# The last one, because what it says stays said.
def test_a_projector_that_looks_not_at_what_was_folded_is_found_out(story: Story) -> None:
    again(story.made, "projector", sys.executable, careless.__file__)
    try:
        # Figures are told of partnerships with new events alone.
        story.go_on()
        found = story.wrong()
    finally:
        # What it spoiled is folded anew from the history, and told anew.
        assert story.made.running["projector"].end() == 0
        story.made.start("projector")
        with story.made.accord() as accord:
            rebuild(accord.history, accord.views, PROJECTIONS)
    spoiled = ("rows", "figures", "told figures")
    for what in spoiled:
        assert any(re.fullmatch(f"{what}: .* are others, .*", each) for each in found), found
    # An alert that it withdrew and opened again was said, and that cannot be unsaid.
    assert not [each for each in story.wrong() if each.startswith(spoiled)]
