"""The alerts on revenue that depends on one partner beyond the limit of the party's program (C28).

A limit is private to the party that set it, so these alerts are of its program, and nobody else
gets them. No fold can open them, because each sees one partnership.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import Final, NamedTuple

from domain.metric_catalogue import metric_words
from domain.offices import Assignee
from domain.program import PortfolioDefined
from domain.recorded import Recorded
from domain.response import Office
from domain.standing_alerts import DEPENDENCY_HIGH, AlertKind, response_of
from domain.values import plain
from infra.answers import computed, portfolio
from infra.answers.logs import AsOf, row_of_each, stored_log
from infra.answers.members import names_seen
from infra.bootstrap import Accord
from infra.deciding.pseudonyms import Names, renamed
from projections import ALERTS, TRAITS
from projections.alerts import START, STATE, Alert, AlertsState, Finding, opened
from projections.fold import replay
from projections.portfolio import Dependency, Portfolio
from projections.traits import TRAITS_ROW, Limits
from projections.visibility import Viewer

WAYS: Final = "Win revenue with other partners, or set another limit (DefinePortfolio)."
"""What the party can do, as the last sentence of each of these alerts."""


class Beyond(NamedTuple):
    """The open alerts of a program, and the event that set its limits."""

    defined: Recorded
    alerts: list[Alert]


def alerts_of(accord: Accord, when: AsOf) -> dict[str, list[Alert]]:
    """Return the open alerts of the viewer's party, by its program, at the moment asked about."""
    found = beyond(accord, when)
    return {found.defined.partnership: found.alerts} if found else {}


def beyond(accord: Accord, when: AsOf) -> Beyond | None:
    """Return these alerts with the limits; None if there are none.

    A party that has partnerships with a single partner has no other to depend on less, so it gets
    none. None for a key of single partnerships, which does not show the whole.
    """
    viewer = when.viewer
    if viewer.party is None or viewer.partnerships is not None:
        return None
    defined = _defined(accord, viewer.party, when)
    if defined is None:
        return None
    answer = portfolio.ask(accord, when=when)
    moment = answer.moment or defined.act.recorded_at
    limit = _limit(defined)
    alerts = [
        _alert(defined, each, _acting(accord, each.shares[0].partnerships[0], moment, when))
        for own in answer.portfolios
        for each in own.dependency
        if _is_one_of_several(each, own) and each.shares[0].percent > limit
    ]
    return Beyond(defined, alerts) if alerts else None


def is_own_program(accord: Accord, name: str, viewer: Viewer) -> bool:
    """Whether a name is that of a program of the viewer's party."""
    return viewer.party is not None and bool(_programs(accord, [name], viewer.party))


def _is_one_of_several(found: Dependency, own: Portfolio) -> bool:
    """Whether a party has other partners than the one that it depends on."""
    return len(found.shares) > 1 or len({x.partner for x in own.partners if x.active}) > 1


def _defined(accord: Accord, party: str, when: AsOf) -> Recorded | None:
    """Return the event that set the limits which count then: the one that was recorded last.

    A party may have several programs.
    """
    defined = [
        each
        for name in _programs(accord, names_seen(accord, when.viewer), party)
        for each in stored_log(accord.history, name, when)
        if isinstance(each.event, PortfolioDefined)
    ]
    return max(defined, key=lambda each: (each.act.recorded_at, each.index), default=None)


def _programs(accord: Accord, names: Iterable[str], party: str) -> list[str]:
    """Return those names that are programs of a party."""
    found = computed.of_each(accord, names, "limits", partial(_limits, accord))
    return [name for name, limits in found if any(each.party == party for each in limits)]


def _limit(defined: Recorded) -> Decimal:
    """Return the largest share, in percent, that one partner may have."""
    assert isinstance(defined.event, PortfolioDefined)  # noqa: S101 - it sets the limits
    return defined.event.largest_share


def _limits(accord: Accord, names: list[str]) -> Iterator[tuple[str, tuple[Limits, ...]]]:
    """Yield the limits that each program sets; a partnership sets none."""
    traits = row_of_each(accord, TRAITS, TRAITS_ROW, names)
    for name in names:
        limits = traits[name].limits if name in traits else None
        yield name, () if limits is None else (limits,)


def _alert(defined: Recorded, found: Dependency, acting: Assignee) -> Alert:
    largest, party = found.shares[0], defined.act.party
    text = (
        f"{largest.partner} brings {plain(largest.percent)} % of {metric_words(found.metric)} in "
        f"{found.currency}, more than the {plain(_limit(defined))} % that {party} allows. {WAYS}"
    )
    about = f"{largest.partner}/{found.metric}/{found.currency}"
    says = Finding(about, text, (party,), {found.currency: largest.amount})
    severity = response_of(DEPENDENCY_HIGH).severity
    alert = opened(DEPENDENCY_HIGH, AlertKind.REMINDER, severity, defined, says)
    return replace(alert, who_acts=(acting,))


def _acting(accord: Accord, partnership: str, moment: datetime, when: AsOf) -> Assignee:
    """Return the sponsor of the party in the partnership that brings most of the revenue."""
    assert when.viewer.party is not None  # noqa: S101 - only a party has a program
    if when.is_now:
        rows = {STATE: row_of_each(accord, ALERTS, STATE, [partnership]).get(partnership, START)}
    else:
        rows = replay(ALERTS, stored_log(accord.history, partnership, when)).rows
    state: AlertsState = rows.get(STATE, START)
    who = state.people.in_office(when.viewer.party, Office.SPONSOR, moment.date())
    return renamed(who, Names(accord.history, partnership)) if who.person else who
