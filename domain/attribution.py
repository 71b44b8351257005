"""Attribution: which party a referral is credited to, by the agreed policy (C18)."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from domain.kernel import Value
from domain.values import Percent, Slug


class Method(StrEnum):
    """How a referral is tied to a party (C18)."""

    UTM = "utm"
    REFERRAL_CODE = "referral-code"
    PROMO_CODE = "promo-code"
    LANDING_PAGE = "landing-page"
    MANUAL = "manual"


CODES = frozenset({Method.REFERRAL_CODE, Method.PROMO_CODE})
"""The methods in which the customer enters a code, so that nothing is inferred."""


class PolicyKind(StrEnum):
    """How competing touches of a lead are decided."""

    NONE = "none"
    """By no policy: both parties settle who is credited."""
    FIRST_TOUCH = "first-touch"
    LAST_TOUCH = "last-touch"
    CODE_WINS = "code-wins"
    LINEAR = "linear"
    """Each touch weighs the same."""
    SPLIT = "split"


class AttributionPolicy(Value):
    """How a deal is credited that both parties touched. It is part of the frame of the terms."""

    kind: PolicyKind
    """Which touches get the credit."""
    weights: dict[Slug, Percent] | None = None
    """Only for a split: each party's share of a deal that both touched. They add up to 100."""
    window_days: Annotated[int, Field(ge=0, le=9999)] = 0
    """How many days before the conversion a touch still counts; 0 means any number."""
