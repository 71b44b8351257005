"""What it costs to keep a verifiable log: the same with it and without, in the same run.

An append pays for the leaf hash of each event. The tree grows, and is signed, in rounds that a
notary makes once a minute beside what is written, on a thread of its own. Here one round follows
the last batch and counts as if it were the writer's: all that came is hashed again and held against
what was noted, each partnership's tree grows, and each gets a checkpoint.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from unittest.mock import patch

from benchmarks import ours
from benchmarks.beside import BATCH
from benchmarks.rates import Rates, took
from domain.recorded import Recorded
from infra.bootstrap import Accord

APPEND_OFF = "append ready events, no log"
APPEND_HASHED = "append ready events, with their leaf hashes"
APPEND_ON = "append ready events, with their leaf hashes and a round of checkpoints"
INGEST_OFF = "ingest, no log"
INGEST_HASHED = "ingest, with leaf hashes"
INGEST_ON = "ingest, with leaf hashes and a round of checkpoints"

_NO_HASH = bytes(32)


def measure(rates: Rates, lines: Sequence[bytes], folder: Path) -> int:
    """Take the lines in without a log and with one, then append what came of it again, likewise."""
    _off(rates, INGEST_OFF, folder / "ingested.db", lambda accord: ours.ingest(accord, lines))
    on = folder / "ingested-on.db"
    _on(rates, (INGEST_HASHED, INGEST_ON), on, lambda accord: ours.ingest(accord, lines))
    with ours.store(on) as accord:
        events = accord.history.after(-1, accord.history.size())
    _off(rates, APPEND_OFF, folder / "appended.db", lambda accord: _append(accord, events))
    names = APPEND_HASHED, APPEND_ON
    _on(rates, names, folder / "appended-on.db", lambda accord: _append(accord, events))
    return len(events)


def _append(accord: Accord, events: Sequence[Recorded]) -> None:
    for start in range(0, len(events), BATCH):
        accord.history.append(events[start : start + BATCH])


def _off(rates: Rates, name: str, path: Path, work: Callable[[Accord], None]) -> None:
    # The column is there all the same, so that the files differ in nothing but what is measured.
    hashing = "infra.store.mapper.leaf_hash"
    with ours.store(path) as accord, patch(hashing, lambda _: _NO_HASH):
        rates.time(name, lambda: work(accord), accord.history.size)


def _on(rates: Rates, names: tuple[str, str], path: Path, work: Callable[[Accord], None]) -> None:
    hashed, on = names
    with ours.store(path) as accord:
        seconds = took(lambda: work(accord)).wall
        rates.add(hashed, accord.history.size(), seconds)
        seconds += took(accord.signing().round).wall
        rates.add(on, accord.history.size(), seconds)
