"""Events that name what is not on record yet wait for it, and are decided when it arrives."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise, permutations
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic, sleep

import hypothesis
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.attribution import Method
from domain.bilateral import WithdrawProposal
from domain.claims import ConfirmClaim
from domain.dispute import AcceptResolution, DisputeOutcome, OpenDispute, ProposeResolution
from domain.execution import IssueCause
from domain.experiment import CorrectObservation
from domain.exploration import CloseExploration
from domain.kernel import Awaited, AwaitedKind, Command
from domain.merge import AgreeMerge, ProposeMerge
from domain.partnership import PassTime
from domain.payment import IssueRefund, ReceivePayment, ReverseRefund
from domain.referral import AttributeReferral, CreateOpportunity, SubmitReferral
from domain.reported_figure import CorrectMetric, ReportedFigure, ReportMetric
from domain.sale import LoseDeal, WinDeal
from domain.values import Money
from domain.viewing import FullViewTaken
from infra.bootstrap import Accord, bootstrap, init
from infra.deciding.batch import Outcome
from infra.settings import Settings
from infra.store.history import input_of
from tests.documents import REPOSITORY
from tests.infra.messages import SOURCE, beginning, message
from tests.infra.told import Told

O2 = (REPOSITORY / "tests/cases/o2-send-again-as-told.jsonl").read_bytes().splitlines()
NAME = "o2-send-again-as-told"
FORMED, EARLY = O2[:-1], O2[-1]
"""The life of a partnership up to its kick-off, and a payment before its deal."""

DEAL = "D1"
REFERRAL = SubmitReferral(deal=DEAL, lead="lead-1")
CLAIM = AttributeReferral(deal=DEAL, method=Method.REFERRAL_CODE, evidence="code N-1", to="north")
OPPORTUNITY = CreateOpportunity(deal=DEAL)
WIN = WinDeal(deal=DEAL, annual_contract_value=Money(amount=Decimal(12_000), currency="USD"))
STEPS: tuple[Command, ...] = (REFERRAL, CLAIM, OPPORTUNITY, WIN)


def usd(amount: int) -> Money:
    return Money(amount=Decimal(amount), currency="USD")


PAYMENT = ReceivePayment(deal=DEAL, payment="P1", amount=usd(1000))
CHARGEBACK = IssueRefund(deal=DEAL, refund="R1", payment="P1", amount=usd(1000), kind="chargeback")
REVERSAL = ReverseRefund(deal=DEAL, refund="R1")


@pytest.fixture
def clock() -> Told:
    told = Told()
    told.now = datetime(2026, 3, 1, 9, tzinfo=UTC)
    return told


@pytest.fixture
def running(address: str, clock: Told) -> Iterator[Accord]:
    """An ordinary store of each kind, in which a partnership has begun its work."""
    with opened(Settings(store=address), clock) as accord:
        assert {each.status for each in accord.service.handle(FORMED)} == {"accepted"}
        yield accord


def opened(settings: Settings, clock: Told) -> AbstractContextManager[Accord]:
    init(settings)
    return bootstrap(settings, clock)


def sent(command: Command, id: str | None = None, **more: object) -> bytes:
    known = {"subject": NAME, "party": "acme", "at": "2026-02-03"} | more
    return message(id or type(command).__name__, command, **known)


def send(accord: Accord, *raws: bytes) -> list[Outcome]:
    return accord.service.handle(raws)


def one(accord: Accord, command: Command, id: str | None = None, **more: object) -> Outcome:
    (outcome,) = send(accord, sent(command, id, **more))
    return outcome


def waiting(accord: Accord) -> list[tuple[str, str]]:
    return [(each.source_id, each.awaited) for each in accord.history.waiting([NAME])]


def recorded(accord: Accord) -> list[str]:
    return [each.event.wire for each in accord.history.of(NAME)][len(FORMED) :]


def of_deals(accord: Accord) -> list[str]:
    return [each.event.wire for each in accord.history.of(NAME) if "/deal/" in each.stream]


# --- waiting -----------------------------------------------------------------------------------


def test_a_payment_before_its_deal_waits_and_says_for_what(running: Accord) -> None:
    outcome = one(running, PAYMENT)

    assert outcome == Outcome(
        "waiting",
        *("acme", SOURCE, "ReceivePayment"),
        NAME,
        waiting_for=Awaited(AwaitedKind.REFERRAL, DEAL, "the referral of deal D1"),
        waits_because="A deal begins with a referral. No referral D1 was submitted.",
    )
    assert waiting(running) == [("ReceivePayment", "the referral of deal D1")]
    assert running.history.refusals(None) == []
    assert of_deals(running) == []


def test_a_waiting_event_is_neither_replaced_nor_taken_back_by_another_party(
    running: Accord,
) -> None:
    one(running, PAYMENT)

    again = one(running, PAYMENT, party="north")
    elsewhere = one(running, PAYMENT, party="mallory", subject="nowhere")

    assert (again.status, elsewhere.status) == ("waiting", "refused")
    assert [each.party for each in running.history.waiting([NAME])] == ["acme", "north"]


def test_one_party_takes_none_of_the_room_in_which_another_partys_events_wait(
    address: str, clock: Told
) -> None:
    settings = Settings(
        store=address, waiting_of_partnership=2, waiting_of_source=2, waiting_of_party=2
    )
    with opened(settings, clock) as accord:
        send(accord, *FORMED)
        theirs = [one(accord, PAYMENT, str(number), party="north") for number in range(3)]
        mine = one(accord, PAYMENT)

    assert [each.rule for each in theirs] == [None, None, "too-many-waiting"]
    assert mine.status == "waiting"


def test_the_case_o2_is_taken_when_the_deal_is_won_and_sent_again_it_waits_in_one_row(
    running: Accord,
) -> None:
    first, again = send(running, EARLY)[0], send(running, EARLY)[0]
    assert (first.status, again.status, len(waiting(running))) == ("waiting", "waiting", 1)

    seen = []
    for step in STEPS:
        outcome = one(running, step)
        seen.append((outcome.status, [each.status for each in outcome.settled]))
        assert one(running, step).status == "duplicate"
        assert len(waiting(running)) == (step is not WIN)

    assert seen == [("accepted", [])] * 3 + [("accepted", ["accepted"])]
    payment = list(running.history.of(NAME))[-1]
    assert (payment.event.wire, payment.source_id) == ("PaymentReceived", f"{NAME}-27")
    assert send(running, EARLY)[0] == Outcome(
        "duplicate", *input_of(payment), NAME, payment.index, 1
    )


@pytest.mark.parametrize("together", [True, False], ids=["in one batch", "one by one"])
def test_a_merge_waits_for_the_deal_that_counts_and_its_acceptance_for_the_merge(
    running: Accord, *, together: bool
) -> None:
    duplicate = SubmitReferral(deal="D2", lead="lead-1")
    proposed = ProposeMerge(deal="D2", proposal="M1", into=DEAL, reason="One client.")
    raws = [
        sent(AgreeMerge(deal="D2", proposal="M1"), party="north"),
        sent(proposed),
        sent(duplicate, "second", party="north"),
        sent(REFERRAL, party="north"),
    ]
    seen = []
    for each in [raws] if together else [[raw] for raw in raws]:
        send(running, *each)
        seen.append([words for _, words in waiting(running)])

    if not together:
        assert seen[2] == ["proposal M1 of deal D2", "the referral of deal D1"]
    assert seen[-1] == []
    assert of_deals(running) == [
        "ReferralSubmitted",
        "ReferralSubmitted",
        "MergeProposed",
        "DealsMerged",
    ]


def test_what_it_waits_for_is_named_anew_as_the_deal_goes_on(running: Accord) -> None:
    one(running, PAYMENT)
    seen = []
    for step in STEPS[:-1]:
        one(running, step)
        seen += waiting(running)

    assert [words for _, words in seen] == ["the win of deal D1"] * 3


@pytest.mark.parametrize("together", [True, False], ids=["in one batch", "one by one"])
def test_a_life_sent_backwards_is_taken_in_several_rounds(
    running: Accord, *, together: bool
) -> None:
    backwards = [sent(each) for each in (REVERSAL, CHARGEBACK, PAYMENT, *reversed(STEPS))]
    outcomes = (
        send(running, *backwards) if together else [send(running, raw)[0] for raw in backwards]
    )

    assert waiting(running) == []
    if together:
        assert {each.status for each in outcomes} == {"accepted"}
        places = {each.id: each.first for each in outcomes}
        log = {each.source_id: each.index for each in running.history.of(NAME)}
        assert places == {name: log[name] for name in places}
    else:
        settled = [each.id for outcome in outcomes for each in outcome.settled]
        assert sorted(settled) == [
            "AttributeReferral",
            "CreateOpportunity",
            "IssueRefund",
            "ReceivePayment",
            "ReverseRefund",
            "WinDeal",
        ]
    assert sorted(of_deals(running)) == [
        "DealWon",
        "OpportunityCreated",
        "PaymentReceived",
        "ReferralAttributed",
        "ReferralSubmitted",
        "RefundIssued",
        "RefundReversed",
    ]


def test_inputs_are_decided_in_the_order_in_which_they_came(running: Accord) -> None:
    for number in (3, 1, 2):
        payment = PAYMENT.model_copy(update={"payment": f"P{number}"})
        one(running, payment, f"payment-{number}")
    for step in STEPS:
        one(running, step)

    paid = [each.source_id for each in running.history.of(NAME) if "payment" in each.source_id]
    assert paid == ["payment-3", "payment-1", "payment-2"]


def test_a_second_loss_waits_for_the_reversal_of_the_first(running: Accord) -> None:
    for each in (*STEPS, PAYMENT, CHARGEBACK):
        one(running, each)
    second = CHARGEBACK.model_copy(update={"refund": "R2"})

    outcome = one(running, second, "second")

    assert outcome.waiting_for is not None
    assert outcome.waiting_for.words == "a reversal or correction of P1 of deal D1"
    assert [each.id for each in one(running, REVERSAL).settled] == ["second"]


def test_an_acceptance_that_comes_before_its_proposal_is_taken_with_it(running: Accord) -> None:
    opened = OpenDispute(dispute="X1", cause=IssueCause.MONEY, description="Who?")
    proposal = ProposeResolution(
        dispute="X1", proposal="E1", outcome=DisputeOutcome.REJECTED, resolution="As found."
    )
    acceptance = AcceptResolution(dispute="X1", proposal="E1")

    assert one(running, acceptance, party="north").status == "waiting"
    assert one(running, opened).settled == []
    assert waiting(running) == [("AcceptResolution", "proposal E1 of dispute X1")]
    assert [each.id for each in one(running, proposal).settled] == ["AcceptResolution"]
    said = [each for each in recorded(running) if each not in {"ReminderGiven", "DeadlinePassed"}]
    assert said[-3:] == ["DisputeOpened", "ResolutionProposed", "DisputeResolved"]


def test_a_correction_waits_for_its_figure(running: Accord) -> None:
    figure = ReportedFigure(unit="count", value=Decimal(3))
    about = {"metric": "leads", "period": "2026-01", "tool": "crm"}
    correction = CorrectMetric(**about, figure=figure, reason="Counted again.")
    report = ReportMetric(**about, figure=ReportedFigure(unit="count", value=Decimal(2)))

    assert one(running, correction).status == "waiting"
    assert waiting(running)[0][1] == "the figure of crm for leads in 2026-01"
    assert [each.status for each in one(running, report).settled] == ["accepted"]


def test_an_event_with_another_fault_is_refused_at_once(running: Accord) -> None:
    unpaid = PAYMENT.model_copy(update={"amount": usd(0)})
    foreign = PAYMENT.model_copy(update={"collected_by": "someone"})
    found = [
        one(running, unpaid, "unpaid"),
        one(running, foreign, "foreign"),
        one(running, PAYMENT, "nowhere", subject="nowhere"),
        one(running, PAYMENT, "early", at=running.clock() + timedelta(days=1)),
    ]

    assert [each.rule for each in found] == [
        "amount-not-positive",
        "unknown-party",
        "no-such-partnership",
        "not-yet-happened",
    ]
    assert waiting(running) == []


def test_a_fault_that_shows_when_it_is_decided_refuses_it_then(running: Accord) -> None:
    since = running.clock()
    one(running, ConfirmClaim(deal=DEAL, fact="referral"))
    referred = one(running, REFERRAL)

    assert [(each.status, each.rule) for each in referred.settled] == [("refused", "own-claim")]
    assert waiting(running) == []
    (refusal,) = running.history.unsent(9)
    assert (refusal.rule, refusal.received_at) == ("own-claim", since)


def test_a_changed_event_that_waits_replaces_the_first_in_its_place(running: Accord) -> None:
    one(running, PAYMENT)
    one(running, CHARGEBACK)
    one(running, PAYMENT.model_copy(update={"amount": usd(2000)}))
    assert [name for name, _ in waiting(running)] == ["ReceivePayment", "IssueRefund"]

    send(running, *map(sent, STEPS))

    (paid,) = [each.event for each in running.history.of(NAME) if "Payment" in each.event.wire]
    assert paid.model_dump()["amount"]["amount"] == "2000"


def test_an_event_that_its_partnership_no_longer_allows_stops_waiting(running: Accord) -> None:
    correction = CorrectObservation(
        experiment="trial", observation="O-1", trials=9, successes=1, reason="One was a test."
    )
    waits, closing = (
        sent(correction, subject="elsewhere"),
        sent(CloseExploration(reason="Too small."), subject="elsewhere"),
    )
    begun, first = send(running, beginning("elsewhere", party="acme"), waits)
    assert (begun.status, first.status) == ("accepted", "waiting")

    (closed,) = send(running, closing)

    assert [(each.id, each.rule) for each in closed.settled] == [
        ("CorrectObservation", "wrong-stage")
    ]
    assert running.history.waiting(["elsewhere"]) == []
    (refusal,) = running.history.unsent(9)
    assert refusal.source_id == "CorrectObservation"


def test_an_event_twice_in_a_batch_is_accepted_once_and_then_a_duplicate(
    running: Accord,
) -> None:
    outcomes = send(running, sent(PAYMENT), sent(PAYMENT), *map(sent, STEPS))

    assert [each.status for each in outcomes] == ["accepted", "duplicate", *["accepted"] * 4]
    assert outcomes[0].first == outcomes[1].first
    assert of_deals(running).count("PaymentReceived") == 1


def test_a_refused_event_that_then_waits_leaves_the_list_of_refusals(
    running: Accord, clock: Told
) -> None:
    early = sent(PAYMENT, at=clock.now + timedelta(days=1))
    assert send(running, early)[0].status == "refused"
    clock.now += timedelta(days=2)

    assert send(running, early)[0].status == "waiting"
    assert [each.state for each in running.history.refusals(None)] == ["resolved"]


# --- limits ------------------------------------------------------------------------------------


def test_an_event_whose_days_are_over_is_refused_and_decided_when_sent_again(
    running: Accord, clock: Told
) -> None:
    one(running, PAYMENT)
    arrived = clock.now
    clock.now += timedelta(days=30)
    running.service.pass_time(NAME)
    assert len(waiting(running)) == 1

    clock.now += timedelta(seconds=1)
    assert running.history.overdue(clock.now) == [NAME]
    running.service.pass_time(NAME)

    assert waiting(running) == []
    (refusal,) = running.history.refusals()
    assert (refusal.rule, refusal.received_at, refusal.unsent) == ("waited-too-long", arrived, True)
    assert refusal.detail == (
        "This event waited 30 days for the referral of deal D1, which was not recorded."
    )
    assert one(running, PAYMENT).status == "waiting"
    assert running.history.refusals() == []
    (again,) = running.history.waiting([NAME])
    assert again.since == clock.now


def test_an_input_goes_on_waiting_when_the_operator_or_the_clock_records_in_its_stream(
    running: Accord, clock: Told
) -> None:
    """A confirmation waits in the stream in which exports and deadlines are recorded, too."""
    clock.now = datetime(2026, 3, 20, 9, tzinfo=UTC)
    assert one(running, ConfirmClaim(payout="out-1", fact="payout")).status == "waiting"
    before = waiting(running)

    running.service.record_own(NAME, "operator", FullViewTaken(question="q", reason="r"))
    clock.now = datetime(2026, 4, 2, 9, tzinfo=UTC)
    assert running.service.pass_time(NAME) > 0
    assert "FullViewTaken" in recorded(running)
    assert waiting(running) == before

    clock.now = datetime(2026, 4, 16, 9, tzinfo=UTC)
    assert one(running, REFERRAL).status == "accepted"
    assert waiting(running) == before


def test_an_event_that_is_sent_again_after_its_days_waits_anew(
    running: Accord, clock: Told
) -> None:
    one(running, PAYMENT)
    clock.now += timedelta(days=31)

    assert one(running, PAYMENT).status == "waiting"
    (again,) = running.history.waiting([NAME])
    assert again.since == clock.now
    assert running.history.refusals(None) == []


@pytest.mark.parametrize("limit", ["waiting_of_partnership", "waiting_of_source"])
def test_no_more_wait_than_the_limit_and_a_refusal_says_so(
    address: str, clock: Told, limit: str
) -> None:
    with opened(Settings.model_validate({"store": address, limit: 2}), clock) as accord:
        send(accord, *FORMED)
        payments = [
            sent(PAYMENT.model_copy(update={"payment": f"P{n}"}), f"payment-{n}") for n in range(3)
        ]
        together = send(accord, *payments)
        again = [send(accord, raw)[0] for raw in payments]

        for outcomes in (together, again):
            assert [each.status for each in outcomes] == ["waiting", "waiting", "refused"]
            assert outcomes[2].rule == "too-many-waiting"
            assert outcomes[2].hint == "Send the referral of deal D1 first, then send this again."
        assert len(waiting(accord)) == 2
        for step in STEPS:
            one(accord, step)
        assert send(accord, payments[2])[0].status == "accepted"
        assert accord.history.refusals() == []


# --- crashes and races -------------------------------------------------------------------------


def test_an_event_that_waits_is_still_there_after_a_restart(address: str, clock: Told) -> None:
    settings = Settings(store=address)
    with opened(settings, clock) as accord:
        send(accord, *FORMED, sent(PAYMENT))
    with opened(settings, clock) as accord:
        send(accord, *map(sent, STEPS))

        assert waiting(accord) == []
        assert of_deals(accord)[-1] == "PaymentReceived"


def test_a_crash_before_the_commit_leaves_it_waiting_and_the_next_try_takes_it_once(
    running: Accord, monkeypatch: pytest.MonkeyPatch
) -> None:
    send(running, sent(PAYMENT), *map(sent, STEPS[:-1]))
    with monkeypatch.context() as patch:
        patch.setattr(running.history, "append", _crash)
        with pytest.raises(SystemExit):
            one(running, WIN)
    assert len(waiting(running)) == 1

    one(running, WIN)
    one(running, WIN)

    assert of_deals(running).count("PaymentReceived") == 1


def _crash(*_: object) -> None:
    raise SystemExit


def test_a_payment_does_not_wait_for_a_win_that_another_writer_records_meanwhile(
    running: Accord, monkeypatch: pytest.MonkeyPatch, clock: Told, address: str
) -> None:
    send(running, *map(sent, STEPS[:-1]))
    with bootstrap(Settings(store=address), clock) as other:
        first = _before_the_first_append(monkeypatch, running, lambda: one(other, WIN))
        outcome = one(running, PAYMENT)

    assert first.calls == 2
    assert outcome.status == "accepted"
    assert waiting(running) == []


def test_a_win_takes_a_payment_that_another_writer_let_wait_meanwhile(
    running: Accord, monkeypatch: pytest.MonkeyPatch, clock: Told, address: str
) -> None:
    send(running, *map(sent, STEPS[:-1]))
    with bootstrap(Settings(store=address), clock) as other:
        first = _before_the_first_append(monkeypatch, running, lambda: one(other, PAYMENT))
        outcome = one(running, WIN)

    assert first.calls == 2
    assert [each.status for each in outcome.settled] == ["accepted"]
    assert waiting(running) == []


class _before_the_first_append:  # noqa: N801 - used as a function
    def __init__(
        self, patch: pytest.MonkeyPatch, accord: Accord, act: Callable[[], object]
    ) -> None:
        self.calls = 0
        sound = accord.history.append

        def raced(*given: object) -> object:
            self.calls += 1
            if self.calls == 1:
                act()
            return sound(*given)  # type: ignore[arg-type]

        patch.setattr(accord.history, "append", raced)


def test_a_killed_writer_loses_nothing_and_decides_nothing_twice(
    tmp_path: Path, clock: Told
) -> None:
    settings = Settings(store=f"sqlite:///{tmp_path}/killed.db")
    with opened(settings, clock) as accord:
        send(accord, *FORMED)
        for number in range(KILLED):
            deal = {"deal": f"K{number}"}
            early = [
                sent(each.model_copy(update=deal), f"{type(each).__name__}-{number}")
                for each in LATE
            ]
            assert {each.status for each in send(accord, *early)} == {"waiting"}
            steps = [
                sent(each.model_copy(update=deal), f"{type(each).__name__}-{number}")
                for each in STEPS
            ]
            writer = get_context("spawn").Process(target=_write, args=(settings, steps))
            writer.start()
            _after_the_first_event(accord, f"{NAME}/deal/K{number}")
            sleep(number * 0.004)
            writer.kill()
            writer.join()

            send(accord, *steps)
            assert waiting(accord) == []
            stream = f"{NAME}/deal/K{number}"
            wires = [each.event.wire for each in accord.history.streams([stream])[stream]]
            assert sorted(wires) == sorted({*wires})
            assert wires[-3:] == ["PaymentReceived", "RefundIssued", "RefundReversed"]


KILLED = 4
LATE = (REVERSAL, CHARGEBACK, PAYMENT)


def _write(settings: Settings, steps: list[bytes]) -> None:
    clock = Told()
    clock.now = datetime(2026, 3, 1, 9, tzinfo=UTC)
    with bootstrap(settings, clock) as accord:
        for step in steps:
            accord.service.handle([step])


def _after_the_first_event(accord: Accord, stream: str) -> None:
    deadline = monotonic() + 30
    while not accord.history.streams([stream])[stream]:
        assert monotonic() < deadline
        sleep(0.001)


# --- simulated stores --------------------------------------------------------------------------


def test_in_a_simulated_store_time_is_the_feeds(tmp_path: Path) -> None:
    settings = Settings(store=f"sqlite:///{tmp_path}/past.db")
    init(settings, simulated=True)
    early = orjson.loads(EARLY) | {"recordedtime": "2026-02-04T09:00:00Z"}
    with bootstrap(settings) as accord:
        send(accord, *FORMED, orjson.dumps(early))
        (row,) = accord.history.waiting([NAME])
        assert row.since == datetime(2026, 2, 4, 9, tzinfo=UTC)
        for step in STEPS:
            one(accord, step, at="2026-02-20")
            assert send(accord, orjson.dumps(early))[0].status in {"waiting", "duplicate"}

        payment = list(accord.history.of(NAME))[-1]
        assert payment.event.wire == "PaymentReceived"
        assert payment.act.recorded_at == datetime(2026, 2, 20, 9, tzinfo=UTC)
        assert payment.act.occurred_at == datetime(2026, 2, 3, 9, tzinfo=UTC)


def test_in_a_simulated_store_its_days_are_over_by_the_time_of_the_feed(tmp_path: Path) -> None:
    settings = Settings(store=f"sqlite:///{tmp_path}/past.db")
    init(settings, simulated=True)
    with bootstrap(settings) as accord:
        outcomes = send(accord, *FORMED, EARLY, sent(REFERRAL, at="2026-04-01"))

        assert [(each.status, each.rule) for each in outcomes[-2:]] == [
            ("refused", "waited-too-long"),
            ("accepted", None),
        ]


@pytest.fixture
def past(tmp_path: Path) -> Iterator[Accord]:
    """A simulated store in which a partnership has begun its work."""
    settings = Settings(store=f"sqlite:///{tmp_path}/past.db")
    init(settings, simulated=True)
    with bootstrap(settings) as accord:
        send(accord, *FORMED)
        yield accord


@pytest.mark.parametrize("how", ["sent again", "retried"])
def test_in_a_simulated_store_a_refused_event_can_come_again_later_unchanged(
    past: Accord, how: str
) -> None:
    early = sent(PAYMENT, recordedtime="2026-02-04T09:00:00Z")
    send(past, early, sent(REFERRAL, at="2026-04-01", recordedtime="2026-04-01T09:00:00Z"))
    (refusal,) = past.history.refusals()
    assert refusal.rule == "waited-too-long"

    again = past.service.retry([refusal]) if how == "retried" else send(past, early)
    assert [each.status for each in again] == ["waiting"]
    (row,) = past.history.waiting([NAME])
    assert row.since == datetime(2026, 4, 1, 9, tzinfo=UTC)
    for step in STEPS[1:]:
        one(past, step, at="2026-04-02", recordedtime="2026-04-02T09:00:00Z")
    payment = list(past.history.of(NAME))[-1]
    assert (payment.event.wire, payment.act.occurred_at.day) == ("PaymentReceived", 3)


def test_in_a_simulated_store_a_refused_event_can_be_corrected_later(past: Accord) -> None:
    foreign = PAYMENT.model_copy(update={"collected_by": "someone"})
    at = {"recordedtime": "2026-02-04T09:00:00Z"}
    assert one(past, foreign, "payment", **at).rule == "unknown-party"
    one(past, REFERRAL, at="2026-02-20")

    assert one(past, foreign, "payment", **at).rule == "unknown-party"
    assert one(past, PAYMENT, "payment", **at).status == "waiting"


def test_in_a_simulated_store_an_event_out_of_order_stays_refused(past: Accord) -> None:
    one(past, REFERRAL, at="2026-02-20")
    rules = [one(past, CLAIM, at="2026-02-10", recordedtime="2026-02-10T09:00:00Z").rule] * 2

    assert rules == ["recordedtime-runs-backwards"] * 2


@given(
    st.lists(
        st.tuples(st.sampled_from(["lose", "claim", "time"]), st.integers(-10, 80)),
        min_size=2,
        max_size=8,
    ),
    st.data(),
)
@hypothesis.settings(max_examples=15)
def test_where_a_batch_ends_changes_no_end_of_an_event(
    sent_at: list[tuple[str, int]], data: st.DataObject
) -> None:
    kinds = {"lose": LoseDeal(deal="NOPE", reason="Too dear."), "claim": CLAIM, "time": PassTime()}
    kickoff = len(FORMED) - 1
    later = [
        sent(kinds[kind], kind if kind != "time" else f"time-{number}", at=_day(days))
        for number, (kind, days) in enumerate(sent_at)
    ]
    # Some come before the kickoff, in a stage that does not allow them.
    begun = data.draw(st.integers(0, 2))
    feed = [*FORMED[:kickoff], *later[:begun], FORMED[kickoff], *later[begun:]]
    cuts = data.draw(st.lists(st.integers(kickoff, len(feed)), unique=True, max_size=4))

    assert _end([feed]) == _end(_parts(feed, sorted(cuts)))


def _day(days: int) -> str:
    return f"{datetime(2026, 1, 6, tzinfo=UTC) + timedelta(days=days):%Y-%m-%d}"


def _parts(feed: list[bytes], cuts: list[int]) -> list[list[bytes]]:
    return [feed[start:stop] for start, stop in pairwise([0, *cuts, len(feed)])]


def _end(batches: list[list[bytes]]) -> object:
    """Return what is on record, what waits and what is refused, once all batches are decided."""
    with TemporaryDirectory() as folder:
        settings = Settings(store=f"sqlite:///{folder}/accord.db")
        init(settings, simulated=True)
        with bootstrap(settings) as accord:
            for batch in batches:
                send(accord, *batch)
            history = accord.history
            return (
                [(each.event, each.act) for each in history.of(NAME)],
                [(each.source_id, each.since) for each in history.waiting([NAME])],
                [(each.source_id, each.rule, each.received_at) for each in history.refusals()],
            )


def test_a_dispute_does_not_wait_for_its_deal(running: Accord) -> None:
    early = OpenDispute(dispute="dispute-1", cause=IssueCause.MONEY, description="Who referred it?")

    assert one(running, early).status == "accepted"
    assert waiting(running) == []


# --- answers that cross ------------------------------------------------------------------------


@pytest.mark.parametrize("order", [*permutations(["open", "propose", "agree", "withdraw"])])
def test_the_first_answer_received_is_final_wherever_its_proposal_arrives(
    running: Accord, order: tuple[str, ...]
) -> None:
    messages = {
        "open": sent(OpenDispute(dispute="Q", cause=IssueCause.MONEY, description="It is late.")),
        "propose": sent(
            ProposeResolution(
                dispute="Q",
                proposal="p",
                outcome=DisputeOutcome.REJECTED,
                resolution="It was paid.",
            )
        ),
        "agree": sent(AcceptResolution(dispute="Q", proposal="p"), party="north"),
        "withdraw": sent(WithdrawProposal(proposal="p", within="dispute/Q", reason="No.")),
    }

    for each in order:
        send(running, messages[each])

    first = min(["agree", "withdraw"], key=order.index)
    ended = {"DisputeResolved", "ProposalWithdrawn"} & {*recorded(running)}
    assert ended == {"DisputeResolved" if first == "agree" else "ProposalWithdrawn"}
    assert waiting(running) == []
