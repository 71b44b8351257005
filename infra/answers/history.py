"""The log of one partnership: who did what and when, event by event."""

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from itertools import islice
from typing import Final, NamedTuple

from pydantic import ConfigDict, Field, JsonValue, ValidationError

from domain.adoption import PartnershipAdopted
from domain.execution import IssueEscalated
from domain.kernel import CLOCK_PARTY
from domain.people import COMMITMENT
from domain.recorded import Recorded, late_days
from domain.sharing import DataSharingAgreed
from infra.answers import cursors
from infra.answers.escalated import escalated_to
from infra.answers.logs import NOW, AsOf, sight_of, size_in
from infra.answers.question import Item, Page, Paging, PartnershipId, Question
from infra.answers.text import Block, Hanging, late, minute
from infra.bootstrap import Accord
from infra.deciding.pseudonyms import Names
from infra.store.history import History
from infra.tlog.codec import UnknownEvent, UnreadableEvent, decode
from projections.timeline import words
from projections.visibility import Sight

CHUNK = 500
"""Events that are read at a time."""


def _is_none(value: object) -> bool:
    return value is None


class StoredEvent(Item):
    """An event as it is stored.

    Its canonical JSON (RFC 8785) has the bytes that are hashed, signed and bundled. A newer
    release may have written more fields than these.
    """

    model_config = ConfigDict(extra="allow")

    actor: str
    """A person by commitment, or a system by name."""
    causation_id: str | None = Field(None, exclude_if=_is_none)
    """The event that caused this one, as its sender says."""
    correlation_id: str | None = Field(None, exclude_if=_is_none)
    """The process that the event belongs to, as its sender says."""
    data: dict[str, JsonValue]
    """The fields of the event."""
    event_id: str
    """The identifier of the event."""
    occurred_at: datetime
    """When it happened, as its sender says."""
    partnership: str
    """The partnership."""
    party: str
    """The party that acted; `accord` for the clock and for agreed rules."""
    recorded_at: datetime
    """When it was recorded."""
    salt: str
    """32 hex digits by chance, which protect what it says; empty where `data` is."""
    schema_version: int
    """The version of the event's schema."""
    signed: str | None = Field(None, exclude_if=_is_none)
    """The digest of the signed command that asked for the event."""
    source: str
    """The source of the event: the service that sent it."""
    source_id: str
    """The id that its source gave."""
    stream: str
    """The stream of the event."""
    stream_version: int
    """The place of the event in its stream, from 1."""
    type: str
    """The event's `type`."""


class HistoryItem(Item):
    """One event, and what belongs to it."""

    index: int
    """Its place in the log of the partnership, from 0."""
    event: StoredEvent | None
    """The event, with empty `data` and `salt` if its count is too small to be shown; null if it is
    hidden."""
    withheld: bool
    """Whether the viewer may not see all that the event says."""
    text: str
    """What the party did, as a sentence without its subject; or why it is withheld."""
    late_days: int
    """How many whole days after it happened it was recorded; 0 if the event is hidden."""
    people: dict[str, str]
    """The names of the people in the event, by commitment."""


class PartnershipHistory(Page[HistoryItem]):
    """The events of a partnership, in the order they were recorded."""

    id: str
    """The partnership."""


def ask(
    accord: Accord,
    id: PartnershipId,
    when: AsOf = NOW,
    page: Paging = Paging(),  # noqa: B008 - frozen
) -> PartnershipHistory:
    """Return a page of the log. Raises `NotFound`.

    An event that the viewer may not see keeps its place in the log, and only that is shown. So
    does an event that a newer release wrote, unless its party or a full view asks.
    """
    question = cursors.asked("history", id, when=when)
    start = 0 if page.after is None else cursors.read(question, page.after, int)[0]
    found = list(islice(items(accord, id, when, start, page.limit + 1), page.limit + 1))
    more = found[page.limit :]
    return PartnershipHistory(
        simulated=accord.simulated,
        as_of=when.asked,
        id=id,
        next=cursors.written(question, more[0].index) if more else None,
        items=tuple(found[: page.limit]),
    )


def items(
    accord: Accord, id: str, when: AsOf = NOW, start: int = 0, chunk: int = CHUNK
) -> Iterator[HistoryItem]:
    """Return the events from index `start` on, read `chunk` at a time. Raises `NotFound`.

    As of an `at` there is no hidden event, and as of a `known` none after the last event that is
    seen. So nobody learns by asking again for other moments when a hidden one was.
    """
    sight = _sight(accord.history, id, when)
    size = size_in(accord.history, id, when)
    found = _items(accord, id, when, sight, range(start, size, chunk))
    return found if when.at is None and when.known is None else _up_to_seen(found, when)


def _sight(history: History, id: str, when: AsOf) -> Sight:
    try:
        return sight_of(history, id, when, figures=False, third_party=True)
    except UnknownEvent as error:
        # The operator reads on past what a newer release wrote, unless it says what is shown.
        viewer = when.viewer
        reads_on = viewer.party is None and viewer.candidates
        if not reads_on or error.wire == DataSharingAgreed.wire:
            raise
    return Sight.of(viewer, _known_events(history, id, when))


def _known_events(history: History, id: str, when: AsOf) -> Iterator[Recorded]:
    for index, body in enumerate(history.bodies(id, 0, size_in(history, id, when))):
        try:
            recorded = decode(body, index=index)
        except UnknownEvent as error:
            if error.wire == DataSharingAgreed.wire:
                raise
            continue
        if recorded.stream == id:
            yield recorded


def _up_to_seen(found: Iterator[HistoryItem], when: AsOf) -> Iterator[HistoryItem]:
    hidden: list[HistoryItem] = []
    for item in found:
        if item.event is None:
            hidden.append(item)
            continue
        if when.at is None:
            yield from hidden
        hidden.clear()
        yield item


def _items(
    accord: Accord, id: str, when: AsOf, sight: Sight, starts: range
) -> Iterator[HistoryItem]:
    for start in starts:
        stop = min(start + starts.step, starts.stop)
        bodies = {index: body for index, body, _ in accord.history.entries(id, start, stop)}
        texts = (body.decode(errors="replace") for body in bodies.values())
        names = Names(
            accord.history, id, {each for text in texts for each in COMMITMENT.findall(text)}
        )
        for index in range(start, stop):
            if (body := bodies.get(index)) is None:
                raise UnreadableEvent(f"{id}#{index}", "is missing.")
            event = stored(id, index, body)
            if when.is_after(index, event.recorded_at):
                return
            if when.at is None or event.occurred_at <= when.at:
                item = _item(index, body, event, sight, names)
                yield _with_people(accord, id, item) if event.type == _ESCALATED else item


def stored(id: str, index: int, body: bytes) -> StoredEvent:
    """Return an event of a partnership from its bytes. Raises `UnreadableEvent`."""
    try:
        return StoredEvent.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = "/".join(map(str, first["loc"]))
        detail = f"cannot be read: {where}{': ' if where else ''}{first['msg']}."
        raise UnreadableEvent(f"{id}#{index}", detail) from error


def _item(index: int, body: bytes, event: StoredEvent, sight: Sight, names: Names) -> HistoryItem:
    seen = seen_by(sight, index, body, event, names.recorded)
    shown = seen.event
    return HistoryItem(
        index=index,
        event=shown,
        withheld=shown is not event,
        text=seen.text,
        late_days=late_days(shown.occurred_at, shown.recorded_at) if shown else 0,
        people=names.names_in(shown.model_dump(mode="json")) if shown else {},
    )


def _with_people(accord: Accord, id: str, item: HistoryItem) -> HistoryItem:
    """Return the escalation of an issue with the people of both parties to whom it went."""
    people = escalated_to(accord.history, id, (item.index,)) if item.event else ""
    return item.model_copy(update={"text": f"{item.text}: {people}"}) if people else item


_ESCALATED: Final = IssueEscalated.wire
_ADOPTED: Final = PartnershipAdopted.wire


class Seen(NamedTuple):
    """What a viewer sees of an event."""

    event: StoredEvent | None
    """The event, with empty `data` if its count is too small to be shown; None if it is hidden."""
    text: str
    """What the party did, in words; or why it is withheld."""


def seen_by(
    sight: Sight,
    index: int,
    body: bytes,
    event: StoredEvent,
    named: Callable[[Recorded], Recorded] = lambda recorded: recorded,
) -> Seen:
    """Return what a viewer sees of an event. `named` puts names for commitments in the words.

    Raises `UnreadableEvent`.
    """
    without_data = event.model_copy(update={"data": {}, "salt": ""})
    try:
        recorded = decode(body, index=index)
    except UnknownEvent as error:
        # It may be private, so only its party and a full view see what it says.
        if sight.viewer.party not in {None, event.party}:
            return Seen(None, f"(hidden: written by a newer release. {error.hint})")
        whole = sight.viewer.full or sight.viewer.party is not None
        text = f"({event.type}, version {event.schema_version}: {error.hint})"
        return Seen(event if whole else without_data, text)
    if not sight.shows(recorded):
        return Seen(None, f"(hidden: private to {event.party or 'a party'})")
    if smallest := sight.fewer_than(recorded):
        return Seen(without_data, f"(fewer than {smallest}: not shown)")
    return Seen(event, words(named(recorded).event))


def late_facts(items: Iterable[HistoryItem]) -> list[HistoryItem]:
    """Return what a party stated a day or more after it happened.

    What is recorded by itself, such as the end of a month, is no statement of a party. Nor is what
    both parties adopted of a partnership that ran before it was recorded here.
    """
    found = [(each, each.event) for each in items if each.event]
    adopted = {event.recorded_at for _, event in found if event.type == _ADOPTED}
    return [
        each
        for each, event in found
        if each.late_days and event.party != CLOCK_PARTY and event.recorded_at not in adopted
    ]


def text(found: PartnershipHistory) -> Iterator[Block]:
    """Return a line for each event: its index, when it happened, who did what."""
    is_late = {each.index for each in late_facts(found.items)}
    for each in found.items:
        mark = f" [{late(each.late_days)}]" if each.index in is_late else ""
        happened = minute(each.event.occurred_at) if each.event else ""
        yield Hanging(f"{each.index:>5}  {happened:16}  {who(each):<24}  ", each.text + mark)


def who(item: HistoryItem) -> str:
    """Return the party that acted, and the person or system that acted for it; "" if hidden."""
    if item.event is None:
        return ""
    actor = item.event.actor
    if actor == "clock":
        return "(clock)"
    return f"{item.event.party} ({item.people.get(actor, actor)})"


HISTORY = Question(
    "history",
    ask,
    text,
    path="/v1/partnerships/{id}/history",
    help="List the events of a partnership: who did what and when.",
    private=True,
    reads_views=False,
)
