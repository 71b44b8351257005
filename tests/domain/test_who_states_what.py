"""Which facts move money, who can state each, and which are claims: generated, kept as a table.

A fact that only one party can state, or that both have to agree, moves nothing on the word of the
side that gains. Every other fact can be stated by either party, so it is a claim where the side
that gains by it states it, and then another fact confirms it or objects to it (`domain.claims`).
After a change that is meant, write the table anew: `python -m tests.domain.test_who_states_what`.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from domain import deal, entry, execution, reported_figure, settlement
from domain.aggregates import command_types, event_types
from domain.bilateral import BilateralAgreement, BilateralCommand
from domain.claims import ClaimKind, ConfirmClaim, FigureRef
from domain.kernel import Command, Event, Refused
from tests.life import EXAMPLES, LIFE, OURS, STRANGER, THEIRS
from tests.stories import Story

TABLE = Path(__file__).with_name("who_states_what.txt")

CLAIMED: dict[type[Command], tuple[ClaimKind, str]] = {
    deal.SubmitReferral: (ClaimKind.REFERRAL, "referral"),
    deal.AttributeReferral: (ClaimKind.TOUCH, "touch/{touch}"),
    deal.WinDeal: (ClaimKind.WIN, "win"),
    deal.CancelDeal: (ClaimKind.CANCELLATION, "cancellation"),
    deal.ReceivePayment: (ClaimKind.PAYMENT, "payment/{payment}"),
    deal.IssueRefund: (ClaimKind.REFUND, "refund/{refund}"),
    deal.ReverseRefund: (ClaimKind.REVERSAL, "reversal/{refund}"),
    deal.CorrectWin: (ClaimKind.CORRECTION, "correction/win"),
    deal.CorrectPayment: (ClaimKind.CORRECTION, "correction/payment/{payment}"),
    deal.CorrectRefund: (ClaimKind.CORRECTION, "correction/refund/{refund}"),
    entry.RecordJointRevenue: (ClaimKind.ENTRY, "entry"),
    entry.RecordSharedCost: (ClaimKind.ENTRY, "entry"),
    entry.ReverseEntry: (ClaimKind.ENTRY_REVERSAL, "reversal/{reversal}"),
    reported_figure.ReportMetric: (ClaimKind.FIGURE, "figure"),
    reported_figure.CorrectMetric: (ClaimKind.CORRECTION, "correction/figure"),
}
"""The commands on facts that either party can state, with their kind and their name in a claim."""

BY_ONE: dict[type[Command], str] = {
    entry.ConcedePenalty: "the side that owes it",
    execution.IntroduceIncentive: "the side that offers it, and owes it",
    settlement.PublishRate: "either, from a source that both named; either can object",
    settlement.ObjectToRate: "either",
    settlement.RecordPayout: "either; corrected by the same",
    settlement.CorrectPayout: "the side that recorded the payout",
    settlement.ReturnPayout: "either",
}
"""The commands on facts that move money and are not claims, with who can state them."""

AGREED: tuple[type[BilateralAgreement], ...] = (
    deal.AttributionSettled,
    settlement.RateAgreed,
    settlement.AdjustmentAgreed,
)
"""The agreements that move money without a fact of the deal."""


def place(kind: type[Command]) -> int:
    """Return where in the life a command is decided: at its step, but not before the kickoff."""
    return max(LIFE.index(EXAMPLES[kind]), LIFE.index(EXAMPLES[execution.HoldKickoff]) + 1)


def command(kind: type[Command]) -> Command:
    """Return the example of a command, as a new fact where the life has stated it before."""
    example = EXAMPLES[kind].command
    if kind is reported_figure.ReportMetric:
        return example.model_copy(update={"tool": "another"})
    return example


def stories() -> list[Story]:
    """Return the story before each step of the life, and after the last."""
    story = Story()
    return [story.copy(), *(story.given([step]).copy() for step in LIFE)]


STORIES = stories()


def by_whom(kind: type[Command]) -> str:
    """Return who can state the example of a command at its place in the life."""
    found = []
    for name, party in (("initiator", OURS), ("partner", THEIRS), ("another", STRANGER)):
        story = STORIES[place(kind)].copy()
        story.wait(hours=1)
        try:
            story.when(party, command(kind))
        except Refused:
            continue
        found.append(name)
    return " or ".join(found) or "nobody"


def lines() -> Iterator[str]:
    yield f"{'STATED BY':24}{'WHO CAN':24}{'IS A CLAIM OF THE SIDE THAT GAINS':36}CONFIRMED BY"
    for kind, (claim, name) in CLAIMED.items():
        yield f"{kind.__name__:24}{by_whom(kind):24}{f'yes ({claim})':36}ConfirmClaim {name}"
    for kind, who in BY_ONE.items():
        yield f"{kind.__name__:24}{by_whom(kind):24}{f'no: {who}'}"
    for agreement in AGREED:
        names = f"{agreement.proposes.__name__} and {agreement.accepts.__name__}"
        yield f"{names:48}no: both agree"


def table() -> str:
    return "".join(f"{each.rstrip()}\n" for each in lines())


def test_the_table_on_record_is_what_the_code_gives() -> None:
    assert TABLE.read_text(encoding="utf-8") == table(), "see the docstring of this module"


def test_every_command_on_money_is_in_the_table() -> None:
    on_money = {
        each
        for each in command_types().values()
        if _of_money(each) and not issubclass(each, BilateralCommand)
    }
    # What moves no money by itself: steps of the funnel, and statements of what is owed.
    steps = {
        deal.QualifyLead,
        deal.CreateOpportunity,
        deal.HoldDemo,
        deal.LoseDeal,
        deal.ReopenDeal,
        settlement.IssueStatement,
        settlement.IssueFinalSettlement,
    }
    assert on_money - steps == {*CLAIMED, *BY_ONE}


def _of_money(kind: type[Command]) -> bool:
    modules = {each.__name__ for each in (deal, entry, reported_figure, settlement)}
    return kind.__module__ in modules or kind is execution.IntroduceIncentive


@pytest.mark.parametrize("kind", CLAIMED, ids=lambda each: each.__name__)
def test_each_claim_is_confirmed_by_the_other_party_and_not_by_its_own(kind: type[Command]) -> None:
    step = EXAMPLES[kind]
    story = STORIES[place(kind)].copy()
    story.wait(hours=1)
    (event,) = story.when(step.party, command(kind))
    confirmation = _confirmation(kind, event)
    other = THEIRS if step.party == OURS else OURS

    assert story.refuses(step.party, confirmation).rule in {"own-claim", "no-such-claim"}
    assert story.when(other, confirmation)


def _confirmation(kind: type[Command], event: Event) -> ConfirmClaim:
    fact = CLAIMED[kind][1].format(**event.__dict__)
    if isinstance(event, reported_figure.MetricReported | reported_figure.MetricCorrected):
        given = event.model_dump(include={"metric", "period", "tool", "segment"})
        return ConfirmClaim(figure=FigureRef(**given), fact=fact)
    thing = "deal" if "deal" in type(event).model_fields else "entry"
    return ConfirmClaim(fact=fact, **{thing: getattr(event, thing)})


def test_every_kind_of_claim_that_terms_can_name_is_a_fact() -> None:
    named = {kind for kind, _ in CLAIMED.values()} | {ClaimKind.INCENTIVE}

    assert named == set(ClaimKind)
    assert {"ClaimConfirmed", "ClaimObjected"} <= set(event_types())


if __name__ == "__main__":
    TABLE.write_text(table(), encoding="utf-8")
