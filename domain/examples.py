"""An example of every command: one partnership's whole life, in which each occurs at least once.

`accord schema` and the API's document show them, `accord next` decides them, and the tests play
them. GrowthOS and its partner are the seed case of a software firm and a consulting firm [001].
"""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import NamedTuple, TypeVar

from domain.adoption import (
    AdoptedParty,
    AdoptionPart,
    AgreeAdoption,
    AgreeAdoptionPart,
    Books,
    Contract,
    OpeningBalance,
    ProposeAdoption,
    TermsOnDay,
)
from domain.agreement import (
    AcceptTerms,
    CounterTerms,
    ProposeTerms,
    Section,
    Sections,
)
from domain.attribution import Method
from domain.bilateral import DeclineProposal, WithdrawProposal
from domain.charter import Charter, Expectations, Objective
from domain.claims import ConfirmClaim, ObjectToClaim
from domain.comparison import FixedSample
from domain.dispute import (
    AcceptResolution,
    DisputeOutcome,
    OpenDispute,
    ProposeResolution,
    StartMediation,
    SubmitEvidence,
    WithdrawDispute,
)
from domain.entry import ConcedePenalty, RecordJointRevenue, RecordSharedCost, ReverseEntry
from domain.execution import (
    AgreeAction,
    AgreeCampaign,
    AgreeCancellation,
    AgreeCommunicationPolicy,
    AgreeImprovementPlan,
    AgreeImprovementPlanOutcome,
    AgreeIssueResolution,
    AgreeMilestone,
    AgreeMilestoneReached,
    AgreeOnboardingStep,
    AgreePause,
    AgreeReduction,
    AgreeReview,
    AgreeReviewHeld,
    Cause,
    CloseCampaign,
    CompleteAction,
    CompleteOnboardingStep,
    CompleteTraining,
    DiagnoseRootCause,
    HoldKickoff,
    IntroduceIncentive,
    IssueCause,
    ProposeAction,
    ProposeCampaign,
    ProposeCancellation,
    ProposeCommunicationPolicy,
    ProposeImprovementPlan,
    ProposeImprovementPlanOutcome,
    ProposeIssueResolution,
    ProposeMilestone,
    ProposeMilestoneReached,
    ProposeOnboardingStep,
    ProposePause,
    ProposeReduction,
    ProposeReview,
    ProposeReviewHeld,
    RaiseIssue,
    ReachMilestone,
    RecordLesson,
)
from domain.exit import (
    AgreeCompletion,
    AgreeCure,
    AgreeDisposition,
    AgreeExit,
    AgreeExitWithdrawal,
    ExitReason,
    GiveBreachNotice,
    GiveExitNotice,
    ProposeCompletion,
    ProposeCure,
    ProposeDisposition,
    ProposeExit,
    ProposeExitWithdrawal,
)
from domain.experiment import (
    ConcludePilot,
    CorrectObservation,
    ObserveVariant,
    PromoteVariant,
    RegisterHypothesis,
    StartPilot,
    Variant,
)
from domain.exploration import (
    AgreeBridgingPlan,
    AgreeJointBridgingPlan,
    ApproachCandidate,
    AssessAlignment,
    BeginExploration,
    ChoosePartner,
    CloseExploration,
    CommitIntegrationSpend,
    CompleteDecisionChecklist,
    DeclineCandidate,
    DefineIdealPartnerProfile,
    Dimension,
    IdentifyCandidate,
    MeasureAudienceOverlap,
    ProposeJointBridgingPlan,
    ScoreCandidate,
)
from domain.formation import (
    AgreeCharter,
    AgreeDecisionRule,
    AgreeNegotiationEnd,
    AttachEvidence,
    DeclareBestAlternative,
    DeclareNonNegotiable,
    DraftAgreement,
    EvidenceKind,
    ProposeCharter,
    ProposeDecisionRule,
    ProposeNegotiationEnd,
    SignAgreement,
)
from domain.gates import AgreeWaiver, ProposeWaiver
from domain.governance import (
    AgreeGovernance,
    AssignContact,
    AssignSponsor,
    CommitResources,
    ContactAssigned,
    Function,
    GovernanceFor,
    ProposeGovernance,
    ResourcesCommitted,
    SponsorAssigned,
)
from domain.health import (
    AgreeContribution,
    AgreeRiskMitigated,
    AgreeTarget,
    AuditSubject,
    CelebrateWin,
    ContributionKind,
    IdentifyRisk,
    ProposeContribution,
    ProposeRiskMitigated,
    ProposeTarget,
    RecordAudit,
    RecordContribution,
    RecordHealthCheck,
    RotateManager,
)
from domain.kernel import Command, Stage, Value
from domain.keyring import (
    AgreeKeyRecovery,
    ProposeKeyRecovery,
    RegisterKey,
    RequireSignatures,
    RevokeKey,
    RotateKey,
    SignedKind,
)
from domain.markets import (
    AgreeMetricOwner,
    AssignRole,
    ProposeMetricOwner,
    RankMarket,
    RecordLocalFeedback,
    Role,
    TargetMarket,
)
from domain.merge import AgreeMerge, ProposeMerge
from domain.metric_catalogue import Direction, Unit
from domain.own_metric import AgreeMetric, ProposeMetric
from domain.partnership import PassTime
from domain.payment import CorrectPayment, CorrectRefund, IssueRefund, ReceivePayment, ReverseRefund
from domain.payouts import CorrectPayout, RecordPayout, ReturnPayout
from domain.people import ErasePerson
from domain.priors import AgreePrior, Prior, ProposePrior
from domain.program import DefinePortfolio
from domain.referral import (
    AgreeAttribution,
    AttributeReferral,
    CreateOpportunity,
    HoldDemo,
    ProposeAttribution,
    QualifyLead,
    SubmitReferral,
)
from domain.renewal import (
    AcceptRenewal,
    AgreeAnnualReview,
    HoldRenewalReview,
    ProposeAnnualReview,
    ProposeRenewal,
)
from domain.reported_figure import CorrectMetric, MetricReported, ReportedFigure, ReportMetric
from domain.rules import Action, DecisionRule, RuleComparison, Window
from domain.sale import CancelDeal, CorrectWin, LoseDeal, ReopenDeal, WinDeal
from domain.scaling import (
    AgreeJointInvestment,
    ExpandScope,
    ProposeJointInvestment,
    ProposeScope,
)
from domain.second_person import ConfirmAct, WithdrawAct, act_id
from domain.settlement import (
    AgreeAdjustment,
    AgreeRate,
    IssueFinalSettlement,
    IssueStatement,
    ObjectToRate,
    ProposeAdjustment,
    ProposeRate,
    PublishRate,
)
from domain.sharing import AgreeDataSharing, Form, ProposeDataSharing, SharingLine
from domain.terms import Assets, FrameChange, Item, Penalty, RevenueShare, RevenueSplit, Trigger
from domain.values import Money

OURS = "growthos"
THEIRS = "brightpath"

V = TypeVar("V", bound=Value)


class Step(NamedTuple):
    """Something that a party asks for: the day, the party and the command."""

    at: str
    party: str
    command: Command


def changed(value: V, /, **changes: object) -> V:
    """Return the value with some fields otherwise, validated."""
    return type(value)(**{**dict(value), **changes})


def usd(amount: str) -> Money:
    """Return an amount of dollars."""
    return Money(amount=Decimal(amount), currency="USD")


def split(ours: str, theirs: str) -> RevenueSplit:
    """Return a split of joint revenue, in percent."""
    shares = {OURS: Decimal(ours), THEIRS: Decimal(theirs)}
    return RevenueSplit(shares=shares, trigger=Trigger.PAYMENT)


def referral_share(percent: str) -> RevenueShare:
    """Return the partner's share of what a referred client pays in its first year."""
    return RevenueShare(
        to=THEIRS, share=Decimal(percent), basis="first-year", trigger=Trigger.PAYMENT
    )


NO_REPORT = Penalty(on=THEIRS, condition="A month's report is missing.", fee=usd("250.00"))
ITEMS: list[Item] = [referral_share("15")]
FRAME = FrameChange(
    minimum_referrals_per_quarter={THEIRS: 10},
    starts_on=date(2026, 1, 1),
    duration="P3Y",
    notice="P60D",
    assets_at_exit=Assets.RETAIN,
    due_days=30,
    if_sales_double="The share is looked at again.",
)
CO_BRANDED_REVENUE = Objective(
    objective="co-branded-revenue",
    metric="co_branded_revenue",
    baseline=Decimal(100_000),
    unit="USD",
    target=Decimal(120_000),
    deadline=date(2026, 12, 31),
    method="Invoices with the joint product on them",
    frequency="monthly",
    tool="crm",
)
CHARTER = Charter(
    purpose="Clients get software and the advice to use it from one hand.",
    goals={OURS: "Reach mid-market firms.", THEIRS: "Offer a tool with the advice."},
    expectations=Expectations(speed="A launch in week 4", investment="Equal", patience="A year"),
    objectives=[
        CO_BRANDED_REVENUE,
        changed(
            CO_BRANDED_REVENUE,
            objective="new-users",
            metric="new_users",
            unit="count",
            baseline=Decimal(0),
            target=Decimal(10_000),
        ),
        changed(
            CO_BRANDED_REVENUE,
            objective="subscribers",
            metric="new_subscribers",
            unit="count",
            baseline=Decimal(0),
            target=Decimal(10_000),
        ),
    ],
)
CONVERSION_FLOOR = DecisionRule(
    rule="conversion-floor",
    metric="lead_to_opportunity",
    window=Window.QUARTER,
    comparison=RuleComparison.BELOW,
    threshold=Decimal(5),
    measured="report",
    consecutive=2,
    action=Action.ESCALATE_TO_REVIEW,
)
BENCHMARK = Prior(
    metric="lead_to_opportunity",
    successes=2,
    failures=18,
    source="Referral programmes of six software firms; those that had given up are not in it",
)
OFFER_TRIAL = RegisterHypothesis(
    experiment="offer-trial",
    hypothesis="A page with a client's figures brings more requests than the plain one",
    metric="demo_request_rate",
    variants=[
        Variant(variant="plain", description="The page as it is", control=True),
        Variant(variant="figures", description="The page with a client's figures"),
    ],
    assignment="Visitors by the parity of their session's number",
    stop=FixedSample(trials=200),
)
SECTIONS = Sections(
    roles="Each side has a manager and a sponsor.",
    contributions="Software on one side, advice on the other.",
    deliverables="A joint offer by week 4.",
    confidentiality="Both keep what they learn to themselves.",
    data_protection=["GDPR"],
    ip_ownership="Each keeps its own.",
    revenue_and_costs="As in the terms.",
    governance="As established.",
    duration_and_exit="Three years, 60 days' notice.",
)

ADOPTION = ProposeAdoption(
    proposal="adoption-1",
    parties=[
        AdoptedParty(
            party=OURS,
            name="GrowthOS",
            contacts=[ContactAssigned(function=Function.PARTNERSHIP_MANAGER, name="Ada")],
            sponsor=SponsorAssigned(name="Olga", title="Chief executive"),
            resources=ResourcesCommitted(attention=Decimal(15)),
        ),
        AdoptedParty(
            party=THEIRS,
            name="BrightPath Consulting",
            contacts=[
                ContactAssigned(function=Function.PARTNERSHIP_MANAGER, name="Boris"),
                ContactAssigned(function=Function.FINANCE, name="Carla"),
            ],
        ),
    ],
    purpose="Clients get software and the advice to use it from one hand.",
    since=date(2023, 10, 1),
    stage=Stage.EXECUTION,
    terms=[
        TermsOnDay(
            agreed_on=date(2023, 9, 20),
            effective_from=date(2023, 10, 1),
            frame=FrameChange(
                starts_on=date(2023, 10, 1),
                duration="P3Y",
                notice="P60D",
                assets_at_exit=Assets.RETAIN,
                due_days=30,
            ),
            items=[referral_share("15")],
        ),
        TermsOnDay(
            agreed_on=date(2025, 1, 10),
            effective_from=date(2025, 2, 1),
            items=[referral_share("12")],
        ),
    ],
    books=Books(
        settles_from=date(2025, 7, 1),
        balances=[
            OpeningBalance(
                by=OURS,
                to=THEIRS,
                amount=usd("840.00"),
                reason="Commission of June, invoice 2025-06",
            )
        ],
    ),
    contract=Contract(
        reference="contract-2023-114", signed_on=date(2023, 9, 20), sections=SECTIONS
    ),
    charter=CHARTER,
    rules=[CONVERSION_FLOOR],
    governance=GovernanceFor(
        dispute_path=["managers", "sponsors", "mediation"],
        decision_rights="Managers decide within the budget.",
    ),
    figures=[
        MetricReported(
            metric="co_branded_revenue",
            period="2025-Q2",
            tool="crm",
            figure=ReportedFigure(unit="USD", value=Decimal("104000.00")),
        )
    ],
)
"""A partnership that already runs, as one party proposes to adopt it."""

PAYOUT = RecordPayout(payout="out-1", statement="2026-Q1:USD", amount=usd("1000.00"))

_EXPLORATION = [
    Step(
        "2025-09-01",
        OURS,
        BeginExploration(party_name="GrowthOS", purpose="Consulting firms that refer clients"),
    ),
    Step(
        "2025-09-02",
        OURS,
        DefineIdealPartnerProfile(
            staff_from=50,
            staff_to=200,
            client_segments=["technology", "professional services"],
            practice="digital transformation",
            same_buyer=True,
            competing_product=False,
        ),
    ),
    Step(
        "2025-09-03",
        OURS,
        IdentifyCandidate(
            candidate=THEIRS, name="Brightpath", found_through="trade-show", staff=120
        ),
    ),
    Step("2025-09-04", OURS, TargetMarket(market="spain")),
    Step(
        "2025-09-05",
        OURS,
        RecordLocalFeedback(
            market="spain",
            feedback="survey-1",
            given_by="Twelve firms in Madrid",
            score=4,
            text="They want advice in Spanish.",
        ),
    ),
    Step(
        "2025-09-06",
        OURS,
        RankMarket(
            market="spain",
            viability=4,
            cultural_fit=3,
            reasons=["Firms there pay for such tools already."],
        ),
    ),
    Step(
        "2025-09-06",
        OURS,
        AssignRole(role=Role.REGIONAL_MANAGER, market="spain", name="Carmen"),
    ),
    Step(
        "2025-09-06",
        OURS,
        ProposeMetricOwner(
            proposal="owner-1",
            metric="leads",
            market="spain",
            owner="Carmen",
            local=True,
            role=Role.REGIONAL_MANAGER,
        ),
    ),
    Step(
        "2025-09-10",
        OURS,
        ScoreCandidate(
            candidate=THEIRS,
            profile_version=1,
            market_reach=4,
            brand_alignment=4,
            technical_compatibility=3,
        ),
    ),
    Step(
        "2025-09-12",
        OURS,
        MeasureAudienceOverlap(candidate=THEIRS, own_customers=400, shared_customers=60),
    ),
    Step("2025-09-15", OURS, ApproachCandidate(candidate=THEIRS)),
    Step(
        "2025-09-20",
        OURS,
        CommitIntegrationSpend(candidate=THEIRS, purpose="A joint webinar", amount=usd("800.00")),
    ),
    Step(
        "2025-10-01",
        OURS,
        ReportMetric(
            metric="demo_request_rate",
            period="2025-09",
            tool="webinar",
            segment=THEIRS,
            figure=ReportedFigure(unit="percent", numerator=Decimal(11), denominator=Decimal(150)),
        ),
    ),
    Step(
        "2025-10-02",
        OURS,
        CorrectMetric(
            metric="demo_request_rate",
            period="2025-09",
            tool="webinar",
            segment=THEIRS,
            figure=ReportedFigure(unit="percent", numerator=Decimal(12), denominator=Decimal(150)),
            reason="One request came by telephone.",
        ),
    ),
    Step(
        "2025-10-06",
        OURS,
        AssessAlignment(
            candidate=THEIRS,
            strategic_fit=4,
            operational_capacity=3,
            cultural_compatibility=2,
            shared_vision=3,
        ),
    ),
    Step(
        "2025-10-07",
        OURS,
        AgreeBridgingPlan(
            candidate=THEIRS,
            dimension=Dimension.CULTURAL_COMPATIBILITY,
            plan="The teams work a week at each other's office.",
        ),
    ),
    Step(
        "2025-10-20",
        OURS,
        CompleteDecisionChecklist(
            candidate=THEIRS,
            objectives_defined=True,
            alignment_sufficient=True,
            governance_agreed=True,
            economics_fair=True,
            resources_available=True,
            risks_mitigated=True,
            exit_clause=True,
            sponsors_on_both_sides=True,
        ),
    ),
    Step("2025-11-01", OURS, ChoosePartner(candidate=THEIRS)),
]

_FORMATION = [
    Step(
        "2025-11-03",
        OURS,
        DeclareNonNegotiable(term="brand", statement="Our name stands on the offer."),
    ),
    Step("2025-11-03", THEIRS, DeclareBestAlternative(statement="We build a tool ourselves.")),
    Step(
        "2025-11-04",
        OURS,
        AttachEvidence(
            evidence="market-study",
            kind=EvidenceKind.STUDY,
            title="What mid-market firms buy",
            reference="study-2025-17",
        ),
    ),
    *(
        Step("2025-11-05", party, command)
        for party, name in [(OURS, "Ada"), (THEIRS, "Boris")]
        for command in (
            AssignContact(function=Function.PARTNERSHIP_MANAGER, name=name),
            AssignSponsor(name=f"{name} senior", title="Chief executive"),
            CommitResources(attention=Decimal(15), costs=[usd("1200.00")]),
        )
    ),
    Step(
        "2025-11-06",
        OURS,
        ProposeGovernance(
            proposal="governance-1",
            dispute_path=["managers", "sponsors", "mediation"],
            decision_rights="Managers decide within the budget.",
        ),
    ),
    Step("2025-11-07", THEIRS, AgreeGovernance(proposal="governance-1")),
    Step(
        "2025-11-07",
        THEIRS,
        ProposeMetricOwner(
            proposal="owner-2",
            metric="leads",
            market="spain",
            owner="Bella",
            local=False,
            role=Role.REGIONAL_MANAGER,
        ),
    ),
    Step("2025-11-07", THEIRS, WithdrawProposal(proposal="owner-2", reason="She is on leave.")),
    Step(
        "2025-11-07",
        THEIRS,
        ProposeMetricOwner(
            proposal="owner-3",
            metric="demo_to_paid",
            owner="Boris",
            local=False,
            role=Role.CENTRAL_LEAD,
        ),
    ),
    Step("2025-11-08", OURS, AgreeMetricOwner(proposal="owner-3")),
    Step(
        "2025-11-10",
        OURS,
        ProposeTerms(
            proposal="terms-1",
            effective_from=date(2026, 1, 1),
            frame=FRAME,
            items=[referral_share("12")],
        ),
    ),
    Step(
        "2025-11-12",
        THEIRS,
        CounterTerms(
            proposal="terms-2",
            counters="terms-1",
            effective_from=date(2026, 1, 1),
            frame=FRAME,
            items=ITEMS,
        ),
    ),
    Step("2025-11-14", OURS, AcceptTerms(proposal="terms-2")),
    Step("2025-11-17", OURS, ProposeCharter(proposal="charter-1", charter=CHARTER)),
    Step("2025-11-18", THEIRS, AgreeCharter(proposal="charter-1")),
    Step("2025-11-19", OURS, ProposeDecisionRule(proposal="rule-1", rule=CONVERSION_FLOOR)),
    Step("2025-11-20", THEIRS, AgreeDecisionRule(proposal="rule-1")),
    Step(
        "2025-11-21",
        OURS,
        ProposeDataSharing(
            proposal="sharing-1",
            lines=[
                SharingLine(
                    metrics=["leads", "demo_to_paid"],
                    by=by,
                    to=to,
                    form=Form.AGGREGATED,
                    frequency="monthly",
                    tool="A shared dashboard",
                )
                for by, to in ((OURS, THEIRS), (THEIRS, OURS))
            ],
        ),
    ),
    Step("2025-11-22", THEIRS, AgreeDataSharing(proposal="sharing-1")),
    Step(
        "2025-11-22",
        OURS,
        ProposeMetric(
            proposal="metric-1",
            metric="consultant_hours_saved",
            description="Hours that consultants save with the tool",
            unit=Unit.HOURS,
            better=Direction.UP,
            frequency="monthly",
            owner=THEIRS,
            source="The consultants' time sheets",
        ),
    ),
    Step("2025-11-22", THEIRS, AgreeMetric(proposal="metric-1")),
    Step("2025-11-22", THEIRS, ProposePrior(proposal="prior-1", prior=BENCHMARK)),
    Step("2025-11-23", OURS, AgreePrior(proposal="prior-1")),
    Step(
        "2025-11-24",
        THEIRS,
        ProposeJointBridgingPlan(
            proposal="bridge-1",
            dimension=Dimension.OPERATIONAL_CAPACITY,
            plan="They train two more consultants.",
        ),
    ),
    Step("2025-11-25", OURS, AgreeJointBridgingPlan(proposal="bridge-1")),
    Step("2025-12-01", OURS, DraftAgreement(sections=SECTIONS)),
    Step("2025-12-10", OURS, SignAgreement(agreement_version=1)),
    Step("2025-12-11", THEIRS, SignAgreement(agreement_version=1)),
    Step("2026-01-05", OURS, HoldKickoff(attendees=["Ada", "Boris"])),
]

_EXECUTION = [
    Step(
        "2026-01-05",
        OURS,
        ProposeOnboardingStep(
            proposal="step-1",
            step="access",
            owner=THEIRS,
            text="Their salespeople have access to the CRM",
            document="The access policy, version 2",
            due=date(2026, 2, 4),
        ),
    ),
    Step("2026-01-05", THEIRS, AgreeOnboardingStep(proposal="step-1")),
    Step("2026-01-06", THEIRS, CompleteOnboardingStep(step="access", plan_day=30)),
    Step(
        "2026-01-06",
        OURS,
        ProposeContribution(
            proposal="give-1",
            contribution="C-1",
            owner=THEIRS,
            period="2026-Q1",
            kind=ContributionKind.TIME,
            what="Training of our sales",
            hours=Decimal(20),
        ),
    ),
    Step("2026-01-06", THEIRS, AgreeContribution(proposal="give-1")),
    Step("2026-01-06", THEIRS, CompleteTraining(department="sales", attendees=8)),
    Step(
        "2026-01-07",
        OURS,
        ProposeCommunicationPolicy(proposal="channels-1", channels={"urgent": "telephone"}),
    ),
    Step("2026-01-07", THEIRS, AgreeCommunicationPolicy(proposal="channels-1")),
    Step(
        "2026-01-07",
        OURS,
        ProposeMilestone(
            proposal="plan-creative",
            milestone="creative-final",
            workstream="launch",
            title="The creative is final",
            owner=OURS,
            due=date(2026, 1, 19),
        ),
    ),
    Step("2026-01-07", THEIRS, AgreeMilestone(proposal="plan-creative")),
    Step(
        "2026-01-07",
        OURS,
        ProposeMilestone(
            proposal="plan-launch",
            milestone="launch",
            workstream="launch",
            title="The campaign runs",
            due=date(2026, 1, 20),
        ),
    ),
    Step("2026-01-07", THEIRS, AgreeMilestone(proposal="plan-launch")),
    Step(
        "2026-01-07",
        OURS,
        ProposeReview(
            proposal="meet-1",
            review="operations-1",
            kind="operational",
            at=datetime(2026, 1, 30, 10, tzinfo=UTC),
        ),
    ),
    Step("2026-01-07", THEIRS, AgreeReview(proposal="meet-1")),
    Step(
        "2026-01-07",
        THEIRS,
        ProposeCampaign(
            proposal="run-1",
            campaign="launch",
            title="A webinar and a letter to 400 firms",
            owner=THEIRS,
            first_day=date(2026, 1, 12),
            last_day=date(2026, 2, 27),
        ),
    ),
    Step("2026-01-07", OURS, AgreeCampaign(proposal="run-1")),
    Step("2026-01-12", THEIRS, SubmitReferral(deal="D-1", lead="lead-1", campaign="launch")),
    Step(
        "2026-01-12",
        OURS,
        AttributeReferral(deal="D-1", method=Method.REFERRAL_CODE, evidence="BRIGHT15"),
    ),
    Step("2026-01-12", OURS, ConfirmClaim(deal="D-1", fact="referral")),
    Step("2026-01-13", OURS, QualifyLead(deal="D-1")),
    Step("2026-01-14", OURS, CreateOpportunity(deal="D-1")),
    Step("2026-01-16", OURS, HoldDemo(deal="D-1")),
    Step("2026-01-19", OURS, ReachMilestone(milestone="creative-final")),
    Step("2026-01-20", OURS, ProposeMilestoneReached(proposal="launched", milestone="launch")),
    Step("2026-01-20", THEIRS, AgreeMilestoneReached(proposal="launched")),
    Step("2026-01-26", OURS, WinDeal(deal="D-1", annual_contract_value=usd("10000.00"))),
    Step(
        "2026-01-27",
        OURS,
        CorrectWin(
            deal="D-1",
            happened_at=datetime(2026, 1, 26, 8, tzinfo=UTC),
            reason="It was signed an hour before.",
        ),
    ),
    Step("2026-01-28", OURS, ReceivePayment(deal="D-1", payment="P-1", amount=usd("10000.00"))),
    Step(
        "2026-01-28",
        OURS,
        CorrectPayment(
            deal="D-1",
            payment="P-1",
            collected_by=OURS,
            reason="It came to our account, not to that of the bank's agent.",
        ),
    ),
    Step(
        "2026-01-29",
        OURS,
        IssueRefund(deal="D-1", refund="R-1", payment="P-1", amount=usd("400.00")),
    ),
    Step(
        "2026-01-29",
        OURS,
        IssueRefund(
            deal="D-1", refund="C-1", payment="P-1", amount=usd("600.00"), kind="chargeback"
        ),
    ),
    Step(
        "2026-01-29",
        OURS,
        CorrectRefund(
            deal="D-1",
            refund="R-1",
            happened_at=datetime(2026, 1, 29, 8, tzinfo=UTC),
            reason="The bank booked it an hour before.",
        ),
    ),
    Step("2026-01-29", OURS, ReverseRefund(deal="D-1", refund="C-1", reason="We won the case.")),
    Step(
        "2026-01-29",
        OURS,
        AttributeReferral(deal="D-1", method=Method.REFERRAL_CODE, evidence="OWN-LIST", to=OURS),
    ),
    Step(
        "2026-01-29",
        THEIRS,
        ObjectToClaim(deal="D-1", fact=f"touch/{OURS}", reason="The client came to us first."),
    ),
    Step(
        "2026-01-29",
        OURS,
        ProposeAttribution(
            deal="D-1", proposal="credit-1", shares={OURS: Decimal(20), THEIRS: Decimal(80)}
        ),
    ),
    Step("2026-01-29", THEIRS, AgreeAttribution(deal="D-1", proposal="credit-1")),
    Step("2026-01-29", THEIRS, SubmitReferral(deal="D-2", lead="lead-2")),
    Step("2026-01-30", OURS, LoseDeal(deal="D-2", reason="No budget this year.")),
    Step("2026-01-30", OURS, ReopenDeal(deal="D-2", reason="They found a budget.")),
    Step("2026-01-30", OURS, CreateOpportunity(deal="D-2")),
    Step("2026-01-30", OURS, WinDeal(deal="D-2", annual_contract_value=usd("500.00"))),
    Step("2026-01-30", OURS, CancelDeal(deal="D-2", reason="They withdrew within two weeks.")),
    Step("2026-01-30", THEIRS, SubmitReferral(deal="D-3", lead="lead-3")),
    Step(
        "2026-01-30",
        OURS,
        ProposeMerge(
            deal="D-3", proposal="one-client", into="D-1", reason="It is a branch of the client."
        ),
    ),
    Step("2026-01-30", THEIRS, AgreeMerge(deal="D-3", proposal="one-client")),
    Step(
        "2026-01-30",
        OURS,
        ProposeReviewHeld(proposal="held-1", review="operations-1", minutes="All is on its way."),
    ),
    Step("2026-01-30", THEIRS, AgreeReviewHeld(proposal="held-1")),
    Step(
        "2026-01-30",
        OURS,
        ProposeAction(
            proposal="do-1",
            action="A-1",
            review="operations-1",
            owner=THEIRS,
            text="Read the code out slowly",
            due=date(2026, 2, 10),
        ),
    ),
    Step("2026-01-31", THEIRS, AgreeAction(proposal="do-1")),
    Step("2026-02-02", THEIRS, CompleteAction(action="A-1")),
    Step(
        "2026-02-02",
        OURS,
        ProposeAction(
            proposal="do-2",
            action="A-2",
            owner=OURS,
            text="Print the code on a card",
            due=date(2026, 2, 20),
        ),
    ),
    Step(
        "2026-02-02",
        OURS,
        ProposeCancellation(
            proposal="stop-1", kind="action", ref="A-2", reason="The code is in every mail now."
        ),
    ),
    Step("2026-02-02", THEIRS, AgreeCancellation(proposal="stop-1")),
    Step("2026-02-02", OURS, CelebrateWin(win="W-1", text="The first client signed.")),
    Step(
        "2026-02-02",
        THEIRS,
        RecordContribution(
            contribution="C-1",
            period="2026-01",
            kind=ContributionKind.TIME,
            what="Training of our sales",
            hours=Decimal(16),
        ),
    ),
    Step(
        "2026-02-02",
        OURS,
        IdentifyRisk(risk="R-1", description="One client only", likelihood=3, impact=4, owner=OURS),
    ),
    Step(
        "2026-02-02",
        THEIRS,
        ProposeRiskMitigated(proposal="talks-1", risk="R-1", how="Three more are in talks."),
    ),
    Step("2026-02-02", OURS, AgreeRiskMitigated(proposal="talks-1")),
    Step(
        "2026-02-02",
        OURS,
        RecordAudit(audit="U-1", subject=AuditSubject.ETHICS, auditor="A lawyer", passed=True),
    ),
    Step(
        "2026-02-02",
        OURS,
        ProposePause(
            proposal="pause-1",
            pause="Z-1",
            activity="The newsletter",
            last_day=date(2026, 4, 30),
            reason="Nobody reads it.",
        ),
    ),
    Step("2026-02-02", THEIRS, AgreePause(proposal="pause-1")),
    Step(
        "2026-02-02",
        THEIRS,
        RotateManager(effective_on=date(2026, 3, 1), former="Boris", successor="Bella"),
    ),
    Step("2026-02-02", THEIRS, RecordLesson(lesson="L-1", text="Codes are read out wrong.")),
    Step(
        "2026-02-02",
        OURS,
        IntroduceIncentive(
            incentive="gift-card", description="A card a referral", per_referral=usd("100.00")
        ),
    ),
    Step(
        "2026-02-02",
        OURS,
        ProposeReduction(
            proposal="cut-1",
            reduction="cut-1",
            campaign="launch",
            by=Decimal(50),
            reason="Below 100 leads.",
        ),
    ),
    Step(
        "2026-02-03",
        THEIRS,
        RaiseIssue(issue="I-1", cause=IssueCause.MONEY, description="A fee is missing."),
    ),
    Step(
        "2026-02-04",
        OURS,
        ProposeIssueResolution(proposal="settle-1", issue="I-1", resolution="The fee was paid."),
    ),
    Step("2026-02-04", THEIRS, AgreeIssueResolution(proposal="settle-1")),
    Step(
        "2026-02-04",
        OURS,
        OpenDispute(
            dispute="Q-1",
            cause=IssueCause.MONEY,
            description="The client was ours before.",
            subject="deal/D-1",
            amount=usd("200.00"),
        ),
    ),
    Step(
        "2026-02-04",
        OURS,
        SubmitEvidence(
            dispute="Q-1", evidence="mail-1", title="A mail of 2025", reference="archive-17"
        ),
    ),
    Step("2026-02-04", THEIRS, StartMediation(dispute="Q-1", mediator="The chamber")),
    Step(
        "2026-02-05",
        THEIRS,
        ProposeResolution(
            dispute="Q-1",
            proposal="end-1",
            outcome=DisputeOutcome.REJECTED,
            resolution="The mail is about another client.",
        ),
    ),
    Step("2026-02-05", OURS, AcceptResolution(dispute="Q-1", proposal="end-1")),
    Step(
        "2026-02-05",
        THEIRS,
        OpenDispute(dispute="Q-2", cause=IssueCause.EXPECTATIONS, description="Nobody calls back."),
    ),
    Step("2026-02-05", THEIRS, WithdrawDispute(dispute="Q-2", reason="They did call.")),
    Step(
        "2026-02-05",
        OURS,
        DiagnoseRootCause(
            diagnosis="why-1", cause=Cause.RESOURCES, temporary=True, finding="Sales had no time."
        ),
    ),
    Step(
        "2026-02-06",
        OURS,
        ProposeImprovementPlan(
            proposal="plan-1",
            plan="plan-1",
            diagnosis="why-1",
            actions=["Two days a week for referrals"],
            deadline=date(2026, 3, 31),
        ),
    ),
    Step("2026-02-07", THEIRS, AgreeImprovementPlan(proposal="plan-1")),
    Step("2026-02-09", OURS, OFFER_TRIAL),
    Step("2026-02-10", THEIRS, StartPilot(experiment="offer-trial")),
    Step(
        "2026-02-27", THEIRS, CloseCampaign(campaign="launch", outcome="31 firms came, 3 signed.")
    ),
    *(
        Step(
            "2026-03-02",
            OURS,
            ObserveVariant(
                experiment="offer-trial",
                observation=f"O-{variant}",
                variant=variant,
                day=date(2026, 3, 1),
                trials=200,
                successes=successes,
            ),
        )
        for variant, successes in [("plain", 8), ("figures", 25)]
    ),
    Step(
        "2026-03-03",
        OURS,
        CorrectObservation(
            experiment="offer-trial",
            observation="O-figures",
            trials=200,
            successes=24,
            reason="One request was a test.",
        ),
    ),
    Step(
        "2026-03-04",
        THEIRS,
        ConcludePilot(experiment="offer-trial", conclusion="Figures of one's own kind convince."),
    ),
    Step(
        "2026-03-05",
        OURS,
        PromoteVariant(
            experiment="offer-trial", variant="figures", into="The joint page from April on"
        ),
    ),
    Step(
        "2026-03-30",
        OURS,
        ProposeImprovementPlanOutcome(
            proposal="plan-1-end", plan="plan-1", met=True, outcome="Two days a week it is."
        ),
    ),
    Step("2026-03-30", THEIRS, AgreeImprovementPlanOutcome(proposal="plan-1-end")),
    Step("2026-04-01", OURS, PassTime()),
    Step(
        "2026-04-01",
        OURS,
        RecordHealthCheck(period="2026-Q1", trust=4, communication=3, value_delivery=4),
    ),
    Step(
        "2026-04-01",
        OURS,
        ProposeTarget(
            proposal="target-1",
            objective="new-users",
            target=Decimal(8000),
            deadline=date(2026, 12, 31),
            reason="The launch was a month late.",
        ),
    ),
    Step("2026-04-01", THEIRS, AgreeTarget(proposal="target-1")),
    Step("2026-04-02", OURS, IssueStatement(period="2026-Q1")),
    Step("2026-04-03", OURS, PAYOUT),
    Step(
        "2026-04-03",
        OURS,
        RecordPayout(payout="out-2", statement="2026-Q1:USD", amount=usd("100.00")),
    ),
    Step(
        "2026-04-03",
        OURS,
        CorrectPayout(payout="out-2", amount=usd("10.00"), reason="It had a zero too many."),
    ),
    Step("2026-04-03", OURS, ReturnPayout(payout="out-2", reason="The account was closed.")),
    Step(
        "2026-04-03",
        OURS,
        PublishRate(
            base="EUR", quote="USD", period="2026-03", rate=Decimal("1.0834"), source="Central bank"
        ),
    ),
    Step(
        "2026-04-03",
        THEIRS,
        ObjectToRate(
            base="EUR",
            quote="USD",
            period="2026-03",
            source="Central bank",
            reason="The bank published 1.0843.",
        ),
    ),
    Step(
        "2026-04-03",
        THEIRS,
        ProposeRate(
            proposal="rate-1", base="EUR", quote="USD", period="2026-03", rate=Decimal("1.0843")
        ),
    ),
    Step("2026-04-03", OURS, AgreeRate(proposal="rate-1")),
    Step(
        "2026-04-03",
        THEIRS,
        ProposeAdjustment(
            proposal="adjustment-1",
            by=OURS,
            to=THEIRS,
            amount=usd("25.00"),
            reason="The code was missing from a mailing.",
        ),
    ),
    Step("2026-04-03", OURS, AgreeAdjustment(proposal="adjustment-1")),
    Step(
        "2026-04-10",
        OURS,
        AttachEvidence(
            evidence="first-quarter",
            kind=EvidenceKind.OUTCOME,
            title="What the referrals came to",
            reference="report-2026-Q1",
        ),
    ),
    Step(
        "2026-04-11",
        OURS,
        AttachEvidence(
            evidence="offer-trial",
            kind=EvidenceKind.EXPERIMENT,
            title="A page with figures against the plain one",
            reference="experiment:offer-trial",
        ),
    ),
    Step(
        "2026-04-13",
        OURS,
        ProposeTerms(
            proposal="terms-3",
            effective_from=date(2026, 7, 1),
            items=[referral_share("10"), NO_REPORT],
        ),
    ),
    Step("2026-04-14", THEIRS, AcceptTerms(proposal="terms-3")),
    Step(
        "2026-04-15",
        THEIRS,
        ProposeScope(
            proposal="scope-1",
            scope="The same offer in Spain",
            evidence=["first-quarter"],
            terms_version=2,
        ),
    ),
    Step("2026-04-20", OURS, ExpandScope(proposal="scope-1")),
]

_SCALING = [
    Step(
        "2026-05-04",
        OURS,
        ProposeJointInvestment(
            proposal="investment-1",
            purpose="A Spanish edition",
            capabilities={OURS: "Software", THEIRS: "Advisers in Madrid"},
            success_metric="new_users",
            investment=usd("50000.00"),
            investment_shares={OURS: Decimal(60), THEIRS: Decimal(40)},
            reward_shares={OURS: Decimal(70), THEIRS: Decimal(30)},
        ),
    ),
    Step("2026-05-05", THEIRS, AgreeJointInvestment(proposal="investment-1")),
    Step(
        "2026-05-11",
        THEIRS,
        ProposeReduction(
            proposal="cut-2",
            reduction="cut-2",
            campaign="madrid",
            budget="investment-1",
            by=Decimal(10),
            reason="The rooms are ours.",
        ),
    ),
    Step("2026-05-12", OURS, AgreeReduction(proposal="cut-2")),
    Step(
        "2026-05-20",
        OURS,
        RecordSharedCost(
            entry="E-1", cost="Translation", amount=usd("3000.00"), under="investment-1"
        ),
    ),
    Step(
        "2026-06-20",
        OURS,
        RecordJointRevenue(entry="E-2", amount=usd("1000.00"), under="investment-1"),
    ),
    Step(
        "2026-06-21",
        OURS,
        ReverseEntry(entry="E-2", reversal="V-1", amount=usd("100.00"), reason="Counted twice."),
    ),
    Step("2026-08-03", THEIRS, ConcedePenalty(entry="E-3", condition=NO_REPORT.condition)),
    Step(
        "2026-08-31",
        OURS,
        ProposeAnnualReview(
            proposal="year-1",
            year=2026,
            outcomes="Two of three objectives are met.",
            relevance="The buyers are the same.",
            potential="Nobody has tried a joint offer in Portugal.",
            recommendation="continue",
        ),
    ),
    Step("2026-08-31", THEIRS, AgreeAnnualReview(proposal="year-1")),
    Step(
        "2026-09-01",
        OURS,
        HoldRenewalReview(
            review="outlook-1",
            outcomes="Two of three objectives are met.",
            relevance="The buyers are the same.",
            recommendation="renew",
        ),
    ),
]

_RENEWAL = [
    Step("2026-09-02", OURS, ProposeRenewal(proposal="renewal-1", duration="P5Y")),
    Step("2026-09-03", THEIRS, DeclineProposal(proposal="renewal-1", reason="Five years is long.")),
    Step("2026-09-04", OURS, ProposeRenewal(proposal="renewal-2", duration="P1Y")),
    Step("2026-09-05", THEIRS, AcceptRenewal(proposal="renewal-2")),
    Step(
        "2026-09-07",
        OURS,
        GiveBreachNotice(
            breach="breach-1",
            section=Section.CONFIDENTIALITY,
            description="Our price list was on their page. Take it off.",
        ),
    ),
    Step(
        "2026-09-08",
        THEIRS,
        ProposeCure(proposal="cure-1", breach="breach-1", how="The page is taken off."),
    ),
    Step("2026-09-09", OURS, AgreeCure(proposal="cure-1")),
    Step(
        "2026-09-12",
        THEIRS,
        ProposeExit(
            exit="exit-1",
            explanation="Both plan other things.",
            effective_on=date(2026, 12, 31),
        ),
    ),
    Step("2026-09-13", OURS, AgreeExit(exit="exit-1")),
    Step(
        "2026-09-16",
        OURS,
        ProposeExitWithdrawal(
            proposal="stay-1", exit="exit-1", explanation="Three buyers asked us to stay."
        ),
    ),
    Step("2026-09-17", THEIRS, AgreeExitWithdrawal(proposal="stay-1")),
    Step(
        "2026-10-01",
        THEIRS,
        GiveExitNotice(
            exit="exit-2",
            reason=ExitReason.NO_LONGER_RELEVANT,
            explanation="We leave the mid-market.",
            effective_on=date(2026, 12, 1),
        ),
    ),
]

_EXIT = [
    Step(
        "2026-12-01",
        OURS,
        IssueFinalSettlement(settlement="S-1"),
    ),
    Step(
        "2026-12-01",
        THEIRS,
        ProposeWaiver(
            proposal="waiver-1",
            rule="assets-dispositioned",
            reason="The shared list is still being counted.",
        ),
    ),
    Step("2026-12-01", OURS, AgreeWaiver(proposal="waiver-1")),
    Step(
        "2026-12-02",
        OURS,
        ProposeDisposition(
            proposal="assets-1",
            asset="webinar-recordings",
            disposition=Assets.TRANSFER,
            to=THEIRS,
        ),
    ),
    Step("2026-12-02", THEIRS, AgreeDisposition(proposal="assets-1")),
    Step(
        "2026-12-03",
        OURS,
        ProposeCompletion(proposal="end-1", tail_obligations=["Confidentiality for two years"]),
    ),
    Step("2026-12-04", THEIRS, AgreeCompletion(proposal="end-1")),
]

LIFE = (*_EXPLORATION, *_FORMATION, *_EXECUTION, *_SCALING, *_RENEWAL, *_EXIT)
"""From the beginning to the end, each step legal after those before it."""

FIRST_KEY = "iojj3XQJ8ZX9UtstPLpdcspnCb8dlBIb83SIAbQPb1w="
PROOF = "5k7IxPYNSw8enF6oJ+9K+9qWucnOKpVWRUPBcVO7CeePlwrH+p+t6nfR9Kb/lH5FC0OHlDCHTT23LOfczzVhBw=="
"""A key whose 32 bytes of seed are all 1, and its signature over partnership, party and key."""

SECOND_KEY = "gTl3Dqh9F19Wo1Rmw0x+zMuNipG07jeiXfYPW4/Js5Q="
SECOND_PROOF = (
    "7PJr/hzKfJR7xCQCcswL8jliTfPKZFSFkU1K9oz48iWFqm7mCFVp3n7sGa2GMPhTPIXUyYJG28neMerb/xYRDw=="
)
"""The same for the seed of bytes that are all 2."""

THIRD_KEY = "7UkoxijRwsbq6QM4kFmVYSlZJzpcY/k2NsFGFKyHN9E="
THIRD_PROOF = (
    "2rJB6fh8gRG6JNZaDSZXe0Ka38dj7nH0SLKD8hO79a2XUYdEaS/oT5sbtC/U8FjvyytQA9emAHxpn4xsa9qQDw=="
)
"""A key of the other party: the same for the seed of bytes that are all 3."""

FIRST_ID = "34750f98bd59fcfc"
"""The identifier of the first key."""

BORIS = "person:e5fbbb35387abab4183b112b97656b3476e4fa643a27133ec257b953e49950b4"
"""The commitment to the name Boris of the other party, in every simulated store."""

ADOPTED = (
    Step("2025-08-28", OURS, ADOPTION),
    Step("2025-08-29", THEIRS, AgreeAdoptionPart(proposal="adoption-1", part=AdoptionPart.TERMS)),
    Step("2025-08-30", THEIRS, AgreeAdoption(proposal="adoption-1")),
)
"""The beginning of a partnership that already ran."""

LOST = (
    Step("2026-01-06", OURS, RegisterKey(key=FIRST_KEY, proof=PROOF)),
    Step("2026-01-06", THEIRS, RegisterKey(key=THIRD_KEY, proof=THIRD_PROOF)),
    Step(
        "2026-01-06",
        OURS,
        ProposeKeyRecovery(
            proposal="new-key",
            party=OURS,
            key=SECOND_KEY,
            proof=SECOND_PROOF,
            lost_since=datetime(2026, 1, 5, 18, tzinfo=UTC),
        ),
    ),
)
"""A party that lost its key proposes a new one to the other, which has a key."""

HELD = (
    Step(
        "2026-04-03",
        OURS,
        ProposeTerms(
            proposal="two-people",
            effective_from=date(2026, 4, 3),
            frame=FrameChange(second_person_above=[usd("500.00")]),
        ),
    ),
    Step("2026-04-03", THEIRS, AcceptTerms(proposal="two-people")),
    Step("2026-04-03", OURS, PAYOUT),
)
"""A payout that a second person confirms, since the terms ask for one."""

ELSEWHERE = (
    Step(
        "2025-10-21",
        OURS,
        DeclineCandidate(candidate=THEIRS, reason="Its clients are too small for our product."),
    ),
    Step("2025-10-21", OURS, CloseExploration(reason="The market is too small.")),
    Step(
        "2025-12-18",
        OURS,
        ProposeNegotiationEnd(proposal="stop-1", reason="The budget of next year is too small."),
    ),
    Step("2025-12-19", THEIRS, AgreeNegotiationEnd(proposal="stop-1")),
    Step(
        "2025-09-01",
        OURS,
        DefinePortfolio(
            fewest_active=5, most_active=10, largest_share=Decimal(40), capacity=Decimal("1.5")
        ),
    ),
    Step("2026-01-06", OURS, RegisterKey(key=FIRST_KEY, proof=PROOF)),
    Step(
        "2026-01-06",
        OURS,
        RotateKey(key=SECOND_KEY, proof=SECOND_PROOF, replaces=FIRST_ID),
    ),
    Step("2026-01-06", OURS, RevokeKey(keyid=FIRST_ID, reason="A laptop was lost.")),
    Step("2026-01-06", OURS, RequireSignatures(kinds=[SignedKind.PAYMENTS, SignedKind.OTHER])),
    LOST[-1],
    Step("2026-01-06", THEIRS, AgreeKeyRecovery(proposal="new-key")),
    Step("2026-03-02", THEIRS, ErasePerson(person=BORIS, reason="The person asked for it.")),
    Step("2026-04-03", OURS, ConfirmAct(act=act_id(OURS, PAYOUT))),
    Step("2026-04-03", OURS, WithdrawAct(act=act_id(OURS, PAYOUT), reason="A wrong amount.")),
)
"""The commands for which such a life has no place: another end, what is no partnership's, keys,
since what follows a key is signed, what names a person as only the door knows them, and what a
second person does (after `HELD`)."""

_ALL = (*LIFE, *ADOPTED, *ELSEWHERE)
_FIRST = {type(step.command): step for step in reversed(_ALL)}

EXAMPLES: dict[type[Command], Step] = dict(
    sorted(_FIRST.items(), key=lambda item: _ALL.index(item[1]))
)
"""For each command, the first step of the life that asks for it, in the order of the life."""
