"""Which inputs were refused: each with its rule and a hint, kept so that it can be retried."""

from collections.abc import Iterator
from datetime import datetime
from typing import Annotated

from infra.answers import cursors
from infra.answers.question import Item, Page, Paging, Panel, Parameter, Question
from infra.answers.text import Block, Line, Remark
from infra.bootstrap import Accord
from infra.store import records
from infra.store.records import RefusalState


class RefusedInput(Item):
    """An input that was refused."""

    number: int
    """The number to retry it by."""
    state: RefusalState
    """Whether it is open, was retried since, or was erased with a person's name."""
    source: str
    """The source of the event: the service that sent it."""
    id: str
    """The id of the refused event."""
    subject: str | None
    """The partnership, if the input names one."""
    type: str | None
    """The event's `type`."""
    rule: str
    """The rule that refused it."""
    detail: str
    """What is wrong, with the facts of this case."""
    hint: str
    """What to do about it."""
    pointer: str | None
    """Where in the input the trouble is (RFC 6901), if it is at one place."""
    received_at: datetime
    """When it arrived."""
    message: str
    """The input as it came."""


class Refusals(Page[RefusedInput]):
    """Refused inputs, in the order in which they came."""


def ask(
    accord: Accord,
    all: Annotated[bool, Parameter("Also those that were retried or erased.")] = False,  # noqa: FBT002 - passed by name
    page: Paging = Paging(),  # noqa: B008 - frozen
) -> Refusals:
    """Return a page of refused inputs. Raises `NotFound` for a cursor of another question."""
    after = 0 if page.after is None else cursors.read("rejected", page.after, int)[0]
    found = accord.history.refusals(None if all else "open", after, page.limit + 1)
    shown = found[: page.limit]
    return Refusals(
        simulated=accord.simulated,
        items=tuple(map(_refusal, shown)),
        next=cursors.written("rejected", shown[-1].number) if found[page.limit :] else None,
    )


def _refusal(each: records.Refusal) -> RefusedInput:
    return RefusedInput(
        number=each.number,
        state=each.state,
        source=each.source,
        id=each.source_id,
        subject=each.subject,
        type=each.type,
        rule=each.rule,
        detail=each.detail,
        hint=each.hint,
        pointer=each.pointer,
        received_at=each.received_at,
        message=each.raw.decode(errors="replace"),
    )


def text(found: Refusals) -> Iterator[Block]:
    """Yield each refused input with its number, its rule and its hint."""
    for each in found.items:
        state = "" if each.state == "open" else f", {each.state}"
        at = f" at {each.pointer}" if each.pointer else ""
        what = f"{each.type or 'no type'} on {each.subject or 'no partnership'}"
        yield Line(f"{each.number}  {what}: {each.id} ({each.source or 'no source'}){state}")
        yield Line(f"{each.rule}{at}: {each.detail}", indent=4)
        yield Line(f"Hint: {each.hint}", indent=4)
    if not found.items:
        yield Remark("There are no refused inputs.")
    elif found.next is None:
        yield Remark("Decide one again, unchanged: accord retry NUMBER.")


REFUSALS = Question(
    "rejected",
    ask,
    text,
    path="/v1/refusals",
    help="List the inputs that were refused. They are kept and can be retried.",
    panel=Panel.INGEST,
)
