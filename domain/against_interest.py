"""Objections to what a party states against its own interest, which counts at once.

An objection keeps silence from confirming a claim (`money.md`, section 6), and figures leave out a
referral, a touch, a win, a payment, an entry, its reversal or a report while the other party
objects to it. Of anything else that counts at once it changes nothing, so it is refused. What a
party takes back or corrects can still be stated by the other party too, from its own records. The
objection then changes something, so it waits for that statement, in any order of arrival.
"""

from decimal import Decimal
from typing import Final, NamedTuple

from domain.claims import ObjectToClaim, claimed, counts_at_once, own_statement
from domain.facts import Facts, Stated, own
from domain.kernel import Act, Event
from domain.payment import (
    PaymentCorrected,
    PaymentReceived,
    RefundCorrected,
    RefundIssued,
    RefundReversed,
)
from domain.sale import WIN, DealCancelled, DealWon, WinCorrected
from domain.terms import (
    CostShare,
    Incentive,
    Item,
    LicenceFee,
    Penalty,
    ReferralFee,
    Retainer,
    RevenueShare,
)
from domain.terms_by_day import TermsByDay, all_items

_MOVES: Final = ("happened_at", "covers_from", "collected_by")
"""The fields of a correction that can change what a fact earns, either way, beside its amount."""


class _Change(NamedTuple):
    gives: bool
    takes: bool


def check_deal(command: ObjectToClaim, facts: Facts, act: Act, terms: TermsByDay) -> None:
    """Raise `Refused` for an objection that changes nothing about a deal."""
    claim = claimed(command, facts, act.party, act.occurred_at)
    if claim is None:
        return
    items = all_items(terms.agreed)
    gains = {party: any(_pays(each, party) for each in items) for party in (claim.party, act.party)}
    of = _of(command.fact, claim)
    if not _has_effect(of, claim, facts, act.party, gains):
        awaits = own_statement(command, of, act.party) if of else None
        raise counts_at_once(command, claim.party, awaits)


def _of(name: str, claim: Stated) -> str:
    """Return the name of the fact that a claim takes back or corrects; empty if it does neither."""
    match claim.event:
        case DealCancelled():
            return WIN
        case RefundIssued(payment=payment):
            return f"payment/{payment}"
        case WinCorrected() | PaymentCorrected() | RefundCorrected():
            return name.removeprefix("correction/")
        case _:
            return ""


def _pays(item: Item, party: str) -> bool:
    """Whether a party can gain by a sale or a payment under an item."""
    match item:
        case RevenueShare(to=to) | ReferralFee(to=to):
            return to == party
        case Retainer() | LicenceFee() | CostShare() | Penalty() | Incentive():
            return False
        case _:
            return True


def _has_effect(of: str, claim: Stated, facts: Facts, party: str, gains: dict[str, bool]) -> bool:
    """Whether an objection of a party can change what anybody earns, or ends an alert."""
    if of and not _is_own(of, claim, facts, party):
        return True
    match claim.event:
        case DealCancelled() | RefundIssued():
            return False
        case RefundReversed():
            return gains[claim.party]
        case WinCorrected() | PaymentCorrected() | RefundCorrected():
            gives, takes = _change(claim, facts[of], facts[f"correction/{of}"])
            return (gives and gains[claim.party]) or (takes and gains[party])
        case _:
            return True


def _is_own(name: str, claim: Stated, facts: Facts, party: str) -> bool:
    """Whether who stated a claim alone states the fact that it takes back or corrects."""
    found = facts.get(name, ())
    return bool(own(found, claim.party)) and not own(found, party)


def _change(claim: Stated, stated: tuple[Stated, ...], corrections: tuple[Stated, ...]) -> _Change:
    """Return whether a correction gives to the side that gains by the fact, and takes from it.

    It is compared with all that its party stated of the fact until then.
    """
    first = own(stated, claim.party)[0].event
    earlier = [each.event for each in own(corrections, claim.party) if each.at <= claim.at]
    if any(_moves(each, first, name) for each in earlier for name in _MOVES):
        return _Change(gives=True, takes=True)
    amounts = [_amount(each, first) for each in (first, *earlier)]
    new = _amount(claim.event, first)
    more, less = new > min(amounts), new < max(amounts)
    return _Change(less, more) if isinstance(first, RefundIssued) else _Change(more, less)


def _moves(correction: Event, first: Event, name: str) -> bool:
    """Whether a correction gives a field that is not as first stated."""
    return getattr(correction, name, None) not in {None, getattr(first, name, None)}


def _amount(event: Event, first: Event) -> Decimal:
    """Return the amount of a fact, or of a correction, which repeats the first one by default."""
    match event:
        case (
            DealWon(annual_contract_value=money)
            | WinCorrected(annual_contract_value=money, void=False)
        ) if money is not None:
            return money.amount
        case PaymentReceived(amount=money) | RefundIssued(amount=money):
            return money.amount
        case (
            PaymentCorrected(amount=money, void=False) | RefundCorrected(amount=money, void=False)
        ) if money is not None:
            return money.amount
        case _:
            return Decimal(0) if getattr(event, "void", False) else _amount(first, first)
