"""The alerts on revenue that depends on one partner beyond the limit of the party's program (C28).

A limit is private to the party that set it, so these alerts are of its program, and nobody else
gets them. No fold can open them, because each sees one partnership.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from functools import partial

from domain.metric_catalogue import metric_words
from domain.offices import Assignee
from domain.program import PortfolioDefined
from domain.response import Office, Severity
from domain.standing_alerts import DEPENDENCY_HIGH, AlertKind
from domain.values import plain
from infra.answers import computed, portfolio
from infra.answers.logs import AsOf, row_of_each
from infra.answers.members import names_seen
from infra.bootstrap import Accord
from infra.deciding.pseudonyms import Names, renamed
from projections import ALERTS, TRAITS
from projections.alerts import STATE, Alert, AlertsState, Finding, opened
from projections.portfolio import Dependency
from projections.traits import TRAITS_ROW, Limits


def alerts_of(accord: Accord, when: AsOf) -> dict[str, list[Alert]]:
    """Return the open alerts of the viewer's party, by its program.

    Revenue in a currency that one partnership alone brings has no other to depend on less, so it
    opens none. Empty for a key of single partnerships, which does not show the whole.
    """
    viewer = when.viewer
    if not when.is_now or viewer.party is None or viewer.partnerships is not None:
        return {}
    found = _program(accord, viewer.party, when)
    if found is None:
        return {}
    program, limits = found
    answer = portfolio.ask(accord, when=when)
    moment = answer.moment or limits.recorded_at
    alerts = [
        _alert(accord, (program, limits), each, moment)
        for own in answer.portfolios
        for each in own.dependency
        if len(each.shares) > 1 and each.shares[0].percent > limits.largest_share
    ]
    return {program: alerts} if alerts else {}


def _program(accord: Accord, party: str, when: AsOf) -> tuple[str, Limits] | None:
    """Return the program of a party whose limits count: those that were recorded last."""
    names = names_seen(accord, when.viewer)
    found = computed.of_each(accord, names, "limits", partial(_limits, accord))
    own = {name: each for name, limits in found for each in limits if each.party == party}
    return max(own.items(), key=lambda each: each[1].recorded_at, default=None)


def _limits(accord: Accord, names: list[str]) -> Iterator[tuple[str, tuple[Limits, ...]]]:
    """Yield the limits that each program sets; a partnership sets none."""
    traits = row_of_each(accord, TRAITS, TRAITS_ROW, names)
    for name in names:
        limits = traits[name].limits if name in traits else None
        yield name, () if limits is None else (limits,)


def _alert(
    accord: Accord, program: tuple[str, Limits], found: Dependency, moment: datetime
) -> Alert:
    name, limits = program
    largest = found.shares[0]
    text = (
        f"{largest.id} brings {plain(largest.percent)} % of {metric_words(found.metric)} in "
        f"{found.currency}, more than the {plain(limits.largest_share)} % that {limits.party} "
        "allows. Win revenue with other partners, or set another limit (DefinePortfolio)."
    )
    about = f"{largest.id}/{found.metric}/{found.currency}"
    says = Finding(about, text, (limits.party,))
    defined = [each for each in accord.history.of(name) if isinstance(each.event, PortfolioDefined)]
    alert = opened(DEPENDENCY_HIGH, AlertKind.REMINDER, Severity.WARNING, defined[-1], says)
    return replace(alert, who_acts=tuple(_acting(accord, largest.id, limits.party, moment)))


def _acting(accord: Accord, partnership: str, party: str, moment: datetime) -> Iterator[Assignee]:
    """Yield the sponsor of the party in the partnership that it depends on."""
    states = row_of_each(accord, ALERTS, STATE, [partnership])
    state: AlertsState = states.get(partnership, AlertsState())
    who = state.people.in_office(party, Office.SPONSOR, moment.date())
    yield renamed(who, Names(accord.history, partnership)) if who.person else who
