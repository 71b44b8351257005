"""What is measured of Accord: the ordinary parts, put together as they always are."""

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from time import perf_counter

from benchmarks.beside import BATCH
from infra.bootstrap import Accord, bootstrap, init
from infra.projecting import rebuild as rebuilding
from infra.projecting.replay import replay_all
from infra.settings import Settings
from infra.store.history import partnerships
from projections import PROJECTIONS


@contextmanager
def store(path: Path) -> Iterator[Accord]:
    """Return everything on the simulated store at `path`, which is made if it is missing."""
    settings = Settings(store=f"sqlite:///{path}")
    init(settings, simulated=True)
    with bootstrap(settings) as accord:
        yield accord


def ingest(accord: Accord, lines: Iterable[bytes]) -> None:
    """Take the lines in, a batch a transaction. Raises `ValueError` unless all are accepted."""
    rest = iter(lines)
    while batch := list(islice(rest, BATCH)):
        came = Counter(outcome.rule or outcome.status for outcome in accord.service.handle(batch))
        if came.keys() != {"accepted"}:
            raise ValueError(f"the feed should be accepted as a whole: {came}")


def decode(accord: Accord) -> None:
    """Read and decode the whole history, partnership by partnership."""
    for name in partnerships(accord.history):
        for _ in accord.history.of(name):
            pass


def fold(accord: Accord) -> float:
    """Fold the whole history with every projection, in memory; give the seconds that it took."""
    seconds = 0.0
    for name in partnerships(accord.history):
        events = list(accord.history.of(name))
        start = perf_counter()
        replay_all(PROJECTIONS, events)
        seconds += perf_counter() - start
    return seconds


def replay(accord: Accord) -> None:
    """Read, decode and fold the whole history with every projection, in memory."""
    for name in partnerships(accord.history):
        replay_all(PROJECTIONS, accord.history.of(name))


def catch_up(accord: Accord) -> None:
    """Fold what is new as a follower does, across partnerships, and save it."""
    accord.runner.catch_up()


def rebuild(accord: Accord) -> None:
    """Fold all views anew, beside the old rows, and replace those."""
    rebuilding.rebuild(accord.history, accord.views, PROJECTIONS)
