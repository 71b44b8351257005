"""How many refused inputs are kept, so that one sender cannot fill the store."""

from collections.abc import Callable
from typing import NamedTuple

from infra.settings import RefusalLimits
from infra.store.history import Refusal


class _Kept(NamedTuple):
    """Refused inputs that are kept: how many, and their bytes."""

    number: int
    size: int


class RefusalQuota:
    """Decides for one batch which of its refused inputs are kept.

    `stored` returns how many open refusals the store has of a source, or of all (None), and the
    bytes of their inputs.
    """

    def __init__(
        self,
        stored: Callable[[str | None], tuple[int, int]] = lambda _: (0, 0),
        limits: RefusalLimits = RefusalLimits(),  # noqa: B008 - frozen
    ) -> None:
        self._stored = stored
        self._limits = limits
        self._kept: dict[str | None, _Kept] = {}

    def admits(self, refusal: Refusal) -> bool:
        """Return whether there is room for a refused input, and take the room."""
        size = len(refusal.raw)
        mine = self._after(refusal.source, size)
        everything = self._after(None, size)
        limits = self._limits
        if (
            mine.number > limits.of_source
            or mine.size > limits.bytes_of_source
            or everything.number > limits.of_all
        ):
            return False
        self._kept |= {refusal.source: mine, None: everything}
        return True

    def _after(self, source: str | None, size: int) -> _Kept:
        """Return what is kept of a source, or of all, with another input of this size."""
        if source not in self._kept:
            self._kept[source] = _Kept(*self._stored(source))
        kept = self._kept[source]
        return _Kept(kept.number + 1, kept.size + size)
