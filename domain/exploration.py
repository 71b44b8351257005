"""Exploration: who might be the partner, and does the data say so (C1, C2, C4, C6)."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import assert_never

from domain.context import PartnershipContext
from domain.gates import Requirement, passing
from domain.kernel import (
    BEFORE_BEGINNING,
    CLOCK_PARTY,
    Act,
    Command,
    Event,
    Refused,
    Stage,
    Value,
    once,
)
from domain.values import Count, Money, Rating, Slug, Text

PASSING_RATING = 3
"""Below 3 on any dimension needs a bridging plan; 3 passes (C4)."""

EXPLORING = frozenset({Stage.EXPLORATION})


class CandidateSource(StrEnum):
    """Where a candidate was found (C1)."""

    OWN_NETWORK = "own-network"
    TRADE_SHOW = "trade-show"
    DIRECTORY = "directory"
    REFERRAL = "referral"
    INBOUND = "inbound"


class Dimension(StrEnum):
    """The dimensions of the alignment matrix (C4)."""

    STRATEGIC_FIT = "strategic_fit"
    OPERATIONAL_CAPACITY = "operational_capacity"
    CULTURAL_COMPATIBILITY = "cultural_compatibility"
    SHARED_VISION = "shared_vision"


# --- facts -------------------------------------------------------------------------------------


class _Beginning(Value):
    party_name: Text
    """The initiator's name; its identifier is the party of the act."""
    purpose: Text


class BeginExploration(_Beginning, Command):
    """Begin to look for a partner. The acting party becomes the initiator."""

    stages = BEFORE_BEGINNING


class ExplorationBegun(_Beginning, Event):
    """A party began to look for a partner."""


class _Profile(Value):
    staff_from: Count
    staff_to: Count
    client_segments: list[Text]
    practice: Text
    same_buyer: bool
    competing_product: bool


class DefineIdealPartnerProfile(_Profile, Command):
    """Say what partner is sought (C1). Another profile becomes the next version."""

    stages = EXPLORING


class IdealPartnerProfileDefined(_Profile, Event):
    """The ideal partner was described; scores name this version (C1)."""

    profile_version: Count


class _Candidate(Value):
    candidate: Slug
    name: Text
    found_through: CandidateSource
    staff: Count | None = None


class IdentifyCandidate(_Candidate, Command):
    """Put a candidate on the list, with where it was found (C1)."""

    stages = EXPLORING


class CandidateIdentified(_Candidate, Event):
    """A candidate was put on the list (C1)."""


class _Score(Value):
    candidate: Slug
    profile_version: Count
    market_reach: Rating
    brand_alignment: Rating
    technical_compatibility: Rating


class ScoreCandidate(_Score, Command):
    """Score a candidate under a named version of the profile (C1, C2)."""

    stages = EXPLORING


class CandidateScored(_Score, Event):
    """A candidate was scored under a version of the profile (C2)."""


class _Overlap(Value):
    candidate: Slug
    own_customers: Count
    """How many customers of one's own list were looked at."""
    shared_customers: Count
    """How many of them the candidate serves too."""


class MeasureAudienceOverlap(_Overlap, Command):
    """Measure the overlap on one's own customer list (C2)."""

    stages = EXPLORING


class AudienceOverlapMeasured(_Overlap, Event):
    """The overlap with a candidate's audience was measured (C2)."""


class _Approach(Value):
    candidate: Slug


class ApproachCandidate(_Approach, Command):
    """Approach a candidate (C1)."""

    stages = EXPLORING


class CandidateApproached(_Approach, Event):
    """A candidate was approached (C1)."""


class _IntegrationSpend(Value):
    candidate: Slug
    purpose: Text
    amount: Money


class CommitIntegrationSpend(_IntegrationSpend, Command):
    """Spend on integrating with a candidate; its overlap must be known first (C2)."""

    stages = EXPLORING


class IntegrationSpendCommitted(_IntegrationSpend, Event):
    """Money was committed to integrating with a candidate (C2)."""


class _Alignment(Value):
    candidate: Slug
    strategic_fit: Rating
    operational_capacity: Rating
    cultural_compatibility: Rating
    shared_vision: Rating


class AssessAlignment(_Alignment, Command):
    """Rate a candidate on the four dimensions of the alignment matrix (C4)."""

    stages = EXPLORING


class AlignmentAssessed(_Alignment, Event):
    """A candidate was rated on the alignment matrix (C4)."""

    def low(self) -> list[Dimension]:
        """Give the dimensions rated below the passing mark."""
        return [each for each in Dimension if getattr(self, each) < PASSING_RATING]


class _BridgingPlan(Value):
    candidate: Slug
    dimension: Dimension
    plan: Text


class AgreeBridgingPlan(_BridgingPlan, Command):
    """Agree how a low dimension will be bridged (C4)."""

    stages = EXPLORING


class BridgingPlanAgreed(_BridgingPlan, Event):
    """A plan for a low dimension was agreed (C4)."""


class _Checklist(Value):
    candidate: Slug
    objectives_defined: bool
    alignment_sufficient: bool
    governance_agreed: bool
    economics_fair: bool
    resources_available: bool
    risks_mitigated: bool
    exit_clause: bool
    sponsors_on_both_sides: bool


class CompleteDecisionChecklist(_Checklist, Command):
    """Answer the eight questions before entering (C6)."""

    stages = EXPLORING


class DecisionChecklistCompleted(_Checklist, Event):
    """The eight questions were answered (C6)."""


QUESTIONS = tuple(name for name in _Checklist.model_fields if name != "candidate")
"""The eight questions of the decision checklist (C6)."""


class ChoosePartner(Command):
    """Choose a candidate as the partner: the gate to formation (C2, C4, C6)."""

    stages = EXPLORING
    candidate: Slug


class PartnerChosen(Event):
    """A candidate became the counterparty, and formation began."""

    candidate: Slug
    name: Text
    waived: list[str] = []
    """The rules passed by waiver."""


class CloseExploration(Command):
    """End an exploration that found no partner."""

    stages = EXPLORING
    reason: Text


class ExplorationClosed(Event):
    """An exploration ended without a partner."""

    reason: Text


# --- state -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Candidate:
    """What is known of one candidate: the latest fact of each kind."""

    identified: CandidateIdentified
    latest: Mapping[type[Event], Event] = field(default_factory=dict)
    bridged: Mapping[Dimension, BridgingPlanAgreed] = field(default_factory=dict)

    def alignment(self) -> AlignmentAssessed | None:
        """Give the latest alignment assessment."""
        fact = self.latest.get(AlignmentAssessed)
        return fact if isinstance(fact, AlignmentAssessed) else None

    def unbridged(self) -> list[Dimension]:
        """Give the low dimensions without a plan."""
        alignment = self.alignment()
        return [each for each in alignment.low() if each not in self.bridged] if alignment else []

    def answered_no(self) -> list[str]:
        """Give the questions of the checklist answered with no; all of them if unanswered."""
        checklist = self.latest.get(DecisionChecklistCompleted)
        return [each for each in QUESTIONS if not (checklist and getattr(checklist, each))]


@dataclass(frozen=True, slots=True)
class Exploration:
    """How it began, profiles by version, and candidates by identifier."""

    begun: ExplorationBegun | None = None
    profiles: tuple[IdealPartnerProfileDefined, ...] = ()
    candidates: Mapping[str, Candidate] = field(default_factory=dict)


# --- decisions ---------------------------------------------------------------------------------

ExplorationCommand = (
    BeginExploration
    | DefineIdealPartnerProfile
    | IdentifyCandidate
    | ScoreCandidate
    | MeasureAudienceOverlap
    | ApproachCandidate
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
    match command:
        case BeginExploration():
            return begin(command, state, context, act)
        case DefineIdealPartnerProfile():
            return define_profile(command, state)
        case IdentifyCandidate():
            return identify(command, state)
        case ScoreCandidate():
            return score(command, state)
        case MeasureAudienceOverlap():
            return measure_overlap(command, state)
        case ApproachCandidate():
            return _note(CandidateApproached.of(command), state)
        case CommitIntegrationSpend():
            return spend(command, state, context)
        case AssessAlignment():
            return _note(AlignmentAssessed.of(command), state)
        case AgreeBridgingPlan():
            return bridge(command, state)
        case CompleteDecisionChecklist():
            return _note(DecisionChecklistCompleted.of(command), state)
        case ChoosePartner():
            return choose(command, state, context, act)
        case CloseExploration():
            return [ExplorationClosed.of(command)]
        case _:
            assert_never(command)


def begin(
    command: BeginExploration, state: Exploration, context: PartnershipContext, act: Act
) -> list[Event]:
    """Begin, unless this party already has, in these words (the same again decides nothing)."""
    not_the_clock(act.party)
    event = ExplorationBegun.of(command)
    if not context.parties:
        return [event]
    if context.initiator == act.party and state.begun == event:
        return []
    raise Refused(
        "partnership-exists",
        f"{context.initiator} already began this partnership.",
        "Begin under another identifier, or act as one of its parties.",
    )


def not_the_clock(party: str) -> None:
    """Raise `Refused` for a party that would be called what the clock is."""
    if party == CLOCK_PARTY:
        raise Refused(
            "reserved-party",
            f"{CLOCK_PARTY} is the party of facts that time states by itself.",
            "Give the party another identifier.",
        )


def define_profile(command: DefineIdealPartnerProfile, state: Exploration) -> list[Event]:
    """Define the next version of the profile, unless it says what the current one says (C1)."""
    if command.staff_from > command.staff_to:
        raise Refused(
            "staff-range",
            f"The staff range runs from {command.staff_from} to {command.staff_to}.",
            "Give the smaller number first.",
        )
    event = IdealPartnerProfileDefined.of(command, profile_version=len(state.profiles) + 1)
    existing = state.profiles[-1] if state.profiles else None
    if existing and existing.model_copy(update={"profile_version": event.profile_version}) == event:
        return []
    return [event]


def identify(command: IdentifyCandidate, state: Exploration) -> list[Event]:
    """Put a candidate on the list once (C1)."""
    not_the_clock(command.candidate)
    known = state.candidates.get(command.candidate)
    return once(
        CandidateIdentified.of(command),
        known.identified if known else None,
        "candidate-exists",
        f"{command.candidate} is on the list with other particulars.",
        "Give the new candidate an identifier of its own.",
    )


def score(command: ScoreCandidate, state: Exploration) -> list[Event]:
    """Score under a version of the profile that exists (C1)."""
    if not 1 <= command.profile_version <= len(state.profiles):
        raise Refused(
            "no-such-profile",
            f"There is no version {command.profile_version} of the ideal partner profile.",
            "Define the profile first, and name one of its versions.",
            versions=len(state.profiles),
        )
    return _note(CandidateScored.of(command), state)


def measure_overlap(command: MeasureAudienceOverlap, state: Exploration) -> list[Event]:
    """Record an overlap, which is never more than the list it was measured on (C2)."""
    if command.shared_customers > command.own_customers:
        raise Refused(
            "overlap-exceeds-list",
            f"{command.shared_customers} of {command.own_customers} customers cannot be shared.",
            "Count the shared customers within one's own list.",
        )
    return _note(AudienceOverlapMeasured.of(command), state)


def spend(
    command: CommitIntegrationSpend, state: Exploration, context: PartnershipContext
) -> list[Event]:
    """Spend nothing on integration before the overlap is known (C2)."""
    candidate = _known(command.candidate, state)
    passing("integration", [_overlap_known(candidate)], context)
    return _note(IntegrationSpendCommitted.of(command), state)


def bridge(command: AgreeBridgingPlan, state: Exploration) -> list[Event]:
    """Agree a plan for a dimension of a candidate (C4)."""
    candidate = _known(command.candidate, state)
    event = BridgingPlanAgreed.of(command)
    return [] if candidate.bridged.get(command.dimension) == event else [event]


def choose(
    command: ChoosePartner, state: Exploration, context: PartnershipContext, act: Act
) -> list[Event]:
    """Open the gate to formation for a candidate that the data speaks for (C2, C4, C6)."""
    if command.candidate == act.party:
        raise Refused(
            "two-parties",
            f"{act.party} cannot be its own partner.",
            "Choose a candidate other than the initiator.",
        )
    candidate = _known(command.candidate, state)
    waived = passing("formation", requirements(candidate), context)
    name = candidate.identified.name
    return [PartnerChosen(candidate=command.candidate, name=name, waived=waived)]


def requirements(candidate: Candidate) -> list[Requirement]:
    """Give what the gate to formation asks of a candidate (C2, C4, C6)."""
    alignment = candidate.alignment()
    return [
        Requirement(
            "candidate-scored",
            CandidateScored in candidate.latest,
            "The candidate was not scored under a profile.",
            "Score it (ScoreCandidate).",
        ),
        _overlap_known(candidate),
        Requirement(
            "alignment-assessed",
            alignment is not None,
            "The alignment matrix was not filled in.",
            "Assess it (AssessAlignment).",
        ),
        *(
            Requirement(
                f"alignment:{dimension}",
                met=False,
                detail=f"Alignment on {dimension} is below {PASSING_RATING} and not bridged.",
                hint="Agree a bridging plan (AgreeBridgingPlan), or waive it with a reason.",
            )
            for dimension in candidate.unbridged()
        ),
        *(
            Requirement(
                f"checklist:{question}",
                met=False,
                detail=f"The checklist's answer on {question} is not yes.",
                hint="Close the gap and complete the checklist, or waive it with a reason.",
            )
            for question in candidate.answered_no()
        ),
    ]


def _overlap_known(candidate: Candidate) -> Requirement:
    return Requirement(
        "overlap-known",
        AudienceOverlapMeasured in candidate.latest,
        "The overlap with the candidate's audience is not known.",
        "Measure it on one's own customer list (MeasureAudienceOverlap).",
    )


_About = (
    CandidateScored
    | AudienceOverlapMeasured
    | CandidateApproached
    | IntegrationSpendCommitted
    | AlignmentAssessed
    | DecisionChecklistCompleted
)


def _known(candidate: str, state: Exploration) -> Candidate:
    known = state.candidates.get(candidate)
    if known is None:
        raise Refused(
            "no-such-candidate",
            f"{candidate} is not on the list of candidates.",
            "Identify the candidate first (IdentifyCandidate).",
        )
    return known


def _note(event: _About, state: Exploration) -> list[Event]:
    # The latest fact of each kind counts, so the same again decides nothing and news is kept.
    known = _known(event.candidate, state)
    return [] if known.latest.get(type(event)) == event else [event]


# --- fold --------------------------------------------------------------------------------------


def evolve(state: Exploration, event: Event) -> Exploration:
    """Take a fact of this stage into its state."""
    match event:
        case ExplorationBegun():
            return replace(state, begun=event)
        case IdealPartnerProfileDefined():
            return replace(state, profiles=(*state.profiles, event))
        case CandidateIdentified(candidate=name):
            return _with(state, Candidate(event))
        case BridgingPlanAgreed(candidate=name, dimension=dimension):
            known = state.candidates.get(name)
            if known is None:
                return state
            return _with(state, replace(known, bridged={**known.bridged, dimension: event}))
        case (
            CandidateScored(candidate=name)
            | AudienceOverlapMeasured(candidate=name)
            | CandidateApproached(candidate=name)
            | IntegrationSpendCommitted(candidate=name)
            | AlignmentAssessed(candidate=name)
            | DecisionChecklistCompleted(candidate=name)
        ):
            # A replay as of a moment may leave out what came before: nothing is taken for granted.
            known = state.candidates.get(name)
            if known is None:
                return state
            return _with(state, replace(known, latest={**known.latest, type(event): event}))
        case _:
            return state


def _with(state: Exploration, candidate: Candidate) -> Exploration:
    name = candidate.identified.candidate
    return replace(state, candidates={**state.candidates, name: candidate})
