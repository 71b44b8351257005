"""What each partnership is like, to compare it with others: candidates, markets, means, economics.

A row for each candidate, a row for each market, and one row for the rest. A row keeps the latest
fact of each kind, and of feedback from a market only how much there is. The limits that a party
set for its portfolio are a row of the same kind, under the subject of its program.

Rows hold some facts as they were recorded. A release that changes the form of one of these events
raises the version of the projection.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple, TypeVar

from domain.adoption import PartnershipAdopted
from domain.agreement import CommercialTermsAgreed
from domain.described import described
from domain.execution import LessonRecorded
from domain.experiment import PilotConcluded
from domain.exploration import (
    AlignmentAssessed,
    AudienceOverlapMeasured,
    BridgingPlanAgreed,
    CandidateApproached,
    CandidateDeclined,
    CandidateIdentified,
    CandidateScored,
    Dimension,
    IdealPartnerProfileDefined,
)
from domain.formation import EvidenceAttached, EvidenceKind
from domain.governance import ResourcesCommitted
from domain.kernel import Event
from domain.markets import (
    LocalFeedbackRecorded,
    MarketRanked,
    MarketTargeted,
    MetricOwnerAssigned,
    Role,
    RoleAssigned,
)
from domain.program import PortfolioDefined
from domain.recorded import Recorded
from domain.scaling import JointInvestmentAgreed
from domain.terms_by_day import TermsByDay
from domain.values import Number
from projections.fold import NOTHING, STRICT, Change, Projection, Rows

TRAITS_ROW = "traits"
"""The key of the row for the whole partnership."""

CANDIDATE, MARKET = "candidate/", "market/"
"""The prefixes of the keys of candidates and of markets."""


@dataclass(frozen=True, slots=True)
class CandidateTraits:
    """The recorded facts about one candidate (C1, C2, C4)."""

    identified: CandidateIdentified | None = None
    adopted_as: str | None = None
    """The name of a partner that came in by an adoption."""
    approached: bool = False
    declined: str | None = None
    """Why it is not chosen, if it was declined and not approached again since."""
    score: CandidateScored | None = None
    overlap: AudienceOverlapMeasured | None = None
    alignment: AlignmentAssessed | None = None
    bridged: tuple[Dimension, ...] = ()
    """The dimensions for which a bridging plan was agreed."""


@dataclass(frozen=True, slots=True)
class Rating:
    """How one party rates a market, and the event that says so (C3)."""

    index: int
    viability: int
    cultural_fit: int
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Feedback:
    """The feedback from a market, and the last event of it (C3)."""

    scores: Mapping[str, int]
    """The score of each, as corrected last, by the party that recorded it and its identifier."""
    last: int


@dataclass(frozen=True, slots=True)
class Owner:
    """The owner of a metric in a market: the event that named them, and whether they are local."""

    index: int
    local: bool


@dataclass(frozen=True, slots=True)
class MarketTraits:
    """The recorded facts about one market (C3, C29). Numbers are indexes of events."""

    targeted: int | None = None
    ratings: Mapping[str, Rating] = field(default_factory=dict)
    """By the party that rates."""
    feedback: Feedback | None = None
    owners: Mapping[str, Owner] = field(default_factory=dict)
    """By metric."""
    manager: int | None = None
    """The event that named the regional manager."""


@described
@dataclass(frozen=True, slots=True)
class Limits:
    """The limits that a party set for its portfolio, and when they were recorded (C28)."""

    __pydantic_config__ = STRICT
    party: str
    """The party whose limits they are."""
    recorded_at: datetime
    """When it was recorded."""
    fewest_active: int
    """The smallest number of running partnerships."""
    most_active: int
    """The largest number of running partnerships."""
    largest_share: Number
    """The largest share of the revenue, in percent, that one partner may contribute."""
    capacity: Number
    """How many full-time people work on partnerships."""


@dataclass(frozen=True, slots=True)
class Traits:
    """The recorded facts about a partnership as a whole."""

    profiles: tuple[IdealPartnerProfileDefined, ...] = ()
    terms: TermsByDay = field(default_factory=TermsByDay)
    attention: Mapping[str, Decimal] = field(default_factory=dict)
    """The percent of a person's time that each party committed (C12)."""
    capabilities: Mapping[str, str] = field(default_factory=dict)
    """What each party brings, as both agreed (C26)."""
    experiment: int | None = None
    """The last event that shows an experiment."""
    lesson: str | None = None
    """The last lesson."""
    limits: Limits | None = None


R = TypeVar("R", CandidateTraits, MarketTraits, Traits)


def _with(row: R, **changes: object) -> R:
    """A faster `dataclasses.replace`: it takes two thirds of the time."""
    kind = type(row)
    made = object.__new__(kind)
    for name in kind.__slots__:
        object.__setattr__(made, name, changes[name] if name in changes else getattr(row, name))
    return made


# --- candidates (C1, C2, C4) -------------------------------------------------------------------


def _identified(row: CandidateTraits, _: Recorded, event: CandidateIdentified) -> CandidateTraits:
    return _with(row, identified=event)


def _adopted(row: CandidateTraits, _: Recorded, event: PartnershipAdopted) -> CandidateTraits:
    return _with(row, adopted_as=event.parties[1].name)


def _approached(row: CandidateTraits, _: Recorded, __: CandidateApproached) -> CandidateTraits:
    return _with(row, approached=True, declined=None)


def _declined(row: CandidateTraits, _: Recorded, event: CandidateDeclined) -> CandidateTraits:
    return _with(row, declined=event.reason)


def _scored(row: CandidateTraits, _: Recorded, event: CandidateScored) -> CandidateTraits:
    return _with(row, score=event)


def _overlap(row: CandidateTraits, _: Recorded, event: AudienceOverlapMeasured) -> CandidateTraits:
    return _with(row, overlap=event)


def _aligned(row: CandidateTraits, _: Recorded, event: AlignmentAssessed) -> CandidateTraits:
    return _with(row, alignment=event)


def _bridged(row: CandidateTraits, _: Recorded, event: BridgingPlanAgreed) -> CandidateTraits:
    return _with(row, bridged=tuple(sorted({*row.bridged, event.dimension})))


# --- markets (C3, C29) -------------------------------------------------------------------------


def _targeted(row: MarketTraits, recorded: Recorded, _: MarketTargeted) -> MarketTraits:
    return _with(row, targeted=recorded.index)


def _heard(row: MarketTraits, recorded: Recorded, event: LocalFeedbackRecorded) -> MarketTraits:
    before = row.feedback.scores if row.feedback else {}
    scores = {**before, f"{recorded.act.party}/{event.feedback}": event.score}
    return _with(row, feedback=Feedback(scores, recorded.index))


def _rated(row: MarketTraits, recorded: Recorded, event: MarketRanked) -> MarketTraits:
    rating = Rating(recorded.index, event.viability, event.cultural_fit, tuple(event.reasons))
    return _with(row, ratings={**row.ratings, recorded.act.party: rating})


def _owned(row: MarketTraits, recorded: Recorded, event: MetricOwnerAssigned) -> MarketTraits:
    owner = Owner(recorded.index, event.local)
    return _with(row, owners={**row.owners, event.metric: owner})


def _managed(row: MarketTraits, recorded: Recorded, _: RoleAssigned) -> MarketTraits:
    return _with(row, manager=recorded.index)


# --- means and economics (C10, C12, C26) -------------------------------------------------------


def _sought(row: Traits, _: Recorded, event: IdealPartnerProfileDefined) -> Traits:
    return _with(row, profiles=(*row.profiles, event))


def _tried(row: Traits, recorded: Recorded, event: EvidenceAttached | PilotConcluded) -> Traits:
    if isinstance(event, EvidenceAttached) and event.kind is not EvidenceKind.EXPERIMENT:
        return row
    return _with(row, experiment=recorded.index)


def _agreed(row: Traits, _: Recorded, event: CommercialTermsAgreed) -> Traits:
    return _with(row, terms=row.terms.with_agreement(event))


def _committed(row: Traits, recorded: Recorded, event: ResourcesCommitted) -> Traits:
    return _with(row, attention={**row.attention, recorded.act.party: event.attention})


def _joined(row: Traits, _: Recorded, event: JointInvestmentAgreed) -> Traits:
    return _with(row, capabilities={**row.capabilities, **event.capabilities})


def _learned(row: Traits, _: Recorded, event: LessonRecorded) -> Traits:
    return _with(row, lesson=event.text)


def _limited(row: Traits, recorded: Recorded, event: PortfolioDefined) -> Traits:
    limits = Limits(
        recorded.act.party,
        recorded.act.recorded_at,
        event.fewest_active,
        event.most_active,
        event.largest_share,
        event.capacity,
    )
    return _with(row, limits=limits)


# --- fold --------------------------------------------------------------------------------------


def _adopted_partner(event: PartnershipAdopted) -> str:
    return CANDIDATE + event.parties[1].party


class _Take(NamedTuple):
    """How an event changes a row: the key of the row, the row before there is one, the change."""

    key: Callable[[Any], str | None]
    empty: CandidateTraits | MarketTraits | Traits
    change: Callable[[Any, Recorded, Any], CandidateTraits | MarketTraits | Traits]


def _of_candidate(change: Callable[[CandidateTraits, Recorded, Any], CandidateTraits]) -> _Take:
    return _Take(lambda event: CANDIDATE + event.candidate, CandidateTraits(), change)


def _of_market(change: Callable[[MarketTraits, Recorded, Any], MarketTraits]) -> _Take:
    return _Take(
        lambda event: MARKET + event.market if event.market else None, MarketTraits(), change
    )


def _of_all(change: Callable[[Traits, Recorded, Any], Traits]) -> _Take:
    return _Take(lambda _: TRAITS_ROW, Traits(), change)


def _managed_market(event: RoleAssigned) -> str | None:
    regional = event.role is Role.REGIONAL_MANAGER
    return MARKET + event.market if event.market and regional else None


_TAKES: dict[type[Event], _Take] = {
    CandidateIdentified: _of_candidate(_identified),
    PartnershipAdopted: _Take(_adopted_partner, CandidateTraits(), _adopted),
    CandidateApproached: _of_candidate(_approached),
    CandidateDeclined: _of_candidate(_declined),
    CandidateScored: _of_candidate(_scored),
    AudienceOverlapMeasured: _of_candidate(_overlap),
    AlignmentAssessed: _of_candidate(_aligned),
    BridgingPlanAgreed: _of_candidate(_bridged),
    MarketTargeted: _of_market(_targeted),
    LocalFeedbackRecorded: _of_market(_heard),
    MarketRanked: _of_market(_rated),
    MetricOwnerAssigned: _of_market(_owned),
    RoleAssigned: _Take(_managed_market, MarketTraits(), _managed),
    IdealPartnerProfileDefined: _of_all(_sought),
    EvidenceAttached: _of_all(_tried),
    PilotConcluded: _of_all(_tried),
    CommercialTermsAgreed: _of_all(_agreed),
    ResourcesCommitted: _of_all(_committed),
    JointInvestmentAgreed: _of_all(_joined),
    LessonRecorded: _of_all(_learned),
    PortfolioDefined: _of_all(_limited),
}


def keys(recorded: Recorded) -> tuple[str, ...]:
    """Return the row that an event changes, if it changes any."""
    key = _TAKES[type(recorded.event)].key(recorded.event)
    return () if key is None else (key,)


def apply(rows: Rows, recorded: Recorded) -> Change:
    """Add an event to the row that it changes."""
    event = recorded.event
    key_of, empty, change = _TAKES[type(event)]
    key = key_of(event)
    if key is None:
        return NOTHING
    before = rows.get(key, empty)
    row = change(before, recorded, event)
    return NOTHING if row is before else Change({key: row}, [])


def _row_type(key: str) -> type[CandidateTraits] | type[MarketTraits] | type[Traits]:
    if key == TRAITS_ROW:
        return Traits
    return CandidateTraits if key.startswith(CANDIDATE) else MarketTraits


TRAITS = Projection("traits", keys, apply, frozenset(_TAKES), version=6, row_type=_row_type)
