"""Requests that are drawn from the schemas of all commands and changed at any place."""

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any, Final, NamedTuple
from urllib.parse import quote

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from domain.aggregates import command_types
from domain.examples import EXAMPLES
from infra.answers.table import QUESTIONS
from infra.deciding import intake
from infra.tlog.cloudevents import PREFIX
from tests.feeds import FEEDS, event_of, messages

STRUCTURED, BATCH, LINES = (
    "application/cloudevents+json",
    "application/cloudevents-batch+json",
    "application/x-ndjson",
)


Schema = Mapping[str, Any]


Header = tuple[str, bytes]


class Request(NamedTuple):
    """A request as it is sent."""

    method: str
    path: str
    query: list[tuple[str, str]]
    headers: list[Header]
    body: bytes


# --- what the feeds have -------------------------------------------------------------------------

STORIES: Final = [[event_of(each) for each in messages(feed)] for feed in FEEDS]
FED: Final = [each for story in STORIES for each in story]
SIDES: Final = sorted({(each["subject"], each["party"], each["actor"]) for each in FED})


def _texts(value: object, name: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, each in value.items():
            yield from _texts(each, key)
    elif isinstance(value, list):
        for each in value:
            yield from _texts(each, name)
    elif isinstance(value, str):
        yield name, value


def _pool() -> Mapping[str, list[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for name, text in _texts(FED):
        found[name].add(text)
    return {name: sorted(texts) for name, texts in found.items()}


POOL: Final = _pool()
"""The texts of the feeds by the name of their field, so that many names are of what is there."""

# --- any JSON value ------------------------------------------------------------------------------

ODD: Final = [
    *("", " ", "\x00", "\n", "\ud800", "\u202e", "ß", "a" * 300, "null", "__proto__", "../x"),
    *("0", "-0", "-1", "1e400", "9" * 30, "999999999999999", "0.000000001", "0.0000000001"),
    *("999999999999999.999999999", "100", "100.000000001", "NaN", "Infinity", "0x10", "1_0"),
    *("2026-02-30T00:00:00Z", "2026-06-30T23:59:60Z", "0001-01-01T00:00:00Z", "2026-01-01"),
    *("9999-12-31T23:59:59.999999Z", "3000-01-01T00:00:00Z", "1900-01-01T00:00:00Z", "20260301"),
    *("2026-03-29T02:30:00+01:00", "2026-03-29T02:30:00-23:59", "1899-12-31T23:59:59-14:00"),
    *("P9999D", "P999Y999M999W9999D", "P0D", "P", "USD", "XXX", "JPY", "Europe/Berlin", "UTC"),
    *("2026-Q4", "2026-13", "2999", "1900", "accord.WinDeal", "1.0", "application/json"),
]

LEAVES = st.one_of(
    st.sampled_from(ODD),
    st.sampled_from([None, True, False, 0, -1, 1, 2**31, 2**53 + 1, 2**63, 10**30, -(10**15)]),
    st.sampled_from([0.1, -0.0, 1e308, 5e-324, float("nan"), float("inf"), float("-inf")]),
    st.text(max_size=20),
    st.integers(),
)
JSON = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=6,
)

# --- what a schema allows ------------------------------------------------------------------------

FORMATS: Final = {
    "date-time": st.one_of(
        st.datetimes().map(
            lambda at: f"{at.replace(year=2026, day=min(at.day, 28)):%Y-%m-%dT%H:%M:%SZ}"
        ),
        st.sampled_from(["2025-11-03T09:00:00Z", "2999-12-31T23:59:59Z", "1900-01-01T00:00:00Z"]),
    ),
    "date": st.dates().map(lambda day: day.replace(year=2026, day=min(day.day, 28)).isoformat()),
    "ISO 4217": st.sampled_from(["USD", "EUR", "JPY", "KWD"]),
    "ISO 4217, or each": st.sampled_from(["USD", "EUR", "each"]),
    "IANA time zone": st.sampled_from(["Europe/Berlin", "America/New_York", "UTC"]),
}


def allowed(schema: Schema, name: str, defined: Schema) -> SearchStrategy[Any]:
    """Return the strategy of the values that a schema allows; `name` is the field's."""
    if "$ref" in schema:
        return allowed(defined[schema["$ref"].rpartition("/")[2]], name, defined)
    if choices := schema.get("anyOf") or schema.get("oneOf"):
        return st.one_of([allowed(each, name, defined) for each in choices])
    if "const" in schema or "enum" in schema:
        return st.sampled_from(schema.get("enum") or [schema["const"]])
    return BY_TYPE[schema["type"]](schema, name, defined)


def _integer(schema: Schema, *_: object) -> SearchStrategy[int]:
    low, high = schema.get("minimum", -5), schema.get("maximum", 10**9)
    return st.one_of(st.integers(low, high), st.sampled_from([low, high]))


def _array(schema: Schema, name: str, defined: Schema) -> SearchStrategy[list[Any]]:
    inner = allowed(schema.get("items", {"type": "null"}), name, defined)
    return st.lists(inner, min_size=schema.get("minItems", 0), max_size=3)


def _text(schema: Schema, name: str, _: object) -> SearchStrategy[str]:
    if schema.get("format") in FORMATS:
        return FORMATS[schema["format"]]
    if "pattern" in schema:
        own = st.from_regex(schema["pattern"].replace("$", r"\Z"))
    else:
        own = st.text(min_size=schema.get("minLength", 0), max_size=20)
    return st.one_of(st.sampled_from(POOL[name]), own) if name in POOL else own


def _object(schema: Schema, _: object, defined: Schema) -> SearchStrategy[Any]:
    if "patternProperties" in schema:
        ((_, inner),) = schema["patternProperties"].items()
        values = allowed(inner, "", defined)
        return st.dictionaries(st.sampled_from(POOL["party"]), values, min_size=1, max_size=3)
    fields = {
        name: allowed(each, name, defined) for name, each in schema.get("properties", {}).items()
    }
    required = set(schema.get("required", ()))
    return st.fixed_dictionaries(
        {name: each for name, each in fields.items() if name in required},
        optional={name: each for name, each in fields.items() if name not in required},
    )


BY_TYPE: Final[Mapping[str, Callable[[Schema, str, Schema], SearchStrategy[Any]]]] = {
    "string": _text,
    "integer": _integer,
    "boolean": lambda *_: st.booleans(),
    "null": lambda *_: st.none(),
    "array": _array,
    "object": _object,
}


@cache
def data_of(name: str) -> SearchStrategy[Any]:
    """Return the strategy of the data of a command: its example, or what its schema allows."""
    example = EXAMPLES[command_types()[name]].command.model_dump(mode="json", exclude_none=True)
    schema = intake.schema(name)
    data = schema["properties"]["data"]
    return st.one_of(allowed(data, "data", schema["$defs"]), st.just(example))


# --- events, changed at any place ----------------------------------------------------------------


Source = Callable[[int | dict[str, Any]], dict[str, Any]]
"""Returns the next event of a feed, by its number, or a drawn one with an id."""


class Change(NamedTuple):
    """A change at one place of an event; the place is counted among those that it has."""

    place: int
    what: str
    name: str
    value: Any


class Draft(NamedTuple):
    """An event: the next one of a feed, or a drawn one; and what is changed in it."""

    base: int | dict[str, Any]
    changes: list[Change]

    def event(self, source: Source) -> dict[str, Any]:
        """Return the event, with an id and, if its base is the number of a feed, from `source`."""
        found: dict[str, Any] = json.loads(json.dumps(source(self.base)))
        for each in self.changes:
            _make(each, found)
        return found


changes = st.builds(
    Change,
    st.integers(0, 60),
    st.sampled_from(["value", "value", "value", "remove", "add", "other"]),
    st.one_of(st.sampled_from(sorted(POOL)), st.text(max_size=12)),
    JSON,
)


@st.composite
def drawn(draw: DrawFn) -> dict[str, Any]:
    """Return a valid event of any command, to a partnership of the feeds or a new one."""
    name = draw(st.sampled_from(sorted(command_types())))
    subject, party, actor = draw(st.sampled_from(SIDES))
    return {
        "specversion": "1.0",
        "source": "//fuzz.example",
        "type": PREFIX + name,
        "subject": subject if name != "BeginExploration" else draw(st.uuids()).hex,
        "time": draw(FORMATS["date-time"]),
        "party": party,
        "actor": actor,
        "data": draw(data_of(name)),
    }


drafts = st.builds(
    Draft,
    st.one_of(drawn(), st.integers(0, len(FEEDS) - 1), st.integers(0, len(FEEDS) - 1)),
    st.sampled_from([0, 1, 1, 1, 2, 3]).flatmap(
        lambda count: st.lists(changes, min_size=count, max_size=count)
    ),
)


def _places(value: Any, above: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:  # noqa: ANN401
    keys: Iterable[Any] = ()
    if isinstance(value, dict):
        keys = value
    elif isinstance(value, list):
        keys = range(len(value))
    for key in keys:
        yield (*above, key)
        yield from _places(value[key], (*above, key))


def _make(change: Change, event: dict[str, Any]) -> None:
    places = [*_places(event)]
    if not places:
        return
    # Half of them in the data, which is at the end.
    *way, last = places[-1 - change.place % len(places)]
    inside: Any = event
    for key in way:
        inside = inside[key]
    if change.what == "remove":
        del inside[last]
    elif change.what == "add" and isinstance(inside, dict):
        inside[change.name] = change.value
    elif change.what == "other" and last in POOL:
        inside[last] = POOL[last][change.place % len(POOL[last])]
    else:
        inside[last] = change.value


def written(event: object, *, escaped: bool = True) -> bytes:
    """Return a value as JSON, with what JSON does not have (NaN, lone surrogates) written too."""
    return json.dumps(event, ensure_ascii=escaped).encode("utf-8", "surrogatepass")


# --- requests ------------------------------------------------------------------------------------


class Posted(NamedTuple):
    """A request with events, in a form that the API takes; `torn` is what replaces a part of it."""

    path: str
    form: str
    escaped: bool
    drafts: list[Draft]
    more: list[Any]
    torn: tuple[int, int, bytes]

    def request(self, source: Source) -> Request:
        """Return the request; `source` gives the events that are changed."""
        events: list[Any] = [each.event(source) for each in self.drafts]
        if self.form in {BATCH, LINES}:
            found = [written(each, escaped=self.escaped) for each in (*events, *self.more)]
            body = b"\n".join(found) if self.form == LINES else b"[" + b",".join(found) + b"]"
            return self._of(self.form, body)
        event = events[0]
        if self.form == "binary":
            headers = [(f"ce-{name}", _header(each)) for name, each in event.items()]
            sent = [each for each in headers if each[0] != "ce-data" and _is_name(each[0])]
            return self._of("application/json", written(event.get("data")), sent)
        body = written(event, escaped=self.escaped)
        if self.form == "torn":
            start, end = sorted(each % (len(body) + 1) for each in self.torn[:2])
            body = body[:start] + self.torn[2] + body[end:]
        return self._of("application/json" if self.form == "json" else STRUCTURED, body)

    def _of(self, kind: str, body: bytes, headers: Sequence[Header] = ()) -> Request:
        return Request("POST", self.path, [], [("content-type", kind.encode()), *headers], body)


posted = st.builds(
    Posted,
    st.sampled_from(["/v1/events", "/v1/events", "/v1/events", "/v1/validate"]),
    st.sampled_from([STRUCTURED, STRUCTURED, "json", "binary", "torn", BATCH, LINES]),
    st.booleans(),
    st.lists(drafts, min_size=1, max_size=3),
    st.lists(JSON, max_size=1),
    st.tuples(st.integers(0, 5000), st.integers(0, 5000), st.binary(max_size=4)),
)


def _header(value: object) -> bytes:
    text = value if isinstance(value, str) else json.dumps(value)
    sent = text.encode("utf-8", "surrogatepass")
    return bytes(each for each in sent if each >= 0x20 and each != 0x7F).strip()


def _is_name(name: str) -> bool:
    return name.isascii() and name.replace("-", "").isalnum()


@st.composite
def asked(draw: DrawFn) -> Request:
    """Return a question with parameters of any text, and the name of any partnership."""
    question = draw(st.sampled_from(QUESTIONS))
    path = draw(st.sampled_from([each for each in (question.path, question.within) if each]))
    names = [*question.parameters, "zone"]
    names += ["at", "known", "party"] * question.asks_when + ["limit", "after"] * question.is_paged
    text = st.one_of(
        st.sampled_from([each for texts in POOL.values() for each in texts]),
        st.sampled_from(ODD),
        st.text(max_size=20),
        JSON.map(json.dumps),
    ).map(lambda each: each.encode("utf-8", "replace").decode())
    for name in [part[1:-1] for part in path.split("/") if part.startswith("{")]:
        path = path.replace(f"{{{name}}}", _quoted(draw(st.one_of(subjects(), text))))
    query = draw(st.lists(st.tuples(st.sampled_from(names), text), max_size=3))
    return Request("GET", path, query, [], b"")


def subjects() -> SearchStrategy[str]:
    """Return the strategy of partnerships that are there."""
    return st.sampled_from(sorted({subject for subject, *_ in SIDES}))


def _quoted(text: str) -> str:
    return quote(text.encode("utf-8", "surrogatepass"), safe="") or "x"


@st.composite
def handled(draw: DrawFn) -> Request:
    """Return a request that retries or dismisses refusals."""
    where = draw(st.sampled_from(["", "/1", "/2", f"/{_quoted(draw(st.sampled_from(ODD)))}"]))
    what = draw(st.sampled_from(["retry", "dismiss"]))
    query = draw(
        st.lists(st.tuples(st.just("rule"), st.sampled_from(["not-json", "x"])), max_size=1)
    )
    body = written(draw(st.one_of(st.just({"by": "ana"}), JSON)))
    headers = [("content-type", b"application/json")]
    return Request("POST", f"/v1/refusals{where}/{what}", query, headers, body)


requests = st.one_of(*[posted] * 7, *[asked()] * 3, handled())
"""A request of any kind, most of them with events."""
