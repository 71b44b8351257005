"""The events of partnerships that are to be folded; those missing are read from the history."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from domain.recorded import Recorded
from infra.store.history import NOTHING, History
from infra.store.views import ALL_PROJECTIONS
from infra.tlog.codec import UnreadableEvent
from projections.fold import FoldFailed


@dataclass(frozen=True, slots=True)
class Failure:
    """The first event of a partnership that cannot be folded."""

    projection: str
    index: int
    error: str


def failure_of(failed: FoldFailed) -> Failure:
    """Return the failure of a projection."""
    return Failure(failed.projection, failed.index, failed.detail)


def missing(partnership: str, index: int) -> Failure:
    """Return the failure of an event that the history lacks."""
    error = UnreadableEvent(f"{partnership}#{index}", "is missing.")
    return Failure(ALL_PROJECTIONS, index, error.detail)


@dataclass(slots=True)
class Backlog:
    """The events of one partnership to fold, up to index `newest`."""

    name: str
    newest: int = NOTHING
    events: list[Recorded] = field(default_factory=list)
    failure: Failure | None = None
    """The first event that cannot be folded, once it is known."""
    damage: str = ""
    """What is wrong with the saved rows, once it is known."""

    def stop(self, failure: Failure) -> None:
        """Leave out the event that fails and those after it."""
        self.events = [each for each in self.events if each.index < failure.index]
        self.failure = failure

    def complete(self, history: History, position: int) -> None:
        """Begin behind a position, and read what is missing up to the newest event."""
        given, self.events = self.events, []
        following = position + 1
        for recorded in given:
            if recorded.index > following:
                following = self._read(history, following, recorded.index)
            if recorded.index == following:
                self.events.append(recorded)
                following += 1
        if following <= self.newest:
            self._read(history, following, self.newest + 1)

    def _read(self, history: History, start: int, stop: int) -> int:
        """Add events of the history, up to the first failure; return the index behind them."""
        if self.failure is None:
            found, self.failure = read(history, self.name, start, stop)
            self.events += found
            return start + len(found)
        return start


def backlogs(
    batch: Iterable[Recorded], newest: Iterable[tuple[str, int]] = ()
) -> dict[str, Backlog]:
    """Return the backlog of each partnership of a batch, and of those to fold up to an index."""
    found: dict[str, Backlog] = {}
    for recorded in batch:
        backlog = found.get(recorded.partnership)
        if backlog is None:
            backlog = found[recorded.partnership] = Backlog(recorded.partnership)
        backlog.events.append(recorded)
        backlog.newest = max(backlog.newest, recorded.index)
    for name, index in newest:
        backlog = found.setdefault(name, Backlog(name))
        backlog.newest = max(backlog.newest, index)
    return found


def read(
    history: History, partnership: str, start: int, stop: int
) -> tuple[list[Recorded], Failure | None]:
    """Return a partnership's events from index `start` to before `stop`.

    They end before the first event that is missing or cannot be read, which is the failure. The end
    of the log is none.
    """
    found: list[Recorded] = []
    try:
        for recorded in history.of(partnership, start, stop):
            if recorded.index != start + len(found):
                break
            found.append(recorded)
    except UnreadableEvent as error:
        index = start + len(found)
        # Bytes that are no event do not say whose they are.
        reason = error.detail.removeprefix(error.event)
        return found, Failure(ALL_PROJECTIONS, index, f"{partnership}#{index}{reason}")
    following = start + len(found)
    head = history.heads([partnership]).get(partnership) if following < stop else None
    if head and following < head.size:
        return found, missing(partnership, following)
    return found, None
