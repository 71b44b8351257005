"""Renewal and exit: outcomes are weighed, both renew, or one leaves in good order (C27)."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from enum import StrEnum
from typing import Literal, assert_never

from domain.agreement import CommercialTermsAgreed
from domain.calendar import Duration, Span, add, midnight, subtract
from domain.consent import Proposals, acceptable, propose, with_acceptance, with_proposal
from domain.context import PartnershipContext
from domain.execution import Execution
from domain.formation import Formation
from domain.gates import Requirement, passing
from domain.kernel import RUNNING, Act, Command, Event, Refused, Stage, Value, recorded_once
from domain.settlement import LEAVING, FinalSettlementIssued
from domain.terms import Assets, check_parties
from domain.values import Day, Ref, Slug, Text

IN_RENEWAL = frozenset({Stage.RENEWAL})


class _RenewalReview(Value):
    review: Ref
    outcomes: Text
    """What came of the objectives."""
    relevance: Text
    """Whether the partnership still fits, beside the numbers."""
    recommendation: Literal["renew", "adjust", "exit"]


class HoldRenewalReview(_RenewalReview, Command):
    """Weigh outcomes and relevance; this opens renewal (C27)."""

    stages = RUNNING


class RenewalReviewHeld(_RenewalReview, Event):
    """Outcomes and relevance were weighed, and renewal began (C27)."""


class ProposeRenewal(Command):
    """Put a renewal forward (C11, C27)."""

    stages = IN_RENEWAL
    proposal: Ref
    duration: Span


class RenewalProposed(Event):
    """A party put a renewal forward (C27)."""

    proposal: Ref
    duration: Span


class AcceptRenewal(Command):
    """Consent to the renewal that the other party put forward (C11)."""

    stages = IN_RENEWAL
    proposal: Ref


class PartnershipRenewed(Event):
    """Both renewed the partnership (C27)."""

    proposal: Ref
    ends_on: date
    """The first day on which it no longer holds."""
    notice: Duration
    """The notice, as agreed before."""


class DeclineRenewal(Command):
    """Decline the renewal that the other party put forward (C27)."""

    stages = IN_RENEWAL
    proposal: Ref
    reason: Text


class RenewalDeclined(Event):
    """A party declined to renew (C27)."""

    proposal: Ref
    reason: Text


class ExitReason(StrEnum):
    """Why a party leaves (C27). Sunk cost is no reason to stay."""

    TERM_ENDS = "term-ends"
    NO_LONGER_RELEVANT = "no-longer-relevant"
    UNDERPERFORMANCE = "underperformance"
    BREACH = "breach"


class GiveExitNotice(Command):
    """Give notice that one leaves (C11, C27)."""

    stages = RUNNING
    reason: ExitReason
    explanation: Text
    effective_on: Day
    """The day from which the partnership holds no longer; nothing accrues from then on."""


class ExitNoticeGiven(Event):
    """A party gave notice (C27)."""

    reason: ExitReason
    explanation: Text
    effective_on: date
    waived: list[str] = []


class DispositionAssets(Command):
    """Say what becomes of shared assets (C11, C27)."""

    stages = LEAVING
    asset: Slug
    disposition: Assets
    to: Slug
    """The party that keeps or receives it."""


class AssetsDispositioned(Event):
    """A shared asset was transferred or retained (C27)."""

    asset: Slug
    disposition: Assets
    to: Slug


class CompleteExit(Command):
    """Leave, after the effective date, with everything settled: the gate to the end (C27)."""

    stages = LEAVING
    tail_obligations: list[Text] = []
    """What survives: disputes, confidentiality, open payments."""


class PartnershipExited(Event):
    """The partnership ended (C27)."""

    tail_obligations: list[str]
    waived: list[str] = []
    """The rules passed by waiver."""


@dataclass(frozen=True, slots=True)
class Renewal:
    """Reviews, proposals, and the notice, if one was given."""

    reviews: Mapping[str, RenewalReviewHeld] = field(default_factory=dict)
    proposals: Proposals = field(default_factory=dict)
    declined: Mapping[str, RenewalDeclined] = field(default_factory=dict)
    holds_until: date | None = None
    """The first day on which it no longer holds, by what both agreed last: terms or a renewal."""
    notice: ExitNoticeGiven | None = None
    settlement: FinalSettlementIssued | None = None
    assets: Mapping[str, AssetsDispositioned] = field(default_factory=dict)


RenewalCommand = (
    HoldRenewalReview
    | ProposeRenewal
    | AcceptRenewal
    | DeclineRenewal
    | GiveExitNotice
    | DispositionAssets
    | CompleteExit
)


def decide(  # noqa: PLR0913, PLR0917 - what earlier stages settled
    command: RenewalCommand,
    state: Renewal,
    formation: Formation,
    execution: Execution,
    context: PartnershipContext,
    act: Act,
) -> list[Event]:
    """Decide a command of this stage. Raises `Refused`."""
    match command:
        case HoldRenewalReview():
            return review(command, state)
        case ProposeRenewal():
            return propose(command.proposal, RenewalProposed.of(command), state.proposals, act)
        case AcceptRenewal():
            return renew(command, state, formation, act)
        case DeclineRenewal():
            return decline(command, state, act)
        case GiveExitNotice():
            return give_notice(command, formation, execution, context, act)
        case DispositionAssets():
            return disposition(command, state, context)
        case CompleteExit():
            return complete(command, state, context, act)
        case _:
            assert_never(command)


def review(command: HoldRenewalReview, state: Renewal) -> list[Event]:
    """Hold a renewal review once under its identifier."""
    event = RenewalReviewHeld.of(command)
    return recorded_once(event, state.reviews.get(command.review), f"Review {command.review}")


def renew(command: AcceptRenewal, state: Renewal, formation: Formation, act: Act) -> list[Event]:
    """Renew by mutual consent, from the day the present term ends (C11)."""
    _not_declined(command.proposal, state)
    proposal = acceptable(command.proposal, state.proposals, act)
    latest, ends = formation.latest_terms(), state.holds_until
    if proposal is None or latest is None or ends is None:
        return []
    if not isinstance(proposal.proposed, RenewalProposed):
        return []
    ends_on = add(ends, proposal.proposed.duration)
    notice = latest.terms.notice
    return [PartnershipRenewed(proposal=command.proposal, ends_on=ends_on, notice=notice)]


def decline(command: DeclineRenewal, state: Renewal, act: Act) -> list[Event]:
    """Decline the other party's renewal, once."""
    event = RenewalDeclined.of(command)
    if state.declined.get(command.proposal) == event:
        return []
    _not_declined(command.proposal, state)
    return [event] if acceptable(command.proposal, state.proposals, act) else []


def _not_declined(proposal: str, state: Renewal) -> None:
    if proposal in state.declined:
        raise Refused(
            "proposal-declined",
            f"Renewal {proposal} was declined.",
            "Put another renewal forward.",
        )


def give_notice(
    command: GiveExitNotice,
    formation: Formation,
    execution: Execution,
    context: PartnershipContext,
    act: Act,
) -> list[Event]:
    """Give notice in time, and for underperformance only after diagnosis and a deadline (C27)."""
    # What binds the other side counts from the record, not from what its author says of the day.
    day = act.recorded_at.date()
    latest = formation.latest_terms()
    # A breach asks for no notice, yet nobody leaves as of a day gone by.
    notice = latest.terms.notice if latest and command.reason is not ExitReason.BREACH else "P0D"
    last_day = subtract(command.effective_on, notice)
    asked = [
        Requirement(
            "notice-period",
            day <= last_day,
            f"To leave on {command.effective_on}, notice was due by {last_day}; this is {day}.",
            f"Leave {notice} after the day of notice, or later.",
            waivable=False,
        ),
    ]
    if command.reason is ExitReason.UNDERPERFORMANCE:
        asked += _improvement_was_tried(execution, day)
    waived = passing("exit", asked, context)
    return [ExitNoticeGiven.of(command, waived=waived)]


def _improvement_was_tried(execution: Execution, day: date) -> list[Requirement]:
    deadline = execution.plan_deadline
    return [
        Requirement(
            "improvement-plan-first",
            deadline is not None,
            "No improvement plan with a deadline was agreed.",
            "Diagnose, then agree a plan with a deadline (DiagnoseRootCause, "
            "ProposeImprovementPlan, AgreeImprovementPlan).",
            waivable=False,
        ),
        Requirement(
            "improvement-deadline",
            deadline is None or day > deadline,
            f"The improvement plan runs until {deadline}.",
            "Wait for the deadline that both agreed.",
            waivable=False,
        ),
    ]


def disposition(
    command: DispositionAssets, state: Renewal, context: PartnershipContext
) -> list[Event]:
    """Say once what becomes of an asset (C27)."""
    event = AssetsDispositioned.of(command)
    check_parties([command.to], context.parties)
    return recorded_once(event, state.assets.get(command.asset), f"What became of {command.asset}")


def complete(
    command: CompleteExit, state: Renewal, context: PartnershipContext, act: Act
) -> list[Event]:
    """End the partnership once its date has come and it is settled (C27)."""
    effective_on = state.notice.effective_on if state.notice else act.occurred_at.date()
    asked = [
        Requirement(
            "effective-date",
            act.occurred_at >= midnight(effective_on),
            f"The notice takes effect on {effective_on}.",
            "Complete the exit on that day or later.",
            waivable=False,
        ),
        Requirement(
            "final-settlement",
            state.settlement is not None,
            "No final settlement was issued.",
            "Issue it (IssueFinalSettlement).",
            waivable=False,
        ),
        Requirement(
            "assets-dispositioned",
            bool(state.assets),
            "Nothing was said of shared assets.",
            "Say what becomes of them (DispositionAssets).",
        ),
    ]
    waived = passing("the end", asked, context)
    return [PartnershipExited.of(command, waived=waived)]


def evolve(state: Renewal, event: Event, act: Act) -> Renewal:
    """Take a fact of this stage into its state."""
    match event:
        case CommercialTermsAgreed():
            return replace(state, holds_until=event.terms.ends_on())
        case RenewalReviewHeld():
            return replace(state, reviews={**state.reviews, event.review: event})
        case RenewalProposed():
            proposals = with_proposal(event.proposal, event, state.proposals, act)
            return replace(state, proposals=proposals)
        case PartnershipRenewed():
            proposals = with_acceptance(event.proposal, state.proposals)
            return replace(state, proposals=proposals, holds_until=event.ends_on)
        case RenewalDeclined():
            return replace(state, declined={**state.declined, event.proposal: event})
        case ExitNoticeGiven():
            return replace(state, notice=event)
        case FinalSettlementIssued():
            return replace(state, settlement=event)
        case AssetsDispositioned():
            return replace(state, assets={**state.assets, event.asset: event})
        case _:
            return state
