"""`accord explain` says why a fact earns what it earns, and why one earns nothing."""

from collections.abc import Callable
from datetime import date
from decimal import Decimal

import pytest

from domain.attribution import AttributionPolicy, Method, PolicyKind
from domain.dispute import AcceptResolution, DisputeOutcome, OpenDispute, ProposeResolution
from domain.execution import IssueCause
from domain.payment import CorrectPayment, IssueRefund, ReceivePayment
from domain.referral import AttributeReferral, CreateOpportunity, SubmitReferral
from domain.sale import CorrectWin, WinDeal
from domain.terms import ReferralFee, Trigger
from infra.answers import explain_money, statement
from infra.answers.explain_money import (
    DealExplained,
    LineExplained,
    PricedFact,
    StatementExplained,
)
from infra.answers.logs import NOW, NotFound
from infra.answers.statement import Postings
from infra.answers.text import Line
from infra.bootstrap import Accord
from projections.ledger.deals import Uncounted
from projections.ledger.reasons import Nothing
from tests.infra.answers.demo import CONSULTING
from tests.life import OURS, THEIRS, changed, split, usd
from tests.projections.arrivals import arrive, paid, referred, won
from tests.projections.money import adopted, attribute, pay, refer, share, state, under, win
from tests.stories import Story

DEAL = "D-1"


def explain(story: Story) -> DealExplained:
    postings = Postings(None)
    lines = [statement.line_of(row) for each in story.history for row in postings.take(each)]
    return explain_money.deal_explained(postings, lines, DEAL)


def facts_of(found: DealExplained, to: str, fact: str) -> list[PricedFact]:
    return [each for each in found.priced if (each.to, each.fact.partition("@")[0]) == (to, fact)]


def sold(*items: object, **frame: object) -> Story:
    """A deal of the partner that was won for 1,200 under these items, or 15 % of each payment."""
    story = under(*(items or (share(),)), **frame)  # type: ignore[arg-type]
    refer(story, DEAL)
    win(story, DEAL, usd("1200.00"))
    return story


def unconfirmed() -> Story:
    story = sold()
    paid = ReceivePayment(deal=DEAL, payment="P-1", amount=usd("100.00"))
    story.when(THEIRS, paid)
    return story


def void() -> Story:
    story = sold()
    pay(story, DEAL, "P-1", usd("100.00"))
    never = CorrectPayment(deal=DEAL, payment="P-1", void=True, reason="The bank's test.")
    story.when(OURS, never)
    return story


def not_in_term() -> Story:
    story = sold()
    story.on("2031-01-10")
    pay(story, DEAL, "P-1", usd("100.00"))
    return story


def not_won() -> Story:
    story = sold()
    pay(story, DEAL, "P-1", usd("100.00"))
    story.when(OURS, CorrectWin(deal=DEAL, void=True, reason="Another client of the same name."))
    return story


def win_unconfirmed() -> Story:
    """The partner states a win that pays it; we pay in, and have not confirmed the win."""
    story = under(share())
    refer(story, DEAL)
    story.when(OURS, CreateOpportunity(deal=DEAL))
    story.when(THEIRS, WinDeal(deal=DEAL, annual_contract_value=usd("1200.00")))
    pay(story, DEAL, "P-1", usd("100.00"))
    return story


def contested() -> Story:
    story = under(share())
    refer(story, DEAL, attributed=False)
    attribute(story, DEAL, THEIRS)
    attribute(story, DEAL, OURS, Method.PROMO_CODE)
    win(story, DEAL, usd("1200.00"))
    pay(story, DEAL, "P-1", usd("100.00"))
    return story


def not_credited() -> Story:
    story = under(share())
    story.when(OURS, SubmitReferral(deal=DEAL, lead="lead"))
    story.when(
        OURS, AttributeReferral(deal=DEAL, method=Method.UTM, evidence="our own page", to=OURS)
    )
    win(story, DEAL, usd("1200.00"))
    pay(story, DEAL, "P-1", usd("100.00"))
    return story


def no_item() -> Story:
    story = sold(share(trigger=Trigger.SALE))
    pay(story, DEAL, "P-1", usd("100.00"))
    return story


def outside() -> Story:
    story = sold(share(basis="first-year"))
    story.on("2027-06-01")
    pay(story, DEAL, "P-1", usd("100.00"))
    return story


def own_money() -> Story:
    story = sold(changed(split("50", "50"), trigger=Trigger.PAYMENT))
    pay(story, DEAL, "P-1", usd("100.00"))
    return story


def not_first() -> Story:
    fee = ReferralFee(to=THEIRS, fee=usd("50.00"), trigger=Trigger.PAYMENT)
    story = sold(fee)
    pay(story, DEAL, "P-0", usd("100.00"))
    story.wait(days=1)
    pay(story, DEAL, "P-1", usd("100.00"))
    return story


def returned() -> Story:
    story = sold()
    pay(story, DEAL, "P-1", usd("100.00"))
    back = IssueRefund(deal=DEAL, refund="R-1", payment="P-1", amount=usd("100.00"), kind="refund")
    story.when(OURS, back)
    return story


def cap() -> Story:
    story = sold(share(cap=Decimal(10)))
    pay(story, DEAL, "P-0", usd("100.00"))
    story.wait(days=1)
    pay(story, DEAL, "P-1", usd("100.00"))
    return story


def settled_elsewhere() -> Story:
    story = adopted(share(), settles_from=date(2026, 3, 1))
    paid_before = paid("2026-02-10", "P-1", usd("100.00"))
    return arrive(story, [*referred("2026-01-07"), won("2026-01-10", usd("1000.00")), paid_before])


def too_small() -> Story:
    story = sold(share("0.1"))
    pay(story, DEAL, "P-1", usd("1.00"))
    return story


TOLD: dict[Nothing, tuple[Callable[[], Story], str]] = {
    Nothing.UNCONFIRMED: (unconfirmed, THEIRS),
    Nothing.VOID: (void, THEIRS),
    Nothing.NOT_IN_TERM: (not_in_term, THEIRS),
    Nothing.WIN_UNCONFIRMED: (win_unconfirmed, THEIRS),
    Nothing.NOT_WON: (not_won, THEIRS),
    Nothing.CONTESTED: (contested, THEIRS),
    Nothing.NOT_CREDITED: (not_credited, THEIRS),
    Nothing.NO_ITEM: (no_item, THEIRS),
    Nothing.OUTSIDE: (outside, THEIRS),
    Nothing.OWN_MONEY: (own_money, OURS),
    Nothing.NOT_FIRST: (not_first, THEIRS),
    Nothing.RETURNED: (returned, THEIRS),
    Nothing.CAP: (cap, THEIRS),
    Nothing.TOO_SMALL: (too_small, THEIRS),
    Nothing.SETTLED_ELSEWHERE: (settled_elsewhere, THEIRS),
}
"""For each reason: a story in which the payment P-1 earns a party nothing because of it."""


@pytest.mark.parametrize("reason", Nothing, ids=str)
def test_a_payment_that_earns_nothing_says_why(reason: Nothing) -> None:
    tell, to = TOLD[reason]

    found = facts_of(explain(tell()), to, "payment/P-1")

    assert [(each.amount, each.nothing) for each in found] == [(Decimal(0), reason)]
    assert found[0].because == explain_money.WORDS[reason]


def test_a_deal_without_a_touch_says_which_fact_is_missing() -> None:
    story = under(share())
    refer(story, DEAL, attributed=False)
    missing = "No touch of the lead is stated (AttributeReferral)."

    assert missing in lines_of(explain(story))
    attribute(story, DEAL)
    assert missing not in lines_of(explain(story))


def lines_of(found: DealExplained) -> list[str]:
    return [each.text for each in explain_money.text(found) if isinstance(each, Line)]


def test_a_decision_on_a_dispute_shows_in_what_a_payment_earns() -> None:
    story = sold()
    pay(story, DEAL, "P-1", usd("100.00"))
    disputed = OpenDispute(
        dispute="Q-1",
        cause=IssueCause.MONEY,
        description="It was ours before.",
        subject=f"deal/{DEAL}",
        amount=usd("5.00"),
    )
    story.when(OURS, disputed)
    upheld = ProposeResolution(
        dispute="Q-1", proposal="end", outcome=DisputeOutcome.UPHELD, resolution="It was."
    )
    story.when(OURS, upheld)
    story.when(THEIRS, AcceptResolution(dispute="Q-1", proposal="end"))

    (found,) = facts_of(explain(story), THEIRS, "payment/P-1")

    assert (found.amount, found.disputed) == (Decimal("10.00"), Decimal("5.00"))
    assert found.because.endswith("; a dispute took 5.00 of 15.00")


# --- touches -----------------------------------------------------------------------------------


def touched(story: Story, by: str = OURS) -> Story:
    """Our own touch of now, beside those of the partner, as a party states it."""
    touch = AttributeReferral(
        deal=DEAL, touch="T-2", method=Method.UTM, evidence="a tag", to=OURS, touched_at=story.now
    )
    story.when(by, touch)
    return story


def unconfirmed_touch() -> Story:
    story = under(share())
    refer(story, DEAL)
    win(touched(story), DEAL, usd("1200.00"))
    return story


def early_touch() -> Story:
    policy = AttributionPolicy(kind=PolicyKind.LAST_TOUCH, window_days=5)
    story = under(share(), attribution=policy)
    refer(story, DEAL)
    touched(story, by=THEIRS).on("2026-01-20")
    win(story, DEAL, usd("1200.00"))
    return story


def late_touch() -> Story:
    story = sold()
    story.wait(hours=1)
    return touched(story, by=THEIRS)


def touch_after_a_statement() -> Story:
    story = sold()
    pay(story, DEAL, "P-1", usd("100.00"))
    story.on("2026-02-01")
    state(story, "2026-01")
    story.wait(hours=1)
    touch = AttributeReferral(
        deal=DEAL, touch="T-2", method=Method.UTM, evidence="a tag", to=OURS, touched_at=None
    )
    story.when(THEIRS, touch)
    return story


UNCOUNTED: dict[Uncounted, Callable[[], Story]] = {
    Uncounted.UNCONFIRMED: unconfirmed_touch,
    Uncounted.EARLY: early_touch,
    Uncounted.LATE: late_touch,
    Uncounted.STATED: touch_after_a_statement,
}
"""For each reason: a story in which the touch T-2 does not count because of it."""


@pytest.mark.parametrize("reason", Uncounted, ids=str)
def test_a_touch_that_does_not_count_says_why(reason: Uncounted) -> None:
    found = explain(UNCOUNTED[reason]())

    for credited in found.credit:
        if credited.party == THEIRS:
            (touch,) = (each for each in credited.touches if each.touch == "T-2")
            assert (touch.counts, touch.nothing) == (False, reason)
    shown = "".join(map(str, explain_money.text(found)))
    assert f"no: {explain_money.UNCOUNTED[reason]}" in shown


# --- lines and statements of the demo ----------------------------------------------------------


def test_a_line_is_explained_by_its_item_and_what_stood_before_it(demo: Accord) -> None:
    refund = explain_money.explained(demo, CONSULTING, "line", "228.1", NOW)

    assert isinstance(refund, LineExplained)
    assert (refund.line.amount, refund.line.cause) == (
        Decimal(-75),
        "refund/rfd-0001@2026-05-18T09:00:00Z",
    )
    assert refund.item is not None
    assert refund.item.startswith("northbridge earns 15 %")
    assert [(each.line, each.amount) for each in refund.before] == [("206.1", Decimal(375))]
    assert refund.because_of is not None
    assert refund.because_of.index == 228


def test_the_lines_of_a_statement_are_explained_one_by_one(demo: Accord) -> None:
    found = explain_money.explained(demo, CONSULTING, "statement", "2026-Q2:USD", NOW)

    assert isinstance(found, StatementExplained)
    assert sum(each.line.amount for each in found.lines) == Decimal("2175.00")
    assert all(each.item for each in found.lines)


@pytest.mark.parametrize(
    ("kind", "name", "near"),
    [
        ("deal", "ref-0000", "ref-0030"),
        ("line", "228.2", "228.1"),
        ("statement", "2026-Q2", "2026-Q2:USD"),
    ],
)
def test_what_is_not_there_is_answered_with_what_is(
    demo: Accord, kind: str, name: str, near: str
) -> None:
    with pytest.raises(NotFound) as told:
        explain_money.explained(demo, CONSULTING, kind, name, NOW)

    assert near in str(told.value)
