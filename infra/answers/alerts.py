"""The alerts of one partnership or of all, as they are now or were at a moment.

An alert has the form of its row (`projections.alerts.Alert`). Each change of one is sent in the
same form: by the feed of `infra.answers.changes`, and on the topic `accord.alerts`.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from functools import partial
from itertools import islice
from typing import Annotated, Any, Final

from domain.standing_alerts import OBJECTIVE_MISSED, OF_ONE_PARTY, AlertKind
from domain.terms import UTC
from domain.values import Slug, instant
from infra.access.roles import Need
from infra.answers import alert_acts, computed, cursors, dependency_alerts, duplicate_credits
from infra.answers.alert_endings import Ending, ending
from infra.answers.escalated import named
from infra.answers.logs import (
    NOW,
    AsOf,
    NotFound,
    log,
    sight_of,
    size_of,
    stored_log,
    undamaged,
)
from infra.answers.members import PAGE, names_seen, seen_among
from infra.answers.question import DatedPage, Paging, Parameter, Question
from infra.answers.text import Block, Hanging, Line, Remark, amount, day
from infra.answers.zones import zones_of
from infra.bootstrap import Accord
from infra.projecting.quarantine import alert_of
from infra.store.views import typed_row
from infra.tlog.codec import UnreadableEvent
from projections import ALERTS
from projections.alert_acts import Handling
from projections.alert_subjects import NOTHING, Subject, subject
from projections.alerts import START, STATE, Alert, AlertState, acts, answered, day_of, for_viewer
from projections.fold import FoldFailed, replay
from projections.visibility import OPERATOR, Viewer

_STYLES = {
    AlertKind.BREACH: "bold red",
    AlertKind.REMINDER: "yellow",
    AlertKind.OPERATOR: "bold magenta",
}
"""The styles of open alerts."""

_NOT_HANDLED: Final[Mapping[str, Handling]] = {}

_KINDS = {AlertKind.REMINDER: "reminder", AlertKind.OPERATOR: "for the operator"}
"""The mark after the name of an alert that is not a breach."""


class Alerts(DatedPage[Alert]):
    """Alerts by partnership, those that opened first before the others."""

    handling: Mapping[str, Handling] = {}
    """What the viewer's side has done about open alerts of this page, by the id of the alert."""
    about: Mapping[str, Subject] = {}
    """The metric, the unit and the agreement that alerts of this page are about, by the id of the
    alert; none of one that is about no figure."""
    ends: Mapping[str, Ending] = {}
    """What ends each open alert of this page, by the id of the alert."""


def ask(
    accord: Accord,
    partnership: Annotated[
        Slug | None, Parameter("One partnership; all unless given.", "ID", positional=True)
    ] = None,
    state: Annotated[AlertState | None, Parameter("Only alerts in this state.")] = None,
    when: AsOf = NOW,
    page: Paging = Paging(),  # noqa: B008 - frozen
) -> Alerts:
    """Return a page of alerts, each as it is now or was at the moment that is asked about.

    Raises `NotFound` for an unknown partnership or a cursor of another question.
    """
    start, since, last = ("", "", "")
    question = cursors.asked("alerts", partnership, state, when=when)
    if page.after is not None:
        start, since, last = cursors.read(question, page.after, str, str, str)
    if partnership is not None:
        size_of(accord.history, partnership)
        if not dependency_alerts.is_own_program(accord, partnership, when.viewer):
            sight_of(accord.history, partnership, when, figures=False)
    found: list[Alert] = []
    alone = _alone(accord, when)
    names = _from(accord, start, when.viewer) if partnership is None else iter([partnership])
    for name, alerts in _alerts(accord, names, when, is_list=partnership is None):
        for each in sorted([*alerts, *alone.get(name, ())], key=_order):
            seen = name == start and (instant(each.since), each.id) <= (since, last)
            if not seen and state in {None, each.state}:
                found.append(each)
        if len(found) > page.limit:
            break
    following = None
    if len(found) > page.limit:
        final = found[page.limit - 1]
        place = (final.partnership, instant(final.since), final.id)
        following = cursors.written(question, *place)
    items = tuple(found[: page.limit])
    return Alerts(
        simulated=accord.simulated,
        as_of=when.asked,
        next=following,
        items=items,
        handling=alert_acts.handled(accord, items, when),
        about=dict(_subjects(accord, items, when)),
        ends={each.id: ending(each) for each in items if each.state is AlertState.OPEN},
        zones=zones_of(accord, (each.partnership for each in items)),
    )


def _subjects(accord: Accord, items: Iterable[Alert], when: AsOf) -> Iterator[tuple[str, Subject]]:
    """Yield what each alert of a partnership is about, if it is about a figure."""
    shared = [each for each in items if each.rule not in OF_ONE_PARTY]
    of_all = [each for each in shared if each.kind is not AlertKind.OPERATOR]
    names = list(dict.fromkeys(each.partnership for each in of_all))
    raised = dict(_all_raised(accord, names, when, is_list=True))
    for each in of_all:
        rows = raised[each.partnership].rows if each.partnership in raised else {}
        found = subject(rows.get(STATE, START), each)
        if found != NOTHING:
            yield each.id, found


def _all_raised(
    accord: Accord, names: list[str], when: AsOf, *, is_list: bool
) -> Iterable[tuple[str, "_Raised"]]:
    # Both parties see the alerts of a rule that both agreed, even if its figures are withheld.
    asked = ("alerts", replace(when, viewer=OPERATOR))
    compute = partial(_raised, accord, when, is_list=is_list)
    return computed.of_each(accord, names, asked, compute)


def one(accord: Accord, id: str, when: AsOf = NOW) -> Alert:
    """Return an alert as a viewer has it. Raises `NotFound` for one that the viewer has not."""
    name = alert_acts.partnership_of(id)
    size_of(accord.history, name)
    raised: tuple[Alert, ...] = ()
    if not alert_acts.is_of_program(id):
        sight_of(accord.history, name, when, figures=False)
        raised = dict(_alerts(accord, iter([name]), when, is_list=False)).get(name, ())
    found: list[Alert] = [*raised, *_alone(accord, when).get(name, ())]
    for each in found:
        if each.id == id:
            return each
    raise NotFound(f"There is no alert {id}.", f"List the alerts of {name}.")


def _from(accord: Accord, start: str, viewer: Viewer) -> Iterator[str]:
    """Yield the partnerships that the viewer sees by name, beginning with `start`."""
    if start:
        yield from seen_among(accord, [start], viewer)
    yield from names_seen(accord, viewer, start)


@dataclass(frozen=True, slots=True)
class _Raised:
    """The rows of the alerts of one partnership, and its alerts as they are on some days."""

    rows: Mapping[str, Any]
    by_day: dict[date, tuple[Alert, ...]] = field(default_factory=dict)


def _alerts(
    accord: Accord, names: Iterator[str], when: AsOf, *, is_list: bool
) -> Iterator[tuple[str, tuple[Alert, ...]]]:
    """Yield each partnership with its alerts, which name the people in office at the moment."""
    latest = when.at or when.known
    if latest is None and when.viewer.party is None:
        latest = accord.history.last_recorded_at()
    while page := list(islice(names, PAGE)):
        raised = dict(_all_raised(accord, page, when, is_list=is_list))
        heads = {} if latest else accord.history.heads(raised)
        for name in page:
            found = raised.get(name)
            moment = latest or heads[name].recorded_at if found else None
            yield name, _seen(accord, name, found, moment, when) if found and moment else ()


def _raised(
    accord: Accord, when: AsOf, names: list[str], *, is_list: bool
) -> Iterator[tuple[str, _Raised]]:
    """Yield the rows of partnerships; in a list, without those that cannot be folded."""
    if when.is_now:
        readable = undamaged(accord, names)
        stored = accord.views.rows_of(ALERTS.name, readable, ALERTS.facts_from)
        for name in readable:
            rows = stored.get(name, {})
            yield name, _Raised({key: typed_row(ALERTS, name, key, rows[key]) for key in rows})
        return
    for name in names:
        try:
            yield name, _Raised(replay(ALERTS, stored_log(accord.history, name, when)).rows)
        except (FoldFailed, UnreadableEvent):
            # One partnership must not end the list; the answer names it (see `Question.reply`).
            if not is_list or name not in accord.views.quarantined([name]):
                raise


def _seen(
    accord: Accord, name: str, raised: _Raised, moment: datetime, when: AsOf
) -> tuple[Alert, ...]:
    """Return the alerts of a partnership as the viewer has them, on the day of a moment."""
    found = _on(accord, name, raised, moment)
    if all(each.rule != OBJECTIVE_MISSED for each in found):
        return found
    if sight_of(accord.history, name, when, third_party=True).sees_every_figure:
        return found
    rows = replay(ALERTS, log(accord.history, name, when, third_party=True)).rows
    return tuple(for_viewer(found, _on(accord, name, _Raised(rows), moment)))


def _on(accord: Accord, name: str, raised: _Raised, moment: datetime) -> tuple[Alert, ...]:
    """Return the alerts of a partnership as they are on the day of a moment."""
    day = day_of(raised.rows, moment)
    if day not in raised.by_day:
        rows = raised.rows
        found = [answered(rows, row, moment) for row in rows.values() if isinstance(row, Alert)]
        raised.by_day[day] = tuple(named(accord.history, name, found))
    return raised.by_day[day]


def _order(alert: Alert) -> tuple[str, str]:
    return instant(alert.since), alert.id


def _alone(accord: Accord, when: AsOf) -> dict[str, list[Alert]]:
    """Return the open alerts that nobody but the viewer gets, by partnership or program."""
    return {
        **_of_operator(accord, when),
        **duplicate_credits.alerts_of(accord, when),
        **dependency_alerts.alerts_of(accord, when),
    }


def _of_operator(accord: Accord, when: AsOf) -> dict[str, list[Alert]]:
    """Return the open alerts that concern the operator alone, by partnership."""
    if not when.is_now or when.viewer.party is not None:
        return {}
    return {name: [alert_of(each)] for name, each in accord.views.quarantined().items()}


# --- text --------------------------------------------------------------------------------------


def text(found: Alerts) -> Iterator[Block]:
    """Yield each alert with its state, its id, and what happened."""
    if not found.items:
        yield Remark("There are no such alerts.")
    yield from blocks(found.items, found.zones, handling=found.handling)


def blocks(
    alerts: Iterable[Alert],
    zones: Mapping[str, str],
    indent: int = 0,
    handling: Mapping[str, Handling] = _NOT_HANDLED,
) -> Iterator[Block]:
    """Yield the lines of alerts, for an answer that lists some.

    `zones` are the time zones of their days, by partnership.
    """
    for each in alerts:
        zone = zones.get(each.partnership, UTC)
        yield heading(each, each.id, zone, indent)
        yield Hanging(" " * (indent + 11), outcome(each, zone))
        if each.state is AlertState.OPEN:
            yield Hanging(" " * (indent + 11), response(each))
            yield Hanging(" " * (indent + 11), ending(each).text)
        if (done := handling.get(each.id)) is not None:
            yield Hanging(" " * (indent + 11), alert_acts.words(done, zone))
        if (earlier := each.earlier) is not None:
            ended = f"Resolved {day(earlier.until, zone)}: {earlier.ended}"
            yield Hanging(" " * (indent + 11), f"Before that: {earlier.text} {ended}")


def heading(alert: Alert, name: str, zone: str, indent: int = 0) -> Line:
    """Return the line that names an alert: its state, the day it opened, a name."""
    style = _STYLES[alert.kind] if alert.state is AlertState.OPEN else ""
    kind = "" if alert.kind is AlertKind.BREACH else f"  ({_KINDS[alert.kind]})"
    return Line(f"{alert.state:9}  {day(alert.since, zone)}  {name}{kind}", style, indent)


def response(alert: Alert) -> str:
    """Return how severe an open alert is, who acts, and what money hangs on it."""
    parts = [f"{alert.severity.capitalize()}."]
    if alert.who_acts:
        parts.append(acts(alert))
    if alert.at_stake:
        money = [amount(each, unit) for unit, each in sorted(alert.at_stake.items())]
        parts.append(f"At stake: {', '.join(money)}.")
    return " ".join(parts)


def outcome(alert: Alert, zone: str) -> str:
    """Return an alert in words: what it says and, if it has ended, what ended it."""
    if alert.until is None:
        return alert.text
    if alert.state is AlertState.WITHDRAWN:
        # The day of recording can be later than the day that is asked about.
        recorded = f"Withdrawn by what was recorded on {day(alert.until, zone)}"
        return f"{alert.text} {recorded}: {alert.ended}"
    return f"{alert.text} {alert.state.capitalize()} {day(alert.until, zone)}: {alert.ended}"


ALERTS_QUESTION = Question(
    "alerts",
    ask,
    text,
    path="/v1/alerts",
    within="/v1/partnerships/{partnership}/alerts",
    help="List the alerts: what is open, and what was resolved or withdrawn.",
    gives=Need.FIGURES,
)
