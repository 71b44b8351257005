"""An objection that can no longer change anything is refused, and says what can be done."""

from typing import Any

import pytest

from domain.claims import ClaimObjected, ConfirmClaim, ObjectToClaim
from domain.entry import ConcedePenalty
from domain.kernel import Awaited, AwaitedKind, Command
from domain.payment import CorrectPayment, IssueRefund, ReceivePayment
from domain.payouts import RecordPayout
from domain.referral import CreateOpportunity, SubmitReferral
from domain.sale import WinDeal
from domain.settlement import IssueStatement, StatementIssued
from domain.terms import ClaimRules, Penalty
from tests.life import OURS, THEIRS, usd
from tests.projections.money import refer, share, under, win
from tests.stories import Story


def silent_after(days: int | None) -> Story:
    return under(share(), **({"claims": ClaimRules(confirm_within_days=days)} if days else {}))


def object_to(fact: str, **about: Any) -> ObjectToClaim:  # noqa: ANN401 - fields
    return ObjectToClaim(fact=fact, reason="Not so.", **(about or {"deal": "D-1"}))


def submitted(days: int | None = 10) -> Story:
    story = silent_after(days)
    story.when(THEIRS, SubmitReferral(deal="D-1", lead="A hotel group"))
    return story


def claimed(days: int | None = 10) -> Story:
    """They claim a payment on 7 January."""
    story = silent_after(days)
    refer(story, "D-1")
    win(story, "D-1", usd("1000.00"))
    story.when(THEIRS, ReceivePayment(deal="D-1", payment="P-1", amount=usd("1000.00")))
    return story


def test_a_lead_is_rejected_until_the_last_agreed_day() -> None:
    story = submitted()
    story.on("2026-01-16")
    assert [type(each) for each in story.when(OURS, object_to("referral"))] == [ClaimObjected]

    late = submitted()
    late.on("2026-01-17")
    refusal = late.refuses(OURS, object_to("referral"), happened="2026-01-10")
    assert refusal.rule == "objection-too-late"
    assert refusal.detail == (
        "A party objects within the agreed days; after them its silence confirms. "
        f"{THEIRS} stated the referral of deal D-1 on 2026-01-07, so {OURS} could object until "
        "2026-01-16."
    )
    assert refusal.hint.startswith("Open a dispute about what it earns (OpenDispute).")


def test_a_claim_of_money_is_objected_to_until_the_last_agreed_day() -> None:
    story = claimed()
    story.on("2026-01-17")

    assert story.refuses(OURS, object_to("payment/P-1")).rule == "objection-too-late"


def test_a_payout_is_objected_to_until_the_last_agreed_day() -> None:
    story = claimed()
    story.on("2026-02-03")
    story.when(OURS, IssueStatement(period="2026-01"))
    (stated,) = story.facts(StatementIssued)
    story.when(OURS, RecordPayout(statement=stated.statement, payout="pay-1", amount=usd("150.00")))
    story.on("2026-02-13")

    refusal = story.refuses(THEIRS, object_to("payout", payout="pay-1"))
    assert refusal.rule == "objection-too-late"


def test_without_agreed_days_there_is_no_last_day_to_object() -> None:
    for story, fact in ((submitted(None), "referral"), (claimed(None), "payment/P-1")):
        story.on("2026-03-01")

        assert story.when(OURS, object_to(fact))


def test_a_second_objection_says_more_though_the_agreed_days_are_over() -> None:
    story = claimed()
    story.when(OURS, object_to("payment/P-1"))
    story.on("2026-02-01")

    assert story.when(OURS, ObjectToClaim(deal="D-1", fact="payment/P-1", reason="Not ours."))


def test_who_stated_it_too_was_not_silent() -> None:
    story = claimed()
    story.when(OURS, ReceivePayment(deal="D-1", payment="P-1", amount=usd("900.00")))
    story.on("2026-02-01")

    assert story.when(OURS, object_to("payment/P-1"))


def test_a_correction_that_takes_money_is_answered_on_any_day() -> None:
    story = silent_after(10)
    refer(story, "D-1")
    win(story, "D-1", usd("1000.00"))
    story.when(OURS, ReceivePayment(deal="D-1", payment="P-1", amount=usd("1000.00")))
    less = CorrectPayment(deal="D-1", payment="P-1", amount=usd("500.00"), reason="Mistyped.")
    story.when(OURS, less)
    story.on("2026-02-01")

    assert story.when(THEIRS, object_to("correction/payment/P-1"))


@pytest.mark.parametrize("said_first", [True, False])
def test_an_objection_waits_for_its_partys_own_statement_of_what_is_taken_back(
    said_first: bool,  # noqa: FBT001 - a parameter
) -> None:
    """The payment is as they state it, so an objection to its refund changes nothing yet."""
    story = claimed(None)
    story.when(THEIRS, IssueRefund(deal="D-1", payment="P-1", refund="R-1", amount=usd("100.00")))
    ours = ReceivePayment(deal="D-1", payment="P-1", amount=usd("1000.00"))
    if said_first:
        story.when(OURS, ours)
    else:
        refusal = story.refuses(OURS, object_to("refund/R-1"))
        assert refusal.rule == "counts-at-once"
        words = f"{OURS}'s own statement of the payment P-1 of deal D-1"
        assert refusal.awaits == Awaited(AwaitedKind.PAYMENT, "payment/P-1", words)
        story.when(OURS, ours)

    assert [type(each) for each in story.when(OURS, object_to("refund/R-1"))] == [ClaimObjected]


def test_an_objection_that_no_statement_gives_an_effect_waits_for_nothing() -> None:
    story = under(Penalty(on=OURS, condition="A report is late.", fee=usd("250.00")))
    story.when(OURS, ConcedePenalty(entry="E-1", condition="A report is late."))

    assert story.refuses(THEIRS, object_to("entry", entry="E-1")).awaits is None


@pytest.mark.parametrize(
    "answer",
    [
        ConfirmClaim(deal="D-1", fact="referral"),
        CreateOpportunity(deal="D-1"),
        WinDeal(deal="D-1", annual_contract_value=usd("900.00")),
    ],
)
def test_nobody_objects_to_a_lead_that_it_accepted(answer: Command) -> None:
    story = submitted()
    story.when(THEIRS, CreateOpportunity(deal="D-1"))
    story.on("2026-01-09")
    story.when(OURS, answer)
    story.on("2026-01-10")

    refusal = story.refuses(OURS, object_to("referral"))

    assert refusal.rule == "claim-confirmed"
    assert refusal.detail == (
        f"An objection does not undo a confirmation. {OURS} confirmed the referral of deal D-1 on "
        "2026-01-09."
    )


def test_an_objection_is_followed_by_a_confirmation_but_not_the_other_way_round() -> None:
    story = claimed()
    assert story.when(OURS, object_to("payment/P-1"))
    assert story.when(OURS, ConfirmClaim(deal="D-1", fact="payment/P-1"))
    assert story.when(OURS, object_to("payment/P-1")) == []

    confirmed = claimed()
    confirmed.when(OURS, ConfirmClaim(deal="D-1", fact="payment/P-1"))
    assert confirmed.refuses(OURS, object_to("payment/P-1")).rule == "claim-confirmed"
