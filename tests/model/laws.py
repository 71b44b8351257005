"""Many random lives against the product: `make money-laws` runs 5,000 of them.

Each life is recorded in its own order, and in three other orders of arrival, of which one has no
clock before its end. The final lines of each must be those of the model, to the cent.
"""

import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from os import cpu_count
from typing import NamedTuple

from tests.model import adapter
from tests.model.adapter import Lines, Product
from tests.model.coverage import EVERY_KIND, kinds_of
from tests.model.facts import Fact, StatementIssued
from tests.model.lives import PARTIES, life, permuted, seeded
from tests.model.owed import owed
from tests.model.statements import due_days

ORDERS = 3
LIVES = 5000
MANY = 1000
"""So many lives have every kind of fact and line."""
FIRST_SEED = 100_000
SIZES = (2, 4, 6, 6, 8, 12)
"""About how many deals a life has; lives take the sizes in turn."""


class Judged(NamedTuple):
    """What the comparison of a life came to."""

    seed: int
    facts: int
    lines: int
    orders: int
    kinds: Counter[str]
    """How often the life has each kind of fact and of line."""
    difference: str
    """What differs, as a person reads it; empty if nothing does."""


def size_of(seed: int) -> int:
    """Return the size of the life of a seed."""
    return SIZES[seed % len(SIZES)]


def lived(
    seed: int,
    size: int,
    *,
    harder: bool = False,
    fuller: bool = False,
    contested: bool = False,
    doubled: bool = False,
) -> list[Fact]:
    """Return a life that both the model and the product can record."""
    facts = life(seed, size, harder=harder, fuller=fuller, contested=contested, doubled=doubled)
    stated = [each.recorded_at for each in facts if isinstance(each, StatementIssued)]
    return adapter.with_statements(adapter.told(facts), min(stated, default=None))


def arrivals(facts: Sequence[Fact], seed: int) -> Iterator[tuple[Sequence[Fact], bool]]:
    """Yield a life and other orders of its arrival, and whether the clock goes along."""
    yield facts, True
    for place, each in enumerate(permuted(facts, seeded(seed), ORDERS)):
        yield each, place > 0


class Kind(NamedTuple):
    """Which rare stories a life has (see `life`)."""

    harder: bool = False
    fuller: bool = False
    contested: bool = False
    doubled: bool = False


def kind_of(seed: int) -> Kind:
    """Return the kind of the life of a seed: every 24 seeds have all kinds."""
    return Kind(seed % 2 == 1, seed % 4 > 1, seed % 8 > 3, seed % 3 == 0)


def judge(seed: int, size: int | None = None, kind: Kind | None = None) -> Judged:
    """Compare the product with the model over one life in all its orders of arrival."""
    chosen = kind or kind_of(seed)
    facts = lived(seed, size or size_of(seed), **chosen._asdict())
    lines = owed(facts, PARTIES)
    model = adapter.lines_of_model(lines)
    kinds = kinds_of(facts, lines)
    orders = 0
    for arrival, clock in arrivals(facts, seed):
        orders += 1
        product = adapter.recorded_life(arrival, clock=clock)
        if difference := compared(seed, arrival, product, model):
            return Judged(seed, len(facts), len(model), orders, kinds, difference)
    return Judged(seed, len(facts), len(model), orders, kinds, "")


def compared(seed: int, facts: Sequence[Fact], product: Product, model: Lines) -> str:
    """Return how a product's lines, accounts or due days differ from the model's; empty if none."""
    lines = adapter.lines_of_product(product)
    if lines != model:
        return adapter.explained(seed, facts, lines, model)
    stated = adapter.accounts_of_product(product)
    right = adapter.accounts_of_model(facts)
    if stated != right:
        return f"seed {seed}: accounts are {stated}, in the model {right}"
    due, rightly = adapter.due_of_product(product), due_days(facts, PARTIES)
    return "" if due == rightly else f"seed {seed}: due days are {due}, in the model {rightly}"


def _print(text: str) -> None:
    sys.stdout.write(f"{text}\n")


def table(found: Iterable[Judged]) -> str:
    """Return how many lives have each kind of fact and of line, and how many there are."""
    lives: Counter[str] = Counter()
    all_of: Counter[str] = Counter()
    for each in found:
        lives.update(each.kinds.keys())
        all_of.update(each.kinds)
    width = max(map(len, EVERY_KIND))
    rows = [f"{kind:{width}} {lives[kind]:6} {all_of[kind]:8}" for kind in EVERY_KIND]
    return "\n".join([f"{'kind':{width}} {'lives':>6} {'in all':>8}", *rows])


def main(lives: int = LIVES, processes: int | None = None) -> int:
    """Judge lives on all cores, and print what it came to.

    Return 1 if any differs, or if a kind of fact or line is in none of 1,000 lives or more.
    """
    begun = time.monotonic()
    found: list[Judged] = []
    with ProcessPoolExecutor(processes or cpu_count()) as pool:
        for each in pool.map(judge, range(FIRST_SEED, FIRST_SEED + lives), chunksize=10):
            found.append(each)
            if each.difference:
                _print(each.difference + "\n")
    wrong = [each.seed for each in found if each.difference]
    _print(table(found) + "\n")
    _print(
        f"{len(found)} lives, {sum(each.facts for each in found)} facts, "
        f"{sum(each.lines for each in found)} lines, {sum(each.orders for each in found)} orders, "
        f"{len(wrong)} mismatches, {time.monotonic() - begun:.0f} seconds"
    )
    if wrong:
        _print(f"seeds that differ: {wrong}")
    seen = set().union(*(each.kinds for each in found))
    missing = [kind for kind in EVERY_KIND if kind not in seen] if lives >= MANY else []
    if missing:
        _print(f"in no life: {missing}")
    return 1 if wrong or missing else 0


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
