"""The parts of the API's document that routes do not give: posted events, and problems."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from threading import Lock
from typing import Any, Final

import orjson
from fastapi import FastAPI
from pydantic import BaseModel, Field
from pydantic.json_schema import models_json_schema
from starlette.types import ASGIApp

from domain.aggregates import command_types
from domain.described import Described
from infra.access.roles import Need
from infra.answers import changes
from infra.answers.example_events import example
from infra.answers.table import QUESTIONS
from infra.deciding import intake
from infra.http.problems import MEDIA_TYPE, ProblemDetails
from infra.tlog import dsse

MEDIA_TYPES: Final = (
    "application/cloudevents+json",
    "application/cloudevents-batch+json",
    "application/x-ndjson",
    "application/json",
)
"""One event, a batch, a stream of events; and plain JSON: an event, a batch, or the data in binary
mode. Any other type of JSON is taken as plain JSON."""

Schema = dict[str, Any]

_REF = "#/components/schemas/"

EXAMPLE: Final[Schema] = {
    "specversion": "1.0",
    "id": "crm-0001",
    "source": "//crm.growthos.example",
    "type": "accord.BeginExploration",
    "subject": "growthos-brightpath",
    "time": "2026-01-12T09:00:00Z",
    "party": "growthos",
    "actor": "maya.ortiz",
    "data": {
        "party_name": "GrowthOS",
        "purpose": "Reach mid-market companies through the firms that advise them.",
    },
}
"""An event that every store accepts."""


def _ref(name: str) -> Schema:
    return {"$ref": _REF + name}


def _content(schema: Schema, example: object, media_type: str = "application/json") -> Schema:
    return {media_type: {"schema": schema, "example": example}}


# --- what is posted ----------------------------------------------------------------------------


class PartySignature(Described):
    """The signature of a party."""

    keyid: str
    """The identifier of the key: the first 16 hexadecimal digits of its SHA-256 hash."""
    sig: str
    """The signature, in Base64."""


class SignedCommand(Described):
    """A DSSE envelope: an event, signed by its party (`accord sign`)."""

    payload: str
    """The event and what its signature covers, in Base64."""
    payloadType: str = Field(json_schema_extra={"const": dsse.TYPE})  # noqa: N815 - DSSE's name
    """The media type of the payload."""
    signatures: list[PartySignature] = Field(min_length=1, max_length=1)
    """The signature of the party."""


_A_LINE = {"type": "string", "description": "One event in structured JSON on each line."}
_PLAIN = {
    "anyOf": [
        _ref("Event"),
        _ref("SignedCommand"),
        {"type": "array", "items": _ref("Event")},
        {"type": "object", "description": "The event's `data` alone, in binary mode."},
    ]
}

_BINARY_HEADERS = [
    {
        "name": f"ce-{name}",
        "in": "header",
        "required": False,
        "description": f"Binary mode: the event's `{name}`, percent-encoded.",
        "schema": {"type": "string"},
    }
    for name in ("specversion", "id", "source", "type", "subject", "time", "party", "actor")
]

POST_EVENTS: Final[Schema] = {
    "parameters": _BINARY_HEADERS,
    "requestBody": {
        "required": True,
        "content": {
            **_content(_ref("Event"), EXAMPLE, MEDIA_TYPES[0]),
            **_content({"type": "array", "items": _ref("Event")}, [EXAMPLE], MEDIA_TYPES[1]),
            **_content(_A_LINE, orjson.dumps(EXAMPLE).decode() + "\n", MEDIA_TYPES[2]),
            **_content(_PLAIN, EXAMPLE, MEDIA_TYPES[3]),
        },
    },
}
"""What is posted, for FastAPI to take into the document."""


_ADOPTION: Final[Schema] = {
    "type": "object",
    "description": "A CloudEvent of the type accord.ProposeAdoption, or these attributes of one.",
    "required": ["subject", "party", "actor", "data"],
    "properties": {
        "subject": {"type": "string", "description": "The partnership."},
        "party": {"type": "string", "description": "The party that proposes the adoption."},
        "actor": {"type": "string", "description": "The person who acts for it."},
        "data": _ref("ProposeAdoption"),
    },
}

POST_ADOPTION: Final[Schema] = {
    "requestBody": {
        "required": True,
        "content": {MEDIA_TYPES[3]: {"schema": _ADOPTION}, MEDIA_TYPES[0]: {"schema": _ADOPTION}},
    },
}
"""What is posted to adopt a partnership."""


# --- what is streamed --------------------------------------------------------------------------


def _streamed(event: str, model: type) -> Schema:
    body = {"contentMediaType": MEDIA_TYPES[3], "contentSchema": _ref(model.__name__)}
    return {
        "type": "object",
        "description": (inspect.getdoc(model) or "").partition("\n")[0],
        "required": ["event", "data"],
        "properties": {
            "event": {"const": event},
            "id": {"type": "string"},
            "data": {"type": "string", **body},
        },
    }


STREAM: Final[Schema] = {
    "responses": {
        "200": {
            "description": "Server-sent events; each line `data` is one JSON object.",
            "content": {
                "text/event-stream": {
                    "schema": {"oneOf": [_streamed(*each) for each in changes.BODIES.items()]},
                    "example": 'event: ready\ndata: {"open":0}\nid: WyJhbGVydCBjaGFuZ2VzIl0\n\n',
                }
            },
        }
    }
}
"""What the stream of alerts sends, for FastAPI to take into the document."""


# --- problems ----------------------------------------------------------------------------------


def problem(description: str) -> Schema:
    """Return the description of a response that is a problem."""
    return {"description": description, "content": {MEDIA_TYPE: {"schema": _ref("ProblemDetails")}}}


def answer(model: type[BaseModel]) -> Schema:
    """Return the description of a response that is the answer to a question."""
    return {
        "description": "The answer.",
        "content": {MEDIA_TYPES[3]: {"schema": _ref(model.__name__)}},
    }


POST_PROBLEMS: Final[dict[int | str, Schema]] = {
    200: {"description": "What was decided: of one event, or of many."},
    202: {"description": "The event waits for what it names, or all events do."},
    400: problem("The event cannot be read; `pointer` says where. Or a batch is no JSON array."),
    409: problem("The id was used for other content, or another writer was first (`Retry-After`)."),
    413: problem("The body is too large."),
    415: problem("The body has another media type, or is compressed."),
    408: problem("The request did not arrive in time."),
    422: problem(
        "A rule refused the event: `rule` names it, `hint` says what to do. Or none of a "
        "batch was recorded: `results` says why."
    ),
    503: problem("Nothing can be recorded at the moment (`Retry-After`)."),
}
"""The responses to posted events besides their models."""

POST_ONE_PROBLEMS: Final = {
    key: each for key, each in POST_PROBLEMS.items() if key not in {200, 202}
}
"""The refusals of a request that posts one event, which never waits."""


# --- the document ------------------------------------------------------------------------------


@cache
def _schemas() -> Schema:
    """Return the schemas of all events, their union `Event`, all answers, and problems.

    They are the same in the document of each application.
    """
    models = intake.envelope_types()
    answers = {each.answer for each in QUESTIONS}
    # The form of an alert comes with the answers.
    streamed = [each for each in changes.BODIES.values() if issubclass(each, BaseModel)]
    refs, document = models_json_schema(
        [
            *((model, "serialization") for model in answers),
            *((model, "validation") for model in models.values()),
            (SignedCommand, "validation"),
            (ProblemDetails, "serialization"),
            *((model, "serialization") for model in streamed),
        ],
        ref_template=_REF + "{model}",
    )
    mapping = {wire: refs[model, "validation"]["$ref"] for wire, model in sorted(models.items())}
    for command in command_types().values():
        document["$defs"][f"{command.__name__}Event"]["examples"] = [example(command)]
    one = {
        "description": "A CloudEvent 1.0; its `type` says what its `data` is.",
        "oneOf": [{"$ref": ref} for ref in mapping.values()],
        "discriminator": {"propertyName": "type", "mapping": mapping},
    }
    return {**document["$defs"], "Event": one}


def _describe_streams(document: Schema) -> None:
    # FastAPI describes an item of a stream as OpenAPI 3.2 does, in a document of version 3.1.
    for methods in document["paths"].values():
        for operation in methods.values():
            for response in operation["responses"].values():
                for content in response.get("content", {}).values():
                    if "itemSchema" in content:
                        item = content.pop("itemSchema")
                        content.setdefault("schema", item)


def _describe_access(document: Schema, needs: Mapping[tuple[str, str], Need]) -> None:
    document["components"]["securitySchemes"] = {"apiKey": _API_KEY} if needs else {}
    for (path, method), need in needs.items():
        operation = document["paths"].get(path, {}).get(method.lower())
        if operation is not None and need is not Need.NOTHING:
            operation["security"] = [{"apiKey": []}]
            operation["responses"] |= {
                "401": problem("The request has no valid API key or token (`WWW-Authenticate`)."),
                "429": problem(
                    "Too many requests had an invalid API key or token (`Retry-After`)."
                ),
                "403": problem(
                    "The API key or the token does not allow this: `rule` and `hint` say why."
                ),
            }
            down = problem("The issuer of the token does not answer (`Retry-After`).")
            operation["responses"].setdefault("503", down)


_API_KEY: Final = {
    "type": "http",
    "scheme": "bearer",
    "bearerFormat": "accord_<id>_<secret>",
    "description": "An API key of a party or a role, or an access token (JWT) of a known issuer.",
}


class DescribedApp(FastAPI):
    """An application whose document has the schemas that its routes refer to."""

    def __init__(self, **given: Any) -> None:  # noqa: ANN401 - FastAPI's own
        super().__init__(**given)
        self.needs: Mapping[tuple[str, str], Need] = {}
        """What each route needs, by path and method; the document describes no access without."""
        self.around: Sequence[Callable[[ASGIApp], ASGIApp]] = ()
        """What is around all of the application, the outermost first. Unlike middleware, it also
        sees the answer to a fault."""
        self._lock = Lock()
        self._document: bytes | None = None

    def build_middleware_stack(self) -> ASGIApp:
        """Return the whole application, which FastAPI builds once."""
        app = super().build_middleware_stack()
        for each in reversed(self.around):
            app = each(app)
        return app

    def document(self) -> bytes:
        """Return the document as JSON, made once: that takes a second, and then none."""
        with self._lock:
            if self._document is None:
                self._document = orjson.dumps(self.openapi())
            return self._document

    def openapi(self) -> Schema:
        """Return the document, made when it is first asked for."""
        if self.openapi_schema is None:
            document = super().openapi()
            schemas = document.setdefault("components", {}).setdefault("schemas", {})
            for name, schema in _schemas().items():
                schemas.setdefault(name, schema)
            _describe_streams(document)
            _describe_access(document, self.needs)
        return super().openapi()
