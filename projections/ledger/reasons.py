"""Why a deal earns what it earns, and why one of its facts earns nothing."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum

from domain.claims import ClaimKind
from domain.terms import Item, ReferralFee, RevenueShare, RevenueSplit, Trigger
from projections.ledger.deals import DealView
from projections.ledger.rows import Fact

_FACTS = {ClaimKind.WIN: Trigger.SALE, ClaimKind.PAYMENT: Trigger.PAYMENT}
"""The facts that items price, and the trigger of each."""


class Nothing(StrEnum):
    """Why a fact earns a party nothing."""

    UNCONFIRMED = "unconfirmed"
    """The party that gains stated it, and the other has not confirmed it."""
    VOID = "void"
    """It was corrected: it never happened."""
    NOT_IN_TERM = "not-in-term"
    """Its day is before the term, after its end, or after the exit, and no tail covers it."""
    SETTLED_ELSEWHERE = "settled-elsewhere"
    """Its day is before the books of an adopted partnership begin."""
    WIN_UNCONFIRMED = "win-unconfirmed"
    """The party that gains stated the win, and the other has not confirmed it."""
    NOT_WON = "not-won"
    """The deal is not won, so nothing is credited yet."""
    CONTESTED = "contested"
    """Both parties touched the deal, and nothing decides between them."""
    NOT_CREDITED = "not-credited"
    """The policy credits the deal to the other party, or nobody touched it."""
    NO_ITEM = "no-item"
    """No item of its day pays the party for such a fact."""
    OUTSIDE = "outside"
    """The item counts only the first year or some months from the win."""
    OWN_MONEY = "own-money"
    """The party collected the money itself, so nothing is owed to it."""
    NOT_FIRST = "not-first"
    """The item pays a fee for the first payment of a deal."""
    RETURNED = "returned"
    """All of it was returned, or the sale was cancelled."""
    CAP = "cap"
    """The window had reached its cap."""
    TOO_SMALL = "too-small"
    """The amount rounds to nothing."""


@dataclass(frozen=True, slots=True)
class Priced:
    """What a fact of a deal earns a party by an item, or why it earns nothing."""

    fact: str
    day: date
    to: str
    stated: Decimal
    """The amount as it was first stated."""
    currency: str
    item: str
    """The name of the item; empty where no item prices it."""
    amount: Decimal
    """What it earned, after returns and before disputes."""
    nothing: Nothing | None = None
    """Why it earned nothing."""


def priced(view: DealView, earned: Mapping[tuple[str, str], Decimal]) -> Iterator[Priced]:
    """Yield, for a party, each sale and payment of a deal with what each item makes of it.

    `earned` is what the ledger posted for the party, by fact and item.
    """
    for kind, trigger in _FACTS.items():
        for key, first in view.known.of(kind):
            counted = view.known.content(key, first, view.party, view.known.other(view.party))
            fact = counted or view.known.stated(key, first, view.party, None)
            items = [*_paying(view, fact, trigger)]
            for item in items:
                amount = earned.get((key, item.name or ""), Decimal(0))
                nothing = None if amount else _why(view, key, first, counted, item)
                yield _priced(view, key, fact, item.name or "", amount, nothing)
            if not items:
                why = _why(view, key, first, counted, None)
                yield _priced(view, key, fact, "", Decimal(0), why)


def _priced(  # noqa: PLR0913, PLR0917 - what is told of a fact
    view: DealView, key: str, fact: Fact, item: str, amount: Decimal, nothing: Nothing | None
) -> Priced:
    day = view.known.day(fact)
    return Priced(key, day, view.party, fact.amount, fact.unit, item, amount, nothing)


def _paying(view: DealView, fact: Fact, trigger: Trigger) -> Iterator[Item]:
    for item in view.known.terms.items(view.known.day(fact)):
        match item:
            case RevenueShare(to=to) | ReferralFee(to=to):
                if to == view.party and item.trigger is trigger:
                    yield item
            case RevenueSplit():
                if item.trigger is trigger:
                    yield item
            case _:
                pass


def _why(view: DealView, key: str, first: Fact, counted: Fact | None, item: Item | None) -> Nothing:
    if counted is None and _is_void(view, key):
        return Nothing.VOID
    if item is None:
        return Nothing.NO_ITEM
    if view.contested:
        return Nothing.CONTESTED
    if not view.credit[0] and not isinstance(item, RevenueSplit):
        return Nothing.NOT_CREDITED
    if isinstance(item, RevenueSplit) and view.collector(key, counted or first) == view.party:
        return Nothing.OWN_MONEY
    if counted is None:
        return Nothing.UNCONFIRMED
    if not view.sales:
        wins = [each for each, _ in view.known.of(ClaimKind.WIN)]
        stands = any(not _is_void(view, each) for each in wins)
        return Nothing.WIN_UNCONFIRMED if stands else Nothing.NOT_WON
    if view.known.settled_elsewhere(view.known.day(counted)):
        return Nothing.SETTLED_ELSEWHERE
    if key.startswith("payment/"):
        return _why_payment(view, key, counted, item)
    if not view.known.terms.accrues(view.known.day(counted)):
        return Nothing.NOT_IN_TERM
    return _why_none_is_left(view, key, counted, item)


def _why_payment(view: DealView, key: str, payment: Fact, item: Item) -> Nothing:
    if not view.accrues(payment):
        return Nothing.NOT_IN_TERM
    if isinstance(item, RevenueShare) and not view.inside(item, payment):
        return Nothing.OUTSIDE
    first, _ = view.paid_for(view.sale_of(payment))[0]
    if isinstance(item, ReferralFee) and key != first:
        return Nothing.NOT_FIRST
    return _why_none_is_left(view, key, payment, item)


def _why_none_is_left(view: DealView, key: str, fact: Fact, item: Item) -> Nothing:
    if _came_to_nothing(view, key, fact, item):
        return Nothing.RETURNED
    if isinstance(item, RevenueShare) and item.cap is not None:
        return Nothing.CAP
    return Nothing.TOO_SMALL


def _is_void(view: DealView, key: str) -> bool:
    return any(each.void for each in view.known.corrections(key))


def _came_to_nothing(view: DealView, key: str, fact: Fact, item: Item) -> bool:
    """Whether a payment was fully returned, or the sale that earned came to nothing."""
    if key.startswith("payment/") and not isinstance(item, ReferralFee):
        return not view.remains(key)[-1].amount
    sale = view.sale_of(fact)
    if sale.cancelled:
        return True
    left = [view.remains(name)[-1].amount for name, _ in view.paid_for(sale)]
    return bool(left) and not any(left)
