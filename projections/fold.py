"""What a projection is, and how one is folded; every engine calls this same fold.

A projection is a pure function over rows, all of one partnership: it says which rows an event
touches and gives those that change, and what it has to tell the world. Where rows are kept (a
table, a dictionary) it does not know.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, NamedTuple

from pydantic import ConfigDict, TypeAdapter

from domain.kernel import Event
from domain.recorded import Recorded

Row = dict[str, Any]
"""A JSON object of the canonical profile: ASCII keys, no floats. Never changed in place."""

Rows = Mapping[str, Any]
"""Rows by key, each of its projection's type; one that does not exist is absent."""


DESCRIBED = ConfigDict(use_attribute_docstrings=True, extra="forbid")
"""How a dataclass that is part of an answer is described in its schema (`__pydantic_config__`)."""


class Output(NamedTuple):
    """Something to tell the world, once: its identifier is made from what caused it."""

    id: str
    kind: str
    body: Any
    """One row of the projection, as its type; it is stored and sent as the row is."""


class Change(NamedTuple):
    """The rows that an event changed (nothing in a row's place deletes it), and what it says."""

    rows: Mapping[str, Any]
    outputs: list[Output]


NOTHING = Change({}, [])


@dataclass(frozen=True, slots=True)
class Projection:
    """A named fold. An event whose type is in neither `handles` nor touched is passed over."""

    name: str
    keys: Callable[[Recorded], Iterable[str]]
    """Which rows an event touches; none where it does not concern this projection."""
    apply: Callable[[Rows, Recorded], Change]
    handles: frozenset[type[Event]] | None = None
    """The events that concern it; all where it is not given."""
    version: int = 1
    """The version of the fold: a release that changes what it gives raises this number."""
    row_type: Callable[[str], Any] | None = None
    """The type of the row under a key, a dataclass; without it, rows are JSON objects."""

    def load(self, key: str, stored: Row) -> Any:  # noqa: ANN401 - the type is the projection's
        """Give a stored row as its type. Raises `pydantic.ValidationError` for another shape."""
        if self.row_type is None:
            return stored
        return _adapter(self.row_type(key)).validate_python(stored)

    def dump(self, key: str, row: Any) -> Row:  # noqa: ANN401 - as above
        """Give a row as the JSON object that is stored."""
        if self.row_type is None:
            return row  # type: ignore[no-any-return]
        dumped: Row = _adapter(self.row_type(key)).dump_python(row, mode="json", exclude_none=True)
        return dumped

    def concerns(self, recorded: Recorded) -> bool:
        """Whether an event can change anything here."""
        return self.handles is None or type(recorded.event) in self.handles


@cache
def _adapter(row_type: Any) -> TypeAdapter[Any]:  # noqa: ANN401 - any dataclass
    return TypeAdapter(row_type)


@dataclass(slots=True)
class Folded:
    """What came of folding: rows as they now are, which of them changed, what was said."""

    rows: dict[str, Any] = field(default_factory=dict)
    changed: set[str] = field(default_factory=set)
    outputs: list[tuple[Output, int]] = field(default_factory=list)
    """Each output with the index of the event that caused it."""


def fold(projection: Projection, folded: Folded, events: Iterable[Recorded]) -> Folded:
    """Fold a partnership's events, in order, into `folded`, which must hold the rows they touch."""
    handles, apply, rows = projection.handles, projection.apply, folded.rows
    for recorded in events:
        if handles is not None and type(recorded.event) not in handles:
            continue
        change = apply(rows, recorded)
        if change is NOTHING:
            continue
        for key, row in change.rows.items():
            if row is None:
                rows.pop(key, None)
            else:
                rows[key] = row
            folded.changed.add(key)
        for output in change.outputs:
            folded.outputs.append((output, recorded.index))
    return folded


def replay(projection: Projection, events: Iterable[Recorded]) -> Folded:
    """Fold a whole history from nothing."""
    return fold(projection, Folded(), events)
