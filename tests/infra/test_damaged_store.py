"""Whatever is damaged in a store, the others go on, verify names it, and a rebuild repairs it."""

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from time import monotonic, sleep
from typing import NamedTuple

import pytest
from starlette.testclient import TestClient

from domain.recorded import Recorded
from domain.viewing import FullViewTaken
from infra.answers.alerts import ALERTS_QUESTION
from infra.answers.history import HISTORY
from infra.answers.partnerships import PARTNERSHIPS
from infra.answers.portfolio import PORTFOLIO
from infra.answers.verify import REBUILD, RESTORE, Difference, check
from infra.bootstrap import Accord, bootstrap
from infra.evidence.bundle import BundleRequest, export
from infra.http.app import create_app
from infra.projecting import runner as running
from infra.projecting.rebuild import rebuild
from infra.projecting.runner import Runner
from infra.settings import Settings
from infra.tlog.codec import canonical
from infra.tlog.keys import Signer
from projections import OVERVIEW, PROJECTIONS
from projections.fold import NOTHING, Change, Rows
from tests.documents import REPOSITORY
from tests.feeds import play, simulated
from tests.infra.answers.helpers import printed
from tests.infra.messages import beginning

ID = "aurora-series"
OTHER = "cobalt-docs"
FEEDS = ("3-producer-renewal.jsonl", "4-producer-exit.jsonl")
"""Two short feeds of the demo: the partnership that is damaged, and another one."""


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sound")
    with simulated(folder) as accord:
        for feed in FEEDS:
            play(accord, REPOSITORY / "examples" / feed)
        accord.catch_up()
    return folder / "accord.db"


@pytest.fixture
def store(sound: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(sound, tmp_path / "accord.db"))


@contextmanager
def opened(store: Path) -> Iterator[Accord]:
    with bootstrap(Settings(store=f"sqlite:///{store}")) as accord:
        yield accord


def damage(store: Path, statement: str, *given: object) -> None:
    with closing(sqlite3.connect(store)) as file, file:
        assert file.execute(statement, given).rowcount > 0


def found(accord: Accord) -> list[Difference]:
    return [each.difference for each in check(accord) if each.difference]


FOLD = "(SELECT fold FROM folds WHERE projection = 'deadlines')"


class Case(NamedTuple):
    table: str
    column: str
    value: object
    where: str
    """Where verify says that the difference is."""

    def damage(self, store: Path) -> None:
        where = f"AND fold = {FOLD} AND wake IS NOT NULL" if self.table == "rows" else ""
        statement = f"UPDATE {self.table} SET {self.column} = ? WHERE partnership = ? {where}"
        damage(store, statement, self.value, ID)


POSITIONS = [Case("positions", "idx", value, "positions") for value in ("x", b"\xff", -7, 3, 10**6)]
HEADS = [
    *(Case("heads", "size", value, "heads") for value in ("x", b"\xff", -7, 0, 3)),
    *(
        Case("heads", "recorded_at", value, "heads")
        for value in ("x", b"\xff", 7, "2999-01-01T00:00:00Z", "1999-01-01T00:00:00Z")
    ),
]
RECORDS = [
    Case("quarantine", column, value, "quarantine")
    for column, values in {
        "projection": (b"\xff",),
        "idx": ("x", -1),
        "error": (b"\xff",),
        "since": ("x", 7),
        "release": (b"\xff",),
        "tries": ("x", -1),
        "retry_at": ("x", 7),
        "newest": ("x", 10**6),
        "anew": ("x", 7),
    }.items()
    for value in values
]
WAKES = [Case("rows", "wake", value, "deadlines") for value in (None, "2999-01-01T00:00:00", "x")]


def ids(case: Case) -> str:
    return f"{case.table}.{case.column}={case.value!r}"


def quarantine(store: Path) -> None:
    """Put a partnership aside as a release would that could not fold its last event."""
    damage(
        store,
        """INSERT INTO quarantine SELECT 'live', partnership, 'kpis', idx + 1, 'injected fault.',
        '2026-03-01T00:00:00Z', '', 1, '2026-03-01T00:00:00Z', idx, 0
        FROM positions WHERE partnership = ? AND track = 'live'""",
        ID,
    )


@pytest.mark.parametrize("case", [*POSITIONS, *HEADS, *RECORDS, *WAKES], ids=ids)
def test_what_is_damaged_concerns_its_own_partnership_alone(store: Path, case: Case) -> None:
    if case.table == "quarantine":
        quarantine(store)
    case.damage(store)
    with opened(store) as accord:
        others_go_on(accord)


def others_go_on(accord: Accord) -> None:
    (outcome,) = accord.service.handle([beginning("newcomer", at="2026-07-01")])
    assert outcome.status == "accepted", outcome
    accord.catch_up()
    assert accord.views.positions("kpis", ["newcomer"]) == {"newcomer": 0}
    listed = {each.id for each in PARTNERSHIPS.reply(accord).items}
    assert {ID, OTHER, "newcomer"} <= listed
    assert ALERTS_QUESTION.reply(accord).items
    assert PORTFOLIO.reply(accord)
    with (
        accord.workers() as workers,
        TestClient(create_app(accord, workers, is_open=True)) as client,
    ):
        assert client.get("/readyz").status_code == 200


@pytest.mark.parametrize("case", [*POSITIONS, *HEADS, *RECORDS, *WAKES], ids=ids)
def test_verify_names_what_is_damaged_and_a_rebuild_repairs_it(store: Path, case: Case) -> None:
    if case.table == "quarantine":
        quarantine(store)
    case.damage(store)
    copy = Path(shutil.copy(store, store.with_name("copy.db")))
    with opened(store) as accord:
        (difference,) = found(accord)
    assert difference.partnership == ID
    assert difference.where == case.where
    assert difference.hint == REBUILD
    with opened(copy) as accord:
        rebuild(accord.history, accord.views, PROJECTIONS)
        accord.catch_up()
        assert found(accord) == []
        assert accord.views.quarantined() == {}


# --- what is no value of one column --------------------------------------------------------------


def test_a_row_with_wrong_figures_is_folded_anew_when_an_event_stumbles_over_it(
    store: Path,
) -> None:
    with opened(store) as accord:
        (kept,) = accord.views.rows("overview", [(ID, "overview")]).values()
    wrong = {key: value for key, value in kept.items() if key != "parties"} | {"parties": []}
    damage(
        store,
        """UPDATE rows SET body = CAST(? AS BLOB) WHERE partnership = ? AND key = 'overview'
        AND fold = (SELECT fold FROM folds WHERE projection = 'overview')""",
        canonical(wrong).decode(),
        ID,
    )
    stumbling = replace(
        OVERVIEW,
        apply=needs_parties,
        keys=lambda _: ["overview"],
        handles=OVERVIEW.handles | {FullViewTaken},
    )
    projections = [stumbling if each is OVERVIEW else each for each in PROJECTIONS]
    with opened(store) as accord:
        accord.service.record_own(ID, "operator", FullViewTaken(question="q", reason="r"))
        runner = Runner(accord.history, accord.views, projections)
        runner.catch_up()
        assert accord.views.quarantined() == {}
        accord.catch_up()
        assert found(accord) == []


def needs_parties(rows: Rows, recorded: Recorded) -> Change:
    """Fold as the overview, but fail at a view of a row that no fold saves."""
    if isinstance(recorded.event, FullViewTaken):
        if not rows["overview"].parties:
            raise KeyError("parties")
        return NOTHING
    return OVERVIEW.apply(rows, recorded)


def test_positions_and_rows_that_are_gone_are_folded_again(store: Path) -> None:
    damage(store, "DELETE FROM positions")
    damage(store, "DELETE FROM rows")
    with opened(store) as accord:
        others_go_on(accord)
        assert found(accord) == []


def test_a_running_server_folds_positions_again_that_are_lost(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "SURVEY", 0.0)
    with opened(store) as accord, accord.workers():
        damage(store, "DELETE FROM positions WHERE partnership = ?", ID)
        damage(store, "DELETE FROM rows WHERE partnership = ?", ID)
        limit = monotonic() + 20
        while not accord.views.positions("kpis", [ID]):
            assert monotonic() < limit
            sleep(0.05)
    with opened(store) as accord:
        assert found(accord) == []


@pytest.mark.parametrize(
    ("table", "statement"),
    [
        ("rows", "INSERT INTO rows SELECT fold, 'ghost', key, body, wake FROM rows LIMIT 1"),
        ("positions", "INSERT INTO positions VALUES ('live', 'ghost', 7)"),
        (
            "quarantine",
            """INSERT INTO quarantine VALUES ('live', 'ghost', 'kpis', 3, 'injected fault.',
            '2026-03-01T00:00:00Z', '', 1, '2026-03-01T00:00:00Z', 7, 0)""",
        ),
        (
            "outputs",
            """INSERT INTO outputs (id, projection, partnership, kind, body, cause_index, version)
            SELECT 'ghost', projection, 'ghost', kind, body, 0, version FROM outputs LIMIT 1""",
        ),
    ],
)
def test_what_is_stored_of_a_partnership_without_events_is_named_and_deleted(
    store: Path, table: str, statement: str
) -> None:
    damage(store, statement)
    copy = Path(shutil.copy(store, store.with_name("copy.db")))
    with opened(store) as accord:
        (difference,) = found(accord)
        assert (difference.partnership, difference.where) == ("ghost", table)
        assert (difference.expected, difference.hint) == (None, REBUILD)
    with opened(copy) as accord:
        rebuild(accord.history, accord.views, PROJECTIONS)
        others_go_on(accord)
        assert found(accord) == []
        assert accord.views.quarantined() == {}


def test_a_head_that_is_lost_is_named_and_made_again(store: Path) -> None:
    damage(store, "DELETE FROM heads WHERE partnership = ?", ID)
    copy = Path(shutil.copy(store, store.with_name("copy.db")))
    with opened(store) as accord:
        others = {each.partnership: each for each in found(accord)}
        assert (others[ID].where, others[ID].stored, others[ID].hint) == ("heads", "None", REBUILD)
    with opened(copy) as accord:
        rebuild(accord.history, accord.views, PROJECTIONS)
        accord.catch_up()
        assert found(accord) == []


def test_a_log_that_was_cut_off_is_restored_from_a_backup(store: Path) -> None:
    damage(store, "DELETE FROM events WHERE partnership = ? AND idx > 40", ID)
    with opened(store) as accord:
        (difference,) = [each for each in found(accord) if each.partnership]
        assert (difference.partnership, difference.key) == (ID, f"{ID}#41")
        assert difference.hint == RESTORE
        # A rebuild must not hide that events are missing.
        rebuild(accord.history, accord.views, PROJECTIONS)
        accord.catch_up()
        assert RESTORE in {each.hint for each in found(accord)}


# --- names, which nothing gives again ------------------------------------------------------------


@pytest.mark.parametrize("body", [b"\xff", b"7", b"{}", b'{"name": "Eve", "salt": "AAAA"}'])
def test_a_damaged_name_is_named_and_stops_nobody(store: Path, body: bytes) -> None:
    damage(store, "UPDATE kept SET body = ? WHERE kind = 'person' AND partnership = ?", body, ID)
    with opened(store) as accord:
        others_go_on(accord)
        lost = beginning(ID, id="again", at="2026-07-01")
        assert accord.service.handle([lost])[0].rule == "partnership-exists"
        (difference,) = found(accord)
        assert (difference.partnership, difference.where) == (ID, "names")
        assert difference.key.startswith("person:")
        assert difference.hint == RESTORE
        assert "(unreadable name " in printed(HISTORY.lines(HISTORY.reply(accord, id=ID)))


@pytest.mark.parametrize("case", HEADS, ids=ids)
def test_a_bundle_is_exported_though_the_head_is_damaged(
    store: Path, tmp_path: Path, case: Case
) -> None:
    key = tmp_path / "operator.key"
    Signer.new().save(key)
    damage(store, "UPDATE kept SET body = x'ff' WHERE kind = 'person' AND partnership = ?", ID)
    case.damage(store)
    with bootstrap(Settings(store=f"sqlite:///{store}", key=key)) as accord:
        asked = BundleRequest("auditor", "a dispute")
        made = export(accord, accord.signing(), ID, asked, tmp_path / "bundle.zip")
        assert made.size == len(list(accord.history.entries(ID)))
        assert not made.warning
