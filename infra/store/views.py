"""The `Views` of a store: folded rows, positions, outputs, and quarantined partnerships."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import orjson

from infra.store.errors import UnknownSchema
from infra.store.history import Key
from infra.tlog.cloudevents import Trace
from projections.fold import Projection

Row = dict[str, Any]
"""The body of a row: a JSON object within the profile of `infra.tlog.codec`."""

LIVE = "live"
"""The track of the folds that are read."""

CURSOR = "runner"
"""The cursor in the history up to which a runner has folded all events."""

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
    except Exception as error:
        # Values that no fold saves can raise anything in the type of a row.
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


class Damage(NamedTuple):
    """Something stored beside the rows that cannot be right."""

    partnership: str
    table: str
    """Where it is stored: ``positions``, ``quarantine``, ``rows`` or ``outputs``."""
    stored: str
    expected: str | None
    """What is expected there; None if nothing is, because the partnership has no events."""

    @property
    def detail(self) -> str:
        """What is wrong, in a sentence."""
        return f"Its stored value in {self.table} is damaged: {self.stored}."


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


def sortable(instant: str | None) -> str | None:
    """Return a moment as text that sorts by time.

    Without its Z, a moment on the second sorts before the fractions that follow it.
    """
    return instant and instant.removesuffix("Z")


class StoredRow(NamedTuple):
    """A row as it is stored: its key, its bytes, and the moment by which `Views.due` finds it."""

    key: str
    body: bytes
    wake: str | None


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

    def select(  # noqa: PLR0913, PLR0917 - a range of keys
        self,
        projection: str,
        partnership: str,
        prefix: str = "",
        after: str = "",
        limit: int | None = None,
        before: str | None = None,
    ) -> Iterator[tuple[str, Row]]:
        """Return a partnership's rows by key: those that start with `prefix` and follow `after`.

        Keys from `before` on are left out.
        """

    def stored_rows(self, projection: str, partnership: str) -> Iterator[StoredRow]:
        """Return a partnership's rows by key, as they are stored; they may be damaged."""

    def rows_of(
        self, projection: str, partnerships: Iterable[str], before: str | None = None
    ) -> dict[str, dict[str, Row]]:
        """Return the rows of each of these partnerships, by partnership and key.

        Keys from `before` on are left out.
        """

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

    # --- damage ---

    def damage(self) -> list[Damage]:
        """Return the live positions and the records of quarantine that cannot be right.

        A damaged position reads as none, unless it is only too large. A damaged record reads as
        one of a partnership that is to be folded anew.
        """

    def unfolded(self) -> list[str]:
        """Return the partnerships that have events after their live position, by name.

        Quarantined ones are left out.
        """

    def strays(self) -> list[Damage]:
        """Return the rows and outputs of partnerships that have no events. Reads all of them."""

    def delete_strays(self) -> None:
        """Delete what is stored of partnerships that have no events."""

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
