"""The first answer that is received is final, wherever the proposal and the facts arrive."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from decimal import Decimal
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain import deal, dispute
from domain.bilateral import (
    BilateralAgreements,
    DeclineProposal,
    WithdrawProposal,
)
from domain.context import PartnershipContext
from domain.deal_record import Deal
from domain.dispute import AcceptResolution, Dispute, DisputeOutcome, OpenDispute, ProposeResolution
from domain.execution import IssueCause
from domain.kernel import Act, Command, Refused, Stage
from domain.merge import AgreeMerge, ProposeMerge
from domain.referral import (
    AgreeAttribution,
    CreateOpportunity,
    ProposeAttribution,
    SubmitReferral,
)
from domain.settlement import AdjustmentAgreed, AgreeAdjustment, Ledger, ProposeAdjustment
from tests.domain.test_any_order import AGREED, START, THEM, US, Sent, Stream
from tests.life import OURS, THEIRS, at, example
from tests.stories import Story

Life = Sequence[Sent]


def of_a_deal(*agreement: Command) -> Life:
    """Return the facts that a proposal on a deal rests on, the proposal, and its acceptance."""
    facts = [
        Sent(SubmitReferral(deal="D", lead="lead"), THEM, START),
        Sent(CreateOpportunity(deal="D"), US, START + timedelta(days=1)),
    ]
    return [*facts, *_agreed(*agreement)]


def _agreed(proposal: Command, acceptance: Command) -> Life:
    return [
        Sent(proposal, US, START + timedelta(days=28)),
        Sent(acceptance, THEM, START + timedelta(days=30)),
    ]


def ended(within: str) -> Life:
    """Return a withdrawal and a refusal, between the proposal and its acceptance."""
    moment = START + timedelta(days=29)
    return [
        Sent(WithdrawProposal(proposal="p", within=within, reason="No."), US, moment),
        Sent(DeclineProposal(proposal="p", within=within, reason="No."), THEM, moment),
    ]


ATTRIBUTION = of_a_deal(
    ProposeAttribution(deal="D", proposal="p", shares={THEM: Decimal(100)}),
    AgreeAttribution(deal="D", proposal="p"),
)
MERGE = of_a_deal(
    ProposeMerge(deal="D", proposal="p", into="E", reason="One client."),
    AgreeMerge(deal="D", proposal="p"),
)
RESOLUTION = [
    Sent(OpenDispute(dispute="Q", cause=IssueCause.MONEY, description="It is late."), US, START),
    *_agreed(
        ProposeResolution(
            dispute="Q", proposal="p", outcome=DisputeOutcome.REJECTED, resolution="It was paid."
        ),
        AcceptResolution(dispute="Q", proposal="p"),
    ),
]


def a_deal() -> Stream[Any]:
    submitted = Act(THEM, THEM, START, START)
    (referral,) = deal.decide(SubmitReferral(deal="E", lead="lead"), Deal(), submitted, AGREED)
    other = deal.evolve(Deal(), referral, submitted)

    def decide(command: Any, state: Deal, act: Act) -> Any:  # noqa: ANN401 - of a deal
        return deal.decide(command, state, act, AGREED, Ledger, other)

    return Stream(Deal(), decide, deal.evolve)


def a_dispute() -> Stream[Any]:
    context = PartnershipContext(Stage.EXECUTION, (US, THEM))

    def decide(command: Any, state: Dispute, act: Act) -> Any:  # noqa: ANN401 - of a dispute
        return dispute.decide(command, state, context, Ledger, act)

    return Stream(Dispute(), decide, dispute.evolve)


CASES: dict[str, tuple[Callable[[], Stream[Any]], Life]] = {
    "attribution": (a_deal, [*ATTRIBUTION, *ended("deal/D")]),
    "merge": (a_deal, [*MERGE, *ended("deal/D")]),
    "resolution": (a_dispute, [*RESOLUTION, *ended("dispute/Q")]),
}


def is_answer(sent: Sent) -> bool:
    """Whether a message ends a proposal."""
    return type(sent.command).__name__.startswith(("Agree", "Accept", "Withdraw", "Decline"))


def outcome(agreements: BilateralAgreements) -> type[Command] | None:
    """Return the kind of answer that ended the proposal; the acceptance is that of its kind."""
    ((kind, _, proposal),) = agreements.every_proposal()
    if proposal.accepted:
        return kind.accepts  # type: ignore[no-any-return] # made
    if proposal.withdrawn:
        return WithdrawProposal
    return DeclineProposal if proposal.declined else None


@pytest.mark.parametrize("case", CASES)
@given(data=st.data())
def test_the_first_answer_received_is_final_in_every_order(case: str, data: st.DataObject) -> None:
    begin, life = CASES[case]
    order = data.draw(st.permutations(life))
    stream = begin()

    for sent in order:
        stream.take(sent)

    first = next(each for each in order if is_answer(each))
    assert outcome(stream.state.agreements) is type(first.command)
    ends = [each for each in stream.accepted if is_answer(each)]
    assert ends == [first]
    assert stream.waiting == []
    assert {sent.command for sent, _ in stream.refused} == {
        each.command for each in order if is_answer(each) and each != first
    }


@pytest.mark.parametrize("order", [*permutations(range(3))])
def test_an_answer_on_the_partnership_itself_does_not_wait(order: tuple[int, ...]) -> None:
    story = at(Stage.EXECUTION)
    sent: list[tuple[str, Command]] = [
        (OURS, example(ProposeAdjustment, proposal="p", by=OURS, to=THEIRS)),
        (OURS, WithdrawProposal(proposal="p", reason="No.")),
        (THEIRS, AgreeAdjustment(proposal="p")),
    ]
    refused = [each for each in order if not _taken(story, *sent[each])]

    answers = [each for each in order if each]
    after = [each for each in answers if order.index(each) > order.index(0)]
    assert refused == [each for each in answers if each not in after[:1]]
    assert bool(story.facts(AdjustmentAgreed)) is (after[:1] == [2])


def _taken(story: Story, party: str, command: Command) -> bool:
    try:
        story.when(party, command)
    except Refused:
        return False
    return True
