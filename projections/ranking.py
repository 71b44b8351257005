"""Rankings with their reasons: markets, the partners in each, and candidates (C1 to C4).

What was measured (overlaps, pilots, revenue) stands beside what people think (scores, ratings).
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import ROUND_HALF_EVEN, Decimal
from enum import StrEnum
from typing import NamedTuple

from domain.described import described
from domain.exploration import PASSING_RATING, AudienceOverlapMeasured, CandidateScored, Dimension
from domain.metric_catalogue import CATALOGUE, Direction, metric_words
from domain.priors import uniform
from domain.proportions import in_percent
from domain.sharing import SMALLEST_CELL
from domain.values import Exact, Number, plain
from projections import figures
from projections.beliefs import CREDIBILITY, numerator_fits
from projections.kpis import agreed_row
from projections.portfolio import Member, Revenue, revenue
from projections.traits import CandidateTraits, MarketTraits

_DIGITS = Decimal("0.01")


def _mean(total: int, count: int) -> Decimal:
    return (Decimal(total) / count).quantize(_DIGITS, ROUND_HALF_EVEN)


@described
@dataclass(frozen=True, slots=True)
class Rate:
    """A measured rate: successes of trials, with what is likely after them (C5, C21)."""

    metric: str
    """The name of a metric of the catalogue."""
    successes: int
    """How many of the trials succeeded."""
    trials: int
    """How many cases were observed."""
    percent: Number
    """The successes in percent of the trials."""
    expected_percent: Number
    """The expected rate, if every rate was equally likely before: few trials weigh little."""
    low: Number
    """The lower bound of the 95 % credible interval, in percent."""
    high: Number
    """The upper bound of the 95 % credible interval, in percent."""

    def __str__(self) -> str:
        """Write the rate: ``demo request rate 12/150 (8 %)``."""
        percent = f"{self.percent.normalize():f}"
        return f"{metric_words(self.metric)} {self.successes}/{self.trials} ({percent} %)"


@described
@dataclass(frozen=True, slots=True)
class BareRate:
    """A rate that was reported without its denominator: nobody can say how much it weighs (C5)."""

    metric: str
    """The name of a metric of the catalogue."""
    period: str
    """The latest period for which it was reported so."""
    percent: Number
    """The rate, in percent."""

    def __str__(self) -> str:
        """Write the rate: ``demo request rate 11 % in 2025-09 (no denominator)``."""
        rate = f"{self.percent.normalize():f} % in {self.period}"
        return f"{metric_words(self.metric)} {rate} (no denominator)"


# --- candidates --------------------------------------------------------------------------------

SCORED = ("market_reach", "brand_alignment", "technical_compatibility")
"""The parts of a candidate's score, each from 1 to 5 (C2)."""


class CandidateProgress(StrEnum):
    """How far a candidate came (C1)."""

    IDENTIFIED = "identified"
    APPROACHED = "approached"
    DECLINED = "declined"
    CHOSEN = "chosen"


@described
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
    """The share of the initiator's customers that it also serves; null if it is not shown."""
    overlap_fewer_than: int | None
    """If too few customers are shared to be shown, the smallest count that is shown; else null."""
    alignment: int | None
    """The sum of the four dimensions of the alignment matrix, from 4 to 20."""
    unbridged: tuple[Dimension, ...]
    """Dimensions below the passing rating for which no bridging plan was agreed."""
    pilots: tuple[Rate, ...]
    """The rates of its pilots: those reported for the segment with its identifier (C5)."""
    bare: tuple[BareRate, ...]
    """The rates of its pilots without a denominator: they are shown, and not compared."""
    expected_percent: Number | None
    """The expected rate of its pilot in the metric by which candidates are compared."""
    declined: str | None
    """Why it was declined; null if it was not."""
    measured: tuple[str, ...] = ()
    """The reasons that were measured, in words."""
    opinions: tuple[str, ...] = ()
    """The reasons that are opinions, in words."""


def candidates(member: Member) -> tuple[RankedCandidate, ...]:
    """Rank the candidates of a partnership, each with the reasons for its place (C1, C2, C4).

    Declined candidates come last, and before them those with a low dimension and no bridging plan.
    What was measured counts before opinions: a pilot, by its expected rate in the metric that most
    candidates were tried by; then the score (one under the latest profile before others), then the
    overlap, then the alignment, then the name.
    """
    latest = max((each.profile_version for each in member.traits.profiles), default=0)
    found = [_candidate(name, known, latest, member) for name, known in member.candidates.items()]
    by = _compared_by(found)
    ranked = sorted(
        (replace(each, expected_percent=_expected(each, by)) for each in found),
        key=_candidate_order,
    )
    return tuple(replace(each, rank=place) for place, each in enumerate(ranked, 1))


def _compared_by(found: Iterable[RankedCandidate]) -> str:
    """Return the metric that most candidates were tried by; of equals the first by name.

    Only a metric of which more is better is a result to compare candidates by.
    """
    tried = Counter(
        pilot.metric
        for each in found
        for pilot in each.pilots
        if CATALOGUE[pilot.metric].direction is Direction.UP
    )
    return min(tried, key=lambda metric: (-tried[metric], metric), default="")


def _expected(row: RankedCandidate, metric: str) -> Decimal | None:
    return next((each.expected_percent for each in row.pilots if each.metric == metric), None)


def _rates(member: Member, segment: str) -> Iterator[Rate]:
    """Yield the rates that were reported for a segment, as far as the viewer knows them."""
    for metric, known in figures.rates_of(member.kpis, segment):
        fits = numerator_fits(known.numerator, known.denominator)
        if not fits or known.value is None:
            continue
        successes, trials = int(known.numerator or 0), int(known.denominator or 0)
        prior = uniform(metric.name).belief
        likely = prior.interval_after(successes, trials, CREDIBILITY / 100)
        yield Rate(
            metric.name,
            successes,
            trials,
            known.value,
            in_percent(prior.after(successes, trials).mean),
            in_percent(likely.low),
            in_percent(likely.high),
        )


def _bare_rates(member: Member, segment: str) -> Iterator[BareRate]:
    """Yield the rates that were reported for a segment without a denominator."""
    for metric, period, percent in figures.bare_rates_of(member.kpis, segment):
        yield BareRate(metric.name, period, percent)


def _candidate(
    name: str, recorded: CandidateTraits, latest: int, member: Member
) -> RankedCandidate:
    known, chosen = member.shown(recorded), member.chosen
    score, alignment = known.score, known.alignment
    version = score.profile_version if score else None
    low = alignment.low() if alignment else []
    candidate = RankedCandidate(
        rank=0,
        candidate=name,
        name=known.identified.name if known.identified else known.adopted_as or name,
        progress=CandidateProgress.CHOSEN
        if name == chosen
        else CandidateProgress.DECLINED
        if known.declined is not None
        else CandidateProgress.APPROACHED
        if known.approached
        else CandidateProgress.IDENTIFIED,
        score=score_of(score),
        profile_version=version,
        # Who is not shown the profiles knows of none that is later than the score.
        current=version is not None and version >= latest,
        overlap_percent=overlap_percent(known.overlap),
        overlap_fewer_than=SMALLEST_CELL if recorded.overlap and not known.overlap else None,
        alignment=sum(getattr(alignment, each) for each in Dimension) if alignment else None,
        unbridged=tuple(each for each in low if each not in known.bridged),
        pilots=tuple(_rates(member, name)),
        bare=tuple(_bare_rates(member, name)),
        expected_percent=None,
        declined=known.declined,
    )
    return replace(
        candidate,
        measured=tuple(_measured(candidate)),
        opinions=tuple(_opinions(candidate, latest)),
    )


def score_of(score: CandidateScored | None) -> int | None:
    """Return the total of a score (C2)."""
    return sum(getattr(score, each) for each in SCORED) if score else None


def overlap_percent(overlap: AudienceOverlapMeasured | None) -> Decimal | None:
    """Return the share of one's own customers that a candidate serves too, in percent (C2)."""
    if not overlap or not overlap.own_customers:
        return None
    return _mean(100 * overlap.shared_customers, overlap.own_customers)


def _measured(row: RankedCandidate) -> list[str]:
    return [
        *map(str, row.pilots),
        *map(str, row.bare),
        _overlap(row),
    ]


def _overlap(row: RankedCandidate) -> str:
    if row.overlap_fewer_than is not None:
        return f"fewer than {row.overlap_fewer_than} shared customers"
    if row.overlap_percent is None:
        return "account overlap not measured"
    return f"{plain(row.overlap_percent)} % account overlap"


def _opinions(row: RankedCandidate, latest: int) -> list[str]:
    under = f" under profile {row.profile_version}" + (
        "" if row.current else f", which is now {latest}"
    )
    return [
        "not scored" if row.score is None else f"score {row.score} of 15{under}",
        "alignment not assessed" if row.alignment is None else f"alignment {row.alignment} of 20",
        *(f"{each.words} is below {PASSING_RATING} and not bridged" for each in row.unbridged),
    ]


def _candidate_order(row: RankedCandidate) -> tuple[object, ...]:
    expected = row.expected_percent
    return (
        (row.progress is CandidateProgress.DECLINED, bool(row.unbridged)),
        expected is None,
        -(expected or Decimal(0)),
        not row.current,
        -(row.score or 0),
        -(row.overlap_percent or Decimal(0)),
        -(row.alignment or 0),
        row.candidate,
    )


# --- markets -----------------------------------------------------------------------------------


class Mistake(StrEnum):
    """The five mistakes of international partnerships [000] (C3)."""

    EXTRAPOLATED = "market-extrapolated"
    NO_FEEDBACK = "no-local-feedback"
    NO_KPI = "no-kpi"
    NO_OWNER = "no-regional-owner"
    NO_EXPERIMENT = "no-experiment"


@described
@dataclass(frozen=True, slots=True)
class Reason:
    """The reason for a market's rating, and the event that gave it."""

    text: str
    """The reason, in words."""
    shown_by: str
    """The partnership and the index of the event: ``acme#12``."""


@described
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


@described
@dataclass(frozen=True, slots=True)
class MarketFigure:
    """The sum of what was reported of a metric in a market."""

    metric: str
    """The name of the metric."""
    amount: Exact
    """The amount, as a decimal string."""
    unit: str
    """The unit: a currency, or one of the catalogue, such as `count`."""


@described
@dataclass(frozen=True, slots=True)
class RankedPartner:
    """A partner, or a potential one, in a market (C3).

    Figures of a partnership with several markets count for one of them only if they were reported
    for the segment with its name.
    """

    rank: int
    """Its place in the market, from 1."""
    partnership: str
    """The partnership."""
    viability: Number | None
    """The viability of the market as this partnership rates it: the mean, from 1 to 5."""
    cultural_fit: Number | None
    """The cultural fit as this partnership rates it: the mean, from 1 to 5."""
    candidate: RankedCandidate
    """The partner as a candidate: what was measured of it, and what people think."""
    revenue: tuple[Revenue, ...]
    """The revenue with the chosen partner, if this is the only market of the partnership."""
    figures: tuple[MarketFigure, ...]
    """The counts and amounts that were reported with the chosen partner for this market."""
    rates: tuple[Rate, ...]
    """The rates that were reported with the chosen partner in this market."""


@described
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
    partners: tuple[RankedPartner, ...]
    """Its partners and potential partners, the best first."""
    checks: tuple[Check, ...]
    """The mistakes that the facts point to."""


class _SeenMarket(NamedTuple):
    """A market as one partnership knows it."""

    market: str
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
            seen = _SeenMarket(name, member, known, alone=len(member.markets) == 1)
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
    heard = sum(len(each.scores) for each in feedback)
    return RankedMarket(
        market=name,
        party=party,
        partnerships=tuple(each.member.id for each in seen),
        rank=None,
        ratings=count,
        viability=_mean(sum(each.viability for _, each in ratings), count) if count else None,
        cultural_fit=_mean(sum(each.cultural_fit for _, each in ratings), count) if count else None,
        feedback=heard,
        feedback_score=_mean(sum(sum(each.scores.values()) for each in feedback), heard)
        if heard
        else None,
        reasons=tuple(
            Reason(text, each.ref(rating.index))
            for each, rating in ratings
            for text in rating.reasons
        ),
        partners=_partners(name, seen),
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
    # An objective of one market is none of another.
    if not any(each.segment in {None, seen.market} for each in agreed.objectives):
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
        "Name a regional manager (AssignRole), or a local owner of a metric (ProposeMetricOwner).",
    ),
    Mistake.NO_EXPERIMENT: (
        _is_tried,
        "Compare offers there, and attach the result as evidence (AttachEvidence).",
    ),
}
"""For each mistake, the evidence that it was not made, and the hint if it was."""


def _partners(market: str, seen: Iterable[_SeenMarket]) -> tuple[RankedPartner, ...]:
    found = (each for of in seen for each in _partners_of(market, of))
    ordered = sorted(found, key=_partner_order)
    return tuple(replace(each, rank=place) for place, each in enumerate(ordered, 1))


def _partners_of(market: str, seen: _SeenMarket) -> Iterator[RankedPartner]:
    member, ratings = seen.member, list(seen.known.ratings.values())
    count = len(ratings)
    rates = tuple(_rates(member, "" if seen.alone else market))
    for each in candidates(member):
        is_chosen = each.progress is CandidateProgress.CHOSEN
        yield RankedPartner(
            rank=0,
            partnership=member.id,
            viability=_mean(sum(of.viability for of in ratings), count) if count else None,
            cultural_fit=_mean(sum(of.cultural_fit for of in ratings), count) if count else None,
            candidate=each,
            revenue=revenue(member) if is_chosen and seen.alone else (),
            figures=tuple(_figures(member, market)) if is_chosen else (),
            rates=rates if is_chosen else (),
        )


def _figures(member: Member, market: str) -> Iterator[MarketFigure]:
    for metric, known in figures.sums_of(member.kpis, market):
        yield MarketFigure(metric.name, known.value or Decimal(0), known.unit)


def _partner_order(row: RankedPartner) -> tuple[object, ...]:
    rated = (row.viability or Decimal(0)) + (row.cultural_fit or Decimal(0))
    excluded, *order = _candidate_order(row.candidate)
    return excluded, -rated, *order, row.partnership


def _checked(mistake: Mistake, seen: Iterable[_SeenMarket]) -> Check:
    shown_by, hint = CHECKS[mistake]
    shown = next(filter(None, map(shown_by, seen)), None)
    return Check(mistake, shown, None if shown else hint)
