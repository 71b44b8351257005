"""The timeline: who did what, when, in words that both partners would use."""

from collections.abc import Callable
from typing import Any

from domain import (
    deadlines,
    deal,
    execution,
    exploration,
    formation,
    gates,
    governance,
    metric,
    renewal,
    scaling,
)
from domain.kernel import Event
from domain.recorded import Recorded
from domain.values import instant
from projections.fold import Change, Projection, Rows

Words = str | Callable[[Any], str]
"""A sentence's rest, filled in with the event's fields; or a function where it must look closer."""


def _checklist(event: exploration.DecisionChecklistCompleted) -> str:
    no = [name for name in exploration.QUESTIONS if not getattr(event, name)]
    return f"answered the decision checklist for {event.candidate}" + (
        f", with no to {', '.join(no)}" if no else ", with yes to all eight"
    )


def _passing(text: str) -> Callable[[Any], str]:
    def words(event: Any) -> str:  # noqa: ANN401 - any event that names the waivers it rests on
        waived = f" (waived: {', '.join(event.waived)})" if event.waived else ""
        return text.format(e=event) + waived

    return words


WORDS: dict[type[Event], Words] = {
    exploration.ExplorationBegun: "began to look for a partner: {e.purpose}",
    exploration.IdealPartnerProfileDefined: (
        "described the ideal partner (profile {e.profile_version}): {e.practice}"
    ),
    exploration.CandidateIdentified: "put {e.name} on the list ({e.found_through})",
    exploration.CandidateScored: (
        "scored {e.candidate} under profile {e.profile_version}: reach {e.market_reach}, "
        "brand {e.brand_alignment}, technology {e.technical_compatibility}"
    ),
    exploration.AudienceOverlapMeasured: (
        "measured {e.shared_customers} shared of {e.own_customers} customers with {e.candidate}"
    ),
    exploration.CandidateApproached: "approached {e.candidate}",
    exploration.IntegrationSpendCommitted: "committed {e.amount} to integrating {e.candidate}",
    exploration.AlignmentAssessed: (
        "rated {e.candidate}: fit {e.strategic_fit}, capacity {e.operational_capacity}, "
        "culture {e.cultural_compatibility}, vision {e.shared_vision}"
    ),
    exploration.BridgingPlanAgreed: "agreed how to bridge {e.dimension} with {e.candidate}",
    exploration.DecisionChecklistCompleted: _checklist,
    exploration.PartnerChosen: _passing("chose {e.name} as the partner; formation began"),
    exploration.ExplorationClosed: "ended the exploration: {e.reason}",
    gates.WaiverGranted: "waived {e.rule}: {e.reason}",
    formation.NonNegotiableDeclared: "declared on {e.term}: {e.statement}",
    formation.BestAlternativeDeclared: "stated its best alternative",
    formation.EvidenceAttached: "put evidence {e.evidence} on record: {e.title}",
    governance.ContactAssigned: "named {e.name} for {e.function}",
    governance.SponsorAssigned: "named {e.name}, {e.title}, as executive sponsor",
    governance.ResourcesCommitted: "committed {e.attention} % of a person's time",
    governance.GovernanceEstablished: "established governance; {e.operational_review} reviews",
    formation.TermsProposed: "proposed terms {e.proposal}",
    formation.TermsCountered: "answered {e.counters} with terms {e.proposal}",
    formation.TermsAccepted: "accepted terms {e.proposal}",
    formation.CommercialTermsAgreed: (
        "and its partner agreed terms, version {e.terms_version}, from {e.effective_from}"
    ),
    formation.CharterProposed: "proposed charter {e.proposal}",
    formation.CharterAgreed: "and its partner signed charter {e.proposal}",
    formation.ObjectiveAgreed: (
        "and its partner agreed: {e.objective.metric} from {e.objective.baseline} to "
        "{e.objective.target} {e.objective.unit} by {e.objective.deadline}"
    ),
    formation.DecisionRuleProposed: "proposed decision rule {e.rule.rule}",
    formation.DecisionRuleAgreed: (
        "and its partner agreed decision rule {e.rule.rule}, version {e.rule_version}"
    ),
    formation.AgreementDrafted: "drafted the agreement, version {e.agreement_version}",
    formation.AgreementSigned: "signed the agreement, version {e.agreement_version}",
    formation.AgreementAmended: "completed the amendment, version {e.agreement_version}",
    execution.KickoffHeld: _passing("held the kickoff; execution began"),
    execution.OnboardingStepCompleted: "completed {e.step} (day {e.plan_day} plan)",
    execution.TrainingCompleted: "trained {e.attendees} people of {e.department}",
    execution.CommunicationPolicyAgreed: "set the channels for messages",
    execution.LessonRecorded: "recorded a lesson: {e.text}",
    execution.IncentiveIntroduced: "introduced an incentive: {e.description}",
    execution.InvestmentReduced: "reduced the investment in {e.campaign} by {e.by} %: {e.reason}",
    execution.RootCauseDiagnosed: "diagnosed {e.cause}: {e.finding}",
    execution.MilestonePlanned: "planned {e.title} for {e.due}",
    execution.MilestoneReached: "reached milestone {e.milestone}",
    execution.MilestoneMissed: "milestone {e.milestone}, due {e.due}, was missed",
    execution.ReviewScheduled: "scheduled {e.kind} review {e.review} for {e.at:%Y-%m-%d}",
    execution.ReviewHeld: "held review {e.review}: {e.minutes}",
    execution.ReviewMissed: "review {e.review} of {e.at:%Y-%m-%d} was missed",
    execution.IssueRaised: "raised issue {e.issue} ({e.cause}): {e.description}",
    execution.IssueResolved: "resolved issue {e.issue}: {e.resolution}",
    execution.IssueEscalated: "issue {e.issue} was open for 48 hours and went to the sponsors",
    execution.ImprovementPlanProposed: "proposed improvement plan {e.plan} until {e.deadline}",
    execution.ImprovementPlanAgreed: (
        "and its partner agreed improvement plan {e.plan} until {e.deadline}"
    ),
    scaling.ScopeProposed: "proposed a wider scope {e.proposal}: {e.scope}",
    scaling.ScopeExpanded: _passing("and its partner widened the scope: {e.scope}; scaling began"),
    scaling.JointInvestmentProposed: "proposed to invest {e.investment} jointly: {e.purpose}",
    scaling.JointInvestmentAgreed: "and its partner agreed joint investment {e.proposal}",
    renewal.RenewalReviewHeld: "held renewal review {e.review}: recommends to {e.recommendation}",
    renewal.RenewalProposed: "proposed to renew for {e.duration}",
    renewal.PartnershipRenewed: "and its partner renewed until {e.ends_on}",
    renewal.RenewalDeclined: "declined renewal {e.proposal}: {e.reason}",
    renewal.ExitNoticeGiven: _passing("gave notice ({e.reason}), effective {e.effective_on}"),
    renewal.FinalSettlementIssued: "issued final settlement {e.settlement}",
    renewal.AssetsDispositioned: "{e.asset}: {e.disposition} ({e.to})",
    renewal.PartnershipExited: _passing("completed the exit; the partnership ended"),
    deadlines.PeriodClosed: "{e.period} closed",
    deadlines.DeadlinePassed: "{e.kind} {e.ref} passed",
    deal.ReferralSubmitted: "submitted referral {e.deal}",
    deal.ReferralAttributed: "attributed referral {e.deal} ({e.method})",
    deal.LeadQualified: "qualified lead {e.deal}",
    deal.OpportunityCreated: "opened an opportunity on {e.deal}",
    deal.DemoHeld: "held a demo for {e.deal}",
    deal.DealWon: "won deal {e.deal}: {e.annual_contract_value} a year",
    deal.DealLost: "lost deal {e.deal}: {e.reason}",
    deal.PaymentReceived: "received {e.amount} on deal {e.deal}",
    deal.RefundIssued: "refunded {e.amount} on deal {e.deal}",
    metric.MetricReported: "reported {e.metric} for {e.period}: {e.figure}",
    metric.MetricCorrected: "corrected {e.metric} for {e.period} to {e.figure}: {e.reason}",
}
"""What each event says; a test holds that none is left without words."""


def words(event: Event) -> str:
    """Give an event in words, without its subject."""
    say = WORDS[type(event)]
    return say.format(e=event) if isinstance(say, str) else say(event)


def keys(_: Recorded) -> tuple[str, ...]:
    """Give no row to look at: an entry is only ever added."""
    return ()


def apply(_: Rows, recorded: Recorded) -> Change:
    """Add an entry for an event."""
    act = recorded.act
    happened = instant(act.occurred_at)
    # What time itself causes, and feeds of the past, are recorded as they happen.
    at_once = act.recorded_at == act.occurred_at
    entry = {
        "index": recorded.index,
        "occurred_at": happened,
        "recorded_at": happened if at_once else instant(act.recorded_at),
        "party": act.party,
        "actor": act.actor,
        "type": recorded.event.wire,
        "text": words(recorded.event),
    }
    if not at_once and recorded.late:
        entry["late"] = True
    # Ten digits keep the text's order that of the indexes.
    return Change({f"{recorded.index:010}": entry}, [])


TIMELINE = Projection("timeline", keys, apply)
