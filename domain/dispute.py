"""A dispute: what is disputed and why, the evidence, mediation, and how both settled it (C24).

Each is an aggregate of its own, so that it can go on after the partnership has ended. While it is
open, the disputed money of a deal or an entry is held (`projections.settlement`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import assert_never

from domain.consent import Proposals, acceptable, propose, with_acceptance, with_proposal
from domain.execution import IssueCause
from domain.kernel import AFTER_KICKOFF, Act, Command, Event, Refused, Value, recorded_once
from domain.values import Money, PersonName, Ref, Text


class Outcome(StrEnum):
    """How a dispute ended."""

    UPHELD = "upheld"
    """The disputed money is taken back."""
    REJECTED = "rejected"
    """The disputed money is paid after all."""
    SETTLED = "settled"
    """An award is taken back, the rest is paid."""
    WITHDRAWN = "withdrawn"


class DisputeCommand(Command):
    """What is asked of one dispute of a partnership."""

    stages = AFTER_KICKOFF
    dispute: Ref

    def substream(self) -> str:
        """Give the name of its stream below the partnership's."""
        return f"dispute/{self.dispute}"


class _Dispute(Value):
    cause: IssueCause
    description: Text
    issue: Ref | None = None
    """The issue that could not be resolved."""
    deal: Ref | None = None
    """The deal whose money is disputed."""
    entry: Ref | None = None
    """The entry whose money is disputed."""
    amount: Money | None = None
    """How much of it; all, if it is left out."""


class OpenDispute(_Dispute, DisputeCommand):
    """Dispute a deal's or an entry's money, or something else between the parties (C24)."""


class DisputeOpened(_Dispute, Event):
    """A party opened a dispute; what is disputed is held (C24)."""

    dispute: Ref


class _Submission(Value):
    evidence: Ref
    title: Text
    reference: Text
    """Where it is kept: a link, a document's number, an event of this partnership."""


class SubmitEvidence(_Submission, DisputeCommand):
    """Put evidence before the other party (C24)."""


class EvidenceSubmitted(_Submission, Event):
    """A party submitted evidence in a dispute (C24)."""

    dispute: Ref


class StartMediation(DisputeCommand):
    """Bring in a mediator (C24)."""

    mediator: PersonName


class MediationStarted(Event):
    """A mediator was brought in (C24)."""

    dispute: Ref
    mediator: PersonName


class _Resolution(Value):
    proposal: Ref
    outcome: Outcome
    award: Money | None = None
    """Of a settlement alone: how much is taken back."""
    resolution: Text


class ProposeResolution(_Resolution, DisputeCommand):
    """Put an end to the dispute forward (C24)."""


class ResolutionProposed(_Resolution, Event):
    """A party put an end to the dispute forward (C24)."""

    dispute: Ref


class AcceptResolution(DisputeCommand):
    """Accept the other party's end to the dispute (C24)."""

    proposal: Ref


class WithdrawDispute(DisputeCommand):
    """Withdraw a dispute that one's own side opened (C24)."""

    reason: Text


class DisputeResolved(Event):
    """A dispute came to its end (C24). It carries what was disputed, so that sums need no look."""

    dispute: Ref
    deal: Ref | None = None
    entry: Ref | None = None
    outcome: Outcome
    amount: Money | None = None
    award: Money | None = None
    resolution: Text
    proposal: Ref | None = None
    """The proposal that both settled on; none where it was withdrawn."""


@dataclass(frozen=True, slots=True)
class Dispute:
    """Where a dispute stands."""

    opened: DisputeOpened | None = None
    opened_by: str = ""
    evidence: Mapping[str, EvidenceSubmitted] = field(default_factory=dict)
    mediation: MediationStarted | None = None
    proposals: Proposals = field(default_factory=dict)
    resolved: DisputeResolved | None = None


def decide(command: DisputeCommand, state: Dispute, act: Act) -> list[Event]:
    """Decide a command on a dispute. Raises `Refused`."""
    if isinstance(command, OpenDispute):
        return open_(command, state)
    opened = state.opened
    if opened is None:
        raise Refused(
            "no-such-dispute",
            f"No dispute {command.dispute} was opened.",
            "Open it first (OpenDispute).",
        )
    match command:
        case SubmitEvidence():
            return submit(command, state)
        case StartMediation():
            return mediate(command, state)
        case ProposeResolution():
            return propose_resolution(command, state, opened, act)
        case AcceptResolution():
            return accept(command, state, opened, act)
        case WithdrawDispute():
            return withdraw(command, state, opened, act)
        case _:
            assert_never(command)  # type: ignore[arg-type] # closed by this module


def open_(command: OpenDispute, state: Dispute) -> list[Event]:
    """Open a dispute once, about one thing whose amount is above zero."""
    if command.deal is not None and command.entry is not None:
        raise Refused(
            "one-thing-disputed",
            f"Dispute {command.dispute} names a deal and an entry.",
            "Open a dispute for each.",
        )
    if command.amount is not None and command.amount.amount <= 0:
        raise Refused(
            "amount-not-positive",
            f"{command.amount} is no amount to dispute.",
            "Give an amount above zero, or leave it out to dispute all.",
        )
    return recorded_once(DisputeOpened.of(command), state.opened, f"Dispute {command.dispute}")


def submit(command: SubmitEvidence, state: Dispute) -> list[Event]:
    """Take evidence once under its identifier, while the dispute is open."""
    event, existing = EvidenceSubmitted.of(command), state.evidence.get(command.evidence)
    if existing is None:
        _still_open(state)
    return recorded_once(event, existing, f"Evidence {command.evidence}")


def mediate(command: StartMediation, state: Dispute) -> list[Event]:
    """Bring in one mediator, while the dispute is open."""
    if state.mediation is None:
        _still_open(state)
    return recorded_once(MediationStarted.of(command), state.mediation, "The mediator")


def propose_resolution(
    command: ProposeResolution, state: Dispute, opened: DisputeOpened, act: Act
) -> list[Event]:
    """Put an end forward whose award is that of a settlement, at most what is disputed."""
    settled, award = command.outcome is Outcome.SETTLED, command.award
    if settled is not (award is not None) or command.outcome is Outcome.WITHDRAWN:
        raise Refused(
            "award-of-a-settlement",
            f"An outcome of {command.outcome} comes {'with' if award else 'without'} an award.",
            "Give an award with a settlement alone; to withdraw is another command.",
        )
    if award is not None:
        disputed = opened.amount
        same = disputed is None or disputed.currency == award.currency
        if award.amount <= 0 or not same or (disputed and award.amount > disputed.amount):
            raise Refused(
                "award-exceeds-dispute",
                f"{award} cannot be awarded: {disputed or 'all of it'} is disputed.",
                "Award an amount above zero, at most what is disputed, in its currency.",
            )
    event = ResolutionProposed.of(command)
    if command.proposal not in state.proposals:
        _still_open(state)
    return propose(command.proposal, event, state.proposals, act)


def accept(
    command: AcceptResolution, state: Dispute, opened: DisputeOpened, act: Act
) -> list[Event]:
    """End the dispute as the other party proposed (C24)."""
    proposal = acceptable(command.proposal, state.proposals, act)
    if proposal is None or not isinstance(proposal.proposed, ResolutionProposed):
        return []
    _still_open(state)
    proposed = proposal.proposed
    resolved = _resolved(opened, proposed.outcome, proposed.resolution)
    settled_on = {"award": proposed.award, "proposal": proposed.proposal}
    return [resolved.model_copy(update=settled_on)]


def withdraw(
    command: WithdrawDispute, state: Dispute, opened: DisputeOpened, act: Act
) -> list[Event]:
    """Withdraw one's own dispute."""
    if act.party != state.opened_by:
        raise Refused(
            "not-ones-own-dispute",
            f"{state.opened_by} opened dispute {command.dispute}.",
            "Only who opened it withdraws it; propose an end instead (ProposeResolution).",
        )
    event = _resolved(opened, Outcome.WITHDRAWN, command.reason)
    if state.resolved != event:
        _still_open(state)
    return recorded_once(event, state.resolved, f"The end of {command.dispute}")


def _resolved(opened: DisputeOpened, outcome: Outcome, resolution: str) -> DisputeResolved:
    return DisputeResolved(
        dispute=opened.dispute,
        deal=opened.deal,
        entry=opened.entry,
        outcome=outcome,
        amount=opened.amount,
        resolution=resolution,
    )


def _still_open(state: Dispute) -> None:
    if state.resolved is not None:
        raise Refused(
            "dispute-resolved",
            f"Dispute {state.resolved.dispute} was {state.resolved.outcome}.",
            "Open another one if something new is disputed.",
        )


def evolve(state: Dispute, event: Event, act: Act) -> Dispute:
    """Take a fact into a dispute's state."""
    match event:
        case DisputeOpened():
            return replace(state, opened=event, opened_by=act.party)
        case EvidenceSubmitted():
            return replace(state, evidence={**state.evidence, event.evidence: event})
        case MediationStarted():
            return replace(state, mediation=event)
        case ResolutionProposed():
            proposals = with_proposal(event.proposal, event, state.proposals, act)
            return replace(state, proposals=proposals)
        case DisputeResolved():
            proposals = state.proposals
            if event.proposal is not None:
                proposals = with_acceptance(event.proposal, proposals)
            return replace(state, proposals=proposals, resolved=event)
        case _:
            return state
