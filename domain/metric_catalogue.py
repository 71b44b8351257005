"""The catalogue of metrics: name, unit, good direction, and how periods add up (C19)."""

from dataclasses import dataclass
from enum import StrEnum

from domain.kernel import Refused
from domain.values import MINOR_UNITS


class Direction(StrEnum):
    """Whether more of it is better."""

    UP = "up"
    DOWN = "down"


class Adds(StrEnum):
    """How the figures of shorter periods make that of a longer one."""

    SUM = "sum"
    """Counts and amounts are added."""
    RATIO = "ratio-of-sums"
    """Numerators and denominators are added, then divided; rates alone cannot be added."""
    LAST = "last"
    """A level: the latest one stands."""


class Unit(StrEnum):
    """What a figure is counted in. Money's unit is its ISO 4217 currency."""

    COUNT = "count"
    PERCENT = "percent"
    MONEY = "money"
    HOURS = "hours"
    MINUTES = "minutes"
    DAYS = "days"
    SCORE = "score"
    RATIO = "ratio"

    def takes(self, unit: str) -> bool:
        """Whether `unit`, as a report gives it, is this one."""
        return unit in MINOR_UNITS if self is Unit.MONEY else unit == self.value

    @property
    def example(self) -> str:
        """How a report writes this unit."""
        return "a currency of ISO 4217, such as USD" if self is Unit.MONEY else f'"{self.value}"'


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric of the catalogue.

    `numerator` and `denominator` say of what a ratio is made; where both are counted from deals,
    they name those counts. A `proportion` never exceeds the whole.
    """

    name: str
    unit: Unit
    direction: Direction
    adds: Adds
    numerator: str = ""
    denominator: str = ""
    counted: bool = False
    proportion: bool = False

    @property
    def scale(self) -> int:
        """Give the factor from the bare ratio to the unit: a percentage is of a hundred."""
        return 100 if self.unit is Unit.PERCENT else 1

    @property
    def of_trials(self) -> bool:
        """Whether it is so many successes of so many trials, of which few say little (C21).

        What is counted from deals is, though the deals of a month may be those of leads before.
        """
        return self.proportion or (self.counted and self.unit is Unit.PERCENT)


_UP, _DOWN = Direction.UP, Direction.DOWN
_COUNT, _PERCENT, _MONEY, _SCORE = Unit.COUNT, Unit.PERCENT, Unit.MONEY, Unit.SCORE


def _sum(
    name: str, unit: Unit = _COUNT, direction: Direction = _UP, *, counted: bool = False
) -> Metric:
    return Metric(name, unit, direction, Adds.SUM, counted=counted)


def _level(name: str, unit: Unit = _COUNT, direction: Direction = _UP) -> Metric:
    return Metric(name, unit, direction, Adds.LAST)


def _share(  # noqa: PLR0913 - the columns of the catalogue
    name: str,
    of: str,
    by: str,
    direction: Direction = _UP,
    *,
    counted: bool = False,
    part: bool = True,
) -> Metric:
    return Metric(name, _PERCENT, direction, Adds.RATIO, of, by, counted=counted, proportion=part)


def _mean(  # noqa: PLR0913 - the columns of the catalogue
    name: str, unit: Unit, of: str, by: str, direction: Direction = _UP, *, counted: bool = False
) -> Metric:
    return Metric(name, unit, direction, Adds.RATIO, of, by, counted=counted)


_METRICS = (
    # The funnel, counted from deals [001].
    _sum("leads", counted=True),
    _sum("attributed_leads", counted=True),
    _sum("qualified_leads", counted=True),
    _sum("opportunities", counted=True),
    _sum("demos", counted=True),
    _sum("deals_won", counted=True),
    _sum("deals_lost", counted=True, direction=_DOWN),
    _sum("deals_paid", counted=True),
    _sum("won_value", _MONEY, counted=True),
    _sum("payments", _MONEY, counted=True),
    _sum("refunds", _MONEY, counted=True, direction=_DOWN),
    _sum("days_to_close", Unit.DAYS, _DOWN, counted=True),
    _share("tagged_share", "attributed_leads", "leads", counted=True),
    _share("lead_to_qualified", "qualified_leads", "leads", counted=True, part=False),
    _share("lead_to_opportunity", "opportunities", "leads", counted=True, part=False),
    _share("lead_to_demo", "demos", "leads", counted=True, part=False),
    _share("demo_to_paid", "deals_won", "demos", counted=True, part=False),
    _share("opportunity_to_win", "deals_won", "opportunities", counted=True, part=False),
    _mean("average_contract_value", _MONEY, "won_value", "deals_won", counted=True),
    _mean("time_to_close", Unit.DAYS, "days_to_close", "deals_won", _DOWN, counted=True),
    # Growth [001].
    _sum("impressions"),
    _sum("clicks"),
    _sum("posts"),
    _sum("referral_traffic"),
    _sum("registrations"),
    _share("demo_request_rate", "demo requests", "registrations"),
    _mean("customer_acquisition_cost", _MONEY, "acquisition spend", "new customers", _DOWN),
    _mean("lifetime_value", _MONEY, "lifetime revenue", "customers"),
    _mean("net_promoter_score", _SCORE, "promoters less detractors, times 100", "respondents"),
    _share("churn_rate", "customers lost", "customers at the start", _DOWN),
    _share("retention_rate", "customers kept", "customers at the start"),
    _sum("new_users"),
    _sum("new_subscribers"),
    _sum("media_mentions"),
    _sum("social_engagements"),
    _sum("joint_talks"),
    # Media [000].
    _sum("attributable_revenue", _MONEY),
    _sum("co_branded_revenue", _MONEY),
    _sum("watch_time", Unit.HOURS),
    _mean("average_watch_time", Unit.MINUTES, "minutes watched", "viewers"),
    _sum("unique_viewers"),
    _share("click_rate", "clicks", "impressions"),
    _share("subscription_conversion", "subscriptions", "visitors"),
    _sum("revenue_share_paid", _MONEY, _DOWN),
    _share("margin", "margin", "revenue", part=False),
    _mean("local_feedback_score", _SCORE, "sum of scores", "respondents"),
    _mean("partner_satisfaction", _SCORE, "sum of scores", "respondents"),
    _share("renewal_rate", "renewed", "up for renewal"),
    # Operations [003].
    _share("return_on_investment", "gain less cost", "cost", part=False),
    _mean("cost_per_acquisition", _MONEY, "spend", "acquisitions", _DOWN),
    _mean("average_order_value", _MONEY, "order value", "orders"),
    _share("profit_margin", "profit", "revenue", part=False),
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
)

CATALOGUE: dict[str, Metric] = {metric.name: metric for metric in _METRICS}
"""Every metric that Accord knows, by name (C19)."""


def proportion(name: str) -> Metric:
    """Give a metric that is so many successes of so many trials (C21). Raises `Refused`."""
    metric = CATALOGUE.get(name)
    if metric is None or not metric.of_trials:
        raise Refused(
            "no-proportion",
            f"{name} is not so many successes of so many trials, so nothing says how much few "
            "of them are worth.",
            "Name one that is: "
            + ", ".join(each.name for each in CATALOGUE.values() if each.of_trials)
            + ".",
            metric=name,
        )
    return metric
