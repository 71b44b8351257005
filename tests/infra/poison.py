"""A release with a projection that fails at one event, put together as every release is."""

from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

from domain.recorded import Recorded
from infra.projecting import quarantine, replay
from projections.fold import Change, Projection, Rows


@contextmanager
def release(name: str) -> Iterator[None]:
    """Everything is folded by the release of this name."""
    with patch.object(quarantine, "release_of", lambda _: name):
        yield


class Poison:
    """The number of times that the event was tried."""

    tried = 0


@contextmanager
def poisoned(projection: Projection, partnership: str, index: int) -> Iterator[Poison]:
    """The projection raises an error at one event of a partnership, wherever it is folded."""
    sound, poison = projection.apply, Poison()

    def apply(rows: Rows, recorded: Recorded) -> Change:
        if (recorded.partnership, recorded.index) == (partnership, index):
            poison.tried += 1
            raise ZeroDivisionError("injected\nfault")
        return sound(rows, recorded)

    with release("faulty"):
        # The class is frozen, and all of the program has this object.
        object.__setattr__(projection, "apply", apply)
        replay._dispatch.cache_clear()
        try:
            yield poison
        finally:
            object.__setattr__(projection, "apply", sound)
            replay._dispatch.cache_clear()
