"""Folds recorded events in batches and saves what came of them, wherever the batch came from.

For each partnership and projection the last folded index is saved with the rows, compare-and-set:
an event at or below it is skipped, the next one is folded, a gap is filled from the history. So
events may come twice and in any order of partnerships, and each has its effect once.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import islice

from domain.recorded import Recorded
from infra.store.records import NOTHING, History, Output, Saved, Stale, Views
from projections.fold import Folded, Projection, fold

BATCH = 1000
"""Events folded in one transaction."""

TAIL = "runner"
"""Under this name the views keep how far the history was read."""

_ATTEMPTS = 10


class Runner:
    """Keeps the views of some projections up with a history."""

    def __init__(self, history: History, views: Views, projections: Sequence[Projection]) -> None:
        self._history = history
        self._views = views
        self._projections = projections

    def catch_up(self) -> int:
        """Fold all that is in the history and not yet in the views; give how many events."""
        folded = 0
        while batch := self._history.after(self._views.tail(TAIL), BATCH):
            self.fold(batch, tail=(TAIL, batch[-1].position))
            folded += len(batch)
        return folded

    def fold(self, batch: Iterable[Recorded], tail: tuple[str, int] | None = None) -> None:
        """Fold a batch, in index order within each partnership, and save it in one transaction.

        Raises `Stale` only if another runner wins the race over and over.
        """
        by_partnership: dict[str, list[Recorded]] = defaultdict(list)
        for recorded in batch:
            by_partnership[recorded.partnership].append(recorded)
        for attempt in range(_ATTEMPTS):
            saved = [self._folded(each, by_partnership) for each in self._projections]
            try:
                self._views.save_all([each for each in saved if each.positions], tail)
            except Stale:
                # Another runner saved the same partnership; what it folded is skipped next time.
                if attempt == _ATTEMPTS - 1:
                    raise
            else:
                return

    def _folded(self, projection: Projection, batch: dict[str, list[Recorded]]) -> Saved:
        before = self._views.positions(projection.name, batch)
        fresh = {
            name: list(self._following(name, events, before.get(name, NOTHING)))
            for name, events in batch.items()
        }
        touched = {
            (name, key)
            for name, events in fresh.items()
            for recorded in events
            if projection.concerns(recorded)
            for key in projection.keys(recorded)
        }
        rows: dict[str, dict[str, dict[str, object]]] = defaultdict(dict)
        for (name, key), row in self._views.rows(projection.name, touched).items():
            rows[name][key] = row
        results = {
            name: fold(projection, Folded(rows[name]), events)
            for name, events in fresh.items()
            if events
        }
        return saved_of(
            projection,
            results,
            {name: (before.get(name, NOTHING), fresh[name][-1].index) for name in results},
        )

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

    def rebuild(self) -> int:
        """Forget all views and fold them anew from the history; give how many events.

        Partnership by partnership, so that each row is written once; small ones are saved together.
        """
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
        self._views.save_all([], (TAIL, end))
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
            (name, key): folded.rows.get(key)
            for name, folded in results.items()
            for key in folded.changed
        },
        [
            Output(output.id, projection.name, name, output.kind, output.body, index)
            for name, folded in results.items()
            for output, index in folded.outputs
        ],
    )
