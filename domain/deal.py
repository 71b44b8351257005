"""Deals: one referral through the funnel, from the lead to payments and refunds (C18).

The facts of a deal can arrive in any order, and the same facts are recorded. So a decision looks
at what happened before, not at what arrived before, and what names something that is not on
record yet waits for it. Referrals, sales and payments have a module each.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Final, assert_never

from domain import against_interest, merge, objections
from domain.bilateral import (
    BilateralAgreement,
    BilateralCommand,
    BilateralProposed,
    ProposalAnswer,
    ProposalEnded,
)
from domain.claims import Answered, ClaimCommand, ClaimConfirmed, ClaimObjected, ObjectToClaim
from domain.deal_record import Deal, DealCommand
from domain.facts import Stated, first, is_stated, with_fact
from domain.kernel import Act, Awaited, AwaitedKind, Event, Refused
from domain.merge import MERGE, DealsMerged, MergeContext
from domain.payment import (
    CorrectPayment,
    CorrectRefund,
    IssueRefund,
    PaymentCorrected,
    PaymentReceived,
    ReceivePayment,
    RefundCorrected,
    RefundIssued,
    RefundReversed,
    ReverseRefund,
    pay,
    refund,
    reverse,
)
from domain.referral import (
    REFERRAL,
    AttributeReferral,
    CreateOpportunity,
    DemoHeld,
    HoldDemo,
    LeadQualified,
    OpportunityCreated,
    QualifyLead,
    ReferralAttributed,
    ReferralSubmitted,
    Step,
    SubmitReferral,
    attribute,
    submit,
    take_step,
)
from domain.sale import (
    CANCELLATION,
    LOSS,
    REOPENING,
    WIN,
    CancelDeal,
    CorrectWin,
    DealCancelled,
    DealLost,
    DealReopened,
    DealWon,
    LoseDeal,
    ReopenDeal,
    WinCorrected,
    WinDeal,
    cancel,
    lose,
    reopen,
    win,
)
from domain.settlement import Ledger
from domain.terms import check_parties
from domain.terms_by_day import Agreed
from domain.values import instant


def decide(  # noqa: PLR0913, PLR0917 - a command, its state, and all that it can depend on
    command: DealCommand | ClaimCommand | ProposalAnswer,
    state: Deal,
    act: Act,
    agreed: Agreed,
    ledger: Callable[[], Ledger] = Ledger,
    into: Deal | None = None,
) -> list[Event]:
    """Decide a command on a deal. Raises `Refused`.

    `ledger` and `into`, the deal that a proposal of a merge names, are for merges.
    """
    if isinstance(command, ProposalAnswer):
        return state.agreements.answer(command, act, (command.within or "").replace("/", " "))
    merge.check_counts(command, state, act)
    if isinstance(command, ClaimCommand):
        events = objections.decide(command, state.facts, state.answers, act, agreed.terms)
        if events and isinstance(command, ObjectToClaim):
            against_interest.check_deal(command, state.facts, act, agreed.terms)
        return events
    if isinstance(command, SubmitReferral):
        return submit(command, state, act, agreed)
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
            return agree(command, state, act, agreed, MergeContext(state, into, ledger))
        case QualifyLead():
            return take_step(Step.QUALIFIED, LeadQualified.of(command), state, act)
        case CreateOpportunity():
            return take_step(Step.OPPORTUNITY, OpportunityCreated.of(command), state, act)
        case HoldDemo():
            return take_step(Step.DEMO, DemoHeld.of(command), state, act)
        case WinDeal():
            return win(command, state, act, agreed, referral.at)
        case CancelDeal():
            return cancel(command, state, act)
        case LoseDeal():
            return lose(command, state, act, agreed)
        case ReopenDeal():
            return reopen(command, state, act)
        case ReceivePayment():
            return pay(command, state, act)
        case IssueRefund():
            return refund(command, state, act, agreed)
        case ReverseRefund():
            return reverse(command, state, act, agreed)
        case CorrectWin() | CorrectPayment() | CorrectRefund():
            return correct(command, state, act)
        case _:
            assert_never(command)  # type: ignore[arg-type] # DealCommand is closed by this module


def agree(
    command: BilateralCommand, state: Deal, act: Act, agreed: Agreed, merges: MergeContext
) -> list[Event]:
    """Decide a command on an agreement of a deal. What waits on a duplicate lapses with it."""
    context = merges if command.agreement is DealsMerged else agreed
    where = command.substream()
    decided = state.agreements.decide(command, context, act, where.replace("/", " "))
    lapsed = [
        event
        for each in decided
        if isinstance(each, DealsMerged)
        for event in state.agreements.lapse(
            each.proposal, f"Deal {each.deal} was merged into {each.into}.", where
        )
    ]
    return [*decided, *lapsed]


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


# --- corrections ---------------------------------------------------------------------------------


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
    again = is_stated(state.facts.get(f"correction/{name}", ()), event, act)
    return [] if again else [event]


def _can_be_meant(fact: Stated, command: Correction, act: Act) -> bool:
    if isinstance(command, CorrectPayment):
        return True  # A payment has one time, which may be what was mistyped.
    if command.fact_at is not None:
        return fact.at == command.fact_at
    return fact.at <= act.occurred_at


# --- fold ----------------------------------------------------------------------------------------


def evolve(state: Deal, event: Event, act: Act) -> Deal:
    """Fold an event into a deal's state."""
    if isinstance(event, BilateralProposed | BilateralAgreement | ProposalEnded):
        state = replace(state, agreements=state.agreements.evolve(event, act))
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
    DealsMerged: MERGE,
    WinCorrected: f"correction/{WIN}",
}
