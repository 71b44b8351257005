"""The sales of a deal, and what remains of its payments (section 4)."""

from datetime import datetime
from fractions import Fraction
from typing import NamedTuple

from tests.model.facts import (
    DealCancelled,
    DealWon,
    Party,
    PaymentReceived,
    PaymentReturned,
    ReturnReversed,
)
from tests.model.known import Known, remembered
from tests.model.tracks import Remains, running


class Sale(NamedTuple):
    """A win, and the fact that cancelled it."""

    win: DealWon
    cancelled: DealCancelled | None


@remembered
def sales(known: Known, deal: str, gains: Party) -> list[Sale]:
    """The sales of a deal. A second win counts only once the first was cancelled."""
    found: list[Sale] = []
    for win in known.wins(deal, gains):
        before = found[-1].cancelled if found else None
        if found and (not before or before.occurred_at > win.occurred_at):
            continue
        found.append(Sale(win, _cancelled(known, win, gains)))
    return found


def sale_of(known: Known, payment: PaymentReceived, gains: Party) -> Sale:
    """The sale that a payment is for: the last one won by then, else the first."""
    found = sales(known, payment.deal, gains)
    won = [sale for sale in found if sale.win.occurred_at <= payment.occurred_at]
    return won[-1] if won else found[0]


def paid_for(known: Known, sale: Sale, gains: Party) -> list[PaymentReceived]:
    """The payments for a sale, in the order in which they happened."""
    payments = known.payments(sale.win.deal, gains)
    return [each for each in payments if sale_of(known, each, gains) == sale]


def _cancelled(known: Known, win: DealWon, gains: Party) -> DealCancelled | None:
    for each in known.of(DealCancelled):
        counted = known.taking(each, win, gains) if each.deal == win.deal else None
        if counted and counted.occurred_at >= win.occurred_at:
            return counted
    return None


def conversion(known: Known, deal: str, gains: Party) -> DealWon | None:
    """The win that counts as the conversion of a deal: that of its last sale."""
    found = sales(known, deal, gains)
    return found[-1].win if found else None


def remains_of(known: Known, fact: str, at: datetime, amount: Fraction) -> Remains:
    return Remains(fact, at, known.terms.day(at), amount)


@remembered
def payment_remains(known: Known, payment: PaymentReceived, gains: Party) -> tuple[Remains, ...]:
    """What remained of a payment after each return and each reversal of one (section 4).

    Lost, won back, lost again are three facts, also under one provider id.
    """
    whole = Fraction(payment.amount.amount)
    start = remains_of(known, payment.id, payment.occurred_at, whole)
    changes: list[tuple[Remains, str]] = []
    for each in known.of(PaymentReturned):
        counted = each.payment == payment.id and known.taking(each, payment, gains)
        if counted and counted.amount.currency == payment.amount.currency:
            taken = -Fraction(counted.amount.amount)
            change = remains_of(known, each.id, counted.occurred_at, taken)
            changes.append((change, counted.provider_id))
    for each_reversal in known.of(ReturnReversed):
        counted_reversal = (
            known.earning(each_reversal, gains) if each_reversal.payment == payment.id else None
        )
        if counted_reversal:
            change = remains_of(known, each_reversal.id, counted_reversal.occurred_at, Fraction(0))
            changes.append((change, each_reversal.provider_id))
    return running(start, changes)
