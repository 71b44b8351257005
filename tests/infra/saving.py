"""How tests save rows without folding events."""

from collections.abc import Mapping, Sequence

from infra.store.history import Key
from infra.store.views import Row, Saved, SavedOutput, Views
from projections import VERSIONS


def saved(
    views: Views,
    projection: str,
    positions: Mapping[str, tuple[int, int]],
    rows: Mapping[Key, Row | None] | None = None,
    outputs: Sequence[SavedOutput] = (),
) -> Saved:
    """Return rows of one live projection, by partnership and key, as they are saved."""
    folds = views.begin(VERSIONS)
    stored = [(folds[projection].id, *key, row) for key, row in (rows or {}).items()]
    return Saved([fold.id for fold in folds.values()], positions, stored, outputs)
