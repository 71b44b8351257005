"""Least squares: exact on exact lines, and as unsure as few points are (C19, C21)."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from projections.regression import fit, t_quantile
from tests.sweeps import sweep

WHOLE = st.integers(-10_000, 10_000)
RATE = st.decimals(-1000, 1000, places=4)

few = settings(max_examples=sweep(60, 20))
"""Fractions of many digits are slow, and the laws hold for any points."""


@few
@given(RATE.filter(bool), RATE, st.lists(WHOLE, min_size=3, max_size=20, unique=True))
def test_an_exact_line_is_found_exactly_and_without_error(
    slope: Decimal, intercept: Decimal, xs: list[int]
) -> None:
    line = fit([(Decimal(x), intercept + slope * x) for x in xs])

    assert line is not None
    assert (line.slope, line.intercept) == (Fraction(slope), Fraction(intercept))
    assert line.explained == 1
    assert line.standard_error == 0
    low, high = line.interval
    assert low == high
    assert abs(low - slope) <= Decimal("1e-30")


PAIRS = st.lists(st.tuples(WHOLE.map(Decimal), WHOLE.map(Decimal)), min_size=3, max_size=12)


@few
@given(PAIRS)
def test_the_share_explained_is_a_share_and_the_interval_holds_the_slope(
    pairs: list[tuple[Decimal, Decimal]],
) -> None:
    line = fit(pairs)
    if line is None:
        assert len({x for x, _ in pairs}) == 1 or len({y for _, y in pairs}) == 1
        return
    assert 0 <= line.explained <= 1
    assert Fraction(line.interval[0]) <= line.slope + Fraction(1, 10**20)
    assert line.slope <= Fraction(line.interval[1]) + Fraction(1, 10**20)


@few
@given(PAIRS)
def test_the_order_of_the_pairs_changes_nothing(pairs: list[tuple[Decimal, Decimal]]) -> None:
    assert fit(pairs) == fit(pairs[::-1])


def test_a_textbook_line_has_the_textbook_error() -> None:
    line = fit([(Decimal(x), Decimal(y)) for x, y in [(1, 2), (2, 4), (3, 5), (4, 4), (5, 5)]])

    assert line is not None
    assert (line.slope, line.intercept) == (Fraction(3, 5), Fraction(11, 5))
    assert line.explained == Fraction(3, 5)
    # √0.08, and 3.182446 of it to each side with three degrees of freedom.
    assert round(line.standard_error, 6) == Decimal("0.282843")
    assert [round(end, 6) for end in line.interval] == [Decimal("-0.300132"), Decimal("1.500132")]


@pytest.mark.parametrize("count", [0, 1, 2])
def test_two_points_give_no_line_because_nothing_is_left_to_judge_it_by(count: int) -> None:
    assert fit([(Decimal(each), Decimal(each)) for each in range(count)]) is None


@pytest.mark.parametrize(
    ("degrees", "quantile"),
    [
        (1, "12.706205"),
        (2, "4.302653"),
        (3, "3.182446"),
        (4, "2.776445"),
        (5, "2.570582"),
        (8, "2.306004"),
        (10, "2.228139"),
        (29, "2.045230"),
        (30, "2.042272"),
        (100, "1.983972"),
    ],
)
def test_the_quantile_is_that_of_the_printed_tables(degrees: int, quantile: str) -> None:
    assert round(t_quantile(Decimal("0.975"), degrees), 6) == Decimal(quantile)


def test_half_of_the_distribution_lies_below_nought() -> None:
    assert abs(t_quantile(Decimal("0.5"), 7)) < Decimal("1e-30")
