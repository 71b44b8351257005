"""How fast each contender was, round by round, and how that is printed."""

import argparse
import gc
import sys
from collections import defaultdict
from collections.abc import Callable, Sequence
from statistics import median
from time import perf_counter, process_time
from typing import NamedTuple


class Took(NamedTuple):
    """Seconds that something took: those that passed, and those that it ran on any core."""

    wall: float
    cpu: float


def took(work: Callable[[], object]) -> Took:
    """Do `work`; give the seconds that it took."""
    gc.collect()
    # What was prepared before is not the work's own, so it need not look through it.
    gc.freeze()
    start, ran = perf_counter(), process_time()
    work()
    seconds = Took(perf_counter() - start, process_time() - ran)
    gc.unfreeze()
    return seconds


class Rates:
    """How many each contender handled in a second, a figure for each round."""

    def __init__(self, unit: str = "/s") -> None:
        self._unit = unit
        self.rounds: dict[str, list[float]] = defaultdict(list)

    def time(self, name: str, work: Callable[[], object], count: Callable[[], int]) -> None:
        """Time `work`; once it is done, `count` gives how many events it handled."""
        seconds = took(work).wall
        self.add(name, count(), seconds)

    def add(self, name: str, events: int, seconds: float) -> None:
        """Note that a contender handled so many events in so many seconds."""
        self.rounds[name].append(events / seconds)
        say(f"{name}: {self.rounds[name][-1]:,.0f}{self._unit}")

    def rate(self, name: str) -> float:
        """Return events per second, the median of the rounds."""
        return median(self.rounds[name])

    def ratio(self, one: str, other: str) -> float:
        """Return how many times as fast one is as the other, the median of the rounds."""
        pairs = zip(self.rounds[one], self.rounds[other], strict=False)
        return median(first / second for first, second in pairs)


def say(text: str) -> None:
    """Tell whoever waits how far it is."""
    print(text, file=sys.stderr)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return rows under a head as a table of Markdown, its first column of numbers."""
    ruled = [head, ["---:", *["---"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in ruled)


def asked(program: str, about: str | None, arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read how a benchmark was asked for: whole or `quick`, in tables or as `json`."""
    parser = argparse.ArgumentParser(prog=program, description=about)
    parser.add_argument("--quick", action="store_true", help="a small run that shows it works")
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    return parser.parse_args(arguments)
