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

    `stored` returns how many open refusals the store has of a party (None: of all) and of one of
    its sources (None: of all), and the bytes of their inputs.
    """

    def __init__(
        self,
        stored: Callable[[str | None, str | None], tuple[int, int]] = lambda *_: (0, 0),
        limits: RefusalLimits = RefusalLimits(),  # noqa: B008 - frozen
    ) -> None:
        self._stored = stored
        self._limits = limits
        self._kept: dict[_Owner, _Kept] = {}

    def admits(self, refusal: Refusal, instead_of: int | None = None) -> bool:
        """Return whether there is room for a refused input, and take the room.

        `instead_of` are the bytes of the kept input that it replaces, if it replaces one.
        """
        more = _Kept(1 if instead_of is None else 0, len(refusal.raw) - (instead_of or 0))
        limits = self._limits
        most: dict[_Owner, _Kept] = {
            (refusal.party, refusal.source): _Kept(limits.of_source, limits.bytes_of_source),
            (refusal.party, None): _Kept(limits.of_party, limits.bytes_of_party),
            (None, None): _Kept(limits.of_all, limits.bytes_of_all),
        }
        after = {owner: self._after(owner, more) for owner in most}
        # One that replaces another and is no larger needs no room, even if a limit was lowered.
        if any(each > 0 for each in more) and any(
            kept.number > most[owner].number or kept.size > most[owner].size
            for owner, kept in after.items()
        ):
            return False
        self._kept |= after
        return True

    def _after(self, owner: "_Owner", more: _Kept) -> _Kept:
        """Return what is kept of an owner, with `more`."""
        if owner not in self._kept:
            self._kept[owner] = _Kept(*self._stored(*owner))
        kept = self._kept[owner]
        return _Kept(kept.number + more.number, kept.size + more.size)


_Owner = tuple[str | None, str | None]
"""Whose refused inputs are counted: a party and one of its sources, a party, or all."""
