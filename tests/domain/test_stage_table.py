"""Every stage × every command, and what it gives: generated from the code, kept as a table.

`yes` means that the command has its place there and the rules of its own decide; anything else is
the rule that refuses it whatever it says. After a change that is meant, write the table anew:
`python -m tests.domain.test_stage_table`.
"""

from pathlib import Path

import pytest

from domain.adoption import ProposeAdoption
from domain.aggregates import command_types
from domain.exploration import BeginExploration
from domain.kernel import Command, Refused, Stage
from domain.program import DefinePortfolio
from tests.life import EXAMPLES, OURS, THEIRS, at, example
from tests.stories import Story

TABLE = Path(__file__).with_name("stage_table.txt")
COLUMNS: tuple[Stage | None, ...] = (None, *Stage)
COMMANDS = sorted(command_types().values(), key=lambda each: each.__name__)


def cell(command: type[Command], stage: Stage | None) -> str:
    """Return `yes`, or the rule that refuses the command in a stage."""
    if command is BeginExploration:
        return "yes" if stage is None else "partnership-exists"
    if command is DefinePortfolio:
        return "yes" if stage is None else "not-a-program"
    if stage is None and command is ProposeAdoption:
        return "yes"
    if stage is None:
        return "no-such-partnership"
    return "yes" if stage in command.stages else "wrong-stage"


def table() -> str:
    """Return the whole table as text, a command a line."""
    head = ["", *(stage.value if stage else "(none)" for stage in COLUMNS)]
    rows = [[each.__name__, *(cell(each, stage) for stage in COLUMNS)] for each in COMMANDS]
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    lines = (
        "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()
        for row in [head, *rows]
    )
    return "\n".join(lines) + "\n"


def test_the_table_on_record_is_what_the_code_gives() -> None:
    assert TABLE.read_text(encoding="utf-8") == table(), "see the docstring of this module"


def test_there_is_an_example_of_every_command() -> None:
    assert set(EXAMPLES) == set(COMMANDS)


@pytest.fixture(scope="module", params=COLUMNS, ids=lambda stage: stage or "none")
def reached(request: pytest.FixtureRequest) -> Story:
    return at(request.param)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda each: each.__name__)
def test_each_cell_is_what_deciding_gives(reached: Story, command: type[Command]) -> None:
    story = reached.copy()
    stage, parties = story.partnership.stage, story.partnership.parties
    party = EXAMPLES[command].party if len(parties) > 1 else OURS
    if command is BeginExploration and stage is not None:
        party = THEIRS  # Who began it decides nothing by beginning again; another is refused.
    expected = cell(command, stage)

    try:
        story.when(party, example(command))
    except Refused as refusal:
        rule = refusal.rule
    else:
        rule = "decided"

    if expected == "yes":
        assert rule not in {"wrong-stage", "no-such-partnership", "unknown-party"}
    else:
        assert rule == expected


if __name__ == "__main__":
    TABLE.write_text(table(), encoding="utf-8")
