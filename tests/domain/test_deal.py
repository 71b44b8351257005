"""A deal: one referral on its way to payment and refund (C18)."""

from decimal import Decimal

import pytest

from domain.attribution import Method
from domain.deal import (
    AttributeReferral,
    CreateOpportunity,
    DealCommand,
    DealLost,
    DealWon,
    HoldDemo,
    IssueRefund,
    LoseDeal,
    PaymentReceived,
    QualifyLead,
    ReceivePayment,
    ReferralAttributed,
    RefundIssued,
    Step,
    SubmitReferral,
    WinDeal,
)
from domain.renewal import CompleteExit, GiveExitNotice
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
    ],
)
def test_a_deal_without_a_referral_refuses_every_command(command: type[DealCommand]) -> None:
    story = before(SubmitReferral)

    assert story.refuses(OURS, example(command)).rule == "no-such-deal"


@pytest.mark.parametrize(
    ("command", "step"),
    [
        (QualifyLead, Step.QUALIFIED),
        (CreateOpportunity, Step.OPPORTUNITY),
        (HoldDemo, Step.DEMO),
        (WinDeal, Step.WON),
    ],
)
def test_a_deal_takes_each_step_of_the_funnel_once(command: type[DealCommand], step: Step) -> None:
    story = after(command)
    story.wait(days=3)

    assert step in story.deal("D-1").steps
    assert story.when(OURS, example(command)) == []


def test_a_referral_keeps_its_lead() -> None:
    story = after(SubmitReferral)

    assert story.when(THEIRS, example(SubmitReferral)) == []
    assert story.refuses(THEIRS, example(SubmitReferral, lead="other")).rule == "deal-exists"


def test_an_attribution_says_when_the_lead_had_arrived_and_is_not_edited() -> None:
    story = after(AttributeReferral)

    assert story.facts(ReferralAttributed)[0].referred_at == moment("2026-01-12")
    otherwise = example(AttributeReferral, method=Method.MANUAL)
    assert story.refuses(OURS, otherwise).rule == "already-recorded"


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


def test_a_lost_deal_is_not_won() -> None:
    story = before(WinDeal)
    story.when(OURS, example(LoseDeal, deal="D-1"))

    assert story.refuses(OURS, example(WinDeal)).rule == "deal-closed"


def test_a_won_deal_is_not_lost() -> None:
    story = after(WinDeal)

    assert story.refuses(OURS, example(LoseDeal, deal="D-1")).rule == "deal-closed"
    assert story.facts(DealLost) == []


def test_a_win_keeps_its_value() -> None:
    story = after(WinDeal)

    more = example(WinDeal, annual_contract_value=usd("12000.00"))

    assert story.refuses(OURS, more).rule == "already-recorded"


# --- money -------------------------------------------------------------------------------------


def test_nothing_is_paid_on_a_deal_that_is_not_won() -> None:
    story = before(WinDeal)

    assert story.refuses(OURS, example(ReceivePayment)).rule == "deal-not-won"


def test_a_payment_is_in_the_deals_currency() -> None:
    euros = Money(amount=Decimal("10000.00"), currency="EUR")

    refusal = after(WinDeal).refuses(OURS, example(ReceivePayment, amount=euros))

    assert refusal.rule == "other-currency"


def test_a_payment_is_taken_once_and_a_second_one_has_its_own_name() -> None:
    story = after(ReceivePayment)

    assert story.when(OURS, example(ReceivePayment)) == []
    other = example(ReceivePayment, amount=usd("5.00"))
    assert story.refuses(OURS, other).rule == "already-recorded"
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


def test_a_refund_is_issued_once() -> None:
    story = after(IssueRefund)

    assert story.when(OURS, example(IssueRefund)) == []
    other = example(IssueRefund, amount=usd("1.00"))
    assert story.refuses(OURS, other).rule == "already-recorded"
    assert len(story.facts(RefundIssued)) == 1


# --- after the exit ----------------------------------------------------------------------------


def test_a_referral_counts_until_the_exit_takes_effect() -> None:
    story = after(GiveExitNotice)

    story.on("2026-12-01")
    late = example(SubmitReferral, deal="D-8")

    assert story.refuses(THEIRS, late, happened="2026-12-01T00:00").rule == "after-exit"
    assert story.when(THEIRS, late, happened="2026-11-30T23:59")


def test_what_was_referred_in_time_is_still_paid_after_the_end() -> None:
    story = after(CompleteExit)

    won = EXAMPLES[WinDeal].command
    assert isinstance(won, WinDeal)
    payment = example(ReceivePayment, payment="P-9", amount=won.annual_contract_value)

    assert story.when(OURS, payment)
