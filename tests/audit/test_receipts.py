"""Receipts: what is promised of all that is accepted, and that it is promised alike again."""

from collections.abc import Iterator
from datetime import timedelta
from hashlib import sha256

import orjson
import pytest
import rfc8785

from infra.audit.receipts import DEADLINE, Promise, SignedReceipts
from infra.bootstrap import Accord, bootstrap, init
from infra.settings import OPERATOR, NoSuchStore, Settings
from infra.store.history import InputId
from infra.tlog import dsse
from infra.tlog.merkle import leaf_hash
from infra.tlog.notes import Kind, Malformed, Note, Verifier
from tests.infra.messages import beginning, candidate, from_steps
from tests.infra.signing import NAME, signatory
from tests.life import LIFE

ORIGIN = f"accord.example/{NAME}"
TRANSPORT = ("specversion", "datacontenttype", "dataschema", "traceparent", "tracestate")


@pytest.fixture
def accord(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Accord]:
    settings = Settings(store=f"sqlite:///{tmp_path_factory.mktemp('store')}/accord.db")
    init(settings, simulated=True, operator="accord.example")
    with bootstrap(settings) as accord:
        yield accord


def receipts(accord: Accord) -> SignedReceipts:
    assert accord.receipts
    return accord.receipts


def verifier(accord: Accord) -> Verifier:
    return Verifier(ORIGIN, Kind.NOTE, accord.signing().seal.signer.public)


def test_a_receipt_promises_the_events_of_its_command_by_a_deadline(accord: Accord) -> None:
    raw = orjson.dumps(orjson.loads(candidate("brightpath")) | {"traceparent": "00-ab-cd-01"})
    outcomes = accord.service.handle([beginning(), raw])
    begun, identified = receipts(accord).of(outcomes).values()

    told = {key: each for key, each in orjson.loads(raw).items() if key not in TRANSPORT}
    _, body = accord.history.bodies(NAME)
    recorded_at = list(accord.history.of(NAME))[1].act.recorded_at
    promise = Promise.read(identified.text)
    assert promise == Promise(
        ORIGIN, sha256(rfc8785.dumps(told)).digest(), 1, (leaf_hash(body),), recorded_at + DEADLINE
    )
    assert Promise.read(begun.text).first == 0
    assert identified.text == (
        "accord/receipt@v1\n"
        f"{ORIGIN}\n"
        f"command {promise.command.hex()}\n"
        "events 1 1\n"
        f"{identified.text.splitlines()[4]}\n"
        "deadline 2026-01-13T09:00:00Z\n"
    )
    assert timedelta(hours=24) == DEADLINE


def test_a_receipt_is_signed_by_the_operator_of_the_log(accord: Accord) -> None:
    (note,) = receipts(accord).of(accord.service.handle([beginning()])).values()
    assert note.by(verifier(accord))
    assert Note.read(str(note)) == note
    other = Note(note.text.replace("events 0", "events 1"), note.signatures)
    assert other.by(verifier(accord)) is None


def test_receipts_of_a_whole_life_name_its_leaves_and_are_made_again_byte_for_byte(
    accord: Accord,
) -> None:
    raws = from_steps(LIFE)
    outcomes = accord.service.handle(raws)
    notes = receipts(accord).of(outcomes)
    leaves = list(accord.history.leaves(NAME))

    assert len(notes) == sum(bool(each.count) for each in outcomes)
    for outcome in outcomes:
        if outcome.count:
            promise = Promise.read(notes[outcome.input].text)
            assert promise.first == outcome.first
            assert list(promise.leaves) == leaves[promise.first :][: outcome.count]
    assert receipts(accord).of(accord.service.handle(raws)) == notes
    for key in notes:
        assert receipts(accord).again([key]) == {key: notes[key]}


def test_a_signed_command_has_the_receipt_of_the_event_inside(accord: Accord) -> None:
    ours = signatory("growthos", 1)
    asked = ours.event(ours.register())
    signed = dsse.sign(ours.signer, ours.payload(asked, origin=ORIGIN))
    *_, note = receipts(accord).of(accord.service.handle([beginning(), signed])).values()
    told = {key: each for key, each in asked.items() if key not in TRANSPORT}

    assert Promise.read(note.text).command == sha256(rfc8785.dumps(told)).digest()


def test_what_was_refused_or_decided_nothing_has_no_receipt(accord: Accord) -> None:
    raws = [beginning(), candidate("a"), candidate("a", id="again"), candidate("b", subject="x")]
    outcomes = accord.service.handle(raws)
    assert [each.status for each in outcomes] == ["accepted", "accepted", "accepted", "refused"]
    assert len(receipts(accord).of(outcomes)) == 2
    assert receipts(accord).again([InputId("growthos", "//nobody", "nothing")]) == {}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("accord/receipt@v1", "accord/receipt@v2"),
        ("events 1 1", "events 1 2"),
        ("events 1 1", "events +1 1"),
        ("events 1 1", "events 1"),
        ("command ", "command 00"),
        ("command ", "Command "),
        ("leaf ", "leaf AAAA"),
        ("deadline ", "deadline yesterday "),
        ("00:00Z\n", "00:00Z\n\n"),
        ("00:00Z\n", "00:00+00:00\n"),
    ],
)
def test_any_other_text_is_no_receipt(accord: Accord, before: str, after: str) -> None:
    accord.service.handle([beginning(), candidate("brightpath")])
    key = InputId("growthos", "//crm.growthos.example", "identify-brightpath")
    text = receipts(accord).again([key])[key].text
    assert before in text
    with pytest.raises(Malformed):
        Promise.read(text.replace(before, after))


# --- whose key, and whose name -----------------------------------------------------------------


def test_a_store_keeps_the_key_and_the_operator_that_it_was_made_with(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder = tmp_path_factory.mktemp("store")
    settings = Settings(store=f"sqlite:///{folder}/accord.db")
    assert init(settings)
    key = settings.path_of_key
    assert key
    made = key.read_bytes()
    assert key.stat().st_mode & 0o777 == 0o600

    assert not init(settings)
    assert key.read_bytes() == made
    with bootstrap(settings) as accord:
        assert accord.signing().seal.operator == OPERATOR
    with pytest.raises(NoSuchStore, match=r"is accord\.local\. Make another"):
        init(settings, operator="accord.example")


def test_a_key_may_stand_elsewhere(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("store")
    settings = Settings(store=f"sqlite:///{folder}/accord.db", key=folder / "operator")
    init(settings)
    assert sorted(each.name for each in folder.iterdir() if "key" in each.name) == []
    with bootstrap(settings) as accord:
        assert accord.notary
    with bootstrap(settings.model_copy(update={"key": None})) as accord:
        assert accord.receipts is None
