"""Exact arithmetic: the one context in which decimals are added, multiplied and rounded.

The context of the standard library has 28 digits. Products of accepted figures have more: rounding
them to a cent then fails, and a sum silently loses digits.
"""

from collections.abc import Callable
from decimal import MAX_EMAX, MIN_EMIN, ROUND_HALF_EVEN, Context, getcontext, localcontext
from functools import wraps
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

DIGITS = 100
"""Digits of a result. An accepted decimal has 24 at most, a sum of 10¹⁵ of them 39, and its product
with a rate, a share and a credit 39 + 24 + 12 + 12."""

EXACT = Context(prec=DIGITS, rounding=ROUND_HALF_EVEN, Emin=MIN_EMIN, Emax=MAX_EMAX)


def exact(function: Callable[P, R]) -> Callable[P, R]:
    """Run a function in the exact context. It must not be a generator, which would leave it."""

    @wraps(function)
    def run(*args: P.args, **given: P.kwargs) -> R:
        # Most calls come from another function that is exact.
        if getcontext().prec == DIGITS:
            return function(*args, **given)
        with localcontext(EXACT):
            return function(*args, **given)

    return run
