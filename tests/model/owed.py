"""The law (section 1): what is owed is a function of the set of known facts."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction

from tests.model.days import month_name
from tests.model.disputes import decided
from tests.model.entries import (
    adjusted,
    earned_by_penalties,
    earned_by_referrals,
    earned_on_entries,
)
from tests.model.facts import Fact, Objected, Party, RateAgreed, RatePublished, Subject
from tests.model.known import Known, known_of
from tests.model.numbers import rounded
from tests.model.periods import earned_by_reports, earned_in_windows, earned_on_dates
from tests.model.sales import earned_on_deals
from tests.model.tracks import Step, Track


@dataclass(frozen=True)
class Line:
    """What a fact changed in what an item owes to a party for a subject.

    `base_fact` is the sale, payment, entry or date that the item priced; `fact` is what made the
    line: that fact itself, or a return, a cancellation or a decision. `settled` is the amount in
    the currency of its statement, or None while the rate is missing.
    """

    subject: Subject
    base_fact: str
    fact: str
    item: str
    to: Party
    by: Party
    amount: Decimal
    currency: str
    settles_in: str
    settled: Decimal | None
    day: date
    at: datetime
    steps: tuple[Step, ...]

    @property
    def month(self) -> str:
        return month_name(self.day)


@dataclass(frozen=True)
class Held:
    """What an open dispute holds of a party's lines, in both currencies."""

    dispute: str
    subject: Subject
    base_fact: str
    item: str
    to: Party
    amount: Decimal
    currency: str
    settles_in: str
    settled: Decimal | None


def owed(
    facts: Iterable[Fact], parties: tuple[Party, Party], known_at: datetime | None = None
) -> list[Line]:
    """All lines of one partnership, in the order in which they came to be."""
    known = known_of(frozenset(facts), parties, known_at)
    tracks, _ = decided(known, earned(known))
    found = [line for track in tracks for line in _lines(known, track)]
    return sorted(found, key=_order)


def _order(line: Line) -> tuple[object, ...]:
    """Time; of one instant a fact's own line, then what reduced it, then what decisions removed."""
    place = 0 if line.fact == line.base_fact else 1 + (line.steps[0].name == "disputed")
    return (line.at, place, line.fact, line.base_fact, line.item, line.to)


def on_hold(
    facts: Iterable[Fact], parties: tuple[Party, Party], known_at: datetime | None = None
) -> list[Held]:
    """What open disputes hold."""
    known = known_of(frozenset(facts), parties, known_at)
    _, holds = decided(known, earned(known))
    found = []
    for hold in holds:
        track = hold.track
        currency, rate = exchange(known, track)
        settled = None
        if rate is not None:
            whole = rounded(Fraction(track.amount) * rate, currency)
            settled = whole - rounded(Fraction(track.amount - hold.amount) * rate, currency)
        found.append(
            Held(
                dispute=hold.dispute,
                subject=track.subject,
                base_fact=track.fact,
                item=track.item,
                to=track.to,
                amount=hold.amount,
                currency=track.currency,
                settles_in=currency,
                settled=settled,
            )
        )
    return found


def earned(known: Known) -> list[Track]:
    """What every item earned, before disputes."""
    return [
        *earned_on_deals(known),
        *earned_on_dates(known),
        *earned_in_windows(known),
        *earned_by_reports(known),
        *earned_on_entries(known),
        *earned_by_penalties(known),
        *earned_by_referrals(known),
        *adjusted(known),
    ]


def exchange(known: Known, track: Track) -> tuple[str, Fraction | None]:
    """The currency of the statement and the rate of the day of the priced fact, for good.

    What takes back settles like what it takes back, so that a full refund leaves nothing.
    """
    currency = known.terms.frame(track.day).settles_in or track.currency
    if currency == track.currency:
        return currency, Fraction(1)
    return currency, rate_on(known, track.currency, currency, track.day)


def rate_on(known: Known, base: str, quote: str, day: date) -> Fraction | None:
    """The rate that both agreed last, or that of the named source if nobody objected."""
    frame = known.terms.frame(day)
    period = str(day) if frame.rates_by == "day" else month_name(day)
    objected = {each.claim for each in known.of(Objected)}
    published = [
        each
        for each in known.of(RatePublished)
        if each.source == frame.rate_source and each.id not in objected
    ]
    stated: list[RateAgreed | RatePublished] = [*published, *known.of(RateAgreed)]
    for first in reversed(stated):
        rate = known.agreed(first)
        if rate and (rate.base, rate.quote, rate.period) == (base, quote, period):
            return Fraction(rate.value)
    return None


def _lines(known: Known, track: Track) -> Iterable[Line]:
    """The differences of the totals of a track, in both currencies."""
    currency, rate = exchange(known, track)
    before = Decimal(0)
    for total in track.totals:
        settled = None
        if rate is not None:
            settled = rounded(Fraction(total.amount) * rate, currency) - rounded(
                Fraction(before) * rate, currency
            )
        yield Line(
            subject=track.subject,
            base_fact=track.fact,
            fact=total.fact,
            item=track.item,
            to=track.to,
            by=track.by,
            amount=total.amount - before,
            currency=track.currency,
            settles_in=currency,
            settled=settled,
            day=total.day,
            at=max(total.at, track.at),
            steps=(*total.steps, Step("exchange rate", "missing" if rate is None else rate)),
        )
        before = total.amount
