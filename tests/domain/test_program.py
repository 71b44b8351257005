"""The operator's own program: the limits of a portfolio, which no partner sets (C28)."""

from decimal import Decimal

from domain.exploration import BeginExploration
from domain.kernel import CLOCK_PARTY
from domain.program import DefinePortfolio, PortfolioDefined
from tests.life import OURS, THEIRS, after, example
from tests.stories import Story

OWN = "growthos-program"


def program() -> Story:
    """Return the story of a program, which is nothing else."""
    return Story(id=OWN)


def test_a_party_sets_the_limits_of_its_portfolio_under_a_subject_of_its_own() -> None:
    story = program()

    assert story.when(OURS, example(DefinePortfolio)) == [
        PortfolioDefined.of(example(DefinePortfolio))
    ]
    assert story.history[0].stream == f"{OWN}/program"
    assert story.partnership.stage is None


def test_limits_can_be_set_again_and_the_same_limits_decide_nothing() -> None:
    story = program()
    story.when(OURS, example(DefinePortfolio))

    assert story.when(OURS, example(DefinePortfolio)) == []
    assert story.when(OURS, example(DefinePortfolio, capacity=Decimal(2)))


def test_a_partnership_is_no_program() -> None:
    story = after(BeginExploration)

    assert story.refuses(OURS, example(DefinePortfolio)).rule == "not-a-program"


def test_a_program_belongs_to_the_party_that_keeps_it() -> None:
    story = program()
    story.when(OURS, example(DefinePortfolio))

    assert story.refuses(THEIRS, example(DefinePortfolio)).rule == "not-your-program"
    assert program().refuses(CLOCK_PARTY, example(DefinePortfolio)).rule == "reserved-party"


def test_a_range_of_active_partnerships_begins_with_the_smaller_number() -> None:
    refusal = program().refuses(OURS, example(DefinePortfolio, fewest_active=11))

    assert refusal.rule == "active-range"
