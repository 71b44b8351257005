"""Which of a tool's figures count for a window: its months, or the quarter or year around them.

A figure of the whole counts before the sum of its segments, in each period by itself. What one
tool reports is never added to what another reports.
"""

from collections.abc import Iterable
from functools import lru_cache

from domain.calendar import bounds, months_of, quarter_of


@lru_cache(maxsize=4096)
def periods_within(months: tuple[str, ...]) -> tuple[str, ...]:
    """Return the months, quarters and years inside consecutive months, the shorter ones first."""
    known = frozenset(months)
    longer = (*map(quarter_of, months), *(each[:4] for each in months))
    whole = (each for each in dict.fromkeys(longer) if known.issuperset(months_of(each)))
    return (*months, *whole)


def standing(periods: Iterable[str]) -> list[str]:
    """Return those of the reported periods that count, in the order of time.

    A quarter or a year counts until shorter periods inside it cover all of its months: what is
    reported of one month says nothing of the others. Then the shorter ones count instead.
    """
    known = {period: frozenset(months_of(period)) for period in periods}
    taken: frozenset[str] = frozenset()
    found = []
    for period, months in sorted(known.items(), key=lambda each: (-len(each[1]), each[0])):
        inside = (each for each in known.values() if each < months)
        if taken.isdisjoint(months) and frozenset().union(*inside) != months:
            found.append(period)
            taken |= months
    return sorted(found, key=bounds)


def months_in(periods: Iterable[str]) -> int:
    """Return how many months these periods cover."""
    return sum(len(months_of(each)) for each in periods)
