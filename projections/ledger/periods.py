"""What falls due with time: fees on their dates, bonuses and minimums of windows, reported clicks.

A fee falls due on the frame's dates. A window and a reported period are judged by the items of
their first day (C10; docs/settlement.md, Items).
"""

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from zoneinfo import ZoneInfo

from domain.calendar import bounds, months_of, occurrences
from domain.claims import ClaimKind
from domain.terms import Hybrid, LicenceFee, Minimum, ReferralFee, Retainer
from domain.terms_by_day import TermsByDay, all_items
from domain.values import Money
from projections.ledger.counting import Known
from projections.ledger.measures import CLICKS, Measured, Measures, is_reported
from projections.ledger.rows import Remains
from projections.ledger.tracks import Track, rounded_ratio, single
from projections.ledger.windows import shown

LENGTHS = {1: "month", 3: "quarter", 12: "year"}
"""The length of a window by its months, as terms name it."""


def first_day(period: str) -> date:
    """Return the first day of a period."""
    return bounds(period)[0].date()


def end_of(period: str) -> date:
    """Return the first day after a period."""
    return bounds(period)[1].date()


def midnight(terms: TermsByDay, day: date) -> datetime:
    """Return 00:00 of a day in the agreement's time zone."""
    return datetime.combine(day, time(), ZoneInfo(terms.frame(day).time_zone))


def dues_of_month(month: str, terms: TermsByDay, today: date) -> Iterator[Track]:
    """Yield the retainers, licence fees and bases of a month, each on its date of the frame."""
    if terms.start is None:
        return
    first, end = first_day(month), min(end_of(month), today + timedelta(days=1))
    for every in _spans(terms):
        for day in occurrences(terms.start, every, first, end):
            for item in terms.items(day) if terms.accrues(day) else ():
                if isinstance(item, Retainer | LicenceFee | Hybrid) and item.every == every:
                    fee = item.base if isinstance(item, Hybrid) else item.fee
                    name = f"{item.name}@{day}"
                    yield _fixed(f"due/{name}", name, item.name or "", item.to, fee, terms, day)


def _spans(terms: TermsByDay) -> dict[str, None]:
    """Return the times between two fees, of all items that were ever agreed."""
    return {
        item.every: None
        for item in all_items(terms.agreed)
        if isinstance(item, Retainer | LicenceFee | Hybrid)
    }


def _fixed(  # noqa: PLR0913, PLR0917 - what a fee is
    subject: str, fact: str, item: str, to: str, fee: Money, terms: TermsByDay, day: date
) -> Track:
    remains = Remains(fact, midnight(terms, day), day, fee.amount)
    return single(subject, fact, item, to, fee.currency, remains, basis=fee.amount)


def is_judged(window: str, terms: TermsByDay, settles_from: date | None) -> bool:
    """Return whether the items of the first day of a window can judge it.

    Not if the start or the end of the term cuts it short, or the day from which it is settled here.
    """
    first, end = first_day(window), terms.end
    is_here = settles_from is None or first >= settles_from
    return is_here and terms.accrues(first) and (end is None or end_of(window) <= end)


def minimums(metric: str, window: str, terms: TermsByDay) -> dict[str, list[Minimum]]:
    """Return the items by which a party owes a fee if deals show less of a metric in a window.

    By that party.
    """
    length = LENGTHS[len(months_of(window))]
    found: dict[str, list[Minimum]] = {}
    for item in terms.items(first_day(window)):
        match item:
            case Minimum(metric=of, window=each) if (of, each) == (metric, length):
                if not is_reported(item):
                    found.setdefault(item.on, []).append(item)
            case _:
                pass
    return found


def fee_of(item: Minimum, value: Fraction) -> Fraction:
    """Return what is owed by a minimum for this figure."""
    missing = Fraction(item.at_least) - value
    if missing <= 0:
        return Fraction(0)
    return Fraction(item.fee.amount) * (missing if item.per == "missing" else 1)


def judged(window: str, measures: Measures, today: date) -> Iterator[Track]:
    """Yield the bonuses and minimums of a window that is over, by the items of its first day."""
    known = measures.known
    first, end = first_day(window), end_of(window)
    if end > today or not is_judged(window, known.terms, known.settles_from):
        return
    length = LENGTHS[len(months_of(window))]
    for item in known.terms.items(first):
        match item:
            case Minimum(window=of) if of == length:
                other = known.other(item.on)
                found = measures.measured(item, item.on, other, window)
                fee = fee_of(item, found.value or Fraction(0))
                if not found.complete or not fee:
                    continue
                threshold = Decimal(item.at_least)
                yield _of_window(
                    item.name or "",
                    other,
                    fee,
                    item.fee.currency,
                    window,
                    found,
                    threshold,
                    measures,
                )
            case Hybrid(window=of) if of == length:
                found = measures.measured(item, item.to, item.to, window)
                if found.value is None or found.value < Fraction(item.bonus_threshold):
                    continue
                bonus, threshold = Fraction(item.bonus.amount), Decimal(item.bonus_threshold)
                yield _of_window(
                    item.name or "",
                    item.to,
                    bonus,
                    item.bonus.currency,
                    window,
                    found,
                    threshold,
                    measures,
                )
            case _:
                pass


def _of_window(  # noqa: PLR0913, PLR0917 - what a judgement is
    item: str,
    to: str,
    amount: Fraction,
    currency: str,
    window: str,
    found: Measured,
    threshold: Decimal,
    measures: Measures,
) -> Track:
    terms, name = measures.known.terms, f"{item}@{first_day(window)}"
    end = end_of(window)
    rounded = rounded_ratio(amount, currency)
    remains = Remains(name, midnight(terms, end), end - timedelta(days=1), rounded)
    figure = shown(found.value or Fraction(0))
    return single(
        f"window/{name}", name, item, to, currency, remains, figure=figure, threshold=threshold
    )


def reported_fees(metric: str, period: str, known: Known, measures: Measures) -> Iterator[Track]:
    """Yield the fees for the clicks or posts of a reported period, by the items of its first day.

    Of a quarter and the months inside it, those count that stand (`projections.standing`).
    """
    first = first_day(period)
    if not known.terms.accrues(first):
        return
    for item in known.terms.items(first):
        if not (isinstance(item, ReferralFee) and CLICKS.get(item.trigger) == metric):
            continue
        facts = [
            (key, fact)
            for key, fact in known.earning(ClaimKind.FIGURE, item.to)
            if item.source in {None, key.partition("/")[0]}
        ]
        found = measures.reported(metric, item.to, period, item.source, None)
        if not facts or found.value is None or not measures.stands(item, metric, period):
            continue
        key, last = facts[-1]
        currency = item.fee.currency
        amount = rounded_ratio(Fraction(item.fee.amount) * found.value, currency)
        day = end_of(period) - timedelta(days=1)
        name = item.name or ""
        yield single(
            f"report/{name}@{period}",
            key,
            name,
            item.to,
            currency,
            Remains(key, last.at, day, amount),
            basis=item.fee.amount,
            figure=shown(found.value),
        )
