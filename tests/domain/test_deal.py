"""A deal: one referral on its way to payment and refund (C18)."""

from decimal import Decimal

import pytest

from domain.attribution import Method
from domain.deal_record import DealCommand
from domain.exit import AgreeCompletion, GiveExitNotice
from domain.kernel import AwaitedKind
from domain.payment import (
    CorrectPayment,
    CorrectRefund,
    IssueRefund,
    PaymentCorrected,
    PaymentReceived,
    ReceivePayment,
    RefundCorrected,
    RefundIssued,
    RefundReversed,
    ReverseRefund,
)
from domain.referral import (
    AttributeReferral,
    CreateOpportunity,
    HoldDemo,
    QualifyLead,
    ReferralAttributed,
    Step,
    SubmitReferral,
)
from domain.sale import (
    CancelDeal,
    CorrectWin,
    DealCancelled,
    DealLost,
    DealReopened,
    DealWon,
    LoseDeal,
    ReopenDeal,
    WinCorrected,
    WinDeal,
)
from domain.values import Money
from tests.life import EXAMPLES, OURS, THEIRS, after, before, example, usd
from tests.stories import moment


@pytest.mark.parametrize(
    "command",
    [
        AttributeReferral,
        QualifyLead,
        CreateOpportunity,
        HoldDemo,
        WinDeal,
        LoseDeal,
        ReceivePayment,
        IssueRefund,
        ReverseRefund,
        CancelDeal,
        ReopenDeal,
        CorrectWin,
        CorrectPayment,
        CorrectRefund,
    ],
)
def test_a_deal_without_a_referral_refuses_every_command(command: type[DealCommand]) -> None:
    story = before(SubmitReferral)
    story.on("2026-02-01")

    assert story.refuses(OURS, example(command)).rule == "no-such-deal"


@pytest.mark.parametrize(
    ("command", "step"),
    [
        (QualifyLead, Step.QUALIFIED),
        (CreateOpportunity, Step.OPPORTUNITY),
        (HoldDemo, Step.DEMO),
    ],
)
def test_a_deal_takes_each_step_of_the_funnel_once(command: type[DealCommand], step: Step) -> None:
    story = after(command)
    story.wait(days=3)

    assert step in story.deal("D-1").facts
    assert story.when(OURS, example(command)) == []


def test_a_referral_keeps_its_lead() -> None:
    story = after(SubmitReferral)

    assert story.when(THEIRS, example(SubmitReferral)) == []
    assert story.refuses(THEIRS, example(SubmitReferral, lead="other")).rule == "deal-exists"


# --- touches -----------------------------------------------------------------------------------


def test_a_touch_is_of_the_referral_unless_it_says_otherwise_and_is_not_edited() -> None:
    story = after(AttributeReferral)

    [touch] = story.facts(ReferralAttributed)
    assert (touch.touch, touch.to, touch.touched_at) == (THEIRS, THEIRS, moment("2026-01-12"))
    refusal = story.refuses(OURS, example(AttributeReferral, method=Method.MANUAL))
    assert refusal.rule == "already-recorded"
    assert "ProposeAttribution" in refusal.hint


def test_a_party_touches_a_lead_more_than_once_under_other_identifiers() -> None:
    story = after(AttributeReferral)

    story.when(OURS, example(AttributeReferral, touch="T-2", touched_at=moment("2026-01-10")))

    assert [each.touch for each in story.facts(ReferralAttributed)] == [THEIRS, "T-2"]


def test_the_same_touch_on_another_day_decides_nothing() -> None:
    story = after(AttributeReferral)
    story.wait(days=3)

    assert story.when(OURS, example(AttributeReferral)) == []


def test_a_touch_later_than_its_message_is_refused() -> None:
    story = before(AttributeReferral)

    refusal = story.refuses(OURS, example(AttributeReferral, touched_at=moment("2999-01-01")))

    assert refusal.rule == "touch-not-yet-happened"
    assert story.when(OURS, example(AttributeReferral, touched_at=story.now))


def test_a_touch_that_is_claimed_before_the_referral_is_of_its_message() -> None:
    story = before(AttributeReferral)

    story.when(OURS, example(AttributeReferral), happened="2026-01-11")

    [touch] = story.facts(ReferralAttributed)
    assert touch.touched_at == moment("2026-01-11")


# --- won, cancelled, lost, reopened ------------------------------------------------------------


def test_a_win_knows_the_whole_days_from_the_leads_arrival() -> None:
    story = after(WinDeal)

    assert [each.days_to_close for each in story.facts(DealWon)] == [14]


def test_a_win_reported_before_its_lead_took_no_days() -> None:
    story = before(WinDeal)

    [won] = story.when(OURS, example(WinDeal), happened="2026-01-10")

    assert isinstance(won, DealWon)
    assert won.days_to_close == 0


def test_only_an_opportunity_can_be_won() -> None:
    story = before(WinDeal, without=CreateOpportunity)

    assert story.refuses(OURS, example(WinDeal)).rule == "no-opportunity"


def test_a_lost_deal_is_won_once_it_is_open_again() -> None:
    story = before(WinDeal)
    story.when(OURS, example(LoseDeal, deal="D-1"))
    story.wait(days=1)

    refusal = story.refuses(OURS, example(WinDeal))
    assert refusal.rule == "deal-lost"
    assert refusal.awaits
    assert refusal.awaits.kind is AwaitedKind.REOPENING
    story.when(OURS, example(ReopenDeal, deal="D-1"))

    assert story.when(OURS, example(WinDeal))


def test_a_reopened_deal_is_lost_again() -> None:
    story = before(WinDeal)
    for command in (LoseDeal, ReopenDeal, LoseDeal):
        story.wait(days=1)
        assert story.when(OURS, example(command, deal="D-1"))

    assert len(story.facts(DealLost)) == 2
    assert len(story.facts(DealReopened)) == 1


def test_only_a_lost_deal_is_reopened() -> None:
    refusal = before(WinDeal).refuses(OURS, example(ReopenDeal, deal="D-1"))

    assert refusal.rule == "deal-not-lost"
    assert refusal.awaits
    assert refusal.awaits.kind is AwaitedKind.LOSS


def test_a_won_deal_is_not_lost() -> None:
    story = after(WinDeal)
    story.wait(days=1)

    refusal = story.refuses(OURS, example(LoseDeal, deal="D-1"))
    assert refusal.rule == "deal-won"
    assert "CancelDeal" in refusal.hint
    assert story.facts(DealLost) == []


def test_a_loss_that_happened_before_the_win_is_recorded_after_it() -> None:
    story = after(WinDeal)

    story.when(OURS, example(LoseDeal, deal="D-1"), happened="2026-01-20")
    story.when(OURS, example(ReopenDeal, deal="D-1"), happened="2026-01-21")

    assert (len(story.facts(DealLost)), len(story.facts(DealReopened))) == (1, 1)


def test_the_same_win_decides_nothing_and_one_of_another_value_names_its_correction() -> None:
    story = after(WinDeal)

    assert story.when(OURS, example(WinDeal)) == []
    refusal = story.refuses(OURS, example(WinDeal, annual_contract_value=usd("12000.00")))

    assert refusal.rule == "already-recorded"
    assert "CorrectWin" in refusal.hint


def test_a_deal_is_won_again_after_the_first_sale_came_to_nothing() -> None:
    story = after(WinDeal)
    story.wait(days=1)

    refusal = story.refuses(OURS, example(WinDeal))
    assert refusal.rule == "deal-won"
    assert refusal.awaits
    assert refusal.awaits.kind is AwaitedKind.CANCELLATION
    story.when(OURS, example(CancelDeal, deal="D-1"))

    assert story.when(OURS, example(WinDeal))
    assert (len(story.facts(DealWon)), len(story.facts(DealCancelled))) == (2, 1)


def test_a_deal_is_won_again_after_a_win_that_never_happened() -> None:
    story = after(WinDeal)
    story.wait(days=1)

    story.when(OURS, CorrectWin(deal="D-1", void=True, reason="It was another client."))

    assert story.when(OURS, example(WinDeal))


def test_only_a_won_deal_is_cancelled_and_once() -> None:
    story = before(WinDeal)
    refusal = story.refuses(OURS, example(CancelDeal, deal="D-1"))
    assert refusal.rule == "deal-not-won"
    assert refusal.awaits
    assert refusal.awaits.kind is AwaitedKind.WIN
    story.when(OURS, example(WinDeal))
    story.wait(days=1)

    story.when(OURS, example(CancelDeal, deal="D-1"))

    assert story.when(OURS, example(CancelDeal, deal="D-1")) == []
    other = example(CancelDeal, deal="D-1", reason="Something else.")
    assert story.refuses(OURS, other).rule == "already-recorded"


def test_a_cancelled_deal_is_lost() -> None:
    story = after(WinDeal)
    story.wait(days=1)
    story.when(OURS, example(CancelDeal, deal="D-1"))

    assert story.when(OURS, example(LoseDeal, deal="D-1"))


# --- money -------------------------------------------------------------------------------------


def test_nothing_is_paid_on_a_deal_that_is_not_won() -> None:
    story = before(WinDeal)

    assert story.refuses(OURS, example(ReceivePayment)).rule == "deal-not-won"


def test_a_client_pays_in_another_currency_than_the_deals() -> None:
    euros = Money(amount=Decimal("10000.00"), currency="EUR")

    assert after(WinDeal).when(OURS, example(ReceivePayment, amount=euros))


def test_a_payment_is_taken_once_and_a_second_one_has_its_own_name() -> None:
    story = after(ReceivePayment)

    assert story.when(OURS, example(ReceivePayment)) == []
    story.wait(days=1)
    assert story.when(OURS, example(ReceivePayment)) == []
    refusal = story.refuses(OURS, example(ReceivePayment, amount=usd("5.00")))
    assert refusal.rule == "already-recorded"
    assert "CorrectPayment" in refusal.hint
    story.when(OURS, example(ReceivePayment, payment="P-2", amount=usd("5.00")))

    assert [each.payment for each in story.facts(PaymentReceived)] == ["P-1", "P-2"]


def test_only_a_payment_can_be_given_back() -> None:
    story = after(WinDeal)

    assert story.refuses(OURS, example(IssueRefund)).rule == "no-such-payment"


def test_refunds_never_exceed_their_payment() -> None:
    story = after(ReceivePayment)

    story.when(OURS, example(IssueRefund, refund="R-1", amount=usd("4000.00")))
    refusal = story.refuses(OURS, example(IssueRefund, refund="R-2", amount=usd("6000.01")))
    story.when(OURS, example(IssueRefund, refund="R-2", amount=usd("6000.00")))

    assert refusal.rule == "refund-exceeds-payment"
    assert "6000.00 USD is left" in refusal.detail
    nothing_left = example(IssueRefund, refund="R-3", amount=usd("0.01"))
    assert story.refuses(OURS, nothing_left).rule == "refund-exceeds-payment"


def test_one_payment_does_not_pay_anothers_refund() -> None:
    story = after(ReceivePayment)
    story.when(OURS, example(ReceivePayment, payment="P-2", amount=usd("10.00")))

    refusal = story.refuses(OURS, example(IssueRefund, payment="P-2", amount=usd("10.01")))

    assert refusal.rule == "refund-exceeds-payment"


def test_a_refund_is_in_the_payments_currency() -> None:
    euros = Money(amount=Decimal("1.00"), currency="EUR")

    refusal = after(ReceivePayment).refuses(OURS, example(IssueRefund, amount=euros))

    assert refusal.rule == "refund-exceeds-payment"


def test_the_same_refund_decides_nothing_and_one_of_another_amount_names_its_correction() -> None:
    story = after(IssueRefund)

    assert story.when(OURS, example(IssueRefund)) == []
    for _ in range(2):
        refusal = story.refuses(OURS, example(IssueRefund, amount=usd("1.00")))
        assert refusal.rule == "already-recorded"
        assert "CorrectRefund" in refusal.hint
        story.wait(days=1)
    assert len(story.facts(RefundIssued)) == 1


def test_a_chargeback_is_lost_won_back_and_lost_again_under_one_identifier() -> None:
    story = after(ReceivePayment)
    lost = example(IssueRefund, refund="C-9", amount=usd("600.00"), kind="chargeback")
    won_back = example(ReverseRefund, refund="C-9")

    for command in (lost, won_back, lost, won_back):
        story.wait(days=1)
        assert story.when(OURS, command)
        assert story.when(OURS, command) == []

    assert len(story.facts(RefundIssued)) == 2
    assert len(story.facts(RefundReversed)) == 2


def test_a_second_loss_waits_for_the_reversal_of_the_first() -> None:
    story = after(IssueRefund)
    story.wait(days=2)

    refusal = story.refuses(OURS, example(IssueRefund))
    assert refusal.rule == "refund-not-reversed"
    assert refusal.awaits
    assert refusal.awaits.kind is AwaitedKind.REVERSAL
    story.when(OURS, example(ReverseRefund, refund="R-1"), happened="2026-01-30")

    assert story.when(OURS, example(IssueRefund))


def test_a_refund_that_failed_is_reversed_once() -> None:
    story = after(IssueRefund)
    story.wait(days=1)

    [event] = story.when(OURS, example(ReverseRefund, refund="R-1"))

    assert isinstance(event, RefundReversed)
    assert (event.refund, event.payment) == ("R-1", "P-1")
    assert story.when(OURS, example(ReverseRefund, refund="R-1")) == []
    story.wait(days=1)
    refusal = story.refuses(OURS, example(ReverseRefund, refund="R-1"))
    assert refusal.rule == "no-such-refund"
    assert refusal.awaits
    assert refusal.awaits.kind is AwaitedKind.REFUND


def test_what_was_won_back_can_be_refunded_again() -> None:
    story = after(ReceivePayment)
    whole = example(IssueRefund, refund="C-9", amount=usd("10000.00"), kind="chargeback")
    story.when(OURS, whole)
    story.wait(days=1)
    other = example(IssueRefund, refund="R-9", amount=usd("1.00"))
    assert story.refuses(OURS, other).rule == "refund-exceeds-payment"

    story.when(OURS, example(ReverseRefund, refund="C-9"))

    assert story.when(OURS, other)


# --- corrections -------------------------------------------------------------------------------


def test_a_win_is_corrected_in_value_or_time_or_never_happened() -> None:
    story = after(WinDeal)
    story.wait(days=1)

    value = CorrectWin(deal="D-1", annual_contract_value=usd("1000.00"), reason="A zero too many.")
    time = example(CorrectWin, happened_at=moment("2026-01-25"))
    never = CorrectWin(deal="D-1", void=True, reason="It was another client.")

    for command in (value, time, never):
        story.wait(hours=1)
        assert story.when(OURS, command)
        assert story.when(OURS, command) == []
    assert [each.void for each in story.facts(WinCorrected)] == [False, False, True]


def test_a_payment_is_corrected_and_what_is_left_of_it_follows() -> None:
    story = after(ReceivePayment)
    refund = example(IssueRefund, refund="R-9", amount=usd("11000.00"))
    refusal = story.refuses(OURS, refund)
    assert refusal.rule == "refund-exceeds-payment"
    assert refusal.awaits
    assert refusal.awaits.kind is AwaitedKind.REVERSAL

    correction = CorrectPayment(
        deal="D-1", payment="P-1", amount=usd("12000.00"), reason="Two payments at once."
    )
    story.when(OURS, correction)

    assert [each.amount for each in story.facts(PaymentCorrected)] == [usd("12000.00")]
    assert story.when(OURS, refund)


def test_a_refund_is_corrected_and_what_is_left_of_the_payment_follows() -> None:
    story = after(ReceivePayment)
    story.when(OURS, example(IssueRefund, amount=usd("10000.00")))
    other = example(IssueRefund, refund="R-9", amount=usd("9000.00"))
    assert story.refuses(OURS, other).rule == "refund-exceeds-payment"

    story.when(OURS, example(CorrectRefund, amount=usd("1000.00"), happened_at=None))

    assert len(story.facts(RefundCorrected)) == 1
    assert story.when(OURS, other)


@pytest.mark.parametrize("kind", [CorrectWin, CorrectPayment, CorrectRefund])
def test_a_correction_waits_for_what_it_corrects(kind: type[DealCommand]) -> None:
    story = before(WinDeal)
    story.wait(days=10)

    refusal = story.refuses(OURS, example(kind))

    assert refusal.rule == "nothing-to-correct"
    assert refusal.awaits


def test_a_correction_gives_what_is_right_or_says_that_it_never_happened() -> None:
    story = after(ReceivePayment)
    nothing = CorrectPayment(deal="D-1", payment="P-1", reason="Wrong.")
    both = CorrectPayment(deal="D-1", payment="P-1", void=True, amount=usd("1.00"), reason="Wrong.")

    assert story.refuses(OURS, nothing).rule == "correction-content"
    assert story.refuses(OURS, both).rule == "correction-content"


@pytest.mark.parametrize("kind", [CorrectWin, CorrectPayment, CorrectRefund])
def test_the_corrected_time_is_not_later_than_the_message(kind: type[DealCommand]) -> None:
    story = after(ReverseRefund)
    late = example(kind, happened_at=moment("2999-01-01"))

    refusal = story.refuses(OURS, late)

    assert (refusal.rule, refusal.facts["field"]) == ("not-yet-happened", "happened_at")


def test_a_correction_names_the_collector_among_the_parties() -> None:
    story = after(ReceivePayment)

    stranger = example(CorrectPayment, collected_by="passer-by")

    assert story.refuses(OURS, stranger).rule == "unknown-party"


def test_the_same_correction_at_another_time_is_another_one() -> None:
    story = after(ReceivePayment)
    story.when(OURS, example(CorrectPayment))
    story.wait(days=1)

    assert story.when(OURS, example(CorrectPayment))
    assert story.when(THEIRS, example(CorrectPayment))


def test_a_correction_can_name_an_earlier_win() -> None:
    story = after(WinDeal)
    story.wait(days=1)
    story.when(OURS, example(CancelDeal, deal="D-1"))
    story.when(OURS, example(WinDeal))

    correction = CorrectWin(
        deal="D-1", fact_at=moment("2026-01-26"), annual_contract_value=usd("1.00"), reason="Typed."
    )
    assert story.when(OURS, correction)
    nowhere = correction.model_copy(update={"fact_at": moment("2026-01-20")})
    assert story.refuses(OURS, nowhere).rule == "nothing-to-correct"


# --- after the exit ----------------------------------------------------------------------------


def test_a_referral_counts_until_the_exit_takes_effect() -> None:
    story = after(GiveExitNotice)

    story.on("2026-12-01")
    late = example(SubmitReferral, deal="D-8")

    assert story.refuses(THEIRS, late, happened="2026-12-01T00:00").rule == "after-exit"
    assert story.when(THEIRS, late, happened="2026-11-30T23:59")


def test_what_was_referred_in_time_is_still_paid_after_the_end() -> None:
    story = after(AgreeCompletion)

    won = EXAMPLES[WinDeal].command
    assert isinstance(won, WinDeal)
    payment = example(ReceivePayment, payment="P-9", amount=won.annual_contract_value)

    assert story.when(OURS, payment)
