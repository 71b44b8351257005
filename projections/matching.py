"""Partners that one might bring together: the best few matches of each partnership (C28).

Two partnerships match if their partners were sought for the same clients or are in the same
market. All pairs of a large portfolio are too many to look at, so partnerships are found by an
index: under each set of one, two or three things, the first partnerships that have all of them.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import NamedTuple

from domain.described import described

BEST = 3
"""The number of matches for each partnership."""

DEEPEST = 3
"""The number of shared traits that count at most."""

MOST_THINGS = 12
"""The number of rarest traits of a partnership that are looked up: at most 298 sets."""


class Thing(NamedTuple):
    """A trait that two partnerships can share."""

    kind: str
    name: str


@dataclass(frozen=True, slots=True)
class Matched:
    """What matching reads of an active partnership."""

    id: str
    partner: str
    segments: frozenset[str]
    markets: frozenset[str]
    brings: str | None = None
    """What the partner contributes, if a joint investment recorded it."""

    @property
    def things(self) -> Iterator[Thing]:
        """Yield the client segments and the markets of the partnership."""
        yield from (Thing("segment", each) for each in self.segments)
        yield from (Thing("market", each) for each in self.markets)


@described
@dataclass(frozen=True, slots=True)
class Match:
    """Two partnerships whose partners could be introduced, and the traits that they share."""

    of: tuple[str, str]
    """The two partners that are compared."""
    shared_segments: tuple[str, ...]
    """The segments that both serve."""
    shared_markets: tuple[str, ...]
    """The markets that both serve."""
    brings: Mapping[str, str]
    """What the partner of each contributes, if a joint investment recorded it."""


def matches(among: Iterable[Matched]) -> tuple[Match, ...]:
    """Return the best matches of each partnership, each pair once: at most `BEST` for each.

    The more they have in common (up to `DEEPEST` things), the better; of equal matches, the one
    whose identifier comes first. One partnership of each other partner is considered: the first
    by identifier among those that have the most in common. The pairs are in that order, too.
    """
    index = _Index(sorted(among, key=lambda each: each.id))
    pairs = {
        (one.id, other.id) if one.id < other.id else (other.id, one.id): (one, other)
        for one in index.all
        for other in index.best(one)
    }
    found = [_match(*sorted(pair, key=lambda each: each.id)) for pair in pairs.values()]
    return tuple(sorted(found, key=lambda each: (-_strength(each), each.of)))


def _match(one: Matched, other: Matched) -> Match:
    return Match(
        (one.id, other.id),
        tuple(sorted(one.segments & other.segments)),
        tuple(sorted(one.markets & other.markets)),
        {each.id: each.brings for each in (one, other) if each.brings},
    )


def _strength(match: Match) -> int:
    return min(len(match.shared_segments) + len(match.shared_markets), DEEPEST)


class _Index:
    """An index from sets of traits to the first few partnerships that have them.

    Each set keeps the first partnership of `BEST` + 1 partners. That is enough: at most `BEST` - 1
    better matches and one partnership with the same partner can precede one of the best matches.
    """

    def __init__(self, all_by_id: Sequence[Matched]) -> None:
        self.all = all_by_id
        counts = Counter(thing for each in all_by_id for thing in each.things)
        self._things = {
            each.id: sorted(
                sorted(
                    (thing for thing in each.things if counts[thing] > 1),
                    key=lambda thing: (counts[thing], thing),
                )[:MOST_THINGS]
            )
            for each in all_by_id
        }
        self._first: dict[tuple[Thing, ...], dict[str, Matched]] = {}
        for each in all_by_id:
            for size in range(1, DEEPEST + 1):
                for things in combinations(self._things[each.id], size):
                    first = self._first.setdefault(things, {})
                    if len(first) <= BEST:
                        first.setdefault(each.partner, each)

    def best(self, one: Matched) -> list[Matched]:
        """Return the best matches of a partnership."""
        best: dict[str, Matched] = {}
        for size in range(DEEPEST, 0, -1):
            found: dict[str, Matched] = {}
            for things in combinations(self._things[one.id], size):
                for partner, other in self._first[things].items():
                    if partner == one.partner or partner in best:
                        continue
                    if partner not in found or other.id < found[partner].id:
                        found[partner] = other
            for other in sorted(found.values(), key=lambda each: each.id):
                best[other.partner] = other
                if len(best) == BEST:
                    return list(best.values())
        return list(best.values())
