"""A lying operator's statements: a record that is verified, and what follows from it.

Every bundle here is signed by its operator's key, and both verifiers find it consistent.
"""

from base64 import b64encode
from dataclasses import asdict
from dataclasses import replace as replace_in
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import orjson
import pytest
from typer.testing import CliRunner

from benchmarks.audit.signing import covering
from domain.aggregates import command_types
from domain.agreement import TermsProposed
from domain.bilateral import ProposalLapsed
from domain.breach_actions import RuleBreached
from domain.deadlines.deadline import (
    DeadlineKind,
    DeadlinePassed,
    PeriodClosed,
    ReminderGiven,
)
from domain.entry import PenaltyConceded
from domain.kernel import CLOCK_PARTY, Event
from domain.keyring import KeySentByOperator, key_id
from domain.payment import PaymentReceived
from domain.people import Person, PersonErased
from domain.recorded import Recorded
from domain.second_person import SecondPersonAsked
from domain.settlement import (
    Balance,
    FinalSettlementIssued,
    Part,
    StatementIssued,
    contents_of,
)
from domain.values import instant
from infra.answers import verify
from infra.answers.issued import Compared, Outcome
from infra.answers.money_path import Signing
from infra.answers.text import Line
from infra.bootstrap import bootstrap, init
from infra.cli.options import DONE, FAILED, NOT_UNDERSTOOD, app
from infra.cli.replay import FAULT, NOT_COMPUTED, NOT_PINNED
from infra.deciding.again import NEVER, decided_again
from infra.deciding.consequences import NOTHING_GIVES
from infra.deciding.decision import CLOCK_SOURCE, ENROLMENT_SOURCE
from infra.deciding.pseudonyms import COMMAND
from infra.deciding.pseudonyms import people as people_of
from infra.deciding.recording import ADOPTION_SOURCE
from infra.evidence import replay
from infra.settings import Settings
from infra.store.history import Kept, Writes
from infra.tlog import codec, dsse
from infra.tlog.keys import Signer
from tests.audit import world as made
from tests.audit.test_lies import Liar
from tests.audit.world import CONSISTENT, World, build, play, rewritten, verdict
from tests.feeds import FEEDS, messages, simulated

pytestmark = [pytest.mark.needs("node"), pytest.mark.xdist_group("attacks")]

ADOPTED = next(each for each in FEEDS if "adopted" in each.name)
COBALT = next(each for each in FEEDS if "exit" in each.name)
LAUNCH = next(each for each in FEEDS if "launch" in each.name)
GHOST = "2026-Q4:USD"
DUE = date(2027, 1, 31)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> World:
    world = build(tmp_path_factory.mktemp("replayed"))
    play(world)
    return world


@pytest.fixture
def world(whole: World, tmp_path: Path) -> World:
    return whole.copy(tmp_path / "store")


def alone(world: World) -> str:
    return world.policy(quorum="none")


def statements(bundle: Path) -> dict[str, Compared]:
    return {each.statement: each for each in replay.replay(bundle).statements}


def issue(world: World, balance: Balance, due_on: date = DUE) -> Path:
    """Issue a statement as the operator does, without the ledger; return the bundle."""
    event = StatementIssued(statement=GHOST, period="2026-Q4", due_on=due_on, balance=balance)
    world.forge(world.forged(event, "growthos", cause=("accord:settle", "ghost")))
    bundle = world.bundle()
    assert verdict(bundle, alone(world)) == CONSISTENT
    return bundle


def nothing() -> Balance:
    return Balance(currency="USD", parts=[], amount=Decimal(0))


def ghost_part() -> Part:
    earned = {"northbridge": Decimal("77777.00")}
    return Part(month="2026-12", currency="USD", earned=earned, lines=1)


def owed_to_northbridge(amount: str, parts: list[Part]) -> Balance:
    return Balance(
        currency="USD",
        parts=parts,
        payer="growthos",
        payee="northbridge",
        amount=Decimal(amount),
    )


def test_every_honest_statement_is_as_computed(world: World) -> None:
    found = statements(world.bundle())
    assert len(found) >= 3
    assert {each.outcome for each in found.values()} == {Outcome.AS_COMPUTED}


@pytest.mark.parametrize("party", made.PARTIES)
def test_what_a_party_may_see_is_enough(world: World, party: str) -> None:
    found = statements(world.bundle(party=party))
    assert {each.outcome for each in found.values()} == {Outcome.AS_COMPUTED}


def test_a_ghost_line_is_named(world: World) -> None:
    computed = statements(issue(world.copy(world.folder / "copy"), nothing()))[GHOST].computed
    assert computed
    parts = [*computed.parts, ghost_part()]
    bundle = issue(world, owed_to_northbridge("77777.00", parts))

    found = statements(bundle)[GHOST]

    assert found.outcome is Outcome.DIFFERS
    differing = {each.where: (each.stated, each.computed) for each in found.differences}
    assert differing["parts/2026-12 USD/earned/northbridge"] == ("77777.00", None)


def test_another_amount_is_named_and_the_computed_one_is_as_computed(world: World) -> None:
    other = world.copy(world.folder / "copy")
    computed, due_on = computed_in(other.copy(other.folder / "copy"))
    wrong = owed_to_northbridge("1.00", computed.parts)

    found = statements(issue(world, wrong, due_on))[GHOST]

    assert found.outcome is Outcome.DIFFERS
    assert "amount" in {each.where for each in found.differences}
    assert "due_on" not in {each.where for each in found.differences}
    # The control: the same event with what the ledger computes.
    assert statements(issue(other, computed, due_on))[GHOST].outcome is Outcome.AS_COMPUTED


def test_another_due_day_is_named(world: World) -> None:
    computed, due_on = computed_in(world.copy(world.folder / "copy"))
    later = due_on + timedelta(days=90)

    found = statements(issue(world, computed, later))[GHOST]

    assert found.outcome is Outcome.DIFFERS
    assert [(each.where, each.stated, each.computed) for each in found.differences] == [
        ("due_on", f"{later}", f"{due_on}")
    ]


@pytest.mark.parametrize("lie", ["another rate", "a payment left out", "a month left out"])
def test_what_a_statement_is_made_of_is_compared(world: World, lie: str) -> None:
    """The operator states less, or converts at a rate of its own."""
    computed, due_on = computed_in(world.copy(world.folder / "copy"))
    first, *others = computed.parts
    (party, amount), *_ = first.earned.items()
    match lie:
        case "another rate":
            rate = {"rate": Decimal("1.50"), "converted": first.earned}
            parts = [first.model_copy(update=rate), *others]
        case "a payment left out":
            less = {"earned": {**first.earned, party: amount - 1}, "lines": first.lines - 1}
            parts = [first.model_copy(update=less), *others]
        case _:
            parts = others

    found = statements(issue(world, computed.model_copy(update={"parts": parts}), due_on))[GHOST]

    assert found.outcome is Outcome.DIFFERS
    differing = {each.where.rpartition("/")[2] for each in found.differences}
    assert {"another rate": "rate", "a payment left out": "lines"}.get(lie, party) in differing


def computed_in(world: World) -> tuple[Balance, date]:
    """Return the balance and the due day that the ledger computes for the statement of `issue`."""
    found = statements(issue(world, nothing()))[GHOST]
    assert found.computed
    (due_on,) = (each.computed for each in found.differences if each.where == "due_on")
    assert due_on
    return found.computed, date.fromisoformat(due_on)


def test_every_signed_command_gives_the_same_events_when_it_is_decided_again(world: World) -> None:
    found = replay.replay(world.bundle(party="northbridge"))
    assert found.commands.keys() == {"same"}
    assert found.commands["same"] > 200
    assert not found.differs


@pytest.mark.parametrize("lie", ["payer", "statement", "stream"])
def test_what_the_decision_adds_to_a_signed_command_is_decided_again(
    world: World, lie: str
) -> None:
    """Both verifiers find it consistent: the party signed it, and it yields such events."""
    event, command = PAYOUT, "RecordPayout"
    if lie == "payer":
        # The payer follows from the statement, and nobody signs it.
        event = {**event, "payer": "northbridge", "payee": "growthos"}
    elif lie == "statement":
        # There is no such statement, so the command is refused.
        event = {**event, "statement": "2031-Q1:USD", "payer": "growthos", "payee": "northbridge"}
    else:
        # The penalty is of an entry, and this one is on the partnership's own stream.
        command = "ConcedePenalty"
        event = {"entry": "none", "condition": "late", "on": "2026-10"}
    wire = "PayoutRecorded" if command == "RecordPayout" else "PenaltyConceded"
    bundle = signed_event(world, wire, command, event)
    assert verdict(bundle, alone(world)) == CONSISTENT

    found = replay.replay(bundle)

    (decided,) = (each for each in found.decided if each.outcome == "differs")
    assert (decided.command, found.differs) == (command, True)
    assert live(world) == f"{made.CONSULTING}#{decided.index}"


@pytest.mark.parametrize("lie", [None, "confirm_by", "signed_with", "no second person"])
def test_a_signed_act_that_awaits_a_second_person_is_decided_again(
    world: World, lie: str | None
) -> None:
    with world.opened() as (accord, _):
        for day, party, command, data in LIMITED:
            known = [each.event for each in accord.history.of(made.CONSULTING)]
            raw = signed_on(date.fromisoformat(day), party, command, data, known)
            (outcome,) = accord.service.handle([raw])
            assert outcome.status == "accepted", outcome
        events = list(accord.history.of(made.CONSULTING))
        commands = accord.history.kept(COMMAND, made.CONSULTING)
        people = people_of(accord.history, made.CONSULTING)
    asked = events.pop()
    event = asked.event
    assert isinstance(event, SecondPersonAsked)
    assert event.signed_with == key_id(made.SIGNERS["growthos"].public)
    match lie:
        case "confirm_by":
            event = event.model_copy(update={"confirm_by": event.confirm_by + timedelta(days=9)})
        case "signed_with":
            event = event.model_copy(update={"signed_with": "0" * 16})
        case "no second person":
            event = TermsProposed.model_validate(LIMITED[-1][-1])
        case _:
            pass

    found = outcomes_of([*events, replace_in(asked, event=event)], commands, people)

    assert found[-1] == ("differs" if lie else "same")


LIMIT = {"second_person_above": [{"amount": "500.00", "currency": "USD"}]}
FEE = {"kind": "referral-fee", "to": "northbridge", "fee": {"amount": "900.00", "currency": "USD"}}
LIMITED: list[tuple[str, str, str, dict[str, Any]]] = [
    (
        "2026-10-15",
        "growthos",
        "ProposeTerms",
        {"proposal": "limit", "effective_from": "2026-10-20", "frame": LIMIT},
    ),
    ("2026-10-15", "northbridge", "AcceptTerms", {"proposal": "limit"}),
    (
        "2026-10-21",
        "growthos",
        "ProposeTerms",
        {"proposal": "fee", "effective_from": "2026-11-01", "items": [FEE | {"trigger": "sale"}]},
    ),
]
"""Both parties agree above which amount a second person confirms, and one offers a higher fee."""


def signed_on(
    day: date, party: str, command: str, data: dict[str, Any], known: list[Event]
) -> bytes:
    """Return a command that its party signs, with the digest of what it accepts."""
    at = datetime.combine(day, time(9), UTC)
    name = f"{command}-{data['proposal']}"
    told = made.registration(party, instant(at)) | {"id": name, "type": f"accord.{command}"}
    covered = covering(command_types()[command].model_validate(data), known)
    told["data"] = covered.model_dump(mode="json", exclude_none=True)
    payload = dsse.asked(told, made.OPERATOR, at + timedelta(days=1))
    return dsse.sign(made.SIGNERS[party], payload)


PAYOUT: dict[str, Any] = {
    "payout": "forged",
    "statement": "2026-Q2:USD",
    "amount": {"amount": "1.00", "currency": "USD"},
}


def signed_event(
    world: World,
    wire: str,
    command: str,
    data: dict[str, Any],
    signed: dict[str, Any] | None = None,
) -> Path:
    """Record an event that its party signed, or signed otherwise; return the bundle."""
    at = world.now + timedelta(hours=1)
    event = Event.registry[wire].model_validate(
        data | ({"on": at.date()} if "breach" in data else {})
    )
    told = made.registration("growthos", instant(at)) | {"id": "lie", "type": f"accord.{command}"}
    fields = command_types()[command].model_fields
    told["data"] = {name: each for name, each in (signed or data).items() if name in fields}
    payload = dsse.asked(told, made.OPERATOR, at + timedelta(days=1))
    body = dsse.sign(made.SIGNERS["growthos"], payload)
    digest = sha256(body).hexdigest()
    cause = (told["source"], told["id"])
    forged = world.forged(event, "growthos", cause=cause, signed=digest, at=at)
    with world.opened() as (accord, _):
        kept = [Kept("command", made.CONSULTING, digest, body)]
        accord.history.append([forged], Writes(kept=kept))
    return world.bundle()


def test_a_statement_of_another_balance_is_found_though_its_party_signed_it(world: World) -> None:
    """Operator and payer can agree on it; the verifiers compare it with what was signed alone."""
    balance = owed_to_northbridge("77777.00", [ghost_part()])
    stated = balance.model_dump(mode="json", exclude_none=True)
    event = {"statement": GHOST, "period": "2026-Q4", "due_on": f"{DUE}", "balance": stated}
    signed = {"period": "2026-Q4", "contents": contents_of([balance])}
    bundle = signed_event(world, "StatementIssued", "IssueStatement", event, signed)
    assert verdict(bundle, alone(world)) == CONSISTENT

    found = replay.replay(bundle)

    (statement,) = (each for each in found.statements if each.statement == GHOST)
    (decided,) = (each for each in found.decided if each.outcome == "differs")
    assert (statement.outcome, decided.index) == (Outcome.DIFFERS, statement.index)


@pytest.mark.parametrize("left_out", [True, False])
def test_a_member_that_was_signed_and_is_not_recorded_is_found(
    world: World, *, left_out: bool
) -> None:
    """The verifiers refuse such a bundle, and the live store differs; else nothing does."""
    data: dict[str, Any] = {
        "incentive": "spring",
        "description": "A card.",
        "from_day": "2027-01-01",
    }
    signed = data | {"per_referral": {"amount": "50.00", "currency": "USD"}}
    recorded = data if left_out else signed
    bundle = signed_event(world, "IncentiveIntroduced", "IntroduceIncentive", recorded, signed)
    index = max(each.index for each in told(world)[0])

    found = replay.replay(bundle)

    if left_out:
        assert (found.record.code, found.record.index) == ("command-differs", index)
        assert verdict(bundle, alone(world)) == made.fault("command-differs", index)
    else:
        assert verdict(bundle, alone(world)) == CONSISTENT
        assert {each.outcome for each in found.decided} <= {"not decided"}
    assert live(world) == (f"{made.CONSULTING}#{index}" if left_out else None)


@pytest.mark.parametrize("lie", ["actor", "time", "id", "cause", "process"])
def test_who_acted_when_and_why_is_what_was_signed(world: World, lie: str) -> None:
    """In the live store, too: the verifiers compare it in a bundle."""
    lesson = {"lesson": "L-9", "text": "Ask earlier."}
    signed_event(world, "LessonRecorded", "RecordLesson", lesson)
    events, commands, people = told(world)
    assert set(outcomes_of(events, commands, people)) == {"same"}
    *_, last = events
    if lie == "actor":
        other = next(who for who in people if who != last.act.actor)
        last.act = last.act._replace(actor=other)
    elif lie == "time":
        last.act = last.act._replace(occurred_at=last.act.occurred_at - timedelta(days=1))
    elif lie == "cause":
        last.causation_id = "another"
    elif lie == "process":
        last.correlation_id = "another"
    else:
        last.event_id = "f" * 32

    assert "differs" in outcomes_of(events, commands, people)


def test_a_payment_that_its_party_states_a_second_time_is_found(world: World) -> None:
    """The other party may have confirmed the first statement, and the earlier one counts."""
    paid = world.find("PaymentReceived")
    with world.opened() as (accord, _):
        (first,) = accord.history.of(made.CONSULTING, paid, paid + 1)
    assert isinstance(first.event, PaymentReceived)
    more = first.event.amount.model_copy(update={"amount": Decimal(900_000)})
    event = first.event.model_copy(update={"amount": more})
    world.forge(world.forged(event, first.act.party, stream=first.stream))

    found = replay.replay(world.bundle())

    (differing,) = [each for each in found.decided if each.outcome == "differs"]
    assert "It is refused (already-recorded)" in (differing.why or "")
    assert found.differs


def test_a_replay_says_of_how_many_commands_the_actor_was_not_compared(world: World) -> None:
    """An operator can leave the names out when it exports, and so hide who acted."""
    whole = world.bundle()
    with ZipFile(whole) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    operator = Liar(files, world.signer)
    operator.files["data/people.jsonl"] = b""
    nameless = whole.with_name("nameless.zip")
    nameless.write_bytes(operator.bundle())

    told, stripped = replay.replay(whole), replay.replay(nameless)

    assert not any("who acted" in each for each in told.never_decided)
    assert any("who acted in" in each for each in stripped.never_decided)
    assert not stripped.differs


def test_a_replay_lists_the_acts_that_nobody_signed(world: World) -> None:
    """A reader of this answer alone sees what its parties are said to have agreed."""
    found = replay.replay(world.bundle())

    lines = [each.text for each in replay.text(found) if isinstance(each, Line)]
    listed = [each for each in found.record.not_checked if each.startswith("#")]
    assert any(" not signed" in each for each in listed)
    assert {f"not checked: {each}" for each in listed} <= {*lines}


UNSIGNED = ("honest", "on the stream of another deal", "of a deal that has no referral")


@pytest.mark.parametrize("lie", UNSIGNED)
def test_a_payment_that_nobody_signed_is_decided_again(world: World, lie: str) -> None:
    """Its place and its deal, but not that it happened."""
    paid = world.find("PaymentReceived")
    with world.opened() as (accord, _):
        (first,) = accord.history.of(made.CONSULTING, paid, paid + 1)
    assert isinstance(first.event, PaymentReceived)
    event = first.event.model_copy(update={"payment": "P-of-nobody"})
    stream = first.stream
    if lie == UNSIGNED[1]:
        stream = f"{made.CONSULTING}/deal/another"
    elif lie == UNSIGNED[2]:
        event = event.model_copy(update={"deal": "another"})
        stream = f"{made.CONSULTING}/deal/another"
    world.forge(world.forged(event, first.act.party, stream=stream))
    bundle = world.bundle()
    assert verdict(bundle, alone(world)) == CONSISTENT

    differing = [each.why for each in replay.replay(bundle).decided if each.outcome == "differs"]

    rule = {UNSIGNED[0]: None, UNSIGNED[1]: "another-stream", UNSIGNED[2]: "no-such-deal"}[lie]
    assert [f"({rule})" in (why or "") for why in differing] == ([True] if rule else [])


def differing(bundle: Path) -> list[str]:
    """Return why each decision in a bundle differs."""
    return [each.why or "" for each in replay.replay(bundle).decided if each.outcome == "differs"]


@pytest.mark.parametrize("issuer", ["lumastream", CLOCK_PARTY, "the other party"])
def test_a_statement_that_nobody_signed_is_decided_again(tmp_path: Path, issuer: str) -> None:
    """The ledger gives what it states; that the payer or the operator issues it is a rule."""
    name = "spring-france"
    with simulated(tmp_path) as accord:
        accord.service.handle(list(messages(LAUNCH)))
        events = list(accord.history.of(name))
    place, stated = next(
        (place, each)
        for place, each in enumerate(events)
        if isinstance(each.event, StatementIssued) and each.event.balance.payer == "lumastream"
    )
    parties = {each.act.party for each in events} - {"lumastream", CLOCK_PARTY}
    by = min(parties) if issuer == "the other party" else issuer
    named = codec.event_id(by, stated.source, stated.source_id, 0)
    act = stated.act._replace(party=by)
    events[place] = replace_in(stated, act=act, event_id=named)

    found = [each for each in decided_again(events, {}, {}) if each.outcome == "differs"]

    wrong = [each for each in found if each.index == stated.index]
    assert [("(not-the-payer)" in (each.why or "")) for each in wrong] == (
        [True] if issuer == "the other party" else []
    )


def test_a_final_settlement_that_nobody_signed_is_decided_again(world: World) -> None:
    """It states no balance, so there is none to compare: the partnership goes on."""
    computed, due_on = computed_in(world.copy(world.folder / "copy"))
    issue(world, computed, due_on)
    before = differing(world.bundle())
    event = FinalSettlementIssued(settlement="end", due_on=due_on, balances=[])
    world.forge(world.forged(event, CLOCK_PARTY, cause=("accord:settle", "final")))
    bundle = world.bundle()
    assert verdict(bundle, alone(world)) == CONSISTENT

    found = differing(bundle)

    assert "end:USD" not in statements(bundle)
    (why,) = found[len(before) :]
    assert "It is refused (wrong-stage)" in why


SENDERS = ("the party", "nobody", "the operator, for another key", "the operator")


@pytest.mark.parametrize("sender", SENDERS)
def test_a_key_that_its_party_signed_was_not_sent_by_the_operator(
    world: World, sender: str
) -> None:
    """Else the operator could end the consent of a key that is its party's own."""
    party, signer = made.PARTIES[0], Signer(b"n" * 32)
    at = instant(world.now)
    event = made.registration(party, at, signer)
    with world.opened() as (accord, _):
        (outcome,) = accord.service.handle([made.signed(event)])
        assert outcome.status == "accepted", outcome
    keyid = key_id(signer.public)
    sent = KeySentByOperator(party=party, keyid=keyid)
    cause = (ENROLMENT_SOURCE, f"{made.CONSULTING}/{keyid}")
    match sender:
        case "nobody":
            cause = ("accord:view", "x")
        case "the operator, for another key":
            keyid = key_id(made.SIGNERS[party].public)
            sent = KeySentByOperator(party=party, keyid=keyid)
            cause = (ENROLMENT_SOURCE, f"{made.CONSULTING}/{keyid}")
        case _:
            pass
    if sender != "the party":
        world.forge(world.forged(sent, CLOCK_PARTY, cause=cause, actor="operator"))
    bundle = world.bundle()
    assert verdict(bundle, alone(world)) == CONSISTENT

    found = differing(bundle)

    none = "The event before it is none by which"
    why = {
        "the party": [],
        "the operator": [f"{party} signed the key with"],
        "nobody": [none, "The operator records it elsewhere"],
    }.get(sender, [none])
    assert [each[: len(start)] for each, start in zip(found, why, strict=True)] == why


def test_a_first_key_that_the_operator_sent_is_replayed_without_a_finding(tmp_path: Path) -> None:
    """The control: nobody else can say who sent it."""
    settings = Settings(store=f"sqlite:///{tmp_path}/accord.db")
    init(settings, simulated=False, operator=made.OPERATOR)
    raws = []
    for raw in messages(FEEDS[0]):
        raws.append(raw)
        if orjson.loads(raw)["type"] == made.CHOSEN:
            break
    keys = [made.registration(each, instant(datetime.now(UTC))) for each in made.PARTIES]
    with bootstrap(settings) as accord:
        accord.service.handle([*raws, *map(orjson.dumps, keys)])
        events = list(accord.history.of(made.CONSULTING))
        people = people_of(accord.history, made.CONSULTING)

    found = [each for each in decided_again(events, {}, people) if each.outcome == "differs"]

    assert {each.event.wire for each in events} >= {"KeySentByOperator", "PartnerChosen"}
    assert found == []


def test_a_figure_of_no_party_is_found_by_a_replay(world: World) -> None:
    """A verifier takes it: both parties may agree that a third one reports figures."""
    with ZipFile(world.bundle()) as archive:
        operator = Liar({each: archive.read(each) for each in archive.namelist()}, world.signer)
    honest = operator.events[operator.find("MetricReported")]
    last = max(e["stream_version"] for e in operator.events if e.get("stream") == honest["stream"])
    place = {"stream": honest["stream"], "stream_version": last + 1}
    operator.events.append(operator.event("MetricReported", honest["data"], "stranger", **place))
    bundle = world.folder / "figure.zip"
    bundle.write_bytes(operator.bundle())
    assert verdict(bundle, alone(world)) == CONSISTENT

    (why,) = differing(bundle)

    assert "(unknown-party)" in why


def test_an_event_of_no_party_is_found_in_the_live_store(world: World) -> None:
    """Both verifiers refuse it, so no replay of a bundle comes to it."""
    assert live(world) is None
    penalty = PenaltyConceded(entry="e", condition="late", on="growthos")
    world.forge(world.forged(penalty, "stranger"))
    bundle = world.bundle()
    events, commands, people = told(world)
    index = events[-1].index

    found = [e for e in decided_again(events, commands, people) if e.outcome == "differs"]

    assert verdict(bundle, alone(world)) == made.fault("event", index)
    assert live(world) == f"{made.CONSULTING}#{index}"
    assert [("(unknown-party)" in (each.why or ""), each.index) for each in found] == [
        (True, index)
    ]


def test_an_event_that_cannot_be_read_ends_no_report_of_what_differs_before_it(
    world: World,
) -> None:
    """One worthless event would hide a forged statement."""
    bundle = issue(world, owed_to_northbridge("77777.00", [ghost_part()]))
    liar = liar_of(bundle, world)
    index = len(liar.events)
    liar.events.append(liar.event("RuleBreached", {"rule": "none"}, "accord"))
    bundle.write_bytes(liar.bundle())
    assert verdict(bundle, alone(world)) == CONSISTENT

    found = replay.replay(bundle)

    assert found.unread
    assert (found.unread.type, found.unread.index) == ("RuleBreached", index)
    assert [each.statement for each in found.statements if each.outcome == "differs"] == [GHOST]
    code, printed = run(bundle)
    assert (code, GHOST in printed) == (FAULT, True)
    assert f"#{index} RuleBreached cannot be read or folded" in printed


def liar_of(bundle: Path, world: World) -> Liar:
    with ZipFile(bundle) as archive:
        return Liar({name: archive.read(name) for name in archive.namelist()}, world.signer)


@pytest.mark.parametrize("value", ["{}", None, -1])
def test_an_export_that_cannot_be_read_is_not_mixed_up_with_the_one_before_it(
    world: World, value: str | int | None
) -> None:
    """Given the exports of both parties, when the second cannot be read, the first is honest."""
    earlier, later = made.PARTIES
    world.bundle("earlier.zip", party=earlier)
    bundle = world.bundle(party=later)
    honest = replay.replay(bundle)
    liar = liar_of(bundle, world)
    index, stated = len(liar.events) - 1, liar.events[-1]["data"]["withheld"]
    assert stated != liar.events[-2]["data"]["withheld"]
    liar.events[-1]["data"]["withheld"] = value.format(stated) if isinstance(value, str) else value
    bundle.write_bytes(liar.bundle())
    assert verdict(bundle, alone(world)) == CONSISTENT

    found = replay.replay(bundle)

    assert found.unread
    assert (found.unread.type, found.unread.index) == ("BundleExported", index)
    assert found.decided == honest.decided == ()
    assert found.withheld == honest.withheld
    assert run(bundle)[0] == FAULT


def test_a_number_written_as_text_is_malformed_in_any_event(world: World) -> None:
    bundle = world.bundle()
    liar = liar_of(bundle, world)
    index = liar.find("StatementIssued")
    for part in liar.events[index]["data"]["balance"]["parts"]:
        part["lines"] = str(part["lines"])
    bundle.write_bytes(liar.bundle())
    assert verdict(bundle, alone(world)) == CONSISTENT

    found = replay.replay(bundle).unread

    assert found
    assert (found.type, found.index) == ("StatementIssued", index)
    assert "is malformed" in found.why


@pytest.mark.parametrize("more", [0, 1])
def test_a_private_event_behind_the_export_is_none_that_the_export_counts(
    world: World, more: int
) -> None:
    """The control: an export that states one too many is wrong all the same."""
    bundle = world.bundle(party=made.PARTIES[0])
    liar = liar_of(bundle, world)
    liar.events[-1]["data"]["withheld"] += more
    liar.events.append({"why": "private", "withheld": "0" * 64})
    bundle.write_bytes(liar.bundle())
    assert verdict(bundle, alone(world)) == CONSISTENT

    found = replay.replay(bundle)

    assert [each.index for each in found.decided] == [len(liar.events) - 2] * more
    assert bool(found.withheld["private"])


def told(world: World) -> tuple[list[Recorded], dict[str, bytes], dict[str, Person]]:
    """Return the events but for the export, the signed commands, and the people's names."""
    with world.opened() as (accord, _):
        found = list(accord.history.of(made.CONSULTING))
        commands = accord.history.kept(COMMAND, made.CONSULTING)
        return found[:-1], commands, people_of(accord.history, made.CONSULTING)


def outcomes_of(
    events: list[Recorded], commands: dict[str, bytes], people: dict[str, Person]
) -> list[str]:
    return [str(each.outcome) for each in decided_again(events, commands, people)]


def live(world: World) -> str | None:
    """Return what `accord audit verify` finds in the store itself."""
    with world.opened() as (accord, _):
        difference = list(verify.check(accord))[-1].difference
        return difference.key if difference else None


@pytest.mark.parametrize("lie", ["a breach", "a reduction", "left out"])
def test_what_an_agreed_rule_records_is_judged_again(tmp_path: Path, lie: str) -> None:
    """The operator records these itself, so nobody signs them."""
    with simulated(tmp_path) as accord:
        accord.service.handle(list(messages(COBALT)))
        events = list(accord.history.of("cobalt-docs"))
    assert outcomes(events) == {"same"}
    breach = next(each for each in events if isinstance(each.event, RuleBreached))
    place = breach.index
    match lie:
        case "a breach":
            event = breach.event.model_copy(update={"rule_version": 7})
            events[place] = replace_in(breach, event=event)
        case "a reduction":
            reduction = next(each for each in events if each.event.wire == "InvestmentReduced")
            event = reduction.event.model_copy(update={"by": Decimal(90)})
            place = reduction.index
            events[place] = replace_in(reduction, event=event)
        case _:
            del events[place : place + 2]

    differing = [each for each in decided_again(events, {}, {}) if each.outcome == "differs"]

    assert differing
    assert differing[0].index in {place, place + 1, place + 2}


@pytest.mark.parametrize("feed", FEEDS, ids=lambda each: each.stem)
def test_every_deadline_of_an_honest_log_passes_when_it_is_due(tmp_path: Path, feed: Path) -> None:
    with simulated(tmp_path) as accord:
        accord.service.handle(list(messages(feed)))
        logs = {name: list(accord.history.of(name)) for name in accord.history.partnerships()}
        commands = {name: accord.history.kept(COMMAND, name) for name in logs}
    passed = [each for log in logs.values() for each in log if each.source == CLOCK_SOURCE]

    found = [each for name, log in logs.items() for each in decided_again(log, commands[name], {})]

    assert len(passed) <= len(found)
    assert not [each for each in found if each.outcome == "differs"]


@pytest.mark.parametrize("lie", ["another day", "another kind", "made up", "early", "left out"])
def test_a_deadline_that_the_operator_made_up_is_found(tmp_path: Path, lie: str) -> None:
    """Nobody signs what the clock records, and alerts and penalties follow from it."""
    with simulated(tmp_path) as accord:
        accord.service.handle(list(messages(COBALT)))
        events = list(accord.history.of("cobalt-docs"))
    passed = next(each for each in events if isinstance(each.event, PeriodClosed))
    place = passed.index
    match lie:
        case "another day":
            events[place] = replace_in(passed, source_id=f"{passed.source_id[:-1]}1Z")
        case "another kind":
            event = DeadlinePassed(kind=DeadlineKind.ANSWER, ref="terms/2")
            events[place] = replace_in(passed, event=event)
        case "made up":
            events.insert(place + 1, passed)
        case "early":
            before = events[place - 1]
            at = before.act.recorded_at
            events[place - 1] = replace_in(passed, act=passed.act._replace(recorded_at=at))
            events[place] = before
        case _:
            del events[place]

    differing = [each for each in decided_again(events, {}, {}) if each.outcome == "differs"]

    assert differing
    assert differing[0].index in {place - 1, place, place + 1}


@pytest.mark.parametrize("kind", [PeriodClosed, ReminderGiven, DeadlinePassed])
def test_what_the_clock_left_out_is_reported_once(tmp_path: Path, kind: type[Event]) -> None:
    with simulated(tmp_path) as accord:
        accord.service.handle(list(messages(COBALT)))
        events = list(accord.history.of("cobalt-docs"))
    left = next(each for each in events if isinstance(each.event, kind))

    found = decided_again([each for each in events if each is not left], {}, {})

    said = [each.why or "" for each in found if each.outcome == "differs"]
    text = left.event.model_dump_json(exclude_none=True)
    assert len([each for each in said if f"{text} before." in each]) == 1
    assert len(said) < 5, said


@pytest.mark.parametrize("kind", [ReminderGiven, DeadlinePassed])
def test_what_the_clock_records_of_silence_is_found_where_the_operator_leaves_it_out(
    tmp_path: Path, kind: type[ReminderGiven | DeadlinePassed]
) -> None:
    with simulated(tmp_path) as accord:
        accord.service.handle(list(messages(ADOPTED)))
        events = list(accord.history.of("growthos-harbourlight"))
    by_silence = [
        each
        for each in events
        if isinstance(each.event, kind) and each.event.kind is DeadlineKind.SILENCE
    ]
    assert len(by_silence) > 1

    for each in by_silence[:3]:
        left = [other for other in events if other is not each]
        differing = [of for of in decided_again(left, {}, {}) if of.outcome == "differs"]
        assert each.index + 1 in {of.index for of in differing}, each.event


@pytest.mark.parametrize("lie", ["another value", "left out", "the last left out", "made up"])
def test_what_an_adoption_states_for_each_party_is_computed_again(tmp_path: Path, lie: str) -> None:
    """Both agreed the adoption; nobody signs what it states in other streams."""
    with simulated(tmp_path) as accord:
        accord.service.handle(list(messages(ADOPTED)))
        logs = [list(accord.history.of(name)) for name in accord.history.partnerships()]
        events = next(log for log in logs if any(each.source == ADOPTION_SOURCE for each in log))
        commands = accord.history.kept(COMMAND, events[0].partnership)
    assert "differs" not in outcomes_of(events, commands, {})
    stated = [each.index for each in events if each.source == ADOPTION_SOURCE]
    place = next(index for index in stated if events[index].event.wire == "MetricReported")
    match lie:
        case "another value":
            figure = next(events[index].event for index in stated if index > place)
            events[place] = replace_in(events[place], event=figure)
        case "left out":
            del events[place]
        case "the last left out":
            place = stated[-1]
            del events[place]
        case _:
            place = stated[-1] + 1
            named = f"{events[stated[0]].causation_id}/99"
            events.insert(place, replace_in(events[stated[-1]], source_id=named))

    found = [each for each in decided_again(events, commands, {}) if each.outcome == "differs"]

    assert any(each.why and each.why.startswith(("In ", NOTHING_GIVES)) for each in found)
    assert found[0].index in {place - 1, place, place + 1}


@pytest.mark.parametrize("source", ["accord:rules", "accord:settle"])
def test_a_proposal_that_the_operator_lets_lapse_is_found(world: World, source: str) -> None:
    """Whatever source it names: a rule that gives it, or one that nobody judges."""
    lapsed = ProposalLapsed(agreement="Terms", proposal="terms-1", reason="It is settled.")
    world.forge(world.forged(lapsed, CLOCK_PARTY, cause=(source, "x/lapsed")))
    world.bundle()
    events, commands, people = told(world)

    differing = [
        each for each in decided_again(events, commands, people) if each.outcome == "differs"
    ]

    assert {each.index for each in differing} == {events[-1].index}
    assert live(world) == f"{made.CONSULTING}#{events[-1].index}"


def test_a_binding_act_whose_command_was_erased_is_not_decided_and_says_so(world: World) -> None:
    honest = replay.replay(world.bundle("honest.zip"))
    assert honest.complete
    events, commands, people = told(world)
    place = next(each.index for each in events if each.event.wire == "DisputeOpened")
    digest = events[place].signed
    assert digest
    del commands[digest]
    erased = PersonErased(
        person=events[place].act.actor, reason="They asked for it.", commands=[digest]
    )
    last = events[-1]
    act = last.act._replace(party=events[place].act.party)
    events.append(replace_in(last, index=last.index + 1, event=erased, signed=None, act=act))

    found = next(
        each for each in decided_again(events, commands, people) if each.outcome == "not decided"
    )

    assert (found.index, found.command, found.binds) == (place, "DisputeOpened", True)
    some = honest.model_copy(update={"decided": (replay.Decision(**asdict(found)),)})
    assert not some.complete


def test_a_replay_names_what_it_never_decides(world: World) -> None:
    for party in (None, *made.PARTIES):
        code, text = run(world.bundle(f"{party}.zip", party=party))
        text = " ".join(text.split())  # A terminal may be narrow.
        assert code == NOT_PINNED
        assert all(f"not decided again: {what}" in text for what in NEVER)
        assert ("events are private" in text) is (" withheld (private)" in text)


def outcomes(events: list[Recorded]) -> set[str]:
    return {str(each.outcome) for each in decided_again(events, {}, {})}


def test_a_forged_statement_is_found_in_the_live_store(world: World) -> None:
    assert live(world) is None
    lying = issue(world, owed_to_northbridge("77777.00", [ghost_part()]))
    index = max(each.index for each in statements(lying).values())

    assert live(world) == f"{made.CONSULTING}#{index}"


def test_a_statement_after_withheld_events_is_not_computed(world: World) -> None:
    found = statements(world.bundle(start=made.moment("2026-02-01T00:00:00Z")))
    assert found
    assert {each.outcome for each in found.values()} == {Outcome.NOT_COMPUTED}
    assert all("not asked for" in (each.why or "") for each in found.values())


def test_a_replay_says_which_range_was_asked_for(world: World) -> None:
    _, text = run(world.bundle(start=made.moment("2026-02-01T00:00:00Z")))
    said = " ".join(text.split())  # A terminal may be narrow.
    assert "not checked: only events from 2026-02-01T00:00:00Z were asked for" in said


def test_a_final_settlement_that_states_a_balance_twice_is_named(world: World) -> None:
    found = final(world, nothing(), nothing())
    assert found.outcome is Outcome.DIFFERS
    assert "2 times" in (found.why or "")


def test_a_final_settlement_that_leaves_a_balance_out_is_named(world: World) -> None:
    # Without its last statement the log has money that no statement states.
    index = max(each.index for each in statements(world.bundle()).values())
    world.sql(
        f"DELETE FROM events WHERE idx >= {index}",
        f"UPDATE heads SET size = {index}, recorded_at = '2026-01-01T00:00:00Z'",
        "DELETE FROM trees",
        "DELETE FROM nodes",
        f"DELETE FROM checkpoints WHERE size > {index}",
    )

    found = final(world)

    assert found.outcome is Outcome.DIFFERS
    assert found.stated is None
    assert found.computed
    assert found.computed.amount > 0


def final(world: World, *balances: Balance) -> Compared:
    """Issue a final settlement as a lying operator does; return how its USD balance compares."""
    event = FinalSettlementIssued(settlement="end", due_on=DUE, balances=list(balances))
    world.forge(world.forged(event, "growthos", cause=("accord:settle", "final")))
    bundle = world.bundle()
    assert verdict(bundle, alone(world)) == CONSISTENT
    return statements(bundle)["end:USD"]


def test_a_record_with_a_fault_is_not_replayed(world: World) -> None:
    def change(files: dict[str, bytes]) -> None:
        files["data/events.jsonl"] = files["data/events.jsonl"].replace(b"10000.00", b"19000.00")

    found = replay.replay(rewritten(world.bundle(), change))

    assert (found.record.verdict, found.record.code) == ("FAULT", "checkpoint-root")
    assert found.statements == ()
    assert found.differs


# --- the command ---------------------------------------------------------------------------------


def run(*words: str | Path) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["audit", "replay", *map(str, words)])
    return done.exit_code, done.output


def pin(party: str) -> str:
    """Return the line of pins for a party's key."""
    return f"party {party} {b64encode(made.SIGNERS[party].public).decode()}"


def test_the_command_ends_with_the_code_of_what_it_found(world: World) -> None:
    honest = world.bundle("honest.zip")
    part = world.bundle("part.zip", start=made.moment("2026-02-01T00:00:00Z"))
    policy = world.folder / "policy"
    policy.write_text(alone(world))
    lying = issue(world, owed_to_northbridge("77777.00", [ghost_part()]))

    pins = world.pinned(*map(pin, made.PARTIES))
    code, text = run(honest, "--policy", policy, "--pins", pins)
    assert (code, "as computed" in text, "not pinned" in text) == (DONE, True, False)
    code, text = run(part, "--policy", policy, "--pins", pins)
    assert (code, "not computed" in text) == (NOT_COMPUTED, True)
    for bundle in (honest, part):
        code, text = run(bundle)
        assert (code, "not pinned" in text) == (NOT_PINNED, True)
    code, text = run(lying, "--policy", policy, "--pins", pins)
    assert (code, GHOST in text, "77777.00" in text) == (FAILED, True, True)
    assert run(lying)[0] == FAILED
    code, text = run(honest, "--policy", policy, "--not-before", "2090-01-01T00:00:00Z")
    assert (code, "FAULT stale" in text) == (FAULT, True)
    code, text = run(honest, "--policy", honest)
    assert code == NOT_UNDERSTOOD


def test_each_cent_of_a_statement_leads_to_events_that_were_signed(world: World) -> None:
    """Given a signed life, when a statement is explained, then all it rests on has a signature."""
    bundle = world.bundle(party="northbridge")

    found = replay.replay(bundle, explain="2026-Q2:USD").explained

    assert found
    stated = statements(bundle)["2026-Q2:USD"].stated
    assert stated
    assert sum(each.line.amount for each in found.lines) == stated.amount
    events = {each.index: each for each in found.events}
    assert {index for each in found.lines for index in each.events} == events.keys()
    for each in found.lines:
        types = {events[index].type for index in each.events}
        assert each.line.index in each.events
        assert {"CommercialTermsAgreed", "ReferralSubmitted", "DealWon"} <= types
    assert {each.signing for each in found.events} == {Signing.SIGNED}
    assert {each.key for each in found.events} == {
        key_id(each.public) for each in made.SIGNERS.values()
    }


def test_the_command_prints_the_path(world: World) -> None:
    code, text = run(world.bundle(), "--explain", "2026-Q2:USD")
    assert (code, "events behind them" in text) == (NOT_PINNED, True)
    code, text = run(world.bundle(), "--explain", "2031-Q1:USD")
    assert code == FAILED


def test_the_command_prints_the_same_as_json(world: World) -> None:
    code, text = run(world.bundle(), "--json")
    found = orjson.loads(text)
    assert code == NOT_PINNED
    assert found["record"]["verdict"] == "CONSISTENT, NOT PINNED"
    assert {each["outcome"] for each in found["statements"]} == {"as computed"}
