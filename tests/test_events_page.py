"""The examples of commands in docs/events.md are those that other tests send and record."""

import json
import re

import pytest

from domain import claims, settlement
from domain.aggregates import command_types
from domain.examples import EXAMPLES
from domain.kernel import Event
from tests.documents import REPOSITORY

ROW = re.compile(r"(?m)^\| `([A-Z]\w+)` \| `([A-Z]\w+)` \| `(\{.*\})` \|$")
ROWS = ROW.findall((REPOSITORY / "docs" / "events.md").read_text(encoding="utf-8"))


@pytest.mark.parametrize(("command", "event", "data"), ROWS, ids=[each[0] for each in ROWS])
def test_the_example_of_a_command_is_the_one_that_is_recorded(
    command: str, event: str, data: str
) -> None:
    kind = command_types()[command]

    assert kind.model_validate(json.loads(data)) == EXAMPLES[kind].command
    assert event in Event.registry


def test_every_command_about_money_and_claims_is_on_the_page() -> None:
    modules = {claims.__name__, settlement.__name__}
    wanted = {name for name, kind in command_types().items() if kind.__module__ in modules}
    wanted |= {"ProposeRate", "AgreeRate", "PublishRate", "ObjectToRate"}
    wanted |= {name for name in command_types() if name.startswith(("Correct", "Reverse"))}
    # An observation is no fact of money; its page is about experiments.
    assert wanted - {"CorrectObservation"} <= {each[0] for each in ROWS}
