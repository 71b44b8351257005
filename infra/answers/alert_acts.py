"""What the viewer's side does about an open alert: acknowledge it, assign it, silence it."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from domain.standing_alerts import DEPENDENCY_HIGH
from domain.terms import UTC
from infra.answers.logs import AsOf, NotFound
from infra.answers.parameters import WrongParameter
from infra.answers.question import Result
from infra.answers.text import Block, Line, day
from infra.answers.zones import zones_of
from infra.bootstrap import Accord
from projections.alert_acts import NOTHING_DONE, AlertAct, AlertActKind, Handling, handling
from projections.alerts import Alert, AlertState

LONGEST_SILENCE: Final = timedelta(days=90)
"""How long an alert can be silenced at most, so that none is forgotten."""

_LIST: Final = "Choose one of the open alerts: the answer alerts lists them."


class Handled(Result):
    """An alert, and what the side of who asked has done about it."""

    alert: str
    """The id of the alert."""
    handling: Handling
    """What the side has done about it."""
    zone: str
    """The time zone of the days of its partnership."""


def partnership_of(alert: str) -> str:
    """Return the partnership of an alert, by its id. Raises `NotFound` for another text."""
    parts = alert.split("/")
    if len(parts) < 3 or not all(parts[:2]):  # noqa: PLR2004 - rule, partnership, window
        raise NotFound(f"{alert} is not the id of an alert.", _LIST)
    return parts[1]


def is_of_program(alert: str) -> bool:
    """Return whether an alert, by its id, is of a party's program, which is no partnership."""
    return alert.startswith(f"{DEPENDENCY_HIGH}@")


def handled(accord: Accord, alerts: Iterable[Alert], when: AsOf) -> Mapping[str, Handling]:
    """Return what the viewer's side has done about alerts, by id, those alone that it touched.

    With `known`, it is what had been done by then.
    """
    viewer = when.viewer
    found = {each.id: each for each in alerts if each.state is AlertState.OPEN}
    if not found or (viewer.party is None and not viewer.alert_acts):
        return {}
    now = when.known or accord.clock()
    acts: dict[str, list[AlertAct]] = {}
    for act in accord.history.alert_acts.of(viewer.party, found):
        acts.setdefault(act.alert, []).append(act)
    done = {name: handling(each, found[name], now) for name, each in acts.items()}
    return {name: each for name, each in done.items() if each != NOTHING_DONE}


def act(  # noqa: PLR0913 - the act's own parts
    accord: Accord,
    alert: Alert,
    side: str | None,
    kind: AlertActKind,
    by: str,
    *,
    to: str | None = None,
    until: datetime | None = None,
) -> Handled:
    """Record an act of a side about an alert; return what the side has done about it by now.

    The same act again records nothing. Raises `NotFound` for an alert that is not open,
    `WrongParameter` for a silence that would be over already, or too long. A silence without
    `until` brings the alert back.
    """
    if alert.state is not AlertState.OPEN:
        raise NotFound(f"{alert.id} is {alert.state}, so there is nothing to do about it.", _LIST)
    now = accord.clock()
    if until is not None and until <= now:
        raise WrongParameter("until", "until is not after now", "Write a later day.")
    if until is not None and until > now + LONGEST_SILENCE:
        detail = f"until is more than {LONGEST_SILENCE.days} days ahead"
        raise WrongParameter(
            "until", detail, f"Write a day up to {(now + LONGEST_SILENCE).date()}."
        )
    done = AlertAct(alert.id, alert.since, side, kind, by, now, to, until)
    log = accord.history.alert_acts
    acts = [*log.of(side, [alert.id])]
    before = handling(acts, alert, now)
    after = handling([*acts, done], alert, now)
    if _said(before) != _said(after):
        log.add(done)
        before = after
    return Handled(
        simulated=accord.simulated,
        alert=alert.id,
        handling=before,
        zone=zones_of(accord, [alert.partnership]).get(alert.partnership, UTC),
    )


def _said(found: Handling) -> Handling:
    """Return what is said of an alert, whoever said it and whenever."""
    return replace(
        found,
        acknowledged_at=None,
        assigned_by=None,
        assigned_at=None,
        silenced_by=None,
        silenced_at=None,
    )


def words(found: Handling, zone: str) -> str:
    """Return what was done about an alert, in sentences, with days of a time zone.

    The day until which it is silenced is one of UTC, as it was given.
    """
    said = []
    if found.acknowledged_by and found.acknowledged_at:
        said.append(f"Acknowledged by {found.acknowledged_by}, {day(found.acknowledged_at, zone)}.")
    if found.assigned_to and found.assigned_at:
        said.append(
            f"Assigned to {found.assigned_to} by {found.assigned_by}, "
            f"{day(found.assigned_at, zone)}."
        )
    if found.silenced_until:
        said.append(f"Silenced until {day(found.silenced_until, UTC)} by {found.silenced_by}.")
    return " ".join(said)


def text(found: Handled) -> Iterator[Block]:
    """Yield what was done about the alert."""
    yield Line(found.alert)
    yield Line(words(found.handling, found.zone), indent=2)
