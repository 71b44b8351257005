"""What a partnership brings each party in money: revenue, fees, costs, and what is left (C19, C24).

Of each party, in each currency by itself:

- *revenue*: payments of customers, less refunds, and joint revenue that the party collected, after
  what it passed on to the other party and received from it by agreed splits;
- *fees*: what it earned from the other party and owes it by every other item of the terms, by kind:
  retainers, commissions, incentives and so on;
- *costs*: shared costs that it paid, after the other party's part of them;
- *given*: its own contributions with a value in money.

The net contribution is revenue and fees earned, less fees owed, costs and what was given. What one
party owes is what the other earns, so the net contributions of both add up to the money that came
in from outside less the money that went out. Who collected revenue changes no net contribution.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Final, NamedTuple

from domain.arithmetic import exact
from domain.calendar import months_of
from domain.described import described
from domain.metric_catalogue import Unit
from domain.terms import ItemKind, named
from domain.values import Exact
from projections import figures
from projections.fold import Rows
from projections.ledger.book import agreed_versions
from projections.ledger.entries import ADJUSTMENT, COST, REVENUE
from projections.ledger.rows import AGREED, EARNED, TOTALS, AgreedRow, EarnedRow, TotalsRow

_CASH: Final = ("revenue_collected", "costs_paid", "contributed_value")
_ZERO = Decimal(0)
_CENT = Decimal("0.01")


@described
@dataclass(frozen=True, slots=True)
class Fee:
    """What the items of one kind come to between a party and its partner."""

    kind: str
    """The kind of the items, or `adjustment`."""
    earned: Exact
    """What the party earned by them."""
    owed: Exact
    """What the party owes by them."""


@described
@dataclass(frozen=True, slots=True)
class Contribution:
    """What a partnership brings one party in one currency, and what is left of it."""

    id: str
    """The partnership."""
    party: str
    """The party."""
    currency: str
    """The currency, as a code of ISO 4217."""
    revenue: Exact
    """What it collected from customers, less refunds, and joint revenue, after agreed splits."""
    fees: tuple[Fee, ...]
    """What it earned from the other party and owes it, by kind of item."""
    costs: Exact
    """The shared costs that it bears: what it paid, after the other party's part."""
    given: Exact
    """What it gave by itself, as the value of its contributions."""
    net: Exact
    """Revenue and fees earned, less fees owed, costs and what was given."""
    roi_percent: Exact | None
    """The net contribution in percent of what was spent: fees owed, costs and what was given. Null
    if nothing was spent."""

    @property
    def is_known(self) -> bool:
        """Whether there is any amount."""
        return bool(self.revenue or self.costs or self.given or self.earned or self.owed)

    @property
    def earned(self) -> Decimal:
        """What the party earned from the other by items of the terms."""
        return sum((each.earned for each in self.fees), _ZERO)

    @property
    def owed(self) -> Decimal:
        """What the party owes the other by items of the terms."""
        return sum((each.owed for each in self.fees), _ZERO)


@described
@dataclass(frozen=True, slots=True)
class Hours:
    """The working hours that a party contributed."""

    party: str
    """The party."""
    hours: Exact
    """The hours of its contributions in the period."""


@described
@dataclass(frozen=True, slots=True)
class SourcedRevenue:
    """What customers paid on the deals of a party in one currency, less refunds."""

    currency: str
    """The currency, as a code of ISO 4217."""
    sourced: Exact
    """On the deals that it sourced."""
    influenced: Exact
    """On the deals that it influenced."""


@described
@dataclass(frozen=True, slots=True)
class Sourced:
    """The deals that were won which a party sourced, and those that it touched alone (C18)."""

    party: str
    """The party."""
    sourced: Exact
    """The deals won whose referral it submitted."""
    influenced: Exact
    """The deals won that it touched before the win, and whose referral the other submitted."""
    revenue: tuple[SourcedRevenue, ...]
    """What customers paid on them, by currency; empty before a payment."""


class _Line(NamedTuple):
    kind: str
    currency: str
    to: str
    amount: Decimal


@exact
def contributions(
    id: str, kpis: Rows, ledger: Rows, parties: tuple[str, ...], period: str | None = None
) -> list[Contribution]:
    """Return what a partnership brought each party in a period or in all, by party and currency.

    `kpis` and `ledger` are the rows of `KPIS` and of `SETTLEMENT`; of the latter, what was agreed
    and what lines come to suffice.
    """
    lines = list(_lines(ledger, period))
    currencies = {each.currency for each in lines}
    currencies |= {unit for name in _CASH for unit in figures.units(kpis, name)}
    found = [
        _contribution(id, kpis, lines, party, currency, period)
        for party in parties
        for currency in sorted(currencies)
    ]
    known = {each.currency for each in found if each.is_known}
    return [each for each in found if each.currency in known]


def _contribution(  # noqa: PLR0913, PLR0917 - whose, of what, and when
    id: str, kpis: Rows, lines: list[_Line], party: str, currency: str, period: str | None
) -> Contribution:
    collected, paid, given = (_of_party(kpis, name, party, currency, period) for name in _CASH)
    mine: dict[str, Decimal] = {}
    theirs: dict[str, Decimal] = {}
    for each in lines:
        if each.currency == currency:
            sums = mine if each.to == party else theirs
            sums[each.kind] = sums.get(each.kind, _ZERO) + each.amount
    revenue = collected + mine.pop(REVENUE, _ZERO) - theirs.pop(REVENUE, _ZERO)
    costs = paid - mine.pop(COST, _ZERO) + theirs.pop(COST, _ZERO)
    fees = tuple(
        Fee(kind, mine.get(kind, _ZERO), theirs.get(kind, _ZERO))
        for kind in sorted({**mine, **theirs})
    )
    earned = sum((each.earned for each in fees), _ZERO)
    spent = sum((each.owed for each in fees), _ZERO) + costs + given
    net = revenue + earned - spent
    of_spent = (net * 100 / spent).quantize(_CENT, ROUND_HALF_EVEN) if spent > 0 else None
    return Contribution(id, party, currency, revenue, fees, costs, given, net, of_spent)


@exact
def hours(kpis: Rows, parties: tuple[str, ...], period: str | None = None) -> list[Hours]:
    """Return the hours that each party contributed in a period or in all; none if none are known.

    A contribution counts in the period that it names and in longer ones.
    """
    unit = Unit.HOURS.value
    found = [
        Hours(party, _of_party(kpis, "contributed_hours", party, unit, period)) for party in parties
    ]
    return [each for each in found if each.hours]


def sourced(kpis: Rows, parties: tuple[str, ...], period: str | None = None) -> list[Sourced]:
    """Return which won deals each party sourced and influenced, with their revenue by currency."""
    units = figures.units(kpis, _REVENUE[0]) + figures.units(kpis, _REVENUE[1])
    found = [_sourced_by(kpis, party, sorted(set(units)), period) for party in parties]
    return [each for each in found if each.sourced or each.influenced or each.revenue]


_REVENUE: Final = ("revenue_sourced", "revenue_influenced")


def _sourced_by(kpis: Rows, party: str, currencies: list[str], period: str | None) -> Sourced:
    def of(metric: str, unit: str) -> Decimal:
        return _of_party(kpis, metric, party, unit, period)

    count = Unit.COUNT.value
    paid = [SourcedRevenue(unit, *(of(each, unit) for each in _REVENUE)) for unit in currencies]
    return Sourced(
        party,
        of("deals_sourced", count),
        of("deals_influenced", count),
        tuple(each for each in paid if each.sourced or each.influenced),
    )


def _of_party(rows: Rows, metric: str, party: str, unit: str, period: str | None) -> Decimal:
    known = (
        figures.ever(rows, metric, unit, party)
        if period is None
        else figures.figure(rows, metric, period, party, unit)
    )
    return known.value if known is not None and known.value is not None else _ZERO


def _lines(ledger: Rows, period: str | None) -> Iterator[_Line]:
    """Yield the sums of lines of a period or of all, each with the kind of what it was posted for.

    A kind is that of the item, `revenue` or `cost` for what both share, or `adjustment`.
    """
    totals: TotalsRow = ledger.get(TOTALS, TotalsRow())
    agreed: AgreedRow = ledger.get(AGREED, AgreedRow())
    kinds = _kinds(agreed)
    months = None if period is None else months_of(period)
    for year in totals.years:
        row: EarnedRow = ledger.get(f"{EARNED}{year}", EarnedRow())
        for name, amount in row.amounts.items():
            month, item, what, currency, to = name.split("|")
            if months is None or month in months:
                yield _Line(_kind(item, what, kinds), currency, to, amount)


def _kinds(agreed: AgreedRow) -> Mapping[str, ItemKind]:
    """Return the kind of each item that was ever agreed, by name: the latest of a name."""
    return {
        item.name or "": item.kind
        for version in agreed_versions(agreed.terms)
        for item in named(version.items or ())
    } | dict.fromkeys(agreed.offers, ItemKind.INCENTIVE)


def _kind(item: str, what: str, kinds: Mapping[str, ItemKind]) -> str:
    if what in {REVENUE, COST}:
        return what
    kind = kinds.get(item)
    return REVENUE if kind is ItemKind.REVENUE_SPLIT else kind.value if kind else ADJUSTMENT
