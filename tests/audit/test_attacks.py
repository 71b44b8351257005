"""What somebody may do to the record, each on a real store, and how a counterparty finds it out.

Both verifiers look at the bundle offline and with nothing of this project; they must agree on the
fault and where it is. Beside each attack stands what it takes to go unseen: the defence that is
left out, so that nobody takes it for one that does nothing.
"""

import re
import subprocess
import sys
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from string import ascii_lowercase, ascii_uppercase
from typing import Any
from zipfile import ZipFile

import orjson
import pytest

from domain import times
from domain.entry import PenaltyConceded
from domain.execution import ActionAgreed, LessonRecorded
from domain.kernel import Refused
from domain.keyring import KeyRegistered, key_id
from domain.payouts import PayoutRecorded
from domain.people import PersonErased
from domain.values import instant
from infra.answers import verify
from infra.cli.erase import people
from infra.evidence import replay
from infra.evidence.bundle import BundleRequest, export
from infra.store.history import Kept, Writes
from infra.tlog import codec, dsse
from infra.tlog.keys import Signer
from infra.tlog.notes import Checkpoint, Kind, Note, Verifier
from tests.audit import world as made
from tests.audit.world import (
    CONSISTENT,
    CONSULTING,
    PARTIES,
    SIGNERS,
    VERIFIED,
    Verdict,
    World,
    build,
    erasing,
    fault,
    play,
    receipt_of,
    registration,
    rewritten,
    signed,
    told,
    verdict,
    witnessing,
)
from tests.documents import REPOSITORY
from tests.feeds import FEEDS, messages

pytestmark = [pytest.mark.needs("node"), pytest.mark.xdist_group("attacks")]

IDENTITY = b64encode(bytes([1]) + bytes(31)).decode()
"""The point that takes one signature for every message."""


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The store as it should be, with a witness that goes on running."""
    folder = tmp_path_factory.mktemp("attacks")
    world = build(folder / "whole")
    with witnessing(world.folder) as url:
        world.witness = url
        play(world)
        yield world


@pytest.fixture
def world(whole: World, tmp_path: Path) -> World:
    """A copy, to do something to; nobody has seen more of it than of the whole."""
    copy = whole.copy(tmp_path / "store")
    # A witness that was shown one copy's end would take every other one for a fork.
    copy.witness = None
    return copy


def alone(world: World) -> str:
    """What a party pins who asks for no cosignature."""
    return world.policy(quorum="none")


def found_live(world: World) -> str | None:
    """Return what `accord audit verify` finds in the store itself."""
    with world.opened() as (accord, _):
        difference = list(verify.check(accord))[-1].difference
        return difference.key if difference else None


def key_line(party: str, name: str | None = None) -> str:
    """Return the line of pins for a party's key."""
    return f"party {name or party} {b64encode(SIGNERS[party].public).decode()}"


# --- as it should be -----------------------------------------------------------------------------


def test_what_nobody_touched_is_verified_with_everything_pinned(whole: World) -> None:
    pins = [key_line(each) for each in PARTIES]
    for name in ("verify.py", "verify.mjs"):
        digest = sha256((made.VERIFIERS / name).read_bytes()).hexdigest()
        pins.append(f"verifier {digest} {name}")
    seen = whole.folder / "seen"
    seen.write_text(str(whole.shown[2]))
    bundle = whole.bundle(statement="2026-Q2", alert=f"referral-minimum@1/{CONSULTING}/2026-Q1")
    given = ("--pins", whole.pinned(*pins), "--seen", seen)
    assert verdict(bundle, whole.policy(), *given) == VERIFIED
    assert found_live(whole) is None


@pytest.mark.parametrize("party", PARTIES)
def test_what_is_made_for_a_party_is_verified_too(world: World, party: str) -> None:
    assert verdict(world.bundle(party=party), alone(world)) == CONSISTENT


@pytest.mark.parametrize("side", ["start", "end"])
def test_a_part_is_verified_with_the_rest_as_hashes(world: World, side: str) -> None:
    at = made.moment("2026-04-01T00:00:00Z")
    bundle = world.bundle(start=at) if side == "start" else world.bundle(end=at)
    assert verdict(bundle, alone(world)) == CONSISTENT


# --- who goes around the store -------------------------------------------------------------------


@pytest.mark.parametrize("hashed", [False, True], ids=["alone", "with its hash"])
def test_an_edit_is_found_by_what_was_signed_before(world: World, *, hashed: bool) -> None:
    index = world.find("PaymentReceived")
    world.sql(
        "UPDATE events SET body = CAST(replace(body, '10000.00', '19000.00') AS BLOB) "
        f"WHERE idx = {index} AND partnership = '{CONSULTING}'"
    )
    if hashed:
        world.sql(
            f"UPDATE events SET leaf = leaf(body) WHERE idx = {index}",
            "DELETE FROM trees",
            "DELETE FROM nodes",
        )
    size = next(each.size for each in sizes(world) if each.size > index)
    found = verdict(world.bundle(), alone(world))
    # The event is signed by its party, and nothing before that is looked at yet.
    assert found == fault("checkpoint-root", size)


def sizes(world: World) -> list[Checkpoint]:
    return [Checkpoint.read(each.text) for each in world.shown]


def test_a_deletion_is_found_where_it_was_made(world: World) -> None:
    index = world.find("RefundIssued")
    world.sql(f"DELETE FROM events WHERE idx = {index} AND partnership = '{CONSULTING}'")
    assert verdict(world.bundle(), alone(world)) == fault("malformed", index)


def test_an_insertion_is_found_at_the_checkpoint_before_which_it_was_made(world: World) -> None:
    index = sizes(world)[2].size - 3
    before = made.moment(world.event(index - 1)["recorded_at"])
    forged = world.forged(lesson(), "growthos", stream=f"{CONSULTING}/deal/x", at=before)
    # A store that was filled by hand takes it; the service would not.
    world.sql("UPDATE heads SET recorded_at = '2025-01-01T00:00:00Z'")
    world.forge(forged)
    move(world, newest(world), index)
    found = verdict(world.bundle(), alone(world))
    assert found == fault("checkpoint-root", sizes(world)[2].size)


def newest(world: World) -> int:
    with world.opened() as (accord, _):
        return accord.history.heads([CONSULTING])[CONSULTING].size - 1


def move(world: World, one: int, other: int) -> None:
    """Put the event of one index at another, and move on those between."""
    at = f"partnership = '{CONSULTING}' AND idx"
    world.sql(
        f"UPDATE events SET idx = -1 WHERE {at} = {one}",
        f"UPDATE events SET idx = -2 - idx WHERE {at} >= {other}",
        f"UPDATE events SET idx = -1 - idx WHERE {at} < -1",
        f"UPDATE events SET idx = {other} WHERE {at} = -1",
        "DELETE FROM trees",
        "DELETE FROM nodes",
    )


def test_a_change_of_order_is_found(world: World) -> None:
    index = world.find("PaymentReceived")
    at = f"partnership = '{CONSULTING}' AND idx"
    world.sql(
        f"UPDATE events SET idx = -1 WHERE {at} = {index}",
        f"UPDATE events SET idx = {index} WHERE {at} = {index + 1}",
        f"UPDATE events SET idx = {index + 1} WHERE {at} = -1",
    )
    size = next(each.size for each in sizes(world) if each.size > index)
    found = verdict(world.bundle(), alone(world))
    assert found in {
        fault("event", index),
        fault("event", index + 1),
        fault("checkpoint-root", size),
    }


def test_a_log_that_was_cut_off_is_found_where_it_ends(world: World) -> None:
    index = newest(world) - 20
    world.sql(
        f"DELETE FROM events WHERE idx >= {index} AND partnership = '{CONSULTING}'",
        f"UPDATE heads SET size = {index} WHERE partnership = '{CONSULTING}'",
    )
    assert verdict(world.bundle(), alone(world)) == fault("events-missing", index)


def test_two_partnerships_events_that_were_swapped_are_found(world: World) -> None:
    index = world.find("PaymentReceived")
    with world.opened() as (accord, _):
        accord.service.handle(list(messages(FEEDS[2])))
    one = f"(SELECT position FROM events WHERE partnership = '{CONSULTING}' AND idx = {index})"
    other = "(SELECT position FROM events WHERE partnership = 'aurora-series' AND idx = 0)"
    world.sql(
        f"CREATE TEMP TABLE swapped AS SELECT body, leaf FROM events WHERE position = {one}",
        f"UPDATE events SET (body, leaf) = (SELECT body, leaf FROM events WHERE position = {other})"
        f" WHERE position = {one}",
    )
    assert verdict(world.bundle(), alone(world)) == fault("event", index)


def test_an_operator_that_signs_again_is_not_detected_without_witnesses(world: World) -> None:
    """The control of all of these: the operator itself, without a witness or a memory."""
    rewrite(world, unsigned(world))
    assert verdict(world.bundle(), alone(world)) == CONSISTENT


def rewrite(
    world: World, index: int, member: str = "occurred_at", value: str = "2026-02-01T09:00:00Z"
) -> None:
    """Rewrite a member of an event, and sign the whole history again."""
    at = f"idx = {index} AND partnership = '{CONSULTING}'"
    world.sql(
        f"UPDATE events SET body = CAST(json_set(CAST(body AS TEXT), '$.{member}', "
        f"'{value}') AS BLOB) WHERE {at}",
        f"UPDATE events SET leaf = leaf(body) WHERE {at}",
        "DELETE FROM trees",
        "DELETE FROM nodes",
        "DELETE FROM checkpoints",
    )


# --- an operator who lies ------------------------------------------------------------------------


def unsigned(world: World) -> int:
    """Return the index of an event that no party signed."""
    with world.opened() as (accord, _):
        return next(each.index for each in accord.history.of(CONSULTING, 5) if not each.signed)


def test_a_history_that_was_signed_again_is_found_by_what_somebody_saw(world: World) -> None:
    rewrite(world, unsigned(world))
    seen = world.folder / "seen"
    seen.write_text(str(world.shown[0]))
    bundle = world.bundle()
    assert verdict(bundle, alone(world)) == CONSISTENT
    found = verdict(bundle, alone(world), "--seen", seen)
    assert found == fault("fork", sizes(world)[0].size)


def test_a_history_that_was_signed_again_has_no_quorum(whole: World, world: World) -> None:
    rewrite(world, unsigned(world))
    world.witness = whole.witness  # It has seen the other history, and cosigns none beside it.
    bundle = world.bundle()
    assert verdict(bundle, alone(world)) == CONSISTENT
    assert verdict(bundle, world.policy()) == fault("quorum", newest(world) + 1)


def test_an_old_end_is_found_by_who_has_seen_a_newer_one(world: World) -> None:
    old = world.bundle("old.zip")
    size = newest(world) + 1
    world.bundle("new.zip")
    newer = world.folder / "newer"
    note = world.checkpoint()
    newer.write_text(str(note))
    ahead = Checkpoint.read(note.text).size
    assert verdict(old, alone(world)) == CONSISTENT
    assert verdict(old, alone(world), "--seen", newer) == fault("stale", ahead)
    assert verdict(old, alone(world), "--not-before", "2027-01-01T00:00:00Z") == fault(
        "stale", size
    )


def test_what_is_recorded_as_of_long_ago_is_found(world: World) -> None:
    # Somebody looked on a quiet day, so the operator had to sign that nothing had come.
    later = world.now
    quiet(world, later + timedelta(days=30))
    forged = world.forged(lesson(), "growthos", at=later + timedelta(days=1))
    world.forge(forged)
    assert verdict(world.bundle(), alone(world)) == fault("checkpoint-time", forged_at(world))


def notes(bundle: Path) -> list[Note]:
    """Return the checkpoints of a bundle."""
    with ZipFile(bundle) as archive:
        lines = archive.read("data/checkpoints.jsonl").splitlines()
    return [Note.read(orjson.loads(each)["note"]) for each in lines]


def lesson() -> LessonRecorded:
    return LessonRecorded(lesson="forged", text="It was never said.")


def forged_at(world: World) -> int:
    """Return the index of what was forged: the last before its bundle."""
    return newest(world) - 1


def quiet(world: World, at: datetime) -> None:
    """Sign the same end once more, on a later day."""
    with world.opened() as (accord, notary):
        note = notary.checkpoint(CONSULTING)
        checkpoint = Checkpoint.read(note.text)
        again = notary.seal.sign(checkpoint, at)
        accord.trees.keep(CONSULTING, checkpoint.size, str(again))


def test_what_is_recorded_as_of_long_ago_goes_unseen_where_nobody_looked(world: World) -> None:
    later = world.now
    world.forge(world.forged(lesson(), "growthos", at=later + timedelta(days=1)))
    assert verdict(world.bundle(), alone(world)) == CONSISTENT


# --- the time of a checkpoint -------------------------------------------------------------------


def retimed(world: World, change: Callable[[Note], Note]) -> Verdict:
    """Return the verdict on a bundle whose last checkpoint has other signatures."""

    def sign_again(files: dict[str, bytes]) -> None:
        *lines, last = files["data/checkpoints.jsonl"].splitlines(keepends=True)
        row = orjson.loads(last)
        row["note"] = str(change(Note.read(row["note"])))
        files["data/checkpoints.jsonl"] = b"".join([*lines, codec.canonical(row) + b"\n"])

    return verdict(rewritten(world.bundle(), sign_again), alone(world))


def test_a_checkpoint_has_one_time_by_the_key_of_its_log(world: World) -> None:
    def without(note: Note) -> Note:
        return Note(note.text, note.signatures[:1])

    def another(at: int) -> Callable[[Note], Note]:
        return lambda note: without(note).cosigned(world.log.name, world.signer, at)

    def moved(note: Note) -> Note:
        signature, own = note.signatures
        blob = (own.stamp ^ 1).to_bytes(8) + own.blob[8:]
        return replace(note, signatures=(signature, replace(own, blob=blob)))

    def twice(note: Note) -> Note:
        return note.cosigned(world.log.name, world.signer, note.signatures[1].stamp + 1)

    for change in (without, twice, moved, *map(another, (0, 1, 253_402_300_800, 2**64 - 1))):
        assert retimed(world, change).code == "checkpoint-signature"
    assert retimed(world, another(253_402_300_799)) == CONSISTENT


def test_a_checkpoint_that_is_older_than_its_cosignatures_is_reported_with_the_interval(
    whole: World,
) -> None:
    bundle = whole.bundle("witnessed.zip")
    policy = whole.folder / "policy"
    policy.write_text(whole.policy())
    for verifier in (made.PYTHON, made.SCRIPT):
        said = told(verifier, bundle, "--policy", policy)["not_checked"]
        (line,) = [each for each in said if each.startswith("when events were")]
        found = re.fullmatch(r".* up to (\d+) s apart \(the checkpoint of (\d+) events\)", line)
        assert found, line
        # The feed tells the time of the log, and the witness's clock is that of today. The first
        # event waited longest: it was recorded before the first checkpoint.
        witnessed = notes(bundle)[0].time_by(made.WITNESSED)
        assert witnessed
        recorded = made.moment(whole.event(0)["recorded_at"])
        assert int(found[1]) == (witnessed - recorded).total_seconds()
        assert int(found[2]) == sizes(whole)[0].size


@pytest.mark.parametrize(
    ("quorum", "far"), [("early", 400), ("late", 500), ("any", 400), ("both", 500), ("none", None)]
)
def test_the_interval_is_that_by_when_the_quorum_is_met(
    whole: World, quorum: str, far: int | None
) -> None:
    """Two witnesses cosign the last checkpoint, one before its time and one longer after it.

    An operator that has one witness of a quorum of two hides no back-dating with its early time.
    """
    day = 86_400
    signers = {name: Signer(name.encode().ljust(32)) for name in ("early", "late")}
    keys = {
        name: Verifier(f"{name}.example", Kind.COSIGNATURE, signer.public)
        for name, signer in signers.items()
    }

    def cosign(files: dict[str, bytes]) -> None:
        *lines, last = files["data/checkpoints.jsonl"].splitlines(keepends=True)
        note = Note.read(orjson.loads(last)["note"])
        moment = whole.seal.time(note)
        assert moment
        at = int(moment.timestamp())
        note = note.cosigned("early.example", signers["early"], at - 400 * day)
        note = note.cosigned("late.example", signers["late"], at + 500 * day)
        last = codec.canonical({"note": str(note)}) + b"\n"
        files["data/checkpoints.jsonl"] = b"".join([*lines, last])

    bundle = rewritten(whole.bundle("far.zip"), cosign)
    policy = whole.folder / "far"
    lines = [f"log {whole.log}", *(f"witness {name} {key}" for name, key in keys.items())]
    lines += ["group any any early late"] if quorum == "any" else []
    lines += ["group both all early late"] if quorum == "both" else []
    policy.write_text("\n".join([*lines, f"quorum {quorum}", ""]))
    first, other = (
        told(verifier, bundle, "--policy", policy)["not_checked"]
        for verifier in (made.PYTHON, made.SCRIPT)
    )
    assert first == other
    found = [int(each) for line in first for each in re.findall(r"signed: .* (\d+) s apart", line)]
    # It is named beside the time since the first event of all, which is longer and may be honest.
    assert found == ([] if far is None else [far * day])


def test_not_before_rests_on_witnesses_and_not_on_the_clock_of_the_operator(
    whole: World,
) -> None:
    bundle = whole.bundle("fresh.zip")
    last = notes(bundle)[-1]
    witnessed = last.time_by(made.WITNESSED)
    own = whole.seal.time(last)
    assert witnessed
    assert own
    assert abs(own - witnessed) > timedelta(hours=1)

    def since(at: datetime, quorum: str) -> Verdict:
        return verdict(bundle, whole.policy(quorum=quorum), "--not-before", instant(at))

    second = timedelta(seconds=1)
    for at, quorum in ((witnessed, "w"), (own, "none")):
        assert since(at, quorum) == CONSISTENT
        assert since(at + second, quorum)[1] == "stale"


def test_a_binding_act_that_was_never_signed_is_found(world: World) -> None:
    world.forge(world.forged(payout(), "growthos"))
    assert verdict(world.bundle(), alone(world)) == fault("command-missing", forged_at(world))


def payout() -> PayoutRecorded:
    return PayoutRecorded.model_validate(
        {
            "payout": "forged",
            "statement": "2026-Q2:USD",
            "payer": "growthos",
            "payee": "northbridge",
            "amount": {"amount": "1.00", "currency": "USD"},
        }
    )


@pytest.mark.parametrize("party", ["accord", "growthos"])
def test_a_person_whom_the_operator_erased_unsigned_is_found(world: World, party: str) -> None:
    """The operator takes no name from a record in which a party has a key, in nobody's name."""
    world.forge(world.forged(erasure(), party))
    assert verdict(world.bundle(), alone(world)) == fault("command-missing", forged_at(world))


def erasure() -> PersonErased:
    return PersonErased.model_validate(
        {"person": f"person:{'0' * 64}", "reason": "On request.", "commands": []}
    )


def test_an_event_that_binds_no_party_needs_no_signature(world: World) -> None:
    world.forge(world.forged(lesson(), "growthos"))
    assert verdict(world.bundle(), alone(world)) == CONSISTENT


def test_a_command_that_was_recorded_twice_is_found(world: World) -> None:
    index = world.find("PayoutRecorded")
    event = world.event(index)
    world.forge(world.forged(payout(), event["party"], signed=event["signed"]))
    assert verdict(world.bundle(), alone(world)) == fault("command-replayed", forged_at(world))


def test_a_command_for_another_partnership_is_found(world: World) -> None:
    found = attributed(world, partnership="another", origin=f"{made.OPERATOR}/another")
    assert found == fault("command-elsewhere", forged_at(world))


def test_a_command_for_another_operators_log_is_found(world: World) -> None:
    found = attributed(world, origin=f"elsewhere.example/{CONSULTING}")
    assert found == fault("command-elsewhere", forged_at(world))


def test_a_key_that_nobody_registered_is_found(world: World) -> None:
    found = attributed(world, by=Signer(b"x" * 32))
    assert found == fault("command-key", forged_at(world))
    assert found_live(world) == f"{CONSULTING}#{forged_at(world)}"


def test_a_signature_of_the_right_key_over_the_right_command_goes_through(world: World) -> None:
    """The control of the four above."""
    assert attributed(world) == CONSISTENT


def test_a_command_that_is_signed_over_another_history_is_found(world: World) -> None:
    seen = dsse.SeenLog(root=b64encode(bytes(32)).decode(), size=100)
    assert attributed(world, seen=seen) == fault("command-seen", forged_at(world))


def test_a_command_after_its_time_is_found(world: World) -> None:
    found = attributed(world, expires="2026-01-01T00:00:00Z")
    assert found == fault("command-expired", forged_at(world))


def test_another_content_than_was_signed_is_found(world: World) -> None:
    found = attributed(world, recorded={"amount": {"amount": "9.00", "currency": "USD"}})
    assert found == fault("command-differs", forged_at(world))


def attributed(
    world: World,
    *,
    by: Signer | None = None,
    recorded: dict[str, object] | None = None,
    **changed: object,
) -> object:
    """Record a payout that seems signed by its party; what is wrong with it is told."""
    event = payout()
    at = world.now + timedelta(hours=1)
    told = {
        "specversion": "1.0",
        "id": "signed-payout",
        "source": "//growthos.example",
        "type": "accord.RecordPayout",
        "subject": CONSULTING,
        "time": at.isoformat().replace("+00:00", "Z"),
        "party": "growthos",
        "actor": "admin@growthos",
        "data": event.model_dump(mode="json", exclude={"payer", "payee"}),
    }
    body = signed(told, by=by, **changed)
    digest = sha256(body).hexdigest()
    if recorded:
        event = PayoutRecorded.model_validate({**event.model_dump(mode="json"), **recorded})
    forged = world.forged(
        event, "growthos", cause=(told["source"], told["id"]), signed=digest, at=at
    )
    with world.opened() as (accord, _):
        accord.history.append([forged], Writes(kept=[Kept("command", CONSULTING, digest, body)]))
    return verdict(world.bundle(), alone(world))


@pytest.mark.parametrize(
    ("agreed", "member"),
    [
        ("CommercialTermsAgreed", "data.effective_from"),
        ("CharterAgreed", "data.proposal"),
        ("AgreementSigned", "data.agreement_version"),
    ],
)
def test_what_both_agreed_is_what_the_acceptance_signed(
    world: World, agreed: str, member: str
) -> None:
    """The operator records another agreement than the one that was accepted."""
    index = world.find(agreed)
    value = {"data.agreement_version": "7", "data.proposal": "other"}.get(member, "2020-01-01")
    rewrite(world, index, member, value)

    assert verdict(world.bundle(), alone(world)).code in {"command-content", "command-differs"}


@pytest.mark.parametrize(
    "content", ["0" * 64, None], ids=["of what nobody proposed", "of anything"]
)
def test_an_acceptance_without_the_content_of_a_proposal_is_a_fault(
    world: World, content: str | None
) -> None:
    """The operator gets a party to sign an acceptance that does not say what it accepts."""
    told = registration("growthos", world.now.isoformat().replace("+00:00", "Z"))
    data = {"proposal": "more-leads"} | ({"content": content} if content else {})
    told |= {"id": "blank", "type": "accord.AgreeAction", "data": data}
    body = dsse.sign(SIGNERS["growthos"], asking(told))
    accepted = ActionAgreed(
        proposal="more-leads",
        agreed_version=1,
        action="A-9",
        owner="growthos",
        text="All of it.",
        due=date(2027, 1, 1),
    )
    forged = world.forged(
        accepted,
        "growthos",
        cause=(told["source"], told["id"]),
        signed=sha256(body).hexdigest(),
        at=world.now,
    )
    with world.opened() as (accord, _):
        kept = Kept("command", CONSULTING, sha256(body).hexdigest(), body)
        accord.history.append([forged], Writes(kept=[kept]))

    assert verdict(world.bundle(), alone(world)) == fault("command-content", forged_at(world))


def asking(event: dict[str, Any]) -> dsse.Payload:
    """Return the payload that asks for an event, as it is."""
    expires = times.moment(event["time"]) + timedelta(days=1)
    return dsse.asked(event, made.OPERATOR, expires)


def test_a_revoked_key_signs_nothing_more(world: World) -> None:
    second = Signer(b"s" * 32)
    when = world.now.isoformat().replace("+00:00", "Z")
    revoke = made.registration("growthos", when) | {
        "id": "revoke",
        "type": "accord.RevokeKey",
        "data": {"keyid": key_id(SIGNERS["growthos"].public), "reason": "It was lost."},
    }
    with world.opened() as (accord, _):
        asked = [made.registration("growthos", when, second), revoke]
        outcomes = accord.service.handle([signed(each) for each in asked])
        assert [each.status for each in outcomes] == ["accepted", "accepted"]
    assert attributed(world) == fault("command-key", forged_at(world))


def test_a_weak_key_is_found(world: World) -> None:
    proof = b64encode(IDENTITY.encode()[:32] + bytes(32)).decode()
    weak = KeyRegistered.model_construct(key=IDENTITY, proof=proof)
    world.forge(world.forged(weak, "northbridge"))
    assert verdict(world.bundle(), alone(world)) == fault("key-weak", forged_at(world))


# --- who changes a bundle ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["aurora-series", "cobalt-docs", "spring-france", "spring-germany", "spring-spain"]
)
def test_every_partnership_of_the_examples_is_verified(
    examples: World, tmp_path: Path, name: str
) -> None:
    bundle = tmp_path / "bundle.zip"
    with examples.opened() as (accord, notary):
        export(accord, notary, name, BundleRequest("sam", "A look."), bundle)
        key = notary.seal.verifier(name)
    # No party has a key, so nobody's signature shows whose record it is.
    assert verdict(bundle, f"log {key}\nquorum none\n") == CONSISTENT


@pytest.fixture(scope="module")
def examples(tmp_path_factory: pytest.TempPathFactory) -> World:
    """All feeds but the first, as they are."""
    world = build(tmp_path_factory.mktemp("examples"))
    with world.opened() as (accord, _):
        for each in FEEDS[1:]:
            accord.service.handle(list(messages(each)))
    return world


def test_a_claim_beside_the_record_is_no_part_of_a_bundle(world: World) -> None:
    def change(files: dict[str, bytes]) -> None:
        files["data/statements.json"] = b"[]\n"

    assert verdict(rewritten(world.bundle(), change), alone(world)) == fault("bag")


def test_both_print_the_same(world: World) -> None:
    bundle = world.bundle()
    changed = rewritten(bundle, lambda files: files.update({"data/policy.txt": b"quorum none\n"}))
    for path, code in ((bundle, 4), (changed, 3)):
        policy = path.with_suffix(".policy")
        policy.write_text(alone(world))
        one, other = (
            subprocess.run([*verifier, path, "--policy", policy], capture_output=True, check=False)
            for verifier in (made.PYTHON, made.SCRIPT)
        )
        assert (one.returncode, one.stdout, one.stderr) == (code, other.stdout, b"")
        assert other.returncode == code


def test_a_verdict_names_the_tool_that_says_what_the_record_means(world: World) -> None:
    bundle = world.bundle()
    for verifier in (made.PYTHON, made.SCRIPT):
        (meaning,) = (
            each
            for each in made.told(verifier, bundle)["not_checked"]
            if "what follows from the record" in each
        )
        assert "accord audit replay" in meaning


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("rejected.jsonl", b'{"made":"up"}\n'),
        ("people.jsonl", b""),
        ("policy.txt", b"log x\n"),
        ("schemas/Ghost.json", b"{}\n"),
        ("FORMAT.md", b"Everything is right.\n"),
        ("timestamps/7.tsr", b"x"),
    ],
)
def test_what_is_beside_the_log_is_in_the_event_of_the_export(
    world: World, name: str, content: bytes
) -> None:
    def change(files: dict[str, bytes]) -> None:
        files[f"data/{name}"] = content

    found = verdict(rewritten(world.bundle(), change), alone(world))
    assert found == fault("custody")


def test_a_request_that_was_changed_is_found(world: World) -> None:
    def change(files: dict[str, bytes]) -> None:
        files["data/request.json"] = files["data/request.json"].replace(b"A dispute.", b"A gift.")

    found = verdict(rewritten(world.bundle(), change), alone(world))
    assert found == fault("custody")


def test_a_bundle_with_a_verifier_that_lies_is_found_by_one_of_ones_own(world: World) -> None:
    def change(files: dict[str, bytes]) -> None:
        files["data/verify.py"] = b"print('RECORD VERIFIED')\n"

    lying = rewritten(world.bundle(), change)
    digest = sha256((made.VERIFIERS / "verify.py").read_bytes()).hexdigest()
    pins = world.pinned(f"verifier {digest} verify.py")
    assert verdict(lying, alone(world)) == fault("custody")
    assert verdict(lying, alone(world), "--pins", pins) == fault("verifier")


def test_a_pinned_key_that_the_log_does_not_know_is_a_fault(world: World) -> None:
    bundle = world.bundle()
    pins = world.pinned(*map(key_line, PARTIES))
    assert verdict(bundle, alone(world), "--pins", pins) == VERIFIED
    stranger = world.pinned(*map(key_line, PARTIES), key_line(PARTIES[0], "stranger"))
    assert verdict(bundle, alone(world), "--pins", stranger) == fault("key-unknown")


def test_one_policy_names_several_logs_and_a_bundle_is_of_one_of_them(world: World) -> None:
    bundle = world.bundle()
    other = Verifier("elsewhere.example/acme", Kind.NOTE, SIGNERS[PARTIES[0]].public)
    line = f"log {other} https://elsewhere.example\n"
    for policy in (line + alone(world), alone(world) + line):
        assert verdict(bundle, policy.replace(" ", "\t ")) == CONSISTENT
    assert verdict(bundle, f"{line}quorum none\n") == fault("identity")
    namesake = Verifier(world.log.name, Kind.NOTE, SIGNERS[PARTIES[0]].public)
    assert verdict(bundle, f"log {namesake}\n{alone(world)}") == CONSISTENT
    assert verdict(bundle, f"log {namesake}\nquorum none\n")[1] == "checkpoint-signature"


@pytest.mark.needs("openssl")
def test_the_reader_of_the_guide_has_fifteen_lines_and_finds_what_it_checks(world: World) -> None:
    """It takes the line of its log from a policy of several."""
    guide = (REPOSITORY / "docs" / "auditor.md").read_text(encoding="utf-8")
    _, _, rest = guide.partition("cat > reader.py <<'END'\n")
    code = rest.partition("END\n")[0]
    assert len(code.splitlines()) == 15
    honest = world.bundle()

    def changed(files: dict[str, bytes]) -> None:
        files["data/events.jsonl"] = files["data/events.jsonl"].replace(b"10000.00", b"19000.00")

    other = Verifier("elsewhere.example/acme", Kind.NOTE, SIGNERS[PARTIES[0]].public)
    namesake = Verifier(world.log.name, Kind.NOTE, SIGNERS[PARTIES[0]].public)
    policy = world.folder / "policy"
    for line, bundle, right in (
        (f"log {other}\n", honest, True),
        (f"log {other}\n", rewritten(honest, changed), False),
        (f"log {namesake}\n", honest, False),
    ):
        policy.write_text(f"{line}{alone(world)}")
        done = subprocess.run(
            [sys.executable, "-I", "-c", code, bundle, policy],
            cwd=world.folder,
            capture_output=True,
            check=False,
        )
        assert (done.returncode == 0) is right, done.stderr


def test_a_dropped_command_is_proved_by_its_receipt(world: World) -> None:
    with world.opened() as (accord, _):
        receipt = receipt_of(accord, newest(world) - 30)
    path = world.folder / "receipt"
    path.write_text(receipt)
    index = newest(world) - 30
    assert verdict(world.bundle(), alone(world), "--receipt", path) == CONSISTENT
    # The operator lets it fall, and signs a history without it.
    drop(world, index)
    found = verdict(world.bundle(), alone(world), "--receipt", path)
    assert (found.code, found.at) == ("receipt", index)


def test_a_receipt_in_odd_base64_is_none_to_both_verifiers(world: World) -> None:
    """The last digit of a leaf has two bits that decode to nothing; both must be zero."""
    with world.opened() as (accord, _):
        receipt = receipt_of(accord, newest(world) - 30)
    digits = ascii_uppercase + ascii_lowercase + "0123456789+/"
    leaf = re.search(r"leaf (\S+)=\n", receipt)
    assert leaf
    odd = leaf[1][:-1] + digits[digits.index(leaf[1][-1]) + 1]
    bundle, path = world.bundle(), world.folder / "receipt"
    for text, code in ((receipt, 4), (receipt.replace(leaf[1], odd), 2)):
        path.write_text(text)
        for verifier in (made.PYTHON, made.SCRIPT):
            command = [*verifier, bundle, "--receipt", path]
            assert subprocess.run(command, capture_output=True, check=False).returncode == code


def drop(world: World, index: int) -> None:
    at = f"partnership = '{CONSULTING}' AND idx"
    world.sql(
        f"DELETE FROM events WHERE {at} >= {index}",
        f"UPDATE heads SET size = {index} WHERE partnership = '{CONSULTING}'",
        "DELETE FROM trees",
        "DELETE FROM nodes",
        f"DELETE FROM checkpoints WHERE size > {index}",
    )
    world.forge(world.forged(lesson(), "growthos", at=world.now))


def test_who_was_erased_is_in_no_new_bundle_and_all_of_it_holds(world: World) -> None:
    name = b"sam.adeyemi"
    assert name in everything(world.bundle("before.zip"))
    with world.opened() as (accord, _):
        for person in people(accord, CONSULTING, name.decode()):
            with pytest.raises(Refused, match="must-be-signed"):
                accord.service.record_own(
                    CONSULTING,
                    "sam",
                    PersonErased(person=person, reason="They asked for it.", commands=[]),
                )
            (outcome,) = accord.service.handle([erasing(accord, person)])
            assert outcome.status == "accepted"
    bundle = world.bundle("after.zip")
    assert name not in everything(bundle)
    assert b64encode(name)[:12] not in everything(bundle)
    assert verdict(bundle, alone(world)) == CONSISTENT
    told = made.told(made.PYTHON, bundle)
    assert any("erased" in each for each in told["not_checked"])
    assert found_live(world) is None


def test_a_name_in_the_free_text_of_a_signed_command_does_not_delete_the_command(
    world: World,
) -> None:
    """The name stays in the event's text, so only a field for people deletes a command."""
    with world.opened() as (accord, _):
        (petra,) = people(accord, CONSULTING, "petra.lindqvist")
        (sam,) = people(accord, CONSULTING, "sam.adeyemi")
        said = {"id": "erase-petra", "reason": "Asked for by sam.adeyemi."}
        own = {"id": "erase-sam", "reason": "He asked for it."}
        for person, words in ((petra, said), (sam, own)):
            (outcome,) = accord.service.handle([erasing(accord, person, **words)])
            assert outcome.status == "accepted"
    bundle = world.bundle("after.zip")
    assert verdict(bundle, alone(world)) == CONSISTENT
    assert found_live(world) is None
    left = everything(bundle)
    assert b'"actor":"sam.adeyemi"' not in left
    assert all(left.count(words["reason"].encode()) == 2 for words in (said, own))


def test_an_act_that_no_erasure_lists_is_not_erased_though_somebody_in_it_was(
    world: World,
) -> None:
    """The control comes first: an honest erasure, also behind the range that was asked for."""
    with world.opened() as (accord, _):
        (sam,) = people(accord, CONSULTING, "sam.adeyemi")
        (outcome,) = accord.service.handle([erasing(accord, sam)])
        assert outcome.status == "accepted"
    honest = world.bundle("honest.zip")
    assert verdict(honest, alone(world)) == CONSISTENT
    early = world.bundle("early.zip", end=world.now - timedelta(days=300))
    assert verdict(early, alone(world)) == CONSISTENT
    assert not replay.replay(honest).differs
    assert found_live(world) is None

    penalty = PenaltyConceded(entry="e", condition="late", on="northbridge")
    world.forge(world.forged(penalty, "northbridge", actor=sam, signed="a" * 64))
    assert verdict(world.bundle(), alone(world)) == fault("command-missing", forged_at(world))
    assert found_live(world) == f"{CONSULTING}#{forged_at(world)}"


def everything(bundle: Path) -> bytes:
    """Return all that is in a bundle, what is encoded in its signed commands too."""
    with ZipFile(bundle) as archive:
        files = [archive.read(each) for each in archive.namelist()]
        lines = archive.read("data/commands.jsonl").splitlines()
    payloads = [orjson.loads(each)["payload"] for each in lines]
    return b"\n".join([*files, *map(b64decode, payloads)])
