"""Lists the issued statements: who owes how much, and how much of it was paid."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime
from enum import StrEnum

from domain.payouts import PayoutState, Standing
from domain.settlement import Balance
from domain.values import Exact, Money, plain
from infra.answers.logs import NOW, AsOf, log, sight_of, size_of, view_rows
from infra.answers.question import Answer, Item, Panel, PartnershipId, Question
from infra.answers.text import Block, Remark, Table, minute
from infra.bootstrap import Accord
from projections import SETTLEMENT
from projections.fold import replay
from projections.ledger.book import LineKey
from projections.ledger.rows import StatementRow, SubjectRow, in_words


class State(StrEnum):
    """The states of a statement."""

    OPEN = "open"
    """A draft: it is not issued yet."""
    ISSUED = "issued"
    """It is issued, and its balance is to be paid."""
    OVERDUE = "overdue"
    """It is issued, its due day has passed, and something is left to be paid."""
    SETTLED = "settled"
    """It is issued, and nothing is left to be paid."""


class StatementPayout(Item):
    """A payout on a statement, and whether it counts."""

    payout: str
    """The identifier of the payout."""
    recorded: Exact
    """The amount as it was first recorded."""
    paid: Exact
    """What counts as paid: the amount as corrected, or 0 where it came back or the payee objected.
    """
    confirmed: Exact
    """How much of that the payee acknowledges."""
    state: PayoutState
    """Whether the payee confirmed it or objected, and whether it came back."""


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
    held = sorted(_held(rows.values()), key=lambda each: (each.index, each.about, each.month))
    return IssuedStatements(
        simulated=accord.simulated,
        as_of=when.asked,
        id=id,
        items=tuple(found),
        holds=tuple(held),
    )


def _held(rows: Iterable[object]) -> Iterator[Hold]:
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


def _issued(row: StatementRow) -> IssuedStatement:
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
        payouts=payouts_of(row.payouts),
    )


def payouts_of(payouts: Mapping[str, Standing]) -> tuple[StatementPayout, ...]:
    """Return the payouts on a statement, in the order of their identifiers."""
    return tuple(
        StatementPayout(payout=name, **each._asdict()) for name, each in sorted(payouts.items())
    )


def state_of(balance: Balance, row: StatementRow) -> State:
    """Return the state of an issued statement; one that owes nothing is settled at once."""
    if balance.payer is None or row.left <= 0:
        return State.SETTLED
    return State.OVERDUE if row.overdue else State.ISSUED


def owed(balance: Balance, payouts: Iterable[StatementPayout] = ()) -> str:
    """Return who owes how much to whom, how much of it was paid, and what the payee says of it."""
    if balance.payer is None:
        return "nobody owes anything"
    found = [*payouts]
    return "; ".join([_paid(balance, found), *_objections(balance, found)])


def _paid(balance: Balance, payouts: list[StatementPayout]) -> str:
    payer, payee, currency = balance.payer, balance.payee, balance.currency
    paid = sum(each.paid for each in payouts)
    confirmed = sum(each.confirmed for each in payouts)
    if not paid:
        return f"{payer} owes {payee} {plain(balance.amount)} {currency}"
    if paid >= balance.amount:
        more = f", {plain(paid - balance.amount)} too much" if paid > balance.amount else ""
        text = f"{payer} paid {payee} {plain(paid)} {currency}{more}"
    else:
        text = f"{payer} owes {payee} {plain(balance.amount)} {currency}, {plain(paid)} of it paid"
    if confirmed == paid:
        return text
    part = f"{plain(paid - confirmed)} of that " if confirmed else ""
    return f"{text}, {part}not confirmed by {payee}"


def _objections(balance: Balance, payouts: list[StatementPayout]) -> Iterator[str]:
    for each in payouts:
        if each.state is PayoutState.OBJECTED:
            yield f"{balance.payee} objects to payout {each.payout}"


def text(found: IssuedStatements) -> Iterator[Block]:
    """Yield a line for each statement."""
    yield from blocks(found.items)
    if not found.items:
        yield Remark("No statement was issued.")
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
                "to be paid" if each.state is State.ISSUED else each.state.value,
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
    panel=Panel.MONEY,
)
