"""Exploration: candidates are found, scored and measured, and one is chosen (C1, C2, C4, C6)."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import assert_never

from domain.bilateral import BilateralAgreement
from domain.context import PartnershipContext
from domain.declarations import CHANGE_REASON, Changeable, nothing_to_change
from domain.facts import check_stated_last
from domain.gates import Requirement, passing
from domain.kernel import (
    BEFORE_BEGINNING,
    CLOCK_PARTY,
    NEGOTIATING,
    SIGNED_OR_SIGNING,
    Act,
    Command,
    Event,
    NotNow,
    Refused,
    Stage,
    Unknown,
    Value,
    once,
)
from domain.values import Count, Money, Rating, Ref, Slug, Text, name_words

PASSING_RATING = 3
"""Below 3 on any dimension needs a bridging plan; 3 passes (C4)."""

EXPLORING = frozenset({Stage.EXPLORATION})


class Dimension(StrEnum):
    """The dimensions of the alignment matrix (C4)."""

    STRATEGIC_FIT = "strategic_fit"
    OPERATIONAL_CAPACITY = "operational_capacity"
    CULTURAL_COMPATIBILITY = "cultural_compatibility"
    SHARED_VISION = "shared_vision"

    @property
    def words(self) -> str:
        """The dimension in words: ``strategic fit``."""
        return name_words(self.value)


# --- commands and events -----------------------------------------------------------------------


class _Beginning(Value):
    party_name: Text
    """The initiator's name. Its identifier is the party that sends the command."""
    purpose: Text
    """What the partnership is for."""


class BeginExploration(_Beginning, Command):
    """Begin to look for a partner. The party that sends this becomes the initiator."""

    stages = BEFORE_BEGINNING


class ExplorationBegun(_Beginning, Event):
    """A party began to look for a partner."""


class _Profile(Value):
    staff_from: Count
    """The smallest number of staff."""
    staff_to: Count
    """The largest number of staff."""
    client_segments: list[Text]
    """The segments of clients that the partner serves."""
    practice: Text
    """The field in which the partner is strong."""
    same_buyer: bool
    """Whether the partner sells to the same buyer."""
    competing_product: bool
    """Whether the partner may have a competing product."""


class DefineIdealPartnerProfile(_Profile, Command):
    """Describe the ideal partner (C1). Another profile becomes the next version."""

    stages = EXPLORING


class IdealPartnerProfileDefined(_Profile, Event):
    """The ideal partner was described, as a version that scores refer to (C1)."""

    profile_version: Count
    """The version of the ideal partner profile, counted from 1."""


class _Candidate(Changeable):
    candidate: Slug
    """The identifier of the candidate."""
    name: Text
    """The name of the organisation."""
    found_through: Slug
    """Where the candidate was found, such as `own-network`, `trade-show` or `social-listening`."""
    staff: Count | None = None
    """The number of staff."""


class IdentifyCandidate(_Candidate, Command):
    """Put a candidate on the list, with its source, or correct that with the reason (C1)."""

    stages = EXPLORING


class CandidateIdentified(_Candidate, Event):
    """A candidate was put on the list (C1)."""


class _Score(Value):
    candidate: Slug
    """The identifier of the candidate; it becomes the identifier of the party."""
    profile_version: Count
    """The version of the ideal partner profile, counted from 1."""
    market_reach: Rating
    """The rating of the candidate's reach in the market, from 1 to 5 (C1)."""
    brand_alignment: Rating
    """The rating of how well the brands fit, from 1 to 5 (C1)."""
    technical_compatibility: Rating
    """The rating of the technical compatibility, from 1 to 5 (C1)."""


class ScoreCandidate(_Score, Command):
    """Score a candidate against a version of the profile, from 1 to 5 (C1, C2)."""

    stages = EXPLORING


class CandidateScored(_Score, Event):
    """A candidate was scored against a version of the profile, from 1 to 5 (C2)."""


class _Overlap(Value):
    candidate: Slug
    """The identifier of the candidate; it becomes the identifier of the party."""
    own_customers: Count
    """The number of customers on the party's own list."""
    shared_customers: Count
    """The number of them that the candidate serves too."""


class MeasureAudienceOverlap(_Overlap, Command):
    """Record how much of the party's own customer list a candidate shares (C2)."""

    stages = EXPLORING


class AudienceOverlapMeasured(_Overlap, Event):
    """The account overlap with a candidate was measured: the customers of both (C2)."""


class _Approach(Value):
    candidate: Slug
    """The identifier of the candidate; it becomes the identifier of the party."""


class ApproachCandidate(_Approach, Command):
    """Approach a candidate (C1). If the candidate was declined, that is taken back."""

    stages = EXPLORING


class CandidateApproached(_Approach, Event):
    """A candidate was approached (C1)."""


class _Decline(Value):
    candidate: Slug
    """The identifier of the candidate."""
    reason: Text
    """Why this candidate is not chosen, in words."""


class DeclineCandidate(_Decline, Command):
    """Decline a candidate, with the reason (C1)."""

    stages = EXPLORING | NEGOTIATING


class CandidateDeclined(_Decline, Event):
    """A candidate was declined, with the reason (C1)."""


class _IntegrationSpend(Value):
    candidate: Slug
    """The identifier of the candidate; it becomes the identifier of the party."""
    purpose: Text
    """What it is for, in words."""
    amount: Money
    """The amount of money."""


class CommitIntegrationSpend(_IntegrationSpend, Command):
    """Commit money to integrating with a candidate whose overlap is known (C2)."""

    stages = EXPLORING


class IntegrationSpendCommitted(_IntegrationSpend, Event):
    """Money was committed to integrating with a candidate (C2)."""


class _Alignment(Value):
    candidate: Slug
    """The identifier of the candidate; it becomes the identifier of the party."""
    strategic_fit: Rating
    """The rating of the strategic fit, from 1 to 5 (C4)."""
    operational_capacity: Rating
    """The rating of the operational capacity, from 1 to 5 (C4)."""
    cultural_compatibility: Rating
    """The rating of the cultural compatibility, from 1 to 5 (C4)."""
    shared_vision: Rating
    """The rating of the shared vision, from 1 to 5 (C4)."""


class AssessAlignment(_Alignment, Command):
    """Rate a candidate on the four dimensions of the alignment matrix, from 1 to 5 (C4).

    The chosen partner can be rated again at any time: the matrix is an audit of what runs, too.
    """

    stages = EXPLORING | SIGNED_OR_SIGNING


class AlignmentAssessed(_Alignment, Event):
    """A candidate was rated on the alignment matrix, from 1 to 5 (C4)."""

    def low(self) -> list[Dimension]:
        """Return the dimensions rated below the passing rating."""
        return [each for each in Dimension if getattr(self, each) < PASSING_RATING]


class _BridgingPlan(Value):
    candidate: Slug
    """The identifier of the candidate; it becomes the identifier of the party."""
    dimension: Dimension
    """The dimension of alignment that the plan improves."""
    plan: Text
    """How the gap is closed."""


class AgreeBridgingPlan(_BridgingPlan, Command):
    """Plan how to bridge a low rating of a candidate, before there is a partner (C4).

    Both parties agree a later plan (ProposeJointBridgingPlan).
    """

    stages = EXPLORING


class BridgingPlanAgreed(_BridgingPlan, Event):
    """A plan to bridge a dimension with a low rating was agreed (C4)."""


class JointBridgingPlanAgreed(
    BilateralAgreement,
    name="JointBridgingPlan",
    subject="a plan to bridge a dimension of the alignment with a low rating (C4)",
    stages=SIGNED_OR_SIGNING,
    ends_with_exit=True,
    identity=("dimension",),
):
    """Both parties agreed how to bridge a dimension of the alignment with a low rating (C4)."""

    proposal: Ref
    """The identifier of the proposal."""
    dimension: Dimension
    """The dimension of alignment that the plan improves."""
    plan: Text
    """How the gap is closed."""
    agreed_version: Count
    """The version of the plan for this dimension: 1, 2, 3 …"""


ProposeJointBridgingPlan = JointBridgingPlanAgreed.proposes
JointBridgingPlanProposed = JointBridgingPlanAgreed.proposed
AgreeJointBridgingPlan = JointBridgingPlanAgreed.accepts


class _Checklist(Value):
    candidate: Slug
    """The identifier of the candidate; it becomes the identifier of the party."""
    objectives_defined: bool
    """Whether objectives and success criteria are defined."""
    alignment_sufficient: bool
    """Whether every dimension of the alignment matrix has 3 or more."""
    governance_agreed: bool
    """Whether governance and its cadence are agreed."""
    economics_fair: bool
    """Whether the economics are fair and transparent."""
    resources_available: bool
    """Whether both parties have the resources."""
    risks_mitigated: bool
    """Whether risks are known and mitigated."""
    exit_clause: bool
    """Whether an exit clause protects both parties."""
    sponsors_on_both_sides: bool
    """Whether both parties have an executive sponsor."""


class CompleteDecisionChecklist(_Checklist, Command):
    """Answer the eight questions of the decision checklist (C6)."""

    stages = EXPLORING


class DecisionChecklistCompleted(_Checklist, Event):
    """The eight questions of the decision checklist were answered (C6)."""


QUESTIONS = tuple(name for name in _Checklist.model_fields if name != "candidate")
"""The eight questions of the decision checklist (C6)."""


class ChoosePartner(Command):
    """Choose a candidate as the partner: the gate to formation (C2, C4, C6)."""

    stages = EXPLORING
    candidate: Slug
    """The identifier of the candidate; it becomes the identifier of the party."""


class PartnerChosen(Event):
    """A candidate was chosen as the partner, and formation began."""

    candidate: Slug
    """The identifier of the candidate; it becomes the identifier of the party."""
    name: Text
    """The name of the organisation."""
    waived: list[str] = []
    """The rules that were waived."""


class CloseExploration(Command):
    """End an exploration that found no partner."""

    stages = EXPLORING
    reason: Text
    """The reason, in words."""


class ExplorationClosed(Event):
    """An exploration ended without a partner."""

    reason: Text
    """The reason, in words."""


# --- state -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Candidate:
    """One candidate: the latest event of each type about it."""

    candidate: str
    identified: CandidateIdentified | None = None
    """None for a partner that was never on the list: it came in by an adoption."""
    latest: Mapping[type[Event], Event] = field(default_factory=dict)
    times: Mapping[str, datetime] = field(default_factory=dict)
    """When the latest of each was stated, by what it is about; see `_about`."""
    bridged: Mapping[Dimension, BridgingPlanAgreed] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The name of the organisation; its identifier where no name is on record."""
        return self.identified.name if self.identified else self.candidate

    def alignment(self) -> AlignmentAssessed | None:
        """Return the latest alignment assessment."""
        fact = self.latest.get(AlignmentAssessed)
        return fact if isinstance(fact, AlignmentAssessed) else None

    def unbridged(self) -> list[Dimension]:
        """Return the dimensions with a low rating and without a bridging plan."""
        alignment = self.alignment()
        return [each for each in alignment.low() if each not in self.bridged] if alignment else []

    @property
    def is_declined(self) -> bool:
        """Whether the candidate was declined, and not approached again since."""
        return CandidateDeclined in self.latest

    def answered_no(self) -> list[str]:
        """Return the questions answered with no; all of them if the checklist is not answered."""
        checklist = self.latest.get(DecisionChecklistCompleted)
        return [each for each in QUESTIONS if not (checklist and getattr(checklist, each))]


@dataclass(frozen=True, slots=True)
class Exploration:
    """The beginning, the profiles by version, and the candidates by identifier."""

    begun: ExplorationBegun | None = None
    profiles: tuple[IdealPartnerProfileDefined, ...] = ()
    candidates: Mapping[str, Candidate] = field(default_factory=dict)

    def shown_to(self, party: str, parties: tuple[str, ...]) -> "Exploration":
        """Return the search as a party sees it: to the chosen partner, what is about itself (C7).

        Whatever else it names is refused in the words of what is not there, so that it does not
        find out whom the initiator considered.
        """
        if party not in parties[1:]:
            return self
        own = {name: each for name, each in self.candidates.items() if name == party}
        return replace(self, candidates=own)


# --- decisions ---------------------------------------------------------------------------------

ExplorationCommand = (
    BeginExploration
    | DefineIdealPartnerProfile
    | IdentifyCandidate
    | ScoreCandidate
    | MeasureAudienceOverlap
    | ApproachCandidate
    | DeclineCandidate
    | CommitIntegrationSpend
    | AssessAlignment
    | AgreeBridgingPlan
    | CompleteDecisionChecklist
    | ChoosePartner
    | CloseExploration
)


def decide(
    command: ExplorationCommand, state: Exploration, context: PartnershipContext, act: Act
) -> list[Event]:
    """Decide a command of this stage. Raises `Refused`."""
    state = state.shown_to(act.party, context.parties)
    match command:
        case BeginExploration():
            return begin(command, state, context, act)
        case DefineIdealPartnerProfile():
            return define_profile(command, state)
        case IdentifyCandidate():
            return identify(command, state, act)
        case ScoreCandidate():
            return score(command, state, act)
        case MeasureAudienceOverlap():
            return measure_overlap(command, state, act)
        case ApproachCandidate():
            return approach(command, state, act)
        case DeclineCandidate():
            return decline(command, state, context, act)
        case CommitIntegrationSpend():
            return spend(command, state, context, act)
        case AssessAlignment():
            return assess(command, state, context, act)
        case AgreeBridgingPlan():
            return bridge(command, state, act)
        case CompleteDecisionChecklist():
            return _note(DecisionChecklistCompleted.of(command), state, act)
        case ChoosePartner():
            return choose(command, state, context, act)
        case CloseExploration():
            return [ExplorationClosed.of(command)]
        case _:
            assert_never(command)


def begin(
    command: BeginExploration, state: Exploration, context: PartnershipContext, act: Act
) -> list[Event]:
    """Begin, unless this party already began in the same words."""
    not_the_clock(act.party)
    event = ExplorationBegun.of(command)
    if not context.parties:
        return [event]
    if context.initiator == act.party and state.begun == event:
        return []
    raise NotNow(
        "partnership-exists",
        f"A partnership begins once. {context.initiator} already began this one.",
        "Use another identifier for a new partnership, or act as a party of this one.",
    )


def not_the_clock(party: str) -> None:
    """Raise `Refused` for a party with the name of the clock's party."""
    if party == CLOCK_PARTY:
        raise Refused(
            "reserved-party",
            f"A party cannot be called {CLOCK_PARTY}. That is the party of the events of the "
            "clock.",
            "Use another identifier for the party.",
        )


def _not_itself(candidate: str, act: Act) -> None:
    if candidate == act.party:
        raise Refused(
            "two-parties",
            f"A partnership needs two parties. {act.party} cannot be its own partner.",
            "Name another organisation.",
        )


def define_profile(command: DefineIdealPartnerProfile, state: Exploration) -> list[Event]:
    """Define the next version of the profile, unless it is the same as the current one (C1)."""
    if command.staff_from > command.staff_to:
        raise Refused(
            "staff-range",
            "The smallest number of staff cannot exceed the largest. The range is "
            f"{command.staff_from} to {command.staff_to}.",
            "Give the smaller number as staff_from.",
        )
    event = IdealPartnerProfileDefined.of(command, profile_version=len(state.profiles) + 1)
    existing = state.profiles[-1] if state.profiles else None
    if existing and existing.model_copy(update={"profile_version": event.profile_version}) == event:
        return []
    return [event]


def identify(command: IdentifyCandidate, state: Exploration, act: Act) -> list[Event]:
    """Put a candidate on the list once, or correct what the list says of it (C1)."""
    not_the_clock(command.candidate)
    _not_itself(command.candidate, act)
    known = state.candidates.get(command.candidate)
    existing = known.identified if known else None
    event = CandidateIdentified.of(command)
    if command.change_reason is not None:
        if known is None or existing is None:
            raise nothing_to_change(f"candidate {command.candidate}")
        return [] if existing == event else _replacing(event, known, act)
    return once(
        event,
        existing,
        "candidate-exists",
        "A candidate is put on the list once. "
        f"{command.candidate} is already on it with other content.",
        "Give the reason for the change (change_reason), or use another identifier.",
        field=CHANGE_REASON,
    )


def score(command: ScoreCandidate, state: Exploration, act: Act) -> list[Event]:
    """Score against a version of the profile that exists (C1)."""
    if not 1 <= command.profile_version <= len(state.profiles):
        raise Unknown(
            "no-such-profile",
            "A score must name a version of the ideal partner profile. "
            f"There is no version {command.profile_version}.",
            f"Use a version from 1 to {len(state.profiles)}."
            if state.profiles
            else "Define the profile first (DefineIdealPartnerProfile).",
            versions=len(state.profiles),
            named=command.profile_version,
            known=range(1, len(state.profiles) + 1),
        )
    return _note(CandidateScored.of(command), state, act)


def measure_overlap(command: MeasureAudienceOverlap, state: Exploration, act: Act) -> list[Event]:
    """Record an overlap, which cannot exceed the list on which it was measured (C2)."""
    if command.shared_customers > command.own_customers:
        raise Refused(
            "overlap-exceeds-list",
            "The shared customers cannot outnumber the list. "
            f"{command.shared_customers} of {command.own_customers} were given.",
            "Count the shared customers within the party's own list.",
        )
    return _note(AudienceOverlapMeasured.of(command), state, act)


def approach(command: ApproachCandidate, state: Exploration, act: Act) -> list[Event]:
    """Approach a candidate once; again if it was declined since (C1)."""
    event = CandidateApproached.of(command)
    known = _known(command.candidate, state)
    return _replacing(event, known, act) if known.is_declined else _note(event, state, act)


def decline(
    command: DeclineCandidate, state: Exploration, context: PartnershipContext, act: Act
) -> list[Event]:
    """Decline a candidate that was not chosen, with the reason (C1)."""
    if command.candidate in context.parties[1:]:
        raise NotNow(
            "candidate-is-chosen",
            f"The chosen partner cannot be declined. {command.candidate} was chosen.",
            "End the negotiation instead (ProposeNegotiationEnd), or decline another candidate.",
            field="candidate",
        )
    return _note(CandidateDeclined.of(command), state, act)


def spend(
    command: CommitIntegrationSpend, state: Exploration, context: PartnershipContext, act: Act
) -> list[Event]:
    """Commit money to integration once the overlap is known (C2)."""
    candidate = _known(command.candidate, state)
    passing("integration", [_overlap_known(candidate)], context)
    return _note(IntegrationSpendCommitted.of(command), state, act)


def assess(
    command: AssessAlignment, state: Exploration, context: PartnershipContext, act: Act
) -> list[Event]:
    """Rate a candidate on the list, or the partner, also one that was adopted (C4)."""
    adopted = command.candidate in context.parties[1:] and command.candidate not in state.candidates
    event = AlignmentAssessed.of(command)
    return [event] if adopted else _note(event, state, act)


def bridge(command: AgreeBridgingPlan, state: Exploration, act: Act) -> list[Event]:
    """Agree a plan for a dimension of a candidate (C4)."""
    candidate = _known(command.candidate, state)
    event = BridgingPlanAgreed.of(command)
    if candidate.bridged.get(command.dimension) == event:
        return []
    return _replacing(event, candidate, act)


def choose(
    command: ChoosePartner, state: Exploration, context: PartnershipContext, act: Act
) -> list[Event]:
    """Choose a candidate that meets the requirements of the gate to formation (C2, C4, C6)."""
    _not_itself(command.candidate, act)
    candidate = _known(command.candidate, state)
    waived = passing("formation", requirements(candidate, state), context)
    return [PartnerChosen(candidate=command.candidate, name=candidate.name, waived=waived)]


def requirements(candidate: Candidate, state: Exploration) -> list[Requirement]:
    """Return what the gate to formation requires of a candidate (C2, C4, C6)."""
    alignment, unanswered = candidate.alignment(), candidate.answered_no()
    return [
        Requirement(
            "candidate-not-declined",
            not candidate.is_declined,
            "The candidate was declined.",
            "Approach the candidate again (ApproachCandidate), or choose another one.",
        ),
        Requirement(
            "candidate-scored",
            CandidateScored in candidate.latest,
            "The candidate is not scored.",
            "Score the candidate (ScoreCandidate)."
            if state.profiles
            else "Score the candidate against a profile (DefineIdealPartnerProfile, "
            "ScoreCandidate).",
        ),
        _overlap_known(candidate),
        Requirement(
            "alignment-assessed",
            alignment is not None,
            "The alignment with the candidate is not assessed.",
            "Assess the alignment (AssessAlignment).",
        ),
        *(
            Requirement(
                f"alignment:{dimension}",
                met=dimension not in candidate.unbridged(),
                detail=f"The rating of {dimension.words} is below {PASSING_RATING} and has no "
                "bridging plan.",
                hint="Agree a bridging plan (AgreeBridgingPlan), or waive the rule "
                "(ProposeWaiver).",
            )
            for dimension in (Dimension if alignment else ())
        ),
        *(
            Requirement(
                f"checklist:{question}",
                met=question not in unanswered,
                detail=f"The checklist's answer to {name_words(question)} is not yes.",
                hint="Complete the checklist with yes (CompleteDecisionChecklist), or waive the "
                "rule (ProposeWaiver).",
            )
            for question in QUESTIONS
        ),
    ]


def _overlap_known(candidate: Candidate) -> Requirement:
    return Requirement(
        "overlap-known",
        AudienceOverlapMeasured in candidate.latest,
        "The account overlap with the candidate is not measured.",
        "Record the account overlap (MeasureAudienceOverlap).",
    )


_About = (
    CandidateScored
    | AudienceOverlapMeasured
    | CandidateApproached
    | CandidateDeclined
    | IntegrationSpendCommitted
    | AlignmentAssessed
    | DecisionChecklistCompleted
)


_Stated = _About | BridgingPlanAgreed | CandidateIdentified


def _known(candidate: str, state: Exploration) -> Candidate:
    known = state.candidates.get(candidate)
    if known is None:
        raise Unknown(
            "no-such-candidate",
            f"Only a candidate on the list can be named. {candidate} is not on it.",
            "Put the candidate on the list first (IdentifyCandidate).",
            named=candidate,
            known=list(state.candidates),
        )
    return known


def _note(event: _About, state: Exploration, act: Act) -> list[Event]:
    # The event of each type that was stated last counts; the same again decides nothing.
    known = _known(event.candidate, state)
    return [] if known.latest.get(type(event)) == event else _replacing(event, known, act)


def _replacing(event: _Stated, known: Candidate, act: Act) -> list[Event]:
    """Return what is stated of a candidate. Raises `Refused` if it was stated otherwise since."""
    about = _about(event)
    check_stated_last(f"{about} of {event.candidate}", known.times.get(about), act)
    return [event]


def _about(event: _Stated) -> str:
    """Return what an event says of a candidate: each of them has one latest answer."""
    match event:
        case CandidateApproached() | CandidateDeclined():
            return "the approach"
        case BridgingPlanAgreed():
            return f"the bridging plan for {event.dimension.words}"
        case _:
            return type(event).wire


# --- fold --------------------------------------------------------------------------------------


def evolve(state: Exploration, event: Event, act: Act) -> Exploration:
    """Fold an event of this stage into its state."""
    match event:
        case ExplorationBegun():
            return replace(state, begun=event)
        case IdealPartnerProfileDefined():
            return replace(state, profiles=(*state.profiles, event))
        case CandidateIdentified(candidate=name):
            on_list = state.candidates.get(name, Candidate(name))
            times = {**on_list.times, _about(event): act.occurred_at}
            return _with(state, replace(on_list, identified=event, times=times))
        case AlignmentAssessed(candidate=name) if name not in state.candidates:
            # The partner of an adoption; or a replay as of a moment left out the events before.
            times = {_about(event): act.occurred_at}
            return _with(state, Candidate(name, latest={AlignmentAssessed: event}, times=times))
        case BridgingPlanAgreed(candidate=name, dimension=dimension):
            known = state.candidates.get(name)
            if known is None:
                return state
            times = {**known.times, _about(event): act.occurred_at}
            bridged = {**known.bridged, dimension: event}
            return _with(state, replace(known, bridged=bridged, times=times))
        case (
            CandidateScored(candidate=name)
            | AudienceOverlapMeasured(candidate=name)
            | CandidateApproached(candidate=name)
            | CandidateDeclined(candidate=name)
            | IntegrationSpendCommitted(candidate=name)
            | AlignmentAssessed(candidate=name)
            | DecisionChecklistCompleted(candidate=name)
        ):
            # A replay as of a moment may leave out the events before this one.
            known = state.candidates.get(name)
            if known is None:
                return state
            latest = {**known.latest, type(event): event}
            if isinstance(event, CandidateApproached):
                latest.pop(CandidateDeclined, None)
            times = {**known.times, _about(event): act.occurred_at}
            return _with(state, replace(known, latest=latest, times=times))
        case _:
            return state


def _with(state: Exploration, candidate: Candidate) -> Exploration:
    return replace(state, candidates={**state.candidates, candidate.candidate: candidate})
