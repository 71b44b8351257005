"""Attribution: to whom a referral is credited, by a policy that both agreed (C18)."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple

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
"""Methods that a customer himself shows: a code is typed in, not inferred."""


class PolicyKind(StrEnum):
    """How competing claims on a referral are weighed."""

    FIRST_TOUCH = "first-touch"
    LAST_TOUCH = "last-touch"
    CODE_WINS = "code-wins"
    SPLIT = "split"


class AttributionPolicy(Value):
    """A policy for competing claims. It is versioned with the terms that it stands in."""

    kind: PolicyKind
    weights: dict[Slug, Percent] | None = None
    """Of a split alone: each party's share of a referral that both claim; they add up to 100."""


class Claim(NamedTuple):
    """One party's claim on a referral."""

    party: str
    method: str
    touched_at: datetime


Credit = Mapping[str, Decimal]
"""Each credited party's share of a referral, in percent."""


def credit(claims: Iterable[Claim], policy: AttributionPolicy | None) -> Credit | None:
    """Give who is credited with a referral; nobody if nobody claims it.

    Gives None for a conflict: several claim it, and the policy (or its absence) cannot tell
    between them. What is not settled accrues to nobody until both settle it.
    """
    existing = list(claims)
    claimants = {each.party for each in existing}
    if not claimants:
        return {}
    if len(claimants) == 1:
        return dict.fromkeys(claimants, ALL)
    if policy is None:
        return None
    if policy.kind is PolicyKind.SPLIT:
        return policy.weights
    winners = _winners(existing, policy.kind)
    return dict.fromkeys(winners, ALL) if len(winners) == 1 else None


def _winners(claims: list[Claim], kind: PolicyKind) -> set[str]:
    if kind is PolicyKind.CODE_WINS:
        return {each.party for each in claims if each.method in CODES}
    wanted = min if kind is PolicyKind.FIRST_TOUCH else max
    moment = wanted(each.touched_at for each in claims)
    return {each.party for each in claims if each.touched_at == moment}
