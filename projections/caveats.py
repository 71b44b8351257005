"""Why a figure has no value, or why it is no evidence: a code and the words of it."""

from dataclasses import dataclass
from enum import StrEnum

from domain.described import described


class CaveatCode(StrEnum):
    """What a caveat of a figure says."""

    NOTHING_TO_DIVIDE_BY = "nothing-to-divide-by"
    """A ratio over 0 (C20)."""
    NO_DENOMINATOR = "no-denominator"
    """A ratio that was reported without its parts."""
    DISPUTED = "disputed"
    """Both parties must agree first, because they state different figures."""
    TRIALS_EXCEEDED = "trials-exceeded"
    """More successes than trials, because the trials were counted in earlier months."""
    TRIALS_NOT_WHOLE = "trials-not-whole"
    """A share with a fraction of a success or of a trial."""
    SCORE_UNCLEAR = "score-unclear"
    """A net promoter score whose bounds include 0."""
    WHOLE_PERIOD = "whole-period"
    """What a tool reported of a quarter or year by itself, beside that of its parts."""
    SUM_OF_PARTS = "sum-of-parts"
    """What a tool reported of the months or quarters, beside that of the whole."""
    TOO_FEW_TO_SHOW = "too-few-to-show"
    """A count below the smallest one that is shown to the viewer (C14)."""
    WITHOUT_SMALL_COUNTS = "without-small-counts"
    """A sum in which such a count is missing (C14)."""
    OVER_WHEN_AGREED = "over-when-agreed"
    """The figure of an objective whose deadline had passed when it was agreed."""
    NOT_RECORDED = "not-recorded"
    """A step of the funnel that nobody records."""


@described
@dataclass(frozen=True, slots=True)
class Caveat:
    """Why a figure has no value, or why it is no evidence."""

    code: CaveatCode
    """Which caveat it is."""
    text: str
    """The same in words."""


def fewer_than(smallest: int) -> Caveat:
    """Return the caveat that stands for a count below the smallest one that is shown."""
    return Caveat(CaveatCode.TOO_FEW_TO_SHOW, f"fewer than {smallest}: not shown")
