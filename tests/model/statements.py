"""Statements and payouts (section 7), without what a later issue takes."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

from tests.model.facts import (
    Corrected,
    Fact,
    Party,
    PayoutMade,
    PayoutReturned,
    StatementIssued,
    Subject,
)
from tests.model.known import Known, known_of
from tests.model.owed import on_hold, owed


class Key(NamedTuple):
    """What a statement shows as one difference."""

    subject: Subject
    base_fact: str
    item: str
    to: Party
    currency: str


class Account(NamedTuple):
    """What was stated to a party in a currency, what of it was paid, and what of that it admits."""

    stated: Decimal
    paid: Decimal
    acknowledged: Decimal

    @property
    def due(self) -> Decimal:
        return self.stated - self.paid


def differences(
    facts: Iterable[Fact],
    parties: tuple[Party, Party],
    end: date,
    known_at: datetime | None = None,
) -> dict[Key, Decimal]:
    """What a statement up to (not with) a day takes: payable lines less what was stated.

    A missing rate leaves out the lines that need it. An open dispute holds what is not stated
    yet; what was stated is not claimed back before the decision.
    """
    found = frozenset(facts)
    totals: dict[Key, Decimal] = defaultdict(Decimal)
    blocked: set[Key] = set()
    for line in owed(found, parties, known_at):
        key = Key(line.subject, line.base_fact, line.item, line.to, line.settles_in)
        if line.settled is None:
            blocked.add(key)
        elif line.day < end:
            totals[key] += line.settled
    known = known_of(found, parties, known_at)
    for statement in known.of(StatementIssued):
        for frozen in statement.lines:
            key = Key(frozen.subject, frozen.base_fact, frozen.item, frozen.to, frozen.currency)
            totals[key] -= frozen.amount
    for held in on_hold(found, parties, known_at):
        key = Key(held.subject, held.base_fact, held.item, held.to, held.settles_in)
        if key in totals:
            totals[key] -= max(Decimal(0), min(held.settled or Decimal(0), totals[key]))
    return {key: each for key, each in sorted(totals.items()) if each and key not in blocked}


def accounts(
    facts: Iterable[Fact], parties: tuple[Party, Party], known_at: datetime | None = None
) -> dict[tuple[Party, str], Account]:
    """Stated and paid, for each party and currency."""
    known = known_of(frozenset(facts), parties, known_at)
    stated: dict[tuple[Party, str], Decimal] = defaultdict(Decimal)
    paid: dict[tuple[Party, str], Decimal] = defaultdict(Decimal)
    sure: dict[tuple[Party, str], Decimal] = defaultdict(Decimal)
    for statement in known.of(StatementIssued):
        for line in statement.lines:
            stated[line.to, line.currency] += line.amount
    for payout in known.of(PayoutMade):
        key = payout.to, payout.amount.currency
        counts, acknowledged = paid_by(payout, known)
        paid[key] += counts
        sure[key] += acknowledged
    return {key: Account(stated[key], paid[key], sure[key]) for key in sorted({*stated, *paid})}


def due_days(facts: Iterable[Fact], parties: tuple[Party, Party]) -> dict[str, date]:
    """The day on which each statement is due: that of its issue and the days agreed for that day.

    It is part of the statement, so only what was known at the issue counts.
    """
    found = frozenset(facts)
    due = {}
    for statement in found:
        if isinstance(statement, StatementIssued):
            terms = known_of(found, parties, statement.recorded_at).terms
            day = terms.day(statement.occurred_at)
            due[statement.id] = day + timedelta(days=terms.frame(day).due_days or 0)
    return due


def paid_by(payout: PayoutMade, known: Known) -> tuple[Decimal, Decimal]:
    """What a payout pays, and what of that the payee acknowledges (decisions 53, 63 to 65).

    What the payer says counts until the payee objects, and what the payee says counts against
    itself.
    """
    payee, payer = payout.to, known.other(payout.to)
    if _came_back(payout, known):
        return Decimal(0), Decimal(0)
    paid = payout.amount.amount
    acknowledged = payout.stated_by == payee or _agreed(payout, known)
    sure = paid if acknowledged else Decimal(0)
    refused = not acknowledged and known.objected_by_hand(payout)
    if refused:
        paid = Decimal(0)
    records = {payout.stated_by}
    if known.confirmed_by_hand(payout):
        records = {payee, payer}
    for correction in known.corrections_of(payout):
        new = _amount(correction)
        if known.confirmed(correction):
            paid, sure, refused = new, new, False
        elif correction.stated_by not in records:
            continue
        elif correction.stated_by == payee:
            paid, sure = max(paid, new), max(sure, new)
        elif new <= paid:
            paid, sure = new, min(sure, new)
        elif not refused and not known.objected_by_hand(correction):
            paid = new
    return paid, sure


def _came_back(payout: PayoutMade, known: Known) -> bool:
    return any(
        each.payout == payout.id and (each.stated_by != payout.to or _agreed(each, known))
        for each in known.of(PayoutReturned)
    )


def _agreed(fact: PayoutMade | PayoutReturned, known: Known) -> bool:
    return known.confirmed(fact) or known.on_word(fact)


def _amount(correction: Corrected) -> Decimal:
    right = correction.replacement
    return right.amount.amount if isinstance(right, PayoutMade) else Decimal(0)
