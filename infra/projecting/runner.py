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
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from time import monotonic

from domain.recorded import Recorded
from infra.projecting import quarantine, results
from infra.projecting.backlog import Backlog, backlogs, failure_of, missing
from infra.projecting.quarantine import Quarantine
from infra.projecting.replay import replay_until
from infra.projecting.results import FoldResult
from infra.projecting.row_cache import FoldState, RowCache
from infra.store.errors import Stale
from infra.store.history import NOTHING, History
from infra.store.views import (
    CURSOR,
    LIVE,
    Fold,
    OtherFold,
    Quarantined,
    Saved,
    UnreadableRow,
    Views,
)
from projections.fold import Dispatch, Folded, FoldFailed, Projection, fold_all

log = logging.getLogger(__name__)

BATCH = 4000
"""Events folded in one transaction. More of them touch the same rows, which are then written once;
fewer take less memory."""

SURVEY = 60.0
"""Seconds between two looks for partnerships whose positions were lost."""

SURVEYED = 500
"""Partnerships that a survey folds together."""

_ATTEMPTS = 10

States = dict[str, FoldState]
"""The states of partnerships by name."""


def now() -> datetime:
    """Return the time, UTC."""
    return datetime.now(UTC)


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
        self._folds: list[Fold] | None = None
        self._rows = RowCache(views, track, self._dispatch, self._ready)
        self._clock = clock
        self._surveyed = -SURVEY
        self._quarantine = Quarantine(
            history,
            views,
            track,
            lambda: release or quarantine.release_of(self._dispatch.projections),
            clock,
        )

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
        if monotonic() - self._surveyed >= SURVEY:
            folded += self.survey()
        self.retry()
        return folded

    def survey(self) -> int:
        """Fold events that no cursor leads to, because positions were lost; return how many."""
        self._surveyed = monotonic()
        self._look_for_damage()
        unfolded = iter(self._views.unfolded())
        folded = 0
        while some := list(islice(unfolded, SURVEYED)):
            folded += sum(self.catching_up_on(some))
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
        self._save(lambda: self._folded(backlogs(events, targets)), cursor)

    def build(self, newest: Mapping[str, int]) -> None:
        """Fold partnerships that have no rows yet from the history up to these indexes.

        They are folded in memory, so that each row is written once.
        """
        self._save(lambda: (self._built(newest), {}))

    def result(self, newest: Iterable[tuple[str, int]]) -> Saved:
        """Fold partnerships from the history up to these indexes; return the changes to save."""
        self._forget()
        saved, _ = self._folded(backlogs((), newest))
        return saved

    def retry(self) -> int:
        """Fold the quarantined partnerships that are due; return how many are released."""
        return sum(map(self._retry, self._quarantine.due()))

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
        reached = self._rows.positions(partnerships)
        full = True
        while full:
            skipped = self._quarantine.among(reached)
            for name in skipped:
                del reached[name]
            page = self._history.following(reached, BATCH)
            last = [(each.partnership, each.index) for each in page.events] + [*page.unreadable]
            full = len(last) == BATCH
            heads = self._history.heads(skipped) if skipped else {}
            newest = [*page.unreadable, *((name, head.size - 1) for name, head in heads.items())]
            if page.events or newest:
                self.fold(page.events, newest=newest)
                reached |= {name: index for name, index in sorted(last) if name in reached}
                yield len(page.events)

    # --- saving ---

    def _save(
        self, fold: Callable[[], tuple[Saved, States]], cursor: tuple[str, int] | None = None
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
                self._rows.put(states)
                self._quarantine.note(saved)
                return saved

    def _forget(self) -> None:
        self._folds = None
        self._rows.clear()

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
            self._look_for_damage()
            self._folds = [found[name] for name in versions]
        return self._folds

    def _look_for_damage(self) -> None:
        """Read which partnerships are quarantined, with those that have a damaged position."""
        if self._track == LIVE:
            quarantine.report_damage(self._views, self._clock())
        self._quarantine.look()

    def _changes(
        self,
        folded: Sequence[FoldResult],
        skipped: Mapping[str, int] | None = None,
        known: Quarantined | None = None,
    ) -> Saved:
        """Return what is to be saved; `known` is the record of a partnership that is retried."""
        folds, projections = self._ready(), self._dispatch.projections
        changes = self._quarantine.changes(folded, known)
        return Saved(
            [each.id for each in folds],
            results.positions(folded),
            results.rows(projections, folds, folded),
            [*results.outputs(projections, folded), *changes.alerts],
            self._track,
            {each.name: each.before for each in folded if each.is_anew},
            changes.quarantined,
            [each.partnership for each in changes.lifted],
            skipped or {},
        )

    # --- folding ---

    def _folded(self, logs: Mapping[str, Backlog]) -> tuple[Saved, States]:
        """Fold a batch; return what is to be saved, and the state of its partnerships then."""
        self._ready()
        skipped = self._quarantine.skipped(logs)
        # Partnerships are processed by name, in the order of the rows in the store.
        states = self._rows.take(name for name in sorted(logs) if name not in skipped)
        for name, state in states.items():
            logs[name].complete(self._history, state.position)
        fresh = {name: logs[name] for name in states if logs[name].events or logs[name].failure}
        self._rows.load(states, fresh)
        folded = [self._fold(states, backlog) for backlog in fresh.values()]
        return self._changes(folded, skipped), states

    def _fold(self, states: States, backlog: Backlog) -> FoldResult:
        """Fold the events of one partnership, as far as they can be folded."""
        name = backlog.name
        state = states[name]
        before = state.position
        if backlog.damage:
            del states[name]
            return self._anew(before, backlog)
        folded = [Folded(rows) for rows in state.rows]
        try:
            fold_all(self._dispatch, folded, backlog.events)
        except FoldFailed as failed:
            if before != NOTHING and (anew := self._without_rows(before, backlog, failed)):
                del states[name]
                return anew
            # The rows in memory have the effect of a part of the events, so they are read again.
            backlog.stop(failure_of(failed))
            states[name] = self._rows.empty(name, before)
            self._rows.load(states, {name: backlog})
            return self._fold(states, backlog)
        except UnreadableRow as damage:
            backlog.damage = damage.detail
            return self._fold(states, backlog)
        if backlog.events:
            state.position = backlog.events[-1].index
        for rows, each in zip(state.rows, folded, strict=True):
            if each.changed:
                rows.known.update(dict.fromkeys(each.changed))
        return FoldResult(backlog, before, state.position, folded)

    def _anew(self, before: int, backlog: Backlog) -> FoldResult:
        """Fold a partnership from its first event, because its saved rows are damaged."""
        reason = "%s is folded from its first event, because of damage: %s"
        log.warning(reason, backlog.name, backlog.damage)
        return self._from_the_first(before, backlog)._replace(is_anew=True)

    def _without_rows(self, before: int, backlog: Backlog, failed: FoldFailed) -> FoldResult | None:
        """Fold a partnership from its first event if only its saved rows make an event fail."""
        again = Backlog(backlog.name, backlog.newest)
        found = self._from_the_first(before, again)
        if again.failure and again.failure.index <= failed.index:
            return None
        reason = "%s is folded from its first event, because its rows are damaged: %s"
        log.warning(reason, backlog.name, failed.detail)
        return found._replace(is_anew=True)

    def _from_the_first(self, before: int, backlog: Backlog) -> FoldResult:
        stop = backlog.failure.index if backlog.failure else backlog.newest + 1
        found = replay_until(self._history, self._dispatch.projections, backlog.name, stop)
        if found.failure:
            backlog.stop(found.failure)
        return FoldResult(backlog, before, found.last, found.folded)

    def _built(self, newest: Mapping[str, int]) -> Saved:
        self._ready()
        begun = (
            self._views.track_positions(self._track, newest).keys()
            | self._views.quarantined(newest, self._track).keys()
        )
        return self._changes(
            [
                self._from_the_first(NOTHING, Backlog(name, index))
                for name, index in newest.items()
                if name not in begun
            ]
        )

    # --- quarantined partnerships ---

    def _retry(self, name: str) -> bool:
        """Fold the skipped events of a partnership; return whether its quarantine ended."""
        while True:
            saved = self._save(partial(self._retried, name))
            if not any(map(quarantine.is_moving, saved.quarantined)):
                return bool(saved.lifted)

    def _retried(self, name: str) -> tuple[Saved, States]:
        """Fold the next events of a quarantined partnership."""
        self._ready()
        known = self._quarantine.record(name)
        self._rows.evict(name)
        states = self._rows.take([name])
        position = states[name].position
        if known is None:
            return self._changes([]), {}
        if known.anew:
            # Its position may be lost, so it is folded up to its last event.
            heads = self._history.heads([name])
            newest = max([position, known.newest, *(head.size - 1 for head in heads.values())])
            backlog = Backlog(name, newest, damage=known.error)
            return self._changes([self._anew(position, backlog)], known=known), {}
        backlog = Backlog(name, min(position + BATCH, known.newest))
        backlog.complete(self._history, position)
        if position < known.newest and not (backlog.events or backlog.failure):
            backlog.stop(missing(name, position + 1))
        self._rows.load(states, {name: backlog})
        return self._changes([self._fold(states, backlog)], known=known), states
