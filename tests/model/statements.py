"""Statements and payouts (section 7), without what a later issue takes."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import date, datetime
from decimal import Decimal
from typing import NamedTuple

from tests.model.facts import Fact, Party, PayoutMade, PayoutReturned, StatementIssued, Subject
from tests.model.known import known_of
from tests.model.owed import on_hold, owed


class Key(NamedTuple):
    """What a statement shows as one difference."""

    subject: Subject
    base_fact: str
    item: str
    to: Party
    currency: str


class Account(NamedTuple):
    """What was stated to a party in a currency, and what of it was paid."""

    stated: Decimal
    paid: Decimal

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
    """Stated and paid, for each party and currency. A returned payout was not paid."""
    known = known_of(frozenset(facts), parties, known_at)
    stated: dict[tuple[Party, str], Decimal] = defaultdict(Decimal)
    paid: dict[tuple[Party, str], Decimal] = defaultdict(Decimal)
    for statement in known.of(StatementIssued):
        for line in statement.lines:
            stated[line.to, line.currency] += line.amount
    returned = {each.payout for each in known.of(PayoutReturned)}
    for first in known.of(PayoutMade):
        payout = known.own(first)
        if payout and payout.id not in returned:
            paid[payout.to, payout.amount.currency] += payout.amount.amount
    return {key: Account(stated[key], paid[key]) for key in sorted({*stated, *paid})}
