"""What partners are like against how they perform: one line for each attribute (C19, C21, C30)."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from decimal import Context, Decimal
from fractions import Fraction
from typing import NamedTuple

from domain.exploration import Dimension
from domain.kernel import Stage
from domain.values import plain
from projections import figures
from projections.fold import Row
from projections.portfolio import Member
from projections.ranking import SCORED, overlap_percent
from projections.regression import FEWEST, Fit, fit

ENOUGH = 10
"""Partners below which a line is hardly more than a picture of these few (C21)."""

_SHOWN = Context(prec=6)
"""Six digits that count are shown, whatever the unit."""


def _part(of: str, *names: str) -> Callable[[Row], Decimal | None]:
    """Give the sum of some parts of a fact about a candidate, or nothing."""

    def read(candidate: Row) -> Decimal | None:
        known = candidate.get(of)
        return Decimal(sum(known[each] for each in names)) if known else None

    return read


def _staff(candidate: Row) -> Decimal | None:
    return Decimal(candidate["staff"]) if "staff" in candidate else None


def _overlap(candidate: Row) -> Decimal | None:
    percent = overlap_percent(candidate.get("overlap"))
    return None if percent is None else Decimal(percent)


ATTRIBUTES: dict[str, Callable[[Row], Decimal | None]] = {
    "staff": _staff,
    "audience_overlap_percent": _overlap,
    "score": _part("score", *SCORED),
    **{each: _part("score", each) for each in SCORED},
    "alignment": _part("alignment", *(each.value for each in Dimension)),
    **{each.value: _part("alignment", each.value) for each in Dimension},
}
"""What is recorded of partners before they are chosen (C1, C2, C4), each as a number."""


class Observed(NamedTuple):
    """One partnership's figure, and what its partner was like when it was chosen."""

    id: str
    candidate: Row
    ended: bool
    value: Decimal
    unit: str


def observe(member: Member, metric: str, period: str | None) -> list[Observed]:
    """Give a partnership's figures of a metric, one for each unit; none where nobody knows any.

    Of a period, or of all the time of which there are figures.
    """
    if member.partner is None:
        return []
    ended = member.overview.stage is Stage.ENDED
    found = []
    for unit in figures.units(member.kpis, metric):
        if period:
            known = figures.figure(member.kpis, metric, period, unit=unit)
        else:
            known = figures.ever(member.kpis, metric, unit)
        if known and known.value is not None:
            found.append(Observed(member.id, member.candidate, ended, known.value, unit))
    return found


def against(observed: Iterable[Observed]) -> Row:
    """Set each attribute against the figures, by ordinary least squares.

    Figures of several currencies cannot be set side by side: the commonest unit is taken.
    """
    everything = list(observed)
    units = Counter(each.unit for each in everything)
    unit = min(units, key=lambda name: (-units[name], name), default=None)
    taken = [each for each in everything if each.unit == unit]
    return {
        "unit": unit,
        "partnerships": [{"id": each.id, "value": plain(each.value)} for each in taken],
        "in_other_units": len(everything) - len(taken),
        "attributes": [_against(name, read, taken) for name, read in ATTRIBUTES.items()],
        "warnings": _warnings(taken),
    }


def _against(name: str, read: Callable[[Row], Decimal | None], observed: Sequence[Observed]) -> Row:
    pairs = [
        (value, each.value) for each in observed if (value := read(each.candidate)) is not None
    ]
    row: Row = {"attribute": name, "n": len(pairs)}
    line = fit(pairs)
    if line is None:
        few = f"fewer than {FEWEST} partners: no line"
        return {**row, "note": few if len(pairs) < FEWEST else "all the same: no line"}
    return {**row, **_shown(line)}


def _shown(line: Fit) -> Row:
    low, high = line.interval
    if low <= 0 <= high:
        reading = "not shown: the interval holds 0"
    else:
        reading = "more goes with " + ("more" if low > 0 else "less")
    return {
        "slope": _digits(line.slope),
        "standard_error": _digits(Fraction(line.standard_error)),
        "interval": [_digits(Fraction(low)), _digits(Fraction(high))],
        "r_squared": _digits(line.explained),
        "reading": reading,
    }


def _digits(value: Fraction) -> str:
    rounded = _SHOWN.divide(Decimal(value.numerator), Decimal(value.denominator)).normalize()
    return plain(rounded) if rounded else "0"


def _warnings(observed: Sequence[Observed]) -> list[str]:
    count, ended = len(observed), sum(each.ended for each in observed)
    few = (
        [f"Few partners ({count}): one more may turn a line round (C21)."] if count < ENOUGH else []
    )
    return [
        *few,
        f"Of {len(ATTRIBUTES)} attributes looked at, one in twenty seems to matter by chance.",
        "What goes together need not be cause and effect.",
        f"What did well is more likely on record; ended of these: {ended} (C21).",
    ]
