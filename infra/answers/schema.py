"""Which events can be sent: their types by stage, and the fields and an example of one."""

from collections.abc import Iterator
from itertools import groupby
from typing import Annotated, Any

import orjson

from domain.aggregates import command_types
from domain.kernel import NOT_ENDED, Command, Refused, Stage
from infra.answers.example_events import example
from infra.answers.field_table import EventField, fields
from infra.answers.logs import NotFound
from infra.answers.parameters import Name
from infra.answers.question import Item, Panel, Parameter, Question
from infra.answers.text import Block, Line, Remark, Table, Verbatim, without_codes
from infra.deciding import intake
from infra.tlog import cloudevents

TO_BEGIN, AT_ANY_TIME = "to begin", "in every stage"
"""The groups of the commands that belong to no single stage."""


class EventType(Item):
    """A type of event that can be sent."""

    type: str
    """The event's `type`: `accord.` and the command."""
    summary: str
    """What the command asks for."""
    group: str
    """The first stage in which it is allowed, or `to begin`, or `in every stage`."""
    stages: tuple[Stage, ...]
    """The stages in which it is allowed."""
    fields: tuple[EventField, ...] | None = None
    """The fields of its data, where one type is asked for."""
    example: dict[str, Any] | None = None
    """A whole event, where one type is asked for."""
    json_schema: dict[str, Any] | None = None
    """The JSON Schema of the whole event, where one type is asked for."""


class EventTypes(Item):
    """The types of events, in the order of a partnership's life."""

    items: tuple[EventType, ...]
    """The types, by group."""
    attributes: tuple[EventField, ...]
    """The attributes that every event has around its data."""


def ask(
    type: Annotated[
        Name | None, Parameter("Such as SignAgreement.", "TYPE", positional=True)
    ] = None,
) -> EventTypes:
    """Return every type, or one with its fields, an example and its JSON Schema.

    Raises `NotFound` for an unknown type.
    """
    # Other commands do not wait for the examples to be made.
    from domain.examples import EXAMPLES  # noqa: PLC0415

    if type is None:
        in_order = sorted(EXAMPLES, key=lambda each: _GROUPS.index(group(each)))
        return EventTypes(items=tuple(map(_type, in_order)), attributes=_attributes())
    try:
        schema = intake.schema(type)
    except Refused as refused:
        raise NotFound(refused.detail, refused.hint) from refused
    command = command_types()[type.removeprefix(cloudevents.PREFIX)]
    return EventTypes(items=(_described(command, schema),), attributes=_attributes())


def group(command: type[Command]) -> str:
    """Return the group of a command: the first stage in which it is allowed, or none of them."""
    stages = [stage for stage in Stage if stage in command.stages]
    if not stages:
        return TO_BEGIN
    return AT_ANY_TIME if set(stages) >= NOT_ENDED else stages[0].value


_GROUPS = [TO_BEGIN, *(stage.value for stage in Stage), AT_ANY_TIME]


def _attributes() -> tuple[EventField, ...]:
    schema = intake.Envelope.model_json_schema()
    return tuple(each for each in fields(schema) if each.field != "data")


def _type(command: type[Command]) -> EventType:
    return EventType(
        type=cloudevents.PREFIX + command.__name__,
        summary=(command.__doc__ or "").partition("\n")[0],
        group=group(command),
        stages=tuple(stage for stage in Stage if stage in command.stages),
    )


def _described(command: type[Command], schema: dict[str, Any]) -> EventType:
    given = example(command)
    return _type(command).model_copy(
        update={
            "fields": tuple(fields(command.model_json_schema())),
            "example": given,
            "json_schema": schema | {"examples": [given]},
        }
    )


def text(found: EventTypes) -> Iterator[Block]:
    """Yield a line for each type by group; or the fields and an example of the one asked for."""
    one = found.items[0]
    if one.fields is not None:
        yield from _text_of_one(one)
        return
    for name, types in groupby(found.items, key=lambda each: each.group):
        rows = [(each.type, without_codes(each.summary)) for each in types]
        yield Table(["TYPE", "WHAT IT ASKS FOR"], rows, title=name)
        yield Line()
    yield _table(found.attributes, "attributes of every event", "ATTRIBUTE")
    yield Remark(
        "The fields of one, and an example: accord schema TYPE. The metrics: accord metrics."
    )


def _text_of_one(one: EventType) -> Iterator[Block]:
    yield Line(f"{one.type}: {without_codes(one.summary)}")
    yield Line(f"Allowed in: {', '.join(one.stages) or 'no stage, but ' + one.group}.")
    yield Line()
    yield _table(one.fields or (), "data", "FIELD")
    yield Line()
    yield Line("example", "bold")
    yield Verbatim(orjson.dumps(one.example).decode() + "\n")
    if "Metric" in one.type:
        yield Remark("The metrics and their units: accord metrics.")
    yield Remark(
        f"The JSON Schema: accord schema {one.type.removeprefix(cloudevents.PREFIX)} --json."
    )


def _table(rows: tuple[EventField, ...], title: str, head: str) -> Table:
    return Table(
        [head, "TYPE", "FORMAT", "REQUIRED", "MEANING"],
        [
            (
                each.field,
                each.type,
                each.format or "",
                _required(each, rows),
                without_codes(each.meaning),
            )
            for each in rows
        ],
        title=title,
    )


def _required(field: EventField, rows: tuple[EventField, ...]) -> str:
    if not field.required:
        return "no" if field.default in (None, [], {}) else f"no ({field.default})"
    optional = [each.field for each in rows if not each.required and _is_within(field, each)]
    return f"if {optional[-1].rpartition('.')[2]} is given" if optional else "yes"


def _is_within(field: EventField, other: EventField) -> bool:
    """Return whether a field is part of an object in another one, at any depth."""
    rest = field.field.removeprefix(other.field)
    return rest != field.field and rest.startswith((".", "[", "("))


SCHEMA = Question(
    "schema",
    ask,
    text,
    path="/v1/schema",
    help="List the types of events that can be sent, or show the fields and an example of one.",
    panel=Panel.EVENTS,
)
