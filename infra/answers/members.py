"""The partnerships that answers compare, read a page at a time, as one viewer sees them."""

from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import replace
from functools import partial
from itertools import islice
from operator import attrgetter
from typing import Any, NamedTuple, TypeVar

from domain.kernel import Refused
from infra.answers import computed
from infra.answers.logs import (
    NOW,
    AsOf,
    is_program_of,
    lacks_a_figure,
    of_each,
    own_stream,
    row_of_each,
    sight_among,
    sight_of,
    size_of,
    undamaged,
    whole_log,
)
from infra.bootstrap import Accord
from infra.projecting.replay import replay_all
from infra.store.history import partnerships
from infra.store.views import typed_row
from infra.tlog.codec import UnreadableEvent
from projections import ALERTS, DEADLINES, KPIS, OVERVIEW, SETTLEMENT, TRAITS
from projections.alerts import START, STATE, AlertsState, for_viewer
from projections.deadlines import FIGURES
from projections.fold import replay
from projections.kpis import agreed_row
from projections.ledger.rows import AGREED, EARNED, TOTALS
from projections.overview import OVERVIEW_ROW
from projections.portfolio import READ, Member
from projections.traits import TRAITS_ROW
from projections.visibility import Sight, Viewer

T = TypeVar("T")

PAGE = 500
"""Partnerships that are read at a time."""


def members(accord: Accord, when: AsOf) -> Iterator[Member]:
    """Yield all partnerships and programs that the viewer is a party of, by identifier."""
    names = names_seen(accord, when.viewer)
    while page := list(islice(names, PAGE)):
        yield from _members(accord, page, when)


def of_members(
    accord: Accord,
    when: AsOf,
    asked: Hashable,
    part: Callable[[Member], T],
    still: Callable[[T], bool],
) -> Iterator[T]:
    """Yield the part of each partnership and program that the viewer is a party of.

    A part is computed again only when its partnership changes, or is not `still` right at this
    moment; `asked` names what it is.
    """

    def compute(names: list[str]) -> Iterator[tuple[str, T]]:
        while page := names[:PAGE]:
            del names[:PAGE]
            yield from ((each.id, part(each)) for each in _members(accord, page, when))

    names = names_seen(accord, when.viewer)
    for _, each in computed.of_each(accord, names, (asked, when), compute, still):
        yield each


def chosen(accord: Accord, names: Iterable[str], when: AsOf) -> Iterator[Member]:
    """Yield these partnerships. Raises `NotFound` for one that the viewer is no party of."""
    asked = list(names)
    for name in asked:
        size_of(accord.history, name)
        sight_of(accord.history, name, when, figures=False)
    while page := asked[:PAGE]:
        del asked[:PAGE]
        yield from _members(accord, page, when)


def names_seen(
    accord: Accord, viewer: Viewer, after: str = "", *, third_party: bool = False
) -> Iterator[str]:
    """Yield the partnerships and the programs that a viewer sees, by identifier, after a name.

    `third_party` is for `seen_among`.
    """
    names = partnerships(accord.history, after)
    while page := list(islice(names, PAGE)):
        yield from seen_among(accord, page, viewer, third_party=third_party)


def seen_among(
    accord: Accord, names: Iterable[str], viewer: Viewer, *, third_party: bool = False
) -> list[str]:
    """Return those partnerships and programs that a viewer sees.

    A party never leaves, so the views of now answer for any time. With `third_party` they include
    those to which the viewer owes figures as the neutral third party.
    """
    limits, party = viewer.partnerships, viewer.party
    found = [each for each in names if limits is None or each in limits]
    return found if party is None else _names_of(accord, found, party, third_party=third_party)


def check_seen(accord: Accord, viewer: Viewer, partnership: str) -> None:
    """Raise `Refused` for a partnership that a viewer does not see.

    It is refused in the same words whether there is one of this name or not. Unlike `seen_among`
    it reads the events, so a partnership is seen from its first event on.
    """
    if _sees(accord, viewer, partnership):
        return
    raise Refused(
        "not-your-partnership",
        f"There is no partnership {partnership} that this credential may see.",
        "Choose a partnership that it sees: the portfolio has them, and accord list.",
    )


def _sees(accord: Accord, viewer: Viewer, partnership: str) -> bool:
    limits, party = viewer.partnerships, viewer.party
    if limits is not None and partnership not in limits:
        return False
    if party is None:
        # Its key can name a partnership that does not exist, and learns nothing of those that do.
        return limits is None or any(accord.history.bodies(partnership, 0, 1))
    try:
        events = own_stream(accord.history, partnership)
    except UnreadableEvent:
        return bool(_names_of(accord, [partnership], party))
    sight = Sight.of(viewer, events)
    # A program has no parties; it is of the party that keeps it.
    of_program = not events and is_program_of(party, accord.history.of(partnership))
    return party in sight.parties or sight.is_third_party or of_program


class _Involved(NamedTuple):
    """Who is in a partnership or a program."""

    parties: tuple[str, ...]
    """The parties of a partnership, or the one that keeps a program."""
    givers: frozenset[str] = frozenset()
    """Who gives figures by the lines of the data-sharing protocol, such as the third party."""


def _names_of(
    accord: Accord, names: list[str], party: str, *, third_party: bool = False
) -> list[str]:
    found = computed.of_each(accord, names, "involved", partial(_involved, accord))
    return [
        name
        for name, each in found
        if party in each.parties or (third_party and party in each.givers)
    ]


def _involved(accord: Accord, names: list[str]) -> Iterator[tuple[str, _Involved]]:
    overviews = row_of_each(accord, OVERVIEW, OVERVIEW_ROW, names)
    figures = row_of_each(accord, DEADLINES, FIGURES, names)
    others = [each for each in names if each not in overviews]
    traits = row_of_each(accord, TRAITS, TRAITS_ROW, others)
    for name, each in overviews.items():
        lines = figures[name].lines if name in figures else ()
        yield name, _Involved(each.parties, frozenset(line.by for line in lines))
    for name, each in traits.items():
        yield name, _Involved((each.limits.party,) if each.limits else ())


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
        if lacks_a_figure(accord, name, agreed_row(member.kpis)):
            yield from _then(accord, [name], NOW)
        elif member.is_known:
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
    party = when.viewer.party
    sight = sight_among(whole_log(accord.history, name, when.recorded), when)
    if party is not None and sight.parties and party not in sight.parties:
        return None
    events = filter(sight.reads, whole_log(accord.history, name, when))
    replayed = replay_all(READ, events).folded
    member = Member.of(name, {each.name: of.rows for each, of in replayed}, sight)
    if sight.sees_every_figure:
        return member
    # A figure that the viewer does not see is reported, too, so no alert on it stays open.
    state: AlertsState = replay(ALERTS, whole_log(accord.history, name, when)).rows.get(
        STATE, START
    )
    found = for_viewer(state.open.values(), member.alerts)
    return replace(member, alerts=tuple(sorted(found, key=attrgetter("id"))))
