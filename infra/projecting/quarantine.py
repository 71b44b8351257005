"""Partnerships whose events cannot be folded are put aside by name, and the others go on.

If a projection raises an error, or an event cannot be read, its partnership is quarantined: its
rows stay as they were before that event, and later events are skipped. The record of it is written
in the transaction that moves the position, with an alert for the operator. It is folded again by a
release whose code of folds differs, after a rebuild, and now and then by the same release. When
all skipped events are folded, the quarantine ends and its alert is resolved.

A saved row that cannot be read is no reason to wait: the partnership is folded anew from its first
event at once, because its events give all rows again.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Final, NamedTuple

import domain
import projections
from domain.standing_alerts import AlertKind
from domain.values import instant
from infra.store.history import NOTHING
from infra.store.views import Quarantined, SavedOutput, UnreadableRow
from infra.tlog.codec import stored_moment
from projections.alerts import ALERTS, Alert, AlertState, alert_id
from projections.fold import Projection

RULE: Final = "partnership-quarantined"
"""The rule of the operator's alert."""

PROJECTION: Final = "quarantine"
"""The name under which the outputs of the operator's alert are saved."""

FIRST_PAUSE: Final = timedelta(minutes=1)
"""The time between the first two attempts of one release. Each pause is twice the one before."""

_MOVING: Final = ""
"""The release of a partnership that no release has failed to fold since it was tried last."""

LONGEST_PAUSE: Final = timedelta(hours=1)
"""The longest time between two attempts of one release."""


@dataclass(frozen=True, slots=True)
class Failure:
    """The first event of a partnership that cannot be folded."""

    projection: str
    index: int
    error: str


@cache
def release_of(folds: tuple[Projection, ...]) -> str:
    """Return what identifies the code that folds: this release, and a hash over that code."""
    digest = sha256()
    for package in (domain, projections):
        folder = Path(str(package.__file__)).parent
        for file in sorted(folder.rglob("*.py")):
            digest.update(file.read_bytes())
    for each in folds:
        digest.update(f"{each.name}@{each.version}\n".encode())
    return f"{version('accord')}+{digest.hexdigest()[:12]}"


class Attempt(NamedTuple):
    """The release that tries to fold, and when."""

    release: str
    at: datetime


def quarantined(
    partnership: str,
    failure: Failure,
    newest: int,
    attempt: Attempt,
    before: Quarantined | None,
) -> Quarantined:
    """Return the record of a failure; `before` is the record of the last one, if there is one."""
    release, now = attempt
    again = before is not None and before.release == release
    tries = before.tries + 1 if before and again else 1
    pause = min(FIRST_PAUSE * 2 ** min(tries - 1, 16), LONGEST_PAUSE)
    return Quarantined(
        partnership,
        failure.projection,
        failure.index,
        failure.error,
        before.since if before else instant(now),
        release,
        tries,
        instant(now + pause),
        max(newest, before.newest) if before else newest,
    )


def damaged(error: UnreadableRow, position: int, now: datetime) -> Quarantined:
    """Return the record of a partnership with a row that cannot be read."""
    return Quarantined(
        error.partnership,
        error.projection,
        position + 1,
        error.detail,
        instant(now),
        _MOVING,
        0,
        instant(now),
        NOTHING,
        anew=True,
    )


def moved(before: Quarantined, index: int) -> Quarantined:
    """Return the record after some more events were folded, so that `index` is the next one."""
    return replace(before, index=index, anew=False, release=_MOVING)


def is_moving(record: Quarantined) -> bool:
    """Return whether a partnership is being folded again and has events left to fold."""
    return record.release == _MOVING


def is_due(record: Quarantined, release: str, now: datetime) -> bool:
    """Return whether a quarantined partnership is to be folded again now."""
    return record.anew or record.release != release or stored_moment(record.retry_at) <= now


# --- the operator's alert ------------------------------------------------------------------------


def alert_of(record: Quarantined, ended: datetime | None = None) -> Alert:
    """Return the operator's alert of a quarantine: open, or resolved at `ended`."""
    since = stored_moment(record.since)
    return Alert(
        alert_id(RULE, 1, record.partnership, record.since),
        RULE,
        1,
        AlertKind.OPERATOR,
        record.partnership,
        record.since,
        AlertState.OPEN if ended is None else AlertState.RESOLVED,
        f"Events from {record.partnership}#{record.index} on are not in any answer. {record.error}",
        since,
        ended or since,
        record.index,
        (record.index,),
        ended=None if ended is None else "All events are folded again.",
        until=None if ended is None else max(ended, since),
    )


def outputs(
    quarantined: Sequence[Quarantined], lifted: Sequence[Quarantined], now: datetime
) -> list[SavedOutput]:
    """Return the changes of the operator's alerts."""
    alerts = [*map(alert_of, quarantined), *(alert_of(each, now) for each in lifted)]
    return [
        SavedOutput(
            # The alert of one quarantine opens once and is resolved once.
            f"{each.id}/{each.state.value}",
            PROJECTION,
            each.partnership,
            "alert",
            ALERTS.dump(each.id, each),
            each.cause,
        )
        for each in alerts
    ]
