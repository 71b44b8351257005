"""The way in: what is read is read strictly, and what is refused says where, with a hint."""

import json
from collections.abc import Iterator
from math import isfinite
from time import process_time
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from domain.aggregates import command_types
from domain.agreement import (
    ProposeTerms,
)
from domain.entry import ReverseEntry
from domain.exploration import CommitIntegrationSpend, MeasureAudienceOverlap
from domain.formation import (
    DeclareNonNegotiable,
)
from domain.kernel import Command, Refused
from domain.partnership import PassTime
from domain.payment import IssueRefund, ReceivePayment
from domain.payouts import RecordPayout
from infra.deciding import intake
from infra.deciding.intake import Input, Unreadable
from infra.http.openapi import EXAMPLE
from infra.tlog import cloudevents
from tests.feeds import FEEDS, messages
from tests.infra.messages import SOURCE, attributes, beginning, message
from tests.life import EXAMPLES, example

Json = dict[str, Any]

TRACEPARENT = "00-113ad9c4e42b27583ae98ba698d54255-e3743e35ff56f219-01"


def input_of(raw: bytes) -> Input:
    read = intake.read(raw)
    assert isinstance(read, Input)
    return read


def refusal_of(raw: bytes) -> Refused:
    read = intake.read(raw)
    assert isinstance(read, Unreadable)
    assert read.refused.detail
    assert read.refused.hint
    return read.refused


def told(command: Command) -> Json:
    return attributes("some-id", command)


def refused(event: Json) -> tuple[str, str, str]:
    """The rule, the pointer and the hint."""
    refusal = refusal_of(orjson.dumps(event))
    return refusal.rule, refusal.facts["pointer"], refusal.hint


# --- what is read ------------------------------------------------------------------------------


@pytest.mark.parametrize("command", EXAMPLES, ids=lambda each: each.__name__)
def test_each_command_is_read_back_from_its_event(command: type[Command]) -> None:
    asked = EXAMPLES[command].command

    assert input_of(message("some-id", asked)).envelope.data == asked


def test_a_message_that_no_broker_would_pass_on_is_refused_whole() -> None:
    told = attributes("some-id", PassTime()) | {"correlationid": "x" * intake.LARGEST}
    refusal = refusal_of(orjson.dumps(told))
    assert (refusal.rule, refusal.facts["pointer"]) == ("too-large", "")


def test_every_command_has_a_type_and_a_schema() -> None:
    assert set(intake.envelope_types()) == {f"accord.{name}" for name in command_types()}
    for name in command_types():
        schema = intake.schema(name)
        assert schema == intake.schema(f"accord.{name}")
        assert schema["properties"]["type"]["const"] == f"accord.{name}"
        assert schema["description"]


def test_the_schema_of_an_unknown_type_names_the_near_ones() -> None:
    with pytest.raises(Refused) as refusal:
        intake.schema("ReportMetrics")

    assert "accord.ReportMetric" in refusal.value.hint


@pytest.mark.parametrize("feed", FEEDS, ids=lambda each: each.stem)
def test_every_line_of_the_examples_is_read(feed: Any) -> None:  # noqa: ANN401 - a path
    for raw in messages(feed):
        assert isinstance(intake.read(raw), Input)


def test_all_that_is_known_of_a_cloudevent_is_taken() -> None:
    envelope = input_of(
        beginning(
            correlationid="c-1",
            causationid="e-1",
            datacontenttype="application/json",
            dataschema="https://example.org/schema",
            traceparent=TRACEPARENT,
            tracestate="a=b",
        )
    ).envelope

    assert (envelope.correlationid, envelope.causationid) == ("c-1", "e-1")
    assert (envelope.traceparent, envelope.tracestate) == (TRACEPARENT, "a=b")


def test_times_with_any_zone_are_kept_in_utc() -> None:
    east = told(example(DeclareNonNegotiable)) | {"time": "2026-01-12T11:30:00+02:30"}

    assert input_of(orjson.dumps(east)).envelope.time.isoformat() == "2026-01-12T09:00:00+00:00"


# --- what is refused ---------------------------------------------------------------------------


def test_an_unknown_type_suggests_a_near_one() -> None:
    event = told(example(DeclareNonNegotiable)) | {"type": "accord.DeclareNonNegotable"}

    rule, pointer, hint = refused(event)
    assert (rule, pointer) == ("unknown-type", "/type")
    assert hint.startswith("Perhaps accord.DeclareNonNegotiable ")


@pytest.mark.parametrize("wire", ["DeclareNonNegotiable", "com.example.paid", "", None, 7, ["x"]])
def test_a_foreign_type_is_unknown(wire: object) -> None:
    rule, pointer, hint = refused(told(example(DeclareNonNegotiable)) | {"type": wire})

    assert (rule, pointer) == ("unknown-type", "/type")
    assert hint


def test_a_misspelt_attribute_is_refused() -> None:
    rule, pointer, hint = refused(told(example(DeclareNonNegotiable)) | {"partyy": "growthos"})

    assert (rule, pointer) == ("unknown-field", "/partyy")
    assert hint.endswith("Perhaps party?")


def test_an_unknown_field_suggests_a_near_one() -> None:
    event = told(example(DeclareNonNegotiable))
    event["data"]["statment"] = "Our brand stays."

    rule, pointer, hint = refused(event)
    assert (rule, pointer) == ("unknown-field", "/data/statment")
    assert "see the schema of DeclareNonNegotiable." in hint
    assert hint.endswith("Perhaps statement?")


@pytest.mark.parametrize("name", ["id", "source", "subject", "time", "party", "actor", "data"])
def test_a_missing_attribute_is_named(name: str) -> None:
    event = told(example(DeclareNonNegotiable))
    del event[name]

    assert refused(event)[:2] == ("missing-field", f"/{name}")


def test_a_missing_field_is_named() -> None:
    event = told(example(DeclareNonNegotiable))
    del event["data"]["term"]

    assert refused(event) == (
        "missing-field",
        "/data/term",
        (
            "Add /data/term to the event. Its type and an example are in the schema of "
            "DeclareNonNegotiable."
        ),
    )


def test_all_errors_are_reported_at_once() -> None:
    event = told(example(DeclareNonNegotiable)) | {"time": "yesterday"}
    del event["data"]["term"]

    detail = refusal_of(orjson.dumps(event)).detail
    assert detail == ("/time is not a moment of RFC 3339: 'yesterday'; /data/term is missing.")


@pytest.mark.parametrize("amount", [10.5, 10, 1e3, True, "10,50", "1e3", "NaN", " 1", "01"])
def test_money_is_a_decimal_in_a_string(amount: object) -> None:
    event = told(example(CommitIntegrationSpend))
    event["data"]["amount"]["amount"] = amount

    rule, pointer, hint = refused(event)
    assert (rule, pointer) == ("decimal-as-string", "/data/amount/amount")
    assert "10.50" in hint


@pytest.mark.parametrize("command", [ReceivePayment, IssueRefund, RecordPayout, ReverseEntry])
def test_an_amount_that_moves_is_above_zero(command: type[Command]) -> None:
    event = told(example(command))
    for amount, rule, at in [
        ("0.00", "amount-not-positive", "/data/amount"),
        ("-1.00", "wrong-value", "/data/amount/amount"),
    ]:
        event["data"]["amount"]["amount"] = amount
        assert refused(event)[:2] == (rule, at)


def test_a_share_deep_within_a_union_is_pointed_at_in_the_document() -> None:
    event = told(example(ProposeTerms))
    event["data"]["items"][0]["share"] = 15.5

    assert refused(event)[:2] == ("decimal-as-string", "/data/items/0/share")


def test_more_digits_than_a_currency_has_are_refused() -> None:
    event = told(example(CommitIntegrationSpend))
    event["data"]["amount"] = {"amount": "10.555", "currency": "USD"}

    assert refused(event)[:2] == ("wrong-value", "/data/amount")


def test_a_currency_that_is_none_is_refused() -> None:
    event = told(example(CommitIntegrationSpend))
    event["data"]["amount"]["currency"] = "usd"

    assert refused(event)[:2] == ("wrong-value", "/data/amount/currency")


@pytest.mark.parametrize("name", ["time", "recordedtime"])
@pytest.mark.parametrize("time", ["2026-01-12T09:00:00", "2026-01-12 09:00:00"])
def test_a_time_without_a_zone_is_refused(name: str, time: str) -> None:
    assert refused(told(example(DeclareNonNegotiable)) | {name: time}) == (
        "time-without-zone",
        f"/{name}",
        "Write the zone, as in 2026-01-31T09:00:00Z.",
    )


@pytest.mark.parametrize("time", ["2026-13-01T00:00:00Z", "yesterday", "", 1_700_000_000])
def test_a_time_that_is_none_is_refused(time: object) -> None:
    assert refused(told(example(DeclareNonNegotiable)) | {"time": time})[:2] == (
        "wrong-value",
        "/time",
    )


@pytest.mark.parametrize("subject", ["Growth OS", "-x", "", "a/deal/b", "ä", "x" * 65, 7])
def test_a_subject_that_is_no_partnership_is_refused(subject: object) -> None:
    assert refused(told(example(DeclareNonNegotiable)) | {"subject": subject})[1] == "/subject"


def test_another_version_of_cloudevents_is_refused() -> None:
    assert refused(told(example(DeclareNonNegotiable)) | {"specversion": "0.3"})[:2] == (
        "wrong-value",
        "/specversion",
    )


@pytest.mark.parametrize(
    ("raw", "pointer"),
    [
        (b'{"id": "1", "id": "2"}', "/id"),
        (b'{"data": {"amount": {"amount": "1", "amount": "2"}}}', "/data/amount/amount"),
        (b'{"data": [{}, {"a/b": 1, "a/b": 1}]}', "/data/1/a~1b"),
    ],
    ids=["in the event", "in its data", "in a list"],
)
def test_a_duplicate_key_is_reported_with_its_pointer(raw: bytes, pointer: str) -> None:
    refusal = refusal_of(raw)

    assert (refusal.rule, refusal.facts["pointer"]) == ("duplicate-key", pointer)
    assert refusal.hint == "Give each key once."


@pytest.mark.parametrize(
    "raw",
    [b"", b"{", b"{'a': 1}", b"\xff\xfe", b"[" * 5000, b'{"a": NaN}', b'"\\ud800"', b'{"a": 1}}'],
    ids=lambda each: repr(each[:9]),
)
def test_what_is_no_json_is_refused_as_such(raw: bytes) -> None:
    assert refusal_of(raw).rule == "not-json"


@pytest.mark.parametrize("raw", [b"[]", b"null", b"7", b'"x"'], ids=bytes.decode)
def test_json_that_is_no_object_is_no_event(raw: bytes) -> None:
    assert refusal_of(raw).rule == "not-an-event"


def test_a_refused_message_is_known_by_its_identity_or_else_by_its_bytes() -> None:
    named = intake.read(orjson.dumps(told(example(DeclareNonNegotiable)) | {"party": 7}))
    nameless = intake.read(b"no JSON")

    assert isinstance(named, Unreadable)
    assert (named.source, named.source_id) == (SOURCE, "some-id")
    assert isinstance(nameless, Unreadable)
    assert nameless.source == ""
    assert nameless.source_id != intake.read(b"other").source_id  # type: ignore[union-attr]


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(raw: bytes) -> None:
    refusal_of(raw)


TEMPTING = [
    *("true", "1", "10", "1.0", "2026-01-31", "2026-01-31T00:00:00", "2026-01-31T00:00:00Z"),
    *("2026-01-31 00:00:00+01:00", "1767225600", "1767225600000", "P3M", "0", "", "USD"),
]
"""Texts that a lax reader takes for numbers, flags, days or moments."""

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.sampled_from([0, 1, 1_767_225_600])
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(TEMPTING),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)


def places(value: object) -> Iterator[tuple[Any, Any]]:
    """Every object and list within a document, with each of its keys."""
    keys = (
        value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    )
    for key in keys:
        yield value, key
        yield from places(value[key])  # type: ignore[index] # it has this key


@settings(max_examples=1000)
@given(
    st.sampled_from(list(EXAMPLES.values())).map(lambda step: told(step.command)),
    st.data(),
)
def test_an_event_with_anything_anywhere_is_read_as_strictly_as_pydantic_reads_json(
    event: Json, data: st.DataObject
) -> None:
    place, key = data.draw(st.sampled_from(list(places(event))))
    place[key] = data.draw(JSON)
    raw = json.dumps(event, allow_nan=False) if finite(event) else "NaN"
    model = intake.envelope_types().get(str(event["type"]))
    said = json.dumps(cloudevents.without_nulls(json.loads(raw))) if finite(event) else raw

    read = intake.read(raw.encode())

    if isinstance(read, Unreadable):
        assert read.refused.hint
        if model:
            with pytest.raises(ValidationError):
                model.model_validate_json(said, strict=True)
    else:
        assert model
        assert read.envelope == model.model_validate_json(said, strict=True)


def finite(value: object) -> bool:
    if isinstance(value, float):
        return isfinite(value)
    return all(finite(each[key]) for each, key in places(value))


@pytest.mark.parametrize(("digits", "rule"), [(40, "unknown-type"), (5000, "not-json")])
def test_an_integer_of_any_length_is_refused(digits: int, rule: str) -> None:
    event = told(example(DeclareNonNegotiable)) | {"type": 0}
    raw = orjson.dumps(event).replace(b'"type":0', b'"type":' + b"9" * digits)

    assert refusal_of(raw).rule == rule


BIG = "x" * 900_000


@pytest.mark.parametrize(
    ("event", "rule", "pointer"),
    [
        ({"type": f"accord.{BIG}"}, "unknown-type", "/type"),
        ({f"a{number}": 0 for number in range(80_000)}, "too-large", ""),
        ({"data": EXAMPLE["data"] | {BIG: 0}}, "unknown-field", "/data"),
        (
            {"data": {f"a{number}": 0 for number in range(50_000)}},
            "missing-field",
            "/data/party_name",
        ),
        ({"data": {"party_name": "P" * 900_000}}, "wrong-value", "/data/party_name"),
        ({"subject": BIG}, "wrong-value", "/subject"),
        ({"datacontenttype": BIG}, "wrong-value", "/datacontenttype"),
    ],
    ids=["type", "attributes", "field", "fields", "text", "subject", "content type"],
)
def test_a_refusal_of_a_large_event_is_short_and_soon_found(
    event: dict[str, object], rule: str, pointer: str
) -> None:
    begun = process_time()
    found = intake.read(orjson.dumps(EXAMPLE | event))
    seconds = process_time() - begun

    assert isinstance(found, Unreadable)
    assert (found.refused.rule, found.refused.facts["pointer"]) == (rule, pointer)
    assert len(found.refused.detail) < 4000
    assert len(found.refused.hint) < 1000
    assert seconds < 2


def test_long_names_of_extensions_are_not_kept_in_memory() -> None:
    before = intake._near.cache_info().currsize

    assert isinstance(intake.read(orjson.dumps(EXAMPLE | {BIG: "x"})), Input)
    assert intake._near.cache_info().currsize == before


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        (b"true", "true"),
        (b"1.5", "1.5"),
        (b"-1e400", "a number that is too large"),
        (b'"400"', "'400'"),
    ],
)
def test_a_refusal_repeats_a_wrong_value_as_json_has_it(written: bytes, shown: str) -> None:
    command = MeasureAudienceOverlap(candidate="north", own_customers=400, shared_customers=60)
    raw = message("1", command).replace(b"400", written)

    found = intake.read(raw)

    assert isinstance(found, Unreadable)
    assert found.refused.detail == f"/data/own_customers is not a whole number: {shown}."
