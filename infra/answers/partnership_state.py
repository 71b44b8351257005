"""The state of one partnership, as a model: the answer of `infra.answers.show`.

It contains the facts of the domain as they were recorded, with people by name.
"""

from datetime import date, datetime
from enum import StrEnum
from typing import Generic, TypeVar

from pydantic import JsonValue

from domain import terms
from domain.adoption import AdoptionPart
from domain.agreement import CommercialTermsAgreed, Section, Sections
from domain.budgets import Budget
from domain.charter import Charter
from domain.deadlines.deadline import DeadlineKind
from domain.dispute import DisputeOpened, DisputeResolved
from domain.execution import (
    ActionAgreed,
    ActionCompleted,
    ActivityPaused,
    CampaignAgreed,
    CampaignClosed,
    CommitmentCancelled,
    CommunicationPolicyAgreed,
    ImprovementPlanAgreed,
    ImprovementPlanCompleted,
    IssueRaised,
    IssueResolved,
    MilestonePlanned,
    MilestoneReached,
    OnboardingStepAgreed,
    OnboardingStepCompleted,
    ReviewHeld,
    ReviewScheduled,
)
from domain.exit import AssetsDispositioned, ExitReason
from domain.exploration import (
    AlignmentAssessed,
    BridgingPlanAgreed,
    CandidateIdentified,
    CandidateScored,
    JointBridgingPlanAgreed,
)
from domain.formation import (
    BestAlternativeDeclared,
    DecisionRuleAgreed,
    NonNegotiableDeclared,
)
from domain.governance import (
    ContactAssigned,
    GovernanceEstablished,
    ResourcesCommitted,
    SponsorAssigned,
)
from domain.health import ContributionPromised, ContributionRecorded
from domain.kernel import Event, Stage
from domain.markets import (
    LocalFeedbackRecorded,
    MarketRanked,
    MetricOwnerAssigned,
    RoleAssigned,
)
from domain.own_metric import MetricAgreed
from domain.renewal import AnnualReviewHeld, RenewalReviewHeld
from domain.settlement import FinalSettlementIssued
from domain.sharing import DataSharingAgreed
from domain.values import Count
from infra.answers.question import Answer, Item

E = TypeVar("E", bound=Event)
D = TypeVar("D", bound=Event)


class PartyRole(StrEnum):
    """The role of a party in a partnership."""

    INITIATOR = "initiator"
    """The party that began the exploration."""
    PARTNER = "partner"
    """The candidate that it chose."""


class Party(Item):
    """One of the two parties, and who answers for it."""

    party: str
    """The party."""
    role: PartyRole
    """Whether the party began the exploration or was chosen."""
    name: str
    """The name of the organisation."""
    contacts: tuple[ContactAssigned, ...]
    """The contacts for each function."""
    sponsor: SponsorAssigned | None
    """The executive sponsor; null if none was named."""
    resources: ResourcesCommitted | None
    """The time and the money that the party committed; null if none."""


class AdoptionSummary(Item):
    """How a partnership that already ran came in, or is proposed to."""

    proposal: str
    """The proposal."""
    since: date
    """The first day of the partnership, as its parties say."""
    stage: Stage
    """The stage that it was in."""
    settles_from: date
    """The first day that is settled here. Earlier days are settled elsewhere."""
    agreed_at: datetime | None
    """When both parties agreed it; null if it awaits the other party."""
    parts: tuple[AdoptionPart, ...]
    """The parts that it has."""
    accepted: tuple[AdoptionPart, ...]
    """The parts that the other party accepted by themselves."""


class Overlap(Item):
    """The account overlap with a candidate: the customers that both have (C2)."""

    own_customers: Count | None
    """The customers on the party's own list."""
    shared_customers: Count | None
    """Null where the count is too small to be shown to the other party (C14)."""
    fewer_than: int | None
    """The smallest count that is shown, where this one is smaller."""


class CandidateSummary(Item):
    """A candidate, with the latest fact of each kind (C1 to C4)."""

    candidate: str
    """The identifier of the candidate."""
    identified: CandidateIdentified | None
    """The candidate as it was put on the list; null for a partner that came in by an adoption."""
    approached: bool
    """Whether the candidate was approached."""
    declined: str | None
    """Why it was declined; null if it was not, or if it was approached again since."""
    chosen: bool
    """Whether the candidate was chosen as the partner."""
    score: CandidateScored | None
    """The latest score; null if there is none."""
    overlap: Overlap | None
    """The account overlap with the candidate; null if it is not measured."""
    alignment: AlignmentAssessed | None
    """The latest assessment of the alignment; null if there is none."""
    bridging: tuple[BridgingPlanAgreed, ...]
    """The plans to bridge dimensions with a low rating."""


class TermsAgreement(Item):
    """Terms as both parties agreed them: by which event, since when, and what they replaced."""

    version: int
    """The version of the terms."""
    event: int
    """The index of the event that agreed them."""
    agreed_by: str
    """The party that accepted them, by which they were agreed."""
    agreed_at: datetime
    """When it accepted."""
    effective_from: date
    """The first day on which they apply."""
    until: date | None
    """The first day on which they no longer apply; null but for temporary terms."""
    text: tuple[str, ...]
    """What they pay for what, in words; empty if they change the frame alone."""
    replaced: tuple[str, ...]
    """What was paid for what until then and is not any longer, in words."""


class AgreedTerms(Item):
    """The terms in force on a day, and all versions (C10)."""

    day: date
    """The day that is asked about."""
    version: int | None
    """The version whose items apply on the day; null if none apply."""
    items: tuple[terms.Item, ...]
    """The items in force on the day, with their names."""
    frame: terms.Frame | None
    """The frame of the agreement on the day; null if no terms are agreed."""
    versions: tuple[CommercialTermsAgreed, ...]
    """All versions, in the order of agreement."""
    agreements: tuple[TermsAgreement, ...]
    """How each version was agreed, in the same order."""

    @property
    def zone(self) -> str:
        """The time zone of the terms; UTC without terms."""
        return self.frame.time_zone if self.frame else terms.UTC


class RuleSummary(Item):
    """A decision rule that both parties agreed (C15)."""

    agreed: DecisionRuleAgreed
    """The rule as both parties agreed it."""
    text: str
    """The rule as a sentence."""


class SignedAgreement(Item):
    """The latest draft of the agreement (C9)."""

    version: int
    """The version, counted from 1."""
    in_force: int | None
    """The last version that both parties signed."""
    drafted_by: str | None
    """The party that drafted it; null for a contract that was adopted."""
    signed_by: tuple[str, ...]
    """The parties that have signed."""
    sections: Sections
    """The sections of the draft."""
    missing_sections: tuple[str, ...]
    """The sections that the draft lacks."""


class MarketSummary(Item):
    """A market that was named, that gave feedback, or that was ranked (C3)."""

    market: str
    """The identifier of the market."""
    feedback: tuple[LocalFeedbackRecorded, ...]
    """The feedback from the market."""
    ranked: tuple[MarketRanked, ...]
    """The ratings of the market by each party."""


class TaskState(StrEnum):
    """The states of something planned."""

    OPEN = "open"
    OVERDUE = "overdue"
    """It was not done in time: a milestone or a review was missed, an action or an
    onboarding step is overdue, an issue was escalated."""
    DONE = "done"
    GIVEN_UP = "given-up"
    """The partnership ended before it was done."""


class TaskSummary(Item, Generic[E, D]):
    """Something planned that is done once."""

    planned: E
    """What was planned, scheduled or raised."""
    since: datetime
    """When it was planned or raised."""
    state: TaskState
    """Whether it is open, overdue or done."""
    done: D | None
    """What completed it; null while it is open."""
    done_at: datetime | None
    """When it was completed; null while it is open."""
    overdue_at: datetime | None
    """When the log recorded that it was not done in time; null otherwise."""
    in_time: bool | None
    """Whether it was done before its time ran out; null until it is done."""


Milestone = TaskSummary[MilestonePlanned, MilestoneReached]
Review = TaskSummary[ReviewScheduled | ReviewHeld, ReviewHeld]
"""A review that was scheduled, or one that was held without that."""
Action = TaskSummary[ActionAgreed, ActionCompleted]
OnboardingStep = TaskSummary[OnboardingStepAgreed, OnboardingStepCompleted]
PromisedContribution = TaskSummary[ContributionPromised, ContributionRecorded]
Campaign = TaskSummary[CampaignAgreed, CampaignClosed]
Improvement = TaskSummary[ImprovementPlanAgreed, ImprovementPlanCompleted]
Pause = TaskSummary[ActivityPaused, CommitmentCancelled]
"""A pause that both agreed. Both end it; after its last day it is overdue."""
Issue = TaskSummary[IssueRaised, IssueResolved]
Task = (
    Milestone
    | Review
    | Action
    | OnboardingStep
    | PromisedContribution
    | Campaign
    | Improvement
    | Pause
    | Issue
)


class DisputeSummary(Item):
    """A dispute (C24)."""

    dispute: str
    """The identifier of the dispute."""
    opened: DisputeOpened | None
    """Null where an answer as of a moment lacks it."""
    opened_by: str
    """The party that opened it."""
    opened_at: datetime | None
    """When it was opened; null where an answer as of a moment lacks it."""
    mediator: str | None
    """Who mediates; null without a mediation."""
    resolved: DisputeResolved | None
    """How the dispute ended; null while it is open."""


class Scorecard(Item):
    """A party's last scorecard, and its changes since the one before (C25)."""

    party: str
    """The party."""
    period: str
    """The period of the health check."""
    ratings: dict[str, int]
    """From 1 to 5."""
    changes: dict[str, int]
    """The changes against the period before."""


class RecordSummary(Item):
    """Something that a party recorded, and that is in no other part of the state."""

    type: str
    """The type of the event."""
    at: datetime
    """When it happened."""
    party: str
    """The party that recorded it."""
    text: str
    """What it says, in words."""


class ProposalState(StrEnum):
    """The states of a proposal."""

    OPEN = "open"
    ACCEPTED = "accepted"
    DECLINED = "declined"
    COUNTERED = "countered"
    """The other party answered it with another proposal."""
    WITHDRAWN = "withdrawn"
    """Its party took it back."""
    LAPSED = "lapsed"
    """What it was about was settled otherwise."""


class AgreementEnd(StrEnum):
    """How something that both agreed is not in force any more."""

    REPLACED = "replaced"
    """A later agreement replaced it."""
    GIVEN_UP = "given up"
    """Both gave it up, or who was bound by it alone did."""
    DONE = "done"
    """What was planned is done, or it was agreed that something is done."""
    WITH_THE_END = "given up with the end"
    """It was planned, and the partnership ended before it was done."""


class ProposalSummary(Item):
    """A proposal that one party made: terms, a plan, a wider scope, a renewal, and so on."""

    proposal: str
    """The identifier that its author gave."""
    within: str | None
    """The deal, the dispute or the experiment that it belongs to; null for the partnership."""
    type: str
    """The event that recorded it, such as ``RenewalProposed``."""
    content: dict[str, JsonValue]
    """The fields of that event."""
    text: str
    """What its author did, as a sentence without its subject."""
    contents: tuple[str, ...]
    """What the proposal contains beyond this sentence, in words: each term, each objective."""
    proposed_by: str
    """The party that made the proposal."""
    proposed_at: datetime
    """When it was made."""
    state: ProposalState
    """Whether it is open, accepted, declined, countered or withdrawn, or has lapsed."""
    in_force: bool
    """Whether it was accepted and still binds: it was not replaced, given up or done."""
    begins: date | None = None
    """The first day of agreed terms, if it is after the day that is asked about; null otherwise."""
    ended: AgreementEnd | None
    """How what was accepted ended; null while it is in force, or if nothing was accepted."""
    replaced_by: str | None
    """The later proposal, or the sooner exit, that replaced what was accepted; null if none did."""
    answered_by: str | None
    """The party that accepted, declined, countered or withdrew it; null while it is open,
    and for one that lapsed. The author itself accepts what lays nothing on the other party."""
    answered_at: datetime | None
    """When that was; null while it is open."""
    reason: str | None
    """Why it was declined or withdrawn, or has lapsed."""


class BreachSummary(Item):
    """A breach of the agreement of which a party gave notice (C27)."""

    breach: str
    """The identifier of the breach."""
    noticed_by: str
    """The party that gave notice."""
    by: str
    """The party that is in breach."""
    section: Section
    """The section of the agreement that was broken."""
    description: str
    """What was broken, and how it can be cured."""
    cure_by: date
    """The last day of the cure period."""
    cured: bool
    """Whether the party that gave notice agreed that it was cured."""


class WaiverSummary(Item):
    """A rule of a gate that was waived (C6)."""

    rule: str
    """The rule that was waived."""
    proposal: str
    """The proposal that was accepted."""
    waived_by: tuple[str, ...]
    """The parties that waived it: both, or the initiator as long as it had no partner."""
    reason: str
    """The reason, in words."""


class ExitSummary(Item):
    """An exit: one party gave notice, or both agreed it (C27)."""

    exit: str
    """The identifier of the exit."""
    noticed_by: str | None
    """The party that gave notice; null if both agreed the exit."""
    reason: ExitReason | None
    """The reason of a notice; null if both agreed the exit."""
    explanation: str
    """The reasons, in words."""
    effective_on: date
    """The first day after the partnership."""
    withdrawn: bool
    """Whether both parties withdrew it."""
    replaced_by: str | None
    """The sooner exit that takes effect in its place; null if none does."""


class RenewalSummary(Item):
    """Renewal and exit (C11, C27)."""

    term_ends_on: date | None
    """The first day after the term."""
    exit_on: date | None
    """The first day after the partnership, by the first exit that was not withdrawn."""
    last_day_for_notice: date | None
    """The last day on which notice ends the partnership with its term."""
    reviews: tuple[RenewalReviewHeld, ...]
    """The renewal reviews."""
    annual_reviews: tuple[AnnualReviewHeld, ...]
    """The annual reviews of the partnership's relevance, by year as they were held."""
    breaches: tuple[BreachSummary, ...]
    """The breaches of which notice was given."""
    exits: tuple[ExitSummary, ...]
    """The exits, by notice or by both, also those that were withdrawn."""
    settlement: FinalSettlementIssued | None
    """The final settlement; null if it is not issued."""
    assets: tuple[AssetsDispositioned, ...]
    """What happens to each shared asset at the exit."""


class PrivateFact(Item):
    """A fact that only its party, and the operator in a full view, can see (C7)."""

    party: str
    """The party."""
    fact: NonNegotiableDeclared | BestAlternativeDeclared
    """The private fact of the party."""


class OpenDeadline(Item):
    """A deadline that has not passed."""

    due: datetime
    """The moment at which it has passed."""
    last_day: date | None
    """The last day in time, in the time zone of the terms; null for what happens at a moment."""
    kind: DeadlineKind
    """What is due."""
    ref: str
    """What it is for: a review's identifier, a period, a date."""


class PartnershipState(Answer):
    """The state of a partnership as of a moment."""

    id: str
    """The partnership."""
    stage: Stage | None
    """Null where the answer lacks the beginning."""
    has_ended: bool
    """Whether an exit has taken effect: what was still open then is given up."""
    purpose: str | None
    """What it is for, in words."""
    adoption: AdoptionSummary | None
    """How it came in, if it ran before; null if it began with an exploration."""
    events: int
    """How many events are in range. As of an `at`, hidden ones do not count."""
    log_size: int
    """How many events the log has."""
    last: str
    """The last event in range that the viewer sees: the partnership and its index."""
    last_recorded_at: datetime
    """When that one was recorded."""
    parties: tuple[Party, ...]
    """The two parties, the initiator first."""
    candidates: tuple[CandidateSummary, ...]
    """The candidates, with the latest fact of each kind."""
    bridging_plans: tuple[JointBridgingPlanAgreed, ...]
    """The plans that both agreed to bridge dimensions with a low rating."""
    terms: AgreedTerms
    """The terms in force, and all versions."""
    charter: Charter | None
    """The charter that both parties agreed, its objectives with the targets and deadlines in force;
    null if there is none."""
    rules: tuple[RuleSummary, ...]
    """The decision rules that both parties agreed."""
    agreement: SignedAgreement | None
    """The agreement, and who signed it; null if none is drafted."""
    governance: GovernanceEstablished | None
    """The governance in force; null if none is agreed."""
    communication: CommunicationPolicyAgreed | None
    """The channel of each kind of message, how often, the tone and who leads; null if nothing is
    agreed."""
    data_sharing: DataSharingAgreed | None
    """The data-sharing protocol in force; null if none is agreed, so that all figures are shown."""
    markets: tuple[MarketSummary, ...]
    """The markets."""
    roles: tuple[RoleAssigned, ...]
    """The roles that the parties named."""
    own_metrics: tuple[MetricAgreed, ...]
    """The metrics that both parties defined beyond the catalogue."""
    metric_owners: tuple[MetricOwnerAssigned, ...]
    """Who owns which metric."""
    waivers: tuple[WaiverSummary, ...]
    """The rules that were waived, by whom and why."""
    budgets: tuple[Budget, ...]
    """The joint investments, and what their reductions leave of them."""
    milestones: tuple[Milestone, ...]
    """The milestones."""
    reviews: tuple[Review, ...]
    """The reviews."""
    actions: tuple[Action, ...]
    """The actions that both agreed and did not give up."""
    onboarding: tuple[OnboardingStep, ...]
    """The steps of the onboarding plan that both agreed and did not give up."""
    contributions: tuple[PromisedContribution, ...]
    """What both agreed that a party contributes, each with what it gave of it."""
    campaigns: tuple[Campaign, ...]
    """The campaigns that both agreed and did not give up."""
    improvement_plans: tuple[Improvement, ...]
    """The improvement plans, each with its outcome if both closed it."""
    pauses: tuple[Pause, ...]
    """The activities that both paused and did not take up again."""
    issues: tuple[Issue, ...]
    """The issues."""
    disputes: tuple[DisputeSummary, ...]
    """The disputes, each with its outcome if it has one."""
    proposals: tuple[ProposalSummary, ...]
    """The proposals, each with its state."""
    health: tuple[Scorecard, ...]
    """How each side rates the partnership, by its last scorecard; none without one."""
    renewal: RenewalSummary
    """The renewal reviews, the notice, and what the exit settled."""
    private: tuple[PrivateFact, ...]
    """The facts that only one party sees; empty for the other."""
    records: tuple[RecordSummary, ...]
    """What else the parties recorded, such as audits, lessons, wins, rates and the evidence in
    disputes; the latest first."""
    deadlines: tuple[OpenDeadline, ...]
    """The deadlines that have not passed, the next one first."""
