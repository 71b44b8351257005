"""What a side does about an open alert: it acknowledges it, assigns it, or silences it for a while.

The acts of a side are its own: they are in no history, and the other side does not see them. An act
counts as long as the alert stays open. An alert that is raised anew begins without any.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import assert_never

from domain.described import described
from projections.alerts import Alert, AlertState
from projections.fold import STRICT


class AlertActKind(StrEnum):
    """What can be done about an alert."""

    ACKNOWLEDGE = "acknowledge"
    """Say that somebody has seen it."""
    ASSIGN = "assign"
    """Name the person who takes care of it."""
    SILENCE = "silence"
    """Put it aside until a moment, or bring it back before."""


@described
@dataclass(frozen=True, slots=True)
class AlertAct:
    """One act about an alert."""

    __pydantic_config__ = STRICT
    alert: str
    """The id of the alert."""
    since: datetime
    """When the alert opened; the act is about this occurrence alone."""
    side: str | None
    """The party on whose side it was done; None for the operator's."""
    kind: AlertActKind
    by: str
    """The person who did it."""
    at: datetime
    """When it was done."""
    to: str | None = None
    """To whom the alert is assigned."""
    until: datetime | None = None
    """Until when it is silenced; None for an alert that is brought back."""


@described
@dataclass(frozen=True, slots=True)
class Handling:
    """What one side did about an open alert; null where nothing was done."""

    __pydantic_config__ = STRICT
    acknowledged_by: str | None = None
    """The first person who acknowledged it."""
    acknowledged_at: datetime | None = None
    """When that was."""
    assigned_to: str | None = None
    """The person who takes care of it."""
    assigned_by: str | None = None
    """Who assigned it."""
    assigned_at: datetime | None = None
    """When that was."""
    silenced_until: datetime | None = None
    """Until when it is silenced; null from that moment on."""
    silenced_by: str | None = None
    """Who silenced it."""
    silenced_at: datetime | None = None
    """When that was."""


NOTHING_DONE = Handling()


def handling(acts: Iterable[AlertAct], alert: Alert, now: datetime) -> Handling:
    """Return what one side has done about an alert by a moment.

    `acts` are those of the side about the alert, in the order in which they were done. Nothing
    counts for an alert that is not open.
    """
    found = NOTHING_DONE
    if alert.state is AlertState.OPEN:
        for act in acts:
            if act.since == alert.since and act.at <= now:
                found = _after(found, act)
    if found.silenced_until is not None and found.silenced_until <= now:
        return replace(found, silenced_until=None, silenced_by=None, silenced_at=None)
    return found


def _after(found: Handling, act: AlertAct) -> Handling:
    match act.kind:
        case AlertActKind.ACKNOWLEDGE if found.acknowledged_by is not None:
            return found
        case AlertActKind.ACKNOWLEDGE:
            return replace(found, acknowledged_by=act.by, acknowledged_at=act.at)
        case AlertActKind.ASSIGN:
            return replace(found, assigned_to=act.to, assigned_by=act.by, assigned_at=act.at)
        case AlertActKind.SILENCE if act.until is None:
            return replace(found, silenced_until=None, silenced_by=None, silenced_at=None)
        case AlertActKind.SILENCE:
            return replace(found, silenced_until=act.until, silenced_by=act.by, silenced_at=act.at)
        case _:
            assert_never(act.kind)
