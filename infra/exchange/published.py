"""What Accord takes and publishes, as AsyncAPI 3 and as JSON Schemas.

`accord schema --out DIR` writes both. Each published message names its schema in `dataschema`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydantic import TypeAdapter

from domain.kernel import Event
from infra.answers.changes import BODIES
from infra.answers.example_events import example
from infra.answers.history import StoredEvent
from infra.answers.question import Item
from infra.deciding import intake
from infra.exchange.sink import ALERT_TYPES
from infra.kafka.topics import KEPT
from infra.settings import RELEASE
from infra.tlog import cloudevents
from projections.alerts import Alert
from projections.figures import FigureLine
from projections.timeline import TimelineItem

Schema = dict[str, Any]

_REF = "#/components/schemas/"
DRAFT: Final = "https://json-schema.org/draft/2020-12/schema"


class InputRefused(Item):
    """An input was refused, or is unreadable. The input itself is kept in the store."""

    source: str
    """The source of the event: the service that sent it."""
    id: str
    """The id that its source gave."""
    rule: str
    """The rule that refused it."""
    detail: str
    """What is wrong, with the facts of this case."""
    hint: str
    """What to do about it."""
    pointer: str | None = None
    """Where in the event the trouble is (RFC 6901), if it is at one place."""


class Checkpoint(Item):
    """The log of a partnership was signed at a size."""

    partnership: str
    """The partnership."""
    size: int
    """How many events the log had."""
    note: str
    """The signed note, in the text form of C2SP."""


class EventWithheld(Item):
    """An event that a party may keep to itself: its place and its hash alone."""

    partnership: str
    """The partnership."""
    index: int
    """The place of the event in the partnership's log, from 0."""
    withheld: str
    """The leaf hash of the event (RFC 6962), in hex."""


class PartyView(Item):
    """What a party sees of an event of one of its partnerships."""

    partnership: str
    """The partnership."""
    index: int
    """The place of the event in the partnership's log, from 0."""
    event: StoredEvent | None
    """The event, with empty `data` if its count is too small to be shown; null if it is hidden."""
    withheld: bool
    """Whether the party may not see all that the event says."""
    text: str
    """What was done, in words; or why it is withheld."""
    late_days: int
    """How many whole days after it happened it was recorded; 0 if the event is hidden."""


@dataclass(frozen=True, slots=True)
class Published:
    """A kind of message on a topic or a stream."""

    channel: str
    name: str
    """The CloudEvents type without its prefix, or the name of an event of the stream."""
    payload: Schema
    """The schema of the value; what it refers to is under `components/schemas`."""
    version: int = 1
    media_type: str = "application/json"

    @property
    def dataschema(self) -> str:
        """The name of the schema, as the messages give it."""
        return cloudevents.dataschema(self.name, self.version)


PARTY: Final = "party"
"""The channel of the topics of the parties."""

STREAM: Final = "alerts-stream"
"""The channel of the stream of server-sent events."""

_TEXT: Final[dict[str, tuple[str, str, str]]] = {
    "receipts": ("CommandReceipt", "text/plain; charset=utf-8", "A signed note of a command."),
    "dead": ("DeadLetter", "application/octet-stream", "Bytes that could not be read."),
}
"""The messages whose value is no JSON, by topic: type, media type, description."""

_CHANNELS: Final = {
    "commands": "Events that services send.",
    "rejected": "Inputs that were refused.",
    "events": "Every recorded event, in the order of its partnership's log.",
    "kpis": "The latest figure of each metric and period.",
    "alerts": "Each change of an alert.",
    "audit": "The timeline and the signed checkpoints of each partnership.",
    "receipts": "The operator's receipts of accepted commands.",
    "dead": "What could not be read, with the reason.",
    PARTY: "What a party sees of each event of its partnerships. The name ends in the party's.",
    STREAM: "The changes of alerts as server-sent events (`/v1/alerts/stream`).",
}

_SENT: Final = {"commands"}
"""The channels that Accord reads; it writes the others."""


def published() -> tuple[list[Published], Schema]:
    """Return every kind of message, and the schemas that they refer to, by name."""
    of: dict[str, TypeAdapter[Any]] = {
        "Alert": TypeAdapter(Alert),
        "FigureLine": TypeAdapter(FigureLine),
        "TimelineItem": TypeAdapter(TimelineItem),
        "InputRefused": TypeAdapter(InputRefused),
        "Checkpoint": TypeAdapter(Checkpoint),
        "StoredEvent": TypeAdapter(StoredEvent),
        "EventWithheld": TypeAdapter(EventWithheld),
        "PartyView": TypeAdapter(PartyView),
        **{f"stream {name}": TypeAdapter(body) for name, body in BODIES.items()},
        **{f"event {each.wire}": TypeAdapter(each) for each in Event.registry.values()},
        **{f"command {wire}": TypeAdapter(each) for wire, each in intake.envelope_types().items()},
    }
    found, document = TypeAdapter.json_schemas(
        [(key, "validation", each) for key, each in of.items()], ref_template=_REF + "{model}"
    )
    schemas: Schema = _plain(document.get("$defs", {}))
    kinds = {key: _plain(schema) for (key, _), schema in found.items()}
    return list(_messages(kinds, schemas)), schemas


def _plain(schema: Any) -> Any:  # noqa: ANN401 - any part of a schema
    """Return a schema without the discriminators of OpenAPI, which AsyncAPI writes otherwise."""
    if isinstance(schema, dict):
        return {key: _plain(each) for key, each in schema.items() if key != "discriminator"}
    return [_plain(each) for each in schema] if isinstance(schema, list) else schema


def _messages(kinds: Mapping[str, Schema], schemas: Schema) -> Iterator[Published]:
    for wire in intake.envelope_types():
        name = wire.removeprefix(cloudevents.PREFIX)
        yield Published("commands", name, kinds[f"command {wire}"])
    yield Published("rejected", "InputRefused", kinds["InputRefused"])
    for each in Event.registry.values():
        payload = _recorded(each, kinds[f"event {each.wire}"], kinds["StoredEvent"], schemas)
        yield Published("events", each.wire, payload, each.version)
    yield Published("events", "EventWithheld", kinds["EventWithheld"])
    yield Published(PARTY, "PartyView", kinds["PartyView"])
    placed = {"partnership": _described("The partnership."), "index": _INDEX}
    yield Published("kpis", "FigureChanged", _with(kinds["FigureLine"], placed, schemas))
    yield Published("kpis", "FigureRemoved", _NO_VALUE)
    for name in ALERT_TYPES.values():
        yield Published("alerts", name, kinds["Alert"])
    item = _with(kinds["TimelineItem"], {"partnership": placed["partnership"]}, schemas)
    yield Published("audit", "TimelineItem", item)
    yield Published("audit", "Checkpoint", kinds["Checkpoint"])
    for topic, (name, media_type, description) in _TEXT.items():
        payload = {"type": "string", "description": description}
        yield Published(topic, name, payload, media_type=media_type)
    for name in BODIES:
        yield Published(STREAM, name, kinds[f"stream {name}"])


def _described(description: str) -> Schema:
    return {"type": "string", "description": description}


_INDEX: Final = {
    "type": "integer",
    "minimum": 0,
    "description": "The index of the last event behind the figure, in its partnership's log.",
}


_NO_VALUE: Final = {
    "type": "null",
    "description": "The figure no longer exists: a late fact moved it to another period. The "
    "message has no value, so that compaction removes its key.",
}


def _recorded(event: type[Event], data: Schema, envelope: Schema, schemas: Schema) -> Schema:
    """Return the schema of a recorded event: the envelope, with the fields of its type."""
    return _with(
        envelope,
        {
            "type": {"const": event.wire, "description": "The type of the event."},
            "schema_version": {"const": event.version, "description": "The version of its schema."},
            "data": data,
        },
        schemas,
        description=(event.__doc__ or "").partition("\n")[0],
    )


def _with(schema: Schema, more: Schema, schemas: Schema, description: str = "") -> Schema:
    """Return an object's schema with more fields, all of them required."""
    whole = _resolved(schema, schemas)
    return whole | {
        "properties": whole["properties"] | more,
        "required": sorted({*whole.get("required", ()), *more}),
        "description": description or whole.get("description", ""),
    }


def _resolved(schema: Schema, schemas: Schema) -> Schema:
    while "$ref" in schema:
        schema = schemas[schema["$ref"].removeprefix(_REF)]
    return schema


# --- JSON Schemas ------------------------------------------------------------------------------


def json_schemas() -> dict[str, Schema]:
    """Return the JSON Schema of each kind of message that is JSON, by the path of its file."""
    messages, schemas = published()
    return {
        f"{each.channel}/{each.name}.json": _alone(each, schemas)
        for each in messages
        if each.media_type == "application/json"
    }


def _alone(message: Published, schemas: Schema) -> Schema:
    needed: dict[str, Schema] = {}
    _collect(message.payload, schemas, needed)
    alone: Schema = _moved(message.payload)
    return {
        "$schema": DRAFT,
        "$id": message.dataschema if message.channel not in _SENT else f"{message.dataschema}:sent",
        **alone,
        **({"$defs": {name: _moved(each) for name, each in needed.items()}} if needed else {}),
    }


def _collect(schema: Any, schemas: Schema, needed: dict[str, Schema]) -> None:  # noqa: ANN401
    if isinstance(schema, dict):
        ref = schema.get("$ref")
        if isinstance(ref, str) and (name := ref.removeprefix(_REF)) not in needed:
            needed[name] = schemas[name]
            _collect(schemas[name], schemas, needed)
        for each in schema.values():
            _collect(each, schemas, needed)
    elif isinstance(schema, list):
        for each in schema:
            _collect(each, schemas, needed)


def _moved(schema: Any) -> Any:  # noqa: ANN401 - any part of a schema
    """Return a schema whose references lead into its own `$defs`."""
    if isinstance(schema, dict):
        return {key: _moved(each) for key, each in schema.items()}
    if isinstance(schema, list):
        return [_moved(each) for each in schema]
    if isinstance(schema, str) and schema.startswith(_REF):
        return "#/$defs/" + schema.removeprefix(_REF)
    return schema


# --- AsyncAPI ----------------------------------------------------------------------------------


def asyncapi(prefix: str = "accord") -> Schema:
    """Return the AsyncAPI 3 document of an installation's topics and of the stream of alerts."""
    messages, schemas = published()
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Accord",
            "version": RELEASE,
            "description": "Messages are CloudEvents 1.0 in binary mode: attributes are headers "
            "that begin with `ce_`, and the value is canonical JSON.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": {
            name: {
                **_address(prefix, name),
                "description": description,
                "messages": {
                    _key(each): {"$ref": f"#/components/messages/{_key(each)}"}
                    for each in messages
                    if each.channel == name
                },
            }
            for name, description in _CHANNELS.items()
        },
        "operations": {
            f"{'receive' if name in _SENT else 'send'}-{name}": {
                "action": "receive" if name in _SENT else "send",
                "channel": {"$ref": f"#/channels/{name}"},
            }
            for name in _CHANNELS
        },
        "components": {
            "messages": {_key(each): _message(each) for each in messages},
            "schemas": schemas,
        },
    }


def _address(prefix: str, name: str) -> Schema:
    match name:
        case "alerts-stream":
            return {"address": "/v1/alerts/stream"}
        case "party":
            party = {"description": "The party, which alone may read the topic."}
            return {"address": f"{prefix}.party.{{party}}", "parameters": {"party": party}}
        case _:
            return {"address": f"{prefix}.{name}"}


assert {*KEPT, PARTY, STREAM} == _CHANNELS.keys()  # noqa: S101 - each topic is described


def _key(message: Published) -> str:
    return f"{message.channel}.{message.name}"


def _message(message: Published) -> Schema:
    sent = message.channel in _SENT
    described: Schema = {
        "name": message.name if message.channel == STREAM else cloudevents.PREFIX + message.name,
        "contentType": cloudevents.STRUCTURED if sent else message.media_type,
        "payload": message.payload,
    }
    if sent:
        command = intake.envelope_types()[cloudevents.PREFIX + message.name]
        data = command.model_fields["data"].annotation
        described["examples"] = [{"payload": example(data)}] if isinstance(data, type) else []
    elif message.channel != STREAM:
        described["headers"] = _headers(message)
    return described


def _headers(message: Published) -> Schema:
    constants = {
        "ce_specversion": ("1.0", "The version of CloudEvents."),
        "ce_type": (cloudevents.PREFIX + message.name, "The type of the message."),
    }
    if message.media_type == "application/json":
        constants["ce_dataschema"] = message.dataschema, "The name of the schema of the value."
    return {
        "type": "object",
        "properties": {
            **{
                name: _described(words) | {"const": value}
                for name, (value, words) in constants.items()
            },
            "ce_id": _described("The identifier of the message; the same message has the same."),
            "ce_source": _described("Always `//accord`."),
            "ce_subject": _described("The partnership."),
        },
        "required": [*constants, "ce_id", "ce_source"],
    }
