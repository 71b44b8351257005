"""The alerts of one partnership or of all, as they are now or were at a moment.

An alert has the form of its row (`projections.alerts.Alert`). Each change of one is sent in the
same form: by the feed of `infra.answers.changes`, and on the topic `accord.alerts`.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Annotated

from domain.offices import Assignee
from domain.standing_alerts import AlertKind
from domain.values import Slug, instant
from infra.access.roles import Need
from infra.answers import cursors, dependency_alerts, duplicate_credits
from infra.answers.logs import (
    NOW,
    AsOf,
    moment_of,
    sight_of,
    size_of,
    stored_log,
    view_rows,
)
from infra.answers.members import names_seen, seen_among
from infra.answers.question import Page, Paging, Parameter, Question
from infra.answers.text import Block, Hanging, Line, Remark, amount, day
from infra.bootstrap import Accord
from infra.deciding.pseudonyms import Names, renamed
from infra.projecting.quarantine import alert_of
from infra.store.views import UnreadableRow
from infra.tlog.codec import UnreadableEvent
from projections import ALERTS
from projections.alerts import Alert, AlertState, answered
from projections.fold import FoldFailed, replay
from projections.visibility import Viewer

_STYLES = {
    AlertKind.BREACH: "bold red",
    AlertKind.REMINDER: "yellow",
    AlertKind.OPERATOR: "bold magenta",
}
"""The styles of open alerts."""

_KINDS = {AlertKind.REMINDER: "reminder", AlertKind.OPERATOR: "for the operator"}
"""The mark after the name of an alert that is not a breach."""


class Alerts(Page[Alert]):
    """Alerts by partnership, those that opened first before the others."""


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
        sight_of(accord.history, partnership, when, figures=False)
    found: list[Alert] = []
    alone = _alone(accord, when)
    for name in _from(accord, start, when.viewer) if partnership is None else [partnership]:
        try:
            alerts = _alerts(accord, name, when)
        except (FoldFailed, UnreadableEvent, UnreadableRow):
            # One partnership must not end the list; the answer names it (see `Question.reply`).
            if partnership is not None or name not in accord.views.quarantined([name]):
                raise
            alerts = []
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
    return Alerts(
        simulated=accord.simulated,
        as_of=when.asked,
        next=following,
        items=tuple(found[: page.limit]),
    )


def _from(accord: Accord, start: str, viewer: Viewer) -> Iterator[str]:
    """Yield the partnerships that the viewer sees by name, beginning with `start`."""
    if start:
        yield from seen_among(accord, [start], viewer)
    yield from names_seen(accord, viewer, start)


def _alerts(accord: Accord, name: str, when: AsOf) -> list[Alert]:
    # Both parties see the alerts of a rule that both agreed, even if its figures are withheld.
    rows = (
        view_rows(accord, ALERTS, name)
        if when.is_now
        else replay(ALERTS, stored_log(accord.history, name, when)).rows
    )
    moment = moment_of(accord, name, when)
    found = [answered(rows, row, moment) for row in rows.values() if isinstance(row, Alert)]
    return [*named(accord, name, found)]


def named(accord: Accord, partnership: str, alerts: Iterable[Alert]) -> Iterator[Alert]:
    """Yield alerts of a partnership with people by name."""
    found = list(alerts)
    people = {who.person for each in found for who in each.who_acts if who.person is not None}
    names = Names(accord.history, partnership, people) if people else None
    for each in found:
        who_acts = [renamed(who, names) if names and who.person else who for who in each.who_acts]
        yield replace(each, who_acts=tuple(who_acts))


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
    yield from blocks(found.items)


def blocks(alerts: Iterable[Alert], indent: int = 0) -> Iterator[Block]:
    """Yield the lines of alerts, for an answer that lists some."""
    for each in alerts:
        yield heading(each, each.id, indent)
        yield Hanging(" " * (indent + 11), outcome(each))
        if each.state is AlertState.OPEN:
            yield Hanging(" " * (indent + 11), response(each))
        if (earlier := each.earlier) is not None:
            ended = f"Resolved {day(earlier.until)}: {earlier.ended}"
            yield Hanging(" " * (indent + 11), f"Before that: {earlier.text} {ended}")


def heading(alert: Alert, name: str, indent: int = 0) -> Line:
    """Return the line that names an alert: its state, the day it opened, a name."""
    style = _STYLES[alert.kind] if alert.state is AlertState.OPEN else ""
    kind = "" if alert.kind is AlertKind.BREACH else f"  ({_KINDS[alert.kind]})"
    return Line(f"{alert.state:9}  {day(alert.since)}  {name}{kind}", style, indent)


def response(alert: Alert) -> str:
    """Return how severe an open alert is, who acts, and what money hangs on it."""
    parts = [f"{alert.severity.capitalize()}."]
    if alert.who_acts:
        parts.append(f"Acts: {', '.join(map(_named, alert.who_acts))}.")
    if alert.at_stake:
        money = [amount(each, unit) for unit, each in sorted(alert.at_stake.items())]
        parts.append(f"At stake: {', '.join(money)}.")
    return " ".join(parts)


def _named(who: Assignee) -> str:
    return f"{who.party} ({who.person}, {who.office})" if who.person else who.party


def outcome(alert: Alert) -> str:
    """Return an alert in words: what it says and, if it has ended, what ended it."""
    if alert.until is None:
        return alert.text
    return f"{alert.text} {alert.state.capitalize()} {day(alert.until)}: {alert.ended}"


ALERTS_QUESTION = Question(
    "alerts",
    ask,
    text,
    path="/v1/alerts",
    within="/v1/partnerships/{partnership}/alerts",
    help="List the alerts: what is open, and what was resolved or withdrawn.",
    gives=Need.FIGURES,
)
