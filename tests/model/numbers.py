"""Arithmetic (sections 3 and 8): exact ratios, and one rounding to the minor unit at the end."""

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction

from tests.model.facts import Part, Party

# ISO 4217: digits of the minor unit, where they are not two.
DIGITS = {"JPY": 0, "KWD": 3}

HUNDRED = 100


def minor(currency: str) -> int:
    return DIGITS.get(currency, 2)


def decimal_of(units: int, currency: str) -> Decimal:
    return Decimal(units).scaleb(-minor(currency))


def rounded(amount: Fraction, currency: str) -> Decimal:
    """Half to even, to the currency's minor unit. `round` of a ratio is half to even."""
    return decimal_of(round(amount * 10 ** minor(currency)), currency)


def part_of(amount: Fraction, parts: Sequence[Part], party: Party, currency: str) -> Decimal:
    """One party's part; all parts add up to the rounded whole.

    Units that rounding leaves go to the largest fractions, then in alphabetical order of the
    parties (decision 63).
    """
    units = round(amount * 10 ** minor(currency))
    exact = [Fraction(units) * Fraction(each.percent) / HUNDRED for each in parts]
    given = [each.numerator // each.denominator for each in exact]
    order = sorted(
        range(len(parts)), key=lambda place: (given[place] - exact[place], parts[place].party)
    )
    for place in order[: units - sum(given)]:
        given[place] += 1
    return decimal_of(
        sum(g for g, p in zip(given, parts, strict=True) if p.party == party), currency
    )
