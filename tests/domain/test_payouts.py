"""Payouts, rates and adjustments: who states and corrects them (`money.md`, sections 5 and 7)."""

from datetime import date
from decimal import Decimal

import pytest
from pydantic import ValidationError

from domain.execution import IncentiveIntroduced, IntroduceIncentive
from domain.kernel import AwaitedKind
from domain.settlement import (
    AdjustmentAgreed,
    AgreeAdjustment,
    AgreeRate,
    CorrectPayout,
    IssueFinalSettlement,
    ObjectToRate,
    PayoutCorrected,
    PayoutRecorded,
    PayoutReturned,
    ProposeAdjustment,
    ProposeRate,
    PublishRate,
    RateAgreed,
    RecordPayout,
    ReturnPayout,
)
from tests.life import OURS, THEIRS, after, before, example, usd
from tests.stories import Story

STATEMENT = example(RecordPayout).statement


def left(story: Story) -> Decimal:
    return story.partnership.settlement.left(STATEMENT)


# --- payouts -----------------------------------------------------------------------------------


def test_a_payout_says_who_recorded_it() -> None:
    (payout,) = after(RecordPayout).facts(PayoutRecorded)

    assert payout.stated_by == OURS


def test_the_same_payout_by_either_party_decides_nothing_and_another_names_its_correction() -> None:
    story = after(RecordPayout)

    assert story.when(OURS, example(RecordPayout)) == []
    assert story.when(THEIRS, example(RecordPayout)) == []
    refusal = story.refuses(OURS, example(RecordPayout, amount=usd("2.00")))
    assert refusal.rule == "already-recorded"
    assert "CorrectPayout" in refusal.hint


def test_a_payout_is_corrected_by_the_party_that_recorded_it() -> None:
    story = after(RecordPayout)
    before_it = left(story)
    correction = example(CorrectPayout, payout="out-1", amount=usd("100.00"))

    assert story.refuses(THEIRS, correction).rule == "not-ones-own-payout"
    assert story.when(OURS, correction)
    assert story.when(OURS, correction) == []

    assert left(story) == before_it + 900
    assert len(story.facts(PayoutCorrected)) == 1


def test_a_payout_that_never_happened_and_one_that_came_back_pay_nothing() -> None:
    story = after(RecordPayout)
    whole = left(story) + 1000
    story.when(OURS, CorrectPayout(payout="out-1", void=True, reason="Typed twice."))
    assert left(story) == whole
    story.when(OURS, example(RecordPayout, payout="out-3", amount=usd("5.00")))

    story.when(THEIRS, ReturnPayout(payout="out-3", reason="The account was closed."))

    assert left(story) == whole
    assert story.when(THEIRS, ReturnPayout(payout="out-3", reason="The account was closed.")) == []
    other = ReturnPayout(payout="out-3", reason="Another reason.")
    assert story.refuses(OURS, other).rule == "already-recorded"
    assert len(story.facts(PayoutReturned)) == 1


def test_a_corrected_payout_is_at_most_what_is_left() -> None:
    story = after(RecordPayout)
    most = usd(f"{left(story) + 1000}")

    more = example(CorrectPayout, payout="out-1", amount=usd(f"{most.amount + 1}"))
    assert story.refuses(OURS, more).rule == "payout-exceeds-balance"
    assert story.when(OURS, example(CorrectPayout, payout="out-1", amount=most))


@pytest.mark.parametrize("command", [example(CorrectPayout), example(ReturnPayout)])
def test_what_is_said_of_a_payout_waits_for_it(command: CorrectPayout | ReturnPayout) -> None:
    refusal = before(CorrectPayout, without=RecordPayout).refuses(OURS, command)

    assert refusal.rule == "no-such-payout"
    assert refusal.awaits == (AwaitedKind.PAYOUT, "out-2", "payout out-2")


def test_a_correction_of_a_payout_gives_an_amount_or_says_that_it_never_happened() -> None:
    story = after(RecordPayout)

    neither = CorrectPayout(payout="out-1", reason="Wrong.")
    both = CorrectPayout(payout="out-1", void=True, amount=usd("1.00"), reason="Wrong.")

    assert story.refuses(OURS, neither).rule == "correction-content"
    assert story.refuses(OURS, both).rule == "correction-content"


def test_of_two_corrections_the_later_one_counts_however_they_arrive() -> None:
    story = after(RecordPayout)
    whole = left(story) + 1000
    story.wait(days=3)
    for amount, day in (("20.00", "2026-04-05"), ("10.00", "2026-04-04")):
        command = example(CorrectPayout, payout="out-1", amount=usd(amount))
        story.when(OURS, command, happened=day)

    assert left(story) == whole - 20


@pytest.mark.parametrize("name", ["2026-Q1", "2026-12", "2026"])
def test_a_final_settlement_never_has_the_name_of_a_statement(name: str) -> None:
    story = before(IssueFinalSettlement)

    refusal = story.refuses(OURS, IssueFinalSettlement(settlement=name))

    assert refusal.rule == "name-taken"


# --- rates -------------------------------------------------------------------------------------


def test_a_published_rate_is_not_changed_by_one_party() -> None:
    story = after(PublishRate)

    assert story.when(THEIRS, example(PublishRate)) == []
    refusal = story.refuses(OURS, example(PublishRate, rate=Decimal(2)))
    assert refusal.rule == "already-recorded"
    assert "ProposeRate" in refusal.hint
    assert story.when(OURS, example(PublishRate, source="Another bank"))


def test_either_party_objects_to_a_published_rate_once() -> None:
    story = after(ObjectToRate)

    assert story.when(THEIRS, example(ObjectToRate)) == []
    assert story.when(OURS, example(ObjectToRate))


def test_an_objection_waits_for_its_rate() -> None:
    refusal = before(ObjectToRate, without=PublishRate).refuses(OURS, example(ObjectToRate))

    assert refusal.rule == "no-such-rate"
    assert refusal.awaits
    assert refusal.awaits.kind is AwaitedKind.RATE


def test_a_rate_is_agreed_by_both_and_a_later_agreement_replaces_it() -> None:
    story = after(ProposeRate)
    assert story.refuses(THEIRS, example(AgreeRate)).rule == "own-proposal"

    story.when(OURS, example(AgreeRate))
    story.when(OURS, example(ProposeRate, proposal="rate-2", rate=Decimal("1.1")))
    story.when(THEIRS, AgreeRate(proposal="rate-2"))

    (latest,) = story.partnership.context.agreements.of(RateAgreed)
    assert latest.rate == Decimal("1.1")


@pytest.mark.parametrize("period", ["2026-Q1", "2026", "2026-02-30", "2026-1", "2026-03-"])
def test_a_rate_is_of_a_month_or_a_day(period: str) -> None:
    with pytest.raises(ValidationError):
        example(PublishRate, period=period)
    assert example(PublishRate, period="2026-03-14").period == "2026-03-14"


# --- adjustments -------------------------------------------------------------------------------


def test_an_adjustment_needs_both_also_if_the_side_that_owes_proposes_it() -> None:
    story = before(ProposeAdjustment)
    by_ower = example(ProposeAdjustment, proposal="A-2")
    story.when(OURS, by_ower)

    assert story.refuses(OURS, AgreeAdjustment(proposal="A-2")).rule == "own-proposal"
    assert story.facts(AdjustmentAgreed) == []
    story.when(THEIRS, AgreeAdjustment(proposal="A-2"))

    (agreed,) = story.facts(AdjustmentAgreed)
    assert (agreed.by, agreed.to, agreed.amount) == (OURS, THEIRS, usd("25.00"))


def test_an_adjustment_is_owed_by_one_party_to_the_other() -> None:
    story = before(ProposeAdjustment)

    refusal = story.refuses(OURS, example(ProposeAdjustment, to=OURS))

    assert refusal.rule == "adjustment-of-two"


# --- incentives --------------------------------------------------------------------------------


def test_an_incentive_begins_on_the_day_of_its_recording_unless_it_says_later() -> None:
    story = before(IntroduceIncentive)

    story.when(OURS, example(IntroduceIncentive), happened="2026-01-20")
    later = example(IntroduceIncentive, incentive="later", from_day=date(2026, 3, 1))
    story.when(OURS, later)

    days = [each.from_day for each in story.facts(IncentiveIntroduced)]
    assert days == [date(2026, 2, 2), date(2026, 3, 1)]


def test_the_same_incentive_on_a_later_day_decides_nothing() -> None:
    story = after(IntroduceIncentive)
    story.wait(days=5)

    assert story.when(OURS, example(IntroduceIncentive)) == []
    explicit = example(IntroduceIncentive, from_day=date(2026, 2, 2))
    assert story.when(OURS, explicit) == []
    other = example(IntroduceIncentive, from_day=date(2026, 2, 3))
    assert story.refuses(OURS, other).rule == "already-recorded"


def test_an_incentive_never_begins_before_it_is_recorded() -> None:
    story = before(IntroduceIncentive)

    early = example(IntroduceIncentive, from_day=date(2026, 2, 1))

    assert story.refuses(OURS, early).rule == "incentive-never-backwards"


def test_an_incentive_ends_after_it_begins() -> None:
    story = before(IntroduceIncentive)

    backwards = example(IntroduceIncentive, from_day=date(2026, 3, 1), until=date(2026, 3, 1))

    assert story.refuses(OURS, backwards).rule == "incentive-ends-first"
