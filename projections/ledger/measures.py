"""Figures that items depend on: what deals show for a party, and what parties report.

The rules are in docs/settlement.md, Who may state what.

A metric that deals themselves show is counted from them, for the party that brought them. Others
are reported. What one tool reports is never added to what another reports.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

from domain.agreement import CommercialTermsAgreed
from domain.calendar import month_of, months_of
from domain.claims import ClaimKind
from domain.metric_catalogue import CATALOGUE, Adds
from domain.reported_figure import OTHER_CHANNELS
from domain.terms import Hybrid, Item, Minimum, ReferralFee, Trigger
from projections.fold import Rows
from projections.ledger.counting import DEMO, OPPORTUNITY, QUALIFIED, Known
from projections.ledger.deals import DealView
from projections.ledger.rows import CountsRow, Fact, SubjectRow
from projections.standing import months_in, periods_within, standing

CLICKS = {Trigger.CLICK: "clicks", Trigger.POST: "posts"}
"""The metric that a fee for each click or post counts."""

WHOLE = "-"
"""The segment of a figure of the whole, in the key of its fact."""

_STEPS = {
    QUALIFIED: "qualified_leads",
    OPPORTUNITY: "opportunities",
    DEMO: "demos",
}


def counted_metrics(agreed: Iterable[CommercialTermsAgreed]) -> frozenset[str]:
    """Return the metrics that terms of any day count from deals."""
    found = set()
    for version in agreed:
        for item in version.items or ():
            match item:
                case (
                    Hybrid(measured="count", bonus_metric=name)
                    | Minimum(measured="count", metric=name)
                ):
                    metric = CATALOGUE[name]
                    if metric.counted:
                        found |= (
                            {name} if metric.of_deals else {metric.numerator, metric.denominator}
                        )
                case _:
                    pass
    return frozenset(found)


def reported_metrics(items: Iterable[Item]) -> frozenset[str]:
    """Return the metrics whose reported figures move money under any of these items."""
    found = set()
    for item in items:
        match item:
            case ReferralFee(trigger=trigger) if trigger in CLICKS:
                found.add(CLICKS[trigger])
            case Hybrid(bonus_metric=name) | Minimum(metric=name) if is_reported(item):
                found.add(name)
            case _:
                pass
    return frozenset(found)


def is_reported(item: Minimum | Hybrid) -> bool:
    """Return whether reports decide the metric of an item, and not what deals show."""
    name = item.metric if isinstance(item, Minimum) else item.bonus_metric
    return item.measured != "count" or not CATALOGUE[name].counted


# --- what a deal adds --------------------------------------------------------------------------


class Count(NamedTuple):
    """What a deal adds to a count of a month, for a party."""

    metric: str
    month: str
    unit: str
    amount: Fraction


def counts_of(view: DealView) -> Iterator[Count]:
    """Yield what a deal adds to the counts of the party that brought it.

    A step counts as the other side states it first.
    """
    for fact in accepted_leads(view.known):
        if fact.by == view.party:
            yield _one(view, "leads", fact)
    if not view.credit[0]:
        return
    for _, fact in view.known.of(ClaimKind.REFERRAL):
        if fact.by != view.party or view.known.accepted(fact):
            yield _one(view, "attributed_leads", fact)
    for kind, metric in _STEPS.items():
        by_other = [fact for _, fact in view.known.of(kind) if fact.by != view.party]
        for fact in by_other[:1]:
            yield _one(view, metric, fact)
    if view.sales:
        yield from _sold(view)


def accepted_leads(known: Known) -> Iterator[Fact]:
    """Yield the leads of a deal that count towards the minimum of the party that brought them."""
    return (fact for _, fact in known.of(ClaimKind.REFERRAL) if known.accepted(fact))


def _sold(view: DealView) -> Iterator[Count]:
    credit = Fraction(*view.credit)
    for sale in view.sales:
        if not sale.cancelled:
            yield _one(view, "deals_won", sale.win)
            yield _one(view, "won_value", sale.win, Fraction(sale.win.amount) * credit)
    left = {key: view.remains(key) for key, _ in view.payments}
    stands = any(each[-1].amount for each in left.values())
    if view.payments and stands and not view.sales[-1].cancelled:
        yield _one(view, "deals_paid", view.payments[0][1])
    for key, fact in view.payments:
        yield _one(view, "payments", fact, Fraction(left[key][-1].amount) * credit)


def _one(view: DealView, metric: str, fact: Fact, amount: Fraction | None = None) -> Count:
    unit = fact.unit if amount is not None else ""
    return Count(metric, _month(view, fact), unit, Fraction(1) if amount is None else amount)


def _month(view: DealView, fact: Fact) -> str:
    return month_of(view.known.day(fact))


# --- what a window measures --------------------------------------------------------------------


class Measured(NamedTuple):
    """The figure of a window; None if nothing is known. `complete`: every month of it is known."""

    value: Fraction | None
    complete: bool


class Figure(NamedTuple):
    """A reported figure: a value, or a numerator over a denominator."""

    value: Fraction
    divisor: Fraction | None

    def plus(self, other: "Figure") -> "Figure":
        """Return both added up: ratios add numerators and denominators."""
        ratio = self.divisor is not None and other.divisor is not None
        divisor = self.divisor + other.divisor if ratio else None  # type: ignore[operator]
        return Figure(self.value + other.value, divisor)


@dataclass(frozen=True, slots=True)
class Measures:
    """The figures of a partnership, read from the ledger's rows."""

    rows: Rows
    known: Known
    """What is known of no subject: the terms, the parties and the day."""

    def measured(self, item: Minimum | Hybrid, party: str, to: str, window: str) -> Measured:
        """Return the figure of a window, for what a party brought and the other owes `to`."""
        name = item.metric if isinstance(item, Minimum) else item.bonus_metric
        if not is_reported(item):
            return Measured(self._counted(name, party, window, item.currency or ""), complete=True)
        return self.reported(name, to, window, item.source, item.currency)

    def _counted(self, name: str, party: str, window: str, unit: str) -> Fraction | None:
        metric = CATALOGUE[name]
        if metric.of_deals:
            return self._sum(name, party, window, unit)
        divisor = self._sum(metric.denominator, party, window, "")
        if not divisor:
            return None
        return self._sum(metric.numerator, party, window, unit) * metric.scale / divisor

    def _sum(self, metric: str, party: str, window: str, unit: str) -> Fraction:
        total = Fraction(0)
        for month in months_of(window):
            row: CountsRow | None = self.rows.get(f"counts/{month}")
            if row:
                total += Fraction(row.counts.get(f"{metric}|{party}|{unit}", "0"))
        return total

    def reported(
        self, name: str, to: str, window: str, source: str | None, currency: str | None
    ) -> Measured:
        """Return the reported figure of a window, by which a party earns.

        The named tool counts; else the one that covers most months, and of equals the one with the
        lowest figure, because all of them support that much.
        """
        months = len(months_of(window))
        found = [
            (-covered, value)
            for covered, value in self._by_tool(name, to, window, source, currency)
            if covered and value is not None
        ]
        covered, value = min(found, default=(0, None))
        return Measured(value, complete=-covered == months)

    def _by_tool(
        self, name: str, to: str, window: str, source: str | None, currency: str | None
    ) -> Iterator[tuple[int, Fraction | None]]:
        tools: dict[str, dict[str, Figure]] = {}
        for period in periods_within(months_of(window)):
            for tool, figure in self.figures(name, period, to, currency):
                if source in {None, tool}:
                    tools.setdefault(tool, {})[period] = figure
        metric = CATALOGUE[name]
        for by_period in tools.values():
            found = standing(by_period)
            added = _added([by_period[each] for each in found], metric.adds, metric.scale)
            yield months_in(found), added

    def stands(self, item: ReferralFee, name: str, period: str) -> bool:
        """Return whether the figure of a period counts beside the longer and shorter ones."""
        known = [
            each
            for each in periods_within(months_of(period[:4]))
            if any(
                item.source in {None, tool} for tool, _ in self.figures(name, each, item.to, None)
            )
        ]
        return period in standing(known)

    def figures(
        self, name: str, period: str, to: str, currency: str | None
    ) -> Iterator[tuple[str, Figure]]:
        """Yield each tool's figure of a period by which a party earns.

        It is that of the whole, else the sum of its segments.
        """
        row: SubjectRow | None = self.rows.get(f"figure/{name}/{period}")
        if row is None:
            return
        by_tool: dict[str, dict[str, Fact]] = {}
        for key, fact in self.of(row).earning(ClaimKind.FIGURE, to):
            tool, _, segment = key.partition("/")
            if segment != OTHER_CHANNELS and fact.unit in {currency, CATALOGUE[name].unit.value}:
                by_tool.setdefault(tool, {})[segment] = fact
        for tool, segments in by_tool.items():
            facts = [segments[WHOLE]] if WHOLE in segments else segments.values()
            yield tool, _all(facts)

    def of(self, row: SubjectRow) -> Known:
        """Return what is known of a subject."""
        known = self.known
        return Known(row, known.terms, known.parties, known.today, known.settles_from)


def _all(facts: Iterable[Fact]) -> Figure:
    figures = [
        Figure(Fraction(each.amount), None if each.divisor is None else Fraction(each.divisor))
        for each in facts
    ]
    total = figures[0]
    for each in figures[1:]:
        total = total.plus(each)
    return total


def _added(figures: list[Figure], adds: Adds, scale: int) -> Fraction | None:
    """Return the figure of a window from those of its periods, in the order of time."""
    if adds is Adds.LAST:
        return figures[-1].value
    total = figures[0]
    for each in figures[1:]:
        total = total.plus(each)
    if adds is Adds.SUM:
        return total.value
    if total.divisor:
        return total.value * scale / total.divisor
    return total.value if len(figures) == 1 and total.divisor is None else None
