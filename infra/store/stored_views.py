"""What the views in both databases have in common."""

import logging
from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, Final, NamedTuple, TypeGuard

from infra.store.errors import Stale
from infra.store.history import NOTHING
from infra.store.paging import LAST, by_name
from infra.store.signal import Signal
from infra.store.views import (
    ALL_PROJECTIONS,
    Damage,
    Fold,
    OtherFold,
    Quarantined,
    Row,
    Saved,
    SavedOutput,
    StoredOutput,
    StoredRow,
    Views,
    read_row,
)
from infra.tlog.codec import canonical, stored_moment

log = logging.getLogger(__name__)

SWEPT = 10_000
"""Rows deleted in one transaction, so that other writers need not wait long."""


class KeyRange(NamedTuple):
    """Keys from `start` on, before `end`, and after `after`."""

    start: str
    end: str
    after: str


def by_projection(found: Iterable[tuple[Any, ...]]) -> dict[str, Fold]:
    """Return folds by projection, from columns of the projection, the id and the version."""
    return {projection: Fold(fold, projection, version) for projection, fold, version in found}


def output_values(o: SavedOutput) -> tuple[Any, ...]:
    """Return what is stored of an output; the store numbers it."""
    body = canonical(o.body)
    return o.id, o.projection, o.partnership, o.kind, body, o.cause_index, o.version


# --- what may be damaged -------------------------------------------------------------------------

UNKNOWN_TIME: Final = "1970-01-01T00:00:00Z"
"""When a partnership was quarantined, where the store no longer says it."""


def position_of(stored: object) -> int:
    """Return a stored position; `NOTHING` if it is damaged, so that the next save is refused.

    A runner then looks for damage (see `Views.damage`).
    """
    return stored if _is_number(stored, 0) else NOTHING


class StoredRecord(NamedTuple):
    """A record of a quarantine as it is read, and what is damaged in it."""

    record: Quarantined
    damage: Damage | None = None


def record_of(row: tuple[Any, ...]) -> StoredRecord:
    """Return a stored record, from its columns and the index of the partnership's last event.

    A damaged one says that the partnership is to be folded anew, which ends its quarantine or
    begins it again.
    """
    *columns, last = row
    record = Quarantined(*columns)
    newest = NOTHING if last is None else last
    wrong = [
        f"{name} is {value!r}"
        for name, value in zip(_RIGHT, columns[1:], strict=True)
        if not _RIGHT[name](value)
    ]
    if not wrong and record.newest > newest:
        wrong = [f"newest is {record.newest}"]
    if not wrong:
        return StoredRecord(replace(record, anew=bool(record.anew)))
    name, stored = record.partnership, ", ".join(wrong)
    damage = Damage(name, "quarantine", stored, None if last is None else "a record of a failure")
    projection = columns[1] if _is_text(columns[1]) else ALL_PROJECTIONS
    since = record.since if _is_moment(record.since) else UNKNOWN_TIME
    found = Quarantined(
        name, projection, 0, damage.detail, since, "", 0, UNKNOWN_TIME, newest, anew=True
    )
    return StoredRecord(found, damage)


def _is_number(value: object, least: int) -> TypeGuard[int]:
    return type(value) is int and value >= least


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_moment(value: object) -> bool:
    try:
        stored_moment(value)  # type: ignore[arg-type] # which is to be found out
    except (ValueError, TypeError, AttributeError):
        return False
    return True


_RIGHT: Final[dict[str, Callable[[object], bool]]] = {
    "projection": _is_text,
    "idx": lambda value: _is_number(value, 0),
    "error": _is_text,
    "since": _is_moment,
    "release": _is_text,
    "tries": lambda value: _is_number(value, 0),
    "retry_at": _is_moment,
    "newest": lambda value: _is_number(value, NOTHING),
    "anew": lambda value: value in (0, 1),
}
"""Whether a value can be in a column of a quarantine; the columns in order, behind the name."""


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
        self, projection: str, partnership: str, keys: KeyRange, limit: int
    ) -> list[StoredRow]:
        """Return the next `limit` rows in a range of keys."""

    def select(  # noqa: PLR0913, PLR0917 - a range of keys
        self,
        projection: str,
        partnership: str,
        prefix: str = "",
        after: str = "",
        limit: int | None = None,
        before: str | None = None,
    ) -> Iterator[tuple[str, Row]]:
        end = min(prefix + LAST, before or LAST)

        def read(last: str, size: int) -> list[StoredRow]:
            return self.page(projection, partnership, KeyRange(prefix, end, last), size)

        stored = by_name(read, after, limit)
        return ((key, read_row(partnership, projection, key, body)) for key, body, _ in stored)

    def stored_rows(self, projection: str, partnership: str) -> Iterator[StoredRow]:
        def read(last: str, size: int) -> list[StoredRow]:
            return self.page(projection, partnership, KeyRange("", LAST, last), size)

        return by_name(read)

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
