"""Open deadlines in a row whose `wake` tells a scheduler when to look at the partnership."""

from datetime import timedelta

import pytest

from domain.execution import RaiseIssue, ResolveIssue
from domain.kernel import Stage
from domain.values import instant
from projections import DEADLINES
from projections.deadlines import OPEN
from projections.fold import NOTHING, Row, replay
from tests.life import LIFE, OURS, THEIRS, at, example
from tests.projections.folds import refer
from tests.stories import Story

WHOLE = Story().given(LIFE)


def row(story: Story) -> Row | None:
    return replay(DEADLINES, story.history).rows.get(OPEN)


def open_ones(story: Story) -> list[list[str]]:
    found = row(story)
    return found["open"] if found else []


def test_before_anything_is_agreed_nothing_is_waited_for() -> None:
    assert row(at(Stage.FORMATION)) is None


def test_it_wakes_at_the_first_of_all_open_deadlines() -> None:
    story = at(Stage.EXECUTION)
    found = row(story)

    assert found is not None
    assert found["wake"] == "2026-02-01T00:00:00Z"
    assert [each[:3] for each in found["open"]] == [
        ["2026-02-01T00:00:00Z", "period", "2026-01"],
        ["2028-10-03T00:00:00Z", "notice-warning", "2028-11-02"],
        ["2028-11-03T00:00:00Z", "notice", "2028-11-02"],
        ["2029-01-01T00:00:00Z", "term-end", "2029-01-01"],
    ]


def test_an_issue_is_waited_for_until_it_is_resolved() -> None:
    story = at(Stage.EXECUTION)
    before = row(story)
    story.when(THEIRS, example(RaiseIssue))
    found = row(story)
    assert found is not None
    assert found["wake"] == instant(story.now + timedelta(hours=48))
    story.when(OURS, example(ResolveIssue))

    assert row(story) == before


def test_a_period_that_closes_opens_the_next() -> None:
    story = at(Stage.EXECUTION)
    story.on("2026-04-01")

    assert open_ones(story)[0][:3] == ["2026-05-01T00:00:00Z", "period", "2026-04"]


def test_after_the_exit_nothing_is_waited_for() -> None:
    assert row(WHOLE) is None


def test_facts_of_other_streams_touch_no_row() -> None:
    story = at(Stage.EXECUTION)
    refer(story, "D-1")

    assert DEADLINES.keys(story.history[-1]) == ()
    assert DEADLINES.apply({}, story.history[-1]) is NOTHING


@pytest.mark.parametrize("stage", Stage)
def test_the_view_holds_the_deadlines_that_the_aggregate_holds(stage: Stage) -> None:
    story = at(stage)

    assert [
        (due, kind, ref, since, notice) for due, kind, ref, since, notice in open_ones(story)
    ] == [
        (instant(each.due), each.kind, each.ref, instant(each.since), each.span)
        for each in sorted(story.partnership.deadlines.values())
    ]
