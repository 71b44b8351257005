"""Compare two checkouts in one run: ``python -m benchmarks.commits OTHER_CHECKOUT``.

In every round both run on the feed that they make of the same seed, in the words of their commit,
each in a process of its own and one after the other, so that the load of the machine meets both
alike. Printed are the medians of the rounds. Rates by CPU
time leave out what other processes take, and the disk.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from benchmarks.rates import say, table

HERE = Path(__file__).parents[1]

MEASURE = """
import json, sys
from pathlib import Path
from benchmarks import ours
from benchmarks.feed import feed
from benchmarks.rates import took

lines, path = [*feed(int(sys.argv[1]), int(sys.argv[2]))], Path(sys.argv[3])
with ours.store(path) as accord:
    seconds = {
        "ingest": took(lambda: ours.ingest(accord, lines)),
        "live folding": took(lambda: ours.catch_up(accord)),
    }
    accord.history.datastore.settle()
    size = path.stat().st_size
    seconds["rebuild"] = took(lambda: ours.rebuild(accord))
    events = accord.history.size()
found = {name: events / each.wall for name, each in seconds.items()}
found |= {f"{name}, by CPU time": events / each.cpu for name, each in seconds.items()}
print(json.dumps(found | {"bytes an event": size / events}))
"""
"""Run in both checkouts, so it rests on nothing but what `benchmarks` has in both."""


def measure(checkout: Path, lines: int, partnerships: int, folder: Path) -> dict[str, float]:
    """Run a checkout's own code on its feed; return events per second, and bytes per event."""
    store = folder / "accord.db"
    command = [sys.executable, "-c", MEASURE, str(lines), str(partnerships), str(store)]
    done = subprocess.run(  # noqa: S603 - our own interpreter
        command, cwd=checkout, capture_output=True, check=False, text=True
    )
    if done.returncode:
        raise RuntimeError(done.stderr)
    for each in folder.glob("accord.db*"):
        each.unlink()
    found: dict[str, float] = json.loads(done.stdout)
    return found


def compare(other: Path, lines: int, partnerships: int, rounds: int) -> str:
    """Run both checkouts in turn; return a table in Markdown."""
    found: dict[Path, list[dict[str, float]]] = {other: [], HERE: []}
    with tempfile.TemporaryDirectory() as folder:
        for number in range(rounds):
            # Each goes first in every second round.
            for checkout in (other, HERE) if number % 2 == 0 else (HERE, other):
                found[checkout].append(measure(checkout, lines, partnerships, Path(folder)))
                say(f"round {number + 1}: {checkout.name}: {found[checkout][-1]}")
    rows = []
    for name in found[HERE][0]:
        before = median(each[name] for each in found[other])
        now = median(each[name] for each in found[HERE])
        rows.append((f"{now / before:.2f}", name, f"{before:,.0f}", f"{now:,.0f}"))
    return f"{lines:,} lines of {partnerships:,} partnerships, {rounds} rounds.\n\n" + table(
        ("ratio", "events/s of", _commit(other), _commit(HERE)), rows
    )


def _commit(checkout: Path) -> str:
    command = ["git", "-C", str(checkout), "describe", "--always", "--dirty"]
    return subprocess.run(  # noqa: S603 - git
        command, capture_output=True, check=True, text=True
    ).stdout.strip()


def main(arguments: Sequence[str] | None = None) -> None:
    """Compare this checkout with another one, and print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.commits", description=__doc__)
    parser.add_argument("other", type=Path, help="a checkout of another commit")
    parser.add_argument("--lines", type=int, default=100_000)
    parser.add_argument("--partnerships", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args(arguments)
    print(compare(given.other.resolve(), given.lines, given.partnerships, given.rounds))


if __name__ == "__main__":
    main()
