"""The part of `Views` that needs only pages of rows and outputs."""

from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping
from functools import partial

import orjson

from infra.store.paging import by_name
from infra.store.records import Output, Row, Signal, Views


class ViewPages(Views):
    """The `Views` of this release's `versions` of the folds, on pages that a database reads."""

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
        return ((key, orjson.loads(body)) for key, body in stored)

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
