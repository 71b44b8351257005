"""What binds a party to more than an agreed amount, so that a second person confirms it.

The terms in force on the day of recording give the amounts, because the day of an act is its
party's claim. An amount is every sum of money that a binding event names. What an event does not
name is looked up: the amount of the payout, the fee of the penalty, the disputed amount. A share
has no amount, so terms with one always need the second person, and so do terms that change the
amounts above which it confirms.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from pydantic import BaseModel

from domain.dispute import Dispute, DisputeOpened, ResolutionProposed
from domain.entry import Entry, PenaltyConceded
from domain.kernel import Act, Event
from domain.partnership import Partnership
from domain.payouts import PayoutCorrected, PayoutReturned
from domain.settlement import FinalSettlementIssued, StatementIssued
from domain.signing import Effect, effect_of
from domain.terms import CostShare, Penalty, RevenueShare, RevenueSplit
from domain.terms_by_day import TermsByDay
from domain.values import Money

_BIND_TO_NOTHING = (DisputeOpened, FinalSettlementIssued, StatementIssued)
"""Events with amounts that others owe, or that follow from the ledger."""


def exceeds(
    decided: Iterable[Event], state: Partnership | Dispute | Entry, of: Partnership, act: Act
) -> bool:
    """Whether a second person confirms what was decided on a state of a partnership."""
    terms = of.context.terms
    if not terms.is_agreed:
        return False
    limits = terms.frame(terms.day(act.recorded_at)).second_person_above
    if not limits:
        return False
    most = {each.currency: each.amount for each in limits}
    return any(
        _has_no_amount(event)
        or any(
            each.currency not in most or each.amount > most[each.currency]
            for each in amounts(event, state, terms, act)
        )
        for event in decided
        if effect_of(type(event)) is Effect.BINDS and not isinstance(event, _BIND_TO_NOTHING)
    )


def _has_no_amount(event: Any) -> bool:  # noqa: ANN401 - terms, proposed or agreed
    """Whether terms change the limits themselves, or pay a share."""
    frame, items = getattr(event, "frame", None), getattr(event, "items", None) or ()
    if frame is not None and frame.second_person_above is not None:
        return True
    return any(isinstance(each, RevenueShare | RevenueSplit | CostShare) for each in items)


def amounts(
    event: Event, state: Partnership | Dispute | Entry, terms: TermsByDay, act: Act
) -> Iterator[Money]:
    """Yield the amounts above zero that an event binds its party to."""
    for each in (*_named(event), *_looked_up(event, state, terms, act)):
        if each.amount:
            yield each


def _named(value: object) -> Iterator[Money]:
    """Yield every amount that an event names."""
    match value:
        case Money():
            yield value
        case BaseModel():
            for _, each in value:
                yield from _named(each)
        case list() | tuple():
            for each in value:
                yield from _named(each)
        case dict():
            yield from _named([*value.values()])
        case _:
            return


def _looked_up(
    event: Event, state: Partnership | Dispute | Entry, terms: TermsByDay, act: Act
) -> Iterator[Money]:
    """Yield the amounts that an event does not name, but is about."""
    match event, state:
        case ((PayoutCorrected() | PayoutReturned()), Partnership()):
            payout = state.settlement.payouts.made.get(event.payout)
            if payout and payout.recorded:
                yield payout.recorded[0].amount
        case PenaltyConceded(), _:
            items = terms.items(terms.day(act.occurred_at))
            yield from (
                each.fee
                for each in items
                if isinstance(each, Penalty) and each.condition == event.condition
            )
        case ResolutionProposed(), Dispute(opened=DisputeOpened(amount=Money() as amount)):
            yield amount
        case _:
            return
