"""A rule tried on the past: the fold of the alerts, as if it had been agreed then (C15)."""

from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from projections.alerts import AlertState
from projections.backtest import Finding, tried
from tests.life import CONVERSION_FLOOR, changed
from tests.projections.folds import agree, alerts, correct, percent, report, running
from tests.stories import Story
from tests.sweeps import sweep

STRICTER = changed(CONVERSION_FLOOR, rule="stricter", threshold=Decimal(6), consecutive=1)


def four_quarters(*successes: int) -> Story:
    """Return a story whose quarters of 2026 bring so many of a thousand."""
    story = running("2026-12-31")
    for number, each in enumerate(successes, 1):
        report(story, "lead_to_opportunity", f"2026-Q{number}", percent(each, 1000))
    story.on("2027-01-01")
    return story


def test_a_rule_is_tried_on_what_was_before_anybody_thought_of_it() -> None:
    story = four_quarters(70, 55, 58, 60)
    before = [*story.history]

    answer = tried(STRICTER, "2026", story.history)

    assert story.history == before
    assert {each.window: each.state for each in answer.alerts} == {
        "2026-Q2": "resolved",
        "2026-Q3": "resolved",
    }
    assert [(each.window, each.finding) for each in answer.windows] == [
        ("2026-Q1", Finding.WITHIN),
        ("2026-Q2", Finding.BEYOND),
        ("2026-Q3", Finding.BEYOND),
        ("2026-Q4", Finding.WITHIN),
    ]


def test_it_binds_from_the_period_that_is_asked_for() -> None:
    answer = tried(STRICTER, "2026-Q3", four_quarters(10, 10, 10, 10).history)

    assert [each.window for each in answer.windows] == ["2026-Q3", "2026-Q4"]
    assert {each.window for each in answer.alerts} == {"2026-Q3", "2026-Q4"}


def test_a_window_that_raises_nothing_says_why() -> None:
    sure = changed(STRICTER, credibility="99", minimum_sample=500)
    story = running("2026-12-31")
    for quarter, figure in (("2026-Q1", percent(1, 20)), ("2026-Q2", percent(55, 1000))):
        report(story, "lead_to_opportunity", quarter, figure)
    report(story, "lead_to_opportunity", "2026-Q3", percent(10, 1000))
    story.on("2027-01-01")

    windows = tried(sure, "2026", story.history).windows

    assert [each.finding for each in windows] == [
        Finding.INSUFFICIENT,
        Finding.INSUFFICIENT,
        Finding.BEYOND,
        Finding.NO_FIGURE,
    ]
    assert windows[1].sample == 1000
    assert windows[1].probability == Decimal("0.7257")


def test_other_rules_keep_silent_meanwhile() -> None:
    story = four_quarters(10, 10, 10, 10)
    assert alerts(story)

    answer = tried(STRICTER, "2026", story.history)

    assert {each.rule for each in answer.alerts} == {"stricter"}
    assert {each.version for each in answer.alerts} == {0}


def test_a_correction_withdraws_what_was_only_tried_too() -> None:
    story = four_quarters(55, 70, 70, 70)
    story.on("2027-01-20")
    correct(story, "lead_to_opportunity", "2026-Q1", percent(60, 1000))

    (alert,) = tried(STRICTER, "2026", story.history).alerts

    assert alert.state is AlertState.WITHDRAWN


@settings(max_examples=sweep(60, 20))
@given(st.lists(st.integers(40, 80), min_size=3, max_size=3), st.sampled_from([None, "80"]))
def test_backtesting_an_agreed_rule_gives_its_actual_alerts(
    successes: list[int], credibility: str | None
) -> None:
    story = running()
    rule = changed(STRICTER, credibility=credibility)
    agree(story, rule)
    story.on("2026-12-31")
    for number, each in enumerate(successes, 2):
        report(story, "lead_to_opportunity", f"2026-Q{number}", percent(each, 1000))
    story.on("2027-01-01")

    answer = tried(rule, "2026-Q2", story.history).alerts

    mine = [each for each in alerts(story).values() if each.rule == rule.rule]
    assert [(each.window, each.state, each.text) for each in answer] == [
        (each.window, each.state, each.text) for each in mine
    ]
