"""Which command corrects what another one recorded: history is not edited, so a new event does it.

Two kinds of commands need no row. A declaration that may be restated or changed is stated again,
with the reason (`change_reason`) where it is changed. An agreement is replaced by a new proposal.
"""

from collections.abc import Mapping
from typing import Final

from domain.bilateral import BilateralCommand, DeclineProposal, WithdrawProposal
from domain.claims import ConfirmClaim, ObjectToClaim
from domain.declarations import Changeable, DeclarationCommand
from domain.dispute import OpenDispute, StartMediation, SubmitEvidence, WithdrawDispute
from domain.entry import ConcedePenalty, RecordJointRevenue, RecordSharedCost, ReverseEntry
from domain.execution import (
    CompleteAction,
    HoldKickoff,
    ProposeAction,
    ProposeMilestone,
    ReachMilestone,
)
from domain.exit import GiveBreachNotice, GiveExitNotice, ProposeCure, ProposeExitWithdrawal
from domain.experiment import (
    ConcludePilot,
    CorrectObservation,
    ObserveVariant,
    PromoteVariant,
    RegisterHypothesis,
    StartPilot,
)
from domain.exploration import (
    AgreeBridgingPlan,
    ApproachCandidate,
    AssessAlignment,
    BeginExploration,
    ChoosePartner,
    CloseExploration,
    CommitIntegrationSpend,
    CompleteDecisionChecklist,
    DeclineCandidate,
    DefineIdealPartnerProfile,
    IdentifyCandidate,
    MeasureAudienceOverlap,
    ScoreCandidate,
)
from domain.formation import DraftAgreement, SignAgreement
from domain.kernel import Command
from domain.keyring import RegisterKey, RequireSignatures, RevokeKey, RotateKey
from domain.partnership import PassTime
from domain.payment import CorrectPayment, CorrectRefund, IssueRefund, ReceivePayment, ReverseRefund
from domain.payouts import CorrectPayout, RecordPayout, ReturnPayout
from domain.program import DefinePortfolio
from domain.referral import (
    AttributeReferral,
    CreateOpportunity,
    HoldDemo,
    ProposeAttribution,
    QualifyLead,
    SubmitReferral,
)
from domain.renewal import HoldRenewalReview
from domain.reported_figure import CorrectMetric, ReportMetric
from domain.sale import CancelDeal, CorrectWin, LoseDeal, ReopenDeal, WinDeal
from domain.second_person import ConfirmAct, WithdrawAct
from domain.settlement import (
    IssueFinalSettlement,
    IssueStatement,
    ObjectToRate,
    ProposeRate,
    PublishRate,
)

CORRECTIONS: Final[Mapping[type[Command], type[Command] | None]] = {
    # Deals.
    SubmitReferral: None,
    AttributeReferral: ProposeAttribution,
    QualifyLead: None,
    CreateOpportunity: None,
    HoldDemo: None,
    WinDeal: CorrectWin,
    CorrectWin: CorrectWin,
    CancelDeal: WinDeal,
    LoseDeal: ReopenDeal,
    ReopenDeal: LoseDeal,
    ReceivePayment: CorrectPayment,
    CorrectPayment: CorrectPayment,
    IssueRefund: CorrectRefund,
    CorrectRefund: CorrectRefund,
    ReverseRefund: IssueRefund,
    # Claims.
    ConfirmClaim: None,
    ObjectToClaim: ConfirmClaim,
    # Figures, observations and entries.
    ReportMetric: CorrectMetric,
    CorrectMetric: CorrectMetric,
    ObserveVariant: CorrectObservation,
    CorrectObservation: CorrectObservation,
    RecordJointRevenue: ReverseEntry,
    RecordSharedCost: ReverseEntry,
    ConcedePenalty: ReverseEntry,
    ReverseEntry: None,
    # Experiments.
    RegisterHypothesis: None,
    StartPilot: None,
    ConcludePilot: None,
    PromoteVariant: None,
    # Disputes.
    OpenDispute: WithdrawDispute,
    SubmitEvidence: None,
    StartMediation: None,
    WithdrawDispute: None,
    # What a second person confirms.
    ConfirmAct: None,
    WithdrawAct: None,
    # The partnership's own life.
    BeginExploration: None,
    DefineIdealPartnerProfile: DefineIdealPartnerProfile,
    IdentifyCandidate: IdentifyCandidate,
    ScoreCandidate: ScoreCandidate,
    MeasureAudienceOverlap: MeasureAudienceOverlap,
    ApproachCandidate: DeclineCandidate,
    DeclineCandidate: DeclineCandidate,
    AssessAlignment: AssessAlignment,
    AgreeBridgingPlan: AgreeBridgingPlan,
    CommitIntegrationSpend: CommitIntegrationSpend,
    CompleteDecisionChecklist: CompleteDecisionChecklist,
    ChoosePartner: None,
    CloseExploration: None,
    DraftAgreement: DraftAgreement,
    SignAgreement: None,
    DeclineProposal: None,
    WithdrawProposal: None,
    HoldKickoff: None,
    ReachMilestone: ProposeMilestone,
    HoldRenewalReview: None,
    GiveBreachNotice: ProposeCure,
    GiveExitNotice: ProposeExitWithdrawal,
    IssueStatement: IssueStatement,
    RecordPayout: CorrectPayout,
    CorrectPayout: CorrectPayout,
    ReturnPayout: RecordPayout,
    IssueFinalSettlement: IssueStatement,
    RegisterKey: RotateKey,
    RotateKey: RotateKey,
    RevokeKey: None,
    RequireSignatures: RequireSignatures,
    DefinePortfolio: DefinePortfolio,
    PassTime: None,
}
"""By command: the one that corrects what it recorded; None if what it recorded stays."""


_BY_BOTH: Final[Mapping[type[Command], type[Command]]] = {
    PublishRate: ProposeRate,
    ObjectToRate: ProposeRate,
    CompleteAction: ProposeAction,
}
"""The declarations that an agreement corrects."""


def correcting(command: type[Command]) -> type[Command] | None:
    """Return the command that corrects what `command` recorded; None if there is none."""
    if issubclass(command, BilateralCommand):
        proposes: type[Command] = command.agreement.proposes
        return proposes
    if issubclass(command, DeclarationCommand):
        if command in _BY_BOTH:
            return _BY_BOTH[command]
        kind = command.declaration
        return command if kind.restated or issubclass(kind, Changeable) else None
    return CORRECTIONS[command]
