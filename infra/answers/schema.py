"""Which events can be sent: their types, and the JSON Schema of one."""

from collections.abc import Iterator
from typing import Annotated, Any

from domain.aggregates import command_types
from domain.kernel import Command, Refused, Stage
from infra.answers.logs import NotFound
from infra.answers.question import Item, Panel, Parameter, Question
from infra.answers.text import Block, Json, Note, Table
from infra.deciding import intake
from infra.tlog import cloudevents

CHAPTERS = (
    "exploration",
    "markets",
    "formation",
    "governance",
    "priors",
    "sharing",
    "execution",
    "health",
    "experiment",
    "scaling",
    "renewal",
    "gates",
    "partnership",
    "deal",
    "entry",
    "settlement",
    "dispute",
    "people",
    "reported_figure",
    "program",
)
"""The modules of `domain` that define commands, in the order of a partnership's life."""


class EventType(Item):
    """A type of event that can be sent."""

    type: str
    """The event's `type`: `accord.` and the command."""
    summary: str
    """What the command asks for."""
    stages: tuple[Stage, ...]
    """The stages in which it can be asked for."""
    json_schema: dict[str, Any] | None = None
    """The JSON Schema of the whole event, where one type is asked for."""


class EventTypes(Item):
    """The types of events, in the order of a partnership's life."""

    items: tuple[EventType, ...]
    """The items, in order."""


def ask(
    type: Annotated[
        str | None, Parameter("Such as SignAgreement.", "TYPE", positional=True)
    ] = None,
) -> EventTypes:
    """Return every type, or one with its JSON Schema. Raises `NotFound` for an unknown type."""
    commands = {cloudevents.PREFIX + name: each for name, each in command_types().items()}
    if type is None:
        in_order = sorted(commands.items(), key=lambda each: _chapter(each[1]))
        return EventTypes(items=tuple(_type(name, each) for name, each in in_order))
    try:
        schema = intake.schema(type)
    except Refused as refused:
        raise NotFound(refused.detail, refused.hint) from refused
    name = type if type.startswith(cloudevents.PREFIX) else cloudevents.PREFIX + type
    return EventTypes(items=(_type(name, commands[name], schema),))


def _type(name: str, command: type[Command], schema: dict[str, Any] | None = None) -> EventType:
    return EventType(
        type=name,
        summary=(command.__doc__ or "").partition("\n")[0],
        stages=tuple(stage for stage in Stage if stage in command.stages),
        json_schema=schema,
    )


def _chapter(command: type[Command]) -> int:
    module = command.__module__.removeprefix("domain.")
    return CHAPTERS.index(module) if module in CHAPTERS else len(CHAPTERS)


def text(found: EventTypes) -> Iterator[Block]:
    """Yield a line for each type; or the JSON Schema of the one that was asked for."""
    for each in found.items:
        if each.json_schema is not None:
            yield Json(each.json_schema)
            if "Metric" in each.type:
                yield Note("The metrics and their units: accord metrics.")
            return
    yield Table(["TYPE", "WHAT IT ASKS FOR"], [(each.type, each.summary) for each in found.items])
    yield Note("The JSON Schema of one: accord schema TYPE. The metrics: accord metrics.")


SCHEMA = Question(
    "schema",
    ask,
    text,
    path="/v1/schema",
    help="List the types of events that can be sent, or show the JSON Schema of one.",
    panel=Panel.INGEST,
)
