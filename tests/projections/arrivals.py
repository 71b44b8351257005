"""Facts of money as they arrive: what the stories and the table of statements share."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import date
from decimal import Decimal
from itertools import permutations
from typing import NamedTuple

from domain.agreement import AcceptTerms, ProposeTerms
from domain.attribution import Method
from domain.kernel import Command, Refused
from domain.payment import IssueRefund, ReceivePayment
from domain.referral import AttributeReferral, CreateOpportunity, SubmitReferral
from domain.sale import WinDeal
from domain.terms import FrameChange, Item
from domain.values import Money
from tests.life import OURS, THEIRS
from tests.projections.money import lines
from tests.stories import Story, moment


class Said(NamedTuple):
    """A message: when what it says happened, the party that sent it, and what it says."""

    happened: str
    party: str
    command: Command


Fact = tuple[Said, ...]
"""A fact by its messages: one, or a proposal and its acceptance."""


def ours(happened: str, command: Command) -> Fact:
    return (Said(happened, OURS, command),)


def theirs(happened: str, command: Command) -> Fact:
    return (Said(happened, THEIRS, command),)


def agreed(
    happened: str,
    *items: Item,
    since: date,
    until: date | None = None,
    **frame: object,
) -> Fact:
    """Both agree other items, another frame or both, at one moment."""
    proposal = ProposeTerms(
        proposal=f"terms-{happened}".replace("T", "-").replace(":", ""),
        effective_from=since,
        until=until,
        frame=FrameChange(**frame) if frame else None,
        items=list(items) or None,
    )
    accepted = AcceptTerms(proposal=proposal.proposal)
    return Said(happened, OURS, proposal), Said(happened, THEIRS, accepted)


def arrive(story: Story, facts: Iterable[Fact]) -> Story:
    """Let facts arrive in this order, an hour apart. One that waits for another is taken later.

    A fact arrives when it has happened, or later.
    """
    waiting: list[Fact] = []
    for fact in facts:
        story.wait(hours=1)
        happened = max(moment(each.happened) for each in fact)
        story.on(f"{max(story.now, happened):%Y-%m-%dT%H:%M}")
        waiting = _waiting(story, [*waiting, fact])
    assert all(_changes_nothing(story, each) for each in waiting)
    return story


def _changes_nothing(story: Story, fact: Fact) -> bool:
    """Whether a fact is an objection to what counts at once, now that all others are known."""
    try:
        _say(story, fact)
    except Refused as refused:
        return refused.rule == "counts-at-once"
    return False


def _waiting(story: Story, facts: list[Fact]) -> list[Fact]:
    left = [fact for fact in facts if not _taken(story, fact)]
    return left if len(left) in {0, len(facts)} else _waiting(story, left)


def _taken(story: Story, fact: Fact) -> bool:
    try:
        _say(story, fact)
    except Refused as refused:
        # An objection that changes nothing, in whatever order, is not recorded.
        if refused.rule in {"claim-confirmed", "counts-at-once"} and not refused.awaits:
            return True
        if not refused.awaits:
            raise
        return False
    return True


def _say(story: Story, fact: Fact) -> None:
    for said in fact:
        story.when(said.party, said.command, happened=said.happened)


Owed = dict[tuple[str, str, str], str]
"""What lines add up to, by day, party and currency."""


def owed(story: Story) -> Owed:
    """Return what each party earned on each day."""
    sums: dict[tuple[str, str, str], Decimal] = defaultdict(Decimal)
    for each in lines(story.history):
        sums[each["day"], each["to"], each["currency"]] += Decimal(each["amount"])
    return {key: str(amount) for key, amount in sorted(sums.items()) if amount}


def in_any_order(story: Story, facts: Sequence[Fact], at: str = "2026-06-01") -> Owed:
    """Return what is owed once all facts have arrived; it is the same in every order."""
    story.on(at)
    first = owed(arrive(story.copy(), facts))
    for order in permutations(facts):
        assert owed(arrive(story.copy(), order)) == first, order
    return first


def to_them(amounts: dict[str, str], currency: str = "USD") -> Owed:
    """Return what the partner alone earned, by day."""
    return {(day, THEIRS, currency): amount for day, amount in amounts.items()}


def referred(happened: str, deal: str = "D-1") -> list[Fact]:
    """They refer a lead, we tie it to them and make it an opportunity."""
    touch = AttributeReferral(deal=deal, method=Method.REFERRAL_CODE, evidence="B15", to=THEIRS)
    return [
        theirs(happened, SubmitReferral(deal=deal, lead=f"lead {deal}")),
        ours(happened, touch),
        ours(happened, CreateOpportunity(deal=deal)),
    ]


def won(happened: str, value: Money, deal: str = "D-1") -> Fact:
    return ours(happened, WinDeal(deal=deal, annual_contract_value=value))


def paid(happened: str, payment: str, amount: Money, deal: str = "D-1") -> Fact:
    return ours(happened, ReceivePayment(deal=deal, payment=payment, amount=amount))


def returned(happened: str, payment: str, amount: Money, refund: str = "R-1") -> Fact:
    command = IssueRefund(deal="D-1", refund=refund, payment=payment, amount=amount)
    return ours(happened, command)
