"""Issued statements, each beside what the ledger computes from the events before it."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Any, NamedTuple

from domain import settlement
from domain.kernel import Refused
from domain.recorded import Recorded
from domain.settlement import Balance, FinalSettlementIssued, StatementIssued
from domain.values import counted, plain
from infra.answers.question import Item
from projections.fold import Rows
from projections.ledger.book import terms_of
from projections.ledger.rows import AGREED, AgreedRow
from projections.settlement import ledger
from projections.visibility import OPERATOR, Sight

NOT_ASKED_FOR, PRIVATE = "range", "private"
"""The reasons why a bundle withholds an event (bundle format, section 4)."""


class Outcome(StrEnum):
    """How a statement in a bundle compares with the ledger."""

    AS_COMPUTED = "as computed"
    DIFFERS = "differs"
    NOT_COMPUTED = "not computed"
    """Events that the bundle withholds are needed to compute it."""


class Difference(Item):
    """A value of a statement that differs from the computed one."""

    where: str
    """The place in the balance, such as `parts/2026-03 USD/earned/northbridge`."""
    stated: str | None
    """The value in the log; null where it has none."""
    computed: str | None
    """The value that the ledger computes; null where it has none."""


class Compared(Item):
    """A statement in the log, compared with the ledger as it was when the statement was issued."""

    statement: str
    """Its name; of a final settlement, `SETTLEMENT:CURRENCY`."""
    index: int
    """The index of the event that issued it."""
    outcome: Outcome
    """Whether the ledger computes the same balance and the same due day."""
    why: str | None
    """Why it differs or cannot be computed, where the balances do not show it."""
    stated: Balance | None
    """The balance in the log; null if a final settlement leaves it out."""
    computed: Balance | None
    """The balance that the ledger computes; null if there is none."""
    differences: tuple[Difference, ...]
    """Every value that differs."""


@dataclass(frozen=True, slots=True)
class VisibleLog:
    """The events of a log that are shown, and why each of the others is withheld."""

    events: list[Recorded] = field(default_factory=list)
    withheld: dict[int, str] = field(default_factory=dict)
    """The reason why an event is withheld, by its index."""
    last: int = -1
    """The index of the last event shown, even if it cannot be read; in a bundle, of its export."""

    def reasons(self, before: int | None = None) -> dict[str, int]:
        """Return how many events are withheld, by reason: of all, or of those before an index."""
        indexes = [each for each in self.withheld if before is None or each < before]
        reasons = [self.withheld[each] for each in indexes]
        return {why: reasons.count(why) for why in sorted(set(reasons))}

    def first(self, why: str) -> int | None:
        """Return the index of the first event that is withheld for this reason.

        Behind the last event shown, which is the export, nothing is shown for any reason.
        """
        found = (each for each, reason in self.withheld.items() if reason == why)
        return min((each for each in found if each < self.last), default=None)


# --- the statements ----------------------------------------------------------------------------


class Statements:
    """The issued statements of a log, each compared with the ledger once its event is reached."""

    def __init__(self, log: VisibleLog) -> None:
        self.compared: list[Compared] = []
        self._log = log
        self._parties = Sight.of(OPERATOR, log.events).parties

    def compare(self, recorded: Recorded, rows: Callable[[], Rows]) -> None:
        """Compare what an event states; `rows` gives the ledger before it. Raises `FoldFailed`."""
        assert isinstance(recorded.event, StatementIssued | FinalSettlementIssued)  # noqa: S101 - all that state
        stated = _stated(recorded.event)
        hidden = self._log.reasons(recorded.index)
        if NOT_ASKED_FOR in hidden:
            self.compared += (_not_computed(each, recorded.index, hidden) for each in stated)
        else:
            computed = _computed(rows(), recorded, self._parties)
            self.compared += _compared(recorded, stated, computed, hidden)


class Issued(NamedTuple):
    """What a statement says: its balance, and the day on which it is due."""

    balance: Balance
    due_on: date


class Stated(NamedTuple):
    """What a statement in the log says, under its name."""

    statement: str
    issued: Issued


def _stated(event: StatementIssued | FinalSettlementIssued) -> list[Stated]:
    match event:
        case StatementIssued(statement=name, balance=balance):
            return [Stated(name, Issued(balance, event.due_on))]
        case FinalSettlementIssued():
            return [Stated(name, Issued(each, event.due_on)) for name, each in event.by_name()]


Computed = Issued | str
"""What a statement must say, or why the ledger computes none."""


def _computed(rows: Rows, recorded: Recorded, parties: tuple[str, ...]) -> dict[str, Computed]:
    """Return what the ledger computes for an event that issues statements, by their names.

    Only this function asks the ledger.
    """
    known = ledger(rows)
    waiting = list(known.accrued)
    currencies: dict[str, str] = {}
    match recorded.event:
        case StatementIssued(statement=name, period=period, balance=balance):
            waiting = known.up_to(period)
            currencies = {name: balance.currency}
        case FinalSettlementIssued(settlement=name):
            found = sorted({each.settles_in for each in (*known.accrued, *known.held)})
            currencies = {f"{name}:{each}": each for each in found}
        case _:
            pass
    terms = terms_of(rows.get(AGREED, AgreedRow()))
    computed: dict[str, Computed] = {}
    for name, currency in currencies.items():
        try:
            balance = settlement.balance(currency, waiting, known, parties)
            computed[name] = Issued(balance, settlement.due_on(terms, recorded.act))
        except LookupError:
            computed[name] = "No terms are agreed."
        except (Refused, ValueError) as error:
            computed[name] = error.detail if isinstance(error, Refused) else "There are no parties."
    return computed


def _compared(
    recorded: Recorded, stated: list[Stated], computed: dict[str, Computed], hidden: dict[str, int]
) -> Iterator[Compared]:
    for name in dict.fromkeys([*(each.statement for each in stated), *computed]):
        issued = [each.issued for each in stated if each.statement == name]
        mine = computed.get(name, "Nothing accrued in this currency.")
        if issued == [mine]:
            outcome, why = Outcome.AS_COMPUTED, None
        else:
            outcome, why = Outcome.DIFFERS, " ".join([*_reasons(issued, mine), *_caveat(hidden)])
        yield Compared(
            statement=name,
            index=recorded.index,
            outcome=outcome,
            why=why or None,
            stated=issued[0].balance if issued else None,
            computed=mine.balance if isinstance(mine, Issued) else None,
            differences=_differences(issued, mine) if why is not None else (),
        )


def _reasons(issued: list[Issued], mine: Computed) -> Iterator[str]:
    if isinstance(mine, str):
        yield mine
    if not issued:
        yield "The final settlement leaves this balance out."
    elif len(issued) > 1:
        yield f"The event states this balance {counted(len(issued), 'time')}."
    elif not _differences(issued, mine):
        yield "The parts are in another order."


def _caveat(hidden: dict[str, int]) -> Iterator[str]:
    # An honest bundle withholds no fact that earns money, and any figure that is not shared.
    if hidden:
        yield (
            f"{counted(hidden[PRIVATE], 'event')} before it are private. If one of them reports a "
            "figure that the terms pay by, only its own party's bundle can show that the balance "
            "is right."
        )


def _not_computed(stated: Stated, index: int, hidden: dict[str, int]) -> Compared:
    return Compared(
        statement=stated.statement,
        index=index,
        outcome=Outcome.NOT_COMPUTED,
        why=f"{counted(hidden[NOT_ASKED_FOR], 'event')} before it were not asked for. "
        "Ask for the bundle from the first event on.",
        stated=stated.issued.balance,
        computed=None,
        differences=(),
    )


# --- differences -------------------------------------------------------------------------------


def _differences(issued: list[Issued], mine: Computed) -> tuple[Difference, ...]:
    stated = dict(_values_of(issued[0])) if issued else {}
    computed = dict(_values_of(mine)) if isinstance(mine, Issued) else {}
    if not (stated and computed):
        return ()
    return tuple(
        Difference(where=where, stated=_text(stated, where), computed=_text(computed, where))
        for where in dict.fromkeys([*stated, *computed])
        if stated.get(where) != computed.get(where)
    )


def _values_of(issued: Issued) -> Iterator[tuple[str, Any]]:
    yield from _values(issued.balance.model_dump())
    yield "due_on", issued.due_on


def _values(value: Any, place: str = "") -> Iterator[tuple[str, Any]]:  # noqa: ANN401 - a dump
    """Yield each value within a balance with its place; a part is named by month and currency."""
    if isinstance(value, dict):
        for name, each in value.items():
            yield from _values(each, f"{place}/{name}" if place else name)
    elif isinstance(value, list):
        names = [f"{each['month']} {each['currency']}" for each in value]
        for number, (name, each) in enumerate(zip(names, value, strict=True)):
            again = names[:number].count(name)
            yield from _values(each, f"{place}/{name}" + (f" ({again + 1})" if again else ""))
    elif value is not None:
        yield place, value


def _text(values: Mapping[str, Any], where: str) -> str | None:
    value = values.get(where)
    return plain(value) if isinstance(value, Decimal) else None if value is None else str(value)
