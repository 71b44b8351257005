"""What a projection is and how it is folded. Every engine calls this same fold.

A projection is a pure function over rows of one partnership: it returns the rows that an event
changes and the outputs to publish. It asks for rows by key and does not know where they are stored
(in a table or in a dictionary).
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import islice
from typing import Any, NamedTuple

from pydantic import ConfigDict, TypeAdapter

from domain.arithmetic import exact
from domain.kernel import Event
from domain.recorded import Recorded
from domain.values import RECORDED

Row = dict[str, Any]
"""A JSON object of the canonical profile: ASCII keys, no floats. It is never changed in place."""

Rows = Mapping[str, Any]
"""Rows by key, each of its projection's type. A row that does not exist is absent.

A fold may ask for any key (`rows[key]`, `rows.get(key)`, `key in rows`), and for several at once
with `rows_under`. It may not iterate, because only some of the rows are in memory.
"""


def rows_under(rows: Rows, keys: Iterable[str]) -> dict[str, Any]:
    """Return the rows that exist under these keys. Those not in memory are read together."""
    asked = list(keys)
    if isinstance(rows, RowsOnDemand):
        rows.read(asked)
    return {key: rows[key] for key in asked if key in rows}


class ReadFailed(Exception):
    """A row cannot be read on demand. It tells errors of the store from those of a fold."""

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))
        self.error = error


class RowsOnDemand(dict[str, Any]):
    """Rows in memory; a row that is not among them is read when a fold asks for its key.

    `load` reads rows with one statement, and returns those that exist. What it raises is raised as
    `ReadFailed`, and by `fold_all` as it was.
    """

    __slots__ = ("_load", "known")

    def __init__(self, load: Callable[[Collection[str]], Mapping[str, Any]]) -> None:
        super().__init__()
        self._load = load
        self.known: dict[str, None] = {}
        """Keys that need not be read, whether they have a row or not."""

    def read(self, keys: Iterable[str]) -> None:
        """Read the rows under these keys that are not known, together."""
        has = super().__contains__
        unknown = [key for key in keys if key not in self.known and not has(key)]
        if unknown:
            try:
                found = self._load(unknown)
            except Exception as error:
                raise ReadFailed(error) from error
            self.learn(unknown, found)

    def learn(self, keys: Iterable[str], found: Mapping[str, Any]) -> None:
        """Add the rows that were found under these keys; the other keys have none."""
        self.update(found)
        self.known.update(dict.fromkeys(keys))

    def evict(self, count: int) -> int:
        """Evict the keys that became known first, at most `count`; return how many."""
        oldest = list(islice(self.known, count))
        for key in oldest:
            super().pop(key, None)
            del self.known[key]
        return len(oldest)

    def get(self, key: str, default: Any = None) -> Any:  # noqa: ANN401 - any row
        """Return a row, or the default if there is none."""
        row = super().get(key)
        if row is None and key not in self.known:
            self.read([key])
            row = super().get(key)
        return default if row is None else row

    def __missing__(self, key: str) -> Any:  # noqa: ANN401 - any row
        row = self.get(key)
        if row is None:
            raise KeyError(key)
        return row

    def __contains__(self, key: object) -> bool:
        return super().__contains__(key) or self.get(str(key)) is not None

    def pop(self, key: str, default: Any = None) -> Any:  # noqa: ANN401 - any row
        """Delete a row, which need not be in memory."""
        self.known[key] = None
        return super().pop(key, default)


STRICT = ConfigDict(extra="forbid")
"""The config of a row that is shown as it is stored (`__pydantic_config__`)."""


class Output(NamedTuple):
    """A message to publish once. Its identifier is made from its cause."""

    id: str
    kind: str
    body: Any
    """One row of the projection, as its type; it is stored and sent as the row is."""


class Change(NamedTuple):
    """The rows that an event changed (None deletes a row), and the outputs to publish."""

    rows: Mapping[str, Any]
    outputs: list[Output]


NOTHING = Change({}, [])


@dataclass(frozen=True, slots=True, eq=False)
class Projection:
    """A named fold. An event whose type is not in `handles` is skipped."""

    name: str
    keys: Callable[[Recorded], Iterable[str]]
    """Returns the keys of rows that `apply` is known to ask for. The rows for many events are read
    ahead with one statement. `apply` may ask for other rows too."""
    apply: Callable[[Rows, Recorded], Change]
    handles: frozenset[type[Event]]
    """The types of events that concern it."""
    version: int = 1
    """The version of the fold. A release that changes its rows or outputs raises this number, and
    the rows of existing stores are then rebuilt (see `infra.projecting.rebuild`)."""
    row_type: Callable[[str], Any] | None = None
    """The type of the row under a key, a dataclass; without it, rows are JSON objects."""
    facts_from: str | None = None
    """The first key of rows that only the fold reads: the facts that other rows are made from.

    There can be many, and readers leave them out. None if there are no such rows."""

    def load(self, key: str, stored: Row) -> Any:  # noqa: ANN401 - the type is the projection's
        """Return a stored row as its type. Raises `pydantic.ValidationError` for another shape."""
        if self.row_type is None:
            return stored
        return _adapter(self.row_type(key)).validate_python(stored, context=RECORDED)

    def dump(self, key: str, row: Any) -> Row:  # noqa: ANN401 - as above
        """Return a row as the JSON object that is stored."""
        if self.row_type is None:
            return row  # type: ignore[no-any-return]
        dumped: Row = _adapter(self.row_type(key)).dump_python(row, mode="json", exclude_none=True)
        return dumped

    def concerns(self, recorded: Recorded) -> bool:
        """Return whether an event can change anything here."""
        return type(recorded.event) in self.handles


@cache
def _adapter(row_type: Any) -> TypeAdapter[Any]:  # noqa: ANN401 - any dataclass
    return TypeAdapter(row_type)


Handler = tuple[int, Callable[[Rows, Recorded], Change], Callable[[Recorded], Iterable[str]]]
"""The place of a projection among those of a `Dispatch`, its `apply` and its `keys`."""


class Dispatch(dict[type[Event], tuple[Handler, ...]]):
    """The handlers of each type of event, among several projections."""

    def __init__(self, projections: Sequence[Projection]) -> None:
        super().__init__()
        self.projections = tuple(projections)

    def __missing__(self, kind: type[Event]) -> tuple[Handler, ...]:
        """Return, and remember, the handlers of one type."""
        self[kind] = handlers = tuple(
            (place, each.apply, each.keys)
            for place, each in enumerate(self.projections)
            if kind in each.handles
        )
        return handlers


@dataclass(slots=True)
class Folded:
    """The result of a fold: all rows, the keys of those that changed, and the outputs."""

    rows: dict[str, Any] = field(default_factory=dict)
    changed: set[str] = field(default_factory=set)
    outputs: list[tuple[Output, int]] = field(default_factory=list)
    """Each output with the index of the event that caused it."""


class FoldFailed(Exception):
    """A projection cannot fold an event. The error that it raised is the `__cause__`."""

    hint = "Ask about a moment before that event, or upgrade Accord to a release that can fold it."

    def __init__(self, projection: Projection, recorded: Recorded, error: Exception) -> None:
        reason = " ".join(f"{type(error).__name__}: {error}".split()).rstrip(" :.")
        self.detail = f"{projection.name} cannot fold {recorded.ref}: {reason}."
        super().__init__(f"{self.detail} {self.hint}")
        self.projection = projection.name
        self.partnership = recorded.partnership
        self.index = recorded.index


@exact
def fold_all(dispatch: Dispatch, folded: Sequence[Folded], events: Iterable[Recorded]) -> None:
    """Fold events of one partnership, in order, with each projection of `dispatch`.

    `folded` has a place for each projection, with its rows (all of them, or `RowsOnDemand`); it is
    updated. Raises `FoldFailed`, and the error of a row that cannot be read; then `folded` has the
    effect of a part of the events.
    """
    rows = [each.rows for each in folded]
    for recorded in events:
        for place, apply, _ in dispatch[type(recorded.event)]:
            try:
                change = apply(rows[place], recorded)
            except ReadFailed as failed:
                raise failed.error from failed.error.__cause__
            except Exception as error:
                raise FoldFailed(dispatch.projections[place], recorded, error) from error
            if change is NOTHING:
                continue
            changed, outputs = change
            mine = rows[place]
            for key, row in changed.items():
                if row is None:
                    mine.pop(key, None)
                else:
                    mine[key] = row
            folded[place].changed.update(changed)
            for output in outputs:
                folded[place].outputs.append((output, recorded.index))


def fold(projection: Projection, folded: Folded, events: Iterable[Recorded]) -> Folded:
    """Fold a partnership's events, in order, into `folded`, which has its rows."""
    fold_all(Dispatch([projection]), [folded], events)
    return folded


def replay(projection: Projection, events: Iterable[Recorded]) -> Folded:
    """Fold a whole history from nothing."""
    return fold(projection, Folded(), events)
