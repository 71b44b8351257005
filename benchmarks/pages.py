"""Measure how long the first page takes, by the number of partnerships: ``make bench-pages``.

A server of a store with that many partnerships answers on this machine; the portfolio, the alerts
and the inbox are asked for one after the other. What is printed is the time until the whole page
has arrived: the first time, when the process has computed nothing yet, and the median of later
times.
"""

import json
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any
from urllib.request import urlopen

from benchmarks import ours
from benchmarks.feed import FORMING, feed
from benchmarks.rates import asked, say, table, took
from infra.bootstrap import Accord
from infra.http import create_app
from infra.http.server import Server
from infra.running.listening import listening

FULL, QUICK = (100, 1000), (2, 4)
"""Partnerships."""

ROUNDS, QUICK_ROUNDS = 9, 1
"""How often each page is asked for."""

PAGES = ("portfolio", "alerts", "inbox")
AIM = "below 200 ms at 1,000 partnerships, for the first page (the portfolio)"


def measure(sizes: Sequence[int], rounds: int) -> dict[str, Any]:
    """Measure every page at these numbers of partnerships; give all that there is to print."""
    times: dict[str, list[float]] = {}
    first: dict[str, list[float]] = {}
    for size in sizes:
        with tempfile.TemporaryDirectory() as folder:
            for page, once, later in _times(Path(folder) / "accord.db", size, rounds):
                first.setdefault(page, []).append(once)
                times.setdefault(page, []).append(later)
                say(f"{size:,} partnerships: {page}: {once:,.0f} ms at first, then {later:,.0f} ms")
    return {"sizes": list(sizes), "first": first, "milliseconds": times}


def _times(file: Path, size: int, rounds: int) -> Iterator[tuple[str, float, float]]:
    """Yield each page, with the milliseconds of the first request and the median of later ones."""
    with ours.store(file) as accord:
        ours.ingest(accord, feed(size * (FORMING + 1), size))
        accord.catch_up()
        with served(accord) as address:
            for page in PAGES:
                ask = partial(_read, f"{address}/{page}")
                once = took(ask).wall
                later = median(took(ask).wall for _ in range(rounds))
                yield page, once * 1000, later * 1000


def _read(address: str) -> bytes:
    with urlopen(address) as answer:  # noqa: S310 - of this process
        body: bytes = answer.read()
    return body


@contextmanager
def served(accord: Accord, *, is_open: bool = True) -> Iterator[str]:
    """Serve a store while the context lasts; return the address."""
    with listening("127.0.0.1", 0) as sock, accord.workers() as workers:
        server = Server(create_app(accord, workers, is_open=is_open))
        thread = threading.Thread(target=server.run, args=([sock],))
        thread.start()
        try:
            yield f"http://127.0.0.1:{sock.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


def shown(found: dict[str, Any]) -> str:
    """Return what was measured as a table of Markdown."""
    sizes = [f"{size:,} partnerships" for size in found["sizes"]]
    rows = [
        (f"/{page}{when}", *(f"{each:,.0f} ms" for each in times))
        for when, measured in (("", "milliseconds"), (", the first time", "first"))
        for page, times in found[measured].items()
    ]
    return f"The aim is {AIM}.\n\n{table(('page', *sizes), rows)}"


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the benchmark and print the results."""
    given = asked("python -m benchmarks.pages", __doc__, arguments)
    found = measure(QUICK, QUICK_ROUNDS) if given.quick else measure(FULL, ROUNDS)
    print(json.dumps(found, indent=2) if given.json else shown(found))


if __name__ == "__main__":
    main()
