"""Sends each party its view of each event, on a topic of its own, `accord.party.<party>`.

A message says what `accord history --party` says of the event, without the names of people. It is
filtered by what both parties had agreed when the event was recorded. A party gets all earlier
events of a partnership when it becomes a party of it. The store is the outbox, as for the relay,
so one courier is active at a time, and what was sent before a stop may be sent again.
"""

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

import orjson

from consumers import outbox
from consumers.outbox import Outbox
from consumers.sender import Sender
from domain.recorded import late_days
from infra.answers import history
from infra.kafka import messages, topics
from infra.kafka.cluster import Cluster
from infra.kafka.messages import Message
from infra.kafka.topics import Topics
from infra.running.worker import WorkerProcess
from infra.settings import Settings
from infra.store.mapper import PlacedEvent
from infra.store.postgres import PostgresStore
from infra.tlog.codec import UnknownEvent, decode
from projections.visibility import Sight, Viewer

NAME: Final = "courier"
"""The role of the leader, and the name of the cursor in the history."""

BATCH: Final = 500
"""Events whose messages are sent before the cursor is saved."""

REMEMBERED: Final = 10_000
"""Partnerships whose parties and protocol are cached."""


def run(settings: Settings, process: WorkerProcess) -> None:
    """Send the parties their views until the process stops."""
    outbox.run(settings, process, NAME, Courier)


class Courier(Outbox):
    """Sends the parties their views of the history."""

    name = NAME
    batch = BATCH

    def __init__(
        self, store: PostgresStore, sender: Sender, cluster: Cluster, names: Topics
    ) -> None:
        super().__init__(store, sender)
        self._cluster = cluster
        self._names = names
        self._sights: OrderedDict[str, Sight] = OrderedDict()
        """What is to be seen of each partnership at the cursor, without a viewer."""
        self._made: set[str] = set()
        """The parties whose topics exist."""

    def forget(self) -> None:
        """Drop what was seen and made: it may be ahead of the cursor."""
        self._sights.clear()
        self._made.clear()

    def messages_of(self, events: Sequence[PlacedEvent]) -> list[Message]:
        """Return the view of each event for each party, and of earlier ones for a new party."""
        return [message for each in events for message in self._views_of(each)]

    def _views_of(self, placed: PlacedEvent) -> Iterator[Message]:
        partnership = orjson.loads(placed.state)["partnership"]
        before = self._sight_before(partnership, placed.index)
        sight = _after(before, placed.state, placed.index)
        self._sights[partnership] = sight
        self._sights.move_to_end(partnership)
        if len(self._sights) > REMEMBERED:
            self._sights.popitem(last=False)
        for party in sight.parties:
            self._make_topic(party)
            is_new = party not in before.parties
            of_party = replace(sight, viewer=Viewer(party))
            start = 0 if is_new else placed.index
            for index, body, _ in self._store.entries(partnership, start, placed.index + 1):
                yield view(self._names.party(party), partnership, index, body, of_party)

    def _sight_before(self, partnership: str, index: int) -> Sight:
        if partnership in self._sights:
            return self._sights[partnership]
        sight = Sight(Viewer())
        for recorded in self._store.streams([partnership])[partnership]:
            if recorded.index < index:
                sight = sight.after(recorded)
        return sight

    def _make_topic(self, party: str) -> None:
        if party not in self._made:
            topics.create_view_of(self._cluster, self._names, party)
            self._made.add(party)


def _after(sight: Sight, body: bytes, index: int) -> Sight:
    try:
        return sight.after(decode(body, index=index))
    except UnknownEvent:
        # A newer release wrote it. Its own courier sends what follows from it.
        return sight


def view(topic: str, partnership: str, index: int, body: bytes, sight: Sight) -> Message:
    """Return a party's view of an event as a message. Raises `UnreadableEvent`.

    The event is the stored one, so its canonical JSON has the bytes that are hashed and signed.
    """
    event = history.stored(partnership, index, body)
    seen = history.seen_by(sight, index, body, event)
    stored = orjson.loads(body)
    shown = stored if seen.event is event else seen.event and stored | {"data": {}}
    return messages.emitted(
        topic,
        partnership,
        {
            "partnership": partnership,
            "index": index,
            "event": shown,
            "withheld": seen.event is not event,
            "text": seen.text,
            "late_days": late_days(event.occurred_at, event.recorded_at) if shown else 0,
        },
        id=f"{partnership}#{index}",
        type="PartyView",
        subject=partnership,
        **({"time": stored["occurred_at"]} if shown else {}),
    )
