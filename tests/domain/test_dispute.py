"""Disputes: the disputed money is on hold until the outcome; a dispute survives the exit (C24)."""

from decimal import Decimal

import pytest
from pydantic import ValidationError

from domain.dispute import (
    AcceptResolution,
    Dispute,
    DisputedLine,
    DisputeOpened,
    DisputeOutcome,
    DisputeResolved,
    EvidenceSubmitted,
    MediationStarted,
    OpenDispute,
    ProposeResolution,
    StartMediation,
    SubmitEvidence,
    WithdrawDispute,
    open_,
)
from domain.execution import HoldKickoff, IssueCause
from domain.exit import ProposeCompletion, ProposeDisposition
from domain.kernel import Act, Refused, Stage
from domain.payouts import RecordPayout
from domain.settlement import FinalSettlementIssued, IssueFinalSettlement, Ledger
from domain.values import Money
from tests.life import OURS, THEIRS, after, at, before, changed, example, usd
from tests.projections.money import lines, pay, refund, sell, share, state, total, under
from tests.stories import Story, moment


def disputed(amount: Money | None = None, subject: str | None = "deal/D-1") -> Story:
    """A deal of 1,000 dollars at 15 %, of which the partner's opponent disputes an amount."""
    story = under(share("15"))
    sell(story, "D-1", usd("1000.00"))
    open_dispute(story, amount, subject)
    return story


def open_dispute(
    story: Story, amount: Money | None = None, subject: str | None = "deal/D-1", name: str = "Q-1"
) -> None:
    command = OpenDispute(
        dispute=name,
        cause=IssueCause.MONEY,
        description="The client was ours.",
        subject=subject,
        amount=amount,
    )
    story.when(OURS, command)


def end(story: Story, outcome: DisputeOutcome, award: Money | None = None) -> None:
    story.when(OURS, proposes(outcome, award))
    story.when(THEIRS, AcceptResolution(dispute="Q-1", proposal="E-1"))


def proposes(outcome: DisputeOutcome, award: Money | None = None) -> ProposeResolution:
    return ProposeResolution(
        dispute="Q-1", proposal="E-1", outcome=outcome, award=award, resolution="As found."
    )


# --- money -------------------------------------------------------------------------------------


def test_the_disputed_part_is_on_hold_and_the_rest_is_stated() -> None:
    story = disputed(usd("50.00"))
    story.on("2026-02-01")

    (statement,) = state(story, "2026-01")

    assert statement.balance.amount == 100
    (held,) = statement.balance.held
    assert held.earned == {THEIRS: Decimal("50.00")}


@pytest.mark.parametrize(
    ("outcome", "award", "earned"),
    [
        (DisputeOutcome.UPHELD, None, 100),
        (DisputeOutcome.REJECTED, None, 150),
        (DisputeOutcome.SETTLED, usd("20.00"), 130),
    ],
)
def test_how_a_dispute_ends_says_what_is_paid(
    outcome: DisputeOutcome, award: Money | None, earned: int
) -> None:
    story = disputed(usd("50.00"))

    end(story, outcome, award)

    assert total(story.history) == earned
    assert story.ledger().held == ()


def test_a_dispute_about_all_of_a_deal_names_what_it_earned_and_nothing_that_comes_later() -> None:
    story = disputed()
    pay(story, "D-1", "P-2", usd("1000.00"))

    assert [each.amount for each in story.facts(DisputeOpened)] == [usd("150.00")]
    assert total(story.history) == 150


def test_a_dispute_of_one_line_holds_what_that_line_earned_and_names_itself() -> None:
    story = under(share("15"))
    sell(story, "D-1", usd("1000.00"))
    pay(story, "D-1", "P-2", usd("400.00"))

    story.when(OURS, of_line("payment/P-2"))

    (event,) = story.facts(DisputeOpened)
    assert event.amount == usd("60.00")
    (hold,) = [each for each in lines(story.history) if each["item"] == "hold"]
    assert (hold["fact"], hold["amount"], hold["dispute"]) == ("payment/P-2", "-60.00", "Q-1")


def test_a_dispute_of_one_line_takes_nothing_from_the_others_when_it_is_upheld() -> None:
    story = under(share("15"))
    sell(story, "D-1", usd("1000.00"))
    pay(story, "D-1", "P-2", usd("400.00"))
    story.when(OURS, of_line("payment/P-2"))

    end(story, DisputeOutcome.UPHELD)

    (taken,) = [each for each in lines(story.history) if each["cause"] == "dispute/Q-1"]
    assert (taken["fact"], taken["amount"]) == ("payment/P-2", "-60.00")
    assert [each.line for each in story.facts(DisputeResolved)] == [of_line("payment/P-2").line]


def test_a_line_is_disputed_by_at_most_what_it_earned() -> None:
    story = under(share("15"))
    sell(story, "D-1", usd("1000.00"))
    pay(story, "D-1", "P-2", usd("400.00"))

    with pytest.raises(Refused, match=r"revenue-share-1 of payment/P-2, deal/D-1, earned 60\.00"):
        story.when(OURS, of_line("payment/P-2", usd("100.00")))
    with pytest.raises(Refused, match="revenue-share-1 of payment/P-9, deal/D-1, earned nothing"):
        story.when(OURS, of_line("payment/P-9"))


def test_two_disputes_hold_each_its_own_line() -> None:
    story = under(share("15"))
    sell(story, "D-1", usd("1000.00"))
    pay(story, "D-1", "P-2", usd("400.00"))
    story.when(OURS, of_line("payment/P-2"))
    open_dispute(story, usd("150.00"), name="Q-2")

    held = {each["dispute"]: each["fact"] for each in lines(story.history) if "dispute" in each}

    assert held == {"Q-1": "payment/P-2", "Q-2": "payment/D-1-P"}


def of_line(fact: str, amount: Money | None = None) -> OpenDispute:
    return OpenDispute(
        dispute="Q-1",
        cause=IssueCause.MONEY,
        description="The client was ours.",
        subject="deal/D-1",
        line=DisputedLine(fact=fact, item="revenue-share-1"),
        amount=amount,
    )


def test_a_refund_reduces_the_amount_on_hold() -> None:
    story = disputed()

    refund(story, "D-1", "D-1-P", usd("1000.00"))

    assert total(story.history) == 0
    assert story.ledger().held == ()
    assert [each["amount"] for each in lines(story.history)] == [
        "150.00",
        "-150.00",
        "-150.00",
        "150.00",
    ]


def test_a_dispute_upheld_after_the_payout_is_taken_back_in_the_next_statement() -> None:
    story = under(share("15"))
    sell(story, "D-1", usd("1000.00"))
    story.on("2026-02-01")
    state(story, "2026-01")
    story.when(OURS, RecordPayout(payout="O-1", statement="2026-01:USD", amount=usd("150.00")))
    open_dispute(story)
    end(story, DisputeOutcome.UPHELD)
    story.on("2026-03-01")

    (february,) = state(story, "2026-02")

    assert (february.balance.payer, february.balance.amount) == (THEIRS, Decimal("150.00"))


def test_a_dispute_about_no_money_moves_none() -> None:
    story = disputed(subject=None)

    assert total(story.history) == 150


def test_an_exit_with_an_open_dispute_settles_the_rest_and_the_dispute_survives() -> None:
    story = before(IssueFinalSettlement)
    open_dispute(story, subject="entry/E-2", name="Q-9")
    story.when(THEIRS, example(IssueFinalSettlement))
    (final,) = story.facts(FinalSettlementIssued)
    (balance,) = final.balances
    # 25.00 of an adjustment less a penalty of 250.00; their part of the reward is on hold.
    assert (balance.payer, balance.amount) == (THEIRS, Decimal("225.00"))
    assert [part.earned for part in balance.held] == [{THEIRS: Decimal("270.00")}]
    story.agree(THEIRS, example(ProposeDisposition))
    story.agree(OURS, changed(example(ProposeCompletion), tail_obligations=["Dispute Q-9"]))

    withdrawn = story.when(OURS, WithdrawDispute(dispute="Q-9", reason="Settled by phone."))

    assert story.partnership.stage is Stage.ENDED
    assert [each.wire for each in withdrawn] == ["DisputeResolved"]


# --- who may do what ---------------------------------------------------------------------------


def test_a_party_cannot_end_a_dispute_alone() -> None:
    story = disputed()
    story.when(OURS, proposes(DisputeOutcome.UPHELD))

    refusal = story.refuses(OURS, AcceptResolution(dispute="Q-1", proposal="E-1"))

    assert refusal.rule == "own-proposal"
    assert story.facts(DisputeResolved) == []


def test_only_who_opened_it_withdraws_it() -> None:
    story = disputed()
    command = WithdrawDispute(dispute="Q-1", reason="Let us go on.")

    assert story.refuses(THEIRS, command).rule == "not-ones-own-dispute"
    assert story.when(OURS, command)
    assert story.when(OURS, command) == []


def test_a_resolved_dispute_takes_nothing_more() -> None:
    story = disputed()
    end(story, DisputeOutcome.UPHELD)

    for command in (
        SubmitEvidence(dispute="Q-1", evidence="late", title="Late", reference="r-1"),
        StartMediation(dispute="Q-1", mediator="The chamber"),
        changed(proposes(DisputeOutcome.REJECTED), proposal="E-2"),
        WithdrawDispute(dispute="Q-1", reason="Too late."),
    ):
        assert story.refuses(OURS, command).rule == "dispute-resolved"


# --- what can be disputed ----------------------------------------------------------------------


def test_evidence_and_mediation_from_before_the_end_can_arrive_after_it() -> None:
    story = disputed()
    opened = story.now
    story.wait(days=3)
    end(story, DisputeOutcome.REJECTED)
    late = [
        changed(example(SubmitEvidence), dispute="Q-1"),
        changed(example(StartMediation), dispute="Q-1"),
    ]
    story.wait(days=1)

    for command in late:
        assert story.refuses(OURS, command).rule == "dispute-resolved"
        (event,) = story.when(OURS, command, happened=f"{opened:%Y-%m-%dT%H:%M}")
        assert isinstance(event, EvidenceSubmitted | MediationStarted)


def opens(
    amount: Money | None = None,
    subject: str | None = "deal/D-1",
    line: DisputedLine | None = None,
) -> OpenDispute:
    return OpenDispute(
        dispute="Q-9",
        cause=IssueCause.MONEY,
        description="The client was ours.",
        subject=subject,
        line=line,
        amount=amount,
    )


@pytest.mark.parametrize(
    "subject",
    [
        "deal/D-1",
        "entry/E-1",
        "referral/D-1",
        "adjustment/A-1",
        "due/retainer-1@2026-02-01",
        "window/minimum-1@2026-01-01",
        "report/referral-fee-1@2026-Q1",
    ],
)
def test_everything_that_earns_can_be_disputed(subject: str) -> None:
    earned = {"USD": Decimal("150.00")}
    context = after(HoldKickoff).partnership.context

    (event,) = open_(
        opens(subject=subject),
        Dispute(),
        context,
        lambda: Ledger(earnings=lambda *_: earned),
        Act(OURS, OURS, moment("2026-03-01"), moment("2026-03-01")),
    )

    assert isinstance(event, DisputeOpened)
    assert (event.subject, event.amount) == (subject, usd("150.00"))


@pytest.mark.parametrize("subject", ["deal", "deal/", "line/3", "due/retainer-1", "window/x@2026"])
def test_what_earns_nothing_cannot_be_named(subject: str) -> None:
    with pytest.raises(ValidationError):
        opens(subject=subject)


def test_a_dispute_is_at_most_what_its_subject_earned() -> None:
    story = under(share("15"))
    sell(story, "D-1", usd("1000.00"))

    assert story.refuses(OURS, opens(usd("150.01"))).rule == "dispute-exceeds-earnings"
    euros = Money(amount=Decimal("1.00"), currency="EUR")
    assert story.refuses(OURS, opens(euros)).rule == "dispute-exceeds-earnings"
    assert story.when(OURS, opens(usd("150.00")))


def test_what_the_other_party_did_not_earn_cannot_be_disputed() -> None:
    story = under(share("15"))
    sell(story, "D-1", usd("1000.00"))

    assert story.refuses(THEIRS, opens()).rule == "nothing-earned"
    assert story.refuses(OURS, opens(subject="deal/D-2")).rule == "nothing-earned"


def test_a_dispute_of_two_currencies_gives_the_amount() -> None:
    earned = {"USD": Decimal("150.00"), "EUR": Decimal("9.00")}
    context = after(HoldKickoff).partnership.context
    act = Act(OURS, OURS, moment("2026-03-01"), moment("2026-03-01"))

    with pytest.raises(Refused) as refusal:
        open_(opens(), Dispute(), context, lambda: Ledger(earnings=lambda *_: earned), act)

    assert refusal.value.rule == "dispute-names-amount"


def test_an_amount_needs_what_earned_it() -> None:
    story = under(share("15"))

    refusal = story.refuses(OURS, opens(usd("1.00"), subject=None))

    assert refusal.rule == "amount-without-subject"


def test_the_same_dispute_decides_nothing_and_keeps_its_amount() -> None:
    story = disputed()
    pay(story, "D-1", "P-2", usd("1000.00"))
    again = opens().model_copy(update={"dispute": "Q-1"})

    assert story.when(OURS, again) == []
    other = again.model_copy(update={"amount": usd("10.00")})
    assert story.refuses(OURS, other).rule == "already-recorded"


def test_what_was_not_opened_cannot_be_ended() -> None:
    story = at(Stage.EXECUTION)

    assert story.refuses(OURS, proposes(DisputeOutcome.UPHELD)).rule == "no-such-dispute"


@pytest.mark.parametrize(
    ("outcome", "award", "rule"),
    [
        (DisputeOutcome.SETTLED, None, "award-of-a-settlement"),
        (DisputeOutcome.UPHELD, usd("1.00"), "award-of-a-settlement"),
        (DisputeOutcome.WITHDRAWN, None, "award-of-a-settlement"),
        (DisputeOutcome.SETTLED, usd("50.01"), "award-exceeds-dispute"),
        (DisputeOutcome.SETTLED, Money(amount=Decimal(1), currency="EUR"), "award-exceeds-dispute"),
    ],
)
def test_an_award_is_part_of_what_is_disputed(
    outcome: DisputeOutcome, award: Money | None, rule: str
) -> None:
    story = disputed(usd("50.00"))

    assert story.refuses(OURS, proposes(outcome, award)).rule == rule


def test_the_same_dispute_is_opened_once() -> None:
    story = after(OpenDispute)

    assert story.when(OURS, example(OpenDispute)) == []
    other = changed(example(OpenDispute), description="Something else.")
    assert story.refuses(OURS, other).rule == "already-recorded"
    assert len(story.facts(DisputeOpened)) == 1


@pytest.mark.parametrize(
    ("fact", "subject", "earner"),
    [
        ("entry/E-1", "entry/E-1", "cost-share-1 of entry/E-1 earned"),
        ("payment/P-1", "deal/D-1", "cost-share-1 of payment/P-1, deal/D-1, earned"),
    ],
)
def test_a_refusal_names_what_earned_once(fact: str, subject: str, earner: str) -> None:
    line = DisputedLine(fact=fact, item="cost-share-1")
    context = after(HoldKickoff).partnership.context

    with pytest.raises(Refused, match="cannot exceed") as refused:
        open_(
            opens(usd("9000.00"), subject=subject, line=line),
            Dispute(),
            context,
            lambda: Ledger(earnings=lambda *_: {"USD": Decimal("3000.00")}),
            Act(OURS, OURS, moment("2026-03-01"), moment("2026-03-01")),
        )

    assert refused.value.detail.endswith(f"9000.00 USD is disputed; {earner} 3000.00 USD.")
