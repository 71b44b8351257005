"""What the views in both databases have in common."""

import logging
from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from infra.store.errors import Stale
from infra.store.history import NOTHING
from infra.store.paging import by_name
from infra.store.signal import Signal
from infra.store.views import (
    Fold,
    OtherFold,
    Quarantined,
    Row,
    Saved,
    SavedOutput,
    StoredOutput,
    Views,
    read_row,
)
from infra.tlog.codec import canonical

log = logging.getLogger(__name__)

SWEPT = 10_000
"""Rows deleted in one transaction, so that other writers need not wait long."""


def by_projection(found: Iterable[tuple[Any, ...]]) -> dict[str, Fold]:
    """Return folds by projection, from columns of the projection, the id and the version."""
    return {projection: Fold(fold, projection, version) for projection, fold, version in found}


def output_values(o: SavedOutput) -> tuple[Any, ...]:
    """Return what is stored of an output; the store numbers it."""
    body = canonical(o.body)
    return o.id, o.projection, o.partnership, o.kind, body, o.cause_index, o.version


def check_quarantine(
    saved: Saved, known: Mapping[str, Quarantined], positions: Mapping[str, int]
) -> None:
    """Raise `Stale` if what is saved rests on another state of the quarantine than `known`.

    `positions` are the new positions of the partnerships to quarantine or to release. An event may
    be skipped only while its partnership is quarantined, and a quarantine ends only when all
    skipped events are folded; otherwise events would be lost.
    """
    for each in saved.quarantined:
        if positions.get(each.partnership, NOTHING) != each.index - 1:
            raise Stale("another runner folded this partnership further")
        before = known.get(each.partnership)
        if before and before.since != each.since:
            raise Stale("another runner quarantined this partnership")
    for name in saved.lifted:
        if name not in known or known[name].newest > positions.get(name, NOTHING):
            raise Stale("another runner released this partnership, or skipped further events")
    if not saved.skipped.keys() <= known.keys():
        raise Stale("another runner ended the quarantine of a partnership")
    unknown = (saved.positions.keys() | saved.reset.keys()) & known.keys()
    if unknown - {each.partnership for each in saved.quarantined} - set(saved.lifted):
        raise Stale("another runner quarantined a partnership")


def merged(saved: Saved, known: Mapping[str, Quarantined]) -> list[Quarantined]:
    """Return the records to save, with what others noted since the runner read them."""
    return [_with(each, known.get(each.partnership), saved) for each in saved.quarantined]


def _with(record: Quarantined, known: Quarantined | None, saved: Saved) -> Quarantined:
    if known is None:
        return record
    damaged = known.anew and record.partnership not in saved.reset
    return replace(record, newest=max(record.newest, known.newest), anew=record.anew or damaged)


def reported(damaged: Quarantined, known: Quarantined | None) -> Quarantined:
    """Return the record of a partnership with damaged rows, which may be quarantined already."""
    return damaged if known is None else replace(known, anew=True)


def _readable(outputs: Iterable[StoredOutput]) -> Iterator[SavedOutput]:
    for each in outputs:
        try:
            yield each.read()
        except ValueError:
            # It must not stop the outputs of other partnerships.
            log.error("The output %s of %s cannot be read.", each.id, each.partnership)  # noqa: TRY400 - this says all


class StoredViews(Views):
    """The part of `Views` that needs no statement of its own."""

    def __init__(self, versions: Mapping[str, int]) -> None:
        self._versions = versions
        self._outputs_saved = Signal()

    @abstractmethod
    def page(
        self, projection: str, partnership: str, prefix: str, after: str, limit: int
    ) -> list[tuple[str, bytes]]:
        """Return the keys and bodies of the next `limit` rows that `select` asks for."""

    def select(
        self,
        projection: str,
        partnership: str,
        prefix: str = "",
        after: str = "",
        limit: int | None = None,
    ) -> Iterator[tuple[str, Row]]:
        stored = by_name(partial(self.page, projection, partnership, prefix), after, limit)
        return ((key, read_row(partnership, projection, key, body)) for key, body in stored)

    def stored_rows(self, projection: str, partnership: str) -> Iterator[tuple[str, bytes]]:
        return by_name(partial(self.page, projection, partnership, ""))

    def outputs(
        self, after: int = 0, limit: int = 500, partnership: str | None = None
    ) -> list[SavedOutput]:
        while page := self.stored_outputs(after, limit, partnership):
            if found := list(_readable(page)):
                return found
            after = page[-1].number
        return []

    def subscribe(self, callback: Callable[[], None]) -> Callable[[], None]:
        return self._outputs_saved.subscribe(callback)

    def _version(self, projection: str) -> int:
        """Return the version of a projection's fold that this release reads."""
        return self._versions.get(projection, 1)

    def _check_fold(
        self, projection: str, live: Fold | None, is_folded: Callable[[], bool]
    ) -> None:
        """Raise `OtherFold` unless the live fold is of this release's version, or none is begun."""
        ours = self._version(projection)
        differs = is_folded() if live is None else live.version != ours
        if differs:
            raise OtherFold(projection, live, ours)
