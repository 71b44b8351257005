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

    def admits(self, refusal: Refusal, instead_of: int | None = None) -> bool:
        """Return whether there is room for a refused input, and take the room.

        `instead_of` are the bytes of the kept input that it replaces, if it replaces one.
        """
        more = _Kept(1 if instead_of is None else 0, len(refusal.raw) - (instead_of or 0))
        mine = self._after(refusal.source, more)
        everything = self._after(None, more)
        limits = self._limits
        # One that replaces another and is no larger needs no room, even if a limit was lowered.
        if any(each > 0 for each in more) and (
            mine.number > limits.of_source
            or mine.size > limits.bytes_of_source
            or everything.number > limits.of_all
            or everything.size > limits.bytes_of_all
        ):
            return False
        self._kept |= {refusal.source: mine, None: everything}
        return True

    def _after(self, source: str | None, more: _Kept) -> _Kept:
        """Return what is kept of a source, or of all, with `more`."""
        if source not in self._kept:
            self._kept[source] = _Kept(*self._stored(source))
        kept = self._kept[source]
        return _Kept(kept.number + more.number, kept.size + more.size)
