"""What the views in both databases have in common."""

from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any

from infra.store.paging import by_name
from infra.store.records import Fold, OtherFold, Output, Row, Signal, Views, read_row
from infra.tlog.codec import canonical

SWEPT = 10_000
"""Rows deleted in one transaction, so that other writers need not wait long."""


def by_projection(found: Iterable[tuple[Any, ...]]) -> dict[str, Fold]:
    """Return folds by projection, from columns of the projection, the id and the version."""
    return {projection: Fold(fold, projection, version) for projection, fold, version in found}


def output_values(o: Output) -> tuple[Any, ...]:
    """Return what is stored of an output; the store numbers it."""
    body = canonical(o.body)
    return o.id, o.projection, o.partnership, o.kind, body, o.cause_index, o.version


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
    ) -> list[Output]:
        return [each.read() for each in self.stored_outputs(after, limit, partnership)]

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
