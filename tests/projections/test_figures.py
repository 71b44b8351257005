"""Which periods a changed row concerns: all that are told anew when it changes."""

from domain.metric_catalogue import CATALOGUE
from projections.figures import Read, concerned, differing, report
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


def test_only_metrics_that_a_changed_row_counts_or_divides_differ() -> None:
    before: Row = {"sums": {"leads||count": 8, "demos||count": 1}}
    reported = next(each.name for each in CATALOGUE.values() if not each.counted)
    after: Row = {
        "sums": {"leads||count": 9, "demos||count": 1},
        "figures": {f"{reported}||count": {}},
    }
    found = differing(before, after)
    assert {"leads", reported} <= found
    assert found >= {each.name for each in CATALOGUE.values() if each.denominator == "leads"}
    assert "demos" not in found
    assert differing(after, after) == set()


def test_a_report_of_some_metrics_is_that_part_of_the_whole_report() -> None:
    rows: dict[str, Row] = {"2025-05": {"sums": {"leads||count": 8, "demos||count": 1}}}
    whole = report(rows, "2025-Q2")
    assert {each["metric"] for each in whole} >= {"leads", "demos"}
    for read in (rows, Read(rows)):
        assert report(read, "2025-Q2", {"leads"}) == [w for w in whole if w["metric"] == "leads"]
