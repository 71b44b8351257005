"""What a lying operator with its key records, and what a stranger without one changes.

The page `docs/attacks.md` lists them (`test_attacks_page.py`).

Each lie is told in a bundle that is honest but for that: the events are hashed and signed again by
the operator's key. Both verifiers must refuse it for the same reason, and say the same words.
Beside the lies is the control: the same with nothing wrong. What only a replay refuses is in
`test_replay.py`.
"""

import hashlib
import json
import os
from base64 import b64encode
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from operator import itemgetter
from pathlib import Path
from random import Random
from types import ModuleType
from typing import Any
from zipfile import ZipFile

import orjson
import pytest

from domain.keyring import key_id
from infra.audit.notary import Seal
from infra.tlog import codec, dsse, keys
from infra.tlog.keys import Signer
from infra.tlog.merkle import Tree, leaf_hash
from infra.tlog.notes import Checkpoint, Kind, Note, Verifier
from tests.audit import mutator
from tests.audit import world as made
from tests.audit.mutator import Draft
from tests.audit.world import (
    CONSISTENT,
    CONSULTING,
    SIGNERS,
    Said,
    Verdict,
    build,
    imported,
    play,
    said_by,
    scripted,
)

pytestmark = pytest.mark.needs("node")

RULES = json.loads((made.VERIFIERS / "rules.json").read_text())
OURS, THEIRS = made.PARTIES
MILLION = {"amount": "1000000.00", "currency": "USD"}
LESSON = {"lesson": "L-9", "text": "Ask earlier."}
STRANGER = Signer(b"x" * 32)
SECOND = Signer(b"y" * 32)

Row = dict[str, Any]


@dataclass
class Liar:
    """An operator that writes what it likes into a bundle and signs it."""

    files: dict[str, bytes]
    signer: Signer
    events: list[Row] = field(default_factory=list)
    commands: dict[str, bytes] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    number: int = 0
    honest: int = 0
    """The number of events that are no lies."""
    shown: str = ""
    """The digest of what the honest bundle shows."""
    other: bytes = b""
    """The lines of the events in a bundle for the other party, which was made next."""

    def __post_init__(self) -> None:
        self.events = self.rows("events")
        self.shown = self.events[-1]["data"]["files"]
        self.honest = len(self.events)
        self.names = {each["commitment"]: each["name"] for each in self.rows("people")}
        lines = self.files["data/commands.jsonl"].splitlines()
        self.commands = {hashlib.sha256(each).hexdigest(): each for each in lines}

    def rows(self, name: str) -> list[Row]:
        return [orjson.loads(each) for each in self.files[f"data/{name}.jsonl"].splitlines()]

    def copy(self) -> "Liar":
        return Liar(dict(self.files), self.signer, other=self.other)

    def find(self, wire: str, *, signed: bool = True) -> int:
        """Return the index of the first event of a type that is signed, or not."""
        return next(
            index
            for index, each in enumerate(self.events)
            if each.get("type") == wire and ("signed" in each) is signed
        )

    def event(self, wire: str, data: Row, party: str = OURS, **changed: Any) -> Row:  # noqa: ANN401 - any member
        """Return an event that seems to come next."""
        self.number += 1
        last = self.events[-1]
        source, source_id = f"//{party}.example", f"lie-{self.number}"
        event = {
            "actor": last["actor"],
            "data": data,
            "occurred_at": last["recorded_at"],
            "partnership": CONSULTING,
            "party": party,
            "recorded_at": last["recorded_at"],
            "salt": "0" * 32,
            "schema_version": 1,
            "source": source,
            "source_id": source_id,
            "stream": f"{CONSULTING}/lie/{self.number}",
            "stream_version": 1,
            "type": wire,
            **changed,
        }
        named = (event["party"], event["source"], event["source_id"])
        return event | {"event_id": codec.event_id(*named, 0)}

    def before_keys(self, wire: str, data: Row) -> int:
        """Insert an unsigned event before the first key is registered; return its index."""
        index = self.find("KeyRegistered", signed=False)
        event = self.event(wire, data, recorded_at=self.events[index]["recorded_at"])
        self.events.insert(index, event)
        return index

    def sign(self, event: Row, command: str, data: Row, **changed: Any) -> Row:  # noqa: ANN401 - any member
        """Return the event with a command of its party that asks for it."""
        asked = {
            "specversion": "1.0",
            "id": event["source_id"],
            "source": event["source"],
            "type": f"accord.{command}",
            "subject": CONSULTING,
            "time": event["occurred_at"],
            "party": event["party"],
            "actor": self.names.get(event["actor"], "somebody"),
            "data": data,
        } | changed.pop("asked", {})
        by = changed.pop("by", SIGNERS[event["party"]])
        payload = dsse.asked(asked, made.OPERATOR, made.moment("2090-01-01T00:00:00Z"))
        body = dsse.sign(by, payload.model_copy(update=changed))
        digest = hashlib.sha256(body).hexdigest()
        self.commands[digest] = body
        return event | {"signed": digest}

    def lesson(self, data: Row | None = None, **changed: Any) -> Row:  # noqa: ANN401 - any member
        """Return a harmless event that its party signed, with other data if they are given."""
        event = self.event("LessonRecorded", data or LESSON)
        return self.sign(event, "RecordLesson", LESSON, **changed)

    def identify(self) -> None:
        """Give each event that was added the identifier that its cause and its place give."""
        cause, place = None, 0
        for index, event in enumerate(self.events):
            if "withheld" in event:
                place += 1
                continue
            named = event["party"], event["source"], event["source_id"]
            cause, place = named, place + 1 if named == cause else 0
            if index >= self.honest:
                self.events[index] = event | {"event_id": codec.event_id(*named, place)}

    def _exported(self) -> list[Row]:
        """Return the events, of which the last one shown is an export of all before it."""
        events = [*self.events]
        last = max(index for index, each in enumerate(events) if "type" in each)
        old = next(each for each in reversed(events) if each.get("type") == "BundleExported")
        if events[last] is not old:
            versions = [e["stream_version"] for e in events if e.get("stream") == old["stream"]]
            source_id = f"{CONSULTING}/{len(events)}"
            again = {
                "event_id": codec.event_id(old["party"], old["source"], source_id, 0),
                "occurred_at": events[last]["recorded_at"],
                "recorded_at": events[last]["recorded_at"],
                "source_id": source_id,
                "stream_version": max(versions) + 1,
            }
            last = len(events)
            events.append(old | again)
        if old["data"].get("files") == self.shown:
            lines = [codec.canonical(each) for each in events[:last]]
            files = mutator.digest_shown(self.files, lines)
            events[last] = events[last] | {"data": old["data"] | {"files": files}}
        return events

    def bundle(self, *, identified: bool = True, more: bytes = b"") -> bytes:
        """Return the bundle, signed by the operator; with other identifiers only if asked for.

        `more` are lines behind those of the signed commands.
        """
        if identified:
            self.identify()
        commands = [self.commands[each] + b"\n" for each in sorted(self.commands)]
        self.files["data/commands.jsonl"] = b"".join([*commands, more])
        events = self._exported()
        bodies = [codec.canonical(each) for each in events]
        leaves = [
            bytes.fromhex(each["withheld"]) if "withheld" in each else leaf_hash(body)
            for each, body in zip(events, bodies, strict=True)
        ]
        about = orjson.loads(self.files["data/bundle.json"]) | {"size": len(leaves)}
        seal, notes = Seal("", self.signer, None), []
        rows = self.rows("checkpoints")
        for place, row in enumerate(rows):
            note = Note.read(row["note"])
            old, at = Checkpoint.read(note.text), seal.time(note)
            assert at
            size = len(leaves) if place == len(rows) - 1 else old.size
            again = seal.sign(Checkpoint(old.origin, size, Tree.over(leaves[:size]).root()), at)
            notes.append({"note": str(again)})
        return made.zipped(
            self.files
            | {
                "data/bundle.json": codec.canonical(about) + b"\n",
                "data/events.jsonl": b"".join(each + b"\n" for each in bodies),
                "data/checkpoints.jsonl": b"".join(codec.canonical(n) + b"\n" for n in notes),
            }
        )


@dataclass
class Desk:
    """A reader with both verifiers, who pins the log and asks for no witness."""

    python: ModuleType
    script: Callable[..., Said]
    policy: Path
    path: Path

    def verdict(self, raw: bytes) -> Verdict:
        """Return what both say; they must say the same, word for word."""
        self.path.write_bytes(raw)
        said = said_by(self.python, raw, policy=self.policy)
        assert said == self.script(self.path, policy=self.policy)
        found = orjson.loads(said[0])
        return Verdict(found["verdict"], found["code"], found["index"])

    def not_checked(self) -> list[str]:
        """Return what was not checked of the last bundle."""
        found = self.python.verify(self.path.read_bytes(), policy=self.policy)
        return list(found["not_checked"])


@pytest.fixture(scope="module")
def honest(tmp_path_factory: pytest.TempPathFactory) -> Liar:
    """An honest bundle, and the operator's key."""
    world = build(tmp_path_factory.mktemp("honest"))
    play(world)
    with ZipFile(world.bundle(party=THEIRS)) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    with ZipFile(world.bundle("other.zip", party=OURS)) as archive:
        other = archive.read("data/events.jsonl")
    files["policy"] = world.policy(quorum="none").encode()
    return Liar(files, world.signer, other=other)


@pytest.fixture(scope="module")
def desk(honest: Liar, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    folder = tmp_path_factory.mktemp("desk")
    policy = folder / "policy"
    policy.write_bytes(honest.files.pop("policy"))
    with scripted() as script:
        yield Desk(imported(), script, policy, folder / "bundle.zip")


@pytest.fixture
def liar(honest: Liar, desk: Desk) -> Liar:  # noqa: ARG001 - it takes the policy out of the files
    return honest.copy()


# --- controls -------------------------------------------------------------------------------------


def test_the_honest_bundle_is_consistent_before_and_after_it_is_signed_again(
    liar: Liar, desk: Desk
) -> None:
    assert desk.verdict(made.zipped(liar.files)) == CONSISTENT
    assert desk.verdict(liar.bundle()) == CONSISTENT


def test_a_harmless_signed_event_is_consistent(liar: Liar, desk: Desk) -> None:
    liar.events.append(liar.lesson())
    assert desk.verdict(liar.bundle()) == CONSISTENT


def test_an_amount_that_nobody_signed_is_listed_with_its_event(liar: Liar, desk: Desk) -> None:
    """A party signs that it issues the final settlement, and the decision says of how much."""
    settlement = {"settlement": "end", "due_on": "2027-01-31"}
    balances = [{"amount": "77777.00", "currency": "USD", "payer": OURS, "payee": THEIRS}]
    event = liar.event("FinalSettlementIssued", settlement | {"balances": balances})
    liar.events.append(liar.sign(event, "IssueFinalSettlement", {"settlement": "end"}))

    assert desk.verdict(liar.bundle()) == CONSISTENT

    place = len(liar.events) - 1
    listed = f"1 FinalSettlementIssued with amounts that the decision adds: #{place}, 77777.00 USD"
    assert listed in desk.not_checked()


# --- what is hung on a signature -----------------------------------------------------------------

NOT_OF_A_LESSON = sorted(set(RULES["kinds"]) - set(RULES["commands"]["RecordLesson"]["events"]))
FULL = os.environ.get("ACCORD_FAULTS") == "full"
if not FULL:
    always = ["PenaltyConceded", "KeyRegistered", "KeyRevoked", "PersonErased"]
    NOT_OF_A_LESSON = [*always, *NOT_OF_A_LESSON[::8]]
"""All kinds of event in `make audit-faults`, and some of them in all tests."""


def test_no_other_event_can_be_hung_on_a_harmless_signature(liar: Liar, desk: Desk) -> None:
    """A conceded penalty of a million, and every other kind of event."""
    refused = set()
    for wire in NOT_OF_A_LESSON:
        copy = liar.copy()
        copy.events.append(first := copy.lesson())
        second = deepcopy(first) | {"type": wire, "data": {"amount": MILLION}}
        copy.events.append(second | {"stream_version": 2})
        found = desk.verdict(copy.bundle())
        assert (found.verdict, found.at) == ("FAULT", len(copy.events) - 1), wire
        refused.add(found.code)
    # An erasure lists the commands that it deletes, and this one lists none.
    assert refused == {"command-yields", "command-malformed", "key-weak", "key-unknown"}


Lie = Callable[[Liar], Row]


def _penalty(liar: Liar) -> Row:
    penalty = liar.event("PenaltyConceded", {"amount": MILLION})
    return liar.sign(penalty, "ConcedePenalty", penalty["data"])


def _payout(liar: Liar) -> Row:
    payout = liar.event("PayoutRecorded", {"amount": MILLION})
    return liar.sign(payout, "RecordPayout", payout["data"])


def _second_key(liar: Liar) -> Row:
    key = _registration(liar, STRANGER)
    return liar.sign(key, "RegisterKey", key["data"])


def _rotation(liar: Liar) -> Row:
    current = key_id(SIGNERS[OURS].public)
    key = _registration(liar, STRANGER, replaces=current) | {"type": "KeyRotated"}
    return liar.sign(key, "RotateKey", key["data"])


def _recovery(liar: Liar, *, sent: bool = False) -> Row:
    """A new key of the other party, to which a party agrees with a second key of its own.

    If it was `sent`, the operator sent this second key.
    """
    second = _registration(liar, SECOND)
    liar.events.append(liar.sign(second, "RegisterKey", second["data"]))
    if sent:
        by_operator = {"party": OURS, "keyid": key_id(SECOND.public)}
        liar.events.append(liar.event("KeySentByOperator", by_operator, "accord"))
    proof = STRANGER.sign(keys.possession(CONSULTING, THEIRS, STRANGER.public))
    data = {
        "proposal": "k",
        "party": THEIRS,
        "key": b64encode(STRANGER.public).decode(),
        "proof": b64encode(proof).decode(),
    }
    liar.events.append(liar.event("KeyRecoveryProposed", data, THEIRS))
    content = hashlib.sha256(codec.canonical(data)).hexdigest()
    accepted = {"proposal": "k", "content": content}
    return liar.sign(liar.event("KeyRecovered", data), "AgreeKeyRecovery", accepted, by=SECOND)


def _recovery_by_operator(liar: Liar) -> Row:
    return _recovery(liar, sent=True)


def _revocation(liar: Liar) -> Row:
    revoked = liar.event("KeyRevoked", {"keyid": key_id(SIGNERS[OURS].public)})
    return liar.sign(revoked, "RevokeKey", revoked["data"])


def _erasure(liar: Liar) -> Row:
    return _erased(liar, {"commands": []})


def _erased(liar: Liar, listed: Row) -> Row:
    """An erasure that lists no commands, of which its party signed what is `listed`."""
    person = {"person": f"person:{'0' * 64}", "reason": "They asked for it."}
    erased = liar.event("PersonErased", person | {"commands": []})
    return liar.sign(erased, "ErasePerson", person | listed)


def _of_service(liar: Liar) -> Row:
    """A payment by a key to which its party delegated payments."""
    _delegate_payments(liar)
    payment = liar.event("PaymentReceived", {"amount": MILLION})
    return liar.sign(payment, "ReceivePayment", payment["data"], by=STRANGER)


def _delegate_payments(liar: Liar) -> None:
    """Register a stranger's key to which its party delegates payments."""
    key = _registration(liar, STRANGER, delegated=["payments"])
    liar.events.append(liar.sign(key, "RegisterKey", key["data"]))


def _requirement(liar: Liar) -> Row:
    required = liar.event("SignaturesRequired", {"kinds": ["payments"]})
    return liar.sign(required, "RequireSignatures", required["data"])


def _signed_as_required(liar: Liar) -> Row:
    payment = _unsigned_though_required(liar)
    return liar.sign(payment, "ReceivePayment", payment["data"])


def _unsigned_though_required(liar: Liar) -> Row:
    """A payment that nobody signed, of a party that requires its signature on each."""
    liar.events.append(_requirement(liar))
    return liar.event("PaymentReceived", {"amount": MILLION})


def _agreement(liar: Liar) -> Row:
    return _waiver(liar, "x")


def _waiver(liar: Liar, reason: str | None) -> Row:
    """A waiver that is agreed for a reason, or for none; it was proposed for the reason x."""
    proposed = liar.event("WaiverProposed", {"proposal": "w", "reason": "x"}, THEIRS)
    liar.events.append(liar.sign(proposed, "ProposeWaiver", proposed["data"]))
    content = hashlib.sha256(codec.canonical(proposed["data"])).hexdigest()
    given = {"reason": reason} if reason else {}
    agreed = liar.event("WaiverGranted", {"proposal": "w", **given})
    return liar.sign(agreed, "AgreeWaiver", {"proposal": "w", "content": content})


def _confirmation(liar: Liar, paid: str = "100.00", command: str = "ConfirmClaim") -> Row:
    """An answer that a party signed to a payment of 100.00, beside a payment of what was `paid`."""
    payment: Row = {"deal": "D", "payment": "P", "amount": {"amount": paid, "currency": "USD"}}
    liar.events.append(liar.event("PaymentReceived", payment, THEIRS))
    read = payment | {"amount": {"amount": "100.00", "currency": "USD"}}
    data = {
        "deal": "D",
        "fact": "payment/P",
        "fact_at": liar.events[-1]["occurred_at"],
        "content": hashlib.sha256(codec.canonical(read)).hexdigest(),
    }
    if command == "ObjectToClaim":
        data["reason"] = "Nobody paid."
    wire = "ClaimConfirmed" if command == "ConfirmClaim" else "ClaimObjected"
    return liar.sign(liar.event(wire, data), command, data)


def _blank_confirmation(liar: Liar) -> Row:
    blank = {"deal": "D", "fact": "payment/P"}
    return liar.sign(liar.event("ClaimConfirmed", blank), "ConfirmClaim", blank)


def _alone(liar: Liar) -> Row:
    data = {"proposal": "w", "reason": "x"}
    return liar.sign(liar.event("WaiverGranted", data), "ProposeWaiver", data)


def _of_operator(liar: Liar) -> Row:
    return liar.event("ReminderGiven", {}, "accord")


def _reported(liar: Liar) -> Row:
    return liar.event("PaymentReceived", {"amount": MILLION})


def _two_lessons(liar: Liar) -> Row:
    liar.events.append(liar.lesson(nonce="12345678"))
    return liar.lesson(nonce="87654321")


CONTROLS: dict[str, tuple[Lie, set[str]]] = {
    "a penalty that its party signed": (
        _penalty,
        {"a penalty that nobody signed", "a binding act by the key of a service"},
    ),
    "a payout that its party signed": (_payout, {"a payout that nobody signed"}),
    "a second key that the first one signed": (
        _second_key,
        {"a second key that nobody signed", "a key whose proof is wrong"},
    ),
    "a rotation of the key": (_rotation, {"a rotation of no key"}),
    "a recovered key that the other party agreed": (
        _recovery,
        {"a recovered key that a key from the operator agreed"},
    ),
    "a requirement that its party signed": (
        _requirement,
        {
            "a requirement that nobody signed",
            "a requirement whose command is erased",
            "a requirement of an object",
        },
    ),
    "a payment that its party signed, as it requires": (
        _signed_as_required,
        {"a payment that nobody signed though its party requires that"},
    ),
    "a revocation that its party signed": (_revocation, {"a revocation that nobody signed"}),
    "an erasure that a party signed": (
        _erasure,
        {
            "an erasure by the operator",
            "an erasure that nobody signed",
            "an erasure whose party signed no list of commands",
        },
    ),
    "a payment by the key of a service": (_of_service, {"a binding act by the key of a service"}),
    "an acceptance of what was proposed": (
        _agreement,
        {
            "another agreement than was accepted",
            "an acceptance of nothing",
            "an acceptance of anything",
            "an accepted member left out",
            "an agreement that nobody signed",
        },
    ),
    "a confirmation of the payment that was read": (
        _confirmation,
        {
            "a confirmation of a payment of another amount",
            "a confirmation of any payment",
            "an objection to a payment of another amount",
        },
    ),
    "a waiver that binds its author alone": (_alone, {"terms agreed by their proposal"}),
    "a reminder of the operator": (
        _of_operator,
        {
            "a penalty by the operator",
            "terms by the operator",
            "a payment by the operator",
            "a statement of a party that nobody signed",
        },
    ),
    "a payment that nobody signed": (_reported, {"a payment by the operator"}),
    "two lessons with a nonce each": (_two_lessons, {"a nonce twice", "an id twice"}),
}
"""What is not a lie: each beside the lies that differ from it in one thing.

The control of all other lies is a harmless signed event.
"""


def _second(liar: Liar) -> Row:
    liar.events.append(first := liar.lesson())
    return first | {"stream_version": 2}


def _later(liar: Liar) -> Row:
    liar.events += [first := liar.lesson(), liar.event("TrainingCompleted", {})]
    return first | {"stream_version": 2}


def _registration(liar: Liar, signer: Signer, **changed: Any) -> Row:  # noqa: ANN401 - any member
    proof = signer.sign(keys.possession(CONSULTING, OURS, signer.public))
    data = {"key": b64encode(signer.public).decode(), "proof": b64encode(proof).decode()}
    return liar.event("KeyRegistered", data | changed)


def _by_service(liar: Liar) -> Row:
    """A binding act by a key to which its party delegated payments only."""
    _delegate_payments(liar)
    penalty = liar.event("PenaltyConceded", {"amount": MILLION})
    return liar.sign(penalty, "ConcedePenalty", penalty["data"], by=STRANGER)


def _another_proposal(liar: Liar) -> Row:
    """What was agreed is not what was accepted."""
    return _waiver(liar, "All of it.")


def _of_nothing(liar: Liar) -> Row:
    agreed = liar.event("WaiverGranted", {"proposal": "w"})
    return liar.sign(agreed, "AgreeWaiver", {"proposal": "w", "content": "0" * 64})


def _without_content(liar: Liar) -> Row:
    agreed = liar.event("WaiverGranted", {"proposal": "w"})
    return liar.sign(agreed, "AgreeWaiver", {"proposal": "w"})


def _same_nonce(liar: Liar) -> Row:
    liar.events.append(liar.lesson(nonce="12345678"))
    return liar.lesson(nonce="12345678")


def _same_id(liar: Liar) -> Row:
    liar.events.append(first := liar.lesson())
    again = liar.event("LessonRecorded", LESSON, source_id=first["source_id"])
    return liar.sign(again, "RecordLesson", LESSON)


def _unsigned_key(liar: Liar) -> Row:
    return _registration(liar, STRANGER)


def _not_asked_for(liar: Liar) -> Row:
    """Withhold an event before the reminder, for a range."""
    liar.events.append(liar.event("ReminderGiven", {}, "accord"))
    return {"why": "range", "withheld": "0" * 64}


def _foreign_proof(liar: Liar) -> Row:
    return _registration(liar, STRANGER, proof=b64encode(bytes(64)).decode())


LIES: dict[str, tuple[Lie, str]] = {
    "the same event twice": (_second, "command-yields"),
    "the same event again, later": (_later, "command-replayed"),
    "another text": (lambda of: of.lesson({**LESSON, "text": "No."}), "command-differs"),
    "another identifier": (lambda of: of.lesson({**LESSON, "lesson": "L-1"}), "command-differs"),
    "one member more": (lambda of: of.lesson({**LESSON, "amount": MILLION}), "command-differs"),
    "a text that is an object": (
        lambda of: of.lesson({**LESSON, "text": {"x": "Ask earlier."}}),
        "command-differs",
    ),
    "another time": (
        lambda of: of.lesson() | {"occurred_at": "2026-01-01T00:00:00Z"},
        "command-differs",
    ),
    "another cause": (lambda of: of.lesson() | {"causation_id": "x"}, "command-differs"),
    "another process": (lambda of: of.lesson() | {"correlation_id": "x"}, "command-differs"),
    "another actor": (lambda of: of.lesson() | {"actor": "nobody"}, "command-differs"),
    "another person": (
        lambda of: (
            of.lesson() | {"actor": next(who for who in of.names if who != of.events[-1]["actor"])}
        ),
        "command-differs",
    ),
    "a stream with more missing than was withheld": (
        lambda of: of.lesson() | {"stream_version": 10_000},
        "event",
    ),
    "an event withheld for a range that nobody asked for": (
        _not_asked_for,
        "event",
    ),
    "a key that is delegated by an object": (
        lambda of: _registration(of, STRANGER, delegated={"payments": 1}),
        "key-unknown",
    ),
    "another party": (lambda of: of.lesson() | {"party": THEIRS}, "command-elsewhere"),
    "another source": (lambda of: of.lesson() | {"source": "//x.example"}, "command-replayed"),
    "another id": (lambda of: of.lesson() | {"source_id": "x"}, "command-replayed"),
    "another type": (lambda of: of.lesson() | {"type": "TrainingCompleted"}, "command-yields"),
    "no such command": (lambda of: of.lesson() | {"signed": "0" * 64}, "command-missing"),
    "a type of no release": (lambda of: of.event("Ghost", {}), "event"),
    "another partnership": (lambda of: of.lesson() | {"partnership": "other"}, "event"),
    "another stream": (lambda of: of.lesson() | {"stream": "other/deal/1"}, "event"),
    "a time before the last": (
        lambda of: of.lesson() | {"recorded_at": "2020-01-01T00:00:00Z"},
        "event",
    ),
    "a day that is none": (
        lambda of: of.lesson() | {"occurred_at": "2026-02-30T00:00:00Z"},
        "malformed",
    ),
    "a key of nobody's": (lambda of: of.lesson(by=STRANGER), "command-key"),
    "the key of the other": (lambda of: of.lesson(by=SIGNERS[THEIRS]), "command-key"),
    "for another log": (
        lambda of: of.lesson(origin=f"x.example/{CONSULTING}"),
        "command-elsewhere",
    ),
    "for another partnership": (lambda of: of.lesson(partnership="x"), "command-elsewhere"),
    "for another party": (lambda of: of.lesson(party=THEIRS), "command-elsewhere"),
    "of another command": (lambda of: of.lesson(type="accord.ConcedePenalty"), "command-elsewhere"),
    "of no command": (
        lambda of: of.lesson(type="accord.Ghost", asked={"type": "accord.Ghost"}),
        "command-yields",
    ),
    "about another subject": (lambda of: of.lesson(asked={"subject": "x"}), "command-elsewhere"),
    "expired": (lambda of: of.lesson(expires="2020-01-01T00:00:00Z"), "command-expired"),
    "at another version": (lambda of: of.lesson(expected=7), "command-version"),
    "over another log": (
        lambda of: of.lesson(seen=dsse.SeenLog(root=b64encode(bytes(32)).decode(), size=9)),
        "command-seen",
    ),
    "a confirmation of a payment of another amount": (
        lambda of: _confirmation(of, "900000.00"),
        "command-content",
    ),
    "a confirmation of any payment": (_blank_confirmation, "command-content"),
    "an objection to a payment of another amount": (
        lambda of: _confirmation(of, "900000.00", "ObjectToClaim"),
        "command-content",
    ),
    "a nonce twice": (_same_nonce, "command-replayed"),
    "an id twice": (_same_id, "command-replayed"),
    "a penalty that nobody signed": (
        lambda of: of.event("PenaltyConceded", {"amount": MILLION}),
        "command-missing",
    ),
    "a payout that nobody signed": (lambda of: of.event("PayoutRecorded", {}), "command-missing"),
    "an agreement that nobody signed": (
        lambda of: of.event("AgreementSigned", {}, THEIRS),
        "command-missing",
    ),
    "a statement of a party that nobody signed": (
        lambda of: of.event("StatementIssued", {}),
        "command-missing",
    ),
    "a penalty by the operator": (
        lambda of: of.event("PenaltyConceded", {"amount": MILLION}, "accord"),
        "event",
    ),
    "terms by the operator": (lambda of: of.event("CommercialTermsAgreed", {}, "accord"), "event"),
    "a payment by the operator": (lambda of: of.event("PaymentReceived", {}, "accord"), "event"),
    "an erasure by the operator": (
        lambda of: of.event("PersonErased", {"commands": []}, "accord"),
        "command-missing",
    ),
    "an erasure that nobody signed": (
        lambda of: of.event("PersonErased", {"commands": []}),
        "command-missing",
    ),
    "an erasure in the name of a stranger": (
        lambda of: of.event("PersonErased", {"commands": []}, "stranger"),
        "event",
    ),
    "an erasure whose party signed no list of commands": (
        lambda of: _erased(of, {}),
        "command-differs",
    ),
    "a second key that nobody signed": (_unsigned_key, "command-missing"),
    "a key whose proof is wrong": (_foreign_proof, "key-proof"),
    "a rotation of no key": (
        lambda of: _registration(of, STRANGER, replaces="0" * 16) | {"type": "KeyRotated"},
        "key-unknown",
    ),
    "a recovered key that a key from the operator agreed": (_recovery_by_operator, "command-key"),
    "a revocation that nobody signed": (
        lambda of: of.event("KeyRevoked", {"keyid": key_id(SIGNERS[OURS].public)}),
        "command-missing",
    ),
    "a payment that nobody signed though its party requires that": (
        _unsigned_though_required,
        "command-missing",
    ),
    "a requirement that nobody signed": (
        lambda of: of.event("SignaturesRequired", {"kinds": []}),
        "command-missing",
    ),
    "a requirement whose command is erased": (
        lambda of: of.event("SignaturesRequired", {"kinds": []}) | {"signed": "0" * 64},
        "command-missing",
    ),
    "a requirement of an object": (
        lambda of: of.event("SignaturesRequired", {"kinds": {"payments": 1}}),
        "key-unknown",
    ),
    "a binding act by the key of a service": (_by_service, "command-key"),
    "another agreement than was accepted": (_another_proposal, "command-content"),
    "an acceptance of nothing": (_of_nothing, "command-content"),
    "an acceptance of anything": (_without_content, "command-content"),
}


def _agreed_alone(liar: Liar) -> Row:
    """One party's signature yields what both agreed."""
    data = {"proposal": "t", "items": [], "effective_from": "2026-01-01"}
    return liar.sign(liar.event("CommercialTermsAgreed", data), "ProposeTerms", data)


def _list(liar: Liar) -> Row:
    data: Any = ["x"]
    return liar.sign(liar.event("LessonRecorded", {}), "RecordLesson", data)


def _proposal_in_place_of_an_act(liar: Liar) -> Row:
    """A second person confirms what no first person did."""
    held = {"proposal": "w", "command": "ConcedePenalty", "data": {"amount": MILLION}}
    proposed = liar.event("WaiverProposed", held, THEIRS)
    liar.events.append(liar.sign(proposed, "ProposeWaiver", held))
    content = hashlib.sha256(codec.canonical(held)).hexdigest()
    penalty = liar.event("PenaltyConceded", {"amount": MILLION})
    return liar.sign(penalty, "ConfirmAct", {"content": content})


def _of_two_partners(liar: Liar) -> Row:
    """Choose another partner behind the first one, and let it agree something."""
    chosen = {"candidate": "stranger", "name": "Stranger"}
    liar.events.append(liar.event("PartnerChosen", chosen))
    return liar.event("PaymentReceived", {"amount": MILLION}, "stranger")


def _answered_unsigned(liar: Liar, fact: str = "payment/P") -> Row:
    """Confirm, and sign nothing, a fact of this name; its party objected to the payment P."""
    liar.events.append(objected := _confirmation(liar, command="ObjectToClaim"))
    data = {"deal": "D", "fact": fact}
    on = {"stream": objected["stream"], "stream_version": 2}
    return liar.event("ClaimConfirmed", data, **on)


def _of_one_commitment(liar: Liar, *names: str) -> Row:
    """Two lessons that people of these names signed, by one commitment without a name."""
    who = f"person:{'f' * 64}"
    first, second = (liar.lesson(asked={"actor": each}) | {"actor": who} for each in names)
    liar.events.append(first)
    return second


CONTROLS |= {
    "a figure of a third party": (
        lambda of: of.event("MetricReported", {}, "stranger"),
        {
            "an adjustment by no party",
            "a payment by no party",
            "a confirmation by no party",
            "a statement by no party",
            "an erasure in the name of a stranger",
            "a partner that is chosen behind the first one",
        },
    ),
    "a payment of a party that nobody signed": (
        lambda of: of.event("PaymentReceived", {"amount": MILLION}, THEIRS),
        {
            "a party whose name is written with a capital",
            "a party whose name has a Cyrillic letter",
        },
    ),
    "a confirmation that nobody signed, of another fact than its party objected to": (
        lambda of: _answered_unsigned(of, "payment/Q"),
        {"a confirmation that nobody signed, of what its party objected to"},
    ),
    "two commands of one person whose name is not in the bundle": (
        lambda of: _of_one_commitment(of, "Ana", "Ana"),
        {"one commitment for two people"},
    ),
}

LIES |= {
    "an adjustment by no party": (
        lambda of: of.event("AdjustmentAgreed", {"amount": MILLION}, "stranger"),
        "event",
    ),
    "a payment by no party": (
        lambda of: of.event("PaymentReceived", {"amount": MILLION}, "stranger"),
        "event",
    ),
    "a confirmation by no party": (
        lambda of: of.event("ClaimConfirmed", {"deal": "D", "fact": "payment/P"}, "stranger"),
        "event",
    ),
    "a statement by no party": (
        lambda of: of.event("StatementIssued", {}, "stranger", source="accord:settle"),
        "event",
    ),
    "a party whose name is written with a capital": (
        lambda of: of.event("PaymentReceived", {"amount": MILLION}, THEIRS.capitalize()),
        "event",
    ),
    "a party whose name has a Cyrillic letter": (
        lambda of: of.event("PaymentReceived", {"amount": MILLION}, THEIRS.replace("o", "\u043e")),
        "event",
    ),
    "a partner that is chosen behind the first one": (_of_two_partners, "event"),
    "a confirmation that nobody signed, of what its party objected to": (
        _answered_unsigned,
        "command-missing",
    ),
    "one commitment for two people": (
        lambda of: _of_one_commitment(of, "Ana", "Otto"),
        "command-differs",
    ),
    "a person in the place of a text": (
        lambda of: of.lesson({**LESSON, "text": next(iter(of.names))}),
        "command-differs",
    ),
    "a proposal confirmed as an act": (_proposal_in_place_of_an_act, "command-content"),
    "a member left out": (lambda of: of.lesson({"lesson": "L-9"}), "command-differs"),
    "an accepted member left out": (lambda of: _waiver(of, None), "command-content"),
    "terms agreed by their proposal": (_agreed_alone, "command-yields"),
    "a command whose content is a list": (_list, "command-malformed"),
    "a command without the prefix of its type": (
        lambda of: of.lesson(type="RecordLesson", asked={"type": "RecordLesson"}),
        "command-malformed",
    ),
}


@pytest.mark.parametrize("name", LIES)
def test_a_lying_operator_is_refused(liar: Liar, desk: Desk, name: str) -> None:
    lie, code = LIES[name]
    liar.events.append(lie(liar))
    assert desk.verdict(liar.bundle()) == made.fault(code, len(liar.events) - 1)


@pytest.mark.parametrize("name", CONTROLS)
def test_what_is_no_lie_is_consistent(liar: Liar, desk: Desk, name: str) -> None:
    control, lies = CONTROLS[name]
    liar.events.append(control(liar))
    assert desk.verdict(liar.bundle()) == CONSISTENT
    assert lies <= LIES.keys()


def test_what_a_party_without_a_key_is_said_to_bind_is_listed_with_its_amount(
    liar: Liar, desk: Desk
) -> None:
    index = liar.before_keys("PenaltyConceded", {"amount": MILLION})
    assert desk.verdict(liar.bundle()) == CONSISTENT
    line = f"#{index} PenaltyConceded by {OURS}: not signed, 1000000.00 USD"
    assert line in desk.not_checked()


def test_a_confirmation_that_nobody_signed_is_listed_with_the_amount_of_its_fact(
    liar: Liar, desk: Desk
) -> None:
    signed = _confirmation(liar)
    del liar.commands[signed["signed"]]
    liar.events.append(liar.event("ClaimConfirmed", signed["data"]))
    assert desk.verdict(liar.bundle()) == CONSISTENT
    index = len(liar.events) - 1
    line = f"#{index} ClaimConfirmed of payment/P by {OURS}: not signed, 100.00 USD"
    assert line in desk.not_checked()


def test_facts_that_nobody_signed_are_counted_with_their_amounts(liar: Liar, desk: Desk) -> None:
    liar.events.append(liar.event("PaymentReceived", {"amount": MILLION}))
    liar.events.append(
        liar.event("PaymentReceived", {"amount": {"amount": "0.125", "currency": "USD"}})
    )
    before = {line for line in desk.not_checked() if "(payments)" in line}
    assert desk.verdict(liar.bundle()) == CONSISTENT
    (line,) = (line for line in desk.not_checked() if "(payments)" in line)
    assert before != {line}
    assert ".125 USD" in line


def test_amounts_neither_cancel_out_nor_disappear(liar: Liar, desk: Desk) -> None:
    for amount in ("7.00", "-7.00", "1E6"):
        money = {"amount": amount, "currency": "XTS"}
        liar.events.append(liar.event("PaymentReceived", {"amount": money}))
    assert desk.verdict(liar.bundle()) == CONSISTENT
    (line,) = (line for line in desk.not_checked() if "(payments)" in line)
    assert line.endswith(", 7.00 XTS, -7.00 XTS, 1 amounts not understood")


def test_a_limit_and_a_fee_are_not_added_to_a_debt(liar: Liar, desk: Desk) -> None:
    """What a reader minds is what is owed, and limits are no part of it."""

    def money(amount: str) -> Row:
        return {"amount": amount, "currency": "USD"}

    data = {
        "balances": [{"amount": money("500.00")}, {"amount": money("340.00")}],
        "penalty": {"fee": money("500.00")},
        "second_person_above": money("50000.00"),
        "x;\u001b": {"y": money("1.00")},
        "_": money("2.00"),
        "__z": money("3.00"),
    }
    index = liar.before_keys("TermsProposed", data)
    assert desk.verdict(liar.bundle()) == CONSISTENT
    line = f"#{index} TermsProposed by {OURS}: not signed"
    (found,) = (each for each in desk.not_checked() if each.startswith(f"#{index} "))
    owed, fee, limit = "840.00 USD", "fee 500.00 USD", "second person above 50000.00 USD"
    under = "  2.00 USD,   z 3.00 USD"
    assert found == f"{line}, {owed}, {under}, {fee}, {limit}, y 1.00 USD"


def test_an_amount_is_found_at_any_depth(liar: Liar, desk: Desk) -> None:
    money = {"amount": "7.00", "currency": "XTS"}
    data = {"command": "ConcedePenalty", "data": {"amount": money}, "items": [{"fee": money}]}
    index = liar.before_keys("SecondPersonAsked", data)
    assert desk.verdict(liar.bundle()) == CONSISTENT
    line = f"#{index} SecondPersonAsked by {OURS}: not signed, 7.00 XTS, fee 7.00 XTS"
    assert line in desk.not_checked()


def test_what_follows_as_a_whole_is_listed_with_its_amount(liar: Liar, desk: Desk) -> None:
    confirmed = {"payout": "P", "money": {"amount": "7.00", "currency": "XTS"}}
    for _ in range(2):
        event = liar.event("ClaimConfirmed", confirmed)
        liar.events.append(liar.sign(event, "RecordPayout", {"payout": "P"}))
    assert desk.verdict(liar.bundle()) == CONSISTENT
    last = len(liar.events) - 1
    where = f"#{last - 1} #{last}"
    what = "ClaimConfirmed not compared with what was signed:"
    (line,) = (each for each in desk.not_checked() if what in each)
    assert f"{where}, " in line
    assert line.endswith(", money 14.00 XTS")


IDENTIFIERS: dict[str, Callable[[Row], Row]] = {
    "an identifier of no cause": lambda _: {"event_id": "f" * 32},
    "no identifier": lambda _: {"event_id": ""},
    "an identifier in upper case": lambda of: {"event_id": of["event_id"].upper()},
    "the identifier of the next place": lambda of: {"event_id": _placed(of, 1)},
    "the identifier of a later place": lambda of: {"event_id": _placed(of, 7)},
    "the identifier of another source": lambda of: {
        "event_id": _placed({**of, "source": "//x.example"}, 0)
    },
    "version 0 of its stream": lambda _: {"stream_version": 0},
    "a version with more missing than was withheld": lambda _: {"stream_version": 77},
}


def _placed(event: Row, place: int) -> str:
    return codec.event_id(event["party"], event["source"], event["source_id"], place)


@pytest.mark.parametrize("name", IDENTIFIERS)
def test_an_identifier_that_its_cause_does_not_give_is_refused(
    liar: Liar, desk: Desk, name: str
) -> None:
    """Such an event would hide that its command was signed for another version."""
    liar.events.append(event := liar.lesson())
    assert desk.verdict(liar.bundle(identified=False)) == CONSISTENT
    liar.events[-1] = event | IDENTIFIERS[name](event)
    found = desk.verdict(liar.bundle(identified=False))
    assert found == made.fault("event", len(liar.events) - 1)


# --- what is erased, and who is named ------------------------------------------------------------


def test_no_act_is_erased_unless_somebody_in_it_was(liar: Liar, desk: Desk) -> None:
    signed = [each for each in liar.events if "signed" in each]
    kinds = {each["type"]: each for each in signed}
    for event in [*kinds.values()][:: 1 if FULL else 5]:
        copy = liar.copy()
        del copy.commands[event["signed"]]
        index = next(
            at for at, each in enumerate(copy.events) if each.get("signed") == event["signed"]
        )
        found = desk.verdict(copy.bundle())
        assert found == made.fault("command-missing", index), event["type"]
    assert len(kinds) > 20


def test_a_command_of_an_erased_person_is_counted(liar: Liar, desk: Desk) -> None:
    """The control: a party erased the person by a signed act, behind the erased one."""
    index = liar.find("PayoutRecorded")
    event = liar.events[index]
    del liar.commands[event["signed"]]
    person = {"person": event["actor"], "reason": "They asked for it."}
    erased = liar.event("PersonErased", person | {"commands": [event["signed"]]}, THEIRS)
    liar.events.append(liar.sign(erased, "ErasePerson", erased["data"]))
    people = [each for each in liar.rows("people") if each["commitment"] != event["actor"]]
    liar.files["data/people.jsonl"] = b"".join(codec.canonical(each) + b"\n" for each in people)

    assert desk.verdict(liar.bundle()) == CONSISTENT
    assert any("erased with a person" in line for line in desk.not_checked())


def _gone(liar: Liar, *more: Row, before: int = 0, by: str = OURS, gone: str | None = None) -> int:
    """Let a command of two events be gone and a person in the first be erased; give its index.

    The erasure comes before so many of these events, and `more` are further events of the command.
    The erasure lists the digest of the command, or `gone`.
    """
    person = liar.events[-1]["actor"]
    first = liar.lesson() | {"actor": person}
    second = first | {"type": "ProposalLapsed", "actor": "somebody", "stream_version": 2}
    del liar.commands[first["signed"]]
    index = len(liar.events)
    changed = [first | each | {"stream_version": 3 + at} for at, each in enumerate(more)]
    liar.events += [first, second, *changed]
    data = {"person": person, "reason": "They asked for it."}
    listed = data | {"commands": [first["signed"] if gone is None else gone]}
    erasure = liar.sign(liar.event("PersonErased", listed, by), "ErasePerson", listed)
    liar.events.insert(index if before else len(liar.events), erasure)
    people = [each for each in liar.rows("people") if each["commitment"] != person]
    liar.files["data/people.jsonl"] = b"".join(codec.canonical(each) + b"\n" for each in people)
    return index + before


def _elsewhere(liar: Liar) -> int:
    index = _gone(liar)
    event = liar.events[index]
    liar.events[index] = event | {"correlation_id": event["actor"], "actor": "somebody"}
    return index


def _penalty_of_erased(liar: Liar) -> int:
    """Sign nothing, and name in a penalty of one party a person whom the other erased before."""
    _gone(liar)
    penalty = liar.event("PenaltyConceded", {"amount": MILLION})
    person = liar.events[-1]["data"]["person"]
    liar.events.append(penalty | {"actor": person, "signed": "a" * 64})
    return len(liar.events) - 1


def _key_of_erased(liar: Liar) -> int:
    """Register another key in the name of a person who is erased next, with its command."""
    key = _registration(liar, STRANGER) | {"signed": "a" * 64}
    liar.events.append(key)
    data = {"person": key["actor"], "reason": "They asked for it."}
    erasure = liar.event("PersonErased", data | {"commands": ["a" * 64]}, THEIRS)
    liar.events.append(liar.sign(erasure, "ErasePerson", erasure["data"]))
    return len(liar.events) - 2


def test_an_erased_command_of_several_events_is_judged_as_one(liar: Liar, desk: Desk) -> None:
    """The control: one of its events names the erased person, and the other does not."""
    _gone(liar)
    assert desk.verdict(liar.bundle()) == CONSISTENT
    assert any(each.startswith("2 events whose command was erased") for each in desk.not_checked())


ERASED: dict[str, tuple[Callable[[Liar], int], str]] = {
    "a penalty hung on an erased command": (
        lambda of: _gone(of, {"type": "PenaltyConceded", "data": {"amount": MILLION}}),
        "command-yields",
    ),
    "an event twice under an erased command": (
        lambda of: _gone(of, {"type": "LessonRecorded"}),
        "command-yields",
    ),
    "an event of the other party under an erased command": (
        lambda of: _gone(of, {"type": "ProposalLapsed", "party": THEIRS}),
        "command-yields",
    ),
    "an event of another source under an erased command": (
        lambda of: _gone(of, {"type": "ProposalLapsed", "source_id": "x"}),
        "command-yields",
    ),
    "an erased person in another field than one for people": (_elsewhere, "command-missing"),
    "a command erased before it was sent": (lambda of: _gone(of, before=1), "command-missing"),
    "a command that the other party erased": (lambda of: _gone(of, by=THEIRS), "command-missing"),
    "a command that no erasure lists": (lambda of: _gone(of, gone="0" * 64), "command-missing"),
    "a penalty in the name of somebody who is erased": (_penalty_of_erased, "command-missing"),
    "a key whose command was erased": (_key_of_erased, "command-missing"),
}


@pytest.mark.parametrize("name", ERASED)
def test_nothing_is_hidden_behind_an_erasure(liar: Liar, desk: Desk, name: str) -> None:
    lie, code = ERASED[name]
    index = lie(liar)
    assert desk.verdict(liar.bundle()) == made.fault(code, index)


@pytest.mark.parametrize("change", ["another name", "a stranger"])
def test_only_the_recorded_people_are_named(liar: Liar, desk: Desk, change: str) -> None:
    people = liar.rows("people")
    if change == "another name":
        people[0]["name"] = "Nobody"
    else:
        stranger = {"name": "Nobody", "party": OURS, "salt": "AA=="}
        people.insert(0, {"commitment": f"person:{'0' * 64}", **stranger})
    liar.files["data/people.jsonl"] = b"".join(codec.canonical(each) + b"\n" for each in people)
    # A name that is not the signed one is found with the command.
    assert desk.verdict(liar.bundle()).code in {"person", "command-differs"}


@pytest.mark.parametrize("names", [["Ana", "Bo"], ["Bo", "Ana"]])
def test_two_people_of_unsigned_events_do_not_swap_names(
    liar: Liar, desk: Desk, names: list[str]
) -> None:
    """No signature holds these names, so only the commitment of each does."""
    rows: dict[str, Row] = {}
    for name in ("Ana", "Bo"):
        text = f"accord/person@v1\n{CONSULTING}\n{THEIRS}\n{name}\n{name}".encode()
        actor = f"person:{hashlib.sha256(text).hexdigest()}"
        liar.events.append(liar.event("PaymentReceived", {}, THEIRS, actor=actor))
        named = names[len(rows)]
        rows[actor] = {"commitment": actor, "name": named, "party": THEIRS, "salt": named}
    people = sorted([*liar.rows("people"), *rows.values()], key=itemgetter("commitment"))
    liar.files["data/people.jsonl"] = b"".join(codec.canonical(each) + b"\n" for each in people)
    is_right = names == ["Ana", "Bo"]
    assert desk.verdict(liar.bundle()) == (CONSISTENT if is_right else made.fault("person"))


@pytest.mark.parametrize("member", ["files", "party", "reason"])
def test_an_export_is_recorded_as_it_was_asked_for(liar: Liar, desk: Desk, member: str) -> None:
    exported = liar.events[liar.find("BundleExported", signed=False)]
    exported["data"][member] = {"files": "0" * 64, "party": OURS, "reason": "Another one."}[member]
    assert desk.verdict(liar.bundle()) == made.fault("custody")


Lines = list[bytes]


def _first_withheld(lines: Lines) -> int:
    return next(index for index, each in enumerate(lines) if b'"withheld"' in each)


def _with(lines: Lines, other: Lines, index: int) -> Lines:
    return [*lines[:index], other[index], *lines[index + 1 :]]


MIXED: dict[str, Callable[[Lines, Lines], Lines]] = {
    "a private event of the other party, from a bundle for that one": lambda lines, other: _with(
        lines, other, _first_withheld(lines)
    ),
    "an event hidden as private, as in a bundle for the other party": lambda lines, other: _with(
        lines, other, _first_withheld(other)
    ),
}
"""What somebody without a key makes of two bundles of one log: the root is that of both."""


@pytest.mark.parametrize("name", MIXED)
def test_nobody_combines_two_bundles_of_one_log(liar: Liar, desk: Desk, name: str) -> None:
    lines = liar.files["data/events.jsonl"].splitlines(keepends=True)
    other = liar.other.splitlines(keepends=True)
    assert desk.verdict(rezipped(liar, lines)) == CONSISTENT
    assert desk.verdict(rezipped(liar, MIXED[name](lines, other))) == made.fault("custody")


def test_the_last_event_shown_is_the_export(liar: Liar, desk: Desk) -> None:
    """The next export is one event longer, and was made for the other party."""
    later = liar.other.splitlines()
    assert len(later) == len(liar.events) + 1
    liar.events.append(orjson.loads(later[-1]))
    assert desk.verdict(liar.bundle()) == made.fault("custody")


def rezipped(liar: Liar, lines: Lines) -> bytes:
    """Return the bundle of somebody without a key who puts other lines for the same events."""
    events = b"".join(lines)
    commands = [liar.commands[each] for each in sorted(liar.commands) if each.encode() in events]
    named = b"".join(each + b"\n" for each in commands)
    return made.zipped(liar.files | {"data/events.jsonl": events, "data/commands.jsonl": named})


def test_what_was_recorded_behind_the_export_was_not_asked_for(liar: Liar, desk: Desk) -> None:
    """The control: others record events before the checkpoint of an export is signed."""
    liar.events.append({"why": "range", "withheld": "0" * 64})
    assert desk.verdict(liar.bundle()) == CONSISTENT
    assert "1 events withheld (range)" in desk.not_checked()


@pytest.mark.parametrize("bound", ["from", "to"])
def test_a_range_is_named_so_nobody_chooses_what_it_hides(
    liar: Liar, desk: Desk, bound: str
) -> None:
    """Outside of it all may be withheld or shown, and the operator says what was asked for."""
    assert desk.verdict(liar.bundle()) == CONSISTENT
    assert not any("were asked for" in each for each in desk.not_checked())
    moment = {"from": "2999-01-01T00:00:00Z", "to": "2020-01-01T00:00:00Z"}[bound]
    asked = orjson.loads(liar.files["data/request.json"]) | {bound: moment}
    liar.files["data/request.json"] = codec.canonical(asked) + b"\n"
    paid = codec.canonical(liar.event("PaymentReceived", {"amount": MILLION}))
    reminded = _of_operator(liar)
    liar.events += [{"why": "range", "withheld": leaf_hash(paid).hex()}, reminded]

    assert desk.verdict(liar.bundle()) == CONSISTENT
    assert f"only events {bound} {moment} were asked for" in desk.not_checked()


def test_a_signed_command_is_there_once(liar: Liar, desk: Desk) -> None:
    assert desk.verdict(liar.bundle()) == CONSISTENT
    again = liar.files["data/commands.jsonl"].splitlines(keepends=True)[0]
    assert desk.verdict(liar.bundle(more=again)) == made.fault("malformed")


def test_a_command_that_no_event_names_is_refused(liar: Liar, desk: Desk) -> None:
    liar.lesson()
    assert desk.verdict(liar.bundle()) == made.fault("command-unused")


# --- a stranger, who has no key -------------------------------------------------------------------

CHANGED: dict[str, tuple[bytes, bytes, set[str]]] = {
    "events.jsonl": (b"10000.00", b"19000.00", {"checkpoint-root"}),
    "checkpoints.jsonl": (b"growthos-consulting", b"growthos-other", {"checkpoint-malformed"}),
    "commands.jsonl": (b'"payload":"e', b'"payload":"f', {"malformed", "command-missing"}),
    "people.jsonl": (b'"name":"', b'"name":"x', {"person", "command-differs"}),
    "waiting.jsonl": (b"", b"{}\n", {"custody"}),
    "request.json": (b"A dispute.", b"A gift.", {"custody"}),
    "policy.txt": (b"quorum none", b"quorum all", {"custody"}),
    "FORMAT.md": (b"fault", b"joke", {"custody"}),
    "rules.json": (b"binds", b"other", {"custody"}),
    "verify.py": (b"FAULT", b"RIGHT", {"custody"}),
    "verify.mjs": (b"FAULT", b"RIGHT", {"custody"}),
    "bundle.json": (b'"size":', b'"size":1', {"events-missing"}),
}


@pytest.mark.parametrize("name", CHANGED)
def test_a_stranger_changes_no_file(liar: Liar, desk: Desk, name: str) -> None:
    old, new, codes = CHANGED[name]
    path = f"data/{name}"
    assert old in liar.files[path]
    liar.files[path] = liar.files[path].replace(old, new) if old else new
    assert desk.verdict(made.zipped(liar.files)).code in codes


def test_a_stranger_moves_no_line_to_a_deal_that_does_not_exist(liar: Liar, desk: Desk) -> None:
    index = liar.find("PaymentReceived")
    lines = liar.files["data/events.jsonl"].splitlines(keepends=True)
    lines[index] = lines[index].replace(b'"deal":"', b'"deal":"Ghost-')
    liar.files["data/events.jsonl"] = b"".join(lines)
    assert desk.verdict(made.zipped(liar.files)).code == "checkpoint-root"


def test_a_stranger_removes_and_adds_no_file(liar: Liar, desk: Desk) -> None:
    schemas = [name for name in liar.files if "schemas" in name]
    for name in sorted(liar.files.keys() - set(schemas[1:])):
        left = {each: data for each, data in liar.files.items() if each != name}
        code = "custody" if name.startswith("data/schemas/") else "bag"
        # The manifest is written anew, and a proof is to be used without the bundle.
        if name != "manifest-sha256.txt" and not name.startswith("data/proofs/"):
            assert desk.verdict(made.zipped(left)).code == code, name
    for name in (
        "data/hashes.txt",
        "data/extra",
        "extra.txt",
        "data/../x",
        "data/schemas/a/b.json",
    ):
        assert desk.verdict(made.zipped(liar.files | {name: b"x"})).code == "bag"


@pytest.mark.parametrize("name", ["1", "99999"])
@pytest.mark.parametrize(
    "proof", ["lies", "c2sp.org/tlog-proof@v1\nindex 1\n\nother.example/x\n1\n"]
)
def test_a_proof_that_lies_changes_no_verdict_and_is_named_as_not_checked(
    liar: Liar, desk: Desk, name: str, proof: str
) -> None:
    """A proof is used without the bundle, so its reader checks it: both compute the root."""
    more = {f"data/proofs/{name}.tlog-proof": proof.encode()}
    assert desk.verdict(made.zipped(liar.files | more)) == CONSISTENT
    assert any("and proofs: other tools check these" in each for each in desk.not_checked())


@pytest.mark.parametrize(
    "name",
    ["tagmanifest-sha256.txt", "bag-info.txt", "fetch.txt", "data/proofs/x.tlog-proof", "data/a/b"],
)
def test_a_file_that_the_format_does_not_know_is_refused(liar: Liar, desk: Desk, name: str) -> None:
    """Whether other readers of bags know it, or only its folder."""
    assert desk.verdict(made.zipped(liar.files | {name: b"1.tlog-proof"})) == made.fault("bag")


# --- the files of a reader ------------------------------------------------------------------------

INHERITED = ("constructor", "toString", "valueOf", "hasOwnProperty", "__proto__")
"""What every object of JavaScript has, though nobody gave it."""


@pytest.mark.parametrize("needed", ["any", "1", "all", "2", *INHERITED])
def test_a_group_needs_a_number_or_one_of_two_words(liar: Liar, desk: Desk, needed: str) -> None:
    key = Verifier("v.example", Kind.COSIGNATURE, STRANGER.public)
    policy = desk.policy.read_text()
    lines = f"witness v {key}\ngroup g {needed} v\n{policy}"
    is_right = needed in {"any", "1", "all"}
    given = desk.path.with_name("group")
    given.write_text(lines)
    raw = made.zipped(liar.files)
    desk.path.write_bytes(raw)
    said = said_by(desk.python, raw, policy=given)
    assert said == desk.script(desk.path, policy=given)
    assert (said != ["MISUSE"]) is is_right
    # The operator's own policy has the same form, and is the operator's to sign.
    liar.files["data/policy.txt"] = lines.encode()
    raw = liar.bundle()
    desk.path.write_bytes(raw)
    said = said_by(desk.python, raw)
    assert said == desk.script(desk.path)
    assert orjson.loads(said[0])["code"] == (None if is_right else "identity")


@pytest.mark.parametrize("verifier", [made.PYTHON, made.SCRIPT], ids=["verify.py", "verify.mjs"])
@pytest.mark.parametrize("option", ["policy", "pins"])
def test_an_empty_name_of_a_file_is_no_file_and_not_passed_over(
    liar: Liar, desk: Desk, verifier: tuple[str | Path, ...], option: str
) -> None:
    """It may be a variable of a shell that is not set."""
    desk.path.write_bytes(made.zipped(liar.files))
    assert made.said_alone(verifier, desk.path, {"policy": desk.policy}) != ["MISUSE"]
    assert made.said_alone(verifier, desk.path, {option: ""}) == ["MISUSE"]


# --- how it is written ----------------------------------------------------------------------------


def draft(liar: Liar, name: str) -> Draft:
    return Draft(dict(liar.files), Random(name), liar.signer, SIGNERS)  # noqa: S311 - repeatable


def test_a_draft_that_nobody_changed_is_consistent_before_and_after_it_is_signed_again(
    liar: Liar, desk: Desk
) -> None:
    """The control of all that follow."""
    same = draft(liar, "same")
    assert desk.verdict(made.zipped(same.files)) == CONSISTENT
    assert same.sign_again()
    assert desk.verdict(made.zipped(same.files)) == CONSISTENT


@pytest.mark.parametrize("name", mutator.SPELLINGS)
def test_json_has_one_spelling(liar: Liar, desk: Desk, name: str) -> None:
    about = draft(liar, name)
    about.put("bundle.json", [mutator.SPELLINGS[name](about.lines("bundle.json")[0], about.random)])
    assert desk.verdict(made.zipped(about.files)).code in {"malformed", "identity"}

    if name in mutator.OTHER_TEXTS:
        return
    event = draft(liar, name)
    lines = event.lines("events.jsonl")
    index = liar.find("PayoutRecorded")
    lines[index] = mutator.SPELLINGS[name](lines[index], event.random)
    event.put("events.jsonl", lines)
    assert event.sign_again()
    found = desk.verdict(made.zipped(event.files))
    assert found.code in {
        "malformed",
        "event",
        "command-differs",
        "command-replayed",
        "command-elsewhere",
    }
    assert found.at in {index, index + 1}


@pytest.mark.parametrize("name", mutator.NOTES)
def test_a_checkpoint_has_one_form(liar: Liar, desk: Desk, name: str) -> None:
    copy = draft(liar, name)
    rows = copy.rows("checkpoints.jsonl")
    text, _, block = rows[-1]["note"].partition("\n\n")
    rows[-1]["note"] = mutator.NOTES[name](text, block, copy)
    copy.write("checkpoints.jsonl", rows)
    found = desk.verdict(made.zipped(copy.files))
    harmless = name in mutator.HARMLESS
    assert (found == CONSISTENT) is harmless
    assert harmless or str(found.code).startswith("checkpoint-")


@pytest.mark.parametrize("name", [each for each in mutator.ENVELOPES if "a value" not in each])
def test_an_envelope_has_one_form_and_one_signature(liar: Liar, desk: Desk, name: str) -> None:
    copy = draft(liar, name)
    lines = copy.lines("commands.jsonl")
    before = hashlib.sha256(lines[0]).hexdigest()
    lines[0] = mutator.written(mutator.ENVELOPES[name](orjson.loads(lines[0]), copy))
    after = hashlib.sha256(lines[0]).hexdigest()
    copy.put("commands.jsonl", sorted(lines, key=lambda each: hashlib.sha256(each).hexdigest()))
    events = copy.files["data/events.jsonl"].replace(before.encode(), after.encode())
    copy.files["data/events.jsonl"] = events
    assert copy.sign_again()
    found = desk.verdict(made.zipped(copy.files))
    if name == "the signature of its party":
        assert found == CONSISTENT  # The control.
    else:
        assert found.code in {"malformed", "command-malformed", "command-key", "command-signature"}


ARCHIVE = ("a byte before", "a byte behind", "a byte between", "without a byte")


@pytest.mark.parametrize("name", ARCHIVE)
def test_an_archive_has_one_form(liar: Liar, desk: Desk, name: str) -> None:
    raw = made.zipped(liar.files)
    at = raw.index(b"PK\x01\x02")
    changed = {
        "a byte before": b"x" + raw,
        "a byte behind": raw + b"x",
        "a byte between": raw[:at] + b"x" + raw[at:],
        "without a byte": raw[:at] + raw[at + 1 :],
    }[name]
    assert desk.verdict(raw) == CONSISTENT
    assert desk.verdict(changed) == made.fault("bag")


@pytest.mark.parametrize("place", range(46))
def test_no_byte_of_a_record_of_the_directory_is_free(liar: Liar, desk: Desk, place: int) -> None:
    """Attributes of symbolic links, comments, sizes, flags: verifiers know one value of each."""
    raw = made.zipped(liar.files)
    at = raw.index(b"PK\x01\x02") + place
    changed = raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :]
    assert desk.verdict(changed) == made.fault("bag")
