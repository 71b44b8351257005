"""Which periods a changed row concerns: their figures may differ once it has changed."""

from dataclasses import replace
from decimal import Decimal

from domain.metric_catalogue import CATALOGUE
from projections.counted import Sum
from projections.figures import Read, concerned, differing, report
from projections.kpis import AGREED, AgreedRow, PeriodRow


def rows_of(*keys: str) -> dict[str, PeriodRow]:
    return {key: PeriodRow() for key in keys}


def sums(**counts: int) -> PeriodRow:
    """A month in which each of these metrics has a count."""
    return PeriodRow(
        {(name, "", "count"): Sum(Decimal(each), each) for name, each in counts.items()}
    )


def test_a_month_concerns_its_quarter_and_its_year() -> None:
    assert concerned(rows_of("2025-05"), ["2025-05"]) == ["2025", "2025-05", "2025-Q2"]


def test_a_late_change_concerns_the_periods_that_are_set_against_it_for_a_year() -> None:
    rows = rows_of("2025-05", "2025-07", "2026-05", "2026-06")
    assert concerned(rows, ["2025-05"]) == [
        *("2025", "2025-05", "2025-07", "2025-Q2", "2025-Q3"),
        *("2026", "2026-05", "2026-Q2"),
    ]


def test_another_agreement_concerns_every_period_with_figures() -> None:
    rows = {AGREED: AgreedRow(), **rows_of("2025-02", "2025-05")}
    assert concerned(rows, [AGREED]) == ["2025", "2025-02", "2025-05", "2025-Q1", "2025-Q2"]


def test_only_metrics_that_a_changed_row_counts_or_divides_differ() -> None:
    before = sums(leads=8, demos=1)
    reported = next(each.name for each in CATALOGUE.values() if not each.counted)
    after = replace(sums(leads=9, demos=1), reports={(reported, ""): {}})
    found = differing(before, after)
    assert {"leads", reported} <= found
    assert found >= {each.name for each in CATALOGUE.values() if each.denominator == "leads"}
    assert "demos" not in found
    assert differing(after, after) == set()


def test_a_report_of_some_metrics_is_that_part_of_the_whole_report() -> None:
    rows = {"2025-05": sums(leads=8, demos=1)}
    whole = report(rows, "2025-Q2")
    assert {each.metric for each in whole} >= {"leads", "demos"}
    for read in (rows, Read(rows)):
        assert report(read, "2025-Q2", {"leads"}) == [w for w in whole if w.metric == "leads"]
