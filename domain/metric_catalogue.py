"""The catalogue of metrics (C19): unit, good direction, how periods add up, which are counted.

This is the one table of metrics. Some are counted from deals, from entries of joint revenue and
shared costs, and from contributions: `projections.counted` says what each adds. The others are
reported.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from difflib import get_close_matches
from enum import StrEnum
from functools import lru_cache
from typing import Literal

from domain.kernel import Refused
from domain.values import MINOR_UNITS, plain

MeasuredBy = Literal["count", "report"]
"""What decides a metric that deals show, as both agreed: the count of deals, or a report.

Other metrics are always reported.
"""


class Direction(StrEnum):
    """The direction in which a metric gets better."""

    UP = "up"
    DOWN = "down"

    @property
    def limit(self) -> str:
        """Return ``at most `` before a target that is a limit, because less is better."""
        return "at most " if self is Direction.DOWN else ""


class Adds(StrEnum):
    """How figures of shorter periods are combined into that of a longer one."""

    SUM = "sum"
    """Counts and amounts are added."""
    RATIO = "ratio-of-sums"
    """Numerators and denominators are added, then divided. Rates alone cannot be added."""
    LAST = "last"
    """A level: the latest one counts."""


class Unit(StrEnum):
    """The units of figures. The unit of money is its ISO 4217 currency."""

    COUNT = "count"
    PERCENT = "percent"
    MONEY = "money"
    HOURS = "hours"
    MINUTES = "minutes"
    DAYS = "days"
    SCORE = "score"
    RATIO = "ratio"

    def takes(self, unit: str) -> bool:
        """Whether `unit`, as a report writes it, is this unit."""
        return unit in MINOR_UNITS if self is Unit.MONEY else unit == self.value

    @property
    def example(self) -> str:
        """How a report writes this unit."""
        return "a currency of ISO 4217, such as USD" if self is Unit.MONEY else f'"{self.value}"'


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric of the catalogue."""

    name: str
    unit: Unit
    direction: Direction
    adds: Adds
    numerator: str = ""
    """What a ratio divides: another metric of the catalogue where deals show it, else words."""
    denominator: str = ""
    proportion: bool = False
    """Whether it is a share of a whole, which it never exceeds."""
    signed: bool = False
    """Whether its figure can be below zero: a margin, a score, money less what was paid back."""
    of_deals: bool = False
    """Whether deals show it: `projections.counted` says what each deal adds."""
    of_entries: bool = False
    """Whether entries of joint revenue or of shared costs show it, in the same way."""
    of_contributions: bool = False
    """Whether the contributions that the parties record show it."""
    by_party: bool = False
    """Whether its segments are the parties."""
    of_respondents: bool = False
    """Whether it is reported as the promoters, passives and detractors of a survey."""

    @property
    def counted(self) -> bool:
        """Whether deals, entries or contributions show it, or deals both parts of its ratio."""
        if self.of_deals or self.of_entries or self.of_contributions:
            return True
        parts = (CATALOGUE.get(self.numerator), CATALOGUE.get(self.denominator))
        return all(each is not None and each.of_deals for each in parts)

    @property
    def counts_all(self) -> bool:
        """Whether each of its facts is recorded here, so that a period without any comes to zero.

        A contribution can be of a quarter, so a month without one says nothing.
        """
        return self.adds is Adds.SUM and (self.of_deals or self.of_entries)

    @property
    def counted_from(self) -> tuple[str, ...]:
        """The metrics of the catalogue whose counts make this one: itself, or what it divides."""
        return tuple(filter(None, (self.name, self.numerator, self.denominator)))

    @property
    def scale(self) -> int:
        """The factor from the ratio to the unit: 100 for a percentage, else 1."""
        return 100 if self.unit is Unit.PERCENT else 1

    @property
    def of_trials(self) -> bool:
        """Whether it counts successes of trials, so that it has a credible interval (C21).

        A share that deals show does, although a deal of one month may be a lead of another.
        """
        return self.proportion or (self.counted and self.unit is Unit.PERCENT)


# --- the catalogue -----------------------------------------------------------------------------


_UP, _DOWN = Direction.UP, Direction.DOWN
_COUNT, _PERCENT, _MONEY, _SCORE = Unit.COUNT, Unit.PERCENT, Unit.MONEY, Unit.SCORE


def _sum(
    name: str, unit: Unit = _COUNT, direction: Direction = _UP, *, signed: bool = False
) -> Metric:
    return Metric(name, unit, direction, Adds.SUM, signed=signed)


def _of_deals(
    name: str, unit: Unit = _COUNT, direction: Direction = _UP, *, signed: bool = False
) -> Metric:
    return Metric(name, unit, direction, Adds.SUM, signed=signed, of_deals=True)


def _of_entries(name: str, direction: Direction) -> Metric:
    return Metric(name, _MONEY, direction, Adds.SUM, signed=True, of_entries=True)


def _of_each_party(metric: Metric) -> Metric:
    return replace(metric, by_party=True)


def _of_contributions(name: str, unit: Unit) -> Metric:
    of_both = Metric(name, unit, Direction.DOWN, Adds.SUM, of_contributions=True)
    return _of_each_party(of_both)


def _level(name: str, unit: Unit = _COUNT, direction: Direction = _UP) -> Metric:
    return Metric(name, unit, direction, Adds.LAST)


def _share(name: str, of: str, by: str, direction: Direction = _UP, *, part: bool = True) -> Metric:
    return Metric(name, _PERCENT, direction, Adds.RATIO, of, by, proportion=part)


def _gain(name: str, of: str, by: str) -> Metric:
    return Metric(name, _PERCENT, _UP, Adds.RATIO, of, by, signed=True)


def _mean(name: str, unit: Unit, of: str, by: str, direction: Direction = _UP) -> Metric:
    return Metric(name, unit, direction, Adds.RATIO, of, by)


METRIC_GROUPS: Mapping[str, tuple[Metric, ...]] = {
    # Counted from deals [001].
    "The funnel": (
        _of_deals("leads"),
        _of_deals("attributed_leads"),
        _of_deals("qualified_leads"),
        _of_deals("opportunities"),
        _of_deals("demos"),
        _of_deals("deals_won"),
        _of_deals("deals_lost", direction=_DOWN),
        _of_deals("deals_paid"),
        _of_deals("won_value", _MONEY),
        _of_deals("payments", _MONEY),
        _of_deals("refunds", _MONEY, _DOWN, signed=True),
        _of_deals("days_to_close", Unit.DAYS, _DOWN),
        _share("tagged_share", "attributed_leads", "leads"),
        _share("lead_to_qualified", "qualified_leads", "leads", part=False),
        _share("lead_to_opportunity", "opportunities", "leads", part=False),
        _share("lead_to_demo", "demos", "leads", part=False),
        _share("demo_to_won", "deals_won", "demos", part=False),
        _share("demo_to_paid", "deals_paid", "demos", part=False),
        _share("opportunity_to_win", "deals_won", "opportunities", part=False),
        _mean("average_contract_value", _MONEY, "won_value", "deals_won"),
        _mean("time_to_close", Unit.DAYS, "days_to_close", "deals_won", _DOWN),
    ),
    # Entries that both parties can record (C10, C26).
    "Joint entries": (
        _of_entries("joint_revenue", _UP),
        _of_entries("shared_costs", _DOWN),
    ),
    # What each party sourced, touched, collected, paid and gave (C18, C24).
    "Each party": (
        _of_each_party(_of_deals("deals_sourced")),
        _of_each_party(_of_deals("deals_influenced")),
        _of_each_party(_of_deals("revenue_sourced", _MONEY, signed=True)),
        _of_each_party(_of_deals("revenue_influenced", _MONEY, signed=True)),
        _of_each_party(_of_entries("revenue_collected", _UP)),
        _of_each_party(_of_entries("costs_paid", _DOWN)),
        _of_contributions("contributed_value", _MONEY),
        _of_contributions("contributed_hours", Unit.HOURS),
    ),
    # Growth [001].
    "Growth": (
        _sum("impressions"),
        _sum("clicks"),
        _sum("posts"),
        _sum("referral_traffic"),
        _sum("registrations"),
        _share("demo_request_rate", "demo requests", "registrations"),
        _mean("customer_acquisition_cost", _MONEY, "acquisition spend", "new customers", _DOWN),
        _mean("lifetime_value", _MONEY, "lifetime revenue", "customers"),
        replace(
            _mean(
                "net_promoter_score", _SCORE, "promoters less detractors, times 100", "respondents"
            ),
            signed=True,
            of_respondents=True,
        ),
        _share("churn_rate", "customers lost", "customers at the start", _DOWN),
        _share("retention_rate", "customers kept", "customers at the start"),
        _sum("new_users"),
        _sum("new_subscribers"),
        _sum("media_mentions"),
        _sum("social_engagements"),
        _sum("joint_talks"),
    ),
    # Media [000].
    "Media": (
        _sum("attributable_revenue", _MONEY, signed=True),
        _sum("co_branded_revenue", _MONEY, signed=True),
        _sum("watch_time", Unit.HOURS),
        _mean("average_watch_time", Unit.MINUTES, "minutes watched", "viewers"),
        _sum("unique_viewers"),
        _share("click_rate", "clicks", "impressions"),
        _share("subscription_conversion", "subscriptions", "visitors"),
        _sum("revenue_share_paid", _MONEY, _DOWN, signed=True),
        _gain("margin", "margin", "revenue"),
        _mean("local_feedback_score", _SCORE, "sum of scores", "respondents"),
        _mean("partner_satisfaction", _SCORE, "sum of scores", "respondents"),
        _share("renewal_rate", "renewed", "up for renewal"),
    ),
    # Operations [003].
    "Operations": (
        _gain("return_on_investment", "gain less cost", "cost"),
        _mean("cost_per_acquisition", _MONEY, "spend", "acquisitions", _DOWN),
        _mean("average_order_value", _MONEY, "order value", "orders"),
        _gain("profit_margin", "profit", "revenue"),
        _sum("cost_savings", _MONEY, signed=True),
        _share("adoption_rate", "active users", "users"),
        _mean("delivery_time", Unit.HOURS, "hours to deliver", "deliveries", _DOWN),
        _share("order_accuracy", "right orders", "orders"),
        _mean("support_response_time", Unit.HOURS, "hours to answer", "tickets", _DOWN),
        _share("uptime", "minutes up", "minutes"),
        _sum("support_tickets", direction=_DOWN),
        _sum("web_visits"),
        _share("bounce_rate", "single-page visits", "visits", _DOWN),
        _mean("time_on_site", Unit.MINUTES, "minutes on site", "visits"),
        _level("followers"),
        _mean("app_rating", _SCORE, "sum of ratings", "ratings"),
        _mean("internal_survey_score", _SCORE, "sum of scores", "respondents"),
    ),
}
"""The metrics of the catalogue by what they are about."""

Catalogue = Mapping[str, Metric]
"""Metrics by name."""

CATALOGUE: dict[str, Metric] = {
    metric.name: metric for group in METRIC_GROUPS.values() for metric in group
}
"""Every metric that each partnership has, by name (C19)."""

NO_METRICS: Catalogue = {}


def known(name: str, field: str = "", own: Catalogue = NO_METRICS) -> Metric:
    """Return a metric of the catalogue, or of the parties' `own`.

    Raises `Refused` if there is none with this name; `field` is the field that named it.
    """
    metric = CATALOGUE.get(name) or own.get(name)
    if metric is None:
        near = _alike(name, (*CATALOGUE, *own))
        hint = f"Use {' or '.join(near)}, or another" if near else "Use a"
        raise Refused(
            "unknown-metric",
            f"Only metrics of the catalogue, and those that both agreed, can be used. {name} is "
            "none of them.",
            f"{hint} metric of the catalogue (the answer metrics lists it), or agree one of your "
            "own (ProposeMetric).",
            field=field,
        )
    return metric


@lru_cache(1000)
def _alike(name: str, names: tuple[str, ...]) -> tuple[str, ...]:
    # `possible` decides the same examples again and again, and some name a metric of elsewhere.
    return tuple(get_close_matches(name, names, 3, 0.5))


def in_unit(value: Decimal, unit: str) -> str:
    """Return a value with its unit, without the zeros at its end unless it is money."""
    whole = value == value.to_integral()
    short = value.quantize(Decimal(1)) if whole else value.normalize()
    return with_unit(plain(value if unit in MINOR_UNITS else short), unit)


def with_unit(number: str, unit: str) -> str:
    """Return a number with its unit: ``30``, ``15 %``, ``12500.00 USD``, ``7 days``."""
    if unit == Unit.COUNT:
        return number
    return f"{number} {'%' if unit == Unit.PERCENT else unit}"


def metric_words(name: str, segment: str | None = None) -> str:
    """Return a metric in words, with the part that it is about: ``co-branded revenue in spain``."""
    words = name.replace("co_", "co-", name.startswith("co_")).replace("_", " ")
    return f"{words} in {segment}" if segment else words


def check_currency(name: str, currency: str | None, own: Catalogue = NO_METRICS) -> None:
    """Raise `Refused` unless a number has a currency where its metric is money, and only there.

    A metric of money has figures in several currencies; the currency says which are compared.
    """
    is_money = known(name, own=own).unit is Unit.MONEY
    if is_money is not (currency is not None):
        raise Refused(
            "currency-of-a-metric",
            f"Only a metric of money has a currency, and it needs one. {name} was given "
            f"{'without one' if is_money else f'with {currency}'}.",
            "Name the currency of the number." if is_money else "Leave the currency out.",
        )


SEGMENTED = "leads"
"""The metric that deals show by campaign. Those of each party are shown by party."""


def check_segment(
    name: str, segment: str | None, measured: MeasuredBy, own: Catalogue = NO_METRICS
) -> None:
    """Raise `Refused` unless figures of a segment can decide.

    Tools report any metric by segment. What is counted has segments only where they are parties
    (`by_party`), or the campaigns of leads.
    """
    metric = known(name, own=own)
    if segment is None or measured == "report" or not metric.counted:
        return
    if name == SEGMENTED or metric.by_party:
        return
    raise Refused(
        "segment-not-counted",
        f"What is counted of {name} has no segments, so it cannot decide about {segment}.",
        'Agree that a report decides ("measured": "report"), or leave the segment out.',
        segment=segment,
    )


def check_threshold(name: str, currency: str | None, measured: MeasuredBy) -> None:
    """Raise `Refused` unless a metric can have a minimum, or a bonus from a threshold on.

    Of the metric more is better. Money has a currency (`check_currency`). The ledger counts what a
    party brought in deals for it, no entries, and no figures of each party.
    """
    check_currency(name, currency)
    if known(name).of_entries and measured == "count":
        raise Refused(
            "entries-decide-no-fee",
            "A bonus and a minimum count deals, or a reported figure. "
            f"{name} is counted from entries.",
            'Agree that a report decides ("measured": "report"), or share the entries out.',
        )
    if known(name).by_party and known(name).of_deals and measured == "count":
        raise Refused(
            "figures-by-party-decide-no-fee",
            "A bonus and a minimum count what one party brought, or a reported figure. "
            f"{name} is shown for each party.",
            "Use deals_won, deals_paid or payments, or agree that a report decides "
            '("measured": "report").',
        )
    if known(name).direction is not Direction.UP:
        raise Refused(
            "less-is-better",
            "A bonus and a minimum need a metric of which more is better. Of "
            f"{name} less is better.",
            "Use another metric, or agree a decision rule for this one (ProposeDecisionRule).",
        )


def is_count(metric: Metric) -> bool:
    """Whether a metric counts events, so that it has a rate per unit of exposure (C21)."""
    return metric.unit is Unit.COUNT and metric.adds is Adds.SUM


def proportion(name: str, own: Catalogue = NO_METRICS) -> Metric:
    """Return a metric that counts successes of trials (C21). Raises `Refused` for another."""
    metric = CATALOGUE.get(name) or own.get(name)
    if metric is None or not metric.of_trials:
        every = (*CATALOGUE.values(), *own.values())
        usable = ", ".join(each.name for each in every if each.of_trials)
        raise Refused(
            "no-proportion",
            f"The metric must count successes of trials, so that small samples can be judged. "
            f"{name} does not.",
            f"Use one of these metrics: {usable}.",
            metric=name,
        )
    return metric
