"""Disputes: what is disputed and why, the evidence, the mediation, and the outcome (C24).

Each dispute is a separate aggregate, so it can continue after the partnership has ended. While
it is open, the disputed money is on hold (`projections.settlement`).
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
from domain.kernel import (
    AFTER_KICKOFF,
    Act,
    Awaited,
    AwaitedKind,
    Command,
    Event,
    NotNow,
    Refused,
    Value,
    recorded_once,
)
from domain.values import PersonName, PositiveMoney, Ref, Text


class DisputeOutcome(StrEnum):
    """The outcomes of a dispute."""

    UPHELD = "upheld"
    """The disputed money is taken back."""
    REJECTED = "rejected"
    """The disputed money is paid."""
    SETTLED = "settled"
    """The award is taken back, and the rest is paid."""
    WITHDRAWN = "withdrawn"


class DisputeCommand(Command):
    """A command on one dispute of a partnership."""

    stages = AFTER_KICKOFF
    dispute: Ref
    """The identifier of the dispute."""

    def substream(self) -> str:
        """Return the name of its stream below the partnership's."""
        return f"dispute/{self.dispute}"


class _Dispute(Value):
    cause: IssueCause
    """The cause of the conflict (C24)."""
    description: Text
    """What is disputed, in words."""
    issue: Ref | None = None
    """The issue that was not resolved."""
    deal: Ref | None = None
    """The deal whose money is disputed."""
    entry: Ref | None = None
    """The entry whose money is disputed."""
    amount: PositiveMoney | None = None
    """The disputed amount. Default: all of it."""


class OpenDispute(_Dispute, DisputeCommand):
    """Open a dispute on the money of a deal or an entry, or on something else (C24)."""


class DisputeOpened(_Dispute, Event):
    """A party opened a dispute. The disputed money is on hold (C24)."""

    dispute: Ref
    """The identifier of the dispute."""


class _Submission(Value):
    evidence: Ref
    """The identifier of the evidence."""
    title: Text
    """The title of the evidence."""
    reference: Text
    """Where the evidence is: a link, a document number, an event of this partnership."""


class SubmitEvidence(_Submission, DisputeCommand):
    """Submit evidence in a dispute (C24)."""


class EvidenceSubmitted(_Submission, Event):
    """A party submitted evidence in a dispute (C24)."""

    dispute: Ref
    """The identifier of the dispute."""


class StartMediation(DisputeCommand):
    """Start mediation by a mediator (C24)."""

    mediator: PersonName
    """Who mediates."""


class MediationStarted(Event):
    """Mediation started (C24)."""

    dispute: Ref
    """The identifier of the dispute."""
    mediator: PersonName
    """Who mediates."""


class WithdrawDispute(DisputeCommand):
    """Withdraw a dispute. Only the party that opened it can (C24)."""

    reason: Text
    """The reason, in words."""


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
    """The identifier of the dispute."""
    deal: Ref | None = None
    """The deal that is disputed, if it is about one."""
    entry: Ref | None = None
    """The entry that is disputed, if it is about one."""
    outcome: DisputeOutcome
    """The outcome of the dispute."""
    amount: PositiveMoney | None = None
    """The disputed amount; None where all of it was disputed."""
    award: PositiveMoney | None = None
    """Only with the outcome `settled`: how much is taken back."""
    resolution: Text
    """The reasons, in words."""
    proposal: Ref | None = None
    """The proposal that both parties agreed; None where the dispute was withdrawn."""

    @classmethod
    def check(cls, proposed: Any, context: "Dispute") -> None:  # noqa: ANN401 - made
        """Raise `Refused` if the award does not go with the outcome or the dispute."""
        check_resolution(proposed, context)

    @classmethod
    def complete(cls, proposed: Any, context: "Dispute", act: Act) -> Mapping[str, object]:  # noqa: ANN401, ARG003 - made
        """Return what was disputed. Raises `Refused` once the dispute has ended."""
        _still_open(context)
        return _disputed(context)


ProposeResolution = DisputeResolved.proposes
ResolutionProposed = DisputeResolved.proposed
AcceptResolution = DisputeResolved.accepts


@dataclass(frozen=True, slots=True)
class Dispute:
    """The state of one dispute."""

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
            f"A dispute begins when a party opens it. No dispute {command.dispute} was opened.",
            "Open the dispute (OpenDispute).",
            awaits=Awaited(AwaitedKind.DISPUTE, command.dispute, f"dispute {command.dispute}"),
        )
    match command:
        case SubmitEvidence():
            return submit(command, state)
        case StartMediation():
            return mediate(command, state)
        case BilateralCommand():
            waits_in = f"dispute {command.dispute}" if state.resolved is None else None
            return state.agreements.decide(command, state, act, waits_in)
        case WithdrawDispute():
            return withdraw(command, state, act)
        case _:
            assert_never(command)  # type: ignore[arg-type] # closed by this module


def open_(command: OpenDispute, state: Dispute) -> list[Event]:
    """Open a dispute once, about at most one deal or entry."""
    if command.deal is not None and command.entry is not None:
        raise Refused(
            "one-thing-disputed",
            "A dispute is about one deal or one entry, not both. "
            f"Dispute {command.dispute} names deal {command.deal} and entry {command.entry}.",
            "Open one dispute for each.",
        )
    return recorded_once(DisputeOpened.of(command), state.opened, f"Dispute {command.dispute}")


def submit(command: SubmitEvidence, state: Dispute) -> list[Event]:
    """Record evidence once under its identifier, while the dispute is open."""
    event, existing = EvidenceSubmitted.of(command), state.evidence.get(command.evidence)
    if existing is None:
        _still_open(state)
    return recorded_once(event, existing, f"Evidence {command.evidence}")


def mediate(command: StartMediation, state: Dispute) -> list[Event]:
    """Start mediation once, while the dispute is open."""
    if state.mediation is None:
        _still_open(state)
    return recorded_once(MediationStarted.of(command), state.mediation, "The mediation")


def check_resolution(proposed: Any, state: Dispute) -> None:  # noqa: ANN401 - made
    """Raise `Refused` if the award of a proposed resolution is not allowed."""
    _still_open(state)
    settled, award = proposed.outcome is DisputeOutcome.SETTLED, proposed.award
    if settled is not (award is not None) or proposed.outcome is DisputeOutcome.WITHDRAWN:
        raise Refused(
            "award-of-a-settlement",
            "Only the outcome settled has an award, and it needs one. The outcome "
            f"{proposed.outcome} was proposed {'with' if award else 'without'} an award.",
            "Give an award with the outcome settled only. A dispute is withdrawn by "
            "WithdrawDispute.",
        )
    if award is not None:
        disputed = state.opened.amount if state.opened else None
        same = disputed is None or disputed.currency == award.currency
        if not same or (disputed and award.amount > disputed.amount):
            raise Refused(
                "award-exceeds-dispute",
                f"An award cannot exceed the disputed amount. The award is {award}; "
                + (f"{disputed} is disputed." if disputed else "the whole amount is disputed."),
                "Award an amount above zero, at most the disputed amount, in its currency.",
            )


def withdraw(command: WithdrawDispute, state: Dispute, act: Act) -> list[Event]:
    """Withdraw a dispute of the acting party."""
    if act.party != state.opened_by:
        raise NotNow(
            "not-ones-own-dispute",
            "Only the party that opened a dispute can withdraw it. "
            f"{state.opened_by} opened dispute {command.dispute}.",
            "Propose a resolution instead (ProposeResolution).",
        )
    event = DisputeResolved(
        dispute=command.dispute,
        outcome=DisputeOutcome.WITHDRAWN,
        resolution=command.reason,
        **_disputed(state),
    )
    if state.resolved != event:
        _still_open(state)
    return recorded_once(event, state.resolved, f"The outcome of dispute {command.dispute}")


def _disputed(state: Dispute) -> dict[str, Any]:
    """Return the fields by which an end of the dispute repeats what was disputed."""
    opened = state.opened
    return {name: getattr(opened, name) for name in ("deal", "entry", "amount")} if opened else {}


def _still_open(state: Dispute) -> None:
    if state.resolved is not None:
        raise NotNow(
            "dispute-resolved",
            f"A dispute that has ended cannot change. Dispute {state.resolved.dispute} was "
            f"{state.resolved.outcome}.",
            "Open another dispute (OpenDispute).",
        )


def evolve(state: Dispute, event: Event, act: Act) -> Dispute:
    """Fold an event into a dispute's state."""
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
