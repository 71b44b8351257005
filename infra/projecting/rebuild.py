"""Rebuilds projections while readers keep using the old rows, and swaps the rows at the end.

A release that changes what a projection saves raises the version of its fold, and the rows of
existing stores are then of an older version. A rebuild folds the history into rows of its own,
partnership by partnership, up to the position of the live rows; each batch is one transaction, so a
rebuild that was killed continues where it stopped. Readers see the old rows until the last
transaction replaces all of them. Live folding continues meanwhile.

Outputs have identifiers made from their cause, so an alert that was published is not published
again. A changed fold may find other alerts: those are published, with the times of the events that
caused them. An alert that only the old fold raised stays as it was published.
"""

import logging
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from infra.projecting.runner import BATCH, Runner
from infra.store.errors import Stale
from infra.store.history import NOTHING, History
from infra.store.views import REBUILD, Behind, Fold, OtherFold, Saved, Views
from projections.fold import Projection

log = logging.getLogger(__name__)

_ROUNDS = 20
"""How often a rebuild follows live folding before it folds the rest in its last transaction."""


@dataclass(frozen=True, slots=True)
class RebuildProgress:
    """How far a rebuild is, in events."""

    done: int
    total: int


Report = Callable[[RebuildProgress], None]


def _unreported(_: RebuildProgress) -> None:
    pass


class Replaced(Exception):
    """Another rebuild took the place of this one before it ended."""

    def __init__(self, projections: Iterable[str]) -> None:
        names = ", ".join(projections)
        super().__init__(
            f"Another rebuild took the place of this one, so {names} may still have the old rows. "
            "Run accord rebuild again when the other one has ended."
        )


def outdated(views: Views, projections: Sequence[Projection]) -> list[Projection]:
    """Return the projections whose live rows are of an older fold, or that have none yet.

    None in a store where nothing was folded. Raises `OtherFold` for rows of a newer fold.
    """
    live = views.folds()
    if not live and views.remaining() == (0, 0):
        return []
    found = []
    for each in projections:
        stored = live.get(each.name)
        if stored is None or stored.version < each.version:
            found.append(each)
        elif stored.version > each.version:
            raise OtherFold(each.name, stored, each.version)
    return found


def check(views: Views, projections: Sequence[Projection]) -> None:
    """Raise `OtherFold` unless all live rows are of the versions of these folds."""
    for each in outdated(views, projections):
        raise OtherFold(each.name, views.folds().get(each.name), each.version)


def queue(views: Views, projections: Sequence[Projection]) -> list[str]:
    """Queue the rebuild of what is outdated; return the names of those projections.

    If nothing is, drop rows that no projection has.
    """
    if found := outdated(views, projections):
        views.queue({each.name: each.version for each in found})
    else:
        _drop_others(views, projections)
    return [each.name for each in found]


def bring_up(
    history: History,
    views: Views,
    projections: Sequence[Projection],
    report: Report = _unreported,
) -> list[str]:
    """Rebuild outdated projections, and drop the rows of removed ones; return the rebuilt names.

    Raises `OtherFold` if rows are of a newer release.
    """
    missing = found = outdated(views, projections)
    while missing:
        log.warning("Rebuilding %s for this release.", ", ".join(each.name for each in missing))
        with suppress(Replaced):
            rebuild(history, views, missing, report)
        missing = outdated(views, projections)
    # Last, because processes of the old release go on with all of theirs until the swap.
    _drop_others(views, projections)
    return [each.name for each in found]


def _drop_others(views: Views, projections: Sequence[Projection]) -> None:
    if others := views.folds().keys() - {each.name for each in projections}:
        views.drop(others)
    views.sweep()


def pending(views: Views, projections: Sequence[Projection]) -> list[Projection]:
    """Return the projections of a rebuild that was queued or begun and has not ended."""
    queued = views.folds(REBUILD)
    return [
        each
        for each in projections
        if each.name in queued and queued[each.name].version == each.version
    ]


def rebuild(
    history: History,
    views: Views,
    projections: Sequence[Projection],
    report: Report = _unreported,
) -> int:
    """Rebuild these projections, or go on with the same rebuild; return how many events it folded.

    Damaged heads are made again from the events, and what is stored of partnerships without events
    is deleted. Other processes may do the same at once: they share the work. Raises `OtherFold` if
    the rows are of a newer release, `Replaced` if a rebuild of other projections took the place of
    this one.
    """
    outdated(views, projections)
    views.delete_strays()
    history.renew_heads()
    folds = views.queue({each.name: each.version for each in projections})
    building = _Building(history, views, projections, [folds[each.name] for each in projections])
    folded = 0
    try:
        for _ in range(_ROUNDS):
            folded += building.follow(report)
            # Each round folds what live folding saved during the last one, so rounds get shorter.
            if len(views.behind(limit=BATCH)) < BATCH:
                break
        views.swap(building.rest)
    except (Stale, OtherFold):
        if building.is_current():
            raise
        log.warning("Another process ended this rebuild.")
    views.sweep()
    if not building.is_done():
        raise Replaced(each.name for each in projections)
    return folded


class _Building:
    """A rebuild: it follows the live positions."""

    def __init__(
        self,
        history: History,
        views: Views,
        projections: Sequence[Projection],
        folds: Sequence[Fold],
    ) -> None:
        self._views = views
        self._folds = folds
        self._runner = Runner(history, views, projections, REBUILD)

    def follow(self, report: Report) -> int:
        """Fold each partnership up to its live position, once; return how many events."""
        last, folded = "", 0
        report(self._progress())
        while page := self._views.behind(last):
            batch: list[Behind] = []
            size = 0
            for each in page:
                batch.append(each)
                size += each.live - each.rebuilt
                if size >= BATCH:
                    self._fold(batch)
                    folded, batch, size = folded + size, [], 0
                    report(self._progress())
            self._fold(batch)
            folded += size
            last = page[-1].partnership
        report(self._progress())
        return folded

    def rest(self, behind: list[Behind]) -> Saved:
        """Fold the missing events; return the changes to save."""
        return self._runner.result((each.partnership, each.live) for each in behind)

    def _progress(self) -> RebuildProgress:
        rest, total = self._views.remaining()
        return RebuildProgress(total - rest, total)

    def is_current(self) -> bool:
        """Return whether this rebuild has neither ended nor been replaced by another one."""
        return [*self._views.folds(REBUILD).values()] == list(self._folds)

    def is_done(self) -> bool:
        """Return whether the rows of this rebuild, or of a later one, are live."""
        live = self._views.folds()
        return all(
            each.projection in live and live[each.projection].id >= each.id for each in self._folds
        )

    def _fold(self, batch: Sequence[Behind]) -> None:
        """Fold these partnerships; new ones in memory, so that each row is written once."""
        begun = {each.partnership: each.live for each in batch if each.rebuilt != NOTHING}
        self._runner.fold((), newest=begun.items())
        self._runner.build(
            {each.partnership: each.live for each in batch if each.rebuilt == NOTHING}
        )
