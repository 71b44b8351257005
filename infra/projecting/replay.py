"""Folds the history of one partnership in memory, from its first event and without saved rows."""

from collections.abc import Iterable, Sequence
from functools import cache
from itertools import islice
from typing import NamedTuple

from domain.recorded import Recorded
from infra.projecting.backlog import Failure, failure_of, read
from infra.store.history import NOTHING, History
from projections.fold import Dispatch, Folded, FoldFailed, Projection, fold_all

PAGE = 4000
"""Events folded at a time; fewer take less memory."""


class Replayed:
    """Several projections folded from one partnership's history, and its last index."""

    def __init__(self, projections: Sequence[Projection]) -> None:
        self.folded = [(projection, Folded()) for projection in projections]
        self.last = NOTHING


def replay_all(projections: Sequence[Projection], events: Iterable[Recorded]) -> Replayed:
    """Fold a partnership's history in memory, reading it once."""
    replayed, dispatch = Replayed(projections), _dispatch(tuple(projections))
    folded = [each for _, each in replayed.folded]
    rest = iter(events)
    while page := list(islice(rest, PAGE)):
        fold_all(dispatch, folded, page)
        replayed.last = page[-1].index
    return replayed


class ReplayedUntil(NamedTuple):
    """A partnership folded as far as possible, and the event that ended that, if one did."""

    folded: Sequence[Folded]
    last: int
    failure: Failure | None


def replay_until(
    history: History, projections: Sequence[Projection], partnership: str, stop: int
) -> ReplayedUntil:
    """Fold a partnership's events before index `stop` in memory, or those before one that fails."""
    dispatch = _dispatch(tuple(projections))
    failed: Failure | None = None
    while True:
        folded = [Folded() for _ in projections]
        start, unreadable = 0, None
        try:
            while start < stop and unreadable is None:
                events, unreadable = read(history, partnership, start, min(start + PAGE, stop))
                fold_all(dispatch, folded, events)
                start += len(events)
                if not events:
                    break
        except FoldFailed as error:
            # The rows have the effect of a part of that event, so they are folded once more.
            failed, stop = failure_of(error), error.index
        else:
            return ReplayedUntil(folded, start - 1, unreadable or failed)


@cache
def _dispatch(projections: tuple[Projection, ...]) -> Dispatch:
    return Dispatch(projections)
