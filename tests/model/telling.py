"""Short words for facts in examples: times, money, terms, a deal from referral to sale."""

from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TypeVar, cast

from tests.model.facts import (
    Attribution,
    Confirmed,
    Corrected,
    DealWon,
    Fact,
    Frame,
    Item,
    Money,
    OpportunityCreated,
    Party,
    PaymentReceived,
    PaymentReturned,
    Policy,
    ReferralSubmitted,
    TermsAgreed,
    TimePassed,
    TouchClaimed,
)
from tests.model.owed import Line, owed

PARTIES: tuple[Party, Party] = ("acme", "north")

F = TypeVar("F", bound=Fact)


def at(text: str) -> datetime:
    """`2026-02-01` is 09:00 UTC of that day; a time of day is UTC too."""
    found = datetime.fromisoformat(text)
    return (found if "T" in text else found.replace(hour=9)).replace(tzinfo=UTC)


def money(text: str) -> Money:
    """`100.00 USD`."""
    amount, currency = text.split()
    return Money(Decimal(amount), currency)


def said(kind: type[F], identity: str, when: str, by: Party = "acme", /, **content: object) -> F:
    """A fact that was recorded when it happened."""
    return cast("Callable[..., F]", kind)(identity, at(when), at(when), by, **content)


def terms(
    *items: Item,
    when: str = "2025-11-10",
    start: str | None = "2026-01-01",
    first_day: str = "2026-01-01",
    until: str | None = None,
    identity: str = "terms",
    attribution: Policy | None = None,
    attribution_window: int = 0,
    **frame: object,
) -> TermsAgreed:
    """Terms from a day on; amendments leave out the start, or the items."""
    weighed = Attribution(attribution, attribution_window) if attribution else None
    begin = date.fromisoformat(start) if start else None
    return said(
        TermsAgreed,
        identity,
        when,
        "north",
        effective_from=date.fromisoformat(first_day),
        frame=cast("Callable[..., Frame]", Frame)(start=begin, attribution=weighed, **frame),
        items=items or None,
        until=date.fromisoformat(until) if until else None,
    )


def amended(*items: Item, first_day: str, when: str | None = None, **more: object) -> TermsAgreed:
    """An amendment that was agreed on its first day, unless another day is named."""
    make = cast("Callable[..., TermsAgreed]", terms)
    day = when or first_day
    return make(*items, when=day, start=None, first_day=first_day, identity=f"terms {day}", **more)


def referred(deal: str = "D1", when: str = "2026-02-01", by: Party = "north") -> list[Fact]:
    """A lead that one party brought and that the other works on."""
    seller = "acme" if by == "north" else "north"
    return [
        said(ReferralSubmitted, f"referral {deal}", when, by, deal=deal),
        said(TouchClaimed, f"touch {deal}", when, by, deal=deal, to=by, touched_at=at(when)),
        said(OpportunityCreated, f"opportunity {deal}", when, seller, deal=deal),
    ]


def sold(
    value: str = "1200.00 USD", deal: str = "D1", when: str = "2026-02-01", by: Party = "north"
) -> list[Fact]:
    """A deal from referral to sale; the party that did not bring it sells it."""
    seller = "acme" if by == "north" else "north"
    win = said(DealWon, f"win {deal}", when, seller, deal=deal, value=money(value))
    return [*referred(deal, when, by), win]


def paid(
    identity: str, when: str, amount: str, deal: str = "D1", by: Party = "acme"
) -> PaymentReceived:
    return said(PaymentReceived, identity, when, by, deal=deal, amount=money(amount))


def returned(
    payment: str, when: str, amount: str, by: Party = "acme", provider_id: str = "dp_1"
) -> PaymentReturned:
    return said(
        PaymentReturned,
        f"return {payment} {when}",
        when,
        by,
        payment=payment,
        provider_id=provider_id,
        amount=money(amount),
    )


def corrected(fact: Fact, right: Fact | None, when: str, by: Party = "acme") -> Corrected:
    identity = f"correction of {fact.id} by {by}"
    return said(Corrected, identity, when, by, corrects=fact.id, replacement=right)


def confirmed(fact: Fact, when: str, by: Party = "acme") -> Confirmed:
    return said(Confirmed, f"{by} confirmed {fact.id}", when, by, claim=fact.id)


def until(when: str) -> TimePassed:
    return said(TimePassed, f"clock {when}", when)


def lines(facts: Iterable[Fact]) -> list[Line]:
    return owed(facts, PARTIES)


def earned(facts: Iterable[Fact], to: Party = "north", item: str | None = None) -> Decimal:
    """What a party gets in all, in the currency of its lines (of which there is one)."""
    found = [each for each in lines(facts) if each.to == to and item in {None, each.item}]
    assert len({each.currency for each in found}) <= 1
    return sum((each.amount for each in found), Decimal(0))


def told(facts: Iterable[Fact], to: Party = "north") -> list[str]:
    """Each line as its day and amount."""
    return [f"{each.day} {each.amount}" for each in lines(facts) if each.to == to]


def settled(facts: Iterable[Fact], to: Party = "north") -> list[str]:
    """Each line as its month, its amount on a statement, and that statement's currency."""
    return [
        f"{each.month} {each.settled} {each.settles_in}" for each in lines(facts) if each.to == to
    ]
