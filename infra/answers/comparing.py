"""Many partnerships side by side: the portfolio, markets, candidates, attributes of partners."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import islice

from domain.metric_catalogue import CATALOGUE
from domain.values import instant
from infra.answers.logs import NOW, AsOf, NotFound, Row, log, perhaps, size_of, view_rows
from infra.bootstrap import Accord
from infra.deciding.service import wall_clock
from infra.projecting.runner import partnerships, replay_all
from projections import ALERTS, KPIS, OVERVIEW, TRAITS, ranking
from projections import attributes as performing
from projections import portfolio as side_by_side
from projections.alerts import START, STATE
from projections.fold import Rows
from projections.overview import OVERVIEW_ROW, Overview
from projections.portfolio import Member
from projections.traits import TRAITS_ROW

_READ = (OVERVIEW, TRAITS, KPIS, ALERTS)
"""The folds that a member of a portfolio is read from."""

PAGE = 500
"""Partnerships looked up at a time."""


def portfolio(accord: Accord, when: AsOf = NOW) -> Row:
    """Give the portfolio of each initiator: its partners, laggards, load, dependency (C28)."""
    moment = _moment(accord, when)
    lines: dict[str, list[Row]] = {}
    names: dict[str, str] = {}
    limits: dict[str, Row] = {}
    for member in _members(accord, partnerships(accord.history), when):
        if found := member.traits.get("limits"):
            _set_later(limits, found)
        elif whose := member.initiator:
            lines.setdefault(whose, []).append(side_by_side.line(member, moment))
            names[whose] = member.overview.names[whose]
    return {
        "as_of": {**when.as_json(), "moment": instant(moment)},
        "portfolios": [
            {
                "initiator": whose,
                "name": names[whose],
                "limits": limits.get(whose),
                **side_by_side.portfolio(lines[whose], limits.get(whose)),
            }
            for whose in sorted(lines)
        ],
    }


def markets(accord: Accord, only: Iterable[str] = (), when: AsOf = NOW) -> list[Row]:
    """Give the markets of these partnerships, or of all, by rank, with the five mistakes (C3).

    Raises `NotFound`.
    """
    asked = list(only)
    for name in asked:
        size_of(accord.history, name)
    return ranking.markets(_members(accord, asked or partnerships(accord.history), when))


def candidates(accord: Accord, partnership: str, when: AsOf = NOW) -> list[Row]:
    """Give the candidates of a partnership by rank, with the reasons. Raises `NotFound`."""
    size_of(accord.history, partnership)
    return [
        row
        for member in _members(accord, [partnership], when)
        for row in ranking.candidates(member)
    ]


def attributes(accord: Accord, metric: str, period: str | None = None, when: AsOf = NOW) -> Row:
    """Give what partners are like against their figures of a metric (C19). Raises `NotFound`."""
    if metric not in CATALOGUE:
        otherwise = "See the metrics: accord schema --metrics."
        raise NotFound(f"There is no metric {metric}.", perhaps(metric, CATALOGUE, otherwise))
    observed = (
        figure
        for member in _members(accord, partnerships(accord.history), when)
        for figure in performing.observe(member, metric, period)
    )
    return {
        "metric": metric,
        "period": period,
        "as_of": when.as_json(),
        **performing.against(observed),
    }


def _set_later(limits: dict[str, Row], found: Row) -> None:
    """Keep the limits that a party set last, should it keep more than one program."""
    before = limits.get(found["party"])
    if before is None or before["set"] <= found["set"]:
        limits[found["party"]] = found


# --- members -----------------------------------------------------------------------------------


def _members(accord: Accord, names: Iterable[str], when: AsOf) -> Iterator[Member]:
    for name in names:
        rows = _from_views(accord, name) if when == NOW else _from_log(accord, name, when)
        overview, traits, kpis, alerts = (rows[each.name] for each in _READ)
        if overview or traits:
            yield Member(
                name,
                overview.get(OVERVIEW_ROW, Overview()),
                traits.get(TRAITS_ROW, {}),
                kpis,
                sorted(alerts.get(STATE, START).open.values(), key=lambda each: each.id),
            )


def _from_views(accord: Accord, name: str) -> dict[str, Rows]:
    return {each.name: view_rows(accord, each, name) for each in _READ}


def _from_log(accord: Accord, name: str, when: AsOf) -> dict[str, Rows]:
    folded = replay_all(_READ, log(accord.history, name, when)).folded
    return {projection.name: each.rows for projection, each in folded}


def _moment(accord: Accord, when: AsOf) -> datetime:
    """Give the moment that is asked about; a simulated store's now is its last record."""
    if asked := when.at or when.known:
        return asked
    if not accord.simulated:
        return wall_clock()
    latest: list[datetime] = []
    names = partnerships(accord.history)
    while page := list(islice(names, PAGE)):
        heads = accord.history.heads(page).values()
        latest = [max([*latest, *(each.recorded_at for each in heads)])]
    return latest[0] if latest else wall_clock()
