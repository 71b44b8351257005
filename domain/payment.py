"""Payments of a deal, what is given back of them, and their corrections (C18)."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Literal

from domain.deal_record import ITS_REASON_STAYS, Deal, DealCommand, DealCorrection
from domain.facts import Stated, already_recorded, before, first, is_repeated, own, times, until
from domain.kernel import Act, Awaited, AwaitedKind, Event, Refused
from domain.sale import WIN, awaited_win
from domain.terms_by_day import Agreed
from domain.values import Day, Instant, PositiveMoney, Ref, Slug, Text, plain


class ReceivePayment(DealCommand):
    """Record a customer's payment on a won deal (C18)."""

    payment: Ref
    """The identifier of the payment."""
    amount: PositiveMoney
    """The amount of money."""
    collected_by: Slug | None = None
    """The party that received the money. Default: the party that sends this."""
    covers_from: Day | None = None
    """The first day that the payment covers. Default: the day of the payment."""


class PaymentReceived(Event):
    """A customer paid on a won deal (C18)."""

    deal: Ref
    """The identifier of the deal, given by the party that referred it."""
    payment: Ref
    """The identifier of the payment."""
    amount: PositiveMoney
    """The amount of money."""
    collected_by: Slug
    """The party that received the money."""
    covers_from: Day | None = None
    """The first day that the payment covers; None for the day of the payment."""


class IssueRefund(DealCommand):
    """Record a refund or a chargeback of a payment, in full or in part (C18)."""

    refund: Ref
    """The identifier of the refund."""
    payment: Ref
    """The identifier of the payment."""
    amount: PositiveMoney
    """The amount of money."""
    kind: Literal["refund", "chargeback"] = "refund"
    """A chargeback is a refund by the customer's bank."""


class RefundIssued(Event):
    """A payment was refunded or charged back, in full or in part (C18)."""

    deal: Ref
    """The identifier of the deal, given by the party that referred it."""
    refund: Ref
    """The identifier of the refund."""
    payment: Ref
    """The identifier of the payment."""
    amount: PositiveMoney
    """The amount of money."""
    kind: Literal["refund", "chargeback"]
    """Whether it is a refund or a chargeback by the customer's bank."""


class ReverseRefund(DealCommand):
    """Record that a chargeback was won back or that a refund failed (C18).

    Its payment counts again.
    """

    refund: Ref
    """The identifier of the refund."""
    reason: Text | None = None
    """The reason, in words."""


class RefundReversed(Event):
    """A chargeback was won back or a refund failed, and its payment counts again (C18)."""

    deal: Ref
    """The identifier of the deal, given by the party that referred it."""
    refund: Ref
    """The identifier of the refund."""
    payment: Ref
    """The identifier of the payment."""
    reason: Text | None = None
    """The reason, in words."""


class _PaymentCorrection(DealCorrection):
    payment: Ref
    """The identifier of the payment."""
    amount: PositiveMoney | None = None
    """The right amount of money. Default: as first stated."""
    happened_at: Instant | None = None
    """When the customer paid. Default: as first stated."""
    covers_from: Day | None = None
    """The first day that the payment covers. Default: as first stated."""
    collected_by: Slug | None = None
    """The party that received the money. Default: as first stated."""


class CorrectPayment(_PaymentCorrection, DealCommand):
    """Correct a payment: its amount, time or collector, or that it never happened (C18)."""


class PaymentCorrected(_PaymentCorrection, Event):
    """A payment was corrected (C18). A correction by the other party is a proposal."""

    deal: Ref
    """The identifier of the deal, given by the party that referred it."""


class _RefundCorrection(DealCorrection):
    refund: Ref
    """The identifier of the refund."""
    amount: PositiveMoney | None = None
    """The right amount of money. Default: as first stated."""
    happened_at: Instant | None = None
    """When the money was given back. Default: as first stated."""
    fact_at: Instant | None = None
    """Which of several refunds under the identifier is corrected, by its time as first stated.
    Default: the last one until now."""


class CorrectRefund(_RefundCorrection, DealCommand):
    """Correct a refund or a chargeback: its amount, its time, or that it never happened (C18)."""


class RefundCorrected(_RefundCorrection, Event):
    """A refund or a chargeback was corrected (C18). One by the other party is a proposal."""

    deal: Ref
    """The identifier of the deal, given by the party that referred it."""


# --- decisions -----------------------------------------------------------------------------------


def pay(command: ReceivePayment, state: Deal, act: Act) -> list[Event]:
    """Record a payment on a won deal, once by each party."""
    if WIN not in state.facts:
        raise Refused(
            "deal-not-won",
            f"Only a won deal can be paid. Deal {command.deal} is not won.",
            "Record the win (WinDeal).",
            awaits=awaited_win(command.deal),
        )
    event = PaymentReceived(
        deal=command.deal,
        payment=command.payment,
        amount=command.amount,
        collected_by=command.collected_by or act.party,
        covers_from=command.covers_from,
    )
    mine = own(state.facts.get(f"payment/{command.payment}", ()), act.party)
    if not mine:
        return [event]
    if mine[0].event == event:
        return []
    raise already_recorded(
        mine[0].event,
        f"Payment {command.payment} of deal {command.deal}",
        "Correct it (CorrectPayment), or give another payment an identifier of its own.",
    )


def refund(command: IssueRefund, state: Deal, act: Act, agreed: Agreed) -> list[Event]:
    """Record a refund of at most what is left of its payment at that time, once by each party.

    The same refund at another time is another one: charged back, won back, charged back again.
    """
    if f"payment/{command.payment}" not in state.facts:
        raise Refused(
            "no-such-payment",
            f"Only a recorded payment can be refunded. Deal {command.deal} has no payment "
            f"{command.payment}.",
            "Record the payment (ReceivePayment), or use the identifier of a recorded one.",
            awaits=Awaited(
                AwaitedKind.PAYMENT,
                command.payment,
                f"payment {command.payment} of deal {command.deal}",
            ),
        )
    event, name = RefundIssued.of(command), f"refund/{command.refund}"
    what = f"Refund {command.refund} of deal {command.deal}"
    correct = "Correct it (CorrectRefund), or give another refund an identifier of its own."
    if is_repeated(state.facts.get(name, ()), event, act, what, correct):
        return []
    for each in state.facts.get(name, ()):
        if not _is_of_same_money(each, event, act.party):
            raise already_recorded(each.event, what, correct)
    lost = own(before(state.facts, name, act.occurred_at), act.party)
    won_back = times(until(state.facts, f"reversal/{command.refund}", act.occurred_at))
    if len(lost) > won_back:
        raise Refused(
            "refund-not-reversed",
            f"A refund can happen again only after it was reversed. Refund {command.refund} of "
            f"deal {command.deal} happened on {agreed.day(lost[-1].at)}, and no reversal of it "
            f"before {agreed.day(act.occurred_at)} is recorded.",
            "If it was mistyped, correct it (CorrectRefund). If it was won back or failed in "
            "between, record that (ReverseRefund).",
            awaits=_reversal(command.refund, command.deal),
        )
    _check_left(command, state, act)
    return [event]


def _is_of_same_money(stated: Stated, event: RefundIssued, party: str) -> bool:
    """Whether a refund can have the identifier of another: both are of the same money.

    The other party can state another amount, of the same payment and in the same currency.
    """
    known = stated.event
    if not isinstance(known, RefundIssued):
        return False
    if stated.party == party:
        return known.model_copy(update={"kind": event.kind}) == event
    same = (known.payment, known.amount.currency)
    return same == (event.payment, event.amount.currency)


def _check_left(command: IssueRefund, state: Deal, act: Act) -> None:
    """Raise `Refused` if a refund exceeds what was left of its payment when it happened.

    It waits: a reversal or a correction that makes room may still come.
    """
    most = _most_paid(command.amount.currency, command.payment, state)
    left = most - sum(_given_back(command, state, act.occurred_at), Decimal(0))
    stated = _stated_of(f"refund/{command.refund}", state)
    if min([command.amount.amount, *stated]) <= left:
        return
    raise Refused(
        "refund-exceeds-payment",
        f"A refund cannot exceed what is left of its payment. The refund is {command.amount}; "
        f"{plain(max(left, Decimal(0)))} {command.amount.currency} is left of payment "
        f"{command.payment}.",
        "Refund at most what is left, in the payment's currency. If an earlier refund was won back "
        "or failed, record that (ReverseRefund); if an amount was mistyped, correct it "
        "(CorrectPayment, CorrectRefund).",
        awaits=_reversal(command.payment, command.deal),
    )


def _most_paid(currency: str, payment: str, state: Deal) -> Decimal:
    """Return the greatest amount that was stated of a payment in a currency.

    Which statement or correction counts is not known here, and a later one may raise the amount.
    """
    name = f"payment/{payment}"
    stated = [
        each.event.amount
        for each in (*state.facts[name], *state.facts.get(f"correction/{name}", ()))
        if isinstance(each.event, PaymentReceived | PaymentCorrected) and each.event.amount
    ]
    return max((each.amount for each in stated if each.currency == currency), default=Decimal(0))


def _given_back(apart_from: IssueRefund, state: Deal, moment: datetime) -> Iterator[Decimal]:
    """Yield the least that each other refund of a payment gave back by a moment.

    A refund that was reversed by then gave back nothing. A correction may have lowered the amount.
    """
    for name, found in state.facts.items():
        issued = found[0].event
        if not isinstance(issued, RefundIssued) or issued.payment != apart_from.payment:
            continue
        if issued.refund == apart_from.refund:
            continue
        lost = until(state.facts, name, moment)
        won_back = until(state.facts, f"reversal/{issued.refund}", moment)
        if min(_each_times(lost), default=0) > max(_each_times(won_back), default=0):
            yield min(_stated_of(name, state))


def _each_times(found: Sequence[Stated]) -> Iterator[int]:
    """Yield how often each party that states a fact says that it happened."""
    for party in {each.party for each in found}:
        yield len(own(found, party))


def _stated_of(name: str, state: Deal) -> Iterator[Decimal]:
    """Yield each amount that was stated of a refund."""
    for each in (*state.facts.get(name, ()), *state.facts.get(f"correction/{name}", ())):
        if isinstance(each.event, RefundCorrected) and each.event.void:
            yield Decimal(0)
        if isinstance(each.event, RefundIssued | RefundCorrected) and each.event.amount:
            yield each.event.amount.amount


def _reversal(name: str, deal: str) -> Awaited:
    return Awaited(AwaitedKind.REVERSAL, name, f"a reversal or correction of {name} of deal {deal}")


def reverse(command: ReverseRefund, state: Deal, act: Act, agreed: Agreed) -> list[Event]:
    """Record that a refund no longer counts: it failed, or a chargeback was won back.

    Each party states it once for each time that the refund happened.
    """
    name = f"refund/{command.refund}"
    found = state.facts.get(f"reversal/{command.refund}", ())
    mine = own(before(state.facts, f"reversal/{command.refund}", act.occurred_at), act.party)
    issued = first(state.facts, name)
    if issued is not None and isinstance(issued.event, RefundIssued):
        event = RefundReversed(
            deal=command.deal,
            refund=command.refund,
            payment=issued.event.payment,
            reason=command.reason,
        )
        what = f"The reversal of refund {command.refund}"
        if is_repeated(found, event, act, what, ITS_REASON_STAYS):
            return []
        if times(until(state.facts, name, act.occurred_at)) > len(mine):
            return [event]
    raise Refused(
        "no-such-refund",
        "Only a refund that happened before and is not reversed yet can be reversed. Deal "
        f"{command.deal} has no refund {command.refund} to reverse before "
        f"{agreed.day(act.occurred_at)}.",
        "Record the refund (IssueRefund), or use the identifier of a recorded one.",
        awaits=Awaited(
            AwaitedKind.REFUND, command.refund, f"refund {command.refund} of deal {command.deal}"
        ),
    )
