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
ELSEWHERE = {"wrong-stage", "no-such-partnership", "unknown-party"}
"""The rules that refuse a command whatever it says."""


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


@pytest.mark.parametrize("stage", COLUMNS, ids=lambda stage: stage or "none")
def test_each_cell_is_what_deciding_gives(stage: Stage | None) -> None:
    reached = at(stage)
    decided = {each.__name__: decision(each, reached.copy()) for each in COMMANDS}
    expected = {each.__name__: cell(each, stage) for each in COMMANDS}

    assert {
        name: (rule, decided[name])
        for name, rule in expected.items()
        if (decided[name] in ELSEWHERE if rule == "yes" else decided[name] != rule)
    } == {}


def decision(command: type[Command], story: Story) -> str:
    """Return the rule that refuses an example of a command, or `decided`."""
    parties = story.partnership.parties
    party = EXAMPLES[command].party if len(parties) > 1 else OURS
    if command is BeginExploration and story.partnership.stage is not None:
        party = THEIRS  # Who began it decides nothing by beginning again; another is refused.
    try:
        story.when(party, example(command))
    except Refused as refusal:
        return refusal.rule
    return "decided"


if __name__ == "__main__":
    TABLE.write_text(table(), encoding="utf-8")
