"""Attributes of partners against their figures: one regression line each (C19, C21, C30)."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Context, Decimal
from fractions import Fraction
from typing import Annotated

from pydantic import PlainSerializer

from domain.described import described
from domain.exploration import Dimension
from domain.kernel import Stage
from domain.values import Exact, plain
from projections import figures
from projections.portfolio import Member
from projections.ranking import SCORED, overlap_percent, score_of
from projections.regression import Fit, fit
from projections.traits import CandidateTraits

ENOUGH = 10
"""The fewest partners that a line is fitted to: with fewer, chance alone makes one (C21)."""

_SHOWN = Context(prec=6)
"""Six significant digits are shown for every unit."""

Digits = Annotated[Decimal, PlainSerializer(plain, return_type=str)]
"""A computed number, in JSON a string of digits without an exponent."""


def _staff(known: CandidateTraits) -> int | None:
    return known.identified.staff if known.identified else None


def _score(part: str) -> Callable[[CandidateTraits], int | None]:
    return lambda known: getattr(known.score, part) if known.score else None


def _alignment(dimension: Dimension) -> Callable[[CandidateTraits], int | None]:
    return lambda known: getattr(known.alignment, dimension) if known.alignment else None


def _whole_alignment(known: CandidateTraits) -> int | None:
    return sum(getattr(known.alignment, each) for each in Dimension) if known.alignment else None


ATTRIBUTES: dict[str, Callable[[CandidateTraits], Decimal | int | None]] = {
    "staff": _staff,
    "audience_overlap_percent": lambda known: overlap_percent(known.overlap),
    "score": lambda known: score_of(known.score),
    **{each: _score(each) for each in SCORED},
    "alignment": _whole_alignment,
    **{each.value: _alignment(each) for each in Dimension},
}
"""What is recorded of partners before they are chosen (C1, C2, C4), each as a number."""


@dataclass(frozen=True, slots=True)
class Observed:
    """The figure of one partnership, and the attributes of its partner when it was chosen."""

    id: str
    candidate: CandidateTraits
    ended: bool
    value: Decimal
    unit: str


def observe(member: Member, metric: str, period: str | None) -> Iterator[Observed]:
    """Yield a partnership's figures of a metric, one for each unit; none if there is no partner.

    Figures of a period, or of all time.
    """
    if member.partner is None:
        return
    ended = member.overview.stage is Stage.ENDED
    for unit in figures.units(member.kpis, metric):
        value = member.value(metric, unit, period)
        if value is not None:
            yield Observed(member.id, member.candidate, ended, value, unit)


@described
@dataclass(frozen=True, slots=True)
class FittedLine:
    """A regression line: the figure against one attribute."""

    slope: Digits
    """How much the figure grows for each unit of the attribute."""
    standard_error: Digits
    """The standard error of the slope."""
    interval_from: Digits
    """The lower bound of the 95 % confidence interval of the slope, by Student's t."""
    interval_to: Digits
    """The upper bound of the same interval."""
    r_squared: Digits
    """The share of the variation that the line explains, from 0 to 1."""


@described
@dataclass(frozen=True, slots=True)
class Attribute:
    """How one attribute of the partners relates to their figures."""

    attribute: str
    """The name of the attribute."""
    n: int
    """How many partnerships have both the attribute and a figure."""
    line: FittedLine | None
    """Null if fewer than ten partnerships have both, or if all have the same value."""
    reading: str
    """What the line shows, or why there is none."""


@described
@dataclass(frozen=True, slots=True)
class PartnerFigure:
    """The figure of one partnership."""

    id: str
    """The partnership."""
    value: Exact
    """The value, as a decimal string."""


@described
@dataclass(frozen=True, slots=True)
class AttributeComparison:
    """A comparison of the partners' attributes with their figures, in one unit."""

    unit: str | None
    """The unit of the figures; null if there are none."""
    partnerships: tuple[PartnerFigure, ...]
    """The figure of each partnership."""
    in_other_units: int
    """Figures that are left out because they are in another currency."""
    attributes: tuple[Attribute, ...]
    """The attributes that were compared."""
    warnings: tuple[str, ...]
    """What to mind when the figures are read."""


def against(observed: Iterable[Observed]) -> AttributeComparison:
    """Regress the figures on each attribute, by ordinary least squares, where partners are enough.

    Figures of several currencies cannot be compared: the most frequent unit is taken.
    """
    everything = list(observed)
    units = Counter(each.unit for each in everything)
    unit = min(units, key=lambda name: (-units[name], name), default=None)
    taken = [each for each in everything if each.unit == unit]
    return AttributeComparison(
        unit=unit,
        partnerships=tuple(PartnerFigure(each.id, each.value) for each in taken),
        in_other_units=len(everything) - len(taken),
        attributes=tuple(_against(name, read, taken) for name, read in ATTRIBUTES.items()),
        warnings=tuple(_warnings(taken)),
    )


def _against(
    name: str, read: Callable[[CandidateTraits], Decimal | int | None], observed: Sequence[Observed]
) -> Attribute:
    pairs = [
        (Decimal(value), each.value)
        for each in observed
        if (value := read(each.candidate)) is not None
    ]
    count = len(pairs)
    if count < ENOUGH:
        return Attribute(name, count, None, f"fewer than {ENOUGH} partners: no line")
    fitted = fit(pairs)
    if fitted is None:
        return Attribute(name, count, None, "all the same: no line")
    low, high = fitted.interval
    if low <= 0 <= high:
        reading = "not shown: the interval contains 0"
    else:
        reading = "more goes with " + ("more" if low > 0 else "less")
    return Attribute(name, count, _line(fitted), reading)


def _line(fitted: Fit) -> FittedLine:
    low, high = fitted.interval
    return FittedLine(
        _digits(fitted.slope),
        _digits(Fraction(fitted.standard_error)),
        _digits(Fraction(low)),
        _digits(Fraction(high)),
        _digits(fitted.explained),
    )


def _digits(value: Fraction) -> Decimal:
    rounded = _SHOWN.divide(Decimal(value.numerator), Decimal(value.denominator)).normalize()
    return rounded or Decimal(0)


def _warnings(observed: Sequence[Observed]) -> Iterator[str]:
    count, ended = len(observed), sum(each.ended for each in observed)
    if count < ENOUGH:
        yield f"Too few partners to compare: {count}, and {ENOUGH} are needed (C21)."
        return
    yield f"Of {len(ATTRIBUTES)} attributes, one in twenty seems to matter by chance."
    yield "Correlation is not causation."
    yield f"What did well is more likely to be on record; {ended} of these have ended (C21)."
