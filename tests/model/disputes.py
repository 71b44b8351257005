"""Disputes (section 7): what is held, and what an upheld or settled dispute removes."""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import NamedTuple

from tests.model.facts import DisputeOpened, DisputeResolved
from tests.model.known import Known
from tests.model.tracks import Step, Total, Track


class Hold(NamedTuple):
    """What an open dispute holds of a track."""

    dispute: str
    track: Track
    amount: Decimal


def decided(known: Known, tracks: Sequence[Track]) -> tuple[list[Track], list[Hold]]:
    """Tracks less what disputes removed, and what open disputes hold."""
    found = sorted(tracks, key=lambda each: (each.at, each.fact, each.item))
    before = list(found)
    held: dict[int, Decimal] = {}
    holds: list[Hold] = []
    for dispute in known.of(DisputeOpened):
        left = _disputed(known, dispute, before)
        if not left:
            continue
        decision = next((d for d in known.of(DisputeResolved) if d.dispute == dispute.id), None)
        if decision:
            left = _removed(decision, left)
        for place in _named(known, dispute, found):
            taken = min(left, found[place].amount - held.get(place, Decimal(0)))
            if taken <= 0:
                continue
            left -= taken
            if decision:
                found[place] = _less(known, found[place], decision, taken)
            else:
                held[place] = held.get(place, Decimal(0)) + taken
                holds.append(Hold(dispute.id, found[place], taken))
    return found, holds


def _named(known: Known, dispute: DisputeOpened, tracks: Sequence[Track]) -> list[int]:
    """The places of the tracks that a dispute can touch, oldest first.

    They are the other party's, of the named subject, line and currency, from facts up to its day.
    """
    day = known.terms.day(dispute.occurred_at)
    return [
        place
        for place, each in enumerate(tracks)
        if each.subject == dispute.subject
        and each.to == known.other(dispute.stated_by)
        and each.currency == dispute.amount.currency
        and each.day <= day
        and dispute.line in {None, (each.fact, each.item)}
    ]


def _disputed(known: Known, dispute: DisputeOpened, tracks: Sequence[Track]) -> Decimal:
    """The disputed amount, at most what the subject earned from facts up to the dispute's day."""
    day = known.terms.day(dispute.occurred_at)
    earned = sum(
        (tracks[place].amount_on(day) for place in _named(known, dispute, tracks)), Decimal(0)
    )
    return min(dispute.amount.amount, earned)


def _removed(decision: DisputeResolved, disputed: Decimal) -> Decimal:
    match decision.outcome:
        case "upheld":
            return disputed
        case "settled":
            return min(disputed, decision.amount.amount if decision.amount else disputed)
        case "rejected":
            return Decimal(0)


def _less(known: Known, track: Track, decision: DisputeResolved, taken: Decimal) -> Track:
    """A track less what a decision removed. It comes after refunds, which may have taken it."""
    at = max(decision.occurred_at, track.totals[-1].at)
    total = Total(
        decision.id,
        at,
        known.terms.day(decision.occurred_at),
        track.amount - taken,
        (Step("disputed", taken),),
    )
    return replace(track, totals=(*track.totals, total))
