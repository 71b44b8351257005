import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, closing
from datetime import UTC, datetime
from pathlib import Path
from threading import Event
from typing import cast

import orjson
import pytest

from infra import workers as workers_module
from infra.bootstrap import Accord, bootstrap, init
from infra.deciding.group_commit import GATHERED, Busy, GroupCommit
from infra.deciding.intake import Sent
from infra.running import periodic_task
from infra.settings import Settings
from infra.tlog.codec import stored_moment
from tests.documents import REPOSITORY
from tests.infra.told import Told

Opening = Callable[[], AbstractContextManager[Accord]]


def beginning(partnership: str, at: str = "2026-01-12T09:00:00Z") -> bytes:
    """An event that is accepted once by any store."""
    return orjson.dumps(
        {
            "specversion": "1.0",
            "id": f"begin-{partnership}",
            "source": "//crm.growthos.example",
            "type": "accord.BeginExploration",
            "subject": partnership,
            "time": at,
            "party": "growthos",
            "actor": "maya.ortiz",
            "data": {"party_name": "GrowthOS", "purpose": "Reach mid-market companies."},
        }
    )


def eventually(true: Callable[[], object], within: float = 5) -> float:
    """Wait until something is true; give how many seconds that took."""
    began = time.monotonic()
    while not true():
        assert time.monotonic() - began < within, "it did not come true"
        time.sleep(0.005)
    return time.monotonic() - began


def commits(accord: Accord) -> list[int]:
    """Return a list that grows by one with each transaction."""
    counted: list[int] = []
    accord.history.subscribe(lambda: counted.append(1))
    return counted


class Held:
    """A writer that does nothing until it is let go."""

    def __init__(self, writer: GroupCommit) -> None:
        self._gate = Event()
        self.gone = writer.call(lambda: self._gate.wait(10))

    def evict(self) -> None:
        self._gate.set()
        self.gone.result(10)


# --- the writer --------------------------------------------------------------------------------


def test_what_waits_together_is_one_transaction_and_each_sender_gets_its_own_outcomes(
    accord: Accord,
) -> None:
    with accord.workers() as workers:
        counted = commits(accord)
        held = Held(workers.writer)
        messages = [beginning(f"p{number}") for number in range(198)]
        messages += [messages[0], b"no event"]
        with ThreadPoolExecutor(20) as senders:
            futures = list(senders.map(lambda raw: workers.writer.submit([raw]), messages))
        held.evict()
        outcomes = [outcome for future in futures for outcome in future.result(10)]
    assert len(counted) == 1
    assert sorted(each.partnership for each in outcomes if each.status == "accepted") == sorted(
        f"p{number}" for number in range(198)
    )
    assert outcomes[0].id == "begin-p0"
    assert [each.status for each in outcomes[197:]] == ["accepted", "duplicate", "refused"]


def test_a_transaction_gathers_no_more_than_its_share(accord: Accord) -> None:
    half = GATHERED // 2
    with accord.workers() as workers:
        counted = commits(accord)
        held = Held(workers.writer)
        futures = [
            workers.writer.submit([beginning(f"p{part}-{number}") for number in range(half)])
            for part in range(3)
        ]
        held.evict()
        assert [len(future.result(20)) for future in futures] == [half] * 3
    assert len(counted) == 2


def test_a_fault_reaches_the_one_who_caused_it_and_the_writer_goes_on(accord: Accord) -> None:
    with accord.workers() as workers:
        held = Held(workers.writer)
        before = workers.writer.submit([beginning("p1")])
        faulty = workers.writer.submit([Sent(cast("bytes", "text"), "")])
        after = workers.writer.submit([beginning("p2")])
        held.evict()
        assert before.result(10)[0].status == "accepted"
        assert isinstance(faulty.exception(10), Exception)
        assert after.result(10)[0].status == "accepted"
        assert workers.writer.submit([beginning("p3")]).result(10)[0].status == "accepted"


def test_a_fault_of_the_store_reaches_its_senders_and_nothing_is_recorded(
    accord: Accord, settings: Settings
) -> None:
    with accord.workers() as workers, closing(sqlite3.connect(settings.path)) as other:
        other.execute("ALTER TABLE results RENAME TO elsewhere")
        with pytest.raises(Exception, match="results"):
            workers.writer.submit([beginning("p1")]).result(10)
        assert accord.history.size() == 0
        other.execute("ALTER TABLE elsewhere RENAME TO results")
        assert workers.writer.submit([beginning("p1")]).result(10)[0].status == "accepted"


def test_a_sender_gets_busy_when_the_queue_is_full(accord: Accord) -> None:
    first, second = beginning("p1"), beginning("p2")
    writer = GroupCommit(accord.service, room=len(first) + len(second))
    taken = [writer.submit([first]), writer.submit([second])]
    with pytest.raises(Busy):
        writer.submit([beginning("p3")])
    writer.start()
    assert [future.result(10)[0].status for future in taken] == ["accepted", "accepted"]
    assert writer.submit([beginning("p3")]).result(10)[0].status == "accepted"
    writer.stop()


def test_one_that_is_larger_than_the_room_is_taken_when_nobody_else_waits(accord: Accord) -> None:
    writer = GroupCommit(accord.service, room=1)
    taken = writer.submit([beginning("p1"), beginning("p2")])
    writer.start()
    assert [each.status for each in taken.result(10)] == ["accepted", "accepted"]
    writer.stop()


def test_a_sender_that_went_away_has_nothing_decided(accord: Accord) -> None:
    with accord.workers() as workers:
        held = Held(workers.writer)
        assert workers.writer.submit([beginning("p1")]).cancel()
        held.evict()
    assert accord.history.size() == 0


def test_what_was_taken_is_recorded_and_folded_before_the_end(accord: Accord) -> None:
    with accord.workers() as workers:
        futures = [workers.writer.submit([beginning(f"p{number}")]) for number in range(50)]
    assert all(future.done() for future in futures)
    assert accord.history.size() == 50
    assert workers.lag() == 0
    with pytest.raises(Busy):
        workers.writer.submit([beginning("late")])


# --- the follower ------------------------------------------------------------------------------


def shown(accord: Accord, partnership: str) -> bool:
    return any(True for _ in accord.views.select("overview", partnership))


def test_what_this_process_records_is_shown_at_once(
    accord: Accord, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Were it found by looking for it now and then, that would take a minute here.
    monkeypatch.setattr(periodic_task, "POLL", 60)
    with accord.workers() as workers:
        eventually(lambda: workers.lag() == 0)
        workers.writer.submit([beginning("p1")]).result(10)
        assert eventually(lambda: shown(accord, "p1")) < 1


def test_what_another_process_records_is_shown_soon(accord: Accord, settings: Settings) -> None:
    program = """
import sys
from infra.bootstrap import bootstrap
from infra.settings import Settings
with bootstrap(Settings(store=sys.argv[1])) as accord:
    (outcome,) = accord.service.handle([sys.stdin.buffer.read()])
    assert outcome.status == "accepted", outcome
"""
    with accord.workers():
        subprocess.run(
            [sys.executable, "-c", program, settings.store],
            cwd=REPOSITORY,
            input=beginning("p1"),
            check=True,
        )
        assert eventually(lambda: shown(accord, "p1")) < 2


def test_the_follower_outlives_its_errors_and_says_so_meanwhile(
    accord: Accord, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(periodic_task, "POLL", 0.05)
    with accord.workers() as workers, closing(sqlite3.connect(settings.path)) as other:
        other.execute("ALTER TABLE rows RENAME TO elsewhere")
        workers.writer.submit([beginning("p1")]).result(10)
        eventually(lambda: any("accord-follower" in each for each in workers.unready_reasons()))
        assert workers.lag() == 1
        other.execute("ALTER TABLE elsewhere RENAME TO rows")
        eventually(lambda: workers.unready_reasons() == [])
        assert shown(accord, "p1")


# --- the scheduler -----------------------------------------------------------------------------

FEED = REPOSITORY / "examples" / "1-growthos.jsonl"
CONSULTING = "growthos-consulting"
LAUNCH_MISSED = f"milestone-missed@1/{CONSULTING}/launch"


def lived(accord: Accord, clock: Told, until: datetime) -> None:
    """Let the feed's partners act, each at the time that their events tell, up to a moment."""
    for line in FEED.read_bytes().splitlines():
        event = orjson.loads(line)
        at = stored_moment(event["time"])
        if at >= until:
            return
        if event["type"] != "accord.PassTime":
            clock.now = max(clock.now, at)
            accord.service.handle([line])


@pytest.fixture
def awaiting_launch(settings: Settings, clock: Told) -> Opening:
    """A store whose partners have a milestone due on 2026-02-04, and which then stood still."""
    clock.now = datetime(2025, 9, 1, tzinfo=UTC)
    with bootstrap(settings, clock) as accord:
        lived(accord, clock, until=stored_moment("2026-02-01T00:00:00Z"))
        accord.runner.catch_up()
    return lambda: bootstrap(settings, clock)


def states(accord: Accord) -> list[str]:
    return [row["state"] for key, row in accord.views.select("alerts", CONSULTING, LAUNCH_MISSED)]


def test_a_deadline_that_passes_is_recorded_while_the_clock_runs(
    awaiting_launch: Opening, clock: Told
) -> None:
    with awaiting_launch() as accord, accord.workers():
        time.sleep(0.1)
        assert states(accord) == []
        clock.now = stored_moment("2026-02-05T00:00:01Z")
        eventually(lambda: states(accord) == ["open"])


def test_deadlines_that_passed_during_a_stop_are_recorded_after_it_and_once(
    awaiting_launch: Opening, clock: Told
) -> None:
    clock.now = stored_moment("2026-02-20T08:00:00Z")
    with awaiting_launch() as accord, accord.workers():
        eventually(lambda: states(accord) == ["open"])
    with awaiting_launch() as accord:
        size = accord.history.size()
        ((_, alert),) = accord.views.select("alerts", CONSULTING, LAUNCH_MISSED)
        assert alert["since"] == "2026-02-05T00:00:00Z"
        assert alert["recorded_at"] == "2026-02-20T08:00:00Z"
        with accord.workers():
            time.sleep(0.2)
        assert accord.history.size() == size


def test_in_a_simulated_store_no_time_passes_by_itself(tmp_path: Path, clock: Told) -> None:
    settings = Settings(store=f"sqlite:///{tmp_path}/simulated.db")
    init(settings, simulated=True)
    with bootstrap(settings, clock) as accord:
        lived(accord, clock, until=stored_moment("2026-02-01T00:00:00Z"))
        accord.runner.catch_up()
        size = accord.history.size()
        clock.now = datetime(2030, 1, 1, tzinfo=UTC)
        with accord.workers():
            time.sleep(0.2)
        assert accord.history.size() == size


# --- how it fares ------------------------------------------------------------------------------


def test_nothing_ails_what_runs(accord: Accord) -> None:
    with accord.workers() as workers:
        assert workers.unready_reasons() == []


def test_what_has_ended_cannot_serve(accord: Accord) -> None:
    with accord.workers() as workers:
        pass
    assert workers.unready_reasons() == [
        "a thread has ended",
        "the writer is busy: Accord is stopping.",
    ]


def test_a_store_that_another_process_holds_cannot_be_written(
    accord: Accord, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers_module, "PROBE", 0.1)
    with accord.workers() as workers, closing(sqlite3.connect(settings.path)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert workers.unready_reasons() == ["the writer is busy"]
        other.rollback()
        eventually(lambda: workers.unready_reasons() == [])


def test_views_that_are_far_behind_are_not_served(
    accord: Accord, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers_module, "READY_LAG", 0)
    with accord.workers() as workers, closing(sqlite3.connect(settings.path)) as other:
        other.execute("ALTER TABLE rows RENAME TO elsewhere")
        workers.writer.submit([beginning("p1")]).result(10)
        assert "the views are 1 events behind the history" in workers.unready_reasons()
        other.execute("ALTER TABLE elsewhere RENAME TO rows")
