"""A second person: above an agreed amount, two people of a party bind it."""

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from domain import signing
from domain.agreement import AcceptTerms, CommercialTermsAgreed, ProposeTerms, TermsAccepted
from domain.content import digest
from domain.deadlines.deadline import DeadlineKind, DeadlinePassed, ReminderGiven
from domain.dispute import AcceptResolution, DisputeResolved, OpenDispute, ProposeResolution
from domain.entry import ConcedePenalty, PenaltyConceded
from domain.kernel import Awaited, AwaitedKind, Command, Event
from domain.payouts import CorrectPayout, PayoutRecorded, RecordPayout, ReturnPayout
from domain.scaling import ProposeJointInvestment
from domain.second_person import (
    ActConfirmed,
    ActWithdrawn,
    ConfirmAct,
    SecondPersonAsked,
    WithdrawAct,
    act_id,
)
from domain.terms import FrameChange
from domain.values import Money
from tests.life import ITEMS, OURS, THEIRS, after, before, example, usd
from tests.projections.money import amend
from tests.stories import Story

PAY = example(RecordPayout)
"""A payout of 1000.00 by us."""
NAME = act_id(OURS, PAY)
CONFIRM = ConfirmAct(act=NAME)


def above(*amounts: Money) -> FrameChange:
    return FrameChange(second_person_above=list(amounts))


def limited(story: Story, *amounts: Money) -> Story:
    """Return a story in which both parties agreed these amounts."""
    amend(story, since=story.now.date(), second_person_above=list(amounts))
    return story


@pytest.fixture
def story() -> Story:
    """A statement that we pay, where a second person confirms what is above 500.00 USD."""
    return limited(before(RecordPayout), usd("500.00"))


def wires(events: list[Event]) -> list[str]:
    return [each.wire for each in events]


# --- the story ---------------------------------------------------------------------------------


def test_what_one_person_does_above_the_amount_waits_for_another(story: Story) -> None:
    (asked,) = story.when(OURS, PAY)

    assert isinstance(asked, SecondPersonAsked)
    assert (asked.act, asked.command) == (NAME, "RecordPayout")
    assert RecordPayout.model_validate(asked.data) == PAY
    assert asked.confirm_by == story.partnership.context.terms.answer_until(story.now.date())
    assert story.facts(PayoutRecorded) == []


def test_a_second_person_confirms_it_and_then_it_counts(story: Story) -> None:
    (asked,) = story.when(OURS, PAY)
    before_it = story.left(PAY.statement)

    decided = story.when(OURS, ConfirmAct(act=NAME, content=digest(asked)))

    assert decided[0] == ActConfirmed(act=NAME)
    assert isinstance(decided[1], PayoutRecorded)
    assert story.left(PAY.statement) == before_it - PAY.amount.amount
    assert story.when(OURS, CONFIRM) == []
    assert story.when(OURS, PAY) == []


def test_the_first_person_is_not_the_second(story: Story) -> None:
    story.when(OURS, PAY)

    refusal = story.refuses(OURS, CONFIRM, by="manager")

    assert refusal.rule == "same-person"
    assert story.facts(PayoutRecorded) == []


def test_one_key_does_not_sign_for_both(story: Story) -> None:
    story.when(OURS, PAY, key="0" * 16)

    assert story.refuses(OURS, CONFIRM, key="0" * 16).rule == "same-person"
    assert story.when(OURS, CONFIRM, key="1" * 16)


def test_the_other_party_neither_confirms_it_nor_takes_it_back(story: Story) -> None:
    story.when(OURS, PAY)

    assert story.refuses(THEIRS, CONFIRM).rule == "act-of-the-other-party"
    taken = WithdrawAct(act=NAME, reason="No.")
    assert story.refuses(THEIRS, taken).rule == "act-of-the-other-party"


def test_the_second_person_confirms_what_it_read(story: Story) -> None:
    story.when(OURS, PAY)

    assert story.refuses(OURS, ConfirmAct(act=NAME, content="0" * 64)).rule == "other-content"


def test_the_same_act_by_the_same_person_decides_nothing_and_another_one_confirms(
    story: Story,
) -> None:
    story.when(OURS, PAY)

    assert story.when(OURS, PAY) == []
    refusal = story.refuses(OURS, PAY, by="director")
    assert (refusal.rule, refusal.facts["act"]) == ("act-awaits-confirmation", NAME)


def test_a_confirmation_that_comes_first_waits_for_the_act(story: Story) -> None:
    refusal = story.refuses(OURS, CONFIRM)

    assert refusal.rule == "no-such-act"
    assert refusal.awaits == Awaited(AwaitedKind.ACT, NAME, f"the act {NAME}")


def test_nobody_confirms_an_act_before_it_was_done(story: Story) -> None:
    early = f"{story.now:%Y-%m-%dT%H:%M}"
    story.wait(hours=1)
    story.when(OURS, PAY)

    assert story.refuses(OURS, CONFIRM, happened=early).rule == "confirmed-before-done"


def test_the_act_is_decided_anew_when_it_is_confirmed(story: Story) -> None:
    """Two payouts that are possible one by one, but not together."""
    owed = story.left(PAY.statement)
    all_of_it = Money(amount=owed, currency="USD")
    first, second = (
        RecordPayout(payout=name, statement=PAY.statement, amount=all_of_it)
        for name in ("all-1", "all-2")
    )
    story.when(OURS, first)
    story.when(OURS, second)
    story.when(OURS, ConfirmAct(act=act_id(OURS, first)))

    assert story.refuses(OURS, ConfirmAct(act=act_id(OURS, second))).rule
    assert story.left(PAY.statement) == 0


# --- the end of the wait -----------------------------------------------------------------------


def test_silence_lapses_it_after_a_reminder_and_with_an_alert(story: Story) -> None:
    (asked,) = story.when(OURS, PAY)
    assert isinstance(asked, SecondPersonAsked)

    story.on(f"{asked.confirm_by}T23:59")
    copy = story.copy()
    assert copy.when(OURS, CONFIRM)

    story.wait(hours=1)
    (reminded,) = (each for each in story.facts(ReminderGiven) if each.ref == NAME)
    (passed,) = (each for each in story.facts(DeadlinePassed) if each.ref == NAME)
    assert (reminded.kind, reminded.party) == (DeadlineKind.CONFIRMATION, OURS)
    assert (passed.kind, passed.party) == (DeadlineKind.CONFIRMATION, OURS)
    assert story.refuses(OURS, CONFIRM).rule == "act-lapsed"


def test_what_lapsed_can_be_done_again(story: Story) -> None:
    story.when(OURS, PAY)
    story.wait(days=15)

    (asked,) = story.when(OURS, PAY, by="director")

    assert isinstance(asked, SecondPersonAsked)
    assert story.refuses(OURS, CONFIRM).rule == "same-person"
    assert story.when(OURS, CONFIRM, by="manager")


def test_anybody_of_the_party_takes_it_back(story: Story) -> None:
    story.when(OURS, PAY)
    taken = WithdrawAct(act=NAME, reason="The amount is wrong.")

    assert story.when(OURS, taken) == [ActWithdrawn(act=NAME, reason="The amount is wrong.")]
    assert story.when(OURS, taken) == []
    assert story.refuses(OURS, CONFIRM).rule == "act-ended"
    assert wires(story.when(OURS, PAY)) == ["SecondPersonAsked"]


# --- what needs it -----------------------------------------------------------------------------


def test_what_is_not_above_the_amount_needs_nobody(story: Story) -> None:
    paid = story.when(OURS, example(RecordPayout, amount=usd("500.00")))
    assert wires(paid) == ["PayoutRecorded"]


def test_another_currency_is_no_way_round() -> None:
    story = limited(before(RecordPayout), Money.model_validate({"amount": "9", "currency": "EUR"}))

    assert wires(story.when(OURS, PAY)) == ["SecondPersonAsked"]


def test_each_currency_has_one_amount() -> None:
    terms = example(ProposeTerms, proposal="twice", frame=above(usd("1"), usd("2")), items=None)

    refusal = before(RecordPayout).refuses(OURS, terms)

    assert refusal.rule == "limits-of-one-currency"


def test_without_a_limit_nothing_waits() -> None:
    assert wires(before(RecordPayout).when(OURS, PAY)) == ["PayoutRecorded"]


@pytest.mark.parametrize(
    "command",
    [
        ReturnPayout(payout=PAY.payout, reason="The account was closed."),
        CorrectPayout(payout=PAY.payout, void=True, reason="Typed twice."),
        CorrectPayout(payout=PAY.payout, amount=usd("900.00"), reason="A digit."),
    ],
)
def test_a_change_of_a_payout_is_of_its_amount(command: Command) -> None:
    story = limited(after(RecordPayout), usd("500.00"))

    assert wires(story.when(OURS, command)) == ["SecondPersonAsked"]


def test_a_conceded_penalty_is_of_its_fee() -> None:
    concede = example(ConcedePenalty)
    story = limited(before(ConcedePenalty), usd("1.00"))

    (asked,) = story.when(THEIRS, concede)
    assert isinstance(asked, SecondPersonAsked)
    assert asked.within == f"entry/{concede.entry}"

    confirm = ConfirmAct(within=asked.within, act=asked.act)
    assert wires(story.when(THEIRS, confirm)) == ["ActConfirmed", "PenaltyConceded"]
    assert len(story.facts(PenaltyConceded)) == 1


def test_an_offer_binds_its_author_once_accepted_so_it_needs_the_second_person(
    story: Story,
) -> None:
    assert wires(story.when(OURS, example(ProposeJointInvestment))) == ["SecondPersonAsked"]


def test_terms_that_pay_a_share_or_change_the_limit_need_the_second_person(story: Story) -> None:
    loosened = example(ProposeTerms, proposal="loose", frame=above(), items=None)
    shares = example(ProposeTerms, proposal="more", frame=None, items=ITEMS)
    for terms in (loosened, shares):
        command = terms.model_copy(update={"effective_from": story.now.date()})
        (asked,) = story.when(OURS, command)
        assert isinstance(asked, SecondPersonAsked)
        story.when(OURS, ConfirmAct(act=asked.act))

    (waits,) = story.when(THEIRS, AcceptTerms(proposal="loose"))
    assert isinstance(waits, SecondPersonAsked)
    assert story.facts(TermsAccepted)[-1].proposal != "loose"

    confirmed = story.when(THEIRS, ConfirmAct(act=waits.act))
    assert wires(confirmed) == ["ActConfirmed", "TermsAccepted", "CommercialTermsAgreed"]
    agreed = story.facts(CommercialTermsAgreed)[-1]
    assert agreed.agreed_at == story.now


def test_a_resolution_is_of_the_disputed_amount() -> None:
    story = limited(after(OpenDispute), usd("1.00"))
    ends = example(ProposeResolution)
    (asked,) = story.when(OURS, ends)
    assert isinstance(asked, SecondPersonAsked)
    assert asked.within == f"dispute/{ends.dispute}"
    story.when(OURS, ConfirmAct(within=asked.within, act=asked.act))
    accept = AcceptResolution(dispute=ends.dispute, proposal=ends.proposal)

    (waits,) = story.when(THEIRS, accept)
    assert isinstance(waits, SecondPersonAsked)
    assert story.facts(DisputeResolved) == []

    story.when(THEIRS, ConfirmAct(within=waits.within, act=waits.act))
    assert len(story.facts(DisputeResolved)) == 1


def test_an_act_on_a_dispute_lapses_too() -> None:
    story = limited(after(OpenDispute), usd("1.00"))
    (asked,) = story.when(OURS, example(ProposeResolution))
    assert isinstance(asked, SecondPersonAsked)

    story.wait(days=15)

    refs = [each.ref for each in story.facts(DeadlinePassed)]
    assert f"{asked.act}/{asked.within}" in refs


def test_a_dispute_that_is_opened_binds_nobody_to_its_amount() -> None:
    story = limited(before(OpenDispute), usd("1.00"))
    assert wires(story.when(OURS, example(OpenDispute)))[0] == "DisputeOpened"


def test_an_act_and_its_confirmation_must_be_signed() -> None:
    assert {SecondPersonAsked, ActConfirmed, ActWithdrawn} <= signing.BINDING


@pytest.mark.parametrize("within", ["deal/D-1", "dispute", "experiment/X-1"])
def test_an_act_is_of_the_partnership_a_dispute_or_an_entry(within: str) -> None:
    with pytest.raises(ValidationError):
        ConfirmAct(within=within, act=NAME)


# --- order -------------------------------------------------------------------------------------


@given(st.permutations(range(4)), st.sampled_from([(0, 1), (1, 0)]))
def test_acts_come_to_the_same_in_every_order(order: list[int], people: tuple[int, int]) -> None:
    """Two payouts, each done by one person and confirmed by the other, on one day."""
    story = _LIMITED.copy()
    owed = story.left(PAY.statement)
    pays = [example(RecordPayout, payout=name, amount=usd("501.00")) for name in ("a", "b")]
    who = ("manager", "director")
    sent: list[tuple[Command, str]] = [
        *((pay, who[one]) for pay, one in zip(pays, people, strict=True)),
        *(
            (ConfirmAct(act=act_id(OURS, pay)), who[1 - one])
            for pay, one in zip(pays, people, strict=True)
        ),
    ]
    # As in the store, a confirmation that waits is decided once its act is recorded.
    waiting = [sent[each] for each in order]
    while waiting:
        still = [each for each in waiting if not _done(story, *each)]
        assert len(still) < len(waiting)
        waiting = still

    assert story.left(PAY.statement) == owed - 2 * 501
    assert {each.payout for each in story.facts(PayoutRecorded)} == {"a", "b"}
    assert len(story.facts(ActConfirmed)) == 2


def _done(story: Story, command: Command, by: str) -> bool:
    if isinstance(command, ConfirmAct) and command.act not in story.partnership.held:
        assert story.refuses(OURS, command, by=by).awaits
        return False
    return bool(story.when(OURS, command, by=by))


_LIMITED = limited(before(RecordPayout), usd("500.00"))


def test_no_order_of_one_persons_events_binds_its_party() -> None:
    """However one person alone sends them, nothing of it counts."""
    for order in permutations([PAY, CONFIRM, PAY]):
        story = _LIMITED.copy()
        for command in order:
            if command is CONFIRM:
                story.refuses(OURS, command, by="manager")
            else:
                story.when(OURS, command, by="manager")
        assert story.facts(PayoutRecorded) == []
