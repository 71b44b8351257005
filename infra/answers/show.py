"""The state of one partnership: its parties, what they agreed, and what is under way.

The answer contains the facts of the domain as they were recorded, with people by name.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, Generic, TypeVar, assert_never

from pydantic import JsonValue

from domain import dispute, exploration, partnership
from domain.agreement import CommercialTermsAgreed
from domain.bilateral import BilateralDeclined
from domain.calendar import in_words, subtract
from domain.charter import Charter
from domain.context import Waiver
from domain.deadlines import DeadlineKind
from domain.dispute import DisputeOpened, DisputeResolved
from domain.execution import (
    IssueEscalated,
    IssueRaised,
    IssueResolved,
    MilestoneMissed,
    MilestonePlanned,
    MilestoneReached,
    ReviewHeld,
    ReviewMissed,
    ReviewScheduled,
    Tasks,
)
from domain.exploration import (
    AlignmentAssessed,
    AudienceOverlapMeasured,
    CandidateApproached,
    CandidateIdentified,
    CandidateScored,
)
from domain.formation import (
    BestAlternativeDeclared,
    CharterAgreed,
    DecisionRuleAgreed,
    Formation,
    NonNegotiableDeclared,
)
from domain.governance import (
    ContactAssigned,
    GovernanceEstablished,
    ResourcesCommitted,
    SponsorAssigned,
)
from domain.kernel import Event, Stage
from domain.markets import (
    LocalFeedbackRecorded,
    MarketRanked,
    MarketTargeted,
    MetricOwnerAssigned,
    RoleAssigned,
)
from domain.recorded import Recorded
from domain.renewal import (
    AssetsDispositioned,
    ExitNoticeGiven,
    RenewalReviewHeld,
)
from domain.settlement import Balance, FinalSettlementIssued
from domain.terms import Terms, describe
from domain.values import Count, instant
from infra.answers.logs import NOW, AsOf, NotFound, extent, own_stream, sight_of, size_of, times
from infra.answers.question import Answer, Item, Parameter, PartnershipId, Question
from infra.answers.rules import rule_in_words
from infra.answers.text import Block, Line, Table, amount, counted, minute, number
from infra.bootstrap import Accord
from infra.deciding.pseudonyms import Names
from projections.timeline import words
from projections.visibility import Sight

E = TypeVar("E", bound=Event)
D = TypeVar("D", bound=Event)

# --- the answer --------------------------------------------------------------------------------


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


class Overlap(Item):
    """The overlap with a candidate's audience (C2)."""

    own_customers: Count | None
    """The customers on the party's own list."""
    shared_customers: Count | None
    """Null where the count is too small to be shown to the other party (C14)."""
    fewer_than: int | None
    """The smallest count that is shown, where this one is smaller."""


class CandidateSummary(Item):
    """A candidate, with the latest fact of each kind (C1 to C4)."""

    identified: CandidateIdentified
    """The candidate as it was put on the list."""
    approached: bool
    """Whether the candidate was approached."""
    chosen: bool
    """Whether the candidate was chosen as the partner."""
    score: CandidateScored | None
    """The latest score; null if there is none."""
    overlap: Overlap | None
    """The overlap with the candidate's customers; null if it is not measured."""
    alignment: AlignmentAssessed | None
    """The latest assessment of the alignment; null if there is none."""


class AgreedTerms(Item):
    """The terms in force on a day, and all versions (C10)."""

    day: date
    """The day that is asked about."""
    in_force: CommercialTermsAgreed | None
    """The terms in force on the day; null if there are none."""
    versions: tuple[CommercialTermsAgreed, ...]
    """All versions, in the order of agreement."""


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
    signed_by: tuple[str, ...]
    """The parties that have signed."""
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
    """It was not done in time: a milestone or a review was missed, an issue was escalated."""
    DONE = "done"


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
Review = TaskSummary[ReviewScheduled, ReviewHeld]
Issue = TaskSummary[IssueRaised, IssueResolved]


class DisputeSummary(Item):
    """A dispute (C24)."""

    dispute: str
    """The identifier of the dispute."""
    opened: DisputeOpened | None
    """Null where an answer as of a moment lacks it."""
    opened_by: str
    """The party that opened it."""
    mediator: str | None
    """Who mediates; null without a mediation."""
    resolved: DisputeResolved | None
    """How the dispute ended; null while it is open."""


class ProposalState(StrEnum):
    """The states of a proposal."""

    OPEN = "open"
    ACCEPTED = "accepted"
    DECLINED = "declined"


class ProposalSummary(Item):
    """A proposal that one party made: terms, a plan, a wider scope, a renewal, and so on."""

    proposal: str
    """The identifier that its author gave."""
    type: str
    """The event that recorded it, such as ``RenewalProposed``."""
    content: dict[str, JsonValue]
    """The fields of that event."""
    text: str
    """What its author did, as a sentence without its subject."""
    proposed_by: str
    """The party that made the proposal."""
    state: ProposalState
    """Whether it is open, accepted or declined."""
    reason: str | None
    """Why the other party declined."""


class RenewalSummary(Item):
    """Renewal and exit (C11, C27)."""

    term_ends_on: date | None
    """The first day after the term."""
    last_day_for_notice: date | None
    """The last day on which notice ends the partnership with its term."""
    reviews: tuple[RenewalReviewHeld, ...]
    """The renewal reviews."""
    notice: ExitNoticeGiven | None
    """The notice of the exit; null if none was given."""
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
    purpose: str | None
    """What it is for, in words."""
    events: int
    """How many events are in range."""
    log_size: int
    """How many events the log has."""
    last: str
    """The last event in range: the partnership and its index."""
    last_recorded_at: datetime
    """When the last event was recorded."""
    parties: tuple[Party, ...]
    """The two parties, the initiator first."""
    candidates: tuple[CandidateSummary, ...]
    """The candidates, with the latest fact of each kind."""
    terms: AgreedTerms
    """The terms in force, and all versions."""
    charter: Charter | None
    """The charter that both parties agreed; null if there is none."""
    rules: tuple[RuleSummary, ...]
    """The decision rules that both parties agreed."""
    agreement: SignedAgreement | None
    """The agreement, and who signed it; null if none is drafted."""
    governance: GovernanceEstablished | None
    """The governance as it was set up; null if it is not."""
    markets: tuple[MarketSummary, ...]
    """The markets."""
    roles: tuple[RoleAssigned, ...]
    """The roles that the parties named."""
    metric_owners: tuple[MetricOwnerAssigned, ...]
    """Who owns which metric."""
    waivers: tuple[Waiver, ...]
    """The rules that were waived, by whom and why."""
    milestones: tuple[Milestone, ...]
    """The milestones."""
    reviews: tuple[Review, ...]
    """The reviews."""
    issues: tuple[Issue, ...]
    """The issues."""
    disputes: tuple[DisputeSummary, ...]
    """The disputes, each with its outcome if it has one."""
    proposals: tuple[ProposalSummary, ...]
    """The proposals, each with its state."""
    renewal: RenewalSummary
    """The renewal reviews, the notice, and what the exit settled."""
    private: tuple[PrivateFact, ...]
    """The facts that only one party sees; empty for the other."""
    deadlines: tuple[OpenDeadline, ...]
    """The deadlines that have not passed, the next one first."""


# --- asking ------------------------------------------------------------------------------------

Version = Annotated[int | None, Parameter("The first N events of its log.", "N", minimum=1)]


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
    size, found = size_of(history, id), extent(history, id, when)
    if found is None:
        first, _ = times(next(iter(history.bodies(id, 0, 1))))
        raise NotFound(
            f"{id} had no events at that time.",
            f"Its first event is at {instant(first)}; ask for that time or later.",
        )
    is_live = when.is_now and not accord.simulated
    day = (when.at or when.known or (accord.clock() if is_live else found.recorded_at)).date()

    named = Names(history, id).recorded
    folded = _Folded.of(map(named, own_stream(history, id, when)), sight)
    state, tasks = folded.state, folded.task_times
    stated, agreements = state.context.declarations, state.context.agreements
    begun, charter = state.exploration.begun, agreements.latest(CharterAgreed)
    return PartnershipState(
        simulated=accord.simulated,
        as_of=when.asked,
        id=id,
        stage=state.stage,
        purpose=begun.purpose if begun else None,
        events=found.events,
        log_size=size,
        last=f"{id}#{found.last}",
        last_recorded_at=found.recorded_at,
        parties=tuple(_parties(state)),
        candidates=tuple(_candidates(folded)),
        terms=AgreedTerms(
            day=day,
            in_force=state.context.terms_at(day),
            versions=agreements.versions(CommercialTermsAgreed),
        ),
        charter=charter.charter if charter else None,
        rules=tuple(
            RuleSummary(agreed=each, text=rule_in_words(each.rule))
            for each in agreements.versions(DecisionRuleAgreed)
        ),
        agreement=_agreement(state.formation),
        governance=next(iter(stated.of(GovernanceEstablished)), None),
        markets=tuple(_markets(state)),
        roles=tuple(stated.of(RoleAssigned)),
        metric_owners=tuple(stated.of(MetricOwnerAssigned)),
        waivers=tuple(state.context.waivers.values()),
        milestones=_tasks(MilestonePlanned, MilestoneReached, state.execution.milestones, tasks),
        reviews=_tasks(ReviewScheduled, ReviewHeld, state.execution.reviews, tasks),
        issues=_tasks(IssueRaised, IssueResolved, state.execution.issues, tasks),
        disputes=tuple(_disputes(map(named, when.of(history.below(f"{id}/dispute"))))),
        proposals=tuple(_proposals(state)),
        renewal=_renewal(state),
        private=tuple(_private(state)),
        deadlines=tuple(open_deadlines(state)),
    )


@dataclass(slots=True)
class _Times:
    """When a task became overdue, and when it was done."""

    overdue_at: datetime | None = None
    done_at: datetime | None = None


@dataclass(slots=True)
class _Folded:
    """The state that a partnership's own stream folds to, and what the state leaves out."""

    state: partnership.Partnership = field(default_factory=partnership.Partnership)
    hidden_overlaps: dict[str, int] = field(default_factory=dict)
    """Candidates whose overlap is too small to be shown, with the smallest count that is (C14)."""
    task_times: dict[tuple[type[Event], str], _Times] = field(default_factory=dict)
    """By the type of the event that planned the task, and its identifier."""

    @classmethod
    def of(cls, stream: Iterable[Recorded], sight: Sight) -> "_Folded":
        folded = cls()
        for recorded in filter(sight.shows, stream):
            folded.state = partnership.evolve(folded.state, recorded.event, recorded.act)
            folded._note(recorded, sight)
        return folded

    def _note(self, recorded: Recorded, sight: Sight) -> None:
        at = recorded.act.occurred_at
        match recorded.event:
            case AudienceOverlapMeasured(candidate=name):
                self.hidden_overlaps.pop(name, None)
                if smallest := sight.fewer_than(recorded):
                    self.hidden_overlaps[name] = smallest
            case MilestoneMissed(milestone=name):
                self._of(MilestonePlanned, name).overdue_at = at
            case MilestoneReached(milestone=name):
                self._of(MilestonePlanned, name).done_at = at
            case ReviewMissed(review=name):
                self._of(ReviewScheduled, name).overdue_at = at
            case ReviewHeld(review=name):
                self._of(ReviewScheduled, name).done_at = at
            case IssueEscalated(issue=name):
                self._of(IssueRaised, name).overdue_at = at
            case IssueResolved(issue=name):
                self._of(IssueRaised, name).done_at = at
            case _:
                pass

    def _of(self, planned: type[Event], name: str) -> _Times:
        return self.task_times.setdefault((planned, name), _Times())


def open_deadlines(state: partnership.Partnership) -> Iterator[OpenDeadline]:
    """Return the deadlines that have not passed, the next one first."""
    for each in sorted(state.deadlines.values()):
        yield OpenDeadline(due=each.due, kind=each.kind, ref=each.ref)


def _parties(state: partnership.Partnership) -> Iterator[Party]:
    begun, stated = state.exploration.begun, state.context.declarations
    names = {key: each.identified.name for key, each in state.exploration.candidates.items()}
    for place, party in enumerate(state.parties):
        is_initiator = place == 0
        yield Party(
            party=party,
            role=PartyRole.INITIATOR if is_initiator else PartyRole.PARTNER,
            name=begun.party_name if begun and is_initiator else names.get(party, party),
            contacts=tuple(stated.of(ContactAssigned, party)),
            sponsor=next(iter(stated.of(SponsorAssigned, party)), None),
            resources=next(iter(stated.of(ResourcesCommitted, party)), None),
        )


def _candidates(folded: _Folded) -> Iterator[CandidateSummary]:
    for name, each in folded.state.exploration.candidates.items():
        yield CandidateSummary(
            identified=each.identified,
            approached=CandidateApproached in each.latest,
            chosen=name in folded.state.parties,
            score=_latest(each, CandidateScored),
            overlap=_overlap(each, folded.hidden_overlaps.get(name)),
            alignment=each.alignment(),
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
        signed_by=tuple(sorted(agreement.signed_by)),
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


def _disputes(events: Iterable[Recorded]) -> Iterator[DisputeSummary]:
    disputes: dict[str, dispute.Dispute] = {}
    for recorded in events:
        before = disputes.get(recorded.stream, dispute.Dispute())
        disputes[recorded.stream] = dispute.evolve(before, recorded.event, recorded.act)
    for stream, state in disputes.items():
        yield DisputeSummary(
            dispute=stream.rpartition("/")[2],
            opened=state.opened,
            opened_by=state.opened_by,
            mediator=state.mediation.mediator if state.mediation else None,
            resolved=state.resolved,
        )


def _proposals(state: partnership.Partnership) -> Iterator[ProposalSummary]:
    for kind in state.context.agreements.proposals.values():
        for name, each in kind.items():
            answered = ProposalState.ACCEPTED if each.accepted else ProposalState.OPEN
            declined = each.declined
            yield ProposalSummary(
                proposal=name,
                type=each.proposed.wire,
                content=each.proposed.model_dump(mode="json", exclude_none=True),
                text=words(each.proposed),
                proposed_by=each.party,
                state=ProposalState.DECLINED if declined else answered,
                reason=declined.reason if isinstance(declined, BilateralDeclined) else None,
            )


def _renewal(state: partnership.Partnership) -> RenewalSummary:
    latest, ends = state.context.latest_terms, state.context.term_ends_on
    renewed = state.renewal
    return RenewalSummary(
        term_ends_on=ends,
        last_day_for_notice=subtract(ends, latest.terms.notice) if ends and latest else None,
        reviews=tuple(renewed.reviews.values()),
        notice=renewed.notice,
        settlement=renewed.settlement,
        assets=tuple(renewed.assets.values()),
    )


def _private(state: partnership.Partnership) -> Iterator[PrivateFact]:
    stated = state.context.declarations
    for party in state.parties:
        for term in stated.of(NonNegotiableDeclared, party):
            yield PrivateFact(party=party, fact=term)
        for alternative in stated.of(BestAlternativeDeclared, party):
            yield PrivateFact(party=party, fact=alternative)


# --- text --------------------------------------------------------------------------------------


def text(state: PartnershipState) -> Iterator[Block]:
    """Return the state as text, without what is empty."""
    yield from _head(state)
    yield Table(
        ["PARTY", "ROLE", "PEOPLE", "COMMITTED"],
        [
            (each.party, each.role, "; ".join(_people(each)), _committed(each.resources))
            for each in state.parties
        ],
        "parties",
        2,
    )
    yield from _candidate_blocks(state.candidates)
    yield from _terms_blocks(state.terms)
    yield from _agreed_blocks(state)
    yield from _market_blocks(state)
    waivers = [(each.rule, f"{each.party} ({each.actor})", each.reason) for each in state.waivers]
    yield Table(["RULE", "WAIVED BY", "REASON"], waivers, "waivers", 2)
    tasks: list[Milestone | Review | Issue | DisputeSummary] = []
    tasks += [*state.milestones, *state.reviews, *state.issues, *state.disputes]
    yield Table(
        ["KIND", "ID", "DESCRIPTION", "DUE", "STATE"],
        map(_task_row, tasks),
        "milestones, reviews, issues, disputes",
        2,
    )
    proposals = [
        (each.proposal, each.proposed_by, each.text, _answered(each)) for each in state.proposals
    ]
    yield Table(["ID", "PARTY", "PROPOSAL", "STATE"], proposals, "proposals", 2)
    yield from _renewal_blocks(state.renewal)
    yield Table(
        ["PARTY", "ABOUT", "STATEMENT"],
        [(each.party, *_stated(each.fact)) for each in state.private],
        "private to its party",
        2,
    )
    deadlines = [
        (minute(each.due), DEADLINES[each.kind].format(each.ref)) for each in state.deadlines
    ]
    yield Table(["DUE", "DEADLINE"], deadlines, "open deadlines", 2)


def _head(state: PartnershipState) -> Iterator[Block]:
    of = state.as_of
    yield Line(f"{state.id}: {state.stage.value if state.stage else 'not begun'}", "bold")
    yield Line(" and ".join(each.name for each in state.parties))
    if state.purpose:
        yield Line(state.purpose)
    limits = [
        *([f"what had happened by {minute(of.at)}"] if of.at else []),
        *([f"what was recorded by {minute(of.known)}"] if of.known else []),
        f"{state.events} of {counted(state.log_size, 'event')}",
    ]
    yield Line(f"{'; '.join(limits)}, the last recorded {minute(state.last_recorded_at)}")
    yield Line()


def _people(party: Party) -> Iterator[str]:
    for each in party.contacts:
        yield f"{each.name} ({each.function})"
    if party.sponsor:
        yield f"{party.sponsor.name} (executive sponsor)"


def _committed(resources: ResourcesCommitted | None) -> str:
    if resources is None:
        return ""
    costs = "".join(f", {each}" for each in resources.costs)
    return f"{number(resources.attention)} % of one person's time{costs}"


def _candidate_blocks(candidates: tuple[CandidateSummary, ...]) -> Iterator[Block]:
    if not candidates:
        return
    approached = [each for each in candidates if each.approached]
    chosen = next((each.identified.candidate for each in candidates if each.chosen), "none")
    counts = f"{len(candidates)} identified, {len(approached)} approached, {chosen} chosen"
    yield Line(f"candidates: {counts}", "bold", 2)
    yield Table(
        ["CANDIDATE", "SHARED CUSTOMERS", "SCORE", "ALIGNMENT"],
        [
            (
                each.identified.candidate,
                _shared(each.overlap),
                _scored(each.score),
                _aligned(each.alignment),
            )
            for each in approached
        ],
        indent=4,
    )


def _shared(overlap: Overlap | None) -> str:
    if overlap is None:
        return ""
    if overlap.fewer_than is not None:
        return f"fewer than {overlap.fewer_than}"
    return f"{overlap.shared_customers} of {overlap.own_customers}"


def _scored(score: CandidateScored | None) -> str:
    if score is None:
        return ""
    return (
        f"reach {score.market_reach}, brand {score.brand_alignment}, "
        f"technology {score.technical_compatibility}"
    )


def _aligned(rated: AlignmentAssessed | None) -> str:
    if rated is None:
        return ""
    return (
        f"fit {rated.strategic_fit}, capacity {rated.operational_capacity}, "
        f"culture {rated.cultural_compatibility}, vision {rated.shared_vision}"
    )


def _terms_blocks(terms: AgreedTerms) -> Iterator[Block]:
    if not terms.versions:
        return
    agreed = terms.in_force
    if agreed is None:
        yield Line(f"terms: none in force on {terms.day}", "bold", 2)
    else:
        version = f"version {agreed.terms_version}, {_span(agreed)}"
        yield Line(f"terms in force on {terms.day}: {version}", "bold", 2)
        yield from (Line(line, indent=4) for line in _terms_lines(agreed.terms))
    for each in terms.versions:
        if each != agreed:
            yield Line(f"version {each.terms_version} holds {_span(each)}", indent=4)


def _span(version: CommercialTermsAgreed) -> str:
    until = f" until {version.until}" if version.until else ""
    return f"from {version.effective_from}{until}"


def _terms_lines(terms: Terms) -> Iterator[str]:
    yield from map(describe, terms.economics)
    if (minimum := terms.minimum_referrals_per_quarter) is not None:
        yield f"at least {counted(minimum, 'referral')} every quarter"
    yield (
        f"from {terms.starts_on} for {in_words(terms.duration)}; notice {in_words(terms.notice)}; "
        f"assets at exit: {terms.assets_at_exit}"
    )


def _agreed_blocks(state: PartnershipState) -> Iterator[Block]:
    objectives = [
        (each.metric, amount(each.baseline, each.unit), amount(each.target, each.unit),
         each.deadline)
        for each in (state.charter.objectives if state.charter else ())
    ]  # fmt: skip
    columns = ["METRIC", ">FROM", ">TARGET", "BY"]
    yield Table(columns, objectives, "objectives of the charter", 2)
    rules = [(each.agreed.rule.rule, each.agreed.rule_version, each.text) for each in state.rules]
    yield Table(["RULE", ">VERSION", "AGREED"], rules, "decision rules", 2)
    if agreement := state.agreement:
        signed = " and ".join(agreement.signed_by) or "nobody"
        yield Line(f"agreement: version {agreement.version}, signed by {signed}", "bold", 2)
        if agreement.missing_sections:
            yield Line(f"missing sections: {', '.join(agreement.missing_sections)}", indent=4)
        if agreement.in_force not in {None, agreement.version}:
            yield Line(f"version {agreement.in_force} is in force", indent=4)


def _market_blocks(state: PartnershipState) -> Iterator[Block]:
    markets = [
        (
            each.market,
            len(each.feedback),
            "; ".join(
                f"viability {rated.viability}, cultural fit {rated.cultural_fit}"
                for rated in each.ranked
            ),
        )
        for each in state.markets
    ]
    yield Table(["MARKET", ">FEEDBACK", "RANKED"], markets, "markets", 2)
    people = [
        *((each.role, each.market or "all", each.name) for each in state.roles),
        *((each.metric, each.market or "all", _owner(each)) for each in state.metric_owners),
    ]
    yield Table(["ROLE OR METRIC", "MARKET", "PERSON"], people, "roles and owners of metrics", 2)


def _owner(assigned: MetricOwnerAssigned) -> str:
    return f"{assigned.owner} ({assigned.role}{', local' if assigned.local else ''})"


def _task_row(task: Milestone | Review | Issue | DisputeSummary) -> tuple[object, ...]:
    if isinstance(task, DisputeSummary):
        what = task.opened.description if task.opened else ""
        state = task.resolved.outcome.value if task.resolved else "open"
        return "dispute", task.dispute, what, "", state
    planned = task.planned
    match planned:
        case MilestonePlanned():
            state = _state(task, "missed", "reached")
            return "milestone", planned.milestone, planned.title, planned.due, state
        case ReviewScheduled():
            state = _state(task, "missed", "held")
            return "review", planned.review, planned.kind, planned.at.date(), state
        case IssueRaised():
            state = _state(task, "escalated", "resolved")
            return "issue", planned.issue, planned.description, "", state
        case _:
            assert_never(planned)


def _state(task: Milestone | Review | Issue, overdue: str, done: str) -> str:
    match task.state:
        case TaskState.OPEN:
            return "open"
        case TaskState.OVERDUE:
            return overdue
        case TaskState.DONE if task.overdue_at is None:
            return done
        case TaskState.DONE:
            return f"{done}, " + (
                "in time but recorded late" if task.in_time else f"after it was {overdue}"
            )
        case _:
            assert_never(task.state)


def _answered(proposal: ProposalSummary) -> str:
    return f"declined: {proposal.reason}" if proposal.reason else proposal.state


def _stated(fact: NonNegotiableDeclared | BestAlternativeDeclared) -> tuple[str, str]:
    match fact:
        case NonNegotiableDeclared():
            return fact.term, fact.statement
        case BestAlternativeDeclared():
            return "its best alternative", fact.statement
        case _:
            assert_never(fact)


def _renewal_blocks(renewed: RenewalSummary) -> Iterator[Block]:
    if renewed.term_ends_on is None:
        return
    notice = f"the last day for notice is {renewed.last_day_for_notice}"
    yield Line(f"holds until {renewed.term_ends_on}; {notice}", "bold", 2)
    yield from (Line(line, indent=4) for line in _renewal_lines(renewed))


def _renewal_lines(renewed: RenewalSummary) -> Iterator[str]:
    for review in renewed.reviews:
        yield f"renewal review {review.review} recommends: {review.recommendation}"
    if notice := renewed.notice:
        yield f"notice was given ({notice.reason}), effective {notice.effective_on}"
    if settlement := renewed.settlement:
        owed = ", ".join(filter(None, map(_owed, settlement.balances))) or "nothing is owed"
        yield f"final settlement {settlement.settlement}: {owed}"
    for asset in renewed.assets:
        yield f"{asset.asset}: {asset.disposition} ({asset.to})"


def _owed(balance: Balance) -> str:
    if balance.payer is None:
        return ""
    return f"{balance.payer} owes {balance.payee} {amount(balance.amount, balance.currency)}"


DEADLINES = {
    DeadlineKind.PERIOD: "the period {} closes",
    DeadlineKind.MILESTONE: "milestone {} is due",
    DeadlineKind.REVIEW: "review {} is due",
    DeadlineKind.ISSUE: "issue {} goes to the executive sponsors",
    DeadlineKind.NOTICE_WARNING: "both parties are reminded that notice is due by {}",
    DeadlineKind.NOTICE: "the last day for notice, {}, is over",
    DeadlineKind.TERM_END: "the term ends on {}",
    DeadlineKind.EXIT: "the exit takes effect on {}",
    DeadlineKind.IMPROVEMENT: "improvement plan {} is due",
    DeadlineKind.REMINDER: "both parties are reminded of review {}",
    DeadlineKind.CADENCE: "the next {} review is due",
    DeadlineKind.ACTION: "action {} is due",
}
"""The consequence of each kind of deadline that passes; a test checks that none is missing."""

SHOW = Question(
    "show",
    ask,
    text,
    path="/v1/partnerships/{id}",
    help="Show the state of a partnership.",
    private=True,
    reads_views=False,
)
