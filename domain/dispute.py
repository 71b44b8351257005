"""A dispute: what is disputed and why, the evidence, mediation, and how both settled it (C24).

Each is an aggregate of its own, so that it can go on after the partnership has ended. While it is
open, the disputed money of a deal or an entry is held (`projections.settlement`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, assert_never

from domain.bilateral import (
    BilateralAgreement,
    BilateralAgreements,
    BilateralCommand,
    BilateralProposed,
)
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


class WithdrawDispute(DisputeCommand):
    """Withdraw a dispute that one's own side opened (C24)."""

    reason: Text


class DisputeResolved(
    BilateralAgreement,
    name="Resolution",
    subject="how the dispute ends (C24)",
    accepts="AcceptResolution",
    base=DisputeCommand,
    added=("deal", "entry", "amount"),
    counted=None,
):
    """A dispute ended: as both parties agreed, or withdrawn by the one that opened it (C24).

    It repeats what was disputed, so that no reader has to look up the dispute.
    """

    dispute: Ref
    deal: Ref | None = None
    entry: Ref | None = None
    outcome: Outcome
    amount: Money | None = None
    """The disputed amount; None where all of it was disputed."""
    award: Money | None = None
    """Only with the outcome `settled`: how much is taken back."""
    resolution: Text
    proposal: Ref | None = None
    """The proposal that both parties agreed; None where the dispute was withdrawn."""

    @classmethod
    def check(cls, proposed: Any, within: "Dispute") -> None:  # noqa: ANN401 - made
        """Raise `Refused` where the award does not go with the outcome or the dispute."""
        check_resolution(proposed, within)

    @classmethod
    def complete(cls, proposed: Any, within: "Dispute", act: Act) -> Mapping[str, object]:  # noqa: ANN401, ARG003 - made
        """Give what was disputed. Raises `Refused` once the dispute has ended."""
        _still_open(within)
        return _disputed(within)


ProposeResolution = DisputeResolved.proposes
ResolutionProposed = DisputeResolved.proposed
AcceptResolution = DisputeResolved.accepts


@dataclass(frozen=True, slots=True)
class Dispute:
    """Where a dispute stands."""

    opened: DisputeOpened | None = None
    opened_by: str = ""
    evidence: Mapping[str, EvidenceSubmitted] = field(default_factory=dict)
    mediation: MediationStarted | None = None
    agreements: BilateralAgreements = field(default_factory=BilateralAgreements)
    resolved: DisputeResolved | None = None


def decide(command: DisputeCommand, state: Dispute, act: Act) -> list[Event]:
    """Decide a command on a dispute. Raises `Refused`."""
    if isinstance(command, OpenDispute):
        return open_(command, state)
    if state.opened is None:
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
        case BilateralCommand():
            return state.agreements.decide(command, state, act)
        case WithdrawDispute():
            return withdraw(command, state, act)
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


def check_resolution(proposed: Any, state: Dispute) -> None:  # noqa: ANN401 - made
    """Raise `Refused` where a proposed end gives an award that it cannot give."""
    _still_open(state)
    settled, award = proposed.outcome is Outcome.SETTLED, proposed.award
    if settled is not (award is not None) or proposed.outcome is Outcome.WITHDRAWN:
        raise Refused(
            "award-of-a-settlement",
            f"The outcome {proposed.outcome} was proposed {'with' if award else 'without'} an "
            "award.",
            "Give an award with the outcome settled and with no other. To withdraw a dispute, send "
            "WithdrawDispute.",
        )
    if award is not None:
        disputed = state.opened.amount if state.opened else None
        same = disputed is None or disputed.currency == award.currency
        if award.amount <= 0 or not same or (disputed and award.amount > disputed.amount):
            raise Refused(
                "award-exceeds-dispute",
                f"The award is {award}; the disputed amount is {disputed or 'not limited'}.",
                "Award an amount above zero, at most the disputed amount, in its currency.",
            )


def withdraw(command: WithdrawDispute, state: Dispute, act: Act) -> list[Event]:
    """Withdraw one's own dispute."""
    if act.party != state.opened_by:
        raise Refused(
            "not-ones-own-dispute",
            f"{state.opened_by} opened dispute {command.dispute}.",
            "Only who opened it withdraws it; propose an end instead (ProposeResolution).",
        )
    event = DisputeResolved(
        dispute=command.dispute,
        outcome=Outcome.WITHDRAWN,
        resolution=command.reason,
        **_disputed(state),
    )
    if state.resolved != event:
        _still_open(state)
    return recorded_once(event, state.resolved, f"The end of {command.dispute}")


def _disputed(state: Dispute) -> dict[str, Any]:
    """Give the fields by which an end of the dispute repeats what was disputed."""
    opened = state.opened
    return {name: getattr(opened, name) for name in ("deal", "entry", "amount")} if opened else {}


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
        case DisputeResolved():
            agreements = state.agreements.evolve(event, act)
            return replace(state, agreements=agreements, resolved=event)
        case BilateralProposed():
            return replace(state, agreements=state.agreements.evolve(event, act))
        case _:
            return state
