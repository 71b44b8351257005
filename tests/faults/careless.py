"""The command `accord` with a projector that folds what comes, even if it was folded before.

The check of the faults has to find it out: see `test_faults.py`.
"""

from collections.abc import Iterable

from consumers.command import main
from infra.projecting import backlog, runner
from infra.projecting.backlog import Backlog
from infra.projecting.row_cache import RowCache
from infra.store.history import NOTHING, History


class CarelessRows(RowCache):
    """A cache of rows that ignores how far a partnership was folded."""

    def positions(self, partnerships: Iterable[str]) -> dict[str, int]:
        return dict.fromkeys(partnerships, NOTHING)


class CarelessBacklog(Backlog):
    """A backlog that begins at the first event again."""

    def complete(self, history: History, position: int) -> None:  # noqa: ARG002 - ignored, carelessly
        super().complete(history, NOTHING)


def be_careless() -> None:
    """Have every runner of this process fold again what was folded."""
    vars(runner)["RowCache"] = CarelessRows
    vars(backlog)["Backlog"] = CarelessBacklog


if __name__ == "__main__":
    be_careless()
    main()
