"""Folds recorded events in batches and saves the result, wherever a batch came from.

A track of folds has one position in each partnership: the index of the last event that all of them
have folded. It is saved with the rows, compare-and-set: an event at or below it is skipped, the
next one is folded, a gap is filled from the history. So events may come twice, and partnerships in
any order, and each event has its effect once.

A partnership with an event that cannot be folded is quarantined in the same transaction, and the
others go on (see `infra.projecting.quarantine`).
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from itertools import islice
from typing import Any, NamedTuple

from domain.recorded import Recorded
from infra.projecting import quarantine
from infra.projecting.quarantine import Failure
from infra.store.errors import Stale
from infra.store.history import NOTHING, History
from infra.store.views import (
    ALL_PROJECTIONS,
    LIVE,
    Fold,
    OtherFold,
    Quarantined,
    Row,
    Saved,
    SavedOutput,
    UnreadableRow,
    Views,
    read_row,
    typed_row,
)
from infra.tlog.codec import UnreadableEvent
from projections.fold import Dispatch, Folded, FoldFailed, Projection, fold_all

log = logging.getLogger(__name__)

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


def now() -> datetime:
    """Return the time, UTC."""
    return datetime.now(UTC)


@dataclass(slots=True)
class _Log:
    """The events of one partnership to fold, up to index `newest`."""

    newest: int = NOTHING
    events: list[Recorded] = field(default_factory=list)
    failure: Failure | None = None
    """The first event that cannot be folded, once it is known."""
    damage: str = ""
    """What is wrong with the saved rows, once it is known."""

    def stop(self, failure: Failure) -> None:
        """Leave out the event that fails and those after it."""
        self.events = [each for each in self.events if each.index < failure.index]
        self.failure = failure


class _Result(NamedTuple):
    """The outcome of folding one partnership: its position before and after, and what changed."""

    name: str
    before: int
    after: int
    folded: Sequence[Folded]
    log: _Log
    is_anew: bool = False
    """Whether it was folded from its first event."""


class Runner:
    """Keeps the folds of a track up to date with a history; for one thread at a time.

    Rows that it saved stay in memory and are not read again. That is sound as long as no other
    process folds the same partnership; if one does, the next save is refused as `Stale`, and all
    is read again. `release` identifies the code of the folds, by default this release's.
    """

    def __init__(  # noqa: PLR0913 - all of them by name
        self,
        history: History,
        views: Views,
        projections: Sequence[Projection],
        track: str = LIVE,
        *,
        clock: Callable[[], datetime] = now,
        release: str | None = None,
    ) -> None:
        self._history = history
        self._views = views
        self._track = track
        self._dispatch = Dispatch(projections)
        self._clock = clock
        self._given_release = release
        self._folds: list[Fold] | None = None
        self._quarantined: set[str] = set()
        """The partnerships that were quarantined when this runner looked last."""
        self._cache = _Cache()

    def catch_up(self) -> int:
        """Fold all events that are not in the views yet; return how many.

        Quarantined partnerships are folded again if they are due.
        """
        folded = 0
        while True:
            page = self._history.readable_after(self._views.cursor(CURSOR), BATCH)
            if not (page.events or page.unreadable):
                break
            self.fold(page.events, (CURSOR, page.last), newest=page.unreadable)
            folded += len(page.events)
        self.retry()
        return folded

    def fold(
        self,
        batch: Iterable[Recorded],
        cursor: tuple[str, int] | None = None,
        newest: Iterable[tuple[str, int]] = (),
    ) -> None:
        """Fold a batch, in index order within each partnership, and save it in one transaction.

        The partnerships of `newest` are folded from the history up to these indexes. A partnership
        is quarantined at its first event that cannot be read or folded. Raises `OtherFold` if the
        track has another version of a projection or a projection that this runner lacks, `Stale` if
        other runners win every race.
        """
        events, targets = list(batch), list(newest)
        self._save(lambda: self._folded(_logs(events, targets)), cursor)

    def build(self, newest: Mapping[str, int]) -> None:
        """Fold partnerships that have no rows yet from the history up to these indexes.

        They are folded in memory, so that each row is written once.
        """
        self._save(lambda: (self._built(newest), {}))

    def result(self, newest: Iterable[tuple[str, int]]) -> Saved:
        """Fold partnerships from the history up to these indexes; return the changes to save."""
        self._forget()
        saved, _ = self._folded(_logs((), newest))
        return saved

    def retry(self) -> int:
        """Fold the quarantined partnerships that are due; return how many are released."""
        due = self._clock()
        return sum(
            self._retry(name)
            for name, each in self._views.quarantined(track=self._track).items()
            if quarantine.is_due(each, self.release, due)
        )

    @property
    def release(self) -> str:
        """The identifier of the code that folds."""
        return self._given_release or quarantine.release_of(self._dispatch.projections)

    def behind(self, newest: Mapping[str, int]) -> set[str]:
        """Return those partnerships that are not folded up to these indexes.

        Quarantined ones are left out, because `retry` folds them.
        """
        positions = self._views.track_positions(self._track, newest)
        found = {name for name, index in newest.items() if positions.get(name, NOTHING) < index}
        return found - self._views.quarantined(found, self._track).keys()

    def catching_up_on(self, partnerships: Iterable[str]) -> Iterator[int]:
        """Fold all recorded events of these partnerships that are not folded.

        Yields after each transaction, with how many events were in it. An unknown partnership has
        none, and a quarantined one has them noted. Raises as `fold` does.
        """
        self._ready()
        reached = self._positions(partnerships)
        full = True
        while full:
            skipped = [name for name in self._quarantined if reached.pop(name, None) is not None]
            page = self._history.following(reached, BATCH)
            last = [(each.partnership, each.index) for each in page.events] + [*page.unreadable]
            full = len(last) == BATCH
            heads = self._history.heads(skipped) if skipped else {}
            newest = [*page.unreadable, *((name, head.size - 1) for name, head in heads.items())]
            if page.events or newest:
                self.fold(page.events, newest=newest)
                reached |= {name: index for name, index in sorted(last) if name in reached}
                yield len(page.events)

    def _positions(self, partnerships: Iterable[str]) -> dict[str, int]:
        """Return the position of each of these; of one in memory without asking the store."""
        found = {name: self._cache.position(name) for name in partnerships}
        known = {name: position for name, position in found.items() if position is not None}
        if unknown := found.keys() - known.keys():
            known |= dict.fromkeys(unknown, NOTHING)
            known |= self._views.track_positions(self._track, unknown)
        return known

    # --- saving ---

    def _save(
        self,
        fold: Callable[[], tuple[Saved, dict[str, "_Partnership"]]],
        cursor: tuple[str, int] | None = None,
    ) -> Saved:
        """Save what `fold` returns. It is called again whenever another process was first."""
        attempts = _ATTEMPTS
        while True:
            saved, states = fold()
            try:
                self._views.save(saved, cursor)
            except Stale:
                # Another process saved the same partnership; the retry skips what it folded.
                self._forget()
                attempts -= 1
                if not attempts:
                    raise
            else:
                self._cache.put(states)
                self._note(saved)
                return saved

    def _note(self, saved: Saved) -> None:
        """Remember and log which partnerships were quarantined and released."""
        for each in saved.quarantined:
            self._quarantined.add(each.partnership)
            log.error("%s is quarantined: %s", each.partnership, each.error)
        for name in saved.lifted:
            self._quarantined.discard(name)
            log.warning("%s is folded again.", name)

    def _forget(self) -> None:
        self._folds = None
        self._cache = _Cache()

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
            self._quarantined = set(self._views.quarantined(track=self._track))
            self._folds = [found[name] for name in versions]
        return self._folds

    # --- folding ---

    def _folded(self, logs: Mapping[str, _Log]) -> tuple[Saved, dict[str, "_Partnership"]]:
        """Fold a batch; return what is to be saved, and the state of its partnerships then."""
        folds = self._ready()
        skipped = self._skipped(logs)
        # Partnerships are processed by name, in the order of the rows in the store.
        states = self._states(name for name in sorted(logs) if name not in skipped)
        for name, state in states.items():
            self._complete(name, logs[name], state.position)
        fresh = {name: logs[name] for name in states if logs[name].events or logs[name].failure}
        self._load(folds, states, fresh)
        results = [self._result(folds, name, states, log) for name, log in fresh.items()]
        return self._changes(folds, results, skipped), states

    def _skipped(self, logs: Mapping[str, _Log]) -> dict[str, int]:
        """Return the quarantined partnerships of a batch, with their newest events."""
        if not (known := self._quarantined & logs.keys()):
            return {}
        found = self._views.quarantined(known, self._track)
        self._quarantined -= known - found.keys()
        heads = self._history.heads(found)
        return {name: min(logs[name].newest, heads[name].size - 1) for name in found}

    def _result(
        self, folds: list[Fold], name: str, states: dict[str, "_Partnership"], log: _Log
    ) -> _Result:
        """Fold the events of one partnership, as far as they can be folded."""
        state = states[name]
        before = state.position
        if log.damage:
            del states[name]
            return self._anew(name, before, log)
        folded = [Folded(rows) for rows in state.rows]
        try:
            fold_all(self._dispatch, folded, log.events)
        except FoldFailed as failed:
            # The rows in memory have the effect of a part of the events, so they are read again.
            log.stop(_failure(failed))
            states[name] = _Partnership(before, len(folds))
            self._load(folds, states, {name: log})
            return self._result(folds, name, states, log)
        if log.events:
            state.position = log.events[-1].index
        state.known.update(
            ((place, key), None) for place, each in enumerate(folded) for key in each.changed
        )
        return _Result(name, before, state.position, folded, log)

    def _anew(self, name: str, before: int, log: _Log) -> _Result:
        """Fold a partnership from its first event, because its saved rows are damaged."""
        _log_damage(name, log.damage)
        return self._from_the_first(name, before, log)

    def _from_the_first(self, name: str, before: int, log: _Log) -> _Result:
        stop = log.failure.index if log.failure else log.newest + 1
        found = replay_until(self._history, self._dispatch.projections, name, stop)
        if found.failure:
            log.stop(found.failure)
        return _Result(name, before, found.last, found.folded, log, is_anew=True)

    def _built(self, newest: Mapping[str, int]) -> Saved:
        folds = self._ready()
        begun = self._views.track_positions(self._track, newest)
        begun |= dict.fromkeys(self._views.quarantined(newest, self._track), NOTHING)
        results = [
            self._from_the_first(name, NOTHING, _Log(index))._replace(is_anew=False)
            for name, index in newest.items()
            if name not in begun
        ]
        return self._changes(folds, results)

    def _changes(
        self,
        folds: Sequence[Fold],
        results: Sequence[_Result],
        skipped: Mapping[str, int] | None = None,
        known: Quarantined | None = None,
    ) -> Saved:
        """Return what is to be saved; `known` is the record of a partnership that is retried."""
        starts = {each.name: NOTHING if each.is_anew else each.before for each in results}
        positions = {
            each.name: (starts[each.name], each.after)
            for each in results
            if each.after != starts[each.name]
        }
        folded = [(each.name, each.folded) for each in results]
        rows, outputs = changes_of(self._dispatch.projections, folds, folded)
        quarantined, lifted, alerts = self._quarantine(results, known)
        return Saved(
            [each.id for each in folds],
            positions,
            rows,
            [*outputs, *alerts],
            self._track,
            {each.name: each.before for each in results if each.is_anew},
            quarantined,
            [each.partnership for each in lifted],
            skipped or {},
        )

    def _quarantine(
        self, results: Sequence[_Result], known: Quarantined | None
    ) -> tuple[list[Quarantined], list[Quarantined], list[SavedOutput]]:
        """Return the partnerships to quarantine, those to release, and the operator's alerts."""
        if known is None and not any(each.log.failure for each in results):
            return [], [], []
        moment, quarantined, lifted = self._clock(), [], []
        for each in results:
            if failure := each.log.failure:
                attempt = quarantine.Attempt(self.release, moment)
                record = quarantine.quarantined(each.name, failure, each.log.newest, attempt, known)
                quarantined.append(record)
            elif known and each.after >= known.newest:
                lifted.append(known)
            elif known:
                quarantined.append(quarantine.moved(known, each.after + 1))
        live = self._track == LIVE
        alerts = quarantine.outputs(quarantined, lifted, moment) if live else []
        return quarantined, lifted, alerts

    # --- quarantined partnerships ---

    def _retry(self, name: str) -> bool:
        """Fold the skipped events of a partnership; return whether its quarantine ended."""
        while True:
            saved = self._save(lambda: self._retried(name))
            if not any(quarantine.is_moving(each) for each in saved.quarantined):
                return bool(saved.lifted)

    def _retried(self, name: str) -> tuple[Saved, dict[str, "_Partnership"]]:
        """Fold the next events of a quarantined partnership."""
        folds = self._ready()
        known = self._views.quarantined([name], self._track).get(name)
        self._cache.take(name)
        states = self._states([name])
        position = states[name].position
        if known is None:
            return self._changes(folds, []), {}
        if known.anew:
            log = _Log(max(position, known.newest), damage=known.error)
            return self._changes(folds, [self._anew(name, position, log)], known=known), {}
        log = _Log(min(position + BATCH, known.newest))
        self._complete(name, log, position)
        if position < known.newest and not (log.events or log.failure):
            log.stop(_missing(name, position + 1))
        self._load(folds, states, {name: log})
        result = self._result(folds, name, states, log)
        return self._changes(folds, [result], known=known), states

    # --- rows and events ---

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
        self, folds: list[Fold], states: Mapping[str, "_Partnership"], logs: Mapping[str, _Log]
    ) -> None:
        """Read the rows that the events touch and that are not in memory, with one statement."""
        missing = [
            (folds[place].id, name, key)
            for name, log in logs.items()
            for place, key in self._touched(states[name], log)
        ]
        if not missing:
            return
        places = {fold.id: place for place, fold in enumerate(folds)}
        for (fold, name, key), stored in self._views.load(missing).items():
            projection = self._dispatch.projections[places[fold]]
            try:
                row = read_row(name, projection.name, key, stored)
                states[name].rows[places[fold]][key] = typed_row(projection, name, key, row)
            except UnreadableRow as error:
                logs[name].damage = error.detail

    def _touched(self, state: "_Partnership", log: _Log) -> list[tuple[int, str]]:
        """Return the places and keys of the rows to read."""
        dispatch, known = self._dispatch, state.known
        touched, place = [], 0
        for recorded in log.events:
            try:
                for place, _, keys in dispatch[type(recorded.event)]:
                    for key in keys(recorded):
                        if (place, key) not in known:
                            known[place, key] = None
                            touched.append((place, key))
            except Exception as error:  # noqa: BLE001 - the error of any projection
                log.stop(_failure(FoldFailed(dispatch.projections[place], recorded, error)))
                break
        # A partnership that was never folded has no rows.
        return touched if state.position != NOTHING else []

    def _complete(self, name: str, log: _Log, position: int) -> None:
        """Have a log begin behind a position, and read what is missing up to its newest event."""
        given, log.events = log.events, []
        following = position + 1
        for recorded in given:
            if recorded.index > following:
                following = self._read(name, log, following, recorded.index)
            if recorded.index == following:
                log.events.append(recorded)
                following += 1
        if following <= log.newest:
            self._read(name, log, following, log.newest + 1)

    def _read(self, name: str, log: _Log, start: int, stop: int) -> int:
        """Add events of the history to a log, up to the first failure; return what follows."""
        if log.failure is None:
            found, log.failure = read(self._history, name, start, stop)
            log.events += found
            return start + len(found)
        return start


def _failure(failed: FoldFailed) -> Failure:
    return Failure(failed.projection, failed.index, failed.detail)


def _log_damage(partnership: str, damage: str) -> None:
    log.warning("%s is folded from its first event, because of damage: %s", partnership, damage)


def read(
    history: History, partnership: str, start: int, stop: int
) -> tuple[list[Recorded], Failure | None]:
    """Return a partnership's events from index `start` to before `stop`.

    They end before the first event that is missing or cannot be read, which is the failure. The end
    of the log is none.
    """
    found: list[Recorded] = []
    try:
        for recorded in history.of(partnership, start, stop):
            if recorded.index != start + len(found):
                break
            found.append(recorded)
    except UnreadableEvent as error:
        index = start + len(found)
        # Bytes that are no event do not say whose they are.
        reason = error.detail.removeprefix(error.event)
        return found, Failure(ALL_PROJECTIONS, index, f"{partnership}#{index}{reason}")
    following = start + len(found)
    head = history.heads([partnership]).get(partnership) if following < stop else None
    if head and following < head.size:
        return found, _missing(partnership, following)
    return found, None


def _missing(partnership: str, index: int) -> Failure:
    missing = UnreadableEvent(f"{partnership}#{index}", "is missing.")
    return Failure(ALL_PROJECTIONS, index, missing.detail)


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

    def position(self, name: str) -> int | None:
        """Return the position of a partnership, if it is here."""
        found = self._partnerships.get(name)
        return found.position if found else None

    def put(self, states: Mapping[str, _Partnership]) -> None:
        """Add these, and evict those that were put in first."""
        for name, state in states.items():
            state.trim()
            self._partnerships[name] = state
            self._rows += len(state.known) + 1
        while self._rows > CACHED_ROWS:
            self.take(next(iter(self._partnerships)))


def _logs(batch: Iterable[Recorded], newest: Iterable[tuple[str, int]]) -> dict[str, _Log]:
    logs: dict[str, _Log] = {}
    for recorded in batch:
        log = logs.get(recorded.partnership)
        if log is None:
            log = logs[recorded.partnership] = _Log()
        log.events.append(recorded)
        log.newest = max(log.newest, recorded.index)
    for name, index in newest:
        log = logs.setdefault(name, _Log())
        log.newest = max(log.newest, index)
    return logs


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


class ReplayedUntil(NamedTuple):
    """A partnership folded as far as possible, and the event that ended that, if one did."""

    folded: Sequence[Folded]
    last: int
    failure: Failure | None


def replay_until(
    history: History, projections: Sequence[Projection], partnership: str, stop: int
) -> ReplayedUntil:
    """Fold a partnership's events before index `stop` in memory, or those before one that fails."""
    dispatch = _dispatch(tuple(projections))
    failed: Failure | None = None
    while True:
        folded = [Folded() for _ in projections]
        start, unreadable = 0, None
        try:
            while start < stop and unreadable is None:
                events, unreadable = read(history, partnership, start, min(start + BATCH, stop))
                fold_all(dispatch, folded, events)
                start += len(events)
                if not events:
                    break
        except FoldFailed as error:
            failed, stop = _failure(error), error.index
        else:
            return ReplayedUntil(folded, start - 1, unreadable or failed)


@cache
def _dispatch(projections: tuple[Projection, ...]) -> Dispatch:
    return Dispatch(projections)


def partnerships(history: History) -> Iterator[str]:
    """Return the names of all partnerships, in order, in batches."""
    last = ""
    while names := history.partnerships(after=last):
        yield from names
        last = names[-1]


def changes_of(
    projections: Sequence[Projection],
    folds: Sequence[Fold],
    results: Sequence[tuple[str, Sequence[Folded]]],
) -> tuple[list[tuple[int, str, str, Row | None]], list[SavedOutput]]:
    """Return the rows and outputs of folded partnerships, the rows in the store's order."""
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
        SavedOutput(
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
    return rows, outputs
