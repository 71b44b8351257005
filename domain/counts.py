"""Rates of counts from small samples: exact arithmetic of the Poisson distribution (C21).

A count, such as leads in a week, is compared by its rate: events per unit of exposure. The rules
below are exact for samples of any size if events come independently, at a constant rate. They
need no prior, except to judge at any time. Decimals have 38 digits (`domain.proportions`).

The formulas are from NIST's Digital Library of Mathematical Functions, 8.7 and 8.9 (the incomplete
gamma function).
"""

from decimal import Decimal, localcontext
from functools import lru_cache
from typing import NamedTuple

from domain.proportions import (
    CACHED,
    CONVERGED,
    EXACT,
    MOST_TRIALS,
    NEAR,
    boundary,
    ln_gamma,
    regularised_beta,
)

_ONE = Decimal(1)
_HALF = Decimal("0.5")


class Range(NamedTuple):
    """The lower and the upper bound of a rate; without exposure there is no upper one."""

    low: Decimal
    high: Decimal | None


class Observed(NamedTuple):
    """The events that were counted in so many units of exposure."""

    events: int = 0
    exposure: int = 0

    def probability_above(self, other: "Observed") -> Decimal:
        """Return the probability, from 0 to 1, that this rate is higher than an independent other.

        Beforehand every rate is equally likely, so the rate after `events` has a gamma
        distribution. Without exposure on both sides nothing is known: one half.
        """
        if not (self.exposure and other.exposure):
            return _HALF
        return 1 - _part_below(self, other, self.events + 1, other.events + 1)

    def certainly_above(self, other: "Observed") -> Decimal:
        """Return 1 less the p-value of the exact test that this rate is not higher.

        Of all events of both, those of the first are binomial if the rates are equal, with its
        part of the exposure (Przyborowski and Wilenski 1940). So of equal rates this exceeds 1 - p
        with a probability of at most p, in samples of any size.
        """
        if not (self.events and self.exposure and other.exposure):
            return Decimal(0)
        return 1 - _part_below(self, other, self.events, other.events + 1)

    def interval(self, credibility: Decimal) -> Range:
        """Return the exact bounds of the rate at `credibility`, from 0 to 1 (Garwood 1936)."""
        events, exposure = _scaled(self)
        if not exposure:
            return Range(Decimal(0), None)
        tail = (1 - credibility) / 2
        with localcontext(EXACT):
            low = _quantile(events, tail) / exposure if self.events else Decimal(0)
            return Range(low, _quantile(events + 1, 1 - tail) / exposure)

    def confidence_sequence(self, level: Decimal) -> Range:
        """Return bounds that contain the rate at all times at once, with probability `level`.

        They are the rates that a mixture martingale does not reject (Robbins 1970; Ville's
        inequality). Its prior is exponential: one event is expected in one unit of exposure. The
        bounds are valid whatever the rate is, and narrowest for rates near that.
        """
        events, exposure = _scaled(self)
        if not exposure:
            return Range(Decimal(0), None)
        with localcontext(EXACT):
            # For Gamma(1, 1) the martingale is Γ(1 + n) / (1 + t)^(1 + n) / (r^n e^(-r t)). It
            # rejects r from 1 / (1 - level) on.
            mixture = ln_gamma(1 + events) - (1 + events) * (1 + exposure).ln()
            limit = mixture + (1 - level).ln()

            def is_rejected(rate: Decimal) -> bool:
                likelihood = events * rate.ln() if events else Decimal(0)
                return likelihood - rate * exposure <= limit

            best = events / exposure
            outside = 1 + 2 * best
            while not is_rejected(outside):
                outside *= 2
            low = boundary(is_rejected, Decimal(0), best) if events else Decimal(0)
            return Range(low, boundary(is_rejected, outside, best))


def _scaled(observed: Observed) -> tuple[Decimal, Decimal]:
    """Return the events and the exposure, scaled down to what is computed with."""
    most = max(observed)
    factor = Decimal(MOST_TRIALS) / most if most > MOST_TRIALS else _ONE
    return (observed.events * factor).to_integral_value(), observed.exposure * factor


def _part_below(one: Observed, other: Observed, events: int, others: int) -> Decimal:
    """Return the probability that a Beta(events, others) is at most the first's part of exposure.

    The time is bounded: more events than are computed with are scaled down at the same ratio.
    """
    with localcontext(EXACT):
        part = Decimal(one.exposure) / (one.exposure + other.exposure)
        most = max(events, others)
        factor = Decimal(MOST_TRIALS) / most if most > MOST_TRIALS else _ONE
        return regularised_beta(part, events * factor, others * factor)


def regularised_gamma(a: Decimal, x: Decimal) -> Decimal:
    """Return P(a, x) for positive `a`: the probability that a Gamma(a, 1) is at most `x`.

    For whole numbers, that is the probability of at least `a` events where `x` are expected. The
    time grows with the square root of `a`.
    """
    if x <= 0:
        return Decimal(0)
    with localcontext(EXACT):
        return _regularised(a, x, _weight(a, x, ln_gamma(a)))


def _weight(a: Decimal, x: Decimal, scale: Decimal) -> Decimal:
    """Return x^a e^(-x) / Γ(a), where `scale` is ln Γ(a)."""
    return (a * x.ln() - x - scale).exp()


def _regularised(a: Decimal, x: Decimal, weight: Decimal) -> Decimal:
    # The series converges fast below the mean, the continued fraction above it.
    return weight * _series(a, x) if x < a + 1 else 1 - weight * _fraction(a, x)


def _series(a: Decimal, x: Decimal) -> Decimal:
    """Return the sum of x^k / (a (a + 1) … (a + k)) over k from 0 (DLMF 8.7.1)."""
    term = total = 1 / a
    while term > total * CONVERGED:
        a += 1
        term *= x / a
        total += term
    return total


def _fraction(a: Decimal, x: Decimal) -> Decimal:
    """Return the continued fraction of the upper function, by Lentz's method (DLMF 8.9.2)."""
    below = x + 1 - a
    c, d = 1 / CONVERGED, 1 / below
    value, k, change = d, 0, Decimal(0)
    while abs(change - 1) > CONVERGED:
        k += 1
        part = k * (a - k)
        below += 2
        c, d = below + part / c, 1 / (below + part * d)
        change = c * d
        value *= change
    return value


@lru_cache(CACHED)
def _quantile(a: Decimal, probability: Decimal) -> Decimal:
    """Return the value below which a Gamma(a, 1) lies with `probability`, by Newton's method."""
    with localcontext(EXACT):
        scale = ln_gamma(a)
        low, high = Decimal(0), 2 * a + 10
        while _regularised(a, high, _weight(a, high, scale)) < probability:
            low, high = high, 2 * high
        value, step = min(max(a, low), high), high
        while abs(step) > NEAR and high - low > NEAR:
            weight = _weight(a, value, scale)
            beyond = _regularised(a, value, weight) - probability
            low, high = (low, value) if beyond > 0 else (value, high)
            step = beyond * value / weight
            value -= step
            if not low < value < high:
                # Where the curve is flat the step can leave the interval, so bisect instead.
                step, value = high - low, (low + high) / 2
        return value
