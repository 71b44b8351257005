"""Folds recorded events in batches and saves the result, wherever a batch came from.

A track of folds has one position in each partnership: the index of the last event that all of them
have folded. It is saved with the rows, compare-and-set: an event at or below it is skipped, the
next one is folded, a gap is filled from the history. So events may come twice, and partnerships in
any order, and each event has its effect once.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from itertools import islice
from typing import Any

from domain.recorded import Recorded
from infra.store.records import (
    LIVE,
    NOTHING,
    Fold,
    History,
    OtherFold,
    Output,
    Saved,
    Stale,
    Views,
)
from projections.fold import Dispatch, Folded, Projection, fold_all

BATCH = 4000
"""Events folded in one transaction. More of them touch the same rows, which are then written once;
fewer take less memory."""

CURSOR = "runner"
"""The name of the cursor in the history."""

CACHED_ROWS = 50_000
"""Rows in memory after a batch, of all partnerships; those of the partnerships folded longest ago
are evicted."""

CACHED_ROWS_EACH = 256
"""Rows in memory of one partnership."""

_ATTEMPTS = 10


class Runner:
    """Keeps the folds of a track up to date with a history; for one thread at a time.

    Rows that it saved stay in memory and are not read again. That is sound as long as no other
    process folds the same partnership; if one does, the next save is refused as `Stale`, and all
    is read again.
    """

    def __init__(
        self,
        history: History,
        views: Views,
        projections: Sequence[Projection],
        track: str = LIVE,
    ) -> None:
        self._history = history
        self._views = views
        self._track = track
        self._dispatch = Dispatch(projections)
        self._folds: list[Fold] | None = None
        self._cache = _Cache()

    def catch_up(self) -> int:
        """Fold all events that are not in the views yet; return how many."""
        folded = 0
        while batch := self._history.after(self._views.cursor(CURSOR), BATCH):
            self.fold(batch, cursor=(CURSOR, batch[-1].position))
            folded += len(batch)
        return folded

    def fold(
        self,
        batch: Iterable[Recorded],
        cursor: tuple[str, int] | None = None,
        letters: Sequence[Output] = (),
    ) -> None:
        """Fold a batch, in index order within each partnership, and save it in one transaction.

        Dead letters among the batch are saved with it. Raises `OtherFold` if the track has another
        version of a projection or a projection that this runner lacks, `Stale` if other runners win
        every race.
        """
        by_partnership = _by_partnership(batch)
        for attempt in range(_ATTEMPTS):
            saved, states = self._folded(by_partnership, letters)
            try:
                self._views.save(saved, cursor)
            except Stale:
                # Another process saved the same partnership; the retry skips what it folded.
                self._forget()
                if attempt == _ATTEMPTS - 1:
                    raise
            else:
                self._cache.put(states)
                return

    def result(self, batch: Iterable[Recorded]) -> Saved:
        """Fold a batch without saving it; return the changes to save."""
        self._forget()
        saved, _ = self._folded(_by_partnership(batch), ())
        return saved

    def behind(self, newest: Mapping[str, int]) -> set[str]:
        """Return those partnerships that are not folded up to these indexes."""
        positions = self._views.track_positions(self._track, newest)
        return {name for name, index in newest.items() if positions.get(name, NOTHING) < index}

    def unfolded(self, partnership: str) -> Iterator[Recorded]:
        """Return the recorded events of a partnership that are not folded."""
        positions = self._views.track_positions(self._track, [partnership])
        return self._history.of(partnership, positions.get(partnership, NOTHING) + 1)

    # --- folding ---

    def _folded(
        self, batch: Mapping[str, Sequence[Recorded]], letters: Sequence[Output]
    ) -> tuple[Saved, dict[str, "_Partnership"]]:
        """Fold a batch; return what is to be saved, and the state of its partnerships then."""
        folds = self._ready()
        states = self._states(batch)
        # Partnerships are processed by name, in the order of the rows in the store.
        fresh = {
            name: events
            for name in sorted(batch)
            if (events := self._following(name, batch[name], states[name].position))
        }
        self._load(folds, states, fresh)
        positions, results = {}, []
        for name, events in fresh.items():
            state = states[name]
            folded = [Folded(rows) for rows in state.rows]
            fold_all(self._dispatch, folded, events)
            positions[name] = (state.position, events[-1].index)
            state.position = events[-1].index
            state.known.update(
                ((place, key), None) for place, each in enumerate(folded) for key in each.changed
            )
            results.append((name, folded))
        saved = saved_of(self._track, self._dispatch.projections, folds, positions, results)
        return (
            Saved(saved.folds, positions, saved.rows, [*saved.outputs, *letters], self._track),
            states,
        )

    def _ready(self) -> list[Fold]:
        """Return the folds of the track, one for each projection. Raises `OtherFold`."""
        if self._folds is None:
            versions = {each.name: each.version for each in self._dispatch.projections}
            live = self._track == LIVE
            found = self._views.begin(versions) if live else self._views.folds(self._track)
            for name, version in versions.items():
                fold = found.get(name)
                if fold is None or fold.version != version:
                    raise OtherFold(name, fold, version)
            if unknown := sorted(found.keys() - versions.keys()):
                raise OtherFold(unknown[0], found[unknown[0]], None)
            self._folds = [found[name] for name in versions]
        return self._folds

    def _forget(self) -> None:
        self._folds = None
        self._cache = _Cache()

    def _states(self, names: Iterable[str]) -> dict[str, "_Partnership"]:
        # Remove the state from the cache; it is put back only after the save.
        states = {name: self._cache.take(name) for name in names}
        if unknown := [name for name, state in states.items() if state is None]:
            found = self._views.track_positions(self._track, unknown)
            count = len(self._dispatch.projections)
            for name in unknown:
                states[name] = _Partnership(found.get(name, NOTHING), count)
        return states  # type: ignore[return-value]

    def _load(
        self,
        folds: list[Fold],
        states: Mapping[str, "_Partnership"],
        fresh: Mapping[str, Sequence[Recorded]],
    ) -> None:
        """Read the rows that the events touch and that are not in memory, with one statement."""
        dispatch, missing = self._dispatch, []
        for name, events in fresh.items():
            known = states[name].known
            for recorded in events:
                for place, _, keys in dispatch[type(recorded.event)]:
                    for key in keys(recorded):
                        if (place, key) not in known:
                            known[place, key] = None
                            # A partnership that was never folded has no rows.
                            if states[name].position != NOTHING:
                                missing.append((folds[place].id, name, key))
        if not missing:
            return
        places = {fold.id: place for place, fold in enumerate(folds)}
        for (fold, name, key), stored in self._views.load(missing).items():
            place = places[fold]
            row = dispatch.projections[place].load(key, stored)
            states[name].rows[place][key] = row

    def _following(
        self, partnership: str, events: Sequence[Recorded], position: int
    ) -> list[Recorded]:
        """Return the events behind a position, with those that are missing between them."""
        following: list[Recorded] = []
        for recorded in events:
            if recorded.index <= position:
                continue
            if recorded.index > position + 1:
                following += self._history.of(partnership, position + 1, recorded.index)
            following.append(recorded)
            position = recorded.index
        return following


class _Partnership:
    """A partnership in memory: its position, and the rows that were touched last."""

    __slots__ = ("known", "position", "rows")

    def __init__(self, position: int, projections: int) -> None:
        self.position = position
        self.rows: list[dict[str, Any]] = [{} for _ in range(projections)]
        """The rows that exist, of each projection by its place."""
        self.known: dict[tuple[int, str], None] = {}
        """The places and keys of rows that need not be read, whether they exist or not."""

    def trim(self) -> None:
        """Evict the rows that became known first, down to `CACHED_ROWS_EACH`."""
        if len(self.known) > CACHED_ROWS_EACH:
            self.known = dict.fromkeys(list(self.known)[-CACHED_ROWS_EACH:])
            self.rows = [
                {key: row for key, row in rows.items() if (place, key) in self.known}
                for place, rows in enumerate(self.rows)
            ]


class _Cache:
    """The partnerships that were folded last, with at most `CACHED_ROWS` rows in all."""

    def __init__(self) -> None:
        self._partnerships: dict[str, _Partnership] = {}
        self._rows = 0

    def take(self, name: str) -> _Partnership | None:
        """Remove a partnership and return it, if it is here."""
        found = self._partnerships.pop(name, None)
        if found:
            self._rows -= len(found.known) + 1
        return found

    def put(self, states: Mapping[str, _Partnership]) -> None:
        """Add these, and evict those that were put in first."""
        for name, state in states.items():
            state.trim()
            self._partnerships[name] = state
            self._rows += len(state.known) + 1
        while self._rows > CACHED_ROWS:
            self.take(next(iter(self._partnerships)))


def _by_partnership(batch: Iterable[Recorded]) -> dict[str, list[Recorded]]:
    by_partnership: dict[str, list[Recorded]] = defaultdict(list)
    for recorded in batch:
        by_partnership[recorded.partnership].append(recorded)
    return by_partnership


class Replayed:
    """Several projections folded from one partnership's history, and its last index."""

    def __init__(self, projections: Sequence[Projection]) -> None:
        self.folded = [(projection, Folded()) for projection in projections]
        self.last = NOTHING


def replay_all(projections: Sequence[Projection], events: Iterable[Recorded]) -> Replayed:
    """Fold a partnership's history in memory, reading it once."""
    replayed, dispatch = Replayed(projections), _dispatch(tuple(projections))
    folded = [each for _, each in replayed.folded]
    rest = iter(events)
    while page := list(islice(rest, BATCH)):
        fold_all(dispatch, folded, page)
        replayed.last = page[-1].index
    return replayed


@cache
def _dispatch(projections: tuple[Projection, ...]) -> Dispatch:
    return Dispatch(projections)


def partnerships(history: History) -> Iterator[str]:
    """Return the names of all partnerships, in order, in batches."""
    last = ""
    while names := history.partnerships(after=last):
        yield from names
        last = names[-1]


def saved_of(
    track: str,
    projections: Sequence[Projection],
    folds: Sequence[Fold],
    positions: Mapping[str, tuple[int, int]],
    results: Sequence[tuple[str, Sequence[Folded]]],
) -> Saved:
    """Return the changes of folded partnerships to save, with the rows in the store's order."""
    rows = [
        (
            fold.id,
            name,
            key,
            None if (row := folded[place].rows.get(key)) is None else projection.dump(key, row),
        )
        for place, (projection, fold) in enumerate(zip(projections, folds, strict=True))
        for name, folded in results
        for key in sorted(folded[place].changed)
    ]
    outputs = [
        Output(
            output.id,
            projection.name,
            name,
            output.kind,
            projection.dump(output.id, output.body),
            index,
            version=projection.version,
        )
        for name, folded in results
        for projection, each in zip(projections, folded, strict=True)
        for output, index in each.outputs
    ]
    return Saved([each.id for each in folds], positions, rows, outputs, track)
