"""Measure how `show` and `history` grow with the events of one partnership: ``make bench-show``.

One partnership is formed by a feed. Then deals and figures are appended to its log, as copies of
those of the feed, and the questions are asked at each size. What is printed is the median of the
CPU time; the growth is that of the largest size divided by that of the smallest.
"""

import json
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import count, islice
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks import ours
from benchmarks.feed import feed
from benchmarks.rates import asked, say, table, took
from domain.recorded import Recorded
from domain.reported_figure import MetricReported
from infra.answers import cursors, history, show
from infra.answers.logs import AsOf
from infra.answers.question import Paging
from infra.bootstrap import Accord
from projections.visibility import Viewer

FULL = (10_000, 100_000, 1_000_000)
QUICK = (500, 1000)

FORMED_BY = 400
"""Lines of the feed that forms the partnership."""

BATCH = 4000
"""Events appended in one transaction."""

ROUNDS, QUICK_ROUNDS = 15, 1
"""How often each question is asked at each size."""

AT = "show, as of what had happened by a moment (reads the log)"
AIM = "1.5 or less"


def measure(sizes: Sequence[int], rounds: int) -> dict[str, Any]:
    """Measure every question at these sizes; give all that there is to print."""
    times: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as folder, ours.store(Path(folder) / "accord.db") as accord:
        ours.ingest(accord, feed(FORMED_BY, 1))
        (name,) = accord.history.partnerships()
        more = _measured_facts(accord, name)
        for size in sizes:
            _grow(accord, name, size, more)
            for question, ask in _questions(accord, name, size):
                seconds = median(took(ask).cpu for _ in range(1 if question == AT else rounds))
                times.setdefault(question, []).append(seconds * 1000)
                say(f"{size:,} events: {question}: {seconds * 1000:,.1f} ms")
        own = len(accord.history.streams([name])[name])
    return {
        "sizes": list(sizes),
        "own_stream": own,
        "milliseconds": times,
        "growth": {question: found[-1] / found[0] for question, found in times.items()},
    }


def _questions(accord: Accord, name: str, size: int) -> Iterator[tuple[str, Callable[[], object]]]:
    last = accord.history.heads([name])[name].recorded_at
    party = AsOf(viewer=Viewer(show.ask(accord, name).parties[1].party))
    middle = Paging(cursors.written(cursors.asked("history", name), size // 2))
    yield "show", lambda: show.ask(accord, name)
    yield "show, as a party sees it", lambda: show.ask(accord, name, when=party)
    yield "show, as known at a moment", lambda: show.ask(accord, name, when=AsOf(known=last))
    yield "history, the first 100 events", lambda: history.ask(accord, name)
    yield "history, 100 events of the middle", lambda: history.ask(accord, name, page=middle)
    yield AT, lambda: show.ask(accord, name, when=AsOf(at=last))


# --- growing the log -----------------------------------------------------------------------------


def _grow(accord: Accord, name: str, size: int, more: Iterator[Recorded]) -> None:
    while (missing := size - accord.history.heads([name])[name].size) > 0:
        accord.history.append(list(islice(more, min(BATCH, missing))))


def _measured_facts(accord: Accord, name: str) -> Iterator[Recorded]:
    """Yield copies of a deal and of a reported figure of the partnership, without an end."""
    events = list(accord.history.of(name))
    act = events[-1].act
    deals = [each for each in events if each.stream.startswith(f"{name}/deal/")]
    deal = [each for each in deals if each.stream == deals[0].stream]
    figure = next(each for each in events if isinstance(each.event, MetricReported))
    for number in count():
        copies = [
            *(_copy(each, f"{name}/deal/copy-{number}", deal=f"copy-{number}") for each in deal),
            _copy(figure, f"{name}/metric/copy/-/2025-01/tool-{number}", tool=f"tool-{number}"),
        ]
        for place, each in enumerate(copies):
            moment = each.act._replace(recorded_at=act.recorded_at)
            identity = f"copy-{number}-{place}"
            yield replace(each, act=moment, event_id=identity, source_id=identity)


def _copy(recorded: Recorded, stream: str, **changes: str) -> Recorded:
    event = recorded.event.model_copy(update=changes)
    return replace(recorded, stream=stream, event=event, index=-1, position=-1)


# --- printing ------------------------------------------------------------------------------------


def shown(found: dict[str, Any]) -> str:
    """Return what was measured as a table of Markdown."""
    rows = [
        (
            f"{found['growth'][question]:.2f}",
            question,
            *(f"{each:,.1f} ms" for each in times),
            "" if question == AT else AIM,
        )
        for question, times in found["milliseconds"].items()
    ]
    sizes = [f"{size:,} events" for size in found["sizes"]]
    return (
        f"{found['own_stream']:,} events are in the partnership's own stream.\n\n"
        f"{table(('growth', 'question', *sizes, 'aim'), rows)}"
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the benchmark and print the results."""
    given = asked("python -m benchmarks.show", __doc__, arguments)
    found = measure(QUICK, QUICK_ROUNDS) if given.quick else measure(FULL, ROUNDS)
    print(json.dumps(found, indent=2) if given.json else shown(found))


if __name__ == "__main__":
    main()
