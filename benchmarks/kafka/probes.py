"""Commands that make an alert at once: each comes after a day by which a milestone was due.

The store is simulated, so with such a command time has passed: that the milestone was missed is
recorded before it, and the alert ``milestone-missed`` opens.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from benchmarks.feed import FORMING, OURS, feed
from projections.alerts import alert_id

PARTNERSHIPS = 40
"""How many partnerships these commands are for, in turn."""

SOURCE = "//probe.example"

_PLANNED = datetime(2025, 3, 1, 9, tzinfo=UTC)
"""When the milestones are planned; by then all of the partnerships are formed."""

_DAY = timedelta(days=1)


def prepared(count: int) -> Iterator[bytes]:
    """Yield what has to be accepted before: partnerships, with a milestone for each probe."""
    for raw in feed(FORMING * PARTNERSHIPS, PARTNERSHIPS):
        line = orjson.loads(raw)
        yield orjson.dumps(line | {"source": SOURCE, "subject": _probed(line["subject"])})
    for number in range(count):
        _, theirs = _partnership(number)
        data = {
            "proposal": f"plan-{number}",
            "milestone": _milestone(number),
            "workstream": "marketing",
            "title": "A step on the way",
            "due": _due(number).date().isoformat(),
        }
        agreed = {"proposal": f"plan-{number}"}
        yield _command(f"plan-{number}", number, OURS, "ProposeMilestone", _PLANNED, data)
        yield _command(f"agree-{number}", number, theirs, "AgreeMilestone", _PLANNED, agreed)


def probe(number: int) -> bytes:
    """Return the command of this number: a referral on the day after a milestone was due."""
    _, theirs = _partnership(number)
    data = {"deal": f"probe-{number}", "lead": f"Lead {number}", "campaign": "webinar"}
    at = _due(number) + _DAY
    return _command(f"probe-{number}", number, theirs, "SubmitReferral", at, data)


def alert(number: int) -> str:
    """Return the identity of the alert that it makes."""
    partnership, _ = _partnership(number)
    return alert_id("milestone-missed", 1, partnership, _milestone(number))


def _partnership(number: int) -> tuple[str, str]:
    named = f"partner-{number % PARTNERSHIPS:04}"
    return _probed(named), f"{named}-ltd"


def _probed(partnership: str) -> str:
    return f"probed-{partnership}"


def _milestone(number: int) -> str:
    return f"step-{number // PARTNERSHIPS}"


def _due(number: int) -> datetime:
    # A day for each, so that a command passes one of them and no more.
    return _PLANNED + (1 + number // PARTNERSHIPS) * _DAY


def _command(  # noqa: PLR0913, PLR0917 - what makes up a command
    name: str, number: int, party: str, command: str, at: datetime, data: dict[str, Any]
) -> bytes:
    return orjson.dumps(
        {
            "specversion": "1.0",
            "id": name,
            "source": SOURCE,
            "type": f"accord.{command}",
            "subject": _partnership(number)[0],
            "time": at,
            "party": party,
            "actor": f"manager@{party}",
            "data": data,
        }
    )
