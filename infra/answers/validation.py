"""What events would be decided, without recording them: of `accord validate` and its route."""

from collections.abc import Iterator, Sequence

from infra.answers.outcomes import WaitingFor, waiting_for
from infra.answers.question import Item, Result
from infra.answers.text import Block, Line
from infra.bootstrap import Accord
from infra.deciding.batch import Outcome

REFUSED = "refused"


class Validated(Item):
    """The outcome that an event would have."""

    index: int
    """The place of the event among those given, from 0."""
    source: str
    """The source of the event: the service that sent it."""
    id: str
    """The id that its source gave."""
    status: str
    """`accepted`, `duplicate`, `waiting` or `refused`, as when it is sent."""
    count: int
    """How many events it would record."""
    rule: str | None
    """The rule that would refuse it; null if none would."""
    detail: str | None
    """What is wrong, with the facts of this case; null if nothing is."""
    hint: str | None
    """What to do about it; null if nothing is wrong."""
    pointer: str | None
    """Where in the event the trouble is (RFC 6901), if it is at one place."""
    waiting_for: WaitingFor | None
    """What it would wait for; null if it would not wait."""


class Validation(Result):
    """The outcomes that events would have, each after the ones before it. Nothing is recorded."""

    valid: bool
    """Whether none would be refused."""
    items: tuple[Validated, ...]
    """The outcomes, in the order of the events."""


def validate(accord: Accord, raws: Sequence[bytes]) -> Validation:
    """Return the outcomes that messages would have if they were sent now."""
    return validation(accord, accord.service.validate(raws))


def validation(accord: Accord, outcomes: Sequence[Outcome]) -> Validation:
    """Return outcomes as an answer."""
    return Validation(
        simulated=accord.simulated,
        valid=not any(each.status == REFUSED for each in outcomes),
        items=tuple(_validated(index, each) for index, each in enumerate(outcomes)),
    )


def _validated(index: int, outcome: Outcome) -> Validated:
    return Validated(
        index=index,
        source=outcome.source,
        id=outcome.id,
        status=outcome.status,
        count=outcome.count if outcome.status != "duplicate" else 0,
        rule=outcome.rule,
        detail=outcome.detail,
        hint=outcome.hint,
        pointer=outcome.pointer,
        waiting_for=outcome.waiting_for and waiting_for(outcome.waiting_for),
    )


def text(found: Validation) -> Iterator[Block]:
    """Yield a line for each event, with the reason and the hint where it is not accepted."""
    for each in found.items:
        yield Line(f"{each.status:<9} {each.id or '(no id)'} ({each.source or 'no source'})")
        if each.waiting_for:
            yield Line(f"waits for {each.waiting_for.detail}", indent=2)
        if each.rule:
            at = f" at {each.pointer}" if each.pointer else ""
            yield Line(f"{each.rule}{at}: {each.detail}", indent=2)
            yield Line(f"Hint: {each.hint}", indent=2)
    counts: dict[str, int] = {"accepted": 0}
    for each in found.items:
        counts[each.status] = counts.get(each.status, 0) + 1
    shown = ", ".join(f"{count} {status}" for status, count in counts.items())
    yield Line(f"{shown}. Nothing was recorded.")
