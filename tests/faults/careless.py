"""The command `accord`, but a projector that folds whatever comes, folded before or not.

It is what the check of the faults has to see: see `test_faults.py`.
"""

from collections.abc import Iterator

from consumers.command import main
from domain.recorded import Recorded
from infra.projecting import runner


class Careless(runner._Fold):
    """One projection, folded without looking at how far it was folded."""

    def _following(self, _: str, events: list[Recorded], __: int) -> Iterator[Recorded]:
        yield from events


if __name__ == "__main__":
    runner._Fold = Careless  # type: ignore[misc]
    main()
