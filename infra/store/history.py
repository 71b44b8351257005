"""The `History` of a store: events, and what is written with them in one transaction."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, NamedTuple, Protocol

from domain.recorded import Recorded
from infra.store.alert_acts import AlertActs
from infra.store.credentials import Credentials
from infra.store.sessions import Sessions

Key = tuple[str, str]
"""The place of a row: its partnership and its key there."""


class InputId(NamedTuple):
    """The identity of an input: the same identity is decided once.

    The party that sends an input is a part of it, so what one party sends never meets what another
    one sent. `party` is empty for an input whose party cannot be read, from a service of the
    operator.
    """

    party: str
    source: str
    source_id: str


EPOCH = "epoch"
"""The setting with a store's random identity, which is made with the store and never changes."""

NOTHING = -1
"""The index or position before the first event."""


@dataclass(frozen=True, slots=True)
class CommandResult:
    """The stored outcome of an accepted input, by its identity.

    `first` is the index of its first event in `partnership`, which the store fills in, and `count`
    the number of its events.
    """

    party: str
    source: str
    source_id: str
    fingerprint: bytes
    partnership: str
    first: int | None = None
    count: int = 0

    @property
    def input(self) -> InputId:
        """The identity of the input."""
        return InputId(self.party, self.source, self.source_id)


RefusalState = Literal["open", "resolved", "dismissed", "expired", "erased"]
"""`resolved` if the input was decided again and was accepted, or waits; `expired` if its days are
over. Only an open one has the input."""


class OpenRefusal(NamedTuple):
    """The rule of a refusal that is open, the bytes of its input, and its number."""

    rule: str
    size: int
    number: int


@dataclass(frozen=True, slots=True)
class Refusal:
    """A refused input, stored as it arrived (`raw`), so that it can be corrected and retried.

    `raw` is empty once the refusal is not open any more.

    `pointer` is the place of the fault in the input (RFC 6901), if it is at one place. `unsent` is
    whether its sender still has to learn of it: it was told before that the input waits. The store
    assigns `number`. An input has at most one open refusal, the latest.
    """

    party: str
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
    def input(self) -> InputId:
        """The identity of the input."""
        return InputId(self.party, self.source, self.source_id)

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

    It waits for events of `stream`, and `version` is the version of that stream at which it was
    decided last.
    `awaited_kind`, `awaited_id` and `awaited` (in words) say what it waits for. `until` is when its
    days are over. The store assigns `number`, the order in which waiting inputs are decided.
    """

    party: str
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
    def input(self) -> InputId:
        """The identity of the input."""
        return InputId(self.party, self.source, self.source_id)


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
    inputs that wait; what these refusals keep of the inputs is deleted. `waiting` inputs are added,
    or replaced where they waited already. `settled` are the identities of inputs that wait no
    longer.
    """

    results: Sequence[CommandResult] = ()
    refusals: Sequence[Refusal] = ()
    kept: Sequence[Kept] = ()
    waiting: Sequence[Waiting] = ()
    settled: Sequence[InputId] = ()

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


def input_of(event: Recorded) -> InputId:
    """Return the identity of the input that caused an event."""
    return InputId(event.act.party, event.source, event.source_id)


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
        event.salt,
        index,
        position,
    )


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

    def results(self, inputs: Iterable[InputId]) -> dict[InputId, CommandResult]:
        """Return the results that these inputs have."""

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

    def damaged_heads(self) -> list[tuple[str, str, str]]:
        """Return the stored heads that events disprove: the partnership, the head, the right one.

        A head that is only too large is none: its events may be missing.
        """

    def renew_heads(self) -> None:
        """Make those heads again from the events."""

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

    def refused(self, inputs: Iterable[InputId]) -> dict[InputId, OpenRefusal]:
        """Return the open refusals that these inputs have."""

    def dismiss(self, numbers: Sequence[int], by: str, at: datetime) -> list[int]:
        """Dismiss those of these refused inputs that are open; return their numbers.

        What the inputs said is deleted.
        """

    def expire(self, before: datetime, detail: str, hint: str) -> int:
        """Delete the content of refused inputs that arrived before a moment; return how many.

        They get this detail and this hint. A sender that still has to learn of one is told those.
        """

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

    def refused_of(self, party: str | None = None, source: str | None = None) -> tuple[int, int]:
        """Return how many open refusals there are, and the bytes of their inputs.

        Only those of a party, and only those of a source, if they are given.
        """

    def waiting_of(self, party: str | None = None, source: str | None = None) -> int:
        """Return how many inputs wait: all, or those of a party, of a source."""

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

    @property
    def credentials(self) -> Credentials:
        """The API keys of the store."""

    @property
    def sessions(self) -> Sessions:
        """The sessions of people who signed in with a browser."""

    @property
    def alert_acts(self) -> AlertActs:
        """What people did about alerts."""

    def close(self) -> None:
        """Close all connections."""


def partnerships(history: History, after: str = "") -> Iterator[str]:
    """Return the names of all partnerships, in order, in batches, beginning after a name."""
    last = after
    while names := history.partnerships(after=last):
        yield from names
        last = names[-1]
