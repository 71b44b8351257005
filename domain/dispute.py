"""Disputes: what is disputed and why, the evidence, the mediation, and the outcome (C24).

Each dispute is a separate aggregate, so it can continue after the partnership has ended. While
it is open, the disputed money that no statement has yet is on hold.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, assert_never

from pydantic import StringConstraints

from domain import second_person
from domain.bilateral import (
    BilateralAgreement,
    BilateralAgreements,
    BilateralCommand,
    BilateralProposed,
    ProposalAnswer,
    ProposalEnded,
)
from domain.content import FileDigest
from domain.context import PartnershipContext
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
    Unknown,
    Value,
    once,
    recorded_once,
)
from domain.second_person import ActConfirmed, ActWithdrawn, HeldActs, SecondPersonAsked
from domain.settlement import Ledger
from domain.values import Money, PersonName, PositiveMoney, Ref, Text
from domain.wording import Worded

_REF = r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}"
_SLUG = r"[a-z0-9][a-z0-9._-]{0,63}"
_DAY = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"

Subject = Annotated[
    str,
    StringConstraints(
        pattern=rf"^((deal|entry|referral|adjustment)/{_REF}|(due|window)/{_SLUG}@{_DAY}"
        rf"|report/{_SLUG}@[0-9]{{4}}(-(0[1-9]|1[0-2]|Q[1-4]))?)$"
    ),
    Worded(
        "names nothing that earns money",
        "Write deal/D-1, entry/E-1, referral/D-1, adjustment/A-1, due/retainer-1@2026-02-01, "
        "window/minimum-1@2026-01-01 or report/referral-fee-1@2026-Q1.",
    ),
]
"""What earns money: a deal, an entry, an item's due day, a window, a reported period, a referral's
incentive, an adjustment."""


_LEDGER_NAME = r"[A-Za-z0-9@/._:,+-]"

LedgerName = Annotated[
    str,
    StringConstraints(pattern=rf"^{_LEDGER_NAME}{{0,300}}$"),
    Worded(
        "is not a name of the ledger",
        "Write it as the line of a statement has it, as in payment/P-1 or revenue-share-1.",
    ),
]
"""The name of a fact or of an item, as a line of a statement has it."""


class DisputedLine(Value):
    """What a line of a statement prices, and by which item of the terms."""

    fact: LedgerName
    """The fact that is priced: `payment/P-1`, `win@2026-03-01T09:00:00Z`."""
    item: LedgerName
    """The name of the item of the terms: `revenue-share-1`."""

    def __str__(self) -> str:
        """Return it in words: ``revenue-share-1 of payment/P-1``."""
        return f"{self.item} of {self.fact}"


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
    subject: Subject | None = None
    """What earned the disputed money: `deal/D`, `entry/E`, `referral/D`, `adjustment/P`, an item's
    due day (`due/NAME@DAY`), window (`window/NAME@DAY`, by its first day) or reported period
    (`report/NAME@PERIOD`). None if no money is disputed."""
    line: DisputedLine | None = None
    """The line of the subject that is disputed, as a statement shows it. None: all that the subject
    earned."""


class OpenDispute(_Dispute, DisputeCommand):
    """Open a dispute on money that the other party earned, or on something else (C24)."""

    amount: PositiveMoney | None = None
    """The disputed amount. Default: all that the line, else the subject, earned the other party."""


class DisputeOpened(_Dispute, Event):
    """A party opened a dispute. What no statement has yet of the money is on hold (C24)."""

    dispute: Ref
    """The identifier of the dispute."""
    amount: PositiveMoney | None = None
    """The disputed amount; None only if there is no subject."""


class _Submission(Value):
    evidence: Ref
    """The identifier of the evidence."""
    title: Text
    """The title of the evidence."""
    reference: Text
    """Where the evidence is: a link, a document number, an event of this partnership."""
    sha256: FileDigest | None = None
    """The SHA-256 of the file, by which a bundle can bring it and a reader can check it."""


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
    added=("subject", "line", "amount"),
    counted=None,
):
    """A dispute ended: as both parties agreed, or withdrawn by the one that opened it (C24).

    It repeats what was disputed, so that no reader has to look up the dispute.
    """

    dispute: Ref
    """The identifier of the dispute."""
    subject: Subject | None = None
    """What earned the disputed money; None if no money was disputed."""
    line: DisputedLine | None = None
    """The line of the subject that was disputed; None if it was all that the subject earned."""
    outcome: DisputeOutcome
    """The outcome of the dispute."""
    amount: PositiveMoney | None = None
    """The disputed amount; None if no money was disputed."""
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
    resolved_at: datetime | None = None
    held: HeldActs = field(default_factory=dict)
    """What a second person confirms."""


def decide(
    command: DisputeCommand | ProposalAnswer,
    state: Dispute,
    context: PartnershipContext,
    ledger: Callable[[], Ledger],
    act: Act,
) -> list[Event]:
    """Decide a command on a dispute; `ledger` gives what was earned. Raises `Refused`."""
    if isinstance(command, OpenDispute):
        return open_(command, state, context, ledger, act)
    if isinstance(command, ProposalAnswer):
        waits_in = (command.within or "").replace("/", " ") if state.resolved is None else None
        events = state.agreements.answer(command, act, waits_in)
        if events:
            _still_open(state)
        return events
    if state.opened is None:
        raise Unknown(
            "no-such-dispute",
            f"A dispute begins when a party opens it. No dispute {command.dispute} was opened.",
            "Open the dispute (OpenDispute).",
            named=command.dispute,
            known=[],
            awaits=Awaited(AwaitedKind.DISPUTE, command.dispute, f"dispute {command.dispute}"),
        )
    match command:
        case SubmitEvidence():
            return submit(command, state, act)
        case StartMediation():
            return mediate(command, state, act)
        case BilateralCommand():
            waits_in = f"dispute {command.dispute}" if state.resolved is None else None
            return _with_lapsed(state, state.agreements.decide(command, state, act, waits_in))
        case WithdrawDispute():
            return _with_lapsed(state, withdraw(command, state, act))
        case _:
            assert_never(command)  # type: ignore[arg-type] # closed by this module


def _with_lapsed(state: Dispute, decided: list[Event]) -> list[Event]:
    """Return what was decided, and that the other open proposals lapse if the dispute ends."""
    lapsed = [
        event
        for each in decided
        if isinstance(each, DisputeResolved)
        for event in state.agreements.lapse(
            each.proposal,
            f"Dispute {each.dispute} was {each.outcome}.",
            f"dispute/{each.dispute}",
        )
    ]
    return [*decided, *lapsed]


def open_(
    command: OpenDispute,
    state: Dispute,
    context: PartnershipContext,
    ledger: Callable[[], Ledger],
    act: Act,
) -> list[Event]:
    """Open a dispute once, on at most what its line or its subject earned for the other party.

    Facts up to the end of the dispute's day count (docs/settlement.md, From accrual to payout).
    """
    if command.subject is None and (command.amount or command.line):
        raise Refused(
            "amount-without-subject",
            f"A disputed amount or line needs what earned it. Dispute {command.dispute} names "
            f"{command.amount or command.line} and no subject.",
            "Name the subject, or leave out the amount and the line.",
            field="subject",
        )
    event, existing = DisputeOpened.of(command), state.opened
    if existing is not None:
        _check_same_dispute(state, act)
    if existing is not None and command.amount is None:
        event = event.model_copy(update={"amount": existing.amount})
    if existing is None and command.subject is not None:
        day = context.terms.day(act.occurred_at)
        other = next((each for each in context.parties if each != act.party), None)
        line = (command.line.fact, command.line.item) if command.line else None
        earned = ledger().earnings(command.subject, other, day, line) if other else {}
        event = event.model_copy(update={"amount": _disputable(command, earned)})
    if existing is not None and (existing.subject, existing.line) == (event.subject, event.line):
        return once(
            event,
            existing,
            "already-recorded",
            "What is recorded cannot be changed. This is in dispute already, as "
            f"{command.dispute}, with another reason, amount or description.",
            "Go on with that dispute. Use a new identifier only to dispute something else.",
        )
    return recorded_once(event, existing, f"Dispute {command.dispute}")


def _check_same_dispute(state: Dispute, act: Act) -> None:
    """Raise `Refused` if the other party opened the dispute, or if it has ended."""
    _still_open(state)
    if state.opened is not None and act.party != state.opened_by:
        raise Refused(
            "dispute-exists",
            "Each dispute has an identifier of its own. "
            f"{state.opened_by} opened dispute {state.opened.dispute}.",
            "Use a new identifier.",
            field="dispute",
        )


def _disputable(command: OpenDispute, earned: Mapping[str, Decimal]) -> Money:
    """Return the disputed amount. Raises `Refused` if it exceeds what was earned."""
    earner = _earner(command)
    amounts = [
        Money(amount=amount, currency=currency)
        for currency, amount in sorted(earned.items())
        if amount > 0
    ]
    if not amounts:
        raise Refused(
            "nothing-earned",
            "Only money that the other party earned can be disputed. "
            f"{earner} earned nothing for it up to that day.",
            "Name what earned the money (see the ledger lines of a statement). A claim is objected "
            "to (ObjectToClaim).",
            field="subject",
        )
    listed = " and ".join(str(each) for each in amounts)
    if command.amount is None:
        if len(amounts) > 1:
            raise Refused(
                "dispute-names-amount",
                f"A dispute is about one currency. {earner} earned {listed}.",
                "Give the amount, and open a dispute for each currency.",
                field="amount",
            )
        return amounts[0]
    if not any(
        each.currency == command.amount.currency and command.amount.amount <= each.amount
        for each in amounts
    ):
        raise Refused(
            "dispute-exceeds-earnings",
            "A dispute cannot exceed what its subject earned for the other party up to that day. "
            f"{command.amount} is disputed; {earner} earned {listed}.",
            "Dispute at most that.",
            field="amount",
        )
    return command.amount


def _earner(command: OpenDispute) -> str:
    """Return what is said to have earned money: a line says of what it is, if it is of all."""
    if command.line is None:
        return f"{command.subject}"
    if command.line.fact == command.subject:
        return f"{command.line}"
    return f"{command.line}, {command.subject},"


def submit(command: SubmitEvidence, state: Dispute, act: Act) -> list[Event]:
    """Record evidence once under its identifier, if it was submitted before the dispute ended."""
    event, existing = EvidenceSubmitted.of(command), state.evidence.get(command.evidence)
    if existing is None:
        _was_open(state, act)
    return recorded_once(event, existing, f"Evidence {command.evidence}")


def mediate(command: StartMediation, state: Dispute, act: Act) -> list[Event]:
    """Record once that mediation started, if that was before the dispute ended."""
    if state.mediation is None:
        _was_open(state, act)
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
    repeated = ("subject", "line", "amount")
    return {name: getattr(opened, name) for name in repeated} if opened else {}


def _was_open(state: Dispute, act: Act) -> None:
    """Raise `Refused` if the dispute had ended when something happened, which may arrive late."""
    if state.resolved_at is None or state.resolved_at <= act.occurred_at:
        _still_open(state)


def _still_open(state: Dispute) -> None:
    if state.resolved is not None:
        raise NotNow(
            "dispute-resolved",
            f"A dispute that has ended cannot change. Dispute {state.resolved.dispute} was "
            f"{state.resolved.outcome}.",
            "Open another dispute, under a new identifier (OpenDispute).",
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
            return replace(
                state, agreements=agreements, resolved=event, resolved_at=act.occurred_at
            )
        case BilateralProposed() | ProposalEnded():
            return replace(state, agreements=state.agreements.evolve(event, act))
        case SecondPersonAsked() | ActConfirmed() | ActWithdrawn():
            return replace(state, held=second_person.evolve(state.held, event, act))
        case _:
            return state
