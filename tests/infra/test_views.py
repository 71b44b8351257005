import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace

import pytest

from infra.bootstrap import open_store
from infra.settings import Settings
from infra.store.errors import Stale
from infra.store.history import NOTHING, History
from infra.store.paging import PAGE
from infra.store.views import SavedOutput, Views
from tests.infra.noted import noted
from tests.infra.saving import saved


def alert(name: str, partnership: str = "acme") -> SavedOutput:
    return SavedOutput(name, "alerts", partnership, "alert", {"state": "open"}, cause_index=4)


# --- saving ------------------------------------------------------------------------------------


def test_rows_outputs_and_position_are_saved_together(views: Views) -> None:
    views.save(
        saved(
            views,
            "alerts",
            {"acme": (NOTHING, 4)},
            {("acme", "2026-03"): {"leads": 3, "rate": "0.05"}},
            [alert("a")],
        )
    )
    assert views.positions("alerts", ["acme", "globex"]) == {"acme": 4}
    assert views.rows("alerts", [("acme", "2026-03"), ("acme", "2026-04")]) == {
        ("acme", "2026-03"): {"leads": 3, "rate": "0.05"}
    }
    assert views.outputs() == [replace(alert("a"), number=1)]


def test_the_next_save_goes_on_where_the_last_one_ended(views: Views) -> None:
    views.save(saved(views, "kpis", {"acme": (NOTHING, 0)}, {("acme", "a"): {"n": 1}}))
    views.save(
        saved(
            views,
            "kpis",
            {"acme": (0, 2), "globex": (NOTHING, 1)},
            {("acme", "a"): None, ("acme", "b"): {"n": 2}},
        )
    )
    assert views.positions("kpis", ["acme", "globex"]) == {"acme": 2, "globex": 1}
    assert views.rows("kpis", [("acme", "a"), ("acme", "b")]) == {("acme", "b"): {"n": 2}}


@pytest.mark.parametrize(
    "position",
    [
        pytest.param({"acme": (NOTHING, 5)}, id="believes-that-nothing-was-folded"),
        pytest.param({"acme": (1, 5)}, id="is-behind"),
        pytest.param({"acme": (3, 5)}, id="is-ahead"),
        pytest.param({"globex": (0, 5)}, id="believes-that-something-was-folded"),
    ],
)
def test_a_runner_that_was_overtaken_writes_nothing(
    views: Views, position: dict[str, tuple[int, int]]
) -> None:
    views.save(saved(views, "kpis", {"acme": (NOTHING, 2)}, {("acme", "a"): {"n": 1}}))
    stale = {"initech": (NOTHING, 0)} | position

    with pytest.raises(Stale):
        views.save(
            saved(views, "kpis", stale, {("acme", "a"): {"n": 9}}, [alert("a")]),
            cursor=("events", 7),
        )

    assert views.positions("kpis", ["acme", "globex", "initech"]) == {"acme": 2}
    assert views.rows("kpis", [("acme", "a")]) == {("acme", "a"): {"n": 1}}
    assert views.outputs() == []
    assert views.cursor("events") == NOTHING


def test_one_of_two_concurrent_runners_gets_stale(views: Views) -> None:
    at_once = threading.Barrier(2)

    def save(_: int) -> bool:
        at_once.wait()
        try:
            views.save(saved(views, "kpis", {"acme": (NOTHING, 0)}))
        except Stale:
            return False
        return True

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(save, range(2))) == [False, True]


def test_an_output_is_published_once_even_if_it_is_made_again(views: Views) -> None:
    views.save(saved(views, "alerts", {"acme": (NOTHING, 4)}, {}, [alert("a")]))
    views.save(saved(views, "alerts", {"acme": (4, 5)}, {}, [alert("a"), alert("b")]))
    assert [output.id for output in views.outputs()] == ["a", "b"]


def test_of_outputs_with_one_identifier_in_one_save_the_first_is_published(views: Views) -> None:
    first, again = alert("a"), replace(alert("a"), cause_index=5)
    views.save(saved(views, "alerts", {"acme": (NOTHING, 5)}, {}, [first, alert("b"), again]))
    assert [(output.id, output.cause_index) for output in views.outputs()] == [("a", 4), ("b", 4)]


def test_a_runner_that_folds_only_some_projections_writes_nothing(views: Views) -> None:
    whole = saved(views, "kpis", {"acme": (NOTHING, 0)})
    with pytest.raises(Stale):
        views.save(replace(whole, folds=list(whole.folds)[1:]))
    assert views.positions("kpis", ["acme"]) == {}


def test_a_tail_is_remembered_with_what_was_folded(views: Views) -> None:
    views.save(saved(views, "kpis", {"acme": (NOTHING, 0)}), cursor=("events", 3))
    views.move_cursor("events", 8)
    views.move_cursor("events", 7)
    assert (views.cursor("events"), views.cursor("other")) == (8, NOTHING)


def test_subscribers_are_called_after_an_output(views: Views) -> None:
    heard: list[int] = []
    views.subscribe(lambda: heard.append(len(views.outputs())))
    views.save(saved(views, "alerts", {"acme": (NOTHING, 0)}))
    views.save(saved(views, "alerts", {"acme": (0, 1)}, {}, [alert("a")]))
    assert heard == [1]


def test_views_are_there_when_the_store_is_opened_again(address: str, views: Views) -> None:
    views.save(saved(views, "kpis", {"acme": (NOTHING, 0)}, {("acme", "a"): {"n": "é"}}))
    views.close()
    history, again, _ = open_store(Settings(store=address))
    with closing(history):
        assert again.rows("kpis", [("acme", "a")]) == {("acme", "a"): {"n": "é"}}


@pytest.mark.usefixtures("known")
def test_views_and_history_share_connections(address: str) -> None:
    store, views, _ = open_store(Settings(store=address))
    with closing(store):
        append_and_save(store, views)


def append_and_save(store: History, views: Views) -> None:
    store.append([noted()])
    views.save(saved(views, "kpis", {"acme": (NOTHING, 0)}))
    assert (store.size(), views.positions("kpis", ["acme"])) == (1, {"acme": 0})


# --- reading -----------------------------------------------------------------------------------


def keys(found: object) -> list[str]:
    return [key for key, _ in found]  # type: ignore[attr-defined]


def test_a_partnerships_rows_are_read_by_key(views: Views) -> None:
    names = ["kpi/a", "kpi/b", "kpi/é", "kpj", "deal/1"]
    rows = {(who, name): {"key": name} for who in ("acme", "globex") for name in names}
    views.save(saved(views, "kpis", {"acme": (NOTHING, 0), "globex": (NOTHING, 0)}, dict(rows)))

    assert keys(views.select("kpis", "acme")) == ["deal/1", "kpi/a", "kpi/b", "kpi/é", "kpj"]
    assert keys(views.select("kpis", "acme", "kpi/")) == ["kpi/a", "kpi/b", "kpi/é"]
    assert keys(views.select("kpis", "acme", "kpi/", after="kpi/a", limit=1)) == ["kpi/b"]
    assert keys(views.select("kpis", "acme", limit=0)) == []
    assert list(views.select("kpis", "acme", "deal/")) == [("deal/1", {"key": "deal/1"})]
    assert keys(views.select("traits", "acme")) == []


def test_more_rows_than_a_page_are_read_to_the_end(views: Views) -> None:
    names = [f"{n:06}" for n in range(2 * PAGE + 1)]
    views.save(saved(views, "kpis", {"acme": (NOTHING, 0)}, {("acme", name): {} for name in names}))
    assert keys(views.select("kpis", "acme")) == names
    assert keys(views.select("kpis", "acme", limit=PAGE + 1)) == names[: PAGE + 1]
    assert len(views.rows("kpis", [("acme", name) for name in names])) == len(names)


def test_all_rows_are_read_of_the_partnerships_that_are_named(views: Views) -> None:
    views.save(
        saved(
            views,
            "overview",
            {"acme": (NOTHING, 0), "globex": (NOTHING, 0), "initech": (NOTHING, 0)},
            {("globex", "a"): {"n": 2}, ("acme", "b"): {"n": 1}, ("acme", "a"): {}},
        )
    )
    assert views.rows_of("overview", ["acme", "initech", "nobody"]) == {
        "acme": {"a": {}, "b": {"n": 1}}
    }
    assert views.rows_of("kpis", ["acme"]) == {}


def test_partnerships_wake_when_their_time_has_come(views: Views) -> None:
    wakes = {
        "acme": "2026-03-02T00:00:00Z",
        "globex": "2026-03-01T00:00:00Z",
        "hooli": "2026-03-02T00:00:00.500000Z",
        "initech": None,
    }
    views.save(
        saved(
            views,
            "deadlines",
            dict.fromkeys(wakes, (NOTHING, 0)),
            {(who, "next"): {"wake": wake} if wake else {} for who, wake in wakes.items()}
            | {("acme", "later"): {"wake": "2026-03-02T00:00:00Z"}},
        )
    )
    assert views.due("deadlines", "2026-02-28T23:59:59.999999Z") == []
    assert views.due("deadlines", "2026-03-02T00:00:00Z") == ["globex", "acme"]
    assert views.due("deadlines", "2026-03-02T00:00:00.250000Z") == ["globex", "acme"]
    assert views.due("deadlines", "2026-03-03T00:00:00Z") == ["globex", "acme", "hooli"]
    assert views.due("traits", "2026-03-03T00:00:00Z") == []


def test_a_partnership_that_was_woken_sleeps_again(views: Views) -> None:
    due = {("acme", "next"): {"wake": "2026-03-01T00:00:00Z"}}
    views.save(saved(views, "deadlines", {"acme": (NOTHING, 0)}, dict(due)))
    views.save(saved(views, "deadlines", {"acme": (0, 1)}, {("acme", "next"): {"done": True}}))
    assert views.due("deadlines", "2026-03-02T00:00:00Z") == []


def test_outputs_are_read_in_the_order_of_publication(views: Views) -> None:
    said = [alert("a"), alert("b", "globex"), alert("c")]
    views.save(saved(views, "alerts", {"acme": (NOTHING, 0)}, {}, said))
    assert [output.id for output in views.outputs(limit=2)] == ["a", "b"]
    assert [output.id for output in views.outputs(after=2)] == ["c"]
    assert [output.id for output in views.outputs(partnership="acme")] == ["a", "c"]
