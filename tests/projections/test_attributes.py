"""Attributes of partners against their figures, and how little a few of them say (C19, C21)."""

from decimal import Decimal

from domain.exploration import BeginExploration, CandidateIdentified, IdentifyCandidate
from domain.kernel import Stage
from projections.attributes import (
    ATTRIBUTES,
    Attribute,
    AttributeComparison,
    Observed,
    against,
    observe,
)
from projections.traits import CandidateTraits
from tests.life import after, at, example
from tests.projections.folds import count, member, report


def seen(name: str, staff: int | None, value: int, unit: str = "count") -> Observed:
    identified = CandidateIdentified(**example(IdentifyCandidate, staff=staff).model_dump())
    return Observed(name, CandidateTraits(identified), ended=False, value=Decimal(value), unit=unit)


def attribute(found: AttributeComparison, name: str) -> Attribute:
    (only,) = (each for each in found.attributes if each.attribute == name)
    return only


def test_everything_recorded_of_a_candidate_is_an_attribute() -> None:
    story = at(Stage.EXECUTION)
    report(story, "new_users", "2026-01", count(500))

    (known,) = observe(member(story), "new_users", None)

    assert {name: read(known.candidate) for name, read in ATTRIBUTES.items()} == {
        "staff": 120,
        "audience_overlap_percent": Decimal("15.00"),
        "score": 11,
        "market_reach": 4,
        "brand_alignment": 4,
        "technical_compatibility": 3,
        "alignment": 12,
        "strategic_fit": 4,
        "operational_capacity": 3,
        "cultural_compatibility": 2,
        "shared_vision": 3,
    }
    assert known.value == 500


def test_a_figure_is_of_the_period_that_is_asked_for() -> None:
    story = at(Stage.EXECUTION)
    report(story, "new_users", "2025-12", count(500))
    report(story, "new_users", "2026-01", count(700))

    def values(period: str | None) -> list[Decimal]:
        return [each.value for each in observe(member(story), "new_users", period)]

    assert values("2026-Q1") == [700]
    assert values(None) == [1200]
    assert values("2024") == []


def test_without_a_partner_nothing_is_observed() -> None:
    assert list(observe(member(after(BeginExploration)), "new_users", None)) == []


def test_more_staff_goes_with_more_where_ten_partners_lie_on_a_line() -> None:
    answer = against([seen(str(staff), staff, 2 * staff + 10) for staff in range(50, 150, 10)])

    staff = attribute(answer, "staff")
    assert staff.line
    assert staff.n == 10
    assert [staff.line.slope, staff.line.r_squared] == [2, 1]
    assert staff.reading == "more goes with more"
    assert attribute(answer, "score").reading == "fewer than 10 partners: no line"


def test_nine_partners_on_a_line_are_too_few_to_speak_of() -> None:
    answer = against([seen(str(staff), staff, 2 * staff + 10) for staff in range(50, 140, 10)])

    assert attribute(answer, "staff").line is None
    assert answer.warnings == ("Too few partners to compare: 9, and 10 are needed (C21).",)
    assert len(answer.partnerships) == 9


def test_scatter_leaves_it_open_whether_there_is_a_correlation() -> None:
    points = [(50 + 10 * at, (at * at * 37) % 11) for at in range(12)]
    answer = against([seen(str(staff), staff, value) for staff, value in points])

    assert attribute(answer, "staff").reading == "not shown: the interval contains 0"


def test_attributes_that_do_not_vary_give_no_line() -> None:
    answer = against([seen(name, 50, place) for place, name in enumerate("abcdefghij")])

    assert attribute(answer, "staff").reading == "all the same: no line"


def test_figures_in_other_currencies_are_left_out_and_counted() -> None:
    dollars = [seen(name, 10 * place, place, "USD") for place, name in enumerate("abc")]

    answer = against([*dollars, seen("d", 40, 1, "EUR")])

    assert (answer.unit, answer.in_other_units) == ("USD", 1)
    assert [each.id for each in answer.partnerships] == ["a", "b", "c"]


def test_correlation_is_never_called_a_cause() -> None:
    enough = against([seen(str(place), place, place) for place in range(10)]).warnings

    assert any("not causation" in each for each in enough)
    assert any("0 of these have ended" in each for each in enough)


def test_nothing_observed_is_an_answer_too() -> None:
    answer = against([])

    assert (answer.unit, answer.partnerships) == (None, ())
