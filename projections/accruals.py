"""What the terms owe for what is known: pure functions of facts, claims and the terms of their day.

A deal, an entry, a month and a window each have such a function. It is asked again whenever
something more is known (see `settlement`), so it must not depend on the order of what it is given.
"""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import NamedTuple

from domain.agreement import CommercialTermsAgreed
from domain.attribution import AttributionPolicy, Claim, Credit, credit
from domain.calendar import add, bounds, months_of, occurrences, quarter_of
from domain.metric_catalogue import CATALOGUE, Adds
from domain.settlement import rounded, split
from domain.terms import (
    HUNDRED,
    CostShare,
    Hybrid,
    Item,
    LicenceFee,
    Minimum,
    ReferralFee,
    Retainer,
    RevenueShare,
    RevenueSplit,
    Trigger,
    named,
)
from domain.terms_by_day import TermsByDay
from domain.values import plain
from projections import figures
from projections.fold import Row, Rows
from projections.kpis import StoredPeriods

FIRST_YEAR = "P1Y"
"""How long a first year's revenue is counted from the day of the sale (C10)."""

COUNTED_ON = {Trigger.CLICK: "clicks", Trigger.POST: "posts"}
"""The metric that a fee for each click or post counts."""


class Due(NamedTuple):
    """An amount that is due under one item of the terms, for one fact.

    `amount` is rounded; where payments are added up over a window (`adds_up`) it is what this one
    adds, and the window's whole is rounded instead.
    """

    fact: str
    to: str
    amount: Decimal
    currency: str
    month: str
    version: int
    item: str
    details: Row
    """The details of the line: its basis, and the share of it."""
    window: str = ""

    @property
    def key(self) -> str:
        """Return the key of this due among those of its deal or entry."""
        parts = (self.fact, f"{self.version}.{self.item}", self.to, self.currency, self.month)
        return "|".join([*parts, self.window])


# --- the terms of a day ------------------------------------------------------------------------


_FEES = (Retainer, LicenceFee, Hybrid)


@lru_cache(maxsize=1024)
def _parsed(version: str) -> CommercialTermsAgreed:
    return CommercialTermsAgreed.model_validate_json(version)


def terms_by_day(agreed: Row) -> TermsByDay:
    """Return the terms by day from the row of agreed values."""
    return _terms_by_day(tuple(agreed.get("versions", ())))


@lru_cache(maxsize=1024)
def _terms_by_day(known: tuple[str, ...]) -> TermsByDay:
    return TermsByDay.of(map(_parsed, known))


def item_of(agreed: Row, version: int, item: str) -> Item | None:
    """Return an item of a version of the terms by its name."""
    for each in terms_by_day(agreed).agreed:
        if each.terms_version == version:
            return next((found for found in named(each.items or ()) if found.name == item), None)
    return None


def before_end(agreed: Row, day: str) -> bool:
    """Whether a day lies before the exit takes effect: nothing accrues from then on (C27)."""
    return "ends" not in agreed or day < agreed["ends"]


def _items(agreed: Row, day: str) -> Iterator[tuple[int, str, Item]]:
    """Yield the items in force on a day, with the version of the terms and their names."""
    if before_end(agreed, day):
        yield from _terms_on(agreed, date.fromisoformat(day))


def _terms_on(agreed: Row, day: date) -> Iterator[tuple[int, str, Item]]:
    terms = terms_by_day(agreed)
    for item in terms.items(day):
        yield terms.version(day), item.name or "", item


def _other(agreed: Row, party: str) -> str | None:
    return next((each for each in agreed.get("parties", ()) if each != party), None)


class _Paid(NamedTuple):
    """A sale or a payment of a deal, less its refunds."""

    name: str
    trigger: Trigger
    day: str
    net: Decimal
    currency: str
    by: str
    covers: str


def _paid(deal: Row) -> Iterator[_Paid]:
    back: dict[str, Decimal] = {}
    for payment, amount in deal.get("back", {}).values():
        back[payment] = back.get(payment, Decimal(0)) + Decimal(amount)
    if won := deal.get("won"):
        day, value, currency, by = won
        left = Decimal(value) - sum(back.values(), Decimal(0))
        yield _Paid("sale", Trigger.SALE, day, left, currency, by, day)
    for name, each in sorted(deal.get("payments", {}).items()):
        left = Decimal(each["amount"]) - back.get(name, Decimal(0))
        yield _Paid(
            f"payment {name}",
            Trigger.PAYMENT,
            each["day"],
            left,
            each["currency"],
            each["by"],
            each["covers"],
        )


def _credit(deal: Row, agreed: Row, day: str, policy: AttributionPolicy | None) -> Credit | None:
    if settled := deal.get("settled"):
        return {party: Decimal(share) for party, share in settled.items()}
    claims = [
        Claim(party, method, datetime.fromisoformat(touched))
        for party, method, touched in deal.get("claims", {}).values()
    ]
    return credit(claims, policy or terms_by_day(agreed).policy(date.fromisoformat(day)))


def dues_of_deal(deal: Row, agreed: Row, policy: AttributionPolicy | None) -> list[Due]:
    """Return all dues of a deal (C10, C18)."""
    if "claims" not in deal and "settled" not in deal:
        return []  # Without attribution nothing accrues.
    if not (deal.get("won") or deal.get("payments") or agreed.get("incentives")):
        return []
    facts = list(_paid(deal))
    dues = [
        due
        for fact in facts
        for due in _dues_of_fact(fact, deal, agreed, _credit(deal, agreed, fact.day, policy) or {})
    ]
    dues += _first_payment_fees(facts, deal, agreed, policy)
    return [*dues, *_incentives(deal, agreed, policy)]


def _dues_of_fact(fact: _Paid, deal: Row, agreed: Row, credited: Credit) -> Iterator[Due]:
    month = fact.day[:7]
    for version, name, item in _items(agreed, fact.day):
        details: Row = {"basis": plain(fact.net)}
        match item:
            case RevenueShare(to=to) if item.trigger is fact.trigger:
                weight = credited.get(to, Decimal(0))
                if not weight or not _counts(item, fact, deal):
                    continue
                base = fact.net * weight / HUNDRED
                details |= {"share": plain(item.share), "credited": plain(weight)}
                window, amount = "", rounded(base * item.share / HUNDRED, fact.currency)
                if item.tiers or item.cap is not None:
                    window, amount = _window(item.window, month), base
                yield Due(
                    fact.name, to, amount, fact.currency, month, version, name, details, window
                )
            case RevenueSplit(shares=shares) if item.trigger is fact.trigger and credited:
                other = _other(agreed, fact.by)
                if other is not None:
                    part = split(fact.net, shares, fact.currency)[other]
                    details |= {"share": plain(shares[other])}
                    yield Due(fact.name, other, part, fact.currency, month, version, name, details)
            case ReferralFee(to=to) if item.trigger is fact.trigger is Trigger.SALE:
                if weight := credited.get(to, Decimal(0)):
                    yield _fee(item, weight, fact.name, month, version, name)
            case _:
                pass


def _window(length: str, month: str) -> str:
    return {"month": month, "quarter": quarter_of(month), "year": month[:4]}[length]


def _counts(item: RevenueShare, fact: _Paid, deal: Row) -> bool:
    """Whether a payment counts: all do, or those for the first year from the sale (C10)."""
    if item.basis == "all-payments" or "won" not in deal:
        return True
    return fact.covers < add(date.fromisoformat(deal["won"][0]), FIRST_YEAR).isoformat()


def _fee(  # noqa: PLR0913, PLR0917 - what a due is
    item: ReferralFee, weight: Decimal, fact: str, month: str, version: int, name: str
) -> Due:
    fee = item.fee
    amount = rounded(fee.amount * weight / HUNDRED, fee.currency)
    details: Row = {"basis": plain(fee.amount), "credited": plain(weight)}
    return Due(fact, item.to, amount, fee.currency, month, version, name, details)


def _first_payment_fees(
    facts: list[_Paid], deal: Row, agreed: Row, policy: AttributionPolicy | None
) -> Iterator[Due]:
    """Yield the fees that are due once for a deal, on the first payment that was not reversed."""
    existing = [each for each in facts if each.trigger is Trigger.PAYMENT and each.net > 0]
    if not existing:
        return
    first = min(existing, key=lambda each: (each.day, each.name))
    credited = _credit(deal, agreed, first.day, policy) or {}
    for version, name, item in _items(agreed, first.day):
        if isinstance(item, ReferralFee) and item.trigger is Trigger.PAYMENT:
            weight = credited.get(item.to, Decimal(0))
            if weight:
                yield _fee(item, weight, "first payment", first.day[:7], version, name)


def _incentives(deal: Row, agreed: Row, policy: AttributionPolicy | None) -> Iterator[Due]:
    """Yield the dues of each incentive for a referral that came after it was offered (C23)."""
    if "at" not in deal or not before_end(agreed, deal["at"][:10]):
        return
    credited = _credit(deal, agreed, deal["at"][:10], policy) or {}
    for each in agreed.get("incentives", ()):
        to = _other(agreed, each["by"])
        if to is None or to not in credited or deal["at"] < each["since"]:
            continue
        details = {"basis": each["amount"]}
        month, amount = deal["at"][:7], Decimal(each["amount"])
        name = f"incentive {each['name']}"
        yield Due("referral", to, amount, each["currency"], month, 0, name, details)


def dues_of_entry(entry: Row, agreed: Row, _: AttributionPolicy | None) -> list[Due]:
    """Return what the parties owe each other for joint revenue, shared cost or a penalty (C10)."""
    if "kind" not in entry or not before_end(agreed, entry["day"]):
        return []
    other = _other(agreed, entry["by"])
    if other is None:
        return []
    back = sum(map(Decimal, entry.get("back", {}).values()), Decimal(0))
    net, currency, month = Decimal(entry["amount"]) - back, entry["currency"], entry["day"][:7]
    details: Row = {"basis": plain(net)}
    if entry["kind"] == "penalty":
        version = terms_by_day(agreed).version(date.fromisoformat(entry["day"]))
        return [Due("penalty", other, net, currency, month, version, "penalty", details)]
    version, name, shares = _shares(entry, agreed)
    if not shares:
        return []
    details["share"] = plain(shares[other])
    part = split(net, shares, currency)[other]
    # The party that collected owes the other's part; the party that paid receives it.
    to = other if entry["kind"] == "revenue" else entry["by"]
    return [Due(entry["kind"], to, part, currency, month, version, name, details)]


def _shares(entry: Row, agreed: Row) -> tuple[int, str, dict[str, Decimal]]:
    """Return the shares that apply to an entry: from a joint investment, or from the terms."""
    cost = entry["kind"] == "cost"
    if under := entry.get("under"):
        known = agreed.get("investments", {}).get(under, {})
        shares = known.get("cost" if cost else "reward", {})
        return 0, f"investment {under}", {party: Decimal(x) for party, x in shares.items()}
    for version, name, item in _items(agreed, entry["day"]):
        if cost and isinstance(item, CostShare) and item.cost == entry["cost"]:
            return version, name, item.shares
        if not cost and isinstance(item, RevenueSplit):
            return version, name, item.shares
    return 0, "", {}


# --- what falls due with time ------------------------------------------------------------------


def owes_fees(agreed: CommercialTermsAgreed) -> bool:
    """Whether some item of the terms falls due with time alone."""
    return any(isinstance(item, _FEES) for item in agreed.items or ())


def fees_of_month(agreed: Row, month: str) -> Iterator[Due]:
    """Yield the fees that fall due in a month, each under the terms in force on its day (C10)."""
    start, end = (each.date() for each in bounds(month))
    for day in map(date.fromordinal, range(start.toordinal(), end.toordinal())):
        if not before_end(agreed, day.isoformat()):
            return
        for version, name, item in _terms_on(agreed, day):
            if not isinstance(item, _FEES) or not _falls_due(item, day, agreed):
                continue
            fee = item.base if isinstance(item, Hybrid) else item.fee
            details: Row = {"basis": plain(fee.amount)}
            fact = f"fee of {day}"
            yield Due(fact, item.to, fee.amount, fee.currency, month, version, name, details)


def _falls_due(item: Retainer | LicenceFee | Hybrid, day: date, agreed: Row) -> bool:
    first = terms_by_day(agreed).start or day
    return any(occurrences(first, item.every, day, day + timedelta(days=1)))


def dues_of_window(agreed: Row, windowed: Row, window: str) -> Iterator[Due]:
    """Yield the dues of a closed window: bonuses, shortfalls, fees for clicks and posts (C10).

    The terms are those in force when it began. A window that the exit cuts short is skipped.
    """
    start, end = bounds(window)
    if "ends" in agreed and end.date().isoformat() > agreed["ends"]:
        return
    months = months_of(window)
    length = {1: "month", 3: "quarter", 12: "year"}[len(months)]
    rows = StoredPeriods(windowed.get("periods", {}))
    for version, name, item in _items(agreed, start.date().isoformat()):
        found = _judged(item, length, rows, window, agreed)
        if found is not None:
            to, amount, currency, details = found
            yield Due(window, to, amount, currency, months[-1], version, name, details)


def _judged(
    item: Item, length: str, rows: Rows, window: str, agreed: Row
) -> tuple[str, Decimal, str, Row] | None:
    match item:
        case Hybrid() if item.window == length:
            value = _value(rows, item.bonus_metric, window)
            reached = value is not None and value >= item.bonus_threshold
            amount = item.bonus.amount if reached else Decimal(0)
            to, currency = item.to, item.bonus.currency
            details = {"figure": plain(value or Decimal(0)), "threshold": str(item.bonus_threshold)}
        case Minimum() if item.window == length:
            other = _other(agreed, item.on)
            if other is None:
                return None
            value = _value(rows, item.metric, window) or Decimal(0)
            missing = max(Decimal(0), item.at_least - value)
            times = missing if item.per == "missing" else Decimal(missing > 0)
            amount = rounded(item.fee.amount * times, item.fee.currency)
            to, currency = other, item.fee.currency
            details = {"figure": plain(value), "threshold": str(item.at_least)}
        case ReferralFee() if item.trigger in COUNTED_ON and length == "month":
            value = _value(rows, COUNTED_ON[item.trigger], window) or Decimal(0)
            amount = rounded(item.fee.amount * value, item.fee.currency)
            to, currency = item.to, item.fee.currency
            details = {"basis": plain(item.fee.amount), "figure": plain(value)}
        case _:
            return None
    return to, amount, currency, details


def _value(rows: Rows, metric: str, window: str) -> Decimal | None:
    known = figures.figure(rows, metric, window)
    return known.value if known else None


def metrics_of(agreed: CommercialTermsAgreed) -> Iterator[str]:
    """Yield the metrics that terms depend on; for a counted ratio, those that it divides."""
    for item in agreed.items or ():
        match item:
            case Hybrid():
                names = [item.bonus_metric]
            case Minimum():
                names = [item.metric]
            case ReferralFee() if item.trigger in COUNTED_ON:
                names = [COUNTED_ON[item.trigger]]
            case _:
                names = []
        for name in names:
            yield name
            metric = CATALOGUE[name]
            if metric.counted and metric.adds is Adds.RATIO:
                yield from (metric.numerator, metric.denominator)
