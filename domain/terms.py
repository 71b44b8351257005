"""Commercial terms: what is paid for what, for how long, and how one leaves (C10, C11)."""

from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from domain.calendar import Duration, Span, add, subtract
from domain.kernel import Refused, Value
from domain.values import Count, Day, Money, Percent, Slug, Text

HUNDRED = Decimal(100)


class Trigger(StrEnum):
    """What makes a payment due (C10)."""

    CLICK = "click"
    SALE = "sale"
    POST = "post"
    PAYMENT = "payment"


class RevenueShare(Value):
    """A share of what a referred client pays (C10): 15 % of first-year subscription revenue."""

    kind: Literal["revenue-share"] = "revenue-share"
    to: Slug
    """The party that earns the share."""
    share: Percent
    basis: Literal["first-year", "all-payments"]
    trigger: Trigger


class RevenueSplit(Value):
    """Joint revenue split between the parties (C10): 70/30, 60/40. Shares add up to 100."""

    kind: Literal["revenue-split"] = "revenue-split"
    shares: dict[Slug, Percent]
    trigger: Trigger


class ReferralFee(Value):
    """A fixed fee for each referral that signs (C10)."""

    kind: Literal["referral-fee"] = "referral-fee"
    to: Slug
    fee: Money
    trigger: Trigger


class Retainer(Value):
    """A fixed fee for each period (C10)."""

    kind: Literal["retainer"] = "retainer"
    to: Slug
    fee: Money
    every: Span


class LicenceFee(Value):
    """A fee for the use of technology (C10)."""

    kind: Literal["licence-fee"] = "licence-fee"
    to: Slug
    fee: Money
    every: Span


class Hybrid(Value):
    """A base fee and a bonus on performance (C10)."""

    kind: Literal["hybrid"] = "hybrid"
    to: Slug
    base: Money
    every: Span
    bonus: Money
    bonus_metric: Slug
    bonus_threshold: Count


class CostShare(Value):
    """Costs borne by both (C10). Shares add up to 100."""

    kind: Literal["cost-share"] = "cost-share"
    cost: Text
    shares: dict[Slug, Percent]


class Penalty(Value):
    """What non-performance costs (C10)."""

    kind: Literal["penalty"] = "penalty"
    on: Slug
    """The party that pays it."""
    condition: Text
    fee: Money


Economics = Annotated[
    RevenueShare
    | RevenueSplit
    | ReferralFee
    | Retainer
    | LicenceFee
    | Hybrid
    | CostShare
    | Penalty,
    Field(discriminator="kind"),
]


class Assets(StrEnum):
    """What becomes of shared assets at exit (C11)."""

    TRANSFER = "transfer"
    RETAIN = "retain"


class Terms(Value):
    """What both parties commit to (C10, C11)."""

    economics: Annotated[list[Economics], Field(min_length=1)]
    minimum_referrals_per_quarter: Count | None = None
    starts_on: Day
    duration: Span
    notice: Duration
    renewal: Literal["mutual-consent"] = "mutual-consent"
    assets_at_exit: Assets
    if_sales_double: Text | None = None

    def ends_on(self) -> date:
        """Give the first day on which these terms no longer hold (C11)."""
        return add(self.starts_on, self.duration)

    def last_notice_day(self) -> date:
        """Give the last day on which notice still ends them on time (C11)."""
        return subtract(self.ends_on(), self.notice)


def check(terms: Terms, parties: tuple[str, ...]) -> None:
    """Raise `Refused` where terms name strangers, do not add up, or leave no time for notice."""
    for item in terms.economics:
        if isinstance(item, RevenueSplit | CostShare):
            check_shares(item.shares, parties)
        else:
            party = item.on if isinstance(item, Penalty) else item.to
            check_parties([party], parties)
    if terms.last_notice_day() < terms.starts_on:
        raise Refused(
            "notice-exceeds-duration",
            f"A notice of {terms.notice} does not fit into a duration of {terms.duration}.",
            "Agree a longer duration or a shorter notice.",
        )


def check_shares(shares: dict[str, Decimal], parties: tuple[str, ...]) -> None:
    """Raise `Refused` unless the shares name the parties and add up to 100 (C10, C26)."""
    check_parties(shares, parties)
    if sum(shares.values()) != HUNDRED:
        total = "+".join(format(share, "f") for share in shares.values())
        raise Refused(
            "splits-add-up",
            f"The shares {total} do not add up to 100.",
            "Give shares that add up to 100 %.",
            shares={party: format(share, "f") for party, share in shares.items()},
        )


def check_parties(named: list[str] | dict[str, Decimal], parties: tuple[str, ...]) -> None:
    """Raise `Refused` where somebody outside the partnership is named."""
    strangers = [party for party in named if party not in parties]
    if strangers:
        raise Refused(
            "unknown-party",
            f"{', '.join(strangers)} is no party of this partnership.",
            f"Name {' or '.join(parties)}.",
        )
