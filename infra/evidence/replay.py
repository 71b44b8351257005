"""What follows from a bundle: each statement in it, beside what the ledger computes.

A verifier checks that a bundle is the record, and not what the record means. Here its events are
folded again, as a store folds them.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from domain import settlement
from domain.kernel import Refused
from domain.recorded import Recorded
from domain.settlement import Balance, FinalSettlementIssued, StatementIssued
from domain.values import plain
from infra.answers import statements
from infra.answers.question import Item, Result
from infra.answers.text import Block, Line, Remark, Styled, Table, counted
from infra.evidence.verifiers import verify
from infra.tlog import codec
from projections import SETTLEMENT
from projections.fold import Folded, FoldFailed, Rows, fold
from projections.ledger.book import terms_of
from projections.ledger.rows import AGREED, AgreedRow
from projections.settlement import ledger
from projections.visibility import OPERATOR, Sight

NOT_ASKED_FOR, PRIVATE = "range", "private"
"""The reasons why a bundle withholds an event (format, section 4)."""


class CannotReplay(ValueError):
    """An event of a bundle that this release cannot read or fold."""


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


class Record(Item):
    """The verdict of the verifier on the bundle, before anything is computed from it."""

    verdict: str
    """RECORD VERIFIED, CONSISTENT, NOT PINNED, or FAULT."""
    code: str | None
    """The code of the fault."""
    index: int | None
    """The index of the fault."""
    detail: str
    """The verdict in words."""
    not_checked: tuple[str, ...]
    """What the verifier did not check."""


class Replay(Result):
    """A bundle that was verified, and the statements that follow from its events or do not."""

    origin: str | None
    """The name of the log."""
    size: int | None
    """The number of its events."""
    withheld: dict[str, int]
    """How many of them the bundle withholds, by reason."""
    record: Record
    """The verdict on the record. Nothing is computed from a record with a fault."""
    statements: tuple[Compared, ...]
    """Every issued statement, in the order of issue."""

    @property
    def differs(self) -> bool:
        """Whether the record has a fault, or any statement differs."""
        outcomes = {each.outcome for each in self.statements}
        return self.record.code is not None or Outcome.DIFFERS in outcomes

    @property
    def complete(self) -> bool:
        """Whether every statement was computed."""
        return all(each.outcome is not Outcome.NOT_COMPUTED for each in self.statements)


def replay(  # noqa: PLR0913 - whatever its reader brings
    path: Path,
    *,
    policy: Path | None = None,
    pins: Path | None = None,
    seen: Sequence[Path] = (),
    receipts: Sequence[Path] = (),
    not_before: str | None = None,
) -> Replay:
    """Verify a bundle, and compare each statement in it with the ledger that its events give.

    Raises `verify.Misuse` if a file cannot be read or a given file is not understood, and
    `CannotReplay` for an event that this release cannot read or fold.
    """
    found: Any = verify.verify(
        path, policy=policy, pins=pins, seen=seen, receipts=receipts, not_before=not_before
    )
    record = Record(**{name: found[name] for name in Record.model_fields})
    about, log = {}, BundleLog()
    if record.code is None:
        files = verify.read_container(path.read_bytes())
        about = orjson.loads(files["data/request.json"])
        log = BundleLog.read(files["data/events.jsonl"])
    return Replay(
        simulated=about.get("simulated", False),
        origin=found["origin"],
        size=found["size"],
        withheld=log.reasons(),
        record=record,
        statements=tuple(compare(log)),
    )


# --- the events --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class BundleLog:
    """The events of a bundle that are shown, and why each of the others is withheld."""

    events: list[Recorded] = field(default_factory=list)
    withheld: dict[int, str] = field(default_factory=dict)
    """The reason why an event is withheld, by its index."""

    @classmethod
    def read(cls, lines: bytes) -> "BundleLog":
        """Read the lines of a verified bundle. Raises `CannotReplay`."""
        log = cls()
        for index, line in enumerate(lines.split(b"\n")[:-1]):
            if line.startswith(b'{"why":'):
                log.withheld[index] = orjson.loads(line)["why"]
                continue
            try:
                log.events.append(codec.decode(line, index=index))
            except codec.UnreadableEvent as error:
                raise CannotReplay(
                    f"{error.detail} The bundle is of a newer release of Accord, or its operator "
                    "recorded an event that is none."
                ) from error
        return log

    def reasons(self, before: int | None = None) -> dict[str, int]:
        """Return how many events are withheld, by reason: of all, or of those before an index."""
        indexes = [each for each in self.withheld if before is None or each < before]
        reasons = [self.withheld[each] for each in indexes]
        return {why: reasons.count(why) for why in sorted(set(reasons))}


# --- the statements ----------------------------------------------------------------------------


def compare(log: BundleLog) -> Iterator[Compared]:
    """Yield every issued statement, compared with the ledger. Raises `CannotReplay`."""
    parties = Sight.of(OPERATOR, log.events).parties
    folded, done = Folded(), 0
    for place, recorded in enumerate(log.events):
        if not isinstance(recorded.event, StatementIssued | FinalSettlementIssued):
            continue
        stated = _stated(recorded.event)
        hidden = log.reasons(recorded.index)
        if NOT_ASKED_FOR in hidden:
            yield from (_not_computed(each, recorded.index, hidden) for each in stated)
            continue
        try:
            fold(SETTLEMENT, folded, log.events[done:place])
        except FoldFailed as error:
            raise CannotReplay(error.detail) from error
        done = place
        computed = _computed(folded.rows, recorded, parties)
        yield from _compared(recorded, stated, computed, hidden)


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
        yield f"The event states this balance {len(issued)} times."
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


# --- text --------------------------------------------------------------------------------------


def text(found: Replay) -> Iterator[Block]:
    """Yield the verdict on the record, each statement, and what differs."""
    record = found.record
    if record.code is not None:
        place = "" if record.index is None else f" at {record.index}"
        yield Line(f"FAULT {record.code}{place}", "bold red")
        yield Line(f"{record.detail} Nothing was computed from this record.")
        return
    if record.verdict != "RECORD VERIFIED":
        yield Remark("Keys were not pinned. Give your own policy (--policy) and pins (--pins).")
    yield Line(f"{found.origin}: {record.verdict}, {counted(found.size or 0, 'event')}", "bold")
    for why, number in found.withheld.items():
        yield Line(f"{counted(number, 'event')} withheld ({why})", indent=2)
    yield Table(
        ["STATEMENT", ">#", "IN THE LOG", "LEDGER"],
        [
            (each.statement, each.index, _owed(each.stated), Styled(each.outcome, _style(each)))
            for each in found.statements
        ],
        indent=2,
    )
    for each in found.statements:
        if each.outcome is not Outcome.AS_COMPUTED:
            yield Line()
            yield Line(f"{each.statement}: {each.outcome}", _style(each), 2)
            yield Line(each.why or "", indent=4)
            yield Table(
                ["VALUE", ">IN THE LOG", ">COMPUTED"],
                [(of.where, of.stated or "", of.computed or "") for of in each.differences],
                indent=4,
            )
    outcomes = [each.outcome for each in found.statements]
    numbers = ", ".join(f"{outcomes.count(of)} {of}" for of in Outcome if of in outcomes)
    yield Line()
    yield Line(f"{counted(len(outcomes), 'statement')}{': ' if numbers else ''}{numbers}", indent=2)


def _owed(balance: Balance | None) -> str:
    return "left out" if balance is None else statements.owed(balance)


def _style(compared: Compared) -> str:
    match compared.outcome:
        case Outcome.AS_COMPUTED:
            return "green"
        case Outcome.DIFFERS:
            return "bold red"
        case Outcome.NOT_COMPUTED:
            return "yellow"
