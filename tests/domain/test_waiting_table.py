"""What each command names, and what happens if that is not on record: generated, kept as a table.

In each line a command is decided at its place in the life of the examples, with one change: a field
names something that is not there (`FIELD=`), or an earlier event of its own stream is left out
(`without TYPE`). The command then waits, or a rule refuses it. Changes that make no difference are
left out. After a change that is meant, write the table anew:
`python -m tests.domain.test_waiting_table`.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import ValidationError

from domain.aggregates import command_types, stream_of
from domain.bilateral import BilateralCommand
from domain.claims import ClaimCommand
from domain.deal_record import DealCommand
from domain.dispute import DisputeCommand
from domain.entry import EntryCommand
from domain.execution import HoldKickoff
from domain.kernel import Command, Refused
from domain.reported_figure import MetricCommand
from tests.life import EXAMPLES, LIFE, changed
from tests.stories import Story

TABLE = Path(__file__).with_name("waiting_table.txt")
COMMANDS = sorted(command_types().values(), key=lambda each: each.__name__)
MEASURED = (DealCommand, DisputeCommand, EntryCommand, MetricCommand, ClaimCommand)
"""The commands on measured facts, which tools send in any order. All that they name is waited for,
as long as it is recorded in the same stream."""

MISSING = "not-there"


def place(kind: type[Command]) -> int:
    """Return where in the life a command has its place; those of no life come at its kick-off."""
    step = EXAMPLES[kind]
    return LIFE.index(step if step in LIFE else EXAMPLES[HoldKickoff]) + (step not in LIFE)


def stories() -> list[Story]:
    """Return the story before each step of the life, and after the last."""
    story = Story()
    return [story.copy(), *(story.given([step]).copy() for step in LIFE)]


STORIES = stories()


def result(story: Story, kind: type[Command], command: Command) -> str:
    """Return what deciding a command comes to."""
    step = EXAMPLES[kind]
    try:
        if step in LIFE:
            story.on(step.at)
        story.when(step.party, command)
    except Refused as refused:
        return f"waits for {refused.awaits.kind}" if refused.awaits else refused.rule
    return "decided"


def lines_of(kind: type[Command]) -> Iterator[tuple[str, str, str]]:
    """Yield the command, each change that makes a difference, and what it then comes to."""
    example, before = EXAMPLES[kind].command, STORIES[place(kind)]
    usual = result(before.copy(), kind, example)
    for name in type(example).model_fields:
        try:
            command = changed(example, **{name: MISSING})
        except ValidationError:
            continue
        found = result(before.copy(), kind, command)
        if found not in {usual, "decided"}:
            yield kind.__name__, f"{name}=", found
    if isinstance(example, MEASURED):
        for left_out in _earlier(kind):
            found = result(_without(kind, left_out), kind, example)
            if found not in {usual, "decided"}:
                yield kind.__name__, f"without {type(LIFE[left_out].command).__name__}", found


def _earlier(kind: type[Command]) -> list[int]:
    stream = stream_of("p", EXAMPLES[kind].command)
    return [n for n in range(place(kind)) if stream_of("p", LIFE[n].command) == stream]


def _without(kind: type[Command], left_out: int) -> Story:
    """Return the story before a command without one step, and those that it makes impossible."""
    story = STORIES[left_out].copy()
    for step in LIFE[left_out + 1 : place(kind)]:
        try:
            story.given([step])
        except Refused:
            continue
    return story


def table() -> str:
    """Return the whole table as text."""
    rows = [row for kind in COMMANDS for row in lines_of(kind)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "".join(
        "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()
        + "\n"
        for row in rows
    )


def test_the_table_on_record_is_what_the_code_gives() -> None:
    assert TABLE.read_text(encoding="utf-8") == table(), "see the docstring of this module"


REFUSED_AT_ONCE = {"unknown-party", "unknown-metric", "one-thing-disputed"}
"""The rules on what is not recorded in the stream of a measured fact: parties and metrics; and
what an event says by itself."""


@pytest.mark.parametrize("kind", [each for each in COMMANDS if issubclass(each, MEASURED)])
def test_a_measured_fact_waits_for_all_that_it_names_in_its_stream(kind: type[Command]) -> None:
    refused = {found for _, _, found in lines_of(kind) if not found.startswith("waits for ")}

    assert refused <= REFUSED_AT_ONCE


def test_an_acceptance_of_what_binds_the_partnership_never_waits() -> None:
    kinds = [
        each
        for each in COMMANDS
        if issubclass(each, BilateralCommand) and not issubclass(each, MEASURED)
    ]

    assert not [line for kind in kinds for line in lines_of(kind) if line[2].startswith("waits")]


if __name__ == "__main__":
    TABLE.write_text(table(), encoding="utf-8")
