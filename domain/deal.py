"""Deals: one referral through the funnel, from the lead to payments and refunds (C18).

The facts of a deal can arrive in any order, and the same facts are recorded. So a decision looks
at what happened before, not at what arrived before, and what names something that is not on
record yet waits for it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final, Literal, assert_never

from domain import claims
from domain.attribution import Method
from domain.bilateral import (
    BilateralAgreement,
    BilateralAgreements,
    BilateralCommand,
    BilateralProposed,
)
from domain.claims import Answered, ClaimCommand, ClaimConfirmed, ClaimObjected
from domain.facts import (
    Facts,
    Stated,
    already_recorded,
    before,
    first,
    is_repeated,
    meant,
    others,
    own,
    times,
    until,
    with_fact,
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
)
from domain.terms import check_parties, check_shares
from domain.terms_by_day import Agreed
from domain.values import (
    Count,
    Day,
    Instant,
    Money,
    Percent,
    PositiveMoney,
    Ref,
    Slug,
    Text,
    instant,
    plain,
)


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
    """Record a party's touch of a lead: a code, a tag or a page (C18).

    Both parties can have touched the same lead; the agreed policy decides between their touches. A
    touch that a party states for itself counts once the other party confirms it, or acts on it by
    opening an opportunity or winning the deal.
    """

    touch: Ref | None = None
    """The identifier of the touch. Default: the party that is credited, so one touch for each."""
    to: Slug | None = None
    """The party that is credited. Default: the party that submitted the referral."""
    touched_at: Instant | None = None
    """When the party touched the lead. Default: when the referral was submitted, or when this
    happened if that is earlier."""


class ReferralAttributed(_Attribution, Event):
    """A party touched a lead. Nothing accrues without a touch (C18)."""

    deal: Ref
    """The identifier of the deal, given by the party that referred it."""
    touch: Ref
    """The identifier of the touch."""
    to: Slug
    """The party that is credited."""
    touched_at: Instant
    """When the party touched the lead."""


class AttributionSettled(
    BilateralAgreement,
    name="Attribution",
    subject="who is credited with a lead that both parties touched (C18)",
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


class CancelDeal(DealCommand):
    """Record that a sale came to nothing after the win (C18)."""

    reason: Text
    """The reason, in words."""


class DealCancelled(Event):
    """The sale of a won deal came to nothing (C18). The deal can be won again."""

    deal: Ref
    """The identifier of the deal, given by the party that referred it."""
    reason: Text
    """The reason, in words."""


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


class ReopenDeal(DealCommand):
    """Record that a lost deal is open again, so that it can be won (C18)."""

    reason: Text
    """The reason, in words."""


class DealReopened(Event):
    """A lost deal is open again (C18)."""

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


# --- corrections -------------------------------------------------------------------------------


class _Correction(Value):
    void: bool = False
    """Whether it never happened. Nothing else is corrected then."""
    reason: Text
    """The reason, in words."""


class _WinCorrection(_Correction):
    annual_contract_value: Money | None = None
    """The right annual contract value. Default: as first stated."""
    happened_at: Instant | None = None
    """When the deal was won. Default: as first stated."""
    fact_at: Instant | None = None
    """Which win is corrected, by its time as first stated. Default: the last one until now."""


class CorrectWin(_WinCorrection, DealCommand):
    """Correct a win: its value, its time, or that it never happened (C18)."""


class WinCorrected(_WinCorrection, Event):
    """A win was corrected (C18). A correction by the other party is a proposal."""

    deal: Ref
    """The identifier of the deal, given by the party that referred it."""


class _PaymentCorrection(_Correction):
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


class _RefundCorrection(_Correction):
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


# --- state -------------------------------------------------------------------------------------


class Step(StrEnum):
    """The steps of the funnel that a deal takes at most once, as each party states them."""

    QUALIFIED = "qualified"
    OPPORTUNITY = "opportunity"
    DEMO = "demo"


REFERRAL: Final = "referral"
WIN: Final = "win"
CANCELLATION: Final = "cancellation"
LOSS: Final = "loss"
REOPENING: Final = "reopening"
"""The names of facts that a deal has without an identifier; a claim names them (`claims`)."""


@dataclass(frozen=True, slots=True)
class Deal:
    """The state of one deal."""

    facts: Facts = field(default_factory=dict)
    """All that was stated, by name: `win`, `payment/P-1`, `correction/payment/P-1`."""
    agreements: BilateralAgreements = field(default_factory=BilateralAgreements)
    answers: tuple[Answered, ...] = ()
    """Confirmations and objections."""


def decide(
    command: DealCommand | ClaimCommand,
    state: Deal,
    act: Act,
    agreed: Agreed,
) -> list[Event]:
    """Decide a command on a deal. Raises `Refused`."""
    if isinstance(command, ClaimCommand):
        return claims.decide(command, state.facts, state.answers, act)
    if isinstance(command, SubmitReferral):
        return submit(command, state, act, agreed.ends_at)
    _check(command, act, agreed.parties)
    referral = first(state.facts, REFERRAL)
    if referral is None:
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
            return attribute(command, state, act, referral)
        case BilateralCommand():
            return state.agreements.decide(command, agreed, act, f"deal {command.deal}")
        case QualifyLead():
            return _step(Step.QUALIFIED, LeadQualified.of(command), state, act)
        case CreateOpportunity():
            return _step(Step.OPPORTUNITY, OpportunityCreated.of(command), state, act)
        case HoldDemo():
            return _step(Step.DEMO, DemoHeld.of(command), state, act)
        case WinDeal():
            return win(command, state, act, referral.at)
        case CancelDeal():
            return cancel(command, state, act)
        case LoseDeal():
            return lose(command, state, act)
        case ReopenDeal():
            return reopen(command, state, act)
        case ReceivePayment():
            return pay(command, state, act)
        case IssueRefund():
            return refund(command, state, act)
        case ReverseRefund():
            return reverse(command, state, act)
        case CorrectWin() | CorrectPayment() | CorrectRefund():
            return correct(command, state, act)
        case _:
            assert_never(command)  # type: ignore[arg-type] # DealCommand is closed by this module


def _check(command: DealCommand, act: Act, parties: tuple[str, ...]) -> None:
    """Raise `Refused` for faults that do not depend on what is recorded of the deal."""
    match command:
        case (
            AttributeReferral(to=str(party))
            | ReceivePayment(collected_by=str(party))
            | CorrectPayment(collected_by=str(party))
        ):
            check_parties([party], parties)
        case _:
            pass
    match command:
        case AttributeReferral(touched_at=datetime() as moment) if moment > act.occurred_at:
            raise Refused(
                "touch-not-yet-happened",
                "A touch cannot be later than the message that states it. The touch is of "
                f"{instant(moment)}, the message of {instant(act.occurred_at)}.",
                "State the touch after it has happened, or correct its time.",
                field="touched_at",
            )
        case CorrectWin() | CorrectPayment() | CorrectRefund():
            _check_correction(command, act)
        case _:
            pass


# --- the funnel --------------------------------------------------------------------------------


def submit(command: SubmitReferral, state: Deal, act: Act, ends_at: datetime | None) -> list[Event]:
    """Record a referral once, if it was made before the exit takes effect (C18, C27).

    The party that refers a client names the deal, so a referral is of one party.
    """
    event = ReferralSubmitted.of(command)
    existing = first(state.facts, REFERRAL)
    if existing is not None and (existing.event, existing.party) == (event, act.party):
        return []
    if existing is not None:
        raise Refused(
            "deal-exists",
            f"Each referral needs its own identifier. Deal {command.deal} is another referral, by "
            f"{existing.party}.",
            "Use another identifier for this referral. To confirm the referral of the other "
            "party, open its opportunity (CreateOpportunity) or confirm it (ConfirmClaim).",
        )
    if ends_at is not None and act.occurred_at >= ends_at:
        raise Refused(
            "after-exit",
            f"A referral after the exit does not count. The exit took effect on "
            f"{ends_at:%Y-%m-%d}, and the referral is dated {act.occurred_at:%Y-%m-%d}.",
            "Submit only referrals from before that day.",
        )
    return [event]


def attribute(command: AttributeReferral, state: Deal, act: Act, referral: Stated) -> list[Event]:
    """Record a party's touch of a lead, once by each party under its identifier (C18)."""
    to = command.to or referral.party
    touch = command.touch or to
    found = state.facts.get(f"touch/{touch}", ())
    what = f"Touch {touch} of deal {command.deal}"
    correct = (
        "Give another touch an identifier of its own (touch), or settle who is credited "
        "(ProposeAttribution)."
    )
    for each in others(found, act.party):
        if isinstance(each.event, ReferralAttributed) and each.event.to != to:
            raise already_recorded(each.event, what, correct)
    existing = next(iter(own(found, act.party)), None)
    touched_at = command.touched_at or min(referral.at, act.occurred_at)
    event = ReferralAttributed(
        deal=command.deal,
        touch=touch,
        method=command.method,
        evidence=command.evidence,
        to=to,
        touched_at=touched_at,
    )
    if existing is None:
        return [event]
    known = existing.event
    if command.touched_at is None and isinstance(known, ReferralAttributed):
        # The same touch may be sent again on another day; the first message counts.
        event = event.model_copy(update={"touched_at": known.touched_at})
    if event == known:
        return []
    raise already_recorded(known, what, correct)


def _step(step: Step, event: Event, state: Deal, act: Act) -> list[Event]:
    """Record a step once for each party: what one party gains by, the other side states too.

    A step has no content, so only its party and its time count: the earliest of a party.
    """
    stated = until(state.facts, step, act.occurred_at)
    return [] if any(each.party == act.party for each in stated) else [event]


def win(command: WinDeal, state: Deal, act: Act, referred_at: datetime) -> list[Event]:
    """Record the win of an opportunity that is not lost at that time.

    A party states another win after a cancellation, or after a win that never happened.
    """
    if Step.OPPORTUNITY not in state.facts:
        raise Refused(
            "no-opportunity",
            f"Only an opportunity can be won. Deal {command.deal} is not an opportunity yet.",
            "Record the opportunity (CreateOpportunity).",
            awaits=Awaited(
                AwaitedKind.OPPORTUNITY, command.deal, f"the opportunity of deal {command.deal}"
            ),
        )
    days = max(0, (act.occurred_at - referred_at).days)
    event = DealWon.of(command, days_to_close=days)
    if is_repeated(
        state.facts.get(WIN, ()),
        event,
        act,
        f"The win of deal {command.deal}",
        "Correct it (CorrectWin).",
    ):
        return []
    _check_not_lost(command.deal, state.facts.get(LOSS, ()), state, act)
    _check_not_won(command.deal, own(state.facts.get(WIN, ()), act.party), state, act)
    return [event]


def cancel(command: CancelDeal, state: Deal, act: Act) -> list[Event]:
    """Record that the sale of a deal came to nothing, once by each party for each win."""
    event = DealCancelled.of(command)
    what = f"The cancellation of deal {command.deal}"
    if is_repeated(state.facts.get(CANCELLATION, ()), event, act, what, _ITS_REASON_STAYS):
        return []
    wins = times(until(state.facts, WIN, act.occurred_at))
    mine = own(before(state.facts, CANCELLATION, act.occurred_at), act.party)
    if wins <= len(mine):
        raise Refused(
            "deal-not-won",
            f"Only a won deal can be cancelled. Deal {command.deal} is not won at that time.",
            "Record the win (WinDeal), or correct the time of this event.",
            awaits=_win(command.deal),
        )
    return [event]


_ITS_REASON_STAYS: Final = "Send it with the reason that is recorded; the reason stays."


def lose(command: LoseDeal, state: Deal, act: Act) -> list[Event]:
    """Record the loss of a deal that is not won at that time, once by each party."""
    event = DealLost.of(command)
    what = f"The loss of deal {command.deal}"
    if is_repeated(state.facts.get(LOSS, ()), event, act, what, "Reopen the deal (ReopenDeal)."):
        return []
    _check_not_lost(command.deal, own(state.facts.get(LOSS, ()), act.party), state, act)
    _check_not_won(command.deal, state.facts.get(WIN, ()), state, act)
    return [event]


def reopen(command: ReopenDeal, state: Deal, act: Act) -> list[Event]:
    """Record that a lost deal is open again, once by each party for each loss."""
    event = DealReopened.of(command)
    what = f"The reopening of deal {command.deal}"
    if is_repeated(state.facts.get(REOPENING, ()), event, act, what, _ITS_REASON_STAYS):
        return []
    losses = times(until(state.facts, LOSS, act.occurred_at))
    mine = own(before(state.facts, REOPENING, act.occurred_at), act.party)
    if losses <= len(mine):
        raise Refused(
            "deal-not-lost",
            f"Only a lost deal can be reopened. Deal {command.deal} is not lost at that time.",
            "Record the loss (LoseDeal), or correct the time of this event.",
            awaits=Awaited(AwaitedKind.LOSS, command.deal, f"the loss of deal {command.deal}"),
        )
    return [event]


def _not_undone(
    found: Sequence[Stated], undone_by: Sequence[Stated], moment: datetime
) -> Stated | None:
    """Return the last of some facts before a moment, unless something undid it by then."""
    last = next((each for each in reversed(found) if each.at < moment), None)
    if last is None or any(last.at <= each.at <= moment for each in undone_by):
        return None
    return last


def _check_not_lost(deal: str, losses: Sequence[Stated], state: Deal, act: Act) -> None:
    lost = _not_undone(losses, state.facts.get(REOPENING, ()), act.occurred_at)
    if lost is not None:
        raise Refused(
            "deal-lost",
            f"A lost deal is closed. Deal {deal} was lost on {lost.at:%Y-%m-%d}.",
            "Reopen the deal first (ReopenDeal).",
            awaits=Awaited(AwaitedKind.REOPENING, deal, f"the reopening of deal {deal}"),
        )


def _check_not_won(deal: str, wins: Sequence[Stated], state: Deal, act: Act) -> None:
    never = {each.at for each in _never_happened(state, act.occurred_at)}
    happened = [each for each in wins if each.at not in never]
    won = _not_undone(happened, state.facts.get(CANCELLATION, ()), act.occurred_at)
    if won is not None:
        raise Refused(
            "deal-won",
            f"A deal that is won cannot be won again or lost. Deal {deal} was won on "
            f"{won.at:%Y-%m-%d}.",
            "Correct the win if it was mistyped (CorrectWin). If the sale came to nothing, record "
            "that (CancelDeal).",
            awaits=Awaited(
                AwaitedKind.CANCELLATION, deal, f"the cancellation of the win of deal {deal}"
            ),
        )


def _win(deal: str) -> Awaited:
    return Awaited(AwaitedKind.WIN, deal, f"the win of deal {deal}")


# --- payments and refunds ----------------------------------------------------------------------


def pay(command: ReceivePayment, state: Deal, act: Act) -> list[Event]:
    """Record a payment on a won deal, once by each party."""
    if WIN not in state.facts:
        raise Refused(
            "deal-not-won",
            f"Only a won deal can be paid. Deal {command.deal} is not won.",
            "Record the win (WinDeal).",
            awaits=_win(command.deal),
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


def refund(command: IssueRefund, state: Deal, act: Act) -> list[Event]:
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
            f"deal {command.deal} happened on {lost[-1].at:%Y-%m-%d}, and no reversal of it before "
            f"{act.occurred_at:%Y-%m-%d} is recorded.",
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


def reverse(command: ReverseRefund, state: Deal, act: Act) -> list[Event]:
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
        if is_repeated(found, event, act, what, _ITS_REASON_STAYS):
            return []
        if times(until(state.facts, name, act.occurred_at)) > len(mine):
            return [event]
    raise Refused(
        "no-such-refund",
        f"Only a refund that happened before and is not reversed yet can be reversed. Deal "
        f"{command.deal} has no such refund {command.refund} before {act.occurred_at:%Y-%m-%d}.",
        "Record the refund (IssueRefund), or use the identifier of a recorded one.",
        awaits=Awaited(
            AwaitedKind.REFUND, command.refund, f"refund {command.refund} of deal {command.deal}"
        ),
    )


# --- corrections -------------------------------------------------------------------------------

Correction = CorrectWin | CorrectPayment | CorrectRefund


def _check_correction(command: Correction, act: Act) -> None:
    """Raise `Refused` if a correction says nothing, or a time later than its message."""
    given = [
        value
        for name, value in command
        if name not in {"deal", "payment", "refund", "reason", "void", "fact_at"}
        and value is not None
    ]
    if command.void is bool(given):
        raise Refused(
            "correction-content",
            "A correction gives what is right, or says that it never happened. This one gives "
            + ("both." if command.void else "neither."),
            "Give the fields that are right, or void alone.",
        )
    if command.happened_at is not None and command.happened_at > act.occurred_at:
        raise Refused(
            "not-yet-happened",
            "A corrected time cannot be later than its message. The corrected time is "
            f"{instant(command.happened_at)}, the message is of {instant(act.occurred_at)}.",
            "Correct the time.",
            field="happened_at",
        )


def correct(command: Correction, state: Deal, act: Act) -> list[Event]:
    """Record a correction of a win, a payment or a refund.

    Corrections of different times are all recorded, since one between them may still arrive.
    """
    event: WinCorrected | PaymentCorrected | RefundCorrected
    match command:
        case CorrectWin():
            event, name, kind = WinCorrected.of(command), WIN, AwaitedKind.WIN
        case CorrectPayment(payment=payment):
            event, kind = PaymentCorrected.of(command), AwaitedKind.PAYMENT
            name = f"payment/{payment}"
        case CorrectRefund(refund=refund):
            event, kind = RefundCorrected.of(command), AwaitedKind.REFUND
            name = f"refund/{refund}"
        case _:
            assert_never(command)
    found = state.facts.get(name, ())
    if not any(_can_be_meant(each, command, act) for each in found):
        what = f"the {name.replace('/', ' ')} of deal {command.deal}"
        raise Refused(
            "nothing-to-correct",
            f"Only what is on record can be corrected. There is no {what} before this correction.",
            "Record the fact first, or name a recorded one.",
            awaits=Awaited(kind, name.rpartition("/")[2], what),
        )
    again = Stated(event, act.party, act.occurred_at)
    return [] if again in state.facts.get(f"correction/{name}", ()) else [event]


def _can_be_meant(fact: Stated, command: Correction, act: Act) -> bool:
    if isinstance(command, CorrectPayment):
        return True  # A payment has one time, which may be what was mistyped.
    if command.fact_at is not None:
        return fact.at == command.fact_at
    return fact.at <= act.occurred_at


def _never_happened(state: Deal, moment: datetime) -> Iterator[Stated]:
    """Yield the wins before a moment of which a party said that they never happened.

    Whether the correction counts does not matter. It does not mean a win of that moment or later:
    the order in which that win and this decision arrive must not matter.
    """
    wins = before(state.facts, WIN, moment)
    for each in state.facts.get(f"correction/{WIN}", ()):
        if isinstance(each.event, WinCorrected) and each.event.void:
            fact = meant(wins, each.event.fact_at, each.at)
            if fact is not None:
                yield fact


# --- fold --------------------------------------------------------------------------------------


def evolve(state: Deal, event: Event, act: Act) -> Deal:
    """Fold an event into a deal's state."""
    if isinstance(event, BilateralProposed | BilateralAgreement):
        return replace(state, agreements=state.agreements.evolve(event, act))
    if isinstance(event, ClaimConfirmed | ClaimObjected):
        answer = Answered(event, act.party, act.occurred_at)
        return replace(state, answers=(*state.answers, answer))
    name = name_of(event)
    return replace(state, facts=with_fact(state.facts, name, event, act)) if name else state


def name_of(event: Event) -> str | None:
    """Return the name of a fact among those of its deal; None for another event."""
    match event:
        case ReferralAttributed():
            return f"touch/{event.touch}"
        case PaymentReceived():
            return f"payment/{event.payment}"
        case RefundIssued():
            return f"refund/{event.refund}"
        case RefundReversed():
            return f"reversal/{event.refund}"
        case PaymentCorrected():
            return f"correction/payment/{event.payment}"
        case RefundCorrected():
            return f"correction/refund/{event.refund}"
        case _:
            return _NAMES.get(type(event))


_NAMES: Final[Mapping[type[Event], str]] = {
    ReferralSubmitted: REFERRAL,
    LeadQualified: Step.QUALIFIED,
    OpportunityCreated: Step.OPPORTUNITY,
    DemoHeld: Step.DEMO,
    DealWon: WIN,
    DealCancelled: CANCELLATION,
    DealLost: LOSS,
    DealReopened: REOPENING,
    WinCorrected: f"correction/{WIN}",
}
