"""The journey through production: the same commands, the same answers, byte for byte."""

import os
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from dev.local.kafka import Broker
from infra.answers.verify import check
from infra.audit.log import Log
from infra.bootstrap import Accord
from infra.tlog.notes import Checkpoint, Note
from tests.documents import REPOSITORY
from tests.feeds import FEEDS, messages, play, played
from tests.infra.older import written_by_an_older_release
from tests.journeys.production import (
    SETTLED_SECONDS,
    Answers,
    Production,
    answers,
    production,
    relayed,
    wait_for,
)
from tests.journeys.schemas import keeps_to
from tests.parts import Reachable, missing_part

CONSULTING = "growthos-consulting"

NAMES = re.compile(rb"maya[. ]ortiz|sam[. ]adeyemi|elise[. ]garnier|Anders Vik", re.IGNORECASE)
"""People of the examples, as they act and as they are named."""


@pytest.fixture(scope="module")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Answers:
    """What the embedded default makes of the examples."""
    with played(tmp_path_factory.mktemp("embedded")) as accord:
        accord.catch_up()
        return answers(accord)


@pytest.fixture
def made(database: str, broker: Reachable, tmp_path: Path) -> Iterator[Production]:
    with production(database, broker.address, tmp_path) as made:
        yield made


def test_the_examples_come_to_the_same_bytes_as_in_the_embedded_process(
    made: Production, embedded: Answers, broker: Reachable
) -> None:
    made.start_all()
    made.produce(raw for feed in FEEDS for raw in messages(feed))
    made.settle(len(embedded["events"]))

    with made.accord() as accord:
        assert answers(accord) == embedded
    topics_tell_the_same(made, embedded)
    consoles_read_alerts(made, broker)
    for each in made.running.values():
        assert each.end() == 0


def test_the_producer_that_the_documents_show_emits_a_command(made: Production) -> None:
    guide = (REPOSITORY / "docs" / "production.md").read_text(encoding="utf-8")
    (shown,) = re.findall(r"```python\n(.*?)```", guide, re.DOTALL)
    made.start("intake")
    given = {"ACCORD_KAFKA": made.settings.broker, "ACCORD_TOPICS": made.settings.topics}
    for _ in range(2):
        subprocess.run(
            [sys.executable, "-"], input=shown.encode(), env=os.environ | given, check=True
        )
    with made.accord() as accord:
        wait_for(lambda: accord.history.size() > 0, SETTLED_SECONDS, made.logs)
        (begun,) = accord.history.of("acme-search")
    assert (begun.source, begun.source_id) == ("//crm.example", "4711")


def test_a_projector_rebuilds_views_of_an_older_release_before_it_folds(
    made: Production,
) -> None:
    with written_by_an_older_release(made.settings) as accord:
        recorded = accord.history.size()
    made.start("projector")
    made.start("relay")
    made.wait_until_ready("projector")
    with made.accord() as accord:
        for feed in FEEDS[2:]:
            play(accord, feed)
        assert accord.history.size() > recorded
        wait_for(lambda: not accord.runner.behind(newest(accord)), SETTLED_SECONDS, made.logs)
        assert all(each.difference is None for each in check(accord))


def newest(accord: Accord) -> dict[str, int]:
    names = accord.history.partnerships()
    return {name: head.size - 1 for name, head in accord.history.heads(names).items()}


def test_checkpoints_are_published_and_published_again_after_a_takeover(
    made: Production,
) -> None:
    made.start("intake")
    made.start("notary")
    made.wait_until_ready("notary")
    made.produce(messages(FEEDS[0]))
    with made.accord() as accord:
        key = accord.signing().seal.verifier(CONSULTING)

        def told() -> list[Checkpoint]:
            notes = [orjson.loads(m.value) for m in made.consumed(made.topics.audit)]
            read = [Note.read(each["note"]) for each in notes]
            assert all(each.by(key) for each in read)
            return [Checkpoint.read(each.text) for each in read]

        # One at each statement, and one for what came last once a minute is over.
        wait_for(lambda: len(told()) > 0, SETTLED_SECONDS, made.logs)
        sizes = [each.size for each in told()]
        assert sizes == sorted(set(sizes))
        held = Log(accord.history, accord.trees, CONSULTING)
        assert all(held.root(each.size) == each.root for each in told())

        latest = told()[-1]
        assert made.running["notary"].end() == 0
        made.start("notary")
        made.wait_until_ready("notary")
        wait_for(lambda: told()[-1].size >= latest.size, SETTLED_SECONDS, made.logs)
        wait_for(lambda: len(told()) > len(sizes), SETTLED_SECONDS, made.logs)
    assert made.running["notary"].end() == 0


def topics_tell_the_same(made: Production, embedded: Answers) -> None:
    told = defaultdict(list)
    for each in made.consumed():
        told[each.topic].append(each)
    topics = made.topics

    by_place = {
        (m.key.decode(), int(dict(m.headers)["ce_index"])): m.value for m in told[topics.events]
    }
    assert by_place == relayed(embedded["events"])
    said = {dict(m.headers)["ce_id"].decode(): m.value for m in told[topics.alerts]}
    assert said == embedded["said"]
    entries = {(m.key.decode(), orjson.loads(m.value)["index"]) for m in told[topics.audit]}
    assert entries == set(embedded["events"])
    assert len(told[topics.rejected]) == 11
    assert all(orjson.loads(m.value)["hint"] for m in told[topics.rejected])
    for name in (topics.events, topics.audit):
        assert_in_order(told[name])
    for name in (topics.events, topics.audit, topics.alerts, topics.kpis, topics.rejected):
        assert all(keeps_to(m) for m in told[name])
    kpis = {m.key.decode(): orjson.loads(m.value) for m in told[topics.kpis]}
    assert kpis["growthos-consulting/leads/2026-Q1/count"]["value"] == "8"
    assert told[topics.dead] == []
    for name in set(told) - {topics.commands}:
        assert not NAMES.search(b"".join(m.value for m in told[name])), name


def assert_in_order(found: list[object]) -> None:
    last: dict[bytes, int] = {}
    for each in found:
        index = orjson.loads(each.value).get("index", dict(each.headers).get("ce_index"))  # type: ignore[attr-defined]
        assert int(index) == last.get(each.key, -1) + 1  # type: ignore[attr-defined]
        last[each.key] = int(index)  # type: ignore[attr-defined]


def consoles_read_alerts(made: Production, broker: Reachable) -> None:
    if not isinstance(broker, Broker):
        missing_part("Kafka's own tools", "the broker was not started from its jars")
    command = broker.tool(
        "org.apache.kafka.tools.consumer.ConsoleConsumer",
        "--bootstrap-server",
        made.settings.broker,
        "--topic",
        made.topics.alerts,
        "--from-beginning",
        "--timeout-ms",
        "5000",
    )
    done = subprocess.run(command, capture_output=True, check=False, timeout=60)
    alerts = [orjson.loads(line) for line in done.stdout.splitlines() if line.startswith(b"{")]
    assert {each["id"] for each in alerts} >= {"referral-minimum@1/growthos-consulting/2026-Q1"}
