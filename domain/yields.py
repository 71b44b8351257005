"""What each command may record: the events that a signature on the command can be the cause of.

Verifiers read this table (`rules.json` beside them). So nothing else can be recorded in the name of
a party that signed a harmless command. Decisions say the rest, and a replay decides again.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final

from domain.bilateral import (
    AcceptBilateral,
    BilateralAgreement,
    BilateralCommand,
    CounterBilateral,
    ProposalLapsed,
    ProposeBilateral,
)
from domain.declarations import DeclarationCommand
from domain.kernel import Command, Event, Refused
from domain.second_person import ActCommand, ConfirmAct, SecondPersonAsked

Added = frozenset[str] | None
"""The fields that the decision adds to what was signed or accepted; None for an event that follows
as a whole from the decision, any number of times."""

_RECORDED: Final[Mapping[str, str]] = {
    command: events
    for command, _, events in (
        line.strip().partition(" ")
        for line in """
        AgreeBridgingPlan BridgingPlanAgreed
        ConfirmAct ActConfirmed
        WithdrawAct ActWithdrawn
        ApproachCandidate CandidateApproached
        AssessAlignment AlignmentAssessed
        AttributeReferral ReferralAttributed
        BeginExploration ExplorationBegun
        CancelDeal DealCancelled
        ChoosePartner PartnerChosen
        CloseExploration ExplorationClosed
        CommitIntegrationSpend IntegrationSpendCommitted
        CompleteDecisionChecklist DecisionChecklistCompleted
        ConcedePenalty PenaltyConceded
        ConcludePilot PilotConcluded
        ConfirmClaim ClaimConfirmed
        CorrectMetric MetricCorrected
        CorrectObservation ObservationCorrected
        CorrectPayment PaymentCorrected
        CorrectPayout PayoutCorrected
        CorrectRefund RefundCorrected
        CorrectWin WinCorrected
        CreateOpportunity OpportunityCreated
        DeclineCandidate CandidateDeclined
        DeclineProposal ProposalDeclined
        DefineIdealPartnerProfile IdealPartnerProfileDefined
        DefinePortfolio PortfolioDefined
        DraftAgreement AgreementDrafted
        GiveBreachNotice BreachNoticeGiven
        GiveExitNotice ExitNoticeGiven
        HoldDemo DemoHeld
        HoldKickoff KickoffHeld
        HoldRenewalReview RenewalReviewHeld
        IdentifyCandidate CandidateIdentified
        IssueFinalSettlement FinalSettlementIssued
        IssueRefund RefundIssued
        LoseDeal DealLost
        MeasureAudienceOverlap AudienceOverlapMeasured
        ObjectToClaim ClaimObjected
        ObserveVariant VariantObserved
        OpenDispute DisputeOpened
        PromoteVariant VariantPromoted
        QualifyLead LeadQualified
        ReachMilestone MilestoneReached
        ReceivePayment PaymentReceived
        RecordJointRevenue JointRevenueReceived
        RecordPayout PayoutRecorded
        RecordSharedCost SharedCostIncurred
        RegisterHypothesis HypothesisRegistered
        RegisterKey KeyRegistered
        ReopenDeal DealReopened
        ReportMetric MetricReported
        RequireSignatures SignaturesRequired
        ReturnPayout PayoutReturned
        ReverseEntry EntryReversed
        ReverseRefund RefundReversed
        RevokeKey KeyRevoked
        RotateKey KeyRotated
        ScoreCandidate CandidateScored
        SignAgreement AgreementSigned
        StartMediation MediationStarted
        StartPilot PilotStarted
        SubmitEvidence EvidenceSubmitted
        SubmitReferral ReferralSubmitted
        WinDeal DealWon
        WithdrawDispute DisputeResolved
        WithdrawProposal ProposalWithdrawn
        AcceptTerms TermsAccepted CommercialTermsAgreed
        AgreeAdoptionPart AdoptionPartAgreed
        """.strip().splitlines()
    )
}
"""The events of commands that no mechanism made, once each."""

_ADOPTED = """
    AgreementAdopted CommercialTermsAgreed CharterAgreed ObjectiveAgreed DecisionRuleAgreed
    GovernanceEstablished AdjustmentAgreed
"""

_FOLLOWING: Final[Mapping[str, str]] = {
    "AgreeAdoption": _ADOPTED,
    "AgreeAdoptionPart": f"PartnershipAdopted {_ADOPTED}",
    "AgreeCharter": "ObjectiveAgreed",
    "IssueStatement": "StatementIssued",
    "RecordPayout": "ClaimConfirmed",
    "SignAgreement": "AgreementAmended",
}
"""The events that follow as a whole from the decision of a command."""

_FILLED: Final[Mapping[str, str]] = {"ReviewHeld": "kind"}
"""What an agreement says though its proposal may leave it out: the kind of a scheduled review."""

_SIGNED: Final[Mapping[str, str]] = {"PersonErased": "commands"}
"""What a signed command says though an unsigned one may leave it out (`signing.check_covers`)."""

_OF_OPERATOR = """
    BundleExported CosignatureRefused CosignatureResumed DeadlinePassed FinalSettlementIssued
    KeySentByOperator FullViewTaken InvestmentReduced IssueEscalated MilestoneMissed
    PartyKeyMade PeriodClosed PersonErased ProposalLapsed ReminderGiven ReviewMissed ReviewScheduled
    RuleBreachWithdrawn RuleBreached StatementIssued
"""
BY_OPERATOR: Final = frozenset(_OF_OPERATOR.split())
"""The kinds of event that the clock, an agreed rule or the operator itself records."""


def of(command: type[Command]) -> Mapping[str, Added]:
    """Return the events that a command may record, by wire name, each with its added fields."""
    once = {each: _added(command, Event.registry[each]) for each in _once(command)}
    if not issubclass(command, ActCommand):
        # It may await a second person.
        once[SecondPersonAsked.wire] = frozenset({"act", "confirm_by", "signed_with", "within"})
    following = [*_FOLLOWING.get(command.__name__, "").split(), ProposalLapsed.wire]
    return once | dict.fromkeys(following)


def check(command: Command, decided: Iterable[Event]) -> None:
    """Raise `Refused` if a signed command would record an event that no verifier takes from it."""
    if isinstance(command, ConfirmAct):
        return  # It yields what the command that it confirms does.
    known = of(type(command))
    other = [each.wire for each in decided if each.wire not in known]
    if other:
        raise Refused(
            "command-yields",
            f"{type(command).__name__} would record {' and '.join(other)}, which verifiers do not "
            "take from it.",
            "This is a bug in Accord: its table of what a command records lacks the event.",
            other=other,
        )


def _once(command: type[Command]) -> Collection[str]:
    if command.__name__ in _RECORDED:
        return _RECORDED[command.__name__].split()
    if issubclass(command, DeclarationCommand):
        return (command.declaration.wire,)
    if not issubclass(command, BilateralCommand):
        return ()
    agreement = command.agreement
    if issubclass(command, CounterBilateral):
        return (agreement.countered.wire,)
    if not issubclass(command, ProposeBilateral):
        return (agreement.wire,)
    # What binds nobody but its author is agreed as soon as it is proposed.
    alone: Any = agreement.binds_author_alone
    by_default: Any = BilateralAgreement.binds_author_alone
    may_bind_alone = alone.__func__ is not by_default.__func__
    return (agreement.proposed.wire, *([agreement.wire] if may_bind_alone else []))


def _added(command: type[Command], event: type[Event]) -> Added:
    proposed: Any = command.agreement.proposed if issubclass(command, AcceptBilateral) else None
    content = proposed.model_fields if proposed else {}

    def adds(name: str) -> bool:
        if name in content:
            return name == _FILLED.get(event.wire)
        if name == _SIGNED.get(event.wire):
            return False
        asked = command.model_fields.get(name)
        # A command may leave out what has a default, or what the decision fills.
        return asked is None or not (
            asked.is_required()
            or (asked.get_default() is None and not event.model_fields[name].is_required())
        )

    return frozenset(filter(adds, event.model_fields))
