"""Many random lives against the product: `make money-laws` runs 5,000 of them.

Each life is recorded in its own order, and in three other orders of arrival, of which one has no
clock before its end. The final lines of each must be those of the model, to the cent.
"""

import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from os import cpu_count
from typing import NamedTuple

from tests.model import adapter
from tests.model.adapter import Lines, Product
from tests.model.facts import Fact, StatementIssued
from tests.model.lives import PARTIES, life, permuted, seeded
from tests.model.owed import owed

ORDERS = 3
LIVES = 5000
FIRST_SEED = 100_000
SIZES = (2, 4, 6, 6, 8, 12)
"""About how many deals a life has; lives take the sizes in turn."""


class Judged(NamedTuple):
    """What the comparison of a life came to."""

    seed: int
    facts: int
    lines: int
    orders: int
    difference: str
    """What differs, as a person reads it; empty if nothing does."""


def size_of(seed: int) -> int:
    """Return the size of the life of a seed."""
    return SIZES[seed % len(SIZES)]


def lived(seed: int, size: int, *, harder: bool = False) -> list[Fact]:
    """Return a life that both the model and the product can record."""
    facts = life(seed, size, harder=harder)
    stated = [each.recorded_at for each in facts if isinstance(each, StatementIssued)]
    return adapter.with_statements(adapter.told(facts), min(stated, default=None))


def arrivals(facts: Sequence[Fact], seed: int) -> Iterator[tuple[Sequence[Fact], bool]]:
    """Yield a life and other orders of its arrival, and whether the clock goes along."""
    yield facts, True
    for place, each in enumerate(permuted(facts, seeded(seed), ORDERS)):
        yield each, place > 0


def judge(seed: int, size: int | None = None, *, harder: bool | None = None) -> Judged:
    """Compare the product with the model over one life in all its orders of arrival.

    Without `harder`, the lives of odd seeds are.
    """
    is_harder = bool(seed % 2) if harder is None else harder
    facts = lived(seed, size or size_of(seed), harder=is_harder)
    model = adapter.lines_of_model(owed(facts, PARTIES))
    orders = 0
    for arrival, clock in arrivals(facts, seed):
        orders += 1
        product = adapter.recorded_life(arrival, clock=clock)
        if difference := compared(seed, arrival, product, model):
            return Judged(seed, len(facts), len(model), orders, difference)
    return Judged(seed, len(facts), len(model), orders, "")


def compared(seed: int, facts: Sequence[Fact], product: Product, model: Lines) -> str:
    """Return how a product's lines differ from the model's; empty if they are equal."""
    lines = adapter.lines_of_product(product)
    return "" if lines == model else adapter.explained(seed, facts, lines, model)


def _print(text: str) -> None:
    sys.stdout.write(f"{text}\n")


def main(lives: int = LIVES) -> int:
    """Judge lives on all cores, and print what it came to. Return 1 if any differs."""
    begun = time.monotonic()
    found: list[Judged] = []
    with ProcessPoolExecutor(cpu_count()) as pool:
        for each in pool.map(judge, range(FIRST_SEED, FIRST_SEED + lives), chunksize=10):
            found.append(each)
            if each.difference:
                _print(each.difference + "\n")
    wrong = [each.seed for each in found if each.difference]
    _print(
        f"{len(found)} lives, {sum(each.facts for each in found)} facts, "
        f"{sum(each.lines for each in found)} lines, {sum(each.orders for each in found)} orders, "
        f"{len(wrong)} mismatches, {time.monotonic() - begun:.0f} seconds"
    )
    if wrong:
        _print(f"seeds that differ: {wrong}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
