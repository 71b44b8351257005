"""What is computed of each partnership, and reused until its log or its views change.

An answer about all partnerships is made of a part for each. A part depends on what was asked, on
the events of its partnership and on the rows that are folded from them, and on nothing else. So a
process computes it once, and again when an event is recorded, when one is folded, or when the
partnership is quarantined or released. Nothing of it is stored: a process begins without any.
"""

from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import NamedTuple, TypeVar

from infra.bootstrap import Accord
from infra.store.history import Head
from infra.store.views import LIVE, Quarantined

T = TypeVar("T")


class _State(NamedTuple):
    """What the part of a partnership is computed from; it changes whenever that does."""

    head: Head
    position: int | None
    quarantined: Quarantined | None
    folds: frozenset[int]


def of_each(
    accord: Accord,
    names: Iterable[str],
    asked: Hashable,
    compute: Callable[[list[str]], Iterable[tuple[str, T]]],
    still: Callable[[T], bool] = lambda part: True,  # noqa: ARG005 - of any part
) -> Iterator[tuple[str, T]]:
    """Yield the part of each of these partnerships that has one, in their order.

    `asked` tells the parts of one question from those of others. `compute` returns the parts of
    partnerships that are not known yet, and `still` whether a kept part is right at this moment.
    Raises what they raise.
    """
    wanted = list(names)
    # States are read first: a part that is computed from a later one is computed again.
    states = _states(accord, wanted)
    found: dict[str, T] = {}
    for name, state in states.items():
        part = accord.computed.get((asked, name), state)
        if part is not None and still(part):
            found[name] = part
    missing = [name for name in wanted if name not in found]
    for name, part in compute(missing) if missing else ():
        found[name] = part
        if name in states:
            accord.computed.add((asked, name), states[name], part)
    return ((name, found[name]) for name in wanted if name in found)


def _states(accord: Accord, names: list[str]) -> dict[str, _State]:
    views = accord.views
    folds = frozenset(each.id for each in views.folds().values())
    quarantined = views.quarantined()
    positions = views.track_positions(LIVE, names)
    return {
        name: _State(head, positions.get(name), quarantined.get(name), folds)
        for name, head in accord.history.heads(names).items()
    }
