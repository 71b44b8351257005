"""A release with a changed fold opens a store that an older one wrote, on each engine."""

import json
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from threading import Barrier, Thread

import pytest
from starlette.testclient import TestClient

from infra.answers.verify import check
from infra.bootstrap import Accord, bootstrap, migrate
from infra.http.app import create_app
from infra.projecting import rebuild as rebuilding
from infra.projecting.rebuild import RebuildProgress, Replaced, bring_up, rebuild
from infra.projecting.replay import replay_all
from infra.projecting.runner import Runner
from infra.settings import Settings
from infra.store.history import partnerships
from infra.store.views import REBUILD, OtherFold, Views
from infra.tlog.codec import canonical
from projections import ALERTS, KPIS, OVERVIEW, PROJECTIONS
from projections.fold import Projection
from tests.documents import REPOSITORY
from tests.feeds import FEEDS, play
from tests.infra.older import (
    OLD,
    ONLY_OLD,
    runner_of,
    views_of,
    written_by_an_older_release,
)
from tests.journeys.typed import PROGRAM

WANTED = (OVERVIEW, ALERTS)
"""The projections whose fold changed."""

Rows = dict[tuple[str, str, str], bytes]


@pytest.fixture
def settings(address: str) -> Settings:
    return Settings(store=address)


@pytest.fixture
def accord(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Accord]:
    # Many batches, though the feeds are short.
    monkeypatch.setattr(rebuilding, "BATCH", 40)
    with written_by_an_older_release(settings) as accord:
        yield accord


def rows(views: Views, projections: tuple[Projection, ...], accord: Accord) -> Rows:
    return {
        (each.name, name, key): canonical(row)
        for each in projections
        for name in partnerships(accord.history)
        for key, row in views.select(each.name, name)
    }


def replayed(projections: tuple[Projection, ...], accord: Accord) -> Rows:
    return {
        (each.name, name, key): canonical(each.dump(key, row))
        for name in partnerships(accord.history)
        for each, folded in replay_all(projections, accord.history.of(name)).folded
        for key, row in folded.rows.items()
    }


def outputs(accord: Accord) -> list[str]:
    return [each.id for each in accord.views.outputs(limit=100_000)]


def differences(accord: Accord) -> list[object]:
    return [each.difference for each in check(accord) if each.difference]


# --- opening -------------------------------------------------------------------------------------


def test_rows_of_an_older_fold_are_not_served(accord: Accord) -> None:
    name = next(partnerships(accord.history))
    hint = r"are of version \d+ of its fold, .* reads version \d+\. Run accord rebuild"
    for read in (
        lambda: list(accord.views.select("overview", name)),
        lambda: accord.views.rows("overview", [(name, "overview")]),
        lambda: accord.views.rows_of("overview", [name]),
        lambda: accord.views.positions("overview", [name]),
        lambda: accord.runner.fold(accord.history.of(name)),
    ):
        with pytest.raises(OtherFold, match=hint):
            read()
    assert list(accord.views.select("kpis", name))


def test_an_embedded_process_says_so_and_rebuilds(
    accord: Accord, caplog: pytest.LogCaptureFixture
) -> None:
    before = outputs(accord)
    with caplog.at_level(logging.WARNING):
        accord.catch_up()

    assert "Rebuilding alerts, overview for this release." in caplog.text
    assert rows(accord.views, PROJECTIONS, accord) == replayed(PROJECTIONS, accord)
    # No alert is published again, not even one that only the old fold raised; others are new.
    after = outputs(accord)
    assert len(set(after)) == len(after) > len(before)
    assert after[: len(before)] == before
    assert any(each.endswith(ONLY_OLD) for each in before)
    assert differences(accord) == []

    caplog.clear()
    accord.catch_up()
    assert caplog.text == ""


def test_a_process_that_does_not_fold_is_not_ready_until_the_views_are_rebuilt(
    migrated: str,
) -> None:
    settings = Settings(store=migrated, kafka="127.0.0.1:1")
    with (
        written_by_an_older_release(settings) as accord,
        bootstrap(settings) as other,
        other.workers() as workers,
    ):
        other.catch_up()
        (reason,) = workers.unready_reasons()
        assert "Run accord rebuild alerts" in reason
        with TestClient(create_app(other, workers, ["testserver"], is_open=True)) as client:
            assert client.get("/readyz").status_code == 503
            refused = client.get("/v1/partnerships")
            assert refused.status_code == 503
            assert refused.json()["hint"].startswith("Run accord rebuild")

        rebuild(accord.history, accord.views, WANTED)
        assert workers.unready_reasons() == []


def test_migrate_queues_the_rebuild_and_rebuild_does_what_is_queued(
    accord: Accord, settings: Settings
) -> None:
    assert migrate(settings, simulated=True).queued == ["alerts", "overview"]
    assert rebuilding.pending(accord.views, PROJECTIONS) == [ALERTS, OVERVIEW]
    assert rows(views_of(accord), OLD, accord) == replayed(OLD, accord)

    rebuild(accord.history, accord.views, rebuilding.pending(accord.views, PROJECTIONS))
    assert rebuilding.pending(accord.views, PROJECTIONS) == []
    assert rows(accord.views, PROJECTIONS, accord) == replayed(PROJECTIONS, accord)
    assert migrate(settings, simulated=True).queued == []


def test_a_projection_that_a_release_adds_is_folded_from_the_beginning(
    accord: Accord,
) -> None:
    bring_up(accord.history, accord.views, [each for each in PROJECTIONS if each is not KPIS])
    assert "kpis" not in accord.views.folds()
    with pytest.raises(OtherFold, match=r"no rows of kpis yet\. Run accord rebuild kpis"):
        list(accord.views.select("kpis", "acme"))

    bring_up(accord.history, accord.views, PROJECTIONS)
    assert rows(accord.views, PROJECTIONS, accord) == replayed(PROJECTIONS, accord)


def test_a_release_without_a_projection_that_others_fold_is_refused(accord: Accord) -> None:
    accord.catch_up()
    without = [each for each in PROJECTIONS if each is not KPIS]
    older = Runner(accord.history, views_of(accord, without), without)
    play(accord, FEEDS[2])
    before = rows(accord.views, PROJECTIONS, accord)

    with pytest.raises(OtherFold, match="rows of kpis, which this release does not fold"):
        older.catch_up()
    assert rows(accord.views, PROJECTIONS, accord) == before
    accord.runner.catch_up()
    assert rows(accord.views, PROJECTIONS, accord) == replayed(PROJECTIONS, accord)


def test_a_runner_is_refused_once_another_release_adds_a_projection(accord: Accord) -> None:
    without = [each for each in PROJECTIONS if each is not KPIS]
    bring_up(accord.history, accord.views, without)
    older = Runner(accord.history, views_of(accord, without), without)
    older.catch_up()
    play(accord, FEEDS[2])
    accord.catch_up()
    play(accord, FEEDS[3])

    with pytest.raises(OtherFold, match="Use a newer release"):
        older.catch_up()
    accord.runner.catch_up()
    assert rows(accord.views, PROJECTIONS, accord) == replayed(PROJECTIONS, accord)


# --- beside readers and live folding -------------------------------------------------------------


def test_readers_see_only_old_rows_until_all_are_replaced(accord: Accord) -> None:
    old, before = views_of(accord), replayed(OLD, accord)
    seen: list[Rows] = []
    rebuild(accord.history, accord.views, WANTED, lambda _: seen.append(rows(old, OLD, accord)))

    assert len(seen) > 3
    assert all(each == before for each in seen)
    assert rows(accord.views, PROJECTIONS, accord) == replayed(PROJECTIONS, accord)
    with pytest.raises(OtherFold, match="Use a newer release"):
        rows(old, OLD, accord)


def test_the_older_release_goes_on_folding_until_the_swap_and_is_refused_after_it(
    accord: Accord,
) -> None:
    live = runner_of(accord)
    feeds = iter(FEEDS[2:3])

    def report(_: RebuildProgress) -> None:
        if feed := next(feeds, None):
            play(accord, feed)
        live.catch_up()

    rebuild(accord.history, accord.views, WANTED, report)
    assert rows(accord.views, PROJECTIONS, accord) == replayed(PROJECTIONS, accord)

    play(accord, FEEDS[3])
    before = rows(accord.views, PROJECTIONS, accord)
    for each in (live, runner_of(accord)):
        with pytest.raises(OtherFold, match="Use a newer release"):
            each.catch_up()
    assert rows(accord.views, PROJECTIONS, accord) == before


def test_what_is_folded_while_the_rows_are_swapped_is_in_the_new_rows(accord: Accord) -> None:
    live = runner_of(accord)

    class Late(type(accord.views)):  # type: ignore[misc]
        def swap(self, rest: Callable[..., object]) -> bool:
            for feed in FEEDS[2:]:
                play(accord, feed)
            live.catch_up()
            return bool(super().swap(rest))

    rebuild(accord.history, Late(accord.views.datastore), WANTED)  # type: ignore[attr-defined]

    assert rows(accord.views, PROJECTIONS, accord) == replayed(PROJECTIONS, accord)
    assert accord.runner.catch_up() == 0


def test_a_rebuild_works_while_a_runner_keeps_folding(accord: Accord) -> None:
    accord.catch_up()
    play(accord, FEEDS[2])
    accord.runner.catch_up()

    def report(_: RebuildProgress) -> None:
        accord.runner.catch_up()

    rebuild(accord.history, accord.views, PROJECTIONS, report)
    for feed in FEEDS[3:]:
        play(accord, feed)
    accord.runner.catch_up()

    assert rows(accord.views, PROJECTIONS, accord) == replayed(PROJECTIONS, accord)
    assert differences(accord) == []


# --- interrupted ---------------------------------------------------------------------------------

KILLED = """
import os, signal, sys
from infra.bootstrap import bootstrap
from infra.projecting import rebuild
from infra.settings import Settings
from projections import ALERTS, OVERVIEW

rebuild.BATCH = 40

def report(progress):
    if 0 < progress.done:
        os.kill(os.getpid(), signal.SIGKILL)

with bootstrap(Settings(store=sys.argv[1])) as accord:
    rebuild.rebuild(accord.history, accord.views, (OVERVIEW, ALERTS), report)
"""


def test_a_rebuild_that_was_killed_goes_on_where_it_ended(
    accord: Accord, settings: Settings
) -> None:
    command = [sys.executable, "-c", KILLED, settings.store]
    ended = subprocess.run(command, cwd=REPOSITORY, check=False)
    assert ended.returncode == -signal.SIGKILL
    rest, total = accord.views.remaining()
    assert 0 < rest < total
    assert rows(views_of(accord), OLD, accord) == replayed(OLD, accord)

    assert rebuild(accord.history, accord.views, WANTED) == rest
    assert rows(accord.views, PROJECTIONS, accord) == replayed(PROJECTIONS, accord)
    assert accord.views.folds(REBUILD) == {}


def test_two_processes_that_share_a_rebuild_give_the_same_rows_as_one(
    accord: Accord, settings: Settings
) -> None:
    start, faults = Barrier(2), []

    def work() -> None:
        try:
            with bootstrap(settings) as other:
                start.wait(10)
                bring_up(other.history, other.views, PROJECTIONS)
        except Exception as fault:  # noqa: BLE001 - it is shown below
            faults.append(fault)

    threads = [Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert faults == []
    assert rows(accord.views, PROJECTIONS, accord) == replayed(PROJECTIONS, accord)
    assert len(set(outputs(accord))) == len(outputs(accord))


def test_another_rebuild_takes_the_place_of_one_that_was_interrupted(accord: Accord) -> None:
    class Interrupted(Exception):
        pass

    def report(progress: RebuildProgress) -> None:
        if progress.done:
            raise Interrupted

    with pytest.raises(Interrupted):
        rebuild(accord.history, accord.views, WANTED, report)
    rebuild(accord.history, accord.views, PROJECTIONS)

    assert rows(accord.views, PROJECTIONS, accord) == replayed(PROJECTIONS, accord)
    assert Runner(accord.history, accord.views, PROJECTIONS).catch_up() == 0


def test_a_rebuild_does_not_end_a_larger_one_that_began_meanwhile(accord: Accord) -> None:
    class Overtaken(type(accord.views)):  # type: ignore[misc]
        def swap(self, rest: Callable[..., object]) -> bool:
            accord.views.queue({each.name: each.version for each in WANTED})
            return bool(super().swap(rest))

    with pytest.raises(Replaced, match="Run accord rebuild again"):
        rebuild(accord.history, Overtaken(accord.views.datastore), [OVERVIEW])  # type: ignore[attr-defined]
    assert rows(views_of(accord), OLD, accord) == replayed(OLD, accord)

    rebuild(accord.history, accord.views, WANTED)
    assert rows(accord.views, PROJECTIONS, accord) == replayed(PROJECTIONS, accord)


def test_the_rows_that_were_replaced_are_deleted(accord: Accord, settings: Settings) -> None:
    accord.catch_up()
    assert not left_over(accord, settings)


@pytest.mark.parametrize("by", [bring_up, lambda _, *given: rebuilding.queue(*given)])
def test_the_rows_of_a_projection_that_a_release_removes_are_deleted(
    accord: Accord, settings: Settings, by: Callable[..., object]
) -> None:
    accord.catch_up()
    without = [each for each in PROJECTIONS if each is not KPIS]

    by(accord.history, accord.views, without)
    assert "kpis" not in accord.views.folds()
    assert not left_over(accord, settings)
    assert Runner(accord.history, accord.views, without).catch_up() == 0


def test_rows_that_a_killed_process_left_are_deleted_by_the_next(
    accord: Accord, settings: Settings
) -> None:
    class Killed(Exception):
        pass

    class Dying(type(accord.views)):  # type: ignore[misc]
        def sweep(self) -> None:
            raise Killed

    with pytest.raises(Killed):
        bring_up(accord.history, Dying(accord.views.datastore), PROJECTIONS)  # type: ignore[attr-defined]
    assert left_over(accord, settings)

    bring_up(accord.history, accord.views, PROJECTIONS)
    assert not left_over(accord, settings)


def test_a_store_of_which_all_projections_were_removed_is_folded_from_the_beginning(
    accord: Accord,
) -> None:
    accord.views.drop(accord.views.folds())
    bring_up(accord.history, accord.views, PROJECTIONS)
    assert rows(accord.views, PROJECTIONS, accord) == replayed(PROJECTIONS, accord)


def left_over(accord: Accord, settings: Settings) -> set[int]:
    """Return the folds that have rows and that no reader reads."""
    table = "views.rows" if settings.in_postgres else "rows"
    datastore = accord.views.datastore  # type: ignore[attr-defined]
    with datastore.transaction(commit=False) as c:
        c.execute(f"SELECT DISTINCT fold FROM {table}")
        stored = {row["fold"] for row in c.fetchall()}
    assert stored
    return stored - {fold.id for fold in accord.views.folds().values()}


def test_the_command_rebuilds_what_is_named(accord: Accord, settings: Settings) -> None:
    accord.catch_up()
    before = accord.views.folds()
    command = [*PROGRAM, "rebuild", "kpis", "--json"]
    done = subprocess.run(
        command,
        cwd=REPOSITORY,
        check=True,
        capture_output=True,
        text=True,
        env=os.environ | {"ACCORD_STORE": settings.store},
    )
    assert json.loads(done.stdout) == {
        "simulated": True,
        "projections": ["kpis"],
        "events": accord.history.size(),
    }
    after = accord.views.folds()
    assert {name for name in before if before[name] != after[name]} == {"kpis"}
    assert rows(accord.views, PROJECTIONS, accord) == replayed(PROJECTIONS, accord)
