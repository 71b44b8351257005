"""The state of one partnership: its parties, what they agreed, and what is under way.

The models of the answer are in `partnership_state`, its text is in `show_text`.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from itertools import dropwhile
from typing import Annotated, Any, Final, NamedTuple, TypeVar

from domain import aggregates, dispute, exploration, partnership
from domain.adoption import PartnershipAdopted, parts_of
from domain.agreement import CommercialTermsAgreed, TermsCountered, TermsProposed
from domain.bilateral import (
    BilateralAgreement,
    BilateralCountered,
    ProposalEnded,
    kind_named,
)
from domain.budgets import budgets
from domain.charter import Charter
from domain.consent import Proposal
from domain.deadlines.deadline import DeadlineKind, DeadlinePassed
from domain.deadlines.fold import expected
from domain.deadlines.reviews import done_at
from domain.deal_record import Deal
from domain.declarations import Changeable, Declaration, Declarations
from domain.dispute import DisputeResolved, EvidenceSubmitted
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
    IncentiveIntroduced,
    InvestmentReduced,
    IssueEscalated,
    IssueRaised,
    IssueResolved,
    KickoffHeld,
    LessonRecorded,
    MilestoneMissed,
    MilestonePlanned,
    MilestoneReached,
    OnboardingStepAgreed,
    OnboardingStepCompleted,
    ReviewHeld,
    ReviewMissed,
    ReviewScheduled,
    RootCauseDiagnosed,
    Tasks,
    TrainingCompleted,
    given_up,
)
from domain.exit import (
    AssetsDispositioned,
    BreachCured,
    Exit,
    ExitAgreed,
    ExitNoticeGiven,
    ExitWithdrawn,
    PartnershipExited,
)
from domain.experiment import Experiment, PilotStarted
from domain.exploration import (
    AudienceOverlapMeasured,
    CandidateApproached,
    CandidateDeclined,
    CandidateScored,
    DecisionChecklistCompleted,
    IdealPartnerProfileDefined,
    IntegrationSpendCommitted,
    JointBridgingPlanAgreed,
)
from domain.formation import (
    DRAFT,
    BestAlternativeDeclared,
    CharterAgreed,
    DecisionRuleAgreed,
    EvidenceAttached,
    Formation,
    NegotiationEnded,
    NonNegotiableDeclared,
)
from domain.gates import WaiverGranted
from domain.governance import (
    ContactAssigned,
    Function,
    GovernanceEstablished,
    ResourcesCommitted,
    SponsorAssigned,
)
from domain.health import (
    ComplianceAudited,
    ContributionPromised,
    ContributionRecorded,
    Handover,
    HealthCheckRecorded,
    ManagerRotated,
    RiskMitigated,
    TargetAdjusted,
    WinCelebrated,
    manager_on,
)
from domain.kernel import Act, Event, Stage
from domain.keyring import KeyRecovered
from domain.markets import (
    LocalFeedbackRecorded,
    MarketRanked,
    MarketTargeted,
    MetricOwnerAssigned,
    RoleAssigned,
)
from domain.merge import DealsMerged
from domain.own_metric import MetricAgreed, own_metrics
from domain.recorded import Recorded
from domain.renewal import AnnualReviewHeld
from domain.settlement import RateObjected, RatePublished
from domain.sharing import DataSharingAgreed
from domain.terms import describe, restarted
from domain.terms_by_day import TermsByDay
from domain.values import instant
from infra.answers.logs import (
    NOW,
    AsOf,
    NotFound,
    extent,
    own_stream,
    row_of_each,
    sight_of,
    size_of,
    times_at,
)
from infra.answers.parameters import PositiveWhole
from infra.answers.partnership_state import (
    AdoptionSummary,
    AgreedTerms,
    AgreementEnd,
    BreachSummary,
    CandidateSummary,
    DisputeSummary,
    ExitSummary,
    MarketSummary,
    OpenDeadline,
    Overlap,
    PartnershipState,
    Party,
    PartyRole,
    PrivateFact,
    ProposalState,
    ProposalSummary,
    RecordSummary,
    RenewalSummary,
    RuleSummary,
    Scorecard,
    SignedAgreement,
    TaskState,
    TaskSummary,
    TermsAgreement,
    WaiverSummary,
)
from infra.answers.question import Parameter, PartnershipId, Question
from infra.answers.show_text import tasks_of, text
from infra.bootstrap import Accord
from infra.deciding.pseudonyms import Names
from projections import PROPOSALS
from projections.contents import contents
from projections.proposals import OPEN, OpenProposals
from projections.rule_words import rule_in_words
from projections.scorecards import ratings
from projections.timeline import words
from projections.visibility import Sight

E = TypeVar("E", bound=Event)
D = TypeVar("D", bound=Event)
A = TypeVar("A", bound=BilateralAgreement)

_NEVER: Final[tuple[CommitmentCancelled, ...]] = ()
"""A pause is never done: both end it, and it is then no longer among the plans."""

Version = Annotated[PositiveWhole | None, Parameter("The first N events of its log.", "N")]


def ask(
    accord: Accord, id: PartnershipId, version: Version = None, when: AsOf = NOW
) -> PartnershipState:
    """Return the state of a partnership. Raises `NotFound`.

    It is folded from the partnership's own stream and its disputes, which are found by index, so
    measured facts (deals, metrics) are not read. What a party keeps to itself (C7) is shown to
    that party, and to the operator only in a full view.
    """
    history, when = accord.history, replace(when, version=version)
    sight = sight_of(history, id, when, figures=False)
    size, found = size_of(history, id), extent(history, id, when, sight)
    if found is None:
        first, _ = times_at(history, id, 0)
        raise NotFound(
            f"{id} had no events at that time.",
            f"Its first event is at {instant(first)}; ask for that time or later.",
        )
    is_live = when.is_now and not accord.simulated
    moment = when.at or when.known or (accord.clock() if is_live else found.recorded_at)

    named = Names(history, id).recorded
    folded = _Folded.of(map(named, own_stream(history, id, when)), sight)
    state, tasks = folded.state, folded.task_times
    stated, agreements = state.context.declarations, state.context.agreements
    elsewhere = map(named, filter(sight.shows, when.of(_with_proposals(accord, id))))
    of_disputes = [*map(named, when.of(history.below(f"{id}/dispute")))]
    policy = agreements.latest(CommunicationPolicyAgreed)
    beginning = state.adoption.latest or state.exploration.begun
    terms = state.context.terms
    has_ended = state.stage is Stage.ENDED or (
        terms.exit is not None and terms.exit <= terms.day(moment)
    )
    ended = _given_up if has_ended else tuple
    # The parties can agree actions and reviews for the time after an exit.
    over = _given_up if state.stage is Stage.ENDED else tuple
    shown = PartnershipState(
        simulated=accord.simulated,
        as_of=when.asked,
        id=id,
        stage=state.stage,
        has_ended=has_ended,
        purpose=beginning.purpose if beginning else None,
        adoption=_adoption(state),
        events=found.events,
        log_size=size,
        last=f"{id}#{found.last}",
        last_recorded_at=found.recorded_at,
        parties=tuple(parties_of(state, state.context.terms.day(moment))),
        candidates=tuple(_candidates(folded)),
        bridging_plans=tuple(agreements.of(JointBridgingPlanAgreed)),
        terms=_terms(folded, moment),
        charter=folded.charter,
        rules=tuple(
            RuleSummary(agreed=each, text=rule_in_words(each.rule, own_metrics(agreements)))
            for each in agreements.versions(DecisionRuleAgreed)
        ),
        agreement=_agreement(state.formation),
        governance=agreements.latest(GovernanceEstablished),
        communication=policy,
        data_sharing=agreements.latest(DataSharingAgreed),
        markets=tuple(_markets(state)),
        roles=tuple(stated.of(RoleAssigned)),
        own_metrics=tuple(agreements.of(MetricAgreed)),
        metric_owners=tuple(agreements.of(MetricOwnerAssigned)),
        waivers=tuple(folded.waivers),
        budgets=tuple(budgets(agreements)),
        milestones=ended(
            _tasks(MilestonePlanned, MilestoneReached, state.execution.milestones, tasks)
        ),
        reviews=over(_reviews(state.execution.reviews, tasks)),
        actions=over(
            _agreed_tasks(folded, ActionAgreed, stated.of(ActionCompleted), "action"),
        ),
        onboarding=ended(_onboarding(state, tasks)),
        contributions=ended(
            _agreed_tasks(
                folded, ContributionPromised, stated.of(ContributionRecorded), "contribution"
            )
        ),
        campaigns=ended(
            _agreed_tasks(folded, CampaignAgreed, stated.of(CampaignClosed), "campaign")
        ),
        improvement_plans=ended(
            _agreed_tasks(
                folded, ImprovementPlanAgreed, agreements.of(ImprovementPlanCompleted), "plan"
            )
        ),
        pauses=ended(_agreed_tasks(folded, ActivityPaused, _NEVER, "pause")),
        issues=over(_tasks(IssueRaised, IssueResolved, state.execution.issues, tasks)),
        disputes=tuple(_disputes(of_disputes)),
        proposals=(*_proposals(folded, terms.day(moment)), *_proposals_elsewhere(elsewhere, state)),
        health=tuple(scorecards_of(state)),
        renewal=_renewal(state),
        private=tuple(_private(state)),
        records=_records([*folded.records, *_evidence(of_disputes)]),
        deadlines=tuple(open_deadlines(state)),
    )
    return _with_ends(shown) if has_ended else shown


ON_RECORD: Final[tuple[type[Event], ...]] = (
    IdealPartnerProfileDefined,
    IntegrationSpendCommitted,
    DecisionChecklistCompleted,
    KickoffHeld,
    OnboardingStepCompleted,
    TrainingCompleted,
    LessonRecorded,
    WinCelebrated,
    ManagerRotated,
    ComplianceAudited,
    RootCauseDiagnosed,
    IncentiveIntroduced,
    InvestmentReduced,
    EvidenceAttached,
    RatePublished,
    RateObjected,
)
"""The events that no other part of the state shows."""


@dataclass(frozen=True, slots=True)
class _Times:
    """When a task was planned, when it became overdue, and when it was done."""

    since: datetime | None = None
    overdue_at: datetime | None = None
    done_at: datetime | None = None


class _Step(NamedTuple):
    """What an event says of something planned."""

    task: type[Event]
    """The event that planned it."""
    named: str
    """The field that names it."""
    moment: str
    """The field of `_Times` that the event gives."""

    @property
    def begins(self) -> bool:
        """Whether it is planned, or moved: then it is neither overdue nor done."""
        return self.moment == "since"


def _step(event: Event) -> _Step | None:
    """Return what an event says of something planned; None if it says nothing new of it."""
    if isinstance(event, DeadlinePassed):
        return _PASSED.get(event.kind)
    is_correction = (
        event.is_correction
        if isinstance(event, ReviewHeld)
        else isinstance(event, Changeable) and event.change_reason is not None
    )
    return None if is_correction else _STEPS.get(type(event))


_PASSED: Final[Mapping[DeadlineKind, _Step]] = {
    DeadlineKind.ACTION: _Step(ActionAgreed, "ref", "overdue_at"),
    DeadlineKind.ONBOARDING: _Step(OnboardingStepAgreed, "ref", "overdue_at"),
    DeadlineKind.CONTRIBUTION: _Step(ContributionPromised, "ref", "overdue_at"),
    DeadlineKind.CAMPAIGN: _Step(CampaignAgreed, "ref", "overdue_at"),
    DeadlineKind.IMPROVEMENT: _Step(ImprovementPlanAgreed, "ref", "overdue_at"),
    DeadlineKind.PAUSE: _Step(ActivityPaused, "ref", "overdue_at"),
}

_STEPS: Final[Mapping[type[Event], _Step]] = {
    MilestonePlanned: _Step(MilestonePlanned, "milestone", "since"),
    MilestoneMissed: _Step(MilestonePlanned, "milestone", "overdue_at"),
    MilestoneReached: _Step(MilestonePlanned, "milestone", "done_at"),
    ReviewScheduled: _Step(ReviewScheduled, "review", "since"),
    ReviewMissed: _Step(ReviewScheduled, "review", "overdue_at"),
    ReviewHeld: _Step(ReviewScheduled, "review", "done_at"),
    ActionAgreed: _Step(ActionAgreed, "action", "since"),
    ActionCompleted: _Step(ActionAgreed, "action", "done_at"),
    OnboardingStepAgreed: _Step(OnboardingStepAgreed, "step", "since"),
    OnboardingStepCompleted: _Step(OnboardingStepAgreed, "step", "done_at"),
    ContributionPromised: _Step(ContributionPromised, "contribution", "since"),
    ContributionRecorded: _Step(ContributionPromised, "contribution", "done_at"),
    CampaignAgreed: _Step(CampaignAgreed, "campaign", "since"),
    CampaignClosed: _Step(CampaignAgreed, "campaign", "done_at"),
    ImprovementPlanAgreed: _Step(ImprovementPlanAgreed, "plan", "since"),
    ImprovementPlanCompleted: _Step(ImprovementPlanAgreed, "plan", "done_at"),
    ActivityPaused: _Step(ActivityPaused, "pause", "since"),
    IssueRaised: _Step(IssueRaised, "issue", "since"),
    IssueEscalated: _Step(IssueRaised, "issue", "overdue_at"),
    IssueResolved: _Step(IssueRaised, "issue", "done_at"),
}


@dataclass(slots=True)
class _Folded:
    """The state that a partnership's own stream folds to, and what the state leaves out."""

    state: partnership.Partnership = field(default_factory=partnership.Partnership)
    hidden_overlaps: dict[str, int] = field(default_factory=dict)
    """Candidates whose overlap is too small to be shown, with the smallest count that is (C14)."""
    task_times: dict[tuple[type[Event], str], _Times] = field(default_factory=dict)
    """By the type of the event that planned the task, and its identifier."""
    answers: dict[tuple[str, str], Act] = field(default_factory=dict)
    """Who ended each proposal and when, by the wire name of its kind and its identifier."""
    charter: Charter | None = None
    """The charter, its objectives with the targets in force."""
    records: list[RecordSummary] = field(default_factory=list)
    """What else was recorded, in order."""
    waivers: list[WaiverSummary] = field(default_factory=list)
    """The rules that were waived, in order."""
    terms_agreed: dict[int, tuple[int, str]] = field(default_factory=dict)
    """The event that agreed each version of the terms, and its party."""

    @classmethod
    def of(cls, stream: Iterable[Recorded], sight: Sight) -> "_Folded":
        folded = cls()
        for recorded in filter(sight.shows, stream):
            before = folded.state.context.terms
            folded.state = partnership.evolve(folded.state, recorded.event, recorded.act)
            folded._note(recorded, sight)
            if (terms := folded.state.context.terms) is not before:
                by = (recorded.index, recorded.act.party)
                for each in terms.agreed:
                    folded.terms_agreed.setdefault(each.terms_version, by)
            folded.charter = _charter_after(folded.charter, recorded.event)
            if isinstance(recorded.event, ON_RECORD):
                folded.records.append(_on_record(recorded))
        return folded

    def _note(self, recorded: Recorded, sight: Sight) -> None:
        event = recorded.event
        if answered := _answered_proposal(event):
            self.answers[answered] = recorded.act
        if isinstance(event, WaiverGranted):
            self.waivers.append(self._waiver(event, recorded.act))
        if isinstance(event, AudienceOverlapMeasured):
            self.hidden_overlaps.pop(event.candidate, None)
            if smallest := sight.fewer_than(recorded):
                self.hidden_overlaps[event.candidate] = smallest
        if step := _step(event):
            name = getattr(event, step.named)
            known = _Times() if step.begins else self._of(step.task, name)
            # What goes on to a next office is overdue since the first time.
            at = known.overdue_at if step.moment == "overdue_at" else None
            moment = {step.moment: at or done_at(event, recorded.act)}
            self.task_times[step.task, name] = replace(known, **moment)

    def _waiver(self, event: WaiverGranted, act: Act) -> WaiverSummary:
        proposals = self.state.context.agreements.proposals_of(WaiverGranted)
        proposed = proposals.get(event.proposal)
        # The initiator that waived alone is named once.
        parties = dict.fromkeys([*([proposed.party] if proposed else []), act.party])
        return WaiverSummary(
            rule=event.rule, proposal=event.proposal, waived_by=tuple(parties), reason=event.reason
        )

    def _of(self, planned: type[Event], name: str) -> _Times:
        return self.task_times.get((planned, name), _Times())


def _charter_after(charter: Charter | None, event: Event) -> Charter | None:
    """Return the charter in force after an event: its objectives have their latest targets."""
    match event:
        case CharterAgreed():
            return event.charter
        case TargetAdjusted() if charter is not None:
            return charter.model_copy(update={"objectives": [*event.adjusts(charter.objectives)]})
        case _:
            return charter


def _answered_proposal(event: Event) -> tuple[str, str] | None:
    """Return the kind and the identifier of the proposal that an event answers, if it is one."""
    match event:
        case BilateralCountered():
            return event.agreement.wire, event.counters
        case ProposalEnded() if event.agreement != DRAFT:
            return kind_named(event.agreement).wire, event.proposal
        case BilateralAgreement(proposal_ref=str(proposal)):
            return event.wire, proposal
        case _:
            return None


def _on_record(recorded: Recorded) -> RecordSummary:
    act, event = recorded.act, recorded.event
    return RecordSummary(type=event.wire, at=act.occurred_at, party=act.party, text=words(event))


def _evidence(of_disputes: Iterable[Recorded]) -> Iterator[RecordSummary]:
    for each in of_disputes:
        if isinstance(each.event, EvidenceSubmitted):
            yield _on_record(each)


def _records(found: Iterable[RecordSummary]) -> tuple[RecordSummary, ...]:
    return tuple(sorted(found, key=lambda each: each.at, reverse=True))


_WITHIN_A_DAY: Final = frozenset(
    {
        DeadlineKind.MILESTONE,
        DeadlineKind.REVIEW,
        DeadlineKind.ACTION,
        DeadlineKind.ONBOARDING,
        DeadlineKind.CONTRIBUTION,
        DeadlineKind.CAMPAIGN_START,
        DeadlineKind.CAMPAIGN,
        DeadlineKind.IMPROVEMENT,
        DeadlineKind.PAUSE,
        DeadlineKind.CURE,
        DeadlineKind.ANSWER,
        DeadlineKind.LAPSE,
        DeadlineKind.SIGNATURE,
        DeadlineKind.CONFIRMATION,
        DeadlineKind.STATEMENT,
        DeadlineKind.FIGURE,
        DeadlineKind.OBJECTIVE,
        DeadlineKind.CADENCE,
    }
)
"""The kinds of deadlines that are met on any moment of their last day."""


def open_deadlines(state: partnership.Partnership) -> Iterator[OpenDeadline]:
    """Return the deadlines that have not passed, the next one first.

    What an exit that is ahead gives up is left out, and until when a proposal can be accepted as
    long as its answer is due.
    """
    answers = {each.ref for each in state.deadlines.values() if each.kind is DeadlineKind.ANSWER}
    for each in sorted(expected(state.deadlines.values())):
        if each.kind is DeadlineKind.LAPSE and each.ref in answers:
            continue
        last_day = each.last_day if each.day and each.kind in _WITHIN_A_DAY else None
        yield OpenDeadline(due=each.due, last_day=last_day, kind=each.kind, ref=each.ref)


def _terms(folded: _Folded, moment: datetime) -> AgreedTerms:
    terms = folded.state.context.terms
    day = terms.day(moment)
    return AgreedTerms(
        day=day,
        version=terms.version(day) or None,
        items=terms.items(day),
        frame=terms.frame(day) if terms.is_agreed else None,
        versions=terms.agreed,
        agreements=tuple(
            _agreed_terms(terms, each, *folded.terms_agreed[each.terms_version])
            for each in terms.agreed
        ),
    )


def _agreed_terms(
    terms: TermsByDay, agreed: CommercialTermsAgreed, event: int, party: str
) -> TermsAgreement:
    first = agreed.effective_from
    text = tuple(map(describe, agreed.items or ()))
    before = map(describe, terms.items(first - timedelta(days=1))) if text else ()
    return TermsAgreement(
        version=agreed.terms_version,
        event=event,
        agreed_by=party,
        agreed_at=agreed.agreed_at,
        effective_from=first,
        until=agreed.until,
        text=text,
        replaced=tuple(each for each in before if each not in text),
    )


def _adoption(state: partnership.Partnership) -> AdoptionSummary | None:
    """Return the adoption that is agreed, or the one that awaits the other party."""
    adoption, found = state.adoption, state.adoption.latest
    proposals = state.context.agreements.proposals_of(PartnershipAdopted)
    if found is None or not (adoption.agreed_at or proposals[found.proposal].is_open):
        return None
    return AdoptionSummary(
        proposal=found.proposal,
        since=found.since,
        stage=found.stage,
        settles_from=found.books.settles_from,
        agreed_at=adoption.agreed_at,
        parts=parts_of(found),
        accepted=adoption.parts.get(found.proposal, ()),
    )


def scorecards_of(state: partnership.Partnership) -> Iterator[Scorecard]:
    """Yield the last scorecard of each party, with its changes since the one before (C25)."""
    for party in state.parties:
        checks = state.context.declarations.of(HealthCheckRecorded, party)
        if not checks:
            continue
        rated = ratings(checks[-1])
        before = ratings(checks[-2]) if len(checks) > 1 else {}
        changes = {name: rated[name] - before[name] for name in rated if name in before}
        yield Scorecard(party=party, period=checks[-1].period, ratings=rated, changes=changes)


def parties_of(state: partnership.Partnership, day: date) -> Iterator[Party]:
    """Return the two parties, the initiator first, each with its people in office on a day."""
    begun, stated = state.exploration.begun, state.context.declarations
    names = {key: each.name for key, each in state.exploration.candidates.items()}
    adopted = state.adoption.latest
    names |= {each.party: each.name for each in adopted.parties} if adopted else {}
    for place, party in enumerate(state.parties):
        is_initiator = place == 0
        yield Party(
            party=party,
            role=PartyRole.INITIATOR if is_initiator else PartyRole.PARTNER,
            name=begun.party_name if begun and is_initiator else names.get(party, party),
            contacts=tuple(_in_office(stated, party, day)),
            sponsor=next(iter(stated.of(SponsorAssigned, party)), None),
            resources=next(iter(stated.of(ResourcesCommitted, party)), None),
        )


def _in_office(stated: Declarations, party: str, day: date) -> Iterator[ContactAssigned]:
    """Yield a party's contacts on a day: a manager who handed over is out (C25)."""
    handovers = tuple(map(Handover.of, stated.of(ManagerRotated, party)))
    for contact in stated.of(ContactAssigned, party):
        name = contact.name
        if contact.function is Function.PARTNERSHIP_MANAGER:
            name = manager_on(day, name, handovers)
        yield contact.model_copy(update={"name": name})


def _candidates(folded: _Folded) -> Iterator[CandidateSummary]:
    for name, each in folded.state.exploration.candidates.items():
        yield CandidateSummary(
            candidate=name,
            identified=each.identified,
            approached=CandidateApproached in each.latest,
            declined=declined.reason if (declined := _latest(each, CandidateDeclined)) else None,
            chosen=name in folded.state.parties,
            score=_latest(each, CandidateScored),
            overlap=_overlap(each, folded.hidden_overlaps.get(name)),
            alignment=each.alignment(),
            bridging=tuple(each.bridged.values()),
        )


def _latest(candidate: exploration.Candidate, kind: type[E]) -> E | None:
    fact = candidate.latest.get(kind)
    return fact if isinstance(fact, kind) else None


def _overlap(candidate: exploration.Candidate, fewer_than: int | None) -> Overlap | None:
    measured = _latest(candidate, AudienceOverlapMeasured)
    if measured is None:
        return None
    is_hidden = fewer_than is not None
    return Overlap(
        own_customers=None if is_hidden else measured.own_customers,
        shared_customers=None if is_hidden else measured.shared_customers,
        fewer_than=fewer_than,
    )


def _agreement(formation: Formation) -> SignedAgreement | None:
    agreement = formation.agreement
    if not agreement.version:
        return None
    return SignedAgreement(
        version=agreement.version,
        in_force=agreement.in_force or None,
        drafted_by=agreement.drafted_by or None,
        signed_by=tuple(sorted(agreement.signed_by)),
        sections=agreement.sections,
        missing_sections=tuple(agreement.sections.missing()),
    )


def _markets(state: partnership.Partnership) -> Iterator[MarketSummary]:
    stated = state.context.declarations
    feedback, ranked = stated.of(LocalFeedbackRecorded), stated.of(MarketRanked)
    targeted = [each.market for each in stated.of(MarketTargeted)]
    known = [each.market for each in feedback] + [each.market for each in ranked]
    for market in dict.fromkeys(targeted + known):
        yield MarketSummary(
            market=market,
            feedback=tuple(each for each in feedback if each.market == market),
            ranked=tuple(each for each in ranked if each.market == market),
        )


def _tasks(
    planned: type[E], done: type[D], tasks: Tasks, times: dict[tuple[type[Event], str], _Times]
) -> tuple[TaskSummary[E, D], ...]:
    return tuple(
        _task(each.planned, each.since, each.done, times.get((planned, name), _Times()))
        for name, each in tasks.items()
        if isinstance(each.planned, planned) and isinstance(each.done, done | None)
    )


def _reviews(
    reviews: Tasks, times: dict[tuple[type[Event], str], _Times]
) -> Iterator[TaskSummary[ReviewScheduled | ReviewHeld, ReviewHeld]]:
    """Yield the reviews that were scheduled, and those that were held without that."""
    for name, each in reviews.items():
        planned, done = each.planned, each.done
        if isinstance(planned, ReviewScheduled | ReviewHeld) and isinstance(
            done, ReviewHeld | None
        ):
            known = times.get((ReviewScheduled, name), _Times())
            yield _task(planned, each.since, done, known)


def _agreed_tasks(
    folded: _Folded, agreed: type[A], done: Iterable[D], named: str
) -> Iterator[TaskSummary[A, D]]:
    """Yield what both agreed of a kind and did not give up; both kinds have its name as `named`."""
    times = folded.task_times
    ended = {getattr(each, named): each for each in done}
    for each in folded.state.context.agreements.of(agreed):
        name = getattr(each, named)
        known = times.get((agreed, name), _Times())
        if known.since is not None:
            yield _task(each, known.since, ended.get(name), known)


def _onboarding(
    state: partnership.Partnership, times: dict[tuple[type[Event], str], _Times]
) -> Iterator[TaskSummary[OnboardingStepAgreed, OnboardingStepCompleted]]:
    """Yield the steps of the onboarding plan that both agreed and did not give up."""
    context = state.context
    for each in context.agreements.of(OnboardingStepAgreed):
        known = times.get((OnboardingStepAgreed, each.step), _Times())
        done = {
            one.step: one for one in context.declarations.of(OnboardingStepCompleted, each.owner)
        }
        if known.since is not None:
            yield _task(each, known.since, done.get(each.step), known)


def _task(planned: E, since: datetime, done: D | None, times: _Times) -> TaskSummary[E, D]:
    overdue_at, done_at = times.overdue_at, times.done_at
    state = TaskState.OVERDUE if overdue_at else TaskState.OPEN
    in_time = overdue_at is None or done_at < overdue_at if done_at else None
    return TaskSummary[E, D](
        planned=planned,
        since=since,
        state=TaskState.DONE if done else state,
        done=done,
        done_at=done_at,
        overdue_at=overdue_at,
        in_time=in_time,
    )


def _given_up(tasks: Iterable[TaskSummary[E, D]]) -> tuple[TaskSummary[E, D], ...]:
    """Return tasks after the end: what was open then is given up."""
    return tuple(
        each.model_copy(update={"state": TaskState.GIVEN_UP})
        if each.state is TaskState.OPEN
        else each
        for each in tasks
    )


def _with_ends(state: PartnershipState) -> PartnershipState:
    """Return the state after the end: what was given up with it is not in force at it."""
    given_up = {
        (type(each.planned).proposed.wire, each.planned.proposal_ref)
        for each in tasks_of(state)
        if isinstance(each, TaskSummary) and each.state is TaskState.GIVEN_UP
        if isinstance(each.planned, BilateralAgreement)
    }
    with_end = {"in_force": False, "ended": AgreementEnd.WITH_THE_END}
    proposals = (
        each.model_copy(update=with_end)
        if each.in_force and (each.type, each.proposal) in given_up
        else each
        for each in state.proposals
    )
    return state.model_copy(update={"proposals": tuple(proposals)})


def _disputes(events: Iterable[Recorded]) -> Iterator[DisputeSummary]:
    disputes: dict[str, dispute.Dispute] = {}
    opened_at: dict[str, datetime] = {}
    for recorded in events:
        if isinstance(recorded.event, dispute.DisputeOpened):
            opened_at[recorded.stream] = recorded.act.occurred_at
        before = disputes.get(recorded.stream, dispute.Dispute())
        disputes[recorded.stream] = dispute.evolve(before, recorded.event, recorded.act)
    for stream, state in disputes.items():
        yield DisputeSummary(
            dispute=stream.rpartition("/")[2],
            opened=state.opened,
            opened_by=state.opened_by,
            opened_at=opened_at.get(stream),
            mediator=state.mediation.mediator if state.mediation else None,
            resolved=state.resolved,
        )


def _proposals(folded: _Folded, day: date) -> Iterator[ProposalSummary]:
    for kind, name, each in folded.state.context.agreements.every_proposal():
        answer = folded.answers.get((kind.wire, name))
        if kind is CommercialTermsAgreed:
            ended, later = _how_terms_ended(name, folded.state.context.terms, day)
        else:
            ended = _how_it_ended(kind, name, each.proposed, folded.state)
            later = _replaced_by(kind, each.proposed, folded.state)
        found = _proposal(
            name,
            each,
            answer,
            folded.state,
            ended=ended if each.accepted else None,
            replaced_by=later if each.accepted and ended is AgreementEnd.REPLACED else None,
        )
        begins = getattr(each.proposed, "effective_from", day)
        later_on = found.in_force and begins > day
        yield found.model_copy(update={"begins": begins}) if later_on else found


def _how_terms_ended(
    name: str, terms: TermsByDay, day: date
) -> tuple[AgreementEnd | None, str | None]:
    """Return how agreed terms ended by a day, and the later ones that replaced them.

    Terms replace the ones before on their first day. Temporary ones replace none (C11).
    """
    found = [*dropwhile(lambda each: each.proposal != name, terms.agreed)]
    if not found:
        return None, None
    own, *later = found
    if own.until is not None and own.until <= day:
        return AgreementEnd.DONE, None
    begun = [x.proposal for x in later if x.until is None and x.effective_from <= day]
    if own.until is not None or not begun:
        return None, None
    return AgreementEnd.REPLACED, begun[-1]


def _how_it_ended(
    kind: type[BilateralAgreement],
    name: str,
    proposed: Any,  # noqa: ANN401 - made
    state: partnership.Partnership,
) -> AgreementEnd | None:
    """Return how an accepted proposal ended; None while it binds."""
    agreements = state.context.agreements
    if not any(one.proposal_ref == name for one in agreements.of(kind)):
        for each in agreements.of(CommitmentCancelled):
            if given_up()[each.kind] is kind and getattr(proposed, *kind.identity) == each.ref:
                return AgreementEnd.GIVEN_UP
        return AgreementEnd.REPLACED
    if kind is ExitAgreed and proposed.exit in state.context.terms.withdrawn:
        return AgreementEnd.GIVEN_UP
    if kind is ExitAgreed and _sooner(proposed.exit, state) is not None:
        return AgreementEnd.REPLACED
    return AgreementEnd.DONE if kind in _ACTS or _is_done(kind, proposed, state) else None


def _replaced_by(
    kind: type[BilateralAgreement],
    proposed: Any,  # noqa: ANN401 - made
    state: partnership.Partnership,
) -> str | None:
    """Return the later agreement of the same, or the sooner exit; None if there is none."""
    if kind is ExitAgreed:
        return _sooner(proposed.exit, state)
    later = (x for x in state.context.agreements.of(kind) if kind.about(x) == kind.about(proposed))
    return next((each.proposal_ref for each in later), None)


def _sooner(exit_: str, state: partnership.Partnership) -> str | None:
    """Return the exit that takes effect in the place of another, which is later; None if none."""
    terms = state.context.terms
    left = (each.id for each in terms.exits if each.id not in terms.withdrawn)
    first = next(left, None)
    return None if exit_ in {*terms.withdrawn, first} else first


_ACTS: Final[frozenset[type[BilateralAgreement]]] = frozenset(
    {
        AnnualReviewHeld,
        BreachCured,
        CommitmentCancelled,
        DealsMerged,
        DisputeResolved,
        ExitWithdrawn,
        ImprovementPlanCompleted,
        IssueResolved,
        KeyRecovered,
        MilestoneReached,
        NegotiationEnded,
        PartnershipExited,
        ReviewHeld,
        RiskMitigated,
    }
)
"""The agreements that something is done. Nothing is left to do about them."""


def _is_done(
    kind: type[BilateralAgreement],
    proposed: Any,  # noqa: ANN401 - made
    state: partnership.Partnership,
) -> bool:
    """Whether what both planned is done."""
    execution, context = state.execution, state.context
    ref: str = getattr(proposed, *kind.identity) if len(kind.identity) == 1 else ""
    if kind is MilestonePlanned:
        return execution.milestones[ref].done is not None
    if kind is ReviewScheduled:
        return execution.reviews[ref].done is not None
    if kind is ImprovementPlanAgreed:
        return any(each.plan == ref for each in context.agreements.of(ImprovementPlanCompleted))
    done = _DONE_BY.get(kind)
    return done is not None and any(
        getattr(each, *kind.identity) == ref for each in context.declarations.of(done)
    )


_DONE_BY: Final[Mapping[type[BilateralAgreement], type[Declaration]]] = {
    ActionAgreed: ActionCompleted,
    CampaignAgreed: CampaignClosed,
    OnboardingStepAgreed: OnboardingStepCompleted,
    ContributionPromised: ContributionRecorded,
}


def _proposal(  # noqa: PLR0913 - what differs between the streams
    name: str,
    each: Proposal,
    answer: Act | None,
    state: partnership.Partnership,
    *,
    ended: AgreementEnd | None = None,
    replaced_by: str | None = None,
    within: str | None = None,
) -> ProposalSummary:
    refused = each.withdrawn or each.declined or each.lapsed
    return ProposalSummary(
        proposal=name,
        within=within,
        type=each.proposed.wire,
        content=each.proposed.model_dump(mode="json", exclude_none=True),
        text=words(each.proposed),
        contents=tuple(_contents(each.proposed, state)),
        proposed_by=each.party,
        proposed_at=each.made_at,
        state=_state_of(each),
        in_force=each.accepted and ended is None,
        ended=ended,
        replaced_by=replaced_by,
        answered_by=answer.party if answer and not each.lapsed else None,
        answered_at=answer.occurred_at if answer else None,
        reason=refused.reason if isinstance(refused, ProposalEnded) else None,
    )


def _with_proposals(accord: Accord, id: str) -> list[Recorded]:
    """Return the events of the deals and disputes on which anything was proposed.

    A hypothesis is among them as long as it waits; then its stream has no data of its pilot.
    """
    row = row_of_each(accord, PROPOSALS, OPEN, [id]).get(id) or OpenProposals()
    waiting = (each.substream for each in row.open if each.substream)
    streams = [f"{id}/{each}" for each in dict.fromkeys((*row.substreams, *waiting))]
    found = accord.history.streams(streams) if streams else {}
    return [each for stream in streams for each in found[stream]]


def _proposals_elsewhere(
    events: Iterable[Recorded], state: partnership.Partnership
) -> Iterator[ProposalSummary]:
    """Yield the proposals on deals, disputes and experiments."""
    states: dict[str, aggregates.State] = {}
    answers: dict[tuple[str, str], Act] = {}
    for each in events:
        before = states.get(each.stream) or aggregates.initial(each.stream)
        states[each.stream] = aggregates.evolve(before, each.event, each.act)
        if name := _answered_elsewhere(each.event):
            answers[each.stream, name] = each.act
    proposals: list[tuple[type[Event], str, Proposal]]
    for stream, found in states.items():
        match found:
            case Deal() | dispute.Dispute():
                proposals = [*found.agreements.every_proposal()]
            case Experiment():
                proposals = [(PilotStarted, *each) for each in found.hypotheses.items()]
            case _:
                continue
        for kind, name, proposal in proposals:
            yield _proposal(
                name,
                proposal,
                answers.get((stream, name)),
                state,
                ended=AgreementEnd.DONE if proposal.accepted and kind in _ACTS else None,
                within=stream.partition("/")[2],
            )


def _answered_elsewhere(event: Event) -> str | None:
    match event:
        case PilotStarted():
            return event.experiment
        case ProposalEnded():
            return event.proposal
        case BilateralAgreement():
            return event.proposal_ref
        case _:
            return None


def _state_of(proposal: Proposal) -> ProposalState:
    if proposal.accepted:
        return ProposalState.ACCEPTED
    if proposal.withdrawn:
        return ProposalState.WITHDRAWN
    if isinstance(proposal.declined, BilateralCountered):
        return ProposalState.COUNTERED
    if proposal.lapsed:
        return ProposalState.LAPSED
    return ProposalState.DECLINED if proposal.declined else ProposalState.OPEN


def _contents(proposed: Event, state: partnership.Partnership) -> Iterator[str]:
    """Yield what a proposal says; of terms, also the counts that start anew."""
    yield from contents(proposed, own_metrics(state.context.agreements))
    if not isinstance(proposed, TermsProposed | TermsCountered):
        return
    day_before = proposed.effective_from - timedelta(days=1)
    yield from restarted(state.context.terms.items(day_before), proposed.items or ())


def _renewal(state: partnership.Partnership) -> RenewalSummary:
    terms = state.context.terms
    left = state.exit
    return RenewalSummary(
        term_ends_on=terms.term_ends_on,
        exit_on=terms.exit,
        last_day_for_notice=terms.last_notice_day,
        reviews=tuple(state.renewal.reviews.values()),
        annual_reviews=tuple(state.context.agreements.of(AnnualReviewHeld)),
        breaches=tuple(_breaches(left)),
        exits=tuple(_exits(state)),
        settlement=left.settlement,
        assets=tuple(state.context.agreements.of(AssetsDispositioned)),
    )


def _breaches(left: Exit) -> Iterator[BreachSummary]:
    for name, breach in left.breaches.items():
        notice = breach.notice
        yield BreachSummary(
            breach=name,
            noticed_by=breach.party,
            by=notice.by,
            section=notice.section,
            description=notice.description,
            cure_by=notice.cure_by,
            cured=breach.cured,
        )


def _exits(state: partnership.Partnership) -> Iterator[ExitSummary]:
    withdrawn = state.context.terms.withdrawn
    given = {each.given.exit: each.party for each in state.exit.notices.values()}
    found: list[ExitNoticeGiven | ExitAgreed] = [
        *(each.given for each in state.exit.notices.values()),
        *state.context.agreements.of(ExitAgreed),
    ]
    for each in sorted(found, key=lambda one: one.effective_on):
        yield ExitSummary(
            exit=each.exit,
            noticed_by=given.get(each.exit),
            reason=each.reason if isinstance(each, ExitNoticeGiven) else None,
            explanation=each.explanation,
            effective_on=each.effective_on,
            withdrawn=each.exit in withdrawn,
            replaced_by=_sooner(each.exit, state),
        )


def _private(state: partnership.Partnership) -> Iterator[PrivateFact]:
    stated = state.context.declarations
    for party in state.parties:
        for term in stated.of(NonNegotiableDeclared, party):
            yield PrivateFact(party=party, fact=term)
        for alternative in stated.of(BestAlternativeDeclared, party):
            yield PrivateFact(party=party, fact=alternative)


SHOW = Question(
    "show",
    ask,
    text,
    path="/v1/partnerships/{id}",
    help="Show the state of a partnership.",
    private=True,
    reads_views=False,
)
