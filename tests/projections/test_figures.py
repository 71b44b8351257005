"""Which periods a changed row concerns: all that are told anew when it changes."""

from projections.figures import concerned
from projections.fold import Row
from projections.kpis import AGREED


def rows_of(*keys: str) -> dict[str, Row]:
    return {key: {} for key in keys}


def test_a_month_concerns_its_quarter_and_its_year() -> None:
    assert concerned(rows_of("2025-05"), ["2025-05"]) == ["2025", "2025-05", "2025-Q2"]


def test_a_late_change_concerns_the_periods_that_are_set_against_it_for_a_year() -> None:
    rows = rows_of("2025-05", "2025-07", "2026-05", "2026-06")
    assert concerned(rows, ["2025-05"]) == [
        *("2025", "2025-05", "2025-07", "2025-Q2", "2025-Q3"),
        *("2026", "2026-05", "2026-Q2"),
    ]


def test_another_agreement_concerns_every_quarter_and_hides_no_month_that_changed_with_it() -> None:
    rows = rows_of(AGREED, "2025-02", "2025-05")
    assert concerned(rows, [AGREED]) == ["2025-Q1", "2025-Q2"]
    assert concerned(rows, [AGREED, "2025-05"]) == ["2025", "2025-05", "2025-Q1", "2025-Q2"]
