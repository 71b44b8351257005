"""Claims: facts that a party states to its own gain, which the other party must confirm."""

from enum import StrEnum


class ClaimKind(StrEnum):
    """The kinds of fact that are claims where the party that gains by them states them."""

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
