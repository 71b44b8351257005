"""Which events wait: each names something that is not on record yet, and is decided after that."""

from collections.abc import Iterator
from datetime import datetime
from functools import partial
from typing import Annotated

from domain.values import Slug
from infra.access.roles import Need
from infra.answers import cursors
from infra.answers.inputs import PAGE, sender, sent_by
from infra.answers.logs import size_of
from infra.answers.outcomes import WaitingFor
from infra.answers.question import DatedPage, Item, Paging, Panel, Parameter, Question
from infra.answers.text import Block, Line, Remark, day
from infra.answers.zones import zones_of
from infra.bootstrap import Accord
from infra.deciding.intake import actor_of
from infra.store import history
from projections.visibility import OPERATOR, Viewer


class WaitingInput(Item):
    """An event that waits."""

    source: str
    """The service that sent it."""
    id: str
    """Its id there."""
    party: str
    """The party that sent it."""
    person: str | None
    """The person or the service that acts; null for a key of the operator."""
    partnership: str
    """The partnership that it is about."""
    type: str
    """Its type, such as `accord.ReceivePayment`."""
    waiting_for: WaitingFor
    """What it waits for."""
    since: datetime
    """When it arrived."""
    until: datetime
    """When its days are over. Then it is refused."""


class WaitingInputs(DatedPage[WaitingInput]):
    """Events that wait, in the order in which they came."""


def ask(
    accord: Accord,
    partnership: Annotated[
        Slug | None, Parameter("Only those of this partnership.", "ID", positional=True)
    ] = None,
    page: Paging = Paging(),  # noqa: B008 - frozen
    viewer: Viewer = OPERATOR,
) -> WaitingInputs:
    """Return the events that wait, a page at a time; a party is shown its own alone.

    A key of the operator shows the kind of what they wait for, and not its name.
    Raises `NotFound` if there is no such partnership, and for a cursor of another question.
    """
    if partnership is not None:
        size_of(accord.history, partnership)
    question = cursors.asked("waiting", partnership)
    after = 0 if page.after is None else cursors.read(question, page.after, int)[0]
    read = partial(accord.history.all_waiting, limit=PAGE, partnership=partnership)
    found = sent_by(viewer, read, after, page.limit + 1)
    shown = found[: page.limit]
    return WaitingInputs(
        simulated=accord.simulated,
        items=tuple(_waiting(each, viewer) for each in shown),
        zones=zones_of(accord, (each.partnership for each in shown)),
        next=cursors.written(question, shown[-1].number) if found[page.limit :] else None,
    )


def _waiting(each: history.Waiting, viewer: Viewer) -> WaitingInput:
    awaited = WaitingFor(kind=each.awaited_kind, id=each.awaited_id, detail=each.awaited)
    if not viewer.inputs:
        awaited = WaitingFor(kind=each.awaited_kind, id="", detail=f"a {each.awaited_kind}")
    return WaitingInput(
        source=each.source,
        id=each.source_id,
        party=each.party,
        person=actor_of(each.raw) if viewer.inputs else None,
        partnership=each.partnership,
        type=each.type,
        waiting_for=awaited,
        since=each.since,
        until=each.until,
    )


def text(found: WaitingInputs) -> Iterator[Block]:
    """Yield each event that waits, with what it waits for and until when."""
    for each in found.items:
        yield Line(f"{each.type} on {each.partnership}: {each.id} ({each.source})")
        yield Line(f"sent by {sender(each)}", indent=4)
        until = day(each.until, found.zone_of(each.partnership))
        yield Line(f"waits for {each.waiting_for.detail}, until {until}", indent=4)
    if not found.items:
        yield Remark("There are no events that wait.")


WAITING = Question(
    "waiting",
    ask,
    text,
    path="/v1/waiting",
    within="/v1/partnerships/{partnership}/waiting",
    help="List the events that wait for what they name, such as a payment before its deal.",
    panel=Panel.EVENTS,
    reads_views=False,
    gives=Need.INPUTS,
)
