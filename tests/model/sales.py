"""Items that sales and payments earn (sections 3 and 4): shares, splits, fees for referrals."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction

from tests.model.credit import credit
from tests.model.days import add_months, window_of
from tests.model.deals import Sale, paid_for, payment_remains, remains_of, sale_of, sales
from tests.model.facts import (
    DealWon,
    Party,
    PaymentReceived,
    ReferralFee,
    ReferralSubmitted,
    RevenueShare,
    RevenueSplit,
    Subject,
    Tier,
)
from tests.model.known import Known
from tests.model.numbers import HUNDRED, part_of, rounded
from tests.model.tracks import Remains, Step, Total, Track, deduplicated, in_order, running


@dataclass(frozen=True)
class Base:
    """A sale or payment that an item prices for a party, and what remained of it over time."""

    fact: str
    deal: str
    at: datetime
    day: date
    currency: str
    item: RevenueShare
    credit: Fraction
    remains: tuple[Remains, ...]


def earned_on_deals(known: Known) -> Iterator[Track]:
    """What every deal earned each party."""
    deals = sorted({each.deal for each in known.of(DealWon)})
    for party in known.parties:
        bases: list[Base] = []
        for deal in deals:
            bases += _share_bases(known, deal, party)
            yield from _fees(known, deal, party)
            yield from _splits(known, deal, party)
        yield from _priced(known, bases, party)


# What remains of a sale, a fee.


def _paid_for_until(item: RevenueShare, won: date) -> date:
    """The first day after what a sale paid for: its first year, or the agreed months."""
    return add_months(won, item.months if item.basis == "months" else 12)


def _sale_remains(
    known: Known, sale: Sale, item: RevenueShare, gains: Party
) -> tuple[Remains, ...]:
    """An annual value, reduced by returns of its payments inside what the sale paid for."""
    win = sale.win
    value = Fraction(win.value.amount)
    if item.basis == "months":
        value = value * item.months / 12
    until = _paid_for_until(item, known.terms.day(win.occurred_at))
    changes = []
    for payment in paid_for(known, sale, gains):
        inside = known.terms.day(payment.occurred_at) < until
        if inside and payment.amount.currency == win.value.currency:
            whole = Fraction(payment.amount.amount)
            changes += [
                (each._replace(amount=each.amount - whole), payment.id)
                for each in payment_remains(known, payment, gains)[1:]
            ]
    start = remains_of(known, win.id, win.occurred_at, value)
    return _until_cancelled(known, running(start, changes), sale)


def _until_cancelled(known: Known, remains: Sequence[Remains], sale: Sale) -> tuple[Remains, ...]:
    cancelled = sale.cancelled
    if not cancelled:
        return tuple(remains)
    before = [
        each
        for place, each in enumerate(remains)
        if not place or (each.at, each.fact) < (cancelled.occurred_at, cancelled.id)
    ]
    return (*before, remains_of(known, cancelled.id, cancelled.occurred_at, Fraction(0)))


def _fee_remains(
    known: Known, fee: Decimal, start: tuple[str, datetime], sale: Sale, gains: Party
) -> tuple[Remains, ...]:
    """A flat fee, until the sale came to nothing: cancelled, or all payments fully returned."""
    events = sorted(
        (order, payment.id, each)
        for payment in paid_for(known, sale, gains)
        for order, each in in_order(payment_remains(known, payment, gains))
    )
    whole = Fraction(fee)
    found = [remains_of(known, *start, whole)]
    left: dict[str, Fraction] = {}
    for _, payment_id, event in events:
        left[payment_id] = event.amount
        amount = whole if any(left.values()) else Fraction(0)
        if amount != found[-1].amount:
            found.append(event._replace(amount=amount))
    return _until_cancelled(known, found, sale)


# Revenue share.


def _share_bases(known: Known, deal: str, party: Party) -> Iterator[Base]:
    part = credit(known, deal, party)
    found = sales(known, deal, party)
    if not part or not found:
        return
    day_of = known.terms.day
    for sale in found:
        win, day = sale.win, day_of(sale.win.occurred_at)
        for item in known.terms.items(day) if known.terms.accrues(day) else ():
            if isinstance(item, RevenueShare) and item.to == party and item.trigger == "sale":
                remains = _sale_remains(known, sale, item, party)
                yield Base(
                    win.id, deal, win.occurred_at, day, win.value.currency, item, part, remains
                )
    for payment in known.payments(deal, party):
        day = day_of(payment.occurred_at)
        won = day_of(sale_of(known, payment, party).win.occurred_at)
        for item in known.terms.items(day) if known.terms.accrues_for_client(day, won) else ():
            if not isinstance(item, RevenueShare) or item.to != party:
                continue
            inside = item.basis == "all" or day < _paid_for_until(item, won)
            if item.trigger == "payment" and inside:
                remains = payment_remains(known, payment, party)
                currency = payment.amount.currency
                yield Base(
                    payment.id, deal, payment.occurred_at, day, currency, item, part, remains
                )


def _priced(known: Known, bases: list[Base], party: Party) -> Iterator[Track]:
    """Price bases: those with tiers or a cap in their window, each other one by itself."""
    windows: dict[tuple[object, ...], list[Base]] = defaultdict(list)
    for base in bases:
        item = base.item
        key: tuple[object, ...] = (item.name, base.currency)
        if item.tiers or item.cap is not None:
            # The window belongs to the name and its length, not to a version of the item.
            key += (item.window, window_of(base.day, item.window))
        else:
            key += (base.fact,)
        windows[key].append(base)
    for each in windows.values():
        yield from _window(known, sorted(each, key=lambda base: (base.at, base.fact)), party)


def _window(known: Known, bases: list[Base], party: Party) -> Iterator[Track]:
    """Compute a window again after each fact that changed what remains of its bases."""
    events = sorted(
        (order, base.fact, remains) for base in bases for order, remains in in_order(base.remains)
    )
    left: dict[str, Fraction] = {}
    totals: dict[str, list[Total]] = {each.fact: [] for each in bases}
    for _, changed, remains in events:
        left[changed] = remains.amount
        for base, amount, steps in _amounts([each for each in bases if each.fact in left], left):
            totals[base.fact].append(Total(remains.fact, remains.at, remains.day, amount, steps))
    for base in bases:
        yield Track(
            subject=Subject("deal", base.deal),
            fact=base.fact,
            item=base.item.name,
            to=party,
            by=known.other(party),
            currency=base.currency,
            at=base.at,
            day=base.day,
            totals=deduplicated(totals[base.fact]),
        )


def _amounts(
    bases: list[Base], left: dict[str, Fraction]
) -> Iterator[tuple[Base, Decimal, tuple[Step, ...]]]:
    """Each base's amount: the rounded total with it, less the rounded total before it."""
    counted = Fraction(0)
    total = Fraction(0)
    for base in bases:
        amount = left[base.fact] * base.credit
        earned = marginal(base.item, counted, counted + amount)
        after = total + earned
        if base.item.cap is not None:
            after = max(total, min(after, Fraction(base.item.cap)))
        steps = (
            Step("remaining base", left[base.fact]),
            Step("credit", base.credit),
            Step("share", base.item.share),
            Step("counted before", counted),
            Step("total before", total),
            Step("total with it", after),
            Step("rounding", "half to even, total with it less total before it"),
        )
        line = rounded(after, base.currency) - rounded(total, base.currency)
        yield base, line, steps
        counted += amount
        total = after


def marginal(item: RevenueShare, before: Fraction, after: Fraction) -> Fraction:
    """What lies between two counts earns, each tier's share on the part inside the tier."""
    tiers = sorted((Tier(Decimal(0), item.share), *item.tiers))
    total = Fraction(0)
    for place, tier in enumerate(tiers):
        low = max(before, Fraction(tier.above))
        high = min(after, Fraction(tiers[place + 1].above)) if place + 1 < len(tiers) else after
        total += max(Fraction(0), high - low) * Fraction(tier.share) / HUNDRED
    return total


# Referral fees on sales and first payments.


def _fees(known: Known, deal: str, party: Party) -> Iterator[Track]:
    part = credit(known, deal, party)
    found = sales(known, deal, party)
    if not part or not found:
        return
    for sale in found:
        day = known.terms.day(sale.win.occurred_at)
        if known.terms.accrues(day):
            start = (sale.win.id, sale.win.occurred_at)
            yield from _flat(known, sale, start, day, "sale", party, part)
        first = next(iter(paid_for(known, sale, party)), None)
        if first:
            won, day = day, known.terms.day(first.occurred_at)
            if known.terms.accrues_for_client(day, won):
                start = (first.id, first.occurred_at)
                yield from _flat(known, sale, start, day, "first-payment", party, part)


def _flat(
    known: Known,
    sale: Sale,
    start: tuple[str, datetime],
    day: date,
    trigger: str,
    party: Party,
    part: Fraction,
) -> Iterator[Track]:
    for item in known.terms.items(day):
        if isinstance(item, ReferralFee) and item.to == party and item.trigger == trigger:
            fee, currency = item.fee
            steps = (Step("fee", fee), Step("credit", part), Step("rounding", "half to even"))
            totals = [
                Total(each.fact, each.at, each.day, rounded(each.amount * part, currency), steps)
                for each in _fee_remains(known, fee, start, sale, party)
            ]
            yield Track(
                subject=Subject("deal", sale.win.deal),
                fact=start[0],
                item=item.name,
                to=party,
                by=known.other(party),
                currency=currency,
                at=start[1],
                day=day,
                totals=deduplicated(totals),
            )


# Splits of sales and payments.


def _splits(known: Known, deal: str, party: Party) -> Iterator[Track]:
    """A party's part of what the other collected, once any party is credited for the deal."""
    found = sales(known, deal, party)
    if not found or not any(credit(known, deal, each) for each in known.parties):
        return
    for sale in found:
        win, day = sale.win, known.terms.day(sale.win.occurred_at)
        if known.terms.accrues(day) and _collector(known, win) != party:
            whole_year = RevenueShare(to=party, share=Decimal(0), basis="first-year")
            remains = _sale_remains(known, sale, whole_year, party)
            yield from _split(known, win, day, "sale", party, remains)
    for payment in known.payments(deal, party):
        day = known.terms.day(payment.occurred_at)
        won = known.terms.day(sale_of(known, payment, party).win.occurred_at)
        collected = payment.collected_by or payment.stated_by
        if known.terms.accrues_for_client(day, won) and collected != party:
            remains = payment_remains(known, payment, party)
            yield from _split(known, payment, day, "payment", party, remains)


def _collector(known: Known, win: DealWon) -> Party:
    """Who the win names, else who stated it; of both, the side that did not bring the client."""
    if win.collected_by or not known.by_both(win):
        return win.collected_by or win.stated_by
    brought = next(each for each in known.of(ReferralSubmitted) if each.deal == win.deal)
    return known.other(brought.stated_by)


def _split(
    known: Known,
    fact: DealWon | PaymentReceived,
    day: date,
    trigger: str,
    party: Party,
    remains: Sequence[Remains],
) -> Iterator[Track]:
    currency = (fact.value if isinstance(fact, DealWon) else fact.amount).currency
    for item in known.terms.items(day):
        if isinstance(item, RevenueSplit) and item.trigger == trigger:
            yield Track(
                subject=Subject("deal", fact.deal),
                fact=fact.id,
                item=item.name,
                to=party,
                by=known.other(party),
                currency=currency,
                at=fact.occurred_at,
                day=day,
                totals=deduplicated(
                    [
                        Total(
                            each.fact,
                            each.at,
                            each.day,
                            part_of(each.amount, item.parts, party, currency),
                            (Step("remaining base", each.amount), Step("parts", str(item.parts))),
                        )
                        for each in remains
                    ]
                ),
            )
