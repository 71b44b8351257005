"""A deal: one referral on its way through the funnel to payment and refund (C18)."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import assert_never

from domain.kernel import AFTER_KICKOFF, Act, Command, Event, Refused, Value, once
from domain.values import Count, Instant, Money, Ref, Slug, Text, plain


class Method(StrEnum):
    """How a referral is tied to the partner (C18)."""

    UTM = "utm"
    REFERRAL_CODE = "referral-code"
    PROMO_CODE = "promo-code"
    LANDING_PAGE = "landing-page"
    MANUAL = "manual"


class DealCommand(Command):
    """What is asked of one deal of a partnership."""

    stages = AFTER_KICKOFF
    deal: Ref


class _Referral(Value):
    lead: Text
    """Whom it is about, as the sender names them; no personal data is needed."""
    campaign: Slug | None = None


class SubmitReferral(_Referral, DealCommand):
    """Send a lead that the partner sourced (C18)."""


class ReferralSubmitted(_Referral, Event):
    """A partner-sourced lead arrived (C18)."""

    deal: Ref


class _Attribution(Value):
    method: Method
    evidence: Text
    """The code, the tagged address or the page that shows it."""


class AttributeReferral(_Attribution, DealCommand):
    """Tie a lead to the partner by a code, a tag or a page (C18)."""


class ReferralAttributed(_Attribution, Event):
    """A lead was tied to the partner; nothing accrues without (C18)."""

    deal: Ref
    referred_at: Instant
    """When the lead had arrived: the share of tagged leads counts by that day."""


class QualifyLead(DealCommand):
    """Say that a lead fits (C18)."""


class LeadQualified(Event):
    """A lead was found to fit (C18)."""

    deal: Ref


class CreateOpportunity(DealCommand):
    """Open an opportunity on a lead (C18)."""


class OpportunityCreated(Event):
    """A lead became an opportunity (C18)."""

    deal: Ref


class HoldDemo(DealCommand):
    """Show the product (C18)."""


class DemoHeld(Event):
    """A demo was held (C18)."""

    deal: Ref


class WinDeal(DealCommand):
    """Win a deal, with its annual contract value (C18)."""

    annual_contract_value: Money


class DealWon(Event):
    """A deal was won (C18)."""

    deal: Ref
    annual_contract_value: Money
    days_to_close: Count
    """Whole days from the lead's arrival."""


class LoseDeal(DealCommand):
    """Lose a deal, with the reason (C18)."""

    reason: Text


class DealLost(Event):
    """A deal was lost (C18)."""

    deal: Ref
    reason: Text


class ReceivePayment(DealCommand):
    """Take a customer's payment on a won deal (C18)."""

    payment: Ref
    amount: Money


class PaymentReceived(Event):
    """A customer paid (C18)."""

    deal: Ref
    payment: Ref
    amount: Money


class IssueRefund(DealCommand):
    """Give a payment back, in full or in part (C18)."""

    refund: Ref
    payment: Ref
    amount: Money


class RefundIssued(Event):
    """A payment was given back, in full or in part (C18)."""

    deal: Ref
    refund: Ref
    payment: Ref
    amount: Money


class Step(StrEnum):
    """The steps of the funnel that a deal takes at most once."""

    ATTRIBUTED = "attributed"
    QUALIFIED = "qualified"
    OPPORTUNITY = "opportunity"
    DEMO = "demo"
    WON = "won"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class Deal:
    """Where one referral stands."""

    referral: ReferralSubmitted | None = None
    referred_at: datetime | None = None
    steps: Mapping[Step, Event] = field(default_factory=dict)
    payments: Mapping[str, PaymentReceived] = field(default_factory=dict)
    refunds: Mapping[str, RefundIssued] = field(default_factory=dict)


def decide(command: DealCommand, state: Deal, act: Act, ends_at: datetime | None) -> list[Event]:
    """Decide a command on a deal. `ends_at` is when the partnership's exit takes effect, if ever.

    Raises `Refused`.
    """
    if isinstance(command, SubmitReferral):
        return submit(command, state, act, ends_at)
    referred_at = state.referred_at
    if state.referral is None or referred_at is None:
        raise Refused(
            "no-such-deal",
            f"No referral {command.deal} was submitted.",
            "Submit it first (SubmitReferral), then send this again.",
        )
    match command:
        case AttributeReferral():
            event = ReferralAttributed.of(command, referred_at=referred_at)
            return _step(Step.ATTRIBUTED, event, state)
        case QualifyLead():
            return _step(Step.QUALIFIED, LeadQualified.of(command), state)
        case CreateOpportunity():
            return _step(Step.OPPORTUNITY, OpportunityCreated.of(command), state)
        case HoldDemo():
            return _step(Step.DEMO, DemoHeld.of(command), state)
        case WinDeal():
            return win(command, state, act, referred_at)
        case LoseDeal():
            return lose(command, state)
        case ReceivePayment():
            return pay(command, state)
        case IssueRefund():
            return refund(command, state)
        case _:
            assert_never(command)  # type: ignore[arg-type] # DealCommand is closed by this module


def submit(command: SubmitReferral, state: Deal, act: Act, ends_at: datetime | None) -> list[Event]:
    """Take a referral once, made before the partnership's exit takes effect (C18, C27)."""
    event = ReferralSubmitted.of(command)
    if state.referral == event:
        return []
    if state.referral is not None:
        raise Refused(
            "deal-exists",
            f"Deal {command.deal} is another referral.",
            "Give each referral an identifier of its own.",
        )
    if ends_at is not None and act.occurred_at >= ends_at:
        raise Refused(
            "after-exit",
            f"The partnership ended on {ends_at:%Y-%m-%d}; the referral is of "
            f"{act.occurred_at:%Y-%m-%d}.",
            "Only what happened before the effective date counts.",
        )
    return [event]


def win(command: WinDeal, state: Deal, act: Act, referred_at: datetime) -> list[Event]:
    """Win an opportunity that is not lost."""
    if Step.OPPORTUNITY not in state.steps:
        raise Refused(
            "no-opportunity",
            f"Deal {command.deal} is no opportunity yet.",
            "Record the opportunity first (CreateOpportunity).",
        )
    _still_open(Step.LOST, command.deal, state)
    days = max(0, (act.occurred_at - referred_at).days)
    event = DealWon.of(command, days_to_close=days)
    standing = state.steps.get(Step.WON)
    if isinstance(standing, DealWon):
        # A second report of the same win may come on another day; the first day stands.
        event = event.model_copy(update={"days_to_close": standing.days_to_close})
    return _step(Step.WON, event, state)


def lose(command: LoseDeal, state: Deal) -> list[Event]:
    """Lose a deal that is not won."""
    _still_open(Step.WON, command.deal, state)
    return _step(Step.LOST, DealLost.of(command), state)


def pay(command: ReceivePayment, state: Deal) -> list[Event]:
    """Take a payment on a won deal, in the deal's currency, once."""
    won = state.steps.get(Step.WON)
    if not isinstance(won, DealWon):
        raise Refused(
            "deal-not-won",
            f"Deal {command.deal} is not won, so nothing can be paid on it.",
            "Record the win first (WinDeal).",
        )
    _positive(command.amount)
    if command.amount.currency != won.annual_contract_value.currency:
        raise Refused(
            "other-currency",
            f"Deal {command.deal} is in {won.annual_contract_value.currency}, "
            f"the payment in {command.amount.currency}.",
            "Give the payment in the deal's currency.",
        )
    return _of_deal(PaymentReceived.of(command), state.payments.get(command.payment), "payment")


def refund(command: IssueRefund, state: Deal) -> list[Event]:
    """Refund at most what was paid, each refund once."""
    paid = state.payments.get(command.payment)
    if paid is None:
        raise Refused(
            "no-such-payment",
            f"Deal {command.deal} has no payment {command.payment}.",
            "Name the payment that is given back.",
        )
    event = RefundIssued.of(command)
    standing = state.refunds.get(command.refund)
    if standing is not None:
        return _of_deal(event, standing, "refund")
    _positive(command.amount)
    given_back = sum(
        (each.amount.amount for each in state.refunds.values() if each.payment == command.payment),
        Decimal(0),
    )
    left = paid.amount.amount - given_back
    if command.amount.currency != paid.amount.currency or command.amount.amount > left:
        raise Refused(
            "refund-exceeds-payment",
            f"{command.amount} cannot be given back: {plain(left)} {paid.amount.currency} is left "
            f"of payment {command.payment}.",
            "Refund at most what is left, in the payment's currency.",
        )
    return [event]


def _step(step: Step, event: Event, state: Deal) -> list[Event]:
    return _of_deal(event, state.steps.get(step), step)


def _of_deal(event: Event, standing: Event | None, what: str) -> list[Event]:
    return once(
        event,
        standing,
        "already-recorded",
        f"Another {what} of this deal is on record.",
        "History is not edited: give a new fact an identifier of its own.",
    )


def _still_open(closed: Step, deal: str, state: Deal) -> None:
    if closed in state.steps:
        raise Refused(
            "deal-closed", f"Deal {deal} is {closed} already.", "Submit a new referral instead."
        )


def _positive(money: Money) -> None:
    if money.amount <= 0:
        raise Refused(
            "amount-not-positive",
            f"{money} is no amount to pay.",
            "Give an amount above zero; money that goes back is a refund.",
        )


def evolve(state: Deal, event: Event, act: Act) -> Deal:
    """Take a fact into a deal's state."""
    match event:
        case ReferralSubmitted():
            return replace(state, referral=event, referred_at=act.occurred_at)
        case ReferralAttributed():
            return _taken(state, Step.ATTRIBUTED, event)
        case LeadQualified():
            return _taken(state, Step.QUALIFIED, event)
        case OpportunityCreated():
            return _taken(state, Step.OPPORTUNITY, event)
        case DemoHeld():
            return _taken(state, Step.DEMO, event)
        case DealWon():
            return _taken(state, Step.WON, event)
        case DealLost():
            return _taken(state, Step.LOST, event)
        case PaymentReceived():
            return replace(state, payments={**state.payments, event.payment: event})
        case RefundIssued():
            return replace(state, refunds={**state.refunds, event.refund: event})
        case _:
            return state


def _taken(state: Deal, step: Step, event: Event) -> Deal:
    steps = {**state.steps, step: event}
    return Deal(state.referral, state.referred_at, steps, state.payments, state.refunds)
