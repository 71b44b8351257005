"""Whether the views are what the history says, and the history what it was written as."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import orjson
from pydantic import ValidationError

from domain.kernel import Event
from domain.recorded import Recorded
from infra import codec
from infra.bootstrap import Accord
from infra.runner import Replayed, partnerships, replay_all
from infra.store.records import NOTHING
from projections import PROJECTIONS

OUTPUTS = "outputs"
"""Under this name a difference speaks of what a projection said, beside its rows."""

_ATTEMPTS = 5
"""How often a partnership that is written to meanwhile is looked at again."""


@dataclass(frozen=True, slots=True)
class Difference:
    """Something that is not as the history says: where, what is stored, what it should be."""

    partnership: str
    where: str
    """The projection, or ``history``."""
    key: str
    """The row or output, the event's place, or what was counted."""
    stored: Any
    rebuilt: Any


@dataclass(frozen=True, slots=True)
class Checked:
    """One partnership that was looked at."""

    partnership: str
    events: int
    rows: int
    difference: Difference | None = None


def verify(accord: Accord) -> Iterator[Checked]:
    """Rebuild every view from the history and compare; end at the first difference.

    Views that are merely behind are caught up first. Each stored event is also read and written
    again, which must give the stored bytes, and places must be without gaps.
    """
    accord.runner.catch_up()
    size, events = accord.history.size(), 0
    for name in partnerships(accord.history):
        checked = _settled(accord, name)
        yield checked
        if checked.difference:
            return
        events += checked.events
    if events < size:
        missing = Difference("", "history", "events", events, size)
        yield Checked("", 0, 0, missing)


def _settled(accord: Accord, partnership: str) -> Checked:
    """Check a partnership; if it differs and was written to meanwhile, look again."""
    size = accord.history.heads([partnership])[partnership].size
    checked = _check(accord, partnership, size)
    for _ in range(_ATTEMPTS):
        now = accord.history.heads([partnership])[partnership].size
        if not checked.difference or now == size:
            break
        accord.runner.catch_up()
        size, checked = now, _check(accord, partnership, now)
    return checked


def _check(accord: Accord, partnership: str, size: int) -> Checked:
    reading = _Reading(accord, partnership, size)
    replayed = replay_all(PROJECTIONS, reading.events())
    difference = reading.difference or (
        Difference(partnership, "history", "events", reading.read, size)
        if reading.read < size
        else next(_differences(accord, partnership, replayed), None)
    )
    rows = sum(len(folded.rows) for _, folded in replayed.folded)
    return Checked(partnership, reading.read, rows, difference)


class _Reading:
    """Reads a partnership's stored bytes, and notes the first that are not as they were written."""

    def __init__(self, accord: Accord, partnership: str, size: int) -> None:
        self._bodies = accord.history.bodies(partnership, 0, size)
        self._partnership = partnership
        self.read = 0
        self.difference: Difference | None = None

    def events(self) -> Iterator[Recorded]:
        """Give the events up to the first that cannot be what was written."""
        for body in self._bodies:
            try:
                recorded = codec.decode(body, index=self.read)
            except (ValueError, KeyError, ValidationError) as error:
                self._differs(body, f"an event that can be read: {error}")
                return
            again = codec.encode(recorded)
            if again != body and not _is_of_old(body):
                self._differs(body, again.decode())
                return
            if recorded.partnership != self._partnership:
                self._differs(recorded.partnership, self._partnership)
                return
            self.read += 1
            yield recorded

    def _differs(self, stored: bytes | str, rebuilt: str) -> None:
        shown = stored.decode(errors="replace") if isinstance(stored, bytes) else stored
        self.difference = Difference(
            self._partnership, "history", f"{self._partnership}#{self.read}", shown, rebuilt
        )


def _is_of_old(body: bytes) -> bool:
    """Whether an event is of a former version, which is written again as the newest."""
    envelope = orjson.loads(body)
    return bool(envelope["schema_version"] < Event.registry[envelope["type"]].version)


def _differences(accord: Accord, partnership: str, replayed: Replayed) -> Iterator[Difference]:
    views = accord.views
    said = _said(accord, partnership)
    for projection, folded in replayed.folded:
        name = projection.name
        position = views.positions(name, [partnership]).get(partnership, NOTHING)
        if position != replayed.last:
            yield Difference(partnership, name, "position", position, replayed.last)
        stored = dict(views.select(name, partnership))
        yield from _compared(partnership, name, "", stored, folded.rows)
        rebuilt = {
            output.id: _output(output.kind, output.body, index) for output, index in folded.outputs
        }
        yield from _compared(partnership, name, f"{OUTPUTS} ", said.get(name, {}), rebuilt)


def _compared(
    partnership: str, where: str, kind: str, stored: dict[str, Any], rebuilt: dict[str, Any]
) -> Iterator[Difference]:
    for key in sorted({*stored, *rebuilt}):
        one, other = stored.get(key), rebuilt.get(key)
        if one is None or other is None or codec.canonical(one) != codec.canonical(other):
            yield Difference(partnership, where, f"{kind}{key}", one, other)


def _said(accord: Accord, partnership: str) -> dict[str, dict[str, Any]]:
    """Give what each projection said of a partnership, by identifier."""
    said: dict[str, dict[str, Any]] = {}
    number = 0
    while page := accord.views.outputs(number, partnership=partnership):
        for each in page:
            mine = said.setdefault(each.projection, {})
            mine[each.id] = _output(each.kind, each.body, each.cause_index)
        number = page[-1].number
    return said


def _output(kind: str, body: dict[str, Any], cause: int) -> dict[str, Any]:
    return {"kind": kind, "body": body, "cause": cause}
