"""Which inputs were refused: each with its rule and a hint, kept so that it can be retried.

A refusal leaves the list when its input is accepted, or when an operator dismisses it.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from functools import partial
from typing import Annotated

from domain.aggregates import command_types
from infra.access.roles import Need
from infra.answers import cursors
from infra.answers.inputs import PAGE, sender, sent_by
from infra.answers.logs import NotFound
from infra.answers.parameters import LONGEST_PAGE, Flag
from infra.answers.problems import KnownRule, catalogue
from infra.answers.question import (
    Item,
    Page,
    Paging,
    Panel,
    Parameter,
    Question,
    Result,
)
from infra.answers.text import Block, Line, Remark
from infra.bootstrap import Accord
from infra.deciding.intake import actor_of
from infra.store import history
from infra.store.history import RefusalState
from infra.tlog.cloudevents import PREFIX
from projections.visibility import OPERATOR, Viewer

TYPES = frozenset(f"{PREFIX}{name}" for name in command_types())
"""The types of events that can be sent. Another one can be any text of its sender."""


class RefusedInput(Item):
    """An input that was refused."""

    number: int
    """Its number, with which it can be retried."""
    state: RefusalState
    """Whether it is open, was resolved (its input was accepted since, or waits), was dismissed, has
    expired because its days were over, or was erased with a person's name."""
    source: str
    """The source of the event: the service that sent it."""
    id: str
    """The id of the refused event."""
    party: str | None
    """The party that it names, or else the party that sent it; null if neither is known."""
    person: str | None
    """The person or the service that acts, while the refusal is open; null later, if it names none,
    and for a key of the operator."""
    subject: str | None
    """The partnership, if the input names one."""
    type: str | None
    """The event's `type`; null if it has none, for a key of the operator also if it is unknown."""
    rule: str
    """The rule that refused it."""
    detail: str
    """What is wrong, with the facts of this case; for a key of the operator the rule's meaning."""
    hint: str | None
    """What to do about it; null for a key of the operator, because it can name private facts."""
    pointer: str | None
    """Where in the input the trouble is (RFC 6901), if it is at one place; null for a key of the
    operator."""
    received_at: datetime
    """When it arrived."""
    message: str | None
    """The input as it came, while the refusal is open; null later, and for a key of the operator,
    because it can have private facts."""
    dismissed_by: str | None
    """Who dismissed it."""
    dismissed_at: datetime | None
    """When it was dismissed."""


RuleName = Annotated[KnownRule | None, Parameter("Only those that this rule refused.", "RULE")]


class Refusals(Page[RefusedInput]):
    """Refused inputs, in the order in which they came."""


def ask(
    accord: Accord,
    all: Annotated[Flag, Parameter("Also those that are not open any more.")] = False,  # noqa: FBT002 - passed by name
    rule: RuleName = None,
    page: Paging = Paging(),  # noqa: B008 - frozen
    viewer: Viewer = OPERATOR,
) -> Refusals:
    """Return a page of refused inputs; a party is shown its own alone.

    A key of the operator shows what was refused and by which rule, and not what the input says.
    Raises `NotFound` for a cursor of another question.
    """
    question = cursors.asked("refusals", all, rule)
    after = 0 if page.after is None else cursors.read(question, page.after, int)[0]
    read = partial(accord.history.refusals, None if all else "open", limit=PAGE, rule=rule)
    found = sent_by(viewer, lambda last: read(after=last), after, page.limit + 1)
    shown = found[: page.limit]
    return Refusals(
        simulated=accord.simulated,
        items=tuple(_refusal(each, viewer) for each in shown),
        next=cursors.written(question, shown[-1].number) if found[page.limit :] else None,
    )


def _refusal(each: history.Refusal, viewer: Viewer) -> RefusedInput:
    return RefusedInput(
        number=each.number,
        state=each.state,
        source=each.source,
        id=each.source_id,
        party=each.party or None,
        person=actor_of(each.raw) if viewer.inputs and each.raw else None,
        subject=each.subject,
        type=each.type if viewer.inputs or each.type in TYPES else None,
        rule=each.rule,
        detail=each.detail if viewer.inputs else _meaning(each.rule),
        hint=each.hint if viewer.inputs else None,
        pointer=each.pointer if viewer.inputs else None,
        received_at=each.received_at,
        message=_message(each) if viewer.inputs else None,
        dismissed_by=each.dismissed_by,
        dismissed_at=each.dismissed_at,
    )


def _message(each: history.Refusal) -> str | None:
    return each.raw.decode(errors="replace") if each.state == "open" else None


def _meaning(rule: str) -> str:
    """Return what a rule means in every case, without the facts of one."""
    known = catalogue().get(rule.partition(":")[0])
    return known.meaning if known else rule


def text(found: Refusals) -> Iterator[Block]:
    """Yield each refused input with its number, its rule and its hint."""
    for each in found.items:
        by = f" by {each.dismissed_by}" if each.dismissed_by else ""
        state = "" if each.state == "open" else f", {each.state}{by}"
        at = f" at {each.pointer}" if each.pointer else ""
        what = f"{each.type or 'no type'} on {each.subject or 'no partnership'}"
        yield Line(f"{each.number}  {what}: {each.id} ({each.source or 'no source'}){state}")
        if each.party:
            yield Line(f"sent by {sender(each)}", indent=4)
        yield Line(f"{each.rule}{at}: {each.detail}", indent=4)
        if each.hint:
            yield Line(f"Hint: {each.hint}", indent=4)
    if not found.items:
        yield Remark("There are no refused inputs.")
    elif found.next is None:
        yield Remark("Decide one again: accord retry NUMBER. Close one: accord dismiss NUMBER.")


# --- retrying and dismissing -------------------------------------------------------------------


def chosen(
    accord: Accord, number: int | None = None, rule: str | None = None
) -> Iterator[Sequence[history.Refusal]]:
    """Yield pages of refusals to retry or to dismiss: one by its number, else all open ones.

    With a `rule`, only those that it refused. Raises `NotFound` for a number without an open
    refusal.
    """
    if number is not None:
        found = accord.history.refusal(number)
        if found is None or found.state != "open":
            missing = f"There is no refusal {number}."
            state = f"Refusal {number} is {found.state}." if found else missing
            raise NotFound(state, "List the open refusals, with their numbers.")
        yield [found]
        return
    # Those that are refused again keep their numbers, so each is chosen once.
    after = 0
    while page := accord.history.refusals("open", after, LONGEST_PAGE, rule):
        yield page
        after = page[-1].number


class Dismissed(Result):
    """Refusals that were dismissed."""

    numbers: tuple[int, ...]
    """Their numbers."""


def dismiss(accord: Accord, pages: Iterable[Sequence[history.Refusal]], by: str) -> Dismissed:
    """Dismiss these refusals in the name of an operator; return which were dismissed."""
    now = accord.clock()
    numbers = [
        number
        for page in pages
        for number in accord.history.dismiss([each.number for each in page], by, now)
    ]
    return Dismissed(simulated=accord.simulated, numbers=tuple(numbers))


REFUSALS = Question(
    "refusals",
    ask,
    text,
    path="/v1/refusals",
    help="List the inputs that were refused. They are kept and can be retried.",
    panel=Panel.EVENTS,
    gives=Need.INPUTS,
)
