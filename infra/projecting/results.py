"""The result of folding some partnerships, and what of it is saved."""

from collections.abc import Sequence
from typing import NamedTuple

from infra.projecting.backlog import Backlog
from infra.store.history import NOTHING
from infra.store.views import Fold, Row, SavedOutput
from projections.fold import Folded, Projection


class FoldResult(NamedTuple):
    """The result of folding one partnership: its position before and after, and what changed."""

    backlog: Backlog
    before: int
    after: int
    folded: Sequence[Folded]
    """The rows and outputs of each projection, by its place."""
    is_anew: bool = False
    """Whether it was folded from its first event, in place of its saved rows."""

    @property
    def name(self) -> str:
        """The partnership."""
        return self.backlog.name

    @property
    def start(self) -> int:
        """The position from which it was folded."""
        return NOTHING if self.is_anew else self.before


def positions(results: Sequence[FoldResult]) -> dict[str, tuple[int, int]]:
    """Return the positions of those that moved, before and after."""
    return {each.name: (each.start, each.after) for each in results if each.after != each.start}


def rows(
    projections: Sequence[Projection], folds: Sequence[Fold], results: Sequence[FoldResult]
) -> list[tuple[int, str, str, Row | None]]:
    """Return the changed rows, in the store's order."""
    return [
        (
            fold.id,
            each.name,
            key,
            None
            if (row := each.folded[place].rows.get(key)) is None
            else projection.dump(key, row),
        )
        for place, (projection, fold) in enumerate(zip(projections, folds, strict=True))
        for each in results
        for key in sorted(each.folded[place].changed)
    ]


def outputs(projections: Sequence[Projection], results: Sequence[FoldResult]) -> list[SavedOutput]:
    """Return the outputs."""
    return [
        SavedOutput(
            output.id,
            projection.name,
            each.name,
            output.kind,
            projection.dump(output.id, output.body),
            index,
            version=projection.version,
        )
        for each in results
        for projection, folded in zip(projections, each.folded, strict=True)
        for output, index in folded.outputs
    ]
