"""An example of each type of event, as it is sent: the commands of `domain.examples`."""

from collections.abc import Iterable
from datetime import UTC, datetime, time
from typing import TYPE_CHECKING, Any

from domain import program
from domain.kernel import Command
from domain.values import instant
from infra.tlog import cloudevents

if TYPE_CHECKING:
    from domain.examples import Step

SOURCE = "//crm.growthos.example"
SUBJECT = "growthos-brightpath"

NINE = time(9, tzinfo=UTC)
"""The time of day of the examples."""


def example(command: type[Command]) -> dict[str, Any]:
    """Return the example of a command as a CloudEvent in structured JSON."""
    # Other commands do not wait for the examples to be made.
    from domain.examples import EXAMPLES  # noqa: PLC0415

    return event(EXAMPLES[command], f"example-{command.__name__}")


def event(step: "Step", id: str) -> dict[str, Any]:
    """Return a CloudEvent that asks for what a step of the examples asks for."""
    at = datetime.combine(datetime.fromisoformat(step.at), NINE)
    # A program is its party's own, and so under a name of its own.
    is_program = step.command.substream() == program.STREAM
    return {
        "specversion": "1.0",
        "id": id,
        "source": SOURCE,
        "type": cloudevents.PREFIX + type(step.command).__name__,
        "subject": f"{step.party}-program" if is_program else SUBJECT,
        "time": instant(at),
        "party": step.party,
        "actor": f"{step.party}-manager",
        "data": step.command.model_dump(mode="json", exclude_none=True),
    }


def events(steps: Iterable["Step"]) -> list[dict[str, Any]]:
    """Return the events of steps, in order: the example where a step is one."""
    from domain.examples import EXAMPLES  # noqa: PLC0415

    return [
        event(each, f"example-{type(each.command).__name__}")
        if each is EXAMPLES[type(each.command)]
        else event(each, f"step-{number:03}")
        for number, each in enumerate(steps)
    ]
