"""Claims: facts that the party that gains by them states. The other party must confirm them."""

from enum import StrEnum


class ClaimKind(StrEnum):
    """The kinds of facts that can be claims."""

    REFERRAL = "referral"
    TOUCH = "touch"
    WIN = "win"
    PAYMENT = "payment"
    REFUND = "refund"
    REVERSAL = "reversal"
    CANCELLATION = "cancellation"
    ENTRY = "entry"
    ENTRY_REVERSAL = "entry-reversal"
    FIGURE = "figure"
    CORRECTION = "correction"
    INCENTIVE = "incentive"
