"""Attribution: which party a referral is credited to, by the agreed policy (C18)."""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, NamedTuple

from pydantic import Field

from domain.arithmetic import exact
from domain.kernel import Value
from domain.values import Percent, Slug

ALL = Decimal(100)


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
    """How competing claims on a referral are decided."""

    NONE = "none"
    """By no policy: both parties settle them."""
    FIRST_TOUCH = "first-touch"
    LAST_TOUCH = "last-touch"
    CODE_WINS = "code-wins"
    LINEAR = "linear"
    """Each touch weighs the same."""
    SPLIT = "split"


class AttributionPolicy(Value):
    """A policy for competing claims. It is part of the terms and has their version."""

    kind: PolicyKind
    """Which claims on a deal get the credit."""
    weights: dict[Slug, Percent] | None = None
    """Only for a split: each party's share of a referral that both claim. They add up to 100."""
    window_days: Annotated[int, Field(ge=0, le=9999)] = 0
    """How many days before the conversion a touch still counts; 0 means any number."""


class Claim(NamedTuple):
    """One party's claim on a referral."""

    party: str
    method: str
    touched_at: datetime


Credit = Mapping[str, Decimal]
"""Each credited party's share of a referral, in percent."""


@exact
def credit(claims: Iterable[Claim], policy: AttributionPolicy | None) -> Credit | None:
    """Return each party's credit for a referral; empty if no party claims it.

    Returns None for a conflict: several parties claim it and the policy, if there is one, does not
    decide between them. Nothing accrues until both parties settle it.
    """
    existing = list(claims)
    claimants = {each.party for each in existing}
    if not claimants:
        return {}
    if len(claimants) == 1:
        return dict.fromkeys(claimants, ALL)
    if policy is None or policy.kind is PolicyKind.NONE:
        return None
    if policy.kind is PolicyKind.SPLIT:
        return policy.weights
    if policy.kind is PolicyKind.LINEAR:
        touches = Counter(each.party for each in existing)
        return {party: ALL * count / len(existing) for party, count in touches.items()}
    winners = _winners(existing, policy.kind)
    return dict.fromkeys(winners, ALL) if len(winners) == 1 else None


def _winners(claims: list[Claim], kind: PolicyKind) -> set[str]:
    if kind is PolicyKind.CODE_WINS:
        return {each.party for each in claims if each.method in CODES}
    wanted = min if kind is PolicyKind.FIRST_TOUCH else max
    moment = wanted(each.touched_at for each in claims)
    return {each.party for each in claims if each.touched_at == moment}
