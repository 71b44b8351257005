"""Which of a tool's figures count for a window: months before the quarter or year around them.

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

    A period counts unless a shorter one inside it does.
    """
    covered: set[str] = set()
    found = []
    for period in sorted(periods, key=lambda each: (len(months_of(each)), each)):
        months = months_of(period)
        if covered.isdisjoint(months):
            found.append(period)
            covered.update(months)
    return sorted(found, key=bounds)


def months_in(periods: Iterable[str]) -> int:
    """Return how many months these periods cover."""
    return sum(len(months_of(each)) for each in periods)
