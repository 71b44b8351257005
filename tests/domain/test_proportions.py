"""What few trials say of a rate: held to exact fractions, to the laws, to the documents' numbers.

The documents' three webinars gave 12 of 150, 3 of 80 and 0 of 40 [001].
"""

from decimal import ROUND_HALF_EVEN, Decimal
from fractions import Fraction
from math import comb
from time import perf_counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.proportions import (
    MOST_TRIALS,
    UNIFORM,
    Beta,
    confidence_sequence,
    regularised_beta,
)
from tests.sweeps import sweep

CLOSE = Decimal("1e-28")
NEAR = Decimal("1e-8")
"""A millionth of a percentage point."""

COUNTS = st.integers(1, 60)
BELIEFS = st.builds(Beta, COUNTS, COUNTS)
RATES = st.integers(1, 99).map(lambda each: Decimal(each) / 100)


def decimal(exact: Fraction) -> Decimal:
    return Decimal(exact.numerator) / Decimal(exact.denominator)


def digits(value: Decimal, of: str) -> Decimal:
    return value.quantize(Decimal(of), ROUND_HALF_EVEN)


def at_least(successes: int, trials: int, rate: Fraction) -> Fraction:
    """Return exactly how likely at least so many of so many trials succeed."""
    return sum(
        (
            comb(trials, each) * rate**each * (1 - rate) ** (trials - each)
            for each in range(successes, trials + 1)
        ),
        Fraction(0),
    )


def exactly_above(one: Beta, other: Beta) -> Fraction:
    """Return exactly how likely a rate is above another, as a double sum over both."""

    def beta(a: int, b: int) -> Fraction:
        return Fraction(1, a * comb(a + b - 1, a))

    whole = beta(other.successes, other.failures)
    return sum(
        (
            beta(other.successes + i, other.failures + one.failures)
            / ((one.failures + i) * beta(1 + i, one.failures) * whole)
            for i in range(one.successes)
        ),
        Fraction(0),
    )


# --- the documents' numbers --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("successes", "trials", "mean", "below"),
    [(12, 150, "8.55", "0.040"), (3, 80, "4.88", "0.581"), (0, 40, "2.38", "0.878")],
)
def test_three_webinars_are_believed_as_the_documents_say(
    successes: int, trials: int, mean: str, below: str
) -> None:
    belief = UNIFORM.after(successes, trials)

    assert digits(belief.mean * 100, "0.01") == Decimal(mean)
    assert digits(belief.probability_below(Decimal("0.05")), "0.001") == Decimal(below)


def test_none_of_forty_does_not_establish_less_than_five_percent() -> None:
    assert UNIFORM.after(0, 40).interval(Decimal("0.95")).high > Decimal("0.05")


def test_knowing_nothing_every_rate_is_as_likely() -> None:
    assert UNIFORM.mean == Decimal("0.5")
    assert abs(UNIFORM.probability_below(Decimal("0.3")) - Decimal("0.3")) < CLOSE
    low, high = UNIFORM.interval(Decimal("0.95"))
    assert abs(low - Decimal("0.025")) < NEAR
    assert abs(high - Decimal("0.975")) < NEAR


# --- exactness ---------------------------------------------------------------------------------


@given(BELIEFS, RATES)
def test_the_incomplete_beta_function_is_a_binomial_sum(belief: Beta, rate: Decimal) -> None:
    a, b = belief
    exact = at_least(a, a + b - 1, Fraction(rate))

    assert abs(regularised_beta(rate, Decimal(a), Decimal(b)) - decimal(exact)) < CLOSE


@pytest.mark.parametrize(("x", "exact"), [("0.25", 1), ("0.75", 2)])
def test_it_holds_for_halves_too(x: str, exact: int) -> None:
    # I_x(1/2, 1/2) is the arcsine law, which is known in thirds; I_x(1/2, 1) is a root.
    half = Decimal("0.5")

    assert abs(regularised_beta(Decimal(x), half, half) * 3 - exact) < Decimal("1e-26")
    root = Decimal(x).sqrt()
    assert abs(regularised_beta(Decimal(x), half, Decimal(1)) - root) < Decimal("1e-26")


@given(BELIEFS, RATES)
def test_one_side_and_the_other_make_the_whole(belief: Beta, rate: Decimal) -> None:
    a, b = map(Decimal, belief)

    assert abs(regularised_beta(rate, a, b) + regularised_beta(1 - rate, b, a) - 1) < CLOSE


@pytest.mark.parametrize(("x", "share"), [("0", "0"), ("-1", "0"), ("1", "1"), ("2", "1")])
def test_beyond_all_rates_there_is_nothing(x: str, share: str) -> None:
    assert regularised_beta(Decimal(x), Decimal(2), Decimal(3)) == Decimal(share)


@given(BELIEFS, BELIEFS)
def test_which_of_two_rates_is_higher_is_exact(one: Beta, other: Beta) -> None:
    assert abs(one.probability_above(other) - decimal(exactly_above(one, other))) < CLOSE


@given(BELIEFS, BELIEFS)
def test_one_of_two_rates_is_the_higher(one: Beta, other: Beta) -> None:
    assert abs(one.probability_above(other) + other.probability_above(one) - 1) < CLOSE


# --- laws --------------------------------------------------------------------------------------


@given(BELIEFS, RATES)
def test_a_further_success_makes_a_low_rate_less_likely(belief: Beta, rate: Decimal) -> None:
    more = belief.after(1, 1)

    assert more.probability_below(rate) < belief.probability_below(rate)
    assert more.probability_above(belief) > Decimal("0.5")


@given(BELIEFS, RATES, RATES)
def test_a_higher_rate_is_more_likely_to_be_above(
    belief: Beta, rate: Decimal, other: Decimal
) -> None:
    low, high = sorted((rate, other))

    assert belief.probability_below(low) <= belief.probability_below(high)


@given(BELIEFS, st.integers(0, 40), st.integers(0, 40))
def test_trials_count_the_same_in_any_portions(belief: Beta, some: int, more: int) -> None:
    assert belief.after(some, 40).after(more, 40) == belief.after(some + more, 80)


@given(BELIEFS, st.sampled_from(["0.5", "0.9", "0.95", "0.99"]).map(Decimal))
def test_an_interval_leaves_as_much_below_as_above(belief: Beta, credibility: Decimal) -> None:
    low, high = belief.interval(credibility)
    tail = (1 - credibility) / 2

    assert low < high
    for bound, share in ((low, tail), (high, 1 - tail)):
        assert (
            belief.probability_below(bound - NEAR) < share < belief.probability_below(bound + NEAR)
        )


@given(BELIEFS, st.integers(0, 40), st.integers(0, 40))
def test_an_interval_without_a_success_or_a_failure_reaches_its_end(
    prior: Beta, successes: int, failures: int
) -> None:
    trials, level = successes + failures, Decimal("0.95")

    low, high = prior.interval_after(successes, trials, level)

    tails = prior.after(successes, trials).interval(level)
    assert low == (0 if trials and not successes else tails.low)
    assert high == (1 if trials and not failures else tails.high)


@given(st.integers(0, 200), st.integers(1, 200))
def test_a_rate_lies_within_its_own_interval(successes: int, trials: int) -> None:
    successes = min(successes, trials)

    low, high = UNIFORM.interval_after(successes, trials, Decimal("0.95"))

    assert low <= Decimal(successes) / trials <= high


@given(st.integers(0, 1000), st.integers(1, 9))
def test_more_trials_of_the_same_rate_narrow_an_interval(rate: int, times: int) -> None:
    few = UNIFORM.after(rate * 4, 4000).interval(Decimal("0.95"))
    many = UNIFORM.after(rate * 4 * (times + 1), 4000 * (times + 1)).interval(Decimal("0.95"))

    assert many.high - many.low < few.high - few.low


def test_a_million_trials_take_milliseconds_and_more_than_there_are_count_as_the_most() -> None:
    start = perf_counter()
    low, high = UNIFORM.after(50_000, 10**6).interval(Decimal("0.95"))
    most = UNIFORM.after(MOST_TRIALS // 20, MOST_TRIALS)
    assert perf_counter() - start < 1  # It takes a hundredth of that where nobody else works.

    assert digits(low, "0.0001") == Decimal("0.0496")
    assert digits(high, "0.0001") == Decimal("0.0504")
    assert UNIFORM.after(MOST_TRIALS * 5, MOST_TRIALS * 100) == most


# --- looking early -----------------------------------------------------------------------------


@settings(max_examples=sweep(20, 6))  # Each follows some hundred courses to their end.
@given(RATES, st.sampled_from(["0.5", "0.8", "0.9"]).map(Decimal), BELIEFS)
def test_who_looks_after_every_trial_is_misled_no_more_often_than_agreed(
    rate: Decimal, level: Decimal, prior: Beta
) -> None:
    """Every course of up to 14 trials (20 in a sweep) is followed, with how likely it is."""
    chance = Fraction(rate)
    courses, misled = {0: Fraction(1)}, Fraction(0)
    for trials in range(1, sweep(21, 15)):
        following: dict[int, Fraction] = {}
        for successes, likely in courses.items():
            for more, of in ((1, chance), (0, 1 - chance)):
                now = successes + more
                following[now] = following.get(now, Fraction(0)) + likely * of
        courses = {}
        for successes, likely in following.items():
            low, high = confidence_sequence(successes, trials, level, prior)
            if low <= rate <= high:
                courses[successes] = likely
            else:
                misled += likely

    assert misled <= 1 - Fraction(level)


@given(st.integers(0, 200), st.integers(0, 200))
def test_looking_early_costs_width(successes: int, failures: int) -> None:
    trials = successes + failures
    level = Decimal("0.95")

    low, high = confidence_sequence(successes, trials, level)

    once = UNIFORM.after(successes, trials).interval(level)
    assert low <= once.low < once.high <= high
    if trials:
        assert low <= Decimal(successes) / trials <= high


def test_without_trials_every_rate_is_possible() -> None:
    assert tuple(confidence_sequence(0, 0, Decimal("0.95"))) == (Decimal(0), Decimal(1))
    assert confidence_sequence(0, 3, Decimal("0.95")).low == 0
    assert confidence_sequence(3, 3, Decimal("0.95")).high == 1


def test_a_prior_near_the_truth_makes_a_sequence_narrower() -> None:
    level = Decimal("0.95")
    plain = confidence_sequence(40, 1000, level)
    told = confidence_sequence(40, 1000, level, Beta(4, 96))

    assert plain.low < told.low < told.high < plain.high


def test_a_sequence_closes_in_on_the_rate() -> None:
    low, high = confidence_sequence(MOST_TRIALS * 5, MOST_TRIALS * 100, Decimal("0.95"))

    assert Decimal("0.0498") < low < Decimal("0.05") < high < Decimal("0.0502")
