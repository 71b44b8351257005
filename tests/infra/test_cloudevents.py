"""CloudEvents as the standard has them: every form of an event is read as the same event."""

import json
from base64 import b64encode
from datetime import UTC, datetime, timedelta, timezone
from hashlib import sha256
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import quote

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema_rs import Draft202012Validator

from domain.examples import Step
from domain.exploration import CommitIntegrationSpend
from domain.kernel import Refused
from domain.times import moment
from infra.deciding import intake
from infra.deciding.intake import Input, Unreadable
from infra.tlog import cloudevents
from tests.feeds import FEEDS
from tests.infra.messages import attributes, beginning, candidate
from tests.life import EXAMPLES, example

Json = dict[str, Any]

EVENT: Json = orjson.loads(beginning("acme"))
"""An event whose data is text alone."""

PAID: Json = attributes("paid", example(CommitIntegrationSpend), subject="acme")
"""An event with an amount of money."""

ENVELOPES = sorted((Path(__file__).parent / "envelopes").glob("*.json"))
PARENT = "00-113ad9c4e42b27583ae98ba698d54255-e3743e35ff56f219-01"
BOM = b"\xef\xbb\xbf"


def taken(raw: bytes) -> Input:
    read = intake.read(raw)
    assert isinstance(read, Input), read.refused
    return read


def refused(raw: bytes) -> Refused:
    read = intake.read(raw)
    assert isinstance(read, Unreadable)
    assert read.refused.detail
    assert read.refused.hint
    return read.refused


def same(one: bytes, other: bytes) -> bool:
    return taken(one).fingerprint == taken(other).fingerprint


def dumped(event: Json) -> bytes:
    return orjson.dumps(event)


# --- attributes --------------------------------------------------------------------------------

URIS = [
    *("crm", "//crm.example", "//crm.example:8443/eu/north", "/sales?region=north#today"),
    *("urn:uuid:6e8bc430-9c3a-11d9-9669-0800200c9a66", "mailto:crm@acme.example", "#", "///"),
    *("http://[2001:db8::7]/crm", "//[v1.a]", "//crm.example/a%20b", "a/b:c"),
]
NO_URIS = [
    *(
        "",
        "//a b",
        "//a ",
        "//a\n",
        "//a/%zz",
        "%4",
        "//ü.example",
        "1:2",
        ":a",
        "//a:b",
        "//a@b@c",
    ),
    *("http://[::1", "a[b]", "a^b", "a|b", 'a"b', "a<b>", "a\\b", "a`b", "a{b}"),
]

A_VALIDATOR = Draft202012Validator(
    {"type": "string", "format": "uri-reference", "minLength": 1}, validate_formats=True
)


@pytest.mark.parametrize("name", ["source", "dataschema"])
@pytest.mark.parametrize("uri", URIS)
def test_a_uri_reference_is_read_as_rfc_3986_has_it(name: str, uri: str) -> None:
    assert A_VALIDATOR.is_valid(uri)
    assert getattr(taken(dumped(EVENT | {name: uri})).envelope, name) == uri


@pytest.mark.parametrize("name", ["source", "dataschema"])
@pytest.mark.parametrize("text", NO_URIS)
def test_a_text_that_is_no_uri_reference_is_refused_with_a_hint(name: str, text: str) -> None:
    assert not A_VALIDATOR.is_valid(text)
    refusal = refused(dumped(EVENT | {name: text}))

    assert (refusal.rule, refusal.facts["pointer"]) == ("wrong-value", f"/{name}")
    assert "percent-encode" in refusal.hint


@given(st.text(st.sampled_from('aZ09:/?#[]@!%41.v- {}|^"é\n'), min_size=1, max_size=12))
def test_a_uri_reference_is_what_another_validator_takes_for_one(text: str) -> None:
    read = intake.read(dumped(EVENT | {"source": text}))

    assert isinstance(read, Input) is A_VALIDATOR.is_valid(text)


@pytest.mark.parametrize("name", ["id", "actor", "correlationid"])
@pytest.mark.parametrize(
    "wrong", ["\0", "\n", "\x7f", "\x85", "\x9f", "\ufdd0", "\ufffe", "\uffff"]
)
def test_a_text_has_no_control_characters_and_no_code_points_that_are_none(
    name: str, wrong: str
) -> None:
    refusal = refused(dumped(EVENT | {name: f"a{wrong}b"}))

    assert (refusal.rule, refusal.facts["pointer"]) == ("wrong-value", f"/{name}")


@pytest.mark.parametrize("name", ["correlationid", "causationid", "dataschema", "traceparent"])
def test_an_attribute_that_is_null_is_unset(name: str) -> None:
    with_null = dumped(EVENT | {name: None, "anything": None})

    assert same(with_null, dumped(EVENT))
    assert getattr(taken(with_null).envelope, name) is None


def test_a_member_of_the_data_that_is_null_is_unset() -> None:
    optional = dumped(EVENT | {"data": EVENT["data"] | {"anything": None}})
    required = EVENT | {"data": EVENT["data"] | {"purpose": None}}

    assert same(optional, dumped(EVENT))
    assert refused(dumped(required)).rule == "missing-field"
    assert refused(dumped(EVENT | {"party": None})).rule == "missing-field"


STANDARD = [
    *("dataref", "partitionkey", "sequence", "sequencetype", "sampledrate", "sampledtime"),
    *("severitytext", "severitynumber", "expirytime", "authtype", "authid", "authclaims"),
    *("deprecated", "deprecationfrom", "deprecationsunset", "deprecationmigration"),
    *("dataclassification", "dataregulation", "datacategory", "opcuaquality", "rstate"),
]
"""Extensions that the project of CloudEvents documents, except those that Accord reads."""

FOREIGN = ["key", "resource", "sourceid", "subjectid", "typeid", "tenantid", "region", "colour"]


@pytest.mark.parametrize("name", [*STANDARD, *FOREIGN])
def test_an_extension_that_accord_does_not_know_is_ignored(name: str) -> None:
    for value in ("x", 7, True):
        assert same(dumped(EVENT | {name: value}), dumped(EVENT))


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("correlationId", "correlationid"),
        ("correlation_id", "correlationid"),
        ("correlation-id", "correlationid"),
        ("corelationid", "correlationid"),
        ("causationID", "causationid"),
        ("recorded_time", "recordedtime"),
        ("recordedTime", "recordedtime"),
        ("recordtime", "recordedtime"),
        ("partyy", "party"),
        ("Party", "party"),
        ("actr", "actor"),
        ("Time", "time"),
        ("dataContentType", "datacontenttype"),
        ("trace_parent", "traceparent"),
    ],
)
def test_an_attribute_that_nearly_spells_one_is_refused_with_the_hint(
    name: str, meant: str
) -> None:
    refusal = refused(dumped(EVENT | {name: "x"}))

    assert (refusal.rule, refusal.facts["pointer"]) == ("unknown-field", f"/{name}")
    assert refusal.hint.endswith(f"Perhaps {meant}?")


def test_an_unknown_field_of_the_data_is_refused() -> None:
    refusal = refused(dumped(EVENT | {"data": EVENT["data"] | {"colour": "red"}}))

    assert (refusal.rule, refusal.facts["pointer"]) == ("unknown-field", "/data/colour")


@pytest.mark.parametrize("envelope", ENVELOPES, ids=lambda each: each.stem)
def test_an_event_comes_in_the_envelopes_of_other_systems(envelope: Path) -> None:
    shown = orjson.loads(envelope.read_bytes())
    kept = {name: each for name, each in EVENT.items() if name not in {"id", "source", "time"}}
    plain = {**EVENT, **{name: shown[name] for name in ("id", "source", "time")}}

    assert set(shown) - set(EVENT)
    assert same(dumped(shown | kept), dumped(plain))
    assert same(binary(shown | kept), dumped(plain))
    # Of what the other system says, only the type is not one of Accord's.
    assert refused(dumped(shown)).rule == "unknown-type"


# --- the data ----------------------------------------------------------------------------------


def test_data_in_base64_is_the_data() -> None:
    encoded = {k: v for k, v in EVENT.items() if k != "data"}
    encoded["data_base64"] = b64encode(dumped(EVENT["data"])).decode()

    assert same(dumped(encoded), dumped(EVENT))
    assert same(dumped(encoded | {"datacontenttype": "application/json"}), dumped(EVENT))
    # A null is unset, so this event does not have both.
    assert same(dumped(encoded | {"data": None}), dumped(EVENT))
    marked = b64encode(BOM + dumped(EVENT["data"])).decode()
    assert same(dumped(encoded | {"data_base64": marked}), dumped(EVENT))


@pytest.mark.parametrize(
    ("encoded", "pointer"),
    [
        ("not base64", "/data_base64"),
        (b64encode(b"{").decode(), "/data_base64"),
        (b64encode(b'{"purpose":"x","purpose":"y"}').decode(), "/data_base64"),
        (b64encode(b"7").decode(), "/data"),
        (7, "/data_base64"),
        ("é", "/data_base64"),
    ],
)
def test_data_in_base64_that_is_no_json_is_refused(encoded: object, pointer: str) -> None:
    event = {k: v for k, v in EVENT.items() if k != "data"} | {"data_base64": encoded}

    refusal = refused(dumped(event))
    assert refusal.rule != "internal-error"
    assert refusal.facts["pointer"] == pointer


def test_an_event_with_its_data_twice_is_refused() -> None:
    refusal = refused(dumped(EVENT | {"data_base64": "e30="}))

    assert refusal.facts["pointer"] == "/data_base64"
    assert "both data and data_base64" in refusal.detail


@pytest.mark.parametrize(
    "kind",
    [
        "application/json",
        "application/json; charset=utf-8",
        'application/json;charset="UTF-8"',
        "Application/JSON",
        "text/json",
        "application/vnd.accord+json",
        "application/cloudevents+json",
    ],
)
def test_data_may_have_any_type_of_json(kind: str) -> None:
    assert same(dumped(EVENT | {"datacontenttype": kind}), dumped(EVENT))


@pytest.mark.parametrize(
    "kind", ["text/xml", "application/avro", "application/json; charset=latin1", "json", "x"]
)
def test_data_of_another_type_is_refused_by_that_type(kind: str) -> None:
    for event in (EVENT | {"data": "<a/>"}, EVENT | {"data_base64": "AAEC"}, EVENT):
        without = {k: v for k, v in event.items() if k != "data" or "data_base64" not in event}
        refusal = refused(dumped(without | {"datacontenttype": kind}))
        assert refusal.facts["pointer"] == "/datacontenttype"
        assert kind in refusal.detail


# --- equality by meaning -----------------------------------------------------------------------


def test_an_event_is_identified_by_the_fingerprint_that_the_format_of_receipts_defines() -> None:
    sent = PAID | {
        "time": "2026-01-12T11:00:00.5+02:00",
        "correlationid": None,
        "traceparent": PARENT,
        "colour": "red",
        "data": PAID["data"] | {"amount": {"currency": "USD", "amount": "800.50"}},
    }
    said = (
        b'{"actor":"growthos-manager","data":{"amount":{"amount":"800.5","currency":"USD"},'
        b'"candidate":"brightpath","purpose":"A joint webinar"},"id":"paid","party":"growthos",'
        b'"source":"//crm.growthos.example","subject":"acme","time":"2026-01-12T09:00:00.500000Z",'
        b'"type":"accord.CommitIntegrationSpend"}'
    )

    assert taken(dumped(sent)).fingerprint == sha256(said).digest()


@pytest.mark.parametrize(
    "time",
    ["2026-01-12T09:00:00+00:00", "2026-01-12T09:00:00.000Z", "2026-01-12T11:00:00.0+02:00"],
)
def test_the_same_moment_in_other_words_is_the_same_event(time: str) -> None:
    assert EVENT["time"] == "2026-01-12T09:00:00Z"
    assert same(dumped(EVENT | {"time": time}), dumped(EVENT))


def test_the_same_amount_in_other_digits_is_the_same_event() -> None:
    def paying(amount: str) -> bytes:
        money = {"amount": amount, "currency": "USD"}
        return dumped(PAID | {"data": PAID["data"] | {"amount": money}})

    assert same(paying("10.50"), paying("10.5"))
    assert same(paying("800"), paying("800.00"))
    assert not same(paying("800"), paying("80"))


def test_text_that_looks_like_a_number_or_a_time_is_text() -> None:
    def saying(purpose: str) -> bytes:
        return dumped(EVENT | {"data": EVENT["data"] | {"purpose": purpose}})

    assert not same(saying("1.10"), saying("1.1"))
    assert not same(saying("2026-01-12T00:00:00Z"), saying("2026-01-12T00:00:00+00:00"))


@given(
    st.sampled_from(list(EXAMPLES.values())),
    st.integers(-14 * 60, 14 * 60),
    st.sampled_from([{}, {"nothing": None}]),
    st.randoms(use_true_random=False),
    st.sampled_from(["structured", "binary", "base64"]),
    st.dictionaries(st.sampled_from([*STANDARD, "specversion"]), st.just("1.0"), max_size=3),
)
def test_the_same_event_written_otherwise_is_the_same_event(
    step: Step, minutes: int, null: Json, order: Random, form: str, more: dict[str, str]
) -> None:
    event = attributes("some-id", step.command)
    at = moment(event["time"]).astimezone(timezone(timedelta(minutes=minutes)))
    otherwise = event | {"time": at.isoformat(timespec="milliseconds")} | more
    otherwise |= null | {"data": otherwise["data"] | null}
    otherwise = shuffled(otherwise, order)
    written = {"structured": dumped, "binary": binary, "base64": in_base64}[form](otherwise)

    assert same(written, dumped(event))


def shuffled(value: Any, order: Random) -> Any:  # noqa: ANN401 - any JSON value
    if isinstance(value, dict):
        names = list(value)
        order.shuffle(names)
        return {name: shuffled(value[name], order) for name in names}
    return [shuffled(each, order) for each in value] if isinstance(value, list) else value


def in_base64(event: Json) -> bytes:
    rest = {name: each for name, each in event.items() if name != "data"}
    return dumped(rest | {"data_base64": b64encode(dumped(event["data"])).decode()})


@given(st.sampled_from(list(EXAMPLES.values())), st.data())
def test_an_event_that_says_anything_else_is_another(step: Step, data: st.DataObject) -> None:
    event = attributes("some-id", step.command)
    name = data.draw(st.sampled_from(["source", "id", "subject", "time", "party", "actor"]))
    changed = event | {name: "2026-01-13T00:00:00.5Z" if name == "time" else f"{event[name]}x"}

    assert not same(dumped(changed), dumped(event))
    assert not same(dumped(event | {"correlationid": "c-1"}), dumped(event))


def test_no_event_of_the_examples_is_taken_for_another() -> None:
    events = [taken(raw) for feed in FEEDS for raw in cloudevents.split(feed.read_bytes())]

    found = {each.fingerprint: each.envelope for each in events}
    assert len(found) == len({(each.envelope.source, each.envelope.id) for each in events})


# --- binary mode over HTTP ---------------------------------------------------------------------


def binary(event: Json, *more: tuple[str, str], kind: str | None = None) -> bytes:
    """Write an event in binary mode, and read it as the server does."""
    headers = [
        (f"ce-{name}", quote(str(each), safe="/:+ ").replace(" ", "%20"))
        for name, each in event.items()
        if name not in {"data", "datacontenttype"} and each is not None
    ]
    kind = kind or event.get("datacontenttype", "application/json; charset=utf-8")
    headers += [("content-type", str(kind)), ("host", "localhost")]
    return cloudevents.from_binary([*headers, *more], orjson.dumps(event["data"]))


@pytest.mark.parametrize(
    ("header", "actor"),
    [
        ("Andr%C3%A9%20%22A%22", 'André "A"'),
        ("Euro%20%E2%82%AC%20%F0%9F%98%80", "Euro € 😀"),
        ("maya%2eortiz", "maya.ortiz"),
        ('"maya ortiz"', "maya ortiz"),
        (r'"Maya \"O\" Ortiz"', 'Maya "O" Ortiz'),
        ('"Maya%20Ortiz"', "Maya Ortiz"),
        ("100%", "100%"),
        ('Maya "O" Ortiz', 'Maya "O" Ortiz'),
        ('"Maya" and "Zoe"', '"Maya" and "Zoe"'),
        ("Andr\xc3\xa9", "André"),
    ],
)
def test_a_header_is_unquoted_then_percent_decoded(header: str, actor: str) -> None:
    without = {name: each for name, each in EVENT.items() if name != "actor"}

    assert taken(binary(without, ("CE-Actor", header))).envelope.actor == actor


@pytest.mark.parametrize(
    ("header", "source"),
    [
        ("//crm.example/a%20b", "//crm.example/a%20b"),
        ("//crm.example/a%2520b", "//crm.example/a%20b"),
        ("//crm.example/%C3%A9", "//crm.example/%C3%A9"),
        ("//crm%2Eexample", "//crm.example"),
        ('"//crm.example"', "//crm.example"),
    ],
)
def test_a_uri_in_a_header_keeps_the_encoding_that_makes_it_a_uri(header: str, source: str) -> None:
    without = {name: each for name, each in EVENT.items() if name != "source"}

    assert taken(binary(without, ("CE-Source", header))).envelope.source == source


@pytest.mark.parametrize("header", ["%C0%A0", "Andr%E9", "Andr\xe9", "%ff", "%ED%A0%80"])
def test_a_header_that_is_not_utf_8_is_refused(header: str) -> None:
    without = {name: each for name, each in EVENT.items() if name != "actor"}

    for name in ("actor", "anything"):
        refusal = refused(binary(without | {"party": "acme"}, (f"ce-{name}", header)))
        assert (refusal.rule, refusal.facts["pointer"]) == ("wrong-value", f"/{name}")
        assert "UTF-8" in refusal.detail


def test_a_header_that_comes_twice_is_refused() -> None:
    refusal = refused(binary(EVENT, ("CE-Party", "other")))

    assert (refusal.rule, refusal.facts["pointer"]) == ("duplicate-key", "/party")


@pytest.mark.parametrize(
    ("body", "rule"),
    [
        (b"", "missing-field"),
        (b"{", "wrong-value"),
        (b'{"purpose": "x", "purpose": "y"}', "duplicate-key"),
        (b'{}, "party": "other"', "wrong-value"),
    ],
)
def test_the_body_of_binary_mode_is_read_as_strictly(body: bytes, rule: str) -> None:
    headers = [(f"ce-{name}", each) for name, each in EVENT.items() if name != "data"]

    assert refused(cloudevents.from_binary(headers, body)).rule == rule


def test_binary_mode_with_another_content_type_is_refused() -> None:
    refusal = refused(binary(EVENT, kind="text/xml"))

    assert (refusal.rule, refusal.facts["pointer"]) == ("wrong-value", "/datacontenttype")


# --- streams of objects ------------------------------------------------------------------------

MANY = [beginning("one"), candidate("north"), beginning("three")]
INDENTED = [orjson.dumps(orjson.loads(raw), option=orjson.OPT_INDENT_2) for raw in MANY]


def read_again(feed: bytes) -> list[bytes]:
    return [taken(raw).fingerprint for raw in cloudevents.split(feed)]


EXPECTED = [taken(raw).fingerprint for raw in MANY]


@pytest.mark.parametrize(
    "feed",
    [
        b"\n".join(MANY),
        b"\r\n\r\n".join(MANY) + b"\r\n",
        b"\n \n".join(MANY),
        b"\n".join(INDENTED),
        b"".join(INDENTED),
        b"\r\n".join(each.replace(b"\n", b"\r\n") for each in INDENTED),
        b"".join(MANY),
        b" ".join(MANY),
        b"  " + b"\n  ".join(MANY),
        INDENTED[0] + MANY[1] + INDENTED[2],
        MANY[0] + b"\n" + INDENTED[1] + b"\n" + MANY[2],
        b"[" + b",".join(MANY) + b"]",
        b"\n [" + b" ,\n ".join(INDENTED) + b"]\n",
        BOM + b"\n".join(MANY),
        BOM + b"\n".join(INDENTED),
        BOM + b"[" + b",".join(MANY) + b"]",
        b"\n".join(BOM + each for each in MANY),
    ],
    ids=[
        "lines",
        "crlf",
        "blank-lines",
        "pretty",
        "pretty-without-newlines",
        "pretty-crlf",
        "one-line",
        "spaces",
        "indented-lines",
        "mixed",
        "mixed-lines",
        "array",
        "pretty-array",
        "bom-lines",
        "bom-pretty",
        "bom-array",
        "files-put-together",
    ],
)
def test_every_way_to_put_events_in_one_body_gives_these_events(feed: bytes) -> None:
    assert read_again(feed) == EXPECTED


@pytest.mark.parametrize(
    "broken",
    [
        b"{bad",
        b'{"id": "unclosed',
        b'{\n  "id": "1",\n  "data": {\n',
        b'{\n  "id": "1"\n  "data": {}\n}',
        b"}",
        b"no JSON at all",
        b'{"a": "}"',
        b'{"a": [1, 2',
    ],
)
@pytest.mark.parametrize("objects", [MANY, INDENTED], ids=["lines", "pretty"])
def test_an_unreadable_object_does_not_take_the_others_with_it(
    broken: bytes, objects: list[bytes]
) -> None:
    found = list(cloudevents.split(b"\n".join([objects[0], broken, *objects[1:]])))

    assert found == [objects[0], broken.strip(), *objects[1:]]


def test_a_member_of_a_batch_with_a_key_twice_is_refused_alone() -> None:
    twice = b'{"id": "1", "id": "2", "note": "a,b]}"}'
    first, second, third = cloudevents.split(b"[" + MANY[0] + b", " + twice + b" ,7]")

    assert (first, second, third) == (MANY[0], twice, b"7")
    assert refused(second).rule == "duplicate-key"


def test_a_batch_that_is_no_json_is_one_unreadable_message() -> None:
    body = b"[" + MANY[0] + b", {]"

    assert list(cloudevents.split(body)) == [body]


@given(st.lists(st.sampled_from([*MANY, *INDENTED])), st.sampled_from([b"\n", b"\r\n", b"\n \n"]))
def test_objects_come_back_as_they_were_written(objects: list[bytes], end: bytes) -> None:
    assert list(cloudevents.split(end.join(objects))) == objects
    assert list(cloudevents.split(end.join(objects) + end)) == objects


@given(st.lists(st.sampled_from(MANY)))
def test_a_batch_gives_each_of_its_members(members: list[bytes]) -> None:
    found = list(cloudevents.split(b" [" + b", ".join(members) + b"]\n"))

    assert [taken(each).fingerprint for each in found] == [taken(e).fingerprint for e in members]


@given(st.lists(st.sampled_from([b"{", b"}", b"[", b"]", b'"', b"\\", b"\n", b"a", b"1,"])))
def test_splitting_any_body_loses_nothing(pieces: list[bytes]) -> None:
    body = b"".join(pieces)

    found = list(cloudevents.split(body))
    if body.lstrip().startswith(b"["):
        assert found or orjson.loads(body) == []
    else:
        assert b"".join(b"".join(found).split()) == b"".join(body.split())


# --- traces ------------------------------------------------------------------------------------


def test_a_trace_is_read_and_makes_no_other_event() -> None:
    traced = dumped(EVENT | {"traceparent": PARENT, "tracestate": "vendor=1"})

    assert cloudevents.trace(orjson.loads(traced)) == {
        "traceparent": PARENT,
        "tracestate": "vendor=1",
    }
    assert same(traced, dumped(EVENT))


@pytest.mark.parametrize(
    "trace",
    [
        {"traceparent": "00-1-2-01"},
        {"traceparent": PARENT.upper()},
        {"traceparent": "00-" + "0" * 32 + "-e3743e35ff56f219-01"},
        {"traceparent": "ff" + PARENT[2:]},
        {"traceparent": 7},
        {"traceparent": ""},
        {"tracestate": "vendor=1"},
    ],
    ids=str,
)
def test_a_malformed_trace_is_left_out_and_refuses_nothing(trace: Json) -> None:
    envelope = taken(dumped(EVENT | trace)).envelope

    assert (envelope.traceparent, envelope.tracestate) == (None, None)


def test_an_empty_trace_state_is_none() -> None:
    envelope = taken(dumped(EVENT | {"traceparent": PARENT, "tracestate": ""})).envelope

    assert (envelope.traceparent, envelope.tracestate) == (PARENT, None)


def test_a_moment_with_nanoseconds_is_taken() -> None:
    found = taken(dumped(EVENT | {"time": "2021-04-10T01:22:16.498917288Z"})).envelope.time

    assert found == datetime(2021, 4, 10, 1, 22, 16, 498917, tzinfo=UTC)


@pytest.mark.parametrize(
    "odd",
    [
        b"1e400",
        rb'"\ud800"',
        rb'{"\udfff": 1}',
        b"1" * 5000,
        b'{"a": 1, "a": 2}',
        b"[" * 300 + b"]" * 300,
        b"[" * 5000 + b"1, 1e400" + b"]" * 5000,
        b'{"id": "n", "data": ' * 5000 + rb'"\ud800", "b": [1, {}, true]' + b"}" * 5000,
    ],
    ids=[
        *("beyond a float", "surrogate", "surrogate key", "5000 digits", "twice", "deep"),
        *("5000 arrays", "5000 objects"),
    ],
)
def test_a_member_that_is_json_and_cannot_be_read_is_refused_alone(odd: bytes) -> None:
    body = b"[" + b" , ".join([MANY[0], odd, MANY[1]]) + b" ]"

    assert cloudevents.is_array(body)
    assert list(cloudevents.split(body)) == [MANY[0], odd, MANY[1]]


@pytest.mark.parametrize(
    "wrong",
    [
        b"--1",
        b"1e5.5",
        b"01",
        b"1.",
        b".5",
        b"+1",
        b"1 1",
        b'"a"1',
        rb'"\q"',
        b'"\x01"',
        b'"\xff"',
        b"NaN",
    ],
)
def test_an_array_with_a_member_that_is_no_json_is_no_array(wrong: bytes) -> None:
    assert not cloudevents.is_array(b'[1e400, "\\ud800", ' + wrong + b', "x"]')


def test_a_large_batch_is_not_lost_for_one_deep_member() -> None:
    deep = b'{"data":' * 5000 + b"1" + b"}" * 5000
    body = b"[" + b", ".join([*[MANY[0]] * 20_000, deep]) + b"]"

    assert cloudevents.is_array(body)
    assert sum(1 for _ in cloudevents.split(body)) == 20_001


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(ANY_JSON, st.sampled_from([None, 1]))
def test_json_is_recognized_at_any_depth(value: object, indent: int | None) -> None:
    text = json.dumps(value, indent=indent).replace("Infinity", "1e999").encode()

    assert cloudevents.is_array(b"[" * 2000 + text + b"]" * 2000)


@given(ANY_JSON, st.integers(0), st.sampled_from([*'[]{},:1" ']))
def test_deep_json_with_one_wrong_character_is_judged_as_if_it_were_flat(
    value: object, place: int, odd: str
) -> None:
    text = json.dumps(value).replace("Infinity", "1e99")
    place %= len(text) + 1
    changed = f"{text[:place]}{odd}{text[place:]}"
    try:
        json.loads(f"[{changed}]", parse_int=str)
    except ValueError:
        is_json = False
    else:
        is_json = True

    assert cloudevents.is_array(f"{'[' * 2000}{changed}{']' * 2000}".encode()) is is_json


@given(st.lists(ANY_JSON))
def test_any_array_gives_its_members_as_they_are_written(members: list[object]) -> None:
    written = [json.dumps(each).replace("Infinity", "1e999").encode() for each in members]

    assert list(cloudevents.split(b"[" + b", ".join(written) + b"]")) == written
