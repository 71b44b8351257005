"""A partnership's log, as it was at a time: the ground of every question about history."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from difflib import get_close_matches
from typing import Any

from pydantic import BaseModel, ConfigDict

from domain.recorded import Recorded
from domain.values import instant
from infra.bootstrap import Accord
from infra.deciding.pseudonyms import Names
from infra.projecting.runner import partnerships
from infra.store.records import History
from projections import timeline
from projections.fold import Projection
from projections.visibility import OPERATOR, Sight, Viewer

Row = dict[str, Any]
"""A JSON object."""


class NotFound(LookupError):
    """What was asked about is not there: what is missing, and what to ask instead."""

    def __init__(self, detail: str, hint: str) -> None:
        super().__init__(f"{detail} {hint}")
        self.detail = detail
        self.hint = hint


@dataclass(frozen=True, slots=True)
class AsOf:
    """The time that is asked about: what had happened by `at`, as far as it was `known` by then.

    Both moments are included. `version` asks about the first so many events of the log. `viewer`
    is who asks: what is private to others is left out of the answer.
    """

    at: datetime | None = None
    known: datetime | None = None
    version: int | None = None
    viewer: Viewer = OPERATOR

    def of(self, events: Iterable[Recorded]) -> Iterator[Recorded]:
        """Give those events of a log, in its order, that belong to this time."""
        for recorded in events:
            act = recorded.act
            # The record never runs backwards, so nothing that follows was known either.
            if self.known is not None and act.recorded_at > self.known:
                return
            if self.version is not None and recorded.index >= self.version:
                return
            if self.at is None or act.occurred_at <= self.at:
                yield recorded

    def as_json(self) -> Row:
        """Give what was asked, without what was not."""
        asked = {
            "at": self.at and instant(self.at),
            "known": self.known and instant(self.known),
            "version": self.version,
        }
        known = {name: value for name, value in asked.items() if value is not None}
        return known | self.viewer.as_json()

    @property
    def asked(self) -> "Asked":
        """What was asked, as an answer repeats it."""
        party, full = self.viewer.party, self.viewer.full
        return Asked(at=self.at, known=self.known, version=self.version, party=party, full=full)


class Asked(BaseModel):
    """The moment and the viewer of an answer; null where they were not given."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    at: datetime | None = None
    """What had happened by then."""
    known: datetime | None = None
    """What had been recorded by then."""
    version: int | None = None
    """The first so many events of the log."""
    party: str | None = None
    """The party whose view it is; the operator's without one."""
    full: bool = False
    """Whether both parties' private facts are shown."""


NOW = AsOf()
"""All that is recorded."""


def log(history: History, partnership: str, when: AsOf = NOW) -> Iterator[Recorded]:
    """Give a partnership's events as of a time, as far as the viewer sees. Raises `NotFound`."""
    sight = sight_of(history, partnership, when)
    return filter(sight.shows, whole_log(history, partnership, when))


def sight_of(history: History, partnership: str, when: AsOf) -> Sight:
    """Give what the viewer sees of a partnership. Raises `NotFound` if it is no party of it."""
    viewer = when.viewer
    if viewer.party is None:
        return Sight(viewer)
    sight = Sight.of(viewer, whole_log(history, partnership, when))
    if viewer.party not in sight.parties:
        raise NotFound(
            f"{viewer.party} is no party of {partnership}.",
            f"Ask as {' or '.join(sight.parties)}.",
        )
    return sight


def whole_log(history: History, partnership: str, when: AsOf = NOW) -> Iterator[Recorded]:
    """Give a partnership's events as of a time, whoever asks: people by name. Raises `NotFound`."""
    return map(Names(history, partnership).recorded, stored_log(history, partnership, when))


def stored_log(history: History, partnership: str, when: AsOf = NOW) -> Iterator[Recorded]:
    """Give the same events as they are stored: people by commitment. Raises `NotFound`."""
    events = size_of(history, partnership)
    if when.version is not None and not 1 <= when.version <= events:
        raise NotFound(
            f"{partnership} has {events} events, so there is no version {when.version}.",
            f"Ask for version 1 to {events}.",
        )
    return when.of(history.of(partnership, 0, events))


def size_of(history: History, partnership: str) -> int:
    """Give how many events a partnership has. Raises `NotFound`, with names that are near."""
    head = history.heads([partnership]).get(partnership)
    if head is None:
        raise NotFound(
            f"There is no partnership {partnership}.",
            perhaps(partnership, partnerships(history), "See what there is: accord list."),
        )
    return head.size


def view_rows(accord: Accord, projection: Projection, partnership: str) -> dict[str, Any]:
    """Give a partnership's saved rows of a projection, by key, each as its type."""
    stored = accord.views.select(projection.name, partnership)
    return {key: projection.load(key, row) for key, row in stored}


def perhaps(name: str, known: Iterable[str], otherwise: str) -> str:
    """Give the hint of a name that is not known: those nearest to it, or else what to do."""
    near = get_close_matches(name, known if isinstance(known, list) else list(known), 3, 0.5)
    return f"Perhaps {' or '.join(near)}?" if near else otherwise


def entry(recorded: Recorded) -> Row:
    """Return the timeline item of an event as a JSON object."""
    item = timeline.item(recorded)
    row = {
        "index": item.index,
        "occurred_at": instant(item.occurred_at),
        "recorded_at": instant(item.recorded_at),
        "party": item.party,
        "actor": item.actor,
        "type": item.type,
        "text": item.text,
    }
    return row | ({"late_days": item.late_days} if item.late_days else {})
