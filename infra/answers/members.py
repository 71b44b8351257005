"""The partnerships that answers compare, read a page at a time, as one viewer sees them."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from infra.answers.logs import (
    NOW,
    AsOf,
    of_each,
    row_of_each,
    sight_of,
    size_of,
    undamaged,
    whole_log,
)
from infra.bootstrap import Accord
from infra.projecting.replay import replay_all
from infra.store.history import partnerships
from infra.store.views import typed_row
from projections import ALERTS, KPIS, OVERVIEW, SETTLEMENT, TRAITS
from projections.alerts import STATE
from projections.ledger.rows import AGREED, EARNED, TOTALS
from projections.overview import OVERVIEW_ROW
from projections.portfolio import READ, Member
from projections.traits import TRAITS_ROW
from projections.visibility import Sight

PAGE = 500
"""Partnerships that are read at a time."""


def members(accord: Accord, when: AsOf) -> Iterator[Member]:
    """Yield all partnerships and programs that the viewer is a party of, by identifier."""
    names = partnerships(accord.history)
    while page := list(islice(names, PAGE)):
        party = when.viewer.party
        mine = page if party is None else _names_of(accord, page, party)
        yield from _members(accord, mine, when)


def chosen(accord: Accord, names: Iterable[str], when: AsOf) -> Iterator[Member]:
    """Yield these partnerships. Raises `NotFound` for one that the viewer is no party of."""
    asked = list(names)
    for name in asked:
        size_of(accord.history, name)
        sight_of(accord.history, name, when, figures=False)
    while page := asked[:PAGE]:
        del asked[:PAGE]
        yield from _members(accord, page, when)


def names_of(accord: Accord, party: str) -> Iterator[str]:
    """Yield the partnerships and the programs of a party, by identifier."""
    names = partnerships(accord.history)
    while page := list(islice(names, PAGE)):
        yield from _names_of(accord, page, party)


def _names_of(accord: Accord, names: list[str], party: str) -> list[str]:
    """Return those that are a party's.

    A party never leaves, so the views of now answer for any time.
    """
    overviews = row_of_each(accord, OVERVIEW, OVERVIEW_ROW, names)
    others = [each for each in names if each not in overviews]
    traits = row_of_each(accord, TRAITS, TRAITS_ROW, others)
    return [
        each
        for each in names
        if (each in overviews and party in overviews[each].parties)
        or (each in traits and traits[each].limits and traits[each].limits.party == party)
    ]


def _members(accord: Accord, names: list[str], when: AsOf) -> Iterator[Member]:
    return _now(accord, names) if when == NOW else _then(accord, names, when)


def _now(accord: Accord, names: list[str]) -> Iterator[Member]:
    """Yield partnerships from saved rows: one statement for each projection."""
    names = undamaged(accord, names)
    rows = {
        each.name: accord.views.rows_of(each.name, names, each.facts_from)
        for each in (OVERVIEW, TRAITS, KPIS)
    }
    states = accord.views.rows(ALERTS.name, [(name, STATE) for name in names])
    rows[ALERTS.name] = {name: {key: row} for (name, key), row in states.items()}
    rows[SETTLEMENT.name] = _settled(accord, names)
    for name in names:
        loaded = {
            each.name: {
                key: typed_row(each, name, key, row)
                for key, row in rows[each.name].get(name, {}).items()
            }
            for each in READ
        }
        member = Member.of(name, loaded)
        if member.is_known:
            yield member


def _settled(accord: Accord, names: list[str]) -> dict[str, dict[str, Any]]:
    """Return what was agreed, the sums of the ledger and the statements, without the deals."""
    name = SETTLEMENT.name
    found = accord.views.rows(name, [(each, key) for each in names for key in (AGREED, TOTALS)])
    totals = {
        of: typed_row(SETTLEMENT, of, key, row) for (of, key), row in found.items() if key == TOTALS
    }
    wanted = [
        (of, key)
        for of, row in totals.items()
        for key in (
            *(f"statement/{each.name}" for each in row.statements),
            *(f"{EARNED}{year}" for year in row.years),
        )
    ]
    rows: dict[str, dict[str, Any]] = {}
    for (of, key), row in {**found, **accord.views.rows(name, wanted)}.items():
        rows.setdefault(of, {})[key] = row
    return rows


def _then(accord: Accord, names: list[str], when: AsOf) -> Iterator[Member]:
    """Return partnerships by replay of their logs, as far as the viewer sees them."""
    found = of_each(names, lambda name: _then_one(accord, name, when))
    return (each for each in found if each.is_known)


def _then_one(accord: Accord, name: str, when: AsOf) -> Member | None:
    party, sight = when.viewer.party, Sight(when.viewer)
    if party is not None:
        sight = Sight.of(when.viewer, whole_log(accord.history, name, when))
        if sight.parties and party not in sight.parties:
            return None
    events = filter(sight.reads, whole_log(accord.history, name, when))
    replayed = replay_all(READ, events).folded
    return Member.of(name, {each.name: of.rows for each, of in replayed}, sight)
