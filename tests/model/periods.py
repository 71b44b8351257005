"""Items of dates, windows and reported periods (section 3)."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator
from datetime import date, datetime, time, timedelta
from fractions import Fraction
from typing import NamedTuple
from zoneinfo import ZoneInfo

from tests.model.credit import credit
from tests.model.days import MONTHS, add_months, period_span, window_end, window_of
from tests.model.deals import payment_remains, sales
from tests.model.facts import (
    DealWon,
    Hybrid,
    Length,
    MetricReported,
    Minimum,
    Money,
    Party,
    PeriodicFee,
    ReferralFee,
    ReferralSubmitted,
    Subject,
)
from tests.model.known import Known, acted_on
from tests.model.numbers import rounded
from tests.model.tracks import Step, Total, Track, deduplicated

LENGTHS: tuple[Length, ...] = ("month", "quarter", "year")


def midnight(known: Known, day: date) -> datetime:
    """00:00 of a day in the agreement's time zone."""
    return datetime.combine(day, time(), ZoneInfo(known.terms.frame(day).zone or "UTC"))


def single(
    known: Known,
    subject: Subject,
    fact: str,
    item: tuple[str, Party],
    amount: tuple[Fraction, str],
    at: datetime,
    day: date,
    *steps: Step,
) -> Track:
    """A track of one total."""
    (name, to), (exact, currency) = item, amount
    total = Total(fact, at, day, rounded(exact, currency), (*steps, Step("exact", exact)))
    return Track(
        subject=subject,
        fact=fact,
        item=name,
        to=to,
        by=known.other(to),
        currency=currency,
        at=at,
        day=day,
        totals=deduplicated([total]),
    )


def earned_on_dates(known: Known) -> Iterator[Track]:
    """Retainers, licence fees and bases, on the frame's dates from the item's first day on."""
    if known.terms.start == date.min:
        return
    for every in LENGTHS:
        count = 0
        while True:
            # Counted from the first day, so that the 31st does not drift.
            day = add_months(known.terms.start, count * MONTHS[every])
            if day > known.today or not known.terms.accrues(day):
                break
            count += 1
            for item in known.terms.items(day):
                if isinstance(item, PeriodicFee | Hybrid) and item.every == every:
                    fee = item.fee if isinstance(item, PeriodicFee) else item.base
                    name = f"{item.name}@{day}"
                    yield _fee(known, Subject("due", name), name, (item.name, item.to), fee, day)


def _fee(
    known: Known, subject: Subject, fact: str, item: tuple[str, Party], fee: Money, day: date
) -> Track:
    amount = (Fraction(fee.amount), fee.currency)
    at = midnight(known, day)
    return single(known, subject, fact, item, amount, at, day, Step("fee", fee.amount))


def earned_in_windows(known: Known) -> Iterator[Track]:
    """Bonuses and minimums of windows that are over, by the items of their first day."""
    if known.terms.start == date.min:
        return
    for length in LENGTHS:
        first = window_of(known.terms.start, length)
        while (end := window_end(first, length)) <= min(known.today, known.terms.end):
            for item in known.terms.items(first) if known.terms.accrues(first) else ():
                if isinstance(item, Minimum) and item.window == length:
                    yield from _minimum(known, item, first, end)
                if isinstance(item, Hybrid) and item.window == length:
                    yield from _bonus(known, item, first, end)
            first = end


def _minimum(known: Known, item: Minimum, first: date, end: date) -> Iterator[Track]:
    """A fee for what the owing party did not bring; nothing while a reported month is missing."""
    found = measured(known, item, item.by, first, end)
    missing = Fraction(item.at_least) - found.value
    if not found.complete or missing <= 0:
        return
    fee = Fraction(item.fee.amount) * (missing if item.each_missing else 1)
    yield _judged(known, item.name, item.to, (fee, item.fee.currency), first, end, found)


def _bonus(known: Known, item: Hybrid, first: date, end: date) -> Iterator[Track]:
    """A bonus where the metric reached its threshold; equal to it is reached."""
    found = measured(known, item, item.to, first, end)
    if found.known and found.value >= Fraction(item.threshold):
        bonus = (Fraction(item.bonus.amount), item.bonus.currency)
        yield _judged(known, f"{item.name}", item.to, bonus, first, end, found)


def _judged(
    known: Known,
    name: str,
    to: Party,
    amount: tuple[Fraction, str],
    first: date,
    end: date,
    found: "Measured",
) -> Track:
    window = f"{name}@{first}"
    last_day = end - timedelta(days=1)
    return single(
        known,
        Subject("window", window),
        window,
        (name, to),
        amount,
        midnight(known, end),
        last_day,
        Step("counted", found.value),
    )


# What a window counts.


class Measured(NamedTuple):
    """The figure of a window: whether anything is known, and whether every month is."""

    value: Fraction
    known: bool
    complete: bool


Counter = Callable[[Known, Party, date, date, str | None], Fraction]


def measured(
    known: Known, item: Minimum | Hybrid, party: Party, first: date, end: date
) -> Measured:
    """What deals show decides a metric that they count, unless both agreed on the report."""
    counter = COUNTED.get(item.metric)
    if counter and item.measured == "count":
        return Measured(counter(known, party, first, end, item.currency), known=True, complete=True)
    return reported(known, item.metric, item.to, (first, end), item.source, item.currency)


def _deals(known: Known, party: Party) -> Iterator[str]:
    """The deals that a party brought: won, and credited to it."""
    for deal in sorted({each.deal for each in known.of(DealWon)}):
        if credit(known, deal, party) and sales(known, deal, party):
            yield deal


def _within(known: Known, instant: datetime, first: date, end: date) -> bool:
    return first <= known.terms.day(instant) < end


def _referrals(known: Known, party: Party, first: date, end: date, _: str | None) -> Fraction:
    """Referrals that the party submitted, once the other side confirmed or acted on them."""
    found = {
        each.deal
        for each in known.of(ReferralSubmitted)
        if each.stated_by == party
        and _within(known, each.occurred_at, first, end)
        and (
            known.earning(each, party)
            or acted_on(known, each.deal, known.other(party), each.occurred_at)
        )
    }
    return Fraction(len(found))


def _won(known: Known, party: Party, first: date, end: date, _: str | None) -> Fraction:
    found = [
        sale
        for deal in _deals(known, party)
        for sale in sales(known, deal, party)
        if not sale.cancelled and _within(known, sale.win.occurred_at, first, end)
    ]
    return Fraction(len(found))


def _paid(known: Known, party: Party, first: date, end: date, _: str | None) -> Fraction:
    """Deals whose first payment is in the window, unless the sale came to nothing."""
    count = 0
    for deal in _deals(known, party):
        payments = known.payments(deal, party)
        stands = any(payment_remains(known, each, party)[-1].amount for each in payments)
        if sales(known, deal, party)[-1].cancelled or not stands:
            continue
        count += _within(known, payments[0].occurred_at, first, end)
    return Fraction(count)


def _revenue(known: Known, party: Party, first: date, end: date, currency: str | None) -> Fraction:
    """What remains of payments in one currency, as far as they are credited to the party."""
    total = Fraction(0)
    for deal in _deals(known, party):
        part = credit(known, deal, party)
        for payment in known.payments(deal, party):
            if payment.amount.currency == currency and _within(
                known, payment.occurred_at, first, end
            ):
                total += payment_remains(known, payment, party)[-1].amount * part
    return total


COUNTED: dict[str, Counter] = {
    "referrals": _referrals,
    "deals_won": _won,
    "deals_paid": _paid,
    "revenue": _revenue,
}


def reported(
    known: Known,
    metric: str,
    to: Party,
    span: tuple[date, date],
    source: str | None,
    currency: str | None,
) -> Measured:
    """A reported figure. Reports of the side that owes count at once, the other's are claims.

    Each source is summed by itself. Where terms name none, the source that covers most months
    counts, and of equals the lowest figure.
    """
    by_source: dict[str, list[MetricReported]] = defaultdict(list)
    for each in counted_reports(known, metric, to):
        if each.currency == currency and source in {None, each.source}:
            by_source[each.source].append(each)
    first, end = span
    months = (end.year - first.year) * 12 + end.month - first.month
    found = [_sum(each, first, end) for each in by_source.values()]
    covered, value = min(((-covered, value) for covered, value in found), default=(0, Fraction(0)))
    return Measured(value, known=covered < 0, complete=-covered == months)


def counted_reports(known: Known, metric: str, to: Party) -> list[MetricReported]:
    """The reports of a metric that count for what the other side owes to a party."""
    found = [
        counted
        for each in known.of(MetricReported)
        if (counted := known.earning(each, to)) and counted.metric == metric
    ]
    return sorted(found, key=lambda each: (each.occurred_at, each.id))


def _sum(reports: list[MetricReported], first: date, end: date) -> tuple[int, Fraction]:
    """How many months of a span are reported, and the sum."""
    covered, total = 0, Fraction(0)
    by_period: dict[str, dict[str | None, Fraction]] = defaultdict(dict)
    for each in reports:
        begin, until = period_span(each.period)
        if first <= begin and until <= end:
            by_period[each.period][each.segment] = Fraction(each.value)
    for period, figures in by_period.items():
        begin, until = period_span(period)
        if not _stands(by_period, period):
            continue
        # A whole figure stands before its segments; without one they add up.
        total += figures[None] if None in figures else sum(figures.values(), Fraction(0))
        covered += (until.year - begin.year) * 12 + until.month - begin.month
    return covered, total


def earned_by_reports(known: Known) -> Iterator[Track]:
    """Fees for clicks and posts, by the items of the reported period's first day."""
    for metric, trigger in (("clicks", "click"), ("posts", "post")):
        for party in known.parties:
            reports = counted_reports(known, metric, party)
            for period in sorted({each.period for each in reports}):
                first, end = period_span(period)
                for item in known.terms.items(first) if known.terms.accrues(first) else ():
                    if (
                        isinstance(item, ReferralFee)
                        and item.to == party
                        and item.trigger == trigger
                        and _stands(_periods(reports, item), period)
                    ):
                        yield from _clicks(known, item, metric, reports, period, end)


def _periods(reports: list[MetricReported], item: ReferralFee) -> set[str]:
    return {
        each.period for each in reports if item.source in {None, each.source} and not each.currency
    }


def _stands(periods: Collection[str], period: str) -> bool:
    """Months stand before a figure of their quarter once all three are reported."""
    quarters = [each for each in periods if "Q" in each]
    months = {period_span(each)[0] for each in periods if "Q" not in each}

    def replaced(quarter: str) -> bool:
        first, _ = period_span(quarter)
        return all(add_months(first, place) in months for place in range(3))

    if "Q" in period:
        return not replaced(period)
    first, _ = period_span(period)
    around = [each for each in quarters if period_span(each)[0] <= first < period_span(each)[1]]
    return all(map(replaced, around))


def _clicks(
    known: Known,
    item: ReferralFee,
    metric: str,
    reports: list[MetricReported],
    period: str,
    end: date,
) -> Iterator[Track]:
    first, _ = period_span(period)
    found = reported(known, metric, item.to, (first, end), item.source, None)
    if not found.known:
        return
    last = [
        each
        for each in reports
        if each.period == period and item.source in {None, each.source} and not each.currency
    ][-1]
    yield single(
        known,
        Subject("report", f"{item.name}@{period}"),
        last.id,
        (item.name, item.to),
        (Fraction(item.fee.amount) * found.value, item.fee.currency),
        last.occurred_at,
        end - timedelta(days=1),
        Step("fee", item.fee.amount),
        Step("counted", found.value),
    )
