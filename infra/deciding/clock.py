"""The clock that dates records, and when it is not trusted.

A wrong clock would write deadlines that have not passed, and moments of recording that nobody can
take back. So nothing is recorded while the clock is in doubt, until the operator confirms it.
"""

import logging
import platform
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, NamedTuple, Protocol

from pydantic import BaseModel, ConfigDict

from domain.values import instant
from infra.running.unavailable import Unavailable
from infra.settings import ClockLimits
from infra.store.history import History, Kept, Writes

log = logging.getLogger(__name__)

RENEWED: Final = timedelta(days=1)
"""How long a reading is compared with. A clock that is kept by NTP departs from the hardware by at
most 500 millionths, which is 43 seconds a day."""

CONFIRMED: Final = "clock-confirmed"
"""The kind of stored confirmations of the clock, by number."""

DOUBTED: Final = "clock-doubted"
"""The kind of stored doubts, by machine and the number of the last confirmation before."""

_NO_PARTNERSHIP = ""

_BOOT = Path("/proc/sys/kernel/random/boot_id")


class Clock(Protocol):
    """The two clocks of a machine."""

    def __call__(self) -> datetime:
        """Return the time of day, UTC, which can be set."""

    def elapsed(self) -> float:
        """Return the seconds of a clock that nobody sets and that runs while the machine sleeps."""


class SystemClock:
    """The clocks of this machine."""

    def __call__(self) -> datetime:
        """Return the time of day, UTC."""
        return datetime.now(UTC)

    def elapsed(self) -> float:
        """Return the seconds since the machine was started, with those it slept."""
        # On Linux CLOCK_MONOTONIC stands still during suspend; elsewhere there is no other one.
        return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


wall_clock: Final = SystemClock()
"""The clocks of this machine; calling it returns the time, UTC."""


class ClockInDoubt(Unavailable):
    """The clock is not trusted, so nothing is recorded: the reason, and a hint."""

    hint = (
        "Set the clock of this machine if it is wrong. When it is right, the operator confirms it "
        "(accord confirm-clock), and recording continues."
    )

    def __init__(self, reason: str) -> None:
        self.detail = f"Nothing is recorded, because the clock is in doubt. {reason}"
        super().__init__(f"{self.detail} {self.hint}")


# --- the decision --------------------------------------------------------------------------------


class Reading(NamedTuple):
    """What both clocks showed at one moment."""

    wall: datetime
    elapsed: float


class Confirmation(BaseModel):
    """The operator's word that the clock was right."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    number: int
    """Counts the confirmations of a store, from 1."""
    at: datetime
    """What the clock showed."""
    last: datetime | None
    """When the last event was recorded, as far as the store says. It can be later than `at`: then
    the event was recorded by a wrong clock."""


def doubt_at_start(
    wall: datetime,
    last: datetime | None,
    confirmed: Confirmation | None,
    limits: ClockLimits,
) -> str | None:
    """Return why the clock is not trusted when a process starts; None if it is.

    It must not be behind the last record, nor far beyond it. A confirmation counts as a record,
    and it also says that an event that was recorded later than it has a wrong time.
    """
    known = last
    if confirmed is not None:
        wrong = last is not None and confirmed.last is not None and wall < last <= confirmed.last
        known = confirmed.at if last is None or wrong else max(last, confirmed.at)
    if known is None:
        return None
    if known - wall > timedelta(seconds=limits.jump):
        return f"It shows {instant(wall)}, which is before the last record, of {instant(known)}."
    if wall - known > timedelta(days=limits.gap):
        return (
            f"It shows {instant(wall)}, which is more than {limits.gap} days after the last "
            f"record, of {instant(known)}."
        )
    return None


def doubt_of_jump(before: Reading, now: Reading, limits: ClockLimits) -> str | None:
    """Return why the clock is not trusted any more since a trusted reading; None if it is.

    The time of day must have moved on by as much as the time that passed.
    """
    passed = timedelta(seconds=now.elapsed - before.elapsed)
    jump = (now.wall - before.wall) - passed
    if abs(jump) <= timedelta(seconds=limits.jump):
        return None
    way = "forward" if jump > timedelta() else "back"
    return (
        f"It jumped {way}: it shows {instant(now.wall)}, and should show "
        f"{instant(before.wall + passed)}."
    )


def is_confirmed(since: Reading, now: Reading, at: datetime, limits: ClockLimits) -> bool:
    """Return whether a confirmation was made between two readings by a clock that agrees.

    Another machine's right clock does not confirm a wrong one.
    """
    jump = timedelta(seconds=limits.jump)
    return -jump <= now.wall - at <= timedelta(seconds=now.elapsed - since.elapsed) + jump


# --- the clock that dates records ----------------------------------------------------------------


@dataclass(slots=True)
class _Trust:
    """What is known since the clock was first read: a trusted reading, or a doubt since then."""

    since: Reading
    confirmations: int
    reason: str | None = None


class RecordingClock:
    """The clock that dates records, as long as it is trusted.

    It is compared with the last record when it is first read, and with the time that passed from
    then on. A doubt ends when the operator confirms the clock. One that began with a jump is
    stored, so that a restart does not end it; the other kind is found again at each start.
    """

    def __init__(self, clock: Clock, history: History, limits: ClockLimits) -> None:
        self._clock = clock
        self._history = history
        self._limits = limits
        self._lock = threading.Lock()
        self._trust: _Trust | None = None

    def __call__(self) -> datetime:
        """Return the time, UTC. Raises `ClockInDoubt`, and the errors of the store."""
        with self._lock:
            now = Reading(self._clock(), self._clock.elapsed())
            reason = self._doubt(now)
        if reason is not None:
            raise ClockInDoubt(reason)
        return now.wall

    @property
    def doubt(self) -> ClockInDoubt | None:
        """Why nothing can be recorded now; None if the clock is trusted."""
        try:
            self()
        except ClockInDoubt as doubt:
            return doubt
        return None

    def _doubt(self, now: Reading) -> str | None:
        trust = self._trust
        if trust is None:
            trust = self._started(now)
        elif trust.reason is not None:
            trust = self._ended(trust, now)
        elif reason := doubt_of_jump(trust.since, now, self._limits):
            trust = self._jumped(trust, reason)
        elif now.elapsed - trust.since.elapsed > RENEWED.total_seconds():
            trust = _Trust(now, trust.confirmations)
        self._trust = trust
        return trust.reason

    def _started(self, now: Reading) -> _Trust:
        confirmed = confirmation(self._history)
        number = confirmed.number if confirmed else 0
        key = _key(number)
        stored = self._history.kept(DOUBTED, _NO_PARTNERSHIP, [key]).get(key)
        if stored is not None:
            reason: str | None = stored.decode()
        else:
            last = last_record(self._history)
            reason = doubt_at_start(now.wall, last, confirmed, self._limits)
        if reason is not None:
            log.error("%s", ClockInDoubt(reason))
        return _Trust(now, number, reason)

    def _jumped(self, trust: _Trust, reason: str) -> _Trust:
        doubt = Kept(DOUBTED, _NO_PARTNERSHIP, _key(trust.confirmations), reason.encode())
        self._history.append([], Writes(kept=[doubt]))
        log.error("%s", ClockInDoubt(reason))
        return _Trust(trust.since, trust.confirmations, reason)

    def _ended(self, trust: _Trust, now: Reading) -> _Trust:
        confirmed = confirmation(self._history)
        if (
            confirmed is None
            or confirmed.number <= trust.confirmations
            or not is_confirmed(trust.since, now, confirmed.at, self._limits)
        ):
            return trust
        log.warning("The operator confirmed the clock. Recording continues.")
        return _Trust(now, confirmed.number)


def _key(confirmations: int) -> str:
    return f"{_machine()}/{confirmations}"


def _machine() -> str:
    # Processes of one machine share its clock, in containers too. After a restart of the machine
    # its clock is another one.
    try:
        return _BOOT.read_text().strip()
    except OSError:
        return platform.node()


# --- what the store knows ------------------------------------------------------------------------


def last_record(history: History) -> datetime | None:
    """Return when the last event of the whole store was recorded; None without events."""
    found = history.after(history.size() - 2, 1)
    return found[0].act.recorded_at if found else None


def confirmation(history: History) -> Confirmation | None:
    """Return the operator's last confirmation of the clock."""
    stored = history.kept(CONFIRMED, _NO_PARTNERSHIP)
    found = map(Confirmation.model_validate_json, stored.values())
    return max(found, key=lambda each: each.number, default=None)


def confirm(history: History, now: datetime) -> Confirmation:
    """Record that the clock is right: it shows `now`. Ends the doubts of clocks that agree."""
    before = confirmation(history)
    number = before.number + 1 if before else 1
    found = Confirmation(number=number, at=now, last=last_record(history))
    body = found.model_dump_json().encode()
    history.append([], Writes(kept=[Kept(CONFIRMED, _NO_PARTNERSHIP, str(number), body)]))
    return found
