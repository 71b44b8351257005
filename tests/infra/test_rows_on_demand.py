"""A fold asks for rows that `keys` did not name: they are those of a plain replay, in every engine.

The projection of these tests has a row for each text and an index row that lists the texts. Some
events change every row that the index lists, which no function of one event could name.
"""

from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from sqlite3 import OperationalError
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain.recorded import Recorded
from infra.bootstrap import open_store
from infra.deciding.logs import GrowingRows, Logs, PendingLog
from infra.projecting import row_cache
from infra.projecting import runner as running
from infra.projecting.runner import Runner
from infra.settings import Settings
from infra.store.errors import Conflict
from infra.store.history import NOTHING, History
from infra.store.sqlite_views import SqliteViews
from infra.store.views import Views
from projections import fold
from projections.fold import (
    Change,
    Output,
    Projection,
    ReadFailed,
    Rows,
    RowsOnDemand,
    replay,
    rows_under,
)
from tests.infra.noted import Noted, noted
from tests.infra.test_rebuild_model import empty_store, text_of

NAMES = ("acme", "bolt")
TEXTS = ("a", "b", "c", "d", "all", "drop", "peek", "first")

Keys = Iterable[tuple[int, str, str]]


@dataclass(frozen=True)
class Index:
    texts: tuple[str, ...]


@dataclass(frozen=True)
class Counted:
    n: int


def apply(rows: Rows, recorded: Recorded) -> Change:
    listed = rows["index"].texts if "index" in rows else ()
    match text_of(recorded):
        case "all":
            # Every subject, at once; one of the keys has no row.
            found = rows_under(rows, (*listed, "none"))
            assert tuple(found) == listed
            return Change({key: Counted(row.n + 10) for key, row in found.items()}, [])
        case "drop":
            return Change(dict.fromkeys((*listed, "index")), [])
        case "peek":
            row = rows.get("a")
            seen = Counted(row.n if row else 0)
            return Change({}, [Output(f"{recorded.partnership}#{recorded.index}", "seen", seen)])
        case "first":
            key = listed[0] if listed else "a"
            return Change({key: Counted(rows[key].n + 1)}, []) if key in rows else fold.NOTHING
        case text:
            n = rows[text].n if text in rows else 0
            texts = (*listed, *(() if text in listed else (text,)))
            return Change({text: Counted(n + 1), "index": Index(texts)}, [])


def keys(recorded: Recorded) -> list[str]:
    """Name the rows of half of the events."""
    text = text_of(recorded)
    return [text] if len(text) == 1 and recorded.index % 2 else []


def row_type(key: str) -> type[Any]:
    return Index if key == "index" else Counted


INDEXED = Projection("indexed", keys, apply, frozenset({Noted}), row_type=row_type)


def plain(history: History, name: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the rows and the outputs of a replay, as they are stored."""
    found = replay(INDEXED, history.of(name))
    return (
        {key: INDEXED.dump(key, row) for key, row in found.rows.items()},
        {each.id: INDEXED.dump(each.id, each.body) for each, _ in found.outputs},
    )


def append(history: History, name: str, texts: Iterable[str]) -> None:
    size = sum(1 for _ in history.of(name))
    history.append([noted(name, n, text=text) for n, text in enumerate(texts, size + 1)])


def saved(views: Views, name: str) -> tuple[dict[str, Any], dict[str, Any]]:
    outputs = views.outputs(limit=10_000, partnership=name)
    return dict(views.select("indexed", name)), {each.id: each.body for each in outputs}


# --- the law -------------------------------------------------------------------------------------

appended = st.tuples(
    st.just("append"), st.sampled_from(NAMES), st.lists(st.sampled_from(TEXTS), max_size=6)
)
done = st.tuples(
    st.sampled_from(["catch up", "deliver", "restart"]),
    st.integers(0, 1),
    st.lists(st.integers(0, 30), max_size=4),
)


@pytest.mark.parametrize(("kind", "examples"), [("sqlite", 60), ("postgres", 5)])
def test_rows_that_keys_does_not_name_are_those_of_a_replay(
    kind: str,
    examples: int,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    known: None,  # noqa: ARG001 - its effect
) -> None:
    """Two runners fold batches in turn, restart, and evict nearly all rows after each batch."""
    monkeypatch.setattr(running, "BATCH", 4)
    monkeypatch.setattr(row_cache, "CACHED_ROWS", 6)
    monkeypatch.setattr(row_cache, "CACHED_ROWS_EACH", 2)

    @settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.lists(st.one_of(appended, done), min_size=4, max_size=14))
    def check(actions: list[tuple[str, Any, list[Any]]]) -> None:
        with (
            empty_store(kind, request) as made,
            opened(made) as (history, views),
        ):
            runners = [Runner(history, views, [INDEXED]) for _ in range(2)]
            for what, who, given_ in [*actions, ("catch up", 0, [])]:
                everything = history.after(NOTHING, 1000)
                match what:
                    case "append":
                        append(history, who, given_)
                    case "restart":
                        runners[who] = Runner(history, views, [INDEXED])
                    case "deliver" if everything:
                        chosen = {len(everything) - 1 - n % len(everything) for n in given_}
                        runners[who].fold([everything[n] for n in sorted(chosen)])
                    case _:
                        runners[who].catch_up()
                        for name in NAMES:
                            assert saved(views, name) == plain(history, name)

    check()


# --- statements, damage and errors of the store --------------------------------------------------


class Counting(SqliteViews):
    """Views that count the statements that read rows, and can fail."""

    statements = 0
    fails = False

    def load(self, keys: Keys) -> dict[tuple[int, str, str], bytes]:
        if self.fails:
            raise OperationalError("disk I/O error")
        self.statements += 1
        return super().load(keys)


@pytest.fixture
def views(known: None) -> Iterator[tuple[Any, Counting]]:  # noqa: ARG001 - its effect
    with (
        TemporaryDirectory() as folder,
        opened(Settings(store=f"sqlite:///{folder}/s.db")) as (history, views),
    ):
        yield history, Counting(views.datastore)  # type: ignore[attr-defined]


def test_an_event_that_changes_four_hundred_rows_reads_them_with_few_statements(
    views: tuple[Any, Counting],
) -> None:
    history, counting = views
    append(history, "acme", [f"text {n}" for n in range(400)])
    Runner(history, counting, [INDEXED]).catch_up()
    append(history, "acme", ["all", "all"])
    counting.statements = 0
    Runner(history, counting, [INDEXED]).catch_up()

    assert counting.statements == 2, "one for the index, one for the rows that it lists"
    assert saved(counting, "acme") == plain(history, "acme")


def test_an_absent_row_is_read_once(views: tuple[Any, Counting]) -> None:
    history, counting = views
    append(history, "acme", ["b"])
    runner = Runner(history, counting, [INDEXED])
    runner.catch_up()
    append(history, "acme", ["peek"] * 20)
    counting.statements = 0
    runner.catch_up()

    assert counting.statements == 1


def test_a_damaged_row_that_a_fold_asks_for_has_its_partnership_folded_anew(
    views: tuple[Any, Counting], caplog: pytest.LogCaptureFixture
) -> None:
    history, counting = views
    append(history, "acme", ["a", "b"])
    Runner(history, counting, [INDEXED]).catch_up()
    for body in (b"\xff", b"[]", b'{"n": "many"}'):
        counting.datastore.run("UPDATE rows SET body = ? WHERE key = 'a'", body)
        append(history, "acme", ["all"])
        Runner(history, counting, [INDEXED]).catch_up()

        assert saved(counting, "acme") == plain(history, "acme")
        assert counting.quarantined() == {}
    assert caplog.text.count("acme is folded from its first event, because of damage") == 3


def test_an_error_of_the_store_quarantines_nobody(views: tuple[Any, Counting]) -> None:
    history, counting = views
    append(history, "acme", ["a"])
    runner = Runner(history, counting, [INDEXED])
    runner.catch_up()
    append(history, "acme", ["b", "all"])
    runner = Runner(history, counting, [INDEXED])
    counting.fails = True
    with pytest.raises(OperationalError):
        runner.catch_up()
    counting.fails = False

    assert counting.quarantined() == {}
    runner.catch_up()
    assert saved(counting, "acme") == plain(history, "acme")


def test_a_decision_reads_rows_on_demand(views: tuple[Any, Counting]) -> None:
    history, counting = views
    append(history, "acme", ["a", "b"] * 150)
    Runner(history, counting, [INDEXED]).catch_up()
    append(history, "acme", ["all", "first"])
    whole = list(history.of("acme"))

    found = Logs(history, counting).rows(INDEXED, PendingLog("acme", len(whole), ()), ["index"])
    assert found == replay(INDEXED, whole).rows


def test_a_batch_that_reads_rows_after_each_of_its_events_folds_each_once(
    views: tuple[Any, Counting],
) -> None:
    history, counting = views
    append(history, "acme", ["a", "b"] * 150)
    Runner(history, counting, [INDEXED]).catch_up()
    folded: list[str] = []

    def noting(rows: Rows, recorded: Recorded) -> Change:
        folded.append(recorded.event_id)
        return apply(rows, recorded)

    noted_fold = replace(INDEXED, apply=noting)
    batch = [noted("acme", each, text=text) for each, text in enumerate("abc" * 20, 301)]
    found = GrowingRows(Logs(history, counting), noted_fold)
    for size in range(len(batch)):
        found.after(PendingLog("acme", 300, batch[:size]), ["index"])
    rows = found.after(PendingLog("acme", 300, batch), ["index"])

    assert folded == [each.event_id for each in batch]
    assert rows_under(rows, "abc") == {"a": Counted(170), "b": Counted(170), "c": Counted(20)}


def test_a_decision_that_reads_a_row_after_others_were_saved_is_made_again(
    views: tuple[Any, Counting],
) -> None:
    history, counting = views
    append(history, "acme", ["a", "b"] * 150)
    Runner(history, counting, [INDEXED]).catch_up()
    found = Logs(history, counting).rows(INDEXED, PendingLog("acme", 301, ()), ["index"])
    assert found["a"] == Counted(150)

    append(history, "acme", ["a"])
    Runner(history, counting, [INDEXED]).catch_up()
    with pytest.raises(ReadFailed) as failed:
        found.get("b")
    assert isinstance(failed.value.error, Conflict)


def test_rows_of_a_partnership_whose_position_is_lost_are_not_read(
    views: tuple[Any, Counting],
) -> None:
    history, counting = views
    append(history, "acme", ["a", "b", "all"])
    Runner(history, counting, [INDEXED]).catch_up()
    counting.datastore.run("DELETE FROM positions")
    Runner(history, counting, [INDEXED]).catch_up()

    assert saved(counting, "acme") == plain(history, "acme")


def test_a_deleted_row_is_not_read_again() -> None:
    rows = RowsOnDemand(lambda keys: dict.fromkeys(keys, Counted(1)))
    assert rows["a"] == Counted(1)
    rows.pop("a", None)
    rows.pop("never read", None)
    assert "a" not in rows
    assert rows.get("never read") is None
    with pytest.raises(KeyError):
        rows["a"]


@contextmanager
def opened(made: Settings) -> Iterator[tuple[History, Views]]:
    history, views, _ = open_store(made)
    with closing(history):
        yield history, views
