"""Leaders that are paused, replaced and woken under load leave no older message as a key's last.

Twenty rounds take six minutes, so only `make faults` runs them. `tests/infra/test_sender.py` pauses
leaders at the worst moments, one by one, as a part of all tests.
"""

import os
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random
from signal import SIGCONT, SIGSTOP
from typing import Any, NamedTuple

import psycopg
import pytest

from infra.kafka.topics import KEPT
from tests.faults import brisk
from tests.faults.check import body, differences, embedded, header, index_in, index_of
from tests.faults.flow import Flow, commands, settle
from tests.faults.test_faults import metric
from tests.journeys.production import READY_SECONDS, Production, production, wait_for
from tests.parts import Reachable, Server, empty_database


class Scale(NamedTuple):
    """How much flows, and how often the leaders are paused."""

    lines: int
    partnerships: int
    seconds: float
    rounds: int


SCALE = Scale(lines=9_000, partnerships=40, seconds=300, rounds=20)
SEED = 20_312

LED = ("relay", "publisher", "notary")
"""The roles of which one process sends."""

REPLACED_WITHIN = 15
"""Seconds in which another process is to lead, on a machine that has other things to do."""

pytestmark = [
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),
    pytest.mark.skipif(os.environ.get("ACCORD_FAULTS") != "full", reason="make faults runs it"),
]


def test_leaders_that_are_paused_and_woken_leave_no_older_message_last(
    postgres_server: Server, broker: Reachable, tmp_path: Path
) -> None:
    raws = commands(SCALE.lines, SCALE.partnerships, SEED)
    expected = embedded(raws, tmp_path / "embedded")
    with (
        empty_database(postgres_server) as database,
        production(database, broker.address, tmp_path) as made,
    ):
        start(made)
        flow = Flow(made, raws, SCALE.seconds, SEED)
        with ThreadPoolExecutor(1) as pool:
            produced = pool.submit(flow.produce)
            seconds = list(rounds(made, flow, Random(SEED)))  # noqa: S311 - repeatable
            produced.result()
        settle(made, len(expected.answers["events"]))
        wait_for(lambda: is_signed(made), READY_SECONDS, made.logs)
        assert differences(made, expected) == []
        for isolation in ("read_committed", "read_uncommitted"):
            assert older(made, made.consumed(isolation=isolation)) == []
        # Those that were paused live on, and stand by.
        assert [name for name, each in made.running.items() if not each.ready()] == []
        repeated = repeats(made)
    print(  # noqa: T201 - the figures are for who asked for them
        f"{len(seconds)} rounds: {', '.join(LED)} paused, replaced after "
        f"{sorted(seconds)[len(seconds) // 2]:.1f} s (median) and {max(seconds):.1f} s (at most), "
        f"woken; {sum(repeated.values())} messages repeated"
    )


CHECKPOINT = "accord.Checkpoint"


def start(made: Production) -> None:
    """Start two processes of each led role, and the others, one by one."""
    for role in ("intake", "projector"):
        made.start(role)
        made.wait_until_ready(role)
    for role in LED:
        for name in (role, f"{role}-2"):
            made.start(role, name, (sys.executable, brisk.__file__))
            made.wait_until_ready(name)


def rounds(made: Production, flow: Flow, random: Random) -> Iterator[float]:
    """Pause the leaders, wake them when others lead; yield how long that took."""
    for number in range(SCALE.rounds):
        leading = {role: leader_of(made, role) for role in LED}
        assert not flow.over.is_set(), f"nothing flows any more in round {number}"
        before = terms(made)
        for name in leading.values():
            time.sleep(random.uniform(0, 0.1))
            made.running[name].process.send_signal(SIGSTOP)
        paused = time.monotonic()
        try:
            wait_for(
                lambda: all(terms(made)[role] > before[role] for role in LED),  # noqa: B023 - now
                REPLACED_WITHIN,
                lambda: f"{terms(made)} after {before}",  # noqa: B023 - as above
            )
            yield time.monotonic() - paused
            # The new ones send what has come in meanwhile, and more.
            time.sleep(random.uniform(0.2, 2))
        finally:
            for name in leading.values():
                made.running[name].process.send_signal(SIGCONT)
        time.sleep(random.uniform(0, 1))


def leader_of(made: Production, role: str) -> str:
    """Return the process of a role that sends."""
    names = (role, f"{role}-2")
    before = {name: metric(made, name, "handled_total") for name in names}
    found: list[str] = []

    def sends() -> bool:
        found[:] = [n for n in names if metric(made, n, "handled_total") > before[n]]
        return bool(found)

    wait_for(sends, READY_SECONDS, made.logs)
    return found[-1]


def terms(made: Production) -> dict[str, int]:
    with psycopg.connect(made.settings.store) as client:
        return dict(client.execute("SELECT role, term FROM views.leaders").fetchall())


def is_signed(made: Production) -> bool:
    """Whether the latest checkpoints of all logs are signed and sent."""
    with made.accord() as accord:
        heads = accord.history.heads(accord.history.partnerships())
        sizes = {name: head.size for name, head in heads.items()}
    sent: dict[str, int] = {}
    for each in made.consumed(made.topics.audit):
        if header(each, "ce_type") == CHECKPOINT:
            sent[each.key.decode()] = body(each)["size"]
    return sent == sizes


# --- what must not be the last -------------------------------------------------------------------


def older(made: Production, messages: Iterable[Any]) -> list[str]:
    """Return where a key has an older message than it may have, in words.

    The last message of a key is its newest. Figures and checkpoints are never older than those
    before them. Events and items of the trail may begin again at an earlier one, as a new leader
    does, and then follow each other: a message of a leader that was replaced would not fit.
    """
    newest: dict[tuple[str, str, bytes], int] = {}
    last: dict[tuple[str, str, bytes], int] = {}
    found: list[str] = []
    for each in messages:
        if each.topic not in (made.topics.events, made.topics.kpis, made.topics.audit):
            continue
        kind, number, repeats = number_of(made, each)
        key = each.topic, kind, each.key
        if repeats and number > last.get(key, -1) + 1:
            found.append(f"{key}: {number} comes after {last.get(key)}")
        if not repeats and number < newest.get(key, -1):
            found.append(f"{key}: {number} comes after {newest[key]}")
        newest[key] = max(number, newest.get(key, -1))
        last[key] = number
    found += [
        f"{key} ends with {last[key]} of {newest[key]}" for key in last if last[key] < newest[key]
    ]
    return found


def number_of(made: Production, message: Any) -> tuple[str, int, bool]:  # noqa: ANN401 - kafka-python's
    """Return the kind of a message, its number in its key, and whether a leader repeats some."""
    if message.topic == made.topics.events:
        return "event", index_of(message), True
    if message.topic == made.topics.kpis:
        # A figure that is removed has no content, so the number is that of its identifier.
        return "figure", int(header(message, "ce_id").rpartition("@")[2]), False
    if header(message, "ce_type") == CHECKPOINT:
        return "checkpoint", int(body(message)["size"]), False
    return "item", index_in(message), True


def repeats(made: Production) -> Mapping[str, int]:
    """Return how many messages of each topic came more than once."""
    names = [f"{made.topics.prefix}.{name}" for name in KEPT if name != "commands"]
    seen: dict[str, Counter[str]] = defaultdict(Counter)
    for each in made.consumed(*names):
        seen[each.topic][header(each, "ce_id")] += 1
    return {topic: sum(ids.values()) - len(ids) for topic, ids in seen.items()}
