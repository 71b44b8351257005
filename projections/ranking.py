"""Rankings with their reasons: markets, each by its own evidence, and candidates (C1 to C4)."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from decimal import ROUND_HALF_EVEN, Decimal
from enum import StrEnum
from typing import NamedTuple

from domain.exploration import PASSING_RATING, AudienceOverlapMeasured, CandidateScored, Dimension
from domain.values import Number, plain
from projections.kpis import agreed_row
from projections.portfolio import Member
from projections.traits import CandidateTraits, MarketTraits

_DIGITS = Decimal("0.01")


def _mean(total: int, count: int) -> Decimal:
    return (Decimal(total) / count).quantize(_DIGITS, ROUND_HALF_EVEN)


# --- markets -----------------------------------------------------------------------------------


class Mistake(StrEnum):
    """The five mistakes of international partnerships [000] (C3)."""

    EXTRAPOLATED = "market-extrapolated"
    NO_FEEDBACK = "no-local-feedback"
    NO_KPI = "no-kpi"
    NO_OWNER = "no-regional-owner"
    NO_EXPERIMENT = "no-experiment"


@dataclass(frozen=True, slots=True)
class Reason:
    """The reason for a market's rating, and the event that gave it."""

    text: str
    """The reason, in words."""
    shown_by: str
    """The partnership and the index of the event: ``acme#12``."""


@dataclass(frozen=True, slots=True)
class Check:
    """Whether a mistake was made in a market: the evidence that it was not, or a hint."""

    mistake: Mistake
    """The mistake that the facts point to (C3)."""
    shown_by: str | None
    """The evidence that the mistake was not made; null if it was."""
    hint: str | None
    """How to correct the mistake; null if it was not made."""

    @property
    def made(self) -> bool:
        """Whether the mistake was made."""
        return self.shown_by is None


@dataclass(frozen=True, slots=True)
class RankedMarket:
    """A market by its own evidence (C3)."""

    market: str
    """The identifier of the market."""
    party: str
    """The party whose market it is."""
    partnerships: tuple[str, ...]
    """The partnerships that name it."""
    rank: int | None
    """Its place among the party's markets; null if nobody rated it."""
    ratings: int
    """How many parties rated the market."""
    viability: Number | None
    """The mean of the ratings, from 1 to 5."""
    cultural_fit: Number | None
    """The mean of the ratings, from 1 to 5."""
    feedback: int
    """How often local feedback was recorded."""
    feedback_score: Number | None
    """The mean of the feedback, from 1 to 5."""
    reasons: tuple[Reason, ...]
    """The reasons, in words."""
    checks: tuple[Check, ...]
    """The mistakes that the facts point to."""


class _SeenMarket(NamedTuple):
    """A market as one partnership knows it."""

    member: Member
    known: MarketTraits
    alone: bool
    """Whether it is the only market of the partnership."""

    def ref(self, index: int) -> str:
        """Name an event of the partnership."""
        return f"{self.member.id}#{index}"


def markets(members: Iterable[Member]) -> tuple[RankedMarket, ...]:
    """Rank the markets of each party by their own evidence, with the five mistakes (C3).

    The higher the sum of viability and cultural fit, the higher the rank; then the feedback
    counts, then the name. A market that nobody rated has no rank and comes last.
    """
    by_market: dict[tuple[str, str], list[_SeenMarket]] = {}
    for member in members:
        for name, known in member.markets.items():
            seen = _SeenMarket(member, known, alone=len(member.markets) == 1)
            by_market.setdefault((member.party, name), []).append(seen)
    found = sorted((_market(*of, seen) for of, seen in by_market.items()), key=_market_order)
    places: dict[str, int] = {}
    ranked = []
    for each in found:
        if each.ratings:
            places[each.party] = places.get(each.party, 0) + 1
            each = replace(each, rank=places[each.party])  # noqa: PLW2901 - the same, with its rank
        ranked.append(each)
    return tuple(ranked)


def _market(party: str, name: str, seen: Sequence[_SeenMarket]) -> RankedMarket:
    ratings = [(each, rating) for each in seen for _, rating in sorted(each.known.ratings.items())]
    count = len(ratings)
    feedback = [each.known.feedback for each in seen if each.known.feedback]
    heard = sum(each.count for each in feedback)
    return RankedMarket(
        market=name,
        party=party,
        partnerships=tuple(each.member.id for each in seen),
        rank=None,
        ratings=count,
        viability=_mean(sum(each.viability for _, each in ratings), count) if count else None,
        cultural_fit=_mean(sum(each.cultural_fit for _, each in ratings), count) if count else None,
        feedback=heard,
        feedback_score=_mean(sum(each.score_sum for each in feedback), heard) if heard else None,
        reasons=tuple(
            Reason(text, each.ref(rating.index))
            for each, rating in ratings
            for text in rating.reasons
        ),
        checks=tuple(_checked(mistake, seen) for mistake in Mistake),
    )


def _market_order(market: RankedMarket) -> tuple[str, bool, Decimal, Decimal, str]:
    rated = (market.viability or Decimal(0)) + (market.cultural_fit or Decimal(0))
    feedback = market.feedback_score or Decimal(0)
    return market.party, not market.ratings, -rated, -feedback, market.market


def _is_rated(seen: _SeenMarket) -> str | None:
    return next((seen.ref(each.index) for each in seen.known.ratings.values()), None)


def _is_heard(seen: _SeenMarket) -> str | None:
    return seen.ref(seen.known.feedback.last) if seen.known.feedback else None


def _is_measured(seen: _SeenMarket) -> str | None:
    agreed = agreed_row(seen.member.kpis)
    if not agreed.objectives:
        return None
    return f"{seen.member.id}, charter of {agreed.since}"


def _is_owned(seen: _SeenMarket) -> str | None:
    local = [each.index for each in seen.known.owners.values() if each.local]
    manager = seen.known.manager
    return next(map(seen.ref, local if manager is None else [manager]), None)


def _is_tried(seen: _SeenMarket) -> str | None:
    # An experiment in several markets at once is no evidence about any one of them.
    experiment = seen.member.traits.experiment if seen.alone else None
    return None if experiment is None else seen.ref(experiment)


CHECKS: dict[Mistake, tuple[Callable[[_SeenMarket], str | None], str]] = {
    Mistake.EXTRAPOLATED: (_is_rated, "Rank it by its own evidence (RankMarket)."),
    Mistake.NO_FEEDBACK: (_is_heard, "Record what people there say (RecordLocalFeedback)."),
    Mistake.NO_KPI: (_is_measured, "Agree objectives with their metrics (ProposeCharter)."),
    Mistake.NO_OWNER: (
        _is_owned,
        "Name a regional manager (AssignRole), or a local owner of a metric (AssignMetricOwner).",
    ),
    Mistake.NO_EXPERIMENT: (
        _is_tried,
        "Compare offers there, and attach the result as evidence (AttachEvidence).",
    ),
}
"""For each mistake, the evidence that it was not made, and the hint if it was."""


def _checked(mistake: Mistake, seen: Iterable[_SeenMarket]) -> Check:
    shown_by, hint = CHECKS[mistake]
    shown = next(filter(None, map(shown_by, seen)), None)
    return Check(mistake, shown, None if shown else hint)


# --- candidates --------------------------------------------------------------------------------

SCORED = ("market_reach", "brand_alignment", "technical_compatibility")
"""The parts of a candidate's score, each from 1 to 5 (C2)."""


class CandidateProgress(StrEnum):
    """How far a candidate came (C1)."""

    IDENTIFIED = "identified"
    APPROACHED = "approached"
    CHOSEN = "chosen"


@dataclass(frozen=True, slots=True)
class RankedCandidate:
    """A candidate with the reasons for its rank (C1, C2, C4)."""

    rank: int
    """The place, from 1."""
    candidate: str
    """The identifier of the candidate."""
    name: str
    """The name of the organisation."""
    progress: CandidateProgress
    """How far the candidate has come."""
    score: int | None
    """The sum of the three parts of the score, from 3 to 15."""
    profile_version: int | None
    """The version of the ideal partner profile that it was scored under."""
    current: bool
    """Whether that is the latest version."""
    overlap_percent: Number | None
    """The share of the initiator's customers that it also serves."""
    alignment: int | None
    """The sum of the four dimensions of the alignment matrix, from 4 to 20."""
    unbridged: tuple[Dimension, ...]
    """Dimensions below the passing rating for which no bridging plan was agreed."""
    reasons: tuple[str, ...]
    """The reasons, in words."""


def candidates(member: Member) -> tuple[RankedCandidate, ...]:
    """Rank the candidates of a partnership, each with the reasons for its place (C1, C2, C4).

    Candidates with a low dimension and no bridging plan come last. Then the score counts (one
    under the latest profile before others), then the overlap, then the alignment, then the name.
    """
    latest = max((each.profile_version for each in member.traits.profiles), default=0)
    ranked = sorted(
        (
            _candidate(name, member.shown(known), latest, member.chosen)
            for name, known in member.candidates.items()
        ),
        key=_candidate_order,
    )
    return tuple(replace(each, rank=place) for place, each in enumerate(ranked, 1))


def _candidate(
    name: str, known: CandidateTraits, latest: int, chosen: str | None
) -> RankedCandidate:
    score, alignment = known.score, known.alignment
    version = score.profile_version if score else None
    low = alignment.low() if alignment else []
    candidate = RankedCandidate(
        rank=0,
        candidate=name,
        name=known.identified.name if known.identified else name,
        progress=CandidateProgress.CHOSEN
        if name == chosen
        else CandidateProgress.APPROACHED
        if known.approached
        else CandidateProgress.IDENTIFIED,
        score=score_of(score),
        profile_version=version,
        current=score is not None and version == latest,
        overlap_percent=overlap_percent(known.overlap),
        alignment=sum(getattr(alignment, each) for each in Dimension) if alignment else None,
        unbridged=tuple(each for each in low if each not in known.bridged),
        reasons=(),
    )
    return replace(candidate, reasons=tuple(_reasons(candidate, latest)))


def score_of(score: CandidateScored | None) -> int | None:
    """Return the total of a score (C2)."""
    return sum(getattr(score, each) for each in SCORED) if score else None


def overlap_percent(overlap: AudienceOverlapMeasured | None) -> Decimal | None:
    """Return the share of one's own customers that a candidate serves too, in percent (C2)."""
    if not overlap or not overlap.own_customers:
        return None
    return _mean(100 * overlap.shared_customers, overlap.own_customers)


def _reasons(row: RankedCandidate, latest: int) -> list[str]:
    under = f" under profile {row.profile_version}" + (
        "" if row.current else f", which is now {latest}"
    )
    return [
        "not scored" if row.score is None else f"score {row.score} of 15{under}",
        "overlap not measured"
        if row.overlap_percent is None
        else f"{plain(row.overlap_percent)} % of our customers shared",
        "alignment not assessed" if row.alignment is None else f"alignment {row.alignment} of 20",
        *(f"{each} is below {PASSING_RATING} and not bridged" for each in row.unbridged),
    ]


def _candidate_order(row: RankedCandidate) -> tuple[bool, bool, int, Decimal, int, str]:
    return (
        bool(row.unbridged),
        not row.current,
        -(row.score or 0),
        -(row.overlap_percent or Decimal(0)),
        -(row.alignment or 0),
        row.candidate,
    )
