"""Rates of counts: compared with sums of the Poisson distribution and with published tables (C21).

The bounds of Garwood (1936) for 0, 3, 10 and 100 events are in every table of Poisson intervals.
"""

from decimal import Decimal
from math import comb, exp, factorial
from time import perf_counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.comparison import Counts, FixedSample, Tally
from domain.counts import Observed, Range, regularised_gamma
from tests.sweeps import sweep

CLOSE = Decimal("1e-28")
LEVEL = Decimal("0.95")
OBSERVED = st.builds(Observed, st.integers(0, 60), st.integers(1, 60))


def likely(events: int, expected: float) -> float:
    """Return the probability of so many events where so many are expected."""
    return exp(-expected) * expected**events / factorial(events)


@given(st.integers(1, 60), st.integers(1, 1200).map(lambda each: Decimal(each) / 10))
def test_the_incomplete_gamma_function_is_a_sum_of_the_poisson_distribution(
    events: int, expected: Decimal
) -> None:
    fewer = sum((expected**k / factorial(k) for k in range(events)), Decimal(0))

    assert abs(regularised_gamma(Decimal(events), expected) - 1 + fewer * (-expected).exp()) < (
        Decimal("1e-20")
    )
    assert regularised_gamma(Decimal(events), Decimal(0)) == 0


@pytest.mark.parametrize(
    ("events", "low", "high"),
    [
        (0, "0", "3.689"),
        (3, "0.619", "8.767"),
        (10, "4.795", "18.390"),
        (100, "81.364", "121.627"),
    ],
)
def test_the_bounds_of_a_count_are_those_of_the_tables(events: int, low: str, high: str) -> None:
    found = Observed(events, 1).interval(LEVEL)

    assert found.high is not None
    assert (round(found.low, 3), round(found.high, 3)) == (Decimal(low), Decimal(high))


@given(OBSERVED)
def test_a_rate_lies_within_both_of_its_bounds_and_looking_early_costs_width(
    observed: Observed,
) -> None:
    once, always = observed.interval(LEVEL), observed.confidence_sequence(LEVEL)
    rate = Decimal(observed.events) / observed.exposure

    assert once.high is not None
    assert always.high is not None
    assert once.low <= rate <= once.high
    assert always.low <= rate <= always.high
    assert always.high - always.low > once.high - once.low


@given(OBSERVED, OBSERVED)
def test_one_of_two_rates_is_the_higher(one: Observed, other: Observed) -> None:
    assert abs(one.probability_above(other) + other.probability_above(one) - 1) < CLOSE
    assert one.certainly_above(other) <= one.probability_above(other)


def test_without_exposure_nothing_is_known() -> None:
    nothing, some = Observed(), Observed(9, 3)

    assert nothing.probability_above(some) == some.probability_above(nothing) == Decimal("0.5")
    assert some.certainly_above(nothing) == 0
    assert nothing.interval(LEVEL) == Range(Decimal(0), None)
    assert nothing.confidence_sequence(LEVEL) == Range(Decimal(0), None)


def test_what_is_certain_by_the_counts_is_the_p_value_of_the_exact_test() -> None:
    # Of 11 events in equal exposures, one side has 9 or more with this probability.
    exact = Decimal(sum(comb(11, k) for k in range(9, 12))) / 2**11

    certain = Observed(9, 20).certainly_above(Observed(2, 20))

    assert abs(1 - certain - exact) < CLOSE


@pytest.mark.parametrize(("one", "two"), [(1, 1), (5, 5), (4, 12)])
@pytest.mark.parametrize("rate", [0.05, 0.5, 2.0])
def test_of_two_equal_rates_one_wins_in_at_most_the_agreed_share_of_experiments(
    one: int, two: int, rate: float
) -> None:
    """Every outcome is counted, with its probability, in small samples and unequal exposures."""
    most = 60
    wins = 0.0
    for a in range(most):
        for b in range(most):
            chance = likely(a, rate * one) * likely(b, rate * two)
            if chance > 1e-9:
                tallies = {"a": Tally(one, a), "b": Tally(two, b)}
                found = Counts("leads", tallies, FixedSample(trials=1)).winner()
                wins += chance if found else 0

    assert wins <= 0.05


@settings(max_examples=sweep(10, 3))  # Each follows some hundred courses to their end.
@given(st.sampled_from([0.1, 0.7, 3.0]), st.sampled_from(["0.5", "0.8", "0.9"]).map(Decimal))
def test_who_looks_after_every_unit_is_misled_no_more_often_than_agreed(
    rate: float, level: Decimal
) -> None:
    """Every course of up to 12 units is followed, with its probability."""
    courses, misled = {0: 1.0}, 0.0
    for exposure in range(1, 13):
        following: dict[int, float] = {}
        for events, chance in courses.items():
            for more in range(16):
                now = events + more
                following[now] = following.get(now, 0) + chance * likely(more, rate)
        courses = {}
        for events, chance in following.items():
            low, high = Observed(events, exposure).confidence_sequence(level)
            if high is not None and low <= Decimal(rate) <= high:
                courses[events] = chance
            else:
                misled += chance

    assert misled <= 1 - float(level)


def test_a_hundred_million_events_take_little_time_and_more_keep_their_rate() -> None:
    start = perf_counter()
    low, high = Observed(3 * 10**9, 10**9).interval(LEVEL)
    above = Observed(10**9, 10**9).probability_above(Observed(10**9 - 1, 10**9))
    assert perf_counter() - start < 10  # It takes a tenth of that where nobody else works.

    assert high is not None
    assert Decimal("2.99") < low < 3 < high < Decimal("3.01")
    assert Decimal("0.5") < above < Decimal("0.51")
