"""The runner: whatever comes, in whatever order and how often, each event has its effect once."""

import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from threading import Barrier, Thread

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.recorded import Recorded
from infra.bootstrap import Accord
from infra.projecting import runner as runner_module
from infra.projecting.rebuild import rebuild
from infra.projecting.replay import replay_all
from infra.projecting.runner import Runner
from infra.store.errors import Stale
from infra.store.history import NOTHING, History, partnerships
from infra.store.sqlite import SqliteStore
from infra.store.sqlite_views import SqliteViews
from infra.store.views import CURSOR, Row, Saved, SavedOutput
from infra.tlog.codec import canonical
from projections import KPIS, PROJECTIONS
from projections.fold import replay
from tests.feeds import played

Bytes = dict[tuple[str, str, str], bytes]
"""Canonical bytes of each row by projection, partnership and key."""

Said = dict[str, tuple[str, str, bytes, int]]
"""Outputs by identifier, without the number that tells when this store saved them."""


@pytest.fixture(scope="module")
def accord(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Accord]:
    with played(tmp_path_factory.mktemp("played")) as accord:
        yield accord


@pytest.fixture(scope="module")
def events(accord: Accord) -> list[Recorded]:
    return accord.history.after(NOTHING, 10_000)


@pytest.fixture(scope="module")
def expected(accord: Accord) -> tuple[Bytes, Said]:
    """What a plain replay of each partnership's whole log comes to, in memory."""
    rows: Bytes = {}
    outputs: Said = {}
    for name in partnerships(accord.history):
        log = list(accord.history.of(name))
        for projection in PROJECTIONS:
            folded = replay(projection, log)
            rows |= {
                (projection.name, name, key): canonical(projection.dump(key, row))
                for key, row in folded.rows.items()
            }
            outputs |= {
                output.id: (
                    projection.name,
                    name,
                    canonical(projection.dump(output.id, output.body)),
                    index,
                )
                for output, index in folded.outputs
            }
    return rows, outputs


@contextmanager
def fresh_views(accord: Accord) -> Iterator[SqliteViews]:
    """Return views with nothing folded, in a copy of the store that has the history."""
    with TemporaryDirectory() as folder, views_in(copied(accord, Path(folder))) as views:
        # Else a runner that does nothing would pass.
        assert views.cursor(CURSOR) == NOTHING
        assert stored(views, accord.history) == ({}, {})
        yield views


@contextmanager
def views_in(path: Path) -> Iterator[SqliteViews]:
    with closing(SqliteStore.open(path)) as store:
        yield SqliteViews(store.datastore)


def copied(accord: Accord, folder: Path) -> Path:
    assert isinstance(accord.history, SqliteStore)
    path = folder / "v.db"
    with (
        closing(sqlite3.connect(accord.history.datastore.path)) as source,
        closing(sqlite3.connect(path)) as target,
    ):
        source.backup(target)
    return path


def stored(views: SqliteViews, history: History) -> tuple[Bytes, Said]:
    rows = {
        (projection.name, name, key): canonical(row)
        for projection in PROJECTIONS
        for name in partnerships(history)
        for key, row in views.select(projection.name, name)
    }
    said: list[SavedOutput] = views.outputs(limit=10_000)
    assert len({each.id for each in said}) == len(said)
    return rows, {
        each.id: (each.projection, each.partnership, canonical(each.body), each.cause_index)
        for each in said
    }


def batches(events: Sequence[Recorded], sizes: Iterable[int]) -> Iterator[Sequence[Recorded]]:
    start = 0
    for size in sizes:
        yield events[start : start + size]
        start += size
    yield events[start:]


# --- replay, live, rebuild ---------------------------------------------------------------------


def test_what_is_kept_live_is_what_a_replay_gives_byte_for_byte(
    accord: Accord, events: list[Recorded], expected: tuple[Bytes, Said]
) -> None:
    with fresh_views(accord) as views:
        assert Runner(accord.history, views, PROJECTIONS).catch_up() == len(events)
        assert stored(views, accord.history) == expected
        assert views.cursor(CURSOR) == events[-1].position


def test_a_rebuild_is_what_was_live_byte_for_byte_and_says_nothing_again(
    accord: Accord, expected: tuple[Bytes, Said]
) -> None:
    with fresh_views(accord) as views:
        runner = Runner(accord.history, views, PROJECTIONS)
        runner.catch_up()
        said = views.outputs(limit=10_000)
        assert rebuild(accord.history, views, PROJECTIONS) == accord.history.size()

        assert stored(views, accord.history) == expected
        assert views.outputs(limit=10_000) == said
        assert runner.catch_up() == 0


def test_a_rebuild_mends_rows_that_were_tampered_with(
    accord: Accord, expected: tuple[Bytes, Said]
) -> None:
    with fresh_views(accord) as views:
        runner = Runner(accord.history, views, PROJECTIONS)
        runner.catch_up()
        with views.datastore.writing() as c:
            c.execute("""UPDATE rows SET body = '{"sums":{}}'""")
            c.execute("DELETE FROM rows WHERE key = 'overview'")
        assert stored(views, accord.history) != expected
        rebuild(accord.history, views, PROJECTIONS)

        assert stored(views, accord.history) == expected


def test_several_folds_of_one_reading_are_what_each_gives_alone(accord: Accord) -> None:
    name = next(partnerships(accord.history))
    log = list(accord.history.of(name))
    replayed = replay_all(PROJECTIONS, iter(log))

    assert replayed.last == len(log) - 1
    for projection, folded in replayed.folded:
        alone = replay(projection, log)
        assert (folded.rows, folded.outputs) == (alone.rows, alone.outputs)


def test_a_batch_of_one_thousand_is_no_border(
    accord: Accord, expected: tuple[Bytes, Said], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner_module, "BATCH", 7)
    with fresh_views(accord) as views:
        runner = Runner(accord.history, views, PROJECTIONS)
        runner.catch_up()
        assert stored(views, accord.history) == expected
        rebuild(accord.history, views, PROJECTIONS)
        assert stored(views, accord.history) == expected


# --- at least once, in any order ---------------------------------------------------------------


def test_the_same_batch_twice_has_its_effect_once(
    accord: Accord, events: list[Recorded], expected: tuple[Bytes, Said]
) -> None:
    with fresh_views(accord) as views:
        runner = Runner(accord.history, views, PROJECTIONS)
        for batch in batches(events, [100] * 5):
            runner.fold(batch)
            runner.fold(batch)

        assert stored(views, accord.history) == expected


def test_a_runner_that_gets_only_the_newest_event_fills_the_gap_from_the_history(
    accord: Accord, events: list[Recorded], expected: tuple[Bytes, Said]
) -> None:
    newest = {each.partnership: each for each in events}
    with fresh_views(accord) as views:
        Runner(accord.history, views, PROJECTIONS).fold(newest.values())

        assert stored(views, accord.history) == expected


def deliveries(
    events: Sequence[Recorded], seed: int, kept: float, *, shuffled: bool
) -> Iterator[list[Recorded]]:
    """Some of the events in batches of chance sizes, in chance order, some batches twice."""
    chance = Random(seed)  # noqa: S311 - repeatable, not secret
    some = [each for each in events if chance.random() < kept]
    if shuffled:
        chance.shuffle(some)
    cut = []
    while some:
        size = chance.randint(1, len(some))
        # Every transport keeps the order of one key, so within a partnership a batch has it too.
        cut.append(sorted(some[:size], key=lambda each: each.index))
        some = some[size:]
    again = [batch for batch in cut if chance.random() < 0.3]
    yield from chance.sample(cut + again, len(cut) + len(again))


@settings(max_examples=15)
@given(st.integers(0, 2**32), st.floats(0, 1), st.booleans())
def test_batches_in_any_order_doubled_and_with_gaps_come_to_the_same(
    accord: Accord,
    events: list[Recorded],
    expected: tuple[Bytes, Said],
    seed: int,
    kept: float,
    shuffled: bool,  # noqa: FBT001 - drawn by hypothesis
) -> None:
    with fresh_views(accord) as views:
        runner = Runner(accord.history, views, PROJECTIONS)
        for batch in deliveries(events, seed, kept, shuffled=shuffled):
            runner.fold(batch)
        runner.catch_up()

        assert stored(views, accord.history) == expected


# --- several runners ---------------------------------------------------------------------------


class Racing(SqliteViews):
    """Views in which another runner is quicker, each time that somebody is about to save."""

    def __init__(self, views: SqliteViews, quicker: list[Runner]) -> None:
        super().__init__(views.datastore)
        self._quicker = quicker
        self.lost = 0

    def save(self, saved: Saved, cursor: tuple[str, int] | None = None) -> None:
        if self._quicker:
            self._quicker.pop().catch_up()
        try:
            super().save(saved, cursor)
        except Stale:
            self.lost += 1
            raise


def test_a_runner_that_lost_a_race_reads_again_and_repeats_no_output(
    accord: Accord, events: list[Recorded], expected: tuple[Bytes, Said]
) -> None:
    with fresh_views(accord) as views:
        racing = Racing(views, [Runner(accord.history, views, PROJECTIONS)])
        Runner(accord.history, racing, PROJECTIONS).fold(events[:300])

        assert racing.lost == 1
        assert stored(views, accord.history) == expected


def test_a_runner_that_always_loses_says_so(accord: Accord, events: list[Recorded]) -> None:
    class AlwaysStale(SqliteViews):
        def save(self, saved: Saved, cursor: tuple[str, int] | None = None) -> None:
            raise Stale(f"{len(saved.rows)} rows, {cursor}")

    with fresh_views(accord) as views:
        runner = Runner(accord.history, AlwaysStale(views.datastore), PROJECTIONS)
        with pytest.raises(Stale):
            runner.fold(events)
        assert stored(views, accord.history) == ({}, {})


def test_two_runners_in_two_threads_give_the_same_rows_as_one(
    accord: Accord, events: list[Recorded], expected: tuple[Bytes, Said]
) -> None:
    faults: list[Exception] = []
    with TemporaryDirectory() as folder:
        path = copied(accord, Path(folder))
        start = Barrier(2)

        def run(sizes: list[int]) -> None:
            try:
                with views_in(path) as views:
                    runner = Runner(accord.history, views, PROJECTIONS)
                    start.wait(10)
                    for batch in batches(events, sizes):
                        runner.fold(batch)
                    runner.catch_up()
            except Exception as fault:  # noqa: BLE001 - it is shown below
                faults.append(fault)

        with views_in(path) as views:
            threads = [Thread(target=run, args=([size] * (600 // size),)) for size in (30, 40)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(60)
            assert faults == []
            assert stored(views, accord.history) == expected


# --- what is saved with what -------------------------------------------------------------------


def test_rows_positions_outputs_and_the_tail_are_saved_whole_or_not_at_all(
    accord: Accord, events: list[Recorded]
) -> None:
    class Dying(SqliteViews):
        def save(self, saved: Saved, cursor: tuple[str, int] | None = None) -> None:
            broken = SavedOutput("broken", "kpis", "p", "alert", {"no JSON": object()}, 0)
            super().save(replace(saved, outputs=[*saved.outputs, broken]), cursor)

    with fresh_views(accord) as views:
        with pytest.raises(TypeError):
            Runner(accord.history, Dying(views.datastore), PROJECTIONS).fold(
                events, cursor=(CURSOR, events[-1].position)
            )

        assert stored(views, accord.history) == ({}, {})
        assert views.cursor(CURSOR) == NOTHING
        assert views.positions(KPIS.name, partnerships(accord.history)) == {}


def test_every_projection_reaches_the_last_event_of_every_partnership(
    accord: Accord, events: list[Recorded]
) -> None:
    sizes = Counter(each.partnership for each in events)
    with fresh_views(accord) as views:
        Runner(accord.history, views, PROJECTIONS).catch_up()

        for projection in PROJECTIONS:
            assert views.positions(projection.name, sizes) == {
                name: size - 1 for name, size in sizes.items()
            }


def test_who_waits_for_alerts_is_woken_once_a_save(accord: Accord, events: list[Recorded]) -> None:
    woken: list[int] = []
    with fresh_views(accord) as views:
        views.subscribe(lambda: woken.append(len(views.outputs(limit=10_000))))
        runner = Runner(accord.history, views, PROJECTIONS)
        runner.fold(events[:10])
        assert woken == []
        runner.catch_up()

        assert woken == [len(views.outputs(limit=10_000))]


def test_no_row_grows_with_the_length_of_the_history(accord: Accord) -> None:
    with fresh_views(accord) as views:
        Runner(accord.history, views, PROJECTIONS).catch_up()
        rows: list[Row] = [
            row
            for projection in PROJECTIONS
            for name in partnerships(accord.history)
            for _, row in views.select(projection.name, name)
        ]

    assert max(len(canonical(row)) for row in rows) < 15_000
