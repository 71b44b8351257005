"""Rates from small samples: exact arithmetic of the beta distribution (C20, C21).

The posterior of a rate after some trials is a beta distribution with whole parameters; from it come
the mean and the credible interval. Everything is computed in decimals of 38 digits, and `decimal`
rounds `ln` and `exp` correctly, so every machine gives the same digits.

Rates are proportions from 0 to 1. The formulas are from NIST's Digital Library of Mathematical
Functions, 5.11 (Stirling's series) and 8.17 (the incomplete beta function).
"""

from collections.abc import Callable
from decimal import ROUND_HALF_EVEN, Context, Decimal, localcontext
from fractions import Fraction
from functools import lru_cache
from math import comb
from typing import NamedTuple

EXACT = Context(prec=38, rounding=ROUND_HALF_EVEN, Emin=-(10**9), Emax=10**9)
"""Decimals of 38 digits, in which every probability is computed."""

_ONE = Decimal(1)
_HALF = Decimal("0.5")
CONVERGED = Decimal("1e-32")
"""A series ends where its next term is a smaller part of it."""

NEAR = Decimal("1e-9")
"""The largest error of a quantile or a bound: a ten-millionth of a percentage point."""

MOST_TRIALS = 10**8
"""The largest number of trials that is computed with. More trials are scaled down to it at the same
rate, which bounds the time; the interval is then slightly wider than necessary."""

CACHED = 4096
"""The number of quantiles and bounds that are cached, of each kind."""

_DIGITS = Decimal("0.0001")
"""The precision of probabilities, and of rates in percent, as they are shown."""


def rounded(probability: Decimal) -> Decimal:
    """Round a probability, from 0 to 1, to four digits."""
    return probability.quantize(_DIGITS, ROUND_HALF_EVEN)


def in_percent(rate: Decimal) -> Decimal:
    """Return a proportion in percent, to four digits."""
    return (rate * 100).quantize(_DIGITS, ROUND_HALF_EVEN)


# --- the incomplete beta function --------------------------------------------------------------


def _bernoulli(count: int) -> list[Fraction]:
    """Return the Bernoulli numbers from B(0) to B(count)."""
    numbers: list[Fraction] = []
    for at in range(count + 1):
        below = sum((comb(at + 1, k) * each for k, each in enumerate(numbers)), Fraction(0))
        numbers.append(Fraction(1) if at == 0 else -below / (at + 1))
    return numbers


_TERMS = 16
_SHIFTED = 40
"""From this argument on, `_TERMS` terms of Stirling's series are exact to 38 digits."""

with localcontext(EXACT):
    _STIRLING = [
        Decimal(each.numerator) / (each.denominator * (2 * k + 1) * (2 * k + 2))
        for k, each in enumerate(_bernoulli(2 * _TERMS)[2::2])
    ]
    _PI = Decimal("3.1415926535897932384626433832795028841972")
    _LN_ROOT_2_PI = (2 * _PI).ln() / 2


def ln_gamma(x: Decimal) -> Decimal:
    """Return ln Γ(x) for a positive `x`."""
    product = _ONE
    while x < _SHIFTED:
        product *= x
        x += 1
    inverse_square = 1 / (x * x)
    series = Decimal(0)
    for term in reversed(_STIRLING):
        series = series * inverse_square + term
    return (x - _HALF) * x.ln() - x + _LN_ROOT_2_PI + series / x - product.ln()


def _ln_beta(a: Decimal, b: Decimal) -> Decimal:
    return ln_gamma(a) + ln_gamma(b) - ln_gamma(a + b)


def regularised_beta(x: Decimal, a: Decimal, b: Decimal) -> Decimal:
    """Return I_x(a, b) for positive `a` and `b`: the probability that a Beta(a, b) is at most `x`.

    For whole numbers, that is the probability that at least `a` of ``a + b - 1`` trials of rate `x`
    succeed. The time grows with the square root of the larger parameter.
    """
    if x <= 0:
        return Decimal(0)
    if x >= 1:
        return Decimal(1)
    with localcontext(EXACT):
        return _regularised(x, a, b, _weight(x, a, b, _ln_beta(a, b)))


def _weight(x: Decimal, a: Decimal, b: Decimal, scale: Decimal) -> Decimal:
    """Return x^a (1 - x)^b / B(a, b), where `scale` is ln B(a, b)."""
    return (a * x.ln() + b * (1 - x).ln() - scale).exp()


def _regularised(x: Decimal, a: Decimal, b: Decimal, weight: Decimal) -> Decimal:
    # The continued fraction converges fast below the mean.
    if x * (a + b + 2) < a + 1:
        return weight * _fraction(x, a, b) / a
    return 1 - weight * _fraction(1 - x, b, a) / b


def _fraction(x: Decimal, a: Decimal, b: Decimal) -> Decimal:
    """Return the continued fraction of the incomplete beta function, by Lentz's method."""
    both, above, below = a + b, a + 1, a - 1
    c, d = _ONE, 1 / (1 - both * x / above)
    value, m, change = d, 0, Decimal(0)
    while abs(change - 1) > CONVERGED:
        m += 1
        even = m * (b - m) * x / ((below + 2 * m) * (a + 2 * m))
        c, d = 1 + even / c, 1 / (1 + even * d)
        value *= c * d
        odd = -(a + m) * (both + m) * x / ((a + 2 * m) * (above + 2 * m))
        c, d = 1 + odd / c, 1 / (1 + odd * d)
        change = c * d
        value *= change
    return value


# --- the distribution of a rate ----------------------------------------------------------------


class Interval(NamedTuple):
    """The lower and the upper bound of a rate."""

    low: Decimal
    high: Decimal


class Beta(NamedTuple):
    """The distribution of a rate after so many successes and failures, each at least 1.

    ``Beta(1, 1)`` is the uniform distribution: every rate is equally likely (C21).
    """

    successes: int
    failures: int

    def after(self, successes: int, trials: int) -> "Beta":
        """Return the distribution after `successes` of `trials` more trials."""
        if trials > MOST_TRIALS:
            successes, trials = successes * MOST_TRIALS // trials, MOST_TRIALS
        return Beta(self.successes + successes, self.failures + trials - successes)

    @property
    def mean(self) -> Decimal:
        """The expected rate."""
        with localcontext(EXACT):
            return Decimal(self.successes) / (self.successes + self.failures)

    def probability_below(self, rate: Decimal) -> Decimal:
        """Return the probability that the rate is below `rate`."""
        return _below(self, rate)

    def interval(self, credibility: Decimal) -> Interval:
        """Return the equal-tailed interval that contains the rate with `credibility` (0 to 1)."""
        tail = (1 - credibility) / 2
        return Interval(_quantile(self, tail), _quantile(self, 1 - tail))

    def interval_after(self, successes: int, trials: int, credibility: Decimal) -> Interval:
        """Return the interval of the rate after `successes` of `trials` more trials.

        It is equal-tailed (`interval`). Where no trial succeeded it reaches down to 0, and where
        none failed up to 1: the rate that was observed is always possible, and its own interval
        must not exclude it.
        """
        low, high = self.after(successes, trials).interval(credibility)
        if trials and successes == 0:
            low = Decimal(0)
        if trials and successes == trials:
            high = _ONE
        return Interval(low, high)

    def certainly_above(self, other: "Beta") -> Decimal:
        """Return the probability that this rate is higher, with the doubt against this rate.

        One success less counts here and one failure less there. For the uniform prior, 1 less this
        is the p-value of Fisher's exact test (Altham 1969), so of equal rates it exceeds 1 - p with
        a probability of at most p, in samples of any size. Equal pseudo-trials on both sides, as a
        prior of both has them, make it smaller still.
        """
        if self.successes == 1 or other.failures == 1:
            return Decimal(0)
        less, more = (
            Beta(self.successes - 1, self.failures),
            Beta(other.successes, other.failures - 1),
        )
        return less.probability_above(more)

    def probability_above(self, other: "Beta") -> Decimal:
        """Return the probability that this rate is higher than an independent `other`."""
        # The sum is shorter, and converges faster, for the rate that is less likely the higher.
        if self.mean <= other.mean:
            return _exceeds(self, other)
        with localcontext(EXACT):
            return 1 - _exceeds(other, self)


UNIFORM = Beta(1, 1)
"""The distribution of a rate without data (C21)."""


@lru_cache(CACHED)
def _below(belief: Beta, rate: Decimal) -> Decimal:
    return regularised_beta(rate, Decimal(belief.successes), Decimal(belief.failures))


@lru_cache(CACHED)
def _quantile(belief: Beta, probability: Decimal) -> Decimal:
    """Return the rate below which the true rate lies with `probability`, by Halley's method."""
    a, b = Decimal(belief.successes), Decimal(belief.failures)
    with localcontext(EXACT):
        scale = _ln_beta(a, b)
        low, high, rate, step = Decimal(0), _ONE, a / (a + b), _ONE
        while abs(step) > NEAR and high - low > NEAR:
            weight = _weight(rate, a, b, scale)
            beyond = _regularised(rate, a, b, weight) - probability
            low, high = (low, rate) if beyond > 0 else (rate, high)
            newton = beyond * rate * (1 - rate) / weight
            bend = newton * ((a - 1) / rate - (b - 1) / (1 - rate)) / 2
            step = newton / max(_HALF, 1 - bend)
            rate -= step
            if not low < rate < high:
                # Where the curve is flat the step can leave the interval, so bisect instead.
                step, rate = high - low, (low + high) / 2
        return rate


def _exceeds(one: Beta, other: Beta) -> Decimal:
    """Return the probability that `one` exceeds `other`, as a sum over the successes of `one`.

    The terms are the probabilities of a beta negative binomial distribution. They are summed from
    the last to the first, and decrease in that order if `one` is less likely to be the higher.
    """
    with localcontext(EXACT):
        a, b = Decimal(other.successes), Decimal(other.failures)
        failures = Decimal(one.failures)
        last = Decimal(one.successes - 1)
        term = (
            _ln_beta(a + last, b + failures)
            - _ln_beta(a, b)
            - _ln_beta(1 + last, failures)
            - (failures + last).ln()
        ).exp()
        total, both = term, a + b + failures
        for i in range(one.successes - 1, 0, -1):
            term *= i * (both + i - 1) / ((a + i - 1) * (failures + i - 1))
            total += term
            if term * i < total * CONVERGED:
                break
        return total


# --- bounds for judging at any time ------------------------------------------------------------


@lru_cache(CACHED)
def confidence_sequence(
    successes: int, trials: int, level: Decimal, prior: Beta = UNIFORM
) -> Interval:
    """Return bounds that contain the rate at all times at once, with probability `level` (0 to 1).

    Judging after every trial, and stopping when the bounds allow it, errs no more often than
    judging once. The bounds are the rates that the mixture martingale of a prior does not reject
    (Robbins 1970; Ville's inequality). Any prior chosen beforehand is valid; a better one gives
    narrower bounds. Without trials the bounds are 0 and 1.
    """
    if trials > MOST_TRIALS:
        successes, trials = successes * MOST_TRIALS // trials, MOST_TRIALS
    failures = trials - successes
    with localcontext(EXACT):
        # For Beta(a, b) the martingale is B(a + s, b + f) / B(a, b) / (p^s (1 - p)^f). It rejects
        # p from 1 / (1 - level) on.
        after = prior.after(successes, trials)
        mixture = _ln_beta(*map(Decimal, after)) - _ln_beta(*map(Decimal, prior))
        limit = mixture + (1 - level).ln()

        def is_rejected(rate: Decimal) -> bool:
            likelihood = Decimal(0)
            likelihood += successes * rate.ln() if successes else 0
            likelihood += failures * (1 - rate).ln() if failures else 0
            return likelihood <= limit

        best = Decimal(successes) / trials if trials else _HALF
        low = boundary(is_rejected, Decimal(0), best) if successes else Decimal(0)
        high = boundary(is_rejected, Decimal(1), best) if failures else Decimal(1)
        return Interval(low, high)


def boundary(is_rejected: Callable[[Decimal], bool], outside: Decimal, inside: Decimal) -> Decimal:
    """Return the last rate that is rejected, between one that is rejected and one that is not."""
    while abs(inside - outside) > NEAR:
        middle = (inside + outside) / 2
        if is_rejected(middle):
            outside = middle
        else:
            inside = middle
    return outside
