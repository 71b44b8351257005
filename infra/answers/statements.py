"""Lists the issued statements: who owes how much, and how much of it was paid."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from domain.settlement import Balance
from domain.values import Exact, plain
from infra.answers.logs import NOW, AsOf, log, sight_of, size_of, view_rows
from infra.answers.question import Answer, Item, PartnershipId, Question
from infra.answers.text import Block, Remark, Table, minute
from infra.bootstrap import Accord
from projections import SETTLEMENT
from projections.fold import replay
from projections.ledger.rows import StatementRow


class State(StrEnum):
    """The states of a statement."""

    OPEN = "open"
    """A draft: it is not issued yet."""
    ISSUED = "issued"
    """It is issued, and its balance is to be paid."""
    SETTLED = "settled"
    """It is issued, and nothing is left to be paid."""


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
    index: int
    """The index of the event that issued it."""
    balance: Balance
    """What one party owes the other by the statement."""
    paid: Exact
    """What was paid on it so far."""


class IssuedStatements(Answer):
    """The statements of a partnership, in the order of issue."""

    id: str
    """The partnership."""
    items: tuple[IssuedStatement, ...]
    """The items, in order."""


def ask(accord: Accord, id: PartnershipId, when: AsOf = NOW) -> IssuedStatements:
    """Return the statements that were issued, in the order of issue. Raises `NotFound`."""
    size_of(accord.history, id)
    sight_of(accord.history, id, when, figures=False)
    rows = (
        view_rows(accord, SETTLEMENT, id)
        if when.is_now
        else replay(SETTLEMENT, log(accord.history, id, when)).rows
    )
    issued = [_issued(row) for key, row in rows.items() if key.startswith("statement/")]
    found = sorted(issued, key=lambda each: (each.index, each.statement))
    return IssuedStatements(simulated=accord.simulated, as_of=when.asked, id=id, items=tuple(found))


def _issued(row: StatementRow) -> IssuedStatement:
    balance = Balance.model_validate(row.balance)
    return IssuedStatement(
        statement=row.statement,
        period=row.period,
        state=state_of(balance, row.paid),
        issued_at=row.issued_at,
        index=row.index,
        balance=balance,
        paid=row.paid,
    )


def state_of(balance: Balance, paid: Decimal) -> State:
    """Return the state of an issued statement; one that owes nothing is settled at once."""
    return State.SETTLED if balance.payer is None or paid == balance.amount else State.ISSUED


def owed(balance: Balance, paid: Decimal) -> str:
    """Return who owes how much to whom, and how much of it was paid."""
    if balance.payer is None:
        return "nobody owes anything"
    amount = f"{plain(balance.amount)} {balance.currency}"
    if paid and paid == balance.amount:
        return f"{balance.payer} paid {balance.payee} {amount}"
    part = f", {plain(paid)} of it paid" if paid else ""
    return f"{balance.payer} owes {balance.payee} {amount}{part}"


def text(found: IssuedStatements) -> Iterator[Block]:
    """Yield a line for each statement."""
    yield from blocks(found.items)
    if not found.items:
        yield Remark("No statement was issued.")


def blocks(issued: Iterable[IssuedStatement], title: str = "", indent: int = 0) -> Iterator[Block]:
    """Yield a table with a line for each statement."""
    yield Table(
        ["STATEMENT", "ISSUED", "BALANCE", "STATE"],
        [
            (
                each.statement,
                minute(each.issued_at),
                owed(each.balance, each.paid),
                "settled" if each.state is State.SETTLED else "to be paid",
            )
            for each in issued
        ],
        title=title,
        indent=indent,
    )


STATEMENTS = Question(
    "statements",
    ask,
    text,
    path="/v1/partnerships/{id}/statements",
    help="List the issued statements: balance, and what was paid.",
)
