"""Facts and what takes them back, as both sides state them, correct them and answer (4, 5, 6).

A payment, its loss, the reversal of it and a second loss; a sale, its end and another sale; an
entry and its reversals: each stated by either side or by both, alike or not, then corrected,
confirmed and objected to by either. In every order of arrival the product owes what the model owes.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import product as every
from typing import TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.model import adapter
from tests.model.facts import (
    Confirmed,
    Corrected,
    DealCancelled,
    DealWon,
    EntryReversed,
    Fact,
    JointEntry,
    Money,
    Objected,
    Party,
    PaymentReceived,
    PaymentReturned,
    ReferralFee,
    ReturnReversed,
    RevenueShare,
    RevenueSplit,
    StatedAlso,
    Tier,
)
from tests.model.facts import Part as Half
from tests.model.laws import arrivals, compared
from tests.model.lives import AT_ANY_TIME, needs
from tests.model.owed import owed
from tests.model.telling import PARTIES, at, money, said, sold, terms, until
from tests.sweeps import sweep

Answer = type[Confirmed] | type[Objected]
F = TypeVar("F", bound=Fact)

ITEMS = (
    RevenueShare(to="north", share=Decimal(10), name="plain"),
    RevenueShare(
        to="north",
        share=Decimal(10),
        tiers=(Tier(Decimal(150), Decimal(20)),),
        cap=Decimal(45),
        window="year",
        name="tiers",
    ),
    RevenueShare(
        to="north", share=Decimal(10), basis="first-year", trigger="sale", name="first-year"
    ),
    ReferralFee(to="north", fee=money("30.00 USD"), trigger="first-payment", name="fee"),
    RevenueSplit(
        parts=(Half("acme", Decimal(60)), Half("north", Decimal(40))),
        trigger="payment",
        name="split",
    ),
    RevenueSplit(
        parts=(Half("acme", Decimal(60)), Half("north", Decimal(40))),
        trigger="joint-revenue",
        name="joint",
    ),
)
AGREED = (
    terms(*ITEMS),
    terms(*ITEMS, confirm_within=7),
    terms(*ITEMS, on_word=("payment",)),
    terms(*ITEMS, confirm_within=7, on_word=("payment",)),
    terms(*ITEMS, confirm_within=7, on_word=("return", "reversal")),
)
"""The other side must confirm; silence confirms; the word of the side that gains is enough."""

SOLD = [replace(each, id=each.id.replace(" ", "-")) for each in sold("900.00 USD")]
OPENED = [each for each in SOLD if not isinstance(each, DealWon)]

PAID = said(
    PaymentReceived,
    "P1",
    "2026-03-02",
    deal="D1",
    amount=money("200.00 USD"),
    collected_by="acme",
)
CHAIN: tuple[Fact, ...] = (
    said(
        PaymentReturned,
        "lost",
        "2026-03-03",
        payment="P1",
        provider_id="dp",
        amount=money("200.00 USD"),
        kind="chargeback",
    ),
    said(ReturnReversed, "won-back", "2026-03-04", payment="P1", provider_id="dp"),
    said(
        PaymentReturned,
        "lost-again",
        "2026-03-05",
        payment="P1",
        provider_id="dp",
        amount=money("120.00 USD"),
        kind="refund",
    ),
    said(DealCancelled, "cancelled", "2026-03-06", deal="D1"),
)
"""What happens to the payment, one after the other."""

SALE: tuple[Fact, ...] = (
    said(DealWon, "won", "2026-03-02", deal="D1", value=money("900.00 USD")),
    said(DealCancelled, "called-off", "2026-03-04", deal="D1"),
    said(DealWon, "won-again", "2026-03-06", deal="D1", value=money("600.00 USD")),
)
ENTRY: tuple[Fact, ...] = (
    said(
        JointEntry,
        "E1",
        "2026-03-02",
        kind="joint-revenue",
        amount=money("100.00 USD"),
        holder="acme",
    ),
    said(EntryReversed, "V1", "2026-03-04", entry="E1", amount=money("40.00 USD")),
    said(EntryReversed, "V2", "2026-03-06", entry="E1", amount=money("60.00 USD")),
)
CASES: tuple[tuple[list[Fact], tuple[Fact, ...]], ...] = (
    (SOLD, (PAID, *CHAIN)),
    (OPENED, SALE),
    ([], ENTRY),
)
"""What is on record before, and what both sides tell."""

WHO = [("acme",), ("north",), ("acme", "north"), ("north", "acme")]
"""Who states a fact: of both, the first under its own name."""

STATERS = sweep([*every(WHO, WHO)], [*zip(WHO, reversed(WHO), strict=True), (WHO[2], WHO[2])])
"""Who states a payment, and who its refund: in all tests each states each once."""

ANSWERS: st.SearchStrategy[Answer] = st.sampled_from([Confirmed, Objected])

LATER = st.sampled_from([timedelta(0), timedelta(hours=30), timedelta(days=5)])
"""How much later the other side dates a payment: also after all that took it back."""


def stated(fact: Fact, who: Sequence[Party], other: Fact | None = None) -> list[Fact]:
    """A fact as one side or both state it; `other` is how the second side states it."""
    first = replace(fact, stated_by=who[0])
    if len(who) == 1:
        return [first]
    content = replace(other or fact, stated_by=who[1])
    at, told = content.occurred_at, content.recorded_at
    return [first, StatedAlso(f"also {fact.id}", at, max(at, told), who[1], fact.id, content)]


def half(fact: F) -> F:
    """A fact of half the amount, if it has one."""
    if isinstance(fact, (PaymentReceived, PaymentReturned, JointEntry)):
        return replace(fact, amount=Money(fact.amount.amount / 2, fact.amount.currency))
    if isinstance(fact, EntryReversed) and fact.amount:
        return replace(fact, amount=Money(fact.amount.amount / 2, fact.amount.currency))
    if isinstance(fact, DealWon):
        return replace(fact, value=Money(fact.value.amount / 2, fact.value.currency))
    return fact


def answered(kind: Answer, by: Party, claim: str, when: datetime) -> Fact:
    return kind(f"{by} {kind.__name__} {claim} {when}", when, when, by, claim)


@st.composite
def told(draw: st.DrawFn) -> list[Fact]:
    """A fact and what took it back, as both sides tell it."""
    before, chain = draw(st.sampled_from(CASES))
    facts: list[Fact] = [draw(st.sampled_from(AGREED)), *before]
    happened = chain[: draw(st.integers(2, len(chain)))]
    for fact in happened:
        second = draw(st.sampled_from([fact, half(fact)]))
        if isinstance(second, AT_ANY_TIME):
            second = replace(second, occurred_at=second.occurred_at + draw(LATER))
        if isinstance(second, PaymentReceived):
            second = replace(second, collected_by=draw(st.sampled_from(PARTIES)))
        late = timedelta(days=draw(st.sampled_from([0, 0, 1, 12])))
        second = replace(second, recorded_at=max(second.occurred_at, fact.recorded_at) + late)
        facts += stated(fact, draw(st.sampled_from(WHO)), second)
    for number in range(draw(st.integers(0, 4))):
        facts.append(draw(sayings(happened, number)))
    return sorted([*facts, until("2026-06-01")], key=lambda each: (each.recorded_at, each.id))


@st.composite
def sayings(draw: st.DrawFn, happened: Sequence[Fact], number: int) -> Fact:
    """An answer by either side, or a correction of what happened."""
    fact = draw(st.sampled_from(happened))
    by = draw(st.sampled_from(PARTIES))
    last = timedelta(days=draw(st.sampled_from([0, 0, 9])), minutes=number)
    when = at("2026-03-20") + last
    if draw(st.booleans()) and isinstance(fact, (PaymentReceived, PaymentReturned, DealWon)):
        right: Fact | None = draw(st.sampled_from([half(fact), fact, None]))
        if isinstance(right, PaymentReceived):
            right = replace(right, occurred_at=right.occurred_at + draw(LATER))
        if right:
            right = replace(right, stated_by=by)
        return Corrected(f"correction {number}", when, when, by, fact.id, right)
    return answered(draw(ANSWERS), by, fact.id, when)


@settings(max_examples=sweep(150, 60))
@given(told(), st.integers(0, 999))
def test_what_both_sides_state_and_answer_is_owed_alike(facts: list[Fact], seed: int) -> None:
    same = adapter.told(facts)
    model = adapter.lines_of_model(owed(same, PARTIES))
    for arrival, clock in arrivals(same, seed):
        product = adapter.recorded_life(arrival, clock=clock)
        assert not compared(seed, arrival, product, model)


def orders(facts: Sequence[Fact]) -> Iterator[list[Fact]]:
    """Every order of arrival within a second, each fact after what it rests on."""
    rests = needs(facts)

    def rest(found: list[Fact], left: list[Fact]) -> Iterator[list[Fact]]:
        if not left:
            yield found
        waiting = {each.id for each in left}
        for each in left:
            if not rests[each.id] & waiting:
                yield from rest([*found, each], [one for one in left if one is not each])

    begun = max(each.recorded_at for each in facts)
    for order in rest([], [*facts]):
        yield [
            replace(each, recorded_at=begun + timedelta(microseconds=place))
            for place, each in enumerate(order)
        ]


@pytest.mark.parametrize(
    "agreed", AGREED, ids=["confirmed", "silence", "payments", "payments-silence", "returns"]
)
@pytest.mark.parametrize("kind", [Confirmed, Objected])
@pytest.mark.parametrize("by", PARTIES)
def test_an_answer_to_a_refund_that_both_state_arrives_in_any_order(
    by: Party, kind: Answer, agreed: Fact
) -> None:
    before = [agreed, *SOLD]
    end = until("2026-06-01")
    when = at("2026-03-12")
    second = replace(half(PAID), occurred_at=at("2026-03-08"), collected_by="north")
    for payment, refund in STATERS:
        said_of = [
            *stated(PAID, payment, second),
            *stated(CHAIN[0], refund, half(CHAIN[0])),
            answered(kind, by, "lost", when),
        ]
        facts = adapter.told([*before, *said_of, end])
        known, news = facts[: len(before)], facts[len(before) : -1]
        for order in orders(news):
            arrival = [*known, *order, facts[-1]]
            model = adapter.lines_of_model(owed(arrival, PARTIES))
            product = adapter.recorded_life(arrival)
            assert not compared(0, arrival, product, model)
