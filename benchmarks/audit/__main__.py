"""Measure what the verifiable log costs: ``make bench-audit``.

Every round runs all contenders one after the other on the same events; what is printed are medians
of the rounds.
"""

import json
import os
import platform
import sqlite3
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import ours
from benchmarks.audit import appending, proofs, verifying
from benchmarks.audit.verifying import PARTNERSHIP, Bundle
from benchmarks.feed import feed
from benchmarks.rates import Rates, asked, say, table

RATIOS = (
    (appending.APPEND_HASHED, appending.APPEND_OFF, "0.8 or more"),
    (appending.APPEND_ON, appending.APPEND_OFF, "0.8 or more"),
    (appending.INGEST_HASHED, appending.INGEST_OFF, "0.8 or more"),
    (appending.INGEST_ON, appending.INGEST_OFF, "0.8 or more"),
    *((name, proofs.plain(name), "") for name in proofs.NAMES),
)
"""What is set beside what, and what is aimed at."""


@dataclass(frozen=True)
class Scale:
    """How much is measured."""

    lines: int
    partnerships: int
    """Of the feed that is appended with the log on and off."""
    rounds: int
    log: int
    """Lines of the one partnership of which proofs are made."""
    proofs: int
    leaves: tuple[int, ...]
    """Sizes of the logs whose proofs are weighed."""


FULL = Scale(100_000, 1000, 5, 100_000, 2000, (100_000, 1_000_000))
QUICK = Scale(600, 6, 1, 600, 20, (1000, 10_000))


def measure(scale: Scale) -> dict[str, Any]:
    """Measure everything at this scale; give all that there is to print."""
    rates = Rates()
    events = _append(rates, scale)
    with tempfile.TemporaryDirectory() as folder:
        say("a log is recorded")
        _prove(rates, verifying.made(Path(folder, "log"), scale.log, signing=False), scale)
    return {
        "machine": {
            "cores": os.cpu_count(),
            "python": platform.python_version(),
            "sqlite": sqlite3.sqlite_version,
        },
        "feed": {"lines": scale.lines, "partnerships": scale.partnerships, "events": events},
        "per_second": {name: round(rates.rate(name)) for name in rates.rounds},
        "ratios": [
            {"of": one, "to": other, "ratio": round(rates.ratio(one, other), 3), "aim": aim}
            for one, other, aim in RATIOS
        ],
        "lengths": [proofs.length(leaves) for leaves in scale.leaves],
    }


def _append(rates: Rates, scale: Scale) -> int:
    """Take in and append with the log on and off; give the number of events."""
    lines, events = list(feed(scale.lines, scale.partnerships)), 0
    for number in range(scale.rounds):
        say(f"appending, round {number + 1} of {scale.rounds}")
        with tempfile.TemporaryDirectory() as folder:
            events = appending.measure(rates, lines, Path(folder))
    return events


def _prove(rates: Rates, bundle: Bundle, scale: Scale) -> None:
    """Build and check proofs in the store out of which a bundle was handed."""
    with ours.store(bundle.store) as accord:
        leaves = list(accord.history.leaves(PARTNERSHIP))
        held = accord.signing().log(PARTNERSHIP)
        for number in range(scale.rounds):
            say(f"proofs, round {number + 1} of {scale.rounds}")
            proofs.measure(rates, held, leaves, scale.proofs)


# --- printing ------------------------------------------------------------------------------------


def show(found: dict[str, Any]) -> str:
    """Return what was measured as tables of Markdown."""
    machine, of = found["machine"], found["feed"]
    rates = [(f"{rate:,}", name) for name, rate in found["per_second"].items()]
    ratios = [(f"{r['ratio']:.3f}", r["of"], r["to"], r["aim"]) for r in found["ratios"]]
    lengths = [
        (
            f"{each['leaves']:,}",
            str(each["hashes"]),
            f"{each['bytes']:,}",
            f"under {proofs.LONGEST:,}",
        )
        for each in found["lengths"]
    ]
    return f"""\
{of["lines"]:,} lines of {of["partnerships"]:,} partnerships made {of["events"]:,} events.
{machine["cores"]} cores, Python {machine["python"]}, SQLite {machine["sqlite"]}.

{table(("events or proofs/s", "what"), rates)}

{table(("ratio", "of", "to", "aim"), ratios)}

{table(("leaves", "hashes", "bytes of a proof", "aim"), lengths)}"""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the benchmarks and print what came of them."""
    given = asked("python -m benchmarks.audit", __doc__, arguments)
    found = measure(QUICK if given.quick else FULL)
    print(json.dumps(found, indent=2) if given.json else show(found))


if __name__ == "__main__":
    main()
