"""The command `accord` with a projector that folds and counts what comes, even if it knows it.

The check of the faults has to find it out: see `test_faults.py`.
"""

from collections.abc import Iterable

from consumers.command import main
from infra.projecting import backlog, runner
from infra.projecting.backlog import Backlog
from infra.projecting.row_cache import RowCache
from infra.store.history import NOTHING, History
from projections.counted import NO_FACTS, DealChange


class CarelessRows(RowCache):
    """A cache of rows that ignores how far a partnership was folded."""

    def positions(self, partnerships: Iterable[str]) -> dict[str, int]:
        return dict.fromkeys(partnerships, NOTHING)


class CarelessBacklog(Backlog):
    """A backlog that begins at the first event again."""

    def complete(self, history: History, position: int) -> None:  # noqa: ARG002 - ignored, carelessly
        super().complete(history, NOTHING)


def be_careless() -> None:
    """Have every runner of this process fold again what was folded, and count each fact again."""
    vars(runner)["RowCache"] = CarelessRows
    vars(backlog)["Backlog"] = CarelessBacklog
    by = DealChange.by
    # A fact that is known counts once, so folding it again alone would spoil no figure of a deal.
    forgetful = staticmethod(lambda _, recorded: by(NO_FACTS, recorded))
    DealChange.by = forgetful  # type: ignore[assignment, method-assign]


if __name__ == "__main__":
    be_careless()
    main()
