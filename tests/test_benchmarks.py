"""The benchmarks run, and their feed is what they say it is; how fast is for them to tell.

Each runs in a process of its own: it looks for garbage before each measurement, and those of the
tests would take most of the time.
"""

import json
import subprocess
import sys
from typing import Any

import orjson
import pytest

from benchmarks import amendment, pages
from benchmarks import show as growth
from benchmarks.__main__ import INGEST, INSERT
from benchmarks.audit import __main__ as beside_audit
from benchmarks.audit import verifying
from benchmarks.audit.appending import APPEND_ON
from benchmarks.audit.proofs import INCLUSION_BUILT, LONGEST
from benchmarks.feed import FORMING, feed
from benchmarks.kafka import __main__ as beside_kafka
from benchmarks.kafka import latency, throughput
from dev.local.kafka import Broker
from dev.local.postgres import Postgres
from tests.parts import or_missing


def quick(benchmark: str) -> dict[str, Any]:
    """Run a benchmark on little, and return what it measured."""
    command = [sys.executable, "-m", benchmark, "--quick", "--json"]
    done = subprocess.run(command, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_a_quick_run_measures_every_contender_and_memory() -> None:
    found = quick("benchmarks")
    assert found["feed"]["events"] > found["feed"]["lines"] == 600
    assert all(rate > 0 for rate in found["events_per_second"].values())
    assert (INGEST, INSERT) in {(each["of"], each["to"]) for each in found["ratios"]}
    assert [each["lines"] for each in found["peak_memory"]] == [300, 600]
    assert all(each["ingest"] > 2**20 < each["rebuild"] for each in found["peak_memory"])


def test_a_quick_run_on_the_log_measures_appends_and_proofs() -> None:
    found = quick("benchmarks.audit")
    assert found["feed"]["events"] > found["feed"]["lines"] == 600
    assert all(rate > 0 for rate in found["per_second"].values())
    assert {each["of"] for each in found["ratios"]} >= {APPEND_ON, INCLUSION_BUILT}
    assert all(each["bytes"] < LONGEST for each in found["lengths"])
    assert APPEND_ON in beside_audit.show(found)


@pytest.mark.needs("node")
def test_a_quick_run_hands_out_what_is_verified_and_replayed() -> None:
    found = quick("benchmarks.audit.verifying")
    unsigned, signed = found["bundles"]
    assert unsigned["signed"] == 0
    # What time causes, and what comes before there are keys, nobody signs.
    assert signed["events"] > signed["signed"] > 0.9 * signed["events"]
    assert all(each["ran"] > 0 for each in found["per_second"].values())
    assert found["per_second"].keys() >= verifying.AIMS.keys()
    assert "verify.py" in verifying.show(found)


def test_a_quick_run_asks_for_the_first_pages_of_each_size() -> None:
    found = quick("benchmarks.pages")
    assert found["sizes"] == [2, 4]
    assert found["milliseconds"].keys() == {*pages.PAGES}
    assert all(each > 0 for times in found["milliseconds"].values() for each in times)
    assert "portfolio" in pages.shown(found)


def test_a_quick_run_of_amendments_touches_few_deals_and_all() -> None:
    found = quick("benchmarks.amendment")
    assert found["deals"] == 100
    assert found["milliseconds"].keys() == {"10", "100"}
    assert found["ratio"] > 0
    assert "| 100 |" in amendment.show(found)


def test_a_quick_run_of_questions_asks_each_at_every_size() -> None:
    found = quick("benchmarks.show")
    assert found["sizes"] == list(growth.QUICK)
    assert 0 < found["own_stream"] < growth.QUICK[0]
    assert all(len(times) == 2 for times in found["milliseconds"].values())
    assert found["growth"].keys() >= {"show", growth.AT}
    assert growth.AT in growth.shown(found)


@pytest.mark.xdist_group("kafka")
def test_a_quick_run_with_kafka_measures_every_contender_and_misses_no_alert() -> None:
    with or_missing():
        for part in (Broker, Postgres):
            part().remove()

    found = quick("benchmarks.kafka")

    assert found["feed"]["events"] > found["feed"]["lines"]
    assert all(rate > 0 for rate in found["per_second"].values())
    assert {each["of"] for each in found["ratios"]} <= found["per_second"].keys()
    assert found["per_second"].keys() >= {throughput.INTAKE, throughput.RELAY, throughput.PROJECTOR}
    (steady,) = found["steady"]
    for each in steady["milliseconds"].values():
        assert each["arrived"] == each["sent"]
        assert 0 < each["p50"] <= each["p99"] <= each["max"]
    assert all(each["batches"] > 0 for each in steady["batches"].values())
    assert latency.ALERTED in beside_kafka.show(found)


def test_a_feed_forms_each_partnership_by_its_first_lines() -> None:
    formed = [orjson.loads(line) for line in feed(2 * FORMING, 2)]
    for name in ("partner-0000", "partner-0001"):
        types = [line["type"] for line in formed if line["subject"] == name]
        assert types[0] == "accord.BeginExploration"
        assert types[-1] == "accord.HoldKickoff"


def test_a_feed_is_the_same_for_the_same_seed_and_another_for_another() -> None:
    once = list(feed(500, 5, seed=1))
    assert list(feed(500, 5, seed=1)) == once
    assert list(feed(500, 5, seed=2)) != once


def test_a_feed_interleaves_partnerships_each_in_order_of_time() -> None:
    lines = [orjson.loads(line) for line in feed(1000, 10)]
    times = [line["time"] for line in lines]
    assert times == sorted(times)
    assert {sum(line["subject"] == f"partner-{n:04}" for line in lines) for n in range(10)} == {100}
    assert len({line["id"] for line in lines}) == len(lines)
