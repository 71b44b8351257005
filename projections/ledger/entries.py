"""What entries and adjustments owe: parts of joint revenue, shared costs, penalties (C10, C26)."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from domain.claims import ClaimKind
from domain.settlement import rounded, split
from domain.terms import CostShare, Item, Penalty, RevenueSplit, Trigger
from projections.ledger.counting import Known
from projections.ledger.rows import Fact, Investment, Remains, Total
from projections.ledger.tracks import Track, changing, running, single

REVENUE, COST, PENALTY, ADJUSTMENT = "revenue", "cost", "penalty", "adjustment"
"""What an entry is, as the note of its fact begins: `cost|hosting`, `revenue||inv-1`."""


@dataclass(frozen=True, slots=True)
class Owed:
    """The item that shares an entry out, its parts, and whose part goes to whom."""

    item: str
    parts: Mapping[str, Decimal]
    part_of: str
    to: str


def tracks_of_entry(
    name: str, known: Known, investments: Mapping[str, Investment]
) -> Iterator[Track]:
    """Yield what an entry earns each party, less what was reversed."""
    for key, first in known.of(ClaimKind.ENTRY):
        for to in known.parties:
            fact = known.content(key, first, to, known.other(to))
            day = known.day(fact) if fact else None
            if not fact or day is None or not known.terms.accrues(day):
                continue
            if is_penalty(fact):
                yield from _penalties(name, key, fact, to, known)
                continue
            remains = remaining(known, key, fact, to)
            for owed in shares_of(fact, known, day, investments):
                if owed.to == to:
                    yield _parts(name, key, fact, owed, day, remains)


def is_penalty(fact: Fact) -> bool:
    """Return whether an entry is a conceded penalty."""
    return fact.note.startswith(PENALTY)


def is_priced(fact: Fact, known: Known, investments: Mapping[str, Investment]) -> bool:
    """Return whether anything agreed for the day of an entry prices it or shares it out."""
    day = known.day(fact)
    if not known.terms.accrues(day):
        return False
    if is_penalty(fact):
        return bool(penalties_of(fact, known, day))
    return any(shares_of(fact, known, day, investments))


def remaining(known: Known, key: str, fact: Fact, to: str) -> tuple[Remains, ...]:
    """Return what was left of an entry after each reversal, for what a party earns by it."""
    changes = []
    for reversal, stated in known.of(ClaimKind.ENTRY_REVERSAL):
        counted = known.taking(reversal, stated, fact, to)
        if counted and counted.unit == fact.unit:
            left = Remains(reversal, counted.at, known.day(counted), -counted.amount)
            changes.append((left, reversal))
    return running(Remains(key, fact.at, known.day(fact), fact.amount), changes)


def shares_of(
    fact: Fact, known: Known, day: date, investments: Mapping[str, Investment]
) -> Iterator[Owed]:
    """Yield who owes what: who collected shares it out, who paid gets the other's part."""
    what, cost, under = (*fact.note.split("|"), "", "")[:3]
    other = known.other(fact.holder)
    to = other if what == REVENUE else fact.holder
    if under:
        known_as = investments.get(under)
        if known_as:
            parts = known_as.reward if what == REVENUE else known_as.cost
            yield Owed(f"investment-{under}", parts, other, to)
        return
    for item in known.terms.items(day):
        if _shares(item, what, cost):
            yield Owed(item.name or "", item.shares, other, to)  # type: ignore[union-attr]


def _shares(item: Item, what: str, cost: str) -> bool:
    match item:
        case RevenueSplit(trigger=Trigger.JOINT_REVENUE):
            return what == REVENUE
        case CostShare():
            return what == COST and item.cost == cost
        case _:
            return False


def _parts(  # noqa: PLR0913, PLR0917 - what a part of an entry is
    name: str, key: str, fact: Fact, owed: Owed, day: date, remains: tuple[Remains, ...]
) -> Track:
    totals = [
        Total(
            each.cause,
            each.at,
            each.day,
            split(each.amount, owed.parts, fact.unit).get(owed.part_of, Decimal(0)),
            {"basis": each.amount, "share": owed.parts.get(owed.part_of, Decimal(0))},
        )
        for each in remains
    ]
    return Track(
        f"entry/{name}", key, owed.item, owed.to, fact.unit, fact.at, day, changing(totals)
    )


def penalties_of(fact: Fact, known: Known, day: date) -> list[Penalty]:
    """Return the penalties of a day on the party that conceded one, under its condition (C10)."""
    named = (fact.holder, fact.note.partition("|")[2])
    return [
        item
        for item in known.terms.items(day)
        if isinstance(item, Penalty) and (item.on, item.condition) == named
    ]


def _penalties(name: str, key: str, fact: Fact, to: str, known: Known) -> Iterator[Track]:
    """Yield a conceded penalty: the party that conceded it owes the fee of that day (C10)."""
    if fact.holder == to:
        return
    day = known.day(fact)
    for item in penalties_of(fact, known, day):
        fee, currency = item.fee.amount, item.fee.currency
        remains = remaining(known, key, fact._replace(amount=fee, unit=currency), to)
        totals = [
            Total(each.cause, each.at, each.day, rounded(each.amount, currency), {"basis": fee})
            for each in remains
        ]
        yield Track(
            f"entry/{name}", key, item.name or "", to, currency, fact.at, day, changing(totals)
        )


def tracks_of_adjustment(name: str, known: Known) -> Iterator[Track]:
    """Yield an adjustment, which counts on any day (docs/settlement.md, Corrections)."""
    for key, fact in known.of(ADJUSTMENT):
        start = Remains(key, fact.at, known.day(fact), fact.amount)
        yield single(f"adjustment/{name}", key, ADJUSTMENT, fact.holder, fact.unit, start)
