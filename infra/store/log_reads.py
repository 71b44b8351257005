"""The reads of an `EventRecorder` that have the same SQL in both databases."""

from abc import abstractmethod
from typing import Any

from infra.store.mapper import PlacedEvent
from infra.store.paging import LAST


class LogReads:
    """Reads the events of one log, or of all streams below a name.

    A database gives the name of its table and its mark for a value.
    """

    table: str
    mark: str

    @abstractmethod
    def all_rows(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """Return all rows of one statement that reads."""

    def select_below(self, stream: str) -> list[PlacedEvent]:
        where = f"stream > {self.mark} AND stream < {self.mark} ORDER BY idx"
        return self.placed(where, f"{stream}/", f"{stream}/{LAST}")

    def select_place(self, position: int) -> tuple[str, int]:
        """Return the partnership and the index of the event at a position."""
        (found,) = self.all_rows(
            f"SELECT partnership, idx FROM {self.table} WHERE position = {self.mark}",  # noqa: S608 - only names and marks
            position,
        )
        return found[0], found[1]

    def select_log(self, partnership: str, start: int, stop: int) -> list[PlacedEvent]:
        return self.placed(self._of_log, partnership, start, stop)

    def select_entries(
        self, partnership: str, start: int, stop: int
    ) -> list[tuple[int, bytes, bytes]]:
        return self._log("idx, body, leaf", partnership, start, stop)

    def select_leaves(self, partnership: str, start: int, stop: int) -> list[bytes]:
        return [leaf for (leaf,) in self._log("leaf", partnership, start, stop)]

    def placed(self, where: str, *values: object) -> list[PlacedEvent]:
        """Return the events that a condition selects, in the order that it ends with."""
        statement = f"SELECT body, position + 1, idx FROM {self.table} WHERE {where}"  # noqa: S608 - marks
        return [PlacedEvent(*row) for row in self.all_rows(statement, *values)]

    def _log(self, columns: str, *values: object) -> list[tuple[Any, ...]]:
        statement = f"SELECT {columns} FROM {self.table} WHERE {self._of_log}"  # noqa: S608 - marks
        return self.all_rows(statement, *values)

    @property
    def _of_log(self) -> str:
        return (
            f"partnership = {self.mark} AND idx >= {self.mark} AND idx < {self.mark} ORDER BY idx"
        )
