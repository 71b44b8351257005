"""What was decided about events: the answer of `accord ingest` and of ``POST /v1/events``."""

from collections.abc import Iterable
from typing import Literal, assert_never

from domain.kernel import Awaited
from infra.answers.question import Item, Result
from infra.bootstrap import Accord
from infra.deciding.batch import Outcome
from infra.store.history import InputId


class RefusedEvent(Item):
    """An event that was refused."""

    source: str
    """The source of the event: the service that sent it."""
    id: str
    """The id that its source gave."""
    rule: str
    """The rule that refused it."""
    detail: str
    """What is wrong, with the facts of this case."""
    hint: str
    """What to do about it."""
    pointer: str | None
    """Where in the event the trouble is (RFC 6901), if it is at one place."""


class WaitingFor(Item):
    """What an event waits for: something that it names and that is not on record yet."""

    kind: str
    """`referral`, `opportunity`, `win`, `payment`, `chargeback`, `reversal`, `dispute`, `entry`,
    `figure` or `observation`."""
    id: str
    """The identifier of what it waits for."""
    detail: str
    """The same in words, such as `the win of deal D-1`."""


class WaitingEvent(Item):
    """An event that waits. It is decided when what it waits for is recorded."""

    source: str
    """The service that sent it."""
    id: str
    """Its id there."""
    waiting_for: WaitingFor
    """What it waits for."""


class Caused(Item):
    """The events that were recorded."""

    first: int | None
    """The index of the first one; null if nothing was recorded."""
    count: int
    """How many events it caused."""


class MemberResult(Item):
    """What was decided about one event of a batch. Members that do not apply are null."""

    index: int
    """The place of the event in the request, from 0."""
    status: Literal["accepted", "duplicate", "waiting", "refused"]
    """`duplicate` if the same event was accepted before, `waiting` until what it names is
    recorded."""
    source: str
    """The source of the event: the service that sent it."""
    id: str
    """The id that its source gave."""
    partnership: str
    """The partnership."""
    events: Caused | None = None
    """The events that it caused."""
    receipt: str | None = None
    """The operator's receipt of an accepted event or a duplicate."""
    waiting_for: WaitingFor | None = None
    """What it waits for."""
    rule: str | None = None
    """The rule that refused it."""
    detail: str | None = None
    """Why it was refused."""
    hint: str | None = None
    """What to do about a refusal."""
    pointer: str | None = None
    """Where in the event the fault is (RFC 6901), if it is at one place."""
    lookalikes: tuple[str, ...] = ()
    """Parties and candidates of the partnership whose names are close to the new one."""


class LookalikeName(Item):
    """An accepted event with a new name that is close to another."""

    source: str
    """The service that sent it."""
    id: str
    """Its id there."""
    names: tuple[str, ...]
    """Parties and candidates of the partnership whose names are close to it."""


class SignedReceipt(Item):
    """The operator's receipt of an accepted event."""

    source: str
    """The source of the event: the service that sent it."""
    id: str
    """The id that its source gave."""
    receipt: str
    """A signed note: the events stand in every checkpoint from its deadline on."""


class Report(Result):
    """What was decided about many events: all but those refused or waiting are recorded."""

    accepted: int
    """How many events were accepted."""
    duplicates: int
    """Events that had been accepted before."""
    waiting: tuple[WaitingEvent, ...] = ()
    """Events that wait for what they name."""
    refused: tuple[RefusedEvent, ...]
    """The events that were refused."""
    lookalikes: tuple[LookalikeName, ...] = ()
    """Events with a new name that is close to another."""


class OutcomeCounts:
    """Counts outcomes, and keeps those that were refused or wait.

    An event that waits is counted by its final outcome if a later one of the feed settles it.
    """

    def __init__(self, outcomes: Iterable[Outcome] = ()) -> None:
        self.accepted = 0
        self.duplicates = 0
        self.waiting: dict[InputId, WaitingEvent] = {}
        self.refused: list[RefusedEvent] = []
        self.lookalikes: list[LookalikeName] = []
        self.partnerships: dict[str, list[RefusedEvent]] = {}
        """The partnerships of the events, in the order of their first event, with refusals."""
        self.add(outcomes)

    def add(self, outcomes: Iterable[Outcome]) -> None:
        """Count outcomes."""
        for outcome in outcomes:
            self._add(outcome)
            for each in outcome.settled:
                if self.waiting.pop(each.input, None):
                    self._add(each)

    def _add(self, outcome: Outcome) -> None:
        found = self.partnerships.setdefault(outcome.partnership, [])
        match outcome.status:
            case "accepted":
                self.accepted += 1
                if names := outcome.lookalikes:
                    close = LookalikeName(source=outcome.source, id=outcome.id, names=names)
                    self.lookalikes.append(close)
            case "duplicate":
                self.duplicates += 1
            case "waiting":
                waits = waiting_event(outcome)
                self.waiting[outcome.input] = waits
            case "refused":
                refused = RefusedEvent.model_validate(outcome.refusal())
                self.refused.append(refused)
                found.append(refused)
            case _:
                assert_never(outcome.status)

    def report(self, accord: Accord) -> Report:
        """Return the counts and the refusals."""
        return Report(
            simulated=accord.simulated,
            accepted=self.accepted,
            duplicates=self.duplicates,
            waiting=tuple(self.waiting.values()),
            refused=tuple(self.refused),
            lookalikes=tuple(self.lookalikes),
        )


def waiting_event(outcome: Outcome) -> WaitingEvent:
    """Return the event of an outcome that waits."""
    return WaitingEvent(
        source=outcome.source, id=outcome.id, waiting_for=waiting_for(outcome.waiting_for)
    )


def waiting_for(awaited: Awaited | None) -> WaitingFor:
    """Return what an event waits for. Raises `TypeError` for an event that does not wait."""
    if awaited is None:
        raise TypeError("this event does not wait")
    return WaitingFor(kind=awaited.kind.value, id=awaited.id, detail=awaited.words)
