"""Deals: one referral through the funnel, from the lead to payments and refunds (C18)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, Literal, assert_never

from domain.attribution import Claim, Method, credit
from domain.bilateral import (
    BilateralAgreement,
    BilateralAgreements,
    BilateralCommand,
    BilateralProposed,
)
from domain.kernel import (
    AFTER_KICKOFF,
    Act,
    Awaited,
    AwaitedKind,
    Command,
    Event,
    Refused,
    Value,
    recorded_once,
)
from domain.terms import check_parties, check_shares
from domain.terms_by_day import Agreed
from domain.values import Count, Day, Instant, Money, Percent, PositiveMoney, Ref, Slug, Text, plain


class DealCommand(Command):
    """A command on one deal of a partnership."""

    stages = AFTER_KICKOFF
    deal: Ref
    """The identifier of the deal, given by the party that referred it."""

    def substream(self) -> str:
        """Return the name of its stream below the partnership's."""
        return f"deal/{self.deal}"


class _Referral(Value):
    lead: Text
    """The lead, as the sender names it. No personal data is needed."""
    campaign: Slug | None = None
    """The campaign that brought the lead."""


class SubmitReferral(_Referral, DealCommand):
    """Submit a lead that the partner sourced (C18)."""


class ReferralSubmitted(_Referral, Event):
    """A partner-sourced lead was submitted (C18)."""

    deal: Ref
    """The identifier of the deal, given by the party that referred it."""


class _Attribution(Value):
    method: Method
    """How the lead is tied to the party."""
    evidence: Text
    """The code, the tagged address or the page that shows the touch."""


class AttributeReferral(_Attribution, DealCommand):
    """Claim a lead for a party by a code, a tag or a page (C18).

    Both parties can claim the same lead; the agreed policy decides between them.
    """

    to: Slug | None = None
    """The party that is credited. Default: the party that submitted the referral."""
    touched_at: Instant | None = None
    """When the party touched the lead. Default: when the referral was submitted."""


class ReferralAttributed(_Attribution, Event):
    """A lead was claimed for a party. Nothing accrues without such a claim (C18)."""

    deal: Ref
    """The identifier of the deal, given by the party that referred it."""
    to: Slug
    """The party that is credited."""
    touched_at: Instant
    """When the party touched the lead."""
    contests: list[Slug] = []
    """The other parties that already claim the same lead."""
    undecided: bool = False
    """Whether no policy in force decides between the claims. Then nothing accrues."""
    referred_at: Instant
    """When the referral was submitted. The share of tagged leads is counted by that day."""


class AttributionSettled(
    BilateralAgreement,
    name="Attribution",
    subject="who is credited with a lead that both parties claim (C18)",
    base=DealCommand,
    counted=None,
):
    """Both parties settled who is credited with a lead. This overrides the policy (C18)."""

    deal: Ref
    """The identifier of the deal, given by the party that referred it."""
    proposal: Ref
    """The identifier of the proposal."""
    shares: dict[Slug, Percent]
    """The share of the lead that each party is credited with; they add up to 100."""

    @classmethod
    def check(cls, proposed: Any, context: Agreed) -> None:  # noqa: ANN401 - made
        """Raise `Refused` unless the shares name the parties and add up to 100."""
        check_shares(proposed.shares, context.parties)


ProposeAttribution = AttributionSettled.proposes
AttributionProposed = AttributionSettled.proposed
AgreeAttribution = AttributionSettled.accepts


class QualifyLead(DealCommand):
    """Record that a lead is qualified (C18)."""


class LeadQualified(Event):
    """A lead was qualified (C18)."""

    deal: Ref
    """The identifier of the deal, given by the party that referred it."""


class CreateOpportunity(DealCommand):
    """Record that a lead is an opportunity (C18)."""


class OpportunityCreated(Event):
    """A lead became an opportunity (C18)."""

    deal: Ref
    """The identifier of the deal, given by the party that referred it."""


class HoldDemo(DealCommand):
    """Record that a demo was held (C18)."""


class DemoHeld(Event):
    """A demo was held (C18)."""

    deal: Ref
    """The identifier of the deal, given by the party that referred it."""


class WinDeal(DealCommand):
    """Record that a deal was won, with its annual contract value (C18)."""

    annual_contract_value: Money
    """What the customer pays in a year by the contract."""


class DealWon(Event):
    """A deal was won (C18)."""

    deal: Ref
    """The identifier of the deal, given by the party that referred it."""
    annual_contract_value: Money
    """What the customer pays in a year by the contract."""
    days_to_close: Count
    """Whole days from the referral to the win."""


class LoseDeal(DealCommand):
    """Record that a deal was lost, with the reason (C18)."""

    reason: Text
    """The reason, in words."""


class DealLost(Event):
    """A deal was lost (C18)."""

    deal: Ref
    """The identifier of the deal, given by the party that referred it."""
    reason: Text
    """The reason, in words."""


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
    covers_from: Day
    """The first day that the payment covers."""
    first: bool
    """Whether it is the first payment of the deal (C19)."""


class IssueRefund(DealCommand):
    """Record a refund or a chargeback of a payment, in full or in part (C18)."""

    refund: Ref
    """The identifier of the refund."""
    payment: Ref
    """The identifier of the payment."""
    amount: PositiveMoney
    """The amount of money."""
    kind: Literal["refund", "chargeback"] = "refund"
    """A chargeback is a refund by the customer's bank; it can be reversed (ReverseChargeback)."""


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


class ReverseChargeback(DealCommand):
    """Record that a chargeback was reversed, so that its payment counts again (C18)."""

    refund: Ref
    """The identifier of the refund."""


class ChargebackReversed(Event):
    """A chargeback was reversed, and its payment counts again (C18)."""

    deal: Ref
    """The identifier of the deal, given by the party that referred it."""
    refund: Ref
    """The identifier of the refund."""
    payment: Ref
    """The identifier of the payment."""
    amount: PositiveMoney
    """The amount of money."""


class Step(StrEnum):
    """The steps of the funnel. A deal takes each at most once."""

    QUALIFIED = "qualified"
    OPPORTUNITY = "opportunity"
    DEMO = "demo"
    WON = "won"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class Deal:
    """The state of one deal."""

    referral: ReferralSubmitted | None = None
    referred_by: str = ""
    referred_at: datetime | None = None
    claims: Mapping[str, ReferralAttributed] = field(default_factory=dict)
    agreements: BilateralAgreements = field(default_factory=BilateralAgreements)
    steps: Mapping[Step, Event] = field(default_factory=dict)
    payments: Mapping[str, PaymentReceived] = field(default_factory=dict)
    refunds: Mapping[str, RefundIssued] = field(default_factory=dict)
    refunded_at: Mapping[str, datetime] = field(default_factory=dict)
    """When each refund happened."""
    won_back: Mapping[str, ChargebackReversed] = field(default_factory=dict)


def decide(
    command: DealCommand,
    state: Deal,
    act: Act,
    agreed: Agreed,
) -> list[Event]:
    """Decide a command on a deal. Raises `Refused`."""
    if isinstance(command, SubmitReferral):
        return submit(command, state, act, agreed.ends_at)
    _check(command, agreed.parties)
    referred_at = state.referred_at
    if state.referral is None or referred_at is None:
        raise Refused(
            "no-such-deal",
            f"A deal begins with a referral. No referral {command.deal} was submitted.",
            "Submit the referral (SubmitReferral).",
            awaits=Awaited(
                AwaitedKind.REFERRAL, command.deal, f"the referral of deal {command.deal}"
            ),
        )
    match command:
        case AttributeReferral():
            return attribute(command, state, referred_at, agreed, act)
        case BilateralCommand():
            return state.agreements.decide(command, agreed, act, f"deal {command.deal}")
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
            return pay(command, state, act, agreed)
        case IssueRefund():
            return refund(command, state, act)
        case ReverseChargeback():
            return win_back(command, state)
        case _:
            assert_never(command)  # type: ignore[arg-type] # DealCommand is closed by this module


def _check(command: DealCommand, parties: tuple[str, ...]) -> None:
    """Raise `Refused` for what is wrong with a command whatever is on record of its deal."""
    match command:
        case AttributeReferral(to=str(party)) | ReceivePayment(collected_by=str(party)):
            check_parties([party], parties)
        case _:
            pass


def submit(command: SubmitReferral, state: Deal, act: Act, ends_at: datetime | None) -> list[Event]:
    """Record a referral once, if it was made before the exit takes effect (C18, C27)."""
    event = ReferralSubmitted.of(command)
    if state.referral == event:
        return []
    if state.referral is not None:
        raise Refused(
            "deal-exists",
            f"Each referral needs its own identifier. Deal {command.deal} is another referral.",
            "Use another identifier for this referral.",
        )
    if ends_at is not None and act.occurred_at >= ends_at:
        raise Refused(
            "after-exit",
            f"A referral after the exit does not count. The exit took effect on "
            f"{ends_at:%Y-%m-%d}, and the referral is dated {act.occurred_at:%Y-%m-%d}.",
            "Submit only referrals from before that day.",
        )
    return [event]


def attribute(
    command: AttributeReferral, state: Deal, referred_at: datetime, agreed: Agreed, act: Act
) -> list[Event]:
    """Record a party's claim on a lead, once for each party (C18)."""
    to = command.to or state.referred_by
    event = ReferralAttributed(
        deal=command.deal,
        method=command.method,
        evidence=command.evidence,
        to=to,
        touched_at=command.touched_at or referred_at,
        contests=[each for each in state.claims if each != to],
        referred_at=referred_at,
    )
    existing = state.claims.get(to)
    if existing is not None:
        # Another party may have claimed the lead since; that does not change this claim.
        same = {"contests": existing.contests, "undecided": existing.undecided}
        return recorded_once(
            event.model_copy(update=same), existing, f"The claim of {to} on deal {command.deal}"
        )
    claims = [claim_of(each) for each in (*state.claims.values(), event)]
    policy = agreed.terms.policy(agreed.terms.day(act.occurred_at))
    return [event.model_copy(update={"undecided": credit(claims, policy) is None})]


def claim_of(attributed: ReferralAttributed) -> Claim:
    """Return the claim that an attribution makes."""
    return Claim(attributed.to, attributed.method, attributed.touched_at)


def win(command: WinDeal, state: Deal, act: Act, referred_at: datetime) -> list[Event]:
    """Record the win of an opportunity that is not lost."""
    if Step.OPPORTUNITY not in state.steps:
        raise Refused(
            "no-opportunity",
            f"Only an opportunity can be won. Deal {command.deal} is not an opportunity yet.",
            "Record the opportunity (CreateOpportunity).",
            awaits=Awaited(
                AwaitedKind.OPPORTUNITY, command.deal, f"the opportunity of deal {command.deal}"
            ),
        )
    _still_open(Step.LOST, command.deal, state)
    days = max(0, (act.occurred_at - referred_at).days)
    event = DealWon.of(command, days_to_close=days)
    existing = state.steps.get(Step.WON)
    if isinstance(existing, DealWon):
        # The same win may be sent again on another day; the first day counts.
        event = event.model_copy(update={"days_to_close": existing.days_to_close})
    return _step(Step.WON, event, state)


def lose(command: LoseDeal, state: Deal) -> list[Event]:
    """Record the loss of a deal that is not won."""
    _still_open(Step.WON, command.deal, state)
    return _step(Step.LOST, DealLost.of(command), state)


def pay(command: ReceivePayment, state: Deal, act: Act, agreed: Agreed) -> list[Event]:
    """Record a payment on a won deal, in the deal's currency, once."""
    won = state.steps.get(Step.WON)
    if not isinstance(won, DealWon):
        _still_open(Step.LOST, command.deal, state)
        raise Refused(
            "deal-not-won",
            f"Only a won deal can be paid. Deal {command.deal} is not won.",
            "Record the win (WinDeal).",
            awaits=Awaited(AwaitedKind.WIN, command.deal, f"the win of deal {command.deal}"),
        )
    if command.amount.currency != won.annual_contract_value.currency:
        raise Refused(
            "other-currency",
            "A payment must be in the currency of its deal. "
            f"Deal {command.deal} is in {won.annual_contract_value.currency}, "
            f"the payment in {command.amount.currency}.",
            "Give the payment in the deal's currency.",
        )
    collected_by = command.collected_by or act.party
    existing = state.payments.get(command.payment)
    event = PaymentReceived(
        deal=command.deal,
        payment=command.payment,
        amount=command.amount,
        collected_by=collected_by,
        covers_from=command.covers_from or agreed.terms.day(act.occurred_at),
        first=existing.first if existing else not state.payments,
    )
    if existing is not None and command.covers_from is None:
        # The same payment may be sent again on another day; the first day counts.
        event = event.model_copy(update={"covers_from": existing.covers_from})
    return recorded_once(event, existing, f"Payment {command.payment} of deal {command.deal}")


def refund(command: IssueRefund, state: Deal, act: Act) -> list[Event]:
    """Record a refund of at most what was paid, each refund once."""
    paid = state.payments.get(command.payment)
    if paid is None:
        _still_open(Step.LOST, command.deal, state)
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
    event = RefundIssued.of(command)
    existing = state.refunds.get(command.refund)
    if existing is not None:
        return recorded_once(event, existing, f"Refund {command.refund} of deal {command.deal}")
    _check_left(command, paid, state, act)
    return [event]


def _check_left(command: IssueRefund, paid: PaymentReceived, state: Deal, act: Act) -> None:
    """Raise `Refused` if a refund exceeds what is left of its payment.

    It waits if it would fit once the open chargebacks of the payment are reversed. A chargeback is
    checked against what was given back before it happened: if more was given back after it, it was
    reversed in between, and its reversal is still to come.
    """
    given_back = [
        each
        for name, each in state.refunds.items()
        if each.payment == command.payment
        and name not in state.won_back
        and (command.kind == "refund" or state.refunded_at[name] <= act.occurred_at)
    ]
    left = paid.amount.amount - _sum(given_back)
    same = command.amount.currency == paid.amount.currency
    if same and command.amount.amount <= left:
        return
    detail = (
        f"A refund cannot exceed what is left of its payment. The refund is {command.amount}; "
        f"{plain(left)} {paid.amount.currency} is left of payment {command.payment}."
    )
    chargebacks = [each for each in given_back if each.kind == "chargeback"]
    if chargebacks and same and command.amount.amount <= left + _sum(chargebacks):
        name = chargebacks[0].refund
        raise Refused(
            "refund-exceeds-payment",
            detail,
            "Record that the chargeback was reversed (ReverseChargeback), or refund at most what "
            "is left.",
            awaits=Awaited(
                AwaitedKind.REVERSAL,
                name,
                f"the reversal of chargeback {name} of deal {command.deal}",
            ),
        )
    raise Refused(
        "refund-exceeds-payment",
        detail,
        "Refund at most what is left, in the payment's currency.",
    )


def _sum(refunds: Iterable[RefundIssued]) -> Decimal:
    return sum((each.amount.amount for each in refunds), Decimal(0))


def win_back(command: ReverseChargeback, state: Deal) -> list[Event]:
    """Record once that a chargeback was reversed."""
    lost = state.refunds.get(command.refund)
    if lost is None:
        _still_open(Step.LOST, command.deal, state)
        raise Refused(
            "no-such-chargeback",
            f"Only a recorded chargeback can be reversed. Deal {command.deal} has no chargeback "
            f"{command.refund}.",
            "Record the chargeback (IssueRefund), or use the identifier of a recorded one.",
            awaits=Awaited(
                AwaitedKind.CHARGEBACK,
                command.refund,
                f"chargeback {command.refund} of deal {command.deal}",
            ),
        )
    if lost.kind != "chargeback":
        raise Refused(
            "not-a-chargeback",
            f"Only a chargeback can be reversed. {command.refund} of deal {command.deal} is a "
            "refund.",
            "Use the identifier of a chargeback.",
        )
    event = ChargebackReversed.of(command, payment=lost.payment, amount=lost.amount)
    return recorded_once(
        event,
        state.won_back.get(command.refund),
        f"The reversal of chargeback {command.refund}",
    )


def _step(step: Step, event: Event, state: Deal) -> list[Event]:
    return recorded_once(event, state.steps.get(step), f"The step {step} of the deal")


def _still_open(closed: Step, deal: str, state: Deal) -> None:
    if closed in state.steps:
        raise Refused(
            "deal-closed",
            f"A deal is either won or lost. Deal {deal} is already {closed}.",
            "Submit a new referral for a new deal (SubmitReferral).",
        )


def evolve(state: Deal, event: Event, act: Act) -> Deal:
    """Fold an event into a deal's state."""
    match event:
        case ReferralSubmitted():
            return replace(
                state, referral=event, referred_by=act.party, referred_at=act.occurred_at
            )
        case ReferralAttributed():
            return replace(state, claims={**state.claims, event.to: event})
        case BilateralProposed() | BilateralAgreement():
            return replace(state, agreements=state.agreements.evolve(event, act))
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
            return replace(
                state,
                refunds={**state.refunds, event.refund: event},
                refunded_at={**state.refunded_at, event.refund: act.occurred_at},
            )
        case ChargebackReversed():
            return replace(state, won_back={**state.won_back, event.refund: event})
        case _:
            return state


def _taken(state: Deal, step: Step, event: Event) -> Deal:
    return replace(state, steps={**state.steps, step: event})
