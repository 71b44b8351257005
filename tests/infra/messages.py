"""Commands as services send them: CloudEvents in structured JSON."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import orjson

from domain.examples import Step
from domain.exploration import BeginExploration, IdentifyCandidate
from domain.kernel import Command
from domain.values import instant
from tests.stories import moment

SOURCE = "//crm.growthos.example"


def attributes(
    id: str,
    command: Command,
    *,
    party: str = "growthos",
    subject: str = "growthos-brightpath",
    at: datetime | str = "2026-01-12",
) -> dict[str, Any]:
    """Return a CloudEvent that asks for a command, as a JSON object that a test may change."""
    return {
        "specversion": "1.0",
        "id": id,
        "source": SOURCE,
        "type": f"accord.{type(command).__name__}",
        "subject": subject,
        "time": instant(moment(at) if isinstance(at, str) else at),
        "party": party,
        "actor": f"{party}-manager",
        "data": command.model_dump(mode="json", exclude_none=True),
    }


def message(id: str, command: Command, **more: Any) -> bytes:  # noqa: ANN401 - any attribute
    """Return the same as bytes; attributes that `attributes` does not know are added."""
    known = {key: more.pop(key) for key in ("party", "subject", "at") if key in more}
    return orjson.dumps(attributes(id, command, **known) | more)


def from_steps(steps: Iterable[Step]) -> list[bytes]:
    """Return a message for each step of a story, in order."""
    return [
        message(f"step-{number:03}", step.command, party=step.party, at=step.at)
        for number, step in enumerate(steps)
    ]


def beginning(subject: str = "growthos-brightpath", id: str = "begin", **more: Any) -> bytes:  # noqa: ANN401
    """Return a message that begins a partnership."""
    command = BeginExploration(party_name="GrowthOS", purpose="Reach mid-market companies.")
    return message(f"{id}-{subject}", command, subject=subject, **more)


def candidate(name: str, staff: int = 120, **more: Any) -> bytes:  # noqa: ANN401 - as above
    """Return a message that puts a candidate on the list: a fact that needs nothing before it."""
    command = IdentifyCandidate(
        candidate=name, name=name.title(), found_through="directory", staff=staff
    )
    return message(more.pop("id", f"identify-{name}"), command, **more)
