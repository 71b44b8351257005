"""Publishes alerts, figures and the audit trail to Kafka.

Alerts are published one by one, in the order in which they were saved. Figures are a state: they
are published as they are now, at most once a second. The trail has the timeline item of each
recorded event. Message identifiers are made from the history, so a message that is published twice
has the same identifier. One publisher is active at a time.
"""

import logging
from collections import OrderedDict, deque
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from functools import partial
from time import monotonic
from typing import Any, TypeVar

from consumers.sender import Sender
from domain.recorded import Recorded
from domain.values import instant
from infra.exchange.sink import ALERT_TYPES
from infra.kafka import clients, messages
from infra.kafka.clients import FencedProducer
from infra.kafka.cluster import Cluster
from infra.kafka.messages import Message
from infra.kafka.topics import Topics
from infra.projecting import quarantine
from infra.projecting.runner import now
from infra.running.leader import Leader, Lease
from infra.running.worker import LEADS, LEADS_HELP, Lag, WorkerProcess
from infra.settings import Settings
from infra.store.history import History
from infra.store.postgres import PostgresStore
from infra.store.postgres_datastore import Datastore
from infra.store.postgres_views import CHANNEL, Move, PostgresViews
from infra.store.views import Row, SavedOutput, UnreadableRow, typed_row
from projections import KPIS, figures, timeline
from projections.alerts import AlertState
from projections.counted import FACTS
from projections.figures import FigureLine
from projections.fold import Folded, Rows, fold
from projections.kpis import AGREED, catalogue
from projections.visibility import OPERATIONS, PERHAPS_HIDDEN, Sight

log = logging.getLogger(__name__)

NAME = "publisher"
"""The views keep a cursor for each feed, under names that begin with this."""

FIGURES = "figures"
"""The name of the feed of figures; its cursor has the id of the fold behind it."""

BATCH = 1000
"""Outputs, or items of the trail, that are published before the cursor is saved."""

PARTNERSHIPS = 10
"""Partnerships whose figures are published together; each takes some milliseconds."""

PACE = 1.0
"""Seconds between two checks for figures, which change with every deal."""

TRAIL_PACE = 0.25
"""Seconds between two batches of the trail: items sent together cost less."""

SHARE = 0.1
"""The largest share of the time that is spent on figures."""

REMEMBERED = 50_000
"""How many figures and rows to cache, so that unchanged figures are not published again."""

FOLDS = 100
"""How many partnerships with a hidden figure to keep the fold of; each has all of their rows."""


def run(settings: Settings, process: WorkerProcess) -> None:
    """Publish until the process stops."""
    with ExitStack() as stack:
        datastore = stack.enter_context(closing(Datastore(settings.store)))
        topics, cluster = Topics(settings.topics), Cluster.of(settings)
        lease = stack.enter_context(Lease(settings.store, NAME, CHANNEL))
        producer = FencedProducer(cluster, topics.transactional_id(NAME))
        sender = Sender(lease, stack.enter_context(producer))
        publisher = Publisher(PostgresStore(datastore), sender, topics)
        process.lag = publisher.lag
        process.unready_reasons = partial(clients.unready_reasons, cluster)
        process.gauges[LEADS] = LEADS_HELP, lambda: float(lease.held)
        process.repeat(Leader(lease, publisher, process.stopping).step)


@dataclass(frozen=True, slots=True)
class Taken:
    """The next messages of a feed, and its cursor once they are sent."""

    messages: list[Message]
    cursor: int
    pause: float = 0.0
    """Seconds until more is to be taken."""


@dataclass(slots=True)
class Feed:
    """A source of messages, with a cursor."""

    name: str
    take: Callable[[int], Taken]
    """Returns the next messages after a cursor."""
    cursor: int = 0
    due: float = 0.0


class Publisher:
    """Publishes what was saved, feed by feed."""

    def __init__(self, store: PostgresStore, sender: Sender, topics: Topics) -> None:
        self._store = store
        self._views = PostgresViews(store.datastore)
        self._sender = sender
        self._topics = topics
        self._figures = Figures(store, self._views, topics.kpis)
        self._caught_up = monotonic()
        self._feeds = (
            Feed(f"{NAME}/outputs", self._outputs),
            Feed(f"{NAME}/trail", self._trail),
            Feed(f"{NAME}/{FIGURES}", self._of_figures),
        )

    def take_over(self) -> None:
        """Go on where the last publisher saved its cursors."""
        self._sender.take_over()
        for feed in self._feeds:
            feed.cursor = self._views.cursor(feed.name)
        self._figures.forget()

    def step(self) -> int:
        """Send what is new; return how many messages."""
        sent = sum(self._publish(feed) for feed in self._feeds if feed.due <= monotonic())
        if not sent:
            self._caught_up = monotonic()
        return sent

    def pause(self) -> float:
        """Return the seconds until the next feed is due."""
        moment = monotonic()
        waits = (feed.due - moment for feed in self._feeds if feed.due > moment)
        return min(waits, default=0.0)

    def _publish(self, feed: Feed) -> int:
        taken = feed.take(feed.cursor)
        feed.due = monotonic() + taken.pause
        if taken.cursor == feed.cursor and not taken.messages:
            return 0
        self._sender.send(taken.messages)
        self._sender.move_cursor(self._views, feed.name, taken.cursor)
        feed.cursor = taken.cursor
        return len(taken.messages)

    def lag(self) -> Lag:
        """Return how many outputs and items of the trail are not published yet."""
        outputs, trail, _ = (self._views.cursor(feed.name) for feed in self._feeds)
        waiting = self._views.last_output() - max(0, outputs)
        waiting += self._store.size() - 1 - trail
        return Lag(waiting, monotonic() - self._caught_up if waiting else 0.0)

    # --- feeds ---

    def _of_figures(self, cursor: int) -> Taken:
        fold = self._views.folds().get(KPIS.name)
        if fold is None:
            return Taken([], cursor, pause=PACE)
        feed = self._feeds[-1]
        # Rows that were rebuilt have their own cursor, so all of them are looked at.
        if feed.name != f"{NAME}/{FIGURES}/{fold.id}":
            feed.name = f"{NAME}/{FIGURES}/{fold.id}"
            cursor = feed.cursor = self._views.cursor(feed.name)
            self._figures.forget()
        return self._figures.take(cursor)

    def _outputs(self, cursor: int) -> Taken:
        found = self._views.outputs(cursor, BATCH)
        return Taken(list(self._alerts(found)), found[-1].number if found else cursor)

    def _alerts(self, outputs: Iterable[SavedOutput]) -> Iterator[Message]:
        for each in outputs:
            if each.kind == "alert":
                yield _alert(self._topics.alerts, each)

    def _trail(self, cursor: int) -> Taken:
        events = self._store.after(cursor, BATCH)
        return Taken(
            [_item(self._topics.audit, each) for each in events],
            events[-1].position if events else cursor,
            0.0 if len(events) == BATCH else TRAIL_PACE,
        )


def _alert(topic: str, output: SavedOutput) -> Message:
    body = output.body
    return messages.emitted(
        topic,
        body["id"],
        body,
        id=output.id,
        type=ALERT_TYPES[AlertState(body["state"])],
        subject=output.partnership,
        time=body["recorded_at"],
        **(output.trace or {}),
    )


def _item(topic: str, recorded: Recorded) -> Message:
    item = timeline.item(recorded)
    if recorded.event.wire in PERHAPS_HIDDEN:
        text = f"(hidden: private to {item.party})"
        item = replace(item, type=messages.WITHHELD, actor="", text=text)
    body: Row = {
        "partnership": recorded.partnership,
        "index": item.index,
        "occurred_at": instant(item.occurred_at),
        "recorded_at": instant(item.recorded_at),
        "party": item.party,
        "actor": item.actor,
        "type": item.type,
        "text": item.text,
        "late_days": item.late_days,
    }
    return messages.emitted(
        topic,
        recorded.partnership,
        body,
        id=recorded.ref,
        type="TimelineItem",
        subject=recorded.partnership,
        time=body["occurred_at"],
    )


class Figures:
    """The figures of partnerships that changed; each is published only if it differs from before.

    A figure that no longer exists, because a late fact moved it to another period, is removed from
    the topic. The keys of all figures ever published are kept for that.

    The figures are those that operations see: a count below the smallest cell is in none of them,
    and nothing of a candidate that was not chosen.

    A few partnerships are computed at a time, within a share of the time, so that alerts never
    wait for figures. A partnership that changes again meanwhile is published once.
    """

    def __init__(self, store: PostgresStore, views: PostgresViews, topic: str) -> None:
        self._store = store
        self._views = views
        self._topic = topic
        self._published: OrderedDict[str, FigureLine | None] = OrderedDict()
        """None for a figure that was removed."""
        self._read: OrderedDict[str, Any] = OrderedDict()
        """The rows of periods as they were last read."""
        self._keys: OrderedDict[tuple[str, str], set[str]] = OrderedDict()
        """The keys of the figures that were ever published, by partnership and period."""
        self._moved: deque[Move] = deque()
        self._seen = SeenByOperations(store)

    def forget(self) -> None:
        """Forget what was published, because another process may have published since."""
        self._published.clear()
        self._read.clear()
        self._keys.clear()
        self._moved.clear()
        self._seen.forget()

    def take(self, cursor: int) -> Taken:
        """Return the figures of some partnerships that have changed since a save."""
        start = monotonic()
        if not self._moved:
            self._moved.extend(self._views.moves(cursor, BATCH))
        some = [self._moved.popleft() for _ in range(min(PARTNERSHIPS, len(self._moved)))]
        if not some:
            return Taken([], cursor, pause=PACE)
        changed = self._views.changed(KPIS.name, [each.partnership for each in some], cursor)
        found = [
            message
            for each in some
            if each.partnership in changed
            for message in self._of(
                each.partnership,
                each.index,
                [key for key in changed[each.partnership] if not key.startswith(FACTS)],
            )
        ]
        if not self._moved:
            return Taken(found, some[-1].number, pause=PACE)
        # The cursor waits until all of these moves are published.
        return Taken(found, cursor, pause=(monotonic() - start) * (1 / SHARE - 1))

    def _of(self, partnership: str, index: int, changed: list[str]) -> Iterator[Message]:
        stored = self._views.select(KPIS.name, partnership, before=KPIS.facts_from)
        try:
            loaded = {key: typed_row(KPIS, partnership, key, row) for key, row in stored}
        except UnreadableRow as damage:
            # Its figures are published when its rows were folded anew; the others go on.
            self._report(damage, index)
            return
        rows = figures.Read(loaded)
        metrics = self._differing(partnership, rows, changed)
        periods = figures.concerned(rows, changed)
        sight, seen = self._seen.of(partnership, rows)
        lines = {
            period: {
                _key(partnership, each): each
                for each in sight.lines(figures.report(seen, period, metrics), period)
                if each.metric in metrics
            }
            for period in periods
        }
        ever = self._ever(partnership, lines)
        for period, found in lines.items():
            gone = {each for each in ever[period] - found.keys() if _metric(each) in metrics}
            for key, line in [*found.items(), *((key, None) for key in sorted(gone))]:
                if key not in self._published or self._published[key] != line:
                    _remember(self._published, key, line)
                    yield _figure(self._topic, key, partnership, index, line)

    def _ever(
        self, partnership: str, lines: Mapping[str, Mapping[str, FigureLine]]
    ) -> dict[str, set[str]]:
        """Return the keys ever published of each period, and save those that are new."""
        unknown = [each for each in lines if (partnership, each) not in self._keys]
        found = self._views.published_figures(partnership, unknown) if unknown else {}
        ever = {
            each: self._keys.get((partnership, each)) or found.get(each, set()) for each in lines
        }
        if new := [(of, key) for of, keys in lines.items() for key in keys.keys() - ever[of]]:
            self._views.note_published(partnership, new)
        for period, keys in lines.items():
            _remember(self._keys, (partnership, period), ever[period] | keys.keys())
        return ever

    def _report(self, damage: UnreadableRow, index: int) -> None:
        if self._views.report(quarantine.damaged(damage, index, now())):
            log.error("a row cannot be read", extra={"error": damage.detail})

    def _differing(self, partnership: str, rows: Rows, changed: list[str]) -> Container[str]:
        """Return the metrics that these changed rows concern; all, if no earlier rows are known."""
        before = [self._read.get(f"{partnership}/{key}") for key in changed]
        for key in changed:
            _remember(self._read, f"{partnership}/{key}", rows[key])
        if AGREED in changed:
            return catalogue(rows)
        metrics: set[str] = set()
        for row, key in zip(before, changed, strict=True):
            if row is None:
                return catalogue(rows)
            metrics |= figures.differing(row, rows[key])
        return metrics


class SeenByOperations:
    """What operations see of each partnership, and its rows of KPIs without all else.

    If there is a figure that they do not see, the rows are folded from the events that they see.
    The fold is kept while their sight stays the same, so only new events are folded into it.
    """

    def __init__(self, history: History) -> None:
        self._history = history
        self._kept: OrderedDict[str, tuple[Sight, Folded, int]] = OrderedDict()
        """The sight and the fold of a partnership, and the index of the next event to fold."""

    def forget(self) -> None:
        """Fold everything from the start the next time."""
        self._kept.clear()

    def of(self, partnership: str, rows: Rows) -> tuple[Sight, Rows]:
        """Return the sight of operations, and the rows that they see of these."""
        own = self._history.streams([partnership])[partnership]
        reports = self._history.below(f"{partnership}/metric")
        sight = Sight.of(OPERATIONS, [*own, *reports])
        if all(map(sight.reads, reports)):
            return sight, rows
        return sight, figures.Read(self._folded(partnership, sight).rows)

    def _folded(self, partnership: str, sight: Sight) -> Folded:
        # Taken out first: a fold that fails halfway must not be continued.
        before, folded, start = self._kept.pop(partnership, (sight, Folded(), 0))
        if before != sight:
            folded, start = Folded(), 0
        events = list(self._history.of(partnership, start))
        fold(KPIS, folded, filter(sight.reads, events))
        _remember(self._kept, partnership, (sight, folded, start + len(events)), FOLDS)
        return folded


K = TypeVar("K")
T = TypeVar("T")


def _remember(cached: OrderedDict[K, T], key: K, value: T, most: int = REMEMBERED) -> None:
    cached[key] = value
    cached.move_to_end(key)
    if len(cached) > most:
        cached.popitem(last=False)


def _key(partnership: str, line: FigureLine) -> str:
    more = (line.segment,) if line.segment else ()
    return "/".join((partnership, line.metric, line.period, line.unit, *more))


def _metric(key: str) -> str:
    return key.split("/")[1]


def _figure(topic: str, key: str, partnership: str, index: int, line: FigureLine | None) -> Message:
    """Return the message of a figure; None for the line removes it."""
    named = f"{key}@{index}"
    if line is None:
        return messages.removed(topic, key, id=named, type="FigureRemoved", subject=partnership)
    return messages.emitted(
        topic,
        key,
        {"partnership": partnership, "index": index, **figures.dump(line)},
        id=named,
        type="FigureChanged",
        subject=partnership,
    )
