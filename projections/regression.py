"""Ordinary least squares on one attribute, exactly: what a few partners can say, and how surely.

Slope, intercept and the share explained are exact fractions; only roots and the quantile of
Student's t are rounded, in one fixed context, so that every machine gives the same digits.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Context, Decimal, localcontext
from fractions import Fraction

FEWEST = 3
"""Pairs below which nothing is left to judge a line by: two points always lie on one."""

_ZERO = Fraction(0)
_CONTEXT = Context(prec=40)
_BISECTIONS = 120
"""Halvings of the interval in which a quantile lies: more than enough for the digits kept."""


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
    """Fit a line; nothing where there are too few pairs, or x or y is the same in all of them."""
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
    """Give the t that is not exceeded with this probability, from one half up to below 1.

    Found by bisection, to about thirty digits.
    """
    with localcontext(_CONTEXT):
        within = 2 * probability - 1
        low, high = Decimal(0), Decimal(1)
        while _within(high, degrees) < within:
            low, high = high, 2 * high
        for _ in range(_BISECTIONS):
            middle = (low + high) / 2
            if _within(middle, degrees) < within:
                low = middle
            else:
                high = middle
        return (low + high) / 2


def _within(t: Decimal, degrees: int) -> Decimal:
    """Give the probability that T lies between -t and t (Abramowitz and Stegun, 26.7.3, 26.7.4).

    With n degrees and θ = arctan(t/√n), it is a finite sum of powers of cos θ, another for odd n
    than for even.
    """
    root = Decimal(degrees).sqrt()
    length = (t * t + degrees).sqrt()
    sine, cosine = t / length, root / length
    odd = degrees % 2
    term = cosine if odd else Decimal(1)
    total = term if degrees > 1 else Decimal(0)
    for power in range(2 + odd, degrees - 1, 2):
        term *= cosine * cosine * (power - 1) / power
        total += term
    return 2 / _PI * (_arctan(t / root) + sine * total) if odd else sine * total


def _arctan(x: Decimal) -> Decimal:
    """Give the arc whose tangent is x, by halving it until the series is short."""
    halvings = 6
    for _ in range(halvings):
        x /= 1 + (1 + x * x).sqrt()
    total, term, odd = Decimal(0), x, 1
    while total + term / odd != total:
        total += term / odd
        term *= -x * x
        odd += 2
    return total * (1 << halvings)


with localcontext(_CONTEXT):
    _PI = 4 * _arctan(Decimal(1))
