"""The state of a statement, and the payouts on it."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from domain.payouts import Known, Payout, PayoutState, Standing
from domain.settlement import Balance
from domain.terms_by_day import TermsByDay
from domain.values import Exact, plain
from infra.answers.question import Item
from projections.ledger.book import terms_of
from projections.ledger.rows import AGREED, AgreedRow, StatementRow


class State(StrEnum):
    """The states of a statement."""

    OPEN = "open"
    """A draft: it is not issued yet."""
    ISSUED = "issued"
    """It is issued, and its balance is to be paid."""
    OVERDUE = "overdue"
    """It is issued, its due day has passed, and something is left to be paid."""
    PAYMENT_STATED = "payment stated"
    """It is issued, and paid as the payer states. The payee has not agreed, and can object."""
    SETTLED = "settled"
    """It is issued, and nothing is left to be paid: the payee agreed to each payout, or its time to
    object is over."""


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
    stated_by: str
    """The party that recorded it first."""
    paid_at: datetime
    """When it was paid, as that party states."""
    index: int | None
    """The index of the event that recorded it first."""
    waits_for: str | None
    """The party whose answer it awaits; null if none does."""
    agreed_on: date | None
    """The day on which silence counts as that answer; null if it never does."""


def payouts_of(row: StatementRow, rows: Mapping[str, Any]) -> tuple[StatementPayout, ...]:
    """Return the payouts on a statement, in the order of their identifiers."""
    terms = terms_of(rows.get(AGREED, AgreedRow()))
    return tuple(
        _payout(name, each, rows[f"payout/{name}"], terms)
        for name, each in sorted(row.payouts.items())
    )


def _payout(name: str, standing: Standing, payout: Payout, terms: TermsByDay) -> StatementPayout:
    assert payout.recorded is not None  # noqa: S101 - a statement has the recorded ones alone
    event, said = payout.recorded
    waits = standing.state is PayoutState.NOT_CONFIRMED
    known = Known(payout, terms, date.min)
    return StatementPayout(
        payout=name,
        **standing._asdict(),
        stated_by=said.party,
        paid_at=said.at,
        index=said.cause,
        waits_for=event.payee if waits else None,
        agreed_on=known.next_deadline() if waits else None,
    )


def state_of(balance: Balance, row: StatementRow) -> State:
    """Return the state of an issued statement; one that owes nothing is settled at once."""
    if balance.payer is None:
        return State.SETTLED
    if row.left <= 0:
        agreed = sum((each.confirmed for each in row.payouts.values()), Decimal(0))
        return State.SETTLED if agreed >= balance.amount else State.PAYMENT_STATED
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
        did = "paid" if confirmed == paid else "states that it paid"
        text = f"{payer} {did} {payee} {plain(paid)} {currency}{more}"
    else:
        text = f"{payer} owes {payee} {plain(balance.amount)} {currency}, {plain(paid)} of it paid"
    if confirmed == paid:
        return text
    part = f"{plain(paid - confirmed)} of that " if confirmed else ""
    days = [each.agreed_on for each in payouts if each.agreed_on]
    until = f", whose silence confirms it on {min(days)}" if days else ""
    return f"{text}, {part}not confirmed by {payee}{until}"


def _objections(balance: Balance, payouts: list[StatementPayout]) -> Iterator[str]:
    for each in payouts:
        if each.state is PayoutState.OBJECTED:
            yield f"{balance.payee} objects to payout {each.payout}"
