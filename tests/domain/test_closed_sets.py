"""Each member of a closed set can be printed, described and served; a new one without words fails.

Items are in `test_terms.py`, deadlines in `test_deadlines.py`, stored bytes in
`tests/infra/test_golden.py`.
"""

import ast
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

import domain
from domain.aggregates import command_types
from domain.breach_actions import Breaches, RuleBreached, next_action
from domain.described import descriptions
from domain.execution import InvestmentReduced, ReviewScheduled
from domain.kernel import Command, Event, Stage
from domain.metric_catalogue import CATALOGUE, Adds, Metric, Unit
from domain.reported_figure import ReportedFigure, ReportMetric
from domain.rules import Action
from projections.timeline import WORDS
from tests.life import EXAMPLES, LIFE, at
from tests.stories import Story, moment

EVENTS = [event for _, event in sorted(Event.registry.items())]
COMMANDS = [command for _, command in sorted(command_types().items())]
KINDS: list[type[Command] | type[Event]] = [*COMMANDS, *EVENTS]


# --- commands and events -----------------------------------------------------------------------


def test_each_event_has_words_for_the_timeline() -> None:
    assert [event.wire for event in EVENTS if event not in WORDS] == []


def test_each_command_and_event_is_described() -> None:
    assert [kind.__name__ for kind in KINDS if not is_described(kind)] == []


def is_described(kind: type[Command] | type[Event]) -> bool:
    """Whether a docstring of sentences describes a kind, in its schema too."""
    doc = (kind.__doc__ or "").strip()
    in_schema = kind.model_json_schema()["description"] == doc.replace("\n    ", "\n")
    return doc[:1].isupper() and doc.endswith(".") and in_schema


def test_each_field_is_described() -> None:
    assert [
        f"{kind.__name__}.{name}"
        for kind in KINDS
        for name in kind.model_fields
        if not descriptions(kind).get(name)
    ] == []


def test_each_command_has_an_example() -> None:
    assert [command.__name__ for command in COMMANDS if command not in EXAMPLES] == []


# --- stages ------------------------------------------------------------------------------------


@pytest.mark.parametrize("stage", Stage)
def test_each_stage_is_reached_and_named_where_it_allows_no_command(stage: Stage) -> None:
    story = at(stage)
    commands = [each.command for each in LIFE if each.command.stages]
    command = next(each for each in commands if stage not in each.stages)

    refusal = story.refuses(story.partnership.parties[0], command)

    assert story.partnership.stage is stage
    assert refusal.rule == "wrong-stage"
    assert f"the stage {stage}" in refusal.detail


# --- metrics -----------------------------------------------------------------------------------


@pytest.mark.parametrize("metric", CATALOGUE.values(), ids=lambda each: each.name)
def test_each_metric_is_in_the_schema_and_its_figures_are_printed(metric: Metric) -> None:
    unit = "USD" if metric.unit.takes("USD") else metric.unit.value
    one = Decimal(1)
    figure = (
        ReportedFigure(unit=unit, numerator=one, denominator=one)
        if metric.adds is Adds.RATIO
        else ReportedFigure(unit=unit, value=one)
    )

    assert metric.name in ReportMetric.model_json_schema()["properties"]["metric"]["examples"]
    written = {Unit.COUNT: "1", Unit.PERCENT: "1 of 1" if metric.adds is Adds.RATIO else "1 %"}
    assert str(figure) == written[metric.unit] if metric.unit in written else unit in str(figure)
    assert metric.adds is not Adds.RATIO or (metric.numerator and metric.denominator)


# --- decision rules ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def running() -> Story:
    return at(Stage.EXECUTION)


@pytest.mark.parametrize("action", Action)
def test_each_action_of_a_rule_is_carried_out(action: Action, running: Story) -> None:
    breach = RuleBreached(
        rule="floor", rule_version=1, window="2026-03", finding="3 of 5.", action=action
    )
    breaches = Breaches().evolve(breach, moment("2026-04-01"))

    event = next_action(breaches, running.partnership.context)

    expected: dict[Action, type] = {
        Action.ESCALATE_TO_REVIEW: ReviewScheduled,
        Action.REDUCE_INVESTMENT: InvestmentReduced,
        Action.NOTIFY: type(None),
    }
    assert isinstance(event, expected[action])


# --- refusals ----------------------------------------------------------------------------------


def _texts() -> Iterator[tuple[str, str]]:
    """Yield each text of a refusal or a requirement in the domain, with its place."""
    for source in sorted(Path(*domain.__path__).glob("*.py")):
        for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
            match node:
                case ast.Call(
                    func=ast.Name("Refused" | "NotNow" | "Unknown" | "Requirement" | "once")
                ):
                    for part in ast.walk(node):
                        if isinstance(part, ast.Constant) and isinstance(part.value, str):
                            yield f"{source.name}:{part.lineno}", part.value
                case _:
                    pass


REFUSALS = list(_texts())


def test_the_refusals_are_found_in_the_source() -> None:
    assert len(REFUSALS) > 300


def test_no_refusal_names_a_command_of_one_transport() -> None:
    assert [place for place, text in REFUSALS if "accord " in text or "HTTP" in text] == []


def test_a_command_that_a_refusal_names_exists() -> None:
    named = {
        (place, word)
        for place, text in REFUSALS
        for word in text.replace("(", " ").replace(")", " ").replace(",", " ").split()
        if word.rstrip(".").isalpha() and sum(map(str.isupper, word)) > 1 and word[1:2].islower()
    }

    known = {each.__name__ for each in COMMANDS}
    assert sorted((place, word) for place, word in named if word.rstrip(".") not in known) == []
