"""What the tests of money share: terms, sales, and the lines that a story comes to."""

from collections.abc import Iterable, Sequence
from datetime import date
from decimal import Decimal

from domain.adoption import AgreeAdoption, Books, OpeningBalance, TermsOnDay
from domain.agreement import (
    AcceptTerms,
    ProposeTerms,
)
from domain.attribution import AttributionPolicy, Method
from domain.kernel import CLOCK_PARTY, Stage
from domain.payment import IssueRefund, ReceivePayment
from domain.recorded import Recorded
from domain.referral import AttributeReferral, CreateOpportunity, SubmitReferral
from domain.sale import WinDeal
from domain.settlement import IssueStatement, StatementIssued
from domain.terms import FrameChange, Item, RevenueShare, Trigger
from domain.values import Money
from projections.fold import Row
from projections.settlement import post
from tests.life import ADOPTION, OURS, THEIRS, at, changed, usd
from tests.stories import Story, moment

BEGINS = date(2026, 1, 6)
"""The first day of the terms: that of `under`."""


def money(amount: str, currency: str) -> Money:
    return Money(amount=Decimal(amount), currency=currency)


def under(*items: Item, **frame: object) -> Story:
    """A running partnership whose terms are these."""
    story = at(Stage.EXECUTION)
    amend(story, *items, since=date(2026, 1, 6), until=None, **frame)
    story.on("2026-01-07")
    return story


def adopted(
    *items: Item,
    settles_from: date,
    on: str = "2026-04-01",
    balances: Sequence[OpeningBalance] = (),
    **frame: object,
) -> Story:
    """A partnership with these terms, adopted on 1 April 2026 or on another day."""
    terms = TermsOnDay(
        agreed_on=BEGINS,
        effective_from=BEGINS,
        frame=FrameChange(
            starts_on=date(2026, 1, 1),
            duration="P3Y",
            notice="P60D",
            assets_at_exit=ADOPTION.terms[0].frame.assets_at_exit,
            **frame,
        ),
        items=list(items),
    )
    story = Story(now=moment(on))
    adoption = changed(
        ADOPTION,
        since=BEGINS,
        terms=[terms],
        books=Books(settles_from=settles_from, balances=list(balances)),
        charter=None,
        rules=[],
        contract=None,
        figures=[],
    )
    story.when(OURS, adoption)
    story.when(THEIRS, AgreeAdoption(proposal="adoption-1"))
    return story


def amend(
    story: Story,
    *items: Item,
    since: date,
    until: date | None = None,
    **frame: object,
) -> None:
    """Both agree other items, another frame or both."""
    name = f"terms-{len(story.history)}"
    proposal = ProposeTerms(
        proposal=name,
        effective_from=since,
        until=until,
        frame=FrameChange(**frame) if frame else None,
        items=list(items) or None,
    )
    story.when(OURS, proposal)
    story.when(THEIRS, AcceptTerms(proposal=name))


def share(percent: str = "15", **more: object) -> RevenueShare:
    """A share of all that a referred client pays."""
    item = RevenueShare(
        to=THEIRS, share=Decimal(percent), basis="all-payments", trigger=Trigger.PAYMENT
    )
    return changed(item, **more)


def refer(story: Story, deal: str, *, attributed: bool = True, by: str = THEIRS) -> None:
    story.when(by, SubmitReferral(deal=deal, lead=f"lead {deal}"))
    if attributed:
        attribute(story, deal)


def attribute(story: Story, deal: str, to: str | None = None, method: Method = Method.UTM) -> None:
    """The side that a touch does not credit states it, so it counts at once."""
    by = THEIRS if to == OURS else OURS
    story.when(by, AttributeReferral(deal=deal, method=method, evidence=f"tag {to}", to=to))


def win(story: Story, deal: str, value: Money, happened: str | None = None) -> None:
    story.when(OURS, CreateOpportunity(deal=deal), happened=happened)
    story.when(OURS, WinDeal(deal=deal, annual_contract_value=value), happened=happened)


def pay(story: Story, deal: str, payment: str, amount: Money, happened: str | None = None) -> None:
    command = ReceivePayment(deal=deal, payment=payment, amount=amount)
    story.when(OURS, command, happened=happened)


def sell(story: Story, deal: str, amount: Money, happened: str | None = None) -> None:
    """A referral is won and paid at once."""
    refer(story, deal)
    win(story, deal, amount, happened)
    pay(story, deal, f"{deal}-P", amount, happened)


def refund(
    story: Story, deal: str, payment: str, amount: Money, *, chargeback: bool = False
) -> None:
    command = IssueRefund(
        deal=deal,
        refund=f"{payment}-R{len(story.history)}",
        payment=payment,
        amount=amount,
        kind="chargeback" if chargeback else "refund",
    )
    story.when(OURS, command)


def lines(history: Iterable[Recorded], policy: AttributionPolicy | None = None) -> list[Row]:
    """Every line that a history posts."""
    rows: dict[str, Row] = {}
    found = []
    for recorded in history:
        posting = post(rows, recorded, policy)
        rows |= posting.changed
        found += posting.lines
    return found


def total(history: Iterable[Recorded], to: str = THEIRS, currency: str = "USD") -> Decimal:
    """What a party earned from the other, less what it gave back, over a whole history."""
    return sum(
        (
            Decimal(each["amount"])
            for each in lines(history)
            if (each["to"], each["currency"]) == (to, currency)
        ),
        Decimal(0),
    )


def state(story: Story, period: str) -> list[StatementIssued]:
    """Issue the statements of a period, as the operator."""
    events = story.when(CLOCK_PARTY, IssueStatement(period=period))
    return [each for each in events if isinstance(each, StatementIssued)]


def amounts(lines_: Iterable[Row]) -> list[tuple[str, str]]:
    return [(each["item"].rstrip("-0123456789"), each["amount"]) for each in lines_]


USD_1000 = usd("1000.00")
