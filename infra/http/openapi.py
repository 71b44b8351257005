"""The document that describes the API: what is read and given back, from the models themselves."""

from typing import Any, Final

import orjson
from fastapi import FastAPI
from pydantic.json_schema import models_json_schema

from infra.deciding import intake
from infra.http import problems
from infra.tlog import dsse

MEDIA_TYPES: Final = (
    "application/cloudevents+json",
    "application/cloudevents-batch+json",
    "application/x-ndjson",
    "application/json",
)
"""One event, a batch, JSON lines; and plain JSON: an event, a batch, or data in binary mode."""

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


# --- what is said of it ------------------------------------------------------------------------

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


def problem(description: str) -> Schema:
    """Give the description of a response that is a problem."""
    return {
        "description": description,
        "content": {problems.MEDIA_TYPE: {"schema": _ref("Problem")}},
    }


POST_ANSWERS: Final[dict[int | str, Schema]] = {
    200: {
        "description": "What came of one event, or of many.",
        "content": {"application/json": {"schema": {"oneOf": [_ref("Decided"), _ref("Report")]}}},
    },
    400: problem("The event cannot be read; `pointer` says where."),
    409: problem("The id was used for other content, or others wrote meanwhile (`Retry-After`)."),
    413: problem("The body is too large."),
    415: problem("The body is of another media type, or compressed."),
    422: problem("The rule that refused the event is in `rule`, and a hint in `hint`."),
    503: problem("Nothing can be recorded at the moment (`Retry-After`)."),
}
"""What comes back, for FastAPI to take into the document."""


def _object(required: Schema, optional: Schema | None = None, description: str = "") -> Schema:
    return {
        "type": "object",
        "description": description,
        "properties": {**required, **(optional or {}), "simulated": _SIMULATED},
        "required": list(required),
    }


_TEXT: Schema = {"type": "string"}
_COUNT: Schema = {"type": "integer", "minimum": 0}
_MOMENT: Schema = {"type": "string", "format": "date-time"}
_SIMULATED: Schema = {
    "const": True,
    "description": "There on simulated stores alone, whose time is told by feeds.",
}
_POINTER: Schema = {
    "type": ["string", "null"],
    "description": "Where in the event the trouble is (RFC 6901), if it is at one place.",
}
_RECEIPT: Schema = {
    "type": "string",
    "description": "The operator's signed note that its events stand there, in each checkpoint "
    "from the deadline on; there where the operator's key is.",
}
_REASONS: Schema = {
    **dict.fromkeys(("source", "id", "rule", "detail", "hint"), _TEXT),
    "pointer": _POINTER,
}

_ANSWERS: Final[Schema] = {
    "SignedCommand": {
        "type": "object",
        "description": "A DSSE envelope: an event, signed by its party (`accord sign`).",
        "properties": {
            "payload": _TEXT,
            dsse.MARK: {"const": dsse.TYPE},
            "signatures": {
                "type": "array",
                "minItems": 1,
                "maxItems": 1,
                "items": {
                    "type": "object",
                    "properties": {"keyid": _TEXT, "sig": _TEXT},
                    "required": ["keyid", "sig"],
                },
            },
        },
        "required": ["payload", dsse.MARK, "signatures"],
    },
    "Decided": _object(
        {
            "status": {"enum": ["accepted", "duplicate"]},
            **dict.fromkeys(("source", "id", "partnership"), _TEXT),
            "events": {
                "type": "object",
                "description": "The index of the first event that it caused, and how many.",
                "properties": {"first": {"type": ["integer", "null"]}, "count": _COUNT},
                "required": ["first", "count"],
            },
        },
        {"receipt": _RECEIPT},
        "What came of one event.",
    ),
    "Report": _object(
        {
            "accepted": _COUNT,
            "duplicates": _COUNT,
            "refused": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": _REASONS,
                    "required": list(_REASONS),
                },
            },
        },
        {
            "receipts": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {"source": _TEXT, "id": _TEXT, "receipt": _RECEIPT},
                    "required": ["source", "id", "receipt"],
                },
            }
        },
        "What came of many events; those not refused are recorded.",
    ),
    "Problem": _object(
        {"type": _TEXT, "title": _TEXT, "status": {"type": "integer"}, "detail": _TEXT},
        {key: schema for key, schema in _REASONS.items() if key != "detail"},
        "What went wrong (RFC 9457).",
    ),
    "Alert": _object(
        {
            "id": _TEXT,
            "state": {"enum": ["open", "resolved", "withdrawn"]},
            "kind": {"enum": ["breach", "reminder"]},
            "rule": _TEXT,
            "version": _COUNT,
            "partnership": _TEXT,
            "window": _TEXT,
            "text": _TEXT,
            "since": _MOMENT,
            "recorded_at": _MOMENT,
            "cause": {**_COUNT, "description": "The index of the event that changed it last."},
            "evidence": {
                "type": "array",
                "items": _COUNT,
                "description": "The indexes of the events that show it.",
            },
        },
        {"facts": {"type": "object"}, "ended": _TEXT, "until": _MOMENT},
        "An alert as it is, and as each change of it is told.",
    ),
}


# --- the document ------------------------------------------------------------------------------


def _events() -> Schema:
    """Give the schemas of every event that can be sent, and `Event`, which is one of them."""
    models = intake.envelope_types()
    refs, document = models_json_schema(
        [(model, "validation") for model in models.values()], ref_template=_REF + "{model}"
    )
    mapping = {wire: refs[model, "validation"]["$ref"] for wire, model in sorted(models.items())}
    one = {
        "description": "A CloudEvent 1.0; its `type` says what its `data` is.",
        "oneOf": [{"$ref": ref} for ref in mapping.values()],
        "discriminator": {"propertyName": "type", "mapping": mapping},
    }
    return {**document["$defs"], "Event": one}


class DescribedApp(FastAPI):
    """An application whose document has the schemas that its routes refer to."""

    def openapi(self) -> Schema:
        """Give the document, made when it is first asked for."""
        if self.openapi_schema is None:
            document = super().openapi()
            schemas = document.setdefault("components", {}).setdefault("schemas", {})
            schemas.update(_events() | _ANSWERS)
        return super().openapi()
