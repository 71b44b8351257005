"""Random schedules of folding, rebuilding and reading, compared with a plain fold of the events.

A schedule is a list of actions of processes of three releases. Every call that a process makes to
its views is a step. Before a step, other actions may run, or the process is killed there.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from itertools import count
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

import psycopg
import pytest

from domain.recorded import Recorded
from domain.values import instant
from infra.bootstrap import open_store
from infra.projecting import rebuild as rebuilding
from infra.projecting import replay, row_cache
from infra.projecting import runner as running
from infra.projecting.quarantine import PROJECTION
from infra.projecting.rebuild import Replaced
from infra.settings import Settings
from infra.store import paging
from infra.store.errors import Stale
from infra.store.history import NOTHING
from infra.store.postgres_views import PostgresViews
from infra.store.sqlite_views import SqliteViews
from infra.store.views import LIVE, REBUILD, Behind, OtherFold, Row, Saved, Views
from projections import fold
from projections.fold import Change, Output, Projection, Rows
from tests.infra.noted import NOON, Noted, noted

NAMES = ("acme", "acme-eu", "bolt")
TEXTS = ("a", "b", "c", "gone", "pass")

Versions = Mapping[str, int]
Positions = dict[str, int]

# --- projections whose rows and outputs differ from version to version ---------------------------

HANDLED = frozenset({Noted})


def text_of(recorded: Recorded) -> str:
    assert isinstance(recorded.event, Noted)
    return recorded.event.text


@dataclass(frozen=True)
class Counted:
    n: int
    fold: int


def counts(version: int) -> Projection:
    """How often each text came; rows have a type."""

    def keys(recorded: Recorded) -> list[str]:
        return [] if text_of(recorded) == "pass" else [text_of(recorded) * version]

    def apply(rows: Rows, recorded: Recorded) -> Change:
        if text_of(recorded) == "pass":
            return fold.NOTHING
        (key,) = keys(recorded)
        n = rows[key].n if key in rows else 0
        return Change({key: Counted(n + 1, version)}, [])

    return Projection("counts", keys, apply, HANDLED, version, lambda _: Counted)


def wake(index: int, version: int) -> str:
    return instant(NOON.replace(day=1 + index % 20, month=version))


def latest(version: int) -> Projection:
    """The last event, which a text can delete, with a moment for which its partnership waits."""

    def apply(_: Rows, recorded: Recorded) -> Change:
        text, at = text_of(recorded), recorded.index
        row = {"text": text, "at": at, "fold": version, "wake": wake(at, version)}
        return Change({"latest": None if text == "gone" else row}, [])

    return Projection("latest", lambda _: ["latest"], apply, HANDLED, version)


def alerts(version: int) -> Projection:
    """Outputs, some with the identifier of one before them or of one of another version."""

    def apply(rows: Rows, recorded: Recorded) -> Change:
        row = {"n": rows.get("alerts", {"n": 0})["n"] + 1, "fold": version}
        id_ = f"{recorded.partnership}/{(recorded.index + version) // 2}"
        emitted = [Output(id_, "alert", row)] if recorded.index % version == 0 else []
        return Change({"alerts": row}, emitted)

    return Projection("alerts", lambda _: ["alerts"], apply, HANDLED, version)


MADE = {"counts": counts, "latest": latest, "alerts": alerts}


Plain = tuple[Rows, dict[str, tuple[Row, int]]]
"""The rows of a partnership, and the body and the index of the first output of each identifier."""


def plain(projection: Projection, log: Sequence[Recorded]) -> Plain:
    """Fold the events of a partnership, one after another."""
    rows: dict[str, Any] = {}
    outputs: dict[str, tuple[Row, int]] = {}
    for recorded in log:
        touched = {key: rows[key] for key in projection.keys(recorded) if key in rows}
        change = projection.apply(touched, recorded)
        rows = {key: row for key, row in (rows | dict(change.rows)).items() if row is not None}
        for output in change.outputs:
            outputs.setdefault(output.id, (output.body, recorded.index))
    return {key: projection.dump(key, row) for key, row in rows.items()}, outputs


# --- schedules -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Append:
    name: str
    texts: tuple[str, ...]


@dataclass(frozen=True)
class Kill:
    pass


@dataclass(frozen=True)
class Do:
    """What a process of a release does; `meanwhile` has what happens before its n-th step."""

    what: str
    release: int
    copy: int
    chosen: tuple[int, ...]
    meanwhile: "Mapping[int, Append | Do | Kill]" = field(default_factory=dict)


FOLDING = ("deliver", "catch_up")
REBUILDING = ("bring_up", "rebuild", "queue", "pending")


class Schedule:
    """Releases and actions drawn by a seed."""

    def __init__(self, seed: int) -> None:
        self._chance = Random(seed)  # noqa: S311 - repeatable, not secret
        self._release = 0
        self.versions: list[dict[str, int]] = self._releases()
        first = Do("catch_up", 0, 0, ())
        self.actions: list[Append | Do] = [
            *(self._append() for _ in range(self._chance.randint(1, 4))),
            *([first] if self._chance.random() < 0.8 else []),
        ]
        for _ in range(self._chance.randint(2, 8)):
            if self._chance.random() < 0.2:
                self._release = min(2, self._release + 1)
            action = self._action(depth=2)
            if isinstance(action, Do) and action.what in FOLDING:
                self.actions.append(self._append())
            self.actions.append(action)
            # What was killed is often tried again.
            if isinstance(action, Do) and Kill() in action.meanwhile.values():
                self.actions.append(replace(action, meanwhile={}))

    def _releases(self) -> list[dict[str, int]]:
        """Versions of the projections of three releases, which never fall; some have fewer."""
        found: list[dict[str, int]] = [{}, {}, {}]
        for name in MADE:
            version = 1
            for release in found:
                version += self._chance.randint(0, 1)
                # Every release has at least the last of them.
                if self._chance.random() < 0.8 or (name == "alerts" and not release):
                    release[name] = version
        return found

    def _append(self) -> Append:
        texts = self._chance.choices(TEXTS, k=self._chance.randint(1, 6))
        return Append(self._chance.choice(NAMES), tuple(texts))

    def _action(self, depth: int) -> Append | Do:
        if self._chance.random() < 0.25:
            return self._append()
        what = self._chance.choice((*FOLDING, *FOLDING, *REBUILDING, "read"))
        # A fold has fewer steps than a rebuild.
        last = 6 if what in FOLDING else 20
        meanwhile: dict[int, Append | Do | Kill] = {}
        for _ in range(self._chance.randint(0, 4) if depth else 0):
            killed = self._chance.random() < 0.2
            meanwhile[self._chance.randint(0, last)] = Kill() if killed else self._action(depth - 1)
        if depth and what in REBUILDING and self._chance.random() < 0.4:
            meanwhile[self._chance.randint(6, 20)] = Kill()
        if depth and what in FOLDING and self._chance.random() < 0.5:
            # Another process of this release folds the same and more, before this one saves.
            meanwhile[1] = self._append()
            meanwhile[self._chance.randint(2, 3)] = Do("catch_up", self._release, 1, ())
        chosen = [self._chance.randint(0, 12) for _ in range(self._chance.randint(0, 4))]
        other = self._chance.random() < 0.3
        release = self._chance.randint(0, 2) if other else self._release
        return Do(what, release, self._chance.randint(0, 1), tuple(chosen), meanwhile)


# --- processes -----------------------------------------------------------------------------------


class Killed(BaseException):
    pass


def stepped(name: str) -> Callable[..., Any]:
    """A method that tells the process of a call before it is made, and the world after it."""

    def method(self: "Steps", *args: object, **named: object) -> object:
        call = getattr(super(Steps, self), name)
        # Views call methods of their own within a transaction.
        if self.is_called:
            return call(*args, **named)
        self.process.step()
        self.is_called = True
        try:
            result = call(*args, **named)
        except Stale:
            self.process.world.happened["overtaken"] += 1
            raise
        finally:
            self.is_called = False
        self.process.world.called(name, result, *args)
        return result

    return method


class Steps:
    """Views whose calls are the steps of a process."""

    process: "Process"
    is_called = False

    folds = stepped("folds")
    begin = stepped("begin")
    track_positions = stepped("track_positions")
    load = stepped("load")
    save = stepped("save")
    queue = stepped("queue")
    behind = stepped("behind")
    remaining = stepped("remaining")
    drop = stepped("drop")
    sweep = stepped("sweep")
    _swap = stepped("swap")

    def swap(self, rest: Callable[[list[Behind]], Saved]) -> bool:
        def seen(behind: list[Behind]) -> Saved:
            self.process.step_inside()
            saved = rest(behind)
            self.process.world.swapping(saved)
            self.process.step_inside()
            return saved

        return bool(self._swap(seen))


class SqliteSteps(Steps, SqliteViews):
    pass


class PostgresSteps(Steps, PostgresViews):
    pass


class Process:
    """A process of a release, with the caches of its runner."""

    def __init__(self, world: "World", versions: Versions) -> None:
        self.world, self.versions = world, versions
        self.projections = [MADE[name](version) for name, version in versions.items()]
        self.history, views, _ = open_store(world.settings)
        steps: Any = PostgresSteps if world.settings.in_postgres else SqliteSteps
        self.views = steps(views.datastore, versions)  # type: ignore[attr-defined]
        self.views.process = self
        self.runner = running.Runner(self.history, self.views, self.projections)
        self.busy = False
        self.meanwhile: dict[int, Append | Do | Kill] = {}
        self.steps = count()

    def start(self, do: Do) -> None:
        self.busy = True
        self.meanwhile, self.steps = dict(do.meanwhile), count()

    def step(self) -> None:
        match self.meanwhile.pop(next(self.steps), None):
            case None:
                pass
            case Kill():
                raise Killed
            case action:
                self.world.play(action)

    def step_inside(self) -> None:
        """A step within a transaction, beside which others can only read."""
        self.world.look()
        if isinstance(self.meanwhile.get(next(self.steps)), Kill):
            raise Killed

    def close(self) -> None:
        self.history.close()


class World:
    """A store, its processes, and what readers must see: the reference model."""

    def __init__(
        self, settings: Settings, versions: Sequence[Versions], happened: Counter[str]
    ) -> None:
        self.settings, self.versions, self.happened = settings, versions, happened
        self.log: dict[str, list[Recorded]] = {name: [] for name in NAMES}
        self.positions: Positions = {}
        self.live: dict[str, int] = {}
        self.queued: dict[str, int] = {}
        self.outputs: list[Any] = []
        self.writer, self.views, _ = open_store(settings)
        self.datastore: Any = self.views.datastore  # type: ignore[attr-defined]
        kind: Any = type(self.views)
        self.readers: list[Views] = [kind(self.datastore, each) for each in versions]
        self.processes: dict[tuple[int, int], Process] = {}
        self.plain: dict[tuple[str, int, str, int], Plain] = {}

    def close(self) -> None:
        for process in self.processes.values():
            process.close()
        self.writer.close()

    # --- what happens ---

    def play(self, action: Append | Do) -> None:
        match action:
            case Append():
                self.append(action)
            case Do():
                self.do(action)

    def append(self, action: Append) -> None:
        log = self.log[action.name]
        log += self.writer.append(
            [
                noted(action.name, version, text=text, seconds=version)
                for version, text in enumerate(action.texts, len(log) + 1)
            ]
        )

    def do(self, do: Do) -> None:
        place = do.release, do.copy
        if place in self.processes and self.processes[place].busy:
            place = do.release, do.copy + 1
        if place not in self.processes:
            self.processes[place] = self.opened(do.release)
        process = self.processes[place]
        if process.busy:
            return
        process.start(do)
        try:
            getattr(self, do.what)(process, do)
            self.happened[do.what] += 1
        except Killed:
            self.happened[f"{do.what} killed"] += 1
            self.processes.pop(place).close()
        except OtherFold as refused:
            self.happened[f"{do.what} refused"] += 1
            ours, live = process.versions, self.live
            if do.what in REBUILDING:
                assert any(live.get(name, 0) > ours[name] for name in ours)
            elif refused.newer:
                assert any(version > ours.get(name, 0) for name, version in live.items())
            else:
                assert any(live.get(name, 0) < ours[name] for name in ours)
        finally:
            process.busy = False

    def opened(self, release: int) -> Process:
        return Process(self, self.versions[release])

    def deliver(self, process: Process, do: Do) -> None:
        everything = [recorded for log in self.log.values() for recorded in log]
        # Most of them are new.
        everything.sort(key=lambda recorded: -recorded.position)
        batch = [everything[n % len(everything)] for n in do.chosen if everything]
        self.happened["deliver with a gap"] += any(
            self.positions.get(name, NOTHING) + 1 < min(places)
            for name in NAMES
            if (places := [each.index for each in batch if each.partnership == name])
        )
        process.runner.fold(batch)
        self.is_delivered(batch)

    def is_delivered(self, batch: Sequence[Recorded]) -> None:
        for recorded in batch:
            assert self.positions[recorded.partnership] >= recorded.index

    def catch_up(self, process: Process, do: Do) -> None:
        process.runner.catch_up()
        if not do.meanwhile:
            self.is_caught_up(process)

    def is_caught_up(self, process: Process) -> None:  # noqa: ARG002 - of any release
        assert self.positions == self.heads()

    def heads(self) -> Positions:
        return {name: len(log) - 1 for name, log in self.log.items() if log}

    def bring_up(self, process: Process, do: Do) -> None:
        rest, total = self.views.remaining()
        older = {name: process.versions[name] for name in self.outdated(process.versions)}
        self.happened["resumed"] += bool(older) and older == self.queued and 0 < rest < total
        rebuilding.bring_up(process.history, process.views, process.projections)
        if self.positions and not do.meanwhile:
            assert self.live == process.versions

    def rebuild(self, process: Process, do: Do) -> None:
        names = list(process.versions)
        chosen = {names[n % len(names)] for n in do.chosen} or set(names)
        wanted = [each for each in process.projections if each.name in chosen]
        self.rebuild_these(process, do, wanted)

    def rebuild_these(self, process: Process, do: Do, wanted: Sequence[Projection]) -> None:
        versions = {each.name: each.version for each in wanted}
        rest, total = self.views.remaining()
        if versions != self.queued:
            rest = sum(index + 1 for index in self.positions.values())
        try:
            folded = rebuilding.rebuild(process.history, process.views, wanted)
        except Replaced:
            assert do.meanwhile
            self.happened["replaced"] += 1
            return
        if not do.meanwhile:
            assert folded == rest
            assert versions.items() <= self.live.items()
            assert self.queued == {}
            self.happened["resumed"] += 0 < rest < total

    def queue(self, process: Process, do: Do) -> None:
        older = self.outdated(process.versions)
        named = rebuilding.queue(process.views, process.projections)
        if not do.meanwhile:
            assert sorted(named) == sorted(older)
            assert older or self.live.keys() <= process.versions.keys()

    def outdated(self, versions: Versions) -> list[str]:
        if not self.live and not self.positions:
            return []
        return [name for name, version in versions.items() if self.live.get(name, 0) < version]

    def pending(self, process: Process, do: Do) -> None:
        wanted = rebuilding.pending(process.views, process.projections)
        if wanted:
            self.rebuild_these(process, do, wanted)

    def read(self, process: Process, do: Do) -> None:
        """Read the pages of rows slowly, so that other things happen between them."""
        name = NAMES[sum(do.chosen) % len(NAMES)]
        for each in process.projections:
            start = self.positions.get(name, NOTHING)
            for key, row in self.slowly(process, each, name):
                possible = [
                    self.rows(each.name, each.version, name, last).get(key)
                    for last in self.passed(name, start)
                ]
                assert row in possible

    def passed(self, name: str, start: int) -> range:
        """The positions that a partnership can have had since it was at `start`."""
        return range(start, self.positions.get(name, NOTHING) + 1)

    def slowly(
        self, process: Process, projection: Projection, name: str
    ) -> Iterator[tuple[str, Row]]:
        found = process.views.select(projection.name, name)
        last = ""
        while True:
            process.step()
            for key, row in found:
                assert key > last
                last = key
                yield key, row
                break
            else:
                return

    # --- what is true then ---

    def called(self, name: str, result: Any, *args: Any) -> None:  # noqa: ANN401 - of any method
        """Follow what a call wrote, and look."""
        match name:
            case "begin" if not self.positions:
                self.live = {each: fold.version for each, fold in result.items()}
            case "save":
                self.saved(args[0])
            case "queue":
                self.queued = dict(args[0])
            case "swap" if result:
                self.happened["swapped"] += 1
                self.live |= self.queued
                self.queued = {}
            case "drop":
                self.live = {each: v for each, v in self.live.items() if each not in args[0]}
            case _:
                pass
        if name in {"begin", "save", "queue", "swap", "drop", "sweep"}:
            self.look()

    def swapping(self, saved: Saved) -> None:
        """Follow what a swap is about to save."""

    def saved(self, saved: Saved) -> None:
        if saved.track == REBUILD:
            self.happened["saved for a rebuild"] += 1
            return
        self.happened["saved"] += 1
        for each, (before, after) in saved.positions.items():
            assert self.positions.get(each, NOTHING) == before <= after
            self.positions[each] = after

    def rows(self, projection: str, version: int, name: str, last: int) -> Mapping[str, Row]:
        return self.folded(projection, version, name, last)[0]

    def folded(self, projection: str, version: int, name: str, last: int) -> Plain:
        key = projection, version, name, last
        if key not in self.plain:
            self.plain[key] = plain(MADE[projection](version), self.log[name][: last + 1])
        return self.plain[key]

    def look(self) -> None:
        """Compare all that readers of each release see with the model."""
        for track, model in ((LIVE, self.live), (REBUILD, self.queued)):
            folds = self.views.folds(track).items()
            assert {name: fold.version for name, fold in folds} == model
        for reader, versions in zip(self.readers, self.versions, strict=True):
            for name, version in versions.items():
                self.look_at(reader, name, version)
        self.look_at_outputs()

    def look_at(self, reader: Views, projection: str, version: int) -> None:
        until = wake(9, version)
        stored = self.live.get(projection)
        if stored != version and (stored or self.positions):
            for read in (
                lambda: reader.positions(projection, NAMES),
                lambda: reader.rows_of(projection, NAMES),
                lambda: list(reader.select(projection, NAMES[0])),
                lambda: reader.due(projection, until),
            ):
                with pytest.raises(OtherFold):
                    read()
            self.happened["not served"] += 1
            return
        expected = {
            name: self.rows(projection, version, name, last)
            for name, last in self.positions.items()
        }
        found = reader.rows_of(projection, NAMES)
        assert {name: rows for name, rows in found.items() if rows} == {
            name: rows for name, rows in expected.items() if rows
        }
        assert reader.positions(projection, NAMES) == self.positions
        assert sorted(reader.due(projection, until)) == sorted(
            name
            for name, rows in expected.items()
            if any(row.get("wake", "3") <= until for row in rows.values())
        )
        self.happened["served"] += bool(found)
        self.happened["served beside a rebuild"] += bool(found) and bool(self.queued)

    def look_at_outputs(self) -> None:
        outputs = [
            each for each in self.readers[0].outputs(limit=10_000) if each.projection != PROJECTION
        ]
        before = len(self.outputs)
        assert outputs[:before] == self.outputs
        assert len({each.id for each in outputs}) == len(outputs)
        for each in outputs[before:]:
            assert each.version in {self.live.get("alerts"), self.queued.get("alerts")}
            log = self.log[each.partnership]
            _, expected = self.folded("alerts", each.version, each.partnership, len(log) - 1)
            assert (each.projection, each.kind) == ("alerts", "alert")
            assert (each.body, each.cause_index) == expected[each.id]
        self.outputs = outputs
        if "alerts" in self.live:
            ids = {each.id for each in outputs}
            for name, last in self.positions.items():
                _, expected = self.folded("alerts", self.live["alerts"], name, last)
                assert expected.keys() <= ids

    def settle(self) -> None:
        """Open the store by the newest release, when all others have stopped."""
        self.do(Do("bring_up", 2, 3, ()))
        self.do(Do("catch_up", 2, 3, ()))
        newest = self.versions[2]
        assert self.processes[2, 3].runner.catch_up() == 0
        assert self.positions == self.heads()
        if self.positions:
            assert self.live == newest
        table = "views.rows" if self.settings.in_postgres else "rows"
        with self.datastore.transaction(commit=False) as c:
            c.execute(f"SELECT DISTINCT fold FROM {table}")
            stored = {row["fold"] for row in c.fetchall()}
        folds = [self.views.folds(track).values() for track in (LIVE, REBUILD)]
        assert stored <= {fold.id for each in folds for fold in each}


SCHEDULES = {"sqlite": 60, "postgres": 3}
"""How many are played in each store; one takes much longer in Postgres."""

HAPPENS = (
    *(*FOLDING, *REBUILDING, "read"),
    *(f"{what} killed" for what in (*FOLDING, "bring_up", "rebuild")),
    *(f"{what} refused" for what in (*FOLDING, "read")),
    *("deliver with a gap", "overtaken", "saved", "saved for a rebuild", "resumed", "swapped"),
    *("served", "served beside a rebuild", "not served", "replaced"),
)
"""What the schedules contain, so that none of it goes untested."""


@pytest.mark.parametrize("kind", SCHEDULES)
def test_any_schedule_shows_readers_whole_folds_and_gives_each_event_its_effect_once(
    kind: str,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    known: None,  # noqa: ARG001 - its effect
) -> None:
    # Small batches, pages and caches, so that short logs fill many of them.
    monkeypatch.setattr(running, "BATCH", 5)
    monkeypatch.setattr(replay, "PAGE", 5)
    monkeypatch.setattr(row_cache, "CACHED_ROWS", 8)
    monkeypatch.setattr(row_cache, "CACHED_ROWS_EACH", 2)
    monkeypatch.setattr(rebuilding, "BATCH", 3)
    monkeypatch.setattr(paging, "PAGE", 2)

    happened: Counter[str] = Counter()
    for seed in range(SCHEDULES[kind]):
        with empty_store(kind, request) as settings:
            schedule = Schedule(seed)
            play(schedule, World(settings, schedule.versions, happened))
    if kind == "sqlite":
        assert [what for what in HAPPENS if not happened[what]] == []


@contextmanager
def empty_store(kind: str, request: pytest.FixtureRequest) -> Iterator[Settings]:
    if kind == "sqlite":
        with TemporaryDirectory() as folder:
            yield Settings(store=f"sqlite:///{folder}/store.db")
        return
    address = request.getfixturevalue("migrated")
    with psycopg.connect(address) as connection:
        tables = connection.execute(
            """SELECT string_agg(format('%I.%I', schemaname, tablename), ', ') FROM pg_tables
            WHERE schemaname IN ('history', 'views')"""
        ).fetchone()
        assert tables
        connection.execute(f"TRUNCATE {tables[0]}")
    yield Settings(store=address)


def play(schedule: Schedule, world: World) -> None:
    with closing(world):
        try:
            for action in schedule.actions:
                world.play(action)
            world.settle()
        except Exception as fault:
            fault.add_note("\n".join(map(str, (schedule.versions, *schedule.actions))))
            raise
