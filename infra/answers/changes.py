"""The changes of alerts as a feed, which a reader can leave and continue by an id.

`GET /v1/alerts/stream` and `accord follow` send this feed. The id of a message names the store and
the last change that its reader has seen. An id that does not belong to this store is answered by a
fresh start that says so, because what its reader missed cannot be determined.
"""

from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from hashlib import sha256
from typing import Any, Final, Literal, NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from pydantic import BaseModel

from domain.standing_alerts import OBJECTIVE_MISSED
from infra.answers import alerts, cursors
from infra.answers.escalated import named
from infra.answers.logs import AsOf, NotFound, sight_of
from infra.answers.members import seen_among
from infra.answers.parameters import LONGEST_PAGE
from infra.answers.question import Item, Paging
from infra.bootstrap import Accord
from infra.store.history import EPOCH
from infra.store.views import StoredOutput
from projections import ALERTS
from projections.alerts import Alert, AlertState
from projections.visibility import OPERATOR, Viewer

CHANGES: Final = "alert changes"
"""What the ids of the feed are cursors of."""

LONGEST_ID: Final = 500
"""Characters of an id at most. Ids of this feed have about 90."""


class Since(StrEnum):
    """Where a feed begins for a reader without an id."""

    NOW = "now"
    """Only later changes."""
    STATE = "state"
    """The open alerts, then later changes."""
    BEGIN = "begin"
    """Every change that was ever recorded."""


class ResetReason(StrEnum):
    """Why the feed does not continue after an id."""

    NOT_AN_ID = "not-an-id"
    """The text is not an id of this feed."""
    OTHER_STORE = "other-store"
    """The id comes from another store."""
    UNKNOWN_CHANGE = "unknown-change"
    """This store does not have the change: it was restored from an earlier copy."""


class Reset(Item):
    """The feed does not continue after the reader's id: it starts afresh.

    The reader may have missed changes. It should forget the alerts that it knows; those that are
    open follow.
    """

    reason: ResetReason
    """The reason, in words."""
    detail: str
    """The reason in words."""


class Ready(Item):
    """The start of the feed is complete: what follows are later changes."""

    open: int
    """How many open alerts were sent at the start."""


class Heartbeat(Item):
    """The feed is alive; sent while nothing changes."""

    unfolded: int
    """Recorded events that are not folded yet; alerts that they open or end come later."""


EventName = Literal["alert", "reset", "ready", "heartbeat"]
"""The names of the messages of the feed."""

BODIES: Final[Mapping[EventName, type]] = {
    "alert": Alert,
    "reset": Reset,
    "ready": Ready,
    "heartbeat": Heartbeat,
}
"""The model of the body of each message."""


class Message(NamedTuple):
    """One message of the feed: its name, its body, and the id after which the feed continues.

    The id is None where the reader cannot continue after the message, and empty where it must
    forget the id that it has.
    """

    event: EventName
    body: dict[str, Any]
    id: str | None

    @property
    def alert(self) -> Alert | None:
        """The alert, if the message is one."""
        if self.event != "alert":
            return None
        found: Alert = ALERTS.load(self.body["id"], self.body)
        return found


class Batch(NamedTuple):
    """The next messages of a feed; none if nothing changed. `after` is the id of the last one."""

    messages: Sequence[Message]
    after: str


def feed(
    accord: Accord,
    since: Since = Since.STATE,
    seen: str | None = None,
    partnership: str | None = None,
    viewer: Viewer = OPERATOR,
) -> Iterator[Batch]:
    """Yield batch after batch, without end. After an empty one, wait before the next.

    A viewer gets the alerts of the partnerships that it sees.

    It continues after the id `seen`. Without one, or after a reset, it begins as `since` says; a
    reset never begins at `now`, because open alerts could be missed. An alert can come twice at the
    start, and the later message is the newer one. Raises `OtherFold` while views are rebuilt.
    """
    ids = Ids(accord)
    number, reset = ids.number_of(seen) if seen else (None, None)
    if reset is not None:
        # An empty id makes the reader forget its own, if it reconnects before `ready`.
        yield Batch([_message("reset", reset, "")], "")
        since = Since.STATE if since is Since.NOW else since
    count = 0
    if number is None:
        # Read before the open alerts are, so that no change falls between them and the changes.
        number = 0 if since is Since.BEGIN else accord.views.last_output()
        if since is Since.STATE:
            for found in _open(accord, partnership, AsOf(viewer=viewer)):
                count += len(found)
                yield Batch([_standing(each) for each in found], "")
    yield Batch([_message("ready", Ready(open=count), ids.of(number))], ids.of(number))
    yield from _changes(accord, ids, number, partnership, viewer)


def _changes(
    accord: Accord, ids: "Ids", number: int, partnership: str | None, viewer: Viewer
) -> Iterator[Batch]:
    after = ids.of(number)
    while True:
        outputs = accord.views.stored_outputs(number, partnership=partnership)
        if outputs:
            number, after = outputs[-1].number, ids.after(outputs[-1])
        seen = set(seen_among(accord, {each.partnership for each in outputs}, viewer))
        found = [
            Message("alert", body, ids.after(each))
            for each in outputs
            if each.kind == "alert" and each.partnership in seen
            if (body := _seen_by(accord, each.read().body, viewer)) is not None
        ]
        if found or not outputs:
            yield Batch(found, after)


def _open(accord: Accord, partnership: str | None, when: AsOf) -> Iterator[Sequence[Alert]]:
    """Yield the open alerts, a page at a time; none of a partnership that does not exist yet."""
    if partnership is not None and not accord.history.heads([partnership]):
        return
    page: Paging | None = Paging(limit=LONGEST_PAGE)
    while page is not None:
        found = alerts.ask(accord, partnership, AlertState.OPEN, when, page)
        if found.items:
            yield found.items
        page = Paging(found.next, LONGEST_PAGE) if found.next else None


def _seen_by(accord: Accord, body: dict[str, Any], viewer: Viewer) -> dict[str, Any] | None:
    """Return a changed alert as a viewer has it; None if it has none.

    A missed objective is an alert only of those who see that the figures miss it (C14).
    """
    if body["rule"] != OBJECTIVE_MISSED:
        return _named(accord, body)
    when = AsOf(viewer=viewer)
    try:
        sight = sight_of(accord.history, body["partnership"], when, third_party=True)
        if sight.sees_every_figure:
            return _named(accord, body)
        own = alerts.one(accord, body["id"], when)
    except NotFound:
        return None
    return ALERTS.dump(own.id, own)


def _named(accord: Accord, body: dict[str, Any]) -> dict[str, Any]:
    """Return an alert as it is stored, with its people by name."""
    stored: Alert = ALERTS.load(body["id"], body)
    (alert,) = named(accord.history, stored.partnership, [stored])
    return ALERTS.dump(alert.id, alert)


def _standing(alert: Alert) -> Message:
    return Message("alert", ALERTS.dump(alert.id, alert), None)


def _message(event: EventName, body: BaseModel, id: str) -> Message:
    return Message(event, body.model_dump(mode="json"), id)


# --- ids ---------------------------------------------------------------------------------------


class Ids:
    """The ids of one store's changes.

    An id has the number of an output, and a mark of that output. The mark differs if a store was
    restored from an earlier copy and has made other outputs since. Both are encrypted, because the
    number counts the changes of all partnerships. The key follows from the epoch, which is random,
    made with the store and shown to nobody. An id begins with the name of its epoch, so that one of
    another store is known.
    """

    def __init__(self, accord: Accord) -> None:
        self._views = accord.views
        epoch = (accord.history.meta(EPOCH) or "").encode()
        self._name = sha256(b"name " + epoch).hexdigest()[:12]
        self._cipher = AESSIV(sha256(b"key " + epoch).digest())

    def of(self, number: int) -> str:
        """Return the id of an output by its number; 0 is the place before the first."""
        return self.written(number, self._mark(number) or "")

    def after(self, output: StoredOutput) -> str:
        """Return the id of an output."""
        return self.written(output.number, _mark(output))

    def number_of(self, id: str) -> tuple[int | None, Reset | None]:
        """Return the number of the output that an id names, or why there is none."""
        try:
            # What is cut off a longer text leaves no cursor.
            name, sealed = cursors.read(CHANGES, id[:LONGEST_ID], str, str)
            if name != self._name:
                detail = "The id comes from another store."
                return None, Reset(reason=ResetReason.OTHER_STORE, detail=detail)
            number, mark = self._opened(sealed)
        except (NotFound, ValueError, InvalidTag):
            detail = "The id is not one of this stream."
            return None, Reset(reason=ResetReason.NOT_AN_ID, detail=detail)
        if self._mark(number) == mark:
            return number, None
        detail = "This store does not have the change. It was restored from a copy."
        return None, Reset(reason=ResetReason.UNKNOWN_CHANGE, detail=detail)

    def _opened(self, sealed: str) -> tuple[int, str]:
        """Return the number and the mark in an id. Raises `InvalidTag` or `ValueError`."""
        plain = self._cipher.decrypt(bytes.fromhex(sealed), None)
        return int.from_bytes(plain[:8]), plain[8:].decode()

    def _mark(self, number: int) -> str | None:
        """Return the mark of an output by its number; None if there is none of this number."""
        if number == 0:
            return ""
        # Databases take integers of 64 bits, and an id may have any.
        if not 0 < number <= self._views.last_output():
            return None
        found = self._views.stored_outputs(number - 1, 1)
        return _mark(found[0]) if found and found[0].number == number else None

    def written(self, number: int, mark: str) -> str:
        """Return the id with a number and a mark."""
        sealed = self._cipher.encrypt(number.to_bytes(8) + mark.encode(), None)
        return cursors.written(CHANGES, self._name, sealed.hex())


def _mark(output: StoredOutput) -> str:
    return sha256(f"{output.id} {output.cause_index}".encode() + output.body).hexdigest()[:12]
