"""What the newest scorecards of both parties show: low ratings, and ratings far apart (C25)."""

from collections.abc import Iterator, Mapping
from typing import Final

from domain.health import HealthCheckRecorded
from domain.standing_alerts import HEALTH_DIVERGES, HEALTH_LOW
from domain.values import name_words
from projections.ledger.claims import Point

LOW: Final = 2
"""A rating of this or less, of 5, is low."""

WIDE: Final = 2
"""Two ratings of the same thing that differ by this or more are far apart."""

RATED: Final = ("trust", "communication", "value_delivery", "quality", "satisfaction")
"""What a scorecard rates from 1 to 5 (C25)."""

Scorecards = Mapping[str, HealthCheckRecorded]
"""The newest scorecard of each party."""


def with_scorecard(cards: Scorecards, party: str, card: HealthCheckRecorded) -> Scorecards:
    """Return the newest scorecards after one more; one of an earlier quarter changes nothing."""
    known = cards.get(party)
    return cards if known and known.period > card.period else {**cards, party: card}


def findings(cards: Scorecards) -> Iterator[Point]:
    """Yield what the newest scorecards show: ratings that are low, and ratings far apart."""
    for party, card in sorted(cards.items()):
        low = [
            f"{name_words(name)} {rating}"
            for name, rating in ratings(card).items()
            if rating <= LOW
        ]
        if low:
            text = f"{party} rates {' and '.join(low)} of 5 in {card.period}."
            yield Point(HEALTH_LOW, party, text)
    if len({each.period for each in cards.values()}) == 1 and len(cards) > 1:
        yield from _apart(cards)


def _apart(cards: Scorecards) -> Iterator[Point]:
    (one, first), (other, second) = sorted(cards.items())
    theirs = ratings(second)
    wide = [
        f"{name_words(name)} {rating} by {one} and {theirs[name]} by {other}"
        for name, rating in ratings(first).items()
        if name in theirs and abs(rating - theirs[name]) >= WIDE
    ]
    if wide:
        text = f"The ratings of 5 for {first.period} are far apart: {'; '.join(wide)}."
        yield Point(HEALTH_DIVERGES, "ratings", text)


def ratings(card: HealthCheckRecorded) -> dict[str, int]:
    """Return the ratings of a scorecard that are given, by their field."""
    found = {name: getattr(card, name) for name in RATED}
    return {name: rating for name, rating in found.items() if rating is not None}
