"""The rules that can refuse an event: what each means, what it says, and what to do."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Annotated, Final

from pydantic import AfterValidator, TypeAdapter

from domain.wording import wrong
from infra.answers.logs import NotFound, perhaps
from infra.answers.question import Item, Panel, Parameter, Question
from infra.answers.text import Block, Line, Remark, Table

CATALOGUE: Final = Path(__file__).with_name("problems.json")
"""Every rule, as `python -m dev.problems` finds it in the source."""


class Message(Item):
    """What a refusal says; what differs from case to case is in `<...>`."""

    detail: str
    """What is not allowed, then the facts of the case."""
    hint: str
    """What to do about it."""


class Rule(Item):
    """A rule that can refuse an event."""

    rule: str
    """The name of the rule. For one that a gate asks of each party or question, a colon follows."""
    meaning: str
    """What is not allowed."""
    cases: tuple[Message, ...]
    """The messages of the rule."""


class Problems(Item):
    """The rules that can refuse an event."""

    items: tuple[Rule, ...]
    """The rules, by name."""


def ask(
    rule: Annotated[
        str | None, Parameter("Such as overlap-known.", "RULE", positional=True)
    ] = None,
) -> Problems:
    """Return every rule that can refuse, or one. Raises `NotFound` for an unknown rule."""
    rules = catalogue()
    if rule is None:
        return Problems(items=tuple(rules.values()))
    name = rule.partition(":")[0]
    if name not in rules:
        hint = perhaps(name, rules, "List the rules that can refuse an event.")
        raise NotFound(f"There is no rule {rule}.", hint)
    return Problems(items=(rules[name],))


def _known(rule: str) -> str:
    rules = catalogue()
    if rule.partition(":")[0] in rules:
        return rule
    raise wrong(
        "is not a rule that can refuse an event",
        perhaps(rule, rules, "List the rules that can refuse an event."),
    )


KnownRule = Annotated[str, AfterValidator(_known)]
"""The name of a rule in the catalogue; after a colon, the party or the question it was asked of."""


@cache
def catalogue() -> dict[str, Rule]:
    """Return every rule, by name."""
    rules = TypeAdapter(list[Rule]).validate_json(CATALOGUE.read_bytes())
    return {each.rule: each for each in rules}


def text(found: Problems) -> Iterator[Block]:
    """Yield a line for each rule; or the messages of the one asked for."""
    if len(found.items) > 1:
        yield Table(["RULE", "MEANING"], [(each.rule, each.meaning) for each in found.items])
        yield Remark("The messages of one, and what to do: accord problems RULE.")
        return
    for each in found.items:
        yield Line(each.rule, "bold")
        for case in each.cases:
            yield Line(case.detail, indent=2)
            yield Line(f"Hint: {case.hint}", indent=2)


PROBLEMS = Question(
    "problems",
    ask,
    text,
    path="/v1/problems",
    help="List the rules that can refuse an event, or show what one says and what to do.",
    panel=Panel.EVENTS,
)
