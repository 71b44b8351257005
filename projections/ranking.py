"""Rankings with their reasons: markets, each by its own evidence, and candidates (C1 to C4)."""

from collections.abc import Callable, Iterable, Sequence
from decimal import ROUND_HALF_EVEN, Decimal
from typing import NamedTuple

from domain.exploration import PASSING_RATING, Dimension
from domain.values import plain
from projections.fold import Row
from projections.kpis import AGREED
from projections.portfolio import Member

_DIGITS = Decimal("0.01")


def _mean(total: int, count: int) -> str:
    return plain((Decimal(total) / count).quantize(_DIGITS, ROUND_HALF_EVEN))


# --- markets -----------------------------------------------------------------------------------


class _Seen(NamedTuple):
    """A market as one partnership knows it."""

    member: Member
    known: Row
    alone: bool
    """Whether it is the only market of the partnership."""

    def ref(self, part: Row) -> str:
        """Name the event behind a part."""
        return f"{self.member.id}#{part['index']}"


def markets(members: Iterable[Member]) -> list[Row]:
    """Rank the markets of each initiator by their own evidence, the five mistakes beside (C3).

    The more viable and the better its culture fits, the higher; what nobody ranked stands last.
    """
    by_market: dict[tuple[str, str], list[_Seen]] = {}
    for member in members:
        known = member.traits.get("markets", {})
        for name, row in known.items():
            seen = _Seen(member, row, alone=len(known) == 1)
            by_market.setdefault((member.initiator, name), []).append(seen)
    found = [_market(whose, name, seen) for (whose, name), seen in by_market.items()]
    ranked = sorted(found, key=_market_order)
    places: dict[str, int] = {}
    for row in ranked:
        if row["rated"]:
            places[row["initiator"]] = row["rank"] = places.get(row["initiator"], 0) + 1
    return ranked


def _market(initiator: str, name: str, seen: Sequence[_Seen]) -> Row:
    ratings = [
        {"by": party, "shown_by": each.ref(rating), **rating}
        for each in seen
        for party, rating in sorted(each.known.get("ranked", {}).items())
    ]
    feedback = [each.known["feedback"] for each in seen if "feedback" in each.known]
    heard = sum(each["count"] for each in feedback)
    return {
        "market": name,
        "initiator": initiator,
        "partnerships": [each.member.id for each in seen],
        "rank": None,
        "rated": len(ratings),
        "viability": _mean_of(ratings, "viability"),
        "cultural_fit": _mean_of(ratings, "cultural_fit"),
        "feedback": heard,
        "feedback_score": _mean(sum(each["sum"] for each in feedback), heard) if heard else None,
        "reasons": [
            {"text": text, "shown_by": each["shown_by"]}
            for each in ratings
            for text in each["reasons"]
        ],
        "checks": [_checked(check, seen) for check in CHECKS],
    }


def _mean_of(ratings: Sequence[Row], part: str) -> str | None:
    return _mean(sum(each[part] for each in ratings), len(ratings)) if ratings else None


def _market_order(row: Row) -> tuple[str, bool, Decimal, Decimal, str]:
    rated = Decimal(row["viability"] or 0) + Decimal(row["cultural_fit"] or 0)
    feedback = Decimal(row["feedback_score"] or 0)
    return row["initiator"], not row["rated"], -rated, -feedback, row["market"]


class Check(NamedTuple):
    """One of the five mistakes: what shows that it was not made, and a hint (C3)."""

    mistake: str
    shown_by: Callable[[_Seen], str | None]
    hint: str


def _ranked_itself(seen: _Seen) -> str | None:
    return next(map(seen.ref, seen.known.get("ranked", {}).values()), None)


def _heard(seen: _Seen) -> str | None:
    feedback = seen.known.get("feedback")
    return f"{seen.member.id}#{feedback['last']}" if feedback else None


def _measured(seen: _Seen) -> str | None:
    agreed = seen.member.kpis.get(AGREED, {})
    if not agreed.get("objectives"):
        return None
    return f"{seen.member.id}, charter of {agreed['since']}"


def _owned(seen: _Seen) -> str | None:
    owners = [each for each in seen.known.get("owners", {}).values() if each["local"]]
    manager = seen.known.get("manager")
    return next(map(seen.ref, [*([manager] if manager else []), *owners]), None)


def _tried(seen: _Seen) -> str | None:
    # What a partnership tried in several markets at once says nothing of any one of them.
    experiment = seen.member.traits.get("experiment") if seen.alone else None
    return None if experiment is None else f"{seen.member.id}#{experiment}"


CHECKS = (
    Check("market-extrapolated", _ranked_itself, "Rank it by its own evidence (RankMarket)."),
    Check("no-local-feedback", _heard, "Record what people there say (RecordLocalFeedback)."),
    Check("no-kpi", _measured, "Agree objectives with their metrics (ProposeCharter)."),
    Check(
        "no-regional-owner",
        _owned,
        "Name a regional manager (AssignRole), or a local owner of a metric (AssignMetricOwner).",
    ),
    Check(
        "no-experiment",
        _tried,
        "Try offers side by side there, and attach what came of it (AttachEvidence).",
    ),
)
"""The five mistakes of international partnerships [000]."""


def _checked(check: Check, seen: Iterable[_Seen]) -> Row:
    shown = next(filter(None, map(check.shown_by, seen)), None)
    told = {"shown_by": shown} if shown else {"hint": check.hint}
    return {"mistake": check.mistake, "made": shown is None, **told}


# --- candidates --------------------------------------------------------------------------------

SCORED = ("market_reach", "brand_alignment", "technical_compatibility")
"""The parts of a candidate's score, each from 1 to 5 (C2)."""


def candidates(member: Member) -> list[Row]:
    """Rank the candidates of a partnership, each with the reasons for its place (C1, C2, C4).

    Who is no fit (a low dimension without a plan) comes after all others. Then the score counts
    (under the profile as it now is, before others), then the overlap, then the alignment.
    """
    traits = member.traits
    latest = max((each["profile_version"] for each in traits.get("profiles", ())), default=0)
    found = [
        _candidate(name, known, latest, chosen=name == member.partner)
        for name, known in traits.get("candidates", {}).items()
    ]
    ranked = sorted(found, key=_candidate_order)
    return [{"rank": place, **each} for place, each in enumerate(ranked, 1)]


def _candidate(name: str, known: Row, latest: int, *, chosen: bool) -> Row:
    score, overlap, alignment = (known.get(part) for part in ("score", "overlap", "alignment"))
    bridged = known.get("bridged", ())
    row = {
        "candidate": name,
        "name": known.get("name", name),
        "approached": known.get("approached", False),
        "chosen": chosen,
        "score": sum(score[each] for each in SCORED) if score else None,
        "profile_version": score["profile_version"] if score else None,
        "overlap_percent": overlap_percent(overlap),
        "alignment": sum(alignment[each] for each in Dimension) if alignment else None,
        "unbridged": [
            each.value
            for each in Dimension
            if alignment and alignment[each] < PASSING_RATING and each not in bridged
        ],
        "current": score is not None and score["profile_version"] == latest,
    }
    return {**row, "reasons": _reasons(row, latest)}


def overlap_percent(overlap: Row | None) -> str | None:
    """Give the share of one's own customers that a candidate serves too, in percent (C2)."""
    if not overlap or not overlap["own_customers"]:
        return None
    return _mean(100 * overlap["shared_customers"], overlap["own_customers"])


def _reasons(row: Row, latest: int) -> list[str]:
    version = row["profile_version"]
    under = f" under profile {version}" + ("" if row["current"] else f", which is now {latest}")
    return [
        "not scored" if row["score"] is None else f"score {row['score']} of 15{under}",
        "overlap not measured"
        if row["overlap_percent"] is None
        else f"{row['overlap_percent']} % of our customers shared",
        "alignment not assessed"
        if row["alignment"] is None
        else f"alignment {row['alignment']} of 20",
        *(f"{each} is below {PASSING_RATING} and not bridged" for each in row["unbridged"]),
    ]


def _candidate_order(row: Row) -> tuple[bool, bool, int, Decimal, int, str]:
    return (
        bool(row["unbridged"]),
        not row["current"],
        -(row["score"] or 0),
        -Decimal(row["overlap_percent"] or 0),
        -(row["alignment"] or 0),
        row["candidate"],
    )
