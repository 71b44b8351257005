"""Reading a store in pages; no transaction stays open between two pages."""

import sys
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

T = TypeVar("T")
N = TypeVar("N", bound=tuple[Any, ...])
"""Something whose first value is its name."""

PAGE = 500
"""Events or rows read at a time."""

LAST = "\U0010ffff"
"""No character sorts behind this one, so a prefix and this end a range of keys."""


def by_index(read: Callable[[int, int], list[T]], start: int, stop: int | None) -> Iterator[T]:
    """Return what `read` finds from index `start` to before `stop`, a page at a time.

    Indexes have no gaps, so a range of them is a page, and a short page is the last.
    """
    end = sys.maxsize if stop is None else stop
    while start < end:
        page_end = min(start + PAGE, end)
        page = read(start, page_end)
        yield from page
        if len(page) < page_end - start:
            return
        start = page_end


def by_name(
    read: Callable[[str, int], list[N]], after: str = "", limit: int | None = None
) -> Iterator[N]:
    """Return at most `limit` of what `read` finds after a name, a page at a time."""
    left = limit
    while left is None or left > 0:
        size = PAGE if left is None else min(PAGE, left)
        page = read(after, size)
        yield from page
        if len(page) < size:
            return
        after = page[-1][0]
        left = None if left is None else left - size
