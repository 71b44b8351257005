"""Ordinary least squares on one attribute, in exact arithmetic.

Slope, intercept and the share explained are exact fractions; only roots and the quantile of
Student's t are rounded, in one fixed context, so that every machine gives the same digits.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Context, Decimal, localcontext
from fractions import Fraction

from domain.proportions import regularised_beta

FEWEST = 3
"""The fewest pairs that a line is fitted to: two points always lie on one."""

_ZERO = Fraction(0)
_CONTEXT = Context(prec=40)
_HALF = Decimal("0.5")
_BISECTIONS = 120
"""Halvings of the interval that contains a quantile: more than the digits need."""


@dataclass(frozen=True, slots=True)
class Fit:
    """A line through pairs: y = intercept + slope · x.

    `standard_error` is that of the slope, `interval` its confidence interval of 95 %. A line
    without any scatter has the error 0.
    """

    pairs: int
    slope: Fraction
    intercept: Fraction
    explained: Fraction
    """The share of the variation in y that the line explains (R²), from 0 to 1."""
    standard_error: Decimal
    interval: tuple[Decimal, Decimal]


def fit(pairs: Sequence[tuple[Decimal, Decimal]]) -> Fit | None:
    """Fit a line; None if there are too few pairs, or if all x or all y are the same."""
    count = len(pairs)
    if count < FEWEST:
        return None
    xs, ys = ([Fraction(each) for each in axis] for axis in zip(*pairs, strict=True))
    mean_x, mean_y = sum(xs, _ZERO) / count, sum(ys, _ZERO) / count
    of_x = sum(((x - mean_x) * (x - mean_x) for x in xs), _ZERO)
    of_y = sum(((y - mean_y) * (y - mean_y) for y in ys), _ZERO)
    if not of_x or not of_y:
        return None
    together = sum(((x - mean_x) * (y - mean_y) for x, y in zip(xs, ys, strict=True)), _ZERO)
    slope = together / of_x
    unexplained = of_y - slope * together
    error = _root(unexplained / (count - 2) / of_x)
    with localcontext(_CONTEXT):
        middle, reach = _decimal(slope), t_quantile(Decimal("0.975"), count - 2) * error
        interval = middle - reach, middle + reach
    return Fit(count, slope, mean_y - slope * mean_x, 1 - unexplained / of_y, error, interval)


def _decimal(value: Fraction) -> Decimal:
    with localcontext(_CONTEXT):
        return Decimal(value.numerator) / value.denominator


def _root(value: Fraction) -> Decimal:
    with localcontext(_CONTEXT):
        return _decimal(value).sqrt()


# --- Student's t for whole degrees of freedom --------------------------------------------------


def t_quantile(probability: Decimal, degrees: int) -> Decimal:
    """Return the t that is not exceeded with this probability, from one half up to below 1.

    Found by bisection, to about thirty digits.
    """
    with localcontext(_CONTEXT):
        two_sided = 2 * probability - 1
        low, high = Decimal(0), Decimal(1)
        while _two_sided(high, degrees) < two_sided:
            low, high = high, 2 * high
        for _ in range(_BISECTIONS):
            middle = (low + high) / 2
            if _two_sided(middle, degrees) < two_sided:
                low = middle
            else:
                high = middle
        return (low + high) / 2


def _two_sided(t: Decimal, degrees: int) -> Decimal:
    """Return the probability that T lies between -t and t (DLMF 8.17; A. and S. 26.5.27)."""
    beyond = regularised_beta(degrees / (degrees + t * t), Decimal(degrees) / 2, _HALF)
    return 1 - beyond
