"""Measure ingest, replay, rebuild and memory beside the plain limits: ``make bench``.

Every round runs all contenders one after the other on the same events, so that whatever else the
machine does meets them alike; what is printed are medians of the rounds.
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

from benchmarks import beside, memory, ours
from benchmarks.feed import feed
from benchmarks.rates import Rates, asked, say, table
from infra.projecting.runner import BATCH

INGEST = "ingest: parse, decide, idempotency, durable write"
INSERT = "plain SQLite insert of the same bytes"
KEYED = "plain SQLite insert of the same bytes, with the keys of Accord's table"
PARTED = "library's save, 1,000 events at a time, content as fields"
PACKED = "library's save, 1,000 events at a time, content as one text"
SINGLY = "library's save, one event at a time, content as fields"
READ = "plain SQLite read of the same bytes"
DECODE = "read, decode"
FOLD = "fold all projections in memory, events read and decoded"
REPLAY = "replay: read, decode, fold all projections in memory"
REBUILD = "rebuild: read, decode, fold all projections, save"
LIVE = f"live: read, decode, fold, save, {BATCH:,} events a transaction"

RATIOS = (
    (INGEST, INSERT, "0.25 or more"),
    (INGEST, KEYED, ""),
    (INGEST, PARTED, "more than 1"),
    (INGEST, PACKED, ""),
    (INGEST, SINGLY, ""),
    (DECODE, READ, ""),
    (REPLAY, READ, ""),
    (REBUILD, READ, ""),
    (LIVE, READ, ""),
)
"""What is set beside what, and what is aimed at."""

AIMS = {FOLD: "50,000 or more"}
"""What is aimed at in events per second."""

SLOW_ROUNDS = 3
"""Rounds of what saves one event at a time."""

SINGLE = 10_000
"""Events saved one at a time; each is a transaction, so more would only take longer."""


@dataclass(frozen=True)
class Scale:
    """How much is measured."""

    lines: int
    partnerships: int
    rounds: int
    memory: tuple[int, ...]
    """Lines of the feeds with which memory is measured."""


FULL = Scale(100_000, 1000, 5, (25_000, 50_000, 100_000, 200_000))
QUICK = Scale(600, 6, 1, (300, 600))


def measure(scale: Scale) -> dict[str, Any]:
    """Measure everything at this scale; give all that there is to print."""
    lines = list(feed(scale.lines, scale.partnerships))
    rates = Rates()
    events = 0
    for number in range(scale.rounds):
        say(f"round {number + 1} of {scale.rounds}")
        with tempfile.TemporaryDirectory() as folder:
            events = _round(rates, lines, Path(folder), slow=number < SLOW_ROUNDS)
    return {
        "machine": {
            "cores": os.cpu_count(),
            "python": platform.python_version(),
            "sqlite": sqlite3.sqlite_version,
        },
        "feed": {"lines": scale.lines, "partnerships": scale.partnerships, "events": events},
        "events_per_second": {name: round(rates.rate(name)) for name in rates.rounds},
        "ratios": [
            {"of": one, "to": other, "ratio": round(rates.ratio(one, other), 2), "aim": aim}
            for one, other, aim in RATIOS
        ],
        "peak_memory": [_memory(lines, scale.partnerships) for lines in scale.memory],
    }


def _round(rates: Rates, lines: Sequence[bytes], folder: Path, *, slow: bool) -> int:
    """Run every contender once, in files of its own; give the number of events."""
    path = folder / "accord.db"
    with ours.store(path) as accord:
        rates.time(INGEST, lambda: ours.ingest(accord, lines), accord.history.size)
        rates.time(LIVE, lambda: ours.catch_up(accord), accord.history.size)
        rates.time(READ, lambda: beside.read(path), accord.history.size)
        rates.time(DECODE, lambda: ours.decode(accord), accord.history.size)
        rates.add(FOLD, accord.history.size(), ours.fold(accord))
        rates.time(REPLAY, lambda: ours.replay(accord), accord.history.size)
        rates.time(REBUILD, lambda: ours.rebuild(accord), accord.history.size)
    events = beside.stored(path)
    plain = beside.plain(events)
    rates.time(
        INSERT, lambda: beside.insert(folder / "plain.db", beside.PLAIN, plain), plain.__len__
    )
    rates.time(
        KEYED, lambda: beside.insert(folder / "keyed.db", beside.KEYED, events), events.__len__
    )
    packed = beside.packed(events)
    rates.time(PACKED, lambda: beside.save(folder / "packed.db", packed), packed.__len__)
    parted = beside.parted(events)
    rates.time(PARTED, lambda: beside.save(folder / "parted.db", parted), parted.__len__)
    if slow:
        some = parted[:SINGLE]
        rates.time(SINGLY, lambda: beside.save(folder / "singly.db", some, 1), some.__len__)
    return len(events)


def _memory(lines: int, partnerships: int) -> dict[str, int]:
    """Return the peak memory of ingest and rebuild at a size of the feed."""
    with tempfile.TemporaryDirectory() as folder:
        path, store = Path(folder, "feed.jsonl"), Path(folder, "accord.db")
        with path.open("wb") as file:
            file.writelines(line + b"\n" for line in feed(lines, partnerships))
        tasks = {task: memory.peak(task, store, path) for task in memory.TASKS}
        say(f"memory at {lines:,} lines: {tasks}")
        return {"lines": lines, **tasks}


# --- printing ------------------------------------------------------------------------------------


def show(found: dict[str, Any]) -> str:
    """Return what was measured as tables of Markdown."""
    machine, of, tasks = found["machine"], found["feed"], memory.TASKS
    rates = [
        (f"{rate:,}", name, AIMS.get(name, "")) for name, rate in found["events_per_second"].items()
    ]
    ratios = [(f"{r['ratio']:.2f}", r["of"], r["to"], r["aim"]) for r in found["ratios"]]
    peaks = [
        (f"{row['lines']:,}", *(f"{row[task] / 2**20:.0f} MiB" for task in tasks))
        for row in found["peak_memory"]
    ]
    return f"""\
{of["lines"]:,} lines of {of["partnerships"]:,} partnerships made {of["events"]:,} events.
{machine["cores"]} cores, Python {machine["python"]}, SQLite {machine["sqlite"]}.

{table(("events/s", "what", "aim"), rates)}

{table(("ratio", "of", "to", "aim"), ratios)}

{table(("lines", *(f"peak memory of {task}" for task in tasks)), peaks)}"""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the benchmarks and print what came of them."""
    given = asked("python -m benchmarks", __doc__, arguments)
    found = measure(QUICK if given.quick else FULL)
    print(json.dumps(found, indent=2) if given.json else show(found))


if __name__ == "__main__":
    main()
