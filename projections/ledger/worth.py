"""What money hangs on a claim or a correction: the difference that its answer makes.

It is exact for a deal or an entry that is priced by itself. Where tiers, caps or figures decide,
it depends on other facts, and no amount is given.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace as with_fields
from decimal import Decimal
from typing import NamedTuple

from domain.terms import Item
from projections.ledger.counting import Known
from projections.ledger.deals import DealView
from projections.ledger.entries import tracks_of_entry
from projections.ledger.rows import Fact, Investment, Reply, replace

Worth = tuple[tuple[str, Decimal], ...]
"""Amounts by currency."""


class Earned(NamedTuple):
    """What a subject earns in all."""

    net: Mapping[str, Decimal]
    """What it earns the first party, less what it earns the other, by currency."""
    counted: tuple[object, ...] = ()
    """What it adds to windows, whose worth depends on other facts."""


Earns = Callable[[Known], Earned]
"""Takes the facts of a subject and returns what they earn."""


def earns_of_deal(name: str, kinds: Mapping[str, frozenset[type[Item]]]) -> Earns:
    """Return what computes the earnings of a deal; `kinds` are the items that can pay a party."""

    def earned(known: Known) -> Earned:
        views = [DealView(name, known, party, kinds[party]) for party in known.parties]
        tracks = [(each.to, each.currency, each.amount) for view in views for each in view.tracks()]
        return Earned(_net(known, tracks), tuple(each for view in views for each in view.bases()))

    return earned


def earns_of_entry(name: str, investments: Mapping[str, Investment]) -> Earns:
    """Return what computes the earnings of an entry."""

    def earned(known: Known) -> Earned:
        tracks = tracks_of_entry(name, known, investments)
        return Earned(_net(known, [(each.to, each.currency, each.amount) for each in tracks]))

    return earned


def _net(known: Known, earned: Iterable[tuple[str, str, Decimal]]) -> dict[str, Decimal]:
    found: dict[str, Decimal] = {}
    for to, currency, amount in earned:
        sign = 1 if to == known.parties[0] else -1
        found[currency] = found.get(currency, Decimal(0)) + sign * amount
    return found


def of_claim(earns: Earns, known: Known, claims: Iterable[tuple[str, str]], key: str) -> Worth:
    """Return what a claim moves: all claims confirmed, against all but this one.

    `claims` are the key and the author of each claim that awaits an answer.
    """
    others = [each for each in claims if each[0] != key]
    this = [each for each in claims if each[0] == key]
    return difference(earns(_confirmed(known, others + this)), earns(_confirmed(known, others)))


def _confirmed(known: Known, claims: Iterable[tuple[str, str]]) -> Known:
    """Return the facts as if the other party had confirmed these claims."""
    replies = dict(known.row.replies)
    for key, by in claims:
        fact = known.statement(key, by) or known.row.facts[key]
        other = known.other(by)
        replies[f"supposed/{key}/{other}"] = Reply(key, fact.at, other, fact.told, confirms=True)
    return with_fields(known, row=replace(known.row, replies=replies))


def difference(one: Earned, other: Earned) -> Worth:
    """Return by how much two earnings differ; nothing if windows decide."""
    if one.counted != other.counted:
        return ()
    found = []
    for currency in sorted({*one.net, *other.net}):
        moved = one.net.get(currency, Decimal(0)) - other.net.get(currency, Decimal(0))
        if moved:
            found.append((currency, abs(moved)))
    return tuple(found)


def of_change(
    earns: Earns, known: Known, key: str, before: Fact | None, after: Fact | None
) -> Worth:
    """Return what the change of a fact moves, as if either content had been stated alone."""

    def earned(fact: Fact | None) -> Earned:
        alone = stated(known, key, fact)
        return earns(alone if fact is None else _confirmed(alone, [(key, fact.by)]))

    return difference(earned(before), earned(after))


def stated(known: Known, key: str, fact: Fact | None) -> Known:
    """Return the facts as if one of them had this content, stated by one party alone."""
    row = known.row
    corrections = {
        name: each for name, each in row.corrections.items() if not known.is_of(each, key)
    }
    others = {name: each for name, each in row.others.items() if name != key}
    facts = {name: each for name, each in {**row.facts, key: fact}.items() if each is not None}
    changed = replace(row, facts=facts, corrections=corrections, others=others)
    return with_fields(known, row=changed)
