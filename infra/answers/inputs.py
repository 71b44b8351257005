"""Which inputs a viewer sees of those that were refused or that wait: a party, its own."""

from collections.abc import Callable, Sequence
from typing import Final, Protocol, TypeVar

from infra.store.history import Refusal, Waiting
from projections.visibility import Viewer

I = TypeVar("I", Refusal, Waiting)  # noqa: E741 - an input

PAGE: Final = 1000
"""Inputs that are read at a time."""


def sent_by(viewer: Viewer, read: Callable[[int], Sequence[I]], after: int, limit: int) -> list[I]:
    """Return the first inputs after a number that a viewer sees, at most `limit`.

    `read` returns the next inputs after a number, at most `PAGE`. An input is of the party that
    sent it. One of which the party is not known is shown to the operator alone.
    """
    found: list[I] = []
    while len(found) < limit and (page := read(after)):
        found += [each for each in page if sees(viewer, each)]
        after = page[-1].number
    return found[:limit]


class Sent(Protocol):
    """An input, and who sent it."""

    @property
    def party(self) -> str | None:
        """The party."""

    @property
    def person(self) -> str | None:
        """The person or the service."""


def sender(each: Sent) -> str:
    """Return who sent an input, in words: ``north (nils)``."""
    return f"{each.party} ({each.person})" if each.person else f"{each.party}"


def sees(viewer: Viewer, each: Refusal | Waiting) -> bool:
    """Whether a viewer sees an input, by the party and the partnership that the input names."""
    about = each.subject if isinstance(each, Refusal) else each.partnership
    if viewer.partnerships is not None and about not in viewer.partnerships:
        return False
    return viewer.party is None or each.party == viewer.party
