"""Partnerships whose events cannot be folded are put aside by name, and the others go on.

If a projection raises an error, or an event cannot be read, its partnership is quarantined: its
rows stay as they were before that event, and later events are skipped. The record of it is written
in the transaction that moves the position, with an alert for the operator. It is folded again by a
release whose code of folds differs, after a rebuild, and now and then by the same release. When
all skipped events are folded, the quarantine ends and its alert is resolved.

A saved row that cannot be read is no reason to wait: the partnership is folded anew from its first
event at once, because its events give all rows again.
"""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Final, NamedTuple

import domain
import projections
from domain.response import Severity
from domain.standing_alerts import AlertKind
from domain.values import instant
from infra.projecting.backlog import Backlog, Failure
from infra.projecting.results import FoldResult
from infra.settings import RELEASE
from infra.store.history import NOTHING, History
from infra.store.views import (
    ALL_PROJECTIONS,
    LIVE,
    Damage,
    Quarantined,
    Saved,
    SavedOutput,
    UnreadableRow,
    Views,
)
from infra.tlog.codec import stored_moment
from projections.alerts import ALERTS, Alert, AlertState, alert_id
from projections.fold import Projection

log = logging.getLogger(__name__)

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
    return f"{RELEASE}+{digest.hexdigest()[:12]}"


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


def damaged(error: UnreadableRow | Damage, position: int, now: datetime) -> Quarantined:
    """Return the record of a partnership with something stored that cannot be read."""
    return Quarantined(
        error.partnership,
        error.projection if isinstance(error, UnreadableRow) else ALL_PROJECTIONS,
        position + 1,
        error.detail,
        instant(now),
        _MOVING,
        0,
        instant(now),
        NOTHING,
        anew=True,
    )


def report_damage(views: Views, now: datetime) -> None:
    """Have each partnership with a damaged position folded anew."""
    for each in views.damage():
        if views.report(damaged(each, NOTHING, now)):
            log.error("%s is quarantined: %s", each.partnership, each.detail)


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
        id=alert_id(RULE, 1, record.partnership, record.since),
        rule=RULE,
        version=1,
        kind=AlertKind.OPERATOR,
        severity=Severity.CRITICAL,
        partnership=record.partnership,
        window=record.since,
        state=AlertState.OPEN if ended is None else AlertState.RESOLVED,
        text=_text(record),
        who_acts=(),
        at_stake={},
        since=since,
        recorded_at=ended or since,
        cause=record.index,
        evidence=(record.index,),
        ended=None if ended is None else "All events are folded again.",
        until=None if ended is None else max(ended, since),
    )


def _text(record: Quarantined) -> str:
    if record.anew:
        return f"The views of {record.partnership} are folded anew. {record.error}"
    first = f"{record.partnership}#{record.index}"
    return f"The views of {record.partnership} lack its events from {first} on. {record.error}"


def outputs(
    quarantined: Sequence[Quarantined], lifted: Sequence[Quarantined], now: datetime
) -> list[SavedOutput]:
    """Return the changes of the operator's alerts."""
    # One that a rebuild or a report made is opened here; an output that exists is not repeated.
    alerts = [*map(alert_of, (*quarantined, *lifted)), *(alert_of(each, now) for each in lifted)]
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


# --- what a runner asks --------------------------------------------------------------------------


class Changes(NamedTuple):
    """The partnerships to quarantine and to release, and the operator's alerts of both."""

    quarantined: Sequence[Quarantined] = ()
    lifted: Sequence[Quarantined] = ()
    alerts: Sequence[SavedOutput] = ()


class Quarantine:
    """The quarantined partnerships of one track; for the thread of its runner.

    `release` returns what identifies the code that folds.
    """

    def __init__(
        self,
        history: History,
        views: Views,
        track: str,
        release: Callable[[], str],
        clock: Callable[[], datetime],
    ) -> None:
        self._history = history
        self._views = views
        self._track = track
        self._release = release
        self._clock = clock
        self._names: set[str] = set()
        """Those that were quarantined at the last look."""

    def look(self) -> None:
        """Read again which partnerships are quarantined."""
        self._names = set(self._views.quarantined(track=self._track))

    def among(self, names: Iterable[str]) -> list[str]:
        """Return those of these that were quarantined at the last look."""
        return [name for name in names if name in self._names]

    def record(self, name: str) -> Quarantined | None:
        """Return the record of a partnership, if it is quarantined now."""
        return self._views.quarantined([name], self._track).get(name)

    def due(self) -> list[str]:
        """Return the partnerships that are to be folded again now."""
        release, now = self._release(), self._clock()
        found = self._views.quarantined(track=self._track)
        return [name for name, each in found.items() if is_due(each, release, now)]

    def skipped(self, backlogs: Mapping[str, Backlog]) -> dict[str, int]:
        """Return the quarantined partnerships among these, with their newest events."""
        if not (known := self._names & backlogs.keys()):
            return {}
        found = self._views.quarantined(known, self._track)
        self._names -= known - found.keys()
        heads = self._history.heads(found)
        return {name: min(backlogs[name].newest, heads[name].size - 1) for name in found}

    def changes(self, results: Sequence[FoldResult], known: Quarantined | None = None) -> Changes:
        """Return what changes; `known` is the record of the one partnership that is retried."""
        if known is None and not any(each.backlog.failure for each in results):
            return Changes()
        attempt = Attempt(self._release(), self._clock())
        records, lifted = [], []
        for each in results:
            if failure := each.backlog.failure:
                newest = each.backlog.newest
                records.append(quarantined(each.name, failure, newest, attempt, known))
            elif known and each.after >= known.newest:
                lifted.append(known)
            elif known:
                records.append(moved(known, each.after + 1))
        alerts = outputs(records, lifted, attempt.at) if self._track == LIVE else []
        return Changes(records, lifted, alerts)

    def note(self, saved: Saved) -> None:
        """Remember and log which partnerships were quarantined and released."""
        for each in saved.quarantined:
            self._names.add(each.partnership)
            log.error("%s is quarantined: %s", each.partnership, each.error)
        for name in saved.lifted:
            self._names.discard(name)
            log.warning("%s is folded again.", name)
