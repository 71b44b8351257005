"""The clock records when silence confirms claims, and no other event is needed for it."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from domain.agreement import AcceptTerms, ProposeTerms
from domain.attribution import Method
from domain.claims import ConfirmClaim
from domain.deadlines.deadline import DeadlineKind, DeadlinePassed, ReminderGiven
from domain.kernel import Command
from domain.payment import ReceivePayment
from domain.referral import (
    AttributeReferral,
    CreateOpportunity,
    ProposeAttribution,
    SubmitReferral,
)
from domain.sale import WinDeal
from domain.settlement import IssueStatement
from domain.standing_alerts import CLAIM_AWAITS, DUE_SOON
from domain.terms import ClaimRules, FrameChange, RevenueShare, Trigger
from domain.values import instant
from infra.bootstrap import Accord
from infra.deciding import logs
from infra.deciding.clock import RecordingClock
from infra.deciding.group_commit import GroupCommit
from infra.deciding.logs import SHORT
from infra.deciding.scheduler import Scheduler
from infra.settings import Settings
from tests.infra.messages import from_steps, message
from tests.infra.told import Told
from tests.life import LIFE, OURS, THEIRS, usd

NAME = "growthos-brightpath"
SILENCE = DeadlinePassed(kind=DeadlineKind.SILENCE, ref="2026-02-08")

Send = Callable[..., None]


def sender(accord: Accord, clock: Told) -> Send:
    """Return what sends a command at a moment, which the clock then shows."""

    def send(at: datetime, party: str, command: Command) -> None:
        clock.now = max(clock.now, at)
        raw = message(f"m-{accord.history.size()}", command, party=party, at=at)
        (outcome,) = accord.service.handle([raw])
        assert outcome.status == "accepted", outcome

    return send


def claimed(accord: Accord, clock: Told) -> Send:
    """They claim a payment of January on 3 February; five days of silence confirm it."""
    clock.now = datetime(2026, 1, 7, 9, tzinfo=UTC)
    send = sender(accord, clock)
    for raw in from_steps(step for step in LIFE if step.at < "2026-01-06"):
        (outcome,) = accord.service.handle([raw])
        assert outcome.status == "accepted", outcome
    terms = ProposeTerms(
        proposal="silence",
        effective_from=date(2026, 1, 8),
        frame=FrameChange(claims=ClaimRules(confirm_within_days=5)),
        items=[
            RevenueShare(
                to=THEIRS, share=Decimal(15), basis="all-payments", trigger=Trigger.PAYMENT
            )
        ],
    )
    touch = AttributeReferral(deal="S-1", method=Method.REFERRAL_CODE, evidence="B15", to=THEIRS)
    for party, command in [
        (OURS, terms),
        (THEIRS, AcceptTerms(proposal="silence")),
        (THEIRS, SubmitReferral(deal="S-1", lead="lead")),
        (OURS, touch),
        (OURS, CreateOpportunity(deal="S-1")),
        (OURS, WinDeal(deal="S-1", annual_contract_value=usd("1000.00"))),
    ]:
        send(datetime(2026, 1, 8, 9, tzinfo=UTC), party, command)
    clock.now = datetime(2026, 2, 3, 9, tzinfo=UTC)
    payment = ReceivePayment(deal="S-1", payment="P-1", amount=usd("1000.00"))
    happened = datetime(2026, 1, 28, 9, tzinfo=UTC)
    raw = message("claim", payment, party=THEIRS, at=happened)
    (outcome,) = accord.service.handle([raw])
    assert outcome.status == "accepted"
    accord.catch_up()
    return send


def alerts_on_claims(accord: Accord) -> list[Any]:
    accord.catch_up()
    found = accord.views.select("alerts", NAME, f"{CLAIM_AWAITS}@1/")
    return [row["state"] for _, row in found]


def silences(accord: Accord) -> list[tuple[datetime, datetime]]:
    found = [each.act for each in accord.history.of(NAME) if each.event == SILENCE]
    return [(each.occurred_at, each.recorded_at) for each in found]


def test_each_day_on_which_silence_confirms_a_claim_of_one_deal_is_recorded_on_that_day(
    accord: Accord, clock: Told, settings: Settings
) -> None:
    claimed(accord, clock)
    clock.now = datetime(2026, 2, 5, 9, tzinfo=UTC)
    second = ReceivePayment(deal="S-1", payment="P-2", amount=usd("500.00"))
    raw = message("claim-2", second, party=THEIRS, at=clock.now)
    (outcome,) = accord.service.handle([raw])
    assert outcome.status == "accepted"
    writer = GroupCommit(accord.service)
    writer.start()
    recording = RecordingClock(clock, accord.history, settings.clock)
    scheduler = Scheduler(accord.history, accord.views, accord.service, writer, recording)

    for day in (8, 9, 10):
        accord.catch_up()
        clock.now = datetime(2026, 2, day, 6, tzinfo=UTC)
        scheduler.check()

    assert [
        (each.event.ref, f"{each.act.recorded_at:%Y-%m-%d}")
        for each in accord.history.of(NAME)
        if isinstance(each.event, DeadlinePassed) and each.event.kind is DeadlineKind.SILENCE
    ] == [("2026-02-08", "2026-02-08"), ("2026-02-10", "2026-02-10")]
    assert alerts_on_claims(accord) == ["resolved", "resolved"]


def test_the_scheduler_records_the_end_of_silence_and_the_alert_closes(
    accord: Accord, clock: Told, settings: Settings
) -> None:
    claimed(accord, clock)
    assert alerts_on_claims(accord) == ["open"]
    writer = GroupCommit(accord.service)
    writer.start()
    recording = RecordingClock(clock, accord.history, settings.clock)
    scheduler = Scheduler(accord.history, accord.views, accord.service, writer, recording)
    clock.now = datetime(2026, 2, 7, 23, 59, tzinfo=UTC)
    scheduler.check()
    assert silences(accord) == []

    clock.now = datetime(2026, 2, 8, 6, tzinfo=UTC)
    assert scheduler.check() == 1

    assert silences(accord) == [(datetime(2026, 2, 8, tzinfo=UTC), clock.now)]
    assert alerts_on_claims(accord) == ["resolved"]
    assert accord.views.due("settlement", instant(datetime(2030, 1, 1, tzinfo=UTC))) == []
    assert scheduler.check() == 0
    writer.stop()


def test_a_command_finds_the_end_of_silence_recorded_before_it(accord: Accord, clock: Told) -> None:
    send = claimed(accord, clock)

    send(datetime(2026, 2, 9, 9, tzinfo=UTC), OURS, IssueStatement(period="2026-01"))

    *_, silence, statement = accord.history.of(NAME)
    assert silence.event == SILENCE
    assert statement.event.balance.amount == Decimal("150.00")  # type: ignore[attr-defined]


def test_the_end_of_silence_is_recorded_once_and_by_commands_that_move_no_money(
    accord: Accord, clock: Told
) -> None:
    send = claimed(accord, clock)
    for day in (9, 10, 11):
        lead = SubmitReferral(deal=f"S-{day}", lead="lead")
        send(datetime(2026, 2, day, 9, tzinfo=UTC), OURS, lead)

    assert len(silences(accord)) == 1


ATTRIBUTION = "Attribution/a/deal/S-1"


def answers(accord: Accord) -> list[tuple[str, int]]:
    """Return each reminder of the answer to a proposal on a deal, and that it fell due."""
    return [
        (each.event.wire, each.act.recorded_at.day)
        for each in accord.history.of(NAME)
        if isinstance(each.event, ReminderGiven | DeadlinePassed)
        and each.event.kind is DeadlineKind.ANSWER
        and each.event.ref == ATTRIBUTION
    ]


@pytest.mark.parametrize("short", [0, SHORT])
def test_the_scheduler_reminds_of_a_proposal_on_a_deal_and_lets_it_fall_due(
    accord: Accord, clock: Told, settings: Settings, monkeypatch: pytest.MonkeyPatch, short: int
) -> None:
    monkeypatch.setattr(logs, "SHORT", short)
    send = claimed(accord, clock)
    clock.now = datetime(2026, 2, 10, 9, tzinfo=UTC)
    send(
        clock.now, OURS, ProposeAttribution(deal="S-1", proposal="a", shares={THEIRS: Decimal(100)})
    )
    accord.catch_up()
    writer = GroupCommit(accord.service)
    writer.start()
    recording = RecordingClock(clock, accord.history, settings.clock)
    scheduler = Scheduler(accord.history, accord.views, accord.service, writer, recording)
    said = []

    for day in (15, 23, 24, 25, 26):
        clock.now = datetime(2026, 2, day, 12, tzinfo=UTC)
        scheduler.check()
        accord.catch_up()
        said.append(answers(accord))

    assert said[1:] == [
        [("ReminderGiven", 23)],
        [("ReminderGiven", 23)],
        [("ReminderGiven", 23), ("DeadlinePassed", 25)],
        [("ReminderGiven", 23), ("DeadlinePassed", 25)],
    ]
    assert scheduler.check() == 0
    writer.stop()


def test_a_command_finds_that_an_answer_fell_due_before_it(accord: Accord, clock: Told) -> None:
    send = claimed(accord, clock)
    at = datetime(2026, 2, 10, 9, tzinfo=UTC)
    send(at, OURS, ProposeAttribution(deal="S-1", proposal="a", shares={THEIRS: Decimal(100)}))

    send(datetime(2026, 3, 1, 9, tzinfo=UTC), THEIRS, SubmitReferral(deal="S-9", lead="lead"))

    assert [wire for wire, _ in answers(accord)] == ["ReminderGiven", "DeadlinePassed"]


def reminded(accord: Accord) -> list[tuple[str, str | None, datetime]]:
    return [
        (each.event.ref, each.event.party, each.act.recorded_at)
        for each in accord.history.of(NAME)
        if isinstance(each.event, ReminderGiven) and each.event.kind is DeadlineKind.SILENCE
    ]


def reminders(accord: Accord) -> list[tuple[str, str]]:
    accord.catch_up()
    found = accord.views.select("alerts", NAME, f"{DUE_SOON}@1/{NAME}/silence/")
    return [(row["text"], row["state"]) for _, row in found]


def test_the_party_that_answers_is_reminded_before_silence_confirms(
    accord: Accord, clock: Told, settings: Settings
) -> None:
    claimed(accord, clock)
    writer = GroupCommit(accord.service)
    writer.start()
    recording = RecordingClock(clock, accord.history, settings.clock)
    scheduler = Scheduler(accord.history, accord.views, accord.service, writer, recording)

    for day in (5, 6, 7, 8):
        accord.catch_up()
        clock.now = datetime(2026, 2, day, 6, tzinfo=UTC)
        scheduler.check()
        if day == 6:
            assert [state for _, state in reminders(accord)] == ["open"]

    moment = datetime(2026, 2, 6, 6, tzinfo=UTC)
    assert reminded(accord) == [(f"2026-02-08/{OURS}", OURS, moment)]
    text = (
        f"{OURS} has leads or claims to answer by 2026-02-07. Without an answer by then, each "
        "counts as accepted."
    )
    assert reminders(accord) == [(text, "resolved")]


def test_a_reminder_of_silence_ends_once_nothing_is_left_to_answer(
    accord: Accord, clock: Told
) -> None:
    send = claimed(accord, clock)
    clock.now = datetime(2026, 2, 6, 9, tzinfo=UTC)
    accord.service.pass_time(NAME)
    assert [state for _, state in reminders(accord)] == ["open"]

    send(clock.now, OURS, ConfirmClaim(deal="S-1", fact="payment/P-1"))

    assert [state for _, state in reminders(accord)] == ["resolved"]


def test_nobody_is_reminded_of_a_day_that_was_near_when_the_claim_was_made(
    accord: Accord, clock: Told
) -> None:
    send = claimed(accord, clock)
    terms = ProposeTerms(
        proposal="sooner",
        effective_from=date(2026, 2, 4),
        frame=FrameChange(claims=ClaimRules(confirm_within_days=2)),
    )
    send(datetime(2026, 2, 3, 10, tzinfo=UTC), OURS, terms)
    send(datetime(2026, 2, 3, 11, tzinfo=UTC), THEIRS, AcceptTerms(proposal="sooner"))
    second = ReceivePayment(deal="S-1", payment="P-2", amount=usd("500.00"))
    send(datetime(2026, 2, 10, 9, tzinfo=UTC), THEIRS, second)
    clock.now = datetime(2026, 2, 12, 6, tzinfo=UTC)
    accord.service.pass_time(NAME)

    assert [ref for ref, _, _ in reminded(accord)] == [f"2026-02-08/{OURS}"]
