"""Signed commands: written in one form, read in that form alone, and of no other content."""

import json
from base64 import b64decode, b64encode
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.formation import SignAgreement
from domain.kernel import Refused
from domain.values import instant
from infra.deciding import intake
from infra.deciding.intake import Input, Unreadable
from infra.tlog import codec, dsse
from infra.tlog.dsse import SeenLog
from tests.infra.signing import signatory
from tests.life import OURS, example

PARTY = signatory(OURS, 1)
EVENT = PARTY.event(example(SignAgreement), id="sign-1")
PAYLOAD = PARTY.payload(EVENT, nonce="12345678")
ENVELOPE = dsse.sign(PARTY.signer, PAYLOAD)

VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(st.characters(max_codepoint=127), max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)
PAYLOADS = st.builds(
    dsse.Payload,
    accord=st.just("command/v1"),
    origin=st.text(max_size=30),
    partnership=st.text(max_size=20),
    party=st.text(max_size=20),
    type=st.text(max_size=20),
    expected=st.none() | st.integers(0, 2**53 - 1),
    nonce=st.from_regex(r"[!-~]{8,128}", fullmatch=True),
    expires=st.datetimes(datetime(1900, 1, 1), datetime(2999, 1, 1), timezones=st.just(UTC)).map(  # noqa: DTZ001
        instant
    ),
    seen=st.none()
    | st.builds(
        SeenLog,
        root=st.binary(min_size=32, max_size=32).map(lambda each: b64encode(each).decode()),
        size=st.integers(0, 2**53 - 1),
    ),
    event=st.dictionaries(st.sampled_from(["id", "source", "data"]), VALUES, max_size=3),
)


def changed(**changes: Any) -> bytes:  # noqa: ANN401 - any JSON value
    """The envelope with other members; None leaves one out."""
    value = {**orjson.loads(ENVELOPE), **changes}
    return orjson.dumps({key: each for key, each in value.items() if each is not None})


def repacked(body: bytes) -> bytes:
    """An envelope of other payload bytes, signed as they are."""
    return changed(payload=b64encode(body).decode())


def refused(raw: bytes) -> Refused:
    read = intake.read(raw)
    assert isinstance(read, Unreadable)
    return read.refused


@given(PAYLOADS)
def test_reading_an_envelope_gives_the_signed_payload_and_the_key(payload: dsse.Payload) -> None:
    envelope = dsse.sign(PARTY.signer, payload)
    signed = dsse.read(orjson.loads(envelope))

    assert signed.payload == payload
    assert signed.body == envelope
    assert signed.digest == sha256(envelope).hexdigest()
    assert signed.keyid == PARTY.keyid
    assert signed.by(PARTY.signer.public)
    assert not signed.by(signatory(OURS, 2).signer.public)


def test_the_signature_is_over_what_dsse_says() -> None:
    value = json.loads(ENVELOPE)
    payload = b64decode(value["payload"])
    assert payload == codec.canonical(orjson.loads(payload))
    kind = "application/vnd.accord.command+json"
    message = f"DSSEv1 {len(kind)} {kind} {len(payload)} ".encode() + payload
    assert value["payloadType"] == kind
    assert dsse.read(value).message == message


def test_the_event_inside_is_read_as_an_event_by_itself_is() -> None:
    alone, inside = intake.read(orjson.dumps(EVENT)), intake.read(ENVELOPE)
    assert isinstance(alone, Input)
    assert isinstance(inside, Input)
    assert inside.envelope == alone.envelope
    assert inside.fingerprint == alone.fingerprint
    assert inside.raw == ENVELOPE


def test_white_space_around_the_envelope_makes_no_other_command() -> None:
    read = intake.read(orjson.dumps(orjson.loads(ENVELOPE), option=orjson.OPT_INDENT_2))
    assert isinstance(read, Input)
    assert read.signed
    assert read.signed.body == ENVELOPE


WRONG: list[dict[str, Any]] = [
    {"accord": "command/v2"},
    {"more": 1},
    {"nonce": "short"},
    {"nonce": "ä" * 8},
    {"nonce": "x" * 129},
    {"expected": -1},
    {"expected": "1"},
    {"expires": "2026-01-31"},
    {"expires": "2026-01-31T09:00:00+00:00"},
    {"expires": "2026-02-30T09:00:00Z"},
    {"seen": {"root": "AAAA", "size": 1}},
    {"seen": {"root": b64encode(bytes(32)).decode()}},
    {"event": []},
]
"""What no payload says."""


@pytest.mark.parametrize(
    "raw",
    [
        changed(payloadType="application/json"),
        changed(payloadType=None)[:-1] + b',"payloadType":7}',
        changed(payload=None),
        changed(more=1),
        changed(signatures=[]),
        changed(signatures=2 * orjson.loads(ENVELOPE)["signatures"]),
        changed(signatures=[{"keyid": PARTY.keyid}]),
        changed(signatures=[{"keyid": PARTY.keyid, "sig": "AAAA"}]),
        changed(signatures=[{"keyid": "K", "sig": b64encode(bytes(64)).decode()}]),
        changed(payload="not base64"),
        changed(payload=orjson.loads(ENVELOPE)["payload"].rstrip("=") + "\n"),
        repacked(b"no JSON"),
        repacked(b"[]"),
        repacked(b"{}"),
        repacked(codec.canonical(PAYLOAD.model_dump()) + b" "),
        repacked(codec.canonical(PAYLOAD.model_dump())[:-1] + b',"type":"x"}'),
        repacked(orjson.dumps({**PAYLOAD.model_dump(), "event": {"a": 1.5}})),
        *(repacked(codec.canonical({**PAYLOAD.model_dump(), **wrong})) for wrong in WRONG),
    ],
)
def test_any_other_form_is_refused_as_malformed(raw: bytes) -> None:
    refusal = refused(raw)
    assert refusal.rule == "command-malformed"
    assert refusal.detail
    assert refusal.hint


@pytest.mark.parametrize(
    ("event", "rule"),
    [
        ({**EVENT, "type": "accord.Sign"}, "unknown-type"),
        ({**EVENT, "partyy": "x"}, "unknown-field"),
        ({**EVENT, "data": {}}, "missing-field"),
        ({"subject": "a"}, "unknown-type"),
    ],
)
def test_an_event_inside_is_refused_as_one_by_itself_is(event: dict[str, Any], rule: str) -> None:
    raw = dsse.sign(PARTY.signer, PAYLOAD.model_copy(update={"event": event}))
    read = intake.read(raw)
    assert isinstance(read, Unreadable)
    alone = intake.read(orjson.dumps(event))
    assert isinstance(alone, Unreadable)

    assert read.refused.rule == alone.refused.rule == rule
    assert read.refused.facts == alone.refused.facts
    assert read.raw == raw


@pytest.mark.parametrize(
    ("more", "rule"),
    [
        ({"more": "x"}, "unknown-field"),
        ({"data_base64": "e30="}, "unknown-field"),
        ({"data": None}, "wrong-value"),
        ({"party": None}, "wrong-value"),
    ],
)
def test_an_event_inside_has_one_form_and_nothing_in_it_is_ignored(
    more: dict[str, Any], rule: str
) -> None:
    raw = dsse.sign(PARTY.signer, PAYLOAD.model_copy(update={"event": EVENT | more}))
    read = intake.read(raw)
    assert isinstance(read, Unreadable)
    assert read.refused.rule == rule


@given(st.data())
def test_a_byte_changed_anywhere_is_never_a_command_of_the_party(data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(ENVELOPE) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda each: each != ENVELOPE[place]))
    read = intake.read(ENVELOPE[:place] + bytes([byte]) + ENVELOPE[place + 1 :])

    signed = read.signed if isinstance(read, Input) else None
    assert not (signed and signed.keyid == PARTY.keyid and signed.by(PARTY.signer.public))
