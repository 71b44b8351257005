"""What a store offers: `History` for events, `Trees` for proofs, `Views` for folded rows."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, NamedTuple, Protocol

import orjson

from domain.recorded import Recorded
from infra.settings import NoSuchStore
from infra.tlog.cloudevents import Trace
from infra.tlog.merkle import Node, Tree
from projections.fold import Projection

Key = tuple[str, str]
"""A pair of names: (source, source id) of a result, (partnership, key) of a row."""

Row = dict[str, Any]
"""The body of a row: a JSON object within the profile of `infra.tlog.codec`."""

EPOCH = "epoch"
"""The setting with a store's random identity, which is made with the store and never changes."""

NOTHING = -1
"""The index or position before the first event."""


class Conflict(Exception):
    """Another writer was first, or time would run backwards. Nothing was written; decide again."""


class Stale(Exception):
    """Another process saved these views meanwhile; nothing was written. Read them again."""


class UnknownSchema(Exception):
    """The store was written by a release whose tables have another form."""


class ReadOnlyStore(NoSuchStore):
    """The store is on read-only media, or this user may not write it."""


@dataclass(frozen=True, slots=True)
class CommandResult:
    """The stored outcome of an accepted input, by its source and its id there.

    `first` is the index of its first event in `partnership`, which the store fills in, and `count`
    the number of its events.
    """

    source: str
    source_id: str
    fingerprint: bytes
    partnership: str
    first: int | None = None
    count: int = 0


RefusalState = Literal["open", "resolved", "dismissed", "erased"]
"""`resolved` if the input was decided again and was accepted, or waits."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A refused input, stored as it arrived (`raw`), so that it can be corrected and retried.

    `pointer` is the place of the fault in the input (RFC 6901), if it is at one place. `unsent` is
    whether its sender still has to learn of it: it was told before that the input waits. The store
    assigns `number`. An input has at most one open refusal, the latest.
    """

    source: str
    source_id: str
    subject: str | None
    type: str | None
    rule: str
    detail: str
    hint: str
    pointer: str | None
    received_at: datetime
    raw: bytes
    unsent: bool = False
    number: int = 0
    state: RefusalState = "open"
    dismissed_by: str | None = None
    dismissed_at: datetime | None = None

    @property
    def words(self) -> dict[str, str | None]:
        """Return the input's identity, the rule, the detail, the hint and the place."""
        return {
            "source": self.source,
            "id": self.source_id,
            "rule": self.rule,
            "detail": self.detail,
            "hint": self.hint,
            "pointer": self.pointer,
        }


@dataclass(frozen=True, slots=True)
class Waiting:
    """An input that waits for something that it names and that is not on record yet.

    `stream` decides it, and `version` is the version of that stream at which it was decided last.
    `awaited_kind`, `awaited_id` and `awaited` (in words) say what it waits for. `until` is when its
    days are over. The store assigns `number`, the order in which waiting inputs are decided.
    """

    source: str
    source_id: str
    partnership: str
    stream: str
    version: int
    type: str
    awaited_kind: str
    awaited_id: str
    awaited: str
    since: datetime
    until: datetime
    raw: bytes
    number: int = 0

    @property
    def key(self) -> Key:
        """Return the identity of the input: its source and its id there."""
        return self.source, self.source_id


@dataclass(frozen=True, slots=True)
class Kept:
    """Something that is stored outside the log, so that it can be deleted; the log has its hash.

    `kind` says what it is (a signed command, a person's name), and `key` is the hash. The trace of
    an event, and what is said of the clock, are kept in the same way, under another key, because
    they are no part of the record.
    """

    kind: str
    partnership: str
    key: str
    body: bytes


TRACE = "trace"
"""The kind of the trace of an event, as JSON; its key is `trace_key`."""


def trace_key(event: Recorded) -> str:
    """Return the key under which the trace of an event is kept: its stream and its version."""
    return f"{event.stream}@{event.version}"


@dataclass(frozen=True, slots=True)
class Writes:
    """What one transaction writes besides events.

    `results` are those of accepted inputs, whose open refusals are then resolved, as are those of
    inputs that wait. `waiting` inputs are added, or replaced where they waited already. `settled`
    are the identities of inputs that wait no longer.
    """

    results: Sequence[CommandResult] = ()
    refusals: Sequence[Refusal] = ()
    kept: Sequence[Kept] = ()
    waiting: Sequence[Waiting] = ()
    settled: Sequence[Key] = ()

    @property
    def empty(self) -> bool:
        """Whether there is nothing to write."""
        return not (self.results or self.refusals or self.kept or self.waiting or self.settled)


NO_WRITES = Writes()


@dataclass(frozen=True, slots=True)
class Head:
    """The number of a partnership's events, and when the last one was recorded."""

    size: int
    recorded_at: datetime


@dataclass(frozen=True, slots=True)
class SavedOutput:
    """A message of a projection, published once. `id` is made from its cause.

    `cause_index` is the index of the event that caused it, and `version` the version of the fold.
    `number` orders the outputs of all projections; the store assigns it. `trace` is that of the
    event that caused it, which is stored with the event.
    """

    id: str
    projection: str
    partnership: str
    kind: str
    body: Row
    cause_index: int
    number: int = 0
    version: int = 1
    trace: Trace | None = None


@dataclass(frozen=True, slots=True)
class StoredOutput:
    """An output as it is stored: the bytes of its body may be damaged."""

    id: str
    projection: str
    partnership: str
    kind: str
    body: bytes
    cause_index: int
    number: int
    version: int
    trace: bytes | None = None

    def read(self) -> SavedOutput:
        """Return the output. Raises `ValueError` if its body is not JSON."""
        return SavedOutput(
            self.id,
            self.projection,
            self.partnership,
            self.kind,
            orjson.loads(self.body),
            self.cause_index,
            self.number,
            self.version,
            orjson.loads(self.trace) if self.trace else None,
        )


LIVE = "live"
"""The track of the folds that are read."""

REBUILD = "rebuild"
"""The track of the folds that are being rebuilt."""


@dataclass(frozen=True, slots=True)
class Fold:
    """The rows of a projection by one version of its fold; `id` identifies them in the store.

    All folds of a track have the same position in a partnership.
    """

    id: int
    projection: str
    version: int


class UnreadableRow(ValueError):
    """Stored bytes that are not a row of their projection."""

    hint = (
        "A process that folds views folds it anew from the events. Ask again in a minute; if that "
        "does not help, run accord rebuild."
    )

    def __init__(self, partnership: str, projection: str, key: str, error: Exception) -> None:
        self.partnership = partnership
        self.projection = projection
        self.detail = (
            f"The row {key} of {projection} of {partnership} cannot be read: {one_line(error)}."
        )
        super().__init__(f"{self.detail} {self.hint}")


def one_line(error: Exception) -> str:
    """Return the text of an error in one line, without a full stop."""
    return " ".join((str(error) or type(error).__name__).split()).rstrip(".")


def read_row(partnership: str, projection: str, key: str, body: bytes) -> Row:
    """Return a stored row. Raises `UnreadableRow`."""
    try:
        row = orjson.loads(body)
    except (ValueError, TypeError) as error:
        raise UnreadableRow(partnership, projection, key, error) from error
    if not isinstance(row, dict):
        raise UnreadableRow(partnership, projection, key, ValueError("it is not a JSON object"))
    return row


def typed_row(projection: Projection, partnership: str, key: str, row: Row) -> Any:  # noqa: ANN401
    """Return a stored row as its projection's type. Raises `UnreadableRow`."""
    try:
        return projection.load(key, row)
    except ValueError as error:
        raise UnreadableRow(partnership, projection.name, key, error) from error


ALL_PROJECTIONS = "all"
"""The name in a `Quarantined` of an event that no projection can fold, because it is unreadable."""


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A partnership whose events are not folded from `index` on, because one of them failed.

    Its rows are those of the events before `index`. It is folded again when it is due (see
    `infra.projecting.quarantine`).
    """

    partnership: str
    projection: str
    """The projection that failed; `ALL_PROJECTIONS` if the event cannot be read."""
    index: int
    """The first event that is not folded."""
    error: str
    """What failed, in one line."""
    since: str
    """When the partnership was quarantined first, as `domain.values.instant` writes it."""
    release: str
    """The release in which it failed last."""
    tries: int
    """How often that release has tried."""
    retry_at: str
    """When that release tries again, as `domain.values.instant` writes it."""
    newest: int
    """The newest event that was skipped; the quarantine does not end before that is folded."""
    anew: bool = False
    """Whether the saved rows are damaged, so that all events have to be folded anew."""


class OtherFold(UnknownSchema):
    """The stored rows of a projection are of another version of its fold than this release's."""

    def __init__(self, projection: str, stored: Fold | None, ours: int | None) -> None:
        self.newer = stored is not None and (ours is None or stored.version > ours)
        hint = "Use a newer release" if self.newer else f"Run accord rebuild {projection}"
        if stored is None:
            detail = f"This store has no rows of {projection} yet"
        elif ours is None:
            detail = f"This store has rows of {projection}, which this release does not fold"
            hint += ", or run accord migrate to delete them"
        else:
            detail = (
                f"The rows of {projection} are of version {stored.version} of its fold, "
                f"and this release reads version {ours}"
            )
        self.detail = f"{detail}."
        self.hint = f"{hint}."
        super().__init__(f"{detail}. {hint}")


@dataclass(frozen=True, slots=True)
class Saved:
    """The changes from folding some events in a track; saved completely or not at all.

    `positions` has the expected and the new position of each partnership: the index of its last
    folded event. `rows` have the fold's id, the partnership and the key; a row without a body is
    deleted. The position of a quarantined partnership moves only if it is among `quarantined` or
    `lifted`.
    """

    folds: Collection[int]
    """The ids of all folds of the runner, which must be all folds of the track."""
    positions: Mapping[str, tuple[int, int]]
    rows: Sequence[tuple[int, str, str, Row | None]] = ()
    outputs: Sequence[SavedOutput] = ()
    track: str = LIVE
    reset: Mapping[str, int] = field(default_factory=dict)
    """Partnerships that were folded anew, with their expected positions: all of their rows and
    their positions are deleted first."""
    quarantined: Sequence[Quarantined] = ()
    """Partnerships to quarantine, each folded up to the event before its `index`."""
    lifted: Collection[str] = ()
    """Partnerships whose quarantine ends, because all skipped events are folded."""
    skipped: Mapping[str, int] = field(default_factory=dict)
    """The newest event of each quarantined partnership that was skipped."""


def placed_at(event: Recorded, index: int, position: int) -> Recorded:
    """Return an event at its place in the history."""
    # `dataclasses.replace` takes four times as long.
    return Recorded(
        event.partnership,
        event.stream,
        event.version,
        event.event_id,
        event.act,
        event.source,
        event.source_id,
        event.event,
        event.causation_id,
        event.correlation_id,
        event.signed,
        index,
        position,
    )


def sortable(instant: str | None) -> str | None:
    """Return a moment as text that sorts by time.

    Without its Z, a moment on the second sorts before the fractions that follow it.
    """
    return instant and instant.removesuffix("Z")


class Signal:
    """Calls subscribers in this process after something was written."""

    def __init__(self) -> None:
        self._callbacks: list[Callable[[], None]] = []

    def subscribe(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call `callback` at each `notify`; the returned function ends that.

        It runs in the writer's thread after the commit, so it must be quick and not raise.
        """
        self._callbacks.append(callback)
        return lambda: self._callbacks.remove(callback)

    def notify(self) -> None:
        """Call all subscribers."""
        for callback in tuple(self._callbacks):
            callback()


class Page(NamedTuple):
    """The next events of a history."""

    events: Sequence[Recorded]
    unreadable: Sequence[tuple[str, int]]
    """The partnership and the index of each event that cannot be read."""
    last: int
    """The position of the last one; the position that was asked about if there is none."""


class History(Protocol):
    """The events, in the order in which they were recorded; a history is append-only.

    Positions count all events and indexes those of a partnership, both from 0 without gaps.
    """

    def append(self, events: Sequence[Recorded], writes: Writes = NO_WRITES) -> list[Recorded]:
        """Write all of these in one transaction; return the events with their index and position.

        Each event is stored with its leaf hash. An event with an index is appended only at that
        index. Existing `kept` items are not replaced. Raises `Conflict`, with nothing written, if a
        stream has that version already, if an input was accepted already, if another event has the
        index, if a partnership's `recorded_at` would run backwards, if a settled input does not
        wait, or if afterwards an input waits that was decided at another version of its stream.
        """

    def streams(self, names: Iterable[str]) -> dict[str, list[Recorded]]:
        """Return all events of each of these streams, by version; an unknown stream has none."""

    def below(self, stream: str) -> list[Recorded]:
        """Return the events of all streams whose names begin with `stream` and a slash, by index.

        The streams are found by their names, so the rest of the log is not read.
        """

    def heads(self, partnerships: Iterable[str]) -> dict[str, Head]:
        """Return the head of each of these partnerships that has events."""

    def results(self, keys: Iterable[Key]) -> dict[Key, CommandResult]:
        """Return the results that exist for these pairs of source and source id."""

    def after(self, position: int, limit: int) -> list[Recorded]:
        """Return the next events after `position` (`NOTHING` for the first), at most `limit`."""

    def of(self, partnership: str, start: int = 0, stop: int | None = None) -> Iterator[Recorded]:
        """Return a partnership's events from index `start` to before `stop`."""

    def following(self, reached: Mapping[str, int], limit: int) -> "Page":
        """Return the next events of these partnerships, at most `limit` of all of them.

        `reached` has an index for each (`NOTHING` for the start), which its events follow. An
        unknown partnership has none. Events that cannot be read are named, as by `readable_after`.
        """

    def bodies(self, partnership: str, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
        """Return the canonical bytes of the same events, as they are stored."""

    def entries(
        self, partnership: str, start: int = 0, stop: int | None = None
    ) -> Iterator[tuple[int, bytes, bytes]]:
        """Return the index, the bytes and the leaf hash of each event, exactly as stored."""

    def leaves(self, partnership: str, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
        """Return the leaf hashes of the same events, as stored when they were recorded."""

    def naming(self, types: Sequence[str], after: int) -> list[str]:
        """Return the partnerships with events of these types after position `after`, in order."""

    def kept(
        self, kind: str, partnership: str, keys: Iterable[str] | None = None
    ) -> dict[str, bytes]:
        """Return the kept items of one kind in a partnership, by key: all, or only these keys."""

    def forget(self, kind: str, partnership: str, keys: Iterable[str]) -> None:
        """Delete the items kept under these keys."""

    def readable_after(self, position: int, limit: int) -> "Page":
        """Return the same events, without those that cannot be read, which are named."""

    def partnerships(self, after: str = "", limit: int = 1000) -> list[str]:
        """Return the names of partnerships that have events, sorted, beginning after `after`."""

    def size(self) -> int:
        """Return the number of all events."""

    def last_recorded_at(self) -> datetime | None:
        """Return the latest moment at which an event was recorded; None if there is no event."""

    def refusals(
        self,
        state: RefusalState | None = "open",
        after: int = 0,
        limit: int = 100,
        rule: str | None = None,
    ) -> list[Refusal]:
        """Return refused inputs in this state (None: in any) whose number is beyond `after`.

        With a `rule`, only those that it refused.
        """

    def refusal(self, number: int) -> Refusal | None:
        """Return one refused input; None if the number is unknown."""

    def dismiss(self, numbers: Sequence[int], by: str, at: datetime) -> list[int]:
        """Dismiss those of these refused inputs that are open; return their numbers."""

    def unsent(self, limit: int) -> list[Refusal]:
        """Return refusals whose sender still has to learn of them, in order."""

    def mark_sent(self, numbers: Sequence[int]) -> None:
        """Record that the senders of these refused inputs were told."""

    def redact(self, refusals: Iterable[Refusal]) -> None:
        """Replace the refused inputs with these numbers."""

    def waiting(self, partnerships: Iterable[str]) -> list[Waiting]:
        """Return all waiting inputs of these partnerships, in order."""

    def all_waiting(
        self, after: int = 0, limit: int = 100, partnership: str | None = None
    ) -> list[Waiting]:
        """Return waiting inputs whose number is beyond `after`, of one partnership or of all."""

    def refused_of(self, source: str | None) -> tuple[int, int]:
        """Return how many open refusals a source has, or all (None), and their inputs' bytes."""

    def waiting_of(self, source: str | None = None) -> int:
        """Return how many inputs of a source wait; without one, of all sources."""

    def overdue(self, now: datetime) -> list[str]:
        """Return the partnerships with waiting inputs whose days are over by `now`."""

    def meta(self, key: str) -> str | None:
        """Return a setting of this store."""

    def set_meta(self, key: str, value: str) -> None:
        """Save a setting of this store."""

    def subscribe(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call `callback` after each commit of this object (see `Signal.subscribe`)."""

    @property
    def read_only(self) -> bool:
        """Whether this process may not write to the store; writing raises `ReadOnlyStore`."""

    def close(self) -> None:
        """Close all connections."""


@dataclass(frozen=True, slots=True)
class Growth:
    """The growth of a partnership's Merkle tree: its size before and after, and new nodes.

    `frontier` is that of `infra.tlog.merkle.Tree`; proofs are computed from `nodes`.
    """

    before: int
    size: int
    frontier: Sequence[bytes]
    nodes: Sequence[tuple[Node, bytes]] = ()


class Trees(Protocol):
    """The Merkle trees of all partnerships' logs, as far as they are built, and checkpoints."""

    def tree(self, partnership: str) -> Tree:
        """Return the tree as far as it is built; at first it is empty."""

    def grow(self, partnership: str, growth: Growth) -> None:
        """Save how a tree grew. Raises `Stale`, with nothing written, if it has another size."""

    def nodes(self, partnership: str, wanted: Iterable[Node]) -> dict[Node, bytes]:
        """Return those of these nodes that are saved."""

    def checkpoints(self, partnership: str) -> list[str]:
        """Return the signed notes of a partnership, by size."""

    def sizes(self, partnerships: Iterable[str]) -> dict[str, int]:
        """Return the size of the latest checkpoint of each of these that has one."""

    def keep(self, partnership: str, size: int, note: str) -> None:
        """Save a checkpoint's note. A cosigned note replaces an earlier one of the same size."""


class Behind(NamedTuple):
    """The index of a partnership's last folded event, in a rebuild and in the views."""

    partnership: str
    rebuilt: int
    live: int


class Views(Protocol):
    """What projections have folded so far: rows, positions and outputs.

    Readers name a projection and read the rows of its live fold. They raise `OtherFold` if that is
    of another version than this release's, or if the projection was not folded yet and others were.
    """

    # --- what readers ask ---

    def positions(self, projection: str, partnerships: Iterable[str]) -> dict[str, int]:
        """Return the index of the last folded event of each of these partnerships that has one."""

    def rows(self, projection: str, keys: Iterable[Key]) -> dict[Key, Row]:
        """Return the rows that exist under these pairs of partnership and key."""

    def select(
        self,
        projection: str,
        partnership: str,
        prefix: str = "",
        after: str = "",
        limit: int | None = None,
    ) -> Iterator[tuple[str, Row]]:
        """Return a partnership's rows by key: those that start with `prefix` and follow `after`."""

    def stored_rows(self, projection: str, partnership: str) -> Iterator[tuple[str, bytes]]:
        """Return the bytes of a partnership's rows by key, which may be damaged."""

    def rows_of(self, projection: str, partnerships: Iterable[str]) -> dict[str, dict[str, Row]]:
        """Return all rows of each of these partnerships, by partnership and key."""

    def due(self, projection: str, until: str) -> list[str]:
        """Return partnerships with a row whose `wake` is `until` or earlier, the earliest first.

        Both are written as `domain.values.instant` writes a moment.
        """

    def outputs(
        self, after: int = 0, limit: int = 500, partnership: str | None = None
    ) -> list[SavedOutput]:
        """Return the next outputs after number `after`, of one partnership or of all."""

    def stored_outputs(
        self, after: int = 0, limit: int = 500, partnership: str | None = None
    ) -> list[StoredOutput]:
        """Return the same outputs as they are stored."""

    # --- what a runner needs ---

    def folds(self, track: str = LIVE) -> dict[str, Fold]:
        """Return the folds of a track, by projection."""

    def begin(self, versions: Mapping[str, int]) -> dict[str, Fold]:
        """Return the live folds. In a store where nothing is folded yet, begin missing ones."""

    def track_positions(self, track: str, partnerships: Iterable[str]) -> dict[str, int]:
        """Return the position of each of these partnerships that has one in a track."""

    def load(self, keys: Iterable[tuple[int, str, str]]) -> dict[tuple[int, str, str], bytes]:
        """Return the stored rows with these ids of folds, partnerships and keys, if they exist."""

    def save(self, saved: Saved, cursor: tuple[str, int] | None = None) -> None:
        """Save the changes and the position of a cursor, in one transaction.

        An output whose id exists is not repeated. Raises `Stale`, with nothing written, if a
        position is not the expected one (`NOTHING` expects none), if the track has other folds, or
        if a partnership was quarantined or released meanwhile.
        """

    def last_output(self) -> int:
        """Return the number of the last output; 0 if there is none."""

    def cursor(self, name: str) -> int:
        """Return the position of a cursor; `NOTHING` at first."""

    def move_cursor(self, name: str, position: int) -> None:
        """Save the position of a cursor. It never moves back."""

    # --- quarantine (see `infra.projecting.quarantine`) ---

    def quarantined(
        self, partnerships: Iterable[str] | None = None, track: str = LIVE
    ) -> dict[str, Quarantined]:
        """Return the quarantined ones among these partnerships, or among all, by name."""

    def report(self, damaged: Quarantined) -> bool:
        """Quarantine a partnership whose saved rows are damaged, so that it is folded anew.

        Returns False, with nothing done, if that was reported already.
        """

    # --- what a rebuild needs (see `infra.projecting.rebuild`) ---

    def queue(self, versions: Mapping[str, int]) -> dict[str, Fold]:
        """Return the folds of the track `REBUILD`; begin them unless they are these already."""

    def behind(self, after: str = "", limit: int | None = 500) -> list[Behind]:
        """Return the next partnerships, by name, whose rebuild is behind their live position."""

    def remaining(self) -> tuple[int, int]:
        """Return how many events the rebuild has still to fold, and how many in all."""

    def swap(self, rest: Callable[[list[Behind]], Saved]) -> bool:
        """Replace the live folds of the rebuilt projections, in one transaction.

        `rest` folds the partnerships that are still behind; the result is saved first. Partnerships
        that the rebuild quarantined lose their rows, and every quarantined one is due to be folded
        again. Returns False, with nothing done, if there is no rebuild.
        """

    def drop(self, projections: Iterable[str]) -> None:
        """Take these projections out of the live track; their rows are no longer read."""

    def sweep(self) -> None:
        """Delete the rows of folds that are no longer in any track, in batches."""

    def subscribe(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Have `callback` called after each save with outputs (see `Signal.subscribe`)."""

    def close(self) -> None:
        """Close all connections."""
