"""Random folds that fail, at random events, under random schedules of folding and rebuilding.

The schedules, the processes and the reference model are those of `test_rebuild_model`. Here the
first two of three releases have projections that fail at some events; the last one is corrected.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from random import Random
from typing import Any

import pytest

from domain.recorded import Recorded
from infra.projecting import rebuild as rebuilding
from infra.projecting import replay, row_cache
from infra.projecting import runner as running
from infra.projecting.quarantine import LONGEST_PAUSE, is_moving
from infra.settings import Settings
from infra.store import paging
from infra.store.history import NOTHING
from infra.store.views import REBUILD, Quarantined, Saved
from projections.fold import Change, Projection, Rows
from tests.infra.noted import NOON
from tests.infra.test_rebuild_model import (
    MADE,
    NAMES,
    Append,
    Do,
    Kill,
    Process,
    Schedule,
    Versions,
    World,
    empty_store,
    play,
)

Point = tuple[str, str, int]
"""A projection, a partnership and the index of an event at which the projection fails."""


def failing(projection: Projection, points: frozenset[Point]) -> Projection:
    """The same projection, which fails at these events: half of them in `keys`."""

    def check(recorded: Recorded) -> None:
        if (projection.name, recorded.partnership, recorded.index) in points:
            raise ZeroDivisionError("injected")

    def keys(recorded: Recorded) -> Any:  # noqa: ANN401 - as the projection has them
        if recorded.index % 2:
            check(recorded)
        return projection.keys(recorded)

    def apply(rows: Rows, recorded: Recorded) -> Change:
        check(recorded)
        return projection.apply(rows, recorded)

    return replace(projection, keys=keys, apply=apply)


class FailingSchedule(Schedule):
    def __init__(self, seed: int) -> None:
        chance = Random(seed)  # noqa: S311 - repeatable, not secret
        self.points: list[frozenset[Point]] = [
            frozenset(
                (chance.choice(("counts", "latest", "alerts")), chance.choice(NAMES), index)
                for index in chance.sample(range(12), chance.randint(0, 3))
            )
            for _ in range(2)
        ]
        self.points.append(frozenset())
        self._same_versions = chance.random() < 0.6
        super().__init__(seed)
        for place in range(len(self.actions), 1, -1):
            if chance.random() < 0.6:
                self.actions[place:place] = self._races(chance)
        self.actions += self._last_race(chance)

    def _releases(self) -> list[dict[str, int]]:
        """Most corrections leave the versions as they are, so both releases fold for a while."""
        if self._same_versions:
            return [dict.fromkeys(MADE, 1)] * 3
        return super()._releases()

    def _races(self, chance: Random) -> list[Append | Do]:
        """Events come while one process folds, and another one folds them before it saves."""
        texts = tuple(chance.choices(("a", "b", "pass"), k=chance.randint(1, 3)))
        name, (one, other) = chance.choice(NAMES), chance.choices((0, 0, 1, 1, 2), k=2)
        step = chance.randint(0, 8)
        meanwhile: dict[int, Append | Do | Kill] = {
            step: Append(name, texts),
            step + chance.randint(1, 3): Do("catch_up", other, 1, ()),
        }
        # Time passes now and then, so that the same release tries again.
        what = chance.choice(("catch_up", "wait"))
        return [Append(name, texts), Do(what, one, 0, (), meanwhile)]

    def _last_race(self, chance: Random) -> list[Append | Do]:
        """The corrected release folds what another one skips more of, and nothing comes after."""
        name, step = chance.choice(NAMES), chance.randint(0, 5)
        faulty = Do("catch_up", chance.randint(0, 1), 1, ())
        more = Append(name, ("a", "b"))
        corrected = Do("catch_up", 2, 0, (), {step: more, step + chance.randint(1, 2): faulty})
        return [Append(name, ("a",) * 12), faulty, corrected]


class FailingProcess(Process):
    def __init__(self, world: "FailingWorld", release: int, versions: Versions) -> None:
        super().__init__(world, versions)
        self.points = world.points[release]
        self.projections = [failing(each, self.points) for each in self.projections]
        self.name = f"release {release}"
        self.runner = running.Runner(
            self.history,
            self.views,
            self.projections,
            clock=world.tick,
            release=self.name,
        )


class FailingWorld(World):
    """The model: for each partnership its position, and whether it is quarantined."""

    def __init__(
        self, settings: Settings, schedule: FailingSchedule, happened: Counter[str]
    ) -> None:
        self.points = schedule.points
        self.now: datetime = NOON
        self.quarantined: dict[str, int] = {}
        self.not_rebuilt: set[str] = set()
        self.not_swapped: set[str] = set()
        super().__init__(settings, schedule.versions, happened)

    def opened(self, release: int) -> Process:
        return FailingProcess(self, release, self.versions[release])

    def tick(self) -> datetime:
        self.now += timedelta(microseconds=1)
        return self.now

    def wait(self, process: Process, do: Do) -> None:
        self.now += LONGEST_PAUSE + timedelta(seconds=1)
        self.catch_up(process, do)

    def passed(self, name: str, start: int) -> range:  # noqa: ARG002 - it also goes back
        return range(NOTHING, len(self.log[name]))

    # --- what is true then ---

    def is_delivered(self, batch: Sequence[Recorded]) -> None:
        for recorded in batch:
            name = recorded.partnership
            folded = self.positions.get(name, NOTHING) >= recorded.index
            assert folded or name in self.quarantined

    def is_caught_up(self, process: Process) -> None:
        """Each partnership is folded, or it is quarantined at the event that fails."""
        assert isinstance(process, FailingProcess)
        heads, found = self.heads(), self.views.quarantined()
        assert found.keys() == self.quarantined.keys()
        for name, head in heads.items():
            record = found.get(name)
            if record is None:
                assert self.positions[name] == head
                continue
            self.happened["quarantined"] += 1
            assert record.release == process.name
            assert record.index == self.positions.get(name, NOTHING) + 1
            assert (record.projection, name, record.index) in process.points
            assert record.newest == head
            alert = self.alert(record)
            assert f"{record.partnership}#" in alert["text"]
            assert alert["state"] == "open"

    def alert(self, record: Quarantined) -> dict[str, Any]:
        said = [
            each
            for each in self.views.outputs(limit=10_000, partnership=record.partnership)
            if each.projection == "quarantine" and each.body["window"] == record.since
        ]
        assert said
        return said[-1].body

    def called(self, name: str, result: Any, *args: Any) -> None:  # noqa: ANN401 - of any method
        match name:
            case "queue" if dict(args[0]) != self.queued:
                self.not_rebuilt = set()
            case "swap" if result:
                self.not_rebuilt |= self.not_swapped
                self.happened["swapped without one"] += bool(self.not_rebuilt)
                for each in self.not_rebuilt:
                    self.positions.pop(each)
                    self.quarantined[each] = 0
                self.not_rebuilt = set()
            case _:
                pass
        super().called(name, result, *args)

    def swapping(self, saved: Saved) -> None:
        self.not_swapped = {each.partnership for each in saved.quarantined}

    def saved(self, saved: Saved) -> None:
        fresh = [each for each in saved.quarantined if not is_moving(each)]
        if saved.track == REBUILD:
            self.not_rebuilt |= {each.partnership for each in fresh}
            super().saved(saved)
            return
        assert saved.skipped.keys() <= self.quarantined.keys()
        self.happened["skipped"] += bool(saved.skipped)
        self.happened["released"] += bool(saved.lifted)
        super().saved(saved)
        for each in saved.quarantined:
            self.quarantined[each.partnership] = each.index
        for name in saved.lifted:
            del self.quarantined[name]

    def look(self) -> None:
        super().look()
        found = {name: each.index for name, each in self.views.quarantined().items()}
        assert found == self.quarantined
        for name, index in found.items():
            assert self.positions.get(name, NOTHING) == index - 1

    def settle(self) -> None:
        super().settle()
        assert self.quarantined == {}
        opened, ended = Counter[str](), Counter[str]()
        for each in self.views.outputs(limit=10_000):
            if each.projection == "quarantine":
                (opened if each.body["state"] == "open" else ended)[each.body["id"]] += 1
        assert opened == ended
        assert set(opened.values()) <= {1}


SCHEDULES = {"sqlite": 80, "postgres": 4}

HAPPENS = ("quarantined", "skipped", "released", "swapped without one", "overtaken")


@pytest.mark.parametrize("kind", SCHEDULES)
def test_any_schedule_quarantines_exactly_the_partnerships_that_fail_until_the_corrected_release(
    kind: str,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    known: None,  # noqa: ARG001 - its effect
) -> None:
    monkeypatch.setattr(running, "BATCH", 5)
    monkeypatch.setattr(replay, "PAGE", 5)
    monkeypatch.setattr(row_cache, "CACHED_ROWS", 8)
    monkeypatch.setattr(row_cache, "CACHED_ROWS_EACH", 2)
    monkeypatch.setattr(rebuilding, "BATCH", 3)
    monkeypatch.setattr(paging, "PAGE", 2)

    happened: Counter[str] = Counter()
    for seed in range(SCHEDULES[kind]):
        with empty_store(kind, request) as settings:
            schedule = FailingSchedule(seed)
            play(schedule, FailingWorld(settings, schedule, happened))
    if kind == "sqlite":
        assert [what for what in HAPPENS if not happened[what]] == []
