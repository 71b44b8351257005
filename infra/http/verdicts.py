"""Verifications that people asked for: one at a time, and the last of each partnership."""

from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import datetime
from threading import Lock
from typing import Final, NamedTuple

from infra.answers import verify
from infra.answers.verify import Verification
from infra.bootstrap import Accord

MOST_EVENTS: Final = 20_000
"""Events of the longest log that a page verifies. That takes seconds; a longer one needs
`accord audit verify`, which goes on from where it was."""

MOST_KEPT: Final = 1_000
"""Partnerships whose last verification is remembered."""


class Verdict(NamedTuple):
    """A verification, and the moment at which it was made."""

    found: Verification
    at: datetime


@dataclass(slots=True)
class Verdicts:
    """The last verification of each partnership, in this process alone."""

    _last: OrderedDict[str, Verdict] = field(default_factory=OrderedDict)
    _turn: Lock = field(default_factory=Lock)

    def last(self, partnership: str) -> Verdict | None:
        """Return the last verification of a partnership, if there was one."""
        return self._last.get(partnership)

    def make(self, accord: Accord, partnership: str) -> Verdict | None:
        """Verify a partnership; return None, at once, while another one is verified."""
        if not self._turn.acquire(blocking=False):
            return None
        try:
            found = Verdict(verify.one(accord, partnership), accord.clock())
            self._last[partnership] = found
            self._last.move_to_end(partnership)
            if len(self._last) > MOST_KEPT:
                self._last.popitem(last=False)
            return found
        finally:
            self._turn.release()
