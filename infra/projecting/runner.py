"""Folds recorded events in batches and saves what came of them, wherever the batch came from.

For each partnership and projection the last folded index is saved with the rows, compare-and-set:
an event at or below it is skipped, the next one is folded, a gap is filled from the history. So
events may come twice and in any order of partnerships, and each has its effect once.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from typing import Any

from domain.recorded import Recorded
from infra.running.cache import evict
from infra.store.records import NOTHING, History, Key, Output, Saved, Stale, Views
from projections.fold import Folded, Projection, fold

BATCH = 1000
"""Events folded in one transaction."""

CURSOR = "runner"
"""Under this name the views keep how far the history was read."""

ROWS_AT_HAND = 4
"""Rows of a partnership in one projection kept at hand: those of this month and the last one, of
the quarter and of the year."""

_ATTEMPTS = 10


class Runner:
    """Keeps the views of some projections up with a history; for one thread at a time.

    What it saved last stays at hand and is not read again. That holds as long as nobody else folds
    the same partnership; if somebody does, the next save is refused as `Stale`.
    """

    def __init__(self, history: History, views: Views, projections: Sequence[Projection]) -> None:
        self._history = history
        self._views = views
        self._projections = projections
        self._folds = [_Fold(each, history, views) for each in projections]

    def catch_up(self) -> int:
        """Fold all that is in the history and not yet in the views; give how many events."""
        folded = 0
        while batch := self._history.after(self._views.cursor(CURSOR), BATCH):
            self.fold(batch, cursor=(CURSOR, batch[-1].position))
            folded += len(batch)
        return folded

    def fold(
        self,
        batch: Iterable[Recorded],
        cursor: tuple[str, int] | None = None,
        said: Sequence[Output] = (),
    ) -> None:
        """Fold a batch, in index order within each partnership, and save it in one transaction.

        What is `said` besides is saved with it. Raises `Stale` only if another runner wins the
        race over and over.
        """
        by_partnership: dict[str, list[Recorded]] = defaultdict(list)
        for recorded in batch:
            by_partnership[recorded.partnership].append(recorded)
        besides = [Saved(CURSOR, {}, {}, said)] if said else []
        for attempt in range(_ATTEMPTS):
            saved = [each.folded(by_partnership) for each in self._folds]
            try:
                self._views.save_all(
                    [*(each for each in saved if each.positions), *besides], cursor
                )
            except Stale:
                # Another runner saved the same partnership; what it folded is skipped next time.
                if attempt == _ATTEMPTS - 1:
                    raise
            else:
                for each in self._folds:
                    each.keep()
                return

    def behind(self, newest: Mapping[str, int]) -> set[str]:
        """Give those partnerships that some projection has not folded up to these indexes."""
        found: set[str] = set()
        for each in self._projections:
            positions = self._views.positions(each.name, newest)
            found |= {n for n, index in newest.items() if positions.get(n, NOTHING) < index}
        return found

    def unfolded(self, partnership: str) -> Iterator[Recorded]:
        """Give the recorded events of a partnership that some projection has not folded."""
        last = min(
            self._views.positions(each.name, [partnership]).get(partnership, NOTHING)
            for each in self._projections
        )
        return self._history.of(partnership, last + 1)

    def rebuild(self) -> int:
        """Forget all views and fold them anew from the history; give how many events.

        Partnership by partnership, so that each row is written once; small ones are saved together.
        """
        for each in self._folds:
            each.forget()
        for projection in self._projections:
            self._views.clear(projection.name)
        end = self._history.size() - 1
        count, folded, size = 0, {}, 0
        for name in partnerships(self._history):
            folded[name] = self._replayed(name)
            size += folded[name].last + 1
            if size >= BATCH:
                self._save_anew(folded)
                count, folded, size = count + size, {}, 0
        self._save_anew(folded)
        self._views.save_all([], (CURSOR, end))
        return count + size

    def _replayed(self, partnership: str) -> "Replayed":
        return replay_all(self._projections, self._history.of(partnership))

    def _save_anew(self, folded: dict[str, "Replayed"]) -> None:
        for _ in range(_ATTEMPTS):
            with suppress(Stale):
                self._views.save_all(self._saved_anew(folded))
                return
            # A live runner has begun to fold some of them anew meanwhile, so both begin once more.
            for name in folded:
                for projection in self._projections:
                    self._views.clear(projection.name, name)
                folded[name] = self._replayed(name)
        self._views.save_all(self._saved_anew(folded))

    def _saved_anew(self, folded: dict[str, "Replayed"]) -> list[Saved]:
        positions = {name: (NOTHING, replayed.last) for name, replayed in folded.items()}
        return [
            saved_of(
                projection,
                {name: replayed.folded[place][1] for name, replayed in folded.items()},
                positions,
            )
            for place, projection in enumerate(self._projections)
        ]


@dataclass(slots=True)
class _Kept:
    """A partnership as a runner left it: how far, and the rows that it touched last.

    A row that is None does not exist. Only a few are kept: all of them would grow with the history.
    """

    position: int
    rows: dict[str, Any]

    def then(self, position: int, touched: dict[str, Any]) -> "_Kept":
        """Give how it is left after these rows were touched, which stand last."""
        rows = {key: row for key, row in self.rows.items() if key not in touched} | touched
        return _Kept(position, dict(list(rows.items())[-ROWS_AT_HAND:]))


class _Fold:
    """One projection: its partnerships at hand, and what a batch comes to."""

    def __init__(self, projection: Projection, history: History, views: Views) -> None:
        self._projection = projection
        self._history = history
        self._views = views
        self._at_hand: dict[str, _Kept] = {}
        self._pending: dict[str, _Kept] = {}

    def folded(self, batch: dict[str, list[Recorded]]) -> Saved:
        """Give what the batch changes; `keep` is to be called once that is saved."""
        projection = self._projection
        before = self._taken(batch)
        fresh = {
            name: list(self._following(name, events, before[name].position))
            for name, events in batch.items()
        }
        fresh = {name: events for name, events in fresh.items() if events}
        rows = self._loaded(before, {name: self._touched(each) for name, each in fresh.items()})
        results = {
            name: fold(
                projection,
                Folded({key: row for key, row in rows[name].items() if row is not None}),
                events,
            )
            for name, events in fresh.items()
        }
        self._pending = before | {
            name: before[name].then(
                fresh[name][-1].index, {key: folded.rows.get(key) for key in rows[name]}
            )
            for name, folded in results.items()
        }
        positions = {name: (before[name].position, fresh[name][-1].index) for name in results}
        return saved_of(projection, results, positions)

    def keep(self) -> None:
        """Keep at hand what came of the last batch, because it is saved."""
        self._at_hand |= self._pending
        evict(self._at_hand)

    def forget(self) -> None:
        """Let go of all that is at hand."""
        self._at_hand.clear()

    def _taken(self, names: Iterable[str]) -> dict[str, _Kept]:
        # What is at hand is taken away, and comes back only if what is folded from it is saved.
        taken = {name: self._at_hand.pop(name, None) for name in names}
        strange = [name for name, kept in taken.items() if kept is None]
        found = self._views.positions(self._projection.name, strange) if strange else {}
        return {name: kept or _Kept(found.get(name, NOTHING), {}) for name, kept in taken.items()}

    def _touched(self, events: Iterable[Recorded]) -> set[str]:
        concerns, keys = self._projection.concerns, self._projection.keys
        return {key for recorded in events if concerns(recorded) for key in keys(recorded)}

    def _loaded(
        self, before: dict[str, _Kept], touched: dict[str, set[str]]
    ) -> dict[str, dict[str, Any]]:
        missing = [
            (name, key) for name, keys in touched.items() for key in keys - before[name].rows.keys()
        ]
        found: dict[Key, Any] = {}
        if missing:
            load = self._projection.load
            stored = self._views.rows(self._projection.name, missing)
            found |= {(name, key): load(key, row) for (name, key), row in stored.items()}
        return {
            name: {
                key: kept[key] if key in (kept := before[name].rows) else found.get((name, key))
                for key in keys
            }
            for name, keys in touched.items()
        }

    def _following(
        self, partnership: str, events: list[Recorded], position: int
    ) -> Iterator[Recorded]:
        for recorded in events:
            if recorded.index <= position:
                continue
            if recorded.index > position + 1:
                yield from self._history.of(partnership, position + 1, recorded.index)
            yield recorded
            position = recorded.index


class Replayed:
    """Several projections folded from one partnership's history, and its last index."""

    def __init__(self, projections: Sequence[Projection]) -> None:
        self.folded = [(projection, Folded()) for projection in projections]
        self.last = NOTHING


def replay_all(projections: Sequence[Projection], events: Iterable[Recorded]) -> Replayed:
    """Fold a partnership's history into nothing but memory, reading it once."""
    replayed = Replayed(projections)
    rest = iter(events)
    while page := list(islice(rest, BATCH)):
        for projection, folded in replayed.folded:
            fold(projection, folded, page)
        replayed.last = page[-1].index
    return replayed


def partnerships(history: History) -> Iterator[str]:
    """Give the names of all partnerships, in order, some at a time."""
    last = ""
    while names := history.partnerships(after=last):
        yield from names
        last = names[-1]


def saved_of(
    projection: Projection, results: dict[str, Folded], positions: dict[str, tuple[int, int]]
) -> Saved:
    """Give what is to be saved of a projection's folded partnerships."""
    return Saved(
        projection.name,
        positions,
        {
            (name, key): None
            if (row := folded.rows.get(key)) is None
            else projection.dump(key, row)
            for name, folded in results.items()
            for key in folded.changed
        },
        [
            Output(
                output.id,
                projection.name,
                name,
                output.kind,
                projection.dump(output.id, output.body),
                index,
            )
            for name, folded in results.items()
            for output, index in folded.outputs
        ],
    )
