"""The command `accord` with a projector that folds what comes, even if it was folded before.

The check of the faults has to find it out: see `test_faults.py`.
"""

from collections.abc import Iterable, Sequence

from consumers import projector
from consumers.command import main
from domain.recorded import Recorded
from infra.projecting.runner import Runner
from infra.store.history import NOTHING


class Careless(Runner):
    """A runner that ignores how far a partnership was folded."""

    def _positions(self, partnerships: Iterable[str]) -> dict[str, int]:
        return dict.fromkeys(partnerships, NOTHING)

    def _following(self, _: str, events: Sequence[Recorded], __: int) -> list[Recorded]:
        return list(events)


if __name__ == "__main__":
    vars(projector)["Runner"] = Careless
    main()
