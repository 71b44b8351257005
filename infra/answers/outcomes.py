"""What was decided about events: the answer of `accord ingest` and of ``POST /v1/events``."""

from collections.abc import Iterable

from infra.answers.question import Item, Result
from infra.bootstrap import Accord
from infra.deciding.batch import Outcome


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


class SignedReceipt(Item):
    """The operator's receipt of an accepted event."""

    source: str
    """The source of the event: the service that sent it."""
    id: str
    """The id that its source gave."""
    receipt: str
    """A signed note: the events stand in every checkpoint from its deadline on."""


class Report(Result):
    """What was decided about many events. Every event that was not refused is recorded."""

    accepted: int
    """How many events were accepted."""
    duplicates: int
    """Events that had been accepted before."""
    refused: tuple[RefusedEvent, ...]
    """The events that were refused."""


class OutcomeCounts:
    """Counts outcomes, and keeps those that were refused."""

    def __init__(self, outcomes: Iterable[Outcome] = ()) -> None:
        self.accepted = 0
        self.duplicates = 0
        self.refused: list[RefusedEvent] = []
        self.partnerships: dict[str, list[RefusedEvent]] = {}
        """The partnerships of the events, in the order of their first event, with refusals."""
        self.add(outcomes)

    def add(self, outcomes: Iterable[Outcome]) -> None:
        """Count outcomes."""
        for outcome in outcomes:
            found = self.partnerships.setdefault(outcome.partnership, [])
            match outcome.status:
                case "accepted":
                    self.accepted += 1
                case "duplicate":
                    self.duplicates += 1
                case "refused":
                    refused = RefusedEvent.model_validate(outcome.refusal())
                    self.refused.append(refused)
                    found.append(refused)

    def report(self, accord: Accord) -> Report:
        """Return the counts and the refusals."""
        return Report(
            simulated=accord.simulated,
            accepted=self.accepted,
            duplicates=self.duplicates,
            refused=tuple(self.refused),
        )
