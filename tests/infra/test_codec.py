import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal

import orjson
import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from domain.kernel import Act
from domain.recorded import Recorded
from domain.values import Money, instant
from infra.tlog.codec import (
    LARGEST_INTEGER,
    UPCASTERS,
    OutsideProfile,
    UnknownEvent,
    UnreadableEvent,
    canonical,
    check,
    decode,
    encode,
    event_id,
    parse,
    stored_moment,
    utc,
)
from tests.infra.noted import Line, Mood, Noted, noted, noted_is_known

texts = st.text(st.characters(exclude_categories=["Cs"]))
keys = st.text(st.characters(max_codepoint=127), max_size=8)
integers = st.integers(-LARGEST_INTEGER, LARGEST_INTEGER)
json_values = st.recursive(
    st.none() | st.booleans() | integers | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=20,
)
moments = st.datetimes(
    datetime(1900, 1, 1),  # noqa: DTZ001 - hypothesis adds the zone
    # Durations are added to the times of events, so what came of them can be after 2999.
    datetime(4999, 12, 31),  # noqa: DTZ001
    timezones=st.just(UTC),
)
numbers = st.decimals(-(10**12), 10**12, places=4)
money = st.builds(
    Money,
    amount=st.decimals(0, 10**12, places=2),
    currency=st.sampled_from(["EUR", "USD"]),
)
names = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=30)
notes = st.builds(
    Noted,
    text=texts,
    count=st.integers(0, LARGEST_INTEGER),
    share=st.none() | numbers,
    amount=st.none() | money,
    at=st.none() | moments,
    day=st.none() | st.dates(date(1900, 1, 1), date(4999, 12, 31)),
    mood=st.sampled_from(Mood),
    lines=st.lists(st.builds(Line, label=names, amount=money), max_size=3),
    by_name=st.dictionaries(names, numbers, max_size=3),
)
recorded_events = st.builds(
    Recorded,
    partnership=names,
    stream=names,
    version=st.integers(1, 1000),
    event_id=names,
    act=st.builds(
        Act,
        party=names,
        actor=texts,
        occurred_at=moments,
        recorded_at=moments,
        key=st.just(""),
        spellings=st.just(frozenset[str]()),
        asked_at=st.none(),
    ),
    source=texts,
    source_id=texts,
    event=notes,
    causation_id=st.none() | names,
    correlation_id=st.none() | names,
)


# --- canonical JSON ----------------------------------------------------------------------------


@given(json_values)
def test_within_the_profile_the_bytes_are_those_of_rfc_8785(value: object) -> None:
    check(value)
    assert canonical(value) == rfc8785.dumps(value)  # type: ignore[arg-type]  # any value of the profile


@pytest.mark.parametrize(
    ("value", "pointer"),
    [
        (1.5, ""),
        ({"a": [0, 1.0]}, "/a/1"),
        ({"a/b": {"~": 2**53}}, "/a~1b/~0"),
        ({"a": -(2**53)}, "/a"),
        ({"é": 1}, ""),
        ({"a": {1: 1}}, "/a"),
        ({"a": "\ud800"}, "/a"),
        ({"a": Decimal(1)}, "/a"),
        (b"bytes", ""),
    ],
)
def test_what_has_no_canonical_form_is_refused_with_its_place(value: object, pointer: str) -> None:
    with pytest.raises(OutsideProfile) as refused:
        check(value)
    assert refused.value.pointer == pointer


@pytest.mark.parametrize(
    "value", [2**53, -(2**53), {1, 2}, {1: 1}, "\ud800", datetime(2026, 1, 1, tzinfo=UTC)]
)
def test_bytes_are_never_made_of_what_they_could_not_give_back(value: object) -> None:
    with pytest.raises(TypeError):
        canonical(value)


@given(json_values, st.sampled_from([None, 2]))
def test_a_foreign_document_is_read_however_it_is_laid_out(
    value: object, indent: int | None
) -> None:
    assert parse(json.dumps(value, indent=indent).encode()) == value


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b'{"a":1,"a":1}', "appears twice"),
        (b'{"b": [{"a": 1, "c": 2, "a": 3}]}', "appears twice"),
        (b'{"a":1,"a":', "not JSON"),
        (b'{"a":1', "not JSON"),
        (b'{"a":NaN}', "not JSON"),
        (b"\xff", "not JSON"),
        (b"[" * 900 + b"]" * 900, "nested too deeply"),
    ],
)
def test_a_foreign_document_that_two_readers_could_read_differently_is_refused(
    body: bytes, reason: str
) -> None:
    with pytest.raises(OutsideProfile, match=reason):
        parse(body)


# --- times and identifiers ---------------------------------------------------------------------


@given(moments)
def test_a_moment_is_read_as_it_was_written(at: datetime) -> None:
    assert stored_moment(instant(at)) == at


@given(moments)
def test_the_times_of_an_event_are_written_like_all_others(at: datetime) -> None:
    event = replace(noted(), act=Act("acme", "jo", at, at))
    assert orjson.loads(encode(event))["occurred_at"] == instant(at)


def test_a_stored_moment_is_in_utc_and_in_the_form_that_is_written() -> None:
    assert stored_moment("2026-02-28T22:00:00Z") == datetime(2026, 2, 28, 22, tzinfo=UTC)
    assert stored_moment("2026-02-28T22:00:00Z").tzinfo is UTC
    for text in ("2026-03-01T00:00:00+02:00", "2026-03-01T00:00:00", "2026-03-01", ""):
        with pytest.raises(ValueError, match="is not a stored moment"):
            stored_moment(text)
    with pytest.raises(ValueError, match="has no time zone"):
        utc(datetime(2026, 3, 1))  # noqa: DTZ001 - it is what is refused


def test_an_event_is_named_by_its_cause_alone() -> None:
    # Another figure here would give all events of all stores another name.
    assert event_id("acme", "crm", "7", 0) == "b15afb9d285ccfbe6262fcea7e316054"


def test_different_causes_never_share_a_name() -> None:
    sent = [("ab", "c", 0), ("a", "bc", 0), ("ab", "c", 1), ("a", "b", 11), ("a", "b1", 1)]
    causes = [(party, *each) for party in ("acme", "globex") for each in sent]
    assert len({event_id(*cause) for cause in causes}) == len(causes)


# --- recorded events ---------------------------------------------------------------------------


@pytest.fixture(scope="module", autouse=True)
def _noted_is_known() -> Iterator[None]:
    with noted_is_known():
        yield


@given(recorded_events)
def test_an_event_comes_back_from_its_bytes_as_it_was(recorded: Recorded) -> None:
    body = encode(recorded)
    assert decode(body) == recorded
    assert encode(decode(body)) == body


@given(recorded_events)
def test_stored_bytes_are_canonical(recorded: Recorded) -> None:
    body = encode(recorded)
    assert rfc8785.dumps(orjson.loads(body)) == body


def test_the_bytes_hold_all_but_the_place() -> None:
    assert orjson.loads(encode(replace(noted("acme/deal/1", 2), index=5, position=9))) == {
        "actor": "jo",
        "data": {"by_name": {}, "count": 0, "lines": [], "mood": "calm", "text": "hello"},
        "event_id": "acme/deal/1-2",
        "occurred_at": "2026-03-01T12:00:00Z",
        "partnership": "acme",
        "party": "acme",
        "recorded_at": "2026-03-01T12:00:00Z",
        "salt": "00000000000000000000000000000000",
        "schema_version": 3,
        "source": "crm",
        "source_id": "acme/deal/1-2",
        "stream": "acme/deal/1",
        "stream_version": 2,
        "type": "TestNoted",
    }


def test_an_event_is_given_the_place_where_it_was_found() -> None:
    found = decode(encode(noted()), index=5, position=9)
    assert (found.index, found.position) == (5, 9)


def stored(**changes: object) -> bytes:
    return canonical({**orjson.loads(encode(noted())), **changes})


def test_an_old_version_is_read_as_the_newest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(UPCASTERS, ("TestNoted", 1), lambda data: {"texts": [data["note"]]})
    monkeypatch.setitem(UPCASTERS, ("TestNoted", 2), lambda data: {"text": data["texts"][0]})
    assert decode(stored(schema_version=1, data={"note": "hi"})).event == Noted(text="hi")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"type": "NeverHeardOf"}, "NeverHeardOf, version 3, a type that this release does not"),
        ({"type": "os:system"}, "os:system, version 3, a type that this release does not know"),
        ({"schema_version": 4}, "TestNoted, version 4, and this release knows version 3"),
        ({"schema_version": 1}, "version 1, which cannot be converted to version 2"),
    ],
)
def test_a_type_or_version_that_is_not_known_is_named(
    changes: dict[str, object], reason: str
) -> None:
    with pytest.raises(UnknownEvent, match=f"^acme#5 is .*{reason}.* Upgrade Accord") as raised:
        decode(stored(**changes), index=5)

    assert raised.value.wire == changes.get("type", "TestNoted")


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"{not json", "The event at index 5 cannot be read"),
        (b"[]", "The event at index 5 cannot be read"),
        (b"{}", "The event at index 5 cannot be read: it has no 'partnership'"),
        (stored(data={"text": "hi", "unheard": 1}), "acme#5 cannot be read: data/unheard: Extra"),
        (stored(data=7), "acme#5 cannot be read: data: Input should be"),
        (stored(recorded_at=7), "acme#5 cannot be read: "),
        (stored(recorded_at="2026-03-01"), "acme#5 cannot be read: .* is not a stored moment"),
    ],
)
def test_bytes_that_are_not_an_event_are_named(body: bytes, reason: str) -> None:
    with pytest.raises(UnreadableEvent, match=f"^{reason}.* Run accord audit verify") as raised:
        decode(body, index=5)

    assert not isinstance(raised.value, UnknownEvent)
