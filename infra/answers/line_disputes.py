"""The disputes behind the lines of a statement: what they are about, and how they ended (C24)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

from domain.dispute import DisputedLine, DisputeOpened, DisputeOutcome, DisputeResolved
from domain.recorded import Recorded
from domain.terms_by_day import TermsByDay
from domain.values import Money
from infra.answers.logs import Row
from infra.answers.question import Item

_OF_DISPUTES = "dispute/"


class LineDispute(Item):
    """A dispute about a line."""

    dispute: str
    """The identifier of the dispute."""
    index: int
    """The index of the event that opened it."""
    opened_by: str
    """The party that opened it."""
    amount: Money
    """The disputed amount, which may be of several lines."""
    outcome: DisputeOutcome | None
    """How it ended; null while it is open."""
    ended: int | None
    """The index of the event that ended it; null while it is open."""


@dataclass(frozen=True, slots=True)
class _About:
    """What a dispute is about."""

    subject: str
    line: DisputedLine | None
    day: date
    found: LineDispute


@dataclass(slots=True)
class MoneyDisputes:
    """The disputes about money of a log, by identifier, the first one first."""

    about: dict[str, _About] = field(default_factory=dict)

    def take(self, recorded: Recorded, terms: TermsByDay) -> None:
        """Note a dispute that an event opens or ends."""
        match recorded.event:
            case DisputeOpened(subject=str(subject), amount=Money() as amount) as event:
                found = LineDispute(
                    dispute=event.dispute,
                    index=recorded.index,
                    opened_by=recorded.act.party,
                    amount=amount,
                    outcome=None,
                    ended=None,
                )
                day = terms.day(recorded.act.occurred_at)
                self.about[event.dispute] = _About(subject, event.line, day, found)
            case DisputeResolved(dispute=name, outcome=outcome) if name in self.about:
                about = self.about[name]
                ended = {"outcome": outcome, "ended": recorded.index}
                self.about[name] = _About(
                    about.subject, about.line, about.day, about.found.model_copy(update=ended)
                )
            case _:
                pass

    def of(self, line: Row) -> tuple[LineDispute, ...]:
        """Return the disputes about a line of the ledger.

        A line by which a dispute moves money is about that dispute alone. Any other is about those
        that name it or its subject, if its fact was there by the day of the dispute.
        """
        if mover := line.get("dispute") or decided_by(line["cause"]):
            return tuple(each.found for name, each in self.about.items() if name == mover)
        return tuple(each.found for each in self.about.values() if _is_about(each, line))


def decided_by(cause: str) -> str:
    """Return the dispute whose decision is a cause; empty if it is something else."""
    return cause.removeprefix(_OF_DISPUTES) if cause.startswith(_OF_DISPUTES) else ""


def _is_about(about: _About, line: Mapping[str, object]) -> bool:
    named = DisputedLine(fact=str(line["fact"]), item=str(line["item"]))
    return (
        about.subject == line["about"]
        and about.line in {None, named}
        and about.found.opened_by != line["to"]
        and about.found.amount.currency == line["currency"]
        and str(line["day"]) <= about.day.isoformat()
    )
