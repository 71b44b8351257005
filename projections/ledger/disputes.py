"""Disputes: what an open one holds, and what a decision removes.

The rules are in docs/settlement.md, From accrual to payout.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from projections.ledger.counting import Known
from projections.ledger.rows import Dispute, Total
from projections.ledger.tracks import Track


class Hold(NamedTuple):
    """What an open dispute holds of a track."""

    dispute: str
    place: int
    amount: Decimal


def decided(
    tracks: Sequence[Track], disputes: Mapping[str, Dispute], known: Known
) -> tuple[list[Track], list[Hold]]:
    """Return tracks less what decisions removed, and what open disputes hold.

    Tracks are taken from the oldest on. A dispute takes at most what its subject earned from facts
    up to its day, and of each fact at most what refunds and earlier decisions left.
    """
    found = sorted(tracks, key=lambda each: (each.at, each.fact, each.item))
    if not disputes:
        return found, []
    before = list(found)
    held: dict[int, Decimal] = {}
    holds: list[Hold] = []
    for name, dispute in sorted(disputes.items(), key=lambda each: (each[1].at, each[0])):
        day = known.terms.day(dispute.at)
        places = _named(dispute, found, known, day)
        earned = sum((before[place].amount_on(day) for place in places), Decimal(0))
        left = min(dispute.amount, earned)
        if dispute.removed is not None:
            left = min(left, dispute.removed)
        for place in places:
            taken = min(left, found[place].amount - held.get(place, Decimal(0)))
            if taken <= 0:
                continue
            left -= taken
            if dispute.decided_at is not None:
                found[place] = _less(found[place], name, dispute, taken, known)
            else:
                held[place] = held.get(place, Decimal(0)) + taken
                holds.append(Hold(name, place, taken))
    return found, holds


def _named(dispute: Dispute, tracks: Sequence[Track], known: Known, day: date) -> list[int]:
    """Return the places of what the other party earned for the subject or the line up to a day."""
    other = known.other(dispute.by)
    return [
        place
        for place, each in enumerate(tracks)
        if (each.subject, each.to, each.currency) == (dispute.subject, other, dispute.currency)
        and each.day <= day
        and dispute.line in {None, (each.fact, each.item)}
    ]


def _less(track: Track, name: str, dispute: Dispute, taken: Decimal, known: Known) -> Track:
    decided_at = dispute.decided_at or dispute.at
    total = Total(
        f"dispute/{name}",
        max(decided_at, track.totals[-1].at),
        known.terms.day(decided_at),
        track.amount - taken,
        {"disputed": taken},
    )
    return track._replace(totals=(*track.totals, total))
