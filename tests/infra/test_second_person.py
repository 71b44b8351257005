"""A second person through the service: signed, in any order, in the inbox, and in a bundle."""

from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
from itertools import permutations
from pathlib import Path

import orjson
import pytest

from domain.content import digest
from domain.examples import HELD, PAYOUT
from domain.exit import PartnershipExited
from domain.kernel import Act, Command
from domain.payouts import PayoutRecorded, RecordPayout
from domain.people import ErasePerson
from domain.recorded import Recorded
from domain.second_person import (
    ActConfirmed,
    ConfirmAct,
    SecondPersonAsked,
    WithdrawAct,
    act_id,
)
from infra.answers import inbox
from infra.answers.logs import AsOf
from infra.audit.notary import Notary, Seal
from infra.bootstrap import Accord, bootstrap, init
from infra.deciding.batch import Outcome
from infra.evidence.bundle import BundleRequest, export
from infra.settings import OPERATOR, Settings
from infra.store.history import Kept, Writes
from infra.tlog import codec, dsse
from infra.tlog.keys import Signer
from infra.tlog.notes import Kind, Verifier
from infra.tlog.policy import Policy
from projections import PROPOSALS
from projections.fold import replay
from projections.proposals import OPEN
from projections.visibility import Viewer
from tests.audit.world import CONSISTENT, Verdict, fault, verdict
from tests.infra import section8
from tests.infra.messages import from_steps, message
from tests.infra.signing import NAME, Signatory
from tests.life import EXAMPLES, LIFE, OURS, THEIRS

DAY = "2026-04-03"
UP_TO_IT = [
    *from_steps(LIFE[: LIFE.index(EXAMPLES[RecordPayout])]),
    *(
        message(f"agreed-{number}", each.command, party=each.party, at=each.at)
        for number, each in enumerate(HELD[:2])
    ),
]
"""A life with a statement that we pay, under terms that ask for two people above 500.00 USD."""
ACT = act_id(OURS, PAYOUT)


@pytest.fixture
def accord(tmp_path: Path) -> Iterator[Accord]:
    """A simulated store with a statement that we pay, under terms that ask for two people."""
    settings = Settings(store=f"sqlite:///{tmp_path}/accord.db")
    init(settings, simulated=True)
    with bootstrap(settings) as accord:
        assert {each.status for each in accord.service.handle(UP_TO_IT)} == {"accepted"}
        yield accord


def sent(command: Command, person: str, **more: str) -> bytes:
    name = f"{type(command).__name__}-{person}"
    return message(name, command, party=OURS, at=DAY, actor=person, **more)


def one(accord: Accord, raw: bytes) -> Outcome:
    (outcome,) = accord.service.handle([raw])
    return outcome


def last(accord: Accord, count: int) -> list[str]:
    return [each.event.wire for each in accord.history.of(NAME)][-count:]


def paid(accord: Accord) -> int:
    return sum(isinstance(each.event, PayoutRecorded) for each in accord.history.of(NAME))


def test_in_whatever_order_the_events_of_two_people_come_the_payout_counts_once(
    accord: Accord,
) -> None:
    events = [
        sent(PAYOUT, "maya"),
        sent(ConfirmAct(act=ACT), "jo"),
        sent(ConfirmAct(act=ACT), "kim"),
    ]
    for number, order in enumerate(permutations(events)):
        name = f"{NAME}-{number}"
        moved = [
            orjson.dumps(each | {"subject": name, "id": f"{each['id']}-{number}"})
            for each in map(orjson.loads, (*UP_TO_IT, *order))
        ]
        accord.service.handle(moved)
        wires = [each.event.wire for each in accord.history.of(name)]
        assert wires[-3:] == ["SecondPersonAsked", "ActConfirmed", "PayoutRecorded"]


def test_one_person_alone_binds_nobody_and_is_told_so(accord: Accord) -> None:
    assert one(accord, sent(ConfirmAct(act=ACT), "maya")).status == "waiting"
    assert one(accord, sent(PAYOUT, "maya")).status == "accepted"

    again = one(accord, sent(ConfirmAct(act=ACT), "maya"))

    assert (again.status, again.rule) == ("refused", "same-person")
    assert paid(accord) == 0


def awaiting(accord: Accord, party: str) -> list[inbox.InboxItem]:
    """Return what awaits a second person of a party."""
    accord.runner.catch_up()
    found = inbox.ask(accord, when=AsOf(viewer=Viewer(party))).items
    return [each for each in found if each.awaiting is inbox.Awaiting.SECOND_PERSON]


def test_the_inbox_of_the_party_has_the_act_with_its_day_and_what_confirms_it(
    accord: Accord,
) -> None:
    one(accord, sent(PAYOUT, "maya"))
    asked = [e.event for e in accord.history.of(NAME) if isinstance(e.event, SecondPersonAsked)]

    (item,) = awaiting(accord, OURS)

    assert (item.ref, item.day) == (ACT, asked[0].confirm_by)
    assert "1000.00 USD" in item.text
    assert item.events[0].data == {"act": ACT, "content": digest(asked[0])}
    assert awaiting(accord, THEIRS) == []
    assert one(accord, sent(ConfirmAct.model_validate(item.events[0].data), "jo")).count == 2
    assert awaiting(accord, OURS) == []


@pytest.mark.parametrize(("command", "is_open"), [("RecordPayout", True), ("ProposeTerms", False)])
def test_after_the_end_only_what_can_still_be_done_awaits_its_second_person(
    accord: Accord, command: str, *, is_open: bool
) -> None:
    one(accord, sent(PAYOUT, "maya"))
    *before, asked = accord.history.of(NAME)
    event = asked.event.model_copy(update={"command": command})
    end = PartnershipExited(proposal="end", waived=[])

    rows = replay(
        PROPOSALS,
        [*before, replace(asked, event=event), replace(asked, event=end, index=asked.index + 1)],
    ).rows

    assert [each.act for each in rows[OPEN].acts] == [ACT] * is_open


def test_while_the_payout_awaits_its_second_person_nobody_is_asked_to_pay_it_again(
    accord: Accord,
) -> None:
    offered = asked_to_pay(accord)
    assert offered

    one(accord, sent(PAYOUT, "maya"))
    assert asked_to_pay(accord) == []
    assert [each.events[0].type for each in awaiting(accord, OURS)] == ["accord.ConfirmAct"]

    one(accord, sent(WithdrawAct(act=ACT, reason="A wrong amount."), "maya"))
    assert asked_to_pay(accord) == offered


def asked_to_pay(accord: Accord) -> list[inbox.InboxItem]:
    accord.runner.catch_up()
    found = inbox.ask(accord, when=AsOf(viewer=Viewer(OURS))).items
    return [
        item for item in found if any(each.type == "accord.RecordPayout" for each in item.events)
    ]


@pytest.mark.parametrize("written", ["Maya", "ma ya", "maya  ", "MAYA", "\uff4d\uff41\uff59\uff41"])
def test_the_same_name_written_otherwise_is_no_second_person(accord: Accord, written: str) -> None:
    one(accord, sent(PAYOUT, "maya"))

    again = one(accord, sent(PAYOUT.model_copy(), written))
    refused = one(accord, sent(ConfirmAct(act=ACT), written))

    assert (again.status, again.count) == ("accepted", 0)
    assert (refused.status, refused.rule) == ("refused", "same-person")
    assert paid(accord) == 0


def test_nobody_confirms_an_act_of_a_person_whose_name_was_erased(accord: Accord) -> None:
    """Maya erases her own name and sends it again: to the record she is a new person."""
    one(accord, sent(PAYOUT, "maya"))
    *_, asked = accord.history.of(NAME)
    erasure = ErasePerson(person=asked.act.actor, reason="Asked for by the person.")
    assert one(accord, sent(erasure, "jo")).status == "accepted"

    for person in ("maya", "Maya", "kim"):
        refused = one(accord, sent(ConfirmAct(act=ACT), person))
        assert (refused.status, refused.rule) == ("refused", "same-person")
    assert paid(accord) == 0

    taken_back = WithdrawAct(act=ACT, reason="Its person was erased.")
    assert one(accord, sent(taken_back, "jo")).status == "accepted"
    again = message("again", PAYOUT, party=OURS, at=DAY, actor="jo")
    confirmed = message("confirmed", ConfirmAct(act=ACT), party=OURS, at=DAY, actor="kim")
    assert [one(accord, each).status for each in (again, confirmed)] == ["accepted"] * 2
    assert paid(accord) == 1


# --- signed ------------------------------------------------------------------------------------


def signing(seed: int) -> Signatory:
    return Signatory(OURS, Signer(bytes([seed]) * 32), at=DAY)


def signed(by: Signatory, command: Command, person: str) -> bytes:
    event = by.event(command) | {"actor": person}
    return dsse.sign(by.signer, by.payload(event))


@pytest.fixture
def two_keys(accord: Accord) -> tuple[Signatory, Signatory]:
    """The party registers a key for each of two people."""
    first, second = signing(1), signing(2)
    assert one(accord, first.unsigned(first.register())).status == "accepted"
    assert one(accord, first.signs(second.register())).status == "accepted"
    return first, second


def asked_for(accord: Accord) -> ConfirmAct:
    event = [e.event for e in accord.history.of(NAME) if isinstance(e.event, SecondPersonAsked)][-1]
    return ConfirmAct(act=event.act, content=digest(event))


def verdict_of(accord: Accord, folder: Path) -> Verdict:
    signer = Signer.load(folder / "accord.db.key")
    notary = Notary(
        accord.history, accord.trees, Seal(OPERATOR, signer, None), Policy.read("quorum none\n")
    )
    bundle = folder / "bundle.zip"
    export(accord, notary, NAME, BundleRequest("sam", "A dispute."), bundle)
    log = Verifier(f"{OPERATOR}/{NAME}", Kind.NOTE, signer.public)
    return verdict(bundle, f"log {log}\nquorum none\n")


def test_both_sign_with_keys_of_their_own_and_both_verifiers_agree(
    accord: Accord, two_keys: tuple[Signatory, Signatory], tmp_path: Path
) -> None:
    first, second = two_keys
    assert one(accord, sent(PAYOUT, "maya")).rule == "must-be-signed"
    assert one(accord, signed(first, PAYOUT, "maya")).status == "accepted"

    same = one(accord, signed(first, asked_for(accord), "jo"))
    done = one(accord, signed(second, asked_for(accord), "jo"))

    assert (same.rule, done.status, done.count) == ("same-person", "accepted", 2)
    assert section8.faults(accord, NAME) == []
    assert verdict_of(accord, tmp_path) == CONSISTENT


def test_a_signature_for_one_act_covers_no_other_amount(
    accord: Accord, two_keys: tuple[Signatory, Signatory], tmp_path: Path
) -> None:
    """The operator hangs another payout on the second person's signature."""
    first, second = two_keys
    one(accord, signed(first, PAYOUT, "maya"))
    body = signed(second, asked_for(accord), "jo")
    name = sha256(body).hexdigest()
    asked = orjson.loads(body)
    meant = dsse.read(asked).payload.event
    *_, end = accord.history.of(NAME)
    version = len(accord.history.streams([NAME])[NAME])
    more = PAYOUT.amount.model_copy(update={"amount": PAYOUT.amount.amount * 1000})
    events = [
        ActConfirmed(act=ACT),
        PayoutRecorded(
            payout=PAYOUT.payout,
            statement=PAYOUT.statement,
            amount=more,
            payer=OURS,
            payee=THEIRS,
        ),
    ]
    act = Act(OURS, "jo", end.act.recorded_at, end.act.recorded_at)
    forged = []
    for ordinal, event in enumerate(events):
        recorded = Recorded(
            NAME,
            NAME,
            version + 1 + ordinal,
            codec.event_id(OURS, meant["source"], meant["id"], ordinal),
            act,
            meant["source"],
            meant["id"],
            event,
        )
        recorded.signed = name
        forged.append(recorded)
    accord.history.append(forged, Writes(kept=[Kept("command", NAME, name, body)]))

    assert verdict_of(accord, tmp_path) == fault("command-differs", end.index + 2)
