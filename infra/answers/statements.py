"""Lists the issued statements: who owes how much, and how much of it was paid."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime
from re import fullmatch
from typing import Any

from domain import settlement
from domain.calendar import quarter_of
from domain.settlement import Balance
from domain.values import Exact, Money
from infra.answers.logs import NOW, AsOf, log, sight_of, size_of, view_rows
from infra.answers.question import Answer, Item, Panel, PartnershipId, Question
from infra.answers.statement import StatementDispute, disputes_of, in_dispute
from infra.answers.statement_state import State, StatementPayout, owed, payouts_of, state_of
from infra.answers.text import Block, Remark, Table, minute
from infra.bootstrap import Accord
from projections import SETTLEMENT
from projections.fold import replay
from projections.ledger.book import LineKey
from projections.ledger.rows import AGREED, AgreedRow, StatementRow, SubjectRow, in_words
from projections.settlement import ledger


class RunningStatement(Item):
    """What is earned by now and on no statement yet, in one currency."""

    period: str
    """The quarter of the last month in which something was earned; that month, if the statement
    that was issued last is of a month."""
    state: State
    """That it is not issued."""
    balance: Balance
    """What one party owes the other by now, and what is on hold."""


class IssuedStatement(Item):
    """A statement as it was issued, and what was paid on it."""

    statement: str
    """The identifier of the statement: its period and its currency."""
    period: str
    """Empty for a final settlement."""
    state: State
    """Whether it is settled."""
    issued_at: datetime
    """When it was issued."""
    due_on: date
    """The last day on which it is paid in time."""
    index: int
    """The index of the event that issued it."""
    balance: Balance
    """What one party owes the other by the statement."""
    paid: Exact
    """What was paid on it so far."""
    payouts: tuple[StatementPayout, ...]
    """The payouts on it, in the order of their identifiers."""
    disputes: tuple[StatementDispute, ...]
    """The open disputes about its lines, in the order of their identifiers."""


class Hold(Item):
    """What an open dispute holds of what is not stated yet."""

    dispute: str
    """The identifier of the dispute."""
    index: int
    """The index of the event that opened it."""
    about: str
    """What earned the money: `deal/D-1`."""
    fact: str
    """The fact that is priced: `payment/P-1`."""
    month: str
    """The month that the money belongs to."""
    to: str
    """The party that earned it."""
    amount: Money
    """The amount."""


class IssuedStatements(Answer):
    """The statements of a partnership, in the order of issue."""

    id: str
    """The partnership."""
    items: tuple[IssuedStatement, ...]
    """The items, in order."""
    holds: tuple[Hold, ...]
    """What is on hold, with the dispute that holds it, in the order in which they were opened."""
    running: tuple[RunningStatement, ...]
    """What is earned so far and on no statement yet, by currency."""


def ask(accord: Accord, id: PartnershipId, when: AsOf = NOW) -> IssuedStatements:
    """Return the statements that were issued, in the order of issue. Raises `NotFound`."""
    size_of(accord.history, id)
    sight_of(accord.history, id, when, figures=False)
    rows = (
        view_rows(accord, SETTLEMENT, id)
        if when.is_now
        else replay(SETTLEMENT, log(accord.history, id, when)).rows
    )
    disputes = disputes_of(accord.history, id, when, rows)
    issued = [
        _issued(row, rows, disputes.get(row.statement, ()))
        for key, row in rows.items()
        if key.startswith("statement/")
    ]
    found = sorted(issued, key=lambda each: (each.index, each.statement))
    held = sorted(holds_of(rows.values()), key=lambda each: (each.index, each.about, each.month))
    return IssuedStatements(
        simulated=accord.simulated,
        as_of=when.asked,
        id=id,
        items=tuple(found),
        holds=tuple(held),
        running=tuple(running(rows)),
    )


def running(rows: Mapping[str, Any]) -> Iterator[RunningStatement]:
    """Yield what is earned and not stated yet, by currency, from the rows of the settlement."""
    agreed: AgreedRow = rows.get(AGREED, AgreedRow())
    known = ledger(rows)
    if not agreed.is_between_two:
        return
    for currency in sorted({each.settles_in for each in (*known.accrued, *known.held)}):
        balance = settlement.balance(currency, known.accrued, known, agreed.parties)
        without_rate = any(any(each.earned.values()) for each in balance.without_rate)
        if balance.amount or balance.held or without_rate:
            last = max(each.month for each in (*known.accrued, *known.held))
            period = last if _is_monthly(rows) else quarter_of(last)
            yield RunningStatement(period=period, state=State.OPEN, balance=balance)


def _is_monthly(rows: Mapping[str, Any]) -> bool:
    """Return whether the statement that was issued last is of a month."""
    issued = (row for key, row in rows.items() if key.startswith("statement/"))
    latest = max(issued, key=lambda each: each.index, default=None)
    return latest is not None and fullmatch(r"\d{4}-\d{2}", latest.period) is not None


def holds_of(rows: Iterable[object]) -> Iterator[Hold]:
    """Yield what is on hold by a dispute, from the rows of the settlement."""
    for row in rows:
        if not isinstance(row, SubjectRow):
            continue
        for text, by_dispute in row.held.items():
            key = LineKey.of(text)
            for dispute, amount in by_dispute.items():
                yield Hold(
                    dispute=dispute,
                    index=row.disputes[dispute].cause,
                    about=key.subject,
                    fact=key.fact,
                    month=key.day[:7],
                    to=key.to,
                    amount=Money(amount=amount.own, currency=key.currency),
                )


def _issued(
    row: StatementRow, rows: Mapping[str, Any], disputes: tuple[StatementDispute, ...]
) -> IssuedStatement:
    balance = Balance.model_validate(row.balance)
    return IssuedStatement(
        statement=row.statement,
        period=row.period,
        state=state_of(balance, row),
        issued_at=row.issued_at,
        due_on=row.due_on,
        index=row.index,
        balance=balance,
        paid=row.paid,
        payouts=payouts_of(row, rows),
        disputes=disputes,
    )


def text(found: IssuedStatements) -> Iterator[Block]:
    """Yield a line for each statement."""
    yield from blocks(found.items)
    if not found.items:
        yield Remark("No statement was issued.")
    for each in found.running:
        yield Remark(f"Not issued yet, {each.period} so far: {owed(each.balance)}.")
    yield Table(
        ["DISPUTE", "EVENT", "MONTH", "TO", ">AMOUNT", "OF"],
        [
            (
                each.dispute,
                f"#{each.index}",
                each.month,
                each.to,
                f"{each.amount}",
                f"{in_words(each.fact)}, {in_words(each.about)}",
            )
            for each in found.holds
        ],
        title="on hold",
    )


def blocks(issued: Iterable[IssuedStatement], title: str = "", indent: int = 0) -> Iterator[Block]:
    """Yield a table with a line for each statement."""
    yield Table(
        ["STATEMENT", "ISSUED", "DUE", "BALANCE", "STATE"],
        [
            (
                each.statement,
                minute(each.issued_at),
                f"{each.due_on}" if each.balance.payer else "",
                owed(each.balance, each.payouts),
                _state(each),
            )
            for each in issued
        ],
        title=title,
        indent=indent,
    )


def _state(each: IssuedStatement) -> str:
    state = "to be paid" if each.state is State.ISSUED else each.state.value
    disputed = "; ".join(in_dispute(each.disputes))
    return f"{state}, in dispute: {disputed}" if disputed else state


STATEMENTS = Question(
    "statements",
    ask,
    text,
    path="/v1/partnerships/{id}/statements",
    help="List the issued statements: balance, and what was paid.",
    panel=Panel.MONEY,
)
